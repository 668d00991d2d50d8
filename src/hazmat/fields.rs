//! Where each field of a message stands, as docs/format.md draws it: what an attacker changes one by one.
//!
//! It is written from the format and not from the decoders, so each checks the other. No kind of message can be left out:
//! the match over subjects has no default.

use crate::suite::Suite;
use crate::wire::{Message, Subject};

/// What a field is, and so what it may be replaced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A number, a flag, a code.
    Number,
    /// How many items or bytes follow.
    Count,
    /// A hash, or random bytes.
    Bytes,
    /// An encoded point.
    Point,
    /// An encoded scalar.
    Scalar,
    /// Part of a ciphertext.
    Sealed,
    /// A signature, or something signed, in its own encoding.
    Signed,
    /// Nothing: the place after the last field of a body.
    End,
}

macro_rules! names {
    ($($name:ident: $text:literal)*) => {
        /// What a layout can name: nothing else, so that a test can tell what it has never met.
        #[derive(Clone, Copy)]
        enum Name {
            $($name,)*
        }

        impl Name {
            const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        /// What the fields of messages are called, each once.
        pub const NAMES: &[&str] = &[$($text,)*];
    };
}

names! {
    Version: "version"
    Suite: "suite"
    Group: "group"
    Epoch: "epoch"
    Run: "run"
    Round: "round"
    Sender: "sender"
    Subject: "subject"
    Counter: "counter"
    AuditHead: "audit head"
    View: "view"
    BodyLength: "body length"
    Contribution: "contribution"
    ChainCommitment: "chain commitment"
    Restored: "restored"
    Overridden: "overridden"
    SignedAttempts: "signed attempts"
    LengthOfASignedAttempt: "length of a signed attempt"
    SignedAttempt: "signed attempt"
    DealtAttempts: "dealt attempts"
    DealtAttempt: "dealt attempt"
    RunKey: "run key"
    PossessionCommitment: "possession commitment"
    PossessionResponse: "possession response"
    Commitment: "commitment"
    EphemeralKey: "ephemeral key"
    CiphertextLength: "ciphertext length"
    SealedShare: "sealed share"
    SealedPayload: "sealed payload"
    Tag: "tag"
    EpochOfTheTranscript: "epoch of the transcript"
    IdentitySignature: "identity signature"
    LengthOfTheRunKeysSignature: "length of the run key's signature"
    SignatureCommitment: "signature commitment"
    SignatureResponse: "signature response"
    Accused: "accused"
    PointSharedByTheEphemeralKey: "point shared by the ephemeral key"
    PointSharedByTheRunKeys: "point shared by the run keys"
    Challenge: "challenge"
    Response: "response"
    ErasedEpochs: "erased epochs"
    ErasedEpoch: "erased epoch"
    BackedUpEpochs: "backed up epochs"
    BackedUpEpoch: "backed up epoch"
    HidingCommitment: "hiding commitment"
    BindingCommitment: "binding commitment"
    PackageHash: "package hash"
    SignatureShare: "signature share"
    ShownMessages: "shown messages"
    LengthOfAShownMessage: "length of a shown message"
    ShownMessage: "shown message"
    RevisionSignature: "revision signature"
    End: "end"
}

/// A part of a message with a meaning of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// What docs/format.md calls it.
    pub name: &'static str,
    /// Which one of several: the receiver's place of a ciphertext, the coefficient of a commitment; else 0.
    pub item: usize,
    /// What it is.
    pub kind: FieldKind,
    /// Where it begins in the message's bytes.
    pub at: usize,
    /// How many bytes it has.
    pub len: usize,
}

/// Every kind of message, by name.
pub fn subjects() -> Vec<&'static str> {
    Subject::ALL.into_iter().map(super::forge::name).collect()
}

/// Where a message's body begins in its bytes.
pub const BODY: usize = 178;

