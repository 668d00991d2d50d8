//! Certificates: a transcript with the signatures that make its epoch the key's.

#[cfg(feature = "hazmat")]
mod counterfeit;
#[cfg(test)]
mod tests;

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use super::attempt::Entrants;
use super::dealing::{
    Ceremony, ParsedTranscript, Participant, Proof, ceremony_of, check_offer, verify_transcript_signature,
};
use super::epoch::{Epoch, deal_plan, epoch_id, key_id};
use super::polynomial::lagrange;
use super::revision::{SignedRevision, follow};
use crate::guard::{forbids, holds, unless_off};
use crate::suite::{Ciphersuite, Element, GroupKey, with_suite};
use crate::wire::{
    Card, DealPlan, DecodeError, EpochId, Identifier, Invitation, KeyId, Kind, MAX_MEMBERS, Plan, Reader, Reason,
    Replaced, Revision, Roster, RunId, Source, Writer,
};

/// Why a certificate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// Its bytes cannot be read.
    Decode(DecodeError),
    /// Plan and transcript, or the transcript and the epoch before, contradict each other.
    Contradiction(&'static str),
    /// A signature that it needs is missing or does not verify.
    Signature(Identifier),
    /// It does not follow the epoch that is known here.
    Parent,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Contradiction(what) => write!(f, "the certificate contradicts itself: {what}"),
            Self::Signature(member) => write!(f, "member {member}'s signature is missing or wrong"),
            Self::Parent => f.write_str("the certificate does not follow the epoch that is known here"),
        }
    }
}

impl core::error::Error for CertificateError {}

impl From<DecodeError> for CertificateError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// A member's two signatures on a transcript: by its identity, and by its run key. A witness has no use for a run key, and
/// signs by its identity alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endorsement {
    pub(crate) identity: [u8; 64],
    pub(crate) run_key: Vec<u8>,
}

impl Endorsement {
    const MAX_RUN_KEY: usize = 65;

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.raw(&self.identity).bytes(&self.run_key);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { identity: reader.array()?, run_key: reader.bytes(Self::MAX_RUN_KEY)?.to_vec() })
    }
}

/// The application's part of a transcript: what else all members sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) run: RunId,
    pub(crate) ciphertexts: [u8; 32],
    pub(crate) chain_hash: [u8; 32],
    pub(crate) entrants: Entrants,
}

impl Extension {
    const VERSION: u8 = 1;

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION).raw(self.run.as_bytes()).raw(&self.ciphertexts).raw(&self.chain_hash);
        self.entrants.encode(&mut writer);
        writer.finish()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let extension = Self {
            run: RunId::from_bytes(reader.array()?),
            ciphertexts: reader.array()?,
            chain_hash: reader.array()?,
            entrants: Entrants::decode(&mut reader)?,
        };
        reader.finish()?;
        Ok(extension)
    }
}

/// The transcript of a dealing and the signatures of those that dealt and received: proof, for whoever knows the epoch
/// before, that this epoch is the key's.
///
/// With it go the revisions of the epoch's roster that are known to whoever hands it on.
///
/// It is public, and convinces anybody later. A member that missed the end of a run completes it with one; a member that
/// missed whole epochs, or was replaced, learns from one that its share is of the past.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::Certificate;
///
/// let members = three();
/// let key = key(&members);
/// let bytes = members[0].certificate(key.id)?.to_bytes();
/// // Kept anywhere, sent by anybody.
/// let certificate = Certificate::from_bytes(&bytes)?;
/// assert_eq!((certificate.key_id()?, certificate.epoch_id()), (key.id, key.epoch));
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    plan: Plan,
    /// Of many members it is long, and copies share it.
    transcript: Arc<Transcript>,
    id: EpochId,
    endorsements: BTreeMap<Identifier, Endorsement>,
    revisions: Vec<SignedRevision>,
}

/// The bytes of a transcript, and what they state together with the plan beside them: it is read once, because of many members
/// there are hundreds of thousands of points to decode.
struct Transcript {
    bytes: Vec<u8>,
    dealt: OnceLock<Result<Epoch, CertificateError>>,
}

