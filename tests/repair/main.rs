//! Repair and enrolment: a member gets its share again, or a new one its first, in the same epoch.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "what is wrong in a test may panic"
)]

#[path = "../common/mod.rs"]
mod common;

mod cheats;
mod clashes;
mod crashes;
#[path = "../epochs/device.rs"]
mod device;
mod rules;
mod shares;

use common::*;
use quorumkey::wrap::{Identity, SecretKey};
use quorumkey::{Error, Invitation, KeyId, KeyInfo, NewCard, Reason, hazmat};

/// What a backup of the member's share holds: share (32), chain code (32).
fn secrets(member: &Member, key: KeyId) -> Vec<u8> {
    let sheet = SecretKey::from_bytes(&[5; 32]).unwrap();
    let file = member.session.export(key, &sheet.recipient()).unwrap();
    // Kind (24), member (2).
    hazmat::wrap::open(file.as_bytes(), &Identity::X25519(sheet)).unwrap()[26..90].to_vec()
}

fn destroyed(number: u16, member: &Member) -> NewCard {
    NewCard { identifier: id(number), card: member.card(), reason: Reason::Destroyed }
}

fn ids(numbers: &[u16]) -> Vec<quorumkey::Identifier> {
    numbers.iter().map(|number| id(*number)).collect()
}

/// An invitation of the first helper to repair that member, whose new token is in its place.
fn invite_repair(members: &[Member], key: KeyId, lost: u16, helpers: &[u16]) -> Invitation {
    let inviter = &members[usize::from(helpers[0]) - 1].session;
    let card = destroyed(lost, &members[usize::from(lost) - 1]);
    inviter.invite_repair(key, card, &ids(helpers)).unwrap()
}

/// Helpers and the member that they help enter the run, in the order of their numbers.
fn run(members: &[Member], invitation: &Invitation, wire: Wire<'_>) -> Vec<Result<Option<KeyInfo>, Error>> {
    let target = invitation.revision().unwrap().identifier();
    let mut numbers: Vec<_> = invitation.helpers().iter().chain([&target]).map(|id| id.get()).collect();
    numbers.sort_unstable();
    let start = |number: u16| members[usize::from(number) - 1].session.start(invitation).unwrap();
    exchange_over(&mut numbers.into_iter().map(start).collect::<Vec<_>>(), wire)
}

/// The same, undisturbed. What every one of them says of the key afterwards.
fn repair(members: &[Member], invitation: &Invitation) -> Vec<KeyInfo> {
    let results = run(members, invitation, &mut |_, _, message| vec![message]);
    results.into_iter().map(|result| result.unwrap().unwrap()).collect()
}
