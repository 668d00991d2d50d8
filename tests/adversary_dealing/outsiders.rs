//! Messages that are not of the run, or not by its members: they change nothing. And members that are two, or older.

use quorumkey::hazmat::{Forger, Forgery, subject};
use quorumkey::{Error, Evidence, MemoryStorage, Message, Misbehaviour, Misuse, NewCard, Reason, Rejection, Suite};

use super::*;

#[test]
fn strangers_copies_and_replays_are_rejected_and_the_run_succeeds() {
    for renewed in [false, true] {
        let trial = Trial::new(3);
        let (earlier, _) = trial.invitation(Suite::Ed25519, false);
        let replayed = recorded(&trial, &earlier);
        let stranger = Forger::new([99; 32]);
        let (invitation, _) = trial.invitation(Suite::Ed25519, renewed);
        let group = invitation.key().map_or([0; 32], |key| *key.as_bytes());
        let mut runs = trial.start(&invitation);
        let mut tried = 0;
        let mut said: Vec<Message> = Vec::new();
        let mut waiting: Vec<_> = runs.iter_mut().filter_map(quorumkey::Run::poll_transmit).collect();
        while !waiting.is_empty() {
            for message in &waiting {
                let own = usize::from(message.sender().get()) - 1;
                let forger = &trial.forgers[own];
                let hostile = [
                    (stranger.alter(message, |one| assert_eq!(one.group, group)), Rejection::Unauthentic),
                    (stranger.alter(message, |one| one.sender = id(9)), Rejection::Stranger),
                    (stranger.alter(message, |one| one.body.clear()), Rejection::Unauthentic),
                    (forger.alter(message, |one| one.epoch[0] ^= 1), Rejection::OtherGroup),
                    (forger.alter(message, |one| one.group[0] ^= 1), Rejection::OtherGroup),
                    (
                        forger.alter(message, |one| one.sender = id(message.sender().get() % 3 + 1)),
                        Rejection::Unauthentic,
                    ),
                ];
                for (to, run) in runs.iter_mut().enumerate() {
                    let replayed = replayed.iter().map(|one| (one.clone(), Rejection::OtherRun));
                    for (bad, expected) in hostile.iter().cloned().chain(replayed) {
                        tried += 1;
                        match run.handle(&bad) {
                            Err(Error::Rejected(rejection)) => assert_eq!(rejection, expected, "{bad:?} to {to}"),
                            other => panic!("{other:?} to {bad:?}"),
                        }
                    }
                }
            }
            said.append(&mut waiting);
            for (to, run) in runs.iter_mut().enumerate() {
                // Everything again, a member's own words to itself as well.
                for message in &said {
                    assert!(run.handle(message).is_ok(), "{message:?} to {to}");
                }
                waiting.extend(std::iter::from_fn(|| run.poll_transmit()));
            }
        }
        assert!(tried > 100);
        for (member, run) in trial.members.iter().zip(&mut runs) {
            let key = run.poll_output().unwrap();
            assert_eq!(member.key(key.id).state, quorumkey::KeyState::Active);
        }
    }
}

#[test]
fn a_second_token_with_a_members_identity_is_found_out() {
    let trial = Trial::new(3);
    let (invitation, chain) = trial.invitation(Suite::Ed25519, false);
    let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
    let copy = Member::new(trial.forger(3).store(storage, &init("member 3"), 0).unwrap());
    let mut runs = trial.start(&invitation);
    runs.push(copy.session.start(&invitation).unwrap());
    let results = exchange_over(&mut runs, &mut |_, _, message| vec![message]);
    for honest in &results[..2] {
        let (culprits, what, evidence) = blame(honest);
        assert_eq!((culprits, what), (vec![3], Misbehaviour::Equivocation));
        assert_eq!(evidence.judge(&invitation, &chain).unwrap().unwrap().culprits, [id(3)]);
    }
    for double in &results[2..] {
        let (culprits, what, _) = blame(double);
        assert_eq!((culprits, what), (vec![3], Misbehaviour::Cloned));
    }
}

fn with_counter(message: &Message, forger: &Forger, counter: u64) -> Message {
    forger.alter(message, |forgery: &mut Forgery| forgery.counter = counter)
}

#[test]
fn a_counter_below_what_was_shown_in_an_earlier_run_is_a_token_rolled_back() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, true);
    let mut runs = trial.start(&invitation);
    let mut older = None;
    let results = exchange_over(&mut runs, &mut |from, _, message| {
        // A join may be older than what another run has shown since; an answer to it may not.
        if from == 2 && subject(&message) == "deal" {
            vec![older.insert(with_counter(&message, trial.forger(3), 1)).clone()]
        } else {
            vec![message]
        }
    });
    for (run, result) in runs.iter_mut().zip(&results[..2]) {
        assert!(matches!(result, Err(Error::RolledBack { member }) if *member == id(3)), "{result:?}");
        let over = run.handle(older.as_ref().unwrap());
        assert!(matches!(over, Err(Error::Misuse(Misuse::NoSuchRun(_)))), "{over:?}");
    }
}

#[test]
fn the_highest_counter_of_a_run_is_the_lowest_of_the_next() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, true);
    let key = invitation.key().unwrap();
    let results = trial.run(&invitation, &mut |from, _, message| {
        let certifies = from == 2 && subject(&message) == "certify";
        vec![if certifies { with_counter(&message, trial.forger(3), 1000) } else { message }]
    });
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))), "{results:?}");
    let invitation = trial.members[0].session.invite_refresh(key, Vec::new()).unwrap();
    for result in &trial.run(&invitation, &mut |_, _, message| vec![message])[..2] {
        assert!(matches!(result, Err(Error::RolledBack { member }) if *member == id(3)), "{result:?}");
    }
}

