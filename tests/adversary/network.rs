//! What a network does, and a member that speaks with two tongues, falls silent, or says again what it said elsewhere.

use std::collections::BTreeSet;

use quorumkey::hazmat::{BODY, body, subject};
use quorumkey::{Message, Suite};

use super::attack::Lie;
use super::cast::{Cast, Stage, forger};
use super::fields::everything;
use super::oracle::{End, Oracle};
use super::play::Play;
use super::scene::{Passing, Scene};

/// Every play, in one suite each by turns, or in all.
fn each(mut act: impl FnMut(Suite, Play)) {
    for (turn, play) in Play::ALL.into_iter().enumerate() {
        let suites: Vec<_> = Suite::ALL.into_iter().filter(|suite| play.fits(*suite)).collect();
        for (nth, suite) in suites.iter().enumerate() {
            if everything() || nth == turn % suites.len() {
                act(*suite, play);
            }
        }
    }
}

/// The same for every seat that differs, and every message that it says: as many as are in the play.
fn each_message(mut act: impl FnMut(Suite, Play, usize, usize) -> bool) {
    each(|suite, play| {
        for seat in play.roles() {
            let mut nth = 0;
            while act(suite, play, *seat, nth) {
                nth += 1;
            }
        }
    });
}

#[track_caller]
fn all_done(stage: &Stage, scene: &Scene) {
    let ends = Oracle::new(stage, &[]).look(scene).unwrap();
    assert!(ends.iter().all(|end| *end == End::Done), "{:?} {:?}: {ends:?}", stage.cast.suite, scene.play);
}

fn look(stage: &Stage, scene: &Scene, liar: usize) -> BTreeSet<End> {
    let liars = [scene.seats[liar].person];
    let looked = Oracle::new(stage, &liars).look(scene);
    let what = format!("{:?} {:?}, seat {liar}", stage.cast.suite, scene.play);
    looked.unwrap_or_else(|broken| panic!("{what}: {broken}")).into_iter().collect()
}

#[test]
fn messages_of_other_runs_epochs_groups_and_suites_count_for_nothing() {
    each(|suite, play| {
        let stage = Stage::of(suite, play);
        let mut earlier = Scene::new(&stage, Play::Sign);
        earlier.undisturbed();
        let mut foreign: Vec<Message> = Suite::ALL.iter().flat_map(|suite| Cast::of(*suite).past.clone()).collect();
        foreign.extend(earlier.seats.iter().flat_map(|seat| seat.said.clone()));
        let mut scene = Scene::new(&stage, play);
        let mut heard = BTreeSet::new();
        scene.run(&mut |Passing { to, message, .. }| {
            // Once before anything else, and once in the middle.
            let first = heard.insert((to, message.round() > 0));
            let before: &[Message] = if first { &foreign } else { &[] };
            before.iter().chain([message]).cloned().collect()
        });
        all_done(&stage, &scene);
    });
}

#[test]
fn repeated_reflected_reordered_and_lost_messages_do_no_harm() {
    each(|suite, play| {
        let stage = Stage::of(suite, play);
        let mut scene = Scene::new(&stage, play);
        let (mut passed, mut lost) = (Vec::new(), BTreeSet::new());
        for round in 0..12 {
            let mut said: Vec<_> = scene
                .seats
                .iter_mut()
                .enumerate()
                .flat_map(|(from, seat)| {
                    let said = seat.speak();
                    said.into_iter().map(move |message| (from, message)).collect::<Vec<_>>()
                })
                .collect();
            said.reverse();
            for (from, message) in said {
                // Back to its sender, and what it said before.
                scene.deliver(from, &message);
                for to in (0..scene.seats.len()).filter(|to| *to != from) {
                    passed.push((to, message.clone()));
                    // Every message is lost once for everybody.
                    if lost.insert((to, message.to_bytes())) {
                        continue;
                    }
                    scene.deliver(to, &message);
                    scene.deliver(to, &message);
                }
            }
            for (to, message) in passed.iter().rev().skip(round) {
                if round > 0 {
                    scene.deliver(*to, message);
                }
            }
            scene.seats.iter_mut().filter_map(|seat| seat.run.as_mut()).for_each(|run| run.say_again());
        }
        all_done(&stage, &scene);
    });
}

