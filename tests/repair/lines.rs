//! Lines of a key that parted: who follows which, with which rosters, and who is named for it.

use super::*;

mounted! {
    who_changes_the_line_keeps_its_epochs_with_the_rosters_that_it_goes_by
    who_is_led_past_epochs_of_another_line_reports_who_holds_shares_of_them
    who_came_late_to_a_line_that_loses_reports_whom_it_enrolled_before
    who_learns_of_an_undone_revision_sees_the_fork_that_goes_by_it
    a_line_that_passes_over_a_revision_is_followed_also_when_its_roster_is_revised
    who_goes_on_from_a_line_that_parted_before_is_not_named
    who_had_forgotten_one_line_is_not_named_beside_who_lied
    who_signed_a_revision_that_its_plan_undoes_is_not_named
    who_named_what_it_signed_before_is_not_named_by_who_sees_no_more_than_that
}

fn who_changes_the_line_keeps_its_epochs_with_the_rosters_that_it_goes_by(suite: Suite, kept: Keep) {
    let mut devices = devices(4);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], suite, 2).id;
    let copy = Device::new(&devices[SECOND].contents());
    drop(members);
    devices.push(copy);
    let copy = 4;
    let members = log_in(&mut devices);
    go_on(&members, key, &[(1, FIRST), (2, SECOND)], 3);
    let theirs = go_on(&members, key, &[(3, THIRD), (2, copy)], 1).epoch;
    // These two will not know of the revision that the first is shown.
    let before = [THIRD, copy].map(|place| Device::new(&devices[place].contents()));
    enrol(&members, key, [THIRD, copy], &[2, 3], FOURTH);
    let revised = members[THIRD].session.certificate(key).unwrap();
    drop(members);
    devices.extend(before);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let first = &members[FIRST];
    let ours = first.session.certificate(key).unwrap();
    forks(first, key, &revised, (ours.epoch_id(), theirs));
    let others = [5, 6];
    for place in others {
        forks(&members[place], key, &ours, (theirs, ours.epoch_id()));
    }
    let ends = members[5].session.invite_refresh(key, Vec::new()).unwrap();
    let now = renew(&members, &others, &ends);
    let chain = members[5].session.certificates(key).unwrap();
    let lost = first.session.complete(&chain[2]).unwrap();
    assert_eq!((lost.state, lost.epoch), (KeyState::Retired, now.epoch));
    assert_eq!(first.session.certificates(key).unwrap(), chain);
    // The fourth holds one by the revision that the line passes over.
    let expected =
        [(2, Holding::NotConfirmed), (3, Holding::NotConfirmed), (4, Holding::NotConfirmed), (4, Holding::Backup)];
    assert_eq!(holders(&lost, theirs), expected);
}

/// Who may hold a share of that old epoch, which is reported once.
fn holders(info: &KeyInfo, epoch: EpochId) -> Vec<(u16, Holding)> {
    let of_epoch: Vec<_> = info.old_epochs.iter().filter(|old| old.epoch == epoch).collect();
    let [report] = of_epoch.as_slice() else { panic!("{of_epoch:?}") };
    report.holders.iter().map(|one| (one.identifier.get(), one.holding)).collect()
}

