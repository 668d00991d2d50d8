//! Round 2: a receiver opens its ciphertexts and sums its share.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::deal::cipher;
use super::{Ceremony, Deal, DealingError, Misdeal, Offer, RunKey};
use crate::guard::{forbids, holds};
use crate::protocol::polynomial::{evaluate_public, evaluate_public_all, interpolate_public};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar};
use crate::wire::Identifier;

/// The checks of a deal that anybody can make: lengths, constant term, proof of possession.
pub(crate) fn check<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    dealer: Identifier,
    deal: &Deal<C>,
) -> Result<(), DealingError> {
    check_length(ceremony, dealer, deal)?;
    check_offer(ceremony, dealer, &deal.offer)
}

fn check_length<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    dealer: Identifier,
    deal: &Deal<C>,
) -> Result<(), DealingError> {
    if holds!(CiphertextForEach, deal.ciphertexts.len() == ceremony.receivers().len()) {
        return Ok(());
    }
    ceremony.dealer(dealer)?;
    Err(DealingError::Misdeal(dealer, Misdeal::Length))
}

/// [`check`] of the part that is in the transcript.
pub(crate) fn check_offer<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    dealer: Identifier,
    offer: &Offer<C>,
) -> Result<(), DealingError> {
    let key = check_commitment(ceremony, dealer, offer)?;
    let proven = offer.proof.verify(&key, &offer.statement(ceremony.context()));
    if holds!(ConstantProven, proven) { Ok(()) } else { Err(DealingError::Misdeal(dealer, Misdeal::Proof)) }
}

/// Length and constant term, which comes back.
fn check_commitment<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    dealer: Identifier,
    offer: &Offer<C>,
) -> Result<C::Element, DealingError> {
    ceremony.dealer(dealer)?;
    let misdeal = |misdeal| Err(DealingError::Misdeal(dealer, misdeal));
    let Some(constant) = offer.commitment.first() else { return misdeal(Misdeal::Length) };
    if forbids!(CommitmentOfTheThreshold, offer.commitment.len() != usize::from(ceremony.threshold())) {
        return misdeal(Misdeal::Length);
    }
    let other = ceremony.constants().is_some_and(|constants| constants.get(&dealer) != Some(constant));
    if forbids!(ConstantAsAgreed, other) {
        return misdeal(Misdeal::Constant);
    }
    let zero = ceremony.dealers().len() == 1 && !shareless(&evaluate_all(ceremony, &offer.commitment)).is_empty();
    if forbids!(LoneDealerDealsToAll, zero) {
        return misdeal(Misdeal::Zero);
    }
    Ok(*constant)
}

/// What a receiver finds in its ciphertext of one deal.
#[derive(Debug)]
pub(crate) struct Opened<C: Ciphersuite> {
    /// Whose ciphertext it was.
    receiver: Identifier,
    /// The dealer's polynomial at the receiver's identifier.
    pub(crate) share: Secret<C::Scalar>,
    /// What the dealer told every receiver.
    pub(crate) payload: Zeroizing<Vec<u8>>,
}

/// Opens the receiver's ciphertext. Whether the share fits the commitment shows when all are summed, in [`combine`].
pub(crate) fn open<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    run_key: &RunKey<C>,
    dealer: Identifier,
    deal: &Deal<C>,
) -> Result<Opened<C>, DealingError> {
    let (place, _) = ceremony.receiver(receiver)?;
    let ciphertext = deal.ciphertexts.get(place).ok_or(DealingError::Misdeal(dealer, Misdeal::Length))?;
    open_from(ceremony, receiver, run_key, dealer, &deal.offer.ephemeral, ciphertext)
}

/// [`open`] with no more of the deal than the ephemeral key and the receiver's own ciphertext.
pub(super) fn open_from<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    run_key: &RunKey<C>,
    dealer: Identifier,
    ephemeral: &C::Element,
    ciphertext: &[u8],
) -> Result<Opened<C>, DealingError> {
    let shared = shared_points(ceremony, receiver, run_key, dealer, ephemeral)?;
    let opened = unseal(ceremony, receiver, &shared, dealer, ephemeral, ciphertext)?;
    opened.map_err(|misdeal| DealingError::Misdeal(dealer, misdeal))
}

