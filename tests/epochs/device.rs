//! Tokens over a storage that outlives them, and fails when it is told to.
#![allow(dead_code, unreachable_pub, unused_macros, reason = "each test file uses its own part")]
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use quorumkey::hazmat::Loot;
use quorumkey::wrap::{Identity, WrappedIdentity};
use quorumkey::{
    Change, Entry, Error, FileStorage, Filter, KeyStore, MemoryStorage, Restore, Storage, StorageError, Suite,
};
use tempfile::TempDir;

use super::common::*;

/// Every suite, and every storage.
macro_rules! mounted {
    ($mount:ident, $storage:ident, $suite:ident, $($module:ident: $($name:ident)*;)*) => {
        mod $mount {
            $(mod $module { $(#[test] fn $name() {
                crate::$module::$name(&crate::device::Setting::$storage(quorumkey::Suite::$suite));
            })* })*
        }
    };
}

macro_rules! mount {
    ($($module:ident: $($name:ident)*;)*) => {
        mounted!(ed25519, memory, Ed25519, $($module: $($name)*;)*);
        mounted!(secp256k1, memory, Secp256k1, $($module: $($name)*;)*);
        mounted!(taproot_in_files, files, Secp256k1Taproot, $($module: $($name)*;)*);
    };
}

/// When a storage fails: at that write, which then has happened or has not.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    pub write: usize,
    pub done: bool,
    /// Whether it fails for good, or at this write alone.
    pub dies: bool,
}

#[derive(Debug, Default)]
pub struct Fuse {
    writes: AtomicUsize,
    crash: Mutex<Option<Crash>>,
    blew: AtomicBool,
    dead: AtomicBool,
}

impl Fuse {
    pub fn arm(&self, crash: Crash) {
        self.writes.store(0, Ordering::SeqCst);
        *self.crash.lock().unwrap() = Some(crash);
    }

