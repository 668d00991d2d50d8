//! The one engine under every software token: sessions, runs, and the choke point that all operations pass.

mod backup;
mod certify;
mod clash;
mod destroy;
mod fork;
mod keys;
mod old;
mod parsed;
mod propose;
mod record;
mod renew;
mod revise;
mod runs;
mod token;
mod told;

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use getrandom::SysRng;
use rand_core::UnwrapErr;
use zeroize::Zeroizing;

use super::error::{Error, Misuse, Result};
use super::object::KeyInfo;
use super::token::SessionId;
use super::vault::{NewVault, RecordChange, Space, Unlocked, Vault, VaultError};
use super::{Entry, KdfCost, Pin, Storage, StorageError};
use crate::audit::{Event, EventKind};
use crate::guard::{holds, unless_off};
use crate::policy::{self, UserType, Verb};
#[cfg(feature = "hazmat")]
use crate::protocol::{Attempt, Certificate};
#[cfg(feature = "hazmat")]
use crate::wire::Identifier;
use crate::wire::{Card, IdentityKey, KeyId, RunId};
use crate::wrap::{Identity, WrappedIdentity};

use keys::Key;
#[cfg(feature = "hazmat")]
pub(crate) use keys::scavenge;
use parsed::Parsed;
use record::IdentityRecord;
use runs::{Live, Summary};
#[cfg(feature = "hazmat")]
pub(crate) use runs::{plan_meanwhile, set_clock_ahead};
#[cfg(feature = "hazmat")]
pub(crate) use {backup::WatchedContent, record::reencode_record};

const IDENTITY: &[u8] = b"identity";

/// A token whose root key is sealed under PINs, on any [`Storage`].
///
/// It refuses to work in a process that was forked from the one that opened it: two processes would use one nonce.
pub struct SoftToken<S> {
    vault: Vault<S>,
    inner: Mutex<Inner>,
    /// A run that was away is back, or over.
    returned: Condvar,
    parsed: Parsed,
    process: u32,
}

/// What lives in memory only.
#[derive(Debug, Default)]
struct Inner {
    sessions: BTreeMap<SessionId, Login>,
    last_session: u64,
    runs: BTreeMap<RunId, Live>,
    /// What there is to know of the runs that threads compute for just now.
    away: BTreeMap<RunId, Summary>,
    /// Runs that officers began, also those that are over.
    reconstructions: BTreeSet<(SessionId, RunId)>,
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
struct Login {
    unlocked: Arc<Unlocked>,
    identity: Arc<IdentityKey>,
    card: Card,
}

/// What a new token begins with.
#[derive(Debug)]
pub struct Init {
    /// A name for people, up to 64 bytes of UTF-8 without control characters.
    pub label: String,
    /// The user's PIN. A copied file can be guessed offline: take a passphrase.
    pub user: Pin,
    /// The security officer's PIN.
    pub officer: Pin,
    /// What a guess at a PIN costs.
    pub cost: KdfCost,
}

/// What a token is restored from, and what else it begins with.
#[derive(Debug)]
pub struct Restore<'a> {
    /// Its label, PINs and cost, which need not be those of the token before it.
    pub init: &'a Init,
    /// The backup of the identity.
    pub identity: &'a WrappedIdentity,
    /// What opens it.
    pub with: &'a Identity,
    /// The lowest incarnation to take: 0, unless the same backup was restored before.
    pub incarnation: u32,
}

/// 32-byte secrets of any kind.
#[cfg(feature = "hazmat")]
pub(crate) type Secrets = Vec<crate::secret::Secret<[u8; 32]>>;

/// What one step changes. It is made durable as one transaction before anything that the step releases leaves.
#[derive(Debug, Default)]
struct Commit {
    changes: Vec<RecordChange>,
    events: Vec<Event>,
    /// Spaces whose every byte is to be gone.
    erase: Vec<Space>,
}

impl Commit {
    fn put(&mut self, space: Space, key: &[u8], value: impl Into<Vec<u8>>) -> &mut Self {
        self.changes.push(RecordChange::Put { space, key: key.to_vec(), value: Zeroizing::new(value.into()) });
        self
    }

    fn insert(&mut self, space: Space, key: &[u8], value: impl Into<Vec<u8>>) -> &mut Self {
        self.changes.push(RecordChange::Insert { space, key: key.to_vec(), value: Zeroizing::new(value.into()) });
        self
    }

    fn delete(&mut self, space: Space, key: &[u8]) -> &mut Self {
        self.changes.push(RecordChange::Delete { space, key: key.to_vec() });
        self
    }

    fn event(&mut self, event: Event) -> &mut Self {
        self.events.push(event);
        self
    }
}

