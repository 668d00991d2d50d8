//! The integers modulo 2^255 - 19, by fiat-crypto's proven arithmetic. Public data only.

use core::ops::{Add, Mul, Sub};

use fiat_crypto::curve25519_64::{
    fiat_25519_add, fiat_25519_carry, fiat_25519_carry_mul, fiat_25519_carry_square, fiat_25519_from_bytes,
    fiat_25519_loose_field_element as Loose, fiat_25519_relax, fiat_25519_sub, fiat_25519_tight_field_element as Tight,
    fiat_25519_to_bytes,
};

/// An integer modulo 2^255 - 19, in five limbs of 51 bits.
#[derive(Clone, Copy)]
pub(super) struct Field(Tight);

impl Field {
    pub(super) const ZERO: Self = Self::from_limbs([0; 5]);
    pub(super) const ONE: Self = Self::from_limbs([1, 0, 0, 0, 0]);
    /// A square root of -1.
    pub(super) const I: Self = Self::from_limbs([
        0x6_1b27_4a0e_a0b0,
        0xd5a5_fc8f_189d,
        0x7_ef5e_9cbd_0c60,
        0x7_8595_a680_4c9e,
        0x2_b832_4804_fc1d,
    ]);

    pub(super) const fn from_limbs(limbs: [u64; 5]) -> Self {
        Self(Tight(limbs))
    }

    /// Little-endian; the highest bit does not count, and the number may be above the modulus.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut low = *bytes;
        if let Some(high) = low.last_mut() {
            *high &= 0x7f;
        }
        let mut out = Self::ZERO.0;
        fiat_25519_from_bytes(&mut out, &low);
        Self(out)
    }

    /// The one encoding: little-endian, below the modulus.
    pub(super) fn to_bytes(self) -> [u8; 32] {
        let mut out = [0; 32];
        fiat_25519_to_bytes(&mut out, &self.0);
        out
    }

    pub(super) fn is_zero(self) -> bool {
        self.to_bytes() == [0; 32]
    }

    /// Whether the number below the modulus is odd: RFC 8032's sign.
    pub(super) fn is_odd(self) -> bool {
        self.to_bytes().first().is_some_and(|low| low & 1 == 1)
    }

    pub(super) fn square(self) -> Self {
        let mut out = self.0;
        fiat_25519_carry_square(&mut out, &self.relaxed());
        Self(out)
    }

    pub(super) fn double(self) -> Self {
        self + self
    }

    pub(super) fn negate(self) -> Self {
        Self::ZERO - self
    }

    /// The inverse; of zero it is zero.
    pub(super) fn invert(self) -> Self {
        // By Fermat: 2^255 - 21 is eight times the exponent of `powers`, plus three.
        let [power, _] = powers([self, Self::ONE]);
        power.square().square().square() * self.square() * self
    }

    fn relaxed(self) -> Loose {
        let mut out = Loose([0; 5]);
        fiat_25519_relax(&mut out, &self.0);
        out
    }
}

impl Add for Field {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let (mut loose, mut out) = (Loose([0; 5]), self.0);
        fiat_25519_add(&mut loose, &self.0, &other.0);
        fiat_25519_carry(&mut out, &loose);
        Self(out)
    }
}

impl Sub for Field {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        let (mut loose, mut out) = (Loose([0; 5]), self.0);
        fiat_25519_sub(&mut loose, &self.0, &other.0);
        fiat_25519_carry(&mut out, &loose);
        Self(out)
    }
}

impl Mul for Field {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let mut out = self.0;
        fiat_25519_carry_mul(&mut out, &self.relaxed(), &other.relaxed());
        Self(out)
    }
}

