//! The run of a dealing: join, deal, endorse, confirm. The same for a new key and for new shares of an old one.
//!
//! What COCKTAIL-DKG leaves to the application is decided here: who takes part, that all entered the same run, what a
//! signature on a transcript promises, and when it makes an epoch.

#[cfg(feature = "hazmat")]
mod burgle;
mod deals;
mod endorsements;
mod entered;
mod join;
mod joins;
mod judge;
#[cfg(test)]
mod tests;

#[cfg(feature = "hazmat")]
pub(crate) use burgle::opens_deal;
pub(crate) use deals::PayloadRule;
pub(in crate::protocol) use deals::{Receiver, read_deal};
pub(in crate::protocol) use endorsements::{MAX_TOLD, decide, read_accusation};
pub(crate) use endorsements::{decode_confirmation, encode_confirmation};
pub(in crate::protocol) use entered::{check_run_keys, proves_possession};
pub(in crate::protocol) use join::{Join, possession_statement};
#[cfg(feature = "hazmat")]
pub(crate) use joins::constant_term;
pub(crate) use joins::{Brought, Importing, Setup, Standing, Succession, start};
pub(crate) use judge::judge;
