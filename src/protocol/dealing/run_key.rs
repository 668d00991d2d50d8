//! The key of one member for one dealing.

use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{DealingError, Hedge, Proof};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};

/// Keeps a proof of possession apart from a transcript's signature: no transcript begins like this.
const POSSESSION: &[u8] = b"quorumkey/run-key/v1";

/// COCKTAIL-DKG's static key pair, made anew for each dealing: a long-lived one would let the copy of a token read
/// every later refresh.
pub(crate) struct RunKey<C: Ciphersuite> {
    secret: Secret<C::Scalar>,
    public: C::Element,
}

impl<C: Ciphersuite> RunKey<C> {
    /// A new key.
    pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self::from_secret(Secret::new(C::Scalar::random(rng)))
    }

    /// The key of that secret; `None` unless the bytes are a canonical scalar that is not zero.
    #[cfg(any(test, feature = "hazmat"))]
    pub(crate) fn from_secret_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let key = Self::from_secret(Secret::new(C::Scalar::from_bytes(bytes)?));
        if key.public.is_identity() { None } else { Some(key) }
    }

    fn from_secret(secret: Secret<C::Scalar>) -> Self {
        let public = C::Element::mul_base(secret.expose());
        Self { secret, public }
    }

    /// The secret, to be stored sealed.
    pub(crate) fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.expose().to_bytes())
    }

    /// The public half.
    pub(crate) const fn public(&self) -> &C::Element {
        &self.public
    }

    /// For who watches what becomes of it.
    #[cfg(feature = "hazmat")]
    pub(crate) fn secret_mut(&mut self) -> &mut C::Scalar {
        self.secret.expose_mut()
    }

    pub(crate) const fn secret(&self) -> &Secret<C::Scalar> {
        &self.secret
    }

    /// Proves that the secret is known, over whatever the proof is to be bound to.
    pub(crate) fn prove(&self, statement: &[u8], hedge: Hedge<'_>) -> Result<Proof<C>, DealingError> {
        Proof::sign(&self.secret, &self.public, &[POSSESSION, statement].concat(), hedge)
    }

    /// Whether the proof is one of this public run key over this statement.
    pub(crate) fn verify_possession(public: &C::Element, statement: &[u8], proof: &Proof<C>) -> bool {
        !public.is_identity() && proof.verify(public, &[POSSESSION, statement].concat())
    }
}

impl<C: Ciphersuite> fmt::Debug for RunKey<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunKey").field("public", &self.public).finish_non_exhaustive()
    }
}
