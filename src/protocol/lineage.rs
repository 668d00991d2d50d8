//! What an invitation says of the key that it renews.

use super::certificate::{CertificateError, verify_chain};
use super::epoch::Epoch;
use crate::suite::{GroupKey, VerifyingKey};
use crate::wire::{Action, DealPlan, EpochId, Fingerprint, Invitation, KeyId, Roster, Source};

/// What of a plan one should think about before starting it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Fewer than 2t − 1 members will hold a share: the next renewal takes at least t of them, and one or two that refuse or lose
    /// theirs can end the key.
    FewReceivers {
        /// How many will hold a share.
        receivers: usize,
        /// How many of them sign.
        threshold: u16,
    },
}

impl core::fmt::Display for Warning {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self::FewReceivers { receivers, threshold } = self;
        write!(f, "only {receivers} members will hold a share, of whom {threshold} sign: a loss may end the key")
    }
}

/// Where a key comes from, as the certificates in an invitation prove it.
///
/// # Security
///
/// Certificates prove that one group made a key and handed it on, not that it is the group that you think of: whoever
/// invites can make up another, with a key of its own. Before a new member starts, compare [`fingerprint`](Self::fingerprint) with
/// old members over a channel that an attacker does not hold, or the key with an address that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The key's name.
    pub key: KeyId,
    /// The group's key; for taproot the internal key.
    pub group_key: GroupKey,
    /// What signatures verify under: the address.
    pub verifying_key: VerifyingKey,
    /// The epoch that is to be renewed.
    pub epoch: EpochId,
    /// Its height: 0 of the first epoch, then mostly one more with each. The end of a fork stands above both lines.
    pub height: u64,
    /// How many of its members sign.
    pub threshold: u16,
    /// Its members.
    pub members: Roster,
}

impl Lineage {
    fn of(epoch: Epoch) -> Self {
        Self {
            key: epoch.key,
            verifying_key: epoch.group_key.verifying_key(None),
            epoch: epoch.id,
            height: epoch.plan.height,
            threshold: epoch.threshold(),
            members: epoch.roster().clone(),
            group_key: epoch.group_key,
        }
    }

    /// The fingerprint of the members that hold the key now: old members read theirs out from
    /// [`KeyInfo::fingerprint`](crate::KeyInfo::fingerprint).
    pub fn fingerprint(&self) -> Fingerprint {
        self.members.fingerprint()
    }
}

impl Invitation {
    /// What its certificates prove of the key that it renews, or a share of which it makes; `None` when it does neither.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::Reshare;
    ///
    /// let members = three();
    /// let key = key(&members);
    /// let dora = member();
    /// let roster = key.roster.with(id(4), dora.card()?)?;
    /// let invitation = members[0].invite_reshare(key.id, Reshare { members: roster, ..Reshare::of(&key) })?;
    ///
    /// // Dora looks before she starts. An old member, whom she knows by voice, reads its own fingerprint out.
    /// let lineage = invitation.lineage()?.expect("it renews a key");
    /// assert_eq!(lineage.fingerprint(), members[2].key(key.id)?.fingerprint());
    /// assert_eq!((lineage.verifying_key, lineage.threshold), (key.verifying_key, 2));
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the certificates prove nothing, or not of the epoch that the plan renews. No token starts such an invitation.
    pub fn lineage(&self) -> Result<Option<Lineage>, CertificateError> {
        let (key, parent) = match &self.plan.action {
            Action::Deal(DealPlan { source: Source::Epoch { key, parent, .. }, .. }) => (key, parent),
            Action::Repair(plan) => (&plan.revision.key, &plan.revision.epoch),
            _ => return Ok(None),
        };
        let newest = verify_chain(&self.certificates()?)?;
        if (newest.key, newest.id) == (*key, *parent) {
            Ok(Some(Lineage::of(newest)))
        } else {
            Err(CertificateError::Parent)
        }
    }

    /// What of the plan one should think about before starting it.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::{Dkg, KeyTemplate, Roster, Suite, Warning};
    ///
    /// let [anna, ben, carla] = three();
    /// let members = Roster::numbered([anna.card()?, ben.card()?, carla.card()?])?;
    /// let template = KeyTemplate::wallet("all or nothing");
    /// let invitation = anna.invite(Dkg { suite: Suite::Ed25519, threshold: 3, members, template })?;
    /// assert_eq!(invitation.warnings(), [Warning::FewReceivers { receivers: 3, threshold: 3 }]);
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    pub fn warnings(&self) -> Vec<Warning> {
        let Action::Deal(plan) = &self.plan.action else { return Vec::new() };
        let (receivers, threshold) = (plan.receivers.len(), plan.threshold);
        let few = receivers + 1 < 2 * usize::from(threshold);
        few.then_some(Warning::FewReceivers { receivers, threshold }).into_iter().collect()
    }
}
