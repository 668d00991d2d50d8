//! What a token did, in a chain of records of which none can be taken out, changed or moved unseen.

#[cfg(test)]
mod tests;

use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::guard::forbids;
use crate::wire::{DecodeError, Hex, Reader, Writer};

const RECORD_TAG: &[u8] = b"quorumkey/audit/v1";
const GENESIS_TAG: &[u8] = b"quorumkey/audit/genesis/v1";
const VERSION: u8 = 1;
/// The most bytes of an event's detail.
pub(crate) const MAX_DETAIL: usize = 512;

/// The hash of a record and, through it, of all records before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of those bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a chain has got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number that the next record will have; also how many there are.
    pub next: u64,
    /// The hash of the last record, or the beginning of the token's chain.
    pub digest: Digest,
}

impl Head {
    /// The beginning of the chain of the token with that id.
    pub fn genesis(token: &[u8; 16]) -> Self {
        let bytes = Writer::new().bytes(GENESIS_TAG).raw(token).finish();
        Self { next: 0, digest: Digest(Sha256::digest(bytes).into()) }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $text:literal;)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventKind { $($(#[$doc])* $kind,)* }

        impl EventKind {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its number in a record; numbers are never used again for something else.
            pub const fn code(self) -> u16 {
                match self { $(Self::$kind => $code,)* }
            }

            const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$kind),)* _ => None }
            }
        }

        impl fmt::Display for EventKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$kind => $text,)* })
            }
        }
    };
}

kinds! {
    /// The token was made.
    TokenCreated = 1, "token created";
    /// The token was made from a backup of its identity.
    TokenRestored = 2, "token restored";
    /// A user logged in.
    LoggedIn = 3, "logged in";
    /// A PIN was wrong.
    LoginFailed = 4, "login failed";
    /// A PIN was wrong for the last time.
    LockedOut = 5, "locked out";
    /// A PIN was set.
    PinChanged = 6, "PIN changed";
    /// A run began.
    RunStarted = 7, "run started";
    /// A run failed.
    RunFailed = 8, "run failed";
    /// A nonce was used.
    NonceClaimed = 9, "nonce claimed";
    /// A share was received that is not certified yet.
    KeyPending = 10, "key pending";
    /// A share was certified.
    KeyActive = 11, "key active";
    /// A share was superseded.
    KeyRetired = 12, "key retired";
    /// An epoch's share was erased.
    EpochErased = 13, "epoch erased";
    /// A key was destroyed.
    KeyDestroyed = 14, "key destroyed";
    /// What a key may do was restricted.
    Restricted = 15, "restricted";
    /// A backup left the token.
    BackupExported = 16, "backup exported";
    /// A backup was read in.
    BackupRestored = 17, "backup restored";
    /// The security officer overrode a rule.
    OverrideUsed = 18, "override used";
    /// Somebody was named as holding a share.
    HolderDeclared = 19, "holder declared";
    /// A certificate finished a pending epoch.
    CertificateCompleted = 20, "certificate completed";
    /// A key was restored.
    KeyRestored = 21, "key restored";
    /// The security officer pardoned a member that had broken a run.
    MemberPardoned = 22, "member pardoned";
    /// A key's extended public key left the token: whoever has it can follow all its children.
    ExtendedKeyShown = 23, "extended public key shown";
    /// The user consented to a reconstruction of a key.
    ReconstructionConsented = 24, "reconstruction consented";
    /// A share was handed over to a member that puts the key together.
    ShareHandedOver = 25, "share handed over";
    /// A key was put together, here.
    KeyReconstructed = 26, "key reconstructed";
    /// A revision of the roster is about to be signed.
    RevisionSigned = 27, "revision signed";
    /// A quorum has signed a revision of the roster.
    RosterRevised = 28, "roster revised";
    /// The other members have made this token's share again, or its first.
    KeyRepaired = 29, "key repaired";
    /// The security officer began to destroy the token. Seen only if that did not succeed.
    TokenDestroyed = 30, "token destroyed";
    /// Another line of certified epochs was seen.
    ForkSeen = 31, "fork seen";
    /// An attempt was given up.
    AttemptAbandoned = 32, "attempt abandoned";
}

/// Something that happened. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    kind: EventKind,
    object: Option<[u8; 32]>,
    run: Option<[u8; 32]>,
    detail: Vec<u8>,
}

impl Event {
    pub(crate) const fn new(kind: EventKind) -> Self {
        Self { kind, object: None, run: None, detail: Vec::new() }
    }

    /// The event of an object, such as a key.
    pub(crate) fn object(mut self, object: [u8; 32]) -> Self {
        self.object = Some(object);
        self
    }

    /// The event of a run.
    pub(crate) fn run(mut self, run: [u8; 32]) -> Self {
        self.run = Some(run);
        self
    }

    /// What more there is to say, already encoded; at most [`MAX_DETAIL`] bytes, none of them secret.
    pub(crate) fn detail(mut self, detail: Vec<u8>) -> Result<Self, DecodeError> {
        if detail.len() > MAX_DETAIL {
            return Err(DecodeError::TooLong);
        }
        self.detail = detail;
        Ok(self)
    }

    /// What happened.
    pub const fn kind(&self) -> EventKind {
        self.kind
    }

    /// The object that it happened to.
    pub const fn object_id(&self) -> Option<&[u8; 32]> {
        self.object.as_ref()
    }

    /// The run in which it happened.
    pub const fn run_id(&self) -> Option<&[u8; 32]> {
        self.run.as_ref()
    }

    /// What more there is to say; its encoding depends on the kind.
    pub fn details(&self) -> &[u8] {
        &self.detail
    }

