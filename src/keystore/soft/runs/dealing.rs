//! The run of a dealing: what this token promises on entering it, and the share that it keeps until it is certified.

use std::sync::Arc;

use super::Live;
use super::enter::{Entered, override_key, whoami};
use super::import::before_history;
use crate::audit::EventKind;
use crate::guard::{forbids, holds, unless_off};
use crate::keystore::Storage;
use crate::keystore::error::{Error, Misuse, Result};
use crate::keystore::imported::ImportedKey;
use crate::keystore::object::Origin;
use crate::keystore::soft::fork::check_ends_forks;
use crate::keystore::soft::keys::{
    ATTEMPT, CHAIN_CODE, Key, SHARE, encode_position, index_key, keep_chain, leading_on, promise_key,
};
use crate::keystore::soft::propose::check_template;
use crate::keystore::soft::record::{KeyRecord, Standing};
use crate::keystore::soft::{Commit, Login, Scene, SoftToken, Space, Unlocked, rng};
use crate::policy::Verb;
use crate::protocol::{
    Attempt, Certificate, CertificateError, Denial, Epoch, PendingShare, Setup, Standing as Memory, Succession,
    check_succession, exchange_of, key_id, start_dealing, verify_chain,
};
use crate::wire::{Card, DealPlan, EpochId, Identifier, Invitation, KeyId, Reader, Roster, RunId, Source, Subject};

/// How many attempts may be passed over at once: an invitation to the last one that there is would leave none to enter.
const MAX_SKIPPED: u32 = 1024;

impl<S: Storage> SoftToken<S> {
    pub(super) fn enter_dealing(
        &self,
        scene: &mut Scene<'_>,
        commit: &mut Commit,
        invitation: &Invitation,
        plan: &DealPlan,
        imported: Option<&ImportedKey>,
    ) -> Result<Entered> {
        plan.check()?;
        check_template(&plan.template)?;
        let participants = plan.participants().ok_or(Misuse::Plan("dealers"))?;
        let me = whoami(&participants, &scene.login.card)?;
        let inviter = participants.card(invitation.inviter());
        let inviter = inviter.filter(|card| holds!(InvitationToDealSigned, invitation.is_signed_by(card)));
        inviter.ok_or(Misuse::Inviter)?;
        let mut key = scene.key.take();
        check_number(key.as_ref(), me)?;
        if imported.is_some() && !matches!(plan.source, Source::Import { .. }) {
            return Err(Misuse::Plan("nothing is imported by it").into());
        }
        let mut importing = None;
        let (succession, parent, chain) = match &plan.source {
            Source::Fresh => (None, None, Vec::new()),
            Source::Import { .. } => {
                importing = Some(self.enter_import(&scene.login, key.as_mut(), plan, me, imported, commit)?);
                (None, None, Vec::new())
            }
            Source::Epoch { key: id, parent: epoch, .. } => {
                let renewed = (*id, *epoch);
                let (parent, chain) = self.parent(&scene.login, key.as_ref(), invitation, renewed)?;
                if let Some(key) = &key {
                    let overridden = self.is_overridden(&scene.login, invitation.run_id())?;
                    self.check_binds(&scene.login.unlocked, key, (plan, Some(invitation)), overridden)?;
                }
                let parent = self.as_planned(&scene.login.unlocked, key.as_ref(), parent, plan)?;
                check_succession(plan, &parent)?;
                let unlocked = &scene.login.unlocked;
                let run = override_key(invitation.run_id());
                let overridden = self.vault.get(unlocked, Space::Token, &run)?.is_some();
                check_ends_forks(key.as_ref(), plan, &parent, overridden)?;
                self.check_ends_clashes(unlocked, key.as_ref(), plan, overridden)?;
                let founding = self.history(&scene.login, key.as_ref(), &chain)?;
                self.promise(&scene.login, key.as_mut(), founding, plan, commit)?;
                let run = invitation.run_id();
                let mut succession = self.succession(&scene.login, key.as_ref(), &parent, plan, run)?;
                succession.ancestors = self.ancestors(&scene.login, key.as_ref(), &chain)?;
                (Some(succession), Some(parent), chain)
            }
        };
        let setup = Setup {
            plan: invitation.plan.clone(),
            deal: plan.clone(),
            participants: participants.clone(),
            me,
            identity: Arc::clone(&scene.login.identity),
            succession,
            importing,
        };
        let (machine, body) = start_dealing(setup, &mut rng())?;
        let exchange = exchange_of(&invitation.plan, Some(me), participants);
        // A key that may not be refreshed must still be made.
        let verb = if parent.is_some() { Verb::Renew } else { Verb::Propose };
        let mut live = self.live(scene, verb, exchange, machine)?;
        live.key = known_key(plan, parent.as_ref());
        live.parent = parent;
        live.chain = chain;
        Ok((live, Some((Subject::Join, body))))
    }

