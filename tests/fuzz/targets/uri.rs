//! Paths: no dot segment survives, and encoding what was decoded gives it back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tine::http::uri::{EncodedSlashes, decode_component, encode_component, encode_path, normalize};

fuzz_target!(|input: &[u8]| {
    let Some((&flags, raw)) = input.split_first() else {
        return;
    };
    // A request target has no NUL, so neither has its path.
    if raw.contains(&0) {
        return;
    }
    let merges = flags & 1 == 1;
    for slashes in [EncodedSlashes::Refuse, EncodedSlashes::Decode, EncodedSlashes::Keep] {
        let mut once = Vec::new();
        if normalize(raw, slashes, merges, &mut once).is_err() {
            continue;
        }
        assert_eq!(once.first(), Some(&b'/'));
        assert!(!once.split(|&b| b == b'/').any(|s| s == b"." || s == b".."));
        if slashes == EncodedSlashes::Keep {
            continue;
        }
        let (mut encoded, mut twice) = (Vec::new(), Vec::new());
        encode_path(&once, slashes, &mut encoded);
        normalize(&encoded, slashes, merges, &mut twice).expect("a decoded path was encoded");
        assert_eq!(once, twice);
    }
    let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
    encode_component(raw, &mut encoded);
    decode_component(&encoded, true, &mut decoded);
    assert_eq!(raw, decoded);
});
