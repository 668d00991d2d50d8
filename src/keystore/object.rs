//! Keys as objects: what a token says of them.

use core::fmt;

use crate::suite::{GroupKey, Suite, VerifyingKey};
use crate::wire::{EpochId, Export, Fingerprint, Identifier, KeyId, KeyTemplate, Operations, Roster};

/// Where a key's share here stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// A share was dealt, and the certificate is not here yet, of a key of which no epoch is certified here.
    Pending,
    /// The share is of the newest certified epoch that is known here.
    Active,
    /// The share came from a backup. It deals, and it signs once a refresh has renewed it. Whether its epoch is still
    /// the newest is not known before a peer or a certificate says so.
    Restored,
    /// No share of the newest certified epoch that is known here. The one that was here is of the past, and erased; or
    /// this token is about to join, and waits for the certificate: [`KeyInfo::pending`].
    Retired,
    /// The key was destroyed here: share and chain code are erased, and what is public about it is still known. Such a
    /// key answers as one that is not here, and is found only by a [`Filter`] that asks for this state.
    Destroyed,
}

/// Where a share came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was dealt to this token.
    Generated,
    /// It was read from a backup.
    Restored,
    /// It is of a key that somebody held whole before it was shared. All members of the key have this origin, and whatever
    /// is done with the key keeps it: a share that was restored, too, which [`KeyInfo::state`] tells.
    ///
    /// # Security
    ///
    /// Whoever knew the secret before can sign alone, for ever. New shares don't change the key: no refresh undoes that.
    /// Only a new key does, and moving the funds to it.
    Imported,
    /// The other members made it again for this token, or for a new member, in an epoch that was there already.
    Repaired,
}

/// Why somebody may still hold a share of an old epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holding {
    /// The member has not confirmed that it erased the share.
    NotConfirmed,
    /// The member's device moved or is lost, and nobody confirmed that the share on it is gone.
    Lost,
    /// The member's device was stolen.
    Stolen,
    /// A backup of the share was made, or may have been made by a member that was replaced, and nobody said that it is
    /// destroyed.
    Backup,
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConfirmed => "has not confirmed that it erased its share",
            Self::Lost => "its device moved or is lost",
            Self::Stolen => "its device was stolen",
            Self::Backup => "a backup may be left",
        })
    }
}

/// Somebody who may hold a share of an old epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Whose share.
    pub identifier: Identifier,
    /// Why it may still be there.
    pub holding: Holding,
}

/// Whether an old epoch of a key can still do harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochReport {
    /// The old epoch, or an attempt at one that dealt shares of the key.
    pub epoch: EpochId,
    /// How many of its shares are the key.
    pub threshold: u16,
    /// Everybody who may still hold a share of it.
    pub holders: Vec<Holder>,
}

impl EpochReport {
    /// Whether fewer members' shares than the threshold can be left. Until then the epoch is the key to whoever collects
    /// them, whatever newer epochs there are.
    ///
    /// # Security
    ///
    /// It goes by what tokens confirmed and what people declared. A copy that nobody noticed is not in it. Nor is a backup
    /// of this epoch by a member that was replaced before it could tell: look for those of lost and stolen devices too.
    pub fn is_dead(&self) -> bool {
        self.identifiers().count() < usize::from(self.threshold)
    }

    /// The members of which a share may be left, each once.
    pub fn identifiers(&self) -> impl Iterator<Item = Identifier> {
        let identifiers: std::collections::BTreeSet<_> = self.holders.iter().map(|holder| holder.identifier).collect();
        identifiers.into_iter()
    }
}

/// Who may hold what is left of it, and why.
impl fmt::Display for EpochReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dead = if self.is_dead() { "dead" } else { "not known to be dead" };
        write!(f, "epoch {} is {dead}: shares of {} members may be left", self.epoch, self.identifiers().count())?;
        write!(f, ", {} are the key", self.threshold)?;
        let mut separator = ": ";
        for Holder { identifier, holding } in &self.holders {
            write!(f, "{separator}member {identifier}: {holding}")?;
            separator = "; ";
        }
        Ok(())
    }
}

