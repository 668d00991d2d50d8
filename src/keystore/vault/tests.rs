//! Tests of the vault.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zeroize::Zeroizing;

use super::*;
use crate::audit::EventKind;
use crate::keystore::storage::open_unsynced;
use crate::keystore::{FileStorage, MemoryStorage, UserType};

const USER: &str = "the user's words";
const OFFICER: &str = "the officer's words";
const OBJECT: Space = Space::Object([1; 32]);
const EPOCH: Space = Space::Epoch([1; 32], [2; 32]);
const OLD_EPOCH: Space = Space::Epoch([1; 32], [3; 32]);
const HEADER_LEN: usize = 481;
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
fn tries_are_counted_across_openings_then_the_role_is_locked_until_the_officer_sets_a_pin() {
    let (shared, vault) = filled();
    drop(vault);
    for tries_left in (1..10).rev() {
        let vault = Vault::open(shared.clone()).unwrap();
        let refused = vault.unlock(UserType::User, &pin("not the words")).unwrap_err();
        assert_eq!(refused, VaultError::Login { tries_left });
    }
    let vault = Vault::open(shared.clone()).unwrap();
    assert_eq!(vault.unlock(UserType::User, &pin("not the words")).unwrap_err(), VaultError::Locked);
    let vault = Vault::open(shared).unwrap();
    assert_eq!(vault.unlock(UserType::User, &pin(USER)).unwrap_err(), VaultError::Locked);
    let officer = vault.unlock(UserType::SecurityOfficer, &pin(OFFICER)).unwrap();
    let kinds: Vec<_> = vault.audit(None, 100).unwrap().unwrap().iter().map(|record| record.event().kind()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::LoginFailed).count(), 10);
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::LockedOut).count(), 1);
    vault.set_pin(&officer, UserType::User, &pin("other words")).unwrap();
    check(&vault, &vault.unlock(UserType::User, &pin("other words")).unwrap()).unwrap();
    let refused = vault.unlock(UserType::User, &pin(USER)).unwrap_err();
    assert_eq!(refused, VaultError::Login { tries_left: 9 }, "the count began anew");
}

#[test]
fn a_login_that_succeeds_resets_the_count_of_its_role_only() {
    let (_, vault) = filled();
    let wrong = |role| vault.unlock(role, &pin("not the words")).unwrap_err();
    assert_eq!(wrong(UserType::User), VaultError::Login { tries_left: 9 });
    assert_eq!(wrong(UserType::SecurityOfficer), VaultError::Login { tries_left: 4 });
    login(&vault);
    assert_eq!(wrong(UserType::User), VaultError::Login { tries_left: 9 });
    assert_eq!(wrong(UserType::SecurityOfficer), VaultError::Login { tries_left: 3 });
}

#[test]
fn a_crash_at_any_moment_of_a_login_gives_no_try_back() {
    let (shared, vault) = filled();
    drop(vault);
    let before = shared.map();
    for commits in 0..2 {
        let shared = Shared::of(&before);
        let vault = Vault::open(shared.clone()).unwrap();
        *shared.commits_left.lock().unwrap() = Some(commits);
        let died = vault.unlock(UserType::User, &pin("not the words")).unwrap_err();
        assert!(matches!(died, VaultError::Storage(_)), "no answer was given");
        *shared.commits_left.lock().unwrap() = None;
        let next = Vault::open(shared).unwrap().unlock(UserType::User, &pin("not the words")).unwrap_err();
        let spent = u8::try_from(commits).unwrap();
        assert_eq!(next, VaultError::Login { tries_left: 9 - spent });
    }
}

#[test]
fn a_user_sets_its_own_pin_and_not_the_officers() {
    let (_, vault) = filled();
    let user = login(&vault);
    let denied = vault.set_pin(&user, UserType::SecurityOfficer, &pin("mine now")).unwrap_err();
    assert_eq!(denied, VaultError::Denied);
    vault.set_pin(&user, UserType::User, &pin("my new words")).unwrap();
    check(&vault, &user).unwrap();
    assert!(vault.unlock(UserType::User, &pin(USER)).is_err());
    check(&vault, &vault.unlock(UserType::User, &pin("my new words")).unwrap()).unwrap();
    check(&vault, &vault.unlock(UserType::SecurityOfficer, &pin(OFFICER)).unwrap()).unwrap();
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
    // A renewal of which only the answer failed: the old root key opens nothing, a new login does.
    shared.fail_after.store(true, Ordering::SeqCst);
    assert!(vault.erase(&user, &[], vec![], &[]).is_err());
    shared.fail_after.store(false, Ordering::SeqCst);
    assert_eq!(vault.get(&user, OBJECT, b"a").unwrap_err(), VaultError::Corrupt);
    check(&vault, &login(&vault)).unwrap();
    check(&vault, &user).unwrap();
}

