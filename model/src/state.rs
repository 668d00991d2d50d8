//! What is true at a moment: what each member keeps, and what has been signed.

use crate::config::Config;
use crate::set::Set;

/// No epoch, or no parent.
pub(crate) const NONE: u8 = u8::MAX;
/// The first epoch's place among the transcripts.
pub(crate) const FOUNDING: u8 = 0;

/// Where an attempt stands: its height above its number.
pub(crate) const fn position(height: u8, attempt: u8) -> u8 {
    height << 4 | attempt
}

/// What a member keeps, all of it durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// The newest epoch whose certificate it has.
    pub epoch: u8,
    /// Whether it has a share of that.
    pub share: bool,
    /// The attempts that it remembers to have signed, and that no certificate has ended.
    pub signed: Set,
    /// Those of which it holds a share.
    pub held: Set,
    /// The highest position that it has entered.
    pub promise: u8,
    /// Its device is gone.
    pub lost: bool,
    /// It was restored, and holds no newer share since.
    pub forgetful: bool,
    /// The revision of the first epoch's roster that it signed, counted from 1.
    pub revision: u8,
    /// The epochs and attempts of which it said that it holds no share any more.
    pub confirmed: Set,
    /// The epochs that it lived with before, of which it keeps the certificates: those that supersede what the epoch that
    /// it lives with does not.
    pub left: Set,
    /// The certificates of other lines that it was shown: it is at a fork as long as there are any.
    pub forks: Set,
}

/// An attempt whose shares were dealt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Transcript {
    /// The height, and the number of the attempt.
    pub position: u8,
    /// The epoch that it renews.
    pub parent: u8,
    /// Who received a share.
    pub receivers: Set,
    /// How many of them sign.
    pub threshold: u8,
    /// Those, the dealers and the witnesses: who must sign it.
    pub participants: Set,
    /// The revision of the roster that it binds.
    pub revision: u8,
    /// Who of the honest ones had forgotten what it signed.
    pub forgetful: Set,
    /// The attempts that it names.
    pub named: Set,
    /// Those of them that are the epochs of a line that loses by it.
    pub losing: Set,
    /// The honest members whose signatures there are, whether they remember or not.
    pub signed: Set,
    /// The honest members that may still sign it.
    pub open: Set,
}

impl Transcript {
    /// The height of its epoch.
    pub const fn height(&self) -> u8 {
        self.position >> 4
    }

    /// q: how many of its members sign what follows it.
    pub fn quorum(&self, config: &Config) -> u8 {
        quorum(self.threshold, self.receivers.len(), config)
    }
}

pub(crate) fn quorum(threshold: u8, members: u8, config: &Config) -> u8 {
    if config.prevents { (members + threshold).div_ceil(2) } else { threshold.max(members + 1 - threshold) }
}

/// A plan that somebody entered, before its shares are dealt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Run {
    /// The height, and the number of the attempt.
    pub position: u8,
    /// The epoch that it renews.
    pub parent: u8,
    /// Who is to receive a share.
    pub receivers: Set,
    /// How many of them are to sign.
    pub threshold: u8,
    /// Those and the dealers.
    pub participants: Set,
    /// The revision of the roster that it binds.
    pub revision: u8,
    /// The epochs of a line that is to lose by it.
    pub losing: Set,
    /// The honest members that entered it.
    pub joined: Set,
    /// What each of them reported.
    pub reports: [Set; 8],
    /// What it dealt once already, to show others something else: what liars reported then, and 1.
    pub dealt: Option<Set>,
}

/// What is true at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    /// What each member keeps.
    pub members: Vec<Member>,
    /// The first epoch, and every attempt that still matters.
    pub transcripts: Vec<Transcript>,
    /// Plans that may still be dealt.
    pub runs: Vec<Run>,
    /// Who signed which revision of the first epoch's roster.
    pub attested: [Set; 2],
    /// The revisions whose member has its share.
    pub admitted: Set,
    /// How many devices were lost.
    pub losses: u8,
    /// The epochs and attempts that were reported dead.
    pub dead: Set,
    /// A share was erased that no certificate superseded.
    pub lawless: bool,
    /// Shares were dealt anew although the joins showed every signature of an attempt.
    pub redealt: bool,
}

