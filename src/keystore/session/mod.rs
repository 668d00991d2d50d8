//! Sessions: what a user, and a security officer, can do.

mod enter;
mod officer;
mod propose;
mod user;

use std::sync::Arc;

use super::error::{Error, Result};
use super::object::{Filter, KeyInfo, Restriction};
use super::run::Run;
use super::token::{Operation, SessionId, Token};
use crate::audit;
use crate::protocol::Certificate;
use crate::wire::{Card, KeyId};

pub use propose::{Dkg, Import};

/// A user's session. It ends with [`logout`](Self::logout), which reports, or when it is dropped, which can't.
#[derive(Debug)]
pub struct Session {
    token: Arc<dyn Token>,
    id: SessionId,
}

/// A security officer's session.
#[derive(Debug)]
pub struct OfficerSession {
    token: Arc<dyn Token>,
    id: SessionId,
}

macro_rules! common {
    ($session:ident) => {
        impl $session {
            pub(super) const fn new(token: Arc<dyn Token>, id: SessionId) -> Self {
                Self { token, id }
            }

            /// Ends the session and its runs; their nonces are gone.
            pub fn logout(self) -> Result<()> {
                self.token.logout(self.id)
                // The drop that follows finds the session gone.
            }

            /// The token's card, for the other members.
            pub fn card(&self) -> Result<Card> {
                self.token.card(self.id)
            }

            /// The keys that match.
            ///
            /// ```
            /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
            /// # use prelude::*;
            /// use quorumkey::{Filter, KeyState};
            ///
            /// let members = three();
            /// let key = key(&members);
            /// let active = Filter { state: Some(KeyState::Active), ..Filter::default() };
            /// assert_eq!(members[1].find(&active)?[0].id, key.id);
            /// # Ok::<(), quorumkey::Error>(())
            /// ```
            pub fn find(&self, filter: &Filter) -> Result<Vec<KeyInfo>> {
                self.token.find_objects(self.id, filter)
            }

            /// What there is to say of a key.
            ///
            /// # Errors
            ///
            /// [`NotFound`](crate::Error::NotFound) when it is not here.
            pub fn key(&self, key: KeyId) -> Result<KeyInfo> {
                let found = self.find(&Filter { id: Some(key), ..Filter::default() })?;
                found.into_iter().next().ok_or(Error::NotFound(key))
            }

            /// The certificate of the key's newest epoch that is known here: it tells whoever is behind.
            pub fn certificate(&self, key: KeyId) -> Result<Certificate> {
                self.certificates(key)?.pop().ok_or(Error::NotFound(key))
            }

            /// The certificates of the key's epochs, oldest first.
            pub fn certificates(&self, key: KeyId) -> Result<Vec<Certificate>> {
                self.token.certificates(self.id, key)
            }

            /// Tightens what a key may do on this token. There is no way back.
            ///
            /// ```
            /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
            /// # use prelude::*;
            /// use quorumkey::{Export, Operations, Restriction};
            ///
            /// let members = three();
            /// let key = key(&members);
            /// members[2].restrict(key.id, &Restriction { export: Some(Export::Never), operations: None })?;
            /// let wider = Restriction { export: Some(Export::Wrapped), operations: Some(Operations::ALL) };
            /// assert!(members[2].restrict(key.id, &wider).is_err());
            /// # Ok::<(), quorumkey::Error>(())
            /// ```
            ///
            /// # Errors
            ///
            /// [`Misuse`](crate::Error::Misuse) when it would widen anything.
            pub fn restrict(&self, key: KeyId, change: &Restriction) -> Result<()> {
                self.token.restrict(self.id, key, change)
            }

            /// Erases a key's shares and chain code here, by a new file under a new root key. The other members keep theirs.
            /// User and officer can both do it.
            ///
            /// The key answers as one that is not here. What is public about it is found by a filter for
            /// [`Destroyed`](crate::KeyState::Destroyed), and what this token promised of its epochs goes on binding it.
            ///
            /// ```
            /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
            /// # use prelude::*;
            /// use quorumkey::{Error, Filter, KeyState};
            ///
            /// let members = three();
            /// let key = key(&members);
            /// members[2].destroy(key.id)?;
            /// assert!(matches!(members[2].key(key.id), Err(Error::NotFound(_))));
            /// let destroyed = Filter { state: Some(KeyState::Destroyed), ..Filter::default() };
            /// assert_eq!(members[2].find(&destroyed)?[0].id, key.id);
            /// # Ok::<(), quorumkey::Error>(())
            /// ```
            ///
            /// # Errors
            ///
            /// [`NotFound`](crate::Error::NotFound) when the key is not here; [`Storage`](crate::Error::Storage) when
            /// the file could not be rewritten: the key may still be here, and its runs have ended.
            ///
            /// # Security
            ///
            /// The others are not told. If fewer than t members are left that hold a share or a backup, the key is
            /// lost. A backup of the share brings the key back, as [`Restored`](crate::KeyState::Restored): destroy
            /// that too.
            pub fn destroy(&self, key: KeyId) -> Result<()> {
                self.token.destroy_object(self.id, key)
            }

            fn begin<P: super::run::Protocol>(&self, operation: Operation<'_>) -> Result<Run<P>> {
                let (run, progress) = self.token.begin(self.id, operation)?;
                Ok(Run::new(Arc::clone(&self.token), self.id, run, progress))
            }

            /// Audit records after that one, or from the first, at most `limit`.
            ///
            /// [`audit::verify`] checks that none was cut out, edited or moved.
            ///
            /// ```
            /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
            /// # use prelude::*;
            /// use quorumkey::audit::{self, Head};
            ///
            /// let store = token();
            /// let session = store.login(&init("").user)?;
            /// let records = session.audit(None, 1000)?;
            /// let head = audit::follow(&records, &Head::genesis(&store.info()?.id))?;
            /// assert_eq!(head.next, 2);
            /// println!("{}", records[1]); // "1 (state 2): logged in, …"
            /// # Ok::<(), quorumkey::Error>(())
            /// ```
            pub fn audit(&self, after: Option<audit::Digest>, limit: usize) -> Result<Vec<audit::Record>> {
                self.token.audit(self.id, after, limit)
            }
        }

        impl Drop for $session {
            fn drop(&mut self) {
                // It has ended already, or the token can't be reached: nothing that a drop could mend.
                let _ = self.token.logout(self.id);
            }
        }
    };
}

common!(Session);
common!(OfficerSession);
