//! Attempts that are left behind: messages lost, certificates withheld, and what comes after.

use quorumkey::{Denial, NewCard, Reason};

use super::device::Setting;
use super::*;

const PAIRS: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];

/// A group with a key, as contents of its devices.
fn group_with_key(setting: &Setting) -> (Vec<Vec<quorumkey::Entry>>, KeyId) {
    let mut group = devices(3);
    let members = log_in(&mut group);
    let key = dkg(&members, setting.suite, 2).id;
    drop(members);
    (snapshot(&group), key)
}

fn begin(setting: &Setting, from: &[Vec<quorumkey::Entry>]) -> Vec<Member> {
    from.iter().map(|contents| setting.device(contents).reopen()).collect()
}

pub fn whoever_misses_whichever_signatures_the_attempt_is_completed_by_all(setting: &Setting) {
    let (from, key) = group_with_key(setting);
    for subset in 1..1_u32 << PAIRS.len() {
        let gone: Vec<_> = (0..).zip(PAIRS).filter(|(bit, _)| subset >> bit & 1 == 1).map(|(_, pair)| pair).collect();
        let members = begin(setting, &from);
        let old = one_epoch(&members, key).epoch;
        let results = refresh_over(&members, key, &mut lost("certify", &gone));
        let holders: Vec<_> = (0..3).filter(|to| !gone.iter().any(|pair| pair.1 == *to)).collect();
        for (member, result) in results.iter().enumerate() {
            assert_eq!(matches!(result, Ok(Some(_))), holders.contains(&member));
        }
        let waiting = (0..3).find(|member| !holders.contains(member)).unwrap();
        let attempt = members[waiting].key(key).pending[0];
        // Rule 9: until it holds the certificate a member signs with the old share.
        let behind: Vec<_> = (1..).zip(0..3).filter(|(_, member)| !holders.contains(member)).map(|one| one.0).collect();
        if behind.len() >= 2 {
            sign(&members, key, &behind, b"in between");
        }
        let retry = members[waiting].session.invite_refresh(key, Vec::new()).unwrap();
        if let Some(holder) = holders.first() {
            // Epochs don't mix: who is ahead says so, with proof.
            let Err(Error::Stale { have, certificates }) = members[*holder].session.start(&retry) else {
                panic!("another epoch is renewed")
            };
            assert_eq!((have, certificates.len()), (attempt, 1));
            for member in &members {
                member.session.complete(&certificates[0]).unwrap();
            }
        } else {
            // Rule 4: the joins show every signature, and complete the attempt.
            let mut said = Vec::new();
            let results = exchange_over(&mut enter(&members, &retry), &mut |_, _, message| {
                said.push(hazmat::subject(&message));
                vec![message]
            });
            assert!(results.iter().all(|result| result.as_ref().unwrap().as_ref().unwrap().epoch == attempt));
            assert!(!said.contains(&"deal"));
        }
        let now = one_epoch(&members, key);
        assert_eq!((now.epoch, now.height), (attempt, 1));
        assert_ne!(now.epoch, old);
        sign(&members, key, &[1, 3], b"afterwards");
    }
}

/// The third member never gets a deal, and so signs nothing.
fn attempt_without_the_third(members: &[Member], key: KeyId) {
    let results = refresh_over(members, key, &mut lost("deal", &[(0, 2)]));
    assert!(results.iter().all(|result| matches!(result, Ok(None))));
}

pub fn an_attempt_that_some_signed_is_named_and_superseded_by_the_next(setting: &Setting) {
    let (from, key) = group_with_key(setting);
    let members = begin(setting, &from);
    let old = one_epoch(&members, key).epoch;
    let mut attempts = Vec::new();
    for round in 1..=3 {
        attempt_without_the_third(&members, key);
        let signed = members[0].key(key).pending;
        assert_eq!((signed.len(), &signed), (round, &members[1].key(key).pending));
        assert!(members[2].key(key).pending.is_empty());
        attempts = signed;
        all_sign(&members, key, b"in between");
    }
    let now = refresh(&members, key);
    assert!(!attempts.contains(&now.epoch));
    for member in &members[..2] {
        let info = member.key(key);
        assert!(info.pending.is_empty());
        let reported: Vec<_> = info.old_epochs.iter().map(|old| old.epoch).collect();
        assert!(reported.contains(&old) && attempts.iter().all(|attempt| reported.contains(attempt)));
    }
    all_sign(&members, key, b"afterwards");
}

