//! Who is guilty, judged by somebody who was not there.

use super::*;

const GOOD: &[u8] = b"payload of \x00\x01";

impl<C: Ciphersuite> Run<C> {
    fn accuse(&self, receiver: u16, dealer: u16) -> Opening<C> {
        let (receiver, dealer) = (id(receiver), id(dealer));
        let key = &self.receiver_keys[&receiver];
        accuse(&self.ceremony, receiver, key, dealer, &self.deals[&dealer], &mut rng(77)).unwrap()
    }

    fn judge(&self, dealer: u16, receiver: u16, opening: &Opening<C>) -> Verdict {
        let (receiver, dealer) = (id(receiver), id(dealer));
        let good = |payload: &[u8]| payload == GOOD;
        judge(&self.ceremony, dealer, receiver, &self.deals[&dealer], opening, good).unwrap()
    }
}

const fn guilty(misdeal: Misdeal) -> Verdict {
    Verdict::DealerGuilty(Fault::Misdeal(misdeal))
}

fn runs<C: Ciphersuite>() -> [Run<C>; 2] {
    let fresh = dkg::<C>(2, 3, 1);
    let renewed = redeal(&fresh.receive_all(), &[1, 2], 2, &[2, 3, 7], 2);
    [fresh, renewed]
}

fn a_good_deal_makes_its_accuser_guilty<C: Ciphersuite>() {
    for run in runs::<C>() {
        assert_eq!(run.judge(1, 2, &run.accuse(2, 1)), Verdict::AccuserGuilty);
        assert_eq!(run.judge(1, 3, &run.accuse(3, 1)), Verdict::AccuserGuilty);
    }
}

fn every_lie_of_a_dealer_is_proven<C: Ciphersuite>() {
    for honest in runs::<C>() {
        let share = honest.open(2, 1).unwrap().share;
        let good = share.expose().to_bytes();
        let wrong = (*share.expose() + C::Scalar::ONE).to_bytes();
        let lies = [
            ([wrong.as_slice(), GOOD].concat(), guilty(Misdeal::Share)),
            ([[0xff; 32].as_slice(), GOOD].concat(), guilty(Misdeal::NonCanonical)),
            (good[..31].to_vec(), guilty(Misdeal::NonCanonical)),
            ([good.as_slice(), b"something else"].concat(), Verdict::DealerGuilty(Fault::Payload)),
            ([good.as_slice(), GOOD].concat(), Verdict::AccuserGuilty),
        ];
        let mut run = honest;
        for (plaintext, verdict) in lies {
            run.reseal(1, 2, &plaintext);
            assert_eq!(run.judge(1, 2, &run.accuse(2, 1)), verdict);
        }
        let place = run.place(2);
        run.change(1, |deal| deal.ciphertexts[place][0] ^= 1);
        assert_eq!(run.judge(1, 2, &run.accuse(2, 1)), guilty(Misdeal::Decryption));
        assert_eq!(run.judge(1, 3, &run.accuse(3, 1)), Verdict::AccuserGuilty);
    }
}

fn what_anybody_can_check_needs_no_opening<C: Ciphersuite>() {
    let mut run = dkg::<C>(2, 3, 1);
    let any = run.accuse(2, 1);
    run.change(1, |deal| deal.offer.commitment.push(C::Element::generator()));
    assert_eq!(run.judge(1, 2, &any), guilty(Misdeal::Length));
    run.change(1, |deal| deal.offer.commitment.truncate(2));
    run.change(1, |deal| deal.offer.commitment[1] = C::Element::generator());
    assert_eq!(run.judge(1, 2, &any), guilty(Misdeal::Proof));
}

