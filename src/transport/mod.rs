//! Getting messages to the other members, and driving a run with them.
//!
//! A transport may lose, delay, repeat, reorder and change what it carries, and invent more: a run sorts that out. What it
//! cannot do without is that messages arrive in the end.

mod bus;

use core::time::Duration;
use std::time::Instant;

pub use bus::{Bus, Endpoint, Faults};

use crate::keystore::{Error, Protocol, Result, Run, RunProgress};
use crate::wire::Message;

/// Carries one member's messages to all the others, and theirs to it.
///
/// ```
/// use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
/// use std::time::Duration;
///
/// use quorumkey::transport::Transport;
/// use quorumkey::{Message, Result};
///
/// /// Bytes over channels.
/// struct Wire {
///     to: Vec<Sender<Vec<u8>>>,
///     from: Receiver<Vec<u8>>,
/// }
///
/// impl Transport for Wire {
///     fn send(&mut self, message: &Message) -> Result<()> {
///         // Who is gone gets nothing; the deadline says so.
///         self.to.iter().for_each(|other| drop(other.send(message.to_bytes())));
///         Ok(())
///     }
///
///     fn receive(&mut self, timeout: Duration) -> Result<Option<Message>> {
///         match self.from.recv_timeout(timeout) {
///             Ok(bytes) => Ok(Message::from_bytes(&bytes).ok()),
///             Err(RecvTimeoutError::Timeout) => Ok(None),
///             Err(RecvTimeoutError::Disconnected) => {
///                 std::thread::sleep(timeout);
///                 Ok(None)
///             }
///         }
///     }
/// }
/// ```
pub trait Transport {
    /// Sends a message to every other member of its run.
    ///
    /// # Errors
    ///
    /// Only when nothing will be sent any more; what is lost is sent again.
    fn send(&mut self, message: &Message) -> Result<()>;

    /// The next message that arrives within that time, or `None`.
    ///
    /// # Errors
    ///
    /// Only when nothing will arrive any more. Bytes that are no message are for the transport to drop.
    fn receive(&mut self, timeout: Duration) -> Result<Option<Message>>;
}

/// How patient a driver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// When a run that has no output ends with [`Absent`](crate::Error::Absent).
    pub deadline: Duration,
    /// How often everything is sent again while the run waits.
    pub resend: Duration,
    /// How long a run goes on answering after its own output: another member may still lack its last message.
    pub linger: Duration,
}

impl Default for Patience {
    /// One minute, twice a second, two seconds.
    fn default() -> Self {
        Self { deadline: Duration::from_secs(60), resend: Duration::from_millis(500), linger: Duration::from_secs(2) }
    }
}

/// What a driven run led to.
#[derive(Debug)]
pub struct Driven<O> {
    /// The output.
    pub output: O,
    /// How many messages were given to the run and changed nothing: repeats aside, those of strangers and other runs.
    pub rejected: u64,
}

/// Drives a run to its output: sends what it says, gives it what arrives, sends again, and lingers.
///
/// The clock is the caller's thread's. A failed run's last words are sent before its error is returned.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use std::thread;
/// use std::time::Duration;
///
/// use quorumkey::transport::{Bus, Faults, Patience, drive};
///
/// let members = three();
/// let invitation = invitation(&members);
/// // A bus that loses every tenth message, and repeats every tenth.
/// let bus = Bus::new(7, Faults { drop: 10, duplicate: 10, ..Faults::default() });
/// let patience = Patience { resend: Duration::from_millis(50), ..Patience::default() };
/// let ends: Vec<_> = members.iter().map(|_| bus.endpoint()).collect();
/// let keys: Vec<_> = thread::scope(|scope| {
///     let threads: Vec<_> = members
///         .iter()
///         .zip(ends)
///         .map(|(member, mut end)| {
///             let mut run = member.start(&invitation).unwrap();
///             scope.spawn(move || drive(&mut run, &mut end, patience))
///         })
///         .collect();
///     threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<_, _>>()
/// })?;
/// assert!(keys.iter().all(|driven| driven.output.epoch == keys[0].output.epoch));
/// # Ok::<(), quorumkey::Error>(())
/// ```
///
/// # Errors
///
/// [`Absent`](crate::Error::Absent), with whose messages are missing, at the deadline; else what the run or the transport
/// says.
pub fn drive<P: Protocol>(
    run: &mut Run<P>,
    transport: &mut impl Transport,
    patience: Patience,
) -> Result<Driven<P::Output>> {
    drive_watched(run, transport, patience, |_| {})
}

/// [`drive`] that tells how far the run has got: once at the start, and whenever a message has changed it.
///
/// [`RunProgress`] has how many rounds are done, and whom the current one waits for: of *n* other members
/// `n - awaiting.len()` have spoken in it.
///
/// # Errors
///
/// As [`drive`].
pub fn drive_watched<P: Protocol>(
    run: &mut Run<P>,
    transport: &mut impl Transport,
    patience: Patience,
    mut watch: impl FnMut(&RunProgress),
) -> Result<Driven<P::Output>> {
    let mut shown = run.progress();
    watch(&shown);
    let start = Instant::now();
    let mut loop_state = Loop { resent: start, rejected: 0 };
    let output = loop {
        let left = patience.deadline.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(run.absent());
        }
        loop_state.step(run, transport, patience.resend, left)?;
        let progress = run.progress();
        if progress != shown {
            watch(&progress);
            shown = progress;
        }
        if let Some(output) = run.poll_output() {
            break output;
        }
    };
    let end = Instant::now();
    // The output is there, whatever becomes of the others: an error ends the answering only.
    while !is_complete(run) {
        let left = patience.linger.saturating_sub(end.elapsed());
        if left.is_zero() || loop_state.step(run, transport, patience.resend, left).is_err() {
            break;
        }
    }
    let _ = flush(run, transport);
    Ok(Driven { output, rejected: loop_state.rejected })
}

struct Loop {
    resent: Instant,
    rejected: u64,
}

impl Loop {
    /// Sends what there is, waits for one message, for as long as is `left` at most, and gives it to the run.
    fn step<P: Protocol>(
        &mut self,
        run: &mut Run<P>,
        transport: &mut impl Transport,
        resend: Duration,
        left: Duration,
    ) -> Result<()> {
        flush(run, transport)?;
        let wait = resend.saturating_sub(self.resent.elapsed()).min(left);
        match transport.receive(wait)?.map(|message| run.handle(&message)) {
            None | Some(Ok(())) => {}
            Some(Err(Error::Rejected(_))) => self.rejected += 1,
            Some(Err(error)) => {
                flush(run, transport)?;
                return Err(error);
            }
        }
        // By the clock, whatever arrived: a flood of strangers' messages must not keep this member silent.
        if self.resent.elapsed() >= resend {
            run.resend();
            self.resent = Instant::now();
        }
        Ok(())
    }
}

/// Whether everybody has said that it has its output. Of a signature nobody says so: having every share here does not
/// mean that this member's share has arrived there.
fn is_complete<P: Protocol>(run: &Run<P>) -> bool {
    let progress = run.progress();
    P::CONFIRMS && progress.awaiting.is_empty() && progress.done >= progress.total
}

fn flush<P: Protocol>(run: &mut Run<P>, transport: &mut impl Transport) -> Result<()> {
    while let Some(message) = run.poll_transmit() {
        transport.send(&message)?;
    }
    Ok(())
}