    /// The first epoch of a key that is renewed.
    fn history(&self, login: &Login, key: Option<&Key>, chain: &[Certificate]) -> Result<EpochId> {
        match (key, chain) {
            (Some(key), _) => self.founding(&login.unlocked, key),
            (None, [first, ..]) => Ok(first.epoch_id()),
            (None, []) => Err(CertificateError::Parent.into()),
        }
    }

    /// Rule 2: enters upwards only, and durably so before the join leaves. Also of a key that is not here yet.
    pub(super) fn promise(
        &self,
        login: &Login,
        key: Option<&mut Key>,
        founding: EpochId,
        plan: &DealPlan,
        commit: &mut Commit,
    ) -> Result<()> {
        let before = key.as_ref().map_or((0, 0), |key| key.record.promise);
        let promised = before.max(self.promised(login, founding)?);
        let position = (plan.height, plan.attempt);
        if forbids!(AttemptAboveThePromise, position <= promised) {
            return Err(Error::Denied(Denial::AttemptTooLow { least: promised.1.saturating_add(1) }));
        }
        let promised_here = if promised.0 == plan.height { promised.1 } else { 0 };
        if forbids!(AttemptsNotUsedUp, plan.attempt.saturating_sub(promised_here) > MAX_SKIPPED) {
            return Err(Misuse::Plan("the attempt is far above the last one").into());
        }
        // A key that is imported has no history yet, and may be destroyed and come again.
        let absent = key.is_none();
        if let Some(key) = key {
            key.record.promise = position;
            key.save(commit)?;
        }
        if absent || forbids!(ImportPromiseKept, matches!(plan.source, Source::Import { .. })) {
            commit.put(Space::Token, &promise_key(founding), encode_position(position));
        }
        Ok(())
    }

    /// The highest position that this token has entered while the key was not here: not yet, or not any more.
    pub(in crate::keystore::soft) fn promised(&self, login: &Login, founding: EpochId) -> Result<(u64, u32)> {
        match self.vault.get(&login.unlocked, Space::Token, &promise_key(founding))? {
            Some(bytes) => decode_position(&bytes),
            None => Ok((0, 0)),
        }
    }

    /// The epoch that is renewed: the one held here, or, for who joins, the end of the chain in the invitation.
    pub(super) fn parent(
        &self,
        login: &Login,
        key: Option<&Key>,
        invitation: &Invitation,
        (id, parent): (KeyId, EpochId),
    ) -> Result<(Epoch, Vec<Certificate>)> {
        match key {
            Some(key) if key.is_certified() && key.epoch.id == parent => return Ok((key.epoch.clone(), Vec::new())),
            Some(key) if key.record.standing != Standing::Retired => {
                return Err(self.stale(login, key, invitation, parent)?);
            }
            _ => {}
        }
        let chain = invitation.certificates()?;
        let newest = verify_chain(&chain)?;
        if newest.id != parent || newest.key != id {
            return Err(Misuse::Plan("its certificates do not lead to the epoch that it speaks of").into());
        }
        if let Some(key) = key {
            self.check_history(login, key, invitation, (parent, &chain))?;
            // What it signed it completes, or it would hold a share that no certificate ends.
            let told = chain.iter().map(|told| Ok(told.epoch()?)).collect::<Result<Vec<_>>>()?;
            let is_told = |attempt: &EpochId| told.iter().any(|told| told.id == *attempt || told.names(*attempt));
            let signed = key.record.pending.iter().any(is_told);
            if forbids!(SignedIsCompletedFirst, signed) {
                return Err(Error::Stale { have: key.epoch.id, certificates: leading_on(chain, key.epoch.id) });
            }
        }
        Ok((newest, chain))
    }

