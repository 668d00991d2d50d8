//! Who the members are.

use core::fmt;
use std::sync::Arc;

use super::card::Card;
use super::codec::{DecodeError, Reader, Writer};
use super::hash::tagged_hash;
use super::identifier::{Identifier, MAX_MEMBERS};
use crate::guard::forbids;

/// The members of a group: identifiers in ascending order, each with its card, no identity twice.
///
/// A copy shares what it says: plan, run, certificate and epoch all have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster(Arc<[(Identifier, Card)]>);

impl Roster {
    /// The roster of these members, in any order.
    ///
    /// # Errors
    ///
    /// When it is empty or longer than 1,000, or an identifier or an identity stands in it twice.
    pub fn new(mut members: Vec<(Identifier, Card)>) -> Result<Self, RosterError> {
        if members.is_empty() {
            return Err(RosterError::Empty);
        }
        if members.len() > usize::from(MAX_MEMBERS) {
            return Err(RosterError::TooLong);
        }
        members.sort_by_key(|(id, _)| *id);
        let mut pairs = members.iter().zip(members.iter().skip(1));
        let twice = pairs.find(|((a, _), (b, _))| forbids!(NumberOnceInARoster, a == b));
        if let Some(((id, _), _)) = twice {
            return Err(RosterError::Number(*id));
        }
        let mut identities: Vec<_> = members.iter().map(|(id, card)| (*card.identity(), *id)).collect();
        identities.sort_unstable();
        let mut pairs = identities.iter().zip(identities.iter().skip(1));
        match pairs.find(|((a, _), (b, _))| forbids!(IdentityOnceInARoster, a == b)) {
            Some(((_, one), (_, other))) => Err(RosterError::Identity(*one, *other)),
            None => Ok(Self(members.into())),
        }
    }

    /// Members 1 to n, in the order given.
    ///
    /// # Errors
    ///
    /// When an identity stands in it twice, or it is empty or longer than 1,000.
    pub fn numbered(cards: impl IntoIterator<Item = Card>) -> Result<Self, RosterError> {
        let numbered = (1..=MAX_MEMBERS + 1).zip(cards).map(|(number, card)| Some((Identifier::new(number)?, card)));
        Self::new(numbered.collect::<Option<_>>().ok_or(RosterError::TooLong)?)
    }

    /// The roster with that member in it, under a number of its own or in the place of whoever has the number.
    ///
    /// # Errors
    ///
    /// When its identity stands in it already, or there would be more than 1,000 members.
    pub fn with(&self, id: Identifier, card: Card) -> Result<Self, RosterError> {
        let others = self.iter().filter(|(member, _)| *member != id).map(|(id, card)| (id, card.clone()));
        Self::new(others.chain([(id, card)]).collect())
    }

    /// The roster without that member.
    ///
    /// # Errors
    ///
    /// When nobody is left.
    pub fn without(&self, id: Identifier) -> Result<Self, RosterError> {
        Self::new(self.iter().filter(|(member, _)| *member != id).map(|(id, card)| (id, card.clone())).collect())
    }

    /// How many members.
    #[allow(clippy::len_without_is_empty)] // a roster is never empty
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Identifier, &Card)> + ExactSizeIterator {
        self.0.iter().map(|(id, card)| (*id, card))
    }

    /// The identifiers in ascending order.
    pub fn identifiers(&self) -> impl DoubleEndedIterator<Item = Identifier> + ExactSizeIterator + '_ {
        self.0.iter().map(|(id, _)| *id)
    }

    /// The card of a member.
    pub fn card(&self, id: Identifier) -> Option<&Card> {
        self.iter().find(|(member, _)| *member == id).map(|(_, card)| card)
    }

    /// The member that has this identity key.
    pub fn identifier_of(&self, identity: &[u8; 32]) -> Option<Identifier> {
        self.iter().find(|(_, card)| card.identity() == identity).map(|(id, _)| id)
    }

    /// What the members read out to each other before a key is made.
    pub fn fingerprint(&self) -> Fingerprint {
        let hash = tagged_hash("quorumkey/fingerprint/v1", &[&self.to_bytes()]);
        Fingerprint(u128::from_be_bytes(*hash.first_chunk().expect("a hash has more than 16 bytes")))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        writer.finish()
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.count(self.0.len());
        for (id, card) in self.iter() {
            writer.identifier(id);
            card.encode(writer);
        }
    }

    /// Nobody is written as an empty list.
    pub(crate) fn encode_optional(roster: Option<&Self>, writer: &mut Writer) {
        match roster {
            Some(roster) => roster.encode(writer),
            None => _ = writer.count(0),
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_optional(reader)?.ok_or(DecodeError::Invalid("roster"))
    }

    pub(crate) fn decode_optional(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let count = reader.count(usize::from(MAX_MEMBERS))?;
        let mut members = Vec::new();
        for _ in 0..count {
            members.push((reader.identifier()?, Card::decode_framed(reader)?));
        }
        if !members.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(DecodeError::Invalid("order of members"));
        }
        if members.is_empty() {
            return Ok(None);
        }
        Self::new(members).map(Some).map_err(|_| DecodeError::Invalid("roster"))
    }
}

