//! The steps of the protocols without tokens, runs and messages, to be timed and to be held against other libraries.
//!
//! # Security
//!
//! Secrets go in and come out in ordinary memory.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rand_core::CryptoRng;

use crate::protocol::dealing::{
    Ceremony, Deal, DealingError, Gathered, Hedge, Offer, Opened, Participant, Proof, Received, RunKey, combine, deal,
    deal_to, make,
};
use crate::protocol::polynomial::{evaluate, lagrange_all};
use crate::protocol::sign::{
    AggregateError, Commitments, Nonces, SignatureShare, SigningPackage, Target, aggregate, sign,
};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar, Suite, with_suite};
use crate::wire::Identifier;

/// A step with its inputs decoded and at hand; it does its work when it is called.
pub type Step = Box<dyn FnOnce() -> Outcome>;
/// Encodes what a step came to: canonical bytes, or whoever is named (nobody, when nobody can be).
pub type Outcome = Box<dyn FnOnce() -> Result<Vec<Vec<u8>>, Vec<Identifier>>>;
/// Makes the same step again and again.
pub type Steps = Box<dyn Fn() -> Step>;

/// A step out of its work and of what encodes the result.
fn step<T: 'static>(
    work: impl FnOnce() -> T + 'static,
    encode: impl FnOnce(T) -> Result<Vec<Vec<u8>>, Vec<Identifier>> + 'static,
) -> Step {
    Box::new(move || {
        let done = work();
        Box::new(move || encode(done))
    })
}

fn encode<E: Element>(elements: &[E]) -> Vec<Vec<u8>> {
    elements.iter().map(Element::to_bytes).collect()
}

/// RFC 9591's first round, from given randomness: hiding and binding nonce, and the two commitments together.
pub fn commit(suite: Suite, share: &[u8; 32], randomness: [[u8; 32]; 2]) -> Option<Steps> {
    with_suite!(suite, C => commit_of::<C>(share, randomness))
}

fn commit_of<C: Ciphersuite>(share: &[u8; 32], [hiding, binding]: [[u8; 32]; 2]) -> Option<Steps> {
    let share = C::Scalar::from_bytes(share)?;
    Some(Box::new(move || {
        let share = Secret::new(share);
        step(
            move || Nonces::<C>::from_randomness(&share, &hiding, &binding),
            |nonces| {
                let [hiding, binding] = nonces.to_bytes();
                Ok(vec![hiding.to_vec(), binding.to_vec(), nonces.commitments().as_bytes().to_vec()])
            },
        )
    }))
}

/// Every signer's commitments, and what signs.
type Decoded<C> = (BTreeMap<Identifier, Commitments<C>>, Target<C>);

/// What one signature is about, all in canonical bytes.
#[derive(Clone, Debug)]
pub struct SigningCase {
    /// The suite.
    pub suite: Suite,
    /// The group's key, for taproot the internal one.
    pub group_key: Vec<u8>,
    /// Every signer's share times the generator.
    pub verifying_shares: BTreeMap<Identifier, Vec<u8>>,
    /// Every signer's commitments, hiding then binding.
    pub commitments: BTreeMap<Identifier, Vec<u8>>,
    /// What is signed.
    pub message: Vec<u8>,
    /// Of taproot the script root, if there is one.
    pub root: Option<[u8; 32]>,
}

impl SigningCase {
    /// RFC 9591's second round of one signer: its signature share. `None` for bytes that are refused.
    pub fn sign(&self, id: Identifier, share: &[u8; 32], nonces: [[u8; 32]; 2]) -> Option<Steps> {
        with_suite!(self.suite, C => self.sign_of::<C>(id, share, nonces))
    }

    /// RFC 9591's aggregation, from everybody's commitments and signature shares. `None` for bytes that are refused.
    pub fn aggregate(&self, shares: &BTreeMap<Identifier, [u8; 32]>) -> Option<Steps> {
        with_suite!(self.suite, C => self.aggregate_of::<C>(shares))
    }

