//! To whom a backup is sealed.

use core::fmt;
use core::str::FromStr;

use age::x25519;
use curve25519_dalek::MontgomeryPoint;

use super::{DEFAULT_WORK_FACTOR, MAX_WORK_FACTOR, MIN_WORK_FACTOR, WrapError};
use crate::guard::holds;
use crate::secret::Secret;

/// To whom a backup is sealed: whoever knows a passphrase, or whoever holds the secret half of an X25519 key.
///
/// ```
/// use quorumkey::wrap::Recipient;
///
/// let offline = Recipient::x25519("age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa")?;
/// let words = Recipient::passphrase("armadillo quarry lantern violet tundra mosaic");
/// # let _ = (offline, words);
/// # Ok::<(), quorumkey::wrap::WrapError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Recipient {
    /// Whoever knows the passphrase.
    Passphrase(Passphrase),
    /// Whoever holds the identity of this public key.
    X25519(PublicKey),
}

impl Recipient {
    /// Whoever knows `words`, with [`DEFAULT_WORK_FACTOR`].
    ///
    /// # Security
    ///
    /// A copy of the file can be guessed at without limit, so the words need some 70 bits or more, such as six drawn by
    /// dice. They are used byte for byte: no Unicode normalisation, no trimming. Empty words, and control characters,
    /// which the `age` command could not be given at its prompt, are refused when something is sealed.
    pub fn passphrase(words: &str) -> Self {
        Self::Passphrase(Passphrase::new(words, DEFAULT_WORK_FACTOR))
    }

    /// Whoever knows `words`; guessing one takes scrypt with N = 2^`work_factor`, r = 8, p = 1.
    ///
    /// # Errors
    ///
    /// [`WrapError::Recipient`] if the work factor is not within [`MIN_WORK_FACTOR`] ..= [`MAX_WORK_FACTOR`].
    pub fn passphrase_with_work_factor(words: &str, work_factor: u8) -> Result<Self, WrapError> {
        Passphrase::with_floor(words, work_factor, MIN_WORK_FACTOR).map(Self::Passphrase)
    }

    /// Whoever holds the identity of this public key, a text that starts with `age1`.
    ///
    /// # Errors
    ///
    /// [`WrapError::Recipient`] for any other text, and for points of small order: what is sealed to one, all can open.
    pub fn x25519(text: &str) -> Result<Self, WrapError> {
        text.parse().map(Self::X25519)
    }
}

/// A passphrase and what guessing it costs.
pub struct Passphrase {
    words: Secret<String>,
    work_factor: u8,
}

impl Passphrase {
    pub(super) fn new(words: &str, work_factor: u8) -> Self {
        Self { words: Secret::new(words.to_owned()), work_factor }
    }

    pub(super) fn with_floor(words: &str, work_factor: u8, floor: u8) -> Result<Self, WrapError> {
        if holds!(WorkFactorBounded, (floor..=MAX_WORK_FACTOR).contains(&work_factor)) {
            Ok(Self::new(words, work_factor))
        } else {
            Err(WrapError::Recipient)
        }
    }

    /// log2 of scrypt's N.
    pub fn work_factor(&self) -> u8 {
        self.work_factor
    }

    pub(super) fn to_age(&self) -> Result<age::scrypt::Recipient, WrapError> {
        let words = self.words.expose();
        if words.is_empty() || words.chars().any(char::is_control) {
            return Err(WrapError::Recipient);
        }
        let mut recipient = age::scrypt::Recipient::new(words.clone().into());
        recipient.set_work_factor(self.work_factor);
        Ok(recipient)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passphrase").field("work_factor", &self.work_factor).finish_non_exhaustive()
    }
}

/// An age X25519 public key: in canonical text, and not of small order.
#[derive(Clone, Debug)]
pub struct PublicKey(x25519::Recipient);

impl PublicKey {
    /// Never of small order: it is a clamped scalar times the base point.
    pub(super) fn of_identity(identity: &x25519::Identity) -> Self {
        Self(identity.to_public())
    }

