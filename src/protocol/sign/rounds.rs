//! The run of a signature: commit, then sign and aggregate.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;

use super::aggregate::{Encoded, VerifyingShares};
use super::commits::{is_list, malformed, read_at, read_lists};
use super::{
    AggregateError, Commitments, Nonces, SignatureShare, SigningPackage, Target, aggregate, sign, verify_share,
};
use crate::guard::{forbids, holds, unless_off};
use crate::protocol::epoch::Epoch;
use crate::protocol::exchange::view;
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::protocol::machine::{Beginning, Done, Effect, Halt, Machine, Transition};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar, with_suite};
use crate::wire::{
    DecodeError, Identifier, Message, Reader, RunId, SignPlan, Subject, Writer, hash_messages, tagged_hash,
};

/// What a member enters a signing run with.
#[derive(Debug)]
pub(crate) struct SignSetup {
    pub(crate) run: RunId,
    pub(crate) plan: SignPlan,
    pub(crate) epoch: Epoch,
    /// Who this member is; whoever only coordinates is none, and has no share.
    pub(crate) me: Option<Identifier>,
    /// The member's share.
    pub(crate) share: Option<Secret<[u8; 32]>>,
}

/// The use of a nonce, to be recorded before the signature share leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Of the commitments alone: one nonce, one signature, whatever the message.
    pub(crate) commitment: [u8; 32],
    pub(crate) run: RunId,
    pub(crate) message: [u8; 32],
    pub(crate) package: [u8; 32],
    pub(crate) epoch: [u8; 32],
    /// Which key signs: path, offset and root, in the clear.
    pub(crate) derivation: Vec<u8>,
}

/// Enters the run: what to wait in, and the commitments to send, if this member signs.
pub(crate) fn start(setup: SignSetup, rng: &mut dyn CryptoRng) -> Result<Beginning<Option<Vec<u8>>>, Halt> {
    with_suite!(setup.plan.party.suite, C => ExpectCommitments::<C>::start(setup, rng))
}

/// Waiting for every signer's commitments.
#[derive(Debug)]
struct ExpectCommitments<C: Ciphersuite> {
    setup: SignSetup,
    signer: Option<(Nonces<C>, Secret<C::Scalar>)>,
}

impl<C: Ciphersuite> ExpectCommitments<C> {
    fn start(mut setup: SignSetup, rng: &mut dyn CryptoRng) -> Result<Beginning<Option<Vec<u8>>>, Halt> {
        let signer = match setup.share.take() {
            None => None,
            Some(share) => {
                let share = C::Scalar::from_bytes(share.expose()).ok_or_else(Failure::unattributed)?;
                let share = Secret::new(share);
                Some((Nonces::<C>::generate(&share, rng), share))
            }
        };
        let body = signer.as_ref().map(|(nonces, _)| nonces.commitments().as_bytes().to_vec());
        Ok((Box::new(Self { setup, signer }), body))
    }
}

impl<C: Ciphersuite> Machine for ExpectCommitments<C> {
    fn handle(mut self: Box<Self>, round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let own = self.signer.as_ref().map(|(nonces, _)| *nonces.commitments());
        let lists = read_lists(round, 1, own.as_slice())?;
        let commitments = lists.into_iter().filter_map(|(id, list)| Some((id, *list.first()?))).collect();
        let Some((nonces, share)) = self.signer.take() else {
            let next = follow(self.setup, commitments, round.to_vec()).ok_or_else(Failure::unattributed)?;
            return Ok(Transition::silent(next, Effect::None));
        };
        answer(self.setup, commitments, round.to_vec(), nonces, &share)
    }
}

