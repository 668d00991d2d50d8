//! Who may be repaired and enrolled, who must agree, and what everybody goes by afterwards.

use quorumkey::wrap::{Identity, SecretKey};
use quorumkey::{Denial, Dkg, KeyState, KeyTemplate, Misuse, Operations, Reason, Restriction};

use super::device::Setting;
use super::*;

/// Three members, the third with a new token.
fn with_a_new_third(setting: &Setting) -> (Vec<Member>, Member, KeyId) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    let old = core::mem::replace(&mut members[2], setting.member("member 3 anew"));
    (members, old, key)
}

fn all(message: quorumkey::Message) -> Vec<quorumkey::Message> {
    vec![message]
}

#[track_caller]
fn refused<T: core::fmt::Debug>(result: Result<T, Error>, expected: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
}

pub fn only_a_destroyed_device_is_repaired(setting: &Setting) {
    let (members, _, key) = with_a_new_third(setting);
    for reason in [Reason::Routine, Reason::Lost, Reason::Stolen] {
        let card = NewCard { reason, ..destroyed(3, &members[2]) };
        let result = members[0].session.invite_repair(key, card, &ids(&[1, 2]));
        refused(result, "asks for a refresh with a new card");
    }
}

pub fn who_held_a_share_is_repaired_and_who_never_did_is_enrolled(setting: &Setting) {
    let (members, _, key) = with_a_new_third(setting);
    let session = &members[0].session;
    refused(session.invite_repair(key, destroyed(4, &members[2]), &ids(&[1, 2])), "enrolled, never repaired");
    refused(session.invite_enrolment(key, id(3), members[2].card(), &ids(&[1, 2])), "repaired, never enrolled");
    refused(session.invite_enrolment(key, id(4), members[1].card(), &ids(&[1, 2])), "stands in the roster twice");
    refused(session.invite_repair(key, destroyed(3, &members[1]), &ids(&[1, 2])), "stands in the roster twice");
}

pub fn helpers_are_a_quorum_of_others_with_who_invites_among_them(setting: &Setting) {
    let mut members = setting.group(4);
    let key = dkg(&members, setting.suite, 2).id;
    members[3] = setting.member("member 4 anew");
    let invite = |helpers: &[u16]| members[0].session.invite_repair(key, destroyed(4, &members[3]), &ids(helpers));
    refused(invite(&[1, 2]), "fewer helpers than must sign");
    assert!(matches!(invite(&[1, 2, 4]), Err(Error::Decode(_))));
    assert!(matches!(invite(&[1, 2, 2]), Err(Error::Decode(_))));
    assert!(matches!(invite(&[1, 2, 7]), Err(Error::Decode(_))));
    let others = members[1].session.invite_repair(key, destroyed(4, &members[3]), &ids(&[1, 3]));
    refused(others, "fewer helpers");
    let invitation = invite(&[1, 2, 3]).unwrap();
    let (lineage, before) = (invitation.lineage().unwrap().unwrap(), members[0].key(key));
    assert_eq!((lineage.key, lineage.epoch, lineage.fingerprint()), (key, before.epoch, before.fingerprint()));
    repair(&members, &invitation);
    sign(&members, key, &[3, 4], b"repaired");
}

pub fn a_key_that_does_not_allow_it_is_neither_repaired_nor_enrolled_in(setting: &Setting) {
    let (members, _, key) = with_a_new_third(setting);
    let invitation = invite_repair(&members, key, 3, &[1, 2]);
    let enrolment = members[0].session.invite_enrolment(key, id(4), members[2].card(), &ids(&[1, 2])).unwrap();
    let operations = Some(Operations::SIGN.union(Operations::REFRESH));
    members[0].session.restrict(key, &Restriction { operations, export: None }).unwrap();
    for invitation in [&invitation, &enrolment] {
        let result = members[0].session.start(invitation);
        assert!(matches!(result, Err(Error::Denied(Denial::Operation))), "{result:?}");
    }
    let result = members[0].session.invite_repair(key, destroyed(3, &members[2]), &ids(&[1, 2]));
    assert!(matches!(result, Err(Error::Denied(Denial::Operation))));
}

