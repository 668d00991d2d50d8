//! quorumkey

pub mod audit;
mod keystore;
mod protocol;
mod secret;
mod suite;
mod wire;
pub mod wrap;

pub use keystore::{
    Change, Entry, FileStorage, KdfCost, MemoryStorage, Pin, PinError, Storage, StorageError, UserType,
};
pub use suite::{GroupKey, Signature, Suite, SuiteError, VerifyingKey};
pub use wire::{
    BackupGate, Card, CardId, DecodeError, EpochId, Export, Fingerprint, Identifier, Invitation, KeyId, KeyTemplate,
    MAX_MESSAGE, Message, Operations, Reason, Replaced, Roster, RunId,
};

/// Inner doors for tests, benches and fuzzing. Exempt from semver.
#[cfg(feature = "hazmat")]
pub mod hazmat {
    pub use crate::wrap::hazmat as wrap;
}
