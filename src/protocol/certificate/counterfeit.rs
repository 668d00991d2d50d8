//! Certificates that honest members never signed. For tests.

use std::collections::BTreeMap;

use rand_core::CryptoRng;

use super::{Certificate, Endorsement, Extension};
use crate::protocol::attempt::{Attempt, Entrants, Seats, dealt_name};
use crate::protocol::dealing::{Ceremony, Deal, Hedge, Offer, Participant, RunKey, sign_transcript, transcript};
use crate::protocol::epoch::deal_plan;
use crate::protocol::revision::{SignedRevision, revise};
use crate::suite::{Ciphersuite, Element, with_suite};
use crate::wire::{
    Action, Card, CardId, DealPlan, EpochId, Identifier, IdentityKey, Kind, MAX_MEMBERS, Plan, Roster, RunId, Source,
};

impl Certificate {
    /// What strangers can make of a founding certificate: the same commitments, and so the same key, with their own
    /// cards, run keys and signatures, naming the genuine one as superseded. As many strangers as there are members.
    pub(crate) fn counterfeit(&self, strangers: &[&IdentityKey], rng: &mut dyn CryptoRng) -> Option<Self> {
        let plan = deal_plan(&self.plan)?;
        with_suite!(plan.suite, C => self.counterfeit_of::<C>(plan, strangers, rng))
    }

    fn counterfeit_of<C: Ciphersuite>(
        &self,
        plan: &DealPlan,
        strangers: &[&IdentityKey],
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        let genuine = self.parse::<C>().ok()?;
        let cards = strangers.iter().map(|stranger| Card::issue(stranger, 0, "a stranger".to_owned()));
        let deal = DealPlan { receivers: Roster::numbered(cards).ok()?, ..plan.clone() };
        let plan = Plan { inviter: Identifier::new(1)?, randomness: [0; 32], action: Action::Deal(deal) };
        let ids: Vec<_> = genuine.ceremony.receivers().iter().map(|member| member.id).collect();
        let keys: Vec<_> = strangers.iter().map(|_| RunKey::<C>::generate(rng)).collect();
        let members: Vec<_> =
            ids.iter().zip(&keys).map(|(id, key)| Participant { id: *id, run_key: *key.public() }).collect();
        let (context, threshold) = (genuine.ceremony.context().to_vec(), genuine.ceremony.threshold());
        let ceremony = Ceremony::new(context, threshold, members.clone(), members, None).ok()?;
        let deals = genuine.offers().map(|(id, offer)| (id, Deal { offer, ciphertexts: Vec::new() })).collect();
        let own = Attempt { signers: ids.clone(), ..Attempt::signed(&self.epoch().ok()?) };
        let entrants = Entrants { named: vec![own], ..Entrants::default() };
        let extension = Extension { run: plan.run_id(), ciphertexts: [0; 32], chain_hash: [0; 32], entrants };
        let transcript = transcript(&ceremony, &deals, &extension.to_bytes()).ok()?;
        let mut forged = Self::unsigned(plan, transcript.clone());
        for ((id, key), stranger) in ids.iter().zip(&keys).zip(strangers) {
            let identity = stranger.sign(Kind::Transcript, forged.epoch_id().as_bytes());
            let run_key = sign_transcript(key, &transcript, Hedge::Deterministic).ok()?.encode();
            forged.endorse(*id, Endorsement { identity, run_key });
        }
        Some(forged)
    }

    /// What one member can make of an attempt alone: another dealer has dealt something else in it, of which nobody knows
    /// the secret. It has the signatures of that member.
    pub(crate) fn made_up(&self, by: (Identifier, &IdentityKey), rng: &mut dyn CryptoRng) -> Option<Self> {
        with_suite!(deal_plan(&self.plan)?.suite, C => self.signed_again::<C>(&[by], rng, |offers, _| {
            let other = offers.iter_mut().find(|(dealer, _)| **dealer != by.0);
            let last = other.and_then(|(_, offer)| offer.commitment.last_mut());
            last.map(|point| *point = *point + <C as Ciphersuite>::Element::generator()).unwrap_or_default();
        }))
    }

    /// What one member can make of an attempt alone: the deals of it, whole, under another plan, signed by that member.
    pub(crate) fn replayed(&self, by: (Identifier, &IdentityKey), rng: &mut dyn CryptoRng) -> Option<Self> {
        let plan = Plan { randomness: [9; 32], ..self.plan.clone() };
        let (run, suite) = (plan.run_id(), deal_plan(&plan)?.suite);
        let other = Self::unsigned(plan, self.transcript().to_vec());
        with_suite!(suite, C => other.signed_again::<C>(&[by], rng, |_, extension| extension.run = run))
    }

