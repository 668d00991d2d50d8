//! Each step of a token's life, with each call of its storage failing once: reads as well as changes.

use std::iter;
use std::sync::Arc;

use quorumkey::audit::{Head, follow};
use quorumkey::hazmat::Shared;
use quorumkey::{Error, Filter, KeyStore, MemoryStorage, Result, Session, StorageError};

use super::acts::*;
use super::failing::{Failing, Failure};
use super::scenes::*;
use super::storage::claimed;
use crate::common::user_pin;

/// A step, and what has come of it in the end.
struct Step {
    name: &'static str,
    scene: fn() -> Scene,
    act: fn(&Stage<'_>) -> Result<()>,
    done: fn(&Stage<'_>),
}

const STEPS: [Step; 27] = [
    Step { name: "a login", scene: with_a_key, act: |stage| stage.store().login(&user_pin())?.logout(), done: signs },
    Step { name: "a look", scene: with_a_key, act: look, done: signs },
    Step { name: "a new key", scene: without_a_key, act: make, done: |stage| sign_with(stage, active(stage)) },
    Step { name: "a signature", scene: with_a_key, act: sign, done: signs },
    Step { name: "nonces made beforehand", scene: with_a_key, act: preprocess, done: signs },
    Step { name: "a refresh", scene: with_a_key, act: renew, done: signs },
    Step { name: "a repair of another member", scene: with_a_lost_member, act: repair, done: signs_repaired },
    Step { name: "a repair of this member", scene: as_a_lost_member, act: repair, done: signs_repaired },
    Step { name: "an export", scene: with_a_key, act: export, done: signs },
    Step { name: "a restriction", scene: with_a_key, act: restrict, done: exports_nothing },
    Step { name: "a new PIN", scene: with_a_key, act: |stage| stage.one().set_pin(&new_pin()), done: has_the_new_pin },
    Step { name: "a certificate that was missed", scene: behind, act: complete, done: signs },
    Step { name: "a chain that was missed", scene: away, act: catch_up, done: is_retired },
    Step { name: "a restored share", scene: restored, act: restore, done: is_restored },
    Step { name: "an imported key", scene: without_a_key, act: import, done: |stage| sign_with(stage, active(stage)) },
    Step { name: "a signature by a child key", scene: with_a_taproot_key, act: sign_derived, done: signs },
    Step { name: "a run that is given up", scene: with_a_key, act: give_up, done: signs },
    Step { name: "a reshare without a lost member", scene: with_a_third_member, act: reshare, done: signs },
    Step { name: "a new member", scene: with_a_guest, act: enrol, done: has_three_members },
    Step { name: "a key put together", scene: with_an_open_key, act: reconstruct, done: signs },
    Step { name: "an attempt given up", scene: with_an_attempt, act: abandon, done: has_abandoned },
    Step { name: "an override", scene: with_a_key, act: override_rules, done: signs },
    Step { name: "a pardon", scene: with_a_key, act: pardon, done: signs },
    Step { name: "a word on an old share", scene: renewed, act: declare, done: signs },
    Step { name: "an export of the identity", scene: with_a_key, act: export_identity, done: signs },
    Step { name: "an officer's new PIN", scene: with_a_key, act: renew_officers_pin, done: officer_has_the_new_pin },
    Step { name: "a PIN that was forgotten", scene: with_a_key, act: reset_pin, done: has_the_new_pin },
];

/// It leaves no key to do anything with.
const LAST: Step = Step { name: "a destruction", scene: with_a_key, act: destroy, done: is_destroyed };

/// Lets each call of that kind of one step fail. How many there are.
fn each_call_fails(step: &Step, failure: Failure, reopens: bool) -> u32 {
    let scene = (step.scene)();
    (1..10_000).find(|k| !survives(step, &scene, failure, *k, reopens)).unwrap() - 1
}

/// One try in which the k-th call fails. `false` when there are fewer.
fn survives(step: &Step, scene: &Scene, failure: Failure, k: u32, reopens: bool) -> bool {
    let storage = Failing::new(&scene.tokens[0], failure);
    let others = scene.tokens[1..].iter().map(|token| KeyStore::open_in(MemoryStorage::new(token)).unwrap());
    let stores: Vec<_> = iter::once(KeyStore::open_in(storage.clone()).unwrap()).chain(others).collect();
    let sessions = stores.iter().map(log_in).collect();
    let mut stage = Stage { scene, stores, sessions };
    storage.arm(k);
    let result = (step.act)(&stage);
    let reached = storage.disarm();
    let at = format!("{}, {failure:?} {k}", step.name);
    assert_eq!(result.is_err(), reached, "{at}: {result:?}");
    if let Err(error) = result {
        assert!(matches!(error, Error::Storage(StorageError::Io(_))) && error.retryable(), "{at}: {error:?}");
    }
    // The same session goes on once the storage answers, also when all was sealed under another key, and so does one that is
    // opened afresh.
    if reopens {
        stage = stage.reopened(Shared(Arc::clone(&storage.inner)));
    }
    if reached {
        let again = make_up(step, &stage);
        assert!(again.is_ok(), "{at}, again: {again:?}");
    }
    (step.done)(&stage);
    check_log(&stage.reopened(Shared(storage.inner)));
    reached
}

/// Does the step again, unless it turns out to have been done.
fn make_up(step: &Step, stage: &Stage<'_>) -> Result<()> {
    settle(&stage.sessions);
    match (step.act)(stage) {
        Err(Error::Exists(key)) if stage.one().key(key).is_ok() => Ok(()),
        Err(Error::NotFound(key)) if Some(key) == stage.scene.key => Ok(()),
        other => other,
    }
}

/// Each tells the others what they lack.
fn settle(sessions: &[Session]) {
    for from in sessions {
        for key in from.find(&Filter::default()).unwrap() {
            let chain = from.certificates(key.id).unwrap_or_default();
            for to in sessions.iter().filter(|to| to.key(key.id).is_ok()) {
                for certificate in &chain {
                    to.complete(certificate).unwrap();
                }
            }
        }
    }
}

fn check_log(stage: &Stage<'_>) {
    let log = stage.one().audit(None, 100_000).unwrap();
    follow(&log, &Head::genesis(&stage.store().info().unwrap().id)).unwrap();
    claimed(stage.one());
}

/// Lets every call of that kind fail in every step. The same handle goes on afterwards, and one that is opened anew.
fn every_call_fails(failure: Failure, least: u32) {
    let mut calls = 0;
    for step in STEPS.iter().chain([&LAST]) {
        let counted = each_call_fails(step, failure, false);
        // A read that fails leaves nothing behind that a new handle could find.
        if failure != Failure::Read {
            assert_eq!(each_call_fails(step, failure, true), counted, "{}", step.name);
        }
        assert!(counted > 0 || failure != Failure::Read, "{} reads nothing", step.name);
        calls += counted;
    }
    println!("{failure:?}: {calls} calls failed");
    assert!(calls >= least, "there are more calls than {calls} in these steps");
}

#[test]
fn a_read_that_fails_fails_its_step_and_is_never_taken_for_an_absence() {
    every_call_fails(Failure::Read, 900);
}

#[test]
fn a_change_that_fails_fails_its_step_whichever_it_is() {
    every_call_fails(Failure::Change, 70);
}

#[test]
fn a_change_that_was_made_and_reported_as_failed_is_no_harm_in_any_step() {
    every_call_fails(Failure::ChangeMade, 70);
}