/// Round two, with the commitments of every signer and the messages that they came in: a signature share, and the claim
/// that must be durable before it leaves. The nonces are used up.
pub(super) fn answer<C: Ciphersuite>(
    setup: SignSetup,
    commitments: BTreeMap<Identifier, Commitments<C>>,
    commits: Vec<Message>,
    nonces: Nonces<C>,
    share: &Secret<C::Scalar>,
) -> Result<Transition, Halt> {
    let next = ExpectShares::new(setup, commitments, commits).ok_or_else(Failure::unattributed)?;
    let mut derivation = Writer::new();
    next.setup.plan.encode_derivation(&mut derivation);
    let named = unless_off!(NonceNamedByItsCommitments, nonces.commitments().as_bytes(), next.package.message());
    let claim = Claim {
        commitment: tagged_hash("quorumkey/nonce/v1", &[named]),
        run: next.setup.run,
        message: tagged_hash("quorumkey/signed-message/v1", &[next.package.message()]),
        package: next.hash,
        epoch: *next.setup.epoch.id.as_bytes(),
        derivation: derivation.finish(),
    };
    let me = next.setup.me.ok_or_else(Failure::unattributed)?;
    let signed = sign(&next.package, nonces, share, me).map_err(|_| Failure::unattributed())?;
    let body = Writer::new().raw(&next.hash).raw(&signed.to_bytes()).finish();
    let effect = Effect::Claim(Box::new(claim));
    Ok(Transition { next: Box::new(next), send: Some((Subject::Share, body)), effect })
}

/// The same without a share: waits for the others'.
pub(super) fn follow<C: Ciphersuite>(
    setup: SignSetup,
    commitments: BTreeMap<Identifier, Commitments<C>>,
    commits: Vec<Message>,
) -> Option<Box<dyn Machine>> {
    Some(Box::new(ExpectShares::new(setup, commitments, commits)?))
}

/// Waiting for every signer's share.
#[derive(Debug)]
struct ExpectShares<C: Ciphersuite> {
    setup: SignSetup,
    package: SigningPackage<C>,
    hash: [u8; 32],
    commits: Vec<Message>,
}

impl<C: Ciphersuite> ExpectShares<C> {
    fn new(setup: SignSetup, commitments: BTreeMap<Identifier, Commitments<C>>, commits: Vec<Message>) -> Option<Self> {
        // The last signer could choose commitments that cancel out, with no gain; nobody can be blamed for it.
        let package = package(&setup.plan, &setup.epoch, commitments)?;
        // The package is named after the signed commitments that it is made of; the message is in the run's plan.
        let hash = hash_messages("quorumkey/package/v1", setup.run, &commits);
        Some(Self { setup, package, hash, commits })
    }

    /// Looked at only when something is wrong.
    const fn verifying_shares(&self) -> Encoded<'_> {
        Encoded(&self.setup.epoch.verifying_shares)
    }

    /// A share is signed together with the package that it answers. Members whose packages differ were told so by the
    /// exchange; a signer that names another package than the one it saw is at fault.
    fn read(&self, message: &Message) -> Option<SignatureShare<C>> {
        let (hash, share) = decode_share(message.body()).ok()?;
        if holds!(ShareAnswersItsPackage, hash == self.hash) { SignatureShare::from_bytes(share) } else { None }
    }
}

impl<C: Ciphersuite> Machine for ExpectShares<C> {
    fn handle(self: Box<Self>, round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        // A share is judged by the commitments of all.
        let of = |culprits: &BTreeSet<Identifier>| -> Vec<&Message> {
            self.commits.iter().chain(round.iter().filter(|message| culprits.contains(&message.sender()))).collect()
        };
        let read: BTreeMap<_, _> = round.iter().map(|message| (message.sender(), self.read(message))).collect();
        let malformed: BTreeSet<_> = read.iter().filter(|(_, share)| share.is_none()).map(|(id, _)| *id).collect();
        let shares: BTreeMap<_, _> = read.into_iter().filter_map(|(id, share)| Some((id, share?))).collect();
        if !malformed.is_empty() {
            let verifying_shares = VerifyingShares::<C>::of(&self.verifying_shares(), self.package.signers())
                .ok_or_else(Failure::unattributed)?;
            let right = |(id, share): &(&Identifier, &SignatureShare<C>)| {
                verifying_shares.get(id).is_some_and(|public| verify_share(&self.package, **id, share, public))
            };
            let wrong: BTreeSet<_> = shares.iter().filter(|one| !right(one)).map(|(id, _)| *id).collect();
            let what = if wrong.is_empty() { Misbehaviour::Malformed } else { Misbehaviour::SignatureShare };
            let culprits = &malformed | &wrong;
            return Err(Failure::by_all(culprits.iter().copied().collect(), what, &of(&culprits)).into());
        }
        match aggregate(&self.package, &shares, &self.verifying_shares()) {
            Ok(signature) => Ok(Transition::silent(Box::new(Done), Effect::Signed(signature))),
            Err(AggregateError::Culprits(culprits)) => {
                let evidence = of(&culprits);
                Err(Failure::by_all(culprits.into_iter().collect(), Misbehaviour::SignatureShare, &evidence).into())
            }
            Err(_) => Err(Failure::unattributed().into()),
        }
    }
}

