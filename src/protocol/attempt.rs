//! Attempts at an epoch, as the transcripts after them name them, and who can end one.
//!
//! Power over the key passes when shares are dealt, not when a certificate is there. So whoever renews the shares for
//! others than an attempt's receivers must have enough of those with it, or know that the attempt can't be certified.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dealing::MAX_EXTENSION;
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

/// The members of an attempt, ascending. Most attempts have the same: they are kept, and written, once.
pub(crate) type Seats = Arc<[Seat]>;

/// A dealing that no certificate has ended, or that one has which lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Its transcript's hash. Of one that was dealt, and that no member of the naming run signed, a name made of its run.
    pub(crate) epoch: EpochId,
    pub(crate) run: RunId,
    /// Height and attempt.
    pub(crate) position: (u64, u32),
    pub(crate) threshold: u16,
    /// The old members whose signatures it needed whatever they received: dealers and witnesses.
    pub(crate) elders: Seats,
    pub(crate) receivers: Seats,
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
        let mut elders: Vec<Seat> = seats(plan.dealers());
        elders.extend(plan.witnesses().map(seats).unwrap_or_default());
        elders.sort_unstable();
        Self {
            epoch: dealt_name(run),
            run,
            position: (plan.height, plan.attempt),
            threshold: plan.threshold,
            elders: elders.into(),
            receivers: seats(&plan.receivers).into(),
            signers: Vec::new(),
        }
    }

    /// Whether nobody in the naming run has signed it: it is named for the report of who may hold its shares.
    pub(crate) fn is_unsigned(&self) -> bool {
        self.epoch == dealt_name(self.run)
    }

    /// Whether it says of a dealing at least who else says that shares of it went to, and no more of them are needed.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.threshold <= other.threshold && other.receivers.iter().all(|seat| self.receivers.contains(seat))
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
            || (same_parent && count(&self.elders, &promises) >= usize::from(parent.threshold()))
    }

    fn seats(&self) -> usize {
        self.elders.len() + self.receivers.len()
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

    fn encode(&self, writer: &mut Writer, written: &mut Vec<Seats>) {
        writer.raw(self.epoch.as_bytes()).raw(self.run.as_bytes()).u64(self.position.0).u32(self.position.1);
        writer.u16(self.threshold);
        for seats in [&self.elders, &self.receivers] {
            encode_seats(writer, seats, written);
        }
        encode_identifiers(writer, &self.signers);
    }

    fn decode(reader: &mut Reader<'_>, read: &mut Vec<Seats>) -> Result<Self, DecodeError> {
        let attempt = Self {
            epoch: EpochId::from_bytes(reader.array()?),
            run: RunId::from_bytes(reader.array()?),
            position: (reader.u64()?, reader.u32()?),
            threshold: reader.u16()?,
            elders: decode_seats(reader, read)?,
            receivers: decode_seats(reader, read)?,
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

/// Writes a list of attempts, in which the same members stand once.
pub(crate) fn encode_attempts(writer: &mut Writer, attempts: &[Attempt]) {
    let mut written = Vec::new();
    writer.count(attempts.len());
    for attempt in attempts {
        attempt.encode(writer, &mut written);
    }
}

/// Reads a list of at most so many attempts.
pub(crate) fn decode_attempts(reader: &mut Reader<'_>, max: usize) -> Result<Vec<Attempt>, DecodeError> {
    let mut read = Vec::new();
    (0..reader.count(max)?).map(|_| Attempt::decode(reader, &mut read)).collect()
}

/// The name of an attempt whose transcript is not known.
pub(crate) fn dealt_name(run: RunId) -> EpochId {
    EpochId::from_bytes(tagged_hash("quorumkey/dealt/v1", &[run.as_bytes()]))
}

/// In the place of a number of members: the same as the list of that number, counted from 0, among those before.
const AGAIN: u32 = 1 << 31;

fn encode_seats(writer: &mut Writer, seats: &Seats, written: &mut Vec<Seats>) {
    if let Some(place) = written.iter().position(|known| known == seats) {
        writer.u32(AGAIN | u32::try_from(place).expect("lists of attempts were bounded when they were made"));
        return;
    }
    writer.count(seats.len());
    for (id, card) in seats.iter() {
        writer.identifier(*id).raw(card.as_bytes());
    }
    written.push(Arc::clone(seats));
}

fn decode_seats(reader: &mut Reader<'_>, read: &mut Vec<Seats>) -> Result<Seats, DecodeError> {
    let count = reader.u32()?;
    if count & AGAIN != 0 {
        let known = usize::try_from(count ^ AGAIN).ok().and_then(|place| read.get(place));
        return known.cloned().ok_or(DecodeError::Invalid("members of an attempt"));
    }
    if count > u32::from(MAX_MEMBERS) {
        return Err(DecodeError::TooLong);
    }
    let seats = (0..count)
        .map(|_| Ok((reader.identifier()?, CardId::from_bytes(reader.array()?))))
        .collect::<Result<Vec<_>, DecodeError>>()?;
    if !seats.is_sorted_by(|a, b| a < b) {
        return Err(DecodeError::Invalid("order of members"));
    }
    let seats = Seats::from(seats);
    // Whoever writes them a second time writes where they stand.
    if read.contains(&seats) {
        return Err(DecodeError::Invalid("members of an attempt"));
    }
    read.push(Arc::clone(&seats));
    Ok(seats)
}

/// So many of these seats, which are ascending, as a list may have. Of each number there is one: how many hold shares counts.
fn at_most_a_thousand(seats: Vec<Seat>) -> Vec<Seat> {
    let mut last = None;
    let (mut first, others): (Vec<_>, Vec<_>) =
        seats.into_iter().partition(|seat| last.replace(seat.0) != Some(seat.0));
    let room = usize::from(MAX_MEMBERS).saturating_sub(first.len());
    first.extend(others.into_iter().take(room));
    first.sort_unstable();
    first
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
    /// The most bytes of the forgetful and the overridden.
    const MAX_ROLES: usize = 2 * (4 + 2 * 1000);
    /// The most bytes of all attempts: what a transcript's extension has room for, beside what else is in it.
    const MAX_LEN: usize = MAX_EXTENSION - Self::MAX_ROLES - 1024;

    pub(crate) fn encode(&self, writer: &mut Writer) {
        encode_attempts(writer, &self.named);
        encode_identifiers(writer, &self.forgetful);
        encode_identifiers(writer, &self.overridden);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let named = decode_attempts(reader, Self::MAX_NAMED)?;
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
    pub(super) fn deal(named: &mut BTreeMap<EpochId, Attempt>, attempt: &Attempt) {
        if named.values().any(|known| known.run == attempt.run && !known.is_unsigned()) {
            return;
        }
        let known = named.entry(attempt.epoch).or_insert_with(|| attempt.clone());
        known.threshold = known.threshold.min(attempt.threshold);
        let mut receivers: Vec<_> = known.receivers.iter().chain(attempt.receivers.iter()).copied().collect();
        receivers.sort_unstable();
        receivers.dedup();
        if receivers.len() > known.receivers.len() {
            known.receivers = at_most_a_thousand(receivers).into();
        }
    }

    /// Leaves out what members say that they dealt in, above what there is room for beside the attempts that somebody signed.
    /// It supersedes nothing, and each of them has it on record itself.
    pub(super) fn make_room(named: &mut BTreeMap<EpochId, Attempt>) {
        let signed = named.values().filter(|attempt| !attempt.is_unsigned()).cloned().collect();
        let signed = Self { named: signed, ..Self::default() };
        let (mut seats, mut room) = (0, Self::MAX_LEN.saturating_sub(signed.len()));
        named.retain(|_, attempt| {
            if !attempt.is_unsigned() {
                return true;
            }
            seats += attempt.seats();
            let len = Self { named: vec![attempt.clone()], ..Self::default() }.len();
            let fits = seats <= Self::MAX_SEATS && len <= room;
            room = if fits { room - len } else { 0 };
            fits
        });
    }

    /// Whether a transcript has room for it.
    pub(crate) fn fits(&self) -> bool {
        let fits = self.len() <= Self::MAX_LEN + Self::MAX_ROLES && self.named.len() <= Self::MAX_NAMED;
        holds!(RoomInATranscript, fits)
    }

    fn len(&self) -> usize {
        let mut writer = Writer::new();
        self.encode(&mut writer);
        writer.finish().len()
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
        let (epoch, elders, receivers) = (dealt_name(run), seats(1..=2, 1).into(), receivers.into());
        Attempt { epoch, run, position: (1, 1), threshold: 2, elders, receivers, signers: Vec::new() }
    }

    fn entrants(told: impl IntoIterator<Item = Attempt>) -> Entrants {
        let mut named = BTreeMap::new();
        for attempt in told {
            Entrants::deal(&mut named, &attempt);
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

    /// It counts how many members hold shares, so that no number gives way to another one's cards.
    #[test]
    fn whoever_liars_tell_of_every_number_of_a_receiver_is_kept() {
        let (truth, lies) = (seats(1..=500, 1), (2..40).map(|card| told(7, seats(1..=40, card))));
        let merged = entrants(lies.chain([told(7, truth)]));
        can_be_read(&merged);
        let receivers = &merged.named[0].receivers;
        assert_eq!(receivers.len(), 1000);
        assert!((1..=500).all(|number| receivers.iter().any(|seat| seat.0.get() == number)));
    }

    #[test]
    fn of_reports_that_differ_every_receiver_is_kept_once_and_the_lowest_threshold() {
        let low = told(7, seats(2..=4, 1));
        let high = Attempt { threshold: 3, ..told(7, seats(1..=3, 1)) };
        for reports in [[high.clone(), low.clone()], [low, high]] {
            let merged = entrants(reports);
            can_be_read(&merged);
            assert_eq!((&merged.named[0].receivers[..], merged.named[0].threshold), (&seats(1..=4, 1)[..], 2));
        }
    }

    #[test]
    fn attempts_of_impossible_thresholds_or_with_members_named_twice_are_refused() {
        let good = signed(1, &seats(1..=3, 1).into());
        let reads = |attempt: &Attempt| {
            let mut writer = Writer::new();
            encode_attempts(&mut writer, core::slice::from_ref(attempt));
            decode_attempts(&mut Reader::new(&writer.finish()), 1).is_ok()
        };
        for threshold in 0..=5 {
            assert_eq!(reads(&Attempt { threshold, ..good.clone() }), (2..=3).contains(&threshold), "{threshold}");
        }
        let twice = [seats(1..=2, 1), seats(2..=3, 1)].concat();
        assert!(!reads(&Attempt { receivers: twice.clone().into(), ..good.clone() }));
        assert!(!reads(&Attempt { signers: twice.iter().map(|seat| seat.0).collect(), ..good.clone() }));
        let entrants = Entrants { named: vec![good.clone(), good], ..Entrants::default() };
        let mut writer = Writer::new();
        entrants.encode(&mut writer);
        assert!(Entrants::decode(&mut Reader::new(&writer.finish())).is_err());
    }

    #[test]
    fn any_number_of_made_up_attempts_leaves_room_in_a_transcript() {
        for (count, receivers) in [(6_000, 2), (64, 1000)] {
            let len = can_be_read(&entrants((0..count).map(|run| told(run, seats(1..=receivers, 2)))));
            assert!(len < 1 << 20, "{len}");
        }
        let wide = entrants((0..64).map(|run| told(run, seats(1..=1000, 2))));
        assert_eq!(wide.named.iter().map(Attempt::seats).sum::<usize>(), 16 * 1002);
        assert_eq!(entrants((0..100).map(|run| told(run, seats(1..=2, 2)))).named.len(), 100);
    }

    /// An attempt in that run, as everybody says that they signed it.
    fn signed(run: u16, members: &Seats) -> Attempt {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&run.to_be_bytes());
        let (elders, receivers) = (Arc::clone(members), Arc::clone(members));
        let signers = members.iter().map(|seat| seat.0).collect();
        Attempt { epoch: EpochId::from_bytes(bytes), elders, receivers, signers, ..told(run, Vec::new()) }
    }

    fn of_all(named: impl IntoIterator<Item = Attempt>) -> Entrants {
        let everybody: Vec<_> = seats(1..=1000, 1).iter().map(|seat| seat.0).collect();
        Entrants { named: named.into_iter().collect(), forgetful: everybody.clone(), overridden: everybody }
    }

    #[test]
    fn hundreds_of_attempts_among_a_thousand_members_have_room_in_a_transcript() {
        let members = seats(1..=1000, 1).into();
        let many = of_all((0..450).map(|run| signed(run, &members)));
        assert!(many.fits() && can_be_read(&many) < MAX_EXTENSION);
        let more = of_all((0..550).map(|run| signed(run, &members)));
        assert!(!more.fits());
        // With other members each it is some ten.
        let other = |run: u16| signed(run, &seats(1..=1000, u8::try_from(run).unwrap()).into());
        assert!(of_all((0..25).map(other)).fits() && !of_all((0..35).map(other)).fits());
    }

    #[test]
    fn what_fits_leaves_room_for_what_else_a_transcript_says() {
        let members = seats(1..=1000, 1).into();
        let of = |count: u16| of_all((0..count).map(|run| signed(run, &members)));
        let counts: Vec<_> = (1..=600).collect();
        let most = of(u16::try_from(counts.partition_point(|count| of(*count).fits())).unwrap());
        assert!(most.fits());
        // Version, run, hash of the ciphertexts, hash of the chain code.
        assert!(most.len() + 1 + 3 * 32 <= MAX_EXTENSION);
        // And hardly more.
        assert!(most.len() + most.len() / most.named.len() + 1024 > MAX_EXTENSION);
    }

    #[test]
    fn hearsay_takes_no_room_from_attempts_that_were_signed() {
        let members: Seats = seats(1..=1000, 1).into();
        let mut named: BTreeMap<_, _> = (0..450).map(|run| signed(run, &members)).map(|one| (one.epoch, one)).collect();
        for run in 0..6_000 {
            Entrants::deal(&mut named, &told(run + 1000, seats(1..=2, 2)));
        }
        Entrants::make_room(&mut named);
        let kept = named.values().filter(|one| !one.is_unsigned()).count();
        assert!(kept == 450 && named.len() > 450);
        assert!(of_all(named.into_values()).fits());
    }

    #[test]
    fn the_same_members_stand_once_in_a_list_and_are_named_by_their_place_after_that() {
        let (some, others): (Seats, Seats) = (seats(1..=3, 1).into(), seats(2..=4, 1).into());
        let mut named = vec![signed(1, &some), signed(2, &others), signed(3, &some)];
        named[1].elders = Arc::clone(&some);
        let mut writer = Writer::new();
        encode_attempts(&mut writer, &named);
        let bytes = writer.finish();
        assert_eq!(decode_attempts(&mut Reader::new(&bytes), 3).as_ref(), Ok(&named));
        assert_eq!(bytes.len(), 4 + 3 * (32 + 32 + 12 + 2 + 2 * 4 + 4 + 3 * 2) + 2 * 3 * 34);
        let place = |place: u32| (AGAIN | place).to_be_bytes();
        let dealers = 4 + 32 + 32 + 12 + 2;
        let receivers = dealers + 4 + 3 * 34;
        assert_eq!(bytes[receivers..receivers + 4], place(0));
        // A place that is not there yet, and members that are written twice.
        for wrong in [1, 7, AGAIN - 1] {
            let wrong = [&bytes[..receivers], &place(wrong), &bytes[receivers + 4..]].concat();
            assert!(decode_attempts(&mut Reader::new(&wrong), 3).is_err());
        }
        let twice = [&bytes[..receivers], &bytes[dealers..receivers], &bytes[receivers + 4..]].concat();
        assert!(decode_attempts(&mut Reader::new(&twice), 3).is_err());
    }

    #[test]
    fn of_many_attempts_a_member_tells_the_newest() {
        let dealt: Vec<_> = (0..100).map(|run| told(run, seats(1..=3, 1))).collect();
        assert_eq!(Attempt::newest(&dealt), &dealt[36..]);
        let wide: Vec<_> = (0..100).map(|run| told(run, seats(1..=1000, 1))).collect();
        assert_eq!(Attempt::newest(&wide), &wide[96..]);
        let full: Vec<_> = (0..9).map(|run| told(run, seats(1..=510, 1))).collect();
        assert_eq!(Attempt::newest(&full), &full[1..]);
        assert_eq!(Attempt::newest(&[]), &[]);
    }
}
