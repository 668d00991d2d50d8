//! Rule 5: power over the key passes when shares are dealt. Who goes on without an attempt's receivers must be able to end it.

use quorumkey::{CertificateError, Denial, EpochReport, Holding, Misuse};

use super::device::Setting;
use super::*;

/// Members 1 to 3 with a 2-of-3 key, and three more tokens, for numbers 4 to 6.
pub(super) fn six(setting: &Setting) -> (Vec<Member>, KeyInfo) {
    let members = setting.group(6);
    let key = dkg(&members[..3], setting.suite, 2);
    (members, key)
}

/// The members at these places enter, and the wire is theirs: it sees places in this list.
fn run_of(
    members: &[Member],
    places: &[usize],
    invitation: &Invitation,
    wire: Wire<'_>,
) -> Vec<Result<Option<KeyInfo>, Error>> {
    let mut runs: Vec<_> = places.iter().map(|at| members[*at].session.start(invitation).unwrap()).collect();
    exchange_over(&mut runs, wire)
}

fn all(message: quorumkey::Message) -> Vec<quorumkey::Message> {
    vec![message]
}

/// Members 1 and 2 deal to 1, 4 and 5. All five sign, and member 5 alone gets all signatures, or nobody.
pub(super) fn attempt_to_four_and_five(members: &[Member], key: &KeyInfo, fifth_gets_it: bool) -> quorumkey::EpochId {
    let receivers = seated(members, &[(1, 0), (4, 3), (5, 4)]);
    let mut first = change(key, receivers, 2, Reason::Routine);
    first.leaving[1].reason = Reason::Lost;
    let invitation = members[0].session.invite_reshare(key.id, first).unwrap();
    assert_eq!(invitation.dealers().unwrap().len(), 2);
    let results = run_of(members, &[0, 1, 3, 4], &invitation, &mut |_, to, message| {
        let lost = hazmat::subject(&message) == "certify" && !(fifth_gets_it && to == 3);
        if lost { Vec::new() } else { all(message) }
    });
    assert_eq!(matches!(results[3], Ok(Some(_))), fifth_gets_it);
    assert!(results[..3].iter().all(|result| matches!(result, Ok(None))));
    members[0].key(key.id).pending[0]
}

/// A retry to members 1, 2 and the sixth.
pub(super) fn retry_to_the_sixth(members: &[Member], key: &KeyInfo) -> Invitation {
    let receivers = seated(members, &[(1, 0), (2, 1), (6, 5)]);
    members[0].session.invite_reshare(key.id, change(key, receivers, 2, Reason::Lost)).unwrap()
}

fn report(member: &Member, key: KeyId, epoch: quorumkey::EpochId) -> EpochReport {
    member.key(key).old_epochs.into_iter().find(|report| report.epoch == epoch).expect("it is not reported")
}

fn holders(report: &EpochReport) -> Vec<(u16, Holding)> {
    report.holders.iter().map(|holder| (holder.identifier.get(), holder.holding)).collect()
}

/// The certificate of the attempt is with member 5, who may have gone on from it with member 4. Whoever goes on without them
/// would fork the key.
pub fn a_retry_with_other_receivers_is_denied_without_those_of_the_attempt_before(setting: &Setting) {
    let (members, key) = six(setting);
    let attempt = attempt_to_four_and_five(&members, &key, true);
    let invitation = retry_to_the_sixth(&members, &key);
    for result in run_of(&members, &[0, 1, 5], &invitation, &mut |_, _, message| all(message)) {
        let denied =
            matches!(result, Err(Error::Denied(Denial::AttemptNotEnded { attempt: which })) if which == attempt);
        assert!(denied, "{result:?}");
    }
    // Nothing was dealt by that; and the certificate leads everybody on.
    let certificate = members[4].session.certificate(key.id).unwrap();
    for (at, state) in [(0, KeyState::Active), (1, KeyState::Retired), (2, KeyState::Retired), (3, KeyState::Active)] {
        assert_eq!(members[at].session.complete(&certificate).unwrap().state, state);
    }
    let group = [0, 3, 4].map(|at: usize| &members[at]);
    sign_by(&[1, 4, 5].into_iter().zip(group).collect(), key.id, &[1, 4], b"onwards");
}

