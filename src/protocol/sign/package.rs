//! What one signature is about: a message, a key, and the commitments of those who sign.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use super::{Commitments, SignatureShare};
use crate::guard::holds;
use crate::protocol::batch::multiples;
use crate::protocol::epoch::Epoch;
use crate::protocol::polynomial::{lagrange, lagrange_all, point};
use crate::suite::{Adjustment, Ciphersuite, Element, Scalar, Signature, Suite, VerifyingKey, with_suite};
use crate::wire::{Identifier, SignPlan};

/// Which key signs.
#[derive(Clone, Debug)]
pub(crate) struct Target<C: Ciphersuite> {
    /// The group's key, that the shares are shares of; for taproot the internal key, odd or even.
    pub(crate) key: C::Element,
    /// The key's encoding.
    pub(crate) encoded: Vec<u8>,
    /// What a derivation path adds to its secret; zero for the key itself.
    pub(crate) offset: C::Scalar,
    /// Taproot: the root of the script tree. Without one the tweak is that which no script can spend.
    pub(crate) root: Option<[u8; 32]>,
}

impl<C: Ciphersuite> Target<C> {
    /// The group's key itself.
    #[cfg(any(test, feature = "hazmat"))]
    pub(crate) fn new(key: C::Element) -> Self {
        Self { key, encoded: key.to_bytes(), offset: C::Scalar::ZERO, root: None }
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
        let target = Self { key, encoded: epoch.group_key.as_bytes().to_vec(), offset, root };
        // A key and an offset that cancel out have no child; a path that leads there was not found by anybody.
        (!target.child().is_some_and(|child| child.is_identity())).then_some(target)
    }

    /// The whole path first, and the tweak with its two negations after it: a negation in the middle changes the child.
    pub(super) fn adjustment(&self) -> Adjustment<C> {
        let child = self.child().map(|child| (child, child.to_bytes()));
        let (key, encoded) = child.as_ref().map_or((&self.key, &self.encoded), |(key, encoded)| (key, encoded));
        let Adjustment { factor, addend, key, encoded } = C::adjust(key, encoded, self.root.as_ref());
        Adjustment { factor, addend: factor * self.offset + addend, key, encoded }
    }

    /// The key of the path, where there is one.
    fn child(&self) -> Option<C::Element> {
        (self.offset != C::Scalar::ZERO).then(|| self.key + C::Element::mul_base(&self.offset))
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

/// Whether the suite has such a key, without computing it.
pub(crate) fn has_key(plan: &SignPlan, epoch: &Epoch) -> bool {
    with_suite!(plan.party.suite, C => Target::<C>::of(plan, epoch).is_some())
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
    encoded_commitment: Vec<u8>,
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
        let binding_factors = binding_factors::<C>(&adjustment.encoded, &commitments, &message);
        let group_commitment = group_commitment(&commitments, &binding_factors);
        if adjustment.key.is_identity() || group_commitment.is_identity() {
            return Err(PackageError::Identity);
        }
        let encoded_commitment = group_commitment.to_bytes();
        let challenge = C::challenge(&encoded_commitment, &adjustment.encoded, &message);
        let signers = commitments.keys().copied().collect();
        Ok(Self {
            message,
            commitments,
            signers,
            adjustment,
            binding_factors,
            group_commitment,
            encoded_commitment,
            challenge,
        })
    }

    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    pub(crate) const fn signers(&self) -> &BTreeSet<Identifier> {
        &self.signers
    }

    #[cfg(test)]
    pub(crate) fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::new(&self.adjustment)
    }

    #[cfg(test)]
    pub(super) const fn group_commitment(&self) -> &C::Element {
        &self.group_commitment
    }

    /// The signature that a response, the sum of all signature shares, makes, if it verifies.
    pub(super) fn signature(&self, response: &C::Scalar) -> Option<Signature> {
        let signature = Signature::new::<C>(&self.encoded_commitment, response);
        let key = C::verifier_key(&self.adjustment.encoded);
        let verified = C::verify_by_library(&key, &self.message, signature.as_bytes());
        let verified = verified.unwrap_or_else(|| self.is_response(response));
        holds!(SignatureOutIsVerified, verified).then_some(signature)
    }

    fn is_response(&self, response: &C::Scalar) -> bool {
        let nonce = C::Element::vartime_mul_base_add(response, &-self.challenge, &self.adjustment.key);
        nonce == if self.negates_nonces() { -self.group_commitment } else { self.group_commitment }
    }

    pub(super) const fn adjustment(&self) -> &Adjustment<C> {
        &self.adjustment
    }

    /// Whether BIP-340 wants the nonces negated.
    pub(crate) fn negates_nonces(&self) -> bool {
        C::negates_nonces(&self.encoded_commitment)
    }

    /// The commitments and the binding factor of one signer.
    pub(super) fn of(&self, id: Identifier) -> Option<(&Commitments<C>, &C::Scalar)> {
        Some((self.commitments.get(&id)?, self.binding_factors.get(&id)?))
    }

    /// The challenge times the signer's Lagrange coefficient.
    pub(super) fn weight(&self, id: Identifier) -> C::Scalar {
        self.challenge * lagrange::<C>(id, &self.signers)
    }

    /// Random multiples for the errors of all shares, which nobody could know before the shares were there.
    pub(super) fn multiples(&self, shares: &BTreeMap<Identifier, SignatureShare<C>>) -> Vec<C::Scalar> {
        let commitments = self.commitments.values().map(Commitments::as_bytes).collect::<Vec<_>>().concat();
        let shares: Vec<_> = shares.values().map(|share| share.to_bytes()).collect();
        multiples(&[&self.challenge.to_bytes(), &commitments, shares.as_flattened()], shares.len())
    }

    /// [`weight`](Self::weight) of every signer.
    pub(super) fn weights(&self) -> BTreeMap<Identifier, C::Scalar> {
        let weights = lagrange_all::<C>(&self.signers).into_iter().map(|coefficient| self.challenge * coefficient);
        self.signers.iter().copied().zip(weights).collect()
    }
}

/// RFC 9591, Section 4.4.
fn binding_factors<C: Ciphersuite>(
    key: &[u8],
    commitments: &BTreeMap<Identifier, Commitments<C>>,
    message: &[u8],
) -> BTreeMap<Identifier, C::Scalar> {
    let mut list = Vec::with_capacity(commitments.len() * (32 + Commitments::<C>::LEN));
    let mut identifiers = Vec::with_capacity(commitments.len());
    for (id, commitments) in commitments {
        // RFC 9591, Section 4.3
        let identifier = encode_identifier::<C>(*id);
        list.extend_from_slice(&identifier);
        list.extend_from_slice(commitments.as_bytes());
        identifiers.push(identifier);
    }
    let factors = C::h1_each(&[key, &C::h4(&[message]), &C::h5(&[&list])], &identifiers);
    commitments.keys().copied().zip(factors).collect()
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
