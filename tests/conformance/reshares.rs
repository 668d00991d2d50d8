//! Reshares: other members, another threshold, the same key.

use quorumkey::{
    CertificateError, Error, Holder, Holding, Identifier, Invitation, KeyId, KeyInfo, KeyState, Leaving, Misuse,
    Reason, Reshare, Roster, Suite,
};

use crate::backend::{Backend, backup_key, group, reopen};
use crate::common::{Member, deal, dkg, exchange, id, members_by_number, sign_by};
use crate::refused;

/// Tokens of their own for each suite.
fn group_named(backend: &dyn Backend, suite: Suite, n: u16) -> Vec<Member> {
    (1..=n).map(|i| Member::new(backend.create(&format!("{suite:?} {i}")))).collect()
}

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
    for suite in Suite::ALL {
        let members = group_named(backend, suite, 3);
        let key = dkg(&members, suite, 2);
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
}

pub fn who_leaves_with_its_device_at_hand_deals_and_nobody_else_who_leaves(backend: &dyn Backend) {
    let members = group_named(backend, Suite::Ed25519, 4);
    let key = dkg(&members, Suite::Ed25519, 2);
    for (routine, lost) in [(3, 4), (4, 3)] {
        let two = without(&key, &[(routine, Reason::Routine), (lost, Reason::Lost)]);
        let invitation = members[0].session.invite_reshare(key.id, two).unwrap();
        let dealers: Vec<_> = invitation.dealers().unwrap().identifiers().collect();
        assert_eq!(dealers, [id(1), id(2), id(routine)]);
    }
}

pub fn a_member_is_replaced_while_the_threshold_changes(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut members = group_named(backend, suite, 4);
        let key = dkg(&members, suite, 3);
        let new = Member::new(backend.create(&format!("{suite:?} new 2")));
        let change = Reshare { threshold: 2, leaving: vec![leaving(2, Reason::Stolen)], ..with(&key, &[(2, &new)]) };
        let invitation = members[0].session.invite_reshare(key.id, change).unwrap();
        let old = core::mem::replace(&mut members[1], new);
        let now = deal(&members, &invitation);
        assert_eq!((now.threshold, &now.group_key), (2, &key.group_key));
        any_sign(&members, key.id, 2, &[1, 2, 3, 4]);
        let certificate = members[3].session.certificate(key.id).unwrap();
        assert_eq!(old.session.complete(&certificate).unwrap().state, KeyState::Retired);
    }
}

pub fn a_removed_number_comes_back_with_another_card(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut members = group_named(backend, suite, 3);
        let key = dkg(&members, suite, 2);
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
        members.push(Member::new(backend.create(&format!("{suite:?} another 3"))));
        let three =
            deal(&members, &members[0].session.invite_reshare(key.id, with(&two, &[(3, &members[2])])).unwrap());
        any_sign(&members, key.id, 2, &[1, 2, 3]);
        let again = deal(&members, &members[0].session.invite_refresh(key.id, Vec::new()).unwrap());
        assert_eq!(third(&members[0]), unknown);
        // The first learns what it missed from the certificates, one by one.
        let chain = members[0].session.certificates(key.id).unwrap();
        let last = gone.session.catch_up(&chain).unwrap();
        assert_eq!((last.state, last.epoch, last.height), (KeyState::Retired, again.epoch, 3));
        // And may come back itself, under its number alone.
        let other = with(&three, &[(4, &gone)]);
        let invitation = members[0]
            .session
            .invite_reshare(key.id, Reshare { members: other.members, ..Reshare::of(&again) })
            .unwrap();
        refused!(gone.session.start(&invitation), Error::Misuse(Misuse::Plan("a member under another number")));
        let old_hand = Reshare { leaving: vec![leaving(3, Reason::Routine)], ..with(&again, &[(3, &gone)]) };
        let invitation = members[0].session.invite_reshare(key.id, old_hand).unwrap();
        members[2] = gone;
        deal(&members, &invitation);
        any_sign(&members, key.id, 2, &[1, 2, 3]);
    }
}

