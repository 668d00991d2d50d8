//! Restored tokens: they deal, sign after a refresh, and go by what the others remember.

use quorumkey::hazmat::Forger;
use quorumkey::{Certificate, CertificateError, Denial, Misuse, NewCard, Reason, Storage};

use super::device::{Kept, Setting};
use super::*;

/// A new token from the backups of one, kept like the other tokens of a test.
pub(super) fn restored_in(setting: &Setting, member: &Member, key: KeyId) -> Member {
    let (identity, to) = sheet();
    let backup = member.session.export(key, &to).unwrap();
    let who = member.session.export_identity(&to).unwrap();
    let again = setting.restore(&who, &identity);
    assert_eq!(again.session.restore(&backup, &identity).unwrap().state, KeyState::Restored);
    again
}

fn new_card(number: u16, member: &Member) -> NewCard {
    NewCard { identifier: id(number), card: member.card(), reason: Reason::Routine }
}

pub fn a_restored_share_does_not_sign_before_a_refresh_and_signs_after_it(setting: &Setting) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    members[2] = restored_in(setting, &members[2], key);
    let invitation = members[0].session.invite_sign(key, &[id(1), id(3)], b"too early").unwrap();
    let refused = members[2].session.start_sign(&invitation, b"too early");
    assert!(matches!(refused, Err(Error::Denied(Denial::RestoredSignsAfterRefresh))), "{refused:?}");
    let invitation = members[0].session.invite_refresh(key, vec![new_card(3, &members[2])]).unwrap();
    deal(&members, &invitation);
    all_sign(&members, key, b"renewed");
}

pub fn a_restored_token_renews_only_with_a_quorum_that_remembers_or_by_override(setting: &Setting) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    for number in [2, 3] {
        members[number - 1] = restored_in(setting, &members[number - 1], key);
    }
    let cards = || vec![new_card(2, &members[1]), new_card(3, &members[2])];
    let invitation = members[0].session.invite_refresh(key, cards()).unwrap();
    let results = exchange_over(&mut enter(&members, &invitation), &mut |_, _, message| vec![message]);
    for result in &results[1..] {
        assert!(matches!(result, Err(Error::Denied(Denial::RestoredNeedsQuorum))), "{result:?}");
    }
    let invitation = members[0].session.invite_refresh(key, cards()).unwrap();
    for member in &members[1..] {
        member.store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
    }
    deal(&members, &invitation);
    all_sign(&members, key, b"renewed");
}

pub fn a_restored_token_signs_only_above_what_the_others_report(setting: &Setting) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    let again = restored_in(setting, &members[2], key);
    // All three signed an attempt that nobody has the certificate of, and the backup knows nothing of it.
    let pairs = [(0, 1), (1, 0), (0, 2), (1, 2), (2, 0), (2, 1)];
    refresh_over(&members, key, &mut lost("certify", &pairs));
    let attempt = members[0].key(key).pending[0];
    members[2] = again;
    let cards = || vec![new_card(3, &members[2])];
    let low = members[2].session.invite_refresh(key, cards()).unwrap();
    let refused = members[0].session.start(&low);
    assert!(matches!(refused, Err(Error::Denied(Denial::AttemptTooLow { least: 2 }))), "{refused:?}");
    let high = members[2].session.invite_refresh_from(key, cards(), 2).unwrap();
    let now = deal(&members, &high);
    assert_ne!(now.epoch, attempt, "the third signature is forgotten: it is no certificate");
    assert!(members[0].key(key).pending.is_empty());
    all_sign(&members, key, b"renewed");
}

