//! Round 2: a receiver opens its ciphertexts and sums its share.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::deal::cipher;
use super::{Ceremony, Deal, DealingError, Misdeal, Offer, RunKey};
use crate::protocol::polynomial::{evaluate_public, lagrange};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};
use crate::wire::Identifier;

/// The checks of a deal that anybody can make: lengths, constant term, proof of possession.
pub(crate) fn check<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    dealer: Identifier,
    deal: &Deal<C>,
) -> Result<(), DealingError> {
    if deal.ciphertexts.len() != ceremony.receivers().len() {
        ceremony.dealer(dealer)?;
        return Err(DealingError::Misdeal(dealer, Misdeal::Length));
    }
    check_offer(ceremony, dealer, &deal.offer)
}

/// [`check`] of the part that is in the transcript.
pub(crate) fn check_offer<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    dealer: Identifier,
    offer: &Offer<C>,
) -> Result<(), DealingError> {
    ceremony.dealer(dealer)?;
    let misdeal = |misdeal| Err(DealingError::Misdeal(dealer, misdeal));
    let Some(constant) = offer.commitment.first() else { return misdeal(Misdeal::Length) };
    if offer.commitment.len() != usize::from(ceremony.threshold()) {
        return misdeal(Misdeal::Length);
    }
    if ceremony.constants().is_some_and(|constants| constants.get(&dealer) != Some(constant)) {
        return misdeal(Misdeal::Constant);
    }
    let message = Offer::<C>::possession_message(ceremony.context(), &offer.commitment, &offer.ephemeral);
    if offer.proof.verify(constant, &message) { Ok(()) } else { misdeal(Misdeal::Proof) }
}

/// What a receiver finds in its ciphertext of one deal.
#[derive(Debug)]
pub(crate) struct Opened<C: Ciphersuite> {
    /// The dealer's polynomial at the receiver's identifier.
    pub(crate) share: Secret<C::Scalar>,
    /// What the dealer told every receiver.
    pub(crate) payload: Zeroizing<Vec<u8>>,
}

/// Opens the receiver's ciphertext and checks the share against the commitment.
pub(crate) fn open<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    run_key: &RunKey<C>,
    dealer: Identifier,
    deal: &Deal<C>,
) -> Result<Opened<C>, DealingError> {
    let (place, _) = ceremony.receiver(receiver)?;
    let ciphertext = deal.ciphertexts.get(place).ok_or(DealingError::Misdeal(dealer, Misdeal::Length))?;
    open_ciphertext(ceremony, receiver, run_key, dealer, &deal.offer, ciphertext)
}

/// [`open`] when only the receiver's own ciphertext is at hand.
pub(super) fn open_ciphertext<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    run_key: &RunKey<C>,
    dealer: Identifier,
    offer: &Offer<C>,
    ciphertext: &[u8],
) -> Result<Opened<C>, DealingError> {
    let shared = shared_points(ceremony, receiver, run_key, dealer, offer)?;
    let opened = open_with(ceremony, receiver, &shared, dealer, offer, ciphertext)?;
    opened.map_err(|misdeal| DealingError::Misdeal(dealer, misdeal))
}

/// The points that the receiver shares with the dealer: with its ephemeral key, then with its run key.
pub(super) fn shared_points<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    run_key: &RunKey<C>,
    dealer: Identifier,
    offer: &Offer<C>,
) -> Result<[C::Element; 2], DealingError> {
    let (_, listed) = ceremony.receiver(receiver)?;
    if listed.run_key != *run_key.public() {
        return Err(DealingError::RunKey);
    }
    let secret = *run_key.secret().expose();
    Ok([offer.ephemeral * secret, ceremony.dealer(dealer)?.run_key * secret])
}

/// Opens with shared points from wherever they came: the receiver's key, or its published evidence. The inner error
/// is the dealer's fault.
pub(super) fn open_with<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    shared: &[C::Element; 2],
    dealer: Identifier,
    offer: &Offer<C>,
    ciphertext: &[u8],
) -> Result<Result<Opened<C>, Misdeal>, DealingError> {
    let (_, recipient) = ceremony.receiver(receiver)?;
    let sender = ceremony.dealer(dealer)?;
    let cipher = cipher(ceremony, shared, &offer.ephemeral, &sender.run_key, &recipient.run_key);
    let Some(plaintext) = cipher.open(ciphertext) else { return Ok(Err(Misdeal::Decryption)) };
    let Some((share, payload)) = plaintext.split_first_chunk() else { return Ok(Err(Misdeal::NonCanonical)) };
    let Some(share) = C::Scalar::from_bytes(share).map(Secret::new) else { return Ok(Err(Misdeal::NonCanonical)) };
    if C::Element::mul_base(share.expose()) != evaluate_public(&offer.commitment, receiver) {
        return Ok(Err(Misdeal::Share));
    }
    Ok(Ok(Opened { share, payload: Zeroizing::new(payload.to_vec()) }))
}

