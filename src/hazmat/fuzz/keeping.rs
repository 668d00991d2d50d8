//! What a token keeps, and what comes back from backups.

use std::sync::LazyLock;

use super::pair::{Shared, Snapshot, init, pin};
use super::{choice, one_of};
use crate::hazmat::wrap as door;
use crate::keystore::{Entry, Filter, KeyStore, Restore, Storage, reencode_header, reencode_record};
use crate::suite::Suite;
use crate::wrap::{Identity, SecretKey, WrappedIdentity, WrappedShare};

/// What stands in a token's records has one encoding.
pub(super) fn stored_record(bytes: &[u8]) {
    for again in reencode_header(bytes).into_iter().chain(reencode_record(bytes)).flatten() {
        assert_eq!(again, bytes);
    }
}

/// Whatever the storage of a token with a key holds, opening it, logging in and looking around end in an answer.
pub(super) fn storage(mut bytes: &[u8]) {
    let storage = Snapshot::of(*one_of(&Suite::ALL, choice(&mut bytes))).honest();
    let mut contents = storage.contents();
    let (which, how, at) = (choice(&mut bytes), choice(&mut bytes), usize::from(choice(&mut bytes)));
    let place = usize::from(which) % contents.len();
    let Some((key, value)) = contents.get_mut(place) else { return };
    // A header may ask for as much memory as the library allows, which is more than a fuzzer has.
    let header = key == b"h";
    match how % 4 {
        0 => *value = bytes.to_vec(),
        1 => value.iter_mut().skip(at).zip(bytes).for_each(|(byte, change)| *byte ^= change),
        2 => value.truncate(at),
        _ => *key = bytes.to_vec(),
    }
    storage.rewrite(&contents).expect("memory can be written");
    let Ok(store) = KeyStore::open_in(storage) else { return };
    let _ = store.info();
    if header {
        return;
    }
    let Ok(session) = store.login(&pin()) else { return };
    let _ = (session.card(), session.find(&Filter::default()), session.audit(None, 1000));
}

static SECRET: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_bytes(&[3; 32]).expect("32 bytes are a key"));

/// Neither a file nor what is sealed in one makes a token panic, and no share comes out of what was not one.
pub(super) fn backup(mut bytes: &[u8]) {
    let kind = choice(&mut bytes);
    let file = if kind & 1 == 0 {
        bytes.to_vec()
    } else {
        // Sealed properly, by somebody who knows the recipient.
        let Ok(file) = door::seal(bytes, &SECRET.recipient()) else { return };
        file
    };
    let identity = Identity::x25519(&SECRET.to_text()).expect("the key's own text");
    if kind & 2 == 0 {
        let Ok(share) = WrappedShare::from_bytes(file) else { return };
        let store = KeyStore::open_in(empty()).expect("the token was closed in good order");
        let session = store.login(&pin()).expect("the PIN is right");
        assert!(session.restore(&share, &identity).is_err());
        assert!(session.find(&Filter::default()).is_ok_and(|keys| keys.is_empty()));
    } else {
        let Ok(wrapped) = WrappedIdentity::from_bytes(file) else { return };
        let _ = KeyStore::restore_in_memory(&Restore {
            init: &init(),
            identity: &wrapped,
            with: &identity,
            incarnation: 0,
        });
    }
}

/// A token without a key.
fn empty() -> Shared {
    static CONTENTS: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        let storage = Shared::new(&[]);
        let fill = |contents: &[_]| storage.rewrite(contents).map(|()| storage.clone());
        KeyStore::create_in(fill, &init()).expect("a new token");
        storage.contents()
    });
    Shared::new(&CONTENTS)
}
