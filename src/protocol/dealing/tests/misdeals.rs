//! Dealers that lie, each found out by the check that is there for it.

use super::*;
use crate::wire::DecodeError;

fn misdeal<T: core::fmt::Debug>(result: Result<T, DealingError>, dealer: u16, expected: Misdeal) {
    match result {
        Err(DealingError::Misdeal(who, misdeal)) => assert_eq!((who, misdeal), (id(dealer), expected)),
        other => panic!("{other:?}"),
    }
}

fn a_polynomial_of_another_degree_is_a_wrong_length<C: Ciphersuite>() {
    let fresh = dkg::<C>(3, 4, 1);
    let renewed = redeal(&fresh.receive_all(), &[1, 2, 3], 3, &[1, 2, 3, 4], 2);
    for mut run in [fresh, renewed] {
        let honest = run.deals[&id(2)].clone();
        for points in [0, 1, 2, 4, 5] {
            run.change(2, |deal| deal.offer.commitment.resize(points, C::Element::generator()));
            misdeal(run.check(2), 2, Misdeal::Length);
            misdeal(group_keys(&run.ceremony, &offers(&run.deals)), 2, Misdeal::Length);
            assert_eq!(transcript(&run.ceremony, &run.deals, &[]), Err(DealingError::Dealers));
            let decoded = Deal::<C>::decode(&run.deals[&id(2)].encode(), 3, 4, PAYLOAD_LEN);
            assert_eq!(decoded.map(|_| ()), Err(DecodeError::Invalid("commitment length")));
            run.deals.insert(id(2), honest.clone());
        }
    }
}

fn a_prolonged_polynomial_with_a_good_proof_is_a_wrong_length<C: Ciphersuite>() {
    // The same members at a higher threshold: all is right about its deals but their degree.
    let low = dkg::<C>(2, 4, 1);
    let ceremony = &low.ceremony;
    let members = ceremony.dealers().to_vec();
    let high = Ceremony::new(ceremony.context().to_vec(), 3, members.clone(), members, None).unwrap();
    let key = &low.dealer_keys[&id(1)];
    let dealt = deal(&high, id(1), key, None, &payload(id(1)), &mut rng(9), Hedge::Deterministic).unwrap();
    assert_eq!(check(&high, id(1), &dealt), Ok(()));
    misdeal(check(ceremony, id(1), &dealt), 1, Misdeal::Length);
}

fn a_missing_or_additional_ciphertext_is_a_wrong_length<C: Ciphersuite>() {
    let mut run = dkg::<C>(2, 3, 1);
    run.change(1, |deal| _ = deal.ciphertexts.pop());
    misdeal(run.check(1), 1, Misdeal::Length);
    misdeal(run.open(3, 1), 1, Misdeal::Length);
    run.change(2, |deal| deal.ciphertexts.push(vec![0; 61]));
    misdeal(run.check(2), 2, Misdeal::Length);
}

/// A renewal by dealers 1 and 2, each of which deals, with a good proof, another constant than the agreed one.
fn with_shifted_constants<C: Ciphersuite>() -> Run<C> {
    let old = dkg::<C>(2, 3, 1).receive_all();
    let mut run = redeal(&old, &[1, 2], 2, &[1, 2, 3], 2);
    // Dealers 1 and 2 agree to shift the key from one to the other: the sum stays, and yet both are found.
    let members = members(&run.dealer_keys);
    let shifted: BTreeMap<_, _> = run.deals.iter().map(|(id, deal)| (*id, deal.offer.commitment[0])).collect();
    let one = C::Element::generator();
    let shifted = [(id(1), shifted[&id(1)] + one), (id(2), shifted[&id(2)] - one)].into();
    let context = run.ceremony.context().to_vec();
    let other = Ceremony::new(context, 2, members, run.ceremony.receivers().to_vec(), Some(shifted)).unwrap();
    let set = run.dealer_keys.keys().copied().collect();
    for (number, shift) in [(1, C::Scalar::ONE), (2, -C::Scalar::ONE)] {
        let constant = lagrange::<C>(id(number), &set) * *old[&id(number)].share.expose() + shift;
        let key = &run.dealer_keys[&id(number)];
        let constant = Some(Secret::new(constant));
        let told = payload(id(number));
        let dealt = deal(&other, id(number), key, constant, &told, &mut rng(3), Hedge::Deterministic).unwrap();
        run.deals.insert(id(number), dealt);
    }
    run
}

