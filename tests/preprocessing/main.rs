//! Nonces that are made beforehand: one round for each signature, each pair once, and gone in time.
#![allow(unreachable_pub, reason = "the functions are mounted by a macro")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

#[allow(dead_code, reason = "each test file uses its own part")]
#[path = "../conformance/backend.rs"]
mod backend;
#[path = "../common/mod.rs"]
mod common;
#[path = "../epochs/device.rs"]
mod device;

mod attacks;
mod life;
mod online;

use common::*;
use quorumkey::audit::EventKind;
use quorumkey::{Batch, Derivation, Invitation, KeyId, Preprocessing, Run};

const MESSAGE: &[u8] = b"pay the baker";

fn plain() -> Derivation {
    Derivation::default()
}

/// The runs that keep nonces of all these members, and what they say of them.
struct Kept {
    runs: Vec<Run<Preprocessing>>,
    batch: Batch,
}

impl Kept {
    fn new(members: &[Member], key: KeyId, count: u16) -> Self {
        let invitation = propose(members, key, count);
        let mut runs: Vec<_> = members.iter().map(|one| one.session.start_preprocess(&invitation).unwrap()).collect();
        let batches = exchange(&mut runs);
        assert!(batches.windows(2).all(|pair| pair[0] == pair[1]));
        Self { runs, batch: batches.into_iter().next().unwrap() }
    }
}

fn propose(members: &[Member], key: KeyId, count: u16) -> Invitation {
    let ids: Vec<_> = (1..).take(members.len()).map(id).collect();
    members[0].session.invite_preprocess(key, &ids, count).unwrap()
}

/// An invitation of that member to sign with the batch's next nonces.
fn invite(member: &Member, batch: &Batch, signers: &[u16], message: &[u8]) -> Invitation {
    let ids: Vec<_> = signers.iter().map(|number| id(*number)).collect();
    member.session.invite_sign_prepared(batch, &ids, message, &plain()).unwrap()
}

/// The commitments that were claimed.
fn claims(member: &Member) -> Vec<Vec<u8>> {
    let log = member.session.audit(None, 100_000).unwrap();
    let claimed = log.iter().filter(|record| record.event().kind() == EventKind::NonceClaimed);
    claimed.map(|record| record.event().details()[..32].to_vec()).collect()
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
    online:
        each_signature_takes_one_round_in_every_suite
        any_t_of_a_batchs_signers_use_it_also_for_a_child
        a_coordinator_follows_from_the_messages_of_the_batch;
    life:
        nonces_made_beforehand_die_with_their_run_and_their_session
        nonces_made_beforehand_die_when_the_shares_are_renewed
        nonces_made_beforehand_live_for_an_hour
        a_token_holds_so_many_nonces_and_no_more
        a_key_that_may_not_sign_makes_and_uses_no_nonces
        what_is_reopened_or_restored_has_no_nonces;
}
