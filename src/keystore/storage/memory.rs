//! A storage that forgets.

use core::fmt;
use core::ops::Bound;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroize;

use super::{Change, Entry, Storage, StorageError};

/// Keeps a token in memory, for tests and for tokens that last as long as their process.
#[derive(Default)]
pub struct MemoryStorage(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    destroyed: bool,
}

impl MemoryStorage {
    /// A storage with these contents.
    pub fn new(contents: &[Entry]) -> Self {
        Self(Mutex::new(Contents { map: contents.iter().cloned().collect(), destroyed: false }))
    }

    fn contents(&self) -> Result<MutexGuard<'_, Contents>, StorageError> {
        // No step below leaves the map half-changed, whatever thread died holding it.
        let contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if contents.destroyed { Err(StorageError::Missing) } else { Ok(contents) }
    }
}

impl Storage for MemoryStorage {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.contents()?.map.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StorageError> {
        let contents = self.contents()?;
        let found = contents
            .map
            .range::<[u8], _>((start(prefix, after), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        let mut contents = self.contents()?;
        for change in changes {
            let old = match change {
                Change::Put { key, value } => contents.map.insert(key.clone(), value.clone()),
                Change::Delete { key } => contents.map.remove(key),
            };
            old.unwrap_or_default().zeroize();
        }
        Ok(())
    }

    fn rewrite(&self, contents: &[Entry]) -> Result<(), StorageError> {
        let old = core::mem::replace(&mut self.contents()?.map, contents.iter().cloned().collect());
        for mut value in old.into_values() {
            value.zeroize();
        }
        Ok(())
    }

    fn destroy(&self) -> Result<(), StorageError> {
        self.rewrite(&[])?;
        self.contents()?.destroyed = true;
        Ok(())
    }
}

/// Where a scan begins.
pub(super) fn start<'a>(prefix: &'a [u8], after: Option<&'a [u8]>) -> Bound<&'a [u8]> {
    match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage").finish_non_exhaustive()
    }
}
