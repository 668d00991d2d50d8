//! The cipher of one share: COCKTAIL's `Enc` and `Dec`, whose key and nonce come out of H6.

use core::fmt;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit};
use xaes_256_gcm::Xaes256Gcm;
use zeroize::Zeroizing;

/// Which AEAD it is.
#[derive(Clone, Copy)]
enum Algorithm {
    XChaCha20Poly1305,
    Xaes256Gcm,
}

/// A key and nonce for one plaintext, from one sender to one recipient in one context. Wiped when dropped.
pub(crate) struct ShareCipher {
    algorithm: Algorithm,
    key: Box<Zeroizing<[u8; 32]>>,
    nonce: Box<Zeroizing<[u8; 24]>>,
}

impl ShareCipher {
    pub(super) fn xchacha20_poly1305(key: [u8; 32], nonce: [u8; 24]) -> Self {
        Self::new(Algorithm::XChaCha20Poly1305, key, nonce)
    }

    pub(super) fn xaes_256_gcm(key: [u8; 32], nonce: [u8; 24]) -> Self {
        Self::new(Algorithm::Xaes256Gcm, key, nonce)
    }

    fn new(algorithm: Algorithm, key: [u8; 32], nonce: [u8; 24]) -> Self {
        Self { algorithm, key: Box::new(Zeroizing::new(key)), nonce: Box::new(Zeroizing::new(nonce)) }
    }

    /// Ciphertext and tag.
    pub(crate) fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let (key, nonce) = (&(**self.key).into(), &(**self.nonce).into());
        match self.algorithm {
            Algorithm::XChaCha20Poly1305 => XChaCha20Poly1305::new(key).encrypt(nonce, plaintext),
            Algorithm::Xaes256Gcm => Xaes256Gcm::new(key).encrypt(nonce, plaintext),
        }
        .expect("only a plaintext of gigabytes fails")
    }

    /// The plaintext, or `None` when the ciphertext was not made with this key, nonce and context.
    pub(crate) fn open(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (key, nonce) = (&(**self.key).into(), &(**self.nonce).into());
        match self.algorithm {
            Algorithm::XChaCha20Poly1305 => XChaCha20Poly1305::new(key).decrypt(nonce, ciphertext),
            Algorithm::Xaes256Gcm => Xaes256Gcm::new(key).decrypt(nonce, ciphertext),
        }
        .ok()
        .map(Zeroizing::new)
    }
}

impl fmt::Debug for ShareCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareCipher(..)")
    }
}