/// What a step sees once it is allowed.
struct Scene<'a> {
    inner: &'a mut Inner,
    session: SessionId,
    login: Login,
    /// The key that the request is about, if it is here.
    key: Option<Key>,
}

impl Scene<'_> {
    /// The key, which the caller said must be here.
    fn take_key(&mut self, id: KeyId) -> Result<Key> {
        self.key.take().ok_or(Error::NotFound(id))
    }
}

impl<S: Storage> SoftToken<S> {
    /// Makes a token with a new identity. `storage` is given its first contents, and so appears with them or not at all.
    pub fn create(
        storage: impl FnOnce(&[Entry]) -> core::result::Result<S, StorageError>,
        init: &Init,
    ) -> Result<Self> {
        let identity =
            IdentityRecord { key: IdentityKey::generate(&mut rng()), incarnation: 0, label: init.label.clone() };
        Self::create_with(storage, init, &identity, EventKind::TokenCreated)
    }

    /// Makes a token with the identity of a backup, in its next incarnation: its peers forget nothing, but let its
    /// counters begin anew.
    pub fn restore(
        storage: impl FnOnce(&[Entry]) -> core::result::Result<S, StorageError>,
        from: &Restore<'_>,
    ) -> Result<Self> {
        let Restore { init, identity, with, incarnation } = *from;
        let mut identity = backup::open_identity(identity, with)?;
        let next = identity.incarnation.checked_add(1).ok_or(Misuse::Unsupported("another incarnation"))?;
        identity.incarnation = next.max(incarnation);
        identity.label.clone_from(&init.label);
        Self::create_with(storage, init, &identity, EventKind::TokenRestored)
    }

    /// A token whose identity is known to others.
    #[cfg(feature = "hazmat")]
    pub(crate) fn create_forged(
        storage: impl FnOnce(&[Entry]) -> core::result::Result<S, StorageError>,
        init: &Init,
        seed: crate::secret::Secret<[u8; 32]>,
        incarnation: u32,
        kind: EventKind,
    ) -> Result<Self> {
        let identity = IdentityRecord { key: IdentityKey::from_seed(seed), incarnation, label: init.label.clone() };
        Self::create_with(storage, init, &identity, kind)
    }

    /// What a liar's token tells from now on in every join: that it has signed that attempt, or dealt in that one, and nothing
    /// else.
    #[cfg(feature = "hazmat")]
    pub(crate) fn pretend(
        &self,
        pin: &Pin,
        id: KeyId,
        tells: impl FnOnce(Identifier, &Card) -> (Vec<Certificate>, Vec<Attempt>),
    ) -> Result<()> {
        let session = self.login_as(UserType::User, pin)?;
        self.operate(session, Verb::Look, Some(id), |scene, commit| {
            let mut key = scene.take_key(id)?;
            let (signed, dealt) = tells(key.record.me, &scene.login.card);
            key.record.pending.clear();
            for attempt in signed {
                key.record.pending.push(attempt.epoch_id());
                commit.put(key.space_of(attempt.epoch_id()), keys::ATTEMPT, attempt.to_bytes());
            }
            key.record.dealt = dealt;
            key.save(commit)
        })
    }

    /// Every 32-byte secret that the token holds, and the names of the nonces that it has claimed.
    #[cfg(feature = "hazmat")]
    pub(crate) fn secrets(&self, user: UserType, pin: &Pin) -> Result<(Secrets, Vec<Vec<u8>>)> {
        let session = self.login_as(user, pin)?;
        self.operate(session, Verb::ExportIdentity, None, |scene, _| {
            let mut secrets = vec![crate::secret::Secret::new(*scene.login.identity.seed())];
            let unlocked = &scene.login.unlocked;
            let mut claims = Vec::new();
            for id in self.key_ids(unlocked)? {
                claims.extend(self.claimed(unlocked, id)?);
                let key = self.load(unlocked, id)?.ok_or(Error::NotFound(id))?;
                secrets.extend(self.chain_code(unlocked, &key)?);
                // Old epochs' shares are gone; if they are not, a thief finds them.
                let old = key.record.old.iter().map(|old| old.epoch);
                for epoch in key.record.pending.iter().copied().chain([key.epoch.id]).chain(old) {
                    secrets.extend(self.share(unlocked, &key, epoch)?);
                }
            }
            Ok((secrets, claims))
        })
    }

    /// Every record that the token has, decrypted.
    #[cfg(feature = "hazmat")]
    pub(crate) fn records(&self, user: UserType, pin: &Pin) -> Result<Vec<Zeroizing<Vec<u8>>>> {
        let session = self.login_as(user, pin)?;
        self.operate(session, Verb::ExportIdentity, None, |scene, _| Ok(self.vault.records(&scene.login.unlocked)?))
    }

