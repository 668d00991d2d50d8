//! Backups, restored members, and the audit log.

use quorumkey::audit::{self, AuditError, EventKind, Head, Record};
use quorumkey::wrap::{Identity, WrapError, WrappedShare};
use quorumkey::{
    Denial, Dkg, Error, Export, KeyId, KeyState, KeyStore, KeyTemplate, Misuse, NewCard, Origin, Reason, Restore,
    Restriction, Suite,
};

use crate::backend::{Backend, backup_key, group, reopen};
use crate::common::{Member, deal, dkg, dkg_invitation, exchange_over, id, init, officer_pin, refresh, roster, sign};
use crate::refused;

/// The last member's device is lost, and comes back from its backups on a new one.
fn lose_and_restore(backend: &dyn Backend, members: &mut Vec<Member>, key: KeyId) -> NewCard {
    let (recipient, identity, _) = backup_key();
    let lost = members.pop().unwrap();
    let share = lost.session.export(key, &recipient).unwrap();
    let token = lost.session.export_identity(&recipient).unwrap();
    let card = lost.card();
    drop(lost);
    let member = Member::new(backend.restore("restored", &token, &identity));
    assert_eq!(member.card().identity(), card.identity());
    assert_eq!(member.card().incarnation(), card.incarnation() + 1);
    let info = member.session.restore(&share, &identity).unwrap();
    assert_eq!((info.state, info.origin), (KeyState::Restored, Origin::Restored));
    refused!(member.session.restore(&share, &identity), Error::Exists(id) if id == key);
    let new = NewCard { identifier: info.identifier, card: member.card(), reason: Reason::Lost };
    members.push(member);
    new
}

pub fn a_restored_member_deals_and_signs_after_a_refresh(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let card = lose_and_restore(backend, &mut members, key);
    let restored = &members[2].session;
    let denied = Denial::RestoredSignsAfterRefresh;
    refused!(restored.invite_sign(key, &[id(1), id(3)], b"m"), Error::Denied(why) if why == denied);
    let invitation = members[0].session.invite_sign(key, &[id(1), id(3)], b"m").unwrap();
    refused!(restored.start_sign(&invitation, b"m"), Error::Denied(why) if why == denied);
    let to_refresh = members[0].session.invite_refresh(key, vec![card]).unwrap();
    assert!(to_refresh.replaced().is_empty());
    deal(&members, &to_refresh);
    let info = members[2].key(key);
    assert_eq!((info.state, info.origin), (KeyState::Active, Origin::Generated));
    for signers in [[1, 2], [1, 3], [2, 3]] {
        sign(&members, key, &signers, b"m");
    }
}

pub fn a_restored_member_among_too_few_needs_the_officers_override(backend: &dyn Backend) {
    let mut members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let card = lose_and_restore(backend, &mut members, key);
    let invite = || members[0].session.invite_refresh(key, vec![card.clone()]).unwrap();
    let invitation = invite();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let results = exchange_over(&mut runs, &mut |_, _, message| vec![message]);
    assert!(matches!(results[1], Err(Error::Denied(Denial::RestoredNeedsQuorum))), "{results:?}");
    let invitation = invite();
    members[1].store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
    deal(&members, &invitation);
    sign(&members, key, &[1, 2], b"m");
    let log = whole_log(&members[1]);
    assert_eq!(log.iter().filter(|record| record.event().kind() == EventKind::OverrideUsed).count(), 1);
    assert!(whole_log(&members[0]).iter().all(|record| record.event().kind() != EventKind::OverrideUsed));
}

pub fn there_is_nothing_to_override_in_a_new_key_or_a_signature(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    let to_sign = members[0].session.invite_sign(key, &[id(1), id(2)], b"m").unwrap();
    let to_deal = dkg_invitation(&members, Suite::Ed25519, 2);
    refused!(officer.override_fork_rules(&to_sign), Error::Misuse(Misuse::Unsupported(_)));
    refused!(officer.override_fork_rules(&to_deal), Error::Misuse(Misuse::Unsupported(_)));
}

pub fn the_export_rule_decides_who_gets_a_backup(backend: &dyn Backend) {
    let members = group(backend, 2);
    let (trusted, _, text) = backup_key();
    let (other, _, _) = backup_key();
    let words = quorumkey::hazmat::wrap::cheap_passphrase("some words", 2).unwrap();
    for (export, allowed) in [
        (Export::Never, [false, false, false]),
        (Export::WrappedToTrusted, [true, false, false]),
        (Export::Wrapped, [true, true, true]),
    ] {
        let template = KeyTemplate { export, trusted: vec![text.clone()], ..KeyTemplate::wallet("a wallet") };
        let plan = Dkg { suite: Suite::Ed25519, threshold: 2, members: roster(&members), template };
        let key = deal(&members, &members[0].session.invite(plan).unwrap()).id;
        for (recipient, allowed) in [&trusted, &other, &words].into_iter().zip(allowed) {
            match members[0].session.export(key, recipient) {
                Ok(_) => assert!(allowed, "{export:?}"),
                Err(Error::Denied(Denial::Export)) => assert!(!allowed, "{export:?}"),
                Err(other) => panic!("{other:?}"),
            }
        }
        let never = Restriction { operations: None, export: Some(Export::Never) };
        members[0].session.restrict(key, &never).unwrap();
        refused!(members[0].session.export(key, &trusted), Error::Denied(Denial::Export));
    }
}

