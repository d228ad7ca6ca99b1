//! Responses: cut or whole they read the same, and what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tine_fuzz::{cut, responses, write_response};

fuzz_target!(|input: &[u8]| {
    let Some((bytes, at)) = cut(input) else {
        return;
    };
    let whole = responses(&[bytes]);
    let split = responses(&[&bytes[..at], &bytes[at..]]);
    assert_eq!(whole.events, split.events);
    assert_eq!(whole.data, split.data);
    for head in whole.heads.iter().filter(|head| !head.status.is_interim()) {
        let written = write_response(head);
        let again = responses(&[&written]);
        // Writing adds framing fields, which may pass the limits of reading.
        let Some(read) = again.heads.first() else {
            continue;
        };
        assert_eq!(read.status, head.status);
        assert_eq!(again.heads.len(), 1, "one head was written and two were read");
    }
});
