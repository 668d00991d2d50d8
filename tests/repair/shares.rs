//! What comes of it: the lost share again, or one that fits the others.

use quorumkey::{KeyState, Origin, Suite};

use super::*;

#[test]
fn a_repaired_share_is_the_one_that_was_lost_and_signs_with_every_suite() {
    for suite in Suite::ALL {
        let mut members = group(3);
        let key = dkg(&members, suite, 2);
        let lost = secrets(&members[2], key.id);
        members[2] = Member::in_memory("member 3 anew");
        let invitation = invite_repair(&members, key.id, 3, &[1, 2]);
        for info in repair(&members, &invitation) {
            assert_eq!((info.epoch, info.revision, info.state), (key.epoch, 1, KeyState::Active));
            assert_eq!(info.roster, roster(&members));
        }
        let info = members[2].key(key.id);
        assert_eq!((info.origin, info.group_key), (Origin::Repaired, key.group_key));
        assert_eq!(secrets(&members[2], key.id), lost);
        for signers in [[1, 2], [1, 3], [2, 3]] {
            sign(&members, key.id, &signers, b"repaired");
        }
        refresh(&members, key.id);
        sign(&members, key.id, &[2, 3], b"renewed");
    }
}

#[test]
fn an_enrolled_member_signs_with_any_other_and_its_share_is_new() {
    for suite in Suite::ALL {
        let mut members = group(3);
        let key = dkg(&members, suite, 2);
        members.push(Member::in_memory("member 4"));
        let card = members[3].card();
        let invitation = members[0].session.invite_enrolment(key.id, id(4), card, &ids(&[1, 3])).unwrap();
        for info in repair(&members, &invitation) {
            assert_eq!((info.epoch, info.revision, info.roster), (key.epoch, 1, roster(&members)));
        }
        // The second was not there: whoever has the certificate tells it.
        let certificate = members[3].session.certificate(key.id).unwrap();
        assert_eq!(members[1].session.complete(&certificate).unwrap().revision, 1);
        for signers in [[1, 4], [2, 4], [3, 4], [1, 2]] {
            sign(&members, key.id, &signers, b"enrolled");
        }
        refresh(&members, key.id);
        sign(&members, key.id, &[2, 4], b"renewed");
    }
}
