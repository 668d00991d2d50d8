//! FROST(secp256k1, SHA-256) and COCKTAIL(secp256k1, SHA-256).

use core::ops::Add;

use k256::elliptic_curve::BatchNormalize;
use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::ops::{LinearCombination, Reduce};
use k256::elliptic_curve::point::{AffineCoordinates, DecompressPoint};
use k256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar as K256Scalar, WideBytes};
use rand_core::CryptoRng;
use subtle::Choice;
use zeroize::Zeroizing;

use super::hash::{expand, expand_each, sha256, tagged};
use super::{Ciphersuite, Element, Scalar, ShareCipher, Suite, delegate_group, parts, verdict};
use crate::guard::holds;

/// RFC 9591, Section 6.5
const CONTEXT: &[u8] = b"FROST-secp256k1-SHA256-v1";

/// How many products are summed at once: each has tables of some three thousand bytes meanwhile, and more at once hardly
/// save time.
const TOGETHER: usize = 128;

/// The suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Secp256k1;

/// An integer modulo the group order.
#[derive(Clone, Copy)]
pub(crate) struct Secp256k1Scalar(K256Scalar);

/// A point of the curve.
#[derive(Clone, Copy)]
pub(crate) struct Secp256k1Element(ProjectivePoint);

delegate_group!(Secp256k1Scalar, Secp256k1Element);

impl Secp256k1Scalar {
    /// A hash as a big-endian integer modulo the order. Its bias is of the size of 2^-128.
    pub(super) fn reduce(bytes: &[u8; 32]) -> Self {
        Self(<K256Scalar as Reduce<FieldBytes>>::reduce(&(*bytes).into()))
    }

    fn reduce_wide(bytes: &[u8; 64]) -> Self {
        Self(<K256Scalar as Reduce<WideBytes>>::reduce(&(*bytes).into()))
    }
}

impl Scalar for Secp256k1Scalar {
    const ZERO: Self = Self(K256Scalar::ZERO);
    const ONE: Self = Self(K256Scalar::ONE);

    fn from_u64(value: u64) -> Self {
        Self(K256Scalar::from(value))
    }

    fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        loop {
            rng.fill_bytes(wide.as_mut_slice());
            let scalar = Self::reduce_wide(&wide);
            if scalar != Self::ZERO {
                return scalar;
            }
        }
    }

    fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let scalar = K256Scalar::from_repr((*bytes).into());
        holds!(Secp256k1ScalarBelowTheOrder, verdict(scalar.is_some()))
            .then(|| Self(scalar.unwrap_or(K256Scalar::ZERO)))
    }

    fn vartime_invert(&self) -> Option<Self> {
        Option::from(self.0.invert_vartime()).map(Self)
    }
}

impl Secp256k1Element {
    /// BIP-340's `lift_x`.
    pub(super) fn from_x(x: &[u8; 32]) -> Option<Self> {
        Self::decompress(x, Choice::from(0))
    }

    /// The x-coordinate, and whether y is odd. Not for the identity.
    pub(super) fn x_and_parity(&self) -> ([u8; 32], Choice) {
        let affine = self.0.to_affine();
        (affine.x().into(), affine.y_is_odd())
    }

    /// SEC 1, Section 2.3.3, without a branch. Not for the identity.
    fn compress(&self) -> Zeroizing<[u8; 33]> {
        compress(&self.0.to_affine())
    }

    fn decompress(x: &[u8; 32], y_is_odd: Choice) -> Option<Self> {
        let affine: Option<AffinePoint> = AffinePoint::decompress(&(*x).into(), y_is_odd).into();
        affine.map(|affine| Self(affine.into()))
    }
}

fn compress(affine: &AffinePoint) -> Zeroizing<[u8; 33]> {
    let x: Zeroizing<[u8; 32]> = Zeroizing::new(affine.x().into());
    let mut bytes = Zeroizing::new([2; 33]);
    let [prefix, rest @ ..] = &mut *bytes;
    *prefix |= affine.y_is_odd().unwrap_u8();
    rest.copy_from_slice(x.as_slice());
    bytes
}

impl Element for Secp256k1Element {
    type Scalar = Secp256k1Scalar;
    const LEN: usize = 33;
    const IDENTITY: Self = Self(ProjectivePoint::IDENTITY);

    fn generator() -> Self {
        Self(ProjectivePoint::GENERATOR)
    }

    fn mul_base(scalar: &Secp256k1Scalar) -> Self {
        Self(ProjectivePoint::mul_by_generator(&scalar.0))
    }

    fn double(&self) -> Self {
        Self(self.0.double())
    }

    fn vartime_sum_of_products(terms: &[(Secp256k1Scalar, Self)]) -> Self {
        let sum = |terms: &[(Secp256k1Scalar, Self)]| {
            let terms: Vec<_> = terms.iter().map(|(scalar, point)| (point.0, scalar.0)).collect();
            Self(ProjectivePoint::lincomb_vartime(terms.as_slice()))
        };
        parts(terms, TOGETHER).map(sum).reduce(Add::add).unwrap_or(Self::IDENTITY)
    }

