//! Who was left without a share, or without its own line: it takes up the line of which it holds one, with what that goes by.

use super::*;

mounted! {
    who_was_left_without_a_share_goes_on_in_the_line_of_which_it_holds_one
    an_attempt_that_others_went_on_from_is_erased_with_what_follows_it
    who_saw_its_line_in_an_invitation_follows_it_wherever_it_went
    who_saw_how_its_line_went_on_in_an_invitation_follows_it
    who_takes_up_a_line_names_nobody_for_what_that_has_named
    who_takes_up_a_line_keeps_the_roster_that_it_goes_by_and_the_clash
    who_takes_up_a_line_opens_no_clash_that_it_has_undone
    a_longer_roster_stays_a_clash_where_a_shorter_one_is_left
    a_roster_that_is_left_is_a_clash_from_where_it_parts_from_those_that_are_kept
    who_parted_each_of_two_lines_is_named_for_that_one
    who_takes_up_a_line_that_is_told_with_another_roster_sees_both
    a_clash_that_the_line_that_is_left_has_undone_is_open_again
    a_roster_that_the_line_that_is_left_went_by_is_a_fork_again_by_whoever_made_it
}

/// Of a 2-of-3 key members 1, 3 and 5 have signed an epoch without the second, and the first alone has no certificate of it. Behind
/// so many tokens stand copies of some, as they were before.
fn half_signed(suite: Suite, tokens: u16, copies: &[usize]) -> (Vec<Device>, KeyId) {
    let mut devices = devices(tokens);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], suite, 2).id;
    let copies: Vec<_> = copies.iter().map(|place| Device::new(&devices[*place].contents())).collect();
    let seats = [(1, FIRST), (3, THIRD), (5, OTHER)];
    let invitation = go_without(&members, key, &seats, (2, Reason::Lost));
    let mut runs = seats.map(|(_, place)| members[place].session.start(&invitation).unwrap());
    exchange_over(&mut runs, &mut |_, to, message| {
        if to == 0 && message.round() >= 2 { Vec::new() } else { vec![message] }
    });
    drop((runs, members));
    devices.extend(copies);
    (devices, key)
}

/// A 2-of-3 key that a copy of the third's token has forked: members 1, 3 and 5 have signed one epoch, and members 2, 4 and the
/// copy another, of which everybody has the certificate but the first of the first. The first knows of the second line.
struct Stranded {
    devices: Vec<Device>,
    key: KeyId,
    ours: EpochId,
    theirs: EpochId,
}

fn stranded(suite: Suite, kept: Keep) -> Stranded {
    let (mut devices, key) = half_signed(suite, 5, &[THIRD]);
    let members = log_in(&mut devices);
    let ours = members[FIRST].key(key).pending[0];
    let theirs = go_on(&members, key, &[(2, SECOND), (3, COPY), (4, FOURTH)], 1).epoch;
    drop(members);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let left = members[FIRST].session.complete(&members[SECOND].session.certificate(key).unwrap()).unwrap();
    assert_eq!((left.state, left.epoch, left.pending), (KeyState::Retired, theirs, vec![ours]));
    drop(members);
    Stranded { devices, key, ours, theirs }
}

