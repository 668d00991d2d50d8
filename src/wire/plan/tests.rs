use super::*;
use crate::secret::Secret;
use crate::suite::GroupKey;
use crate::wire::{
    Card, CardId, Derivation, DerivationPath, EpochId, IdentityKey, KeyId, KeyTemplate, Revision, Roster,
};

pub(in crate::wire) fn id(number: u16) -> Identifier {
    Identifier::new(number).unwrap()
}

pub(in crate::wire) fn identity(number: u16) -> IdentityKey {
    let mut seed = [0; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    IdentityKey::from_seed(Secret::new(seed))
}

pub(in crate::wire) fn card(number: u16) -> Card {
    Card::issue(&identity(number), 0, String::new())
}

fn roster(members: &[(u16, u16)]) -> Roster {
    Roster::new(members.iter().map(|(number, identity)| (id(*number), card(*identity))).collect()).unwrap()
}

fn group_key() -> GroupKey {
    let mut base = [0x66; 32];
    base[0] = 0x58;
    GroupKey::from_bytes(Suite::Ed25519, &base).unwrap()
}

fn revision(identifier: u16, replaced: Option<(CardId, Reason)>) -> Revision {
    Revision {
        key: KeyId::from_bytes([1; 32]),
        epoch: EpochId::from_bytes([2; 32]),
        number: 5,
        identifier: id(identifier),
        replaced,
        card: card(identifier),
        share: vec![6; 32],
        roster: [u8::try_from(identifier).unwrap(); 32],
    }
}

pub(in crate::wire) fn fresh() -> DealPlan {
    DealPlan {
        suite: Suite::Ed25519,
        threshold: 2,
        height: 0,
        attempt: 0,
        template: KeyTemplate::wallet("savings"),
        receivers: roster(&[(1, 1), (2, 2), (3, 3)]),
        source: Source::Fresh,
    }
}

pub(in crate::wire) fn import() -> DealPlan {
    let source = Source::Import { group_key: group_key(), chain_hash: [3; 32], dealers: roster(&[(2, 2)]) };
    DealPlan { attempt: 5, source, ..fresh() }
}

/// Members 1 to 4 become 1, 2 and 6: 3 only signs, 4 is absent.
pub(in crate::wire) fn renewal() -> DealPlan {
    let replaced = [(2, Reason::Routine), (3, Reason::Lost), (4, Reason::Stolen), (5, Reason::Destroyed)];
    let replaced =
        replaced.map(|(member, reason)| Replaced { identifier: id(member), card: card(member).id(), reason });
    let source = Source::Epoch {
        key: KeyId::from_bytes([1; 32]),
        parent: EpochId::from_bytes([2; 32]),
        roster: [4; 32],
        dealers: roster(&[(1, 1), (2, 2)]),
        witnesses: Some(roster(&[(3, 3)])),
        replaced: replaced.to_vec(),
        losing: vec![EpochId::from_bytes([5; 32]), EpochId::from_bytes([6; 32])],
        undone: vec![revision(7, None), revision(8, Some((card(9).id(), Reason::Stolen)))],
    };
    DealPlan { height: 1, receivers: roster(&[(1, 1), (2, 2), (6, 6)]), source, ..fresh() }
}

fn party() -> Party {
    Party {
        suite: Suite::Secp256k1Taproot,
        key: KeyId::from_bytes([1; 32]),
        epoch: EpochId::from_bytes([2; 32]),
        roster: [4; 32],
        purpose: "payroll".to_owned(),
        signers: vec![id(1), id(3)],
    }
}

pub(in crate::wire) fn sign() -> SignPlan {
    let derivation = Derivation { path: DerivationPath::new(&[3, 7]).unwrap(), root: Some([8; 32]) };
    let prepared = Some(Prepared { batch: RunId::from_bytes([9; 32]), index: 258 });
    SignPlan { party: party(), derivation, offset: Some([7; 32]), prepared, message: b"pay".to_vec() }
}

pub(in crate::wire) fn prepare() -> PreparePlan {
    PreparePlan { party: party(), count: MAX_BATCH }
}

pub(in crate::wire) fn reconstruct() -> ReconstructPlan {
    let (key, epoch) = (KeyId::from_bytes([1; 32]), EpochId::from_bytes([2; 32]));
    ReconstructPlan { suite: Suite::Secp256k1, key, epoch, roster: [4; 32], members: vec![id(1), id(3)] }
}

pub(in crate::wire) fn repair() -> RepairPlan {
    RepairPlan {
        suite: Suite::Ed25519,
        revision: revision(2, Some((card(9).id(), Reason::Destroyed))),
        roster: roster(&[(1, 1), (2, 2), (3, 3)]),
        helpers: vec![id(1), id(3)],
        delivers: true,
    }
}

pub(in crate::wire) fn plan(action: Action) -> Plan {
    Plan { inviter: id(2), randomness: [10; 32], action }
}

fn read_back(action: Action) -> Result<Action, DecodeError> {
    Plan::from_bytes(&plan(action).to_bytes()).map(|plan| plan.action)
}

/// The renewal with other lists.
fn renewal_with(change: impl Fn(&mut Vec<Replaced>, &mut Vec<EpochId>, &mut Vec<Revision>)) -> DealPlan {
    let mut plan = renewal();
    if let Source::Epoch { replaced, losing, undone, .. } = &mut plan.source {
        change(replaced, losing, undone);
    }
    plan
}

/// The renewal with other dealers, and others that only sign.
fn renewal_by(by: &[(u16, u16)], signing: &[(u16, u16)]) -> DealPlan {
    let mut plan = renewal();
    if let Source::Epoch { dealers, witnesses, .. } = &mut plan.source {
        (*dealers, *witnesses) = (roster(by), Some(roster(signing)));
    }
    plan
}

#[test]
fn every_plan_reads_back_and_none_that_is_cut_or_longer() {
    let plain = Derivation::default();
    let actions = [
        Action::Deal(fresh()),
        Action::Deal(import()),
        Action::Deal(renewal()),
        Action::Sign(sign()),
        Action::Sign(SignPlan { derivation: plain, offset: None, prepared: None, ..sign() }),
        Action::Prepare(prepare()),
        Action::Prepare(PreparePlan { count: 1, ..prepare() }),
        Action::Reconstruct(reconstruct()),
        Action::Repair(repair()),
        Action::Repair(RepairPlan { revision: revision(2, None), delivers: false, ..repair() }),
    ];
    for action in actions {
        let bytes = plan(action.clone()).to_bytes();
        assert_eq!(Plan::from_bytes(&bytes), Ok(plan(action)));
        for cut in 0..bytes.len() {
            assert!(Plan::from_bytes(&bytes[..cut]).is_err());
        }
        assert_eq!(Plan::from_bytes(&[bytes.as_slice(), &[0]].concat()), Err(DecodeError::Trailing));
    }
}

#[test]
fn a_dealing_that_breaks_a_rule_is_refused() {
    let gap = roster(&[(1, 1), (2, 2), (4, 4)]);
    let imported = |dealers: &[(u16, u16)], suite| {
        let source = Source::Import { group_key: group_key(), chain_hash: [3; 32], dealers: roster(dealers) };
        DealPlan { suite, source, ..import() }
    };
    let witnessed_by_a_dealer = renewal_by(&[(1, 1), (2, 2)], &[(2, 2)]);
    let cases = [
        (DealPlan { threshold: 1, ..fresh() }, "threshold"),
        (DealPlan { threshold: 4, ..fresh() }, "threshold"),
        (DealPlan { receivers: gap.clone(), ..fresh() }, "identifiers of a new key"),
        (DealPlan { receivers: gap, ..import() }, "identifiers of a new key"),
        (DealPlan { height: 1, ..fresh() }, "height"),
        (DealPlan { attempt: 1, ..fresh() }, "height"),
        (DealPlan { height: 1, ..import() }, "height"),
        (DealPlan { attempt: 0, ..import() }, "height"),
        (DealPlan { height: 0, ..renewal() }, "height"),
        (DealPlan { height: 0, attempt: 1, ..renewal() }, "height"),
        (imported(&[(1, 1), (2, 2)], Suite::Ed25519), "dealer"),
        (imported(&[(2, 9)], Suite::Ed25519), "dealer"),
        (imported(&[(9, 9)], Suite::Ed25519), "dealer"),
        (imported(&[(2, 2)], Suite::Secp256k1), "dealer"),
        (renewal_by(&[(1, 1), (2, 9)], &[(3, 3)]), "dealers"),
        (witnessed_by_a_dealer, "dealers"),
    ];
    for (plan, fault) in cases {
        assert_eq!(plan.check(), Err(DecodeError::Invalid(fault)), "{plan:?}");
    }
    for plan in [DealPlan { threshold: 3, ..fresh() }, DealPlan { attempt: 1, ..renewal() }] {
        assert_eq!(plan.check(), Ok(()), "{plan:?}");
    }
    assert_eq!(read_back(Action::Deal(DealPlan { threshold: 1, ..fresh() })), Err(DecodeError::Invalid("threshold")));
}

#[test]
fn everybody_who_deals_receives_or_only_signs_takes_part_once() {
    let everybody = roster(&[(1, 1), (2, 2), (3, 3), (6, 6)]);
    assert_eq!(renewal().participants(), Some(everybody));
    assert_eq!(renewal_by(&[(1, 1), (4, 4)], &[(3, 3)]).participants().map(|all| all.len()), Some(5));
    assert_eq!(renewal().witnesses(), Some(&roster(&[(3, 3)])));
    assert_eq!(renewal().losing().len(), 2);
    assert_eq!((fresh().losing(), fresh().witnesses()), ([].as_slice(), None));
}

#[test]
fn lists_are_ascending_and_name_nobody_twice() {
    let swapped = [
        (renewal_with(|replaced, _, _| replaced.swap(0, 1)), "order of replaced members"),
        (renewal_with(|replaced, _, _| replaced.insert(0, replaced[0])), "order of replaced members"),
        (renewal_with(|_, losing, _| losing.swap(0, 1)), "order of losing epochs"),
        (renewal_with(|_, losing, _| losing.insert(0, losing[0])), "order of losing epochs"),
        (renewal_with(|_, _, undone| undone.swap(0, 1)), "order of undone revisions"),
        (renewal_with(|_, _, undone| undone.insert(0, undone[0].clone())), "order of undone revisions"),
    ];
    for (plan, fault) in swapped {
        assert_eq!(read_back(Action::Deal(plan)), Err(DecodeError::Invalid(fault)));
    }
    for wrong in [vec![], vec![id(1)], vec![id(1), id(1)], vec![id(3), id(1)]] {
        let signers = Party { signers: wrong.clone(), ..party() };
        let signed = read_back(Action::Sign(SignPlan { party: signers, ..sign() }));
        assert_eq!(signed, Err(DecodeError::Invalid("signers")));
        let together = read_back(Action::Reconstruct(ReconstructPlan { members: wrong.clone(), ..reconstruct() }));
        assert_eq!(together, Err(DecodeError::Invalid("members")));
        let helped = read_back(Action::Repair(RepairPlan { helpers: wrong, ..repair() }));
        assert_eq!(helped, Err(DecodeError::Invalid("helpers")));
    }
}

#[test]
fn nonces_are_made_for_at_least_one_signature_and_at_most_a_batch() {
    for count in [0, MAX_BATCH + 1] {
        let refused = read_back(Action::Prepare(PreparePlan { count, ..prepare() }));
        assert_eq!(refused, Err(DecodeError::Invalid("number of nonces")));
    }
}

#[test]
fn a_repair_is_by_other_members_and_for_the_card_of_its_revision() {
    for helpers in [vec![id(1), id(2)], vec![id(1), id(9)]] {
        let refused = read_back(Action::Repair(RepairPlan { helpers, ..repair() }));
        assert_eq!(refused, Err(DecodeError::Invalid("helpers")));
    }
    let others_card = Revision { card: card(3), ..revision(2, None) };
    for revision in [others_card, Revision { identifier: id(9), ..revision(2, None) }] {
        let plan = RepairPlan { revision, delivers: false, ..repair() };
        assert_eq!(plan.check(), Err(DecodeError::Invalid("card of the member that is helped")));
    }
    assert_eq!(repair().participants(), Some(repair().roster));
    let only_signed = RepairPlan { delivers: false, ..repair() };
    assert_eq!(only_signed.participants(), Some(roster(&[(1, 1), (3, 3)])));
}

#[test]
fn codes_that_nothing_has_are_refused() {
    for code in [0, 5, u8::MAX] {
        assert_eq!(Reason::from_code(code), None);
    }
    for action in [0, 6, u8::MAX] {
        let mut bytes = plan(Action::Deal(fresh())).to_bytes();
        bytes[35] = action;
        assert_eq!(Plan::from_bytes(&bytes), Err(DecodeError::Invalid("action")));
    }
    let mut bytes = plan(Action::Deal(fresh())).to_bytes();
    bytes[0] = 2;
    assert_eq!(Plan::from_bytes(&bytes), Err(DecodeError::Version(2)));
}

#[test]
fn a_plan_for_more_than_a_certificate_has_room_for_is_refused() {
    let receivers = Roster::numbered((1..=MAX_MEMBERS).map(card)).unwrap();
    let plan = |threshold| DealPlan { threshold, receivers: receivers.clone(), ..fresh() };
    assert_eq!(plan(750).check(), Ok(()));
    assert_eq!(plan(751).check(), Err(DecodeError::TooLong));
}
