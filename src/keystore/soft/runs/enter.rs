//! Entering a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::{Live, report};
use crate::audit::{Event, EventKind};
use crate::keystore::Storage;
use crate::keystore::error::{Error, Misuse, Result};
use crate::keystore::soft::propose::check_signers;
use crate::keystore::soft::record::Standing;
use crate::keystore::soft::{Commit, Scene, SoftToken, Space, rng};
use crate::keystore::token::{Operation, Progress};
use crate::policy::Verb;
use crate::protocol::{Denial, Exchange, Frame, Machine, Round, SignSetup, start_signing};
use crate::wire::{Action, Card, Derivation, Identifier, Invitation, Roster, RunId, SignPlan, Subject};

const RUN: &[u8] = b"run/";
const OVERRIDE: &[u8] = b"override/";

/// A run that was entered, and what it has to say first.
pub(super) type Entered = (Live, Option<(Subject, Vec<u8>)>);

impl<S: Storage> SoftToken<S> {
    /// Enters a run.
    pub(in crate::keystore::soft) fn enter(
        &self,
        scene: &mut Scene<'_>,
        commit: &mut Commit,
        operation: Operation<'_>,
    ) -> Result<(RunId, Progress)> {
        let (Operation::Deal(invitation)
        | Operation::Import(invitation, _)
        | Operation::Reconstruct(invitation)
        | Operation::Sign(invitation, ..)) = operation;
        let run = invitation.run_id();
        let (mut live, first) = match (&invitation.plan.action, operation) {
            (Action::Deal(plan), Operation::Deal(_)) => self.enter_dealing(scene, commit, invitation, plan, None)?,
            (Action::Deal(plan), Operation::Import(_, key)) => {
                self.enter_dealing(scene, commit, invitation, plan, Some(key))?
            }
            (Action::Reconstruct(plan), Operation::Reconstruct(_)) => {
                self.enter_reconstruction(scene, commit, invitation, plan)?
            }
            (Action::Repair(plan), Operation::Deal(_)) => self.enter_repair(scene, invitation, plan)?,
            (Action::Sign(plan), Operation::Sign(_, message, derivation)) => {
                self.enter_signing(scene, invitation, plan, (message, derivation))?
            }
            _ => return Err(Misuse::Unsupported("this operation for this invitation").into()),
        };
        let unlocked = &scene.login.unlocked;
        if scene.inner.runs.contains_key(&run) || self.vault.get(unlocked, Space::Token, &run_key(run))?.is_some() {
            return Err(Misuse::RunEnteredBefore(run).into());
        }
        commit.insert(Space::Token, &run_key(run), Vec::new());
        let mut event = Event::new(EventKind::RunStarted).run(*run.as_bytes());
        if let Some(key) = live.key {
            event = event.object(*key.as_bytes());
        }
        commit.event(event);
        // What enters the run is released below, and must be durable before that.
        self.commit(unlocked, core::mem::take(commit))?;
        let mut progress = Progress::default();
        if let Some((subject, body)) = first {
            self.say(&scene.login, &mut live, subject, body, &mut progress)?;
        }
        report(&live, &mut progress);
        scene.inner.runs.insert(run, live);
        Ok((run, progress))
    }

    fn enter_signing(
        &self,
        scene: &mut Scene<'_>,
        invitation: &Invitation,
        plan: &SignPlan,
        (message, derivation): (&[u8], &Derivation),
    ) -> Result<Entered> {
        let key = scene.take_key(plan.key)?;
        let unlocked = &scene.login.unlocked;
        if plan.epoch != key.epoch.id || !key.is_certified() || key.record.standing == Standing::Retired {
            let certificates = self.chain_after(unlocked, key.id, plan.epoch)?;
            return Err(Error::Stale { have: key.epoch.id, certificates });
        }
        if plan.roster != key.epoch.roster_hash {
            return Err(self.other_roster(unlocked, &key, &plan.roster)?);
        }
        let inviter = key.epoch.roster().card(invitation.inviter()).filter(|card| invitation.is_signed_by(card));
        inviter.ok_or(Misuse::Inviter)?;
        if plan.suite != key.epoch.suite() {
            return Err(Misuse::Plan("suite").into());
        }
        check_signers(plan, &key)?;
        if plan.purpose != key.epoch.template().purpose {
            return Err(Error::Denied(Denial::Purpose));
        }
        if plan.message != message {
            return Err(Error::Denied(Denial::OtherMessage));
        }
        if plan.derivation != *derivation {
            return Err(Error::Denied(Denial::OtherDerivation));
        }
        // Who invites could name any key that it knows the distance to.
        if plan.offset != self.offset(unlocked, &key, derivation)? {
            return Err(Misuse::Plan("the offset is not that of the path").into());
        }
        let signers = plan.signers.iter().filter_map(|id| Some((*id, key.epoch.roster().card(*id)?.clone())));
        let signers = Roster::new(signers.collect()).ok_or(Misuse::Plan("signers"))?;
        let me = whoami(&signers, &scene.login.card)?;
        let share = self.share(unlocked, &key, key.epoch.id)?.ok_or(Misuse::NoShare)?;
        let run = invitation.run_id();
        let setup = SignSetup { run, plan: plan.clone(), epoch: key.epoch.clone(), me: Some(me), share: Some(share) };
        let (machine, body) = start_signing(setup, &mut rng())?;
        let exchange = signing_exchange(run, plan, Some(me), signers);
        let mut live = self.live(scene, Verb::Sign, exchange, machine)?;
        live.key = Some(key.id);
        Ok((live, body.map(|body| (Subject::Commit, body))))
    }

    pub(super) fn live(
        &self,
        scene: &Scene<'_>,
        verb: Verb,
        exchange: Exchange,
        machine: Box<dyn Machine>,
    ) -> Result<Live> {
        let floors = self.floors(scene, &exchange)?;
        Ok(Live {
            session: scene.session,
            verb,
            exchange,
            machine: Some(machine),
            begun: Instant::now(),
            key: None,
            parent: None,
            chain: Vec::new(),
            floors,
            shown: BTreeMap::new(),
            finished: false,
            confirmed: BTreeSet::new(),
        })
    }
}

/// The exchange of a signing run.
pub(crate) fn signing_exchange(run: RunId, plan: &SignPlan, me: Option<Identifier>, signers: Roster) -> Exchange {
    let senders: BTreeSet<_> = plan.signers.iter().copied().collect();
    let round = |subject| Round { senders: senders.clone(), subject };
    let frame = Frame {
        suite: plan.suite,
        group: *plan.key.as_bytes(),
        epoch: *plan.epoch.as_bytes(),
        run,
        me,
        members: signers,
    };
    Exchange::new(frame, vec![round(Subject::Commit), round(Subject::Share)])
}

/// The member whose card this is, to the byte: a card of another incarnation is another token.
pub(super) fn whoami(members: &Roster, card: &Card) -> Result<Identifier> {
    let me = members.identifier_of(card.identity()).ok_or(Misuse::NotAMember)?;
    if members.card(me) == Some(card) { Ok(me) } else { Err(Misuse::NotAMember.into()) }
}

fn run_key(run: RunId) -> Vec<u8> {
    [RUN, run.as_bytes()].concat()
}

pub(in crate::keystore::soft) fn override_key(run: RunId) -> Vec<u8> {
    [OVERRIDE, run.as_bytes()].concat()
}
