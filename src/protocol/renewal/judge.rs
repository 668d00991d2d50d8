//! Evidence of a dealing gone wrong.

use super::deals::{PayloadRule, read_deal};
use super::endorsements::decide;
use super::entered::{Entered, entered};
use crate::guard::holds;
use crate::protocol::epoch::{Epoch, deal_plan};
use crate::protocol::exchange::view;
use crate::protocol::fault::Failure;
use crate::suite::Ciphersuite;
use crate::wire::{Message, Plan, Subject};

/// What signed messages of a dealing prove, if they prove a fault.
///
/// All members' joins must be among them unless one of the joins is the fault: what a deal had to be depends on all. An
/// accusation takes all deals besides. Whoever dealt or accused signed what it had seen of the round before, so a message
/// beside others than those proves nothing: somebody who speaks with two tongues could frame its sender with the other.
pub(crate) fn judge<C: Ciphersuite>(plan: &Plan, parent: Option<&Epoch>, signed: &[Message]) -> Option<Failure> {
    let joins = round_of(signed, Subject::Join);
    let Entered { joins: members, ceremony } = match entered::<C>(plan, parent, &joins) {
        Ok(entered) => entered,
        Err(failure) => return Some(failure),
    };
    let (run, deals) = (plan.run_id(), round_of(signed, Subject::Deal));
    let (join_view, deal_view) = (view(run, &joins), view(run, &deals));
    let mut answers = deals.iter().filter(|deal| holds!(DealJudgedByItsJoins, deal.header().view == join_view));
    let accusation = signed.iter().find(|message| message.header().subject == Subject::Accuse);
    let answers_deals =
        |accusation: &&Message| holds!(AccusationJudgedByItsDeals, accusation.header().view == deal_view);
    if let Some(accusation) = accusation.filter(answers_deals) {
        let commitments = members.iter().map(|(id, join)| (*id, join.chain_commitment)).collect();
        let rule = PayloadRule::new(deal_plan(plan)?, run, commitments, parent);
        let deals = answers.map(|deal| (deal.sender(), deal.clone())).collect();
        let failure = decide(&ceremony, &rule, &joins, &deals, accusation);
        // Without the deal the accusation can't be judged.
        let shown = failure.evidence.messages().iter().any(|message| message.header().subject == Subject::Deal);
        return shown.then_some(failure);
    }
    answers.find_map(|message| {
        let misbehaviour = read_deal(&ceremony, message).err()?;
        Some(Failure::by(message.sender(), misbehaviour, &[message]))
    })
}

/// The messages of a round, each once, in their order.
fn round_of(signed: &[Message], subject: Subject) -> Vec<Message> {
    let mut round: Vec<_> = signed.iter().filter(|message| message.header().subject == subject).cloned().collect();
    round.sort_by_key(Message::sender);
    round.dedup_by_key(|message| message.sender());
    round
}
