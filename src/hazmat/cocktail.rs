//! COCKTAIL-DKG with everything given that would be random.
//!
//! # Security
//!
//! What comes out of here includes secrets in ordinary memory.

use rand_core::CryptoRng;

use crate::Suite;
use crate::protocol::dealing;
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Ed25519, Element, Scalar, Secp256k1, Taproot};
use crate::wire::Identifier;

/// A COCKTAIL-DKG run of all participants in one process, with deterministic nonces.
#[derive(Clone, Debug)]
pub struct CocktailRun<'a> {
    /// The suite.
    pub suite: Suite,
    /// How many shares make a signature.
    pub threshold: u16,
    /// What the context is made from, besides suite and participants.
    pub session_id: &'a [u8],
    /// The static secret key of each participant.
    pub static_secrets: &'a [[u8; 32]],
    /// What each participant sends along with its shares; all of one length.
    pub payloads: &'a [Vec<u8>],
    /// The transcript's extension.
    pub extension: &'a [u8],
}

/// Everything that a [`CocktailRun`] computes, each list in the order of participants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CocktailFigures {
    /// The context.
    pub context: Vec<u8>,
    /// The public halves of the static keys.
    pub static_public_keys: Vec<Vec<u8>>,
    /// Round 1.
    pub rounds: Vec<CocktailRound>,
    /// The long-lived share of each participant.
    pub shares: Vec<Vec<u8>>,
    /// Each share times the generator.
    pub verifying_shares: Vec<Vec<u8>>,
    /// The transcript.
    pub transcript: Vec<u8>,
    /// Its hash.
    pub transcript_hash: Vec<u8>,
    /// The signature of each participant on it.
    pub signatures: Vec<Vec<u8>>,
    /// The group's key.
    pub group_key: Vec<u8>,
}

/// What one participant sends in round 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CocktailRound {
    /// The message.
    pub message: Vec<u8>,
    /// The committed coefficients.
    pub commitment: Vec<Vec<u8>>,
    /// The ephemeral public key.
    pub ephemeral: Vec<u8>,
    /// What the proof of possession signs.
    pub possession_message: Vec<u8>,
    /// The proof of possession.
    pub proof: Vec<u8>,
    /// The ciphertext for each participant.
    pub ciphertexts: Vec<Vec<u8>>,
}

/// A deterministic signature of COCKTAIL-DKG's and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CocktailSignature {
    /// The secret nonce.
    pub nonce: Vec<u8>,
    /// The nonce times the generator.
    pub nonce_commitment: Vec<u8>,
    /// The challenge.
    pub challenge: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// What a participant gets back by recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CocktailRecovery {
    /// The share.
    pub share: Vec<u8>,
    /// The verifying share.
    pub verifying_share: Vec<u8>,
    /// The group's key.
    pub group_key: Vec<u8>,
}

/// Runs the protocol; participant *i* draws its coefficients and then its ephemeral key from `rngs[i - 1]`.
///
/// # Errors
///
/// A description of the step that failed.
pub fn cocktail_dkg<R: CryptoRng>(run: &CocktailRun<'_>, rngs: &mut [R]) -> Result<CocktailFigures, String> {
    match run.suite {
        Suite::Ed25519 => dkg::<Ed25519, R>(run, rngs),
        Suite::Secp256k1 => dkg::<Secp256k1, R>(run, rngs),
        Suite::Secp256k1Taproot => dkg::<Taproot, R>(run, rngs),
    }
    .map_err(|error| error.to_string())
}

/// Signs deterministically as in a proof of possession; `None` for a secret that is no canonical scalar.
pub fn cocktail_sign(suite: Suite, secret: &[u8; 32], message: &[u8]) -> Option<CocktailSignature> {
    match suite {
        Suite::Ed25519 => sign::<Ed25519>(secret, message),
        Suite::Secp256k1 => sign::<Secp256k1>(secret, message),
        Suite::Secp256k1Taproot => sign::<Taproot>(secret, message),
    }
}

/// Recovers a share from the static secret key, the transcript, all signatures on it one after the other, and the
/// framed ciphertexts to this participant one after the other.
///
/// # Errors
///
/// A description of the check that failed.
pub fn cocktail_recover(
    suite: Suite,
    static_secret: &[u8; 32],
    transcript: &[u8],
    signatures: &[u8],
    bundle: &[u8],
) -> Result<CocktailRecovery, String> {
    match suite {
        Suite::Ed25519 => recover::<Ed25519>(static_secret, transcript, signatures, bundle),
        Suite::Secp256k1 => recover::<Secp256k1>(static_secret, transcript, signatures, bundle),
        Suite::Secp256k1Taproot => recover::<Taproot>(static_secret, transcript, signatures, bundle),
    }
    .map_err(|error| error.to_string())
}

