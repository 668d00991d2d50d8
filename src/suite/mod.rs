//! The suites: a runtime enum outside, generics inside.

mod address;
mod child;
mod cipher;
mod ed25519;
mod edwards25519;
mod hash;
#[cfg(feature = "libsecp256k1")]
mod libsecp;
#[cfg(test)]
pub(crate) mod official;
mod parts;
mod secp256k1;
mod taproot;
#[cfg(test)]
mod tests;
mod verdict;
mod verify;

use core::fmt::Debug;
use core::ops::{Add, Mul, Neg, Sub};

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

pub use address::Network;
pub(crate) use child::child;
pub(crate) use cipher::ShareCipher;
use ed25519::Ed25519Element;
pub(crate) use ed25519::{Ed25519, Ed25519Scalar};
pub(crate) use parts::parts;
pub(crate) use secp256k1::Secp256k1;
pub(crate) use taproot::Taproot;
pub(crate) use verdict::verdict;
pub use verify::{GroupKey, Signature, SuiteError, VerifyingKey};

/// The group, hash and signature format of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// FROST(Ed25519, SHA-512) of RFC 9591: ordinary Ed25519 signatures, 64 bytes (Solana and others).
    Ed25519,
    /// FROST(secp256k1, SHA-256) of RFC 9591: Schnorr signatures, 65 bytes.
    ///
    /// # Security
    ///
    /// Bitcoin and Ethereum don't take them: nothing that is sent to an address of such a key (P2PKH, P2WPKH, P2TR,
    /// Ethereum) can be spent with it. For Bitcoin take [`Secp256k1Taproot`](Self::Secp256k1Taproot).
    Secp256k1,
    /// BIP-340 signatures, 64 bytes, under the BIP-341 output key of the group's internal key (Bitcoin taproot).
    Secp256k1Taproot,
}

impl Suite {
    /// Every suite.
    pub const ALL: [Self; 3] = [Self::Ed25519, Self::Secp256k1, Self::Secp256k1Taproot];

    /// The byte that stands for the suite in every encoding.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Secp256k1 => 2,
            Self::Secp256k1Taproot => 3,
        }
    }

    /// The suite of that byte.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Ed25519),
            2 => Some(Self::Secp256k1),
            3 => Some(Self::Secp256k1Taproot),
            _ => None,
        }
    }
}

/// An integer modulo the group order. Arithmetic is constant-time unless a name says otherwise.
pub(crate) trait Scalar:
    Copy
    + Debug
    + Eq
    + ConstantTimeEq
    + Zeroize
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    fn from_u64(value: u64) -> Self;
    /// Uniform and not zero.
    fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self;
    /// RFC 9591's `SerializeScalar`: little-endian for ed25519, big-endian for secp256k1.
    fn to_bytes(&self) -> [u8; 32];
    /// The canonical encoding only.
    fn from_bytes(bytes: &[u8; 32]) -> Option<Self>;
    /// The inverse of public data; `None` for zero.
    fn vartime_invert(&self) -> Option<Self>;
}

/// An element of the prime-order group. Multiplication is constant-time unless a name says otherwise.
pub(crate) trait Element:
    Copy
    + Debug
    + Eq
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Neg<Output = Self>
    + Mul<Self::Scalar, Output = Self>
{
    type Scalar: Scalar;
    /// Bytes of an encoding: 32 or 33.
    const LEN: usize;
    const IDENTITY: Self;
    fn generator() -> Self;
    /// `scalar` times the generator, constant-time.
    fn mul_base(scalar: &Self::Scalar) -> Self;
    /// Twice the element, which costs less than adding it to itself.
    fn double(&self) -> Self;
    /// Sum of products over public data only.
    fn vartime_sum_of_products(terms: &[(Self::Scalar, Self)]) -> Self;
    /// `base` times the generator plus a sum of products, over public data only.
    fn vartime_mul_base_add_sum(base: &Self::Scalar, terms: &[(Self::Scalar, Self)]) -> Self {
        Self::vartime_sum_of_products(&[&[(*base, Self::generator())], terms].concat())
    }
    /// `base` times the generator plus `scalar` times the element, over public data only.
    fn vartime_mul_base_add(base: &Self::Scalar, scalar: &Self::Scalar, element: &Self) -> Self;
    fn is_identity(&self) -> bool;
    /// RFC 9591's `SerializeElement`: RFC 8032 or SEC1-compressed. Of the identity it is all zero bytes (COCKTAIL).
    fn to_bytes(&self) -> Vec<u8>;
    /// Each element's [`to_bytes`](Self::to_bytes), with one inversion for all. Constant-time.
    fn batch_to_bytes(elements: &[Self]) -> Vec<Vec<u8>>;
    /// Strict: exact length, canonical, on the curve, in the prime-order subgroup, not the identity.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
    /// [`from_bytes`](Self::from_bytes) of what it has taken before, which costs less. Of other bytes it may be anything.
    fn from_taken_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_bytes(bytes)
    }
    /// [`from_bytes`](Self::from_bytes) of each; `None` if it refuses any of them.
    fn batch_from_bytes(encodings: &[&[u8]]) -> Option<Vec<Self>> {
        encodings.iter().map(|bytes| Self::from_bytes(bytes)).collect()
    }
    /// The sum of each of so many columns, without keeping a decoded point; `None` if [`from_bytes`](Self::from_bytes)
    /// refuses any, or a row has another length.
    fn sums_from_bytes(columns: usize, rows: &[Row<'_>]) -> Option<Vec<Self>> {
        let mut sums = vec![Self::IDENTITY; columns];
        for row in rows {
            if row.summed.len() != columns * Self::LEN {
                return None;
            }
            for (sum, bytes) in sums.iter_mut().zip(row.summed.chunks(Self::LEN)) {
                *sum = *sum + Self::from_bytes(bytes)?;
            }
            Self::batch_from_bytes(&row.others)?;
        }
        Some(sums)
    }
}

