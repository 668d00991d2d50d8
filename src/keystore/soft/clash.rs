//! Clashes: revisions of one roster of which neither follows the other, each signed by its quorum. They are a fork, of the
//! roster: signing stops, both are kept, and a renewal that names the losing ones ends it.

use std::collections::{BTreeMap, BTreeSet};

use super::fork::who_remembered;
use super::keys::{Key, certificate_key};
use super::record::ClashRecord;
use super::{Commit, Error, Login, Misuse, Result, SoftToken, Storage, Unlocked};
use crate::audit::EventKind;
use crate::guard::{forbids, holds};
use crate::keystore::vault::VaultError;
use crate::protocol::{Certificate, Denial, Epoch, SignedRevision};
use crate::wire::{DealPlan, EpochId, Identifier, Invitation, Revision, Source};

const CLASH: &[u8] = b"clash/";

/// Where a certificate with the revisions of another roster is kept: under the first of these rosters.
fn clash_key(roster: &[u8; 32]) -> Vec<u8> {
    [CLASH, roster].concat()
}

/// How an epoch goes back to one that is here: as of which roster, and which revisions are undone on the way.
#[derive(Debug)]
pub(super) struct Descent {
    pub(super) from: Epoch,
    undone: Vec<Revision>,
}

impl Descent {
    /// Whether nothing is left of the epoch with its newest roster: what the line does not go by is undone.
    pub(super) fn supersedes(&self, epoch: &Epoch) -> bool {
        self.from.id == epoch.id && holds!(WhatIsLeftIsUndone, self.undoes(epoch.beyond(&self.from)))
    }

    fn undoes(&self, revisions: &[Revision]) -> bool {
        revisions.iter().all(|revision| self.undone.contains(revision))
    }
}

/// The way from an epoch over those of other lines to the first that is in the chain here. `rosters` are certificates of
/// epochs of the chain, with other revisions than it has.
pub(super) fn descent(
    epoch: &Epoch,
    chain: &[Certificate],
    others: &[Certificate],
    rosters: &[Certificate],
) -> Result<Option<Descent>> {
    let (mut at, mut undone) = (epoch.clone(), Vec::new());
    loop {
        undone.extend_from_slice(at.undone());
        let (Some(parent), Some(roster)) = (at.parent(), at.bound()) else { return Ok(None) };
        let of_parent = |known: &&Certificate| known.epoch_id() == parent;
        if chain.iter().any(|known| of_parent(&known)) {
            let from = chain.iter().chain(rosters).filter(of_parent).find_map(|known| known.as_of(roster));
            return Ok(from.map(|(_, from)| Descent { from, undone }));
        }
        let Some(next) = others.iter().find(of_parent) else { return Ok(None) };
        at = next.epoch()?;
    }
}

/// Who of the signers of the revisions that an epoch does not go by has signed the epoch as well: by lying, or by forgetting
/// under an officer's override. What the epoch undoes it names.
pub(super) fn passed_over(ours: &Certificate, from: &Epoch, epoch: &Epoch) -> Result<Vec<Identifier>> {
    let known = ours.epoch()?;
    let common = known.revisions.len() - known.beyond(from).len();
    let hidden = ours.signed_revisions().iter().skip(common);
    let hidden = hidden.filter(|signed| holds!(UndoneIsNamed, !epoch.undone().contains(&signed.revision)));
    let signers: BTreeSet<_> = hidden.flat_map(|signed| signed.signatures.keys().copied()).collect();
    let same = |id: &Identifier| {
        let now = epoch.card(*id).map(crate::wire::Card::identity);
        now.is_some() && now == known.roster().card(*id).map(crate::wire::Card::identity)
    };
    Ok(who_remembered(signers.into_iter().filter(same).collect(), &[epoch]))
}

/// Who signed both revisions, or theirs and an epoch that does not go by it.
fn signed_both(ours: &Certificate, later: Option<&Certificate>, told: &Certificate) -> Result<Vec<Identifier>> {
    let (mine, theirs) = (ours.epoch()?, told.epoch()?);
    let common = theirs.revisions.len() - theirs.beyond(&mine).len();
    let signers = |signed: &SignedRevision| signed.signatures.keys().copied().collect::<BTreeSet<_>>();
    match (ours.signed_revisions().get(common), told.signed_revisions().get(common), later) {
        (Some(ours), Some(told), _) => Ok((&signers(ours) & &signers(told)).into_iter().collect()),
        (None, Some(_), Some(later)) => passed_over(told, &mine, &later.epoch()?),
        _ => Ok(Vec::new()),
    }
}

