//! Nonces made beforehand: a run that exchanges commitments to many, after which each signature takes one round.
//!
//! RFC 9591's round one is about no message, so it can be run ahead. What it leaves is a stock in memory; each pair is
//! taken out of it once.

use core::fmt::Debug;
use std::collections::BTreeMap;

use rand_core::CryptoRng;

use super::commits::{is_list, malformed, read_at, read_lists};
use super::rounds::{answer, follow};
use super::{Commitments, Nonces, SignSetup};
use crate::protocol::fault::Failure;
use crate::protocol::machine::{Beginning, Done, Effect, Halt, Machine, Transition};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Scalar, with_suite};
use crate::wire::{Identifier, Message, PreparePlan, Subject};

/// Enters the run: what to wait in, and the commitments to send. `share` hedges the nonces.
pub(crate) fn prepare(
    plan: &PreparePlan,
    share: &Secret<[u8; 32]>,
    rng: &mut dyn CryptoRng,
) -> Result<Beginning<Vec<u8>>, Halt> {
    with_suite!(plan.party.suite, C => ExpectPrepared::<C>::start(plan, share, rng))
}

/// Waiting for every signer's commitments.
#[derive(Debug)]
struct ExpectPrepared<C: Ciphersuite> {
    nonces: Vec<Option<Nonces<C>>>,
}

impl<C: Ciphersuite> ExpectPrepared<C> {
    fn start(
        plan: &PreparePlan,
        share: &Secret<[u8; 32]>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Beginning<Vec<u8>>, Halt> {
        let share = Secret::new(C::Scalar::from_bytes(share.expose()).ok_or_else(Failure::unattributed)?);
        let nonces: Vec<_> = (0..plan.count).map(|_| Nonces::<C>::generate(&share, rng)).collect();
        let body = nonces.iter().flat_map(|nonces| nonces.commitments().as_bytes().to_vec()).collect();
        Ok((Box::new(Self { nonces: nonces.into_iter().map(Some).collect() }), body))
    }
}

impl<C: Ciphersuite> Machine for ExpectPrepared<C> {
    fn handle(self: Box<Self>, round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let own: Vec<_> = self.nonces.iter().flatten().map(|nonces| *nonces.commitments()).collect();
        let commitments = read_lists(round, self.nonces.len(), &own)?;
        let stock = NonceStock { nonces: self.nonces, commitments, commits: round.to_vec() };
        Ok(Transition {
            next: Box::new(ExpectReady { stock }),
            send: Some((Subject::Ready, Vec::new())),
            effect: Effect::None,
        })
    }
}

/// Waiting until every signer has said that it has them all. What it says carries its view of the commitments, so that
/// whoever showed different ones to different members is found before any is used.
#[derive(Debug)]
struct ExpectReady<C: Ciphersuite> {
    stock: NonceStock<C>,
}

impl<C: Ciphersuite> Machine for ExpectReady<C> {
    fn handle(self: Box<Self>, round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        if let Some(message) = round.iter().find(|message| !message.body().is_empty()) {
            return Err(malformed(message).into());
        }
        Ok(Transition::silent(Box::new(Done), Effect::Stocked(Box::new(self.stock))))
    }
}

/// What signed messages of such a run prove, if they prove a fault: each speaks for itself.
pub(crate) fn judge<C: Ciphersuite>(plan: &PreparePlan, signed: &[Message]) -> Option<Failure> {
    let is_wrong = |message: &&Message| match message.header().subject {
        Subject::Prepare => !is_list::<C>(message, usize::from(plan.count)),
        Subject::Ready => !message.body().is_empty(),
        _ => false,
    };
    signed.iter().find(is_wrong).map(malformed)
}

/// Nonces that wait for their message.
pub(crate) trait Stock: Debug + Send {
    /// Takes the nonces of that number out, to sign with them: the machine answers at once, to a round without messages.
    /// `None` when they are not there any more; whatever else happens, they are gone.
    fn take(&mut self, setup: SignSetup, index: u16) -> Option<Box<dyn Machine>>;
    /// The lowest number from that one on whose nonces are there.
    fn next_from(&self, index: u16) -> Option<u16>;
}

#[derive(Debug)]
struct NonceStock<C: Ciphersuite> {
    nonces: Vec<Option<Nonces<C>>>,
    commitments: BTreeMap<Identifier, Vec<Commitments<C>>>,
    commits: Vec<Message>,
}

impl<C: Ciphersuite> Stock for NonceStock<C> {
    fn take(&mut self, setup: SignSetup, index: u16) -> Option<Box<dyn Machine>> {
        let nonces = self.nonces.get_mut(usize::from(index))?.take()?;
        let signers = &setup.plan.party.signers;
        let of = |id: &Identifier| Some((*id, *self.commitments.get(id)?.get(usize::from(index))?));
        let commitments = signers.iter().filter_map(of).collect();
        let commits = self.commits.iter().filter(|message| signers.contains(&message.sender())).cloned().collect();
        Some(Box::new(Committed { setup, commitments, commits, nonces }))
    }

    fn next_from(&self, index: u16) -> Option<u16> {
        let numbered = (0..).zip(&self.nonces).skip(usize::from(index));
        numbered.into_iter().find_map(|(number, nonces)| nonces.as_ref().map(|_| number))
    }
}

/// A signature whose commitments are all there: nothing is waited for.
#[derive(Debug)]
struct Committed<C: Ciphersuite> {
    setup: SignSetup,
    commitments: BTreeMap<Identifier, Commitments<C>>,
    commits: Vec<Message>,
    nonces: Nonces<C>,
}

impl<C: Ciphersuite> Machine for Committed<C> {
    fn handle(self: Box<Self>, _round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let Self { mut setup, commitments, commits, nonces } = *self;
        let share = setup.share.take().and_then(|share| C::Scalar::from_bytes(share.expose())).map(Secret::new);
        answer(setup, commitments, commits, nonces, &share.ok_or_else(Failure::unattributed)?)
    }
}

/// Follows a signature with nonces that were made beforehand, from the messages that committed to them, without a share.
pub(crate) fn follow_prepared(setup: SignSetup, commits: &[Message]) -> Option<Box<dyn Machine>> {
    with_suite!(setup.plan.party.suite, C => {
        let signers = &setup.plan.party.signers;
        let commits: Vec<_> = commits.iter().filter(|message| signers.contains(&message.sender())).cloned().collect();
        let index = setup.plan.prepared.as_ref()?.index;
        let commitments = read_at::<C>(&commits, index)?;
        follow::<C>(setup, commitments, commits)
    })
}
