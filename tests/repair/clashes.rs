//! Two revisions of one roster that exclude each other, each signed by its quorum: whoever meets both keeps both, signs nothing
//! more, and a renewal that names the losing one ends it.

use quorumkey::{
    Advice, Denial, Entry, EpochId, Holding, Invitation, KeyState, Leaving, Misuse, Reason, Reshare, Roster, Suite,
};

use super::device::{Device, devices, log_in, snapshot};
use super::*;

/// What a device is kept in.
type Keep = fn(&[Entry]) -> Device;

/// Every suite, and every storage.
macro_rules! mounted {
    ($($name:ident)*) => {
        mod ed25519 {
            $(#[test] fn $name() { super::$name(quorumkey::Suite::Ed25519, super::Device::new); })*
        }
        mod secp256k1 {
            $(#[test] fn $name() { super::$name(quorumkey::Suite::Secp256k1, super::Device::new); })*
        }
        mod taproot_in_files {
            $(#[test] fn $name() { super::$name(quorumkey::Suite::Secp256k1Taproot, super::Device::in_file); })*
        }
    };
}

#[path = "left.rs"]
mod left;
#[path = "lines.rs"]
mod lines;
#[path = "taken_up.rs"]
mod taken_up;

mounted! {
    a_clash_of_revisions_stops_signing_for_good_and_names_who_signed_both
    a_renewal_that_names_the_losing_revision_ends_a_clash_and_both_sides_take_part
    of_two_that_were_enrolled_under_one_number_each_device_is_reported
    a_plan_that_leaves_a_losing_revision_unnamed_is_refused_by_who_knows_of_it
    an_epoch_that_passes_over_a_revision_is_a_fork_until_the_next_undoes_it
    an_epoch_that_goes_by_the_roster_before_a_revision_is_a_fork_as_well
    an_invitation_of_the_other_side_shows_a_clash_as_its_certificate_does
    who_hears_of_a_clash_from_the_renewal_that_ends_it_takes_part_when_it_has_seen_it
    an_invitation_of_a_line_that_passes_over_a_revision_shows_a_fork
    nonces_made_beforehand_die_when_a_run_shows_a_clash
    who_has_destroyed_the_key_ends_no_clash_without_its_officer
    every_roster_of_the_losing_side_is_undone_by_its_name
}

/// A 2-of-3 key of which there are two rosters. The first and the second member have enrolled a fourth; so have the third and
/// a copy of the second member's device that was made before, another one.
struct Clashed {
    key: KeyInfo,
    /// Of members 1, 2, 3 and 4, of the other 4, and the copy.
    devices: Vec<Device>,
}

/// Who is on which device.
const FIRST: usize = 0;
const SECOND: usize = 1;
const THIRD: usize = 2;
const FOURTH: usize = 3;
const OTHER: usize = 4;
const COPY: usize = 5;

fn enrol(members: &[Member], key: KeyId, helpers: [usize; 2], numbers: &[u16], new: usize) {
    let card = members[new].card();
    let invitation = members[helpers[0]].session.invite_enrolment(key, id(4), card, &ids(numbers)).unwrap();
    let start = |place: &usize| members[*place].session.start(&invitation).unwrap();
    exchange(&mut [helpers[0], helpers[1], new].iter().map(start).collect::<Vec<_>>());
}

/// The key, before anything is made of the copy.
fn copied(suite: Suite, kept: Keep) -> Clashed {
    let mut devices = devices(5);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], suite, 2);
    let copy = Device::new(&devices[SECOND].contents());
    enrol(&members, key.id, [FIRST, SECOND], &[1, 2], FOURTH);
    drop(members);
    devices.push(copy);
    Clashed { key, devices: snapshot(&devices).iter().map(|contents| kept(contents)).collect() }
}

fn clashed(suite: Suite, kept: Keep) -> Clashed {
    let mut clashed = copied(suite, kept);
    let members = log_in(&mut clashed.devices);
    enrol(&members, clashed.key.id, [COPY, THIRD], &[2, 3], OTHER);
    clashed
}

#[track_caller]
fn forks(member: &Member, key: KeyId, told: &quorumkey::Certificate, expected: (EpochId, EpochId)) {
    // However often it is shown.
    for _ in 0..2 {
        let fork = member.session.complete(told);
        assert!(matches!(fork, Err(Error::Fork { ours, theirs }) if (ours, theirs) == expected), "{fork:?}");
    }
    let refused = member.session.invite_sign(key, &[id(1), id(2)], b"m");
    assert!(matches!(refused, Err(Error::Denied(Denial::Forked))), "{refused:?}");
}

/// Both sides are shown the other's certificate of the epoch.
fn meet(members: &[Member], key: &KeyInfo) {
    for (side, shown) in [([FIRST, FOURTH], OTHER), ([THIRD, OTHER], FOURTH)] {
        let told = members[shown].session.certificate(key.id).unwrap();
        for place in side {
            forks(&members[place], key.id, &told, (key.epoch, key.epoch));
        }
    }
}

/// Members under these numbers, from these places.
fn seated(members: &[Member], seats: &[(u16, usize)]) -> Roster {
    Roster::new(seats.iter().map(|(number, place)| (id(*number), members[*place].card())).collect()).unwrap()
}

/// An invitation of the first of these to go on without that member.
fn go_without(members: &[Member], key: KeyId, seats: &[(u16, usize)], (left, reason): (u16, Reason)) -> Invitation {
    let leaving = vec![Leaving { identifier: id(left), reason }];
    let from = &members[seats[0].1];
    let without = Reshare { members: seated(members, seats), leaving, ..Reshare::of(&from.key(key)) };
    from.session.invite_reshare(key, without).unwrap()
}

/// What the members at these places make of the key, from the roster and the epoch that they go by.
fn go_on(members: &[Member], key: KeyId, seats: &[(u16, usize)], lost: u16) -> KeyInfo {
    let invitation = go_without(members, key, seats, (lost, Reason::Lost));
    let runs = seats.iter().map(|(_, place)| members[*place].session.start(&invitation).unwrap());
    exchange(&mut runs.collect::<Vec<_>>()).remove(0)
}

/// Everybody at these places enters, after their officers' leave.
fn renew(members: &[Member], places: &[usize], invitation: &Invitation) -> KeyInfo {
    for place in places {
        members[*place].store.login_so(&officer_pin()).unwrap().override_fork_rules(invitation).unwrap();
    }
    let runs = places.iter().map(|place| members[*place].session.start(invitation).unwrap());
    exchange(&mut runs.collect::<Vec<_>>()).remove(0)
}

fn every_pair_signs(members: &[Member], key: KeyId, seats: &[(u16, usize)]) {
    let by_number: std::collections::BTreeMap<_, _> =
        seats.iter().map(|(number, place)| (*number, &members[*place])).collect();
    for (at, (one, _)) in seats.iter().enumerate() {
        for (other, _) in &seats[at + 1..] {
            sign_by(&by_number, key, &[*one, *other], &[7; 32]);
        }
    }
}

fn a_clash_of_revisions_stops_signing_for_good_and_names_who_signed_both(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    let members = log_in(&mut devices);
    let invitation = members[FIRST].session.invite_sign(key.id, &[id(1), id(4)], &[1; 32]).unwrap();
    let mut under_way = members[FIRST].session.start_sign(&invitation, &[1; 32]).unwrap();
    let commitment = members[FOURTH].session.start_sign(&invitation, &[1; 32]).unwrap().poll_transmit().unwrap();
    meet(&members, &key);
    assert!(matches!(under_way.handle(&commitment), Err(Error::Misuse(Misuse::NoSuchRun(_)))));
    drop((under_way, members));
    let members = log_in(&mut devices);
    for place in [FIRST, FOURTH, THIRD, OTHER] {
        let info = members[place].key(key.id);
        assert_eq!((info.state, info.epoch, info.revision, info.forks.len()), (KeyState::Active, key.epoch, 1, 1));
        let fork = &info.forks[0];
        assert_eq!((fork.ours, fork.theirs, fork.revision), (key.epoch, key.epoch, Some(1)));
        assert_eq!(fork.culprits, [id(2)], "whose copy signed the other");
        assert_eq!(info.advice(), [Advice::EndFork(key.epoch)]);
        let session = &members[place].session;
        let refused = session.invite_sign(key.id, &[id(1), id(4)], b"m");
        assert!(matches!(refused, Err(Error::Denied(Denial::Forked))), "{refused:?}");
        let refused = session.invite_enrolment(key.id, id(5), members[COPY].card(), &ids(&[1, 3, 4]));
        assert!(matches!(refused, Err(Error::Denied(Denial::Forked))), "{refused:?}");
    }
}

fn a_renewal_that_names_the_losing_revision_ends_a_clash_and_both_sides_take_part(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    let members = log_in(&mut devices);
    meet(&members, &key);
    let seats = [(1, FIRST), (3, THIRD), (4, FOURTH)];
    let invite = || go_without(&members, key.id, &seats, (2, Reason::Stolen));
    let refused = invite();
    assert_eq!(refused.undone().iter().map(|one| one.card().clone()).collect::<Vec<_>>(), [members[OTHER].card()]);
    for place in [FIRST, THIRD, FOURTH] {
        let result = members[place].session.start(&refused);
        assert!(matches!(result, Err(Error::Denied(Denial::Forked))), "{result:?}");
    }
    let now = renew(&members, &[FIRST, THIRD, FOURTH], &invite());
    every_pair_signs(&members, key.id, &seats);
    for place in [FIRST, THIRD, FOURTH] {
        let info = members[place].key(key.id);
        assert_eq!((info.epoch, info.height, info.forks.len()), (now.epoch, 1, 0));
        // The stolen device has a share of the old epoch, and so has who was enrolled by the losing revision: they are the key.
        let [old] = info.old_epochs.as_slice() else { panic!("{:?}", info.old_epochs) };
        assert_eq!(old.identifiers().collect::<Vec<_>>(), [id(2), id(4)], "{old}");
        assert!(!old.is_dead());
    }
    // Who lost learns it from the certificates.
    for certificate in members[FIRST].session.certificates(key.id).unwrap() {
        let _ = members[OTHER].session.complete(&certificate);
    }
    let lost = members[OTHER].key(key.id);
    assert_eq!((lost.state, lost.epoch, lost.forks.len()), (KeyState::Retired, now.epoch, 0));
    let chain = |place: usize| members[place].session.certificates(key.id).unwrap();
    assert!([THIRD, FOURTH, OTHER].iter().all(|place| chain(*place) == chain(FIRST)));
}

fn of_two_that_were_enrolled_under_one_number_each_device_is_reported(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    let members = log_in(&mut devices);
    meet(&members, &key);
    let seats = [(1, FIRST), (2, SECOND), (3, THIRD)];
    let invitation = go_without(&members, key.id, &seats, (4, Reason::Stolen));
    let now = renew(&members, &[FIRST, SECOND, THIRD], &invitation);
    let report = now.old_epochs.iter().find(|old| old.epoch == key.epoch).unwrap();
    let holds = |holding| report.holders.iter().filter(|one| (one.identifier, one.holding) == (id(4), holding)).count();
    assert_eq!([Holding::Stolen, Holding::NotConfirmed, Holding::Backup].map(holds), [1, 1, 2], "{report}");
}

fn a_plan_that_leaves_a_losing_revision_unnamed_is_refused_by_who_knows_of_it(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    let members = log_in(&mut devices);
    // The first has not heard of the clash when it invites.
    let silent = members[FIRST].session.invite_refresh(key.id, Vec::new()).unwrap();
    assert!(silent.undone().is_empty());
    let told = members[OTHER].session.certificate(key.id).unwrap();
    forks(&members[FOURTH], key.id, &told, (key.epoch, key.epoch));
    members[FOURTH].store.login_so(&officer_pin()).unwrap().override_fork_rules(&silent).unwrap();
    let refused = members[FOURTH].session.start(&silent);
    assert!(matches!(refused, Err(Error::Misuse(Misuse::Plan(_)))), "{refused:?}");
}

fn an_epoch_that_passes_over_a_revision_is_a_fork_until_the_next_undoes_it(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    let members = log_in(&mut devices);
    let seats = [(1, FIRST), (2, SECOND), (4, FOURTH)];
    // Nobody here knows of the other roster.
    let passed = go_on(&members, key.id, &seats, 3);
    let chain = members[FIRST].session.certificates(key.id).unwrap();
    let rival = members[OTHER].session.certificate(key.id).unwrap();
    for place in [THIRD, OTHER] {
        forks(&members[place], key.id, &chain[0], (key.epoch, key.epoch));
        forks(&members[place], key.id, &chain[1], (key.epoch, passed.epoch));
        let info = members[place].key(key.id);
        assert_eq!((info.state, info.epoch), (KeyState::Active, key.epoch), "it keeps its share");
        assert!(info.forks.iter().all(|fork| fork.culprits == [id(2)]), "{:?}", info.forks);
    }
    // And from the other side, of an epoch that is over.
    for place in [FIRST, SECOND, FOURTH] {
        forks(&members[place], key.id, &rival, (passed.epoch, key.epoch));
        let info = members[place].key(key.id);
        assert_eq!(info.forks[0].culprits, [id(2)]);
        // Who was enrolled by the other roster has a share of that epoch as well.
        let report = info.old_epochs.iter().find(|old| old.epoch == key.epoch).unwrap();
        assert!(report.holders.iter().any(|one| (one.identifier, one.holding) == (id(4), Holding::Lost)), "{report}");
    }
    let invitation = members[FIRST].session.invite_refresh(key.id, Vec::new()).unwrap();
    assert_eq!(invitation.undone().len(), 1);
    let now = renew(&members, &[FIRST, SECOND, FOURTH], &invitation);
    assert_eq!((now.height, now.forks.len()), (2, 0));
    // Of this epoch all shares are erased. Who was enrolled by the other roster has one of the epoch before.
    let old = members[FIRST].key(key.id).old_epochs;
    let report = old.iter().find(|old| old.epoch == passed.epoch).unwrap();
    assert!(report.holders.is_empty(), "{report}");
    every_pair_signs(&members, key.id, &seats);
    let chain = members[FIRST].session.certificates(key.id).unwrap();
    for place in [THIRD, OTHER] {
        let info = members[place].session.complete(&chain[2]).unwrap();
        assert_eq!((info.state, info.epoch, info.forks.len()), (KeyState::Retired, now.epoch, 0));
        assert_eq!(members[place].session.certificates(key.id).unwrap(), chain);
        // What is superseded can be shown again, and changes nothing.
        assert_eq!(members[place].session.complete(&rival).unwrap(), info);
    }
}

fn an_epoch_that_goes_by_the_roster_before_a_revision_is_a_fork_as_well(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = copied(suite, kept);
    let members = log_in(&mut devices);
    // The copy has forgotten the revision, and the third never heard of it: they go on, with another for the first.
    let seats = [(3, THIRD), (2, COPY), (1, OTHER)];
    let passed = go_on(&members, key.id, &seats, 1);
    let revised = members[FIRST].session.certificate(key.id).unwrap();
    let renewed = members[THIRD].session.certificate(key.id).unwrap();
    for place in [FIRST, FOURTH] {
        forks(&members[place], key.id, &renewed, (key.epoch, passed.epoch));
        let info = members[place].key(key.id);
        assert_eq!((info.state, info.epoch), (KeyState::Active, key.epoch));
        assert_eq!(info.forks[0].culprits, [id(2)]);
    }
    forks(&members[THIRD], key.id, &revised, (passed.epoch, key.epoch));
    let fork = &members[THIRD].key(key.id).forks[0];
    assert_eq!((fork.revision, fork.culprits.as_slice()), (Some(1), [id(2)].as_slice()));
    let invitation = members[THIRD].session.invite_refresh(key.id, Vec::new()).unwrap();
    let now = renew(&members, &[COPY, THIRD, OTHER], &invitation);
    every_pair_signs(&members, key.id, &seats);
    let undone = members[THIRD].session.certificate(key.id).unwrap();
    for place in [FIRST, FOURTH] {
        let info = members[place].session.complete(&undone).unwrap();
        assert_eq!((info.state, info.epoch, info.forks.len()), (KeyState::Retired, now.epoch, 0));
    }
}

/// An invitation of who is there, to take the first member in again.
fn call_back(members: &[Member], key: KeyId, seats: &[(u16, usize)]) -> Invitation {
    let from = &members[seats[0].1];
    let with = Reshare { members: seated(members, &[&[(1, FIRST)], seats].concat()), ..Reshare::of(&from.key(key)) };
    from.session.invite_reshare(key, with).unwrap()
}

/// The first member is shown an invitation that only the other side can follow, and sees the fork in it, for good.
fn sees_the_fork(devices: &mut [Device], key: &KeyInfo, invitation: &Invitation, theirs: EpochId) {
    let members = log_in(devices);
    assert!(members[FIRST].key(key.id).forks.is_empty());
    let shown = members[FIRST].session.start(invitation);
    let expected = (key.epoch, theirs);
    assert!(matches!(shown, Err(Error::Fork { ours, theirs }) if (ours, theirs) == expected), "{shown:?}");
    drop((shown, members));
    let members = log_in(devices);
    let forks = members[FIRST].key(key.id).forks;
    assert!(forks.iter().any(|fork| (fork.ours, fork.theirs) == expected), "{forks:?}");
    assert!(forks.iter().all(|fork| fork.culprits == [id(2)]), "{forks:?}");
    let refused = members[FIRST].session.invite_sign(key.id, &[id(1), id(2)], b"m");
    assert!(matches!(refused, Err(Error::Denied(Denial::Forked))), "{refused:?}");
}

fn an_invitation_of_the_other_side_shows_a_clash_as_its_certificate_does(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    let before = snapshot(&devices);
    let members = log_in(&mut devices);
    let third = &members[THIRD].session;
    let refresh = third.invite_refresh(key.id, Vec::new()).unwrap();
    let enrolment = third.invite_enrolment(key.id, id(5), members[FOURTH].card(), &ids(&[1, 3, 4]));
    go_on(&members, key.id, &[(3, THIRD), (2, COPY), (4, OTHER)], 1);
    let later = call_back(&members, key.id, &[(3, THIRD), (2, COPY), (4, OTHER)]);
    drop(members);
    for invitation in [refresh, enrolment.unwrap(), later] {
        let mut devices: Vec<_> = before.iter().map(|contents| kept(contents)).collect();
        sees_the_fork(&mut devices, &key, &invitation, key.epoch);
    }
}

fn who_hears_of_a_clash_from_the_renewal_that_ends_it_takes_part_when_it_has_seen_it(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    let members = log_in(&mut devices);
    let told = members[OTHER].session.certificate(key.id).unwrap();
    forks(&members[FIRST], key.id, &told, (key.epoch, key.epoch));
    let seats = [(1, FIRST), (3, THIRD), (4, FOURTH)];
    let invitation = go_without(&members, key.id, &seats, (2, Reason::Stolen));
    members[THIRD].store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
    let seen = members[THIRD].session.start(&invitation);
    assert!(matches!(seen, Err(Error::Fork { ours, theirs }) if ours == theirs), "{seen:?}");
    assert_eq!(members[THIRD].key(key.id).forks.len(), 1);
    renew(&members, &[FIRST, THIRD, FOURTH], &invitation);
    every_pair_signs(&members, key.id, &seats);
}

fn an_invitation_of_a_line_that_passes_over_a_revision_shows_a_fork(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = copied(suite, kept);
    let members = log_in(&mut devices);
    let passed = go_on(&members, key.id, &[(3, THIRD), (2, COPY)], 1);
    let invitation = call_back(&members, key.id, &[(3, THIRD), (2, COPY)]);
    drop(members);
    sees_the_fork(&mut devices, &key, &invitation, passed.epoch);
}

/// It only receives, and its token knows nothing of the key any more: its officer is asked like those of the others.
fn who_has_destroyed_the_key_ends_no_clash_without_its_officer(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    let members = log_in(&mut devices);
    let told = members[OTHER].session.certificate(key.id).unwrap();
    let remember = [(1, FIRST), (2, SECOND), (4, FOURTH)];
    for (_, place) in remember {
        forks(&members[place], key.id, &told, (key.epoch, key.epoch));
    }
    members[THIRD].session.destroy(key.id).unwrap();
    for asked in [false, true] {
        let all = seated(&members, &[(1, FIRST), (2, SECOND), (3, THIRD), (4, FOURTH)]);
        let dealers = Some(seated(&members, &remember));
        let with = Reshare { members: all, dealers, ..Reshare::of(&members[FIRST].key(key.id)) };
        let invitation = members[FIRST].session.invite_reshare(key.id, with).unwrap();
        let leave = |place: usize| {
            members[place].store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
        };
        for (_, place) in remember {
            leave(place);
        }
        if asked {
            leave(THIRD);
        }
        let places = [FIRST, SECOND, THIRD, FOURTH];
        let mut runs = places.map(|place| members[place].session.start(&invitation).unwrap());
        let results = exchange_over(&mut runs, &mut |_, _, message| vec![message]);
        match (asked, &results[2]) {
            (false, Err(Error::Denied(Denial::Forked))) | (true, Ok(Some(_))) => {}
            (_, result) => panic!("{result:?}"),
        }
    }
}

/// Two revisions that follow one of the losing side, each signed by its quorum: by copies of the same tokens.
fn every_roster_of_the_losing_side_is_undone_by_its_name(suite: Suite, kept: Keep) {
    let Clashed { key, mut devices } = clashed(suite, kept);
    let copies = [THIRD, COPY, OTHER].map(|place| Device::new(&devices[place].contents()));
    let first_new = devices.len() + copies.len();
    devices.extend(copies);
    devices.extend(super::device::devices(2));
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    for (new, helpers) in [[THIRD, COPY, OTHER], [COPY + 1, COPY + 2, COPY + 3]].into_iter().enumerate() {
        let card = members[first_new + new].card();
        let invitation = members[helpers[0]].session.invite_enrolment(key.id, id(5), card, &ids(&[2, 3, 4])).unwrap();
        let runs = helpers
            .into_iter()
            .chain([first_new + new])
            .map(|place| members[place].session.start(&invitation).unwrap());
        exchange(&mut runs.collect::<Vec<_>>());
        let told = members[helpers[0]].session.certificate(key.id).unwrap();
        forks(&members[FIRST], key.id, &told, (key.epoch, key.epoch));
    }
    assert_eq!(
        members[FIRST].key(key.id).forks.iter().map(|fork| fork.revision).collect::<Vec<_>>(),
        [Some(1), Some(2)]
    );
    let seats = [(1, FIRST), (2, SECOND), (4, FOURTH)];
    for told in [THIRD, COPY + 1] {
        let told = members[told].session.certificate(key.id).unwrap();
        for place in [SECOND, FOURTH] {
            forks(&members[place], key.id, &told, (key.epoch, key.epoch));
        }
    }
    let invitation = members[FIRST].session.invite_refresh(key.id, Vec::new()).unwrap();
    let undone: Vec<_> = invitation.undone().iter().map(|one| one.card().clone()).collect();
    for new in [OTHER, first_new, first_new + 1] {
        assert!(undone.contains(&members[new].card()), "{new}");
    }
    let invitation = go_without(&members, key.id, &seats, (3, Reason::Stolen));
    let now = renew(&members, &[FIRST, SECOND, FOURTH], &invitation);
    let report = now.old_epochs.iter().find(|old| old.epoch == key.epoch).unwrap();
    assert!(report.identifiers().filter(|holder| *holder == id(5)).count() >= 1, "{report}");
    let chain = members[FIRST].session.certificates(key.id).unwrap();
    for place in [THIRD, COPY + 1] {
        forks(&members[place], key.id, &chain[0], (key.epoch, key.epoch));
        let lost = members[place].session.complete(&chain[1]).unwrap();
        assert_eq!((lost.state, lost.forks.len()), (KeyState::Retired, 0));
    }
}

fn nonces_made_beforehand_die_when_a_run_shows_a_clash(suite: Suite, kept: Keep) {
    let mut devices = devices(5);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], suite, 2).id;
    let copy = Device::new(&devices[SECOND].contents());
    drop(members);
    devices.push(copy);
    let mut devices: Vec<_> = snapshot(&devices).iter().map(|contents| kept(contents)).collect();
    let members = log_in(&mut devices);
    // The first makes nonces with the third, and enters an enrolment with the second.
    let batch = members[FIRST].session.invite_preprocess(key, &[id(1), id(3)], 2).unwrap();
    let mut made = [FIRST, THIRD].map(|place| members[place].session.start_preprocess(&batch).unwrap());
    let said = made[0].poll_transmit().unwrap();
    made[0].resend();
    exchange(&mut made);
    let card = members[FOURTH].card();
    let invitation = members[FIRST].session.invite_enrolment(key, id(4), card, &ids(&[1, 2])).unwrap();
    let mut runs = [FIRST, SECOND, FOURTH].map(|place| members[place].session.start(&invitation).unwrap());
    let joins = [0, 1, 2].map(|place: usize| runs[place].poll_transmit().unwrap());
    for (to, run) in runs.iter_mut().enumerate() {
        (0..3).filter(|from| *from != to).for_each(|from| run.handle(&joins[from]).unwrap());
    }
    let [_, vote] = [0, 1].map(|place: usize| runs[place].poll_transmit().unwrap());
    // Before the second's vote is there, the first learns that another revision is in force.
    enrol(&members, key, [COPY, THIRD], &[2, 3], OTHER);
    members[FIRST].session.complete(&members[THIRD].session.certificate(key).unwrap()).unwrap();
    made[0].handle(&said).unwrap();
    let shown = runs[0].handle(&vote);
    assert!(matches!(shown, Err(Error::Fork { .. })), "{shown:?}");
    let gone = made[0].handle(&said);
    assert!(matches!(gone, Err(Error::Misuse(Misuse::NoSuchRun(_)))), "{gone:?}");
}
