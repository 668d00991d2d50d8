//! The same keys, nonces and messages through frost 3.0.0 give the same bytes, and what is accepted here as a point or a
//! scalar is one there.

use std::collections::{BTreeMap, BTreeSet};

use frost_core::keys::{KeyPackage, PublicKeyPackage, VerifyingShare};
use frost_core::round1::{Nonce, SigningCommitments, SigningNonces};
use frost_core::round2::SignatureShare as FrostShare;
use frost_core::{Ciphersuite as Frost, Error, Signature as FrostSignature, SigningPackage as FrostPackage};

use super::{choice, one_of};
use crate::hazmat::{frost_identifier, frost_key_package, frost_public_key_package};
use crate::protocol::polynomial::evaluate;
use crate::protocol::sign::{Commitments, Nonces, SigningPackage, Target, aggregate, sign};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Ed25519, Element, Scalar, Secp256k1, Suite, Taproot};
use crate::wire::Identifier;

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

fn plain<F: Frost>() -> Door<F> {
    Door {
        sign: |package, nonces, key, _| frost_core::round2::sign(package, nonces, key),
        aggregate: |package, shares, public, _| frost_core::aggregate(package, shares, public),
    }
}

pub(super) fn frost(mut bytes: &[u8]) {
    let first = choice(&mut bytes);
    match one_of(&Suite::ALL, first >> 1) {
        Suite::Ed25519 => either::<Ed25519, _>(first, bytes, &plain::<frost_ed25519::Ed25519Sha512>()),
        Suite::Secp256k1 => either::<Secp256k1, _>(first, bytes, &plain::<frost_secp256k1::Secp256K1Sha256>()),
        Suite::Secp256k1Taproot => {
            let sign = frost_secp256k1_tr::round2::sign_with_tweak;
            either::<Taproot, _>(first, bytes, &Door { sign, aggregate: frost_secp256k1_tr::aggregate_with_tweak });
        }
    }
}

fn either<C: Ciphersuite, F: Frost>(first: u8, bytes: &[u8], door: &Door<F>) {
    if first & 1 == 0 { decode::<C, F>(bytes) } else { Case::<C>::read(bytes).compare(door) }
}

/// Strictness goes one way: what is refused there is refused here.
fn decode<C: Ciphersuite, F: Frost>(bytes: &[u8]) {
    if let Some(element) = C::Element::from_bytes(bytes) {
        let theirs = VerifyingShare::<F>::deserialize(bytes).and_then(|share| share.serialize());
        assert_eq!(theirs.expect("frost refuses an element"), element.to_bytes());
    }
    let ours = bytes.try_into().ok().and_then(C::Scalar::from_bytes).map(|scalar| scalar.to_bytes().to_vec());
    let theirs = FrostShare::<F>::deserialize(bytes).ok().map(|share| share.serialize());
    assert_eq!(ours, theirs);
}

/// A group, its signers, their nonces, a message, and perhaps the root of a script tree: all by the bytes.
struct Case<'a, C: Ciphersuite> {
    coefficients: Vec<C::Scalar>,
    members: BTreeSet<Identifier>,
    nonces: BTreeMap<Identifier, [C::Scalar; 2]>,
    root: Option<[u8; 32]>,
    message: &'a [u8],
}

impl<'a, C: Ciphersuite> Case<'a, C> {
    fn read(mut bytes: &'a [u8]) -> Self {
        let whole = bytes;
        // Scalars as a hash has them: never zero in a lifetime.
        let scalar = |kind: u8, number: u16| C::h3(&[&[kind], &number.to_be_bytes(), whole]);
        let threshold = 2 + choice(&mut bytes) % 4;
        let more = choice(&mut bytes) % 3;
        let mut members = BTreeSet::new();
        let mut last = 0_u16;
        for _ in 0..threshold + more {
            // Ascending, from 1 on, with gaps.
            last += 1 + u16::from(choice(&mut bytes)) % 150;
            members.extend(Identifier::new(last));
        }
        let root = (choice(&mut bytes) & 1 == 1).then(|| scalar(3, 0).to_bytes());
        let signers = members.iter().rev().take(usize::from(threshold));
        let nonces = signers.map(|id| (*id, [scalar(1, id.get()), scalar(2, id.get())])).collect();
        let coefficients = (0..u16::from(threshold)).map(|number| scalar(0, number)).collect();
        Self { coefficients, members, nonces, root, message: bytes }
    }