/// A forged opening would show another plaintext, and so make an honest dealer guilty.
fn a_forged_opening_makes_the_accuser_guilty<C: Ciphersuite>() {
    for run in runs::<C>() {
        let honest = run.accuse(2, 1);
        let bytes = honest.encode();
        assert_eq!(Opening::<C>::decode(&bytes).unwrap().encode(), bytes);
        assert_eq!(bytes.len(), 2 * C::Element::LEN + 64);
        let point = C::Element::LEN;
        let generator = C::Element::generator().to_bytes();
        let double = (C::Element::generator() + C::Element::generator()).to_bytes();
        for (range, other) in [(0..point, &generator), (point..2 * point, &double)] {
            let mut forged = bytes.clone();
            forged[range].copy_from_slice(other);
            assert_eq!(run.judge(1, 2, &Opening::decode(&forged).unwrap()), Verdict::AccuserGuilty);
        }
        let swapped = [&bytes[point..2 * point], &bytes[..point], &bytes[2 * point..]].concat();
        assert_eq!(run.judge(1, 2, &Opening::decode(&swapped).unwrap()), Verdict::AccuserGuilty);
        for position in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[position] ^= 1;
            if let Ok(opening) = Opening::<C>::decode(&forged) {
                assert_eq!(run.judge(1, 2, &opening), Verdict::AccuserGuilty, "byte {position}");
            }
        }
    }
}

fn an_opening_counts_for_one_receiver_dealer_and_context<C: Ciphersuite>() {
    let mut run = dkg::<C>(2, 3, 1);
    let members = run.ceremony.dealers().to_vec();
    let elsewhere = Ceremony::new(b"elsewhere".to_vec(), 2, members.clone(), members, None).unwrap();
    let key = &run.receiver_keys[&id(2)];
    let from_elsewhere = accuse(&elsewhere, id(2), key, id(1), &run.deals[&id(1)], &mut rng(5)).unwrap();
    let of_another_receiver = run.accuse(3, 1);
    let of_another_dealer = run.accuse(2, 3);
    let good = run.accuse(2, 1);
    // The dealer did lie; and yet nobody but the receiver, by this run's evidence, can show it.
    run.change(1, |deal| deal.ciphertexts[1][0] ^= 1);
    assert_eq!(run.judge(1, 2, &good), guilty(Misdeal::Decryption));
    for opening in [from_elsewhere, of_another_receiver, of_another_dealer] {
        assert_eq!(run.judge(1, 2, &opening), Verdict::AccuserGuilty);
    }
}

fn an_opening_of_another_length_or_with_bad_points_is_refused<C: Ciphersuite>() {
    let bytes = dkg::<C>(2, 3, 1).accuse(2, 1).encode();
    for len in 0..bytes.len() {
        assert!(Opening::<C>::decode(&bytes[..len]).is_err());
    }
    assert!(Opening::<C>::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    let point = C::Element::LEN;
    for range in [0..point, point..2 * point] {
        let mut changed = bytes.clone();
        changed[range].fill(0);
        assert!(Opening::<C>::decode(&changed).is_err());
    }
    for start in [2 * point, 2 * point + 32] {
        let mut changed = bytes.clone();
        changed[start..start + 32].fill(0xff);
        assert!(Opening::<C>::decode(&changed).is_err());
    }
}

fn nobody_outside_the_ceremony_accuses_or_is_accused<C: Ciphersuite>() {
    let run = dkg::<C>(2, 3, 1);
    let (deal, opening) = (&run.deals[&id(1)], run.accuse(2, 1));
    let judge = |dealer, receiver| judge(&run.ceremony, id(dealer), id(receiver), deal, &opening, |_| true);
    assert_eq!(judge(4, 2), Err(DealingError::NotAMember(id(4))));
    assert_eq!(judge(1, 5), Err(DealingError::NotAMember(id(5))));
    let key = &run.receiver_keys[&id(3)];
    let with_another_key = accuse(&run.ceremony, id(2), key, id(1), deal, &mut rng(1));
    assert_eq!(with_another_key.map(|_| ()), Err(DealingError::RunKey));
}

in_every_suite!(
    a_good_deal_makes_its_accuser_guilty,
    every_lie_of_a_dealer_is_proven,
    what_anybody_can_check_needs_no_opening,
    a_forged_opening_makes_the_accuser_guilty,
    an_opening_counts_for_one_receiver_dealer_and_context,
    an_opening_of_another_length_or_with_bad_points_is_refused,
    nobody_outside_the_ceremony_accuses_or_is_accused,
);
