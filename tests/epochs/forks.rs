//! Rule 6: two certificates of which neither supersedes the other. Both lines stop, keep their shares, and a plan ends it.

use std::collections::BTreeSet;

use quorumkey::audit::EventKind;
use quorumkey::{Advice, Certificate, CertificateError, Denial, Dkg, KeyTemplate, Misuse, NewCard, Quorum};

use super::device::{Kept, Setting};
use super::restored::{group_of_a_forger, restored_in};
use super::*;

pub(super) fn new_card(number: u16, member: &Member) -> NewCard {
    NewCard { identifier: id(number), card: member.card(), reason: Reason::Routine }
}

/// Two lines of a 2-of-3 key: members 1 to 3 have renewed the shares; and tokens of members 2 and 3 that were restored from older
/// backups, and have forgotten it, did so with another first member, under their officers' override.
pub(super) struct Forked {
    pub(super) key: KeyInfo,
    pub(super) devices: Vec<Kept>,
    pub(super) ours: Vec<Member>,
    pub(super) theirs: Vec<Member>,
}

pub(super) fn forked(setting: &Setting) -> Forked {
    let mut devices = setting.devices(3);
    let ours = log_in(&mut devices);
    let key = dkg(&ours, setting.suite, 2);
    let theirs = fork(setting, &ours, key.id);
    Forked { key, devices, ours, theirs }
}

/// These renew the shares, and so does the other line, which is returned.
fn fork(setting: &Setting, ours: &[Member], key: KeyId) -> Vec<Member> {
    let [second, third] = [1, 2].map(|member: usize| restored_in(setting, &ours[member], key));
    refresh(ours, key);
    let theirs = vec![setting.member("member 1 anew"), second, third];
    let cards = (1..).zip(&theirs).map(|(number, member)| new_card(number, member)).collect();
    let invitation = theirs[1].session.invite_refresh(key, cards).unwrap();
    override_all(&theirs[1..], &invitation);
    deal(&theirs, &invitation);
    theirs
}

pub(super) fn override_all(members: &[Member], invitation: &Invitation) {
    for member in members {
        member.store.login_so(&officer_pin()).unwrap().override_fork_rules(invitation).unwrap();
    }
}

/// Everybody is shown the newest certificate of the other line, and says that the key has forked.
fn meet(one: &[Member], other: &[Member], key: KeyId) {
    for (line, shown) in [(one, &other[0]), (other, &one[0])] {
        let certificate = shown.session.certificate(key).unwrap();
        for member in line {
            let before = member.key(key).epoch;
            // However often it is shown.
            for _ in 0..2 {
                let fork = member.session.complete(&certificate);
                let expected = (before, certificate.epoch_id());
                assert!(matches!(fork, Err(Error::Fork { ours, theirs }) if (ours, theirs) == expected), "{fork:?}");
            }
        }
    }
}

pub fn a_fork_stops_signing_on_both_lines_for_good_and_names_who_signed_both(setting: &Setting) {
    let Forked { key, mut devices, ours, theirs } = forked(setting);
    let key = key.id;
    let invitation = ours[0].session.invite_sign(key, &[id(1), id(2)], b"under way").unwrap();
    let mut under_way = ours[1].session.start_sign(&invitation, b"under way").unwrap();
    let commitment = ours[0].session.start_sign(&invitation, b"under way").unwrap().poll_transmit().unwrap();
    meet(&ours, &theirs, key);
    assert!(matches!(under_way.handle(&commitment), Err(Error::Misuse(Misuse::NoSuchRun(_)))));
    drop(under_way);
    drop(ours);
    let ours = log_in(&mut devices);
    for (line, other) in [(&ours, &theirs), (&theirs, &ours)] {
        for member in line {
            let info = member.key(key);
            assert_eq!((info.state, info.forks.len()), (KeyState::Active, 1));
            let theirs = other[0].session.certificate(key).unwrap().epoch_id();
            assert_eq!((info.forks[0].ours, info.forks[0].theirs), (info.epoch, theirs));
            assert_eq!(info.forks[0].culprits, [id(2), id(3)], "who forgot has signed both");
            assert_eq!(info.advice(), [Advice::EndFork(theirs)]);
            let refused = member.session.invite_sign(key, &[id(1), id(2)], b"m");
            assert!(matches!(refused, Err(Error::Denied(Denial::Forked))), "{refused:?}");
        }
    }
}

