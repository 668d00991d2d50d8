//! Repair and enrolment: the share, and what is durable of it.

use quorumkey::{Denial, Dkg, Error, KeyId, KeyState, KeyTemplate, NewCard, Operations, Origin, Reason, Suite};

use crate::backend::{Backend, group, reopen};
use crate::common::{Member, deal, dkg, exchange_over, id, roster, sign};
use crate::refused;

/// The third member has a new token, and the first invites to repair it.
fn invite(backend: &dyn Backend, members: &mut [Member], key: KeyId, name: &str) -> quorumkey::Invitation {
    members[2] = Member::new(backend.create(name));
    let card = NewCard { identifier: id(3), card: members[2].card(), reason: Reason::Destroyed };
    members[0].session.invite_repair(key, card, &[id(1), id(2)]).unwrap()
}

pub fn a_repaired_member_signs_and_what_it_got_is_there_after_reopening(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    for suite in Suite::ALL {
        let key = dkg(&members, suite, 2);
        let name = format!("anew for {suite:?}");
        let invitation = invite(backend, &mut members, key.id, &name);
        deal(&members, &invitation);
        members.pop();
        reopen(backend, &mut members);
        members.push(Member::new(backend.open(&name)));
        for member in &members {
            let info = member.key(key.id);
            assert_eq!((info.epoch, info.revision, info.state), (key.epoch, 1, KeyState::Active));
            assert_eq!((info.roster, info.group_key), (roster(&members), key.group_key.clone()));
        }
        assert_eq!(members[2].key(key.id).origin, Origin::Repaired);
        for signers in [[1, 2], [1, 3], [2, 3]] {
            sign(&members, key.id, &signers, b"repaired");
        }
    }
}

pub fn a_new_member_is_enrolled_and_every_pair_signs(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    for suite in Suite::ALL {
        let key = dkg(&members[..2], suite, 2);
        let card = members[2].card();
        let invitation = members[1].session.invite_enrolment(key.id, id(3), card, &[id(1), id(2)]).unwrap();
        deal(&members, &invitation);
        reopen(backend, &mut members);
        for signers in [[1, 2], [1, 3], [2, 3]] {
            sign(&members, key.id, &signers, b"enrolled");
        }
        let renewed = crate::common::refresh(&members, key.id);
        assert_eq!((renewed.roster.len(), renewed.revision, renewed.group_key), (3, 0, key.group_key));
        sign(&members, key.id, &[1, 3], b"renewed");
    }
}

pub fn a_vote_binds_after_reopening(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let first = invite(backend, &mut members, key, "anew");
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&first).unwrap()).collect();
    exchange_over(&mut runs, &mut |_, _, message| if message.round() == 1 { Vec::new() } else { vec![message] });
    drop(runs);
    members.pop();
    reopen(backend, &mut members);
    members.push(Member::in_memory("nobody"));
    let other = invite(backend, &mut members, key, "on a third device");
    for member in &members[..2] {
        refused!(member.session.start(&other), Error::Denied(Denial::RevisionSigned));
        let refresh = member.session.invite_refresh(key, Vec::new()).unwrap();
        refused!(member.session.start(&refresh), Error::Denied(Denial::RevisionSigned));
    }
}

pub fn a_template_without_repair_and_enrolment_allows_neither(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let template = KeyTemplate { operations: Operations::SIGN, ..KeyTemplate::wallet("for good") };
    let dkg = Dkg { suite: Suite::Ed25519, threshold: 2, members: roster(&members), template };
    let key = deal(&members, &members[0].session.invite(dkg).unwrap()).id;
    members[2] = Member::new(backend.create("anew"));
    let card = NewCard { identifier: id(3), card: members[2].card(), reason: Reason::Destroyed };
    let helpers = [id(1), id(2)];
    refused!(members[0].session.invite_repair(key, card, &helpers), Error::Denied(Denial::Operation));
    let enrolment = members[0].session.invite_enrolment(key, id(4), members[2].card(), &helpers);
    refused!(enrolment, Error::Denied(Denial::Operation));
}
