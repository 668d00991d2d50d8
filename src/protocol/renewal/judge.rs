//! Evidence of a dealing gone wrong.

use std::collections::BTreeMap;

use super::deals::{PayloadRule, read_deal};
use super::endorsements::{decide, decode_endorsement, read_accusation};
use super::entered::{Entered, entered};
use crate::guard::holds;
use crate::protocol::dealing::{Ceremony, Deal, group_keys, shareless};
use crate::protocol::epoch::{Epoch, deal_plan};
use crate::protocol::exchange::view;
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::suite::Ciphersuite;
use crate::wire::{DealPlan, Identifier, Kind, Message, Plan, Subject};

/// What signed messages of a dealing prove, if they prove a fault.
///
/// What can't be read, or is signed wrongly, speaks for itself. Else all members' joins must be among them unless one of the joins is the fault: what a deal had to be depends on all. An
/// accusation takes all deals besides. Whoever dealt or accused signed what it had seen of the round before, so a message
/// beside others than those proves nothing: somebody who speaks with two tongues could frame its sender with the other.
pub(crate) fn judge<C: Ciphersuite>(plan: &Plan, parent: Option<&Epoch>, signed: &[Message]) -> Option<Failure> {
    if let Some(failure) = speaks_for_itself::<C>(deal_plan(plan)?, signed) {
        return Some(failure);
    }
    let joins = round_of(signed, Subject::Join);
    let Entered { joins: members, ceremony } = match entered::<C>(plan, parent, &joins) {
        Ok(entered) => entered,
        Err(failure) => return Some(failure),
    };
    let (run, deals) = (plan.run_id(), round_of(signed, Subject::Deal));
    let (join_view, deal_view) = (view(run, &joins), view(run, &deals));
    let answers = deals.iter().filter(|deal| holds!(DealJudgedByItsJoins, deal.header().view == join_view));
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
    let misdealt = answers.clone().find_map(|message| {
        let misbehaviour = read_deal(&ceremony, message).err()?;
        Some(Failure::by(message.sender(), misbehaviour, &[message]))
    });
    misdealt.or_else(|| {
        let deals = answers.map(|message| Some((message.sender(), read_deal(&ceremony, message).ok()?)));
        let culprits = signed_for_nothing(&ceremony, &deals.collect::<Option<_>>()?, signed, deal_view)?;
        Some(Failure::by_all(culprits, Misbehaviour::ZeroShare, &[]))
    })
}

/// An accusation that can't be read, or is of somebody who does not deal; or a signature that is not its sender's, on whichever
/// transcript it says.
fn speaks_for_itself<C: Ciphersuite>(plan: &DealPlan, signed: &[Message]) -> Option<Failure> {
    for accusation in round_of(signed, Subject::Accuse) {
        if let Err(failure) = read_accusation::<C, _>(&accusation, |dealer| plan.dealers().card(dealer)) {
            return Some(failure);
        }
    }
    let members = plan.participants()?;
    let is_signed = |message: &Message| {
        let endorsed = decode_endorsement(message.body()).ok();
        endorsed.zip(members.card(message.sender())).is_some_and(|((epoch, endorsement), card)| {
            card.verify(Kind::Transcript, epoch.as_bytes(), &endorsement.identity).is_some()
        })
    };
    let endorsements = round_of(signed, Subject::Certify);
    let culprits: Vec<_> = endorsements.iter().filter(|one| !is_signed(one)).map(Message::sender).collect();
    (!culprits.is_empty()).then(|| Failure::by_all(culprits, Misbehaviour::TranscriptSignature, &[]))
}

/// Who took these deals for good although they made its share zero.
fn signed_for_nothing<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    deals: &BTreeMap<Identifier, Deal<C>>,
    signed: &[Message],
    deal_view: [u8; 32],
) -> Option<Vec<Identifier>> {
    let offers = deals.iter().map(|(dealer, deal)| (*dealer, &deal.offer)).collect();
    let shareless = shareless(&group_keys(ceremony, &offers).ok()?.verifying_shares);
    let certified = round_of(signed, Subject::Certify);
    let took = |message: &&Message| shareless.contains(&message.sender()) && message.header().view == deal_view;
    let culprits: Vec<_> = certified.iter().filter(took).map(Message::sender).collect();
    (!culprits.is_empty()).then_some(culprits)
}

/// The messages of a round, each once, in their order.
fn round_of(signed: &[Message], subject: Subject) -> Vec<Message> {
    let mut round: Vec<_> = signed.iter().filter(|message| message.header().subject == subject).cloned().collect();
    round.sort_by_key(Message::sender);
    round.dedup_by_key(|message| message.sender());
    round
}
