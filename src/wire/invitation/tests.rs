use super::super::plan::tests::{card, fresh, id, identity, import, plan, prepare, reconstruct, renewal, repair, sign};
use super::*;

fn invite(action: Action) -> Invitation {
    Invitation::issue(plan(action), vec![b"first".to_vec(), b"second".to_vec()], &identity(2))
}

#[test]
fn an_invitation_reads_back_with_what_it_carries_and_is_signed_by_one() {
    let invitation = invite(Action::Deal(renewal()));
    let bytes = invitation.to_bytes();
    assert_eq!(Invitation::from_bytes(&bytes), Ok(invitation.clone()));
    assert!(invitation.is_signed_by(&card(2)));
    assert!(!invitation.is_signed_by(&card(1)));
    let changed = Invitation { plan: plan(Action::Deal(fresh())), ..invitation };
    assert!(!changed.is_signed_by(&card(2)));
    for cut in 0..bytes.len() {
        assert!(Invitation::from_bytes(&bytes[..cut]).is_err());
    }
    assert_eq!(Invitation::from_bytes(&[bytes.as_slice(), &[0]].concat()), Err(DecodeError::Trailing));
    assert_eq!(Invitation::from_bytes(&[&[2], &bytes[1..]].concat()), Err(DecodeError::Version(2)));
}

#[test]
fn an_invitation_to_deal_says_who_deals_to_whom_and_what() {
    let deal = fresh();
    let new = invite(Action::Deal(fresh()));
    assert_eq!((new.receivers(), new.dealers()), (Some(&deal.receivers), Some(&deal.receivers)));
    assert_eq!(new.fingerprint(), Some(deal.receivers.fingerprint()));
    assert_eq!((new.threshold(), new.template()), (Some(2), Some(&deal.template)));
    assert_eq!((new.inviter(), new.suite(), new.key()), (id(2), Suite::Ed25519, None));
    assert_eq!((new.witnesses(), new.imports(), new.revision(), new.reconstructs()), (None, None, None, None));
    assert_eq!((new.replaced(), new.losing(), new.undone()), ([].as_slice(), [].as_slice(), [].as_slice()));
    assert_eq!((new.signers(), new.helpers()), ([].as_slice(), [].as_slice()));
    assert_eq!((new.derivation(), new.batch(), new.batch_size(), new.message()), (None, None, None, None));

    let deal = import();
    let Source::Import { group_key, dealers, .. } = &deal.source else { unreachable!() };
    let old = invite(Action::Deal(deal.clone()));
    assert_eq!((old.imports(), old.dealers(), old.key()), (Some(group_key), Some(dealers), None));

    let deal = renewal();
    let Source::Epoch { key, dealers, witnesses, replaced, losing, undone, .. } = &deal.source else { unreachable!() };
    let next = invite(Action::Deal(deal.clone()));
    assert_eq!((next.key(), next.dealers(), next.witnesses()), (Some(*key), Some(dealers), witnesses.as_ref()));
    assert_eq!((next.replaced(), next.losing(), next.undone()), (&**replaced, &**losing, &**undone));
}

#[test]
fn an_invitation_to_sign_says_who_signs_what_with_which_key() {
    let plan = sign();
    let invitation = invite(Action::Sign(sign()));
    assert_eq!((invitation.key(), invitation.signers()), (Some(plan.party.key), plan.party.signers.as_slice()));
    assert_eq!((invitation.derivation(), invitation.message()), (Some(&plan.derivation), Some(b"pay".as_slice())));
    assert_eq!((invitation.batch(), invitation.batch_size()), (plan.prepared.map(|one| one.batch), None));
    assert_eq!((invitation.receivers(), invitation.threshold()), (None, None));
    assert_eq!(invite(Action::Sign(SignPlan { prepared: None, ..sign() })).batch(), None);

    let invitation = invite(Action::Prepare(prepare()));
    let party = prepare().party;
    assert_eq!((invitation.key(), invitation.signers()), (Some(party.key), party.signers.as_slice()));
    assert_eq!((invitation.batch_size(), invitation.batch(), invitation.message()), (Some(256), None, None));
}

#[test]
fn an_invitation_to_help_or_to_put_a_key_together_says_who_does() {
    let plan = reconstruct();
    let invitation = invite(Action::Reconstruct(reconstruct()));
    assert_eq!((invitation.key(), invitation.suite()), (Some(plan.key), Suite::Secp256k1));
    assert_eq!((invitation.reconstructs(), invitation.signers()), (Some(plan.members.as_slice()), [].as_slice()));

    let plan = repair();
    let invitation = invite(Action::Repair(repair()));
    assert_eq!((invitation.key(), invitation.receivers()), (Some(plan.revision.key), Some(&plan.roster)));
    assert_eq!((invitation.revision(), invitation.helpers()), (Some(&plan.revision), plan.helpers.as_slice()));
    let revision = &plan.revision;
    assert_eq!((revision.number(), revision.identifier(), revision.card()), (5, id(2), &card(2)));
    let replaced = revision.replaced().map(|one| (one.identifier, Some((one.card, one.reason))));
    assert_eq!(replaced, Some((id(2), revision.replaced)));
}
