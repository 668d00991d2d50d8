//! Floods: what nobody asked for costs neither disk nor audit records, and what is kept of it is bounded.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "what is wrong in a test may panic"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use quorumkey::hazmat::{Forger, subject};
use quorumkey::{Dealing, Error, KeyStore, Message, Protocol, Run, Suite};
use tempfile::TempDir;

/// How many of each kind.
const FLOOD: u64 = 300;

/// Two members; the second one's identity is known. The first one's token is in a file.
struct Flooded {
    _folder: TempDir,
    path: PathBuf,
    members: Vec<Member>,
    liar: Forger,
}

impl Flooded {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let liar = Forger::new([2; 32]);
        let storage = |contents: &[_]| Ok(quorumkey::MemoryStorage::new(contents));
        let members = vec![
            Member::new(KeyStore::create(&path, &init("flooded")).unwrap()),
            Member::new(liar.store(storage, &init("the one who floods"), 0).unwrap()),
        ];
        Self { _folder: folder, path, members, liar }
    }

    fn records(&self) -> usize {
        self.members[0].session.audit(None, usize::MAX).unwrap().len()
    }

    /// Gives a run what is rejected, and sees that not a byte of the file and no audit record came of it.
    fn floods<P: Protocol>(&self, run: &mut Run<P>, what: &str, message: impl Fn(u64) -> Message) {
        let (bytes, records) = (contents(&self.path), self.records());
        for number in 0..FLOOD {
            let answer = run.handle(&message(number));
            assert!(matches!(answer, Ok(()) | Err(Error::Rejected(_))), "{what}: {answer:?}");
            assert!(run.poll_transmit().is_none(), "{what} is answered");
        }
        assert_eq!(self.records(), records, "{what} costs audit records");
        assert!(bytes == contents(&self.path), "{what} costs disk");
    }
}

/// Every byte of every file of the store.
fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let names = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let mut contents: Vec<_> = names.map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    contents.sort();
    contents
}

#[test]
fn what_is_rejected_costs_no_byte_of_disk_and_no_audit_record() {
    let flooded = Flooded::new();
    let key = dkg(&flooded.members, Suite::Ed25519, 2);
    let sessions = [0, 1].map(|at: usize| &flooded.members[at].session);
    let invitation = sessions[0].invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    let mut runs = sessions.map(|session| session.start_sign(&invitation, b"m").unwrap());
    let commit = runs[1].poll_transmit().unwrap();
    let own = runs[0].poll_transmit().unwrap();
    let stranger = Forger::new([99; 32]);
    let liar = &flooded.liar;
    let run = &mut runs[0];
    let counter = |number| move |forgery: &mut quorumkey::hazmat::Forgery| forgery.counter = number;
    flooded.floods(run, "a stranger's garbage", |number| stranger.alter(&commit, counter(number)));
    flooded.floods(run, "garbage of 64 KiB", |number| {
        stranger.alter(&commit, |forgery| (forgery.counter, forgery.body) = (number, vec![0; 64 << 10]))
    });
    flooded.floods(run, "a member's message for another run", |number| {
        let invitation = sessions[0].invite_sign(key.id, &[id(1), id(2)], &number.to_be_bytes()).unwrap();
        liar.alter(&commit, |forgery| forgery.run = invitation.run_id())
    });
    flooded.floods(run, "a member's message of another epoch", |number| {
        liar.alter(&commit, |forgery| forgery.epoch[..8].copy_from_slice(&number.to_be_bytes()))
    });
    flooded.floods(run, "this member's own message", |_| own.clone());
    runs[1].handle(&own).unwrap();
    let share = runs[1].poll_transmit().unwrap();
    assert_eq!(subject(&share), "share");
    let run = &mut runs[0];
    run.handle(&commit).unwrap();
    run.poll_transmit().unwrap();
    flooded.floods(run, "a repeated message", |_| commit.clone());
    run.handle(&share).unwrap();
    assert!(run.poll_output().is_some());
    // Valid signatures of a member, each another message, after the end.
    flooded.floods(run, "another message after the end", |number| liar.alter(&share, counter(number)));
    flooded.floods(run, "a stranger's garbage after the end", |number| stranger.alter(&share, counter(number)));
}

#[test]
fn valid_messages_without_end_cost_one_record_and_the_run() {
    let flooded = Flooded::new();
    let invitation = dkg_invitation(&flooded.members, Suite::Secp256k1, 2);
    let mut runs: Vec<Run<Dealing>> =
        flooded.members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let join = runs[1].poll_transmit().unwrap();
    runs[0].handle(&join).unwrap();
    let records = flooded.records();
    let mut refused = 0;
    for number in 0..FLOOD {
        let another = flooded.liar.alter(&join, |forgery| forgery.counter = 1000 + number);
        refused += u64::from(runs[0].handle(&another).is_err());
    }
    // The second message of the kind proves the lie and ends the run; what comes after meets no run.
    assert_eq!((refused, flooded.records()), (FLOOD, records + 1));
    let after = contents(&flooded.path);
    for number in 0..FLOOD {
        let another = flooded.liar.alter(&join, |forgery| forgery.counter = 2000 + number);
        assert!(runs[0].handle(&another).is_err());
    }
    assert!(after == contents(&flooded.path), "messages for a run that is over cost disk");
    // And with who did it no other run is entered.
    let again = dkg_invitation(&flooded.members, Suite::Secp256k1, 2);
    assert!(matches!(flooded.members[0].session.start(&again), Err(Error::Denied(_))));
}

#[test]
fn disputes_without_end_cost_nothing() {
    let flooded = Flooded::new();
    let invitation = dkg_invitation(&flooded.members, Suite::Ed25519, 2);
    let mut runs: Vec<Run<Dealing>> =
        flooded.members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let joins = [0, 1].map(|at: usize| runs[at].poll_transmit().unwrap());
    runs[0].handle(&joins[1]).unwrap();
    runs[0].poll_transmit().unwrap();
    // What all have seen, shown again and again.
    let mut body = 2_u32.to_be_bytes().to_vec();
    for join in &joins {
        let join = join.to_bytes();
        body.extend(u32::try_from(join.len()).unwrap().to_be_bytes());
        body.extend(join);
    }
    let bytes = joins[1].to_bytes();
    let dispute = Message::from_bytes(&[&bytes[..101], &[8], &bytes[102..]].concat()).unwrap();
    flooded.floods(&mut runs[0], "a dispute of what nobody disputes", |number| {
        flooded.liar.alter(&dispute, |forgery| (forgery.counter, forgery.body) = (number, body.clone()))
    });
}
