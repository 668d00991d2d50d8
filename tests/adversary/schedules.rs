//! Attackers that do whatever comes into their heads: from a seed, which a failure prints.
//!
//! Most schedules are of members without tokens, which costs little; every so often one is of tokens, with several runs of
//! one key at a time, or two that change it.

use quorumkey::Message;
use quorumkey::hazmat::{Forger, body, subject};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::attack::{Lie, unsigned};
use super::oracle::Broken;
use super::renewals::of_renewals;
use super::tokens::of_one_key;
use super::troupes::of_actors;

/// So many schedules; of so many, one is of tokens, and in every other one of these the key changes twice.
const SCHEDULES: u64 = 10_000;
const OF_TOKENS: u64 = 25;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn no_schedule_of_attacks_breaks_anything() {
    let (schedules, first) =
        (number("QUORUMKEY_ADVERSARY_SCHEDULES", SCHEDULES), number("QUORUMKEY_ADVERSARY_SEED", 1));
    let attacks: u64 = std::thread::scope(|scope| {
        let work = |half: u64| {
            let seeds = (first..first + schedules).filter(move |seed| seed % 2 == half);
            move || {
                seeds.map(|seed| schedule(seed).unwrap_or_else(|broken| panic!("seed {seed}: {broken}"))).sum::<u64>()
            }
        };
        let halves = [0, 1].map(|half| scope.spawn(work(half)));
        halves.map(|half| half.join().expect("a schedule broke something")).into_iter().sum()
    });
    println!("{schedules} schedules, {attacks} attacks");
    assert!(attacks > 3 * schedules, "hardly anything was attacked: {attacks}");
}

fn schedule(seed: u64) -> Result<u64, Broken> {
    let mut chance = Chance(ChaCha20Rng::seed_from_u64(seed));
    let of_tokens = number("QUORUMKEY_ADVERSARY_TOKENS", OF_TOKENS);
    match seed % of_tokens {
        0 if (seed / of_tokens).is_multiple_of(2) => of_renewals(&mut chance),
        0 => of_one_key(&mut chance),
        _ => of_actors(&mut chance),
    }
}

/// What happens.
pub struct Chance(ChaCha20Rng);

impl Chance {
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }
}

/// What is on its way: to which seat of which scene.
struct Letter {
    scene: usize,
    to: usize,
    message: Message,
}

/// A member that lies: its key, and its seat in each scene, if it has one there.
pub struct Liar {
    pub forger: Forger,
    pub seats: Vec<Option<usize>>,
}

/// What the network and the liar make of messages.
pub struct Attack<'a> {
    pub chance: &'a mut Chance,
    /// Who lies.
    pub liar: Option<Liar>,
    /// What was said elsewhere.
    pub past: &'a [Message],
    pub attacks: u64,
    /// From then on it says nothing more.
    pub silent: bool,
}

