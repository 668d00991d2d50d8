//! What is public and fixed before anybody deals.

use std::collections::BTreeMap;

use super::DealingError;
use crate::guard::{forbids, holds};
use crate::suite::{Ciphersuite, Element};
use crate::wire::Identifier;

/// The longest context, in bytes.
pub(super) const MAX_CONTEXT: usize = 1024;
/// The most members in one role; identifiers end there.
pub(super) const MAX_MEMBERS: usize = 1000;

/// A member in one role of a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Participant<C: Ciphersuite> {
    /// The member.
    pub(crate) id: Identifier,
    /// The public half of its run key.
    pub(crate) run_key: C::Element,
}

/// Who deals to whom: agreed by all before round 1, and valid by construction.
///
/// Identifiers ascend and are unique in each role; 2 ≤ threshold ≤ receivers ≤ 1,000, but for the one receiver of a repair; no run key is the identity or
/// stands under two identifiers. A DKG has the same participants 1 … n in both roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ceremony<C: Ciphersuite> {
    context: Vec<u8>,
    threshold: u16,
    dealers: Vec<Participant<C>>,
    receivers: Vec<Participant<C>>,
    constants: Option<BTreeMap<Identifier, C::Element>>,
}

impl<C: Ciphersuite> Ceremony<C> {
    /// Without `constants` a DKG. With them a refresh or reshare: for each dealer *i* the point λᵢ·Yᵢ that its
    /// constant term must have.
    ///
    /// `context` must be unique to the run and bind suite and participants; [`cocktail_context`] makes one.
    pub(crate) fn new(
        context: Vec<u8>,
        threshold: u16,
        dealers: Vec<Participant<C>>,
        receivers: Vec<Participant<C>>,
        constants: Option<BTreeMap<Identifier, C::Element>>,
    ) -> Result<Self, DealingError> {
        if forbids!(OneShareIsNoThreshold, threshold < 2) {
            return Err(DealingError::Setup("the threshold is below 2"));
        }
        Self::checked(context, threshold, dealers, receivers, constants)
    }

    /// A dealing to one receiver, who gets the sum of the constants whole: the end of a repair.
    pub(crate) fn to_one(
        context: Vec<u8>,
        dealers: Vec<Participant<C>>,
        receiver: Participant<C>,
        constants: BTreeMap<Identifier, C::Element>,
    ) -> Result<Self, DealingError> {
        Self::checked(context, 1, dealers, vec![receiver], Some(constants))
    }

    fn checked(
        context: Vec<u8>,
        threshold: u16,
        dealers: Vec<Participant<C>>,
        receivers: Vec<Participant<C>>,
        constants: Option<BTreeMap<Identifier, C::Element>>,
    ) -> Result<Self, DealingError> {
        let ensure = |holds: bool, rule| if holds { Ok(()) } else { Err(DealingError::Setup(rule)) };
        ensure(!context.is_empty() && context.len() <= MAX_CONTEXT, "the context is empty or too long")?;
        ensure(usize::from(threshold) <= receivers.len(), "the threshold is above the number of receivers")?;
        ensure(!dealers.is_empty(), "nobody deals")?;
        for role in [&dealers, &receivers] {
            ensure(role.is_sorted_by(|a, b| a.id < b.id), "identifiers are not unique and ascending")?;
            ensure(role.iter().all(|member| !member.run_key.is_identity()), "a run key is the identity")?;
        }
        // Dealer and receiver of one identifier may be one device with one key, or an old and a new one with two.
        let mut holders = BTreeMap::new();
        for member in dealers.iter().chain(&receivers) {
            let holder = *holders.entry(member.run_key.to_bytes()).or_insert(member.id);
            ensure(holds!(RunKeyOfOneMember, holder == member.id), "a run key stands under two identifiers")?;
        }
        match &constants {
            None => {
                ensure(dealers == receivers, "dealers and receivers of a DKG differ")?;
                // COCKTAIL-DKG, "Setup": the contiguous integers 1 … n.
                let contiguous = (1..).zip(&dealers).all(|(number, member)| member.id.get() == number);
                ensure(contiguous, "identifiers of a DKG are not 1 … n")?;
            }
            Some(constants) => {
                ensure(constants.keys().eq(dealers.iter().map(|dealer| &dealer.id)), "not one constant a dealer")?;
                ensure(constants.values().all(|point| !point.is_identity()), "a constant is the identity")?;
                ensure(!sum(constants.values()).is_identity(), "the group key is the identity")?;
            }
        }
        Ok(Self { context, threshold, dealers, receivers, constants })
    }

