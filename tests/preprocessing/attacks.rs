//! Members that show two lists, coordinators that use one pair twice, and devices that fail.

use quorumkey::hazmat::{Forger, body, subject};
use quorumkey::{Error, Evidence, Judgement, KeyInfo, MemoryStorage, Misbehaviour, Misuse, Suite};

use crate::device::{Crash, Device, devices, log_in, snapshot};
use crate::refused;
use crate::*;

struct Group {
    members: Vec<Member>,
    forgers: Vec<Forger>,
    key: KeyInfo,
}

impl Group {
    fn new(suite: Suite, n: u8) -> Self {
        let forgers: Vec<_> = (1..=n).map(|seed| Forger::new([seed; 32])).collect();
        let member = |forger: &Forger| {
            let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
            Member::new(forger.store(storage, &init("a member"), 0).unwrap())
        };
        let members: Vec<_> = forgers.iter().map(member).collect();
        let key = dkg(&members, suite, 2);
        Self { members, forgers, key }
    }
}

/// Two messages for one pair of nonces give the share away.
#[test]
fn a_coordinator_that_uses_one_pair_for_two_messages_is_refused() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 2);
        let kept = Kept::new(&group.members, group.key.id, 4);
        let first = invite(&group.members[0], &kept.batch, &[1, 2], b"a");
        let second = group.forgers[0].reinvite(&invite(&group.members[0], &kept.batch, &[1, 2], b"b"), |plan| {
            plan.prepared = Some((kept.batch.id, 0));
        });
        let victim = &group.members[1];
        let mut run = victim.session.start_sign(&first, b"a").unwrap();
        let share = run.poll_transmit().unwrap();
        refused!(victim.session.start_sign(&second, b"b"), Error::Misuse(Misuse::NoNonces));
        refused!(victim.session.start_sign(&first, b"a"), Error::Misuse(Misuse::RunEnteredBefore(_)));
        run.resend();
        assert_eq!((run.poll_transmit(), run.poll_transmit()), (Some(share), None));
        drop(run);
        refused!(victim.session.start_sign(&second, b"b"), Error::Misuse(Misuse::NoNonces));
        assert_eq!(claims(victim).len(), 1);
        // Nor is there a pair beyond the last, or one of another run.
        for (batch, index) in [(kept.batch.id, 4), (kept.batch.id, u16::MAX), (first.run_id(), 0)] {
            let wrong = group.forgers[0].reinvite(&first, |plan| plan.prepared = Some((batch, index)));
            let answered = victim.session.start_sign(&wrong, b"a");
            assert!(matches!(answered, Err(Error::Misuse(_))), "{answered:?}");
        }
        // A run that only makes fresh ones is no batch either.
        let fresh = victim.session.invite_sign(group.key.id, &[id(1), id(2)], b"c").unwrap();
        let held = victim.session.start_sign(&fresh, b"c").unwrap();
        let wrong = group.forgers[0].reinvite(&first, |plan| plan.prepared = Some((held.id(), 0)));
        refused!(victim.session.start_sign(&wrong, b"a"), Error::Misuse(Misuse::NoSuchRun(_)));
        assert_eq!(claims(victim).len(), 1);
    }
}

#[test]
fn a_batch_is_of_its_key_alone() {
    let group = Group::new(Suite::Ed25519, 2);
    let other = dkg(&group.members, Suite::Ed25519, 2).id;
    let kept = Kept::new(&group.members, other, 1);
    let signing = group.members[0].session.invite_sign(group.key.id, &[id(1), id(2)], MESSAGE).unwrap();
    let wrong = group.forgers[0].reinvite(&signing, |plan| plan.prepared = Some((kept.batch.id, 0)));
    refused!(group.members[1].session.start_sign(&wrong, MESSAGE), Error::Misuse(Misuse::NoNonces));
    drop(invite(&group.members[1], &kept.batch, &[1, 2], MESSAGE));
}

/// Nothing is ready before it shows, so no honest share ever answers another package than the others'.
#[test]
fn two_lists_shown_to_two_members_name_their_sender_and_nothing_is_kept() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 3);
        let invitation = propose(&group.members, group.key.id, 2);
        let mut runs: Vec<_> =
            group.members.iter().map(|one| one.session.start_preprocess(&invitation).unwrap()).collect();
        let results = exchange_over(&mut runs, &mut |from, to, message| {
            if from != 2 || subject(&message) != "prepare" {
                return vec![message];
            }
            // To the second it shows its pairs in another order.
            let swap = |body: &mut Vec<u8>| {
                let half = body.len() / 2;
                body.rotate_left(half);
            };
            vec![if to == 1 { group.forgers[2].alter(&message, |one| swap(&mut one.body)) } else { message }]
        });
        let chain = group.members[0].session.certificates(group.key.id).unwrap();
        for result in &results[..2] {
            let Err(Error::PeerMisbehaved { culprits, misbehaviour, evidence }) = result else { panic!("{result:?}") };
            assert_eq!((culprits.as_slice(), *misbehaviour), ([id(3)].as_slice(), Misbehaviour::Equivocation));
            let judged = evidence.judge(&invitation, &chain).unwrap().unwrap();
            assert_eq!(judged.culprits, [id(3)]);
        }
    }
}

