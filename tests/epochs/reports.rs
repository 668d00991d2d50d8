//! Whether an old epoch is dead is reported truthfully.

use quorumkey::{Declaration, Denial, EpochId, EpochReport, Holder, Holding, Misuse, NewCard, RunId};

use super::device::{Kept, Setting};
use super::forks::override_all;
use super::*;

fn report(member: &Member, key: KeyId) -> EpochReport {
    member.key(key).old_epochs[0].clone()
}

fn holder(number: u16, holding: Holding) -> Holder {
    Holder { identifier: id(number), holding }
}

pub fn an_epoch_is_not_dead_before_enough_members_have_confirmed(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    refresh_over(&members, key, &mut lost("confirm", &[(1, 0), (2, 0)]));
    let unsure = report(&members[0], key);
    assert_eq!(unsure.holders, [holder(2, Holding::NotConfirmed), holder(3, Holding::NotConfirmed)]);
    assert!(!unsure.is_dead());
    assert!(report(&members[1], key).holders.is_empty());
    // Who has erased says it again with the next refresh.
    refresh(&members, key);
    assert!(members.iter().all(|member| report(member, key).holders.is_empty()));
}

pub fn what_people_declare_counts_and_a_confirmation_by_mouth_of_another_does_not(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    refresh_over(&members, key, &mut lost("confirm", &[(1, 0), (2, 0)]));
    let epoch = report(&members[0], key).epoch;
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    officer.declare(key, &Declaration::DeviceDestroyed { epoch, identifier: id(2) }).unwrap();
    assert_eq!(report(&members[0], key).holders, [holder(3, Holding::NotConfirmed)]);
    assert!(report(&members[0], key).is_dead(), "one share of two");
    officer.declare(key, &Declaration::Stolen { epoch, identifier: id(2) }).unwrap();
    assert!(!report(&members[0], key).is_dead());
    officer.declare(key, &Declaration::DeviceDestroyed { epoch, identifier: id(3) }).unwrap();
    assert!(report(&members[0], key).is_dead());
}

pub fn a_stolen_device_and_a_backup_of_another_member_keep_an_epoch_alive(setting: &Setting) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    members[1].session.export(key, &sheet().1).unwrap();
    members[2] = setting.member("member 3 anew");
    let card = NewCard { identifier: id(3), card: members[2].card(), reason: Reason::Stolen };
    deal(&members, &members[0].session.invite_refresh(key, vec![card]).unwrap());
    for member in &members[..2] {
        let alive = report(member, key);
        assert_eq!(alive.holders, [holder(2, Holding::Backup), holder(3, Holding::Stolen), holder(3, Holding::Backup)]);
        assert!(!alive.is_dead());
    }
    let epoch = report(&members[0], key).epoch;
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    officer.declare(key, &Declaration::BackupsDestroyed { epoch, identifier: id(2) }).unwrap();
    let dead = report(&members[0], key);
    // Whether the replaced member had made backups, nobody can tell.
    let replaced = [holder(3, Holding::Stolen), holder(3, Holding::Backup)];
    assert_eq!(dead.holders, replaced);
    assert!(dead.is_dead());
    // The newcomer's device erased nothing of it, and so confirms nothing.
    refresh(&members, key);
    assert_eq!(report(&members[0], key).holders, replaced);
}

/// An attempt that only others signed dealt shares all the same: everybody accounts for it.
pub fn an_attempt_that_this_token_has_not_signed_is_in_its_report(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2);
    // Member 1 never hears the deals of the first attempt, the others sign it.
    refresh_over(&members, key.id, &mut lost("deal", &[(1, 0), (2, 0)]));
    let attempt = members[1].key(key.id).pending;
    assert_eq!((attempt.len(), members[0].key(key.id).pending.len()), (1, 0));
    refresh(&members, key.id);
    for member in &members {
        let reports = member.key(key.id).old_epochs;
        let report = reports.iter().find(|report| report.epoch == attempt[0]).expect("the attempt is not reported");
        assert!(report.holders.is_empty(), "{report:?}");
    }
    let before = members[0].key(key.id).epoch;
    refresh(&members, key.id);
    for member in &members {
        let reported: Vec<_> = member.key(key.id).old_epochs.iter().map(|report| report.epoch).collect();
        assert_eq!(reported.len(), 3, "each once");
        assert!([key.epoch, attempt[0], before].iter().all(|epoch| reported.contains(epoch)));
    }
}

