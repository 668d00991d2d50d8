//! What signers say.

use quorumkey::Coordinator;
use quorumkey::hazmat::body;

use super::*;

/// A byte of the share, after the package's hash, that leaves it canonical in every suite. Two liars that change one
/// place may cancel each other out, and the signature is good.
const SHARE: usize = 32 + 12;

#[test]
fn every_wrong_share_is_named_and_no_right_one() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 2, 4);
        for liars in [&[3][..], &[1, 3], &[1, 2, 3]] {
            let invitation = group.invitation(4);
            let results = exchange_over(&mut group.start(&invitation, 4), &mut |from, _, message| {
                let lies = liars.contains(&from) && subject(&message) == "share";
                let change = |one: &mut quorumkey::hazmat::Forgery| one.body[SHARE + from] ^= 1;
                vec![if lies { group.forgers[from].alter(&message, change) } else { message }]
            });
            let numbers: Vec<_> = (1..).zip(0..4).filter(|(_, place)| liars.contains(place)).map(|one| one.0).collect();
            for honest in (0..4).filter(|member| !liars.contains(member)) {
                let (culprits, what, evidence) = blame(&results[honest]);
                assert_eq!((&culprits, what), (&numbers, Misbehaviour::SignatureShare));
                let judged = evidence.judge(&invitation, &group.chain()).unwrap().unwrap();
                let culprits = numbers.iter().copied().map(id).collect();
                assert_eq!(judged, Judgement { culprits, misbehaviour: Misbehaviour::SignatureShare });
            }
        }
    }
}

#[test]
fn a_wrong_share_is_named_beside_one_that_cannot_be_read() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 2, 4);
        let results = exchange_over(&mut group.start(&group.invitation(4), 4), &mut |from, _, message| {
            if subject(&message) != "share" || from < 2 {
                return vec![message];
            }
            vec![
                group.forgers[from]
                    .alter(&message, |one| if from == 2 { one.body[SHARE] ^= 1 } else { one.body[32..].fill(0xff) }),
            ]
        });
        for result in &results[..2] {
            assert_eq!(blame(result).0, [3, 4]);
        }
    }
}

#[test]
fn a_share_that_answers_another_package_or_is_no_scalar_names_its_sender() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 2, 3);
        for change in [
            (|bytes| bytes[0] ^= 1) as fn(&mut Vec<u8>),
            |bytes| bytes[32..].fill(0xff),
            |bytes| bytes.clear(),
            |bytes| bytes.push(0),
            |bytes| _ = bytes.pop(),
        ] {
            let results = group.run(&group.invitation(3), 3, &[2], "share", change);
            for result in &results[..2] {
                let (culprits, what, _) = blame(result);
                assert_eq!((culprits, what), (vec![3], Misbehaviour::Malformed));
            }
        }
    }
}

#[test]
fn commitments_that_are_no_points_name_their_sender_and_nobody_signs() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 2, 3);
        for change in [
            // All zeros is the identity of secp256k1 in some encodings, and of order 4 on the other curve.
            (|bytes| bytes.fill(0)) as fn(&mut Vec<u8>),
            |bytes| {
                bytes.fill(0);
                bytes[0] = 1;
            },
            |bytes| bytes.fill(0xff),
            |bytes| bytes.clear(),
            |bytes| _ = bytes.pop(),
            |bytes| bytes.push(0),
        ] {
            let results = exchange_over(&mut group.start(&group.invitation(3), 3), &mut |from, _, message| {
                assert!(from == 2 || subject(&message) == "commit", "nobody signs");
                let lies = from == 2 && subject(&message) == "commit";
                vec![if lies { group.forgers[2].alter(&message, |one| change(&mut one.body)) } else { message }]
            });
            for result in &results[..2] {
                let (culprits, what, _) = blame(result);
                assert_eq!((culprits, what), (vec![3], Misbehaviour::Malformed));
            }
        }
    }
}

