//! What may happen next.
//!
//! A step is one durable write of one member, with what leaves after it. A crash before the write is the step that does
//! not happen; a crash after it, or a message that is lost, withheld or shown to some only, is a later step that does not
//! happen. So no step stands for crashes and losses: every order of steps, with any of them left out, is explored.

use crate::config::{Config, Rule};
use crate::set::Set;
use crate::state::{FOUNDING, NONE, Run, State, position, quorum};

/// A dealing that is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
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
    /// The epochs of a line that is to lose by it, with the leave of every officer.
    pub losing: Set,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A member enters a run: it promises, and its join leaves.
    Join(u8, Plan),
    /// The joins are there, liars reported that, and the shares are dealt.
    Deal(Plan, Set),
    /// A member keeps its share, and its signature leaves.
    Sign(u8, u8),
    /// A member's signature leaves, and it dies before it has kept its share.
    SignUnsaved(u8, u8),
    /// A member gets all signatures, and lives with that epoch from now on.
    Learn(u8, u8),
    /// A member is shown a certificate of another line with those before it: it stops, and says who signed both.
    Meet(u8, u8),
    /// A member is asked to abandon an attempt.
    Abandon(u8, u8),
    /// A member's device is gone.
    Lose(u8),
    /// A member comes back with its backup of the first epoch.
    Restore(u8),
    /// A member signs a revision of the first epoch's roster.
    Attest(u8, u8),
    /// Helpers give the member of a revision its share.
    Admit(u8),
}

impl Run {
    pub(crate) fn new(plan: Plan) -> Self {
        let Plan { position, parent, receivers, threshold, participants, revision, losing } = plan;
        let (joined, reports) = (Set::default(), [Set::default(); 8]);
        Self { position, parent, receivers, threshold, participants, revision, losing, joined, reports, dealt: None }
    }

    pub(crate) const fn plan(&self) -> Plan {
        let Self { position, parent, receivers, threshold, participants, revision, losing, .. } = *self;
        Plan { position, parent, receivers, threshold, participants, revision, losing }
    }
}

/// All that may happen.
pub(crate) fn actions(state: &State, config: &Config, into: &mut Vec<Action>) {
    for id in config.honest().iter().filter(|id| !state.member(*id).lost) {
        joins(state, config, id, into);
        for place in state.places().skip(1) {
            if state.transcript(place).open.has(id) {
                into.push(Action::Sign(id, place));
                if !config.keeps(Rule::DurableBeforeSent) {
                    into.push(Action::SignUnsaved(id, place));
                }
            }
            if teaches(state, config, id, place) {
                into.push(Action::Learn(id, place));
            }
            if meets(state, config, id, place) {
                into.push(Action::Meet(id, place));
            }
            let abandons = !config.keeps(Rule::AbandonKeepsTheAttempt) || !config.keeps(Rule::AbandonKeepsTheOldShare);
            if abandons && state.member(id).signed.has(place) {
                into.push(Action::Abandon(id, place));
            }
        }
        if state.losses < config.losses {
            into.push(Action::Lose(id));
        }
        let revisions = (0..config.revisions.len() as u8).filter(|one| attests(state, config, id, *one));
        into.extend(revisions.map(|one| Action::Attest(id, one)));
    }
    deals(state, config, into);
    let restorable = config.backups.iter().filter(|id| state.member(*id).lost);
    into.extend(restorable.map(Action::Restore));
    into.extend((0..config.revisions.len() as u8).filter(|one| admits(state, config, *one)).map(Action::Admit));
}

