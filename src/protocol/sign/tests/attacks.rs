//! What a cheater, a broken store or a careless caller can do, and what comes of it.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::protocol::polynomial::lagrange;
use crate::suite::{Ed25519, GroupKey, Secp256k1, Taproot};
use crate::wire::{Derivation, Party, SignPlan};

/// Runs a generic check over every suite.
macro_rules! for_every_suite {
    ($($name:ident => $check:ident;)*) => {$(
        #[test]
        fn $name() {
            $check::<Ed25519>();
            $check::<Secp256k1>();
            $check::<Taproot>();
        }
    )*};
}

for_every_suite! {
    all_cheaters_are_named_and_nobody_else => name_culprits;
    a_path_is_applied_before_the_tweak => derive;
    nonces_sign_for_their_own_commitments_only => other_commitments;
    a_missing_or_unexpected_share_is_not_blamed_as_wrong => missing_and_unexpected;
    too_few_signers_make_no_signature_and_no_culprit => too_few;
    a_package_that_cancels_out_is_refused => cancel;
    encodings_are_strict => encodings;
    three_signatures_with_one_pair_of_nonces_give_the_share_away => reuse;
    debug_shows_no_nonce => debug;
}

fn group<C: Ciphersuite>(rng: &mut ChaCha20Rng) -> Group<C> {
    Group::random(3, &[1, 2, 3, 4, 1000], rng)
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(5)
}

fn name_culprits<C: Ciphersuite>() {
    let (mut rng, one) = (rng(), C::Scalar::ONE.to_bytes());
    // Taproot's parities differ from group to group.
    for _ in 0..8 {
        let group = group::<C>(&mut rng);
        let (nonces, commitments) = group.round_one(&[1, 3, 4, 1000], &mut rng);
        let package = SigningPackage::new(b"m".to_vec(), commitments, &Target::new(group.key)).unwrap();
        let mut shares = group.round_two(&package, nonces);
        assert!(aggregate(&package, &shares, &group.verifying_shares).is_ok());

        // One that is another's, one that is made up.
        let stolen = shares[&id(1)];
        shares.insert(id(3), stolen);
        shares.insert(id(1000), SignatureShare::from_bytes(&one).unwrap());
        let error = aggregate(&package, &shares, &group.verifying_shares).unwrap_err();
        assert_eq!(error, AggregateError::Culprits(ids(&[3, 1000])));
        assert!(!verify_share(&package, id(2), &stolen, &group.verifying_shares[&id(2)]), "not a signer");
    }
}

fn derive<C: Ciphersuite>() {
    let mut rng = rng();
    let roots = if C::verifier_key(&C::Element::generator().to_bytes()).len() == C::Element::LEN { 1 } else { 2 };
    for round in 0..16 {
        let group = group::<C>(&mut rng);
        let root = (round % roots == 1).then_some([7; 32]);
        let target = Target { offset: Scalar::random(&mut rng), root, ..Target::new(group.key) };
        let (nonces, commitments) = group.round_one(&[2, 3, 4], &mut rng);
        let package = SigningPackage::new(b"m".to_vec(), commitments, &target).unwrap();
        let shares = group.round_two(&package, nonces);
        for (id, share) in &shares {
            assert!(verify_share(&package, *id, share, &group.verifying_shares[id]));
        }
        let signature = aggregate(&package, &shares, &group.verifying_shares).unwrap();
        let child = GroupKey::new::<C>(&(group.key + C::Element::mul_base(&target.offset)));
        assert_eq!(target.verifying_key(), child.verifying_key(root.as_ref()));
        child.verifying_key(root.as_ref()).verify(b"m", &signature).unwrap();
        assert!(GroupKey::new::<C>(&group.key).verifying_key(root.as_ref()).verify(b"m", &signature).is_err());
    }
}

