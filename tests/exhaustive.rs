//! Every threshold and number of members up to five: every subset of t signs, no subset of t − 1 does, and no mix of two epochs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

mod common;
#[path = "epochs/device.rs"]
mod device;

use std::collections::BTreeMap;

use common::*;
use device::{Device, devices, log_in, snapshot};
use quorumkey::hazmat::group_key_of_shares;
use quorumkey::wrap::{Identity, Recipient, SecretKey};
use quorumkey::{Error, Identifier, KeyId, Misuse, Suite};

type Share = (Identifier, [u8; 32]);

/// The members' shares, out of their backups.
fn shares(members: &[Member], key: KeyId) -> Vec<Share> {
    let secret = SecretKey::from_bytes(&[5; 32]).unwrap();
    let (to, with): (Recipient, _) = (secret.recipient(), Identity::X25519(secret));
    let share = |(number, member): (u16, &Member)| {
        let file = member.session.export(key, &to).unwrap();
        let content = quorumkey::hazmat::wrap::open(file.as_bytes(), &with).unwrap();
        (id(number), content[26..58].try_into().unwrap())
    };
    (1..).zip(members).map(share).collect()
}

fn subsets(n: u16, size: u16) -> impl Iterator<Item = Vec<u16>> {
    let sized = (0_u32..1 << n).filter(move |bits| bits.count_ones() == u32::from(size));
    sized.map(move |bits| (1..=n).filter(|number| bits >> (number - 1) & 1 == 1).collect())
}

/// The key of t shares, each of the epoch that a bit says.
fn mixed(suite: Suite, epochs: &[Vec<Share>; 2], numbers: &[u16], mix: u32) -> Vec<u8> {
    let of = |(place, number): (usize, &u16)| epochs[usize::from(mix >> place & 1 == 1)][usize::from(*number) - 1];
    group_key_of_shares(suite, &numbers.iter().enumerate().map(of).collect::<Vec<_>>()).unwrap()
}

fn every_subset_of_t_and_nothing_less(suite: Suite, t: u16, n: u16) {
    let mut tokens = devices(n);
    let members = log_in(&mut tokens);
    let key = dkg(&members, suite, t);
    let old = shares(&members, key.id);
    let before: Vec<_> = snapshot(&tokens).iter().map(|contents| Device::new(contents).open()).collect();
    let renewed = refresh(&members, key.id);
    let epochs = [old, shares(&members, key.id)];
    let group_key = key.group_key.as_bytes();
    for numbers in subsets(n, t) {
        sign(&members, key.id, &numbers, b"any t of n");
        for mix in 0..1 << t {
            let one_epoch = mix == 0 || mix == (1 << t) - 1;
            let same = mixed(suite, &epochs, &numbers, mix) == group_key;
            assert_eq!(same, one_epoch, "{suite:?}, {t} of {n}: {numbers:?} by {mix:b}");
        }
        // Nor do tokens of two epochs come together: whoever is ahead says so, with the certificate.
        let ids: Vec<_> = numbers.iter().map(|number| id(*number)).collect();
        let (behind, ahead) = (usize::from(numbers[0]) - 1, usize::from(numbers[1]) - 1);
        let stale = before[behind].session.invite_sign(key.id, &ids, b"m").unwrap();
        let answer = members[ahead].session.start_sign(&stale, b"m");
        assert!(
            matches!(answer, Err(Error::Stale { have, certificates }) if have == renewed.epoch && certificates.len() == 1)
        );
        let current = members[ahead].session.invite_sign(key.id, &ids, b"m").unwrap();
        assert!(matches!(before[behind].session.start_sign(&current, b"m"), Err(Error::Stale { .. })));
    }
    let by: BTreeMap<_, _> = (1..).zip(&members).collect();
    for numbers in subsets(n, t - 1) {
        let fewer: Vec<_> = numbers.iter().map(|number| epochs[1][usize::from(*number) - 1]).collect();
        assert_ne!(group_key_of_shares(suite, &fewer).unwrap(), group_key, "{suite:?}, {t} of {n}: {numbers:?}");
        let ids: Vec<_> = numbers.iter().map(|number| id(*number)).collect();
        let refused = by[&numbers[0]].session.invite_sign(key.id, &ids, b"too few");
        assert!(matches!(refused, Err(Error::Misuse(Misuse::Plan(_)))), "{refused:?}");
    }
}

macro_rules! suites {
    ($($name:ident: $suite:ident,)*) => {
        $(#[test] fn $name() {
            for n in 2..=5 {
                for t in 2..=n {
                    every_subset_of_t_and_nothing_less(Suite::$suite, t, n);
                }
            }
        })*
    };
}

suites! {
    every_subset_of_t_signs_and_nothing_less_with_ed25519: Ed25519,
    every_subset_of_t_signs_and_nothing_less_with_secp256k1: Secp256k1,
    every_subset_of_t_signs_and_nothing_less_with_taproot: Secp256k1Taproot,
}
