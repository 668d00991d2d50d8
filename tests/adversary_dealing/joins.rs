//! The first round: who takes part, with which run key.

use quorumkey::hazmat::{body, subject};
use quorumkey::{CertificateError, Evidence, Judgement, Misbehaviour, Suite};

use super::*;

#[test]
fn a_proof_of_possession_of_other_words_names_its_sender_and_nobody_deals() {
    for suite in Suite::ALL {
        for renewed in [false, true] {
            let trial = Trial::new(3);
            let (invitation, chain) = trial.invitation(suite, renewed);
            let mut dealt = 0;
            let results = trial.run(&invitation, &mut |from, _, message| {
                dealt += usize::from(from != 2 && subject(&message) == "deal");
                let joins = from == 2 && subject(&message) == "join";
                vec![if joins { trial.forger(3).alter(&message, |forgery| forgery.body[0] ^= 1) } else { message }]
            });
            all_name_the_last(&results, Misbehaviour::RunKey, &invitation, &chain);
            assert_eq!(dealt, 0);
        }
    }
}

#[test]
fn a_join_replayed_from_another_run_names_its_sender() {
    let trial = Trial::new(3);
    let (earlier, _) = trial.invitation(Suite::Ed25519, false);
    let recorded = recorded(&trial, &earlier);
    let joined = recorded.iter().find(|message| message.sender() == id(3) && subject(message) == "join").unwrap();
    let (invitation, chain) = trial.invitation(Suite::Ed25519, false);
    let results = trial.run_with_body(&invitation, "join", |bytes| *bytes = body(joined).to_vec());
    all_name_the_last(&results, Misbehaviour::RunKey, &invitation, &chain);
}

#[test]
fn a_join_under_another_members_run_key_names_its_sender() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (invitation, chain) = trial.invitation(suite, false);
        let mut of_first = None;
        let results = trial.run(&invitation, &mut |from, _, message| {
            if from == 0 && subject(&message) == "join" {
                of_first = Some(body(&message).to_vec());
            }
            let joins = from == 2 && subject(&message) == "join";
            let copy = of_first.clone();
            vec![if joins { trial.forger(3).alter(&message, |forgery| forgery.body = copy.unwrap()) } else { message }]
        });
        all_name_the_last(&results, Misbehaviour::RunKey, &invitation, &chain);
    }
}

#[test]
fn a_join_that_cannot_be_read_names_its_sender() {
    let trial = Trial::new(3);
    for change in [
        (|bytes| bytes.clear()) as fn(&mut Vec<u8>),
        |bytes| _ = bytes.pop(),
        |bytes| bytes.push(0),
        |bytes| bytes[64..96].fill(0),
        |bytes| bytes[64..96].fill(0xff),
    ] {
        let (invitation, chain) = trial.invitation(Suite::Ed25519, false);
        let results = trial.run_with_body(&invitation, "join", change);
        all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &chain);
    }
}

#[test]
fn two_joins_shown_to_two_members_name_their_sender_and_nobody_else() {
    for suite in Suite::ALL {
        for renewed in [false, true] {
            let trial = Trial::new(3);
            let (invitation, chain) = trial.invitation(suite, renewed);
            let results = trial.run(&invitation, &mut |from, to, message| {
                let other = from == 2 && to == 1 && subject(&message) == "join";
                vec![if other { trial.forger(3).alter(&message, |forgery| forgery.counter += 1) } else { message }]
            });
            all_name_the_last(&results, Misbehaviour::Equivocation, &invitation, &chain);
        }
    }
}

#[test]
fn who_saw_another_join_and_nobody_else_is_awaited_in_a_dispute() {
    let trial = Trial::new(4);
    let (invitation, _) = trial.invitation(Suite::Ed25519, false);
    let mut runs = trial.start(&invitation);
    exchange_over(&mut runs, &mut |from, to, message| match subject(&message) {
        "dispute" => Vec::new(),
        "join" if (from, to) == (3, 1) => vec![trial.forger(4).alter(&message, |forgery| forgery.counter += 1)],
        _ => vec![message],
    });
    for place in [0, 2] {
        assert_eq!(runs[place].progress().awaiting, [id(2)]);
    }
}

