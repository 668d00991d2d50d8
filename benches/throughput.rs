//! Signatures per second through whole key stores, by 1 to 8 threads with the same tokens: 2 of 3, both signers in this process;
//! and what a signature through key stores in memory costs beside the bare two rounds, both in turn, in processor time.
//!
//! Every signature is two members' work: entering, both rounds, claims and audit records, and each aggregates. With a file each
//! claim is durable before the share leaves. `cargo bench --bench throughput -- ed25519` measures a part.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench is a test")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Member, dkg, exchange, id, init, sign};
use quorumkey::hazmat::{SigningCase, Steps, commit, random_scalar, shares};
use quorumkey::{KeyInfo, KeyStore, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

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

/// The time that this thread has computed.
#[cfg(target_os = "linux")]
fn now() -> Duration {
    rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).try_into().unwrap()
}

#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed()
}

/// Commitments, signature share and aggregate of both signers: what the key stores compute at least.
fn bare_steps(suite: Suite) -> Vec<Steps> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (secret, group_key) = random_scalar(suite, &mut rng);
    let signers = [id(1), id(2)];
    let dealt = shares(suite, &[secret, random_scalar(suite, &mut rng).0], &signers).unwrap();
    let made =
        [1, 2].map(|at: usize| commit(suite, &dealt[at - 1].0, [[u8::try_from(at).unwrap(); 32], [9; 32]]).unwrap());
    let nonces: Vec<_> = made.iter().map(|steps| steps()()().unwrap()).collect();
    let scalars = |of: &[Vec<u8>]| [of[0].as_slice().try_into().unwrap(), of[1].as_slice().try_into().unwrap()];
    let case = SigningCase {
        suite,
        group_key,
        verifying_shares: signers.into_iter().zip(dealt.iter().map(|(_, public)| public.clone())).collect(),
        commitments: signers.into_iter().zip(nonces.iter().map(|of| of[2].clone())).collect(),
        message: b"thread 0, run 0".to_vec(),
        root: None,
    };
    let sign = |at: usize| case.sign(signers[at], &dealt[at].0, scalars(&nonces[at])).unwrap();
    let signing = [sign(0), sign(1)];
    let signed: BTreeMap<_, [u8; 32]> = signers
        .into_iter()
        .zip(signing.iter().map(|steps| steps()()().unwrap()[0].as_slice().try_into().unwrap()))
        .collect();
    let aggregate = || case.aggregate(&signed).unwrap();
    made.into_iter().chain(signing).chain([aggregate(), aggregate()]).collect()
}

/// A signature of members 1 and 2 and nothing else: invited, entered, both rounds handled, the output taken.
fn run(members: &[Member], key: &KeyInfo, message: &[u8]) {
    let signers = &members[..2];
    let invitation = signers[0].session.invite_sign(key.id, &[id(1), id(2)], message).unwrap();
    let mut runs: Vec<_> =
        signers.iter().map(|member| member.session.start_sign(&invitation, message).unwrap()).collect();
    drop(std::hint::black_box(exchange(&mut runs)));
}

/// How many times longer a signature takes through key stores in memory than its bare rounds: the median of pairs.
fn over_bare(members: &[Member], key: &KeyInfo, suite: Suite) -> (Duration, Duration, f64) {
    let bare = bare_steps(suite);
    let timed = |work: &mut dyn FnMut()| {
        let start = now();
        work();
        now().saturating_sub(start)
    };
    let mut pairs: Vec<_> = (0..200)
        .map(|number| {
            let ready: Vec<_> = bare.iter().map(|steps| steps()).collect();
            let mut ready = Some(ready);
            let bare =
                timed(&mut || ready.take().unwrap().into_iter().for_each(|step| drop(std::hint::black_box(step()))));
            let whole = timed(&mut || run(members, key, format!("pair {number}").as_bytes()));
            (whole, bare)
        })
        .collect();
    let ratio = |(whole, bare): &(Duration, Duration)| whole.as_secs_f64() / bare.as_secs_f64();
    pairs.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let (whole, bare) = pairs[pairs.len() / 2];
    (whole, bare, ratio(&(whole, bare)))
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
            if store == "memory" {
                let (whole, bare, ratio) = over_bare(&members, &key, suite);
                println!("           {whole:?} each, of which the bare rounds {bare:?}: {ratio:.2} times");
            }
        }
    }
}
