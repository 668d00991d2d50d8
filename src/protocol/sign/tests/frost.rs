//! The same keys and nonces through frost 3.0.0 give the same bytes.

use frost_core::Ciphersuite as Frost;
use frost_core::keys::{KeyPackage, PublicKeyPackage};
use frost_core::round1::{Nonce, SigningCommitments, SigningNonces};
use frost_core::round2::SignatureShare as FrostShare;
use frost_core::{Error, Signature as FrostSignature, SigningPackage as FrostPackage};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;
use crate::hazmat::{frost_identifier, frost_key_package, frost_public_key_package};
use crate::suite::{Ed25519, GroupKey, Secp256k1, Taproot};

type Root<'a> = Option<&'a [u8]>;

type Sign<F> = fn(&FrostPackage<F>, &SigningNonces<F>, &KeyPackage<F>, Root<'_>) -> Result<FrostShare<F>, Error<F>>;
type FrostShares<F> = BTreeMap<frost_core::Identifier<F>, FrostShare<F>>;
type Aggregate<F> =
    fn(&FrostPackage<F>, &FrostShares<F>, &PublicKeyPackage<F>, Root<'_>) -> Result<FrostSignature<F>, Error<F>>;

/// How a frost crate signs and aggregates.
struct Door<F: Frost> {
    sign: Sign<F>,
    aggregate: Aggregate<F>,
}

/// A random group of up to nine out of 1 to 1,000, random signers, a message, perhaps a path's offset, and perhaps a root.
/// frost knows no paths: it is given the shares of the child.
struct Case<C: Ciphersuite> {
    group: Group<C>,
    signers: Vec<u16>,
    threshold: u16,
    message: Vec<u8>,
    offset: C::Scalar,
    root: Option<[u8; 32]>,
}

impl<C: Ciphersuite> Case<C> {
    fn random(rng: &mut ChaCha20Rng) -> Self {
        let below = |rng: &mut ChaCha20Rng, bound: usize| usize::try_from(rng.next_u32()).unwrap() % bound;
        let mut members = BTreeSet::new();
        let n = 2 + below(rng, 8);
        while members.len() < n {
            members.insert(u16::try_from(1 + below(rng, 1000)).unwrap());
        }
        let members: Vec<_> = members.into_iter().collect();
        let t = 2 + below(rng, n - 1);
        let signers = members[below(rng, n - t + 1)..].to_vec();
        let mut message = vec![0; below(rng, 100)];
        rng.fill_bytes(&mut message);
        let mut root = [0; 32];
        rng.fill_bytes(&mut root);
        Self {
            group: Group::random(t, &members, rng),
            signers,
            threshold: u16::try_from(t).unwrap(),
            message,
            offset: if below(rng, 2) == 0 { C::Scalar::ZERO } else { Scalar::random(rng) },
            root: (below(rng, 2) == 0).then_some(root),
        }
    }

    /// Runs both, and gives group key, internal key, output key and R in full encoding.
    fn compare<F: Frost>(&self, door: &Door<F>, rng: &mut ChaCha20Rng) -> [Vec<u8>; 4] {
        let (nonces, commitments) = self.group.round_one(&self.signers, rng);
        let frost_nonces: BTreeMap<_, _> = nonces.iter().map(|(id, nonces)| (*id, copy::<C, F>(nonces))).collect();
        let target = Target { offset: self.offset, root: self.root, ..Target::new(self.group.key) };
        let package = SigningPackage::new(self.message.clone(), commitments, &target).unwrap();
        let shares = self.group.round_two(&package, nonces);
        let signature = aggregate(&package, &shares, &self.group.verifying_shares).unwrap();

        let frost_commitments: BTreeMap<_, _> = frost_nonces
            .iter()
            .map(|(id, nonces)| (frost_identifier(*id).unwrap(), SigningCommitments::from(nonces)))
            .collect();
        let frost_package = FrostPackage::new(frost_commitments, &self.message);
        let root = self.root.as_ref().map(<[u8; 32]>::as_slice);
        let (child, public_offset) =
            (self.group.key + C::Element::mul_base(&self.offset), C::Element::mul_base(&self.offset));
        let key = child.to_bytes();
        let mut frost_shares = BTreeMap::new();
        for (id, nonces) in &frost_nonces {
            let share = *self.group.share(*id).expose() + self.offset;
            let public = (self.group.verifying_shares[id] + public_offset).to_bytes();
            let frost_key = frost_key_package(*id, &share.to_bytes(), &public, &key, self.threshold).unwrap();
            let share = (door.sign)(&frost_package, nonces, &frost_key, root).unwrap();
            assert_eq!(share.serialize(), shares[id].to_bytes());
            frost_shares.insert(frost_identifier(*id).unwrap(), share);
        }
        let verifying_shares =
            self.group.verifying_shares.iter().map(|(id, element)| (*id, (*element + public_offset).to_bytes()));
        let verifying_shares = verifying_shares.collect();
        let public = frost_public_key_package(&verifying_shares, &key, self.threshold).unwrap();
        let frost_signature = (door.aggregate)(&frost_package, &frost_shares, &public, root).unwrap();
        assert_eq!(frost_signature.serialize().unwrap(), signature.as_bytes());

        let verifying_key = GroupKey::new::<C>(&child).verifying_key(self.root.as_ref());
        assert_eq!(verifying_key, package.verifying_key());
        verifying_key.verify(&self.message, &signature).unwrap();
        let group_key = self.group.key.to_bytes();
        [group_key, key, output_key::<C>(&child, self.root), package.group_commitment().to_bytes()]
    }
}

/// The output key before it is made even.
fn output_key<C: Ciphersuite>(key: &C::Element, root: Option<[u8; 32]>) -> Vec<u8> {
    let adjusted = C::adjust(key, &key.to_bytes(), root.as_ref());
    // The factor is 1 for an even key and -1 for an odd one, once more negated for an odd output key.
    let odd_key = key.to_bytes()[0] == 3;
    let odd_output = (adjusted.factor == -C::Scalar::ONE) != odd_key;
    if odd_output { (-adjusted.key).to_bytes() } else { adjusted.key.to_bytes() }
}

fn copy<C: Ciphersuite, F: Frost>(nonces: &Nonces<C>) -> SigningNonces<F> {
    let nonce = |scalar: &Secret<C::Scalar>| Nonce::deserialize(&scalar.expose().to_bytes()).unwrap();
    SigningNonces::from_nonces(nonce(&nonces.hiding), nonce(&nonces.binding))
}

fn plain<F: Frost>() -> Door<F> {
    Door {
        sign: |package, nonces, key, _| frost_core::round2::sign(package, nonces, key),
        aggregate: |package, shares, public, _| frost_core::aggregate(package, shares, public),
    }
}

#[test]
fn ed25519_shares_and_signatures_are_those_of_frost() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let door = plain::<frost_ed25519::Ed25519Sha512>();
    for _ in 0..12 {
        Case::<Ed25519>::random(&mut rng).compare(&door, &mut rng);
    }
}

#[test]
fn secp256k1_shares_and_signatures_are_those_of_frost() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let door = plain::<frost_secp256k1::Secp256K1Sha256>();
    for _ in 0..12 {
        Case::<Secp256k1>::random(&mut rng).compare(&door, &mut rng);
    }
}

#[test]
fn taproot_shares_and_signatures_are_those_of_frost_for_every_parity() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let door =
        Door { sign: frost_secp256k1_tr::round2::sign_with_tweak, aggregate: frost_secp256k1_tr::aggregate_with_tweak };
    let mut seen = BTreeSet::new();
    for _ in 0..320 {
        let case = Case::<Taproot>::random(&mut rng);
        let parities = case.compare(&door, &mut rng).map(|bytes| bytes[0]);
        seen.insert((parities, case.root.is_some(), case.offset != Scalar::ZERO));
    }
    // Of a child 16 parities of group key, internal key, output key and commitment; of the group's key itself 8.
    assert_eq!(seen.len(), 2 * (16 + 8), "each with and without a root");
}
