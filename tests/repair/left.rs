//! Members that left a key and know a revision of its roster, or come to know one while they are called back.

use super::*;

mounted! {
    who_left_and_knows_a_revision_takes_no_history_without_it
    who_left_and_knows_a_revision_sees_the_fork_when_it_is_called_back_by_another
    who_learns_of_a_revision_while_it_is_called_back_keeps_no_history_without_it
    who_sees_a_clash_while_it_is_called_back_signs_nothing_that_does_not_end_it
}

/// Once the first member has left. The second and the third have enrolled a fourth since; the fifth, a copy of the second's
/// device, and the first, if it is not told, do not know it.
fn left(suite: Suite, kept: Keep, told: bool) -> Clashed {
    let mut devices = devices(5);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], suite, 2);
    let seats = [(2, SECOND), (3, THIRD), (5, OTHER)];
    let leaving = vec![Leaving { identifier: id(1), reason: Reason::Routine }];
    let without = Reshare { members: seated(&members, &seats), leaving, ..Reshare::of(&key) };
    let invitation = members[SECOND].session.invite_reshare(key.id, without).unwrap();
    let runs = [FIRST, SECOND, THIRD, OTHER].map(|place| members[place].session.start(&invitation).unwrap());
    exchange(&mut Vec::from(runs));
    let copy = Device::new(&devices[SECOND].contents());
    enrol(&members, key.id, [SECOND, THIRD], &[2, 3], FOURTH);
    if told {
        tell(&members, key.id);
    }
    let gone = members[FIRST].key(key.id);
    assert_eq!((gone.state, gone.revision), (KeyState::Retired, u32::from(told)));
    drop(members);
    devices.push(copy);
    Clashed { key: gone, devices: snapshot(&devices).iter().map(|contents| kept(contents)).collect() }
}

/// The first learns from the second of the revision.
fn tell(members: &[Member], key: KeyId) {
    let told = members[SECOND].session.certificate(key).unwrap();
    assert_eq!(members[FIRST].session.complete(&told).unwrap().revision, 1);
}

/// The first member's token still has the certificate with the revision.
fn still_knows_the_revision(members: &[Member], key: &KeyInfo) {
    let chain = members[FIRST].session.certificates(key.id).unwrap();
    assert_eq!(chain, members[SECOND].session.certificates(key.id).unwrap());
}

fn who_left_and_knows_a_revision_takes_no_history_without_it(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = left(suite, kept, true);
    let members = log_in(&mut devices);
    let card = members[FIRST].card();
    let behind = members[COPY].session.invite_enrolment(key.id, id(1), card, &ids(&[2, 5])).unwrap();
    let refused = members[FIRST].session.start(&behind);
    let Err(Error::Stale { have, certificates }) = refused else { panic!("{refused:?}") };
    // With which the others, who are behind, can catch up, or see what the second has done.
    assert_eq!((have, certificates), (key.epoch, vec![members[SECOND].session.certificate(key.id).unwrap()]));
    still_knows_the_revision(&members, &key);
}

fn who_left_and_knows_a_revision_sees_the_fork_when_it_is_called_back_by_another(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = left(suite, kept, true);
    let members = log_in(&mut devices);
    let others = [(2, COPY), (5, OTHER)];
    let passed = go_on(&members, key.id, &others, 3);
    let invitation = call_back(&members, key.id, &others);
    drop(members);
    for _ in 0..2 {
        let members = log_in(&mut devices);
        let shown = members[FIRST].session.start(&invitation);
        let expected = (key.epoch, passed.epoch);
        assert!(matches!(shown, Err(Error::Fork { ours, theirs }) if (ours, theirs) == expected), "{shown:?}");
        let forks = members[FIRST].key(key.id).forks;
        assert!(forks.iter().any(|fork| fork.culprits == [id(2)]), "{forks:?}");
        still_knows_the_revision(&members, &key);
    }
}

fn who_learns_of_a_revision_while_it_is_called_back_keeps_no_history_without_it(suite: Suite, kept: Keep) {
    let others = [(2, COPY), (5, OTHER)];
    for enrolled in [false, true] {
        let Clashed { key, mut devices } = left(suite, kept, false);
        let members = log_in(&mut devices);
        let invitation = if enrolled {
            let card = members[FIRST].card();
            members[COPY].session.invite_enrolment(key.id, id(1), card, &ids(&[2, 5])).unwrap()
        } else {
            go_on(&members, key.id, &others, 3);
            call_back(&members, key.id, &others)
        };
        let mut runs: Vec<_> =
            [FIRST, COPY, OTHER].iter().map(|place| members[*place].session.start(&invitation).unwrap()).collect();
        let mut known = false;
        let results = exchange_over(&mut runs, &mut |_, to, message| {
            if to == 0 && message.round() == 1 && !core::mem::replace(&mut known, true) {
                tell(&members, key.id);
            }
            vec![message]
        });
        let Err(Error::Stale { certificates, .. }) = &results[0] else { panic!("{results:?}") };
        assert_eq!(certificates.last(), Some(&members[SECOND].session.certificate(key.id).unwrap()));
        // From the epoch on that both know, or all.
        let from = if enrolled { usize::try_from(key.height).unwrap() } else { 0 };
        assert_eq!(certificates, &members[FIRST].session.certificates(key.id).unwrap()[from..]);
        still_knows_the_revision(&members, &key);
    }
}

fn who_sees_a_clash_while_it_is_called_back_signs_nothing_that_does_not_end_it(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = left(suite, kept, true);
    let mut members = log_in(&mut devices);
    members.push(Member::in_memory("another fourth"));
    let another = members.len() - 1;
    enrol(&members, key.id, [COPY, OTHER], &[2, 5], another);
    let told = members[another].session.certificate(key.id).unwrap();
    let seats = [(2, SECOND), (1, FIRST), (3, THIRD), (4, FOURTH)];
    let invitation = go_without(&members, key.id, &seats, (5, Reason::Lost));
    let mut runs: Vec<_> = seats.iter().map(|(_, place)| members[*place].session.start(&invitation).unwrap()).collect();
    let mut seen = false;
    let results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 1 && hazmat::subject(&message) == "deal" && !core::mem::replace(&mut seen, true) {
            let fork = members[FIRST].session.complete(&told);
            assert!(matches!(fork, Err(Error::Fork { .. })), "{fork:?}");
        }
        vec![message]
    });
    let unnamed = "it does not name every revision that is to lose";
    assert!(matches!(results[1], Err(Error::Misuse(Misuse::Plan(why))) if why == unnamed), "{:?}", results[1]);
}
