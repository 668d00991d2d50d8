//! The last rounds: signatures on the transcript, views of the round before, and who has the certificate.

use quorumkey::hazmat::subject;
use quorumkey::{CertificateError, KeyState, Misbehaviour, NewCard, Reason, Rejection, Roster, Suite};

use super::*;

/// Where the two signatures begin in an endorsement, after the epoch's name.
const IDENTITY: usize = 32;
const RUN_KEY: usize = 32 + 64 + 4;

#[test]
fn a_wrong_signature_on_the_transcript_names_its_sender() {
    for suite in Suite::ALL {
        for renewed in [false, true] {
            for place in [0, IDENTITY, IDENTITY + 63, RUN_KEY, RUN_KEY + 40] {
                let trial = Trial::new(3);
                let (invitation, chain) = trial.invitation(suite, renewed);
                let results = trial.run_with_body(&invitation, "certify", |bytes| bytes[place] ^= 1);
                all_blame_the_last(&results, Misbehaviour::TranscriptSignature);
                // By the other one nobody can see it without the transcript.
                if place < RUN_KEY {
                    all_name_the_last(&results, Misbehaviour::TranscriptSignature, &invitation, &chain);
                }
            }
        }
    }
}

#[test]
fn signatures_that_are_cut_or_of_somebody_else_name_their_sender() {
    let trial = Trial::new(3);
    for change in [(|bytes| bytes.clear()) as fn(&mut Vec<u8>), |bytes| bytes.push(0), |bytes| bytes.truncate(96)] {
        let (invitation, _) = trial.invitation(Suite::Ed25519, false);
        let results = trial.run_with_body(&invitation, "certify", change);
        all_name_the_last(&results, Misbehaviour::TranscriptSignature, &invitation, &[]);
    }
    let (invitation, _) = trial.invitation(Suite::Ed25519, false);
    let mut of_first = Vec::new();
    let results = trial.run(&invitation, &mut |from, _, message| {
        if from == 0 && subject(&message) == "certify" {
            of_first = quorumkey::hazmat::body(&message).to_vec();
        }
        let endorses = from == 2 && subject(&message) == "certify";
        vec![if endorses { trial.forger(3).alter(&message, |one| one.body.clone_from(&of_first)) } else { message }]
    });
    all_name_the_last(&results, Misbehaviour::TranscriptSignature, &invitation, &[]);
}

#[test]
fn every_liar_about_the_transcript_is_named_and_nobody_else() {
    let trial = Trial::new(4);
    let invitation = dkg_invitation(&trial.members, Suite::Ed25519, 2);
    let results = trial.run(&invitation, &mut |from, _, message| {
        let lies = (from == 1 || from == 3) && subject(&message) == "certify";
        let forger = &trial.forgers[from];
        vec![if lies { forger.alter(&message, |forgery| forgery.body[IDENTITY] ^= 1) } else { message }]
    });
    for honest in [0, 2] {
        let (culprits, what, evidence) = blame(&results[honest]);
        assert_eq!((culprits, what), (vec![2, 4], Misbehaviour::TranscriptSignature));
        assert_eq!(evidence.messages().len(), 2);
    }
}

#[test]
fn who_is_denied_a_signature_completes_with_the_certificate_of_another() {
    for suite in Suite::ALL {
        for renewed in [false, true] {
            for bad in [false, true] {
                let trial = Trial::new(3);
                let (invitation, _) = trial.invitation(suite, renewed);
                let mut runs = trial.start(&invitation);
                let results = exchange_over(&mut runs, &mut |from, to, message| {
                    if (from, to, subject(&message)) != (2, 1, "certify") {
                        return vec![message];
                    }
                    if !bad {
                        return Vec::new();
                    }
                    vec![trial.forger(3).alter(&message, |forgery| forgery.body[RUN_KEY] ^= 1)]
                });
                let key = results[0].as_ref().unwrap().clone().unwrap();
                if bad {
                    let (culprits, what, _) = blame(&results[1]);
                    assert_eq!((culprits, what), (vec![3], Misbehaviour::TranscriptSignature));
                } else {
                    assert!(matches!(results[1], Ok(None)));
                    assert_eq!(runs[1].progress().awaiting, [id(3)]);
                }
                let behind = &trial.members[1].session;
                assert_ne!(behind.key(key.id).unwrap().pending, []);
                let completed = behind.complete(&trial.members[0].session.certificate(key.id).unwrap()).unwrap();
                assert_eq!((completed.epoch, completed.state), (key.epoch, KeyState::Active));
                sign(&trial.members, key.id, &[1, 2], b"all the same");
            }
        }
    }
}

