//! A share again, from the run key and public data.

use std::collections::BTreeMap;

use super::deal::framed;
use super::receive::{check_offer, combine_offers, open_from};
use super::{DealingError, ParsedTranscript, Proof, Received, RunKey, verify_transcript_signature};
use crate::suite::Ciphersuite;
use crate::wire::Reader;

/// COCKTAIL-DKG, "Recovery Algorithm".
///
/// `signatures` are those of [`signatories`](super::Ceremony::signatories) in their order, one after the other;
/// `bundle` holds the receiver's ciphertext from each dealer, each behind its length in 64 bits, big-endian.
pub(crate) fn recover<C: Ciphersuite>(
    run_key: &RunKey<C>,
    transcript: &[u8],
    signatures: &[u8],
    bundle: &[u8],
) -> Result<Received<C>, DealingError> {
    // Step 1.
    let parsed = ParsedTranscript::<C>::parse(transcript)?;
    let ceremony = &parsed.ceremony;
    // Step 2.
    let mut reader = Reader::new(signatures);
    for (position, key) in ceremony.signatories().iter().enumerate() {
        let signature = Proof::<C>::decode(reader.raw(Proof::<C>::LEN)?);
        if !signature.is_some_and(|signature| verify_transcript_signature(key, transcript, &signature)) {
            return Err(DealingError::Signature(position));
        }
    }
    reader.finish()?;
    // Step 3; a ceremony has each run key under one identifier only.
    let receiver = ceremony.receivers().iter().find(|receiver| receiver.run_key == *run_key.public());
    let receiver = receiver.ok_or(DealingError::RunKey)?.id;
    // Steps 4 to 6. The proofs of possession, which the signatories verified, cost little to verify again.
    let mut reader = Reader::new(bundle);
    let mut opened = Vec::new();
    let offers: BTreeMap<_, _> = parsed.offers().collect();
    for (dealer, offer) in &offers {
        let ciphertext = framed(&mut reader)?;
        check_offer(ceremony, *dealer, offer)?;
        opened.push((*dealer, open_from(ceremony, receiver, run_key, *dealer, &offer.ephemeral, ciphertext)?));
    }
    reader.finish()?;
    // Steps 7 and 8.
    combine_offers(ceremony, receiver, opened, &offers.iter().map(|(id, offer)| (*id, offer)).collect())
}
