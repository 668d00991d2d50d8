//! The key store: PKCS#11's nouns over one waist, [`Token`].

mod coordinator;
mod error;
mod imported;
mod object;
mod pin;
mod reconstructed;
mod run;
mod session;
mod soft;
mod storage;
mod store;
mod token;
mod vault;

pub use coordinator::Coordinator;
pub use error::{Error, Misuse, Result};
pub use imported::{ImportError, ImportedKey};
pub use object::{
    Advice, Declaration, EpochReport, Filter, Fork, Holder, Holding, KeyInfo, KeyState, Origin, Restriction,
};
pub use pin::{Pin, PinError};
pub use reconstructed::ReconstructedKey;
pub use run::{Dealing, Preprocessing, Protocol, Reconstructing, Run, RunProgress, Signing};
pub use session::{Dkg, Import, OfficerSession, Session};
pub use soft::{Init, Restore, SoftToken};
#[cfg(feature = "hazmat")]
pub(crate) use soft::{plan_meanwhile, scavenge, set_clock_ahead};
pub use storage::{Change, Entry, FileStorage, MemoryStorage, Storage, StorageError};
#[cfg(feature = "hazmat")]
pub(crate) use storage::{Disk, Medium, Step};
pub use store::KeyStore;
pub use token::{
    Batch, Leaving, NewCard, Operation, Output, Progress, Proposal, Protection, Reshare, SessionId, Token, TokenInfo,
};
pub use vault::KdfCost;
#[cfg(feature = "hazmat")]
pub(crate) use {
    soft::{WatchedContent, reencode_record},
    vault::{Lock, Relock, reencode_header},
};
