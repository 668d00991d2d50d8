//! The facade's errors, named by whose fault it is.

use core::fmt;

use super::vault::VaultError;
use super::{PinError, StorageError};
use crate::audit::AuditError;
use crate::derivation::DerivationError;
use crate::policy::Refusal;
use crate::protocol::{
    Certificate, CertificateError, Denial, Evidence, Failure, Halt, Misbehaviour, Refused, Rejection,
};
use crate::suite::SuiteError;
use crate::wire::{DecodeError, EpochId, Identifier, KeyId, RosterError, RunId};
use crate::wrap::WrapError;

/// What a key store answers.
pub type Result<T> = core::result::Result<T, Error>;

/// Whose fault it is, and what there is to know of it. No variant holds a secret.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::{Denial, Error};
///
/// let members = three();
/// let key = key(&members);
/// let invitation = members[0].invite_sign(key.id, &[id(1), id(2)], b"a message")?;
/// match members[1].start_sign(&invitation, b"another message") {
///     Err(Error::Denied(Denial::OtherMessage)) => {}
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Members broke the protocol; the run is dead. Without culprits nobody can be blamed on the evidence at hand.
    PeerMisbehaved {
        /// Who did it, all of them that this run could find.
        culprits: Vec<Identifier>,
        /// What they did.
        misbehaviour: Misbehaviour,
        /// The signed messages that show it.
        evidence: Evidence,
    },
    /// A member's token shows an older state than it has shown before: it was rolled back, or there are two of it.
    RolledBack {
        /// Which member.
        member: Identifier,
    },
    /// Members did not answer before the deadline. That is not misbehaviour.
    Absent {
        /// Whose messages are missing.
        awaiting: Vec<Identifier>,
    },
    /// A message changed nothing: it is not one of this run, or not by a member. The run goes on.
    Rejected(Rejection),
    /// The share that is asked for, or that is held here, is of another epoch than the key's newest.
    Stale {
        /// The newest epoch that is known here.
        have: EpochId,
        /// What whoever is behind lacks, oldest first: the certificates that lead on from the epoch that was asked for, before
        /// them its own if its roster was revised. Empty if it is not known here, in which case it may be this token that is
        /// behind. [`catch_up`](crate::Session::catch_up) takes them.
        certificates: Vec<Certificate>,
    },
    /// A certificate and the epoch that is held here both descend from one epoch, and neither names the other. Or their
    /// rosters do, by revisions that exclude each other. [`KeyInfo::forks`](crate::KeyInfo::forks) says who signed both.
    Fork {
        /// The epoch that is held here.
        ours: EpochId,
        /// The other one; if it is one of the line here, the roster of that epoch has forked.
        theirs: EpochId,
    },
    /// This token's rules forbid it.
    Denied(Denial),
    /// The session has ended, and its runs with it.
    LoggedOut,
    /// The PIN is wrong, or what it opens was changed.
    Login {
        /// How many tries are left.
        tries_left: u8,
    },
    /// Too many wrong PINs. The security officer can set the user's anew.
    Locked,
    /// The role that is logged in may not do this.
    Role,
    /// There is no such key here.
    NotFound(KeyId),
    /// Such a key is here already.
    Exists(KeyId),
    /// The caller asks for what makes no sense.
    Misuse(Misuse),
    /// Bytes that cannot be read.
    Decode(DecodeError),
    /// A certificate that proves nothing here.
    Certificate(CertificateError),
    /// Members that are no roster.
    Roster(RosterError),
    /// A key or a signature that is none.
    Suite(SuiteError),
    /// A child that the key does not have.
    Derivation(DerivationError),
    /// A PIN that is none.
    Pin(PinError),
    /// The store failed. What was not acknowledged may or may not have happened; the run that it happened in is dead.
    Storage(StorageError),
    /// The audit log is not the one that this token wrote.
    Audit(AuditError),
    /// A backup could not be made or opened: a wrong key and tampering look the same.
    Wrap(WrapError),
}

/// What a caller got wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// This token's card is not in the plan.
    NotAMember,
    /// The invitation is not signed by a member that may invite.
    Inviter,
    /// The operation cannot be done here, now: this is why.
    Unsupported(&'static str),
    /// This token has entered the run before. A run is entered once.
    RunEnteredBefore(RunId),
    /// The run is over, was aborted, or belongs to another session.
    NoSuchRun(RunId),
    /// Nonces live for ten minutes, those that were made beforehand for an hour. These are older.
    NoncesExpired,
    /// The nonces that were made beforehand are used, were given to another signature, or are not of these signers.
    NoNonces,
    /// So many nonces wait for their messages that this token makes no more.
    TooManyNonces,
    /// The plan breaks a rule: this one.
    Plan(&'static str),
    /// A process may not use a token that its parent opened.
    ForkedProcess,
    /// A restriction would widen what it should tighten.
    Widens,
    /// The backup is of another member.
    OtherMember,
    /// The share in the backup is not the one that its certificate speaks of.
    WrongShare,
    /// The key's share is not held here.
    NoShare,
    /// The key has no old epoch of that name, or that epoch no share of that member.
    NoSuchShare,
    /// The key has no attempt of that name which this token signed and no certificate ended.
    NoSuchAttempt,
}

impl Error {
    /// Whether the same call may succeed later without anybody changing anything.
    pub const fn retryable(&self) -> bool {
        matches!(
            self,
            Self::Absent { .. } | Self::Rejected(_) | Self::Storage(StorageError::Io(_) | StorageError::InUse)
        )
    }

    /// A number that stays the same across versions.
    pub const fn code(&self) -> u16 {
        match self {
            Self::PeerMisbehaved { .. } => 1,
            Self::RolledBack { .. } => 2,
            Self::Absent { .. } => 3,
            Self::Rejected(_) => 4,
            Self::Stale { .. } => 5,
            Self::Fork { .. } => 6,
            Self::Denied(_) => 7,
            Self::LoggedOut => 8,
            Self::Login { .. } => 9,
            Self::Locked => 10,
            Self::Role => 11,
            Self::NotFound(_) => 12,
            Self::Exists(_) => 13,
            Self::Misuse(_) => 14,
            Self::Decode(_) => 15,
            Self::Certificate(_) => 16,
            Self::Suite(_) => 17,
            Self::Pin(_) => 18,
            Self::Storage(_) => 19,
            Self::Audit(_) => 20,
            Self::Wrap(_) => 21,
            Self::Derivation(_) => 22,
            Self::Roster(_) => 23,
        }
    }
}

struct Members<'a>(&'a [Identifier]);

