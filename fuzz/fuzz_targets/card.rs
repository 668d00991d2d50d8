//! Cards: no bytes panic, and what is accepted has one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorumkey::Card;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = Card::from_bytes(bytes) {
        assert_eq!(value.to_bytes(), bytes);
        let _ = (value.id(), value.label());
    }
});