/// Two lines of a key, each with its members, and a certificate of each: two of three restored tokens have forgotten an
/// attempt that is certified elsewhere, and officers override the rule that would have stopped them.
fn two_lines(setting: &Setting) -> (KeyId, [(Vec<Member>, Certificate); 2]) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    let [second, third] = [1, 2].map(|member: usize| restored_in(setting, &members[member], key));
    refresh_over(&members, key, &mut lost("certify", &[(0, 1), (2, 1), (0, 2), (1, 2)]));
    let ours = members[0].session.certificate(key).unwrap();
    let line = vec![setting.member("member 1 anew"), second, third];
    let cards = (1..).zip(&line).map(|(number, member)| new_card(number, member)).collect();
    let invitation = line[1].session.invite_refresh(key, cards).unwrap();
    for member in &line[1..] {
        member.store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
    }
    deal(&line, &invitation);
    let theirs = line[0].session.certificate(key).unwrap();
    (key, [(members, ours), (line, theirs)])
}

/// Both lines see it, and keep their shares.
pub fn a_fork_is_seen_from_both_sides_and_erases_nothing(setting: &Setting) {
    let (key, [(members, ours), (line, certificate)]) = two_lines(setting);
    let theirs = certificate.epoch_id();
    let before = members[0].key(key);
    let fork = members[0].session.complete(&certificate);
    assert!(matches!(fork, Err(Error::Fork { ours, theirs: there }) if (ours, there) == (before.epoch, theirs)));
    for member in &line {
        let fork = member.session.complete(&ours);
        assert!(matches!(fork, Err(Error::Fork { ours, theirs: there }) if (ours, there) == (theirs, before.epoch)));
        assert_eq!(member.key(key).state, KeyState::Active);
    }
    let after = members[0].key(key);
    assert_eq!((after.epoch, after.state, after.forks.len()), (before.epoch, before.state, 1));
}

/// Of two lines one will end; what was prepared on either signs nothing any more.
pub fn nonces_made_beforehand_die_in_a_fork(setting: &Setting) {
    let (key, [(members, ours), (_, theirs)]) = two_lines(setting);
    members[1].session.complete(&ours).unwrap();
    let invitation = members[0].session.invite_preprocess(key, &[id(1), id(2)], 2).unwrap();
    let start = |member: &Member| member.session.start_preprocess(&invitation).unwrap();
    let mut kept = [start(&members[0]), start(&members[1])];
    let batch = exchange(&mut kept).remove(0);
    let propose =
        || members[0].session.invite_sign_prepared(&batch, &[id(1), id(2)], b"m", &quorumkey::Derivation::default());
    propose().unwrap();
    kept[1].resend();
    let said = kept[1].poll_transmit().unwrap();
    kept[0].handle(&said).unwrap();
    let fork = members[0].session.complete(&theirs);
    assert!(matches!(fork, Err(Error::Fork { .. })), "{fork:?}");
    let gone = propose();
    assert!(matches!(gone, Err(Error::Denied(Denial::Forked))), "{gone:?}");
    // They are not only denied: the run that kept them is gone.
    let gone = kept[0].handle(&said);
    assert!(matches!(gone, Err(Error::Misuse(Misuse::NoSuchRun(run))) if run == batch.id), "{gone:?}");
}

/// A renewal that names no line that is to lose ends where the fork is seen, also when that is after it has begun.
pub fn a_renewal_under_way_ends_when_a_fork_is_seen(setting: &Setting) {
    let (key, [(members, ours), (_, theirs)]) = two_lines(setting);
    for member in &members[1..] {
        member.session.complete(&ours).unwrap();
    }
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let mut seen = false;
    let results = exchange_over(&mut enter(&members, &invitation), &mut |_, to, message| {
        // All have dealt and none has signed.
        if to == 0 && hazmat::subject(&message) == "deal" && !seen {
            seen = true;
            assert!(matches!(members[0].session.complete(&theirs), Err(Error::Fork { .. })));
        }
        vec![message]
    });
    assert!(matches!(&results[0], Err(Error::Misuse(Misuse::Plan(_)))), "{results:?}");
    assert!(results[1..].iter().all(|result| matches!(result, Ok(None))), "{results:?}");
    assert_eq!(members[0].key(key).pending, []);
}