pub fn a_plan_that_names_the_losing_line_ends_a_fork_with_every_officers_leave(setting: &Setting) {
    let Forked { key, ours, theirs, .. } = forked(setting);
    let key = key.id;
    meet(&ours, &theirs, key);
    let losing = theirs[0].key(key).epoch;
    let refused = ours[0].session.invite_refresh(key, Vec::new()).unwrap();
    assert_eq!(refused.losing(), [losing]);
    for member in &ours {
        assert!(matches!(member.session.start(&refused), Err(Error::Denied(Denial::Forked))));
    }
    let invitation = ours[0].session.invite_refresh(key, Vec::new()).unwrap();
    override_all(&ours, &invitation);
    let now = deal(&ours, &invitation);
    assert_eq!((now.height, now.forks.len()), (2, 0));
    all_sign(&ours, key, b"one line again");
    // What the other line holds is accounted for: shares of two members' devices, and of one that is new.
    let report = now.old_epochs.iter().find(|old| old.epoch == losing).expect("the losing line is forgotten");
    assert_eq!(report.identifiers().count(), 3);

    let certificate = ours[0].session.certificate(key).unwrap();
    for member in &theirs {
        let seen = || {
            let log = member.session.audit(None, 1000).unwrap();
            log.iter().filter(|record| record.event().kind() == EventKind::ForkSeen).count()
        };
        let before = seen();
        let retired = member.session.complete(&certificate).unwrap();
        assert_eq!(seen(), before, "it was ended, and is no other fork");
        assert_eq!((retired.state, retired.epoch, retired.forks.len()), (KeyState::Retired, now.epoch, 0));
        let chain = |member: &Member| -> Vec<_> {
            let chain = member.session.certificates(key).unwrap();
            chain.iter().map(quorumkey::Certificate::epoch_id).collect()
        };
        assert_eq!(chain(member), chain(&ours[0]));
    }
}

/// Where one token has not heard of the fork, its officer has to agree all the same.
pub fn a_fork_is_not_ended_over_the_head_of_an_officer(setting: &Setting) {
    let Forked { key, ours, theirs, .. } = forked(setting);
    let key = key.id;
    let other = theirs[0].session.certificate(key).unwrap();
    for member in &ours[..2] {
        assert!(matches!(member.session.complete(&other), Err(Error::Fork { .. })));
    }
    let invitation = ours[0].session.invite_refresh(key, Vec::new()).unwrap();
    override_all(&ours[..2], &invitation);
    let results = exchange_over(&mut enter(&ours, &invitation), &mut |_, _, message| vec![message]);
    let denied = &results[2];
    assert!(matches!(denied, Err(Error::Denied(Denial::AttemptNotEnded { .. }))), "{denied:?}");
    // A plan that does not name the line is refused by who knows of it.
    let silent = ours[2].session.invite_refresh_from(key, Vec::new(), 7).unwrap();
    assert_eq!(silent.losing(), []);
    let refused = ours[0].session.start(&silent);
    assert!(matches!(refused, Err(Error::Misuse(Misuse::Plan(_)))), "{refused:?}");
}

pub fn a_template_that_prevents_forks_takes_more_dealers(setting: &Setting) {
    let mut members = setting.group(3);
    let template = KeyTemplate { quorum: Quorum::PreventsForks, ..KeyTemplate::wallet("no forks") };
    let dkg = Dkg { suite: setting.suite, threshold: 2, members: roster(&members), template };
    let key = deal(&members, &members[0].session.invite(dkg).unwrap()).id;
    // Two of three are not enough to deal any more.
    let anew = setting.member("member 3 anew");
    let refused = members[0].session.invite_refresh(key, vec![new_card(3, &anew)]);
    let few = CertificateError::Contradiction("the old members that sign are too few");
    assert!(matches!(refused, Err(Error::Certificate(why)) if why == few));
    refresh(&members, key);
    all_sign(&members, key, b"all three dealt");
    // With the third member's token restored all three are there again.
    members[2] = restored_in(setting, &members[2], key);
    let invitation = members[0].session.invite_refresh(key, vec![new_card(3, &members[2])]).unwrap();
    override_all(&members[2..], &invitation);
    deal(&members, &invitation);
}

fn chain(member: &Member, key: KeyId) -> Vec<Certificate> {
    member.session.certificates(key).unwrap()
}

