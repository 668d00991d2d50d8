//! A token's storage: whatever its records hold, opening it and logging in end in an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quorumkey::KeyStore;
use quorumkey_fuzz::{PIN, contents, storage};

fuzz_target!(|bytes: &[u8]| {
    let Some((which, patch)) = bytes.split_first() else { return };
    let mut contents = contents();
    let records = contents.len();
    let (key, value) = &mut contents[usize::from(*which) % records];
    let header = key == b"h";
    *value = patch.to_vec();
    if let Ok(store) = KeyStore::open_in(storage(&contents)) {
        let _ = store.info();
        // A header may ask for as much memory as the library allows, which is more than a fuzzer has.
        if !header {
            let _ = store.login(&PIN);
        }
    }
});
