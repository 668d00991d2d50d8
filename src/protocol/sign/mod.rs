//! RFC 9591's two rounds of signing, pure: nonces, packages, signature shares, aggregation.

mod aggregate;
mod commits;
mod nonces;
mod package;
mod prepare;
mod round_one;
mod rounds;
mod share;
#[cfg(test)]
mod tests;

pub(crate) use aggregate::{AggregateError, aggregate};
pub(crate) use nonces::{Commitments, Nonces};
#[cfg(test)]
pub(crate) use package::PackageError;
pub(crate) use package::{SigningPackage, Target, has_key, verifying_key};
pub(crate) use prepare::{Stock, follow_prepared, judge as judge_preparing, prepare};
pub(crate) use round_one::RoundOne;
pub(crate) use rounds::{Claim, SignSetup, judge as judge_signing, start};
#[cfg(test)]
pub(crate) use share::SignError;
pub(crate) use share::{SignatureShare, sign, verify_share};
