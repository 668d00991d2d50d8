//! Keys and signatures as the world sees them.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use super::{Adjustment, Ciphersuite, Ed25519Element, Element, Suite, with_suite, write_hex};
use crate::guard::holds;

/// Why a key or a signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SuiteError {
    /// The bytes are no key of the suite: their length, a second encoding, not on the curve, or of small order.
    MalformedKey,
    /// The bytes are no signature of the suite: their length, a second encoding, or not on the curve.
    MalformedSignature,
    /// The key and the signature are of different suites.
    OtherSuite,
    /// The signature is not one of the message under the key.
    Unverified,
}

impl fmt::Display for SuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MalformedKey => "malformed key",
            Self::MalformedSignature => "malformed signature",
            Self::OtherSuite => "the key and the signature are of different suites",
            Self::Unverified => "the signature is not one of this message under this key",
        })
    }
}

impl core::error::Error for SuiteError {}

/// The key that a group holds together, in full encoding: 32 bytes for ed25519, 33 for the others.
///
/// For taproot it is BIP-341's internal key with the parity of its y-coordinate. It never signs itself; what does is
/// the output key that [`verifying_key`](Self::verifying_key) gives.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    suite: Suite,
    bytes: Vec<u8>,
}

impl GroupKey {
    /// The key with that encoding.
    ///
    /// # Errors
    /// [`SuiteError::MalformedKey`] for anything but the one encoding of an element of the prime-order group other
    /// than the identity.
    pub fn from_bytes(suite: Suite, bytes: &[u8]) -> Result<Self, SuiteError> {
        with_suite!(suite, C => <C as Ciphersuite>::Element::from_bytes(bytes).map(|key| Self::new::<C>(&key)))
            .ok_or(SuiteError::MalformedKey)
    }

    pub(crate) fn new<C: Ciphersuite>(key: &C::Element) -> Self {
        Self { suite: C::SUITE, bytes: key.to_bytes() }
    }

    /// The element, or `None` when the key is of another suite.
    pub(crate) fn element<C: Ciphersuite>(&self) -> Option<C::Element> {
        if self.suite == C::SUITE { C::Element::from_taken_bytes(&self.bytes) } else { None }
    }

    /// The suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key that verifies the group's signatures.
    ///
    /// For taproot it is BIP-341's output key with the root of a script tree, or, without one, with the tweak that no
    /// script can spend. The other suites sign with the group's key as it is, and ignore the root.
    pub fn verifying_key(&self, merkle_root: Option<&[u8; 32]>) -> VerifyingKey {
        with_suite!(self.suite, C => {
            let key = self.element::<C>().expect("the bytes are those of an element since the key was made");
            VerifyingKey::new(&C::adjust(&key, &self.bytes, merkle_root))
        })
    }
}

/// The key that verifiers know: 32 bytes for ed25519 (RFC 8032), 33 for secp256k1 (SEC 1, compressed), 32 for taproot
/// (BIP-340's x-coordinate).
///
/// ```
/// use quorumkey::{Signature, Suite, SuiteError, VerifyingKey};
///
/// // BIP-340, test vector 0.
/// let hex = |text: &str| -> Vec<u8> {
///     (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
/// };
/// let key = hex("F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9");
/// let signature = hex(
///     "E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA8215\
///      25F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0",
/// );
/// let key = VerifyingKey::from_bytes(Suite::Secp256k1Taproot, &key)?;
/// let signature = Signature::from_bytes(Suite::Secp256k1Taproot, &signature)?;
/// assert_eq!(key.verify(&[0; 32], &signature), Ok(()));
/// assert_eq!(key.verify(&[1; 32], &signature), Err(SuiteError::Unverified));
/// # Ok::<(), SuiteError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifyingKey {
    suite: Suite,
    bytes: Vec<u8>,
    decoded: Decoded,
}

/// The element of an ed25519 key, which costs a tenth of a verification to decode. Keys are told apart by their bytes.
#[derive(Clone, Copy)]
struct Decoded(Option<Ed25519Element>);

