//! Certificates: what makes an epoch the key's, and what is erased by it.

use super::clash::{Descent, descent};
use super::fork::{Lines, change_line, set_aside, superseding};
use super::keys::{ATTEMPT, Key, SHARE, certificate_key};
use super::old::OldEpoch;
use super::record::{KeyRecord, Standing};
use super::runs::Live;
use super::told::Told;
use super::{Commit, Error, KeyInfo, Login, Misuse, Result, Scene, SoftToken, Storage};
use crate::audit::EventKind;
use crate::guard::{forbids, holds};
use crate::keystore::object::Origin;
use crate::protocol::{Attempt, Certificate, CertificateError, Confirmation, Epoch, dealt_name, encode_confirmation};
use crate::wire::{CardId, EpochId, RunId, Source};

impl<S: Storage> SoftToken<S> {
    /// The end of a dealing's run: the certificate is there.
    pub(super) fn certify_run(
        &self,
        scene: &mut Scene<'_>,
        live: &mut Live,
        certificate: &Certificate,
        commit: &mut Commit,
    ) -> Result<(KeyInfo, Vec<u8>)> {
        let id = certificate.key_id()?;
        live.key = Some(id);
        let Some(mut key) = self.load(&scene.login.unlocked, id)? else {
            // The joins have completed an attempt that is not for this member, who came from its card alone.
            return Err(Error::Stale { have: certificate.epoch_id(), certificates: vec![certificate.clone()] });
        };
        let before = key.epoch.id;
        let accepted = self.accept(&scene.login, &mut key, certificate, commit);
        end_nonces(scene, &key, before, &accepted);
        accepted?;
        let confirmation = Confirmation {
            member: key.record.me,
            erased: key.record.erased.clone(),
            backed_up: key.record.backed_up.clone(),
        };
        Ok((key.info(), encode_confirmation(&confirmation)))
    }

    /// Finishes a pending epoch, or learns that the share here is of the past.
    pub(super) fn complete_with(
        &self,
        scene: &mut Scene<'_>,
        certificate: &Certificate,
        commit: &mut Commit,
    ) -> Result<KeyInfo> {
        let id = certificate.key_id()?;
        let mut key = scene.take_key(id)?;
        let before = key.epoch.id;
        let accepted = self.accept(&scene.login, &mut key, certificate, commit);
        end_nonces(scene, &key, before, &accepted);
        accepted?;
        Ok(key.info())
    }

    /// Takes a certificate in, if it proves its epoch. What supersedes the epoch here becomes the key's; what is superseded
    /// is kept all the same, because what goes on from it, or supersedes this one from there, needs it for its proof.
    fn accept(&self, login: &Login, key: &mut Key, certificate: &Certificate, commit: &mut Commit) -> Result<()> {
        let chain = self.chain(&login.unlocked, key.id)?;
        if chain.iter().any(|known| known.epoch_id() == certificate.epoch_id()) {
            return self.learn_revisions(login, key, &chain, certificate, commit);
        }
        let others = self.other_lines(&login.unlocked, key)?;
        let rosters = self.other_rosters(&login.unlocked, key)?;
        let stated = certificate.epoch()?;
        let unlocked = &login.unlocked;
        let stranded = key.record.standing == Standing::Retired
            && self.share(unlocked, key, stated.id)?.is_some()
            && superseding(&chain, &stated)?.is_none();
        let (mut certificate, mut rival) = (certificate, None);
        if let Some(known) = others.iter().find(|known| known.epoch_id() == stated.id) {
            let descent = descent(&stated, &chain, &others, &rosters)?;
            if !stranded && !goes_on(&stated, descent.as_ref(), &key.epoch) {
                return self.hear_again(login, key, known, certificate, &[&chain[..], &others, &rosters].concat());
            }
            // What goes on from it may go by a revision that is known here and was not told this time.
            let kept = known.epoch()?;
            if !kept.beyond(&stated).is_empty() {
                rival = Some(certificate).filter(|_| !stated.beyond(&kept).is_empty());
                certificate = known;
            }
        }
        let lines = (&chain[..], &others[..], &rosters[..]);
        let epoch = certificate.verify(parent_of(key, &stated, lines)?.as_ref())?;
        let descent = descent(&epoch, &chain, &others, &rosters)?;
        if key.is_certified() && forbids!(LinesNeverMix, !goes_on(&epoch, descent.as_ref(), &key.epoch)) {
            let (ours, theirs) = (key.epoch.id, epoch.id);
            if stranded {
                self.take_up(login, key, (certificate, &epoch), lines, descent.as_ref())?;
                self.learn_rival(login, key, rival)?;
                return Err(Error::Fork { ours: theirs, theirs: ours });
            }
            let mut aside = Commit::default();
            let known = (&chain[..], &others[..]);
            let forks = set_aside(key, certificate, (&epoch, descent.as_ref()), known, &mut aside)?;
            if !forks {
                self.note_late(login, key, &epoch, known, &mut aside)?;
            }
            self.commit(&login.unlocked, aside)?;
            return if forks { Err(Error::Fork { ours, theirs }) } else { Ok(()) };
        }
        let passed = change_line(key, &epoch, lines, true, commit)?;
        let before = key.is_certified().then(|| key.epoch.clone());
        self.enthrone(login, key, (certificate, epoch.clone()), (before.as_ref(), &passed), lines, commit)?;
        if let Some(descent) = descent {
            self.part(login, key, (&chain, &others), &descent, (&epoch, &passed, false), commit)?;
        }
        if rival.is_some() {
            self.commit(&login.unlocked, core::mem::take(commit))?;
        }
        self.learn_rival(login, key, rival)
    }

