//! Sessions: what a user, and a security officer, can do.

use std::sync::Arc;

use super::Pin;
use super::error::{Error, Result};
use super::object::{Declaration, Filter, KeyInfo, Restriction};
use super::run::{Dealing, Run, Signing};
use super::token::{NewCard, Operation, Proposal, SessionId, Token};
use crate::audit;
use crate::policy::UserType;
use crate::protocol::Certificate;
use crate::suite::Suite;
use crate::wire::{Card, Identifier, Invitation, KeyId, KeyTemplate, Roster};
use crate::wrap::{Identity, Recipient, WrappedIdentity, WrappedShare};

/// A user's session. It ends with [`logout`](Self::logout), which reports, or when it is dropped, which can't.
#[derive(Debug)]
pub struct Session {
    token: Arc<dyn Token>,
    id: SessionId,
}

/// A security officer's session.
#[derive(Debug)]
pub struct OfficerSession {
    token: Arc<dyn Token>,
    id: SessionId,
}

macro_rules! common {
    ($session:ident) => {
        impl $session {
            pub(super) const fn new(token: Arc<dyn Token>, id: SessionId) -> Self {
                Self { token, id }
            }

            /// Ends the session and its runs; their nonces are gone.
            pub fn logout(self) -> Result<()> {
                self.token.logout(self.id)
                // The drop that follows finds the session gone.
            }

            /// The token's card, for the other members.
            pub fn card(&self) -> Result<Card> {
                self.token.card(self.id)
            }

            /// The keys that match.
            pub fn find(&self, filter: &Filter) -> Result<Vec<KeyInfo>> {
                self.token.find_objects(self.id, filter)
            }

            /// What there is to say of a key.
            ///
            /// # Errors
            ///
            /// [`NotFound`](crate::Error::NotFound) when it is not here.
            pub fn key(&self, key: KeyId) -> Result<KeyInfo> {
                let found = self.find(&Filter { id: Some(key), ..Filter::default() })?;
                found.into_iter().next().ok_or(Error::NotFound(key))
            }

            /// The certificate of the key's newest epoch that is known here: it tells whoever is behind.
            pub fn certificate(&self, key: KeyId) -> Result<Certificate> {
                self.certificates(key)?.pop().ok_or(Error::NotFound(key))
            }

            /// The certificates of the key's epochs, oldest first.
            pub fn certificates(&self, key: KeyId) -> Result<Vec<Certificate>> {
                self.token.certificates(self.id, key)
            }

            /// Tightens what a key may do on this token. There is no way back.
            pub fn restrict(&self, key: KeyId, change: &Restriction) -> Result<()> {
                self.token.restrict(self.id, key, change)
            }

            /// Erases a key's share here, and all else that this token keeps of it. The other members keep theirs.
            pub fn destroy(&self, key: KeyId) -> Result<()> {
                self.token.destroy_object(self.id, key)
            }

            /// Audit records after that one, or from the first, at most `limit`.
            ///
            /// [`audit::verify`] checks that none was cut out, edited or moved.
            pub fn audit(&self, after: Option<audit::Digest>, limit: usize) -> Result<Vec<audit::Record>> {
                self.token.audit(self.id, after, limit)
            }
        }

        impl Drop for $session {
            fn drop(&mut self) {
                // It has ended already, or the token can't be reached: nothing that a drop could mend.
                let _ = self.token.logout(self.id);
            }
        }
    };
}

common!(Session);
common!(OfficerSession);

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct Dkg {
    /// Its suite.
    pub suite: Suite,
    /// How many members sign, at least 2.
    pub threshold: u16,
    /// The members, numbered 1 to n. This token is one of them.
    pub members: Roster,
    /// What they agree on.
    pub template: KeyTemplate,
}

impl Session {
    /// Proposes a new key. Send the invitation to the members, who compare [`Invitation::fingerprint`] and start it.
    pub fn invite(&self, dkg: Dkg) -> Result<Invitation> {
        let Dkg { suite, threshold, members, template } = dkg;
        self.token.invite(self.id, &Proposal::Dkg { suite, threshold, members, template })
    }

    /// Proposes new shares of a key for the same members. Members with a new device, or one that was restored, come with
    /// their new card.
    pub fn invite_refresh(&self, key: KeyId, cards: Vec<NewCard>) -> Result<Invitation> {
        self.invite_refresh_from(key, cards, 0)
    }