#[test]
fn two_joins_to_one_member_are_evidence_at_once() {
    let trial = Trial::new(3);
    let (invitation, chain) = trial.invitation(Suite::Ed25519, false);
    let results = trial.run(&invitation, &mut |from, _, message| {
        if from == 2 && subject(&message) == "join" {
            let other = trial.forger(3).alter(&message, |forgery| forgery.body[0] ^= 1);
            return vec![message, other];
        }
        vec![message]
    });
    all_name_the_last(&results, Misbehaviour::Equivocation, &invitation, &chain);
}

#[test]
fn evidence_of_a_renewal_is_judged_by_certificates_up_to_what_it_renews() {
    let trial = Trial::new(3);
    let (invitation, chain) = trial.invitation(Suite::Ed25519, true);
    let key = refresh(&trial.members, invitation.key().unwrap()).id;
    let newer = trial.members[0].session.certificates(key).unwrap();
    let (_, of_another_key) = trial.invitation(Suite::Ed25519, true);
    let evidence = Evidence::new(Vec::new());
    assert_eq!(evidence.judge(&invitation, &chain), Ok(None));
    for other in [newer, of_another_key] {
        assert_eq!(evidence.judge(&invitation, &other), Err(CertificateError::Parent));
    }
}

#[test]
fn nothing_is_dealt_before_every_join_is_there() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, false);
    let mut runs = trial.start(&invitation);
    let results = exchange_over(&mut runs, &mut |from, _, message| {
        assert!(from == 2 || subject(&message) == "join");
        if from == 2 { Vec::new() } else { vec![message] }
    });
    assert!(results.iter().all(|result| matches!(result, Ok(None))));
    assert_eq!(runs[0].progress().awaiting, [id(3)]);
}

/// What an honest dealer dealt is right beside the joins that it saw. A member that signs another join later, or shows a
/// join twice, changes what the deal would have to be.
#[test]
fn an_honest_dealer_cannot_be_framed_with_another_join() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (invitation, _) = trial.invitation(suite, false);
        let recorded = recorded(&trial, &invitation);
        let (joins, deals): (Vec<_>, Vec<_>) = recorded
            .into_iter()
            .filter(|message| matches!(subject(message), "join" | "deal"))
            .partition(|message| subject(message) == "join");
        let other = trial.forger(3).alter(&joins[2], |forgery| forgery.counter += 1);
        let twice = vec![joins[0].clone(), joins[0].clone(), joins[1].clone(), joins[2].clone()];
        for shown in [vec![joins[0].clone(), joins[1].clone(), other], twice, joins[..2].to_vec(), joins] {
            for dealt in &deals {
                let evidence = Evidence::new([shown.clone(), vec![dealt.clone()]].concat());
                assert_eq!(evidence.judge(&invitation, &[]).unwrap(), None::<Judgement>);
            }
        }
    }
}

/// Where a join begins to tell of the past: contribution, commitment, run key, proof, restored, overridden.
pub(super) const fn past(suite: Suite) -> usize {
    64 + element(suite) + element(suite) + 32 + 2
}

