//! Schedules of members without tokens, of which ten thousand take no longer than some hundred of tokens.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use quorumkey::hazmat::{Actor, Forger, Made, Troupe, body, group_key_of_shares, subject};
use quorumkey::{Error, Evidence, Identifier, Invitation, Message, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::common::id;
use super::oracle::Broken;
use super::schedules::{Attack, Chance, Theatre, calm_down, perform};

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
pub fn of_actors(chance: &mut Chance) -> Result<u64, Broken> {
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
