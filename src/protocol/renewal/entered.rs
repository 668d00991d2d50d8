//! What the joins of a dealing say together: who deals to whom. Public, so that whoever judges reads them alike.

use std::collections::BTreeMap;

use super::join::{Join, possession_statement};
use crate::protocol::certificate::planned_constants;
use crate::protocol::dealing::{Ceremony, Participant, RunKey, cocktail_context};
use crate::protocol::epoch::{Epoch, deal_plan};
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::suite::Ciphersuite;
use crate::wire::{Identifier, Message, Plan, Roster, RunId, hash_messages};

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
        let join = Join::decode(&message.body).map_err(|_| Failure::by(sender, Misbehaviour::Malformed, &[message]))?;
        // Who enters this attempt has signed lower ones at most.
        if join.attempts.iter().any(|one| (one.height, one.attempt) >= (deal.height, deal.attempt)) {
            return Err(Failure::by(sender, Misbehaviour::Malformed, &[message]));
        }
        if !proves_possession(run, &members, sender, &join) {
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
        let (dealers, receivers) = (participants(deal.dealers())?, participants(&deal.receivers)?);
        Ceremony::new(context, deal.threshold, dealers, receivers, constants).ok()
    };
    // All that could be wrong with it now is one run key under two members, who then share a secret.
    let ceremony = ceremony().ok_or_else(Failure::unattributed)?;
    Ok(Entered { joins, ceremony })
}

fn proves_possession<C: Ciphersuite>(run: RunId, members: &Roster, member: Identifier, join: &Join<C>) -> bool {
    let Some(card) = members.card(member) else { return false };
    let statement = possession_statement(run, member, card.id(), &join.contribution, &join.chain_commitment);
    RunKey::<C>::verify_possession(&join.run_key, &statement, &join.possession)
}
