//! What a backend implements.

use core::fmt::Debug;

use super::Pin;
use super::error::Result;
use super::imported::ImportedKey;
use super::object::{Declaration, Filter, KeyInfo, Restriction};
use super::reconstructed::ReconstructedKey;
use crate::audit;
use crate::derivation::ExtendedPublicKey;
use crate::policy::UserType;
use crate::protocol::Certificate;
use crate::suite::{GroupKey, Signature, Suite};
use crate::wire::{
    Card, Derivation, EpochId, Identifier, Invitation, KeyId, KeyTemplate, Message, Reason, Revision, Roster, RunId,
};
use crate::wrap::{Identity, Recipient, WrappedIdentity, WrappedShare};

/// What holds shares and uses them: a software token, or a device. A backend implements it; wallets never call it, they
/// hold a [`KeyStore`](crate::KeyStore), a [`Session`](crate::Session) and [`Run`](crate::Run)s.
///
/// Secrets go in and out by [`wrap_key`](Self::wrap_key), [`wrap_identity`](Self::wrap_identity) and
/// [`unwrap_key`](Self::unwrap_key) alone, encrypted. Each call does one thing whole or not at all, and what it releases
/// is durable before it returns. A backend answers [`LoggedOut`](crate::Error::LoggedOut) to a session that it does not
/// know, whoever asks.
pub trait Token: Debug + Send + Sync {
    /// What is public about the token. Needs no login.
    fn info(&self) -> Result<TokenInfo>;
    /// Begins a session of that user.
    fn login(&self, user: UserType, pin: &Pin) -> Result<SessionId>;
    /// The token's card. It is public; it is sealed with everything else, so a session is needed to read it.
    fn card(&self, session: SessionId) -> Result<Card>;
    /// Ends a session and its runs; their nonces are gone.
    fn logout(&self, session: SessionId) -> Result<()>;
    /// Sets a PIN: the user its own, the security officer either.
    fn set_pin(&self, session: SessionId, user: UserType, new: &Pin) -> Result<()>;
    /// The keys that match.
    fn find_objects(&self, session: SessionId, filter: &Filter) -> Result<Vec<KeyInfo>>;
    /// The key with its chain code, for watch-only wallets.
    fn extended_public_key(&self, session: SessionId, key: KeyId) -> Result<ExtendedPublicKey>;
    /// Tightens what a key may do on this token.
    fn restrict(&self, session: SessionId, key: KeyId, change: &Restriction) -> Result<()>;
    /// Erases a key's shares and all else that is kept of it, but what is public and its promises.
    fn destroy_object(&self, session: SessionId, key: KeyId) -> Result<()>;
    /// Erases the token. Of the security officer.
    fn destroy(&self, session: SessionId) -> Result<()>;
    /// Signs an invitation.
    fn invite(&self, session: SessionId, proposal: &Proposal) -> Result<Invitation>;
    /// Consents to the run that puts a key together again. Of the user.
    fn consent(&self, session: SessionId, invitation: &Invitation) -> Result<()>;
    /// Enters a run.
    fn begin(&self, session: SessionId, operation: Operation<'_>) -> Result<(RunId, Progress)>;
    /// Gives a run a message.
    fn advance(&self, session: SessionId, run: RunId, message: &Message) -> Result<Progress>;
    /// Ends a run.
    fn abort(&self, session: SessionId, run: RunId) -> Result<()>;
    /// Lifts, for that run, the rules that hold back what may fork a key. Of the security officer.
    fn override_fork_rules(&self, session: SessionId, invitation: &Invitation) -> Result<()>;
    /// Lets a member that broke a run take part again. Of the security officer.
    fn pardon(&self, session: SessionId, card: &Card) -> Result<()>;
    /// Records what people know of old shares. Of the security officer.
    fn declare(&self, session: SessionId, key: KeyId, declaration: &Declaration) -> Result<()>;
    /// A backup of a share.
    fn wrap_key(&self, session: SessionId, key: KeyId, to: &Recipient) -> Result<WrappedShare>;
    /// A backup of the token's identity.
    fn wrap_identity(&self, session: SessionId, to: &Recipient) -> Result<WrappedIdentity>;
    /// Takes a share from its backup.
    fn unwrap_key(&self, session: SessionId, share: &WrappedShare, with: &Identity) -> Result<KeyInfo>;
    /// The certificates of a key's epochs, from the first to the newest that is known here.
    fn certificates(&self, session: SessionId, key: KeyId) -> Result<Vec<Certificate>>;
    /// Finishes a pending epoch, or learns that a share is of the past.
    fn complete(&self, session: SessionId, certificate: &Certificate) -> Result<KeyInfo>;
    /// Gives up an attempt that this token has signed. It erases nothing, and a certificate of the attempt still counts.
    fn abandon(&self, session: SessionId, key: KeyId, attempt: EpochId) -> Result<KeyInfo>;
    /// Audit records after that one, or from the first.
    fn audit(&self, session: SessionId, after: Option<audit::Digest>, limit: usize) -> Result<Vec<audit::Record>>;
}

/// How a token's root key is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protection {
    /// By a passphrase: whoever copies the file can guess it offline.
    Software,
}