/// Else the share that it holds would be of use to nobody, whatever the officers choose.
fn who_was_left_without_a_share_goes_on_in_the_line_of_which_it_holds_one(suite: Suite, kept: Keep) {
    let Stranded { mut devices, key, ours, theirs } = stranded(suite, kept);
    let members = log_in(&mut devices);
    let own = members[THIRD].session.certificate(key).unwrap();
    let fork = members[FIRST].session.complete(&own);
    assert!(matches!(fork, Err(Error::Fork { ours: now, theirs: left }) if (now, left) == (ours, theirs)), "{fork:?}");
    let info = members[FIRST].session.complete(&own).unwrap();
    assert_eq!((info.state, info.epoch, info.pending.len()), (KeyState::Active, ours, 0));
    assert_eq!(
        info.forks.iter().map(|fork| (fork.theirs, &fork.culprits[..])).collect::<Vec<_>>(),
        [(theirs, &[id(3)][..])]
    );
    let other = members[SECOND].session.certificate(key).unwrap();
    for place in [FIRST, THIRD, OTHER] {
        forks(&members[place], key, &other, (ours, theirs));
    }
    drop(members);
    // The officers choose the one line or the other.
    let before = snapshot(&devices);
    let mut again: Vec<_> = before.iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut again);
    let invitation = members[FIRST].session.invite_refresh(key, Vec::new()).unwrap();
    let now = renew(&members, &[FIRST, THIRD, OTHER], &invitation);
    assert_eq!((now.height, now.forks.len()), (2, 0));
    every_pair_signs(&members, key, &[(1, FIRST), (3, THIRD), (5, OTHER)]);
    let mut again: Vec<_> = before.iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut again);
    for place in [SECOND, FOURTH, COPY] {
        forks(&members[place], key, &own, (theirs, ours));
    }
    let invitation = members[SECOND].session.invite_refresh(key, Vec::new()).unwrap();
    renew(&members, &[SECOND, FOURTH, COPY], &invitation);
    let chain = members[SECOND].session.certificates(key).unwrap();
    let lost = members[FIRST].session.complete(&chain[2]).unwrap();
    assert_eq!((lost.state, lost.forks.len(), lost.pending.len()), (KeyState::Retired, 0, 0));
    assert_eq!(members[FIRST].session.certificates(key).unwrap(), chain);
}

fn an_attempt_that_others_went_on_from_is_erased_with_what_follows_it(suite: Suite, kept: Keep) {
    let Stranded { mut devices, key, ours, theirs } = stranded(suite, kept);
    let members = log_in(&mut devices);
    // The first learns of its line's certificate only from an invitation, and of its loss from what follows.
    let shown = members[FIRST].session.start(&members[THIRD].session.invite_refresh(key, Vec::new()).unwrap());
    assert!(matches!(shown, Err(Error::Fork { theirs: other, .. }) if other == ours), "{shown:?}");
    let other = members[SECOND].session.certificate(key).unwrap();
    for place in [THIRD, OTHER] {
        forks(&members[place], key, &other, (ours, theirs));
    }
    let seats = [(3, THIRD), (5, OTHER)];
    let now = renew(&members, &[THIRD, OTHER], &go_without(&members, key, &seats, (1, Reason::Lost)));
    let chain = members[THIRD].session.certificates(key).unwrap();
    let info = members[FIRST].session.complete(&chain[2]).unwrap();
    assert_eq!((info.state, info.epoch, info.pending.len()), (KeyState::Retired, now.epoch, 0));
    assert!(info.advice().is_empty());
    let log = members[FIRST].session.audit(None, 1000).unwrap();
    let erased = |record: &quorumkey::audit::Record| {
        let event = record.event();
        event.kind() == quorumkey::audit::EventKind::EpochErased && event.details() == ours.as_bytes()
    };
    assert!(log.iter().any(erased), "its own share is erased");
    assert_eq!(info.old_epochs.iter().filter(|old| old.epoch == ours).count(), 1);
}

fn who_saw_its_line_in_an_invitation_follows_it_wherever_it_went(suite: Suite, kept: Keep) {
    for revised_before in [false, true] {
        let Stranded { mut devices, key, ours, theirs } = stranded(suite, kept);
        devices.extend(super::device::devices(1));
        let sixth = devices.len() - 1;
        let members = log_in(&mut devices);
        let own = members[THIRD].session.certificate(key).unwrap();
        let shown = || {
            let shown = members[FIRST].session.start(&members[THIRD].session.invite_refresh(key, Vec::new()).unwrap());
            assert!(matches!(shown, Err(Error::Fork { theirs: other, .. }) if other == ours), "{shown:?}");
        };
        let enrol = || {
            let card = members[sixth].card();
            let invitation = members[THIRD].session.invite_enrolment(key, id(6), card, &ids(&[3, 5])).unwrap();
            exchange(&mut [THIRD, OTHER, sixth].map(|place| members[place].session.start(&invitation).unwrap()));
        };
        if revised_before {
            enrol();
        }
        shown();
        let fork = members[FIRST].session.complete(&own);
        assert!(
            matches!(fork, Err(Error::Fork { ours: now, theirs: left }) if (now, left) == (ours, theirs)),
            "{fork:?}"
        );
        if !revised_before {
            enrol();
            members[FIRST].session.complete(&members[THIRD].session.certificate(key).unwrap()).unwrap();
        }
        assert_eq!((members[FIRST].key(key).epoch, members[FIRST].key(key).revision), (ours, 1));
        let other = members[SECOND].session.certificate(key).unwrap();
        for place in [FIRST, THIRD, OTHER, sixth] {
            forks(&members[place], key, &other, (ours, theirs));
        }
        let invitation = members[FIRST].session.invite_refresh(key, Vec::new()).unwrap();
        let now = renew(&members, &[FIRST, THIRD, OTHER, sixth], &invitation);
        assert_eq!((now.height, now.forks.len()), (2, 0));
        let info = members[FIRST].key(key);
        assert_eq!(info.old_epochs.iter().filter(|old| old.epoch == ours).count(), 1);
        every_pair_signs(&members, key, &[(1, FIRST), (3, THIRD), (5, OTHER), (6, sixth)]);
    }
}