impl fmt::Display for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "member" } else { "members" })?;
        self.0.iter().enumerate().try_for_each(|(i, id)| write!(f, "{} {id}", if i == 0 { "" } else { "," }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerMisbehaved { culprits, misbehaviour, .. } if culprits.is_empty() => {
                write!(f, "the run failed: {misbehaviour}")
            }
            Self::PeerMisbehaved { culprits, misbehaviour, .. } => write!(f, "{}: {misbehaviour}", Members(culprits)),
            Self::RolledBack { member } => {
                write!(f, "member {member}'s token shows an older state than it has shown before")
            }
            Self::Absent { awaiting } => write!(f, "no answer from {}", Members(awaiting)),
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Stale { have, certificates } if certificates.is_empty() => {
                write!(f, "the epoch is not known here; the newest here is {have}")
            }
            Self::Stale { have, .. } => write!(f, "the epoch is of the past; the key's epoch is {have}"),
            Self::Fork { ours, theirs } if ours == theirs => write!(f, "the roster of epoch {ours} has forked"),
            Self::Fork { ours, theirs } => write!(f, "the key has forked: {ours} here, {theirs} there"),
            Self::Denied(denial) => denial.fmt(f),
            Self::LoggedOut => f.write_str("the session has ended"),
            Self::Login { tries_left } => write!(f, "the login failed; {tries_left} tries are left"),
            Self::Locked => f.write_str("locked after too many failed logins"),
            Self::Role => f.write_str("the role that is logged in may not do this"),
            Self::NotFound(key) => write!(f, "there is no key {key} here"),
            Self::Exists(key) => write!(f, "key {key} is here already"),
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::Certificate(error) => error.fmt(f),
            Self::Roster(error) => error.fmt(f),
            Self::Suite(error) => error.fmt(f),
            Self::Derivation(error) => error.fmt(f),
            Self::Pin(error) => error.fmt(f),
            Self::Storage(error) => error.fmt(f),
            Self::Audit(error) => error.fmt(f),
            Self::Wrap(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMember => f.write_str("this token's card is not in the plan"),
            Self::Inviter => f.write_str("the invitation is not signed by a member that may invite"),
            Self::Unsupported(what) => write!(f, "not supported: {what}"),
            Self::RunEnteredBefore(run) => write!(f, "this token has entered run {run} before"),
            Self::NoSuchRun(run) => write!(f, "run {run} is over or belongs to another session"),
            Self::NoncesExpired => f.write_str("the run's nonces are too old"),
            Self::NoNonces => f.write_str("the prepared nonces are not there"),
            Self::TooManyNonces => f.write_str("too many prepared nonces are held already"),
            Self::Plan(rule) => write!(f, "the plan is refused: {rule}"),
            Self::ForkedProcess => f.write_str("this process did not open the token"),
            Self::Widens => f.write_str("a restriction can only tighten"),
            Self::OtherMember => f.write_str("the backup is of another member"),
            Self::WrongShare => f.write_str("the share is not the one that the certificate speaks of"),
            Self::NoShare => f.write_str("the key's share is not held here"),
            Self::NoSuchAttempt => f.write_str("this token has no such attempt"),
            Self::NoSuchShare => f.write_str("no old epoch of the key has such a share"),
        }
    }
}

impl core::error::Error for Misuse {}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Storage(error) => Self::Storage(error),
            VaultError::Login { tries_left } => Self::Login { tries_left },
            VaultError::Locked => Self::Locked,
            VaultError::Denied => Self::Role,
            VaultError::Corrupt | VaultError::Exists | VaultError::TooLong => Self::Storage(StorageError::Corrupt),
            VaultError::Future(version) => Self::Storage(StorageError::Future(version.into())),
            VaultError::Audit(error) => Self::Audit(error),
            VaultError::Random => Self::Storage(StorageError::Io(std::io::ErrorKind::Other)),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { culprits, misbehaviour, evidence, .. } = failure;
        Self::PeerMisbehaved { culprits, misbehaviour, evidence }
    }
}

impl From<Halt> for Error {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Failed(failure) => (*failure).into(),
            Halt::Denied(denial) => Self::Denied(denial),
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Rejected(rejection) => Self::Rejected(rejection),
            Refused::Failed(failure) => (*failure).into(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Role => Self::Role,
            Refusal::Denied(denial) => Self::Denied(denial),
        }
    }
}

macro_rules! from {
    ($($source:ident => $variant:ident,)*) => {
        $(impl From<$source> for Error {
            fn from(error: $source) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from! {
    DecodeError => Decode,
    CertificateError => Certificate,
    RosterError => Roster,
    SuiteError => Suite,
    DerivationError => Derivation,
    PinError => Pin,
    StorageError => Storage,
    AuditError => Audit,
    WrapError => Wrap,
    Misuse => Misuse,
}