    fn new(key: x25519::Recipient) -> Result<Self, WrapError> {
        let (_, bytes) = bech32::decode(&key.to_string()).map_err(|_| WrapError::Recipient)?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| WrapError::Recipient)?;
        // Any clamped scalar is a multiple of the cofactor: it takes exactly the points of small order, of the curve and
        // of its twist, to zero. The age crate would panic when it seals to one of these.
        if MontgomeryPoint(bytes).mul_clamped([0; 32]) == MontgomeryPoint([0; 32]) {
            return Err(WrapError::Recipient);
        }
        Ok(Self(key))
    }

    pub(super) fn as_age(&self) -> &x25519::Recipient {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = WrapError;

    fn from_str(text: &str) -> Result<Self, WrapError> {
        let key: x25519::Recipient = text.parse().map_err(|_| WrapError::Recipient)?;
        // Bech32 may be written in capitals as well: one encoding only.
        if key.to_string() == text { Self::new(key) } else { Err(WrapError::Recipient) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for PublicKey {}

#[cfg(test)]
mod tests {
    use bech32::{Bech32, Hrp};

    use super::*;

    const TEXT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    fn encoded(point: [u8; 32]) -> String {
        bech32::encode::<Bech32>(Hrp::parse("age").unwrap(), &point).unwrap()
    }

    #[test]
    fn a_public_key_is_shown_as_it_was_read() {
        let read: PublicKey = TEXT.parse().unwrap();
        assert_eq!(read.to_string(), TEXT);
        let mut other = [0; 32];
        other[0] = 9;
        assert!(read == TEXT.parse().unwrap() && read != encoded(other).parse().unwrap());
    }

    #[test]
    fn a_passphrase_costs_what_it_was_asked_to() {
        let factor = |recipient| match recipient {
            Recipient::Passphrase(words) => words.work_factor(),
            Recipient::X25519(_) => 0,
        };
        assert_eq!(factor(Recipient::passphrase("six words")), DEFAULT_WORK_FACTOR);
        for asked in [MIN_WORK_FACTOR, MAX_WORK_FACTOR] {
            assert_eq!(factor(Recipient::passphrase_with_work_factor("six words", asked).unwrap()), asked);
        }
        for asked in [MIN_WORK_FACTOR - 1, MAX_WORK_FACTOR + 1] {
            assert!(Recipient::passphrase_with_work_factor("six words", asked).is_err());
        }
    }

    #[test]
    fn other_texts_are_no_recipient() {
        let mistyped = TEXT.replace("t7rx", "t7ry");
        let capitals = TEXT.to_uppercase();
        let longer = format!("{TEXT} ");
        for text in ["", "age1", "age", TEXT.get(..61).unwrap(), &mistyped, &capitals, &longer, "AGE-SECRET-KEY-1", "é"]
        {
            assert_eq!(text.parse::<PublicKey>(), Err(WrapError::Recipient), "{text}");
        }
    }

    #[test]
    fn points_of_small_order_are_no_recipient() {
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        let mut one = [0; 32];
        one[0] = 1;
        // Of order 8, from RFC 7748's security considerations.
        let order_8 = [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
            0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ];
        for point in [[0; 32], one, minus_one, order_8] {
            assert_eq!(encoded(point).parse::<PublicKey>(), Err(WrapError::Recipient), "{point:02x?}");
        }
        let mut base = [0; 32];
        base[0] = 9;
        assert!(encoded(base).parse::<PublicKey>().is_ok());
    }

    #[test]
    fn a_work_factor_out_of_bounds_is_refused() {
        for work_factor in [0, 1, MIN_WORK_FACTOR - 1, MAX_WORK_FACTOR + 1, 63, 64, 255] {
            assert!(Recipient::passphrase_with_work_factor("words", work_factor).is_err(), "{work_factor}");
        }
        for work_factor in MIN_WORK_FACTOR..=MAX_WORK_FACTOR {
            assert!(Recipient::passphrase_with_work_factor("words", work_factor).is_ok(), "{work_factor}");
        }
    }

    #[test]
    fn debug_does_not_show_the_words() {
        let shown = format!("{:?}", Recipient::passphrase("correct horse"));
        assert!(!shown.contains("correct") && !shown.contains("horse"), "{shown}");
    }
}