/// Encoded points of public data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    /// Those that are summed by columns, one after the other.
    pub(crate) summed: &'a [u8],
    /// Those that are decoded only to see that they are good.
    pub(crate) others: [&'a [u8]; 2],
}

/// The hashes and formats of a suite.
pub(crate) trait Ciphersuite: Copy + Debug + Eq + Send + Sync + 'static {
    const SUITE: Suite;
    type Scalar: Scalar;
    type Element: Element<Scalar = Self::Scalar>;

    // RFC 9591, Section 6. What is hashed is the concatenation of the parts.

    /// H1: a binding factor for each of the last parts, behind the same first ones.
    fn h1_each(prefix: &[&[u8]], last: &[[u8; 32]]) -> Vec<Self::Scalar>;
    /// H3: a nonce.
    fn h3(parts: &[&[u8]]) -> Self::Scalar;
    /// H4: the message.
    fn h4(parts: &[&[u8]]) -> Vec<u8>;
    /// H5: the list of commitments.
    fn h5(parts: &[&[u8]]) -> Vec<u8>;
    /// H2 over encoded commitment, encoded key and message; for taproot BIP-340's tagged hash of the two x-coordinates
    /// and the message.
    fn challenge(commitment: &[u8], key: &[u8], message: &[u8]) -> Self::Scalar;

    /// How the stored key, whose encoding is at hand, becomes the key that signs.
    fn adjust(key: &Self::Element, encoded: &[u8], _root: Option<&[u8; 32]>) -> Adjustment<Self> {
        Adjustment { factor: Self::Scalar::ONE, addend: Self::Scalar::ZERO, key: *key, encoded: encoded.to_vec() }
    }
    /// Whether the signers must use their nonces negated, given the encoded group commitment.
    fn negates_nonces(_commitment: &[u8]) -> bool {
        false
    }
    /// The key that signs, as verifiers know it, from the encoded element.
    fn verifier_key(encoded: &[u8]) -> Vec<u8> {
        encoded.to_vec()
    }
    /// The key of [`verifier_key`](Self::verifier_key), strictly.
    fn decode_key(bytes: &[u8]) -> Option<Self::Element> {
        Self::Element::from_bytes(bytes)
    }
    /// What a verifier's key keeps beside its bytes.
    fn kept(_key: &Self::Element) -> Option<Ed25519Element> {
        None
    }
    /// A signature, as verifiers know it, from the encoded commitment. It begins like a key.
    fn encode_signature(commitment: &[u8], response: &Self::Scalar) -> Vec<u8> {
        let mut bytes = Self::verifier_key(commitment);
        bytes.extend_from_slice(&response.to_bytes());
        bytes
    }
    /// The commitment and the response of a signature, strictly.
    fn decode_signature(bytes: &[u8]) -> Option<(Self::Element, Self::Scalar)> {
        let (response, commitment) = (bytes.last_chunk()?, bytes.get(..bytes.len().checked_sub(32)?)?);
        // In all three suites the commitment looks like a key.
        Some((Self::decode_key(commitment)?, Self::Scalar::from_bytes(response)?))
    }

    /// Whether a signature verifies, by a library for that alone. `None` where none is built in, or where it can't say.
    fn verify_by_library(_key: &[u8], _message: &[u8], _signature: &[u8]) -> Option<bool> {
        None
    }

    // COCKTAIL-DKG v0.2.1, "Ciphersuites" and "Schnorr Signature Scheme". Taproot's is secp256k1's.

    /// The ciphersuite's name in contexts and transcripts.
    const COCKTAIL_ID: &'static str;
    /// H.
    fn hash(parts: &[&[u8]]) -> Vec<u8>;
    /// `HashToScalar(prefix_nonce || parts)`; zero must be refused by the caller.
    fn cocktail_nonce(parts: &[&[u8]]) -> Self::Scalar;
    /// `HashToScalar(prefix_H7 || parts)`.
    fn cocktail_challenge(parts: &[&[u8]]) -> Self::Scalar;
    /// The bytes of a shared point, which is secret and not the identity.
    fn ecdh_encode(point: &Self::Element) -> zeroize::Zeroizing<Vec<u8>>;
    /// H6: the cipher of one share. `ecdh` is the ephemeral-to-static secret followed by the static-to-static one.
    fn share_cipher(ecdh: &[u8], ephemeral: &[u8], sender: &[u8], recipient: &[u8], context: &[u8]) -> ShareCipher;
}

