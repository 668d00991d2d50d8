//! Dealing's rounds: join, deal, open, accuse, endorse.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Operation, Preparation, Prepared, Tape, Watch, ensure, hide, publish, random};
use crate::protocol::dealing::{
    Ceremony, Deal, Hedge, Opened, Opening, Participant, Proof, RunKey, accuse, check, combine, deal, open,
    sign_transcript, transcript, verify_transcript_signature,
};
use crate::protocol::polynomial::{evaluate, lagrange_at};
use crate::protocol::{PayloadRule, constant_term, part_of};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};
use crate::wire::{Identifier, RunId};

pub(super) const MEMBERS: [u16; 3] = [1, 2, 3];
pub(super) const THRESHOLD: u16 = 2;
/// A member beside those who deal.
const TARGET: u16 = 4;
const STATEMENT: &[u8] = b"what is proven";

pub(super) fn identifiers() -> Result<[Identifier; 3], &'static str> {
    let [one, two, three] = MEMBERS.map(|number| Identifier::new(number).ok_or("identifier"));
    Ok([one?, two?, three?])
}

/// Three members with their run keys.
pub(super) struct Circle<C: Ciphersuite> {
    ids: [Identifier; 3],
    keys: Vec<RunKey<C>>,
    pub(super) ceremony: Ceremony<C>,
}

impl<C: Ciphersuite> Circle<C> {
    /// All of them deal, new constants or these.
    fn new(constants: Option<BTreeMap<Identifier, C::Element>>, rng: &mut dyn CryptoRng) -> Result<Self, &'static str> {
        Self::with_dealers(&identifiers()?, constants, rng)
    }

    /// One of them deals a key.
    pub(super) fn with_lone_dealer(
        dealer: Identifier,
        key: C::Element,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, &'static str> {
        Self::with_dealers(&[dealer], Some(BTreeMap::from([(dealer, key)])), rng)
    }

    fn with_dealers(
        dealers: &[Identifier],
        constants: Option<BTreeMap<Identifier, C::Element>>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, &'static str> {
        let ids = identifiers()?;
        let keys: Vec<_> = ids.iter().map(|_| RunKey::<C>::generate(rng)).collect();
        let all: Vec<_> =
            ids.iter().zip(&keys).map(|(id, key)| Participant { id: *id, run_key: *key.public() }).collect();
        let dealers = all.iter().filter(|one| dealers.contains(&one.id)).copied().collect();
        let ceremony = Ceremony::new(b"context".to_vec(), THRESHOLD, dealers, all, constants);
        Ok(Self { ids, keys, ceremony: ceremony.map_err(|_| "the ceremony")? })
    }

    /// What everybody deals, with what decides whether the payloads are good.
    fn deals(&self, rng: &mut dyn CryptoRng) -> Result<Deals<C>, &'static str> {
        let run = RunId::from_bytes(random(rng));
        let mut deals = Deals { deals: BTreeMap::new(), rules: BTreeMap::new() };
        for (id, key) in self.ids.iter().zip(&self.keys) {
            let (payload, hedge) = (random(rng), random(rng));
            let deal =
                deal(&self.ceremony, *id, key, None, &payload, rng, Hedge::Mixed(&hedge)).map_err(|_| "a deal")?;
            deals.deals.insert(*id, deal);
            deals.rules.insert(*id, PayloadRule::of_payload(run, *id, &payload));
        }
        Ok(deals)
    }

    /// The first member with its key, which is secret from now on.
    pub(super) fn first(&mut self, watch: &dyn Watch) -> Result<(Identifier, RunKey<C>), &'static str> {
        let [first, ..] = self.ids;
        let mut key = self.keys.drain(..).next().ok_or("keys")?;
        hide(watch, key.secret_mut());
        Ok((first, key))
    }
}

struct Deals<C: Ciphersuite> {
    deals: BTreeMap<Identifier, Deal<C>>,
    rules: BTreeMap<Identifier, [PayloadRule; 2]>,
}

pub(super) struct Join<C: Ciphersuite> {
    tape: Tape,
    hedge: Zeroizing<[u8; 32]>,
    key: Option<RunKey<C>>,
    said: Vec<u8>,
}

impl<C: Ciphersuite> Join<C> {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let mut hedge = Zeroizing::new(random(rng));
        hide(watch, &mut *hedge);
        Ok(Box::new(Self { tape: Tape::record(rng, watch), hedge, key: None, said: Vec::new() }))
    }
}

