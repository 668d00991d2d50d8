//! The same inputs for frost 3.0.0 and for this library, by canonical bytes.
#![allow(dead_code, unreachable_pub, reason = "the tests and the benches each use their own part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

use std::collections::BTreeMap;

use frost_core::keys::dkg::{round1, round2};
use frost_core::keys::{KeyPackage, PublicKeyPackage, SigningShare};
use frost_core::round1::{Nonce, SigningCommitments, SigningNonces};
use frost_core::round2::SignatureShare;
use frost_core::{Ciphersuite, Error, Field, Group, Identifier as FrostIdentifier, Signature, SigningPackage};
use frost_ed25519::rand_core as rand_core_06;
use quorumkey::hazmat::{
    DealingCase, SigningCase, frost_identifier, frost_key_package, frost_public_key_package, random_scalar, shares,
};
use quorumkey::{Identifier, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

type Root<'a> = Option<&'a [u8]>;
pub type FrostShares<F> = BTreeMap<FrostIdentifier<F>, SignatureShare<F>>;

/// A frost ciphersuite and what it calls signing; `Root` is for taproot.
pub trait Frost: Ciphersuite {
    const SUITE: Suite;
    fn sign(
        package: &SigningPackage<Self>,
        nonces: &SigningNonces<Self>,
        key: &KeyPackage<Self>,
        _root: Root<'_>,
    ) -> Result<SignatureShare<Self>, Error<Self>> {
        frost_core::round2::sign(package, nonces, key)
    }
    fn aggregate(
        package: &SigningPackage<Self>,
        shares: &FrostShares<Self>,
        public: &PublicKeyPackage<Self>,
        _root: Root<'_>,
    ) -> Result<Signature<Self>, Error<Self>> {
        frost_core::aggregate(package, shares, public)
    }
    fn tweaked(public: &PublicKeyPackage<Self>, _root: Root<'_>) -> PublicKeyPackage<Self> {
        public.clone()
    }
}

impl Frost for frost_ed25519::Ed25519Sha512 {
    const SUITE: Suite = Suite::Ed25519;
}

impl Frost for frost_secp256k1::Secp256K1Sha256 {
    const SUITE: Suite = Suite::Secp256k1;
}

impl Frost for frost_secp256k1_tr::Secp256K1Sha256TR {
    const SUITE: Suite = Suite::Secp256k1Taproot;

    fn sign(
        package: &SigningPackage<Self>,
        nonces: &SigningNonces<Self>,
        key: &KeyPackage<Self>,
        root: Root<'_>,
    ) -> Result<SignatureShare<Self>, Error<Self>> {
        frost_secp256k1_tr::round2::sign_with_tweak(package, nonces, key, root)
    }

    fn aggregate(
        package: &SigningPackage<Self>,
        shares: &FrostShares<Self>,
        public: &PublicKeyPackage<Self>,
        root: Root<'_>,
    ) -> Result<Signature<Self>, Error<Self>> {
        frost_secp256k1_tr::aggregate_with_tweak(package, shares, public, root)
    }

    fn tweaked(public: &PublicKeyPackage<Self>, root: Root<'_>) -> PublicKeyPackage<Self> {
        frost_secp256k1_tr::keys::Tweak::tweak(public.clone(), root)
    }
}

/// A generator of today's traits, for frost, which asks for those of `rand_core` 0.6.
pub struct OldRng<'a>(pub &'a mut ChaCha20Rng);

impl rand_core_06::RngCore for OldRng<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core_06::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl rand_core_06::CryptoRng for OldRng<'_> {}

pub fn id(number: u16) -> Identifier {
    Identifier::new(number).unwrap()
}

/// Signers of one message, with everything that either library needs.
pub struct Signing<F: Frost> {
    pub case: SigningCase,
    pub shares: BTreeMap<Identifier, [u8; 32]>,
    pub nonces: BTreeMap<Identifier, [[u8; 32]; 2]>,
    pub frost_keys: BTreeMap<Identifier, KeyPackage<F>>,
    pub frost_nonces: BTreeMap<Identifier, SigningNonces<F>>,
    pub frost_package: SigningPackage<F>,
    pub frost_public: PublicKeyPackage<F>,
}