/// This token has dealt in it and no more. Who signed it has its transcript.
pub fn who_was_dealt_a_share_is_told_by_those_that_signed_the_attempt(setting: &Setting) {
    let forgers = [1, 2, 3].map(|seed| hazmat::Forger::new([seed; 32]));
    let member = |forger: &hazmat::Forger| forger.store(setting.storage(), &init("a member"), 0).unwrap();
    let members: Vec<_> = forgers.iter().map(member).map(Member::new).collect();
    let key = dkg(&members, setting.suite, 2).id;
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    exchange_over(&mut enter(&members, &invitation), &mut lost("deal", &[(1, 0), (2, 0)]));
    refresh_over(&members, key, &mut lost("certify", &[(1, 0), (2, 0)]));
    let certificate = members[1].session.certificate(key).unwrap();
    let told = (1, true, Some(invitation.run_id()));
    let telling = hazmat::Forger::telling(&forgers, &certificate, told).unwrap();
    let reports = members[0].session.complete(&telling).unwrap().old_epochs;
    let report = reports.iter().find(|report| *report.epoch.as_bytes() == [u8::MAX; 32]).unwrap();
    assert_eq!(report.identifiers().count(), 999, "of a thousand this token has nothing");
}

/// The third makes dealings up, until the first has no room for more of what it is told. Then it deals itself, in vain.
pub fn what_this_token_dealt_in_stays_on_record_whatever_liars_tell_of(setting: &Setting) {
    let mut devices = setting.devices(3);
    let key = dkg(&log_in(&mut devices), setting.suite, 2).id;
    let cards = |n| {
        let card =
            |number: u16| hazmat::Forger::new([number.to_be_bytes(); 16].concat().try_into().unwrap()).card("", 0);
        Roster::numbered((1..=n).map(card)).unwrap()
    };
    let all = cards(1000);
    for (first, runs, receivers) in [(0, 4, &all), (4, 4, &all), (8, 4, &all), (12, 4, &all), (16, 1, &cards(384))] {
        let runs: Vec<_> = (first..first + runs).map(|number| RunId::from_bytes([number; 32])).collect();
        hazmat::pretend_to_have_dealt(devices[2].storage(), &user_pin(), key, &runs, receivers).unwrap();
        refresh(&log_in(&mut devices), key);
    }
    let members = log_in(&mut devices);
    let made_up = |old: &&EpochReport| old.holders.len() >= 384;
    assert_eq!(members[0].key(key).old_epochs.iter().filter(made_up).count(), 17);
    refresh_over(&members, key, &mut |_, _, message| {
        if hazmat::subject(&message) == "deal" { Vec::new() } else { vec![message] }
    });
    let before = members[0].key(key).old_epochs.len();
    refresh(&members, key);
    assert_eq!(members[0].key(key).old_epochs.len(), before + 2, "an epoch and an attempt");
}

pub fn what_is_declared_of_nobody_is_refused(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    refresh(&members, key);
    let epoch = report(&members[0], key).epoch;
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    for declaration in [
        Declaration::Stolen { epoch, identifier: id(4) },
        Declaration::BackupsDestroyed { epoch, identifier: id(4) },
        Declaration::DeviceDestroyed { epoch, identifier: id(4) },
    ] {
        assert!(matches!(officer.declare(key, &declaration), Err(Error::Misuse(Misuse::NoSuchShare))));
    }
}

