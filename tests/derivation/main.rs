//! Children of a group's key: the addresses that anybody with its chain code can make, and signing for them.
#![allow(unreachable_pub, reason = "the functions are mounted by a macro")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

#[allow(dead_code, reason = "each test file uses its own part")]
#[path = "../conformance/backend.rs"]
mod backend;
#[path = "../common/mod.rs"]
mod common;

mod oracle;
mod plans;
mod signing;
mod vectors;
mod watching;

use quorumkey::{Derivation, DerivationPath, ExtendedPublicKey, Suite};

const TAPROOT: Suite = Suite::Secp256k1Taproot;
const WITH_CHILDREN: [Suite; 2] = [Suite::Secp256k1, TAPROOT];

fn path(text: &str) -> DerivationPath {
    text.parse().unwrap()
}

fn child(text: &str) -> Derivation {
    Derivation::path(path(text))
}

fn read(suite: Suite, text: &str) -> ExtendedPublicKey {
    ExtendedPublicKey::from_base58(suite, text).unwrap()
}

fn unhex(text: &str) -> [u8; 32] {
    let bytes: Vec<_> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

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
    watching:
        every_member_has_the_same_extended_key_for_good
        an_ed25519_key_has_no_children_and_says_so
        the_extended_key_leaves_with_a_record_and_not_for_the_officer
        a_key_that_no_certificate_covers_has_no_address;
    signing:
        members_sign_for_any_child_and_root_and_the_bitcoin_crate_agrees
        a_child_signs_after_a_refresh_and_after_a_restore
        a_member_signs_only_for_the_child_and_root_that_it_approved
        a_root_is_for_taproot_alone
        the_record_of_a_nonce_names_path_offset_and_root
        a_backup_holds_the_share_of_the_group_whatever_child_it_signed_for;
}
