//! Core dumps and swap: what is switched on is in force, and what the system refuses is reported.
//!
//! Each runs in a process of its own, this program once more: there is no way back from any of it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what is wrong in a test may panic")]
#![allow(unreachable_pub, reason = "modules of one program")]

#[path = "common/host.rs"]
mod host;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use host::not_checked;
use quorumkey::memory::{MemoryError, forbid_core_dumps, lock_memory};
use rustix::process::{DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

const ROLE: &str = "QUORUMKEY_MEMORY_ROLE";

/// Runs one test of this program again, in that role.
fn again(test: &str, role: &str) -> ExitStatus {
    let program = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    Command::new(program)
        .args([test, "--exact", "--nocapture"])
        .env(ROLE, role)
        .current_dir(folder.path())
        .status()
        .unwrap()
}

fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// How much memory is locked, in KiB.
fn locked() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Raises a limit as far as this process may.
fn lift(limit: Resource) -> Option<u64> {
    let most = getrlimit(limit).maximum;
    let without = Rlimit { current: None, maximum: None };
    setrlimit(limit, without).or_else(|_| setrlimit(limit, Rlimit { current: most, maximum: most })).unwrap();
    getrlimit(limit).current
}

fn may(capability: CapabilitySet) -> bool {
    capabilities(None).unwrap().effective.contains(capability)
}

/// Whether the system, left alone, writes a dump beside the process: neither to a place or a program of its own, nor is it
/// forbidden to this process for good.
fn writes_dumps_here() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let beside = !pattern.trim().is_empty() && !pattern.starts_with(['|', '/']);
    beside && (getrlimit(Resource::Core).maximum != Some(0) || may(CapabilitySet::SYS_RESOURCE))
}

#[test]
fn forbidden_core_dumps_are_not_written() {
    match role().as_deref() {
        None => {
            let forbidden = again("forbidden_core_dumps_are_not_written", "forbids");
            assert!(forbidden.signal().is_some() && !forbidden.core_dumped(), "{forbidden}");
            let control = again("forbidden_core_dumps_are_not_written", "allows");
            assert!(control.signal().is_some());
            if !control.core_dumped() {
                assert!(!writes_dumps_here(), "a dump is not written otherwise, either");
                not_checked("that a dump would be written otherwise (this system writes none)");
            }
        }
        Some("forbids") => {
            forbid_core_dumps().unwrap();
            assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
            assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
            std::process::abort();
        }
        Some(_) => {
            lift(Resource::Core);
            assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable);
            std::process::abort();
        }
    }
}

#[test]
fn locked_memory_stays_in_memory_also_what_is_allocated_later() {
    if role().is_none() {
        assert!(again("locked_memory_stays_in_memory_also_what_is_allocated_later", "locks").success());
        return;
    }
    assert_eq!(locked(), 0);
    let most = lift(Resource::Memlock);
    if let Err(error) = lock_memory() {
        assert!(most.is_some() && !may(CapabilitySet::IPC_LOCK), "what the system allows is refused: {error}");
        return not_checked(&format!("memory that is locked (it can't be here: {error})"));
    }
    let before = locked();
    assert!(before > 0);
    let more = vec![1_u8; 32 << 20];
    assert!(locked() >= before + (32 << 10) && more.iter().all(|byte| *byte == 1));
}

#[test]
fn a_refused_lock_is_reported() {
    if role().is_none() {
        assert!(again("a_refused_lock_is_reported", "is refused").success());
        return;
    }
    // Whoever may lock whatever it likes gives that up.
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(CapabilitySet::IPC_LOCK);
    sets.permitted.remove(CapabilitySet::IPC_LOCK);
    sets.inheritable.remove(CapabilitySet::IPC_LOCK);
    set_capabilities(None, sets).unwrap();
    setrlimit(Resource::Memlock, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
    let refused = lock_memory().unwrap_err();
    let expected = [ErrorKind::PermissionDenied, ErrorKind::OutOfMemory];
    assert!(matches!(refused, MemoryError::Lock(kind) if expected.contains(&kind)), "{refused:?}");
    assert!(refused.to_string().contains("not locked"));
    assert_eq!(locked(), 0);
}
