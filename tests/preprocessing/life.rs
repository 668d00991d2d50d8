//! How long nonces are there, and how many.

use std::time::Duration;

use quorumkey::hazmat::set_clock_ahead;
use quorumkey::wrap::Identity;
use quorumkey::{Denial, Error, MAX_BATCH, Misuse, NewCard, Operations, Reason, Restriction, Suite};

use crate::backend::{Backend, backup_key, group, reopen};
use crate::refused;
use crate::*;

pub fn nonces_made_beforehand_die_with_their_run_and_their_session(backend: &dyn Backend) {
    let mut members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let mut kept = Kept::new(&members, key, 4);
    let invitation = invite(&members[0], &kept.batch, &[1, 2], MESSAGE);
    let next = invite(&members[0], &kept.batch, &[1, 2], MESSAGE);
    // Another session of the same user has none of them.
    let other = members[0].store.login(&user_pin()).unwrap();
    refused!(other.start_sign(&invitation, MESSAGE), Error::Misuse(Misuse::NoSuchRun(run)) if run == kept.batch.id);
    drop(members[0].session.start_sign(&invitation, MESSAGE).unwrap());

    drop(kept.runs.remove(0));
    refused!(members[0].session.start_sign(&next, MESSAGE), Error::Misuse(Misuse::NoSuchRun(_)));
    let proposed = members[0].session.invite_sign_prepared(&kept.batch, &[id(1), id(2)], MESSAGE, &plain());
    refused!(proposed, Error::Misuse(Misuse::NoSuchRun(_)));
    // The other member's are there until it logs out.
    let again = members[1].store.login(&user_pin()).unwrap();
    drop(invite(&members[1], &kept.batch, &[1, 2], MESSAGE));
    core::mem::replace(&mut members[1].session, again).logout().unwrap();
    refused!(members[1].session.start_sign(&next, MESSAGE), Error::Misuse(Misuse::NoSuchRun(_)));
    sign(&members, key, &[1, 2], MESSAGE);
}

pub fn nonces_made_beforehand_die_when_the_shares_are_renewed(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Secp256k1Taproot, 2).id;
    let kept = Kept::new(&members, key, 4);
    let old = invite(&members[0], &kept.batch, &[1, 2], MESSAGE);
    // A run that still makes some goes as well.
    let to_prepare = propose(&members, key, 4);
    let mut making = members[0].session.start_preprocess(&to_prepare).unwrap();
    refresh(&members, key);
    refused!(members[0].session.start_sign(&old, MESSAGE), Error::Stale { .. });
    for member in &members {
        let proposed = member.session.invite_sign_prepared(&kept.batch, &[id(1), id(2)], MESSAGE, &plain());
        refused!(proposed, Error::Misuse(Misuse::NoSuchRun(_)));
    }
    let commitments = making.poll_transmit().unwrap();
    refused!(making.handle(&commitments), Error::Misuse(Misuse::NoSuchRun(_)));
    refused!(members[1].session.start_preprocess(&to_prepare), Error::Stale { .. });
    // New ones are of the new epoch, and of the same key.
    let new = Kept::new(&members, key, 1);
    let invitation = invite(&members[1], &new.batch, &[1, 2], MESSAGE);
    let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, MESSAGE).unwrap());
    members[0].key(key).verifying_key.verify(MESSAGE, &exchange(&mut runs)[0]).unwrap();
}

pub fn nonces_made_beforehand_live_for_an_hour(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let kept = Kept::new(&members, key, 4);
    set_clock_ahead(Duration::from_secs(3590));
    let invitation = invite(&members[0], &kept.batch, &[1, 2], MESSAGE);
    let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, MESSAGE).unwrap());
    exchange(&mut runs);
    let late = invite(&members[0], &kept.batch, &[1, 2], MESSAGE);
    set_clock_ahead(Duration::from_secs(3610));
    refused!(members[0].session.start_sign(&late, MESSAGE), Error::Misuse(Misuse::NoncesExpired));
    // Any call sweeps them out.
    members[1].card();
    refused!(members[1].session.start_sign(&late, MESSAGE), Error::Misuse(Misuse::NoSuchRun(_)));
    assert_eq!(claims(&members[0]).len(), 1);
    set_clock_ahead(Duration::ZERO);
}

