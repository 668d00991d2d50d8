//! Round 1: a dealer shares a polynomial among the receivers.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::ceremony::{MAX_MEMBERS, length};
use super::{Ceremony, DealingError, Hedge, Proof, RunKey};
use crate::guard::unless_off;
use crate::protocol::polynomial::evaluate;
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar, ShareCipher};
use crate::wire::{DecodeError, Identifier, Reader};

/// The longest ciphertext, in bytes.
pub(super) const MAX_CIPHERTEXT: usize = 65_536;
/// A share and an authentication tag: what a ciphertext has besides the payload.
pub(super) const OVERHEAD: usize = 32 + 16;

/// The part of a deal that enters the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer<C: Ciphersuite> {
    /// The committed coefficients, constant term first.
    pub(crate) commitment: Vec<C::Element>,
    /// Of the constant term, over context, commitment and ephemeral key.
    pub(crate) proof: Proof<C>,
    /// The ephemeral public key.
    pub(crate) ephemeral: C::Element,
}

impl<C: Ciphersuite> Offer<C> {
    /// COCKTAIL-DKG, "Round 1", step 4: what the proof of possession signs.
    pub(crate) fn possession_message(context: &[u8], commitment: &[C::Element], ephemeral: &C::Element) -> Vec<u8> {
        let points: Vec<_> = commitment.iter().chain([ephemeral]).copied().collect();
        [unless_off!(ProofOfItsCeremony, context, &[]), &C::Element::batch_to_bytes(&points).concat()].concat()
    }

    /// [`possession_message`](Self::possession_message) of this offer.
    pub(super) fn statement(&self, context: &[u8]) -> Vec<u8> {
        Self::possession_message(context, &self.commitment, &self.ephemeral)
    }
}

/// What a dealer sends to all: its offer, and a ciphertext for each receiver, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deal<C: Ciphersuite> {
    /// What enters the transcript.
    pub(crate) offer: Offer<C>,
    /// Share and payload, sealed to each receiver.
    pub(crate) ciphertexts: Vec<Vec<u8>>,
}

/// Deals. The polynomial's constant term is `constant` when the ceremony fixes it, random otherwise; each receiver
/// gets its value of the polynomial and the same `payload`.
///
/// The coefficients are drawn first, in ascending order, the ephemeral key last.
pub(crate) fn deal<C: Ciphersuite, R: CryptoRng + ?Sized>(
    ceremony: &Ceremony<C>,
    dealer: Identifier,
    run_key: &RunKey<C>,
    constant: Option<Secret<C::Scalar>>,
    payload: &[u8],
    rng: &mut R,
    hedge: Hedge<'_>,
) -> Result<Deal<C>, DealingError> {
    deal_to(ceremony, |_| true, dealer, run_key, constant, payload, rng, hedge)
}

/// [`deal`] that seals to some of the receivers. The others get as many zero bytes.
#[allow(clippy::too_many_arguments, reason = "those of a deal, and to whom")]
pub(crate) fn deal_to<C: Ciphersuite, R: CryptoRng + ?Sized>(
    ceremony: &Ceremony<C>,
    is_sealed_to: impl Fn(Identifier) -> bool,
    dealer: Identifier,
    run_key: &RunKey<C>,
    constant: Option<Secret<C::Scalar>>,
    payload: &[u8],
    rng: &mut R,
    hedge: Hedge<'_>,
) -> Result<Deal<C>, DealingError> {
    if ceremony.dealer(dealer)?.run_key != *run_key.public() {
        return Err(DealingError::RunKey);
    }
    if payload.len() > MAX_CIPHERTEXT - OVERHEAD {
        return Err(DealingError::Payload);
    }
    let fixed = ceremony.constants().and_then(|constants| constants.get(&dealer));
    let constant = match (constant, fixed) {
        (None, None) => Secret::new(C::Scalar::random(rng)),
        (Some(constant), Some(point)) if C::Element::mul_base(constant.expose()) == *point => constant,
        _ => return Err(DealingError::Constant),
    };
    let Made { coefficients, ephemeral, offer } = make(ceremony, &constant, rng, hedge)?;
    let seal_to = |receiver: &super::Participant<C>| {
        if !is_sealed_to(receiver.id) {
            return vec![0; OVERHEAD + payload.len()];
        }
        let shared = [receiver.run_key * *ephemeral.expose(), receiver.run_key * *run_key.secret().expose()];
        let cipher = cipher(ceremony, &shared, &offer.ephemeral, run_key.public(), &receiver.run_key);
        let share = Secret::new(evaluate(coefficients.expose(), receiver.id));
        let mut plaintext = Zeroizing::new(Vec::with_capacity(32 + payload.len()));
        plaintext.extend_from_slice(Zeroizing::new(share.expose().to_bytes()).as_slice());
        plaintext.extend_from_slice(payload);
        cipher.seal(&plaintext)
    };
    let ciphertexts = ceremony.receivers().iter().map(seal_to).collect();
    Ok(Deal { offer, ciphertexts })
}