pub fn enough_receivers_of_an_attempt_end_it_and_its_certificate_surfaces_too_late(setting: &Setting) {
    let (members, key) = six(setting);
    let attempt = attempt_to_four_and_five(&members, &key, true);
    // Two of the three that it was dealt to sign what ends it: no two are left to go on from it.
    let receivers = seated(&members, &[(1, 0), (2, 1), (4, 3)]);
    let invitation = members[0].session.invite_reshare(key.id, change(&key, receivers, 2, Reason::Lost)).unwrap();
    let results = run_of(&members, &[0, 1, 3], &invitation, &mut |_, _, message| all(message));
    let now = results[0].as_ref().unwrap().as_ref().unwrap().clone();
    let (late, newest) =
        (members[4].session.certificate(key.id).unwrap(), members[0].session.certificate(key.id).unwrap());
    for at in [0, 1, 3] {
        assert_eq!(members[at].session.complete(&late).unwrap().epoch, now.epoch);
    }
    let gone = members[4].session.complete(&newest).unwrap();
    assert_eq!((gone.state, gone.epoch), (KeyState::Retired, now.epoch));
    // Who took part has erased what the attempt dealt; of member 5's device nobody has heard here.
    let left = report(&members[0], key.id, attempt);
    assert_eq!((left.threshold, holders(&left)), (2, vec![(5, Holding::NotConfirmed), (5, Holding::Backup)]));
    assert!(left.is_dead());
    // A late reader finds in the certificates that the rule was kept.
    let late = change(&now, now.roster.with(id(6), members[5].card()).unwrap(), 2, Reason::Routine);
    let invitation = members[3].session.invite_reshare(key.id, late).unwrap();
    assert_eq!(invitation.lineage().unwrap().unwrap().epoch, now.epoch);
    let results = run_of(&members, &[0, 1, 3, 5], &invitation, &mut |_, _, message| all(message));
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))));
}

/// With it went what it remembered: that it never signs the attempt, it can't promise.
pub fn who_destroyed_its_key_does_not_help_to_end_what_it_may_have_signed(setting: &Setting) {
    let (members, key) = six(setting);
    let attempt = attempt_to_four_and_five(&members, &key, true);
    members[3].session.destroy(key.id).unwrap();
    let receivers = seated(&members, &[(1, 0), (2, 1), (4, 3)]);
    let invitation = members[0].session.invite_reshare(key.id, change(&key, receivers, 2, Reason::Lost)).unwrap();
    for result in run_of(&members, &[0, 1, 3], &invitation, &mut |_, _, message| all(message)) {
        let denied =
            matches!(result, Err(Error::Denied(Denial::AttemptNotEnded { attempt: which })) if which == attempt);
        assert!(denied, "{result:?}");
    }
}

/// The fourth signed to become a member, and the others have the certificate and go on.
pub fn who_signed_an_epoch_completes_it_before_it_takes_part_in_the_next(setting: &Setting) {
    let (members, key) = six(setting);
    let attempt = attempt_to_four_and_five(&members, &key, true);
    let certificate = members[4].session.certificate(key.id).unwrap();
    members[0].session.complete(&certificate).unwrap();
    let of = || Reshare::of(&members[0].key(key.id));
    let dealers = seated(&members, &[(1, 0), (5, 4)]);
    let dealt = members[0].session.invite_reshare(key.id, Reshare { dealers: Some(dealers), ..of() }).unwrap();
    let refresh = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    for invitation in [&dealt, &refresh] {
        let refused = members[3].session.start(invitation);
        let Err(Error::Stale { certificates, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(certificates, core::slice::from_ref(&certificate));
    }
    let now = members[3].session.complete(&certificate).unwrap();
    assert_eq!((now.state, now.epoch), (KeyState::Active, attempt));
    let results = run_of(&members, &[0, 3, 4], &refresh, &mut |_, _, message| all(message));
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))), "{results:?}");
    assert!(members[3].key(key.id).pending.is_empty());
}

