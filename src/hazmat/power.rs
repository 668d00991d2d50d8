//! Power cuts: what a token's file may hold after one, at any moment of a life that was recorded.

use core::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_core::CryptoRng;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use crate::keystore::{Disk, Entry, FileStorage, Medium, Step, StorageError};

/// What a store asked of the operating system.
#[derive(Debug)]
enum Happening {
    /// The database was given a new file. Files are numbered in that order.
    File,
    Write(usize, Change),
    Sync(usize),
    Step(Step),
}

/// What may be lost unless it was synced.
#[derive(Clone, Debug)]
enum Change {
    Bytes { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// Records everything that a store does to its files.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Happening>>>);

impl Recorder {
    /// Makes a store whose every step is recorded.
    ///
    /// # Errors
    ///
    /// As [`FileStorage::create`].
    pub fn create(&self, path: &Path, contents: &[Entry]) -> Result<FileStorage, StorageError> {
        FileStorage::create_on(Arc::new(self.clone()), path, contents)
    }

    /// How much has happened.
    pub fn moments(&self) -> usize {
        self.happenings().len()
    }

    /// Plays it from the beginning, on a medium that syncs when it says so, or one that lies: what it says is synced is
    /// so only at the next sync.
    pub fn replay(&self, medium: Syncs) -> Replay {
        Replay { recorder: self.clone(), medium, at: 0, files: Vec::new(), named: None, renaming: None }
    }

    fn happenings(&self) -> MutexGuard<'_, Vec<Happening>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, happening: Happening) -> usize {
        let mut happenings = self.happenings();
        happenings.push(happening);
        happenings.iter().filter(|one| matches!(one, Happening::File)).count()
    }
}

/// Whether a medium does what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// What was synced stays.
    Honestly,
    /// What was synced last may be lost.
    Lying,
}

impl Medium for Recorder {
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend> {
        let file = self.push(Happening::File).saturating_sub(1);
        Box::new(Recorded { disk, recorder: self.clone(), file })
    }

    fn before(&self, step: Step) -> io::Result<()> {
        self.push(Happening::Step(step));
        Ok(())
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({} moments)", self.moments())
    }
}

#[derive(Debug)]
struct Recorded {
    disk: Disk,
    recorder: Recorder,
    file: usize,
}

impl StorageBackend for Recorded {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.recorder.push(Happening::Write(self.file, Change::Length(place(len))));
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        // The real file outlives the recording and nothing else.
        self.recorder.push(Happening::Sync(self.file));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let change = Change::Bytes { offset: place(offset), bytes: data.to_vec() };
        self.recorder.push(Happening::Write(self.file, change));
        self.disk.write(offset, data)
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// A file, as the medium has it and as the operating system believes.
#[derive(Debug, Default)]
struct File {
    synced: Vec<u8>,
    /// On a lying medium: what it says is synced.
    promised: Vec<Change>,
    pending: Vec<Change>,
}

impl File {
    fn sync(&mut self, medium: Syncs) {
        for change in self.promised.drain(..) {
            apply(&mut self.synced, &change);
        }
        self.promised = core::mem::take(&mut self.pending);
        if medium == Syncs::Honestly {
            self.sync_all();
        }
    }

    fn sync_all(&mut self) {
        for change in self.promised.drain(..).chain(self.pending.drain(..)) {
            apply(&mut self.synced, &change);
        }
    }

    /// What is there after a cut: all that was synced, and of the rest any part, torn.
    fn torn(&self, rng: &mut dyn CryptoRng) -> Vec<u8> {
        let mut image = self.synced.clone();
        for change in self.promised.iter().chain(&self.pending) {
            match (change, rng.next_u32() % 4) {
                (_, 0) => {}
                (Change::Bytes { offset, bytes }, 1) => {
                    let len = place(rng.next_u64()) % bytes.len().max(1);
                    let bytes = bytes.iter().take(len).copied().collect();
                    apply(&mut image, &Change::Bytes { offset: *offset, bytes });
                }
                (Change::Bytes { offset, bytes }, 2) => {
                    for (sector, bytes) in bytes.chunks(512).enumerate().filter(|_| rng.next_u32().is_multiple_of(2)) {
                        let offset = offset.saturating_add(sector.saturating_mul(512));
                        apply(&mut image, &Change::Bytes { offset, bytes: bytes.to_vec() });
                    }
                }
                (change, _) => apply(&mut image, change),
            }
        }
        image
    }
}

fn apply(image: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(len) => image.resize(*len, 0),
        Change::Bytes { offset, bytes } => {
            let end = offset.saturating_add(bytes.len());
            if image.len() < end {
                image.resize(end, 0);
            }
            for (to, from) in image.iter_mut().skip(*offset).zip(bytes) {
                *to = *from;
            }
        }
    }
}

