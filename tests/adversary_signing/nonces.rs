//! A nonce is used once, and its use is on record before a share leaves.

use core::time::Duration;

use quorumkey::audit::{EventKind, Record};
use quorumkey::hazmat::set_clock_ahead;
use quorumkey::{KeyId, Misuse};

use super::device::{Crash, Device, devices, log_in, snapshot};
use super::*;

fn claims(member: &Member) -> Vec<Record> {
    let records = member.session.audit(None, 10_000).unwrap();
    records.into_iter().filter(|record| record.event().kind() == EventKind::NonceClaimed).collect()
}

fn begin(members: &[Member], key: KeyId) -> (Vec<Run<Signing>>, Vec<Message>) {
    let invitation = members[0].session.invite_sign(key, &[id(1), id(2)], MESSAGE).unwrap();
    let start = |member: &Member| member.session.start_sign(&invitation, MESSAGE).unwrap();
    let mut runs: Vec<_> = members[..2].iter().map(start).collect();
    let commits = runs.iter_mut().map(|run| run.poll_transmit().unwrap()).collect();
    (runs, commits)
}

#[test]
fn each_share_leaves_after_the_record_of_its_nonce() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    let mut seen = Vec::new();
    for signature in 0..3 {
        let (mut runs, commits) = begin(&group.members, group.key.id);
        assert_eq!(claims(&group.members[0]).len(), signature);
        runs[0].handle(&commits[1]).unwrap();
        // The same words again, and its own, make no second share.
        for repeated in &commits {
            runs[0].handle(repeated).unwrap();
        }
        let recorded = claims(&group.members[0]);
        assert_eq!(recorded.len(), signature + 1);
        let share = runs[0].poll_transmit().unwrap();
        assert_eq!((subject(&share), runs[0].poll_transmit()), ("share", None));
        seen.push(recorded.last().unwrap().event().details()[..32].to_vec());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "no commitment twice");
}

#[test]
fn nonces_are_used_within_ten_minutes_or_never() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    let (mut runs, commits) = begin(&group.members, group.key.id);
    set_clock_ahead(Duration::from_secs(300));
    runs[0].handle(&commits[1]).unwrap();
    assert_eq!(subject(&runs[0].poll_transmit().unwrap()), "share");
    set_clock_ahead(Duration::from_secs(601));
    let late = runs[1].handle(&commits[0]);
    assert!(matches!(late, Err(Error::Misuse(Misuse::NoncesExpired))), "{late:?}");
    assert_eq!((runs[1].poll_transmit(), claims(&group.members[1]).len()), (None, 0));
    set_clock_ahead(Duration::ZERO);
}

#[test]
fn a_claim_that_cannot_be_written_ends_the_run_before_a_share_leaves() {
    let mut group = devices(3);
    let members = log_in(&mut group);
    let key = dkg(&members, Suite::Ed25519, 2);
    drop(members);
    let from = snapshot(&group);
    for (done, dies) in [(false, true), (true, true), (false, false), (true, false)] {
        let mut devices: Vec<_> = from.iter().map(|contents| Device::new(contents)).collect();
        let members = log_in(&mut devices);
        let (mut runs, commits) = begin(&members, key.id);
        devices[0].fuse.arm(Crash { write: 0, done, dies });
        let failed = runs[0].handle(&commits[1]);
        assert!(matches!(failed, Err(Error::Storage(_))), "{failed:?}");
        assert_eq!(runs[0].poll_transmit(), None);
        runs[0].resend();
        let again: Vec<_> = std::iter::from_fn(|| runs[0].poll_transmit()).collect();
        assert_eq!(again, commits[..1]);
        assert!(runs[0].handle(&commits[1]).is_err(), "the run is dead");
        drop((runs, members));
        let members = log_in(&mut devices);
        assert_eq!(claims(&members[0]).len(), usize::from(done));
        sign(&members, key.id, &[1, 2], MESSAGE);
    }
}

#[test]
fn nonces_die_with_their_session_and_are_not_on_record() {
    let group = Group::new(Suite::Ed25519, 2, 3);
    let invitation = group.invitation(2);
    let (_first, session) = {
        let session = group.members[1].store.login(&user_pin()).unwrap();
        (session.start_sign(&invitation, MESSAGE).unwrap(), session)
    };
    session.logout().unwrap();
    let again = group.members[1].session.start_sign(&invitation, MESSAGE);
    assert!(matches!(again, Err(Error::Misuse(Misuse::RunEnteredBefore(_)))), "{again:?}");
    assert!(claims(&group.members[1]).is_empty());
}
