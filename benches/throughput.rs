//! Signatures per second through whole key stores, by 1 to 8 threads with the same tokens: 2 of 3, both signers in this process.
//!
//! Every signature is two members' work: entering, both rounds, claims and audit records, and each aggregates. With a file each
//! claim is durable before the share leaves. `cargo bench --bench throughput -- ed25519` measures a part.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench is a test")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Member, dkg, init, sign};
use quorumkey::{KeyInfo, KeyStore, Suite};

const TIME: Duration = Duration::from_secs(2);

/// Signatures per second.
fn rate(members: &[Member], key: &KeyInfo, threads: usize) -> f64 {
    let (made, start) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let made = &made;
            scope.spawn(move || {
                for run in 0_usize.. {
                    sign(members, key.id, &[1, 2], format!("thread {thread}, run {run}").as_bytes());
                    made.fetch_add(1, Ordering::Relaxed);
                    if start.elapsed() >= TIME {
                        return;
                    }
                }
            });
        }
    });
    f64::from(u32::try_from(made.into_inner()).unwrap()) / start.elapsed().as_secs_f64()
}

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    println!("{:10} {:7} signatures per second with 1, 2, 4, 8 threads", "suite", "store");
    for suite in Suite::ALL {
        for store in ["memory", "file"] {
            let name = format!("{suite:?} {store}").to_lowercase();
            if !name.contains(&filter.to_lowercase()) {
                continue;
            }
            let member = |number: u8| match store {
                "memory" => KeyStore::memory(&init("member")).unwrap(),
                _ => KeyStore::create(folder.path().join(format!("{suite:?}-{number}")), &init("member")).unwrap(),
            };
            let members: Vec<_> = (1..=3).map(|number| Member::new(member(number))).collect();
            let key = dkg(&members, suite, 2);
            let rates: Vec<_> =
                [1, 2, 4, 8].iter().map(|threads| format!("{:8.0}", rate(&members, &key, *threads))).collect();
            println!("{:10} {store:7} {}", format!("{suite:?}").chars().take(10).collect::<String>(), rates.join(" "));
        }
    }
}
