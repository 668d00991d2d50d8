//! The second round: shares arrive, and either fit, or somebody is accused with proof.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::endorsements::ExpectEndorsements;
use super::join::chain_commitment;
use super::joins::Setup;
use crate::guard::holds;
use crate::protocol::attempt::Entrants;
use crate::protocol::certificate::{Certificate, Endorsement, Extension, planned_chain_hash};
use crate::protocol::dealing::{
    Ceremony, Deal, DealingError, Gathered, GroupKeys, Hedge, Misdeal, Opened, Received, RunKey, accuse, check,
    misdealt, open, shareless, sign_transcript,
};
use crate::protocol::epoch::{Epoch, chain_hash};
use crate::protocol::fault::{Failure, LastWords, Misbehaviour};
use crate::protocol::machine::{Effect, Halt, Machine, PendingShare, Transition};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Scalar, verdict};
use crate::wire::{DealPlan, DecodeError, Identifier, Kind, Message, RunId, Source, Subject, Writer, tagged_hash};

/// A payload is a part of the chain code, or the whole.
const PAYLOAD_LEN: usize = 32;

/// Waiting for every dealer's deal.
#[derive(Debug)]
pub(super) struct ExpectDeals<C: Ciphersuite> {
    pub(super) setup: Setup,
    pub(super) run: RunId,
    pub(super) run_key: RunKey<C>,
    pub(super) ceremony: Ceremony<C>,
    pub(super) chain_commitments: BTreeMap<Identifier, [u8; 32]>,
    pub(super) entrants: Entrants,
    pub(super) joins: Vec<Message>,
}

/// What a member has of a dealing.
struct Outcome {
    /// Of a receiver.
    share: Option<Secret<[u8; 32]>>,
    chain_code: Secret<[u8; 32]>,
    /// Whose share is zero.
    shareless: Vec<Identifier>,
}

/// What decides whether a payload is good: public, so that an accusation can be judged by all.
#[derive(Debug)]
pub(crate) struct PayloadRule {
    run: RunId,
    chain_commitments: BTreeMap<Identifier, [u8; 32]>,
    chain_hash: Option<[u8; 32]>,
}

impl PayloadRule {
    pub(super) fn new(
        plan: &DealPlan,
        run: RunId,
        chain_commitments: BTreeMap<Identifier, [u8; 32]>,
        parent: Option<&Epoch>,
    ) -> Self {
        Self { run, chain_commitments, chain_hash: planned_chain_hash(plan, parent) }
    }

    /// Where there is a chain code already: it is beside each share.
    pub(in crate::protocol) const fn kept(run: RunId, epoch: &Epoch) -> Self {
        Self { run, chain_commitments: BTreeMap::new(), chain_hash: Some(epoch.chain_hash) }
    }

    /// What allows this payload alone: as a member's part of a chain code, and as the whole. For who watches how it is
    /// found out.
    #[cfg(feature = "hazmat")]
    pub(crate) fn of_payload(run: RunId, dealer: Identifier, payload: &[u8; 32]) -> [Self; 2] {
        let chain_commitments = BTreeMap::from([(dealer, chain_commitment(run, dealer, payload))]);
        let whole = Self { run, chain_commitments: BTreeMap::new(), chain_hash: Some(chain_hash(payload)) };
        [Self { run, chain_commitments, chain_hash: None }, whole]
    }

    /// The payload is a secret until it is in an accusation, and so is its hash.
    pub(crate) fn allows(&self, dealer: Identifier, payload: &[u8]) -> bool {
        if let Some(expected) = self.chain_hash {
            let kept = payload.try_into().is_ok_and(|chain_code| verdict(chain_hash(chain_code).ct_eq(&expected)));
            holds!(ChainCodeKept, kept)
        } else {
            let part = chain_commitment(self.run, dealer, payload);
            let committed = self.chain_commitments.get(&dealer).is_some_and(|expected| verdict(part.ct_eq(expected)));
            holds!(ChainPartAsCommitted, committed)
        }
    }
}

/// A member that shares were sealed to, with what it has seen of the dealing.
pub(in crate::protocol) struct Receiver<'a, C: Ciphersuite> {
    pub(in crate::protocol) ceremony: &'a Ceremony<C>,
    pub(in crate::protocol) me: Identifier,
    pub(in crate::protocol) run_key: &'a RunKey<C>,
    pub(in crate::protocol) rule: &'a PayloadRule,
    /// What was said before the deals.
    pub(in crate::protocol) before: &'a [Message],
    pub(in crate::protocol) round: &'a [Message],
}

