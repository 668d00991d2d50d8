//! Every step's bare limit.

use bitcoin::secp256k1::schnorr;
use bitcoin::secp256k1::{self as libsecp, All, Message, XOnlyPublicKey};
use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::scalar::Scalar as DalekScalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use frost_ed25519::Ed25519Sha512;
use frost_secp256k1::Secp256K1Sha256;
use frost_secp256k1_tr::Secp256K1Sha256TR;
use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::ops::LinearCombination;
use k256::{ProjectivePoint, Scalar};
use quorumkey::Suite;
use quorumkey::hazmat::{commit, random_scalar};

use crate::frost::{Frost, id, share_bytes};
use crate::reference::{MESSAGE, SIZES, name, our_verify, rng, signature, signing};
use crate::{Comparison, Pair, Work, ours, theirs, threshold};

pub(crate) fn comparisons() -> Vec<Comparison> {
    let mut all = vec![
        comparison::<Ed25519Sha512>("commit", 3, fixed_base::<Ed25519Sha512>),
        comparison::<Secp256K1Sha256>("commit", 3, fixed_base::<Secp256K1Sha256>),
        comparison::<Secp256K1Sha256TR>("commit", 3, fixed_base::<Secp256K1Sha256TR>),
        comparison::<Ed25519Sha512>("verify", 3, dalek_verify),
        comparison::<Secp256K1Sha256>("verify", 3, two_products),
        comparison::<Secp256K1Sha256TR>("verify", 3, libsecp_verify),
    ];
    for n in SIZES {
        all.extend(sums::<Ed25519Sha512>(n));
        all.extend(sums::<Secp256K1Sha256>(n));
        all.extend(sums::<Secp256K1Sha256TR>(n));
    }
    all
}

fn sums<F: Frost>(n: u16) -> [Comparison; 2] {
    [comparison::<F>("sign", n, move || sum::<F>(n)), comparison::<F>("aggregate", n, move || sum_and_check::<F>(n))]
}

fn comparison<F: Frost>(op: &'static str, n: u16, make: impl Fn() -> Pair + 'static) -> Comparison {
    Comparison { op, suite: name(F::SUITE), n, reference: "limit", make: Box::new(make) }
}

fn dalek_scalar(bytes: [u8; 32]) -> DalekScalar {
    DalekScalar::from_canonical_bytes(bytes).unwrap()
}

fn k256_scalar(bytes: [u8; 32]) -> Scalar {
    Scalar::from_repr(bytes.into()).unwrap()
}

/// Two multiples of the generator.
fn fixed_base<F: Frost>() -> Pair {
    let mut rng = rng();
    let [share, hiding, binding] = [(); 3].map(|()| random_scalar(F::SUITE, &mut rng).0);
    let limit: Work = if F::SUITE == Suite::Ed25519 {
        let nonces = [hiding, binding].map(dalek_scalar);
        theirs(move || nonces, |nonces| nonces.map(|nonce| EdwardsPoint::mul_base(&nonce)))
    } else {
        let nonces = [hiding, binding].map(k256_scalar);
        theirs(move || nonces, |nonces| nonces.map(|nonce| ProjectivePoint::mul_by_generator(&nonce)))
    };
    Pair { ours: ours(commit(F::SUITE, &share, [[1; 32], [2; 32]])), theirs: limit }
}

/// One sum of products, of as many as sign.
fn sum<F: Frost>(n: u16) -> Pair {
    let signing = signing::<F>(n);
    let own = ours(signing.case.sign(id(1), &signing.shares[&id(1)], signing.nonces[&id(1)]));
    let limit = if F::SUITE == Suite::Ed25519 {
        let terms = dalek_terms(n);
        theirs(move || terms.clone(), |(scalars, points)| EdwardsPoint::vartime_multiscalar_mul(&scalars, &points))
    } else {
        let terms = k256_terms::<F>(n);
        theirs(move || terms.clone(), |terms| ProjectivePoint::lincomb_vartime(terms.as_slice()))
    };
    Pair { ours: own, theirs: limit }
}

/// One sum of products, of as many as sign, and that of the check of the signature.
fn sum_and_check<F: Frost>(n: u16) -> Pair {
    let signing = signing::<F>(n);
    let own = ours(signing.case.aggregate(&share_bytes(&signing.frost_shares())));
    let limit = if F::SUITE == Suite::Ed25519 {
        let terms = dalek_terms(n);
        theirs(
            move || terms.clone(),
            |(scalars, points)| {
                let sum = EdwardsPoint::vartime_multiscalar_mul(&scalars, &points);
                EdwardsPoint::vartime_double_scalar_mul_basepoint(&scalars[0], &sum, &scalars[1])
            },
        )
    } else {
        let terms = k256_terms::<F>(n);
        theirs(
            move || terms.clone(),
            |terms| {
                let sum = ProjectivePoint::lincomb_vartime(terms.as_slice());
                let check = [(ProjectivePoint::GENERATOR, terms[0].1), (sum, terms[1].1)];
                ProjectivePoint::lincomb_vartime(&check)
            },
        )
    };
    Pair { ours: own, theirs: limit }
}

fn dalek_terms(n: u16) -> (Vec<DalekScalar>, Vec<EdwardsPoint>) {
    let mut rng = rng();
    let scalars: Vec<_> = (0..threshold(n)).map(|_| dalek_scalar(random_scalar(Suite::Ed25519, &mut rng).0)).collect();
    let points = scalars.iter().map(EdwardsPoint::mul_base).collect();
    (scalars, points)
}

fn k256_terms<F: Frost>(n: u16) -> Vec<(ProjectivePoint, Scalar)> {
    let mut rng = rng();
    let scalars = (0..threshold(n)).map(|_| k256_scalar(random_scalar(F::SUITE, &mut rng).0));
    scalars.map(|scalar| (ProjectivePoint::mul_by_generator(&scalar), scalar)).collect()
}

/// The sum of the check of a signature.
fn two_products() -> Pair {
    let (key, signature) = signature::<Secp256K1Sha256>();
    let terms = k256_terms::<Secp256K1Sha256>(3);
    let work = |terms: Vec<(ProjectivePoint, Scalar)>| {
        ProjectivePoint::lincomb_vartime(&[(ProjectivePoint::GENERATOR, terms[0].1), terms[1]])
    };
    Pair { ours: our_verify(key, signature), theirs: theirs(move || terms.clone(), work) }
}

fn dalek_verify() -> Pair {
    let (key, signature) = signature::<Ed25519Sha512>();
    let dalek_key = ed25519_dalek::VerifyingKey::from_bytes(key.as_bytes().try_into().unwrap()).unwrap();
    let dalek_signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes().try_into().unwrap());
    let work = move |(): ()| dalek_key.verify_strict(&MESSAGE, &dalek_signature).unwrap();
    Pair { ours: our_verify(key, signature), theirs: theirs(|| (), work) }
}

fn libsecp_verify() -> Pair {
    let (key, signature) = signature::<Secp256K1Sha256TR>();
    let secp = libsecp::Secp256k1::<All>::gen_new();
    let lib_key = XOnlyPublicKey::from_slice(key.as_bytes()).unwrap();
    let lib_signature = schnorr::Signature::from_slice(signature.as_bytes()).unwrap();
    let message = Message::from_digest(MESSAGE);
    let work = move |(): ()| secp.verify_schnorr(&lib_signature, &message, &lib_key).unwrap();
    Pair { ours: our_verify(key, signature), theirs: theirs(|| (), work) }
}
