//! What members are invited to sign, by whom, with which epoch.

use quorumkey::hazmat::{Forger, SigningForgery};
use quorumkey::{Coordinator, Denial, Misuse};

use super::*;

type Change = fn(&mut SigningForgery);

/// What member 2 answers to a changed invitation of member 1.
fn answer(group: &Group, change: Change) -> Result<Run<Signing>, Error> {
    let invitation = group.forgers[0].reinvite(&group.invitation(2), change);
    group.members[1].session.start_sign(&invitation, MESSAGE)
}

#[test]
fn plans_that_break_a_rule_are_refused_by_whoever_is_invited() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    let misused: [Change; 7] = [
        |plan| plan.signers = vec![id(2)],
        |plan| plan.signers = vec![],
        |plan| plan.signers = vec![id(2), id(2)],
        |plan| plan.signers = vec![id(2), id(1)],
        |plan| plan.signers = vec![id(2), id(9)],
        |plan| plan.signers = vec![id(1), id(3)],
        |plan| plan.suite = Suite::Secp256k1,
    ];
    for change in misused {
        let answered = answer(&group, change);
        assert!(matches!(answered, Err(Error::Misuse(_))), "{answered:?}");
    }
    let purpose = answer(&group, |plan| plan.purpose = "something else".to_owned());
    assert!(matches!(purpose, Err(Error::Denied(Denial::Purpose))), "{purpose:?}");
    let other = answer(&group, |plan| plan.message = b"pay the butcher".to_vec());
    assert!(matches!(other, Err(Error::Denied(Denial::OtherMessage))), "{other:?}");
    assert!(answer(&group, |_| {}).is_ok());
}

#[test]
fn plans_that_break_a_rule_are_not_proposed() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    for signers in [&[][..], &[1], &[1, 1], &[1, 2, 2], &[1, 9]] {
        let signers: Vec<_> = signers.iter().map(|number| id(*number)).collect();
        let proposed = group.members[0].session.invite_sign(group.key.id, &signers, MESSAGE);
        assert!(matches!(proposed, Err(Error::Misuse(Misuse::Plan(_)))), "{proposed:?}");
    }
}

#[test]
fn a_coordinator_follows_no_plan_that_breaks_a_rule() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    let changes: [Change; 5] = [
        |plan| plan.signers = vec![id(2)],
        |plan| plan.signers = vec![id(2), id(2)],
        |plan| plan.signers = vec![id(2), id(9)],
        |plan| plan.suite = Suite::Secp256k1,
        |plan| plan.epoch = group_of_another_epoch(),
    ];
    for change in changes {
        let invitation = group.forgers[0].reinvite(&group.invitation(2), change);
        assert!(Coordinator::new(&invitation, &group.chain()).is_err());
    }
    let stranger = Forger::new([99; 32]).reinvite(&group.invitation(2), |_| {});
    assert!(matches!(Coordinator::new(&stranger, &group.chain()), Err(Error::Misuse(Misuse::Inviter))));
    assert!(Coordinator::new(&group.invitation(2), &[]).is_err());
    assert!(Coordinator::new(&group.invitation(2), &group.chain()).is_ok());
}

fn group_of_another_epoch() -> quorumkey::EpochId {
    Group::new(Suite::Ed25519, 2, 2).key.epoch
}

#[test]
fn only_a_members_invitation_counts_and_only_for_members() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    let stranger = Forger::new([99; 32]).reinvite(&group.invitation(2), |_| {});
    let answered = group.members[1].session.start_sign(&stranger, MESSAGE);
    assert!(matches!(answered, Err(Error::Misuse(Misuse::Inviter))), "{answered:?}");
    let outsider = Member::in_memory("somebody");
    assert!(outsider.session.start_sign(&group.invitation(2), MESSAGE).is_err());
    let left_out = group.members[2].session.start_sign(&group.invitation(2), MESSAGE);
    assert!(matches!(left_out, Err(Error::Misuse(Misuse::NotAMember))), "{left_out:?}");
}

#[test]
fn a_run_is_entered_once() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    let invitation = group.invitation(2);
    let run = group.members[1].session.start_sign(&invitation, MESSAGE).unwrap();
    run.abort().unwrap();
    let again = group.members[1].session.start_sign(&invitation, MESSAGE);
    assert!(matches!(again, Err(Error::Misuse(Misuse::RunEnteredBefore(_)))), "{again:?}");
}

#[test]
fn members_of_two_epochs_never_meet_in_a_run() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 2, 3);
        let old = group.invitation(2);
        // Member 1 misses the certificate, and stays with the old epoch.
        let invitation = group.members[0].session.invite_refresh(group.key.id, Vec::new()).unwrap();
        let mut runs: Vec<_> = group.members.iter().map(|one| one.session.start(&invitation).unwrap()).collect();
        let results = exchange_over(&mut runs, &mut |_, to, message| {
            if to == 0 && subject(&message) == "certify" { Vec::new() } else { vec![message] }
        });
        let new = results[1].as_ref().unwrap().as_ref().unwrap().epoch;
        // Whoever is ahead tells, with proof; whoever is behind can't know.
        match group.members[1].session.start_sign(&old, MESSAGE) {
            Err(Error::Stale { have, certificates }) => assert_eq!((have, certificates.len()), (new, 1)),
            other => panic!("{other:?}"),
        }
        let signers = [id(1), id(2)];
        let ahead = group.members[1].session.invite_sign(group.key.id, &signers, MESSAGE).unwrap();
        match group.members[0].session.start_sign(&ahead, MESSAGE) {
            Err(Error::Stale { have, certificates }) => assert_eq!((have, certificates.len()), (group.key.epoch, 0)),
            other => panic!("{other:?}"),
        }
        let certificate = group.members[1].session.certificate(group.key.id).unwrap();
        group.members[0].session.complete(&certificate).unwrap();
        sign(&group.members, group.key.id, &[1, 2], MESSAGE);
    }
}

/// A signing run is open when the shares are renewed: its nonces are of the old epoch, and go with it.
#[test]
fn a_refresh_ends_the_signing_runs_of_the_old_epoch() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    let mut runs = group.start(&group.invitation(2), 2);
    refresh(&group.members, group.key.id);
    let commits: Vec<_> = runs.iter_mut().map(|run| run.poll_transmit().unwrap()).collect();
    let dead = runs[0].handle(&commits[1]);
    assert!(matches!(dead, Err(Error::Misuse(Misuse::NoSuchRun(_)))), "{dead:?}");
}

#[test]
fn a_member_that_broke_a_run_is_refused_until_the_officer_pardons_it() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    let results = group.run(&group.invitation(2), 2, &[1], "share", |body| body[40] ^= 1);
    assert_eq!(blame(&results[0]).0, [2]);
    let invite = |signers: &[quorumkey::Identifier]| {
        let session = &group.members[0].session;
        let invitation = session.invite_sign(group.key.id, signers, MESSAGE).unwrap();
        session.start_sign(&invitation, MESSAGE)
    };
    let refused = invite(&[id(1), id(2)]);
    assert!(matches!(refused, Err(Error::Denied(Denial::Convicted { member })) if member == id(2)), "{refused:?}");
    assert!(invite(&[id(1), id(3)]).is_ok(), "others are not refused for it");
    let officer = group.members[0].store.login_so(&officer_pin()).unwrap();
    officer.pardon(&group.members[1].card()).unwrap();
    assert!(invite(&[id(1), id(2)]).is_ok());
    let log = group.members[0].session.audit(None, usize::MAX).unwrap();
    assert!(log.iter().any(|record| record.event().kind() == quorumkey::audit::EventKind::MemberPardoned));
}
