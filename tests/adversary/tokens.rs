//! Schedules of tokens: several runs of one key at a time.

use quorumkey::{Message, Suite};

use super::cast::{Cast, Stage, forger};
use super::oracle::{Broken, End, Oracle};
use super::play::Play;
use super::scene::Scene;
use super::schedules::{Attack, Chance, Theatre, calm_down, perform};

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

/// Some runs of one key at once, with tokens.
pub fn of_tokens(chance: &mut Chance) -> Result<u64, Broken> {
    let suite = *chance.of(&Suite::ALL);
    let stage = Stage::new(suite, 4);
    let plays: Vec<_> = Play::ALL.into_iter().filter(|play| play.fits(suite)).collect();
    let mut chosen: Vec<_> = (0..=chance.below(2)).map(|_| *chance.of(&plays)).collect();
    // One change of the key at a time, beside signatures.
    if chosen.len() == 1 {
        chosen.push(Play::Sign);
    }
    chosen.truncate(if chosen.iter().any(|play| play.changes_the_key()) { 1 } else { 3 });
    // All imports are of one key, and a second attempt of the same number is denied.
    let mut imported = false;
    chosen.retain(|play| !matches!(play, Play::Import) || !core::mem::replace(&mut imported, true));
    let mut scenes: Vec<_> = chosen.into_iter().map(|play| Scene::new(&stage, play)).collect();
    // Of the first two people, who have the same seats in every play.
    let liar = chance.below(4);
    let liars: Vec<_> = [liar].into_iter().filter(|liar| *liar < 2).collect();
    let past: Vec<_> = Suite::ALL.iter().flat_map(|suite| Cast::of(*suite).past.clone()).collect();
    let liar = liars.first().map(|liar| (*liar, forger(*liar)));
    let mut attack = Attack { chance, liar, past: &past, attacks: 0, silent: false };
    perform(&mut scenes, &mut attack);
    let attacks = attack.attacks;
    calm_down(&mut scenes);
    let mut oracle = Oracle::new(&stage, &liars);
    for scene in &scenes {
        let ends = oracle.look(scene)?;
        if liars.is_empty() && ends.iter().any(|end| *end != End::Done) {
            return Err(format!("{suite:?} {:?} does not end: {ends:?}", scene.play));
        }
    }
    Ok(attacks)
}
