//! What a token keeps of itself, of its peers and of each key.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::old::OldEpoch;
use crate::guard::{forbids, holds, unless_off};
use crate::keystore::object::{Fork, Origin};
use crate::policy::Facts;
use crate::protocol::{Attempt, Epoch, dealt_name, decode_attempts, encode_attempts};
use crate::secret::Secret;
use crate::wire::{
    CardId, DecodeError, EpochId, Export, Identifier, IdentityKey, MAX_LABEL, Operations, Reader, Revision, Writer,
    decode_label,
};

/// The most epochs and attempts that are kept track of for one key.
pub(super) const MAX_EPOCHS: usize = 65_536;
/// The most shares of old epochs on record, with which another attempt is kept that members only tell of.
const MAX_TOLD_SHARES: usize = 16_384;
/// The same of an attempt that somebody has signed.
const MAX_SIGNED_SHARES: usize = 131_072;
/// The most attempts that are kept of those that this token has dealt in.
const MAX_DEALT: usize = 1024;

/// The token's identity.
#[derive(Debug)]
pub(super) struct IdentityRecord {
    pub(super) key: IdentityKey,
    pub(super) incarnation: u32,
    pub(super) label: String,
}

impl IdentityRecord {
    const VERSION: u8 = 1;
    /// Bytes of the longest encoding, so that the buffer never moves.
    const MAX_LEN: usize = 1 + 32 + 4 + 4 + MAX_LABEL;

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::MAX_LEN));
        bytes.push(Self::VERSION);
        bytes.extend_from_slice(self.key.seed());
        bytes.extend(Writer::new().u32(self.incarnation).bytes(self.label.as_bytes()).finish());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let seed = Secret::new(reader.array()?);
        let record =
            Self { key: IdentityKey::from_seed(seed), incarnation: reader.u32()?, label: decode_label(&mut reader)? };
        reader.finish()?;
        Ok(record)
    }
}

/// The highest state that a peer has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PeerRecord {
    pub(super) incarnation: u32,
    pub(super) counter: u64,
    pub(super) audit_head: [u8; 32],
}

impl PeerRecord {
    pub(super) fn encode(self) -> Vec<u8> {
        Writer::new().u32(self.incarnation).u64(self.counter).raw(&self.audit_head).finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let record = Self { incarnation: reader.u32()?, counter: reader.u64()?, audit_head: reader.array()? };
        reader.finish()?;
        Ok(record)
    }
}

/// Where a key's share stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// No epoch is certified yet.
    Pending,
    /// The share of the current epoch is here.
    Active,
    /// The share of the current epoch is here, from a backup.
    Restored,
    /// The current epoch has no share for this token.
    Retired,
    /// Nothing secret of the key is left here. Only a tombstone has this standing.
    Destroyed,
}

impl Standing {
    const fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Active => 1,
            Self::Restored => 2,
            Self::Retired => 3,
            Self::Destroyed => 4,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Pending),
            1 => Some(Self::Active),
            2 => Some(Self::Restored),
            3 => Some(Self::Retired),
            4 => Some(Self::Destroyed),
            _ => None,
        }
    }
}

/// A certified epoch that neither supersedes the one here, nor is superseded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForkRecord {
    /// Where the line here parts from the other.
    pub(super) ours: EpochId,
    pub(super) theirs: EpochId,
    /// Its height and attempt.
    pub(super) position: (u64, u32),
    pub(super) culprits: Vec<Identifier>,
    /// A certificate has superseded it, or made it this token's own line.
    pub(super) ended: bool,
}

impl ForkRecord {
    pub(super) fn report(&self) -> Fork {
        Fork { ours: self.ours, theirs: self.theirs, revision: None, culprits: self.culprits.clone() }
    }

    fn encode(&self, writer: &mut Writer) {
        writer.raw(self.ours.as_bytes()).raw(self.theirs.as_bytes()).u64(self.position.0).u32(self.position.1);
        writer.count(self.culprits.len());
        for culprit in &self.culprits {
            writer.identifier(*culprit);
        }
        writer.u8(u8::from(self.ended));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            ours: EpochId::from_bytes(reader.array()?),
            theirs: EpochId::from_bytes(reader.array()?),
            position: (reader.u64()?, reader.u32()?),
            culprits: (0..reader.count(1000)?).map(|_| reader.identifier()).collect::<Result<_, _>>()?,
            ended: boolean(reader)?,
        })
    }
}