/// The newest comes first, and each of those before it was superseded by the plan of the one that followed it.
fn who_is_led_past_epochs_of_another_line_reports_who_holds_shares_of_them(suite: Suite, kept: Keep) {
    let mut devices = devices(5);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], suite, 2).id;
    let copy = Device::new(&devices[SECOND].contents());
    drop(members);
    devices.push(copy);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let ours = go_on(&members, key, &[(1, FIRST), (2, SECOND)], 3).epoch;
    let before = members[FIRST].session.certificate(key).unwrap();
    enrol_as(&members, key, (5, OTHER), &[(1, FIRST), (2, SECOND)]);
    let revised = members[FIRST].session.certificate(key).unwrap();
    let passed = go_on(&members, key, &[(2, COPY), (3, THIRD), (4, FOURTH)], 1).epoch;
    let invitation = go_without(&members, key, &[(3, THIRD), (4, FOURTH)], (2, Reason::Stolen));
    let mut runs = [THIRD, FOURTH].map(|place| members[place].session.start(&invitation).unwrap());
    let later = exchange(&mut runs).remove(0).epoch;
    let line = members[THIRD].session.certificates(key).unwrap();
    for (told, theirs) in line[1..].iter().zip([passed, later]) {
        forks(&members[FIRST], key, told, (ours, theirs));
    }
    for (place, told) in [(THIRD, &revised), (FOURTH, &before)] {
        forks(&members[place], key, told, (later, ours));
    }
    let ends = members[THIRD].session.invite_refresh(key, Vec::new()).unwrap();
    renew(&members, &[THIRD, FOURTH], &ends);
    let newest = members[THIRD].session.certificate(key).unwrap();
    let info = members[FIRST].session.complete(&newest).unwrap();
    assert_eq!((info.state, info.epoch), (KeyState::Retired, newest.epoch_id()));
    let alive = [(3, Holding::NotConfirmed), (4, Holding::NotConfirmed)];
    assert_eq!(holders(&info, later), alive);
    assert_eq!(holders(&info, passed), [&[(2, Holding::Stolen), (2, Holding::Backup)], &alive[..]].concat());
    let gone = |number| [(number, Holding::NotConfirmed), (number, Holding::Backup)];
    let own = [(1, Holding::Backup)];
    assert_eq!(holders(&info, ours), [&own[..], &gone(2), &gone(5)].concat());
    // The one was shown the revision while the fork was open, and the other is shown it when that has ended.
    let late = members[FOURTH].session.complete(&revised).unwrap();
    for info in [members[THIRD].key(key), late] {
        assert_eq!(holders(&info, ours), [gone(1), gone(2), gone(5)].concat());
    }
    // And who never saw that line hears of it when it is over. Of its own device it says that it has no share.
    let copy = &members[COPY].session;
    for told in members[THIRD].session.certificates(key).unwrap()[2..].iter().chain([&revised]) {
        copy.complete(told).unwrap();
    }
    assert_eq!(holders(&members[COPY].key(key), ours), [&gone(1)[..], &[(2, Holding::Backup)], &gone(5)].concat());
}

/// It has the certificates of what was before it came, and nothing on record of who holds shares of that.
fn who_came_late_to_a_line_that_loses_reports_whom_it_enrolled_before(suite: Suite, kept: Keep) {
    let mut devices = devices(6);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], suite, 2).id;
    let copy = Device::new(&devices[SECOND].contents());
    drop(members);
    devices.push(copy);
    let (late, copy) = (5, 6);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let before = go_on(&members, key, &[(1, FIRST), (2, SECOND)], 3).epoch;
    enrol_as(&members, key, (5, OTHER), &[(1, FIRST), (2, SECOND)]);
    let refresh = members[FIRST].session.invite_refresh(key, Vec::new()).unwrap();
    exchange(&mut [FIRST, SECOND, OTHER].map(|place| members[place].session.start(&refresh).unwrap()));
    let seats = [(1, FIRST), (2, SECOND), (5, OTHER), (6, late)];
    let wider = Reshare { members: seated(&members, &seats), ..Reshare::of(&members[FIRST].key(key)) };
    let invitation = members[FIRST].session.invite_reshare(key, wider).unwrap();
    exchange(&mut seats.map(|(_, place)| members[place].session.start(&invitation).unwrap()));
    let theirs = go_on(&members, key, &[(2, copy), (3, THIRD), (4, FOURTH)], 1).epoch;
    let [line, others] = [late, THIRD].map(|place| members[place].session.certificates(key).unwrap());
    let ours = members[late].key(key).epoch;
    forks(&members[late], key, &others[1], (ours, theirs));
    for place in [copy, THIRD, FOURTH] {
        for told in &line[1..] {
            forks(&members[place], key, told, (theirs, told.epoch_id()));
        }
    }
    let ends = members[THIRD].session.invite_refresh(key, Vec::new()).unwrap();
    renew(&members, &[copy, THIRD, FOURTH], &ends);
    let lost = members[late].session.complete(&members[THIRD].session.certificate(key).unwrap()).unwrap();
    let gone = |number| [(number, Holding::NotConfirmed), (number, Holding::Backup)];
    // The device behind the second number is a member, and may speak for the share.
    assert_eq!(holders(&lost, before), [&gone(1)[..], &[(2, Holding::NotConfirmed)], &gone(5)].concat());
}