/// However many epochs the losing line has, one renewal stands above them all.
pub fn a_line_that_went_on_for_long_loses_by_one_renewal(setting: &Setting) {
    let Forked { key, mut devices, ours, theirs } = forked(setting);
    let key = key.id;
    for height in 2..=4 {
        assert_eq!(refresh(&theirs, key).height, height);
    }
    let losing: BTreeSet<_> = chain(&theirs[0], key)[1..].iter().map(Certificate::epoch_id).collect();
    let parted = theirs[0].session.complete(&ours[0].session.certificate(key).unwrap());
    assert!(matches!(parted, Err(Error::Fork { .. })), "{parted:?}");
    assert_eq!(theirs[0].key(key).forks[0].ours, chain(&theirs[0], key)[1].epoch_id(), "where the lines part");
    for member in &ours {
        let fork = member.session.catch_up(&chain(&theirs[0], key));
        assert!(
            matches!(fork, Err(Error::Fork { theirs: newest, .. }) if newest == theirs[0].key(key).epoch),
            "{fork:?}"
        );
        assert_eq!(member.key(key).advice().len(), 4);
        // A certificate that is known here, told after the others, ends nothing.
        let told = [chain(&theirs[0], key), vec![member.session.certificate(key).unwrap()]].concat();
        assert!(matches!(member.session.catch_up(&told), Err(Error::Fork { .. })));
    }
    let invitation = ours[0].session.invite_refresh(key, Vec::new()).unwrap();
    assert_eq!(invitation.losing().iter().copied().collect::<BTreeSet<_>>(), losing);
    override_all(&ours, &invitation);
    let now = deal(&ours, &invitation);
    assert_eq!((now.height, now.forks.len(), now.advice().len()), (5, 0, 0));
    drop(ours);
    let ours = log_in(&mut devices);
    all_sign(&ours, key, b"one line again");
    assert_eq!(refresh(&ours, key).height, 6);
    let whole = chain(&ours[0], key);
    assert_eq!(whole.len(), 4);
    for member in &theirs {
        let retired = member.session.catch_up(&whole).unwrap();
        assert_eq!((retired.state, retired.height, retired.forks.len()), (KeyState::Retired, 6, 0));
        assert_eq!(chain(member, key), whole);
    }
    // Who comes new is convinced of the whole, and so is a member of the line that lost.
    let four = ours[0].key(key).roster.with(id(4), theirs[1].card());
    assert!(four.is_err(), "an identity stands in it once");
    let four = ours[0].key(key).roster.with(id(4), theirs[0].card()).unwrap();
    let invitation = ours[0].session.invite_reshare(key, change(&now, four, 2, Reason::Routine)).unwrap();
    assert_eq!(invitation.lineage().unwrap().unwrap().height, 6);
}

/// Whoever enters a height signs nothing below it any more: only a line that one has seen leads up there.
pub fn nobody_is_made_to_pass_over_heights_for_a_line_that_it_has_not_seen(setting: &Setting) {
    let (forger, members) = group_of_a_forger(setting);
    let key = dkg(&members, setting.suite, 2);
    let newcomer = setting.member("member 4");
    let wider = change(&key, key.roster.with(id(4), newcomer.card()).unwrap(), 2, Reason::Routine);
    let invitation = members[0].session.invite_reshare(key.id, wider).unwrap();
    for (height, loses) in [(2, vec![]), (2, vec![key.epoch]), (1 << 40, vec![key.epoch]), (u64::MAX, vec![key.epoch])]
    {
        let high = forger.at_height(&invitation, height, &loses);
        for member in members[1..].iter().chain([&newcomer]) {
            let refused = member.session.start(&high);
            assert!(matches!(refused, Err(Error::Misuse(_) | Error::Certificate(_))), "{refused:?}");
        }
    }
    exchange(&mut enter(&members, &members[0].session.invite_refresh(key.id, Vec::new()).unwrap()));
    assert!(members.iter().all(|member| member.key(key.id).height == 1));
}

/// Neither higher than the line that loses, nor below it: there who shows its certificate would seem to lie.
pub fn a_plan_that_ends_a_fork_stands_right_above_the_line_that_loses(setting: &Setting) {
    let (forger, ours) = group_of_a_forger(setting);
    let key = dkg(&ours, setting.suite, 2).id;
    let theirs = fork(setting, &ours, key);
    refresh(&theirs, key);
    for member in &ours {
        assert!(matches!(member.session.catch_up(&chain(&theirs[0], key)), Err(Error::Fork { .. })));
    }
    let proposed = ours[0].session.invite_refresh(key, Vec::new()).unwrap();
    for height in [2, 4, u64::MAX] {
        let moved = forger.at_height(&proposed, height, proposed.losing());
        override_all(&ours, &moved);
        for member in &ours {
            let refused = member.session.start(&moved);
            assert!(matches!(refused, Err(Error::Misuse(Misuse::Plan(_)))), "{height}: {refused:?}");
        }
    }
    override_all(&ours, &proposed);
    assert_eq!(deal(&ours, &proposed).height, 3);
}
