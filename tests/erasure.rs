//! What is left in a token's file of what was erased: nothing, for somebody who knows every PIN and tries every place.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "what is wrong in a test may panic"
)]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use common::*;
use quorumkey::hazmat::{Loot, Scavenged};
use quorumkey::{EpochId, Error, Filter, KeyId, KeyInfo, KeyState, KeyStore, StorageError, Suite};
use tempfile::TempDir;

/// Every suite.
macro_rules! mounted {
    ($($name:ident)*) => {
        mod ed25519 { $(#[test] fn $name() { super::$name(quorumkey::Suite::Ed25519); })* }
        mod secp256k1 { $(#[test] fn $name() { super::$name(quorumkey::Suite::Secp256k1); })* }
        mod taproot { $(#[test] fn $name() { super::$name(quorumkey::Suite::Secp256k1Taproot); })* }
    };
}

mounted! {
    who_has_every_pin_finds_neither_share_nor_data_key_of_an_erased_epoch
    who_has_every_pin_finds_nothing_of_a_destroyed_key_which_is_absent_and_not_unreadable
    a_destroyed_token_leaves_nothing_of_its_file
}

/// A member whose token is in a file, as the first of a group.
struct Victim {
    folder: TempDir,
    path: PathBuf,
    /// The file that the token was in first, whatever its name leads to.
    file: File,
}

impl Victim {
    fn group(n: u16) -> (Self, Vec<Member>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut members = vec![Member::new(KeyStore::create(&path, &init("victim")).unwrap())];
        members.extend((2..=n).map(|i| Member::in_memory(&format!("member {i}"))));
        let file = File::open(&path).unwrap();
        (Self { folder, path, file }, members)
    }

    /// Every secret that the token gives to its owner: identity, share and chain code of each key.
    fn secrets(&self) -> BTreeSet<[u8; 32]> {
        let copy = self.folder.path().join("copy");
        fs::copy(&self.path, &copy).unwrap();
        let loot = Loot::of_file(&copy, &user_pin()).unwrap();
        fs::remove_file(copy).unwrap();
        loot.secrets().copied().collect()
    }

    /// The bytes of the file, and of the file that it was before.
    fn bytes(&mut self) -> Vec<u8> {
        let (mut bytes, mut before) = (fs::read(&self.path).unwrap_or_default(), Vec::new());
        self.file.rewind().unwrap();
        self.file.read_to_end(&mut before).unwrap();
        if before != bytes {
            bytes.extend(before);
        }
        // From now on it is the old one that counts.
        if let Ok(file) = File::open(&self.path) {
            self.file = file;
        }
        bytes
    }

    fn scavenge(&mut self, keys: &[(KeyId, Vec<EpochId>)]) -> (Scavenged, Vec<u8>) {
        let bytes = self.bytes();
        (Scavenged::of(&bytes, &user_pin(), &officer_pin(), keys), bytes)
    }

    fn names(&self) -> Vec<PathBuf> {
        fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

/// None of the secrets is among what was found, nor stands anywhere in the bytes, forwards or backwards.
fn nowhere<'a>(secrets: impl IntoIterator<Item = &'a [u8; 32]>, found: &Scavenged, bytes: &[u8]) {
    let stands = |secret: &[u8; 32]| bytes.windows(32).any(|window| window[0] == secret[0] && window == secret);
    for secret in secrets {
        assert!(!found.secrets().contains(secret) && !found.keys().contains(secret));
        let mut backwards = *secret;
        backwards.reverse();
        assert!(!stands(secret) && !stands(&backwards));
    }
}

/// The share of the key's newest epoch that the attack finds is the one that its owner uses: so the attack works.
fn found_alive(found: &Scavenged, secrets: &BTreeSet<[u8; 32]>) -> BTreeSet<[u8; 32]> {
    let alive: BTreeSet<_> = found.secrets().iter().copied().filter(|secret| secrets.contains(secret)).collect();
    assert_eq!(alive.len(), 2, "share and chain code");
    alive
}

fn who_has_every_pin_finds_neither_share_nor_data_key_of_an_erased_epoch(suite: Suite) {
    let (mut victim, members) = Victim::group(3);
    let key = dkg(&members, suite, 2);
    let secrets = victim.secrets();
    let (found, _) = victim.scavenge(&[(key.id, vec![key.epoch])]);
    let alive = found_alive(&found, &secrets);
    let renewed = refresh(&members, key.id);

    let (after, bytes) = victim.scavenge(&[(key.id, vec![key.epoch, renewed.epoch])]);
    let now = found_alive(&after, &victim.secrets());
    // The chain code stays, and is the only one that does.
    let erased: Vec<_> = alive.difference(&now).collect();
    assert_eq!((erased.len(), found.keys().len()), (1, 3), "the share; root key, and data keys of key and epoch");
    nowhere(erased, &after, &bytes);
    nowhere(found.keys(), &after, &bytes);
    sign(&members, key.id, &[1, 2], &[7; 32]);
}

/// A key with a pending attempt at its renewal, whose certificate the first member never gets.
fn with_an_attempt(members: &[Member], suite: Suite) -> (KeyInfo, EpochId) {
    let key = dkg(members, suite, 2);
    let invitation = members[1].session.invite_refresh(key.id, Vec::new()).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    exchange_over(&mut runs, &mut |_, to, message| {
        if to == 0 && message.round() == 2 { Vec::new() } else { vec![message] }
    });
    let info = members[0].key(key.id);
    let attempt = info.pending[0];
    (info, attempt)
}

fn who_has_every_pin_finds_nothing_of_a_destroyed_key_which_is_absent_and_not_unreadable(suite: Suite) {
    let (mut victim, mut members) = Victim::group(3);
    let other = dkg(&members, suite, 2);
    let stays = victim.secrets();
    let (key, attempt) = with_an_attempt(&members, suite);
    let (found, _) = victim.scavenge(&[(key.id, vec![key.epoch, attempt])]);
    assert_eq!(found.secrets().len(), 3, "two shares and the chain code");
    members[0].session.destroy(key.id).unwrap();

    let every = [(key.id, vec![key.epoch, attempt]), (other.id, vec![other.epoch])];
    let (after, bytes) = victim.scavenge(&every);
    found_alive(&after, &stays);
    assert_eq!(after.secrets().len(), 2, "of the other key");
    nowhere(found.secrets(), &after, &bytes);
    nowhere(found.keys(), &after, &bytes);
    assert_eq!(victim.secrets(), stays);
    drop(members.remove(0));
    let session = KeyStore::open(&victim.path).unwrap().login(&user_pin()).unwrap();
    assert!(matches!(session.key(key.id), Err(Error::NotFound(_))));
    let destroyed = Filter { state: Some(KeyState::Destroyed), ..Filter::default() };
    assert_eq!(session.find(&destroyed).unwrap()[0].id, key.id);
    assert_eq!(session.key(other.id).unwrap().state, KeyState::Active);
}

fn a_destroyed_token_leaves_nothing_of_its_file(suite: Suite) {
    let (mut victim, mut members) = Victim::group(2);
    let key = dkg(&members, suite, 2);
    let keys = [(key.id, vec![key.epoch])];
    let secrets = victim.secrets();
    let (found, _) = victim.scavenge(&keys);
    found_alive(&found, &secrets);
    let first = members.remove(0);
    drop(first.session);
    first.store.login_so(&officer_pin()).unwrap().destroy_token().unwrap();
    assert!(victim.names().is_empty());
    let (after, bytes) = victim.scavenge(&keys);
    assert!(bytes.len() > 4096 && bytes.iter().all(|byte| *byte == 0));
    assert!(after.secrets().is_empty() && after.keys().is_empty());
    is_missing(&victim.path);
    // The handle that is left says the same.
    assert!(matches!(first.store.login(&user_pin()), Err(Error::Storage(StorageError::Missing))));
    KeyStore::create(&victim.path, &init("a new one")).unwrap();
}

fn is_missing(path: &Path) {
    assert!(matches!(KeyStore::open(path), Err(Error::Storage(StorageError::Missing))));
}