fn who_saw_how_its_line_went_on_in_an_invitation_follows_it(suite: Suite, kept: Keep) {
    let Stranded { mut devices, key, theirs, .. } = stranded(suite, kept);
    let members = log_in(&mut devices);
    let later = go_on(&members, key, &[(3, THIRD), (5, OTHER)], 1).epoch;
    let shown = members[FIRST].session.start(&call_back(&members, key, &[(3, THIRD), (5, OTHER)]));
    assert!(matches!(shown, Err(Error::Fork { theirs: other, .. }) if other == later), "{shown:?}");
    let chain = members[THIRD].session.certificates(key).unwrap();
    for told in &chain {
        let _ = members[FIRST].session.complete(told);
    }
    let info = members[FIRST].key(key);
    assert_eq!((info.state, info.epoch, info.pending.len()), (KeyState::Retired, later, 0));
    assert_eq!(info.forks.iter().map(|fork| fork.theirs).collect::<Vec<_>>(), [theirs]);
    assert_eq!(members[FIRST].session.certificates(key).unwrap(), chain);
}

/// What it was left by goes on from an epoch that its own line names: who signed both of these has said so.
fn who_takes_up_a_line_names_nobody_for_what_that_has_named(suite: Suite, kept: Keep) {
    let mut devices = devices(3);
    let members = log_in(&mut devices);
    let key = dkg(&members, suite, 2).id;
    let lost_to = |members: &[Member], invitation: &Invitation, places: &[usize], without: &[usize]| {
        let mut runs: Vec<_> = places.iter().map(|place| members[*place].session.start(invitation).unwrap()).collect();
        exchange_over(&mut runs, &mut |_, to, message| {
            if without.contains(&to) && message.round() >= 2 { Vec::new() } else { vec![message] }
        });
    };
    let refresh = members[FIRST].session.invite_refresh(key, Vec::new()).unwrap();
    lost_to(&members, &refresh, &[FIRST, SECOND, THIRD], &[FIRST, THIRD]);
    let named = members[SECOND].session.certificate(key).unwrap();
    drop(members);
    let copy = Device::new(&devices[THIRD].contents());
    devices.push(copy);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let without = go_without(&members, key, &[(1, FIRST), (3, THIRD)], (2, Reason::Lost));
    lost_to(&members, &without, &[FIRST, THIRD], &[FIRST]);
    let own = members[THIRD].session.certificate(key).unwrap();
    let copy = 3;
    members[copy].session.complete(&named).unwrap();
    let left = go_on(&members, key, &[(2, SECOND), (3, copy)], 1).epoch;
    for told in [&named, &members[SECOND].session.certificate(key).unwrap()] {
        members[FIRST].session.complete(told).unwrap();
    }
    let fork = members[FIRST].session.complete(&own);
    assert!(matches!(fork, Err(Error::Fork { theirs, .. }) if theirs == left), "{fork:?}");
    let forks = members[FIRST].key(key).forks;
    let seen: Vec<_> = forks.iter().map(|fork| (fork.theirs, &fork.culprits[..])).collect();
    assert_eq!(seen, [(left, &[id(3)][..])]);
}

