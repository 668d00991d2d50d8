//! Files as a store needs them: made whole or not at all, locked, overwritten before they go.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::StorageError;
use super::medium::{Medium, Step};
use crate::guard::{forbids, unless_off};

/// What comes first in a store's file.
const MAGIC: &[u8; 16] = b"quorumkey store\0";
/// The version of everything in the file: a later one is refused before anything of it is touched.
const VERSION: u16 = 1;
/// The preamble's length; the database begins on a page of its own.
const PREAMBLE: usize = 4096;
/// The same, as an offset.
const BASE: u64 = 4096;

/// The file's part after the preamble, as the database sees it.
#[derive(Debug)]
pub(crate) struct Disk {
    file: Arc<File>,
    // The file's cursor is one: whoever moves it uses it.
    cursor: Mutex<()>,
}

impl Disk {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file, cursor: Mutex::new(()) }
    }

    fn at<T>(&self, offset: u64, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        let _cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = offset.checked_add(BASE).ok_or(io::ErrorKind::InvalidInput)?;
        (&*self.file).seek(SeekFrom::Start(offset))?;
        act(&self.file)
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len().saturating_sub(BASE))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.at(offset, |mut file| file.read_exact(out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let now = self.len()?;
        if len < now {
            // What is cut off was freed before; its bytes are not left to the file system.
            self.at(len, |file| zeros(file, now - len))?;
        }
        self.file.set_len(len.saturating_add(BASE))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.at(offset, |mut file| file.write_all(data))
    }
}

fn zeros(mut file: &File, mut len: u64) -> io::Result<()> {
    let block = [0_u8; 16 * 1024];
    while len > 0 {
        let part = usize::try_from(len).map_or(block.len(), |len| len.min(block.len()));
        file.write_all(block.get(..part).unwrap_or(&block))?;
        len = len.saturating_sub(u64::try_from(part).unwrap_or(len));
    }
    Ok(())
}

/// Overwrites the whole file, and waits until that is on the medium.
fn wipe(medium: &dyn Medium, mut file: &File) -> io::Result<()> {
    medium.before(Step::Wipe)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    unless_off!(OldBytesOverwritten, zeros(file, len)?, ());
    file.sync_all()
}

/// Writes the preamble of a new file.
pub(super) fn write_preamble(mut file: &File) -> io::Result<()> {
    let mut preamble = [0; PREAMBLE];
    for (to, from) in preamble.iter_mut().zip(MAGIC.iter().chain(&VERSION.to_be_bytes())) {
        *to = *from;
    }
    file.write_all(&preamble)
}

/// Refuses what is not a store of this version, by reading only.
fn check_preamble(mut file: &File) -> Result<(), StorageError> {
    let mut preamble = [0; PREAMBLE];
    let read = file.read_exact(&mut preamble);
    let rest = preamble.strip_prefix(MAGIC).ok_or(StorageError::Foreign)?;
    let (version, padding) = rest.split_first_chunk().ok_or(StorageError::Corrupt)?;
    match u16::from_be_bytes(*version) {
        0 => return Err(StorageError::Corrupt),
        VERSION => {}
        later if forbids!(LaterVersionRefused, true) => return Err(StorageError::Future(later)),
        _ => {}
    }
    read?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(StorageError::Corrupt);
    }
    // The database takes an empty file, or one that begins with zeros, for one that it may make anew.
    let mut magic = [0; 9];
    file.read_exact(&mut magic)?;
    if &magic == b"redb\x1a\x0a\xa9\x0d\x0a" { Ok(()) } else { Err(StorageError::Corrupt) }
}

/// Opens and locks a store's file. Nothing in it is changed.
pub(super) fn open(medium: &dyn Medium, path: &Path) -> Result<File, StorageError> {
    // The path may be given another file between any two of these steps; then the steps begin again.
    for _ in 0..16 {
        let named = lookup(medium, path)?;
        if forbids!(LinkIsNoStore, !named.is_file()) {
            return Err(StorageError::Foreign);
        }
        medium.before(Step::Open)?;
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        lock(medium, &file)?;
        if same(&look(medium, &file)?, &named) && same(&lookup(medium, path)?, &named) {
            check_preamble(&file)?;
            return Ok(file);
        }
    }
    Err(StorageError::InUse)
}

