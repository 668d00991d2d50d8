//! Watching: the extended public key, and who gets it.

use quorumkey::audit::EventKind;
use quorumkey::wrap::Identity;
use quorumkey::{DerivationError, Error, Misuse, Network};

use crate::backend::{Backend, backup_key, group, reopen};
use crate::common::{dkg, dkg_invitation, exchange_over, id, officer_pin, refresh, user_pin};
use crate::*;

fn extended(member: &common::Member, key: quorumkey::KeyId) -> String {
    member.session.extended_public_key(key).unwrap().to_base58(Network::Mainnet)
}

pub fn every_member_has_the_same_extended_key_for_good(backend: &dyn Backend) {
    for suite in WITH_CHILDREN {
        let mut members: Vec<_> =
            (1..=3).map(|i| common::Member::new(backend.create(&format!("{suite:?} {i}")))).collect();
        let key = dkg(&members, suite, 2);
        let first = extended(&members[0], key.id);
        assert_eq!(read(suite, &first).key(), &key.group_key);
        let other = extended(&members[0], dkg(&members, suite, 2).id);
        let chain_code = |text: &str| bs58::decode(text).into_vec().unwrap()[13..45].to_vec();
        assert_ne!(chain_code(&first), chain_code(&other), "each key has its own");
        refresh(&members, key.id);
        assert!(members.iter().all(|member| extended(member, key.id) == first));

        // From a backup too, at once: watching needs no fresh share.
        let (recipient, identity, _): (_, Identity, _) = backup_key();
        let of_identity = members[2].session.export_identity(&recipient).unwrap();
        let share = members[2].session.export(key.id, &recipient).unwrap();
        let store = backend.restore(&format!("{suite:?} restored"), &of_identity, &identity);
        let session = store.login(&user_pin()).unwrap();
        session.restore(&share, &identity).unwrap();
        assert_eq!(session.extended_public_key(key.id).unwrap(), read(suite, &first));
        members.clear();
        let again = common::Member::new(backend.open(&format!("{suite:?} 1")));
        assert_eq!(extended(&again, key.id), first);
    }
}

pub fn an_ed25519_key_has_no_children_and_says_so(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let session = &members[0].session;
    let none = DerivationError::NoChildren(Suite::Ed25519);
    refused!(session.extended_public_key(key), Error::Derivation(why) if why == none);
    let signers = [id(1), id(2)];
    refused!(session.invite_sign_under(key, &signers, b"m", &child("m/0")), Error::Derivation(why) if why == none);
    let root = Derivation { root: Some([1; 32]), ..Derivation::default() };
    refused!(session.invite_sign_under(key, &signers, b"m", &root), Error::Misuse(Misuse::Plan(_)));
    session.invite_sign_under(key, &signers, b"m", &child("m")).unwrap();
}

pub fn the_extended_key_leaves_with_a_record_and_not_for_the_officer(backend: &dyn Backend) {
    let mut members = group(backend, 2);
    let key = dkg(&members, TAPROOT, 2).id;
    let shown = |member: &common::Member| {
        let log = member.session.audit(None, 10_000).unwrap();
        log.iter().filter(|record| record.event().kind() == EventKind::ExtendedKeyShown).count()
    };
    assert_eq!(shown(&members[0]), 0);
    extended(&members[0], key);
    extended(&members[0], key);
    assert_eq!((shown(&members[0]), shown(&members[1])), (2, 0));
    refused!(members[0].session.extended_public_key(quorumkey::KeyId::from_bytes([0; 32])), Error::NotFound(_));
    assert_eq!(shown(&members[0]), 2);
    reopen(backend, &mut members);
    assert_eq!(shown(&members[0]), 2);
    // The officer's session has no such call; `the_officer_uses_no_key` makes it at the token.
    drop(members[0].store.login_so(&officer_pin()).unwrap());
}

pub fn a_key_that_no_certificate_covers_has_no_address(backend: &dyn Backend) {
    let members = group(backend, 2);
    let invitation = dkg_invitation(&members, TAPROOT, 2);
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 1 && message.round() == 2 { Vec::new() } else { vec![message] }
    });
    let key = results[0].as_ref().unwrap().as_ref().unwrap().id;
    refused!(members[1].session.extended_public_key(key), Error::Misuse(Misuse::Unsupported(_)));
    members[1].session.complete(&members[0].session.certificate(key).unwrap()).unwrap();
    assert_eq!(extended(&members[1], key), extended(&members[0], key));
}
