//! COCKTAIL-DKG's Schnorr signatures: proofs of possession and signatures on transcripts.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::DealingError;
use crate::guard::unless_off;
use crate::protocol::batch::multiples;
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};

/// What enters a nonce besides the secret and the message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hedge<'a> {
    /// Nothing, as in the official test vectors. A fault during signing may give the secret away.
    #[cfg_attr(not(any(test, feature = "hazmat")), allow(dead_code))]
    Deterministic,
    /// Fresh randomness (COCKTAIL-DKG, "Schnorr Security Notes", fault injection).
    Mixed(&'a [u8; 32]),
}

/// 32 bytes for [`Hedge::Mixed`].
pub(super) fn fresh<R: CryptoRng + ?Sized>(rng: &mut R) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(bytes.as_mut());
    bytes
}

/// A Schnorr signature; over a key's own statement it is a proof of possession.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof<C: Ciphersuite> {
    commitment: C::Element,
    response: C::Scalar,
}

impl<C: Ciphersuite> Proof<C> {
    /// Bytes of the encoding: 64 or 65.
    pub(crate) const LEN: usize = C::Element::LEN + 32;

    /// Signs; `public` is `secret` times the generator.
    pub(crate) fn sign(
        secret: &Secret<C::Scalar>,
        public: &C::Element,
        message: &[u8],
        hedge: Hedge<'_>,
    ) -> Result<Self, DealingError> {
        let nonce = nonce::<C>(secret, message, hedge);
        if *nonce.expose() == C::Scalar::ZERO {
            return Err(DealingError::Nonce);
        }
        let commitment = C::Element::mul_base(nonce.expose());
        let challenge = challenge::<C>(&commitment, public, message);
        Ok(Self { commitment, response: *nonce.expose() + challenge * *secret.expose() })
    }

    /// Whether this is a signature of `key` on the message.
    pub(crate) fn verify(&self, key: &C::Element, message: &[u8]) -> bool {
        let challenge = challenge::<C>(&self.commitment, key, message);
        C::Element::vartime_mul_base_add(&self.response, &-challenge, key) == self.commitment
    }

    /// Whether each is a signature of its key: one sum of products for all of them.
    pub(crate) fn verify_all(signed: &[Signed<C>]) -> bool {
        // A challenge binds commitment, key and message.
        let about = |scalar: fn(&Signed<C>) -> C::Scalar| -> Vec<u8> {
            signed.iter().flat_map(|one| scalar(one).to_bytes()).collect()
        };
        let (challenges, responses) = (about(|one| one.challenge), about(|one| one.proof.response));
        let multiples = multiples::<C::Scalar>(&[&challenges, &responses], signed.len());
        let mut base = C::Scalar::ZERO;
        let mut terms = Vec::with_capacity(2 * signed.len());
        for (one, multiple) in signed.iter().zip(multiples) {
            base = base + multiple * one.proof.response;
            terms.extend([(multiple * one.challenge, -one.key), (multiple, -one.proof.commitment)]);
        }
        C::Element::vartime_mul_base_add_sum(&base, &terms).is_identity()
    }

    /// The signature of these two parts.
    pub(super) const fn from_parts(commitment: C::Element, response: C::Scalar) -> Self {
        Self { commitment, response }
    }

    /// The commitment point, then the response.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.commitment.to_bytes();
        bytes.extend_from_slice(&self.response.to_bytes());
        bytes
    }

    /// The one encoding of a signature; `None` for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (commitment, response) = bytes.split_at_checked(C::Element::LEN)?;
        Some(Self {
            commitment: C::Element::from_bytes(commitment)?,
            response: C::Scalar::from_bytes(response.try_into().ok()?)?,
        })
    }

    /// The nonce commitment.
    #[cfg(feature = "hazmat")]
    pub(crate) const fn commitment(&self) -> &C::Element {
        &self.commitment
    }
}

/// A signature with the [`challenge`] of what it is said to sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<C: Ciphersuite> {
    pub(crate) proof: Proof<C>,
    pub(crate) key: C::Element,
    pub(crate) challenge: C::Scalar,
}

/// COCKTAIL-DKG, "Schnorr Sign Algorithm", step 2; fresh randomness stands between secret and message.
pub(crate) fn nonce<C: Ciphersuite>(secret: &Secret<C::Scalar>, message: &[u8], hedge: Hedge<'_>) -> Secret<C::Scalar> {
    let secret = Zeroizing::new(secret.expose().to_bytes());
    Secret::new(match hedge {
        Hedge::Deterministic => C::cocktail_nonce(&[secret.as_slice(), message]),
        Hedge::Mixed(random) => {
            let random = unless_off!(NonceMixedWithRandomness, random.as_slice(), &[]);
            C::cocktail_nonce(&[secret.as_slice(), random, message])
        }
    })
}

/// COCKTAIL-DKG, "Schnorr Sign Algorithm", step 5.
pub(crate) fn challenge<C: Ciphersuite>(commitment: &C::Element, key: &C::Element, message: &[u8]) -> C::Scalar {
    C::cocktail_challenge(&[&C::Element::batch_to_bytes(&[*commitment, *key]).concat(), message])
}

/// [`challenge`] of encoded points and a message in parts.
pub(super) fn challenge_of<C: Ciphersuite>(commitment: &[u8], key: &[u8], message: &[&[u8]]) -> C::Scalar {
    C::cocktail_challenge(&[&[commitment, key], message].concat())
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn what_is_mixed_into_a_nonce_is_drawn_anew_each_time() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        assert_ne!(fresh(&mut rng), fresh(&mut rng));
    }
}
