//! What the joins of a dealing say together: who deals to whom. Public, so that whoever judges reads them alike.

use std::collections::{BTreeMap, BTreeSet};

use super::join::{Join, possession_statement};
use crate::guard::{forbids, holds};
use crate::protocol::attempt::Attempt;
use crate::protocol::certificate::{Certificate, planned_constants};
use crate::protocol::dealing::{Ceremony, Participant, RunKey, cocktail_context};
use crate::protocol::epoch::{Epoch, deal_plan};
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::suite::{Ciphersuite, Element};
use crate::wire::{Card, DealPlan, EpochId, Identifier, Message, Plan, Roster, RunId, Source, hash_messages};

/// Every member's join, and the ceremony that they make.
#[derive(Debug)]
pub(super) struct Entered<C: Ciphersuite> {
    pub(super) joins: BTreeMap<Identifier, Join<C>>,
    pub(super) ceremony: Ceremony<C>,
}

/// Reads a round of joins. The parent is the epoch that is renewed, if one is.
pub(super) fn entered<C: Ciphersuite>(
    plan: &Plan,
    parent: Option<&Epoch>,
    round: &[Message],
) -> Result<Entered<C>, Failure> {
    let deal = deal_plan(plan).ok_or_else(Failure::unattributed)?;
    let members = deal.participants().ok_or_else(Failure::unattributed)?;
    let run = plan.run_id();
    let mut joins = BTreeMap::new();
    for message in round {
        let sender = message.sender();
        let join =
            Join::decode(message.body()).map_err(|_| Failure::by(sender, Misbehaviour::Malformed, &[message]))?;
        if !tells_of_the_past(deal, parent, &members, sender, &join) {
            return Err(Failure::by(sender, Misbehaviour::Malformed, &[message]));
        }
        if forbids!(RunKeyProven, !proves_possession(run, &members, sender, &join)) {
            return Err(Failure::by(sender, Misbehaviour::RunKey, &[message]));
        }
        joins.insert(sender, join);
    }
    let participants = |roster: &Roster| -> Option<Vec<Participant<C>>> {
        roster.identifiers().map(|id| Some(Participant { id, run_key: joins.get(&id)?.run_key })).collect()
    };
    // The session is named after all that was said in it so far: cards by way of the run's plan, run keys and
    // contributions by way of the joins.
    let session = hash_messages("quorumkey/session/v1", run, round);
    let ceremony = || {
        let constants = planned_constants::<C>(deal, parent).ok()?;
        let context = cocktail_context(&session, &participants(&members)?);
        let context = match deal.source {
            Source::Fresh => context,
            // A transcript alone shows of which run its proofs are.
            _ => [run.as_bytes().as_slice(), &context].concat(),
        };
        let (dealers, receivers) = (participants(deal.dealers())?, participants(&deal.receivers)?);
        Ceremony::new(context, deal.threshold, dealers, receivers, constants).ok()
    };
    let Some(ceremony) = ceremony() else {
        // All that could be wrong with it now is one run key under two members. Else nobody pays for looking.
        check_run_keys::<C>(round, joins.iter().map(|(id, join)| (*id, join.run_key)))?;
        return Err(Failure::unattributed());
    };
    Ok(Entered { joins, ceremony })
}

/// No two members have one run key. Each has proven that it has the secret, which nobody else can tell it, so that both are
/// to blame: what is sealed to the one, the other opens as well.
pub(in crate::protocol) fn check_run_keys<C: Ciphersuite>(
    joins: &[Message],
    run_keys: impl Iterator<Item = (Identifier, C::Element)>,
) -> Result<(), Failure> {
    let mut holders = BTreeMap::<_, Vec<_>>::new();
    run_keys.for_each(|(id, run_key)| holders.entry(run_key.to_bytes()).or_default().push(id));
    let culprits: BTreeSet<_> = holders.into_values().filter(|ids| ids.len() > 1).flatten().collect();
    if forbids!(SharedRunKeyNamed, !culprits.is_empty()) {
        let evidence: Vec<_> = joins.iter().filter(|join| culprits.contains(&join.sender())).collect();
        return Err(Failure::by_all(culprits.into_iter().collect(), Misbehaviour::RunKey, &evidence));
    }
    Ok(())
}

