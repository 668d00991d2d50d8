//! FROST(Ed25519, SHA-512) and COCKTAIL(Ed25519, SHA-512).

use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::{Scalar as DalekScalar, clamp_integer};
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use group::Group;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::hash::{sha512, sha512_each};
use super::torsion::{are_torsion_free, is_torsion_free};
use super::{Ciphersuite, Element, Scalar, ShareCipher, Suite, delegate_group, verdict};
use crate::guard::{forbids, holds};

/// RFC 9591, Section 6.1
const CONTEXT: &[u8] = b"FROST-ED25519-SHA512-v1";

/// The suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ed25519;

/// An integer modulo the order of the prime-order subgroup.
#[derive(Clone, Copy)]
pub(crate) struct Ed25519Scalar(DalekScalar);

/// A point; one that comes through [`Element::from_bytes`] is of prime order.
#[derive(Clone, Copy)]
pub(crate) struct Ed25519Element(EdwardsPoint);

delegate_group!(Ed25519Scalar, Ed25519Element);

impl Scalar for Ed25519Scalar {
    const ZERO: Self = Self(DalekScalar::ZERO);
    const ONE: Self = Self(DalekScalar::ONE);

    fn from_u64(value: u64) -> Self {
        Self(DalekScalar::from(value))
    }

    fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        loop {
            rng.fill_bytes(wide.as_mut_slice());
            let scalar = reduce(&wide);
            if scalar != Self::ZERO {
                return scalar;
            }
        }
    }

    fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let scalar = DalekScalar::from_canonical_bytes(*bytes);
        holds!(Ed25519ScalarBelowTheOrder, verdict(scalar.is_some())).then(|| Self(scalar.unwrap_or(DalekScalar::ZERO)))
    }

    fn invert(&self) -> Option<Self> {
        if *self == Self::ZERO { None } else { Some(Self(self.0.invert())) }
    }
}

impl Ed25519Scalar {
    /// RFC 8032, Section 5.1.5: the secret of an ordinary seed, modulo the order, with which its key stays what it is.
    pub(crate) fn of_seed(seed: &[u8; 32]) -> Self {
        let hash = sha512(&[seed]);
        let half = Zeroizing::new(*hash.first_chunk().expect("32 of 64 bytes"));
        let clamped = Zeroizing::new(clamp_integer(*half));
        Self(DalekScalar::from_bytes_mod_order(*clamped))
    }
}

impl Ed25519Element {
    /// The key or commitment of a signature: canonical and not of small order, but perhaps with a torsion component,
    /// as RFC 8032 leaves it.
    pub(super) fn from_signature_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let point = CompressedEdwardsY(*bytes).decompress()?;
        let small = forbids!(SmallOrderIsNoKey, point.is_small_order());
        if forbids!(KeyHasOneEncoding, !is_reduced(bytes)) || small { None } else { Some(Self(point)) }
    }

    /// A point other than the identity, perhaps not of prime order. One that is of prime order has no other encoding
    /// (those that have one are of mixed order: Chalkias, Garillot and Nikolaenko, 2020, Section 3).
    fn decompress(bytes: &[u8]) -> Option<EdwardsPoint> {
        let point = CompressedEdwardsY(bytes.try_into().ok()?).decompress()?;
        if forbids!(IdentityIsNoPoint, IsIdentity::is_identity(&point)) { None } else { Some(point) }
    }
}

impl Element for Ed25519Element {
    type Scalar = Ed25519Scalar;
    const LEN: usize = 32;
    const IDENTITY: Self = Self(EIGHT_TORSION[0]);

    fn generator() -> Self {
        Self(curve25519_dalek::constants::ED25519_BASEPOINT_POINT)
    }

    fn mul_base(scalar: &Ed25519Scalar) -> Self {
        Self(EdwardsPoint::mul_base(&scalar.0))
    }

    fn double(&self) -> Self {
        Self(Group::double(&self.0))
    }

    fn vartime_sum_of_products(terms: &[(Ed25519Scalar, Self)]) -> Self {
        let scalars = terms.iter().map(|(scalar, _)| scalar.0);
        let points = terms.iter().map(|(_, point)| point.0);
        Self(EdwardsPoint::vartime_multiscalar_mul(scalars, points))
    }

    fn vartime_mul_base_add(base: &Ed25519Scalar, scalar: &Ed25519Scalar, element: &Self) -> Self {
        Self(EdwardsPoint::vartime_double_scalar_mul_basepoint(&scalar.0, &element.0, &base.0))
    }

    fn is_identity(&self) -> bool {
        *self == Self::IDENTITY
    }