impl PartialEq for Transcript {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Transcript {}

impl Certificate {
    const VERSION: u8 = 1;
    const MAX_PLAN: usize = 4 << 20;
    pub(super) const MAX_TRANSCRIPT: usize = 26 << 20;
    const MAX_REVISIONS: usize = 1024;

    /// A transcript that nobody has signed yet.
    pub(crate) fn unsigned(plan: Plan, transcript: Vec<u8>) -> Self {
        let (id, transcript) = (epoch_id(&transcript), Transcript { bytes: transcript, dealt: OnceLock::new() });
        let transcript = Arc::new(transcript);
        Self { plan, transcript, id, endorsements: BTreeMap::new(), revisions: Vec::new() }
    }

    pub(crate) fn transcript(&self) -> &[u8] {
        &self.transcript.bytes
    }

    /// The certificate in its one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let plan = self.plan.to_bytes();
        let endorsements = self.endorsements.len() * (2 + 64 + 4 + Endorsement::MAX_RUN_KEY);
        let mut writer = Writer::with_capacity(plan.len() + self.transcript().len() + endorsements + 32);
        writer.u8(Self::VERSION).bytes(&plan).bytes(self.transcript());
        writer.count(self.endorsements.len());
        for (member, endorsement) in &self.endorsements {
            endorsement.encode(writer.identifier(*member));
        }
        writer.count(self.revisions.len());
        for revision in &self.revisions {
            revision.encode(&mut writer);
        }
        writer.finish()
    }

    /// How many bytes it has, without its endorsements.
    pub(crate) fn len(&self) -> usize {
        self.plan.to_bytes().len() + self.transcript().len()
    }

