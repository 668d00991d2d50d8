//! The newest epoch of each key, as it was read last: public, and of many members slow to read again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::keys::decides_newest;
use super::{Commit, RecordChange, Result};
use crate::protocol::{Certificate, Epoch};
use crate::wire::{KeyId, tagged_hash};

/// What was read, by key.
#[derive(Debug, Default)]
pub(super) struct Parsed(Mutex<BTreeMap<KeyId, Known>>);

#[derive(Debug)]
struct Known {
    /// Of the certificate's bytes.
    hash: [u8; 32],
    epoch: Epoch,
    /// Nothing was written since it was read that decides which certificate is the newest.
    current: bool,
}

impl Parsed {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<KeyId, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The epoch, if nothing that decides about it was written since.
    pub(super) fn current(&self, id: KeyId) -> Option<Epoch> {
        self.lock().get(&id).filter(|known| known.current).map(|known| known.epoch.clone())
    }

    /// At which height the newest certificate was.
    pub(super) fn height(&self, id: KeyId) -> Option<u64> {
        self.lock().get(&id).map(|known| known.epoch.plan.height)
    }

    /// The epoch of a key's newest certificate, which is not decoded if it is the one that is known.
    pub(super) fn read(&self, id: KeyId, newest: &[u8]) -> Result<Epoch> {
        let hash = hash(newest);
        let mut parsed = self.lock();
        if let Some(known) = parsed.get_mut(&id).filter(|known| known.hash == hash) {
            known.current = true;
            return Ok(known.epoch.clone());
        }
        let epoch = Certificate::from_bytes(newest)?.epoch()?;
        parsed.insert(id, Known { hash, epoch: epoch.clone(), current: true });
        Ok(epoch)
    }

    /// The epoch of a certificate that is about to be a key's newest, as whoever made it has it.
    pub(super) fn expect(&self, id: KeyId, certificate: &[u8], epoch: &Epoch) {
        self.lock().insert(id, Known { hash: hash(certificate), epoch: epoch.clone(), current: false });
    }

    /// Of keys whose certificates are about to change, or that are erased, the newest is looked for again.
    pub(super) fn outdate(&self, commit: &Commit) {
        let mut parsed = self.lock();
        let written = commit.changes.iter().map(RecordChange::place).filter(|(_, record)| decides_newest(record));
        let spaces = written.map(|(space, _)| space).chain(commit.erase.iter().copied());
        for id in spaces.filter_map(|space| space.object()) {
            if let Some(known) = parsed.get_mut(&KeyId::from_bytes(id)) {
                known.current = false;
            }
        }
    }
}

fn hash(certificate: &[u8]) -> [u8; 32] {
    tagged_hash("quorumkey/parsed/v1", &[certificate])
}
