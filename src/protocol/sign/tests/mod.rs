//! Signing against the published vectors, against frost, and against those who cheat.

mod attacks;
#[cfg(feature = "hazmat")]
mod frost;
mod vectors;

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;

use super::*;
use crate::protocol::polynomial::evaluate;
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};
use crate::wire::Identifier;

fn id(number: u16) -> Identifier {
    Identifier::new(number).unwrap()
}

type RoundOne<C> = (BTreeMap<Identifier, Nonces<C>>, BTreeMap<Identifier, Commitments<C>>);

/// What a dealer would hold.
struct Group<C: Ciphersuite> {
    coefficients: Vec<C::Scalar>,
    key: C::Element,
    verifying_shares: BTreeMap<Identifier, C::Element>,
}

impl<C: Ciphersuite> Group<C> {
    fn new(coefficients: Vec<C::Scalar>, members: impl IntoIterator<Item = u16>) -> Self {
        let key = C::Element::mul_base(&coefficients[0]);
        let public = |number| (id(number), C::Element::mul_base(&evaluate(&coefficients, id(number))));
        let verifying_shares = members.into_iter().map(public).collect();
        Self { coefficients, key, verifying_shares }
    }

    fn random<R: CryptoRng>(threshold: usize, members: &[u16], rng: &mut R) -> Self {
        Self::new((0..threshold).map(|_| Scalar::random(rng)).collect(), members.iter().copied())
    }

    fn share(&self, id: Identifier) -> Secret<C::Scalar> {
        Secret::new(evaluate(&self.coefficients, id))
    }

    /// Nonces of these signers, and their commitments.
    fn round_one<R: CryptoRng>(&self, signers: &[u16], rng: &mut R) -> RoundOne<C> {
        let nonces: BTreeMap<_, _> =
            signers.iter().map(|number| (id(*number), Nonces::generate(&self.share(id(*number)), rng))).collect();
        let commitments = nonces.iter().map(|(id, nonces)| (*id, *nonces.commitments())).collect();
        (nonces, commitments)
    }

    fn round_two(
        &self,
        package: &SigningPackage<C>,
        nonces: BTreeMap<Identifier, Nonces<C>>,
    ) -> BTreeMap<Identifier, SignatureShare<C>> {
        nonces.into_iter().map(|(id, nonces)| (id, sign(package, nonces, &self.share(id), id).unwrap())).collect()
    }
}

fn ids(numbers: &[u16]) -> BTreeSet<Identifier> {
    numbers.iter().map(|number| id(*number)).collect()
}