#[test]
fn a_view_that_is_lied_about_names_nobody_honest() {
    for about in ["deal", "certify"] {
        let trial = Trial::new(3);
        let (invitation, _) = trial.invitation(Suite::Ed25519, false);
        let mut runs = trial.start(&invitation);
        let results = exchange_over(&mut runs, &mut |from, _, message| {
            let lies = from == 2 && subject(&message) == about;
            vec![if lies { trial.forger(3).alter(&message, |forgery| forgery.view[0] ^= 1) } else { message }]
        });
        for (result, run) in results.iter().zip(&runs).take(2) {
            match result {
                // It is for member 3 to show what it saw.
                Ok(None) => assert_eq!(run.progress().awaiting, [id(3)]),
                other => assert_eq!(blame(other).0, [3]),
            }
        }
    }
}

#[test]
fn a_view_that_its_own_messages_contradict_names_its_sender() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, false);
    let mut honest = Vec::new();
    let results = trial.run(&invitation, &mut |from, _, message| {
        let forger = trial.forger(3);
        if from < 2 {
            honest.push(message.clone());
        }
        match (from, subject(&message)) {
            (2, "certify") => vec![forger.alter(&message, |forgery| forgery.view[0] ^= 1)],
            // It shows in the end what the others saw as well.
            (0 | 1, "dispute") => vec![message.clone(), forger.alter(&message, |forgery| forgery.sender = id(3))],
            _ => vec![message],
        }
    });
    all_name_the_last(&results, Misbehaviour::FalseView, &invitation, &[]);
    // Who disputed it had claimed to see what it shows.
    assert!(honest.iter().any(|message| subject(message) == "dispute"));
    assert_eq!(quorumkey::Evidence::new(honest).judge(&invitation, &[]).unwrap(), None);
}

#[test]
fn a_view_in_the_first_round_or_a_place_that_is_none_names_its_sender() {
    let trial = Trial::new(3);
    for change in [
        (|forgery| forgery.view[0] ^= 1) as fn(&mut quorumkey::hazmat::Forgery),
        |forgery| forgery.round = 1,
        |forgery| forgery.round = 9,
        |forgery| forgery.round = u8::MAX,
    ] {
        let (invitation, _) = trial.invitation(Suite::Ed25519, false);
        let results = trial.run(&invitation, &mut |from, _, message| {
            let joins = from == 2 && subject(&message) == "join";
            vec![if joins { trial.forger(3).alter(&message, change) } else { message }]
        });
        all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &[]);
    }
}

#[test]
fn a_dispute_made_of_garbage_names_its_sender_and_one_of_forged_messages_nobody() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, false);
    // A dispute to work from: of a run that fails by two joins.
    let mut dispute = None;
    let _ = trial.run(&invitation, &mut |from, to, message| {
        if subject(&message) == "dispute" {
            dispute = Some(message.clone());
        }
        let other = from == 2 && to == 1 && subject(&message) == "join";
        vec![if other { trial.forger(3).alter(&message, |forgery| forgery.counter += 1) } else { message }]
    });
    let dispute = dispute.unwrap();
    for garbage in [true, false] {
        let (invitation, _) = trial.invitation(Suite::Ed25519, false);
        let results = trial.run(&invitation, &mut |from, _, message| {
            if from != 2 || subject(&message) != "certify" {
                return vec![message];
            }
            let said = trial.forger(3).alter(&dispute, |forgery| {
                (forgery.run, forgery.sender) = (message.run_id(), id(3));
                if garbage {
                    forgery.body = vec![1; 20];
                } else {
                    // What "member 1" said, signed by member 3 instead.
                    let framed = trial.forger(3).alter(&message, |one| (one.sender, one.round) = (id(1), 0));
                    let framed = framed.to_bytes();
                    let len = u32::try_from(framed.len()).unwrap().to_be_bytes();
                    forgery.body = [&1u32.to_be_bytes(), len.as_slice(), framed.as_slice()].concat();
                }
            });
            vec![said, message]
        });
        if garbage {
            all_name_the_last(&results, Misbehaviour::Malformed, &invitation, &[]);
        } else {
            // It contradicts the view that its sender had claimed.
            all_name_the_last(&results, Misbehaviour::FalseView, &invitation, &[]);
        }
    }
}