/// What is public about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// The token's random name; its audit log begins with it.
    pub id: [u8; 16],
    /// What a thief of the file is up against.
    pub protection: Protection,
}

/// Names a session of a token. It is no secret, and worthless in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(crate) u64);

/// A new card for a member, when shares are renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCard {
    /// The member.
    pub identifier: Identifier,
    /// Its card from now on. A card of the same identity is that of a restored token, which may deal.
    pub card: Card,
    /// Why the old card no longer counts. The device before a restored token counts as lost;
    /// [`Stolen`](Reason::Stolen) is refused for it, because its identity went with the device: take a new one.
    pub reason: Reason,
}

/// What a key's members and threshold are to be from the next epoch on.
///
/// Identifiers are stable: who stays keeps its number. A number that nobody has may be given to anybody, also one that
/// somebody had before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reshare {
    /// How many members sign from then on, at least 2.
    pub threshold: u16,
    /// Everybody who will hold a share: old members under their numbers, and new ones, each of whom needs no more than its card.
    pub members: Roster,
    /// Every old member that does not go on with its identity, and why: it leaves, or another card takes its number.
    pub leaving: Vec<Leaving>,
    /// The old members that deal, with their cards, at least t of them. `None` are all that stay, and those that leave by
    /// [routine](Reason::Routine).
    pub dealers: Option<Roster>,
    /// Old members, with their cards, that leave by [routine](Reason::Routine), and do not deal but sign. Dealers, witnesses and the
    /// old members that stay are at least q = max(t, n − t + 1), more with [`PreventsForks`](crate::Quorum::PreventsForks).
    pub witnesses: Option<Roster>,
    /// The lowest attempt to propose, if another token has refused a lower one; else 0.
    pub least_attempt: u32,
}

impl Reshare {
    /// The members and the threshold that there are, to be changed.
    pub fn of(key: &KeyInfo) -> Self {
        let (threshold, members) = (key.threshold, key.roster.clone());
        Self { threshold, members, leaving: Vec::new(), dealers: None, witnesses: None, least_attempt: 0 }
    }
}

/// A member that does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// The member.
    pub identifier: Identifier,
    /// Why. One that leaves by [routine](Reason::Routine) helps to deal, unless the dealers say otherwise.
    pub reason: Reason,
}

