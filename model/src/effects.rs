//! What a step changes.

use crate::config::{Config, Rule};
use crate::set::Set;
use crate::state::{FOUNDING, Member, NONE, Run, State, Transcript};
use crate::steps::{Action, Plan, named, showed};

/// The state after a step that may happen, not yet tidy.
pub(crate) fn after(state: &State, config: &Config, action: Action) -> State {
    let mut next = state.clone();
    match action {
        Action::Join(id, plan) => join(&mut next, config, id, plan),
        Action::Deal(plan, shown) => deal(&mut next, config, plan, shown),
        Action::Sign(id, place) => sign(&mut next, id, place),
        Action::SignUnsaved(id, place) => {
            next.transcripts[usize::from(place)].signed |= Set::of(&[id]);
            close(&mut next, id, |_| true);
        }
        Action::Learn(id, place) => learn(&mut next, config, id, place),
        Action::Meet(id, place) => meet(&mut next, id, place),
        Action::Abandon(id, place) => abandon(&mut next, config, id, place),
        Action::Lose(id) => lose(&mut next, id),
        Action::Restore(id) => anew(&mut next, id, true),
        Action::Attest(id, revision) => attest(&mut next, config, id, revision),
        Action::Admit(revision) => {
            next.admitted = next.admitted.with(revision);
            admit(&mut next, config.revisions[usize::from(revision)], revision + 1);
        }
    }
    next
}

/// The member will not sign those any more.
fn close(state: &mut State, id: u8, which: impl Fn(&Transcript) -> bool) {
    for transcript in state.transcripts.iter_mut().filter(|one| which(one)) {
        transcript.open = transcript.open.without(id);
    }
}

fn join(state: &mut State, config: &Config, id: u8, plan: Plan) {
    let reports = if config.keeps(Rule::Reports) { state.member(id).signed } else { Set::default() };
    let known = state.runs.iter().position(|run| run.plan() == plan);
    let place = known.unwrap_or_else(|| {
        state.runs.push(Run::new(plan));
        state.runs.len() - 1
    });
    let run = &mut state.runs[place];
    run.joined = run.joined.with(id);
    run.reports[usize::from(id)] = reports;
    if config.keeps(Rule::Promises) {
        state.members[usize::from(id)].promise = plan.position;
        close(state, id, |transcript| transcript.position <= plan.position);
    }
}

fn deal(state: &mut State, config: &Config, plan: Plan, shown: Set) {
    let place = state.runs.iter().position(|run| run.plan() == plan).expect("the run that deals");
    let run = state.runs[place];
    let named = named(state, &run, shown);
    let complete = |one: &u8| state.transcript(*one).participants.within(showed(state, config, &run, shown, *one));
    if (named - run.losing).iter().any(|one| complete(&one)) {
        if config.keeps(Rule::Completion) {
            state.runs.remove(place);
            return;
        }
        state.redealt = true;
    }
    if config.two_faced && !(config.liars & run.participants).is_empty() && run.dealt.is_none() {
        state.runs[place].dealt = Some(shown);
    } else {
        state.runs.remove(place);
    }
    let Plan { position, parent, receivers, threshold, participants, revision, losing } = plan;
    let open = run.joined.iter().filter(|id| may_sign(state, config, *id, position)).collect();
    let signed = Set::default();
    let forgetful = run.joined.iter().filter(|id| state.member(*id).forgetful).collect();
    let new = Transcript {
        position,
        parent,
        receivers,
        threshold,
        participants,
        revision,
        forgetful,
        named,
        losing,
        signed,
        open,
    };
    assert!(state.transcripts.len() < 16, "more attempts than the sets have room for");
    state.transcripts.push(new);
}

/// Rule 2 again: since the run was entered, a higher attempt may have been.
fn may_sign(state: &State, config: &Config, id: u8, position: u8) -> bool {
    let Member { lost, promise, signed, .. } = *state.member(id);
    let entered = if config.keeps(Rule::Promises) { promise == position } else { promise < position };
    // One transcript of a run, and no second one.
    !lost && entered && !signed.iter().any(|one| state.transcript(one).position == position)
}

fn sign(state: &mut State, id: u8, place: u8) {
    let Transcript { position, receivers, .. } = *state.transcript(place);
    let member = &mut state.members[usize::from(id)];
    member.promise = member.promise.max(position);
    member.signed = member.signed.with(place);
    if receivers.has(id) {
        member.held = member.held.with(place);
    }
    let signed = &mut state.transcripts[usize::from(place)].signed;
    *signed = signed.with(id);
    close(state, id, |transcript| transcript.position <= position);
}

