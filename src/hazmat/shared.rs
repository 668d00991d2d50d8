//! A storage that outlives the token in it, and that a test can look into.

use std::sync::Arc;

use crate::keystore::{Change, Entry, Storage, StorageError};

/// Another handle on the same storage.
#[derive(Debug)]
pub struct Shared<S>(pub Arc<S>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Storage> Storage for Shared<S> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.0.get(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StorageError> {
        self.0.scan(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.0.commit(changes)
    }

    fn rewrite(&self, contents: &[Entry]) -> Result<(), StorageError> {
        self.0.rewrite(contents)
    }

    fn destroy(&self) -> Result<(), StorageError> {
        self.0.destroy()
    }
}