pub fn a_promise_outlives_the_process_and_only_higher_attempts_are_entered(setting: &Setting) {
    let (from, key) = group_with_key(setting);
    let mut devices: Vec<_> = from.iter().map(|contents| setting.device(contents)).collect();
    let members = log_in(&mut devices);
    let first = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let rival = members[1].session.invite_refresh(key, Vec::new()).unwrap();
    assert!(members[2].session.start(&first).is_ok());
    drop(members);
    let members = log_in(&mut devices);
    for low in [&first, &rival] {
        let refused = members[2].session.start(low);
        assert!(matches!(refused, Err(Error::Denied(Denial::AttemptTooLow { least: 2 }))), "{refused:?}");
    }
    let higher = members[1].session.invite_refresh_from(key, Vec::new(), 2).unwrap();
    let results = exchange_over(&mut enter(&members, &higher), &mut |_, _, message| vec![message]);
    assert!(results.len() == 3 && results.iter().all(|result| matches!(result, Ok(Some(_)))));
}

pub fn nobody_can_use_up_the_attempts_of_an_epoch(setting: &Setting) {
    let (from, key) = group_with_key(setting);
    let members = begin(setting, &from);
    let greedy = members[0].session.invite_refresh_from(key, Vec::new(), u32::MAX).unwrap();
    for member in &members[1..] {
        assert!(member.session.start(&greedy).is_err());
        assert!(matches!(member.key(key).state, KeyState::Active));
    }
    assert_eq!(refresh(&members, key).height, 1);
    for attempt in [1000, 2000] {
        let leap = members[0].session.invite_refresh_from(key, Vec::new(), attempt).unwrap();
        members[1].session.start(&leap).unwrap().abort().unwrap();
    }
}

/// The certificate of an attempt stays with the third member, which is given up for lost; the next attempt has another
/// device in its place, and its certificate is lost to the others as well. Both come to light, in either order.
pub fn certificates_that_surface_late_lead_to_one_epoch_in_any_order(setting: &Setting) {
    let (from, key) = group_with_key(setting);
    for late_first in [true, false] {
        let members = begin(setting, &from);
        let results = refresh_over(&members, key, &mut lost("certify", &[(1, 0), (0, 1)]));
        assert!(matches!((&results[0], &results[1], &results[2]), (Ok(None), Ok(None), Ok(Some(_)))));
        let first = members[2].key(key).epoch;
        let [one, two, gone] = <[Member; 3]>::try_from(members).unwrap_or_else(|_| panic!("three"));
        let members = [one, two, setting.member("member 3 anew")];
        let card = NewCard { identifier: id(3), card: members[2].card(), reason: Reason::Lost };
        let retry = members[0].session.invite_refresh(key, vec![card]).unwrap();
        let results = exchange_over(&mut enter(&members, &retry), &mut lost("certify", &[(1, 0), (0, 1)]));
        assert!(matches!((&results[0], &results[1], &results[2]), (Ok(None), Ok(None), Ok(Some(_)))));
        let second = members[2].key(key).epoch;
        assert_eq!(members[0].key(key).pending, [first, second]);
        let certificates = [&gone, &members[2]].map(|member| member.session.certificate(key).unwrap());
        for member in &members[..2] {
            if late_first {
                let then = member.session.complete(&certificates[0]).unwrap();
                // Rule 3: an attempt above it that it does not name is kept.
                assert_eq!((then.epoch, then.pending.as_slice()), (first, [second].as_slice()));
            }
            assert_eq!(member.session.complete(&certificates[1]).unwrap().epoch, second);
            // What it supersedes changes nothing any more.
            assert_eq!(member.session.complete(&certificates[0]).unwrap().epoch, second);
        }
        assert_eq!(one_epoch(&members, key).epoch, second);
        all_sign(&members, key, b"afterwards");
        let retired = gone.session.complete(&certificates[1]).unwrap();
        assert_eq!(retired.state, KeyState::Retired);
    }
}