impl<C: Ciphersuite> Receiver<'_, C> {
    /// What every dealer sealed to this member. For what does not open, or is not what it should be, the dealer is accused.
    pub(in crate::protocol) fn open_all(
        &self,
        deals: &BTreeMap<Identifier, Deal<C>>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<(Identifier, Opened<C>)>, Failure> {
        let open = |(dealer, deal): (&Identifier, &Deal<C>)| Ok((*dealer, self.open(*dealer, deal, rng)?));
        let opened = deals.iter().map(open).collect::<Result<Vec<_>, Failure>>()?;
        let offers = deals.values().map(|deal| &deal.offer);
        let Some(dealer) = misdealt(opened.iter().map(|(dealer, opened)| (*dealer, opened)).zip(offers)) else {
            return Ok(opened);
        };
        let deal = deals.get(&dealer).ok_or_else(Failure::unattributed)?;
        Err(self.accusation(dealer, deal, of_misdeal(Misdeal::Share), rng))
    }

    fn open(&self, dealer: Identifier, deal: &Deal<C>, rng: &mut dyn CryptoRng) -> Result<Opened<C>, Failure> {
        let misbehaviour = match open(self.ceremony, self.me, self.run_key, dealer, deal) {
            Ok(opened) if self.rule.allows(dealer, &opened.payload) => return Ok(opened),
            Ok(_) => Misbehaviour::Payload,
            Err(error) => misbehaviour(&error),
        };
        Err(self.accusation(dealer, deal, misbehaviour, rng))
    }

    /// Opens the dealer's ciphertext to everybody.
    fn accusation(
        &self,
        dealer: Identifier,
        deal: &Deal<C>,
        misbehaviour: Misbehaviour,
        rng: &mut dyn CryptoRng,
    ) -> Failure {
        let Ok(opening) = accuse(self.ceremony, self.me, self.run_key, dealer, deal, rng) else {
            return Failure::unattributed();
        };
        let accusation = Writer::new().identifier(dealer).raw(&opening.encode()).finish();
        let messages: Vec<_> = self.before.iter().chain(self.round).collect();
        Failure::by(dealer, misbehaviour, &messages).saying(LastWords::Accuse(accusation))
    }
}

impl<C: Ciphersuite> ExpectDeals<C> {
    fn payload_rule(&self) -> PayloadRule {
        let parent = self.setup.succession.as_ref().map(|succession| &succession.parent);
        PayloadRule::new(&self.setup.deal, self.run, self.chain_commitments.clone(), parent)
    }

    /// Evidence against a dealer is its deal with the joins that say what it had to be.
    fn failure(&self, dealer: Identifier, misbehaviour: Misbehaviour, deal: &Message) -> Failure {
        let messages: Vec<_> = self.joins.iter().chain([deal]).collect();
        Failure::by(dealer, misbehaviour, &messages)
    }

    /// What comes of the round when all is well: share and chain code, and the transcript. `None` when something is wrong
    /// with any deal.
    fn take_all(&self, round: &[Message], rule: &PayloadRule) -> Option<(Outcome, Vec<u8>)> {
        let ceremony = &self.ceremony;
        let messages = round.iter().map(|message| (message.sender(), message.body()));
        let deals = Gathered::read(ceremony, messages, PAYLOAD_LEN).filter(|deals| deals.are_good(ceremony))?;
        let outcome = if self.setup.is_receiver() {
            let opened = deals.open(ceremony, self.setup.me, &self.run_key).ok()?;
            if !opened.iter().all(|(dealer, opened)| rule.allows(*dealer, &opened.payload)) {
                return None;
            }
            self.dealt(&deals.combine(ceremony, self.setup.me, opened).ok()?)?
        } else {
            self.bystander(&deals.keys(ceremony).ok()?)?
        };
        // Whoever deals alone is to blame for that, which shows in its deal.
        if ceremony.dealers().len() == 1 && !outcome.shareless.is_empty() {
            return None;
        }
        let extension = self.extension(round, chain_hash(outcome.chain_code.expose())).to_bytes();
        let transcript = deals.transcript(ceremony, &extension).ok()?;
        Some((outcome, transcript))
    }

    /// Who is to blame for what is wrong. One deal after the other is decoded, and none kept so.
    fn blame(&self, round: &[Message], rule: &PayloadRule, rng: &mut dyn CryptoRng) -> Failure {
        self.look_at_each(round, rule, rng).err().unwrap_or_else(Failure::unattributed)
    }

    /// First what all can see, so that all blame the same, and then what is sealed to this member.
    fn look_at_each(&self, round: &[Message], rule: &PayloadRule, rng: &mut dyn CryptoRng) -> Result<(), Failure> {
        round.iter().try_for_each(|message| self.read(message).map(drop))?;
        if !self.setup.is_receiver() {
            return Ok(());
        }
        let (ceremony, me, run_key) = (&self.ceremony, self.setup.me, &self.run_key);
        let member = Receiver { ceremony, me, run_key, rule, before: &self.joins, round };
        for message in round {
            let (dealer, deal) = (message.sender(), self.read(message)?);
            if !member.open(dealer, &deal, rng)?.fits(&deal.offer) {
                return Err(member.accusation(dealer, &deal, of_misdeal(Misdeal::Share), rng));
            }
        }
        Ok(())
    }

    fn read(&self, message: &Message) -> Result<Deal<C>, Failure> {
        read_deal(&self.ceremony, message).map_err(|misbehaviour| self.failure(message.sender(), misbehaviour, message))
    }

