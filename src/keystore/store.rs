//! A key store: one token, and how to get into it.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use super::error::Result;
use super::session::{OfficerSession, Session};
use super::soft::{Init, Restore, SoftToken};
use super::token::{Token, TokenInfo};
use super::{Entry, FileStorage, MemoryStorage, Pin, Storage, StorageError};
use crate::policy::UserType;

/// A token and the door to it. Cloning it gives another handle on the same token.
///
/// ```
/// use quorumkey::{Init, KdfCost, KeyStore, Pin};
///
/// let init = Init {
///     label: "anna's phone".to_owned(),
///     user: Pin::new("correct horse battery staple")?,
///     officer: Pin::new("a passphrase in the safe")?,
///     cost: KdfCost::small(),
/// };
/// let store = KeyStore::memory(&init)?;
/// let session = store.login(&init.user)?;
/// println!("this token's card: {:?}", session.card()?);
/// session.logout()?;
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Clone)]
pub struct KeyStore(Arc<dyn Token>);

impl KeyStore {
    /// Makes a token in memory, for tests: it is gone with its last handle.
    pub fn memory(init: &Init) -> Result<Self> {
        Self::create_in(|contents| Ok(MemoryStorage::new(contents)), init)
    }

    /// Makes a token in a new file.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::KeyStore;
    ///
    /// let directory = tempfile::tempdir().unwrap();
    /// let path = directory.path().join("wallet.qk");
    /// KeyStore::create(&path, &init("anna's phone"))?;
    /// let session = KeyStore::open(&path)?.login(&init("").user)?;
    /// assert_eq!(session.card()?.label(), "anna's phone");
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Storage`](crate::Error::Storage) when something is there already, or the directory can't be written.
    pub fn create(path: impl AsRef<Path>, init: &Init) -> Result<Self> {
        Self::create_in(|contents| FileStorage::create(path.as_ref(), contents), init)
    }

    /// Makes a token in a storage of your own; the closure gives it its first contents.
    pub fn create_in<S: Storage + 'static>(
        storage: impl FnOnce(&[Entry]) -> core::result::Result<S, StorageError>,
        init: &Init,
    ) -> Result<Self> {
        Ok(Self::over(SoftToken::create(storage, init)?))
    }

    /// Opens the token in a file.
    ///
    /// # Errors
    ///
    /// [`Storage`](crate::Error::Storage) when it is missing, open elsewhere, damaged, or written by a later version;
    /// the file is left as it is.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_in(FileStorage::open(path.as_ref())?)
    }

    /// Opens the token in a storage of your own.
    pub fn open_in<S: Storage + 'static>(storage: S) -> Result<Self> {
        Ok(Self::over(SoftToken::open(storage)?))
    }

    /// Makes a token in a new file with the identity of a backup. Its card is a new incarnation, that the other members
    /// admit by naming it in a plan. Shares come back with [`Session::restore`].
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::wrap::Identity;
    /// use quorumkey::{KeyStore, Restore};
    ///
    /// let directory = tempfile::tempdir().unwrap();
    /// let Identity::X25519(offline) = Identity::generate() else { unreachable!() };
    /// let before = member();
    /// let backup = before.export_identity(&offline.recipient())?;
    ///
    /// let (init, with) = (init("ben's new phone"), Identity::X25519(offline));
    /// let from = Restore { init: &init, identity: &backup, with: &with, incarnation: 0 };
    /// let store = KeyStore::restore(directory.path().join("wallet.qk"), &from)?;
    /// let card = store.login(&init.user)?.card()?;
    /// assert_eq!(card.identity(), before.card()?.identity());
    /// assert_eq!(card.incarnation(), 1);
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Wrap`](crate::Error::Wrap) when the backup does not open, [`Storage`](crate::Error::Storage) when something is there already.
    ///
    /// # Security
    ///
    /// Two tokens with one identity contradict each other and are taken for liars: restore only what is gone.
    pub fn restore(path: impl AsRef<Path>, from: &Restore<'_>) -> Result<Self> {
        Self::restore_in(|contents| FileStorage::create(path.as_ref(), contents), from)
    }

    /// Makes a token in memory with the identity of a backup, for tests and rehearsals.
    pub fn restore_in_memory(from: &Restore<'_>) -> Result<Self> {
        Self::restore_in(|contents| Ok(MemoryStorage::new(contents)), from)
    }

    /// Makes a token in a storage of your own with the identity of a backup.
    pub fn restore_in<S: Storage + 'static>(
        storage: impl FnOnce(&[Entry]) -> core::result::Result<S, StorageError>,
        from: &Restore<'_>,
    ) -> Result<Self> {
        Ok(Self::over(SoftToken::restore(storage, from)?))
    }

    /// A key store over any token.
    pub fn over(token: impl Token + 'static) -> Self {
        Self(Arc::new(token))
    }

    /// What is public about the token without a login.
    pub fn info(&self) -> Result<TokenInfo> {
        self.0.info()
    }

    /// Logs the user in.
    ///
    /// # Errors
    ///
    /// [`Login`](crate::Error::Login) for a wrong PIN, and [`Locked`](crate::Error::Locked) after ten in a row.
    ///
    /// # Security
    ///
    /// Tries are counted in the token's file. They bind who asks this token, not who copied the file.
    pub fn login(&self, pin: &Pin) -> Result<Session> {
        let id = self.0.login(UserType::User, pin)?;
        Ok(Session::new(Arc::clone(&self.0), id))
    }

    /// Logs the security officer in, who looks after the token and uses no key.
    ///
    /// # Errors
    ///
    /// [`Login`](crate::Error::Login) for a wrong PIN, and [`Locked`](crate::Error::Locked) after five in a row.
    pub fn login_so(&self, pin: &Pin) -> Result<OfficerSession> {
        let id = self.0.login(UserType::SecurityOfficer, pin)?;
        Ok(OfficerSession::new(Arc::clone(&self.0), id))
    }
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyStore").field(&self.0).finish()
    }
}
