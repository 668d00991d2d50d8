//! What a renewal must say, given the epoch that it renews.

use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::hazmat::SampleDealing;
use crate::protocol::revision::tests::{card, epoch, id};
use crate::protocol::revision::{revise, vote};
use crate::secret::Secret;
use crate::wire::{Action, IdentityKey};

/// What of a plan a test changes.
struct Renewed {
    key: KeyId,
    parent: EpochId,
    height: u64,
    label: &'static str,
    roster: [u8; 32],
    receivers: Vec<(Identifier, Card)>,
    dealers: Vec<(Identifier, Card)>,
    replaced: Vec<Replaced>,
    losing: Vec<EpochId>,
    undone: Vec<Revision>,
}

fn members(numbers: &[(u16, u8)]) -> Vec<(Identifier, Card)> {
    numbers.iter().map(|(number, seed)| (id(*number), card(*seed))).collect()
}

/// Why the plan is refused that differs from a good one by that.
fn refused(change: impl FnOnce(&mut Renewed)) -> Result<(), CertificateError> {
    let parent = epoch();
    let all = || members(&[(1, 1), (2, 2), (3, 3)]);
    let mut renewed = Renewed {
        key: parent.key,
        parent: parent.id,
        height: 1,
        label: "a wallet",
        roster: parent.roster_hash,
        receivers: all(),
        dealers: all(),
        replaced: Vec::new(),
        losing: Vec::new(),
        undone: Vec::new(),
    };
    change(&mut renewed);
    let Renewed { key, parent: named, height, label, roster, receivers, dealers, replaced, losing, undone } = renewed;
    let dealers = Roster::new(dealers).unwrap();
    let source = Source::Epoch { key, parent: named, roster, dealers, witnesses: None, replaced, losing, undone };
    let (template, receivers) = (crate::wire::KeyTemplate::wallet(label), Roster::new(receivers).unwrap());
    let plan = DealPlan { suite: parent.suite(), threshold: 2, height, attempt: 1, template, receivers, source };
    check_succession(&plan, &parent)
}

#[test]
fn a_renewal_is_of_its_parent_and_of_nothing_else() {
    assert_eq!(refused(|_| {}), Ok(()));
    assert_eq!(refused(|plan| plan.key = KeyId::from_bytes([9; 32])), Err(CertificateError::Parent));
    assert_eq!(refused(|plan| plan.parent = EpochId::from_bytes([9; 32])), Err(CertificateError::Parent));
    let because = |what| Err(CertificateError::Contradiction(what));
    assert_eq!(refused(|plan| plan.height = 2), because("height"));
    assert_eq!(refused(|plan| plan.label = "another"), because("the template changed"));
    assert_eq!(refused(|plan| plan.roster = [9; 32]), because("another roster than the newest"));
}

#[test]
fn a_plan_that_ends_a_fork_stands_above_its_parent_and_undoes_what_that_does_not_go_by() {
    let because = |what| Err(CertificateError::Contradiction(what));
    let at = |height| refused(|plan| (plan.height, plan.losing) = (height, vec![EpochId::from_bytes([7; 32])]));
    assert_eq!([1, 2, 9].map(at), [Ok(()), Ok(()), Ok(())]);
    assert_eq!(at(0), because("height"));
    let (other, _) = revise(&epoch(), id(4), &card(9), None).unwrap();
    let undone = |revision: &Revision| refused(|plan| plan.undone = vec![revision.clone()]);
    assert_eq!(undone(&other), Ok(()));
    let of_another_key = Revision { key: KeyId::from_bytes([9; 32]), ..other.clone() };
    let gone_by = Revision { roster: epoch().roster_hash, ..other };
    for wrong in [of_another_key, gone_by] {
        assert_eq!(undone(&wrong), because("a revision that it goes by is undone"));
    }
}

fn sample_dealing() -> SampleDealing {
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
    crate::hazmat::sample_dealing(crate::Suite::Ed25519, &mut rng).unwrap()
}

fn sample() -> Certificate {
    Certificate::from_bytes(&sample_dealing().certificate).unwrap()
}

#[test]
fn an_endorsement_stands_once() {
    let certificate = sample();
    let before = Certificate::unsigned(certificate.plan.clone(), certificate.transcript().to_vec()).to_bytes();
    let (bytes, first) = (certificate.to_bytes(), before.len() - 4);
    let one = first..first + (bytes.len() - before.len()) / certificate.endorsers().count();
    let mut twice = bytes.clone();
    twice.splice(first..first, bytes[one].iter().copied());
    twice[first - 1] += 1;
    assert_eq!(Certificate::from_bytes(&twice), Err(DecodeError::Invalid("order of endorsements")));
}

#[test]
fn a_certificate_with_an_endorsement_of_who_takes_no_part_is_refused() {
    let mut certificate = sample();
    assert!(Certificate::from_bytes(&certificate.to_bytes()).is_ok());
    let junk = certificate.endorsement(id(1)).unwrap().clone();
    certificate.endorse(id(1000), junk);
    let refused = Certificate::from_bytes(&certificate.to_bytes());
    assert_eq!(refused, Err(DecodeError::Invalid("endorsement of who takes no part")));
}

#[test]
fn who_deals_is_of_the_parent_and_at_hand_and_enough() {
    let because = |what| Err(CertificateError::Contradiction(what));
    let stranger = members(&[(1, 1), (2, 2), (4, 4)]);
    assert_eq!(refused(|plan| plan.dealers = stranger), because("a dealer or witness is not of the epoch before"));
    assert_eq!(refused(|plan| plan.dealers = members(&[(1, 1)])), because("the dealers are too few"));
    for (reason, answer) in [(Reason::Routine, Ok(())), (Reason::Stolen, because("a lost or stolen device deals"))] {
        let leaves = refused(|plan| {
            plan.receivers = members(&[(1, 1), (2, 2)]);
            plan.replaced = vec![Replaced { identifier: id(3), card: card(3).id(), reason }];
        });
        assert_eq!(leaves, answer);
    }
}

#[test]
fn a_certificate_of_another_transcript_is_another() {
    let plan = Plan { inviter: id(1), randomness: [1; 32], action: Action::Deal(epoch().plan) };
    let of = |transcript: &[u8]| Certificate::unsigned(plan.clone(), transcript.to_vec());
    assert!(of(b"one") == of(b"one") && of(b"one") != of(b"two"));
}

#[test]
fn a_revision_that_excludes_one_stands_behind_those_before_both() {
    let mut certificate = sample();
    let seeds = sample_dealing().seeds;
    let signed = |revision: &Revision| {
        let vote = |(at, seed): (u16, &[u8; 32])| (id(at), vote(&IdentityKey::from_seed(Secret::new(*seed)), revision));
        SignedRevision { revision: revision.clone(), signatures: (1..).zip(&seeds).map(vote).collect() }
    };
    let before = certificate.epoch().unwrap();
    let (first, after) = revise(&before, id(4), &card(9), None).unwrap();
    let [second, other] = [10, 11].map(|seed| revise(&after, id(5), &card(seed), None).unwrap().0);
    certificate.revise(signed(&first)).unwrap();
    let (mut with_other, mut with_second) = (certificate.clone(), certificate);
    with_other.revise(signed(&other)).unwrap();
    with_second.revise(signed(&second)).unwrap();
    assert_eq!(with_second.with_other(signed(&other)), Some(with_other));
}
