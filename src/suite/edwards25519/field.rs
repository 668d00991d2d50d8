//! The integers modulo 2^255 - 19, by fiat-crypto's proven arithmetic, but for squaring. Public data only.

use core::ops::{Add, Mul, Sub};

use fiat_crypto::curve25519_64::{
    fiat_25519_add, fiat_25519_carry, fiat_25519_carry_mul, fiat_25519_from_bytes,
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

    /// By hand, since nearly all of decoding is squaring, and this takes a tenth less time than fiat-crypto's, to which
    /// the tests hold it.
    ///
    /// Limbs come in below 2^51 and a tenth of it. So a column is below 94 times 2^102, what is carried out of it below
    /// 2^58, and limbs go out below 2^51, but the second below 2^51 + 2^7.
    pub(super) fn square(self) -> Self {
        let Self(Tight([a0, a1, a2, a3, a4])) = self;
        let [twice0, twice1, twice2, twice4] = [a0, a1, a2, 19 * a4].map(|limb| 2 * limb);
        let first = wide(a0, a0) + wide(a1, twice4) + wide(twice2, 19 * a3);
        let second = wide(twice0, a1) + wide(a2, twice4) + wide(a3, 19 * a3) + u128::from(low(first >> 51));
        let third = wide(twice0, a2) + wide(a1, a1) + wide(a3, twice4) + u128::from(low(second >> 51));
        let fourth = wide(twice0, a3) + wide(twice1, a2) + wide(a4, 19 * a4) + u128::from(low(third >> 51));
        let fifth = wide(twice0, a4) + wide(twice1, a3) + wide(a2, a2) + u128::from(low(fourth >> 51));
        let [r0, r1, r2, r3, r4] = [first, second, third, fourth, fifth].map(|column| low(column) & LIMB);
        let r0 = r0 + 19 * low(fifth >> 51);
        Self::from_limbs([r0 & LIMB, r1 + (r0 >> 51), r2, r3, r4])
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

/// The bits of a limb.
const LIMB: u64 = (1 << 51) - 1;

fn wide(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

fn low(number: u128) -> u64 {
    let [low @ .., _, _, _, _, _, _, _, _] = number.to_le_bytes();
    u64::from_le_bytes(low)
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
    #[allow(clippy::inline_always, reason = "calls are a thirtieth of what decoding takes")]
    #[inline(always)]
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
    use fiat_crypto::curve25519_64::fiat_25519_carry_square;

    use super::*;

    #[test]
    fn a_square_is_that_of_fiat_crypto() {
        // The largest limbs that fiat-crypto's functions leave, the smallest, and those at the edge of a carry.
        let edges = [0, 1, 18, 19, (1 << 51) - 20, LIMB, 1 << 51, (1 << 51) + 127, 0x8_cccc_cccc_cccc];
        let mut random = 1_u64;
        let mut drawn = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random >> 13
        };
        let check = |limbs: [u64; 5]| {
            let mut expected = Tight([0; 5]);
            fiat_25519_carry_square(&mut expected, &Field::from_limbs(limbs).relaxed());
            let Field(Tight(square)) = Field::from_limbs(limbs).square();
            assert_eq!(Field::from_limbs(square).to_bytes(), Field(expected).to_bytes(), "{limbs:x?}");
            assert!(square.iter().all(|limb| *limb < (1 << 51) + 128));
        };
        for number in 0..edges.len().pow(5) {
            let mut rest = number;
            check([(); 5].map(|()| {
                let place = rest % edges.len();
                rest /= edges.len();
                edges[place]
            }));
        }
        (0..100_000).for_each(|_| check([(); 5].map(|()| drawn())));
    }

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
