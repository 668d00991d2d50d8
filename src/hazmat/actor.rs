//! Members without tokens: a protocol's machine behind the exchange, driven as the engine drives it. Nothing is stored, so
//! ten thousand of their runs take no longer than some hundred of tokens'.

use std::collections::VecDeque;
use std::sync::Arc;

use getrandom::SysRng;
use rand_core::{CryptoRng, UnwrapErr};

use super::samples::{SampleDealing, sample_dealing};
use crate::keystore::{Error, Misuse};
use crate::protocol::{
    Accepted, Certificate, Effect, Epoch, Exchange, Failure, Halt, LastWords, Machine, Refused, Rejection, Setup,
    SignSetup, Stock, Transition, exchange_of, prepare, start_dealing, start_signing, verify_chain, verifying_key,
};
use crate::secret::Secret;
use crate::suite::{GroupKey, Signature, Suite, VerifyingKey};
use crate::wire::{
    Action, DealPlan, Derivation, EpochId, Identifier, IdentityKey, Invitation, KeyTemplate, Message, Party, Plan,
    PreparePlan, Prepared, RunId, SignPlan, Source, Subject,
};

/// Three members with a 2-of-3 key, whose secrets lie in ordinary memory.
#[derive(Debug)]
pub struct Troupe {
    /// The members' identity seeds.
    pub seeds: Vec<[u8; 32]>,
    /// What proves the key.
    pub chain: Vec<Certificate>,
    /// What the key's signatures verify under.
    pub verifying_key: VerifyingKey,
    identities: Vec<Arc<IdentityKey>>,
    shares: Vec<[u8; 32]>,
    epoch: Epoch,
    template: KeyTemplate,
}

/// Nonces that a troupe made beforehand, each member its own.
#[derive(Debug)]
pub struct Stocked {
    batch: RunId,
    stocks: Vec<Box<dyn Stock>>,
    /// What was said in the run that made them.
    pub said: Vec<Message>,
}

/// What a run of actors led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// A signature.
    Signature(Signature),
    /// A key that is certified, and this member's share of it.
    Key {
        /// The epoch.
        epoch: EpochId,
        /// The key.
        group_key: GroupKey,
        /// The share.
        share: [u8; 32],
    },
}

/// One member in one run.
#[derive(Debug)]
pub struct Actor {
    exchange: Exchange,
    machine: Option<Box<dyn Machine>>,
    identity: Arc<IdentityKey>,
    counter: u64,
    outgoing: VecDeque<Message>,
    sent: Vec<Message>,
    share: Option<[u8; 32]>,
    stock: Option<Box<dyn Stock>>,
    output: Option<Made>,
    finished: bool,
    dead: bool,
}