impl<C: Ciphersuite> Prepared for Join<C> {
    fn run(&mut self) {
        let key = RunKey::<C>::generate(&mut self.tape);
        if let Ok(proof) = key.prove(STATEMENT, Hedge::Mixed(&self.hedge)) {
            self.said = [key.public().to_bytes(), proof.encode()].concat();
        }
        self.key = Some(key);
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        publish(watch, self.said.as_mut_slice())?;
        let (key, proof) = self.said.split_at_checked(C::Element::LEN).ok_or("nothing was said")?;
        let (key, proof) = (C::Element::from_bytes(key).ok_or("the key")?, Proof::decode(proof).ok_or("the proof")?);
        ensure(RunKey::<C>::verify_possession(&key, STATEMENT, &proof), "the proof is wrong")?;
        Ok(String::new())
    }
}

/// Deals a new key, the share of an old one, or a part of another member's share.
pub(super) struct Dealer<C: Ciphersuite> {
    ceremony: Ceremony<C>,
    me: Identifier,
    /// Whose share is repaired.
    target: Option<Identifier>,
    key: RunKey<C>,
    /// Of the old epoch, as a token keeps it.
    share: Option<Secret<[u8; 32]>>,
    payload: Zeroizing<[u8; 32]>,
    hedge: Zeroizing<[u8; 32]>,
    tape: Tape,
    said: Vec<u8>,
}

impl<C: Ciphersuite> Dealer<C> {
    pub(super) fn prepare(operation: Operation, rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let ids = identifiers()?;
        let target = if operation == Operation::Repair { Identifier::new(TARGET) } else { None };
        let old = operation != Operation::Deal;
        let polynomial = [C::Scalar::random(rng), C::Scalar::random(rng)];
        let set = BTreeSet::from(ids);
        let constant =
            |id| (id, C::Element::mul_base(&(lagrange_at::<C>(target, id, &set) * evaluate(&polynomial, id))));
        let constants = old.then(|| ids.into_iter().map(constant).collect());
        let mut circle = Circle::<C>::new(constants, rng)?;
        let (me, key) = circle.first(watch)?;
        let mut share = old.then(|| Secret::new(evaluate(&polynomial, me).to_bytes()));
        if let Some(share) = &mut share {
            hide(watch, share.expose_mut());
        }
        let (mut payload, mut hedge) = (Zeroizing::new(random(rng)), Zeroizing::new(random(rng)));
        hide(watch, &mut *payload);
        hide(watch, &mut *hedge);
        let tape = Tape::record(rng, watch);
        let ceremony = circle.ceremony;
        Ok(Box::new(Self { ceremony, me, target, key, share, payload, hedge, tape, said: Vec::new() }))
    }

    fn deal(&mut self) -> Option<Deal<C>> {
        let set = self.ceremony.dealers().iter().map(|dealer| dealer.id).collect();
        let constant = match (&self.share, self.target) {
            (Some(share), Some(target)) => Some(part_of::<C>(target, self.me, &set, share)?),
            (Some(share), None) => Some(constant_term::<C>(self.me, &set, share)?),
            (None, _) => None,
        };
        let hedge = Hedge::Mixed(&self.hedge);
        let payload = self.payload.as_slice();
        deal(&self.ceremony, self.me, &self.key, constant, payload, &mut self.tape, hedge).ok()
    }
}

impl<C: Ciphersuite> Prepared for Dealer<C> {
    fn run(&mut self) {
        self.said = self.deal().map_or_else(Vec::new, |deal| deal.encode());
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        publish(watch, self.said.as_mut_slice())?;
        let deal = Deal::<C>::decode(&self.said, THRESHOLD, MEMBERS.len(), 32).map_err(|_| "the deal can't be read")?;
        check(&self.ceremony, self.me, &deal).map_err(|_| "the deal is wrong")?;
        Ok(String::new())
    }
}

/// The first member opens everybody's deal, and looks whether the payloads are as they were promised.
pub(super) struct Receive<C: Ciphersuite> {
    ceremony: Ceremony<C>,
    deals: BTreeMap<Identifier, Deal<C>>,
    rules: BTreeMap<Identifier, [PayloadRule; 2]>,
    me: Identifier,
    key: RunKey<C>,
    share: Option<(Zeroizing<[u8; 32]>, C::Element)>,
}

