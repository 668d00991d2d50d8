//! Storages that fail, files that were put back, and two who want the same one.

use core::result::Result as CoreResult;
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use quorumkey::audit::EventKind;
use quorumkey::wrap::{Identity, Recipient};
use quorumkey::{
    Change, Denial, Dkg, Entry, Error, Filter, KeyId, KeyState, KeyStore, KeyTemplate, MemoryStorage, Protocol, Result,
    Roster, Run, Session, Storage, StorageError, Suite,
};

use crate::common::{Member, dkg, id, init, sign, user_pin};

/// A storage whose k-th change fails.
#[derive(Clone, Debug)]
struct Failing {
    inner: Arc<MemoryStorage>,
    /// How many changes go well before one fails; many when none does.
    left: Arc<AtomicU32>,
    /// Whether the change that fails was made all the same.
    after: bool,
}

impl Failing {
    fn act(&self, act: impl FnOnce(&MemoryStorage) -> CoreResult<(), StorageError>) -> CoreResult<(), StorageError> {
        let fails = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) == Ok(1);
        if !fails || self.after {
            act(&self.inner)?;
        }
        if fails { Err(StorageError::Io(std::io::ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

impl Storage for Failing {
    fn get(&self, key: &[u8]) -> CoreResult<Option<Vec<u8>>, StorageError> {
        self.inner.get(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> CoreResult<Vec<Entry>, StorageError> {
        self.inner.scan(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> CoreResult<(), StorageError> {
        self.act(|inner| inner.commit(changes))
    }

    fn rewrite(&self, contents: &[Entry]) -> CoreResult<(), StorageError> {
        self.act(|inner| inner.rewrite(contents))
    }
}

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

/// One life in which the k-th change of the first member fails. `false` when there are fewer.
fn live_with_failure(k: u32, after: bool, sticky: bool) -> bool {
    let identity = Identity::generate();
    let Identity::X25519(key) = &identity else { panic!("another kind of identity") };
    let to = key.recipient();
    let left = Arc::new(AtomicU32::new(u32::MAX));
    let mut inner = None;
    let store = KeyStore::create_in(
        |contents| {
            let kept = Arc::new(MemoryStorage::new(contents));
            inner = Some(Arc::clone(&kept));
            Ok(Failing { inner: kept, left: Arc::clone(&left), after })
        },
        &init("one"),
    )
    .unwrap();
    let inner = inner.unwrap();
    let two = Member::in_memory("two").session;
    left.store(k, Ordering::SeqCst);
    let failed = match store.login(&user_pin()) {
        Ok(session) => live(&session, &two, &to),
        Err(error) => Err(error),
    };
    let reached = left.swap(u32::MAX, Ordering::SeqCst) == 0;
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
        KeyStore::open_in(Failing { inner, left, after }).unwrap()
    };
    let one = store.login(&user_pin()).unwrap();
    settle(&one, &two);
    live(&one, &two, &to).unwrap();
    for session in [&one, &two] {
        let log = session.audit(None, 100_000).unwrap();
        let claims: Vec<_> = log
            .iter()
            .filter(|record| record.event().kind() == EventKind::NonceClaimed)
            .map(|record| record.event().details()[..32].to_vec())
            .collect();
        assert!(claims.len() >= 2);
        assert_eq!(claims.iter().collect::<BTreeSet<_>>().len(), claims.len());
    }
    reached
}

fn each_change_fails(after: bool, sticky: bool) {
    let mut k = 1;
    while live_with_failure(k, after, sticky) {
        k += 1;
    }
    assert!(k > 15, "there are more changes than {k} in a life");
}

#[test]
fn a_change_that_was_not_made_fails_its_step_releases_nothing_and_is_made_up_for_after_reopening() {
    each_change_fails(false, false);
}

#[test]
fn a_change_that_was_made_unknown_to_the_token_is_no_harm_after_reopening() {
    each_change_fails(true, false);
}

#[test]
fn a_token_goes_on_by_itself_once_its_storage_answers_again() {
    each_change_fails(false, true);
    each_change_fails(true, true);
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
