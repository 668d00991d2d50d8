//! Writing an age file without leaving its plaintext behind.
//!
//! The age crate's writer collects the plaintext in a buffer that it frees unwiped. So only the header is the crate's;
//! the payload is sealed here, in the file's own buffer, under the file key that the crate shows to each recipient.
//! Reading is the crate's: it wipes what it decrypts.

use core::cell::RefCell;
use core::iter;
use std::collections::HashSet;

use age_core::format::{FileKey, Stanza};
use age_core::primitives::hkdf;
use age_core::secrecy::ExposeSecret;
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use zeroize::Zeroizing;

use super::WrapError;

/// Of plaintext; its tag follows each chunk.
const CHUNK_LENGTH: usize = 64 * 1024;
const TAG_LENGTH: usize = 16;

/// Between the header and the payload.
const NONCE_LENGTH: usize = 16;

/// A recipient that remembers the file key it was asked to wrap.
struct Witness<'a> {
    recipient: &'a dyn age::Recipient,
    file_key: RefCell<Zeroizing<[u8; 16]>>,
}

impl age::Recipient for Witness<'_> {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        self.file_key.borrow_mut().copy_from_slice(file_key.expose_secret());
        self.recipient.wrap_file_key(file_key)
    }
}

/// A whole age file.
pub(super) fn seal_to(plaintext: &[u8], recipient: &dyn age::Recipient) -> Result<Vec<u8>, WrapError> {
    let witness = Witness { recipient, file_key: RefCell::default() };
    let mut file = header_and_nonce(&witness)?;
    let nonce = file.last_chunk::<NONCE_LENGTH>().ok_or(WrapError::Recipient)?;
    let key = Zeroizing::new(hkdf(nonce, b"payload", witness.file_key.borrow().as_slice()));
    seal_payload(&mut file, plaintext, &key)?;
    Ok(file)
}

fn header_and_nonce(recipient: &dyn age::Recipient) -> Result<Vec<u8>, WrapError> {
    let encryptor = age::Encryptor::with_recipients(iter::once(recipient)).map_err(|_| WrapError::Recipient)?;
    let mut file = Vec::new();
    // Nothing is written through the writer, and it is not finished: what came so far is all that is wanted.
    drop(encryptor.wrap_output(&mut file).map_err(|_| WrapError::Recipient)?);
    Ok(file)
}

/// age-encryption.org/v1, "Payload": chunks under a nonce of a counter, 11 bytes, and a byte that is 1 for the last.
fn seal_payload(file: &mut Vec<u8>, plaintext: &[u8], key: &[u8; 32]) -> Result<(), WrapError> {
    let cipher = ChaCha20Poly1305::new(key.into());
    let count = plaintext.len().div_ceil(CHUNK_LENGTH).max(1);
    // All of it at once: growing would leave copies behind.
    file.reserve_exact(plaintext.len() + count * TAG_LENGTH);
    // An empty plaintext is one empty chunk.
    let empty = plaintext.is_empty().then_some(plaintext);
    for (counter, chunk) in plaintext.chunks(CHUNK_LENGTH).chain(empty).enumerate() {
        let counter = u64::try_from(counter).map_err(|_| WrapError::TooLarge)?;
        let nonce = chunk_nonce(counter, counter + 1 == u64::try_from(count).map_err(|_| WrapError::TooLarge)?);
        let start = file.len();
        file.extend_from_slice(chunk);
        let place = file.get_mut(start..).ok_or(WrapError::TooLarge)?;
        let sealed = cipher.encrypt_inout_detached(&nonce.into(), &[], InOutBuf::from(place));
        file.extend_from_slice(&sealed.map_err(|_| WrapError::TooLarge)?);
    }
    Ok(())
}

fn chunk_nonce(counter: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    let bytes = counter.to_be_bytes().into_iter().chain([u8::from(last)]);
    nonce.iter_mut().skip(3).zip(bytes).for_each(|(place, byte)| *place = byte);
    nonce
}
