//! The invitation to a run, that one member signs.

use core::fmt;

use super::card::{Card, IdentityKey, Kind};
use super::codec::{DecodeError, Reader, Writer};
use super::hash::{EpochId, KeyId, RunId};
use super::identifier::Identifier;
use super::path::Derivation;
use super::plan::{Action, DealPlan, Plan, PreparePlan, Prepared, Replaced, SignPlan, Source};
use super::revision::Revision;
use super::roster::{Fingerprint, Roster};
use super::template::KeyTemplate;
use crate::suite::{GroupKey, Suite};

/// One member's signed proposal of a run. The others look at what it says, and join by starting it.
///
/// It may carry the certificates of the key's earlier epochs, for members that join the group.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::Invitation;
///
/// let members = three();
/// let bytes = invitation(&members).to_bytes();
/// // At another member, before it starts:
/// let invitation = Invitation::from_bytes(&bytes)?;
/// assert_eq!((invitation.inviter(), invitation.threshold()), (id(1), Some(2)));
/// assert_eq!(invitation.template().map(|template| template.label.as_str()), Some("savings"));
/// assert_eq!((invitation.dealers(), invitation.signers()), (invitation.receivers(), [].as_slice()));
/// println!("compare with the others: {}", invitation.fingerprint().expect("it deals shares"));
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    pub(crate) plan: Plan,
    /// Encoded certificates from the first epoch to the parent; bound by the parent's name in the plan.
    pub(crate) chain: Vec<Vec<u8>>,
    signature: [u8; 64],
}

impl Invitation {
    const VERSION: u8 = 1;
    const MAX_PLAN: usize = 4 << 20;
    const MAX_CHAIN: usize = 65_536;
    const MAX_CERTIFICATE: usize = 32 << 20;

    pub(crate) fn issue(plan: Plan, chain: Vec<Vec<u8>>, key: &IdentityKey) -> Self {
        let signature = key.sign(Kind::Invitation, &plan.to_bytes());
        Self { plan, chain, signature }
    }

