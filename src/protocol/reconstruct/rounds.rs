//! The rounds of a reconstruction.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::said::{Consents, consent_statement, encode_consent};
use crate::protocol::dealing::{Handover, Hedge, RunKey};
use crate::protocol::epoch::Epoch;
use crate::protocol::fault::{Failure, LastWords, Misbehaviour};
use crate::protocol::machine::{Beginning, Done, Effect, Halt, Machine, Transition};
use crate::protocol::polynomial::lagrange;
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar, with_suite};
use crate::wire::{Identifier, Message, RunId, Subject, Writer};

/// What a member enters the run with.
#[derive(Debug)]
pub(crate) struct ReconstructSetup {
    pub(crate) run: RunId,
    /// Who gets the key.
    pub(crate) recipient: Identifier,
    pub(crate) epoch: Epoch,
    pub(crate) me: Identifier,
    pub(crate) share: Secret<[u8; 32]>,
}

/// Enters the run: what to wait in, and the consent to send.
pub(crate) fn start(setup: ReconstructSetup, rng: &mut dyn CryptoRng) -> Result<Beginning<Vec<u8>>, Halt> {
    with_suite!(setup.epoch.suite(), C => ExpectConsents::<C>::start(setup, rng))
}

/// Waiting for every member's consent.
#[derive(Debug)]
struct ExpectConsents<C: Ciphersuite> {
    setup: ReconstructSetup,
    run_key: RunKey<C>,
}

impl<C: Ciphersuite> ExpectConsents<C> {
    fn start(setup: ReconstructSetup, rng: &mut dyn CryptoRng) -> Result<Beginning<Vec<u8>>, Halt> {
        let run_key = RunKey::<C>::generate(rng);
        let mut hedge = Zeroizing::new([0; 32]);
        rng.fill_bytes(hedge.as_mut());
        let card = setup.epoch.roster().card(setup.me).ok_or_else(Failure::unattributed)?.id();
        let statement = consent_statement(setup.run, setup.me, card);
        let proof = run_key.prove(&statement, Hedge::Mixed(&hedge)).map_err(|_| Failure::unattributed())?;
        let body = encode_consent::<C>(run_key.public(), &proof);
        Ok((Box::new(Self { setup, run_key }), body))
    }
}

impl<C: Ciphersuite> Machine for ExpectConsents<C> {
    fn handle(self: Box<Self>, round: &[Message], rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let Self { setup, run_key } = *self;
        let consents = Consents::<C>::read(setup.run, setup.recipient, &setup.epoch, round)?;
        let share = C::Scalar::from_bytes(setup.share.expose()).map(Secret::new).ok_or_else(Failure::unattributed)?;
        let (said, epoch) = (round.to_vec(), setup.epoch.id);
        if setup.me == setup.recipient {
            let next = ExpectHandovers { setup, run_key, share, consents, said };
            return Ok(Transition::silent(Box::new(next), Effect::None));
        }
        let handing = consents.handing(setup.me).ok_or_else(Failure::unattributed)?;
        let body = handing.seal(&run_key, &share, rng).encode();
        let effect = Effect::HandOver { epoch, recipient: setup.recipient };
        let next = WatchHandovers { consents, said };
        Ok(Transition { next: Box::new(next), send: Some((Subject::Handover, body)), effect })
    }
}

/// Waiting for every other member's share, as the one that gets the key.
#[derive(Debug)]
struct ExpectHandovers<C: Ciphersuite> {
    setup: ReconstructSetup,
    run_key: RunKey<C>,
    share: Secret<C::Scalar>,
    consents: Consents<C>,
    said: Vec<Message>,
}

