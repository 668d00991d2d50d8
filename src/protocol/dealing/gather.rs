//! Every deal of a run out of its bytes: checked and summed, and none of them kept decoded.
//!
//! What this takes, one deal after the other would be taken, too, with the same outcome. What it refuses has to be looked
//! at one by one, to say whose fault it is.

use std::collections::BTreeMap;

use super::deal::RawDeal;
use super::receive::{Summed, keys_of, open_from};
use super::schnorr::{Signed, challenge_of};
use super::transcript::write;
use super::{Ceremony, DealingError, GroupKeys, Opened, Proof, Received, RunKey};
use crate::guard::{forbids, holds, unless_off};
use crate::suite::{Ciphersuite, Element, Row, parts};
use crate::wire::Identifier;

/// How many proofs of possession are checked as one: more take more memory, and hardly less time. Two products each, and one
/// more: fewer than 512, where the sum's own vectors double.
const TOGETHER: usize = 255;

/// The deals of a ceremony's dealers, in their order, whose points are all good. It borrows their bytes; decoded are
/// the sums of their commitments alone, as much as one deal.
#[derive(Debug)]
pub(crate) struct Gathered<'a, C: Ciphersuite> {
    deals: BTreeMap<Identifier, RawDeal<'a, C>>,
    sums: Vec<C::Element>,
}

impl<'a, C: Ciphersuite> Gathered<'a, C> {
    /// Reads the messages of the dealers. `None` when [`Deal::decode`](super::Deal::decode) refuses any, or when they
    /// are not the ceremony's.
    pub(crate) fn read(
        ceremony: &Ceremony<C>,
        messages: impl Iterator<Item = (Identifier, &'a [u8])>,
        payload_len: usize,
    ) -> Option<Self> {
        let mut deals = Self::unread(ceremony, messages, payload_len)?;
        let row = |deal: &RawDeal<'a, C>| Row { summed: deal.commitment, others: [deal.nonce(), deal.ephemeral] };
        let rows: Vec<_> = deals.deals.values().map(row).collect();
        deals.sums = C::Element::sums_from_bytes(usize::from(ceremony.threshold()), &rows)?;
        Some(deals)
    }

    /// The deals without their sums, of bytes whose points were seen to be good.
    #[cfg(feature = "hazmat")]
    pub(crate) fn taken(
        ceremony: &Ceremony<C>,
        messages: impl Iterator<Item = (Identifier, &'a [u8])>,
        payload_len: usize,
    ) -> Option<Self> {
        Self::unread(ceremony, messages, payload_len)
    }

    fn unread(
        ceremony: &Ceremony<C>,
        messages: impl Iterator<Item = (Identifier, &'a [u8])>,
        payload_len: usize,
    ) -> Option<Self> {
        let (threshold, receivers) = (ceremony.threshold(), ceremony.receivers().len());
        let raw = |(dealer, bytes)| Some((dealer, RawDeal::read(bytes, threshold, receivers, payload_len).ok()?));
        let deals = messages.map(raw).collect::<Option<BTreeMap<_, RawDeal<'_, C>>>>()?;
        if !deals.keys().eq(ceremony.dealers().iter().map(|dealer| &dealer.id)) {
            return None;
        }
        Some(Self { deals, sums: Vec::new() })
    }

    /// Whether [`check`](super::check) passes for every deal, with one sum of products for many proofs of possession.
    pub(crate) fn are_good(&self, ceremony: &Ceremony<C>) -> bool {
        let signed = |(dealer, deal): (&Identifier, &RawDeal<'a, C>)| {
            let constant = deal.commitment.get(..C::Element::LEN)?;
            let key = C::Element::from_taken_bytes(constant)?;
            let other = ceremony.constants().is_some_and(|constants| constants.get(dealer) != Some(&key));
            if forbids!(ConstantsAsAgreed, other) {
                return None;
            }
            let proof = Proof::<C>::from_parts(C::Element::from_taken_bytes(deal.nonce())?, deal.response);
            // The statement of `Offer::possession_message`.
            let context = unless_off!(ProofOfItsCeremony, ceremony.context(), &[]);
            let statement = [context, deal.commitment, deal.ephemeral];
            Some(Signed { proof, key, challenge: challenge_of::<C>(deal.nonce(), constant, &statement) })
        };
        let deals: Vec<_> = self.deals.iter().collect();
        parts(&deals, TOGETHER).all(|some| {
            // With room for just as many: what grows takes twice that.
            let mut all = Vec::with_capacity(some.len());
            all.extend(some.iter().copied().map_while(signed));
            all.len() == some.len() && holds!(ConstantsProvenTogether, Proof::verify_all(&all))
        })
    }

    /// Opens the receiver's ciphertext of every deal.
    pub(crate) fn open(
        &self,
        ceremony: &Ceremony<C>,
        receiver: Identifier,
        run_key: &RunKey<C>,
    ) -> Result<Vec<(Identifier, Opened<C>)>, DealingError> {
        let (place, _) = ceremony.receiver(receiver)?;
        let open = |(dealer, deal): (&Identifier, &RawDeal<'a, C>)| {
            let ciphertext = deal.ciphertexts().nth(place).ok_or(DealingError::Inconsistent)?;
            let ephemeral = C::Element::from_taken_bytes(deal.ephemeral).ok_or(DealingError::Inconsistent)?;
            Ok((*dealer, open_from(ceremony, receiver, run_key, *dealer, &ephemeral, ciphertext)?))
        };
        self.deals.iter().map(open).collect()
    }

    /// Sums what was opened, and checks the sum. An error does not say whose share is wrong.
    pub(crate) fn combine(
        &self,
        ceremony: &Ceremony<C>,
        receiver: Identifier,
        opened: Vec<(Identifier, Opened<C>)>,
    ) -> Result<Received<C>, DealingError> {
        let summed = Summed::of(ceremony, receiver, opened)?;
        summed.received(self.keys(ceremony)?).map_err(|_| DealingError::Inconsistent)
    }

    /// The group key and every receiver's verifying share.
    pub(crate) fn keys(&self, ceremony: &Ceremony<C>) -> Result<GroupKeys<C>, DealingError> {
        keys_of(ceremony, &self.sums)
    }

    /// The canonical bytes of the run: [`transcript`](super::transcript()).
    pub(crate) fn transcript(&self, ceremony: &Ceremony<C>, extension: &[u8]) -> Result<Vec<u8>, DealingError> {
        let deals = || self.deals.values();
        let commitments = deals().map(|deal| deal.commitment);
        let (proofs, ephemerals) = (deals().map(|deal| deal.proof), deals().map(|deal| deal.ephemeral));
        write(ceremony, commitments.chain(proofs).chain(ephemerals), extension)
    }
}
