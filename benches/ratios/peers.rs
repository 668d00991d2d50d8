//! Signing against givre 0.3 and, for taproot, `schnorr_fun` 0.13, each with keys of its own.

use std::collections::BTreeMap;
use std::rc::Rc;

use frost_ed25519::Ed25519Sha512;
use frost_secp256k1::Secp256K1Sha256;
use frost_secp256k1_tr::Secp256K1Sha256TR;
use givre::ciphersuite::{Bitcoin, Ciphersuite, Ed25519, Secp256k1};
use givre::signing::aggregate::AggregateOptions;
use givre::signing::round1::{self, PublicCommitments, SecretNonces};
use givre::signing::round2::{SigShare, SigningOptions};
use givre::{KeyShare, SignerIndex};
use quorumkey::hazmat::{commit, random_scalar};
use schnorr_fun::Message;
use schnorr_fun::frost::chilldkg::simplepedpop::simulate_keygen;
use schnorr_fun::frost::{self, NonceKeyPair, PairedSecretShare, ShareIndex, SharedKey};
use schnorr_fun::fun::marker::EvenY;
use sha2_10::Sha256;

use crate::frost::{Frost, OldRng, id, share_bytes};
use crate::reference::{MESSAGE, SIZES, name, rng, signing};
use crate::{Comparison, Pair, Work, ours, theirs, threshold};

pub(crate) fn comparisons() -> Vec<Comparison> {
    let mut all = givre_comparisons::<Ed25519Sha512, Ed25519>();
    all.extend(givre_comparisons::<Secp256K1Sha256, Secp256k1>());
    all.extend(givre_comparisons::<Secp256K1Sha256TR, Bitcoin>());
    // Its key generation, which is not measured, takes long above that.
    for n in SIZES.into_iter().filter(|n| *n <= 50) {
        all.push(comparison::<Secp256K1Sha256TR>("sign", "schnorr_fun", n, move || fun_sign(n)));
        all.push(comparison::<Secp256K1Sha256TR>("aggregate", "schnorr_fun", n, move || fun_aggregate(n)));
    }
    all
}

fn comparison<F: Frost>(
    op: &'static str,
    reference: &'static str,
    n: u16,
    make: impl Fn() -> Pair + 'static,
) -> Comparison {
    Comparison { op, suite: name(F::SUITE), n, reference, make: Box::new(make) }
}

fn our_commit<F: Frost>() -> Work {
    ours(commit(F::SUITE, &random_scalar(F::SUITE, &mut rng()).0, [[1; 32], [2; 32]]))
}

fn our_sign<F: Frost>(n: u16) -> Work {
    let signing = signing::<F>(n);
    ours(signing.case.sign(id(1), &signing.shares[&id(1)], signing.nonces[&id(1)]))
}

fn our_aggregate<F: Frost>(n: u16) -> Work {
    let signing = signing::<F>(n);
    ours(signing.case.aggregate(&share_bytes(&signing.frost_shares())))
}

fn givre_comparisons<F: Frost, G: Ciphersuite + 'static>() -> Vec<Comparison> {
    let mut all = vec![comparison::<F>("commit", "givre", 3, || {
        let givre = Rc::new(Givre::<G>::new(3, &mut rng()));
        let prepare = move || (Rc::clone(&givre), rng());
        let work = |(givre, mut rng): (Rc<Givre<G>>, _)| round1::commit::<G>(&mut OldRng(&mut rng), &givre.shares[0].x);
        Pair { ours: our_commit::<F>(), theirs: theirs(prepare, work) }
    })];
    // Above that its key generation, which is not measured, takes half an hour for one figure.
    for n in SIZES.into_iter().filter(|n| *n <= 100) {
        all.push(comparison::<F>("sign", "givre", n, move || {
            let givre = Rc::new(Givre::<G>::new(n, &mut rng()));
            let nonces = Rc::clone(&givre);
            let prepare = move || (Rc::clone(&givre), nonces.nonces[0].clone());
            Pair { ours: our_sign::<F>(n), theirs: theirs(prepare, |(givre, nonces)| givre.sign(0, nonces)) }
        }));
        all.push(comparison::<F>("aggregate", "givre", n, move || {
            let givre = Givre::<G>::new(n, &mut rng());
            let shares = givre.signature_shares();
            let known = Rc::new((givre, shares));
            let work = |known: Rc<(Givre<G>, Vec<_>)>| known.0.aggregate(&known.1);
            Pair { ours: our_aggregate::<F>(n), theirs: theirs(move || Rc::clone(&known), work) }
        }));
    }
    all
}

struct Givre<G: Ciphersuite> {
    shares: Vec<KeyShare<G::Curve>>,
    nonces: Vec<SecretNonces<G::Curve>>,
    signers: Vec<(SignerIndex, PublicCommitments<G::Curve>)>,
}