    fn encode(&self, out: &mut Writer) {
        out.u16(self.kind.code());
        for id in [&self.object, &self.run] {
            match id {
                Some(id) => out.u8(1).raw(id),
                None => out.u8(0),
            };
        }
        out.bytes(&self.detail);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = EventKind::from_code(reader.u16()?).ok_or(DecodeError::Invalid("event kind"))?;
        let object = optional(reader)?;
        let run = optional(reader)?;
        Ok(Self { kind, object, run, detail: reader.bytes(MAX_DETAIL)?.to_vec() })
    }
}

fn optional(reader: &mut Reader<'_>) -> Result<Option<[u8; 32]>, DecodeError> {
    match reader.u8()? {
        0 => Ok(None),
        1 => Ok(Some(reader.array()?)),
        _ => Err(DecodeError::Invalid("option")),
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        for (what, id) in [("object", &self.object), ("run", &self.run)] {
            if let Some(id) = id {
                write!(f, ", {what} ")?;
                Hex(id).fmt(f)?;
            }
        }
        if !self.detail.is_empty() {
            f.write_str(", detail ")?;
            Hex(&self.detail).fmt(f)?;
        }
        Ok(())
    }
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    sequence: u64,
    previous: Digest,
    counter: u64,
    event: Event,
    hash: Digest,
}

impl Record {
    /// The record of an event at the end of a chain, in the transaction with that state counter.
    pub(crate) fn append(head: &Head, counter: u64, event: Event) -> Self {
        let mut record = Self { sequence: head.next, previous: head.digest, counter, event, hash: Digest([0; 32]) };
        record.hash = record.computed_hash();
        record
    }

    /// Its number, from 0.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The hash of the record before it.
    pub const fn previous(&self) -> Digest {
        self.previous
    }

    /// The token's state counter after the transaction that wrote it.
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// What happened.
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// Its hash, as it says itself; [`verify`] computes it.
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// The chain's head after this record.
    pub(crate) const fn head(&self) -> Head {
        Head { next: self.sequence.saturating_add(1), digest: self.hash }
    }

    fn computed_hash(&self) -> Digest {
        let tagged = Writer::new().bytes(RECORD_TAG).raw(&self.body()).finish();
        Digest(Sha256::digest(tagged).into())
    }

    fn body(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u8(VERSION).u64(self.sequence).raw(&self.previous.0).u64(self.counter);
        self.event.encode(&mut out);
        out.finish()
    }

    /// The record in its one encoding, for whoever checks the log without the token.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::audit::Record;
    ///
    /// let store = token();
    /// let records = store.login(&init("").user)?.audit(None, 1)?;
    /// assert_eq!(Record::from_bytes(&records[0].to_bytes())?, records[0]);
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::new().raw(&self.body()).raw(&self.hash.0).finish()
    }

    /// Reads a record. Whether its hash is right, [`verify`] says.
    ///
    /// # Errors
    ///
    /// Any other encoding, an unknown version, or an event that this version does not know.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let sequence = reader.u64()?;
        let previous = Digest(reader.array()?);
        let counter = reader.u64()?;
        let event = Event::decode(&mut reader)?;
        let hash = Digest(reader.array()?);
        reader.finish()?;
        Ok(Self { sequence, previous, counter, event, hash })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (state {}): {}", self.sequence, self.counter, self.event)
    }
}

/// What is wrong with a log, and at which record it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditError {
    /// The record of that number is missing.
    Cut(u64),
    /// The record of that number, or the one before it, is not the one that was written.
    Edited(u64),
    /// The record of that number is not in its place.
    Reordered(u64),
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(at) => write!(f, "audit record {at} is missing"),
            Self::Edited(at) => write!(f, "the audit log was edited at record {at}"),
            Self::Reordered(at) => write!(f, "audit record {at} is not in its place"),
        }
    }
}

impl core::error::Error for AuditError {}

/// Checks that `records` lead from one head to the other, without a gap.
///
/// Only a digest that is known from elsewhere makes this worth something: from the token itself, from a peer, from paper.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::audit::{self, AuditError, Head};
///
/// let store = token();
/// let session = store.login(&init("").user)?;
/// let mut records = session.audit(None, 1000)?;
/// let (from, to) = (Head::genesis(&store.info()?.id), records[records.len() - 1].hash());
/// assert_eq!(audit::verify(&records, &from, to), Ok(()));
/// records.remove(0);
/// assert_eq!(audit::verify(&records, &from, to), Err(AuditError::Cut(0)));
/// # Ok::<(), quorumkey::Error>(())
/// ```
pub fn verify(records: &[Record], from: &Head, to: Digest) -> Result<(), AuditError> {
    let head = follow(records, from)?;
    if head.digest == to { Ok(()) } else { Err(AuditError::Cut(head.next)) }
}

/// Checks that `records` continue the chain, and gives the head that they lead to.
pub fn follow(records: &[Record], from: &Head) -> Result<Head, AuditError> {
    let mut head = *from;
    for (place, record) in records.iter().enumerate() {
        if forbids!(RecordHashed, record.hash != record.computed_hash()) {
            return Err(AuditError::Edited(record.sequence));
        }
        if forbids!(RecordNumbered, record.sequence != head.next) {
            let elsewhere =
                record.sequence < head.next || records.iter().skip(place).any(|later| later.sequence == head.next);
            return Err(if elsewhere { AuditError::Reordered(record.sequence) } else { AuditError::Cut(head.next) });
        }
        if forbids!(RecordChained, record.previous != head.digest) {
            return Err(AuditError::Edited(record.sequence));
        }
        head = record.head();
    }
    Ok(head)
}
