//! Reading records, and changing them.

use core::fmt;
use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::audit::Event;
use crate::guard::forbids;
use crate::keystore::{Change, Storage};

use super::marks::Marks;
use super::seal::{self, Key};
use super::{Current, Draft, Space, Unlocked, Vault, VaultError, associated};

/// A record's key within its space, and its value.
pub(crate) type Opened = (Vec<u8>, Zeroizing<Vec<u8>>);

/// One change of a transaction.
pub(crate) enum RecordChange {
    /// Sets a record, whether it is there or not.
    Put { space: Space, key: Vec<u8>, value: Zeroizing<Vec<u8>> },
    /// Sets a record that must not be there: a claim. The whole transaction fails with [`VaultError::Exists`] if it is.
    Insert { space: Space, key: Vec<u8>, value: Zeroizing<Vec<u8>> },
    /// Takes a record away. Its sealed bytes may stay in the file until the next [`Vault::erase`].
    Delete { space: Space, key: Vec<u8> },
}

impl RecordChange {
    /// Which record it changes.
    pub(crate) fn place(&self) -> (Space, &[u8]) {
        let (Self::Put { space, key, .. } | Self::Insert { space, key, .. } | Self::Delete { space, key }) = self;
        (*space, key)
    }
}

impl fmt::Debug for RecordChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Put { .. } => "Put",
            Self::Insert { .. } => "Insert",
            Self::Delete { .. } => "Delete",
        };
        f.debug_struct(what).field("space", &self.place().0).finish_non_exhaustive()
    }
}

impl<S: Storage> Vault<S> {
    /// A record, or `None` if there is none. One that can't be read is an error.
    pub(crate) fn get(
        &self,
        unlocked: &Unlocked,
        space: Space,
        key: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let state = self.state()?;
        let place = space.record(key);
        let Some(sealed) = self.storage.get(&place)? else { return Ok(None) };
        let token = &state.current.header.token;
        let data_key = self.data_key(&unlocked.root(), token, space)?.ok_or(VaultError::Corrupt)?;
        seal::open(&data_key, &associated(token, &place), &sealed).ok_or(VaultError::Corrupt).map(Some)
    }

    /// Every record, of whatever space.
    #[cfg(feature = "hazmat")]
    pub(crate) fn records(&self, unlocked: &Unlocked) -> Result<Vec<Zeroizing<Vec<u8>>>, VaultError> {
        let (mut records, mut after) = (Vec::new(), None::<Vec<u8>>);
        loop {
            let page = self.storage.scan(super::space::RECORD, after.as_deref(), 64)?;
            for (place, _) in &page {
                let (space, key) = Space::of_record(place)?;
                records.push(self.get(unlocked, space, &key)?.ok_or(VaultError::Corrupt)?);
            }
            match page.into_iter().last() {
                Some((last, _)) => after = Some(last),
                None => return Ok(records),
            }
        }
    }

    /// The first `limit` records of a space, ordered by key, whose keys begin with `prefix` and are greater than `after`.
    pub(crate) fn scan(
        &self,
        unlocked: &Unlocked,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Opened>, VaultError> {
        let state = self.state()?;
        let after = after.map(|after| space.record(after));
        let page = self.storage.scan(&space.record(prefix), after.as_deref(), limit)?;
        if page.is_empty() {
            return Ok(Vec::new());
        }
        let token = &state.current.header.token;
        let data_key = self.data_key(&unlocked.root(), token, space)?.ok_or(VaultError::Corrupt)?;
        page.into_iter()
            .map(|(place, sealed)| {
                let plain = seal::open(&data_key, &associated(token, &place), &sealed).ok_or(VaultError::Corrupt)?;
                Ok((Space::of_record(&place)?.1, plain))
            })
            .collect()
    }

    /// Makes the changes and appends the audit records, all or nothing, durable when this returns.
    ///
    /// After an error nothing changed, except that after a failed storage nobody knows before it answers again.
    pub(crate) fn transact(
        &self,
        unlocked: &Unlocked,
        changes: Vec<RecordChange>,
        events: &[Event],
    ) -> Result<(), VaultError> {
        let mut state = self.state()?;
        let root = unlocked.root();
        let marks = self.sealed_state(&root, &state.current)?.marks;
        let mut draft = Draft::after(&state.current.ledger)?;
        let token = state.current.header.token;
        let mut sealing =
            Sealing { vault: self, root: &root, token, marks, keys: BTreeMap::new(), new: BTreeMap::new() };
        changes.into_iter().try_for_each(|change| sealing.change(change))?;
        let marks = sealing.marks;
        draft.changes.extend(sealing.into_changes());
        draft.record(events)?;
        draft.finish(&root, &state.current.header, marks)?;
        let next = Current { ledger: draft.ledger, ..state.current.clone() };
        self.settle(&mut state, next, |storage| storage.commit(&draft.changes))
    }

    /// The data key of a space, if it has one.
    pub(super) fn data_key(&self, root: &Key, token: &[u8; 16], space: Space) -> Result<Option<Key>, VaultError> {
        let place = space.data_key();
        let Some(sealed) = self.storage.get(&place)? else { return Ok(None) };
        seal::open_key(root, &associated(token, &place), &sealed).ok_or(VaultError::Corrupt).map(Some)
    }
}

/// Seals changes, and keeps the marks in step with them.
struct Sealing<'a, S> {
    vault: &'a Vault<S>,
    root: &'a Key,
    token: [u8; 16],
    marks: Marks,
    keys: BTreeMap<Space, Key>,
    /// What the places that change will hold.
    new: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<S: Storage> Sealing<'_, S> {
    fn change(&mut self, change: RecordChange) -> Result<(), VaultError> {
        match change {
            RecordChange::Put { space, key, value } => self.put(space, &key, &value),
            RecordChange::Insert { space, key, value } => {
                if forbids!(InsertedOnce, self.now(&space.record(&key))?.is_some()) {
                    return Err(VaultError::Exists);
                }
                self.put(space, &key, &value)
            }
            RecordChange::Delete { space, key } => self.set(space.record(&key), None),
        }
    }

    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<(), VaultError> {
        if !self.keys.contains_key(&space) {
            let key = self.load_or_make_key(space)?;
            self.keys.insert(space, key);
        }
        let place = space.record(key);
        let data_key = self.keys.get(&space).ok_or(VaultError::Corrupt)?;
        let sealed = seal::seal(data_key, &associated(&self.token, &place), value)?;
        self.set(place, Some(sealed))
    }

    fn load_or_make_key(&mut self, space: Space) -> Result<Key, VaultError> {
        if let Some(key) = self.vault.data_key(self.root, &self.token, space)? {
            return Ok(key);
        }
        let key = seal::random_key()?;
        let place = space.data_key();
        let sealed = seal::seal(self.root, &associated(&self.token, &place), key.expose())?;
        self.set(place, Some(sealed))?;
        Ok(key)
    }

    /// What a place holds, the changes so far included.
    fn now(&self, place: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        match self.new.get(place) {
            Some(value) => Ok(value.clone()),
            None => Ok(self.vault.storage.get(place)?),
        }
    }

    fn set(&mut self, place: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), VaultError> {
        for value in [&self.now(&place)?, &value].into_iter().flatten() {
            self.marks.toggle(self.root, &place, value);
        }
        self.new.insert(place, value);
        Ok(())
    }

    fn into_changes(self) -> impl Iterator<Item = Change> {
        self.new.into_iter().map(|(key, value)| match value {
            Some(value) => Change::Put { key, value },
            None => Change::Delete { key },
        })
    }
}
