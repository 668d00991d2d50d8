//! Tokens over a storage that outlives them, and fails when it is told to.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use quorumkey::{Change, Entry, KeyStore, MemoryStorage, Storage, StorageError};

use super::common::*;

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
    dead: AtomicUsize,
}

impl Fuse {
    pub fn arm(&self, crash: Crash) {
        self.writes.store(0, Ordering::SeqCst);
        *self.crash.lock().unwrap() = Some(crash);
    }

    pub fn blew(&self) -> bool {
        self.dead.load(Ordering::SeqCst) > 0
    }

    fn check(&self) -> Result<(), StorageError> {
        if self.blew() { Err(StorageError::Io(std::io::ErrorKind::BrokenPipe)) } else { Ok(()) }
    }

    fn write(&self, act: impl FnOnce() -> Result<(), StorageError>) -> Result<(), StorageError> {
        self.check()?;
        let write = self.writes.fetch_add(1, Ordering::SeqCst);
        match *self.crash.lock().unwrap() {
            Some(crash) if crash.write == write => {
                if crash.done {
                    act()?;
                }
                if crash.dies {
                    self.dead.store(1, Ordering::SeqCst);
                }
                Err(StorageError::Io(std::io::ErrorKind::BrokenPipe))
            }
            _ => act(),
        }
    }
}

/// What outlives a token.
#[derive(Debug)]
pub struct Device {
    pub bytes: Arc<MemoryStorage>,
    pub fuse: Arc<Fuse>,
}

#[derive(Debug)]
struct Handle {
    bytes: Arc<MemoryStorage>,
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
        Self { bytes: Arc::new(MemoryStorage::new(contents)), fuse: Arc::default() }
    }

    fn handle(&self) -> Handle {
        Handle { bytes: Arc::clone(&self.bytes), fuse: Arc::clone(&self.fuse) }
    }

    /// Opens the token, after a crash as well.
    pub fn open(&mut self) -> Member {
        self.fuse = Arc::default();
        Member::new(KeyStore::open_in(self.handle()).unwrap())
    }

    pub fn contents(&self) -> Vec<Entry> {
        self.bytes.scan(&[], None, usize::MAX).unwrap()
    }
}

/// New tokens.
pub fn devices(n: u16) -> Vec<Device> {
    let device = |number| {
        let device = Device::new(&[]);
        let storage = |contents: &[Entry]| {
            device.bytes.rewrite(contents)?;
            Ok(device.handle())
        };
        KeyStore::create_in(storage, &init(&format!("member {number}"))).unwrap();
        device
    };
    (1..=n).map(device).collect()
}

pub fn log_in(devices: &mut [Device]) -> Vec<Member> {
    devices.iter_mut().map(Device::open).collect()
}

/// The contents of all devices, to begin anew from.
pub fn snapshot(devices: &[Device]) -> Vec<Vec<Entry>> {
    devices.iter().map(Device::contents).collect()
}
