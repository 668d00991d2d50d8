//! What a guess at a PIN costs.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::guard::holds;
use crate::keystore::Pin;
use crate::secret::Secret;
use crate::wire::{DecodeError, Reader, Writer};

use super::VaultError;
use super::seal::Key;

/// The most memory that a token's file may ask for, in KiB: one GiB.
const MAX_MEMORY: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 4;
/// OWASP's recommendation for Argon2id, in its smallest form.
const FLOOR: KdfCost = KdfCost { memory: 19 * 1024, passes: 2, lanes: 1 };

/// How much work Argon2id makes of one try of a PIN; kept in the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfCost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

impl KdfCost {
    /// The cost of that many KiB of memory, passes over them, and lanes.
    ///
    /// Returns `None` below 19 MiB and 2 passes, and above 1 GiB, 16 passes and 4 lanes.
    ///
    /// ```
    /// use quorumkey::KdfCost;
    /// assert!(KdfCost::new(256 * 1024, 4, 1).is_some());
    /// assert!(KdfCost::new(8, 1, 1).is_none());
    /// ```
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let cost = Self { memory: memory_kib, passes, lanes };
        let enough = cost.memory >= FLOOR.memory && cost.passes >= FLOOR.passes;
        (enough && cost.is_bounded()).then_some(cost)
    }

    /// 19 MiB and 2 passes: for a device with little memory.
    pub const fn small() -> Self {
        FLOOR
    }

    /// 256 MiB and 4 passes: about a second, for a token that is seldom opened.
    pub const fn strong() -> Self {
        Self { memory: 256 * 1024, passes: 4, lanes: 1 }
    }

    /// Next to no work, for tests.
    #[cfg(any(test, feature = "hazmat"))]
    pub const fn insecure_for_tests() -> Self {
        Self { memory: 8, passes: 1, lanes: 1 }
    }

    fn is_bounded(self) -> bool {
        (8..=MAX_MEMORY).contains(&self.memory)
            && (1..=MAX_PASSES).contains(&self.passes)
            && (1..=MAX_LANES).contains(&self.lanes)
            && self.memory >= 8 * self.lanes
    }

    pub(super) fn encode(self, out: &mut Writer) {
        out.u32(self.memory).u32(self.passes).u32(self.lanes);
    }

    /// Reads a cost, refused before anything is allocated for it.
    ///
    /// It may be below the floor: the cost is bound to what it protects, so a lowered one opens nothing.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let cost = Self { memory: reader.u32()?, passes: reader.u32()?, lanes: reader.u32()? };
        if holds!(CostBounded, cost.is_bounded()) { Ok(cost) } else { Err(DecodeError::Invalid("cost")) }
    }

    /// The key that a PIN stands for.
    pub(super) fn derive(self, pin: &Pin, salt: &[u8; 16]) -> Result<Key, VaultError> {
        let params = Params::new(self.memory, self.passes, self.lanes, Some(32)).map_err(|_| VaultError::Corrupt)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut blocks = Zeroizing::new(vec![argon2::Block::default(); argon.params().block_count()]);
        let mut key = Secret::new([0; 32]);
        argon
            .hash_password_into_with_memory(pin.expose(), salt, key.expose_mut(), blocks.as_mut_slice())
            .map_err(|_| VaultError::Corrupt)?;
        Ok(key)
    }
}

/// 64 MiB and 3 passes: RFC 9106's second recommendation, with one lane.
impl Default for KdfCost {
    fn default() -> Self {
        Self { memory: 64 * 1024, passes: 3, lanes: 1 }
    }
}