    /// Reads a certificate. What it proves is checked by the token that it is given to.
    ///
    /// # Errors
    ///
    /// Any other encoding, an unknown version, or lengths above the limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let plan = Plan::from_bytes(reader.bytes(Self::MAX_PLAN)?)?;
        let transcript = reader.bytes(Self::MAX_TRANSCRIPT)?.to_vec();
        let endorsements = (0..reader.count(usize::from(MAX_MEMBERS))?)
            .map(|_| Ok((reader.identifier()?, Endorsement::decode(&mut reader)?)))
            .collect::<Result<Vec<_>, DecodeError>>()?;
        let revisions = (0..reader.count(Self::MAX_REVISIONS)?)
            .map(|_| SignedRevision::decode(&mut reader))
            .collect::<Result<_, _>>()?;
        reader.finish()?;
        if !endorsements.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(DecodeError::Invalid("order of endorsements"));
        }
        let participants = deal_plan(&plan).and_then(DealPlan::participants);
        let takes_part = |member| participants.as_ref().is_some_and(|all| all.card(member).is_some());
        if forbids!(EndorsedByItsMembersAlone, !endorsements.iter().all(|(member, _)| takes_part(*member))) {
            return Err(DecodeError::Invalid("endorsement of who takes no part"));
        }
        let endorsements = endorsements.into_iter().collect();
        Ok(Self { endorsements, revisions, ..Self::unsigned(plan, transcript) })
    }

    /// The epoch that it certifies.
    pub const fn epoch_id(&self) -> EpochId {
        self.id
    }

    /// The same certificate as it was before any revision of its roster.
    pub(crate) fn without_revisions(&self) -> Self {
        Self { revisions: Vec::new(), ..self.clone() }
    }

    /// The height of the epoch, as the plan states it.
    pub(crate) fn height(&self) -> u64 {
        deal_plan(&self.plan).map_or(0, |plan| plan.height)
    }

    /// The key that it is about.
    ///
    /// # Errors
    ///
    /// When plan and transcript contradict each other.
    pub fn key_id(&self) -> Result<KeyId, CertificateError> {
        self.epoch().map(|epoch| epoch.key)
    }

    /// Whether its epoch is that in which the key was imported.
    pub(crate) const fn imports(&self) -> bool {
        matches!(deal_plan(&self.plan), Some(DealPlan { source: Source::Import { .. }, .. }))
    }

    /// How the roster of the epoch was revised since its shares were dealt, oldest first.
    pub fn revisions(&self) -> impl Iterator<Item = &Revision> {
        self.revisions.iter().map(|signed| &signed.revision)
    }

    pub(crate) fn signed_revisions(&self) -> &[SignedRevision] {
        &self.revisions
    }

    /// The same certificate with one revision more.
    pub(crate) fn revise(&mut self, revision: SignedRevision) -> Result<(), CertificateError> {
        if self.revisions.len() >= Self::MAX_REVISIONS {
            return Err(CertificateError::Decode(DecodeError::TooLong));
        }
        self.revisions.push(revision);
        Ok(())
    }

    /// The certificate up to that roster, which its epoch has or had, and the epoch as of it.
    pub(crate) fn as_of(&self, roster: &[u8; 32]) -> Option<(Self, Epoch)> {
        let (mut known, mut epoch) = (self.without_revisions(), self.dealt().ok()?);
        for signed in &self.revisions {
            if epoch.roster_hash == *roster {
                break;
            }
            epoch = follow(&epoch, &signed.revision).ok()?;
            known.revisions.push(signed.clone());
        }
        (epoch.roster_hash == *roster).then_some((known, epoch))
    }

    /// The certificate as it is where that revision is in force, and not the one here with its number.
    pub(crate) fn with_other(&self, signed: SignedRevision) -> Option<Self> {
        let number = signed.revision.number;
        let common = self.revisions.iter().take_while(|known| known.revision.number < number).cloned().collect();
        let mut other = Self { revisions: common, ..self.clone() };
        signed.verify(&other.epoch().ok()?).ok()?;
        other.revisions.push(signed);
        Some(other)
    }

    pub(crate) fn endorsement(&self, member: Identifier) -> Option<&Endorsement> {
        self.endorsements.get(&member)
    }

    /// Who has endorsed it, or is said to have.
    pub(crate) fn endorsers(&self) -> impl Iterator<Item = Identifier> {
        self.endorsements.keys().copied()
    }

    pub(crate) fn endorse(&mut self, member: Identifier, endorsement: Endorsement) {
        self.endorsements.insert(member, endorsement);
    }

    /// The public facts that plan and transcript state together, whoever signed them.
    pub(crate) fn epoch(&self) -> Result<Epoch, CertificateError> {
        self.revisions().try_fold(self.dealt()?, |epoch, revision| follow(&epoch, revision))
    }

    /// The epoch as its shares were dealt, before any revision.
    fn dealt(&self) -> Result<Epoch, CertificateError> {
        let read = || {
            let plan = deal_plan(&self.plan).ok_or(CertificateError::Contradiction("its plan deals nothing"))?;
            with_suite!(plan.suite, C => self.epoch_of::<C>(plan))
        };
        self.transcript.dealt.get_or_init(read).clone()
    }

    fn epoch_of<C: Ciphersuite>(&self, plan: &DealPlan) -> Result<Epoch, CertificateError> {
        let transcript = self.parse::<C>()?;
        let extension = Extension::from_bytes(transcript.extension)?;
        let agree = |holds, what| if holds { Ok(()) } else { Err(CertificateError::Contradiction(what)) };
        agree(holds!(TranscriptOfItsPlan, extension.run == self.plan.run_id()), "the transcript is of another plan")?;
        let (ceremony, id) = (&transcript.ceremony, |member: &Participant<C>| member.id);
        let of_the_run =
            matches!(plan.source, Source::Fresh) || ceremony.context().starts_with(extension.run.as_bytes());
        agree(holds!(ProofsOfTheRun, of_the_run), "its proofs are of another run")?;
        agree(ceremony.threshold() == plan.threshold, "threshold")?;
        agree(ceremony.receivers().iter().map(id).eq(plan.receivers.identifiers()), "receivers")?;
        agree(ceremony.dealers().iter().map(id).eq(plan.dealers().identifiers()), "dealers")?;
        agree(ceremony.constants().is_none() == matches!(plan.source, Source::Fresh), "source")?;
        let keys =
            transcript.group_keys().map_err(|_| CertificateError::Contradiction("the group key is the identity"))?;
        let group_key = GroupKey::new::<C>(&keys.group_key);
        if let Source::Import { group_key: imported, chain_hash, .. } = &plan.source {
            agree(group_key == *imported, "another key was imported")?;
            agree(extension.chain_hash == *chain_hash, "the chain code is another one")?;
        }
        let id = self.epoch_id();
        Ok(Epoch {
            id,
            run: extension.run,
            key: key_id(&group_key),
            group_key,
            plan: plan.clone(),
            roster: plan.receivers.clone(),
            roster_hash: Epoch::hash_roster(id, 0, &plan.receivers),
            revisions: Vec::new(),
            verifying_shares: keys.verifying_shares.into_iter().map(|(id, share)| (id, share.to_bytes())).collect(),
            chain_hash: extension.chain_hash,
            entrants: extension.entrants,
        })
    }

    /// Whether every dealer in its transcript has proven that it has what it dealt: nobody can make up that others dealt.
    pub(crate) fn is_dealt(&self) -> bool {
        let Some(plan) = deal_plan(&self.plan) else { return false };
        with_suite!(plan.suite, C => {
            let proven = |transcript: &ParsedTranscript<'_, C>| {
                transcript.offers().all(|(dealer, offer)| check_offer(&transcript.ceremony, dealer, &offer).is_ok())
            };
            self.parse::<C>().is_ok_and(|transcript| holds!(AttemptDealt, proven(&transcript)))
        })
    }

    fn parse<C: Ciphersuite>(&self) -> Result<ParsedTranscript<'_, C>, CertificateError> {
        ParsedTranscript::parse(self.transcript()).map_err(|_| CertificateError::Contradiction("transcript"))
    }

    /// Who dealt to whom, once it is known that all of the transcript can be read.
    fn ceremony<C: Ciphersuite>(&self) -> Result<Ceremony<C>, CertificateError> {
        self.dealt()?;
        ceremony_of(self.transcript()).map_err(|_| CertificateError::Contradiction("transcript"))
    }

    /// Those of the members whose endorsements are not there, or not good.
    pub(crate) fn unendorsed(&self, members: impl Iterator<Item = Identifier>) -> Vec<Identifier> {
        let Some((plan, roster)) = deal_plan(&self.plan).and_then(|plan| Some((plan, plan.participants()?))) else {
            return members.collect();
        };
        with_suite!(plan.suite, C => {
            let ceremony = self.ceremony::<C>().ok();
            let good = |member| ceremony.as_ref().is_some_and(|ceremony| self.is_endorsed_by(member, &roster, ceremony));
            members.filter(|member| !good(*member)).collect()
        })
    }

    fn is_endorsed_by<C: Ciphersuite>(&self, member: Identifier, roster: &Roster, ceremony: &Ceremony<C>) -> bool {
        let (Some(card), Some(endorsement)) = (roster.card(member), self.endorsements.get(&member)) else {
            return false;
        };
        let mut members = ceremony.receivers().iter().chain(ceremony.dealers());
        let run_key = members.find(|one| one.id == member).map(|one| one.run_key);
        let by_run_key = match run_key {
            Some(key) => Proof::<C>::decode(&endorsement.run_key)
                .is_some_and(|proof| verify_transcript_signature(&key, self.transcript(), &proof)),
            // The transcript has no run key of a witness.
            None => endorsement.run_key.is_empty(),
        };
        let by_identity = card.verify(Kind::Transcript, self.epoch_id().as_bytes(), &endorsement.identity).is_some();
        holds!(EndorsedByIdentity, by_identity) && holds!(EndorsedByRunKey, by_run_key)
    }

    /// Whether it proves its epoch, given the epoch before: every dealer, receiver and witness has signed, among them a
    /// quorum of the epoch before, and each dealer dealt the share that it held there.
    ///
    /// Each revision of the roster is signed by a quorum of the roster before it.
    pub(crate) fn verify(&self, parent: Option<&Epoch>) -> Result<Epoch, CertificateError> {
        let epoch = self.dealt()?;
        match (&epoch.plan.source, parent) {
            (Source::Fresh | Source::Import { .. }, None) => {}
            (Source::Epoch { .. }, Some(parent)) => self.verify_succession(&epoch, parent)?,
            _ => return Err(CertificateError::Parent),
        }
        let nothing = with_suite!(epoch.suite(), C => <C as Ciphersuite>::Element::IDENTITY.to_bytes());
        if forbids!(NoShareIsZero, epoch.verifying_shares.values().any(|share| *share == nothing)) {
            return Err(CertificateError::Contradiction("a share is zero"));
        }
        let participants = epoch.plan.participants().ok_or(CertificateError::Contradiction("participants"))?;
        let missing = self.unendorsed(participants.identifiers());
        match unless_off!(EveryMemberEndorsed, missing.first(), None) {
            None => self.revisions.iter().try_fold(epoch, |epoch, revision| revision.verify(&epoch)),
            Some(missing) => Err(CertificateError::Signature(*missing)),
        }
    }

    fn verify_succession(&self, epoch: &Epoch, parent: &Epoch) -> Result<(), CertificateError> {
        check_succession(&epoch.plan, parent)?;
        let agree = |holds, what| if holds { Ok(()) } else { Err(CertificateError::Contradiction(what)) };
        agree(epoch.group_key == parent.group_key, "the group key changed")?;
        agree(epoch.chain_hash == parent.chain_hash, "the chain code changed")?;
        let above = epoch.entrants.above(&epoch.plan, parent);
        agree(above.is_some(), "a losing line is not named")?;
        let right_above = holds!(HeightInACertificate, above == Some(epoch.plan.height));
        agree(right_above, "the height is not that above the losing lines")?;
        let ended = holds!(AttemptEndedInACertificate, epoch.entrants.unended(&epoch.plan, parent).is_none());
        let overridden = || epoch.entrants.is_overridden(&epoch.plan, parent);
        agree(ended || overridden(), "an attempt that others may go on from is passed over")?;
        with_suite!(parent.suite(), C => {
            let ceremony = self.ceremony::<C>()?;
            agree(ceremony.constants() == fixed_constants::<C>(parent, epoch.plan.dealers()).as_ref(), "constants")
        })
    }
}

