//! One run of a protocol: everybody's seat in it, what each said, and what each ended with.

use std::rc::Rc;

use quorumkey::{
    Batch, Certificate, Coordinator, Error, Identifier, Invitation, KeyInfo, Message, OfficerSession, Preprocessing,
    Protocol, ReconstructedKey, Run, Signature,
};

use super::cast::Stage;
use super::common::id;
use super::play::{Entered, Play};

/// What a run leads to.
#[derive(Debug)]
pub enum Output {
    Key(Box<KeyInfo>),
    Signature(Signature),
    Batch(Batch),
    Whole(Option<ReconstructedKey>),
}

impl From<KeyInfo> for Output {
    fn from(key: KeyInfo) -> Self {
        Self::Key(Box::new(key))
    }
}

impl From<Signature> for Output {
    fn from(signature: Signature) -> Self {
        Self::Signature(signature)
    }
}

impl From<Batch> for Output {
    fn from(batch: Batch) -> Self {
        Self::Batch(batch)
    }
}

impl From<Option<ReconstructedKey>> for Output {
    fn from(key: Option<ReconstructedKey>) -> Self {
        Self::Whole(key)
    }
}

/// A run of whatever protocol.
pub trait Role {
    fn hear(&mut self, message: &Message) -> Result<(), Error>;
    fn speak(&mut self) -> Option<Message>;
    fn output(&mut self) -> Option<Output>;
    fn awaits(&self) -> Vec<Identifier>;
    fn say_again(&mut self);
}

impl<P: Protocol> Role for Run<P>
where
    Output: From<P::Output>,
{
    fn hear(&mut self, message: &Message) -> Result<(), Error> {
        self.handle(message)
    }

    fn speak(&mut self) -> Option<Message> {
        self.poll_transmit()
    }

    fn output(&mut self) -> Option<Output> {
        self.poll_output().map(Output::from)
    }

    fn awaits(&self) -> Vec<Identifier> {
        self.progress().awaiting
    }

    fn say_again(&mut self) {
        self.resend();
    }
}

impl Role for Coordinator {
    fn hear(&mut self, message: &Message) -> Result<(), Error> {
        self.handle(message)
    }

    fn speak(&mut self) -> Option<Message> {
        None
    }

    fn output(&mut self) -> Option<Output> {
        self.poll_output().map(Output::from)
    }

    fn awaits(&self) -> Vec<Identifier> {
        self.awaiting()
    }

    fn say_again(&mut self) {}
}

/// Nobody's place among the people: who only listens.
const LISTENER: usize = usize::MAX;

/// Nonces that were made beforehand, and how.
pub struct Batched {
    /// They are gone with their runs.
    #[allow(dead_code, reason = "it is held")]
    pub kept: Vec<Run<Preprocessing>>,
    pub batch: Batch,
    pub invitation: Invitation,
    pub said: Vec<Message>,
}

/// Somebody's place in a run. A signature has one more than it has members: a coordinator's, which listens.
pub struct Seat {
    pub person: usize,
    pub id: Identifier,
    pub run: Option<Box<dyn Role>>,
    pub output: Option<Output>,
    pub failure: Option<Error>,
    /// Everything that it has said, once.
    pub said: Vec<Message>,
    /// Everything that its run looked at, once.
    pub heard: Vec<Message>,
    _officer: Option<OfficerSession>,
}

impl Seat {
    fn new(person: usize, number: u16, entered: Result<Entered, Error>) -> Self {
        let (run, officer, failure) = match entered {
            Ok(Entered { run, officer }) => (Some(run), officer, None),
            Err(error) => (None, None, Some(error)),
        };
        Self {
            person,
            id: id(number),
            run,
            output: None,
            failure,
            said: Vec::new(),
            heard: Vec::new(),
            _officer: officer,
        }
    }

    /// A coordinator, which says nothing.
    fn listening(invitation: &Invitation, chain: &[Certificate], batched: Option<&Batched>) -> Self {
        let coordinator = match batched {
            None => Coordinator::new(invitation, chain),
            Some(batched) => Coordinator::prepared(invitation, chain, &batched.invitation, &batched.said),
        };
        let entered = coordinator.map(|run| Entered { run: Box::new(run), officer: None });
        Self::new(LISTENER, 999, entered)
    }

    pub fn listens(&self) -> bool {
        self.person == LISTENER
    }

