//! Epochs: whatever is lost on the way, and whenever a token dies, the group signs with one epoch or comes back to one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "what is wrong in a test may panic"
)]

#[path = "../common/mod.rs"]
mod common;

mod abandoned;
mod attempts;
mod crashes;
mod device;
mod forks;
mod lines;
mod power;
mod reports;
mod restored;
mod schedules;

use common::*;
use device::{Device, devices, log_in, snapshot};
use quorumkey::wrap::{Identity, Recipient, SecretKey};
use quorumkey::{Dealing, Error, Invitation, KeyId, KeyInfo, KeyState, Leaving, Reason, Reshare, Roster, Run, hazmat};

/// What opens backups, and whom they are sealed to.
fn sheet() -> (Identity, Recipient) {
    let key = SecretKey::from_bytes(&[5; 32]).unwrap();
    let to = key.recipient();
    (Identity::X25519(key), to)
}

/// Whoever can enters the run; the others' reasons are for the caller who asks.
fn enter(members: &[Member], invitation: &Invitation) -> Vec<Run<Dealing>> {
    members.iter().filter_map(|member| member.session.start(invitation).ok()).collect()
}

/// Gives everybody every certificate that anybody has, oldest first.
fn share_certificates(members: &[Member], key: KeyId) {
    let mut chains: Vec<_> = members.iter().map(|member| member.session.certificates(key).unwrap()).collect();
    chains.sort_by_key(Vec::len);
    for member in members {
        for certificate in chains.last().unwrap() {
            member.session.complete(certificate).unwrap();
        }
    }
}

/// Every pair signs.
fn all_sign(members: &[Member], key: KeyId, message: &[u8]) {
    for pair in [[1, 2], [1, 3], [2, 3]] {
        sign(members, key, &pair, message);
    }
}

/// All are at one epoch, which is returned.
fn one_epoch(members: &[Member], key: KeyId) -> KeyInfo {
    let keys: Vec<_> = members.iter().map(|member| member.key(key)).collect();
    assert!(keys.iter().all(|one| one.state == KeyState::Active && one.epoch == keys[0].epoch), "{keys:?}");
    keys[0].clone()
}

/// A message of that kind is lost between these members, counted from 0.
fn lost(
    about: &'static str,
    pairs: &[(usize, usize)],
) -> impl FnMut(usize, usize, quorumkey::Message) -> Vec<quorumkey::Message> {
    move |from, to, message| {
        if hazmat::subject(&message) == about && pairs.contains(&(from, to)) { Vec::new() } else { vec![message] }
    }
}

/// A refresh that the first member proposes, over that wire.
fn refresh_over(members: &[Member], key: KeyId, wire: Wire<'_>) -> Vec<Result<Option<KeyInfo>, Error>> {
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    exchange_over(&mut enter(members, &invitation), wire)
}

/// Members under these numbers, from this place on, each a member of the list.
fn seated(members: &[Member], seats: &[(u16, usize)]) -> Roster {
    Roster::new(seats.iter().map(|(number, at)| (id(*number), members[*at].card())).collect()).unwrap()
}

/// A change to those members: whoever of the key's is not among them leaves, for that reason.
fn change(key: &KeyInfo, members: Roster, threshold: u16, reason: Reason) -> Reshare {
    let gone = key.roster.iter().filter(|(number, card)| members.card(*number) != Some(*card));
    let leaving = gone.map(|(identifier, _)| Leaving { identifier, reason }).collect();
    Reshare { threshold, members, leaving, ..Reshare::of(key) }
}
