//! A run takes whatever a member may sign: it answers, blames nobody but the liar, and gives out nothing that is wrong.

use super::pair::{MESSAGE, Pair, exchange, ids};
use super::{choice, one_of};
use crate::hazmat::Forgery;
use crate::keystore::{Error, Protocol, Run};
use crate::suite::Suite;
use crate::wire::Message;

/// What the liar does instead of its message: a change, and perhaps something more on the side.
struct Lie<'a> {
    suite: Suite,
    renewal: bool,
    round: u8,
    change: u8,
    also: u8,
    at: usize,
    bytes: &'a [u8],
}

impl<'a> Lie<'a> {
    fn read(mut bytes: &'a [u8], rounds: u8) -> Self {
        let first = choice(&mut bytes);
        let (round, change, also) = (choice(&mut bytes), choice(&mut bytes), choice(&mut bytes));
        let at = usize::from(choice(&mut bytes)) << 8 | usize::from(choice(&mut bytes));
        Self {
            suite: *one_of(&Suite::ALL, first >> 1),
            renewal: first & 1 == 1,
            round: round % rounds,
            change: change % 10,
            also: also % 5,
            at,
            bytes,
        }
    }

    fn of(&self, message: &Message) -> Vec<Message> {
        let lie = Pair::alter(message, |forgery| self.apply(forgery));
        match self.also {
            0 => vec![lie],
            // Two versions of one message, in either order, and the same one again.
            1 => vec![message.clone(), lie],
            2 => vec![lie, message.clone()],
            3 => vec![lie.clone(), lie],
            // Bytes that are a message, or are none.
            _ => Message::from_bytes(self.bytes).into_iter().chain([lie]).collect(),
        }
    }

    fn apply(&self, forgery: &mut Forgery) {
        let body = &mut forgery.body;
        let at = self.at.min(body.len());
        match self.change {
            0 => *body = self.bytes.to_vec(),
            1 => patch(body, at, self.bytes),
            2 => body.truncate(at),
            3 => body.extend_from_slice(self.bytes),
            4 => body.splice(at..at, self.bytes.iter().copied()).for_each(drop),
            5 => body.drain(at..(at + self.bytes.len()).min(body.len())).for_each(drop),
            6 => patch(&mut forgery.group, 0, self.bytes),
            7 => patch(&mut forgery.epoch, 0, self.bytes),
            8 => patch(&mut forgery.view, 0, self.bytes),
            _ => forgery.counter = forgery.counter.wrapping_add(u64::from(*self.bytes.first().unwrap_or(&0))),
        }
    }

    fn tell<P: Protocol>(&self, runs: [Run<P>; 2]) -> Option<P::Output> {
        let (output, failure) = exchange(runs, Some(self.round), &mut |message| self.of(message));
        if let Some(failure) = failure {
            let [honest, _] = ids();
            match failure {
                Error::PeerMisbehaved { culprits, .. } => assert!(!culprits.contains(&honest), "{culprits:?}"),
                Error::RolledBack { member } => assert_ne!(member, honest),
                // What members say must reach no storage but in good order.
                Error::Storage(error) => panic!("a message broke the storage: {error}"),
                _ => {}
            }
        }
        output
    }
}

fn patch(bytes: &mut [u8], at: usize, change: &[u8]) {
    for (byte, change) in bytes.iter_mut().skip(at).zip(change) {
        *byte ^= change;
    }
}

/// A new key, or new shares of an old one.
pub(super) fn dealing(bytes: &[u8]) {
    let lie = Lie::read(bytes, 4);
    let pair = Pair::new(lie.suite);
    if lie.renewal {
        if let Some(key) = lie.tell(pair.refresh()) {
            assert_eq!(key.group_key, pair.snapshot.key.group_key);
            assert_ne!(key.epoch, pair.snapshot.key.epoch);
        }
    } else if let Some(key) = lie.tell(pair.deal()) {
        assert_ne!(key.id, pair.snapshot.key.id);
    }
}

/// A signature that comes out is one.
pub(super) fn signing(bytes: &[u8]) {
    let lie = Lie::read(bytes, 2);
    let pair = Pair::new(lie.suite);
    if let Some(signature) = lie.tell(pair.sign()) {
        assert!(pair.snapshot.key.verifying_key.verify(MESSAGE, &signature).is_ok());
    }
}
