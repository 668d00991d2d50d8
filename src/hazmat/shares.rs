//! The public halves of shares, for tests that look for the secret ones.

use std::collections::BTreeMap;

use crate::protocol::{Certificate, CertificateError, lagrange};
use crate::suite::{Ciphersuite, Element, Scalar, Suite, with_suite};
use crate::wire::Identifier;

/// Each member's share times the generator, as an epoch's transcript gives it. No signature is verified.
///
/// # Errors
///
/// When the certificate's plan or transcript can't be read.
pub fn verifying_shares(certificate: &Certificate) -> Result<BTreeMap<Identifier, Vec<u8>>, CertificateError> {
    Ok(certificate.epoch()?.verifying_shares)
}

/// The public key of what these shares interpolate to: the group's, if they are enough of one epoch. `None` when one is no
/// scalar.
pub fn group_key_of_shares(suite: Suite, shares: &[(Identifier, [u8; 32])]) -> Option<Vec<u8>> {
    with_suite!(suite, C => {
        let set = shares.iter().map(|(id, _)| *id).collect();
        let mut sum = <C as Ciphersuite>::Scalar::ZERO;
        for (id, share) in shares {
            sum = sum + lagrange::<C>(*id, &set) * <C as Ciphersuite>::Scalar::from_bytes(share)?;
        }
        Some(<C as Ciphersuite>::Element::mul_base(&sum).to_bytes())
    })
}
