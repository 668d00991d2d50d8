//! The rules of epochs as a model: what members keep, what they may do, and what must hold whatever happens.
//!
//! `docs/epochs-model.md` says what is modelled, what is left out, and what was found.
#![allow(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::struct_excessive_bools,
    reason = "small numbers of a model that is never shipped"
)]

mod config;
mod effects;
mod limits;
mod properties;
mod set;
mod state;
mod steps;
mod story;
mod tidy;

pub use config::{Config, Receivers, Rule};
pub use limits::{BASIC, LONG, falls};
pub use properties::{BLAME, Check, DEAD, ENDED, ENDING, ERASED, FORK, KEY, PROGRESS, SPLIT};
pub use set::{Names, Set};
pub use state::{Member, Run, State, Transcript};
pub use steps::{Action, Plan};
pub use story::tell;
