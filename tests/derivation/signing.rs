//! Signing for a child, by its path, with and without scripts.

use std::collections::BTreeSet;

use bitcoin::secp256k1::{Message, Secp256k1, XOnlyPublicKey, schnorr};
use quorumkey::audit::EventKind;
use quorumkey::wrap::Identity;
use quorumkey::{Coordinator, Denial, Error, KeyId, Misuse, NewCard, Reason, Signature, VerifyingKey};

use crate::backend::{Backend, backup_key, group};
use crate::common::{Member, deal, dkg, exchange, exchange_over, id, refresh, user_pin};
use crate::*;

const SIGHASH: [u8; 32] = [0x5a; 32];

/// Members 1 and 2 sign for that child.
pub fn sign_under(members: &[Member], key: KeyId, derivation: &Derivation) -> Signature {
    let invitation = members[0].session.invite_sign_under(key, &[id(1), id(2)], &SIGHASH, derivation).unwrap();
    let start = |member: &Member| member.session.start_sign_under(&invitation, &SIGHASH, derivation).unwrap();
    exchange(&mut [start(&members[0]), start(&members[1])]).remove(0)
}

/// The key that a wallet which watches expects.
fn watched(member: &Member, key: KeyId, derivation: &Derivation) -> VerifyingKey {
    let extended = member.session.extended_public_key(key).unwrap();
    extended.derive(&derivation.path).unwrap().verifying_key(derivation.root.as_ref())
}

pub fn members_sign_for_any_child_and_root_and_the_bitcoin_crate_agrees(backend: &dyn Backend) {
    let secp = Secp256k1::verification_only();
    let mut seen = BTreeSet::new();
    for (suite, attempt) in [(Suite::Secp256k1, 0), (TAPROOT, 0), (TAPROOT, 1), (TAPROOT, 2)] {
        let members: Vec<_> =
            (1..=2).map(|i| Member::new(backend.create(&format!("{suite:?} {attempt} {i}")))).collect();
        let key = dkg(&members, suite, 2);
        for number in 0..8_u8 {
            let steps =
                [u32::from(number) << 20, 7, 0, 1].into_iter().take(usize::from(number % 5)).collect::<Vec<_>>();
            let root = (suite == TAPROOT && number % 2 == 1).then_some([number; 32]);
            let derivation = Derivation { path: DerivationPath::new(&steps).unwrap(), root };
            let verifying_key = watched(&members[0], key.id, &derivation);
            let signature = sign_under(&members, key.id, &derivation);
            verifying_key.verify(&SIGHASH, &signature).unwrap();
            assert_eq!(key.verifying_key.verify(&SIGHASH, &signature).is_ok(), steps.is_empty() && root.is_none());
            if suite == TAPROOT {
                let output = XOnlyPublicKey::from_slice(verifying_key.as_bytes()).unwrap();
                let signature = schnorr::Signature::from_slice(signature.as_bytes()).unwrap();
                secp.verify_schnorr(&signature, &Message::from_digest(SIGHASH), &output).unwrap();
                let extended = members[0].session.extended_public_key(key.id).unwrap();
                seen.insert((extended.derive(&derivation.path).unwrap().key().as_bytes()[0], root.is_some()));
            }
        }
    }
    assert_eq!(seen.len(), 4, "odd and even children, with and without a root");
}

pub fn a_child_signs_after_a_refresh_and_after_a_restore(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = dkg(&members, TAPROOT, 2).id;
    let derivation = Derivation { path: path("m/3/1"), root: Some([8; 32]) };
    let expected = watched(&members[2], key, &derivation);
    refresh(&members, key);
    expected.verify(&SIGHASH, &sign_under(&members, key, &derivation)).unwrap();

    let (recipient, identity, _): (_, Identity, _) = backup_key();
    let of_identity = members[1].session.export_identity(&recipient).unwrap();
    let share = members[1].session.export(key, &recipient).unwrap();
    members[1] = Member::new(backend.restore("restored", &of_identity, &identity));
    members[1].session.restore(&share, &identity).unwrap();
    let refused = members[1].session.invite_sign_under(key, &[id(1), id(2)], &SIGHASH, &derivation);
    refused!(refused, Error::Denied(Denial::RestoredSignsAfterRefresh));
    let card = NewCard { identifier: id(2), card: members[1].card(), reason: Reason::Routine };
    deal(&members, &members[0].session.invite_refresh(key, vec![card]).unwrap());
    expected.verify(&SIGHASH, &sign_under(&members, key, &derivation)).unwrap();
}

pub fn a_member_signs_only_for_the_child_and_root_that_it_approved(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, TAPROOT, 2).id;
    let [session, other] = [&members[0].session, &members[1].session];
    let proposed = Derivation { path: path("m/0/7"), root: Some([1; 32]) };
    let invitation = session.invite_sign_under(key, &[id(1), id(2)], &SIGHASH, &proposed).unwrap();
    assert_eq!(invitation.derivation(), Some(&proposed));
    refused!(other.start_sign(&invitation, &SIGHASH), Error::Denied(Denial::OtherDerivation));
    for approved in [
        Derivation { path: path("m/0/8"), ..proposed.clone() },
        Derivation { path: path("m/0"), ..proposed.clone() },
        Derivation { root: Some([2; 32]), ..proposed.clone() },
        Derivation { root: None, ..proposed.clone() },
    ] {
        let answered = other.start_sign_under(&invitation, &SIGHASH, &approved);
        refused!(answered, Error::Denied(Denial::OtherDerivation));
    }
    // A child in the place of the key itself, too.
    let plain = session.invite_sign(key, &[id(1), id(2)], &SIGHASH).unwrap();
    refused!(other.start_sign_under(&plain, &SIGHASH, &child("m/0")), Error::Denied(Denial::OtherDerivation));
    drop(other.start_sign_under(&invitation, &SIGHASH, &proposed).unwrap());
}

