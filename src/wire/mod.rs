//! What travels: identifiers and the strict codec.

mod codec;
mod identifier;

pub use codec::DecodeError;
pub(crate) use codec::{Reader, Writer};
pub use identifier::Identifier;
