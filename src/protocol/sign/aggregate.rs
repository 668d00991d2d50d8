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

/// The signers' verifying shares. They are needed only when a signature does not verify.
pub(crate) trait VerifyingShares<C: Ciphersuite> {
    fn has(&self, id: Identifier) -> bool;
    /// Those of these members.
    fn of(&self, ids: &BTreeSet<Identifier>) -> Option<BTreeMap<Identifier, C::Element>>;
}

impl<C: Ciphersuite> VerifyingShares<C> for BTreeMap<Identifier, C::Element> {
    fn has(&self, id: Identifier) -> bool {
        self.contains_key(&id)
    }

    fn of(&self, ids: &BTreeSet<Identifier>) -> Option<Self> {
        ids.iter().map(|id| Some((*id, *self.get(id)?))).collect()
    }
}

/// Verifying shares as an epoch has them.
pub(super) struct Encoded<'a>(pub(super) &'a BTreeMap<Identifier, Vec<u8>>);

impl<C: Ciphersuite> VerifyingShares<C> for Encoded<'_> {
    fn has(&self, id: Identifier) -> bool {
        self.0.contains_key(&id)
    }

    fn of(&self, ids: &BTreeSet<Identifier>) -> Option<BTreeMap<Identifier, C::Element>> {
        let encodings = ids.iter().map(|id| self.0.get(id).map(Vec::as_slice)).collect::<Option<Vec<_>>>()?;
        Some(ids.iter().copied().zip(C::Element::batch_from_bytes(&encodings)?).collect())
    }
}

/// RFC 9591, Section 5.3. A signature that comes back was verified; when it does not verify, all wrong shares are named.
pub(crate) fn aggregate<C: Ciphersuite>(
    package: &SigningPackage<C>,
    shares: &BTreeMap<Identifier, SignatureShare<C>>,
    verifying_shares: &impl VerifyingShares<C>,
) -> Result<Signature, AggregateError> {
    let unexpected: BTreeSet<_> = shares.keys().filter(|id| !package.signers().contains(id)).copied().collect();
    if forbids!(SharesOfTheSigners, !unexpected.is_empty()) {
        return Err(AggregateError::Unexpected(unexpected));
    }
    let present = |id: &&Identifier| shares.contains_key(id) && verifying_shares.has(**id);
    let missing: BTreeSet<_> = package.signers().iter().filter(|id| !present(id)).copied().collect();
    if !missing.is_empty() {
        return Err(AggregateError::Missing(missing));
    }

    let response = shares.values().fold(C::Scalar::ZERO, |sum, share| sum + *share.scalar());
    package.signature(&response).ok_or_else(|| blame(package, shares, verifying_shares))
}

/// What a signer's share is off by, and the random multiple that it has in a sum with others.
struct Suspect<C: Ciphersuite> {
    id: Identifier,
    error: ShareError<C>,
    multiple: C::Scalar,
}

/// Names whoever's share is wrong.
fn blame<C: Ciphersuite>(
    package: &SigningPackage<C>,
    shares: &BTreeMap<Identifier, SignatureShare<C>>,
    verifying_shares: &impl VerifyingShares<C>,
) -> AggregateError {
    let Some(verifying_shares) = verifying_shares.of(package.signers()) else { return AggregateError::Unattributed };
    let weights = package.weights();
    let mut suspects = Vec::with_capacity(shares.len());
    for ((id, share), multiple) in shares.iter().zip(package.multiples(shares)) {
        let known = verifying_shares.get(id).zip(weights.get(id));
        let error = known.and_then(|(public, weight)| ShareError::new(package, *id, share, weight, public));
        suspects.extend(error.map(|error| Suspect { id: *id, error, multiple }));
    }
    let mut culprits = BTreeSet::new();
    collect_wrong(&suspects, None, &mut culprits);
    if culprits.is_empty() { AggregateError::Unattributed } else { AggregateError::Culprits(culprits) }
}

/// By halving: of two halves whose sum is known only one has to be computed. Where no sum is known somebody among them is
/// presumed to be wrong, so that a left half that is right leaves it to the right one, down to one whose own error tells:
/// when the verifying shares don't fit the key, it may be that nobody is.
fn collect_wrong<C: Ciphersuite>(
    suspects: &[Suspect<C>],
    known: Option<C::Element>,
    culprits: &mut BTreeSet<Identifier>,
) {
    match suspects {
        [] => {}
        _ if known.is_some_and(|known| known.is_identity()) => {}
        [one] => {
            if known.is_some() || !off_by(suspects).is_identity() {
                culprits.insert(one.id);
            }
        }
        _ => {
            let (left, right) = suspects.split_at(suspects.len() / 2);
            let left_by = if known.is_some() { total(left) } else { off_by(left) };
            let right_by = match known {
                Some(known) => Some(known - left_by),
                None if left_by.is_identity() => None,
                None => Some(off_by(right)),
            };
            collect_wrong(left, Some(left_by), culprits);
            collect_wrong(right, right_by, culprits);
        }
    }
}

/// What some are off by, to be taken for itself: of a single one it needs no multiple.
fn off_by<C: Ciphersuite>(suspects: &[Suspect<C>]) -> C::Element {
    match suspects {
        [one] => ShareError::total([&one.error].into_iter()),
        _ => total(suspects),
    }
}

/// The sum of random multiples of what some are off by.
fn total<C: Ciphersuite>(suspects: &[Suspect<C>]) -> C::Element {
    let errors: Vec<_> = suspects.iter().map(|suspect| suspect.error.times(&suspect.multiple)).collect();
    ShareError::total(errors.iter())
}
