//! Sessions: what a user, and a security officer, can do.

use std::sync::Arc;

use super::Pin;
use super::error::{Error, Misuse, Result};
use super::imported::ImportedKey;
use super::object::{Declaration, Filter, KeyInfo, Restriction};
use super::run::{Dealing, Preprocessing, Reconstructing, Run, Signing};
use super::token::{Batch, NewCard, Operation, Proposal, Reshare, SessionId, Token};
use crate::audit;
use crate::derivation::ExtendedPublicKey;
use crate::policy::UserType;
use crate::protocol::Certificate;
use crate::suite::Suite;
use crate::wire::{Card, Derivation, EpochId, Identifier, Invitation, KeyId, KeyTemplate, Revision, Roster};
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
            ///
            /// ```
            /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
            /// # use prelude::*;
            /// use quorumkey::{Filter, KeyState};
            ///
            /// let members = three();
            /// let key = key(&members);
            /// let active = Filter { state: Some(KeyState::Active), ..Filter::default() };
            /// assert_eq!(members[1].find(&active)?[0].id, key.id);
            /// # Ok::<(), quorumkey::Error>(())
            /// ```
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
            ///
            /// ```
            /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
            /// # use prelude::*;
            /// use quorumkey::{Export, Operations, Restriction};
            ///
            /// let members = three();
            /// let key = key(&members);
            /// members[2].restrict(key.id, &Restriction { export: Some(Export::Never), operations: None })?;
            /// let wider = Restriction { export: Some(Export::Wrapped), operations: Some(Operations::ALL) };
            /// assert!(members[2].restrict(key.id, &wider).is_err());
            /// # Ok::<(), quorumkey::Error>(())
            /// ```
            ///
            /// # Errors
            ///
            /// [`Misuse`](crate::Error::Misuse) when it would widen anything.
            pub fn restrict(&self, key: KeyId, change: &Restriction) -> Result<()> {
                self.token.restrict(self.id, key, change)
            }

            /// Erases a key's shares and chain code here, by a new file under a new root key. The other members keep theirs.
            ///
            /// The key answers as one that is not here. What is public about it is found by a filter for
            /// [`Destroyed`](crate::KeyState::Destroyed), and what this token promised of its epochs goes on binding it.
            ///
            /// ```
            /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
            /// # use prelude::*;
            /// use quorumkey::{Error, Filter, KeyState};
            ///
            /// let members = three();
            /// let key = key(&members);
            /// members[2].destroy(key.id)?;
            /// assert!(matches!(members[2].key(key.id), Err(Error::NotFound(_))));
            /// let destroyed = Filter { state: Some(KeyState::Destroyed), ..Filter::default() };
            /// assert_eq!(members[2].find(&destroyed)?[0].id, key.id);
            /// # Ok::<(), quorumkey::Error>(())
            /// ```
            ///
            /// # Security
            ///
            /// The others are not told. If fewer than t members are left that hold a share or a backup, the key is lost.
            pub fn destroy(&self, key: KeyId) -> Result<()> {
                self.token.destroy_object(self.id, key)
            }

            fn begin<P: super::run::Protocol>(&self, operation: Operation<'_>) -> Result<Run<P>> {
                let (run, progress) = self.token.begin(self.id, operation)?;
                Ok(Run::new(Arc::clone(&self.token), self.id, run, progress))
            }

            /// Audit records after that one, or from the first, at most `limit`.
            ///
            /// [`audit::verify`] checks that none was cut out, edited or moved.
            ///
            /// ```
            /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
            /// # use prelude::*;
            /// use quorumkey::audit::{self, Head};
            ///
            /// let store = token();
            /// let session = store.login(&init("").user)?;
            /// let records = session.audit(None, 1000)?;
            /// let head = audit::follow(&records, &Head::genesis(&store.info()?.id))?;
            /// assert_eq!(head.next, 2);
            /// println!("{}", records[1]); // "1 (state 2): logged in, …"
            /// # Ok::<(), quorumkey::Error>(())
            /// ```
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
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::{Dkg, KeyTemplate, Roster, Suite};
///
/// let [anna, ben, carla] = three();
/// let members = Roster::numbered([anna.card()?, ben.card()?, carla.card()?]).expect("three different cards");
/// let template = KeyTemplate::wallet("savings");
/// let invitation = anna.invite(Dkg { suite: Suite::Secp256k1Taproot, threshold: 2, members, template })?;
/// assert_eq!(invitation.threshold(), Some(2));
/// # Ok::<(), quorumkey::Error>(())
/// ```
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