fn joins(state: &State, config: &Config, id: u8, into: &mut Vec<Action>) {
    for run in state.runs.iter().filter(|run| !run.joined.has(id) && enters(state, config, id, run.plan())) {
        into.push(Action::Join(id, run.plan()));
    }
    let parent = state.member(id).epoch;
    if parent == NONE {
        return;
    }
    let losing = state.member(id).forks;
    let lines = losing.with(parent).iter().map(|line| state.transcript(line).height());
    let below = lines.max().unwrap_or_default();
    let above = usize::from(below) <= config.attempts.len();
    let attempts = match (losing.is_empty(), config.attempts.get(usize::from(below))) {
        (true, attempts) => attempts.copied().unwrap_or_default(),
        (false, _) if above && officers_agree(state, parent) => config.endings.unwrap_or_default(),
        (false, _) => 0,
    };
    let height = below + 1;
    for revision in revisions(state, config, parent) {
        let roster = state.roster(parent, revision, config);
        let q = needed(state, config, parent, revision);
        for dealt in config.receivers {
            let least = 2 * dealt.threshold - 1;
            if config.keeps(Rule::EnoughReceivers) && !config.few && dealt.members.len() < least {
                continue;
            }
            // Of members that deal or witness and do not receive no more than it takes.
            for others in (roster - dealt.members).subsets() {
                let participants = dealt.members | others;
                let dealers = (participants & roster).len();
                if dealers < q || !others.is_empty() && dealers > q {
                    continue;
                }
                for attempt in 1..=attempts {
                    let (receivers, threshold) = (dealt.members, dealt.threshold);
                    let position = position(height, attempt);
                    let plan = Plan { position, parent, receivers, threshold, participants, revision, losing };
                    let enters = participants.has(id) && enters(state, config, id, plan);
                    if enters && !state.runs.iter().any(|run| run.plan() == plan) {
                        into.push(Action::Join(id, plan));
                    }
                }
            }
        }
    }
}

/// Officers talk to each other before they give leave: all of them for the same line.
fn officers_agree(state: &State, stays: u8) -> bool {
    let ending = state.transcripts.iter().map(|one| (one.losing, one.parent));
    let planned = state.runs.iter().map(|run| (run.losing, run.parent));
    ending.chain(planned).all(|(losing, parent)| losing.is_empty() || parent == stays)
}

/// How many old members take part, of whom some deal.
fn needed(state: &State, config: &Config, parent: u8, revision: u8) -> u8 {
    let threshold = state.transcript(parent).threshold;
    if config.keeps(Rule::Quorum) {
        quorum(threshold, state.roster(parent, revision, config).len(), config)
    } else {
        threshold
    }
}

/// The revisions of an epoch's roster that a plan may bind: those that q members signed, and none.
fn revisions(state: &State, config: &Config, parent: u8) -> Vec<u8> {
    let attested = (0..config.revisions.len() as u8).filter(|one| is_attested(state, config, *one));
    let known = attested.map(|one| one + 1).filter(|_| parent == FOUNDING);
    core::iter::once(0).chain(known).collect()
}

fn is_attested(state: &State, config: &Config, revision: u8) -> bool {
    let signers = state.attested[usize::from(revision)] | (config.liars & config.founders());
    signers.len() >= state.transcript(FOUNDING).quorum(config)
}

/// Whether a member enters the run.
fn enters(state: &State, config: &Config, id: u8, plan: Plan) -> bool {
    let member = state.member(id);
    if plan.position <= member.promise {
        return false;
    }
    let deals = state.roster(plan.parent, plan.revision, config).has(id);
    let knows = match member.epoch {
        NONE => true,
        // Who was a member once and is none now takes the chain that it is told.
        epoch => epoch == plan.parent || !deals && state.superseded_by(plan.parent).has(epoch),
    };
    let bound = plan.parent != FOUNDING
        || !config.keeps(Rule::Revisions)
        || member.revision == 0
        || member.revision == plan.revision;
    // At a fork a member takes part in what ends it, and in nothing else.
    let height = state.transcript(plan.parent).height() + 1;
    let unseen = deals || plan.position >> 4 > height;
    let ends = member.forks.within(plan.losing) && (!unseen || plan.losing.within(member.forks));
    plan.participants.has(id) && knows && bound && ends && (!deals || state.holds(id, plan.parent))
}

fn deals(state: &State, config: &Config, into: &mut Vec<Action>) {
    for run in &state.runs {
        if !(run.participants - config.liars).within(run.joined) || !restored_may_sign(state, config, run) {
            continue;
        }
        let before = state.ancestors(run.parent).with(run.parent);
        let liars = config.liars & run.participants;
        let showable = |place: &u8| {
            let transcript = state.transcript(*place);
            transcript.position < run.position && !(transcript.participants & liars).is_empty()
        };
        let showable: Set = state.places().filter(showable).collect::<Set>() - before;
        for shown in showable.subsets() {
            if run.dealt != Some(shown) && powers_pass(state, config, run, shown) {
                into.push(Action::Deal(run.plan(), shown));
            }
        }
    }
}

/// Rule 8: with each restored member q others that remember.
fn restored_may_sign(state: &State, config: &Config, run: &Run) -> bool {
    let forgetful: Set = run.participants.iter().filter(|id| state.member(*id).forgetful).collect();
    let remembering = (run.participants & state.roster(run.parent, run.revision, config)) - forgetful;
    !config.keeps(Rule::Restored)
        || forgetful.is_empty()
        || remembering.len() >= needed(state, config, run.parent, run.revision)
}