/// Three members of whom the first has an identity that the test knows.
pub(super) fn group_of_a_forger(setting: &Setting) -> (Forger, Vec<Member>) {
    let forger = Forger::new([1; 32]);
    let first = Member::new(forger.store(setting.storage(), &init("member 1"), 0).unwrap());
    (forger, vec![first, setting.member("member 2"), setting.member("member 3")])
}

pub fn a_member_restored_without_its_share_has_forgotten_as_much(setting: &Setting) {
    let (forger, mut members) = group_of_a_forger(setting);
    let key = dkg(&members, setting.suite, 2).id;
    members[1] = restored_in(setting, &members[1], key);
    let (identity, to) = sheet();
    let who = members[2].session.export_identity(&to).unwrap();
    members[2] = setting.restore(&who, &identity);
    let cards = || vec![new_card(2, &members[1]), new_card(3, &members[2])];
    // It has nothing to deal, and says so before anybody deals.
    let listed = members[0].session.invite_refresh(key, cards()).unwrap();
    assert!(matches!(members[2].session.start(&listed), Err(Error::Misuse(Misuse::NoShare))));
    let invite = || forger.without_dealer(&members[0].session.invite_refresh(key, cards()).unwrap(), id(3));
    let invitation = invite();
    let results = exchange_over(&mut enter(&members, &invitation), &mut |_, _, message| vec![message]);
    for result in &results[1..] {
        assert!(matches!(result, Err(Error::Denied(Denial::RestoredNeedsQuorum))), "{result:?}");
    }
    let invitation = invite();
    for member in &members[1..] {
        member.store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
    }
    deal(&members, &invitation);
    all_sign(&members, key, b"renewed");
}

