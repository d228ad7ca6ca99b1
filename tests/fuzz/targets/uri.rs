//! Paths: no dot segment survives, encoding what was decoded gives it back, and no byte of it can end a target.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tine_fuzz::check_path(input));