#[test]
fn the_bitcoin_crate_verifies_taproot_signatures() {
    let (mut rng, secp) = (rng(), bitcoin::secp256k1::Secp256k1::verification_only());
    for round in 0..16_u8 {
        let group = group::<Taproot>(&mut rng);
        let target = Target { root: (round < 8).then_some([round; 32]), ..Target::new(group.key) };
        let (nonces, commitments) = group.round_one(&[1, 2, 4], &mut rng);
        let package = SigningPackage::new(vec![round; 32], commitments, &target).unwrap();
        let signature = aggregate(&package, &group.round_two(&package, nonces), &group.verifying_shares).unwrap();
        let key = bitcoin::secp256k1::XOnlyPublicKey::from_slice(target.verifying_key().as_bytes()).unwrap();
        let signature = bitcoin::secp256k1::schnorr::Signature::from_slice(signature.as_bytes()).unwrap();
        let message = bitcoin::secp256k1::Message::from_digest([round; 32]);
        secp.verify_schnorr(&signature, &message, &key).unwrap();
    }
}

fn other_commitments<C: Ciphersuite>() {
    let mut rng = rng();
    let group = group::<C>(&mut rng);
    let (_, commitments) = group.round_one(&[1, 2, 3], &mut rng);
    let package = SigningPackage::new(vec![], commitments, &Target::new(group.key)).unwrap();
    let nonces = Nonces::generate(&group.share(id(1)), &mut rng);
    assert_eq!(sign(&package, nonces, &group.share(id(1)), id(1)), Err(SignError::OtherCommitments));
    let nonces = Nonces::generate(&group.share(id(4)), &mut rng);
    assert_eq!(sign(&package, nonces, &group.share(id(4)), id(4)), Err(SignError::NotASigner));
}

fn missing_and_unexpected<C: Ciphersuite>() {
    let mut rng = rng();
    let group = group::<C>(&mut rng);
    let (nonces, commitments) = group.round_one(&[1, 2, 3], &mut rng);
    let package = SigningPackage::new(vec![], commitments, &Target::new(group.key)).unwrap();
    let mut shares = group.round_two(&package, nonces);
    let mut verifying_shares = group.verifying_shares.clone();
    verifying_shares.remove(&id(1));
    let error = aggregate(&package, &shares, &verifying_shares).unwrap_err();
    assert_eq!(error, AggregateError::Missing(ids(&[1])));
    let own = shares.remove(&id(2)).unwrap();
    let error = aggregate(&package, &shares, &group.verifying_shares).unwrap_err();
    assert_eq!(error, AggregateError::Missing(ids(&[2])));
    shares.insert(id(4), own);
    let error = aggregate(&package, &shares, &group.verifying_shares).unwrap_err();
    assert_eq!(error, AggregateError::Unexpected(ids(&[4])));
}

fn too_few<C: Ciphersuite>() {
    let mut rng = rng();
    let group = group::<C>(&mut rng);
    let (nonces, commitments) = group.round_one(&[1, 2], &mut rng);
    let package = SigningPackage::new(vec![], commitments, &Target::new(group.key)).unwrap();
    let shares = group.round_two(&package, nonces);
    let error = aggregate(&package, &shares, &group.verifying_shares).unwrap_err();
    assert_eq!(error, AggregateError::Unattributed);
}

fn cancel<C: Ciphersuite>() {
    let target = Target::<C>::new(C::Element::generator());
    let error = SigningPackage::new(vec![], BTreeMap::new(), &target).unwrap_err();
    assert_eq!(error, PackageError::Empty);
    let nothing = Commitments::new(C::Element::IDENTITY, C::Element::IDENTITY);
    let error = SigningPackage::new(vec![], [(id(1), nothing)].into(), &target).unwrap_err();
    assert_eq!(error, PackageError::Identity);
    assert_eq!(Commitments::<C>::from_bytes(nothing.as_bytes()), None);
}

