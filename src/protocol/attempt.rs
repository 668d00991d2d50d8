//! Attempts at an epoch, as the transcripts after them name them, and who can end one.
//!
//! Power over the key passes when shares are dealt, not when a certificate is there. So whoever renews the shares for
//! others than an attempt's receivers must have enough of those with it, or know that the attempt can't be certified.

use std::collections::BTreeMap;

use super::epoch::{Epoch, deal_plan};
use crate::guard::holds;
use crate::wire::{
    CardId, DealPlan, DecodeError, EpochId, Identifier, MAX_MEMBERS, Plan, Reader, Roster, RunId, Writer, tagged_hash,
};

/// The most attempts that a join tells its sender dealt in.
pub(super) const MAX_DEALT: usize = 64;
/// The most members that those have together, each as often as it deals and receives.
const MAX_DEALT_SEATS: usize = 4096;

/// A member of an attempt, by the card that it had there.
pub(crate) type Seat = (Identifier, CardId);

/// A dealing that no certificate has ended, or that one has which lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Its transcript's hash. Of one that was dealt, and that no member of the naming run signed, a name made of its run.
    pub(crate) epoch: EpochId,
    pub(crate) run: RunId,
    /// Height and attempt.
    pub(crate) position: (u64, u32),
    pub(crate) threshold: u16,
    pub(crate) dealers: Vec<Seat>,
    pub(crate) receivers: Vec<Seat>,
    /// Those of the naming run's members that say that they signed it; of a losing line everybody who did.
    pub(crate) signers: Vec<Identifier>,
}

impl Attempt {
    /// An attempt whose transcript somebody has signed.
    pub(crate) fn signed(epoch: &Epoch) -> Self {
        Self { epoch: epoch.id, ..Self::of(epoch.run, &epoch.plan) }
    }

    /// An attempt that somebody has dealt in.
    pub(crate) fn dealt(plan: &Plan) -> Option<Self> {
        Some(Self::of(plan.run_id(), deal_plan(plan)?))
    }

    fn of(run: RunId, plan: &DealPlan) -> Self {
        let seats = |roster: &Roster| roster.iter().map(|(id, card)| (id, card.id())).collect();
        Self {
            epoch: dealt_name(run),
            run,
            position: (plan.height, plan.attempt),
            threshold: plan.threshold,
            dealers: seats(plan.dealers()),
            receivers: seats(&plan.receivers),
            signers: Vec::new(),
        }
    }

    /// Whether nobody in the naming run has signed it: it is named for the report of who may hold its shares.
    pub(crate) fn is_unsigned(&self) -> bool {
        self.epoch == dealt_name(self.run)
    }

    /// Rule 5: whether these members can end it. Either enough of its receivers sign what ends it, so that no quorum of
    /// them can go on from it; or enough of those whose signatures it needs have not signed it and, by entering, promise
    /// that they never will: one of them is honest.
    fn is_ended_by(&self, members: &Roster, forgetful: &[Identifier], parent: &Epoch) -> bool {
        let here =
            |(id, card): &Seat| !forgetful.contains(id) && members.card(*id).is_some_and(|now| now.id() == *card);
        let promises = |seat: &Seat| here(seat) && !self.signers.contains(&seat.0);
        let count = |seats: &[Seat], of: &dyn Fn(&Seat) -> bool| seats.iter().filter(|seat| of(seat)).count();
        let quorum = parent.template().quorum.of(self.threshold, self.receivers.len());
        // Whose shares its dealers had is known of attempts to renew the same epoch.
        let same_parent = parent.plan.height.checked_add(1) == Some(self.position.0);
        self.is_unsigned()
            || count(&self.receivers, &here) >= quorum
            || count(&self.receivers, &promises) >= usize::from(self.threshold)
            || (same_parent && count(&self.dealers, &promises) >= usize::from(parent.threshold()))
    }

    fn seats(&self) -> usize {
        self.dealers.len() + self.receivers.len()
    }

