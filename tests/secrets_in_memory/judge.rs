//! What must be in memory at each stage, and what must not.

use std::collections::BTreeSet;

use quorumkey::Suite;

use crate::observer::{Copies, HEAP, STACK, Seen};

/// Somebody is logged in.
const LOGGED_IN: &[&str] = &["root key", "identity"];
/// After a refresh, which renews the root keys. The first member changes its PIN later.
const REFRESHED: &[&str] = &["second root key", "changing root key", "identity"];

/// With a new device in the place of the restored one.
const REPAIRED: &[&str] = &["second root key", "changing root key", "new device's root key", "identity"];
const LAST: &[&str] = &["last root key", "second root key", "new device's root key", "identity"];
/// What is on the stack and nowhere else: seen there, or the scan of the stack proves nothing.
const PLANTED: (&str, &[&[&str]]) = ("a PIN is on the stack", &[]);

/// The secrets that are alive at each stage. Each of them is found on the heap, or the scan proves nothing. Any other is
/// dead, or not yet born, and is nowhere.
const ALIVE: &[(&str, &[&[&str]])] = &[
    ("PINs are held", &[&["PIN", "officer's PIN"]]),
    PLANTED,
    ("joined", &[LOGGED_IN, &["run key"]]),
    ("dealt", &[LOGGED_IN]),
    ("dealing over", &[LOGGED_IN]),
    ("committed", &[LOGGED_IN, &["nonce", "share"]]),
    ("signed", &[LOGGED_IN]),
    ("signing over", &[LOGGED_IN]),
    ("refresh dealt", &[LOGGED_IN, &["share", "refresh's run key", "chain code"]]),
    ("refresh computed", &[LOGGED_IN, &["share", "chain code"]]),
    ("refreshed", &[REFRESHED]),
    ("refresh over", &[REFRESHED]),
    ("committed again", &[REFRESHED, &["second nonce", "new share"]]),
    ("signed again", &[REFRESHED]),
    ("nonces made beforehand", &[REFRESHED, &["first nonce made beforehand", "other nonce made beforehand"]]),
    ("the first of them used", &[REFRESHED, &["other nonce made beforehand"]]),
    ("the others given up", &[REFRESHED]),
    ("import joined", &[REFRESHED, &["imported key"]]),
    ("import dealt", &[REFRESHED]),
    ("imported", &[REFRESHED]),
    ("import begun", &[REFRESHED, &["imported key"]]),
    ("import aborted", &[REFRESHED]),
    ("backup key held", &[REFRESHED, &["backup key"]]),
    ("backed up", &[REFRESHED, &["backup key"]]),
    ("restored", &[REFRESHED, &["backup key", "restored root key"]]),
    ("backup key gone", &[REFRESHED, &["restored root key"]]),
    ("handing over", &[REFRESHED, &["restored root key", "reconstruction's run key", "new share"]]),
    ("whole key held", &[REFRESHED, &["restored root key", "whole key", "chain code"]]),
    ("whole key gone", &[REFRESHED, &["restored root key"]]),
    ("repair joined", &[REPAIRED, &["repair's run key", "new share", "chain code"]]),
    ("repair dealt", &[REPAIRED, &["repair's run key"]]),
    ("repaired", &[REPAIRED]),
    ("repair over", &[REPAIRED]),
    ("PIN changed", &[LAST]),
    ("import left to the logout", &[LAST, &["imported key"]]),
    ("logged out", &[]),
    ("all gone", &[]),
];

/// Of what there may be a copy on the stack of an optimised build, one and no more, while the secret is alive on the heap, as
/// SECURITY.md says. Which of them there is, and of which suite, changes with the compiler and with the code around.
const ON_THE_STACK: &[&str] =
    &["run key", "refresh's run key", "reconstruction's run key", "nonce", "second nonce", "share", "new share"];

/// What is wrong, stage by stage.
pub fn judge(suite: Suite, wipes: bool, seen: &[Seen]) -> Vec<String> {
    let who = if wipes { format!("{suite:?}, wiping") } else { format!("{suite:?}") };
    let mut wrong = Vec::new();
    if !seen.iter().map(|one| one.stage.as_str()).eq(ALIVE.iter().map(|(stage, _)| *stage)) {
        wrong.push(format!("{who}: other stages than those that are judged"));
    }
    for Seen { stage, copies } in seen {
        println!("{who}, {stage}: {}", describe(copies));
        let alive = ALIVE.iter().find(|(name, _)| name == stage).map_or_else(Vec::new, |(_, alive)| alive.concat());
        let alive = alive.into_iter().collect();
        if *stage == PLANTED.0 {
            let seen = copies.keys().eq([&("PIN".to_owned(), STACK)]);
            wrong.extend((!seen).then(|| format!("{who}, {stage}: {}", describe(copies))));
            continue;
        }
        let mut found = judge_heap(&alive, copies);
        // Where the frames of a debug build lie tells nothing of an optimised one.
        if !cfg!(debug_assertions) {
            found.extend(judge_stack(&alive, copies));
        }
        wrong.extend(found.into_iter().map(|what| format!("{who}, {stage}: {what}")));
    }
    wrong
}

fn judge_heap(alive: &BTreeSet<&str>, copies: &Copies) -> Vec<String> {
    let missing = alive.iter().filter(|kind| !copies.contains_key(&((**kind).to_owned(), HEAP)));
    let missing = missing.map(|kind| format!("no living {kind} is found: the scan proves nothing"));
    let left = copies.iter().filter(|((kind, place), _)| *place != STACK && !alive.contains(kind.as_str()));
    missing.chain(left.map(|((kind, place), count)| format!("{count} x {kind} left on the {place}"))).collect()
}

fn judge_stack(alive: &BTreeSet<&str>, copies: &Copies) -> Vec<String> {
    let most = |kind: &str| usize::from(alive.contains(kind) && ON_THE_STACK.contains(&kind));
    let more = copies.iter().filter(|((kind, place), count)| *place == STACK && **count > most(kind));
    more.map(|((kind, _), count)| format!("{count} x {kind} on the stack, {} may be", most(kind))).collect()
}

fn describe(copies: &Copies) -> String {
    let text = copies.iter().map(|((kind, place), count)| format!("{kind} {count} x {place}"));
    let text = text.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "nothing".to_owned() } else { text }
}
