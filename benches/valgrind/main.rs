//! What `scripts/constant-time` runs under valgrind: every operation on secrets, and leaks on purpose.
//!
//! `memcheck SUITE OPERATION` runs the operation on eight secrets or more, which memcheck takes for undefined: it shows every
//! branch and every address that depends on one. `callgrind SUITE` counts the instructions of signing for sixteen secrets in each
//! public case.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]
#![allow(unreachable_pub, reason = "a program of four files")]

mod arena;
mod planted;
mod request;

use std::collections::{BTreeMap, BTreeSet};
use std::env::args;
use std::process::exit;

use arena::Arena;
use quorumkey::Suite;
use quorumkey::hazmat::constant_time::{Operation, Prepared, Unwatched, Watch};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use request::{Memcheck, counted, errors, on_valgrind};

#[global_allocator]
static ARENA: Arena = Arena::new();

const SEEDS: u64 = 8;
const COUNTED: u64 = 16;

fn main() {
    if !on_valgrind() {
        eprintln!("not under valgrind: nothing would be watched");
        exit(3);
    }
    let arguments: Vec<String> = args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["memcheck", suite, operation] => memcheck(suite_of(suite), operation_of(operation)),
        ["callgrind", suite] => callgrind(suite_of(suite)),
        ["leak", how] => planted::leak(how, &mut secret(1), &Memcheck),
        ["count-leak", how] => count_leak(how),
        other => panic!("memcheck SUITE OPERATION, callgrind SUITE, leak HOW or count-leak HOW, not {other:?}"),
    }
}

fn suite_of(name: &str) -> Suite {
    Suite::ALL.into_iter().find(|suite| format!("{suite:?}") == name).unwrap()
}

fn operation_of(name: &str) -> Operation {
    Operation::ALL.into_iter().find(|operation| format!("{operation:?}") == name).unwrap()
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn secret(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng(seed).fill_bytes(&mut bytes);
    bytes
}

fn run(operation: Operation, suite: Suite, seed: u64, watch: &dyn Watch) -> String {
    let mut prepared = operation.prepare(suite, &mut rng(seed), watch).unwrap();
    prepared.run();
    finish(operation, prepared, watch)
}

fn finish(operation: Operation, mut prepared: Box<dyn Prepared>, watch: &dyn Watch) -> String {
    prepared.finish(watch).unwrap_or_else(|error| panic!("{operation:?}: {error}"))
}

/// Taproot signs in four ways: with both parities of key and commitment, which are public.
fn public_cases(suite: Suite, operation: Operation) -> usize {
    if suite == Suite::Secp256k1Taproot && operation == Operation::Sign { 4 } else { 1 }
}

fn memcheck(suite: Suite, operation: Operation) {
    let mut cases = BTreeSet::new();
    let mut seeds = 0;
    let wanted = public_cases(suite, operation);
    while seeds < SEEDS || cases.len() < wanted {
        cases.insert(run(operation, suite, seeds, &Memcheck));
        seeds += 1;
    }
    let cases = cases.into_iter().filter(|case| !case.is_empty()).collect::<Vec<_>>().join("; ");
    println!("{suite:?} {operation:?}: {seeds} secrets, {} branches or addresses; {cases}", errors());
}

fn callgrind(suite: Suite) {
    for operation in [Operation::Commit, Operation::Sign] {
        // Tables are made first.
        (0..4).for_each(|seed| _ = run(operation, suite, seed, &Unwatched));
        let mut cases = BTreeMap::<String, u64>::new();
        let wanted = public_cases(suite, operation);
        let mut seed = 0;
        while cases.values().filter(|counted| **counted >= COUNTED).count() < wanted {
            let case = run(operation, suite, seed, &Unwatched);
            let name = format!("{suite:?} {operation:?}/{case}/{seed}");
            ARENA.begin();
            let mut prepared = operation.prepare(suite, &mut rng(seed), &Unwatched).unwrap();
            counted(&name, || prepared.run());
            finish(operation, prepared, &Unwatched);
            *cases.entry(case).or_default() += 1;
            seed += 1;
        }
    }
}

fn count_leak(how: &str) {
    for seed in 0..COUNTED {
        let mut secret = secret(seed);
        // Half of them begin as the guess does.
        if seed % 2 == 0 {
            secret[0] = 0x11;
        }
        counted(&format!("{how}//{seed}"), || planted::leak(how, &mut secret, &Unwatched));
    }
}
