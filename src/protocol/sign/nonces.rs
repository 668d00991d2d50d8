//! The nonces of one signature share, and the commitments to them.

use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};

/// The secret nonces of one member for one signature. Consumed by signing; there is no second use and no copy.
pub(crate) struct Nonces<C: Ciphersuite> {
    pub(super) hiding: Secret<C::Scalar>,
    pub(super) binding: Secret<C::Scalar>,
    commitments: Commitments<C>,
}

impl<C: Ciphersuite> Nonces<C> {
    /// RFC 9591, Section 5.1: fresh nonces, hedged with the share against a weak source of randomness.
    pub(crate) fn generate<R: CryptoRng + ?Sized>(share: &Secret<C::Scalar>, rng: &mut R) -> Self {
        let mut randomness = Zeroizing::new([[0; 32]; 2]);
        let [hiding, binding] = &mut *randomness;
        rng.fill_bytes(hiding);
        rng.fill_bytes(binding);
        Self::from_randomness(share, hiding, binding)
    }

    /// The inner door for test vectors.
    pub(crate) fn from_randomness(share: &Secret<C::Scalar>, hiding: &[u8; 32], binding: &[u8; 32]) -> Self {
        Self::from_scalars(hedged::<C>(share, hiding), hedged::<C>(share, binding))
    }

    pub(crate) fn from_scalars(hiding: Secret<C::Scalar>, binding: Secret<C::Scalar>) -> Self {
        let commitments =
            Commitments::new(C::Element::mul_base(hiding.expose()), C::Element::mul_base(binding.expose()));
        Self { hiding, binding, commitments }
    }

    #[cfg(feature = "hazmat")]
    pub(crate) fn to_bytes(&self) -> [[u8; 32]; 2] {
        [self.hiding.expose().to_bytes(), self.binding.expose().to_bytes()]
    }

    /// What the others get to see.
    pub(crate) const fn commitments(&self) -> &Commitments<C> {
        &self.commitments
    }

    /// These nonces, for a comparison with another implementation.
    #[cfg(feature = "hazmat")]
    pub(crate) fn given(hiding: Secret<C::Scalar>, binding: Secret<C::Scalar>) -> Self {
        Self::from_scalars(hiding, binding)
    }

    /// For who watches what becomes of them.
    #[cfg(feature = "hazmat")]
    pub(crate) fn secrets_mut(&mut self) -> [&mut C::Scalar; 2] {
        [self.hiding.expose_mut(), self.binding.expose_mut()]
    }

    /// RFC 9591, Section 5.2: `hiding_nonce + binding_nonce * binding_factor`, and the nonces are gone.
    pub(super) fn combine(self, binding_factor: &C::Scalar) -> Zeroizing<C::Scalar> {
        Zeroizing::new(*self.hiding.expose() + *self.binding.expose() * *binding_factor)
    }
}

/// RFC 9591, Section 4.1: `nonce_generate`.
fn hedged<C: Ciphersuite>(share: &Secret<C::Scalar>, randomness: &[u8; 32]) -> Secret<C::Scalar> {
    let share = Zeroizing::new(share.expose().to_bytes());
    Secret::new(C::h3(&[randomness, share.as_slice()]))
}

impl<C: Ciphersuite> fmt::Debug for Nonces<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(..)")
    }
}

/// The longest encoding of commitments, in bytes.
const MAX_LEN: usize = 66;

/// A member's commitments to its nonces, with the encoding that is hashed wherever they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commitments<C: Ciphersuite> {
    pub(super) hiding: C::Element,
    pub(super) binding: C::Element,
    encoded: [u8; MAX_LEN],
}

impl<C: Ciphersuite> Commitments<C> {
    /// Bytes of an encoding.
    pub(crate) const LEN: usize = 2 * C::Element::LEN;

    pub(super) fn new(hiding: C::Element, binding: C::Element) -> Self {
        let bytes = C::Element::batch_to_bytes(&[hiding, binding]).concat();
        Self::with(hiding, binding, &bytes)
    }

    /// Hiding, then binding.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.encoded.get(..Self::LEN).unwrap_or_default()
    }

    /// [`from_bytes`](Self::from_bytes) of each, decoded together; `None` if it refuses any of them.
    pub(crate) fn batch_from_bytes(encodings: &[&[u8]]) -> Option<Vec<Self>> {
        let halves = encodings.iter().map(|bytes| bytes.split_at_checked(C::Element::LEN).map(<[&[u8]; 2]>::from));
        let halves = halves.collect::<Option<Vec<_>>>()?;
        let elements = C::Element::batch_from_bytes(halves.as_flattened())?;
        let both = elements.as_chunks::<2>().0.iter().zip(encodings);
        Some(both.map(|([hiding, binding], bytes)| Self::with(*hiding, *binding, bytes)).collect())
    }

    /// Strict, as the elements are: neither may be the identity.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hiding, binding) = bytes.split_at_checked(C::Element::LEN)?;
        let (hiding, binding) = (C::Element::from_bytes(hiding)?, C::Element::from_bytes(binding)?);
        Some(Self::with(hiding, binding, bytes))
    }

    fn with(hiding: C::Element, binding: C::Element, bytes: &[u8]) -> Self {
        Self { hiding, binding, encoded: padded(bytes) }
    }
}

fn padded(bytes: &[u8]) -> [u8; MAX_LEN] {
    let mut padded = [0; MAX_LEN];
    padded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::is_clone;
    use crate::suite::{Ed25519, Secp256k1, Taproot};

    #[test]
    fn nonces_can_be_neither_cloned_nor_copied() {
        const { assert!(is_clone!(Commitments<Ed25519>) && !is_clone!(Nonces<Ed25519>)) }
        const { assert!(!is_clone!(Nonces<Secp256k1>) && !is_clone!(Nonces<Taproot>)) }
    }

    fn a_batch_is_what_each_is<C: Ciphersuite>() {
        let commitments = |number| {
            let scalar = |of| Secret::new(C::Scalar::from_u64(of));
            *Nonces::<C>::from_scalars(scalar(number), scalar(number << 40)).commitments()
        };
        // Above the number of points whose order is tested by random products, and below it.
        for count in [0, 1, 3, 90] {
            let known: Vec<_> = (1..=count).map(commitments).collect();
            let mut encodings: Vec<_> = known.iter().map(|one| one.as_bytes().to_vec()).collect();
            let decode = |encodings: &[Vec<u8>]| {
                Commitments::<C>::batch_from_bytes(&encodings.iter().map(Vec::as_slice).collect::<Vec<_>>())
            };
            assert_eq!(decode(&encodings), Some(known.clone()));
            let Some(last) = known.last() else { continue };
            let (hiding, binding) = last.as_bytes().split_at(C::Element::LEN);
            let zero = vec![0; C::Element::LEN];
            for wrong in [
                Vec::new(),
                hiding.to_vec(),
                last.as_bytes()[1..].to_vec(),
                [last.as_bytes(), &[0]].concat(),
                [hiding, &zero].concat(),
                [&zero, binding].concat(),
            ] {
                assert_eq!(Commitments::<C>::from_bytes(&wrong), None);
                *encodings.last_mut().unwrap() = wrong;
                assert_eq!(decode(&encodings), None);
            }
        }
    }

    #[test]
    fn commitments_decoded_together_are_those_decoded_one_by_one() {
        a_batch_is_what_each_is::<Ed25519>();
        a_batch_is_what_each_is::<Secp256k1>();
    }
}
