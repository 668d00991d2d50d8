//! Schedules of tokens: several runs of one key at a time.

use quorumkey::{Message, Suite};

use super::cast::{Cast, Stage, forger};
use super::common::id;
use super::oracle::{Broken, End, Oracle};
use super::play::Play;
use super::scene::Scene;
use super::schedules::{Attack, Chance, Liar, Theatre, calm_down, perform};

impl Theatre for Vec<Scene> {
    fn scenes(&self) -> usize {
        self.len()
    }

    fn seats(&self, scene: usize) -> usize {
        self[scene].seats.len()
    }

    fn speak(&mut self, scene: usize, seat: usize) -> Vec<Message> {
        self[scene].seats[seat].speak()
    }

    fn deliver(&mut self, scene: usize, to: usize, message: &Message) {
        self[scene].deliver(to, message);
    }

    fn say_again(&mut self) {
        let runs = self.iter_mut().flat_map(|scene| scene.seats.iter_mut()).filter_map(|seat| seat.run.as_mut());
        runs.for_each(|run| run.say_again());
    }
}

/// Some runs of one key at once: one of them may change it, and one always signs with it.
pub fn of_one_key(chance: &mut Chance) -> Result<u64, Broken> {
    let suite = *chance.of(&Suite::ALL);
    let stage = Stage::new(suite, 4);
    let liar = liar(chance);
    let scenes = &mut scenes(&stage, liar, chance);
    let seats = scenes.iter().map(|scene| seat(scene.play, liar)).collect();
    let attacks = attack(scenes, liar, seats, chance);
    let liars: Vec<_> = liar.into_iter().collect();
    let mut oracle = Oracle::new(&stage, &liars);
    // A certificate ends what signs with the old shares.
    let ended = scenes.iter().any(|scene| scene.play.changes_the_key());
    for scene in &*scenes {
        let ends = oracle.look(scene)?;
        let may_end = ended && !scene.play.changes_the_key();
        if liar.is_none() && !may_end && ends.iter().any(|end| *end != End::Done) {
            return Err(format!("{suite:?} {:?} does not end: {ends:?}", scene.play));
        }
    }
    Ok(attacks)
}

/// Anybody, or nobody: who invites, who brings or gets something, who only takes part.
pub fn liar(chance: &mut Chance) -> Option<usize> {
    Some(chance.below(5)).filter(|person| *person < 4)
}

/// What happens on a stage while somebody lies.
pub fn attack(theatre: &mut dyn Theatre, liar: Option<usize>, seats: Vec<Option<usize>>, chance: &mut Chance) -> u64 {
    let past: Vec<_> = Suite::ALL.iter().flat_map(|suite| Cast::of(*suite).past.clone()).collect();
    let liar = liar.map(|liar| Liar { forger: forger(liar), seats });
    let mut attack = Attack { chance, liar, past: &past, attacks: 0, silent: false };
    perform(theatre, &mut attack);
    let attacks = attack.attacks;
    calm_down(theatre);
    attacks
}

/// Where somebody sits in a play.
pub fn seat(play: Play, person: Option<usize>) -> Option<usize> {
    play.people().iter().position(|(one, _)| Some(*one) == person)
}

fn scenes(stage: &Stage, liar: Option<usize>, chance: &mut Chance) -> Vec<Scene> {
    let plays: Vec<_> = Play::ALL.into_iter().filter(|play| play.fits(stage.cast.suite)).collect();
    let mut chosen: Vec<_> = (0..=chance.below(2)).map(|_| *chance.of(&plays)).collect();
    chosen.push(Play::Sign);
    // Two changes of the key are for other schedules. All imports are of one key, and a second attempt of the same number
    // is denied.
    let kinds: [fn(Play) -> bool; 2] = [Play::changes_the_key, |play| play == Play::Import];
    for once in kinds {
        let mut there = false;
        chosen.retain(|play| !once(*play) || !core::mem::replace(&mut there, true));
    }
    let new = |play| match play {
        Play::SignPrepared if liar == Some(0) && chance.one_in(2) => twice(stage, chance),
        play => vec![Scene::new(stage, play)],
    };
    chosen.into_iter().flat_map(new).collect()
}

/// The liar asks for two signatures with one pair of nonces, of all and of two, in either order.
fn twice(stage: &Stage, chance: &mut Chance) -> Vec<Scene> {
    let batched = Play::SignPrepared.prelude(stage);
    let invitation = Play::SignPrepared.propose(stage, batched.as_deref()).unwrap();
    let again = forger(0).reinvite(&invitation, |one| one.signers = vec![id(1), id(2)]);
    let mut both = vec![invitation, again];
    both.rotate_left(chance.below(2));
    both.into_iter().map(|one| Scene::of(stage, Play::SignPrepared, one, batched.clone())).collect()
}
