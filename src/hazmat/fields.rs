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
        Subject::Vote => layout.take("revision signature", FieldKind::Signed, 64)?,
        Subject::Prepare => layout.prepare()?,
        Subject::Receipt | Subject::Ready => {}
    }
    if layout.read != layout.body.len() {
        return None;
    }
    layout.push("end", 0, FieldKind::End, 0);
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
    fn push(&mut self, name: &'static str, item: usize, kind: FieldKind, len: usize) {
        self.found.push(Field { name, item, kind, at: self.at, len });
        self.at += len;
    }

    fn header(&mut self) {
        use FieldKind::{Bytes, Count, Number};
        let fields = [
            ("version", Number, 1),
            ("suite", Number, 1),
            ("group", Bytes, 32),
            ("epoch", Bytes, 32),
            ("run", Bytes, 32),
            ("round", Number, 1),
            ("sender", Number, 2),
            ("subject", Number, 1),
            ("counter", Number, 8),
            ("audit head", Bytes, 32),
            ("view", Bytes, 32),
            ("body length", Count, 4),
        ];
        for (name, kind, len) in fields {
            self.push(name, 0, kind, len);
        }
    }

    fn nth(&mut self, name: &'static str, item: usize, kind: FieldKind, len: usize) -> Option<()> {
        self.read = self.read.checked_add(len).filter(|read| *read <= self.body.len())?;
        self.push(name, item, kind, len);
        Some(())
    }

    fn take(&mut self, name: &'static str, kind: FieldKind, len: usize) -> Option<()> {
        self.nth(name, 0, kind, len)
    }

    fn point(&mut self, name: &'static str, item: usize) -> Option<()> {
        self.nth(name, item, FieldKind::Point, self.point)
    }

    fn scalar(&mut self, name: &'static str) -> Option<()> {
        self.take(name, FieldKind::Scalar, 32)
    }

    /// A length or a number of items, and its value.
    fn count(&mut self, name: &'static str, item: usize) -> Option<usize> {
        let value = u32::from_be_bytes(*self.body.get(self.read..)?.first_chunk()?);
        self.nth(name, item, FieldKind::Count, 4)?;
        usize::try_from(value).ok()
    }

    fn join(&mut self) -> Option<()> {
        self.take("contribution", FieldKind::Bytes, 32)?;
        self.take("chain commitment", FieldKind::Bytes, 32)?;
        self.proven_key()?;
        self.take("restored", FieldKind::Number, 1)?;
        self.take("overridden", FieldKind::Number, 1)?;
        for item in 0..self.count("signed attempts", 0)? {
            let len = self.count("length of a signed attempt", item)?;
            self.nth("signed attempt", item, FieldKind::Signed, len)?;
        }
        match self.count("dealt attempts", 0)? {
            0 => Some(()),
            _ => self.take("dealt attempt", FieldKind::Bytes, self.body.len() - self.read),
        }
    }

    fn proven_key(&mut self) -> Option<()> {
        self.point("run key", 0)?;
        self.point("possession commitment", 0)?;
        self.scalar("possession response")
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
            self.point("commitment", item)?;
        }
        self.point("possession commitment", 0)?;
        self.scalar("possession response")?;
        self.point("ephemeral key", 0)?;
        for item in 0..receivers {
            self.nth("ciphertext length", item, FieldKind::Count, 8)?;
            self.nth("sealed share", item, FieldKind::Sealed, 32)?;
            self.nth("sealed payload", item, FieldKind::Sealed, 32)?;
            self.nth("tag", item, FieldKind::Sealed, 16)?;
        }
        Some(())
    }

    fn certify(&mut self) -> Option<()> {
        self.take("epoch of the transcript", FieldKind::Bytes, 32)?;
        self.take("identity signature", FieldKind::Signed, 64)?;
        self.count("length of the run key's signature", 0)?;
        self.point("signature commitment", 0)?;
        self.scalar("signature response")
    }

    fn accuse(&mut self) -> Option<()> {
        self.take("accused", FieldKind::Number, 2)?;
        self.point("point shared by the ephemeral key", 0)?;
        self.point("point shared by the run keys", 0)?;
        self.scalar("challenge")?;
        self.scalar("response")
    }

    /// In a repair there is nothing to confirm but the share itself.
    fn confirm(&mut self) -> Option<()> {
        if self.body.is_empty() {
            return Some(());
        }
        for (list, one) in [("erased epochs", "erased epoch"), ("backed up epochs", "backed up epoch")] {
            for item in 0..self.count(list, 0)? {
                self.nth(one, item, FieldKind::Bytes, 32)?;
            }
        }
        Some(())
    }

    fn pair(&mut self, item: usize) -> Option<()> {
        self.point("hiding commitment", item)?;
        self.point("binding commitment", item)
    }

    fn prepare(&mut self) -> Option<()> {
        (0..self.body.len() / (2 * self.point)).try_for_each(|item| self.pair(item))
    }

    fn share(&mut self) -> Option<()> {
        self.take("package hash", FieldKind::Bytes, 32)?;
        self.scalar("signature share")
    }

    fn dispute(&mut self) -> Option<()> {
        for item in 0..self.count("shown messages", 0)? {
            let len = self.count("length of a shown message", item)?;
            self.nth("shown message", item, FieldKind::Signed, len)?;
        }
        Some(())
    }

    fn handover(&mut self) -> Option<()> {
        self.point("ephemeral key", 0)?;
        self.take("sealed share", FieldKind::Sealed, 32)?;
        self.take("tag", FieldKind::Sealed, 16)
    }
}
