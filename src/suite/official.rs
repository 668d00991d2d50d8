//! Where tests find published vectors.

use std::io::Write as _;
use std::path::Path;

/// The bytes of some hex.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0, "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// A file of the folder that `QUORUMKEY_VECTORS` names. Without one it says so and there is nothing to check.
pub(crate) fn official(path: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("QUORUMKEY_VECTORS") else {
        // Not by `eprintln`: what a test that passes prints is not shown.
        let _ = writeln!(std::io::stderr(), "not checked: {path}; QUORUMKEY_VECTORS is not set");
        return None;
    };
    Some(std::fs::read_to_string(Path::new(&folder).join(path)).unwrap())
}

/// The same, as JSON.
pub(crate) fn official_json(path: &str) -> Option<serde_json::Value> {
    official(path).map(|text| serde_json::from_str(&text).unwrap())
}
