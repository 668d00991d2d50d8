//! Round 3: the public record of a run, which its members sign.

use std::collections::BTreeMap;

#[cfg(any(test, feature = "hazmat"))]
use super::Deal;
use super::ceremony::{MAX_CONTEXT, MAX_MEMBERS, length};
use super::deal::{point, points, raw_proof};
use super::receive::keys_of;
use super::{Ceremony, DealingError, GroupKeys, Hedge, Offer, Participant, Proof, RunKey};
#[cfg(any(test, feature = "hazmat"))]
use crate::guard::forbids;
use crate::suite::{Ciphersuite, Element, Row};
use crate::wire::{DecodeError, Identifier, Reader, Writer};

/// The first bytes of a transcript of a refresh or reshare.
const REDEALING: &[u8] = b"quorumkey/redealing/v1";
/// The longest extension, in bytes.
pub(crate) const MAX_EXTENSION: usize = 1 << 20;

/// The canonical bytes of the run.
///
/// Of a DKG they are COCKTAIL-DKG's T, byte for byte ("Round 3", step 1; Secp256k1 and taproot share its suite name,
/// so context or extension must tell them apart). Of a refresh or reshare, with integers in big-endian, points and
/// scalars in the suite's encoding:
///
/// | bytes | what |
/// |---|---|
/// | 22 | the label `quorumkey/redealing/v1` |
/// | 1 | the suite's code |
/// | 4, then so many | the context's length, the context |
/// | 2 | the threshold *t* |
/// | 2 | the number of dealers |
/// | for each: 2 + point + point | identifier, run key, constant term λᵢ·Yᵢ |
/// | 2 | the number of receivers |
/// | for each: 2 + point | identifier, run key |
/// | for each dealer: *t* points | commitment |
/// | for each dealer: point + scalar | proof of possession |
/// | for each dealer: point | ephemeral key |
/// | 4, then so many | the extension's length, the extension |
#[cfg(any(test, feature = "hazmat"))]
pub(crate) fn transcript<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    deals: &BTreeMap<Identifier, Deal<C>>,
    extension: &[u8],
) -> Result<Vec<u8>, DealingError> {
    let threshold = usize::from(ceremony.threshold());
    if forbids!(TranscriptOfAllDealers, !deals.keys().eq(ceremony.dealers().iter().map(|dealer| &dealer.id)))
        || deals.values().any(|deal| deal.offer.commitment.len() != threshold)
    {
        return Err(DealingError::Dealers);
    }
    let offers = || deals.values().map(|deal| &deal.offer);
    let points: Vec<_> = offers().flat_map(|offer| offer.commitment.iter().copied()).collect();
    let mut parts = C::Element::batch_to_bytes(&points);
    parts.extend(offers().map(|offer| offer.proof.encode()));
    parts.extend(offers().map(|offer| offer.ephemeral.to_bytes()));
    write(ceremony, parts.iter().map(Vec::as_slice), extension)
}

/// [`transcript`] out of the encoded commitments, proofs and ephemeral keys of all dealers.
pub(super) fn write<'a, C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    parts: impl Iterator<Item = &'a [u8]>,
    extension: &[u8],
) -> Result<Vec<u8>, DealingError> {
    if extension.len() > MAX_EXTENSION {
        return Err(DealingError::Decode(DecodeError::TooLong));
    }
    let mut writer = Writer::with_capacity(room::<C>(ceremony) + extension.len());
    match ceremony.constants() {
        None => write_cocktail_head(&mut writer, ceremony),
        Some(constants) => write_redealing_head(&mut writer, ceremony, constants),
    }
    parts.for_each(|part| _ = writer.raw(part));
    match ceremony.constants() {
        None => writer.raw(&length(extension).to_le_bytes()).raw(extension),
        Some(_) => writer.bytes(extension),
    };
    Ok(writer.finish())
}

/// As much as a transcript takes without its extension, or a little more.
fn room<C: Ciphersuite>(ceremony: &Ceremony<C>) -> usize {
    let (dealers, receivers) = (ceremony.dealers().len(), ceremony.receivers().len());
    let points = dealers * (usize::from(ceremony.threshold()) + 5) + receivers;
    points * C::Element::LEN + (dealers + receivers) * 2 + ceremony.context().len() + 64
}

fn write_cocktail_head<C: Ciphersuite>(writer: &mut Writer, ceremony: &Ceremony<C>) {
    for bytes in [C::COCKTAIL_ID.as_bytes(), ceremony.context()] {
        writer.raw(&length(bytes).to_le_bytes()).raw(bytes);
    }
    let n = u32::try_from(ceremony.dealers().len()).expect("a ceremony has at most 1,000 dealers");
    writer.raw(&n.to_le_bytes()).raw(&u32::from(ceremony.threshold()).to_le_bytes());
    ceremony.dealers().iter().for_each(|dealer| _ = writer.raw(&dealer.run_key.to_bytes()));
}