pub fn the_lost_device_of_a_restored_member_keeps_its_share_until_people_say_that_it_is_destroyed(setting: &Setting) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    let (identity, to) = sheet();
    let backup = members[2].session.export(key, &to).unwrap();
    let who = members[2].session.export_identity(&to).unwrap();
    // It may turn up at whoever found it.
    let lost = std::mem::replace(&mut members[2], setting.restore(&who, &identity));
    members[2].session.restore(&backup, &identity).unwrap();
    let card = NewCard { identifier: id(3), card: members[2].card(), reason: Reason::Lost };
    deal(&members, &members[0].session.invite_refresh(key, vec![card]).unwrap());

    // The restored token has erased what it had, and can't speak for the other device.
    assert_eq!(lost.key(key).state, KeyState::Active);
    for member in &members {
        assert_eq!(report(member, key).holders, [holder(3, Holding::Lost), holder(3, Holding::Backup)]);
    }
    let epoch = report(&members[0], key).epoch;
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    officer.declare(key, &Declaration::DeviceDestroyed { epoch, identifier: id(3) }).unwrap();
    assert_eq!(report(&members[0], key).holders, [holder(3, Holding::Backup)]);
}

pub fn a_declaration_about_no_share_of_an_old_epoch_is_refused_and_not_recorded(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2);
    refresh(&members, key.id);
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    let records = members[0].session.audit(None, usize::MAX).unwrap();
    let newest = members[0].key(key.id).epoch;
    for (epoch, number) in [(newest, 1), (key.epoch, 4)] {
        let refused = officer.declare(key.id, &Declaration::BackupsDestroyed { epoch, identifier: id(number) });
        assert!(matches!(refused, Err(Error::Misuse(Misuse::NoSuchShare))), "{refused:?}");
    }
    assert_eq!(members[0].session.audit(None, usize::MAX).unwrap(), records);
}

/// Whoever gets the number of a member that has left may lie about the device that it never had.
pub fn another_device_under_a_number_cannot_confirm_for_the_one_before(setting: &Setting) {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2);
    let stay = seated(&members, &[(1, 0), (2, 1)]);
    let two = Reshare { dealers: Some(stay.clone()), ..change(&key, stay, 2, Reason::Routine) };
    let two = deal(&members[..2], &members[0].session.invite_reshare(key.id, two).unwrap());
    let forger = hazmat::Forger::new([9; 32]);
    members[2] = Member::new(forger.store(setting.storage(), &init("another 3"), 0).unwrap());
    let three = Reshare { members: two.roster.with(id(3), members[2].card()).unwrap(), ..Reshare::of(&two) };
    let invitation = members[0].session.invite_reshare(key.id, three).unwrap();
    let claim = [&1_u32.to_be_bytes(), key.epoch.as_bytes().as_slice(), &0_u32.to_be_bytes()].concat();
    let results = exchange_over(&mut enter(&members, &invitation), &mut |from, _, message| {
        let claims = from == 2 && hazmat::subject(&message) == "confirm";
        vec![if claims { forger.alter(&message, |forgery| forgery.body.clone_from(&claim)) } else { message }]
    });
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))));
    let left = report(&members[0], key.id);
    assert_eq!(left.holders, [holder(3, Holding::NotConfirmed), holder(3, Holding::Backup)]);
}

/// The first dealt in an attempt that has no name for it when it hears of the epoch before, as it reports it then.
fn dealt_in_before(setting: &Setting) -> (Vec<Member>, KeyId, EpochId, EpochReport) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2);
    // One that others have signed, and that the epoch names.
    refresh_over(&members, key.id, &mut lost("deal", &[(0, 2)]));
    let signed = members[0].key(key.id).pending;
    refresh_over(&members, key.id, &mut lost("certify", &[(1, 0), (2, 0), (0, 2), (1, 2)]));
    let certificate = members[1].session.certificate(key.id).unwrap();
    let receivers = seated(&members, &[(1, 0), (3, 2)]);
    let without = change(&key, receivers, 2, Reason::Lost);
    let invitation = members[0].session.invite_reshare(key.id, without).unwrap();
    let mut runs = [0, 2].map(|at: usize| members[at].session.start(&invitation).unwrap());
    exchange_over(&mut runs, &mut lost("certify", &[(0, 1), (1, 0)]));
    let attempt = *members[0].key(key.id).pending.last().unwrap();
    for at in [0, 2] {
        members[at].session.complete(&certificate).unwrap();
    }
    let of_epoch = |old: &EpochReport| old.epoch == key.epoch || signed.contains(&old.epoch);
    let known = members[0].key(key.id).old_epochs.into_iter().find(|old| !of_epoch(old)).unwrap();
    (members, key.id, attempt, known)
}

