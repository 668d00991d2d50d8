//! The run that puts a key together again, in one member's hands: the dangerous door out.
//!
//! Members consent, each with a key made for this run; only then their shares are sealed to the one that gets the key;
//! and it says that it has it, or who sent a wrong share.

mod rounds;
mod said;

#[cfg(feature = "hazmat")]
pub(crate) use rounds::combine;
pub(crate) use rounds::{ReconstructSetup, start};
pub(crate) use said::judge;
