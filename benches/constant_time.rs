//! dudect: whether operations take another time for one secret than for many. To be read, never a gate: on a machine that
//! does other things as well it misses even a leak on purpose. The gate is `scripts/constant-time`.
//!
//! `cargo bench --bench constant_time [NAME]`. The method is that of Reparaz, Balasch and Verbauwhede, "Dude, is my code
//! constant time?" (2017): Welch's t-test over the times of two classes, the slowest ones cut off. A |t| that grows with
//! more runs, beyond 10, is a leak.
#![allow(clippy::unwrap_used, reason = "a bench is a test")]
#![allow(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "statistics"
)]

use std::env::args;
use std::hint::black_box;
use std::time::{Duration, Instant};

use quorumkey::hazmat::constant_time::{Operation, Unwatched};
use quorumkey::{Init, KdfCost, KeyStore, Pin, Suite};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const RUNS: usize = 20_000;
/// What the one secret is made of.
const ONE: u64 = 7;

/// The times of one secret, always the same, and of many.
#[derive(Default)]
struct Times([Vec<f64>; 2]);

impl Times {
    fn add(&mut self, many: bool, time: Duration) {
        let [one, all] = &mut self.0;
        if many { all } else { one }.push(time.as_nanos() as f64);
    }

    /// Welch's t of what is faster than the given part of all.
    fn t(&self, part: f64) -> f64 {
        let mut sorted: Vec<f64> = self.0.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let limit = sorted[((sorted.len() - 1) as f64 * part) as usize];
        let [one, many] = self.0.each_ref().map(|times| {
            let kept: Vec<f64> = times.iter().copied().filter(|time| *time <= limit).collect();
            let mean = kept.iter().sum::<f64>() / kept.len() as f64;
            let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (kept.len() - 1) as f64;
            (mean, variance / kept.len() as f64)
        });
        (one.0 - many.0) / (one.1 + many.1).sqrt()
    }

    fn report(&self, name: &str) {
        let worst =
            [0.5, 0.75, 0.9, 0.99, 1.0].map(|part| self.t(part)).into_iter().max_by(|a, b| a.abs().total_cmp(&b.abs()));
        let runs = self.0.iter().map(Vec::len).sum::<usize>();
        println!("{name:<24} {} runs, max t = {:+.2}", runs, worst.unwrap());
    }
}

/// Only what is of the same public case as the one secret counts: which of BIP-340's negations a signature needs all may
/// know, and they take their time.
fn timed(operation: Operation, suite: Suite) -> Times {
    let prepare = |seed| operation.prepare(suite, &mut ChaCha20Rng::seed_from_u64(seed), &Unwatched).unwrap();
    let mut first = prepare(ONE);
    first.run();
    let case = first.finish(&Unwatched).unwrap();
    let (mut rng, mut times) = (ChaCha20Rng::seed_from_u64(1), Times::default());
    for _ in 0..RUNS {
        let many = rng.next_u32() & 1 == 1;
        let mut prepared = prepare(if many { rng.next_u64() } else { ONE });
        let start = Instant::now();
        prepared.run();
        let time = start.elapsed();
        if prepared.finish(&Unwatched).unwrap() == case {
            times.add(many, time);
        }
    }
    times
}

/// A PIN that is wrong in its first character against one that is wrong in its last.
fn pin() -> Times {
    let [right, first, last] = ["correct horse", "borrect horse", "correct horsf"].map(|text| Pin::new(text).unwrap());
    let officer = Pin::new("somebody else").unwrap();
    let init = Init { label: String::new(), user: right, officer, cost: KdfCost::insecure_for_tests() };
    let store = KeyStore::memory(&init).unwrap();
    let (mut rng, mut times) = (ChaCha20Rng::seed_from_u64(1), Times::default());
    // The log grows with each try, and a login reads it from its beginning.
    for _ in 0..RUNS / 20 {
        let many = rng.next_u32() & 1 == 1;
        let wrong = if many { &first } else { &last };
        let start = Instant::now();
        let refused = black_box(store.login(wrong).is_err());
        times.add(many, start.elapsed());
        assert!(refused);
        // Wrong tries are counted: this begins the count anew.
        drop(store.login(&init.user).unwrap());
    }
    times
}

fn main() {
    // Cargo's own `--bench` is none of ours; a name limits what is run.
    let only = args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let operations = [Operation::Commit, Operation::Sign, Operation::Wrap];
    for (operation, suite) in operations.into_iter().flat_map(|operation| Suite::ALL.map(|suite| (operation, suite))) {
        let name = format!("{operation:?} {suite:?}");
        if name.contains(&only) {
            timed(operation, suite).report(&name);
        }
    }
    if "PIN".contains(&only) {
        pin().report("PIN");
    }
}
