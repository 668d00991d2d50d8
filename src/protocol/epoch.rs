//! What is public about an epoch.

use std::collections::BTreeMap;

use super::attempt::Entrants;
use crate::suite::{GroupKey, Suite};
use crate::wire::{
    Action, Card, DealPlan, EpochId, Identifier, KeyId, KeyTemplate, Plan, Replaced, Revision, Roster, RunId, Source,
    tagged_hash,
};

/// The public facts of an epoch, as its plan and transcript state them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) id: EpochId,
    pub(crate) run: RunId,
    pub(crate) key: KeyId,
    pub(crate) group_key: GroupKey,
    pub(crate) plan: DealPlan,
    /// The newest roster; the plan has the one that shares were dealt to.
    pub(crate) roster: Roster,
    /// The hash of the newest roster: every later run names it.
    pub(crate) roster_hash: [u8; 32],
    /// How the roster came to differ from that of the plan.
    pub(crate) revisions: Vec<Revision>,
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
        &self.roster
    }

    /// How many times the roster was revised.
    pub(crate) fn revision(&self) -> u32 {
        self.revisions.last().map_or(0, |revision| revision.number)
    }

    /// The name of a roster, as of the epoch and its place among the epoch's rosters.
    pub(crate) fn hash_roster(epoch: EpochId, revision: u32, roster: &Roster) -> [u8; 32] {
        tagged_hash("quorumkey/roster/v1", &[epoch.as_bytes(), &revision.to_be_bytes(), &roster.to_bytes()])
    }

    /// The epoch, if it has that name and its newest roster that hash.
    pub(crate) fn as_of(&self, id: EpochId, roster: &[u8; 32]) -> Option<&Self> {
        ((self.id, &self.roster_hash) == (id, roster)).then_some(self)
    }

    /// Whether it is the hash of a roster that the epoch has or had.
    pub(crate) fn had_roster(&self, hash: &[u8]) -> bool {
        let dealt = Self::hash_roster(self.id, 0, &self.plan.receivers);
        dealt == hash || self.revisions.iter().any(|revision| revision.roster == hash)
    }

    /// Whether a member's share was made again for another device: what that one did with it, nobody knows.
    pub(crate) fn was_repaired(&self, id: Identifier) -> bool {
        self.revisions.iter().any(|revision| revision.identifier == id && revision.replaced.is_some())
    }

    /// The card with which a member took part in the dealing, as a dealer, a receiver or a witness.
    pub(crate) fn card(&self, member: Identifier) -> Option<&Card> {
        let elder = || self.plan.dealers().card(member).or_else(|| self.plan.witnesses()?.card(member));
        self.plan.receivers.card(member).or_else(elder)
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

    /// Revisions of a roster that this one undoes.
    pub(crate) fn undone(&self) -> &[Revision] {
        match &self.plan.source {
            Source::Epoch { undone, .. } => undone,
            Source::Fresh | Source::Import { .. } => &[],
        }
    }

    /// The hash of the roster of its parent that it goes by.
    pub(crate) const fn bound(&self) -> Option<&[u8; 32]> {
        match &self.plan.source {
            Source::Epoch { roster, .. } => Some(roster),
            Source::Fresh | Source::Import { .. } => None,
        }
    }

    /// The revisions that the same epoch does not have as somebody else knows it.
    pub(crate) fn beyond(&self, other: &Self) -> &[Revision] {
        let common = self.revisions.iter().zip(&other.revisions).take_while(|(ours, theirs)| ours == theirs).count();
        self.revisions.get(common..).unwrap_or_default()
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

    /// How many members of this epoch must sign its successor: q, so that two sets of them share one. t of them deal.
    pub(crate) fn quorum(&self) -> usize {
        self.template().quorum.of(self.threshold(), self.roster().len())
    }

    /// How many members of the roster before a revision must sign it; the epoch is the one after it.
    pub(crate) fn voters(&self, revision: &Revision) -> usize {
        let before = self.roster().len() - usize::from(revision.replaced.is_none());
        self.template().quorum.of(self.threshold(), before)
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
        Action::Sign(_) | Action::Reconstruct(_) | Action::Repair(_) | Action::Prepare(_) => None,
    }
}
