//! Every step against frost 3.0.0.

use std::collections::BTreeMap;
use std::rc::Rc;

use frost_core::keys::SigningShare;
use frost_core::keys::dkg::{part1, part2, part3, round1, round2, verify_proof_of_knowledge};
use frost_core::keys::refresh::{refresh_dkg_part1, refresh_dkg_part2, refresh_dkg_shares};
use frost_core::{Identifier as FrostIdentifier, VerifyingKey};
use frost_ed25519::Ed25519Sha512;
use frost_secp256k1::Secp256K1Sha256;
use frost_secp256k1_tr::Secp256K1Sha256TR;
use quorumkey::hazmat::{self, frost_identifier, frost_key_package, frost_public_key_package};
use quorumkey::{GroupKey, Signature, Suite, VerifyingKey as OurKey};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::frost::{Dealing, Frost, OldRng, Signing, id, plus_one, share_bytes};
use crate::{Comparison, Pair, Work, naming, ours, theirs, threshold};

pub(crate) const SIZES: [u16; 5] = [3, 10, 50, 100, 300];
pub(crate) const MESSAGE: [u8; 32] = [7; 32];

pub(crate) fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

pub(crate) const fn name(suite: Suite) -> &'static str {
    match suite {
        Suite::Ed25519 => "ed25519",
        Suite::Secp256k1 => "secp256k1",
        Suite::Secp256k1Taproot => "taproot",
    }
}

/// `t` of `n`, of whom the first `t` sign.
pub(crate) fn signing<F: Frost>(n: u16) -> Signing<F> {
    let (members, signers): (Vec<_>, Vec<_>) = ((1..=n).collect(), (1..=threshold(n)).collect());
    Signing::new(&members, threshold(n), &signers, &MESSAGE, None, &mut rng())
}

pub(crate) fn comparisons() -> Vec<Comparison> {
    let mut all = signing_comparisons::<Ed25519Sha512>();
    all.extend(signing_comparisons::<Secp256K1Sha256>());
    all.extend(signing_comparisons::<Secp256K1Sha256TR>());
    all.extend(dealing_comparisons::<Ed25519Sha512>(300));
    // frost takes half a minute for a receiver's last part at 300.
    all.extend(dealing_comparisons::<Secp256K1Sha256>(100));
    all.extend(dealing_comparisons::<Secp256K1Sha256TR>(100));
    all
}

fn comparison<F: Frost>(op: &'static str, n: u16, make: impl Fn() -> Pair + 'static) -> Comparison {
    Comparison { op, suite: name(F::SUITE), n, reference: "frost-core", make: Box::new(make) }
}

fn signing_comparisons<F: Frost>() -> Vec<Comparison> {
    let mut all = vec![comparison::<F>("commit", 3, commit::<F>), comparison::<F>("verify", 3, verify::<F>)];
    for n in SIZES {
        all.push(comparison::<F>("sign", n, move || sign::<F>(n)));
        all.push(comparison::<F>("aggregate", n, move || aggregate::<F>(n, None)));
        all.push(comparison::<F>("aggregate-cheater", n, move || aggregate::<F>(n, Some(threshold(n).div_ceil(2)))));
    }
    all
}

fn dealing_comparisons<F: Frost>(largest: u16) -> Vec<Comparison> {
    let mut all = Vec::new();
    for n in SIZES {
        all.push(comparison::<F>("deal", n, move || deal::<F>(n)));
        all.push(comparison::<F>("proofs", n, move || proofs::<F>(n)));
    }
    for n in SIZES.into_iter().filter(|n| *n <= largest) {
        all.push(comparison::<F>("receive", n, move || receive::<F>(n)));
        all.push(comparison::<F>("receive-wire", n, move || receive_wire::<F>(n)));
        all.push(comparison::<F>("dkg-member", n, move || dkg_member::<F>(n)));
        all.push(comparison::<F>("refresh", n, move || refresh::<F>(n)));
    }
    all
}

fn commit<F: Frost>() -> Pair {
    let (share, _) = hazmat::random_scalar(F::SUITE, &mut rng());
    let secret = SigningShare::<F>::deserialize(&share).unwrap();
    let work = move |mut rng: ChaCha20Rng| frost_core::round1::commit(&secret, &mut OldRng(&mut rng));
    Pair { ours: ours(hazmat::commit(F::SUITE, &share, [[1; 32], [2; 32]])), theirs: theirs(rng, work) }
}

