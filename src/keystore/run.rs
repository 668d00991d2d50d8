//! A member's handle on a run.

use core::fmt::Debug;
use core::marker::PhantomData;
use std::collections::VecDeque;
use std::sync::Arc;

use super::error::{Error, Result};
use super::object::KeyInfo;
use super::reconstructed::ReconstructedKey;
use super::token::{Batch, Output, Progress, SessionId, Token};
use crate::suite::Signature;
use crate::wire::{Identifier, Message, RunId};

/// What a run is of.
pub trait Protocol: Debug + Send + 'static {
    /// What it leads to.
    type Output: Debug + Send;

    /// Whether the members confirm their output to each other, so that who has heard them all need not linger.
    #[doc(hidden)]
    const CONFIRMS: bool;

    /// The output, if it is of this kind.
    #[doc(hidden)]
    fn output(output: Output) -> Option<Self::Output>;
}

/// Shares are dealt: a new key, or new shares of one.
#[derive(Debug)]
pub struct Dealing;

impl Protocol for Dealing {
    type Output = KeyInfo;
    const CONFIRMS: bool = true;

    fn output(output: Output) -> Option<KeyInfo> {
        match output {
            Output::Key(key) => Some(*key),
            Output::Signature(_) | Output::Reconstructed(_) | Output::Batch(_) => None,
        }
    }
}

/// A signature.
#[derive(Debug)]
pub struct Signing;

impl Protocol for Signing {
    type Output = Signature;
    const CONFIRMS: bool = false;

    fn output(output: Output) -> Option<Signature> {
        match output {
            Output::Key(_) | Output::Reconstructed(_) | Output::Batch(_) => None,
            Output::Signature(signature) => Some(signature),
        }
    }
}

/// A key is put together again. The output is the key, for the member that gets it; the others get `None` once it has it.
#[derive(Debug)]
pub struct Reconstructing;

impl Protocol for Reconstructing {
    type Output = Option<ReconstructedKey>;
    const CONFIRMS: bool = false;

    fn output(output: Output) -> Option<Option<ReconstructedKey>> {
        match output {
            Output::Key(_) | Output::Signature(_) | Output::Batch(_) => None,
            Output::Reconstructed(key) => Some(key.map(|key| *key)),
        }
    }
}

/// Nonces are made beforehand. The run keeps them: keep it as long as they shall be there.
#[derive(Debug)]
pub struct Preprocessing;

impl Protocol for Preprocessing {
    type Output = Batch;
    const CONFIRMS: bool = false;

    fn output(output: Output) -> Option<Batch> {
        match output {
            Output::Key(_) | Output::Signature(_) | Output::Reconstructed(_) => None,
            Output::Batch(batch) => Some(batch),
        }
    }
}

/// A run of a session. It holds no secret, and dies with [`LoggedOut`](crate::Error::LoggedOut) when its session ends.
/// When it is dropped, the token forgets what it held for it.
///
/// Send what [`poll_transmit`](Self::poll_transmit) gives to every other member of the run, give every message that
/// arrives to [`handle`](Self::handle), and look for the output after each. Repeats, reordering and strangers' messages
/// do no harm. [`transport::drive`](crate::transport::drive) does all that.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// let [anna, ben] = [member(), member()];
/// let members = [anna, ben];
/// let invitation = invitation(&members);
/// let [mut a, mut b] = [members[0].start(&invitation)?, members[1].start(&invitation)?];
/// let key = loop {
///     // In life a network is between the two.
///     while let Some(message) = a.poll_transmit() {
///         b.handle(&message)?;
///     }
///     while let Some(message) = b.poll_transmit() {
///         a.handle(&message)?;
///     }
///     if let Some(key) = a.poll_output() {
///         break key;
///     }
/// };
/// assert_eq!(key.threshold, 2);
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a run that is dropped has ended"]
pub struct Run<P: Protocol> {
    token: Arc<dyn Token>,
    session: SessionId,
    id: RunId,
    outgoing: VecDeque<Message>,
    sent: Vec<Message>,
    done: u8,
    total: u8,
    awaiting: Vec<Identifier>,
    output: Option<P::Output>,
    protocol: PhantomData<fn() -> P>,
}

