//! The files: sealing and opening, and what a wallet stores.

use core::fmt;

use zeroize::Zeroizing;

use super::stream::{open_with, seal_to};
use super::{Identity, Recipient, WrapError};
use crate::guard::forbids;

/// The most bytes that a file is read or written with: 32 MiB. A share comes with all certificates of its key, and those of a
/// group of a hundred take some 300 KiB each.
pub const MAX_FILE_LENGTH: usize = 32 << 20;

/// The header with the stream's nonce, and a tag of 16 bytes for each 64 KiB, take less than the difference.
const MAX_PLAINTEXT_LENGTH: usize = MAX_FILE_LENGTH - MAX_HEADER_LENGTH - MAX_FILE_LENGTH / 4096;

/// Room for some forty recipients. The parser below starts again after each line, so without a bound a header of a
/// megabyte would keep it busy for minutes.
const MAX_HEADER_LENGTH: usize = 4096;

macro_rules! wrapped {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// A binary age file, to be stored as it is.
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Vec<u8>);

        impl $name {
            /// Takes a file's bytes. What they are shows when they are opened.
            ///
            /// # Errors
            ///
            /// [`WrapError::TooLarge`] above [`MAX_FILE_LENGTH`].
            pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, WrapError> {
                if bytes.len() > MAX_FILE_LENGTH { Err(WrapError::TooLarge) } else { Ok(Self(bytes)) }
            }

            /// The file's bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }
    };
}

wrapped! {
    /// One member's share of a key at one epoch, sealed.
    WrappedShare
}

wrapped! {
    /// One member's identity, sealed.
    WrappedIdentity
}

/// Seals `plaintext` into a binary age file.
pub(crate) fn seal(plaintext: &[u8], to: &Recipient) -> Result<Vec<u8>, WrapError> {
    if plaintext.len() > MAX_PLAINTEXT_LENGTH {
        return Err(WrapError::TooLarge);
    }
    match to {
        Recipient::Passphrase(passphrase) => seal_to(plaintext, &passphrase.to_age()?),
        Recipient::X25519(key) => seal_to(plaintext, key.as_age()),
    }
}

/// Opens a binary age file.
pub(crate) fn open(file: &[u8], with: &Identity) -> Result<Zeroizing<Vec<u8>>, WrapError> {
    if forbids!(FileBounded, file.len() > MAX_FILE_LENGTH) {
        return Err(WrapError::TooLarge);
    }
    if forbids!(HeaderBounded, !header_is_short(file)) {
        return Err(WrapError::Unwrap);
    }
    match with {
        Identity::Passphrase(words) => open_with(file, &words.to_age()),
        Identity::X25519(key) => open_with(file, key.as_age()),
    }
}

fn header_is_short(file: &[u8]) -> bool {
    file.windows(4).take(MAX_HEADER_LENGTH).any(|window| window == b"\n---")
}

#[cfg(test)]
mod tests {
    use core::iter;

    use super::super::{Passphrase, SecretKey};
    use super::*;

    const PLAINTEXT: &[u8] = b"a share and what belongs to it";

    fn key() -> (Recipient, Identity) {
        let key = SecretKey::from_bytes(&[7; 32]).unwrap();
        (key.recipient(), Identity::X25519(key))
    }

    fn words(words: &str) -> (Recipient, Identity) {
        (Recipient::Passphrase(Passphrase::new(words, 2)), Identity::passphrase(words))
    }

    #[test]
    fn what_was_sealed_opens_again() {
        for (to, with) in [key(), words("armadillo quarry lantern"), words(" spaces, ünïcode ")] {
            for length in [0, 1, 32, 65_535, 65_536, 65_537, 131_072] {
                let plaintext = vec![0x5a; length];
                let file = seal(&plaintext, &to).unwrap();
                assert_eq!(*open(&file, &with).unwrap(), plaintext, "{length}");
            }
        }
    }

    #[test]
    fn the_most_that_is_sealed_opens_again() {
        let (to, with) = key();
        let plaintext = vec![0x5a; MAX_PLAINTEXT_LENGTH];
        let file = seal(&plaintext, &to).unwrap();
        assert!(file.len() <= MAX_FILE_LENGTH);
        assert!(*open(&file, &with).unwrap() == plaintext);
    }

    #[test]
    fn each_sealing_gives_another_file() {
        let (to, _) = key();
        assert_ne!(seal(PLAINTEXT, &to).unwrap(), seal(PLAINTEXT, &to).unwrap());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        for (to, with) in [key(), words("armadillo")] {
            let file = seal(PLAINTEXT, &to).unwrap();
            for position in 0..file.len() {
                for flip in [0x01, 0x20, 0x80, 0xff] {
                    let mut changed = file.clone();
                    changed[position] ^= flip;
                    assert_eq!(open(&changed, &with).err(), Some(WrapError::Unwrap), "{position} {flip:02x}");
                }
            }
        }
    }

