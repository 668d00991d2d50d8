//! A change of who holds which share of an epoch, while the shares stay as they are.

use super::card::Card;
use super::codec::{DecodeError, Reader, Writer};
use super::hash::{CardId, EpochId, KeyId};
use super::identifier::Identifier;
use super::plan::{Reason, Replaced};

/// A numbered change of an epoch's roster: a member comes with a new card and gets its share again, or a new member is
/// enrolled. It counts once q = max(t, n − t + 1) members of the roster before it, more with
/// [`PreventsForks`](crate::Quorum::PreventsForks), have signed it.
///
/// It follows from the epoch and from who comes why; nothing in it is of one run. So a run that failed after some had
/// signed can be followed by one for the same revision, and their signatures are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    pub(crate) key: KeyId,
    pub(crate) epoch: EpochId,
    pub(crate) number: u32,
    pub(crate) identifier: Identifier,
    /// The card that no longer counts, and why; `None` for a new member.
    pub(crate) replaced: Option<(CardId, Reason)>,
    pub(crate) card: Card,
    /// The member's verifying share, which follows from the others'.
    pub(crate) share: Vec<u8>,
    /// The hash of the roster after it.
    pub(crate) roster: [u8; 32],
}

impl Revision {
    const VERSION: u8 = 1;
    const MAX_SHARE: usize = 33;
    /// The longest encoding.
    pub(crate) const MAX_LEN: usize = 512;

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION).raw(self.key.as_bytes()).raw(self.epoch.as_bytes());
        writer.u32(self.number).identifier(self.identifier);
        match &self.replaced {
            None => writer.u8(0),
            Some((card, reason)) => writer.u8(reason.code()).raw(card.as_bytes()),
        };
        self.card.encode(&mut writer);
        writer.bytes(&self.share).raw(&self.roster).finish()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let revision = Self {
            key: KeyId::from_bytes(reader.array()?),
            epoch: EpochId::from_bytes(reader.array()?),
            number: reader.u32()?,
            identifier: reader.identifier()?,
            replaced: match reader.u8()? {
                0 => None,
                code => {
                    let reason = Reason::from_code(code).ok_or(DecodeError::Invalid("reason"))?;
                    Some((CardId::from_bytes(reader.array()?), reason))
                }
            },
            card: Card::decode_framed(&mut reader)?,
            share: reader.bytes(Self::MAX_SHARE)?.to_vec(),
            roster: reader.array()?,
        };
        reader.finish()?;
        Ok(revision)
    }

    /// Which revision of the epoch's roster it is, from 1.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Whose card and share it is about.
    pub const fn identifier(&self) -> Identifier {
        self.identifier
    }

    /// The member's card from now on.
    pub const fn card(&self) -> &Card {
        &self.card
    }

    /// Which card no longer counts, and why; `None` when a new member is enrolled.
    pub fn replaced(&self) -> Option<Replaced> {
        self.replaced.map(|(card, reason)| Replaced { identifier: self.identifier, card, reason })
    }
}
