//! One member's part of a signature.

use core::fmt;

use zeroize::Zeroizing;

use super::{Nonces, SigningPackage};
use crate::guard::forbids;
use crate::secret::Secret;
use crate::suite::{Adjustment, Ciphersuite, Element, Scalar};
use crate::wire::Identifier;

/// Why a member refuses to sign. The nonces are gone all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignError {
    /// The package has no commitments of this member.
    NotASigner,
    /// The package has other commitments of this member than those of the nonces.
    OtherCommitments,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotASigner => "this member is not in the signing package",
            Self::OtherCommitments => "the signing package has other commitments of this member",
        })
    }
}

/// RFC 9591's signature share. Not secret once the nonces' commitments are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignatureShare<C: Ciphersuite>(C::Scalar);

impl<C: Ciphersuite> SignatureShare<C> {
    pub(crate) fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The canonical encoding only.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        C::Scalar::from_bytes(bytes.try_into().ok()?).map(Self)
    }

    pub(super) const fn scalar(&self) -> &C::Scalar {
        &self.0
    }
}

/// RFC 9591, Section 5.2: round two. The nonces are used up.
///
/// `share` is of the key that the package's target names, before any path, tweak or negation.
pub(crate) fn sign<C: Ciphersuite>(
    package: &SigningPackage<C>,
    nonces: Nonces<C>,
    share: &Secret<C::Scalar>,
    id: Identifier,
) -> Result<SignatureShare<C>, SignError> {
    let (commitments, binding_factor) = package.of(id).ok_or(SignError::NotASigner)?;
    if forbids!(NoncesOfTheirCommitments, commitments != nonces.commitments()) {
        return Err(SignError::OtherCommitments);
    }
    let Adjustment { factor, addend, .. } = package.adjustment();
    let share = Zeroizing::new(*factor * *share.expose() + *addend);
    let nonce = nonces.combine(binding_factor);
    let nonce = if package.negates_nonces() { Zeroizing::new(-*nonce) } else { nonce };
    Ok(SignatureShare(*nonce + package.weight(id) * *share))
}

/// RFC 9591, Section 5.4: whether a share is that of the member with this verifying share, to the commitments that
/// the package has of it. Variable-time: all of it is public.
pub(crate) fn verify_share<C: Ciphersuite>(
    package: &SigningPackage<C>,
    id: Identifier,
    share: &SignatureShare<C>,
    verifying_share: &C::Element,
) -> bool {
    let error = ShareError::new(package, id, share, &package.weight(id), verifying_share);
    error.is_some_and(|error| ShareError::total([&error].into_iter()).is_identity())
}

/// By how much a signature share is off, as a sum that is not computed yet: for a right share it is nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShareError<C: Ciphersuite> {
    /// The multiple of the generator.
    base: C::Scalar,
    rest: [(C::Scalar, C::Element); 3],
}

impl<C: Ciphersuite> ShareError<C> {
    /// `weight` is what the package gives the signer. `None` for who is no signer.
    pub(super) fn new(
        package: &SigningPackage<C>,
        id: Identifier,
        share: &SignatureShare<C>,
        weight: &C::Scalar,
        verifying_share: &C::Element,
    ) -> Option<Self> {
        let (commitments, binding_factor) = package.of(id)?;
        let Adjustment { factor, addend, .. } = package.adjustment();
        let (hiding, binding) = (commitments.hiding, commitments.binding);
        // Points are negated and not scalars, so that small multiples stay small.
        let (hiding, binding) = if package.negates_nonces() { (hiding, binding) } else { (-hiding, -binding) };
        let rest = [(*weight * *factor, -*verifying_share), (C::Scalar::ONE, hiding), (*binding_factor, binding)];
        Some(Self { base: share.0 - *weight * *addend, rest })
    }

    /// A multiple of the error.
    pub(super) fn times(&self, multiple: &C::Scalar) -> Self {
        Self { base: *multiple * self.base, rest: self.rest.map(|(scalar, point)| (*multiple * scalar, point)) }
    }

    /// The sum of some errors.
    pub(super) fn total<'a>(errors: impl Iterator<Item = &'a Self> + Clone) -> C::Element {
        let base = errors.clone().fold(C::Scalar::ZERO, |sum, error| sum + error.base);
        let terms: Vec<_> = errors.flat_map(|error| error.rest).collect();
        C::Element::vartime_mul_base_add_sum(&base, &terms)
    }
}
