use super::super::plan::tests::{card, id, identity};
use super::*;

fn message(subject: Subject, body: Vec<u8>) -> Message {
    let header = Header {
        suite: Suite::Secp256k1Taproot,
        group: [1; 32],
        epoch: [2; 32],
        run: RunId::from_bytes([3; 32]),
        round: 4,
        sender: id(5),
        subject,
        counter: 6,
        audit_head: [7; 32],
        view: [8; 32],
    };
    Message::issue(header, body, &identity(5))
}

#[test]
fn every_subject_has_a_code_of_its_own() {
    for (code, subject) in (1..).zip(Subject::ALL) {
        assert_eq!((subject.code(), Subject::from_code(code)), (code, Some(subject)));
    }
    assert_eq!((Subject::from_code(0), Subject::from_code(15)), (None, None));
}

#[test]
fn a_message_reads_back_and_is_signed_by_its_sender_alone() {
    let message = message(Subject::Share, b"body".to_vec());
    let bytes = message.to_bytes();
    assert_eq!(Message::from_bytes(&bytes), Ok(message.clone()));
    assert_eq!((message.run_id(), message.sender(), message.round()), (RunId::from_bytes([3; 32]), id(5), 4));
    assert!(message.is_signed_by(&card(5)));
    assert!(!message.is_signed_by(&card(1)));
    // The signature is the last of it.
    for place in 0..bytes.len() - 64 {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert!(Message::from_bytes(&changed).map_or(true, |changed| !changed.is_signed_by(&card(5))), "byte {place}");
    }
}

#[test]
fn a_join_may_be_longer_than_what_follows() {
    let longer = |subject| Message::from_bytes(&message(subject, vec![0; Message::MAX_BODY + 1]).to_bytes());
    assert!(longer(Subject::Join).is_ok());
    assert_eq!(longer(Subject::Deal), Err(DecodeError::TooLong));
    assert!(Message::from_bytes(&message(Subject::Deal, vec![0; Message::MAX_BODY]).to_bytes()).is_ok());
}

#[test]
fn the_hash_of_a_round_changes_with_each_message_the_run_and_the_purpose() {
    let said = [message(Subject::Deal, vec![1]), message(Subject::Deal, vec![2])];
    let run = RunId::from_bytes([3; 32]);
    let hashes = [
        hash_messages("a", run, &said),
        hash_messages("b", run, &said),
        hash_messages("a", RunId::from_bytes([4; 32]), &said),
        hash_messages("a", run, &said[..1]),
        hash_messages("a", run, &[message(Subject::Deal, vec![1]), message(Subject::Deal, vec![3])]),
        said[0].digest(),
        said[1].digest(),
    ];
    for (place, one) in hashes.iter().enumerate() {
        assert!(!hashes[..place].contains(one), "hash {place}");
    }
}
