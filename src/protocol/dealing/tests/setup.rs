//! What is refused before anybody deals.

use super::*;

fn new<C: Ciphersuite>(
    threshold: u16,
    dealers: &[Participant<C>],
    receivers: &[Participant<C>],
    constants: Option<BTreeMap<Identifier, C::Element>>,
) -> Result<Ceremony<C>, DealingError> {
    Ceremony::new(b"context".to_vec(), threshold, dealers.to_vec(), receivers.to_vec(), constants)
}

fn refused<T: core::fmt::Debug>(result: Result<T, DealingError>, expected: &str) {
    match result {
        Err(DealingError::Setup(rule)) => assert_eq!(rule, expected),
        other => panic!("{other:?}"),
    }
}

fn a_ceremony_that_breaks_a_rule_is_refused<C: Ciphersuite>() {
    let mut rng = rng(1);
    let m = members(&keys::<C>(&[1, 2, 3], &mut rng));
    assert!(new(2, &m, &m, None).is_ok());
    assert!(new(3, &m, &m, None).is_ok());
    for threshold in [0, 1] {
        refused(new(threshold, &m, &m, None), "the threshold is below 2");
    }
    for threshold in [4, u16::MAX] {
        refused(new(threshold, &m, &m, None), "the threshold is above the number of receivers");
    }
    for context in [Vec::new(), vec![0; 1025]] {
        let refusal = Ceremony::new(context, 2, m.clone(), m.clone(), None);
        refused(refusal, "the context is empty or too long");
    }
    let order = "identifiers are not unique and ascending";
    refused(new(2, &[m[1], m[0], m[2]], &m, None), order);
    refused(new(2, &m, &[m[0], m[0], m[2]], None), order);
    let with = |number, run_key| Participant::<C> { id: id(number), run_key };
    let twice = [m[0], m[1], with(3, m[0].run_key)];
    refused(new(2, &twice, &twice, None), "a run key stands under two identifiers");
    let identity = [m[0], m[1], with(3, C::Element::IDENTITY)];
    refused(new(2, &identity, &identity, None), "a run key is the identity");
    refused(new(2, &m[..2], &m, None), "dealers and receivers of a DKG differ");
    let gap = [m[0], m[1], with(4, m[2].run_key)];
    refused(new(2, &gap, &gap, None), "identifiers of a DKG are not 1 … n");
    refused(new(2, &m[1..], &m[1..], None), "identifiers of a DKG are not 1 … n");
    refused(new(2, &[], &m, Some(BTreeMap::new())), "nobody deals");
}

fn constants_that_break_a_rule_are_refused<C: Ciphersuite>() {
    let mut rng = rng(1);
    let m = members(&keys::<C>(&[1, 2, 3], &mut rng));
    let point = C::Element::mul_base(&C::Scalar::random(&mut rng));
    let constants = |list: &[(u16, C::Element)]| Some(list.iter().map(|(n, point)| (id(*n), *point)).collect());
    assert!(new(2, &m[..2], &m, constants(&[(1, point), (2, point)])).is_ok());
    let count = "not one constant a dealer";
    refused(new(2, &m[..2], &m, constants(&[(1, point)])), count);
    refused(new(2, &m[..2], &m, constants(&[(1, point), (3, point)])), count);
    refused(new(2, &m[..2], &m, constants(&[(1, point), (2, point), (3, point)])), count);
    let identity = constants(&[(1, point), (2, C::Element::IDENTITY)]);
    refused(new(2, &m[..2], &m, identity), "a constant is the identity");
    refused(new(2, &m[..2], &m, constants(&[(1, point), (2, -point)])), "the group key is the identity");
}

fn a_dealer_is_held_to_the_ceremony_by_its_own_side_too<C: Ciphersuite>() {
    let run = dkg::<C>(2, 3, 1);
    let mut rng = rng(2);
    let (key, other) = (&run.dealer_keys[&id(1)], &run.dealer_keys[&id(2)]);
    let mut attempt = |ceremony, number, key, constant: Option<C::Scalar>, payload: &[u8]| {
        deal(ceremony, id(number), key, constant.map(Secret::new), payload, &mut rng, Hedge::Deterministic).map(|_| ())
    };
    assert_eq!(attempt(&run.ceremony, 1, key, None, &[]), Ok(()));
    assert_eq!(attempt(&run.ceremony, 1, other, None, &[]), Err(DealingError::RunKey));
    assert_eq!(attempt(&run.ceremony, 4, key, None, &[]), Err(DealingError::NotAMember(id(4))));
    assert_eq!(attempt(&run.ceremony, 1, key, Some(C::Scalar::ONE), &[]), Err(DealingError::Constant));
    assert_eq!(attempt(&run.ceremony, 1, key, None, &vec![0; 65_488]), Ok(()));
    assert_eq!(attempt(&run.ceremony, 1, key, None, &vec![0; 65_489]), Err(DealingError::Payload));
    let fixed = redeal(&run.receive_all(), &[1, 2], 2, &[1, 2], 3);
    let key = &fixed.dealer_keys[&id(1)];
    assert_eq!(attempt(&fixed.ceremony, 1, key, None, &[]), Err(DealingError::Constant));
    assert_eq!(attempt(&fixed.ceremony, 1, key, Some(C::Scalar::ONE), &[]), Err(DealingError::Constant));
}

in_every_suite!(
    a_ceremony_that_breaks_a_rule_is_refused,
    constants_that_break_a_rule_are_refused,
    a_dealer_is_held_to_the_ceremony_by_its_own_side_too,
);
