//! Epochs: whatever is lost on the way, and whenever a token dies, the group signs with one epoch or comes back to one.
#![allow(unreachable_pub, reason = "the functions are mounted by a macro")]
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
#[macro_use]
mod device;
mod failures;
mod forks;
mod lines;
mod power;
mod reports;
mod restored;
mod schedules;
mod world;

use common::*;
use device::{Device, Keeps as _, devices, log_in, snapshot};
use quorumkey::wrap::{Identity, Recipient, SecretKey};
use quorumkey::{Dealing, Error, Invitation, KeyId, KeyInfo, KeyState, Leaving, Reason, Reshare, Roster, Run, hazmat};

mount! {
    abandoned:
        an_abandoned_attempt_erases_nothing_and_its_certificate_still_counts
        an_abandoned_attempt_is_named_by_the_next_and_erased_with_its_certificate
        the_run_of_an_abandoned_attempt_ends
        an_attempt_abandoned_while_its_last_round_is_computed_certifies_nothing
        a_plan_with_few_receivers_warns
        a_newcomer_tells_a_made_up_group_by_its_fingerprint_and_key;
    attempts:
        whoever_misses_whichever_signatures_the_attempt_is_completed_by_all
        an_attempt_that_some_signed_is_named_and_superseded_by_the_next
        a_promise_outlives_the_process_and_only_higher_attempts_are_entered
        nobody_can_use_up_the_attempts_of_an_epoch
        certificates_that_surface_late_lead_to_one_epoch_in_any_order
        a_lower_attempt_goes_no_further_once_a_higher_one_was_entered
        who_missed_the_end_of_a_dkg_learns_it_from_the_next_invitation
        an_attempt_that_a_certificate_superseded_is_signed_by_nobody_any_more
        a_superseded_share_is_not_dealt_from_the_memory_of_an_earlier_run;
    forks:
        a_fork_stops_signing_on_both_lines_for_good_and_names_who_signed_both
        a_plan_that_names_the_losing_line_ends_a_fork_with_every_officers_leave
        a_fork_is_not_ended_over_the_head_of_an_officer
        a_template_that_prevents_forks_takes_more_dealers
        a_line_that_went_on_for_long_loses_by_one_renewal
        nobody_is_made_to_pass_over_heights_for_a_line_that_it_has_not_seen
        a_plan_that_ends_a_fork_stands_right_above_the_line_that_loses;
    lines:
        a_superseded_certificate_that_comes_late_leads_on_to_what_supersedes_this_one
        an_invitation_leads_on_who_skipped_an_epoch
        who_invites_from_a_superseded_line_is_told_how_the_other_went_on
        who_names_what_it_signed_before_is_no_culprit_to_who_went_on_from_that
        what_goes_on_from_a_superseded_certificate_is_a_fork_and_seen
        an_invitation_of_the_other_line_shows_a_fork_for_good_and_names_who_signed_both
        an_invitation_shows_the_whole_of_the_other_line
        what_a_superseded_epoch_of_an_invitation_names_is_reported
        a_retired_member_sees_a_fork_in_an_invitation
        a_made_up_history_is_no_fork
        a_history_that_does_not_lead_to_what_is_renewed_proves_nothing_and_is_told_nothing
        who_is_called_back_and_completes_what_followed_is_told_no_more_than_that
        whoever_signed_a_superseded_import_is_led_on_from_it
        a_revision_of_a_superseded_epoch_is_learnt;
    power:
        a_retry_with_other_receivers_is_denied_without_those_of_the_attempt_before
        enough_receivers_of_an_attempt_end_it_and_its_certificate_surfaces_too_late
        who_destroyed_its_key_does_not_help_to_end_what_it_may_have_signed
        who_signed_an_epoch_completes_it_before_it_takes_part_in_the_next
        officers_of_a_quorum_override_it_and_one_of_them_does_not
        the_officer_of_who_took_a_members_number_is_none_of_the_quorum
        enough_that_refused_to_sign_end_an_attempt
        whoever_was_dealt_a_share_in_a_run_that_no_dealer_signed_is_reported_by_all
        two_disjoint_pairs_of_four_cannot_reshare
        an_attempt_that_the_joins_complete_ends_the_retry_for_newcomers_as_well
        the_promise_of_a_witness_helps_to_end_an_attempt
        who_has_destroyed_its_key_is_no_witness
        a_witness_tells_of_what_it_signed
        who_signed_what_nobody_knows_of_takes_part_in_what_followed;
    reports:
        an_epoch_is_not_dead_before_enough_members_have_confirmed
        what_people_declare_counts_and_a_confirmation_by_mouth_of_another_does_not
        a_stolen_device_and_a_backup_of_another_member_keep_an_epoch_alive
        an_attempt_that_this_token_has_not_signed_is_in_its_report
        who_was_dealt_a_share_is_told_by_those_that_signed_the_attempt
        what_this_token_dealt_in_stays_on_record_whatever_liars_tell_of
        what_is_declared_of_nobody_is_refused
        the_lost_device_of_a_restored_member_keeps_its_share_until_people_say_that_it_is_destroyed
        a_declaration_about_no_share_of_an_old_epoch_is_refused_and_not_recorded
        another_device_under_a_number_cannot_confirm_for_the_one_before
        what_was_declared_of_an_attempt_stays_when_it_gets_its_name
        a_device_that_is_stolen_later_is_so_for_an_attempt_that_was_known_before
        who_left_without_saying_what_it_holds_may_have_a_backup
        what_a_liar_made_up_of_an_attempt_gives_way_to_what_its_signers_say
        what_a_liar_made_up_of_a_dealing_gives_way_to_what_its_dealer_says
        what_an_attempt_that_was_given_up_names_is_reported
        what_a_certificate_names_that_comes_late_is_reported
        who_holds_a_share_of_what_a_late_certificate_names_does_not_say_that_it_has_none
        who_signed_what_supersedes_an_epoch_enrols_nobody_in_it
        a_backup_that_was_made_before_a_key_was_destroyed_is_reported
        who_tells_of_an_ancestor_as_of_an_attempt_keeps_nobody_out;
    restored:
        a_restored_share_does_not_sign_before_a_refresh_and_signs_after_it
        a_restored_token_renews_only_with_a_quorum_that_remembers_or_by_override
        a_restored_token_signs_only_above_what_the_others_report
        a_fork_is_seen_from_both_sides_and_erases_nothing
        nonces_made_beforehand_die_in_a_fork
        a_renewal_under_way_ends_when_a_fork_is_seen
        a_member_restored_without_its_share_has_forgotten_as_much
        who_has_forgotten_says_so_until_its_new_share_is_certified
        who_was_replaced_is_not_led_back_to_the_epoch_before
        a_member_stays_under_its_number
        who_destroyed_a_key_still_enters_upwards_only
        a_stolen_token_comes_back_under_a_new_identity_only
        a_newcomer_remembers_nothing_for_a_restored_token
        a_restored_token_that_joins_has_forgotten_as_well
        who_had_forgotten_in_one_attempt_has_so_in_the_next
        a_copied_token_reads_no_refresh_that_its_owner_takes_part_in;
}

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