    fn create_with(
        storage: impl FnOnce(&[Entry]) -> core::result::Result<S, StorageError>,
        init: &Init,
        identity: &IdentityRecord,
        kind: EventKind,
    ) -> Result<Self> {
        let record = identity.encode();
        // Read as it will be read later: a label out of bounds shows here.
        IdentityRecord::decode(&record)?;
        let card = Card::issue(&identity.key, identity.incarnation, identity.label.clone());
        let event = Event::new(kind).object(*card.id().as_bytes());
        let records = [RecordChange::Put { space: Space::Token, key: IDENTITY.to_vec(), value: record }];
        let new = NewVault { user: &init.user, officer: &init.officer, cost: init.cost, events: &[event] };
        Ok(Self::over(Vault::create(storage, &new, records.into())?))
    }

    /// Opens the token in a storage. Nothing can be done with it before a login.
    pub fn open(storage: S) -> Result<Self> {
        Ok(Self::over(Vault::open(storage)?))
    }

    fn over(vault: Vault<S>) -> Self {
        Self {
            vault,
            inner: Mutex::default(),
            returned: Condvar::new(),
            parsed: Parsed::default(),
            process: std::process::id(),
        }
    }

    /// A thread that died held no half-made change: memory follows the vault, and the run that it worked on is gone.
    fn lock(&self) -> Result<MutexGuard<'_, Inner>> {
        if holds!(OneProcess, std::process::id() == self.process) {
            Ok(self.inner.lock().unwrap_or_else(PoisonError::into_inner))
        } else {
            Err(Misuse::ForkedProcess.into())
        }
    }

    fn login_as(&self, user: UserType, pin: &Pin) -> Result<SessionId> {
        let mut inner = self.lock()?;
        let unlocked = self.vault.unlock(user, pin)?;
        let record = self.vault.get(&unlocked, Space::Token, IDENTITY)?.ok_or(VaultError::Corrupt)?;
        let IdentityRecord { key, incarnation, label } = IdentityRecord::decode(&record)?;
        let card = Card::issue(&key, incarnation, label);
        inner.last_session += 1;
        let session = SessionId(inner.last_session);
        inner.sessions.insert(session, Login { unlocked: Arc::new(unlocked), identity: Arc::new(key), card });
        Ok(session)
    }

    /// The one choke point. Whatever is done for a session: who asks, may it, then the step, then one durable
    /// transaction, and only then what the step releases.
    fn operate<T>(
        &self,
        session: SessionId,
        verb: Verb,
        key: Option<KeyId>,
        step: impl FnOnce(&mut Scene<'_>, &mut Commit) -> Result<T>,
    ) -> Result<T> {
        let mut inner = self.lock()?;
        let login = inner.sessions.get(&session).cloned().ok_or(Error::LoggedOut)?;
        let key = match key {
            Some(id) => self.load(&login.unlocked, id)?,
            None => None,
        };
        let decision = policy::decide(login.unlocked.role(), verb, key.as_ref().map(Key::facts).as_ref());
        unless_off!(PolicyAskedAtTheDoor, decision, Ok(()))?;
        let unlocked = Arc::clone(&login.unlocked);
        let (mut commit, away) = (Commit::default(), inner.away.len());
        let mut scene = Scene { inner: &mut inner, session, login, key };
        let released = step(&mut scene, &mut commit).and_then(|released| {
            unless_off!(WrittenBeforeReleased, self.commit(&unlocked, commit)?, ());
            Ok(released)
        });
        inner.end_expired();
        // Who waits for a run that was ended, also by a step that failed, must not wait for the thread that computes for it.
        if inner.away.len() < away {
            self.returned.notify_all();
        }
        released
    }

    /// Makes a step's changes durable, with their audit records, in one transaction; nothing is written if there are none.
    fn commit(&self, unlocked: &Unlocked, commit: Commit) -> Result<()> {
        if commit.changes.is_empty() && commit.events.is_empty() && commit.erase.is_empty() {
            return Ok(());
        }
        self.parsed.outdate(&commit);
        let Commit { changes, events, erase } = commit;
        let written = if erase.is_empty() {
            self.vault.transact(unlocked, changes, &events)
        } else {
            self.vault.erase(unlocked, &erase, changes, &events)
        };
        Ok(written?)
    }
}

/// The operating system's randomness. If it has none, there is nothing sensible left to do, and this panics.
fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

impl<S> fmt::Debug for SoftToken<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftToken").finish_non_exhaustive()
    }
}
