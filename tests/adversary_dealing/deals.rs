//! The second round: what a dealer commits to, and what it seals.

use quorumkey::hazmat::{body, subject};
use quorumkey::{Misbehaviour, Suite};

use super::*;

#[test]
fn a_commitment_too_long_too_short_or_empty_is_named_by_its_length() {
    for suite in Suite::ALL {
        for renewed in [false, true] {
            for points in [0, 1, 3] {
                let trial = Trial::new(3);
                let (invitation, chain) = trial.invitation(suite, renewed);
                let len = element(suite);
                let results = trial.run_with_body(&invitation, "deal", |bytes| {
                    let commitment: Vec<_> = bytes.drain(..2 * len).collect();
                    let changed: Vec<u8> = commitment.iter().copied().cycle().take(points * len).collect();
                    bytes.splice(..0, changed);
                });
                all_name_the_last(&results, Misbehaviour::CommitmentLength, &invitation, &chain);
            }
        }
    }
}

#[test]
fn a_constant_that_is_not_the_old_share_is_found_by_all() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (invitation, chain) = trial.invitation(suite, true);
        let len = element(suite);
        let results = trial.run_with_body(&invitation, "deal", |bytes| bytes.copy_within(len..2 * len, 0));
        all_name_the_last(&results, Misbehaviour::Constant, &invitation, &chain);
    }
}

#[test]
fn a_deal_of_another_ceremony_fails_by_its_proof() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (earlier, _) = trial.invitation(suite, false);
        let recorded = recorded(&trial, &earlier);
        let dealt = recorded.iter().find(|message| message.sender() == id(3) && subject(message) == "deal").unwrap();
        let (invitation, chain) = trial.invitation(suite, false);
        let results = trial.run_with_body(&invitation, "deal", |bytes| *bytes = body(dealt).to_vec());
        all_name_the_last(&results, Misbehaviour::ProofOfPossession, &invitation, &chain);
    }
}

#[test]
fn a_deal_of_the_dkg_fails_by_its_constant_in_a_refresh() {
    let trial = Trial::new(3);
    let first = dkg_invitation(&trial.members, Suite::Ed25519, 2);
    let recorded = recorded(&trial, &first);
    let dealt = recorded.iter().find(|message| message.sender() == id(3) && subject(message) == "deal").unwrap();
    let session = &trial.members[0].session;
    let key = session.find(&quorumkey::Filter::default()).unwrap()[0].id;
    let invitation = session.invite_refresh(key, Vec::new()).unwrap();
    let results = trial.run_with_body(&invitation, "deal", |bytes| *bytes = body(dealt).to_vec());
    all_name_the_last(&results, Misbehaviour::Constant, &invitation, &session.certificates(key).unwrap());
}

#[test]
fn a_deal_that_cannot_be_read_names_its_sender() {
    let trial = Trial::new(3);
    for change in [
        (|bytes| bytes.clear()) as fn(&mut Vec<u8>),
        |bytes| _ = bytes.pop(),
        |bytes| bytes.push(0),
        |bytes| bytes[..32].fill(0xff),
    ] {
        let (invitation, chain) = trial.invitation(Suite::Ed25519, false);
        let results = trial.run_with_body(&invitation, "deal", change);
        all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &chain);
    }
}

#[test]
fn a_share_that_does_not_open_is_accused_by_its_receiver_and_judged_by_all() {
    for suite in Suite::ALL {
        for (renewed, victim) in [(false, 1), (false, 2), (true, 2)] {
            let trial = Trial::new(3);
            let (invitation, chain) = trial.invitation(suite, renewed);
            let results = trial.run_with_body(&invitation, "deal", |bytes| {
                let place = bytes.len() - ciphertext_from_end(victim);
                bytes[place] ^= 1;
            });
            all_name_the_last(&results, Misbehaviour::SealedShare, &invitation, &chain);
        }
    }
}

/// Each of the two sees a deal that is good for itself: their transcripts differ.
#[test]
fn two_deals_shown_to_two_members_name_their_sender_and_make_no_key() {
    for suite in Suite::ALL {
        for renewed in [false, true] {
            let trial = Trial::new(3);
            let (invitation, chain) = trial.invitation(suite, renewed);
            let before = trial.members[0].session.find(&quorumkey::Filter::default()).unwrap();
            let results = trial.run(&invitation, &mut |from, to, message| {
                let other = from == 2 && to == 0 && subject(&message) == "deal";
                let alter = |forgery: &mut quorumkey::hazmat::Forgery| {
                    let place = forgery.body.len() - ciphertext_from_end(2);
                    forgery.body[place] ^= 1;
                };
                vec![if other { trial.forger(3).alter(&message, alter) } else { message }]
            });
            all_name_the_last(&results, Misbehaviour::Equivocation, &invitation, &chain);
            let after = trial.members[0].session.find(&quorumkey::Filter::default()).unwrap();
            let active = |keys: &[KeyInfo]| -> Vec<_> {
                keys.iter().filter(|key| key.state == quorumkey::KeyState::Active).map(|key| key.epoch).collect()
            };
            assert_eq!(active(&before), active(&after));
        }
    }
}

/// The victim accuses, and nobody else has seen the deal that it accuses. Its evidence convinces them all the same.
#[test]
fn a_bad_deal_shown_to_its_victim_alone_leaves_evidence_and_no_blame_of_the_victim() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (invitation, chain) = trial.invitation(suite, true);
        let results = trial.run(&invitation, &mut |from, to, message| {
            let other = from == 2 && to == 0 && subject(&message) == "deal";
            let alter = |forgery: &mut quorumkey::hazmat::Forgery| {
                let place = forgery.body.len() - ciphertext_from_end(1);
                forgery.body[place] ^= 1;
            };
            vec![if other { trial.forger(3).alter(&message, alter) } else { message }]
        });
        let (culprits, what, evidence) = blame(&results[0]);
        assert_eq!((culprits, what), (vec![3], Misbehaviour::SealedShare));
        assert_eq!(evidence.judge(&invitation, &chain).unwrap().unwrap().culprits, [id(3)]);
        match &results[1] {
            Ok(None) => {}
            other => assert_eq!(blame(other).0, [3]),
        }
    }
}

#[test]
fn a_deal_that_is_withheld_is_absence_and_no_blame() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, true);
    let mut runs = trial.start(&invitation);
    let results = exchange_over(&mut runs, &mut |from, _, message| {
        if from == 2 && subject(&message) == "deal" { Vec::new() } else { vec![message] }
    });
    assert!(results[..2].iter().all(|result| matches!(result, Ok(None))));
    assert_eq!(runs[0].progress().awaiting, [id(3)]);
}

/// The victim accuses and is gone; the others saw a good deal, and learn from what the victim saw that there were two.
#[test]
fn a_bad_deal_shown_to_its_victim_alone_names_its_dealer_everywhere() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, false);
    let results = trial.run(&invitation, &mut |from, to, message| {
        let lies = from == 2 && to == 0 && subject(&message) == "deal";
        // Commitment 64, proof 64, ephemeral key 32, length 8: the first byte that is sealed to member 1.
        vec![if lies { trial.forger(3).alter(&message, |forgery| forgery.body[168] ^= 1) } else { message }]
    });
    let found = [Misbehaviour::SealedShare, Misbehaviour::Equivocation];
    for (honest, misbehaviour) in results[..2].iter().zip(found) {
        let (culprits, what, _) = blame(honest);
        assert_eq!((culprits, what), (vec![3], misbehaviour));
    }
}
