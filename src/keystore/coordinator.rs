//! Aggregation without a token.

use getrandom::SysRng;
use rand_core::UnwrapErr;

use super::error::{Error, Misuse, Result};
use crate::protocol::{
    Certificate, Effect, Epoch, Exchange, Machine, Refused, SignSetup, exchange_of, follow_prepared, start_signing,
    verify_chain, verifying_key,
};
use crate::suite::{Signature, VerifyingKey};
use crate::wire::{Action, Identifier, Invitation, Message, Roster, RunId, SignPlan};

/// Whoever collects the messages of a signing run, with no share and no token: it follows along from public data, and has
/// the signature as soon as the signers have it.
///
/// It is not trusted. What it gives out was verified, and it cannot make anybody sign anything.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::Coordinator;
///
/// let members = three();
/// let key = key(&members);
/// let invitation = members[0].invite_sign(key.id, &[id(1), id(2)], b"message")?;
/// let mut coordinator = Coordinator::new(&invitation, &members[0].certificates(key.id)?)?;
///
/// let mut runs = [0, 1].map(|place| members[place].start_sign(&invitation, b"message").unwrap());
/// for _ in 0..2 {
///     let said: Vec<_> = runs.iter_mut().flat_map(|run| run.poll_transmit()).collect();
///     for message in &said {
///         coordinator.handle(message)?;
///         runs.iter_mut().try_for_each(|run| run.handle(message))?;
///     }
/// }
/// let signature = coordinator.poll_output().expect("both shares are in");
/// key.verifying_key.verify(b"message", &signature)?;
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Debug)]
pub struct Coordinator {
    exchange: Exchange,
    machine: Option<Box<dyn Machine>>,
    verifying_key: VerifyingKey,
    output: Option<Signature>,
}

impl Coordinator {
    /// Follows the run of that invitation. `certificates` lead from the key's making to the epoch that signs.
    ///
    /// # Errors
    ///
    /// [`Certificate`](Error::Certificate) when they prove nothing, [`Stale`](Error::Stale) when they lead to another
    /// epoch, [`Misuse`](Error::Misuse) when the invitation is for no signature or not a member's.
    pub fn new(invitation: &Invitation, certificates: &[Certificate]) -> Result<Self> {
        let Following { run, plan, epoch, signers, verifying_key } = Following::new(invitation, certificates)?;
        if plan.prepared.is_some() {
            return Err(Misuse::Unsupported("a signature with prepared nonces without the run that made them").into());
        }
        let setup = SignSetup { run, plan: plan.clone(), epoch, me: None, share: None };
        let (machine, _) = start_signing(setup, &mut UnwrapErr(SysRng))?;
        let exchange = exchange_of(&invitation.plan, None, signers);
        Ok(Self { exchange, machine: Some(machine), verifying_key, output: None })
    }

    /// Follows a signature whose nonces were made beforehand. `batch` is the invitation to the run that made them, and
    /// `prepared` are that run's messages, all of them.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); and [`Misuse`](Error::Misuse) when messages of that run are missing,
    /// [`PeerMisbehaved`](Error::PeerMisbehaved) when its members did not see the same ones.
    pub fn prepared(
        invitation: &Invitation,
        certificates: &[Certificate],
        batch: &Invitation,
        prepared: &[Message],
    ) -> Result<Self> {
        let Following { run, plan, epoch, signers, verifying_key } = Following::new(invitation, certificates)?;
        let Action::Prepare(preparing) = &batch.plan.action else { return Err(Misuse::NoNonces.into()) };
        let all = cards(&epoch, &preparing.party.signers)?;
        let same = (plan.party.key, plan.party.epoch) == (preparing.party.key, preparing.party.epoch);
        if !same || invitation.batch() != Some(batch.run_id()) {
            return Err(Misuse::NoNonces.into());
        }
        let mut preparing = exchange_of(&batch.plan, None, all);
        for message in prepared {
            preparing.accept(message)?;
        }
        let commits = preparing.take_round().ok_or(Misuse::NoNonces)?;
        // What each says then carries its view of them.
        preparing.compare_early()?;
        preparing.take_round().ok_or(Misuse::NoNonces)?;
        let setup = SignSetup { run, plan: plan.clone(), epoch, me: None, share: None };
        let machine = follow_prepared(setup, &commits).ok_or(Misuse::NoNonces)?;
        let exchange = exchange_of(&invitation.plan, None, signers);
        Ok(Self { exchange, machine: Some(machine), verifying_key, output: None })
    }

    /// Takes a message of a signer.
    ///
    /// # Errors
    ///
    /// [`Rejected`](Error::Rejected) changes nothing; after [`PeerMisbehaved`](Error::PeerMisbehaved), which names all
    /// culprits, there will be no signature.
    pub fn handle(&mut self, message: &Message) -> Result<()> {
        if let Err(refused) = self.exchange.accept(message) {
            if matches!(refused, Refused::Failed(_)) {
                self.machine = None;
            }
            return Err(refused.into());
        }
        while let Some(round) = self.exchange.take_round() {
            let Some(machine) = self.machine.take() else { break };
            let transition = machine.handle(&round, &mut UnwrapErr(SysRng))?;
            self.exchange.compare_early()?;
            if let Effect::Signed(signature) = transition.effect {
                self.output = Some(signature);
            }
            self.machine = Some(transition.next);
        }
        Ok(())
    }

    /// Whose messages it waits for.
    pub fn awaiting(&self) -> Vec<Identifier> {
        self.exchange.awaiting()
    }

    /// The key that the signature will verify under. Which key the path of the invitation leads to, it can't know; compare
    /// it with the one that an [`ExtendedPublicKey`](crate::ExtendedPublicKey) gives.
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }

    /// The signature, once.
    pub const fn poll_output(&mut self) -> Option<Signature> {
        self.output.take()
    }
}

/// What is followed: a plan that keeps the rules, of an epoch that its certificates prove.
struct Following<'a> {
    run: RunId,
    plan: &'a SignPlan,
    epoch: Epoch,
    signers: Roster,
    verifying_key: VerifyingKey,
}

impl<'a> Following<'a> {
    fn new(invitation: &'a Invitation, certificates: &[Certificate]) -> Result<Self> {
        let Action::Sign(plan) = &invitation.plan.action else {
            return Err(Misuse::Unsupported("this operation for this invitation").into());
        };
        let epoch = verify_chain(certificates)?;
        if (plan.party.key, plan.party.epoch, plan.party.roster) != (epoch.key, epoch.id, epoch.roster_hash) {
            return Err(Error::Stale { have: epoch.id, certificates: Vec::new() });
        }
        let inviter = epoch.roster().card(invitation.inviter()).filter(|card| invitation.is_signed_by(card));
        inviter.ok_or(Misuse::Inviter)?;
        let signers = cards(&epoch, &plan.party.signers)?;
        if signers.len() < usize::from(epoch.threshold()) || plan.party.suite != epoch.suite() {
            return Err(Misuse::Plan("fewer signers than the threshold").into());
        }
        let child = Misuse::Plan("the key has no such child, or no script root");
        let verifying_key = verifying_key(plan, &epoch).ok_or(child)?;
        Ok(Self { run: invitation.run_id(), plan, epoch, signers, verifying_key })
    }
}

fn cards(epoch: &Epoch, signers: &[Identifier]) -> Result<Roster> {
    let cards = signers.iter().map(|id| Some((*id, epoch.roster().card(*id)?.clone())));
    Ok(cards.collect::<Option<Vec<_>>>().and_then(|cards| Roster::new(cards).ok()).ok_or(Misuse::Plan("signers"))?)
}