type Change = fn(&mut Vec<u8>);

#[test]
fn lists_that_are_no_points_or_of_another_length_and_words_that_say_more_name_their_sender() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 2);
        let changes: [(&str, Change); 6] = [
            ("prepare", |body| body.clear()),
            ("prepare", |body| body.truncate(body.len() / 2)),
            ("prepare", |body| body.push(2)),
            ("prepare", |body| body.fill(0xff)),
            ("prepare", |body| {
                let again = body.clone();
                body.extend(again);
            }),
            // That it has the lists of all.
            ("ready", |body| body.push(1)),
        ];
        for (about, change) in changes {
            pardon(&group.members);
            let invitation = propose(&group.members, group.key.id, 2);
            let start = |one: &Member| one.session.start_preprocess(&invitation).unwrap();
            let mut runs: Vec<_> = group.members.iter().map(start).collect();
            let mut heard = Vec::new();
            let results = exchange_over(&mut runs, &mut |from, _, message| {
                let lies = from == 1 && subject(&message) == about;
                heard.push(message.clone());
                vec![if lies { group.forgers[1].alter(&message, |one| change(&mut one.body)) } else { message }]
            });
            let Err(Error::PeerMisbehaved { culprits, misbehaviour, evidence }) = &results[0] else {
                panic!("{results:?}")
            };
            assert_eq!((culprits.as_slice(), *misbehaviour), ([id(2)].as_slice(), Misbehaviour::Malformed));
            let chain = group.members[0].session.certificates(group.key.id).unwrap();
            assert_eq!(evidence.judge(&invitation, &chain).unwrap().unwrap().culprits, [id(2)]);
            // What was said in good order proves nothing.
            assert_eq!(Evidence::new(heard).judge(&invitation, &chain).unwrap(), None);
        }
    }
}

#[test]
fn a_wrong_share_with_prepared_nonces_is_proven_by_the_messages_of_the_batch() {
    for suite in Suite::ALL {
        let group = Group::new(suite, 3);
        let kept = Kept::new(&group.members, group.key.id, 4);
        drop(invite(&group.members[0], &kept.batch, &[1, 2], b"another"));
        let invitation = invite(&group.members[0], &kept.batch, &[1, 2, 3], MESSAGE);
        let start = |one: &Member| one.session.start_sign(&invitation, MESSAGE).unwrap();
        let mut runs: Vec<_> = group.members.iter().map(start).collect();
        let results = exchange_over(&mut runs, &mut |from, _, message| {
            vec![if from == 1 { group.forgers[1].alter(&message, |one| one.body[44] ^= 1) } else { message }]
        });
        let chain = group.members[0].session.certificates(group.key.id).unwrap();
        for honest in [0, 2] {
            let Err(Error::PeerMisbehaved { culprits, evidence, .. }) = &results[honest] else { panic!("{results:?}") };
            assert_eq!(culprits, &[id(2)]);
            let judged = evidence.judge(&invitation, &chain).unwrap().unwrap();
            let guilty = Judgement { culprits: vec![id(2)], misbehaviour: Misbehaviour::SignatureShare };
            assert_eq!(judged, guilty);
            // With another signature's name the same messages prove nothing.
            let other = invite(&group.members[0], &kept.batch, &[1, 2, 3], b"a third");
            assert_eq!(evidence.judge(&other, &chain).unwrap(), None);
            // And nothing of a share, where the same was said as something else; but that is no word of such a run.
            let mut said = evidence.messages().to_vec();
            let place = |about| said.iter().position(|one| (subject(one), one.sender()) == (about, id(2))).unwrap();
            let (share, prepared) = (place("share"), place("prepare"));
            said[share] = group.forgers[1].replace(&said[share], &said[prepared], body(&said[share]).to_vec());
            let malformed = Judgement { culprits: vec![id(2)], misbehaviour: Misbehaviour::Malformed };
            assert_eq!(Evidence::new(said).judge(&invitation, &chain).unwrap(), Some(malformed));
        }
    }
}

#[test]
fn a_claim_that_cannot_be_written_ends_the_run_before_a_share_leaves_and_the_pair_is_gone() {
    let mut group = devices(2);
    let members = log_in(&mut group);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    drop(members);
    let from = snapshot(&group);
    for done in [false, true] {
        let mut devices: Vec<_> = from.iter().map(|contents| Device::new(contents)).collect();
        let members = log_in(&mut devices);
        let kept = Kept::new(&members, key, 2);
        let invitation = invite(&members[0], &kept.batch, &[1, 2], MESSAGE);
        devices[0].fuse.arm(Crash { write: 0, done, dies: false });
        let failed = members[0].session.start_sign(&invitation, MESSAGE);
        assert!(matches!(failed, Err(Error::Storage(_))), "{failed:?}");
        let again = members[0].session.start_sign(&invitation, MESSAGE);
        assert!(matches!(again, Err(Error::Misuse(Misuse::NoNonces | Misuse::RunEnteredBefore(_)))), "{again:?}");
        assert_eq!(claims(&members[0]).len(), usize::from(done));
        // The next pair is there.
        let next = invite(&members[0], &kept.batch, &[1, 2], MESSAGE);
        let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&next, MESSAGE).unwrap());
        exchange(&mut runs);
    }
}
