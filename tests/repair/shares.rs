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

/// What frost's repair makes of the helpers' shares for that member.
fn by_frost<F: frost_core::Ciphersuite>(
    helpers: &[(u16, Vec<u8>)],
    target: u16,
    verifying_shares: &std::collections::BTreeMap<quorumkey::Identifier, Vec<u8>>,
    group_key: &[u8],
) -> Vec<u8> {
    use frost_core::keys::repairable::{repair_share_part1, repair_share_part2, repair_share_part3};

    let set: Vec<_> = helpers.iter().map(|(number, _)| hazmat::frost_identifier::<F>(id(*number)).unwrap()).collect();
    let target = hazmat::frost_identifier::<F>(id(target)).unwrap();
    let public = hazmat::frost_public_key_package::<F>(verifying_shares, group_key, 2).unwrap();
    let deltas: Vec<_> = helpers
        .iter()
        .map(|(number, share)| {
            let (id, share) = (id(*number), share.as_slice().try_into().unwrap());
            let package = hazmat::frost_key_package::<F>(id, share, &verifying_shares[&id], group_key, 2).unwrap();
            repair_share_part1(&set, &package, &mut bitcoin::secp256k1::rand::thread_rng(), target).unwrap()
        })
        .collect();
    let sigma = |helper| {
        let got: Vec<_> = deltas.iter().map(|deltas| deltas[helper]).collect();
        repair_share_part2(&got)
    };
    let sigmas: Vec<_> = set.iter().map(sigma).collect();
    repair_share_part3(&sigmas, target, &public).unwrap().signing_share().serialize()
}

#[test]
fn repaired_and_enrolled_shares_are_those_that_frost_repairs() {
    for suite in Suite::ALL {
        let mut members = group(4);
        let key = dkg(&members[..3], suite, 2);
        let helpers: Vec<_> = [1, 2]
            .map(|number: u16| number)
            .iter()
            .map(|number| (*number, secrets(&members[usize::from(*number) - 1], key.id)[..32].to_vec()))
            .collect();
        members[2] = Member::in_memory("member 3 anew");
        repair(&members, &invite_repair(&members, key.id, 3, &[1, 2]));
        let card = members[3].card();
        repair(&members, &members[0].session.invite_enrolment(key.id, id(4), card, &ids(&[1, 2])).unwrap());
        let shares = hazmat::verifying_shares(&members[0].session.certificate(key.id).unwrap()).unwrap();
        let group = key.group_key.as_bytes();
        for target in [3, 4] {
            let expected = match suite {
                Suite::Ed25519 => by_frost::<frost_ed25519::Ed25519Sha512>(&helpers, target, &shares, group),
                // A taproot share is one of the internal key, odd or even: frost's own taproot would turn it around.
                Suite::Secp256k1 | Suite::Secp256k1Taproot => {
                    by_frost::<frost_secp256k1::Secp256K1Sha256>(&helpers, target, &shares, group)
                }
            };
            assert_eq!(secrets(&members[usize::from(target) - 1], key.id)[..32], expected, "{suite:?}, {target}");
        }
    }
}
