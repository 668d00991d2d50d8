//! Tests of the file: what it refuses, and what it survives.

mod faults;
#[cfg(target_os = "linux")]
mod syncs;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use redb::StorageBackend;

use super::disk::Disk;
use super::medium::{Medium, Step};
use super::*;

fn entry(key: &str, value: &str) -> Entry {
    (key.into(), value.into())
}

fn put(key: &str, value: &str) -> Change {
    Change::Put { key: key.into(), value: value.into() }
}

fn all(storage: &dyn Storage) -> Vec<Entry> {
    storage.scan(b"", None, usize::MAX).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Works until it was asked to change something so many times, and then never again.
#[derive(Debug)]
struct Failing {
    disk: Disk,
    left: Arc<AtomicI64>,
}

impl Failing {
    fn count(&self) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
}

impl StorageBackend for Failing {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.count()?;
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.count()?;
        self.disk.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.count()?;
        self.disk.write(offset, data)
    }
}

/// Fails within the database alone.
struct Failures(Arc<AtomicI64>);

impl Medium for Failures {
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend> {
        Box::new(Failing { disk, left: Arc::clone(&self.0) })
    }

    fn before(&self, _: Step) -> io::Result<()> {
        Ok(())
    }
}

fn failing(left: &Arc<AtomicI64>) -> Arc<dyn Medium> {
    Arc::new(Failures(Arc::clone(left)))
}

/// Does not wait for the medium, for tests that open thousands of files.
#[derive(Debug)]
struct Unsynced(Disk);

impl StorageBackend for Unsynced {
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
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

struct Hasty;

impl Medium for Hasty {
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend> {
        Box::new(Unsynced(disk))
    }

    fn before(&self, _: Step) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn open_unsynced(path: &Path) -> Result<FileStorage, StorageError> {
    FileStorage::open_on(Arc::new(Hasty), path)
}

/// Somebody else does something to the files before that step is taken for the n-th time.
struct Meddled<F> {
    step: Step,
    left: AtomicI64,
    act: F,
}

impl<F: Fn() + Send + Sync> Meddled<F> {
    fn before(step: Step, nth: i64, act: F) -> Arc<dyn Medium>
    where
        F: 'static,
    {
        Arc::new(Self { step, left: AtomicI64::new(nth), act })
    }
}

impl<F: Fn() + Send + Sync> Medium for Meddled<F> {
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend> {
        Box::new(disk)
    }

    fn before(&self, step: Step) -> io::Result<()> {
        if step == self.step && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            (self.act)();
        }
        Ok(())
    }
}

#[test]
fn creation_refuses_whatever_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    fs::write(&path, b"precious").unwrap();
    assert_eq!(FileStorage::create(&path, &[]).unwrap_err(), StorageError::Exists);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    assert_eq!(FileStorage::create(&path, &[]).unwrap_err(), StorageError::Exists);
    assert_eq!(FileStorage::create(folder.path(), &[]).unwrap_err(), StorageError::Exists);
    assert_eq!(names(folder.path()), ["store"]);
}

#[test]
fn a_name_taken_while_the_file_was_made_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let medium: Arc<dyn Medium> = Arc::new(medium::Direct);
    let temporary = disk::Temporary::new(&medium, &path).unwrap();
    fs::write(&path, b"precious").unwrap();
    assert_eq!(temporary.publish(&path).unwrap_err(), StorageError::Exists);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(names(folder.path()), ["store"]);
}

#[test]
fn a_value_that_is_too_long_for_the_database_is_no_damage() {
    let too_long = file::error(redb::StorageError::ValueTooLarge(1 << 32));
    assert_eq!(too_long, StorageError::Io(io::ErrorKind::FileTooLarge));
}

/// Some file systems have no links.
#[test]
fn without_links_a_store_is_made_in_a_free_place_or_not_at_all() {
    for (works, left) in [(true, &["store"][..]), (false, &[])] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let medium = || -> Arc<dyn Medium> { Arc::new(Linkless { renames: works }) };
        let made = FileStorage::create_on(medium(), &path, &[entry("a", "b")]).map(drop);
        assert_eq!((made.is_ok(), names(folder.path())), (works, left.iter().map(ToString::to_string).collect()));
        if works {
            assert_eq!(all(&FileStorage::open(&path).unwrap()), [entry("a", "b")]);
            let before = fs::read(&path).unwrap();
            let temporary = disk::Temporary::new(&medium(), &path).unwrap();
            assert_eq!(temporary.publish(&path).unwrap_err(), StorageError::Exists);
            assert_eq!((fs::read(&path).unwrap(), names(folder.path()).len()), (before, 1));
        }
    }
}

struct Linkless {
    renames: bool,
}

