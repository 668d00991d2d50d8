//! What is not on the medium does not count: where the operating system refuses to wait for it, nothing succeeds.
//!
//! The system's own calls are refused, as what stands in for a file elsewhere would not notice that nobody calls them.

use std::sync::Mutex;
use std::thread;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use super::*;

/// From here on this thread's calls to wait for the medium fail.
fn refuse_syncs() {
    let calls = [libc::SYS_fsync, libc::SYS_fdatasync].map(|call| (call, Vec::new()));
    let error = SeccompAction::Errno(libc::EIO.unsigned_abs());
    let here = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(calls.into(), SeccompAction::Allow, error, here).unwrap();
    apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

/// Lets everything pass, and refuses to sync from one step on.
struct Refusing {
    from: Option<Step>,
    seen: Mutex<Vec<Step>>,
}

struct Handle(Arc<Refusing>);

impl Medium for Handle {
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend> {
        Box::new(disk)
    }

    fn before(&self, step: Step) -> io::Result<()> {
        if self.0.from == Some(step) {
            refuse_syncs();
        }
        self.0.seen.lock().unwrap().push(step);
        Ok(())
    }
}

/// Does that with a store, in a thread of its own. What came of it, and the steps from that one on.
fn refusing(
    from: Option<Step>,
    act: impl FnOnce(&Path, Arc<Handle>) -> Result<(), StorageError> + Send,
) -> (Result<(), StorageError>, Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(FileStorage::create(&path, &[entry("a", "0")]).unwrap());
    let refusing = Arc::new(Refusing { from, seen: Mutex::default() });
    let handle = Arc::new(Handle(Arc::clone(&refusing)));
    let done = thread::scope(|scope| scope.spawn(|| act(&path, handle)).join().unwrap());
    let seen = refusing.seen.lock().unwrap().clone();
    (done, seen.into_iter().skip_while(|step| from.is_some_and(|from| *step != from)).collect())
}

fn create(path: &Path, medium: Arc<Handle>) -> Result<(), StorageError> {
    FileStorage::create_on(medium, &path.with_extension("new"), &[entry("b", "0")]).map(drop)
}

fn rewrite(path: &Path, medium: Arc<Handle>) -> Result<(), StorageError> {
    FileStorage::open_on(medium, path)?.rewrite(&[entry("b", "0")])
}

fn destroy(path: &Path, medium: Arc<Handle>) -> Result<(), StorageError> {
    FileStorage::open_on(medium, path)?.destroy()
}

#[test]
fn nothing_is_committed_that_is_not_on_the_medium() {
    let commit = |refuses: bool| {
        let (done, _) = refusing(None, |path, medium| {
            let storage = FileStorage::open_on(medium, path)?;
            if refuses {
                refuse_syncs();
            }
            storage.commit(&[put("b", "0")])
        });
        done
    };
    assert_eq!(commit(false), Ok(()));
    assert!(matches!(commit(true), Err(StorageError::Io(_))));
}

/// A file has its name after it is on the medium itself, and the name is there before anything is said of it.
#[test]
fn a_new_file_counts_when_it_and_its_name_are_on_the_medium() {
    for make in [create, rewrite] {
        let (done, seen) = refusing(None, make);
        assert!(done.is_ok() && seen.contains(&Step::SyncFile) && seen.contains(&Step::SyncNames));
        let (done, seen) = refusing(Some(Step::SyncFile), make);
        assert!(matches!(done, Err(StorageError::Io(_))));
        assert!(!seen.iter().any(|step| [Step::Link, Step::Rename].contains(step)), "{seen:?}");
        let (done, seen) = refusing(Some(Step::SyncNames), make);
        assert!(matches!(done, Err(StorageError::Io(_))) && !seen.is_empty(), "{seen:?}");
    }
}

/// What is overwritten is on the medium before its name goes.
#[test]
fn an_old_file_is_gone_when_its_zeros_are_on_the_medium() {
    for end in [rewrite, destroy] {
        let (done, seen) = refusing(None, end);
        assert!(done.is_ok() && seen.contains(&Step::Wipe));
        let (done, seen) = refusing(Some(Step::Wipe), end);
        assert!(matches!(done, Err(StorageError::Io(_))), "{seen:?}");
        assert!(!seen.contains(&Step::Unlink), "{seen:?}");
    }
}