/// The points that the receiver shares with the dealer: with its ephemeral key, then with its run key.
pub(super) fn shared_points<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    run_key: &RunKey<C>,
    dealer: Identifier,
    ephemeral: &C::Element,
) -> Result<[C::Element; 2], DealingError> {
    let (_, listed) = ceremony.receiver(receiver)?;
    if listed.run_key != *run_key.public() {
        return Err(DealingError::RunKey);
    }
    let secret = *run_key.secret().expose();
    Ok([*ephemeral * secret, ceremony.dealer(dealer)?.run_key * secret])
}

/// Opens with shared points from wherever they came, the receiver's key or its published evidence, and checks the
/// share against the commitment. The inner error is the dealer's fault.
pub(super) fn open_with<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    shared: &[C::Element; 2],
    dealer: Identifier,
    offer: &Offer<C>,
    ciphertext: &[u8],
) -> Result<Result<Opened<C>, Misdeal>, DealingError> {
    let opened = unseal(ceremony, receiver, shared, dealer, &offer.ephemeral, ciphertext)?;
    Ok(opened.and_then(|opened| if opened.fits(offer) { Ok(opened) } else { Err(Misdeal::Share) }))
}

impl<C: Ciphersuite> Opened<C> {
    /// A share that did not come in a ciphertext.
    #[cfg(feature = "hazmat")]
    pub(crate) fn bare(receiver: Identifier, share: Secret<C::Scalar>) -> Self {
        Self { receiver, share, payload: Zeroizing::default() }
    }

    /// Whether the share is the committed polynomial's value.
    pub(crate) fn fits(&self, offer: &Offer<C>) -> bool {
        let fits = C::Element::mul_base(self.share.expose()) == evaluate_public(&offer.commitment, self.receiver);
        holds!(ShareOfItsCommitment, fits)
    }
}

fn unseal<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    receiver: Identifier,
    shared: &[C::Element; 2],
    dealer: Identifier,
    ephemeral: &C::Element,
    ciphertext: &[u8],
) -> Result<Result<Opened<C>, Misdeal>, DealingError> {
    let (_, recipient) = ceremony.receiver(receiver)?;
    let sender = ceremony.dealer(dealer)?;
    let cipher = cipher(ceremony, shared, ephemeral, &sender.run_key, &recipient.run_key);
    let Some(plaintext) = cipher.open(ciphertext) else { return Ok(Err(Misdeal::Decryption)) };
    let Some((share, payload)) = plaintext.split_first_chunk() else { return Ok(Err(Misdeal::NonCanonical)) };
    let Some(share) = C::Scalar::from_bytes(share).map(Secret::new) else { return Ok(Err(Misdeal::NonCanonical)) };
    Ok(Ok(Opened { receiver, share, payload: Zeroizing::new(payload.to_vec()) }))
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
    let keys = group_keys(ceremony, offers)?;
    let summed = Summed::of(ceremony, receiver, opened)?;
    summed.received(keys).map_err(|summed| {
        let shares = summed.opened.iter().map(|(dealer, opened)| (*dealer, opened)).zip(offers.values().copied());
        let misdeal = |dealer| DealingError::Misdeal(dealer, Misdeal::Share);
        misdealt(shares).map_or(DealingError::Inconsistent, misdeal)
    })
}

/// What a receiver opened of every dealer, and the sum of the shares.
pub(super) struct Summed<C: Ciphersuite> {
    receiver: Identifier,
    share: Secret<C::Scalar>,
    opened: BTreeMap<Identifier, Opened<C>>,
}