    /// What one member can make of an attempt alone: the same once more, with another run key of that member, signed by it.
    pub(crate) fn again(&self, by: (Identifier, &IdentityKey), rng: &mut dyn CryptoRng) -> Option<Self> {
        with_suite!(deal_plan(&self.plan)?.suite, C => self.signed_again::<C>(&[by], rng, |_, _| {}))
    }

    /// The same with nothing of what others say of it.
    pub(crate) fn signed_alone_by(&self, member: Identifier) -> Self {
        let own = self.endorsement(member).map(|own| (member, own.clone()));
        Self { endorsements: own.into_iter().collect(), ..self.without_revisions() }
    }

    /// The same with a revision that nobody signed.
    pub(crate) fn revised_by_nobody(&self, newcomer: Identifier, card: &Card) -> Option<Self> {
        let (revision, _) = revise(&self.epoch().ok()?, newcomer, card, None).ok()?;
        let mut revised = self.clone();
        revised.revise(SignedRevision { revision, signatures: BTreeMap::new() }).ok()?;
        Some(revised)
    }

    /// What all members of a renewal can make of it: at another height, over a line of that height that loses by it, and that
    /// it names or not.
    pub(crate) fn raised(
        &self,
        members: &[(Identifier, &IdentityKey)],
        height: u64,
        (line, named): (u64, bool),
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        let mut plan = self.plan.clone();
        let Action::Deal(deal) = &mut plan.action else { return None };
        let Source::Epoch { losing, .. } = &mut deal.source else { return None };
        let epoch = EpochId::from_bytes([7; 32]);
        (deal.height, *losing) = (height, vec![epoch]);
        let seats: Seats = deal.receivers.iter().map(|(id, card)| (id, card.id())).collect();
        let signers = deal.receivers.identifiers().collect();
        let (elders, threshold, suite) = (Seats::clone(&seats), deal.threshold, deal.suite);
        let run = plan.run_id();
        let attempt = Attempt { epoch, run, position: (line, 1), threshold, elders, receivers: seats, signers };
        let other = Self::unsigned(plan, self.transcript().to_vec());
        with_suite!(suite, C => other.in_its_run::<C>(run)?.signed_again::<C>(members, rng, |_, extension| {
            extension.run = run;
            extension.entrants.named.extend(named.then_some(attempt));
        }))
    }

    /// The transcript with proofs that are said to be of that run. Whoever reads the certificate goes by its signatures.
    fn in_its_run<C: Ciphersuite>(&self, run: RunId) -> Option<Self> {
        let parsed = self.parse::<C>().ok()?;
        let ceremony = &parsed.ceremony;
        let context = [run.as_bytes(), ceremony.context().get(run.as_bytes().len()..)?].concat();
        let (dealers, receivers) = (ceremony.dealers().to_vec(), ceremony.receivers().to_vec());
        let constants = ceremony.constants().cloned();
        let ceremony = Ceremony::new(context, ceremony.threshold(), dealers, receivers, constants).ok()?;
        let deals = parsed.offers().map(|(id, offer)| (id, Deal { offer, ciphertexts: Vec::new() })).collect();
        Some(Self::unsigned(self.plan.clone(), transcript(&ceremony, &deals, parsed.extension).ok()?))
    }

    /// What all its members can make of it: it names one attempt more, signed by the first of them, that dealt from and to
    /// members with those cards.
    pub(crate) fn naming(
        &self,
        members: &[(Identifier, &IdentityKey)],
        cards: &Roster,
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        let plan = deal_plan(&self.plan)?;
        let seats: Seats = cards.iter().map(|(id, card)| (id, card.id())).collect();
        let attempt = Attempt {
            epoch: EpochId::from_bytes([7; 32]),
            run: RunId::from_bytes([7; 32]),
            position: (plan.height, 0),
            threshold: 2,
            elders: Seats::clone(&seats),
            receivers: seats,
            signers: vec![members.first()?.0],
        };
        with_suite!(plan.suite, C => self.with_attempts::<C>(members, vec![attempt], rng))
    }