    /// The invitation in its one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION).bytes(&self.plan.to_bytes()).count(self.chain.len());
        for certificate in &self.chain {
            writer.bytes(certificate);
        }
        writer.raw(&self.signature).finish()
    }

    /// Reads an invitation. Who signed it is checked when it is started.
    ///
    /// # Errors
    ///
    /// Any other encoding; a threshold below 2 or above the number of receivers; more than 1,000 members.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let invitation = Self {
            plan: Plan::from_bytes(reader.bytes(Self::MAX_PLAN)?)?,
            chain: (0..reader.count(Self::MAX_CHAIN)?)
                .map(|_| reader.bytes(Self::MAX_CERTIFICATE).map(<[u8]>::to_vec))
                .collect::<Result<_, _>>()?,
            signature: reader.array()?,
        };
        reader.finish()?;
        Ok(invitation)
    }

    pub(crate) fn is_signed_by(&self, card: &Card) -> bool {
        card.verify(Kind::Invitation, &self.plan.to_bytes(), &self.signature).is_some()
    }

    /// The name of the run.
    pub fn run_id(&self) -> RunId {
        self.plan.run_id()
    }

    /// The suite of the key.
    pub const fn suite(&self) -> Suite {
        self.plan.suite()
    }

    /// Who proposes it.
    pub const fn inviter(&self) -> Identifier {
        self.plan.inviter
    }

    /// The members that will hold a share, when shares are dealt, or a member is repaired or enrolled.
    pub const fn receivers(&self) -> Option<&Roster> {
        match &self.plan.action {
            Action::Deal(plan) => Some(&plan.receivers),
            Action::Sign(_) | Action::Prepare(_) | Action::Reconstruct(_) => None,
            Action::Repair(plan) => Some(&plan.roster),
        }
    }

    /// The fingerprint of the members that will hold a share: compare it with them before starting.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.receivers().map(Roster::fingerprint)
    }

    /// How many members it will take to sign, when shares are dealt.
    pub const fn threshold(&self) -> Option<u16> {
        match &self.plan.action {
            Action::Deal(plan) => Some(plan.threshold),
            Action::Sign(_) | Action::Prepare(_) | Action::Reconstruct(_) | Action::Repair(_) => None,
        }
    }

    /// The template of the key, when shares are dealt.
    pub const fn template(&self) -> Option<&KeyTemplate> {
        match &self.plan.action {
            Action::Deal(plan) => Some(&plan.template),
            Action::Sign(_) | Action::Prepare(_) | Action::Reconstruct(_) | Action::Repair(_) => None,
        }
    }

    /// The members that deal, when shares are dealt; of a new key they are the receivers, of an imported one it is who
    /// has its secret.
    pub fn dealers(&self) -> Option<&Roster> {
        match &self.plan.action {
            Action::Deal(plan) => Some(plan.dealers()),
            Action::Sign(_) | Action::Prepare(_) | Action::Reconstruct(_) | Action::Repair(_) => None,
        }
    }

    /// The old members that leave and only sign, when shares are renewed.
    pub const fn witnesses(&self) -> Option<&Roster> {
        match &self.plan.action {
            Action::Deal(plan) => plan.witnesses(),
            Action::Sign(_) | Action::Prepare(_) | Action::Reconstruct(_) | Action::Repair(_) => None,
        }
    }

    /// Whose old cards don't go on, when shares are renewed, and why: members that come with another one, and members that
    /// leave. Who leaves is not among the [`receivers`](Self::receivers).
    pub fn replaced(&self) -> &[Replaced] {
        match &self.plan.action {
            Action::Deal(DealPlan { source: Source::Epoch { replaced, .. }, .. }) => replaced,
            _ => &[],
        }
    }

    /// The old public key that is imported, when one is: compare it with the key that you know, or its address.
    pub const fn imports(&self) -> Option<&GroupKey> {
        match &self.plan.action {
            Action::Deal(DealPlan { source: Source::Import { group_key, .. }, .. }) => Some(group_key),
            _ => None,
        }
    }

    /// The members whose shares are to be put together in the hands of who [invites](Self::inviter), when a key is
    /// reconstructed.
    pub fn reconstructs(&self) -> Option<&[Identifier]> {
        match &self.plan.action {
            Action::Reconstruct(plan) => Some(&plan.members),
            _ => None,
        }
    }

    /// The certified epochs that lose by it, when it ends a fork of the key.
    pub fn losing(&self) -> &[EpochId] {
        match &self.plan.action {
            Action::Deal(DealPlan { source: Source::Epoch { losing, .. }, .. }) => losing,
            _ => &[],
        }
    }

    /// Revisions of a roster that lose by this renewal, where two that exclude each other were both signed by a quorum. Look
    /// whom they brought in: what these hold of the old epoch stays until they erase it.
    pub fn undone(&self) -> &[Revision] {
        match &self.plan.action {
            Action::Deal(DealPlan { source: Source::Epoch { undone, .. }, .. }) => undone,
            _ => &[],
        }
    }

    /// The key that it is about, unless it makes or imports one.
    pub const fn key(&self) -> Option<KeyId> {
        match &self.plan.action {
            Action::Deal(DealPlan { source: Source::Epoch { key, .. }, .. }) => Some(*key),
            Action::Deal(_) => None,
            Action::Sign(SignPlan { party, .. }) | Action::Prepare(PreparePlan { party, .. }) => Some(party.key),
            Action::Reconstruct(plan) => Some(plan.key),
            Action::Repair(plan) => Some(plan.revision.key),
        }
    }

    /// The members that are to sign, ascending; none when shares are dealt.
    pub fn signers(&self) -> &[Identifier] {
        match &self.plan.action {
            Action::Deal(_) | Action::Reconstruct(_) | Action::Repair(_) => &[],
            Action::Sign(SignPlan { party, .. }) | Action::Prepare(PreparePlan { party, .. }) => &party.signers,
        }
    }

    /// Which key under the group's is to sign, when something is signed.
    pub const fn derivation(&self) -> Option<&Derivation> {
        match &self.plan.action {
            Action::Deal(_) | Action::Prepare(_) | Action::Reconstruct(_) | Action::Repair(_) => None,
            Action::Sign(plan) => Some(&plan.derivation),
        }
    }

    /// The run whose nonces are to sign, when they were made beforehand.
    pub const fn batch(&self) -> Option<RunId> {
        match &self.plan.action {
            Action::Sign(SignPlan { prepared: Some(Prepared { batch, .. }), .. }) => Some(*batch),
            _ => None,
        }
    }

    /// For how many signatures nonces are made, when they are made beforehand.
    pub const fn batch_size(&self) -> Option<u16> {
        match &self.plan.action {
            Action::Prepare(plan) => Some(plan.count),
            Action::Deal(_) | Action::Sign(_) | Action::Reconstruct(_) | Action::Repair(_) => None,
        }
    }

    /// The message that is proposed for signing. What is signed is what each member approves when it starts, if it is this.
    ///
    /// It is bytes of somebody else's choice: parse it, and decide by what it does, not by what it was called.
    pub fn message(&self) -> Option<&[u8]> {
        match &self.plan.action {
            Action::Deal(_) | Action::Prepare(_) | Action::Reconstruct(_) | Action::Repair(_) => None,
            Action::Sign(plan) => Some(&plan.message),
        }
    }

    /// How the roster changes, when a member is repaired or enrolled.
    pub const fn revision(&self) -> Option<&Revision> {
        match &self.plan.action {
            Action::Deal(_) | Action::Sign(_) | Action::Reconstruct(_) | Action::Prepare(_) => None,
            Action::Repair(plan) => Some(&plan.revision),
        }
    }

    /// The members that sign the revision and make the share, ascending, when a member is repaired or enrolled.
    pub fn helpers(&self) -> &[Identifier] {
        match &self.plan.action {
            Action::Deal(_) | Action::Sign(_) | Action::Reconstruct(_) | Action::Prepare(_) => &[],
            Action::Repair(plan) => &plan.helpers,
        }
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("run", &self.run_id()).field("plan", &self.plan).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