/// What must hold of a dealing's plan, given the epoch that it renews.
pub(crate) fn check_succession(plan: &DealPlan, parent: &Epoch) -> Result<(), CertificateError> {
    let agree = |holds, what| if holds { Ok(()) } else { Err(CertificateError::Contradiction(what)) };
    let Source::Epoch { key, parent: named, roster, dealers, witnesses, replaced, undone, .. } = &plan.source else {
        return Err(CertificateError::Parent);
    };
    if forbids!(ParentOfThePlan, (*key, *named) != (parent.key, parent.id)) {
        return Err(CertificateError::Parent);
    }
    agree(plan.suite == parent.suite(), "suite")?;
    // A plan that ends a fork stands above the lines that lose, how far is seen when they are shown.
    let next = parent.plan.height.checked_add(1) == Some(plan.height);
    agree(next || plan.height > parent.plan.height && !plan.losing().is_empty(), "height")?;
    agree(holds!(TemplateKept, plan.template == *parent.template()), "the template changed")?;
    agree(holds!(RenewalOfTheNewestRoster, *roster == parent.roster_hash), "another roster than the newest")?;
    let left = |one: &Revision| one.key == parent.key && !parent.had_roster(&one.roster);
    agree(undone.iter().all(left), "a revision that it goes by is undone")?;
    // A dealer is whom the old roster names, if perhaps restored since.
    let old = |id, card: &Card| parent.roster().card(id).is_some_and(|known| known.identity() == card.identity());
    let mut elders = dealers.iter().chain(witnesses.iter().flat_map(Roster::iter));
    let of_parent = elders.all(|(id, card)| old(id, card));
    agree(holds!(DealersOfTheParent, of_parent), "a dealer or witness is not of the epoch before")?;
    agree(holds!(EnoughDeal, dealers.len() >= usize::from(parent.threshold())), "the dealers are too few")?;
    // Whoever receives and was a member before signs with the same memory and promise as who deals.
    let participants = plan.participants().ok_or(CertificateError::Contradiction("participants"))?;
    let signing = participants.iter().filter(|(id, card)| old(*id, card)).count();
    agree(holds!(SignersAreAQuorum, signing >= parent.quorum()), "the old members that sign are too few")?;
    check_members(plan, parent, replaced)
}