    fn extension(&self, round: &[Message], chain_hash: [u8; 32]) -> Extension {
        let bodies: Vec<&[u8]> = round.iter().map(Message::body).collect();
        let ciphertexts = tagged_hash("quorumkey/deals/v1", &bodies);
        Extension { run: self.run, ciphertexts, chain_hash, entrants: self.entrants.clone() }
    }

    /// The share and the chain code, of a receiver. `None` if the share is zero, which other dealers than this member
    /// can only do all together.
    fn dealt(&self, received: &Received<C>) -> Option<Outcome> {
        let chain_code = self.chain_code(&received.payloads)?;
        let share = Some(Secret::new(received.share.expose().to_bytes()));
        let shareless = shareless(&received.verifying_shares);
        (!shareless.contains(&self.setup.me)).then_some(Outcome { share, chain_code, shareless })
    }

    /// Of a dealer that does not go on: the chain code, which it has held before.
    fn bystander(&self, keys: &GroupKeys<C>) -> Option<Outcome> {
        let held = self.setup.succession.as_ref()?.chain_code.as_ref()?;
        let shareless = shareless(&keys.verifying_shares);
        Some(Outcome { share: None, chain_code: Secret::new(*held.expose()), shareless })
    }

    /// Of a fresh key the hash of every member's part, in their order; of an old one what every dealer sent.
    fn chain_code(&self, payloads: &BTreeMap<Identifier, Zeroizing<Vec<u8>>>) -> Option<Secret<[u8; 32]>> {
        if !matches!(self.setup.deal.source, Source::Fresh) {
            return payloads.values().next()?.as_slice().try_into().ok().map(Secret::new);
        }
        let parts: Vec<&[u8]> = payloads.values().map(|part| part.as_slice()).collect();
        Some(Secret::new(tagged_hash("quorumkey/chain-code/v1", &parts)))
    }

    fn endorse(&self, certificate: &Certificate, rng: &mut dyn CryptoRng) -> Option<Endorsement> {
        let identity = self.setup.identity.sign(Kind::Transcript, certificate.epoch_id().as_bytes());
        if !self.setup.is_dealer() && !self.setup.is_receiver() {
            return Some(Endorsement { identity, run_key: Vec::new() });
        }
        let mut hedge = Zeroizing::new([0; 32]);
        rng.fill_bytes(hedge.as_mut());
        let proof = sign_transcript(&self.run_key, certificate.transcript(), Hedge::Mixed(&hedge)).ok()?;
        Some(Endorsement { identity, run_key: proof.encode() })
    }
}

impl<C: Ciphersuite> Machine for ExpectDeals<C> {
    fn handle(self: Box<Self>, round: &[Message], rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let rule = self.payload_rule();
        let Some((Outcome { share, chain_code, shareless }, transcript)) = self.take_all(round, &rule) else {
            return Err(self.blame(round, &rule, rng).into());
        };
        let mut certificate = Certificate::unsigned(self.setup.plan.clone(), transcript);
        // Nobody signs what others would refuse to read.
        certificate.epoch().map_err(|_| Failure::unattributed())?;
        let endorsement = self.endorse(&certificate, rng).ok_or_else(Failure::unattributed)?;
        certificate.endorse(self.setup.me, endorsement.clone());
        let mut body = Writer::new();
        body.raw(certificate.epoch_id().as_bytes());
        endorsement.encode(&mut body);
        let next = ExpectEndorsements {
            ceremony: self.ceremony,
            certificate: certificate.clone(),
            deals: round.iter().map(|message| (message.sender(), message.clone())).collect(),
            joins: self.joins,
            rule,
            shareless,
        };
        Ok(Transition {
            next: Box::new(next),
            send: Some((Subject::Certify, body.finish())),
            effect: Effect::Pending(Box::new(PendingShare { certificate, share, chain_code })),
        })
    }
}

/// A dealer's message, if it is what all can see to be a good one.
pub(in crate::protocol) fn read_deal<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    message: &Message,
) -> Result<Deal<C>, Misbehaviour> {
    let deal = Deal::decode(message.body(), ceremony.threshold(), ceremony.receivers().len(), PAYLOAD_LEN);
    let deal = deal.map_err(|error| match error {
        DecodeError::Invalid("commitment length") => Misbehaviour::CommitmentLength,
        _ => Misbehaviour::Malformed,
    })?;
    check(ceremony, message.sender(), &deal).map_err(|error| misbehaviour(&error))?;
    Ok(deal)
}

pub(super) const fn of_misdeal(misdeal: Misdeal) -> Misbehaviour {
    match misdeal {
        Misdeal::Length => Misbehaviour::CommitmentLength,
        Misdeal::Constant => Misbehaviour::Constant,
        Misdeal::Proof => Misbehaviour::ProofOfPossession,
        Misdeal::Zero => Misbehaviour::ZeroShare,
        Misdeal::Decryption | Misdeal::NonCanonical | Misdeal::Share => Misbehaviour::SealedShare,
    }
}

const fn misbehaviour(error: &DealingError) -> Misbehaviour {
    match error {
        DealingError::Misdeal(_, misdeal) => of_misdeal(*misdeal),
        _ => Misbehaviour::Unattributed,
    }
}