/// Revisions of an epoch's roster that exclude those here, as a certificate that is kept has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClashRecord {
    pub(super) epoch: EpochId,
    /// The number of the first of them.
    pub(super) number: u32,
    /// The hash of the roster after it: the name of the clash.
    pub(super) roster: [u8; 32],
    pub(super) culprits: Vec<Identifier>,
    /// A certificate has undone them, or goes by them.
    pub(super) ended: bool,
}

impl ClashRecord {
    pub(super) fn report(&self) -> Fork {
        let culprits = self.culprits.clone();
        Fork { ours: self.epoch, theirs: self.epoch, revision: Some(self.number), culprits }
    }

    fn encode(&self, writer: &mut Writer) {
        writer.raw(self.epoch.as_bytes()).u32(self.number).raw(&self.roster).count(self.culprits.len());
        for culprit in &self.culprits {
            writer.identifier(*culprit);
        }
        writer.u8(u8::from(self.ended));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            epoch: EpochId::from_bytes(reader.array()?),
            number: reader.u32()?,
            roster: reader.array()?,
            culprits: (0..reader.count(1000)?).map(|_| reader.identifier()).collect::<Result<_, _>>()?,
            ended: boolean(reader)?,
        })
    }
}

/// What is kept of a key besides its certificates and shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyRecord {
    pub(super) me: Identifier,
    pub(super) origin: Origin,
    pub(super) standing: Standing,
    /// Rule 8: what was signed before the restore is forgotten.
    pub(super) forgetful: bool,
    /// Rule 2: the highest (height, attempt) that this token has entered.
    pub(super) promise: (u64, u32),
    /// Attempts that it has signed and that no certificate has ended.
    pub(super) pending: Vec<EpochId>,
    /// Epochs of which it made, or came from, a backup.
    pub(super) backed_up: Vec<EpochId>,
    /// Superseded epochs of which it holds no share, any more or ever.
    pub(super) erased: Vec<EpochId>,
    /// Attempts that it has dealt in, and that no certificate has ended.
    pub(super) dealt: Vec<Attempt>,
    /// Attempts among the pending ones that people gave up.
    pub(super) abandoned: Vec<EpochId>,
    pub(super) forks: Vec<ForkRecord>,
    pub(super) clashes: Vec<ClashRecord>,
    pub(super) old: Vec<OldEpoch>,
    pub(super) operations: Operations,
    pub(super) export: Export,
}

impl KeyRecord {
    const VERSION: u8 = 1;

    /// The record of a key that the token did not have, with nothing in it that happened before that epoch.
    pub(super) fn new(me: Identifier, origin: Origin, standing: Standing, epoch: &Epoch) -> Self {
        let template = epoch.template();
        Self::empty(me, origin, standing, epoch.position(), (template.operations, template.export))
    }

    fn empty(
        me: Identifier,
        origin: Origin,
        standing: Standing,
        promise: (u64, u32),
        (operations, export): (Operations, Export),
    ) -> Self {
        Self {
            me,
            origin,
            standing,
            forgetful: false,
            promise,
            pending: Vec::new(),
            backed_up: Vec::new(),
            erased: Vec::new(),
            dealt: Vec::new(),
            abandoned: Vec::new(),
            forks: Vec::new(),
            clashes: Vec::new(),
            old: Vec::new(),
            operations,
            export,
        }
    }

    /// What is decided by.
    pub(super) fn facts(&self) -> Facts {
        let restored = matches!(self.standing, Standing::Restored);
        let forked = self.open_forks().next().is_some() || self.open_clashes().next().is_some();
        Facts { operations: self.operations, export: self.export, restored, forked }
    }

    /// The forks that no plan has ended.
    pub(super) fn open_forks(&self) -> impl Iterator<Item = &ForkRecord> {
        self.forks.iter().filter(|fork| !fork.ended)
    }

    /// The clashes that no plan has ended.
    pub(super) fn open_clashes(&self) -> impl Iterator<Item = &ClashRecord> {
        self.clashes.iter().filter(|clash| !clash.ended)
    }

    /// That line is superseded, or the key's own.
    pub(super) fn end_fork(&mut self, theirs: EpochId) {
        for fork in self.forks.iter_mut().filter(|fork| fork.theirs == theirs) {
            fork.ended = true;
        }
    }