pub(super) fn lookup(medium: &dyn Medium, path: &Path) -> Result<Metadata, StorageError> {
    // Not followed: a link at a store's place is not a store.
    medium.before(Step::Look).and_then(|()| fs::symlink_metadata(path)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => StorageError::Missing,
        kind => StorageError::Io(kind),
    })
}

fn look(medium: &dyn Medium, file: &File) -> io::Result<Metadata> {
    medium.before(Step::Look)?;
    file.metadata()
}

fn lock(medium: &dyn Medium, file: &File) -> Result<(), StorageError> {
    match medium.before(Step::Lock).map_err(TryLockError::Error).and_then(|()| file.try_lock()) {
        Err(TryLockError::WouldBlock) if forbids!(OpenOnce, true) => Err(StorageError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(unix)]
fn has_another_name(file: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(file) > 1
}

#[cfg(not(unix))]
fn has_another_name(_: &Metadata) -> bool {
    false
}

/// A file under a name of its own, beside the store; gone when dropped.
pub(super) struct Temporary {
    pub(super) file: Arc<File>,
    medium: Arc<dyn Medium>,
    path: PathBuf,
}

impl Temporary {
    /// Makes an empty, locked file that only its owner may read.
    pub(super) fn new(medium: &Arc<dyn Medium>, store: &Path) -> Result<Self, StorageError> {
        let path = beside(store, "tmp")?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, unless_off!(ReadByItsOwnerOnly, 0o600, 0o644));
        medium.before(Step::Create)?;
        let temporary = Self { file: Arc::new(options.open(&path)?), medium: Arc::clone(medium), path };
        lock(&**medium, &temporary.file)?;
        Ok(temporary)
    }

    /// Gives the file the store's name, which must be free.
    pub(super) fn publish(self, store: &Path) -> Result<Arc<File>, StorageError> {
        match self.medium.before(Step::Link).and_then(|()| fs::hard_link(&self.path, store)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(StorageError::Exists),
            Err(_) => self.publish_without_links(store)?,
        }
        let (file, medium) = (Arc::clone(&self.file), Arc::clone(&self.medium));
        drop(self);
        sync_directory(&*medium, store)?;
        Ok(file)
    }

    /// Where the file system has no links, the name is taken by an empty file first. A crash between leaves that behind,
    /// which is refused as no store.
    fn publish_without_links(&self, store: &Path) -> Result<(), StorageError> {
        let create = || OpenOptions::new().write(true).create_new(true).open(store);
        match self.medium.before(Step::Create).and_then(|()| create()) {
            Ok(taken) => {
                let renamed = self.medium.before(Step::Rename).and_then(|()| fs::rename(&self.path, store));
                if renamed.is_err() {
                    // If it stays, it is no store.
                    let _ = self.give_back(store, &taken);
                }
                Ok(renamed?)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(StorageError::Exists),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the store's name from this empty file, if it is still the one that has it.
    fn give_back(&self, store: &Path, taken: &File) -> Result<(), StorageError> {
        if same(&look(&*self.medium, taken)?, &lookup(&*self.medium, store)?) {
            unlink(&*self.medium, store)?;
        }
        Ok(())
    }

    /// Gives the file the store's name, and the old file another one, under which it is found and overwritten even if
    /// this process dies now.
    pub(super) fn replace(self, store: &Path) -> Result<Retired, StorageError> {
        let retired = beside(store, "old")?;
        // Without links the old file is overwritten through its handle alone.
        let linked = self.medium.before(Step::Link).and_then(|()| fs::hard_link(store, &retired)).is_ok();
        let retired = Retired { medium: Arc::clone(&self.medium), path: linked.then_some(retired) };
        self.medium.before(Step::Rename)?;
        fs::rename(&self.path, store)?;
        Ok(retired)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Most often it has its new name and there is nothing here any more.
        let _ = unlink(&*self.medium, &self.path);
    }
}

/// Takes the store's name from its file, and gives it one under which it is found and overwritten even if this process
/// dies now.
pub(super) fn retire(medium: &Arc<dyn Medium>, store: &Path) -> Result<Retired, StorageError> {
    let path = beside(store, "old")?;
    medium.before(Step::Rename)?;
    fs::rename(store, &path)?;
    Ok(Retired { medium: Arc::clone(medium), path: Some(path) })
}

/// The second name of a file that is to be overwritten; the name goes when this is dropped.
pub(super) struct Retired {
    medium: Arc<dyn Medium>,
    path: Option<PathBuf>,
}

impl Retired {
    /// Overwrites the file and takes its name away. If it could not be overwritten, the name stays, and the next opening
    /// of the store finds it.
    pub(super) fn erase(mut self, store: &Path, file: &File) -> Result<(), StorageError> {
        // What has the store's name now must have it durably first: after a crash that may not lead to bytes that were
        // overwritten.
        if let Err(error) = sync_directory(&*self.medium, store).and_then(|()| Ok(wipe(&*self.medium, file)?)) {
            self.path = None;
            return Err(error);
        }
        let medium = Arc::clone(&self.medium);
        drop(self);
        sync_directory(&*medium, store)
    }
}

impl Drop for Retired {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // If it stays, the next opening finds it.
            let _ = unlink(&*self.medium, path);
        }
    }
}

fn unlink(medium: &dyn Medium, path: &Path) -> io::Result<()> {
    medium.before(Step::Unlink)?;
    fs::remove_file(path)
}

/// Overwrites and removes what a crash left beside a store that is open.
pub(super) fn remove_leftovers(medium: &dyn Medium, store: &Path, open: &File) -> Result<(), StorageError> {
    let open = look(medium, open)?;
    for (path, found) in leftovers(medium, store)? {
        // A second name of the store itself is only a name: that is what a crash between two steps leaves.
        if same(&found, &open) || wipe_unless_used(medium, &path, &found)? {
            unlink(medium, &path)?;
        }
    }
    Ok(())
}

/// Overwrites and removes what is left of a store that was being destroyed, or was never made.
pub(super) fn remove_remains(medium: &dyn Medium, store: &Path) -> Result<(), StorageError> {
    for (path, found) in leftovers(medium, store)? {
        // A file that has another name is perhaps the store, moved away with this name left behind by a crash. One that
        // is locked is being made, or destroyed, by somebody else.
        if has_another_name(&found) || wipe_unless_used(medium, &path, &found)? {
            unlink(medium, &path)?;
        }
    }
    Ok(())
}

/// Whether the file was overwritten: nobody has it open, and it is still the one that was found.
fn wipe_unless_used(medium: &dyn Medium, path: &Path, found: &Metadata) -> Result<bool, StorageError> {
    medium.before(Step::Open)?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if !same(&look(medium, &file)?, found) || is_used(medium, &file)? {
        return Ok(false);
    }
    wipe(medium, &file)?;
    Ok(true)
}

fn is_used(medium: &dyn Medium, file: &File) -> Result<bool, StorageError> {
    match lock(medium, file) {
        Err(StorageError::InUse) => Ok(true),
        locked => locked.map(|()| false),
    }
}

/// The files that a rewrite or a destruction left behind.
fn leftovers(medium: &dyn Medium, store: &Path) -> Result<Vec<(PathBuf, Metadata)>, StorageError> {
    let entries = match medium.before(Step::List).and_then(|()| fs::read_dir(directory(store))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if !is_leftover(store, &path) {
            continue;
        }
        match lookup(medium, &path) {
            Ok(metadata) if metadata.is_file() => found.push((path, metadata)),
            Ok(_) | Err(StorageError::Missing) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn is_leftover(store: &Path, path: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.as_encoded_bytes().to_vec());
    let (Some(store), Some(name)) = (name(store), name(path)) else { return false };
    let Some(rest) = name.strip_prefix(store.as_slice()).and_then(|rest| rest.strip_prefix(b".")) else { return false };
    let Some((random, ending)) = rest.split_at_checked(16) else { return false };
    random.iter().all(u8::is_ascii_hexdigit) && (ending == b".tmp" || ending == b".old")
}

fn beside(store: &Path, ending: &str) -> Result<PathBuf, StorageError> {
    let name = store.file_name().ok_or(StorageError::Foreign)?;
    let random = getrandom::u64().map_err(|_| StorageError::Io(io::ErrorKind::Other))?;
    let mut beside = OsString::from(name);
    beside.push(OsStr::new(&format!(".{random:016x}.{ending}")));
    Ok(store.with_file_name(beside))
}

fn directory(store: &Path) -> &Path {
    match store.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in the store's directory durable.
fn sync_directory(medium: &dyn Medium, store: &Path) -> Result<(), StorageError> {
    medium.before(Step::SyncNames)?;
    // Elsewhere a directory can't be opened, and renaming waits by itself.
    #[cfg(unix)]
    File::open(directory(store))?.sync_all()?;
    Ok(())
}