/// The third has no share any more, and signs an attempt that gives it one and is not certified. That makes it nobody who
/// remembers for the second, which comes out of a backup then.
pub fn who_has_forgotten_says_so_until_its_new_share_is_certified(setting: &Setting) {
    for destroys in [false, true] {
        let (forger, mut members) = group_of_a_forger(setting);
        let key = dkg(&members, setting.suite, 2).id;
        let mut cards = Vec::new();
        if destroys {
            members[2].session.destroy(key).unwrap();
        } else {
            let (identity, to) = sheet();
            let who = members[2].session.export_identity(&to).unwrap();
            members[2] = setting.restore(&who, &identity);
            cards.push(new_card(3, &members[2]));
        }
        let invite = |by: &Member, cards: &[NewCard]| {
            forger.without_dealer(&by.session.invite_refresh(key, cards.to_vec()).unwrap(), id(3))
        };
        let invitation = invite(&members[0], &cards);
        let nobody = &[(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
        exchange_over(&mut enter(&members, &invitation), &mut lost("certify", nobody));
        assert_eq!(members[2].key(key).pending.len(), 1);
        members[1] = restored_in(setting, &members[1], key);
        cards.insert(0, new_card(2, &members[1]));
        let invitation = invite(&members[0], &cards);
        let results = exchange_over(&mut enter(&members, &invitation), &mut |_, _, message| vec![message]);
        assert!(matches!(results[1], Err(Error::Denied(Denial::RestoredNeedsQuorum))), "{results:?}");
    }
}

pub fn who_was_replaced_is_not_led_back_to_the_epoch_before(setting: &Setting) {
    let (forger, mut members) = group_of_a_forger(setting);
    let key = dkg(&members, setting.suite, 2).id;
    let back = members[0].session.invite_refresh_from(key, Vec::new(), 9).unwrap();
    let back = forger.without_dealer(&back, id(3));
    let old = core::mem::replace(&mut members[2], setting.member("member 3 anew"));
    let now = deal(&members, &members[0].session.invite_refresh(key, vec![new_card(3, &members[2])]).unwrap());
    let certificate = members[0].session.certificate(key).unwrap();
    assert_eq!(old.session.complete(&certificate).unwrap().state, KeyState::Retired);
    match old.session.start(&back).err() {
        Some(Error::Stale { have, certificates }) => {
            assert_eq!((have, certificates.len()), (now.epoch, 1));
        }
        other => panic!("{other:?}"),
    }
}

pub fn a_member_stays_under_its_number(setting: &Setting) {
    let members = setting.group(5);
    let key = dkg(&members, setting.suite, 3).id;
    let swapped = vec![new_card(1, &members[1]), new_card(2, &members[0])];
    let refused = members[2].session.invite_refresh(key, swapped);
    let number = CertificateError::Contradiction("a member under another number");
    assert!(matches!(refused, Err(Error::Certificate(why)) if why == number));
}

pub fn who_destroyed_a_key_still_enters_upwards_only(setting: &Setting) {
    let (forger, members) = group_of_a_forger(setting);
    let key = dkg(&members, setting.suite, 2).id;
    let low = members[0].session.invite_refresh_from(key, Vec::new(), 4).unwrap();
    let low = forger.without_dealer(&low, id(3));
    let high = members[0].session.invite_refresh_from(key, Vec::new(), 5).unwrap();
    drop(members[2].session.start(&high).unwrap());
    members[2].session.destroy(key).unwrap();
    let refused = members[2].session.start(&low);
    assert!(matches!(refused, Err(Error::Denied(Denial::AttemptTooLow { least: 6 }))), "{refused:?}");
}

/// Whoever stole a token has its identity: a restored card of it would let the thief in again.
pub fn a_stolen_token_comes_back_under_a_new_identity_only(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    let again = restored_in(setting, &members[2], key);
    let card = |card, reason| vec![NewCard { identifier: id(3), card, reason }];
    let refused = members[0].session.invite_refresh(key, card(again.card(), Reason::Stolen));
    assert!(matches!(refused, Err(Error::Misuse(Misuse::Plan(_)))), "{refused:?}");
    assert!(members[0].session.invite_refresh(key, card(again.card(), Reason::Lost)).is_ok());
    let anew = setting.member("member 3 anew");
    assert!(members[0].session.invite_refresh(key, card(anew.card(), Reason::Stolen)).is_ok());
}

pub fn a_newcomer_remembers_nothing_for_a_restored_token(setting: &Setting) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2);
    members[1] = restored_in(setting, &members[1], key.id);
    members[2] = setting.member("member 4");
    let leaving = vec![Leaving { identifier: id(3), reason: Reason::Lost }];
    let now = seated(&members, &[(1, 0), (2, 1), (4, 2)]);
    let with = Reshare { members: now, leaving, ..Reshare::of(&key) };
    let invitation = members[0].session.invite_reshare(key.id, with).unwrap();
    let results = exchange_over(&mut enter(&members, &invitation), &mut |_, _, message| vec![message]);
    assert!(matches!(results[1], Err(Error::Denied(Denial::RestoredNeedsQuorum))), "{results:?}");
}

/// It may have signed an attempt that was to make it a member, and does not know: a quorum has to remember for it.
pub fn a_restored_token_that_joins_has_forgotten_as_well(setting: &Setting) {
    for comes_restored in [false, true] {
        let mut members = setting.group(3);
        let key = dkg(&members, setting.suite, 2);
        members[1] = restored_in(setting, &members[1], key.id);
        members[2] = setting.member("member 4");
        if comes_restored {
            let (identity, to) = sheet();
            let who = members[2].session.export_identity(&to).unwrap();
            members[2] = setting.restore(&who, &identity);
        }
        let now = seated(&members, &[(1, 0), (2, 1), (4, 2)]);
        let leaving = vec![Leaving { identifier: id(3), reason: Reason::Lost }];
        let reshare = Reshare { members: now, leaving, ..Reshare::of(&key) };
        let invitation = members[0].session.invite_reshare(key.id, reshare).unwrap();
        // Of the members that deal one remembers, and one is let through by its officer.
        members[1].store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
        let results = exchange_over(&mut enter(&members, &invitation), &mut |_, _, message| vec![message]);
        match (comes_restored, &results[2]) {
            (false, Ok(Some(info))) => assert_eq!(info.state, KeyState::Active),
            (true, Err(Error::Denied(Denial::RestoredNeedsQuorum))) => {}
            (_, result) => panic!("{result:?}"),
        }
    }
}

