//! Reshares: other members, another threshold, the same key.

use quorumkey::{
    Error, Holder, Holding, Identifier, KeyId, KeyInfo, KeyState, Leaving, Misuse, Reason, Reshare, Suite,
};

use crate::backend::{Backend, backup_key, group, reopen};
use crate::common::{Member, deal, dkg, id, members_by_number, sign_by};
use crate::refused;

fn leaving(number: u16, reason: Reason) -> Leaving {
    Leaving { identifier: id(number), reason }
}

/// The key's members with these ones added.
fn with(key: &KeyInfo, new: &[(u16, &Member)]) -> Reshare {
    let members = new.iter().fold(key.roster.clone(), |all, (number, new)| all.with(id(*number), new.card()).unwrap());
    Reshare { members, ..Reshare::of(key) }
}

/// The key's members without these ones.
fn without(key: &KeyInfo, gone: &[(u16, Reason)]) -> Reshare {
    let members = gone.iter().fold(key.roster.clone(), |all, (number, _)| all.without(id(*number)).unwrap());
    Reshare {
        members,
        leaving: gone.iter().map(|(number, reason)| leaving(*number, *reason)).collect(),
        ..Reshare::of(key)
    }
}

/// Every set of `t` of the first members signs, and no smaller one may be invited.
fn any_sign(members: &[Member], key: KeyId, t: usize, numbers: &[u16]) {
    let by = members_by_number(members, numbers);
    for bits in 0_u32..1 << numbers.len() {
        let signers: Vec<_> =
            (0..).zip(numbers).filter(|(at, _)| bits >> at & 1 == 1).map(|(_, number)| *number).collect();
        if signers.len() == t {
            sign_by(&by, key, &signers, b"any of them");
        } else if (1..t).contains(&signers.len()) {
            let ids: Vec<_> = signers.iter().map(|number| id(*number)).collect();
            refused!(by[&signers[0]].session.invite_sign(key, &ids, b"too few"), Error::Misuse(Misuse::Plan(_)));
        }
    }
}

fn identifiers(key: &KeyInfo) -> Vec<u16> {
    key.roster.identifiers().map(Identifier::get).collect()
}

pub fn two_of_three_becomes_three_of_five_and_back_with_every_suite(backend: &dyn Backend) {
    let mut members = group(backend, 5);
    let (recipient, identity, _) = backup_key();
    for suite in Suite::ALL {
        let key = dkg(&members[..3], suite, 2);
        let wider = Reshare { threshold: 3, ..with(&key, &[(4, &members[3]), (5, &members[4])]) };
        let invitation = members[1].session.invite_reshare(key.id, wider).unwrap();
        let wide = deal(&members, &invitation);
        assert_eq!((wide.id, &wide.group_key, &wide.verifying_key), (key.id, &key.group_key, &key.verifying_key));
        assert_eq!((wide.threshold, wide.height, identifiers(&wide)), (3, 1, vec![1, 2, 3, 4, 5]));
        any_sign(&members, key.id, 3, &[1, 2, 3, 4, 5]);

        // Members 2 and 4 leave; they deal, and hold nothing afterwards.
        let narrow = Reshare { threshold: 2, ..without(&wide, &[(2, Reason::Routine), (4, Reason::Routine)]) };
        let invitation = members[0].session.invite_reshare(key.id, narrow).unwrap();
        assert_eq!(invitation.dealers().unwrap().len(), 5);
        let narrow = deal(&members, &invitation);
        assert_eq!((&narrow.group_key, narrow.threshold, identifiers(&narrow)), (&key.group_key, 2, vec![1, 3, 5]));
        reopen(backend, &mut members);
        for gone in [1, 3] {
            let info = members[gone].key(key.id);
            assert_eq!((info.state, info.epoch, info.height), (KeyState::Retired, narrow.epoch, 2));
            refused!(members[gone].session.export(key.id, &recipient), Error::Misuse(Misuse::NoShare));
        }
        let [one, _, three, _, five] = <[Member; 5]>::try_from(members).unwrap_or_else(|_| panic!("five"));
        any_sign(&[one, three, five], key.id, 2, &[1, 3, 5]);
        members = (1..=5).map(|number: u16| Member::new(backend.open(&number.to_string()))).collect();
        // Who left and dealt has confirmed like everybody else: of the epoch before nobody holds a share.
        let before = |member: &Member| {
            let report = member.key(key.id).old_epochs.into_iter().find(|old| old.epoch == wide.epoch).unwrap();
            report.holders
        };
        for member in &members {
            assert_eq!(before(member), []);
        }
        // The chain code goes on.
        let code = |member: &Member| {
            let backup = member.session.export(key.id, &recipient).unwrap();
            quorumkey::hazmat::wrap::open(backup.as_bytes(), &identity).unwrap()[58..90].to_vec()
        };
        assert_eq!(code(&members[0]), code(&members[4]));
        for member in &members {
            member.session.destroy(key.id).unwrap();
        }
    }
}

