//! The ristretto255 encoding of an Edwards point, which curve25519-dalek gives for its own ristretto type only.

use curve25519_dalek::EdwardsPoint;
use k256::elliptic_curve::bigint::modular::ConstMontyForm;
use k256::elliptic_curve::bigint::{U256, const_monty_params};
use k256::elliptic_curve::ctutils::{Choice, CtEq, CtSelect};
use zeroize::Zeroizing;

const_monty_params!(
    P25519,
    U256,
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
    "The field of Curve25519."
);

type Field = ConstMontyForm<P25519, { U256::LIMBS }>;

// RFC 9496, Section 4.1
const D: Field = constant("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3");
const SQRT_M1: Field = constant("2b8324804fc1df0b2b4d00993dfbd7a72f431806ad2fe478c4ee1b274a0ea0b0");
const INVSQRT_A_MINUS_D: Field = constant("786c8905cfaffca216c27b91fe01d8409d2f16175a4172be99c8fdaa805d40ea");
/// (p - 5) / 8
const EXPONENT: U256 = U256::from_be_hex("0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffd");

const fn constant(hex: &str) -> Field {
    Field::new(&U256::from_be_hex(hex))
}

/// The 32 bytes of the point's ristretto255 element, in constant time.
pub(super) fn encode(point: &EdwardsPoint) -> Zeroizing<[u8; 32]> {
    // RFC 9496, Section 4.3.2, with z = 1
    let (x0, y0) = affine(point);
    let t0 = x0 * y0;
    let u1 = (Field::ONE + y0) * (Field::ONE - y0);
    let inverse_root = sqrt_ratio(&Field::ONE, &(u1 * t0.square()));
    let den1 = inverse_root * u1;
    let den2 = inverse_root * t0;
    let z_inv = den1 * den2 * t0;

    let rotate = is_negative(&(t0 * z_inv));
    let x = x0.ct_select(&(y0 * SQRT_M1), rotate);
    let y = y0.ct_select(&(x0 * SQRT_M1), rotate);
    let den_inv = den2.ct_select(&(den1 * INVSQRT_A_MINUS_D), rotate);

    let y = y.ct_select(&-y, is_negative(&(x * z_inv)));
    let s = absolute(&(den_inv * (Field::ONE - y)));
    Zeroizing::new(s.retrieve().to_le_bytes().into())
}

/// Coordinates of the point, out of its compressed form: RFC 8032, Section 5.1.3.
fn affine(point: &EdwardsPoint) -> (Field, Field) {
    let mut bytes = Zeroizing::new(point.compress().to_bytes());
    let [.., last] = &mut *bytes;
    let sign = Choice::from_u8_lsb(*last >> 7);
    *last &= 0x7f;
    let y = Field::new(&U256::from_le_slice(bytes.as_slice()));
    let yy = y.square();
    let x = sqrt_ratio(&(yy - Field::ONE), &(D * yy + Field::ONE));
    (x.ct_select(&-x, sign), y)
}

/// RFC 9496, Section 4.2: the nonnegative square root of `u / v`, which must be a square or zero.
fn sqrt_ratio(u: &Field, v: &Field) -> Field {
    let v3 = v.square() * *v;
    let v7 = v3.square() * *v;
    let r = *u * v3 * (*u * v7).pow(&EXPONENT);
    let wrong = !(*v * r.square()).ct_eq(u);
    absolute(&r.ct_select(&(r * SQRT_M1), wrong))
}

fn is_negative(value: &Field) -> Choice {
    value.retrieve().is_odd()
}

fn absolute(value: &Field) -> Field {
    value.ct_select(&-*value, is_negative(value))
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, RISTRETTO_BASEPOINT_POINT};
    use curve25519_dalek::{EdwardsPoint, RistrettoPoint, Scalar};

    use super::*;

    #[test]
    fn the_encoding_of_a_multiple_of_the_base_point_is_that_of_ristretto() {
        for number in 0..64_u64 {
            let scalar = Scalar::from(number) * Scalar::from(number + 0xffff_ffff_0000_1234).invert();
            let edwards: EdwardsPoint = ED25519_BASEPOINT_POINT * scalar;
            let ristretto: RistrettoPoint = RISTRETTO_BASEPOINT_POINT * scalar;
            assert_eq!(*encode(&edwards), ristretto.compress().to_bytes(), "{number}");
        }
    }
}
