//! A storage one of whose calls fails.

use core::result::Result as CoreResult;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use quorumkey::{Change, Entry, MemoryStorage, Storage, StorageError};

/// Which calls are counted, and what becomes of the one that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A read that gives nothing.
    Read,
    /// A change that is not made.
    Change,
    /// A change that is made all the same.
    ChangeMade,
}

/// A storage whose k-th call fails.
#[derive(Clone, Debug)]
pub struct Failing {
    pub inner: Arc<MemoryStorage>,
    pub failure: Failure,
    /// Which call fails, counted down to 0; many when none does.
    left: Arc<AtomicU32>,
}

impl Failing {
    pub fn new(contents: &[Entry], failure: Failure) -> Self {
        Self { inner: Arc::new(MemoryStorage::new(contents)), failure, left: Arc::new(AtomicU32::new(u32::MAX)) }
    }

    /// From now on, the k-th call fails.
    pub fn arm(&self, k: u32) {
        self.left.store(k, Ordering::SeqCst);
    }

    /// No call fails any more. Whether one has.
    pub fn disarm(&self) -> bool {
        self.left.swap(u32::MAX, Ordering::SeqCst) == 0
    }

    fn fails(&self) -> bool {
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) == Ok(1)
    }

    fn read<T>(&self, act: impl FnOnce(&MemoryStorage) -> CoreResult<T, StorageError>) -> CoreResult<T, StorageError> {
        let fails = self.failure == Failure::Read && self.fails();
        if fails { Err(StorageError::Io(ErrorKind::TimedOut)) } else { act(&self.inner) }
    }

    fn change(&self, act: impl FnOnce(&MemoryStorage) -> CoreResult<(), StorageError>) -> CoreResult<(), StorageError> {
        let fails = self.failure != Failure::Read && self.fails();
        if !fails || self.failure == Failure::ChangeMade {
            act(&self.inner)?;
        }
        if fails { Err(StorageError::Io(ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

impl Storage for Failing {
    fn get(&self, key: &[u8]) -> CoreResult<Option<Vec<u8>>, StorageError> {
        self.read(|inner| inner.get(key))
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> CoreResult<Vec<Entry>, StorageError> {
        self.read(|inner| inner.scan(prefix, after, limit))
    }

    fn commit(&self, changes: &[Change]) -> CoreResult<(), StorageError> {
        self.change(|inner| inner.commit(changes))
    }

    fn rewrite(&self, contents: &[Entry]) -> CoreResult<(), StorageError> {
        self.change(|inner| inner.rewrite(contents))
    }

    fn destroy(&self) -> CoreResult<(), StorageError> {
        self.change(MemoryStorage::destroy)
    }
}