/// The only report of the attempt, under its name.
fn report_of(member: &Member, key: KeyId, attempt: EpochId, before: EpochId) -> EpochReport {
    let old = member.key(key).old_epochs;
    let reports: Vec<_> = old.into_iter().filter(|old| [attempt, before].contains(&old.epoch)).collect();
    let [report] = <[EpochReport; 1]>::try_from(reports).unwrap();
    assert_eq!(report.epoch, attempt);
    report
}

pub fn what_was_declared_of_an_attempt_stays_when_it_gets_its_name(setting: &Setting) {
    let (members, key, attempt, known) = dealt_in_before(setting);
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    officer.declare(key, &Declaration::Stolen { epoch: known.epoch, identifier: id(3) }).unwrap();
    refresh(&members, key);
    assert_eq!(report_of(&members[0], key, attempt, known.epoch).holders, [holder(3, Holding::Stolen)]);
}

pub fn a_device_that_is_stolen_later_is_so_for_an_attempt_that_was_known_before(setting: &Setting) {
    let (mut members, key, attempt, known) = dealt_in_before(setting);
    assert!(known.holders.contains(&holder(3, Holding::NotConfirmed)), "{known}");
    members[2] = setting.member("member 3 anew");
    let card = NewCard { identifier: id(3), card: members[2].card(), reason: Reason::Stolen };
    let invitation = members[0].session.invite_refresh(key, vec![card]).unwrap();
    override_all(&members, &invitation);
    deal(&members, &invitation);
    let stolen = [holder(3, Holding::Stolen), holder(3, Holding::Backup)];
    assert_eq!(report_of(&members[0], key, attempt, known.epoch).holders, stolen);
}

/// The members of these numbers, each in its place, go on without the others.
fn go_on(members: &[Member], key: KeyId, numbers: &[u16], wire: Wire<'_>) -> Vec<Result<Option<KeyInfo>, Error>> {
    let place = |number: u16| usize::from(number) - 1;
    let seats: Vec<_> = numbers.iter().map(|number| (*number, place(*number))).collect();
    let from = &members[place(numbers[0])];
    let reshare = change(&from.key(key), seated(members, &seats), 2, Reason::Lost);
    let invitation = from.session.invite_reshare(key, reshare).unwrap();
    let start = |number: &u16| members[place(*number)].session.start(&invitation).unwrap();
    exchange_over(&mut numbers.iter().map(start).collect::<Vec<_>>(), wire)
}

pub fn who_left_without_saying_what_it_holds_may_have_a_backup(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    refresh_over(&members, key, &mut lost("confirm", &[(2, 0), (2, 1)]));
    for member in &members[..2] {
        assert_eq!(report(member, key).holders, [holder(3, Holding::NotConfirmed)]);
    }
    go_on(&members, key, &[1, 2], &mut |_, _, message| vec![message]);
    for member in &members[..2] {
        assert_eq!(report(member, key).holders, [holder(3, Holding::NotConfirmed), holder(3, Holding::Backup)]);
    }
}

