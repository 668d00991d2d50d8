//! Renewals: refresh, a replaced member, promises, and what is left of old epochs.

use quorumkey::{
    Declaration, Denial, Error, Holder, Holding, Identifier, KeyInfo, KeyState, Misuse, NewCard, Reason, Suite,
};

use crate::backend::{Backend, backup_key, group, reopen};
use crate::common::{Member, deal, dkg, exchange, exchange_over, id, officer_pin, refresh, sign};
use crate::refused;

pub fn a_refresh_keeps_the_key_and_changes_the_shares_with_every_suite(backend: &dyn Backend) {
    let members = group(backend, 3);
    let (recipient, identity, _) = backup_key();
    for suite in Suite::ALL {
        let key = dkg(&members, suite, 2);
        let share = |member: &Member| {
            let file = member.session.export(key.id, &recipient).unwrap();
            quorumkey::hazmat::wrap::open(file.as_bytes(), &identity).unwrap()
        };
        let old = share(&members[0]);
        let renewed = refresh(&members, key.id);
        assert_eq!((renewed.id, &renewed.group_key, renewed.height), (key.id, &key.group_key, 1));
        // Kind (24), member (2), share (32), chain code (32).
        let new = share(&members[0]);
        assert_ne!(old[26..58], new[26..58]);
        assert_eq!(old[58..90], new[58..90]);
        sign(&members, key.id, &[1, 2], b"m");
        sign(&members, key.id, &[2, 3], b"m");
    }
}

pub fn a_refresh_ends_the_signing_runs_of_the_epoch_before(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let invitation = members[0].session.invite_sign(key, &[id(1), id(2)], b"m").unwrap();
    let [mut one, mut two] = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, b"m").unwrap());
    let other = dkg(&members, Suite::Ed25519, 2).id;
    let with_other = members[0].session.invite_sign(other, &[id(1), id(2)], b"m").unwrap();
    let mut others = [0, 1].map(|at: usize| members[at].session.start_sign(&with_other, b"m").unwrap());
    refresh(&members, key);
    exchange(&mut others);
    refused!(one.handle(&two.poll_transmit().unwrap()), Error::Misuse(Misuse::NoSuchRun(_)));
    refused!(members[0].session.start_sign(&invitation, b"m"), Error::Stale { certificates, .. } if certificates.len() == 1);
}

/// Member 3 moves to a new token.
fn replace_third(members: &mut [Member], new: Member, key: &KeyInfo, reason: Reason) -> (KeyInfo, Member) {
    let card = NewCard { identifier: id(3), card: new.card(), reason };
    let invitation = members[0].session.invite_refresh(key.id, vec![card]).unwrap();
    assert_eq!(invitation.replaced().len(), 1);
    let old = core::mem::replace(&mut members[2], new);
    // The member that is replaced has no place in it.
    refused!(old.session.start(&invitation), Error::Misuse(Misuse::NotAMember));
    (deal(members, &invitation), old)
}

pub fn a_replaced_member_is_told_that_it_is_stale_and_retires(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let new = Member::new(backend.create("new 3"));
    let (renewed, old) = replace_third(&mut members, new, &key, Reason::Stolen);
    for signers in [[1, 2], [1, 3], [2, 3]] {
        sign(&members, key.id, &signers, b"m");
    }
    let stale = old.session.invite_sign(key.id, &[id(1), id(3)], b"m").unwrap();
    let Err(Error::Stale { have, certificates }) = members[0].session.start_sign(&stale, b"m") else { panic!() };
    assert_eq!((have, certificates.len()), (renewed.epoch, 1));
    let current = members[0].session.invite_sign(key.id, &[id(1), id(3)], b"m").unwrap();
    refused!(old.session.start_sign(&current, b"m"), Error::Stale { certificates, .. } if certificates.is_empty());

    let retired = old.session.complete(&certificates[0]).unwrap();
    assert_eq!((retired.state, retired.epoch), (KeyState::Retired, renewed.epoch));
    refused!(old.session.start_sign(&stale, b"m"), Error::Stale { .. });
    refused!(old.session.start_sign(&current, b"m"), Error::Stale { .. });
    let (recipient, _, _) = backup_key();
    refused!(old.session.export(key.id, &recipient), Error::Misuse(Misuse::NoShare));
    // What was stolen stays in the report, whatever the thief's token says.
    for member in &members[..2] {
        let report = &member.key(key.id).old_epochs[0];
        let holder = |holding| Holder { identifier: id(3), holding };
        assert_eq!(report.holders, [holder(Holding::Stolen), holder(Holding::Backup)]);
        assert!(report.is_dead());
    }
}

