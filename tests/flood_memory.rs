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
    after(100, run, message, is_fine)
}

/// What a run has allocated after that many messages, and after three times as many.
fn after<P: Protocol>(first: u64, run: &mut Run<P>, message: &dyn Fn(u64) -> Message, is_fine: Expected) -> [usize; 2] {
    [0..first, first..3 * first].map(|numbers| {
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

/// As long as a message may be, all of it shown by a member in good order, and none of it ever said by anybody.
fn disputes_without_end_cost_bounded_memory() {
    const MAX_BODY: usize = 4 << 20;
    let Flooded { members, liar } = Flooded::new();
    let invitation = dkg_invitation(&members, Suite::Ed25519, 2);
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let joins = [0, 1].map(|at: usize| runs[at].poll_transmit().unwrap());
    runs[0].handle(&joins[1]).unwrap();
    runs[0].poll_transmit().unwrap();
    let stranger = Forger::new([99; 32]);
    let mut body = 2_u32.to_be_bytes().to_vec();
    for join in &joins {
        let shown = stranger.alter(join, |forgery| forgery.body = vec![0; MAX_BODY / 2 - 512]).to_bytes();
        body.extend(u32::try_from(shown.len()).unwrap().to_be_bytes());
        body.extend(shown);
    }
    assert!((MAX_BODY - 1024..=MAX_BODY).contains(&body.len()));
    let bytes = joins[1].to_bytes();
    let dispute = Message::from_bytes(&[&bytes[..101], &[8], &bytes[102..]].concat()).unwrap();
    let longest = |number| liar.alter(&dispute, |forgery| (forgery.counter, forgery.body) = (number, body.clone()));
    let before = allocated();
    let [early, late] = after(4, &mut runs[0], &longest, |answer| matches!(answer, Err(Error::Rejected(_))));
    assert_eq!(early, late);
    assert!(late.saturating_sub(before) < 1024, "{} bytes are kept", late - before);
    // What is read of one is as long as that one, and gone when it is answered.
    let message = longest(99);
    let (answer, highest) = at_most(|| runs[0].handle(&message));
    assert!(matches!(answer, Err(Error::Rejected(_))), "{answer:?}");
    assert!(highest < 3 * MAX_BODY, "{highest} bytes were taken");
}

// One test, so that no other thread's memory is counted.
#[test]
fn a_flood_costs_no_memory_beyond_its_bound() {
    garbage_costs_no_memory();
    valid_messages_without_end_cost_bounded_memory();
    disputes_without_end_cost_bounded_memory();
}
