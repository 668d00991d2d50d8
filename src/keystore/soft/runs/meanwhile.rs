//! What a test does between a round's arithmetic and its record, while the token's lock is free.

/// The place between the two.
#[cfg(not(feature = "hazmat"))]
pub(super) const fn meanwhile() {}

#[cfg(feature = "hazmat")]
pub(super) use planned::meanwhile;
#[cfg(feature = "hazmat")]
pub(crate) use planned::plan as plan_meanwhile;

#[cfg(feature = "hazmat")]
mod planned {
    use core::cell::Cell;

    type Act = Box<dyn FnOnce()>;

    thread_local! {
        static NEXT: Cell<Option<Act>> = const { Cell::new(None) };
    }

    pub(in super::super) fn meanwhile() {
        if let Some(act) = NEXT.take() {
            act();
        }
    }

    /// Does that once this thread has next computed a round.
    pub(crate) fn plan(act: Act) {
        NEXT.set(Some(act));
    }
}