fn sign<F: Frost>(n: u16) -> Pair {
    let signing = Rc::new(signing::<F>(n));
    let signer = id(1);
    let own = ours(signing.case.sign(signer, &signing.shares[&signer], signing.nonces[&signer]));
    Pair { ours: own, theirs: theirs(move || Rc::clone(&signing), move |signing| signing.frost_sign(signer)) }
}

fn aggregate<F: Frost>(n: u16, cheater: Option<u16>) -> Pair {
    let signing = signing::<F>(n);
    let mut shares = signing.frost_shares();
    if let Some(cheater) = cheater.map(id) {
        let wrong = plus_one(&shares[&cheater]);
        shares.insert(cheater, wrong);
    }
    let own = naming(signing.case.aggregate(&share_bytes(&shares)), &cheater.map(id).into_iter().collect::<Vec<_>>());
    let by_id: BTreeMap<_, _> =
        shares.into_iter().map(|(id, share)| (frost_identifier::<F>(id).unwrap(), share)).collect();
    let known = Rc::new((signing, by_id));
    let work = |known: Rc<(Signing<F>, _)>| F::aggregate(&known.0.frost_package, &known.1, &known.0.frost_public, None);
    Pair { ours: own, theirs: theirs(move || Rc::clone(&known), work) }
}

/// The signature and the key that it verifies under, as verifiers know them.
pub(crate) fn signature<F: Frost>() -> (OurKey, Signature) {
    let signing = signing::<F>(3);
    let aggregate = signing.case.aggregate(&share_bytes(&signing.frost_shares())).unwrap();
    let encode = aggregate()();
    let signature = Signature::from_bytes(F::SUITE, &encode().unwrap()[0]).unwrap();
    let key = GroupKey::from_bytes(F::SUITE, &signing.case.group_key).unwrap().verifying_key(None);
    (key, signature)
}

pub(crate) fn our_verify(key: OurKey, signature: Signature) -> Work {
    theirs(move || (key.clone(), signature.clone()), |(key, signature)| key.verify(&MESSAGE, &signature).unwrap())
}

fn verify<F: Frost>() -> Pair {
    let (key, signature) = signature::<F>();
    let mut bytes = key.as_bytes().to_vec();
    if F::SUITE == Suite::Secp256k1Taproot {
        bytes.insert(0, 2);
    }
    let frost_key = VerifyingKey::<F>::deserialize(&bytes).unwrap();
    let frost_signature = frost_core::Signature::<F>::deserialize(signature.as_bytes()).unwrap();
    let work = move |(): ()| frost_key.verify(&MESSAGE, &frost_signature).unwrap();
    Pair { ours: our_verify(key, signature), theirs: theirs(|| (), work) }
}

fn frost_id<F: Frost>(number: u16) -> FrostIdentifier<F> {
    frost_identifier(id(number)).unwrap()
}

fn deal<F: Frost>(n: u16) -> Pair {
    let work = move |mut rng: ChaCha20Rng| part1::<F, _>(frost_id(1), n, threshold(n), OldRng(&mut rng)).unwrap();
    Pair { ours: ours(hazmat::offer(F::SUITE, threshold(n), rng())), theirs: theirs(rng, work) }
}

fn receive<F: Frost>(n: u16) -> Pair {
    let dealing = Rc::new(Dealing::<F>::new(n, threshold(n), 1, &mut rng()));
    let own = ours(dealing.case.receive());
    Pair { ours: own, theirs: theirs(move || Rc::clone(&dealing), |dealing| dealing.frost_receive().unwrap()) }
}

type Encoded<F> = BTreeMap<FrostIdentifier<F>, (Vec<u8>, Vec<u8>)>;

fn receive_wire<F: Frost>(n: u16) -> Pair {
    let dealing = Dealing::<F>::new(n, threshold(n), 1, &mut rng());
    let own = ours(dealing.case.receive_wire());
    let encode = |(id, package): (&FrostIdentifier<F>, &round1::Package<F>)| {
        (*id, (package.serialize().unwrap(), dealing.round2[id].serialize().unwrap()))
    };
    let encoded: Encoded<F> = dealing.round1.iter().map(encode).collect();
    let known = Rc::new((dealing.secret, encoded));
    let work = |known: Rc<(round2::SecretPackage<F>, Encoded<F>)>| {
        let round1 = |(id, bytes): (&_, &(Vec<u8>, _))| (*id, round1::Package::deserialize(&bytes.0).unwrap());
        let round2 = |(id, bytes): (&_, &(_, Vec<u8>))| (*id, round2::Package::deserialize(&bytes.1).unwrap());
        let (round1, round2) = (known.1.iter().map(round1).collect(), known.1.iter().map(round2).collect());
        part3(&known.0, &round1, &round2).unwrap()
    };
    Pair { ours: own, theirs: theirs(move || Rc::clone(&known), work) }
}

