//! Fixed workloads whose instructions `scripts/instructions` counts under callgrind. Their randomness is fixed as well.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench is a test")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/frost_equality/frost.rs"]
mod frost;

use std::hint::black_box;

use common::{Member, dkg_invitation, init};
use frost::{Dealing, Frost, Signing, id, share_bytes};
use frost_ed25519::Ed25519Sha512;
use frost_secp256k1::Secp256K1Sha256;
use frost_secp256k1_tr::Secp256K1Sha256TR;
use quorumkey::hazmat::{Forger, Step, Steps, commit, dkg_member, offer, proofs, random_scalar, refresh_member};
use quorumkey::{Error, GroupKey, MemoryStorage, Message, Signature, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const STEPS: [&str; 11] = [
    "commit",
    "sign",
    "aggregate",
    "aggregate-cheater",
    "deal",
    "receive",
    "receive-wire",
    "proofs",
    "dkg-member",
    "refresh",
    "verify",
];

/// What is rejected: in how many runs, and how many in each. A token's keys and the names of its runs come from the operating
/// system, and how many instructions are taken depends on them a little: over so many it evens out.
const REJECTED: [(&str, usize, u64); 4] =
    [("reject-stranger", 16, 4), ("reject-64k", 16, 4), ("reject-dispute", 1, 1), ("reject-repeated", 16, 32)];

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

/// 7 of 10.
fn steps<F: Frost>(step: &str) -> Option<Steps> {
    let signing = || {
        let members: Vec<_> = (1..=10).collect();
        Signing::<F>::new(&members, 7, &members[..7], &[7; 32], None, &mut rng())
    };
    match step {
        "commit" => commit(F::SUITE, &random_scalar(F::SUITE, &mut rng()).0, [[1; 32], [2; 32]]),
        "sign" => {
            let signing = signing();
            signing.case.sign(id(1), &signing.shares[&id(1)], signing.nonces[&id(1)])
        }
        "aggregate" => {
            let signing = signing();
            signing.case.aggregate(&share_bytes(&signing.frost_shares()))
        }
        "aggregate-cheater" => {
            let signing = signing();
            let mut shares = share_bytes(&signing.frost_shares());
            shares.insert(id(4), shares[&id(1)]);
            signing.case.aggregate(&shares)
        }
        "deal" => offer(F::SUITE, 7, rng()),
        "receive" => Dealing::<F>::new(10, 7, 1, &mut rng()).case.receive(),
        "receive-wire" => Dealing::<F>::new(10, 7, 1, &mut rng()).case.receive_wire(),
        "proofs" => proofs(F::SUITE, 7, 10, None, &mut rng()),
        "dkg-member" => dkg_member(F::SUITE, 7, 10, rng()),
        "refresh" => refresh_member(F::SUITE, 7, 10, rng()),
        "verify" => verify(&signing()),
        _ => None,
    }
}

/// A verifier that keeps the key, and gets a signature that was read.
fn verify<F: Frost>(signing: &Signing<F>) -> Option<Steps> {
    let aggregate = signing.case.aggregate(&share_bytes(&signing.frost_shares()))?;
    let encode = aggregate()();
    let signature = Signature::from_bytes(F::SUITE, &encode().ok()?[0]).ok()?;
    let key = GroupKey::from_bytes(F::SUITE, &signing.case.group_key).ok()?.verifying_key(None);
    let message = signing.case.message.clone();
    Some(Box::new(move || {
        let (key, signature, message) = (key.clone(), signature.clone(), message.clone());
        Box::new(move || {
            key.verify(&message, &signature).unwrap();
            Box::new(|| Ok(Vec::new()))
        })
    }))
}

/// What it costs to reject: a stranger's garbage, 64 KiB of it, the longest dispute of what nobody said, and what was said
/// before. A run of two members, of which the second floods the first.
fn rejected(step: &str, count: u64) -> Step {
    let liar = Forger::new([2; 32]);
    let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
    let other = Member::new(liar.store(storage, &init("the one who floods"), 0).unwrap());
    let members = [Member::in_memory("flooded"), other];
    let invitation = dkg_invitation(&members, Suite::Ed25519, 2);
    let mut runs = members.each_ref().map(|member| member.session.start(&invitation).unwrap());
    let joins = runs.each_mut().map(|run| run.poll_transmit().unwrap());
    runs[0].handle(&joins[1]).unwrap();
    let stranger = Forger::new([99; 32]);
    let long = |join: &Message, number, len| {
        stranger.alter(join, |forgery| (forgery.counter, forgery.body) = (number, vec![0; len]))
    };
    let disputed = || {
        let mut body = 2_u32.to_be_bytes().to_vec();
        for join in &joins {
            let shown = long(join, 0, (2 << 20) - 512).to_bytes();
            body.extend(u32::try_from(shown.len()).unwrap().to_be_bytes());
            body.extend(shown);
        }
        let bytes = joins[1].to_bytes();
        let dispute = Message::from_bytes(&[&bytes[..101], &[8], &bytes[102..]].concat()).unwrap();
        (dispute, body)
    };
    let messages: Vec<_> = match step {
        "reject-stranger" => (0..count).map(|number| long(&joins[1], number, 64)).collect(),
        "reject-64k" => (0..count).map(|number| long(&joins[1], number, 64 << 10)).collect(),
        "reject-dispute" => {
            let (dispute, body) = disputed();
            let alter =
                |number| liar.alter(&dispute, |forgery| (forgery.counter, forgery.body) = (number, body.clone()));
            (0..count).map(alter).collect()
        }
        _ => (0..count).map(|_| joins[1].clone()).collect(),
    };
    Box::new(move || {
        for message in &messages {
            let answer = runs[0].handle(message);
            assert!(matches!(answer, Ok(()) | Err(Error::Rejected(_))), "{answer:?}");
        }
        // What goes at the end is not part of it.
        core::mem::forget((members, runs, messages));
        Box::new(|| Ok(Vec::new()))
    })
}

/// What is counted: callgrind is told to look into this function only.
#[inline(never)]
fn measured_workload(step: Step) {
    drop(black_box(step()));
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let Some(suite) = arguments.next() else {
        // Which ones there are.
        for suite in ["ed25519", "secp256k1", "taproot"] {
            for step in STEPS {
                println!("{suite} {step}");
            }
        }
        // Messages are signed by identities, whatever the suite.
        for (step, ..) in REJECTED {
            println!("ed25519 {step}");
        }
        return;
    };
    let step = arguments.next().unwrap_or_default();
    if let Some((_, runs, count)) = REJECTED.iter().find(|(name, ..)| *name == step) {
        drop(rejected(&step, 1)());
        let floods: Vec<_> = (0..*runs).map(|_| rejected(&step, *count)).collect();
        return measured_workload(Box::new(move || {
            for flood in floods {
                drop(flood());
            }
            Box::new(|| Ok(Vec::new()))
        }));
    }
    let steps = match suite.as_str() {
        "ed25519" => steps::<Ed25519Sha512>(&step),
        "secp256k1" => steps::<Secp256K1Sha256>(&step),
        _ => steps::<Secp256K1Sha256TR>(&step),
    };
    let steps = steps.expect("a suite and one of its steps");
    // Tables that are made once are not part of a step.
    drop(steps()());
    // Nor is what makes one ready, such as the commitments to the nonces that it signs with.
    measured_workload(steps());
}