/// Who came when the losing side's revision had been undone, and learns of it, then of what others made of it.
fn who_learns_of_an_undone_revision_sees_the_fork_that_goes_by_it(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    devices.extend(super::device::devices(1));
    let new = devices.len() - 1;
    let members = log_in(&mut devices);
    let revised = members[FOURTH].session.certificate(key.id).unwrap();
    let side = [(2, COPY), (3, THIRD), (4, OTHER)];
    for (_, place) in [side[1], side[2]] {
        forks(&members[place], key.id, &revised, (key.epoch, key.epoch));
    }
    forks(&members[COPY], key.id, &revised, (key.epoch, key.epoch));
    let five = seated(&members, &[side[0], side[1], side[2], (5, new)]);
    let leaving = vec![Leaving { identifier: id(1), reason: Reason::Lost }];
    let with = Reshare { members: five, leaving, ..Reshare::of(&members[THIRD].key(key.id)) };
    let invitation = members[THIRD].session.invite_reshare(key.id, with).unwrap();
    for (_, place) in side {
        members[place].store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
    }
    let runs = [COPY, THIRD, OTHER, new].map(|place| members[place].session.start(&invitation).unwrap());
    let now = exchange(&mut Vec::from(runs)).remove(0);
    go_on(&members, key.id, &[(1, FIRST), (2, SECOND), (4, FOURTH)], 3);
    let theirs = members[FOURTH].session.certificate(key.id).unwrap();
    assert_eq!(members[new].session.complete(&revised).unwrap(), members[new].key(key.id));
    for place in [new, THIRD] {
        forks(&members[place], key.id, &theirs, (now.epoch, theirs.epoch_id()));
    }
}

/// Whoever goes by the roster before a revision may go on from there, and revise its own.
fn a_line_that_passes_over_a_revision_is_followed_also_when_its_roster_is_revised(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = copied(suite, kept);
    let members = log_in(&mut devices);
    let passed = go_on(&members, key.id, &[(3, THIRD), (2, COPY)], 1);
    let shown = |place: usize| members[place].session.certificate(key.id).unwrap();
    forks(&members[FIRST], key.id, &shown(THIRD), (key.epoch, passed.epoch));
    enrol(&members, key.id, [THIRD, COPY], &[2, 3], OTHER);
    forks(&members[FIRST], key.id, &shown(THIRD), (key.epoch, passed.epoch));
    let seats = [(2, COPY), (3, THIRD), (4, OTHER)];
    let runs = |invitation: &Invitation| {
        let runs = seats.iter().map(|(_, place)| members[*place].session.start(invitation).unwrap());
        exchange(&mut runs.collect::<Vec<_>>()).remove(0)
    };
    let later = runs(&members[THIRD].session.invite_refresh(key.id, Vec::new()).unwrap());
    forks(&members[FIRST], key.id, &shown(THIRD), (key.epoch, later.epoch));
    let revised = shown(FIRST);
    for (_, place) in seats {
        forks(&members[place], key.id, &revised, (later.epoch, key.epoch));
    }
    let invitation = members[THIRD].session.invite_refresh(key.id, Vec::new()).unwrap();
    let now = renew(&members, &[COPY, THIRD, OTHER], &invitation);
    let lost = members[FIRST].session.complete(&shown(THIRD)).unwrap();
    assert_eq!((lost.state, lost.epoch, lost.forks.len()), (KeyState::Retired, now.epoch, 0));
    let chain = |place: usize| members[place].session.certificates(key.id).unwrap();
    assert_eq!(chain(FIRST), chain(THIRD));
}

