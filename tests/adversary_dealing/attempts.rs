//! What members tell of attempts before: each told by who signed it, once, and nothing beside it.

use quorumkey::hazmat::subject;
use quorumkey::{CertificateError, Misbehaviour, Suite};

use super::joins::{framed, left_behind, named_for_reporting, past};
use super::*;

/// An attempt that the third member has signed alone, after the run of one that nobody certified.
fn signed_by_the_third(trial: &Trial, suite: Suite) -> (quorumkey::KeyId, Certificate) {
    let (key, report) = left_behind(trial, suite);
    let dealt = Certificate::from_bytes(&report[4..]).unwrap();
    (key, trial.forger(3).again(id(3), &dealt).unwrap())
}

/// With a revision that nobody signed beside it the attempt would never be seen to be complete.
#[test]
fn who_tells_of_an_attempt_with_a_revision_is_named() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (key, attempt) = signed_by_the_third(&trial, suite);
        let newcomer = Forger::new([81; 32]).card("a stranger", 0);
        let revised = Forger::revised_by_nobody(&attempt, id(4), &newcomer).unwrap();
        named_for_reporting(&trial, suite, key, &framed(&revised.to_bytes()));
    }
}

/// Nor with something in the place of a signature of somebody else.
#[test]
fn who_tells_of_an_attempt_with_a_signature_of_another_is_named() {
    let trial = Trial::new(3);
    let (key, attempt) = signed_by_the_third(&trial, Suite::Ed25519);
    let report = attempt.to_bytes();
    // At the end one endorsement: identifier, signature, run key's signature behind its length; and no revisions.
    let (head, own) = report.split_at(report.len() - 4 - (2 + 64 + 4 + 64));
    let (head, own) = (head.strip_suffix(&[0, 0, 0, 1]).unwrap(), own.strip_suffix(&[0; 4]).unwrap());
    let others = [&[0, 1], &own[2..]].concat();
    let two = [head, &[0, 0, 0, 2], &others, own, &[0; 4]].concat();
    named_for_reporting(&trial, Suite::Ed25519, key, &framed(&two));
}

/// Rule 2: whoever signed two attempts at one place has lied, and shows it.
#[test]
fn who_tells_of_two_attempts_at_one_place_is_named() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (key, attempt) = signed_by_the_third(&trial, suite);
        let mut two = [trial.forger(3).again(id(3), &attempt).unwrap(), attempt];
        two.sort_by_key(Certificate::epoch_id);
        pardon(&trial.members);
        let invitation = trial.members[0].session.invite_refresh(key, Vec::new()).unwrap();
        let chain = trial.members[1].session.certificates(key).unwrap();
        let results = trial.run_with_body(&invitation, "join", |body| {
            body.truncate(past(suite));
            body.extend([0, 0, 0, 2]);
            body.extend(two.iter().flat_map(|one| framed(&one.to_bytes())));
            body.extend([0; 4]);
        });
        all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &chain);
    }
}

/// A plan may call an attempt a losing line that nobody has certified. Whoever signed it has no whole certificate to show, and
/// is no liar.
#[test]
fn a_plan_that_takes_an_attempt_for_a_losing_line_frames_nobody_and_nobody_deals() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (key, report) = left_behind(&trial, suite);
        let attempt = Certificate::from_bytes(&report[4..]).unwrap();
        let invitation = trial.members[0].session.invite_refresh(key, Vec::new()).unwrap();
        let invitation = trial.forger(1).at_height(&invitation, 1, &[attempt.epoch_id()]);
        let mut dealt = 0;
        let results = trial.run(&invitation, &mut |_, _, message| {
            dealt += usize::from(subject(&message) == "deal");
            vec![message]
        });
        for result in &results {
            assert_eq!(blame(result).0, [0; 0]);
        }
        assert_eq!(dealt, 0);
    }
}

/// All members together can't make a certificate that stands higher or lower than the line that it ends says.
#[test]
fn a_certificate_stands_right_above_the_line_that_loses_by_it() {
    let trial = Trial::new(3);
    let (invitation, chain) = trial.invitation(Suite::Ed25519, true);
    trial.run(&invitation, &mut |_, to, message| {
        if to == 0 && subject(&message) == "certify" { Vec::new() } else { vec![message] }
    });
    let genuine = trial.members[1].session.certificate(invitation.key().unwrap()).unwrap();
    assert_eq!(chain.len(), 1);
    let session = &trial.members[0].session;
    let raised = |height, line| Forger::raised(&trial.forgers, &genuine, height, line).unwrap();
    for (height, line, why) in [
        (7, (5, true), "the height is not that above the losing lines"),
        (5, (5, true), "the height is not that above the losing lines"),
        (6, (5, false), "a losing line is not named"),
    ] {
        let refused = session.complete(&raised(height, line));
        let why = CertificateError::Contradiction(why);
        assert!(matches!(&refused, Err(Error::Certificate(error)) if *error == why), "{refused:?}");
    }
    // Nothing else is wrong with it.
    let right = raised(6, (5, true));
    assert_eq!(session.complete(&right).unwrap().epoch, right.epoch_id());
}
