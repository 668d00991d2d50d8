//! The key store.

mod pin;
mod storage;
// The engine that uses all of it is not here yet.
#[cfg_attr(not(test), allow(dead_code, unused_imports))]
mod vault;

pub use pin::{Pin, PinError, UserType};
pub use storage::{Change, Entry, FileStorage, MemoryStorage, Storage, StorageError};
pub use vault::KdfCost;
#[allow(unused_imports)]
pub(crate) use vault::{NewVault, RecordChange, Space, Unlocked, Vault, VaultError};
