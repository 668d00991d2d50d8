//! Whether points of edwards25519 are in its subgroup of prime order, variable-time.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::{EdwardsPoint, Scalar};
use sha2::{Digest, Sha512};

/// From so many points on the sums cost less than a multiplication for each.
const MANY: usize = 200;
/// How many sums: each misses a point outside of the subgroup with probability 1/2 at most.
const SUMS: usize = 128;
/// How many points share a table of the sums of their subsets, which has `1 << BLOCK` entries.
const BLOCK: usize = 6;

/// Whether the order of the subgroup takes the point to the identity.
pub(super) fn is_torsion_free(point: &EdwardsPoint) -> bool {
    // -1 is the order minus one, and multiplying by it is as cheap as by the order itself, which is no scalar.
    EdwardsPoint::vartime_double_scalar_mul_basepoint(&-Scalar::ONE, point, &Scalar::ZERO) == -point
}

/// [`is_torsion_free`] of all. What is wrong passes with probability 2^-128, over the hash that draws the subsets;
/// `seed` must bind the points.
///
/// A point outside of the subgroup makes the sum of a random subset one, unless the others in it cancel what it adds:
/// with and without the point at most one of two sums is in the subgroup.
pub(super) fn are_torsion_free(points: &[EdwardsPoint], seed: &[u8; 64]) -> bool {
    if points.len() < MANY {
        return points.iter().all(is_torsion_free);
    }
    let mut sums = vec![EIGHT_TORSION[0]; SUMS];
    for (number, block) in (0_u64..).zip(points.chunks(BLOCK)) {
        let subsets = subset_sums(block);
        for (sum, index) in sums.iter_mut().zip(draw(seed, number)) {
            if let Some(subset) = subsets.get(usize::from(index) % subsets.len()) {
                *sum += subset;
            }
        }
    }
    sums.iter().all(is_torsion_free)
}

/// The sum of each subset; bit *k* of its place says whether point *k* is in it.
fn subset_sums(points: &[EdwardsPoint]) -> Vec<EdwardsPoint> {
    let mut sums = vec![EIGHT_TORSION[0]];
    for point in points {
        let with: Vec<_> = sums.iter().map(|sum| sum + point).collect();
        sums.extend(with);
    }
    sums
}

/// A uniform byte for each of the [`SUMS`].
fn draw(seed: &[u8; 64], block: u64) -> impl Iterator<Item = u8> {
    let hash = move |half: u8| {
        <[u8; 64]>::from(
            Sha512::new_with_prefix(seed).chain_update(block.to_le_bytes()).chain_update([half]).finalize(),
        )
    };
    (0..2).flat_map(hash)
}