/// The other line goes by a revision that this one passes over, and that the first learned before it was left.
fn who_takes_up_a_line_keeps_the_roster_that_it_goes_by_and_the_clash(suite: Suite, kept: Keep) {
    let (mut devices, key) = half_signed(suite, 5, &[THIRD]);
    let members = log_in(&mut devices);
    let ours = [(1, FIRST), (3, THIRD), (5, OTHER)];
    enrol(&members, key, [SECOND, COPY], &[2, 3], FOURTH);
    let revised = members[FOURTH].session.certificate(key).unwrap();
    assert_eq!(members[FIRST].session.complete(&revised).unwrap().revision, 1);
    let theirs = [(2, SECOND), (3, COPY), (4, FOURTH)];
    let left = go_on(&members, key, &theirs, 1).epoch;
    drop(members);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let certificate = |place: usize| members[place].session.certificate(key).unwrap();
    members[FIRST].session.complete(&certificate(SECOND)).unwrap();
    let fork = members[FIRST].session.complete(&certificate(THIRD));
    let now = certificate(THIRD).epoch_id();
    assert!(matches!(fork, Err(Error::Fork { ours, theirs }) if (ours, theirs) == (now, left)), "{fork:?}");
    let chain = members[THIRD].session.certificates(key).unwrap();
    assert_eq!(members[FIRST].session.certificates(key).unwrap(), chain, "or a backup of it proves nothing");
    let info = members[FIRST].key(key);
    assert_eq!(info.forks.iter().map(|fork| fork.revision).collect::<Vec<_>>(), [None, Some(1)]);
    assert!(info.forks.iter().all(|fork| fork.culprits == [id(3)]), "{:?}", info.forks);
    // The one line is chosen, or the other.
    drop(members);
    let before = snapshot(&devices);
    for (line, lost) in [(ours, false), (theirs, true)] {
        let mut again: Vec<_> = before.iter().map(|contents| kept(contents)).collect();
        let members = log_in(&mut again);
        let certificate = |place: usize| members[place].session.certificate(key).unwrap();
        let other = if lost { THIRD } else { SECOND };
        let told = members[other].session.certificates(key).unwrap();
        let staying = line.map(|(_, place)| place);
        for place in staying {
            for told in &told {
                let _ = members[place].session.complete(told);
            }
        }
        let invitation = members[staying[1]].session.invite_refresh(key, Vec::new()).unwrap();
        renew(&members, &staying, &invitation);
        every_pair_signs(&members, key, &line);
        let newest = certificate(staying[1]);
        let info = members[FIRST].session.complete(&newest).unwrap();
        assert_eq!((info.epoch, info.forks.len(), info.pending.len()), (newest.epoch_id(), 0, 0));
        assert_eq!(info.state, if lost { KeyState::Retired } else { KeyState::Active });
        let chain = |place: usize| members[place].session.certificates(key).unwrap();
        assert_eq!(chain(FIRST), chain(staying[1]));
    }
}

/// The line that the first was left by has undone a revision, and goes by another. The one that it takes up knows of neither.
fn a_clash_that_the_line_that_is_left_has_undone_is_open_again(suite: Suite, kept: Keep) {
    let (mut devices, key) = half_signed(suite, 6, &[THIRD, SECOND, THIRD]);
    let (new, copy, [second, third]) = (5, 6, [7, 8]);
    let members = log_in(&mut devices);
    enrol(&members, key, [SECOND, copy], &[2, 3], FOURTH);
    enrol(&members, key, [second, third], &[2, 3], new);
    let [goes_by, undone] = [FOURTH, new].map(|place| members[place].session.certificate(key).unwrap());
    let theirs = [(2, SECOND), (3, copy), (4, FOURTH)];
    for (_, place) in theirs {
        forks(&members[place], key, &undone, (undone.epoch_id(), undone.epoch_id()));
    }
    renew(&members, &theirs.map(|(_, place)| place), &go_without(&members, key, &theirs, (1, Reason::Lost)));
    drop(members);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    for told in [&goes_by, &members[SECOND].session.certificate(key).unwrap(), &undone] {
        members[FIRST].session.complete(told).unwrap();
    }
    assert!(members[FIRST].key(key).forks.is_empty());
    let fork = members[FIRST].session.complete(&members[THIRD].session.certificate(key).unwrap());
    assert!(matches!(fork, Err(Error::Fork { .. })), "{fork:?}");
    let mut seen: Vec<_> = members[FIRST].key(key).forks.iter().map(|fork| fork.revision).collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [None, Some(1), Some(1)],
        "the line, the revision that it goes by, and the one that it has undone"
    );
}