#[test]
fn sealed_values_open_only_in_their_own_place() {
    let (shared, vault) = filled();
    let user = login(&vault);
    let sealed: Vec<_> = shared.map().into_iter().filter(|(key, _)| b"krv".contains(&key[0])).collect();
    assert_eq!(sealed.len(), 3 + 3 + 1);
    for (place, value) in &sealed {
        for (other, others) in &sealed {
            if place != other {
                shared.set(place, Some(others));
                let read = check(&vault, &user).and_then(|()| vault.transact(&user, vec![], &[]));
                assert_eq!(read.unwrap_err(), VaultError::Corrupt);
                let opened = Vault::open(shared.clone()).and_then(|vault| vault.unlock(UserType::User, &pin(USER)));
                assert_eq!(opened.unwrap_err(), VaultError::Corrupt);
                shared.set(place, Some(value));
                // The wrong tries of this loop don't count: each was the right PIN.
                shared.set(space::TRIES, Some(&Tries::default().encode()));
            }
        }
    }
    check(&vault, &user).unwrap();
}

#[test]
fn a_record_without_its_data_key_is_unreadable_not_absent() {
    let (shared, vault) = filled();
    let user = login(&vault);
    shared.set(&OBJECT.data_key(), None);
    assert_eq!(vault.get(&user, OBJECT, b"a").unwrap_err(), VaultError::Corrupt);
    assert_eq!(vault.scan(&user, OBJECT, b"", None, 9).unwrap_err(), VaultError::Corrupt);
    assert_eq!(vault.erase(&user, &[], vec![], &[]).unwrap_err(), VaultError::Corrupt);
}

#[test]
fn a_record_taken_away_or_put_back_as_it_was_is_found_at_login() {
    let (shared, vault) = filled();
    let user = login(&vault);
    let earlier = shared.map();
    vault.transact(&user, vec![put(OBJECT, b"a", b"of a"), delete(EPOCH, b"a")], &[]).unwrap();
    let now = shared.map();
    for (place, change) in [
        (OBJECT.record(b"a"), earlier.get(&OBJECT.record(b"a"))),
        (EPOCH.record(b"a"), earlier.get(&EPOCH.record(b"a"))),
        (Space::Token.record(b"b"), None),
        (Space::Token.data_key(), None),
        (space::SEAL.to_vec(), earlier.get(space::SEAL)),
        (space::STATE.to_vec(), earlier.get(space::STATE)),
    ] {
        let shared = Shared::of(&now);
        Vault::open(shared.clone()).unwrap().unlock(UserType::User, &pin(USER)).unwrap();
        shared.set(&place, change.map(Vec::as_slice));
        let opened = Vault::open(shared).unwrap().unlock(UserType::User, &pin(USER));
        assert!(matches!(opened.unwrap_err(), VaultError::Corrupt | VaultError::Audit(_)), "{place:?}");
    }
    // An older copy of the whole store opens: only peers, who remember the counter, can tell.
    let old = Vault::open(Shared::of(&earlier)).unwrap();
    login(&old);
    assert!(old.counter().unwrap() <= vault.counter().unwrap());
}

#[test]
fn every_bit_flipped_in_every_value_is_an_error_or_changes_nothing() {
    let (shared, vault) = filled();
    drop(vault);
    let whole = shared.map();
    for (place, value) in &whole {
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let shared = Shared::of(&whole);
            shared.set(place, Some(&flipped));
            let Ok(vault) = Vault::open(shared) else { continue };
            let mut opened = false;
            for (role, words) in [(UserType::User, USER), (UserType::SecurityOfficer, OFFICER)] {
                if let Ok(unlocked) = vault.unlock(role, &pin(words)) {
                    check(&vault, &unlocked).unwrap();
                    opened = true;
                }
            }
            assert!(!opened || place == space::TRIES, "bit {bit} at {place:?} was not noticed");
        }
    }
}

#[test]
fn hostile_parameters_in_a_header_are_refused_before_memory_is_taken() {
    let (shared, _) = filled();
    let header = shared.get(space::HEADER).unwrap().unwrap();
    for (at, value) in [(21, u32::MAX), (21, 1024 * 1024 + 1), (21, 7), (25, 0), (25, 17), (29, 0), (29, 5)] {
        let mut header = header.clone();
        header[at..at + 4].copy_from_slice(&value.to_be_bytes());
        shared.set(space::HEADER, Some(&header));
        assert_eq!(Vault::open(shared.clone()).unwrap_err(), VaultError::Corrupt);
    }
    let mut header = header;
    header[4] = 2;
    shared.set(space::HEADER, Some(&header));
    assert_eq!(Vault::open(shared.clone()).unwrap_err(), VaultError::Future(2));
    shared.set(space::HEADER, None);
    assert_eq!(Vault::open(shared).unwrap_err(), VaultError::Corrupt);
}

