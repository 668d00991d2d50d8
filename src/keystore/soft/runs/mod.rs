//! Runs: giving them messages, and making what they lead to durable before anything leaves.

mod away;
mod clock;
mod dealing;
mod effects;
mod enter;
mod import;
mod meanwhile;
mod peers;
mod prepared;
mod reconstruct;
mod repair;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::record::{KeyRecord, PeerRecord};
use super::{Commit, Error, Inner, Login, Misuse, Result, Scene, SoftToken, Storage, rng};
use crate::audit::{Event, EventKind};
use crate::guard::{forbids, holds, unless_off};
use crate::keystore::token::{Progress, SessionId};
use crate::policy::{self, Verb};
use crate::protocol::{
    Accepted, Certificate, Epoch, Exchange, Failure, Halt, LastWords, Machine, Refused, Rejection, Transition,
};
use crate::secret::overwrite_dead_frames;
use crate::wire::{Identifier, KeyId, Message, RunId, Subject, Writer};

pub(super) use away::Summary;
#[cfg(feature = "hazmat")]
pub(crate) use clock::set_clock_ahead;
pub(super) use enter::{Beginning, override_key};
#[cfg(feature = "hazmat")]
pub(crate) use meanwhile::plan_meanwhile;
pub(super) use peers::convicted_key;
pub(super) use reconstruct::propose_reconstruction;
pub(super) use repair::verb as repair_verb;

use away::Away;
use clock::now;
use meanwhile::meanwhile;
use prepared::Stocked;

/// How long nonces may wait for the others' commitments.
const NONCE_LIFE: Duration = Duration::from_secs(600);
/// How long nonces that were made beforehand may wait for their messages.
const PREPARED_LIFE: Duration = Duration::from_secs(3600);

/// A run of a session.
#[derive(Debug)]
pub(super) struct Live {
    session: SessionId,
    verb: Verb,
    exchange: Exchange,
    machine: Option<Box<dyn Machine>>,
    begun: Instant,
    stock: Stocked,
    /// The key, as soon as there is one.
    pub(super) key: Option<KeyId>,
    /// The epoch that is renewed, and the certificates that lead to it.
    parent: Option<Epoch>,
    chain: Vec<Certificate>,
    /// The lowest counter that each peer may show.
    floors: BTreeMap<Identifier, u64>,
    /// The highest state that each peer has shown in this run.
    shown: BTreeMap<Identifier, PeerRecord>,
    /// Its output is there; it only listens now.
    finished: bool,
    /// The disputed rounds of which it has said after its end what it saw.
    answered: BTreeSet<u8>,
    confirmed: BTreeSet<Identifier>,
}

impl<S: Storage> SoftToken<S> {
    /// What going on with a run counts as: a reconstruction is the officer's to the end, everything else the user's.
    pub(super) fn continues(&self, session: SessionId, run: RunId) -> Result<Verb> {
        let officers = self.lock()?.reconstructions.contains(&(session, run));
        Ok(if officers { Verb::Reconstruct } else { Verb::Continue })
    }

    /// Gives a run a message. A run that fails is gone; what it wanted to say last is in the progress.
    pub(super) fn give(&self, session: SessionId, run: RunId, message: &Message) -> Result<Progress> {
        let verb = self.continues(session, run)?;
        loop {
            match self.operate(session, verb, None, |scene, _| self.take(scene, run, message))? {
                Taken::Over(progress) => return Ok(progress),
                Taken::Away => self.await_return(run)?,
                Taken::Out(live) => {
                    let away = Away::of(self, (session, verb, run));
                    let before = live.exchange.current();
                    let worked = self.work_away(away, *live, message);
                    // A message that completes no round leads to nothing secret. Not right after the arithmetic: a coefficient
                    // was found on the stack again then, perhaps out of a register.
                    let idle = match &worked {
                        Ok(progress) => progress.done == before,
                        Err(error) => matches!(error, Error::Rejected(_)),
                    };
                    if !idle {
                        overwrite_dead_frames();
                    }
                    return worked;
                }
            }
        }
    }