fn write_redealing_head<C: Ciphersuite>(
    writer: &mut Writer,
    ceremony: &Ceremony<C>,
    constants: &BTreeMap<Identifier, C::Element>,
) {
    let count = |role: &[_]| u16::try_from(role.len()).expect("a ceremony has at most 1,000 members in a role");
    writer.raw(REDEALING).u8(C::SUITE.code()).bytes(ceremony.context()).u16(ceremony.threshold());
    writer.u16(count(ceremony.dealers()));
    for (dealer, constant) in ceremony.dealers().iter().zip(constants.values()) {
        writer.identifier(dealer.id).raw(&dealer.run_key.to_bytes()).raw(&constant.to_bytes());
    }
    writer.u16(count(ceremony.receivers()));
    for receiver in ceremony.receivers() {
        writer.identifier(receiver.id).raw(&receiver.run_key.to_bytes());
    }
}

/// What a transcript says. It borrows the offers' bytes; decoded are the sums of their commitments alone.
#[derive(Clone, Debug)]
pub(crate) struct ParsedTranscript<'a, C: Ciphersuite> {
    /// Who dealt to whom.
    pub(crate) ceremony: Ceremony<C>,
    offers: Vec<RawOffer<'a, C>>,
    sums: Vec<C::Element>,
    /// What the application added.
    pub(crate) extension: &'a [u8],
}

impl<'a, C: Ciphersuite> ParsedTranscript<'a, C> {
    /// Reads a transcript of either format. What comes back encodes to the same bytes.
    ///
    /// Proofs and signatures are not verified here.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, DealingError> {
        let mut reader = Reader::new(bytes);
        let (ceremony, redealing) = (read_head(&mut reader, bytes)?, bytes.starts_with(REDEALING));
        let offers = read_offers(&mut reader, &ceremony)?;
        let sums = sums(&ceremony, &offers)?;
        let extension =
            if redealing { reader.bytes(MAX_EXTENSION)? } else { read_le_bytes(&mut reader, MAX_EXTENSION)? };
        reader.finish()?;
        Ok(Self { ceremony, offers, sums, extension })
    }

    /// What each dealer committed to, decoded one after the other.
    pub(crate) fn offers(&self) -> impl Iterator<Item = (Identifier, Offer<C>)> {
        let decoded = |offer: &RawOffer<'a, C>| offer.decode().expect("its points were good when they were summed");
        self.ceremony.dealers().iter().map(|dealer| dealer.id).zip(self.offers.iter().map(decoded))
    }

    /// The group key and every receiver's verifying share.
    pub(crate) fn group_keys(&self) -> Result<GroupKeys<C>, DealingError> {
        keys_of(&self.ceremony, &self.sums)
    }
}

/// Who dealt to whom by a transcript, of which no more is read than that.
pub(crate) fn ceremony_of<C: Ciphersuite>(transcript: &[u8]) -> Result<Ceremony<C>, DealingError> {
    read_head(&mut Reader::new(transcript), transcript)
}

fn read_head<C: Ciphersuite>(reader: &mut Reader<'_>, transcript: &[u8]) -> Result<Ceremony<C>, DealingError> {
    if transcript.starts_with(REDEALING) { read_redealing_head(reader) } else { read_cocktail_head(reader) }
}

/// A dealer's offer, of which no point is decoded.
#[derive(Clone, Debug)]
struct RawOffer<'a, C: Ciphersuite> {
    commitment: &'a [u8],
    nonce: &'a [u8],
    response: C::Scalar,
    ephemeral: &'a [u8],
}

impl<'a, C: Ciphersuite> RawOffer<'a, C> {
    const fn row(&self) -> Row<'a> {
        Row { summed: self.commitment, others: [self.nonce, self.ephemeral] }
    }

    fn decode(&self) -> Result<Offer<C>, DecodeError> {
        let commitment = self.commitment.chunks(C::Element::LEN).map(|bytes| (bytes, "commitment"));
        let others = [(self.nonce, "proof of possession"), (self.ephemeral, "ephemeral key")];
        let mut commitment = points::<C>(&commitment.chain(others).collect::<Vec<_>>())?;
        let (Some(ephemeral), Some(nonce)) = (commitment.pop(), commitment.pop()) else {
            return Err(DecodeError::Truncated);
        };
        Ok(Offer { commitment, proof: Proof::from_parts(nonce, self.response), ephemeral })
    }
}

