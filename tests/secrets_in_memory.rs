//! Looks for secrets in the memory of a process that deals, signs, refreshes, restores and logs out, as somebody would who
//! can read it.
//!
//! The process is this program once more: it does the work and prints what is public. The observer keeps the memory of
//! every stage and tries what lies there: a scalar whose multiple of the generator was sent by a member is that member's
//! secret, a key that opens a token's sealed state is its root key, a seed that gives a card's key is that identity's. So
//! the observer needs no door into the library, and knows no secret that it did not find, but for the PINs, which people
//! choose. Then it looks for every copy, in every stage.
//!
//! A scan that finds nothing while a secret is in use would prove nothing, so each stage says which must be found, and all
//! others must not be. Only coefficients live and die within one call, where no observer gets in between: of them, what is
//! left is looked for.
//!
//! Each suite is looked at twice: with freed memory as the library leaves it, and with an allocator that wipes it. What
//! dead frames hold on the stack changes with the compiler; of an optimised build it may be no more than SECURITY.md says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]
#![allow(unreachable_pub, reason = "a program of several files")]

mod common;

#[path = "secrets_in_memory/allocator.rs"]
mod allocator;
#[path = "secrets_in_memory/judge.rs"]
mod judge;
#[path = "secrets_in_memory/observer.rs"]
mod observer;
#[path = "common/points.rs"]
mod points;
#[path = "secrets_in_memory/victim.rs"]
mod victim;

use std::process::exit;

use quorumkey::Suite;

const VICTIM: &str = "QUORUMKEY_MEMORY_VICTIM";
/// Set for a victim that wipes what it frees.
const WIPES: &str = "QUORUMKEY_MEMORY_WIPES";
/// What members and officers log in with, and what a member chooses later: as much of it as is looked for.
const PINS: [(&str, &[u8; 16]); 3] =
    [("PIN", b"the user's words"), ("officer's PIN", b"the officer's wo"), ("new PIN", b"another user's w")];

fn main() {
    if let Ok(code) = std::env::var(VICTIM) {
        return victim::live(Suite::from_code(code.parse().unwrap()).unwrap());
    }
    let mut failures = Vec::new();
    // What counts is the optimised build, which scans for all; this one, slow, shows that the scan itself works.
    let suites = if cfg!(debug_assertions) { &Suite::ALL[..1] } else { &Suite::ALL };
    for (suite, wipes) in suites.iter().copied().flat_map(|suite| [(suite, false), (suite, true)]) {
        let with = if wipes { "_with_the_wiping_allocator" } else { "" };
        let found = observer::observe(suite, wipes);
        let wrong = judge::judge(suite, wipes, &found);
        let outcome = if wrong.is_empty() { "ok" } else { "FAILED" };
        println!("test no_secret_of_{suite:?}_outlives_its_use{with} ... {outcome}\n");
        failures.extend(wrong);
    }
    if !failures.is_empty() {
        println!("{}", failures.join("\n"));
        exit(1);
    }
}
