//! Revisions of a key's roster: which this token proposes and signs, and what it takes in.

use super::certify::supersedes;
use super::keys::{Key, PAGE, certificate_key};
use super::propose::{issue, usable};
use super::{Commit, Error, Login, Misuse, Result, SoftToken, Space, Storage, Unlocked};
use crate::audit::{Event, EventKind};
use crate::guard::{forbids, holds};
use crate::keystore::token::Proposal;
use crate::keystore::vault::VaultError;
use crate::protocol::{Certificate, CertificateError, Denial, Epoch, SignedRevision, revise, revised};
use crate::wire::{
    Action, Card, CardId, DealPlan, EpochId, Identifier, Invitation, Reason, RepairPlan, Revision, Source, Writer,
};

const VOTE: &[u8] = b"vote/";

/// Where it is kept which revision of an epoch this token has signed.
fn vote_key(number: u32) -> Vec<u8> {
    [VOTE, &number.to_be_bytes()].concat()
}

impl<S: Storage> SoftToken<S> {
    /// An invitation to repair or enrol a member, or only to sign the revision for it.
    pub(super) fn propose_repair(&self, login: &Login, key: Option<Key>, proposal: &Proposal) -> Result<Invitation> {
        let (key, revision, helpers, delivers) = match proposal {
            Proposal::Repair { key: id, card, helpers } => {
                let key = usable(key, *id)?;
                let revision = next(&key.epoch, (card.identifier, &card.card, Some(card.reason)))?;
                (key, revision, helpers, true)
            }
            Proposal::Enrol { key: id, identifier, card, helpers } => {
                let key = usable(key, *id)?;
                let revision = next(&key.epoch, (*identifier, card, None))?;
                (key, revision, helpers, true)
            }
            Proposal::Revise { revision, helpers } => (usable(key, revision.key)?, revision.clone(), helpers, false),
            _ => return Err(Misuse::Unsupported("a repair by this proposal").into()),
        };
        let after = revised(&key.epoch, &revision).map_err(broken)?;
        let mut helpers = helpers.clone();
        helpers.sort_unstable();
        let plan = RepairPlan { suite: after.suite(), revision, roster: after.roster().clone(), helpers, delivers };
        check_helpers(&plan, &after)?;
        if !plan.helpers.contains(&key.record.me) {
            return Err(Misuse::NotAMember.into());
        }
        let chain = self.chain(&login.unlocked, key.id)?.iter().map(Certificate::to_bytes).collect();
        Ok(issue(login, key.record.me, Action::Repair(plan), chain))
    }

    /// Rule 7: whether this token may sign the revision. Of two with one number it signs one, and none at all while it has
    /// signed an attempt that will supersede the epoch.
    pub(super) fn check_vote(
        &self,
        unlocked: &Unlocked,
        key: &Key,
        revision: &Revision,
        overridden: bool,
    ) -> Result<()> {
        if key.epoch.revisions.last() == Some(revision) {
            return Ok(());
        }
        for attempt in &key.record.pending {
            // What renews it or names it supersedes it, by whichever roster, and tells nobody of a share that was made since.
            let attempt = self.attempt(unlocked, key.id, *attempt)?.epoch()?;
            if forbids!(NoVoteAfterAnAttempt, supersedes(&attempt, &key.epoch)) {
                return Err(Error::Denied(Denial::AttemptSigned));
            }
        }
        let other = self.voted(unlocked, key)?.is_some_and(|signed| signed != *revision);
        match (overridden, forbids!(OneVoteForANumber, other), forbids!(ForgetfulVotesNot, key.record.forgetful)) {
            (false, true, _) => Err(Error::Denied(Denial::RevisionSigned)),
            (false, _, true) => Err(Error::Denied(Denial::RestoredVotesAfterRefresh)),
            _ => Ok(()),
        }
    }

