//! Attackers that do whatever comes into their heads: from a seed, which a failure prints.
//!
//! Most schedules are of members without tokens, which costs little; every so often one is of tokens, with several runs of
//! one key at a time.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use quorumkey::hazmat::{Actor, Forger, Made, Troupe, body, group_key_of_shares, subject};
use quorumkey::{Error, Evidence, Identifier, Invitation, Message, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::attack::{Lie, unsigned};
use super::cast::{Cast, Stage, forger};
use super::common::id;
use super::oracle::{Broken, End, Oracle};
use super::play::Play;
use super::scene::Scene;

/// So many schedules; of so many, one is of tokens.
const SCHEDULES: u64 = 10_000;
const OF_TOKENS: u64 = 200;

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
    if seed.is_multiple_of(OF_TOKENS) { of_tokens(&mut chance) } else { of_actors(&mut chance) }
}

/// What happens.
struct Chance(ChaCha20Rng);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }
}

/// What is on its way: to which seat of which scene.
struct Letter {
    scene: usize,
    to: usize,
    message: Message,
}

/// What the network and the liar make of messages.
struct Attack<'a> {
    chance: &'a mut Chance,
    /// The liar's seat, in every scene, and its key.
    liar: Option<(usize, Forger)>,
    /// What was said elsewhere.
    past: &'a [Message],
    attacks: u64,
    /// From then on it says nothing more.
    silent: bool,
}