    fn share(&self, id: Identifier) -> Secret<C::Scalar> {
        Secret::new(evaluate(&self.coefficients, id))
    }

    fn nonces(&self, id: Identifier) -> Nonces<C> {
        let [hiding, binding] = self.nonces.get(&id).expect("a signer has nonces");
        Nonces::given(Secret::new(*hiding), Secret::new(*binding))
    }

    fn compare<F: Frost>(&self, door: &Door<F>) {
        let key = C::Element::mul_base(self.coefficients.first().expect("a threshold is at least 2"));
        let verifying_shares: BTreeMap<_, _> =
            self.members.iter().map(|id| (*id, C::Element::mul_base(self.share(*id).expose()))).collect();
        let commitments: BTreeMap<Identifier, Commitments<C>> =
            self.nonces.keys().map(|id| (*id, *self.nonces(*id).commitments())).collect();
        let target = Target { root: self.root, ..Target::new(key) };
        let package = SigningPackage::new(self.message.to_vec(), commitments, &target).expect("a package");
        let signed = |id: &Identifier| sign(&package, self.nonces(*id), &self.share(*id), *id).expect("a share");
        let shares: BTreeMap<_, _> = self.nonces.keys().map(|id| (*id, signed(id))).collect();
        let signature = aggregate(&package, &shares, &verifying_shares).expect("a signature");

        let encoded = verifying_shares.iter().map(|(id, share)| (*id, share.to_bytes())).collect();
        let frost = self.through(door, &encoded, &key.to_bytes()).expect("frost signs as well");
        for (id, share) in &frost.shares {
            assert_eq!(
                Some(share.as_slice()),
                shares.get(id).map(|share| share.to_bytes()).as_ref().map(<[u8; 32]>::as_slice)
            );
        }
        assert_eq!(frost.signature, signature.as_bytes());
    }

    fn through<F: Frost>(
        &self,
        door: &Door<F>,
        verifying_shares: &BTreeMap<Identifier, Vec<u8>>,
        key: &[u8],
    ) -> Result<Signed, Error<F>> {
        let threshold = u16::try_from(self.coefficients.len()).expect("a threshold below six");
        let root = self.root.as_ref().map(<[u8; 32]>::as_slice);
        let mut nonces = BTreeMap::new();
        for (id, [hiding, binding]) in &self.nonces {
            let nonce = |scalar: &C::Scalar| Nonce::deserialize(&scalar.to_bytes());
            nonces.insert(*id, SigningNonces::<F>::from_nonces(nonce(hiding)?, nonce(binding)?));
        }
        let commitments =
            nonces.iter().map(|(id, nonces)| Ok((frost_identifier(*id)?, SigningCommitments::from(nonces))));
        let package = FrostPackage::new(commitments.collect::<Result<_, Error<F>>>()?, self.message);
        let mut shares = BTreeMap::new();
        for (id, nonces) in &nonces {
            let public = verifying_shares.get(id).map_or(&[][..], Vec::as_slice);
            let key = frost_key_package(*id, &self.share(*id).expose().to_bytes(), public, key, threshold)?;
            shares.insert(*id, (door.sign)(&package, nonces, &key, root)?);
        }
        let public = frost_public_key_package(verifying_shares, key, threshold)?;
        let named = shares.iter().map(|(id, share)| Ok((frost_identifier(*id)?, *share)));
        let signature = (door.aggregate)(&package, &named.collect::<Result<_, Error<F>>>()?, &public, root)?;
        let shares = shares.into_iter().map(|(id, share)| (id, share.serialize())).collect();
        Ok(Signed { shares, signature: signature.serialize()? })
    }
}

/// What frost made.
struct Signed {
    shares: BTreeMap<Identifier, Vec<u8>>,
    signature: Vec<u8>,
}