    /// From here on no write fails, unless the token is dead. Whether one did.
    pub fn disarm(&self) -> bool {
        *self.crash.lock().unwrap() = None;
        self.blew.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<(), StorageError> {
        let dead = self.dead.load(Ordering::SeqCst);
        if dead { Err(StorageError::Io(std::io::ErrorKind::BrokenPipe)) } else { Ok(()) }
    }

    fn write(&self, act: impl FnOnce() -> Result<(), StorageError>) -> Result<(), StorageError> {
        self.check()?;
        let write = self.writes.fetch_add(1, Ordering::SeqCst);
        match *self.crash.lock().unwrap() {
            Some(crash) if crash.write == write => {
                if crash.done {
                    act()?;
                }
                self.blew.store(true, Ordering::SeqCst);
                self.dead.store(crash.dies, Ordering::SeqCst);
                Err(StorageError::Io(std::io::ErrorKind::BrokenPipe))
            }
            _ => act(),
        }
    }
}

/// What outlives a token.
#[derive(Debug)]
pub struct Device {
    pub bytes: Arc<dyn Storage>,
    pub fuse: Arc<Fuse>,
    /// Where its file is, if it has one.
    folder: Option<TempDir>,
}

#[derive(Debug)]
pub struct Handle {
    bytes: Arc<dyn Storage>,
    fuse: Arc<Fuse>,
}

impl Storage for Handle {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.fuse.check()?;
        self.bytes.get(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StorageError> {
        self.fuse.check()?;
        self.bytes.scan(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.fuse.write(|| self.bytes.commit(changes))
    }

    fn rewrite(&self, contents: &[Entry]) -> Result<(), StorageError> {
        self.fuse.write(|| self.bytes.rewrite(contents))
    }
}

impl Device {
    pub fn new(contents: &[Entry]) -> Self {
        Self { bytes: Arc::new(MemoryStorage::new(contents)), fuse: Arc::default(), folder: None }
    }

    /// The same in a file.
    pub fn in_file(contents: &[Entry]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes = FileStorage::create(folder.path().join("token"), contents).unwrap();
        Self { bytes: Arc::new(bytes), fuse: Arc::default(), folder: Some(folder) }
    }

    /// A new token with the identity of that backup, and where it is kept.
    pub fn restored(who: &WrappedIdentity, with: &Identity) -> (Self, Member) {
        let device = Self::new(&[]);
        let restore = Restore { init: &init("again"), identity: who, with, incarnation: 0 };
        let store = KeyStore::restore_in(device.begin(), &restore).unwrap();
        (device, Member::new(store))
    }

    /// Takes the first contents of a new token.
    fn begin(&self) -> impl FnOnce(&[Entry]) -> Result<Handle, StorageError> {
        |contents| {
            self.bytes.rewrite(contents)?;
            Ok(self.handle())
        }
    }

    pub fn handle(&self) -> Handle {
        Handle { bytes: Arc::clone(&self.bytes), fuse: Arc::clone(&self.fuse) }
    }

    /// Opens the token, after a crash as well.
    pub fn open(&mut self) -> Member {
        self.fuse = Arc::default();
        if let Some(folder) = &self.folder {
            // A file is open once.
            self.bytes = Arc::new(MemoryStorage::new(&[]));
            self.bytes = Arc::new(FileStorage::open(folder.path().join("token")).unwrap());
        }
        Member::new(KeyStore::open_in(self.handle()).unwrap())
    }

    pub fn contents(&self) -> Vec<Entry> {
        self.bytes.scan(&[], None, usize::MAX).unwrap()
    }
}

impl Keeps for Device {
    fn reopen(&mut self) -> Member {
        self.open()
    }
}

/// New tokens.
pub fn devices(n: u16) -> Vec<Device> {
    let device = |number| {
        let device = Device::new(&[]);
        KeyStore::create_in(device.begin(), &init(&format!("member {number}"))).unwrap();
        device
    };
    (1..=n).map(device).collect()
}

/// Where a token is kept while nobody uses it.
pub trait Keeps {
    /// Opens the token, after a crash as well.
    fn reopen(&mut self) -> Member;
}

pub fn log_in<D: Keeps>(devices: &mut [D]) -> Vec<Member> {
    devices.iter_mut().map(Keeps::reopen).collect()
}

/// All go on after a fault. If a token died, they are opened again. One whose write only failed goes on in its process, and
/// so does its session, unless the write renewed the root key and only the answer is missing.
pub fn go_on(devices: &mut [Device], mut members: Vec<Member>, fault: Option<(usize, Crash)>) -> Vec<Member> {
    let Some((victim, Crash { dies: false, done, .. })) = fault else {
        drop(members);
        return log_in(devices);
    };
    let member = &mut members[victim];
    if let Err(error) = member.session.find(&Filter::default()) {
        assert!(done && matches!(error, Error::Storage(StorageError::Corrupt)), "{error:?}");
        member.session = member.store.login(&user_pin()).unwrap();
    }
    members
}

/// How the contents of a token are kept.
pub type Keep = fn(&[Entry]) -> Device;

/// Suites and storages, by turns.
pub const TURNS: [(Suite, Keep); 3] =
    [(Suite::Ed25519, Device::new), (Suite::Secp256k1Taproot, Device::in_file), (Suite::Secp256k1, Device::new)];

/// What is done with a group while that write of that member may fail, and what follows. Whether it failed.
pub type Failing<'a, G> = &'a dyn Fn(&G, usize, Crash) -> bool;

/// At every write of each of these members its token dies, before it and after it; at every third it goes on with an error, and
/// the write has happened or has not. By turns in each of the groups, which write the same. The members are given by their
/// places, and with how often they write at least.
pub fn every_failure<G>(groups: &[G], victims: &[(usize, usize)], failing: Failing<'_, G>) {
    let mut turns = groups.iter().cycle();
    let mut fails = |victim: usize, crash: Crash| {
        println!("member in place {victim}, {crash:?}");
        failing(turns.next().unwrap(), victim, crash)
    };
    for (victim, least) in victims {
        let dies = |done| move |write| Crash { write, done, dies: true };
        let points = (0..64).map(dies(false)).take_while(|crash| fails(*victim, *crash)).count();
        assert!((*least..64).contains(&points), "member in place {victim}: {points} writes");
        let goes_on = |write| Crash { write, done: (write + victim) % 2 == 0, dies: false };
        let told = (0..points).filter(|write| write % 3 == victim % points.min(3)).map(goes_on);
        for crash in (0..points).map(dies(true)).chain(told) {
            assert!(fails(*victim, crash), "it has written less often");
        }
    }
}

/// The contents of all devices, to begin anew from.
pub fn snapshot(devices: &[Device]) -> Vec<Vec<Entry>> {
    devices.iter().map(Device::contents).collect()
}

/// A token in memory or in a file.
#[derive(Debug)]
pub enum Kept {
    Memory(Device),
    File(PathBuf),
}

impl Keeps for Kept {
    fn reopen(&mut self) -> Member {
        match self {
            Self::Memory(device) => device.open(),
            Self::File(path) => Member::new(KeyStore::open(path).unwrap()),
        }
    }
}

impl Kept {
    /// Its storage. It is closed.
    pub fn storage(&self) -> Handle {
        match self {
            Self::Memory(device) => device.handle(),
            Self::File(path) => Handle { bytes: Arc::new(FileStorage::open(path).unwrap()), fuse: Arc::default() },
        }
    }

    /// What a thief would find in it besides identity and chain code. It is closed.
    pub fn shares(&self) -> usize {
        let loot = match self {
            Self::Memory(device) => Loot::of(MemoryStorage::new(&device.contents()), &user_pin()),
            Self::File(path) => Loot::of_file(path, &user_pin()),
        };
        loot.unwrap().len() - 2
    }
}

/// Which suite a test is about, and where its tokens are.
#[derive(Debug)]
pub struct Setting {
    pub suite: Suite,
    files: Option<TempDir>,
    made: AtomicUsize,
}

impl Setting {
    pub fn memory(suite: Suite) -> Self {
        Self { suite, files: None, made: AtomicUsize::new(0) }
    }

    pub fn files(suite: Suite) -> Self {
        Self { files: Some(tempfile::tempdir().unwrap()), ..Self::memory(suite) }
    }

    fn path(&self) -> Option<PathBuf> {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        Some(self.files.as_ref()?.path().join(number.to_string()))
    }

    /// A new token.
    pub fn member(&self, label: &str) -> Member {
        match self.path() {
            None => Member::in_memory(label),
            Some(path) => Member::new(KeyStore::create(path, &init(label)).unwrap()),
        }
    }

    pub fn group(&self, n: u16) -> Vec<Member> {
        (1..=n).map(|number| self.member(&format!("member {number}"))).collect()
    }

    /// New tokens that can be opened again.
    pub fn devices(&self, n: u16) -> Vec<Kept> {
        if self.files.is_none() {
            return devices(n).into_iter().map(Kept::Memory).collect();
        }
        let device = |number| {
            let path = self.path().unwrap();
            KeyStore::create(&path, &init(&format!("member {number}"))).unwrap();
            Kept::File(path)
        };
        (1..=n).map(device).collect()
    }

    /// A token with that on it, which can be opened again.
    pub fn device(&self, contents: &[Entry]) -> Kept {
        let Some(path) = self.path() else { return Kept::Memory(Device::new(contents)) };
        FileStorage::create(&path, contents).unwrap();
        Kept::File(path)
    }

    /// Where a token is made whose identity the test knows.
    pub fn storage(&self) -> impl FnOnce(&[Entry]) -> Result<Handle, StorageError> {
        let path = self.path();
        move |contents| {
            let bytes: Arc<dyn Storage> = match path {
                None => Arc::new(MemoryStorage::new(contents)),
                Some(path) => Arc::new(FileStorage::create(path, contents)?),
            };
            Ok(Handle { bytes, fuse: Arc::default() })
        }
    }

    /// A token with the identity of that backup.
    pub fn restore(&self, who: &WrappedIdentity, with: &Identity) -> Member {
        self.restore_after(who, with, 0)
    }

    /// The same, of one that was restored before, in that incarnation.
    pub fn restore_after(&self, who: &WrappedIdentity, with: &Identity, incarnation: u32) -> Member {
        let restore = Restore { init: &init("again"), identity: who, with, incarnation };
        Member::new(match self.path() {
            None => KeyStore::restore_in_memory(&restore).unwrap(),
            Some(path) => KeyStore::restore(path, &restore).unwrap(),
        })
    }
}
