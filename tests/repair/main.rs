//! Repair and enrolment: a member gets its share again, or a new one its first, in the same epoch.
#![allow(unreachable_pub, reason = "the functions are mounted by a macro")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "what is wrong in a test may panic"
)]

#[path = "../common/mod.rs"]
mod common;

mod binds;
mod cheats;
mod clashes;
mod crashes;
#[macro_use]
#[path = "../epochs/device.rs"]
mod device;
mod rules;
mod shares;

use common::*;
use quorumkey::wrap::{Identity, SecretKey};
use quorumkey::{Error, Invitation, KeyId, KeyInfo, NewCard, Reason, hazmat};

mount! {
    binds:
        everybody_goes_by_the_newest_roster_and_who_is_behind_is_told
        who_is_behind_enters_nothing_and_an_older_copy_takes_nothing_back;
    rules:
        only_a_destroyed_device_is_repaired
        who_held_a_share_is_repaired_and_who_never_did_is_enrolled
        helpers_are_a_quorum_of_others_with_who_invites_among_them
        a_key_that_does_not_allow_it_is_neither_repaired_nor_enrolled_in
        a_key_may_allow_repairs_alone_or_enrolments_alone
        a_repair_that_failed_after_the_votes_is_done_again_with_the_same_revision
        who_missed_the_votes_of_others_votes_again_for_the_same
        who_signed_a_revision_signs_no_other_and_no_attempt_before_it_is_in_force
        who_signed_a_revision_that_another_overtook_signs_no_attempt_without_its_officer
        who_missed_a_revision_and_what_followed_is_told_both
        the_officer_may_let_a_token_sign_another_revision
        who_signed_an_attempt_signs_no_revision_before_it_has_ended
        an_attempt_that_began_before_a_revision_was_signed_is_not_signed_after_it
        a_revision_without_a_quorum_of_signatures_is_none
        who_signed_two_revisions_with_one_number_is_named_when_both_come_to_light
        a_member_is_repaired_on_its_own_token_after_it_erased_its_share
        who_gets_the_key_from_a_backup_meanwhile_is_not_repaired
        who_gets_the_key_from_a_backup_meanwhile_signs_under_its_number_alone
        who_gets_the_key_from_a_backup_meanwhile_catches_up_first
        a_repaired_member_has_forgotten_what_it_signed
        an_enrolled_token_that_was_restored_has_forgotten_what_it_signed
        the_old_token_of_a_repaired_member_has_no_voice
        a_backup_of_an_enrolled_member_carries_the_revision
        no_share_of_an_epoch_is_made_from_memory_once_the_epoch_is_over
        who_has_not_completed_the_key_helps_nobody_before_it_has
        who_was_left_out_is_enrolled_again_once_it_has_completed_that;
}

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

/// Those helpers, under their numbers, enrol that newcomer under its own.
fn enrol_as(members: &[Member], key: KeyId, (number, new): (u16, usize), helpers: &[(u16, usize)]) {
    let (numbers, places): (Vec<_>, Vec<_>) = helpers.iter().copied().unzip();
    let inviter = &members[places[0]].session;
    let invitation = inviter.invite_enrolment(key, id(number), members[new].card(), &ids(&numbers)).unwrap();
    let runs = places.iter().chain([&new]).map(|place| members[*place].session.start(&invitation).unwrap());
    exchange(&mut runs.collect::<Vec<_>>());
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
