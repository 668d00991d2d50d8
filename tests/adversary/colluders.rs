//! Two members that lie together.

use quorumkey::Suite;
use quorumkey::hazmat::subject;

use super::attack::Lie;
use super::cast::{Stage, forger};
use super::fields::everything;
use super::oracle::{End, Oracle};
use super::play::Play;
use super::scene::{Passing, Scene};

/// Two colluding members, one of which accuses the other or tells of two messages, and changes each field of that as well.
/// The third names one of the two, or waits for them.
#[test]
fn lies_in_accusations_and_disputes_name_nobody_honest() {
    for (turn, play) in [Play::Dkg, Play::Refresh, Play::Repair, Play::Reconstruct].into_iter().enumerate() {
        for about in ["accuse", "dispute"] {
            let suite = Suite::ALL[turn % 3];
            let (mut nth, mut more) = (0, true);
            while more {
                more = one_colluding_lie(suite, play, about, nth);
                nth += if everything() { 1 } else { 5 };
            }
            assert!(nth > 5, "{play:?} {about}: there was nothing to change");
        }
    }
}

/// Whether there is such a lie.
fn one_colluding_lie(suite: Suite, play: Play, about: &str, nth: usize) -> bool {
    let stage = Stage::new(suite, play.stage());
    let mut scene = Scene::new(&stage, play);
    // Who gets a share from the others, and who sends it a bad one.
    let (accuser, dealer) = if play == Play::Reconstruct { (0, 2) } else { (2, 0) };
    let people = [scene.seats[accuser].person, scene.seats[dealer].person];
    let deals = if play == Play::Reconstruct { "handover" } else { "deal" };
    let mut there = false;
    scene.run(&mut |Passing { from, to, message, .. }| {
        let spoils = match about {
            "accuse" => subject(message) == deals && (play != Play::Repair || message.round() == 3),
            _ => message.round() == 0 && to == accuser,
        };
        if from == dealer && spoils && subject(message) != "dispute" {
            return vec![forger(people[1]).alter(message, |forgery| match about {
                // The tag of the accuser's ciphertext, which is the last.
                "accuse" => *forgery.body.last_mut().unwrap() ^= 1,
                _ => forgery.counter += 1,
            })];
        }
        if from == accuser && subject(message) == about {
            let lies = Lie::all(message);
            let Some(lie) = lies.get(nth) else { return vec![message.clone()] };
            there = true;
            return lie.tell(&forger(people[0]), message, None).into_iter().collect();
        }
        vec![message.clone()]
    });
    let ends = Oracle::new(&stage, &people).look(&scene);
    let ends = ends.unwrap_or_else(|broken| panic!("{suite:?} {play:?} {about} {nth}: {broken}"));
    assert!(!ends.contains(&End::Done), "{suite:?} {play:?} {about} {nth}: {ends:?}");
    there
}
