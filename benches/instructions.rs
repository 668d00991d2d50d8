//! Fixed workloads whose instructions `scripts/instructions` counts under callgrind. Their randomness is fixed as well.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench is a test")]

#[path = "../tests/frost_equality/frost.rs"]
mod frost;

use std::hint::black_box;

use frost::{Dealing, Frost, Signing, id, share_bytes};
use frost_ed25519::Ed25519Sha512;
use frost_secp256k1::Secp256K1Sha256;
use frost_secp256k1_tr::Secp256K1Sha256TR;
use quorumkey::hazmat::{Step, Steps, commit, dkg_member, offer, proofs, random_scalar, refresh_member};
use quorumkey::{GroupKey, Signature};
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
        return;
    };
    let step = arguments.next().unwrap_or_default();
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