/// Identifiers are stable, and whoever does not go on is named with the reason: nobody is dropped in silence.
fn check_members(plan: &DealPlan, parent: &Epoch, replaced: &[Replaced]) -> Result<(), CertificateError> {
    let agree = |holds, what| if holds { Ok(()) } else { Err(CertificateError::Contradiction(what)) };
    let number = |card: &Card| parent.roster().identifier_of(card.identity());
    let own = |(id, card): (Identifier, &Card)| number(card).is_none_or(|number| number == id);
    agree(holds!(MemberKeepsItsNumber, plan.receivers.iter().all(own)), "a member under another number")?;
    let stays = |(id, _): &(Identifier, &Card)| plan.receivers.card(*id).and_then(number) == Some(*id);
    let leaving = parent.roster().iter().filter(|member| !stays(member)).map(|(id, _)| id);
    agree(holds!(WhoLeavesIsNamed, leaving.eq(replaced.iter().map(|one| one.identifier))), "who leaves")?;
    let named = |one: &Replaced| parent.roster().card(one.identifier).is_some_and(|c| c.id() == one.card);
    agree(replaced.iter().all(named), "the card of a member that leaves")?;
    let takes_part = |id| [Some(plan.dealers()), plan.witnesses()].iter().flatten().any(|all| all.card(id).is_some());
    let at_hand = |one: &Replaced| one.reason == Reason::Routine || !takes_part(one.identifier);
    agree(holds!(StolenDeviceDealsNot, replaced.iter().all(at_hand)), "a lost or stolen device deals")
}