impl<C: Ciphersuite> ExpectHandovers<C> {
    fn open(
        &self,
        round: &[Message],
        message: &Message,
        rng: &mut dyn CryptoRng,
    ) -> Result<Secret<C::Scalar>, Failure> {
        let sender = message.sender();
        let evidence: Vec<_> = self.said.iter().chain(round).collect();
        let handover = Handover::<C>::decode(message.body())
            .map_err(|_| Failure::by(sender, Misbehaviour::Malformed, &evidence))?;
        let handing = self.consents.handing(sender).ok_or_else(Failure::unattributed)?;
        if let Some(share) = handing.open(&self.run_key, &handover) {
            return Ok(share);
        }
        let opening = handing.accuse(&self.run_key, &handover, rng).map_err(|_| Failure::unattributed())?;
        let accusation = Writer::new().identifier(sender).raw(&opening.encode()).finish();
        Err(Failure::by(sender, Misbehaviour::SealedShare, &evidence).saying(LastWords::Accuse(accusation)))
    }
}

/// The value at zero of the polynomial through all shares, if it is the key's secret.
pub(crate) fn combine<C: Ciphersuite>(
    shares: &BTreeMap<Identifier, Secret<C::Scalar>>,
    key: &C::Element,
) -> Option<Secret<[u8; 32]>> {
    let set: BTreeSet<_> = shares.keys().copied().collect();
    let mut secret = Secret::new(C::Scalar::ZERO);
    for (member, share) in shares {
        *secret.expose_mut() = *secret.expose() + lagrange::<C>(*member, &set) * *share.expose();
    }
    // As elements, which are compared in constant time.
    (C::Element::mul_base(secret.expose()) == *key).then(|| Secret::new(secret.expose().to_bytes()))
}

impl<C: Ciphersuite> Machine for ExpectHandovers<C> {
    fn handle(self: Box<Self>, round: &[Message], rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let mut shares = BTreeMap::new();
        for message in round {
            shares.insert(message.sender(), self.open(round, message, rng)?);
        }
        let Self { setup, share, .. } = *self;
        shares.insert(setup.me, share);
        let key = setup.epoch.group_key.element::<C>().ok_or_else(Failure::unattributed)?;
        let secret = combine::<C>(&shares, &key).ok_or_else(Failure::unattributed)?;
        let effect = Effect::Reconstructed(Box::new(secret));
        Ok(Transition { next: Box::new(Done), send: Some((Subject::Receipt, Vec::new())), effect })
    }
}

/// Waiting for the others' handovers, as one that has handed its own over: to judge by, if somebody is accused.
#[derive(Debug)]
struct WatchHandovers<C: Ciphersuite> {
    consents: Consents<C>,
    said: Vec<Message>,
}

impl<C: Ciphersuite> Machine for WatchHandovers<C> {
    fn handle(self: Box<Self>, round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let malformed = round.iter().find(|message| Handover::<C>::decode(message.body()).is_err());
        if let Some(message) = malformed {
            let evidence: Vec<_> = self.said.iter().chain(round).collect();
            return Err(Failure::by(message.sender(), Misbehaviour::Malformed, &evidence).into());
        }
        let next = ExpectReceipt { consents: self.consents, said: self.said, handovers: round.to_vec() };
        Ok(Transition::silent(Box::new(next), Effect::None))
    }
}

/// Waiting for the recipient to say that it has the key, or who sent a wrong share.
#[derive(Debug)]
struct ExpectReceipt<C: Ciphersuite> {
    consents: Consents<C>,
    said: Vec<Message>,
    handovers: Vec<Message>,
}

impl<C: Ciphersuite> Machine for ExpectReceipt<C> {
    fn handle(self: Box<Self>, round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        if let Some(accusation) = round.iter().find(|message| message.header().subject == Subject::Accuse) {
            return Err(self.consents.decide(&self.said, &self.handovers, accusation).into());
        }
        if let Some(message) = round.iter().find(|message| !message.body().is_empty()) {
            return Err(Failure::by(message.sender(), Misbehaviour::Malformed, &[message]).into());
        }
        Ok(Transition::silent(Box::new(Done), Effect::HandedOver))
    }
}
