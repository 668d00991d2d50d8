//! The suites: a runtime enum outside, generics inside.

use core::fmt::Debug;
use core::ops::{Add, Mul, Neg, Sub};

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// The group, hash and signature format of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// FROST(Ed25519, SHA-512) of RFC 9591: ordinary Ed25519 signatures, 64 bytes (Solana and others).
    Ed25519,
    /// FROST(secp256k1, SHA-256) of RFC 9591: Schnorr signatures, 65 bytes.
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
    /// `None` for zero.
    fn invert(&self) -> Option<Self>;
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
    /// Sum of products over public data only.
    fn vartime_sum_of_products(terms: &[(Self::Scalar, Self)]) -> Self;
    fn is_identity(&self) -> bool;
    /// RFC 9591's `SerializeElement`: RFC 8032 or SEC1-compressed. Of the identity it is all zero bytes (COCKTAIL).
    fn to_bytes(&self) -> Vec<u8>;
    /// Strict: exact length, canonical, on the curve, in the prime-order subgroup, not the identity.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}
