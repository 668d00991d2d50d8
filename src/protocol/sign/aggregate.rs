//! The signature out of the signature shares.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use super::{SignatureShare, SigningPackage, verify_share};
use crate::suite::{Ciphersuite, Scalar, Signature};
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
    if !unexpected.is_empty() {
        return Err(AggregateError::Unexpected(unexpected));
    }
    let present = |id: &&Identifier| shares.contains_key(id) && verifying_shares.contains_key(id);
    let missing: BTreeSet<_> = package.signers().iter().filter(|id| !present(id)).copied().collect();
    if !missing.is_empty() {
        return Err(AggregateError::Missing(missing));
    }

    let response = shares.values().fold(C::Scalar::ZERO, |sum, share| sum + *share.scalar());
    let signature = Signature::new::<C>(package.group_commitment(), &response);
    match package.verifying_key().verify(package.message(), &signature) {
        Ok(()) => Ok(signature),
        Err(_) => Err(blame(package, shares, verifying_shares)),
    }
}

fn blame<C: Ciphersuite>(
    package: &SigningPackage<C>,
    shares: &BTreeMap<Identifier, SignatureShare<C>>,
    verifying_shares: &BTreeMap<Identifier, C::Element>,
) -> AggregateError {
    let right = |id: &Identifier, share| {
        verifying_shares.get(id).is_some_and(|verifying_share| verify_share(package, *id, share, verifying_share))
    };
    let culprits: BTreeSet<_> = shares.iter().filter(|(id, share)| !right(id, share)).map(|(id, _)| *id).collect();
    if culprits.is_empty() { AggregateError::Unattributed } else { AggregateError::Culprits(culprits) }
}