impl Troupe {
    /// Makes the key.
    ///
    /// # Errors
    ///
    /// What went wrong, in words: nothing does, unless the protocol is changed.
    pub fn new(suite: Suite, rng: &mut dyn CryptoRng) -> Result<Self, &'static str> {
        let SampleDealing { seeds, certificate, shares, .. } = sample_dealing(suite, rng)?;
        let chain = vec![Certificate::from_bytes(&certificate).map_err(|_| "certificate")?];
        let epoch = verify_chain(&chain).map_err(|_| "chain")?;
        let identities: Vec<_> =
            seeds.iter().map(|seed| Arc::new(IdentityKey::from_seed(Secret::new(*seed)))).collect();
        let template = epoch.template().clone();
        let plan = sign_plan(&epoch, &[]);
        let verifying_key = verifying_key(&plan, &epoch).ok_or("key")?;
        Ok(Self { seeds, chain, verifying_key, identities, shares, epoch, template })
    }

    /// All three sign. The first invites.
    ///
    /// # Errors
    ///
    /// As those of a run that can't begin.
    pub fn sign(&self, message: &[u8]) -> Result<(Invitation, Vec<Actor>), Error> {
        let plan = sign_plan(&self.epoch, message);
        let invitation = self.invite(Action::Sign(plan.clone()))?;
        let enter = |((me, share), identity): ((Identifier, &[u8; 32]), &Arc<IdentityKey>)| {
            let run = invitation.run_id();
            let share = Some(Secret::new(*share));
            let setup = SignSetup { run, plan: plan.clone(), epoch: self.epoch.clone(), me: Some(me), share };
            let (machine, body) = start_signing(setup, &mut rng())?;
            let exchange = self.exchange(&invitation, me);
            Ok(Actor::enter(exchange, Some(machine), identity, body.map(|body| (Subject::Commit, body))))
        };
        let actors = self.members().map(enter).collect::<Result<_, Error>>()?;
        Ok((invitation, actors))
    }

    /// All three make nonces for so many signatures, which nobody disturbs. The first invites.
    ///
    /// # Errors
    ///
    /// As those of a run that can't begin.
    pub fn prepare(&self, count: u16) -> Result<Stocked, Error> {
        let plan = PreparePlan { party: sign_plan(&self.epoch, &[]).party, count };
        let invitation = self.invite(Action::Prepare(plan.clone()))?;
        let enter = |((me, share), identity): ((Identifier, &[u8; 32]), &Arc<IdentityKey>)| {
            let (machine, body) = prepare(&plan, &Secret::new(*share), &mut rng())?;
            let exchange = self.exchange(&invitation, me);
            Ok(Actor::enter(exchange, Some(machine), identity, Some((Subject::Prepare, body))))
        };
        let mut actors = self.members().map(enter).collect::<Result<Vec<_>, Error>>()?;
        let mut said = Vec::new();
        for _round in [Subject::Prepare, Subject::Ready] {
            let now: Vec<_> = actors.iter_mut().filter_map(Actor::poll_transmit).collect();
            for message in &now {
                actors.iter_mut().try_for_each(|actor| actor.handle(message))?;
            }
            said.extend(now);
        }
        let stocks = actors.into_iter().map(|actor| actor.stock.ok_or(Misuse::NoNonces));
        Ok(Stocked { batch: invitation.run_id(), stocks: stocks.collect::<Result<_, _>>()?, said })
    }

    /// All three sign with the nonces of that number; whoever has them no more does not take part. The first invites.
    ///
    /// # Errors
    ///
    /// As those of a run that can't begin.
    pub fn sign_prepared(
        &self,
        stocked: &mut Stocked,
        index: u16,
        message: &[u8],
    ) -> Result<(Invitation, Vec<Actor>), Error> {
        let prepared = Some(Prepared { batch: stocked.batch, index });
        let plan = SignPlan { prepared, ..sign_plan(&self.epoch, message) };
        let invitation = self.invite(Action::Sign(plan.clone()))?;
        let mut actors = Vec::new();
        for (((me, share), identity), stock) in self.members().zip(&mut stocked.stocks) {
            let (run, share) = (invitation.run_id(), Some(Secret::new(*share)));
            let setup = SignSetup { run, plan: plan.clone(), epoch: self.epoch.clone(), me: Some(me), share };
            let exchange = self.exchange(&invitation, me);
            let (machine, first) = match stock.take(setup, index) {
                Some(machine) => {
                    let Transition { next, send, .. } = machine.handle(&[], &mut rng())?;
                    (Some(next), send)
                }
                None => (None, None),
            };
            actors.push(Actor::enter(exchange, machine, identity, first));
        }
        Ok((invitation, actors))
    }

    /// All three make another key. The first invites.
    ///
    /// # Errors
    ///
    /// As those of a run that can't begin.
    pub fn deal(&self) -> Result<(Invitation, Vec<Actor>), Error> {
        let (suite, receivers) = (self.epoch.suite(), self.epoch.roster().clone());
        let template = self.template.clone();
        let deal = DealPlan { suite, threshold: 2, height: 0, attempt: 0, template, receivers, source: Source::Fresh };
        let invitation = self.invite(Action::Deal(deal.clone()))?;
        let enter = |(me, identity): (Identifier, &Arc<IdentityKey>)| {
            let (participants, identity) = (self.epoch.roster().clone(), Arc::clone(identity));
            let exchange = self.exchange(&invitation, me);
            let (plan, deal) = (invitation.plan.clone(), deal.clone());
            let (succession, importing) = (None, None);
            let actor = Arc::clone(&identity);
            let setup = Setup { plan, deal, participants, me, identity, succession, importing };
            let (machine, body) = start_dealing(setup, &mut rng())?;
            Ok(Actor::enter(exchange, Some(machine), &actor, Some((Subject::Join, body))))
        };
        let members = self.epoch.roster().identifiers().zip(&self.identities);
        let actors = members.map(enter).collect::<Result<_, Error>>()?;
        Ok((invitation, actors))
    }

    fn members(&self) -> impl Iterator<Item = ((Identifier, &[u8; 32]), &Arc<IdentityKey>)> {
        self.epoch.roster().identifiers().zip(&self.shares).zip(&self.identities)
    }

    fn exchange(&self, invitation: &Invitation, me: Identifier) -> Exchange {
        exchange_of(&invitation.plan, Some(me), self.epoch.roster().clone())
    }

    fn invite(&self, action: Action) -> Result<Invitation, Error> {
        let (inviter, identity) =
            self.epoch.roster().identifiers().zip(&self.identities).next().ok_or(Misuse::NotAMember)?;
        let mut randomness = [0; 32];
        rand_core::Rng::fill_bytes(&mut rng(), &mut randomness);
        Ok(Invitation::issue(Plan { inviter, randomness, action }, Vec::new(), identity))
    }
}

impl Actor {
    fn enter(
        exchange: Exchange,
        machine: Option<Box<dyn Machine>>,
        identity: &Arc<IdentityKey>,
        first: Option<(Subject, Vec<u8>)>,
    ) -> Self {
        let mut actor = Self {
            dead: machine.is_none(),
            exchange,
            machine,
            identity: Arc::clone(identity),
            counter: 0,
            outgoing: VecDeque::new(),
            sent: Vec::new(),
            share: None,
            stock: None,
            output: None,
            finished: false,
        };
        if let Some((subject, body)) = first {
            actor.say(subject, body);
        }
        actor
    }