/// The first has signed an attempt of which the third, who tells nobody that it has, says that others were its receivers.
pub fn what_a_liar_made_up_of_an_attempt_gives_way_to_what_its_signers_say(setting: &Setting) {
    let mut devices = setting.devices(3);
    let members = log_in(&mut devices);
    let key = dkg(&members, setting.suite, 2).id;
    let mut run = None;
    go_on(&members, key, &[1, 3], &mut |_, _, message| {
        run = Some(message.run_id());
        if hazmat::subject(&message) == "certify" { Vec::new() } else { vec![message] }
    });
    let attempt = members[0].key(key).pending[0];
    let others = [8, 9].map(|number| (id(number), setting.member("nobody").card()));
    let others = Roster::new(others.into()).unwrap();
    let lies = |members: Vec<Member>, devices: &mut [Kept]| {
        drop(members);
        hazmat::pretend_to_have_dealt(devices[2].storage(), &user_pin(), key, &[run.unwrap()], &others).unwrap();
        log_in(devices)
    };
    let members = lies(members, &mut devices);
    let passed = go_on(&members, key, &[3, 2], &mut |_, _, message| vec![message]);
    assert!(passed.iter().all(|result| matches!(result, Ok(Some(_)))), "{passed:?}");
    assert_eq!(members[1].key(key).old_epochs[1].holders.len(), 2 * 2);
    members[0].session.complete(&members[1].session.certificate(key).unwrap()).unwrap();
    let members = lies(members, &mut devices);
    let now = go_on(&members, key, &[2, 1, 3], &mut lost("confirm", &[(0, 1), (1, 0), (2, 0)]));
    assert!(matches!(now[0], Ok(Some(_))), "{now:?}");
    let reports = members[1].key(key).old_epochs;
    let told: Vec<_> = reports.iter().filter(|old| old.epoch == attempt).collect();
    let [told] = told.as_slice() else { panic!("{reports:?}") };
    for number in [1, 3] {
        assert!(told.holders.contains(&holder(number, Holding::NotConfirmed)), "{told}");
    }
}

/// Five devices, of which the first three share a key. The first and the third dealt once more, to the fourth and fifth as well,
/// and these have all that they were dealt; of the third one's deal the first has heard nothing. And which run that was.
fn dealt_to_others(setting: &Setting) -> (Vec<Kept>, KeyId, RunId) {
    let mut devices = setting.devices(5);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], setting.suite, 2).id;
    let mut run = None;
    go_on(&members, key, &[1, 3, 4, 5], &mut |_, to, message| {
        run = Some(message.run_id());
        if to == 0 && hazmat::subject(&message) == "deal" { Vec::new() } else { vec![message] }
    });
    assert_eq!(members[0].key(key).pending, []);
    drop(members);
    (devices, key, run.unwrap())
}

/// Whether the member reports an attempt that the fourth and fifth may go on from.
fn reports_the_others(member: &Member, key: KeyId) -> bool {
    let others = |old: &EpochReport| [4, 5].iter().all(|n| old.holders.contains(&holder(*n, Holding::NotConfirmed)));
    member.key(key).old_epochs.iter().any(|old| others(old) && !old.is_dead())
}

/// The third says that it dealt to the second and itself, while the first, who dealt with it, is not there to say to whom.
pub fn what_a_liar_made_up_of_a_dealing_gives_way_to_what_its_dealer_says(setting: &Setting) {
    let (mut devices, key, run) = dealt_to_others(setting);
    let members = log_in(&mut devices);
    let others = seated(&members, &[(2, 1), (3, 2)]);
    drop(members);
    hazmat::pretend_to_have_dealt(devices[2].storage(), &user_pin(), key, &[run], &others).unwrap();
    let members = log_in(&mut devices);
    let passed = go_on(&members, key, &[3, 2], &mut |_, _, message| vec![message]);
    assert!(passed.iter().all(|result| matches!(result, Ok(Some(_)))), "{passed:?}");
    assert!(!reports_the_others(&members[1], key));
    members[0].session.complete(&members[1].session.certificate(key).unwrap()).unwrap();
    assert!(reports_the_others(&members[0], key));
    let now = go_on(&members, key, &[2, 1, 3], &mut |_, _, message| vec![message]);
    assert!(matches!(now[0], Ok(Some(_))), "{now:?}");
    assert!(reports_the_others(&members[1], key));
}

