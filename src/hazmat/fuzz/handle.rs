//! A run takes whatever a member may sign: it answers, blames nobody but the liar, and gives out nothing that is wrong.

use zeroize::Zeroizing;

use super::pair::{Got, Helped, MESSAGE, Pair, exchange};
use super::{choice, one_of};
use crate::hazmat::Forgery;
use crate::keystore::{Error, ImportedKey, Protocol, Run};
use crate::suite::Suite;
use crate::wire::Message;

/// What the liar does instead of its message: a change, and perhaps something more on the side.
struct Lie<'a> {
    suite: Suite,
    /// The other of two stories, such as a renewal instead of a new key.
    other: bool,
    /// Who tells it: the second member or, where there is one, the third.
    liar: u16,
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
            other: first & 1 == 1,
            liar: 2,
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

    fn tell<P: Protocol>(&self, runs: &mut [Run<P>]) -> Vec<Option<P::Output>> {
        let got = exchange(runs, self.liar, Some(self.round), &mut |message| self.of(message));
        got.into_iter().map(|got| self.judge::<P>(got)).collect()
    }

    /// The same where one honest member hears it.
    fn tell_one<P: Protocol>(&self, mut runs: [Run<P>; 2]) -> Option<P::Output> {
        self.tell(&mut runs).pop().flatten()
    }

    /// Nobody but the liar is named.
    fn judge<P: Protocol>(&self, (output, failure): Got<P>) -> Option<P::Output> {
        match failure {
            Some(Error::PeerMisbehaved { culprits, .. }) => {
                assert!(culprits.iter().all(|id| id.get() == self.liar), "{culprits:?}");
            }
            Some(Error::RolledBack { member }) => assert_eq!(member.get(), self.liar),
            // What members say must reach no storage but in good order.
            Some(Error::Storage(error)) => panic!("a message broke the storage: {error}"),
            _ => {}
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
    if lie.other {
        if let Some(key) = lie.tell_one(pair.refresh()) {
            assert_eq!(key.group_key, pair.snapshot.key.group_key);
            assert_ne!(key.epoch, pair.snapshot.key.epoch);
        }
    } else if let Some(key) = lie.tell_one(pair.deal()) {
        assert_ne!(key.id, pair.snapshot.key.id);
    }
}

/// A signature that comes out is one.
pub(super) fn signing(bytes: &[u8]) {
    let lie = Lie::read(bytes, 2);
    let pair = Pair::new(lie.suite);
    if let Some(signature) = lie.tell_one(pair.sign()) {
        assert!(pair.snapshot.key.verifying_key.verify(MESSAGE, &signature).is_ok());
    }
}

/// Nonces made beforehand with a liar, or used with one: a signature that comes out is one.
pub(super) fn preprocessing(bytes: &[u8]) {
    let lie = Lie { round: 0, ..Lie::read(bytes, 1) };
    let in_the_batch = Lie { round: bytes.get(1).unwrap_or(&0) % 2, ..Lie::read(bytes, 2) };
    let pair = Pair::new(lie.suite);
    // The runs hold the nonces.
    let mut made = pair.prepare();
    let got = if lie.other {
        exchange(&mut made, 2, None, &mut |message| vec![message.clone()]).pop().and_then(|(batch, _)| batch)
    } else {
        in_the_batch.tell(&mut made).pop().flatten()
    };
    let Some(batch) = got else { return };
    assert_eq!((batch.size, batch.epoch), (2, pair.snapshot.key.epoch));
    let Some(mut runs) = pair.sign_prepared(&batch) else { return };
    let signature = if lie.other {
        lie.tell_one(runs)
    } else {
        exchange(&mut runs, 2, None, &mut |message| vec![message.clone()]).pop().and_then(|(signature, _)| signature)
    };
    if let Some(signature) = signature {
        assert!(pair.snapshot.key.verifying_key.verify(MESSAGE, &signature).is_ok());
    }
}

/// A key that comes out is the key, and comes out where it was to.
pub(super) fn reconstruct(bytes: &[u8]) {
    let lie = Lie::read(bytes, 3);
    let pair = Pair::new(lie.suite);
    if let Some(Some(whole)) = lie.tell_one(pair.reconstruct(lie.other)) {
        assert!(!lie.other, "the liar was to have it");
        let [secret, chain_code] = [whole.dangerously_expose_secret(), whole.dangerously_expose_chain_code()];
        let again = ImportedKey::from_node(lie.suite, Zeroizing::new(*secret), Zeroizing::new(*chain_code));
        assert_eq!(again.expect("a scalar").group_key(), &pair.snapshot.key.group_key);
    }
}

/// A third member gets its first share, or the one that it lost. A helper lies, or the one that is helped.
pub(super) fn repair(bytes: &[u8]) {
    let lie = Lie::read(bytes, 6);
    let lie = Lie { liar: if bytes.first().is_some_and(|first| first & 128 != 0) { 3 } else { 2 }, ..lie };
    let helped = Helped::new(lie.suite, lie.other);
    let got = lie.tell(&mut helped.start(lie.other));
    for info in got.into_iter().flatten() {
        assert_eq!((&info.group_key, info.epoch), (&helped.key().group_key, helped.key().epoch));
        assert_eq!(info.revision, if lie.other { 2 } else { 1 });
    }
}