impl<F: Frost> Signing<F> {
    /// Members and signers by their numbers; every signer is a member.
    pub fn new(
        members: &[u16],
        threshold: u16,
        signers: &[u16],
        message: &[u8],
        root: Option<[u8; 32]>,
        rng: &mut ChaCha20Rng,
    ) -> Self {
        let coefficients: Vec<_> = (0..threshold).map(|_| random_scalar(F::SUITE, rng)).collect();
        let group_key = coefficients[0].1.clone();
        let coefficients: Vec<_> = coefficients.into_iter().map(|(scalar, _)| scalar).collect();
        let ids: Vec<_> = members.iter().map(|number| id(*number)).collect();
        let dealt: BTreeMap<_, _> = ids.iter().copied().zip(shares(F::SUITE, &coefficients, &ids).unwrap()).collect();
        let verifying_shares: BTreeMap<_, _> = dealt.iter().map(|(id, (_, public))| (*id, public.clone())).collect();
        let frost_public = frost_public_key_package(&verifying_shares, &group_key, threshold).unwrap();
        let (mut nonces, mut commitments) = (BTreeMap::new(), BTreeMap::new());
        let (mut frost_keys, mut frost_nonces, mut frost_commitments) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for id in signers.iter().map(|number| id(*number)) {
            let (share, public) = &dealt[&id];
            frost_keys.insert(id, frost_key_package(id, share, public, &group_key, threshold).unwrap());
            let [hiding, binding] = [random_scalar(F::SUITE, rng), random_scalar(F::SUITE, rng)];
            let nonce = |bytes: &[u8; 32]| Nonce::<F>::deserialize(bytes).unwrap();
            let pair = SigningNonces::from_nonces(nonce(&hiding.0), nonce(&binding.0));
            frost_commitments.insert(frost_identifier(id).unwrap(), SigningCommitments::from(&pair));
            frost_nonces.insert(id, pair);
            commitments.insert(id, [hiding.1, binding.1].concat());
            nonces.insert(id, [hiding.0, binding.0]);
        }
        let message = message.to_vec();
        let frost_package = SigningPackage::new(frost_commitments, &message);
        let shares = dealt.into_iter().map(|(id, (share, _))| (id, share)).collect();
        let case = SigningCase { suite: F::SUITE, group_key, verifying_shares, commitments, message, root };
        Self { case, shares, nonces, frost_keys, frost_nonces, frost_package, frost_public }
    }

    /// Gives a signer other nonces.
    pub fn set_nonces(&mut self, id: Identifier, nonces: [[u8; 32]; 2]) {
        let [hiding, binding] = nonces.map(|nonce| Nonce::<F>::deserialize(&nonce).unwrap());
        let frost_nonces = SigningNonces::from_nonces(hiding, binding);
        let commitments = SigningCommitments::from(&frost_nonces);
        let parts = [commitments.hiding().serialize().unwrap(), commitments.binding().serialize().unwrap()];
        self.case.commitments.insert(id, parts.concat());
        let mut all = self.frost_package.signing_commitments().clone();
        all.insert(frost_identifier(id).unwrap(), commitments);
        self.frost_package = SigningPackage::new(all, self.frost_package.message());
        self.nonces.insert(id, nonces);
        self.frost_nonces.insert(id, frost_nonces);
    }

    pub fn root(&self) -> Root<'_> {
        self.case.root.as_ref().map(<[u8; 32]>::as_slice)
    }

    pub fn frost_sign(&self, id: Identifier) -> SignatureShare<F> {
        F::sign(&self.frost_package, &self.frost_nonces[&id], &self.frost_keys[&id], self.root()).unwrap()
    }

    pub fn frost_shares(&self) -> BTreeMap<Identifier, SignatureShare<F>> {
        self.frost_keys.keys().map(|id| (*id, self.frost_sign(*id))).collect()
    }

    pub fn frost_aggregate(&self, shares: &BTreeMap<Identifier, SignatureShare<F>>) -> Result<Signature<F>, Error<F>> {
        let shares = shares.iter().map(|(id, share)| (frost_identifier(*id).unwrap(), *share)).collect();
        F::aggregate(&self.frost_package, &shares, &self.frost_public, self.root())
    }
}

/// The order of the group, as a scalar would be encoded.
pub fn order<F: Frost>() -> [u8; 32] {
    let minus_one = FieldOf::<F>::zero() - FieldOf::<F>::one();
    let mut bytes: [u8; 32] = FieldOf::<F>::serialize(&minus_one).as_ref().try_into().unwrap();
    // Both are odd, so that there is nothing to carry.
    bytes[if F::SUITE == Suite::Ed25519 { 0 } else { 31 }] += 1;
    bytes
}

/// The opposite of a scalar.
pub fn negated<F: Frost>(scalar: &[u8; 32]) -> [u8; 32] {
    let bytes = scalar.as_slice().try_into().ok().unwrap();
    let opposite = FieldOf::<F>::zero() - FieldOf::<F>::deserialize(&bytes).unwrap();
    FieldOf::<F>::serialize(&opposite).as_ref().try_into().unwrap()
}

/// Every signature share as bytes.
pub fn share_bytes<F: Frost>(shares: &BTreeMap<Identifier, SignatureShare<F>>) -> BTreeMap<Identifier, [u8; 32]> {
    shares.iter().map(|(id, share)| (*id, share.serialize().try_into().unwrap())).collect()
}

/// The signature share of these bytes.
pub fn share_of<F: Frost>(bytes: &[u8; 32]) -> SignatureShare<F> {
    SignatureShare::deserialize(bytes).unwrap()
}

