//! What a renewal must say, given the epoch that it renews.

use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::protocol::revision::tests::{card, epoch, id};
use crate::wire::Action;

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
    };
    change(&mut renewed);
    let Renewed { key, parent: named, height, label, roster, receivers, dealers, replaced } = renewed;
    let dealers = Roster::new(dealers).unwrap();
    let source = Source::Epoch {
        key,
        parent: named,
        roster,
        dealers,
        witnesses: None,
        replaced,
        losing: Vec::new(),
        undone: Vec::new(),
    };
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
fn a_certificate_with_an_endorsement_of_who_takes_no_part_is_refused() {
    let sample =
        crate::hazmat::sample_dealing(crate::Suite::Ed25519, &mut rand_chacha::ChaCha20Rng::from_seed([3; 32]));
    let mut certificate = Certificate::from_bytes(&sample.unwrap().certificate).unwrap();
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
