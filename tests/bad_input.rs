//! Bad input of every kind, through the public doors: a typed error, never a panic, and the state of before goes on.
#![allow(unreachable_pub, reason = "modules of one program")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

mod common;

#[path = "bad_input/acts.rs"]
mod acts;
#[path = "bad_input/bytes.rs"]
mod bytes;
#[path = "bad_input/failing.rs"]
mod failing;
#[path = "bad_input/forged.rs"]
mod forged;
#[path = "bad_input/scenes.rs"]
mod scenes;
#[path = "bad_input/steps.rs"]
mod steps;
#[path = "bad_input/storage.rs"]
mod storage;
