//! What can still be found.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;

use super::*;

/// A header's length.
const HEADER_LEN: usize = 481;

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
