//! The seam between a store and the operating system.

use std::io;

use redb::StorageBackend;

use super::disk::Disk;

/// What a store does to files, besides what its database does inside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Asking what a name leads to, or of which file a handle is.
    Look,
    /// Listing the names beside a store.
    List,
    /// A new file under a name of its own.
    Create,
    /// Opening a file that is there.
    Open,
    /// Locking a file for this handle alone.
    Lock,
    /// Writing what comes before the database.
    Preamble,
    /// Waiting until a new file is on the medium.
    SyncFile,
    /// A second name for a file.
    Link,
    /// Another name for a file, in the place of what had it.
    Rename,
    /// Waiting until the names are on the medium.
    SyncNames,
    /// Overwriting a file, and waiting until that is on the medium.
    Wipe,
    /// Taking a name away.
    Unlink,
}

/// What stands between a store and the operating system. Tests put something there that fails, or that loses power.
pub(crate) trait Medium: Send + Sync {
    /// What the database sees of a file.
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend>;

    /// Called before each step; an error stands for the step's own.
    fn before(&self, step: Step) -> io::Result<()>;
}

/// Nothing in between.
#[derive(Debug)]
pub(super) struct Direct;

impl Medium for Direct {
    fn backend(&self, disk: Disk) -> Box<dyn StorageBackend> {
        Box::new(disk)
    }

    fn before(&self, _: Step) -> io::Result<()> {
        Ok(())
    }
}
