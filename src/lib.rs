//! Threshold wallet keys: *n* members each keep a share of a key in a key store of their own, any *t* of them sign, and the
//! key itself is never in one place.
//!
//! # Where to begin
//!
//! A member opens a [`KeyStore`] and logs in to a [`Session`]. One member proposes, by [`Session::invite`],
//! [`Session::invite_refresh`] or [`Session::invite_sign`]; the others look at the [`Invitation`] and enter with
//! [`Session::start`] or [`Session::start_sign`]. What they get is a [`Run`], a handle that holds no secret;
//! [`transport::drive`] takes it to its output over any [`Transport`](transport::Transport).
//!
//! Members come and go by [`Session::invite_reshare`], [`Session::invite_repair`] and [`Session::invite_enrolment`], which they
//! enter with [`Session::start`] as well. An old key comes in by [`Session::invite_import`]. The README has a table of all calls,
//! by the time in a share's life when they are needed.
//!
//! | what | where |
//! |---|---|
//! | tokens, sessions, PINs | [`KeyStore`], [`Session`], [`OfficerSession`], [`Pin`], [`Init`], [`Restore`], [`KdfCost`] |
//! | keys as objects | [`KeyInfo`], [`KeyState`], [`KeyTemplate`], [`Restriction`], [`Filter`] |
//! | runs | [`Run`], [`Dkg`], [`Import`], [`ImportedKey`], [`Batch`], [`Invitation`], [`Message`], [`Coordinator`] |
//! | members | [`Card`], [`Roster`], [`Fingerprint`], [`Identifier`], [`NewCard`], [`Reshare`], [`Leaving`], [`Revision`], [`Lineage`] |
//! | epochs | [`Certificate`], [`EpochReport`], [`Declaration`], [`Advice`], [`Fork`], [`Warning`], [`Quorum`] |
//! | keys and signatures | [`Suite`], [`GroupKey`], [`VerifyingKey`], [`Signature`] |
//! | children and addresses | [`ExtendedPublicKey`], [`DerivationPath`], [`Derivation`], [`Network`] |
//! | what went wrong | [`Error`], [`Misbehaviour`], [`Evidence`], [`Judgement`], [`Denial`], [`Misuse`] |
//! | backups | [`wrap`] |
//! | the audit log | [`audit`] |
//! | getting messages across | [`transport`] |
//! | keeping secrets out of core dumps and swap | [`memory`] |
//! | backends of one's own | [`Token`], [`Storage`], [`SoftToken`] |
//!
//! In the examples below, `three()` makes three members who are logged in to tokens in memory, `key(&members)` makes a 2-of-3
//! key of theirs, `deal` and `exchange` hand the messages of their runs around, and `id(1)` is a member's number. These
//! and the like stand in the repository's `tests/common/doctest.rs`; a whole program is `examples/quickstart.rs`.
//!
//! # Security
//!
//! Shares, nonces and polynomials stay in the token. No public type yields one; what leaves is signed, bound to its run,
//! and encrypted where it is secret. `SECURITY.md` in the repository says what is promised against whom, and what is not.
//!
//! # Panics
//!
//! Bytes from outside never panic. What does is an operating system without randomness.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]

pub mod audit;
mod derivation;
mod guard;
#[cfg(feature = "hazmat")]
pub mod hazmat;
mod keystore;
pub mod memory;
mod policy;
mod protocol;
mod secret;
mod suite;
pub mod transport;
mod wire;
pub mod wrap;

pub use derivation::{DerivationError, ExtendedPublicKey};
pub use keystore::{
    Advice, Batch, Change, Coordinator, Dealing, Declaration, Dkg, Entry, EpochReport, Error, FileStorage, Filter,
    Fork, Holder, Holding, Import, ImportError, ImportedKey, Init, KdfCost, KeyInfo, KeyState, KeyStore, Leaving,
    MemoryStorage, Misuse, NewCard, OfficerSession, Operation, Origin, Output, Pin, PinError, Preprocessing, Progress,
    Proposal, Protection, Protocol, ReconstructedKey, Reconstructing, Reshare, Restore, Restriction, Result, Run,
    RunProgress, Session, SessionId, Signing, SoftToken, Storage, StorageError, Token, TokenInfo,
};
pub use policy::UserType;
pub use protocol::{
    Certificate, CertificateError, Denial, Evidence, Judgement, Lineage, Misbehaviour, Rejection, Warning,
};
pub use suite::{GroupKey, Network, Signature, Suite, SuiteError, VerifyingKey};
pub use wire::{
    BackupGate, Card, CardId, DecodeError, Derivation, DerivationPath, EpochId, Export, Fingerprint, Identifier,
    Invitation, KeyId, KeyTemplate, MAX_BATCH, MAX_MESSAGE, Message, Operations, PathError, Quorum, Reason, Replaced,
    Revision, Roster, RosterError, RunId,
};
