//! A token dies at any of its writes.

use quorumkey::hazmat::Loot;
use quorumkey::{Entry, MemoryStorage, Suite};

use super::device::Crash;
use super::*;

/// What a thief would find in a token: identity, chain code, and each share.
fn shares(device: &Device) -> usize {
    Loot::of(MemoryStorage::new(&device.contents()), &user_pin()).unwrap().len() - 2
}

/// A refresh, of an attempt that everybody enters.
fn retry(members: &[Member], key: KeyId) {
    let least = (1..=100).find(|attempt| {
        let proposed = members[0].session.invite_refresh_from(key, Vec::new(), *attempt).unwrap();
        let runs = enter(members, &proposed);
        let all = runs.len() == members.len();
        for run in runs {
            run.abort().unwrap();
        }
        all
    });
    deal(members, &members[0].session.invite_refresh_from(key, Vec::new(), least.unwrap() + 1).unwrap());
}

/// A refresh in which one token dies, and all that follows. Whether it died.
fn refresh_with_a_crash(from: &[Vec<Entry>], key: KeyId, victim: usize, crash: Crash) -> bool {
    let mut devices: Vec<_> = from.iter().map(|contents| Device::new(contents)).collect();
    let members = log_in(&mut devices);
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    devices[victim].fuse.arm(crash);
    exchange_over(&mut enter(&members, &invitation), &mut |_, _, message| vec![message]);
    let blew = devices[victim].fuse.blew();
    drop(members);

    let members = log_in(&mut devices);
    let keys: Vec<_> = members.iter().map(|member| member.key(key)).collect();
    assert!(keys.iter().all(|one| one.state == KeyState::Active), "nobody loses its share: {keys:?}");
    // A certificate is somewhere: everybody has the share it is about, or is there already.
    if keys.iter().any(|one| one.height == 1) {
        let new = keys.iter().find(|one| one.height == 1).unwrap().epoch;
        assert!(keys.iter().all(|one| one.epoch == new || one.pending.contains(&new)));
        share_certificates(&members, key);
    } else {
        // Nobody has it: the old epoch is the key's, for all.
        all_sign(&members, key, b"with the old shares");
        retry(&members, key);
    }
    assert_eq!(one_epoch(&members, key).height, 1);
    all_sign(&members, key, b"with the new shares");
    assert!(members.iter().all(|member| member.key(key).pending.is_empty()));
    drop(members);
    assert!(devices.iter().all(|device| shares(device) == 1), "the old shares are gone");
    blew
}

#[test]
fn whenever_a_token_dies_in_a_refresh_the_group_comes_to_one_epoch_and_signs() {
    let mut group = devices(3);
    let members = log_in(&mut group);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    drop(members);
    let from = snapshot(&group);
    for victim in 0..3 {
        for done in [false, true] {
            let died = (0..).take_while(|write| {
                refresh_with_a_crash(&from, key, victim, Crash { write: *write, done, dies: true })
            });
            let points = died.count();
            assert!(points >= 4, "entering, the pending share, the certificate and each confirmation: {points}");
        }
    }
}

#[test]
fn whenever_a_token_dies_in_a_dkg_there_is_one_key_or_none() {
    let from = snapshot(&devices(3));
    for done in [false, true] {
        for write in 0.. {
            let mut devices: Vec<_> = from.iter().map(|contents| Device::new(contents)).collect();
            let members = log_in(&mut devices);
            let invitation = dkg_invitation(&members, Suite::Secp256k1Taproot, 2);
            devices[1].fuse.arm(Crash { write, done, dies: true });
            let results = exchange_over(&mut enter(&members, &invitation), &mut |_, _, message| vec![message]);
            let blew = devices[1].fuse.blew();
            drop(members);
            let members = log_in(&mut devices);
            // An address may have been shown by whoever has the key: then all can have it.
            if let Some(key) = results.into_iter().find_map(|result| result.ok().flatten()) {
                let certificate = members.iter().find_map(|member| member.session.certificate(key.id).ok()).unwrap();
                for member in &members {
                    member.session.complete(&certificate).unwrap();
                }
                one_epoch(&members, key.id);
                all_sign(&members, key.id, &[7; 32]);
            }
            if !blew {
                assert!(write >= 3);
                break;
            }
        }
    }
}
