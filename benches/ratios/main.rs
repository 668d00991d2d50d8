//! How much faster than others: each other library's step and ours in turn, inside of one loop, so that noise hits both.
//!
//! `cargo bench --bench ratios` measures all and writes `target/ratios.json`; a filter such as `ed25519/sign` measures a part, and
//! replaces that part of the file.
//! What cannot be read off a figure:
//!
//! - `sign` is the whole second round, from decoded commitments; `aggregate` from decoded commitments and shares; both begin
//!   without anything that one could have kept from the round before.
//! - `deal` is polynomial, commitments and proof. `dkg-member` and `refresh` are what one member computes of frost's three parts.
//!   Ours seals every share to its receiver besides and opens what it gets, which frost leaves to the application, and in a
//!   refresh deals and proves a share where frost deals zero. Neither has joins, a transcript, or signatures on it: what a whole run
//!   through a token costs, `protocol` shows.
//! - `aggregate-cheater` names every cheater here; frost stops at the first, which is in the middle.
//! - `schnorr_fun` signs with one binding factor for all signers, another protocol, whose second round does not grow with n.
//! - `limit` is what the step comes to with nothing but the libraries' fixed-base multiplications, its one sum of products, for
//!   `aggregate` that of the check, too, or the check of one signature by ed25519-dalek (strict) or libsecp256k1. No library
//!   verifies the signatures of suite secp256k1, whose `verify` is the sum of two products.
//! - taproot's dealing is that of secp256k1, after which frost tweaks the key besides, as we do when it signs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench is a test")]
#![allow(missing_docs, reason = "criterion's macros make public items")]

#[path = "../../tests/frost_equality/frost.rs"]
mod frost;
mod limit;
mod peers;
mod reference;
mod report;

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode};
use quorumkey::Identifier;
use quorumkey::hazmat::Steps;
use report::Report;

/// A step that is ready to be timed.
pub(crate) type Ready = Box<dyn FnOnce()>;
/// Makes a step ready, outside of the time that counts.
pub(crate) type Work = Box<dyn Fn() -> Ready>;

/// The two sides of one comparison.
pub(crate) struct Pair {
    pub(crate) ours: Work,
    pub(crate) theirs: Work,
}

/// Suite, step and reference: what differs in n alone.
type Curve = (&'static str, &'static str, &'static str);

/// One comparison, made only when the filter lets it through.
pub(crate) struct Comparison {
    pub(crate) op: &'static str,
    pub(crate) suite: &'static str,
    pub(crate) n: u16,
    pub(crate) reference: &'static str,
    pub(crate) make: Box<dyn Fn() -> Pair>,
}

/// Our step as work. It has to come to something, or its time is that of a failure.
pub(crate) fn ours(steps: Option<Steps>) -> Work {
    naming(steps, &[])
}

/// The same where these have lied, and are named.
pub(crate) fn naming(steps: Option<Steps>, liars: &[Identifier]) -> Work {
    let steps = steps.expect("the inputs of a bench are good");
    assert_eq!(steps()()().err().unwrap_or_default(), liars);
    Box::new(move || {
        let step = steps();
        Box::new(move || drop(black_box(step())))
    })
}

/// Another library's step: `prepare` is not timed, `run` is.
pub(crate) fn theirs<I: 'static, O>(prepare: impl Fn() -> I + 'static, run: impl Fn(I) -> O + Clone + 'static) -> Work {
    Box::new(move || {
        let (input, run) = (prepare(), run.clone());
        Box::new(move || drop(black_box(run(input))))
    })
}

/// t = ⌈2n/3⌉
pub(crate) const fn threshold(n: u16) -> u16 {
    (2 * n).div_ceil(3)
}

fn time(work: &Work) -> Duration {
    let ready = work();
    let start = now();
    ready();
    now().saturating_sub(start)
}

/// The time that this thread has computed, so that a busy machine does not count.
#[cfg(target_os = "linux")]
fn now() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// What a comparison may take, both sides together, in the usual case.
const BUDGET: Duration = Duration::from_millis(300);
/// Above that the other side is not asked again, once there are three pairs of times.
const PATIENCE: Duration = Duration::from_secs(3);

/// One step against one reference, for every n: of those criterion plots the growth.
fn compare(criterion: &mut Criterion, curve: Curve, comparisons: &[Comparison], report: &Report) {
    let (suite, op, reference) = curve;
    let mut group = criterion.benchmark_group(format!("{suite}/{op}/{reference}"));
    group.sample_size(10).nresamples(2_000).sampling_mode(SamplingMode::Flat);
    // Criterion knows our time only, which can be a hundredth of the whole: how often to measure is decided below.
    group.warm_up_time(Duration::from_nanos(1)).measurement_time(Duration::from_secs(1));
    for comparison in comparisons {
        let measurement = Measurement::new(comparison, report);
        group.bench_function(BenchmarkId::from_parameter(comparison.n), |bencher| {
            bencher.iter_custom(|times| measurement.sample() * u32::try_from(times).unwrap());
        });
        report.write();
    }
    group.finish();
}

/// A comparison that is being measured.
struct Measurement<'a> {
    comparison: &'a Comparison,
    report: &'a Report,
    known: OnceCell<(Pair, u32)>,
    pairs: Cell<u32>,
    /// What the other side took.
    spent: Cell<Duration>,
}

impl<'a> Measurement<'a> {
    fn new(comparison: &'a Comparison, report: &'a Report) -> Self {
        Self { comparison, report, known: OnceCell::new(), pairs: Cell::new(0), spent: Cell::new(Duration::ZERO) }
    }

    /// Measures both sides in turn. Criterion shows our time, and its growth over n; the ratio goes into the report.
    fn sample(&self) -> Duration {
        let (pair, rounds) = self.known.get_or_init(|| {
            let pair = (self.comparison.make)();
            let both = || time(&pair.theirs) + time(&pair.ours);
            // The first time makes tables, if it is a short one.
            let first = both();
            let rounds = rounds(if first < BUDGET { both() } else { first });
            (pair, rounds)
        });
        let mut own = Duration::ZERO;
        for _ in 0..*rounds {
            let wanted = self.pairs.get() < 3 || self.spent.get() < PATIENCE;
            let other = wanted.then(|| time(&pair.theirs));
            let ours = time(&pair.ours);
            if let Some(other) = other {
                self.report.measured(self.comparison, ours, other);
                self.pairs.set(self.pairs.get() + 1);
                self.spent.set(self.spent.get() + other);
            }
            own += ours;
        }
        own / *rounds
    }
}

/// How many pairs make one of criterion's ten samples.
fn rounds(pair: Duration) -> u32 {
    let rounds = (BUDGET / 10).as_nanos() / pair.as_nanos().max(1);
    u32::try_from(rounds.clamp(1, 1_000)).unwrap()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let report = Report::default();
    let comparisons = reference::comparisons().into_iter().chain(peers::comparisons()).chain(limit::comparisons());
    let mut curves: BTreeMap<Curve, Vec<Comparison>> = BTreeMap::new();
    for comparison in comparisons {
        curves.entry((comparison.suite, comparison.op, comparison.reference)).or_default().push(comparison);
    }
    for (curve, comparisons) in curves {
        compare(&mut criterion, curve, &comparisons, &report);
    }
    report.print();
    criterion.final_summary();
}
