//! Dealings: new keys, their ends, and what is left of those that did not end.

use quorumkey::{Certificate, Error, Filter, KeyState, Message, Suite};

use crate::backend::{Backend, group, reopen};
use crate::common::{Member, deal, dkg, dkg_invitation, exchange_over, refresh, sign};
use crate::refused;

pub fn any_t_of_n_sign_up_to_four_members_with_every_suite(backend: &dyn Backend) {
    let members = group(backend, 4);
    for suite in Suite::ALL {
        for n in 2_u16..=4 {
            for t in 2..=n {
                let members = &members[..usize::from(n)];
                let key = dkg(members, suite, t);
                assert_eq!((key.suite, key.threshold, key.roster.len()), (suite, t, members.len()));
                let subsets = (0_u16..1 << n).filter(|bits| bits.count_ones() == u32::from(t));
                for bits in subsets {
                    let signers: Vec<_> = (1..=n).filter(|i| bits >> (i - 1) & 1 == 1).collect();
                    sign(members, key.id, &signers, b"any t of n");
                }
            }
        }
    }
}

/// One member gets no certificate: all that it is sent of the third round is lost.
pub fn keep_from(member: usize) -> impl FnMut(usize, usize, Message) -> Vec<Message> {
    move |_, to, message| if to == member && message.round() == 2 { Vec::new() } else { vec![message] }
}

pub fn a_member_that_missed_the_end_of_a_dkg_completes_it(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let invitation = dkg_invitation(&members, Suite::Ed25519, 2);
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let mut results = exchange_over(&mut runs, &mut keep_from(2));
    assert!(matches!(results.pop(), Some(Ok(None))));
    let key = results.pop().unwrap().unwrap().unwrap();
    drop(runs);
    for _ in 0..2 {
        let pending = members[2].key(key.id);
        assert_eq!((pending.state, pending.pending.as_slice()), (KeyState::Pending, [key.epoch].as_slice()));
        let none = quorumkey::wrap::Recipient::passphrase("words");
        refused!(members[2].session.export(key.id, &none), Error::Misuse(_));
        reopen(backend, &mut members);
    }
    let certificate = members[0].session.certificate(key.id).unwrap();
    for _ in 0..2 {
        let completed = members[2].session.complete(&certificate).unwrap();
        assert_eq!((completed.state, completed.epoch), (KeyState::Active, key.epoch));
        assert!(completed.pending.is_empty());
    }
    sign(&members, key.id, &[2, 3], b"m");
    refresh(&members, key.id);
}

pub fn a_member_that_missed_the_end_of_a_refresh_completes_it(backend: &dyn Backend) {
    let members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invitation = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let results = exchange_over(&mut runs, &mut keep_from(2));
    let renewed = results.into_iter().next().unwrap().unwrap().unwrap();
    let behind = members[2].key(key.id);
    assert_eq!((behind.state, behind.epoch, behind.pending), (KeyState::Active, key.epoch, vec![renewed.epoch]));
    // Its old share meets a typed error, with what it lacks.
    let signers = [crate::common::id(1), crate::common::id(3)];
    let stale = members[2].session.invite_sign(key.id, &signers, b"m").unwrap();
    let Err(Error::Stale { have, certificates }) = members[0].session.start_sign(&stale, b"m") else { panic!() };
    assert_eq!((have, certificates.len()), (renewed.epoch, 1));
    let completed = members[2].session.complete(&certificates[0]).unwrap();
    assert_eq!((completed.state, completed.epoch), (KeyState::Active, renewed.epoch));
    sign(&members, key.id, &[1, 3], b"m");
}

pub fn a_retry_names_the_attempt_that_was_left_behind(backend: &dyn Backend) {
    let members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    // Nobody hears the third member's signature: the attempt is dealt, signed, and not certified.
    let invitation = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let mut certified = 0;
    for result in exchange_over(&mut runs, &mut |from, to, message| {
        let lost = message.round() == 2 && (from == 2 || to == 2);
        if lost { Vec::new() } else { vec![message] }
    }) {
        certified += usize::from(result.unwrap().is_some());
    }
    assert_eq!(certified, 0);
    let attempt = members[0].key(key.id).pending[0];
    // The joins of the retry show every signature: the attempt is complete, and the retry ends with it.
    let renewed = refresh(&members, key.id);
    assert_eq!(renewed.epoch, attempt);
    assert!(members.iter().all(|member| member.key(key.id).pending.is_empty()));
    sign(&members, key.id, &[2, 3], b"m");
    assert_eq!(refresh(&members, key.id).height, 2);
}

pub fn a_foreign_certificate_completes_nothing(backend: &dyn Backend) {
    let members = group(backend, 3);
    let key = dkg(&members[..2], Suite::Ed25519, 2).id;
    let foreign = dkg(&members[1..], Suite::Ed25519, 2).id;
    let certificate = members[2].session.certificate(foreign).unwrap();
    refused!(members[0].session.complete(&certificate), Error::NotFound(id) if id == foreign);
    refresh(&members[1..], foreign);
    let second = members[2].session.certificate(foreign).unwrap();
    refused!(members[0].session.complete(&second), Error::NotFound(_));
    sign(&members, key, &[1, 2], b"m");
}

pub fn everything_persists_when_the_tokens_are_reopened(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let first = dkg(&members, Suite::Secp256k1Taproot, 2);
    let second = dkg(&members, Suite::Ed25519, 3);
    let renewed = refresh(&members, first.id);
    let before: Vec<_> = members.iter().map(everything).collect();
    let cards: Vec<_> = members.iter().map(Member::card).collect();
    reopen(backend, &mut members);
    assert_eq!(before, members.iter().map(everything).collect::<Vec<_>>());
    assert_eq!(cards, members.iter().map(Member::card).collect::<Vec<_>>());
    sign(&members, first.id, &[1, 3], &[7; 32]);
    sign(&members, second.id, &[1, 2, 3], b"m");
    let again = deal(&members, &members[1].session.invite_refresh(first.id, Vec::new()).unwrap());
    assert_eq!((again.height, again.group_key), (2, renewed.group_key));
}

fn everything(member: &Member) -> (Vec<quorumkey::KeyInfo>, Vec<Certificate>) {
    let keys = member.session.find(&Filter::default()).unwrap();
    let certificates = keys.iter().flat_map(|key| member.session.certificates(key.id).unwrap()).collect();
    (keys, certificates)
}