fn package<C: Ciphersuite>(
    plan: &SignPlan,
    epoch: &Epoch,
    commitments: BTreeMap<Identifier, Commitments<C>>,
) -> Option<SigningPackage<C>> {
    let target = Target::<C>::of(plan, epoch)?;
    SigningPackage::new(plan.message.clone(), commitments, &target).ok()
}

/// What signed messages of a signature prove, if they prove a fault.
///
/// What can't be read speaks for itself. A share is judged by every signer's commitments. One that answers another package than
/// these make is no evidence if its maker may have seen others: with nonces that were made beforehand it does not say.
pub(crate) fn judge<C: Ciphersuite>(run: RunId, plan: &SignPlan, epoch: &Epoch, signed: &[Message]) -> Option<Failure> {
    let of_run = |subject| signed.iter().filter(move |one| (one.run_id(), one.header().subject) == (run, subject));
    if let Some(message) = of_run(Subject::Commit).find(|message| !is_list::<C>(message, 1)) {
        return Some(malformed(message));
    }
    let mut commits: Vec<_> = signed.iter().filter(|message| commits_for(message, run, plan)).cloned().collect();
    commits.sort_by_key(Message::sender);
    let package = committed::<C>(plan, epoch, &commits);
    let hash = hash_messages("quorumkey/package/v1", run, &commits);
    let (mut unreadable, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for message in of_run(Subject::Share) {
        let Ok((answered, share)) = decode_share(message.body()) else {
            unreadable.insert(message.sender());
            continue;
        };
        let Some(package) = &package else { continue };
        if forbids!(ShareJudgedByItsPackage, answered != hash) {
            if plan.prepared.is_none() && message.header().view == view(run, &commits) {
                unreadable.insert(message.sender());
            }
            continue;
        }
        let public = epoch.verifying_shares.get(&message.sender()).and_then(|share| C::Element::from_bytes(share));
        let right = |share| public.is_some_and(|public| verify_share(package, message.sender(), &share, &public));
        match SignatureShare::<C>::from_bytes(share) {
            None => _ = unreadable.insert(message.sender()),
            Some(share) if !right(share) => _ = wrong.insert(message.sender()),
            Some(_) => {}
        }
    }
    let misbehaviour = if wrong.is_empty() { Misbehaviour::Malformed } else { Misbehaviour::SignatureShare };
    let culprits: Vec<_> = (&unreadable | &wrong).into_iter().collect();
    (!culprits.is_empty()).then(|| Failure::by_all(culprits, misbehaviour, &[]))
}

/// What is signed, if these are every signer's commitments.
fn committed<C: Ciphersuite>(plan: &SignPlan, epoch: &Epoch, commits: &[Message]) -> Option<SigningPackage<C>> {
    let index = plan.prepared.as_ref().map_or(0, |prepared| prepared.index);
    let commitments = read_at::<C>(commits, index)?;
    if commitments.keys().eq(&plan.party.signers) { package(plan, epoch, commitments) } else { None }
}

/// Whether a message commits a signer to the nonces of a signature: in its own run, or in the one that made them
/// beforehand.
fn commits_for(message: &Message, run: RunId, plan: &SignPlan) -> bool {
    let (place, subject) = match &plan.prepared {
        None => (run, Subject::Commit),
        Some(prepared) => (prepared.batch, Subject::Prepare),
    };
    (message.run_id(), message.header().subject) == (place, subject) && plan.party.signers.contains(&message.sender())
}

fn decode_share(body: &[u8]) -> Result<([u8; 32], &[u8]), DecodeError> {
    let mut reader = Reader::new(body);
    let share = (reader.array()?, reader.raw(32)?);
    reader.finish()?;
    Ok(share)
}
