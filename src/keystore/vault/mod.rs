//! Sealed records on a storage, and the one function that changes them.

mod cost;
mod header;
mod log;
mod login;
mod marks;
mod records;
mod renew;
#[cfg(any(test, feature = "hazmat"))]
mod scavenge;
mod seal;
mod space;
#[cfg(feature = "hazmat")]
mod watched;

#[cfg(test)]
mod tests;

use core::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, Weak};

use crate::audit::{AuditError, Digest, Event, Head, Record};
use crate::guard::unless_off;
use crate::keystore::{Change, Entry, Pin, Storage, StorageError};
use crate::wire::{DecodeError, Writer};

pub use cost::KdfCost;
use login::Root;
pub(crate) use login::Unlocked;
pub(crate) use records::RecordChange;
#[cfg(any(test, feature = "hazmat"))]
pub(crate) use scavenge::{Scavenged, scavenge};
pub(crate) use space::Space;
#[cfg(feature = "hazmat")]
pub(crate) use watched::{Lock, Relock, reencode_header};

use header::{Header, Ledger, SealedState, Tries};
use marks::Marks;
use seal::Key;

const RECORD_TAG: &[u8] = b"quorumkey/vault/record/v1";
/// How many entries are read at once.
const PAGE: usize = 256;

/// A token's records: typed by space, sealed, changed in whole transactions, each with its audit records.
#[derive(Debug)]
pub(crate) struct Vault<S> {
    storage: S,
    state: Mutex<State>,
}

/// What the storage holds in the clear, kept in memory.
struct State {
    current: Current,
    /// The root key, for as long as somebody is logged in.
    root: Weak<RwLock<Root>>,
    /// Set while a transaction is under way: if it fails, only the storage knows what became of it.
    stale: bool,
}

#[derive(Clone)]
struct Current {
    header: Header,
    ledger: Ledger,
    tries: Tries,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("ledger", &self.current.ledger).finish_non_exhaustive()
    }
}

/// What a new vault begins with.
#[derive(Debug)]
pub(crate) struct NewVault<'a> {
    pub(crate) user: &'a Pin,
    pub(crate) officer: &'a Pin,
    pub(crate) cost: KdfCost,
    /// How its audit log begins: that it was created or restored.
    pub(crate) events: &'a [Event],
}

/// Why a vault did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum VaultError {
    /// The storage failed. Whether a transaction happened is known when the storage answers again.
    Storage(StorageError),
    /// The PIN is wrong, or what it opens was changed; nobody can tell which.
    Login { tries_left: u8 },
    /// There were too many wrong tries.
    Locked,
    /// The role may not do this.
    Denied,
    /// A record can't be read, is missing, or is not the one that was written last.
    Corrupt,
    /// A record was written by a later version.
    Future(u8),
    /// The audit log is not the one that was written.
    Audit(AuditError),
    /// A record that was to be new is there already.
    Exists,
    /// A value, or the number of transactions, is beyond what can be stored.
    TooLong,
    /// The operating system gave no randomness.
    Random,
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Login { tries_left } => write!(f, "the login failed; {tries_left} tries are left"),
            Self::Locked => f.write_str("locked after too many failed logins"),
            Self::Denied => f.write_str("this user may not do that"),
            Self::Corrupt => f.write_str("the token's records are damaged"),
            Self::Future(version) => write!(f, "a record has version {version}, which is newer than this library"),
            Self::Audit(error) => error.fmt(f),
            Self::Exists => f.write_str("the record exists"),
            Self::TooLong => f.write_str("a value is too long to be stored"),
            Self::Random => f.write_str("the operating system gave no randomness"),
        }
    }
}

impl core::error::Error for VaultError {}

impl From<StorageError> for VaultError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<DecodeError> for VaultError {
    fn from(error: DecodeError) -> Self {
        match error {
            // There is no version 0.
            DecodeError::Version(version) if version > 0 => Self::Future(version),
            _ => Self::Corrupt,
        }
    }
}

impl From<AuditError> for VaultError {
    fn from(error: AuditError) -> Self {
        Self::Audit(error)
    }
}

impl<S: Storage> Vault<S> {
    /// Makes a vault with its first records: `storage` is given its first contents, and so appears with them or not at
    /// all.
    pub(crate) fn create(
        storage: impl FnOnce(&[Entry]) -> Result<S, StorageError>,
        new: &NewVault<'_>,
        records: Vec<RecordChange>,
    ) -> Result<Self, VaultError> {
        let token = seal::random()?;
        let root = seal::random_key()?;
        let header = Header::new(token, new.cost, new.user, new.officer, &root)?;
        let mut draft = Draft::after(&Ledger { counter: 0, head: Head::genesis(&token) })?;
        draft.record(new.events)?;
        draft.put(space::HEADER, header.encode());
        draft.put(space::TRIES, Tries::default().encode());
        let marks = renew::seal_new(&mut draft, &root, &token, records)?;
        draft.finish(&root, &header, marks)?;
        let ledger = draft.ledger;
        let storage = storage(&draft.into_contents())?;
        let current = Current { header, ledger, tries: Tries::default() };
        Ok(Self { storage, state: Mutex::new(State { current, root: Weak::new(), stale: false }) })
    }