/// Rule 2: entering an attempt promises never to sign a lower one, also in a run that was entered before.
pub fn a_lower_attempt_goes_no_further_once_a_higher_one_was_entered(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2);
    let first = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    let mut lower = enter(&members, &first);
    let second = members[1].session.invite_refresh_from(key.id, Vec::new(), 2).unwrap();
    let mut higher = enter(&members, &second);
    assert_eq!((lower.len(), higher.len()), (3, 3));
    for result in exchange_over(&mut lower, &mut |_, _, message| vec![message]) {
        assert!(matches!(result, Err(Error::Denied(Denial::AttemptTooLow { .. }))), "{result:?}");
    }
    exchange(&mut higher);
    all_sign(&members, key.id, b"after the higher attempt");
}

pub fn who_missed_the_end_of_a_dkg_learns_it_from_the_next_invitation(setting: &Setting) {
    let members = setting.group(3);
    let mut runs = enter(&members, &dkg_invitation(&members, setting.suite, 2));
    let results = exchange_over(&mut runs, &mut lost("certify", &[(0, 2)]));
    let key = results[0].as_ref().unwrap().as_ref().unwrap().id;
    assert_eq!(members[2].key(key).state, KeyState::Pending);
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let Some(Error::Stale { certificates, .. }) = members[2].session.start(&invitation).err() else {
        panic!("it does not say what is missing")
    };
    for certificate in &certificates {
        members[2].session.complete(certificate).unwrap();
    }
    deal(&members, &invitation);
    all_sign(&members, key, b"renewed");
}

/// The last deal of an attempt comes to a member after the others have gone on without it, and it was told.
pub fn an_attempt_that_a_certificate_superseded_is_signed_by_nobody_any_more(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2);
    let mut runs = enter(&members, &members[0].session.invite_refresh(key.id, Vec::new()).unwrap());
    let mut late = Vec::new();
    exchange_over(&mut runs, &mut |_, to, message| {
        if to != 2 || hazmat::subject(&message) != "deal" {
            return vec![message];
        }
        late.push(message);
        Vec::new()
    });
    let attempt = members[0].key(key.id).pending[0];
    let mut members = members;
    let left = core::mem::replace(&mut members[2], setting.member("member 3 anew"));
    let card = NewCard { identifier: id(3), card: members[2].card(), reason: Reason::Routine };
    let now = deal(&members, &members[0].session.invite_refresh(key.id, vec![card]).unwrap());
    let retired = left.session.complete(&members[0].session.certificate(key.id).unwrap()).unwrap();
    assert_eq!(retired.state, KeyState::Retired);
    assert!(retired.old_epochs.iter().any(|old| old.epoch == attempt), "{retired:?}");
    let results: Vec<_> = late.iter().map(|message| runs[2].handle(message)).collect();
    assert!(matches!(results[1], Err(Error::Stale { have, .. }) if have == now.epoch), "{results:?}");
    assert!(left.key(key.id).pending.is_empty());
}

/// The last join of an attempt comes to a member that has erased its share of the epoch since.
pub fn a_superseded_share_is_not_dealt_from_the_memory_of_an_earlier_run(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2);
    let invitation = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    let mut runs = enter(&members, &invitation);
    let mut late = Vec::new();
    exchange_over(&mut runs, &mut |from, _, message| {
        if from != 2 {
            return vec![message];
        }
        late.push(message);
        Vec::new()
    });
    let now = refresh(&members, key.id);
    let result = runs[0].handle(&late[0]);
    assert!(matches!(result, Err(Error::Stale { have, .. }) if have == now.epoch), "{result:?}");
    assert!(runs[0].poll_transmit().is_none());
}