    pub fn hear(&mut self, message: &Message) {
        let Some(run) = &mut self.run else { return };
        if self.failure.is_some() {
            return;
        }
        let result = run.hear(message);
        if self.output.is_none() && !self.heard.contains(message) && looked_at(&result) {
            self.heard.push(message.clone());
        }
        match result {
            Ok(()) => self.output = run.output().or(self.output.take()),
            Err(Error::Rejected(_)) => {}
            Err(error) => self.failure = Some(error),
        }
    }

    /// What it has to say now, also after it failed.
    pub fn speak(&mut self) -> Vec<Message> {
        let said: Vec<_> = self.run.iter_mut().flat_map(|run| std::iter::from_fn(|| run.speak())).collect();
        for message in &said {
            if !self.said.contains(message) {
                self.said.push(message.clone());
            }
        }
        said
    }
}

/// Whether a run kept a message, or broke off over it. What speaks of another suite, key or epoch is not of the run,
/// whatever it calls itself; nothing is kept of a round that can't have begun, so that nobody fills the memory, and whoever
/// says the like in its time is heard then; and a run that was ended from elsewhere looks at nothing more.
pub const fn looked_at(result: &Result<(), Error>) -> bool {
    matches!(result, Ok(()) | Err(Error::PeerMisbehaved { .. } | Error::RolledBack { .. }))
}

pub struct Scene {
    pub play: Play,
    pub invitation: Invitation,
    /// The certificates that lead to the epoch at work, which need not be the first.
    pub chain: Vec<Certificate>,
    pub seats: Vec<Seat>,
    pub batched: Option<Rc<Batched>>,
    /// Everything that was delivered to anybody, forged or not, each once.
    pub wire: Vec<Message>,
}

/// What goes from one seat to another.
#[derive(Clone, Copy)]
pub struct Passing<'a> {
    pub from: usize,
    pub to: usize,
    pub message: &'a Message,
    /// Everything that is said at the same time: an attacker hears the others first.
    pub said: &'a [(usize, Message)],
}

/// Changes what is on its way.
pub type Wire<'a> = &'a mut dyn FnMut(Passing<'_>) -> Vec<Message>;

impl Scene {
    pub fn new(stage: &Stage, play: Play) -> Self {
        let batched = play.prelude(stage);
        let invitation = play.propose(stage, batched.as_deref()).unwrap();
        Self::of(stage, play, invitation, batched)
    }

    /// A run of that invitation, which somebody may have forged.
    pub fn of(stage: &Stage, play: Play, invitation: Invitation, batched: Option<Rc<Batched>>) -> Self {
        let mut scene = Self::among(stage, play, invitation, play.people());
        if play.signs() {
            scene.seats.push(Seat::listening(&scene.invitation, &scene.chain, batched.as_deref()));
        }
        Self { batched, ..scene }
    }

    /// A run among these people, with their numbers.
    pub fn among(stage: &Stage, play: Play, invitation: Invitation, people: &[(usize, u16)]) -> Self {
        // Before anybody enters: the first person, who proposes, has the epoch that the plan speaks of.
        let chain = if play.makes_a_key() { Vec::new() } else { stage.certificates() };
        let enter =
            |(person, number): &(usize, u16)| Seat::new(*person, *number, play.enter(stage, *person, &invitation));
        let seats = people.iter().map(enter).collect();
        Self { play, invitation, chain, seats, batched: None, wire: Vec::new() }
    }

    pub fn deliver(&mut self, to: usize, message: &Message) {
        if !self.wire.contains(message) {
            self.wire.push(message.clone());
        }
        self.seats[to].hear(message);
    }

    /// Hands messages around until nobody has more to say.
    pub fn run(&mut self, wire: Wire<'_>) {
        loop {
            let said: Vec<_> = self
                .seats
                .iter_mut()
                .enumerate()
                .flat_map(|(from, seat)| seat.speak().into_iter().map(move |one| (from, one)))
                .collect();
            if said.is_empty() {
                return;
            }
            for (from, message) in &said {
                for to in (0..self.seats.len()).filter(|to| to != from) {
                    for one in wire(Passing { from: *from, to, message, said: &said }) {
                        self.deliver(to, &one);
                    }
                }
            }
        }
    }

    pub fn undisturbed(&mut self) {
        self.run(&mut |passing| vec![passing.message.clone()]);
    }
}
