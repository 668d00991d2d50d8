//! Writing and reading an age file without leaving its plaintext behind.
//!
//! The age crate's writer collects the plaintext in a buffer that it frees unwiped, and its reader shortens the blocks that
//! it decrypts, which may move them. So only the header is the crate's, with its MAC. The payload is sealed here, in the
//! file's own buffer, and opened here, in memory that is wiped, under the file key that the crate shows to each recipient
//! and gets from each identity.

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
use crate::guard::{forbids, holds};
use crate::suite::verdict;

/// Of plaintext; its tag follows each chunk.
const CHUNK_LENGTH: usize = 64 * 1024;
const TAG_LENGTH: usize = 16;

/// Between the header and the payload.
const NONCE_LENGTH: usize = 16;

/// A recipient or an identity that remembers the file key it wrapped or unwrapped.
struct Witness<'a, T: ?Sized> {
    of: &'a T,
    file_key: RefCell<Zeroizing<[u8; 16]>>,
}

impl<'a, T: ?Sized> Witness<'a, T> {
    fn new(of: &'a T) -> Self {
        Self { of, file_key: RefCell::default() }
    }

    fn remember(&self, file_key: &FileKey) {
        self.file_key.borrow_mut().copy_from_slice(file_key.expose_secret());
    }

    /// Of the file whose header and nonce these are.
    fn payload_key(&self, header_and_nonce: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let nonce = header_and_nonce.last_chunk::<NONCE_LENGTH>()?;
        Some(Zeroizing::new(hkdf(nonce, b"payload", self.file_key.borrow().as_slice())))
    }
}

impl age::Recipient for Witness<'_, dyn age::Recipient + '_> {
    fn wrap_file_key(&self, file_key: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        self.remember(file_key);
        self.of.wrap_file_key(file_key)
    }
}

impl age::Identity for Witness<'_, dyn age::Identity + '_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        self.of.unwrap_stanza(stanza).map(|unwrapped| unwrapped.inspect(|file_key| self.remember(file_key)))
    }
}

/// A whole age file.
pub(super) fn seal_to(plaintext: &[u8], recipient: &dyn age::Recipient) -> Result<Vec<u8>, WrapError> {
    let witness = Witness::new(recipient);
    let mut file = header_and_nonce(&witness)?;
    let key = witness.payload_key(&file).ok_or(WrapError::Recipient)?;
    seal_payload(&mut file, plaintext, &key)?;
    Ok(file)
}

