//! What somebody finds in the bytes of a file.

use core::fmt;
use std::collections::BTreeSet;

use crate::keystore::{Pin, scavenge};
use crate::policy::UserType;
use crate::wire::{EpochId, KeyId};

/// What somebody finds in a token's file, or in what is left of it, who has both PINs and tries every place, whatever the
/// database says.
pub struct Scavenged {
    keys: Vec<[u8; 32]>,
    secrets: Vec<[u8; 32]>,
}

impl Scavenged {
    /// Looks in those bytes for shares and chain codes of these keys and epochs.
    pub fn of(bytes: &[u8], user: &Pin, officer: &Pin, keys: &[(KeyId, Vec<EpochId>)]) -> Self {
        let pins = [(UserType::User, user), (UserType::SecurityOfficer, officer)];
        let found = scavenge(bytes, &pins, keys);
        // One secret may have been sealed more than once.
        let secrets: BTreeSet<_> =
            found.records.iter().filter_map(|record| record.as_slice().try_into().ok()).collect();
        Self { keys: found.keys, secrets: secrets.into_iter().collect() }
    }

    /// The root keys and data keys.
    pub fn keys(&self) -> &[[u8; 32]] {
        &self.keys
    }

    /// The shares and chain codes.
    pub fn secrets(&self) -> &[[u8; 32]] {
        &self.secrets
    }
}

impl fmt::Debug for Scavenged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scavenged({} keys, {} secrets)", self.keys.len(), self.secrets.len())
    }
}
