//! Every step's outcome is that of frost 3.0.0, byte for byte, for honest inputs and for cheating ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

mod decoding;
mod frost;

use std::collections::BTreeSet;

use frost::{Dealing, Frost, Signing, id, negated, plus_one, share_bytes};
use frost_core::{CheaterDetection, Error, aggregate_custom};
use frost_ed25519::Ed25519Sha512;
use frost_secp256k1::Secp256K1Sha256;
use frost_secp256k1_tr::Secp256K1Sha256TR;
use proptest::prelude::*;
use quorumkey::hazmat::{Steps, commit, frost_identifier, offer, proofs, random_scalar};
use quorumkey::{GroupKey, Identifier, Signature, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// How many random seeds: those of the environment, as proptest has them, or so many.
fn cases(unless_told: u32) -> u32 {
    std::env::var("PROPTEST_CASES").map_or(unless_told, |cases| cases.parse().unwrap())
}

/// Each of these over each suite, from random seeds.
macro_rules! over_every_suite {
    ($($name:ident($cases:literal): $($suite:ident $F:ty),+;)+) => {$(
        mod $name {
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig { cases: cases($cases), failure_persistence: None, ..ProptestConfig::default() })]
                $(#[test] fn $suite(seed: u64) {
                    super::$name::<$F>(&mut ChaCha20Rng::seed_from_u64(seed));
                })+
            }
        }
    )+};
}

over_every_suite! {
    commitments_are_those_of_frost(4): ed25519 Ed25519Sha512, secp256k1 Secp256K1Sha256, taproot Secp256K1Sha256TR;
    shares_and_signatures_are_those_of_frost(6):
        ed25519 Ed25519Sha512, secp256k1 Secp256K1Sha256, taproot Secp256K1Sha256TR;
    whoever_frost_names_is_named_and_nobody_else(6):
        ed25519 Ed25519Sha512, secp256k1 Secp256K1Sha256, taproot Secp256K1Sha256TR;
    what_is_committed_to_is_what_frost_commits_to(4):
        ed25519 Ed25519Sha512, secp256k1 Secp256K1Sha256, taproot Secp256K1Sha256TR;
    one_forged_proof_of_possession_among_many_is_found(4):
        ed25519 Ed25519Sha512, secp256k1 Secp256K1Sha256, taproot Secp256K1Sha256TR;
    what_frost_verifies_is_verified_and_nothing_else(6):
        ed25519 Ed25519Sha512, secp256k1 Secp256K1Sha256, taproot Secp256K1Sha256TR;
    what_a_receiver_gets_is_what_the_commitments_come_to_in_frost(5):
        ed25519 Ed25519Sha512, secp256k1 Secp256K1Sha256, taproot Secp256K1Sha256TR;
    what_a_receiver_gets_is_what_frost_s_part_3_gives(5): ed25519 Ed25519Sha512, secp256k1 Secp256K1Sha256;
    a_dealer_that_frost_names_is_named(4):
        ed25519 Ed25519Sha512, secp256k1 Secp256K1Sha256, taproot Secp256K1Sha256TR;
}

/// What the step comes to.
fn outcome(steps: Option<Steps>) -> Result<Vec<Vec<u8>>, Vec<Identifier>> {
    let result = steps.expect("the inputs are good")()();
    result()
}

fn below(rng: &mut ChaCha20Rng, bound: u16) -> u16 {
    u16::try_from(rng.next_u32() % u32::from(bound)).unwrap()
}

/// So many different numbers up to `last`, ascending.
fn numbers(count: u16, last: u16, rng: &mut ChaCha20Rng) -> Vec<u16> {
    let mut chosen = BTreeSet::new();
    while chosen.len() < usize::from(count) {
        chosen.insert(1 + below(rng, last));
    }
    chosen.into_iter().collect()
}

