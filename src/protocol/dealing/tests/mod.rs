//! Dealing as a whole, over every suite.

mod accusations;
mod honest;
mod misdeals;
mod setup;
mod transcripts;

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::deal::cipher;
use super::receive::shared_points;
use super::*;
use crate::protocol::polynomial::lagrange;
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};
use crate::wire::Identifier;

/// Each function as a test over each suite.
macro_rules! in_every_suite {
    ($($name:ident),+ $(,)?) => {
        in_every_suite!(@suite ed25519, Ed25519, $($name),+);
        in_every_suite!(@suite secp256k1, Secp256k1, $($name),+);
        in_every_suite!(@suite taproot, Taproot, $($name),+);
    };
    (@suite $module:ident, $suite:ident, $($name:ident),+) => {
        mod $module {
            $(#[test] fn $name() { super::$name::<crate::suite::$suite>(); })+
        }
    };
}
use in_every_suite;

fn id(number: u16) -> Identifier {
    Identifier::new(number).unwrap()
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

type Keys<C> = BTreeMap<Identifier, RunKey<C>>;
type Deals<C> = BTreeMap<Identifier, Deal<C>>;
type Shares<C> = BTreeMap<Identifier, Received<C>>;

fn keys<C: Ciphersuite>(numbers: &[u16], rng: &mut ChaCha20Rng) -> Keys<C> {
    numbers.iter().map(|number| (id(*number), RunKey::generate(rng))).collect()
}

fn members<C: Ciphersuite>(keys: &Keys<C>) -> Vec<Participant<C>> {
    keys.iter().map(|(id, key)| Participant { id: *id, run_key: *key.public() }).collect()
}

/// A ceremony with everybody's keys and what everybody deals.
struct Run<C: Ciphersuite> {
    ceremony: Ceremony<C>,
    dealer_keys: Keys<C>,
    receiver_keys: Keys<C>,
    deals: Deals<C>,
}

fn payload(dealer: Identifier) -> Vec<u8> {
    [b"payload of ".as_slice(), &dealer.get().to_be_bytes()].concat()
}

const PAYLOAD_LEN: usize = 13;

fn dkg<C: Ciphersuite>(threshold: u16, n: u16, seed: u64) -> Run<C> {
    let mut rng = rng(seed);
    let numbers: Vec<_> = (1..=n).collect();
    let dealer_keys = keys::<C>(&numbers, &mut rng);
    let reopened =
        |(id, key): (&Identifier, &RunKey<C>)| (*id, RunKey::from_secret_bytes(&key.secret_bytes()).unwrap());
    let receiver_keys = dealer_keys.iter().map(reopened).collect();
    let members = members(&dealer_keys);
    let context = cocktail_context(&seed.to_be_bytes(), &members);
    let ceremony = Ceremony::new(context, threshold, members.clone(), members, None).unwrap();
    let random = [7; 32];
    let mut deals = BTreeMap::new();
    for (id, key) in &dealer_keys {
        let sent = deal(&ceremony, *id, key, None, &payload(*id), &mut rng, Hedge::Mixed(&random)).unwrap();
        deals.insert(*id, sent);
    }
    Run { ceremony, dealer_keys, receiver_keys, deals }
}

/// Dealer `dealers[k]` deals λ·s of its old share to new receivers.
fn redeal<C: Ciphersuite>(old: &Shares<C>, dealers: &[u16], threshold: u16, receivers: &[u16], seed: u64) -> Run<C> {
    let mut rng = rng(seed);
    let dealer_keys = keys::<C>(dealers, &mut rng);
    let receiver_keys = keys::<C>(receivers, &mut rng);
    let set: BTreeSet<_> = dealer_keys.keys().copied().collect();
    let any = old.values().next().unwrap();
    let weighted = |id: &Identifier| (*id, any.verifying_shares[id] * lagrange::<C>(*id, &set));
    let constants = set.iter().map(weighted).collect();
    let context = [b"redealing ".as_slice(), &seed.to_be_bytes()].concat();
    let (from, to) = (members(&dealer_keys), members(&receiver_keys));
    let ceremony = Ceremony::new(context, threshold, from, to, Some(constants)).unwrap();
    let mut deals = BTreeMap::new();
    for (id, key) in &dealer_keys {
        let constant = Some(Secret::new(lagrange::<C>(*id, &set) * *old[id].share.expose()));
        let message = deal(&ceremony, *id, key, constant, &payload(*id), &mut rng, Hedge::Deterministic).unwrap();
        deals.insert(*id, message);
    }
    Run { ceremony, dealer_keys, receiver_keys, deals }
}

impl<C: Ciphersuite> Run<C> {
    fn check(&self, dealer: u16) -> Result<(), DealingError> {
        check(&self.ceremony, id(dealer), &self.deals[&id(dealer)])
    }

    fn open(&self, receiver: u16, dealer: u16) -> Result<Opened<C>, DealingError> {
        let (receiver, dealer) = (id(receiver), id(dealer));
        open(&self.ceremony, receiver, &self.receiver_keys[&receiver], dealer, &self.deals[&dealer])
    }

    fn receive(&self, receiver: u16) -> Result<Received<C>, DealingError> {
        let mut opened = Vec::new();
        for dealer in self.deals.keys() {
            self.check(dealer.get())?;
            opened.push((*dealer, self.open(receiver, dealer.get())?));
        }
        combine(&self.ceremony, id(receiver), opened, &self.deals)
    }

    fn receive_all(&self) -> Shares<C> {
        self.receiver_keys.keys().map(|id| (*id, self.receive(id.get()).unwrap())).collect()
    }

    fn change(&mut self, dealer: u16, change: impl FnOnce(&mut Deal<C>)) {
        change(self.deals.get_mut(&id(dealer)).unwrap());
    }

    fn place(&self, receiver: u16) -> usize {
        self.receiver_keys.keys().position(|other| *other == id(receiver)).unwrap()
    }

    /// Puts another plaintext under the right key into the deal, as a dishonest dealer can.
    fn reseal(&mut self, dealer: u16, receiver: u16, plaintext: &[u8]) {
        let (from, to) = (id(dealer), id(receiver));
        let offer = self.deals[&from].offer.clone();
        let shared = shared_points(&self.ceremony, to, &self.receiver_keys[&to], from, &offer.ephemeral).unwrap();
        let (sender, recipient) = (*self.dealer_keys[&from].public(), *self.receiver_keys[&to].public());
        let sealed = cipher(&self.ceremony, &shared, &offer.ephemeral, &sender, &recipient).seal(plaintext);
        let place = self.place(receiver);
        self.change(dealer, |deal| deal.ciphertexts[place] = sealed);
    }

    fn transcript(&self) -> Vec<u8> {
        transcript(&self.ceremony, &self.deals, b"extension").unwrap()
    }

    /// What all signatories sign, in their order.
    fn signatures(&self) -> Vec<u8> {
        let transcript = self.transcript();
        let keys = || self.dealer_keys.values().chain(self.receiver_keys.values());
        let sign = |public: C::Element| {
            let key = keys().find(|key| *key.public() == public).unwrap();
            sign_transcript(key, &transcript, Hedge::Mixed(&[3; 32])).unwrap().encode()
        };
        self.ceremony.signatories().into_iter().flat_map(sign).collect()
    }

    /// A receiver's ciphertexts, framed.
    fn bundle(&self, receiver: u16) -> Vec<u8> {
        let place = self.place(receiver);
        let mut bundle = Vec::new();
        for deal in self.deals.values() {
            bundle.extend(u64::try_from(deal.ciphertexts[place].len()).unwrap().to_be_bytes());
            bundle.extend(&deal.ciphertexts[place]);
        }
        bundle
    }
}

/// The secret key itself, from the first `threshold` shares.
fn reconstruct<C: Ciphersuite>(shares: &Shares<C>, threshold: usize) -> C::Scalar {
    let set: BTreeSet<_> = shares.keys().rev().take(threshold).copied().collect();
    let term = |id: &Identifier| lagrange::<C>(*id, &set) * *shares[id].share.expose();
    set.iter().map(term).fold(C::Scalar::ZERO, |sum, term| sum + term)
}
