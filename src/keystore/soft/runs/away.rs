//! A run that a thread computes for, without the token's lock.
//!
//! Its state moves out to that thread by value, so nothing else is computed for it meanwhile, and no nonce twice: a second
//! message waits. Its name stays, under the lock. Whoever ends the run (a logout, an abort, the end of its key or epoch)
//! takes the name away, and then nothing that was computed is recorded or leaves.

use std::sync::PoisonError;

use super::{Live, SoftToken, Storage};
use crate::guard::forbids;
use crate::keystore::error::{Misuse, Result};
use crate::keystore::soft::{Inner, Scene};
use crate::keystore::token::SessionId;
use crate::policy::Verb;
use crate::wire::{KeyId, RunId};

/// What decides whether a run has to end.
#[derive(Clone, Copy, Debug)]
pub(in crate::keystore::soft) struct Summary {
    pub(super) session: SessionId,
    pub(super) verb: Verb,
    pub(super) key: Option<KeyId>,
    pub(super) finished: bool,
    /// For how many signatures it makes nonces.
    pub(super) size: u16,
    /// Whether the epoch that it renews is over.
    outlived: bool,
}

impl Live {
    const fn summary(&self) -> Summary {
        let Self { session, verb, key, finished, .. } = *self;
        Summary { session, verb, key, finished, size: self.stock.size, outlived: false }
    }

    fn forget_share(&mut self) {
        if let Some(machine) = &mut self.machine {
            machine.forget_share();
        }
    }
}

/// The place that a run left and goes back to. When this is dropped, also by a panic, the run is over.
pub(super) struct Away<'a, S: Storage> {
    token: &'a SoftToken<S>,
    session: SessionId,
    /// What going on with the run counts as at the door.
    verb: Verb,
    run: RunId,
    /// It is under way again, or another thread's.
    back: bool,
}

impl<'a, S: Storage> Away<'a, S> {
    /// Of a run that left its name.
    pub(super) const fn of(token: &'a SoftToken<S>, (session, verb, run): (SessionId, Verb, RunId)) -> Self {
        Self { token, session, verb, run, back: false }
    }

    /// Does something with the run under the token's lock, and by the choke point, if nobody has ended it meanwhile.
    pub(super) fn step<T>(
        &self,
        live: &mut Live,
        step: impl FnOnce(&mut Scene<'_>, &mut Live) -> Result<T>,
    ) -> Result<T> {
        self.token.operate(self.session, self.verb, None, |scene, _| {
            // What the step ends is other runs.
            let left = scene.inner.away.remove(&self.run);
            if forbids!(RunLivesToItsStep, left.is_none()) {
                return Err(Misuse::NoSuchRun(self.run).into());
            }
            let done = step(scene, live)?;
            let outlived = left.is_some_and(|left| left.outlived);
            scene.inner.away.insert(self.run, Summary { outlived, ..live.summary() });
            Ok(done)
        })
    }

    /// Lets the run go on, if nobody has ended it, and its nonces are not too old.
    pub(super) fn put_back(mut self, mut live: Live) -> Result<()> {
        let mut inner = self.token.lock()?;
        self.back = true;
        let left = inner.away.remove(&self.run).ok_or(Misuse::NoSuchRun(self.run))?;
        if left.outlived {
            live.forget_share();
        }
        if !live.is_expired() {
            inner.runs.insert(self.run, live);
        }
        Ok(())
    }
}

impl<S: Storage> Drop for Away<'_, S> {
    fn drop(&mut self) {
        if !self.back
            && let Ok(mut inner) = self.token.lock()
        {
            inner.away.remove(&self.run);
        }
        self.token.returned.notify_all();
    }
}

impl<S: Storage> SoftToken<S> {
    /// Waits while a thread computes for that run.
    pub(super) fn await_return(&self, run: RunId) -> Result<()> {
        let away = |inner: &mut Inner| inner.away.contains_key(&run);
        drop(self.returned.wait_while(self.lock()?, away).unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

impl Inner {
    /// Leaves the run's name behind, while a thread computes for it.
    pub(super) fn leave(&mut self, run: RunId, live: &Live) {
        self.away.insert(run, live.summary());
    }

    /// Ends the runs of which that is true, also those that are computed for just now.
    pub(super) fn end_where(&mut self, ends: impl Fn(&Summary) -> bool) {
        self.runs.retain(|_, live| !ends(&live.summary()));
        self.away.retain(|_, summary| !ends(summary));
    }

    /// What waits to deal shares of a key's epoch that is over holds them no longer.
    pub(in crate::keystore::soft) fn forget_shares(&mut self, key: KeyId) {
        let renews = |run: &Summary| run.verb == Verb::Renew && run.key == Some(key);
        self.runs.values_mut().filter(|live| renews(&live.summary())).for_each(Live::forget_share);
        self.away.values_mut().filter(|left| renews(left)).for_each(|left| left.outlived = true);
    }

    /// Ends every run that uses a key.
    pub(in crate::keystore::soft) fn end_runs_of(&mut self, key: KeyId) {
        self.end_where(|run| run.key == Some(key));
    }

    /// Ends a run, if it is under way.
    pub(in crate::keystore::soft) fn forget(&mut self, run: RunId) {
        self.runs.remove(&run);
        self.away.remove(&run);
    }

    /// The run, wherever it is.
    pub(super) fn summary(&self, run: RunId) -> Option<Summary> {
        self.runs.get(&run).map(Live::summary).or_else(|| self.away.get(&run).copied())
    }

    /// For how many signatures nonces are kept, or being made.
    pub(super) fn prepared(&self) -> usize {
        let sizes = self.runs.values().map(|live| live.stock.size).chain(self.away.values().map(|run| run.size));
        sizes.map(usize::from).sum()
    }
}