#[test]
fn who_falls_silent_is_waited_for_and_nobody_is_blamed() {
    each_message(|suite, play, liar, silent_from| {
        let mut said_all = true;
        // To all, or to one member alone.
        for to_one in [None, Some((liar + 1) % 3)] {
            let stage = Stage::of(suite, play);
            let mut scene = Scene::new(&stage, play);
            let mut told = Vec::new();
            scene.run(&mut |Passing { from, to, message, .. }| {
                if from != liar {
                    return vec![message.clone()];
                }
                if !told.contains(message) {
                    told.push(message.clone());
                }
                let nth = told.iter().position(|one| one == message).unwrap();
                let withheld = nth >= silent_from && to_one.is_none_or(|one| one == to);
                said_all &= nth < silent_from;
                if withheld { Vec::new() } else { vec![message.clone()] }
            });
            let ends = look(&stage, &scene, liar);
            assert!(
                ends.iter().all(|end| matches!(end, End::Waits | End::Done)),
                "{suite:?} {play:?} {liar}: {ends:?}"
            );
            let waits =
                scene.seats.iter().filter(|seat| seat.output.is_none() && seat.person != scene.seats[liar].person);
            for seat in waits {
                assert!(!seat.run.as_ref().unwrap().awaits().is_empty(), "{suite:?} {play:?}: it waits for nobody");
            }
        }
        !said_all
    });
}

/// Two versions of one message, of which one member or listener sees the other one.
#[test]
fn who_speaks_with_two_tongues_is_named_by_all_as_soon_as_they_compare() {
    let mut turn = 0;
    each_message(|suite, play, liar, nth| {
        turn += 1;
        let fooled: Vec<_> = (0..play.seats()).filter(|seat| *seat != liar).collect();
        let mut there = false;
        for (version, differs) in [Differs::InItsCounter, Differs::InItsBody(turn)].into_iter().enumerate() {
            for (place, fooled) in fooled.iter().enumerate() {
                if everything() || place == (turn + version) % play.seats().saturating_sub(1) {
                    there = two_tongues(suite, play, (liar, nth), *fooled, differs);
                }
            }
        }
        there
    });
}

/// What is another in the second version.
#[derive(Clone, Copy, Debug)]
enum Differs {
    /// What it says is the same.
    InItsCounter,
    /// One of its fields, by turns; whoever is shown it may find it wrong before anybody compares.
    InItsBody(usize),
}

impl Differs {
    fn version(self, person: usize, message: &Message, said: &[(usize, Message)]) -> Message {
        let like = |other: &&Message| subject(other) == subject(message) && other.sender() != message.sender();
        let others = said.iter().map(|(_, other)| other).find(like);
        let told = match self {
            Self::InItsCounter => None,
            Self::InItsBody(turn) => {
                let lies: Vec<_> = Lie::all(message).into_iter().filter(|lie| lie.field.at >= BODY).collect();
                let mut all = (0..lies.len()).map(|nth| lies[(turn + nth) % lies.len()]);
                all.find_map(|lie| lie.tell(&forger(person), message, others))
            }
        };
        told.unwrap_or_else(|| forger(person).alter(message, |forgery| forgery.counter += 1))
    }
}

/// Whether the liar says so many messages.
fn two_tongues(suite: Suite, play: Play, (liar, nth): (usize, usize), fooled: usize, differs: Differs) -> bool {
    let stage = Stage::of(suite, play);
    let mut scene = Scene::new(&stage, play);
    let person = scene.seats[liar].person;
    let (mut told, mut last): (Vec<Message>, bool) = (Vec::new(), true);
    let mut round = 0;
    scene.run(&mut |Passing { from, to, message, said }| {
        if from == liar && !told.contains(message) {
            told.push(message.clone());
        }
        let lies = from == liar && told.iter().position(|one| one == message) == Some(nth);
        if lies {
            round = message.round();
        }
        // Somebody honest who answers has seen one version or the other, and says which. What is said when all is done
        // is compared by nobody.
        let closing = |message: &Message| matches!(subject(message), "dispute" | "confirm");
        last &= from == liar || nth >= told.len() || message.round() <= round || closing(message);
        vec![if lies && to == fooled { differs.version(person, message, said) } else { message.clone() }]
    });
    let what = format!("{suite:?} {play:?}, seat {liar}, message {nth} to {fooled} {differs:?}");
    let ends = look(&stage, &scene, liar);
    let compared = match differs {
        // Who listens is told of by nobody, and waits for those that disagree with it.
        _ if fooled == play.people().len() => scene.seats[fooled].output.is_none(),
        Differs::InItsCounter => {
            ends.iter().all(|end| matches!(end, End::Names | End::Done)) && ends.contains(&End::Names)
        }
        Differs::InItsBody(_) => ends.contains(&End::Names),
    };
    assert!(told.len() <= nth || last || compared, "{what}: {ends:?}");
    assert!(!ends.contains(&End::Stops), "{what}: {ends:?}");
    told.len() > nth
}

