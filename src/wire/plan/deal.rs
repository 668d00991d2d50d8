//! The plan of a dealing.

use super::decode_suite;
use crate::guard::forbids;
use crate::suite::{GroupKey, Suite};
use crate::wire::codec::{DecodeError, Reader, Writer};
use crate::wire::hash::{CardId, EpochId, KeyId};
use crate::wire::identifier::{Identifier, MAX_MEMBERS};
use crate::wire::revision::Revision;
use crate::wire::roster::Roster;
use crate::wire::template::KeyTemplate;

/// The most elements that all dealers of a dealing commit to together, the threshold times their number: a certificate has
/// room for them.
pub(crate) const MAX_COMMITMENTS: usize = 750_000;

/// The most epochs of losing lines that a plan may name, and the most revisions.
const MAX_LOSING: usize = 1024;

/// Why a member's card does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The member moves to another device, or leaves; the old one is at hand and will be erased.
    Routine,
    /// The device is gone, and nobody knows where.
    Lost,
    /// The device is in somebody else's hands.
    Stolen,
    /// The device is destroyed, or its share surely erased, and no copy of it is left but backups.
    Destroyed,
}

impl Reason {
    pub(in crate::wire) const fn code(self) -> u8 {
        match self {
            Self::Routine => 1,
            Self::Lost => 2,
            Self::Stolen => 3,
            Self::Destroyed => 4,
        }
    }

    pub(in crate::wire) const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Routine),
            2 => Some(Self::Lost),
            3 => Some(Self::Stolen),
            4 => Some(Self::Destroyed),
            _ => None,
        }
    }
}

/// A member whose old card no longer counts from the next epoch on: it comes with another one, or leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The member.
    pub identifier: Identifier,
    /// The card that it had.
    pub card: CardId,
    /// Why.
    pub reason: Reason,
}

/// Where the constant terms of a dealing come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Fresh randomness of every member: a new key.
    Fresh,
    /// A secret that one member brings: an old key, to be shared from now on. The plan fixes the key and the hash of its
    /// chain code; the one dealer is a receiver too.
    Import { group_key: GroupKey, chain_hash: [u8; 32], dealers: Roster },
    /// The shares of members of an older epoch: the same key.
    Epoch {
        key: KeyId,
        parent: EpochId,
        /// The hash of the parent's newest roster.
        roster: [u8; 32],
        dealers: Roster,
        /// Old members that leave and do not deal: they sign, so that those who sign are a quorum.
        witnesses: Option<Roster>,
        replaced: Vec<Replaced>,
        /// Certified epochs of a line that loses by this: they end a fork.
        losing: Vec<EpochId>,
        /// Revisions of a roster, in force for some, that lose by this: they end a clash.
        undone: Vec<Revision>,
    },
}

/// A dealing: who deals to whom, and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DealPlan {
    pub(crate) suite: Suite,
    pub(crate) threshold: u16,
    pub(crate) height: u64,
    pub(crate) attempt: u32,
    pub(crate) template: KeyTemplate,
    pub(crate) receivers: Roster,
    pub(crate) source: Source,
}

impl DealPlan {
    /// Everybody who deals, receives or witnesses. A witness does neither of the others.
    pub(crate) fn participants(&self) -> Option<Roster> {
        match &self.source {
            Source::Fresh | Source::Import { .. } => Some(self.receivers.clone()),
            Source::Epoch { dealers, witnesses, .. } => {
                let mut all: Vec<_> = self.receivers.iter().map(|(id, card)| (id, card.clone())).collect();
                for (id, card) in dealers.iter() {
                    match self.receivers.card(id) {
                        None => all.push((id, card.clone())),
                        Some(same) if same == card => {}
                        Some(_) => return None,
                    }
                }
                // Who stands in it twice makes it no roster.
                all.extend(witnesses.iter().flat_map(Roster::iter).map(|(id, card)| (id, card.clone())));
                Roster::new(all).ok()
            }
        }
    }

    pub(crate) fn dealers(&self) -> &Roster {
        match &self.source {
            Source::Fresh => &self.receivers,
            Source::Import { dealers, .. } | Source::Epoch { dealers, .. } => dealers,
        }
    }

    /// Certified epochs of another line that lose by it.
    pub(crate) fn losing(&self) -> &[EpochId] {
        match &self.source {
            Source::Epoch { losing, .. } => losing,
            Source::Fresh | Source::Import { .. } => &[],
        }
    }

