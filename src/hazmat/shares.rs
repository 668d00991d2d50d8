//! The public halves of shares, for tests that look for the secret ones.

use std::collections::BTreeMap;

use crate::protocol::{Certificate, CertificateError};
use crate::wire::Identifier;

/// Each member's share times the generator, as an epoch's transcript gives it. No signature is verified.
///
/// # Errors
///
/// When the certificate's plan or transcript can't be read.
pub fn verifying_shares(certificate: &Certificate) -> Result<BTreeMap<Identifier, Vec<u8>>, CertificateError> {
    Ok(certificate.epoch()?.verifying_shares)
}
