//! The first round: who takes part, with which run key.

use quorumkey::hazmat::{body, subject};
use quorumkey::{Evidence, Judgement, Misbehaviour, Suite};

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

#[test]
fn who_reports_an_attempt_that_it_could_not_have_signed_is_named() {
    let trial = Trial::new(3);
    let (invitation, chain) = trial.invitation(Suite::Ed25519, true);
    // An attempt at the last place that there is would keep a restored member out of every other.
    let results = trial.run_with_body(&invitation, "join", |body| {
        let count = body.len() - 4;
        body[count..].copy_from_slice(&1u32.to_be_bytes());
        body.extend([7; 32]);
        body.extend(1u64.to_be_bytes());
        body.extend(u32::MAX.to_be_bytes());
        body.extend([0; 64]);
        body.extend(0u32.to_be_bytes());
    });
    all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &chain);
}