#[test]
fn strangers_that_certify_the_same_key_do_not_erase_a_pending_share() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let (invitation, _) = trial.invitation(suite, false);
        let results = trial.run(&invitation, &mut |from, to, message| {
            if (from, to, subject(&message)) == (2, 1, "certify") { Vec::new() } else { vec![message] }
        });
        let key = results[0].as_ref().unwrap().clone().unwrap();
        let genuine = trial.members[0].session.certificate(key.id).unwrap();
        let strangers: Vec<_> = (101..=103).map(|seed| Forger::new([seed; 32])).collect();
        let forged = Forger::counterfeit(&strangers, &genuine).unwrap();
        assert_eq!(forged.key_id().unwrap(), key.id);
        let behind = &trial.members[1].session;
        let refused = behind.complete(&forged);
        assert!(matches!(refused, Err(Error::Certificate(CertificateError::Parent))), "{refused:?}");
        assert_eq!(behind.complete(&genuine).unwrap().state, KeyState::Active);
        sign(&trial.members, key.id, &[1, 2], b"all the same");
    }
}

/// The body of a dispute that shows these messages.
fn showing(messages: &[&Message]) -> Vec<u8> {
    let mut body = u32::try_from(messages.len()).unwrap().to_be_bytes().to_vec();
    for message in messages.iter().map(|message| message.to_bytes()) {
        body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend(message);
    }
    body
}

#[test]
fn who_disputes_a_round_is_not_shown_to_have_spoken_twice_in_it() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, false);
    let results = trial.run(&invitation, &mut |from, to, message| {
        let forger = trial.forger(3);
        match (from, to, subject(&message)) {
            (2, _, "deal") => vec![forger.alter(&message, |forgery| forgery.view[0] ^= 1)],
            // Member 3 shows member 1's own dispute beside its join, as if they were two joins.
            (0, 1, "dispute") => vec![forger.alter(&message, |forgery| {
                (forgery.sender, forgery.body) = (id(3), showing(&[&message]));
            })],
            _ => vec![message],
        }
    });
    let (culprits, what, _) = blame(&results[1]);
    assert_eq!((culprits, what), (vec![3], Misbehaviour::FalseView));
}

/// Else whoever spoke with two tongues would stay unnamed where the others still wait.
#[test]
fn who_has_its_output_tells_once_what_it_saw_of_a_disputed_round() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, false);
    let (mut runs, mut said) = (trial.start(&invitation), Vec::new());
    let results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 0 {
            said.push(message.clone());
        }
        vec![message]
    });
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))), "{results:?}");
    for round in [0, 2] {
        let of = |number| said.iter().find(|one| (one.round(), one.sender()) == (round, id(number))).unwrap();
        let other = trial.forger(3).alter(of(3), |forgery| forgery.counter += 1);
        let dispute = trial.forger(2).alter(of(2), |forgery| {
            (forgery.subject, forgery.body) = ("dispute", showing(&[&other]));
        });
        runs[0].handle(&dispute).unwrap();
        let answer = runs[0].poll_transmit().unwrap();
        assert_eq!((subject(&answer), answer.round()), ("dispute", round));
        let again = runs[0].handle(&dispute);
        assert!(matches!(again, Err(Error::Rejected(Rejection::Unexpected))), "{again:?}");
        assert!(runs[0].poll_transmit().is_none());
    }
}