pub fn officers_of_a_quorum_override_it_and_one_of_them_does_not(setting: &Setting) {
    let (members, key) = six(setting);
    let attempt = attempt_to_four_and_five(&members, &key, false);
    let officer = |at: usize| members[at].store.login_so(&officer_pin()).unwrap();
    let invitation = retry_to_the_sixth(&members, &key);
    officer(0).override_fork_rules(&invitation).unwrap();
    for result in run_of(&members, &[0, 1, 5], &invitation, &mut |_, _, message| all(message)) {
        assert!(matches!(result, Err(Error::Denied(Denial::AttemptNotEnded { .. }))), "{result:?}");
    }
    // Nor does what a quorum of them lifts in another run.
    let [invitation, other] = [(); 2].map(|()| retry_to_the_sixth(&members, &key));
    for at in [0, 1] {
        officer(at).override_fork_rules(&other).unwrap();
    }
    for result in run_of(&members, &[0, 1, 5], &invitation, &mut |_, _, message| all(message)) {
        assert!(matches!(result, Err(Error::Denied(Denial::AttemptNotEnded { .. }))), "{result:?}");
    }
    let invitation = retry_to_the_sixth(&members, &key);
    for at in [0, 1] {
        officer(at).override_fork_rules(&invitation).unwrap();
    }
    let results = run_of(&members, &[0, 1, 5], &invitation, &mut |_, _, message| all(message));
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))));
    // What members 4 and 5 hold of the attempt is in everybody's report, also in that of who has just come.
    for at in [0, 1, 5] {
        let left = report(&members[at], key.id, attempt);
        let missing: Vec<_> = left.identifiers().map(quorumkey::Identifier::get).collect();
        assert_eq!(missing, [4, 5]);
        assert!(!left.is_dead());
    }
    // Their attempt is superseded: they erase it with the certificate.
    let certificate = members[0].session.certificate(key.id).unwrap();
    for at in [3, 4] {
        let retired = members[at].session.complete(&certificate).unwrap();
        assert_eq!((retired.state, retired.pending.len()), (KeyState::Retired, 0));
    }
}

/// Whoever has a member's number now has no word in what the old members lift.
pub fn the_officer_of_who_took_a_members_number_is_none_of_the_quorum(setting: &Setting) {
    let (members, key) = six(setting);
    attempt_to_four_and_five(&members, &key, false);
    let receivers = seated(&members, &[(1, 0), (2, 1), (3, 5)]);
    let invitation = members[0].session.invite_reshare(key.id, change(&key, receivers, 2, Reason::Lost)).unwrap();
    for at in [0, 5] {
        members[at].store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
    }
    for result in run_of(&members, &[0, 1, 5], &invitation, &mut |_, _, message| all(message)) {
        assert!(matches!(result, Err(Error::Denied(Denial::AttemptNotEnded { .. }))), "{result:?}");
    }
}

/// Two of its dealers have not signed it, and promise by entering a higher attempt that they never will: one is honest.
pub fn enough_that_refused_to_sign_end_an_attempt(setting: &Setting) {
    let (members, key) = six(setting);
    let receivers = seated(&members, &[(4, 3), (5, 4), (6, 5)]);
    let change = change(&key, receivers, 2, Reason::Routine);
    let invitation = members[0].session.invite_reshare(key.id, change).unwrap();
    // Members 2 and 3 miss a deal.
    let results = run_of(&members, &[0, 1, 2, 3, 4, 5], &invitation, &mut |from, to, message| {
        let lost = hazmat::subject(&message) == "deal" && from == 0 && (to == 1 || to == 2);
        if lost { Vec::new() } else { all(message) }
    });
    assert!(results.iter().all(|result| matches!(result, Ok(None))));
    let attempt = members[0].key(key.id).pending[0];
    let now = refresh(&members[..3], key.id);
    assert_eq!(one_epoch(&members[..3], key.id).epoch, now.epoch);
    for member in &members[..3] {
        let left = report(member, key.id, attempt);
        assert_eq!(left.identifiers().map(quorumkey::Identifier::get).collect::<Vec<_>>(), [4, 5, 6]);
        assert!(!left.is_dead(), "two of them have the key: {left:?}");
    }
}