impl PartialEq for Decoded {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Decoded {}

impl PartialOrd for Decoded {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decoded {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Hash for Decoded {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl VerifyingKey {
    /// The key with that encoding.
    ///
    /// # Errors
    /// [`SuiteError::MalformedKey`] for a wrong length, a second encoding, what is not on the curve, and small order.
    pub fn from_bytes(suite: Suite, bytes: &[u8]) -> Result<Self, SuiteError> {
        let decoded = with_suite!(suite, C => C::decode_key(bytes).map(|key| C::kept(&key)));
        let decoded = Decoded(decoded.ok_or(SuiteError::MalformedKey)?);
        Ok(Self { suite, bytes: bytes.to_vec(), decoded })
    }

    pub(crate) fn new<C: Ciphersuite>(adjustment: &Adjustment<C>) -> Self {
        let decoded = Decoded(C::kept(&adjustment.key));
        Self { suite: C::SUITE, bytes: C::verifier_key(&adjustment.encoded), decoded }
    }

    /// The suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Verifies a signature over a message of any length.
    ///
    /// Strict: one encoding of each signature, no small order, and for ed25519 without the cofactor.
    ///
    /// # Errors
    /// [`SuiteError::Unverified`] when it does not verify, [`SuiteError::OtherSuite`] when it cannot.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SuiteError> {
        if signature.suite != self.suite {
            return Err(SuiteError::OtherSuite);
        }
        if let Decoded(Some(key)) = &self.decoded {
            let verified = key.verifies(&self.bytes, message, &signature.bytes);
            return if verified { Ok(()) } else { Err(SuiteError::Unverified) };
        }
        with_suite!(self.suite, C => verify::<C>(&self.bytes, message, &signature.bytes))
    }
}

/// A signature: 64 bytes for ed25519 (RFC 8032), 65 for secp256k1 (RFC 9591), 64 for taproot (BIP-340).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    suite: Suite,
    bytes: Vec<u8>,
}

impl Signature {
    /// The signature with that encoding.
    ///
    /// # Errors
    /// [`SuiteError::MalformedSignature`] for a wrong length, a second encoding, what is not on the curve, small order.
    pub fn from_bytes(suite: Suite, bytes: &[u8]) -> Result<Self, SuiteError> {
        with_suite!(suite, C => C::decode_signature(bytes).map(|_| ())).ok_or(SuiteError::MalformedSignature)?;
        Ok(Self { suite, bytes: bytes.to_vec() })
    }

    pub(crate) fn new<C: Ciphersuite>(commitment: &[u8], response: &C::Scalar) -> Self {
        Self { suite: C::SUITE, bytes: C::encode_signature(commitment, response) }
    }

    /// The suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn verify<C: Ciphersuite>(encoded: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SuiteError> {
    match C::verify_by_library(encoded, message, signature) {
        Some(true) => Ok(()),
        Some(false) => Err(SuiteError::Unverified),
        None => verify_natively::<C>(encoded, message, signature),
    }
}

pub(super) fn verify_natively<C: Ciphersuite>(
    encoded: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SuiteError> {
    let key = C::decode_key(encoded).ok_or(SuiteError::MalformedKey)?;
    let (commitment, response) = C::decode_signature(signature).ok_or(SuiteError::MalformedSignature)?;
    let (head, _) = signature.split_last_chunk::<32>().ok_or(SuiteError::MalformedSignature)?;
    // RFC 8032, Section 5.1.7, without the cofactor; RFC 9591, Section 6.5; BIP-340, "Verification", where a commitment
    // that is decoded has an even y-coordinate, so that equality is the check of both its parity and x-coordinate.
    // The key is negated, not the challenge: on a torsion component the order of the subgroup does not act as zero.
    let challenge = C::challenge(head, encoded, message);
    let expected = C::Element::vartime_mul_base_add(&response, &challenge, &-key);
    if holds!(SignatureVerifies, expected == commitment) { Ok(()) } else { Err(SuiteError::Unverified) }
}

/// Shown in hex.
macro_rules! show {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?}, {self})", stringify!($name), self.suite)
            }
        }
    )*};
}
show!(GroupKey, VerifyingKey, Signature);
