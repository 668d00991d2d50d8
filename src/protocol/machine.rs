//! The shape of every protocol: a state takes one whole round, and becomes the next state.

use core::fmt::Debug;

use rand_core::CryptoRng;

use super::attempt::Attempt;
use super::certificate::Certificate;
use super::fault::Failure;
use super::revision::SignedRevision;
use super::sign::{Claim, Stock};
use crate::secret::Secret;
use crate::suite::Signature;
use crate::wire::{EpochId, Identifier, Message, Revision, Subject};

/// A state of a protocol, waiting for the messages of its round.
pub(crate) trait Machine: Debug + Send {
    /// Takes the round, which is complete, authentic, and seen alike by all members that spoke since.
    fn handle(self: Box<Self>, round: &[Message], rng: &mut dyn CryptoRng) -> Result<Transition, Halt>;

    /// The epoch whose share it would deal is over: it holds that no longer.
    fn forget_share(&mut self) {}
}

/// Why a run ends without its output.
#[derive(Debug)]
pub(crate) enum Halt {
    /// By the fault of others.
    Failed(Box<Failure>),
    /// By this member's own rules.
    Denied(Denial),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

/// Why this token does not do what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// The key's template or a restriction does not allow the operation.
    Operation,
    /// The key is for another purpose.
    Purpose,
    /// The message that was approved is not the one in the invitation.
    OtherMessage,
    /// The path or script root that was approved is not the one in the invitation.
    OtherDerivation,
    /// This token was restored and may have forgotten what it signed; fewer than a quorum of unrestored members took
    /// part to tell. The security officer can override it.
    RestoredNeedsQuorum,
    /// The share was restored from a backup. It deals, and it signs, or is handed over, once a refresh has renewed it.
    RestoredSignsAfterRefresh,
    /// This token has entered an attempt that is as high or higher: propose one above it.
    AttemptTooLow {
        /// The lowest attempt that this token would enter.
        least: u32,
    },
    /// An earlier attempt dealt shares to others than those that take part now, and they may have certified it and gone on
    /// from it: this run has neither enough of its receivers nor enough that refused to sign it. Find its certificate, or let
    /// its members take part; or the security officers of a quorum override it.
    AttemptNotEnded {
        /// The attempt.
        attempt: EpochId,
    },
    /// Of so many members so many attempts were left behind that a join, or a transcript, has no room to tell of them all.
    /// Nothing was dealt. The certificate of one of them ends those before it; or let others deal, who signed fewer.
    TooManyAttempts,
    /// The key has forked. Nothing is signed until a renewal that names the losing line has ended that, with the security
    /// officers' override.
    Forked,
    /// The export rule of the key does not allow it.
    Export,
    /// The key is put together again only if this token's user has consented to that run, besides the officer.
    NoConsent,
    /// This token has signed an attempt that renews the epoch, or names it. It signs no revision of its roster before that
    /// attempt is certified or superseded.
    AttemptSigned,
    /// This token has signed a revision by which the roster here does not go: it signs no other one in its place, and no
    /// attempt to renew the epoch. If that revision is not in force yet, sign it again with the others, and go on from there. If
    /// another one with its number is, the security officer overrides the rule; or a plan undoes the revision.
    RevisionSigned,
    /// This token was restored or repaired, and may have forgotten which revision it signed. It signs one after a refresh,
    /// or by the security officer's override.
    RestoredVotesAfterRefresh,
    /// The member broke an earlier run, provably. It is not dealt with again before the security officer pardons it.
    Convicted {
        /// Which member.
        member: Identifier,
    },
}

