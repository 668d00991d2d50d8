//! Entering a run.

use std::collections::{BTreeMap, BTreeSet};

use super::away::Away;
use super::clock::now;
use super::prepared::{MAX_PREPARED, Stocked};
use super::{Live, report};
use crate::audit::{Event, EventKind};
use crate::guard::{forbids, holds, unless_off};
use crate::keystore::Storage;
use crate::keystore::error::{Error, Misuse, Result};
use crate::keystore::soft::keys::Key;
use crate::keystore::soft::propose::{check_preparing, check_signing};
use crate::keystore::soft::record::Standing;
use crate::keystore::soft::{Commit, Scene, SoftToken, Space};
use crate::keystore::token::{Operation, Progress, SessionId};
use crate::policy::Verb;
use crate::protocol::{Denial, Exchange, Machine, RoundOne, SignSetup, exchange_of};
use crate::wire::{
    Action, Card, Derivation, Identifier, Invitation, Party, PreparePlan, Roster, RunId, SignPlan, Subject,
};

const RUN: &[u8] = b"run/";
const OVERRIDE: &[u8] = b"override/";

/// A run that was entered, and what it has to say first: nothing, if its machine computes that from a round without messages.
pub(super) type Entered = (Live, Option<(Subject, Vec<u8>)>);

/// What an operation begins with.
pub(in crate::keystore::soft) enum Beginning {
    /// The run is under way.
    Entered(RunId, Progress),
    /// It has left its name, to compute without the lock; then what is left of its entry has to be put on record: its own name,
    /// which nobody else changes meanwhile.
    Away(Box<Live>, Box<dyn Machine>, Commit),
}

impl<S: Storage> SoftToken<S> {
    /// Begins a run.
    pub(in crate::keystore::soft) fn enter(
        &self,
        scene: &mut Scene<'_>,
        commit: &mut Commit,
        operation: Operation<'_>,
    ) -> Result<Beginning> {
        let (Operation::Deal(invitation)
        | Operation::Import(invitation, _)
        | Operation::Reconstruct(invitation)
        | Operation::Sign(invitation, ..)
        | Operation::Preprocess(invitation)) = operation;
        let run = invitation.run_id();
        let (mut live, first) = match (&invitation.plan.action, operation) {
            (Action::Deal(plan), Operation::Deal(_)) => {
                let entered = self.enter_dealing(scene, commit, invitation, plan, None);
                self.entered_or_forked(scene, invitation, entered)?
            }
            (Action::Deal(plan), Operation::Import(_, key)) => {
                self.enter_dealing(scene, commit, invitation, plan, Some(key))?
            }
            (Action::Reconstruct(plan), Operation::Reconstruct(_)) => {
                self.enter_reconstruction(scene, commit, invitation, plan)?
            }
            (Action::Repair(plan), Operation::Deal(_)) => {
                let entered = self.enter_repair(scene, invitation, plan);
                self.entered_or_forked(scene, invitation, entered)?
            }
            (Action::Sign(plan), Operation::Sign(_, message, derivation)) => {
                self.enter_signing(scene, invitation, plan, (message, derivation))?
            }
            (Action::Prepare(plan), Operation::Preprocess(_)) => self.enter_preparing(scene, invitation, plan)?,
            _ => return Err(Misuse::Unsupported("this operation for this invitation").into()),
        };
        self.check_not_entered(scene, run)?;
        let unlocked = &scene.login.unlocked;
        commit.insert(Space::Token, &run_key(run), Vec::new());
        let mut event = Event::new(EventKind::RunStarted).run(*run.as_bytes());
        if let Some(key) = live.key {
            event = event.object(*key.as_bytes());
        }
        commit.event(event);
        let Some((subject, body)) = first else {
            let machine = live.machine.take().ok_or(Misuse::NoSuchRun(run))?;
            let mut entry = core::mem::take(commit);
            // On record before it is away, or whoever aborts it could enter it again, and two threads would have one name. Nonces
            // that were made beforehand are spent by now: their run is on record with the claim.
            if !matches!(&invitation.plan.action, Action::Sign(plan) if plan.prepared.is_some()) {
                self.commit(unlocked, core::mem::take(&mut entry))?;
            }
            scene.inner.leave(run, &live);
            return Ok(Beginning::Away(Box::new(live), machine, entry));
        };
        // What enters the run is released below, and must be durable before that.
        self.commit(unlocked, core::mem::take(commit))?;
        let mut progress = Progress::default();
        self.say(&scene.login, &mut live, subject, body, &mut progress)?;
        report(&live, &mut progress);
        scene.inner.runs.insert(run, live);
        Ok(Beginning::Entered(run, progress))
    }

    /// Computes what a run says first, which left its name: without the lock, as every round.
    // Its frame is one of those that are overwritten when it has returned.
    #[inline(never)]
    pub(in crate::keystore::soft) fn begin_away(
        &self,
        session: SessionId,
        mut live: Live,
        machine: Box<dyn Machine>,
        entry: Commit,
    ) -> Result<(RunId, Progress)> {
        let run = live.exchange.frame().run;
        let away = Away::of(self, (session, Verb::Continue, run));
        let mut progress = Progress::default();
        self.compute(&away, &mut live, (machine, &[]), entry, &mut progress)?;
        report(&live, &mut progress);
        away.put_back(live)?;
        Ok((run, progress))
    }

    /// What is not entered may show that the key has forked. Then nothing is signed with it any more.
    fn entered_or_forked(
        &self,
        scene: &mut Scene<'_>,
        invitation: &Invitation,
        entered: Result<Entered>,
    ) -> Result<Entered> {
        let Err(error) = entered else { return entered };
        let shown = unless_off!(ClashInInvitationSeen, self.see_clash(&scene.login, invitation), Ok(()));
        let error = shown.err().unwrap_or(error);
        if let (Error::Fork { .. }, Some(key)) = (&error, invitation.key()) {
            scene.inner.end_signing(key);
        }
        Err(error)
    }

