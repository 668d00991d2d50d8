//! An error at every single thing that a store asks of the operating system.

use std::sync::Mutex;

use super::*;

/// Fails at the k-th request, or from it on.
struct Faulty {
    left: AtomicI64,
    for_good: bool,
    /// What was refused: a step, or something that the database asked for.
    refused: Mutex<Vec<Option<Step>>>,
}

impl Faulty {
    fn new(for_good: bool) -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(i64::MAX), for_good, refused: Mutex::default() })
    }

    fn ask(&self, what: Option<Step>) -> io::Result<()> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if left > 0 || (left < 0 && !self.for_good) {
            return Ok(());
        }
        self.refused.lock().unwrap().push(what);
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn failed(&self) -> bool {
        !self.refused.lock().unwrap().is_empty()
    }

    /// Whether nothing was refused that an operation can't do without.
    fn only(&self, allowed: &[Option<Step>]) -> bool {
        self.refused.lock().unwrap().iter().all(|refused| allowed.contains(refused))
    }
}

struct Handle(Arc<Faulty>);

impl Medium for Handle {
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend> {
        Box::new(Asking { disk, faults: Arc::clone(&self.0) })
    }

    fn before(&self, step: Step) -> io::Result<()> {
        self.0.ask(Some(step))
    }
}

struct Asking {
    disk: Disk,
    faults: Arc<Faulty>,
}

impl std::fmt::Debug for Asking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asking")
    }
}