    /// Who signs besides dealers and receivers.
    pub(crate) const fn witnesses(&self) -> Option<&Roster> {
        match &self.source {
            Source::Epoch { witnesses, .. } => witnesses.as_ref(),
            Source::Fresh | Source::Import { .. } => None,
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u8(self.suite.code()).u16(self.threshold).u64(self.height).u32(self.attempt);
        self.template.encode(writer);
        self.receivers.encode(writer);
        match &self.source {
            Source::Fresh => {
                writer.u8(0);
            }
            Source::Epoch { key, parent, roster, dealers, witnesses, replaced, losing, undone } => {
                writer.u8(1).raw(key.as_bytes()).raw(parent.as_bytes()).raw(roster);
                dealers.encode(writer);
                Roster::encode_optional(witnesses.as_ref(), writer);
                writer.count(replaced.len());
                for one in replaced {
                    writer.identifier(one.identifier).raw(one.card.as_bytes()).u8(one.reason.code());
                }
                writer.count(losing.len());
                for epoch in losing {
                    writer.raw(epoch.as_bytes());
                }
                writer.count(undone.len());
                for revision in undone {
                    writer.bytes(&revision.to_bytes());
                }
            }
            Source::Import { group_key, chain_hash, dealers } => {
                writer.u8(2).bytes(group_key.as_bytes()).raw(chain_hash);
                for dealer in dealers.identifiers() {
                    writer.identifier(dealer);
                }
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let suite = decode_suite(reader)?;
        let (threshold, height, attempt) = (reader.u16()?, reader.u64()?, reader.u32()?);
        let (template, receivers) = (KeyTemplate::decode(reader)?, Roster::decode(reader)?);
        let plan = Self {
            suite,
            threshold,
            height,
            attempt,
            template,
            source: match reader.u8()? {
                0 => Source::Fresh,
                1 => Source::Epoch {
                    key: KeyId::from_bytes(reader.array()?),
                    parent: EpochId::from_bytes(reader.array()?),
                    roster: reader.array()?,
                    dealers: Roster::decode(reader)?,
                    witnesses: Roster::decode_optional(reader)?,
                    replaced: decode_replaced(reader)?,
                    losing: decode_losing(reader)?,
                    undone: decode_undone(reader)?,
                },
                2 => Source::Import {
                    group_key: decode_group_key(reader, suite)?,
                    chain_hash: reader.array()?,
                    dealers: one_of(&receivers, reader.identifier()?).ok_or(DecodeError::Invalid("dealer"))?,
                },
                _ => return Err(DecodeError::Invalid("source of a dealing")),
            },
            receivers,
        };
        plan.check()?;
        Ok(plan)
    }

    /// What must hold of a dealing whatever the key is.
    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        let n = u16::try_from(self.receivers.len()).map_err(|_| DecodeError::TooLong)?;
        if forbids!(ThresholdAmongMembers, self.threshold < 2 || self.threshold > n) {
            return Err(DecodeError::Invalid("threshold"));
        }
        let commitments = self.dealers().len() * usize::from(self.threshold);
        if forbids!(RoomInACertificate, commitments > MAX_COMMITMENTS) {
            return Err(DecodeError::TooLong);
        }
        let first = matches!(self.source, Source::Fresh | Source::Import { .. });
        if first && !self.receivers.identifiers().map(Identifier::get).eq(1..=n) {
            return Err(DecodeError::Invalid("identifiers of a new key"));
        }
        // A fresh key is made in one attempt: another one makes another key. The import of a key can be tried again.
        if first != (self.height == 0)
            || matches!(self.source, Source::Fresh) != (self.height == 0 && self.attempt == 0)
        {
            return Err(DecodeError::Invalid("height"));
        }
        if let Source::Import { group_key, dealers, .. } = &self.source {
            let dealer = |(id, card)| self.receivers.card(id) == Some(card);
            if dealers.len() != 1 || !dealers.iter().all(dealer) || group_key.suite() != self.suite {
                return Err(DecodeError::Invalid("dealer"));
            }
        }
        self.participants().map(|_| ()).ok_or(DecodeError::Invalid("dealers"))
    }
}

/// The roster of that member alone.
pub(crate) fn one_of(members: &Roster, member: Identifier) -> Option<Roster> {
    Roster::new(vec![(member, members.card(member)?.clone())]).ok()
}

fn decode_group_key(reader: &mut Reader<'_>, suite: Suite) -> Result<GroupKey, DecodeError> {
    const MAX_KEY: usize = 33;
    GroupKey::from_bytes(suite, reader.bytes(MAX_KEY)?).map_err(|_| DecodeError::Invalid("group key"))
}

fn decode_replaced(reader: &mut Reader<'_>) -> Result<Vec<Replaced>, DecodeError> {
    let replaced = (0..reader.count(usize::from(MAX_MEMBERS))?)
        .map(|_| {
            Ok(Replaced {
                identifier: reader.identifier()?,
                card: CardId::from_bytes(reader.array()?),
                reason: Reason::from_code(reader.u8()?).ok_or(DecodeError::Invalid("reason"))?,
            })
        })
        .collect::<Result<Vec<_>, DecodeError>>()?;
    if replaced.is_sorted_by(|a, b| a.identifier < b.identifier) {
        Ok(replaced)
    } else {
        Err(DecodeError::Invalid("order of replaced members"))
    }
}

fn decode_losing(reader: &mut Reader<'_>) -> Result<Vec<EpochId>, DecodeError> {
    let losing = (0..reader.count(MAX_LOSING)?)
        .map(|_| reader.array().map(EpochId::from_bytes))
        .collect::<Result<Vec<_>, DecodeError>>()?;
    if losing.is_sorted_by(|a, b| a < b) { Ok(losing) } else { Err(DecodeError::Invalid("order of losing epochs")) }
}

fn decode_undone(reader: &mut Reader<'_>) -> Result<Vec<Revision>, DecodeError> {
    let undone = (0..reader.count(MAX_LOSING)?)
        .map(|_| Revision::from_bytes(reader.bytes(Revision::MAX_LEN)?))
        .collect::<Result<Vec<_>, DecodeError>>()?;
    let ascending = undone.is_sorted_by(|a, b| a.roster < b.roster);
    if ascending { Ok(undone) } else { Err(DecodeError::Invalid("order of undone revisions")) }
}