#[test]
fn a_confirmation_that_comes_again_writes_nothing() {
    let mut devices = devices(3);
    let members = log_in(&mut devices);
    let key = dkg(&members, quorumkey::Suite::Ed25519, 2).id;
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let (mut runs, mut said) = (enter(&members, &invitation), Vec::new());
    let results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 0 {
            said.push(message.clone());
        }
        vec![message]
    });
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))), "{results:?}");
    let before = snapshot(&devices);
    for message in &said {
        runs[0].handle(message).unwrap();
    }
    assert!(snapshot(&devices) == before);
}

/// Of two revisions of its roster that exclude each other the first that is shown.
#[test]
fn another_line_is_kept_with_the_revisions_that_follow_and_nothing_is_written_again() {
    let copy = |devices: &[Device]| snapshot(devices).iter().map(|contents| Device::new(contents)).collect::<Vec<_>>();
    let mut devices = devices(3);
    let members = log_in(&mut devices);
    let key = dkg(&members, quorumkey::Suite::Ed25519, 2).id;
    let mut copies = copy(&devices);
    let others = log_in(&mut copies);
    refresh(&members, key);
    refresh(&others, key);
    let plain = others[0].session.certificate(key).unwrap();
    let mut again = copy(&copies);
    let [one, other] = [others, log_in(&mut again)].map(|group| {
        let new = Member::in_memory("a fourth");
        let invitation = group[0].session.invite_enrolment(key, id(4), new.card(), &[id(1), id(2)]).unwrap();
        exchange(&mut [&group[0], &group[1], &new].map(|member| member.session.start(&invitation).unwrap()));
        group[0].session.certificate(key).unwrap()
    });
    for (told, is_kept) in
        [(&plain, true), (&plain, false), (&one, true), (&one, false), (&plain, false), (&other, false)]
    {
        let before = snapshot(&devices);
        let fork = members[0].session.complete(told);
        assert!(matches!(fork, Err(Error::Fork { .. })), "{fork:?}");
        assert_eq!(snapshot(&devices) != before, is_kept);
    }
}
