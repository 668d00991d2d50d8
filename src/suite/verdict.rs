//! The one way from a computation with secrets to a decision.

use core::hint::black_box;

use subtle::Choice;

/// Makes public what came out of a computation with secrets: that a share fits its verifying share, that bytes are a
/// canonical scalar, that a scalar is not zero, that a chunk of a backup is authentic. `tests/architecture.rs` lists who
/// calls it.
///
/// Nothing else in this library branches on what was made of a secret, and `scripts/constant-time` holds it to that: the
/// line below is the only one of ours that it allows. The answer is read from a table that the compiler can't see
/// through, so that it stays the only one, wherever this is called from.
#[inline(never)]
pub(crate) fn verdict(choice: Choice) -> bool {
    black_box(&[false, true]).get(usize::from(choice.unwrap_u8())).copied().unwrap_or_default()
}