pub(super) fn framed(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// An attempt that the third member could not sign, and the first member's report of it in the join of the next, framed.
pub(super) fn left_behind(trial: &Trial, suite: Suite) -> (quorumkey::KeyId, Vec<u8>) {
    left_behind_by(trial, suite, 2, 0)
}

/// An attempt that one member could not sign, and another's report of it.
fn left_behind_by(trial: &Trial, suite: Suite, missing: usize, teller: usize) -> (quorumkey::KeyId, Vec<u8>) {
    let (invitation, _) = trial.invitation(suite, true);
    let key = invitation.key().unwrap();
    let results = trial.run(&invitation, &mut |_, to, message| {
        if to == missing && subject(&message) == "deal" { Vec::new() } else { vec![message] }
    });
    assert!(results.iter().all(|result| matches!(result, Ok(None))));
    let invitation = trial.members[teller].session.invite_refresh(key, Vec::new()).unwrap();
    let mut run = trial.members[teller].session.start(&invitation).unwrap();
    let join = run.poll_transmit().unwrap();
    let told = &body(&join)[past(suite)..];
    assert_eq!(told[..4], [0, 0, 0, 1]);
    let len = 4 + usize::try_from(u32::from_be_bytes(told[4..8].try_into().unwrap())).unwrap();
    (key, told[4..4 + len].to_vec())
}

#[test]
fn who_reports_an_attempt_that_it_could_not_have_signed_is_named() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (key, of_first) = left_behind(&trial, suite);
        let mut bent = of_first.clone();
        let place = bent.len() / 2;
        bent[place] ^= 1;
        // Another's signature; a transcript that was changed; no transcript at all.
        for report in [of_first, bent, framed(&[1; 40])] {
            pardon(&trial.members);
            let invitation = trial.members[0].session.invite_refresh(key, Vec::new()).unwrap();
            let chain = trial.members[1].session.certificates(key).unwrap();
            let results = trial.run_with_body(&invitation, "join", |body| {
                body.truncate(past(suite));
                body.extend([0, 0, 0, 1]);
                body.extend(&report);
                body.extend([0; 4]);
            });
            all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &chain);
        }
    }
}

/// The last member reports that in its join, and is named.
pub(super) fn named_for_reporting(trial: &Trial, suite: Suite, key: quorumkey::KeyId, report: &[u8]) {
    pardon(&trial.members);
    let invitation = trial.members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let chain = trial.members[1].session.certificates(key).unwrap();
    let results = trial.run_with_body(&invitation, "join", |body| {
        body.truncate(past(suite));
        body.extend([0, 0, 0, 1]);
        body.extend(report);
        body.extend([0; 4]);
    });
    all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &chain);
}

/// It has signed it, and so have others: but of another key.
#[test]
fn who_reports_an_attempt_at_another_key_is_named() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (_, report) = left_behind_by(&trial, suite, 0, 2);
        let (key, _) = left_behind(&trial, suite);
        named_for_reporting(&trial, suite, key, &report);
    }
}

/// What the third member makes of an attempt that the others dealt in, and reports.
fn forging_is_named(forge: impl Fn(&Forger, &Certificate) -> Certificate) {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (key, of_first) = left_behind(&trial, suite);
        let attempt = Certificate::from_bytes(&of_first[4..]).unwrap();
        let forged = forge(trial.forger(3), &attempt);
        named_for_reporting(&trial, suite, key, &framed(&forged.to_bytes()));
    }
}

/// Whoever could make up that others dealt would keep everybody out who can't end what was made up.
#[test]
fn who_reports_an_attempt_in_which_others_never_dealt_so_is_named() {
    forging_is_named(|forger, attempt| forger.made_up(id(3), attempt).unwrap());
}

/// The dealers have proven everything in it, but in another run.
#[test]
fn who_reports_an_attempt_with_the_deals_of_another_one_is_named() {
    forging_is_named(|forger, attempt| forger.replayed(id(3), attempt).unwrap());
}

/// A new key's proofs are of no run that a plan shows, so its making is no attempt.
#[test]
fn who_reports_an_attempt_with_the_deals_of_the_new_key_is_named() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (key, _) = left_behind(&trial, suite);
        let founding = trial.members[0].session.certificates(key).unwrap().remove(0);
        let replayed = trial.forger(3).replayed(id(3), &founding).unwrap();
        named_for_reporting(&trial, suite, key, &framed(&replayed.to_bytes()));
    }
}