    fn decode<C: Ciphersuite>(&self) -> Option<Decoded<C>> {
        let encodings: Vec<&[u8]> = self.commitments.values().map(Vec::as_slice).collect();
        let commitments = self.commitments.keys().copied().zip(Commitments::batch_from_bytes(&encodings)?).collect();
        let target = Target { root: self.root, ..Target::new(C::Element::from_bytes(&self.group_key)?) };
        Some((commitments, target))
    }

    fn sign_of<C: Ciphersuite>(&self, id: Identifier, share: &[u8; 32], nonces: [[u8; 32]; 2]) -> Option<Steps> {
        let (commitments, target) = self.decode::<C>()?;
        let (message, share) = (self.message.clone(), C::Scalar::from_bytes(share)?);
        let [hiding, binding] = [C::Scalar::from_bytes(&nonces[0])?, C::Scalar::from_bytes(&nonces[1])?];
        Some(Box::new(move || {
            let (message, commitments, target) = (message.clone(), commitments.clone(), target.clone());
            let share = Secret::new(share);
            let nonces = Nonces::<C>::from_scalars(Secret::new(hiding), Secret::new(binding));
            step(
                move || sign(&SigningPackage::new(message, commitments, &target).ok()?, nonces, &share, id).ok(),
                |share| share.map(|share| vec![share.to_bytes().to_vec()]).ok_or_else(Vec::new),
            )
        }))
    }

    fn aggregate_of<C: Ciphersuite>(&self, shares: &BTreeMap<Identifier, [u8; 32]>) -> Option<Steps> {
        let (commitments, target) = self.decode::<C>()?;
        let share = |(id, bytes): (&Identifier, &[u8; 32])| Some((*id, SignatureShare::<C>::from_bytes(bytes)?));
        let shares: BTreeMap<_, _> = shares.iter().map(share).collect::<Option<_>>()?;
        let public = |(id, bytes): (&Identifier, &Vec<u8>)| Some((*id, C::Element::from_bytes(bytes)?));
        let verifying_shares: BTreeMap<_, _> = self.verifying_shares.iter().map(public).collect::<Option<_>>()?;
        let (message, known) = (self.message.clone(), Rc::new((shares, verifying_shares)));
        Some(Box::new(move || {
            let (message, commitments, target) = (message.clone(), commitments.clone(), target.clone());
            let known = Rc::clone(&known);
            step(
                move || {
                    let package = SigningPackage::new(message, commitments, &target);
                    package.map(|package| aggregate(&package, &known.0, &known.1))
                },
                |result| match result {
                    Ok(Ok(signature)) => Ok(vec![signature.as_bytes().to_vec()]),
                    Ok(Err(AggregateError::Culprits(culprits))) => Err(culprits.into_iter().collect()),
                    _ => Err(Vec::new()),
                },
            )
        }))
    }
}

/// What a receiver of a new key has at the end of a dealing, all in canonical bytes.
#[derive(Clone, Debug)]
pub struct DealingCase {
    /// The suite.
    pub suite: Suite,
    /// How many shares make a signature.
    pub threshold: u16,
    /// Whose share it is.
    pub receiver: Identifier,
    /// What each member committed to, constant term first, one point after the other.
    pub commitments: BTreeMap<Identifier, Vec<u8>>,
    /// What each member gave to the receiver.
    pub shares: BTreeMap<Identifier, [u8; 32]>,
}

impl DealingCase {
    /// Sums and checks the share, and computes everybody's verifying share: the share, the group's key, the verifying
    /// shares in order. `None` for bytes that are refused, or that are no dealing.
    pub fn receive(&self) -> Option<Steps> {
        with_suite!(self.suite, C => self.steps::<C>(false))
    }

    /// The same with the commitments still to be decoded; each stands between a proof and an ephemeral key, as in a
    /// message.
    pub fn receive_wire(&self) -> Option<Steps> {
        with_suite!(self.suite, C => self.steps::<C>(true))
    }

