//! The oracles themselves: each notices what it is there for, so none of them is content with everything.

use quorumkey::hazmat::{body, subject};
use quorumkey::{Error, Evidence, Fork, Misbehaviour, StorageError, Suite};

use super::cast::{Stage, forger};
use super::common::id;
use super::oracle::{End, Oracle};
use super::play::Play;
use super::scene::{Output, Passing, Scene};

/// A run that nobody disturbed, told wrongly. What the oracles say to it.
fn told_wrongly(play: Play, change: impl FnOnce(&Stage, &mut Scene)) -> String {
    let stage = Stage::of(Suite::Secp256k1, play);
    let mut scene = Scene::new(&stage, play);
    scene.undisturbed();
    Oracle::new(&stage, &[]).look(&scene).unwrap();
    change(&stage, &mut scene);
    Oracle::new(&stage, &[]).look(&scene).unwrap_err()
}

/// Another run of the same, to its end.
fn another(stage: &Stage, play: Play) -> Scene {
    let mut scene = Scene::new(stage, play);
    scene.undisturbed();
    scene
}

#[test]
fn an_honest_member_that_is_blamed_is_noticed() {
    let broken = told_wrongly(Play::Sign, |_, scene| {
        let (misbehaviour, evidence) = (Misbehaviour::Malformed, Evidence::default());
        scene.seats[1].failure = Some(Error::PeerMisbehaved { culprits: vec![id(1)], misbehaviour, evidence });
    });
    assert!(broken.contains("blames"), "{broken}");
    let broken = told_wrongly(Play::Sign, |_, scene| {
        scene.seats[1].failure = Some(Error::RolledBack { member: id(1) });
    });
    assert!(broken.contains("rolled back"), "{broken}");
}

#[test]
fn evidence_that_convinces_a_judge_of_somebody_honest_is_noticed() {
    let broken = told_wrongly(Play::Sign, |_, scene| {
        let said = scene.seats[0].said[0].clone();
        let other = forger(0).alter(&said, |forgery| forgery.counter += 1);
        let (misbehaviour, evidence) = (Misbehaviour::Equivocation, Evidence::new(vec![said, other]));
        scene.seats[1].failure = Some(Error::PeerMisbehaved { culprits: Vec::new(), misbehaviour, evidence });
    });
    assert!(broken.contains("judge"), "{broken}");
}

#[test]
fn blame_that_convinces_no_judge_is_noticed() {
    let (play, liars) = (Play::Sign, [0]);
    let stage = Stage::of(Suite::Secp256k1, play);
    let mut scene = another(&stage, play);
    let liar = scene.seats[0].id;
    let (misbehaviour, evidence) = (Misbehaviour::SignatureShare, Evidence::new(scene.seats[0].said.clone()));
    scene.seats[1].failure = Some(Error::PeerMisbehaved { culprits: vec![liar], misbehaviour, evidence });
    let broken = Oracle::new(&stage, &liars).look(&scene).unwrap_err();
    assert!(broken.contains("and a judge None"), "{broken}");
}

#[test]
fn a_nonce_that_is_used_twice_is_noticed() {
    let broken = told_wrongly(Play::Sign, |_, scene| {
        let said = &mut scene.seats[0].said;
        let share = said.iter().find(|message| subject(message) == "share").unwrap();
        let twice = forger(0).alter(share, |forgery| forgery.body[40] ^= 1);
        assert_ne!(body(&twice), body(share));
        said.push(twice);
    });
    assert!(broken.contains("twice"), "{broken}");
}

#[test]
fn a_signature_of_another_key_is_noticed() {
    let broken = told_wrongly(Play::Sign, |stage, scene| {
        scene.seats[0].output = another(stage, Play::SignChild).seats[0].output.take();
    });
    assert!(broken.contains("invalid signature"), "{broken}");
}

#[test]
fn a_liar_that_nobody_names_is_noticed() {
    let stage = Stage::of(Suite::Secp256k1, Play::Sign);
    let mut scene = Scene::new(&stage, Play::Sign);
    scene.run(&mut |Passing { from, to, message, .. }| {
        let other = forger(0).alter(message, |one| one.counter += 1);
        if (from, to) == (0, 1) { vec![message.clone(), other] } else { vec![message.clone()] }
    });
    let ends = Oracle::new(&stage, &[0]).look(&scene).unwrap();
    assert!(ends.contains(&End::Names), "{ends:?}");
    scene.seats[1].failure = None;
    let broken = Oracle::new(&stage, &[0]).look(&scene).unwrap_err();
    assert!(broken.contains("nobody names"), "{broken}");
}

#[test]
fn a_fork_that_somebody_sees_is_noticed() {
    let broken = told_wrongly(Play::Refresh, |_, scene| {
        let Some(Output::Key(key)) = &mut scene.seats[0].output else { panic!("no key") };
        let (ours, theirs) = (key.epoch, key.epoch);
        key.forks.push(Fork { ours, theirs, revision: Some(1), culprits: vec![id(1)] });
    });
    assert!(broken.contains("sees a fork"), "{broken}");
}

#[test]
fn another_key_that_is_put_together_is_noticed() {
    let broken = told_wrongly(Play::Reconstruct, |_, scene| {
        // Of another cast, which has a key of its own.
        let stage = Stage::of(Suite::Secp256k1Taproot, Play::Reconstruct);
        scene.seats[0].output = another(&stage, Play::Reconstruct).seats[0].output.take();
    });
    assert!(broken.contains("another key was put together"), "{broken}");
}

#[test]
fn a_token_that_breaks_is_noticed() {
    let broken = told_wrongly(Play::Sign, |_, scene| {
        scene.seats[1].failure = Some(Error::Storage(StorageError::Corrupt));
    });
    assert!(broken.contains("is broken: Storage"), "{broken}");
}

#[test]
fn a_key_that_others_do_not_hold_is_noticed() {
    let broken = told_wrongly(Play::Dkg, |stage, scene| {
        scene.seats[0].output = another(stage, Play::Dkg).seats[0].output.take();
    });
    assert!(broken.contains("two epochs"), "{broken}");
    // All say that they have it, and one has destroyed it.
    let broken = told_wrongly(Play::Dkg, |stage, scene| {
        let Some(Output::Key(key)) = &scene.seats[0].output else { panic!("no key") };
        stage.people[2].session.destroy(key.id).unwrap();
    });
    assert!(broken.contains("does not hold"), "{broken}");
}
