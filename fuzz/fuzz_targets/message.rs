//! Messages: no bytes panic, and what is accepted has one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorumkey::Message;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = Message::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes);
        let _ = (value.run_id(), value.sender(), value.round());
    }
});
