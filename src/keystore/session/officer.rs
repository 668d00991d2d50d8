//! What a security officer does.

use super::OfficerSession;
use crate::keystore::Pin;
use crate::keystore::error::Result;
use crate::keystore::object::Declaration;
use crate::keystore::run::{Reconstructing, Run};
use crate::keystore::token::{Operation, Proposal};
use crate::policy::UserType;
use crate::wire::{Card, Identifier, Invitation, KeyId};

impl OfficerSession {
    /// Sets the user's PIN; its tries begin anew.
    pub fn set_user_pin(&self, new: &Pin) -> Result<()> {
        self.token.set_pin(self.id, UserType::User, new)
    }

    /// Sets the officer's own PIN.
    pub fn set_pin(&self, new: &Pin) -> Result<()> {
        self.token.set_pin(self.id, UserType::SecurityOfficer, new)
    }

    /// Lets this token enter that run against rules that keep a key from forking. The audit log shows it.
    ///
    /// It lifts, for this run alone, what these denials say: [`RestoredNeedsQuorum`](crate::Denial::RestoredNeedsQuorum),
    /// [`RestoredVotesAfterRefresh`](crate::Denial::RestoredVotesAfterRefresh) and
    /// [`RevisionSigned`](crate::Denial::RevisionSigned) for this token; [`AttemptNotEnded`](crate::Denial::AttemptNotEnded) if the
    /// officers of a quorum do it; and [`Forked`](crate::Denial::Forked), in a renewal that ends the fork, as
    /// [`Fork`](crate::Fork) says.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::wrap::Identity;
    /// use quorumkey::{KeyStore, NewCard, Reason, Restore};
    ///
    /// let members = [member(), member()];
    /// let key = key(&members);
    /// let [anna, ben] = members;
    /// let Identity::X25519(offline) = Identity::generate() else { unreachable!() };
    /// let (who, share) = (ben.export_identity(&offline.recipient())?, ben.export(key.id, &offline.recipient())?);
    /// // Ben's phone is lost. His new one has identity and share from the backups, and has forgotten what it signed.
    /// let (init, with) = (init("ben's new phone"), Identity::X25519(offline));
    /// let from = Restore { init: &init, identity: &who, with: &with, incarnation: 0 };
    /// let store = KeyStore::restore_in_memory(&from)?;
    /// let ben = store.login(&init.user)?;
    /// ben.restore(&share, &with)?;
    /// let new = NewCard { identifier: id(2), card: ben.card()?, reason: Reason::Lost };
    /// let invitation = anna.invite_refresh(key.id, vec![new])?;
    /// // There are no two others who could remind it. Anna and Ben are sure that they began nothing else.
    /// store.login_so(&init.officer)?.override_fork_rules(&invitation)?;
    /// assert_eq!(deal(&[anna, ben], &invitation).height, 1);
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) for a new key and for a signature: there is nothing to override.
    ///
    /// # Security
    ///
    /// If a token signs again what excludes what it has signed before, the key forks. Override only when people are sure that
    /// no other attempt at the same epoch is under way, nor certified out of sight.
    pub fn override_fork_rules(&self, invitation: &Invitation) -> Result<()> {
        self.token.override_fork_rules(self.id, invitation)
    }

    /// Lets a member take part in runs again that broke one, as far as this token is concerned. Until then this token
    /// enters no run with its identity, and says [`Convicted`](crate::Denial::Convicted); the audit log has the run that
    /// failed by it.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::audit::EventKind;
    ///
    /// let store = token();
    /// let ben = member();
    /// // Ben's wallet broke a run. It was a mistake in its program, which is mended.
    /// let officer = store.login_so(&init("").officer)?;
    /// officer.pardon(&ben.card()?)?;
    /// let last = officer.audit(None, 1000)?.pop().expect("a log has records");
    /// assert_eq!(last.event().kind(), EventKind::MemberPardoned);
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Security
    ///
    /// Find out first why it failed. Who may try again and again can learn a little each time.
    pub fn pardon(&self, card: &Card) -> Result<()> {
        self.token.pardon(self.id, card)
    }

    /// Proposes to put a key together again, whole, in this token: the dangerous door out. `members` are at least t, this
    /// token's among them.
    ///
    /// In each of their tokens the user [consents](crate::Session::consent_to_reconstruct), then the officer
    /// [starts](Self::start_reconstruct).
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::{Dkg, ImportedKey, KeyTemplate, Operations, Roster, Suite};
    /// use zeroize::Zeroizing;
    ///
    /// let stores = [token(), token()];
    /// let users = [stores[0].login(&init("").user)?, stores[1].login(&init("").user)?];
    /// let members = Roster::numbered([users[0].card()?, users[1].card()?])?;
    /// // Only a key that was made for it has the door.
    /// let operations = Operations::ALL.union(Operations::RECONSTRUCT);
    /// let template = KeyTemplate { operations, ..KeyTemplate::wallet("on trial") };
    /// let invitation = users[0].invite(Dkg { suite: Suite::Ed25519, threshold: 2, members, template })?;
    /// let key = deal(&users, &invitation);
    ///
    /// let officers = [stores[0].login_so(&init("").officer)?, stores[1].login_so(&init("").officer)?];
    /// let invitation = officers[0].invite_reconstruct(key.id, &[id(1), id(2)])?;
    /// for user in &users {
    ///     user.consent_to_reconstruct(&invitation)?;
    /// }
    /// let runs = officers.iter().map(|officer| officer.start_reconstruct(&invitation));
    /// let whole = exchange(runs.collect::<Result<_, _>>()?).remove(0).expect("the first member gets it");
    /// let secret = Zeroizing::new(*whole.dangerously_expose_secret());
    /// assert_eq!(ImportedKey::from_scalar(Suite::Ed25519, secret).unwrap().group_key(), &key.group_key);
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::Error::Denied) when the key was not made for it, was restricted, or its share was restored;
    /// [`Misuse`](crate::Error::Misuse) for fewer members than the threshold, or without this token.
    ///
    /// # Security
    ///
    /// It undoes what the group is for. No refresh takes the key back from whoever had it.
    pub fn invite_reconstruct(&self, key: KeyId, members: &[Identifier]) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Reconstruct { key, members: members.to_vec() })
    }

    /// Enters the run that puts a key together again, to which this token's user has consented. Who invited gets the key,
    /// the others hand their shares over to it, sealed.
    ///
    /// # Errors
    ///
    /// [`Denied`](crate::Error::Denied) without the user's consent, and as [`invite_reconstruct`](Self::invite_reconstruct);
    /// [`Stale`](crate::Error::Stale) for another epoch.
    ///
    /// # Security
    ///
    /// The share leaves this token, and the audit log says to whom.
    pub fn start_reconstruct(&self, invitation: &Invitation) -> Result<Run<Reconstructing>> {
        self.begin(Operation::Reconstruct(invitation))
    }

    /// Erases the token: overwrites its file and removes it. Every session of it ends. The other members are not told.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::{Error, KeyStore, StorageError};
    ///
    /// let directory = tempfile::tempdir().unwrap();
    /// let path = directory.path().join("wallet.qk");
    /// let store = KeyStore::create(&path, &init("an old phone"))?;
    /// store.login_so(&init("").officer)?.destroy_token()?;
    /// assert!(matches!(KeyStore::open(&path), Err(Error::Storage(StorageError::Missing))));
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Storage`](crate::Error::Storage) when the file could not be overwritten or removed. What is left of it is
    /// overwritten when the same path is opened again.
    ///
    /// # Security
    ///
    /// What flash memory, snapshots and copies keep is out of reach, and so are backups. Keys that fewer than t other
    /// members hold are lost.
    pub fn destroy_token(self) -> Result<()> {
        self.token.destroy(self.id)
    }

    /// Records what people know of old shares, for the report of whether an old epoch is dead.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::wrap::Identity;
    /// use quorumkey::{Declaration, Holding};
    ///
    /// let store = token();
    /// let members = [store.login(&init("").user)?, member()];
    /// let key = key(&members);
    /// let Identity::X25519(offline) = Identity::generate() else { unreachable!() };
    /// members[0].export(key.id, &offline.recipient())?;
    /// deal(&members, &members[0].invite_refresh(key.id, Vec::new())?);
    ///
    /// // Both members have erased their old shares. The backup is still there.
    /// let old = &members[0].key(key.id)?.old_epochs[0];
    /// assert_eq!(old.holders[0].holding, Holding::Backup);
    /// let officer = store.login_so(&init("").officer)?;
    /// officer.declare(key.id, &Declaration::BackupsDestroyed { epoch: old.epoch, identifier: id(1) })?;
    /// assert!(members[0].key(key.id)?.old_epochs[0].holders.is_empty());
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::Error::NotFound) when the key is not here, [`Misuse`](crate::Error::Misuse) when none of its old
    /// epochs has such a share.
    pub fn declare(&self, key: KeyId, declaration: &Declaration) -> Result<()> {
        self.token.declare(self.id, key, declaration)
    }
}