/// What the constant term of each dealer must be, where the plan fixes it: the old key's, when it is imported, or that
/// of the epoch that is renewed.
pub(crate) fn planned_constants<C: Ciphersuite>(
    plan: &DealPlan,
    parent: Option<&Epoch>,
) -> Result<Option<BTreeMap<Identifier, C::Element>>, CertificateError> {
    match (&plan.source, parent) {
        (Source::Fresh, None) => Ok(None),
        (Source::Import { group_key, dealers, .. }, None) => {
            let constant = group_key.element::<C>().ok_or(CertificateError::Contradiction("suite"))?;
            Ok(Some(dealers.identifiers().map(|dealer| (dealer, constant)).collect()))
        }
        (Source::Epoch { dealers, .. }, Some(parent)) => {
            fixed_constants::<C>(parent, dealers).map(Some).ok_or(CertificateError::Contradiction("constants"))
        }
        _ => Err(CertificateError::Parent),
    }
}

/// The hash of the chain code, where there is one already.
pub(crate) fn planned_chain_hash(plan: &DealPlan, parent: Option<&Epoch>) -> Option<[u8; 32]> {
    match &plan.source {
        Source::Fresh => None,
        Source::Import { chain_hash, .. } => Some(*chain_hash),
        Source::Epoch { .. } => parent.map(|parent| parent.chain_hash),
    }
}

/// λᵢ·Yᵢ of each dealer: what its constant term must be. `None` when a dealer has no verifying share.
fn fixed_constants<C: Ciphersuite>(parent: &Epoch, dealers: &Roster) -> Option<BTreeMap<Identifier, C::Element>> {
    let set: BTreeSet<_> = dealers.identifiers().collect();
    set.iter()
        .map(|id| {
            let share = C::Element::from_bytes(parent.verifying_shares.get(id)?)?;
            Some((*id, C::Element::vartime_sum_of_products(&[(lagrange::<C>(*id, &set), share)])))
        })
        .collect()
}

/// The newest epoch of a chain of certificates that begins with the key's making.
pub(crate) fn verify_chain(chain: &[Certificate]) -> Result<Epoch, CertificateError> {
    let mut newest = None;
    for certificate in chain {
        newest = Some(certificate.verify(newest.as_ref())?);
    }
    newest.ok_or(CertificateError::Parent)
}

impl Invitation {
    /// The certificates that it carries for members that join the group; they prove themselves, or not.
    pub(crate) fn certificates(&self) -> Result<Vec<Certificate>, DecodeError> {
        self.chain.iter().map(|bytes| Certificate::from_bytes(bytes)).collect()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signers: Vec<_> = self.endorsements.keys().collect();
        f.debug_struct("Certificate")
            .field("epoch", &self.epoch_id())
            .field("signers", &signers)
            .finish_non_exhaustive()
    }
}