fn dkg<C: Ciphersuite, R: CryptoRng>(
    run: &CocktailRun<'_>,
    rngs: &mut [R],
) -> Result<CocktailFigures, dealing::DealingError> {
    let mut participants = Vec::new();
    let mut keys = Vec::new();
    for (number, secret) in (1..).zip(run.static_secrets) {
        let id = Identifier::new(number).ok_or(dealing::DealingError::Setup("too many participants"))?;
        let key = dealing::RunKey::<C>::from_secret_bytes(secret).ok_or(dealing::DealingError::RunKey)?;
        participants.push(dealing::Participant { id, run_key: *key.public() });
        keys.push((id, key));
    }
    let context = dealing::cocktail_context(run.session_id, &participants);
    let ceremony =
        dealing::Ceremony::new(context.clone(), run.threshold, participants.clone(), participants.clone(), None)?;
    let hedge = dealing::Hedge::Deterministic;
    let mut deals = std::collections::BTreeMap::new();
    for (((id, key), payload), rng) in keys.iter().zip(run.payloads).zip(rngs) {
        let sent = dealing::deal(&ceremony, *id, key, None, payload, rng, hedge)?.encode();
        let deal = dealing::Deal::<C>::decode(&sent, run.threshold, participants.len(), payload.len())?;
        dealing::check(&ceremony, *id, &deal)?;
        deals.insert(*id, deal);
    }
    let mut received = Vec::new();
    for (id, key) in &keys {
        let mut opened = Vec::new();
        for (dealer, deal) in &deals {
            opened.push((*dealer, dealing::open(&ceremony, *id, key, *dealer, deal)?));
        }
        received.push(dealing::combine(&ceremony, *id, opened, &deals)?);
    }
    let transcript = dealing::transcript(&ceremony, &deals, run.extension)?;
    let mut signatures = Vec::new();
    for (_, key) in &keys {
        signatures.push(dealing::sign_transcript(key, &transcript, hedge)?.encode());
    }
    let encode = |points: &[C::Element]| points.iter().map(Element::to_bytes).collect::<Vec<_>>();
    let dealing::GroupKeys { group_key, verifying_shares } =
        dealing::ParsedTranscript::<C>::parse(&transcript)?.group_keys()?;
    Ok(CocktailFigures {
        static_public_keys: encode(&keys.iter().map(|(_, key)| *key.public()).collect::<Vec<_>>()),
        rounds: deals.values().map(|deal| round(&context, deal)).collect(),
        shares: received.iter().map(|received| received.share.expose().to_bytes().to_vec()).collect(),
        verifying_shares: encode(&verifying_shares.into_values().collect::<Vec<_>>()),
        transcript_hash: C::hash(&[&transcript]),
        context,
        transcript,
        signatures,
        group_key: group_key.to_bytes(),
    })
}

fn round<C: Ciphersuite>(context: &[u8], deal: &dealing::Deal<C>) -> CocktailRound {
    let offer = &deal.offer;
    CocktailRound {
        message: deal.encode(),
        commitment: offer.commitment.iter().map(Element::to_bytes).collect(),
        ephemeral: offer.ephemeral.to_bytes(),
        possession_message: dealing::Offer::<C>::possession_message(context, &offer.commitment, &offer.ephemeral),
        proof: offer.proof.encode(),
        ciphertexts: deal.ciphertexts.clone(),
    }
}

fn sign<C: Ciphersuite>(secret: &[u8; 32], message: &[u8]) -> Option<CocktailSignature> {
    let secret = Secret::new(C::Scalar::from_bytes(secret)?);
    let public = C::Element::mul_base(secret.expose());
    let hedge = dealing::Hedge::Deterministic;
    let signature = dealing::Proof::<C>::sign(&secret, &public, message, hedge).ok()?;
    Some(CocktailSignature {
        nonce: dealing::nonce::<C>(&secret, message, hedge).expose().to_bytes().to_vec(),
        nonce_commitment: signature.commitment().to_bytes(),
        challenge: dealing::challenge::<C>(signature.commitment(), &public, message).to_bytes().to_vec(),
        signature: signature.encode(),
    })
}

fn recover<C: Ciphersuite>(
    static_secret: &[u8; 32],
    transcript: &[u8],
    signatures: &[u8],
    bundle: &[u8],
) -> Result<CocktailRecovery, dealing::DealingError> {
    let key = dealing::RunKey::<C>::from_secret_bytes(static_secret).ok_or(dealing::DealingError::RunKey)?;
    let received = dealing::recover(&key, transcript, signatures, bundle)?;
    let verifying_share = received.verifying_shares.get(&received.id).ok_or(dealing::DealingError::Inconsistent)?;
    Ok(CocktailRecovery {
        share: received.share.expose().to_bytes().to_vec(),
        verifying_share: verifying_share.to_bytes(),
        group_key: received.group_key.to_bytes(),
    })
}
