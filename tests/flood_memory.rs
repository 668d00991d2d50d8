//! Floods cost no memory: what is allocated is counted while a token rejects, and while a member says valid things without
//! end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

mod common;
#[path = "common/counting.rs"]
mod counting;

use common::*;
use counting::{allocated, at_most};
use quorumkey::hazmat::{Forger, Forgery};
use quorumkey::{Error, MemoryStorage, Message, Protocol, Run, Suite};

/// What a run has allocated after the 100th of the messages, and after the 300th.
fn after_each<P: Protocol>(run: &mut Run<P>, message: &dyn Fn(u64) -> Message, is_fine: Expected) -> [usize; 2] {
    [0..100, 100..300].map(|numbers| {
        for number in numbers {
            let answer = run.handle(&message(number));
            assert!(is_fine(&answer), "{answer:?}");
        }
        allocated()
    })
}

type Expected = fn(&Result<(), Error>) -> bool;

fn is_rejected(answer: &Result<(), Error>) -> bool {
    matches!(answer, Ok(()) | Err(Error::Rejected(_)))
}

/// Two members; the second one's identity is known.
struct Flooded {
    members: Vec<Member>,
    liar: Forger,
}

impl Flooded {
    fn new() -> Self {
        let liar = Forger::new([2; 32]);
        let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
        let other = Member::new(liar.store(storage, &init("the one who floods"), 0).unwrap());
        Self { members: vec![Member::in_memory("flooded"), other], liar }
    }
}

fn counter(number: u64) -> impl Fn(&mut Forgery) {
    move |forgery| forgery.counter = number
}

/// 64 KiB of it.
fn long(number: u64) -> impl Fn(&mut Forgery) {
    move |forgery| (forgery.counter, forgery.body) = (number, vec![0; 64 << 10])
}

fn garbage_costs_no_memory() {
    let Flooded { members, liar } = Flooded::new();
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let invitation = members[0].session.invite_sign(key, &[id(1), id(2)], b"m").unwrap();
    let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, b"m").unwrap());
    let (commit, own) = (runs[1].poll_transmit().unwrap(), runs[0].poll_transmit().unwrap());
    let stranger = Forger::new([99; 32]);
    let elsewhere =
        |number: u64| liar.alter(&commit, |forgery| forgery.epoch[..8].copy_from_slice(&number.to_be_bytes()));
    let floods: [(&str, &dyn Fn(u64) -> Message); 4] = [
        ("a stranger's garbage", &|number| stranger.alter(&commit, counter(number))),
        ("garbage of 64 KiB", &|number| stranger.alter(&commit, long(number))),
        ("a member's message of another epoch", &elsewhere),
        ("this member's own message", &|_| own.clone()),
    ];
    for (what, message) in floods {
        let before = allocated();
        let [early, late] = after_each(&mut runs[0], message, is_rejected);
        assert_eq!(early, late, "{what}");
        // That there was one may be remembered, once.
        assert!(early.saturating_sub(before) < 1024, "{what}: {} bytes are kept", early - before);
    }
    // The control: what is kept is seen.
    let before = allocated();
    let kept: Vec<_> = (0..10).map(|number| stranger.alter(&commit, long(number))).collect();
    assert!(allocated() - before >= kept.len() * (64 << 10));
}

fn valid_messages_without_end_cost_bounded_memory() {
    let Flooded { members, liar } = Flooded::new();
    let invitation = dkg_invitation(&members, Suite::Secp256k1, 2);
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let join = runs[1].poll_transmit().unwrap();
    let before = allocated();
    let ([early, late], highest) = at_most(|| {
        runs[0].handle(&join).unwrap();
        // The second one proves the lie; what comes after meets no run.
        after_each(&mut runs[0], &|number| liar.alter(&join, counter(1000 + number)), Result::is_err)
    });
    assert_eq!(early, late);
    assert!(late.saturating_sub(before) < 16 << 10, "{} bytes are kept", late - before);
    assert!(highest < 64 << 10, "{highest} bytes were taken");
}

// One test, so that no other thread's memory is counted.
#[test]
fn a_flood_costs_no_memory_beyond_its_bound() {
    garbage_costs_no_memory();
    valid_messages_without_end_cost_bounded_memory();
}
