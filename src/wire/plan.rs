//! The plan of a run.

use super::codec::{DecodeError, Reader, Writer};
use super::hash::{CardId, EpochId, KeyId, RunId, tagged_hash};
use super::identifier::{Identifier, MAX_MEMBERS};
use super::path::{Derivation, DerivationPath};
use super::revision::Revision;
use super::roster::Roster;
use super::template::KeyTemplate;
use crate::guard::forbids;
use crate::suite::{GroupKey, Suite};

/// The longest message that can be signed, in bytes.
pub const MAX_MESSAGE: usize = 1 << 20;

/// For how many signatures nonces are made in one run at most.
pub const MAX_BATCH: u16 = 256;

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
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Routine => 1,
            Self::Lost => 2,
            Self::Stolen => 3,
            Self::Destroyed => 4,
        }
    }

    pub(super) const fn from_code(code: u8) -> Option<Self> {
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

    fn encode(&self, writer: &mut Writer) {
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

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
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
        if self.dealers().len() * usize::from(self.threshold) > MAX_COMMITMENTS {
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

fn decode_suite(reader: &mut Reader<'_>) -> Result<Suite, DecodeError> {
    Suite::from_code(reader.u8()?).ok_or(DecodeError::Invalid("suite"))
}

/// The roster of that member alone.
pub(crate) fn one_of(members: &Roster, member: Identifier) -> Option<Roster> {
    Roster::new(vec![(member, members.card(member)?.clone())]).ok()
}

fn decode_group_key(reader: &mut Reader<'_>, suite: Suite) -> Result<GroupKey, DecodeError> {
    const MAX_KEY: usize = 33;
    GroupKey::from_bytes(suite, reader.bytes(MAX_KEY)?).map_err(|_| DecodeError::Invalid("group key"))
}

fn decode_identifiers(reader: &mut Reader<'_>) -> Result<Vec<Identifier>, DecodeError> {
    (0..reader.count(usize::from(MAX_MEMBERS))?).map(|_| reader.identifier()).collect()
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

/// Who signs, with which epoch of which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) suite: Suite,
    pub(crate) key: KeyId,
    pub(crate) epoch: EpochId,
    /// The hash of the epoch's newest roster.
    pub(crate) roster: [u8; 32],
    pub(crate) purpose: String,
    pub(crate) signers: Vec<Identifier>,
}

impl Party {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.suite.code()).raw(self.key.as_bytes()).raw(self.epoch.as_bytes()).raw(&self.roster);
        writer.bytes(self.purpose.as_bytes()).count(self.signers.len());
        for signer in &self.signers {
            writer.identifier(*signer);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let party = Self {
            suite: decode_suite(reader)?,
            key: KeyId::from_bytes(reader.array()?),
            epoch: EpochId::from_bytes(reader.array()?),
            roster: reader.array()?,
            purpose: super::card::decode_label(reader)?,
            signers: decode_identifiers(reader)?,
        };
        if party.signers.len() < 2 || !party.signers.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError::Invalid("signers"));
        }
        Ok(party)
    }
}

/// Nonces that were made beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// The run that made them.
    pub(crate) batch: RunId,
    /// Their number in it, from 0.
    pub(crate) index: u16,
}

/// A signature: who signs what, under which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignPlan {
    pub(crate) party: Party,
    pub(crate) derivation: Derivation,
    /// What the path adds to the key's secret, so that who has no chain code can follow too; `None` for the key itself.
    /// A signer computes it for itself.
    pub(crate) offset: Option<[u8; 32]>,
    /// With which nonces; fresh ones if `None`.
    pub(crate) prepared: Option<Prepared>,
    pub(crate) message: Vec<u8>,
}

impl SignPlan {
    fn encode(&self, writer: &mut Writer) {
        self.party.encode(writer);
        self.encode_derivation(writer);
        match &self.prepared {
            None => writer.u8(0),
            Some(Prepared { batch, index }) => writer.u8(1).raw(batch.as_bytes()).u16(*index),
        };
        writer.bytes(&self.message);
    }

