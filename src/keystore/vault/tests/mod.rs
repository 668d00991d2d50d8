//! Tests of the vault.

mod damage;
mod erase;
mod login;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use super::*;
use crate::audit::EventKind;
use crate::keystore::{FileStorage, MemoryStorage};
use crate::policy::UserType;

const USER: &str = "the user's words";
const OFFICER: &str = "the officer's words";
const OBJECT: Space = Space::Object([1; 32]);
const EPOCH: Space = Space::Epoch([1; 32], [2; 32]);
const OLD_EPOCH: Space = Space::Epoch([1; 32], [3; 32]);
const SHARE: &[u8] = b"a share that nobody may find again";

fn pin(text: &str) -> Pin {
    Pin::new(text).unwrap()
}

fn create<S: Storage>(storage: impl FnOnce(&[Entry]) -> Result<S, StorageError>) -> Vault<S> {
    let (user, officer) = (&pin(USER), &pin(OFFICER));
    let events = &[Event::new(EventKind::TokenCreated)];
    Vault::create(storage, &NewVault { user, officer, cost: KdfCost::insecure_for_tests(), events }, Vec::new())
        .unwrap()
}

fn put(space: Space, key: &[u8], value: &[u8]) -> RecordChange {
    RecordChange::Put { space, key: key.to_vec(), value: Zeroizing::new(value.to_vec()) }
}

fn insert(space: Space, key: &[u8]) -> RecordChange {
    RecordChange::Insert { space, key: key.to_vec(), value: Zeroizing::new(vec![1]) }
}

fn delete(space: Space, key: &[u8]) -> RecordChange {
    RecordChange::Delete { space, key: key.to_vec() }
}

fn event() -> Event {
    Event::new(EventKind::KeyActive).object([7; 32]).run([8; 32])
}

fn login<S: Storage>(vault: &Vault<S>) -> Unlocked {
    vault.unlock(UserType::User, &pin(USER)).unwrap()
}

/// A storage that outlives its vault, and fails on demand, before or after it did what it was asked.
#[derive(Clone, Debug, Default)]
struct Shared {
    inner: Arc<MemoryStorage>,
    fail_before: Arc<AtomicBool>,
    fail_after: Arc<AtomicBool>,
    commits_left: Arc<std::sync::Mutex<Option<u32>>>,
}

impl Shared {
    fn new(contents: &[Entry]) -> Self {
        Self { inner: Arc::new(MemoryStorage::new(contents)), ..Self::default() }
    }

    fn of(map: &BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        Self::new(&map.clone().into_iter().collect::<Vec<_>>())
    }

    fn map(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.inner.scan(b"", None, usize::MAX).unwrap().into_iter().collect()
    }

    fn set(&self, key: &[u8], value: Option<&[u8]>) {
        let key = key.to_vec();
        self.inner
            .commit(&[match value {
                Some(value) => Change::Put { key, value: value.to_vec() },
                None => Change::Delete { key },
            }])
            .unwrap();
    }

    fn guard(&self, act: impl FnOnce() -> Result<(), StorageError>) -> Result<(), StorageError> {
        let failure = Err(StorageError::Io(std::io::ErrorKind::StorageFull));
        if let Some(left) = self.commits_left.lock().unwrap().as_mut() {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => return failure,
            }
        }
        if self.fail_before.load(Ordering::SeqCst) {
            return failure;
        }
        act()?;
        if self.fail_after.load(Ordering::SeqCst) { failure } else { Ok(()) }
    }
}