    fn steps<C: Ciphersuite>(&self, from_wire: bool) -> Option<Steps> {
        let participant = |id: &Identifier| Participant {
            id: *id,
            run_key: C::Element::mul_base(&C::Scalar::from_u64(u64::from(id.get()))),
        };
        let members: Vec<Participant<C>> = self.commitments.keys().map(participant).collect();
        let count = members.len();
        let ceremony = Ceremony::new(b"steps".to_vec(), self.threshold, members.clone(), members, None).ok()?;
        let (receiver, threshold) = (self.receiver, self.threshold);
        let encoded: Vec<_> = self.commitments.values().map(|points| message::<C>(points, count)).collect();
        let ids: Vec<_> = self.commitments.keys().copied().collect();
        let decode = |bytes: &Vec<u8>| Deal::<C>::decode(bytes, threshold, self.commitments.len(), 0).ok();
        let decoded = if from_wire { None } else { Some(encoded.iter().map(decode).collect::<Option<Vec<_>>>()?) };
        let deals = decoded.map(|decoded| ids.iter().copied().zip(decoded).collect::<BTreeMap<_, _>>());
        let share = |(id, bytes): (&Identifier, &[u8; 32])| Some((*id, C::Scalar::from_bytes(bytes)?));
        let shares: Vec<_> = self.shares.iter().map(share).collect::<Option<_>>()?;
        let known = Rc::new((ceremony, encoded, ids, deals));
        Some(Box::new(move || {
            let (known, shares) = (Rc::clone(&known), shares.clone());
            let open = move || -> Vec<_> {
                shares.iter().map(|(id, share)| (*id, Opened::bare(receiver, Secret::new(*share)))).collect()
            };
            let opened = open();
            step(
                move || {
                    let (ceremony, encoded, ids, deals) = &*known;
                    if let Some(deals) = deals {
                        return Some(combine(ceremony, receiver, opened, deals));
                    }
                    let bodies = || ids.iter().copied().zip(encoded.iter().map(Vec::as_slice));
                    let outcome = Gathered::read(ceremony, bodies(), 0)?.combine(ceremony, receiver, opened);
                    // As in a run: what is wrong is looked at one by one.
                    Some(outcome.or_else(|_| {
                        let read = |bytes| Deal::decode(bytes, threshold, ids.len(), 0).map_err(DealingError::Decode);
                        let read = |(id, bytes)| -> Result<_, DealingError> { Ok((id, read(bytes)?)) };
                        combine(ceremony, receiver, open(), &bodies().map(read).collect::<Result<_, _>>()?)
                    }))
                },
                |result| received(result.ok_or_else(Vec::new)?),
            )
        }))
    }
}

/// A deal with empty ciphertexts.
fn message<C: Ciphersuite>(commitment: &[u8], receivers: usize) -> Vec<u8> {
    let generator = C::Element::generator().to_bytes();
    let ciphertext = [48_u64.to_be_bytes().as_slice(), &[0; 48]].concat();
    [commitment, &generator, &C::Scalar::ONE.to_bytes(), &generator, &ciphertext.repeat(receivers)].concat()
}

fn received<C: Ciphersuite>(result: Result<Received<C>, DealingError>) -> Result<Vec<Vec<u8>>, Vec<Identifier>> {
    match result {
        Ok(Received { share, group_key, verifying_shares, .. }) => {
            let mut bytes = vec![share.expose().to_bytes().to_vec(), group_key.to_bytes()];
            bytes.extend(encode(&verifying_shares.into_values().collect::<Vec<_>>()));
            Ok(bytes)
        }
        Err(DealingError::Misdeal(dealer, _)) => Err(vec![dealer]),
        Err(_) => Err(Vec::new()),
    }
}

/// What a dealer makes before it seals: a random polynomial, the commitments to it, a proof of possession. The outcome
/// is the coefficients, then the commitments.
pub fn offer(suite: Suite, threshold: u16, rng: impl CryptoRng + Clone + 'static) -> Option<Steps> {
    with_suite!(suite, C => {
        let run = BareRun::<C>::new(threshold, threshold.max(2), &mut rng.clone())?;
        let run = Rc::new(run);
        Some(Box::new(move || {
            let (run, mut rng) = (Rc::clone(&run), rng.clone());
            step(
                move || {
                    let constant = Secret::new(<C as Ciphersuite>::Scalar::random(&mut rng));
                    make(&run.ceremony, &constant, &mut rng, Hedge::Mixed(&[7; 32]))
                },
                |made| {
                    let made = made.map_err(|_| Vec::new())?;
                    let scalars = made.coefficients.expose().iter().map(|scalar| scalar.to_bytes().to_vec());
                    Ok(scalars.chain(encode(&made.offer.commitment)).collect())
                },
            )
        }))
    })
}