    /// Opens the vault in a storage.
    pub(crate) fn open(storage: S) -> Result<Self, VaultError> {
        let current = Current::load(&storage)?;
        Ok(Self { storage, state: Mutex::new(State { current, root: Weak::new(), stale: false }) })
    }

    /// The random id of the token.
    pub(crate) fn token_id(&self) -> Result<[u8; 16], VaultError> {
        Ok(self.state()?.current.header.token)
    }

    /// How many transactions there were. Peers remember it: an older copy of the store shows a lower one.
    pub(crate) fn counter(&self) -> Result<u64, VaultError> {
        Ok(self.state()?.current.ledger.counter)
    }

    /// The hash of the newest audit record.
    pub(crate) fn audit_head(&self) -> Result<Digest, VaultError> {
        Ok(self.state()?.current.ledger.head.digest)
    }

    /// The state, read anew if a transaction failed.
    fn state(&self) -> Result<MutexGuard<'_, State>, VaultError> {
        // A thread that died in a transaction left `stale` set.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.stale {
            state.current = Current::load(&self.storage)?;
            self.see_rewrite(&state)?;
            state.stale = false;
        }
        Ok(state)
    }

    /// A rewrite that failed may have been made all the same. Then who is logged in goes on with the root key that it brought.
    fn see_rewrite(&self, state: &State) -> Result<(), VaultError> {
        let Some(shared) = state.root.upgrade() else { return Ok(()) };
        let mut root = shared.write().unwrap_or_else(PoisonError::into_inner);
        let made = match &root.renewed {
            Some(renewed) => self.sealed_state(renewed, &state.current),
            None => return Ok(()),
        };
        match made {
            Ok(_) => root.renew(),
            Err(VaultError::Storage(error)) => return Err(error.into()),
            Err(_) => root.renewed = None,
        }
        Ok(())
    }

    /// Does something to the storage that leads to `next`. If it fails, memory does not go ahead of the storage.
    fn settle(
        &self,
        state: &mut State,
        next: Current,
        act: impl FnOnce(&S) -> Result<(), StorageError>,
    ) -> Result<(), VaultError> {
        state.stale = true;
        act(&self.storage)?;
        state.current = next;
        state.stale = false;
        Ok(())
    }

    /// All entries below a prefix, a page at a time.
    fn each(&self, prefix: &[u8], mut act: impl FnMut(Entry) -> Result<(), VaultError>) -> Result<(), VaultError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.storage.scan(prefix, after.as_deref(), PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            page.into_iter().try_for_each(&mut act)?;
        }
    }
}

impl Current {
    fn load(storage: &impl Storage) -> Result<Self, VaultError> {
        // A vault without one of these is no new vault: nothing here is ever absent.
        let read = |key| storage.get(key)?.ok_or(VaultError::Corrupt);
        let header = Header::decode(&read(space::HEADER)?)?;
        let ledger = Ledger::decode(&read(space::STATE)?)?;
        let tries = Tries::decode(&read(space::TRIES)?)?;
        Ok(Self { header, ledger, tries })
    }
}

/// A transaction in the making.
struct Draft {
    ledger: Ledger,
    changes: Vec<Change>,
}

impl Draft {
    /// The transaction after that state.
    fn after(ledger: &Ledger) -> Result<Self, VaultError> {
        let counter = ledger.counter.checked_add(1).ok_or(VaultError::TooLong)?;
        Ok(Self { ledger: Ledger { counter, head: ledger.head }, changes: Vec::new() })
    }

    fn put(&mut self, key: impl Into<Vec<u8>>, value: Vec<u8>) {
        self.changes.push(Change::Put { key: key.into(), value });
    }

    /// Appends to the audit log.
    fn record(&mut self, events: &[Event]) -> Result<(), VaultError> {
        for event in events {
            if self.ledger.head.next == u64::MAX {
                return Err(VaultError::TooLong);
            }
            let record = Record::append(&self.ledger.head, self.ledger.counter, event.clone());
            self.put(space::audit(record.sequence()), record.to_bytes());
            self.ledger.head = record.head();
        }
        Ok(())
    }

    /// Puts the new state, without the root key's seal.
    fn finish_unsealed(&mut self) {
        self.put(space::STATE, self.ledger.encode());
    }

    /// Puts the new state, and seals it.
    fn finish(&mut self, root: &Key, header: &Header, marks: Marks) -> Result<(), VaultError> {
        self.finish_unsealed();
        let state = SealedState { ledger: self.ledger, header: header.hash(), marks };
        let sealed = seal::seal(root, &associated(&header.token, space::SEAL), &state.encode())?;
        self.put(space::SEAL, sealed);
        Ok(())
    }

    /// What a fresh storage holds.
    fn into_contents(self) -> Vec<Entry> {
        let put = |change| match change {
            Change::Put { key, value } => Some((key, value)),
            Change::Delete { .. } => None,
        };
        self.changes.into_iter().filter_map(put).collect()
    }
}

/// What a sealed value is bound to: the token and the place in the storage, which names space and key.
fn associated(token: &[u8; 16], place: &[u8]) -> Vec<u8> {
    Writer::new().bytes(RECORD_TAG).raw(token).raw(unless_off!(SealedForItsPlace, place, &[])).finish()
}