/// The first signs an epoch that undoes the other side's revision, and completes that side's epoch before this one.
fn who_takes_up_a_line_opens_no_clash_that_it_has_undone(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    let members = log_in(&mut devices);
    meet(&members, &key);
    let invitation = go_without(&members, key.id, &[(1, FIRST), (2, SECOND), (4, FOURTH)], (3, Reason::Lost));
    let mut runs = [FIRST, SECOND, FOURTH].map(|place| {
        members[place].store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
        members[place].session.start(&invitation).unwrap()
    });
    exchange_over(&mut runs, &mut |_, to, message| {
        if to == 0 && message.round() >= 2 { Vec::new() } else { vec![message] }
    });
    let own = members[SECOND].session.certificate(key.id).unwrap();
    let theirs = [(3, THIRD), (2, COPY), (4, OTHER)];
    let left =
        renew(&members, &theirs.map(|(_, place)| place), &go_without(&members, key.id, &theirs, (1, Reason::Lost)));
    let gone = members[FIRST].session.complete(&members[THIRD].session.certificate(key.id).unwrap()).unwrap();
    assert_eq!((gone.state, gone.pending, gone.forks.len()), (KeyState::Retired, vec![own.epoch_id()], 0));
    let fork = members[FIRST].session.complete(&own);
    assert!(matches!(fork, Err(Error::Fork { theirs, .. }) if theirs == left.epoch), "{fork:?}");
    let info = members[FIRST].key(key.id);
    assert_eq!((info.state, info.epoch), (KeyState::Active, own.epoch_id()));
    let seen: Vec<_> = info.forks.iter().map(|fork| (fork.theirs, fork.revision)).collect();
    assert_eq!(seen, [(left.epoch, None)]);
}

/// The line that the first was left by goes by a revision that another follows, which comes to light later, and its
/// epoch has two rosters. The line of which the first holds a share knows of none of these.
fn a_longer_roster_stays_a_clash_where_a_shorter_one_is_left(suite: Suite, kept: Keep) {
    let (mut devices, key) = half_signed(suite, 8, &[THIRD]);
    let (follows, [new, newer], copy) = (5, [6, 7], 8);
    let theirs = [(2, SECOND), (3, copy), (4, FOURTH)];
    let members = log_in(&mut devices);
    enrol(&members, key, [SECOND, copy], &[2, 3], FOURTH);
    members[FIRST].session.complete(&members[FOURTH].session.certificate(key).unwrap()).unwrap();
    drop(members);
    let copies = theirs.map(|(_, place)| Device::new(&devices[place].contents()));
    devices.extend(copies);
    let members = log_in(&mut devices);
    enrol_as(&members, key, (6, follows), &[(2, 9), (3, 10), (4, 11)]);
    let longer = members[follows].session.certificate(key).unwrap();
    let left = go_on(&members, key, &theirs, 1).epoch;
    let short = members[SECOND].session.certificates(key).unwrap();
    drop(members);
    let copies = [SECOND, copy].map(|place| Device::new(&devices[place].contents()));
    devices.extend(copies);
    let members = log_in(&mut devices);
    enrol_as(&members, key, (5, new), &[(2, SECOND), (3, copy)]);
    enrol_as(&members, key, (5, newer), &[(2, 12), (3, 13)]);
    let epoch = longer.epoch_id();
    for told in [new, newer] {
        let _ = members[FIRST].session.complete(&members[told].session.certificate(key).unwrap());
    }
    forks(&members[FIRST], key, &longer, (left, epoch));
    let seen = |members: &[Member]| {
        let forks = members[FIRST].key(key).forks;
        forks.iter().map(|fork| (fork.theirs, fork.revision)).collect::<Vec<_>>()
    };
    assert_eq!(seen(&members), [(left, Some(1)), (epoch, Some(2))]);
    drop(members);
    let before = snapshot(&devices);
    let again = || before.iter().map(|contents| kept(contents)).collect::<Vec<_>>();
    // It takes its line up.
    let mut devices = again();
    let members = log_in(&mut devices);
    let fork = members[FIRST].session.complete(&members[THIRD].session.certificate(key).unwrap());
    assert!(matches!(fork, Err(Error::Fork { theirs, .. }) if theirs == left), "{fork:?}");
    assert_eq!(seen(&members), [(left, None), (epoch, Some(2))]);
    drop(members);
    // That line goes on without it, and names what it has heard of.
    let mut devices = again();
    let members = log_in(&mut devices);
    let shown = members[FIRST].session.start(&members[THIRD].session.invite_refresh(key, Vec::new()).unwrap());
    assert!(matches!(shown, Err(Error::Fork { .. })), "{shown:?}");
    for told in &short {
        for place in [THIRD, OTHER] {
            members[place].session.complete(told).unwrap_err();
        }
    }
    let seats = [(3, THIRD), (5, OTHER)];
    renew(&members, &[THIRD, OTHER], &go_without(&members, key, &seats, (1, Reason::Lost)));
    let lost = members[FIRST].session.complete(&members[THIRD].session.certificate(key).unwrap()).unwrap();
    assert_eq!(lost.state, KeyState::Retired);
    assert_eq!(seen(&members), [(epoch, Some(2))], "which nobody has undone");
}

