//! What one member computes: dealing, signing, aggregating, verifying, for each suite and two sizes of group.
//!
//! Members are memory tokens in one thread; only the measured one's calls are timed. The figures hold all that a token does,
//! sealing and audit among it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench is a test")]
#![allow(missing_docs, reason = "criterion's macros make public items")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::{Member, dkg, dkg_invitation, group, id, sign};
use criterion::{Criterion, criterion_group, criterion_main};
use quorumkey::{Coordinator, Error, Identifier, KeyInfo, Message, Protocol, Run, Suite};

const SIZES: [u16; 2] = [3, 10];
const MESSAGE: [u8; 32] = [7; 32];

/// Everybody's messages to everybody, and the time that the first member took for them.
fn timed_exchange<P: Protocol>(runs: &mut [Run<P>]) -> (Duration, Vec<Message>) {
    let (mut time, mut all) = (Duration::ZERO, Vec::new());
    loop {
        let mut said = Vec::new();
        for (from, run) in runs.iter_mut().enumerate() {
            said.extend(core::iter::from_fn(|| run.poll_transmit()).map(|message| (from, message)));
        }
        if said.is_empty() {
            return (time, all);
        }
        for (from, message) in said {
            for (to, run) in runs.iter_mut().enumerate().filter(|(to, _)| *to != from) {
                let start = Instant::now();
                let result = run.handle(&message);
                if to == 0 {
                    time += start.elapsed();
                }
                assert!(matches!(result, Ok(()) | Err(Error::Rejected(_))), "{result:?}");
            }
            all.push(message);
        }
    }
}

fn deal_once(members: &[Member], suite: Suite, threshold: u16) -> Duration {
    let invitation = dkg_invitation(members, suite, threshold);
    let start = Instant::now();
    let mut runs = vec![members[0].session.start(&invitation).unwrap()];
    let entered = start.elapsed();
    runs.extend(members[1..].iter().map(|member| member.session.start(&invitation).unwrap()));
    entered + timed_exchange(&mut runs).0
}

fn sign_once(members: &[Member], key: &KeyInfo) -> (Duration, Coordinator, Vec<Message>) {
    let signers: Vec<Identifier> = (1..=key.threshold).map(id).collect();
    let invitation = members[0].session.invite_sign(key.id, &signers, &MESSAGE).unwrap();
    let coordinator = Coordinator::new(&invitation, &members[0].session.certificates(key.id).unwrap()).unwrap();
    let members = &members[..signers.len()];
    let start = Instant::now();
    let mut runs = vec![members[0].session.start_sign(&invitation, &MESSAGE).unwrap()];
    let entered = start.elapsed();
    runs.extend(members[1..].iter().map(|member| member.session.start_sign(&invitation, &MESSAGE).unwrap()));
    let (time, messages) = timed_exchange(&mut runs);
    (entered + time, coordinator, messages)
}

fn aggregate_once(members: &[Member], key: &KeyInfo) -> Duration {
    let (_, mut coordinator, messages) = sign_once(members, key);
    let start = Instant::now();
    for message in &messages {
        coordinator.handle(message).unwrap();
    }
    let time = start.elapsed();
    coordinator.poll_output().expect("all messages of a good run lead to a signature");
    time
}

fn protocol(criterion: &mut Criterion) {
    for suite in Suite::ALL {
        let mut bench = criterion.benchmark_group(format!("{suite:?}"));
        bench.sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
        for n in SIZES {
            let threshold = n / 2 + 1;
            let name = |what: &str| format!("{what}, {threshold} of {n}");
            let members = group(n);
            let key = dkg(&members, suite, threshold);
            bench.bench_function(name("deal, one member"), |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| deal_once(&group(n), suite, threshold)).sum());
            });
            bench.bench_function(name("sign and aggregate, one member"), |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| sign_once(&members, &key).0).sum());
            });
            bench.bench_function(name("aggregate, without a token"), |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| aggregate_once(&members, &key)).sum());
            });
            if n == SIZES[0] {
                let signature = sign(&members, key.id, &[1, 2], &MESSAGE);
                bench.bench_function("verify", |bencher| {
                    bencher.iter(|| key.verifying_key.verify(&MESSAGE, &signature).unwrap());
                });
            }
        }
        bench.finish();
    }
}

criterion_group!(benches, protocol);
criterion_main!(benches);
