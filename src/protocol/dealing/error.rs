//! What can go wrong, and whose fault it is.

use core::fmt;

use crate::wire::{DecodeError, Identifier};

/// The check that a dealer's message did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misdeal {
    /// Not exactly as many commitment points as the threshold, or ciphertexts as receivers.
    Length,
    /// The constant term is not the one that the ceremony fixes for this dealer.
    Constant,
    /// The proof of possession of the constant term.
    Proof,
    /// The ciphertext does not open under the key that both sides derive.
    Decryption,
    /// The plaintext does not begin with a canonical scalar.
    NonCanonical,
    /// The share is not the value of the committed polynomial.
    Share,
    /// Of one who deals alone: the share of some receiver is zero.
    Zero,
}

impl fmt::Display for Misdeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a wrong number of commitment points or ciphertexts",
            Self::Constant => "a constant term other than the one agreed",
            Self::Proof => "an invalid proof of possession",
            Self::Decryption => "a ciphertext that does not open",
            Self::NonCanonical => "a share that is not a canonical scalar",
            Self::Share => "a share that contradicts its commitment",
            Self::Zero => "a share that is zero",
        })
    }
}

/// Why a step of a dealing could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DealingError {
    /// The ceremony breaks a rule of its setup.
    Setup(&'static str),
    /// The identifier has no part in this role.
    NotAMember(Identifier),
    /// The run key is not the one that the ceremony lists for its holder.
    RunKey,
    /// The caller's constant term is missing, uncalled for, or not the one that the ceremony fixes.
    Constant,
    /// The payload is longer than a ciphertext may be.
    Payload,
    /// A nonce came out as zero (COCKTAIL-DKG, "Schnorr Sign Algorithm", step 3): the run is dead.
    Nonce,
    /// Not exactly one message for each dealer.
    Dealers,
    /// A dealer's fault.
    Misdeal(Identifier, Misdeal),
    /// The bytes are not what they should be.
    Decode(DecodeError),
    /// The transcript's signature of the signatory with this position does not verify.
    #[cfg(any(test, feature = "hazmat"))]
    Signature(usize),
    /// The group key would be the identity.
    IdentityKey,
    /// The summed share or the verifying shares contradict the group key.
    Inconsistent,
}

impl fmt::Display for DealingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(rule) => write!(f, "the ceremony is refused: {rule}"),
            Self::NotAMember(id) => write!(f, "{id} has no part in this"),
            Self::RunKey => f.write_str("the run key is not the one listed"),
            Self::Constant => f.write_str("the constant term is not the one agreed"),
            Self::Payload => f.write_str("the payload is too long"),
            Self::Nonce => f.write_str("a nonce is zero"),
            Self::Dealers => f.write_str("there is not one message for each dealer"),
            Self::Misdeal(id, misdeal) => write!(f, "{id} sent {misdeal}"),
            Self::Decode(error) => error.fmt(f),
            #[cfg(any(test, feature = "hazmat"))]
            Self::Signature(position) => write!(f, "signature {position} of the transcript is invalid"),
            Self::IdentityKey => f.write_str("the group key is the identity"),
            Self::Inconsistent => f.write_str("the shares contradict the group key"),
        }
    }
}

impl core::error::Error for DealingError {}

impl From<DecodeError> for DealingError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}