fn another_constant_term_than_the_agreed_one_is_found_by_all<C: Ciphersuite>() {
    let run = with_shifted_constants::<C>();
    for number in [1, 2] {
        misdeal(run.check(number), number, Misdeal::Constant);
    }
}

/// Whether all deals of a run are good, read and checked as one.
fn are_good<C: Ciphersuite>(run: &Run<C>) -> bool {
    let bytes: Vec<_> = run.deals.iter().map(|(dealer, deal)| (*dealer, deal.encode())).collect();
    let messages = bytes.iter().map(|(dealer, bytes)| (*dealer, bytes.as_slice()));
    Gathered::read(&run.ceremony, messages, PAYLOAD_LEN).expect("the points are good").are_good(&run.ceremony)
}

fn another_constant_term_than_the_agreed_one_is_found_among_all_deals<C: Ciphersuite>() {
    let old = dkg::<C>(2, 3, 1).receive_all();
    assert!(are_good(&redeal(&old, &[1, 2], 2, &[1, 2, 3], 2)));
    assert!(!are_good(&with_shifted_constants::<C>()));
}

/// What was dealt by the same members with the same keys, but elsewhere.
fn dealt_elsewhere<C: Ciphersuite>(run: &Run<C>, dealer: u16) -> Deal<C> {
    let members = run.ceremony.dealers().to_vec();
    let ceremony = Ceremony::new(b"elsewhere".to_vec(), 2, members.clone(), members, None).unwrap();
    let (dealer, key) = (id(dealer), &run.dealer_keys[&id(dealer)]);
    deal(&ceremony, dealer, key, None, &payload(dealer), &mut rng(4), Hedge::Deterministic).unwrap()
}

fn a_proof_of_another_ceremony_is_found_among_all_deals<C: Ciphersuite>() {
    let mut run = dkg::<C>(2, 3, 1);
    assert!(are_good(&run));
    let elsewhere = dealt_elsewhere(&run, 1);
    run.change(1, |deal| *deal = elsewhere);
    assert!(!are_good(&run));
}

type Change<'a, C> = &'a dyn Fn(&mut Deal<C>);

fn a_proof_of_possession_counts_for_one_key_commitment_and_context<C: Ciphersuite>() {
    let honest = dkg::<C>(2, 3, 1);
    let same_keys_elsewhere = dealt_elsewhere(&honest, 1);
    let another = dkg::<C>(2, 3, 2).deals[&id(1)].clone();
    let changes: [Change<'_, C>; 6] = [
        &|deal| *deal = same_keys_elsewhere.clone(),
        &|deal| deal.offer.proof = another.offer.proof,
        &|deal| deal.offer.ephemeral = another.offer.ephemeral,
        &|deal| deal.offer.commitment[0] = another.offer.commitment[0],
        &|deal| deal.offer.commitment[1] = another.offer.commitment[1],
        // The rogue key: what cancels the others' constant terms, without knowing its logarithm.
        &|deal| {
            let others = honest.deals.values().skip(1).map(|deal| deal.offer.commitment[0]);
            deal.offer.commitment[0] = others.fold(C::Element::generator(), |sum, point| sum - point);
        },
    ];
    for change in changes {
        let mut run = dkg::<C>(2, 3, 1);
        run.change(1, change);
        misdeal(run.check(1), 1, Misdeal::Proof);
        assert_eq!(run.check(2), Ok(()));
    }
}

