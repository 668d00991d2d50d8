//! Keys that were made elsewhere, on their way into a group.

#[cfg(feature = "phrase")]
mod phrase;

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

#[cfg(all(feature = "hazmat", feature = "phrase"))]
use crate::derivation::{DerivationError, ExtendedPublicKey};
use crate::protocol::{Brought, chain_hash};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Ed25519Scalar, Element, GroupKey, Scalar, Suite, verdict, with_suite};
use crate::wire::tagged_hash;

/// Why a key can't be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// The bytes are no secret of the suite: zero, or not below the group's order.
    Scalar,
    /// The phrase has a wrong number of words, an unknown word, or a wrong checksum.
    Phrase,
    /// The path is none, or goes where the suite's derivation can't: Ed25519 knows hardened steps only.
    Path,
    /// The text or the seed is no node of a key tree.
    Node,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "the bytes are no secret of the suite",
            Self::Phrase => "the phrase is none of BIP-39",
            Self::Path => "the path is none that the suite can go",
            Self::Node => "this is no node of a key tree",
        })
    }
}

impl core::error::Error for ImportError {}

/// The secret of a key that was made elsewhere, and that a group is to share from now on. Wiped when dropped.
///
/// [`group_key`](Self::group_key) is the public key that it has now, and will have as the group's: compare it, or its
/// address, with what the old wallet shows, before anything else.
///
/// The chain code comes along, so that derived addresses stay. A key that has none gets one made from its secret: another
/// attempt to import it makes the same.
///
/// Of a wallet's key tree the node of an account (BIP-86: `m/86'/0'/0'`) brings all its addresses, as children of the
/// group's key; that of a leaf (`m/86'/0'/0'/0/0`) brings the one. The group's
/// [extended public key](crate::Session::extended_public_key) is written as a root: its text differs from that of the
/// old account, key and chain code don't. The address of a key with scripts is that of [`GroupKey::verifying_key`] with
/// their root, not of [`KeyInfo::verifying_key`](crate::KeyInfo::verifying_key).
///
/// With the feature `phrase` there are `from_phrase`, `from_master_seed` and `from_extended` as well: BIP-39, BIP-32
/// and SLIP-10.
///
/// ```
/// use quorumkey::{ImportedKey, Suite};
/// use zeroize::Zeroizing;
///
/// // RFC 8032, Section 7.1, TEST 1.
/// let hex = |text: &str| -> [u8; 32] {
///     core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
/// };
/// let seed = Zeroizing::new(hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
/// let key = ImportedKey::from_seed(seed);
/// assert_eq!(key.group_key().suite(), Suite::Ed25519);
/// assert_eq!(
///     key.group_key().to_string(),
///     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
/// );
/// ```
///
/// # Security
///
/// What signs is Ed25519 or Schnorr. A secp256k1 key whose address is spent by ECDSA (P2PKH, P2WPKH, Ethereum) keeps
/// its public key here and can't spend from that address: move its funds first, and keep the old secret until they have
/// moved.
///
/// Whoever knew the secret before knows it for ever: no refresh of the shares changes the key. Where you can, make a new
/// key and move the funds instead. What the caller keeps of seed and phrase is the caller's to wipe.
pub struct ImportedKey {
    secret: Secret<[u8; 32]>,
    chain_code: Secret<[u8; 32]>,
    group_key: GroupKey,
}

#[allow(clippy::needless_pass_by_value, reason = "what is taken whole is wiped here, and not used again")]
impl ImportedKey {
    /// An Ed25519 key by its 32-byte seed, which RFC 8032 calls the private key. Of Solana's 64-byte key files it is the
    /// first half.
    pub fn from_seed(seed: Zeroizing<[u8; 32]>) -> Self {
        let scalar = Secret::new(Ed25519Scalar::of_seed(&seed));
        Self::new(Suite::Ed25519, &Zeroizing::new(scalar.expose().to_bytes()), None)
            .expect("a clamped scalar is never zero modulo the order, which is prime and larger than its cofactor")
    }