impl<C: Ciphersuite> Receive<C> {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let mut circle = Circle::<C>::new(None, rng)?;
        let Deals { deals, rules } = circle.deals(rng)?;
        let (me, key) = circle.first(watch)?;
        Ok(Box::new(Self { ceremony: circle.ceremony, deals, rules, me, key, share: None }))
    }

    fn allows(&self, dealer: Identifier, opened: &Opened<C>) -> bool {
        let allows = |rules: &[PayloadRule; 2]| rules.iter().all(|rule| rule.allows(dealer, &opened.payload));
        self.rules.get(&dealer).is_some_and(allows)
    }
}

impl<C: Ciphersuite> Prepared for Receive<C> {
    fn run(&mut self) {
        let open = |(dealer, deal): (&Identifier, &Deal<C>)| {
            let opened = open(&self.ceremony, self.me, &self.key, *dealer, deal).ok()?;
            self.allows(*dealer, &opened).then_some((*dealer, opened))
        };
        let Some(opened) = self.deals.iter().map(open).collect::<Option<Vec<_>>>() else { return };
        let Ok(received) = combine(&self.ceremony, self.me, opened, &self.deals) else { return };
        let Some(public) = received.verifying_shares.get(&self.me) else { return };
        self.share = Some((Zeroizing::new(received.share.expose().to_bytes()), *public));
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        let (share, public) = self.share.as_mut().ok_or("nothing was received")?;
        publish(watch, &mut **share)?;
        let share = C::Scalar::from_bytes(share).ok_or("the share can't be read")?;
        ensure(C::Element::mul_base(&share) == *public, "the share is wrong")?;
        Ok(String::new())
    }
}

/// The first member opens the second's deal to everybody.
pub(super) struct Accuse<C: Ciphersuite> {
    ceremony: Ceremony<C>,
    dealer: Identifier,
    deal: Deal<C>,
    me: Identifier,
    key: RunKey<C>,
    tape: Tape,
    said: Vec<u8>,
}

impl<C: Ciphersuite> Accuse<C> {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let mut circle = Circle::<C>::new(None, rng)?;
        let [_, dealer, _] = circle.ids;
        let deal = circle.deals(rng)?.deals.remove(&dealer).ok_or("a deal")?;
        let (me, key) = circle.first(watch)?;
        let tape = Tape::record(rng, watch);
        Ok(Box::new(Self { ceremony: circle.ceremony, dealer, deal, me, key, tape, said: Vec::new() }))
    }
}

impl<C: Ciphersuite> Prepared for Accuse<C> {
    fn run(&mut self) {
        let opening = accuse(&self.ceremony, self.me, &self.key, self.dealer, &self.deal, &mut self.tape);
        self.said = opening.map_or_else(|_| Vec::new(), |opening| opening.encode());
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        publish(watch, self.said.as_mut_slice())?;
        Opening::<C>::decode(&self.said).map_err(|_| "the opening can't be read")?;
        Ok(String::new())
    }
}

/// The first member signs the transcript.
pub(super) struct Endorse<C: Ciphersuite> {
    transcript: Vec<u8>,
    key: RunKey<C>,
    hedge: Zeroizing<[u8; 32]>,
    said: Vec<u8>,
}

impl<C: Ciphersuite> Endorse<C> {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let mut circle = Circle::<C>::new(None, rng)?;
        let transcript =
            transcript(&circle.ceremony, &circle.deals(rng)?.deals, b"extension").map_err(|_| "transcript")?;
        let (_, key) = circle.first(watch)?;
        let mut hedge = Zeroizing::new(random(rng));
        hide(watch, &mut *hedge);
        Ok(Box::new(Self { transcript, key, hedge, said: Vec::new() }))
    }
}

impl<C: Ciphersuite> Prepared for Endorse<C> {
    fn run(&mut self) {
        let proof = sign_transcript(&self.key, &self.transcript, Hedge::Mixed(&self.hedge));
        self.said = proof.map_or_else(|_| Vec::new(), |proof| proof.encode());
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        publish(watch, self.said.as_mut_slice())?;
        let proof = Proof::<C>::decode(&self.said).ok_or("the signature can't be read")?;
        let right = verify_transcript_signature(self.key.public(), &self.transcript, &proof);
        ensure(right, "the signature is wrong")?;
        Ok(String::new())
    }
}