/// The shares that honest members make then answer different packages. That is no fault of theirs.
#[test]
fn two_commitments_shown_to_two_members_name_their_sender_and_no_honest_signer() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 2, 3);
        for same_words in [true, false] {
            let (invitation, chain) = (group.invitation(3), group.chain());
            let mut said = Vec::new();
            let results = exchange_over(&mut group.start(&invitation, 3), &mut |from, to, message| {
                let other = group.forgers[2].alter(&message, |one| {
                    one.counter += 1;
                    let half = one.body.len() / 2;
                    if !same_words {
                        one.body.rotate_left(half);
                    }
                });
                let lies = from == 2 && to == 1 && subject(&message) == "commit";
                let sent = if lies { other } else { message };
                said.push(sent.clone());
                vec![sent]
            });
            for result in &results[..2] {
                let (culprits, what, evidence) = blame(result);
                assert_eq!((culprits, what), (vec![3], Misbehaviour::Equivocation));
                assert_eq!(evidence.judge(&invitation, &chain).unwrap().unwrap().culprits, [id(3)]);
            }
            // Nor is either judged by the other's package.
            let of = |sender: u16, about: &str, nth: usize| {
                said.iter().filter(|one| one.sender() == id(sender) && subject(one) == about).nth(nth).unwrap().clone()
            };
            for honest in [1, 2] {
                for nth in [0, 1] {
                    let commits = [of(1, "commit", 0), of(2, "commit", 0), of(3, "commit", nth)];
                    let shown = Evidence::new([commits.as_slice(), &[of(honest, "share", 0)]].concat());
                    assert_eq!(shown.judge(&invitation, &chain).unwrap(), None);
                }
            }
        }
    }
}

#[test]
fn what_was_said_in_another_run_is_rejected_and_said_again_it_names_its_sender() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    let mut replayed = Vec::new();
    exchange_over(&mut group.start(&group.invitation(3), 3), &mut |_, to, message| {
        if to == 0 {
            replayed.push(message.clone());
        }
        vec![message]
    });
    let results = exchange_over(&mut group.start(&group.invitation(3), 3), &mut |_, _, message| {
        replayed.iter().cloned().chain([message]).collect()
    });
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))), "the run goes on");
    let old = |about: &str| replayed.iter().find(|one| one.sender() == id(3) && subject(one) == about).unwrap();
    let results = exchange_over(&mut group.start(&group.invitation(3), 3), &mut |from, _, message| {
        if from != 2 || subject(&message) == "dispute" {
            return vec![message];
        }
        let body = body(old(subject(&message))).to_vec();
        vec![group.forgers[2].alter(&message, |one| one.body = body)]
    });
    for result in &results[..2] {
        assert_eq!(blame(result).0, [3]);
    }
}

#[test]
fn a_coordinator_makes_nothing_up_and_names_every_culprit() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 2, 3);
        let stranger = Forger::new([99; 32]);
        let invitation = group.invitation(3);
        let mut honest = Coordinator::new(&invitation, &group.chain()).unwrap();
        let mut lied_to = Coordinator::new(&invitation, &group.chain()).unwrap();
        let mut verdict = None;
        exchange_over(&mut group.start(&invitation, 3), &mut |from, to, message| {
            if to == usize::from(from == 0) {
                let forged = stranger.alter(&message, |_| {});
                assert!(matches!(honest.handle(&forged), Err(Error::Rejected(_))));
                honest.handle(&message).unwrap();
                let lies = from > 0 && subject(&message) == "share";
                let change = |one: &mut quorumkey::hazmat::Forgery| one.body[SHARE + from] ^= 1;
                let told = if lies { group.forgers[from].alter(&message, change) } else { message.clone() };
                verdict = Some(lied_to.handle(&told));
            }
            vec![message]
        });
        group.key.verifying_key.verify(MESSAGE, &honest.poll_output().unwrap()).unwrap();
        assert!(lied_to.poll_output().is_none());
        let (culprits, what, _) = blame(&verdict.unwrap().map(|()| None));
        assert_eq!((culprits, what), (vec![2, 3], Misbehaviour::SignatureShare));
    }
}

#[test]
fn fewer_members_than_the_threshold_get_no_signature() {
    let group = Group::new(Suite::Ed25519, 3, 4);
    let invitation = group.invitation(3);
    let mut runs = group.start(&invitation, 2);
    let results = exchange_over(&mut runs, &mut |_, _, message: Message| vec![message]);
    assert!(results.iter().all(|result| matches!(result, Ok(None))));
    assert_eq!(runs[0].progress().awaiting, [id(3)]);
}