/// What a dealer makes before it seals: its secrets, and the offer that commits to them.
#[derive(Debug)]
pub(crate) struct Made<C: Ciphersuite> {
    pub(crate) coefficients: Secret<Vec<C::Scalar>>,
    ephemeral: Secret<C::Scalar>,
    pub(crate) offer: Offer<C>,
}

/// Makes a polynomial with that constant term, the ephemeral key, and the offer.
pub(crate) fn make<C: Ciphersuite, R: CryptoRng + ?Sized>(
    ceremony: &Ceremony<C>,
    constant: &Secret<C::Scalar>,
    rng: &mut R,
    hedge: Hedge<'_>,
) -> Result<Made<C>, DealingError> {
    let threshold = usize::from(ceremony.threshold());
    // The capacity is exact, so that the vector never moves and leaves a copy behind.
    let mut coefficients = Secret::new(Vec::with_capacity(threshold));
    coefficients.expose_mut().push(*constant.expose());
    for _ in 1..threshold {
        coefficients.expose_mut().push(C::Scalar::random(rng));
    }
    let secret = Secret::new(C::Scalar::random(rng));
    let commitment: Vec<_> = coefficients.expose().iter().map(C::Element::mul_base).collect();
    let public = commitment.first().copied().unwrap_or(C::Element::IDENTITY);
    let ephemeral = C::Element::mul_base(secret.expose());
    let message = Offer::<C>::possession_message(ceremony.context(), &commitment, &ephemeral);
    let proof = Proof::sign(constant, &public, &message, hedge)?;
    Ok(Made { coefficients, ephemeral: secret, offer: Offer { commitment, proof, ephemeral } })
}

/// The cipher between a dealer and a receiver, from the points that they share: the ephemeral one, then the static.
pub(super) fn cipher<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    shared: &[C::Element; 2],
    ephemeral: &C::Element,
    sender: &C::Element,
    recipient: &C::Element,
) -> ShareCipher {
    let parts = shared.each_ref().map(C::ecdh_encode);
    let ecdh = Zeroizing::new(parts.each_ref().map(|part| part.as_slice()).concat());
    let public = C::Element::batch_to_bytes(&[*ephemeral, *sender, *recipient]);
    let [ephemeral, sender, recipient] = <[_; 3]>::try_from(public).expect("three were encoded");
    C::share_cipher(&ecdh, &ephemeral, &sender, &recipient, ceremony.context())
}

impl<C: Ciphersuite> Deal<C> {
    /// COCKTAIL-DKG, "Protocol Messages": commitment, proof of possession, ephemeral key, then each ciphertext behind
    /// its length in 64 bits, big-endian.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = C::Element::batch_to_bytes(&self.offer.commitment).concat();
        bytes.extend(self.offer.proof.encode());
        bytes.extend(self.offer.ephemeral.to_bytes());
        for ciphertext in &self.ciphertexts {
            bytes.extend(length(ciphertext).to_be_bytes());
            bytes.extend(ciphertext);
        }
        bytes
    }

    /// The one encoding of a deal with exactly `threshold` points and, for each of the receivers, a ciphertext of a
    /// share and a payload of `payload_len` bytes.
    pub(crate) fn decode(
        bytes: &[u8],
        threshold: u16,
        receivers: usize,
        payload_len: usize,
    ) -> Result<Self, DecodeError> {
        let raw = RawDeal::read(bytes, threshold, receivers, payload_len)?;
        let points = points::<C>(&raw.points())?;
        Ok(raw.with(&points))
    }
}

/// A deal of the right lengths, of which no point is decoded.
#[derive(Debug)]
pub(super) struct RawDeal<'a, C: Ciphersuite> {
    /// The committed coefficients, one after the other.
    pub(super) commitment: &'a [u8],
    /// The proof of possession.
    pub(super) proof: &'a [u8],
    pub(super) response: C::Scalar,
    pub(super) ephemeral: &'a [u8],
    /// Each ciphertext behind its length, all of the same.
    ciphertexts: &'a [u8],
    framed_len: usize,
}

impl<'a, C: Ciphersuite> RawDeal<'a, C> {
    pub(super) fn read(
        bytes: &'a [u8],
        threshold: u16,
        receivers: usize,
        payload_len: usize,
    ) -> Result<Self, DecodeError> {
        let ciphertext_len = payload_len.checked_add(OVERHEAD).filter(|len| *len <= MAX_CIPHERTEXT);
        let ciphertext_len = ciphertext_len.ok_or(DecodeError::TooLong)?;
        if receivers > MAX_MEMBERS {
            return Err(DecodeError::TooLong);
        }
        let framed_len = 8 + ciphertext_len;
        let tail_len = Proof::<C>::LEN + C::Element::LEN + receivers * framed_len;
        let commitment_len = usize::from(threshold) * C::Element::LEN;
        // The encoding does not say how many points there are; a whole number of them too many or too few says it.
        match bytes.len().checked_sub(tail_len) {
            Some(len) if len == commitment_len => {}
            Some(len) if len.is_multiple_of(C::Element::LEN) => return Err(DecodeError::Invalid("commitment length")),
            Some(len) if len > commitment_len => return Err(DecodeError::Trailing),
            _ => return Err(DecodeError::Truncated),
        }
        let mut reader = Reader::new(bytes);
        let commitment = reader.raw(commitment_len)?;
        let proof = reader.raw(Proof::<C>::LEN)?;
        let (_, response) = raw_proof::<C>(&mut Reader::new(proof))?;
        let ephemeral = reader.raw(C::Element::LEN)?;
        let ciphertexts = reader.raw(receivers * framed_len)?;
        reader.finish()?;
        let mut frames = Reader::new(ciphertexts);
        for _ in 0..receivers {
            if framed(&mut frames)?.len() != ciphertext_len {
                return Err(DecodeError::Invalid("ciphertext length"));
            }
        }
        Ok(Self { commitment, proof, response, ephemeral, ciphertexts, framed_len })
    }

