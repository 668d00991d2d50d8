//! A liar that accuses somebody honest: with a real opening of what it was dealt, and with each field of that changed.

use quorumkey::hazmat::{BODY, Forger, subject};
use quorumkey::{Message, Suite};

use super::attack::{Change, Lie};
use super::cast::{Stage, forger};
use super::fields::{everything, rehearsed};
use super::oracle::{End, Oracle};
use super::play::Play;
use super::scene::{Passing, Scene};

macro_rules! plays {
    ($($name:ident: $play:ident)*) => {
        $(#[test] fn $name() { every_accusation(Play::$play); })*
    };
}

plays! {
    nobody_honest_is_framed_in_a_dealing: Dkg
    nobody_honest_is_framed_in_an_import: Import
    nobody_honest_is_framed_in_a_refresh: Refresh
    nobody_honest_is_framed_in_a_reshare: Reshare
    nobody_honest_is_framed_in_a_repair: Repair
    nobody_honest_is_framed_in_an_enrolment: Enrol
    nobody_honest_is_framed_in_a_reconstruction: Reconstruct
}

/// Something secret that one seat gives to another.
#[derive(Clone, Copy, Debug)]
struct Given {
    round: u8,
    dealer: usize,
    receiver: usize,
    /// The receiver's place among the ciphertexts.
    item: usize,
}

fn every_accusation(play: Play) {
    let turn = Play::ALL.iter().position(|one| *one == play).unwrap();
    let mut cases = 0;
    for (nth, suite) in Suite::ALL.into_iter().enumerate() {
        let all = given(play, &rehearsed(suite, play));
        for (place, given) in all.iter().enumerate() {
            if !everything() && (nth + place) % 3 != turn % 3 {
                continue;
            }
            let mut nth = 0;
            while accusation(suite, play, *given, (nth, place)) {
                nth += 1;
            }
            assert!(nth > 14, "{suite:?} {play:?} {given:?}: there was little to change");
            cases += nth;
        }
    }
    println!("cases: {cases}");
}

/// All that is given in a run, by what is said in it.
fn given(play: Play, said: &[Vec<Message>]) -> Vec<Given> {
    let mut all = Vec::new();
    for (dealer, said) in said.iter().enumerate() {
        for message in said.iter().filter(|message| gives(message)) {
            for Lie { field, .. } in Lie::all(message).into_iter().filter(spoils) {
                let (round, item) = (message.round(), field.item);
                let receiver = if subject(message) == "handover" { 0 } else { play.receives(round, item) };
                all.push(Given { round, dealer, receiver, item });
            }
        }
    }
    all.retain(|given| given.dealer != given.receiver);
    all
}

fn gives(message: &Message) -> bool {
    matches!(subject(message), "deal" | "handover")
}

fn spoils(lie: &Lie) -> bool {
    (lie.field.name, lie.change) == ("tag", Change::Low)
}

/// Whether there are so many lies.
///
/// A token accuses only whom it has a reason to. Here it gets one that nobody else is shown: what is dealt to it comes with
/// another tag. What it then opens is what was dealt to it in truth.
fn accusation(suite: Suite, play: Play, given: Given, nth: (usize, usize)) -> bool {
    let stage = Stage::of(suite, play);
    let mut scene = Scene::new(&stage, play);
    let [dealer, accuser] = [given.dealer, given.receiver].map(|seat| scene.seats[seat].person);
    let (mut round, mut spoilt, mut told) = (Vec::<Message>::new(), None, None);
    scene.run(&mut |Passing { from, to, message, .. }| {
        if gives(message) && message.round() == given.round && !round.contains(message) {
            round.push(message.clone());
            round.sort_by_key(Message::sender);
        }
        if (from, to) == (given.dealer, given.receiver) && gives(message) && message.round() == given.round {
            let lies = Lie::all(message);
            let lie = lies.iter().find(|lie| spoils(lie) && lie.field.item == given.item).unwrap();
            spoilt = lie.tell(&forger(dealer), message, None);
            return spoilt.iter().cloned().collect();
        }
        match subject(message) {
            "accuse" if from == given.receiver => {
                told = lied(&forger(accuser).seeing(message, &round), nth, &forger(accuser));
                told.iter().map(|(_, message)| message.clone()).collect()
            }
            // It would show what it was not dealt.
            "dispute" if from == given.receiver => Vec::new(),
            _ => vec![message.clone()],
        }
    });
    let what = format!("{suite:?} {play:?} {given:?} {nth:?}");
    assert!(spoilt.is_some(), "{what}: nothing was dealt");
    let Some((in_its_body, _)) = told else { return false };
    // It is no evidence: the liar has no dealer's key.
    scene.wire.retain(|message| Some(message) != spoilt.as_ref());
    let looked = Oracle::new(&stage, &[accuser]).look(&scene);
    let ends = looked.unwrap_or_else(|broken| panic!("{what}: {broken}"));
    let allowed: &[End] = if in_its_body { &[End::Names] } else { &[End::Names, End::Waits] };
    assert!(ends.iter().all(|end| allowed.contains(end)), "{what}: {ends:?}");
    true
}

/// The accusation itself, which is as false as any, and then each lie about it; whether it stands in its place.
fn lied(real: &Message, (nth, turn): (usize, usize), forger: &Forger) -> Option<(bool, Message)> {
    let Some(nth) = nth.checked_sub(1) else { return Some((true, real.clone())) };
    let others = forger.alter(real, |one| turn_around(&mut one.body));
    let told = |lie: &Lie| Some((lie.field.at >= BODY, lie.tell(forger, real, Some(&others))?));
    Lie::told(real, turn, told).into_iter().nth(nth)
}

/// The two points of an opening, and the two scalars behind them, each in the place of the other: valid, and wrong.
fn turn_around(accusation: &mut [u8]) {
    let scalars = accusation.len() - 64;
    let (points, scalars) = accusation[2..].split_at_mut(scalars - 2);
    points.rotate_left(points.len() / 2);
    scalars.rotate_left(32);
}