/// A recorded life, moment by moment.
#[derive(Debug)]
pub struct Replay {
    recorder: Recorder,
    medium: Syncs,
    at: usize,
    files: Vec<File>,
    /// The file that the store's name leads to, durably.
    named: Option<usize>,
    /// The one that it leads to as far as the operating system is concerned.
    renaming: Option<usize>,
}

impl Replay {
    /// How much has happened so far.
    pub const fn moment(&self) -> usize {
        self.at
    }

    /// Lets one more thing happen. `false` when there is nothing more.
    pub fn advance(&mut self) -> bool {
        let recorder = self.recorder.clone();
        let happenings = recorder.happenings();
        let Some(happening) = happenings.get(self.at) else { return false };
        self.at = self.at.saturating_add(1);
        match happening {
            Happening::File => self.files.push(File::default()),
            Happening::Write(file, change) => {
                self.files.iter_mut().skip(*file).take(1).for_each(|file| file.pending.push(change.clone()));
            }
            Happening::Sync(file) => {
                self.files.iter_mut().skip(*file).take(1).for_each(|file| file.sync(self.medium));
            }
            Happening::Step(step) => self.step(*step),
        }
        true
    }

    fn step(&mut self, step: Step) {
        let newest = self.files.len().checked_sub(1);
        match step {
            Step::SyncFile => self.files.iter_mut().rev().take(1).for_each(File::sync_all),
            Step::Rename => self.renaming = newest,
            // Of a new store; otherwise it is the old file that gets a second name.
            Step::Link if self.named.is_none() => self.renaming = newest,
            Step::SyncNames => self.named = self.renaming.take().or(self.named),
            Step::Wipe => {
                for file in self.files.iter_mut().rev().skip(1) {
                    file.sync_all();
                    file.synced.fill(0);
                }
            }
            // Nothing that a power cut takes back.
            Step::Look
            | Step::List
            | Step::Create
            | Step::Open
            | Step::Lock
            | Step::Preamble
            | Step::Link
            | Step::Unlink => {}
        }
    }

    /// The power goes now. `None` while there is no store yet.
    pub fn cut(&self, rng: &mut dyn CryptoRng) -> Option<Cut> {
        let renamed = self.renaming.filter(|_| rng.next_u32().is_multiple_of(2));
        let file = self.files.get(renamed.or(self.named)?)?;
        Some(Cut(file.torn(rng)))
    }
}

/// What a file holds after a power cut.
pub struct Cut(Vec<u8>);

impl Cut {
    /// Opens it, in memory; `store` is any store's file, which lends its preamble.
    ///
    /// # Errors
    ///
    /// As [`FileStorage::open`].
    pub fn open(&self, store: &Path) -> Result<FileStorage, StorageError> {
        let memory = InMemoryBackend::new();
        memory.set_len(u64::try_from(self.0.len()).unwrap_or(u64::MAX))?;
        memory.write(0, &self.0)?;
        FileStorage::open_on(Arc::new(Recovered(Mutex::new(Some(memory)))), store)
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cut({} bytes)", self.0.len())
    }
}

/// Gives the database what a cut has left, in the place of a file.
struct Recovered(Mutex<Option<InMemoryBackend>>);

impl Medium for Recovered {
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(memory) => Box::new(memory),
            None => Box::new(disk),
        }
    }

    fn before(&self, _: Step) -> io::Result<()> {
        Ok(())
    }
}
