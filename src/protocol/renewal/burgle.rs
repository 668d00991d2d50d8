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
    let of = |subject| recorded.iter().filter(move |message: &&Message| message.header().subject == subject);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::protocol::dealing::RunKey;
    use crate::protocol::exchange::tests::header;
    use crate::protocol::renewal::{Setup, start};
    use crate::suite::{Ed25519, Suite};
    use crate::wire::{Action, Card, DealPlan, IdentityKey, KeyTemplate, Plan, Roster, Source};

    fn message(
        plan: &Plan,
        sender: Identifier,
        subject: Subject,
        round: u8,
        body: Vec<u8>,
        key: &IdentityKey,
    ) -> Message {
        let header = header(plan.suite(), plan.run_id(), (round, sender, subject), &[]);
        Message::issue(header, body, key)
    }

    /// The control for every "the thief opened nothing": the run key itself opens every share.
    #[test]
    fn the_run_key_opens_what_was_sealed_to_it_and_another_secret_does_not() {
        let rng = &mut ChaCha20Rng::seed_from_u64(7);
        let identities: Vec<_> = (0..3).map(|_| Arc::new(IdentityKey::generate(rng))).collect();
        let receivers = Roster::numbered(identities.iter().map(|key| Card::issue(key, 0, String::new()))).unwrap();
        let deal = DealPlan {
            suite: Suite::Ed25519,
            threshold: 2,
            height: 0,
            attempt: 0,
            template: KeyTemplate::wallet("w"),
            receivers: receivers.clone(),
            source: Source::Fresh,
        };
        let ids: Vec<_> = receivers.identifiers().collect();
        let plan = Plan { inviter: ids[0], randomness: [1; 32], action: Action::Deal(deal.clone()) };
        let randomness = |me: usize| ChaCha20Rng::seed_from_u64([10, 11, 12][me]);
        let enter = |me: usize| {
            let setup = Setup {
                plan: plan.clone(),
                deal: deal.clone(),
                participants: receivers.clone(),
                me: ids[me],
                identity: Arc::clone(&identities[me]),
                succession: None,
                importing: None,
            };
            start(setup, &mut randomness(me)).unwrap()
        };
        let (machines, joins): (Vec<_>, Vec<_>) = (0..3)
            .map(|me| {
                let (machine, body) = enter(me);
                (machine, message(&plan, ids[me], Subject::Join, 0, body, &identities[me]))
            })
            .unzip();
        let mut recorded = joins.clone();
        for (me, machine) in machines.into_iter().enumerate() {
            let (subject, body) = machine.handle(&joins, rng).unwrap().send.unwrap();
            recorded.push(message(&plan, ids[me], subject, 1, body, &identities[me]));
        }
        let stranger = *RunKey::<Ed25519>::generate(rng).secret_bytes();
        assert_eq!(opens_deal(&plan, None, &recorded, ids[1], &[&stranger]), 0);
        // The first thing that a member draws is its run key.
        let secret = *RunKey::<Ed25519>::generate(&mut randomness(1)).secret_bytes();
        assert_eq!(opens_deal(&plan, None, &recorded, ids[1], &[&secret]), 3);
    }
}