pub fn a_key_may_allow_repairs_alone_or_enrolments_alone(setting: &Setting) {
    for operation in [Operations::REPAIR, Operations::ENROL] {
        let mut members = setting.group(3);
        let template = KeyTemplate { operations: Operations::SIGN.union(operation), ..KeyTemplate::wallet("a wallet") };
        let dkg = Dkg { suite: setting.suite, threshold: 2, members: roster(&members), template };
        let key = deal(&members, &members[0].session.invite(dkg).unwrap()).id;
        let new = setting.member("new");
        let repair = members[0].session.invite_repair(key, destroyed(3, &new), &ids(&[1, 2]));
        let enrolment = members[0].session.invite_enrolment(key, id(4), new.card(), &ids(&[1, 2]));
        let (allowed, denied, place) =
            if operation == Operations::REPAIR { (repair, enrolment, 2) } else { (enrolment, repair, 3) };
        assert!(matches!(denied, Err(Error::Denied(Denial::Operation))), "{denied:?}");
        members.insert(place, new);
        for result in run(&members, &allowed.unwrap(), &mut |_, _, message| all(message)) {
            assert_eq!(result.unwrap().unwrap().state, KeyState::Active);
        }
    }
}

/// The helpers vote, and their deals are lost.
fn vote_only(members: &[Member], invitation: &Invitation, lost_votes: &[(usize, usize)]) {
    run(members, invitation, &mut |from, to, message| {
        let lost = message.round() >= 2 || message.round() == 1 && lost_votes.contains(&(from, to));
        if lost { Vec::new() } else { vec![message] }
    });
}

pub fn a_repair_that_failed_after_the_votes_is_done_again_with_the_same_revision(setting: &Setting) {
    let (members, _, key) = with_a_new_third(setting);
    vote_only(&members, &invite_repair(&members, key, 3, &[1, 2]), &[]);
    assert_eq!(members[0].key(key).revision, 1);
    // The second has not seen the first's vote in another run: it is behind, and votes again.
    for info in repair(&members, &invite_repair(&members, key, 3, &[1, 2])) {
        assert_eq!(info.revision, 1);
    }
    sign(&members, key, &[2, 3], b"repaired");
}

pub fn who_missed_the_votes_of_others_votes_again_for_the_same(setting: &Setting) {
    let (members, _, key) = with_a_new_third(setting);
    vote_only(&members, &invite_repair(&members, key, 3, &[1, 2]), &[(0, 1)]);
    assert_eq!([0, 1].map(|place: usize| members[place].key(key).revision), [1, 0]);
    repair(&members, &invite_repair(&members, key, 3, &[1, 2]));
    sign(&members, key, &[2, 3], b"repaired");
}

pub fn who_signed_a_revision_signs_no_other_and_no_attempt_before_it_is_in_force(setting: &Setting) {
    let (mut members, _, key) = with_a_new_third(setting);
    let first = invite_repair(&members, key, 3, &[1, 2]);
    // Each helper has voted, and neither knows of the other's vote.
    vote_only(&members, &first, &[(0, 1), (1, 0)]);
    members[2] = setting.member("member 3 on a third device");
    let other = invite_repair(&members, key, 3, &[1, 2]);
    let lost = NewCard { reason: Reason::Lost, ..destroyed(3, &members[2]) };
    let refresh = members[0].session.invite_refresh(key, vec![lost]).unwrap();
    for member in &members[..2] {
        for invitation in [&other, &refresh] {
            let result = member.session.start(invitation);
            assert!(matches!(result, Err(Error::Denied(Denial::RevisionSigned))), "{result:?}");
        }
    }
    // The first device is gone. Its revision is put in force without it, and the member is repaired on the other.
    let revision = first.revision().unwrap();
    let settled = members[0].session.invite_revision(revision, &ids(&[1, 2])).unwrap();
    deal(&members[..2], &settled);
    assert!(members[2].session.start(&settled).is_err());
    for info in repair(&members, &invite_repair(&members, key, 3, &[1, 2])) {
        assert_eq!(info.revision, 2);
    }
    let now = refresh_all(&members, key);
    assert_eq!((now.revision, now.height), (0, 1));
}