pub fn a_root_is_for_taproot_alone(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Secp256k1, 2).id;
    let root = Derivation { path: path("m/0"), root: Some([1; 32]) };
    let invited = members[0].session.invite_sign_under(key, &[id(1), id(2)], &SIGHASH, &root);
    refused!(invited, Error::Misuse(Misuse::Plan(_)));
}

pub fn the_record_of_a_nonce_names_path_offset_and_root(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, TAPROOT, 2).id;
    let none = Derivation::default();
    let both = Derivation { path: path("m/0/7"), root: Some([9; 32]) };
    for derivation in [&none, &both] {
        sign_under(&members, key, derivation);
    }
    let log = members[1].session.audit(None, 10_000).unwrap();
    let claims: Vec<_> = log.iter().filter(|one| one.event().kind() == EventKind::NonceClaimed).collect();
    let details: Vec<_> = claims.iter().map(|one| &one.event().details()[128..]).collect();
    assert_eq!(details[0], [0; 5]);
    let (path, rest) = details[1].split_at(12);
    assert_eq!(path, [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7]);
    let (offset, root) = rest.split_at(32);
    assert_eq!(root, [[1].as_slice(), &[9; 32]].concat());
    // The offset leads from the group's key to the child, by libsecp256k1.
    let extended = members[0].session.extended_public_key(key).unwrap();
    let child = extended.derive(&both.path).unwrap();
    let of = |key: &quorumkey::GroupKey| bitcoin::secp256k1::PublicKey::from_slice(key.as_bytes()).unwrap();
    let offset = bitcoin::secp256k1::Scalar::from_be_bytes(offset.try_into().unwrap()).unwrap();
    let secp = Secp256k1::verification_only();
    assert_eq!(of(extended.key()).add_exp_tweak(&secp, &offset).unwrap(), of(child.key()));
}

/// A child's share and the chain code give the parent's share away. There is no call that gives one out, and what a
/// backup holds is the share of the group's key, whatever was signed for.
pub fn a_backup_holds_the_share_of_the_group_whatever_child_it_signed_for(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, TAPROOT, 2).id;
    let (recipient, identity, _): (_, Identity, _) = backup_key();
    let content = || {
        let backup = members[0].session.export(key, &recipient).unwrap();
        quorumkey::hazmat::wrap::open(backup.as_bytes(), &identity).unwrap()
    };
    let before = content();
    sign_under(&members, key, &child("m/0/7"));
    let after = content();
    assert_eq!(before, after);
    let share = bitcoin::secp256k1::SecretKey::from_slice(&after[26..58]).unwrap();
    let public = share.public_key(&Secp256k1::new()).serialize();
    let shares = quorumkey::hazmat::verifying_shares(&members[0].session.certificate(key).unwrap()).unwrap();
    assert_eq!(shares[&id(1)], public);
}

#[test]
fn a_coordinator_without_the_chain_code_has_the_childs_signature() {
    for suite in WITH_CHILDREN {
        let members = common::group(3);
        let key = dkg(&members, suite, 2);
        let root = (suite == TAPROOT).then_some([3; 32]);
        let derivation = Derivation { path: path("m/1/2/3"), root };
        let invitation = members[0].session.invite_sign_under(key.id, &[id(1), id(3)], &SIGHASH, &derivation).unwrap();
        let mut coordinator = Coordinator::new(&invitation, &members[1].session.certificates(key.id).unwrap()).unwrap();
        let expected = watched(&members[1], key.id, &derivation);
        assert_eq!(coordinator.verifying_key(), &expected);
        let start = |at: usize| members[at].session.start_sign_under(&invitation, &SIGHASH, &derivation).unwrap();
        for result in exchange_over(&mut [start(0), start(2)], &mut |_, _, message| {
            coordinator.handle(&message).unwrap();
            vec![message]
        }) {
            expected.verify(&SIGHASH, &result.unwrap().unwrap()).unwrap();
        }
        expected.verify(&SIGHASH, &coordinator.poll_output().unwrap()).unwrap();
    }
}

#[test]
fn every_two_of_three_sign_for_a_child_with_a_session_of_their_own() {
    let members = common::group(3);
    let key = dkg(&members, TAPROOT, 2).id;
    let derivation = child("m/2147483647/0");
    let expected = watched(&members[0], key, &derivation);
    for signers in [[0, 1], [0, 2], [1, 2]] {
        let ids = signers.map(|at: u16| id(at + 1));
        let sessions = signers.map(|at| members[usize::from(at)].store.login(&user_pin()).unwrap());
        let invitation = sessions[1].invite_sign_under(key, &ids, &SIGHASH, &derivation).unwrap();
        let mut runs = sessions.each_ref().map(|one| one.start_sign_under(&invitation, &SIGHASH, &derivation).unwrap());
        for signature in exchange(&mut runs) {
            expected.verify(&SIGHASH, &signature).unwrap();
        }
    }
}