    /// Those at the end that a member tells of in one join: any member can make attempts up that nobody signed.
    pub(super) fn newest(dealt: &[Self]) -> &[Self] {
        let (mut first, mut seats) = (dealt.len(), 0);
        for attempt in dealt.iter().rev().take(MAX_DEALT) {
            seats += attempt.seats();
            if seats > MAX_DEALT_SEATS {
                break;
            }
            first -= 1;
        }
        dealt.get(first..).unwrap_or_default()
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.raw(self.epoch.as_bytes()).raw(self.run.as_bytes()).u64(self.position.0).u32(self.position.1);
        writer.u16(self.threshold);
        for seats in [&self.dealers, &self.receivers] {
            writer.count(seats.len());
            for (id, card) in seats {
                writer.identifier(*id).raw(card.as_bytes());
            }
        }
        encode_identifiers(writer, &self.signers);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let attempt = Self {
            epoch: EpochId::from_bytes(reader.array()?),
            run: RunId::from_bytes(reader.array()?),
            position: (reader.u64()?, reader.u32()?),
            threshold: reader.u16()?,
            dealers: decode_seats(reader)?,
            receivers: decode_seats(reader)?,
            signers: decode_identifiers(reader)?,
        };
        let threshold = usize::from(attempt.threshold);
        if threshold < 2 || threshold > attempt.receivers.len() {
            return Err(DecodeError::Invalid("threshold"));
        }
        if attempt.is_unsigned() != attempt.signers.is_empty() {
            return Err(DecodeError::Invalid("signers of an attempt"));
        }
        Ok(attempt)
    }
}

/// The name of an attempt whose transcript is not known.
pub(crate) fn dealt_name(run: RunId) -> EpochId {
    EpochId::from_bytes(tagged_hash("quorumkey/dealt/v1", &[run.as_bytes()]))
}

fn decode_seats(reader: &mut Reader<'_>) -> Result<Vec<Seat>, DecodeError> {
    let seats = (0..reader.count(usize::from(MAX_MEMBERS))?)
        .map(|_| Ok((reader.identifier()?, CardId::from_bytes(reader.array()?))))
        .collect::<Result<Vec<_>, DecodeError>>()?;
    if seats.is_sorted_by(|a, b| a < b) { Ok(seats) } else { Err(DecodeError::Invalid("order of members")) }
}

fn encode_identifiers(writer: &mut Writer, identifiers: &[Identifier]) {
    writer.count(identifiers.len());
    for id in identifiers {
        writer.identifier(*id);
    }
}

fn decode_identifiers(reader: &mut Reader<'_>) -> Result<Vec<Identifier>, DecodeError> {
    let identifiers =
        (0..reader.count(usize::from(MAX_MEMBERS))?).map(|_| reader.identifier()).collect::<Result<Vec<_>, _>>()?;
    if identifiers.is_sorted_by(|a, b| a < b) { Ok(identifiers) } else { Err(DecodeError::Invalid("order of members")) }
}

/// What the members that enter a dealing say of themselves and of the past, as its transcript keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entrants {
    /// Attempts that any of them signed or dealt in, by their names.
    pub(crate) named: Vec<Attempt>,
    /// Who has forgotten what it signed.
    pub(crate) forgetful: Vec<Identifier>,
    /// Whose security officer lifts the rules for this run.
    pub(crate) overridden: Vec<Identifier>,
}

