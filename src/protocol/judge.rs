//! Evidence, judged by whoever knows the plan: no token, no secret.

use std::collections::{BTreeMap, BTreeSet};

use super::certificate::Certificate;
use super::epoch::Epoch;
use super::fault::{Evidence, Failure, Misbehaviour};
use super::sign::{judge_preparing, judge_signing};
use super::{CertificateError, exchange_of, reconstruct, renewal, repair, revised, verify_chain};
use crate::guard::holds;
use crate::suite::with_suite;
use crate::wire::{
    Action, Card, Identifier, Invitation, Message, Plan, PreparePlan, Roster, SignPlan, Source, Subject,
};

/// What evidence proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Who did it.
    pub culprits: Vec<Identifier>,
    /// What they did.
    pub misbehaviour: Misbehaviour,
}

impl Evidence {
    /// Judges the evidence, given the run's invitation and the certificates that lead to the epoch at work (none for a
    /// new key). Needs no token.
    ///
    /// Returns `None` when it proves nothing: messages that are not signed by members of the run count for nothing, so
    /// nobody can be framed with invented ones.
    ///
    /// # Errors
    ///
    /// When the certificates prove nothing.
    pub fn judge(
        &self,
        invitation: &Invitation,
        certificates: &[Certificate],
    ) -> Result<Option<Judgement>, CertificateError> {
        let epoch = if certificates.is_empty() { None } else { Some(verify_chain(certificates)?) };
        let Some(members) = members(&invitation.plan, epoch.as_ref()) else { return Err(CertificateError::Parent) };
        // Nonces that were made beforehand were committed to in a run of their own.
        let runs = [Some(invitation.run_id()), invitation.batch()];
        let signed: Vec<_> = self
            .messages()
            .iter()
            .filter(|message| {
                let card = members.card(message.sender());
                runs.contains(&Some(message.run_id()))
                    && card.is_some_and(|card| holds!(EvidenceSigned, message.is_signed_by(card)))
            })
            .cloned()
            .collect();
        let by_place = || attributed(exchange_of(&invitation.plan, None, members).judge(&signed)?);
        let by_content = || judge_protocol(&invitation.plan, epoch.as_ref(), &signed);
        Ok(equivocation(&signed).or_else(by_place).or_else(by_content))
    }
}

/// Whose messages count in a run.
fn members(plan: &Plan, epoch: Option<&Epoch>) -> Option<Roster> {
    match &plan.action {
        Action::Deal(deal) => match (&deal.source, epoch) {
            (Source::Fresh | Source::Import { .. }, None) => deal.participants(),
            (Source::Epoch { parent, .. }, Some(epoch)) if *parent == epoch.id => deal.participants(),
            _ => None,
        },
        Action::Sign(SignPlan { party, .. }) | Action::Prepare(PreparePlan { party, .. }) => {
            of_epoch(epoch?.as_of(party.epoch, &party.roster)?, &party.signers)
        }
        Action::Reconstruct(plan) => of_epoch(epoch?.as_of(plan.epoch, &plan.roster)?, &plan.members),
        Action::Repair(plan) => {
            let after = revised(epoch?, &plan.revision).ok()?;
            if after.roster() == &plan.roster { plan.participants() } else { None }
        }
    }
}

fn of_epoch(epoch: &Epoch, members: &[Identifier]) -> Option<Roster> {
    let card = |id: &Identifier| -> Option<(Identifier, Card)> { Some((*id, epoch.roster().card(*id)?.clone())) };
    Roster::new(members.iter().map(card).collect::<Option<_>>()?).ok()
}

/// Two different messages of one member for one place.
fn equivocation(signed: &[Message]) -> Option<Judgement> {
    let mut seen = BTreeMap::new();
    let mut culprits = BTreeSet::new();
    for message in signed.iter().filter(|message| message.header().subject != Subject::Dispute) {
        let slot = (message.run_id(), message.round(), message.sender());
        if *seen.entry(slot).or_insert_with(|| message.digest()) != message.digest() {
            culprits.insert(message.sender());
        }
    }
    (!culprits.is_empty())
        .then(|| Judgement { culprits: culprits.into_iter().collect(), misbehaviour: Misbehaviour::Equivocation })
}

fn judge_protocol(plan: &Plan, epoch: Option<&Epoch>, signed: &[Message]) -> Option<Judgement> {
    let run = plan.run_id();
    let failure = match &plan.action {
        Action::Deal(deal) => with_suite!(deal.suite, C => renewal::judge::<C>(plan, epoch, signed)),
        Action::Sign(sign) => with_suite!(sign.party.suite, C => judge_signing::<C>(run, sign, epoch?, signed)),
        Action::Prepare(prepare) => with_suite!(prepare.party.suite, C => judge_preparing::<C>(prepare, signed)),
        Action::Reconstruct(it) => {
            with_suite!(it.suite, C => reconstruct::judge::<C>(run, plan.inviter, it, epoch?, signed))
        }
        Action::Repair(it) => with_suite!(it.suite, C => repair::judge::<C>(run, it, epoch?, signed)),
    };
    attributed(failure?)
}

fn attributed(failure: Failure) -> Option<Judgement> {
    (!failure.culprits.is_empty())
        .then_some(Judgement { culprits: failure.culprits, misbehaviour: failure.misbehaviour })
}
