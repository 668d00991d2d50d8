//! Tokens that lie of the past, and are honest otherwise.

use std::sync::Arc;

use crate::keystore::{Pin, Result, SoftToken, Storage};
use crate::protocol::{Attempt, Certificate, dealt_name};
use crate::wire::{KeyId, Roster, RunId};

/// The token in that storage tells from now on that it has signed that epoch, as if nobody had certified it, and nothing else.
///
/// # Errors
/// What the token says: a wrong PIN, or a key that is not there.
pub fn pretend_to_have_signed<S: Storage>(storage: S, pin: &Pin, key: KeyId, epoch: &Certificate) -> Result<()> {
    SoftToken::open(storage)?.pretend(pin, key, |me, _| (vec![epoch.signed_alone_by(me)], Vec::new()))
}

/// The token in that storage tells from now on that it has dealt to those members, in each of these runs, shares of which two
/// sign, and nothing else.
///
/// # Errors
/// What the token says: a wrong PIN, or a key that is not there.
pub fn pretend_to_have_dealt<S: Storage>(
    storage: S,
    pin: &Pin,
    key: KeyId,
    runs: &[RunId],
    receivers: &Roster,
) -> Result<()> {
    let receivers: Arc<[_]> = receivers.iter().map(|(id, card)| (id, card.id())).collect();
    SoftToken::open(storage)?.pretend(pin, key, |me, card| {
        let elders: Arc<[_]> = vec![(me, card.id())].into();
        let dealt = |run: &RunId| {
            let (elders, receivers) = (Arc::clone(&elders), Arc::clone(&receivers));
            let (epoch, run, position) = (dealt_name(*run), *run, (1, 0));
            Attempt { epoch, run, position, threshold: 2, elders, receivers, signers: Vec::new() }
        };
        (Vec::new(), runs.iter().map(dealt).collect())
    })
}
