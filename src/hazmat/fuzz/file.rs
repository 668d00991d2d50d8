//! Whatever bytes a token's file has: it opens as it once was, or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::choice;
use super::lie::{edit, place};
use super::pair::{Snapshot, pin};
use crate::keystore::{Change, Disk, Entry, FileStorage, Filter, KeyStore, Medium, Step, Storage};
use crate::suite::Suite;

/// Where a file's database begins; its first bytes are looked at before.
const BASE: usize = 4096;
const LOOKED_AT: usize = BASE + 9;
/// The longest that a damaged file may have the database make it.
const MAX_LEN: u64 = 64 << 20;

/// A token's file, and what it has held.
struct Template {
    image: Vec<u8>,
    states: [Vec<Entry>; 2],
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let folder = Folder::new().expect("a folder of its own");
    let memory = Snapshot::of(Suite::Ed25519).honest();
    let before = memory.contents();
    let storage = FileStorage::create(folder.file(), &before).expect("a new file");
    KeyStore::open_in(memory.clone()).and_then(|store| store.login(&pin())).expect("the PIN is right");
    let after = memory.contents();
    let put = |(key, value): &Entry| Change::Put { key: key.clone(), value: value.clone() };
    storage.commit(&after.iter().map(put).collect::<Vec<_>>()).expect("a file that can be written");
    drop(storage);
    Template { image: fs::read(folder.file()).expect("its file"), states: [before, after] }
});

/// A folder for one file, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("quorumkey-fuzz-{}-{number}", std::process::id()));
        fs::create_dir(&folder).map(|()| Self(folder))
    }

    fn file(&self) -> PathBuf {
        self.0.join("token")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Whoever looks for what is left finds the folder by its name.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Gives the database bytes in memory in the place of a file.
struct Patched(Mutex<Option<InMemoryBackend>>);

impl Medium for Patched {
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(memory) => Box::new(Bounded(memory)),
            None => Box::new(disk),
        }
    }

    fn before(&self, _: Step) -> io::Result<()> {
        Ok(())
    }
}

/// Memory that a database must not fill.
#[derive(Debug)]
struct Bounded(InMemoryBackend);

impl StorageBackend for Bounded {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        assert!(len <= MAX_LEN, "a damaged file grows to {len} bytes");
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

fn open(image: &[u8], path: &Path) -> Option<FileStorage> {
    fs::write(path, image.get(..LOOKED_AT).unwrap_or(image)).expect("a folder of its own");
    let database = image.get(BASE..).unwrap_or_default();
    let memory = InMemoryBackend::new();
    memory.set_len(u64::try_from(database.len()).expect("a short file")).expect("memory");
    memory.write(0, database).expect("memory");
    FileStorage::open_on(Arc::new(Patched(Mutex::new(Some(memory)))), path).ok()
}

/// Each change begins with its kind, its page, its place there, and its length.
pub(super) fn file(mut bytes: &[u8]) {
    let mut image = TEMPLATE.image.clone();
    while !bytes.is_empty() {
        let (kind, page) = (choice(&mut bytes), usize::from(choice(&mut bytes)) * BASE);
        let (at, len) = (place(&mut bytes) % BASE, usize::from(choice(&mut bytes)));
        let (part, rest) = bytes.split_at(len.min(bytes.len()));
        bytes = rest;
        // Most of the file stays: a file that is all new is no store from its first byte on.
        let at = (page + at) % image.len().max(1);
        edit(&mut image, 1 + kind % 5, at, part);
    }
    let folder = Folder::new().expect("a folder of its own");
    let Some(storage) = open(&image, &folder.file()) else { return };
    let Ok(contents) = storage.scan(&[], None, usize::MAX) else { return };
    assert!(TEMPLATE.states.contains(&contents), "the file opens, and holds what it never held");
    let store = KeyStore::open_in(storage).expect("what the token held");
    let session = store.login(&pin()).expect("the PIN is right");
    assert_eq!(session.find(&Filter::default()).expect("a user may look").len(), 1);
}