/// Every dealer's offer.
fn read_offers<'a, C: Ciphersuite>(
    reader: &mut Reader<'a>,
    ceremony: &Ceremony<C>,
) -> Result<Vec<RawOffer<'a, C>>, DecodeError> {
    let (dealers, threshold) = (ceremony.dealers(), usize::from(ceremony.threshold()));
    let each = |read: &mut dyn FnMut() -> Result<&'a [u8], DecodeError>| -> Result<Vec<_>, DecodeError> {
        dealers.iter().map(|_| read()).collect()
    };
    let commitments = each(&mut || reader.raw(threshold * C::Element::LEN))?;
    let proofs = each(&mut || reader.raw(Proof::<C>::LEN))?;
    let ephemerals = each(&mut || reader.raw(C::Element::LEN))?;
    let offer = |((commitment, proof), ephemeral)| {
        let ((nonce, _), response) = raw_proof::<C>(&mut Reader::new(proof))?;
        Ok(RawOffer { commitment, nonce, response, ephemeral })
    };
    commitments.into_iter().zip(proofs).zip(ephemerals).map(offer).collect()
}

/// The sums of the commitments, of offers whose points are all good; of others, what is wrong first.
fn sums<C: Ciphersuite>(ceremony: &Ceremony<C>, offers: &[RawOffer<'_, C>]) -> Result<Vec<C::Element>, DecodeError> {
    let rows: Vec<_> = offers.iter().map(RawOffer::row).collect();
    C::Element::sums_from_bytes(usize::from(ceremony.threshold()), &rows).ok_or_else(|| {
        let refused = offers.iter().find_map(|offer| offer.decode().err());
        refused.unwrap_or(DecodeError::Invalid("commitment"))
    })
}

fn read_cocktail_head<C: Ciphersuite>(reader: &mut Reader<'_>) -> Result<Ceremony<C>, DealingError> {
    if read_le_bytes(reader, 64)? != C::COCKTAIL_ID.as_bytes() {
        return Err(DecodeError::Invalid("suite").into());
    }
    let context = read_le_bytes(reader, MAX_CONTEXT)?.to_vec();
    let members = u32::from_le_bytes(reader.array()?);
    let members = u16::try_from(members).ok().filter(|members| usize::from(*members) <= MAX_MEMBERS);
    let members = members.ok_or(DecodeError::TooLong)?;
    let threshold = u32::from_le_bytes(reader.array()?);
    let threshold = u16::try_from(threshold).map_err(|_| DecodeError::Invalid("threshold"))?;
    let mut participants = Vec::new();
    for number in 1..=members {
        let id = Identifier::new(number).ok_or(DecodeError::Invalid("identifier"))?;
        participants.push(Participant { id, run_key: point::<C>(reader, "run key")? });
    }
    Ceremony::new(context, threshold, participants.clone(), participants, None)
}

fn read_redealing_head<C: Ciphersuite>(reader: &mut Reader<'_>) -> Result<Ceremony<C>, DealingError> {
    reader.raw(REDEALING.len())?;
    if reader.u8()? != C::SUITE.code() {
        return Err(DecodeError::Invalid("suite").into());
    }
    let context = reader.bytes(MAX_CONTEXT)?.to_vec();
    let threshold = reader.u16()?;
    let mut dealers = Vec::new();
    let mut constants = BTreeMap::new();
    for _ in 0..read_members(reader)? {
        let id = reader.identifier()?;
        dealers.push(Participant { id, run_key: point::<C>(reader, "run key")? });
        constants.insert(id, point::<C>(reader, "constant term")?);
    }
    let mut receivers = Vec::new();
    for _ in 0..read_members(reader)? {
        let id = reader.identifier()?;
        receivers.push(Participant { id, run_key: point::<C>(reader, "run key")? });
    }
    Ceremony::new(context, threshold, dealers, receivers, Some(constants))
}

fn read_members(reader: &mut Reader<'_>) -> Result<u16, DecodeError> {
    let count = reader.u16()?;
    if usize::from(count) > MAX_MEMBERS { Err(DecodeError::TooLong) } else { Ok(count) }
}

/// Bytes behind COCKTAIL-DKG's 64-bit little-endian length.
fn read_le_bytes<'a>(reader: &mut Reader<'a>, max: usize) -> Result<&'a [u8], DecodeError> {
    let len = usize::try_from(u64::from_le_bytes(reader.array()?)).map_err(|_| DecodeError::TooLong)?;
    if len > max { Err(DecodeError::TooLong) } else { reader.raw(len) }
}

/// Signs the transcript with the run key (COCKTAIL-DKG, "Round 3", step 2).
pub(crate) fn sign_transcript<C: Ciphersuite>(
    run_key: &RunKey<C>,
    transcript: &[u8],
    hedge: Hedge<'_>,
) -> Result<Proof<C>, DealingError> {
    Proof::sign(run_key.secret(), run_key.public(), transcript, hedge)
}

/// Whether the signature on the transcript is that run key's.
pub(crate) fn verify_transcript_signature<C: Ciphersuite>(
    run_key: &C::Element,
    transcript: &[u8],
    signature: &Proof<C>,
) -> bool {
    signature.verify(run_key, transcript)
}
