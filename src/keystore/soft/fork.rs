//! Forks: two certificates of which neither supersedes the other. Signing stops, both lines keep their shares, and a plan
//! that names the losing line ends it.

use super::certify::{goes_on, supersedes};
use super::clash::{Descent, descent, passed_over};
use super::keys::{Key, certificate_key};
use super::record::ForkRecord;
use super::{Commit, Error, Login, Misuse, Result, SoftToken, Storage, Unlocked};
use crate::audit::EventKind;
use crate::guard::{forbids, holds, unless_off};
use crate::keystore::vault::VaultError;
use crate::protocol::{Certificate, CertificateError, Denial, Epoch};
use crate::wire::{DealPlan, EpochId, Identifier};

const FORK: &[u8] = b"fork/";

/// The certificates of a key's chain, of other lines, and of epochs of the chain with other rosters than it has.
pub(super) type Lines<'a> = (&'a [Certificate], &'a [Certificate], &'a [Certificate]);

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

    /// A certificate of another line that was seen here before, perhaps with revisions of its roster that were not.
    pub(super) fn hear_again(
        &self,
        login: &Login,
        key: &mut Key,
        known: &Certificate,
        told: &Certificate,
        lines: &[Certificate],
    ) -> Result<()> {
        let theirs = known.epoch_id();
        let parent = known.epoch()?.bound().and_then(|roster| lines.iter().find_map(|one| one.as_of(roster)));
        if told.signed_revisions() != known.signed_revisions() {
            let (kept, stated) = (known.epoch()?, told.verify(parent.map(|(_, parent)| parent).as_ref())?);
            let (mut commit, before) = (Commit::default(), key.record.clone());
            // Of two rosters that exclude each other the first is kept, and who holds shares by either.
            if kept.beyond(&stated).is_empty() && !stated.beyond(&kept).is_empty() {
                commit.put(key.object(), &fork_key(theirs), told.to_bytes());
            }
            key.record.held_too(theirs, stated.beyond(&kept), &key.epoch);
            if key.record != before {
                key.save(&mut commit)?;
            }
            self.commit(&login.unlocked, commit)?;
        }
        let open = key.record.open_forks().any(|fork| fork.theirs == theirs);
        if open { Err(Error::Fork { ours: key.epoch.id, theirs }) } else { Ok(()) }
    }

    /// An invitation that renews another epoch than the one that is held here. Its certificates tell who is behind, or that
    /// the key has forked, which is kept like a fork that a certificate shows.
    pub(super) fn other_line(&self, login: &Login, key: &Key, told: &[Certificate]) -> Result<Error> {
        let chain = self.chain(&login.unlocked, key.id)?;
        let known = chain.iter().zip(told).take_while(|(ours, theirs)| ours.epoch_id() == theirs.epoch_id()).count();
        let line = proven(&chain, told, known)?;
        let have = key.epoch.id;
        let stale = |certificates: &[Certificate]| Error::Stale { have, certificates: certificates.to_vec() };
        // The newest that both know, as far as one of them tells of more revisions.
        let last = known.saturating_sub(1);
        let revised = |one: &[Certificate]| one.get(last).map(|one| one.signed_revisions().len());
        let first =
            |one: &[Certificate], other: &[Certificate]| if revised(one) > revised(other) { last } else { known };
        let Some((_, newest)) = line.last() else {
            let behind = known > 0 && revised(&chain) > revised(told);
            return Ok(stale(chain.get(last..).filter(|_| behind).unwrap_or_default()));
        };
        let mut descents = Vec::new();
        for (_, epoch) in &line {
            descents.push(descent(epoch, &chain, told, told)?);
        }
        let mut placed = line.iter().zip(&descents);
        if placed.any(|((_, epoch), descent)| goes_on(epoch, descent.as_ref(), &key.epoch)) {
            return Ok(stale(told.get(first(told, &chain)..).unwrap_or_default()));
        }
        if superseding(&chain, newest)?.is_some() {
            return Ok(stale(chain.get(first(&chain, told)..).unwrap_or_default()));
        }
        let (mut key, mut commit) = (key.clone(), Commit::default());
        for ((certificate, epoch), descent) in line.iter().zip(&descents) {
            if key.record.forks.iter().all(|fork| fork.theirs != epoch.id) {
                let lines = (&chain[..], told);
                if !set_aside(&mut key, certificate, (epoch, descent.as_ref()), lines, &mut commit)? {
                    self.note_late(login, &mut key, epoch, lines, &mut commit)?;
                }
            }
        }
        let theirs = newest.id;
        self.commit(&login.unlocked, commit)?;
        Ok(Error::Fork { ours: have, theirs })
    }
}