/// Verifies the proofs of possession of so many offers, one of which may be forged.
pub fn proofs(
    suite: Suite,
    threshold: u16,
    count: u16,
    forged: Option<Identifier>,
    rng: &mut dyn CryptoRng,
) -> Option<Steps> {
    with_suite!(suite, C => {
        let run = BareRun::<C>::new(threshold, count, rng)?;
        let mut encoded = Vec::new();
        for id in run.keys.keys() {
            let constant = Secret::new(<C as Ciphersuite>::Scalar::random(rng));
            let mut offer: Offer<C> = make(&run.ceremony, &constant, rng, Hedge::Mixed(&[7; 32])).ok()?.offer;
            if forged == Some(*id) {
                let other = RunKey::<C>::generate(rng);
                offer.proof = Proof::sign(other.secret(), other.public(), b"another", Hedge::Deterministic).ok()?;
            }
            encoded.push((*id, Deal { offer, ciphertexts: vec![vec![0; 48]; run.keys.len()] }.encode()));
        }
        let known = Rc::new((run, encoded));
        Gathered::read(&known.0.ceremony, known.1.iter().map(|(id, bytes)| (*id, bytes.as_slice())), 0)?;
        Some(Box::new(move || {
            let known = Rc::clone(&known);
            step(
                move || {
                    let bodies = known.1.iter().map(|(id, bytes)| (*id, bytes.as_slice()));
                    Gathered::taken(&known.0.ceremony, bodies, 0).is_some_and(|deals| deals.are_good(&known.0.ceremony))
                },
                |good| if good { Ok(Vec::new()) } else { Err(Vec::new()) },
            )
        }))
    })
}

/// A ceremony of members 1 to n with the secrets of all.
struct BareRun<C: Ciphersuite> {
    ceremony: Ceremony<C>,
    keys: BTreeMap<Identifier, RunKey<C>>,
    /// The old shares that a refresh deals, weighted.
    constants: Option<BTreeMap<Identifier, C::Scalar>>,
}

impl<C: Ciphersuite> BareRun<C> {
    fn new(threshold: u16, n: u16, rng: &mut dyn CryptoRng) -> Option<Self> {
        Self::with(threshold, n, None, rng)
    }

    /// A refresh of random shares.
    fn refresh(threshold: u16, n: u16, rng: &mut dyn CryptoRng) -> Option<Self> {
        let coefficients: Vec<_> = (0..threshold).map(|_| C::Scalar::random(rng)).collect();
        let set: BTreeSet<_> = (1..=n).map(Identifier::new).collect::<Option<_>>()?;
        let weighted = |(id, weight): (&Identifier, C::Scalar)| (*id, weight * evaluate(&coefficients, *id));
        Self::with(threshold, n, Some(set.iter().zip(lagrange_all::<C>(&set)).map(weighted).collect()), rng)
    }

    fn with(
        threshold: u16,
        n: u16,
        constants: Option<BTreeMap<Identifier, C::Scalar>>,
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        let ids = (1..=n).map(Identifier::new).collect::<Option<Vec<_>>>()?;
        let keys: BTreeMap<_, _> = ids.into_iter().map(|id| (id, RunKey::<C>::generate(rng))).collect();
        let members: Vec<_> = keys.iter().map(|(id, key)| Participant { id: *id, run_key: *key.public() }).collect();
        let public = constants
            .as_ref()
            .map(|constants| constants.iter().map(|(id, constant)| (*id, C::Element::mul_base(constant))).collect());
        let ceremony = Ceremony::new(b"steps".to_vec(), threshold, members.clone(), members, public).ok()?;
        Some(Self { ceremony, keys, constants })
    }

