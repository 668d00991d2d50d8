//! Proposals of this token, signed as invitations.

use rand_core::Rng;

use super::keys::Key;
use super::record::Standing;
use super::runs::propose_reconstruction;
use super::{Error, Login, Misuse, Result, SoftToken, Storage, renew, rng};
use crate::keystore::token::Proposal;
use crate::protocol::verifying_key;
use crate::wire::{
    Action, BackupGate, DealPlan, Derivation, Identifier, Invitation, KeyId, KeyTemplate, MAX_MESSAGE, Plan, SignPlan,
    Source,
};

impl<S: Storage> SoftToken<S> {
    /// An invitation to what the proposal says.
    pub(super) fn propose(&self, login: &Login, key: Option<Key>, proposal: &Proposal) -> Result<Invitation> {
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
            Proposal::Refresh { key: id, cards, attempt } => {
                let key = usable(key, *id)?;
                let deal = renew::refresh(&key, cards, *attempt)?;
                self.issue_renewal(login, &key, deal)
            }
            Proposal::Reshare { key: id, reshare } => {
                let key = usable(key, *id)?;
                let deal = renew::reshare(&key, reshare)?;
                self.issue_renewal(login, &key, deal)
            }
            Proposal::Reconstruct { key: id, members } => {
                let key = usable(key, *id)?;
                let plan = propose_reconstruction(&key, members)?;
                Ok(issue(login, key.record.me, Action::Reconstruct(plan), Vec::new()))
            }
            Proposal::Sign { key: id, signers, message, derivation } => {
                let key = usable(key, *id)?;
                let offset = self.offset(&login.unlocked, &key, derivation)?;
                let plan = signature(&key, signers, message, (derivation, offset))?;
                Ok(issue(login, key.record.me, Action::Sign(plan), Vec::new()))
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
    if template.require_backup == BackupGate::Required {
        return Err(Misuse::Unsupported("keys that require a backup before they are certified").into());
    }
    if template.is_within_limits() { Ok(()) } else { Err(Misuse::Plan("the template is out of bounds").into()) }
}

pub(super) fn issue(login: &Login, inviter: Identifier, action: Action, chain: Vec<Vec<u8>>) -> Invitation {
    let mut randomness = [0; 32];
    rng().fill_bytes(&mut randomness);
    Invitation::issue(Plan { inviter, randomness, action }, chain, &login.identity)
}

fn signature(
    key: &Key,
    signers: &[Identifier],
    message: &[u8],
    (derivation, offset): (&Derivation, Option<[u8; 32]>),
) -> Result<SignPlan> {
    let mut signers = signers.to_vec();
    signers.sort_unstable();
    let plan = SignPlan {
        suite: key.epoch.suite(),
        key: key.id,
        epoch: key.epoch.id,
        roster: key.epoch.roster_hash,
        purpose: key.epoch.template().purpose.clone(),
        signers,
        derivation: derivation.clone(),
        offset,
        message: message.to_vec(),
    };
    check_signers(&plan, key)?;
    Ok(plan)
}

/// What must hold of the signers, given the key.
pub(super) fn check_signers(plan: &SignPlan, key: &Key) -> Result<()> {
    let roster = key.epoch.roster();
    if plan.signers.len() < usize::from(key.epoch.threshold()) {
        return Err(Misuse::Plan("fewer signers than the threshold").into());
    }
    if !plan.signers.is_sorted_by(|a, b| a < b) {
        return Err(Misuse::Plan("a signer stands in it twice").into());
    }
    if !plan.signers.iter().all(|id| roster.card(*id).is_some()) {
        return Err(Misuse::Plan("a signer is no member").into());
    }
    if plan.message.len() > MAX_MESSAGE {
        return Err(Misuse::Plan("the message is too long").into());
    }
    if verifying_key(plan, &key.epoch).is_none() {
        return Err(Misuse::Plan("the key has no such child, or no script root").into());
    }
    Ok(())
}
