//! The record of a run: its bytes, the signatures on it, and recovery from it.

use super::*;
use crate::suite::{Ed25519, Secp256k1, Taproot};
use crate::wire::{DecodeError, MAX_COMMITMENTS};

fn runs<C: Ciphersuite>() -> [Run<C>; 2] {
    let fresh = dkg::<C>(2, 3, 1);
    let renewed = redeal(&fresh.receive_all(), &[1, 3], 3, &[2, 3, 7, 300], 2);
    [fresh, renewed]
}

fn a_transcript_says_what_it_was_made_from<C: Ciphersuite>() {
    for run in runs::<C>() {
        let bytes = run.transcript();
        let parsed = ParsedTranscript::<C>::parse(&bytes).unwrap();
        assert_eq!(parsed.ceremony, run.ceremony);
        assert_eq!(parsed.extension, b"extension");
        let received = &run.receive_all()[&id(3)];
        let public = parsed.group_keys().unwrap();
        assert_eq!(public.group_key, received.group_key);
        assert_eq!(public.verifying_shares, received.verifying_shares);
        let deals: Deals<C> =
            parsed.offers().map(|(id, offer)| (id, Deal { offer, ciphertexts: Vec::new() })).collect();
        assert_eq!(transcript(&parsed.ceremony, &deals, b"extension").unwrap(), bytes);
    }
}

fn the_bytes_of_a_redealing_are_those_of_its_table<C: Ciphersuite>() {
    let [_, run] = runs::<C>();
    let constants = run.ceremony.constants().unwrap();
    let mut bytes = b"quorumkey/redealing/v1".to_vec();
    bytes.push(C::SUITE.code());
    bytes.extend([0, 0, 0, 18]);
    bytes.extend(b"redealing \0\0\0\0\0\0\0\x02");
    bytes.extend([0, 3]);
    bytes.extend([0, 2]);
    for number in [1, 3] {
        bytes.extend([0, u8::try_from(number).unwrap()]);
        bytes.extend(run.dealer_keys[&id(number)].public().to_bytes());
        bytes.extend(constants[&id(number)].to_bytes());
    }
    bytes.extend([0, 4]);
    for (number, encoded) in [(2, [0, 2]), (3, [0, 3]), (7, [0, 7]), (300, [1, 44])] {
        bytes.extend(encoded);
        bytes.extend(run.receiver_keys[&id(number)].public().to_bytes());
    }
    let offers = [&run.deals[&id(1)].offer, &run.deals[&id(3)].offer];
    bytes.extend(offers.iter().flat_map(|offer| &offer.commitment).flat_map(Element::to_bytes));
    bytes.extend(offers.iter().flat_map(|offer| offer.proof.encode()));
    bytes.extend(offers.iter().flat_map(|offer| offer.ephemeral.to_bytes()));
    bytes.extend([0, 0, 0, 9]);
    bytes.extend(b"extension");
    assert_eq!(run.transcript(), bytes);
}

/// The longest transcript of so many dealers, receivers and commitments of all together.
fn longest<C: Ciphersuite>(
    dealers: usize,
    receivers: usize,
    commitments: usize,
    context: usize,
    extension: usize,
) -> usize {
    let (point, scalar) = (C::Element::LEN, 32);
    let heads = 22 + 1 + 4 + context + 2 + 2 + dealers * (2 + 2 * point) + 2 + receivers * (2 + point);
    heads + commitments * point + dealers * (2 * point + scalar) + 4 + extension
}

fn a_certificate_has_room_for_whatever_may_be_dealt<C: Ciphersuite>() {
    let [_, run] = runs::<C>();
    assert_eq!(run.transcript().len(), longest::<C>(2, 4, 2 * 3, 18, 9));
    let most = longest::<C>(1000, 1000, MAX_COMMITMENTS, 1024, MAX_EXTENSION);
    assert!(most <= crate::protocol::Certificate::MAX_TRANSCRIPT, "{most}");
}

