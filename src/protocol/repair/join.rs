//! The first round: helpers and the member that they help enter, each with a run key.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::vote::ExpectVotes;
use super::{RepairSetup, RunKeys};
use crate::protocol::dealing::{Hedge, RunKey};
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::protocol::machine::{Beginning, Effect, Halt, Machine, Transition};
use crate::protocol::renewal::{Join, check_run_keys, possession_statement, proves_possession};
use crate::protocol::revision::vote;
use crate::suite::Ciphersuite;
use crate::wire::{Message, Roster, RunId, Subject};

/// Waiting for every member's join.
#[derive(Debug)]
struct ExpectJoins<C: Ciphersuite> {
    setup: RepairSetup,
    run_key: RunKey<C>,
}

pub(super) fn start<C: Ciphersuite>(setup: RepairSetup, rng: &mut dyn CryptoRng) -> Result<Beginning<Vec<u8>>, Halt> {
    let run_key = RunKey::<C>::generate(rng);
    let (mut contribution, mut hedge) = ([0; 32], Zeroizing::new([0; 32]));
    rng.fill_bytes(&mut contribution);
    rng.fill_bytes(hedge.as_mut());
    let card = setup.participants.card(setup.me).ok_or_else(Failure::unattributed)?.id();
    let statement = possession_statement(setup.run, setup.me, card, &contribution, &[0; 32]);
    let possession = run_key.prove(&statement, Hedge::Mixed(&hedge)).map_err(|_| Failure::unattributed())?;
    let join = Join {
        contribution,
        chain_commitment: [0; 32],
        run_key: *run_key.public(),
        possession,
        restored: false,
        overridden: false,
        attempts: Vec::new(),
        dealt: Vec::new(),
    };
    Ok((Box::new(ExpectJoins { setup, run_key }), join.encode()))
}

/// What a round of joins says. There is a chain code already, and whoever has signed an attempt does not enter.
pub(super) fn read_joins<C: Ciphersuite>(
    run: RunId,
    members: &Roster,
    round: &[Message],
) -> Result<RunKeys<C>, Failure> {
    let read = |message: &Message| {
        let by = |misbehaviour| Failure::by(message.sender(), misbehaviour, &[message]);
        let join = Join::<C>::decode(message.body()).map_err(|_| by(Misbehaviour::Malformed))?;
        let empty = join.attempts.is_empty() && join.dealt.is_empty();
        if join.chain_commitment != [0; 32] || join.restored || join.overridden || !empty {
            return Err(by(Misbehaviour::Malformed));
        }
        if proves_possession(run, members, message.sender(), &join) {
            Ok((message.sender(), join.run_key))
        } else {
            Err(by(Misbehaviour::RunKey))
        }
    };
    let run_keys = round.iter().map(read).collect::<Result<RunKeys<C>, _>>()?;
    check_run_keys::<C>(round, run_keys.iter().map(|(id, run_key)| (*id, *run_key)))?;
    Ok(run_keys)
}

impl<C: Ciphersuite> Machine for ExpectJoins<C> {
    fn handle(self: Box<Self>, round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let Self { setup, run_key } = *self;
        let run_keys = read_joins::<C>(setup.run, &setup.participants, round)?;
        let revision = setup.plan.revision.clone();
        let votes = setup.me != setup.target();
        let send = votes.then(|| (Subject::Vote, vote(&setup.identity, &revision).to_vec()));
        let effect = if votes { Effect::Vote(Box::new(revision)) } else { Effect::None };
        let next = ExpectVotes { setup, run_key, run_keys, joins: round.to_vec() };
        Ok(Transition { next: Box::new(next), send, effect })
    }
}
