//! The runs that a user enters.

use super::Session;
use crate::keystore::error::Result;
use crate::keystore::imported::ImportedKey;
use crate::keystore::run::{Dealing, Preprocessing, Run, Signing};
use crate::keystore::token::Operation;
use crate::wire::{Derivation, Invitation};

impl Session {
    /// Enters the run of an import as the one that brings the key. The key is dealt once all members have joined, and wiped;
    /// also when the run ends before that. It is never on disk.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) when the invitation imports another key, or names another dealer; else as
    /// [`start`](Self::start).
    #[allow(clippy::needless_pass_by_value, reason = "what is taken whole is wiped here, and not used again")]
    pub fn start_import(&self, invitation: &Invitation, key: ImportedKey) -> Result<Run<Dealing>> {
        self.begin(Operation::Import(invitation, &key))
    }

    /// Enters the run that makes nonces beforehand. Its output says when they can be used; the run holds them.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// let members = three();
    /// let key = key(&members);
    /// let invitation = members[0].invite_preprocess(key.id, &[id(1), id(2)], 4)?;
    /// let mut kept = vec![members[0].start_preprocess(&invitation)?, members[1].start_preprocess(&invitation)?];
    /// let batch = exchange_with(&mut kept).remove(0);
    /// assert_eq!((batch.size, batch.signers), (4, vec![id(1), id(2)]));
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) when this token holds nonces for more than 1,024 signatures with these;
    /// [`Denied`](crate::Error::Denied) and [`Stale`](crate::Error::Stale) as for a signature.
    pub fn start_preprocess(&self, invitation: &Invitation) -> Result<Run<Preprocessing>> {
        self.begin(Operation::Preprocess(invitation))
    }

    /// Enters the run of a dealing: a new key, new shares, or a share for a member that is repaired or enrolled. Look at what
    /// the invitation says first.
    ///
    /// # Errors
    ///
    /// - [`Stale`](crate::Error::Stale) when it is about another epoch than the one held here, or an older or newer
    ///   roster of it; the certificates tell who is behind.
    /// - [`Fork`](crate::Error::Fork) when its certificates show that the key has forked. That is kept, and this token
    ///   signs nothing more with the key before the fork has ended: see [`KeyInfo::forks`](crate::KeyInfo::forks).
    /// - [`Denied`](crate::Error::Denied) when the key may not be used for it
    ///   ([`Operation`](crate::Denial::Operation)); this token has entered a higher attempt
    ///   ([`AttemptTooLow`](crate::Denial::AttemptTooLow)), has signed what excludes it
    ///   ([`RevisionSigned`](crate::Denial::RevisionSigned), [`AttemptSigned`](crate::Denial::AttemptSigned)) or may
    ///   have forgotten it ([`RestoredVotesAfterRefresh`](crate::Denial::RestoredVotesAfterRefresh)), or has no room to
    ///   tell of what it has signed ([`TooManyAttempts`](crate::Denial::TooManyAttempts)); the key has forked
    ///   ([`Forked`](crate::Denial::Forked)); a member broke an earlier run ([`Convicted`](crate::Denial::Convicted)).
    /// - [`RolledBack`](crate::Error::RolledBack) when a member comes with an older card than it has shown.
    /// - [`Exists`](crate::Error::Exists) when this token has the key that is imported, or the share that it would be
    ///   given by a repair or an enrolment; [`NotFound`](crate::Error::NotFound) when it is to help and does not have
    ///   the key.
    /// - [`Misuse`](crate::Error::Misuse) when this token is not in it, or deals and holds no share; a member did not
    ///   sign it; it was entered before; or it breaks a rule, which the error names.
    /// - [`Certificate`](crate::Error::Certificate) when its certificates prove nothing or it does not follow from
    ///   them, [`Decode`](crate::Error::Decode) when they can't be read or it contradicts itself.
    ///
    /// What only the others' messages show comes from [`Run::handle`].
    ///
    /// # Security
    ///
    /// Whoever is a receiver will hold a share. Compare [`Invitation::fingerprint`] with the other members over a channel that an
    /// attacker does not hold; nothing else can tell a made-up group.
    pub fn start(&self, invitation: &Invitation) -> Result<Run<Dealing>> {
        self.begin(Operation::Deal(invitation))
    }

    /// Enters a signing run, for the message that this member approves. The invitation's message is only a proposal; if
    /// it is another one, nothing happens.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// let members = three();
    /// let key = key(&members);
    /// let invitation = members[0].invite_sign(key.id, &[id(1), id(3)], b"pay the baker")?;
    /// assert_eq!((invitation.signers(), invitation.dealers()), ([id(1), id(3)].as_slice(), None));
    /// assert_eq!(invitation.message(), Some(b"pay the baker".as_slice()));
    /// assert!(members[2].start_sign(&invitation, b"pay the butcher").is_err());
    ///
    /// let runs = [0, 2].map(|place| members[place].start_sign(&invitation, b"pay the baker"));
    /// let signature = exchange(runs.into_iter().collect::<Result<_, _>>()?).remove(0);
    /// key.verifying_key.verify(b"pay the baker", &signature)?;
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::Error::Denied) for another message or purpose, for a child or a script root, and for a share that was
    /// restored; [`Stale`](crate::Error::Stale), with the certificates that tell, for another epoch. With nonces made
    /// beforehand the share is computed here: if the run, its key or the session ends meanwhile,
    /// [`NoSuchRun`](crate::Misuse::NoSuchRun) or [`LoggedOut`](crate::Error::LoggedOut), and the nonces are gone.
    pub fn start_sign(&self, invitation: &Invitation, approved: &[u8]) -> Result<Run<Signing>> {
        self.start_sign_under(invitation, approved, &Derivation::default())
    }

    /// The same under the child, or with the script root, that this member approves.
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::Error::Denied) when the invitation proposes another one; else as [`start_sign`](Self::start_sign).
    pub fn start_sign_under(
        &self,
        invitation: &Invitation,
        approved: &[u8],
        derivation: &Derivation,
    ) -> Result<Run<Signing>> {
        self.begin(Operation::Sign(invitation, approved, derivation))
    }

    /// Consents to a run that puts a key together again, in the hands of who invites. The officer of this token must
    /// [start](crate::OfficerSession::start_reconstruct) it besides; neither can do it alone.
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::Error::Denied) when the key does not allow it; else as [`start_sign`](Self::start_sign).
    ///
    /// # Security
    ///
    /// The consent is to this one run: this key, this epoch, these members, this recipient. Ask the recipient over another
    /// channel. Once t members have consented the key is in one place, for ever.
    pub fn consent_to_reconstruct(&self, invitation: &Invitation) -> Result<()> {
        self.token.consent(self.id, invitation)
    }
}
