//! How keys and tokens end, and what is told of it.

use quorumkey::audit::{self, EventKind, Head, Record};
use quorumkey::{
    Declaration, Denial, EpochId, Error, Filter, Holding, Identifier, KeyInfo, KeyState, Misuse, Session, StorageError,
    Suite,
};

use crate::backend::{Backend, backup_key, group, reopen};
use crate::common::{Member, dkg, dkg_invitation, exchange_over, id, officer_pin, refresh, sign, user_pin};
use crate::refused;

fn in_state(session: &Session, state: KeyState) -> Vec<KeyInfo> {
    session.find(&Filter { state: Some(state), ..Filter::default() }).unwrap()
}

pub fn a_destroyed_key_is_known_by_what_is_public_and_found_by_its_state_alone(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut members: Vec<_> = (1..=3).map(|i| Member::new(backend.create(&format!("{suite:?} {i}")))).collect();
        dkg(&members, suite, 2);
        let other = dkg(&members, suite, 3);
        let key = dkg(&members, suite, 2);
        let before = {
            refresh(&members, key.id);
            members[0].key(key.id)
        };
        members[0].session.destroy(key.id).unwrap();
        for _ in 0..2 {
            let session = &members[0].session;
            let [tombstone] = in_state(session, KeyState::Destroyed).try_into().unwrap();
            assert_eq!(tombstone, KeyInfo { state: KeyState::Destroyed, ..before.clone() });
            let by_id = Filter { id: Some(key.id), state: Some(KeyState::Destroyed), ..Filter::default() };
            assert_eq!(session.find(&by_id).unwrap().len(), 1);
            assert!(session.find(&Filter { id: Some(other.id), ..by_id.clone() }).unwrap().is_empty());
            // To everything else it is not here.
            assert!(session.find(&Filter { id: Some(key.id), ..Filter::default() }).unwrap().is_empty());
            assert_eq!(session.find(&Filter::default()).unwrap().len(), 2);
            refused!(session.key(key.id), Error::NotFound(_));
            refused!(session.certificates(key.id), Error::NotFound(_));
            refused!(session.destroy(key.id), Error::NotFound(_));
            members = (1..=3)
                .zip(members)
                .map(|(i, member)| {
                    drop(member);
                    Member::new(backend.open(&format!("{suite:?} {i}")))
                })
                .collect();
        }
        sign(&members, other.id, &[1, 2, 3], &[7; 32]);
    }
}

pub fn a_destroyed_key_that_came_back_is_no_destroyed_one_until_it_is_again(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let (recipient, identity, _) = backup_key();
    let backup = members[0].session.export(key.id, &recipient).unwrap();
    for _ in 0..2 {
        members[0].session.destroy(key.id).unwrap();
        assert_eq!(in_state(&members[0].session, KeyState::Destroyed).len(), 1);
        assert_eq!(members[0].session.restore(&backup, &identity).unwrap().state, KeyState::Restored);
        assert!(in_state(&members[0].session, KeyState::Destroyed).is_empty());
        assert_eq!(in_state(&members[0].session, KeyState::Restored).len(), 1);
    }
}

pub fn a_pending_key_can_be_destroyed(backend: &dyn Backend) {
    let members = group(backend, 2);
    let invitation = dkg_invitation(&members, Suite::Ed25519, 2);
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    exchange_over(&mut runs, &mut |_, to, message| {
        if to == 1 && message.round() == 2 { Vec::new() } else { vec![message] }
    });
    let session = &members[1].session;
    let [pending] = in_state(session, KeyState::Pending).try_into().unwrap();
    // Till then it is no key to keep a backup of.
    refused!(session.export(pending.id, &backup_key().0), Error::Misuse(Misuse::Unsupported(_)));
    session.destroy(pending.id).unwrap();
    let [gone] = in_state(session, KeyState::Destroyed).try_into().unwrap();
    assert_eq!((gone.id, gone.epoch, gone.pending.len()), (pending.id, pending.epoch, 0));
    let certificate = members[0].session.certificate(pending.id).unwrap();
    refused!(session.complete(&certificate), Error::NotFound(_));
}

pub fn a_promise_outlives_the_key_also_when_an_older_backup_came_back(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let (recipient, identity, _) = backup_key();
    let backup = members[0].session.export(key.id, &recipient).unwrap();
    let low = members[1].session.invite_refresh_from(key.id, Vec::new(), 4).unwrap();
    // It promises the fifth attempt, of which nothing comes.
    let high = members[1].session.invite_refresh_from(key.id, Vec::new(), 5).unwrap();
    members[0].session.start(&high).unwrap().abort().unwrap();
    for _ in 0..3 {
        refused!(members[0].session.start(&low), Error::Denied(Denial::AttemptTooLow { least: 6 }));
        members[0].session.destroy(key.id).unwrap();
        // Neither as a member that knows nothing of the key …
        refused!(members[0].session.start(&low), Error::Denied(Denial::AttemptTooLow { least: 6 }));
        // … nor with the share of before.
        members[0].session.restore(&backup, &identity).unwrap();
        reopen(backend, &mut members);
    }
    members[0].session.destroy(key.id).unwrap();
}