    /// The revision that this token has signed as the one after those in force.
    fn voted(&self, unlocked: &Unlocked, key: &Key) -> Result<Option<Revision>> {
        let place = vote_key(key.epoch.revision().saturating_add(1));
        let signed = self.vault.get(unlocked, key.space_of(key.epoch.id), &place)?;
        Ok(signed.map(|bytes| Revision::from_bytes(&bytes)).transpose()?)
    }

    /// Whether an epoch goes by all revisions that this token has signed, but for those that a plan undoes. Of two with one
    /// number the other may be in force here, and this one elsewhere.
    fn goes_by_what_it_signed(&self, unlocked: &Unlocked, epoch: &Epoch, undone: &[Revision]) -> Result<bool> {
        let space = Space::Epoch(*epoch.key.as_bytes(), *epoch.id.as_bytes());
        let mut after = None::<Vec<u8>>;
        loop {
            let page = self.vault.scan(unlocked, space, VOTE, after.as_deref(), PAGE)?;
            for (_, signed) in &page {
                let signed = Revision::from_bytes(signed)?;
                if !epoch.revisions.contains(&signed) && !undone.contains(&signed) {
                    return Ok(false);
                }
            }
            match page.into_iter().last() {
                Some((last, _)) => after = Some(last),
                None => return Ok(true),
            }
        }
    }

    /// Records what is about to be signed.
    pub(super) fn keep_vote(
        &self,
        unlocked: &Unlocked,
        key: &Key,
        revision: &Revision,
        overridden: bool,
        commit: &mut Commit,
    ) -> Result<()> {
        if revised(&key.epoch, revision).is_err() {
            let certificates = self.chain(unlocked, key.id)?.pop().into_iter().collect();
            return Err(Error::Stale { have: key.epoch.id, certificates });
        }
        self.check_vote(unlocked, key, revision, overridden)?;
        commit.put(key.space_of(key.epoch.id), &vote_key(revision.number), revision.to_bytes());
        commit.event(revision_event(key, EventKind::RevisionSigned, revision.number)?);
        Ok(())
    }

    /// Rule 7 from the other side: who signed a revision signs only transcripts that bind it, and so does who knows of one.
    pub(super) fn check_binds(
        &self,
        unlocked: &Unlocked,
        key: &Key,
        (plan, invitation): (&DealPlan, Option<&Invitation>),
        overridden: bool,
    ) -> Result<()> {
        let Source::Epoch { parent, roster, undone, .. } = &plan.source else { return Ok(()) };
        if *parent != key.epoch.id || !key.is_certified() {
            return Ok(());
        }
        let planned = self.as_planned(unlocked, Some(key), key.epoch.clone(), plan)?;
        if !overridden && forbids!(NoAttemptAfterAVote, !self.goes_by_what_it_signed(unlocked, &planned, undone)?) {
            return Err(Error::Denied(Denial::RevisionSigned));
        }
        if holds!(AttemptOfTheNewestRoster, *roster == planned.roster_hash) {
            return Ok(());
        }
        Err(match (self.other_roster(unlocked, key, roster)?, invitation) {
            (Error::Stale { have, certificates }, Some(invitation)) if certificates.is_empty() => {
                Error::Stale { have, certificates: told_of(invitation, have)? }
            }
            (error, _) => error,
        })
    }

    /// Says who is behind: whoever goes by a roster of the past, or this token.
    pub(super) fn other_roster(&self, unlocked: &Unlocked, key: &Key, theirs: &[u8]) -> Result<Error> {
        let mut certificates = Vec::new();
        if key.epoch.had_roster(theirs) {
            certificates.extend(self.chain(unlocked, key.id)?.pop());
        }
        Ok(Error::Stale { have: key.epoch.id, certificates })
    }

    /// Takes in a revision that a quorum has signed.
    pub(super) fn take_revision(
        &self,
        unlocked: &Unlocked,
        key: &mut Key,
        signed: SignedRevision,
        commit: &mut Commit,
    ) -> Result<()> {
        if key.epoch.revisions.last() == Some(&signed.revision) {
            return Ok(());
        }
        let mut certificate = self.chain(unlocked, key.id)?.pop().ok_or(VaultError::Corrupt)?;
        certificate.revise(signed)?;
        keep_revised(key, &certificate, commit)
    }