fn a_ciphertext_for_somebody_else_or_with_a_changed_byte_does_not_open<C: Ciphersuite>() {
    let len = 48 + PAYLOAD_LEN;
    let mut run = dkg::<C>(2, 3, 1);
    run.change(1, |deal| deal.ciphertexts.swap(0, 1));
    misdeal(run.open(1, 1), 1, Misdeal::Decryption);
    misdeal(run.open(2, 1), 1, Misdeal::Decryption);
    assert!(run.open(3, 1).is_ok());
    for position in 0..len {
        let mut run = dkg::<C>(2, 3, 1);
        run.change(3, |deal| deal.ciphertexts[1][position] ^= 1);
        misdeal(run.open(2, 3), 3, Misdeal::Decryption);
        assert_eq!(run.check(3), Ok(()), "the proof of possession does not cover ciphertexts");
        if position % 16 != 0 {
            continue;
        }
        run.change(3, |deal| deal.ciphertexts[1].truncate(position));
        misdeal(run.open(2, 3), 3, Misdeal::Decryption);
    }
}

fn a_sealed_lie_is_named_by_what_it_is<C: Ciphersuite>() {
    let mut run = dkg::<C>(2, 3, 1);
    let share = run.open(2, 1).unwrap().share;
    let good = share.expose().to_bytes();
    let wrong = (*share.expose() + C::Scalar::ONE).to_bytes();
    run.reseal(1, 2, &[good.as_slice(), b"other payload"].concat());
    assert_eq!(run.open(2, 1).unwrap().payload.as_slice(), b"other payload");
    run.reseal(1, 2, &[wrong.as_slice(), &payload(id(1))].concat());
    misdeal(run.receive(2), 1, Misdeal::Share);
    for bytes in [[0xff; 32].as_slice(), &good[..31], &[]] {
        run.reseal(1, 2, bytes);
        misdeal(run.open(2, 1), 1, Misdeal::NonCanonical);
    }
    misdeal(run.receive(2), 1, Misdeal::NonCanonical);
}

fn a_sum_over_other_dealers_than_the_agreed_ones_is_refused<C: Ciphersuite>() {
    let run = dkg::<C>(2, 3, 1);
    let opened = |dealers: &[u16]| -> Vec<_> {
        dealers.iter().map(|dealer| (id(*dealer), run.open(1, *dealer).unwrap())).collect()
    };
    let combine = |dealers: &[u16], deals| combine(&run.ceremony, id(1), opened(dealers), deals).map(|_| ());
    assert_eq!(combine(&[1, 2, 3], &run.deals), Ok(()));
    assert_eq!(combine(&[1, 2], &run.deals), Err(DealingError::Dealers));
    assert_eq!(combine(&[1, 2, 2], &run.deals), Err(DealingError::Dealers));
    assert_eq!(combine(&[1, 2, 3, 3], &run.deals), Err(DealingError::Dealers));
    let mut fewer = run.deals.clone();
    fewer.remove(&id(3));
    assert_eq!(combine(&[1, 2], &fewer), Err(DealingError::Dealers));
    let other = dkg::<C>(2, 3, 2).deals;
    assert_eq!(combine(&[1, 2, 3], &other), Err(DealingError::Misdeal(id(1), Misdeal::Share)));
    let foreign = combine_for_another(&run);
    assert_eq!(foreign, Err(DealingError::Inconsistent));
}

/// The first receiver's shares under the second's name.
fn combine_for_another<C: Ciphersuite>(run: &Run<C>) -> Result<(), DealingError> {
    let opened = (1..=3).map(|dealer| (id(dealer), run.open(1, dealer).unwrap())).collect();
    combine(&run.ceremony, id(2), opened, &run.deals).map(|_| ())
}

fn offers<C: Ciphersuite>(deals: &Deals<C>) -> BTreeMap<Identifier, &Offer<C>> {
    deals.iter().map(|(id, deal)| (*id, &deal.offer)).collect()
}

fn a_group_key_that_is_the_identity_is_refused<C: Ciphersuite>() {
    let mut run = dkg::<C>(2, 2, 1);
    let constant = run.deals[&id(1)].offer.commitment[0];
    run.change(2, |deal| deal.offer.commitment[0] = -constant);
    assert_eq!(group_keys(&run.ceremony, &offers(&run.deals)).map(|_| ()), Err(DealingError::IdentityKey));
}

