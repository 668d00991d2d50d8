//! What members say to each other within a run.

use core::fmt;
use std::sync::Arc;

use super::card::{Card, IdentityKey, Kind};
use super::codec::{DecodeError, Reader, Writer};
use super::hash::{RunId, tagged_hash};
use super::identifier::Identifier;
use crate::suite::Suite;

/// What a message's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A member enters the run of a dealing.
    Join,
    /// Commitment, proof and sealed shares of a dealer, or of a helper in a repair.
    Deal,
    /// Signatures on the transcript.
    Certify,
    /// A sealed share was bad; here is the proof.
    Accuse,
    /// What was erased once the certificate was there.
    Confirm,
    /// Nonce commitments of a signer.
    Commit,
    /// A signature share.
    Share,
    /// What a member saw in the round before, when others saw something else.
    Dispute,
    /// A member consents to a reconstruction, with a key to seal to.
    Consent,
    /// A share, sealed to whoever puts the key together.
    Handover,
    /// The key is whole.
    Receipt,
    /// A signature on a revision of the roster.
    Vote,
    /// Commitments to nonces for many signatures.
    Prepare,
    /// All of them have come.
    Ready,
}

impl Subject {
    pub(crate) const ALL: [Self; 14] = [
        Self::Join,
        Self::Deal,
        Self::Certify,
        Self::Accuse,
        Self::Confirm,
        Self::Commit,
        Self::Share,
        Self::Dispute,
        Self::Consent,
        Self::Handover,
        Self::Receipt,
        Self::Vote,
        Self::Prepare,
        Self::Ready,
    ];

    const fn code(self) -> u8 {
        match self {
            Self::Join => 1,
            Self::Deal => 2,
            Self::Certify => 3,
            Self::Accuse => 4,
            Self::Confirm => 5,
            Self::Commit => 6,
            Self::Share => 7,
            Self::Dispute => 8,
            Self::Consent => 9,
            Self::Handover => 10,
            Self::Receipt => 11,
            Self::Vote => 12,
            Self::Prepare => 13,
            Self::Ready => 14,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.code() == code)
    }
}

/// What every message says before its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) suite: Suite,
    /// The key's id, or zeros before there is a key.
    pub(crate) group: [u8; 32],
    /// The epoch whose shares are at work, or zeros before there is one.
    pub(crate) epoch: [u8; 32],
    pub(crate) run: RunId,
    pub(crate) round: u8,
    pub(crate) sender: Identifier,
    pub(crate) subject: Subject,
    /// The sender's state counter and audit head: a rolled-back token shows.
    pub(crate) counter: u64,
    pub(crate) audit_head: [u8; 32],
    /// The hash of the round before, as the sender saw it: two views of it show.
    pub(crate) view: [u8; 32],
}

/// A signed message of a run, in its one encoding.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::Message;
///
/// let members = three();
/// let mut run = members[0].start(&invitation(&members))?;
/// let bytes = run.poll_transmit().expect("a run begins with a message").to_bytes();
/// let message = Message::from_bytes(&bytes)?;
/// assert_eq!((message.run_id(), message.sender(), message.round()), (run.id(), id(1), 0));
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Arc<Signed>);

/// What a message says, kept once however many hold it: a deal among many is long, and the exchange, the protocol and the
/// evidence all speak of it.
#[derive(PartialEq, Eq)]
struct Signed {
    header: Header,
    body: Box<[u8]>,
    signature: [u8; 64],
}

impl Message {
    const VERSION: u8 = 1;
    /// Of a body; what a dealing among 1,000 members needs is far below.
    pub(crate) const MAX_BODY: usize = 4 << 20;
    /// Of a join, which tells of attempts that were left behind with their transcripts.
    pub(crate) const MAX_JOIN: usize = 32 << 20;

    pub(crate) fn issue(header: Header, body: Vec<u8>, key: &IdentityKey) -> Self {
        let mut signed = Signed { header, body: body.into_boxed_slice(), signature: [0; 64] };
        signed.signature = key.sign(Kind::Message, &signed.content());
        Self(Arc::new(signed))
    }

    /// The message's bytes, to be handed to every other member of the run.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::new().raw(&self.0.content()).raw(&self.0.signature).finish()
    }

    /// Reads a message. Its signature is checked by the run that takes it.
    ///
    /// # Errors
    ///
    /// Any other encoding, an unknown version, or a body over 4 MiB, of a join over 32 MiB.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let header = Header {
            suite: Suite::from_code(reader.u8()?).ok_or(DecodeError::Invalid("suite"))?,
            group: reader.array()?,
            epoch: reader.array()?,
            run: RunId::from_bytes(reader.array()?),
            round: reader.u8()?,
            sender: reader.identifier()?,
            subject: Subject::from_code(reader.u8()?).ok_or(DecodeError::Invalid("subject"))?,
            counter: reader.u64()?,
            audit_head: reader.array()?,
            view: reader.array()?,
        };
        let max = if header.subject == Subject::Join { Self::MAX_JOIN } else { Self::MAX_BODY };
        let signed = Signed { header, body: reader.bytes(max)?.into(), signature: reader.array()? };
        reader.finish()?;
        Ok(Self(Arc::new(signed)))
    }

    /// The run that it belongs to.
    pub fn run_id(&self) -> RunId {
        self.0.header.run
    }

    /// Who says that it sent it. The run checks the signature.
    pub fn sender(&self) -> Identifier {
        self.0.header.sender
    }

    /// The round that it belongs to, from 0.
    pub fn round(&self) -> u8 {
        self.0.header.round
    }

    pub(crate) fn header(&self) -> &Header {
        &self.0.header
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.0.body
    }

    pub(crate) fn is_signed_by(&self, card: &Card) -> bool {
        card.verify(Kind::Message, &self.0.content(), &self.0.signature).is_some()
    }

    /// What a view of a round is made of. The signature is left out: it can be made again, the content can't.
    pub(crate) fn digest(&self) -> [u8; 32] {
        tagged_hash("quorumkey/message-digest/v1", &[&self.0.content()])
    }
}

impl Signed {
    fn content(&self) -> Vec<u8> {
        let header = &self.header;
        Writer::new()
            .u8(Message::VERSION)
            .u8(header.suite.code())
            .raw(&header.group)
            .raw(&header.epoch)
            .raw(header.run.as_bytes())
            .u8(header.round)
            .identifier(header.sender)
            .u8(header.subject.code())
            .u64(header.counter)
            .raw(&header.audit_head)
            .raw(&header.view)
            .bytes(&self.body)
            .finish()
    }
}

/// The hash of a round's messages, in their order, for the purpose that the tag names.
pub(crate) fn hash_messages(tag: &str, run: RunId, messages: &[Message]) -> [u8; 32] {
    let digests: Vec<_> = messages.iter().map(Message::digest).collect();
    let parts: Vec<&[u8]> =
        core::iter::once(run.as_bytes().as_slice()).chain(digests.iter().map(<[u8; 32]>::as_slice)).collect();
    tagged_hash(tag, &parts)
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Message({:?} of {:?}, round {}, {} bytes)",
            self.header().subject,
            self.sender(),
            self.round(),
            self.body().len()
        )
    }
}

#[cfg(test)]
mod tests;
