//! A storage in one file.

use core::fmt;
use core::ops::Bound;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableDefinition};

use super::disk::{self, Disk, Temporary};
use super::medium::{Direct, Medium, Step};
use super::memory::start;
use super::{Change, Entry, Storage, StorageError};
use crate::guard::forbids;

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// A store is small; the default cache is a gigabyte.
const CACHE: usize = 4 * 1024 * 1024;

/// Keeps a token in a file: a short preamble, then a redb database. The file is locked while it is open.
///
/// # Security
///
/// On Unix the file is readable by its owner only. [`rewrite`](Storage::rewrite) overwrites the old file's bytes; what flash memory,
/// copy-on-write file systems and snapshots keep of them is out of its reach.
pub struct FileStorage {
    path: PathBuf,
    medium: Arc<dyn Medium>,
    // Why there is no file any more: it was destroyed, or a step failed where only opening it anew tells what it holds.
    open: RwLock<Result<Open, StorageError>>,
}

struct Open {
    database: Database,
    file: Arc<File>,
}

/// What a handle says whose file is in a state that it does not know.
const UNKNOWN: StorageError = StorageError::Io(io::ErrorKind::Other);

impl FileStorage {
    /// Makes a file with these contents, durable when this returns.
    ///
    /// The file appears whole or not at all. What is there already, be it a link that leads nowhere, is left as it is
    /// and answered with [`StorageError::Exists`].
    pub fn create(path: impl AsRef<Path>, contents: &[Entry]) -> Result<Self, StorageError> {
        Self::create_on(Arc::new(Direct), path.as_ref(), contents)
    }

    /// Opens a file that [`create`](Self::create) made.
    ///
    /// Whatever else is there is refused and left as it is. What a crash left beside the file is overwritten and removed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::open_on(Arc::new(Direct), path.as_ref())
    }

    pub(crate) fn create_on(medium: Arc<dyn Medium>, path: &Path, contents: &[Entry]) -> Result<Self, StorageError> {
        match disk::lookup(&*medium, path) {
            Ok(_) => return Err(StorageError::Exists),
            Err(StorageError::Missing) => {}
            Err(error) => return Err(error),
        }
        let temporary = Temporary::new(&medium, path)?;
        let database = build(&temporary, contents, &*medium)?;
        let file = temporary.publish(path)?;
        Ok(Self { path: path.to_owned(), medium, open: RwLock::new(Ok(Open { database, file })) })
    }

    pub(crate) fn open_on(medium: Arc<dyn Medium>, path: &Path) -> Result<Self, StorageError> {
        let file = match disk::open(&*medium, path) {
            Err(StorageError::Missing) => {
                // Perhaps it was being destroyed when a crash came.
                disk::remove_remains(&*medium, path)?;
                return Err(StorageError::Missing);
            }
            opened => Arc::new(opened?),
        };
        let database = database(Arc::clone(&file), &*medium)?;
        // A store always has its table: without it these are not the bytes that were written.
        database.begin_read().map_err(error)?.open_table(RECORDS).map_err(error)?;
        disk::remove_leftovers(&*medium, path, &file)?;
        Ok(Self { path: path.to_owned(), medium, open: RwLock::new(Ok(Open { database, file })) })
    }

    fn with_database<T>(&self, act: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StorageError> {
        let open: RwLockReadGuard<'_, _> = self.open.read().unwrap_or_else(PoisonError::into_inner);
        act(&open.as_ref().map_err(|error| *error)?.database).map_err(error)
    }
}

impl Storage for FileStorage {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.with_database(|database| {
            let table = database.begin_read()?.open_table(RECORDS)?;
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StorageError> {
        self.with_database(|database| {
            let table = database.begin_read()?.open_table(RECORDS)?;
            let mut found = Vec::new();
            for entry in table.range::<&[u8]>((start(prefix, after), Bound::Unbounded))?.take(limit) {
                let (key, value) = entry?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                found.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(found)
        })
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.with_database(|database| write(database, changes.iter().map(change_parts)))
    }

    fn rewrite(&self, contents: &[Entry]) -> Result<(), StorageError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().map_err(|error| *error)?;
        let temporary = Temporary::new(&self.medium, &self.path)?;
        let database = build(&temporary, contents, &*self.medium)?;
        let file = Arc::clone(&temporary.file);
        let retired = temporary.replace(&self.path)?;
        // From here the name leads to the new file, and an error leaves this handle without one.
        let old = core::mem::replace(&mut *open, Err(UNKNOWN))?;
        drop(old.database);
        retired.erase(&self.path, &old.file)?;
        *open = Ok(Open { database, file });
        Ok(())
    }

    fn destroy(&self) -> Result<(), StorageError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().map_err(|error| *error)?;
        let retired = disk::retire(&self.medium, &self.path)?;
        let old = core::mem::replace(&mut *open, Err(UNKNOWN))?;
        // It has its last words for the file, which are overwritten with the rest.
        drop(old.database);
        retired.erase(&self.path, &old.file)?;
        *open = Err(StorageError::Missing);
        Ok(())
    }
}

impl fmt::Debug for FileStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStorage").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Fills a new file, and syncs it.
fn build(temporary: &Temporary, contents: &[Entry], medium: &dyn Medium) -> Result<Database, StorageError> {
    medium.before(Step::Preamble)?;
    disk::write_preamble(&temporary.file)?;
    let database = database(Arc::clone(&temporary.file), medium)?;
    write(&database, contents.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice())))).map_err(error)?;
    medium.before(Step::SyncFile)?;
    temporary.file.sync_all()?;
    Ok(database)
}

fn database(file: Arc<File>, medium: &dyn Medium) -> Result<Database, StorageError> {
    Builder::new()
        .set_cache_size(CACHE)
        // Without it redb trusts a file that was closed in order, and may panic on one that was changed since.
        .set_check_integrity_on_open(forbids!(IntegrityChecked, true))
        .create_with_backend(Backend(medium.backend(Disk::new(file))))
        .map_err(error)
}

type Part<'a> = (&'a [u8], Option<&'a [u8]>);

fn change_parts(change: &Change) -> Part<'_> {
    match change {
        Change::Put { key, value } => (key, Some(value)),
        Change::Delete { key } => (key, None),
    }
}

fn write<'a>(database: &Database, changes: impl Iterator<Item = Part<'a>>) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // With one phase a damaged newest state is taken for an unfinished one and the state before it comes back, in which
    // a nonce may be unused. With two, what was committed is there or the store is damaged. Durability is immediate
    // unless one says otherwise, and the walk of a full repair after a crash is short in a store as small as this.
    transaction.set_two_phase_commit(true);
    {
        let mut table = transaction.open_table(RECORDS)?;
        for (key, value) in changes {
            match value {
                Some(value) => table.insert(key, value)?,
                None => table.remove(key)?,
            };
        }
    }
    Ok(transaction.commit()?)
}

pub(super) fn error(error: impl Into<redb::Error>) -> StorageError {
    match error.into() {
        redb::Error::Io(error) => error.into(),
        // After an error redb refuses everything until the file is opened anew.
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => StorageError::Io(io::ErrorKind::Other),
        redb::Error::ValueTooLarge(_) => StorageError::Io(io::ErrorKind::FileTooLarge),
        _ => StorageError::Corrupt,
    }
}

/// A boxed backend is not a backend.
#[derive(Debug)]
struct Backend(Box<dyn StorageBackend>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}
