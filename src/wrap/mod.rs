//! Backups in the age format: to whom they are sealed, who opens them, and the files themselves.
//!
//! A wrapped secret is an ordinary binary age file (<https://age-encryption.org/v1>), so the `age` command opens it on a
//! day when this library is gone. Armored (PEM-like) files are not read: one encoding only.

mod file;
mod identity;
mod recipient;
mod stream;

use core::fmt;

pub use file::{MAX_FILE_LENGTH, WrappedIdentity, WrappedShare};
pub(crate) use file::{open, seal};
pub use identity::{Identity, SecretKey, SecretWords};
pub use recipient::{Passphrase, PublicKey, Recipient};

/// log2 of scrypt's N for a passphrase, if nothing else is asked for: 256 MiB, and about a second.
///
/// It is what the `age` command uses too.
pub const DEFAULT_WORK_FACTOR: u8 = 18;

/// The least work factor that a passphrase is wrapped with: 32 MiB, a tenth or two of a second.
pub const MIN_WORK_FACTOR: u8 = 15;

/// The largest work factor that is written or read: 1 GiB, some four seconds. A file that asks for more is refused
/// before any work is done for it.
pub const MAX_WORK_FACTOR: u8 = 20;

/// Why something was not wrapped or unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrapError {
    /// The file does not open with this identity. A wrong key, a changed byte and a file that never was one look the same.
    Unwrap,
    /// Nothing can be sealed to this: a text that is no age X25519 recipient, a passphrase that could not be typed into
    /// the `age` command, or a work factor out of bounds.
    Recipient,
    /// The text is not an age X25519 identity.
    Identity,
    /// More bytes than a backup can have.
    TooLarge,
}

impl fmt::Display for WrapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unwrap => "the file does not open with this identity",
            Self::Recipient => "not a recipient that a backup can be sealed to",
            Self::Identity => "not an age X25519 identity",
            Self::TooLarge => "too large for a backup",
        })
    }
}

impl core::error::Error for WrapError {}

/// The inner doors of this floor, for tests, fuzzing and benches.
#[cfg(feature = "hazmat")]
pub mod hazmat {
    use zeroize::Zeroizing;

    use super::{Identity, Passphrase, Recipient, WrapError};

    /// Seals any bytes into an age file.
    pub fn seal(plaintext: &[u8], to: &Recipient) -> Result<Vec<u8>, WrapError> {
        super::seal(plaintext, to)
    }

    /// Opens an age file.
    pub fn open(file: &[u8], with: &Identity) -> Result<Zeroizing<Vec<u8>>, WrapError> {
        super::open(file, with)
    }

    /// A passphrase with a work factor below the floor, so that a test needs no seconds.
    pub fn cheap_passphrase(words: &str, work_factor: u8) -> Result<Recipient, WrapError> {
        Passphrase::with_floor(words, work_factor, 1).map(Recipient::Passphrase)
    }
}
