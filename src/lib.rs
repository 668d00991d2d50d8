//! quorumkey

pub mod audit;
#[cfg(feature = "hazmat")]
pub mod hazmat;
mod keystore;
mod policy;
mod protocol;
mod secret;
mod suite;
pub mod transport;
mod wire;
pub mod wrap;

pub use keystore::{
    Change, Coordinator, Dealing, Declaration, Dkg, Entry, EpochReport, Error, FileStorage, Filter, Holder, Holding,
    Init, KdfCost, KeyInfo, KeyState, KeyStore, MemoryStorage, Misuse, NewCard, OfficerSession, Operation, Origin,
    Output, Pin, PinError, Progress, Proposal, Protection, Protocol, Restriction, Result, Run, RunProgress, Session,
    SessionId, Signing, SoftToken, Storage, StorageError, Token, TokenInfo, UserType,
};
pub use protocol::{Certificate, CertificateError, Denial, Evidence, Judgement, Misbehaviour, Rejection};
pub use suite::{GroupKey, Signature, Suite, SuiteError, VerifyingKey};
pub use wire::{
    BackupGate, Card, CardId, DecodeError, EpochId, Export, Fingerprint, Identifier, Invitation, KeyId, KeyTemplate,
    MAX_MESSAGE, Message, Operations, Reason, Replaced, Roster, RunId,
};

/// The README's example, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