    fn deal(&self, id: Identifier, rng: &mut dyn CryptoRng) -> Option<Vec<u8>> {
        let constant = self.constants.as_ref().and_then(|constants| constants.get(&id)).copied().map(Secret::new);
        let deal =
            deal(&self.ceremony, id, self.keys.get(&id)?, constant, &[7; 32], rng, Hedge::Mixed(&[7; 32])).ok()?;
        Some(deal.encode())
    }

    /// A deal whose ciphertexts, but that of the first member, are zero bytes.
    fn deal_to_first(&self, id: Identifier, rng: &mut dyn CryptoRng) -> Option<Vec<u8>> {
        let constant = self.constants.as_ref().and_then(|constants| constants.get(&id)).copied().map(Secret::new);
        let (first, key) = (*self.keys.first_key_value()?.0, self.keys.get(&id)?);
        let hedge = Hedge::Mixed(&[7; 32]);
        let deal = deal_to(&self.ceremony, |to| to == first, id, key, constant, &[7; 32], rng, hedge).ok()?;
        Some(deal.encode())
    }

    /// All that the first member computes, given the messages of the others.
    fn member(&self, others: &BTreeMap<Identifier, Vec<u8>>, rng: &mut dyn CryptoRng) -> Option<Received<C>> {
        let (me, key) = self.keys.first_key_value()?;
        let own = self.deal(*me, rng)?;
        let bodies = [own.as_slice()].into_iter().chain(others.values().map(Vec::as_slice));
        let deals = Gathered::read(&self.ceremony, self.keys.keys().copied().zip(bodies), 32)?;
        let deals = Some(deals).filter(|deals| deals.are_good(&self.ceremony))?;
        let opened = deals.open(&self.ceremony, *me, key).ok()?;
        deals.combine(&self.ceremony, *me, opened).ok()
    }

    fn steps(self, rng: impl CryptoRng + Clone + 'static) -> Option<Steps> {
        let mut drawn = rng.clone();
        let dealt = |id: &Identifier| Some((*id, self.deal_to_first(*id, &mut drawn)?));
        let others: BTreeMap<_, _> = self.keys.keys().skip(1).map(dealt).collect::<Option<_>>()?;
        let known = Rc::new((self, others));
        Some(Box::new(move || {
            let (known, mut rng) = (Rc::clone(&known), rng.clone());
            step(move || known.0.member(&known.1, &mut rng), |done| received(Ok(done.ok_or_else(Vec::new)?)))
        }))
    }
}

/// All that one member computes to make a key with n - 1 others, whose messages are at hand as bytes: dealing and sealing,
/// decoding, proofs of possession, opening, receiving.
pub fn dkg_member(suite: Suite, threshold: u16, n: u16, rng: impl CryptoRng + Clone + 'static) -> Option<Steps> {
    with_suite!(suite, C => BareRun::<C>::new(threshold, n, &mut rng.clone())?.steps(rng))
}

/// The same for a refresh of the shares of all.
pub fn refresh_member(suite: Suite, threshold: u16, n: u16, rng: impl CryptoRng + Clone + 'static) -> Option<Steps> {
    with_suite!(suite, C => BareRun::<C>::refresh(threshold, n, &mut rng.clone())?.steps(rng))
}

/// Polynomials of given coefficients, constant term first, at every member: its value, and that times the generator.
pub fn shares(suite: Suite, coefficients: &[[u8; 32]], ids: &[Identifier]) -> Option<Vec<([u8; 32], Vec<u8>)>> {
    with_suite!(suite, C => {
        let read = coefficients.iter().map(<C as Ciphersuite>::Scalar::from_bytes);
        let coefficients = read.collect::<Option<Vec<_>>>()?;
        let share = |id: &Identifier| {
            let value = evaluate(&coefficients, *id);
            (value.to_bytes(), <C as Ciphersuite>::Element::mul_base(&value).to_bytes())
        };
        Some(ids.iter().map(share).collect())
    })
}

/// A random scalar, and that times the generator.
pub fn random_scalar(suite: Suite, rng: &mut dyn CryptoRng) -> ([u8; 32], Vec<u8>) {
    with_suite!(suite, C => {
        let scalar = <C as Ciphersuite>::Scalar::random(rng);
        (scalar.to_bytes(), <C as Ciphersuite>::Element::mul_base(&scalar).to_bytes())
    })
}