/// What a token says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The key's name, the same for all members and epochs.
    pub id: KeyId,
    /// The suite.
    pub suite: Suite,
    /// The group's key; for taproot the internal key in full encoding.
    pub group_key: GroupKey,
    /// What signatures verify under; for taproot the output key.
    pub verifying_key: VerifyingKey,
    /// What the members agreed on.
    pub template: KeyTemplate,
    /// What the key may be used for here: the template, tightened by restrictions.
    pub operations: Operations,
    /// How the share may leave here: the template, tightened by restrictions.
    pub export: Export,
    /// Where the share stands.
    pub state: KeyState,
    /// Where the share came from, and whether the key was whole in somebody's hands before.
    pub origin: Origin,
    /// The number of this member.
    pub identifier: Identifier,
    /// How many members sign.
    pub threshold: u16,
    /// The members, as of the newest revision.
    pub roster: Roster,
    /// The epoch: the hash of its transcript, which names it.
    pub epoch: EpochId,
    /// How many times the epoch's roster was revised, by repairs and enrolments.
    pub revision: u32,
    /// The epoch's height: 0 of the first one, then mostly one more with each. The end of a fork stands above both lines.
    pub height: u64,
    /// Attempts that this token has signed and that no certificate has ended.
    pub pending: Vec<EpochId>,
    /// Those of them that were [abandoned](crate::Session::abandon) here.
    pub abandoned: Vec<EpochId>,
    /// Other lines of certified epochs, of which none supersedes the one here nor is superseded, and other rosters. While there
    /// is one, nothing is signed.
    pub forks: Vec<Fork>,
    /// Epochs and attempts that have ended since this token came to the key, and whether they can still do harm. Of what ended
    /// while it was not a member, those know who were.
    pub old_epochs: Vec<EpochReport>,
}

/// Two certified epochs of a key of which neither supersedes the other; or two revisions of one epoch's roster that exclude
/// each other, each signed by a quorum.
///
/// # How it ends
///
/// The security officers decide which line stays.
///
/// 1. Every token of that line is given the other's certificates, by [`catch_up`](crate::Session::catch_up), and
///    answers [`Fork`](crate::Error::Fork). One that has not seen a higher line refuses a renewal that stands above it,
///    as [`Misuse`](crate::Error::Misuse).
/// 2. A member of the line that stays invites to a renewal. Look at what loses by it:
///    [`Invitation::losing`](crate::Invitation::losing) and [`Invitation::undone`](crate::Invitation::undone). Who
///    holds an epoch of the losing line can't take part: a reshare leaves it out, as [`Lost`](crate::Reason::Lost).
/// 3. In the token of each old member that takes part the officer [allows
///    it](crate::OfficerSession::override_fork_rules), then the user [starts](crate::Session::start). A token that
///    hears of a fork of rosters from the invitation says `Fork` once: start again.
/// 4. Every token of the line that lost is given the certificates of the other, by `catch_up`. It is
///    [`Retired`](KeyState::Retired) then, and the next renewal may deal it in, under its number.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// # use quorumkey::wrap::Identity;
/// # use quorumkey::{KeyStore, NewCard, Reason, Restore, Session};
/// use quorumkey::{Error, KeyState};
///
/// # let (stores, init) = ([token(), token()], init(""));
/// # let ours = [stores[0].login(&init.user)?, stores[1].login(&init.user)?];
/// # let key = key(&ours);
/// # let Identity::X25519(offline) = Identity::generate() else { unreachable!() };
/// # let (to, with) = (offline.recipient(), Identity::X25519(offline));
/// # let restored = |member: &Session| -> Result<KeyStore, Error> {
/// #     let (who, share) = (member.export_identity(&to)?, member.export(key.id, &to)?);
/// #     let from = Restore { init: &init, identity: &who, with: &with, incarnation: 0 };
/// #     let store = KeyStore::restore_in_memory(&from)?;
/// #     store.login(&init.user)?.restore(&share, &with)?;
/// #     Ok(store)
/// # };
/// # let devices = [restored(&ours[0])?, restored(&ours[1])?];
/// # let theirs = [devices[0].login(&init.user)?, devices[1].login(&init.user)?];
/// # deal(&ours, &ours[0].invite_refresh(key.id, Vec::new())?);
/// # let card = |place: usize, number| -> Result<NewCard, Error> {
/// #     Ok(NewCard { identifier: id(number), card: theirs[place].card()?, reason: Reason::Lost })
/// # };
/// # let refresh = theirs[0].invite_refresh(key.id, vec![card(0, 1)?, card(1, 2)?])?;
/// # for device in &devices {
/// #     device.login_so(&init.officer)?.override_fork_rules(&refresh)?;
/// # }
/// # deal(&theirs, &refresh);
/// // Two members have renewed the shares, and so have tokens that were restored from their backups: two lines. `ours`
/// // is to stay.
/// for member in &ours {
///     let told = member.catch_up(&theirs[0].certificates(key.id)?);
///     assert!(matches!(told, Err(Error::Fork { .. })));
/// }
/// let invitation = ours[0].invite_refresh(key.id, Vec::new())?;
/// assert_eq!(invitation.losing(), [theirs[0].key(key.id)?.epoch]);
/// for store in &stores {
///     store.login_so(&init.officer)?.override_fork_rules(&invitation)?;
/// }
/// assert!(deal(&ours, &invitation).forks.is_empty());
/// // The others learn that their line has lost.
/// for member in &theirs {
///     assert_eq!(member.catch_up(&ours[0].certificates(key.id)?)?.state, KeyState::Retired);
/// }
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The epoch of the line here that excludes the other.
    pub ours: EpochId,
    /// The other one; the same, an epoch of the line here, when its roster has forked.
    pub theirs: EpochId,
    /// Which revision of its roster is the first that the others have and that is not here; `None` for a fork of epochs.
    pub revision: Option<u32>,
    /// Who signed both without naming the first in the second: they lied. Who had forgotten the first, as a restored or repaired
    /// token has, is among them only if its officer's override left nobody else.
    pub culprits: Vec<Identifier>,
}

