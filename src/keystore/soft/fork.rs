//! Forks: two certificates of which neither supersedes the other. Signing stops, both lines keep their shares, and a plan
//! that names the losing line ends it.

use super::keys::{Key, certificate_key};
use super::record::ForkRecord;
use super::{Commit, Error, Login, Misuse, Result, SoftToken, Storage, Unlocked};
use crate::audit::EventKind;
use crate::guard::{forbids, holds};
use crate::keystore::vault::VaultError;
use crate::protocol::{Certificate, Denial, Epoch};
use crate::wire::{DealPlan, EpochId, Identifier, Source};

const FORK: &[u8] = b"fork/";

/// Where a certificate of another line is kept.
fn fork_key(epoch: EpochId) -> Vec<u8> {
    [FORK, epoch.as_bytes()].concat()
}

impl<S: Storage> SoftToken<S> {
    /// The certificates of other lines that were ever seen here, in the order in which they came.
    pub(super) fn other_lines(&self, unlocked: &Unlocked, key: &Key) -> Result<Vec<Certificate>> {
        let kept = key.record.forks.iter().map(|fork| {
            let bytes = self.vault.get(unlocked, key.object(), &fork_key(fork.theirs))?.ok_or(VaultError::Corrupt)?;
            Ok(Certificate::from_bytes(&bytes)?)
        });
        kept.collect()
    }

    /// Rule 6: keeps what proves the fork, durably, before anybody hears of it. Nothing is erased.
    pub(super) fn note_fork(
        &self,
        login: &Login,
        key: &mut Key,
        certificate: &Certificate,
        epoch: &Epoch,
        chain: &[Certificate],
    ) -> Result<()> {
        // The place where the lines part: the certificate here that renews the same epoch, or the newest.
        let parts = |known: &&Certificate| known.epoch().is_ok_and(|known| known.parent() == epoch.parent());
        let ours = chain.iter().find(parts).or(chain.last()).ok_or(VaultError::Corrupt)?;
        let fork = ForkRecord {
            ours: ours.epoch_id(),
            theirs: epoch.id,
            position: epoch.position(),
            culprits: signed_both(&ours.epoch()?, epoch),
            ended: false,
        };
        let error = Error::Fork { ours: key.epoch.id, theirs: epoch.id };
        let mut commit = Commit::default();
        commit.put(key.object(), &fork_key(epoch.id), certificate.to_bytes());
        commit.event(key.epoch_event(EventKind::ForkSeen, epoch.id)?);
        key.record.forks.push(fork);
        key.save(&mut commit);
        self.commit(&login.unlocked, commit)?;
        Err(error)
    }
}

/// A certificate of another line that names this one: the other line is the key's from here on.
pub(super) fn change_line(
    key: &mut Key,
    epoch: &Epoch,
    chain: &[Certificate],
    others: &[Certificate],
    commit: &mut Commit,
) -> Result<()> {
    let mut parent = epoch.parent();
    while let Some(other) = parent.and_then(|parent| others.iter().find(|one| one.epoch_id() == parent)) {
        let stated = other.epoch()?;
        commit.put(key.object(), &certificate_key(stated.plan.height), other.to_bytes());
        key.record.end_fork(stated.id);
        parent = stated.parent();
    }
    let stays = chain.iter().position(|known| Some(known.epoch_id()) == parent).map_or(0, |place| place + 1);
    for left in chain.iter().skip(stays) {
        let stated = left.epoch()?;
        if stated.plan.height > epoch.plan.height {
            commit.delete(key.object(), &certificate_key(stated.plan.height));
        }
        // What descends from it may still come to light.
        commit.put(key.object(), &fork_key(stated.id), left.to_bytes());
        let (ours, position) = (epoch.id, stated.position());
        let fork = ForkRecord { ours, theirs: stated.id, position, culprits: Vec::new(), ended: true };
        key.record.forks.push(fork);
    }
    Ok(())
}

/// Who signed both lines, without naming the first in the second: by lying, or by forgetting under an override.
fn signed_both(ours: &Epoch, theirs: &Epoch) -> Vec<Identifier> {
    let Some(signers) = theirs.plan.participants() else { return Vec::new() };
    let both = signers.iter().filter(|(id, card)| ours.card(*id).is_some_and(|one| one.identity() == card.identity()));
    both.map(|(id, _)| id).collect()
}

/// A forked key is renewed by a plan that names every line that is to lose, and with the officer's leave.
pub(super) fn check_ends_forks(key: Option<&Key>, plan: &DealPlan, overridden: bool) -> Result<()> {
    let Source::Epoch { losing, .. } = &plan.source else { return Ok(()) };
    let forks: Vec<_> = key.map(|key| key.record.open_forks().collect()).unwrap_or_default();
    let loses = |fork: &&&ForkRecord| losing.contains(&fork.theirs) || fork.position >= (plan.height, plan.attempt);
    if forbids!(LosingLinesNamed, forks.iter().filter(loses).count() < forks.len()) {
        return Err(Misuse::Plan("it does not name every line that is to lose").into());
    }
    if holds!(OfficerEndsAFork, forks.is_empty() || overridden) { Ok(()) } else { Err(Error::Denied(Denial::Forked)) }
}