    /// Another line has left this token without a share, and it holds one of that epoch's: it is of use there alone.
    fn take_up(
        &self,
        login: &Login,
        key: &mut Key,
        (certificate, epoch): (&Certificate, &Epoch),
        lines: Lines<'_>,
        descent: Option<&Descent>,
    ) -> Result<()> {
        let mut commit = Commit::default();
        let passed = change_line(key, epoch, lines, false, &mut commit)?;
        self.enthrone(login, key, (certificate, epoch.clone()), (None, &passed), lines, &mut commit)?;
        if let Some(descent) = descent {
            self.part(login, key, (lines.0, lines.1), descent, (epoch, &passed, true), &mut commit)?;
        }
        self.commit(&login.unlocked, commit)
    }

    /// A certificate of the key's newest epoch, with another roster than the one that was kept of it.
    fn learn_rival(&self, login: &Login, key: &mut Key, rival: Option<&Certificate>) -> Result<()> {
        let Some(rival) = rival else { return Ok(()) };
        let mut nothing = Commit::default();
        self.learn_revisions(login, key, &self.chain(&login.unlocked, key.id)?, rival, &mut nothing)
    }

    /// Makes an epoch the key's, and erases what it supersedes, in one transaction: `before`, the epochs of its line that it
    /// has passed, the newest first, and what it or these name.
    fn enthrone(
        &self,
        login: &Login,
        key: &mut Key,
        (certificate, epoch): (&Certificate, Epoch),
        (before, passed): (Option<&Epoch>, &[Epoch]),
        lines: Lines<'_>,
        commit: &mut Commit,
    ) -> Result<()> {
        let line: Vec<_> = passed.iter().rev().chain([&epoch]).collect();
        let named = |attempt: EpochId| line.iter().any(|one| one.names(attempt));
        let mut superseded: Vec<_> = before.into_iter().chain(passed.iter().rev()).cloned().collect();
        let ancestors = superseded.len();
        for attempt in key.record.pending.iter().copied() {
            let has_ended = superseded.iter().any(|old| old.id == attempt);
            if !has_ended && holds!(ErasedWhatIsNamed, named(attempt)) {
                superseded.push(self.attempt(&login.unlocked, key.id, attempt)?.epoch()?);
            }
        }
        for old in &superseded {
            let successor = line.iter().find(|one| supersedes(one, old)).map_or(&epoch, |one| one);
            self.supersede(login, key, old, successor, commit)?;
        }
        let ended = |attempt: &EpochId| superseded.iter().any(|old| old.id == *attempt);
        key.record.pending.retain(|attempt| *attempt != epoch.id && !ended(attempt));
        let KeyRecord { abandoned, pending, .. } = &mut key.record;
        abandoned.retain(|attempt| pending.contains(attempt));
        line.iter().flat_map(|one| &one.entrants.named).for_each(|attempt| key.record.end_fork(attempt.epoch));
        let given_up = superseded.get(ancestors..).unwrap_or_default();
        self.note_attempts(login, key, (&line, given_up, &epoch), lines)?;
        // What this token knew by its run alone is no attempt: it is the key's epoch, or was.
        for one in &superseded {
            key.record.rename(dealt_name(one.run), one.id);
        }
        key.record.is_no_old(&epoch);
        note_holders(&mut key.record, (&line, &epoch), lines)?;
        let held = self.share(&login.unlocked, key, epoch.id)?.is_some();
        key.record.standing = if held { Standing::Active } else { Standing::Retired };
        if held {
            let imported = certificate.imports() || lines.0.first().is_some_and(Certificate::imports);
            key.record.origin = if imported { Origin::Imported } else { Origin::Generated };
            key.record.forgetful = false;
            key.record.promise = key.record.promise.max(epoch.position());
        }
        commit.delete(key.space_of(epoch.id), ATTEMPT);
        let bytes = certificate.to_bytes();
        self.parsed.expect(key.id, &bytes, &epoch);
        commit.put(key.object(), &certificate_key(epoch.plan.height), bytes);
        commit.event(key.epoch_event(EventKind::CertificateCompleted, epoch.id)?);
        commit.event(key.epoch_event(if held { EventKind::KeyActive } else { EventKind::KeyRetired }, epoch.id)?);
        key.epoch = epoch;
        key.save(commit)?;
        Ok(())
    }