/// What a whole age file holds.
// No error of the age crate is formatted or kept: showing one of them can panic, and they tell wrong keys from changed
// bytes.
pub(super) fn open_with(file: &[u8], identity: &dyn age::Identity) -> Result<Zeroizing<Vec<u8>>, WrapError> {
    let witness = Witness::new(identity);
    let mut payload = file;
    let decryptor = age::Decryptor::new_buffered(&mut payload).map_err(|_| WrapError::Unwrap)?;
    // Checks the header's MAC. Nothing is read through the reader: what it would read is the payload.
    let checked: &dyn age::Identity = &witness;
    drop(decryptor.decrypt(iter::once(checked)).map_err(|_| WrapError::Unwrap)?);
    let header_and_nonce = file.get(..file.len() - payload.len()).ok_or(WrapError::Unwrap)?;
    let key = witness.payload_key(header_and_nonce).ok_or(WrapError::Unwrap)?;
    open_payload(payload, &key).ok_or(WrapError::Unwrap)
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

/// All chunks but the last are whole, and the last is empty only where there is no other. `None` for anything else.
fn open_payload(payload: &[u8], key: &[u8; 32]) -> Option<Zeroizing<Vec<u8>>> {
    if forbids!(PayloadHasAChunk, payload.is_empty()) {
        return None;
    }
    let cipher = ChaCha20Poly1305::new(key.into());
    let mut chunks = payload.chunks(CHUNK_LENGTH + TAG_LENGTH).zip(0_u64..).peekable();
    // Larger than what comes in, so that nothing is moved while it is opened.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(payload.len()));
    while let Some((chunk, counter)) = chunks.next() {
        let (sealed, tag) = chunk.split_last_chunk::<TAG_LENGTH>()?;
        if forbids!(LastChunkNotEmpty, sealed.is_empty() && counter > 0) {
            return None;
        }
        let nonce = chunk_nonce(counter, chunks.peek().is_none());
        let start = plaintext.len();
        plaintext.extend_from_slice(sealed);
        let place = InOutBuf::from(plaintext.get_mut(start..)?);
        let opened = cipher.decrypt_inout_detached(&nonce.into(), &[], place, tag.into());
        // Whether the tag fits is made of the key, and told to all.
        if !holds!(ChunkAuthentic, verdict(u8::from(opened.is_ok()).into())) {
            return None;
        }
    }
    Some(plaintext)
}

fn chunk_nonce(counter: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    let bytes = counter.to_be_bytes().into_iter().chain([u8::from(last)]);
    nonce.iter_mut().skip(3).zip(bytes).for_each(|(place, byte)| *place = byte);
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    /// Chunks of these lengths, of which those numbers are marked as the last.
    fn payload(lengths: &[usize], marked: &[usize]) -> Vec<u8> {
        let cipher = ChaCha20Poly1305::new((&KEY).into());
        let mut payload = Vec::new();
        for (at, length) in lengths.iter().enumerate() {
            let mut chunk = vec![0x5a; *length];
            let nonce = chunk_nonce(at.try_into().unwrap(), marked.contains(&at));
            let tag = cipher.encrypt_inout_detached(&nonce.into(), &[], InOutBuf::from(chunk.as_mut_slice())).unwrap();
            payload.extend(chunk.iter().chain(&tag));
        }
        payload
    }

    fn opened(payload: &[u8]) -> Option<usize> {
        open_payload(payload, &KEY).map(|plaintext| plaintext.len())
    }

    #[test]
    fn chunks_in_their_order_with_the_last_one_marked_open() {
        for lengths in [&[0][..], &[1], &[65_535], &[65_536], &[65_536, 1], &[65_536, 65_536]] {
            assert_eq!(opened(&payload(lengths, &[lengths.len() - 1])), Some(lengths.iter().sum()), "{lengths:?}");
        }
    }

    #[test]
    fn a_payload_without_a_chunk_is_refused() {
        assert_eq!(opened(&[]), None);
        for length in 1..TAG_LENGTH {
            assert_eq!(opened(&payload(&[0], &[0])[..length]), None, "{length}");
        }
    }

    #[test]
    fn an_empty_chunk_after_others_is_refused() {
        assert_eq!(opened(&payload(&[65_536, 0], &[1])), None);
        assert_eq!(opened(&payload(&[65_536, 65_536, 0], &[2])), None);
    }

    #[test]
    fn chunks_that_are_marked_wrongly_are_refused() {
        for (lengths, marked) in
            [(&[1][..], &[][..]), (&[65_536], &[]), (&[65_536, 1], &[0]), (&[65_536, 1], &[0, 1]), (&[65_536, 1], &[])]
        {
            assert_eq!(opened(&payload(lengths, marked)), None, "{lengths:?} {marked:?}");
        }
    }

    #[test]
    fn chunks_that_are_short_out_of_order_repeated_or_missing_are_refused() {
        assert_eq!(opened(&payload(&[65_535, 1], &[1])), None);
        let whole = payload(&[65_536, 65_536, 9], &[2]);
        let [one, two, three] = [0, 1, 2].map(|at| whole.chunks(CHUNK_LENGTH + TAG_LENGTH).nth(at).unwrap());
        assert_eq!(opened(&[one, two, three].concat()), Some(131_081));
        for chunks in
            [&[two, one, three][..], &[one, three], &[two, three], &[one, one, two, three], &[one, two], &[three]]
        {
            assert_eq!(opened(&chunks.concat()), None);
        }
    }
}