/// What a member proposes to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proposal {
    /// A new key.
    Dkg {
        /// Its suite.
        suite: Suite,
        /// How many members sign, at least 2.
        threshold: u16,
        /// The members, numbered 1 to n.
        members: Roster,
        /// What they agree on.
        template: KeyTemplate,
    },
    /// A key that was made elsewhere. This token deals its shares.
    Import {
        /// Its public half, which stays.
        group_key: GroupKey,
        /// The hash of its chain code, as transcripts have it.
        chain_hash: [u8; 32],
        /// How many members sign, at least 2.
        threshold: u16,
        /// The members, numbered 1 to n.
        members: Roster,
        /// What they agree on.
        template: KeyTemplate,
        /// The lowest attempt to propose, if another token has refused a lower one; else 0.
        least_attempt: u32,
    },
    /// New shares of a key for the same members, with the same threshold.
    Refresh {
        /// The key.
        key: KeyId,
        /// Members with a new card.
        cards: Vec<NewCard>,
        /// The lowest attempt to propose, if another token has refused a lower one; else 0.
        least_attempt: u32,
    },
    /// New shares of a key for other members, or with another threshold.
    Reshare {
        /// The key.
        key: KeyId,
        /// What is to change.
        reshare: Reshare,
    },
    /// The whole key, in this token. Of the security officer.
    Reconstruct {
        /// The key.
        key: KeyId,
        /// Whose shares: at least as many members as the threshold, this token's among them.
        members: Vec<Identifier>,
    },
    /// A member's share again, in the same epoch.
    Repair {
        /// The key.
        key: KeyId,
        /// Which member, and its card from now on. The reason is [`Destroyed`](Reason::Destroyed).
        card: NewCard,
        /// Who helps: at least q = max(t, n − t + 1) members, more with
        /// [`PreventsForks`](crate::Quorum::PreventsForks), this one among them.
        helpers: Vec<Identifier>,
    },
    /// A share for a new member, in the same epoch.
    Enrol {
        /// The key.
        key: KeyId,
        /// Its number, which no member of this epoch has.
        identifier: Identifier,
        /// Its card.
        card: Card,
        /// Who helps: at least q = max(t, n − t + 1) members, more with
        /// [`PreventsForks`](crate::Quorum::PreventsForks), this one among them.
        helpers: Vec<Identifier>,
    },
    /// Signatures on the revision of a repair or an enrolment that was left behind, without the share.
    Revise {
        /// The revision.
        revision: Revision,
        /// Who signs: at least q = max(t, n − t + 1) members, more with
        /// [`PreventsForks`](crate::Quorum::PreventsForks), this one among them.
        helpers: Vec<Identifier>,
    },
    /// A signature.
    Sign {
        /// The key.
        key: KeyId,
        /// Who signs: at least as many members as the threshold.
        signers: Vec<Identifier>,
        /// What: at most 1 MiB. For taproot it is mostly a 32-byte sighash.
        message: Vec<u8>,
        /// Under which key.
        derivation: Derivation,
        /// The run that made the nonces beforehand; without one they are made in the signing's own run.
        batch: Option<RunId>,
    },
    /// Nonces for many signatures, made beforehand.
    Preprocess {
        /// The key.
        key: KeyId,
        /// Who will sign: at least as many members as the threshold.
        signers: Vec<Identifier>,
        /// For how many signatures: 1 to [`MAX_BATCH`](crate::MAX_BATCH).
        count: u16,
    },
}

/// What a run has made beforehand: nonces for many signatures, of which each then takes one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The run that made them. They are there as long as it is.
    pub id: RunId,
    /// The key.
    pub key: KeyId,
    /// The epoch that they are for; they are gone with it.
    pub epoch: EpochId,
    /// Whose they are.
    pub signers: Vec<Identifier>,
    /// For how many signatures.
    pub size: u16,
}

/// What a member enters a run for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// The dealing, the repair or the enrolment that the invitation proposes.
    Deal(&'a Invitation),
    /// The reconstruction that the invitation proposes. Of the security officer.
    Reconstruct(&'a Invitation),
    /// The dealing of an imported key, by the member that brings it.
    Import(&'a Invitation, &'a ImportedKey),
    /// The signature that the invitation proposes, if it is of the message, and under the key, that this member approves.
    Sign(&'a Invitation, &'a [u8], &'a Derivation),
    /// Nonces made beforehand, for as many signatures as the invitation proposes.
    Preprocess(&'a Invitation),
}

/// What came of a call to a run.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages for every other member of the run.
    pub outgoing: Vec<Message>,
    /// How many rounds are done.
    pub done: u8,
    /// How many rounds there are.
    pub total: u8,
    /// Whose messages the run waits for.
    pub awaiting: Vec<Identifier>,
    /// The run's output, or why there is none. A failed run may still have something to say.
    pub outcome: Option<Result<Output>>,
}

/// What a run leads to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// A key with new shares.
    Key(Box<KeyInfo>),
    /// A signature, verified.
    Signature(Signature),
    /// A key that was put together, for the one that gets it; nothing, for those that handed their shares over.
    Reconstructed(Option<Box<ReconstructedKey>>),
    /// Nonces for many signatures.
    Batch(Batch),
}
