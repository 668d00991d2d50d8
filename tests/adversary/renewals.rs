//! Schedules in which a key is to change twice at once, of tokens.

use quorumkey::{Invitation, Leaving, Message, Reason, Reshare, Roster, Suite};

use super::cast::{COPY, Stage};
use super::common::id;
use super::oracle::{Broken, Oracle};
use super::play::Play;
use super::scene::Scene;
use super::schedules::{Chance, Theatre};
use super::settled::{Settled, settle};
use super::tokens::{attack, liar, seat};

/// Either all are asked for both changes, the second time while the first is under way; or somebody with two copies of its
/// token renews the shares with each of the others.
pub fn of_renewals(chance: &mut Chance) -> Result<u64, Broken> {
    if chance.one_in(3) { apart(chance) } else { together(chance) }
}

/// A second change, which somebody proposes when so many letters have arrived.
struct Renewals<'a> {
    stage: &'a Stage,
    scenes: Vec<Scene>,
    second: Option<(usize, Play)>,
}

impl Theatre for Renewals<'_> {
    fn scenes(&self) -> usize {
        self.scenes.len()
    }

    fn seats(&self, scene: usize) -> usize {
        self.scenes.seats(scene)
    }

    fn speak(&mut self, scene: usize, seat: usize) -> Vec<Message> {
        self.scenes.speak(scene, seat)
    }

    fn deliver(&mut self, scene: usize, to: usize, message: &Message) {
        self.scenes.deliver(scene, to, message);
    }

    fn say_again(&mut self) {
        self.scenes.say_again();
    }

    fn passes(&mut self) {
        match &mut self.second {
            Some((0, play)) => {
                // Whoever has just learnt that the key has changed may refuse to propose it.
                let invitation = play.propose(self.stage, None).ok();
                let scene = invitation.map(|invitation| Scene::of(self.stage, *play, invitation, None));
                self.scenes.extend(scene);
                self.second = None;
            }
            Some((letters, _)) => *letters -= 1,
            None => {}
        }
    }
}

/// A token signs upwards only, so whatever is lost or told wrongly, no two lines go on.
fn together(chance: &mut Chance) -> Result<u64, Broken> {
    let stage = Stage::new(*chance.of(&Suite::ALL), 4);
    let changes: Vec<_> = Play::ALL.into_iter().filter(|play| play.changes_the_key()).collect();
    let [first, second] = [0, 1].map(|_| *chance.of(&changes));
    let liar = liar(chance);
    let seats = [first, second].map(|play| seat(play, liar)).to_vec();
    let scenes = vec![Scene::new(&stage, first)];
    let mut theatre = Renewals { stage: &stage, scenes, second: Some((chance.below(40), second)) };
    let attacks = attack(&mut theatre, liar, seats, chance);
    let liars: Vec<_> = liar.into_iter().collect();
    let scenes = theatre.scenes;
    match ends(&stage, &liars, &scenes)? {
        Settled::Forked => Err(format!("{first:?} and {second:?}: tokens that all remember have forked")),
        Settled::One => Ok(attacks),
    }
}

/// With one of two others each, over two copies of one token. With 2 of 3 this is a fork, if both succeed; whoever hears of
/// both lines says so, and who signed both.
fn apart(chance: &mut Chance) -> Result<u64, Broken> {
    let liar = chance.below(3);
    let stage = Stage::with_copy(*chance.of(&Suite::ALL), liar);
    let others: Vec<_> = (0..3).filter(|person| *person != liar).collect();
    let with = |place: usize| pair(&stage, [liar, COPY][place], liar, others[place], others[1 - place]);
    let mut scenes = vec![with(0), with(1)];
    // It may be content to be in both.
    let lies = Some(liar).filter(|_| chance.one_in(3));
    let place = |scene: &Scene| scene.seats.iter().position(|seat| [liar, COPY].contains(&seat.person));
    let seats = scenes.iter().map(place).collect();
    let attacks = attack(&mut scenes, lies, seats, chance);
    let both = scenes
        .iter()
        .all(|scene| scene.seats.iter().any(|seat| seat.output.is_some() && others.contains(&seat.person)));
    match ends(&stage, &[liar, COPY], &scenes)? {
        Settled::One if both => Err("two lines were certified, and nobody sees a fork".to_owned()),
        _ => Ok(attacks),
    }
}

/// These two leave the third behind.
fn pair(stage: &Stage, copy: usize, liar: usize, other: usize, third: usize) -> Scene {
    let mut people = vec![(copy, liar), (other, other)];
    people.sort_by_key(|(_, place)| *place);
    let number = |place: usize| u16::try_from(place + 1).unwrap();
    let card = |(person, place): &(usize, usize)| (id(number(*place)), stage.people[*person].card());
    let members = Roster::new(people.iter().map(card).collect()).unwrap();
    let leaving = vec![Leaving { identifier: id(number(third)), reason: Reason::Lost }];
    let reshare = Reshare { members, leaving, ..Reshare::of(&stage.cast.key) };
    let invitation: Invitation = stage.people[copy].session.invite_reshare(stage.cast.key.id, reshare).unwrap();
    let people: Vec<_> = people.into_iter().map(|(person, place)| (person, number(place))).collect();
    Scene::among(stage, Play::Reshare, invitation, &people)
}

fn ends(stage: &Stage, liars: &[usize], scenes: &[Scene]) -> Result<Settled, Broken> {
    let mut oracle = Oracle::new(stage, liars);
    let plays: Vec<_> = scenes.iter().map(|scene| scene.play).collect();
    let runs = scenes.iter().try_for_each(|scene| oracle.look_at_runs(scene).map(|_| ()));
    runs.and_then(|()| settle(stage, liars, &plays)).map_err(|broken| format!("{plays:?} at once: {broken}"))
}

/// The schedules reach both ends.
#[test]
fn two_copies_of_a_token_that_renew_apart_fork_the_key_and_are_named() {
    for (liar, suite) in Suite::ALL.into_iter().enumerate() {
        let stage = Stage::with_copy(suite, liar);
        let others: Vec<_> = (0..3).filter(|person| *person != liar).collect();
        for place in [0, 1] {
            pair(&stage, [liar, COPY][place], liar, others[place], others[1 - place]).undisturbed();
        }
        assert_eq!(settle(&stage, &[liar, COPY], &[Play::Reshare]), Ok(Settled::Forked), "{suite:?}");
        let broken = settle(&stage, &[], &[Play::Reshare]).unwrap_err();
        assert!(broken.contains("names"), "{broken}");
    }
}