#[test]
fn a_log_that_was_cut_edited_or_reordered_is_found_at_login() {
    let (shared, vault) = filled();
    vault.unlock(UserType::User, &pin("not the words")).unwrap_err();
    drop(vault);
    let whole = shared.map();
    let records: Vec<_> = whole.iter().filter(|(place, _)| place.starts_with(space::AUDIT)).collect();
    let refused = |shared: Shared| {
        let refused = Vault::open(shared).unwrap().unlock(UserType::User, &pin(USER)).unwrap_err();
        assert!(matches!(refused, VaultError::Audit(_)), "{refused:?}");
    };
    assert_eq!(records.len(), 4);
    for (at, (place, value)) in records.iter().enumerate() {
        let shared = Shared::of(&whole);
        shared.set(place, None);
        refused(shared);
        if let Some((other, others)) = records.get(at + 1) {
            let shared = Shared::of(&whole);
            shared.set(place, Some(others));
            shared.set(other, Some(value));
            refused(shared);
        }
        // Edited, and its hash computed again.
        let mut record = Record::decode(value).unwrap();
        let before = Head { next: record.sequence(), digest: record.previous() };
        record = Record::append(&before, record.counter(), Event::new(EventKind::KeyDestroyed));
        let shared = Shared::of(&whole);
        shared.set(place, Some(&record.encode()));
        refused(shared);
    }
    Vault::open(Shared::of(&whole)).unwrap().unlock(UserType::User, &pin(USER)).unwrap();
}