/// A group of two to twelve, whose numbers stand close together or far apart, and a random set of signers.
fn signing<F: Frost>(rng: &mut ChaCha20Rng) -> (Signing<F>, Vec<u16>) {
    let n = 2 + below(rng, 11);
    let members = numbers(n, [n, 2 * n, 1000][usize::from(below(rng, 3))], rng);
    let threshold = 2 + below(rng, n - 1);
    let places = numbers(threshold + below(rng, n - threshold + 1), n, rng);
    let signers: Vec<_> = places.iter().map(|place| members[usize::from(place - 1)]).collect();
    let mut message = vec![0; usize::from(below(rng, 100))];
    rng.fill_bytes(&mut message);
    let mut root = [0; 32];
    rng.fill_bytes(&mut root);
    let root = (below(rng, 2) == 0).then_some(root);
    (Signing::new(&members, threshold, &signers, &message, root, rng), signers)
}

fn commitments_are_those_of_frost<F: Frost>(rng: &mut ChaCha20Rng) {
    let (share, _) = random_scalar(F::SUITE, rng);
    let mut randomness = [[0; 32]; 2];
    let mut same = rng.clone();
    for bytes in &mut randomness {
        rng.fill_bytes(bytes);
    }
    let ours = outcome(commit(F::SUITE, &share, randomness)).unwrap();
    let secret = frost_core::keys::SigningShare::<F>::deserialize(&share).unwrap();
    let (nonces, commitments) = frost_core::round1::commit(&secret, &mut frost::OldRng(&mut same));
    assert_eq!(ours[0], nonces.hiding().serialize());
    assert_eq!(ours[1], nonces.binding().serialize());
    let both = [commitments.hiding().serialize().unwrap(), commitments.binding().serialize().unwrap()].concat();
    assert_eq!(ours[2], both);
}

fn shares_and_signatures_are_those_of_frost<F: Frost>(rng: &mut ChaCha20Rng) {
    let (signing, _) = signing::<F>(rng);
    let shares = signing.frost_shares();
    for (id, share) in share_bytes(&shares) {
        let ours = outcome(signing.case.sign(id, &signing.shares[&id], signing.nonces[&id]));
        assert_eq!(ours.unwrap(), [share.to_vec()]);
    }
    let ours = outcome(signing.case.aggregate(&share_bytes(&shares))).unwrap();
    assert_eq!(ours, [signing.frost_aggregate(&shares).unwrap().serialize().unwrap()]);
}

