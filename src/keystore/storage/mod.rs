//! Where a token's bytes are kept.

mod disk;
mod file;
mod medium;
mod memory;
#[cfg(test)]
mod tests;

use core::fmt;
use std::io;

#[cfg(feature = "hazmat")]
pub(crate) use disk::Disk;
pub use file::FileStorage;
#[cfg(feature = "hazmat")]
pub(crate) use medium::{Medium, Step};
pub use memory::MemoryStorage;
#[cfg(test)]
pub(crate) use tests::open_unsynced;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// One change of a transaction. Where two changes name one key, the later one counts.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// Sets the value of a key, whether it had one or not.
    Put {
        /// The key.
        key: Vec<u8>,
        /// Its new value.
        value: Vec<u8>,
    },
    /// Takes a key away; no error if it is not there.
    Delete {
        /// The key.
        key: Vec<u8>,
    },
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Put { .. } => "Put(..)",
            Self::Delete { .. } => "Delete(..)",
        })
    }
}

/// An ordered map of byte strings that survives a crash.
///
/// A token seals what is secret before it comes here, and finds out when a value was exchanged; it trusts a storage with
/// being there and with durability. What an implementation promises:
///
/// - **Absent and unreadable are different answers.** `Ok(None)` is said only of a key that was never put, or was deleted.
///   A value that can't be read is an error, never absent and never a part of itself.
/// - **All or nothing.** After a crash at any moment, [`commit`](Self::commit) and [`rewrite`](Self::rewrite) happened
///   whole or not at all, and they happened if they returned `Ok`. Nothing older comes back.
/// - **After an error of `commit` or `rewrite` nobody knows** which of the two it was, until the storage answers again. An
///   implementation that can't tell goes on failing until it is opened anew.
/// - **One user.** A second handle on the same bytes, in this process or in another, is refused with
///   [`StorageError::InUse`].
///
/// Calls may come from several threads; each is one step that the others see whole.
pub trait Storage: fmt::Debug + Send + Sync {
    /// The value of a key, or `None` if there is none.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// The first `limit` entries, in ascending order of their keys, whose keys begin with `prefix` and are greater than
    /// `after`.
    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StorageError>;

    /// Makes the changes in one transaction, durable when this returns.
    fn commit(&self, changes: &[Change]) -> Result<(), StorageError>;

    /// Replaces everything by `contents`, so that nothing of what was there before can be read from where it lay, as far
    /// as this storage can see to that; durable when this returns.
    ///
    /// A deleted value's bytes may stay in a database until their place is used again. This is how they go.
    fn rewrite(&self, contents: &[Entry]) -> Result<(), StorageError>;

    /// Erases everything for good, the place where it was kept included, if this storage can take that away; durable when
    /// this returns. No call succeeds after it.
    ///
    /// Where nothing better is known, everything is replaced by nothing.
    fn destroy(&self) -> Result<(), StorageError> {
        self.rewrite(&[])
    }
}

/// Why a storage did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageError {
    /// The operating system failed.
    Io(io::ErrorKind),
    /// The bytes are there and are not what was written.
    Corrupt,
    /// What is there is not a store: a link, a directory, an empty file, or some other file. It was left as it is.
    Foreign,
    /// The store was written by a later version of this library. It was left as it is.
    Future(u16),
    /// The store is open elsewhere.
    InUse,
    /// Something is there already.
    Exists,
    /// There is no store there.
    Missing,
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "storage failed: {kind}"),
            Self::Corrupt => f.write_str("the store is damaged"),
            Self::Foreign => f.write_str("this is not a store"),
            Self::Future(version) => {
                write!(f, "the store has format version {version}, which is newer than this library")
            }
            Self::InUse => f.write_str("the store is open elsewhere"),
            Self::Exists => f.write_str("something is there already"),
            Self::Missing => f.write_str("there is no store there"),
        }
    }
}

impl core::error::Error for StorageError {}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A file that ends before what it says it holds was cut.
            io::ErrorKind::UnexpectedEof => Self::Corrupt,
            kind => Self::Io(kind),
        }
    }
}
