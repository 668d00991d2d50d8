//! What every token promises, whatever it keeps its bytes in: one suite, mounted once for each storage.
#![allow(unreachable_pub, reason = "the functions are mounted by a macro")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

mod common;

#[path = "conformance/access.rs"]
mod access;
#[path = "conformance/backend.rs"]
mod backend;
#[path = "conformance/backups.rs"]
mod backups;
#[path = "conformance/dealings.rs"]
mod dealings;
#[path = "conformance/ends.rs"]
mod ends;
#[path = "conformance/logs.rs"]
mod logs;
#[path = "conformance/objects.rs"]
mod objects;
#[path = "conformance/renewals.rs"]
mod renewals;
#[path = "conformance/repairs.rs"]
mod repairs;
#[path = "conformance/reshares.rs"]
mod reshares;
#[path = "conformance/runs.rs"]
mod runs;

macro_rules! mount {
    ($($module:ident: $($name:ident)*;)*) => {
        mod memory {
            $(mod $module { $(#[test] fn $name() { crate::$module::$name(&crate::backend::Memory::default()); })* })*
        }
        mod file {
            $(mod $module { $(#[test] fn $name() { crate::$module::$name(&crate::backend::File::new()); })* })*
        }
    };
}

mount! {
    access:
        a_wrong_pin_says_how_many_tries_are_left_and_the_right_one_gives_them_back
        the_user_is_locked_after_ten_tries_also_when_reopened_until_the_officer_sets_a_pin
        the_officer_is_locked_after_five_tries
        a_changed_pin_replaces_the_old_one_and_sessions_go_on
        the_officer_changes_its_own_pin_and_the_user_may_not
        the_officer_uses_no_key
        a_user_overrides_and_declares_nothing
        every_call_answers_logged_out_to_a_session_that_has_ended
        a_dropped_session_has_logged_out;
    objects:
        each_field_of_a_filter_selects
        the_template_is_the_same_for_all_members
        a_template_that_is_out_of_bounds_or_asks_for_the_backup_gate_is_refused
        a_restriction_only_tightens_each_field
        a_restriction_binds_at_once_and_after_reopening
        a_key_restricted_after_its_commitment_makes_no_share
        a_key_restricted_after_its_join_deals_nothing
        a_destroyed_key_is_absent_and_another_can_be_made
        what_is_not_here_is_not_found;
    ends:
        a_destroyed_key_is_known_by_what_is_public_and_found_by_its_state_alone
        a_destroyed_key_that_came_back_is_no_destroyed_one_until_it_is_again
        a_pending_key_can_be_destroyed
        a_promise_outlives_the_key_also_when_an_older_backup_came_back
        the_log_tells_the_whole_life_of_a_key
        a_destroyed_token_is_gone_and_so_are_its_sessions
        a_key_says_how_many_old_epochs_are_not_known_to_be_dead_and_why;
    logs:
        the_log_tells_of_a_member_that_is_removed_and_taken_back
        the_log_tells_of_backups_and_of_a_restored_key_that_is_renewed
        the_log_tells_of_a_pending_key_that_is_destroyed
        the_log_tells_of_a_repair_and_of_the_roster_that_it_revised
        the_log_tells_of_an_attempt_that_is_given_up_and_of_its_certificate
        the_log_tells_of_pins_restrictions_and_declarations
        the_log_tells_of_a_fork
        the_log_tells_of_a_fork_of_rosters;
    runs:
        logout_ends_runs_and_no_later_session_gets_them_back
        a_run_belongs_to_its_session
        two_sessions_of_one_token_sign_side_by_side
        an_aborted_run_is_gone_and_the_others_lose_nothing
        a_run_is_entered_once_whatever_the_session_and_also_after_reopening
        only_the_approved_message_is_signed
        signers_are_members_and_enough_and_named_once
        an_invitation_is_entered_for_what_it_is
        a_dealing_needs_two_members_and_a_threshold_among_them
        a_coordinator_without_a_token_has_the_same_signature
        a_coordinator_refuses_certificates_of_another_epoch_or_key;
    dealings:
        any_t_of_n_sign_up_to_four_members_with_every_suite
        a_member_that_missed_the_end_of_a_dkg_completes_it
        a_member_that_missed_the_end_of_a_refresh_completes_it
        a_retry_names_the_attempt_that_was_left_behind
        a_foreign_certificate_completes_nothing
        everything_persists_when_the_tokens_are_reopened;
    renewals:
        a_refresh_keeps_the_key_and_changes_the_shares_with_every_suite
        a_refresh_ends_the_signing_runs_of_the_epoch_before
        a_replaced_member_is_told_that_it_is_stale_and_retires
        an_attempt_that_is_not_above_the_promise_is_denied_also_after_reopening
        old_shares_are_reported_until_their_erasure_is_confirmed
        what_people_declare_enters_the_report;
    reshares:
        two_of_three_becomes_three_of_five_and_back_with_every_suite
        an_absent_member_is_removed_and_retires_with_the_certificate
        who_leaves_with_its_device_at_hand_deals_and_nobody_else_who_leaves
        a_member_is_replaced_while_the_threshold_changes
        a_removed_number_comes_back_with_another_card
        t_members_deal_and_others_only_sign_with_every_suite;
    repairs:
        a_repaired_member_signs_and_what_it_got_is_there_after_reopening
        a_new_member_is_enrolled_and_every_pair_signs
        a_vote_binds_after_reopening
        a_template_without_repair_and_enrolment_allows_neither;
    backups:
        a_restored_member_deals_and_signs_after_a_refresh
        a_restored_member_among_too_few_needs_the_officers_override
        there_is_nothing_to_override_in_a_new_key_or_a_signature
        the_export_rule_decides_who_gets_a_backup
        a_backup_opens_for_its_own_member_with_its_own_key_only
        a_backup_of_the_past_is_fenced_by_the_certificate
        the_audit_log_verifies_and_shows_what_was_cut_moved_or_replaced;
}