    /// What these members can make of it: with another plan and another part of the application's in its transcript, with other
    /// run keys of theirs, and signed by them.
    pub(crate) fn rewritten(
        &self,
        members: &[(Identifier, &IdentityKey)],
        change: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>),
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        with_suite!(deal_plan(&self.plan)?.suite, C => {
            let (mut plan, mut extension) = (self.plan.to_bytes(), self.parse::<C>().ok()?.extension.to_vec());
            change(&mut plan, &mut extension);
            let plan = Plan::from_bytes(&plan).ok()?;
            let run = plan.run_id();
            let extension = Extension { run, ..Extension::from_bytes(&extension).ok()? };
            let other = Self::unsigned(plan, self.transcript().to_vec()).in_its_run::<C>(run)?;
            other.signed_again::<C>(members, rng, |_, own| *own = extension)
        })
    }

    /// The same with so many attempts, each dealt to a thousand members, that nobody signed, or somebody who takes no part. The
    /// last in their order may be one of a certain run.
    pub(crate) fn telling(
        &self,
        members: &[(Identifier, &IdentityKey)],
        (count, signed, last): (u8, bool, Option<RunId>),
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        let plan = deal_plan(&self.plan)?;
        let card = |id| plan.receivers.card(id).map_or(CardId::from_bytes([8; 32]), Card::id);
        let seats: Seats = (1..=MAX_MEMBERS).filter_map(Identifier::new).map(|id| (id, card(id))).collect();
        let signers: Vec<_> = seats.last().filter(|_| signed).map(|seat| seat.0).into_iter().collect();
        let attempt = |number: u8| {
            let run = RunId::from_bytes([number; 32]);
            let (epoch, position) =
                (if signed { EpochId::from_bytes([number; 32]) } else { dealt_name(run) }, (plan.height, 0));
            let (elders, receivers) = (seats.iter().take(2).copied().collect(), Seats::clone(&seats));
            Attempt { epoch, run, position, threshold: 2, elders, receivers, signers: signers.clone() }
        };
        let epoch = EpochId::from_bytes([u8::MAX; 32]);
        let last = last.map(|run| Attempt { epoch, run, ..attempt(0) });
        let attempts = (1..=count).map(attempt).chain(last).collect();
        with_suite!(plan.suite, C => self.with_attempts::<C>(members, attempts, rng))
    }

    fn with_attempts<C: Ciphersuite>(
        &self,
        members: &[(Identifier, &IdentityKey)],
        attempts: Vec<Attempt>,
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        self.signed_again::<C>(members, rng, |_, extension| {
            extension.entrants.named.retain(|known| attempts.iter().all(|attempt| attempt.run != known.run));
            extension.entrants.named.extend(attempts);
            extension.entrants.named.sort_by_key(|attempt| attempt.epoch);
        })
    }

    /// The transcript with changes and with other run keys of some members, and these members' signatures on it.
    fn signed_again<C: Ciphersuite>(
        &self,
        members: &[(Identifier, &IdentityKey)],
        rng: &mut dyn CryptoRng,
        change: impl FnOnce(&mut BTreeMap<Identifier, Offer<C>>, &mut Extension),
    ) -> Option<Self> {
        let parsed = self.parse::<C>().ok()?;
        let mut extension = Extension::from_bytes(parsed.extension).ok()?;
        let (mut offers, ceremony) = (parsed.offers().collect(), parsed.ceremony);
        change(&mut offers, &mut extension);
        let keys: BTreeMap<_, _> = members.iter().map(|(id, _)| (*id, RunKey::<C>::generate(rng))).collect();
        let run_key = |one: &Participant<C>| keys.get(&one.id).map_or(one.run_key, |key| *key.public());
        let role = |role: &[Participant<C>]| -> Vec<_> {
            role.iter().map(|one| Participant { id: one.id, run_key: run_key(one) }).collect()
        };
        let (dealers, receivers) = (role(ceremony.dealers()), role(ceremony.receivers()));
        let (context, constants) = (ceremony.context().to_vec(), ceremony.constants().cloned());
        let ceremony = Ceremony::new(context, ceremony.threshold(), dealers, receivers, constants).ok()?;
        let deals = offers.into_iter().map(|(id, offer)| (id, Deal { offer, ciphertexts: Vec::new() })).collect();
        let transcript = transcript(&ceremony, &deals, &extension.to_bytes()).ok()?;
        let mut forged = Self::unsigned(self.plan.clone(), transcript.clone());
        for (id, identity) in members {
            let identity = identity.sign(Kind::Transcript, forged.epoch_id().as_bytes());
            let run_key = sign_transcript(keys.get(id)?, &transcript, Hedge::Deterministic).ok()?.encode();
            forged.endorse(*id, Endorsement { identity, run_key });
        }
        Some(forged)
    }
}
