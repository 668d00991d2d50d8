//! Schedules of members without tokens, of which ten thousand take no longer than some hundred of tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use quorumkey::hazmat::{Actor, Forger, Made, Troupe, body, group_key_of_shares, subject};
use quorumkey::{Certificate, Error, Evidence, Identifier, Invitation, Message, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::common::id;
use super::oracle::{Broken, Seen};
use super::scene::looked_at;
use super::schedules::{Attack, Chance, Liar, Theatre, calm_down, perform};

/// A run of members without tokens, and what each ended with.
struct Cheap {
    text: &'static [u8],
    /// Whether its nonces are gone before it begins.
    refused: bool,
    invitation: Invitation,
    actors: Vec<Actor>,
    made: Vec<Option<Made>>,
    failed: Vec<Option<Error>>,
    said: Vec<Vec<Message>>,
    /// What each looked at before its end.
    heard: Vec<Vec<Message>>,
    /// What was said before, when the nonces were made.
    before: Vec<Message>,
    wire: Vec<Message>,
}

impl Cheap {
    fn new(text: &'static [u8], (invitation, actors): (Invitation, Vec<Actor>)) -> Self {
        let none = || actors.iter().map(|_| None);
        let (made, failed) = (none().collect(), actors.iter().map(|_| None).collect());
        let nothing = || vec![Vec::new(); actors.len()];
        let (said, heard) = (nothing(), nothing());
        let (before, wire) = (Vec::new(), Vec::new());
        Self { text, refused: false, invitation, made, failed, said, heard, before, wire, actors }
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
        let Cheap { actors, made, failed, heard, wire, .. } = &mut self[scene];
        wire.push(message.clone());
        let result = actors[to].handle(message);
        if made[to].is_none() && failed[to].is_none() && looked_at(&result) {
            heard[to].push(message.clone());
        }
        match result {
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

/// What they said in other runs, in all suites, and the same of another epoch.
static PAST: LazyLock<Vec<Message>> = LazyLock::new(|| {
    let mut past = Vec::new();
    for (_, troupe) in &*TROUPES {
        let mut runs: Vec<_> = [troupe.sign(TEXT), troupe.deal()].map(|run| Cheap::new(TEXT, run.unwrap())).into();
        calm_down(&mut runs);
        assert!(runs.iter().flat_map(|run| &run.made).all(Option::is_some), "a run that nobody disturbed does not end");
        let said: Vec<_> = runs.iter().flat_map(|run| run.said.concat()).collect();
        for message in said.into_iter().chain(troupe.prepare(2).unwrap().said) {
            let sender = Forger::new(troupe.seeds[usize::from(message.sender().get()) - 1]);
            past.push(sender.alter(&message, |one| one.epoch[0] ^= 1));
            past.push(message);
        }
    }
    past
});

/// One to four runs at once, mostly signatures; of two of them, that are to have different messages, each with the same
/// nonces.
pub fn of_actors(chance: &mut Chance) -> Result<u64, Broken> {
    let (suite, troupe) = chance.of(&TROUPES);
    let liar = Some(chance.below(4)).filter(|liar| *liar < 3);
    let deals = chance.one_in(20);
    let another = usize::from(chance.one_in(4));
    let mut scenes: Vec<_> = (0..=another).map(|_| Cheap::new(TEXT, troupe.sign(TEXT).unwrap())).collect();
    scenes.extend(deals.then(|| Cheap::new(TEXT, troupe.deal().unwrap())));
    let first = scenes.len();
    if chance.one_in(8) {
        scenes.extend(with_the_same_nonces(troupe, chance));
    }
    let key = liar.map(|liar| Liar { forger: Forger::new(troupe.seeds[liar]), seats: vec![Some(liar); scenes.len()] });
    let mut attack = Attack { chance, liar: key, past: &PAST, attacks: 0, silent: false };
    perform(&mut scenes, &mut attack);
    let attacks = attack.attacks;
    calm_down(&mut scenes);
    let honest = |scene: &Cheap| -> Vec<BTreeSet<Vec<u8>>> {
        let seats = scene.said.iter().enumerate().filter(|(seat, _)| Some(*seat) != liar);
        seats.map(|(_, said)| answers(said)).collect()
    };
    if let [one, other] = &scenes[first..] {
        let twice = honest(one).iter().zip(honest(other)).any(|(one, other)| !one.is_empty() && !other.is_empty());
        if twice {
            return Err("somebody signs two messages with one pair of nonces".to_owned());
        }
    }
    for scene in &scenes {
        look(*suite, troupe, scene, liar)?;
        // To be shown everything takes a judge longest.
        judges_the_liar(troupe, scene, liar, chance.one_in(8))?;
    }
    Ok(attacks)
}

/// The oracle of what a run looked at is not content with everything.
#[test]
fn a_liar_that_no_member_without_a_token_names_is_noticed() {
    for (_, troupe) in &*TROUPES {
        let mut scenes = vec![Cheap::new(TEXT, troupe.sign(TEXT).unwrap())];
        for message in scenes.speak(0, 0) {
            let other = Forger::new(troupe.seeds[0]).alter(&message, |one| one.counter += 1);
            for message in [message, other] {
                scenes.deliver(0, 1, &message);
            }
        }
        judges_the_liar(troupe, &scenes[0], Some(0), true).unwrap();
        scenes[0].failed = vec![None, None, None];
        let broken = judges_the_liar(troupe, &scenes[0], Some(0), false).unwrap_err();
        assert!(broken.contains("nobody names"), "{broken}");
    }
}

/// Two runs that are to sign different messages with one pair of nonces.
fn with_the_same_nonces(troupe: &Troupe, chance: &mut Chance) -> [Cheap; 2] {
    let mut stocked = troupe.prepare(2).unwrap();
    let index = u16::try_from(chance.below(2)).unwrap();
    let [one, other] = [TEXT, b"pay the miller twice"].map(|text| {
        let mut scene = Cheap::new(text, troupe.sign_prepared(&mut stocked, index, text).unwrap());
        scene.before.clone_from(&stocked.said);
        scene
    });
    [one, Cheap { refused: true, ..other }]
}

/// The different signature shares among messages.
fn answers(said: &[Message]) -> BTreeSet<Vec<u8>> {
    said.iter().filter(|message| subject(message) == "share").map(|share| body(share).to_vec()).collect()
}

/// The oracles of a run without tokens.
fn look(suite: Suite, troupe: &Troupe, scene: &Cheap, liar: Option<usize>) -> Result<(), Broken> {
    let culprit = liar.map(|liar| id(u16::try_from(liar + 1).unwrap()));
    let honest: Vec<_> = (0..scene.actors.len()).filter(|seat| Some(*seat) != liar).collect();
    let mut shares = Vec::new();
    let mut keys = BTreeSet::new();
    for seat in honest {
        blames_the_liar(scene, seat, culprit)?;
        if answers(&scene.said[seat]).len() > 1 {
            return Err(format!("seat {seat} signs twice with one nonce"));
        }
        match &scene.made[seat] {
            None if liar.is_none() && !scene.refused => {
                return Err(format!("seat {seat} has no output: {:?}", scene.failed[seat]));
            }
            None => {}
            Some(Made::Signature(signature)) => {
                troupe.verifying_key.verify(scene.text, signature).map_err(|_| "an invalid signature")?;
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
        Some(Error::Misuse(_)) if scene.refused => Ok(()),
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
    let wire = [scene.before.as_slice(), &scene.wire].concat();
    shown.extend(everything.then_some(wire.as_slice()));
    let chain: &[_] = if scene.invitation.signers().is_empty() { &[] } else { &troupe.chain };
    for messages in shown {
        let judged =
            Evidence::new(messages.to_vec()).judge(&scene.invitation, chain).map_err(|error| format!("{error:?}"))?;
        if let Some(judged) = judged.filter(|judged| judged.culprits.iter().any(|one| Some(*one) != culprit)) {
            return Err(format!("a judge blames {judged:?}"));
        }
    }
    // A judge has nothing to find where all that was looked at are the words of honest machines.
    let mut looked_at = scene.heard.iter().flatten();
    let honest = !everything && looked_at.all(|message| scene.said.iter().any(|said| said.contains(message)));
    if honest { Ok(()) } else { nobody_guilty_is_spared(scene, chain, liar) }
}

/// What a run looked at convicts nobody whom no honest member named: see the oracle of tokens.
fn nobody_guilty_is_spared(scene: &Cheap, chain: &[Certificate], liar: Option<usize>) -> Result<(), Broken> {
    let honest: Vec<_> = (0..scene.actors.len()).filter(|seat| Some(*seat) != liar).collect();
    if honest.iter().any(|seat| matches!(scene.failed[*seat], Some(Error::PeerMisbehaved { .. }))) {
        return Ok(());
    }
    let seen = |seat: &usize| {
        let awaits = !scene.actors[*seat].awaiting().is_empty();
        Seen::new(&scene.before, &scene.said[*seat], &scene.heard[*seat], awaits)
    };
    let all: BTreeMap<_, _> = honest.iter().map(seen).map(|seen| (seen.name(), seen)).collect();
    all.into_values().try_for_each(|seen| seen.spares_nobody(&scene.invitation, chain))
}
