//! Small sets of small numbers.

use core::fmt;
use core::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// A new name for each number, or none.
pub type Names = [Option<u8>; 16];

/// A set of numbers below sixteen: of members, or of transcripts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Set(u16);

impl Set {
    /// The set of these.
    pub const fn of(numbers: &[u8]) -> Self {
        let (mut set, mut place) = (0, 0);
        while place < numbers.len() {
            set |= 1 << numbers[place];
            place += 1;
        }
        Self(set)
    }

    /// The numbers below that.
    pub const fn below(count: u8) -> Self {
        Self((1 << count) - 1)
    }

    /// Whether the number is in it.
    pub const fn has(self, number: u8) -> bool {
        self.0 >> number & 1 == 1
    }

    /// With the number.
    #[must_use]
    pub const fn with(self, number: u8) -> Self {
        Self(self.0 | 1 << number)
    }

    /// Without the number.
    #[must_use]
    pub const fn without(self, number: u8) -> Self {
        Self(self.0 & !(1 << number))
    }

    /// How many there are.
    pub const fn len(self) -> u8 {
        self.0.count_ones() as u8
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of them are in the other.
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// They, from the lowest.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..16).filter(move |number| self.has(*number))
    }

    /// All its subsets, the empty one first.
    pub fn subsets(self) -> impl Iterator<Item = Self> {
        // The next subset is the next number, if all digits that are not the set's count as ones.
        let after =
            move |last: &Self| Some(Self((last.0 | !self.0).wrapping_add(1) & self.0)).filter(|next| next.0 != 0);
        core::iter::successors(Some(Self::default()), after)
    }

    /// Each number as the table has it; those that the table has as `None` are left out.
    #[must_use]
    pub fn renamed(self, table: &Names) -> Self {
        self.iter().filter_map(|number| table[usize::from(number)]).fold(Self::default(), Self::with)
    }
}

impl FromIterator<u8> for Set {
    fn from_iter<I: IntoIterator<Item = u8>>(numbers: I) -> Self {
        numbers.into_iter().fold(Self::default(), Self::with)
    }
}

impl BitOr for Set {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Set {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Set {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Set {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // People count members from 1.
        f.debug_set().entries(self.iter().map(|number| number + 1)).finish()
    }
}