/// How far a run has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunProgress {
    /// Rounds that are done.
    pub done: u8,
    /// Rounds that there are.
    pub total: u8,
    /// Whose messages the current round waits for.
    pub awaiting: Vec<Identifier>,
}

impl<P: Protocol> Run<P> {
    pub(super) fn new(token: Arc<dyn Token>, session: SessionId, id: RunId, progress: Progress) -> Self {
        let mut run = Self {
            token,
            session,
            id,
            outgoing: VecDeque::new(),
            sent: Vec::new(),
            done: 0,
            total: 0,
            awaiting: Vec::new(),
            output: None,
            protocol: PhantomData,
        };
        run.note(progress);
        run
    }

    /// The name of the run; messages carry it.
    pub const fn id(&self) -> RunId {
        self.id
    }

    /// The next message for every other member of the run. Call it until it gives none, after the start and after each
    /// [`handle`](Self::handle), also after one that failed: a run's last words may name the culprit to others.
    pub fn poll_transmit(&mut self) -> Option<Message> {
        self.outgoing.pop_front()
    }

    /// Has everything that this run has said given by [`poll_transmit`](Self::poll_transmit) again, byte for byte: for
    /// members that may not have got it.
    pub fn resend(&mut self) {
        self.outgoing = self.sent.iter().cloned().collect();
    }

    /// Takes a message that arrived.
    ///
    /// # Errors
    ///
    /// [`Rejected`](crate::Error::Rejected) changes nothing, and the run goes on: anybody can send such bytes. After any
    /// other error the run is dead.
    ///
    /// In a renewal the others' first messages may lead to [`Denied`](crate::Error::Denied):
    /// [`RestoredNeedsQuorum`](crate::Denial::RestoredNeedsQuorum),
    /// [`AttemptTooLow`](crate::Denial::AttemptTooLow), [`AttemptNotEnded`](crate::Denial::AttemptNotEnded) or
    /// [`TooManyAttempts`](crate::Denial::TooManyAttempts), before anything is dealt. What this token has learned or
    /// signed in another run meanwhile is told as by [`Session::start`](crate::Session::start).
    pub fn handle(&mut self, message: &Message) -> Result<()> {
        let progress = self.token.advance(self.session, self.id, message)?;
        match self.note(progress) {
            None => Ok(()),
            Some(Err(error)) => Err(error),
            Some(Ok(output)) => {
                self.output = P::output(output);
                Ok(())
            }
        }
    }

    /// How far it has got, and whom it waits for.
    pub fn progress(&self) -> RunProgress {
        RunProgress { done: self.done, total: self.total, awaiting: self.awaiting.clone() }
    }

    /// The output, once. The run goes on answering after it, for members that still lack something.
    pub fn poll_output(&mut self) -> Option<P::Output> {
        self.output.take()
    }

    /// Ends the run, and reports. Dropping it ends it too.
    pub fn abort(self) -> Result<()> {
        self.token.abort(self.session, self.id)
        // The drop that follows finds the run gone.
    }

    /// Why the run ends when nobody answers any more.
    pub(crate) fn absent(&self) -> Error {
        Error::Absent { awaiting: self.awaiting.clone() }
    }

    fn note(&mut self, progress: Progress) -> Option<Result<Output>> {
        let Progress { outgoing, done, total, awaiting, outcome } = progress;
        self.sent.extend(outgoing.iter().cloned());
        self.outgoing.extend(outgoing);
        (self.done, self.total, self.awaiting) = (done, total, awaiting);
        outcome
    }
}

impl<P: Protocol> Drop for Run<P> {
    fn drop(&mut self) {
        // Nobody can give it messages any more: its secrets go now, not with the session. It may be over already.
        let _ = self.token.abort(self.session, self.id);
    }
}