fn a_group_key_other_than_the_kept_one_is_refused<C: Ciphersuite>() {
    let mut run = redeal(&dkg::<C>(2, 3, 1).receive_all(), &[1, 2], 2, &[1, 2], 2);
    run.change(2, |deal| deal.offer.commitment[0] = C::Element::generator());
    assert_eq!(group_keys(&run.ceremony, &offers(&run.deals)).map(|_| ()), Err(DealingError::Inconsistent));
}

fn bytes_that_are_no_deal_are_refused<C: Ciphersuite>() {
    let bytes = dkg::<C>(2, 3, 1).deals[&id(1)].encode();
    let decode = |bytes: &[u8]| Deal::<C>::decode(bytes, 2, 3, PAYLOAD_LEN).map(|_| ());
    assert_eq!(decode(&bytes), Ok(()));
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len]).is_err());
    }
    for more in [1, C::Element::LEN, 65_536] {
        assert!(decode(&[bytes.as_slice(), &vec![0; more]].concat()).is_err());
    }
    for (threshold, receivers, payload_len) in [(1, 3, 13), (3, 3, 13), (2, 2, 13), (2, 4, 13), (2, 3, 12), (2, 3, 14)]
    {
        assert!(Deal::<C>::decode(&bytes, threshold, receivers, payload_len).is_err());
    }
    assert_eq!(Deal::<C>::decode(&bytes, 2, 3, 65_489).map(|_| ()), Err(DecodeError::TooLong));
    assert!(Deal::<C>::decode(&bytes, 2, usize::MAX, 13).is_err());
    let invalid_at = |range: core::ops::Range<usize>, fill: u8| {
        let mut changed = bytes.clone();
        changed[range].fill(fill);
        decode(&changed)
    };
    let (point, proof) = (C::Element::LEN, Proof::<C>::LEN);
    let ephemeral = 2 * point + proof;
    for fill in [0, 0xff] {
        assert_eq!(invalid_at(0..point, fill), Err(DecodeError::Invalid("commitment")));
        assert_eq!(invalid_at(point..2 * point, fill), Err(DecodeError::Invalid("commitment")));
        assert_eq!(invalid_at(2 * point..3 * point, fill), Err(DecodeError::Invalid("proof of possession")));
        assert_eq!(invalid_at(ephemeral..ephemeral + point, fill), Err(DecodeError::Invalid("ephemeral key")));
    }
    // A response that is not below the order.
    assert_eq!(invalid_at(3 * point..ephemeral, 0xff), Err(DecodeError::Invalid("proof of possession")));
    let frame = ephemeral + point;
    assert_eq!(invalid_at(frame..frame + 8, 0xff), Err(DecodeError::TooLong));
    assert_eq!(invalid_at(frame..frame + 8, 0), Err(DecodeError::Invalid("ciphertext length")));
    // One byte moves from the second ciphertext to the first: the total is the same.
    let mut shifted = bytes.clone();
    let second = frame + 8 + 48 + PAYLOAD_LEN;
    shifted[frame + 7] += 1;
    shifted[second..=second + 8].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 60]);
    assert_eq!(decode(&shifted), Err(DecodeError::Invalid("ciphertext length")));
}

in_every_suite!(
    a_polynomial_of_another_degree_is_a_wrong_length,
    a_prolonged_polynomial_with_a_good_proof_is_a_wrong_length,
    a_missing_or_additional_ciphertext_is_a_wrong_length,
    another_constant_term_than_the_agreed_one_is_found_by_all,
    another_constant_term_than_the_agreed_one_is_found_among_all_deals,
    a_proof_of_another_ceremony_is_found_among_all_deals,
    a_proof_of_possession_counts_for_one_key_commitment_and_context,
    a_ciphertext_for_somebody_else_or_with_a_changed_byte_does_not_open,
    a_sealed_lie_is_named_by_what_it_is,
    a_sum_over_other_dealers_than_the_agreed_ones_is_refused,
    a_group_key_that_is_the_identity_is_refused,
    a_group_key_other_than_the_kept_one_is_refused,
    bytes_that_are_no_deal_are_refused,
);
