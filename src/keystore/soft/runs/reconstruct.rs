//! Putting a key together again: what is proposed, the user's consent, and the run that the officer enters.

use super::Live;
use super::enter::{Entered, whoami};
use crate::audit::{Event, EventKind};
use crate::guard::{forbids, holds};
use crate::keystore::Storage;
use crate::keystore::error::{Error, Misuse, Result};
use crate::keystore::reconstructed::ReconstructedKey;
use crate::keystore::soft::keys::Key;
use crate::keystore::soft::record::Standing;
use crate::keystore::soft::{Commit, Login, Scene, SoftToken, Space, rng};
use crate::keystore::vault::VaultError;
use crate::policy::Verb;
use crate::protocol::{Denial, ReconstructSetup, exchange_of, start_reconstructing};
use crate::secret::Secret;
use crate::wire::{Action, Card, EpochId, Identifier, Invitation, ReconstructPlan, Roster, RunId, Subject, Writer};

const CONSENT: &[u8] = b"consent/";

/// What there is to reconstruct with: who takes part, and who of them this token is.
struct Assembly {
    members: Roster,
    me: Identifier,
}

impl<S: Storage> SoftToken<S> {
    /// The user's half of this token's consent, to one run and whatever its plan says.
    pub(in crate::keystore::soft) fn consent(
        &self,
        scene: &mut Scene<'_>,
        invitation: &Invitation,
        commit: &mut Commit,
    ) -> Result<()> {
        let plan = reconstruct_plan(invitation)?;
        let key = scene.take_key(plan.key)?;
        self.assemble(&scene.login, &key, invitation, plan)?;
        commit.put(Space::Token, &consent_key(invitation.run_id()), Vec::new());
        commit.event(event(
            EventKind::ReconstructionConsented,
            &key,
            invitation.run_id(),
            plan.epoch,
            invitation.inviter(),
        )?);
        Ok(())
    }

    /// Enters the run, if the user of this token has consented to it.
    pub(super) fn enter_reconstruction(
        &self,
        scene: &mut Scene<'_>,
        commit: &mut Commit,
        invitation: &Invitation,
        plan: &ReconstructPlan,
    ) -> Result<Entered> {
        let (run, recipient) = (invitation.run_id(), invitation.inviter());
        let key = scene.take_key(plan.key)?;
        let Assembly { members, me } = self.assemble(&scene.login, &key, invitation, plan)?;
        let unlocked = &scene.login.unlocked;
        if forbids!(UserConsented, self.vault.get(unlocked, Space::Token, &consent_key(run))?.is_none()) {
            return Err(Error::Denied(Denial::NoConsent));
        }
        commit.delete(Space::Token, &consent_key(run));
        let share = self.share(unlocked, &key, key.epoch.id)?.ok_or(Misuse::NoShare)?;
        let setup = ReconstructSetup { run, recipient, epoch: key.epoch.clone(), me, share };
        let (machine, body) = start_reconstructing(setup, &mut rng())?;
        let exchange = exchange_of(&invitation.plan, Some(me), members);
        let mut live = self.live(scene, Verb::Reconstruct, exchange, machine)?;
        live.key = Some(key.id);
        scene.inner.reconstructions.insert((scene.session, run));
        Ok((live, Some((Subject::Consent, body))))
    }

    /// What must hold of the plan, given the key.
    fn assemble(&self, login: &Login, key: &Key, invitation: &Invitation, plan: &ReconstructPlan) -> Result<Assembly> {
        let stale = plan.epoch != key.epoch.id || !key.is_certified() || key.record.standing == Standing::Retired;
        if forbids!(NewestShareHandedOver, stale) {
            let certificates = self.chain_after(&login.unlocked, key.id, plan.epoch)?;
            return Err(Error::Stale { have: key.epoch.id, certificates });
        }
        if forbids!(NewestShareHandedOver, plan.roster != key.epoch.roster_hash) {
            return Err(self.other_roster(&login.unlocked, key, &plan.roster)?);
        }
        let roster = key.epoch.roster();
        let inviter = roster.card(invitation.inviter()).filter(|card| invitation.is_signed_by(card));
        inviter.ok_or(Misuse::Inviter)?;
        check_members(plan, invitation.inviter(), key)?;
        let member = |id: &Identifier| -> Option<(Identifier, Card)> { Some((*id, roster.card(*id)?.clone())) };
        let members =
            plan.members.iter().map(member).collect::<Option<_>>().and_then(|members| Roster::new(members).ok());
        let members = members.ok_or(Misuse::Plan("a member is not of the key"))?;
        let me = whoami(&members, &login.card)?;
        Ok(Assembly { members, me })
    }

    /// The key is whole in this token, and about to leave it.
    pub(super) fn record_reconstruction(
        &self,
        login: &Login,
        live: &Live,
        key: &Key,
        secret: Secret<[u8; 32]>,
        commit: &mut Commit,
    ) -> Result<ReconstructedKey> {
        let chain_code = self.chain_code(&login.unlocked, key)?.ok_or(VaultError::Corrupt)?;
        let run = live.exchange.frame().run;
        commit.event(event(EventKind::KeyReconstructed, key, run, key.epoch.id, key.record.me)?);
        Ok(ReconstructedKey::new(secret, chain_code, key.epoch.group_key.clone()))
    }
}

/// A share is about to leave this token.
pub(super) fn handover(live: &Live, key: &Key, epoch: EpochId, recipient: Identifier) -> Result<Event> {
    event(EventKind::ShareHandedOver, key, live.exchange.frame().run, epoch, recipient)
}

/// The plan to hand shares of a key over to this token.
pub(in crate::keystore::soft) fn propose_reconstruction(key: &Key, members: &[Identifier]) -> Result<ReconstructPlan> {
    let mut members = members.to_vec();
    members.sort_unstable();
    let (epoch, roster) = (key.epoch.id, key.epoch.roster_hash);
    let plan = ReconstructPlan { suite: key.epoch.suite(), key: key.id, epoch, roster, members };
    check_members(&plan, key.record.me, key)?;
    Ok(plan)
}

fn check_members(plan: &ReconstructPlan, recipient: Identifier, key: &Key) -> Result<()> {
    let members = &plan.members;
    let holds = |holds, rule| if holds { Ok(()) } else { Err(Error::from(Misuse::Plan(rule))) };
    holds(plan.suite == key.epoch.suite(), "suite")?;
    holds(
        holds!(EnoughToReconstruct, members.len() >= usize::from(key.epoch.threshold())),
        "fewer members than the threshold",
    )?;
    holds(members.is_sorted_by(|a, b| a < b), "a member stands in it twice")?;
    holds(members.iter().all(|id| key.epoch.roster().card(*id).is_some()), "a member is not of the key")?;
    holds(members.contains(&recipient), "who gets the key is not among the members")
}

/// The plan of an invitation to reconstruct.
pub(in crate::keystore::soft) fn reconstruct_plan(invitation: &Invitation) -> Result<&ReconstructPlan> {
    match &invitation.plan.action {
        Action::Reconstruct(plan) => Ok(plan),
        _ => Err(Misuse::Unsupported("consent to anything but a reconstruction").into()),
    }
}

fn event(kind: EventKind, key: &Key, run: RunId, epoch: EpochId, recipient: Identifier) -> Result<Event> {
    let detail = Writer::new().raw(epoch.as_bytes()).identifier(recipient).finish();
    Ok(key.event(kind).run(*run.as_bytes()).detail(detail)?)
}

fn consent_key(run: RunId) -> Vec<u8> {
    [CONSENT, run.as_bytes()].concat()
}