/// The same words count for nothing under another run's name, but for those that are about no run.
#[test]
fn what_a_member_says_again_from_another_run_names_it() {
    each(|suite, play| {
        let stage = Stage::of(suite, play);
        let mut earlier = Scene::new(&stage, play);
        // To the end would change the key; the last message is withheld from all.
        let last = |message: &Message| play.deals() && matches!(subject(message), "certify" | "confirm");
        earlier.run(&mut |passing| if last(passing.message) { Vec::new() } else { vec![passing.message.clone()] });
        for liar in play.roles() {
            for old in &earlier.seats[*liar].said {
                let stage = Stage::of(suite, play);
                let mut scene = Scene::new(&stage, play);
                let person = scene.seats[*liar].person;
                let like = |message: &Message| (message.round(), subject(message)) == (old.round(), subject(old));
                let mut lied = false;
                scene.run(&mut |Passing { from, message, .. }| {
                    if from != *liar {
                        return vec![message.clone()];
                    }
                    lied |= like(message);
                    match like(message) {
                        true => vec![forger(person).alter(message, |one| one.body = body(old).to_vec())],
                        false if lied => Vec::new(),
                        false => vec![message.clone()],
                    }
                });
                let ends = look(&stage, &scene, *liar);
                let of_a_run = matches!(subject(old), "join" | "deal" | "certify" | "share" | "consent" | "handover");
                let named = ends.iter().all(|end| *end == End::Names);
                assert!(!lied || named || !of_a_run, "{suite:?} {play:?} {liar}: {old:?}: {ends:?}");
            }
        }
    });
}

#[test]
fn who_invites_some_to_one_run_and_some_to_another_gets_neither() {
    each(|suite, play| {
        let stage = Stage::of(suite, play);
        let mut one = Scene::new(&stage, play);
        let batched = play.prelude(&stage);
        let invitation = play.propose(&stage, batched.as_deref()).unwrap();
        let mut two = Scene::of(&stage, play, invitation, batched);
        let seats = play.people().len();
        // The last member is in the other run. Who listens hears one of them.
        for _ in 0..8 {
            for (scene, here) in [(&mut one, 0..seats - 1), (&mut two, seats - 1..seats)] {
                for from in here.clone() {
                    for message in scene.seats[from].speak() {
                        let members = here.clone().filter(|to| *to != from);
                        members.chain(seats..scene.seats.len()).for_each(|to| scene.deliver(to, &message));
                    }
                }
            }
        }
        for (scene, liar) in [(&one, seats - 1), (&two, 0)] {
            let ends = look(&stage, scene, liar);
            assert!(!ends.contains(&End::Names), "{suite:?} {play:?}: {ends:?}");
            let done = scene.seats.iter().any(|seat| seat.output.is_some());
            assert!(!done, "{suite:?} {play:?}: somebody has an output");
        }
    });
}

/// Under the liar's own signature: the same run for everybody else.
#[test]
fn who_speaks_of_something_else_or_as_somebody_else_is_not_heard() {
    each(|suite, play| {
        let stage = Stage::of(suite, play);
        let mut scene = Scene::new(&stage, play);
        let people: Vec<_> = scene.seats.iter().map(|seat| seat.person).collect();
        scene.run(&mut |Passing { from, message, said, .. }| {
            let others = said.iter().find(|(one, other)| *one != from && subject(other) == subject(message));
            let others = others.map(|(_, message)| message);
            let ignored = |lie: &Lie| super::fields::IGNORED.contains(&lie.field.name);
            let lies = Lie::all(message).into_iter().filter(ignored);
            let told = lies.filter_map(|lie| lie.tell(&forger(people[from]), message, others));
            told.chain([message.clone()]).collect()
        });
        all_done(&stage, &scene);
    });
}
