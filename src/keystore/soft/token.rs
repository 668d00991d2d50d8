//! The waist: each call of a token, through the choke point.

use super::backup::destination;
use super::certify::{abandon, renews};
use super::runs::{Beginning, convicted_key, override_key, repair_verb};
use super::{Error, KeyInfo, Misuse, Pin, Result, SoftToken, Space, Storage, keys};
use crate::audit::{self, Event, EventKind};
use crate::derivation::ExtendedPublicKey;
use crate::keystore::object::{Declaration, Filter, KeyState, Restriction};
use crate::keystore::token::{Operation, Progress, Proposal, Protection, SessionId, Token, TokenInfo};
use crate::keystore::vault::VaultError;
use crate::policy::{UserType, Verb};
use crate::protocol::{Certificate, deal_plan, key_id};
use crate::secret::overwrite_dead_frames;
use crate::wire::{Card, EpochId, Invitation, KeyId, Message, RunId};
use crate::wrap::{Identity, Recipient, WrappedIdentity, WrappedShare};

impl<S: Storage> Token for SoftToken<S> {
    fn info(&self) -> Result<TokenInfo> {
        Ok(TokenInfo { id: self.vault.token_id()?, protection: Protection::Software })
    }

    fn login(&self, user: UserType, pin: &Pin) -> Result<SessionId> {
        self.login_as(user, pin)
    }

    fn logout(&self, session: SessionId) -> Result<()> {
        let mut inner = self.lock()?;
        inner.end_runs(session);
        self.returned.notify_all();
        inner.sessions.remove(&session).map(drop).ok_or(Error::LoggedOut)
    }

    fn card(&self, session: SessionId) -> Result<Card> {
        self.operate(session, Verb::Look, None, |scene, _| Ok(scene.login.card.clone()))
    }

    fn set_pin(&self, session: SessionId, user: UserType, new: &Pin) -> Result<()> {
        // The vault decides who may set which, and writes its audit record with the new header.
        self.operate(session, Verb::Look, None, |scene, _| Ok(self.vault.set_pin(&scene.login.unlocked, user, new)?))
    }

    fn find_objects(&self, session: SessionId, filter: &Filter) -> Result<Vec<KeyInfo>> {
        self.operate(session, Verb::Look, None, |scene, _| {
            let unlocked = &scene.login.unlocked;
            let mut found = if filter.state == Some(KeyState::Destroyed) {
                self.destroyed(unlocked)?
            } else {
                let load = |id| Ok(self.load(unlocked, id)?.ok_or(VaultError::Corrupt)?.info());
                self.key_ids(unlocked)?.into_iter().map(load).collect::<Result<_>>()?
            };
            found.retain(|key| filter.matches(key));
            Ok(found)
        })
    }

    fn extended_public_key(&self, session: SessionId, key: KeyId) -> Result<ExtendedPublicKey> {
        self.operate(session, Verb::ShowChildren, Some(key), |scene, commit| {
            let key = scene.take_key(key)?;
            if !key.is_certified() {
                return Err(Misuse::Unsupported("addresses of a key that no certificate covers").into());
            }
            let extended = self.root_key(&scene.login.unlocked, &key)?;
            commit.event(key.event(EventKind::ExtendedKeyShown));
            Ok(extended)
        })
    }

    fn restrict(&self, session: SessionId, key: KeyId, change: &Restriction) -> Result<()> {
        self.operate(session, Verb::Restrict, Some(key), |scene, commit| {
            keys::restrict(&mut scene.take_key(key)?, *change, commit)
        })
    }

    fn destroy_object(&self, session: SessionId, key: KeyId) -> Result<()> {
        self.operate(session, Verb::Destroy, Some(key), |scene, commit| self.destroy_key(scene, key, commit))
    }

    fn destroy(&self, session: SessionId) -> Result<()> {
        // The vault writes the audit record itself, before there is nothing to write it to.
        self.operate(session, Verb::DestroyToken, None, |scene, _| self.destroy_token(scene))
    }

    fn invite(&self, session: SessionId, proposal: &Proposal) -> Result<Invitation> {
        let (verb, key) = match proposal {
            Proposal::Dkg { .. } => (Verb::Propose, None),
            Proposal::Refresh { key, .. } | Proposal::Reshare { key, .. } => (Verb::Renew, Some(*key)),
            Proposal::Import { group_key, .. } => (Verb::Propose, Some(key_id(group_key))),
            Proposal::Reconstruct { key, .. } => (Verb::Reconstruct, Some(*key)),
            Proposal::Sign { key, .. } => (Verb::Sign, Some(*key)),
            Proposal::Repair { key, .. } => (Verb::Repair, Some(*key)),
            Proposal::Enrol { key, .. } => (Verb::Enrol, Some(*key)),
            Proposal::Revise { revision, .. } => (repair_verb(revision), Some(revision.key)),
            Proposal::Preprocess { key, .. } => (Verb::Prepare, Some(*key)),
        };
        self.operate(session, verb, key, |scene, _| self.propose(scene, proposal))
    }

