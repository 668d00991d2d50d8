//! The run of a repair or an enrolment: who may enter it, and the share that comes of it.

use std::sync::Arc;

use super::Live;
use super::dealing::{check_number, is_restored};
use super::enter::{Entered, override_key, whoami};
use crate::audit::EventKind;
use crate::guard::forbids;
use crate::keystore::Storage;
use crate::keystore::error::{Error, Misuse, Result};
use crate::keystore::object::{KeyInfo, Origin};
use crate::keystore::soft::keys::{CHAIN_CODE, Key, SHARE, index_key};
use crate::keystore::soft::record::{KeyRecord, Standing};
use crate::keystore::soft::revise::{broken, check_helpers, told_of};
use crate::keystore::soft::{Commit, Login, Scene, SoftToken, Space, Unlocked, rng};
use crate::policy::Verb;
use crate::protocol::{
    Certificate, Denial, Epoch, Held, RepairSetup, RepairedShare, SignedRevision, exchange_of, revised, start_repair,
};
use crate::wire::{EpochId, Invitation, Operations, RepairPlan, Revision, RunId, Subject};

/// What is asked for when a revision is signed.
pub(in crate::keystore::soft) const fn verb(revision: &Revision) -> Verb {
    if revision.replaced.is_some() { Verb::Repair } else { Verb::Enrol }
}

impl<S: Storage> SoftToken<S> {
    pub(super) fn enter_repair(
        &self,
        scene: &mut Scene<'_>,
        invitation: &Invitation,
        plan: &RepairPlan,
    ) -> Result<Entered> {
        let participants = plan.participants().ok_or(Misuse::Plan("helpers"))?;
        let me = whoami(&participants, &scene.login.card)?;
        let inviter = participants.card(invitation.inviter()).filter(|_| plan.helpers.contains(&invitation.inviter()));
        inviter.filter(|card| invitation.is_signed_by(card)).ok_or(Misuse::Inviter)?;
        let (key, helps) = (scene.key.take(), me != plan.revision.identifier);
        check_number(key.as_ref(), me)?;
        let (epoch, chain) = if helps {
            let key = key.as_ref().ok_or(Error::NotFound(plan.revision.key))?;
            self.check_helps(&scene.login, key, invitation, plan)?;
            (key.epoch.clone(), Vec::new())
        } else {
            self.helped(&scene.login, key.as_ref(), invitation, plan)?
        };
        let epoch = revised(&epoch, &plan.revision).map_err(broken)?;
        check_helpers(plan, &epoch)?;
        let held = key.filter(|_| helps).map(|key| self.held(&scene.login, &key)).transpose()?;
        let (run, identity) = (invitation.run_id(), Arc::clone(&scene.login.identity));
        let exchange = exchange_of(&invitation.plan, Some(me), participants.clone());
        let setup = RepairSetup { run, plan: plan.clone(), participants, me, identity, epoch: epoch.clone(), held };
        let (machine, body) = start_repair(setup, &mut rng())?;
        let mut live = self.live(scene, verb(&plan.revision), exchange, machine)?;
        live.key = Some(epoch.key);
        live.parent = Some(epoch);
        live.chain = chain;
        Ok((live, Some((Subject::Join, body))))
    }

    /// Whether this token can help: it holds the share, goes by the same roster, and may sign the revision.
    fn check_helps(&self, login: &Login, key: &Key, invitation: &Invitation, plan: &RepairPlan) -> Result<()> {
        let (unlocked, revision) = (&login.unlocked, &plan.revision);
        if revision.epoch != key.epoch.id || !key.is_certified() || key.record.standing == Standing::Retired {
            return Err(self.stale(login, key, invitation, revision.epoch)?);
        }
        if let Err(error) = revised(&key.epoch, revision) {
            let ours = key.epoch.revision();
            if revision.number == ours.saturating_add(1) {
                return Err(broken(error));
            }
            let certificates = if revision.number <= ours {
                self.chain(unlocked, key.id)?.pop().into_iter().collect()
            } else {
                told_of(invitation, key.epoch.id)?
            };
            return Err(Error::Stale { have: key.epoch.id, certificates });
        }
        self.check_vote(unlocked, key, revision, self.is_overridden(login, invitation.run_id())?)
    }

    pub(super) fn is_overridden(&self, login: &Login, run: RunId) -> Result<bool> {
        Ok(self.vault.get(&login.unlocked, Space::Token, &override_key(run))?.is_some())
    }

    /// The epoch that this token is to get a share of, and the certificates that prove it.
    fn helped(
        &self,
        login: &Login,
        key: Option<&Key>,
        invitation: &Invitation,
        plan: &RepairPlan,
    ) -> Result<(Epoch, Vec<Certificate>)> {
        let (id, epoch) = (plan.revision.key, plan.revision.epoch);
        if let Some(key) = key
            && self.share(&login.unlocked, key, epoch)?.is_some()
        {
            return Err(Error::Exists(id));
        }
        let (of_this, of_another) = match key {
            Some(key) if key.epoch.id == epoch => (Some(key), None),
            key => (None, key),
        };
        let told = self.parent(login, of_another, invitation, (id, epoch))?;
        if let Some(key) = of_this {
            self.check_history(login, key, invitation, (epoch, &told.1))?;
        }
        let needed = if verb(&plan.revision) == Verb::Repair { Operations::REPAIR } else { Operations::ENROL };
        if told.0.template().operations.contains(needed) { Ok(told) } else { Err(Error::Denied(Denial::Operation)) }
    }