impl<S: Storage> SoftToken<S> {
    /// The certificates of epochs of the chain whose revisions exclude those of the chain, in the order in which they came.
    pub(super) fn other_rosters(&self, unlocked: &Unlocked, key: &Key) -> Result<Vec<Certificate>> {
        key.record.clashes.iter().map(|clash| self.rival(unlocked, key, clash)).collect()
    }

    fn rival(&self, unlocked: &Unlocked, key: &Key, clash: &ClashRecord) -> Result<Certificate> {
        let bytes = self.vault.get(unlocked, key.object(), &clash_key(&clash.roster))?.ok_or(VaultError::Corrupt)?;
        Ok(Certificate::from_bytes(&bytes)?)
    }

    /// Rule 6: keeps what proves the clash, durably, before anybody hears of it. `line` is the chain here from that epoch on.
    pub(super) fn note_clash(
        &self,
        login: &Login,
        key: &mut Key,
        line: &[Certificate],
        told: &Certificate,
    ) -> Result<()> {
        let [known, later @ ..] = line else { return Err(VaultError::Corrupt.into()) };
        let (ours, theirs) = (known.epoch()?, told.epoch()?);
        let beyond = theirs.beyond(&ours);
        let Some(first) = beyond.first() else { return Ok(()) };
        let undoes = |one: &Certificate| {
            beyond.iter().all(|revision| one.epoch().is_ok_and(|one| one.undone().contains(revision)))
        };
        // It is kept all the same: what goes by it needs it for its proof.
        let undone = later.iter().any(undoes);
        let error = Error::Fork { ours: key.epoch.id, theirs: ours.id };
        let (mut first, mut longer) = (first, None);
        for (place, clash) in key.record.clashes.iter().enumerate().filter(|(_, clash)| clash.epoch == ours.id) {
            let kept = self.rival(&login.unlocked, key, clash)?.epoch()?;
            let Some(other) = theirs.beyond(&kept).first() else {
                return if clash.ended { Ok(()) } else { Err(error) };
            };
            if kept.beyond(&theirs).is_empty() {
                longer = Some(place);
            } else if other.number > first.number {
                // It goes a part of the way with that one, which is kept as it is.
                first = other;
            }
        }
        let roster = if let Some(clash) = longer.and_then(|place| key.record.clashes.get_mut(place)) {
            clash.ended = undone;
            clash.roster
        } else {
            let culprits = signed_both(known, later.first(), told)?;
            let (epoch, number, roster) = (ours.id, first.number, first.roster);
            key.record.clashes.push(ClashRecord { epoch, number, roster, culprits, ended: undone });
            roster
        };
        let mut commit = Commit::default();
        commit.put(key.object(), &clash_key(&roster), told.to_bytes());
        if !undone {
            commit.event(key.epoch_event(EventKind::ForkSeen, ours.id)?);
        }
        key.record.held_too(ours.id, beyond, &key.epoch);
        key.save(&mut commit)?;
        self.commit(&login.unlocked, commit)?;
        if undone { Ok(()) } else { Err(error) }
    }

    /// Rule 6: the certificates of an invitation may show a clash that was not known here, which is kept like one that a
    /// certificate shows.
    pub(super) fn see_clash(&self, login: &Login, invitation: &Invitation) -> Result<()> {
        let Some(id) = invitation.key() else { return Ok(()) };
        let certified = || Ok::<_, Error>(self.load(&login.unlocked, id)?.filter(Key::is_certified));
        let Some(key) = certified()? else { return Ok(()) };
        // What can't be read shows nothing.
        let (chain, told) = (self.chain(&login.unlocked, key.id)?, invitation.certificates().unwrap_or_default());
        for told in &told {
            if !chain.iter().any(|known| known.epoch_id() == told.epoch_id()) {
                continue;
            }
            // What the one before it has shown is on record by now.
            let (Some(mut here), mut unused) = (certified()?, Commit::default()) else { continue };
            let known = here.record.clashes.clone();
            let learned = self.learn_revisions(login, &mut here, &chain, told, &mut unused);
            if matches!(learned, Err(Error::Fork { .. })) && here.record.clashes != known {
                return learned;
            }
        }
        Ok(())
    }