    #[test]
    fn every_truncation_and_extension_is_noticed() {
        for (to, with) in [key(), words("armadillo")] {
            let file = seal(PLAINTEXT, &to).unwrap();
            for length in 0..file.len() {
                assert_eq!(open(&file[..length], &with).err(), Some(WrapError::Unwrap), "{length}");
            }
            for more in [1, 16, 17, 65_536, 65_552] {
                let mut longer = file.clone();
                longer.resize(file.len() + more, 0);
                assert_eq!(open(&longer, &with).err(), Some(WrapError::Unwrap), "{more}");
            }
        }
    }

    #[test]
    fn a_file_cut_between_its_chunks_is_noticed() {
        let (to, with) = key();
        let file = seal(&vec![1; 131_072], &to).unwrap();
        assert_eq!(open(&file[..file.len() - 65_552], &with).err(), Some(WrapError::Unwrap));
    }

    #[test]
    fn the_wrong_identity_opens_nothing() {
        let other_key = Identity::generate();
        let other_words = Identity::passphrase("armadill0");
        for (to, _) in [key(), words("armadillo")] {
            let file = seal(PLAINTEXT, &to).unwrap();
            assert_eq!(open(&file, &other_key).err(), Some(WrapError::Unwrap));
            assert_eq!(open(&file, &other_words).err(), Some(WrapError::Unwrap));
        }
    }

    fn asking_for_work(factor: &str) -> Vec<u8> {
        let salt = "AAAAAAAAAAAAAAAAAAAAAA";
        let body = "A".repeat(43);
        let mac = "A".repeat(43);
        let header = format!("age-encryption.org/v1\n-> scrypt {salt} {factor}\n{body}\n--- {mac}\n");
        [header.as_bytes(), &[0; 48]].concat()
    }

    #[test]
    fn a_file_that_asks_for_too_much_work_is_refused_without_any() {
        let (_, with) = words("armadillo");
        // 2^21 would be two gigabytes, 2^63 more than any machine has.
        for factor in ["21", "22", "63", "64", "255", "256", "4294967296", "0", "00", "01", "-1", "+2", ""] {
            assert_eq!(open(&asking_for_work(factor), &with).err(), Some(WrapError::Unwrap), "{factor}");
        }
        // The crate's own error tells that no work was done.
        let Identity::Passphrase(words) = with else { panic!("these are words") };
        let file = asking_for_work("21");
        let decryptor = age::Decryptor::new_buffered(&*file).unwrap();
        let identity: &dyn age::Identity = &words.to_age();
        let result = decryptor.decrypt(iter::once(identity));
        assert!(matches!(result.err(), Some(age::DecryptError::ExcessiveWork { required: 21, .. })));
    }

    fn sealed_to_many(count: usize) -> Vec<u8> {
        let keys = vec![SecretKey::from_bytes(&[7; 32]).unwrap().public_key(); count];
        let recipients = keys.iter().map(|key| -> &dyn age::Recipient { key.as_age() });
        let mut file = Vec::new();
        let mut writer = age::Encryptor::with_recipients(recipients).unwrap().wrap_output(&mut file).unwrap();
        std::io::Write::write_all(&mut writer, PLAINTEXT).unwrap();
        writer.finish().unwrap();
        file
    }

    #[test]
    fn a_long_header_is_refused_before_it_is_parsed() {
        let (_, with) = key();
        assert_eq!(*open(&sealed_to_many(30), &with).unwrap(), PLAINTEXT);
        assert_eq!(open(&sealed_to_many(60), &with).err(), Some(WrapError::Unwrap));
    }

    #[test]
    fn too_much_is_neither_sealed_nor_opened() {
        let (to, with) = key();
        assert_eq!(seal(&vec![0; MAX_PLAINTEXT_LENGTH + 1], &to).err(), Some(WrapError::TooLarge));
        assert_eq!(open(&vec![0; MAX_FILE_LENGTH + 1], &with).err(), Some(WrapError::TooLarge));
        assert!(WrappedShare::from_bytes(vec![0; MAX_FILE_LENGTH]).is_ok());
        assert_eq!(WrappedShare::from_bytes(vec![0; MAX_FILE_LENGTH + 1]), Err(WrapError::TooLarge));
    }

    #[test]
    fn words_that_nobody_can_type_are_no_recipient() {
        for (to, _) in [words(""), words("a\nb"), words("a\0"), words("\u{7f}")] {
            assert_eq!(seal(PLAINTEXT, &to).err(), Some(WrapError::Recipient));
        }
    }

    #[test]
    fn an_armored_file_and_other_formats_are_refused() {
        let (to, with) = key();
        let file = seal(PLAINTEXT, &to).unwrap();
        let next_version = [b"age-encryption.org/v2", &file[21..]].concat();
        let armored: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3Yx\n-----END";
        for other in [armored, &next_version, b"", b"\n---", b"age-encryption.org/v1\n--- \n", &[0xff; 300]] {
            assert_eq!(open(other, &with).err(), Some(WrapError::Unwrap));
        }
    }
}
