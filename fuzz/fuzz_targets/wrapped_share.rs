//! Backups: neither the file nor what is sealed in one makes a token panic.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use quorumkey::hazmat::wrap;
use quorumkey::wrap::{Identity, SecretKey, WrappedIdentity, WrappedShare};
use quorumkey::{KeyStore, Session};
use quorumkey_fuzz::{PIN, init};

static SECRET: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_bytes(&[3; 32]).unwrap());
static IDENTITY: LazyLock<Identity> = LazyLock::new(|| Identity::x25519(&SECRET.to_text()).unwrap());
static SESSION: LazyLock<Session> = LazyLock::new(|| KeyStore::memory(&init()).unwrap().login(&PIN).unwrap());

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let file = if kind & 1 == 0 {
        bytes.to_vec()
    } else {
        // Sealed properly, by somebody who knows the recipient.
        let Ok(file) = wrap::seal(bytes, &SECRET.recipient()) else { return };
        file
    };
    if kind & 2 == 0 {
        let Ok(share) = WrappedShare::from_bytes(file) else { return };
        assert!(SESSION.restore(&share, &IDENTITY).is_err());
    } else {
        let Ok(identity) = WrappedIdentity::from_bytes(file) else { return };
        let _ = KeyStore::restore_in_memory(&init(), &identity, &IDENTITY, 0);
    }
});