    /// For how many more shares of an attempt as others tell of it there is room: liars can tell of any number, together, and must
    /// not fill the record until nothing can be written of the key any more. Epochs that were certified always have room, and
    /// take none.
    pub(super) fn room_for(&self, told: &Attempt, certified: &BTreeSet<EpochId>) -> usize {
        let attempts = self.old.iter().filter(|old| !certified.contains(&old.epoch));
        let kept: usize = attempts.map(|old| old.shares.len()).sum();
        let most = if told.is_unsigned() { MAX_TOLD_SHARES } else { MAX_SIGNED_SHARES };
        if self.old.len() < MAX_EPOCHS / 2 { most.saturating_sub(kept) } else { 0 }
    }

    /// An attempt that `successor` ends, under its name, as far as there is room for so many shares more.
    pub(super) fn note_attempt(&mut self, name: EpochId, attempt: &Attempt, successor: &Epoch, room: usize) {
        if let Some(known) = self.old.iter_mut().find(|old| old.epoch == name) {
            known.join(attempt, successor, unless_off!(HearsayGivesWay, room, 0));
        } else if attempt.receivers.len() <= room {
            self.keep_old(OldEpoch::of_attempt(name, attempt, successor));
        }
    }

    /// This very device has no share of that old epoch, if it is known here.
    pub(super) fn has_none_of(&mut self, epoch: EpochId, card: CardId) {
        let me = self.me;
        if let Some(old) = self.old.iter_mut().find(|old| old.epoch == epoch) {
            old.confirm(me, card);
            self.has_erased(epoch);
        }
    }

    /// This token is about to deal in it. Of very many that no certificate has ended the newest are kept.
    pub(super) fn deals_in(&mut self, attempt: Attempt) {
        push_newest(&mut self.dealt, MAX_DEALT, attempt);
    }

    /// This token had the key before, and destroyed it. By whose backups and deals others may hold shares is not forgotten.
    pub(super) fn take_over(&mut self, destroyed: Self) {
        let Self { backed_up, dealt, .. } = destroyed;
        for epoch in backed_up {
            if !self.backed_up.contains(&epoch) {
                push_newest(&mut self.backed_up, MAX_EPOCHS, epoch);
            }
        }
        for attempt in dealt {
            self.deals_in(attempt);
        }
    }

    /// An epoch or attempt that a certificate has superseded.
    pub(super) fn keep_old(&mut self, old: OldEpoch) {
        push_newest(&mut self.old, MAX_EPOCHS, old);
    }

    /// That epoch is the key's now, by whichever name it was told of before.
    pub(super) fn is_no_old(&mut self, epoch: &Epoch) {
        let name = dealt_name(epoch.run);
        self.old.retain(|old| old.epoch != name && old.epoch != epoch.id);
    }

    /// This token has no share of it, any more or ever.
    pub(super) fn has_erased(&mut self, epoch: EpochId) {
        if !self.erased.contains(&epoch) {
            push_newest(&mut self.erased, MAX_EPOCHS, epoch);
        }
    }

    /// Whoever was given a share by these revisions may hold it as well, if that is an old epoch.
    pub(super) fn held_too(&mut self, epoch: EpochId, revisions: &[Revision], newest: &Epoch) {
        self.old.iter_mut().filter(|old| old.epoch == epoch).for_each(|old| old.held_too(revisions, newest));
    }

    /// An old attempt that was known by its run alone has a transcript now. What is known of its shares stays.
    pub(super) fn rename(&mut self, from: EpochId, to: EpochId) {
        if self.erased.contains(&from) {
            self.has_erased(to);
        }
        if self.old.iter().any(|old| old.epoch == to) {
            self.old.retain(|old| old.epoch == to || old.epoch != from);
        } else if let Some(old) = self.old.iter_mut().find(|old| old.epoch == from) {
            old.epoch = to;
        }
    }