fn whoever_frost_names_is_named_and_nobody_else<F: Frost>(rng: &mut ChaCha20Rng) {
    let (signing, signers) = signing::<F>(rng);
    let mut shares = signing.frost_shares();
    let most = u16::try_from(signers.len()).unwrap();
    let count = 1 + below(rng, most);
    for place in numbers(count, most, rng) {
        let cheater = id(signers[usize::from(place - 1)]);
        // Off by one, nothing at all, what another one says, anything.
        let wrong = match below(rng, 4) {
            0 => plus_one(&shares[&cheater]),
            1 => frost::share_of(&[0; 32]),
            // After two signers' shares have become one, there is no other.
            2 => *shares.values().find(|share| **share != shares[&cheater]).unwrap_or(&plus_one(&shares[&cheater])),
            _ => frost::share_of(&random_scalar(F::SUITE, rng).0),
        };
        shares.insert(cheater, wrong);
    }
    let named: Vec<Identifier> = match frost_culprits(&signing, &shares) {
        Error::InvalidSignatureShare { culprits } => {
            signers.iter().map(|n| id(*n)).filter(|id| culprits.contains(&frost_identifier(*id).unwrap())).collect()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(named.len(), usize::from(count));
    assert_eq!(outcome(signing.case.aggregate(&share_bytes(&shares))), Err(named));
}

/// frost's taproot door has no choice of detection, so that the tweak is applied here.
fn frost_culprits<F: Frost>(
    signing: &Signing<F>,
    shares: &std::collections::BTreeMap<Identifier, frost_core::round2::SignatureShare<F>>,
) -> Error<F> {
    let by_id = shares.iter().map(|(id, share)| (frost_identifier(*id).unwrap(), *share)).collect();
    let public = F::tweaked(&signing.frost_public, signing.root());
    aggregate_custom(&signing.frost_package, &by_id, &public, CheaterDetection::AllCheaters).unwrap_err()
}

/// Two errors that cancel out make a right sum: frost names nobody, and a signature comes out.
#[test]
fn errors_that_cancel_out_make_the_signature_of_frost() {
    fn check<F: Frost>() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let signing = Signing::<F>::new(&[1, 2, 3], 2, &[1, 2, 3], b"message", None, &mut rng);
        let honest = signing.frost_shares();
        let mut shares = honest.clone();
        shares.insert(id(1), plus_one(&honest[&id(1)]));
        shares.insert(id(3), frost::minus_one(&honest[&id(3)]));
        let theirs = signing.frost_aggregate(&shares).unwrap().serialize().unwrap();
        assert_eq!(outcome(signing.case.aggregate(&share_bytes(&shares))).unwrap(), [theirs]);
        // Beside a third error the two are found.
        shares.insert(id(2), plus_one(&honest[&id(2)]));
        assert_eq!(outcome(signing.case.aggregate(&share_bytes(&shares))), Err(vec![id(1), id(2), id(3)]));
    }
    check::<Ed25519Sha512>();
    check::<Secp256K1Sha256>();
    check::<Secp256K1Sha256TR>();
}

/// Commitments that add up to the identity, hiding as well as binding: the binding factors keep them apart, here as in frost.
/// That the group's commitment is the identity, nobody can bring about.
#[test]
fn commitments_that_cancel_out_sign_as_they_do_in_frost() {
    fn check<F: Frost>() {
        let mut rng = ChaCha20Rng::seed_from_u64(10);
        let mut signing = Signing::<F>::new(&[1, 2], 2, &[1, 2], b"message", None, &mut rng);
        signing.set_nonces(id(2), signing.nonces[&id(1)].map(|nonce| negated::<F>(&nonce)));
        let shares = signing.frost_shares();
        for (id, share) in share_bytes(&shares) {
            let ours = outcome(signing.case.sign(id, &signing.shares[&id], signing.nonces[&id]));
            assert_eq!(ours, Ok(vec![share.to_vec()]));
        }
        let theirs = signing.frost_aggregate(&shares).unwrap().serialize().unwrap();
        assert_eq!(outcome(signing.case.aggregate(&share_bytes(&shares))), Ok(vec![theirs]));
    }
    check::<Ed25519Sha512>();
    check::<Secp256K1Sha256>();
    check::<Secp256K1Sha256TR>();
}

/// The one exception, which ADR 12 argues: frost names the first of the dealers whose errors cancel out; here their shares
/// add up to what they committed to, so that the receiver gets what it gets from honest ones.
#[test]
fn dealers_whose_errors_cancel_out_are_named_by_frost_alone() {
    fn check<F: Frost>() {
        let mut dealing = Dealing::<F>::new(5, 3, 2, &mut ChaCha20Rng::seed_from_u64(11));
        let honest = [outcome(dealing.case.receive()), outcome(dealing.case.receive_wire())];
        assert!(honest[0].is_ok() && honest[0] == honest[1]);
        dealing.cheat(4);
        dealing.cheat_back(5);
        let Err(Error::InvalidSecretShare { culprit: Some(culprit) }) = dealing.frost_receive() else {
            panic!("frost takes a wrong share")
        };
        assert_eq!(culprit, frost_identifier(id(4)).unwrap());
        assert_eq!([outcome(dealing.case.receive()), outcome(dealing.case.receive_wire())], honest);
        // Beside a third error the first is named as frost names it.
        dealing.cheat(1);
        assert_eq!(outcome(dealing.case.receive()), Err(vec![id(1)]));
    }
    check::<Ed25519Sha512>();
    check::<Secp256K1Sha256>();
}

/// Coefficients and the commitments to them: what a dealer draws is no business of frost's.
fn what_is_committed_to_is_what_frost_commits_to<F: Frost>(rng: &mut ChaCha20Rng) {
    let threshold = 2 + below(rng, 20);
    let ours = outcome(offer(F::SUITE, threshold, rng.clone())).unwrap();
    let (coefficients, commitments) = ours.split_at(usize::from(threshold));
    assert_eq!(commitments.len(), coefficients.len());
    for (coefficient, commitment) in coefficients.iter().zip(commitments) {
        assert_eq!(*commitment, frost::times_generator::<F>(coefficient));
    }
}

/// Whatever the signature and the message are: as they were made, with a bit of either turned, or of another key.
fn what_frost_verifies_is_verified_and_nothing_else<F: Frost>(rng: &mut ChaCha20Rng) {
    let (signing, _) = signing::<F>(rng);
    let signature = signing.frost_aggregate(&signing.frost_shares()).unwrap().serialize().unwrap();
    let public = F::tweaked(&signing.frost_public, signing.root());
    let key = GroupKey::from_bytes(F::SUITE, &signing.case.group_key).unwrap();
    let (key, other) = (key.verifying_key(signing.case.root.as_ref()), key.verifying_key(Some(&[7; 32])));
    assert!(key != other || F::SUITE != Suite::Secp256k1Taproot);
    let verify = |key: &quorumkey::VerifyingKey, message: &[u8], bytes: &[u8]| {
        Signature::from_bytes(F::SUITE, bytes).is_ok_and(|signature| key.verify(message, &signature).is_ok())
    };
    let theirs = |message: &[u8], bytes: &[u8]| {
        frost_core::Signature::<F>::deserialize(bytes)
            .is_ok_and(|signature| public.verifying_key().verify(message, &signature).is_ok())
    };
    let message = &signing.case.message;
    assert!(theirs(message, &signature) && verify(&key, message, &signature));
    assert_eq!(verify(&other, message, &signature), key == other);
    for _ in 0..20 {
        let (mut changed, mut said) = (signature.clone(), message.clone());
        let (bit, text) = (below(rng, 512), below(rng, 4) == 0 && !said.is_empty());
        let bytes = if text { &mut said } else { &mut changed };
        let place = usize::from(bit / 8) % bytes.len();
        bytes[place] ^= 1 << (bit % 8);
        assert_eq!(verify(&key, &said, &changed), theirs(&said, &changed));
    }
}

/// As part 3 without what it does to a key of taproot afterwards.
fn what_a_receiver_gets_is_what_the_commitments_come_to_in_frost<F: Frost>(rng: &mut ChaCha20Rng) {
    let (dealing, ..) = dealing::<F>(rng);
    let (share, public) = dealing.frost_sums();
    let mut expected = vec![share, public.verifying_key().serialize().unwrap()];
    expected.extend(public.verifying_shares().values().map(|share| share.serialize().unwrap()));
    assert_eq!(outcome(dealing.case.receive()).unwrap(), expected);
    assert_eq!(outcome(dealing.case.receive_wire()).unwrap(), expected);
}

fn dealing<F: Frost>(rng: &mut ChaCha20Rng) -> (Dealing<F>, u16, u16) {
    let n = 2 + below(rng, 9);
    let (threshold, receiver) = (2 + below(rng, n - 1), 1 + below(rng, n));
    (Dealing::new(n, threshold, receiver, rng), n, receiver)
}

fn what_a_receiver_gets_is_what_frost_s_part_3_gives<F: Frost>(rng: &mut ChaCha20Rng) {
    let (dealing, ..) = dealing::<F>(rng);
    let (key, public) = dealing.frost_receive().unwrap();
    let mut expected = vec![key.signing_share().serialize(), public.verifying_key().serialize().unwrap()];
    expected.extend(public.verifying_shares().values().map(|share| share.serialize().unwrap()));
    assert_eq!(outcome(dealing.case.receive()).unwrap(), expected);
    assert_eq!(outcome(dealing.case.receive_wire()).unwrap(), expected);
}

fn a_dealer_that_frost_names_is_named<F: Frost>(rng: &mut ChaCha20Rng) {
    let (mut dealing, n, receiver) = dealing::<F>(rng);
    let others: Vec<_> = (1..=n).filter(|number| *number != receiver).collect();
    let count = u16::try_from(others.len()).unwrap();
    for place in numbers(1 + below(rng, count), count, rng) {
        dealing.cheat(others[usize::from(place - 1)]);
    }
    let Err(Error::InvalidSecretShare { culprit: Some(culprit) }) = dealing.frost_receive() else {
        panic!("frost takes a wrong share")
    };
    let named = outcome(dealing.case.receive()).unwrap_err();
    assert_eq!(named.iter().map(|id| frost_identifier(*id).unwrap()).collect::<Vec<_>>(), [culprit]);
    assert_eq!(outcome(dealing.case.receive_wire()), Err(named));
}

/// Where sums of products are computed in other ways, and many points decoded together.
fn a_large_group_comes_to_what_frost_comes_to<F: Frost>(n: u16, t: u16) {
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(n));
    let (members, signers): (Vec<_>, Vec<_>) = ((1..=n).collect(), (1..=t).collect());
    let signing = Signing::<F>::new(&members, t, &signers, b"message", None, &mut rng);
    let mut shares = signing.frost_shares();
    let (last, bytes) = (id(t), share_bytes(&shares));
    let ours = outcome(signing.case.sign(last, &signing.shares[&last], signing.nonces[&last]));
    assert_eq!(ours.unwrap(), [bytes[&last].to_vec()]);
    let theirs = signing.frost_aggregate(&shares).unwrap().serialize().unwrap();
    assert_eq!(outcome(signing.case.aggregate(&bytes)).unwrap(), [theirs]);
    for cheater in [id(2), last] {
        let wrong = plus_one(&shares[&cheater]);
        shares.insert(cheater, wrong);
    }
    let Error::InvalidSignatureShare { culprits } = frost_culprits(&signing, &shares) else { panic!("two cheat") };
    assert_eq!(culprits, [2, t].map(|number| frost_identifier(id(number)).unwrap()));
    assert_eq!(outcome(signing.case.aggregate(&share_bytes(&shares))), Err(vec![id(2), last]));
}