/// The first tells of it in a refresh that the others sign and never see certified; then it is not there any more.
pub fn what_an_attempt_that_was_given_up_names_is_reported(setting: &Setting) {
    let (mut devices, key, _) = dealt_to_others(setting);
    let silent = |devices: &mut [Kept]| {
        let nobody = Roster::numbered([setting.member("nobody").card()]).unwrap();
        hazmat::pretend_to_have_dealt(devices[2].storage(), &user_pin(), key, &[], &nobody).unwrap();
        log_in(devices)
    };
    let members = silent(&mut devices);
    let refreshed = go_on(&members, key, &[1, 2, 3], &mut lost("certify", &[(0, 1), (0, 2)]));
    assert!(matches!(refreshed[0], Ok(Some(_))) && matches!(refreshed[1], Ok(None)), "{refreshed:?}");
    drop(members);
    let members = silent(&mut devices);
    let passed = go_on(&members, key, &[3, 2], &mut |_, _, message| vec![message]);
    assert!(passed.iter().all(|result| matches!(result, Ok(Some(_)))), "{passed:?}");
    assert!(reports_the_others(&members[1], key));
}

/// The same of one that was certified, of which a newcomer hears nothing but its name before it has gone.
pub fn what_a_certificate_names_that_comes_late_is_reported(setting: &Setting) {
    let (mut devices, key, _) = dealt_to_others(setting);
    let nobody = Roster::numbered([setting.member("nobody").card()]).unwrap();
    hazmat::pretend_to_have_dealt(devices[2].storage(), &user_pin(), key, &[], &nobody).unwrap();
    let mut members = log_in(&mut devices);
    go_on(&members, key, &[1, 2, 3], &mut lost("certify", &[(0, 1), (0, 2)]));
    let late = members[0].session.certificate(key).unwrap();
    assert_eq!(members[1].key(key).pending, [late.epoch_id()]);
    members.push(setting.member("a newcomer"));
    let passed = go_on(&members, key, &[3, 2, 6], &mut |_, _, message| vec![message]);
    assert!(passed.iter().all(|result| matches!(result, Ok(Some(_)))), "{passed:?}");
    assert!(!reports_the_others(&members[5], key));
    members[5].session.complete(&late).unwrap();
    assert!(reports_the_others(&members[5], key));
}

/// The third signed an attempt with the others, which went on twice without it: what they came to names the epoch between alone,
/// and that names the attempt. The third has a share of it, and so it says when it hears of that epoch.
pub fn who_holds_a_share_of_what_a_late_certificate_names_does_not_say_that_it_has_none(setting: &Setting) {
    let mut devices = setting.devices(5);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], setting.suite, 2).id;
    let nobody = &[(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
    refresh_over(&members[..3], key, &mut lost("certify", nobody));
    let attempt = members[2].key(key).pending[0];
    let go_on = |members: &[Member], newcomer: usize, wire: Wire<'_>| {
        let seats = [(1, 0), (2, 1), (u16::try_from(newcomer).unwrap() + 1, newcomer)];
        let dealers = Some(seated(members, &seats[..2]));
        let change = change(&members[0].key(key), seated(members, &seats), 2, Reason::Routine);
        let invitation = members[0].session.invite_reshare(key, Reshare { dealers, ..change }).unwrap();
        let start = |at: usize| members[at].session.start(&invitation).unwrap();
        let results = exchange_over(&mut [0, 1, newcomer].map(start), wire);
        assert!(matches!(results[2], Ok(Some(_))), "{results:?}");
        members[newcomer].session.certificate(key).unwrap()
    };
    let late = go_on(&members, 3, &mut lost("certify", &[(0, 1), (1, 0), (2, 0), (2, 1)]));
    drop(members);
    for device in &devices[..2] {
        hazmat::pretend_to_have_signed(device.storage(), &user_pin(), key, &late).unwrap();
    }
    let members = log_in(&mut devices);
    let newest = go_on(&members, 4, &mut |_, _, message| vec![message]);
    let now = members[2].session.complete(&newest).unwrap();
    assert_eq!((now.state, now.pending.as_slice()), (KeyState::Retired, [attempt].as_slice()));
    members[2].session.complete(&late).unwrap();
    let reports = members[2].key(key).old_epochs;
    let report = reports.iter().find(|old| old.epoch == attempt).unwrap();
    assert!(report.holders.contains(&holder(3, Holding::NotConfirmed)), "{report}");
}