impl Attack<'_> {
    /// What a seat says, as others get it.
    fn said(&mut self, scene: usize, from: usize, message: &Message, seats: usize, said: &[Message]) -> Vec<Letter> {
        let lies = self.liar.as_ref().is_some_and(|(liar, _)| *liar == from);
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
        let (_, forger) = self.liar.as_ref().expect("a liar");
        self.attacks += 1;
        if self.chance.one_in(4) {
            // The words of another message, of another run perhaps.
            let words = self.chance.of(if self.past.is_empty() { said } else { self.past });
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
trait Theatre {
    fn scenes(&self) -> usize;
    fn seats(&self, scene: usize) -> usize;
    fn speak(&mut self, scene: usize, seat: usize) -> Vec<Message>;
    fn deliver(&mut self, scene: usize, to: usize, message: &Message);
    fn say_again(&mut self);
}

/// Hands letters around in any order until nobody has more to say.
fn perform(theatre: &mut dyn Theatre, attack: &mut Attack<'_>) {
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
        let next = waiting.swap_remove(attack.chance.below(waiting.len()));
        let arrives = attack.carried(next, theatre.scenes(), &mut waiting);
        if let Some(letter) = arrives.filter(|letter| letter.to < theatre.seats(letter.scene)) {
            theatre.deliver(letter.scene, letter.to, &letter.message);
        }
    }
}

/// What was lost is said again, and nobody disturbs it.
fn calm_down(theatre: &mut dyn Theatre) {
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
fn of_tokens(chance: &mut Chance) -> Result<u64, Broken> {
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

/// A run of members without tokens, and what each ended with.
struct Cheap {
    invitation: Invitation,
    actors: Vec<Actor>,
    made: Vec<Option<Made>>,
    failed: Vec<Option<Error>>,
    said: Vec<Vec<Message>>,
    wire: Vec<Message>,
}

impl Cheap {
    fn new((invitation, actors): (Invitation, Vec<Actor>)) -> Self {
        let none = || actors.iter().map(|_| None);
        let (made, failed) = (none().collect(), actors.iter().map(|_| None).collect());
        let said = actors.iter().map(|_| Vec::new()).collect();
        Self { invitation, made, failed, said, wire: Vec::new(), actors }
    }
}

impl Theatre for Vec<Cheap> {
    fn scenes(&self) -> usize {
        self.len()
    }

    fn seats(&self, scene: usize) -> usize {
        self[scene].actors.len()
    }

    fn speak(&mut self, scene: usize, seat: usize) -> Vec<Message> {
        let Cheap { actors, said, .. } = &mut self[scene];
        let now: Vec<_> = std::iter::from_fn(|| actors[seat].poll_transmit()).collect();
        for message in &now {
            if !said[seat].contains(message) {
                said[seat].push(message.clone());
            }
        }
        now
    }

    fn deliver(&mut self, scene: usize, to: usize, message: &Message) {
        let Cheap { actors, made, failed, wire, .. } = &mut self[scene];
        wire.push(message.clone());
        match actors[to].handle(message) {
            Ok(()) => made[to] = actors[to].poll_output().or(made[to].take()),
            Err(Error::Rejected(_)) => {}
            Err(error) => failed[to] = failed[to].take().or(Some(error)),
        }
    }

    fn say_again(&mut self) {
        self.iter_mut().flat_map(|scene| scene.actors.iter_mut()).for_each(Actor::resend);
    }
}

const TEXT: &[u8] = b"pay the miller";

static TROUPES: LazyLock<Vec<(Suite, Troupe)>> = LazyLock::new(|| {
    let new = |suite| (suite, Troupe::new(suite, &mut ChaCha20Rng::seed_from_u64(7)).unwrap());
    Suite::ALL.into_iter().map(new).collect()
});

/// One to three runs at once, mostly signatures.
fn of_actors(chance: &mut Chance) -> Result<u64, Broken> {
    let (suite, troupe) = chance.of(&TROUPES);
    let liar = Some(chance.below(4)).filter(|liar| *liar < 3);
    let deals = chance.one_in(20);
    let another = usize::from(chance.one_in(4));
    let mut scenes: Vec<_> = (0..=another).map(|_| Cheap::new(troupe.sign(TEXT).unwrap())).collect();
    scenes.extend(deals.then(|| Cheap::new(troupe.deal().unwrap())));
    // What the first run says is what the past of the others is made of.
    let key = liar.map(|liar| (liar, Forger::new(troupe.seeds[liar])));
    let mut attack = Attack { chance, liar: key, past: &[], attacks: 0, silent: false };
    perform(&mut scenes, &mut attack);
    let attacks = attack.attacks;
    calm_down(&mut scenes);
    for scene in &scenes {
        look(*suite, troupe, scene, liar)?;
        // To be shown everything takes a judge longest.
        judges_the_liar(troupe, scene, liar, chance.one_in(8))?;
    }
    Ok(attacks)
}

/// The oracles of a run without tokens.
fn look(suite: Suite, troupe: &Troupe, scene: &Cheap, liar: Option<usize>) -> Result<(), Broken> {
    let culprit = liar.map(|liar| id(u16::try_from(liar + 1).unwrap()));
    let honest: Vec<_> = (0..scene.actors.len()).filter(|seat| Some(*seat) != liar).collect();
    let mut shares = Vec::new();
    let mut keys = BTreeSet::new();
    for seat in honest {
        blames_the_liar(scene, seat, culprit)?;
        let answers: BTreeSet<_> =
            scene.said[seat].iter().filter(|message| subject(message) == "share").map(body).collect();
        if answers.len() > 1 {
            return Err(format!("seat {seat} signs twice with one nonce"));
        }
        match &scene.made[seat] {
            None if liar.is_none() => return Err(format!("seat {seat} has no output: {:?}", scene.failed[seat])),
            None => {}
            Some(Made::Signature(signature)) => {
                troupe.verifying_key.verify(TEXT, signature).map_err(|_| "an invalid signature")?;
            }
            Some(Made::Key { epoch, group_key, share }) => {
                keys.insert((epoch.to_string(), group_key.as_bytes().to_vec()));
                shares.push((id(u16::try_from(seat + 1).unwrap()), *share));
            }
        }
    }
    if keys.len() > 1 {
        return Err("two keys were accepted".to_owned());
    }
    let key = if shares.len() > 1 { group_key_of_shares(suite, &shares) } else { None };
    match keys.first() {
        Some((_, of)) if key.as_ref().is_some_and(|key| key != of) => Err("shares that are not of the key".to_owned()),
        _ => Ok(()),
    }
}

/// Whoever is blamed is the liar.
fn blames_the_liar(scene: &Cheap, seat: usize, liar: Option<Identifier>) -> Result<(), Broken> {
    match &scene.failed[seat] {
        Some(Error::PeerMisbehaved { culprits, misbehaviour, .. }) if culprits.iter().any(|one| Some(*one) != liar) => {
            Err(format!("seat {seat} blames {culprits:?}: {misbehaviour:?}"))
        }
        None | Some(Error::PeerMisbehaved { .. }) => Ok(()),
        Some(error) => Err(format!("seat {seat} stops: {error:?}")),
    }
}

/// Whoever judges what honest members show, or is shown everything that was ever sent, blames the liar or nobody.
fn judges_the_liar(troupe: &Troupe, scene: &Cheap, liar: Option<usize>, everything: bool) -> Result<(), Broken> {
    let culprit = liar.map(|liar| id(u16::try_from(liar + 1).unwrap()));
    let honest = scene.failed.iter().enumerate().filter(|(seat, _)| Some(*seat) != liar);
    let mut shown: Vec<_> = honest
        .filter_map(|(_, error)| match error {
            Some(Error::PeerMisbehaved { evidence, .. }) => Some(evidence.messages()),
            _ => None,
        })
        .collect();
    shown.dedup();
    shown.extend(everything.then_some(scene.wire.as_slice()));
    let chain: &[_] = if scene.invitation.signers().is_empty() { &[] } else { &troupe.chain };
    for messages in shown {
        let judged =
            Evidence::new(messages.to_vec()).judge(&scene.invitation, chain).map_err(|error| format!("{error:?}"))?;
        if let Some(judged) = judged.filter(|judged| judged.culprits.iter().any(|one| Some(*one) != culprit)) {
            return Err(format!("a judge blames {judged:?}"));
        }
    }
    Ok(())
}
