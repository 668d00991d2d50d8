//! The course of a run as its plan has it: what all messages have in common, and who speaks in which round of what.

use std::collections::BTreeSet;

use super::epoch::key_id;
use super::exchange::{Exchange, Frame, Round};
use crate::suite::Suite;
use crate::wire::{
    Action, DealPlan, EpochId, Identifier, KeyId, Party, Plan, ReconstructPlan, RepairPlan, Roster, Source, Subject,
};

/// The exchange of a plan's run. `members` are all that speak in it; whoever only listens is not `me`.
pub(crate) fn exchange_of(plan: &Plan, me: Option<Identifier>, members: Roster) -> Exchange {
    let ((suite, group, epoch), rounds) = match &plan.action {
        Action::Deal(deal) => (dealt(deal), dealing(deal, &members)),
        // Commitments that were made beforehand were told in a run of their own.
        Action::Sign(sign) if sign.prepared.is_some() => (held(&sign.party), party(&sign.party, &[Subject::Share])),
        Action::Sign(sign) => (held(&sign.party), party(&sign.party, &[Subject::Commit, Subject::Share])),
        Action::Prepare(prepare) => (held(&prepare.party), party(&prepare.party, &[Subject::Prepare, Subject::Ready])),
        Action::Reconstruct(it) => (of_epoch(it.suite, it.key, it.epoch), reconstructing(it, plan.inviter)),
        Action::Repair(it) => (of_epoch(it.suite, it.revision.key, it.revision.epoch), repairing(it)),
    };
    Exchange::new(Frame { suite, group, epoch, run: plan.run_id(), me, members }, rounds)
}

/// Suite, key and epoch, as messages name them.
type Subjects = (Suite, [u8; 32], [u8; 32]);

const fn of_epoch(suite: Suite, key: KeyId, epoch: EpochId) -> Subjects {
    (suite, *key.as_bytes(), *epoch.as_bytes())
}

const fn held(party: &Party) -> Subjects {
    of_epoch(party.suite, party.key, party.epoch)
}

/// The key and the epoch that a dealing renews: there are some, unless it makes them.
fn dealt(plan: &DealPlan) -> Subjects {
    let (group, epoch) = match &plan.source {
        Source::Fresh => ([0; 32], [0; 32]),
        Source::Import { group_key, .. } => (*key_id(group_key).as_bytes(), [0; 32]),
        Source::Epoch { key, parent, .. } => (*key.as_bytes(), *parent.as_bytes()),
    };
    (plan.suite, group, epoch)
}

fn round(senders: &BTreeSet<Identifier>, subject: Subject) -> Round {
    Round { senders: senders.clone(), subject }
}

fn party(party: &Party, subjects: &[Subject]) -> Vec<Round> {
    let signers = party.signers.iter().copied().collect();
    subjects.iter().map(|subject| round(&signers, *subject)).collect()
}

fn dealing(plan: &DealPlan, members: &Roster) -> Vec<Round> {
    let (all, dealers) = (members.identifiers().collect(), plan.dealers().identifiers().collect());
    vec![
        round(&all, Subject::Join),
        round(&dealers, Subject::Deal),
        round(&all, Subject::Certify),
        // Who dealt and leaves has erased its share, and says so.
        round(&all, Subject::Confirm),
    ]
}

fn reconstructing(plan: &ReconstructPlan, recipient: Identifier) -> Vec<Round> {
    let all: BTreeSet<_> = plan.members.iter().copied().collect();
    let others = all.iter().copied().filter(|id| *id != recipient).collect();
    vec![
        round(&all, Subject::Consent),
        round(&others, Subject::Handover),
        round(&BTreeSet::from([recipient]), Subject::Receipt),
    ]
}

fn repairing(plan: &RepairPlan) -> Vec<Round> {
    let helpers: BTreeSet<_> = plan.helpers.iter().copied().collect();
    let target = BTreeSet::from([plan.revision.identifier]);
    let (vote, confirm) = (round(&helpers, Subject::Vote), round(&helpers, Subject::Confirm));
    if !plan.delivers {
        return vec![round(&helpers, Subject::Join), vote, confirm];
    }
    let deal = || round(&helpers, Subject::Deal);
    vec![round(&(&helpers | &target), Subject::Join), vote, deal(), deal(), round(&target, Subject::Confirm), confirm]
}