/// The third alone hears that a refresh is certified. The first two have gone on from the epoch before by then, in an attempt
/// that names it, and would not know in what it ends who had a share of it.
pub fn who_signed_what_supersedes_an_epoch_enrols_nobody_in_it(setting: &Setting) {
    let members = setting.group(4);
    let key = dkg(&members[..3], setting.suite, 2).id;
    refresh_over(&members[..3], key, &mut lost("certify", &[(2, 0), (1, 0), (0, 1), (2, 1)]));
    go_on(&members, key, &[1, 2], &mut lost("certify", &[(0, 1), (1, 0)]));
    let certificate = members[2].session.certificate(key).unwrap();
    for member in &members[..2] {
        let now = member.session.complete(&certificate).unwrap();
        assert_eq!((now.epoch, now.pending.len()), (certificate.epoch_id(), 1));
    }
    let invitation = members[0].session.invite_enrolment(key, id(4), members[3].card(), &[id(1), id(2)]).unwrap();
    for member in &members[..2] {
        let result = member.session.start(&invitation);
        assert!(matches!(result, Err(Error::Denied(Denial::AttemptSigned))), "{result:?}");
    }
}

/// Whoever destroyed a key remembers of which epochs it once made backups.
pub fn a_backup_that_was_made_before_a_key_was_destroyed_is_reported(setting: &Setting) {
    for comes_back in [true, false] {
        let mut devices = setting.devices(3);
        let members = log_in(&mut devices);
        let key = dkg(&members, setting.suite, 2);
        let first = members[0].session.export(key.id, &sheet().1).unwrap();
        refresh_over(&members, key.id, &mut lost("certify", &[(0, 1), (2, 1), (0, 2), (1, 2)]));
        let attempt = members[0].key(key.id).epoch;
        members[0].session.export(key.id, &sheet().1).unwrap();
        members[0].session.destroy(key.id).unwrap();
        if comes_back {
            members[0].session.restore(&first, &sheet().0).unwrap();
        }
        let dealers = Some(seated(&members, &[(2, 1), (3, 2)]));
        let reshare = Reshare { dealers, ..Reshare::of(&members[1].key(key.id)) };
        deal(&members, &members[1].session.invite_reshare(key.id, reshare).unwrap());
        let reports = members[2].key(key.id).old_epochs;
        let report = reports.iter().find(|old| old.epoch == attempt).unwrap();
        assert!(report.holders.contains(&holder(1, Holding::Backup)), "{report}");
    }
}

/// A member signed every epoch that led here, and can tell of one as if nobody had certified it. Those who have left since are
/// enough to sign by it.
pub fn who_tells_of_an_ancestor_as_of_an_attempt_keeps_nobody_out(setting: &Setting) {
    let mut devices = setting.devices(5);
    let members = log_in(&mut devices);
    let key = dkg(&members, setting.suite, 2).id;
    refresh(&members, key);
    let ancestor = members[2].session.certificate(key).unwrap();
    for numbers in [&[1, 2, 3, 4][..], &[1, 2, 3]] {
        let passed = go_on(&members, key, numbers, &mut |_, _, message| vec![message]);
        assert!(passed.iter().all(|result| matches!(result, Ok(Some(_)))), "{passed:?}");
    }
    drop(members);
    hazmat::pretend_to_have_signed(devices[2].storage(), &user_pin(), key, &ancestor).unwrap();
    let members = log_in(&mut devices);
    let now = go_on(&members, key, &[1, 3], &mut |_, _, message| vec![message]);
    assert!(matches!(&now[0], Ok(Some(info)) if info.height == 4), "{now:?}");
}
