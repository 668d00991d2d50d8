//! A bus in memory that misbehaves by a seed.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Transport;
use crate::keystore::Result;
use crate::wire::Message;

/// What a bus does to messages, each as a number of times in a hundred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Lost.
    pub drop: u8,
    /// Delivered twice.
    pub duplicate: u8,
    /// Put before messages that were sent earlier.
    pub reorder: u8,
    /// Held back until something else is sent.
    pub delay: u8,
}

/// A bus that carries every message from one endpoint to all the others. For tests, examples, and members in one process.
///
/// With the same seed and the same order of calls the same messages suffer.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::transport::{Bus, Transport};
///
/// let bus = Bus::reliable();
/// let (mut one, mut other) = (bus.endpoint(), bus.endpoint());
/// let members = three();
/// let mut run = members[0].start(&invitation(&members))?;
/// let join = run.poll_transmit().expect("a run begins with a message");
/// one.send(&join)?;
/// assert_eq!(other.try_receive(), Some(join));
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Clone)]
pub struct Bus(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    faults: Faults,
    random: u64,
    queues: BTreeMap<usize, Vec<Message>>,
    held: Vec<(usize, Message)>,
    endpoints: usize,
}

impl Bus {
    /// A bus that loses nothing.
    pub fn reliable() -> Self {
        Self::new(0, Faults::default())
    }

    /// A bus with those faults.
    pub fn new(seed: u64, faults: Faults) -> Self {
        let state = State { faults, random: seed, queues: BTreeMap::new(), held: Vec::new(), endpoints: 0 };
        Self(Arc::new(Shared { state: Mutex::new(state), arrived: Condvar::new() }))
    }

    /// A new member's end of the bus. It receives what is sent from now on by the others.
    pub fn endpoint(&self) -> Endpoint {
        let mut state = self.lock();
        let place = state.endpoints;
        state.endpoints += 1;
        state.queues.insert(place, Vec::new());
        Endpoint { bus: self.clone(), place }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `SplitMix64`: good enough to choose victims with.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn happens(&mut self, percent: u8) -> bool {
        percent > 0 && self.next() % 100 < u64::from(percent)
    }

    fn send(&mut self, from: usize, message: &Message) {
        for (place, held) in core::mem::take(&mut self.held) {
            self.deliver(place, held);
        }
        let places: Vec<_> = self.queues.keys().copied().filter(|place| *place != from).collect();
        for place in places {
            if self.happens(self.faults.drop) {
                continue;
            }
            let copies = if self.happens(self.faults.duplicate) { 2 } else { 1 };
            for _ in 0..copies {
                if self.happens(self.faults.delay) {
                    self.held.push((place, message.clone()));
                } else {
                    self.deliver(place, message.clone());
                }
            }
        }
    }

    fn deliver(&mut self, place: usize, message: Message) {
        let reorders = self.happens(self.faults.reorder);
        let random = self.next();
        let Some(queue) = self.queues.get_mut(&place) else { return };
        let len = u64::try_from(queue.len()).unwrap_or(u64::MAX);
        let at = if reorders { usize::try_from(random % (len + 1)).unwrap_or(0) } else { queue.len() };
        queue.insert(at.min(queue.len()), message);
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").finish_non_exhaustive()
    }
}

/// One member's end of a [`Bus`].
#[derive(Debug)]
pub struct Endpoint {
    bus: Bus,
    place: usize,
}

impl Endpoint {
    /// The next message, if one is there.
    pub fn try_receive(&mut self) -> Option<Message> {
        take(&mut self.bus.lock(), self.place)
    }
}

fn take(state: &mut State, place: usize) -> Option<Message> {
    let queue = state.queues.get_mut(&place).filter(|queue| !queue.is_empty())?;
    Some(queue.remove(0))
}

impl Transport for Endpoint {
    fn send(&mut self, message: &Message) -> Result<()> {
        self.bus.lock().send(self.place, message);
        self.bus.0.arrived.notify_all();
        Ok(())
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Message>> {
        let began = Instant::now();
        let mut state = self.bus.lock();
        loop {
            if let Some(message) = take(&mut state, self.place) {
                return Ok(Some(message));
            }
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            state = self.bus.0.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.bus.lock().queues.remove(&self.place);
    }
}