/// Its vote may have come to others who put that revision in force where this token is not told: an epoch that passes over it
/// would show this token as who signed both.
pub fn who_signed_a_revision_that_another_overtook_signs_no_attempt_without_its_officer(setting: &Setting) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    members.extend([setting.member("one more"), setting.member("another")]);
    let enrol = |inviter: usize, place: usize, helpers: &[u16]| {
        let card = members[place].card();
        members[inviter].session.invite_enrolment(key, id(4), card, &ids(helpers)).unwrap()
    };
    let start = |places: &[usize], invitation: &Invitation| -> Vec<_> {
        places.iter().map(|place| members[*place].session.start(invitation).unwrap()).collect()
    };
    // Of the first revision only the third's signature is made: the second does not hear who joins.
    exchange_over(&mut start(&[1, 2, 3], &enrol(2, 3, &[2, 3])), &mut |_, to, message| {
        if message.round() > 0 || to == 0 { Vec::new() } else { vec![message] }
    });
    exchange(&mut start(&[0, 1, 4], &enrol(0, 4, &[1, 2])));
    let told = members[0].session.certificate(key).unwrap();
    assert_eq!(members[2].session.complete(&told).unwrap().revision, 1);
    let refresh = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let result = members[2].session.start(&refresh);
    assert!(matches!(result, Err(Error::Denied(Denial::RevisionSigned))), "{result:?}");
    members[2].store.login_so(&officer_pin()).unwrap().override_fork_rules(&refresh).unwrap();
    exchange(&mut start(&[0, 1, 2, 4], &refresh));
    assert_eq!(members[2].key(key).height, 1);
}

fn refresh_all(members: &[Member], key: KeyId) -> KeyInfo {
    let now = common::refresh(members, key);
    sign(members, key, &[1, 3], b"renewed");
    now
}

pub fn the_officer_may_let_a_token_sign_another_revision(setting: &Setting) {
    let (mut members, _, key) = with_a_new_third(setting);
    vote_only(&members, &invite_repair(&members, key, 3, &[1, 2]), &[(0, 1), (1, 0)]);
    members[2] = setting.member("member 3 on a third device");
    let other = invite_repair(&members, key, 3, &[1, 2]);
    for member in &members[..2] {
        member.store.login_so(&officer_pin()).unwrap().override_fork_rules(&other).unwrap();
    }
    repair(&members, &other);
    sign(&members, key, &[2, 3], b"repaired");
}

pub fn who_signed_an_attempt_signs_no_revision_before_it_has_ended(setting: &Setting) {
    let (mut members, old, key) = with_a_new_third(setting);
    let anew = core::mem::replace(&mut members[2], old);
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    exchange_over(&mut runs, &mut |_, _, message| if message.round() == 2 { Vec::new() } else { vec![message] });
    assert_eq!(members[0].key(key).pending.len(), 1);
    members[2] = anew;
    let repair = invite_repair(&members, key, 3, &[1, 2]);
    for member in &members[..2] {
        let result = member.session.start(&repair);
        assert!(matches!(result, Err(Error::Denied(Denial::AttemptSigned))), "{result:?}");
    }
}

pub fn an_attempt_that_began_before_a_revision_was_signed_is_not_signed_after_it(setting: &Setting) {
    let (mut members, old, key) = with_a_new_third(setting);
    let anew = core::mem::replace(&mut members[2], old);
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let joins: Vec<_> = runs.iter_mut().map(|run| run.poll_transmit().unwrap()).collect();
    let old = core::mem::replace(&mut members[2], anew);
    repair(&members, &invite_repair(&members, key, 3, &[1, 2]));
    for run in &mut runs {
        for join in &joins {
            run.handle(join).unwrap();
        }
    }
    let results = exchange_over(&mut runs, &mut |_, _, message| all(message));
    for result in &results[..2] {
        assert!(matches!(result, Err(Error::Stale { certificates, .. }) if certificates.len() == 1), "{result:?}");
    }
    assert!(members[0].key(key).pending.is_empty());
    drop(old);
    refresh_all(&members, key);
}