/// Those that dealt died before they had signed: nobody that goes on knows the transcript, and the shares are out.
pub fn whoever_was_dealt_a_share_in_a_run_that_no_dealer_signed_is_reported_by_all(setting: &Setting) {
    let mut devices = setting.devices(5);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], setting.suite, 2);
    let receivers = seated(&members, &[(3, 2), (4, 3), (5, 4)]);
    let change = change(&key, receivers, 2, Reason::Routine);
    let invitation = members[0].session.invite_reshare(key.id, change).unwrap();
    run_of(&members, &[0, 1, 2, 3, 4], &invitation, &mut |_, to, message| {
        if hazmat::subject(&message) == "deal" && to < 3 { Vec::new() } else { all(message) }
    });
    assert!(members[..3].iter().all(|member| member.key(key.id).pending.is_empty()));
    assert!(members[3..].iter().all(|member| member.key(key.id).pending.len() == 1));
    drop(members);
    let members = log_in(&mut devices);
    refresh(&members[..3], key.id);
    for member in &members[..3] {
        let reports = member.key(key.id).old_epochs;
        let dealt = reports.iter().find(|report| report.epoch != key.epoch).expect("who was dealt to is forgotten");
        assert_eq!(
            holders(dealt),
            [(4, Holding::NotConfirmed), (4, Holding::Backup), (5, Holding::NotConfirmed), (5, Holding::Backup)]
        );
        assert!(!dealt.is_dead());
    }
}

/// With two dealers alone, {1, 2} and {3, 4} of a 2-of-4 key would both certify, and fork it.
pub fn two_disjoint_pairs_of_four_cannot_reshare(setting: &Setting) {
    let members = setting.group(6);
    let key = dkg(&members[..4], setting.suite, 2);
    for (pair, new) in [([0, 1], 4), ([2, 3], 5)] {
        let number = |at: usize| u16::try_from(at + 1).unwrap();
        let receivers = seated(&members, &[(number(pair[0]), pair[0]), (number(pair[1]), pair[1]), (number(new), new)]);
        let refused = members[pair[0]].session.invite_reshare(key.id, change(&key, receivers, 2, Reason::Lost));
        let few = CertificateError::Contradiction("the old members that sign are too few");
        assert!(matches!(refused, Err(Error::Certificate(why)) if why == few));
    }
}

/// Rule 4 also for a member that the completed attempt does not concern.
pub fn an_attempt_that_the_joins_complete_ends_the_retry_for_newcomers_as_well(setting: &Setting) {
    let (members, key) = six(setting);
    let attempt = attempt_to_four_and_five(&members, &key, false);
    let receivers = seated(&members, &[(1, 0), (2, 1), (4, 3), (5, 4), (6, 5)]);
    let invitation = members[0].session.invite_reshare(key.id, change(&key, receivers, 2, Reason::Lost)).unwrap();
    let results = run_of(&members, &[0, 1, 3, 4, 5], &invitation, &mut |_, _, message| {
        assert_ne!(hazmat::subject(&message), "confirm", "it has its place in the attempt's own run");
        all(message)
    });
    for result in &results[..4] {
        assert_eq!(result.as_ref().unwrap().as_ref().unwrap().epoch, attempt);
    }
    assert_eq!(members[1].key(key.id).state, KeyState::Retired);
    assert!(matches!(&results[4], Err(Error::Stale { have, .. }) if *have == attempt), "{:?}", results[4]);
}

/// Members 1 and 2 deal to 4, 5 and 6, and 3 only signs.
fn with_a_witness(members: &[Member], key: &KeyInfo) -> Invitation {
    let change = change(key, seated(members, &[(4, 3), (5, 4), (6, 5)]), 2, Reason::Routine);
    let (dealers, witnesses) = (Some(seated(members, &[(1, 0), (2, 1)])), Some(seated(members, &[(3, 2)])));
    members[0].session.invite_reshare(key.id, Reshare { dealers, witnesses, ..change }).unwrap()
}

