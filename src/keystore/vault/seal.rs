//! Sealing under a key, and to a public key.

use chacha20poly1305::aead::{Aead, AeadInOut, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use curve25519_dalek::montgomery::MontgomeryPoint;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::secret::Secret;
use crate::wire::Writer;

use super::VaultError;

/// A symmetric key, or the private half of a pair.
pub(super) type Key = Secret<[u8; 32]>;

const NONCE: usize = 24;
/// What sealing adds: nonce and tag.
pub(super) const OVERHEAD: usize = NONCE + 16;
/// A key sealed under a key.
pub(super) const SEALED_KEY: usize = 32 + OVERHEAD;
const TO_PUBLIC_TAG: &[u8] = b"quorumkey/vault/to-public/v1";

/// Public bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| VaultError::Random)?;
    Ok(bytes)
}

/// A new key.
pub(super) fn random_key() -> Result<Key, VaultError> {
    let mut key = Secret::new([0; 32]);
    getrandom::fill(key.expose_mut()).map_err(|_| VaultError::Random)?;
    Ok(key)
}

/// Seals under a key: nonce, then ciphertext and tag.
pub(super) fn seal(key: &Key, associated: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
    // 24 random bytes: they don't repeat, whatever copies of the store are written to.
    let nonce = random::<NONCE>()?;
    // Sealed where it stays: a certificate of many members is long.
    let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plaintext);
    let (_, text) = sealed.split_first_chunk_mut::<NONCE>().expect("it begins with the nonce");
    let tag = XChaCha20Poly1305::new(key.expose().into())
        .encrypt_inout_detached(&XNonce::from(nonce), associated, text.into())
        .map_err(|_| VaultError::TooLong)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Opens what [`seal`] made; `None` if the key, the associated data or a byte is another.
pub(super) fn open(key: &Key, associated: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE>()?;
    XChaCha20Poly1305::new(key.expose().into())
        .decrypt(&XNonce::from(*nonce), Payload { msg: ciphertext, aad: associated })
        .ok()
        .map(Zeroizing::new)
}

/// Opens a sealed key.
pub(super) fn open_key(key: &Key, associated: &[u8], sealed: &[u8]) -> Option<Key> {
    let plain = open(key, associated, sealed)?;
    let plain: &[u8; 32] = plain.as_slice().try_into().ok()?;
    let mut opened = Secret::new([0; 32]);
    opened.expose_mut().copy_from_slice(plain);
    Some(opened)
}

/// The public half of a pair.
pub(super) fn public(private: &Key) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(*private.expose()).to_bytes()
}

/// Seals a key so that only the private half of `to` opens it: the ephemeral public key, then the sealed key.
pub(super) fn seal_to(to: &[u8; 32], associated: &[u8], key: &Key) -> Result<Vec<u8>, VaultError> {
    let ephemeral = random_key()?;
    let point = public(&ephemeral);
    let shared = shared(&ephemeral, to, &point, to).ok_or(VaultError::Corrupt)?;
    Ok([point.as_slice(), &seal(&shared, associated, key.expose())?].concat())
}

/// Opens what [`seal_to`] made.
pub(super) fn open_from(private: &Key, associated: &[u8], sealed: &[u8]) -> Option<Key> {
    let (point, sealed) = sealed.split_first_chunk::<32>()?;
    let shared = shared(private, point, point, &public(private))?;
    open_key(&shared, associated, sealed)
}

/// X25519 and a hash over both public keys; `None` for a point of small order, whose product says nothing of the key.
fn shared(private: &Key, other: &[u8; 32], ephemeral: &[u8; 32], to: &[u8; 32]) -> Option<Key> {
    // Any clamped scalar is a multiple of the cofactor: it takes exactly the points of small order to zero. So this is
    // seen by the public point, and nobody looks at the secret product.
    if MontgomeryPoint(*other).mul_clamped([0; 32]) == MontgomeryPoint([0; 32]) {
        return None;
    }
    let mut point = MontgomeryPoint(*other).mul_clamped(*private.expose());
    let mut input = Zeroizing::new(Writer::new().bytes(TO_PUBLIC_TAG).raw(ephemeral).raw(to).finish());
    // Room first: a vector that grows leaves its old place behind unwiped.
    input.reserve_exact(32);
    input.extend_from_slice(point.as_bytes());
    point.zeroize();
    let mut key = Secret::new([0; 32]);
    let mut hash = Sha256::digest(input.as_slice());
    key.expose_mut().copy_from_slice(&hash);
    hash.as_mut_slice().zeroize();
    Some(key)
}
