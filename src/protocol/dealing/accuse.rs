//! Accusations that anybody can check.
//!
//! COCKTAIL-DKG, "Ciphertexts Not Bound by the Transcript", option 3. The accused deal must be known to be the
//! dealer's, by a signature on all its bytes; that is the caller's.

use rand_core::CryptoRng;

use super::dleq::{EqualityProof, Statement};
use super::receive::{open_with, shared_points};
use super::{Ceremony, Deal, DealingError, Misdeal, Offer, RunKey, check};
use crate::guard::forbids;
use crate::suite::{Ciphersuite, Element};
use crate::wire::{DecodeError, Identifier, Reader, Writer};

/// A receiver's evidence: the two points that it shares with the dealer, and the proof that they are those.
///
/// # Security
///
/// It opens this one ciphertext to everybody, and nothing else: the run key stays secret, and every other ciphertext
/// needs a point made with another ephemeral key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opening<C: Ciphersuite> {
    pub(super) shared: [C::Element; 2],
    pub(super) proof: EqualityProof<C>,
}

/// What a dealer is guilty of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The deal itself.
    Misdeal(Misdeal),
    /// A payload that the application refuses.
    Payload,
}

/// Who lied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The dealer, and by what.
    DealerGuilty(Fault),
    /// The accuser: its evidence is forged, or the deal is good.
    AccuserGuilty,
}

impl<C: Ciphersuite> Opening<C> {
    /// The point shared with the ephemeral key, the point shared with the run key, challenge, response.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.shared.iter().flat_map(Element::to_bytes).collect();
        bytes.extend(self.proof.encode());
        bytes
    }

    /// The one encoding of an opening.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut point =
            || C::Element::from_bytes(reader.raw(C::Element::LEN)?).ok_or(DecodeError::Invalid("shared point"));
        let shared = [point()?, point()?];
        let proof = EqualityProof::decode(&reader.array()?, &reader.array()?);
        reader.finish()?;
        Ok(Self { shared, proof: proof.ok_or(DecodeError::Invalid("proof of equality"))? })
    }
}

/// Opens the ciphertext of one deal to everybody.
pub(crate) fn accuse<C: Ciphersuite, R: CryptoRng + ?Sized>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    run_key: &RunKey<C>,
    dealer: Identifier,
    deal: &Deal<C>,
    rng: &mut R,
) -> Result<Opening<C>, DealingError> {
    let shared = shared_points(ceremony, receiver, run_key, dealer, &deal.offer.ephemeral)?;
    let binding = binding(ceremony, dealer, receiver);
    let statement = statement(ceremony, dealer, receiver, &deal.offer, &shared, &binding)?;
    Ok(Opening { shared, proof: EqualityProof::prove(&statement, run_key, rng)? })
}

/// Decides between dealer and receiver, on public evidence alone. `payload_check` says whether a payload is one that
/// an honest dealer may send.
pub(crate) fn judge<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    dealer: Identifier,
    receiver: Identifier,
    deal: &Deal<C>,
    opening: &Opening<C>,
    payload_check: impl Fn(&[u8]) -> bool,
) -> Result<Verdict, DealingError> {
    let (place, _) = ceremony.receiver(receiver)?;
    let guilty = |misdeal| Ok(Verdict::DealerGuilty(Fault::Misdeal(misdeal)));
    match check(ceremony, dealer, deal) {
        Ok(()) => {}
        Err(DealingError::Misdeal(_, misdeal)) => return guilty(misdeal),
        Err(error) => return Err(error),
    }
    let binding = binding(ceremony, dealer, receiver);
    let statement = statement(ceremony, dealer, receiver, &deal.offer, &opening.shared, &binding)?;
    if forbids!(OpeningProven, !opening.proof.verify(&statement)) {
        return Ok(Verdict::AccuserGuilty);
    }
    let Some(ciphertext) = deal.ciphertexts.get(place) else { return guilty(Misdeal::Length) };
    match open_with(ceremony, receiver, &opening.shared, dealer, &deal.offer, ciphertext)? {
        Err(misdeal) => guilty(misdeal),
        Ok(opened) if payload_check(&opened.payload) => Ok(Verdict::AccuserGuilty),
        Ok(_) => Ok(Verdict::DealerGuilty(Fault::Payload)),
    }
}

fn binding<C: Ciphersuite>(ceremony: &Ceremony<C>, dealer: Identifier, receiver: Identifier) -> Vec<u8> {
    Writer::new().bytes(ceremony.context()).identifier(dealer).identifier(receiver).finish()
}

fn statement<'a, C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    dealer: Identifier,
    receiver: Identifier,
    offer: &Offer<C>,
    shared: &[C::Element; 2],
    binding: &'a [u8],
) -> Result<Statement<'a, C>, DealingError> {
    let (_, receiver) = ceremony.receiver(receiver)?;
    let bases = [offer.ephemeral, ceremony.dealer(dealer)?.run_key];
    Ok(Statement { binding, key: receiver.run_key, bases, products: *shared })
}
