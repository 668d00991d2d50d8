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
use quorumkey::{
    Dealing, Dkg, Error, Import, ImportedKey, KeyStore, KeyTemplate, Message, NewCard, Operations, Protocol, Reason,
    Run, RunId, Suite,
};
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

/// A run that is flooded from its beginning to after its end, and comes to its end all the same: the first member's, whose
/// peer is the second.
fn comes_through<P: Protocol>(flooded: &Flooded, name: &str, mut runs: Vec<Run<P>>) -> P::Output {
    let (stranger, liar) = (Forger::new([99; 32]), &flooded.liar);
    let first: Vec<_> = runs.iter_mut().map(Run::poll_transmit).collect();
    let theirs = first[1].clone().unwrap();
    let counter = |number| move |forgery: &mut quorumkey::hazmat::Forgery| forgery.counter = number;
    let run = &mut runs[0];
    flooded.floods(run, &format!("{name}: a stranger's garbage"), |number| stranger.alter(&theirs, counter(number)));
    flooded.floods(run, &format!("{name}: garbage of 64 KiB"), |number| {
        stranger.alter(&theirs, |forgery| (forgery.counter, forgery.body) = (number, vec![0; 64 << 10]))
    });
    flooded.floods(run, &format!("{name}: a member's message for another run"), |number| {
        liar.alter(&theirs, |forgery| forgery.run = RunId::from_bytes([number.to_le_bytes()[0]; 32]))
    });
    if let Some(own) = &first[0] {
        flooded.floods(run, &format!("{name}: this member's own message"), |_| own.clone());
    }
    for (from, message) in first.into_iter().enumerate().filter_map(|(from, said)| Some((from, said?))) {
        (0..runs.len()).filter(|to| *to != from).for_each(|to| runs[to].handle(&message).unwrap());
    }
    let said: Vec<_> = core::iter::from_fn(|| runs[0].poll_transmit()).collect();
    flooded.floods(&mut runs[0], &format!("{name}: a repeated message"), |_| theirs.clone());
    for message in said {
        runs[1..].iter_mut().for_each(|run| run.handle(&message).unwrap());
    }
    let early = runs[0].poll_output();
    let late = exchange_over(&mut runs, &mut |_, _, message| vec![message]).remove(0).unwrap();
    flooded.floods(&mut runs[0], &format!("{name}: after the end"), |number| stranger.alter(&theirs, counter(number)));
    early.or(late).expect("a flooded run comes to its end")
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
fn a_refresh_comes_through_a_flood_that_costs_nothing() {
    let flooded = Flooded::new();
    let key = dkg(&flooded.members, Suite::Secp256k1Taproot, 2).id;
    let invitation = flooded.members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let runs = flooded.members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    assert_eq!(comes_through(&flooded, "a refresh", runs).height, 1);
    sign(&flooded.members, key, &[1, 2], b"m");
}

#[test]
fn a_key_is_imported_in_a_flood_that_costs_nothing() {
    let flooded = Flooded::new();
    let old = || ImportedKey::from_scalar(Suite::Ed25519, [1; 32].into()).unwrap();
    let (key, members, template) = (old(), roster(&flooded.members), KeyTemplate::wallet("an old wallet"));
    let import = Import { key: &key, threshold: 2, members, template, least_attempt: 0 };
    let [first, second] = [0, 1].map(|at: usize| &flooded.members[at].session);
    let invitation = first.invite_import(import).unwrap();
    let runs = vec![first.start_import(&invitation, old()).unwrap(), second.start(&invitation).unwrap()];
    let imported = comes_through(&flooded, "an import", runs);
    assert_eq!(&imported.group_key, key.group_key());
    sign(&flooded.members, imported.id, &[1, 2], b"m");
}

#[test]
fn a_repair_comes_through_a_flood_that_costs_nothing() {
    let mut flooded = Flooded::new();
    flooded.members.push(Member::in_memory("lost"));
    let key = dkg(&flooded.members, Suite::Secp256k1, 2).id;
    flooded.members[2] = Member::in_memory("anew");
    let card = NewCard { identifier: id(3), card: flooded.members[2].card(), reason: Reason::Destroyed };
    let invitation = flooded.members[0].session.invite_repair(key, card, &[id(1), id(2)]).unwrap();
    let runs = flooded.members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    assert_eq!(comes_through(&flooded, "a repair", runs).revision, 1);
    sign(&flooded.members, key, &[1, 3], b"m");
}

#[test]
fn nonces_are_made_beforehand_in_a_flood_that_costs_nothing() {
    let flooded = Flooded::new();
    let key = dkg(&flooded.members, Suite::Secp256k1Taproot, 2).id;
    let invitation = flooded.members[0].session.invite_preprocess(key, &[id(1), id(2)], 4).unwrap();
    let start = |member: &Member| member.session.start_preprocess(&invitation).unwrap();
    let batch = comes_through(&flooded, "a batch", flooded.members.iter().map(start).collect());
    assert_eq!((batch.key, batch.size), (key, 4));
}

#[test]
fn a_key_is_put_together_in_a_flood_that_costs_nothing() {
    let flooded = Flooded::new();
    let operations = Operations::ALL.union(Operations::RECONSTRUCT);
    let template = KeyTemplate { operations, ..KeyTemplate::wallet("on trial") };
    let plan = Dkg { suite: Suite::Ed25519, threshold: 2, members: roster(&flooded.members), template };
    let key = deal(&flooded.members, &flooded.members[0].session.invite(plan).unwrap());
    let officers: Vec<_> = flooded.members.iter().map(|one| one.store.login_so(&officer_pin()).unwrap()).collect();
    let invitation = officers[0].invite_reconstruct(key.id, &[id(1), id(2)]).unwrap();
    for member in &flooded.members {
        member.session.consent_to_reconstruct(&invitation).unwrap();
    }
    let runs = officers.iter().map(|officer| officer.start_reconstruct(&invitation).unwrap()).collect();
    let whole = comes_through(&flooded, "a key put together", runs).unwrap();
    assert_eq!(whole.group_key(), &key.group_key);
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
