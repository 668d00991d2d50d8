//! What can still be found.

use std::fs::{self, File};
use std::io::Read;

use super::*;

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

/// Whether some bytes hold a record of that place and length for who knows the PINs.
fn attack(bytes: &[u8], (space, key): (Space, &[u8]), len: usize) -> bool {
    let (user, officer) = (pin(USER), pin(OFFICER));
    let pins = [(UserType::User, &user), (UserType::SecurityOfficer, &officer)];
    !scavenge(bytes, &pins, &[(space, key, len)]).records.is_empty()
}

#[test]
fn who_has_every_pin_finds_nothing_erased_in_the_old_bytes_or_the_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let vault = create(|contents| FileStorage::create(&path, contents));
    let user = login(&vault);
    vault
        .transact(
            &user,
            vec![put(OLD_EPOCH, b"share", SHARE), put(OLD_EPOCH, b"more", b""), put(EPOCH, b"share", SHARE)],
            &[],
        )
        .unwrap();
    let old_root = user.root().expose().to_vec();
    let token = vault.token_id().unwrap();
    let old_key = vault.data_key(&user.root(), &token, OLD_EPOCH).unwrap().unwrap();

    // The attack works: on what was there, and on a record that was only deleted.
    assert!(attack(&fs::read(&path).unwrap(), (OLD_EPOCH, b"share"), SHARE.len()));
    let sealed = vault.storage.get(&OLD_EPOCH.record(b"more")).unwrap().unwrap();
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
fn a_key_takes_its_epochs_along_and_no_other_keys() {
    let (_, vault) = filled();
    let user = login(&vault);
    let other = Space::Epoch([9; 32], [2; 32]);
    vault.transact(&user, vec![put(other, b"share", SHARE), put(OLD_EPOCH, b"share", SHARE)], &[]).unwrap();
    vault.erase(&user, &[OBJECT], vec![], &[event()]).unwrap();
    for (space, key, there) in [
        (OBJECT, b"a".as_slice(), false),
        (EPOCH, b"a", false),
        (OLD_EPOCH, b"share", false),
        (other, b"share", true),
        (Space::Token, b"b", true),
    ] {
        assert_eq!(vault.get(&user, space, key).unwrap().is_some(), there, "{space:?}");
    }
}

#[test]
fn nothing_succeeds_on_a_vault_that_was_destroyed() {
    let (_, vault) = filled();
    let user = login(&vault);
    vault.destroy(&user, &[Event::new(EventKind::TokenDestroyed)]).unwrap();
    let missing = VaultError::Storage(StorageError::Missing);
    // First of all what it need not ask the storage for.
    assert_eq!(vault.counter().unwrap_err(), missing);
    assert_eq!(vault.get(&user, OBJECT, b"a").unwrap_err(), missing);
    assert_eq!(vault.transact(&user, vec![], &[event()]).unwrap_err(), missing);
    assert_eq!(vault.unlock(UserType::User, &pin(USER)).unwrap_err(), missing);
}

#[test]
fn a_destruction_that_fails_shows_in_the_log_and_can_be_repeated() {
    let (shared, vault) = filled();
    let user = login(&vault);
    *shared.commits_left.lock().unwrap() = Some(1);
    assert!(vault.destroy(&user, &[Event::new(EventKind::TokenDestroyed)]).is_err());
    *shared.commits_left.lock().unwrap() = None;
    check(&vault, &user).unwrap();
    let log = vault.audit(None, 99).unwrap().unwrap();
    assert_eq!(log.last().unwrap().event().kind(), EventKind::TokenDestroyed);
    vault.destroy(&user, &[]).unwrap();
    assert!(vault.counter().is_err());
}
