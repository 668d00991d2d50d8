//! What a user does with keys without the other members.

use super::Session;
use crate::derivation::ExtendedPublicKey;
use crate::guard::holds;
use crate::keystore::Pin;
use crate::keystore::error::{Error, Misuse, Result};
use crate::keystore::object::KeyInfo;
use crate::policy::UserType;
use crate::protocol::Certificate;
use crate::wire::{EpochId, KeyId};
use crate::wrap::{Identity, Recipient, WrappedIdentity, WrappedShare};

impl Session {
    /// The key with its chain code: with it a watch-only wallet derives every child, and so every address, while no member
    /// is online. The audit log shows that it was given out.
    ///
    /// # Errors
    ///
    /// [`Derivation`](crate::Error::Derivation) for an ed25519 key, which has no such children;
    /// [`Misuse`](crate::Error::Misuse) for a key that no certificate covers yet: nobody should pay to it.
    ///
    /// # Security
    ///
    /// Whoever has it can't spend, but sees every address of the group. Give it only to software that makes P2TR
    /// addresses of it: others show addresses that this key can't spend from. See [`ExtendedPublicKey`].
    pub fn extended_public_key(&self, key: KeyId) -> Result<ExtendedPublicKey> {
        self.token.extended_public_key(self.id, key)
    }

