//! Keys out of key trees: phrases (BIP-39), nodes and paths (BIP-32, SLIP-10).

#[cfg(test)]
mod tests;

use bip32::{DerivationPath, XPrv};
use bip39::{Language, Mnemonic};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use zeroize::Zeroizing;

use super::{ImportError, ImportedKey};
use crate::suite::Suite;

/// What of a node is secret: key, and chain code.
type Node = (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>);

#[allow(clippy::needless_pass_by_value, reason = "what is taken whole is wiped here, and not used again")]
impl ImportedKey {
    /// The key at a path of the tree that a BIP-39 phrase stands for: after BIP-32, and for Ed25519 after SLIP-10.
    ///
    /// The phrase may be in any of BIP-39's languages. Most wallets have no passphrase: then it is empty. Every passphrase
    /// leads to some key; that it is the right one shows in [`group_key`](Self::group_key) alone.
    ///
    /// The path begins with `m`; a step is hardened by `'` or `h`, as in `m/86'/0'/0'`. An account's node brings all
    /// its addresses, a leaf one: see [`ImportedKey`]. Needs the feature `phrase`.
    ///
    /// ```
    /// use quorumkey::{ImportedKey, Suite};
    /// use zeroize::Zeroizing;
    ///
    /// let phrase = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    /// let phrase = Zeroizing::new(phrase.to_owned());
    /// // BIP-86's own example: the internal key of its first receiving address.
    /// let key = ImportedKey::from_phrase(Suite::Secp256k1Taproot, phrase, Zeroizing::default(), "m/86'/0'/0'/0/0")?;
    /// let internal = "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115";
    /// assert!(key.group_key().to_string().ends_with(internal));
    /// # Ok::<(), quorumkey::ImportError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ImportError::Phrase`] for a word or a checksum that is wrong, [`ImportError::Path`] for a path that is none,
    /// and for one of Ed25519 with a step that is not hardened.
    pub fn from_phrase(
        suite: Suite,
        phrase: Zeroizing<String>,
        passphrase: Zeroizing<String>,
        path: &str,
    ) -> Result<Self, ImportError> {
        // The seed is made of the words themselves: a phrase that two languages share means the same in both.
        let read = |language: &Language| Mnemonic::parse_in(*language, phrase.as_str()).ok();
        let mnemonic = Language::ALL.iter().find_map(read).ok_or(ImportError::Phrase)?;
        let seed = Zeroizing::new(mnemonic.to_seed(passphrase.as_str()));
        Self::at(suite, seed.as_slice(), path)
    }

    /// The key at a path of the tree with that master seed of 16, 32 or 64 bytes. What a BIP-39 phrase makes has 64.
    /// Needs the feature `phrase`.
    ///
    /// # Errors
    ///
    /// [`ImportError::Node`] for another length, [`ImportError::Path`] as of [`from_phrase`](Self::from_phrase).
    pub fn from_master_seed(suite: Suite, seed: Zeroizing<Vec<u8>>, path: &str) -> Result<Self, ImportError> {
        Self::at(suite, &seed, path)
    }

    /// The key at a path below an extended private key (`xprv…`, and the prefixes of other networks and scripts). `m` is
    /// the extended key itself. Needs the feature `phrase`.
    ///
    /// # Errors
    ///
    /// [`ImportError::Node`] for what is none, and for Ed25519, which has none; [`ImportError::Path`] for a path that is none.
    pub fn from_extended(suite: Suite, extended: Zeroizing<String>, path: &str) -> Result<Self, ImportError> {
        let path = parse(path)?;
        if suite == Suite::Ed25519 {
            return Err(ImportError::Node);
        }
        let root: XPrv = extended.parse().map_err(|_| ImportError::Node)?;
        let step = |node: Result<XPrv, ImportError>, child| node?.derive_child(child).map_err(|_| ImportError::Node);
        let (scalar, chain_code) = node(&path.into_iter().fold(Ok(root), step)?);
        Self::from_node(suite, scalar, chain_code)
    }

    fn at(suite: Suite, seed: &[u8], path: &str) -> Result<Self, ImportError> {
        let path = parse(path)?;
        if suite == Suite::Ed25519 {
            let (seed, chain_code) = slip10(seed, &path)?;
            let scalar = super::Ed25519Scalar::of_seed(&seed);
            return Self::from_node(suite, Zeroizing::new(super::Scalar::to_bytes(&scalar)), chain_code);
        }
        let (scalar, chain_code) = node(&XPrv::derive_from_path(seed, &path).map_err(|_| ImportError::Node)?);
        Self::from_node(suite, scalar, chain_code)
    }
}

fn node(node: &XPrv) -> Node {
    (Zeroizing::new(node.to_bytes()), Zeroizing::new(node.attrs().chain_code))
}

/// A path in its usual writing: `m`, then numbers, hardened ones with `'` or `h`.
fn parse(path: &str) -> Result<DerivationPath, ImportError> {
    // The crate would take a sign as well.
    if path.chars().any(|character| !matches!(character, 'm' | '/' | '0'..='9' | '\'' | 'h')) {
        return Err(ImportError::Path);
    }
    path.parse().map_err(|_| ImportError::Path)
}

/// SLIP-10 for Ed25519: hardened steps only. What comes out is an RFC 8032 seed and a chain code.
fn slip10(seed: &[u8], path: &DerivationPath) -> Result<Node, ImportError> {
    if ![16, 32, 64].contains(&seed.len()) {
        return Err(ImportError::Node);
    }
    let mut node = halves(b"ed25519 seed", &[seed]);
    for child in path.iter() {
        if !child.is_hardened() {
            return Err(ImportError::Path);
        }
        let (key, chain_code) = &node;
        node = halves(chain_code.as_slice(), &[&[0], key.as_slice(), &child.to_bytes()]);
    }
    Ok(node)
}

fn halves(key: &[u8], parts: &[&[u8]]) -> Node {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    let hash: Zeroizing<[u8; 64]> = Zeroizing::new(mac.finalize().into_bytes().into());
    let (left, right) = hash.split_first_chunk().expect("32 of 64 bytes");
    (Zeroizing::new(*left), Zeroizing::new(*right.first_chunk().expect("the other 32")))
}
