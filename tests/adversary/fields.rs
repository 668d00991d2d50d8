//! Every field of every message, of every member, in every round of every protocol.

use quorumkey::hazmat::{FIELD_NAMES, Field, fields as laid_out, subject, subjects};
use quorumkey::{Message, Suite};
use std::collections::BTreeSet;

use super::attack::{Change, Lie, unsigned};
use super::cast::{Stage, forger};
use super::colluders::said_in_a_quarrel;
use super::oracle::{End, Oracle};
use super::play::Play;
use super::scene::{Passing, Scene};

macro_rules! plays {
    ($($name:ident: $play:ident)*) => {
        $(#[test] fn $name() { every_lie(Play::$play); })*
    };
}

plays! {
    every_lie_in_a_dealing_names_the_liar: Dkg
    every_lie_in_an_import_names_the_liar: Import
    every_lie_in_a_refresh_names_the_liar: Refresh
    every_lie_in_a_refresh_after_another_names_the_liar: RefreshAgain
    every_lie_in_a_reshare_names_the_liar: Reshare
    every_lie_in_a_signature_names_the_liar: Sign
    every_lie_in_a_childs_signature_names_the_liar: SignChild
    every_lie_while_nonces_are_prepared_names_the_liar: Prepare
    every_lie_in_a_prepared_signature_names_the_liar: SignPrepared
    every_lie_in_a_repair_names_the_liar: Repair
    every_lie_in_an_enrolment_names_the_liar: Enrol
    every_lie_in_a_reconstruction_names_the_liar: Reconstruct
}

/// Whether to tell every lie in every suite and seat. Else each field is lied about in each seat that differs from the
/// others, in different ways and suites by turns.
pub fn everything() -> bool {
    std::env::var_os("QUORUMKEY_ADVERSARY_EVERYTHING").is_some()
}

/// Whoever changes these speaks of something else, or as somebody else: the message counts for nothing.
pub const IGNORED: [&str; 7] = ["version", "suite", "group", "epoch", "run", "sender", "body length"];

/// Every play that there is, and the one with more to say of the past.
fn plays(suite: Suite) -> impl Iterator<Item = Play> {
    Play::ALL.into_iter().chain([Play::RefreshAgain]).filter(move |play| play.fits(suite))
}

/// What an undisturbed run says, by seats.
pub fn rehearsed(suite: Suite, play: Play) -> Vec<Vec<Message>> {
    let stage = Stage::of(suite, play);
    let mut scene = Scene::new(&stage, play);
    scene.undisturbed();
    let ends = Oracle::new(&stage, &[]).look(&scene).unwrap();
    assert!(ends.iter().all(|end| *end == End::Done), "{suite:?} {play:?}: {ends:?}");
    scene.seats.into_iter().map(|seat| seat.said).collect()
}

fn every_lie(play: Play) {
    let mut cases = 0;
    let suites: Vec<_> = Suite::ALL.into_iter().filter(|suite| play.fits(*suite)).collect();
    let rehearsals: Vec<_> = suites.iter().map(|suite| rehearsed(*suite, play)).collect();
    let seats = if everything() { (0..play.people().len()).collect() } else { play.roles().to_vec() };
    let mut turn = 0;
    for seat in seats {
        for (at, message) in rehearsals[0][seat].iter().enumerate() {
            let fields = Lie::by_turns(message, turn);
            for lies in fields.iter().filter(|lies| !IGNORED.contains(&lies[0].field.name)) {
                turn += 1;
                let tell = |lie: &Lie, nth: usize| one_lie(suites[nth], play, seat, (&rehearsals[nth], at), *lie);
                let told = if everything() {
                    let all = lies.iter().flat_map(|lie| (0..suites.len()).map(move |nth| (lie, nth)));
                    all.filter(|(lie, nth)| tell(lie, *nth)).count()
                } else {
                    usize::from(lies.iter().any(|lie| tell(lie, turn % suites.len())))
                };
                assert!(told > 0, "{play:?}, seat {seat}, message {at}: no lie about {:?}", lies[0].field);
                cases += told;
            }
        }
    }
    println!("cases: {cases}");
}

/// A member that lies in one place, to all, and says nothing more. What it says counts by itself: nothing else that it says
/// contradicts it.
pub struct Lying<'a> {
    pub seat: usize,
    pub person: usize,
    /// What it says when it does not lie, and about which of that it lies.
    pub rehearsed: &'a [Message],
    pub at: usize,
    pub lie: Lie,
    lied: bool,
    pub told: Option<Message>,
}