    /// Gives this token a certificate: it finishes an epoch of which this token missed the end, or shows it that its share
    /// is of the past. Give it several from the oldest on.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// let members = three();
    /// let key = key(&members);
    /// let old = key.epoch;
    /// deal(&members, &members[0].invite_refresh(key.id, Vec::new())?);
    ///
    /// // Whoever missed it is given the certificate. It may come from anybody: it proves itself.
    /// let certificate = members[0].certificate(key.id)?;
    /// let info = members[1].complete(&certificate)?;
    /// assert!(info.epoch == certificate.epoch_id() && info.epoch != old);
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Certificate`](crate::Error::Certificate) when it proves nothing here, [`Fork`](crate::Error::Fork) when it proves
    /// an epoch that excludes the one held here. [`NotFound`](crate::Error::NotFound) when the key is not here: a new
    /// member whose run ended before it signed has no share, and must be dealt in anew.
    pub fn complete(&self, certificate: &Certificate) -> Result<KeyInfo> {
        self.token.complete(self.id, certificate)
    }

    /// Takes a chain of certificates, from any place on, oldest first: whoever was away for several epochs comes back to the
    /// newest, or learns that it is a member no more.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::{KeyState, Leaving, Reason, Reshare};
    ///
    /// let members = three();
    /// let key = key(&members);
    /// // Member 3 is away for a year, and the others go on without it.
    /// let leaving = vec![Leaving { identifier: id(3), reason: Reason::Lost }];
    /// let without = Reshare { members: key.roster.without(id(3))?, leaving, ..Reshare::of(&key) };
    /// deal(&members[..2], &members[0].invite_reshare(key.id, without)?);
    /// deal(&members[..2], &members[0].invite_refresh(key.id, Vec::new())?);
    ///
    /// let now = members[2].catch_up(&members[0].certificates(key.id)?)?;
    /// assert_eq!((now.height, now.state), (2, KeyState::Retired));
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`complete`](Self::complete), of the first certificate that is refused; those before it count. A
    /// [`Fork`](crate::Error::Fork) only if the key is still forked after the last.
    /// [`Misuse`](crate::Error::Misuse) when there is none.
    pub fn catch_up(&self, certificates: &[Certificate]) -> Result<KeyInfo> {
        let (mut newest, mut fork) = (None, None);
        for certificate in certificates {
            match self.complete(certificate) {
                Err(Error::Fork { ours, theirs }) => fork = Some(Error::Fork { ours, theirs }),
                completed => newest = Some(completed?),
            }
        }
        let Some(fork) = fork else { return newest.ok_or(Misuse::Plan("no certificate").into()) };
        // What came after it may have ended the fork, or have nothing to do with it.
        match newest.map(|info| self.key(info.id)).transpose()? {
            Some(now) if holds!(OpenForkTold, now.forks.is_empty()) => Ok(now),
            _ => Err(fork),
        }
    }

    /// Gives up an attempt at an epoch that this token signed and that was never certified, when people agree to try another way. Its run
    /// ends here, if it still goes, and nothing below it is entered any more.
    ///
    /// It erases nothing: as long as no certificate supersedes the attempt, one of the attempt itself may turn up, and this
    /// token [completes](Self::complete) it. Renew the shares again, which names it; that certificate erases it. An
    /// attempt at a new key has nothing to renew: its certificate completes it, or [`destroy`](Self::destroy) ends it.
    /// One at an import is followed by importing again.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::Advice;
    ///
    /// let members = three();
    /// let key = key(&members);
    /// let invitation = members[0].invite_refresh(key.id, Vec::new())?;
    /// let mut runs: Vec<_> = members.iter().map(|member| member.start(&invitation).unwrap()).collect();
    /// // Joins and deals arrive. Then the network is gone for good, and nobody has the others' signatures.
    /// rounds(&mut runs, 2);
    ///
    /// let attempt = members[0].key(key.id)?.pending[0];
    /// let given_up = members[0].abandon(key.id, attempt)?;
    /// assert_eq!((given_up.abandoned.clone(), given_up.epoch), (vec![attempt], key.epoch));
    /// // Its shares are still out there, until a renewal names it.
    /// assert_eq!(given_up.advice(), [Advice::FinishAttempt(attempt)]);
    /// deal(&members, &members[0].invite_refresh(key.id, Vec::new())?);
    /// assert!(members[0].key(key.id)?.advice().is_empty());
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) when it is not among [`KeyInfo::pending`](crate::KeyInfo::pending).
    pub fn abandon(&self, key: KeyId, attempt: EpochId) -> Result<KeyInfo> {
        self.token.abandon(self.id, key, attempt)
    }

    /// Sets this user's PIN.
    ///
    /// The whole store is sealed anew and rewritten, so that the old PIN opens nothing of it; a copy that was made before keeps it.
    pub fn set_pin(&self, new: &Pin) -> Result<()> {
        self.token.set_pin(self.id, UserType::User, new)
    }

    /// A backup of the key's share, encrypted. It is good for this epoch only; a refresh asks for a new one.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::wrap::{Identity, Recipient};
    /// use quorumkey::{KeyState, KeyStore, Restore};
    ///
    /// let members = three();
    /// let key = key(&members);
    /// let Identity::X25519(offline) = Identity::generate() else { unreachable!() };
    /// let identity = members[1].export_identity(&offline.recipient())?;
    /// let share = members[1].export(key.id, &offline.recipient())?;
    ///
    /// // Member 2's device has burnt. On a new one:
    /// let with = Identity::X25519(offline);
    /// let init = init("ben's new phone");
    /// let from = Restore { init: &init, identity: &identity, with: &with, incarnation: 0 };
    /// let store = KeyStore::restore_in_memory(&from)?;
    /// let session = store.login(&init.user)?;
    /// assert_eq!(session.restore(&share, &with)?.state, KeyState::Restored);
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::Error::Denied) by the key's export rule; [`Misuse`](crate::Error::Misuse) when there is no share here, or none
    /// that a certificate covers; [`Wrap`](crate::Error::Wrap) when nothing can be sealed to the recipient.
    ///
    /// # Security
    ///
    /// Whoever opens the backups of t members at one epoch has the key, for ever. After a refresh destroy the old ones, and have the
    /// officer [declare](crate::OfficerSession::declare) it.
    pub fn export(&self, key: KeyId, to: &Recipient) -> Result<WrappedShare> {
        self.token.wrap_key(self.id, key, to)
    }

    /// A backup of the token's identity, encrypted. It is made once; it opens no share.
    ///
    /// # Security
    ///
    /// Whoever opens it can speak in this member's name.
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
