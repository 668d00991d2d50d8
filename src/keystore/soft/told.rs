//! What a certificate tells of attempts that nobody certified, and what those tell that it has ended.

use std::collections::BTreeSet;

use super::record::KeyRecord;
use crate::guard::{forbids, unless_off};
use crate::protocol::{Attempt, Certificate, Epoch, dealt_name};
use crate::wire::{CardId, EpochId, RunId};

/// All that names attempts, once an epoch has become the key's.
pub(super) struct Told<'a> {
    /// What leads to the epoch, which is the last.
    line: &'a [&'a Epoch],
    newest: &'a Epoch,
    /// What the line names, and what is named by all that it has ended; each with the epoch that ends it.
    named: Vec<(&'a Epoch, &'a Attempt)>,
    ancestors: BTreeSet<EpochId>,
    /// What was certified, on whichever line: certificates say who held it.
    certified: BTreeSet<EpochId>,
}

impl<'a> Told<'a> {
    /// `ended` is what the line has made an end of: it may be all that names an attempt.
    pub(super) fn new(
        (line, newest): (&'a [&'a Epoch], &'a Epoch),
        ended: &'a [Epoch],
        (chain, others): (&[Certificate], &[Certificate]),
    ) -> Self {
        let ancestors: BTreeSet<_> = chain.iter().map(Certificate::epoch_id).collect();
        let certified = others.iter().map(Certificate::epoch_id).chain(ancestors.iter().copied()).collect();
        let by = line.iter().map(|one| (*one, *one)).chain(ended.iter().map(|one| (newest, one)));
        let named = by.flat_map(|(by, one)| one.entrants.named.iter().map(move |attempt| (by, attempt))).collect();
        Self { line, newest, named, ancestors, certified }
    }

    /// Attempts that this device, with that card, has not signed dealt shares to others all the same, and so did those that nobody
    /// signed. Of the runs in `held` it holds a share.
    pub(super) fn note(&self, record: &mut KeyRecord, held: &[RunId], device: CardId) {
        let own: Vec<_> = record.dealt.iter().filter(|own| !self.line_has(own.run)).cloned().collect();
        record.dealt.retain(|own| !self.is_told_to_all(own));
        self.note_each(record, &own, (held, device));
    }

    /// The same of what is named alone: the line has not changed, and what this token dealt in since is under way.
    pub(super) fn note_named(&self, record: &mut KeyRecord, held: &[RunId], device: CardId) {
        self.note_each(record, &[], (held, device));
    }

    fn note_each(&self, record: &mut KeyRecord, own: &[Attempt], (held, device): (&[RunId], CardId)) {
        let mut told: Vec<_> = own.iter().map(|own| (self.newest, own)).chain(self.named.iter().copied()).collect();
        // What this token dealt in itself, and what somebody signed, comes before what others say of it.
        told.sort_by_cached_key(|(_, attempt)| attempt.is_unsigned() && !own.contains(attempt));
        for (_, attempt) in &told {
            record.rename(dealt_name(attempt.run), self.name(attempt));
        }
        let before: BTreeSet<_> = record.old.iter().map(|old| old.epoch).collect();
        for (successor, attempt) in told {
            let (name, is_own) = (self.name(attempt), own.contains(attempt));
            let known = record.old.iter().any(|old| old.epoch == name);
            if self.is_settled(attempt, name, (before.contains(&name), known), is_own) {
                continue;
            }
            // That there was such a dealing it knows itself, however much others tell of.
            let hearsay = !forbids!(OwnDealingsKept, is_own) && !self.certified.contains(&name);
            let room = if hearsay { record.room_for(attempt, &self.certified) } else { usize::MAX };
            record.note_attempt(name, attempt, successor, unless_off!(RoomForWhatIsTold, room, usize::MAX));
            if !held.contains(&attempt.run) {
                record.has_none_of(name, device);
            }
        }
    }

    fn line_has(&self, run: RunId) -> bool {
        self.line.iter().any(|one| one.run == run)
    }

    /// Whether all who follow this line know as much of it as this token, which tells them until then.
    fn is_told_to_all(&self, own: &Attempt) -> bool {
        let knows = |told: &Attempt| told.run == own.run && (!told.is_unsigned() || told.covers(own));
        self.line_has(own.run) || self.line.iter().flat_map(|one| &one.entrants.named).any(knows)
    }

    /// An attempt is known by what somebody signed of it, if anybody did.
    fn name(&self, attempt: &Attempt) -> EpochId {
        let mut signed = self.named.iter().filter(|(_, told)| told.run == attempt.run && !told.is_unsigned());
        let by_others = signed.next().filter(|_| attempt.is_unsigned());
        by_others.map_or(attempt.epoch, |(_, told)| told.epoch)
    }

