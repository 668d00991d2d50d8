//! COCKTAIL-DKG's Schnorr signatures: proofs of possession and signatures on transcripts.

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::DealingError;
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
        if bool::from(nonce.expose().ct_eq(&C::Scalar::ZERO)) {
            return Err(DealingError::Nonce);
        }
        let commitment = C::Element::mul_base(nonce.expose());
        let challenge = challenge::<C>(&commitment, public, message);
        Ok(Self { commitment, response: *nonce.expose() + challenge * *secret.expose() })
    }

    /// Whether this is a signature of `key` on the message.
    pub(crate) fn verify(&self, key: &C::Element, message: &[u8]) -> bool {
        let challenge = challenge::<C>(&self.commitment, key, message);
        let expected = [(self.response, C::Element::generator()), (-challenge, *key)];
        C::Element::vartime_sum_of_products(&expected) == self.commitment
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

/// COCKTAIL-DKG, "Schnorr Sign Algorithm", step 2; fresh randomness stands between secret and message.
pub(crate) fn nonce<C: Ciphersuite>(secret: &Secret<C::Scalar>, message: &[u8], hedge: Hedge<'_>) -> Secret<C::Scalar> {
    let secret = Zeroizing::new(secret.expose().to_bytes());
    Secret::new(match hedge {
        Hedge::Deterministic => C::cocktail_nonce(&[secret.as_slice(), message]),
        Hedge::Mixed(random) => C::cocktail_nonce(&[secret.as_slice(), random, message]),
    })
}

/// COCKTAIL-DKG, "Schnorr Sign Algorithm", step 5.
pub(crate) fn challenge<C: Ciphersuite>(commitment: &C::Element, key: &C::Element, message: &[u8]) -> C::Scalar {
    C::cocktail_challenge(&[&commitment.to_bytes(), &key.to_bytes(), message])
}