/// That many times the generator.
pub fn times_generator<F: Frost>(scalar: &[u8]) -> Vec<u8> {
    let bytes = scalar.try_into().ok().unwrap();
    let point = F::Group::generator() * FieldOf::<F>::deserialize(&bytes).unwrap();
    F::Group::serialize(&point).unwrap().as_ref().to_vec()
}

/// A wrong share.
pub fn plus_one<F: Frost>(share: &SignatureShare<F>) -> SignatureShare<F> {
    SignatureShare::deserialize(&add::<F>(&share.serialize(), FieldOf::<F>::one())).unwrap()
}

/// Another, which is off by the opposite.
pub fn minus_one<F: Frost>(share: &SignatureShare<F>) -> SignatureShare<F> {
    let minus_one = FieldOf::<F>::zero() - FieldOf::<F>::one();
    SignatureShare::deserialize(&add::<F>(&share.serialize(), minus_one)).unwrap()
}

type FieldOf<F> = <<F as Ciphersuite>::Group as Group>::Field;

fn add<F: Frost>(scalar: &[u8], summand: <FieldOf<F> as Field>::Scalar) -> Vec<u8> {
    let bytes = scalar.try_into().ok().unwrap();
    FieldOf::<F>::serialize(&(FieldOf::<F>::deserialize(&bytes).unwrap() + summand)).as_ref().to_vec()
}

/// A DKG as one receiver sees it, with everything that either library needs.
pub struct Dealing<F: Frost> {
    pub case: DealingCase,
    pub secret: round2::SecretPackage<F>,
    pub round1: BTreeMap<FrostIdentifier<F>, round1::Package<F>>,
    pub round2: BTreeMap<FrostIdentifier<F>, round2::Package<F>>,
}

impl<F: Frost> Dealing<F> {
    pub fn new(n: u16, threshold: u16, receiver: u16, rng: &mut ChaCha20Rng) -> Self {
        let mut dealers: BTreeMap<_, _> = (1..=n)
            .map(|number| {
                let frost_id = frost_identifier::<F>(id(number)).unwrap();
                (number, frost_core::keys::dkg::part1(frost_id, n, threshold, OldRng(rng)).unwrap())
            })
            .collect();
        let mine = frost_identifier::<F>(id(receiver)).unwrap();
        let share = |secret: &round1::SecretPackage<F>| SigningShare::from_coefficients(&secret.coefficients(), mine);
        let (mut commitments, mut shares) = (BTreeMap::new(), BTreeMap::new());
        for (number, (secret, package)) in &dealers {
            commitments.insert(id(*number), package.commitment().serialize().unwrap().concat());
            shares.insert(id(*number), share(secret).serialize().try_into().unwrap());
        }
        let (own, _) = dealers.remove(&receiver).unwrap();
        let summand = share(&own).to_scalar();
        let secret = round2::SecretPackage::new(mine, own.commitment().clone(), summand, threshold, n);
        let (mut round1, mut round2) = (BTreeMap::new(), BTreeMap::new());
        for (number, (secret, package)) in dealers {
            let frost_id = frost_identifier(id(number)).unwrap();
            round1.insert(frost_id, package);
            round2.insert(frost_id, round2::Package::new(share(&secret)));
        }
        let case = DealingCase { suite: F::SUITE, threshold, receiver: id(receiver), commitments, shares };
        Self { case, secret, round1, round2 }
    }

    pub fn frost_receive(&self) -> Result<(KeyPackage<F>, PublicKeyPackage<F>), Error<F>> {
        frost_core::keys::dkg::part3(&self.secret, &self.round1, &self.round2)
    }

    /// The receiver's share, and everybody's public keys, by sums alone.
    pub fn frost_sums(&self) -> (Vec<u8>, PublicKeyPackage<F>) {
        let share = |package: &round2::Package<F>| package.signing_share().to_scalar();
        let share = self.round2.values().map(share).fold(self.secret.secret_share(), |sum, share| sum + share);
        let others = self.round1.iter().map(|(id, package)| (*id, package.commitment()));
        let all = others.chain([(*self.secret.identifier(), self.secret.commitment())]).collect();
        (FieldOf::<F>::serialize(&share).as_ref().to_vec(), PublicKeyPackage::from_dkg_commitments(&all).unwrap())
    }

    /// The dealer gives the receiver another share than the one that it committed to.
    pub fn cheat(&mut self, dealer: u16) {
        self.cheat_by(dealer, FieldOf::<F>::one());
    }

    /// The same, off by the opposite.
    pub fn cheat_back(&mut self, dealer: u16) {
        self.cheat_by(dealer, FieldOf::<F>::zero() - FieldOf::<F>::one());
    }

    fn cheat_by(&mut self, dealer: u16, error: <FieldOf<F> as Field>::Scalar) {
        let frost_id = frost_identifier::<F>(id(dealer)).unwrap();
        let wrong = add::<F>(&self.round2[&frost_id].signing_share().serialize(), error);
        self.round2.insert(frost_id, round2::Package::new(SigningShare::deserialize(&wrong).unwrap()));
        self.case.shares.insert(id(dealer), wrong.try_into().unwrap());
    }
}
