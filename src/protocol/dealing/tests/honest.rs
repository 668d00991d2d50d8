//! What comes out when nobody lies.

use frost_core::keys::{CoefficientCommitment, PublicKeyPackage, VerifiableSecretSharingCommitment};
use proptest::prelude::*;

use super::*;
use crate::suite::{Ed25519, Secp256k1, Taproot};

fn every_receiver_ends_with_a_share_of_one_key<C: Ciphersuite>() {
    for (threshold, n) in [(2, 2), (2, 3), (3, 5), (4, 6), (7, 7)] {
        let run = dkg::<C>(threshold, n, u64::from(n));
        let received = run.receive_all();
        let first = &received[&id(1)];
        let key = reconstruct(&received, usize::from(threshold));
        assert_eq!(C::Element::mul_base(&key), first.group_key);
        for (id, received) in &received {
            assert_eq!(received.group_key, first.group_key);
            assert_eq!(received.verifying_shares, first.verifying_shares);
            assert_eq!(C::Element::mul_base(received.share.expose()), first.verifying_shares[id]);
            assert!(received.payloads.iter().all(|(dealer, sent)| **sent == payload(*dealer)));
        }
        let fewer = reconstruct(&received, usize::from(threshold) - 1);
        assert_ne!(C::Element::mul_base(&fewer), first.group_key);
    }
}

fn a_refresh_keeps_the_key_and_changes_every_share<C: Ciphersuite>() {
    let old = dkg::<C>(2, 3, 1).receive_all();
    for dealers in [vec![1, 3], vec![1, 2, 3]] {
        let new = redeal(&old, &dealers, 2, &[1, 2, 3], 2).receive_all();
        assert_eq!(reconstruct(&new, 2), reconstruct(&old, 2));
        for (id, received) in &new {
            assert_eq!(received.group_key, old[id].group_key);
            assert_ne!(received.share.expose(), old[id].share.expose());
        }
        let mixed = [(id(1), &old[&id(1)]), (id(2), &new[&id(2)])];
        let set = mixed.iter().map(|(id, _)| *id).collect();
        let terms = mixed.iter().map(|(id, received)| lagrange::<C>(*id, &set) * *received.share.expose());
        assert_ne!(terms.fold(C::Scalar::ZERO, |sum, term| sum + term), reconstruct(&old, 2));
    }
}

fn a_reshare_keeps_the_key_for_other_receivers_and_another_threshold<C: Ciphersuite>() {
    let old = dkg::<C>(3, 4, 1).receive_all();
    let run = redeal(&old, &[1, 2, 4], 4, &[2, 5, 9, 10, 1000], 3);
    let new = run.receive_all();
    assert_eq!(reconstruct(&new, 4), reconstruct(&old, 3));
    assert!(new.values().all(|received| received.group_key == old[&id(1)].group_key));
    let again = redeal(&new, &[2, 5, 10, 1000], 2, &[7, 8], 4).receive_all();
    assert_eq!(reconstruct(&again, 2), reconstruct(&old, 3));
}

fn a_share_comes_back_from_the_run_key_and_public_data<C: Ciphersuite>() {
    let first = dkg::<C>(2, 3, 5);
    let second = redeal(&first.receive_all(), &[1, 2], 3, &[1, 3, 4], 6);
    for run in [first, second] {
        for (id, key) in &run.receiver_keys {
            let bundle = run.bundle(id.get());
            let recovered = recover(key, &run.transcript(), &run.signatures(), &bundle).unwrap();
            let received = run.receive(id.get()).unwrap();
            assert_eq!(recovered.id, *id);
            assert_eq!(recovered.share.expose(), received.share.expose());
            assert_eq!(recovered.group_key, received.group_key);
            assert_eq!(recovered.verifying_shares, received.verifying_shares);
            assert_eq!(recovered.payloads, received.payloads);
        }
    }
}

fn a_deal_decodes_to_what_was_encoded<C: Ciphersuite>() {
    let run = dkg::<C>(2, 3, 1);
    for deal in run.deals.values() {
        let bytes = deal.encode();
        let decoded = Deal::<C>::decode(&bytes, 2, 3, PAYLOAD_LEN).unwrap();
        assert_eq!(decoded.encode(), bytes);
        assert_eq!(decoded.offer.commitment, deal.offer.commitment);
        assert_eq!(decoded.ciphertexts, deal.ciphertexts);
    }
}

fn a_proof_of_possession_is_bound_to_its_statement_and_to_its_use<C: Ciphersuite>() {
    let mut rng = rng(1);
    let (key, other) = (RunKey::<C>::generate(&mut rng), RunKey::<C>::generate(&mut rng));
    let proof = key.prove(b"plan", Hedge::Mixed(&[1; 32])).unwrap();
    assert!(RunKey::verify_possession(key.public(), b"plan", &proof));
    assert!(!RunKey::verify_possession(key.public(), b"plot", &proof));
    assert!(!RunKey::verify_possession(other.public(), b"plan", &proof));
    assert!(!verify_transcript_signature(key.public(), b"plan", &proof));
    assert_eq!(Proof::<C>::decode(&proof.encode()).unwrap().encode(), proof.encode());
}