/// How an attempt is named whose transcript nobody knows.
fn dealt_name(run: &[u8]) -> Vec<u8> {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    for part in [b"quorumkey/dealt/v1".as_slice(), run] {
        hash.update(u64::try_from(part.len()).unwrap().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// Members of these numbers, with cards that nobody has.
fn seats(numbers: core::ops::RangeInclusive<u16>) -> Vec<u8> {
    let seat = |number: u16| [number.to_be_bytes().as_slice(), &[7; 32]].concat();
    let count = u32::try_from(numbers.clone().count()).unwrap().to_be_bytes().to_vec();
    [count, numbers.flat_map(seat).collect()].concat()
}

/// What a join says of an attempt that its sender dealt in.
fn dealt(name: &[u8], run: &[u8], height: u64, dealers: &[u8], receivers: &[u8]) -> Vec<u8> {
    let position = [height.to_be_bytes().as_slice(), &9_u32.to_be_bytes()].concat();
    [name, run, &position, &[0, 2], dealers, receivers, &[0; 4]].concat()
}

/// Attempts that nobody made, in which the third member says that it dealt, in the order of their names.
fn made_up(count: u16, receivers: u16) -> Vec<u8> {
    let mut names: Vec<_> = (0..count)
        .map(|number| {
            let run = [number.to_be_bytes(); 16].concat();
            (dealt_name(&run), run)
        })
        .collect();
    names.sort();
    // Members are written once, and then where they stand.
    let again = |place: u32| (1 << 31 | place).to_be_bytes().to_vec();
    let members = |at| if at == 0 { [seats(2..=3), seats(1..=receivers)] } else { [again(0), again(1)] };
    let attempts = names.iter().enumerate().flat_map(|(at, (name, run))| {
        let [dealers, receivers] = members(at);
        dealt(name, run, 0, &dealers, &receivers)
    });
    [u32::from(count).to_be_bytes().to_vec(), attempts.collect()].concat()
}

/// Before a key is made there is no attempt at renewing it, and no rule for an officer to lift.
#[test]
fn who_tells_of_a_past_when_a_key_is_made_is_named() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (_, chain) = trial.invitation(suite, true);
        let signed = [&[0, 0, 0, 1], framed(&chain[0].to_bytes()).as_slice(), &[0; 4]].concat();
        let dealing = dealt(&dealt_name(&[9; 32]), &[9; 32], 0, &seats(2..=3), &seats(4..=5));
        let dealings = [&[0, 0, 0, 0, 0, 0, 0, 1], dealing.as_slice()].concat();
        for (overridden, told) in [(0, signed), (0, dealings), (1, vec![0; 8])] {
            let (invitation, _) = trial.invitation(suite, false);
            let results = trial.run_with_body(&invitation, "join", |body| {
                body.truncate(past(suite) - 1);
                body.push(overridden);
                body.extend(&told);
            });
            all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &[]);
        }
    }
}

#[test]
fn who_reports_to_have_dealt_above_the_run_or_in_anothers_place_is_named() {
    let trial = Trial::new(3);
    // Of a run above this one; of one in which it did not deal; under a name that is not that of the run.
    for (height, first, run) in [(1_u64, 2, [9; 32]), (0, 1, [9; 32]), (0, 2, [8; 32])] {
        let (invitation, chain) = trial.invitation(Suite::Ed25519, true);
        let results = trial.run_with_body(&invitation, "join", |body| {
            body.truncate(past(Suite::Ed25519) + 4);
            body.extend([0, 0, 0, 1]);
            body.extend(dealt(&dealt_name(&[9; 32]), &run, height, &seats(first..=first + 1), &seats(4..=5)));
        });
        all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &chain);
    }
}

#[test]
fn who_reports_to_have_dealt_twice_to_one_number_is_named() {
    let trial = Trial::new(3);
    let (invitation, chain) = trial.invitation(Suite::Ed25519, true);
    let seat = |card| [4_u16.to_be_bytes().as_slice(), &[card; 32]].concat();
    let twice = [2_u32.to_be_bytes().to_vec(), seat(6), seat(7)].concat();
    let results = trial.run_with_body(&invitation, "join", |body| {
        body.truncate(past(Suite::Ed25519) + 4);
        body.extend([0, 0, 0, 1]);
        body.extend(dealt(&dealt_name(&[9; 32]), &[9; 32], 0, &seats(2..=3), &twice));
    });
    all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &chain);
}

#[test]
fn who_reports_to_have_dealt_more_often_than_any_member_tells_is_named() {
    let trial = Trial::new(3);
    for (count, receivers) in [(65, 2), (5, 1000)] {
        let (invitation, chain) = trial.invitation(Suite::Ed25519, true);
        let results = trial.run_with_body(&invitation, "join", |body| {
            body.truncate(past(Suite::Ed25519) + 4);
            body.extend(made_up(count, receivers));
        });
        all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &chain);
    }
}
