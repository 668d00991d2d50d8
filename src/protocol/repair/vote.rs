//! The second round: the helpers sign the revision. Nothing secret is sent before a quorum has.

use rand_core::CryptoRng;

use super::split::ExpectSplits;
use super::{RepairSetup, RunKeys, deal_fixed, failure, part, split};
use crate::protocol::dealing::RunKey;
use crate::protocol::epoch::Epoch;
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::protocol::machine::{Done, Effect, Halt, Machine, Transition};
use crate::protocol::revision::{SignedRevision, is_vote};
use crate::suite::Ciphersuite;
use crate::wire::{Message, Revision, Subject};

/// Waiting for every helper's signature on the revision.
#[derive(Debug)]
pub(super) struct ExpectVotes<C: Ciphersuite> {
    pub(super) setup: RepairSetup,
    pub(super) run_key: RunKey<C>,
    pub(super) run_keys: RunKeys<C>,
    pub(super) joins: Vec<Message>,
}

/// A vote is the signature and nothing else.
pub(super) fn read_vote(epoch: &Epoch, revision: &Revision, message: &Message) -> Option<[u8; 64]> {
    let signature = message.body().try_into().ok()?;
    is_vote(epoch, revision, message.sender(), &signature).then_some(signature)
}

impl<C: Ciphersuite> ExpectVotes<C> {
    fn read(&self, round: &[Message]) -> Result<SignedRevision, Failure> {
        let (epoch, revision) = (&self.setup.epoch, &self.setup.plan.revision);
        let read = |message: &Message| {
            let wrong = || failure(round, &[], message.sender(), Misbehaviour::RevisionSignature);
            Ok((message.sender(), read_vote(epoch, revision, message).ok_or_else(wrong)?))
        };
        let signatures = round.iter().map(read).collect::<Result<_, Failure>>()?;
        Ok(SignedRevision { revision: revision.clone(), signatures })
    }
}

impl<C: Ciphersuite> Machine for ExpectVotes<C> {
    fn handle(self: Box<Self>, round: &[Message], rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let revision = Box::new(self.read(round)?);
        let Self { mut setup, run_key, run_keys, joins } = *self;
        let effect = Effect::Revised { revision, ends: !setup.plan.delivers };
        if !setup.plan.delivers {
            return Ok(Transition::silent(Box::new(Done), effect));
        }
        let ceremony = split::<C>(setup.run, &setup.plan, &setup.epoch, &joins, &run_keys);
        let ceremony = ceremony.ok_or_else(Failure::unattributed)?;
        let send = if setup.me == setup.target() {
            None
        } else {
            let part = part::<C>(&mut setup).ok_or_else(Failure::unattributed)?;
            Some((Subject::Deal, deal_fixed(&ceremony, &setup, &run_key, part, rng)?))
        };
        let next = ExpectSplits { setup, run_key, run_keys, ceremony, joins, votes: round.to_vec() };
        Ok(Transition { next: Box::new(next), send, effect })
    }
}
