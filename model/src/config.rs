//! What is explored: who is there, what they may do, and which rule is missing.

use crate::set::{Names, Set};

/// A rule, so that it can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// 1: q = max(t, n − t + 1) old members sign, and not t of them.
    Quorum,
    /// 2: to enter an attempt promises to sign nothing lower.
    Promises,
    /// 2: a join carries what the member has signed, and the transcript names it.
    Reports,
    /// 2: the pending share is durable before the signature leaves.
    DurableBeforeSent,
    /// 3: an attempt above the certificate, which names it not, is kept.
    HigherAttemptsAreKept,
    /// 3: an attempt below the certificate, which names it not, is kept.
    LowerAttemptsAreKept,
    /// 3: to abandon an attempt erases nothing of it.
    AbandonKeepsTheAttempt,
    /// 3: to abandon an epoch for an attempt that all have signed erases nothing before its certificate is there.
    AbandonKeepsTheOldShare,
    /// 4: joins that show every signature of an attempt end the retry.
    Completion,
    /// 5: other receivers take the power of an attempt only with enough of those that have it.
    OtherReceivers,
    /// 5: the promises that count there are those of members that have not signed the attempt.
    PromisesOfWhoDidNotSign,
    /// 5: promises of old members and of receivers are counted apart, each against the threshold of their own epoch.
    PromisesApart,
    /// 6: who named in the second line what it signed of the first is no culprit.
    NamedIsNoCulprit,
    /// 6: who was left without a share goes on in the line of which it holds one.
    WhoIsLeftGoesOn,
    /// 6: who had forgotten what it signed, and said so, is no culprit where others are.
    ForgetfulIsNoCulprit,
    /// 7: who signed an attempt signs no revision of its parent, and who signed a revision signs what binds it only.
    Revisions,
    /// 7: a member signs one revision of a number.
    OneRevisionOfANumber,
    /// 8: a restored member goes by what q others remember.
    Restored,
    /// A member signs only while the epoch that is renewed is the one that it holds.
    ParentIsHeld,
    /// 10: a plan has 2t − 1 receivers or more.
    EnoughReceivers,
    /// The report of a dead epoch counts backups.
    BackupsCount,
    /// The report of a dead epoch counts the attempts at it that nobody certified.
    AttemptsCount,
}

/// To whom a plan may deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Receivers {
    /// The members.
    pub members: Set,
    /// How many of them sign.
    pub threshold: u8,
}

impl Receivers {
    /// These members, with that threshold.
    pub const fn new(threshold: u8, members: &[u8]) -> Self {
        Self { members: Set::of(members), threshold }
    }
}

/// What is explored.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it is called in reports.
    pub name: &'static str,
    /// The threshold of the first epoch.
    pub threshold: u8,
    /// Whether q is ⌈(n + t)/2⌉, which leaves liars no fork and tolerates fewer that are absent.
    pub prevents: bool,
    /// How many members the first epoch has.
    pub members: u8,
    /// How many members there are in all, with those that may join.
    pub identities: u8,
    /// Those that lie.
    pub liars: Set,
    /// Whether a liar may show two joins, so that honest members sign different transcripts of one run.
    pub two_faced: bool,
    /// To whom plans may deal.
    pub receivers: &'static [Receivers],
    /// Whether plans with fewer than 2t − 1 receivers are entered all the same.
    pub few: bool,
    /// How many attempts there may be at each height above the first epoch.
    pub attempts: &'static [u8],
    /// How many devices may be lost.
    pub losses: u8,
    /// Those that have a backup of their share of the first epoch.
    pub backups: Set,
    /// Whom a revision of the first epoch's roster may bring in: a lost member, by repair, or a new one, by enrolment.
    pub revisions: &'static [u8],
    /// Whether members are shown forks, and how many plans there may be at each height that end one.
    pub endings: Option<u8>,
    /// The rule that is not there.
    pub without: Option<Rule>,
    /// Whether states that differ in the names of members only are one. The stories then change names on the way.
    pub symmetric: bool,
}

impl Config {
    /// Whether the rule is there.
    pub fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// The same with a rule less.
    #[must_use]
    pub fn without(&self, rule: Rule) -> Self {
        Self { without: Some(rule), ..self.clone() }
    }

    /// Everybody.
    pub fn everybody(&self) -> Set {
        Set::below(self.identities)
    }

    /// Those that do as the rules say.
    pub fn honest(&self) -> Set {
        self.everybody() - self.liars
    }

    /// The members of the first epoch.
    pub fn founders(&self) -> Set {
        Set::below(self.members)
    }

    /// The renamings of members that change nothing of what is explored, the one that changes no name among them.
    pub fn symmetries(&self) -> Vec<Names> {
        let mut found = Vec::new();
        permutations(self.identities, &mut Vec::new(), &mut |names| {
            let mut table = [None; 16];
            for (place, name) in names.iter().enumerate() {
                table[place] = Some(*name);
            }
            let same = |set: Set| set.renamed(&table) == set;
            let dealt = |one: &Receivers| Receivers { members: one.members.renamed(&table), ..*one };
            let revised = self.revisions.iter().all(|one| same(Set::of(&[*one])));
            let receivers = self.receivers.iter().all(|one| self.receivers.contains(&dealt(one)));
            if same(self.founders()) && same(self.liars) && same(self.backups) && revised && receivers {
                found.push(table);
            }
        });
        if !self.symmetric {
            found.truncate(1);
        }
        found
    }
}

/// All orders of the numbers below `count`, the ascending one first.
fn permutations(count: u8, begun: &mut Vec<u8>, act: &mut impl FnMut(&[u8])) {
    if begun.len() == usize::from(count) {
        return act(begun);
    }
    for next in 0..count {
        if !begun.contains(&next) {
            begun.push(next);
            permutations(count, begun, act);
            begun.pop();
        }
    }
}