    /// The same, with an attempt no lower than that, after another token has denied a lower one.
    pub fn invite_refresh_from(&self, key: KeyId, cards: Vec<NewCard>, attempt: u32) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Refresh { key, cards, attempt })
    }

    /// Proposes a signature by those members.
    pub fn invite_sign(&self, key: KeyId, signers: &[Identifier], message: &[u8]) -> Result<Invitation> {
        let proposal = Proposal::Sign { key, signers: signers.to_vec(), message: message.to_vec() };
        self.token.invite(self.id, &proposal)
    }

    /// Enters the run of a dealing: a new key, or new shares. Look at what the invitation says first.
    ///
    /// # Errors
    ///
    /// [`Stale`](crate::Error::Stale) when it renews another epoch than the one held here,
    /// [`Denied`](crate::Error::Denied) when this token has promised more than it proposes.
    pub fn start(&self, invitation: &Invitation) -> Result<Run<Dealing>> {
        self.begin(Operation::Deal(invitation))
    }

    /// Enters a signing run, for the message that this member approves. The invitation's message is only a proposal; if
    /// it is another one, nothing happens.
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::Error::Denied) for another message or purpose, and for a share that was restored;
    /// [`Stale`](crate::Error::Stale), with the certificates that tell, for another epoch.
    pub fn start_sign(&self, invitation: &Invitation, approved: &[u8]) -> Result<Run<Signing>> {
        self.begin(Operation::Sign(invitation, approved))
    }

    fn begin<P: super::run::Protocol>(&self, operation: Operation<'_>) -> Result<Run<P>> {
        let (run, progress) = self.token.begin(self.id, operation)?;
        Ok(Run::new(Arc::clone(&self.token), self.id, run, progress))
    }

    /// Gives this token a certificate: it finishes an epoch of which this token missed the end, or shows it that its share
    /// is of the past. Give it several from the oldest on.
    ///
    /// # Errors
    ///
    /// [`Certificate`](crate::Error::Certificate) when it proves nothing here, [`Fork`](crate::Error::Fork) when it proves
    /// an epoch that excludes the one held here.
    pub fn complete(&self, certificate: &Certificate) -> Result<KeyInfo> {
        self.token.complete(self.id, certificate)
    }

    /// Sets this user's PIN.
    pub fn set_pin(&self, new: &Pin) -> Result<()> {
        self.token.set_pin(self.id, UserType::User, new)
    }

    /// A backup of the key's share, encrypted. It is good for this epoch only; a refresh asks for a new one.
    pub fn export(&self, key: KeyId, to: &Recipient) -> Result<WrappedShare> {
        self.token.wrap_key(self.id, key, to)
    }

    /// A backup of the token's identity, encrypted. It is made once; it opens no share.
    pub fn export_identity(&self, to: &Recipient) -> Result<WrappedIdentity> {
        self.token.wrap_identity(self.id, to)
    }

    /// Takes a share from its backup. The key is [`Restored`](crate::KeyState::Restored): it deals, and it signs once a
    /// refresh has renewed it.
    ///
    /// # Errors
    ///
    /// [`Wrap`](crate::Error::Wrap) when it does not open; [`Misuse`](crate::Error::Misuse) when it is of another member,
    /// or not the share that its certificates speak of; [`Exists`](crate::Error::Exists) when the key is here.
    pub fn restore(&self, backup: &WrappedShare, with: &Identity) -> Result<KeyInfo> {
        self.token.unwrap_key(self.id, backup, with)
    }
}

impl OfficerSession {
    /// Sets the user's PIN; its tries begin anew.
    pub fn set_user_pin(&self, new: &Pin) -> Result<()> {
        self.token.set_pin(self.id, UserType::User, new)
    }

    /// Sets the officer's own PIN.
    pub fn set_pin(&self, new: &Pin) -> Result<()> {
        self.token.set_pin(self.id, UserType::SecurityOfficer, new)
    }

    /// Lets this restored token renew shares in that run, though fewer unrestored members than a quorum take part to say
    /// what was signed before. The audit log shows it.
    ///
    /// # Security
    ///
    /// A restored token has forgotten what it signed. If it signs again what excludes it, the key forks. Override only when
    /// people are sure that no other attempt at the same epoch is under way.
    pub fn override_restored(&self, invitation: &Invitation) -> Result<()> {
        self.token.override_restored(self.id, invitation)
    }

    /// Records what people know of old shares, for the report of whether an old epoch is dead.
    pub fn declare(&self, key: KeyId, declaration: &Declaration) -> Result<()> {
        self.token.declare(self.id, key, declaration)
    }
}