    /// Who is told the key's history anew has perhaps known a part of it, and of the rosters' revisions.
    pub(super) fn check_history(
        &self,
        login: &Login,
        key: &Key,
        invitation: &Invitation,
        (parent, told): (EpochId, &[Certificate]),
    ) -> Result<()> {
        if forbids!(HistoryToldIsTheKnownOne, !self.keeps_history(&login.unlocked, key, told)?) {
            return Err(self.stale(login, key, invitation, parent)?);
        }
        Ok(())
    }

    /// Whether what is told holds all that is known here of the key's history, and of the rosters' revisions: or this token
    /// would lose what proves a fork.
    fn keeps_history(&self, unlocked: &Unlocked, key: &Key, told: &[Certificate]) -> Result<bool> {
        let known = self.chain(unlocked, key.id)?;
        let mut kept = known.len() <= told.len();
        for (known, told) in known.iter().zip(told) {
            let same = known.epoch_id() == told.epoch_id();
            kept &= same && holds!(RevisionsToldAreTheKnownOnes, known.epoch()?.beyond(&told.epoch()?).is_empty());
        }
        Ok(kept)
    }

    /// Keeps the history that the invitation told, rounds ago: this token may have learned more of it since.
    pub(super) fn keep_told(
        &self,
        unlocked: &Unlocked,
        key: &Key,
        (parent, told): (EpochId, &[Certificate]),
        commit: &mut Commit,
    ) -> Result<()> {
        if !told.is_empty() && forbids!(HistoryKeptIsNoOlder, !self.keeps_history(unlocked, key, told)?) {
            let certificates = self.chain(unlocked, key.id)?;
            let from = certificates.iter().position(|known| known.epoch_id() == parent).unwrap_or(0);
            let certificates = certificates.into_iter().skip(from).collect();
            return Err(Error::Stale { have: key.epoch.id, certificates });
        }
        keep_chain(key, told, commit);
        Ok(())
    }

    /// Says who is behind: whoever renews an epoch of the past, or this token, if the invitation tells how it went on. Or that
    /// the key has forked.
    pub(super) fn stale(&self, login: &Login, key: &Key, invitation: &Invitation, parent: EpochId) -> Result<Error> {
        let certificates = self.chain_after(&login.unlocked, key.id, parent)?;
        if !certificates.is_empty() {
            return Ok(Error::Stale { have: key.epoch.id, certificates });
        }
        let told = invitation.certificates()?;
        if key.is_certified() {
            return self.other_line(login, key, &told);
        }
        // Of a key that is pending: from the one that it waits for; only what proves itself is worth repeating.
        let ours = told.iter().position(|certificate| certificate.epoch_id() == key.epoch.id);
        let mut known = None;
        let proves = |certificate: &Certificate| {
            let epoch = certificate.verify(known.as_ref());
            epoch.map(|epoch| known = Some(epoch)).is_ok()
        };
        let certificates = told.into_iter().skip(ours.unwrap_or(usize::MAX)).take_while(proves).collect();
        Ok(Error::Stale { have: key.epoch.id, certificates })
    }

    fn succession(
        &self,
        login: &Login,
        key: Option<&Key>,
        parent: &Epoch,
        plan: &DealPlan,
        run: RunId,
    ) -> Result<Succession> {
        let unlocked = &login.unlocked;
        let overridden = self.vault.get(unlocked, Space::Token, &override_key(run))?.is_some();
        let Some(key) = key else {
            // Who deals or watches must have the key; a new device comes in as a receiver.
            let mine = |roster: &Roster| roster.iter().any(|(_, card)| card.identity() == login.card.identity());
            if mine(plan.dealers()) || plan.witnesses().is_some_and(mine) {
                return Err(Misuse::NoShare.into());
            }
            let restored = has_forgotten(parent, &login.card) || self.has_destroyed(unlocked, parent.key)?;
            let standing = Memory { restored, overridden, attempts: Vec::new(), dealt: Vec::new() };
            let (parent, ancestors) = (parent.clone(), Vec::new());
            return Ok(Succession { parent, share: None, chain_code: None, standing, ancestors });
        };
        let attempts = key.record.pending.iter().map(|epoch| self.attempt(unlocked, key.id, *epoch));
        let mut attempts = attempts.collect::<Result<Vec<_>>>()?;
        if let Source::Epoch { losing, .. } = &plan.source {
            let others = self.other_lines(unlocked, key)?;
            // Of a line that loses the whole certificate is shown, or nothing.
            attempts.retain(|attempt| unless_off!(LosingLineToldWhole, !losing.contains(&attempt.epoch_id()), true));
            let lines = others.iter().filter(|line| losing.contains(&line.epoch_id()));
            attempts.extend(lines.map(Certificate::without_revisions));
        }
        let standing = Memory { restored: key.record.forgetful, overridden, attempts, dealt: key.record.dealt.clone() };
        let deals = plan.dealers().card(key.record.me).is_some();
        let share = if deals { self.share(unlocked, key, parent.id)? } else { None };
        if deals && share.is_none() {
            return Err(Misuse::NoShare.into());
        }
        let chain_code = self.chain_code(unlocked, key)?;
        Ok(Succession { parent: parent.clone(), share, chain_code, standing, ancestors: Vec::new() })
    }

