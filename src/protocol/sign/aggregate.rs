//! The signature out of the signature shares.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use super::share::ShareError;
use super::{SignatureShare, SigningPackage};
use crate::guard::forbids;
use crate::suite::{Ciphersuite, Element, Scalar, Signature};
use crate::wire::Identifier;

/// Why there is no signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AggregateError {
    /// Shares of these signers, or their verifying shares, are missing.
    Missing(BTreeSet<Identifier>),
    /// Shares of members that the package does not have.
    Unexpected(BTreeSet<Identifier>),
    /// The shares of these members, and of nobody else, are wrong.
    Culprits(BTreeSet<Identifier>),
    /// Every share is right by itself, so the verifying shares, or the number of signers, don't fit the key.
    Unattributed,
}

impl fmt::Display for AggregateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(ids) => write!(f, "signature shares are missing: {ids:?}"),
            Self::Unexpected(ids) => write!(f, "signature shares of others than the signers: {ids:?}"),
            Self::Culprits(ids) => write!(f, "wrong signature shares: {ids:?}"),
            Self::Unattributed => f.write_str("the shares don't add up to a signature under this key"),
        }
    }
}

/// RFC 9591, Section 5.3. A signature that comes back was verified; when it does not verify, all wrong shares are named.
pub(crate) fn aggregate<C: Ciphersuite>(
    package: &SigningPackage<C>,
    shares: &BTreeMap<Identifier, SignatureShare<C>>,
    verifying_shares: &BTreeMap<Identifier, C::Element>,
) -> Result<Signature, AggregateError> {
    let unexpected: BTreeSet<_> = shares.keys().filter(|id| !package.signers().contains(id)).copied().collect();
    if forbids!(SharesOfTheSigners, !unexpected.is_empty()) {
        return Err(AggregateError::Unexpected(unexpected));
    }
    let present = |id: &&Identifier| shares.contains_key(id) && verifying_shares.contains_key(id);
    let missing: BTreeSet<_> = package.signers().iter().filter(|id| !present(id)).copied().collect();
    if !missing.is_empty() {
        return Err(AggregateError::Missing(missing));
    }

    let response = shares.values().fold(C::Scalar::ZERO, |sum, share| sum + *share.scalar());
    package.signature(&response).ok_or_else(|| blame(package, shares, verifying_shares))
}

/// Names whoever's share is wrong, by halving: what a half is off by is the sum of random multiples of its shares'
/// errors, and of the two halves of what is wrong only one has to be computed.
fn blame<C: Ciphersuite>(
    package: &SigningPackage<C>,
    shares: &BTreeMap<Identifier, SignatureShare<C>>,
    verifying_shares: &BTreeMap<Identifier, C::Element>,
) -> AggregateError {
    let weights = package.weights();
    let mut errors = Vec::with_capacity(shares.len());
    for ((id, share), multiple) in shares.iter().zip(package.multiples(shares)) {
        let known = verifying_shares.get(id).zip(weights.get(id));
        let error = known.and_then(|(public, weight)| ShareError::new(package, *id, share, weight, public));
        errors.extend(error.map(|error| (*id, error.times(&multiple))));
    }
    let mut culprits = BTreeSet::new();
    let (left, right) = errors.split_at(errors.len() / 2);
    collect_wrong(left, total(left), &mut culprits);
    collect_wrong(right, total(right), &mut culprits);
    if culprits.is_empty() { AggregateError::Unattributed } else { AggregateError::Culprits(culprits) }
}

fn collect_wrong<C: Ciphersuite>(
    errors: &[(Identifier, ShareError<C>)],
    off_by: C::Element,
    culprits: &mut BTreeSet<Identifier>,
) {
    match errors {
        _ if off_by.is_identity() => {}
        [] => {}
        [(culprit, _)] => _ = culprits.insert(*culprit),
        _ => {
            let (left, right) = errors.split_at(errors.len() / 2);
            let left_by = total(left);
            collect_wrong(left, left_by, culprits);
            collect_wrong(right, off_by - left_by, culprits);
        }
    }
}

fn total<C: Ciphersuite>(errors: &[(Identifier, ShareError<C>)]) -> C::Element {
    ShareError::total(errors.iter().map(|(_, error)| error))
}
