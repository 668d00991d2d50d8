//! The end of a key on this token, and of the token.

use super::keys::{Key, SHARE, encode_position, index_key, promise_key};
use super::record::{KeyRecord, Standing, Tombstone};
use super::{Commit, KeyInfo, Login, Result, Scene, SoftToken, Space, Storage, Unlocked};
use crate::audit::{Event, EventKind};
use crate::guard::{forbids, unless_off};
use crate::keystore::vault::VaultError;
use crate::protocol::Certificate;
use crate::wire::KeyId;

const TOMBSTONE: &[u8] = b"destroyed/";

impl<S: Storage> SoftToken<S> {
    /// Erases everything of a key, takes it off the list, and leaves a tombstone.
    pub(super) fn destroy_key(&self, scene: &mut Scene<'_>, id: KeyId, commit: &mut Commit) -> Result<()> {
        let mut key = scene.take_key(id)?;
        let unlocked = &scene.login.unlocked;
        unless_off!(PromiseOutlivesTheKey, self.keep_promise(&scene.login, &key, commit)?, ());
        let certificate = self.newest(unlocked, id, &key.record)?.to_vec();
        for epoch in key.record.pending.iter().copied().chain([key.epoch.id]).collect::<Vec<_>>() {
            // A key that is pending has its epoch among its attempts.
            let erased = key.record.erased.contains(&epoch);
            if !erased && self.vault.get(unlocked, key.space_of(epoch), SHARE)?.is_some() {
                commit.event(key.epoch_event(EventKind::EpochErased, epoch)?);
                key.record.has_erased(epoch);
            }
        }
        // With it go its epochs, whichever there are.
        commit.erase.push(key.object());
        commit.delete(Space::Token, &index_key(id));
        commit.event(key.epoch_event(EventKind::KeyDestroyed, key.epoch.id)?);
        key.record.pending.clear();
        key.record.standing = Standing::Destroyed;
        let tombstone = Tombstone { record: key.record, certificate };
        commit.put(Space::Token, &tombstone_key(id), tombstone.encode());
        scene.inner.end_runs_of(id);
        Ok(())
    }

    /// Rule 2: a promise outlives the share, also one that was made before a backup of an older epoch brought it back.
    fn keep_promise(&self, login: &Login, key: &Key, commit: &mut Commit) -> Result<()> {
        let founding = self.founding(&login.unlocked, key)?;
        let promise = key.record.promise.max(self.promised(login, founding)?);
        commit.put(Space::Token, &promise_key(founding), encode_position(promise));
        Ok(())
    }

    /// Whether the key was destroyed here once, and with it what this token remembered to have signed.
    pub(super) fn has_destroyed(&self, unlocked: &Unlocked, id: KeyId) -> Result<bool> {
        let tombstone = self.vault.get(unlocked, Space::Token, &tombstone_key(id))?;
        Ok(forbids!(DestroyedIsForgotten, tombstone.is_some()))
    }

    /// The record of a key that comes back, with what is still known of who may hold shares because of it.
    pub(super) fn take_over(&self, unlocked: &Unlocked, id: KeyId, record: &mut KeyRecord) -> Result<()> {
        if let Some(bytes) = self.vault.get(unlocked, Space::Token, &tombstone_key(id))? {
            record.take_over(Tombstone::decode(&bytes)?.record);
        }
        Ok(())
    }

    /// What is still known of the keys that were destroyed here and did not come back.
    pub(super) fn destroyed(&self, unlocked: &Unlocked) -> Result<Vec<KeyInfo>> {
        let here = self.key_ids(unlocked)?;
        let gone = self.listed(unlocked, TOMBSTONE)?.into_iter().filter(|id| !here.contains(id));
        gone.map(|id| {
            let bytes = self.vault.get(unlocked, Space::Token, &tombstone_key(id))?.ok_or(VaultError::Corrupt)?;
            let Tombstone { record, certificate } = Tombstone::decode(&bytes)?;
            let epoch = Certificate::from_bytes(&certificate)?.epoch()?;
            Ok(Key { id, record, epoch }.info())
        })
        .collect()
    }

    /// Ends the token: records it, erases everything, and ends all sessions.
    pub(super) fn destroy_token(&self, scene: &mut Scene<'_>) -> Result<()> {
        let event = Event::new(EventKind::TokenDestroyed).object(*scene.login.card.id().as_bytes());
        self.vault.destroy(&scene.login.unlocked, &[event])?;
        scene.inner.runs.clear();
        scene.inner.away.clear();
        scene.inner.sessions.clear();
        Ok(())
    }
}

fn tombstone_key(id: KeyId) -> Vec<u8> {
    [TOMBSTONE, id.as_bytes()].concat()
}
