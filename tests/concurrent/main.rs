//! Many runs at once, interleaved: a nonce is used once, and no honest member is taken for a liar.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod meanwhile;

use std::collections::BTreeSet;

use common::*;
use quorumkey::audit::{self, EventKind, Head, Record};
use quorumkey::{KeyInfo, Run, Session, Signing, Suite};

const RUNS: usize = 10_000;
const BATCH: usize = 100;

fn whole_log(session: &Session) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let page = session.audit(records.last().map(Record::hash), 4096).unwrap();
        if page.is_empty() {
            return records;
        }
        records.extend(page);
    }
}

/// The commitments that were claimed, in the order of their records.
fn claims(session: &Session) -> Vec<[u8; 32]> {
    let log = whole_log(session);
    let claimed = log.iter().filter(|record| record.event().kind() == EventKind::NonceClaimed);
    claimed.map(|record| *record.event().details().first_chunk().unwrap()).collect()
}

/// A batch of runs of two members, each step of all runs before the next step of any, in an order that changes.
fn sign_batch(members: &[Member], key: &KeyInfo, batch: usize) {
    let start = |member: &Member, invitations: &[(Vec<u8>, quorumkey::Invitation)]| -> Vec<Run<Signing>> {
        invitations.iter().map(|(text, one)| member.session.start_sign(one, text).unwrap()).collect()
    };
    let invitations: Vec<_> = (0..BATCH)
        .map(|number| {
            let text = format!("batch {batch}, run {number}").into_bytes();
            let invitation = members[number % 2].session.invite_sign(key.id, &[id(1), id(2)], &text).unwrap();
            (text, invitation)
        })
        .collect();
    let mut one = start(&members[0], &invitations);
    let mut two = start(&members[1], &invitations);
    for step in 0..2 {
        for turn in 0..BATCH {
            // 37 and 100 have no common divisor: every run has its turn.
            let at = (turn * 37 + step * 11 + batch) % BATCH;
            while let Some(message) = one[at].poll_transmit() {
                two[at].handle(&message).unwrap();
            }
            let at = (turn * 63 + step * 29 + batch) % BATCH;
            while let Some(message) = two[at].poll_transmit() {
                one[at].handle(&message).unwrap();
            }
        }
    }
    for (at, (text, _)) in invitations.iter().enumerate() {
        while let Some(message) = one[at].poll_transmit() {
            two[at].handle(&message).unwrap();
        }
        while let Some(message) = two[at].poll_transmit() {
            one[at].handle(&message).unwrap();
        }
        let signature = one[at].poll_output().expect("the first member has the signature");
        assert_eq!(two[at].poll_output().as_ref(), Some(&signature));
        key.verifying_key.verify(text, &signature).unwrap();
    }
}

#[test]
fn ten_thousand_interleaved_runs_claim_each_nonce_once_and_all_signatures_verify() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    // Two threads with the same tokens, so that their batches are interleaved as well.
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (members, key) = (&members, &key);
            scope.spawn(move || {
                (thread..RUNS / BATCH).step_by(2).for_each(|batch| sign_batch(members, key, batch));
            });
        }
    });
    for member in &members {
        let claimed = claims(&member.session);
        assert_eq!(claimed.len(), RUNS);
        assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), RUNS);
        let log = whole_log(&member.session);
        let genesis = Head::genesis(&member.store.info().unwrap().id);
        audit::verify(&log, &genesis, log.last().unwrap().hash()).unwrap();
    }
}

#[test]
fn a_member_that_entered_a_run_before_it_finished_another_is_no_rolled_back_one() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invite = |text: &[u8]| members[0].session.invite_sign(key.id, &[id(1), id(2)], text).unwrap();
    let (early, late) = (invite(b"entered early"), invite(b"entered late"));
    let mut waiting = members[1].session.start_sign(&late, b"entered late").unwrap();
    let mut runs: Vec<_> =
        members.iter().map(|member| member.session.start_sign(&early, b"entered early").unwrap()).collect();
    exchange(&mut runs);
    let mut entered = members[0].session.start_sign(&late, b"entered late").unwrap();
    while let Some(message) = waiting.poll_transmit() {
        entered.handle(&message).unwrap();
    }
    exchange(&mut [entered, waiting]);
}

#[test]
fn threads_may_sign_at_once_with_one_token() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (members, key) = (&members, &key);
            scope.spawn(move || {
                for run in 0..10 {
                    sign(members, key.id, &[1, 2], format!("thread {thread}, run {run}").as_bytes());
                }
            });
        }
    });
    for member in &members {
        let claimed = claims(&member.session);
        assert_eq!((claimed.len(), claimed.iter().collect::<BTreeSet<_>>().len()), (40, 40));
    }
}
