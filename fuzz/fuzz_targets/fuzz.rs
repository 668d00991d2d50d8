//! The target of `quorumkey::hazmat::fuzz` whose name is in `QUORUMKEY_TARGET`. A program for each would hold the whole
//! library each, and be linked anew each.
#![no_main]

use std::sync::LazyLock;

use quorumkey::hazmat::fuzz::{planted, run};

static TARGET: LazyLock<String> =
    LazyLock::new(|| std::env::var("QUORUMKEY_TARGET").expect("QUORUMKEY_TARGET names a target"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match TARGET.as_str() {
    "planted" => planted(bytes),
    target => run(target, bytes),
});