/// Both to the power of 2^252 - 3, an eighth of the modulus less five: what roots, inverses and symbols are made of.
///
/// Two at once, since a processor computes one while it waits for the other.
pub(super) fn powers(bases: [Field; 2]) -> [Field; 2] {
    let both = |a: [Field; 2], b: [Field; 2]| {
        let ([a0, a1], [b0, b1]) = (a, b);
        [a0 * b0, a1 * b1]
    };
    let squared = |[mut a, mut b]: [Field; 2], times: u32| {
        for _ in 0..times {
            (a, b) = (a.square(), b.square());
        }
        [a, b]
    };
    // Named by the exponents so far; from five on by how many binary ones these have.
    let two = squared(bases, 1);
    let nine = both(bases, squared(two, 2));
    let eleven = both(two, nine);
    let five = both(nine, squared(eleven, 1));
    let ten = both(five, squared(five, 5));
    let twenty = both(ten, squared(ten, 10));
    let forty = both(twenty, squared(twenty, 20));
    let fifty = both(ten, squared(forty, 10));
    let hundred = both(fifty, squared(fifty, 50));
    let two_hundred = both(hundred, squared(hundred, 100));
    let most = both(fifty, squared(two_hundred, 50));
    both(bases, squared(most, 2)) // 2^252 - 3
}

/// Encoded.
const ONE: [u8; 32] = {
    let mut bytes = [0; 32];
    let [low, ..] = &mut bytes;
    *low = 1;
    bytes
};
/// 2^255 - 20, encoded.
const MINUS_ONE: [u8; 32] = {
    let mut bytes = [0xff; 32];
    let [low, .., high] = &mut bytes;
    (*low, *high) = (0xec, 0x7f);
    bytes
};

/// The root and the inverse of a square that is not zero, from its [`powers`]. `None` for what is no square, and zero.
pub(super) fn root_and_inverse(square: Field, power: Field) -> Option<(Field, Field)> {
    // The square times that of its power is its fourth root of unity, 1 or -1 for squares.
    let candidate = square * power;
    let unity = (candidate * power).to_bytes();
    if unity == ONE {
        Some((candidate, power.square()))
    } else if unity == MINUS_ONE {
        Some((candidate * Field::I, power.square().negate()))
    } else {
        None
    }
}

/// Whether each is a fourth power of something other than zero.
pub(super) fn are_fourth_powers(values: [Field; 2]) -> bool {
    values.into_iter().zip(powers(values)).all(|(value, power)| (power.square() * value).to_bytes() == ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(number: u64) -> Field {
        Field::from_limbs([number, 0, 0, 0, 0])
    }

    #[test]
    fn inverses_roots_and_fourth_powers_are_what_they_are_called() {
        assert!((Field::I.square() + Field::ONE).is_zero());
        for number in 1..60 {
            let value = small(number) * Field::I + small(3 * number);
            assert!((value.invert() * value - Field::ONE).is_zero());
            let square = value.square();
            let (root, inverse) = root_and_inverse(square, powers([square, value])[0]).unwrap();
            assert!((root.square() - square).is_zero());
            assert!((inverse * square - Field::ONE).is_zero());
            // 2 is no square of this field.
            let odd = square.double();
            assert!(root_and_inverse(odd, powers([Field::ONE, odd])[1]).is_none());
            let fourth = square.square();
            assert!(are_fourth_powers([fourth, fourth]));
            for factor in [small(2), small(4), small(8), Field::ZERO] {
                assert!(!are_fourth_powers([fourth, fourth * factor]));
                assert!(!are_fourth_powers([fourth * factor, fourth]));
            }
        }
        assert!(Field::ZERO.invert().is_zero());
        assert!(root_and_inverse(Field::ZERO, Field::ZERO).is_none());
    }

    #[test]
    fn bytes_above_the_modulus_are_read_modulo_it_and_written_below_it() {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xf0;
        assert_eq!(Field::from_bytes(&bytes).to_bytes(), small(3).to_bytes());
        assert!(small(3).is_odd() && !small(4).is_odd());
        assert!(!small(3).negate().is_odd(), "the modulus is odd");
    }
}