    /// The bytes that bind every proof and key to this run.
    pub(crate) fn context(&self) -> &[u8] {
        &self.context
    }

    /// How many shares will make a signature; also the number of points in each commitment.
    pub(crate) const fn threshold(&self) -> u16 {
        self.threshold
    }

    /// Who deals.
    pub(crate) fn dealers(&self) -> &[Participant<C>] {
        &self.dealers
    }

    /// Who gets a share.
    pub(crate) fn receivers(&self) -> &[Participant<C>] {
        &self.receivers
    }

    /// The fixed constant terms; `None` for a DKG.
    pub(crate) const fn constants(&self) -> Option<&BTreeMap<Identifier, C::Element>> {
        self.constants.as_ref()
    }

    /// The sum of the fixed constant terms: the key that a refresh or reshare must keep. `None` for a DKG.
    pub(crate) fn kept_group_key(&self) -> Option<C::Element> {
        self.constants.as_ref().map(|constants| sum(constants.values()))
    }

    /// The run keys that sign the transcript: the dealers', then those receivers' that are not among them.
    #[cfg(any(test, feature = "hazmat"))]
    pub(crate) fn signatories(&self) -> Vec<C::Element> {
        let dealers: std::collections::BTreeSet<_> =
            self.dealers.iter().map(|dealer| dealer.run_key.to_bytes()).collect();
        let others = self.receivers.iter().filter(|receiver| !dealers.contains(&receiver.run_key.to_bytes()));
        self.dealers.iter().chain(others).map(|member| member.run_key).collect()
    }

    pub(super) fn dealer(&self, id: Identifier) -> Result<&Participant<C>, DealingError> {
        find(&self.dealers, id).map(|(_, member)| member)
    }

    /// The receiver and its place, which is its ciphertext's place in every deal.
    pub(super) fn receiver(&self, id: Identifier) -> Result<(usize, &Participant<C>), DealingError> {
        find(&self.receivers, id)
    }
}

fn find<C: Ciphersuite>(role: &[Participant<C>], id: Identifier) -> Result<(usize, &Participant<C>), DealingError> {
    let place = role.binary_search_by_key(&id, |member| member.id).ok();
    place.and_then(|place| Some((place, role.get(place)?))).ok_or(DealingError::NotAMember(id))
}

/// The sum of public points.
pub(super) fn sum<'a, E: Element>(points: impl IntoIterator<Item = &'a E>) -> E {
    points.into_iter().fold(E::IDENTITY, |sum, point| sum + *point)
}

/// COCKTAIL-DKG, "Setup": the recommended context, from a session id and the run keys in the order of identifiers.
pub(crate) fn cocktail_context<C: Ciphersuite>(session_id: &[u8], participants: &[Participant<C>]) -> Vec<u8> {
    let suite = C::COCKTAIL_ID.as_bytes();
    let keys: Vec<u8> = participants.iter().flat_map(|participant| participant.run_key.to_bytes()).collect();
    let n = u32::try_from(participants.len()).expect("a slice of participants has at most 1,000 of them");
    C::hash(&[
        b"COCKTAIL-DKG-CONTEXT",
        &length(session_id).to_be_bytes(),
        session_id,
        &length(suite).to_be_bytes(),
        suite,
        &n.to_le_bytes(),
        &keys,
    ])
}

/// The length of a byte string as the 64 bits that COCKTAIL-DKG gives it.
pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a length in memory fits 64 bits")
}
