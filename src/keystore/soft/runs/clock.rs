//! The monotonic clock that bounds the life of nonces.

/// Now, by a clock that is never set back.
#[cfg(not(feature = "hazmat"))]
pub(super) fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(feature = "hazmat")]
pub(super) use ahead::now;
#[cfg(feature = "hazmat")]
pub(crate) use ahead::set as set_clock_ahead;

/// The same clock, that a test sets ahead instead of waiting, for its own thread.
#[cfg(feature = "hazmat")]
mod ahead {
    use core::cell::Cell;
    use std::time::{Duration, Instant};

    thread_local! {
        static AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    pub(in super::super) fn now() -> Instant {
        Instant::now() + AHEAD.get()
    }

    /// Sets the clock of this thread so far ahead.
    pub(crate) fn set(by: Duration) {
        AHEAD.set(by);
    }
}