fn a_large_dealing_comes_to_what_frost_comes_to<F: Frost>(n: u16, t: u16) {
    let mut dealing = Dealing::<F>::new(n, t, n, &mut ChaCha20Rng::seed_from_u64(u64::from(n)));
    let (key, public) = dealing.frost_receive().unwrap();
    let mut expected = vec![key.signing_share().serialize(), public.verifying_key().serialize().unwrap()];
    expected.extend(public.verifying_shares().values().map(|share| share.serialize().unwrap()));
    assert_eq!(outcome(dealing.case.receive()).unwrap(), expected);
    assert_eq!(outcome(dealing.case.receive_wire()).unwrap(), expected);
    dealing.cheat(t);
    assert_eq!(outcome(dealing.case.receive_wire()), Err(vec![id(t)]));
}

#[test]
fn large_groups_come_to_what_frost_comes_to() {
    for (n, t) in [(30, 20), (64, 43)] {
        a_large_group_comes_to_what_frost_comes_to::<Ed25519Sha512>(n, t);
        a_large_group_comes_to_what_frost_comes_to::<Secp256K1Sha256>(n, t);
        a_large_group_comes_to_what_frost_comes_to::<Secp256K1Sha256TR>(n, t);
        a_large_dealing_comes_to_what_frost_comes_to::<Ed25519Sha512>(n, t);
    }
    a_large_dealing_comes_to_what_frost_comes_to::<Secp256K1Sha256>(30, 20);
    // curve25519-dalek takes Pippenger's way from 190 products on.
    a_large_group_comes_to_what_frost_comes_to::<Ed25519Sha512>(192, 191);
}

fn one_forged_proof_of_possession_among_many_is_found<F: Frost>(rng: &mut ChaCha20Rng) {
    let n = 2 + below(rng, 12);
    let threshold = 2 + below(rng, n - 1);
    assert_eq!(outcome(proofs(F::SUITE, threshold, n, None, rng)), Ok(Vec::new()));
    for forged in [1, 1 + below(rng, n), n] {
        assert_eq!(outcome(proofs(F::SUITE, threshold, n, Some(id(forged)), rng)), Err(Vec::new()));
    }
}
