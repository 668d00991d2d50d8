//! What a thief finds in a token, and what it opens.

use core::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::keystore::{FileStorage, Pin, Result, SoftToken, Storage};
use crate::policy::UserType;
use crate::protocol::{Certificate, opens_deal, verify_chain};
use crate::secret::Secret;
use crate::wire::{Identifier, Invitation, Message};

/// Every 32-byte secret that a token holds: identity, shares, chain codes. And which nonces it has claimed.
pub struct Loot {
    secrets: Vec<Secret<[u8; 32]>>,
    claims: Vec<Vec<u8>>,
    records: Vec<Zeroizing<Vec<u8>>>,
}

impl Loot {
    /// Breaks into the token in that file with a PIN.
    pub fn of_file(path: impl AsRef<Path>, pin: &Pin) -> Result<Self> {
        Self::of(FileStorage::open(path.as_ref())?, pin)
    }

    /// Breaks into the token in that storage with a PIN.
    pub fn of<S: Storage>(storage: S, pin: &Pin) -> Result<Self> {
        let token = SoftToken::open(storage)?;
        let (secrets, claims) = token.secrets(UserType::User, pin)?;
        Ok(Self { secrets, claims, records: token.records(UserType::User, pin)? })
    }

    /// How many secrets there are.
    #[allow(clippy::len_without_is_empty)] // there is always an identity
    pub const fn len(&self) -> usize {
        self.secrets.len()
    }

    /// The secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.secrets.iter().map(Secret::expose)
    }

    /// The names of the nonces that were claimed.
    pub fn claims(&self) -> &[Vec<u8>] {
        &self.claims
    }

    /// What stands in every record of the token, whatever it is.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().map(|record| record.as_slice())
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
        write!(f, "Loot({} secrets)", self.secrets.len())
    }
}
