//! Whatever is told, a record has room and can be read again.

use super::super::old::{Backup, Device, OldShare};
use super::*;
use crate::wire::{CardId, RunId};

fn told(run: u32) -> Attempt {
    let run = RunId::from_bytes([run.to_be_bytes(); 8].concat().try_into().unwrap());
    let seats: Vec<_> = (1..=2).map(|number| (Identifier::new(number).unwrap(), CardId::from_bytes([1; 32]))).collect();
    let (epoch, elders, receivers) = (dealt_name(run), seats.clone().into(), seats.into());
    Attempt { epoch, run, position: (1, 1), threshold: 2, elders, receivers, signers: Vec::new() }
}

fn record() -> KeyRecord {
    let policy = (Operations::ALL, Export::Never);
    KeyRecord::empty(Identifier::new(1).unwrap(), Origin::Generated, Standing::Active, (1, 1), policy)
}

#[test]
fn what_is_known_of_an_attempt_by_its_run_is_known_by_its_name_after_that_and_once() {
    let [run, name, other] = [1, 2, 3].map(|byte| EpochId::from_bytes([byte; 32]));
    let renamed = |change: &dyn Fn(&mut KeyRecord)| {
        let mut record = record();
        change(&mut record);
        record.rename(run, name);
        record
    };
    for (erased, expected) in [
        (vec![run], vec![run, name]),
        (vec![name, run], vec![name, run]),
        (vec![other], vec![other]),
        (vec![other, name], vec![other, name]),
    ] {
        assert_eq!(renamed(&|record| record.erased.clone_from(&erased)).erased, expected);
    }
    let old = |epoch, threshold| OldEpoch { epoch, threshold, shares: Vec::new() };
    for (known, expected) in [
        (vec![old(other, 3), old(run, 2)], vec![old(other, 3), old(name, 2)]),
        (vec![old(run, 2), old(name, 4), old(other, 3)], vec![old(name, 4), old(other, 3)]),
        (vec![old(other, 3)], vec![old(other, 3)]),
    ] {
        assert_eq!(renamed(&|record| record.old.clone_from(&known)).old, expected);
    }
}

/// A buffer that moves leaves the seed behind.
#[test]
fn the_longest_identity_fills_its_buffer() {
    let key = IdentityKey::from_seed(Secret::new([1; 32]));
    let bytes = IdentityRecord { key, incarnation: 1, label: "l".repeat(MAX_LABEL) }.encode();
    assert_eq!((bytes.len(), bytes.capacity()), (IdentityRecord::MAX_LEN, IdentityRecord::MAX_LEN));
    assert!(IdentityRecord::decode(&bytes).is_ok());
}

#[test]
fn of_several_forks_the_one_that_is_named_ends() {
    let mut record = record();
    let [ours, first, second] = [1, 2, 3].map(|byte| EpochId::from_bytes([byte; 32]));
    let fork = |theirs| ForkRecord { ours, theirs, position: (1, 1), culprits: Vec::new(), ended: false };
    record.forks = vec![fork(first), fork(second)];
    record.end_fork(second);
    assert_eq!(record.open_forks().map(|fork| fork.theirs).collect::<Vec<_>>(), [first]);
}

/// What can be written and not read is a key that is lost.
#[test]
fn a_record_can_be_read_however_many_attempts_this_token_dealt_in_or_liars_tell_of() {
    let mut record = record();
    for attempt in (0..9_000).map(told) {
        if record.room_for(&attempt, &BTreeSet::new()) >= 2 {
            let share = |(identifier, card): &(Identifier, CardId)| OldShare {
                identifier: *identifier,
                card: *card,
                device: Device::NotConfirmed,
                backup: Backup::None,
            };
            let shares = attempt.receivers.iter().map(share).collect();
            record.old.push(OldEpoch { epoch: attempt.epoch, threshold: 2, shares });
        }
        record.deals_in(attempt);
    }
    assert_eq!(KeyRecord::decode(&record.encode()).as_ref(), Ok(&record));
    assert_eq!((record.old.len(), record.dealt.len()), (MAX_TOLD_SHARES / 2, MAX_DEALT));
    assert_eq!(record.dealt.last(), Some(&told(8_999)));
    assert_eq!(record.to_bytes(), Some(record.encode()));
    record.erased = vec![record.dealt[0].epoch; MAX_EPOCHS + 1];
    assert_eq!(record.to_bytes(), None);
}

/// What can't be written any more is a key that nobody can renew.
#[test]
fn a_record_has_room_for_every_certified_epoch_whatever_liars_signed() {
    let mut record = record();
    let signed = Attempt { epoch: EpochId::from_bytes([1; 32]), signers: vec![record.me], ..told(1) };
    let epoch = |number: usize| {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&number.to_be_bytes());
        OldEpoch { epoch: EpochId::from_bytes(name), threshold: 2, shares: Vec::new() }
    };
    (0..MAX_EPOCHS / 2 - 1).for_each(|number| record.keep_old(epoch(number)));
    assert_eq!(record.room_for(&signed, &BTreeSet::new()), MAX_SIGNED_SHARES);
    record.keep_old(epoch(MAX_EPOCHS / 2));
    assert_eq!(record.room_for(&signed, &BTreeSet::new()), 0);
    for number in MAX_EPOCHS / 2..=MAX_EPOCHS {
        record.keep_old(epoch(number));
    }
    (0..=MAX_EPOCHS).for_each(|number| record.has_erased(epoch(number).epoch));
    assert_eq!((record.old.last(), record.erased.last()), (Some(&epoch(MAX_EPOCHS)), Some(&epoch(MAX_EPOCHS).epoch)));
    assert!(record.to_bytes().is_some());
}

/// What a long life leaves on record is no reason to leave out an attempt whose shares are about.
#[test]
fn certified_epochs_take_no_room_from_attempts() {
    let mut record = record();
    let share = |number| OldShare {
        identifier: Identifier::new(number).unwrap(),
        card: CardId::from_bytes([1; 32]),
        device: Device::Erased,
        backup: Backup::None,
    };
    let life = (0..=MAX_SIGNED_SHARES / 1000).map(|number| {
        let epoch = dealt_name(RunId::from_bytes([number.try_into().unwrap(); 32]));
        OldEpoch { epoch, threshold: 667, shares: (1..=1000).map(share).collect() }
    });
    life.for_each(|old| record.keep_old(old));
    let certified: BTreeSet<_> = record.old.iter().map(|old| old.epoch).collect();
    let signed = Attempt { epoch: EpochId::from_bytes([1; 32]), signers: vec![record.me], ..told(1_000_000) };
    assert_eq!(record.room_for(&signed, &certified), MAX_SIGNED_SHARES);
    assert_eq!(record.room_for(&told(1_000_001), &certified), MAX_TOLD_SHARES);
    assert_eq!(record.room_for(&signed, &BTreeSet::new()), 0);
}
