//! Whoever brings a key can't deal another one, nor bad shares, nor another chain code.

use quorumkey::hazmat::{Forger, body, subject};
use quorumkey::{Error, Judgement, MemoryStorage, Misbehaviour};

use super::*;

/// Three members; the third brings the key, and its identity is known to the test.
fn trial() -> (Vec<Member>, Forger) {
    let forger = Forger::new([3; 32]);
    let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
    let mut members = group(2);
    members.push(Member::new(forger.store(storage, &init("the dealer"), 0).unwrap()));
    (members, forger)
}

/// The dealer's deal is changed for all, or for the first member alone. Everybody who saw it names the dealer, and whoever
/// judges what they show does as well.
fn all_name_the_dealer(suite: Suite, to_all: bool, misbehaviour: Misbehaviour, change: impl Fn(&mut Vec<u8>)) {
    let (members, forger) = trial();
    let old = scalar(suite, 2);
    let invitation = invite(&members, 2, &old);
    let mut runs = start(&members, 2, &invitation, old);
    let results = exchange_over(&mut runs, &mut |from, to, message| {
        // Its token is honest: what that says next would tell of the deal that nobody was given.
        if from == 2 && to_all && message.round() > 1 {
            return Vec::new();
        }
        let altered = from == 2 && subject(&message) == "deal" && (to_all || to == 0);
        vec![if altered { forger.alter(&message, |forgery| change(&mut forgery.body)) } else { message }]
    });
    for result in &results[..2] {
        let Err(Error::PeerMisbehaved { culprits, misbehaviour: what, evidence }) = result else {
            panic!("{result:?}")
        };
        assert_eq!((culprits.as_slice(), *what), ([id(3)].as_slice(), misbehaviour));
        let judged = evidence.judge(&invitation, &[]).unwrap();
        assert_eq!(judged, Some(Judgement { culprits: vec![id(3)], misbehaviour }));
    }
    for member in &members[..2] {
        let keys = member.session.find(&quorumkey::Filter::default()).unwrap();
        assert!(keys.iter().all(|key| key.state == quorumkey::KeyState::Pending), "{keys:?}");
    }
}

const fn element(suite: Suite) -> usize {
    if matches!(suite, Suite::Ed25519) { 32 } else { 33 }
}

#[test]
fn a_dealer_that_deals_another_key_than_the_plan_says_is_named() {
    for suite in Suite::ALL {
        let len = element(suite);
        all_name_the_dealer(suite, true, Misbehaviour::Constant, |deal| deal.copy_within(len..2 * len, 0));
    }
}

#[test]
fn a_dealer_that_does_not_prove_that_it_knows_the_key_is_named() {
    for suite in Suite::ALL {
        let len = element(suite);
        // Another last coefficient: the proof covers the whole commitment.
        all_name_the_dealer(suite, true, Misbehaviour::ProofOfPossession, |deal| deal.copy_within(0..len, len));
    }
}

#[test]
fn an_import_to_another_threshold_than_the_plan_says_is_named() {
    for suite in Suite::ALL {
        let len = element(suite);
        all_name_the_dealer(suite, true, Misbehaviour::CommitmentLength, |deal| {
            deal.splice(..0, deal[..len].to_vec());
        });
        all_name_the_dealer(suite, true, Misbehaviour::CommitmentLength, |deal| _ = deal.drain(..len));
    }
}

#[test]
fn a_bad_share_of_an_imported_key_is_accused_and_judged_by_all() {
    for suite in Suite::ALL {
        for victim in [1, 2] {
            all_name_the_dealer(suite, true, Misbehaviour::SealedShare, |deal| {
                // From the end: length, share, payload and tag of each receiver.
                let place = deal.len() - ((4 - victim) * (8 + 32 + 32 + 16) - 8);
                deal[place] ^= 1;
            });
        }
    }
}

/// An import whose joins the first two members see, that of the dealer changed: what the first says of it.
fn join_with(
    members: &[Member],
    forger: &Forger,
    (suite, least): (Suite, u32),
    change: impl Fn(&mut Vec<u8>),
) -> Error {
    let (old, template) = (scalar(suite, 2), KeyTemplate::wallet("an old wallet"));
    let import = Import { key: &old, threshold: 2, members: roster(members), template, least_attempt: least };
    let invitation = members[2].session.invite_import(import).unwrap();
    let mut runs = start(members, 2, &invitation, old);
    let results = exchange_over(&mut runs, &mut |from, _, message| {
        let altered = from == 2 && subject(&message) == "join";
        vec![if altered { forger.alter(&message, |forgery| change(&mut forgery.body)) } else { message }]
    });
    pardon(members);
    results.into_iter().next().unwrap().unwrap_err()
}

#[track_caller]
fn is_malformed(error: &Error) -> bool {
    let Error::PeerMisbehaved { culprits, misbehaviour, .. } = error else { panic!("{error:?}") };
    *misbehaviour == Misbehaviour::Malformed && *culprits == [id(3)]
}

/// Where a join begins to tell of the past: contribution, commitment, run key, proof, restored, overridden.
const fn past(suite: Suite) -> usize {
    64 + 2 * element(suite) + 32 + 2
}

/// There is no epoch yet whose rules an officer could lift.
#[test]
fn who_says_that_the_rules_of_an_import_are_lifted_is_named() {
    for suite in Suite::ALL {
        let (members, forger) = trial();
        let lifted = join_with(&members, &forger, (suite, 0), |join| join[past(suite) - 1] = 1);
        assert!(is_malformed(&lifted), "{lifted:?}");
    }
}

/// Rule 2: whoever has signed an attempt at a place signs no other there, also where the other members know of none.
#[test]
fn who_tells_of_another_import_at_the_place_of_this_one_is_named() {
    for suite in Suite::ALL {
        let (others, _) = trial();
        let invitation = invite(&others, 2, &scalar(suite, 2));
        exchange_over(&mut start(&others, 2, &invitation, scalar(suite, 2)), &mut |_, to, message| {
            if to == 2 && subject(&message) == "certify" { Vec::new() } else { vec![message] }
        });
        let next = invite(&others, 2, &scalar(suite, 2));
        let mut run = others[2].session.start_import(&next, scalar(suite, 2)).unwrap();
        let report = body(&run.poll_transmit().unwrap())[past(suite)..].to_vec();
        assert_eq!(report[..4], [0, 0, 0, 1]);
        let (members, forger) = trial();
        for (least, same) in [(1, true), (2, false)] {
            let told = join_with(&members, &forger, (suite, least), |join| {
                join.truncate(past(suite));
                join.extend(&report);
            });
            assert_eq!(is_malformed(&told), same, "{told:?}");
        }
    }
}

#[test]
fn two_imports_shown_to_two_members_name_the_dealer() {
    for suite in Suite::ALL {
        all_name_the_dealer(suite, false, Misbehaviour::Equivocation, |deal| {
            let place = deal.len() - (2 * (8 + 32 + 32 + 16) - 8);
            deal[place] ^= 1;
        });
    }
}