/// Which key is imported, and to whom it is shared out.
#[derive(Debug)]
pub struct Import<'a> {
    /// The key.
    pub key: &'a ImportedKey,
    /// How many members will sign, at least 2.
    pub threshold: u16,
    /// The members, numbered 1 to n. This token is one of them.
    pub members: Roster,
    /// What they agree on.
    pub template: KeyTemplate,
    /// The lowest attempt to propose, after another token has denied a lower one:
    /// [`Denial::AttemptTooLow`](crate::Denial::AttemptTooLow) says which. Else 0.
    pub attempt: u32,
}

impl Session {
    /// Proposes to share an old key out to members, of which this token is one. Send the invitation to the others, who
    /// compare [`Invitation::fingerprint`] and the old public key in [`Invitation::imports`], and [`start`](Self::start) it;
    /// this token, and no other, enters by [`start_import`](Self::start_import).
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::{Import, ImportedKey, KeyTemplate, Origin, Roster};
    /// use zeroize::Zeroizing;
    ///
    /// let [anna, ben, carla] = three();
    /// let members = Roster::numbered([anna.card()?, ben.card()?, carla.card()?]).expect("three different cards");
    /// let old = ImportedKey::from_seed(Zeroizing::new([7; 32]));
    /// let public = old.group_key().clone();
    /// let template = KeyTemplate::wallet("the old wallet");
    /// let invitation = anna.invite_import(Import { key: &old, threshold: 2, members, template, attempt: 0 })?;
    ///
    /// assert_eq!(invitation.imports(), Some(&public));
    /// let runs = vec![anna.start_import(&invitation, old)?, ben.start(&invitation)?, carla.start(&invitation)?];
    /// let key = exchange(runs).remove(0);
    /// assert_eq!((key.group_key, key.origin), (public, Origin::Imported));
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`invite`](Self::invite); [`Exists`](crate::Error::Exists) when the key is here already.
    ///
    /// # Security
    ///
    /// Whoever knew the key before can sign alone for ever; see [`Origin::Imported`](crate::Origin::Imported).
    pub fn invite_import(&self, import: Import<'_>) -> Result<Invitation> {
        let Import { key, threshold, members, template, attempt } = import;
        let (group_key, chain_hash) = (key.group_key().clone(), key.chain_hash());
        self.token.invite(self.id, &Proposal::Import { group_key, chain_hash, threshold, members, template, attempt })
    }

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

    /// Proposes a new key. Send the invitation to the members, who compare [`Invitation::fingerprint`] and start it.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) when this token is not among the members, or the template asks for what is not supported;
    /// [`Decode`](crate::Error::Decode) for a threshold below 2 or above the number of members.
    pub fn invite(&self, dkg: Dkg) -> Result<Invitation> {
        let Dkg { suite, threshold, members, template } = dkg;
        self.token.invite(self.id, &Proposal::Dkg { suite, threshold, members, template })
    }

    /// Proposes new shares of a key for the same members. Members with a new device, or one that was restored, come with
    /// their new card.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::{NewCard, Reason};
    ///
    /// let mut members = three();
    /// let key = key(&members);
    /// // Member 3's phone was stolen. On a new one it has made a new token, and tells the others its card.
    /// members[2] = member();
    /// let new = NewCard { identifier: id(3), card: members[2].card()?, reason: Reason::Stolen };
    /// let invitation = members[0].invite_refresh(key.id, vec![new])?;
    /// assert_eq!(invitation.replaced()[0].reason, Reason::Stolen);
    /// let renewed = deal(&members, &invitation);
    /// assert_eq!((renewed.group_key, renewed.height), (key.group_key, 1));
    /// // What the thief has is one share of an epoch that is dead once fewer than two are left.
    /// assert!(members[0].key(key.id)?.old_epochs[0].is_dead());
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Certificate`](crate::Error::Certificate) when fewer than q = max(t, n − t + 1) members would deal: restore some from their
    /// backups first. [`Denied`](crate::Error::Denied) when the key may not be refreshed.
    ///
    /// # Security
    ///
    /// A thief's share is worthless once fewer than t shares of its epoch are left anywhere, old backups included:
    /// [`KeyInfo::old_epochs`](crate::KeyInfo::old_epochs) says whose.
    pub fn invite_refresh(&self, key: KeyId, cards: Vec<NewCard>) -> Result<Invitation> {
        self.invite_refresh_from(key, cards, 0)
    }

    /// The same, with an attempt no lower than that, after another token has denied a lower one:
    /// [`Denial::AttemptTooLow`](crate::Denial::AttemptTooLow) says which.
    pub fn invite_refresh_from(&self, key: KeyId, cards: Vec<NewCard>, attempt: u32) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Refresh { key, cards, attempt })
    }

    /// Proposes new shares of a key for other members, or with another threshold. The key and all its addresses stay.
    ///
    /// Members may be added, removed and replaced, and the threshold may go up and down, all at once. A new member needs no
    /// more than its card: the invitation carries the key's certificates. See [`Invitation::lineage`] for what it compares with
    /// the others.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::Reshare;
    ///
    /// let mut members = three().into_iter().collect::<Vec<_>>();
    /// let key = key(&members);
    /// // From 2-of-3 to 3-of-5: two more members, who have nothing but a token.
    /// members.extend([member(), member()]);
    /// let roster = key.roster.with(id(4), members[3].card()?).and_then(|all| all.with(id(5), members[4].card().ok()?));
    /// let roster = roster.expect("five different cards");
    /// let invitation = members[0].invite_reshare(key.id, Reshare { threshold: 3, members: roster, ..Reshare::of(&key) })?;
    /// let renewed = deal(&members, &invitation);
    /// assert_eq!((renewed.group_key, renewed.threshold, renewed.roster.len()), (key.group_key, 3, 5));
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Certificate`](crate::Error::Certificate) when fewer than q = max(t, n − t + 1) old members would deal, when somebody who
    /// does not go on is not named as leaving, or a member would get another number; [`Decode`](crate::Error::Decode) for a
    /// threshold below 2 or above the number of members.
    ///
    /// # Security
    ///
    /// Who leaves erases its share when it holds the certificate, and the old epoch can sign until fewer than t of its shares
    /// are left anywhere: [`KeyInfo::old_epochs`](crate::KeyInfo::old_epochs). Shares that were dealt in an attempt that failed
    /// count as much.
    pub fn invite_reshare(&self, key: KeyId, reshare: Reshare) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Reshare { key, reshare })
    }

    /// Proposes that the helpers give a member its share again, in the same epoch: its device is destroyed, or its share
    /// erased, and it comes with this card. They sign a revision of the roster first.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::{NewCard, Origin, Reason};
    ///
    /// let mut members = three();
    /// let key = key(&members);
    /// // Member 3's phone fell into the fire. On a new one it has made a new token, and tells the others its card.
    /// members[2] = member();
    /// let new = NewCard { identifier: id(3), card: members[2].card()?, reason: Reason::Destroyed };
    /// let invitation = members[0].invite_repair(key.id, new, &[id(1), id(2)])?;
    /// println!("compare with the others: {}", invitation.fingerprint().expect("it makes a share"));
    /// deal(&members, &invitation);
    /// let repaired = members[2].key(key.id)?;
    /// assert_eq!((repaired.epoch, repaired.revision, repaired.origin), (key.epoch, 1, Origin::Repaired));
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// When a run fails after the helpers have signed, call it again: the revision is in force, and only the share is
    /// missing.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) for fewer than q = max(t, n − t + 1) helpers, without this member among them, and for a
    /// device that is not destroyed: the share on it stays good for whoever has it, so renew all shares, with a new card for
    /// that member ([`invite_refresh`](Self::invite_refresh)). [`Denied`](crate::Error::Denied) when the key's template or a
    /// restriction forbids it.
    ///
    /// # Security
    ///
    /// The helpers vouch that the device is destroyed. If it is not, there are two of the member.
    pub fn invite_repair(&self, key: KeyId, card: NewCard, helpers: &[Identifier]) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Repair { key, card, helpers: helpers.to_vec() })
    }

    /// Proposes that the helpers give a share of the same epoch to a new member, under a number that nobody had before. They
    /// sign a revision of the roster first; the threshold stays.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// let [anna, ben, carla] = three();
    /// let dora = member();
    /// let members = [anna, ben, carla];
    /// let key = key(&members);
    /// let invitation = members[0].invite_enrolment(key.id, id(4), dora.card()?, &[id(1), id(2)])?;
    /// let [anna, ben, _] = members;
    /// deal(&[anna, ben, dora], &invitation);
    /// assert_eq!(invitation.receivers().map(|roster| roster.len()), Some(4));
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As of [`invite_repair`](Self::invite_repair); [`Misuse`](crate::Error::Misuse) also for a number or an identity that a member
    /// has.
    ///
    /// # Security
    ///
    /// Any t of one more member sign from now on, and a refresh takes more of them.
    pub fn invite_enrolment(
        &self,
        key: KeyId,
        identifier: Identifier,
        card: Card,
        helpers: &[Identifier],
    ) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Enrol { key, identifier, card, helpers: helpers.to_vec() })
    }

    /// Proposes that the helpers sign the revision of an earlier repair or enrolment, without the member that it was for.
    ///
    /// It ends what a failed run left behind: who has signed a revision signs no other with its number, and no renewal of the
    /// shares, before it is in force. If the member's new device is gone meanwhile, put its revision in force, and repair it
    /// on another.
    ///
    /// # Errors
    ///
    /// As of [`invite_repair`](Self::invite_repair).
    pub fn invite_revision(&self, revision: &Revision, helpers: &[Identifier]) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Revise { revision: revision.clone(), helpers: helpers.to_vec() })
    }

    /// Proposes a signature by those members.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) for fewer signers than the threshold, a signer that is no member, or more than 1 MiB;
    /// [`Denied`](crate::Error::Denied) when the key may not sign, or its share was restored.
    pub fn invite_sign(&self, key: KeyId, signers: &[Identifier], message: &[u8]) -> Result<Invitation> {
        self.invite_sign_under(key, signers, message, &Derivation::default())
    }

    /// Proposes a signature under a child of the key, or with the root of a script tree.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::{Derivation, Network, Suite};
    ///
    /// let members = three();
    /// let key = key_of(&members, Suite::Secp256k1Taproot);
    /// // Who watches has this, and needs no member to make an address.
    /// let group = members[0].extended_public_key(key.id)?;
    /// let watched = group.derive(&"m/0/7".parse()?)?.verifying_key(None);
    /// assert!(watched.p2tr_address(Network::Mainnet)?.starts_with("bc1p"));
    ///
    /// let (sighash, child) = ([9; 32], Derivation::path("m/0/7".parse()?));
    /// let invitation = members[0].invite_sign_under(key.id, &[id(1), id(3)], &sighash, &child)?;
    /// assert_eq!(invitation.derivation(), Some(&child));
    /// let runs = [0, 2].map(|place| members[place].start_sign_under(&invitation, &sighash, &child));
    /// let signature = exchange(runs.into_iter().collect::<Result<_, _>>()?).remove(0);
    /// watched.verify(&sighash, &signature)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Derivation`](crate::Error::Derivation) for a path of an ed25519 key, [`Misuse`](crate::Error::Misuse) for a root of
    /// another suite's key than taproot's; else as [`invite_sign`](Self::invite_sign).
    pub fn invite_sign_under(
        &self,
        key: KeyId,
        signers: &[Identifier],
        message: &[u8],
        derivation: &Derivation,
    ) -> Result<Invitation> {
        let (signers, message, derivation) = (signers.to_vec(), message.to_vec(), derivation.clone());
        self.token.invite(self.id, &Proposal::Sign { key, signers, message, derivation, batch: None })
    }

    /// Proposes to make nonces for so many signatures beforehand: 1 to [`MAX_BATCH`](crate::MAX_BATCH). Any of those
    /// members, as many as the threshold or more, then sign in *one* round each.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::Derivation;
    ///
    /// let members = three();
    /// let key = key(&members);
    /// // In a quiet hour. The runs hold the nonces: keep them.
    /// let invitation = members[0].invite_preprocess(key.id, &[id(1), id(2), id(3)], 8)?;
    /// let mut kept: Vec<_> = members.iter().map(|one| one.start_preprocess(&invitation).unwrap()).collect();
    /// let batch = exchange_with(&mut kept).remove(0);
    /// assert_eq!(batch.size, 8);
    ///
    /// // Later, each in one round.
    /// for message in [b"pay the baker", b"pay the miner"] {
    ///     let plain = Derivation::default();
    ///     let invitation = members[0].invite_sign_prepared(&batch, &[id(1), id(3)], message, &plain)?;
    ///     let mut one = members[0].start_sign(&invitation, message)?;
    ///     let mut three = members[2].start_sign(&invitation, message)?;
    ///     three.handle(&one.poll_transmit().expect("its share"))?;
    ///     let signature = three.poll_output().expect("both shares are in");
    ///     key.verifying_key.verify(message, &signature)?;
    /// }
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) for another number, fewer signers than the threshold, or a signer that is no member;
    /// [`Denied`](crate::Error::Denied) when the key may not sign.
    ///
    /// # Security
    ///
    /// The nonces are in memory only, for at most an hour, and each is used once. They are gone when the run is dropped, at
    /// the logout, and when the key's shares are renewed. The longer they wait, the longer a snapshot of this process's
    /// memory can hold them: do not snapshot a signer.
    pub fn invite_preprocess(&self, key: KeyId, signers: &[Identifier], count: u16) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Preprocess { key, signers: signers.to_vec(), count })
    }

    /// Enters the run that makes nonces beforehand. Its output says when they can be used; the run holds them.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) when this token holds nonces for more than 1,024 signatures with these;
    /// [`Denied`](crate::Error::Denied) and [`Stale`](crate::Error::Stale) as for a signature.
    pub fn start_preprocess(&self, invitation: &Invitation) -> Result<Run<Preprocessing>> {
        self.begin(Operation::Preprocess(invitation))
    }

    /// Proposes a signature with the next nonces of a batch, by some of its signers. Enter it as any other, with
    /// [`start_sign`](Self::start_sign) or [`start_sign_under`](Self::start_sign_under).
    ///
    /// Nonces that were proposed once are not proposed again by this session. If two members propose the same ones for two
    /// messages, each signer takes the first that it enters and refuses the other; propose again then.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) when none are left, they are too old, or the run that holds them is gone; else as
    /// [`invite_sign_under`](Self::invite_sign_under).
    pub fn invite_sign_prepared(
        &self,
        batch: &Batch,
        signers: &[Identifier],
        message: &[u8],
        derivation: &Derivation,
    ) -> Result<Invitation> {
        let (signers, message, derivation) = (signers.to_vec(), message.to_vec(), derivation.clone());
        let Batch { key, id, .. } = *batch;
        self.token.invite(self.id, &Proposal::Sign { key, signers, message, derivation, batch: Some(id) })
    }

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
    /// Whoever has it can't spend, but sees every address of the group.
    pub fn extended_public_key(&self, key: KeyId) -> Result<ExtendedPublicKey> {
        self.token.extended_public_key(self.id, key)
    }

    /// Enters the run of a dealing: a new key, new shares, or a share for a member that is repaired or enrolled. Look at what
    /// the invitation says first.
    ///
    /// # Errors
    ///
    /// [`Stale`](crate::Error::Stale) when it renews another epoch than the one held here,
    /// [`Denied`](crate::Error::Denied) when this token has promised more than it proposes.
    ///
    /// [`Misuse`](crate::Error::Misuse) when this token is not in it, a member did not sign it, or it was entered before;
    /// [`RolledBack`](crate::Error::RolledBack) when a member comes with an older card than it has shown.
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
    /// restored; [`Stale`](crate::Error::Stale), with the certificates that tell, for another epoch.
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
    /// [start](OfficerSession::start_reconstruct) it besides; neither can do it alone.
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
    /// an epoch that excludes the one held here.
    pub fn complete(&self, certificate: &Certificate) -> Result<KeyInfo> {
        self.token.complete(self.id, certificate)
    }

    /// Takes a chain of certificates, from any place on, oldest first: whoever was away for several epochs comes back to the
    /// newest, or learns that it is a member no more.
    ///
    /// # Errors
    ///
    /// Those of [`complete`](Self::complete), of the first certificate that is refused; those before it count.
    /// [`Misuse`](crate::Error::Misuse) when there is none.
    pub fn catch_up(&self, certificates: &[Certificate]) -> Result<KeyInfo> {
        let mut newest = Err(Misuse::Plan("no certificate").into());
        for certificate in certificates {
            newest = Ok(self.complete(certificate)?);
        }
        newest
    }

    /// Gives up an attempt at an epoch that this token signed and that was never certified, when people agree to try another way. Its run
    /// ends here, if it still goes, and nothing below it is entered any more.
    ///
    /// It erases nothing: as long as no certificate supersedes the attempt, one of the attempt itself may turn up, and this
    /// token [completes](Self::complete) it. Renew the shares again, which names it; that certificate erases it.
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
    /// use quorumkey::{KeyState, KeyStore};
    ///
    /// let members = three();
    /// let key = key(&members);
    /// let Identity::X25519(offline) = Identity::generate() else { unreachable!() };
    /// let identity = members[1].export_identity(&offline.recipient())?;
    /// let share = members[1].export(key.id, &offline.recipient())?;
    ///
    /// // Member 2's device has burnt. On a new one:
    /// let with = Identity::X25519(offline);
    /// let store = KeyStore::restore_in_memory(&init("ben's new phone"), &identity, &with, 0)?;
    /// let session = store.login(&init("").user)?;
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
    /// officer [declare](OfficerSession::declare) it.
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
    /// officers of a quorum do it; and [`Forked`](crate::Denial::Forked), in a renewal that ends the fork.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::Error::Misuse) for a new key and for a signature: there is nothing to override.
    ///
    /// # Security
    ///
    /// If a token signs again what excludes what it has signed before, the key forks. Override only when people are sure that
    /// no other attempt at the same epoch is under way, nor certified out of sight.
    pub fn override_restored(&self, invitation: &Invitation) -> Result<()> {
        self.token.override_restored(self.id, invitation)
    }

    /// Lets a member take part in runs again that broke one, as far as this token is concerned. Until then this token
    /// enters no run with its identity, and says [`Convicted`](crate::Denial::Convicted); the audit log has the run that
    /// failed by it.
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
    /// In each of their tokens the user [consents](Session::consent_to_reconstruct), then the officer
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
    /// let members = Roster::numbered([users[0].card()?, users[1].card()?]).expect("two different cards");
    /// // Only a key that was made for it has the door.
    /// let operations = Operations::ALL.and(Operations::RECONSTRUCT);
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
