//! Invitations: no bytes panic, and what is accepted has one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorumkey::Invitation;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = Invitation::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes);
        let _ = (value.fingerprint(), value.threshold(), value.template(), value.key(), value.run_id());
    }
});
