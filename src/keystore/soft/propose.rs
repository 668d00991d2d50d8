//! Proposals of this token, signed as invitations.

use rand_core::Rng;

use super::keys::Key;
use super::record::Standing;
use super::{Error, Login, Misuse, Result, SoftToken, Storage, rng};
use crate::keystore::token::{NewCard, Proposal};
use crate::protocol::{check_succession, verifying_key};
use crate::wire::{
    Action, BackupGate, DealPlan, Derivation, Identifier, Invitation, KeyId, KeyTemplate, MAX_MESSAGE, Plan, Reason,
    Replaced, Roster, SignPlan, Source,
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
            Proposal::Refresh { key: id, cards, attempt } => {
                let key = usable(key, *id)?;
                let deal = refresh(&key, cards, *attempt)?;
                let chain = self.chain(&login.unlocked, *id)?;
                let chain = chain.iter().map(crate::protocol::Certificate::to_bytes).collect();
                Ok(issue(login, key.record.me, Action::Deal(deal), chain))
            }
            Proposal::Sign { key: id, signers, message, derivation } => {
                let key = usable(key, *id)?;
                let offset = self.offset(&login.unlocked, &key, derivation)?;
                let plan = signature(&key, signers, message, (derivation, offset))?;
                Ok(issue(login, key.record.me, Action::Sign(plan), Vec::new()))
            }
        }
    }
}

/// The key, if a share of its newest epoch is held here.
fn usable(key: Option<Key>, id: KeyId) -> Result<Key> {
    let key = key.ok_or(Error::NotFound(id))?;
    match key.record.standing {
        Standing::Active | Standing::Restored => Ok(key),
        Standing::Pending | Standing::Retired => Err(Misuse::NoShare.into()),
    }
}

/// What a template may ask of this version.
pub(super) fn check_template(template: &KeyTemplate) -> Result<()> {
    if template.require_backup == BackupGate::Required {
        return Err(Misuse::Unsupported("keys that require a backup before they are certified").into());
    }
    if template.is_within_limits() { Ok(()) } else { Err(Misuse::Plan("the template is out of bounds").into()) }
}

fn issue(login: &Login, inviter: Identifier, action: Action, chain: Vec<Vec<u8>>) -> Invitation {
    let mut randomness = [0; 32];
    rng().fill_bytes(&mut randomness);
    Invitation::issue(Plan { inviter, randomness, action }, chain, &login.identity)
}

/// The same members, with their new cards; every member whose identity stays deals.
fn refresh(key: &Key, cards: &[NewCard], attempt: u32) -> Result<DealPlan> {
    let roster = key.epoch.roster();
    let mut replaced = Vec::new();
    for new in cards {
        let old = roster.card(new.identifier).ok_or(Misuse::Plan("a new card is of no member"))?;
        if old.identity() != new.card.identity() {
            replaced.push(Replaced { identifier: new.identifier, card: old.id(), reason: new.reason });
        } else if new.reason == Reason::Stolen {
            return Err(Misuse::Plan("whoever stole the token has its identity too: take a new one").into());
        }
    }
    replaced.sort_by_key(|one| one.identifier);
    let card_of = |id, old: &crate::wire::Card| {
        cards.iter().find(|new| new.identifier == id).map_or_else(|| old.clone(), |new| new.card.clone())
    };
    let receivers: Vec<_> = roster.iter().map(|(id, card)| (id, card_of(id, card))).collect();
    let gone = |id| replaced.iter().any(|one: &Replaced| one.identifier == id);
    let dealers = receivers.iter().filter(|(id, _)| !gone(*id)).cloned().collect();
    let height = key.epoch.plan.height.checked_add(1).ok_or(Misuse::Plan("height"))?;
    let plan = DealPlan {
        suite: key.epoch.suite(),
        threshold: key.epoch.threshold(),
        height,
        attempt: next_attempt(key, height).max(attempt),
        template: key.epoch.template().clone(),
        receivers: Roster::new(receivers).ok_or(Misuse::Plan("an identity stands in it twice"))?,
        source: Source::Epoch {
            key: key.id,
            parent: key.epoch.id,
            dealers: Roster::new(dealers).ok_or(Misuse::Plan("nobody is left to deal"))?,
            replaced,
        },
    };
    plan.check()?;
    check_succession(&plan, &key.epoch)?;
    Ok(plan)
}

/// Above whatever this token has entered.
const fn next_attempt(key: &Key, height: u64) -> u32 {
    let (promised, attempt) = key.record.promise;
    if promised == height { attempt.saturating_add(1) } else { 1 }
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
