//! Requests: cut or whole they read the same, and what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tine::http::FieldId;
use tine_fuzz::{cut, requests, write_request};

fuzz_target!(|input: &[u8]| {
    let Some((bytes, at)) = cut(input) else {
        return;
    };
    let whole = requests(&[bytes]);
    let split = requests(&[&bytes[..at], &bytes[at..]]);
    assert_eq!(whole.events, split.events);
    assert_eq!(whole.data, split.data);
    for head in &whole.heads {
        let written = write_request(head);
        assert_eq!(written.iter().filter(|&&b| b == 0).count(), 0);
        let again = requests(&[&written]);
        // Writing adds a Connection field, which may pass the limits of reading.
        let Some(read) = again.heads.first() else {
            continue;
        };
        assert_eq!(read.method, head.method);
        assert_eq!(read.target.raw(), head.target.raw());
        assert_eq!(read.content, head.content);
        let host = head.fields.get(FieldId::Host).unwrap_or_default();
        assert_eq!(read.fields.get(FieldId::Host), Some(host));
        assert_eq!(again.heads.len(), 1, "one head was written and two were read");
    }
});