/// The whole log, which verifies.
pub fn log(member: &Member) -> Vec<Record> {
    let log = member.session.audit(None, 10_000).unwrap();
    let genesis = Head::genesis(&member.store.info().unwrap().id);
    audit::verify(&log, &genesis, log.last().unwrap().hash()).unwrap();
    log
}

/// What a log says of a key's states: each with its epoch.
fn told(log: &[Record], key: &KeyInfo) -> Vec<(EventKind, EpochId)> {
    use EventKind::{EpochErased, KeyActive, KeyDestroyed, KeyPending, KeyRestored, KeyRetired};
    let kinds = [KeyPending, KeyActive, KeyRetired, KeyRestored, EpochErased, KeyDestroyed];
    let events = log.iter().map(Record::event).filter(|event| event.object_id() == Some(key.id.as_bytes()));
    let states = events.filter(|event| kinds.contains(&event.kind()));
    states.map(|event| (event.kind(), EpochId::from_bytes(event.details().try_into().unwrap()))).collect()
}

pub fn the_log_tells_the_whole_life_of_a_key(backend: &dyn Backend) {
    use EventKind::{EpochErased, KeyActive, KeyDestroyed, KeyPending, KeyRestored, KeyRetired};
    let members = group(backend, 3);
    let first = dkg(&members, Suite::Secp256k1, 2);
    let (recipient, identity, _) = backup_key();
    let backup = members[0].session.export(first.id, &recipient).unwrap();
    let second = refresh(&members, first.id);
    members[0].session.destroy(first.id).unwrap();
    members[0].session.restore(&backup, &identity).unwrap();
    // The share in the backup is of the past: the certificate says so.
    let certificate = members[1].session.certificate(first.id).unwrap();
    assert_eq!(members[0].session.complete(&certificate).unwrap().state, KeyState::Retired);
    members[0].session.destroy(first.id).unwrap();
    let [one, two] = [first.epoch, second.epoch];
    let expected = [
        (KeyPending, one),
        (KeyActive, one),
        (KeyPending, two),
        (EpochErased, one),
        (KeyActive, two),
        (EpochErased, two),
        (KeyDestroyed, two),
        (KeyRestored, one),
        (EpochErased, one),
        (KeyRetired, two),
        (KeyDestroyed, two),
    ];
    assert_eq!(told(&log(&members[0]), &first), expected);
}

pub fn a_destroyed_token_is_gone_and_so_are_its_sessions(backend: &dyn Backend) {
    let members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    let mut run = members[0].session.start_sign(&invitation, b"m").unwrap();
    let message = members[1].session.start_sign(&invitation, b"m").unwrap().poll_transmit().unwrap();
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    let another = members[0].store.login_so(&officer_pin()).unwrap();
    officer.destroy_token().unwrap();
    refused!(members[0].session.card(), Error::LoggedOut);
    refused!(run.handle(&message), Error::LoggedOut);
    refused!(another.destroy_token(), Error::LoggedOut);
    refused!(members[0].store.login(&user_pin()), Error::Storage(StorageError::Missing));
    refused!(members[0].store.info(), Error::Storage(StorageError::Missing));
    // Absent, and not unreadable.
    refused!(backend.try_open("1"), Error::Storage(StorageError::Missing));
    sign(&members, key.id, &[2, 3], b"the others go on");
}

pub fn a_key_says_how_many_old_epochs_are_not_known_to_be_dead_and_why(backend: &dyn Backend) {
    let members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    assert_eq!(key.not_known_dead().count(), 0);
    let (recipient, _, _) = backup_key();
    for member in &members[..2] {
        member.session.export(key.id, &recipient).unwrap();
    }
    refresh(&members, key.id);
    refresh(&members, key.id);
    let info = members[2].key(key.id);
    // Two backups of the first epoch are the key; all shares of the second were erased.
    assert_eq!(info.old_epochs.len(), 2);
    let [old] = info.not_known_dead().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((old.epoch, old.threshold), (key.epoch, 2));
    let why: Vec<(Identifier, Holding)> =
        old.holders.iter().map(|holder| (holder.identifier, holder.holding)).collect();
    assert_eq!(why, [(id(1), Holding::Backup), (id(2), Holding::Backup)]);
    assert!(old.to_string().ends_with("member 1: a backup may be left; member 2: a backup may be left"), "{old}");
    let officer = members[2].store.login_so(&officer_pin()).unwrap();
    officer.declare(key.id, &Declaration::BackupsDestroyed { epoch: key.epoch, identifier: id(2) }).unwrap();
    let info = members[2].key(key.id);
    assert_eq!(info.not_known_dead().count(), 0);
    assert_eq!(info.old_epochs.iter().filter(|old| !old.holders.is_empty()).count(), 1);
}
