//! Two members that lie together.

use quorumkey::hazmat::{body, subject};
use quorumkey::{Message, Suite};

use super::attack::Lie;
use super::cast::{Stage, forger};
use super::fields::{IGNORED, Lying, everything, rehearsed};
use super::oracle::{End, Oracle};
use super::play::Play;
use super::scene::{Passing, Scene};

/// Two colluding members, one of which accuses the other or tells of two messages, and changes each field of that as well.
/// The third names one of the two, or waits for them.
#[test]
fn lies_in_accusations_name_nobody_honest() {
    every_colluding_lie("accuse", &[Play::Dkg, Play::Refresh, Play::Repair, Play::Reconstruct]);
}

/// With nonces that were made beforehand there is one round, and nothing to disagree about.
#[test]
fn lies_in_disputes_name_nobody_honest() {
    let plays: Vec<_> = Play::ALL.into_iter().filter(|play| *play != Play::SignPrepared).collect();
    every_colluding_lie("dispute", &plays);
}

fn every_colluding_lie(about: &str, plays: &[Play]) {
    for (turn, play) in plays.iter().enumerate() {
        let suites: Vec<_> = Suite::ALL.into_iter().filter(|suite| play.fits(*suite)).collect();
        let suite = suites[turn % suites.len()];
        // A field is changed in five ways or in seven.
        let (mut nth, mut more) = (if everything() { 0 } else { turn % 6 }, true);
        while more {
            more = one_colluding_lie(suite, *play, about, nth);
            nth += if everything() { 1 } else { 6 };
        }
        assert!(nth > 60, "{play:?} {about}: there was nothing to change");
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

/// Whoever has nothing to disagree about, because there was no round before, is not heard when it does.
#[test]
fn a_dispute_of_no_round_counts_for_nothing() {
    for suite in Suite::ALL {
        let stage = Stage::new(suite, Play::SignPrepared.stage());
        let dispute = a_dispute(&Stage::new(suite, 3));
        let mut scene = Scene::new(&stage, Play::SignPrepared);
        scene.run(&mut |Passing { from, message, .. }| {
            let bodies = [Vec::new(), vec![0; 4], body(&dispute).to_vec()];
            let disputes = bodies.map(|body| forger(0).replace(message, &dispute, body));
            let said = [message.clone()];
            if from == 0 { disputes.iter().chain(&said).chain(&disputes).cloned().collect() } else { said.to_vec() }
        });
        let ends = Oracle::new(&stage, &[0]).look(&scene).unwrap();
        assert!(ends.iter().all(|end| *end == End::Done), "{suite:?}: {ends:?}");
    }
}

/// What somebody says that was shown another commitment than the others.
fn a_dispute(stage: &Stage) -> Message {
    let mut scene = Scene::new(stage, Play::Sign);
    scene.run(&mut |Passing { from, to, message, .. }| {
        let other = (from, to, message.round()) == (0, 2, 0);
        vec![if other { forger(0).alter(message, |one| one.counter += 1) } else { message.clone() }]
    });
    let mut said = scene.seats.into_iter().flat_map(|seat| seat.said);
    said.find(|message| subject(message) == "dispute").unwrap()
}

/// As many as do not reach the threshold, each of which lies in a place of its own. Three that are honest name one of them
/// or both, and make the key where nobody can see a lie.
#[test]
fn two_of_five_that_lie_at_once_are_named_and_nobody_else() {
    let play = Play::DkgOfFive;
    let mut cases = 0;
    for (turn, suite) in Suite::ALL.into_iter().enumerate() {
        let said = rehearsed(suite, play);
        let pairs = [[0, 4], [1, 2], [3, 0]];
        let pairs = if everything() { &pairs[..] } else { &pairs[turn..=turn] };
        for [one, other] in pairs.iter().copied() {
            let [ones, others] = [one, other].map(|seat| lies(&said[seat]));
            // The one lies about everything in its turn, the other about something else each time.
            for (nth, place) in ones.iter().enumerate().step_by(if everything() { 1 } else { 5 }) {
                cases += 1;
                let another = others[nth * 29 % others.len()];
                two_lies(suite, &said, [(one, *place), (other, another)]);
            }
        }
    }
    println!("cases: {cases}");
}

/// Every lie about what somebody says, and about which of its messages it is.
fn lies(said: &[Message]) -> Vec<(usize, Lie)> {
    let of = |(at, message)| Lie::all(message).into_iter().map(move |lie| (at, lie));
    said.iter().enumerate().flat_map(of).filter(|(_, lie)| !IGNORED.contains(&lie.field.name)).collect()
}

fn two_lies(suite: Suite, said: &[Vec<Message>], lies: [(usize, (usize, Lie)); 2]) {
    let play = Play::DkgOfFive;
    let stage = Stage::new(suite, play.stage());
    let mut scene = Scene::new(&stage, play);
    let mut lying = lies.map(|(seat, (at, lie))| Lying::new(&scene, seat, (said[seat].as_slice(), at), lie));
    scene.run(&mut |Passing { from, message, said, .. }| {
        let liar = lying.iter_mut().find(|lying| lying.seat == from);
        liar.map_or_else(|| vec![message.clone()], |lying| lying.says(message, said))
    });
    let liars = [lying[0].person, lying[1].person];
    let ends = Oracle::new(&stage, &liars).look(&scene).unwrap_or_else(|broken| panic!("{suite:?} {lies:?}: {broken}"));
    let seen = |lying: &Lying<'_>| lying.told.is_some() && !lying.may_end(play, &[End::Waits]);
    let all_name = ends.iter().all(|end| *end == End::Names);
    assert!(all_name || !lying.iter().all(seen), "{suite:?} {lies:?}: {ends:?}");
    assert!(!ends.contains(&End::Stops), "{suite:?} {lies:?}: {ends:?}");
}