    /// Attempts that this token has not signed dealt shares to others all the same, and so did those that nobody signed.
    /// `line` leads to the epoch that is the key's now, and ends with it.
    fn note_attempts(
        &self,
        login: &Login,
        key: &mut Key,
        (line, given_up, epoch): (&[&Epoch], &[Epoch], &Epoch),
        (chain, others, _): Lines<'_>,
    ) -> Result<()> {
        let mut ended = given_up.to_vec();
        for known in others.iter().filter(|known| line.iter().any(|one| one.names(known.epoch_id()))) {
            ended.push(known.epoch()?);
        }
        let held = self.held_runs(login, key)?;
        Told::new((line, epoch), &ended, (chain, others)).note(&mut key.record, &held, login.card.id());
        Ok(())
    }

    /// A certificate that this line has superseded comes late, and may be all that names an attempt.
    pub(super) fn note_late(
        &self,
        login: &Login,
        key: &mut Key,
        epoch: &Epoch,
        known: (&[Certificate], &[Certificate]),
        commit: &mut Commit,
    ) -> Result<()> {
        let (held, line) = (self.held_runs(login, key)?, [&key.epoch]);
        let told = Told::new((&line, &key.epoch), core::slice::from_ref(epoch), known);
        told.note_named(&mut key.record, &held, login.card.id());
        key.save(commit)
    }

    /// The runs of attempts that this token has signed and not ended.
    fn held_runs(&self, login: &Login, key: &Key) -> Result<Vec<RunId>> {
        let run = |attempt: &EpochId| Ok(self.attempt(&login.unlocked, key.id, *attempt)?.epoch()?.run);
        key.record.pending.iter().map(run).collect()
    }

    /// Erases what is here of an epoch that `successor` supersedes, and begins to keep track of who else holds it.
    fn supersede(
        &self,
        login: &Login,
        key: &mut Key,
        old: &Epoch,
        successor: &Epoch,
        commit: &mut Commit,
    ) -> Result<()> {
        let mut entry = OldEpoch::new(old, successor);
        // It may have been known as an attempt, by its run alone.
        key.record.rename(dealt_name(old.run), old.id);
        if let Some(place) = key.record.old.iter().position(|known| known.epoch == old.id) {
            entry.keep(&key.record.old.remove(place));
        }
        if self.vault.get(&login.unlocked, key.space_of(old.id), SHARE)?.is_some() {
            commit.erase.push(key.space_of(old.id));
            commit.event(key.epoch_event(EventKind::EpochErased, old.id)?);
            key.record.has_erased(old.id);
            entry.confirm(key.record.me, login.card.id());
        }
        if key.record.backed_up.contains(&old.id) {
            entry.backed_up(key.record.me);
        }
        key.record.keep_old(entry);
        Ok(())
    }
}

/// Whoever was given a share of an old epoch by revisions that this line does not go by may hold it as well.
fn note_holders(
    record: &mut KeyRecord,
    (line, epoch): (&[&Epoch], &Epoch),
    (chain, others, rosters): Lines<'_>,
) -> Result<()> {
    for revision in line.iter().flat_map(|one| one.undone()) {
        record.held_too(revision.epoch, core::slice::from_ref(revision), epoch);
    }
    // What this very certificate has left is among the forks by now.
    let parted: Vec<_> = record.forks.iter().map(|fork| fork.theirs).collect();
    let left = chain.iter().filter(|known| parted.contains(&known.epoch_id()));
    for known in others.iter().chain(rosters).chain(left) {
        let theirs = known.epoch()?;
        record.held_too(theirs.id, &theirs.revisions, epoch);
    }
    record.old.iter_mut().for_each(|old| old.is_past(epoch));
    Ok(())
}

