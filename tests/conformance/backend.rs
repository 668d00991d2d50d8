//! How tokens are made and opened again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use quorumkey::hazmat::Loot;
use quorumkey::wrap::{Identity, Recipient, WrappedIdentity};
use quorumkey::{Entry, FileStorage, KeyStore, MemoryStorage, Restore, SoftToken, StorageError, Token};
use tempfile::TempDir;

use crate::common::{Member, Shared, init, user_pin};

/// Keeps tokens by their names.
pub trait Backend {
    fn create(&self, name: &str) -> KeyStore;
    /// Opens it again, once every handle on it is gone.
    fn open(&self, name: &str) -> KeyStore {
        self.try_open(name).unwrap()
    }
    fn try_open(&self, name: &str) -> quorumkey::Result<KeyStore>;
    /// A token without a key store around it.
    fn token(&self, name: &str) -> Box<dyn Token>;
    fn restore(&self, name: &str, backup: &WrappedIdentity, with: &Identity) -> KeyStore;
    /// What somebody finds in it who knows the user's PIN.
    #[allow(dead_code, reason = "each test file uses its own part")]
    fn loot(&self, name: &str) -> Loot;
}

#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<String, Shared<MemoryStorage>>>);

impl Memory {
    fn storage(&self, name: &str) -> impl FnOnce(&[Entry]) -> Result<Shared<MemoryStorage>, StorageError> {
        move |contents| {
            let kept = Shared(Arc::new(MemoryStorage::new(contents)));
            self.0.lock().unwrap().insert(name.to_owned(), kept.clone());
            Ok(kept)
        }
    }
}

impl Backend for Memory {
    fn create(&self, name: &str) -> KeyStore {
        KeyStore::create_in(self.storage(name), &init(name)).unwrap()
    }

    fn try_open(&self, name: &str) -> quorumkey::Result<KeyStore> {
        KeyStore::open_in(self.0.lock().unwrap()[name].clone())
    }

    fn token(&self, name: &str) -> Box<dyn Token> {
        Box::new(SoftToken::create(self.storage(name), &init(name)).unwrap())
    }

    fn restore(&self, name: &str, backup: &WrappedIdentity, with: &Identity) -> KeyStore {
        KeyStore::restore_in(self.storage(name), &Restore { init: &init(name), identity: backup, with, incarnation: 0 })
            .unwrap()
    }

    fn loot(&self, name: &str) -> Loot {
        Loot::of(self.0.lock().unwrap()[name].clone(), &user_pin()).unwrap()
    }
}

pub struct File(TempDir);

impl File {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Backend for File {
    fn create(&self, name: &str) -> KeyStore {
        KeyStore::create(self.0.path().join(name), &init(name)).unwrap()
    }

    fn try_open(&self, name: &str) -> quorumkey::Result<KeyStore> {
        KeyStore::open(self.0.path().join(name))
    }

    fn token(&self, name: &str) -> Box<dyn Token> {
        let path = self.0.path().join(name);
        Box::new(SoftToken::create(|contents| FileStorage::create(&path, contents), &init(name)).unwrap())
    }

    fn restore(&self, name: &str, backup: &WrappedIdentity, with: &Identity) -> KeyStore {
        KeyStore::restore(
            self.0.path().join(name),
            &Restore { init: &init(name), identity: backup, with, incarnation: 0 },
        )
        .unwrap()
    }

    fn loot(&self, name: &str) -> Loot {
        // The file is locked while its token is open.
        let copy = self.0.path().join(format!("{name}, copied"));
        std::fs::copy(self.0.path().join(name), &copy).unwrap();
        Loot::of_file(copy, &user_pin()).unwrap()
    }
}

/// Members 1 to n, each in a token that is called by its number.
pub fn group(backend: &dyn Backend, n: u16) -> Vec<Member> {
    (1..=n).map(|i| Member::new(backend.create(&i.to_string()))).collect()
}

/// Closes all tokens, and opens them again.
pub fn reopen(backend: &dyn Backend, members: &mut Vec<Member>) {
    let n = members.len();
    members.clear();
    members.extend((1..=n).map(|i| Member::new(backend.open(&i.to_string()))));
}

/// An X25519 key to seal backups to, with its text.
pub fn backup_key() -> (Recipient, Identity, String) {
    let identity = Identity::generate();
    let Identity::X25519(key) = &identity else { panic!("another kind of identity") };
    let (recipient, text) = (key.recipient(), key.public_key().to_string());
    (recipient, identity, text)
}

/// The only error of a result.
#[macro_export]
macro_rules! refused {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {
        match $result {
            Err($pattern) $(if $guard)? => {}
            other => panic!("{other:?}"),
        }
    };
}
