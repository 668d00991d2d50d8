//! Signing with what was made beforehand.

use std::collections::BTreeSet;

use quorumkey::hazmat::subject;
use quorumkey::{Coordinator, Error, Misuse, Suite};

use crate::backend::Backend;
use crate::refused;
use crate::*;

fn named(backend: &dyn Backend, suite: Suite, n: u16) -> Vec<Member> {
    (1..=n).map(|i| Member::new(backend.create(&format!("{suite:?} {i}")))).collect()
}

pub fn each_signature_takes_one_round_in_every_suite(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let members = named(backend, suite, 2);
        let key = dkg(&members, suite, 2);
        let kept = Kept::new(&members, key.id, 3);
        assert_eq!((kept.batch.size, kept.batch.epoch, kept.batch.signers.len()), (3, key.epoch, 2));
        assert!(claims(&members[0]).is_empty(), "nothing is claimed that is not used");
        for number in 0..3 {
            let message = format!("message {number}").into_bytes();
            // Either may propose; each finds the next that is left.
            let invitation = invite(&members[number % 2], &kept.batch, &[1, 2], &message);
            assert_eq!(invitation.batch(), Some(kept.batch.id));
            let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, &message).unwrap());
            assert_eq!(runs[0].progress().total, 1);
            for signature in exchange_over(&mut runs, &mut |_, _, message| {
                assert_eq!((subject(&message), message.round()), ("share", 0));
                vec![message]
            }) {
                key.verifying_key.verify(&message, &signature.unwrap().unwrap()).unwrap();
            }
        }
        for member in &members {
            let claimed = claims(member);
            assert_eq!((claimed.len(), claimed.iter().collect::<BTreeSet<_>>().len()), (3, 3));
            let left = member.session.invite_sign_prepared(&kept.batch, &[id(1), id(2)], MESSAGE, &plain());
            refused!(left, Error::Misuse(Misuse::NoNonces));
        }
        // The other way is there all the same.
        sign(&members, key.id, &[1, 2], MESSAGE);
    }
}

pub fn any_t_of_a_batchs_signers_use_it_also_for_a_child(backend: &dyn Backend) {
    let suite = Suite::Secp256k1Taproot;
    let members = named(backend, suite, 4);
    let key = dkg(&members, suite, 2);
    let kept = Kept::new(&members[..3], key.id, 8);
    let child = Derivation { path: "m/0/7".parse().unwrap(), root: Some([1; 32]) };
    let extended = members[3].session.extended_public_key(key.id).unwrap();
    let expected = extended.derive(&child.path).unwrap().verifying_key(child.root.as_ref());
    for signers in [&[1, 2][..], &[1, 3], &[2, 3], &[1, 2, 3]] {
        let ids: Vec<_> = signers.iter().map(|number| id(*number)).collect();
        let of = |number: u16| &members[usize::from(number) - 1].session;
        let invitation = members[0].session.invite_sign_prepared(&kept.batch, &ids, MESSAGE, &child).unwrap();
        let start = |number: &u16| of(*number).start_sign_under(&invitation, MESSAGE, &child).unwrap();
        let mut runs: Vec<_> = signers.iter().map(start).collect();
        for signature in exchange(&mut runs) {
            expected.verify(MESSAGE, &signature).unwrap();
        }
    }
    // Who made none signs with none, whoever proposes it.
    let with_four = members[0].session.invite_sign_prepared(&kept.batch, &[id(1), id(4)], MESSAGE, &plain()).unwrap();
    refused!(members[0].session.start_sign(&with_four, MESSAGE), Error::Misuse(Misuse::NoNonces));
    refused!(members[3].session.start_sign(&with_four, MESSAGE), Error::Misuse(Misuse::NoSuchRun(_)));
    let by_four = members[3].session.invite_sign_prepared(&kept.batch, &[id(1), id(2)], MESSAGE, &plain());
    refused!(by_four, Error::Misuse(Misuse::NoSuchRun(_)));
    let too_few = members[0].session.invite_sign_prepared(&kept.batch, &[id(1)], MESSAGE, &plain());
    refused!(too_few, Error::Misuse(Misuse::Plan(_)));
}