/// Nonces die with the epoch that they were made for, and in a fork, of which this line may be the one to end. So does the share
/// in the runs that would renew it.
fn end_nonces(scene: &mut Scene<'_>, key: &Key, before: EpochId, accepted: &Result<()>) {
    if key.epoch.id != before {
        scene.inner.forget_shares(key.id);
    }
    if key.epoch.id != before || matches!(accepted, Err(Error::Fork { .. })) {
        scene.inner.end_signing(key.id);
    }
}

/// Rule 3: a certificate supersedes its ancestors and what it names; of an ancestor's roster the revisions that it goes by,
/// and those that it undoes.
pub(super) fn goes_on(epoch: &Epoch, descent: Option<&Descent>, other: &Epoch) -> bool {
    epoch.names(other.id) || descent.is_some_and(|descent| descent.supersedes(other))
}

/// Rule 3: a certificate supersedes its ancestors and what it names. Of the epochs that are held here only the parent
/// can be an ancestor.
pub(super) fn supersedes(epoch: &Epoch, other: &Epoch) -> bool {
    epoch.parent() == Some(other.id) || epoch.names(other.id)
}

/// The epoch that one renews, as of the roster that it binds if that is known; a key's first renews none.
fn parent_of(key: &Key, stated: &Epoch, (chain, others, rosters): Lines<'_>) -> Result<Option<Epoch>> {
    let Some(parent) = stated.parent() else {
        // Who holds a key signed its making: strangers can sign a transcript with the same group key as well.
        let signed = holds!(FirstEpochSignedHere, has_signed_making(key, chain, stated.id)?);
        return if signed { Ok(None) } else { Err(CertificateError::Parent.into()) };
    };
    let known = chain.iter().chain(others).chain(rosters).filter(|known| known.epoch_id() == parent);
    let bound = known.clone().find_map(|known| Some(known.as_of(stated.bound()?)?.1));
    let newest = known.map(Certificate::epoch).next().ok_or(CertificateError::Parent)?;
    Ok(Some(bound.map_or(newest, Ok)?))
}

/// Whether this token signed that making of the key: of one that was imported again, it told the later transcript so.
fn has_signed_making(key: &Key, chain: &[Certificate], making: EpochId) -> Result<bool> {
    let Some(first) = chain.first() else { return Ok(key.record.pending.contains(&making)) };
    let named = first.epoch()?.entrants.named;
    let told = |attempt: &Attempt| attempt.epoch == making && attempt.signers.contains(&key.record.me);
    Ok(key.record.pending.contains(&making) || named.iter().any(told))
}

/// What another member says that it erased, and that it once backed up.
pub(super) fn confirm(record: &mut KeyRecord, card: CardId, confirmation: &Confirmation) {
    let find = |old: &&mut OldEpoch, epochs: &[EpochId]| epochs.contains(&old.epoch);
    for old in record.old.iter_mut().filter(|old| find(old, &confirmation.erased)) {
        old.confirm(confirmation.member, card);
    }
    for old in record.old.iter_mut().filter(|old| find(old, &confirmation.backed_up)) {
        old.backed_up(confirmation.member);
    }
}

/// Gives an attempt up, as far as this token goes: its run ends here. Nothing is erased, and its certificate still counts.
pub(super) fn abandon(key: &mut Key, attempt: &Epoch, commit: &mut Commit) -> Result<()> {
    key.record.promise = key.record.promise.max(attempt.position());
    if !key.record.abandoned.contains(&attempt.id) {
        key.record.abandoned.push(attempt.id);
    }
    key.save(commit)?;
    commit.event(key.epoch_event(EventKind::AttemptAbandoned, attempt.id)?);
    Ok(())
}

/// Whether an invitation renews shares.
pub(super) fn renews(source: &Source) -> Result<()> {
    match source {
        Source::Epoch { .. } => Ok(()),
        Source::Fresh | Source::Import { .. } => Err(Misuse::Unsupported("an override for a new key").into()),
    }
}
