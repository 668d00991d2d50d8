//! What a run's steps lead to: claims, certificates, signatures, confirmations.

use super::{Live, reconstruct};
use crate::audit::{Event, EventKind};
use crate::guard::forbids;
use crate::keystore::Storage;
use crate::keystore::error::{Error, Misuse, Result};
use crate::keystore::soft::keys::{Key, save};
use crate::keystore::soft::{Commit, Login, Scene, SoftToken, Space, certify};
use crate::keystore::token::Output;
use crate::protocol::{Claim, Effect, decode_confirmation};
use crate::wire::{KeyId, Subject, Writer};

const CLAIM: &[u8] = b"claim/";
/// The round in which members confirm what they erased.
const CONFIRM: u8 = 3;

impl<S: Storage> SoftToken<S> {
    /// What an effect changes, and the run's output if it is that, with a confirmation to send.
    pub(super) fn settle(
        &self,
        scene: &mut Scene<'_>,
        live: &mut Live,
        effect: Effect,
        commit: &mut Commit,
    ) -> Result<Option<(Output, Option<Vec<u8>>)>> {
        match effect {
            Effect::None => Ok(None),
            Effect::Claim(claim) => {
                self.claim(&scene.login, live.key.ok_or(Misuse::NoShare)?, &claim, commit)?;
                Ok(None)
            }
            Effect::Dealing(attempt) => {
                self.note_dealing(scene, live, *attempt, commit)?;
                Ok(None)
            }
            Effect::Pending(pending) => {
                self.keep_pending(scene, live, *pending, commit)?;
                Ok(None)
            }
            Effect::HandOver { epoch, recipient } => {
                commit.event(reconstruct::handover(live, &self.key_of(scene, live)?, epoch, recipient)?);
                Ok(None)
            }
            Effect::HandedOver => {
                self.remember_peers(scene, live, commit)?;
                Ok(Some((Output::Reconstructed(None), None)))
            }
            Effect::Reconstructed(secret) => {
                self.remember_peers(scene, live, commit)?;
                let key = self.key_of(scene, live)?;
                let whole = self.record_reconstruction(&scene.login, live, &key, *secret, commit)?;
                Ok(Some((Output::Reconstructed(Some(Box::new(whole))), None)))
            }
            Effect::Stocked(nonces) => {
                self.remember_peers(scene, live, commit)?;
                Ok(Some((Output::Batch(live.keep_nonces(nonces)), None)))
            }
            Effect::Vote(revision) => {
                self.vote(scene, live, &revision, commit)?;
                Ok(None)
            }
            Effect::Revised { revision, ends } => {
                let kept = self.keep_revision(scene, live, *revision, commit);
                if let (Err(Error::Fork { .. }), Some(id)) = (&kept, live.key) {
                    scene.inner.end_signing(id);
                }
                let info = kept?;
                Ok(info.filter(|_| ends).map(|info| (Output::Key(Box::new(info)), Some(Vec::new()))))
            }
            Effect::Repaired(repaired) => {
                self.remember_peers(scene, live, commit)?;
                let info = self.keep_repaired(scene, live, &repaired, commit)?;
                Ok(Some((Output::Key(Box::new(info)), Some(Vec::new()))))
            }
            Effect::Helped => {
                self.remember_peers(scene, live, commit)?;
                let id = live.key.ok_or(Misuse::NoShare)?;
                let info = self.load(&scene.login.unlocked, id)?.ok_or(Error::NotFound(id))?.info();
                Ok(Some((Output::Key(Box::new(info)), Some(Vec::new()))))
            }
            Effect::Signed(signature) => {
                self.remember_peers(scene, live, commit)?;
                Ok(Some((Output::Signature(signature), None)))
            }
            Effect::Certified(certificate) => {
                self.remember_peers(scene, live, commit)?;
                let (info, confirmation) = self.certify_run(scene, live, &certificate, commit)?;
                let confirms = live.exchange.current() == CONFIRM;
                Ok(Some((Output::Key(Box::new(info)), confirms.then_some(confirmation))))
            }
        }
    }

    fn key_of(&self, scene: &Scene<'_>, live: &Live) -> Result<Key> {
        let id = live.key.ok_or(Misuse::NoShare)?;
        self.load(&scene.login.unlocked, id)?.ok_or(Error::NotFound(id))
    }

