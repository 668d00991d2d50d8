//! Proposals of this token, signed as invitations.

use rand_core::Rng;

use super::keys::Key;
use super::record::Standing;
use super::runs::propose_reconstruction;
use super::{Error, Login, Misuse, Result, Scene, SoftToken, Storage, renew, rng};
use crate::guard::forbids;
use crate::keystore::token::Proposal;
use crate::protocol::has_key;
use crate::wire::{
    Action, BackupGate, DealPlan, Identifier, Invitation, KeyId, KeyTemplate, MAX_MESSAGE, Party, Plan, PreparePlan,
    Prepared, SignPlan, Source,
};

impl<S: Storage> SoftToken<S> {
    /// An invitation to what the proposal says.
    pub(super) fn propose(&self, scene: &mut Scene<'_>, proposal: &Proposal) -> Result<Invitation> {
        let (key, login) = (scene.key.take(), &scene.login);
        match proposal {
            Proposal::Dkg { suite, threshold, members, template } => {
                let me = members.identifier_of(login.card.identity()).ok_or(Misuse::NotAMember)?;
                check_template(template)?;
                let deal = DealPlan {
                    suite: *suite,
                    threshold: *threshold,
                    height: 0,
                    attempt: 0,
                    template: template.clone(),
                    receivers: members.clone(),
                    source: Source::Fresh,
                };
                deal.check()?;
                Ok(issue(login, me, Action::Deal(deal), Vec::new()))
            }
            Proposal::Import { .. } => {
                let (me, deal) = self.import_plan(login, key.as_ref(), proposal)?;
                Ok(issue(login, me, Action::Deal(deal), Vec::new()))
            }
            Proposal::Refresh { key: id, cards, least_attempt } => {
                let key = usable(key, *id)?;
                let undone = self.clashing(&login.unlocked, &key, (key.epoch.id, &key.epoch.roster_hash))?;
                let deal = renew::refresh(&key, cards, *least_attempt, undone)?;
                self.issue_renewal(login, &key, deal)
            }
            Proposal::Reshare { key: id, reshare } => {
                let key = usable(key, *id)?;
                let undone = self.clashing(&login.unlocked, &key, (key.epoch.id, &key.epoch.roster_hash))?;
                let deal = renew::reshare(&key, reshare, undone)?;
                self.issue_renewal(login, &key, deal)
            }
            Proposal::Reconstruct { key: id, members } => {
                let key = usable(key, *id)?;
                let plan = propose_reconstruction(&key, members)?;
                Ok(issue(login, key.record.me, Action::Reconstruct(plan), Vec::new()))
            }
            Proposal::Sign { key: id, signers, message, derivation, batch } => {
                let key = usable(key, *id)?;
                let offset = self.offset(&login.unlocked, &key, derivation)?;
                let (party, derivation, message) = (party(&key, signers), derivation.clone(), message.clone());
                let mut plan = SignPlan { party, derivation, offset, prepared: None, message };
                check_signing(&plan, &key)?;
                if let Some(batch) = batch {
                    let index = scene.inner.propose_nonces(scene.session, *batch)?;
                    plan.prepared = Some(Prepared { batch: *batch, index });
                }
                Ok(issue(login, key.record.me, Action::Sign(plan), Vec::new()))
            }
            Proposal::Preprocess { key: id, signers, count } => {
                let key = usable(key, *id)?;
                let plan = PreparePlan { party: party(&key, signers), count: *count };
                check_preparing(&plan, &key)?;
                Ok(issue(login, key.record.me, Action::Prepare(plan), Vec::new()))
            }
            Proposal::Repair { .. } | Proposal::Enrol { .. } | Proposal::Revise { .. } => {
                self.propose_repair(login, key, proposal)
            }
        }
    }

    /// The invitation carries the key's history: who joins the group knows nothing yet.
    fn issue_renewal(&self, login: &Login, key: &Key, deal: DealPlan) -> Result<Invitation> {
        let chain = self.chain(&login.unlocked, key.id)?;
        let chain = chain.iter().map(crate::protocol::Certificate::to_bytes).collect();
        Ok(issue(login, key.record.me, Action::Deal(deal), chain))
    }
}

/// The key, if a share of its newest epoch is held here.
pub(super) fn usable(key: Option<Key>, id: KeyId) -> Result<Key> {
    let key = key.ok_or(Error::NotFound(id))?;
    match key.record.standing {
        Standing::Active | Standing::Restored => Ok(key),
        Standing::Pending | Standing::Retired | Standing::Destroyed => Err(Misuse::NoShare.into()),
    }
}

/// What a template may ask of this version.
pub(super) fn check_template(template: &KeyTemplate) -> Result<()> {
    if forbids!(BackupGateIsNotThere, template.require_backup == BackupGate::Required) {
        return Err(Misuse::Unsupported("keys that require a backup before they are certified").into());
    }
    if template.is_within_limits() { Ok(()) } else { Err(Misuse::Plan("the template is out of bounds").into()) }
}

pub(super) fn issue(login: &Login, inviter: Identifier, action: Action, chain: Vec<Vec<u8>>) -> Invitation {
    let mut randomness = [0; 32];
    rng().fill_bytes(&mut randomness);
    Invitation::issue(Plan { inviter, randomness, action }, chain, &login.identity)
}

fn party(key: &Key, signers: &[Identifier]) -> Party {
    let mut signers = signers.to_vec();
    signers.sort_unstable();
    Party {
        suite: key.epoch.suite(),
        key: key.id,
        epoch: key.epoch.id,
        roster: key.epoch.roster_hash,
        purpose: key.epoch.template().purpose.clone(),
        signers,
    }
}

/// What must hold of a signature, given the key.
pub(super) fn check_signing(plan: &SignPlan, key: &Key) -> Result<()> {
    check_party(&plan.party, key)?;
    if plan.message.len() > MAX_MESSAGE {
        return Err(Misuse::Plan("the message is too long").into());
    }
    if !has_key(plan, &key.epoch) {
        return Err(Misuse::Plan("the key has no such child, or no script root").into());
    }
    Ok(())
}

/// What must hold of nonces that are made beforehand, given the key.
pub(super) fn check_preparing(plan: &PreparePlan, key: &Key) -> Result<()> {
    check_party(&plan.party, key)?;
    if plan.is_within_limits() { Ok(()) } else { Err(Misuse::Plan("number of nonces").into()) }
}

fn check_party(party: &Party, key: &Key) -> Result<()> {
    let roster = key.epoch.roster();
    if party.suite != key.epoch.suite() {
        return Err(Misuse::Plan("suite").into());
    }
    if forbids!(EnoughSigners, party.signers.len() < usize::from(key.epoch.threshold())) {
        return Err(Misuse::Plan("fewer signers than the threshold").into());
    }
    if forbids!(SignersOnce, !party.signers.is_sorted_by(|a, b| a < b)) {
        return Err(Misuse::Plan("a signer stands in it twice").into());
    }
    if forbids!(SignersAreMembers, !party.signers.iter().all(|id| roster.card(*id).is_some())) {
        return Err(Misuse::Plan("a signer is no member").into());
    }
    Ok(())
}
