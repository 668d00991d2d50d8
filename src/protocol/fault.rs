//! Who broke the protocol, how, and what proves it.

use core::fmt;

use crate::wire::{Identifier, Message};

/// What a member did that no honest member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// It signed two different messages for one place in a run.
    Equivocation,
    /// It signed a message that cannot be read, or that has no place in the run.
    Malformed,
    /// It signed a view of the round before that its own messages contradict.
    FalseView,
    /// Its proof of possession of the run key is wrong, or another member proved to have the same.
    RunKey,
    /// Its commitment does not have exactly t elements. It would change the threshold.
    CommitmentLength,
    /// Its constant term is not what it holds of the old epoch.
    Constant,
    /// Its proof of possession of the constant term is wrong.
    ProofOfPossession,
    /// A share that it sealed does not open, or does not fit its commitment.
    SealedShare,
    /// It dealt so that a share is zero: its own, which it can choose when it deals last, or, dealing alone, anybody's.
    ZeroShare,
    /// What it sealed beside a share is not what it had committed to.
    Payload,
    /// It accused another member of a fault that is not there.
    FalseAccusation,
    /// Its signature on the transcript does not verify.
    TranscriptSignature,
    /// Its signature on a revision of the roster does not verify.
    RevisionSignature,
    /// Its signature share does not verify.
    SignatureShare,
    /// Another device speaks with this member's identity.
    Cloned,
    /// Something went wrong that nobody can be blamed for on the evidence at hand.
    Unattributed,
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equivocation => "signed two different messages for one place in the run",
            Self::Malformed => "signed a message that has no place in the run",
            Self::FalseView => "claims a view of the round before that its messages contradict",
            Self::RunKey => "has no run key of its own",
            Self::CommitmentLength => "committed to a polynomial of the wrong degree",
            Self::Constant => "did not deal the share that it holds",
            Self::ProofOfPossession => "gave a wrong proof of possession",
            Self::SealedShare => "sealed a wrong share",
            Self::ZeroShare => "dealt so that a share is zero",
            Self::Payload => "sealed something else than it had committed to",
            Self::FalseAccusation => "accused another member falsely",
            Self::TranscriptSignature => "gave a wrong signature on the transcript",
            Self::RevisionSignature => "gave a wrong signature on a revision of the roster",
            Self::SignatureShare => "gave a wrong signature share",
            Self::Cloned => "another device speaks with this member's identity",
            Self::Unattributed => "nobody can be blamed on the evidence at hand",
        })
    }
}

/// The signed messages that show a fault. They convince whoever knows the run's plan, but of three things: a signature on a
/// transcript with a wrong run key ([`TranscriptSignature`](Misbehaviour::TranscriptSignature)), a share of nonces made beforehand
/// that names other commitments ([`Malformed`](Misbehaviour::Malformed)), and that one's own identity is in use elsewhere
/// ([`Cloned`](Misbehaviour::Cloned)).
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::{Evidence, Message};
///
/// let members = three();
/// let invitation = invitation(&members);
/// let mut run = members[0].start(&invitation)?;
/// let join = run.poll_transmit().expect("a run begins with a message");
/// // As somebody else may show it, in bytes. One message in its place proves nothing against its sender.
/// let evidence = Evidence::new(vec![Message::from_bytes(&join.to_bytes())?]);
/// assert_eq!(evidence.judge(&invitation, &[])?.map(|judgement| judgement.culprits), None);
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence(pub(crate) Vec<Message>);

impl Evidence {
    /// Messages that somebody shows as evidence. What they prove, [`judge`](Self::judge) says.
    pub const fn new(messages: Vec<Message>) -> Self {
        Self(messages)
    }

    /// The messages, to be kept or shown.
    pub fn messages(&self) -> &[Message] {
        &self.0
    }
}

/// The end of a run by somebody's fault. The run is dead; what it wanted to say last may still be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) culprits: Vec<Identifier>,
    pub(crate) misbehaviour: Misbehaviour,
    pub(crate) evidence: Evidence,
    pub(crate) last_words: Option<LastWords>,
}

/// What a run says to the others when it fails.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LastWords {
    /// An accusation, in the round that it waits for.
    Accuse(Vec<u8>),
    /// What was seen of a round.
    Dispute { round: u8, body: Vec<u8> },
}

impl Failure {
    /// One member's fault, shown by messages.
    pub(crate) fn by(culprit: Identifier, misbehaviour: Misbehaviour, evidence: &[&Message]) -> Self {
        Self::by_all(vec![culprit], misbehaviour, evidence)
    }

    pub(crate) fn by_all(culprits: Vec<Identifier>, misbehaviour: Misbehaviour, evidence: &[&Message]) -> Self {
        let evidence = Evidence(evidence.iter().copied().cloned().collect());
        Self { culprits, misbehaviour, evidence, last_words: None }
    }

    /// Nobody can be blamed.
    pub(crate) const fn unattributed() -> Self {
        Self {
            culprits: Vec::new(),
            misbehaviour: Misbehaviour::Unattributed,
            evidence: Evidence(Vec::new()),
            last_words: None,
        }
    }

    pub(crate) fn saying(mut self, words: LastWords) -> Self {
        self.last_words = Some(words);
        self
    }
}
