//! Proof that two shared points come from one run key (Chaum and Pedersen), without giving the key away.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::schnorr::fresh;
use super::{DealingError, RunKey};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};
use crate::wire::Writer;

const TAG: &[u8] = b"quorumkey/dleq/v1";

/// What is proven: `products[k]` is the secret of `key` times `bases[k]`, for both k by one and the same secret.
#[derive(Clone, Debug)]
pub(super) struct Statement<'a, C: Ciphersuite> {
    /// What else the proof is bound to.
    pub(super) binding: &'a [u8],
    pub(super) key: C::Element,
    pub(super) bases: [C::Element; 2],
    pub(super) products: [C::Element; 2],
}

/// One challenge and one response for the three equations: key, first product, second product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EqualityProof<C: Ciphersuite> {
    challenge: C::Scalar,
    response: C::Scalar,
}

impl<C: Ciphersuite> EqualityProof<C> {
    pub(super) fn prove<R: CryptoRng + ?Sized>(
        statement: &Statement<'_, C>,
        run_key: &RunKey<C>,
        rng: &mut R,
    ) -> Result<Self, DealingError> {
        let random = fresh(rng);
        let secret = run_key.secret_bytes();
        let message = statement.encode();
        let nonce = Secret::new(C::cocktail_nonce(&[secret.as_slice(), random.as_slice(), &message]));
        if *nonce.expose() == C::Scalar::ZERO {
            return Err(DealingError::Nonce);
        }
        let [first, second] = statement.bases;
        let commitments = [C::Element::mul_base(nonce.expose()), first * *nonce.expose(), second * *nonce.expose()];
        let challenge = challenge::<C>(&message, &commitments);
        let product = Zeroizing::new(challenge * *run_key.secret().expose());
        Ok(Self { challenge, response: *nonce.expose() + *product })
    }

    pub(super) fn verify(&self, statement: &Statement<'_, C>) -> bool {
        let [first, second] = statement.bases;
        let [first_product, second_product] = statement.products;
        let equations = [(C::Element::generator(), statement.key), (first, first_product), (second, second_product)];
        let commitments = equations.map(|(base, product)| {
            C::Element::vartime_sum_of_products(&[(self.response, base), (-self.challenge, product)])
        });
        challenge::<C>(&statement.encode(), &commitments) == self.challenge
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [self.challenge.to_bytes(), self.response.to_bytes()].concat()
    }

    pub(super) fn decode(challenge: &[u8; 32], response: &[u8; 32]) -> Option<Self> {
        Some(Self { challenge: C::Scalar::from_bytes(challenge)?, response: C::Scalar::from_bytes(response)? })
    }
}

impl<C: Ciphersuite> Statement<'_, C> {
    fn encode(&self) -> Vec<u8> {
        // A signature's challenge begins with a nonce commitment, which is never the identity: no input is both.
        let mut writer = Writer::new();
        writer.raw(&C::Element::IDENTITY.to_bytes()).bytes(TAG).u8(C::SUITE.code()).bytes(self.binding);
        let points = [self.key].into_iter().chain(self.bases).chain(self.products);
        points.for_each(|point| _ = writer.raw(&point.to_bytes()));
        writer.finish()
    }
}

fn challenge<C: Ciphersuite>(message: &[u8], commitments: &[C::Element; 3]) -> C::Scalar {
    let commitments: Vec<u8> = commitments.iter().flat_map(Element::to_bytes).collect();
    C::cocktail_challenge(&[message, &commitments])
}