type SignerShare<G> = (SignerIndex, PublicCommitments<<G as Ciphersuite>::Curve>, SigShare<<G as Ciphersuite>::Curve>);

impl<G: Ciphersuite> Givre<G> {
    fn new(n: u16, rng: &mut rand_chacha::ChaCha20Rng) -> Self {
        let builder = givre::trusted_dealer::builder::<G::Curve>(n).set_threshold(Some(threshold(n)));
        let shares = builder.generate_shares(&mut OldRng(rng)).unwrap();
        let committed: Vec<_> = shares
            .iter()
            .take(usize::from(threshold(n)))
            .map(|share| round1::commit::<G>(&mut OldRng(rng), &share.x))
            .collect();
        let signers = (0..).zip(committed.iter().map(|(_, public)| *public)).collect();
        Self { shares, nonces: committed.into_iter().map(|(nonces, _)| nonces).collect(), signers }
    }

    fn sign(&self, signer: usize, nonces: SecretNonces<G::Curve>) -> SigShare<G::Curve> {
        let options = SigningOptions::<G>::new(&self.shares[signer], nonces, &MESSAGE, &self.signers);
        let options = if G::IS_TAPROOT { options.set_taproot_tweak(None).unwrap() } else { options };
        options.sign().unwrap()
    }

    fn signature_shares(&self) -> Vec<SignerShare<G>> {
        let share = |(place, (index, public)): (usize, &(SignerIndex, PublicCommitments<G::Curve>))| {
            (*index, *public, self.sign(place, self.nonces[place].clone()))
        };
        self.signers.iter().enumerate().map(share).collect()
    }

    fn aggregate(&self, shares: &[SignerShare<G>]) -> givre::signing::aggregate::Signature<G> {
        let options = AggregateOptions::<G>::new(self.shares[0].as_ref(), shares, &MESSAGE);
        let options = if G::IS_TAPROOT { options.set_taproot_tweak(None).unwrap() } else { options };
        options.aggregate().unwrap()
    }
}

struct Fun {
    frost: frost::Frost<Sha256, schnorr_fun::nonce::Deterministic<Sha256>>,
    key: SharedKey<EvenY>,
    shares: Vec<PairedSecretShare<EvenY>>,
    nonces: BTreeMap<ShareIndex, NonceKeyPair>,
}

impl Fun {
    fn new(n: u16) -> Self {
        let mut rng = rng();
        let frost = frost::new_with_deterministic_nonces::<Sha256>();
        let (t, n) = (u32::from(threshold(n)), u32::from(n));
        let (key, shares) = simulate_keygen(&frost.schnorr, t, n, 0, &mut OldRng(&mut rng));
        let (key, shares) = (key.into_xonly(), shares.into_iter().map(PairedSecretShare::into_xonly));
        let shares: Vec<_> = shares.take(usize::try_from(t).unwrap()).collect();
        let nonces = shares.iter().map(|share| (share.index(), frost.gen_nonce(&mut OldRng(&mut rng)))).collect();
        Self { frost, key, shares, nonces }
    }

    fn public_nonces(&self) -> BTreeMap<ShareIndex, frost::Nonce> {
        self.nonces.iter().map(|(index, nonce)| (*index, nonce.public())).collect()
    }

    fn sign(&self, share: &PairedSecretShare<EvenY>) -> frost::SignatureShare {
        let nonces = self.nonces.values().map(NonceKeyPair::public);
        let session = self.frost.party_sign_session(
            self.key.public_key(),
            self.nonces.keys().copied().collect(),
            self.frost.aggregate_binonces(nonces),
            Message::raw(&MESSAGE),
        );
        session.sign(share, self.nonces[&share.index()].clone())
    }
}

fn fun_sign(n: u16) -> Pair {
    let fun = Rc::new(Fun::new(n));
    let work = |fun: Rc<Fun>| fun.sign(&fun.shares[0]);
    Pair { ours: our_sign::<Secp256K1Sha256TR>(n), theirs: theirs(move || Rc::clone(&fun), work) }
}

fn fun_aggregate(n: u16) -> Pair {
    let fun = Fun::new(n);
    let shares: Vec<_> = fun.shares.iter().map(|share| fun.sign(share)).collect();
    let known = Rc::new((fun, shares));
    let prepare = move || (Rc::clone(&known), known.0.public_nonces());
    let work = |(known, nonces): (Rc<(Fun, Vec<_>)>, _)| {
        let message = Message::raw(&MESSAGE);
        let session = known.0.frost.coordinator_sign_session(&known.0.key, nonces, message);
        let signature = session.combine_signature_shares(known.1.iter().copied());
        assert!(known.0.frost.schnorr.verify(&known.0.key.public_key(), message, &signature));
        signature
    };
    Pair { ours: our_aggregate::<Secp256K1Sha256TR>(n), theirs: theirs(prepare, work) }
}