impl Attack<'_> {
    /// What a seat says, as others get it.
    fn said(&mut self, scene: usize, from: usize, message: &Message, seats: usize, said: &[Message]) -> Vec<Letter> {
        let lies = self.liar.as_ref().is_some_and(|liar| liar.seats.get(scene) == Some(&Some(from)));
        self.silent |= lies && self.chance.one_in(40);
        if lies && self.silent {
            self.attacks += 1;
            return Vec::new();
        }
        let to_all = if lies && self.chance.one_in(3) { Some(self.lie(message, said)) } else { None };
        let mut letters = Vec::new();
        for to in (0..seats).filter(|to| *to != from) {
            let to_one = if lies && self.chance.one_in(8) { Some(self.lie(message, said)) } else { None };
            let message = to_one.as_ref().or(to_all.as_ref()).unwrap_or(message);
            letters.push(Letter { scene, to, message: message.clone() });
        }
        letters
    }

    fn lie(&mut self, message: &Message, said: &[Message]) -> Message {
        let forger = &self.liar.as_ref().expect("a liar").forger;
        self.attacks += 1;
        if self.chance.one_in(4) {
            // The words of another message, of another run perhaps.
            let elsewhere = !self.past.is_empty() && self.chance.one_in(2);
            let words = self.chance.of(if elsewhere { self.past } else { said });
            return forger.alter(message, |one| one.body = body(words).to_vec());
        }
        let lies = Lie::all(message);
        let like = |other: &&Message| subject(other) == subject(message) && other.sender() != message.sender();
        let others = said.iter().find(like);
        self.chance.of(&lies).tell(forger, message, others).unwrap_or_else(|| message.clone())
    }

    /// What becomes of a letter on its way. The network has no key.
    fn carried(&mut self, letter: Letter, scenes: usize, waiting: &mut Vec<Letter>) -> Option<Letter> {
        let Letter { scene, to, message } = letter;
        let copy = |message: &Message| Letter { scene, to, message: message.clone() };
        self.attacks += 1;
        match self.chance.below(24) {
            0 => return None,
            1 => waiting.extend([copy(&message), copy(&message)]),
            // Back to its sender, or to another run.
            2 => waiting.push(Letter { to: self.chance.below(3), ..copy(&message) }),
            3 => waiting.push(Letter { scene: self.chance.below(scenes), ..copy(&message) }),
            4 if !self.past.is_empty() => waiting.push(copy(self.chance.of(self.past))),
            5 => {
                let mut bytes = message.to_bytes();
                let at = self.chance.below(bytes.len());
                bytes[at] ^= 1 << self.chance.below(8);
                return Message::from_bytes(&bytes).ok().map(|message| copy(&message));
            }
            6 => {
                let lies = Lie::all(&message);
                let lie = lies.get(self.chance.below(lies.len().max(1)));
                let changed = lie.and_then(|lie| unsigned(&message, &lie.change.of(&message, &lie.field, None)?));
                waiting.extend(changed.map(|changed| copy(&changed)));
            }
            _ => self.attacks -= 1,
        }
        Some(copy(&message))
    }
}

/// Whoever takes part in scenes: with a token or without.
pub trait Theatre {
    fn scenes(&self) -> usize;
    fn seats(&self, scene: usize) -> usize;
    fn speak(&mut self, scene: usize, seat: usize) -> Vec<Message>;
    fn deliver(&mut self, scene: usize, to: usize, message: &Message);
    fn say_again(&mut self);
    /// Called before each letter: what begins later does so when enough have arrived.
    fn passes(&mut self) {}
}

/// Hands letters around in any order until nobody has more to say.
pub fn perform(theatre: &mut dyn Theatre, attack: &mut Attack<'_>) {
    let (mut waiting, mut said) = (Vec::new(), Vec::new());
    loop {
        for scene in 0..theatre.scenes() {
            for seat in 0..theatre.seats(scene) {
                let messages = theatre.speak(scene, seat);
                said.extend(messages.iter().cloned());
                for message in messages {
                    waiting.extend(attack.said(scene, seat, &message, theatre.seats(scene), &said));
                }
            }
        }
        if waiting.is_empty() {
            return;
        }
        theatre.passes();
        let next = waiting.swap_remove(attack.chance.below(waiting.len()));
        let arrives = attack.carried(next, theatre.scenes(), &mut waiting);
        if let Some(letter) = arrives.filter(|letter| letter.to < theatre.seats(letter.scene)) {
            theatre.deliver(letter.scene, letter.to, &letter.message);
        }
    }
}

/// What was lost is said again, and nobody disturbs it.
pub fn calm_down(theatre: &mut dyn Theatre) {
    for _ in 0..5 {
        theatre.say_again();
        for scene in 0..theatre.scenes() {
            for seat in 0..theatre.seats(scene) {
                for message in theatre.speak(scene, seat) {
                    let others = (0..theatre.seats(scene)).filter(|to| *to != seat);
                    others.for_each(|to| theatre.deliver(scene, to, &message));
                }
            }
        }
    }
}
