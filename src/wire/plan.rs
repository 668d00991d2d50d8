//! The plan of a run, and the invitation that one member signs.

use core::fmt;

use super::card::{Card, IdentityKey, Kind};
use super::codec::{DecodeError, Reader, Writer};
use super::hash::{CardId, EpochId, KeyId, RunId, tagged_hash};
use super::identifier::{Identifier, MAX_MEMBERS};
use super::roster::{Fingerprint, Roster};
use super::template::KeyTemplate;
use crate::suite::Suite;

/// The longest message that can be signed, in bytes.
pub const MAX_MESSAGE: usize = 1 << 20;

/// Why a member's card is replaced by another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The member moves to another device; the old one is at hand and will be erased.
    Routine,
    /// The device is gone, and nobody knows where.
    Lost,
    /// The device is in somebody else's hands.
    Stolen,
}

impl Reason {
    const fn code(self) -> u8 {
        match self {
            Self::Routine => 1,
            Self::Lost => 2,
            Self::Stolen => 3,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Routine),
            2 => Some(Self::Lost),
            3 => Some(Self::Stolen),
            _ => None,
        }
    }
}

/// A member whose old card no longer counts from the next epoch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The member.
    pub identifier: Identifier,
    /// The card that it had.
    pub card: CardId,
    /// Why.
    pub reason: Reason,
}

/// Where the constant terms of a dealing come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Fresh randomness of every member: a new key.
    Fresh,
    /// The shares of members of an older epoch: the same key.
    Epoch { key: KeyId, parent: EpochId, dealers: Roster, replaced: Vec<Replaced> },
}

/// A dealing: who deals to whom, and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DealPlan {
    pub(crate) suite: Suite,
    pub(crate) threshold: u16,
    pub(crate) height: u64,
    pub(crate) attempt: u32,
    pub(crate) template: KeyTemplate,
    pub(crate) receivers: Roster,
    pub(crate) source: Source,
}

impl DealPlan {
    /// Everybody who deals, receives, or both.
    pub(crate) fn participants(&self) -> Option<Roster> {
        match &self.source {
            Source::Fresh => Some(self.receivers.clone()),
            Source::Epoch { dealers, .. } => {
                let mut all: Vec<_> = self.receivers.iter().map(|(id, card)| (id, card.clone())).collect();
                for (id, card) in dealers.iter() {
                    match self.receivers.card(id) {
                        None => all.push((id, card.clone())),
                        Some(same) if same == card => {}
                        Some(_) => return None,
                    }
                }
                Roster::new(all)
            }
        }
    }

    pub(crate) fn dealers(&self) -> &Roster {
        match &self.source {
            Source::Fresh => &self.receivers,
            Source::Epoch { dealers, .. } => dealers,
        }
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.suite.code()).u16(self.threshold).u64(self.height).u32(self.attempt);
        self.template.encode(writer);
        self.receivers.encode(writer);
        match &self.source {
            Source::Fresh => {
                writer.u8(0);
            }
            Source::Epoch { key, parent, dealers, replaced } => {
                writer.u8(1).raw(key.as_bytes()).raw(parent.as_bytes());
                dealers.encode(writer);
                writer.count(replaced.len());
                for one in replaced {
                    writer.identifier(one.identifier).raw(one.card.as_bytes()).u8(one.reason.code());
                }
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let plan = Self {
            suite: decode_suite(reader)?,
            threshold: reader.u16()?,
            height: reader.u64()?,
            attempt: reader.u32()?,
            template: KeyTemplate::decode(reader)?,
            receivers: Roster::decode(reader)?,
            source: match reader.u8()? {
                0 => Source::Fresh,
                1 => Source::Epoch {
                    key: KeyId::from_bytes(reader.array()?),
                    parent: EpochId::from_bytes(reader.array()?),
                    dealers: Roster::decode(reader)?,
                    replaced: decode_replaced(reader)?,
                },
                _ => return Err(DecodeError::Invalid("source of a dealing")),
            },
        };
        plan.check()?;
        Ok(plan)
    }

    /// What must hold of a dealing whatever the key is.
    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        let n = u16::try_from(self.receivers.len()).map_err(|_| DecodeError::TooLong)?;
        if self.threshold < 2 || self.threshold > n {
            return Err(DecodeError::Invalid("threshold"));
        }
        let fresh = matches!(self.source, Source::Fresh);
        if fresh && !self.receivers.identifiers().map(Identifier::get).eq(1..=n) {
            return Err(DecodeError::Invalid("identifiers of a new key"));
        }
        if fresh != (self.height == 0) || (fresh && self.attempt != 0) {
            return Err(DecodeError::Invalid("height"));
        }
        self.participants().map(|_| ()).ok_or(DecodeError::Invalid("dealers"))
    }
}