impl Storage for Shared {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner.get(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StorageError> {
        self.inner.scan(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.guard(|| self.inner.commit(changes))
    }

    fn rewrite(&self, contents: &[Entry]) -> Result<(), StorageError> {
        self.guard(|| self.inner.rewrite(contents))
    }

    fn destroy(&self) -> Result<(), StorageError> {
        self.guard(|| self.inner.destroy())
    }
}

/// A vault with a record in each of some spaces.
fn filled() -> (Shared, Vault<Shared>) {
    let vault = create(|contents| Ok(Shared::new(contents)));
    let user = login(&vault);
    let changes = vec![put(OBJECT, b"a", b"of a"), put(EPOCH, b"a", b"of e"), put(Space::Token, b"b", b"of b")];
    vault.transact(&user, changes, &[event()]).unwrap();
    (vault.storage.clone(), vault)
}

fn check<S: Storage>(vault: &Vault<S>, unlocked: &Unlocked) -> Result<(), VaultError> {
    for (space, key, value) in [(OBJECT, b"a", b"of a"), (EPOCH, b"a", b"of e"), (Space::Token, b"b", b"of b")] {
        assert_eq!(vault.get(unlocked, space, key)?.expect("not absent").as_slice(), value);
    }
    Ok(())
}

#[test]
fn what_was_put_is_there_after_the_file_was_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.qk");
    let vault = create(|contents| FileStorage::create(&path, contents));
    let user = login(&vault);
    vault.transact(&user, vec![put(OBJECT, b"share", b"secret"), put(EPOCH, b"x", b"y")], &[event()]).unwrap();
    let (counter, head) = (vault.counter().unwrap(), vault.audit_head().unwrap());
    drop(vault);
    let vault = Vault::open(FileStorage::open(&path).unwrap()).unwrap();
    assert_eq!((vault.counter().unwrap(), vault.audit_head().unwrap()), (counter, head));
    let user = login(&vault);
    assert_eq!(vault.get(&user, OBJECT, b"share").unwrap().unwrap().as_slice(), b"secret");
    vault.erase(&user, &[EPOCH], vec![], &[event()]).unwrap();
    assert_eq!(vault.get(&user, EPOCH, b"x").unwrap(), None);
    drop(vault);
    let vault = Vault::open(FileStorage::open(&path).unwrap()).unwrap();
    let officer = vault.unlock(UserType::SecurityOfficer, &pin(OFFICER)).unwrap();
    assert_eq!(officer.role(), UserType::SecurityOfficer);
    assert_eq!(vault.get(&officer, OBJECT, b"share").unwrap().unwrap().as_slice(), b"secret");
}

#[test]
fn a_scan_stays_in_its_space_and_goes_on_after_a_key() {
    let (_, vault) = filled();
    let user = login(&vault);
    let keys: [&[u8]; 4] = [b"p", b"p1", b"p2", b"q"];
    vault.transact(&user, keys.iter().map(|key| put(OBJECT, key, key)).collect(), &[]).unwrap();
    let scan = |prefix: &[u8], after, limit| {
        let found = vault.scan(&user, OBJECT, prefix, after, limit).unwrap();
        found.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(scan(b"", None, 100), "a p p1 p2 q");
    assert_eq!(scan(b"p", None, 2), "p p1");
    assert_eq!(scan(b"p", Some(b"p1"), 100), "p2");
    assert_eq!(scan(b"p", Some(b"q"), 100), "");
    vault.transact(&user, vec![delete(OBJECT, b"p1")], &[]).unwrap();
    assert_eq!(scan(b"p", Some(b"a"), 100), "p p2");
    assert!(vault.scan(&user, Space::Object([9; 32]), b"", None, 9).unwrap().is_empty());
}

#[test]
fn a_record_is_inserted_once_and_a_refused_transaction_changes_nothing() {
    let (shared, vault) = filled();
    let user = login(&vault);
    vault.transact(&user, vec![insert(OBJECT, b"claim")], &[event()]).unwrap();
    let before = shared.map();
    for changes in
        [vec![put(EPOCH, b"n", b"n"), insert(OBJECT, b"claim")], vec![insert(EPOCH, b"n"), insert(EPOCH, b"n")]]
    {
        assert_eq!(vault.transact(&user, changes, &[event()]).unwrap_err(), VaultError::Exists);
    }
    assert_eq!(vault.erase(&user, &[], vec![insert(OBJECT, b"claim")], &[]).unwrap_err(), VaultError::Exists);
    assert!(before == shared.map());
    vault.transact(&user, vec![delete(OBJECT, b"claim"), insert(OBJECT, b"claim")], &[]).unwrap();
}

#[test]
fn a_transaction_that_failed_moves_neither_counter_nor_head() {
    let (shared, vault) = filled();
    let user = login(&vault);
    let (before, counter, head) = (shared.map(), vault.counter().unwrap(), vault.audit_head().unwrap());
    shared.fail_before.store(true, Ordering::SeqCst);
    assert!(vault.transact(&user, vec![put(OBJECT, b"a", b"x")], &[event()]).is_err());
    assert!(vault.erase(&user, &[EPOCH], vec![], &[event()]).is_err());
    shared.fail_before.store(false, Ordering::SeqCst);
    assert!(before == shared.map());
    assert_eq!((vault.counter().unwrap(), vault.audit_head().unwrap()), (counter, head));
    check(&vault, &user).unwrap();
    vault.transact(&user, vec![], &[event()]).unwrap();
    assert_eq!(vault.counter().unwrap(), counter + 1);
}

#[test]
fn a_transaction_that_happened_although_it_failed_is_taken_for_what_it_is() {
    let (shared, vault) = filled();
    let user = login(&vault);
    let counter = vault.counter().unwrap();
    shared.fail_after.store(true, Ordering::SeqCst);
    assert!(vault.transact(&user, vec![put(OBJECT, b"n", b"x")], &[event()]).is_err());
    shared.fail_after.store(false, Ordering::SeqCst);
    assert_eq!(vault.counter().unwrap(), counter + 1);
    assert!(vault.get(&user, OBJECT, b"n").unwrap().is_some());
    vault.transact(&user, vec![], &[event()]).unwrap();
    // A renewal of which only the answer failed: the old root key opens nothing, so who is logged in has the new one.
    shared.fail_after.store(true, Ordering::SeqCst);
    assert!(vault.erase(&user, &[], vec![], &[]).is_err());
    shared.fail_after.store(false, Ordering::SeqCst);
    check(&vault, &user).unwrap();
    check(&vault, &login(&vault)).unwrap();
    check(&vault, &user).unwrap();
}

#[test]
fn costs_are_those_that_are_written_and_bounded() {
    let cost = |mebibytes: u32, passes, lanes| KdfCost::new(mebibytes * 1024, passes, lanes);
    assert_eq!(cost(19, 2, 1), Some(KdfCost::small()));
    assert_eq!(cost(64, 3, 1), Some(KdfCost::default()));
    assert_eq!(cost(256, 4, 1), Some(KdfCost::strong()));
    assert!(cost(1024, 16, 4).is_some());
    for (mebibytes, passes, lanes) in [(18, 2, 1), (19, 1, 1), (1025, 16, 4), (1024, 17, 4), (1024, 16, 5), (19, 2, 0)]
    {
        assert_eq!(cost(mebibytes, passes, lanes), None);
    }
}

#[test]
fn the_log_is_read_page_by_page_and_verifies() {
    let (_, vault) = filled();
    let user = login(&vault);
    for _ in 0..PAGE {
        vault.transact(&user, vec![], &[event(), event()]).unwrap();
    }
    drop(user);
    login(&vault);
    let mut after = None;
    let mut head = Head::genesis(&vault.token_id().unwrap());
    assert_eq!(vault.audit(Some(head.digest), 3).unwrap(), vault.audit(None, 3).unwrap());
    loop {
        let page = vault.audit(after, 100).unwrap().unwrap();
        head = crate::audit::follow(&page, &head).unwrap();
        match page.last() {
            Some(last) => after = Some(last.hash()),
            None => break,
        }
    }
    assert_eq!(head.digest, vault.audit_head().unwrap());
    assert_eq!(vault.audit(Some(Digest::from_bytes([9; 32])), 9).unwrap(), None);
}
