//! What bytes somewhere may be the secrets of: tried as scalars, by their points.
#![allow(unreachable_pub, reason = "each test file mounts it")]

use quorumkey::Suite;

/// Random bytes have some thirty different ones among 32.
pub fn looks_random(window: &[u8; 32]) -> bool {
    let mut seen = [0_u64; 4];
    for byte in window {
        seen[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    seen.iter().map(|bits| bits.count_ones()).sum::<u32>() >= 22
}

/// The scalars that such memory may hold, in canonical bytes, with their points.
pub fn multiples(suite: Suite, window: &[u8; 32]) -> Vec<([u8; 32], Vec<u8>)> {
    if suite == Suite::Ed25519 {
        let scalar = Option::<curve25519_dalek::Scalar>::from(curve25519_dalek::Scalar::from_canonical_bytes(*window));
        let point = |scalar| curve25519_dalek::EdwardsPoint::mul_base(&scalar).compress().to_bytes().to_vec();
        return scalar.map(|scalar| (*window, point(scalar))).into_iter().collect();
    }
    // Encoded, or as the processor holds it.
    let reversed = core::array::from_fn(|at| window[31 - at]);
    [*window, reversed].into_iter().filter_map(|bytes| Some((bytes, secp256k1_point(bytes)?))).collect()
}

fn secp256k1_point(bytes: [u8; 32]) -> Option<Vec<u8>> {
    use k256::elliptic_curve::ff::PrimeField;
    use k256::elliptic_curve::sec1::ToSec1Point;
    let scalar = Option::<k256::Scalar>::from(k256::Scalar::from_repr(bytes.into()))?;
    Some(k256::ProjectivePoint::mul_by_generator(&scalar).to_affine().to_sec1_point(true).as_bytes().to_vec())
}