/// What the transcript of the run names.
pub(crate) fn named(state: &State, run: &Run, shown: Set) -> Set {
    let reported = run.joined.iter().fold(shown | run.losing, |all, id| all | run.reports[usize::from(id)]);
    (reported - state.ancestors(run.parent)).without(run.parent)
}

/// Which participants of an attempt showed in the joins that they signed it.
pub(crate) fn showed(state: &State, config: &Config, run: &Run, shown: Set, place: u8) -> Set {
    let participants = state.transcript(place).participants & run.participants;
    let liars = if shown.has(place) { participants & config.liars } else { Set::default() };
    let honest = (participants & run.joined).iter().filter(|id| run.reports[usize::from(*id)].has(place));
    honest.collect::<Set>() | liars
}

/// Rule 5: with other receivers, enough of those that have the power of an attempt that is named.
fn powers_pass(state: &State, config: &Config, run: &Run, shown: Set) -> bool {
    if !config.keeps(Rule::OtherReceivers) {
        return true;
    }
    // The officers lift it for the line that loses, and for nothing else.
    (named(state, run, shown) - run.losing).iter().all(|place| {
        let attempt = state.transcript(place);
        // Who has forgotten what it signed counts for neither.
        let here: Set = run.participants.iter().filter(|id| !state.member(*id).forgetful).collect();
        let sign = (attempt.receivers & here).len() >= attempt.quorum(config);
        let signed = showed(state, config, run, shown, place);
        let not = if config.keeps(Rule::PromisesOfWhoDidNotSign) { signed } else { Set::default() };
        sign || promises_end(state, config, run, place, here - not)
    })
}

/// Whether one of those that promise never to sign the attempt must be honest. Liars are fewer than t of its parent, and
/// fewer than t′ of its receivers, and may be both: so the two are counted apart.
fn promises_end(state: &State, config: &Config, run: &Run, place: u8, promising: Set) -> bool {
    let (attempt, parent) = (state.transcript(place), state.transcript(run.parent));
    if !config.keeps(Rule::PromisesApart) {
        return (attempt.participants & promising).len() >= parent.threshold;
    }
    // Whose shares its dealers had is known of attempts at the height of this one.
    let renews_it = attempt.height() == parent.height() + 1;
    let elders = state.roster(attempt.parent, attempt.revision, config) & attempt.participants;
    (attempt.receivers & promising).len() >= attempt.threshold
        || renews_it && (elders & promising).len() >= parent.threshold
}

/// Whether a certificate has something to tell a member.
fn teaches(state: &State, config: &Config, id: u8, place: u8) -> bool {
    if !state.is_complete(place, config) {
        return false;
    }
    let member = state.member(id);
    match member.epoch {
        // Who has no key yet knows the one that it signed.
        NONE => member.signed.has(place),
        epoch => epoch != place && state.superseded_by(place).has(epoch),
    }
}

/// Whether a certificate shows a member a fork.
fn meets(state: &State, config: &Config, id: u8, place: u8) -> bool {
    let member = state.member(id);
    config.endings.is_some()
        && member.epoch != NONE
        && !member.forks.has(place)
        && state.is_complete(place, config)
        && !state.ordered(member.epoch, place)
}

/// Rule 7: who signed an attempt signs no revision of its parent, and one at most of a number.
fn attests(state: &State, config: &Config, id: u8, revision: u8) -> bool {
    let member = state.member(id);
    let subject = config.revisions[usize::from(revision)];
    let sought = state.member(subject).lost || state.member(subject).epoch == NONE;
    let free =
        !config.keeps(Rule::Revisions) || !member.signed.iter().any(|one| state.transcript(one).parent == FOUNDING);
    let again = !config.keeps(Rule::OneRevisionOfANumber) && !state.attested[usize::from(revision)].has(id);
    member.epoch == FOUNDING
        && member.share
        && !member.forgetful
        && (member.revision == 0 || again)
        && id != subject
        && sought
        && free
}

fn admits(state: &State, config: &Config, revision: u8) -> bool {
    let subject = state.member(config.revisions[usize::from(revision)]);
    let helpers = state.holders(FOUNDING, config) | (config.liars & config.founders());
    !state.admitted.has(revision)
        && is_attested(state, config, revision)
        && (subject.lost || subject.epoch == NONE)
        && helpers.len() >= state.transcript(FOUNDING).threshold
}