impl Medium for Linkless {
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend> {
        Box::new(disk)
    }

    fn before(&self, step: Step) -> io::Result<()> {
        let fails = step == Step::Link || step == Step::Rename && !self.renames;
        if fails { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
    }
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"x").unwrap();
    for path in [file.join("store"), folder.path().join("missing").join("store")] {
        assert!(matches!(FileStorage::create(&path, &[]).unwrap_err(), StorageError::Io(_)));
    }
}

#[test]
fn opening_refuses_what_is_no_store_and_leaves_it_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(FileStorage::create(&path, &[entry("a", "b")]).unwrap());
    let whole = fs::read(&path).unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let cases = [
        (vec![], StorageError::Foreign),
        (vec![b'q'], StorageError::Foreign),
        (vec![0; 8192], StorageError::Foreign),
        (whole[4096..].to_vec(), StorageError::Foreign),
        (whole[..4096].to_vec(), StorageError::Corrupt),
        (whole[..4096 + 9].to_vec(), StorageError::Corrupt),
        (with(16, &[0, 2]), StorageError::Future(2)),
        (with(16, &[0xff, 0xff])[..18].to_vec(), StorageError::Future(0xffff)),
        (with(16, &[0, 0]), StorageError::Corrupt),
        (with(4095, &[1]), StorageError::Corrupt),
        // What redb takes for a file that it may make anew.
        (with(4096, &[0; 9]), StorageError::Corrupt),
    ];
    for (bytes, expected) in cases {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(FileStorage::open(&path).unwrap_err(), expected);
        assert_eq!(fs::read(&path).unwrap(), bytes, "{expected:?}");
    }
    assert_eq!(FileStorage::open(folder.path()).unwrap_err(), StorageError::Foreign);
    for missing in ["none", "none/store"] {
        assert_eq!(FileStorage::open(folder.path().join(missing)).unwrap_err(), StorageError::Missing);
    }
    fs::write(&path, &whole).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(FileStorage::open(&link).unwrap_err(), StorageError::Foreign);
    assert_eq!(all(&FileStorage::open(&path).unwrap()), [entry("a", "b")]);
}

#[test]
fn a_store_cut_anywhere_is_damaged_or_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(FileStorage::create(&path, &[entry("a", "b")]).unwrap());
    let whole = fs::read(&path).unwrap();
    for cut in (4096..whole.len()).step_by(1021) {
        fs::write(&path, &whole[..cut]).unwrap();
        match FileStorage::open(&path) {
            Ok(storage) => assert_eq!(all(&storage), [entry("a", "b")]),
            Err(error) => assert_eq!(error, StorageError::Corrupt),
        }
    }
}

#[test]
fn a_second_handle_is_refused_also_after_a_rewrite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let first = FileStorage::create(&path, &[]).unwrap();
    assert_eq!(FileStorage::open(&path).unwrap_err(), StorageError::InUse);
    first.rewrite(&[entry("a", "b")]).unwrap();
    assert_eq!(FileStorage::open(&path).unwrap_err(), StorageError::InUse);
    drop(first);
    let first = FileStorage::open(&path).unwrap();
    assert_eq!(FileStorage::open(&path).unwrap_err(), StorageError::InUse);
    assert_eq!(all(&first), [entry("a", "b")]);
}

#[test]
fn only_its_owner_may_read_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let storage = FileStorage::create(&path, &[]).unwrap();
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    storage.rewrite(&[]).unwrap();
    assert_eq!(mode(), 0o600);
}

#[test]
fn a_rewrite_overwrites_the_old_bytes_and_leaves_nothing_beside_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let storage = FileStorage::create(&path, &[entry("key", "what is to be forgotten")]).unwrap();
    let mut old = File::open(&path).unwrap();
    storage.rewrite(&[entry("key", "new")]).unwrap();
    let mut bytes = Vec::new();
    old.read_to_end(&mut bytes).unwrap();
    assert!(bytes.len() > 4096 && bytes.iter().all(|byte| *byte == 0));
    assert_eq!(names(folder.path()), ["store"]);
    storage.commit(&[put("more", "x")]).unwrap();
    drop(storage);
    assert_eq!(all(&FileStorage::open(&path).unwrap()), [entry("key", "new"), entry("more", "x")]);
}