    /// Takes the run out, to compute for it without the lock. A run that is over only listens, with nothing to compute.
    fn take(&self, scene: &mut Scene<'_>, run: RunId, message: &Message) -> Result<Taken> {
        // Looked at before it is taken out: another session's message must not end the run.
        let found = scene.inner.summary(run);
        let mine = found.is_some_and(|found| holds!(RunOfItsSession, found.session == scene.session));
        if !mine {
            return Err(Misuse::NoSuchRun(run).into());
        }
        let Some(mut live) = scene.inner.runs.remove(&run) else { return Ok(Taken::Away) };
        if !live.finished {
            scene.inner.leave(run, &live);
            return Ok(Taken::Out(Box::new(live)));
        }
        let mut progress = Progress::default();
        let worked = self.listen(scene, &mut live, message, &mut progress);
        report(&live, &mut progress);
        if lives_on(&worked) {
            scene.inner.runs.insert(run, live);
        }
        conclude(worked, progress).map(Taken::Over)
    }

    // Its frame is one of those that are overwritten when it has returned.
    #[inline(never)]
    fn work_away(&self, away: Away<'_, S>, mut live: Live, message: &Message) -> Result<Progress> {
        let mut progress = Progress::default();
        let worked = self.work(&away, &mut live, message, &mut progress);
        report(&live, &mut progress);
        let back = if lives_on(&worked) { away.put_back(live) } else { Ok(()) };
        conclude(worked.and(back), progress)
    }

    /// What is said to a run whose output is there.
    fn listen(&self, scene: &mut Scene<'_>, live: &mut Live, message: &Message, progress: &mut Progress) -> Result<()> {
        let accepted = match live.exchange.accept(message) {
            Ok(accepted) => accepted,
            Err(Refused::Failed(failure)) => return self.answer_late(scene, live, *failure, progress),
            Err(Refused::Rejected(rejection)) => return Err(Error::Rejected(rejection)),
        };
        peers::note_state(live, message)?;
        self.dispute(scene, live, accepted, progress)?;
        live.exchange.take_round();
        self.hear_confirmations(scene, live)
    }

    /// Computes as many rounds as the message completes, each without the lock, and records what it leads to under it.
    fn work(&self, away: &Away<'_, S>, live: &mut Live, message: &Message, progress: &mut Progress) -> Result<()> {
        let accepted = live.exchange.accept(message);
        if accepted.is_ok() {
            peers::note_state(live, message)?;
        }
        self.heed(away, live, accepted, progress)?;
        while let Some(round) = live.exchange.take_round() {
            let Some(machine) = live.machine.take() else { break };
            self.compute(away, live, (machine, &round), Commit::default(), progress)?;
            let early = live.exchange.compare_early();
            self.heed(away, live, early, progress)?;
        }
        Ok(())
    }

    /// Computes a round, without the lock, and records what it leads to, with what else there is to commit.
    fn compute(
        &self,
        away: &Away<'_, S>,
        live: &mut Live,
        (machine, round): (Box<dyn Machine>, &[Message]),
        commit: Commit,
        progress: &mut Progress,
    ) -> Result<()> {
        let computed = machine.handle(round, &mut rng());
        meanwhile();
        away.step(live, |scene, live| self.record(scene, live, computed, commit, progress))
    }

    /// Says what members disagree on, and what a failed run says last.
    fn heed(
        &self,
        away: &Away<'_, S>,
        live: &mut Live,
        accepted: core::result::Result<Accepted, Refused>,
        progress: &mut Progress,
    ) -> Result<()> {
        match accepted {
            Ok(Accepted::Kept | Accepted::Repeat) => Ok(()),
            Ok(disputed) => away.step(live, |scene, live| self.dispute(scene, live, disputed, progress)),
            Err(Refused::Failed(failure)) => {
                away.step(live, |scene, live| Err(self.fail(scene, live, *failure, Commit::default(), progress)))
            }
            Err(Refused::Rejected(rejection)) => Err(Error::Rejected(rejection)),
        }
    }