fn bytes_that_are_no_transcript_are_refused<C: Ciphersuite>() {
    for run in runs::<C>() {
        let bytes = run.transcript();
        for len in 0..bytes.len() {
            assert!(ParsedTranscript::<C>::parse(&bytes[..len]).is_err());
        }
        let trailing = [bytes.as_slice(), &[0]].concat();
        assert_eq!(
            ParsedTranscript::<C>::parse(&trailing).map(|_| ()),
            Err(DealingError::Decode(DecodeError::Trailing))
        );
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 0x80;
            // Either it is refused, or what was read is what is there.
            if let Ok(parsed) = ParsedTranscript::<C>::parse(&changed) {
                let deal = |(id, offer)| (id, Deal { offer, ciphertexts: Vec::new() });
                let deals: Deals<C> = parsed.offers().map(deal).collect();
                assert_eq!(transcript(&parsed.ceremony, &deals, parsed.extension).unwrap(), changed);
            }
        }
    }
}

fn counts_and_thresholds_out_of_bounds_are_refused<C: Ciphersuite>() {
    let [fresh, renewed] = runs::<C>();
    let refused = |bytes: &[u8], start: usize, value: &[u8]| {
        let mut changed = bytes.to_vec();
        changed[start..start + value.len()].copy_from_slice(value);
        ParsedTranscript::<C>::parse(&changed).unwrap_err()
    };
    let bytes = fresh.transcript();
    let members = 16 + C::COCKTAIL_ID.len() + fresh.ceremony.context().len();
    let length_of_context = 8 + C::COCKTAIL_ID.len();
    assert_eq!(
        refused(&bytes, members, &[0; 4]),
        DealingError::Setup("the threshold is above the number of receivers")
    );
    assert_eq!(refused(&bytes, members, &1001_u32.to_le_bytes()), DealingError::Decode(DecodeError::TooLong));
    assert_eq!(refused(&bytes, members, &[0xff; 4]), DealingError::Decode(DecodeError::TooLong));
    assert_eq!(refused(&bytes, members + 4, &[0; 4]), DealingError::Setup("the threshold is below 2"));
    assert_eq!(refused(&bytes, members + 4, &1_u32.to_le_bytes()), DealingError::Setup("the threshold is below 2"));
    let above = DealingError::Setup("the threshold is above the number of receivers");
    assert_eq!(refused(&bytes, members + 4, &4_u32.to_le_bytes()), above);
    assert_eq!(refused(&bytes, length_of_context, &[0xff; 8]), DealingError::Decode(DecodeError::TooLong));
    assert_eq!(refused(&bytes, length_of_context, &1025_u64.to_le_bytes()), DealingError::Decode(DecodeError::TooLong));
    assert_ne!(refused(&bytes, length_of_context, &1024_u64.to_le_bytes()), DealingError::Decode(DecodeError::TooLong));
    assert_eq!(refused(&bytes, 8, b"KOCKTAIL"), DealingError::Decode(DecodeError::Invalid("suite")));
    let bytes = renewed.transcript();
    let threshold = 22 + 1 + 4 + renewed.ceremony.context().len();
    assert_eq!(refused(&bytes, 22, &[9]), DealingError::Decode(DecodeError::Invalid("suite")));
    assert_eq!(refused(&bytes, threshold, &[0, 1]), DealingError::Setup("the threshold is below 2"));
    assert_eq!(refused(&bytes, threshold, &[0xff, 0xff]), above);
    assert_eq!(refused(&bytes, threshold + 2, &[3, 0xe9]), DealingError::Decode(DecodeError::TooLong));
    assert_ne!(refused(&bytes, threshold + 2, &[3, 0xe8]), DealingError::Decode(DecodeError::TooLong));
    assert_eq!(refused(&bytes, threshold + 4, &[0, 0]), DealingError::Decode(DecodeError::Invalid("identifier")));
    let order = DealingError::Setup("identifiers are not unique and ascending");
    assert_eq!(refused(&bytes, threshold + 4, &[0, 5]), order);
}