    /// Whether nothing that is told of it counts: this line has it, or it was on record as its certificate says, or is by what
    /// somebody signed.
    fn is_settled(&self, attempt: &Attempt, name: EpochId, (before, now): (bool, bool), is_own: bool) -> bool {
        let here = |one: &&Epoch| one.id == name || attempt.is_unsigned() && one.run == attempt.run;
        let hearsay = attempt.is_unsigned() && !is_own && self.certified.contains(&name);
        self.line.iter().any(here) || before && self.ancestors.contains(&name) || now && hearsay
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystore::object::Origin;
    use crate::keystore::soft::old::OldEpoch;
    use crate::keystore::soft::record::{MAX_EPOCHS, Standing};
    use crate::protocol::test_epoch;
    use crate::wire::Identifier;

    /// Of the run that this token dealt in unless it is signed, when others say what they signed of it.
    fn attempt(signer: Option<u16>, threshold: u16, receivers: &[u16]) -> Attempt {
        let id = |number: &u16| Identifier::new(*number).unwrap();
        let seats = |numbers: &[u16]| numbers.iter().map(|number| (id(number), CardId::from_bytes([9; 32]))).collect();
        let run = RunId::from_bytes([7; 32]);
        let epoch = if signer.is_some() { name() } else { dealt_name(run) };
        let signers = signer.iter().map(id).collect();
        Attempt { epoch, run, position: (1, 0), threshold, elders: seats(&[1]), receivers: seats(receivers), signers }
    }

    fn name() -> EpochId {
        EpochId::from_bytes([8; 32])
    }

    fn record(dealt: &[&Attempt]) -> KeyRecord {
        let mut record =
            KeyRecord::new(Identifier::new(1).unwrap(), Origin::Generated, Standing::Active, &test_epoch());
        record.dealt = dealt.iter().copied().cloned().collect();
        record
    }

    fn naming(named: &[&Attempt]) -> Epoch {
        let mut epoch = test_epoch();
        epoch.entrants.named = named.iter().copied().cloned().collect();
        epoch
    }

    fn note(told: &Told<'_>, record: &mut KeyRecord) {
        told.note(record, &[], CardId::from_bytes([1; 32]));
    }

    /// Which epochs are on record, how many shares of them it takes, and who was dealt one.
    fn on_record(record: &KeyRecord) -> Vec<(EpochId, u16, Vec<u16>)> {
        let numbers = |old: &OldEpoch| old.shares.iter().map(|one| one.identifier.get()).collect();
        record.old.iter().map(|old| (old.epoch, old.threshold, numbers(old))).collect()
    }

    #[test]
    fn a_dealer_tells_of_its_dealing_until_its_line_names_everybody_that_it_dealt_to() {
        let own = attempt(None, 3, &[4, 5, 6]);
        let (signed, fewer, more) =
            (attempt(Some(2), 3, &[4]), attempt(None, 3, &[4, 5]), attempt(None, 2, &[4, 5, 6, 7]));
        let cases =
            [(&signed, true), (&more, true), (&own, true), (&fewer, false), (&attempt(None, 4, &[4, 5, 6]), false)];
        for (told, is_told) in cases {
            let (line, silent, given_up) = (naming(&[told]), naming(&[]), [naming(&[told])]);
            for (line, ended, goes_silent) in [(&line, &[][..], is_told), (&silent, &given_up[..], false)] {
                let mut record = record(&[&own]);
                note(&Told::new((&[line], line), ended, (&[], &[])), &mut record);
                assert_eq!(record.dealt.is_empty(), goes_silent, "{told:?}");
                let [(_, _, holders)] = on_record(&record).try_into().unwrap();
                assert!([4, 5, 6].iter().all(|number| holders.contains(number)));
            }
        }
    }

    #[test]
    fn hearsay_lowers_no_threshold_that_somebody_signed_and_adds_nobody_to_what_was_certified() {
        let (signed, made_up) = (attempt(Some(2), 3, &[4, 5, 6]), attempt(None, 2, &[8, 9]));
        for named in [[&made_up, &signed], [&signed, &made_up]] {
            let epoch = naming(&named);
            let line = [&epoch];
            for (is_certified, holders) in [(false, vec![4, 5, 6, 8, 9]), (true, vec![4, 5, 6])] {
                let mut told = Told::new((&line, &epoch), &[], (&[], &[]));
                let mut record = record(&[]);
                record.note_attempt(name(), &signed, &epoch, usize::MAX);
                told.certified.extend(is_certified.then(name));
                note(&told, &mut record);
                assert_eq!(on_record(&record), [(name(), 3, holders)]);
            }
        }
    }

    #[test]
    fn of_what_nobody_signed_the_fewest_shares_count_and_of_what_somebody_did_what_it_says() {
        let (few, many) = (attempt(None, 2, &[4, 5, 6]), attempt(None, 3, &[4, 5, 6]));
        let signed = attempt(Some(2), 3, &[4, 5, 6]);
        let thresholds = |told: &[&Attempt]| {
            let (epoch, mut record) = (test_epoch(), record(&[]));
            for told in told {
                record.rename(dealt_name(told.run), told.epoch);
                record.note_attempt(told.epoch, told, &epoch, usize::MAX);
            }
            on_record(&record).iter().map(|(_, threshold, _)| *threshold).collect::<Vec<_>>()
        };
        assert_eq!(thresholds(&[&few, &many]), [2]);
        assert_eq!(thresholds(&[&many, &few]), [2]);
        assert_eq!(thresholds(&[&few, &signed]), [3]);
    }

    #[test]
    fn what_is_told_of_an_ancestor_counts_for_nothing_where_its_certificate_is_on_record() {
        let (stated, told_now) = (attempt(Some(2), 3, &[4, 5, 6]), attempt(Some(2), 2, &[8, 9]));
        let epoch = naming(&[&told_now]);
        let line = [&epoch];
        let mut told = Told::new((&line, &epoch), &[], (&[], &[]));
        told.ancestors.insert(name());
        let mut known = record(&[]);
        known.note_attempt(name(), &stated, &epoch, usize::MAX);
        note(&told, &mut known);
        assert_eq!(on_record(&known), [(name(), 3, vec![4, 5, 6])]);
        let mut unknown = record(&[]);
        note(&told, &mut unknown);
        assert_eq!(on_record(&unknown), [(name(), 2, vec![8, 9])]);
    }

    /// Whoever is heard first does not settle what others have signed.
    #[test]
    fn of_an_ancestor_that_is_not_on_record_what_somebody_signed_counts_and_no_hearsay_whichever_is_told_first() {
        let (signed, made_up) = (attempt(Some(2), 3, &[4, 5, 6]), attempt(None, 2, &[8, 9]));
        let other = attempt(Some(3), 3, &[4, 5, 7]);
        for named in [[&made_up, &signed, &other], [&signed, &other, &made_up]] {
            let epoch = naming(&named);
            let line = [&epoch];
            let mut told = Told::new((&line, &epoch), &[], (&[], &[]));
            told.ancestors.insert(name());
            told.certified.insert(name());
            let mut record = record(&[]);
            note(&told, &mut record);
            assert_eq!(on_record(&record), [(name(), 3, vec![4, 5, 6, 7])]);
        }
    }

    #[test]
    fn a_full_record_takes_what_this_token_dealt_in_and_what_was_certified_and_no_hearsay() {
        let of = |run: [u8; 32]| {
            let run = RunId::from_bytes(run);
            Attempt { epoch: dealt_name(run), run, ..attempt(None, 2, &[1, 5]) }
        };
        let [own, heard, certified] = [[1; 32], [2; 32], [3; 32]].map(of);
        let epoch = naming(&[&heard, &certified]);
        let line = [&epoch];
        let mut told = Told::new((&line, &epoch), &[], (&[], &[]));
        told.certified.insert(certified.epoch);
        let mut record = record(&[&own]);
        let other = OldEpoch { epoch: EpochId::from_bytes([1; 32]), threshold: 2, shares: Vec::new() };
        record.old = vec![other; MAX_EPOCHS / 2];
        // It holds a share that it was dealt itself, and none of the other.
        told.note(&mut record, &[own.run], CardId::from_bytes([9; 32]));
        let noted: Vec<_> = record.old.iter().skip(MAX_EPOCHS / 2).map(|old| old.epoch).collect();
        assert_eq!((noted, record.erased), (vec![own.epoch, certified.epoch], vec![certified.epoch]));
    }

    #[test]
    fn the_newest_epoch_is_no_old_one_under_either_name() {
        let (mut epoch, mut record) = (test_epoch(), record(&[]));
        let own = |id, run| Attempt { epoch: id, run, ..attempt(None, 2, &[1, 2]) };
        let other = own(dealt_name(RunId::from_bytes([6; 32])), RunId::from_bytes([6; 32]));
        for told in [&own(epoch.id, epoch.run), &own(dealt_name(epoch.run), epoch.run), &other] {
            record.note_attempt(told.epoch, told, &epoch, usize::MAX);
        }
        record.is_no_old(&epoch);
        assert_eq!(on_record(&record), [(other.epoch, 2, vec![1, 2])]);
        epoch.entrants.named = vec![own(dealt_name(epoch.run), epoch.run)];
        note(&Told::new((&[&epoch], &epoch), &[], (&[], &[])), &mut record);
        assert_eq!(on_record(&record).len(), 1);
    }
}
