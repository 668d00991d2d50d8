//! One member's part of a signature.

use core::fmt;

use zeroize::Zeroizing;

use super::{Nonces, SigningPackage};
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
    if commitments != nonces.commitments() {
        return Err(SignError::OtherCommitments);
    }
    let Adjustment { factor, addend, .. } = *package.adjustment();
    let share = Zeroizing::new(factor * *share.expose() + addend);
    let nonce = nonces.combine(binding_factor);
    Ok(SignatureShare(package.nonce_sign() * *nonce + package.weight(id) * *share))
}

/// RFC 9591, Section 5.4: whether a share is that of the member with this verifying share, to the commitments that
/// the package has of it. Variable-time: all of it is public.
pub(crate) fn verify_share<C: Ciphersuite>(
    package: &SigningPackage<C>,
    id: Identifier,
    share: &SignatureShare<C>,
    verifying_share: &C::Element,
) -> bool {
    let Some((commitments, binding_factor)) = package.of(id) else { return false };
    let Adjustment { factor, addend, .. } = *package.adjustment();
    let (weight, sign) = (package.weight(id), package.nonce_sign());
    C::Element::vartime_sum_of_products(&[
        (share.0 - weight * addend, C::Element::generator()),
        (-(weight * factor), *verifying_share),
        (-sign, commitments.hiding),
        (-(sign * *binding_factor), commitments.binding),
    ])
    .is_identity()
}