    /// The revisions that a renewal must name which goes by that roster of the epoch: of every clash those that do not lead
    /// to it.
    pub(super) fn clashing(
        &self,
        unlocked: &Unlocked,
        key: &Key,
        (epoch, roster): (EpochId, &[u8; 32]),
    ) -> Result<Vec<Revision>> {
        if key.record.open_clashes().next().is_none() {
            return Ok(Vec::new());
        }
        let (chain, mut found) = (self.chain(unlocked, key.id)?, BTreeMap::new());
        for clash in key.record.open_clashes() {
            let Some(ours) = chain.iter().find(|known| known.epoch_id() == clash.epoch) else { continue };
            let theirs = self.rival(unlocked, key, clash)?;
            let planned =
                [ours, &theirs].into_iter().filter(|_| clash.epoch == epoch).find_map(|one| one.as_of(roster));
            let goes_on = planned.map_or_else(|| ours.epoch(), |(_, planned)| Ok(planned))?;
            for one in [ours.epoch()?, theirs.epoch()?] {
                found.extend(one.beyond(&goes_on).iter().map(|revision| (revision.roster, revision.clone())));
            }
        }
        Ok(found.into_values().collect())
    }

    /// The epoch that is renewed as of the roster that the plan goes by, which may be one of a clash.
    pub(super) fn as_planned(
        &self,
        unlocked: &Unlocked,
        key: Option<&Key>,
        parent: Epoch,
        plan: &DealPlan,
    ) -> Result<Epoch> {
        let (Some(key), Source::Epoch { roster, .. }) = (key, &plan.source) else { return Ok(parent) };
        if parent.roster_hash != *roster {
            for clash in key.record.open_clashes().filter(|clash| clash.epoch == parent.id) {
                if let Some((_, planned)) = self.rival(unlocked, key, clash)?.as_of(roster) {
                    return Ok(planned);
                }
            }
        }
        Ok(parent)
    }

    /// A key whose roster has forked is renewed by a plan that names every revision that is to lose, and with the officer's
    /// leave; so it is in the token of a member that has not heard of the clash.
    pub(super) fn check_ends_clashes(
        &self,
        unlocked: &Unlocked,
        key: Option<&Key>,
        plan: &DealPlan,
        overridden: bool,
    ) -> Result<()> {
        let (Some(key), Source::Epoch { parent, roster, undone, .. }) = (key, &plan.source) else { return Ok(()) };
        let clashing = self.clashing(unlocked, key, (*parent, roster))?;
        if forbids!(LosingRevisionsNamed, !clashing.iter().all(|revision| undone.contains(revision))) {
            return Err(Misuse::Plan("it does not name every revision that is to lose").into());
        }
        if holds!(OfficerEndsAClash, undone.is_empty() || overridden) {
            Ok(())
        } else {
            Err(Error::Denied(Denial::Forked))
        }
    }

