//! The number of a member.

use core::fmt;

/// The most members a group can have; also the highest identifier.
pub(crate) const MAX_MEMBERS: u16 = 1000;

/// A member's number within its group, 1 to 1,000; the point at which the member's share is evaluated.
///
/// It stays with the member across refreshes. RFC 9591 calls it the participant's identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(u16);

impl Identifier {
    /// The identifier of that number.
    ///
    /// Returns `None` for 0, which would give the key itself away, and above 1,000.
    ///
    /// ```
    /// use quorumkey::Identifier;
    /// assert!(Identifier::new(1).is_some());
    /// assert!(Identifier::new(0).is_none());
    /// assert!(Identifier::new(1001).is_none());
    /// ```
    pub const fn new(number: u16) -> Option<Self> {
        if number == 0 || number > MAX_MEMBERS { None } else { Some(Self(number)) }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
