//! One state for all that differ in nothing that matters.

use crate::config::Config;
use crate::set::{Names, Set};
use crate::state::{FOUNDING, Member, NONE, Run, State, Transcript};

/// The state without what can't matter any more, under the names of members that come first.
pub(crate) fn tidy(mut state: State, config: &Config, symmetries: &[Names]) -> State {
    drop_runs(&mut state, config);
    drop_transcripts(&mut state, config);
    let Some((none, [_, ..])) = symmetries.split_first() else { return sorted(state) };
    // What does not depend on names decides most of them.
    let order = |names: &Names| {
        let mut order = [Traits::default(); 8];
        for (id, member) in (0..).zip(&state.members) {
            order[name(names, id)] = traits(&state, member);
        }
        order
    };
    let least = symmetries.iter().map(order).min().unwrap_or_else(|| order(none));
    let candidates = symmetries.iter().filter(|names| order(names) == least);
    candidates.map(|names| sorted(renamed(&state, names))).min().expect("one of them is the least")
}

type Traits = (u8, u8, [bool; 3], u8, [u8; 3]);

fn traits(state: &State, member: &Member) -> Traits {
    let epoch = if member.epoch == NONE { NONE } else { state.transcript(member.epoch).position };
    let Member { share, lost, forgetful, promise, revision, signed, held, confirmed, .. } = *member;
    (promise, epoch, [share, lost, forgetful], revision, [signed.len(), held.len(), confirmed.len()])
}

fn name(names: &Names, old: u8) -> usize {
    usize::from(names[usize::from(old)].unwrap_or(old))
}

/// A run ends when somebody can't enter it any more, or nobody who did would sign it.
fn drop_runs(state: &mut State, config: &Config) {
    let State { members, transcripts, runs, .. } = state;
    let member = |id: u8| &members[usize::from(id)];
    runs.retain(|run| {
        let honest = run.participants - config.liars;
        let waits = (honest - run.joined).iter().all(|id| !member(id).lost && member(id).promise < run.position);
        let signed =
            |id: u8| member(id).signed.iter().any(|one| transcripts[usize::from(one)].position == run.position);
        let somebody = honest.iter().any(|id| member(id).promise <= run.position && !signed(id));
        waits && somebody
    });
}

/// An attempt that will never be complete, and that nobody signed who could say so, is as if it had not been.
fn drop_transcripts(state: &mut State, config: &Config) {
    let gone = |place: &u8| {
        let transcript = state.transcript(*place);
        let signed = state.members.iter().any(|member| member.signed.has(*place));
        let may_be = (transcript.participants - config.liars).within(transcript.signed | transcript.open);
        !may_be && !signed && transcript.open.is_empty()
    };
    let gone: Set = state.places().skip(1).filter(gone).collect();
    if !gone.is_empty() {
        let kept: Vec<_> = state.places().filter(|place| !gone.has(*place)).collect();
        *state = reordered(state, &kept);
    }
}

/// The transcripts at those places, in that order, and everything that names them.
fn reordered(state: &State, places: &[u8]) -> State {
    let mut table = [None; 16];
    for (new, old) in (0..).zip(places) {
        table[usize::from(*old)] = Some(new);
    }
    let place =
        |old: u8| if old == NONE { NONE } else { table[usize::from(old)].expect("an epoch that is held is kept") };
    let member = |member: &Member| Member {
        epoch: place(member.epoch),
        signed: member.signed.renamed(&table),
        held: member.held.renamed(&table),
        confirmed: member.confirmed.renamed(&table),
        left: member.left.renamed(&table),
        forks: member.forks.renamed(&table),
        ..*member
    };
    let transcript = |old: &u8| {
        let transcript = state.transcript(*old);
        let (named, losing) = (transcript.named.renamed(&table), transcript.losing.renamed(&table));
        Transcript { parent: place(transcript.parent), named, losing, ..*transcript }
    };
    let run = |run: &Run| Run {
        parent: place(run.parent),
        reports: run.reports.map(|report| report.renamed(&table)),
        dealt: run.dealt.map(|shown| shown.renamed(&table)),
        losing: run.losing.renamed(&table),
        ..*run
    };
    State {
        members: state.members.iter().map(member).collect(),
        transcripts: places.iter().map(transcript).collect(),
        runs: state.runs.iter().map(run).collect(),
        dead: state.dead.renamed(&table),
        ..*state
    }
}

/// The same with members under other names.
fn renamed(state: &State, names: &Names) -> State {
    let name = |old: u8| name(names, old);
    let set = |set: Set| set.renamed(names);
    let mut members = state.members.clone();
    for (old, member) in (0..).zip(&state.members) {
        members[name(old)] = *member;
    }
    let transcript = |old: &Transcript| Transcript {
        receivers: set(old.receivers),
        participants: set(old.participants),
        forgetful: set(old.forgetful),
        signed: set(old.signed),
        open: set(old.open),
        ..*old
    };
    let run = |old: &Run| {
        let mut reports = [Set::default(); 8];
        for id in old.joined.iter() {
            reports[name(id)] = old.reports[usize::from(id)];
        }
        Run {
            receivers: set(old.receivers),
            participants: set(old.participants),
            joined: set(old.joined),
            reports,
            ..*old
        }
    };
    State {
        members,
        transcripts: state.transcripts.iter().map(transcript).collect(),
        runs: state.runs.iter().map(run).collect(),
        attested: state.attested.map(set),
        ..*state
    }
}

/// Runs and transcripts in an order that does not tell when they came to be.
fn sorted(mut state: State) -> State {
    let mut left: Set = state.places().skip(1).collect();
    let mut order = vec![FOUNDING];
    let mut ranks = [None; 16];
    ranks[0] = Some(0);
    while !left.is_empty() {
        // What a transcript renews and names stands below it, and so before it.
        let key = |place: &u8| {
            let one = state.transcript(*place);
            let parent = ranks[usize::from(one.parent)];
            let named = (one.named.renamed(&ranks), one.losing.renamed(&ranks));
            (one.position, parent, one.receivers, (one.participants, one.forgetful), named, one.signed, one.open)
        };
        // Two that are alike in all of this differ in threshold or revision, or are the same to everybody.
        let next =
            left.iter().min_by_key(|place| (key(place), fixed(state.transcript(*place)))).expect("some are left");
        left = left.without(next);
        ranks[usize::from(next)] = Some(order.len() as u8);
        order.push(next);
    }
    if !order.is_sorted() {
        state = reordered(&state, &order);
    }
    state.runs.sort_unstable();
    state
}

const fn fixed(transcript: &Transcript) -> (u8, u8) {
    (transcript.threshold, transcript.revision)
}