    /// A key by its secret scalar: little-endian for Ed25519, as in RFC 8032, big-endian for the others.
    ///
    /// Taproot keys are *internal* keys, before any tweak; the secret of an odd one is taken as it is.
    ///
    /// # Errors
    ///
    /// [`ImportError::Scalar`] for zero, and for what is not below the group's order.
    pub fn from_scalar(suite: Suite, scalar: Zeroizing<[u8; 32]>) -> Result<Self, ImportError> {
        Self::new(suite, &scalar, None)
    }

    /// A key by its secret scalar and the chain code of its node (BIP-32, SLIP-10).
    ///
    /// # Errors
    ///
    /// As [`from_scalar`](Self::from_scalar).
    pub fn from_node(
        suite: Suite,
        scalar: Zeroizing<[u8; 32]>,
        chain_code: Zeroizing<[u8; 32]>,
    ) -> Result<Self, ImportError> {
        Self::new(suite, &scalar, Some(&chain_code))
    }

    fn new(suite: Suite, scalar: &[u8; 32], chain_code: Option<&[u8; 32]>) -> Result<Self, ImportError> {
        let group_key = with_suite!(suite, C => {
            let scalar = <C as Ciphersuite>::Scalar::from_bytes(scalar).map(Secret::new).ok_or(ImportError::Scalar)?;
            let key = <C as Ciphersuite>::Element::mul_base(scalar.expose());
            if key.is_identity() { None } else { Some(GroupKey::new::<C>(&key)) }
        });
        let chain_code = match chain_code {
            Some(chain_code) => Secret::new(*chain_code),
            None => Secret::new(tagged_hash("quorumkey/imported-chain-code/v1", &[&[suite.code()], scalar])),
        };
        Ok(Self { secret: Secret::new(*scalar), chain_code, group_key: group_key.ok_or(ImportError::Scalar)? })
    }

    /// The key's public half: the group's key, once it is imported. For taproot the internal key in full encoding.
    pub const fn group_key(&self) -> &GroupKey {
        &self.group_key
    }

    /// What its children come from, for whoever compares them with those of its public half.
    #[cfg(all(feature = "hazmat", feature = "phrase"))]
    pub(crate) fn extended_public_key(&self) -> Result<ExtendedPublicKey, DerivationError> {
        ExtendedPublicKey::root(self.group_key.clone(), self.chain_code.expose())
    }

    /// What the plan binds of the chain code.
    pub(crate) fn chain_hash(&self) -> [u8; 32] {
        chain_hash(self.chain_code.expose())
    }

    /// Whether a plan imports this key, with this chain code.
    pub(crate) fn is_that_of(&self, group_key: &GroupKey, chain_hash: &[u8; 32]) -> bool {
        let same = self.group_key.as_bytes().ct_eq(group_key.as_bytes()) & self.chain_hash().ct_eq(chain_hash);
        self.group_key.suite() == group_key.suite() && verdict(same)
    }

    /// The secret and the chain code, for the run that deals them.
    pub(crate) fn to_deal(&self) -> Brought {
        Brought { secret: Secret::new(*self.secret.expose()), chain_code: Secret::new(*self.chain_code.expose()) }
    }
}

impl fmt::Debug for ImportedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportedKey").field("group_key", &self.group_key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_that_is_none_is_refused() {
        for suite in Suite::ALL {
            for bytes in [[0; 32], [0xff; 32]] {
                let refused = ImportedKey::from_scalar(suite, Zeroizing::new(bytes));
                assert_eq!(refused.unwrap_err(), ImportError::Scalar, "{suite:?}");
            }
        }
    }

    #[test]
    fn debug_shows_the_public_key_alone() {
        let key = ImportedKey::from_scalar(Suite::Ed25519, Zeroizing::new([7; 32])).unwrap();
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.group_key().to_string()) && !shown.contains("0707") && !shown.contains("[7"));
    }

    #[test]
    fn a_key_without_a_chain_code_gets_the_same_one_each_time() {
        let key = |suite, fill| ImportedKey::from_scalar(suite, Zeroizing::new([fill; 32])).unwrap();
        let one = key(Suite::Secp256k1, 1);
        assert_eq!(one.chain_hash(), key(Suite::Secp256k1, 1).chain_hash());
        assert_ne!(one.chain_hash(), key(Suite::Secp256k1, 2).chain_hash());
        assert_ne!(one.chain_hash(), key(Suite::Secp256k1Taproot, 1).chain_hash());
    }
}
