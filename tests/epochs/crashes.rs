//! A write of a token fails, any of them, in the making of a key and in a refresh.

use std::sync::Arc;

use quorumkey::{Entry, Filter, Suite};

use super::device::{Crash, Keep, TURNS, every_failure, go_on};
use super::world::{World, shares};
use super::*;

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

/// A refresh in which a write of one token may fail, and all that follows. Whether it failed.
fn refresh_with_a_failure(world: &World, victim: usize, crash: Crash) -> bool {
    let key = world.key.id;
    let mut devices = world.devices();
    let members = log_in(&mut devices);
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let fuse = Arc::clone(&devices[victim].fuse);
    fuse.arm(crash);
    exchange_over(&mut enter(&members, &invitation), &mut |_, _, message| vec![message]);
    let failed = fuse.disarm();

    let members = go_on(&mut devices, members, Some((victim, crash)));
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
    failed
}

#[test]
fn whenever_a_token_dies_in_a_refresh_the_group_comes_to_one_epoch_and_signs() {
    // Entering, the pending share, the certificate and each confirmation.
    every_failure(&World::each(2, 3, None), &[(0, 4), (1, 4), (2, 4)], &refresh_with_a_failure);
}

/// Those that make a key, and what they are kept in.
struct Makers {
    suite: Suite,
    kept: Keep,
    from: Vec<Vec<Entry>>,
}

/// A key is made while a write of one token may fail, and what follows. Whether it failed.
fn dkg_with_a_failure(makers: &Makers, victim: usize, crash: Crash) -> bool {
    let mut devices: Vec<_> = makers.from.iter().map(|contents| (makers.kept)(contents)).collect();
    let members = log_in(&mut devices);
    let invitation = dkg_invitation(&members, makers.suite, 2);
    let fuse = Arc::clone(&devices[victim].fuse);
    fuse.arm(crash);
    exchange_over(&mut enter(&members, &invitation), &mut |_, _, message| vec![message]);
    let failed = fuse.disarm();
    let members = go_on(&mut devices, members, Some((victim, crash)));
    // An address may have been shown by whoever has the key: then all can have it.
    let active = Filter { state: Some(KeyState::Active), ..Filter::default() };
    let made = members.iter().find_map(|member| member.session.find(&active).unwrap().pop());
    let key = made.unwrap_or_else(|| dkg(&members, makers.suite, 2)).id;
    share_certificates(&members, key);
    one_epoch(&members, key);
    all_sign(&members, key, &[7; 32]);
    failed
}

#[test]
fn whenever_a_token_dies_in_a_dkg_there_is_one_key_or_none() {
    // Who invites, who is among others, and the last: all do the same, and are in other places in the order of messages.
    for (n, victims) in [(3, [(0, 3), (1, 3), (2, 3)].as_slice()), (4, &[(1, 3)])] {
        let makers = TURNS.map(|(suite, kept)| Makers { suite, kept, from: snapshot(&devices(n)) });
        every_failure(&makers, victims, &dkg_with_a_failure);
    }
}
