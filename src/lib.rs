//! quorumkey

mod keystore;
mod protocol;
mod secret;
mod suite;
mod wire;

pub use suite::{GroupKey, Signature, Suite, SuiteError, VerifyingKey};
pub use wire::Identifier;