/// What is left of a told chain after as many certificates as are known here, as far as it proves itself.
fn proven(chain: &[Certificate], told: &[Certificate], known: usize) -> Result<Vec<(Certificate, Epoch)>> {
    let epoch = |place: Option<usize>| place.and_then(|place| chain.get(place)).map(Certificate::epoch).transpose();
    let last = known.checked_sub(1);
    let (Some(last), Some(mut parent)) = (last, epoch(last)?) else { return Ok(Vec::new()) };
    // The roster may have been revised without this token: what follows binds the newest.
    if let Some(told) = told.get(last)
        && let Ok(revised) = told.verify(epoch(last.checked_sub(1))?.as_ref())
    {
        parent = revised;
    }
    let mut line = Vec::new();
    for certificate in told.iter().skip(known) {
        let Ok(epoch) = certificate.verify(Some(&parent)) else { break };
        parent = epoch.clone();
        line.push((certificate.clone(), epoch));
    }
    Ok(line)
}

/// The epoch of this line that supersedes that one.
pub(super) fn superseding(chain: &[Certificate], epoch: &Epoch) -> Result<Option<EpochId>> {
    for known in chain {
        if supersedes(&known.epoch()?, epoch) {
            return Ok(Some(known.epoch_id()));
        }
    }
    Ok(None)
}

/// Keeps a certificate that does not supersede the epoch here: one that this line supersedes, or, by rule 6, what proves a
/// fork, with who signed both. Nothing is erased. Whether it is a fork.
pub(super) fn set_aside(
    key: &mut Key,
    certificate: &Certificate,
    (epoch, descent): (&Epoch, Option<&Descent>),
    (chain, others): (&[Certificate], &[Certificate]),
    commit: &mut Commit,
) -> Result<bool> {
    let superseding = superseding(chain, epoch)?;
    let parted = unless_off!(ComparedWhereTheLinesPart, parted_by(epoch, chain, others)?, epoch.clone());
    // The place where the lines part: the certificate here that renews the same epoch, or the newest. Whoever signed what is
    // named there has named it: the lines part above that.
    let renews_another = |known: &&Certificate| !known.epoch().is_ok_and(|known| known.parent() == parted.parent());
    let names = |known: &Certificate| [epoch, &parted].iter().any(|line| line.names(known.epoch_id()));
    let is_named = |known: &Certificate| forbids!(NamedIsNoCulprit, names(known));
    let parts = chain.iter().skip_while(renews_another).find(|known| !is_named(known));
    let parts = parts.or(chain.last()).ok_or(VaultError::Corrupt)?;
    let forks = superseding.is_none();
    // Who goes on from there may have known of nothing else.
    let led_here = |fork: &&ForkRecord| Some(fork.theirs) == epoch.parent() && !fork.culprits.is_empty();
    let before = key.record.forks.iter().find(|fork| forbids!(CulpritsWhereTheLinesPart, led_here(fork)));
    let culprits = match (before, descent.filter(|descent| descent.from.id == parts.epoch_id())) {
        (Some(before), _) => before.culprits.clone(),
        (None, Some(descent)) => passed_over(parts, &descent.from, epoch)?,
        (None, None) => signed_both(&parts.epoch()?, &parted),
    };
    let fork = ForkRecord {
        ours: superseding.unwrap_or(parts.epoch_id()),
        theirs: epoch.id,
        position: epoch.position(),
        culprits: if forks { culprits } else { Vec::new() },
        ended: !forks,
    };
    commit.put(key.object(), &fork_key(epoch.id), certificate.to_bytes());
    if forks {
        commit.event(key.epoch_event(EventKind::ForkSeen, epoch.id)?);
    }
    key.record.forks.push(fork);
    key.record.held_too(epoch.id, &epoch.revisions, &key.epoch);
    key.save(commit)?;
    Ok(forks)
}

/// The epoch with which its line parts from the chain here: itself, or the first that leads to it and is not of the chain.
fn parted_by(epoch: &Epoch, chain: &[Certificate], others: &[Certificate]) -> Result<Epoch> {
    let mut at = epoch.clone();
    while let Some(parent) = at.parent().filter(|parent| chain.iter().all(|known| known.epoch_id() != *parent)) {
        let Some(next) = others.iter().find(|known| known.epoch_id() == parent) else { break };
        at = next.epoch()?;
    }
    Ok(at)
}

