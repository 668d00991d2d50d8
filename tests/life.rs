//! The life of a key over the public API: made, used, renewed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "what is wrong in a test may panic"
)]

mod common;

use common::*;
use quorumkey::{KeyState, Suite};

#[test]
fn any_two_of_three_sign_with_every_suite_before_and_after_a_refresh() {
    for suite in Suite::ALL {
        let members = group(3);
        let key = dkg(&members, suite, 2);
        assert_eq!(key.state, KeyState::Active);
        for signers in [[1, 2], [1, 3], [2, 3]] {
            sign(&members, key.id, &signers, b"before");
        }
        let renewed = refresh(&members, key.id);
        assert_eq!((renewed.group_key.clone(), renewed.height), (key.group_key.clone(), 1));
        assert_ne!(renewed.epoch, key.epoch);
        for signers in [[1, 2], [1, 3], [2, 3]] {
            sign(&members, key.id, &signers, b"after");
        }
        for member in &members {
            assert!(member.key(key.id).old_epochs.iter().all(quorumkey::EpochReport::is_dead));
        }
    }
}