/// Whether a scalar that somebody has got hold of opens what was sealed to a receiver.
#[cfg(feature = "hazmat")]
pub(crate) fn opens_with<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    secret: &C::Scalar,
    dealer: Identifier,
    deal: &Deal<C>,
) -> bool {
    let (Ok((place, _)), Ok(sender)) = (ceremony.receiver(receiver), ceremony.dealer(dealer)) else { return false };
    let shared = [deal.offer.ephemeral * *secret, sender.run_key * *secret];
    let ciphertext = deal.ciphertexts.get(place).map_or(&[][..], Vec::as_slice);
    matches!(open_with(ceremony, receiver, &shared, dealer, &deal.offer, ciphertext), Ok(Ok(_)))
}

/// What a receiver has at the end.
#[derive(Debug)]
#[cfg_attr(not(any(test, feature = "hazmat")), allow(dead_code, reason = "the transcript states the rest anew"))]
pub(crate) struct Received<C: Ciphersuite> {
    /// Whose share it is.
    pub(crate) id: Identifier,
    /// The share of the group's key.
    pub(crate) share: Secret<C::Scalar>,
    /// The group's key.
    pub(crate) group_key: C::Element,
    /// Every receiver's share times the generator.
    pub(crate) verifying_shares: BTreeMap<Identifier, C::Element>,
    /// What each dealer told every receiver.
    pub(crate) payloads: BTreeMap<Identifier, Zeroizing<Vec<u8>>>,
}

/// Sums what was opened from every dealer. The deals must have passed [`check`].
pub(crate) fn combine<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    opened: Vec<(Identifier, Opened<C>)>,
    deals: &BTreeMap<Identifier, Deal<C>>,
) -> Result<Received<C>, DealingError> {
    let offers = deals.iter().map(|(dealer, deal)| (*dealer, &deal.offer)).collect();
    combine_offers(ceremony, receiver, opened, &offers)
}

/// [`combine`] over the part that is in the transcript.
pub(super) fn combine_offers<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    opened: Vec<(Identifier, Opened<C>)>,
    offers: &BTreeMap<Identifier, &Offer<C>>,
) -> Result<Received<C>, DealingError> {
    ceremony.receiver(receiver)?;
    let GroupKeys { group_key, verifying_shares } = group_keys(ceremony, offers)?;
    let mut share = Secret::new(C::Scalar::ZERO);
    let mut payloads = BTreeMap::new();
    for (dealer, opened) in opened {
        *share.expose_mut() = *share.expose() + *opened.share.expose();
        if payloads.insert(dealer, opened.payload).is_some() {
            return Err(DealingError::Dealers);
        }
    }
    if !payloads.keys().eq(offers.keys()) {
        return Err(DealingError::Dealers);
    }
    // COCKTAIL-DKG, "Round 2", step 4.4.
    if verifying_shares.get(&receiver) != Some(&C::Element::mul_base(share.expose())) {
        return Err(DealingError::Inconsistent);
    }
    Ok(Received { id: receiver, share, group_key, verifying_shares, payloads })
}

/// The public outcome of a run.
#[derive(Clone, Debug)]
pub(crate) struct GroupKeys<C: Ciphersuite> {
    /// The group's key.
    pub(crate) group_key: C::Element,
    /// Every receiver's share times the generator.
    pub(crate) verifying_shares: BTreeMap<Identifier, C::Element>,
}

/// The group key and every receiver's verifying share, from public data.
///
/// The commitments are summed first and evaluated once: the work grows with dealers plus receivers, not their product.
pub(crate) fn group_keys<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    offers: &BTreeMap<Identifier, &Offer<C>>,
) -> Result<GroupKeys<C>, DealingError> {
    if !offers.keys().eq(ceremony.dealers().iter().map(|dealer| &dealer.id)) {
        return Err(DealingError::Dealers);
    }
    let threshold = usize::from(ceremony.threshold());
    let mut total = vec![C::Element::IDENTITY; threshold];
    for (dealer, offer) in offers {
        if offer.commitment.len() != threshold {
            return Err(DealingError::Misdeal(*dealer, Misdeal::Length));
        }
        total.iter_mut().zip(&offer.commitment).for_each(|(sum, point)| *sum = *sum + *point);
    }
    let group_key = total.first().copied().unwrap_or(C::Element::IDENTITY);
    if group_key.is_identity() {
        return Err(DealingError::IdentityKey);
    }
    let evaluated = ceremony.receivers().iter().map(|receiver| (receiver.id, evaluate_public(&total, receiver.id)));
    let verifying_shares: BTreeMap<_, _> = evaluated.collect();
    let interpolated = interpolate::<C>(&verifying_shares, threshold);
    let kept = ceremony.kept_group_key().is_none_or(|kept| kept == group_key);
    if interpolated != group_key || !kept {
        return Err(DealingError::Inconsistent);
    }
    Ok(GroupKeys { group_key, verifying_shares })
}

/// The value at zero of the polynomial through the first `threshold` verifying shares.
fn interpolate<C: Ciphersuite>(shares: &BTreeMap<Identifier, C::Element>, threshold: usize) -> C::Element {
    let set: BTreeSet<_> = shares.keys().copied().take(threshold).collect();
    let terms: Vec<_> = shares.iter().take(threshold).map(|(id, share)| (lagrange::<C>(*id, &set), *share)).collect();
    C::Element::vartime_sum_of_products(&terms)
}
