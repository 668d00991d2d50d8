//! Keys as objects: finding, templates, restrictions, destruction.

use quorumkey::{
    BackupGate, Denial, Dkg, Error, Export, Filter, KeyState, KeyTemplate, Misuse, Operations, Restriction, Suite,
};

use crate::backend::{Backend, backup_key, group, reopen};
use crate::common::{Member, deal, dkg, dkg_invitation, exchange_over, id, officer_pin, refresh, roster, sign};
use crate::refused;

const SIGN: Restriction = Restriction { operations: Some(Operations::SIGN), export: None };
const NO_EXPORT: Restriction = Restriction { operations: None, export: Some(Export::Never) };

fn dkg_with(members: &[Member], template: KeyTemplate) -> quorumkey::Result<quorumkey::KeyInfo> {
    let invitation =
        members[0].session.invite(Dkg { suite: Suite::Ed25519, threshold: 2, members: roster(members), template })?;
    Ok(deal(members, &invitation))
}

pub fn each_field_of_a_filter_selects(backend: &dyn Backend) {
    let members = group(backend, 2);
    let first = dkg(&members, Suite::Ed25519, 2);
    let second = dkg_with(&members, KeyTemplate::wallet("savings")).unwrap();
    let third = dkg(&members, Suite::Secp256k1Taproot, 2);
    // A fourth stays pending with the second member.
    let invitation = dkg_invitation(&members, Suite::Secp256k1, 2);
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 1 && message.round() == 2 { Vec::new() } else { vec![message] }
    });
    let fourth = results.into_iter().next().unwrap().unwrap().unwrap();

    let found = |filter: Filter| {
        let mut ids: Vec<_> = members[1].session.find(&filter).unwrap().iter().map(|key| key.id).collect();
        ids.sort_unstable();
        ids
    };
    let sorted = |mut ids: Vec<quorumkey::KeyId>| {
        ids.sort_unstable();
        ids
    };
    let any = Filter::default;
    assert_eq!(found(any()), sorted(vec![first.id, second.id, third.id, fourth.id]));
    assert_eq!(found(Filter { id: Some(third.id), ..any() }), [third.id]);
    assert_eq!(found(Filter { label: Some("savings".into()), ..any() }), [second.id]);
    assert_eq!(found(Filter { suite: Some(Suite::Secp256k1Taproot), ..any() }), [third.id]);
    assert_eq!(found(Filter { suite: Some(Suite::Ed25519), ..any() }), sorted(vec![first.id, second.id]));
    assert_eq!(found(Filter { state: Some(KeyState::Pending), ..any() }), [fourth.id]);
    assert_eq!(found(Filter { state: Some(KeyState::Active), ..any() }), sorted(vec![first.id, second.id, third.id]));
    assert!(found(Filter { state: Some(KeyState::Retired), ..any() }).is_empty());
    assert!(found(Filter { id: Some(first.id), label: Some("savings".into()), ..any() }).is_empty());
}

pub fn the_template_is_the_same_for_all_members(backend: &dyn Backend) {
    let members = group(backend, 2);
    let (_, _, trusted) = backup_key();
    let template = KeyTemplate {
        label: "payroll".into(),
        purpose: "monthly payroll".into(),
        export: Export::WrappedToTrusted,
        trusted: vec![trusted],
        operations: Operations::SIGN,
        require_backup: BackupGate::NotRequired,
        quorum: quorumkey::Quorum::PreventsForks,
    };
    let key = dkg_with(&members, template.clone()).unwrap();
    for member in &members {
        let info = member.key(key.id);
        assert_eq!(info.template, template);
        assert_eq!((info.operations, info.export), (Operations::SIGN, Export::WrappedToTrusted));
        refused!(member.session.invite_refresh(key.id, Vec::new()), Error::Denied(Denial::Operation));
    }
    sign(&members, key.id, &[1, 2], b"m");
}

pub fn a_template_that_is_out_of_bounds_or_asks_for_the_backup_gate_is_refused(backend: &dyn Backend) {
    let members = group(backend, 2);
    let wallet = || KeyTemplate::wallet("a wallet");
    let gate = KeyTemplate { require_backup: BackupGate::Required, ..wallet() };
    refused!(dkg_with(&members, gate), Error::Misuse(Misuse::Unsupported(_)));
    for template in [
        KeyTemplate { label: "x".repeat(65), ..wallet() },
        KeyTemplate { label: "two\nlines".into(), ..wallet() },
        KeyTemplate { purpose: "x".repeat(65), ..wallet() },
        KeyTemplate { trusted: vec!["age1".into(); 17], ..wallet() },
        KeyTemplate { trusted: vec!["x".repeat(129)], ..wallet() },
    ] {
        refused!(dkg_with(&members, template), Error::Misuse(Misuse::Plan(_)));
    }
    dkg_with(&members, KeyTemplate { label: "x".repeat(64), ..wallet() }).unwrap();
}