fn randomness_changes_a_signature_and_its_absence_does_not<C: Ciphersuite>() {
    let key = RunKey::<C>::generate(&mut rng(1));
    let sign = |hedge| sign_transcript(&key, b"transcript", hedge).unwrap();
    assert_eq!(sign(Hedge::Deterministic).encode(), sign(Hedge::Deterministic).encode());
    assert_ne!(sign(Hedge::Deterministic).encode(), sign(Hedge::Mixed(&[0; 32])).encode());
    assert_ne!(sign(Hedge::Mixed(&[1; 32])).encode(), sign(Hedge::Mixed(&[0; 32])).encode());
    assert!(verify_transcript_signature(key.public(), b"transcript", &sign(Hedge::Mixed(&[1; 32]))));
}

fn a_run_key_comes_back_from_its_bytes_and_only_from_those<C: Ciphersuite>() {
    let key = RunKey::<C>::generate(&mut rng(1));
    assert_eq!(RunKey::<C>::from_secret_bytes(&key.secret_bytes()).unwrap().public(), key.public());
    assert!(RunKey::<C>::from_secret_bytes(&[0; 32]).is_none());
    assert!(RunKey::<C>::from_secret_bytes(&[0xff; 32]).is_none());
    assert!(!format!("{key:?}").contains("secret"));
}

in_every_suite!(
    every_receiver_ends_with_a_share_of_one_key,
    a_refresh_keeps_the_key_and_changes_every_share,
    a_reshare_keeps_the_key_for_other_receivers_and_another_threshold,
    a_share_comes_back_from_the_run_key_and_public_data,
    a_deal_decodes_to_what_was_encoded,
    a_proof_of_possession_is_bound_to_its_statement_and_to_its_use,
    randomness_changes_a_signature_and_its_absence_does_not,
    a_run_key_comes_back_from_its_bytes_and_only_from_those,
);

/// frost-core computes the same public keys from the commitments of these runs, in which everybody deals to everybody.
fn frost_agrees<C: Ciphersuite, F: frost_core::Ciphersuite>() {
    for (threshold, n) in [(2, 3), (3, 5), (5, 7)] {
        let run = dkg::<C>(threshold, n, 40 + u64::from(n));
        let all: Vec<_> = (1..=n).collect();
        let refresh = redeal(&run.receive_all(), &all, threshold, &all, 50);
        for run in [run, refresh] {
            let ours = &run.receive_all()[&id(1)];
            let mut commitments = BTreeMap::new();
            for (dealer, deal) in &run.deals {
                let points = deal.offer.commitment.iter();
                let points = points.map(|point| CoefficientCommitment::<F>::deserialize(&point.to_bytes()).unwrap());
                let commitment = VerifiableSecretSharingCommitment::new(points.collect());
                commitments.insert(frost_core::Identifier::<F>::try_from(dealer.get()).unwrap(), commitment);
            }
            let by_reference = commitments.iter().map(|(id, commitment)| (*id, commitment)).collect();
            let theirs = PublicKeyPackage::from_dkg_commitments(&by_reference).unwrap();
            assert_eq!(theirs.verifying_key().serialize().unwrap(), ours.group_key.to_bytes());
            assert_eq!(theirs.verifying_shares().len(), usize::from(n));
            for (id, share) in &ours.verifying_shares {
                let id = frost_core::Identifier::<F>::try_from(id.get()).unwrap();
                assert_eq!(theirs.verifying_shares()[&id].serialize().unwrap(), share.to_bytes());
            }
        }
    }
}

#[test]
fn frost_computes_the_same_public_keys_from_the_same_commitments() {
    frost_agrees::<Ed25519, frost_ed25519::Ed25519Sha512>();
    frost_agrees::<Secp256k1, frost_secp256k1::Secp256K1Sha256>();
    frost_agrees::<Taproot, frost_secp256k1_tr::Secp256K1Sha256TR>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_group_of_up_to_seven_gets_a_key_and_passes_it_on(
        (n, threshold) in (2..=7_u16).prop_flat_map(|n| (Just(n), 2..=n)),
        receivers in proptest::collection::btree_set(1..=1000_u16, 2..=7),
        seed: u64,
    ) {
        let old = dkg::<Secp256k1>(threshold, n, seed).receive_all();
        let dealers: Vec<_> = (1..=threshold).collect();
        let receivers: Vec<_> = receivers.into_iter().collect();
        let new = redeal(&old, &dealers, 2, &receivers, seed ^ 1).receive_all();
        prop_assert_eq!(reconstruct(&new, 2), reconstruct(&old, usize::from(threshold)));
    }

    #[test]
    fn a_changed_byte_of_a_deal_never_goes_unseen(position: proptest::sample::Index, bit in 0..8_u8, seed: u64) {
        let mut run = dkg::<Ed25519>(2, 3, seed);
        let mut bytes = run.deals[&id(1)].encode();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        if let Ok(changed) = Deal::<Ed25519>::decode(&bytes, 2, 3, PAYLOAD_LEN) {
            run.deals.insert(id(1), changed);
            prop_assert!(run.check(1).is_err() || (1..=3).any(|receiver| run.open(receiver, 1).is_err()));
        }
    }
}