fn decode_suite(reader: &mut Reader<'_>) -> Result<Suite, DecodeError> {
    Suite::from_code(reader.u8()?).ok_or(DecodeError::Invalid("suite"))
}

fn decode_replaced(reader: &mut Reader<'_>) -> Result<Vec<Replaced>, DecodeError> {
    let replaced = (0..reader.count(usize::from(MAX_MEMBERS))?)
        .map(|_| {
            Ok(Replaced {
                identifier: reader.identifier()?,
                card: CardId::from_bytes(reader.array()?),
                reason: Reason::from_code(reader.u8()?).ok_or(DecodeError::Invalid("reason"))?,
            })
        })
        .collect::<Result<Vec<_>, DecodeError>>()?;
    if replaced.is_sorted_by(|a, b| a.identifier < b.identifier) {
        Ok(replaced)
    } else {
        Err(DecodeError::Invalid("order of replaced members"))
    }
}

/// A signature: who signs what, with which epoch of which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignPlan {
    pub(crate) suite: Suite,
    pub(crate) key: KeyId,
    pub(crate) epoch: EpochId,
    pub(crate) purpose: String,
    pub(crate) signers: Vec<Identifier>,
    pub(crate) message: Vec<u8>,
}

impl SignPlan {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.suite.code()).raw(self.key.as_bytes()).raw(self.epoch.as_bytes());
        writer.bytes(self.purpose.as_bytes()).count(self.signers.len());
        for signer in &self.signers {
            writer.identifier(*signer);
        }
        writer.bytes(&self.message);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let plan = Self {
            suite: decode_suite(reader)?,
            key: KeyId::from_bytes(reader.array()?),
            epoch: EpochId::from_bytes(reader.array()?),
            purpose: super::card::decode_label(reader)?,
            signers: (0..reader.count(usize::from(MAX_MEMBERS))?)
                .map(|_| reader.identifier())
                .collect::<Result<_, _>>()?,
            message: reader.bytes(MAX_MESSAGE)?.to_vec(),
        };
        if plan.signers.len() < 2 || !plan.signers.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError::Invalid("signers"));
        }
        Ok(plan)
    }
}

/// What a run is to do. Its hash names the run, so that whoever speaks in the run speaks of this plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Deal(DealPlan),
    Sign(SignPlan),
}

/// An action, who proposed it, and randomness that makes it one of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) inviter: Identifier,
    pub(crate) randomness: [u8; 32],
    pub(crate) action: Action,
}

impl Plan {
    const VERSION: u8 = 1;

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION).identifier(self.inviter).raw(&self.randomness);
        match &self.action {
            Action::Deal(plan) => plan.encode(writer.u8(1)),
            Action::Sign(plan) => plan.encode(writer.u8(2)),
        }
        writer.finish()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let plan = Self {
            inviter: reader.identifier()?,
            randomness: reader.array()?,
            action: match reader.u8()? {
                1 => Action::Deal(DealPlan::decode(&mut reader)?),
                2 => Action::Sign(SignPlan::decode(&mut reader)?),
                _ => return Err(DecodeError::Invalid("action")),
            },
        };
        reader.finish()?;
        Ok(plan)
    }

    pub(crate) fn run_id(&self) -> RunId {
        RunId::from_bytes(tagged_hash("quorumkey/run/v1", &[&self.to_bytes()]))
    }

    pub(crate) const fn suite(&self) -> Suite {
        match &self.action {
            Action::Deal(plan) => plan.suite,
            Action::Sign(plan) => plan.suite,
        }
    }
}

/// One member's signed proposal of a run. The others look at what it says, and join by starting it.
///
/// It may carry the certificates of the key's earlier epochs, for members that join the group.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::Invitation;
///
/// let members = three();
/// let bytes = invitation(&members).to_bytes();
/// // At another member, before it starts:
/// let invitation = Invitation::from_bytes(&bytes)?;
/// assert_eq!((invitation.inviter(), invitation.threshold()), (id(1), Some(2)));
/// assert_eq!(invitation.template().map(|template| template.label.as_str()), Some("savings"));
/// assert_eq!((invitation.dealers(), invitation.signers()), (invitation.receivers(), [].as_slice()));
/// println!("compare with the others: {}", invitation.fingerprint().expect("it deals shares"));
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    pub(crate) plan: Plan,
    /// Encoded certificates from the first epoch to the parent; bound by the parent's name in the plan.
    pub(crate) chain: Vec<Vec<u8>>,
    signature: [u8; 64],
}