/// The fields of a message before its signature, without a gap between them. `None` if its body is not laid out as its
/// subject's.
pub fn fields(message: &Message) -> Option<Vec<Field>> {
    let mut layout = Layout {
        body: message.body().to_vec(),
        at: 0,
        read: 0,
        point: point(message.header().suite),
        found: Vec::new(),
    };
    layout.header();
    match message.header().subject {
        Subject::Join => layout.join()?,
        Subject::Deal => layout.deal()?,
        Subject::Certify => layout.certify()?,
        Subject::Accuse => layout.accuse()?,
        Subject::Confirm => layout.confirm()?,
        Subject::Commit => layout.pair(0)?,
        Subject::Share => layout.share()?,
        Subject::Dispute => layout.dispute()?,
        Subject::Consent => layout.proven_key()?,
        Subject::Handover => layout.handover()?,
        Subject::Vote => layout.take(Name::RevisionSignature, FieldKind::Signed, 64)?,
        Subject::Prepare => layout.prepare()?,
        Subject::Receipt | Subject::Ready => {}
    }
    if layout.read != layout.body.len() {
        return None;
    }
    layout.push(Name::End, 0, FieldKind::End, 0);
    Some(layout.found)
}

const fn point(suite: Suite) -> usize {
    match suite {
        Suite::Ed25519 => 32,
        Suite::Secp256k1 | Suite::Secp256k1Taproot => 33,
    }
}

/// A share or a part of the chain code, and the tag, behind a length of 8 bytes.
const SEALED: usize = 8 + 32 + 32 + 16;

struct Layout {
    body: Vec<u8>,
    /// Where the next field begins, in the message and in the body.
    at: usize,
    read: usize,
    point: usize,
    found: Vec<Field>,
}

impl Layout {
    fn push(&mut self, name: Name, item: usize, kind: FieldKind, len: usize) {
        self.found.push(Field { name: name.text(), item, kind, at: self.at, len });
        self.at += len;
    }

    fn header(&mut self) {
        use FieldKind::{Bytes, Count, Number};
        let fields = [
            (Name::Version, Number, 1),
            (Name::Suite, Number, 1),
            (Name::Group, Bytes, 32),
            (Name::Epoch, Bytes, 32),
            (Name::Run, Bytes, 32),
            (Name::Round, Number, 1),
            (Name::Sender, Number, 2),
            (Name::Subject, Number, 1),
            (Name::Counter, Number, 8),
            (Name::AuditHead, Bytes, 32),
            (Name::View, Bytes, 32),
            (Name::BodyLength, Count, 4),
        ];
        for (name, kind, len) in fields {
            self.push(name, 0, kind, len);
        }
    }

    fn nth(&mut self, name: Name, item: usize, kind: FieldKind, len: usize) -> Option<()> {
        self.read = self.read.checked_add(len).filter(|read| *read <= self.body.len())?;
        self.push(name, item, kind, len);
        Some(())
    }

    fn take(&mut self, name: Name, kind: FieldKind, len: usize) -> Option<()> {
        self.nth(name, 0, kind, len)
    }

    fn point(&mut self, name: Name, item: usize) -> Option<()> {
        self.nth(name, item, FieldKind::Point, self.point)
    }

    fn scalar(&mut self, name: Name) -> Option<()> {
        self.take(name, FieldKind::Scalar, 32)
    }

    /// A length or a number of items, and its value.
    fn count(&mut self, name: Name, item: usize) -> Option<usize> {
        let value = u32::from_be_bytes(*self.body.get(self.read..)?.first_chunk()?);
        self.nth(name, item, FieldKind::Count, 4)?;
        usize::try_from(value).ok()
    }

    fn join(&mut self) -> Option<()> {
        self.take(Name::Contribution, FieldKind::Bytes, 32)?;
        self.take(Name::ChainCommitment, FieldKind::Bytes, 32)?;
        self.proven_key()?;
        self.take(Name::Restored, FieldKind::Number, 1)?;
        self.take(Name::Overridden, FieldKind::Number, 1)?;
        for item in 0..self.count(Name::SignedAttempts, 0)? {
            let len = self.count(Name::LengthOfASignedAttempt, item)?;
            self.nth(Name::SignedAttempt, item, FieldKind::Signed, len)?;
        }
        match self.count(Name::DealtAttempts, 0)? {
            0 => Some(()),
            _ => self.take(Name::DealtAttempt, FieldKind::Bytes, self.body.len() - self.read),
        }
    }