    /// The proof's commitment.
    pub(super) fn nonce(&self) -> &'a [u8] {
        self.proof.get(..C::Element::LEN).unwrap_or_default()
    }

    /// What is sealed to each receiver, in their order.
    pub(super) fn ciphertexts(&self) -> impl Iterator<Item = &'a [u8]> {
        self.ciphertexts.chunks(self.framed_len).filter_map(|framed| framed.get(8..))
    }

    /// All points.
    fn points(&self) -> Vec<RawPoint<'a>> {
        let commitment = self.commitment.chunks(C::Element::LEN).map(|bytes| (bytes, "commitment"));
        let others = [(self.nonce(), "proof of possession"), (self.ephemeral, "ephemeral key")];
        commitment.chain(others).collect()
    }

    /// The deal of these points, which are its own, decoded.
    fn with(&self, points: &[C::Element]) -> Deal<C> {
        let (commitment, [nonce, ephemeral]) = points.split_last_chunk().expect("a deal is read with two points more");
        let proof = Proof::from_parts(*nonce, self.response);
        let offer = Offer { commitment: commitment.to_vec(), proof, ephemeral: *ephemeral };
        Deal { offer, ciphertexts: self.ciphertexts().map(<[u8]>::to_vec).collect() }
    }
}

/// An encoded point, and what it is.
pub(super) type RawPoint<'a> = (&'a [u8], &'static str);

/// Decodes points together; of the first that is refused it says what it was to be.
pub(super) fn points<C: Ciphersuite>(raw: &[RawPoint<'_>]) -> Result<Vec<C::Element>, DecodeError> {
    let encodings: Vec<_> = raw.iter().map(|(bytes, _)| *bytes).collect();
    C::Element::batch_from_bytes(&encodings).map_or_else(
        || raw.iter().map(|(bytes, what)| C::Element::from_bytes(bytes).ok_or(DecodeError::Invalid(what))).collect(),
        Ok,
    )
}

pub(super) fn point<C: Ciphersuite>(reader: &mut Reader<'_>, what: &'static str) -> Result<C::Element, DecodeError> {
    C::Element::from_bytes(reader.raw(C::Element::LEN)?).ok_or(DecodeError::Invalid(what))
}

/// A proof of possession, of which the point is not decoded.
pub(super) fn raw_proof<'a, C: Ciphersuite>(reader: &mut Reader<'a>) -> Result<(RawPoint<'a>, C::Scalar), DecodeError> {
    let commitment = (reader.raw(C::Element::LEN)?, "proof of possession");
    let response = C::Scalar::from_bytes(&reader.array()?).ok_or(DecodeError::Invalid("proof of possession"))?;
    Ok((commitment, response))
}

/// A ciphertext behind its length, neither longer nor shorter than any can be.
pub(super) fn framed<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let len = usize::try_from(reader.u64()?).map_err(|_| DecodeError::TooLong)?;
    match len {
        OVERHEAD..=MAX_CIPHERTEXT => reader.raw(len),
        0..OVERHEAD => Err(DecodeError::Invalid("ciphertext length")),
        _ => Err(DecodeError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Ed25519;

    #[test]
    fn a_deal_of_another_length_is_told_by_what_is_wrong_with_it() {
        let read = |len: usize, receivers| RawDeal::<Ed25519>::read(&vec![0; len], 1, receivers, 0).map(drop);
        // A point, a proof, an ephemeral key, and a ciphertext behind its length for each receiver.
        let whole = |receivers| 32 + 64 + 32 + receivers * (8 + OVERHEAD);
        for receivers in [1, MAX_MEMBERS] {
            assert_eq!(read(whole(receivers) + 1, receivers), Err(DecodeError::Trailing));
            assert_eq!(read(whole(receivers) - 1, receivers), Err(DecodeError::Truncated));
            assert_eq!(read(whole(receivers) + 32, receivers), Err(DecodeError::Invalid("commitment length")));
            assert_eq!(read(whole(receivers), receivers), Err(DecodeError::Invalid("ciphertext length")));
        }
        assert_eq!(read(whole(MAX_MEMBERS + 1), MAX_MEMBERS + 1), Err(DecodeError::TooLong));
    }
}
