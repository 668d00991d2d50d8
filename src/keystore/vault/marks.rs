//! One value that stands for all sealed records.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::seal::Key;
use crate::suite::verdict;

const TAG: &[u8] = b"quorumkey/vault/mark/v1";

/// The sum (exclusive or) of a keyed hash of each sealed record's place and bytes.
///
/// A record that is taken away, or put back as it was earlier, is still sealed correctly: the sum shows it. It is kept
/// sealed itself, so nobody without the root key learns a single mark, and without them no other set of records can be
/// made that has the same sum.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks(pub(super) [u8; 32]);

impl Marks {
    /// Adds a record, or takes it away again.
    pub(super) fn toggle(&mut self, root: &Key, place: &[u8], sealed: &[u8]) {
        let mut hash = Sha256::new();
        for part in [TAG, root.expose(), place, sealed] {
            // The length of a part in front of it.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut mark: [u8; 32] = hash.finalize().into();
        for (sum, mark) in self.0.iter_mut().zip(&mark) {
            *sum ^= mark;
        }
        mark.zeroize();
    }
}

/// Marks are made of the root key.
impl PartialEq for Marks {
    fn eq(&self, other: &Self) -> bool {
        verdict(self.0.ct_eq(&other.0))
    }
}

impl Eq for Marks {}