#[test]
fn what_a_crash_left_is_overwritten_and_removed_but_never_the_store_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(FileStorage::create(&path, &[entry("a", "b")]).unwrap());
    let beside = |name: &str| folder.path().join(name);
    // Died between giving the store its second name and renaming, and after renaming.
    fs::hard_link(&path, beside("store.0123456789abcdef.old")).unwrap();
    fs::write(beside("store.00000000deadbeef.old"), b"old secret").unwrap();
    let mut old = File::open(beside("store.00000000deadbeef.old")).unwrap();
    fs::write(beside("store.00000000deadbeef.tmp"), b"half").unwrap();
    // Somebody else's.
    let others = ["store.old", "store.backup", "other.0123456789abcdef.old", "store.0123456789abcdeg.tmp"];
    for name in others {
        fs::write(beside(name), b"mine").unwrap();
    }
    fs::create_dir(beside("store.11111111deadbeef.tmp")).unwrap();
    assert_eq!(all(&FileStorage::open(&path).unwrap()), [entry("a", "b")]);
    let mut expected = vec!["store", "store.11111111deadbeef.tmp"];
    expected.extend(others);
    expected.sort_unstable();
    assert_eq!(names(folder.path()), expected);
    let mut bytes = Vec::new();
    old.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, [0; 10]);
    assert_eq!(all(&FileStorage::open(&path).unwrap()), [entry("a", "b")]);
}

/// Before it is opened, or between that and the lock, the name is given to another store.
#[test]
fn a_store_that_lost_its_name_while_it_was_opened_is_not_the_one_that_is_used() {
    for step in [Step::Open, Step::Lock] {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("store"), folder.path().join("other"));
        drop(FileStorage::create(&path, &[entry("a", "before")]).unwrap());
        drop(FileStorage::create(&other, &[entry("a", "after")]).unwrap());
        let to = path.clone();
        let medium = Meddled::before(step, 1, move || fs::rename(&other, &to).unwrap());
        assert_eq!(all(&FileStorage::open_on(medium, &path).unwrap()), [entry("a", "after")], "{step:?}");
        assert_eq!(names(folder.path()), ["store"]);
    }
}

#[test]
fn a_leftovers_name_that_was_given_to_another_file_costs_that_file_nothing() {
    for is_there in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (path, left) = (folder.path().join("store"), folder.path().join("store.00000000deadbeef.old"));
        if is_there {
            drop(FileStorage::create(&path, &[entry("a", "b")]).unwrap());
        }
        fs::write(&left, b"left").unwrap();
        let (precious, to) = (folder.path().join("precious"), left.clone());
        fs::write(&precious, b"precious").unwrap();
        let mut handle = File::open(&precious).unwrap();
        let medium =
            Meddled::before(Step::Open, if is_there { 2 } else { 1 }, move || fs::rename(&precious, &to).unwrap());
        assert_eq!(FileStorage::open_on(medium, &path).is_ok(), is_there);
        let mut bytes = Vec::new();
        handle.read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes.as_slice(), fs::read(&left).unwrap().as_slice()), (&b"precious"[..], &b"precious"[..]));
    }
}

#[test]
fn a_store_that_goes_while_it_is_opened_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(FileStorage::create(&path, &[]).unwrap());
    let gone = path.clone();
    let medium = Meddled::before(Step::Open, 1, move || fs::remove_file(&gone).unwrap());
    assert_eq!(FileStorage::open_on(medium, &path).unwrap_err(), StorageError::Missing);
}

/// A file that can't become shorter or longer shows what was done to it before that was tried.
#[cfg(target_os = "linux")]
#[test]
fn what_is_cut_off_is_overwritten_first_and_nothing_else() {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    use std::io::Write;
    let mut file = File::from(memfd_create("store", MemfdFlags::ALLOW_SEALING).unwrap());
    file.write_all(&vec![7; 4096 + 40_000]).unwrap();
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW).unwrap();
    let disk = Disk::new(Arc::new(file));
    let bytes = || {
        let mut bytes = vec![0; 40_000];
        disk.read(0, &mut bytes).unwrap();
        bytes
    };
    for len in [50_000, 40_000] {
        assert_eq!(disk.set_len(len).is_ok(), len == 40_000);
        assert!(bytes().iter().all(|byte| *byte == 7));
    }
    disk.set_len(1000).unwrap_err();
    assert!(bytes() == [vec![7; 1000], vec![0; 39_000]].concat());
}

#[test]
fn a_failure_at_any_write_of_a_commit_leaves_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(FileStorage::create(&path, &[entry("a", "0"), entry("b", "0")]).unwrap());
    let before = fs::read(&path).unwrap();
    let (old, new) = ([entry("a", "0"), entry("b", "0")], [entry("a", "1"), entry("c", "1")]);
    let mut failures = 0;
    for works in 0.. {
        fs::write(&path, &before).unwrap();
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let storage = FileStorage::open_on(failing(&left), &path).unwrap();
        left.store(works, Ordering::SeqCst);
        let changes = [put("a", "1"), put("c", "1"), Change::Delete { key: b"b".into() }];
        let result = storage.commit(&changes);
        if result.is_err() {
            failures += 1;
            assert!(matches!(result, Err(StorageError::Io(_))), "{result:?}");
            let again = storage.commit(&changes);
            assert!(matches!(again, Err(StorageError::Io(_))), "it does not go on as if nothing had been: {again:?}");
        }
        drop(storage);
        let found = all(&FileStorage::open(&path).unwrap());
        assert!(found == new || (result.is_err() && found == old), "after {works} writes: {found:?}");
        if result.is_ok() {
            break;
        }
    }
    assert!(failures > 3);
}

