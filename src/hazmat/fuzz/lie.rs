//! What a liar says instead of its message.

use super::pair::{Pair, id};
use super::{choice, one_of};
use crate::hazmat::{Forgery, subjects};
use crate::suite::Suite;
use crate::wire::{Message, RunId};

/// What the liar does instead of its message: a change, and perhaps something more on the side.
pub(super) struct Lie<'a> {
    pub(super) suite: Suite,
    /// The other of two stories, such as a renewal instead of a new key.
    pub(super) other: bool,
    /// The other two of four: about a key that comes from elsewhere, or shares that go there.
    pub(super) elsewhere: bool,
    /// Who tells it: the second member or, where there is one, the third.
    pub(super) liar: u16,
    pub(super) round: u8,
    pub(super) change: Change<'a>,
    pub(super) also: u8,
}

impl<'a> Lie<'a> {
    pub(super) fn read(mut bytes: &'a [u8], rounds: u8) -> Self {
        let first = choice(&mut bytes);
        let (round, kind, also) = (choice(&mut bytes), choice(&mut bytes), choice(&mut bytes));
        Self {
            suite: *one_of(&Suite::ALL, first >> 1),
            other: first & 1 == 1,
            elsewhere: first & 64 != 0,
            liar: 2,
            round: round % rounds,
            change: Change::read(kind, bytes),
            also: also % 5,
        }
    }

    pub(super) fn of(&self, message: &Message) -> Vec<Message> {
        let lie = self.change.of(message);
        match self.also {
            0 => vec![lie],
            // Two versions of one message, in either order, and the same one again.
            1 => vec![message.clone(), lie],
            2 => vec![lie, message.clone()],
            3 => vec![lie.clone(), lie],
            // Bytes that are a message, or are none.
            _ => Message::from_bytes(self.change.bytes).into_iter().chain([lie]).collect(),
        }
    }
}

/// A change of a message.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    kind: u8,
    at: usize,
    bytes: &'a [u8],
}

impl<'a> Change<'a> {
    pub(super) const KINDS: u8 = 14;

    /// Two bytes say where, the rest with what.
    pub(super) fn read(kind: u8, mut bytes: &'a [u8]) -> Self {
        let at = place(&mut bytes);
        Self { kind: kind % Self::KINDS, at, bytes }
    }

    /// The message with the change, signed by its sender.
    pub(super) fn of(&self, message: &Message) -> Message {
        Pair::alter(message, |forgery| self.apply(forgery))
    }

    fn apply(&self, forgery: &mut Forgery) {
        let number = *self.bytes.first().unwrap_or(&1);
        match self.kind {
            0..6 => edit(&mut forgery.body, self.kind, self.at, self.bytes),
            6 => patch(&mut forgery.group, 0, self.bytes),
            7 => patch(&mut forgery.epoch, 0, self.bytes),
            8 => patch(&mut forgery.view, 0, self.bytes),
            9 => forgery.counter = forgery.counter.wrapping_add(u64::from(number)),
            // In another place of the run, or of another run.
            10 => forgery.round = forgery.round.wrapping_add(number),
            11 => forgery.sender = id(1 + u16::from(number) % 4),
            12 => forgery.subject = *one_of::<&str>(&subjects(), number),
            _ => {
                let mut run = *forgery.run.as_bytes();
                patch(&mut run, 0, self.bytes);
                forgery.run = RunId::from_bytes(run);
            }
        }
    }
}

/// Changes bytes in one of six ways.
pub(super) fn edit(content: &mut Vec<u8>, kind: u8, at: usize, bytes: &[u8]) {
    let at = at.min(content.len());
    match kind % 6 {
        0 => *content = bytes.to_vec(),
        1 => patch(content, at, bytes),
        2 => content.truncate(at),
        3 => content.extend_from_slice(bytes),
        4 => content.splice(at..at, bytes.iter().copied()).for_each(drop),
        _ => content.drain(at..(at + bytes.len()).min(content.len())).for_each(drop),
    }
}

/// Takes a place off the front of the bytes.
pub(super) fn place(bytes: &mut &[u8]) -> usize {
    usize::from(choice(bytes)) << 8 | usize::from(choice(bytes))
}

/// Flips bits from a place on.
pub(super) fn patch(bytes: &mut [u8], at: usize, change: &[u8]) {
    for (byte, change) in bytes.iter_mut().skip(at).zip(change) {
        *byte ^= change;
    }
}