/// Four members of whom the second missed the enrolment of the last.
fn enrolled_without_the_second(setting: &Setting) -> (Vec<Member>, KeyId, quorumkey::Certificate) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    members.push(setting.member("member 4"));
    let card = members[3].card();
    repair(&members, &members[0].session.invite_enrolment(key, id(4), card, &ids(&[1, 3])).unwrap());
    let certificate = members[3].session.certificate(key).unwrap();
    (members, key, certificate)
}

/// The second missed a revision, and the epoch without it that followed.
pub fn who_missed_a_revision_and_what_followed_is_told_both(setting: &Setting) {
    let (members, key, _) = enrolled_without_the_second(setting);
    let leaving = vec![quorumkey::Leaving { identifier: id(2), reason: Reason::Lost }];
    let those = [&members[0], &members[2], &members[3]];
    let cards = [(1, 0), (3, 2), (4, 3)].map(|(number, place): (u16, usize)| (id(number), members[place].card()));
    let without = quorumkey::Reshare {
        members: quorumkey::Roster::new(cards.into()).unwrap(),
        leaving,
        ..quorumkey::Reshare::of(&members[0].key(key))
    };
    let invitation = members[0].session.invite_reshare(key, without).unwrap();
    exchange(&mut those.map(|member| member.session.start(&invitation).unwrap()));
    let late = members[1].session.invite_refresh(key, Vec::new()).unwrap();
    let now = members[0].key(key);
    let back = now.roster.with(id(2), members[1].card()).unwrap();
    let back = quorumkey::Reshare { members: back, ..quorumkey::Reshare::of(&now) };
    let back = members[0].session.invite_reshare(key, back).unwrap();
    let mut certificates = Vec::new();
    for refused in [members[0].session.start(&late), members[1].session.start(&back)] {
        let Err(Error::Stale { certificates: told, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(told, members[0].session.certificates(key).unwrap());
        certificates = told;
    }
    for told in &certificates {
        members[1].session.complete(told).unwrap();
    }
    assert_eq!(members[1].key(key).state, KeyState::Retired);
    assert_eq!(members[1].session.certificates(key).unwrap(), certificates);
}

pub fn a_revision_without_a_quorum_of_signatures_is_none(setting: &Setting) {
    let (members, key, certificate) = enrolled_without_the_second(setting);
    let good = certificate.to_bytes();
    // The last signature cut out (2 + 64 bytes), and their number one less.
    let mut fewer = good[..good.len() - 66].to_vec();
    let count = fewer.len() - 66 - 1;
    assert_eq!(fewer[count], 2);
    fewer[count] = 1;
    let forged = |at: usize| {
        let mut forged = good.clone();
        let at = forged.len() - at;
        forged[at] ^= 1;
        forged
    };
    // A signature; who signed; the hash of the roster, before both signatures and their number.
    for bytes in [fewer, forged(1), forged(65), forged(2 * 66 + 4 + 1)] {
        let told = quorumkey::Certificate::from_bytes(&bytes).map(|told| members[1].session.complete(&told));
        assert!(matches!(told, Err(_) | Ok(Err(Error::Certificate(_)))), "{told:?}");
        assert_eq!(members[1].key(key).revision, 0);
    }
    assert_eq!(members[1].session.complete(&certificate).unwrap().revision, 1);
}

pub fn who_signed_two_revisions_with_one_number_is_named_when_both_come_to_light(setting: &Setting) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    members.extend([setting.member("one more"), setting.member("another")]);
    let enrol = |inviter: usize, place: usize, helpers: &[u16]| {
        let card = members[place].card();
        members[inviter].session.invite_enrolment(key, id(4), card, &ids(helpers)).unwrap()
    };
    let [first, second] = [enrol(0, 3, &[1, 2]), enrol(2, 4, &[2, 3])];
    let start = |places: &[usize], invitation: &Invitation| -> Vec<_> {
        places.iter().map(|place| members[*place].session.start(invitation).unwrap()).collect()
    };
    // The first has both votes for the one, the second not; its officer lifts the rule, and it votes for the other as well.
    exchange_over(&mut start(&[0, 1, 3], &first), &mut |from, to, message| {
        let lost = message.round() >= 2 || message.round() == 1 && (from, to) == (0, 1);
        if lost { Vec::new() } else { vec![message] }
    });
    members[1].store.login_so(&officer_pin()).unwrap().override_fork_rules(&second).unwrap();
    exchange(&mut start(&[1, 2, 4], &second));
    for (member, told) in [(0, 2), (2, 0), (1, 0)] {
        let told = members[told].session.certificate(key).unwrap();
        let result = members[member].session.complete(&told);
        assert!(matches!(result, Err(Error::Fork { ours, theirs }) if ours == theirs), "{result:?}");
        let [fork] = members[member].key(key).forks.try_into().unwrap();
        assert_eq!((fork.revision, fork.culprits), (Some(1), vec![id(2)]));
    }
}

pub fn a_member_is_repaired_on_its_own_token_after_it_erased_its_share(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    let here = invite_repair(&members, key, 3, &[1, 2]);
    // It still holds it.
    assert!(matches!(members[2].session.start(&here), Err(Error::Exists(_))));
    members[2].session.destroy(key).unwrap();
    repair(&members, &invite_repair(&members, key, 3, &[1, 2]));
    sign(&members, key, &[2, 3], b"repaired");
}

/// While the helpers make its share, the member takes one from a backup, of this epoch or of the one before.
pub fn who_gets_the_key_from_a_backup_meanwhile_is_not_repaired(setting: &Setting) {
    for renewed in [false, true] {
        let members = setting.group(3);
        let key = dkg(&members, setting.suite, 2).id;
        let sheet = SecretKey::from_bytes(&[5; 32]).unwrap();
        let backup = members[2].session.export(key, &sheet.recipient()).unwrap();
        if renewed {
            common::refresh(&members, key);
        }
        members[2].session.destroy(key).unwrap();
        let with = Identity::X25519(sheet);
        let mut restored = None;
        let results = run(&members, &invite_repair(&members, key, 3, &[1, 2]), &mut |_, to, message| {
            if to == 2 && message.round() == 2 && restored.is_none() {
                restored = Some(members[2].session.restore(&backup, &with).unwrap());
            }
            vec![message]
        });
        match (renewed, &results[2]) {
            (false, Err(Error::Exists(_))) | (true, Err(Error::Stale { .. })) => {}
            (_, result) => panic!("{result:?}"),
        }
        assert_eq!(members[2].key(key), restored.unwrap(), "it is to be refreshed");
    }
}

/// The third has left, has destroyed its key and is called back under that number. While it is dealt its share it takes the one of
/// the first epoch from a backup. What its run says; the key stays as the backup had it.
fn restored_while_called_back(setting: &Setting, number: u16) -> (Vec<Member>, KeyId, Error) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    let sheet = SecretKey::from_bytes(&[5; 32]).unwrap();
    let backup = members[2].session.export(key, &sheet.recipient()).unwrap();
    let (two, with) = (roster(&members[..2]), Identity::X25519(sheet));
    let leaving = vec![quorumkey::Leaving { identifier: id(3), reason: Reason::Routine }];
    let of = || quorumkey::Reshare::of(&members[0].key(key));
    let without = quorumkey::Reshare { members: two.clone(), leaving, ..of() };
    deal(&members, &members[0].session.invite_reshare(key, without).unwrap());
    members[2].session.destroy(key).unwrap();
    let again = quorumkey::Reshare { members: two.with(id(number), members[2].card()).unwrap(), ..of() };
    let invitation = members[0].session.invite_reshare(key, again).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let mut restored = None;
    let mut results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 2 && message.round() == 1 && restored.is_none() {
            restored = Some(members[2].session.restore(&backup, &with).unwrap());
        }
        vec![message]
    });
    drop(runs);
    assert_eq!(members[2].key(key), restored.unwrap());
    let refused = results.remove(2).unwrap_err();
    (members, key, refused)
}

