//! Keys that were made elsewhere, on their way into a group: they stay what they were, and whoever brings them can't cheat.
#![allow(unreachable_pub, reason = "the functions are mounted by a macro")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

#[path = "../conformance/backend.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod backend;
#[path = "../common/mod.rs"]
mod common;

mod cheats;
mod keys;
mod runs;
mod vectors;

use common::*;
use quorumkey::Dealing;
use quorumkey::{Import, ImportedKey, Invitation, KeyInfo, KeyTemplate, Run, Suite};
use zeroize::Zeroizing;

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
    runs:
        an_imported_key_keeps_its_public_key_and_any_two_sign_with_every_suite
        every_member_knows_for_ever_that_the_key_was_imported
        an_import_that_some_missed_is_completed_by_its_certificate
        an_import_that_was_left_behind_is_completed_by_the_next_attempt
        an_attempt_that_nobody_certified_is_named_and_superseded_by_the_next
        a_lower_attempt_at_an_import_goes_no_further_once_a_higher_one_was_entered
        a_key_is_imported_once
        a_promise_to_an_import_outlives_the_key_that_is_destroyed
        a_key_that_is_destroyed_does_not_come_back_by_an_import_under_way
        a_member_of_an_import_stays_under_its_number
        an_import_is_entered_for_what_it_is
        the_secret_is_never_on_record;
    vectors:
        an_imported_key_spends_the_published_outputs_whatever_their_script_roots;
}

/// The same secret each time.
fn scalar(suite: Suite, fill: u8) -> ImportedKey {
    // Below the order in either byte order.
    let mut bytes = [fill; 32];
    (bytes[0], bytes[31]) = (1, 1);
    ImportedKey::from_scalar(suite, Zeroizing::new(bytes)).unwrap()
}

fn invite(members: &[Member], dealer: usize, key: &ImportedKey) -> Invitation {
    let template = KeyTemplate::wallet("an old wallet");
    let import = Import { key, threshold: 2, members: roster(members), template, least_attempt: 0 };
    members[dealer].session.invite_import(import).unwrap()
}

/// Everybody enters, one of them with the key.
fn start(members: &[Member], dealer: usize, invitation: &Invitation, key: ImportedKey) -> Vec<Run<Dealing>> {
    let mut key = Some(key);
    let enter = |(place, member): (usize, &Member)| {
        let session = &member.session;
        if place == dealer { session.start_import(invitation, key.take().unwrap()) } else { session.start(invitation) }
    };
    members.iter().enumerate().map(enter).map(Result::unwrap).collect()
}

fn import(members: &[Member], dealer: usize, key: ImportedKey) -> KeyInfo {
    let invitation = invite(members, dealer, &key);
    let keys = exchange(&mut start(members, dealer, &invitation, key));
    assert!(keys.windows(2).all(|pair| pair[0].group_key == pair[1].group_key && pair[0].epoch == pair[1].epoch));
    keys.into_iter().next().unwrap()
}