/// The line that the first was left by goes by two revisions. Another excludes the second, and one excludes both.
fn a_roster_that_is_left_is_a_clash_from_where_it_parts_from_those_that_are_kept(suite: Suite, kept: Keep) {
    let (mut devices, key) = half_signed(suite, 8, &[THIRD, SECOND, THIRD]);
    let ([new, second, both], copy) = ([5, 6, 7], 8);
    let theirs = [(2, SECOND), (3, copy), (4, FOURTH)];
    let members = log_in(&mut devices);
    enrol(&members, key, [SECOND, copy], &[2, 3], FOURTH);
    enrol(&members, key, [9, 10], &[2, 3], both);
    drop(members);
    devices.extend(theirs.map(|(_, place)| Device::new(&devices[place].contents())));
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    enrol_as(&members, key, (6, new), &theirs);
    enrol_as(&members, key, (6, second), &[(2, 11), (3, 12), (4, 13)]);
    let certificate = |place: usize| members[place].session.certificate(key).unwrap();
    let epoch = certificate(new).epoch_id();
    members[FIRST].session.complete(&certificate(new)).unwrap();
    for place in [second, both] {
        forks(&members[FIRST], key, &certificate(place), (epoch, epoch));
    }
    go_on(&members, key, &[(2, SECOND), (3, copy), (4, FOURTH), (6, new)], 1);
    members[FIRST].session.complete(&certificate(SECOND)).unwrap();
    let seen = || members[FIRST].key(key).forks.iter().map(|fork| fork.revision).collect::<Vec<_>>();
    assert_eq!(seen(), [Some(2), Some(1)]);
    let fork = members[FIRST].session.complete(&certificate(THIRD));
    assert!(matches!(fork, Err(Error::Fork { .. })), "{fork:?}");
    assert_eq!(seen(), [None, Some(2), Some(1), Some(2)]);
}

/// The first goes by a revision that two lines pass over, one of them its own, before what goes on from it leaves it.
fn who_parted_each_of_two_lines_is_named_for_that_one(suite: Suite, kept: Keep) {
    let (mut devices, key) = half_signed(suite, 5, &[THIRD, OTHER, SECOND, THIRD]);
    let (third, newcomer, others) = (5, 6, [(2, 7), (3, 8)]);
    let members = log_in(&mut devices);
    enrol(&members, key, [SECOND, third], &[2, 3], FOURTH);
    let revised = members[FOURTH].session.certificate(key).unwrap();
    go_on(&members, key, &others, 1);
    go_on(&members, key, &[(2, SECOND), (3, third), (4, FOURTH), (5, newcomer)], 1);
    drop(members);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let [own, other, left] = [THIRD, 7, SECOND].map(|place| members[place].session.certificate(key).unwrap());
    let first = &members[FIRST];
    let seen = || {
        let forks = first.key(key).forks;
        forks.iter().map(|fork| (fork.theirs, fork.revision, fork.culprits.clone())).collect::<Vec<_>>()
    };
    first.session.complete(&revised).unwrap();
    for told in [&other, &own] {
        forks(first, key, told, (revised.epoch_id(), told.epoch_id()));
    }
    let passed_over = (other.epoch_id(), None, ids(&[2, 3]));
    assert_eq!(seen(), [passed_over.clone(), (own.epoch_id(), None, ids(&[3]))]);
    assert_eq!(first.session.complete(&left).unwrap().state, KeyState::Retired);
    let fork = first.session.complete(&own);
    assert!(matches!(fork, Err(Error::Fork { theirs, .. }) if theirs == left.epoch_id()), "{fork:?}");
    // The fifth, who is in both, had not signed the revision.
    let clash = (revised.epoch_id(), Some(1), ids(&[3]));
    assert_eq!(seen(), [passed_over, (left.epoch_id(), None, ids(&[3])), clash]);
}

