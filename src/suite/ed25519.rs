//! FROST(Ed25519, SHA-512) and COCKTAIL(Ed25519, SHA-512).

use std::sync::LazyLock;

use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, VartimeEdwardsPrecomputation};
use curve25519_dalek::scalar::{Scalar as DalekScalar, clamp_integer};
use curve25519_dalek::traits::{VartimeMultiscalarMul, VartimePrecomputedMultiscalarMul};
use group::Group;
use k256::elliptic_curve::bigint::{Odd, U256};
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use super::edwards25519::{Decoded, Sums, are_of_prime_order, is_reduced};
use super::hash::{sha512, sha512_each};
use super::{Ciphersuite, Element, Row, Scalar, ShareCipher, Suite, delegate_group, verdict};
use crate::guard::{forbids, holds};

/// RFC 9591, Section 6.1
const CONTEXT: &[u8] = b"FROST-ED25519-SHA512-v1";

/// Up to so many products beside that of the generator, curve25519-dalek sums them by the way that a table helps.
const FEW: usize = 128;

/// Of the prime-order subgroup. curve25519-dalek inverts by an exponentiation, which takes five times as long.
const ORDER: Odd<U256> = Odd::from_be_hex("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed");

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

    fn vartime_invert(&self) -> Option<Self> {
        let inverse: Option<_> = U256::from_le_slice(self.0.as_bytes()).invert_odd_mod_vartime(&ORDER).into();
        inverse.map(|inverse: U256| Self(DalekScalar::from_bytes_mod_order(inverse.to_le_bytes().into())))
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
    /// Whether a signature is one of the message under this key, whose encoding is given: RFC 8032, Section 5.1.7, without
    /// the cofactor. A commitment has one encoding, so that it is compared in place of the point.
    pub(super) fn verifies(&self, encoded: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let Some((commitment, response)) = signature.split_last_chunk::<32>() else { return false };
        let Some(response) = Ed25519Scalar::from_bytes(response) else { return false };
        // The key is negated, not the challenge: on a torsion component the order of the subgroup does not act as zero.
        let challenge = Ed25519::challenge(commitment, encoded, message);
        let Self(expected) = Self::vartime_mul_base_add(&response, &challenge, &-*self);
        let equal = expected.compress().as_bytes() == commitment;
        holds!(Ed25519SignatureVerifies, equal) && !forbids!(SmallOrderIsNoCommitment, expected.is_small_order())
    }

    /// The key or commitment of a signature: canonical and not of small order, but perhaps with a torsion component,
    /// as RFC 8032 leaves it.
    pub(super) fn from_signature_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let point = CompressedEdwardsY(*bytes).decompress()?;
        let small = forbids!(SmallOrderIsNoKey, point.is_small_order());
        if forbids!(KeyHasOneEncoding, !is_reduced(bytes)) || small { None } else { Some(Self(point)) }
    }
}

impl Element for Ed25519Element {
    type Scalar = Ed25519Scalar;
    const LEN: usize = 32;
    const IDENTITY: Self = Self(EIGHT_TORSION[0]);

    fn generator() -> Self {
        Self(ED25519_BASEPOINT_POINT)
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

    fn vartime_mul_base_add_sum(base: &Ed25519Scalar, terms: &[(Ed25519Scalar, Self)]) -> Self {
        static GENERATOR: LazyLock<VartimeEdwardsPrecomputation> =
            LazyLock::new(|| VartimeEdwardsPrecomputation::new([ED25519_BASEPOINT_POINT]));
        if terms.len() > FEW {
            return Self::vartime_sum_of_products(&[&[(*base, Self::generator())], terms].concat());
        }
        let scalars = terms.iter().map(|(scalar, _)| scalar.0);
        let points = terms.iter().map(|(_, point)| point.0);
        Self(GENERATOR.vartime_mixed_multiscalar_mul([base.0], scalars, points))
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
        let encoding = bytes.try_into().ok()?;
        let decoded = Decoded::from_bytes(encoding)?;
        // Nothing is drawn for one point.
        if forbids!(PointOfPrimeOrder, !are_of_prime_order(&[decoded], &[0; 64])) {
            return None;
        }
        Self::from_taken_bytes(encoding)
    }

    fn from_taken_bytes(bytes: &[u8]) -> Option<Self> {
        CompressedEdwardsY(bytes.try_into().ok()?).decompress().map(Self)
    }

    fn batch_to_bytes(elements: &[Self]) -> Vec<Vec<u8>> {
        let points: Vec<_> = elements.iter().map(|element| element.0).collect();
        let encode = |(compressed, point): (CompressedEdwardsY, &Self)| {
            if point.is_identity() { vec![0; Self::LEN] } else { compressed.to_bytes().to_vec() }
        };
        EdwardsPoint::compress_batch_alloc(&points).into_iter().zip(elements).map(encode).collect()
    }

    fn batch_from_bytes(encodings: &[&[u8]]) -> Option<Vec<Self>> {
        let encodings = encodings.iter().map(|bytes| <&[u8; 32]>::try_from(*bytes).ok()).collect::<Option<Vec<_>>>()?;
        let decoded = encodings.iter().map(|bytes| Decoded::from_bytes(bytes)).collect::<Option<Vec<_>>>()?;
        let seed = seed(encodings.iter().copied());
        if forbids!(PointsOfPrimeOrder, !are_of_prime_order(&decoded, &seed)) {
            return None;
        }
        encodings.into_iter().map(|bytes| Self::from_taken_bytes(bytes)).collect()
    }

    fn sums_from_bytes(columns: usize, rows: &[Row<'_>]) -> Option<Vec<Self>> {
        let parts = || {
            rows.iter()
                .map(|row| (row.summed.as_chunks::<32>(), row.others.map(|other| <&[u8; 32]>::try_from(other).ok())))
        };
        let mut points = 0;
        for ((summed, rest), others) in parts() {
            if summed.len() != columns || !rest.is_empty() || others.contains(&None) {
                return None;
            }
            points += columns + others.len();
        }
        let seed = seed(parts().flat_map(|((summed, _), others)| summed.iter().chain(others.into_iter().flatten())));
        let mut sums = Sums::new(columns, points, &seed);
        for ((summed, _), others) in parts() {
            sums.take(summed.iter(), others.into_iter().flatten())?;
        }
        let encoded = sums.finish()?;
        // With room for just as many: what grows takes twice that.
        let mut taken = Vec::with_capacity(columns);
        taken.extend(encoded.iter().map_while(|bytes| Self::from_taken_bytes(bytes)));
        (taken.len() == columns).then_some(taken)
    }
}

/// What binds the encodings, to draw from.
fn seed<'a>(encodings: impl Iterator<Item = &'a [u8; 32]>) -> [u8; 64] {
    encodings.fold(Sha512::new(), Digest::chain_update).finalize().into()
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

    fn kept(key: &Ed25519Element) -> Option<Ed25519Element> {
        Some(*key)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_binds_every_encoding() {
        let [some, other] = [[1; 32], [2; 32]];
        assert_ne!(seed([&some, &some].into_iter()), seed([&some, &other].into_iter()));
        assert_ne!(seed([&some].into_iter()), seed([&some, &some].into_iter()));
    }
}
