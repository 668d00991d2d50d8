//! Another root key, and a storage written afresh under it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use zeroize::Zeroizing;

use crate::audit::{Event, EventKind};
use crate::guard::{forbids, holds};
use crate::keystore::{Pin, Storage};
use crate::policy::UserType;

use super::login::role_event;
use super::marks::Marks;
use super::seal::{self, Key};
use super::{Current, Draft, RecordChange, Space, State, Unlocked, Vault, VaultError, associated, space};

/// All records, opened, by their place.
type Records = BTreeMap<Vec<u8>, (Space, Zeroizing<Vec<u8>>)>;

impl<S: Storage> Vault<S> {
    /// Erases spaces, and what was deleted or overwritten before: draws a new root key and new data keys, seals the rest
    /// under them into a fresh storage, and has the old one overwritten. The changes and audit records go with it in one
    /// step. All PINs stay, and all who are logged in stay so.
    ///
    /// # Security
    ///
    /// Who has the new bytes and all PINs finds nothing of what was erased. Who copied the old bytes earlier and has a PIN
    /// of then keeps what the copy holds, but it opens nothing that a later [`set_pin`](Self::set_pin) wrote.
    pub(crate) fn erase(
        &self,
        unlocked: &Unlocked,
        drop: &[Space],
        changes: Vec<RecordChange>,
        events: &[Event],
    ) -> Result<(), VaultError> {
        let mut state = self.state()?;
        let mut records = self.all_records(&unlocked.root(), &state.current)?;
        records.retain(|_, (space, _)| holds!(ErasedIsGone, !drop.iter().any(|gone| gone.takes_along(space))));
        changes.into_iter().try_for_each(|change| apply(&mut records, change))?;
        self.renew(&mut state, unlocked, &records, None, events)
    }

    /// Ends the vault: records the events, and has everything overwritten and taken away. No call succeeds after it.
    pub(crate) fn destroy(&self, unlocked: &Unlocked, events: &[Event]) -> Result<(), VaultError> {
        // First, so that a destruction that stops half-way shows in what is left.
        self.transact(unlocked, Vec::new(), events)?;
        let mut state = self.state()?;
        // What is known in memory counts no more: the storage says that it is gone.
        state.stale = true;
        Ok(self.storage.destroy()?)
    }

    /// Sets a PIN: the user its own; the security officer its own and the user's, who may try again from the start.
    ///
    /// The root key is renewed and everything is sealed and written afresh, so that the old PIN opens nothing any more, not
    /// even what a database leaves of deleted records.
    pub(crate) fn set_pin(&self, unlocked: &Unlocked, role: UserType, new: &Pin) -> Result<(), VaultError> {
        let others = unlocked.role() == UserType::User && role != UserType::User;
        if forbids!(OfficersPinIsItsOwn, others) {
            return Err(VaultError::Denied);
        }
        let mut state = self.state()?;
        let records = self.all_records(&unlocked.root(), &state.current)?;
        let event = role_event(EventKind::PinChanged, role)?;
        self.renew(&mut state, unlocked, &records, Some((role, new)), &[event])
    }

    fn renew(
        &self,
        state: &mut State,
        unlocked: &Unlocked,
        records: &Records,
        pin: Option<(UserType, &Pin)>,
        events: &[Event],
    ) -> Result<(), VaultError> {
        // Who holds no valid root key is not logged in, even where there is no record to open.
        self.sealed_state(&unlocked.root(), &state.current)?;
        let root = seal::random_key()?;
        let new = pin.map(|(role, pin)| Ok::<_, VaultError>((role, state.current.header.new_pin(pin)?))).transpose()?;
        let header = state.current.header.renew(&root, new.as_ref().map(|(role, pin)| (*role, pin)))?;
        let tries = pin.map_or(state.current.tries, |(role, _)| state.current.tries.none(role));
        let mut draft = Draft::after(&state.current.ledger)?;
        draft.put(space::HEADER, header.encode());
        draft.put(space::TRIES, tries.encode());
        self.each(space::AUDIT, |(place, value)| {
            draft.put(place, value);
            Ok(())
        })?;
        draft.record(events)?;
        let marks = seal_all(&mut draft, &root, &header.token, records)?;
        draft.finish(&root, &header, marks)?;
        let next = Current { header, ledger: draft.ledger, tries };
        let contents = draft.into_contents();
        unlocked.root_mut().renewed = Some(root);
        self.settle(state, next, |storage| storage.rewrite(&contents))?;
        unlocked.root_mut().renew();
        Ok(())
    }

    fn all_records(&self, root: &Key, current: &Current) -> Result<Records, VaultError> {
        let token = &current.header.token;
        let mut keys = BTreeMap::new();
        let mut records = Records::new();
        self.each(space::RECORD, |(place, sealed)| {
            let (space, _) = Space::of_record(&place)?;
            let key = match keys.entry(space) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(self.data_key(root, token, space)?.ok_or(VaultError::Corrupt)?),
            };
            let plain = seal::open(key, &associated(token, &place), &sealed).ok_or(VaultError::Corrupt)?;
            records.insert(place, (space, plain));
            Ok(())
        })?;
        Ok(records)
    }
}

fn apply(records: &mut Records, change: RecordChange) -> Result<(), VaultError> {
    match change {
        RecordChange::Put { space, key, value } => {
            records.insert(space.record(&key), (space, value));
        }
        RecordChange::Insert { space, key, value } => {
            if records.insert(space.record(&key), (space, value)).is_some() {
                return Err(VaultError::Exists);
            }
        }
        RecordChange::Delete { space, key } => {
            records.remove(&space.record(&key));
        }
    }
    Ok(())
}

/// Seals the first records of a new vault.
pub(super) fn seal_new(
    draft: &mut Draft,
    root: &Key,
    token: &[u8; 16],
    changes: Vec<RecordChange>,
) -> Result<Marks, VaultError> {
    let mut records = Records::new();
    changes.into_iter().try_for_each(|change| apply(&mut records, change))?;
    seal_all(draft, root, token, &records)
}

/// Seals all records, each space under a new data key.
fn seal_all(draft: &mut Draft, root: &Key, token: &[u8; 16], records: &Records) -> Result<Marks, VaultError> {
    let mut marks = Marks::default();
    let mut put = |place: &[u8], sealed: Vec<u8>| {
        marks.toggle(root, place, &sealed);
        draft.put(place, sealed);
    };
    let mut data_key: Option<(Space, Key)> = None;
    // A space's records lie side by side.
    for (place, (space, value)) in records {
        let key = match &data_key {
            Some((of, key)) if of == space => key,
            _ => {
                let key = seal::random_key()?;
                let place = space.data_key();
                put(&place, seal::seal(root, &associated(token, &place), key.expose())?);
                &data_key.insert((*space, key)).1
            }
        };
        put(place, seal::seal(key, &associated(token, place), value)?);
    }
    Ok(marks)
}
