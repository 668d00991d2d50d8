//! What keeps secrets out of places that outlive them: core dumps and swap. It is for the application to switch on, since
//! it concerns the whole process.
//!
//! Freed memory is such a place as well. The library wipes its own secrets; what the crates below it leave in freed memory
//! is gone with an allocator that wipes, such as that of the crate `zeroizing-alloc`:
//!
//! ```no_run
//! use quorumkey::memory::{MemoryError, forbid_core_dumps, lock_memory};
//! use zeroizing_alloc::ZeroAlloc;
//!
//! #[global_allocator]
//! static ALLOCATOR: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);
//!
//! fn main() -> Result<(), MemoryError> {
//!     forbid_core_dumps()?;
//!     // Fails without CAP_IPC_LOCK where `ulimit -l` is low: say so, or end.
//!     lock_memory()?;
//!     // Open the key store.
//!     Ok(())
//! }
//! ```

use core::fmt;
use std::io;

/// Why memory is not protected. What was asked for is not in force, or not wholly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// The system did not forbid core dumps.
    CoreDumps(io::ErrorKind),
    /// The system did not lock the memory: what is in it may be swapped out.
    Lock(io::ErrorKind),
    /// Only Linux is asked.
    Unsupported,
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CoreDumps(kind) => write!(f, "core dumps are not forbidden: {kind}"),
            Self::Lock(kind) => write!(f, "memory is not locked and may be swapped out: {kind}"),
            Self::Unsupported => f.write_str("this system is not asked to protect memory"),
        }
    }
}

impl core::error::Error for MemoryError {}

/// Lets nobody write this process's memory to a file when it crashes, for good: the limit is 0 and can't be raised, and
/// the process is not dumpable. So other processes of the same user can't read its memory or attach a debugger, either.
///
/// Children inherit the limit.
///
/// # Errors
///
/// [`MemoryError`] when the system refuses; [`MemoryError::Unsupported`] outside Linux.
///
/// # Security
///
/// It binds neither root nor a hypervisor.
pub fn forbid_core_dumps() -> Result<(), MemoryError> {
    system::forbid_core_dumps()
}

/// Keeps all memory of this process out of swap, what it has and what it will have.
///
/// # Errors
///
/// [`MemoryError::Lock`] when the system refuses, most often for a low `ulimit -l`. Allocations may fail later when the
/// limit is reached. [`MemoryError::Unsupported`] outside Linux.
///
/// # Security
///
/// Hibernation writes locked memory to the disk as well. Children don't inherit the lock.
pub fn lock_memory() -> Result<(), MemoryError> {
    system::lock_memory()
}

#[cfg(target_os = "linux")]
mod system {
    use rustix::io::Errno;
    use rustix::mm::{MlockAllFlags, mlockall};
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

    use super::MemoryError;

    pub(super) fn forbid_core_dumps() -> Result<(), MemoryError> {
        let refused = |error: Errno| MemoryError::CoreDumps(error.kind());
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(refused)?;
        // The limit does not bind a program that takes the dumps through a pipe; this does.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused)
    }

    pub(super) fn lock_memory() -> Result<(), MemoryError> {
        // As pages come into use: else the whole stack of every thread would count at once.
        let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
        mlockall(flags).map_err(|error| MemoryError::Lock(error.kind()))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::MemoryError;

    pub(super) fn forbid_core_dumps() -> Result<(), MemoryError> {
        Err(MemoryError::Unsupported)
    }

    pub(super) fn lock_memory() -> Result<(), MemoryError> {
        Err(MemoryError::Unsupported)
    }
}