    /// The epochs that lead to the one that is renewed, by the chain that the invitation told or the one that is kept here.
    fn ancestors(&self, login: &Login, key: Option<&Key>, told: &[Certificate]) -> Result<Vec<EpochId>> {
        let kept = match key {
            Some(key) if told.is_empty() => self.chain(&login.unlocked, key.id)?,
            _ => Vec::new(),
        };
        Ok(told.iter().chain(&kept).map(Certificate::epoch_id).collect())
    }

    /// Who is about to be dealt a share: they may hold it whatever becomes of the run.
    pub(super) fn note_dealing(
        &self,
        scene: &Scene<'_>,
        live: &Live,
        attempt: Attempt,
        commit: &mut Commit,
    ) -> Result<()> {
        let id = live.key.ok_or(Misuse::NoShare)?;
        let mut key = self.load(&scene.login.unlocked, id)?.ok_or(Error::NotFound(id))?;
        // A certificate may have come since: its erased share must not be dealt from this run's memory.
        if let Some(parent) =
            live.parent.as_ref().filter(|parent| forbids!(DealsWhatItHolds, parent.id != key.epoch.id))
        {
            let certificates = self.chain_after(&scene.login.unlocked, key.id, parent.id)?;
            return Err(Error::Stale { have: key.epoch.id, certificates });
        }
        key.record.deals_in(attempt);
        key.save(commit)?;
        Ok(())
    }

    /// A share that is not certified yet, with the signature that is about to leave.
    pub(super) fn keep_pending(
        &self,
        scene: &Scene<'_>,
        live: &mut Live,
        pending: PendingShare,
        commit: &mut Commit,
    ) -> Result<()> {
        let PendingShare { certificate, share, chain_code } = pending;
        let epoch = certificate.epoch()?;
        let known = self.load(&scene.login.unlocked, epoch.key)?;
        let is_new = known.is_none();
        let mut key = if let Some(key) = known {
            key
        } else {
            let mut key = new_key(scene, live, &epoch, commit)?;
            key.record.forgetful |= live.parent.is_some() && self.has_destroyed(&scene.login.unlocked, key.id)?;
            self.take_over(&scene.login.unlocked, key.id, &mut key.record)?;
            key
        };
        // Another run may have given this token the key since.
        check_number(Some(&key), live.exchange.frame().me.ok_or(Misuse::NotAMember)?)?;
        // Rule 2 again: since this run was entered, a higher attempt may have been.
        let founding = match live.chain.first() {
            Some(first) => first.epoch_id(),
            None if certificate.imports() => before_history(key.id),
            None => self.founding(&scene.login.unlocked, &key)?,
        };
        let promised = key.record.promise.max(self.promised(&scene.login, founding)?);
        if forbids!(SignsAboveThePromise, epoch.position() < promised) {
            let least = epoch.plan.attempt.saturating_add(1);
            return Err(Error::Denied(Denial::AttemptTooLow { least }));
        }
        // A certificate may have come since: what it superseded must not come to life again.
        let over = |parent: &&Epoch| forbids!(SignsWhileItHoldsTheParent, !is_renewed(&key, parent, &live.chain));
        if let Some(parent) = live.parent.as_ref().filter(over) {
            let mut certificates = self.chain_after(&scene.login.unlocked, key.id, parent.id)?;
            if certificates.is_empty() {
                certificates = leading_on(live.chain.clone(), key.epoch.id);
            }
            return Err(Error::Stale { have: key.epoch.id, certificates });
        }
        let overridden = self.is_overridden(&scene.login, epoch.run)?;
        self.check_binds(&scene.login.unlocked, &key, (&epoch.plan, None), overridden)?;
        // The key, or its roster, may have been seen to fork since.
        if let Some(parent) = &live.parent {
            check_ends_forks(Some(&key), &epoch.plan, parent, overridden)?;
        }
        // Who comes with this plan has no officer's leave to give: the old members' officers give theirs, also those whose token
        // knows nothing of the key.
        let was_member = |parent: &Epoch| parent.roster().identifier_of(scene.login.card.identity()).is_some();
        let asked = Some(&key).filter(|_| !is_new || live.parent.as_ref().is_some_and(was_member));
        self.check_ends_clashes(&scene.login.unlocked, asked, &epoch.plan, overridden)?;
        if let Some(parent) = &live.parent {
            self.keep_told(&scene.login.unlocked, &key, (parent.id, &live.chain), commit)?;
        }
        key.record.pending.push(epoch.id);
        let (space, bytes) = (key.space_of(epoch.id), certificate.to_bytes());
        if !key.is_certified() {
            self.parsed.expect(key.id, &bytes, &epoch);
        }
        commit.put(space, ATTEMPT, bytes);
        if let Some(share) = share {
            commit.put(space, SHARE, share.expose().to_vec());
        }
        commit.put(key.object(), CHAIN_CODE, chain_code.expose().to_vec());
        key.save(commit)?;
        commit.event(key.epoch_event(EventKind::KeyPending, epoch.id)?.run(*epoch.run.as_bytes()));
        live.key = Some(key.id);
        Ok(())
    }
}

