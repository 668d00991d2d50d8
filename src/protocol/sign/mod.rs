//! RFC 9591's two rounds of signing, pure: nonces, packages, signature shares, aggregation.

mod aggregate;
mod nonces;
mod package;
mod rounds;
mod share;
#[cfg(test)]
mod tests;

pub(crate) use aggregate::{AggregateError, aggregate};
pub(crate) use nonces::{Commitments, Nonces};
pub(crate) use package::{PackageError, SigningPackage, Target};
pub(crate) use rounds::{Claim, SignSetup, start};
pub(crate) use share::{SignError, SignatureShare, sign, verify_share};
