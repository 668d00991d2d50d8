//! Runs: entering one, giving it messages, and making what it leads to durable before anything leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::keys::{ATTEMPT, CHAIN_CODE, Key, RECORD, SHARE, index_key};
use super::propose::{check_signers, check_template};
use super::record::{KeyRecord, PeerRecord, Standing};
use super::{Commit, Error, Inner, Login, Misuse, Result, Scene, SoftToken, Space, Storage, rng};
use crate::audit::{Event, EventKind};
use crate::keystore::object::Origin;
use crate::keystore::token::{Operation, Output, Progress, SessionId};
use crate::policy::{self, Verb};
use crate::protocol::{
    Accepted, Certificate, Claim, Denial, Effect, Epoch, Exchange, Failure, Frame, Halt, Machine, PendingShare,
    Refused, Rejection, Round, Setup, SignSetup, Standing as Memory, Succession, check_succession, decode_confirmation,
    start_dealing, start_signing, verify_chain,
};
use crate::wire::{
    Action, Card, DealPlan, EpochId, Identifier, Invitation, KeyId, Message, Reader, Roster, RunId, SignPlan, Source,
    Subject, Writer,
};

/// How long nonces may wait for the others' commitments.
const NONCE_LIFE: Duration = Duration::from_secs(600);
const RUN: &[u8] = b"run/";
const PEER: &[u8] = b"peer/";
const PROMISE: &[u8] = b"promise/";
const OVERRIDE: &[u8] = b"override/";
const CLAIM: &[u8] = b"claim/";
/// The round in which members confirm what they erased.
const CONFIRM: u8 = 3;

/// A run of a session.
#[derive(Debug)]
pub(super) struct Live {
    session: SessionId,
    verb: Verb,
    exchange: Exchange,
    machine: Option<Box<dyn Machine>>,
    begun: Instant,
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
    confirmed: BTreeSet<Identifier>,
}