#[test]
fn who_tells_of_two_joins_after_a_later_round_is_not_taken_for_a_liar() {
    let mut trial = Trial::new(4);
    let key = dkg(&trial.members, Suite::Ed25519, 2).id;
    trial.members[3] = Member::in_memory("member 4 anew");
    let card = NewCard { identifier: id(4), card: trial.members[3].card(), reason: Reason::Lost };
    let invitation = trial.members[0].session.invite_refresh(key, vec![card]).unwrap();
    let results = trial.run(&invitation, &mut |from, to, message| match (from, to, subject(&message)) {
        // Only the newcomer, who does not deal, sees the other join, and finds out when the others are a round further.
        (2, 3, "join") => vec![trial.forger(3).alter(&message, |forgery| forgery.counter += 1)],
        // Member 1 hears of it first, and tells member 2.
        (3, 1, "dispute") => Vec::new(),
        _ => vec![message],
    });
    assert_eq!(blame(&results[0]).0, [3]);
    assert!(matches!(results[1], Ok(None)) || blame(&results[1]).0 == [3], "{:?}", results[1]);
}

/// The certificate of a refresh in which the first member heard of nobody's signature.
fn missed_by_the_first(trial: &Trial, suite: Suite) -> Certificate {
    let (invitation, _) = trial.invitation(suite, true);
    trial.run(&invitation, &mut |_, to, message| {
        if to == 0 && subject(&message) == "certify" { Vec::new() } else { vec![message] }
    });
    trial.members[1].session.certificate(invitation.key().unwrap()).unwrap()
}

/// Rule 5 holds for who reads a certificate later as well: all its members together can't make one that counts.
#[test]
fn a_certificate_that_passes_over_an_attempt_is_refused_whoever_signed_it() {
    for suite in Suite::ALL {
        let trial = Trial::new(3);
        let genuine = missed_by_the_first(&trial, suite);
        let strangers =
            Roster::numbered([81, 82, 83].map(|seed| Forger::new([seed; 32]).card("a stranger", 0))).unwrap();
        let session = &trial.members[0].session;
        let passing = Forger::naming(&trial.forgers, &genuine, &strangers).unwrap();
        let refused = session.complete(&passing);
        let why = CertificateError::Contradiction("an attempt that others may go on from is passed over");
        assert!(matches!(&refused, Err(Error::Certificate(error)) if *error == why), "{refused:?}");
        // Nothing else is wrong with it: an attempt that its members could end may stand in it.
        let ended = Forger::naming(&trial.forgers, &genuine, &roster(&trial.members)).unwrap();
        assert_eq!(session.complete(&ended).unwrap().epoch, ended.epoch_id());
    }
}

/// Others can make up any number of dealings. What is kept of them has a bound, or liars could fill the record until nobody
/// can read it, or write it.
#[test]
fn whatever_others_make_up_the_record_of_a_key_keeps_so_much_and_no_more() {
    for (told, kept) in [((20, false, None), 16), ((140, true, None), 131)] {
        let trial = Trial::new(3);
        let genuine = missed_by_the_first(&trial, Suite::Ed25519);
        let telling = Forger::telling(&trial.forgers, &genuine, told).unwrap();
        let key = trial.members[0].session.complete(&telling).unwrap();
        let told = key.old_epochs.iter().filter(|old| old.holders.len() >= 998);
        assert_eq!(told.count(), kept);
    }
}

/// That there was a dealing a token knows for itself that dealt in it, and to whom, whatever liars have signed and made up.
#[test]
fn what_this_token_dealt_in_goes_by_the_name_of_what_others_signed_where_that_has_no_room() {
    let trial = Trial::new(3);
    let (invitation, _) = trial.invitation(Suite::Ed25519, true);
    trial.run(&invitation, &mut |_, to, message| {
        if to == 0 && subject(&message) == "deal" { Vec::new() } else { vec![message] }
    });
    let key = invitation.key().unwrap();
    let next = trial.members[0].session.invite_refresh(key, Vec::new()).unwrap();
    trial.run(&next, &mut |_, to, message| {
        if to == 0 && subject(&message) == "certify" { Vec::new() } else { vec![message] }
    });
    let genuine = trial.members[1].session.certificate(key).unwrap();
    let told = (140, true, Some(invitation.run_id()));
    let telling = Forger::telling(&trial.forgers, &genuine, told).unwrap();
    let key = trial.members[0].session.complete(&telling).unwrap();
    let known = key.old_epochs.iter().find(|old| *old.epoch.as_bytes() == [u8::MAX; 32]).unwrap();
    let holders: Vec<_> = known.identifiers().collect();
    assert!(holders.starts_with(&[id(2), id(3)]) && holders.len() < 998, "{} holders", holders.len());
}
