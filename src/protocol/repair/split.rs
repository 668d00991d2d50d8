//! The third round: the helpers have shared the share among themselves.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;

use super::delivery::ExpectDeliveries;
use super::{RepairSetup, RunKeys, deal_fixed, delivery, failure, is_dealer, read_deals};
use crate::protocol::dealing::{Ceremony, Deal, RunKey, combine};
use crate::protocol::fault::Failure;
use crate::protocol::machine::{Effect, Halt, Machine, Transition};
use crate::protocol::polynomial::lagrange;
use crate::protocol::renewal::Receiver;
use crate::secret::Secret;
use crate::suite::Ciphersuite;
use crate::wire::{Identifier, Message, Subject};

/// Waiting for every helper's deal to the helpers.
#[derive(Debug)]
pub(super) struct ExpectSplits<C: Ciphersuite> {
    pub(super) setup: RepairSetup,
    pub(super) run_key: RunKey<C>,
    pub(super) run_keys: RunKeys<C>,
    pub(super) ceremony: Ceremony<C>,
    pub(super) joins: Vec<Message>,
    pub(super) votes: Vec<Message>,
}

impl<C: Ciphersuite> ExpectSplits<C> {
    /// σᵢ: what this helper got from all, weighed so that the sum over the helpers is the share.
    fn sum(
        &self,
        round: &[Message],
        deals: &BTreeMap<Identifier, Deal<C>>,
        before: &[Message],
        rng: &mut dyn CryptoRng,
    ) -> Result<Secret<C::Scalar>, Failure> {
        let (ceremony, me, run_key, rule) = (&self.ceremony, self.setup.me, &self.run_key, &self.setup.rule());
        let opened = Receiver { ceremony, me, run_key, rule, before, round }.open_all(deals, rng)?;
        let received = combine(ceremony, me, opened, deals).map_err(|_| Failure::unattributed())?;
        let helpers: BTreeSet<_> = self.setup.plan.helpers.iter().copied().collect();
        Ok(Secret::new(lagrange::<C>(me, &helpers) * *received.share.expose()))
    }
}

impl<C: Ciphersuite> Machine for ExpectSplits<C> {
    fn handle(self: Box<Self>, round: &[Message], rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let before = [self.joins.as_slice(), &self.votes].concat();
        let deals =
            read_deals(&self.ceremony, round).map_err(|(sender, what)| failure(round, &before, sender, what))?;
        let told = (self.joins.as_slice(), &self.run_keys);
        let next = delivery(self.setup.run, &self.setup.plan, &self.ceremony, &deals, told);
        let next = next.ok_or_else(Failure::unattributed)?;
        let send = if self.setup.me == self.setup.target() {
            None
        } else {
            let sum = self.sum(round, &deals, &before, rng)?;
            let deals = is_dealer(&next, self.setup.me);
            let body = if deals { deal_fixed(&next, &self.setup, &self.run_key, sum, rng)? } else { Vec::new() };
            Some((Subject::Deal, body))
        };
        let next = ExpectDeliveries {
            setup: RepairSetup { held: None, ..self.setup },
            run_key: self.run_key,
            split: self.ceremony,
            ceremony: next,
            before,
            splits: round.to_vec(),
        };
        Ok(Transition { next: Box::new(next), send, effect: Effect::None })
    }
}
