//! What must hold at every moment.

use std::sync::atomic::{AtomicBool, Ordering};

use stateright::{Model, Property};

use crate::config::{Config, Rule};
use crate::effects::after;
use crate::set::{Names, Set};
use crate::state::{FOUNDING, NONE, State, Transcript};
use crate::steps::{Action, actions};
use crate::tidy::tidy;

/// t honest members can sign with one epoch, or can be brought there.
pub const KEY: &str = "the key is not lost";
/// Two certificates are ordered by supersession, or liars signed both, and they alone.
pub const FORK: &str = "no fork without its liar";
/// A share is erased by whoever has a certificate that supersedes it.
pub const ERASED: &str = "nobody erases what no certificate supersedes";
/// Of a dead epoch, or of an attempt at it, no t shares come together again.
pub const DEAD: &str = "a dead epoch stays dead";
/// Joins that show every signature end an attempt.
pub const PROGRESS: &str = "what all have signed is not dealt again";
/// Whoever meets two lines says who signed both: liars, and nobody else.
pub const BLAME: &str = "who meets a fork names a liar and nobody else";
/// Of two lines one is left.
pub const ENDED: &str = "after the end of a fork one line is left";

/// That forks are ended at all.
pub const ENDING: &str = "the officers end a fork";
/// What liars can do where q does not prevent it: it shows that forks are looked for where they are.
pub const SPLIT: &str = "liars fork the key";

/// A configuration, to be checked.
#[derive(Debug)]
pub struct Check {
    config: Config,
    symmetries: Vec<Names>,
    /// Which properties were found broken: the first time counts, which took the fewest steps.
    broken: [AtomicBool; 7],
}

impl Check {
    /// Of that configuration.
    pub fn new(config: Config) -> Self {
        Self { symmetries: config.symmetries(), config, broken: Default::default() }
    }

    /// Whether it holds, or was broken before.
    fn first(&self, property: usize, holds: bool) -> bool {
        holds || self.broken[property].swap(true, Ordering::Relaxed)
    }

    /// What is explored.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

impl Model for Check {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::first(&self.config)]
    }

    fn actions(&self, state: &State, into: &mut Vec<Action>) {
        actions(state, &self.config, into);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = after(last, &self.config, action);
        next.dead = dead(&next, &self.config);
        Some(tidy(next, &self.config, &self.symmetries))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(KEY, |check: &Self, state| check.first(0, is_kept(state, &check.config))),
            Property::always(FORK, |check: &Self, state| check.first(1, forks_name_liars(state, &check.config))),
            Property::always(ERASED, |check: &Self, state: &State| check.first(2, !state.lawless)),
            Property::always(DEAD, |check: &Self, state| check.first(3, dead_stay_dead(state, &check.config))),
            Property::always(PROGRESS, |check: &Self, state: &State| check.first(4, !state.redealt)),
            Property::always(BLAME, |check: &Self, state| check.first(5, blames_liars(state, &check.config))),
            Property::always(ENDED, |check: &Self, state| check.first(6, one_line_is_left(state, &check.config))),
            Property::sometimes(ENDING, |check: &Self, state| endings(state, &check.config).next().is_some()),
            Property::sometimes(SPLIT, |check: &Self, state| is_split(state, &check.config)),
        ]
    }
}

/// The certificates that the living honest members have, or that their joins would make.
fn at_hand(state: &State, config: &Config) -> Set {
    let alive: Set = config.honest().iter().filter(|id| !state.member(*id).lost).collect();
    let known = alive.iter().map(|id| state.member(id).epoch).filter(|epoch| *epoch != NONE);
    let left = alive.iter().fold(Set::default(), |all, id| all | state.member(id).left);
    let known = known.fold(left, |all, epoch| all.with(epoch) | state.ancestors(epoch));
    let shown = |place: &u8| {
        let participants = state.transcript(*place).participants;
        let signs = |id: u8| state.member(id).signed.has(*place) || state.member(id).epoch == *place;
        config.keeps(Rule::Completion) && participants.within(alive) && participants.iter().all(signs)
    };
    state.places().filter(shown).fold(known, Set::with)
}

fn is_kept(state: &State, config: &Config) -> bool {
    let at_hand = at_hand(state, config);
    let superseded = at_hand.iter().fold(Set::default(), |all, place| all | state.superseded_by(place));
    // More than one of them is a fork, of which the officers choose a line: so each keeps its shares.
    (at_hand - superseded).iter().all(|place| signs(state, config, place))
}

/// Whether enough honest members hold a share of the epoch, and may use it: a restored one after a refresh, to which the
/// honest members are enough. An epoch of which liars and lost devices hold more than it tolerates is none of the rules'.
fn signs(state: &State, config: &Config, place: u8) -> bool {
    let transcript = state.transcript(place);
    // Who has a share of another line goes on there. Who was left without one goes on in the line of which it holds one.
    let goes_on = |id: &u8| {
        let member = state.member(*id);
        let left = config.keeps(Rule::WhoIsLeftGoesOn) && !member.share;
        left || member.epoch == NONE || state.ordered(member.epoch, place)
    };
    let holders: Set = state.holders(place, config).iter().filter(goes_on).collect();
    let remembering = holders.iter().filter(|id| !state.member(*id).forgetful).count() as u8;
    // What a member signed and does not hold, and nothing supersedes, went with its device.
    let went = |id: u8| transcript.signed.has(id) && !holders.has(id);
    let gone = |id: &u8| config.liars.has(*id) || state.member(*id).lost || state.member(*id).forgetful || went(*id);
    let gone = transcript.receivers.iter().filter(gone).count() as u8;
    remembering >= transcript.threshold
        || holders.len() >= transcript.quorum(config)
        || state.losses > 0 && gone > transcript.receivers.len() - transcript.threshold
}