    /// Unique on the commitment alone: whatever the message, a nonce is used once.
    pub(super) fn claim(&self, login: &Login, key: KeyId, claim: &Claim, commit: &mut Commit) -> Result<()> {
        let Claim { commitment, message, package, epoch, derivation, .. } = claim;
        let detail = Writer::new().raw(commitment).raw(message).raw(package).raw(epoch).raw(derivation).finish();
        let space = Space::Object(*key.as_bytes());
        let place = [CLAIM, &claim.commitment].concat();
        if forbids!(NonceClaimedOnce, self.vault.get(&login.unlocked, space, &place)?.is_some()) {
            return Err(Misuse::NoncesExpired.into());
        }
        commit.insert(space, &place, detail.clone());
        let event = Event::new(EventKind::NonceClaimed).object(*key.as_bytes()).run(*claim.run.as_bytes());
        commit.event(event.detail(detail)?);
        Ok(())
    }

    /// The names of the nonces of a key that were claimed.
    #[cfg(feature = "hazmat")]
    pub(in crate::keystore::soft) fn claimed(
        &self,
        unlocked: &crate::keystore::vault::Unlocked,
        key: crate::wire::KeyId,
    ) -> Result<Vec<Vec<u8>>> {
        let space = Space::Object(*key.as_bytes());
        let found = self.vault.scan(unlocked, space, CLAIM, None, usize::MAX)?;
        Ok(found.into_iter().map(|(place, _)| place.get(CLAIM.len()..).unwrap_or_default().to_vec()).collect())
    }

    /// What members say that they erased, each as it comes, once this member has the certificate itself.
    pub(super) fn hear_confirmations(&self, scene: &Scene<'_>, live: &mut Live) -> Result<()> {
        let (Some(id), true) = (live.key, live.finished) else { return Ok(()) };
        let mut commit = Commit::default();
        // The record alone: a certificate is long, and this is asked for each confirmation.
        let mut record = None;
        let heard: Vec<_> = live.exchange.of_round(CONFIRM).cloned().collect();
        for message in heard {
            // What this member erased itself was recorded with the certificate.
            let own = live.exchange.frame().me == Some(message.sender());
            if own || message.header().subject != Subject::Confirm || !live.confirmed.insert(message.sender()) {
                continue;
            }
            let Ok(confirmation) = decode_confirmation(message.sender(), message.body()) else { continue };
            let record = match &mut record {
                Some(record) => record,
                none => none.insert(self.record_of(&scene.login.unlocked, id)?.ok_or(Error::NotFound(id))?),
            };
            let Some(card) = live.exchange.frame().members.card(message.sender()) else { continue };
            certify::confirm(record, card.id(), &confirmation);
        }
        if let Some(record) = record {
            save(id, &record, &mut commit)?;
        }
        self.commit(&scene.login.unlocked, commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystore::soft::Init;
    use crate::keystore::{KdfCost, MemoryStorage, Pin};
    use crate::policy::{UserType, Verb};
    use crate::wire::RunId;

    /// The store refuses a second one as well; what is tested here has to see it before that.
    #[test]
    fn a_nonce_is_claimed_once_whatever_it_signs() {
        let pin = |words| Pin::new(words).unwrap();
        let (user, officer) = (pin("the user's words"), pin("the officer's words"));
        let init = Init { label: String::new(), user, officer, cost: KdfCost::insecure_for_tests() };
        let token = SoftToken::create(|contents| Ok(MemoryStorage::new(contents)), &init).unwrap();
        let session = token.login_as(UserType::User, &init.user).unwrap();
        let claim = |nonce: u8, signs: u8| {
            let (run, message, package) = (RunId::from_bytes([signs; 32]), [signs; 32], [signs; 32]);
            let claim =
                Claim { commitment: [nonce; 32], run, message, package, epoch: [9; 32], derivation: Vec::new() };
            token.operate(session, Verb::Look, None, |scene, commit| {
                token.claim(&scene.login, KeyId::from_bytes([7; 32]), &claim, commit)
            })
        };
        for nonce in [1, 2] {
            claim(nonce, 1).unwrap();
            for signs in [1, 2] {
                assert!(matches!(claim(nonce, signs), Err(Error::Misuse(Misuse::NoncesExpired))));
            }
        }
    }
}