/// `factor * x + addend` of the stored key's secret, or of a share of it, is that of the key that signs.
#[derive(Clone, Debug)]
pub(crate) struct Adjustment<C: Ciphersuite> {
    pub(crate) factor: C::Scalar,
    pub(crate) addend: C::Scalar,
    pub(crate) key: C::Element,
    /// The key's encoding, which every use of it hashes.
    pub(crate) encoded: Vec<u8>,
}

/// Gives a newtype the operators of what it wraps.
macro_rules! delegate_group {
    ($scalar:ident, $element:ident) => {
        delegate_group!(@binary $scalar, Add, add, $scalar);
        delegate_group!(@binary $scalar, Sub, sub, $scalar);
        delegate_group!(@binary $scalar, Mul, mul, $scalar);
        delegate_group!(@binary $element, Add, add, $element);
        delegate_group!(@binary $element, Sub, sub, $element);
        delegate_group!(@binary $element, Mul, mul, $scalar);
        delegate_group!(@unary $scalar);
        delegate_group!(@unary $element);

        impl core::fmt::Debug for $scalar {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("Scalar(..)")
            }
        }

        impl core::fmt::Debug for $element {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("Element(")?;
                super::write_hex(f, &super::Element::to_bytes(self))?;
                f.write_str(")")
            }
        }

        delegate_group!(@equality $scalar);
        delegate_group!(@equality $element);

        impl zeroize::Zeroize for $scalar {
            fn zeroize(&mut self) {
                self.0.zeroize();
            }
        }
    };
    (@binary $left:ident, $operator:ident, $method:ident, $right:ident) => {
        impl core::ops::$operator<$right> for $left {
            type Output = Self;
            fn $method(self, other: $right) -> Self {
                Self(core::ops::$operator::$method(self.0, other.0))
            }
        }
    };
    (@equality $name:ident) => {
        impl subtle::ConstantTimeEq for $name {
            fn ct_eq(&self, other: &Self) -> subtle::Choice {
                self.0.ct_eq(&other.0)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                super::verdict(subtle::ConstantTimeEq::ct_eq(self, other))
            }
        }

        impl Eq for $name {}
    };
    (@unary $name:ident) => {
        impl core::ops::Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(-self.0)
            }
        }
    };
}
use delegate_group;

/// Evaluates an expression with the type of a runtime suite.
macro_rules! with_suite {
    ($suite:expr, $C:ident => $body:expr) => {
        match $suite {
            $crate::suite::Suite::Ed25519 => {
                type $C = $crate::suite::Ed25519;
                $body
            }
            $crate::suite::Suite::Secp256k1 => {
                type $C = $crate::suite::Secp256k1;
                $body
            }
            $crate::suite::Suite::Secp256k1Taproot => {
                type $C = $crate::suite::Taproot;
                $body
            }
        }
    };
}
pub(crate) use with_suite;

/// Writes bytes in lower-case hex.
pub(crate) fn write_hex(f: &mut core::fmt::Formatter<'_>, bytes: &[u8]) -> core::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// COCKTAIL's 64-bit little-endian length.
fn len_le(bytes: &[u8]) -> [u8; 8] {
    u64::try_from(bytes.len()).expect("a usize has at most 64 bits").to_le_bytes()
}