pub fn a_backup_opens_for_its_own_member_with_its_own_key_only(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let (recipient, identity, _) = backup_key();
    let (_, other, _) = backup_key();
    let words = quorumkey::hazmat::wrap::cheap_passphrase("some words", 2).unwrap();
    let [mine, theirs] = [0, 1].map(|at: usize| members[at].session.export(key, &recipient).unwrap());
    let by_words = members[0].session.export(key, &words).unwrap();
    let token = members[0].session.export_identity(&recipient).unwrap();

    let fresh = backend.restore("again", &token, &identity);
    let fresh = Member::new(fresh);
    let refuse = |file: &WrappedShare, with: &Identity| fresh.session.restore(file, with);
    refused!(refuse(&mine, &other), Error::Wrap(WrapError::Unwrap));
    refused!(refuse(&mine, &Identity::passphrase("some words")), Error::Wrap(WrapError::Unwrap));
    refused!(refuse(&by_words, &Identity::passphrase("some other words")), Error::Wrap(WrapError::Unwrap));
    refused!(refuse(&theirs, &identity), Error::Misuse(Misuse::OtherMember));
    refused!(
        KeyStore::restore_in_memory(&Restore { init: &init("x"), identity: &token, with: &other, incarnation: 0 }),
        Error::Wrap(WrapError::Unwrap)
    );

    // Sealed by somebody else with what was changed in it.
    let content = quorumkey::hazmat::wrap::open(mine.as_bytes(), &identity).unwrap();
    let reseal =
        |content: &[u8]| WrappedShare::from_bytes(quorumkey::hazmat::wrap::seal(content, &recipient).unwrap()).unwrap();
    // The last byte of the share, and of the chain code.
    for at in [57, 89] {
        let mut changed = content.to_vec();
        changed[at] ^= 1;
        refused!(refuse(&reseal(&changed), &identity), Error::Misuse(Misuse::WrongShare));
    }
    let mut renumbered = content.to_vec();
    renumbered[25] = 2;
    refused!(refuse(&reseal(&renumbered), &identity), Error::Misuse(Misuse::OtherMember));
    refused!(refuse(&reseal(&[content.as_slice(), &[0]].concat()), &identity), Error::Decode(_));
    refused!(refuse(&reseal(&content[..90]), &identity), Error::Decode(_));

    assert_eq!(refuse(&by_words, &Identity::passphrase("some words")).unwrap().id, key);
}

pub fn a_backup_of_the_past_is_fenced_by_the_certificate(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let (recipient, identity, _) = backup_key();
    let old = members[2].session.export(key, &recipient).unwrap();
    let token = members[2].session.export_identity(&recipient).unwrap();
    let renewed = refresh(&members, key);
    members[2] = Member::new(backend.restore("restored", &token, &identity));
    members[2].session.restore(&old, &identity).unwrap();
    // Renewing what it holds, or what the others hold, meets the typed error.
    let cards = vec![NewCard { identifier: id(3), card: members[2].card(), reason: Reason::Lost }];
    let behind = members[2].session.invite_refresh(key, cards.clone()).unwrap();
    let Err(Error::Stale { have, certificates }) = members[0].session.start(&behind) else { panic!() };
    assert_eq!((have, certificates.len()), (renewed.epoch, 1));
    let current = members[0].session.invite_refresh(key, cards).unwrap();
    refused!(members[2].session.start(&current), Error::Stale { .. });
    let fenced = members[2].session.complete(&certificates[0]).unwrap();
    assert_eq!((fenced.state, fenced.epoch), (KeyState::Retired, renewed.epoch));
    // It has no share of the epoch to deal.
    refused!(members[2].session.start(&current), Error::Misuse(Misuse::NoShare));
}

fn whole_log(member: &Member) -> Vec<Record> {
    member.session.audit(None, usize::MAX).unwrap()
}

pub fn the_audit_log_verifies_and_shows_what_was_cut_moved_or_replaced(backend: &dyn Backend) {
    let mut members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    sign(&members, key, &[1, 2], b"m");
    let early = whole_log(&members[0]);
    reopen(backend, &mut members);
    refresh(&members, key);
    let log = whole_log(&members[0]);
    assert!(log.starts_with(&early) && log.len() > early.len());
    let genesis = Head::genesis(&members[0].store.info().unwrap().id);
    let head = log.last().unwrap().hash();
    audit::verify(&log, &genesis, head).unwrap();
    let count = |kind| log.iter().filter(|record| record.event().kind() == kind).count();
    assert_eq!(count(EventKind::TokenCreated), 1);
    assert_eq!(count(EventKind::LoggedIn), 2);
    assert_eq!((count(EventKind::NonceClaimed), count(EventKind::RunStarted)), (1, 3));
    assert_eq!((count(EventKind::KeyActive), count(EventKind::EpochErased)), (2, 1));

    // In pages, as in one.
    let mut paged: Vec<Record> = Vec::new();
    while let page @ [_, ..] = members[0].session.audit(paged.last().map(Record::hash), 3).unwrap().as_slice() {
        paged.extend_from_slice(page);
    }
    assert_eq!(paged, log);
    let nobody = audit::Digest::from_bytes([9; 32]);
    refused!(members[0].session.audit(Some(nobody), 9), Error::Audit(_));

    let other = whole_log(&members[1]);
    for at in 0..log.len() {
        let mut cut = log.clone();
        cut.remove(at);
        assert!(matches!(audit::verify(&cut, &genesis, head), Err(AuditError::Cut(_))), "{at}");
        let mut replaced = log.clone();
        replaced[at] = other[at].clone();
        assert!(audit::verify(&replaced, &genesis, head).is_err(), "{at}");
        if at > 0 {
            let mut moved = log.clone();
            moved.swap(at - 1, at);
            assert!(matches!(audit::verify(&moved, &genesis, head), Err(AuditError::Reordered(_))), "{at}");
        }
    }
    let elsewhere = Head::genesis(&members[1].store.info().unwrap().id);
    assert!(audit::verify(&log, &elsewhere, head).is_err());
}
