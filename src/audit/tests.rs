//! Tests of the audit chain.

use super::*;

fn log(count: u64) -> (Head, Vec<Record>) {
    let genesis = Head::genesis(&[5; 16]);
    let mut head = genesis;
    let mut records = Vec::new();
    for number in 0..count {
        let event = Event::new(EventKind::RunStarted).run([1; 32]).detail(number.to_be_bytes().to_vec()).unwrap();
        let record = Record::append(&head, number + 1, event);
        head = record.head();
        records.push(record);
    }
    (genesis, records)
}

fn full() -> Record {
    let event = Event::new(EventKind::NonceClaimed).object([0xaa; 32]).run([0xbb; 32]).detail(vec![1, 2, 3]).unwrap();
    Record::append(&Head::genesis(&[5; 16]), 7, event)
}

#[test]
fn a_whole_log_verifies_from_any_record_on() {
    let (genesis, records) = log(5);
    let head = records[4].hash();
    assert_eq!(verify(&records, &genesis, head), Ok(()));
    assert_eq!(verify(&records[3..], &records[2].head(), head), Ok(()));
    assert_eq!(verify(&[], &genesis, genesis.digest), Ok(()));
}

#[test]
fn a_cut_is_found_wherever_it_is() {
    let (genesis, records) = log(5);
    let head = records[4].hash();
    for at in 0..5 {
        let mut cut = records.clone();
        cut.remove(at);
        let at = u64::try_from(at).unwrap();
        assert_eq!(verify(&cut, &genesis, head), Err(AuditError::Cut(at)));
    }
    assert_eq!(verify(&records[..2], &genesis, head), Err(AuditError::Cut(2)));
}

#[test]
fn an_edit_is_found_also_with_its_hash_computed_again() {
    let (genesis, records) = log(5);
    let head = records[4].hash();
    for at in 0..5 {
        let mut edited = records.clone();
        edited[at].event.kind = EventKind::RunFailed;
        let number = u64::try_from(at).unwrap();
        assert_eq!(verify(&edited, &genesis, head), Err(AuditError::Edited(number)));
        edited[at].hash = edited[at].computed_hash();
        let found = if at == 4 { AuditError::Cut(5) } else { AuditError::Edited(number + 1) };
        assert_eq!(verify(&edited, &genesis, head), Err(found));
    }
}

#[test]
fn records_that_changed_places_or_came_twice_are_found() {
    let (genesis, records) = log(5);
    let head = records[4].hash();
    for at in 0..4 {
        let mut moved = records.clone();
        moved.swap(at, at + 1);
        let number = u64::try_from(at + 1).unwrap();
        assert_eq!(verify(&moved, &genesis, head), Err(AuditError::Reordered(number)));
        let mut twice = records.clone();
        twice.insert(at, records[at].clone());
        assert_eq!(verify(&twice, &genesis, head), Err(AuditError::Reordered(number - 1)));
    }
    // Also where all are there before it.
    let again = [records.as_slice(), &records[4..]].concat();
    assert_eq!(verify(&again, &genesis, head), Err(AuditError::Reordered(4)));
}

#[test]
fn another_tokens_log_does_not_verify() {
    let (_, records) = log(2);
    let other = Head::genesis(&[6; 16]);
    assert_eq!(verify(&records, &other, records[1].hash()), Err(AuditError::Edited(0)));
}

#[test]
fn a_record_has_one_encoding() {
    let record = full();
    let bytes = record.to_bytes();
    assert_eq!(Record::from_bytes(&bytes), Ok(record));
    for cut in 0..bytes.len() {
        assert_eq!(Record::from_bytes(&bytes[..cut]), Err(DecodeError::Truncated));
    }
    assert_eq!(Record::from_bytes(&[&bytes[..], &[0]].concat()), Err(DecodeError::Trailing));
    for (at, value, error) in [
        (0, 2, DecodeError::Version(2)),
        (50, 0, DecodeError::Invalid("event kind")),
        (51, 2, DecodeError::Invalid("option")),
        (117, 0xff, DecodeError::TooLong),
    ] {
        let mut changed = bytes.clone();
        changed[at] = value;
        assert_eq!(Record::from_bytes(&changed), Err(error), "at {at}");
    }
    let said = |bytes| Event::new(EventKind::LoggedIn).detail(vec![0; bytes]);
    assert!(said(MAX_DETAIL).is_ok() && said(MAX_DETAIL + 1).is_err());
}

#[test]
fn every_kind_has_its_own_number() {
    for (number, kind) in (1..).zip(EventKind::ALL) {
        assert_eq!((kind.code(), EventKind::from_code(number)), (number, Some(*kind)));
    }
    assert_eq!(EventKind::from_code(0), None);
}

#[test]
fn the_format_is_frozen() {
    let record = full();
    assert_eq!(record.hash().to_string(), "0f1a9f5782f2212669c8954316675592ceb283a37d1df307564ce347409b1934");
    let expected = format!(
        "01{:016x}{}{:016x}{:04x}01{}01{}00000003010203{}",
        0,
        record.previous(),
        7,
        9,
        "aa".repeat(32),
        "bb".repeat(32),
        record.hash()
    );
    let bytes = record.to_bytes();
    assert_eq!(bytes.len() * 2, expected.len());
    for (byte, digits) in bytes.iter().zip(expected.as_bytes().chunks(2)) {
        assert_eq!(format!("{byte:02x}").as_bytes(), digits);
    }
}

#[test]
fn a_record_is_shown_to_people() {
    let event = Event::new(EventKind::LoginFailed).detail(vec![1]).unwrap();
    let record = Record::append(&Head { next: 3, digest: Digest([0; 32]) }, 9, event);
    assert_eq!(record.to_string(), "3 (state 9): login failed, detail 01");
}