pub fn who_gets_the_key_from_a_backup_meanwhile_signs_under_its_number_alone(setting: &Setting) {
    let (_, _, refused) = restored_while_called_back(setting, 4);
    assert!(matches!(refused, Error::Misuse(Misuse::Plan("a member under another number"))), "{refused:?}");
}

/// It has a share again, of an epoch that is over: the history that it was told is not the one to go on from.
pub fn who_gets_the_key_from_a_backup_meanwhile_catches_up_first(setting: &Setting) {
    let (members, key, refused) = restored_while_called_back(setting, 3);
    let Error::Stale { certificates, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(certificates, [members[0].session.certificate(key).unwrap()]);
    assert_eq!(members[2].session.complete(&certificates[0]).unwrap().state, KeyState::Retired);
}

pub fn a_repaired_member_has_forgotten_what_it_signed(setting: &Setting) {
    let (mut members, _, key) = with_a_new_third(setting);
    repair(&members, &invite_repair(&members, key, 3, &[1, 2]));
    members[1] = setting.member("member 2 anew");
    let invitation = invite_repair(&members, key, 2, &[1, 3]);
    let result = members[2].session.start(&invitation);
    assert!(matches!(result, Err(Error::Denied(Denial::RestoredVotesAfterRefresh))), "{result:?}");
    members[2].store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
    repair(&members, &invitation);
    sign(&members, key, &[2, 3], b"repaired");
}

/// It may have been a member before, or have signed to become one, and does not know.
pub fn an_enrolled_token_that_was_restored_has_forgotten_what_it_signed(setting: &Setting) {
    let sheet = || SecretKey::from_bytes(&[5; 32]).unwrap();
    for restored in [false, true] {
        let mut members = setting.group(3);
        let key = dkg(&members, setting.suite, 2).id;
        let mut new = setting.member("member 4");
        if restored {
            let who = new.session.export_identity(&sheet().recipient()).unwrap();
            new = setting.restore(&who, &Identity::X25519(sheet()));
        }
        members.push(new);
        let card = members[3].card();
        repair(&members, &members[0].session.invite_enrolment(key, id(4), card, &ids(&[1, 2])).unwrap());
        sign(&members, key, &[1, 4], b"enrolled");
        members.push(setting.member("member 5"));
        let card = members[4].card();
        let next = members[0].session.invite_enrolment(key, id(5), card, &ids(&[1, 2, 4])).unwrap();
        match (restored, members[3].session.start(&next)) {
            (false, Ok(_)) | (true, Err(Error::Denied(Denial::RestoredVotesAfterRefresh))) => {}
            (_, result) => panic!("{result:?}"),
        }
    }
}

pub fn the_old_token_of_a_repaired_member_has_no_voice(setting: &Setting) {
    let (members, old, key) = with_a_new_third(setting);
    repair(&members, &invite_repair(&members, key, 3, &[1, 2]));
    let its = old.session.invite_sign(key, &[id(1), id(3)], b"m").unwrap();
    assert!(matches!(members[0].session.start_sign(&its, b"m"), Err(Error::Stale { .. })));
    old.session.complete(&members[0].session.certificate(key).unwrap()).unwrap();
    let current = members[0].session.invite_sign(key, &[id(1), id(3)], b"m").unwrap();
    assert!(matches!(old.session.start_sign(&current, b"m"), Err(Error::Misuse(Misuse::NotAMember))));
    let its = old.session.invite_sign(key, &[id(1), id(3)], b"m").unwrap();
    assert!(matches!(members[0].session.start_sign(&its, b"m"), Err(Error::Misuse(Misuse::Inviter))));
}

pub fn a_backup_of_an_enrolled_member_carries_the_revision(setting: &Setting) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    members.push(setting.member("member 4"));
    let card = members[3].card();
    repair(&members, &members[0].session.invite_enrolment(key, id(4), card, &ids(&[1, 2])).unwrap());
    let sheet = SecretKey::from_bytes(&[5; 32]).unwrap();
    let (to, with) = (sheet.recipient(), Identity::X25519(sheet));
    let backup = members[3].session.export(key, &to).unwrap();
    let who = members[3].session.export_identity(&to).unwrap();
    members[3] = setting.restore(&who, &with);
    let info = members[3].session.restore(&backup, &with).unwrap();
    assert_eq!((info.state, info.revision, info.roster.len()), (KeyState::Restored, 1, 4));
}

