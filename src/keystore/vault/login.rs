//! Logging in.

use core::fmt;
use core::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::audit::{Event, EventKind};
use crate::guard::{forbids, unless_off};
use crate::keystore::{Change, Pin, Storage};
use crate::policy::UserType;

use super::header::{SealedState, role_code};
use super::marks::Marks;
use super::seal::{self, Key};
use super::{Current, Draft, State, Vault, VaultError, associated, space};

/// Somebody is logged in: holds the root key, which is wiped when the last of these is dropped.
pub(crate) struct Unlocked {
    role: UserType,
    root: Arc<RwLock<Root>>,
}

/// The root key that all who are logged in share.
pub(super) struct Root {
    now: Key,
    /// What everything is sealed under once the rewrite that is under way, or that was reported as failed, is made.
    pub(super) renewed: Option<Key>,
}

impl Root {
    /// The rewrite was made: everybody goes on with the key that it brought.
    pub(super) fn renew(&mut self) {
        if let Some(root) = self.renewed.take() {
            self.now = root;
        }
    }
}

impl Deref for Root {
    type Target = Key;

    fn deref(&self) -> &Key {
        &self.now
    }
}

impl Unlocked {
    /// Who is logged in.
    pub(crate) const fn role(&self) -> UserType {
        self.role
    }

    pub(super) fn root(&self) -> RwLockReadGuard<'_, Root> {
        self.root.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn root_mut(&self) -> RwLockWriteGuard<'_, Root> {
        self.root.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unlocked").field("role", &self.role).finish_non_exhaustive()
    }
}

impl<S: Storage> Vault<S> {
    /// Logs in: 10 tries for the user, 5 for the security officer, counted from the last that succeeded.
    ///
    /// A try is counted durably before the PIN is looked at, so that a crash gives none back. A token whose user and
    /// officer are both locked is lost; its keys come back from their backups.
    pub(crate) fn unlock(&self, role: UserType, pin: &Pin) -> Result<Unlocked, VaultError> {
        let mut state = self.state()?;
        let tries = state.current.tries;
        if forbids!(TriesBounded, tries.left(role) == 0) {
            return Err(VaultError::Locked);
        }
        let counted = Current { tries: tries.one_more(role), ..state.current.clone() };
        let count = [Change::Put { key: space::TRIES.to_vec(), value: counted.tries.encode() }];
        unless_off!(TryCountedFirst, self.settle(&mut state, counted, |storage| storage.commit(&count))?, ());
        match state.current.header.unlock(role, pin)? {
            Some(root) => self.admit(&mut state, role, root),
            None => Err(self.refuse(&mut state, role)?),
        }
    }

    /// Records a wrong try.
    fn refuse(&self, state: &mut State, role: UserType) -> Result<VaultError, VaultError> {
        let tries_left = state.current.tries.left(role);
        let mut draft = Draft::after(&state.current.ledger)?;
        draft.record(&[role_event(EventKind::LoginFailed, role)?])?;
        if tries_left == 0 {
            draft.record(&[role_event(EventKind::LockedOut, role)?])?;
        }
        draft.finish_unsealed();
        let next = Current { ledger: draft.ledger, ..state.current.clone() };
        self.settle(state, next, |storage| storage.commit(&draft.changes))?;
        Ok(if tries_left == 0 { VaultError::Locked } else { VaultError::Login { tries_left } })
    }

    /// Lets somebody in, once all that lies open was found to be what was left there.
    fn admit(&self, state: &mut State, role: UserType, root: Key) -> Result<Unlocked, VaultError> {
        let sealed = self.sealed_state(&root, &state.current)?;
        self.verify_state(&root, &state.current, &sealed)?;
        let mut draft = Draft::after(&state.current.ledger)?;
        draft.record(&[role_event(EventKind::LoggedIn, role)?])?;
        let tries = state.current.tries.none(role);
        draft.put(space::TRIES, tries.encode());
        draft.finish(&root, &state.current.header, sealed.marks)?;
        let next = Current { ledger: draft.ledger, tries, header: state.current.header.clone() };
        self.settle(state, next, |storage| storage.commit(&draft.changes))?;
        Ok(Unlocked { role, root: share(state, root) })
    }

    /// What the last one who was logged in left.
    pub(super) fn sealed_state(&self, root: &Key, current: &Current) -> Result<SealedState, VaultError> {
        let sealed = self.storage.get(space::SEAL)?.ok_or(VaultError::Corrupt)?;
        let plain = seal::open(root, &associated(&current.header.token, space::SEAL), &sealed);
        Ok(SealedState::decode(&plain.ok_or(VaultError::Corrupt)?)?)
    }

    fn verify_state(&self, root: &Key, current: &Current, sealed: &SealedState) -> Result<(), VaultError> {
        let header = forbids!(HeaderAsSealed, sealed.header != current.header.hash());
        if header || forbids!(RecordsAsSealed, sealed.marks != self.marks(root)?) {
            return Err(VaultError::Corrupt);
        }
        self.verify_log(&current.header.token, &sealed.ledger, &current.ledger)
    }

    fn marks(&self, root: &Key) -> Result<Marks, VaultError> {
        let mut marks = Marks::default();
        for prefix in [space::DATA_KEY, space::RECORD] {
            self.each(prefix, |(place, value)| {
                marks.toggle(root, &place, &value);
                Ok(())
            })?;
        }
        Ok(marks)
    }
}

/// All who are logged in share one root key, so that all go on when it is renewed.
fn share(state: &mut State, root: Key) -> Arc<RwLock<Root>> {
    let root = Root { now: root, renewed: None };
    if let Some(shared) = state.root.upgrade() {
        // Most often it is the same; it differs after a renewal of which only the answer failed.
        *shared.write().unwrap_or_else(PoisonError::into_inner) = root;
        return shared;
    }
    let shared = Arc::new(RwLock::new(root));
    state.root = Arc::downgrade(&shared);
    shared
}

pub(super) fn role_event(kind: EventKind, role: UserType) -> Result<Event, VaultError> {
    Ok(Event::new(kind).detail(vec![role_code(role)])?)
}