    /// The key goes on from where the descent ends to that epoch, by those that were passed. Ends the clashes whose revisions
    /// it has undone. If it goes by other rosters than are known here, those are the chain's from now on; what is known beyond
    /// them is a clash, ended if it is undone, or lost with its line.
    pub(super) fn part(
        &self,
        login: &Login,
        key: &mut Key,
        (chain, others): (&[Certificate], &[Certificate]),
        descent: &Descent,
        (epoch, passed, taken_up): (&Epoch, &[Epoch], bool),
        commit: &mut Commit,
    ) -> Result<()> {
        let rosters = self.other_rosters(&login.unlocked, key)?;
        let kept = key.record.clashes.iter().zip(&rosters);
        let kept = kept.map(|(clash, theirs)| Ok((clash.roster, theirs.epoch()?))).collect::<Result<Vec<_>>>()?;
        let place = chain.iter().position(|known| known.epoch_id() == descent.from.id);
        let (stays, left) = chain.split_at(place.map_or(chain.len(), |place| place + 1));
        let (mut undone, mut lost) = (descent.undone.clone(), Vec::new());
        for known in stays {
            undone.extend_from_slice(known.epoch()?.undone());
        }
        for known in left {
            lost.extend_from_slice(known.epoch()?.undone());
        }
        for (clash, (_, theirs)) in key.record.clashes.iter_mut().zip(&kept) {
            if let Some(goes_on) = passed.iter().find(|passed| passed.id == clash.epoch) {
                clash.ended = descent.undoes(theirs.beyond(goes_on));
                continue;
            }
            let Some(known) = stays.iter().find(|known| known.epoch_id() == clash.epoch) else { continue };
            let goes_on = if clash.epoch == descent.from.id { descent.from.clone() } else { known.epoch()? };
            let beyond = theirs.beyond(&goes_on);
            // What only the epochs that are left have undone is there again.
            clash.ended = beyond.iter().all(|one| undone.contains(one))
                || clash.ended && !beyond.iter().any(|one| lost.contains(one));
        }
        for (at, goes_on) in passed.iter().enumerate() {
            let follows = at.checked_sub(1).and_then(|at| passed.get(at)).unwrap_or(epoch);
            for known in others.iter().filter(|known| known.epoch_id() == goes_on.id) {
                let undone = descent.undoes(known.epoch()?.beyond(goes_on));
                leave_roster(key, known, &kept, (goes_on, follows), undone, commit)?;
            }
        }
        key.save(commit)?;
        let Some(ours) = chain.iter().find(|known| known.epoch_id() == descent.from.id) else { return Ok(()) };
        let left = ours.epoch()?;
        if left.roster_hash == descent.from.roster_hash {
            return Ok(());
        }
        let mut known = chain.iter().chain(&rosters).filter(|known| known.epoch_id() == left.id);
        let now = known.find_map(|known| known.as_of(&descent.from.roster_hash));
        let (now, _) = now.ok_or(VaultError::Corrupt)?;
        commit.put(key.object(), &certificate_key(left.plan.height), now.to_bytes());
        let ended = !taken_up || descent.undoes(left.beyond(&descent.from));
        leave_roster(key, ours, &kept, (&descent.from, passed.last().unwrap_or(epoch)), ended, commit)?;
        key.save(commit)
    }
}

/// Keeps a certificate of an epoch whose roster the key does not go by, and `follows` has passed over: what goes by it may still
/// come to light.
fn leave_roster(
    key: &mut Key,
    known: &Certificate,
    kept: &[([u8; 32], Epoch)],
    (goes_on, follows): (&Epoch, &Epoch),
    ended: bool,
    commit: &mut Commit,
) -> Result<()> {
    let left = known.epoch()?;
    let Some(first) = left.beyond(goes_on).first() else { return Ok(()) };
    let (epoch, mut number, mut roster) = (left.id, first.number, first.roster);
    for (name, kept) in kept.iter().filter(|(_, kept)| kept.id == epoch) {
        let longer = !kept.beyond(&left).is_empty();
        match left.beyond(kept).first() {
            // That one is kept, and has all of this.
            None if longer => {
                let same = key.record.clashes.iter_mut().filter(|clash| clash.roster == *name);
                same.for_each(|clash| clash.ended &= ended);
                return Ok(());
            }
            Some(other) if longer && other.number > number => (number, roster) = (other.number, other.roster),
            _ => {}
        }
    }
    let before = key.record.clashes.iter().position(|clash| clash.roster == roster);
    let before = before.map(|place| key.record.clashes.remove(place).culprits).filter(|culprits| !culprits.is_empty());
    let culprits = match before {
        Some(culprits) => culprits,
        None if ended => Vec::new(),
        None => passed_over(known, goes_on, follows)?,
    };
    if !ended {
        commit.event(key.epoch_event(EventKind::ForkSeen, epoch)?);
    }
    commit.put(key.object(), &clash_key(&roster), known.to_bytes());
    key.record.clashes.push(ClashRecord { epoch, number, roster, culprits, ended });
    Ok(())
}
