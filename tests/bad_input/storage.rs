//! Storages that fail, files that were put back, and two who want the same one.

use std::collections::BTreeSet;
use std::process::Command;

use quorumkey::audit::EventKind;
use quorumkey::wrap::{Identity, Recipient};
use quorumkey::{
    Denial, Dkg, Error, Filter, KeyId, KeyState, KeyStore, KeyTemplate, Protocol, Result, Roster, Run, Session,
    StorageError, Suite,
};

use super::failing::{Failing, Failure};
use crate::common::{Member, dkg, id, init, sign, user_pin};

/// Two members talk to the end. The first one's failure is returned, and it says nothing after it.
fn talk<P: Protocol>(mut one: Run<P>, mut two: Run<P>) -> Result<()> {
    loop {
        let from_one = one.poll_transmit();
        if let Some(message) = &from_one {
            two.handle(message).unwrap();
        }
        let from_two = two.poll_transmit();
        if let Some(message) = &from_two
            && let Err(error) = one.handle(message)
        {
            assert!(one.poll_transmit().is_none(), "something left after {error}");
            return Err(error);
        }
        if from_one.is_none() && from_two.is_none() {
            return Ok(());
        }
    }
}

fn make(one: &Session, two: &Session) -> Result<()> {
    let members = Roster::numbered([one.card()?, two.card()?]).unwrap();
    let template = KeyTemplate::wallet("a wallet");
    let invitation = one.invite(Dkg { suite: Suite::Ed25519, threshold: 2, members, template })?;
    talk(one.start(&invitation)?, two.start(&invitation)?)
}

fn sign_once(one: &Session, two: &Session, key: KeyId) -> Result<()> {
    let invitation = one.invite_sign(key, &[id(1), id(2)], b"m")?;
    talk(one.start_sign(&invitation, b"m")?, two.start_sign(&invitation, b"m")?)
}

fn renew(one: &Session, two: &Session, key: KeyId) -> Result<()> {
    let mut attempt = 0;
    loop {
        let invitation = one.invite_refresh_from(key, Vec::new(), attempt)?;
        match (two.start(&invitation), one.start(&invitation)) {
            (Ok(theirs), Ok(mine)) => return talk(mine, theirs),
            (Err(Error::Denied(Denial::AttemptTooLow { least })), _)
            | (_, Err(Error::Denied(Denial::AttemptTooLow { least }))) => attempt = least,
            (Ok(_), Err(error)) => return Err(error),
            (Err(error), _) => panic!("{error}"),
        }
    }
}

fn active(session: &Session) -> Option<KeyId> {
    let found = session.find(&Filter { state: Some(KeyState::Active), ..Filter::default() }).unwrap();
    found.first().map(|key| key.id)
}

/// Makes a key if there is none, and uses it for everything that commits.
fn live(one: &Session, two: &Session, to: &Recipient) -> Result<()> {
    if active(one).is_none() {
        make(one, two)?;
    }
    let key = active(one).unwrap();
    sign_once(one, two, key)?;
    renew(one, two, key)?;
    one.export(key, to)?;
    sign_once(one, two, key)
}

/// Each tells the other what it lacks; what nobody can finish is given up.
fn settle(one: &Session, two: &Session) {
    for (from, to) in [(one, two), (two, one)] {
        for key in from.find(&Filter::default()).unwrap() {
            for certificate in from.certificates(key.id).unwrap() {
                // A share that was certified anywhere was durable here before.
                to.complete(&certificate).unwrap();
            }
        }
    }
    for session in [one, two] {
        for key in session.find(&Filter { state: Some(KeyState::Pending), ..Filter::default() }).unwrap() {
            session.destroy(key.id).unwrap();
        }
    }
    assert_eq!(active(one), active(two));
}

/// How many nonces its log calls claimed: none twice.
pub fn claimed(session: &Session) -> usize {
    let log = session.audit(None, 100_000).unwrap();
    let claims: Vec<_> = log
        .iter()
        .filter(|record| record.event().kind() == EventKind::NonceClaimed)
        .map(|record| record.event().details()[..32].to_vec())
        .collect();
    assert_eq!(claims.iter().collect::<BTreeSet<_>>().len(), claims.len());
    claims.len()
}