    /// The next message for every other member.
    pub fn poll_transmit(&mut self) -> Option<Message> {
        self.outgoing.pop_front()
    }

    /// What the run led to, once.
    pub const fn poll_output(&mut self) -> Option<Made> {
        self.output.take()
    }

    /// Whom it waits for.
    pub fn awaiting(&self) -> Vec<Identifier> {
        self.exchange.awaiting()
    }

    /// Says everything again.
    pub fn resend(&mut self) {
        self.outgoing = self.sent.iter().cloned().collect();
    }

    /// Takes a message that arrived.
    ///
    /// # Errors
    ///
    /// As those of a [`Run`](crate::Run).
    pub fn handle(&mut self, message: &Message) -> Result<(), Error> {
        if self.dead {
            return Err(Misuse::NoSuchRun(message.run_id()).into());
        }
        let result = self.work(message);
        self.dead = matches!(&result, Err(error) if !matches!(error, Error::Rejected(_)));
        result
    }

    fn work(&mut self, message: &Message) -> Result<(), Error> {
        let accepted = match self.exchange.accept(message) {
            Err(Refused::Failed(_)) if self.finished => return Err(Error::Rejected(Rejection::Unexpected)),
            accepted => self.or_fail(accepted)?,
        };
        self.dispute(accepted);
        while let Some(round) = self.exchange.take_round() {
            let Some(machine) = self.machine.take() else { break };
            let transition = match machine.handle(&round, &mut rng()) {
                Ok(transition) => transition,
                Err(Halt::Failed(failure)) => return Err(self.fail(*failure)),
                Err(halt) => return Err(halt.into()),
            };
            self.machine = Some(transition.next);
            self.settle(transition.effect)?;
            if let Some((subject, body)) = transition.send {
                self.say(subject, body);
            }
            let early = self.exchange.compare_early();
            let early = self.or_fail(early)?;
            self.dispute(early);
        }
        Ok(())
    }

    fn settle(&mut self, effect: Effect) -> Result<(), Error> {
        match effect {
            Effect::Signed(signature) => self.finish(Made::Signature(signature)),
            Effect::Stocked(stock) => self.stock = Some(stock),
            Effect::Pending(pending) => self.share = pending.share.as_ref().map(|share| *share.expose()),
            Effect::Certified(certificate) => {
                let epoch = certificate.verify(None)?;
                let share = self.share.take().ok_or(Misuse::NoShare)?;
                self.finish(Made::Key { epoch: epoch.id, group_key: epoch.group_key, share });
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, made: Made) {
        self.output = Some(made);
        self.finished = true;
        self.machine = None;
    }

    fn or_fail<T>(&mut self, result: Result<T, Refused>) -> Result<T, Error> {
        match result {
            Ok(value) => Ok(value),
            Err(Refused::Failed(failure)) => Err(self.fail(*failure)),
            Err(refused) => Err(refused.into()),
        }
    }

    fn dispute(&mut self, accepted: Accepted) {
        if let Accepted::Disputed { round, body } = accepted {
            self.say_in(round, Subject::Dispute, body);
        }
    }

    /// Says the run's last words.
    fn fail(&mut self, mut failure: Failure) -> Error {
        let (current, before) = (self.exchange.current(), self.exchange.current().saturating_sub(1));
        match failure.last_words.take() {
            Some(LastWords::Dispute { round, body }) => self.say_in(round, Subject::Dispute, body),
            Some(LastWords::Accuse(body)) => {
                self.say_in(current, Subject::Accuse, body);
                if let Some(body) = self.exchange.seen(before) {
                    self.say_in(before, Subject::Dispute, body);
                }
            }
            None => {}
        }
        failure.into()
    }

    fn say(&mut self, subject: Subject, body: Vec<u8>) {
        self.say_in(self.exchange.current(), subject, body);
    }

    fn say_in(&mut self, round: u8, subject: Subject, body: Vec<u8>) {
        self.counter += 1;
        let Some(header) = self.exchange.header(round, subject, self.counter, [0; 32]) else { return };
        let message = Message::issue(header, body, &self.identity);
        self.exchange.sent(&message);
        self.sent.push(message.clone());
        self.outgoing.push_back(message);
    }
}

fn rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

fn sign_plan(epoch: &Epoch, message: &[u8]) -> SignPlan {
    let party = Party {
        suite: epoch.suite(),
        key: epoch.key,
        epoch: epoch.id,
        roster: epoch.roster_hash,
        purpose: epoch.template().purpose.clone(),
        signers: epoch.roster().identifiers().collect(),
    };
    SignPlan { party, derivation: Derivation::default(), offset: None, prepared: None, message: message.to_vec() }
}