impl<'a> Lying<'a> {
    /// The lie is about a field of that name, wherever it stands in this suite.
    pub fn new(scene: &Scene, seat: usize, (rehearsed, at): (&'a [Message], usize), lie: Lie) -> Self {
        let lie = in_place(lie, &rehearsed[at]);
        Self { seat, person: scene.seats[seat].person, rehearsed, at, lie, lied: false, told: None }
    }

    /// What others get of what it says.
    pub fn says(&mut self, message: &Message, said: &[(usize, Message)]) -> Vec<Message> {
        let here = place_of(message) == place_of(&self.rehearsed[self.at]);
        if here && !self.lied {
            let others = said.iter().find(|(one, other)| *one != self.seat && subject(other) == subject(message));
            let others = others.map(|(_, message)| message);
            (self.lied, self.told) = (true, self.lie.tell(&forger(self.person), message, others));
        }
        match (here, self.lied) {
            (_, false) => vec![message.clone()],
            (true, true) => self.told.iter().cloned().collect(),
            (false, true) => Vec::new(),
        }
    }

    /// Whether this is how the others may end. What is the truth after all, or no message, is no lie.
    pub fn may_end(&self, play: Play, ends: &[End]) -> bool {
        let Some(told) = &self.told else { return true };
        let place = place(self.rehearsed, self.at, told);
        expected(play, self.seat, &self.rehearsed[self.at], (self.lie, place), ends)
    }
}

/// Whether it is a lie: what is the truth after all, or no message, is told to nobody.
fn one_lie(suite: Suite, play: Play, seat: usize, (rehearsed, at): (&[Vec<Message>], usize), lie: Lie) -> bool {
    let model = &rehearsed[seat][at];
    let others = rehearsed.iter().enumerate().filter(|(other, _)| *other != seat).flat_map(|(_, said)| said);
    let others = others.clone().find(|other| place_of(other) == place_of(model));
    if in_place(lie, model).tell(&forger(0), model, others).is_none() {
        return false;
    }
    let stage = Stage::of(suite, play);
    let mut scene = Scene::new(&stage, play);
    let mut lying = Lying::new(&scene, seat, (rehearsed[seat].as_slice(), at), lie);
    scene.run(&mut |Passing { from, message, said, .. }| {
        if from == seat { lying.says(message, said) } else { vec![message.clone()] }
    });
    let looked = Oracle::new(&stage, &[lying.person]).look(&scene);
    let what = format!("{suite:?} {play:?}, seat {seat}, round {}: {}, {lie:?}", model.round(), subject(model));
    let ends = looked.unwrap_or_else(|broken| panic!("{what}: {broken}"));
    assert!(lying.may_end(play, &ends), "{what}: {ends:?}");
    lying.told.is_some()
}

/// Where a message stands, for whoever expects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where it belongs.
    Its,
    /// Where its sender has nothing to say, or has spoken already.
    Taken,
    /// Where its sender will say something of the kind.
    Later,
    /// Among disputes, which are about rounds that are over, and which show what their sender saw.
    Dispute,
}

/// Where one member has one thing to say.
fn place_of(message: &Message) -> (u8, &'static str) {
    (message.round(), subject(message))
}

/// The lie about the field of that name, wherever it stands in this suite.
fn in_place(lie: Lie, message: &Message) -> Lie {
    let same = |field: &Field| (field.name, field.item) == (lie.field.name, lie.field.item);
    Lie { field: laid_out(message).unwrap().into_iter().find(same).unwrap(), ..lie }
}

/// The place of a lie among what its sender says.
fn place(said: &[Message], at: usize, told: &Message) -> Place {
    if place_of(told) == place_of(&said[at]) {
        return Place::Its;
    }
    match said.iter().position(|message| place_of(message) == place_of(told)) {
        Some(other) if other > at => Place::Later,
        None if subject(told) == "dispute" => Place::Dispute,
        _ => Place::Taken,
    }
}