/// Of a 2-of-5 key four old members sign what follows it, and two are enough to deal.
pub fn t_members_deal_and_others_only_sign_with_every_suite(backend: &dyn Backend) {
    let members = group(backend, 6);
    for suite in Suite::ALL {
        let key = dkg(&members[..5], suite, 2);
        let reason = |number| if number == 5 { Reason::Lost } else { Reason::Routine };
        let gone = [3, 4, 5].map(|number| (number, reason(number)));
        let two = without(&key, &gone);
        let receivers = two.members.with(id(6), members[5].card()).unwrap();
        let old = |numbers: &[u16]| {
            let seat = |number: &u16| (id(*number), key.roster.card(id(*number)).unwrap().clone());
            Roster::new(numbers.iter().map(seat).collect()).ok()
        };
        let change = |dealers: &[u16], witnesses: &[u16]| Reshare {
            members: receivers.clone(),
            dealers: old(dealers),
            witnesses: old(witnesses),
            ..two.clone()
        };
        let propose =
            |dealers: &[u16], witnesses: &[u16]| members[0].session.invite_reshare(key.id, change(dealers, witnesses));
        let few = |what| move |why: &CertificateError| *why == CertificateError::Contradiction(what);
        let (signing, dealing) = (few("the old members that sign are too few"), few("the dealers are too few"));
        refused!(propose(&[1, 2], &[3]), Error::Certificate(why) if signing(&why));
        refused!(propose(&[1], &[3, 4]), Error::Certificate(why) if dealing(&why));
        let lost = few("a lost or stolen device deals");
        refused!(propose(&[1, 2], &[3, 5]), Error::Certificate(why) if lost(&why));
        // Who deals or receives is no witness besides.
        for twice in [&[2, 3, 4], &[1, 3, 4]] {
            assert!(propose(&[1, 2], twice).is_err());
        }
        let invitation = propose(&[1, 2], &[3, 4]).unwrap();
        let told = Invitation::from_bytes(&invitation.to_bytes()).unwrap();
        assert_eq!((told.dealers().unwrap().len(), told.witnesses()), (2, old(&[3, 4]).as_ref()));
        let part = [0, 1, 2, 3, 5];
        let mut runs: Vec<_> = part.iter().map(|at: &usize| members[*at].session.start(&told).unwrap()).collect();
        let now = exchange(&mut runs).remove(0);
        assert_eq!((&now.group_key, identifiers(&now)), (&key.group_key, vec![1, 2, 6]));
        for witness in [2, 3] {
            assert_eq!(members[witness].key(key.id).state, KeyState::Retired);
        }
        let report = now.old_epochs.iter().find(|old| old.epoch == key.epoch).unwrap();
        let left: Vec<_> = members[0].key(key.id).old_epochs[0].identifiers().collect();
        assert_eq!((left, report.threshold), (vec![id(5)], 2), "the witnesses have erased their shares and said so");
        let by = [1, 2, 6].into_iter().zip([0, 1, 5].map(|at: usize| &members[at])).collect();
        for pair in [[1, 2], [1, 6], [2, 6]] {
            sign_by(&by, key.id, &pair, b"any of them");
        }
        // A certificate that lacks a witness is none, nor is one that says more of it than it has to.
        let certificate = members[0].session.certificate(key.id).unwrap();
        let bytes = certificate.to_bytes();
        assert_eq!(members[4].session.complete(&certificate).unwrap().state, KeyState::Retired);
        let (count, of_three) = endorsement_of_the_third(&bytes);
        let mut missing = bytes.clone();
        missing.drain(of_three..of_three + 70);
        missing[count + 3] -= 1;
        let mut more = bytes.clone();
        more[of_three + 69] = 1;
        more.insert(of_three + 70, 7);
        let outsider = Member::new(backend.create(&format!("{suite:?}")));
        let four = with(&now, &[(7, &outsider)]);
        let invitation = members[0].session.invite_reshare(key.id, four).unwrap();
        for wrong in [missing, more] {
            // In the chain of the invitation it stands last, before the signature.
            let mut told = invitation.to_bytes();
            let start = told.len() - 64 - bytes.len();
            assert_eq!(told[start..start + bytes.len()], bytes);
            let length = u32::try_from(wrong.len()).unwrap().to_be_bytes();
            told.splice(start - 4..start + bytes.len(), length.into_iter().chain(wrong));
            let refused = Invitation::from_bytes(&told).unwrap().lineage();
            assert_eq!(refused.unwrap_err(), CertificateError::Signature(id(3)));
        }
        assert!(invitation.lineage().is_ok());
    }
}

/// Where a certificate counts its endorsements, and where that of the third member begins: it is of a witness, without a run key.
fn endorsement_of_the_third(bytes: &[u8]) -> (usize, usize) {
    let number = |at: usize| usize::try_from(u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
    let transcript = 5 + number(1);
    let count = transcript + 4 + number(transcript);
    let mut at = count + 4;
    while bytes[at..at + 2] != [0, 3] {
        at += 70 + number(at + 66);
    }
    assert_eq!(number(at + 66), 0);
    (count, at)
}