/// Whether a member could have signed and dealt in what it says: attempts at this key, below this one, that their dealers
/// have proven to have dealt. Whoever could make one up would keep everybody out who can't end it.
fn tells_of_the_past<C: Ciphersuite>(
    deal: &DealPlan,
    parent: Option<&Epoch>,
    members: &Roster,
    sender: Identifier,
    join: &Join<C>,
) -> bool {
    let (group_key, chain_hash) = match (&deal.source, parent) {
        (Source::Epoch { .. }, Some(parent)) => (&parent.group_key, parent.chain_hash),
        // Before there is an epoch, there is no rule to lift.
        (Source::Import { group_key, chain_hash, .. }, _) if !join.overridden => (group_key, *chain_hash),
        _ => return join.attempts.is_empty() && join.dealt.is_empty() && !join.overridden,
    };
    let below = (deal.height, deal.attempt);
    let identity = |card: Option<&Card>| card.map(|card| *card.identity());
    let mut places = BTreeSet::new();
    let mut signed = |certificate: &Certificate| {
        certificate.epoch().is_ok_and(|epoch| {
            epoch.position() < below
                // Rule 2: a member signs one attempt at each place.
                && (loses(deal, epoch.id) || holds!(OneAttemptAtAPlace, places.insert(epoch.position())))
                && holds!(AttemptToldIsOfARenewal, !matches!(epoch.plan.source, Source::Fresh))
                && holds!(AttemptToldIsOfTheKey, (&epoch.group_key, epoch.chain_hash) == (group_key, chain_hash))
                && (identity(epoch.card(sender)) == identity(members.card(sender)) || loses(deal, epoch.id))
        }) && holds!(AttemptToldIsSigned, is_endorsed(certificate, loses(deal, certificate.epoch_id()), sender))
            && certificate.is_dealt()
    };
    let dealt = |attempt: &Attempt| {
        attempt.is_unsigned()
            && holds!(DealtIsBelow, attempt.position < below)
            && holds!(DealtByItsTeller, attempt.elders.iter().any(|(id, _)| *id == sender))
            && holds!(DealtOnceToANumber, attempt.receivers.is_sorted_by(|a, b| a.0 < b.0))
    };
    join.attempts.iter().all(&mut signed) && join.dealt.iter().all(dealt)
}

/// Whether the plan names it as a losing line: a certificate, which anybody may show.
pub(super) fn loses(deal: &DealPlan, epoch: EpochId) -> bool {
    matches!(&deal.source, Source::Epoch { losing, .. } if losing.contains(&epoch))
}

/// Whether who shows an attempt has signed it, or, of a losing line, everybody that it takes. Nothing else comes with it: what
/// its sender has not signed could keep the attempt from being seen to be complete.
fn is_endorsed(certificate: &Certificate, loses: bool, sender: Identifier) -> bool {
    let members = certificate.epoch().ok().filter(|_| loses).and_then(|epoch| epoch.plan.participants());
    let bare = holds!(AttemptToldWithoutRevisions, certificate.revisions().next().is_none());
    bare && match members {
        Some(members) => certificate.unendorsed(members.identifiers()).is_empty(),
        None => {
            holds!(AttemptToldAlone, certificate.endorsers().eq([sender]))
                && certificate.unendorsed([sender].into_iter()).is_empty()
        }
    }
}

/// Whether the join proves that its sender holds the secret of its run key.
pub(in crate::protocol) fn proves_possession<C: Ciphersuite>(
    run: RunId,
    members: &Roster,
    member: Identifier,
    join: &Join<C>,
) -> bool {
    let Some(card) = members.card(member) else { return false };
    let statement = possession_statement(run, member, card.id(), &join.contribution, &join.chain_commitment);
    RunKey::<C>::verify_possession(&join.run_key, &statement, &join.possession)
}