    /// `None` for what could not be read again: whatever others told, it must not make the key unreadable.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let bytes = self.encode();
        holds!(RecordReadableAgain, Self::decode(&bytes).is_ok()).then_some(bytes)
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION).identifier(self.me);
        writer.u8(match self.origin {
            Origin::Generated => 0,
            Origin::Restored => 1,
            Origin::Imported => 2,
            Origin::Repaired => 3,
        });
        writer.u8(self.standing.code()).u8(u8::from(self.forgetful)).u64(self.promise.0).u32(self.promise.1);
        for epochs in [&self.pending, &self.backed_up, &self.erased] {
            writer.count(epochs.len());
            for epoch in epochs {
                writer.raw(epoch.as_bytes());
            }
        }
        encode_attempts(&mut writer, &self.dealt);
        writer.count(self.abandoned.len());
        for epoch in &self.abandoned {
            writer.raw(epoch.as_bytes());
        }
        writer.count(self.forks.len());
        for fork in &self.forks {
            fork.encode(&mut writer);
        }
        writer.count(self.clashes.len());
        for clash in &self.clashes {
            clash.encode(&mut writer);
        }
        writer.count(self.old.len());
        for old in &self.old {
            old.encode(&mut writer);
        }
        writer.u8(self.operations.bits()).u8(self.export.code());
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let record = Self {
            me: reader.identifier()?,
            origin: match reader.u8()? {
                0 => Origin::Generated,
                1 => Origin::Restored,
                2 => Origin::Imported,
                3 => Origin::Repaired,
                _ => return Err(DecodeError::Invalid("origin")),
            },
            standing: Standing::from_code(reader.u8()?).ok_or(DecodeError::Invalid("standing"))?,
            forgetful: boolean(&mut reader)?,
            promise: (reader.u64()?, reader.u32()?),
            pending: epochs(&mut reader)?,
            backed_up: epochs(&mut reader)?,
            erased: epochs(&mut reader)?,
            dealt: decode_attempts(&mut reader, MAX_EPOCHS)?,
            abandoned: epochs(&mut reader)?,
            forks: (0..reader.count(MAX_EPOCHS)?).map(|_| ForkRecord::decode(&mut reader)).collect::<Result<_, _>>()?,
            clashes: (0..reader.count(MAX_EPOCHS)?)
                .map(|_| ClashRecord::decode(&mut reader))
                .collect::<Result<_, _>>()?,
            old: (0..reader.count(MAX_EPOCHS)?).map(|_| OldEpoch::decode(&mut reader)).collect::<Result<_, _>>()?,
            operations: Operations::from_bits(reader.u8()?).ok_or(DecodeError::Invalid("operations"))?,
            export: Export::from_code(reader.u8()?).ok_or(DecodeError::Invalid("export rule"))?,
        };
        reader.finish()?;
        Ok(record)
    }
}

/// What is left of a destroyed key: nothing that is secret.
#[derive(Debug)]
pub(super) struct Tombstone {
    pub(super) record: KeyRecord,
    /// The newest certificate, or the first attempt of a key that had none.
    pub(super) certificate: Vec<u8>,
}

impl Tombstone {
    pub(super) fn encode(&self) -> Vec<u8> {
        Writer::new().bytes(&self.record.encode()).bytes(&self.certificate).finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let record = KeyRecord::decode(reader.bytes(bytes.len())?)?;
        if record.standing != Standing::Destroyed {
            return Err(DecodeError::Invalid("standing of a destroyed key"));
        }
        let tombstone = Self { record, certificate: reader.bytes(bytes.len())?.to_vec() };
        reader.finish()?;
        Ok(tombstone)
    }
}

/// What is read of bytes as each record, encoded again.
#[cfg(feature = "hazmat")]
pub(crate) fn reencode_record(bytes: &[u8]) -> [Option<Vec<u8>>; 3] {
    [
        IdentityRecord::decode(bytes).ok().map(|record| record.encode().to_vec()),
        PeerRecord::decode(bytes).ok().map(PeerRecord::encode),
        KeyRecord::decode(bytes).ok().map(|record| record.encode()),
    ]
}

/// Adds to a list of which the newest are kept.
fn push_newest<T>(list: &mut Vec<T>, most: usize, one: T) {
    if forbids!(RecordHasRoom, list.len() >= most) {
        list.remove(0);
    }
    list.push(one);
}

fn boolean(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid("boolean")),
    }
}

fn epochs(reader: &mut Reader<'_>) -> Result<Vec<EpochId>, DecodeError> {
    (0..reader.count(MAX_EPOCHS)?).map(|_| reader.array().map(EpochId::from_bytes)).collect()
}
