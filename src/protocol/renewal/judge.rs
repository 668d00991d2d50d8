//! Evidence of a dealing gone wrong.

use super::deals::{PayloadRule, read_deal};
use super::endorsements::decide;
use super::entered::{Entered, entered};
use crate::protocol::epoch::Epoch;
use crate::protocol::fault::Failure;
use crate::suite::Ciphersuite;
use crate::wire::{Message, Plan, Subject};

/// What signed messages of a dealing prove, if they prove a fault.
///
/// All members' joins must be among them unless one of the joins is the fault: what a deal had to be depends on all.
pub(crate) fn judge<C: Ciphersuite>(plan: &Plan, parent: Option<&Epoch>, signed: &[Message]) -> Option<Failure> {
    let of = |subject| signed.iter().filter(move |message| message.header.subject == subject);
    let mut joins: Vec<_> = of(Subject::Join).cloned().collect();
    joins.sort_by_key(Message::sender);
    let Entered { joins: entered, ceremony } = match entered::<C>(plan, parent, &joins) {
        Ok(entered) => entered,
        Err(failure) => return Some(failure),
    };
    if let Some(accusation) = of(Subject::Accuse).next() {
        let commitments = entered.iter().map(|(id, join)| (*id, join.chain_commitment)).collect();
        let rule = PayloadRule::new(plan.run_id(), commitments, parent);
        let dealt = |dealer| of(Subject::Deal).find(|message| message.sender() == dealer).cloned();
        // Without the deal the accusation can't be judged.
        let failure = decide(&ceremony, &rule, &joins, dealt, accusation);
        let shown = failure.evidence.messages().iter().any(|message| message.header.subject == Subject::Deal);
        return shown.then_some(failure);
    }
    of(Subject::Deal).find_map(|message| {
        let misbehaviour = read_deal(&ceremony, message).err()?;
        Some(Failure::by(message.sender(), misbehaviour, &[message]))
    })
}