    fn consent(&self, session: SessionId, invitation: &Invitation) -> Result<()> {
        self.operate(session, Verb::Consent, invitation.key(), |scene, commit| self.consent(scene, invitation, commit))
    }

    fn begin(&self, session: SessionId, operation: Operation<'_>) -> Result<(RunId, Progress)> {
        let (verb, key) = match operation {
            Operation::Deal(invitation) | Operation::Import(invitation, _) => match invitation.imports() {
                Some(group_key) => (Verb::Propose, Some(key_id(group_key))),
                None => (invitation.revision().map_or(Verb::Renew, repair_verb), invitation.key()),
            },
            Operation::Reconstruct(invitation) => (Verb::Reconstruct, invitation.key()),
            Operation::Sign(invitation, ..) => (Verb::Sign, invitation.key()),
            Operation::Preprocess(invitation) => (Verb::Prepare, invitation.key()),
        };
        match self.operate(session, verb, key, |scene, commit| self.enter(scene, commit, operation))? {
            Beginning::Entered(run, progress) => Ok((run, progress)),
            Beginning::Away(live, machine, entry) => {
                let begun = self.begin_away(session, *live, machine, entry);
                overwrite_dead_frames();
                begun
            }
        }
    }

    fn advance(&self, session: SessionId, run: RunId, message: &Message) -> Result<Progress> {
        self.give(session, run, message)
    }

    fn abort(&self, session: SessionId, run: RunId) -> Result<()> {
        let verb = self.continues(session, run)?;
        self.operate(session, verb, None, |scene, _| scene.inner.end_run(session, run))
    }

    fn override_fork_rules(&self, session: SessionId, invitation: &Invitation) -> Result<()> {
        self.operate(session, Verb::Override, invitation.key(), |_, commit| {
            let run = invitation.run_id();
            if invitation.revision().is_none() {
                let deal = deal_plan(&invitation.plan).ok_or(Misuse::Unsupported("an override for a signature"))?;
                renews(&deal.source)?;
            }
            commit.put(Space::Token, &override_key(run), Vec::new());
            let mut event = Event::new(EventKind::OverrideUsed).run(*run.as_bytes());
            if let Some(key) = invitation.key() {
                event = event.object(*key.as_bytes());
            }
            commit.event(event);
            Ok(())
        })
    }

    fn pardon(&self, session: SessionId, card: &Card) -> Result<()> {
        self.operate(session, Verb::Override, None, |_, commit| {
            commit.delete(Space::Token, &convicted_key(card));
            commit.event(Event::new(EventKind::MemberPardoned).object(*card.id().as_bytes()));
            Ok(())
        })
    }

    fn declare(&self, session: SessionId, key: KeyId, declaration: &Declaration) -> Result<()> {
        self.operate(session, Verb::Override, Some(key), |scene, commit| {
            keys::declare(&mut scene.take_key(key)?, declaration, commit)
        })
    }

    fn wrap_key(&self, session: SessionId, key: KeyId, to: &Recipient) -> Result<WrappedShare> {
        let kept = self.operate(session, Verb::Look, Some(key), |scene, _| scene.take_key(key))?;
        let verb = Verb::Export(destination(Some(&kept), to));
        self.operate(session, verb, Some(key), |scene, commit| self.export(scene, key, to, commit))
    }

    fn wrap_identity(&self, session: SessionId, to: &Recipient) -> Result<WrappedIdentity> {
        self.operate(session, Verb::ExportIdentity, None, |scene, commit| {
            self.export_identity(&scene.login, to, commit)
        })
    }

    fn unwrap_key(&self, session: SessionId, share: &WrappedShare, with: &Identity) -> Result<KeyInfo> {
        self.operate(session, Verb::Restore, None, |scene, commit| self.import(scene, share, with, commit))
    }

    fn certificates(&self, session: SessionId, key: KeyId) -> Result<Vec<Certificate>> {
        self.operate(session, Verb::Look, Some(key), |scene, _| {
            let key = scene.take_key(key)?;
            self.chain(&scene.login.unlocked, key.id)
        })
    }

    fn complete(&self, session: SessionId, certificate: &Certificate) -> Result<KeyInfo> {
        let key = certificate.key_id()?;
        self.operate(session, Verb::Complete, Some(key), |scene, commit| self.complete_with(scene, certificate, commit))
    }

    fn abandon(&self, session: SessionId, key: KeyId, attempt: EpochId) -> Result<KeyInfo> {
        self.operate(session, Verb::Complete, Some(key), |scene, commit| {
            let mut kept = scene.take_key(key)?;
            if !kept.record.pending.contains(&attempt) {
                return Err(Misuse::NoSuchAttempt.into());
            }
            let epoch = self.attempt(&scene.login.unlocked, key, attempt)?.epoch()?;
            scene.inner.forget(epoch.run);
            abandon(&mut kept, &epoch, commit)?;
            Ok(kept.info())
        })
    }

    fn audit(&self, session: SessionId, after: Option<audit::Digest>, limit: usize) -> Result<Vec<audit::Record>> {
        self.operate(session, Verb::Look, None, |_, _| {
            self.vault.audit(after, limit)?.ok_or(Error::Audit(audit::AuditError::Cut(0)))
        })
    }
}
