//! Plans that renew a key's shares: for the same members, or for others.

use std::collections::BTreeSet;

use super::keys::Key;
use super::{Misuse, Result};
use crate::keystore::token::{NewCard, Reshare};
use crate::protocol::check_succession;
use crate::wire::{Card, DealPlan, Identifier, Reason, Replaced, Revision, Roster, Source};

/// What of a renewal differs from the epoch before.
struct Renewal {
    threshold: u16,
    receivers: Roster,
    dealers: Roster,
    witnesses: Option<Roster>,
    replaced: Vec<Replaced>,
    least_attempt: u32,
    /// What loses where the roster has forked.
    undone: Vec<Revision>,
}

/// The same members, with their new cards; every member whose identity stays deals.
pub(super) fn refresh(key: &Key, cards: &[NewCard], least_attempt: u32, undone: Vec<Revision>) -> Result<DealPlan> {
    let roster = key.epoch.roster();
    let mut replaced = Vec::new();
    for new in cards {
        let old = roster.card(new.identifier).ok_or(Misuse::Plan("a new card is of no member"))?;
        if old.identity() != new.card.identity() {
            replaced.push(Replaced { identifier: new.identifier, card: old.id(), reason: new.reason });
        } else if new.reason == Reason::Stolen {
            return Err(Misuse::Plan("whoever stole the token has its identity too: take a new one").into());
        }
    }
    replaced.sort_by_key(|one| one.identifier);
    let card_of = |id, old: &Card| {
        cards.iter().find(|new| new.identifier == id).map_or_else(|| old.clone(), |new| new.card.clone())
    };
    let receivers: Vec<_> = roster.iter().map(|(id, card)| (id, card_of(id, card))).collect();
    let receivers = Roster::new(receivers)?;
    let dealers = default_dealers(key, &receivers, &replaced)?;
    let (threshold, witnesses) = (key.epoch.threshold(), None);
    renew(key, Renewal { threshold, receivers, dealers, witnesses, replaced, least_attempt, undone })
}

/// Any members and threshold.
pub(super) fn reshare(key: &Key, reshare: &Reshare, undone: Vec<Revision>) -> Result<DealPlan> {
    let Reshare { threshold, members, leaving, dealers, witnesses, least_attempt } = reshare;
    let mut replaced = Vec::new();
    for one in leaving {
        let old = key.epoch.roster().card(one.identifier).ok_or(Misuse::Plan("who leaves is no member"))?;
        replaced.push(Replaced { identifier: one.identifier, card: old.id(), reason: one.reason });
    }
    replaced.sort_by_key(|one| one.identifier);
    let dealers = match dealers {
        Some(dealers) => dealers.clone(),
        None => default_dealers(key, members, &replaced)?,
    };
    let (threshold, least_attempt, witnesses) = (*threshold, *least_attempt, witnesses.clone());
    let receivers = members.clone();
    renew(key, Renewal { threshold, receivers, dealers, witnesses, replaced, least_attempt, undone })
}

/// Every member of the old epoch that stays, and who leaves with its device at hand.
fn default_dealers(key: &Key, receivers: &Roster, replaced: &[Replaced]) -> Result<Roster> {
    let reason = |id: Identifier| replaced.iter().find(|one| one.identifier == id).map(|one| one.reason);
    let dealer = |(id, old): (Identifier, &Card)| match (receivers.card(id), reason(id)) {
        (Some(now), _) if now.identity() == old.identity() => Some((id, now.clone())),
        (None, Some(Reason::Routine)) => Some((id, old.clone())),
        _ => None,
    };
    let dealers = key.epoch.roster().iter().filter_map(dealer).collect();
    Roster::new(dealers).map_err(|_| Misuse::Plan("nobody is left to deal").into())
}

fn renew(key: &Key, renewal: Renewal) -> Result<DealPlan> {
    let Renewal { threshold, receivers, dealers, witnesses, replaced, least_attempt, undone } = renewal;
    // Above the lines that lose, so that one renewal ends a fork however far they went on.
    let heights = key.record.open_forks().map(|fork| fork.position.0).chain([key.epoch.plan.height]);
    let height = heights.max().and_then(|height| height.checked_add(1)).ok_or(Misuse::Plan("height"))?;
    let attempt = next_attempt(key, height).max(least_attempt);
    let losing: BTreeSet<_> = key.record.open_forks().map(|fork| fork.theirs).collect();
    let plan = DealPlan {
        suite: key.epoch.suite(),
        threshold,
        height,
        attempt,
        template: key.epoch.template().clone(),
        receivers,
        source: Source::Epoch {
            key: key.id,
            parent: key.epoch.id,
            roster: key.epoch.roster_hash,
            dealers,
            witnesses,
            replaced,
            losing: losing.into_iter().collect(),
            undone,
        },
    };
    plan.check()?;
    check_succession(&plan, &key.epoch)?;
    // Who invites speaks in the run.
    let participants = plan.participants().ok_or(Misuse::Plan("dealers"))?;
    participants.card(key.record.me).ok_or(Misuse::NotAMember)?;
    Ok(plan)
}

/// Above whatever this token has entered.
const fn next_attempt(key: &Key, height: u64) -> u32 {
    let (promised, attempt) = key.record.promise;
    if promised == height { attempt.saturating_add(1) } else { 1 }
}