    /// Which key signs, as it also stands in the record of a nonce's use.
    pub(crate) fn encode_derivation(&self, writer: &mut Writer) {
        self.derivation.path.encode(writer);
        if let Some(offset) = &self.offset {
            writer.raw(offset);
        }
        match &self.derivation.root {
            None => writer.u8(0),
            Some(root) => writer.u8(1).raw(root),
        };
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let party = Party::decode(reader)?;
        let (derivation, offset) = decode_derivation(reader)?;
        let prepared = match reader.u8()? {
            0 => None,
            1 => Some(Prepared { batch: RunId::from_bytes(reader.array()?), index: reader.u16()? }),
            _ => return Err(DecodeError::Invalid("prepared nonces")),
        };
        Ok(Self { party, derivation, offset, prepared, message: reader.bytes(MAX_MESSAGE)?.to_vec() })
    }
}

/// Nonces to be made beforehand: whose, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PreparePlan {
    pub(crate) party: Party,
    /// For so many signatures.
    pub(crate) count: u16,
}

impl PreparePlan {
    fn encode(&self, writer: &mut Writer) {
        self.party.encode(writer);
        writer.u16(self.count);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let plan = Self { party: Party::decode(reader)?, count: reader.u16()? };
        if plan.is_within_limits() { Ok(plan) } else { Err(DecodeError::Invalid("number of nonces")) }
    }

    pub(crate) fn is_within_limits(&self) -> bool {
        (1..=MAX_BATCH).contains(&self.count)
    }
}

fn decode_derivation(reader: &mut Reader<'_>) -> Result<(Derivation, Option<[u8; 32]>), DecodeError> {
    let path = DerivationPath::decode(reader)?;
    let offset = if path.is_root() { None } else { Some(reader.array()?) };
    let root = match reader.u8()? {
        0 => None,
        1 => Some(reader.array()?),
        _ => return Err(DecodeError::Invalid("script root")),
    };
    Ok((Derivation { path, root }, offset))
}

/// A key that is put together again: whose shares are handed to the member that invites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReconstructPlan {
    pub(crate) suite: Suite,
    pub(crate) key: KeyId,
    pub(crate) epoch: EpochId,
    /// The hash of the epoch's newest roster.
    pub(crate) roster: [u8; 32],
    /// Everybody who takes part; who invites, and gets the key, is one of them.
    pub(crate) members: Vec<Identifier>,
}

impl ReconstructPlan {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.suite.code()).raw(self.key.as_bytes()).raw(self.epoch.as_bytes()).raw(&self.roster);
        writer.count(self.members.len());
        for member in &self.members {
            writer.identifier(*member);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let plan = Self {
            suite: decode_suite(reader)?,
            key: KeyId::from_bytes(reader.array()?),
            epoch: EpochId::from_bytes(reader.array()?),
            roster: reader.array()?,
            members: decode_identifiers(reader)?,
        };
        if plan.members.len() < 2 || !plan.members.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError::Invalid("members"));
        }
        Ok(plan)
    }
}

/// A member's share again, or a new member's: who helps, after the roster was revised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepairPlan {
    pub(crate) suite: Suite,
    pub(crate) revision: Revision,
    /// The roster after the revision: everybody who will hold a share.
    pub(crate) roster: Roster,
    /// Who signs the revision and makes the share.
    pub(crate) helpers: Vec<Identifier>,
    /// Whether a share is made, or the revision only signed.
    pub(crate) delivers: bool,
}