pub fn a_coordinator_follows_from_the_messages_of_the_batch(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let members = named(backend, suite, 3);
        let key = dkg(&members, suite, 2);
        let to_prepare = propose(&members, key.id, 2);
        let start = |one: &Member| one.session.start_preprocess(&to_prepare).unwrap();
        let mut kept: Vec<_> = members.iter().map(start).collect();
        let mut said = Vec::new();
        let results = exchange_over(&mut kept, &mut |_, to, message| {
            if to == 0 || (to == 1 && message.sender() == id(1)) {
                said.push(message.clone());
            }
            vec![message]
        });
        let batch = results[0].as_ref().unwrap().clone().unwrap();
        assert_eq!(said.len(), 6);

        let invitation = invite(&members[0], &batch, &[1, 3], MESSAGE);
        let chain = members[0].session.certificates(key.id).unwrap();
        let follow = |said: &[_]| Coordinator::prepared(&invitation, &chain, &to_prepare, said);
        let mut coordinator = follow(&said).unwrap();
        let mut runs = [0, 2].map(|at: usize| members[at].session.start_sign(&invitation, MESSAGE).unwrap());
        for result in exchange_over(&mut runs, &mut |_, _, message| {
            coordinator.handle(&message).unwrap();
            vec![message]
        }) {
            result.unwrap().unwrap();
        }
        key.verifying_key.verify(MESSAGE, &coordinator.poll_output().unwrap()).unwrap();

        // Without one message of either round nobody knows that all have seen the same.
        for missing in 0..said.len() {
            let mut fewer = said.clone();
            fewer.remove(missing);
            refused!(follow(&fewer), Error::Misuse(Misuse::NoNonces));
        }
        refused!(Coordinator::new(&invitation, &chain), Error::Misuse(Misuse::Unsupported(_)));
        let other = propose(&members, key.id, 2);
        refused!(Coordinator::prepared(&invitation, &chain, &other, &said), Error::Misuse(Misuse::NoNonces));
        refused!(Coordinator::prepared(&to_prepare, &chain, &to_prepare, &said), Error::Misuse(Misuse::Unsupported(_)));
    }
}

#[test]
fn the_members_of_two_inviters_never_use_one_pair_for_two_messages() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let kept = Kept::new(&members, key.id, 2);
    // Both propose the first: nobody told the other.
    let [a, b] =
        [(0, b"a"), (1, b"b")].map(|(at, text): (usize, &[u8; 1])| invite(&members[at], &kept.batch, &[1, 2], text));
    let mut one = members[0].session.start_sign(&a, b"a").unwrap();
    refused!(members[0].session.start_sign(&b, b"b"), Error::Misuse(Misuse::NoNonces));
    let two = members[1].session.start_sign(&b, b"b").unwrap();
    refused!(members[1].session.start_sign(&a, b"a"), Error::Misuse(Misuse::NoNonces));
    assert!(one.poll_transmit().is_some());
    drop((one, two));
    // They try again: the next pair is there on both sides.
    let again = invite(&members[0], &kept.batch, &[1, 2], MESSAGE);
    let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&again, MESSAGE).unwrap());
    key.verifying_key.verify(MESSAGE, &exchange(&mut runs)[0]).unwrap();
    assert_eq!(claims(&members[0]).len(), 2);
}

/// As many threads as there are pairs, and two that want each.
#[test]
fn two_threads_never_take_one_pair() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let kept = Kept::new(&members, key.id, 32);
    let propose = |(at, number): (u8, u8)| {
        let text = [at, number];
        (text, invite(&members[usize::from(at)], &kept.batch, &[1, 2], &text))
    };
    let of = |at: u8| -> Vec<_> { (0..32).map(|number| propose((at, number))).collect() };
    let rivals = [of(0), of(1)];
    let taken = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for mine in &rivals {
            let (members, taken) = (&members, &taken);
            scope.spawn(move || {
                for (text, invitation) in mine {
                    match members[0].session.start_sign(invitation, text) {
                        Ok(run) => taken.lock().unwrap().push(run),
                        Err(error) => assert!(matches!(error, Error::Misuse(Misuse::NoNonces)), "{error:?}"),
                    }
                }
            });
        }
    });
    assert_eq!(taken.into_inner().unwrap().len(), 32, "each pair found one message");
    let claimed = claims(&members[0]);
    assert_eq!((claimed.len(), claimed.iter().collect::<BTreeSet<_>>().len()), (32, 32));
}

#[test]
fn many_batches_and_signatures_side_by_side_claim_each_pair_once() {
    let members = group(2);
    let key = dkg(&members, Suite::Secp256k1, 2);
    let kept: Vec<_> = (0..4).map(|_| Kept::new(&members, key.id, 16)).collect();
    std::thread::scope(|scope| {
        for one in &kept {
            let (members, key) = (&members, &key);
            scope.spawn(move || {
                for number in 0..16 {
                    let message = [number; 32];
                    let invitation = invite(&members[usize::from(number) % 2], &one.batch, &[1, 2], &message);
                    let start = |at: usize| members[at].session.start_sign(&invitation, &message).unwrap();
                    key.verifying_key.verify(&message, &exchange(&mut [start(0), start(1)])[0]).unwrap();
                }
            });
        }
    });
    for member in &members {
        let claimed = claims(member);
        assert_eq!((claimed.len(), claimed.iter().collect::<BTreeSet<_>>().len()), (64, 64));
    }
}