impl<C: Ciphersuite> Summed<C> {
    /// Sums what was opened, of each dealer once.
    pub(super) fn of(
        ceremony: &Ceremony<C>,
        receiver: Identifier,
        opened: Vec<(Identifier, Opened<C>)>,
    ) -> Result<Self, DealingError> {
        ceremony.receiver(receiver)?;
        let mut share = Secret::new(C::Scalar::ZERO);
        let mut by_dealer = BTreeMap::new();
        for (dealer, opened) in opened {
            *share.expose_mut() = *share.expose() + *opened.share.expose();
            if opened.receiver != receiver {
                return Err(DealingError::Inconsistent);
            }
            if by_dealer.insert(dealer, opened).is_some() {
                return Err(DealingError::Dealers);
            }
        }
        if forbids!(SharesOfAllDealers, !by_dealer.keys().eq(ceremony.dealers().iter().map(|dealer| &dealer.id))) {
            return Err(DealingError::Dealers);
        }
        Ok(Self { receiver, share, opened: by_dealer })
    }

    /// The outcome, if the sum is the share of these keys (COCKTAIL-DKG, "Round 2", step 4.4). Each summand is looked at
    /// only when it is not.
    pub(super) fn received(self, keys: GroupKeys<C>) -> Result<Received<C>, Self> {
        let Self { receiver, share, opened } = self;
        let GroupKeys { group_key, verifying_shares } = keys;
        let fits = verifying_shares.get(&receiver) == Some(&C::Element::mul_base(share.expose()));
        if forbids!(SharesAddUp, !fits) {
            return Err(Self { receiver, share, opened });
        }
        let payloads = opened.into_iter().map(|(dealer, opened)| (dealer, opened.payload)).collect();
        Ok(Received { id: receiver, share, group_key, verifying_shares, payloads })
    }
}

/// The first dealer whose share does not fit its commitment.
pub(crate) fn misdealt<'a, C: Ciphersuite>(
    mut shares: impl Iterator<Item = ((Identifier, &'a Opened<C>), &'a Offer<C>)>,
) -> Option<Identifier> {
    shares.find(|((_, opened), offer)| !opened.fits(offer)).map(|((dealer, _), _)| dealer)
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
    let mut total: Vec<C::Element> = Vec::new();
    for (dealer, offer) in offers {
        if offer.commitment.len() != threshold {
            return Err(DealingError::Misdeal(*dealer, Misdeal::Length));
        }
        if total.is_empty() {
            total.clone_from(&offer.commitment);
            continue;
        }
        total.iter_mut().zip(&offer.commitment).for_each(|(sum, point)| *sum = *sum + *point);
    }
    keys_of(ceremony, &total)
}

/// [`group_keys`] out of the sum of all commitments.
pub(super) fn keys_of<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    total: &[C::Element],
) -> Result<GroupKeys<C>, DealingError> {
    let group_key = total.first().copied().unwrap_or(C::Element::IDENTITY);
    if forbids!(GroupKeyIsNotTheIdentity, group_key.is_identity()) {
        return Err(DealingError::IdentityKey);
    }
    let verifying_shares = evaluate_all(ceremony, total);
    let interpolated = interpolate_public::<C>(&verifying_shares, total.len());
    let kept = holds!(GroupKeyKept, ceremony.kept_group_key().is_none_or(|kept| kept == group_key));
    if interpolated != group_key || !kept {
        return Err(DealingError::Inconsistent);
    }
    Ok(GroupKeys { group_key, verifying_shares })
}

fn evaluate_all<C: Ciphersuite>(ceremony: &Ceremony<C>, commitment: &[C::Element]) -> BTreeMap<Identifier, C::Element> {
    evaluate_public_all(commitment, ceremony.receivers().iter().map(|receiver| receiver.id))
}

/// Whose share is zero. It never is by chance, and nobody could renew or use it.
pub(crate) fn shareless<E: Element>(verifying_shares: &BTreeMap<Identifier, E>) -> Vec<Identifier> {
    verifying_shares.iter().filter(|(_, share)| share.is_identity()).map(|(id, _)| *id).collect()
}