/// A certificate of another line: that is the key's from here on, and the epochs that lead to it are returned. The one that is
/// left has `lost`, where the certificate names it; else the key has forked.
pub(super) fn change_line(
    key: &mut Key,
    epoch: &Epoch,
    (chain, others, rosters): Lines<'_>,
    lost: bool,
    commit: &mut Commit,
) -> Result<Vec<Epoch>> {
    let (mut follows, mut heights, mut passed) = (epoch.clone(), vec![epoch.plan.height], Vec::new());
    key.record.end_fork(epoch.id);
    let here = |epoch| chain.iter().any(|known| known.epoch_id() == epoch);
    while let Some(parent) = follows.parent().filter(|parent| !here(*parent)) {
        let mut known = others.iter().chain(rosters).filter(|one| one.epoch_id() == parent).peekable();
        if known.peek().is_none() {
            break;
        }
        // With the roster that the line goes by, or the chain would prove nothing to whoever is told it.
        let now = follows.bound().and_then(|roster| known.find_map(|one| one.as_of(roster)));
        let (other, stated) = now.ok_or(CertificateError::Parent)?;
        commit.put(key.object(), &certificate_key(stated.plan.height), other.to_bytes());
        key.record.end_fork(stated.id);
        heights.push(stated.plan.height);
        passed.push(stated.clone());
        follows = stated;
    }
    let parent = follows.parent();
    let stays = chain.iter().position(|known| Some(known.epoch_id()) == parent).map_or(0, |place| place + 1);
    let named = |left: EpochId| epoch.names(left) || passed.iter().any(|passed| passed.names(left));
    let mut culprits: Option<Vec<_>> = None;
    for left in chain.iter().skip(stays) {
        let stated = left.epoch()?;
        let ended = lost || named(stated.id);
        if !ended && culprits.is_none() {
            culprits = Some(who_parted(key, passed.last().unwrap_or(epoch), &stated));
            commit.event(key.epoch_event(EventKind::ForkSeen, stated.id)?);
        }
        // What its roster was is no question any more, unless that line is the key's again.
        key.record.clashes.iter_mut().filter(|clash| clash.epoch == stated.id).for_each(|clash| clash.ended = true);
        if !heights.contains(&stated.plan.height) {
            commit.delete(key.object(), &certificate_key(stated.plan.height));
        }
        // What descends from it may still come to light.
        commit.put(key.object(), &fork_key(stated.id), left.to_bytes());
        let (ours, position) = (epoch.id, stated.position());
        let culprits = culprits.clone().filter(|_| !ended).unwrap_or_default();
        key.record.forks.push(ForkRecord { ours, theirs: stated.id, position, culprits, ended });
    }
    Ok(passed)
}

/// Who is known to have parted the line of that epoch from the one here; else who signed both.
fn who_parted(key: &Key, epoch: &Epoch, left: &Epoch) -> Vec<Identifier> {
    let known = key.record.forks.iter().find(|fork| fork.theirs == epoch.id && !fork.culprits.is_empty());
    known.map_or_else(|| signed_both(epoch, left), |fork| fork.culprits.clone())
}

/// Who signed both lines, without naming the first in the second: by lying, or by forgetting under an override.
fn signed_both(ours: &Epoch, theirs: &Epoch) -> Vec<Identifier> {
    let Some(signers) = theirs.plan.participants() else { return Vec::new() };
    let both = signers.iter().filter(|(id, card)| ours.card(*id).is_some_and(|one| one.identity() == card.identity()));
    who_remembered(both.map(|(id, _)| id).collect(), &[ours, theirs])
}

/// Of these not who had forgotten what it signed, as its transcript says, if anybody else is left: with whoever forgot a
/// quorum signs that remembers, and some of them lied.
pub(super) fn who_remembered(signers: Vec<Identifier>, lines: &[&Epoch]) -> Vec<Identifier> {
    let forgot = |id: &Identifier| lines.iter().any(|line| line.entrants.forgetful.contains(id));
    let remembered: Vec<_> = signers.iter().copied().filter(|id| !forgot(id)).collect();
    let others_are_left = forbids!(ForgetfulIsNoCulprit, !remembered.is_empty());
    if others_are_left { remembered } else { signers }
}

/// A forked key is renewed by a plan that names every line that is to lose, and with the officer's leave.
pub(super) fn check_ends_forks(key: Option<&Key>, plan: &DealPlan, parent: &Epoch, overridden: bool) -> Result<()> {
    let known = key.map_or(&[][..], |key| &key.record.forks);
    let (loses, open) = (|fork: &ForkRecord| plan.losing().contains(&fork.theirs), |fork: &&ForkRecord| !fork.ended);
    if forbids!(LosingLinesNamed, known.iter().filter(open).any(|fork| !loses(fork))) {
        return Err(Misuse::Plan("it does not name every line that is to lose").into());
    }
    // What enters a height promises never to sign below: nobody makes this token pass over heights for a line that it has
    // not seen.
    let lines = known.iter().filter(|fork| loses(fork)).map(|fork| fork.position.0);
    let height = lines.chain([parent.plan.height]).max().and_then(|height| height.checked_add(1));
    if forbids!(HeightAboveWhatLoses, height != Some(plan.height)) {
        return Err(Misuse::Plan("it stands higher than the lines that lose, as far as they are known here").into());
    }
    let forked = known.iter().any(|fork| !fork.ended);
    if holds!(OfficerEndsAFork, !forked || overridden) { Ok(()) } else { Err(Error::Denied(Denial::Forked)) }
}
