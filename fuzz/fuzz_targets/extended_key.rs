//! `extended_key` of `quorumkey::hazmat::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| quorumkey::hazmat::fuzz::run("extended_key", bytes));
