//! Accusations: between accuser and dealer everybody can decide.

use quorumkey::hazmat::{body, subject};
use quorumkey::{Evidence, Message, Misbehaviour, Suite};

use super::*;

/// A run in which member 3 says this instead of its endorsement.
fn accused(
    trial: &Trial,
    invitation: &Invitation,
    accusation: impl Fn(&Message) -> Vec<u8>,
) -> Vec<Result<Option<KeyInfo>, Error>> {
    trial.run(invitation, &mut |from, _, message| {
        let endorses = from == 2 && subject(&message) == "certify";
        vec![if endorses { trial.forger(3).accuse(&message, accusation(&message)) } else { message }]
    })
}

#[test]
fn an_accusation_that_cannot_be_read_names_the_accuser() {
    let trial = Trial::new(3);
    for bytes in [vec![], vec![0, 1], vec![0, 1, 7], vec![0; 200], [vec![0, 1], vec![0xff; 128]].concat()] {
        let (invitation, _) = trial.invitation(Suite::Ed25519, false);
        let results = accused(&trial, &invitation, |_| bytes.clone());
        all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &[]);
    }
}

#[test]
fn a_forged_opening_names_the_accuser() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (invitation, chain) = trial.invitation(suite, true);
        let mut point = Vec::new();
        let results = trial.run(&invitation, &mut |from, _, message| {
            match (from, subject(&message)) {
                (0, "deal") => point = body(&message)[..element(suite)].to_vec(),
                (2, "certify") => {
                    // Two points of the right kind, and a proof that is none.
                    let forged = [&[0, 1], point.as_slice(), point.as_slice(), &[1; 64]].concat();
                    return vec![trial.forger(3).accuse(&message, forged)];
                }
                _ => {}
            }
            vec![message]
        });
        all_name_the_last(&results, Misbehaviour::FalseAccusation, &invitation, &chain);
    }
}

/// A run in which member 3 saw a changed deal of member 1, and so opens a ciphertext that was good: what it says then,
/// and the run, in which the others saw the good deal.
fn opens_a_good_ciphertext(suite: Suite, dealer: [u8; 2]) -> (Vec<Result<Option<KeyInfo>, Error>>, Invitation) {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(suite, false);
    let mut endorsed = None;
    let results = trial.run(&invitation, &mut |from, to, message| {
        if (from, to, subject(&message)) == (0, 2, "deal") {
            return vec![trial.forger(1).alter(&message, |forgery| {
                let place = forgery.body.len() - ciphertext_from_end(3);
                forgery.body[place] ^= 1;
            })];
        }
        match (from, subject(&message)) {
            (0, "certify") => endorsed = Some(message.clone()),
            (2, "accuse") => {
                let opening = body(&message)[2..].to_vec();
                let like = endorsed.clone().unwrap();
                return vec![trial.forger(3).alter(&trial.forger(3).accuse(&like, Vec::new()), |forgery| {
                    forgery.sender = id(3);
                    forgery.body = [dealer.to_vec(), opening].concat();
                })];
            }
            _ => {}
        }
        vec![message]
    });
    (results, invitation)
}

#[test]
fn opening_a_good_ciphertext_names_the_accuser() {
    for suite in Suite::ALL {
        let (results, invitation) = opens_a_good_ciphertext(suite, [0, 1]);
        all_name_the_last(&results, Misbehaviour::FalseAccusation, &invitation, &[]);
    }
}

#[test]
fn accusing_somebody_who_does_not_deal_or_another_dealer_names_the_accuser() {
    for dealer in [[0, 2], [0, 9], [0, 3]] {
        let (results, invitation) = opens_a_good_ciphertext(Suite::Ed25519, dealer);
        all_name_the_last(&results, Misbehaviour::FalseAccusation, &invitation, &[]);
    }
}

/// A dealer that shows the judge another deal than the one that was accused.
#[test]
fn an_honest_accuser_cannot_be_framed_with_another_deal() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (invitation, _) = trial.invitation(suite, false);
        let mut good = None;
        let results = trial.run(&invitation, &mut |from, _, message| {
            if from == 2 && subject(&message) == "deal" {
                good = Some(message.clone());
                return vec![trial.forger(3).alter(&message, |forgery| {
                    let place = forgery.body.len() - ciphertext_from_end(1);
                    forgery.body[place] ^= 1;
                })];
            }
            vec![message]
        });
        let (_, _, evidence) = blame(&results[0]);
        let is_bad = |message: &Message| message.sender() == id(3) && subject(message) == "deal";
        let swapped =
            evidence.messages().iter().map(|one| if is_bad(one) { good.clone().unwrap() } else { one.clone() });
        let swapped: Vec<_> = swapped.collect();
        assert_ne!(swapped, evidence.messages());
        assert_eq!(Evidence::new(swapped).judge(&invitation, &[]).unwrap(), None);
        let only: Vec<_> = evidence.messages().iter().filter(|one| subject(one) != "join").cloned().collect();
        assert_eq!(Evidence::new(only).judge(&invitation, &[]).unwrap(), None);
    }
}
