//! A run takes whatever a member may sign: it answers, blames nobody but the liar, and gives out nothing that is wrong.

use zeroize::Zeroizing;

use super::exchange::{Got, exchange, honestly};
use super::lie::Lie;
use super::pair::{MESSAGE, Pair};
use super::proposals::{Three, Way, imported};
use crate::keystore::{Error, ImportedKey, Protocol, Run};

impl Lie<'_> {
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

/// A new key, an old one from elsewhere, or new shares of one that is here.
pub(super) fn dealing(bytes: &[u8]) {
    let lie = Lie::read(bytes, 4);
    let pair = Pair::new(lie.suite);
    let old = &pair.snapshot.key;
    match (lie.other, lie.elsewhere) {
        (false, false) => {
            if let Some(key) = lie.tell_one(pair.deal(&pair.proposed_key())) {
                assert_ne!(key.id, old.id);
            }
        }
        (true, false) => {
            if let Some(key) = lie.tell_one(pair.deal(&pair.proposed_refresh(&pair.honest))) {
                assert_eq!(key.group_key, old.group_key);
                assert_ne!(key.epoch, old.epoch);
            }
        }
        (by_the_liar, true) => {
            let by = if by_the_liar { &pair.liar } else { &pair.honest };
            if let Some(key) = lie.tell_one(pair.import(&pair.proposed_import(by))) {
                assert_eq!(&key.group_key, imported(lie.suite).group_key());
            }
        }
    }
}

/// A signature that comes out is one.
pub(super) fn signing(bytes: &[u8]) {
    let lie = Lie::read(bytes, 2);
    let pair = Pair::new(lie.suite);
    if let Some(signature) = lie.tell_one(pair.sign(&pair.proposed_signature(&pair.honest))) {
        assert!(pair.snapshot.key.verifying_key.verify(MESSAGE, &signature).is_ok());
    }
}

/// Nonces made beforehand with a liar, or used with one: a signature that comes out is one.
pub(super) fn preprocessing(bytes: &[u8]) {
    let lie = Lie { round: 0, ..Lie::read(bytes, 1) };
    let in_the_batch = Lie { round: bytes.get(1).unwrap_or(&0) % 2, ..Lie::read(bytes, 2) };
    let pair = Pair::new(lie.suite);
    // The runs hold the nonces.
    let invitation = pair.proposed_batch(&pair.honest);
    let mut made = pair.prepare(&invitation);
    let got = if lie.other {
        exchange(&mut made, 2, None, &mut honestly).pop().and_then(|(batch, _)| batch)
    } else {
        in_the_batch.tell(&mut made).pop().flatten()
    };
    let Some(batch) = got else { return };
    assert_eq!((batch.size, batch.epoch), (2, pair.snapshot.key.epoch));
    let invitation = pair.proposed_with_batch(&pair.honest, &invitation);
    // Whom the liar has deceived has none, and that may be its own token.
    let Ok(liar) = pair.liar.start_sign(&invitation, MESSAGE) else { return };
    let mut runs = [pair.honest.start_sign(&invitation, MESSAGE).expect("a run begins"), liar];
    let signature = if lie.other {
        lie.tell_one(runs)
    } else {
        exchange(&mut runs, 2, None, &mut honestly).pop().and_then(|(signature, _)| signature)
    };
    if let Some(signature) = signature {
        assert!(pair.snapshot.key.verifying_key.verify(MESSAGE, &signature).is_ok());
    }
}

/// A key that comes out is the key, and comes out where it was to.
pub(super) fn reconstruct(bytes: &[u8]) {
    let lie = Lie::read(bytes, 3);
    let pair = Pair::new(lie.suite);
    if let Some(Some(whole)) = lie.tell_one(pair.reconstruct(&pair.proposed_reconstruction(lie.other))) {
        assert!(!lie.other, "the liar was to have it");
        let [secret, chain_code] = [whole.dangerously_expose_secret(), whole.dangerously_expose_chain_code()];
        let again = ImportedKey::from_node(lie.suite, Zeroizing::new(*secret), Zeroizing::new(*chain_code));
        assert_eq!(again.expect("a scalar").group_key(), &pair.snapshot.key.group_key);
    }
}

/// A third member gets its first share, the one that it lost, or one of the next epoch. A helper lies, or the one that is
/// helped.
pub(super) fn repair(bytes: &[u8]) {
    let lie = Lie::read(bytes, 6);
    let lie = Lie { liar: if bytes.first().is_some_and(|first| first & 128 != 0) { 3 } else { 2 }, ..lie };
    let way = match (lie.elsewhere, lie.other) {
        (true, _) => Way::Reshare,
        (false, true) => Way::Repair,
        (false, false) => Way::Enrolment,
    };
    let three = Three::new(lie.suite, way);
    let got = lie.tell(&mut three.start(&three.propose(&three.pair.honest)));
    for info in got.into_iter().flatten() {
        assert_eq!(info.group_key, three.key().group_key);
        assert_eq!(info.epoch == three.key().epoch, way != Way::Reshare);
        assert_eq!(
            info.revision,
            match way {
                Way::Enrolment => 1,
                Way::Repair => 2,
                Way::Reshare => 0,
            }
        );
    }
}