impl core::fmt::Display for Denial {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Operation => f.write_str("the key does not allow this operation"),
            Self::Purpose => f.write_str("the key is for another purpose"),
            Self::OtherMessage => f.write_str("the invitation proposes another message than the one approved"),
            Self::OtherDerivation => {
                f.write_str("the invitation proposes another child or script root than the one approved")
            }
            Self::RestoredNeedsQuorum => {
                f.write_str("a restored token renews shares only with a quorum of unrestored members, or by override")
            }
            Self::RestoredSignsAfterRefresh => f.write_str("a restored share signs only after a refresh"),
            Self::AttemptTooLow { least } => write!(f, "this token would enter attempt {least} at the lowest"),
            Self::AttemptNotEnded { attempt } => {
                write!(f, "others may have gone on from attempt {attempt}, and too few of them take part to end it")
            }
            Self::TooManyAttempts => f.write_str("more attempts were left behind than there is room to tell of"),
            Self::NoConsent => f.write_str("the user of this token has not consented to that run"),
            Self::AttemptSigned => f.write_str("this token has signed an attempt to renew the epoch"),
            Self::RevisionSigned => f.write_str("this token has signed a revision that the roster does not go by"),
            Self::RestoredVotesAfterRefresh => {
                f.write_str("a restored or repaired token signs a revision after a refresh, or by override")
            }
            Self::Forked => f.write_str("the key has forked, and the officers have not ended it"),
            Self::Export => f.write_str("the export rule does not allow it"),
            Self::Convicted { member } => {
                write!(f, "member {member} broke an earlier run, and was not pardoned by the security officer")
            }
        }
    }
}

impl core::error::Error for Denial {}

/// What a round led to. The engine makes the effect durable before it releases what is to be sent.
#[derive(Debug)]
pub(crate) struct Transition {
    pub(crate) next: Box<dyn Machine>,
    pub(crate) send: Option<(Subject, Vec<u8>)>,
    pub(crate) effect: Effect,
}

impl Transition {
    pub(crate) fn silent(next: Box<dyn Machine>, effect: Effect) -> Self {
        Self { next, send: None, effect }
    }
}

/// The first state of a run, and what to send when entering it.
pub(crate) type Beginning<B> = (Box<dyn Machine>, B);

/// What has to be stored, or is known now.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// This member is about to deal. Who may get a share must be on record before the deal leaves.
    Dealing(Box<Attempt>),
    /// A share was dealt. It and the signature on its transcript must be durable before the signature leaves.
    Pending(Box<PendingShare>),
    /// Every signature on a transcript is there, of this attempt or of an older one that the joins have completed.
    Certified(Box<Certificate>),
    /// A nonce is about to be used.
    Claim(Box<Claim>),
    /// Nonces for many signatures are here, and every signer has seen the same commitments.
    Stocked(Box<dyn Stock>),
    /// A signature that verifies.
    Signed(Signature),
    /// A share is about to be handed over to a member that puts the key together.
    HandOver { epoch: EpochId, recipient: Identifier },
    /// The recipient has the key.
    HandedOver,
    /// The key is whole, here.
    Reconstructed(Box<Secret<[u8; 32]>>),
    /// A revision of the roster is about to be signed. Of two with one number a member signs one.
    Vote(Box<Revision>),
    /// A quorum has signed a revision. It is the end of a run that was only for that.
    Revised { revision: Box<SignedRevision>, ends: bool },
    /// The share that this member lost, or that it was to get.
    Repaired(Box<RepairedShare>),
    /// The member that was helped has its share.
    Helped,
}

/// A share whose epoch has no certificate yet.
pub(crate) struct PendingShare {
    /// Plan, transcript and this member's own endorsement.
    pub(crate) certificate: Certificate,
    /// The share; `None` for a dealer that receives none.
    pub(crate) share: Option<Secret<[u8; 32]>>,
    /// The key's chain code.
    pub(crate) chain_code: Secret<[u8; 32]>,
}

impl Debug for PendingShare {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PendingShare").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A share that others have made for this member.
pub(crate) struct RepairedShare {
    pub(crate) share: Secret<[u8; 32]>,
    pub(crate) chain_code: Secret<[u8; 32]>,
}

impl Debug for RepairedShare {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RepairedShare").finish_non_exhaustive()
    }
}

/// What a member says once it holds a certificate: of which superseded epochs it holds no share, and of which it once made
/// backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    pub(crate) member: Identifier,
    pub(crate) erased: Vec<EpochId>,
    pub(crate) backed_up: Vec<EpochId>,
}

/// The state after the last round.
#[derive(Debug)]
pub(crate) struct Done;

impl Machine for Done {
    fn handle(self: Box<Self>, _round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        Ok(Transition::silent(self, Effect::None))
    }
}