fn proofs<F: Frost>(n: u16) -> Pair {
    let mut rng = rng();
    let packages: Vec<_> = (1..=n)
        .map(|number| (frost_id(number), part1::<F, _>(frost_id(number), n, threshold(n), OldRng(&mut rng)).unwrap().1))
        .collect();
    let packages = Rc::new(packages);
    let work = |packages: Rc<Vec<(FrostIdentifier<F>, round1::Package<F>)>>| {
        for (id, package) in &*packages {
            verify_proof_of_knowledge(*id, package.commitment(), package.proof_of_knowledge()).unwrap();
        }
    };
    let own = ours(hazmat::proofs(F::SUITE, threshold(n), n, None, &mut rng));
    Pair { ours: own, theirs: theirs(move || Rc::clone(&packages), work) }
}

/// What the others send to member 1.
fn encoded_dkg<F: Frost>(n: u16) -> Encoded<F> {
    let mut rng = rng();
    let dealt = |number: u16| {
        let (secret, package) = part1::<F, _>(frost_id(number), n, threshold(n), OldRng(&mut rng)).unwrap();
        let share = SigningShare::<F>::from_coefficients(&secret.coefficients(), frost_id(1));
        let bytes = (package.serialize().unwrap(), round2::Package::new(share).serialize().unwrap());
        (frost_id(number), bytes)
    };
    (2..=n).map(dealt).collect()
}

fn dkg_member<F: Frost>(n: u16) -> Pair {
    let known = Rc::new(encoded_dkg::<F>(n));
    let work = move |known: Rc<Encoded<F>>| {
        let mut rng = rng();
        let (secret, _) = part1::<F, _>(frost_id(1), n, threshold(n), OldRng(&mut rng)).unwrap();
        let round1 = known.iter().map(|(id, bytes)| (*id, round1::Package::deserialize(&bytes.0).unwrap())).collect();
        let (secret, _) = part2(secret, &round1).unwrap();
        let round2 = known.iter().map(|(id, bytes)| (*id, round2::Package::deserialize(&bytes.1).unwrap())).collect();
        part3(&secret, &round1, &round2).unwrap()
    };
    let own = ours(hazmat::dkg_member(F::SUITE, threshold(n), n, rng()));
    Pair { ours: own, theirs: theirs(move || Rc::clone(&known), work) }
}

type Refreshed<F> = (frost_core::keys::PublicKeyPackage<F>, frost_core::keys::KeyPackage<F>, Encoded<F>);

fn refresh<F: Frost>(n: u16) -> Pair {
    let mut seeded = rng();
    let signing = signing::<F>(n);
    let public = frost_public_key_package::<F>(&signing.case.verifying_shares, &signing.case.group_key, threshold(n));
    let own_public = &signing.case.verifying_shares[&id(1)];
    let key = frost_key_package(id(1), &signing.shares[&id(1)], own_public, &signing.case.group_key, threshold(n));
    let dealt = |number: u16| {
        let (secret, package) =
            refresh_dkg_part1::<F, _>(frost_id(number), n, threshold(n), OldRng(&mut seeded)).unwrap();
        let share = SigningShare::<F>::from_coefficients(&secret.coefficients(), frost_id(1));
        (frost_id(number), (package.serialize().unwrap(), round2::Package::new(share).serialize().unwrap()))
    };
    let known = Rc::new((public.unwrap(), key.unwrap(), (2..=n).map(dealt).collect::<Encoded<F>>()));
    let work = move |known: Rc<Refreshed<F>>| {
        let mut rng = rng();
        let (public, key, encoded) = &*known;
        let (secret, _) = refresh_dkg_part1::<F, _>(frost_id(1), n, threshold(n), OldRng(&mut rng)).unwrap();
        let round1 = encoded.iter().map(|(id, bytes)| (*id, round1::Package::deserialize(&bytes.0).unwrap())).collect();
        let (secret, _) = refresh_dkg_part2(secret, &round1).unwrap();
        let round2 = encoded.iter().map(|(id, bytes)| (*id, round2::Package::deserialize(&bytes.1).unwrap())).collect();
        refresh_dkg_shares(&secret, &round1, &round2, public.clone(), key.clone()).unwrap()
    };
    let own = ours(hazmat::refresh_member(F::SUITE, threshold(n), n, rng()));
    Pair { ours: own, theirs: theirs(move || Rc::clone(&known), work) }
}
