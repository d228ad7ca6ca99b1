//! Responses: cut or whole they read the same, and what was read is forwarded as the same response, once.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tine_fuzz::check_responses(input));