pub fn a_restriction_only_tightens_each_field(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let session = &members[0].session;
    let operations = |operations| Restriction { operations: Some(operations), export: None };
    let export = |export| Restriction { operations: None, export: Some(export) };
    session.restrict(key, &Restriction::default()).unwrap();
    session.restrict(key, &operations(Operations::SIGN)).unwrap();
    for wider in [Operations::ALL, Operations::REFRESH] {
        refused!(session.restrict(key, &operations(wider)), Error::Misuse(Misuse::Widens));
    }
    session.restrict(key, &export(Export::WrappedToTrusted)).unwrap();
    refused!(session.restrict(key, &export(Export::Wrapped)), Error::Misuse(Misuse::Widens));
    // Nothing of a restriction is taken when one of its fields widens.
    let mixed = Restriction { operations: Some(Operations::NONE), export: Some(Export::Wrapped) };
    refused!(session.restrict(key, &mixed), Error::Misuse(Misuse::Widens));
    let info = session.key(key).unwrap();
    assert_eq!((info.operations, info.export), (Operations::SIGN, Export::WrappedToTrusted));
    session.restrict(key, &export(Export::Never)).unwrap();
    refused!(session.restrict(key, &export(Export::WrappedToTrusted)), Error::Misuse(Misuse::Widens));
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    officer.restrict(key, &operations(Operations::NONE)).unwrap();
    refused!(officer.restrict(key, &operations(Operations::SIGN)), Error::Misuse(Misuse::Widens));
}

pub fn a_restriction_binds_at_once_and_after_reopening(backend: &dyn Backend) {
    let mut members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let invitation = members[1].session.invite_refresh(key, Vec::new()).unwrap();
    let to_sign = members[1].session.invite_sign(key, &[id(1), id(2)], b"m").unwrap();
    let (recipient, _, _) = backup_key();
    members[0].session.restrict(key, &SIGN).unwrap();
    members[0].session.restrict(key, &NO_EXPORT).unwrap();
    for _ in 0..2 {
        refused!(members[0].session.start(&invitation), Error::Denied(Denial::Operation));
        refused!(members[0].session.invite_refresh(key, Vec::new()), Error::Denied(Denial::Operation));
        refused!(members[0].session.export(key, &recipient), Error::Denied(Denial::Export));
        sign(&members, key, &[1, 2], b"still signs");
        reopen(backend, &mut members);
    }
    members[0].session.restrict(key, &Restriction { operations: Some(Operations::NONE), export: None }).unwrap();
    refused!(members[0].session.start_sign(&to_sign, b"m"), Error::Denied(Denial::Operation));
    // Another member's token is not bound by it.
    members[1].session.export(key, &recipient).unwrap();
}

pub fn a_key_restricted_after_its_commitment_makes_no_share(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let invitation = members[0].session.invite_sign(key, &[id(1), id(2)], b"m").unwrap();
    let [mut one, mut two] = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, b"m").unwrap());
    let refreshing = Restriction { operations: Some(Operations::REFRESH), export: None };
    members[0].session.restrict(key, &refreshing).unwrap();
    one.poll_transmit().unwrap();
    let commitment = two.poll_transmit().unwrap();
    refused!(one.handle(&commitment), Error::Denied(Denial::Operation));
    assert!(one.poll_transmit().is_none());
    refused!(one.handle(&commitment), Error::Misuse(Misuse::NoSuchRun(_)));
}

pub fn a_key_restricted_after_its_join_deals_nothing(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let [mut one, mut two] = [0, 1].map(|at: usize| members[at].session.start(&invitation).unwrap());
    members[0].session.restrict(key, &SIGN).unwrap();
    one.poll_transmit().unwrap();
    refused!(one.handle(&two.poll_transmit().unwrap()), Error::Denied(Denial::Operation));
    assert!(one.poll_transmit().is_none());
    sign(&members, key, &[1, 2], b"the epoch before signs on");
}

pub fn a_destroyed_key_is_absent_and_another_can_be_made(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let key = refresh(&members, key.id);
    let (recipient, identity, _) = backup_key();
    let backup = members[0].session.export(key.id, &recipient).unwrap();
    let invitation = members[1].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    let mut run = members[0].session.start_sign(&invitation, b"m").unwrap();
    let commitment = members[1].session.start_sign(&invitation, b"m").unwrap().poll_transmit().unwrap();
    members[0].session.destroy(key.id).unwrap();
    refused!(run.handle(&commitment), Error::Misuse(Misuse::NoSuchRun(_)));
    drop(run);
    for _ in 0..2 {
        let session = &members[0].session;
        assert!(session.find(&Filter::default()).unwrap().is_empty());
        refused!(session.key(key.id), Error::NotFound(id) if id == key.id);
        refused!(session.start_sign(&invitation, b"m"), Error::NotFound(_));
        refused!(session.export(key.id, &recipient), Error::NotFound(_));
        reopen(backend, &mut members);
    }
    sign(&members, key.id, &[2, 3], b"the others go on");
    let another = dkg(&members, Suite::Ed25519, 2);
    assert_ne!(another.id, key.id);
    sign(&members, another.id, &[1, 2], b"m");
    let restored = members[0].session.restore(&backup, &identity).unwrap();
    assert_eq!(restored.state, KeyState::Restored);
}

pub fn what_is_not_here_is_not_found(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let certificate = members[0].session.certificate(key).unwrap();
    let outsider = Member::new(backend.create("outsider"));
    let session = &outsider.session;
    let (recipient, _, _) = backup_key();
    refused!(session.key(key), Error::NotFound(_));
    refused!(session.certificate(key), Error::NotFound(_));
    refused!(session.restrict(key, &SIGN), Error::NotFound(_));
    refused!(session.destroy(key), Error::NotFound(_));
    refused!(session.export(key, &recipient), Error::NotFound(_));
    refused!(session.invite_refresh(key, Vec::new()), Error::NotFound(_));
    refused!(session.invite_sign(key, &[id(1), id(2)], b"m"), Error::NotFound(_));
    refused!(session.complete(&certificate), Error::NotFound(_));
}