    fn vartime_mul_base_add(base: &Secp256k1Scalar, scalar: &Secp256k1Scalar, element: &Self) -> Self {
        Self(ProjectivePoint::lincomb_vartime(&[(ProjectivePoint::GENERATOR, base.0), (element.0, scalar.0)]))
    }

    fn is_identity(&self) -> bool {
        *self == Self::IDENTITY
    }

    fn to_bytes(&self) -> Vec<u8> {
        if self.is_identity() {
            return vec![0; Self::LEN];
        }
        self.compress().to_vec()
    }

    fn batch_to_bytes(elements: &[Self]) -> Vec<Vec<u8>> {
        let points: Vec<_> = elements.iter().map(|element| element.0).collect();
        let encode = |(affine, element): (AffinePoint, &Self)| {
            if element.is_identity() { vec![0; Self::LEN] } else { compress(&affine).to_vec() }
        };
        ProjectivePoint::batch_normalize(points.as_slice()).into_iter().zip(elements).map(encode).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (prefix, x) = bytes.split_first()?;
        let odd = match prefix {
            2 => Choice::from(0),
            3 => Choice::from(1),
            _ => return None,
        };
        Self::decompress(x.try_into().ok()?, odd)
    }
}

/// RFC 9591, Section 6.5: `hash_to_field` of RFC 9380 with `expand_message_xmd`.
pub(super) fn hash_to_scalar(context: &[u8], label: &[u8], parts: &[&[u8]]) -> Secp256k1Scalar {
    reduce_uniform(&expand(context, label, parts))
}

/// [`hash_to_scalar`] of the same first parts and each of the last ones.
pub(super) fn hash_to_scalars(
    context: &[u8],
    label: &[u8],
    prefix: &[&[u8]],
    last: &[[u8; 32]],
) -> Vec<Secp256k1Scalar> {
    expand_each(context, label, prefix, last).map(|uniform| reduce_uniform(&uniform)).collect()
}

fn reduce_uniform(uniform: &[u8; 48]) -> Secp256k1Scalar {
    let mut wide = Zeroizing::new([0; 64]);
    let (_, low) = wide.split_at_mut(16);
    low.copy_from_slice(uniform);
    Secp256k1Scalar::reduce_wide(&wide)
}

pub(super) fn hash_with(prefix: &[&[u8]], parts: &[&[u8]]) -> Vec<u8> {
    sha256(&[prefix, parts].concat()).to_vec()
}

impl Ciphersuite for Secp256k1 {
    const SUITE: Suite = Suite::Secp256k1;
    type Scalar = Secp256k1Scalar;
    type Element = Secp256k1Element;

    fn h1_each(prefix: &[&[u8]], last: &[[u8; 32]]) -> Vec<Secp256k1Scalar> {
        hash_to_scalars(CONTEXT, b"rho", prefix, last)
    }

    fn h3(parts: &[&[u8]]) -> Secp256k1Scalar {
        hash_to_scalar(CONTEXT, b"nonce", parts)
    }

    fn h4(parts: &[&[u8]]) -> Vec<u8> {
        hash_with(&[CONTEXT, b"msg"], parts)
    }

    fn h5(parts: &[&[u8]]) -> Vec<u8> {
        hash_with(&[CONTEXT, b"com"], parts)
    }

    fn challenge(commitment: &[u8], key: &[u8], message: &[u8]) -> Secp256k1Scalar {
        hash_to_scalar(CONTEXT, b"chal", &[commitment, key, message])
    }

    #[cfg(feature = "libsecp256k1")]
    fn verify_by_library(key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
        let (commitment, response) = signature.split_last_chunk::<32>()?;
        let challenge = Self::challenge(commitment, key, message);
        super::libsecp::verify_equation(key, &challenge, &Secp256k1Scalar::from_bytes(response)?, commitment)
    }

    const COCKTAIL_ID: &'static str = "COCKTAIL(secp256k1, SHA-256)";

    fn hash(parts: &[&[u8]]) -> Vec<u8> {
        sha256(parts).to_vec()
    }

    fn cocktail_nonce(parts: &[&[u8]]) -> Secp256k1Scalar {
        Secp256k1Scalar::reduce(&tagged("COCKTAIL-DKG/NONCE", parts))
    }

    fn cocktail_challenge(parts: &[&[u8]]) -> Secp256k1Scalar {
        Secp256k1Scalar::reduce(&tagged("COCKTAIL-DKG/H7", parts))
    }

    fn ecdh_encode(point: &Secp256k1Element) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(point.compress().to_vec())
    }

    fn share_cipher(ecdh: &[u8], ephemeral: &[u8], sender: &[u8], recipient: &[u8], context: &[u8]) -> ShareCipher {
        let h6 = |label: &[u8]| {
            let (context_len, label_len) = (super::len_le(context), super::len_le(label));
            tagged("COCKTAIL-DKG/H6", &[ecdh, ephemeral, sender, recipient, &context_len, context, &label_len, label])
        };
        let (key, nonce) = (h6(b"key"), h6(b"nonce"));
        ShareCipher::xaes_256_gcm(*key, *nonce.first_chunk().expect("24 of 32 bytes"))
    }
}
