//! BIP-32's unhardened children of a public key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use zeroize::Zeroizing;

use super::{Ciphersuite, Element, Scalar, Suite};

impl Suite {
    /// Whether keys of the suite have children. BIP-32 is for secp256k1; what there is for ed25519 (SLIP-10) has hardened
    /// children alone, which nobody can derive from a public key.
    pub(crate) const fn has_children(self) -> bool {
        match self {
            Self::Ed25519 => false,
            Self::Secp256k1 | Self::Secp256k1Taproot => true,
        }
    }
}

/// One step down.
pub(crate) struct ChildKey<C: Ciphersuite> {
    /// What is added to the parent's secret.
    pub(crate) offset: C::Scalar,
    /// The child, odd or even as it comes out.
    pub(crate) key: C::Element,
    pub(crate) chain_code: Zeroizing<[u8; 32]>,
}

/// BIP-32, "Public parent key → public child key", of a suite that has children. `None` where BIP-32 says to take the next
/// index, which has a probability of 2^-127.
///
/// The parent goes in with the parity that it has: a taproot key that was made even before has other children.
pub(crate) fn child<C: Ciphersuite>(parent: &C::Element, chain_code: &[u8; 32], index: u32) -> Option<ChildKey<C>> {
    let mut mac = Hmac::<Sha512>::new_from_slice(chain_code).expect("HMAC takes a key of any length");
    mac.update(&parent.to_bytes());
    mac.update(&index.to_be_bytes());
    let output: Zeroizing<[u8; 64]> = Zeroizing::new(mac.finalize().into_bytes().into());
    let (offset, chain_code) = output.split_at(32);
    let offset = C::Scalar::from_bytes(offset.try_into().ok()?)?;
    let key = *parent + C::Element::mul_base(&offset);
    if key.is_identity() {
        return None;
    }
    Some(ChildKey { offset, key, chain_code: Zeroizing::new(chain_code.try_into().ok()?) })
}
