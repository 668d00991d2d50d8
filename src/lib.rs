//! quorumkey

mod keystore;
mod protocol;
mod secret;
mod suite;
mod wire;

pub use suite::Suite;
pub use wire::Identifier;