pub fn a_token_holds_so_many_nonces_and_no_more(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    for count in [0, MAX_BATCH + 1, u16::MAX] {
        let proposed = members[0].session.invite_preprocess(key, &[id(1), id(2)], count);
        refused!(proposed, Error::Misuse(Misuse::Plan(_)));
    }
    refused!(members[0].session.invite_preprocess(key, &[id(1)], 1), Error::Misuse(Misuse::Plan(_)));
    refused!(members[0].session.invite_preprocess(key, &[id(1), id(3)], 1), Error::Misuse(Misuse::Plan(_)));
    let start = |count| members[0].session.start_preprocess(&propose(&members, key, count));
    let mut held: Vec<_> = (0..4).map(|_| start(MAX_BATCH).unwrap()).collect();
    // Whoever's session it is: the memory is the token's.
    let other = members[0].store.login(&user_pin()).unwrap();
    refused!(other.start_preprocess(&propose(&members, key, 1)), Error::Misuse(Misuse::TooManyNonces));
    refused!(start(1), Error::Misuse(Misuse::TooManyNonces));
    drop(held.pop());
    drop(start(MAX_BATCH).unwrap());
    // Those of a session go with it, whatever is still held of its runs.
    drop(held);
    let held: Vec<_> = (0..4).map(|_| other.start_preprocess(&propose(&members, key, MAX_BATCH)).unwrap()).collect();
    refused!(start(1), Error::Misuse(Misuse::TooManyNonces));
    other.logout().unwrap();
    drop(start(MAX_BATCH).unwrap());
    drop(held);
}

pub fn a_key_that_may_not_sign_makes_and_uses_no_nonces(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let kept = Kept::new(&members, key, 2);
    let [invitation, to_prepare] = [invite(&members[0], &kept.batch, &[1, 2], MESSAGE), propose(&members, key, 1)];
    members[1].session.restrict(key, &Restriction { operations: Some(Operations::REFRESH), export: None }).unwrap();
    let session = &members[1].session;
    refused!(session.start_sign(&invitation, MESSAGE), Error::Denied(Denial::Operation));
    refused!(session.start_preprocess(&to_prepare), Error::Denied(Denial::Operation));
    refused!(session.invite_preprocess(key, &[id(1), id(2)], 1), Error::Denied(Denial::Operation));
    assert!(claims(&members[1]).is_empty());
}

pub fn what_is_reopened_or_restored_has_no_nonces(backend: &dyn Backend) {
    let mut members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let kept = Kept::new(&members, key, 2);
    let invitation = invite(&members[0], &kept.batch, &[1, 2], MESSAGE);
    let to_prepare = propose(&members, key, 2);
    let (recipient, identity, _): (_, Identity, _) = backup_key();
    let of_identity = members[1].session.export_identity(&recipient).unwrap();
    let share = members[1].session.export(key, &recipient).unwrap();
    drop(kept);
    reopen(backend, &mut members);
    refused!(members[0].session.start_sign(&invitation, MESSAGE), Error::Misuse(Misuse::NoSuchRun(_)));
    let restored = backend.restore("restored", &of_identity, &identity).login(&user_pin()).unwrap();
    restored.restore(&share, &identity).unwrap();
    let denied = Denial::RestoredSignsAfterRefresh;
    refused!(restored.start_sign(&invitation, MESSAGE), Error::Denied(why) if why == denied);
    refused!(restored.start_preprocess(&to_prepare), Error::Denied(why) if why == denied);
}

/// 256 pairs are 16 KiB of nonces and as much of commitments. What the token writes for them is a run that began.
#[test]
fn nonces_made_beforehand_are_never_written() {
    let mut devices = device::devices(2);
    let members = device::log_in(&mut devices);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let size = |devices: &[device::Device]| -> usize {
        devices[0].contents().iter().map(|(key, value)| key.len() + value.len()).sum()
    };
    let (before, records) = (size(&devices), devices[0].contents().len());
    let kept = Kept::new(&members, key, MAX_BATCH);
    let (grown, new) = (size(&devices) - before, devices[0].contents().len() - records);
    assert!(grown < 1024, "{grown} bytes in {new} records");
    // The run, and its audit record.
    assert_eq!(new, 2);
    drop(kept);
}

/// A repaired member has another device, in the same epoch: what the old one made signs nothing more, wherever it is.
#[test]
fn nonces_of_a_device_that_was_replaced_by_a_repair_are_of_no_use() {
    let mut members = common::group(3);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let kept = Kept::new(&members, key, 4);
    members[2] = Member::in_memory("member 3 anew");
    let card = NewCard { identifier: id(3), card: members[2].card(), reason: Reason::Destroyed };
    let repair = members[0].session.invite_repair(key, card, &[id(1), id(2)]).unwrap();
    deal(&members, &repair);
    let with_the_old = invite(&members[0], &kept.batch, &[1, 3], MESSAGE);
    refused!(members[0].session.start_sign(&with_the_old, MESSAGE), Error::Misuse(Misuse::NoNonces));
    refused!(members[2].session.start_sign(&with_the_old, MESSAGE), Error::Misuse(Misuse::NoSuchRun(_)));
    assert!(claims(&members[0]).is_empty());
    // Of those that kept their devices they are good.
    let invitation = invite(&members[0], &kept.batch, &[1, 2], MESSAGE);
    let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, MESSAGE).unwrap());
    members[2].key(key).verifying_key.verify(MESSAGE, &exchange(&mut runs)[0]).unwrap();
}
