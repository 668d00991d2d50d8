//! The figures: a table, and `target/ratios.json`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Comparison, threshold};

type Place = (&'static str, &'static str, &'static str, u16);

/// Steps whose growth with n matters, and the exponent that is wanted at most.
const GROWTH: [(&str, f64); 3] = [("receive", 2.2), ("sign", 1.05), ("aggregate", 1.05)];

/// Every pair of times, by suite, step, reference and size.
#[derive(Default)]
pub(crate) struct Report(RefCell<BTreeMap<Place, Vec<(Duration, Duration)>>>);

impl Report {
    pub(crate) fn measured(&self, of: &Comparison, ours: Duration, reference: Duration) {
        self.0.borrow_mut().entry((of.suite, of.op, of.reference, of.n)).or_default().push((ours, reference));
    }

    /// Writes what there is so far, so that a run that is broken off has not been for nothing.
    pub(crate) fn write(&self) {
        let row = |Row { suite, op, reference, n, t, ours, theirs, ratio }: Row| {
            json!({
                "op": op, "suite": suite, "n": n, "t": t, "ours_us": ours, "reference_us": theirs, "ratio": ratio,
                "reference": reference, "backend": backend(suite, op),
            })
        };
        let rows: Vec<_> = self.rows().into_iter().map(row).collect();
        // Nothing is measured when the bench is only listed or tested.
        if !rows.is_empty() {
            std::fs::write(path(), serde_json::to_string_pretty(&merged(rows)).unwrap()).unwrap();
        }
    }

    pub(crate) fn print(&self) {
        println!(
            "{:9} {:17} {:12} {:>4} {:>4} {:>12} {:>12} {:>7}",
            "suite", "step", "reference", "n", "t", "ours, us", "theirs, us", "ratio"
        );
        for Row { suite, op, reference, n, t, ours, theirs, ratio } in self.rows() {
            let remark = remark(reference);
            println!("{suite:9} {op:17} {reference:12} {n:4} {t:4} {ours:12.1} {theirs:12.1} {ratio:7.2}{remark}");
        }
        self.print_growth();
        println!("in {}", path().display());
        for (backend, why_not) in [("avx512", without_avx512()), ("libsecp256k1", without_libsecp())] {
            if let Some(why_not) = why_not {
                println!("not measured with {backend}: {why_not}");
            }
        }
    }

    /// How our time grows from 50 to 300 members, where both were measured.
    fn print_growth(&self) {
        let rows = self.rows();
        for Row { suite, op, reference, ours, .. } in rows.iter().filter(|row| row.n == 50) {
            let is_larger = |row: &&Row| (row.suite, row.op, row.reference, row.n) == (*suite, *op, *reference, 300);
            let (Some(larger), Some((_, wanted))) =
                (rows.iter().find(is_larger), GROWTH.iter().find(|(step, _)| step == op))
            else {
                continue;
            };
            if *reference == "frost-core" {
                let exponent = (larger.ours / ours).ln() / (300.0_f64 / 50.0).ln();
                println!("{suite} {op} grows as n^{exponent:.2} from 50 to 300, and should as n^{wanted} at most");
            }
        }
    }

    fn rows(&self) -> Vec<Row> {
        let row = |(&(suite, op, reference, n), times): (&Place, &Vec<(Duration, Duration)>)| Row {
            suite,
            op,
            reference,
            n,
            t: threshold(n),
            ours: median(times.iter().map(|(ours, _)| micros(*ours))),
            theirs: median(times.iter().map(|(_, theirs)| micros(*theirs))),
            ratio: median(times.iter().map(|(ours, theirs)| micros(*theirs) / micros(*ours))),
        };
        self.0.borrow().iter().map(row).collect()
    }
}

/// These rows, and those of earlier runs that measured something else: a part that is measured again replaces itself alone.
fn merged(rows: Vec<Value>) -> Vec<Value> {
    let place = |row: &Value| ["suite", "op", "reference", "n", "backend"].map(|name| row[name].to_string());
    let before = std::fs::read(path()).ok().and_then(|bytes| serde_json::from_slice::<Vec<Value>>(&bytes).ok());
    let mut all: BTreeMap<_, _> = before.into_iter().flatten().map(|row| (place(&row), row)).collect();
    all.extend(rows.into_iter().map(|row| (place(&row), row)));
    all.into_values().collect()
}

/// Medians of one comparison, in microseconds.
struct Row {
    suite: &'static str,
    op: &'static str,
    reference: &'static str,
    n: u16,
    t: u16,
    ours: f64,
    theirs: f64,
    ratio: f64,
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join("ratios.json")
}

/// What a reader of the figure has to know.
fn remark(reference: &str) -> &'static str {
    match reference {
        "schnorr_fun" => {
            "  one binding factor for all signers, a different protocol: its second round does not grow with n"
        }
        _ => "",
    }
}

/// What computes our side. libsecp256k1 checks signatures, and nothing else.
fn backend(suite: &str, op: &str) -> &'static str {
    let checks = ["verify", "aggregate", "aggregate-cheater"].contains(&op);
    match suite {
        "ed25519" if without_avx512().is_none() => "avx512",
        "secp256k1" | "taproot" if checks && without_libsecp().is_none() => "libsecp256k1",
        _ => "default",
    }
}

/// Why curve25519-dalek's code for AVX-512 does not compute here.
fn without_avx512() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let has = std::arch::is_x86_feature_detected!("avx512ifma") && std::arch::is_x86_feature_detected!("avx512vl");
    #[cfg(not(target_arch = "x86_64"))]
    let has = false;
    match (has, cfg!(curve25519_dalek_backend = "avx512")) {
        (false, _) => Some("this processor has no AVX-512 IFMA"),
        (true, false) => Some("this is built without it: cargo bench-avx512 --bench ratios"),
        (true, true) => None,
    }
}

fn without_libsecp() -> Option<&'static str> {
    if cfg!(feature = "libsecp256k1") { None } else { Some("this is built without it: --features libsecp256k1") }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
