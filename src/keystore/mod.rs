//! The key store: PKCS#11's nouns over one waist, [`Token`].

mod error;
mod object;
mod pin;
mod soft;
mod storage;
mod token;
mod vault;

pub use error::{Error, Misuse, Result};
pub use object::{Declaration, EpochReport, Filter, Holder, Holding, KeyInfo, KeyState, Origin, Restriction};
pub use pin::{Pin, PinError, UserType};
pub use soft::{Init, SoftToken};
pub use storage::{Change, Entry, FileStorage, MemoryStorage, Storage, StorageError};
pub use token::{NewCard, Operation, Output, Progress, Proposal, Protection, SessionId, Token, TokenInfo};
pub use vault::KdfCost;
