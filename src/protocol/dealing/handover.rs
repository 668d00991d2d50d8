//! One member's share, sealed to one other member for one run: not a dealing, but sealed and accused like one.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::accuse::Opening;
use super::deal::OVERHEAD;
use super::dleq::{EqualityProof, Statement};
use super::{DealingError, RunKey};
use crate::guard::holds;
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar, ShareCipher};
use crate::wire::{DecodeError, Identifier, Reader, Writer};

/// What both sides of a handover know, and everybody who judges.
#[derive(Clone, Debug)]
pub(crate) struct Handing<'a, C: Ciphersuite> {
    /// Unique to the run, and to what its members have said so far.
    pub(crate) context: &'a [u8],
    pub(crate) sender: Identifier,
    pub(crate) sender_key: C::Element,
    pub(crate) recipient: Identifier,
    pub(crate) recipient_key: C::Element,
    /// The sender's share times the generator.
    pub(crate) verifying_share: C::Element,
}

/// An ephemeral key, and the share sealed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handover<C: Ciphersuite> {
    ephemeral: C::Element,
    ciphertext: Vec<u8>,
}

impl<C: Ciphersuite> Handover<C> {
    /// The ephemeral key, then the ciphertext.
    pub(crate) fn encode(&self) -> Vec<u8> {
        [self.ephemeral.to_bytes(), self.ciphertext.clone()].concat()
    }

    /// The one encoding of a handover.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let ephemeral = C::Element::from_bytes(reader.raw(C::Element::LEN)?);
        let ciphertext = reader.raw(OVERHEAD)?.to_vec();
        reader.finish()?;
        Ok(Self { ephemeral: ephemeral.ok_or(DecodeError::Invalid("ephemeral key"))?, ciphertext })
    }
}

impl<C: Ciphersuite> Handing<'_, C> {
    /// Seals the sender's share.
    pub(crate) fn seal<R: CryptoRng + ?Sized>(
        &self,
        run_key: &RunKey<C>,
        share: &Secret<C::Scalar>,
        rng: &mut R,
    ) -> Handover<C> {
        let secret = Secret::new(C::Scalar::random(rng));
        let ephemeral = C::Element::mul_base(secret.expose());
        let shared = [self.recipient_key * *secret.expose(), self.recipient_key * *run_key.secret().expose()];
        let plaintext = Zeroizing::new(share.expose().to_bytes());
        Handover { ephemeral, ciphertext: self.cipher(&shared, &ephemeral).seal(plaintext.as_slice()) }
    }

    /// The share, if it opens and is the sender's.
    pub(crate) fn open(&self, run_key: &RunKey<C>, handover: &Handover<C>) -> Option<Secret<C::Scalar>> {
        self.open_with(&self.shared(run_key, handover), handover)
    }

    /// Opens the handover to everybody: what it holds is not the sender's share.
    pub(crate) fn accuse<R: CryptoRng + ?Sized>(
        &self,
        run_key: &RunKey<C>,
        handover: &Handover<C>,
        rng: &mut R,
    ) -> Result<Opening<C>, DealingError> {
        let (shared, binding) = (self.shared(run_key, handover), self.binding());
        let proof = EqualityProof::prove(&self.statement(&shared, handover, &binding), run_key, rng)?;
        Ok(Opening { shared, proof })
    }

    /// Whether the opening proves the sender guilty; if it doesn't, it is forged, or the share is good.
    pub(crate) fn convicts(&self, handover: &Handover<C>, opening: &Opening<C>) -> bool {
        let binding = self.binding();
        let proven = opening.proof.verify(&self.statement(&opening.shared, handover, &binding));
        holds!(HandoverOpeningProven, proven) && self.open_with(&opening.shared, handover).is_none()
    }

    fn open_with(&self, shared: &[C::Element; 2], handover: &Handover<C>) -> Option<Secret<C::Scalar>> {
        let plaintext = self.cipher(shared, &handover.ephemeral).open(&handover.ciphertext)?;
        let share = C::Scalar::from_bytes(plaintext.as_slice().try_into().ok()?).map(Secret::new)?;
        let fits = C::Element::mul_base(share.expose()) == self.verifying_share;
        holds!(HandoverOfTheShare, fits).then_some(share)
    }

    /// The points that the recipient shares with the sender: with its ephemeral key, then with its run key.
    fn shared(&self, run_key: &RunKey<C>, handover: &Handover<C>) -> [C::Element; 2] {
        let secret = *run_key.secret().expose();
        [handover.ephemeral * secret, self.sender_key * secret]
    }

    fn cipher(&self, shared: &[C::Element; 2], ephemeral: &C::Element) -> ShareCipher {
        let parts = shared.each_ref().map(C::ecdh_encode);
        let ecdh = Zeroizing::new(parts.each_ref().map(|part| part.as_slice()).concat());
        let (sender, recipient) = (self.sender_key.to_bytes(), self.recipient_key.to_bytes());
        C::share_cipher(&ecdh, &ephemeral.to_bytes(), &sender, &recipient, self.context)
    }

    fn binding(&self) -> Vec<u8> {
        Writer::new().bytes(self.context).identifier(self.sender).identifier(self.recipient).finish()
    }

    fn statement<'s>(&self, shared: &[C::Element; 2], handover: &Handover<C>, binding: &'s [u8]) -> Statement<'s, C> {
        let bases = [handover.ephemeral, self.sender_key];
        Statement { binding, key: self.recipient_key, bases, products: *shared }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::suite::{Suite, with_suite};

    /// Only who has the secrets can seal a lie in good order.
    #[test]
    fn another_scalar_sealed_in_good_order_is_refused_and_convicts_its_sender_and_a_good_share_does_not() {
        for suite in Suite::ALL {
            with_suite!(suite, C => {
                let mut rng = ChaCha20Rng::seed_from_u64(7);
                let [sender, recipient] = [0, 1].map(|_| RunKey::<C>::generate(&mut rng));
                let share = |value| Secret::new(<C as Ciphersuite>::Scalar::from_u64(value));
                let id = |number| Identifier::new(number).unwrap();
                let handing = Handing::<C> {
                    context: b"a run",
                    sender: id(2),
                    sender_key: *sender.public(),
                    recipient: id(1),
                    recipient_key: *recipient.public(),
                    verifying_share: <C as Ciphersuite>::Element::mul_base(share(9).expose()),
                };
                for (value, good) in [(9, true), (10, false), (0, false)] {
                    let handover = handing.seal(&sender, &share(value), &mut rng);
                    assert_eq!(Handover::decode(&handover.encode()).as_ref(), Ok(&handover));
                    assert_eq!(handing.open(&recipient, &handover).is_some(), good);
                    let opening = handing.accuse(&recipient, &handover, &mut rng).unwrap();
                    assert_eq!(handing.convicts(&handover, &opening), !good);
                    // Another run's opening is none of this one.
                    let elsewhere = Handing { context: b"another run", ..handing.clone() };
                    assert!(elsewhere.open(&recipient, &handover).is_none());
                    assert!(!elsewhere.convicts(&handover, &opening));
                }
            });
        }
    }
}