    fn proven_key(&mut self) -> Option<()> {
        self.point(Name::RunKey, 0)?;
        self.point(Name::PossessionCommitment, 0)?;
        self.scalar(Name::PossessionResponse)
    }

    /// The encoding says neither how many points there are nor how many ciphertexts: these are what stands at the end,
    /// each behind its length.
    fn deal(&mut self) -> Option<()> {
        let is_sealed = |count: &usize| {
            let at = self.body.len().checked_sub(count * SEALED);
            at.and_then(|at| self.body.get(at..)?.first_chunk()).is_some_and(|len| u64::from_be_bytes(*len) == 80)
        };
        let receivers = (1..=self.body.len() / SEALED).take_while(is_sealed).count();
        let points = self.body.len().checked_sub(receivers * SEALED + 2 * self.point + 32)? / self.point;
        for item in 0..points {
            self.point(Name::Commitment, item)?;
        }
        self.point(Name::PossessionCommitment, 0)?;
        self.scalar(Name::PossessionResponse)?;
        self.point(Name::EphemeralKey, 0)?;
        for item in 0..receivers {
            self.nth(Name::CiphertextLength, item, FieldKind::Count, 8)?;
            self.nth(Name::SealedShare, item, FieldKind::Sealed, 32)?;
            self.nth(Name::SealedPayload, item, FieldKind::Sealed, 32)?;
            self.nth(Name::Tag, item, FieldKind::Sealed, 16)?;
        }
        Some(())
    }

    fn certify(&mut self) -> Option<()> {
        self.take(Name::EpochOfTheTranscript, FieldKind::Bytes, 32)?;
        self.take(Name::IdentitySignature, FieldKind::Signed, 64)?;
        self.count(Name::LengthOfTheRunKeysSignature, 0)?;
        self.point(Name::SignatureCommitment, 0)?;
        self.scalar(Name::SignatureResponse)
    }

    fn accuse(&mut self) -> Option<()> {
        self.take(Name::Accused, FieldKind::Number, 2)?;
        self.point(Name::PointSharedByTheEphemeralKey, 0)?;
        self.point(Name::PointSharedByTheRunKeys, 0)?;
        self.scalar(Name::Challenge)?;
        self.scalar(Name::Response)
    }

    /// In a repair there is nothing to confirm but the share itself.
    fn confirm(&mut self) -> Option<()> {
        if self.body.is_empty() {
            return Some(());
        }
        for (list, one) in [(Name::ErasedEpochs, Name::ErasedEpoch), (Name::BackedUpEpochs, Name::BackedUpEpoch)] {
            for item in 0..self.count(list, 0)? {
                self.nth(one, item, FieldKind::Bytes, 32)?;
            }
        }
        Some(())
    }

    fn pair(&mut self, item: usize) -> Option<()> {
        self.point(Name::HidingCommitment, item)?;
        self.point(Name::BindingCommitment, item)
    }

    fn prepare(&mut self) -> Option<()> {
        (0..self.body.len() / (2 * self.point)).try_for_each(|item| self.pair(item))
    }

    fn share(&mut self) -> Option<()> {
        self.take(Name::PackageHash, FieldKind::Bytes, 32)?;
        self.scalar(Name::SignatureShare)
    }

    fn dispute(&mut self) -> Option<()> {
        for item in 0..self.count(Name::ShownMessages, 0)? {
            let len = self.count(Name::LengthOfAShownMessage, item)?;
            self.nth(Name::ShownMessage, item, FieldKind::Signed, len)?;
        }
        Some(())
    }

    fn handover(&mut self) -> Option<()> {
        self.point(Name::EphemeralKey, 0)?;
        self.take(Name::SealedShare, FieldKind::Sealed, 32)?;
        self.take(Name::Tag, FieldKind::Sealed, 16)
    }
}
