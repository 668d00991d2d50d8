//! What is public about an epoch.

use std::collections::BTreeMap;

use super::attempt::Entrants;
use crate::suite::{GroupKey, Suite};
use crate::wire::{
    Action, Card, DealPlan, EpochId, Identifier, KeyId, KeyTemplate, Plan, Replaced, Roster, RunId, Source, tagged_hash,
};

/// The public facts of an epoch, as its plan and transcript state them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) id: EpochId,
    pub(crate) run: RunId,
    pub(crate) key: KeyId,
    pub(crate) group_key: GroupKey,
    pub(crate) plan: DealPlan,
    pub(crate) verifying_shares: BTreeMap<Identifier, Vec<u8>>,
    pub(crate) chain_hash: [u8; 32],
    /// What the members said when they entered: among it the attempts that the epoch supersedes, besides its ancestors.
    pub(crate) entrants: Entrants,
}

impl Epoch {
    pub(crate) const fn suite(&self) -> Suite {
        self.plan.suite
    }

    pub(crate) const fn threshold(&self) -> u16 {
        self.plan.threshold
    }

    pub(crate) const fn roster(&self) -> &Roster {
        &self.plan.receivers
    }

    /// The card with which a member took part in the dealing, as a dealer, a receiver or both.
    pub(crate) fn card(&self, member: Identifier) -> Option<&Card> {
        self.plan.receivers.card(member).or_else(|| self.plan.dealers().card(member))
    }

    pub(crate) const fn template(&self) -> &KeyTemplate {
        &self.plan.template
    }

    pub(crate) const fn parent(&self) -> Option<EpochId> {
        match &self.plan.source {
            Source::Fresh | Source::Import { .. } => None,
            Source::Epoch { parent, .. } => Some(*parent),
        }
    }

    pub(crate) fn replaced(&self) -> &[Replaced] {
        match &self.plan.source {
            Source::Fresh | Source::Import { .. } => &[],
            Source::Epoch { replaced, .. } => replaced,
        }
    }

    /// Where the epoch stands among the attempts at a key: only upwards is signed.
    pub(crate) const fn position(&self) -> (u64, u32) {
        (self.plan.height, self.plan.attempt)
    }

    /// Whether it names that attempt, and so supersedes it.
    pub(crate) fn names(&self, attempt: EpochId) -> bool {
        self.entrants.named.iter().any(|named| named.epoch == attempt)
    }

    /// How many members of this epoch must sign its successor: q, so that two sets of them share one, and t of them can
    /// deal.
    pub(crate) fn quorum(&self) -> usize {
        self.template().quorum.of(self.threshold(), self.roster().len())
    }
}

/// The name of a key, the same for all members and epochs.
pub(crate) fn key_id(group_key: &GroupKey) -> KeyId {
    let suite = [group_key.suite().code()];
    KeyId::from_bytes(tagged_hash("quorumkey/key-id/v1", &[&suite, group_key.as_bytes()]))
}

/// The name of an epoch.
pub(crate) fn epoch_id(transcript: &[u8]) -> EpochId {
    EpochId::from_bytes(tagged_hash("quorumkey/epoch/v1", &[transcript]))
}

/// What binds a chain code into transcripts without showing it.
pub(crate) fn chain_hash(chain_code: &[u8; 32]) -> [u8; 32] {
    tagged_hash("quorumkey/chain-code-hash/v1", &[chain_code])
}

/// The dealing of a plan.
pub(crate) const fn deal_plan(plan: &Plan) -> Option<&DealPlan> {
    match &plan.action {
        Action::Deal(deal) => Some(deal),
        Action::Sign(_) | Action::Reconstruct(_) => None,
    }
}