#[test]
fn after_the_sealed_head_only_failed_logins_are_believed() {
    let (shared, vault) = filled();
    drop(vault);
    let ledger = Ledger::decode(&shared.get(space::STATE).unwrap().unwrap()).unwrap();
    let whole = shared.map();
    let extended = |kind, counter| {
        let record = Record::append(&ledger.head, counter, Event::new(kind));
        let shared = Shared::of(&whole);
        shared.set(&space::audit(record.sequence()), Some(&record.encode()));
        shared.set(space::STATE, Some(&Ledger { counter, head: record.head() }.encode()));
        Vault::open(shared).unwrap().unlock(UserType::User, &pin(USER))
    };
    assert!(extended(EventKind::LoginFailed, ledger.counter + 1).is_ok());
    for (kind, counter) in
        [(EventKind::KeyDestroyed, ledger.counter + 1), (EventKind::LoginFailed, u64::MAX), (EventKind::LoggedIn, 0)]
    {
        assert!(matches!(extended(kind, counter).unwrap_err(), VaultError::Audit(_)));
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

#[test]
fn all_who_are_logged_in_stay_so_when_the_root_key_is_renewed() {
    let (shared, vault) = filled();
    let (user, again) = (login(&vault), login(&vault));
    let officer = vault.unlock(UserType::SecurityOfficer, &pin(OFFICER)).unwrap();
    vault.erase(&user, &[OLD_EPOCH], vec![put(OBJECT, b"c", b"c")], &[event()]).unwrap();
    for unlocked in [&user, &again, &officer] {
        check(&vault, unlocked).unwrap();
        vault.transact(unlocked, vec![put(OBJECT, b"d", b"d")], &[]).unwrap();
    }
    let reopened = Vault::open(shared).unwrap();
    check(&reopened, &login(&reopened)).unwrap();
}

/// The windows of bytes that may be sealed: not those whose nonce is mostly zeros, which random ones are not.
fn windows(bytes: &[u8], len: usize) -> impl Iterator<Item = &[u8]> {
    bytes.windows(len).filter(|window| window[..24].iter().filter(|byte| **byte == 0).nth(5).is_none())
}

/// Whether some bytes hold a record of that place and length for who knows the PINs: at every offset a header, under its
/// root keys a data key, under these the record.
fn attack(bytes: &[u8], (space, key): (Space, &[u8]), len: usize) -> bool {
    let headers: BTreeSet<_> = bytes.windows(HEADER_LEN).filter(|window| Header::decode(window).is_ok()).collect();
    let mut roots = BTreeSet::new();
    let mut data_keys = BTreeSet::new();
    let mut token = [0; 16];
    for header in headers.into_iter().map(|header| Header::decode(header).unwrap()) {
        let pins = [(UserType::User, USER), (UserType::SecurityOfficer, OFFICER)];
        roots.extend(
            pins.iter().filter_map(|(role, words)| Some(*header.unlock(*role, &pin(words)).unwrap()?.expose())),
        );
        token = header.token;
    }
    let (place, record) = (associated(&token, &space.data_key()), associated(&token, &space.record(key)));
    for root in roots.into_iter().map(Key::new) {
        let windows = windows(bytes, seal::SEALED_KEY);
        data_keys.extend(windows.filter_map(|window| Some(*seal::open_key(&root, &place, window)?.expose())));
    }
    data_keys
        .into_iter()
        .map(Key::new)
        .any(|key| windows(bytes, len + seal::OVERHEAD).any(|window| seal::open(&key, &record, window).is_some()))
}

#[test]
fn who_has_every_pin_finds_nothing_erased_in_the_old_bytes_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let vault = create(|contents| FileStorage::create(&path, contents));
    let user = login(&vault);
    vault.transact(&user, vec![put(OLD_EPOCH, b"share", SHARE), put(EPOCH, b"share", SHARE)], &[]).unwrap();
    let old_root = user.root().expose().to_vec();
    let token = vault.token_id().unwrap();
    let old_key = vault.data_key(&user.root(), &token, OLD_EPOCH).unwrap().unwrap();

    // The attack works: on what was there, and on a record that was only deleted.
    assert!(attack(&fs::read(&path).unwrap(), (OLD_EPOCH, b"share"), SHARE.len()));
    let sealed = vault.storage.get(&OLD_EPOCH.record(b"share")).unwrap().unwrap();
    vault.transact(&user, vec![delete(OLD_EPOCH, b"share")], &[]).unwrap();
    assert!(attack(&fs::read(&path).unwrap(), (OLD_EPOCH, b"share"), SHARE.len()));

    let mut old = File::open(&path).unwrap();
    vault.erase(&user, &[OLD_EPOCH], vec![], &[event()]).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    assert!(attack(&bytes, (EPOCH, b"share"), SHARE.len()));
    old.read_to_end(&mut bytes).unwrap();
    assert!(!attack(&bytes, (OLD_EPOCH, b"share"), SHARE.len()));
    for secret in [old_root.as_slice(), old_key.expose(), SHARE, &sealed] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn an_old_pin_opens_nothing_in_the_file_after_it_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let vault = create(|contents| FileStorage::create(&path, contents));
    let user = login(&vault);
    vault.transact(&user, vec![put(EPOCH, b"share", SHARE)], &[]).unwrap();
    vault.set_pin(&user, UserType::User, &pin("my new words")).unwrap();
    let officer = vault.unlock(UserType::SecurityOfficer, &pin(OFFICER)).unwrap();
    vault.set_pin(&officer, UserType::SecurityOfficer, &pin("and my own")).unwrap();
    assert!(!attack(&fs::read(&path).unwrap(), (EPOCH, b"share"), SHARE.len()));
}

#[test]
fn a_byte_flipped_in_a_file_is_an_error_or_changes_nothing() {
    flip_bytes(97);
}

#[test]
#[ignore = "takes minutes"]
fn every_byte_flipped_in_a_file_is_an_error_or_changes_nothing() {
    flip_bytes(1);
}

fn flip_bytes(stride: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let vault = create(|contents| FileStorage::create(&path, contents));
    let user = login(&vault);
    let changes = vec![put(OBJECT, b"a", b"of a"), put(EPOCH, b"a", b"of e"), put(Space::Token, b"b", b"of b")];
    vault.transact(&user, changes, &[event()]).unwrap();
    drop(vault);
    let whole = fs::read(&path).unwrap();
    // The preamble and the database's header in full, of the rest a part; all of it takes minutes.
    let nonzero = (0..whole.len()).filter(|at| whole[at / 64 * 64..][..64].iter().any(|byte| *byte != 0));
    let chosen = nonzero.filter(|at| (4096..4608).contains(at) || *at < 64 || at % stride == 0);
    let (mut errors, mut unaffected) = (0, 0);
    for at in chosen {
        let mut flipped = whole.clone();
        flipped[at] ^= 0xff;
        fs::write(&path, &flipped).unwrap();
        let opened = open_unsynced(&path).map_err(VaultError::from).and_then(Vault::open);
        let checked = opened.and_then(|vault| check(&vault, &vault.unlock(UserType::User, &pin(USER))?));
        match checked {
            Ok(()) => unaffected += 1,
            Err(_) => errors += 1,
        }
    }
    assert!(errors > 0 && unaffected > 0, "{errors} errors, {unaffected} unaffected");
}
