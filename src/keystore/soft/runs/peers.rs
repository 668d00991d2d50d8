//! What peers have shown of their state: it may only grow.

use std::collections::BTreeMap;

use super::Live;
use crate::guard::forbids;
use crate::keystore::Storage;
use crate::keystore::error::{Error, Result};
use crate::keystore::soft::record::PeerRecord;
use crate::keystore::soft::{Commit, Scene, SoftToken, Space};
use crate::protocol::{Denial, Exchange};
use crate::wire::{Card, Identifier, Message};

const PEER: &[u8] = b"peer/";
const CONVICTED: &[u8] = b"convicted/";

/// Refuses a peer's state that is older than one it has shown before this run.
///
/// Only from the second round on: such a message answers this member's own, so it was made after the run was entered
/// here. One of the first round may have been made before another run's later state was shown.
pub(super) fn note_state(live: &mut Live, message: &Message) -> Result<()> {
    let (member, header) = (message.sender(), message.header());
    let fell = live.floors.get(&member).is_some_and(|floor| header.counter < *floor);
    if header.round > 0 && forbids!(StateNeverFallsBack, fell) {
        return Err(Error::RolledBack { member });
    }
    let Some(card) = live.exchange.frame().members.card(member) else { return Ok(()) };
    let state = PeerRecord { incarnation: card.incarnation(), counter: header.counter, audit_head: header.audit_head };
    let highest = live.shown.entry(member).or_insert(state);
    if highest.counter < state.counter {
        *highest = state;
    }
    Ok(())
}

impl<S: Storage> SoftToken<S> {
    /// The lowest counter that each peer may show. Refused are a card that was followed by a later incarnation, and a
    /// member that broke a run: who may try again and again learns a little each time.
    pub(super) fn floors(&self, scene: &Scene<'_>, exchange: &Exchange) -> Result<BTreeMap<Identifier, u64>> {
        let mut floors = BTreeMap::new();
        for (id, card) in exchange.frame().members.iter().filter(|(id, _)| Some(*id) != exchange.frame().me) {
            let convicted = self.vault.get(&scene.login.unlocked, Space::Token, &convicted_key(card))?.is_some();
            if forbids!(ConvictedIsRefused, convicted) {
                return Err(Error::Denied(Denial::Convicted { member: id }));
            }
            if let Some(known) = self.vault.get(&scene.login.unlocked, Space::Token, &peer_key(card))? {
                let known = PeerRecord::decode(&known)?;
                if forbids!(IncarnationNeverFallsBack, card.incarnation() < known.incarnation) {
                    return Err(Error::RolledBack { member: id });
                }
                floors.insert(id, if card.incarnation() == known.incarnation { known.counter } else { 0 });
            }
        }
        Ok(floors)
    }

    /// Keeps the highest states. A run that ends late has seen lower ones than a run that overtook it.
    pub(super) fn remember_peers(&self, scene: &Scene<'_>, live: &Live, commit: &mut Commit) -> Result<()> {
        for (member, state) in &live.shown {
            let Some(card) = live.exchange.frame().members.card(*member) else { continue };
            let place = peer_key(card);
            let known = self.vault.get(&scene.login.unlocked, Space::Token, &place)?;
            let known = known.map(|known| PeerRecord::decode(&known)).transpose()?;
            if known.is_none_or(|known| (known.incarnation, known.counter) < (state.incarnation, state.counter)) {
                commit.put(Space::Token, &place, state.encode());
            }
        }
        Ok(())
    }
}

/// Remembers who broke a run by provable fault, until the security officer pardons it.
pub(super) fn convict(live: &Live, culprits: &[Identifier], commit: &mut Commit) {
    let frame = live.exchange.frame();
    // A clone of this token convicts nobody but its thief.
    for culprit in culprits.iter().filter(|culprit| Some(**culprit) != frame.me) {
        if let Some(card) = frame.members.card(*culprit) {
            commit.put(Space::Token, &convicted_key(card), *frame.run.as_bytes());
        }
    }
}

/// Where a conviction is kept: by identity, whatever the incarnation.
pub(in crate::keystore::soft) fn convicted_key(card: &Card) -> Vec<u8> {
    [CONVICTED, card.identity()].concat()
}

fn peer_key(card: &Card) -> Vec<u8> {
    [PEER, card.identity()].concat()
}
