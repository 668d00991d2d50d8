//! Recorded traffic of a dealing against keys that a thief has. For tests and drills.

use super::deals::read_deal;
use super::entered::{Entered, entered};
use crate::protocol::dealing::opens_with;
use crate::protocol::epoch::{Epoch, deal_plan};
use crate::suite::{Ciphersuite, Scalar, with_suite};
use crate::wire::{Identifier, Message, Plan, Subject};

/// How many of the shares sealed to a member any of the secrets opens.
pub(crate) fn opens_deal(
    plan: &Plan,
    parent: Option<&Epoch>,
    recorded: &[Message],
    member: Identifier,
    secrets: &[&[u8; 32]],
) -> usize {
    let Some(deal) = deal_plan(plan) else { return 0 };
    with_suite!(deal.suite, C => opens::<C>(plan, parent, recorded, member, secrets))
}

fn opens<C: Ciphersuite>(
    plan: &Plan,
    parent: Option<&Epoch>,
    recorded: &[Message],
    member: Identifier,
    secrets: &[&[u8; 32]],
) -> usize {
    let of = |subject| recorded.iter().filter(move |message: &&Message| message.header.subject == subject);
    let mut joins: Vec<_> = of(Subject::Join).cloned().collect();
    joins.sort_by_key(Message::sender);
    joins.dedup_by_key(|message| message.sender());
    let Ok(Entered { ceremony, .. }) = entered::<C>(plan, parent, &joins) else { return 0 };
    let secrets: Vec<_> = secrets.iter().filter_map(|secret| C::Scalar::from_bytes(secret)).collect();
    let mut deals: Vec<_> = of(Subject::Deal).collect();
    deals.sort_by_key(|message| message.sender());
    deals.dedup_by_key(|message| message.sender());
    deals
        .into_iter()
        .filter(|message| {
            let deal = read_deal(&ceremony, message);
            let opens = |secret: &C::Scalar| {
                deal.as_ref().is_ok_and(|deal| opens_with(&ceremony, member, secret, message.sender(), deal))
            };
            secrets.iter().any(opens)
        })
        .count()
}
