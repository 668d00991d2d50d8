//! Who opens a backup.

use core::fmt;
use core::str::FromStr;

use age::secrecy::{ExposeSecret, SecretString};
use age::x25519;
use bech32::{Bech32, Hrp};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::recipient::{PublicKey, Recipient};
use super::{MAX_WORK_FACTOR, WrapError};
use crate::suite::verdict;

/// What opens a backup: a passphrase, or the secret half of an X25519 key.
///
/// Not `Clone`; what it holds is wiped when it goes, and not shown by `Debug`.
///
/// ```
/// use quorumkey::wrap::Identity;
///
/// let Identity::X25519(offline) = Identity::generate() else { unreachable!() };
/// // On paper, in the safe; the `age` command reads it with `-i`.
/// let text = offline.to_text();
/// assert!(text.starts_with("AGE-SECRET-KEY-1"));
/// // What devices need to make backups.
/// assert!(offline.public_key().to_string().starts_with("age1"));
/// assert!(Identity::x25519(&text).is_ok());
/// ```
#[non_exhaustive]
pub enum Identity {
    /// The passphrase of a file that was sealed to one.
    Passphrase(SecretWords),
    /// An age X25519 secret key.
    X25519(SecretKey),
}

impl Identity {
    /// The passphrase, byte for byte as it was given when the backup was sealed.
    pub fn passphrase(words: &str) -> Self {
        Self::Passphrase(SecretWords(words.to_owned().into()))
    }

    /// An X25519 secret key, a text that starts with `AGE-SECRET-KEY-1`.
    ///
    /// # Errors
    ///
    /// [`WrapError::Identity`] for any other text.
    pub fn x25519(text: &str) -> Result<Self, WrapError> {
        text.parse().map(Self::X25519)
    }

    /// A new X25519 secret key from the operating system's randomness.
    pub fn generate() -> Self {
        Self::X25519(SecretKey(Box::new(x25519::Identity::generate())))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Passphrase(..)",
            Self::X25519(_) => "X25519(..)",
        })
    }
}

/// A passphrase that opens a file.
pub struct SecretWords(SecretString);

impl SecretWords {
    pub(super) fn to_age(&self) -> age::scrypt::Identity {
        let mut identity = age::scrypt::Identity::new(self.0.clone());
        identity.set_max_work_factor(MAX_WORK_FACTOR);
        identity
    }
}

impl fmt::Debug for SecretWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretWords(..)")
    }
}

/// An age X25519 secret key.
pub struct SecretKey(Box<x25519::Identity>);

impl SecretKey {
    /// The key of these 32 bytes, as X25519 takes them (RFC 7748, Section 5).
    ///
    /// # Errors
    ///
    /// [`WrapError::Identity`], which no 32 bytes are known to give.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, WrapError> {
        let hrp = Hrp::parse("age-secret-key-").map_err(|_| WrapError::Identity)?;
        let text = Zeroizing::new(bech32::encode_upper::<Bech32>(hrp, bytes).map_err(|_| WrapError::Identity)?);
        text.parse()
    }

    /// The text that the `age` command reads with `-i`, one line: `AGE-SECRET-KEY-1…`.
    ///
    /// # Security
    ///
    /// Who reads it opens all that was sealed to [`Self::public_key`].
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string().expose_secret().to_owned())
    }

    /// What to seal to, so that this key opens it.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of_identity(&self.0)
    }

    /// [`Self::public_key`] as a recipient.
    pub fn recipient(&self) -> Recipient {
        Recipient::X25519(self.public_key())
    }

    /// For who watches what becomes of it.
    #[cfg(feature = "hazmat")]
    pub(crate) fn secret_mut(&mut self) -> &mut x25519::Identity {
        &mut self.0
    }

    pub(super) fn as_age(&self) -> &x25519::Identity {
        &self.0
    }
}

impl FromStr for SecretKey {
    type Err = WrapError;

    fn from_str(text: &str) -> Result<Self, WrapError> {
        let key: x25519::Identity = text.parse().map_err(|_| WrapError::Identity)?;
        let key = Self(Box::new(key));
        // Bech32 may be written in small letters as well: one encoding only.
        if verdict(key.to_text().as_bytes().ct_eq(text.as_bytes())) { Ok(key) } else { Err(WrapError::Identity) }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

    #[test]
    fn a_secret_key_has_the_public_key_that_age_gives_it() {
        // The pair of the age crate's own tests.
        let key: SecretKey = TEXT.parse().unwrap();
        assert_eq!(*key.to_text(), TEXT);
        assert_eq!(key.public_key().to_string(), "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa");
    }

    #[test]
    fn a_secret_key_of_bytes_is_the_one_of_rfc_7748() {
        // RFC 7748, Section 6.1: Alice's key pair.
        let secret = [
            0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c,
            0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a,
        ];
        let public = [
            0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf,
            0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a,
        ];
        let (_, bytes) = bech32::decode(&SecretKey::from_bytes(&secret).unwrap().public_key().to_string()).unwrap();
        assert_eq!(bytes, public);
    }

    #[test]
    fn other_texts_are_no_identity() {
        let small = TEXT.to_lowercase();
        let mistyped = TEXT.replace("GQ9", "GQ8");
        let longer = format!("{TEXT}\n");
        let public = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
        for text in ["", TEXT.get(1..).unwrap(), &small, &mistyped, &longer, public] {
            assert_eq!(Identity::x25519(text).err(), Some(WrapError::Identity), "{text}");
        }
    }

    #[test]
    fn debug_shows_neither_words_nor_key() {
        assert_eq!(format!("{:?}", Identity::passphrase("correct horse")), "Passphrase(..)");
        assert_eq!(format!("{:?}", Identity::x25519(TEXT).unwrap()), "X25519(..)");
    }
}