/// What should be done about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// This token signed an attempt, and has no certificate of it. Look for the certificate, or renew the shares again: the
    /// next renewal names it. Until then shares of it are out that nobody erases. A key that is
    /// [`Pending`](KeyState::Pending) can't be renewed: [destroy](crate::Session::destroy) it, or import it again.
    FinishAttempt(EpochId),
    /// The key has forked; this is [`Fork::theirs`]. The security officers decide which line goes on, and one renewal
    /// ends the other, however many epochs it has: [`Fork`] says how.
    EndFork(EpochId),
}

impl KeyInfo {
    /// What should be done, most urgent first; mostly nothing.
    pub fn advice(&self) -> Vec<Advice> {
        let forks = self.forks.iter().map(|fork| Advice::EndFork(fork.theirs));
        forks.chain(self.pending.iter().copied().map(Advice::FinishAttempt)).collect()
    }

    /// The fingerprint of the members, for whoever is to join them.
    pub fn fingerprint(&self) -> Fingerprint {
        self.roster.fingerprint()
    }

    /// The old epochs that are not known to be dead: of each so many members' shares may be left that they are the key.
    /// Each says who may hold one, and why.
    ///
    /// ```
    /// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
    /// # use prelude::*;
    /// let members = three();
    /// let key = key(&members);
    /// let renewed = deal(&members, &members[0].invite_refresh(key.id, Vec::new())?);
    /// // When the certificate is there the others have not said yet that they erased their shares …
    /// assert_eq!(renewed.not_known_dead().count(), 1);
    /// // … and a moment later they have.
    /// assert_eq!(members[0].key(key.id)?.not_known_dead().count(), 0);
    /// # Ok::<(), quorumkey::Error>(())
    /// ```
    pub fn not_known_dead(&self) -> impl Iterator<Item = &EpochReport> {
        self.old_epochs.iter().filter(|old| !old.is_dead())
    }
}

/// Which keys to find. Every field that is set must match. Destroyed keys are found only where
/// [`state`](Self::state) asks for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Keys of this suite.
    pub suite: Option<Suite>,
    /// The key with this name.
    pub id: Option<KeyId>,
    /// Keys with this label.
    pub label: Option<String>,
    /// Keys in this state.
    pub state: Option<KeyState>,
}

impl Filter {
    pub(crate) fn matches(&self, key: &KeyInfo) -> bool {
        self.suite.is_none_or(|suite| suite == key.suite)
            && self.id.is_none_or(|id| id == key.id)
            && self.label.as_ref().is_none_or(|label| *label == key.template.label)
            && self.state.is_none_or(|state| state == key.state)
    }
}

/// What to tighten of a key, on this token. There is no way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restriction {
    /// The operations that stay allowed.
    pub operations: Option<Operations>,
    /// The export rule from now on.
    pub export: Option<Export>,
}

/// What people know of an old epoch's shares, and no protocol can find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declaration {
    /// Every backup of that member's share of that epoch is destroyed.
    BackupsDestroyed {
        /// The epoch.
        epoch: EpochId,
        /// Whose share.
        identifier: Identifier,
    },
    /// The member's device with its share of that epoch is destroyed, and every other that was given the same share.
    DeviceDestroyed {
        /// The epoch.
        epoch: EpochId,
        /// Whose device.
        identifier: Identifier,
    },
    /// A copy of the member's share of that epoch is in somebody else's hands.
    Stolen {
        /// The epoch.
        epoch: EpochId,
        /// Whose share.
        identifier: Identifier,
    },
}
