//! What a thief finds in a token, and what it opens.

use core::fmt;
use std::path::Path;

use crate::keystore::{FileStorage, Pin, Result, SoftToken, Storage};
use crate::policy::UserType;
use crate::protocol::{Certificate, opens_deal, verify_chain};
use crate::secret::Secret;
use crate::wire::{Identifier, Invitation, Message};

/// Every 32-byte secret that a token holds: identity, shares, chain codes.
pub struct Loot(Vec<Secret<[u8; 32]>>);

impl Loot {
    /// Breaks into the token in that file with a PIN.
    pub fn of_file(path: impl AsRef<Path>, pin: &Pin) -> Result<Self> {
        Self::of(FileStorage::open(path.as_ref())?, pin)
    }

    /// Breaks into the token in that storage with a PIN.
    pub fn of<S: Storage>(storage: S, pin: &Pin) -> Result<Self> {
        SoftToken::open(storage)?.secrets(UserType::User, pin).map(Self)
    }

    /// How many secrets there are.
    #[allow(clippy::len_without_is_empty)] // there is always an identity
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// The secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.0.iter().map(Secret::expose)
    }

    /// Tries every secret as the key of what was sealed to that member in a recorded dealing. How many of the sealed
    /// shares any of them opens.
    ///
    /// `certificates` lead to the epoch that was renewed; none for a new key. `recorded` are the run's messages.
    pub fn opens(
        &self,
        invitation: &Invitation,
        certificates: &[Certificate],
        recorded: &[Message],
        member: Identifier,
    ) -> Result<usize> {
        let parent = if certificates.is_empty() { None } else { Some(verify_chain(certificates)?) };
        let secrets: Vec<_> = self.secrets().collect();
        Ok(opens_deal(&invitation.plan, parent.as_ref(), recorded, member, &secrets))
    }
}

impl fmt::Debug for Loot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loot({} secrets)", self.0.len())
    }
}
