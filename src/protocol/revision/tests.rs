//! What a revision must say, where nobody has looked at it before.

use super::*;
use crate::protocol::attempt::Entrants;
use crate::protocol::epoch::key_id;
use crate::secret::Secret;
use crate::suite::{Ed25519, GroupKey, Scalar, Suite};
use crate::wire::{DealPlan, EpochId, KeyTemplate, RunId, Source};

pub(in crate::protocol) fn id(number: u16) -> Identifier {
    Identifier::new(number).unwrap()
}

fn identity(seed: u8) -> IdentityKey {
    IdentityKey::from_seed(Secret::new([seed; 32]))
}

pub(in crate::protocol) fn card(seed: u8) -> Card {
    Card::issue(&identity(seed), 0, format!("token {seed}"))
}

/// Three members, of whom two sign, with the shares 12, 19 and 26 of the secret 5.
pub(crate) fn epoch() -> Epoch {
    let point = |secret| <Ed25519 as Ciphersuite>::Element::mul_base(&Scalar::from_u64(secret));
    let (group_key, roster) = (GroupKey::new::<Ed25519>(&point(5)), Roster::numbered([1, 2, 3].map(card)).unwrap());
    let name = EpochId::from_bytes([1; 32]);
    let plan = DealPlan {
        suite: Suite::Ed25519,
        threshold: 2,
        height: 0,
        attempt: 0,
        template: KeyTemplate::wallet("a wallet"),
        receivers: roster.clone(),
        source: Source::Fresh,
    };
    Epoch {
        id: name,
        run: RunId::from_bytes([2; 32]),
        key: key_id(&group_key),
        group_key,
        plan,
        roster_hash: Epoch::hash_roster(name, 0, &roster),
        roster,
        revisions: Vec::new(),
        verifying_shares: (1..=3_u16).map(|number| (id(number), point(5 + 7 * u64::from(number)).to_bytes())).collect(),
        chain_hash: [3; 32],
        entrants: Entrants::default(),
    }
}

fn signed(revision: &Revision, by: &[u8]) -> SignedRevision {
    let signature = |number: &u8| (id(u16::from(*number)), vote(&identity(*number), revision));
    SignedRevision { revision: revision.clone(), signatures: by.iter().map(signature).collect() }
}

#[test]
fn whoever_holds_a_share_is_repaired_and_whoever_holds_none_is_enrolled() {
    let (epoch, destroyed) = (epoch(), |seed| Some((card(seed).id(), Reason::Destroyed)));
    let refused = |number, replaced| revise(&epoch, id(number), &card(9), replaced).map(|_| ()).unwrap_err();
    let because = CertificateError::Contradiction;
    assert_eq!(refused(4, destroyed(3)), because("who never held a share is enrolled, never repaired"));
    assert_eq!(refused(3, None), because("who held a share is repaired, never enrolled"));
    assert_eq!(refused(3, destroyed(2)), because("the card of a member that is repaired"));
    assert!(revise(&epoch, id(4), &card(9), None).is_ok());
    assert!(revise(&epoch, id(3), &card(9), destroyed(3)).is_ok());
}

#[test]
fn a_revision_that_a_quorum_has_signed_still_says_what_follows() {
    let epoch = epoch();
    let (revision, after) = revise(&epoch, id(4), &card(9), None).unwrap();
    assert_eq!(signed(&revision, &[1, 2]).verify(&epoch), Ok(after));
    let other_share = epoch.verifying_shares[&id(1)].clone();
    let changed = [
        Revision { number: 2, ..revision.clone() },
        Revision { share: other_share, ..revision.clone() },
        Revision { roster: [0; 32], ..revision.clone() },
    ];
    for changed in changed {
        let why = CertificateError::Contradiction("a revision does not follow from the epoch");
        assert_eq!(signed(&changed, &[1, 2]).verify(&epoch), Err(why));
    }
    let few = CertificateError::Contradiction("too few have signed a revision");
    assert_eq!(signed(&revision, &[1]).verify(&epoch), Err(few));
}

#[test]
fn the_signatures_of_a_revision_stand_in_one_order_and_once() {
    let (revision, _) = revise(&epoch(), id(4), &card(9), None).unwrap();
    let read = |by: &[u8]| {
        let mut writer = Writer::new();
        writer.bytes(&revision.to_bytes()).count(by.len());
        for number in by {
            writer.identifier(id(u16::from(*number))).raw(&vote(&identity(*number), &revision));
        }
        SignedRevision::decode(&mut Reader::new(&writer.finish()))
    };
    assert_eq!(read(&[1, 2]), Ok(signed(&revision, &[1, 2])));
    for wrong in [[2, 1], [1, 1]] {
        assert_eq!(read(&wrong), Err(DecodeError::Invalid("order of signatures")));
    }
}
