//! What somebody finds in bytes who knows the PINs, whatever a database says of them. For tests of erasure.

use core::fmt;
use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::header::Header;
use super::seal::{self, Key};
use super::{Space, associated};
use crate::keystore::Pin;
use crate::policy::UserType;

/// A header's length.
const HEADER: usize = 481;
/// Nothing that is sealed, and no header, has so many zeros in a row.
const BLOCK: usize = 64;

/// Where a record is, and how long: its space, its key in the space, its length.
type Place<'a> = (Space, &'a [u8], usize);

/// What was found.
#[derive(Default)]
pub(crate) struct Scavenged {
    /// Root keys and data keys.
    pub(crate) keys: Vec<[u8; 32]>,
    /// Records of the places that were looked for.
    pub(crate) records: Vec<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for Scavenged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scavenged({} keys, {} records)", self.keys.len(), self.records.len())
    }
}

/// Looks for a header at every offset, with its root keys for a data key at every offset, and with these for the records
/// at every offset.
pub(crate) fn scavenge(bytes: &[u8], pins: &[(UserType, &Pin)], places: &[Place<'_>]) -> Scavenged {
    let mut found = Scavenged::default();
    let headers: BTreeSet<&[u8]> = windows(bytes, HEADER).filter(|window| Header::decode(window).is_ok()).collect();
    for header in headers.into_iter().filter_map(|window| Header::decode(window).ok()) {
        let unlock = |(role, pin): &(UserType, &Pin)| header.unlock(*role, pin).ok().flatten();
        let roots: BTreeSet<[u8; 32]> = pins.iter().filter_map(unlock).map(|root| *root.expose()).collect();
        for root in roots {
            found.keys.push(root);
            below_root(bytes, &Key::new(root), &header.token, places, &mut found);
        }
    }
    found
}

fn below_root(bytes: &[u8], root: &Key, token: &[u8; 16], places: &[Place<'_>], found: &mut Scavenged) {
    for space in places.iter().map(|(space, ..)| *space).collect::<BTreeSet<_>>() {
        let place = associated(token, &space.data_key());
        let opens = |window| seal::open_key(root, &place, window);
        let keys: BTreeSet<[u8; 32]> =
            windows(bytes, seal::SEALED_KEY).filter_map(opens).map(|key| *key.expose()).collect();
        for key in keys {
            found.keys.push(key);
            let key = Key::new(key);
            for (_, name, len) in places.iter().filter(|(of, ..)| *of == space) {
                let place = associated(token, &space.record(name));
                let sealed = windows(bytes, len.saturating_add(seal::OVERHEAD));
                found.records.extend(sealed.filter_map(|window| seal::open(&key, &place, window)));
            }
        }
    }
}

/// The windows of that length. Blocks of zeros, which are most of a database and part of nothing that is sealed, are
/// passed over.
fn windows(bytes: &[u8], len: usize) -> impl Iterator<Item = &[u8]> {
    let blocks: Vec<&[u8]> = bytes.chunks(BLOCK).collect();
    let zeros = |block: &&[u8]| block.iter().all(|byte| *byte == 0);
    let mut islands = Vec::new();
    let mut at: usize = 0;
    for run in blocks.chunk_by(|a, b| zeros(a) == zeros(b)) {
        let end = run.iter().fold(at, |end, block| end.saturating_add(block.len()));
        if run.first().is_some_and(|block| !zeros(block)) {
            islands.extend(bytes.get(at..end));
        }
        at = end;
    }
    islands.into_iter().flat_map(move |island: &[u8]| island.windows(len))
}
