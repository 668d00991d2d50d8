//! What one signature is about: a message, a key, and the commitments of those who sign.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use super::Commitments;
use crate::protocol::epoch::Epoch;
use crate::protocol::polynomial::{lagrange, point};
use crate::suite::{Adjustment, Ciphersuite, Element, Scalar, Suite, VerifyingKey, with_suite};
use crate::wire::{Identifier, SignPlan};

/// Which key signs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<C: Ciphersuite> {
    /// The group's key, that the shares are shares of; for taproot the internal key, odd or even.
    pub(crate) key: C::Element,
    /// What a derivation path adds to its secret; zero for the key itself.
    pub(crate) offset: C::Scalar,
    /// Taproot: the root of the script tree. Without one the tweak is that which no script can spend.
    pub(crate) root: Option<[u8; 32]>,
}

impl<C: Ciphersuite> Target<C> {
    /// The group's key itself.
    #[cfg(test)]
    pub(crate) const fn new(key: C::Element) -> Self {
        Self { key, offset: C::Scalar::ZERO, root: None }
    }

    /// The target of a plan, if the suite has such children and the offset is one. Whether the offset is that of the path,
    /// only who has the chain code can tell.
    pub(super) fn of(plan: &SignPlan, epoch: &Epoch) -> Option<Self> {
        let offset = match &plan.offset {
            None => C::Scalar::ZERO,
            Some(offset) if C::SUITE.has_children() => C::Scalar::from_bytes(offset)?,
            Some(_) => return None,
        };
        let root = plan.derivation.root;
        if root.is_some() && C::SUITE != Suite::Secp256k1Taproot {
            return None;
        }
        let key = epoch.group_key.element::<C>()?;
        // A key and an offset that cancel out have no child; a path that leads there was not found by anybody.
        (!(key + C::Element::mul_base(&offset)).is_identity()).then_some(Self { key, offset, root })
    }

    /// The whole path first, and the tweak with its two negations after it: a negation in the middle changes the child.
    pub(super) fn adjustment(&self) -> Adjustment<C> {
        let child = self.key + C::Element::mul_base(&self.offset);
        let Adjustment { factor, addend, key } = C::adjust(&child, self.root.as_ref());
        Adjustment { factor, addend: factor * self.offset + addend, key }
    }

    /// The key that the signature will verify under.
    pub(crate) fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::new(&self.adjustment())
    }
}

/// The key that a plan's signature will verify under, if the suite has such a key.
pub(crate) fn verifying_key(plan: &SignPlan, epoch: &Epoch) -> Option<VerifyingKey> {
    with_suite!(plan.party.suite, C => Some(Target::<C>::of(plan, epoch)?.verifying_key()))
}

/// Why nothing can be signed with a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PackageError {
    /// Nobody signs.
    Empty,
    /// The commitments, or key and path, add up to the identity.
    Identity,
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a signing package without signers",
            Self::Identity => "a signing package whose elements cancel out",
        })
    }
}

/// RFC 9591's signing package, with everything that follows from it alone.
#[derive(Clone, Debug)]
pub(crate) struct SigningPackage<C: Ciphersuite> {
    message: Vec<u8>,
    commitments: BTreeMap<Identifier, Commitments<C>>,
    signers: BTreeSet<Identifier>,
    adjustment: Adjustment<C>,
    binding_factors: BTreeMap<Identifier, C::Scalar>,
    group_commitment: C::Element,
    challenge: C::Scalar,
}

impl<C: Ciphersuite> SigningPackage<C> {
    /// A package. Whether the signers are members, and enough of them, is for the caller to check.
    pub(crate) fn new(
        message: Vec<u8>,
        commitments: BTreeMap<Identifier, Commitments<C>>,
        target: &Target<C>,
    ) -> Result<Self, PackageError> {
        Self::with_adjustment(message, commitments, target.adjustment())
    }

    pub(super) fn with_adjustment(
        message: Vec<u8>,
        commitments: BTreeMap<Identifier, Commitments<C>>,
        adjustment: Adjustment<C>,
    ) -> Result<Self, PackageError> {
        if commitments.is_empty() {
            return Err(PackageError::Empty);
        }
        let binding_factors = binding_factors::<C>(&adjustment.key, &commitments, &message);
        let group_commitment = group_commitment(&commitments, &binding_factors);
        if adjustment.key.is_identity() || group_commitment.is_identity() {
            return Err(PackageError::Identity);
        }
        let challenge = C::challenge(&group_commitment, &adjustment.key, &message);
        let signers = commitments.keys().copied().collect();
        Ok(Self { message, commitments, signers, adjustment, binding_factors, group_commitment, challenge })
    }

    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    pub(crate) const fn signers(&self) -> &BTreeSet<Identifier> {
        &self.signers
    }

    pub(crate) fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::new(&self.adjustment)
    }

    pub(super) const fn group_commitment(&self) -> &C::Element {
        &self.group_commitment
    }

    pub(super) const fn adjustment(&self) -> &Adjustment<C> {
        &self.adjustment
    }

    /// 1, or -1 where BIP-340 wants the nonces negated.
    pub(super) fn nonce_sign(&self) -> C::Scalar {
        if C::negates_nonces(&self.group_commitment) { -C::Scalar::ONE } else { C::Scalar::ONE }
    }

    /// The commitments and the binding factor of one signer.
    pub(super) fn of(&self, id: Identifier) -> Option<(&Commitments<C>, &C::Scalar)> {
        Some((self.commitments.get(&id)?, self.binding_factors.get(&id)?))
    }

    /// The challenge times the signer's Lagrange coefficient.
    pub(super) fn weight(&self, id: Identifier) -> C::Scalar {
        self.challenge * lagrange::<C>(id, &self.signers)
    }
}

/// RFC 9591, Section 4.4.
fn binding_factors<C: Ciphersuite>(
    key: &C::Element,
    commitments: &BTreeMap<Identifier, Commitments<C>>,
    message: &[u8],
) -> BTreeMap<Identifier, C::Scalar> {
    let mut list = Vec::with_capacity(commitments.len() * (32 + Commitments::<C>::LEN));
    for (id, commitments) in commitments {
        // RFC 9591, Section 4.3
        list.extend_from_slice(&encode_identifier::<C>(*id));
        list.extend_from_slice(&commitments.to_bytes());
    }
    let (key, message, list) = (key.to_bytes(), C::h4(&[message]), C::h5(&[&list]));
    commitments.keys().map(|id| (*id, C::h1(&[&key, &message, &list, &encode_identifier::<C>(*id)]))).collect()
}

/// RFC 9591, Section 4.5. Variable-time: all of it is public.
fn group_commitment<C: Ciphersuite>(
    commitments: &BTreeMap<Identifier, Commitments<C>>,
    binding_factors: &BTreeMap<Identifier, C::Scalar>,
) -> C::Element {
    let hiding = commitments.values().fold(C::Element::IDENTITY, |sum, commitments| sum + commitments.hiding);
    // Both maps have the same identifiers in the same order.
    let terms: Vec<_> = binding_factors.values().copied().zip(commitments.values().map(|c| c.binding)).collect();
    hiding + C::Element::vartime_sum_of_products(&terms)
}

/// An identifier as RFC 9591 hashes it.
fn encode_identifier<C: Ciphersuite>(id: Identifier) -> [u8; 32] {
    point::<C::Scalar>(id).to_bytes()
}
