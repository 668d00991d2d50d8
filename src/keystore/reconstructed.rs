//! A key that was put together again.

use core::fmt;

use crate::secret::Secret;
use crate::suite::GroupKey;

/// A whole key, out of the shares of t members. Wiped when dropped.
///
/// # Security
///
/// From now on it is with whoever holds this, for ever: no refresh undoes that. Move the funds to a new key as soon as it
/// has served.
pub struct ReconstructedKey {
    secret: Secret<[u8; 32]>,
    chain_code: Secret<[u8; 32]>,
    group_key: GroupKey,
}

impl ReconstructedKey {
    pub(super) const fn new(secret: Secret<[u8; 32]>, chain_code: Secret<[u8; 32]>, group_key: GroupKey) -> Self {
        Self { secret, chain_code, group_key }
    }

    /// Its public half: the group's key, for taproot the internal key with its parity.
    pub const fn group_key(&self) -> &GroupKey {
        &self.group_key
    }

    /// The secret scalar: little-endian for Ed25519, big-endian for the others.
    ///
    /// An Ed25519 *seed* can't be had back from it, and is not needed: [`ImportedKey::from_scalar`](crate::ImportedKey::from_scalar)
    /// and every signer by RFC 8032's second half of the algorithm take the scalar.
    ///
    /// # Security
    ///
    /// Whoever sees these bytes signs alone. They are copies of yours to wipe.
    pub fn dangerously_expose_secret(&self) -> &[u8; 32] {
        self.secret.expose()
    }

    /// The chain code, which makes a BIP-32 node of it.
    ///
    /// # Security
    ///
    /// With it and the secret of one unhardened child the whole tree is open.
    pub fn dangerously_expose_chain_code(&self) -> &[u8; 32] {
        self.chain_code.expose()
    }
}

impl fmt::Debug for ReconstructedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconstructedKey").field("group_key", &self.group_key).finish_non_exhaustive()
    }
}