#[test]
fn a_failure_at_any_write_of_a_rewrite_leaves_either_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (old, new) = ([entry("a", "0")], [entry("b", "1")]);
    for works in 0.. {
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let storage = FileStorage::create_on(failing(&left), &path, &old).unwrap();
        left.store(works, Ordering::SeqCst);
        let result = storage.rewrite(&new);
        if result.is_err() {
            assert_eq!(all(&storage), old, "the old file is still served");
        }
        drop(storage);
        assert_eq!(names(folder.path()), ["store"]);
        assert_eq!(all(&FileStorage::open(&path).unwrap()), if result.is_ok() { &new } else { &old }.as_slice());
        fs::remove_file(&path).unwrap();
        if result.is_ok() {
            break;
        }
    }
}

#[test]
fn a_failure_at_any_write_of_a_creation_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    for works in 0.. {
        let created = FileStorage::create_on(failing(&Arc::new(AtomicI64::new(works))), &path, &[entry("a", "0")]);
        match created {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, StorageError::Io(_)), "{error:?}"),
        }
        assert!(names(folder.path()).is_empty());
    }
    assert_eq!(names(folder.path()), ["store"]);
}

#[test]
fn a_destroyed_file_is_overwritten_and_gone_and_its_handle_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let storage = FileStorage::create(&path, &[entry("key", "what is to be forgotten")]).unwrap();
    let mut file = File::open(&path).unwrap();
    storage.destroy().unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    assert!(bytes.len() > 4096 && bytes.iter().all(|byte| *byte == 0));
    assert!(names(folder.path()).is_empty());
    let missing = StorageError::Missing;
    assert_eq!(storage.get(b"key").unwrap_err(), missing);
    assert_eq!(storage.scan(b"", None, 9).unwrap_err(), missing);
    assert_eq!(storage.commit(&[put("key", "x")]).unwrap_err(), missing);
    assert_eq!(storage.rewrite(&[]).unwrap_err(), missing);
    assert_eq!(storage.destroy().unwrap_err(), missing);
    assert_eq!(FileStorage::open(&path).unwrap_err(), missing);
    FileStorage::create(&path, &[]).unwrap();
    let memory = MemoryStorage::new(&[entry("key", "value")]);
    memory.destroy().unwrap();
    assert_eq!(memory.get(b"key").unwrap_err(), missing);
    assert_eq!(memory.commit(&[put("key", "x")]).unwrap_err(), missing);
}

#[test]
fn what_a_crash_left_of_a_destroyed_store_is_overwritten_at_the_next_opening() {
    let folder = tempfile::tempdir().unwrap();
    let (path, elsewhere) = (folder.path().join("store"), folder.path().join("elsewhere"));
    let beside = |name: &str| folder.path().join(name);
    drop(FileStorage::create(&path, &[entry("a", "b")]).unwrap());
    // Died between renaming and overwriting; and somebody else is just about to destroy another one.
    fs::rename(&path, beside("store.0123456789abcdef.old")).unwrap();
    let mut left = File::open(beside("store.0123456789abcdef.old")).unwrap();
    fs::write(beside("store.00000000deadbeef.old"), b"theirs").unwrap();
    let theirs = File::open(beside("store.00000000deadbeef.old")).unwrap();
    theirs.lock().unwrap();
    // A second name of a store that was moved away is not what was destroyed.
    drop(FileStorage::create(&elsewhere, &[entry("moved", "away")]).unwrap());
    fs::hard_link(&elsewhere, beside("store.00000000cafecafe.old")).unwrap();
    assert_eq!(FileStorage::open(&path).unwrap_err(), StorageError::Missing);
    let mut bytes = Vec::new();
    left.read_to_end(&mut bytes).unwrap();
    assert!(bytes.len() > 4096 && bytes.iter().all(|byte| *byte == 0));
    assert_eq!(names(folder.path()), ["elsewhere", "store.00000000deadbeef.old"]);
    assert_eq!(fs::read(beside("store.00000000deadbeef.old")).unwrap(), b"theirs");
    assert_eq!(all(&FileStorage::open(&elsewhere).unwrap()), [entry("moved", "away")]);
}
