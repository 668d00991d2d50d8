//! Two members that lie together.

use quorumkey::hazmat::{FieldKind, Forgery, body, subject};
use quorumkey::{Message, Suite};

use super::attack::{Change, Lie};
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
        let quarrels = quarrels(*play, about);
        let (first, others) = quarrels.split_first().unwrap();
        let one = others.get(turn % others.len().max(1)).map(core::slice::from_ref).unwrap_or_default();
        let cases = |quarrel: &(usize, usize, u8)| {
            (0..10_000).take_while(|nth| one_colluding_lie(suite, *play, about, *quarrel, (*nth, turn))).count()
        };
        let in_the_first = cases(first);
        assert!(in_the_first > 14, "{play:?} {about}: there was little to change");
        // Not each round of each play has another after it.
        let others: usize = if everything() { others } else { one }.iter().map(cases).sum();
        println!("cases: {}", in_the_first + others);
    }
}

/// Who accuses, or tells of two messages, who gave it reason to, and in which round: of deals there are two in a repair.
fn quarrels(play: Play, about: &str) -> Vec<(usize, usize, u8)> {
    // Who gets a share from the others, and who sends it a bad one.
    let (accuser, dealer) = if play == Play::Reconstruct { (0, 2) } else { (2, 0) };
    if about == "accuse" {
        return vec![(accuser, dealer, if play == Play::Repair { 3 } else { 1 })];
    }
    let seats = [(accuser, dealer), (0, 1), (1, 2)];
    (0..3).flat_map(|round| seats.map(|(accuser, dealer)| (accuser, dealer, round))).collect()
}

/// Whether there is such a lie.
fn one_colluding_lie(
    suite: Suite,
    play: Play,
    about: &str,
    (accuser, dealer, round): (usize, usize, u8),
    (nth, turn): (usize, usize),
) -> bool {
    let stage = Stage::of(suite, play);
    let mut scene = Scene::new(&stage, play);
    let people = [scene.seats[accuser].person, scene.seats[dealer].person];
    let deals = if play == Play::Reconstruct { "handover" } else { "deal" };
    let mut there = false;
    scene.run(&mut |Passing { from, to, message, .. }| {
        let spoils = match about {
            "accuse" => subject(message) == deals && message.round() == round,
            _ => message.round() == round && to == accuser,
        };
        if from == dealer && spoils && subject(message) != "dispute" {
            return vec![forger(people[1]).alter(message, |forgery| match about {
                // The tag of the accuser's ciphertext, which is the last.
                "accuse" => *forgery.body.last_mut().unwrap() ^= 1,
                _ => forgery.counter += 1,
            })];
        }
        if from == accuser && subject(message) == about {
            let told = Lie::told(message, turn, |lie| lie.tell(&forger(people[0]), message, None));
            there = nth < told.len();
            return vec![told.get(nth).unwrap_or(message).clone()];
        }
        vec![message.clone()]
    });
    let ends = Oracle::new(&stage, &people).look(&scene);
    let what = format!("{suite:?} {play:?} {about} {round}, {accuser} of {dealer}, {nth}");
    let ends = ends.unwrap_or_else(|broken| panic!("{what}: {broken}"));
    // Who is done when the last round is disputed has what it came for.
    let too_late = about == "dispute" && round > 0;
    assert!(!there || too_late || !ends.contains(&End::Done), "{what}: {ends:?}");
    there
}

/// Whoever has nothing to disagree about, because there was no round before, is not heard when it does.
#[test]
fn a_dispute_of_no_round_counts_for_nothing() {
    for suite in Suite::ALL {
        let stage = Stage::of(suite, Play::SignPrepared);
        let dispute = said_in_a_quarrel(suite, "dispute");
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

/// What the third says that was shown another commitment than the others, or that was dealt what it can't open.
pub fn said_in_a_quarrel(suite: Suite, about: &str) -> Message {
    let (play, round) = if about == "dispute" { (Play::Sign, 0) } else { (Play::Dkg, 1) };
    let stage = Stage::of(suite, play);
    let mut scene = Scene::new(&stage, play);
    scene.run(&mut |Passing { from, to, message, .. }| {
        let other = (from, to, message.round()) == (0, 2, round);
        let spoil = |forgery: &mut Forgery| match about {
            "dispute" => forgery.counter += 1,
            _ => *forgery.body.last_mut().unwrap() ^= 1,
        };
        vec![if other { forger(0).alter(message, spoil) } else { message.clone() }]
    });
    let mut said = scene.seats.into_iter().flat_map(|seat| seat.said);
    said.find(|message| subject(message) == about).unwrap()
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
            let [ones, others] = [one, other].map(|seat| lies(&said[seat], turn));
            // The one lies about everything in its turn, the other about something else each time, and not before: the run
            // would end.
            for (nth, (at, lies)) in ones.iter().enumerate() {
                let others: Vec<_> = others.iter().filter(|(place, _)| place >= at).collect();
                let (place, another) = others[nth * 29 % others.len()];
                let another = (*place, another[nth % another.len()]);
                let mut told = lies.iter().map(|lie| two_lies(suite, &said, [(one, (*at, *lie)), (other, another)]));
                let told =
                    if everything() { told.filter(|told| *told).count() } else { usize::from(told.any(|it| it)) };
                assert!(told > 0, "{suite:?}, seat {one}, message {at}: no lie about {:?}", lies[0].field);
                cases += told;
            }
        }
    }
    println!("cases: {cases}");
}

/// The lies about each field of what somebody says, and about which of its messages they are.
fn lies(said: &[Message], turn: usize) -> Vec<(usize, Vec<Lie>)> {
    let of = |(at, message)| Lie::by_turns(message, turn).into_iter().map(move |lies| (at, lies));
    said.iter().enumerate().flat_map(of).filter(|(_, lies)| !IGNORED.contains(&lies[0].field.name)).collect()
}

/// Whether the first is a lie.
fn two_lies(suite: Suite, said: &[Vec<Message>], lies: [(usize, (usize, Lie)); 2]) -> bool {
    let play = Play::DkgOfFive;
    let stage = Stage::of(suite, play);
    let mut scene = Scene::new(&stage, play);
    let mut lying = lies.map(|(seat, (at, lie))| Lying::new(&scene, seat, (said[seat].as_slice(), at), lie));
    scene.run(&mut |Passing { from, message, said, .. }| {
        let liar = lying.iter_mut().find(|lying| lying.seat == from);
        liar.map_or_else(|| vec![message.clone()], |lying| lying.says(message, said))
    });
    let liars = [lying[0].person, lying[1].person];
    let ends = Oracle::new(&stage, &liars).look(&scene).unwrap_or_else(|broken| panic!("{suite:?} {lies:?}: {broken}"));
    let unseen = |lying: &Lying<'_>| [End::Waits, End::Done].into_iter().any(|end| lying.may_end(play, &[end]));
    // What is sealed to the other liar nobody honest opens.
    let seats = lying.each_ref().map(|lying| lying.seat);
    let sealed = |Lie { field, change }: Lie| {
        field.kind == FieldKind::Sealed
            && !matches!(change, Change::Cut | Change::Grow)
            && seats.contains(&play.receives(1, field.item))
    };
    let seen = |lying: &Lying<'_>| lying.told.is_some() && !unseen(lying) && !sealed(lying.lie);
    let all_name = ends.iter().all(|end| *end == End::Names);
    assert!(all_name || !lying.iter().all(seen), "{suite:?} {lies:?}: {ends:?}");
    assert!(!ends.contains(&End::Stops), "{suite:?} {lies:?}: {ends:?}");
    lying[0].told.is_some()
}