/// The key that is dealt, where it is known before: whoever destroys it ends the run.
fn known_key(plan: &DealPlan, parent: Option<&Epoch>) -> Option<KeyId> {
    let imported = match &plan.source {
        Source::Import { group_key, .. } => unless_off!(ImportNamesItsKey, Some(key_id(group_key)), None),
        Source::Fresh | Source::Epoch { .. } => None,
    };
    parent.map(|parent| parent.key).or(imported)
}

/// A token is one member of a key, whoever invites it as another.
pub(super) fn check_number(key: Option<&Key>, me: Identifier) -> Result<()> {
    if forbids!(OwnNumberKept, key.is_some_and(|key| key.record.me != me)) {
        return Err(Misuse::Plan("a member under another number").into());
    }
    Ok(())
}

/// Whether the epoch that the run renews is the one that is held here, or follows it by what the invitation told who has no
/// share. A backup may have come since.
fn is_renewed(key: &Key, parent: &Epoch, told: &[Certificate]) -> bool {
    let follows = told.iter().any(|certificate| certificate.epoch_id() == key.epoch.id);
    key.epoch.id == parent.id || follows && holds!(HistoryForWhoHasNoShare, key.record.standing == Standing::Retired)
}

/// A key that this token comes to know by the run: a new one, or one whose chain the invitation told.
fn new_key(scene: &Scene<'_>, live: &Live, epoch: &Epoch, commit: &mut Commit) -> Result<Key> {
    let me = whoami(&live.exchange.frame().members, &scene.login.card)?;
    let imported =
        matches!(epoch.plan.source, Source::Import { .. }) || live.chain.first().is_some_and(Certificate::imports);
    let origin = if imported { Origin::Imported } else { Origin::Generated };
    let standing = if live.parent.is_some() { Standing::Retired } else { Standing::Pending };
    let record = KeyRecord {
        forgetful: live.parent.as_ref().is_some_and(|parent| has_forgotten(parent, &scene.login.card)),
        ..KeyRecord::new(me, origin, standing, epoch)
    };
    let key = Key { id: epoch.key, record, epoch: live.parent.as_ref().unwrap_or(epoch).clone() };
    commit.put(Space::Token, &index_key(key.id), Vec::new());
    Ok(key)
}

/// Rule 8: a member of the old epoch that knows nothing of the key was restored without its share, or destroyed it. A token
/// that was restored may have signed an attempt that was to make it a member, or have been one in an epoch before.
fn has_forgotten(parent: &Epoch, card: &Card) -> bool {
    forbids!(WhoForgotSaysSo, is_restored(card) || parent.roster().identifier_of(card.identity()).is_some())
}

/// Whether the token was made from the backup of an identity.
pub(super) const fn is_restored(card: &Card) -> bool {
    card.incarnation() > 0
}

fn decode_position(bytes: &[u8]) -> Result<(u64, u32)> {
    let mut reader = Reader::new(bytes);
    let position = (reader.u64()?, reader.u32()?);
    reader.finish()?;
    Ok(position)
}