/// Everybody names the liar, but for lies that harm nobody else, or that nobody can see.
fn expected(
    play: Play,
    liar: usize,
    like: &Message,
    (Lie { field, change }, lands): (Lie, Place),
    ends: &[End],
) -> bool {
    let all = |allowed: &[End]| ends.iter().all(|end| allowed.contains(end));
    let same_length = !matches!(change, Change::Cut | Change::Grow);
    let valid_perhaps = matches!(change, Change::Low | Change::High | Change::Others);
    match (subject(like), field.name) {
        // Nobody can know another's state, unless it is behind what was heard before.
        (_, "counter" | "audit head") => all(&[End::Names, End::Waits, End::Done]),
        // All is done when it is said.
        ("confirm", _) if ends.contains(&End::Done) => all(&[End::Done]),
        (_, "round" | "subject") => match lands {
            Place::Its | Place::Taken => all(&[End::Names]),
            Place::Later => all(&[End::Waits]),
            Place::Dispute => all(&[End::Names, End::Waits]),
        },
        // Before the first round nothing was seen. Later, whoever claims to have seen something else is to show it.
        (_, "view") if like.round() == 0 => all(&[End::Names]),
        (_, "view") => all(&[End::Waits]),
        // Another valid point commits to nonces that somebody may have.
        ("commit" | "prepare", "hiding commitment" | "binding commitment") if valid_perhaps => {
            all(&[End::Names, End::Waits])
        }
        // Only the token knows.
        ("join", "restored" | "overridden") if change == Change::Low => all(&[End::Names, End::Waits]),
        ("deal", "sealed share" | "sealed payload" | "tag")
            if same_length && play.receives(like.round(), field.item) == liar =>
        {
            all(&[End::Waits])
        }
        _ => all(&[End::Names]),
    }
}

#[test]
fn every_kind_of_message_is_laid_out_field_by_field() {
    let mut seen = BTreeSet::new();
    let mut names = BTreeSet::new();
    for suite in Suite::ALL {
        let of_play = |play| rehearsed(suite, play).into_iter().flatten();
        let mut said: Vec<_> = plays(suite).flat_map(of_play).collect();
        let undisturbed = said.len();
        // What is said only when something went wrong.
        said.extend(["accuse", "dispute"].map(|about| said_in_a_quarrel(suite, about)));
        for (nth, message) in said.iter().enumerate() {
            let fields = laid_out(message).expect("an honest message is laid out as its subject's");
            let ends = fields.iter().scan(0, |end, field| {
                assert_eq!(field.at, *end, "{field:?}");
                *end = field.at + field.len;
                Some(*end)
            });
            assert_eq!(ends.last(), Some(message.to_bytes().len() - 64));
            names.extend(fields.iter().map(|field| field.name));
            if nth < undisturbed {
                seen.insert(subject(message));
            }
        }
    }
    let rest: Vec<_> = subjects().into_iter().filter(|one| !seen.contains(one)).collect();
    assert_eq!(rest, ["accuse", "dispute"]);
    let never_met: Vec<_> = FIELD_NAMES.iter().filter(|name| !names.contains(*name)).collect();
    assert!(never_met.is_empty(), "nobody lies about what nobody says: {never_met:?}");
}

#[test]
fn what_a_transport_changes_counts_for_nothing() {
    for suite in Suite::ALL {
        for play in plays(suite) {
            let stage = Stage::of(suite, play);
            let mut scene = Scene::new(&stage, play);
            scene.run(&mut |Passing { message, said, from, .. }| {
                let others = said.iter().find(|(one, other)| *one != from && subject(other) == subject(message));
                let others = others.map(|(_, message)| message);
                let change = |lie: Lie| unsigned(message, &lie.change.of(message, &lie.field, others)?);
                let mut all: Vec<_> = Lie::all(message).into_iter().filter_map(change).collect();
                let mut forged = message.to_bytes();
                *forged.last_mut().unwrap() ^= 1;
                all.extend(Message::from_bytes(&forged));
                all.push(message.clone());
                all
            });
            let ends = Oracle::new(&stage, &[]).look(&scene).unwrap();
            assert!(ends.iter().all(|end| *end == End::Done), "{suite:?} {play:?}: {ends:?}");
        }
    }
}