impl StorageBackend for Asking {
    fn len(&self) -> io::Result<u64> {
        self.faults.ask(None)?;
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.faults.ask(None)?;
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.faults.ask(None)?;
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.faults.ask(None)?;
        self.disk.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.faults.ask(None)?;
        self.disk.write(offset, data)
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn old() -> [Entry; 2] {
    [entry("a", "0"), entry("b", "0")]
}

fn is_of_the_system(error: StorageError) -> bool {
    matches!(error, StorageError::Io(_))
}

/// What is there once everything works again: entries, or that there is no store.
fn afterwards(path: &Path) -> Result<Vec<Entry>, StorageError> {
    let found = FileStorage::open(path).map(|storage| all(&storage));
    let left: &[&str] = if found.is_ok() { &["store"] } else { &[] };
    assert_eq!(names(path.parent().unwrap()), left);
    found
}

/// Names may stay behind, and whatever a database has to say to a file that is given up; the next opening cleans up.
const GIVEN_UP: &[Option<Step>] = &[Some(Step::Link), Some(Step::Unlink), None];

/// Fails each request of an operation on a store of these contents in turn, once and for good. It may succeed all the same only without what is
/// `dispensable`. `check` is told whether it succeeded, and what is there afterwards. Gives how many requests were failed.
fn each_fault<T>(
    contents: &[Entry],
    dispensable: &[Option<Step>],
    operation: impl Fn(&FileStorage) -> Result<T, StorageError>,
    check: impl Fn(Option<T>, Result<Vec<Entry>, StorageError>),
) -> usize {
    let folder = folder();
    let path = folder.path().join("store");
    let mut faults_seen = 0;
    for for_good in [false, true] {
        for works in 0.. {
            let faults = Faulty::new(for_good);
            // What was just written is in memory: a store that was opened has to ask for it.
            drop(FileStorage::create(&path, contents).unwrap());
            let storage = FileStorage::open_on(Arc::new(Handle(Arc::clone(&faults))), &path).unwrap();
            faults.left.store(works, Ordering::SeqCst);
            let result = operation(&storage);
            let failed = faults.failed();
            assert!(
                result.is_err() || faults.only(dispensable),
                "success without {:?}",
                faults.refused.lock().unwrap()
            );
            faults_seen += usize::from(failed);
            drop(storage);
            if let Err(error) = &result {
                assert!(failed && is_of_the_system(*error), "after {works}: {error:?}");
            }
            check(result.ok(), afterwards(&path));
            let _ = fs::remove_file(&path);
            if !failed {
                break;
            }
        }
    }
    faults_seen
}

#[test]
fn an_error_at_any_request_of_a_commit_leaves_all_or_nothing() {
    let new = [entry("a", "1"), entry("c", "1")];
    let changes = [put("a", "1"), put("c", "1"), Change::Delete { key: b"b".into() }];
    let faults = each_fault(
        &old(),
        &[],
        |storage| storage.commit(&changes),
        |done, found| {
            let found = found.unwrap();
            assert!(found == new || (done.is_none() && found == old()), "{done:?}: {found:?}");
        },
    );
    assert!(faults > 8, "{faults}");
}

#[test]
fn an_error_at_any_request_of_a_rewrite_leaves_either_file_whole() {
    let new = [entry("z", "9")];
    let faults = each_fault(
        &old(),
        GIVEN_UP,
        |storage| storage.rewrite(&new),
        |done, found| {
            let found = found.unwrap();
            assert!(found == new || (done.is_none() && found == old()), "{done:?}: {found:?}");
        },
    );
    assert!(faults > 30, "{faults}");
}

#[test]
fn an_error_at_any_request_of_a_destruction_leaves_the_store_or_nothing() {
    let faults = each_fault(&old(), GIVEN_UP, FileStorage::destroy, |done, found| match found {
        Ok(found) => assert!(done.is_none() && found == old()),
        Err(error) => assert_eq!(error, StorageError::Missing),
    });
    assert!(faults > 6, "{faults}");
}

#[test]
fn an_error_at_any_request_of_a_look_is_no_absence() {
    // More than the database keeps in memory, or it has nothing to ask for.
    let large: Vec<Entry> = (0..100).map(|number| (vec![number], vec![number; 1 << 16])).collect();
    let faults = each_fault(
        &large,
        &[],
        |storage| Ok((storage.get(&[0])?, storage.scan(&[1], None, 9)?)),
        |seen, found| {
            assert!(seen.is_none_or(|(value, page)| value.as_ref() == Some(&large[0].1) && page == large[1..2]));
            assert!(found.unwrap() == large);
        },
    );
    assert!(faults > 4, "{faults}");
}

#[test]
fn an_error_at_any_request_of_a_creation_leaves_no_store_or_a_whole_one() {
    let folder = folder();
    let path = folder.path().join("store");
    for for_good in [false, true] {
        for works in 0.. {
            let faults = Faulty::new(for_good);
            faults.left.store(works, Ordering::SeqCst);
            let created = FileStorage::create_on(Arc::new(Handle(Arc::clone(&faults))), &path, &old());
            let failed = faults.failed();
            match &created {
                Ok(storage) => assert!(faults.only(&[Some(Step::Link), Some(Step::Unlink)]) && all(storage) == old()),
                Err(error) => assert!(failed && is_of_the_system(*error), "{error:?}"),
            }
            let created = created.map(drop).is_ok();
            // The name was taken by an empty file, and can't be given back.
            let stuck = !created && for_good && fs::metadata(&path).is_ok_and(|file| file.len() == 0);
            if stuck {
                assert_eq!(FileStorage::open(&path).unwrap_err(), StorageError::Foreign);
                fs::remove_file(&path).unwrap();
                for name in names(folder.path()) {
                    fs::remove_file(folder.path().join(name)).unwrap();
                }
                continue;
            }
            match afterwards(&path) {
                Ok(found) => assert_eq!(found, old()),
                Err(error) => assert!(!created && error == StorageError::Missing),
            }
            let _ = fs::remove_file(&path);
            if !failed {
                assert!(works > 20);
                break;
            }
        }
    }
}

#[test]
fn an_error_at_any_request_of_an_opening_changes_nothing() {
    let folder = folder();
    let path = folder.path().join("store");
    drop(FileStorage::create(&path, &old()).unwrap());
    let whole = fs::read(&path).unwrap();
    let leftover = || fs::write(folder.path().join("store.00000000deadbeef.old"), b"old secret").unwrap();
    for for_good in [false, true] {
        for works in 0.. {
            fs::write(&path, &whole).unwrap();
            leftover();
            let faults = Faulty::new(for_good);
            faults.left.store(works, Ordering::SeqCst);
            let opened = FileStorage::open_on(Arc::new(Handle(Arc::clone(&faults))), &path);
            let failed = faults.failed();
            assert!(opened.is_err() == failed, "{opened:?}");
            if let Err(error) = &opened {
                assert!(is_of_the_system(*error), "{error:?}");
            }
            drop(opened);
            assert_eq!(afterwards(&path).unwrap(), old());
            if !failed {
                break;
            }
        }
    }
}