impl<S: Storage> SoftToken<S> {
    /// Enters a run.
    pub(super) fn enter(
        &self,
        scene: &mut Scene<'_>,
        commit: &mut Commit,
        operation: Operation<'_>,
    ) -> Result<(RunId, Progress)> {
        let (invitation, approved) = match operation {
            Operation::Deal(invitation) => (invitation, None),
            Operation::Sign(invitation, message) => (invitation, Some(message)),
        };
        let run = invitation.run_id();
        let (mut live, first) = match (&invitation.plan.action, approved) {
            (Action::Deal(plan), None) => self.enter_dealing(scene, commit, invitation, plan)?,
            (Action::Sign(plan), Some(message)) => self.enter_signing(scene, invitation, plan, message)?,
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
        self.report(&live, &mut progress);
        scene.inner.runs.insert(run, live);
        Ok((run, progress))
    }

    fn enter_dealing(
        &self,
        scene: &mut Scene<'_>,
        commit: &mut Commit,
        invitation: &Invitation,
        plan: &DealPlan,
    ) -> Result<(Live, Option<(Subject, Vec<u8>)>)> {
        plan.check()?;
        check_template(&plan.template)?;
        let participants = plan.participants().ok_or(Misuse::Plan("dealers"))?;
        let me = whoami(&participants, &scene.login.card)?;
        let inviter = participants.card(invitation.inviter()).filter(|card| invitation.is_signed_by(card));
        inviter.ok_or(Misuse::Inviter)?;
        let mut key = scene.key.take();
        let (succession, parent, chain) = match &plan.source {
            Source::Fresh => (None, None, Vec::new()),
            Source::Epoch { .. } => {
                let (parent, chain) = self.parent(&scene.login, key.as_ref(), invitation, plan)?;
                check_succession(plan, &parent)?;
                check_refresh(plan, &parent)?;
                self.promise(&scene.login, key.as_mut(), &parent, plan, commit)?;
                let succession = self.succession(&scene.login, key.as_ref(), &parent, plan, invitation.run_id())?;
                (Some(succession), Some(parent), chain)
            }
        };
        let setup = Setup {
            plan: invitation.plan.clone(),
            deal: plan.clone(),
            participants: participants.clone(),
            me,
            identity: Arc::clone(&scene.login.identity),
            succession,
        };
        let (machine, body) = start_dealing(setup, &mut rng())?;
        let frame = Frame {
            suite: plan.suite,
            group: parent.as_ref().map_or([0; 32], |parent| *parent.key.as_bytes()),
            epoch: parent.as_ref().map_or([0; 32], |parent| *parent.id.as_bytes()),
            run: invitation.run_id(),
            me: Some(me),
            members: participants,
        };
        let rounds = dealing_rounds(plan, &frame.members);
        // A key that may not be refreshed must still be made.
        let verb = if parent.is_some() { Verb::Renew } else { Verb::Propose };
        let mut live = self.live(scene, verb, Exchange::new(frame, rounds), machine)?;
        live.key = parent.as_ref().map(|parent| parent.key);
        live.parent = parent;
        live.chain = chain;
        Ok((live, Some((Subject::Join, body))))
    }

    /// Rule 2: enters upwards only, and durably so before the join leaves. Also of a key that is not here yet.
    fn promise(
        &self,
        login: &Login,
        key: Option<&mut Key>,
        parent: &Epoch,
        plan: &DealPlan,
        commit: &mut Commit,
    ) -> Result<()> {
        let place = promise_key(parent.key);
        let promised = match &key {
            Some(key) => key.record.promise,
            None => self.promised_unknown(login, parent.key)?,
        };
        let position = (plan.height, plan.attempt);
        if position <= promised {
            return Err(Error::Denied(Denial::AttemptTooLow { least: promised.1.saturating_add(1) }));
        }
        match key {
            Some(key) => {
                key.record.promise = position;
                key.save(commit);
            }
            None => {
                commit.put(Space::Token, &place, Writer::new().u64(position.0).u32(position.1).finish());
            }
        }
        Ok(())
    }

    /// The highest position that this token has entered, also before the key was here.
    fn promised(&self, login: &Login, key: &Key) -> Result<(u64, u32)> {
        Ok(key.record.promise.max(self.promised_unknown(login, key.id)?))
    }

    fn promised_unknown(&self, login: &Login, key: KeyId) -> Result<(u64, u32)> {
        match self.vault.get(&login.unlocked, Space::Token, &promise_key(key))? {
            Some(bytes) => decode_position(&bytes),
            None => Ok((0, 0)),
        }
    }

    /// The epoch that is renewed: the one held here, or, for who joins, the end of the chain in the invitation.
    fn parent(
        &self,
        login: &Login,
        key: Option<&Key>,
        invitation: &Invitation,
        plan: &DealPlan,
    ) -> Result<(Epoch, Vec<Certificate>)> {
        let Source::Epoch { key: id, parent, .. } = &plan.source else { return Err(Misuse::Plan("source").into()) };
        match key {
            Some(key) if key.is_certified() && key.epoch.id == *parent => return Ok((key.epoch.clone(), Vec::new())),
            Some(key) if key.record.standing != Standing::Retired => {
                return Err(self.stale(login, key, invitation, *parent)?);
            }
            _ => {}
        }
        let chain = invitation.certificates()?;
        let newest = verify_chain(&chain)?;
        if newest.id != *parent || newest.key != *id {
            return Err(Misuse::Plan("its certificates do not lead to the epoch that it renews").into());
        }
        // Who is told the key's history anew has perhaps known a part of it.
        if let Some(key) = key {
            let known = self.chain(&login.unlocked, key.id)?;
            if !known.iter().zip(&chain).all(|(known, told)| known.epoch_id() == told.epoch_id()) {
                return Err(Error::Fork { ours: key.epoch.id, theirs: newest.id });
            }
        }
        Ok((newest, chain))
    }

    /// Says who is behind: whoever renews an epoch of the past, or this token, if the invitation tells how it went on.
    fn stale(&self, login: &Login, key: &Key, invitation: &Invitation, parent: EpochId) -> Result<Error> {
        let mut certificates = self.chain_after(&login.unlocked, key.id, parent)?;
        if certificates.is_empty() && key.epoch.id != parent {
            let mut told = invitation.certificates()?;
            let ours = told.iter().position(|certificate| certificate.epoch_id() == key.epoch.id);
            certificates = ours.map(|place| told.split_off(place + 1)).unwrap_or_default();
        }
        Ok(Error::Stale { have: key.epoch.id, certificates })
    }

    fn succession(
        &self,
        login: &Login,
        key: Option<&Key>,
        parent: &Epoch,
        plan: &DealPlan,
        run: RunId,
    ) -> Result<Succession> {
        let unlocked = &login.unlocked;
        let overridden = self.vault.get(unlocked, Space::Token, &override_key(run))?.is_some();
        let Some(key) = key else {
            let standing = Memory { restored: false, overridden, attempts: Vec::new() };
            return Ok(Succession { parent: parent.clone(), share: None, chain_code: None, standing });
        };
        let attempts = key.record.pending.iter().map(|epoch| self.attempt(unlocked, key.id, *epoch));
        let standing =
            Memory { restored: key.record.forgetful, overridden, attempts: attempts.collect::<Result<_>>()? };
        let deals = plan.dealers().card(key.record.me).is_some();
        let share = if deals { self.share(unlocked, key, parent.id)? } else { None };
        if deals && share.is_none() {
            return Err(Misuse::NoShare.into());
        }
        let chain_code = self.chain_code(unlocked, key)?;
        Ok(Succession { parent: parent.clone(), share, chain_code, standing })
    }

    fn enter_signing(
        &self,
        scene: &mut Scene<'_>,
        invitation: &Invitation,
        plan: &SignPlan,
        approved: &[u8],
    ) -> Result<(Live, Option<(Subject, Vec<u8>)>)> {
        let key = scene.take_key(plan.key)?;
        let unlocked = &scene.login.unlocked;
        if plan.epoch != key.epoch.id || !key.is_certified() || key.record.standing == Standing::Retired {
            let certificates = self.chain_after(unlocked, key.id, plan.epoch)?;
            return Err(Error::Stale { have: key.epoch.id, certificates });
        }
        let inviter = key.epoch.roster().card(invitation.inviter()).filter(|card| invitation.is_signed_by(card));
        inviter.ok_or(Misuse::Inviter)?;
        check_signers(plan, &key)?;
        if plan.suite != key.epoch.suite() {
            return Err(Misuse::Plan("suite").into());
        }
        if plan.purpose != key.epoch.template().purpose {
            return Err(Error::Denied(Denial::Purpose));
        }
        if plan.message != approved {
            return Err(Error::Denied(Denial::OtherMessage));
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

    fn live(&self, scene: &Scene<'_>, verb: Verb, exchange: Exchange, machine: Box<dyn Machine>) -> Result<Live> {
        let mut floors = BTreeMap::new();
        for (id, card) in exchange.frame().members.iter().filter(|(id, _)| Some(*id) != exchange.frame().me) {
            if let Some(known) = self.vault.get(&scene.login.unlocked, Space::Token, &peer_key(card))? {
                let known = PeerRecord::decode(&known)?;
                if card.incarnation() < known.incarnation {
                    return Err(Error::RolledBack { member: id });
                }
                floors.insert(id, if card.incarnation() == known.incarnation { known.counter } else { 0 });
            }
        }
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

    /// Gives a run a message. A run that fails is gone; what it wanted to say last is in the progress.
    pub(super) fn give(&self, scene: &mut Scene<'_>, run: RunId, message: &Message) -> Result<Progress> {
        // Looked at before it is taken out: another session's message must not end the run.
        let mine = scene.inner.runs.get(&run).is_some_and(|live| live.session == scene.session);
        let live = if mine { scene.inner.runs.remove(&run) } else { None };
        let mut live = live.ok_or(Misuse::NoSuchRun(run))?;
        let mut progress = Progress::default();
        match self.work(scene, &mut live, message, &mut progress) {
            Ok(()) => {}
            Err(Error::Rejected(rejection)) => {
                scene.inner.runs.insert(run, live);
                return Err(Error::Rejected(rejection));
            }
            Err(error) => {
                self.report(&live, &mut progress);
                progress.outcome = Some(Err(error));
                return Ok(progress);
            }
        }
        self.report(&live, &mut progress);
        scene.inner.runs.insert(run, live);
        Ok(progress)
    }

    fn work(&self, scene: &mut Scene<'_>, live: &mut Live, message: &Message, progress: &mut Progress) -> Result<()> {
        let accepted = match live.exchange.accept(message) {
            Ok(accepted) => accepted,
            // Whatever is said after the end changes nothing.
            Err(Refused::Failed(_)) if live.finished => return Err(Error::Rejected(Rejection::Unexpected)),
            Err(Refused::Failed(failure)) => return Err(self.fail(scene, live, *failure, progress)),
            Err(Refused::Rejected(rejection)) => return Err(Error::Rejected(rejection)),
        };
        self.note_state(live, message)?;
        self.dispute(scene, live, accepted, progress)?;
        while let Some(round) = live.exchange.take_round() {
            let Some(machine) = live.machine.take() else { break };
            self.policy(scene, live)?;
            if live.verb == Verb::Sign && live.begun.elapsed() > NONCE_LIFE {
                return Err(Misuse::Expired.into());
            }
            match machine.handle(&round, &mut rng()) {
                Ok(transition) => {
                    let mut commit = Commit::default();
                    let output = self.settle(scene, live, transition.effect, &mut commit)?;
                    self.commit(&scene.login.unlocked, commit)?;
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
                    }
                }
                Err(Halt::Failed(failure)) => return Err(self.fail(scene, live, *failure, progress)),
                Err(halt) => return Err(halt.into()),
            }
            let early = match live.exchange.compare_early() {
                Ok(early) => early,
                Err(Refused::Failed(failure)) => return Err(self.fail(scene, live, *failure, progress)),
                Err(refused) => return Err(refused.into()),
            };
            self.dispute(scene, live, early, progress)?;
        }
        self.hear_confirmations(scene, live)
    }

    /// Asked again at each step: a key may have been restricted since the run began.
    fn policy(&self, scene: &Scene<'_>, live: &Live) -> Result<()> {
        let key = match live.key {
            Some(id) => self.load(&scene.login.unlocked, id)?,
            None => None,
        };
        let facts = key.as_ref().map(Key::facts);
        Ok(policy::decide(scene.login.unlocked.role(), live.verb, facts.as_ref())?)
    }

    /// Refuses a peer's state that is older than one it has shown before this run.
    ///
    /// Only from the second round on: such a message answers this member's own, so it was made after the run was entered
    /// here. One of the first round may have been made before another run's later state was shown.
    fn note_state(&self, live: &mut Live, message: &Message) -> Result<()> {
        let (member, header) = (message.sender(), &message.header);
        if header.round > 0 && live.floors.get(&member).is_some_and(|floor| header.counter < *floor) {
            return Err(Error::RolledBack { member });
        }
        let Some(card) = live.exchange.frame().members.card(member) else { return Ok(()) };
        let state =
            PeerRecord { incarnation: card.incarnation(), counter: header.counter, audit_head: header.audit_head };
        let highest = live.shown.entry(member).or_insert(state);
        if highest.counter < state.counter {
            *highest = state;
        }
        Ok(())
    }

    fn dispute(&self, scene: &Scene<'_>, live: &mut Live, accepted: Accepted, progress: &mut Progress) -> Result<()> {
        let Accepted::Disputed { round, body } = accepted else { return Ok(()) };
        let message = self.message(&scene.login, live, round, Subject::Dispute, body)?;
        progress.outgoing.push(message);
        Ok(())
    }

    /// Records the failure, and says the run's last words.
    fn fail(&self, scene: &Scene<'_>, live: &mut Live, mut failure: Failure, progress: &mut Progress) -> Error {
        let run = live.exchange.frame().run;
        let culprits = failure.culprits.iter().fold(Writer::new(), |mut writer, id| {
            writer.identifier(*id);
            writer
        });
        let detail = culprits_detail(culprits);
        let recorded = Event::new(EventKind::RunFailed).run(*run.as_bytes()).detail(detail).map(|event| {
            let mut commit = Commit::default();
            commit.event(event);
            self.commit(&scene.login.unlocked, commit)
        });
        // A log that can't be written stops even the last words.
        match recorded {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(error) => return error.into(),
        }
        if let Some((subject, body)) = failure.last_words.take() {
            let round = if subject == Subject::Dispute {
                live.exchange.current().saturating_sub(1)
            } else {
                live.exchange.current()
            };
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

    /// What an effect changes, and the run's output if it is that, with a confirmation to send.
    fn settle(
        &self,
        scene: &mut Scene<'_>,
        live: &mut Live,
        effect: Effect,
        commit: &mut Commit,
    ) -> Result<Option<(Output, Option<Vec<u8>>)>> {
        match effect {
            Effect::None => Ok(None),
            Effect::Claim(claim) => {
                self.claim(scene, live, &claim, commit)?;
                Ok(None)
            }
            Effect::Pending(pending) => {
                self.keep_pending(scene, live, *pending, commit)?;
                Ok(None)
            }
            Effect::Signed(signature) => {
                self.remember_peers(scene, live, commit)?;
                Ok(Some((Output::Signature(signature), None)))
            }
            Effect::Certified(certificate) => {
                self.remember_peers(scene, live, commit)?;
                let (info, confirmation) = self.certify_run(scene, live, &certificate, commit)?;
                let confirms = live.exchange.current() == CONFIRM && live.exchange.speaks();
                Ok(Some((Output::Key(Box::new(info)), confirms.then_some(confirmation))))
            }
        }
    }

    /// Unique on the commitment alone: whatever the message, a nonce is used once.
    fn claim(&self, scene: &Scene<'_>, live: &Live, claim: &Claim, commit: &mut Commit) -> Result<()> {
        let key = live.key.ok_or(Misuse::NoShare)?;
        let detail =
            Writer::new().raw(&claim.commitment).raw(&claim.message).raw(&claim.package).raw(&claim.epoch).finish();
        let space = Space::Object(*key.as_bytes());
        let place = [CLAIM, &claim.commitment].concat();
        if self.vault.get(&scene.login.unlocked, space, &place)?.is_some() {
            return Err(Misuse::Expired.into());
        }
        commit.insert(space, &place, detail.clone());
        let event = Event::new(EventKind::NonceClaimed).object(*key.as_bytes()).run(*claim.run.as_bytes());
        commit.event(event.detail(detail)?);
        Ok(())
    }

    /// A share that is not certified yet, with the signature that is about to leave.
    fn keep_pending(
        &self,
        scene: &Scene<'_>,
        live: &mut Live,
        pending: PendingShare,
        commit: &mut Commit,
    ) -> Result<()> {
        let PendingShare { certificate, share, chain_code } = pending;
        let epoch = certificate.epoch()?;
        let mut key = match self.load(&scene.login.unlocked, epoch.key)? {
            Some(key) => key,
            None => self.new_key(scene, live, &epoch, commit)?,
        };
        // Rule 2 again: since this run was entered, a higher attempt may have been.
        if epoch.position() < self.promised(&scene.login, &key)? {
            let least = epoch.plan.attempt.saturating_add(1);
            return Err(Error::Denied(Denial::AttemptTooLow { least }));
        }
        for (height, certificate) in (0..).zip(&live.chain) {
            commit.put(key.object(), &super::keys::certificate_key(height), certificate.to_bytes());
        }
        key.record.pending.push(epoch.id);
        let space = key.space_of(epoch.id);
        commit.put(space, ATTEMPT, certificate.to_bytes());
        if let Some(share) = share {
            commit.put(space, SHARE, share.expose().to_vec());
        }
        commit.put(key.object(), CHAIN_CODE, chain_code.expose().to_vec());
        commit.put(key.object(), RECORD, key.record.encode());
        commit.event(key.epoch_event(EventKind::KeyPending, epoch.id)?.run(*epoch.run.as_bytes()));
        live.key = Some(key.id);
        Ok(())
    }

    /// A key that this token comes to know by the run: a new one, or one whose chain the invitation told.
    fn new_key(&self, scene: &Scene<'_>, live: &Live, epoch: &Epoch, commit: &mut Commit) -> Result<Key> {
        let me = whoami(&live.exchange.frame().members, &scene.login.card)?;
        let template = epoch.template();
        let record = KeyRecord {
            me,
            origin: Origin::Generated,
            standing: if live.parent.is_some() { Standing::Retired } else { Standing::Pending },
            forgetful: false,
            promise: epoch.position(),
            pending: Vec::new(),
            backed_up: Vec::new(),
            erased: Vec::new(),
            old: Vec::new(),
            operations: template.operations,
            export: template.export,
        };
        let key = Key { id: epoch.key, record, epoch: live.parent.as_ref().unwrap_or(epoch).clone() };
        commit.put(Space::Token, &index_key(key.id), Vec::new());
        Ok(key)
    }

    /// Keeps the highest states. A run that ends late has seen lower ones than a run that overtook it.
    fn remember_peers(&self, scene: &Scene<'_>, live: &Live, commit: &mut Commit) -> Result<()> {
        for (member, state) in &live.shown {
            let Some(card) = live.exchange.frame().members.card(*member) else { continue };
            let place = peer_key(card);
            let known = self.vault.get(&scene.login.unlocked, Space::Token, &place)?;
            let known = known.map(|known| PeerRecord::decode(&known)).transpose()?;
            if known.is_none_or(|known| (known.incarnation, known.counter) < (state.incarnation, state.counter)) {
                commit.put(Space::Token, &place, state.encode());
            }
        }
        Ok(())
    }

    /// What members say that they erased, each as it comes, once this member has the certificate itself.
    fn hear_confirmations(&self, scene: &Scene<'_>, live: &mut Live) -> Result<()> {
        let (Some(id), true) = (live.key, live.finished) else { return Ok(()) };
        let mut commit = Commit::default();
        let mut key = None;
        let heard: Vec<_> = live.exchange.of_round(CONFIRM).cloned().collect();
        for message in heard {
            // What this member erased itself was recorded with the certificate.
            let own = live.exchange.frame().me == Some(message.sender());
            if own || message.header.subject != Subject::Confirm || !live.confirmed.insert(message.sender()) {
                continue;
            }
            let Ok(confirmation) = decode_confirmation(message.sender(), &message.body) else { continue };
            let key = match &mut key {
                Some(key) => key,
                none => none.insert(self.load(&scene.login.unlocked, id)?.ok_or(Error::NotFound(id))?),
            };
            super::certify::confirm(&mut key.record, &confirmation);
        }
        if let Some(key) = key {
            key.save(&mut commit);
        }
        if commit.is_empty() { Ok(()) } else { self.commit(&scene.login.unlocked, commit) }
    }

    fn say(
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

    fn report(&self, live: &Live, progress: &mut Progress) {
        progress.done = live.exchange.current();
        progress.total = live.exchange.rounds();
        progress.awaiting = live.exchange.awaiting();
    }
}

impl Inner {
    /// Ends the runs of a session.
    pub(super) fn end_runs(&mut self, session: SessionId) {
        self.runs.retain(|_, live| live.session != session);
    }

    /// Ends a run.
    pub(super) fn end_run(&mut self, session: SessionId, run: RunId) -> Result<()> {
        match self.runs.get(&run) {
            Some(live) if live.session == session => {
                self.runs.remove(&run);
                Ok(())
            }
            _ => Err(Misuse::NoSuchRun(run).into()),
        }
    }

    /// Ends the signing runs of a key whose epoch is over: their nonces die with it.
    pub(super) fn end_signing(&mut self, key: KeyId) {
        self.runs.retain(|_, live| live.verb != Verb::Sign || live.key != Some(key) || live.finished);
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

fn dealing_rounds(plan: &DealPlan, participants: &Roster) -> Vec<Round> {
    let all: BTreeSet<_> = participants.identifiers().collect();
    let dealers = plan.dealers().identifiers().collect();
    let receivers = plan.receivers.identifiers().collect();
    vec![
        Round { senders: all.clone(), subject: Subject::Join },
        Round { senders: dealers, subject: Subject::Deal },
        Round { senders: all, subject: Subject::Certify },
        Round { senders: receivers, subject: Subject::Confirm },
    ]
}

/// The member whose card this is, to the byte: a card of another incarnation is another token.
fn whoami(members: &Roster, card: &Card) -> Result<Identifier> {
    let me = members.identifier_of(card.identity()).ok_or(Misuse::NotAMember)?;
    if members.card(me) == Some(card) { Ok(me) } else { Err(Misuse::NotAMember.into()) }
}

/// A refresh goes to the same members with the same threshold.
fn check_refresh(plan: &DealPlan, parent: &Epoch) -> Result<()> {
    let same = plan.threshold == parent.threshold() && plan.receivers.identifiers().eq(parent.roster().identifiers());
    if same { Ok(()) } else { Err(Misuse::Unsupported("other members or another threshold").into()) }
}

fn decode_position(bytes: &[u8]) -> Result<(u64, u32)> {
    let mut reader = Reader::new(bytes);
    let position = (reader.u64()?, reader.u32()?);
    reader.finish()?;
    Ok(position)
}

fn culprits_detail(mut writer: Writer) -> Vec<u8> {
    let mut detail = writer.finish();
    detail.truncate(512);
    detail
}

fn run_key(run: RunId) -> Vec<u8> {
    [RUN, run.as_bytes()].concat()
}

fn promise_key(key: KeyId) -> Vec<u8> {
    [PROMISE, key.as_bytes()].concat()
}

pub(super) fn override_key(run: RunId) -> Vec<u8> {
    [OVERRIDE, run.as_bytes()].concat()
}

fn peer_key(card: &Card) -> Vec<u8> {
    [PEER, card.identity()].concat()
}