/// The helpers' deals among themselves are late, and the epoch is renewed without the third in the meantime.
pub fn no_share_of_an_epoch_is_made_from_memory_once_the_epoch_is_over(setting: &Setting) {
    let (members, _, key) = with_a_new_third(setting);
    let invitation = invite_repair(&members, key, 3, &[1, 2]);
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let mut late = Vec::new();
    exchange_over(&mut runs, &mut |_, to, message| {
        if message.round() < 2 {
            return vec![message];
        }
        if to == 1 {
            late.push(message);
        }
        Vec::new()
    });
    let reshare = quorumkey::Reshare {
        threshold: 2,
        members: roster(&members[..2]),
        leaving: vec![quorumkey::Leaving { identifier: id(3), reason: Reason::Destroyed }],
        dealers: None,
        witnesses: None,
        least_attempt: 0,
    };
    let now = deal(&members[..2], &members[0].session.invite_reshare(key, reshare).unwrap());
    assert_eq!(now.height, 1);
    let result = runs[1].handle(&late[0]);
    assert!(matches!(result, Err(Error::Misuse(Misuse::NoSuchRun(_)))), "{result:?}");
    assert!(runs[1].poll_transmit().is_none());
}

pub fn who_has_not_completed_the_key_helps_nobody_before_it_has(setting: &Setting) {
    let members = setting.group(4);
    let invitation = dkg_invitation(&members[..3], setting.suite, 2);
    let mut runs: Vec<_> = members[..3].iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 1 && hazmat::subject(&message) == "certify" { Vec::new() } else { vec![message] }
    });
    let Ok(Some(key)) = &results[0] else { panic!("{results:?}") };
    assert_eq!(members[1].key(key.id).state, KeyState::Pending);
    let certificate = members[0].session.certificate(key.id).unwrap();
    let enrolment = members[0].session.invite_enrolment(key.id, id(4), members[3].card(), &ids(&[1, 2])).unwrap();
    let refused = members[1].session.start(&enrolment);
    let Err(Error::Stale { certificates, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(certificates, [certificate]);
}

pub fn who_was_left_out_is_enrolled_again_once_it_has_completed_that(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2);
    let leaving = vec![quorumkey::Leaving { identifier: id(3), reason: Reason::Lost }];
    let without = quorumkey::Reshare { members: roster(&members[..2]), leaving, ..quorumkey::Reshare::of(&key) };
    deal(&members[..2], &members[0].session.invite_reshare(key.id, without).unwrap());
    let enrol = || members[0].session.invite_enrolment(key.id, id(3), members[2].card(), &ids(&[1, 2])).unwrap();
    let certificate = members[0].session.certificate(key.id).unwrap();
    let refused = members[2].session.start(&enrol());
    let Err(Error::Stale { certificates, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(certificates, core::slice::from_ref(&certificate));
    assert_eq!(members[2].session.complete(&certificate).unwrap().state, KeyState::Retired);
    let behind = enrol();
    let now = common::refresh(&members[..2], key.id);
    let refused = members[1].session.start(&behind);
    assert!(
        matches!(&refused, Err(Error::Stale { have, certificates }) if *have == now.epoch && certificates.len() == 1)
    );
    repair(&members, &enrol());
    sign(&members, key.id, &[2, 3], b"enrolled again");
}
