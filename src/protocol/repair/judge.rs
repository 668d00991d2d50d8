//! Evidence of a repair gone wrong.

use super::delivery::judge_accusation;
use super::join::read_joins;
use super::vote::read_vote;
use super::{DELIVER, SPLIT, VOTE, delivery, failure, payload_rule, read_deals, split};
use crate::protocol::epoch::Epoch;
use crate::protocol::exchange::view;
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::protocol::renewal::read_accusation;
use crate::protocol::revision::revised;
use crate::suite::Ciphersuite;
use crate::wire::{Identifier, Message, RepairPlan, RunId, Subject};

/// What signed messages of a repair prove, if they prove a fault.
///
/// A vote, a receipt and a join speak for themselves. What a helper dealt is judged beside all joins and votes, and what it
/// delivered beside all that was dealt as well: each message was signed together with its sender's view of the round
/// before, so beside other messages than those it proves nothing.
pub(crate) fn judge<C: Ciphersuite>(
    run: RunId,
    plan: &RepairPlan,
    epoch: &Epoch,
    signed: &[Message],
) -> Option<Failure> {
    let (epoch, members) = (revised(epoch, &plan.revision).ok()?, plan.participants()?);
    let joins = round_of(signed, 0, Subject::Join, None);
    let run_keys = match read_joins::<C>(run, &members, &joins) {
        Ok(run_keys) => run_keys,
        Err(failure) => return Some(failure),
    };
    if let Some(failure) = speaks_for_itself::<C>(plan, &epoch, signed) {
        return Some(failure);
    }
    let helpers = |round: &[Message]| round.iter().map(Message::sender).eq(plan.helpers.iter().copied());
    let votes = round_of(signed, VOTE, Subject::Vote, Some(view(run, &joins)));
    if !run_keys.keys().copied().eq(members.identifiers()) || !helpers(&votes) {
        return None;
    }
    let before = [joins.as_slice(), &votes].concat();
    let ceremony = split::<C>(run, plan, &epoch, &joins, &run_keys)?;
    let splits = round_of(signed, SPLIT, Subject::Deal, Some(view(run, &votes)));
    let deals = match read_deals(&ceremony, &splits) {
        Ok(deals) => deals,
        Err((sender, misbehaviour)) => return Some(failure(&splits, &before, sender, misbehaviour)),
    };
    if !helpers(&splits) {
        return None;
    }
    let (rule, seen) = (payload_rule(run, &epoch), Some(view(run, &splits)));
    if let Some(accusation) = round_of(signed, DELIVER, Subject::Accuse, seen).first() {
        return Some(judge_accusation(&ceremony, &rule, &before, &splits, accusation));
    }
    let ceremony = delivery(run, plan, &ceremony, &deals, (&joins, &run_keys))?;
    let (before, deliveries) = ([before, splits].concat(), round_of(signed, DELIVER, Subject::Deal, seen));
    if let Err((sender, misbehaviour)) = read_deals(&ceremony, &deliveries) {
        return Some(failure(&deliveries, &before, sender, misbehaviour));
    }
    let seen = view(run, &deliveries);
    let accusation = round_of(signed, DELIVER + 1, Subject::Accuse, Some(seen)).into_iter().next();
    accusation
        .filter(|_| helpers(&deliveries))
        .map(|accusation| judge_accusation(&ceremony, &rule, &before, &deliveries, &accusation))
}

/// A wrong vote, an accusation that can't be read or is of nobody who helps, or a receipt that is more than one.
fn speaks_for_itself<C: Ciphersuite>(plan: &RepairPlan, epoch: &Epoch, signed: &[Message]) -> Option<Failure> {
    let by = |message: &Message, misbehaviour| Failure::by(message.sender(), misbehaviour, &[message]);
    let votes = |message: &&Message| message.round() == VOTE && message.header().subject == Subject::Vote;
    let wrong = |message: &&Message| read_vote(epoch, &plan.revision, message).is_none();
    if let Some(message) = signed.iter().filter(votes).find(wrong) {
        return Some(by(message, Misbehaviour::RevisionSignature));
    }
    let accuses = |message: &&Message| message.header().subject == Subject::Accuse;
    let helps = |dealer| plan.helpers.contains(&dealer).then_some(());
    for accusation in signed.iter().filter(accuses) {
        if let Err(failure) = read_accusation::<C, _>(accusation, helps) {
            return Some(failure);
        }
    }
    let receipt = |message: &&Message| message.round() == DELIVER + 1 && message.header().subject == Subject::Confirm;
    signed.iter().filter(receipt).find(|message| !message.body().is_empty()).map(|it| by(it, Misbehaviour::Malformed))
}

/// The messages of a round that answer what was seen before, each sender's once, in their order.
fn round_of(signed: &[Message], round: u8, subject: Subject, seen: Option<[u8; 32]>) -> Vec<Message> {
    let of = |message: &&Message| (message.round(), message.header().subject) == (round, subject);
    let answers = |message: &&Message| seen.is_none_or(|seen| message.header().view == seen);
    let mut found: Vec<_> = signed.iter().filter(of).filter(answers).cloned().collect();
    found.sort_by_key(Message::sender);
    found.dedup_by_key(|message| -> Identifier { message.sender() });
    found
}