/// A witness that has not signed an attempt promises as much as a dealer.
pub fn the_promise_of_a_witness_helps_to_end_an_attempt(setting: &Setting) {
    let (members, key) = six(setting);
    let invitation = with_a_witness(&members, &key);
    // Members 2 and 3 miss a deal.
    run_of(&members, &[0, 1, 2, 3, 4, 5], &invitation, &mut |from, to, message| {
        let lost = hazmat::subject(&message) == "deal" && from == 0 && (to == 1 || to == 2);
        if lost { Vec::new() } else { all(message) }
    });
    assert_eq!([0, 1, 2].map(|at: usize| members[at].key(key.id).pending.len()), [1, 0, 0]);
    refresh(&members[..3], key.id);
    all_sign(&members[..3], key.id, b"it was ended");
}

/// Who has nothing of the key any more signs nothing in the name of who had.
pub fn who_has_destroyed_its_key_is_no_witness(setting: &Setting) {
    let (members, key) = six(setting);
    let invitation = with_a_witness(&members, &key);
    members[2].session.destroy(key.id).unwrap();
    let refused = members[2].session.start(&invitation);
    assert!(matches!(refused, Err(Error::Misuse(Misuse::NoShare))), "{refused:?}");
}

/// And one that has signed it tells of it, so that nobody goes on without its receivers.
pub fn a_witness_tells_of_what_it_signed(setting: &Setting) {
    let (members, key) = six(setting);
    let invitation = with_a_witness(&members, &key);
    // Only member 3 hears of the deals among the old members, and nobody of any signature.
    run_of(&members, &[0, 1, 2, 3, 4, 5], &invitation, &mut |_, to, message| {
        let about = hazmat::subject(&message);
        let lost = about == "certify" || about == "deal" && to < 2;
        if lost { Vec::new() } else { all(message) }
    });
    let attempt = members[2].key(key.id).pending[0];
    assert_eq!([0, 1].map(|at: usize| members[at].key(key.id).pending.len()), [0, 0]);
    let now = refresh(&members[..3], key.id);
    let left = report(&members[0], key.id, attempt);
    assert_eq!(left.identifiers().count(), 3, "it is superseded, and its receivers are known: {now:?}");
}

/// Of the two that dealt one has forgotten, and goes on with the third, who never knew. The officers end what then comes
/// to light.
pub fn who_signed_what_nobody_knows_of_takes_part_in_what_followed(setting: &Setting) {
    let mut members = setting.group(4);
    let key = dkg(&members[..3], setting.suite, 2);
    let unknown = change(&key, seated(&members, &[(1, 0), (2, 1), (4, 3)]), 2, Reason::Lost);
    let unknown = members[0].session.invite_reshare(key.id, unknown).unwrap();
    run_of(&members, &[0, 1, 3], &unknown, &mut |_, _, message| {
        if hazmat::subject(&message) == "certify" { Vec::new() } else { all(message) }
    });
    assert_eq!(members[3].key(key.id).pending.len(), 1);
    members[0] = super::restored::restored_in(setting, &members[0], key.id);
    let leaving = vec![Leaving { identifier: id(2), reason: Reason::Lost }];
    let stay = Reshare { members: seated(&members, &[(1, 0), (3, 2)]), leaving, ..Reshare::of(&key) };
    let stay = members[2].session.invite_reshare(key.id, stay).unwrap();
    members[0].store.login_so(&officer_pin()).unwrap().override_fork_rules(&stay).unwrap();
    exchange(&mut [0, 2].map(|at: usize| members[at].session.start(&stay).unwrap()));
    let now = members[2].key(key.id);
    let with = change(&now, now.roster.with(id(4), members[3].card()).unwrap(), 2, Reason::Lost);
    let with = members[2].session.invite_reshare(key.id, with).unwrap();
    for at in [0, 2] {
        members[at].store.login_so(&officer_pin()).unwrap().override_fork_rules(&with).unwrap();
    }
    exchange(&mut [0, 2, 3].map(|at: usize| members[at].session.start(&with).unwrap()));
    assert_eq!(members[3].key(key.id).state, KeyState::Active);
}
