//! What users log in with.

use core::fmt;

use crate::secret::Secret;

/// The fewest characters of a PIN.
const MIN_CHARACTERS: usize = 6;
/// The most bytes of a PIN.
const MAX_BYTES: usize = 1024;

/// What a user proves itself with: 6 characters to 1,024 bytes, wiped when dropped.
///
/// # Security
///
/// A token in a file counts the wrong tries of whoever asks it, not of whoever copied the file: a copy can be guessed
/// at any speed that the cost allows, and six digits fall in a day. Ask people for a passphrase of several words; a
/// short PIN is for a token whose root key a device holds.
///
/// The bytes are taken as they are: an application that reads text normalises it itself.
pub struct Pin(Secret<Vec<u8>>);

/// The PIN is shorter or longer than a PIN may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinError {
    /// Fewer than 6 characters.
    TooShort,
    /// More than 1,024 bytes.
    TooLong,
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "a PIN has at least 6 characters",
            Self::TooLong => "a PIN has at most 1024 bytes",
        })
    }
}

impl core::error::Error for PinError {}

impl Pin {
    /// The PIN of that text.
    ///
    /// ```
    /// use quorumkey::Pin;
    /// assert!(Pin::new("correct horse battery staple").is_ok());
    /// assert!(Pin::new("12345").is_err());
    /// ```
    pub fn new(text: &str) -> Result<Self, PinError> {
        Self::bounded(text.as_bytes(), text.chars().count())
    }

    /// The PIN of those bytes, each of which counts as a character.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PinError> {
        Self::bounded(bytes, bytes.len())
    }

    fn bounded(bytes: &[u8], characters: usize) -> Result<Self, PinError> {
        if characters < MIN_CHARACTERS {
            return Err(PinError::TooShort);
        }
        if bytes.len() > MAX_BYTES {
            return Err(PinError::TooLong);
        }
        Ok(Self(Secret::new(bytes.to_vec())))
    }

    /// The bytes, for the key derivation.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_bounded_below_in_characters_and_above_in_bytes() {
        assert_eq!(Pin::new("ééééé").unwrap_err(), PinError::TooShort);
        assert_eq!(Pin::new("éééééé").unwrap().expose().len(), 12);
        assert_eq!(Pin::from_bytes(&[0; 5]).unwrap_err(), PinError::TooShort);
        assert!(Pin::from_bytes(&[7; MAX_BYTES]).is_ok());
        assert_eq!(Pin::from_bytes(&[7; MAX_BYTES + 1]).unwrap_err(), PinError::TooLong);
    }

    #[test]
    fn debug_shows_nothing_of_a_pin() {
        assert_eq!(format!("{:?}", Pin::new("secret words").unwrap()), "Pin(..)");
    }
}
