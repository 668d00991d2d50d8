//! Revisions of an epoch's roster: what they must say, and who must have signed them.

#[cfg(test)]
pub(super) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::certificate::CertificateError;
use super::epoch::Epoch;
use super::polynomial::lagrange_at;
use crate::guard::{forbids, holds};
use crate::suite::{Ciphersuite, Element, with_suite};
use crate::wire::{Card, CardId, DecodeError, Identifier, IdentityKey, Kind, Reader, Reason, Revision, Roster, Writer};

/// A revision with the signatures of members of the roster before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedRevision {
    pub(crate) revision: Revision,
    pub(crate) signatures: BTreeMap<Identifier, [u8; 64]>,
}

impl SignedRevision {
    const MAX_SIGNATURES: usize = 1000;

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.bytes(&self.revision.to_bytes()).count(self.signatures.len());
        for (member, signature) in &self.signatures {
            writer.identifier(*member).raw(signature);
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let revision = Revision::from_bytes(reader.bytes(Revision::MAX_LEN)?)?;
        let signatures = (0..reader.count(Self::MAX_SIGNATURES)?)
            .map(|_| Ok((reader.identifier()?, reader.array()?)))
            .collect::<Result<Vec<_>, DecodeError>>()?;
        if !signatures.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(DecodeError::Invalid("order of signatures"));
        }
        Ok(Self { revision, signatures: signatures.into_iter().collect() })
    }

    /// The epoch after the revision, if it follows from the epoch and a quorum of the roster before it has signed.
    pub(super) fn verify(&self, before: &Epoch) -> Result<Epoch, CertificateError> {
        for (member, signature) in &self.signatures {
            if !is_vote(before, &self.revision, *member, signature) {
                return Err(CertificateError::Signature(*member));
            }
        }
        if forbids!(RevisionTakesAQuorum, self.signatures.len() < before.quorum()) {
            return Err(CertificateError::Contradiction("too few have signed a revision"));
        }
        follow(before, &self.revision)
    }
}

/// A member's signature on a revision.
pub(super) fn vote(identity: &IdentityKey, revision: &Revision) -> [u8; 64] {
    identity.sign(Kind::Revision, &revision.to_bytes())
}

/// Whether it is the signature of a member that may sign: of the roster before, and not the one that it is about.
pub(super) fn is_vote(before: &Epoch, revision: &Revision, member: Identifier, signature: &[u8; 64]) -> bool {
    let card = before.roster().card(member).filter(|_| member != revision.identifier);
    let signed = card.is_some_and(|card| card.verify(Kind::Revision, &revision.to_bytes(), signature).is_some());
    holds!(VoteOfAMember, signed)
}

/// The epoch once the revision has been made, whether or not it is made already.
pub(crate) fn revised(epoch: &Epoch, revision: &Revision) -> Result<Epoch, CertificateError> {
    if epoch.revisions.last() == Some(revision) { Ok(epoch.clone()) } else { follow(epoch, revision) }
}

/// The epoch after a revision that is new to it.
pub(super) fn follow(epoch: &Epoch, revision: &Revision) -> Result<Epoch, CertificateError> {
    let (expected, next) = revise(epoch, revision.identifier, &revision.card, revision.replaced)?;
    agree(holds!(RevisionFollows, expected == *revision), "a revision does not follow from the epoch")?;
    Ok(next)
}

/// The next revision of an epoch's roster, and the epoch after it. All of it follows from who comes, and why.
///
/// An identifier that ever held a share of the epoch is repaired, never enrolled; one that never did is enrolled, never
/// repaired. The share of a device that is lost or stolen stays good: only a refresh makes it worthless.
pub(crate) fn revise(
    epoch: &Epoch,
    identifier: Identifier,
    card: &Card,
    replaced: Option<(CardId, Reason)>,
) -> Result<(Revision, Epoch), CertificateError> {
    match (epoch.roster().card(identifier), replaced) {
        (None, None) => {}
        (Some(old), Some((card, reason))) => {
            agree(old.id() == card, "the card of a member that is repaired")?;
            agree(
                holds!(RepairOfADestroyedDevice, reason == Reason::Destroyed),
                "a device that is not surely destroyed asks for a refresh with a new card",
            )?;
        }
        (Some(_), None) => agree(holds!(HolderIsNeverEnrolled, false), "who held a share is repaired, never enrolled")?,
        (None, Some(_)) => {
            agree(holds!(StrangerIsNeverRepaired, false), "who never held a share is enrolled, never repaired")?;
        }
    }
    let others = epoch.roster().iter().filter(|(id, _)| *id != identifier).map(|(id, card)| (id, card.clone()));
    let roster = Roster::new(others.chain([(identifier, card.clone())]).collect());
    let roster = roster.map_err(|_| CertificateError::Contradiction("an identity stands in the roster twice"))?;
    let number = epoch.revision().checked_add(1).ok_or(CertificateError::Contradiction("too many revisions"))?;
    let share = verifying_share(epoch, identifier).ok_or(CertificateError::Contradiction("verifying shares"))?;
    let hash = Epoch::hash_roster(epoch.id, number, &roster);
    let (card, shown) = (card.clone(), share.clone());
    let revision =
        Revision { key: epoch.key, epoch: epoch.id, number, identifier, replaced, card, share: shown, roster: hash };
    let mut next = epoch.clone();
    next.verifying_shares.insert(identifier, share);
    next.revisions.push(revision.clone());
    (next.roster, next.roster_hash) = (roster, hash);
    Ok((revision, next))
}

/// The verifying share of an identifier, whether or not anybody holds the share: t others give it.
fn verifying_share(epoch: &Epoch, identifier: Identifier) -> Option<Vec<u8>> {
    if let Some(known) = epoch.verifying_shares.get(&identifier) {
        return Some(known.clone());
    }
    let first: Vec<_> = epoch.verifying_shares.iter().take(usize::from(epoch.threshold())).collect();
    let set: BTreeSet<_> = first.iter().map(|(id, _)| **id).collect();
    with_suite!(epoch.suite(), C => {
        let term = |(id, share): (&Identifier, &Vec<u8>)| {
            let share = <C as Ciphersuite>::Element::from_bytes(share)?;
            Some((lagrange_at::<C>(Some(identifier), *id, &set), share))
        };
        let terms = first.into_iter().map(term).collect::<Option<Vec<_>>>()?;
        let share = <C as Ciphersuite>::Element::vartime_sum_of_products(&terms);
        (!share.is_identity()).then(|| share.to_bytes())
    })
}

fn agree(holds: bool, what: &'static str) -> Result<(), CertificateError> {
    if holds { Ok(()) } else { Err(CertificateError::Contradiction(what)) }
}