/// What it is dealt in an attempt that comes to nothing makes up for nothing that it has forgotten.
pub fn who_had_forgotten_in_one_attempt_has_so_in_the_next(setting: &Setting) {
    for (comes_restored, destroyed) in [(false, false), (true, false), (false, true)] {
        let mut members = setting.group(3);
        let key = dkg(&members, setting.suite, 2);
        members[1] = restored_in(setting, &members[1], key.id);
        let (third, mut leaving) = (if destroyed { 3 } else { 4 }, Vec::new());
        if destroyed {
            members[2].session.destroy(key.id).unwrap();
        } else {
            members[2] = setting.member("member 4");
            leaving.push(Leaving { identifier: id(3), reason: Reason::Lost });
        }
        if comes_restored {
            let (identity, to) = sheet();
            let who = members[2].session.export_identity(&to).unwrap();
            members[2] = setting.restore(&who, &identity);
        }
        let now = seated(&members, &[(1, 0), (2, 1), (third, 2)]);
        let dealers = Some(seated(&members, &[(1, 0), (2, 1)]));
        for lost in [true, false] {
            let (members_now, dealers) = (now.clone(), dealers.clone());
            let reshare = Reshare { members: members_now, leaving: leaving.clone(), dealers, ..Reshare::of(&key) };
            let invitation = members[0].session.invite_reshare(key.id, reshare).unwrap();
            let through = if lost { 1..3 } else { 1..2 };
            for member in &members[through] {
                member.store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
            }
            // The first member does not sign, or the joins would complete the attempt.
            let results = exchange_over(&mut enter(&members, &invitation), &mut |_, to, message| {
                let about = hazmat::subject(&message);
                let missed = lost && (about == "certify" || about == "deal" && to == 0);
                if missed { Vec::new() } else { vec![message] }
            });
            match (lost, comes_restored || destroyed, &results[2]) {
                (true, _, Ok(None)) => assert_eq!(members[2].key(key.id).pending.len(), 1),
                (false, false, Ok(Some(info))) => assert_eq!(info.state, KeyState::Active),
                (false, true, Err(Error::Denied(Denial::RestoredNeedsQuorum))) => {}
                (_, _, result) => panic!("{comes_restored} {destroyed} {result:?}"),
            }
        }
    }
}

/// Nobody has noticed the copy: the same device with the same card takes part, before and after which it is copied.
pub fn a_copied_token_reads_no_refresh_that_its_owner_takes_part_in(setting: &Setting) {
    let mut devices = setting.devices(3);
    let key = dkg(&log_in(&mut devices), setting.suite, 2).id;
    let copy = |devices: &[Kept]| setting.device(&devices[2].storage().scan(&[], None, usize::MAX).unwrap());
    let before = copy(&devices);
    let members = log_in(&mut devices);
    let chain = members[0].session.certificates(key).unwrap();
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let mut recorded = Vec::new();
    let results = exchange_over(&mut enter(&members, &invitation), &mut |_, _, message| {
        recorded.push(message.clone());
        vec![message]
    });
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))) && recorded.len() > 12);
    drop(members);
    for copy in [before, copy(&devices)] {
        let loot = hazmat::Loot::of(copy.storage(), &user_pin()).unwrap();
        assert!(loot.len() >= 3);
        assert_eq!(loot.opens(&invitation, &chain, &recorded, id(3)).unwrap(), 0);
    }
}