pub fn an_attempt_that_is_not_above_the_promise_is_denied_also_after_reopening(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let entered = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let same = members[1].session.invite_refresh(key, Vec::new()).unwrap();
    let fifth = members[1].session.invite_refresh_from(key, Vec::new(), 5).unwrap();
    drop(members[0].session.start(&entered).unwrap());
    for _ in 0..2 {
        for invitation in [&entered, &same] {
            refused!(members[0].session.start(invitation), Error::Denied(Denial::AttemptTooLow { least: 2 }));
        }
        reopen(backend, &mut members);
    }
    deal(&members, &fifth);
    sign(&members, key, &[1, 2], b"m");
}

fn holders(member: &Member, key: &KeyInfo) -> Vec<(Identifier, Holding)> {
    let info = member.key(key.id);
    let report = info.old_epochs.iter().find(|report| report.epoch == key.epoch).unwrap();
    report.holders.iter().map(|holder| (holder.identifier, holder.holding)).collect()
}

/// A refresh whose confirmations do not reach the first member.
fn refresh_unconfirmed(members: &[Member], key: &KeyInfo) {
    let invitation = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 0 && message.round() == 3 { Vec::new() } else { vec![message] }
    });
    assert!(results.into_iter().all(|result| result.unwrap().is_some()));
}

pub fn old_shares_are_reported_until_their_erasure_is_confirmed(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let (recipient, _, _) = backup_key();
    members[1].session.export(key.id, &recipient).unwrap();
    refresh_unconfirmed(&members, &key);
    reopen(backend, &mut members);
    assert_eq!(holders(&members[0], &key), [(id(2), Holding::NotConfirmed), (id(3), Holding::NotConfirmed)]);
    assert!(!members[0].key(key.id).old_epochs[0].is_dead());
    // The others have heard everybody; the second made a backup.
    assert_eq!(holders(&members[2], &key), [(id(2), Holding::Backup)]);
    assert!(members[2].key(key.id).old_epochs[0].is_dead());
    // A later refresh tells the first what it missed.
    refresh(&members, key.id);
    assert_eq!(holders(&members[0], &key), [(id(2), Holding::Backup)]);
}

pub fn what_people_declare_enters_the_report(backend: &dyn Backend) {
    let members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let (recipient, _, _) = backup_key();
    members[0].session.export(key.id, &recipient).unwrap();
    refresh_unconfirmed(&members, &key);
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    let declare = |declaration| officer.declare(key.id, &declaration).unwrap();
    let (epoch, dead) = (key.epoch, || members[0].key(key.id).old_epochs[0].is_dead());
    assert!(!dead());
    declare(Declaration::DeviceDestroyed { epoch, identifier: id(2) });
    assert!(!dead());
    declare(Declaration::BackupsDestroyed { epoch, identifier: id(1) });
    assert!(dead());
    declare(Declaration::Stolen { epoch, identifier: id(1) });
    assert!(!dead());
    assert_eq!(holders(&members[0], &key), [(id(1), Holding::Stolen), (id(3), Holding::NotConfirmed)]);
    let current = members[0].key(key.id).epoch;
    refused!(
        officer.declare(key.id, &Declaration::Stolen { epoch: current, identifier: id(1) }),
        Error::Misuse(Misuse::NoSuchShare)
    );
}