/// The first signed a revision that is in force with the third alone, who signed an epoch that passes over it as well. It learns of
/// that epoch, and is called back.
fn who_goes_on_from_a_line_that_parted_before_is_not_named(suite: Suite, kept: Keep) {
    let mut devices = devices(4);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], suite, 2);
    let copy = Device::new(&devices[THIRD].contents());
    let card = members[FOURTH].card();
    let invitation = members[FIRST].session.invite_enrolment(key.id, id(4), card, &ids(&[1, 3])).unwrap();
    let mut runs = [FIRST, THIRD, FOURTH].map(|place| members[place].session.start(&invitation).unwrap());
    exchange_over(&mut runs, &mut |_, to, message| {
        if to == 0 && message.round() == 1 { Vec::new() } else { vec![message] }
    });
    drop((runs, members));
    devices.push(copy);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    assert_eq!([FIRST, THIRD].map(|place| members[place].key(key.id).revision), [0, 1]);
    let seats = [(2, SECOND), (3, 4)];
    go_on(&members, key.id, &seats, 1);
    let told = || members[SECOND].session.certificate(key.id).unwrap();
    let parted = told();
    members[FIRST].session.complete(&parted).unwrap();
    let invitation = call_back(&members, key.id, &seats);
    let mut runs = [FIRST, SECOND, 4].map(|place| members[place].session.start(&invitation).unwrap());
    exchange(&mut runs);
    for told in [parted, told()] {
        forks(&members[THIRD], key.id, &told, (key.epoch, told.epoch_id()));
    }
    let forks = members[THIRD].key(key.id).forks;
    assert_eq!(forks.iter().map(|fork| &fork.culprits[..]).collect::<Vec<_>>(), [[id(3)], [id(3)]]);
}

/// Of a 3-of-5 key the fourth and fifth lie, who have copies of their tokens. With the first they enrol a sixth, with the third
/// an eighth after that, which they hide from the first; by the copies, with the second, a seventh under the same number of a
/// revision. The first ends what it knows of.
fn who_signed_a_revision_that_its_plan_undoes_is_not_named(suite: Suite, kept: Keep) {
    let mut devices = devices(8);
    let members = log_in(&mut devices);
    let key = dkg(&members[..5], suite, 3).id;
    drop(members);
    let copies: Vec<_> = devices[3..5].iter().map(Device::contents).collect();
    devices.extend(copies.iter().map(|contents| Device::new(contents)));
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let told = |place: usize| members[place].session.certificate(key).unwrap();
    enrol_as(&members, key, (6, 5), &[(1, 0), (4, 3), (5, 4)]);
    let ours = told(0);
    members[2].session.complete(&ours).unwrap();
    enrol_as(&members, key, (8, 7), &[(3, 2), (6, 5), (4, 3), (5, 4)]);
    enrol_as(&members, key, (7, 6), &[(2, 1), (4, 8), (5, 9)]);
    let theirs = told(1);
    for (place, other) in [(0, &theirs), (2, &theirs), (1, &ours), (6, &ours), (8, &ours), (9, &ours)] {
        assert!(matches!(members[place].session.complete(other), Err(Error::Fork { .. })));
    }
    let seats = [(2, 1), (1, 0), (4, 8), (5, 9), (7, 6)];
    let invitation = go_without(&members, key, &seats, (3, Reason::Lost));
    renew(&members, &[1, 0, 8, 9, 6], &invitation);
    let ends = told(0);
    assert!(matches!(members[2].session.complete(&ends), Err(Error::Fork { .. })));
    let forks = members[2].key(key).forks;
    let fork = forks.iter().find(|fork| fork.theirs == ends.epoch_id()).unwrap();
    assert_eq!(fork.culprits, ids(&[4, 5]));
}

