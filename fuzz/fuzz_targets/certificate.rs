//! Certificates: no bytes panic, and what is accepted has one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorumkey::Certificate;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = Certificate::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes);
        let _ = (value.epoch_id(), value.key_id(), quorumkey::hazmat::verifying_shares(&value));
    }
});