impl Invitation {
    const VERSION: u8 = 1;
    const MAX_PLAN: usize = 4 << 20;
    const MAX_CHAIN: usize = 65_536;
    const MAX_CERTIFICATE: usize = 32 << 20;

    pub(crate) fn issue(plan: Plan, chain: Vec<Vec<u8>>, key: &IdentityKey) -> Self {
        let signature = key.sign(Kind::Invitation, &plan.to_bytes());
        Self { plan, chain, signature }
    }

    /// The invitation in its one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION).bytes(&self.plan.to_bytes()).count(self.chain.len());
        for certificate in &self.chain {
            writer.bytes(certificate);
        }
        writer.raw(&self.signature).finish()
    }

    /// Reads an invitation. Who signed it is checked when it is started.
    ///
    /// # Errors
    ///
    /// Any other encoding; a threshold below 2 or above the number of receivers; more than 1,000 members.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let invitation = Self {
            plan: Plan::from_bytes(reader.bytes(Self::MAX_PLAN)?)?,
            chain: (0..reader.count(Self::MAX_CHAIN)?)
                .map(|_| reader.bytes(Self::MAX_CERTIFICATE).map(<[u8]>::to_vec))
                .collect::<Result<_, _>>()?,
            signature: reader.array()?,
        };
        reader.finish()?;
        Ok(invitation)
    }

    pub(crate) fn is_signed_by(&self, card: &Card) -> bool {
        card.verify(Kind::Invitation, &self.plan.to_bytes(), &self.signature).is_some()
    }

    /// The name of the run.
    pub fn run_id(&self) -> RunId {
        self.plan.run_id()
    }

    /// The suite of the key.
    pub const fn suite(&self) -> Suite {
        self.plan.suite()
    }

    /// Who proposes it.
    pub const fn inviter(&self) -> Identifier {
        self.plan.inviter
    }

    /// The members that will hold a share, when shares are dealt.
    pub const fn receivers(&self) -> Option<&Roster> {
        match &self.plan.action {
            Action::Deal(plan) => Some(&plan.receivers),
            Action::Sign(_) => None,
        }
    }

    /// The fingerprint of the members that will hold a share: compare it with them before starting.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.receivers().map(Roster::fingerprint)
    }

    /// How many members it will take to sign, when shares are dealt.
    pub const fn threshold(&self) -> Option<u16> {
        match &self.plan.action {
            Action::Deal(plan) => Some(plan.threshold),
            Action::Sign(_) => None,
        }
    }

    /// The template of the key, when shares are dealt.
    pub const fn template(&self) -> Option<&KeyTemplate> {
        match &self.plan.action {
            Action::Deal(plan) => Some(&plan.template),
            Action::Sign(_) => None,
        }
    }

    /// The members that deal, when shares are dealt; of a new key they are the receivers.
    pub fn dealers(&self) -> Option<&Roster> {
        match &self.plan.action {
            Action::Deal(plan) => Some(plan.dealers()),
            Action::Sign(_) => None,
        }
    }

    /// Whose cards are replaced, when shares are renewed.
    pub fn replaced(&self) -> &[Replaced] {
        match &self.plan.action {
            Action::Deal(DealPlan { source: Source::Epoch { replaced, .. }, .. }) => replaced,
            _ => &[],
        }
    }

    /// The key that it is about, unless it makes a new one.
    pub const fn key(&self) -> Option<KeyId> {
        match &self.plan.action {
            Action::Deal(DealPlan { source: Source::Epoch { key, .. }, .. }) => Some(*key),
            Action::Deal(_) => None,
            Action::Sign(plan) => Some(plan.key),
        }
    }

    /// The members that are to sign, ascending; none when shares are dealt.
    pub fn signers(&self) -> &[Identifier] {
        match &self.plan.action {
            Action::Deal(_) => &[],
            Action::Sign(plan) => &plan.signers,
        }
    }

    /// The message that is proposed for signing. What is signed is what each member approves when it starts, if it is this.
    ///
    /// It is bytes of somebody else's choice: parse it, and decide by what it does, not by what it was called.
    pub fn message(&self) -> Option<&[u8]> {
        match &self.plan.action {
            Action::Deal(_) => None,
            Action::Sign(plan) => Some(&plan.message),
        }
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invitation").field("run", &self.run_id()).field("plan", &self.plan).finish_non_exhaustive()
    }
}