impl Entrants {
    const MAX_NAMED: usize = 16_384;
    /// The most members that attempts have together which nobody signed: a transcript has room for them.
    const MAX_SEATS: usize = 16_384;

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.count(self.named.len());
        for attempt in &self.named {
            attempt.encode(writer);
        }
        encode_identifiers(writer, &self.forgetful);
        encode_identifiers(writer, &self.overridden);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let named =
            (0..reader.count(Self::MAX_NAMED)?).map(|_| Attempt::decode(reader)).collect::<Result<Vec<_>, _>>()?;
        if !named.is_sorted_by(|a, b| a.epoch < b.epoch) {
            return Err(DecodeError::Invalid("order of attempts"));
        }
        Ok(Self { named, forgetful: decode_identifiers(reader)?, overridden: decode_identifiers(reader)? })
    }

    /// The first attempt that the members of this plan can't end (rule 5).
    pub(crate) fn unended(&self, plan: &DealPlan, parent: &Epoch) -> Option<EpochId> {
        let members = plan.participants()?;
        let ended = |attempt: &&Attempt| attempt.is_ended_by(&members, &self.forgetful, parent);
        self.named.iter().find(|attempt| !ended(attempt)).map(|attempt| attempt.epoch)
    }

    /// The height that a plan has: one above its parent and every line that loses by it. `None` if one of them is not named.
    pub(crate) fn above(&self, plan: &DealPlan, parent: &Epoch) -> Option<u64> {
        let height =
            |line: &EpochId| self.named.iter().find(|named| named.epoch == *line).map(|named| named.position.0);
        let lines = plan.losing().iter().map(height).collect::<Option<Vec<_>>>()?;
        lines.into_iter().chain([parent.plan.height]).max()?.checked_add(1)
    }

    /// Whether the officers of a quorum of the old members lift the rules.
    pub(crate) fn is_overridden(&self, plan: &DealPlan, parent: &Epoch) -> bool {
        let Some(members) = plan.participants() else { return false };
        let old = |id: &&Identifier| {
            let now = members.card(**id).map(crate::wire::Card::identity);
            now.is_some() && now == parent.roster().card(**id).map(crate::wire::Card::identity)
        };
        holds!(OverrideTakesAQuorum, self.overridden.iter().filter(old).count() >= parent.quorum())
    }

    /// Adds what a member reports: that these signed this one.
    pub(super) fn sign(named: &mut BTreeMap<EpochId, Attempt>, attempt: Attempt, by: &[Identifier]) {
        let signers = &mut named.entry(attempt.epoch).or_insert(attempt).signers;
        signers.extend_from_slice(by);
        signers.sort_unstable();
        signers.dedup();
    }

    /// Adds what a member reports: that it dealt in this one. Reports that differ are all kept: any of them may be true.
    pub(super) fn deal(named: &mut BTreeMap<EpochId, Attempt>, attempt: Attempt) {
        if named.values().any(|known| known.run == attempt.run && !known.is_unsigned()) {
            return;
        }
        let known = named.entry(attempt.epoch).or_insert_with(|| attempt.clone());
        known.threshold = known.threshold.min(attempt.threshold);
        let new: Vec<_> = attempt.receivers.into_iter().filter(|seat| !known.receivers.contains(seat)).collect();
        let room = usize::from(MAX_MEMBERS).saturating_sub(known.receivers.len());
        known.receivers.extend(new.into_iter().take(room));
        known.receivers.sort_unstable();
    }

    /// Leaves out what members say that they dealt in, above what there is room for. It supersedes nothing, and each of
    /// them has it on record itself.
    pub(super) fn make_room(named: &mut BTreeMap<EpochId, Attempt>) {
        let mut seats = 0;
        named.retain(|_, attempt| {
            seats += if attempt.is_unsigned() { attempt.seats() } else { 0 };
            !attempt.is_unsigned() || seats <= Self::MAX_SEATS
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(numbers: core::ops::RangeInclusive<u16>, card: u8) -> Vec<Seat> {
        numbers.map(|number| (Identifier::new(number).unwrap(), CardId::from_bytes([card; 32]))).collect()
    }

    /// An attempt in the run of that number, as somebody says that it dealt in it.
    fn told(run: u16, receivers: Vec<Seat>) -> Attempt {
        let run = RunId::from_bytes([run.to_be_bytes(); 16].concat().try_into().unwrap());
        let (epoch, dealers) = (dealt_name(run), seats(1..=2, 1));
        Attempt { epoch, run, position: (1, 1), threshold: 2, dealers, receivers, signers: Vec::new() }
    }

    fn entrants(told: impl IntoIterator<Item = Attempt>) -> Entrants {
        let mut named = BTreeMap::new();
        for attempt in told {
            Entrants::deal(&mut named, attempt);
        }
        Entrants::make_room(&mut named);
        Entrants { named: named.into_values().collect(), forgetful: Vec::new(), overridden: Vec::new() }
    }

    #[track_caller]
    fn can_be_read(entrants: &Entrants) -> usize {
        let mut writer = Writer::new();
        entrants.encode(&mut writer);
        let bytes = writer.finish();
        assert_eq!(Entrants::decode(&mut Reader::new(&bytes)).as_ref(), Ok(entrants));
        bytes.len()
    }

    #[test]
    fn more_receivers_than_a_plan_can_have_leave_a_transcript_that_can_be_read() {
        let (truth, lie) = (seats(1..=3, 1), seats(1..=1000, 2));
        let merged = entrants([told(7, truth.clone()), told(7, lie)]);
        can_be_read(&merged);
        assert!(truth.iter().all(|seat| merged.named[0].receivers.contains(seat)));
    }

    #[test]
    fn any_number_of_made_up_attempts_leaves_room_in_a_transcript() {
        for (count, receivers) in [(6_000, 2), (64, 1000)] {
            let len = can_be_read(&entrants((0..count).map(|run| told(run, seats(1..=receivers, 2)))));
            assert!(len < 1 << 20, "{len}");
        }
    }

    #[test]
    fn of_many_attempts_a_member_tells_the_newest() {
        let dealt: Vec<_> = (0..100).map(|run| told(run, seats(1..=3, 1))).collect();
        assert_eq!(Attempt::newest(&dealt), &dealt[36..]);
        let wide: Vec<_> = (0..100).map(|run| told(run, seats(1..=1000, 1))).collect();
        assert_eq!(Attempt::newest(&wide), &wide[96..]);
        assert_eq!(Attempt::newest(&[]), &[]);
    }
}