impl State {
    /// The first epoch, which all its members hold.
    pub fn first(config: &Config) -> Self {
        let founders = config.founders();
        let member = |id| Member {
            epoch: if founders.has(id) { FOUNDING } else { NONE },
            share: founders.has(id) && !config.liars.has(id),
            signed: Set::default(),
            held: Set::default(),
            promise: 0,
            lost: false,
            forgetful: false,
            revision: 0,
            confirmed: Set::default(),
            left: Set::default(),
            forks: Set::default(),
        };
        let founding = Transcript {
            position: 0,
            parent: NONE,
            receivers: founders,
            threshold: config.threshold,
            participants: founders,
            revision: 0,
            forgetful: Set::default(),
            named: Set::default(),
            losing: Set::default(),
            signed: founders - config.liars,
            open: Set::default(),
        };
        Self {
            members: (0..config.identities).map(member).collect(),
            transcripts: vec![founding],
            runs: Vec::new(),
            attested: [Set::default(); 2],
            admitted: Set::default(),
            losses: 0,
            dead: Set::default(),
            lawless: false,
            redealt: false,
        }
    }

    /// A member.
    pub fn member(&self, id: u8) -> &Member {
        &self.members[usize::from(id)]
    }

    /// A transcript.
    pub fn transcript(&self, place: u8) -> &Transcript {
        &self.transcripts[usize::from(place)]
    }

    /// The places of all transcripts.
    pub fn places(&self) -> impl Iterator<Item = u8> + use<> {
        0..self.transcripts.len() as u8
    }

    /// Whether every signature of it exists. A liar's exists whenever the liar likes.
    pub fn is_complete(&self, place: u8, config: &Config) -> bool {
        let transcript = self.transcript(place);
        (transcript.participants - config.liars).within(transcript.signed)
    }

    /// The epochs before it.
    pub fn ancestors(&self, place: u8) -> Set {
        let (mut found, mut next) = (Set::default(), self.transcript(place).parent);
        while next != NONE {
            found = found.with(next);
            next = self.transcript(next).parent;
        }
        found
    }

    /// What a certificate of it supersedes: its ancestors, and what it or they name.
    pub fn superseded_by(&self, place: u8) -> Set {
        let ancestors = self.ancestors(place);
        ancestors.with(place).iter().fold(ancestors, |found, one| found | self.transcript(one).named)
    }

    /// Whether one of the two certificates supersedes the other.
    pub fn ordered(&self, one: u8, other: u8) -> bool {
        one == other || self.superseded_by(one).has(other) || self.superseded_by(other).has(one)
    }

    /// The members of an epoch, with a revision of the first one's roster.
    pub fn roster(&self, place: u8, revision: u8, config: &Config) -> Set {
        let receivers = self.transcript(place).receivers;
        if place == FOUNDING && revision > 0 {
            receivers.with(config.revisions[usize::from(revision) - 1])
        } else {
            receivers
        }
    }

    /// Everybody who was given a share of it, ever.
    pub fn dealt_to(&self, place: u8, config: &Config) -> Set {
        let receivers = self.transcript(place).receivers;
        if place != FOUNDING {
            return receivers;
        }
        self.admitted.iter().fold(receivers, |found, one| found.with(config.revisions[usize::from(one)]))
    }

    /// Whether the member holds a share of it now.
    pub fn holds(&self, id: u8, place: u8) -> bool {
        let member = self.member(id);
        !member.lost && (member.held.has(place) || member.epoch == place && member.share)
    }

    /// The honest members that hold a share of it now.
    pub fn holders(&self, place: u8, config: &Config) -> Set {
        config.honest().iter().filter(|id| self.holds(*id, place)).collect()
    }
}
