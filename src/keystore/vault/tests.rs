//! Tests of the vault.

use zeroize::Zeroizing;

use super::*;
use crate::audit::EventKind;
use crate::keystore::{FileStorage, MemoryStorage, UserType};

const USER: &str = "the user's words";
const OFFICER: &str = "the officer's words";

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

fn event() -> Event {
    Event::new(EventKind::KeyActive).object([7; 32])
}

const OBJECT: Space = Space::Object([1; 32]);
const EPOCH: Space = Space::Epoch([1; 32], [2; 32]);

#[test]
fn what_was_put_is_there_after_the_file_was_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet.qk");
    let vault = create(|contents| FileStorage::create(&path, contents));
    let user = vault.unlock(UserType::User, &pin(USER)).unwrap();
    vault.transact(&user, vec![put(OBJECT, b"share", b"secret"), put(EPOCH, b"x", b"y")], &[event()]).unwrap();
    let (counter, head) = (vault.counter().unwrap(), vault.audit_head().unwrap());
    drop(vault);
    let vault = Vault::open(FileStorage::open(&path).unwrap()).unwrap();
    assert_eq!((vault.counter().unwrap(), vault.audit_head().unwrap()), (counter, head));
    let user = vault.unlock(UserType::User, &pin(USER)).unwrap();
    assert_eq!(vault.get(&user, OBJECT, b"share").unwrap().unwrap().as_slice(), b"secret");
    assert_eq!(vault.get(&user, OBJECT, b"none").unwrap(), None);
    vault.erase(&user, &[EPOCH], vec![], &[event()]).unwrap();
    assert_eq!(vault.get(&user, EPOCH, b"x").unwrap(), None);
    assert_eq!(vault.get(&user, OBJECT, b"share").unwrap().unwrap().as_slice(), b"secret");
    drop(vault);
    let vault = Vault::open(FileStorage::open(&path).unwrap()).unwrap();
    let officer = vault.unlock(UserType::SecurityOfficer, &pin(OFFICER)).unwrap();
    assert_eq!(vault.get(&officer, OBJECT, b"share").unwrap().unwrap().as_slice(), b"secret");
}
