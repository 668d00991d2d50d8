//! Invitations that lie about a child, and members that cheat under one.

use quorumkey::hazmat::{Forger, SigningForgery, subject};
use quorumkey::{Coordinator, Error, Invitation, Judgement, KeyInfo, MemoryStorage, Misbehaviour, Misuse};

use crate::common::*;
use crate::*;

const MESSAGE: [u8; 32] = [4; 32];

struct Group {
    members: Vec<Member>,
    forgers: Vec<Forger>,
    key: KeyInfo,
}

impl Group {
    fn new(suite: Suite) -> Self {
        let forgers: Vec<_> = (1..=3).map(|seed| Forger::new([seed; 32])).collect();
        let member = |forger: &Forger| {
            let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
            Member::new(forger.store(storage, &init("a member"), 0).unwrap())
        };
        let members: Vec<_> = forgers.iter().map(member).collect();
        let key = dkg(&members, suite, 2);
        Self { members, forgers, key }
    }

    fn invite(&self, derivation: &Derivation, change: impl FnOnce(&mut SigningForgery)) -> Invitation {
        let ids = [id(1), id(2)];
        let invitation = self.members[0].session.invite_sign_under(self.key.id, &ids, &MESSAGE, derivation).unwrap();
        self.forgers[0].reinvite(&invitation, change)
    }
}

/// Whoever signs with an offset of somebody's choice signs under any key that one knows the distance to.
#[test]
fn an_offset_that_is_not_that_of_the_path_is_refused() {
    for suite in WITH_CHILDREN {
        let group = Group::new(suite);
        let derivation = child("m/0/7");
        let changes: [fn(&mut SigningForgery); 3] = [
            |plan| plan.offset.as_mut().unwrap()[31] ^= 1,
            |plan| plan.offset = Some([0; 32]),
            // Not canonical.
            |plan| plan.offset = Some([0xff; 32]),
        ];
        for change in changes {
            let invitation = group.invite(&derivation, change);
            let answered = group.members[1].session.start_sign_under(&invitation, &MESSAGE, &derivation);
            assert!(matches!(answered, Err(Error::Misuse(Misuse::Plan(_)))), "{answered:?}");
        }
        let moved = group.invite(&child("m/0/8"), |plan| plan.derivation = child("m/0/7"));
        let answered = group.members[1].session.start_sign_under(&moved, &MESSAGE, &derivation);
        assert!(matches!(answered, Err(Error::Misuse(Misuse::Plan(_)))), "{answered:?}");
        let honest = group.invite(&derivation, |_| {});
        drop(group.members[1].session.start_sign_under(&honest, &MESSAGE, &derivation).unwrap());
    }
}

#[test]
fn nobody_follows_a_plan_with_a_child_that_its_suite_does_not_have() {
    for suite in Suite::ALL {
        let group = Group::new(suite);
        let chain = group.members[0].session.certificates(group.key.id).unwrap();
        let derivation = Derivation { path: path("m/0"), root: Some([1; 32]) };
        let wrong = group.invite(&Derivation::default(), |plan| {
            plan.derivation = derivation.clone();
            plan.offset = Some([0xff; 32]);
        });
        assert!(matches!(Coordinator::new(&wrong, &chain), Err(Error::Misuse(Misuse::Plan(_)))));
        let answered = group.members[1].session.start_sign_under(&wrong, &MESSAGE, &derivation);
        assert!(matches!(answered, Err(Error::Misuse(Misuse::Plan(_)))), "{answered:?}");
        if suite == Suite::Ed25519 {
            let wrong = group.invite(&Derivation::default(), |plan| {
                plan.derivation = child("m/0");
                plan.offset = Some([1; 32]);
            });
            assert!(matches!(Coordinator::new(&wrong, &chain), Err(Error::Misuse(Misuse::Plan(_)))));
            let answered = group.members[1].session.start_sign_under(&wrong, &MESSAGE, &child("m/0"));
            assert!(matches!(answered, Err(Error::Misuse(Misuse::Plan(_)))), "{answered:?}");
        }
    }
}

/// The plan alone says which key: a judge needs no chain code.
#[test]
fn a_wrong_share_for_a_child_is_proven_to_whoever_has_the_plan() {
    for suite in WITH_CHILDREN {
        let group = Group::new(suite);
        let derivation = Derivation { path: path("m/9"), root: (suite == TAPROOT).then_some([2; 32]) };
        let invitation = group.invite(&derivation, |_| {});
        let start = |at: usize| group.members[at].session.start_sign_under(&invitation, &MESSAGE, &derivation).unwrap();
        let results = exchange_over(&mut [start(0), start(1)], &mut |from, _, message| {
            let lies = from == 1 && subject(&message) == "share";
            vec![if lies { group.forgers[1].alter(&message, |one| one.body[44] ^= 1) } else { message }]
        });
        let Err(Error::PeerMisbehaved { culprits, evidence, .. }) = &results[0] else { panic!("{results:?}") };
        assert_eq!(culprits, &[id(2)]);
        let chain = group.members[0].session.certificates(group.key.id).unwrap();
        let judged = evidence.judge(&invitation, &chain).unwrap().unwrap();
        let guilty = Judgement { culprits: vec![id(2)], misbehaviour: Misbehaviour::SignatureShare };
        assert_eq!(judged, guilty);
    }
}

#[test]
fn an_invitation_to_sign_for_a_child_has_one_encoding() {
    let group = Group::new(TAPROOT);
    let derivation = Derivation { path: path("m/0/7"), root: Some([9; 32]) };
    let bytes = group.invite(&derivation, |_| {}).to_bytes();
    let read = Invitation::from_bytes(&bytes).unwrap();
    assert_eq!((read.derivation(), read.to_bytes()), (Some(&derivation), bytes.clone()));
    for cut in 0..bytes.len() {
        assert!(Invitation::from_bytes(&bytes[..cut]).is_err());
    }
    // The byte before the root says whether there is one; what stands before it is random, and the root is not of ones.
    let flag = bytes.windows(33).position(|part| part == [[1].as_slice(), &[9; 32]].concat()).unwrap();
    for other in [0, 2, 0xff] {
        let mut changed = bytes.clone();
        changed[flag] = other;
        assert!(Invitation::from_bytes(&changed).is_err());
    }
    // The path ends 32 bytes before: a hardened step, and a path that is too long.
    let steps = flag - 32 - 8;
    for (at, value) in [(steps, 0x80), (steps - 1, 17), (steps - 4, 0xff)] {
        let mut changed = bytes.clone();
        changed[at] = value;
        assert!(Invitation::from_bytes(&changed).is_err());
    }
}
