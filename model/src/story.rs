//! What happened, for people.

use crate::state::{FOUNDING, NONE, State};
use crate::steps::{Action, Plan};

/// What a step does, in words.
pub fn tell(state: &State, action: Action) -> String {
    let of = |place: u8| epoch(state, place);
    match action {
        Action::Join(id, plan) => format!("{} enters {}", id + 1, deal(state, plan)),
        Action::Deal(plan, shown) if shown.is_empty() => format!("{} is dealt", deal(state, plan)),
        Action::Deal(plan, shown) => {
            let shown: Vec<_> = shown.iter().map(of).collect();
            format!("{} is dealt; liars report {}", deal(state, plan), shown.join(", "))
        }
        Action::Sign(id, place) => format!("{} signs {}", id + 1, of(place)),
        Action::SignUnsaved(id, place) => format!("{} signs {} and dies before it kept the share", id + 1, of(place)),
        Action::Learn(id, place) => format!("{} gets the certificate of {}", id + 1, of(place)),
        Action::Meet(id, place) => {
            format!("{} is shown {}, says that the key has forked, and stops", id + 1, of(place))
        }
        Action::Abandon(id, place) => format!("{} abandons {}", id + 1, of(place)),
        Action::Lose(id) => format!("{} loses its device", id + 1),
        Action::Restore(id) => format!("{} is restored from its backup of E", id + 1),
        Action::Attest(id, revision) => format!("{} signs roster revision {}", id + 1, revision + 1),
        Action::Admit(revision) => format!("the member of roster revision {} gets its share", revision + 1),
    }
}

fn epoch(state: &State, place: u8) -> String {
    if place == FOUNDING || place == NONE {
        return "E".to_owned();
    }
    let one = state.transcript(place);
    let named: Vec<_> = one.named.iter().map(|other| epoch(state, other)).collect();
    let rest = if named.is_empty() { String::new() } else { format!(" naming {}", named.join(", ")) };
    format!("[{}.{} {:?}→{:?}{rest}]", one.position >> 4, one.position & 15, one.participants, one.receivers)
}

fn deal(state: &State, plan: Plan) -> String {
    let Plan { position, parent, receivers, participants, revision, losing, .. } = plan;
    let lines: Vec<_> = losing.iter().map(|line| epoch(state, line)).collect();
    let ends = if lines.is_empty() { String::new() } else { format!(" by which {} loses", lines.join(", ")) };
    let bound = if revision > 0 { format!(" of roster revision {revision}") } else { String::new() };
    let from = epoch(state, parent);
    format!("attempt {}.{} from {from}{bound}: {participants:?}→{receivers:?}{ends}", position >> 4, position & 15)
}
