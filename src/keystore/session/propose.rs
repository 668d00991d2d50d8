//! What a user proposes to the other members.

use super::Session;
use crate::keystore::error::Result;
use crate::keystore::imported::ImportedKey;
use crate::keystore::token::{Batch, NewCard, Proposal, Reshare};
use crate::suite::Suite;
use crate::wire::{Card, Derivation, Identifier, Invitation, KeyId, KeyTemplate, Revision, Roster};

/// What a new key is to be.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::{Dkg, KeyTemplate, Roster, Suite};
///
/// let [anna, ben, carla] = three();
/// let members = Roster::numbered([anna.card()?, ben.card()?, carla.card()?])?;
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
    pub least_attempt: u32,
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
    /// let members = Roster::numbered([anna.card()?, ben.card()?, carla.card()?])?;
    /// let old = ImportedKey::from_seed(Zeroizing::new([7; 32]));
    /// let public = old.group_key().clone();
    /// let template = KeyTemplate::wallet("the old wallet");
    /// let invitation = anna.invite_import(Import { key: &old, threshold: 2, members, template, least_attempt: 0 })?;
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
    /// Whoever knew the key before can sign alone for ever; see [`Origin::Imported`](crate::Origin::Imported). A key
    /// whose address is spent by ECDSA can't spend from it here; see [`ImportedKey`].
    pub fn invite_import(&self, import: Import<'_>) -> Result<Invitation> {
        let Import { key, threshold, members, template, least_attempt } = import;
        let (group_key, chain_hash) = (key.group_key().clone(), key.chain_hash());
        self.token
            .invite(self.id, &Proposal::Import { group_key, chain_hash, threshold, members, template, least_attempt })
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
    /// [`Certificate`](crate::Error::Certificate) when fewer than q = max(t, n − t + 1) members would deal, more with
    /// [`PreventsForks`](crate::Quorum::PreventsForks): restore some from their backups first.
    /// [`Denied`](crate::Error::Denied) when the key may not be refreshed; [`NotFound`](crate::Error::NotFound) when it
    /// is not here.
    ///
    /// [`Misuse`](crate::Error::Misuse) when no share of its newest epoch is here, as of a key that is pending or
    /// retired; when a new card is of no member, or has the identity of one that was stolen; when this token itself is
    /// replaced by another. [`Roster`](crate::Error::Roster) when an identity would stand in it twice.
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
    ///
    /// # Errors
    ///
    /// As [`invite_refresh`](Self::invite_refresh). Nobody [starts](Self::start) an attempt more than 1,024 above the
    /// last that it entered.
    pub fn invite_refresh_from(&self, key: KeyId, cards: Vec<NewCard>, least_attempt: u32) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Refresh { key, cards, least_attempt })
    }

    /// Proposes new shares of a key for other members, or with another threshold. The key and all its addresses stay.
    ///
    /// Members may be added, removed and replaced, and the threshold may go up and down, all at once. A new member needs no
    /// more than its card: the invitation carries the key's certificates. See [`Invitation::lineage`] for what it compares with
    /// the others. [`catch_up`](Self::catch_up) has an example that goes on without a lost member.
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
    /// let roster = key.roster.with(id(4), members[3].card()?)?.with(id(5), members[4].card()?)?;
    /// let invitation = members[0].invite_reshare(key.id, Reshare { threshold: 3, members: roster, ..Reshare::of(&key) })?;
    /// let renewed = deal(&members, &invitation);
    /// assert_eq!((renewed.group_key, renewed.threshold, renewed.roster.len()), (key.group_key, 3, 5));
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Certificate`](crate::Error::Certificate) when fewer than q = max(t, n − t + 1) old members would sign, more
    /// with [`PreventsForks`](crate::Quorum::PreventsForks), when somebody who does not go on is not named as leaving,
    /// or a member would get another number; [`Decode`](crate::Error::Decode) for a threshold below 2 or above the
    /// number of members.
    ///
    /// [`Misuse`](crate::Error::Misuse) when who leaves is no member, nobody is left to deal, or this token neither
    /// deals, witnesses nor receives, as one that leaves by another reason than routine.
    /// [`Denied`](crate::Error::Denied), [`NotFound`](crate::Error::NotFound) and, without a share, `Misuse` as
    /// [`invite_refresh`](Self::invite_refresh).
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
    /// [`Misuse`](crate::Error::Misuse) for fewer than q = max(t, n − t + 1) helpers, more with
    /// [`PreventsForks`](crate::Quorum::PreventsForks), without this member among them, and for a device that is not
    /// destroyed: the share on it stays good for whoever has it, so renew all shares, with a new card for that member
    /// ([`invite_refresh`](Self::invite_refresh)). `Misuse` also for a number that no member has, and for the identity
    /// of another member. [`Decode`](crate::Error::Decode) for fewer than two helpers, one named twice, one that is no
    /// member, or the one that is helped.
    ///
    /// [`Denied`](crate::Error::Denied) when the key's template or a restriction forbids it, or the key has forked.
    /// [`NotFound`](crate::Error::NotFound) and, without a share, `Misuse` as [`invite_refresh`](Self::invite_refresh).
    ///
    /// # Security
    ///
    /// The helpers vouch that the device is destroyed. If it is not, there are two of the member.
    pub fn invite_repair(&self, key: KeyId, card: NewCard, helpers: &[Identifier]) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Repair { key, card, helpers: helpers.to_vec() })
    }

    /// Proposes that the helpers give a share of the same epoch to a new member, under a number that no member of this
    /// epoch has. They sign a revision of the roster first; the threshold stays. A token that still knows the key from
    /// before comes under the number that it had then.
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
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// use quorumkey::{NewCard, Reason};
    ///
    /// let mut members = three();
    /// let key = key(&members);
    /// members[2] = member();
    /// let new = NewCard { identifier: id(3), card: members[2].card()?, reason: Reason::Destroyed };
    /// let invitation = members[0].invite_repair(key.id, new, &[id(1), id(2)])?;
    /// let mut runs: Vec<_> = members.iter().map(|member| member.start(&invitation).unwrap()).collect();
    /// // The helpers have signed, and neither has heard of it from the other. Then the new device breaks as well.
    /// rounds(&mut runs, 1);
    ///
    /// let revision = invitation.revision().expect("it is a repair");
    /// let settled = members[0].invite_revision(revision, &[id(1), id(2)])?;
    /// assert_eq!(deal(&members[..2], &settled).revision, 1);
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
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
    /// [`Denied`](crate::Error::Denied) when the key may not sign, has forked, or its share was restored;
    /// [`NotFound`](crate::Error::NotFound) for a key that is not here.
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
    /// [`Denied`](crate::Error::Denied) when the key may not sign or has forked; [`NotFound`](crate::Error::NotFound) for a key
    /// that is not here.
    ///
    /// # Security
    ///
    /// The nonces are in memory only, and each is used once, none after an hour. They are gone when the run is dropped, at the
    /// logout, when the key's shares are renewed, and with whatever the token is asked first after that hour. The longer they
    /// wait, the longer a snapshot of this process's memory can hold them: do not snapshot a signer.
    pub fn invite_preprocess(&self, key: KeyId, signers: &[Identifier], count: u16) -> Result<Invitation> {
        self.token.invite(self.id, &Proposal::Preprocess { key, signers: signers.to_vec(), count })
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
}
