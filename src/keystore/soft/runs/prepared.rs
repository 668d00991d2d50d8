//! Nonces that were made beforehand, as runs keep them.

use super::{Inner, Live};
use crate::guard::forbids;
use crate::keystore::error::{Misuse, Result};
use crate::keystore::token::{Batch, SessionId};
use crate::policy::Verb;
use crate::protocol::{Machine, SignSetup, Stock};
use crate::wire::{EpochId, KeyId, Prepared, RunId};

/// For how many signatures a token keeps nonces at once.
pub(super) const MAX_PREPARED: usize = 1024;

/// The stock of a run that makes nonces; empty in every other run.
#[derive(Debug, Default)]
pub(super) struct Stocked {
    /// The nonces, once every signer has seen the same commitments.
    nonces: Option<Box<dyn Stock>>,
    /// For how many signatures they are made.
    pub(super) size: u16,
    /// The lowest number that this session has not proposed yet.
    next: u16,
}

impl Live {
    /// The end of the run that made the nonces, which can be used from now on.
    pub(super) fn keep_nonces(&mut self, nonces: Box<dyn Stock>) -> Batch {
        self.stock.nonces = Some(nonces);
        let frame = self.exchange.frame();
        Batch {
            id: frame.run,
            key: KeyId::from_bytes(frame.group),
            epoch: EpochId::from_bytes(frame.epoch),
            signers: frame.members.identifiers().collect(),
            size: self.stock.size,
        }
    }
}

impl Inner {
    /// The number of the next nonces of a batch. It is not given out again.
    pub(in crate::keystore::soft) fn propose_nonces(&mut self, session: SessionId, batch: RunId) -> Result<u16> {
        let live = self.batch(session, batch)?;
        let nonces = live.stock.nonces.as_ref().ok_or(Misuse::NoNonces)?;
        let index = nonces.next_from(live.stock.next).ok_or(Misuse::NoNonces)?;
        live.stock.next = index.saturating_add(1);
        Ok(index)
    }

    /// Takes nonces out of a batch, to sign with. Nobody else can take them then.
    pub(super) fn take_nonces(
        &mut self,
        session: SessionId,
        prepared: &Prepared,
        setup: SignSetup,
    ) -> Result<Box<dyn Machine>> {
        let live = self.batch(session, prepared.batch)?;
        let (frame, party) = (live.exchange.frame(), &setup.plan.party);
        let of =
            (frame.suite, &frame.group, &frame.epoch) == (party.suite, party.key.as_bytes(), party.epoch.as_bytes());
        // A member that was repaired since has another card, and not the nonces that its old device made.
        let same = |id| frame.members.card(id).is_some_and(|card| setup.epoch.roster().card(id) == Some(card));
        let devices = party.signers.iter().all(|id| same(*id));
        if forbids!(BatchOfItsKey, !of) || forbids!(BatchOfItsDevices, !devices) {
            return Err(Misuse::NoNonces.into());
        }
        let nonces = live.stock.nonces.as_mut().ok_or(Misuse::NoNonces)?;
        Ok(nonces.take(setup, prepared.index).ok_or(Misuse::NoNonces)?)
    }

    /// The run of that session that keeps nonces.
    fn batch(&mut self, session: SessionId, batch: RunId) -> Result<&mut Live> {
        let found = self.summary(batch).filter(|run| run.session == session && run.verb == Verb::Prepare);
        found.ok_or(Misuse::NoSuchRun(batch))?;
        // It is computed for before its nonces are there, and not after.
        let live = self.runs.get_mut(&batch).ok_or(Misuse::NoNonces)?;
        if live.is_expired() { Err(Misuse::NoncesExpired.into()) } else { Ok(live) }
    }
}
