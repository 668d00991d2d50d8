//! Dealers that cheat when shares go to other members with another threshold.

use quorumkey::hazmat::{Forgery, subject};
use quorumkey::{Misbehaviour, Reshare, Suite};

use super::*;

/// Five members with forgeable identities; the first three have a 2-of-3 key, and it is to be 3-of-5. Member 3 is the liar.
fn to_five(suite: Suite) -> (Trial, Invitation, Vec<Certificate>) {
    let trial = Trial::new(5);
    let key = dkg(&trial.members[..3], suite, 2);
    let session = &trial.members[0].session;
    let wider = Reshare { threshold: 3, members: roster(&trial.members), ..Reshare::of(&key) };
    let invitation = session.invite_reshare(key.id, wider).unwrap();
    let chain = session.certificates(key.id).unwrap();
    (trial, invitation, chain)
}

/// Everybody honest names member 3, old members and new ones, and so does whoever judges the evidence.
#[track_caller]
fn all_name_the_third(
    results: &[Result<Option<KeyInfo>, Error>],
    misbehaviour: Misbehaviour,
    invitation: &Invitation,
    chain: &[Certificate],
) {
    assert_eq!(results.len(), 5);
    for at in [0, 1, 3, 4] {
        let (culprits, what, evidence) = blame(&results[at]);
        assert_eq!((culprits, what), (vec![3], misbehaviour), "member {}", at + 1);
        let judgement = evidence.judge(invitation, chain).unwrap();
        assert_eq!(judgement, Some(Judgement { culprits: vec![id(3)], misbehaviour }));
    }
}

/// The old threshold's length among them: it would leave the threshold where it was.
#[test]
fn a_commitment_of_other_than_the_new_thresholds_length_is_named() {
    for suite in Suite::ALL {
        for points in [0, 1, 2, 4] {
            let (trial, invitation, chain) = to_five(suite);
            let len = element(suite);
            let results = trial.run_with_body(&invitation, "deal", |bytes| {
                let commitment: Vec<_> = bytes.drain(..3 * len).collect();
                let changed: Vec<u8> = commitment.iter().copied().cycle().take(points * len).collect();
                bytes.splice(..0, changed);
            });
            all_name_the_third(&results, Misbehaviour::CommitmentLength, &invitation, &chain);
        }
    }
}

#[test]
fn a_constant_other_than_the_dealers_part_of_the_old_key_is_named() {
    for suite in Suite::ALL {
        let (trial, invitation, chain) = to_five(suite);
        let len = element(suite);
        let results = trial.run_with_body(&invitation, "deal", |bytes| bytes.copy_within(len..2 * len, 0));
        all_name_the_third(&results, Misbehaviour::Constant, &invitation, &chain);
    }
}

/// A new member is dealt a share that does not open. It knows nobody, and its accusation counts.
#[test]
fn a_new_member_accuses_whoever_sealed_it_a_wrong_share() {
    for suite in Suite::ALL {
        let (trial, invitation, chain) = to_five(suite);
        let results = trial.run(&invitation, &mut |from, _, message| match (from, subject(&message)) {
            (2, "deal") => vec![trial.forger(3).alter(&message, |forgery| {
                let last = forgery.body.len() - 1;
                forgery.body[last] ^= 1;
            })],
            // The token behind the liar is honest, and would say that it dealt otherwise.
            (2, "certify" | "dispute") => Vec::new(),
            _ => vec![message],
        });
        all_name_the_third(&results, Misbehaviour::SealedShare, &invitation, &chain);
    }
}

#[test]
fn two_joins_or_two_deals_shown_to_old_and_new_members_name_their_sender() {
    for suite in Suite::ALL {
        for about in ["join", "deal"] {
            let (trial, invitation, chain) = to_five(suite);
            let results = trial.run(&invitation, &mut |from, to, message| {
                let other = from == 2 && to >= 3 && subject(&message) == about;
                let again = |forgery: &mut Forgery| forgery.counter += 1;
                vec![if other { trial.forger(3).alter(&message, again) } else { message }]
            });
            all_name_the_third(&results, Misbehaviour::Equivocation, &invitation, &chain);
        }
    }
}
