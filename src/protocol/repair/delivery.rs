//! The last rounds: the parts of the share arrive, and whoever got them says so, or accuses.

use rand_core::CryptoRng;

use super::{RepairSetup, failure, read_deals};
use crate::protocol::dealing::{Ceremony, RunKey, combine};
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::protocol::machine::{Done, Effect, Halt, Machine, RepairedShare, Transition};
use crate::protocol::renewal::{PayloadRule, Receiver, decide};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};
use crate::wire::{Message, Subject};

/// Waiting for every helper's deal to the member that they help, or for a helper's accusation.
#[derive(Debug)]
pub(super) struct ExpectDeliveries<C: Ciphersuite> {
    pub(super) setup: RepairSetup,
    pub(super) run_key: RunKey<C>,
    /// The helpers' dealing among themselves.
    pub(super) split: Ceremony<C>,
    pub(super) ceremony: Ceremony<C>,
    /// What was said before the splits.
    pub(super) before: Vec<Message>,
    pub(super) splits: Vec<Message>,
}

/// Who is to blame for an accusation, given the deals that it is about and what was said before them.
pub(super) fn judge_accusation<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    rule: &PayloadRule,
    before: &[Message],
    deals: &[Message],
    accusation: &Message,
) -> Failure {
    let deals = deals.iter().map(|deal| (deal.sender(), deal.clone())).collect();
    decide(ceremony, rule, before, &deals, accusation)
}

pub(super) fn accusation(round: &[Message]) -> Option<&Message> {
    round.iter().find(|message| message.header().subject == Subject::Accuse)
}

impl<C: Ciphersuite> Machine for ExpectDeliveries<C> {
    fn handle(self: Box<Self>, round: &[Message], rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let Self { setup, run_key, split, ceremony, before, splits } = *self;
        let rule = setup.rule();
        if let Some(accusation) = accusation(round) {
            return Err(judge_accusation(&split, &rule, &before, &splits, accusation).into());
        }
        let before = [before, splits].concat();
        let deals = read_deals(&ceremony, round).map_err(|(sender, what)| failure(round, &before, sender, what))?;
        if setup.me != setup.target() {
            let next = ExpectReceipt { setup, ceremony, before, deliveries: round.to_vec() };
            return Ok(Transition::silent(Box::new(next), Effect::None));
        }
        let (me, run_key, rule) = (setup.me, &run_key, &rule);
        let opened =
            Receiver { ceremony: &ceremony, me, run_key, rule, before: &before, round }.open_all(&deals, rng)?;
        let received = combine(&ceremony, setup.me, opened, &deals).map_err(|_| Failure::unattributed())?;
        // The parts are right one by one. That their sum is the share is seen again here.
        // Compared as points, in constant time: bytes would be compared up to the first that differs.
        let expected = setup.epoch.verifying_shares.get(&setup.me).and_then(|bytes| C::Element::from_bytes(bytes));
        let chain_code = received.payloads.values().next().and_then(|payload| payload.as_slice().try_into().ok());
        let fits = expected == Some(C::Element::mul_base(received.share.expose()));
        let (true, Some(chain_code)) = (fits, chain_code) else {
            return Err(Failure::unattributed().into());
        };
        let share = Secret::new(received.share.expose().to_bytes());
        let repaired = RepairedShare { share, chain_code: Secret::new(chain_code) };
        Ok(Transition::silent(Box::new(Done), Effect::Repaired(Box::new(repaired))))
    }
}

/// A helper, waiting for the other to say that it has its share, or to accuse.
#[derive(Debug)]
struct ExpectReceipt<C: Ciphersuite> {
    setup: RepairSetup,
    ceremony: Ceremony<C>,
    before: Vec<Message>,
    deliveries: Vec<Message>,
}

impl<C: Ciphersuite> Machine for ExpectReceipt<C> {
    fn handle(self: Box<Self>, round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        if let Some(accusation) = accusation(round) {
            let rule = self.setup.rule();
            return Err(judge_accusation(&self.ceremony, &rule, &self.before, &self.deliveries, accusation).into());
        }
        match round.iter().find(|message| !message.body().is_empty()) {
            Some(message) => Err(Failure::by(message.sender(), Misbehaviour::Malformed, &[message]).into()),
            None => Ok(Transition::silent(Box::new(Done), Effect::Helped)),
        }
    }
}