pub fn an_absent_member_is_removed_and_retires_with_the_certificate(backend: &dyn Backend) {
    let members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let two = without(&key, &[(3, Reason::Lost)]);
    refused!(members[2].session.invite_reshare(key.id, two.clone()), Error::Misuse(Misuse::NotAMember));
    let invitation = members[0].session.invite_reshare(key.id, two).unwrap();
    assert_eq!((invitation.replaced()[0].identifier, invitation.replaced()[0].reason), (id(3), Reason::Lost));
    refused!(members[2].session.start(&invitation), Error::Misuse(Misuse::NotAMember));
    let now = deal(&members[..2], &invitation);
    assert_eq!(now.roster.len(), 2);
    any_sign(&members[..2], key.id, 2, &[1, 2]);
    // Until it hears of it, the removed member would sign; with whom?
    let stale = members[2].session.invite_sign(key.id, &[id(2), id(3)], b"m").unwrap();
    let Err(Error::Stale { certificates, .. }) = members[1].session.start_sign(&stale, b"m") else { panic!() };
    let retired = members[2].session.complete(&certificates[0]).unwrap();
    assert_eq!((retired.state, retired.epoch), (KeyState::Retired, now.epoch));
    let report = &members[0].key(key.id).old_epochs[0];
    let holder = |holding| Holder { identifier: id(3), holding };
    assert_eq!(report.holders, [holder(Holding::Lost), holder(Holding::Backup)]);
    assert!(report.is_dead());
}

pub fn a_member_is_replaced_while_the_threshold_changes(backend: &dyn Backend) {
    let mut members = group(backend, 4);
    let key = dkg(&members, Suite::Secp256k1, 3);
    let new = Member::new(backend.create("new 2"));
    let change = Reshare { threshold: 2, leaving: vec![leaving(2, Reason::Stolen)], ..with(&key, &[(2, &new)]) };
    let invitation = members[0].session.invite_reshare(key.id, change).unwrap();
    let old = core::mem::replace(&mut members[1], new);
    let now = deal(&members, &invitation);
    assert_eq!((now.threshold, &now.group_key), (2, &key.group_key));
    any_sign(&members, key.id, 2, &[1, 2, 3, 4]);
    let certificate = members[3].session.certificate(key.id).unwrap();
    assert_eq!(old.session.complete(&certificate).unwrap().state, KeyState::Retired);
}

pub fn a_removed_number_comes_back_with_another_card(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2);
    // Nobody heard whether the third has erased its share.
    let two = without(&key, &[(3, Reason::Routine)]);
    let dealers = two.members.clone();
    let two = Reshare { dealers: Some(dealers), ..two };
    let gone = members.pop().unwrap();
    let two = deal(&members, &members[0].session.invite_reshare(key.id, two).unwrap());
    let third = |member: &Member| {
        let report = member.key(key.id).old_epochs.into_iter().find(|old| old.epoch == key.epoch).unwrap();
        report
            .holders
            .into_iter()
            .filter(|holder| holder.identifier == id(3))
            .map(|holder| holder.holding)
            .collect::<Vec<_>>()
    };
    let unknown = [Holding::NotConfirmed, Holding::Backup];
    assert_eq!(third(&members[0]), unknown);
    // Another device under the number can't speak for the first.
    members.push(Member::new(backend.create("another 3")));
    let three = deal(&members, &members[0].session.invite_reshare(key.id, with(&two, &[(3, &members[2])])).unwrap());
    any_sign(&members, key.id, 2, &[1, 2, 3]);
    let again = deal(&members, &members[0].session.invite_refresh(key.id, Vec::new()).unwrap());
    assert_eq!(third(&members[0]), unknown);
    // The first learns what it missed from the certificates, one by one.
    let chain = members[0].session.certificates(key.id).unwrap();
    let last = gone.session.catch_up(&chain).unwrap();
    assert_eq!((last.state, last.epoch, last.height), (KeyState::Retired, again.epoch, 3));
    // And may come back itself, under its number alone.
    let other = with(&three, &[(4, &gone)]);
    let invitation =
        members[0].session.invite_reshare(key.id, Reshare { members: other.members, ..Reshare::of(&again) }).unwrap();
    refused!(gone.session.start(&invitation), Error::Misuse(Misuse::Plan("a member under another number")));
    let old_hand = Reshare { leaving: vec![leaving(3, Reason::Routine)], ..with(&again, &[(3, &gone)]) };
    let invitation = members[0].session.invite_reshare(key.id, old_hand).unwrap();
    members[2] = gone;
    deal(&members, &invitation);
    any_sign(&members, key.id, 2, &[1, 2, 3]);
}