fn recovery_refuses_what_is_not_whole<C: Ciphersuite>() {
    for run in runs::<C>() {
        let (transcript, signatures, bundle) = (run.transcript(), run.signatures(), run.bundle(3));
        let key = &run.receiver_keys[&id(3)];
        let attempt = |transcript: &[u8], signatures: &[u8], bundle: &[u8]| {
            recover(key, transcript, signatures, bundle).map(|received| received.id)
        };
        assert_eq!(attempt(&transcript, &signatures, &bundle), Ok(id(3)));
        for position in 0..signatures.len() {
            let mut changed = signatures.clone();
            changed[position] ^= 1;
            let signatory = position / Proof::<C>::LEN;
            assert_eq!(attempt(&transcript, &changed, &bundle), Err(DealingError::Signature(signatory)));
        }
        let truncated = Err(DealingError::Decode(DecodeError::Truncated));
        let trailing = Err(DealingError::Decode(DecodeError::Trailing));
        let short = signatures.len() - Proof::<C>::LEN;
        assert_eq!(attempt(&transcript, &signatures[..short], &bundle), truncated);
        assert_eq!(attempt(&transcript, &[&signatures, &signatures[short..]].concat(), &bundle), trailing);
        assert_eq!(attempt(&transcript, &signatures, &bundle[..bundle.len() - 1]), truncated);
        assert_eq!(attempt(&transcript, &signatures, &[bundle.as_slice(), &[0]].concat()), trailing);
        let first = run.deals.keys().next().copied().unwrap();
        let mut changed = bundle.clone();
        changed[8] ^= 1;
        let misdeal = Err(DealingError::Misdeal(first, Misdeal::Decryption));
        assert_eq!(attempt(&transcript, &signatures, &changed), misdeal);
        assert_eq!(attempt(&transcript, &signatures, &run.bundle(2)), misdeal);
        let mut longer = transcript.clone();
        *longer.last_mut().unwrap() ^= 1;
        assert_eq!(attempt(&longer, &signatures, &bundle), Err(DealingError::Signature(0)));
        let stranger = RunKey::<C>::generate(&mut rng(99));
        let recovered = recover(&stranger, &transcript, &signatures, &bundle).map(|_| ());
        assert_eq!(recovered, Err(DealingError::RunKey));
    }
}

fn an_extension_and_a_set_of_dealers_are_bounded<C: Ciphersuite>() {
    for mut run in runs::<C>() {
        let too_long = Err(DealingError::Decode(DecodeError::TooLong));
        assert!(transcript(&run.ceremony, &run.deals, &vec![0; 1 << 20]).is_ok());
        assert!(transcript(&run.ceremony, &run.deals, &vec![0; (1 << 20) + 1]) == too_long);
        run.deals.remove(&id(1));
        assert_eq!(transcript(&run.ceremony, &run.deals, &[]), Err(DealingError::Dealers));
    }
}

in_every_suite!(
    a_certificate_has_room_for_whatever_may_be_dealt,
    a_transcript_says_what_it_was_made_from,
    the_bytes_of_a_redealing_are_those_of_its_table,
    bytes_that_are_no_transcript_are_refused,
    counts_and_thresholds_out_of_bounds_are_refused,
    recovery_refuses_what_is_not_whole,
    an_extension_and_a_set_of_dealers_are_bounded,
);

/// A redealing is a format of our own: this is what it was when it was fixed.
#[test]
fn the_bytes_of_a_redealing_are_frozen() {
    fn first_bytes_of_hash<C: Ciphersuite>() -> String {
        let [_, run] = runs::<C>();
        let message: Vec<u8> = run.deals.values().flat_map(Deal::encode).collect();
        let hash = C::hash(&[&run.transcript(), &message, &run.signatures()]);
        hash.iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }
    assert_eq!(first_bytes_of_hash::<Ed25519>(), "1294de04581e8251e016b24cdfd6d1f5");
    assert_eq!(first_bytes_of_hash::<Secp256k1>(), "d82464fa1b5b66435f783a7f3dbf33af");
    assert_eq!(first_bytes_of_hash::<Taproot>(), "8057dc8cf9b04b5fdeaa730587c405bb");
}

#[test]
fn suites_of_one_curve_refuse_each_others_redealings() {
    let [_, run] = runs::<Taproot>();
    let bytes = run.transcript();
    assert_eq!(
        ParsedTranscript::<Secp256k1>::parse(&bytes).map(|_| ()),
        Err(DealingError::Decode(DecodeError::Invalid("suite")))
    );
    let [_, run] = runs::<Secp256k1>();
    assert!(ParsedTranscript::<Ed25519>::parse(&run.transcript()).is_err());
}