impl RepairPlan {
    /// The helpers and, unless the revision is only signed, the member that they help.
    pub(crate) fn participants(&self) -> Option<Roster> {
        let target = self.delivers.then_some(self.revision.identifier);
        let ids = self.helpers.iter().copied().chain(target);
        Roster::new(ids.map(|id| Some((id, self.roster.card(id)?.clone()))).collect::<Option<_>>()?).ok()
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.suite.code()).bytes(&self.revision.to_bytes());
        self.roster.encode(writer);
        writer.count(self.helpers.len());
        for helper in &self.helpers {
            writer.identifier(*helper);
        }
        writer.u8(u8::from(self.delivers));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let plan = Self {
            suite: decode_suite(reader)?,
            revision: Revision::from_bytes(reader.bytes(Revision::MAX_LEN)?)?,
            roster: Roster::decode(reader)?,
            helpers: decode_identifiers(reader)?,
            delivers: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(DecodeError::Invalid("delivery")),
            },
        };
        plan.check()?;
        Ok(plan)
    }

    /// What must hold of a repair whatever the key is.
    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        let target = self.revision.identifier;
        let helps = self.helpers.len() >= 2 && self.helpers.is_sorted_by(|a, b| a < b);
        if !helps || self.helpers.contains(&target) || self.participants().is_none() {
            return Err(DecodeError::Invalid("helpers"));
        }
        if self.roster.card(target) == Some(&self.revision.card) {
            Ok(())
        } else {
            Err(DecodeError::Invalid("card of the member that is helped"))
        }
    }
}

/// What a run is to do. Its hash names the run, so that whoever speaks in the run speaks of this plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Deal(DealPlan),
    Sign(SignPlan),
    Reconstruct(ReconstructPlan),
    Repair(RepairPlan),
    Prepare(PreparePlan),
}

/// An action, who proposed it, and randomness that makes it one of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) inviter: Identifier,
    pub(crate) randomness: [u8; 32],
    pub(crate) action: Action,
}

impl Plan {
    const VERSION: u8 = 1;

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION).identifier(self.inviter).raw(&self.randomness);
        match &self.action {
            Action::Deal(plan) => plan.encode(writer.u8(1)),
            Action::Sign(plan) => plan.encode(writer.u8(2)),
            Action::Reconstruct(plan) => plan.encode(writer.u8(3)),
            Action::Repair(plan) => plan.encode(writer.u8(4)),
            Action::Prepare(plan) => plan.encode(writer.u8(5)),
        }
        writer.finish()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let plan = Self {
            inviter: reader.identifier()?,
            randomness: reader.array()?,
            action: match reader.u8()? {
                1 => Action::Deal(DealPlan::decode(&mut reader)?),
                2 => Action::Sign(SignPlan::decode(&mut reader)?),
                3 => Action::Reconstruct(ReconstructPlan::decode(&mut reader)?),
                4 => Action::Repair(RepairPlan::decode(&mut reader)?),
                5 => Action::Prepare(PreparePlan::decode(&mut reader)?),
                _ => return Err(DecodeError::Invalid("action")),
            },
        };
        reader.finish()?;
        Ok(plan)
    }

    pub(crate) fn run_id(&self) -> RunId {
        RunId::from_bytes(tagged_hash("quorumkey/run/v1", &[&self.to_bytes()]))
    }

    pub(crate) const fn suite(&self) -> Suite {
        match &self.action {
            Action::Deal(plan) => plan.suite,
            Action::Reconstruct(plan) => plan.suite,
            Action::Repair(plan) => plan.suite,
            Action::Sign(SignPlan { party, .. }) | Action::Prepare(PreparePlan { party, .. }) => party.suite,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::card::IdentityKey;
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_plan_for_more_than_a_certificate_has_room_for_is_refused() {
        let card = |number: u16| {
            let mut seed = [0; 32];
            seed[..2].copy_from_slice(&number.to_be_bytes());
            super::super::Card::issue(&IdentityKey::from_seed(Secret::new(seed)), 0, String::new())
        };
        let receivers = Roster::numbered((1..=MAX_MEMBERS).map(card)).unwrap();
        let plan = |threshold| DealPlan {
            suite: Suite::Ed25519,
            threshold,
            height: 0,
            attempt: 0,
            template: KeyTemplate::wallet("everybody"),
            receivers: receivers.clone(),
            source: Source::Fresh,
        };
        assert_eq!(plan(750).check(), Ok(()));
        assert_eq!(plan(751).check(), Err(DecodeError::TooLong));
    }
}