    /// Whether the share is still what this token lacks: since it entered, a backup or another run may have brought it the key.
    fn check_lacks(&self, unlocked: &Unlocked, key: &Key, epoch: EpochId) -> Result<()> {
        if forbids!(RepairedWhatItLacks, self.share(unlocked, key, epoch)?.is_some()) {
            return Err(Error::Exists(key.id));
        }
        let other = key.epoch.id != epoch && key.record.standing != Standing::Retired;
        if forbids!(RepairedInItsEpoch, other) {
            let certificates = self.chain_after(unlocked, key.id, epoch)?;
            return Err(Error::Stale { have: key.epoch.id, certificates });
        }
        Ok(())
    }

    fn held(&self, login: &Login, key: &Key) -> Result<Held> {
        let share = self.share(&login.unlocked, key, key.epoch.id)?.ok_or(Misuse::NoShare)?;
        let chain_code = self.chain_code(&login.unlocked, key)?.ok_or(Misuse::NoShare)?;
        Ok(Held { share: Some(share), chain_code })
    }

    /// A revision is about to be signed.
    pub(super) fn vote(&self, scene: &Scene<'_>, live: &Live, revision: &Revision, commit: &mut Commit) -> Result<()> {
        let key = self.load(&scene.login.unlocked, revision.key)?.ok_or(Error::NotFound(revision.key))?;
        let overridden = self.is_overridden(&scene.login, live.exchange.frame().run)?;
        self.keep_vote(&scene.login.unlocked, &key, revision, overridden, commit)
    }

    /// A quorum has signed a revision: a helper keeps it before anything secret leaves, the member that is helped keeps it
    /// with its share.
    pub(super) fn keep_revision(
        &self,
        scene: &Scene<'_>,
        live: &mut Live,
        signed: SignedRevision,
        commit: &mut Commit,
    ) -> Result<Option<KeyInfo>> {
        if live.exchange.frame().me == Some(signed.revision.identifier) {
            let newest = live.chain.last_mut().ok_or(Misuse::NoShare)?;
            if newest.revisions().last() != Some(&signed.revision) {
                newest.revise(signed)?;
            }
            return Ok(None);
        }
        let (unlocked, id) = (&scene.login.unlocked, signed.revision.key);
        let mut key = self.load(unlocked, id)?.ok_or(Error::NotFound(id))?;
        if revised(&key.epoch, &signed.revision).is_err() {
            let chain = self.chain(unlocked, id)?;
            // Another one is in force here since this run began.
            if let Some(other) = chain.last().and_then(|newest| newest.with_other(signed)) {
                self.learn_revisions(&scene.login, &mut key, &chain, &other, commit)?;
            }
            return Err(Error::Stale { have: key.epoch.id, certificates: chain.last().cloned().into_iter().collect() });
        }
        self.take_revision(unlocked, &mut key, signed, commit)?;
        Ok(Some(key.info()))
    }

    /// The share that the others have made for this token.
    pub(super) fn keep_repaired(
        &self,
        scene: &Scene<'_>,
        live: &Live,
        repaired: &RepairedShare,
        commit: &mut Commit,
    ) -> Result<KeyInfo> {
        let epoch = live.parent.as_ref().ok_or(Misuse::NoShare)?;
        let me = live.exchange.frame().me.ok_or(Misuse::NotAMember)?;
        let unlocked = &scene.login.unlocked;
        let record = if let Some(key) = self.load(unlocked, epoch.key)? {
            check_number(Some(&key), me)?;
            self.check_lacks(unlocked, &key, epoch.id)?;
            key.record
        } else {
            let mut record = KeyRecord::new(me, Origin::Repaired, Standing::Active, epoch);
            record.forgetful = is_restored(&scene.login.card) || self.has_destroyed(unlocked, epoch.key)?;
            self.take_over(unlocked, epoch.key, &mut record)?;
            record
        };
        let founding = live.chain.first().ok_or(Misuse::NoShare)?.epoch_id();
        let promise = self.promised(&scene.login, founding)?.max(record.promise).max(epoch.position());
        let imported = live.chain.first().is_some_and(Certificate::imports);
        let record = KeyRecord {
            origin: if imported { Origin::Imported } else { Origin::Repaired },
            standing: Standing::Active,
            // What the token before this one has signed, this one does not know.
            forgetful: record.forgetful || epoch.was_repaired(me),
            promise,
            ..record
        };
        let key = Key { id: epoch.key, record, epoch: epoch.clone() };
        self.keep_told(unlocked, &key, (epoch.id, &live.chain), commit)?;
        commit.put(key.object(), CHAIN_CODE, repaired.chain_code.expose().to_vec());
        commit.put(key.space_of(epoch.id), SHARE, repaired.share.expose().to_vec());
        commit.put(Space::Token, &index_key(key.id), Vec::new());
        key.save(commit)?;
        commit.event(key.epoch_event(EventKind::KeyRepaired, epoch.id)?.run(*live.exchange.frame().run.as_bytes()));
        Ok(key.info())
    }
}