    fn to_bytes(&self) -> Vec<u8> {
        if self.is_identity() { vec![0; Self::LEN] } else { self.0.compress().to_bytes().to_vec() }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let point = Self::decompress(bytes)?;
        holds!(PointOfPrimeOrder, is_torsion_free(&point)).then_some(Self(point))
    }

    fn batch_to_bytes(elements: &[Self]) -> Vec<Vec<u8>> {
        let points: Vec<_> = elements.iter().map(|element| element.0).collect();
        let encode = |(compressed, point): (CompressedEdwardsY, &Self)| {
            if point.is_identity() { vec![0; Self::LEN] } else { compressed.to_bytes().to_vec() }
        };
        EdwardsPoint::compress_batch_alloc(&points).into_iter().zip(elements).map(encode).collect()
    }

    fn batch_from_bytes(encodings: &[&[u8]]) -> Option<Vec<Self>> {
        let points: Vec<_> = encodings.iter().map(|bytes| Self::decompress(bytes)).collect::<Option<_>>()?;
        if forbids!(PointsOfPrimeOrder, !are_torsion_free(&points, &sha512(encodings))) {
            return None;
        }
        Some(points.into_iter().map(Self).collect())
    }
}

/// Whether the y-coordinate is below the field's order, 2^255 - 19, the sign aside.
fn is_reduced(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    *low < 0xed || high & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

/// RFC 9591, Section 6.1: 64 bytes as a little-endian integer modulo the order.
fn reduce(wide: &[u8; 64]) -> Ed25519Scalar {
    Ed25519Scalar(DalekScalar::from_bytes_mod_order_wide(wide))
}

fn hash_with(prefix: &[&[u8]], parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    sha512(&[prefix, parts].concat())
}

impl Ciphersuite for Ed25519 {
    const SUITE: Suite = Suite::Ed25519;
    type Scalar = Ed25519Scalar;
    type Element = Ed25519Element;

    fn h1_each(prefix: &[&[u8]], last: &[[u8; 32]]) -> Vec<Ed25519Scalar> {
        sha512_each(&[&[CONTEXT, b"rho"], prefix].concat(), last).map(|hash| reduce(&hash)).collect()
    }

    fn h3(parts: &[&[u8]]) -> Ed25519Scalar {
        reduce(&hash_with(&[CONTEXT, b"nonce"], parts))
    }

    fn h4(parts: &[&[u8]]) -> Vec<u8> {
        hash_with(&[CONTEXT, b"msg"], parts).to_vec()
    }

    fn h5(parts: &[&[u8]]) -> Vec<u8> {
        hash_with(&[CONTEXT, b"com"], parts).to_vec()
    }

    fn challenge(commitment: &[u8], key: &[u8], message: &[u8]) -> Ed25519Scalar {
        // As in RFC 8032, hence without a context.
        reduce(&sha512(&[commitment, key, message]))
    }

    fn decode_key(bytes: &[u8]) -> Option<Ed25519Element> {
        Ed25519Element::from_signature_bytes(bytes.try_into().ok()?)
    }

    const COCKTAIL_ID: &'static str = "COCKTAIL(Ed25519, SHA-512)";

    fn hash(parts: &[&[u8]]) -> Vec<u8> {
        sha512(parts).to_vec()
    }

    fn cocktail_nonce(parts: &[&[u8]]) -> Ed25519Scalar {
        reduce(&hash_with(&[b"COCKTAIL-DKG-Ed25519-SHA512-NONCE"], parts))
    }

    fn cocktail_challenge(parts: &[&[u8]]) -> Ed25519Scalar {
        reduce(&hash_with(&[b"COCKTAIL-DKG-Ed25519-SHA512-H7"], parts))
    }

    fn ecdh_encode(point: &Ed25519Element) -> Zeroizing<Vec<u8>> {
        // The text of v0.2.1 asks for ristretto255's encoding here, but every published vector, which the same text
        // makes authoritative, has RFC 8032's. Both are injective on the subgroup that points are decoded into.
        Zeroizing::new(point.0.compress().to_bytes().to_vec())
    }

    fn share_cipher(ecdh: &[u8], ephemeral: &[u8], sender: &[u8], recipient: &[u8], context: &[u8]) -> ShareCipher {
        let len = super::len_le(context);
        let prefix: &[u8] = b"COCKTAIL-DKG-Ed25519-SHA512-H6";
        let okm = sha512(&[prefix, ecdh, ephemeral, sender, recipient, &len, context]);
        let (key, rest) = okm.split_first_chunk().expect("32 of 64 bytes");
        let nonce = rest.first_chunk().expect("24 of 32 bytes");
        ShareCipher::xchacha20_poly1305(*key, *nonce)
    }
}