fn encodings<C: Ciphersuite>() {
    let mut rng = rng();
    let nonces = Nonces::<C>::generate(&Secret::new(C::Scalar::ONE), &mut rng);
    let bytes = nonces.commitments().as_bytes().to_vec();
    assert_eq!(bytes.len(), Commitments::<C>::LEN);
    assert_eq!(Commitments::from_bytes(&bytes), Some(*nonces.commitments()));
    let share = (-C::Scalar::ONE).to_bytes();
    assert!(SignatureShare::<C>::from_bytes(&share).is_some());
    for bad in [&[0xff; 32][..], &[], &share[1..], &[share.as_slice(), &[0]].concat()] {
        assert!(SignatureShare::<C>::from_bytes(bad).is_none());
    }
    for cut in 0..bytes.len() {
        assert!(Commitments::<C>::from_bytes(&bytes[..cut]).is_none());
    }
    assert!(Commitments::<C>::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_none());
}

/// Why nonces are consumed: each share is one linear equation in hiding nonce, binding nonce and share, with public
/// coefficients, and three of them have one solution. Only a door for tests makes the second copy of a nonce.
fn reuse<C: Ciphersuite>() {
    let mut rng = rng();
    let group = group::<C>(&mut rng);
    let (victim, signers) = (id(2), [1, 2, 3]);
    let (_, mut commitments) = group.round_one(&signers, &mut rng);
    let [hiding, binding]: [C::Scalar; 2] = [Scalar::random(&mut rng), Scalar::random(&mut rng)];
    let copy = || Nonces::<C>::from_scalars(Secret::new(hiding), Secret::new(binding));
    commitments.insert(victim, *copy().commitments());

    let rows = [b"one", b"two", b"six"].map(|message| {
        let target = Target::new(group.key);
        let package = SigningPackage::new(message.to_vec(), commitments.clone(), &target).unwrap();
        let share = sign(&package, copy(), &group.share(victim), victim).unwrap();
        let sign = if package.negates_nonces() { -C::Scalar::ONE } else { C::Scalar::ONE };
        let (factor, addend) = (package.adjustment().factor, package.adjustment().addend);
        let weight = package.weight(victim);
        let rest = *share.scalar() - weight * addend;
        [sign, sign * *package.of(victim).unwrap().1, weight * factor, rest]
    });
    // Cramer's rule for the third unknown
    let determinant = |third: usize| {
        let [a, b, c] = rows;
        a[0] * (b[1] * c[third] - b[third] * c[1]) - a[1] * (b[0] * c[third] - b[third] * c[0])
            + a[third] * (b[0] * c[1] - b[1] * c[0])
    };
    let stolen = determinant(3) * determinant(2).vartime_invert().unwrap();
    assert!(stolen == *group.share(victim).expose());
    assert_eq!(C::Element::mul_base(&stolen), group.verifying_shares[&victim]);
    assert!(lagrange::<C>(victim, &ids(&signers)) != C::Scalar::ZERO);
}

fn debug<C: Ciphersuite>() {
    let nonces = Nonces::<C>::generate(&Secret::new(C::Scalar::ONE), &mut rng());
    assert_eq!(format!("{nonces:?}"), "Nonces(..)");
    assert_eq!(format!("{:?}", nonces.combine(&C::Scalar::ONE)), "Zeroizing { .. }");
}

/// Who has the chain code finds no path to it; a coordinator has none, and asks only this.
#[test]
fn an_offset_makes_no_key_of_a_suite_without_children() {
    let epoch = crate::protocol::revision::tests::epoch();
    let party = Party {
        suite: epoch.suite(),
        key: epoch.key,
        epoch: epoch.id,
        roster: epoch.roster_hash,
        purpose: epoch.template().purpose.clone(),
        signers: epoch.roster().identifiers().collect(),
    };
    let plan = SignPlan { party, derivation: Derivation::default(), offset: None, prepared: None, message: vec![] };
    assert!(verifying_key(&plan, &epoch).is_some());
    assert!(verifying_key(&SignPlan { offset: Some([1; 32]), ..plan }, &epoch).is_none());
}