    /// Learns of revisions from a certificate of an epoch that is known here. What excludes those here is a clash.
    pub(super) fn learn_revisions(
        &self,
        login: &Login,
        key: &mut Key,
        chain: &[Certificate],
        told: &Certificate,
        commit: &mut Commit,
    ) -> Result<()> {
        let place = chain.iter().position(|known| known.epoch_id() == told.epoch_id());
        let (before, line) = chain.split_at(place.ok_or(CertificateError::Parent)?);
        let known = line.first().ok_or(CertificateError::Parent)?;
        if told.signed_revisions() == known.signed_revisions() {
            return Ok(());
        }
        let parent = before.last().map(Certificate::epoch).transpose()?;
        let (ours, theirs) = (known.epoch()?, told.verify(parent.as_ref())?);
        if theirs.beyond(&ours).is_empty() {
            return Ok(());
        }
        let follows = told.epoch_id() == key.epoch.id && ours.beyond(&theirs).is_empty();
        if forbids!(TwoRevisionsSeen, !follows) {
            return self.note_clash(login, key, line, told);
        }
        keep_revised(key, told, commit)
    }
}

/// What an invitation tells of an epoch, for who is behind. It proves itself to who completes with it, or not.
pub(super) fn told_of(invitation: &Invitation, epoch: EpochId) -> Result<Vec<Certificate>> {
    Ok(invitation.certificates()?.into_iter().filter(|told| told.epoch_id() == epoch).collect())
}

/// The revision for whoever comes: the one that is in force already, if a run for it failed after the votes, or the next.
fn next(epoch: &Epoch, (identifier, card, reason): (Identifier, &Card, Option<Reason>)) -> Result<Revision> {
    let done = |last: &&Revision| {
        last.identifier == identifier && last.card == *card && last.replaced.is_some() == reason.is_some()
    };
    if let Some(last) = epoch.revisions.last().filter(done) {
        return Ok(last.clone());
    }
    let replaced = match (reason, epoch.roster().card(identifier)) {
        (None, _) => None,
        (Some(reason), Some(old)) => Some((old.id(), reason)),
        (Some(_), None) => return Err(Misuse::Plan("who never held a share is enrolled, never repaired").into()),
    };
    let old: Option<(CardId, Reason)> = replaced;
    Ok(revise(epoch, identifier, card, old).map_err(broken)?.0)
}

/// What must hold of the helpers, given the epoch after the revision.
pub(super) fn check_helpers(plan: &RepairPlan, after: &Epoch) -> Result<()> {
    plan.check()?;
    if plan.suite != after.suite() || plan.roster != *after.roster() {
        return Err(Misuse::Plan("another roster than the revision leads to").into());
    }
    if forbids!(HelpersAreAQuorum, plan.helpers.len() < after.voters(&plan.revision)) {
        return Err(Misuse::Plan("fewer helpers than must sign the revision").into());
    }
    Ok(())
}

/// A rule that a proposed revision breaks.
pub(super) fn broken(error: CertificateError) -> Error {
    match error {
        CertificateError::Contradiction(rule) => Misuse::Plan(rule).into(),
        error => error.into(),
    }
}

fn keep_revised(key: &mut Key, certificate: &Certificate, commit: &mut Commit) -> Result<()> {
    key.epoch = certificate.epoch()?;
    commit.put(key.object(), &certificate_key(key.epoch.plan.height), certificate.to_bytes());
    commit.event(revision_event(key, EventKind::RosterRevised, key.epoch.revision())?);
    Ok(())
}

fn revision_event(key: &Key, kind: EventKind, number: u32) -> Result<Event> {
    Ok(key.event(kind).detail(Writer::new().raw(key.epoch.id.as_bytes()).u32(number).finish())?)
}