/// The first was shown the one in an invitation, and copies of the same tokens have made the other.
fn who_takes_up_a_line_that_is_told_with_another_roster_sees_both(suite: Suite, kept: Keep) {
    let Stranded { mut devices, key, ours, theirs } = stranded(suite, kept);
    let copies = [THIRD, OTHER].map(|place| Device::new(&devices[place].contents()));
    devices.extend(copies);
    devices.extend(super::device::devices(2));
    let members = log_in(&mut devices);
    enrol_as(&members, key, (6, 8), &[(3, THIRD), (5, OTHER)]);
    enrol_as(&members, key, (6, 9), &[(3, 6), (5, 7)]);
    let shown = members[FIRST].session.start(&members[THIRD].session.invite_refresh(key, Vec::new()).unwrap());
    assert!(matches!(shown, Err(Error::Fork { theirs: other, .. }) if other == ours), "{shown:?}");
    let fork = members[FIRST].session.complete(&members[6].session.certificate(key).unwrap());
    assert!(matches!(fork, Err(Error::Fork { .. })), "{fork:?}");
    let info = members[FIRST].key(key);
    assert_eq!((info.state, info.epoch, info.revision), (KeyState::Active, ours, 1));
    let seen: Vec<_> = info.forks.iter().map(|fork| (fork.theirs, fork.revision)).collect();
    assert_eq!(seen, [(theirs, None), (ours, Some(1))]);
    assert_eq!(members[FIRST].session.certificate(key).unwrap(), members[THIRD].session.certificate(key).unwrap());
}

/// The first went by the one that was undone, and the one that the line went by was a clash before.
fn a_roster_that_the_line_that_is_left_went_by_is_a_fork_again_by_whoever_made_it(suite: Suite, kept: Keep) {
    let (mut devices, key) = half_signed(suite, 6, &[THIRD, SECOND, THIRD]);
    let (new, copy, [second, third]) = (5, 6, [7, 8]);
    let members = log_in(&mut devices);
    enrol(&members, key, [SECOND, copy], &[2, 3], FOURTH);
    enrol(&members, key, [second, third], &[2, 3], new);
    let [goes_by, undone] = [FOURTH, new].map(|place| members[place].session.certificate(key).unwrap());
    let epoch = undone.epoch_id();
    let theirs = [(2, SECOND), (3, copy), (4, FOURTH)];
    for (_, place) in theirs {
        forks(&members[place], key, &undone, (epoch, epoch));
    }
    renew(&members, &theirs.map(|(_, place)| place), &go_without(&members, key, &theirs, (1, Reason::Lost)));
    drop(members);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let first = &members[FIRST];
    first.session.complete(&undone).unwrap();
    forks(first, key, &goes_by, (epoch, epoch));
    first.session.complete(&members[SECOND].session.certificate(key).unwrap()).unwrap();
    let logged = || {
        let log = first.session.audit(None, 1000).unwrap();
        let seen = |record: &&quorumkey::audit::Record| {
            let event = record.event();
            event.kind() == quorumkey::audit::EventKind::ForkSeen && event.details() == epoch.as_bytes()
        };
        log.iter().filter(seen).count()
    };
    assert_eq!((first.key(key).forks.len(), logged()), (0, 1));
    let fork = first.session.complete(&members[THIRD].session.certificate(key).unwrap());
    assert!(matches!(fork, Err(Error::Fork { .. })), "{fork:?}");
    let forks = first.key(key).forks;
    let seen: Vec<_> = forks.iter().map(|fork| (fork.revision, fork.culprits.clone())).collect();
    // Who left the first's revision named it, as undone.
    assert_eq!(seen, [(None, ids(&[3])), (Some(1), Vec::new()), (Some(1), ids(&[2, 3]))]);
    assert_eq!(logged(), 2);
}
