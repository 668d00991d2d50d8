//! Where a key stands after two changes at once, when all that are honest have shown each other what they know.

use std::collections::BTreeSet;

use quorumkey::{Error, Identifier, KeyInfo, KeyState};

use super::cast::Stage;
use super::common::id;
use super::oracle::{Broken, Oracle};
use super::play::{Play, number};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// All are in one epoch.
    One,
    /// There are two lines. All that hold one see it, and who made them.
    Forked,
}

/// Everybody is shown everybody's certificates.
///
/// # Errors
///
/// That honest members are in two epochs and see no fork, or one that they name no liar or somebody else for, or hold a
/// key that does not sign.
pub fn settle(stage: &Stage, liars: &[usize], plays: &[Play]) -> Result<Settled, Broken> {
    let key = stage.cast.key.id;
    let honest: Vec<_> = (0..stage.people.len()).filter(|person| !liars.contains(person)).collect();
    let of = |person: usize| &stage.people[person].session;
    // What the one has learnt may be what the other waits for.
    for _ in 0..2 {
        for told in honest.iter().filter_map(|person| of(*person).certificates(key).ok()) {
            for person in honest.iter().filter(|person| of(**person).key(key).is_ok()) {
                match of(*person).catch_up(&told) {
                    Ok(_) | Err(Error::Fork { .. } | Error::Certificate(_)) => {}
                    Err(error) => return Err(format!("person {person} does not catch up: {error:?}")),
                }
            }
        }
    }
    let infos: Vec<_> = honest.iter().filter_map(|person| Some((*person, of(*person).key(key).ok()?))).collect();
    if infos.iter().any(|(_, info)| info.group_key != stage.cast.key.group_key) {
        return Err("the key is another".to_owned());
    }
    let guilty: BTreeSet<_> = liars.iter().flat_map(|person| numbers(*person, plays)).collect();
    for (person, info) in &infos {
        for fork in &info.forks {
            if fork.culprits.is_empty() || !fork.culprits.iter().all(|culprit| guilty.contains(culprit)) {
                return Err(format!("person {person} names {:?} for a fork", fork.culprits));
            }
        }
    }
    if infos.iter().any(|(_, info)| !info.forks.is_empty()) {
        return Ok(Settled::Forked);
    }
    let epochs: BTreeSet<_> = infos.iter().map(|(_, info)| (info.epoch.to_string(), info.revision)).collect();
    if epochs.len() > 1 {
        return Err(format!("two epochs, and no fork: {epochs:?}"));
    }
    sign(stage, &infos).map(|()| Settled::One)
}

/// The numbers that somebody has in a key.
fn numbers(person: usize, plays: &[Play]) -> Vec<Identifier> {
    let member = (person < 3).then(|| id(u16::try_from(person + 1).unwrap()));
    plays.iter().filter_map(|play| number(*play, person)).chain(member).collect()
}

/// Whoever holds the epoch signs, if there are enough without the liars. Of two that had one number in turn, the later does.
fn sign(stage: &Stage, infos: &[(usize, KeyInfo)]) -> Result<(), Broken> {
    let member =
        |person: usize, info: &KeyInfo| info.roster.card(info.identifier) == Some(&stage.people[person].card());
    let active = infos.iter().filter(|(person, info)| info.state == KeyState::Active && member(*person, info));
    let holders: Vec<_> = active.map(|(person, info)| (*person, info.identifier)).collect();
    match infos.first() {
        Some((_, info)) if holders.len() >= usize::from(info.threshold) => {
            Oracle::new(stage, &[]).sign_together(info, &holders[..usize::from(info.threshold)])
        }
        _ => Ok(()),
    }
}