/// The third lies, by copies. With the first it goes on from the key, and so it does with the second. With the first it makes
/// another epoch, whose certificate it keeps, and then one that names it. All that has lost, and a newcomer is shown the hidden one.
fn who_named_what_it_signed_before_is_not_named_by_who_sees_no_more_than_that(suite: Suite, kept: Keep) {
    let mut devices = devices(4);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], suite, 2).id;
    drop(members);
    devices.push(Device::new(&devices[THIRD].contents()));
    let members = log_in(&mut devices);
    go_on(&members, key, &[(1, 0), (3, 4)], 2);
    go_on(&members, key, &[(2, 1), (3, 2)], 1);
    drop(members);
    devices.push(Device::new(&devices[4].contents()));
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let told = |place: usize| members[place].session.certificate(key).unwrap();
    let refresh_with = |place: usize, wire: Wire<'_>| {
        let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
        let mut runs = [0, place].map(|place| members[place].session.start(&invitation).unwrap());
        exchange_over(&mut runs, wire)
    };
    let parted = told(0);
    refresh_with(4, &mut |_, to, message| if to == 0 && message.round() == 2 { Vec::new() } else { vec![message] });
    let hidden = told(4);
    assert_eq!(members[0].key(key).pending, [hidden.epoch_id()]);
    refresh_with(5, &mut |_, _, message| vec![message]);
    for told in [&parted, &told(0)] {
        for place in [1, 2] {
            assert!(matches!(members[place].session.complete(told), Err(Error::Fork { .. })));
        }
    }
    let ends = members[1].session.invite_refresh(key, Vec::new()).unwrap();
    let ended = renew(&members, &[1, 2], &ends);
    let [_, other, last] = members[1].session.certificates(key).unwrap().try_into().unwrap();
    assert!(matches!(members[0].session.complete(&other), Err(Error::Fork { .. })));
    members[0].session.complete(&last).unwrap();
    let four = seated(&members, &[(1, 0), (2, 1), (3, 2), (4, FOURTH)]);
    let with = Reshare { members: four, ..Reshare::of(&ended) };
    let invitation = members[1].session.invite_reshare(key, with).unwrap();
    exchange(&mut [0, 1, 2, FOURTH].map(|place| members[place].session.start(&invitation).unwrap()));
    members[FOURTH].session.complete(&parted).unwrap();
    assert!(matches!(members[FOURTH].session.complete(&hidden), Err(Error::Fork { .. })));
    let forks = members[FOURTH].key(key).forks;
    assert_eq!(forks.iter().map(|fork| &fork.culprits[..]).collect::<Vec<_>>(), [[id(3)]]);
}

/// The second's token was restored from an older backup, and the third, who lies, does not show the epoch that both have signed.
fn who_had_forgotten_one_line_is_not_named_beside_who_lied(suite: Suite, kept: Keep) {
    let mut devices = devices(4);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], suite, 2).id;
    let copy = Device::new(&devices[THIRD].contents());
    let sheet = SecretKey::from_bytes(&[5; 32]).unwrap();
    let backup = members[SECOND].session.export(key, &sheet.recipient()).unwrap();
    let who = members[SECOND].session.export_identity(&sheet.recipient()).unwrap();
    go_on(&members, key, &[(2, SECOND), (3, THIRD), (4, FOURTH)], 1);
    let with = Identity::X25519(sheet);
    let (again, restored) = Device::restored(&who, &with);
    restored.session.restore(&backup, &with).unwrap();
    drop((members, restored));
    devices.extend([copy, again]);
    let (copy, again) = (4, 5);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    let card = quorumkey::NewCard { identifier: id(2), card: members[again].card(), reason: Reason::Lost };
    let invitation = members[FIRST].session.invite_refresh(key, vec![card]).unwrap();
    exchange(&mut [FIRST, again, copy].map(|place| members[place].session.start(&invitation).unwrap()));
    let [one, other] = [FIRST, FOURTH].map(|place| members[place].session.certificate(key).unwrap());
    for (place, ours, theirs) in [(FOURTH, &other, &one), (FIRST, &one, &other), (again, &one, &other)] {
        forks(&members[place], key, theirs, (ours.epoch_id(), theirs.epoch_id()));
        assert_eq!(members[place].key(key).forks[0].culprits, [id(3)]);
    }
}
