//! Encodings are refused exactly where frost refuses them, also in a batch that is large enough for random sums.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use frost_core::keys::CoefficientCommitment;
use frost_core::round1::NonceCommitment;
use frost_core::round2::SignatureShare;
use frost_ed25519::Ed25519Sha512;
use frost_secp256k1::Secp256K1Sha256;
use frost_secp256k1_tr::Secp256K1Sha256TR;
use quorumkey::Suite;
use quorumkey::hazmat::{DealingCase, random_scalar};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::frost::{Frost, Signing, id, order, share_bytes};

/// A dealing of two with as many points as there are, from wire bytes: whether they are decoded.
fn is_decoded<F: Frost>(points: &[Vec<u8>]) -> bool {
    let threshold = u16::try_from(points.len() / 2).unwrap();
    let members = threshold.max(2);
    let commitments = (1..=members)
        .map(|number| (id(number), points[..usize::from(threshold)].concat()))
        .chain([(id(1), points[usize::from(threshold)..].concat())])
        .collect();
    let shares = (1..=members).map(|number| (id(number), [0; 32])).collect();
    let case = DealingCase { suite: F::SUITE, threshold, receiver: id(1), commitments, shares };
    // A wrong share names its dealer; what is not decoded names nobody.
    super::outcome(case.receive_wire()).is_err_and(|named| !named.is_empty())
}

/// Whether frost takes a point. Of secp256k1 it takes a second encoding of some, SEC 1's compact form with the prefix 5,
/// which here as everywhere there is none of.
fn is_taken<F: Frost>(bytes: &[u8]) -> bool {
    CoefficientCommitment::<F>::deserialize(bytes).is_ok() && !(bytes.len() == 33 && bytes[0] == 5)
}

fn compare<F: Frost>(odd: &[Vec<u8>]) {
    compare_in_dealings::<F>(odd);
    compare_in_signatures::<F>(odd);
}

/// As either commitment of a signer.
fn compare_in_signatures<F: Frost>(odd: &[Vec<u8>]) {
    let mut signing = signing::<F>();
    let me = id(1);
    let is_decoded = |signing: &Signing<F>| signing.case.sign(me, &signing.shares[&me], signing.nonces[&me]).is_some();
    let honest = signing.case.commitments[&id(2)].clone();
    let (hiding, binding) = honest.split_at(honest.len() / 2);
    let (mut taken, mut refused) = (0, 0);
    for bytes in odd {
        let theirs = NonceCommitment::<F>::deserialize(bytes).is_ok() && is_taken::<F>(bytes);
        for commitments in [[bytes.as_slice(), binding].concat(), [hiding, bytes.as_slice()].concat()] {
            signing.case.commitments.insert(id(2), commitments);
            assert_eq!(is_decoded(&signing), theirs, "{bytes:02x?}");
        }
        if theirs { taken += 1 } else { refused += 1 }
    }
    assert!(taken > 0 && refused > 0);
    for wrong in [&honest[1..], &[&honest[..], &[0]].concat(), &[]] {
        signing.case.commitments.insert(id(2), wrong.to_vec());
        assert!(!is_decoded(&signing));
    }
}

fn signing<F: Frost>() -> Signing<F> {
    Signing::new(&[1, 2, 3], 2, &[1, 2, 3], b"message", None, &mut ChaCha20Rng::seed_from_u64(9))
}

fn compare_in_dealings<F: Frost>(odd: &[Vec<u8>]) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let good = |rng: &mut ChaCha20Rng| random_scalar(F::SUITE, rng).1;
    for bytes in odd {
        let theirs = is_taken::<F>(bytes);
        let mut few: Vec<_> = (0..4).map(|_| good(&mut rng)).collect();
        assert!(is_decoded::<F>(&few));
        few[3].clone_from(bytes);
        assert_eq!(is_decoded::<F>(&few), theirs, "{bytes:02x?}");
    }
    // Fifteen members of fifteen points and two more each: above the size where sums take over.
    let mut many: Vec<_> = (0..30).map(|_| good(&mut rng)).collect();
    assert!(is_decoded::<F>(&many));
    for bytes in odd {
        let good = std::mem::replace(&mut many[29], bytes.clone());
        let theirs = is_taken::<F>(bytes);
        assert_eq!(is_decoded::<F>(&many), theirs, "{bytes:02x?}");
        many[29] = good;
    }
}

#[test]
fn ed25519_points_are_refused_where_frost_refuses_them() {
    let mut odd: Vec<Vec<u8>> = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes().to_vec()).collect();
    for torsion in &EIGHT_TORSION {
        let point = ED25519_BASEPOINT_POINT * curve25519_dalek::Scalar::from(77_u64) + torsion;
        odd.push(point.compress().to_bytes().to_vec());
    }
    // y = p + k, with either sign: the second encodings of what has one.
    for low in 0xed..=0xff_u8 {
        for high in [0x7f, 0xff] {
            let mut bytes = vec![0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            odd.push(bytes);
        }
    }
    // Small y, of which about half are on the curve; and x = 0 with a sign.
    for low in 0..20 {
        for sign in [0, 0x80] {
            let mut bytes = vec![0; 32];
            (bytes[0], bytes[31]) = (low, sign);
            odd.push(bytes);
        }
    }
    compare::<Ed25519Sha512>(&odd);
}

#[test]
fn secp256k1_points_are_refused_where_frost_refuses_them() {
    let good = random_scalar(quorumkey::Suite::Secp256k1, &mut ChaCha20Rng::seed_from_u64(8)).1;
    let mut odd: Vec<Vec<u8>> = vec![vec![0; 33]];
    odd.extend((0..=7_u8).map(|prefix| [&[prefix], &good[1..]].concat()));
    for x in 0..20 {
        odd.push([vec![2], vec![0; 31], vec![x]].concat());
    }
    // The order of the field, and one more.
    for low in [0x2f, 0x30] {
        odd.push([vec![2], vec![0xff; 27], vec![0xfe, 0xff, 0xff, 0xfc, low]].concat());
    }
    compare::<Secp256K1Sha256>(&odd);
}

/// As a signature share.
fn compare_scalars<F: Frost>() {
    let signing = signing::<F>();
    let honest = share_bytes(&signing.frost_shares());
    let last = if F::SUITE == Suite::Ed25519 { 0 } else { 31 };
    let order = order::<F>();
    let (mut below, mut above) = (order, order);
    below[last] -= 1;
    above[last] += 1;
    let mut refused = 0;
    for bytes in [[0; 32], below, order, above, [0xff; 32], honest[&id(3)]] {
        let theirs = SignatureShare::<F>::deserialize(&bytes).is_ok();
        let mut shares = honest.clone();
        shares.insert(id(2), bytes);
        assert_eq!(signing.case.aggregate(&shares).is_some(), theirs, "{bytes:02x?}");
        refused += u32::from(!theirs);
    }
    assert_eq!(refused, 3);
}

#[test]
fn signature_shares_of_the_order_and_above_are_refused_where_frost_refuses_them() {
    compare_scalars::<Ed25519Sha512>();
    compare_scalars::<Secp256K1Sha256>();
    compare_scalars::<Secp256K1Sha256TR>();
}