/// Its next deal shows the very counter that its last run has shown as the highest.
#[test]
fn a_counter_that_an_earlier_run_has_shown_already_is_no_token_rolled_back() {
    let trial = Trial::new(3);
    let key = dkg(&trial.members, Suite::Ed25519, 2).id;
    let mut deals = Vec::new();
    for round in 0..4 {
        let invitation = trial.members[0].session.invite_refresh(key, Vec::new()).unwrap();
        let results = trial.run(&invitation, &mut |from, to, message| {
            let mut forged = message.clone();
            if (from, to) == (2, 0) && subject(&message) == "deal" {
                trial.forger(3).alter(&message, |forgery| deals.push(forgery.counter));
            }
            if from == 2 && subject(&message) == "certify" && round == 2 {
                forged = with_counter(&message, trial.forger(3), deals[2] + deals[1] - deals[0]);
            }
            vec![forged]
        });
        assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))), "{results:?}");
    }
    assert_eq!(deals[3] - deals[2], deals[1] - deals[0]);
}

#[test]
fn a_card_of_an_earlier_incarnation_is_a_token_rolled_back_and_a_later_one_begins_anew() {
    let trial = Trial::new(3);
    let key = dkg(&trial.members, Suite::Ed25519, 2).id;
    let cards = |incarnation| {
        let card = Forger::new([3; 32]).card("member 3", incarnation);
        vec![NewCard { identifier: id(3), card, reason: Reason::Lost }]
    };
    // Its token as if it had been restored, and a key of its own with it.
    let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
    let restored = Member::new(trial.forger(3).store(storage, &init("member 3"), 1).unwrap());
    let [first, second, _] = <[Member; 3]>::try_from(trial.members).unwrap_or_else(|_| panic!("three"));
    let group = [first, second, restored];
    dkg(&group, Suite::Ed25519, 2);
    let (session, other) = (&group[0].session, &group[1].session);
    let invitation = session.invite_refresh(key, cards(0)).unwrap();
    let refused = other.start(&invitation);
    assert!(matches!(refused, Err(Error::RolledBack { member }) if member == id(3)), "{refused:?}");
    let invitation = session.invite_refresh(key, cards(1)).unwrap();
    assert!(other.start(&invitation).is_ok());
}

#[test]
fn a_replaced_card_has_no_voice_in_the_refresh_that_replaces_it() {
    let trial = Trial::new(3);
    let key = dkg(&trial.members, Suite::Ed25519, 2).id;
    let fresh = Forger::new([77; 32]);
    let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
    let newcomer = Member::new(fresh.store(storage, &init("member 3 anew"), 0).unwrap());
    let card = NewCard { identifier: id(3), card: newcomer.card(), reason: Reason::Stolen };
    let invitation = trial.members[0].session.invite_refresh(key, vec![card]).unwrap();
    assert!(trial.members[2].session.start(&invitation).is_err());
    let [first, second, _old] = <[Member; 3]>::try_from(trial.members).unwrap_or_else(|_| panic!("three"));
    let group = [first, second, newcomer];
    let mut runs: Vec<_> = group.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let old = &trial.forgers[2];
    let results = exchange_over(&mut runs, &mut |_, _, message| vec![old.alter(&message, |_| {}), message]);
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))));
    sign(&group, key, &[2, 3], b"renewed");
}

#[test]
fn a_renewal_that_leaves_a_member_out_in_silence_is_refused() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, true);
    let fewer = trial.forger(1).without_receiver(&invitation, id(3));
    for member in &trial.members[..2] {
        let answer = member.session.start(&fewer);
        let unnamed = quorumkey::CertificateError::Contradiction("who leaves");
        assert!(matches!(answer, Err(Error::Certificate(why)) if why == unnamed));
    }
}

#[test]
fn garbage_without_end_costs_no_record() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, false);
    let mut runs = trial.start(&invitation);
    let own = runs[1].poll_transmit().unwrap();
    let records = |trial: &Trial| trial.members[0].session.audit(None, usize::MAX).unwrap().len();
    let before = records(&trial);
    let stranger = Forger::new([99; 32]);
    for number in 0..1000_u64 {
        let garbage = with_counter(&own, &stranger, number);
        assert!(matches!(runs[0].handle(&garbage), Err(Error::Rejected(_))));
    }
    assert_eq!(records(&trial), before);
}

/// Anybody can write messages in a member's name. Only what the member signed counts against it.
#[test]
fn nobody_is_framed_with_messages_that_somebody_else_signed() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Secp256k1, false);
    let join = trial.start(&invitation)[1].poll_transmit().unwrap();
    let twice = |signer: &Forger| Evidence::new([1, 2].map(|number| with_counter(&join, signer, number)).to_vec());
    let judge = |signer: &Forger| twice(signer).judge(&invitation, &[]).unwrap().map(|it| it.culprits);
    assert_eq!(judge(trial.forger(2)), Some(vec![id(2)]));
    for other in [&Forger::new([99; 32]), trial.forger(1), trial.forger(3)] {
        assert_eq!(judge(other), None);
    }
}