/// The certificate is there: its epoch is the member's, and what it supersedes is erased.
fn learn(state: &mut State, config: &Config, id: u8, place: u8) {
    let superseded = state.superseded_by(place);
    let at = state.transcript(place).position;
    let before = *state.member(id);
    let goes = |one: u8| {
        let position = state.transcript(one).position;
        superseded.has(one)
            || position > at && !config.keeps(Rule::HigherAttemptsAreKept)
            || position < at && !config.keeps(Rule::LowerAttemptsAreKept)
    };
    let gone: Set = (before.signed | before.held).without(place).iter().filter(|one| goes(*one)).collect();
    let share = before.held.has(place);
    let left = if before.epoch == NONE { before.left } else { before.left.with(before.epoch) };
    let left = left.iter().filter(|one| !state.superseded_by(*one).within(superseded)).collect();
    state.lawless |= !(gone & before.held).within(superseded);
    state.members[usize::from(id)] = Member {
        epoch: place,
        share,
        signed: (before.signed - gone).without(place),
        held: (before.held - gone).without(place),
        forgetful: before.forgetful && !share,
        promise: if share { before.promise.max(at) } else { before.promise },
        confirmed: before.confirmed | superseded,
        left,
        forks: before.forks.iter().filter(|one| !state.ordered(place, *one)).collect(),
        ..before
    };
    if config.keeps(Rule::ParentIsHeld) {
        close(state, id, |transcript| transcript.parent != place);
        state.runs.retain(|run| !run.joined.has(id) || run.parent == place);
    }
}

/// A member is at a fork: whatever it has entered that does not end it goes no further.
fn meet(state: &mut State, id: u8, place: u8) {
    let epoch = state.member(id).epoch;
    let line = state.ancestors(place).with(place);
    let forks = line.iter().filter(|one| !state.ordered(epoch, *one)).fold(state.member(id).forks, Set::with);
    state.members[usize::from(id)].forks = forks;
    close(state, id, |transcript| !forks.within(transcript.losing));
    state.runs.retain(|run| !run.joined.has(id) || forks.within(run.losing));
}

/// Without the rules: what an attempt's end by a mere request would erase.
fn abandon(state: &mut State, config: &Config, id: u8, place: u8) {
    let member = &mut state.members[usize::from(id)];
    state.lawless = true;
    if config.keeps(Rule::AbandonKeepsTheOldShare) {
        member.signed = member.signed.without(place);
        member.held = member.held.without(place);
    } else {
        member.share = false;
    }
}

fn lose(state: &mut State, id: u8) {
    let member = &mut state.members[usize::from(id)];
    let nothing = Set::default();
    *member =
        Member { share: false, lost: true, signed: nothing, held: nothing, left: nothing, forks: nothing, ..*member };
    state.losses += 1;
    state.runs.retain(|run| !run.participants.has(id));
    close(state, id, |_| true);
}

/// A new token in a member's place, with a share of the first epoch and no memory.
fn anew(state: &mut State, id: u8, forgetful: bool) {
    let member = &mut state.members[usize::from(id)];
    let (nothing, confirmed) = (Set::default(), member.confirmed);
    let (signed, held, left, forks) = (nothing, nothing, nothing, nothing);
    let (promise, lost, revision) = (0, false, 0);
    *member = Member {
        epoch: FOUNDING,
        share: true,
        signed,
        held,
        promise,
        lost,
        forgetful,
        revision,
        confirmed,
        left,
        forks,
    };
}

/// The subject of a revision gets its share. It signs what binds the revision only, and a repaired one has no memory.
fn admit(state: &mut State, id: u8, revision: u8) {
    if state.member(id).lost {
        anew(state, id, false);
    }
    let member = &mut state.members[usize::from(id)];
    *member = Member { epoch: FOUNDING, share: true, revision, ..*member };
}

fn attest(state: &mut State, config: &Config, id: u8, revision: u8) {
    state.members[usize::from(id)].revision = revision + 1;
    let signers = &mut state.attested[usize::from(revision)];
    *signers = signers.with(id);
    if config.keeps(Rule::Revisions) {
        let unbound = |parent: u8, bound: u8| parent == FOUNDING && bound != revision + 1;
        close(state, id, |transcript| unbound(transcript.parent, transcript.revision));
        state.runs.retain(|run| !run.joined.has(id) || !unbound(run.parent, run.revision));
    }
}