/// One life in which the k-th change of the first member fails. `false` when there are fewer.
fn live_with_failure(k: u32, failure: Failure, sticky: bool) -> bool {
    let identity = Identity::generate();
    let Identity::X25519(key) = &identity else { panic!("another kind of identity") };
    let to = key.recipient();
    let mut kept = None;
    let store = KeyStore::create_in(
        |contents| {
            let storage = Failing::new(contents, failure);
            kept = Some(storage.clone());
            Ok(storage)
        },
        &init("one"),
    )
    .unwrap();
    let storage = kept.unwrap();
    let two = Member::in_memory("two").session;
    storage.arm(k);
    let failed = match store.login(&user_pin()) {
        Ok(session) => live(&session, &two, &to),
        Err(error) => Err(error),
    };
    let reached = storage.disarm();
    assert_eq!(failed.is_err(), reached, "change {k}: {failed:?}");
    if let Err(error) = failed {
        assert!(matches!(error, Error::Storage(StorageError::Io(_))), "change {k}: {error:?}");
        assert!(error.retryable());
    }
    // The same handle goes on once the storage answers, and so does one that is opened afresh.
    let store = if sticky {
        store
    } else {
        drop(store);
        KeyStore::open_in(storage).unwrap()
    };
    let one = store.login(&user_pin()).unwrap();
    settle(&one, &two);
    live(&one, &two, &to).unwrap();
    for session in [&one, &two] {
        assert!(claimed(session) >= 2);
    }
    reached
}

fn each_change_fails(failure: Failure, sticky: bool) {
    let mut k = 1;
    while live_with_failure(k, failure, sticky) {
        k += 1;
    }
    assert!(k > 15, "there are more changes than {k} in a life");
}

#[test]
fn a_change_that_was_not_made_fails_its_step_releases_nothing_and_is_made_up_for_after_reopening() {
    each_change_fails(Failure::Change, false);
}

#[test]
fn a_change_that_was_made_unknown_to_the_token_is_no_harm_after_reopening() {
    each_change_fails(Failure::ChangeMade, false);
}

#[test]
fn a_token_goes_on_by_itself_once_its_storage_answers_again() {
    each_change_fails(Failure::Change, true);
    each_change_fails(Failure::ChangeMade, true);
}

#[test]
fn a_token_whose_file_was_put_back_is_refused_by_its_peers() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("two"), folder.path().join("copy"));
    let mut members = vec![Member::in_memory("one"), Member::new(KeyStore::create(&path, &init("two")).unwrap())];
    let key = dkg(&members, Suite::Ed25519, 2);
    members.pop();
    std::fs::copy(&path, &copy).unwrap();
    members.push(Member::new(KeyStore::open(&path).unwrap()));
    for _ in 0..4 {
        sign(&members, key.id, &[1, 2], b"m");
    }
    members.pop();
    std::fs::rename(&copy, &path).unwrap();
    members.push(Member::new(KeyStore::open(&path).unwrap()));
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    let mut one = members[0].session.start_sign(&invitation, b"m").unwrap();
    let mut two = members[1].session.start_sign(&invitation, b"m").unwrap();
    let mut refused = None;
    // The first member hears all that the other one says, until it refuses.
    for _ in 0..2 {
        while let Some(message) = one.poll_transmit() {
            two.handle(&message).unwrap();
        }
        while let Some(message) = two.poll_transmit() {
            if let Err(error) = one.handle(&message) {
                refused = Some(error);
            }
        }
    }
    assert!(matches!(refused, Some(Error::RolledBack { member }) if member == id(2)), "{refused:?}");
    assert!(one.poll_output().is_none());
}

const CHILD: &str = "QUORUMKEY_TEST_FILE_IN_USE";

#[test]
fn a_second_process_or_handle_on_a_file_is_refused_and_the_first_goes_on() {
    if let Some(path) = std::env::var_os(CHILD) {
        let refused = KeyStore::open(path);
        assert!(matches!(refused, Err(Error::Storage(StorageError::InUse))), "{refused:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let members = [Member::new(KeyStore::create(&path, &init("one")).unwrap()), Member::in_memory("two")];
    assert!(matches!(KeyStore::open(&path), Err(Error::Storage(StorageError::InUse))));
    assert!(matches!(KeyStore::create(&path, &init("again")), Err(Error::Storage(StorageError::Exists))));
    let name = "storage::a_second_process_or_handle_on_a_file_is_refused_and_the_first_goes_on";
    let child =
        Command::new(std::env::current_exe().unwrap()).args([name, "--exact"]).env(CHILD, &path).output().unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
    let key = dkg(&members, Suite::Ed25519, 2);
    sign(&members, key.id, &[1, 2], b"m");
}
