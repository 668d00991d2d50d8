//! One point out of its encoding, with what its order shows in.

use super::field::{Field, powers, root_and_inverse};

/// The curve is -x² + y² = 1 + d·x²·y².
pub(super) const D: Field = Field::from_limbs([
    0x3_4dca_1359_78a3,
    0x1_a828_3b15_6ebd,
    0x5_e7a2_6001_c029,
    0x7_39c6_63a0_3cbb,
    0x5_2036_cee2_b6ff,
]);
/// The A of curve25519, v² = u³ + A·u² + u, plus two.
const A_PLUS_2: Field = Field::from_limbs([486_664, 0, 0, 0, 0]);
/// A square root of it.
const C: Field = Field::from_limbs([
    0x2_48ef_9c88_4415,
    0xe509_526c_7d34,
    0x7_d29b_bd8d_6847,
    0x1_57e1_0fd3_bd6b,
    0x6_be4f_497f_9a9c,
]);
const TWO: Field = Field::from_limbs([2, 0, 0, 0, 0]);

/// A point that may be of prime order: it is twice another one.
#[derive(Clone, Copy)]
pub(in crate::suite) struct Decoded {
    pub(super) x: Field,
    pub(super) y: Field,
    /// A fourth power exactly if the point is of prime order.
    pub(super) symbol: Field,
}

impl Decoded {
    /// `None` for what is no canonical encoding of a point, for y = 1 and -1, and for a point that is not twice another.
    pub(in crate::suite) fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let y = Field::from_bytes(bytes);
        let is_negative = bytes.last()? & 0x80 != 0;
        if !super::is_reduced(bytes) {
            return None;
        }
        // x² = -(1 - y²) / (1 + d·y²), where for twice a point numerator and denominator have roots of their own.
        let square = y.square();
        let (upper, lower) = (Field::ONE - square, Field::ONE + D * square);
        let [upper_power, lower_power] = powers([upper, lower]);
        let (upper_root, _) = root_and_inverse(upper, upper_power)?;
        let (lower_root, lower_inverse) = root_and_inverse(lower, lower_power)?;
        let x = Field::I * upper_root * lower_root * lower_inverse;
        let x = if x.is_odd() == is_negative { x } else { x.negate() };
        let symbol = symbol(y, upper_root, lower_root);
        if symbol.is_zero() { None } else { Some(Self { x, y, symbol }) }
    }
}

/// Where the order of a point shows, given y, a root of 1 - y² and one of 1 + d·y².
///
/// In the coordinates of curve25519 the point or its negative is the image of a point (p, q) on the curve that is
/// v² = u·(u - A - 2)·(u - A + 2), under the isogeny that takes (0, 0) to the identity: with D = 1 - y,
/// p = (A·D + 2·(1 + y) - 2·C·lower) / D and q = 2·p·upper / D. The point is eight times another one exactly if (p, q)
/// is four times another one, but for (0, 0). That shows in the Tate pairing with R = (C² - 2·C, 2·C² - 4·C), which is
/// of order four: the tangent at R, squared, over the line through 2·R = (A + 2, 0), at (p, q), is a fourth power.
/// What stands below is that without the denominators, which are made fourth powers.
fn symbol(y: Field, upper: Field, lower: Field) -> Field {
    let base = Field::ONE - y;
    let line = (y.double() - C * lower).double();
    let numerator = line + A_PLUS_2 * base;
    let tangent = numerator.double() * upper - (C - TWO) * base * line;
    tangent.square() * base * line.square() * line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_what_they_are_called() {
        let small = |number| Field::from_limbs([number, 0, 0, 0, 0]);
        assert!((D * small(121_666) + small(121_665)).is_zero());
        assert!((C.square() - A_PLUS_2).is_zero());
        // R is on the curve.
        let (p, q) = (C * (C - TWO), (C * (C - TWO)).double());
        assert!((q.square() - p * (p - A_PLUS_2) * (p - A_PLUS_2 + small(4))).is_zero());
    }
}