/// Why members are no roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RosterError {
    /// Nobody is in it.
    Empty,
    /// There are more than 1,000 members.
    TooLong,
    /// Two members have this number.
    Number(Identifier),
    /// The members with these numbers have one identity.
    Identity(Identifier, Identifier),
}

impl fmt::Display for RosterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a roster needs a member"),
            Self::TooLong => write!(f, "a roster has at most {MAX_MEMBERS} members"),
            Self::Number(id) => write!(f, "two members have number {id}"),
            Self::Identity(one, other) => write!(f, "an identity stands in the roster twice: as {one} and as {other}"),
        }
    }
}

impl core::error::Error for RosterError {}

/// A short name of a whole group, for people to compare out of band: 128 bits in eight groups of four hexadecimal digits.
///
/// It covers every member's number and card. One comparison of one fingerprint by all members stands for all n² of them.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::Roster;
///
/// let [anna, ben] = [member(), member()];
/// let seen_by_anna = Roster::numbered([anna.card()?, ben.card()?])?;
/// let seen_by_ben = Roster::numbered([anna.card()?, member().card()?])?;
/// // Somebody gave Ben's friends another card. Read aloud, it shows.
/// assert_ne!(seen_by_anna.fingerprint().to_string(), seen_by_ben.fingerprint().to_string());
/// assert_eq!(seen_by_anna.fingerprint().to_string().len(), 39);
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, group) in self.0.to_be_bytes().as_chunks::<2>().0.iter().enumerate() {
            write!(f, "{}{:04x}", if i == 0 { "" } else { " " }, u16::from_be_bytes(*group))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::wire::card::IdentityKey;

    fn card(seed: u64) -> Card {
        Card::issue(&IdentityKey::generate(&mut ChaCha20Rng::seed_from_u64(seed)), 0, format!("token {seed}"))
    }

    #[test]
    fn an_identity_or_a_number_cannot_stand_in_a_roster_twice() {
        let id = |n| Identifier::new(n).unwrap();
        let refused = |members| Roster::new(members).unwrap_err();
        assert_eq!(refused(vec![(id(2), card(1)), (id(1), card(1))]), RosterError::Identity(id(1), id(2)));
        assert_eq!(refused(vec![(id(1), card(1)), (id(1), card(2))]), RosterError::Number(id(1)));
        assert_eq!(refused(Vec::new()), RosterError::Empty);
        assert!(Roster::new(vec![(id(2), card(1)), (id(1), card(2))]).is_ok());
    }

    #[test]
    fn a_thousand_cards_are_numbered_and_one_more_is_refused() {
        let numbered = |count| Roster::numbered((0..count).map(card));
        assert_eq!(numbered(1000).unwrap().len(), 1000);
        assert_eq!(numbered(1001), Err(RosterError::TooLong));
    }

    #[test]
    fn a_member_comes_in_the_place_of_who_had_its_number_alone() {
        let id = |n| Identifier::new(n).unwrap();
        let roster = Roster::numbered([card(1), card(2)]).unwrap();
        let cards = |roster: &Roster| roster.iter().map(|(id, card)| (id.get(), card.clone())).collect::<Vec<_>>();
        assert_eq!(cards(&roster.with(id(1), card(3)).unwrap()), [(1, card(3)), (2, card(2))]);
        assert_eq!(cards(&roster.with(id(3), card(3)).unwrap()), [(1, card(1)), (2, card(2)), (3, card(3))]);
        assert_eq!(cards(&roster.without(id(1)).unwrap()), [(2, card(2))]);
    }

    #[test]
    fn members_are_read_in_ascending_order_alone() {
        let read = |numbers: [u16; 2]| {
            let mut writer = Writer::new();
            writer.count(2);
            for (number, seed) in numbers.into_iter().zip(0..) {
                writer.identifier(Identifier::new(number).unwrap());
                card(seed).encode(&mut writer);
            }
            Roster::decode(&mut Reader::new(&writer.finish())).map(|roster| roster.len())
        };
        assert_eq!(read([1, 2]), Ok(2));
        assert_eq!([read([2, 1]), read([2, 2])], [(); 2].map(|()| Err(DecodeError::Invalid("order of members"))));
    }

    #[test]
    fn a_roster_reads_back_and_its_fingerprint_changes_with_any_member() {
        let roster = Roster::numbered([card(1), card(2), card(3)]).unwrap();
        let bytes = roster.to_bytes();
        assert_eq!(Roster::decode(&mut Reader::new(&bytes)), Ok(roster.clone()));
        let other = Roster::numbered([card(1), card(2), card(4)]).unwrap();
        let swapped = Roster::numbered([card(2), card(1), card(3)]).unwrap();
        assert_ne!(roster.fingerprint(), other.fingerprint());
        assert_ne!(roster.fingerprint(), swapped.fingerprint());
        assert_eq!(roster.fingerprint().to_string().len(), 39);
    }
}