/// The certificates that could be shown, in pairs of which neither supersedes the other.
fn forks(state: &State, config: &Config) -> impl Iterator<Item = (u8, u8)> {
    let complete: Vec<u8> = state.places().filter(|place| state.is_complete(*place, config)).collect();
    let pairs =
        complete.clone().into_iter().flat_map(move |one| complete.clone().into_iter().map(move |other| (one, other)));
    pairs.filter(|(one, other)| one < other && !state.ordered(*one, *other))
}

fn is_split(state: &State, config: &Config) -> bool {
    forks(state, config).next().is_some()
}

/// Of every fork somebody who lies has signed both lines.
fn forks_name_liars(state: &State, config: &Config) -> bool {
    forks(state, config).all(|(one, other)| has_culprits(state, config, one, other))
}

/// Who signed an epoch of each line, of which neither supersedes the other: liars, and at least one. Where two quorums
/// share more members than can lie, there is no such fork at all.
fn has_culprits(state: &State, config: &Config, one: u8, other: u8) -> bool {
    let mut culprits = Set::default();
    for left in state.ancestors(one).with(one).iter() {
        for right in state.ancestors(other).with(other).iter().filter(|right| !state.ordered(left, *right)) {
            let (a, b) = (state.transcript(left), state.transcript(right));
            culprits |= signed_both(a, b, config);
            let parent = state.transcript(if a.parent == NONE { FOUNDING } else { a.parent });
            let prevents = config.prevents || parent.receivers.len() + 2 >= 3 * parent.threshold;
            if a.parent == b.parent && prevents {
                return false;
            }
        }
    }
    !culprits.is_empty() && culprits.within(config.liars)
}

/// Whom a member blames for a fork: who signed what it was shown, and the certificate of its own line from which that parts.
fn blamed(state: &State, config: &Config, id: u8, place: u8) -> Set {
    let (epoch, theirs) = (state.member(id).epoch, state.transcript(place));
    let mut chain: Vec<u8> = state.ancestors(epoch).with(epoch).iter().collect();
    chain.sort_by_key(|one| state.transcript(*one).position);
    let named = |one: &u8| config.keeps(Rule::NamedIsNoCulprit) && theirs.named.has(*one);
    let parts = chain.iter().skip_while(|one| state.transcript(**one).parent != theirs.parent).find(|one| !named(one));
    let parts = state.transcript(parts.copied().unwrap_or(epoch));
    signed_both(parts, theirs, config)
}

/// Who signed both; of these not who had forgotten one of them and said so, if others are left.
fn signed_both(one: &Transcript, other: &Transcript, config: &Config) -> Set {
    let both = one.participants & other.participants;
    let remember = both - one.forgetful - other.forgetful;
    if config.keeps(Rule::ForgetfulIsNoCulprit) && !remember.is_empty() { remember } else { both }
}

fn blames_liars(state: &State, config: &Config) -> bool {
    config.honest().iter().all(|id| {
        let forks = state.member(id).forks;
        let culprits = forks.iter().fold(Set::default(), |all, place| all | blamed(state, config, id, place));
        forks.is_empty() || !culprits.is_empty() && culprits.within(config.liars)
    })
}

/// The certificates that end a fork.
fn endings(state: &State, config: &Config) -> impl Iterator<Item = u8> {
    state.places().filter(|one| !state.transcript(*one).losing.is_empty() && state.is_complete(*one, config))
}

/// What is certified comes before it, or after it, or superseded a line that lost before that was known there: this is a
/// fork again, and is seen and ended like the first.
fn one_line_is_left(state: &State, config: &Config) -> bool {
    endings(state, config).all(|end| {
        let losing = state.transcript(end).losing;
        let went_on = |one: u8| !(state.superseded_by(one) & losing).is_empty();
        state.places().filter(|one| state.is_complete(*one, config)).all(|one| state.ordered(end, one) || went_on(one))
    })
}

/// What was reported dead before, and what is now: superseded by a certificate that an honest member has, and fewer than t
/// of its members may hold a share. A liar holds what it was ever given.
fn dead(state: &State, config: &Config) -> Set {
    let known = at_hand(state, config);
    let superseded = known.iter().fold(Set::default(), |all, place| all | state.superseded_by(place));
    let counted = config.keeps(Rule::AttemptsCount);
    let reported = |place: &u8| {
        is_dead(state, config, *place)
            && (!counted || attempts(state, config, *place).all(|one| is_dead(state, config, one)))
    };
    superseded.iter().filter(reported).fold(state.dead, Set::with)
}

fn dead_stay_dead(state: &State, config: &Config) -> bool {
    let together = |place: u8| {
        let Transcript { receivers, threshold, .. } = *state.transcript(place);
        (state.holders(place, config) | receivers & config.liars).len() >= threshold
    };
    state.dead.iter().all(|place| is_dead(state, config, place) && !attempts(state, config, place).any(together))
}

/// The attempts to renew an epoch that nobody certified: their shares are of the same key.
fn attempts(state: &State, config: &Config, place: u8) -> impl Iterator<Item = u8> {
    state.places().filter(move |one| state.transcript(*one).parent == place && !state.is_complete(*one, config))
}

fn is_dead(state: &State, config: &Config, place: u8) -> bool {
    let backups = if place == FOUNDING && config.keeps(Rule::BackupsCount) { config.backups } else { Set::default() };
    let may_hold = |id: &u8| {
        let unconfirmed = config.liars.has(*id) || !state.member(*id).confirmed.has(place);
        unconfirmed || state.holds(*id, place) || backups.has(*id)
    };
    let holders = state.dealt_to(place, config).iter().filter(may_hold).count() as u8;
    holders < state.transcript(place).threshold
}