    fn check_not_entered(&self, scene: &Scene<'_>, run: RunId) -> Result<()> {
        let known = self.vault.get(&scene.login.unlocked, Space::Token, &run_key(run))?.is_some();
        let before = known || scene.inner.summary(run).is_some();
        if forbids!(RunEnteredOnce, before) { Err(Misuse::RunEnteredBefore(run).into()) } else { Ok(()) }
    }

    /// The key that a party signs with, whose epoch and invitation are in order, and the signers' cards.
    fn party_key(&self, scene: &mut Scene<'_>, invitation: &Invitation, party: &Party) -> Result<(Key, Roster)> {
        let key = scene.take_key(party.key)?;
        let stale = party.epoch != key.epoch.id || !key.is_certified() || key.record.standing == Standing::Retired;
        if forbids!(SigningWithTheNewestEpoch, stale) {
            let certificates = self.chain_after(&scene.login.unlocked, key.id, party.epoch)?;
            return Err(Error::Stale { have: key.epoch.id, certificates });
        }
        if forbids!(SigningWithTheNewestRoster, party.roster != key.epoch.roster_hash) {
            return Err(self.other_roster(&scene.login.unlocked, &key, &party.roster)?);
        }
        let inviter = key.epoch.roster().card(invitation.inviter());
        let inviter = inviter.filter(|card| holds!(InvitationToSignSigned, invitation.is_signed_by(card)));
        inviter.ok_or(Misuse::Inviter)?;
        let signers = party.signers.iter().filter_map(|id| Some((*id, key.epoch.roster().card(*id)?.clone())));
        let signers = Roster::new(signers.collect()).map_err(|_| Misuse::Plan("signers"))?;
        Ok((key, signers))
    }

    fn enter_signing(
        &self,
        scene: &mut Scene<'_>,
        invitation: &Invitation,
        plan: &SignPlan,
        approved: (&[u8], &Derivation),
    ) -> Result<Entered> {
        let (key, signers) = self.party_key(scene, invitation, &plan.party)?;
        check_signing(plan, &key)?;
        self.check_approved(scene, &key, plan, approved)?;
        let me = whoami(&signers, &scene.login.card)?;
        let share = self.share(&scene.login.unlocked, &key, key.epoch.id)?.ok_or(Misuse::NoShare)?;
        let run = invitation.run_id();
        let setup = SignSetup { run, plan: plan.clone(), epoch: key.epoch.clone(), me: Some(me), share: Some(share) };
        let exchange = exchange_of(&invitation.plan, Some(me), signers);
        let machine: Box<dyn Machine> = match &plan.prepared {
            None => Box::new(RoundOne::Sign(Box::new(setup))),
            Some(prepared) => {
                // Whatever else would refuse the run comes before: nonces that are taken out don't go back.
                self.check_not_entered(scene, run)?;
                self.floors(scene, &exchange)?;
                scene.inner.take_nonces(scene.session, prepared, setup)?
            }
        };
        let mut live = self.live(scene, Verb::Sign, exchange, machine)?;
        live.key = Some(key.id);
        Ok((live, None))
    }

    /// Whether the plan is what this member approves.
    fn check_approved(
        &self,
        scene: &Scene<'_>,
        key: &Key,
        plan: &SignPlan,
        (message, derivation): (&[u8], &Derivation),
    ) -> Result<()> {
        if forbids!(SignaturesForTheirPurpose, plan.party.purpose != key.epoch.template().purpose) {
            return Err(Error::Denied(Denial::Purpose));
        }
        if forbids!(MessageAsApproved, plan.message != message) {
            return Err(Error::Denied(Denial::OtherMessage));
        }
        if forbids!(ChildAsApproved, plan.derivation != *derivation) {
            return Err(Error::Denied(Denial::OtherDerivation));
        }
        // Who invites could name any key that it knows the distance to.
        if forbids!(OffsetOfThePath, plan.offset != self.offset(&scene.login.unlocked, key, derivation)?) {
            return Err(Misuse::Plan("the offset is not that of the path").into());
        }
        Ok(())
    }

    fn enter_preparing(&self, scene: &mut Scene<'_>, invitation: &Invitation, plan: &PreparePlan) -> Result<Entered> {
        let (key, signers) = self.party_key(scene, invitation, &plan.party)?;
        check_preparing(plan, &key)?;
        if plan.party.purpose != key.epoch.template().purpose {
            return Err(Error::Denied(Denial::Purpose));
        }
        let me = whoami(&signers, &scene.login.card)?;
        let share = self.share(&scene.login.unlocked, &key, key.epoch.id)?.ok_or(Misuse::NoShare)?;
        if forbids!(NoncesBounded, scene.inner.prepared() + usize::from(plan.count) > MAX_PREPARED) {
            return Err(Misuse::TooManyNonces.into());
        }
        let machine = Box::new(RoundOne::Prepare(plan.clone(), share));
        let exchange = exchange_of(&invitation.plan, Some(me), signers);
        let mut live = self.live(scene, Verb::Prepare, exchange, machine)?;
        live.key = Some(key.id);
        live.stock.size = plan.count;
        Ok((live, None))
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
            begun: now(),
            stock: Stocked::default(),
            key: None,
            parent: None,
            chain: Vec::new(),
            floors,
            shown: BTreeMap::new(),
            finished: false,
            answered: BTreeSet::new(),
            confirmed: BTreeSet::new(),
        })
    }
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
