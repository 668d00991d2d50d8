//! Crashes: power cuts at any moment, processes that are killed, disks that are full or can't be written.
//!
//! `scripts/crash` runs more of the same.
#![allow(unreachable_pub, reason = "modules of one program")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "what is wrong in a test may panic"
)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(target_os = "linux")]
#[path = "../common/host.rs"]
mod host;

mod hosts;
mod kill;
mod power;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::*;
use quorumkey::audit::{EventKind, Record};
use quorumkey::{Denial, Error, Identifier, Invitation, KeyId, Protocol, Run, Session};
use tempfile::TempDir;

/// A folder in memory, where there is one: what is killed loses nothing that was written, synced or not.
fn fast_folder() -> TempDir {
    match tempfile::tempdir_in("/dev/shm") {
        Ok(folder) => folder,
        Err(_) => tempfile::tempdir().unwrap(),
    }
}

/// One test at a time: a process that is about to start has, for a moment, every file of this one open, and locked.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many rounds `scripts/crash` asks for.
fn rounds(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number of rounds"))
}

fn both() -> [Identifier; 2] {
    [id(1), id(2)]
}

/// Two members talk to the end; after each step of one of them, what it has acknowledged is noted.
fn talk<P: Protocol>(runs: [Run<P>; 2], note: &mut dyn FnMut()) -> Result<P::Output, Error> {
    let [mut one, mut two] = runs;
    loop {
        let (from_one, from_two) = (one.poll_transmit(), two.poll_transmit());
        if from_one.is_none() && from_two.is_none() {
            return Ok(one.poll_output().expect("the run ended without an output"));
        }
        if let Some(message) = from_one {
            two.handle(&message)?;
            note();
        }
        if let Some(message) = from_two {
            one.handle(&message)?;
            note();
        }
    }
}

fn sign_noting(sessions: [&Session; 2], key: KeyId, text: &[u8], note: &mut dyn FnMut()) -> Result<Invitation, Error> {
    let invitation = sessions[0].invite_sign(key, &both(), text)?;
    let one = sessions[0].start_sign(&invitation, text)?;
    note();
    let two = sessions[1].start_sign(&invitation, text)?;
    note();
    let signature = talk([one, two], note)?;
    sessions[0].key(key)?.verifying_key.verify(text, &signature).unwrap();
    Ok(invitation)
}

/// A refresh, of the first attempt that both enter.
fn refresh_noting(sessions: [&Session; 2], key: KeyId, note: &mut dyn FnMut()) -> Result<(), Error> {
    let mut attempt = 0;
    loop {
        let invitation = sessions[0].invite_refresh_from(key, Vec::new(), attempt)?;
        let runs = sessions.map(|session| session.start(&invitation));
        note();
        match runs {
            [Ok(one), Ok(two)] => return talk([one, two], note).map(drop),
            [Err(Error::Denied(Denial::AttemptTooLow { least })), _]
            | [_, Err(Error::Denied(Denial::AttemptTooLow { least }))] => attempt = least,
            [Err(error), _] | [_, Err(error)] => return Err(error),
        }
    }
}

/// The nonces that a log calls claimed: none twice.
fn claims(log: &[Record]) -> Vec<Vec<u8>> {
    let claimed = log.iter().map(Record::event).filter(|event| event.kind() == EventKind::NonceClaimed);
    let mut claims: Vec<_> = claimed.map(|event| event.details()[..32].to_vec()).collect();
    claims.sort_unstable();
    assert!(claims.windows(2).all(|pair| pair[0] != pair[1]), "a nonce was used twice");
    claims
}

fn store_names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
