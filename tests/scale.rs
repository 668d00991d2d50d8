//! A thousand members: what one of them holds in memory beside the messages that it has to keep.
//!
//! The default sizes are smaller, with the same bound. `QUORUMKEY_SCALE=1000 cargo test --release --test scale -- --nocapture`
//! takes the largest group that there can be, and prints the figures.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/counting.rs"]
mod counting;

use counting::{allocated, at_most};
use quorumkey::hazmat::{SigningCase, Step, commit, dkg_member, random_scalar, refresh_member};
use quorumkey::{Identifier, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// A token makes a key with so many others. The most that it holds in the round of the deals beside the messages, and how
/// long its transcript is.
fn token_among(n: u16) -> (usize, usize) {
    let (members, t) = (common::group(n), (2 * n).div_ceil(3));
    let invitation = common::dkg_invitation(&members, Suite::Ed25519, t);
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let [_, held] = [(); 2].map(|()| {
        let said: Vec<_> = runs.iter_mut().map(|run| run.poll_transmit().unwrap()).collect();
        let (token, others) = runs.split_first_mut().unwrap();
        for run in others {
            for message in &said {
                run.handle(message).unwrap();
            }
        }
        at_most(|| said.iter().for_each(|message| token.handle(message).unwrap())).1
    });
    (held, usize::from(n) * (usize::from(t) + 3) * 32)
}

/// What a member of so many may hold beside the encoded messages of all, in bytes: among 1,000 it is less than 1 MiB.
fn bound(n: u16) -> usize {
    (512 << 10) + 512 * usize::from(n)
}

/// The most that a step holds, beyond what was there when it began; and how many bytes it comes to.
fn held_by(step: Step) -> (usize, usize) {
    let (outcome, held) = at_most(step);
    (held, outcome().unwrap().iter().map(Vec::len).sum())
}

/// A member's own deal, which is made in the step and kept like those of the others: points and scalars of 33 bytes at
/// most, ciphertexts of share, payload and tag behind their lengths.
fn own_deal(n: u16, t: u16) -> usize {
    33 * (usize::from(t) + 3) + usize::from(n) * (8 + 32 + 32 + 16)
}

fn signing(suite: Suite, t: u16, rng: &mut ChaCha20Rng) -> (SigningCase, Identifier, [u8; 32], [[u8; 32]; 2]) {
    let ids: Vec<_> = (1..=t).map(|number| Identifier::new(number).unwrap()).collect();
    let (share, group_key) = random_scalar(suite, rng);
    let mut own = [[0; 32]; 2];
    let mut commitments = std::collections::BTreeMap::new();
    for id in &ids {
        let mut randomness = [[0; 32]; 2];
        rng.fill_bytes(randomness.as_flattened_mut());
        let made = commit(suite, &share, randomness).unwrap()()()().unwrap();
        if id.get() == 1 {
            own = [made[0].as_slice().try_into().unwrap(), made[1].as_slice().try_into().unwrap()];
        }
        commitments.insert(*id, made[2].clone());
    }
    let verifying_shares = std::collections::BTreeMap::new();
    let case = SigningCase { suite, group_key, verifying_shares, commitments, message: b"m".to_vec(), root: None };
    (case, ids[0], share, own)
}

// One test, so that no other thread's memory is counted.
#[test]
fn one_member_of_many_holds_little_beside_the_messages_of_all() {
    let largest = std::env::var("QUORUMKEY_SCALE").map_or(160, |number| number.parse::<u16>().unwrap());
    for suite in Suite::ALL {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (n, t) = (largest, (2 * largest).div_ceil(3));
        for (what, steps) in
            [("dkg", dkg_member(suite, t, n, rng.clone())), ("refresh", refresh_member(suite, t, n, rng.clone()))]
        {
            let (held, outcome) = held_by(steps.unwrap()());
            let beside = held.saturating_sub(own_deal(n, t));
            println!("{suite:?} {what}: {t} of {n}, {beside} bytes beside the messages, {outcome} bytes at the end");
            assert!(beside <= bound(n), "{what} of {suite:?} holds {beside} bytes");
        }
        let (case, id, share, nonces) = signing(suite, t, &mut rng);
        // Decoding the commitments counts, too.
        let before = allocated();
        let step = case.sign(id, &share, nonces).unwrap()();
        let decoded = allocated() - before;
        let (held, _) = held_by(step);
        println!("{suite:?} sign: {t} signers, {} bytes beside the commitments", decoded + held);
        assert!(decoded + held <= bound(n), "sign of {suite:?} holds {} bytes", decoded + held);
    }
    // The engine holds each message once: there is no room here for a second copy of the deals, some 170,000 bytes.
    let (held, transcript) = token_among(40);
    println!("token: {held} bytes beside the deals of 40, with a transcript of {transcript} bytes");
    assert!(held <= 8 * transcript + 50_000, "a token holds {held} bytes");
}
