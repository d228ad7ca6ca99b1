//! Content in chunks, both ways: it means what a reader of our own says.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tine_fuzz::check_chunks(input));