    /// Makes durable what a round led to, and only then says the answer.
    fn record(
        &self,
        scene: &mut Scene<'_>,
        live: &mut Live,
        computed: core::result::Result<Transition, Halt>,
        mut commit: Commit,
        progress: &mut Progress,
    ) -> Result<()> {
        unless_off!(PolicyAskedAtEachRound, self.policy(scene, live)?, ());
        if live.is_expired() {
            return Err(Misuse::NoncesExpired.into());
        }
        let transition = match computed {
            Ok(transition) => transition,
            Err(Halt::Failed(failure)) => return Err(self.fail(scene, live, *failure, commit, progress)),
            Err(halt) => return Err(halt.into()),
        };
        let output = self.settle(scene, live, transition.effect, &mut commit)?;
        unless_off!(WrittenBeforeSent, self.commit(&scene.login.unlocked, commit)?, ());
        live.machine = Some(transition.next);
        if let Some((subject, body)) = transition.send {
            self.say(&scene.login, live, subject, body, progress)?;
        }
        if let Some((output, confirmation)) = output {
            live.finished = true;
            live.machine = None;
            progress.outcome = Some(Ok(output));
            if let Some(body) = confirmation {
                self.say(&scene.login, live, Subject::Confirm, body, progress)?;
            }
            self.hear_confirmations(scene, live)?;
        }
        Ok(())
    }

    /// Asked again at each step: a key may have been restricted since the run began.
    fn policy(&self, scene: &Scene<'_>, live: &Live) -> Result<()> {
        let record = match live.key {
            Some(id) => self.record_of(&scene.login.unlocked, id)?,
            None => None,
        };
        let facts = record.as_ref().map(KeyRecord::facts);
        Ok(policy::decide(scene.login.unlocked.role(), live.verb, facts.as_ref())?)
    }

    fn dispute(&self, scene: &Scene<'_>, live: &mut Live, accepted: Accepted, progress: &mut Progress) -> Result<()> {
        let Accepted::Disputed { round, body } = accepted else { return Ok(()) };
        let message = self.message(&scene.login, live, round, Subject::Dispute, body)?;
        progress.outgoing.push(message);
        Ok(())
    }

    /// Whatever is said after the end changes nothing here. But who disputes a round then is told, once for each, what this
    /// member saw of it: else whoever spoke with two tongues would stay unnamed.
    fn answer_late(
        &self,
        scene: &Scene<'_>,
        live: &mut Live,
        mut failure: Failure,
        progress: &mut Progress,
    ) -> Result<()> {
        match failure.last_words.take() {
            Some(LastWords::Dispute { round, body }) if live.answered.insert(round) => {
                progress.outgoing.push(self.message(&scene.login, live, round, Subject::Dispute, body)?);
                Ok(())
            }
            _ => Err(Error::Rejected(Rejection::Unexpected)),
        }
    }

    /// Records the failure, with what else there is to commit, and says the run's last words.
    fn fail(
        &self,
        scene: &Scene<'_>,
        live: &mut Live,
        mut failure: Failure,
        mut commit: Commit,
        progress: &mut Progress,
    ) -> Error {
        let run = live.exchange.frame().run;
        let culprits = failure.culprits.iter().fold(Writer::new(), |mut writer, id| {
            writer.identifier(*id);
            writer
        });
        let detail = culprits_detail(culprits);
        let recorded = Event::new(EventKind::RunFailed).run(*run.as_bytes()).detail(detail).map(|event| {
            commit.event(event);
            peers::convict(live, &failure.culprits, &mut commit);
            self.commit(&scene.login.unlocked, commit)
        });
        // A log that can't be written stops even the last words.
        match recorded {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(error) => return error.into(),
        }
        let mut words = Vec::new();
        match failure.last_words.take() {
            Some(LastWords::Dispute { round, body }) => words.push((round, Subject::Dispute, body)),
            Some(LastWords::Accuse(body)) => {
                let (current, before) = (live.exchange.current(), live.exchange.current().saturating_sub(1));
                words.push((current, Subject::Accuse, body));
                // Whoever saw another round before than the accuser can't judge, but can see who spoke with two tongues.
                words.extend(live.exchange.seen(before).map(|body| (before, Subject::Dispute, body)));
            }
            None => {}
        }
        for (round, subject, body) in words {
            match self.message(&scene.login, live, round, subject, body) {
                Ok(message) => {
                    failure.evidence.0.push(message.clone());
                    progress.outgoing.push(message);
                }
                Err(error) => return error,
            }
        }
        failure.into()
    }

    pub(super) fn say(
        &self,
        login: &Login,
        live: &mut Live,
        subject: Subject,
        body: Vec<u8>,
        progress: &mut Progress,
    ) -> Result<()> {
        let message = self.message(login, live, live.exchange.current(), subject, body)?;
        live.exchange.sent(&message);
        progress.outgoing.push(message);
        Ok(())
    }

    fn message(&self, login: &Login, live: &Live, round: u8, subject: Subject, body: Vec<u8>) -> Result<Message> {
        let (counter, head) = (self.vault.counter()?, *self.vault.audit_head()?.as_bytes());
        let header = live.exchange.header(round, subject, counter, head).ok_or(Misuse::NotAMember)?;
        Ok(Message::issue(header, body, &login.identity))
    }
}

/// A run that was looked for.
enum Taken {
    /// It only listens, and has.
    Over(Progress),
    /// Another thread computes for it.
    Away,
    /// It is this thread's.
    Out(Box<Live>),
}

/// Whether a run goes on after a message.
const fn lives_on(worked: &Result<()>) -> bool {
    matches!(worked, Ok(()) | Err(Error::Rejected(_)))
}

/// What is said of a run after a message. An output that was recorded is told, whatever came after it. Else of a run that was
/// ended meanwhile, or can't go on here, nothing leaves any more: only what one says last which others made fail.
fn conclude(worked: Result<()>, mut progress: Progress) -> Result<Progress> {
    match worked {
        Err(Error::Rejected(rejection)) => return Err(Error::Rejected(rejection)),
        Err(_) if forbids!(OutputOutlivesWhatFollows, matches!(progress.outcome, Some(Ok(_)))) => {}
        Err(error) => {
            if !matches!(error, Error::PeerMisbehaved { .. }) {
                unless_off!(NothingLeavesAfterTheEnd, progress.outgoing.clear(), ());
            }
            progress.outcome = Some(Err(error));
        }
        Ok(()) => {}
    }
    Ok(progress)
}

fn report(live: &Live, progress: &mut Progress) {
    progress.done = live.exchange.current();
    progress.total = live.exchange.rounds();
    progress.awaiting = live.exchange.awaiting();
}

impl Live {
    fn is_expired(&self) -> bool {
        let age = now().saturating_duration_since(self.begun);
        match self.verb {
            Verb::Sign => !self.finished && forbids!(NoncesLiveTenMinutes, age > NONCE_LIFE),
            Verb::Prepare => forbids!(PreparedNoncesLiveAnHour, age > PREPARED_LIFE),
            _ => false,
        }
    }
}

impl Inner {
    /// Ends the runs of a session.
    pub(super) fn end_runs(&mut self, session: SessionId) {
        self.end_where(|run| forbids!(LogoutEndsRuns, run.session == session));
        self.reconstructions.retain(|(of, _)| *of != session);
    }

    /// Ends a run.
    pub(super) fn end_run(&mut self, session: SessionId, run: RunId) -> Result<()> {
        match self.summary(run) {
            Some(found) if found.session == session => {
                self.forget(run);
                Ok(())
            }
            _ => Err(Misuse::NoSuchRun(run).into()),
        }
    }

    /// Ends the runs whose nonces have waited too long. One that is computed for sees that itself.
    pub(super) fn end_expired(&mut self) {
        self.runs.retain(|_, live| !live.is_expired());
    }

    /// Ends the runs that use a share of a key whose epoch is over: nonces die with it, and nothing of it is handed over, or
    /// made into another share.
    pub(super) fn end_signing(&mut self, key: KeyId) {
        self.end_where(|run| match run.verb {
            _ if run.key != Some(key) => false,
            Verb::Sign | Verb::Reconstruct | Verb::Repair | Verb::Enrol => {
                forbids!(SigningEndsWithItsEpoch, !run.finished)
            }
            Verb::Prepare => forbids!(PreparedNoncesEndWithTheirEpoch, true),
            _ => false,
        });
    }
}

fn culprits_detail(mut writer: Writer) -> Vec<u8> {
    let mut detail = writer.finish();
    detail.truncate(512);
    detail
}
