//! Hashes with a tag of their own kind, and the names that are such hashes.

use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::guard::unless_off;
use crate::suite::write_hex;

/// SHA-256 over the tag and the parts, each behind its length, so that no two inputs share their bytes.
pub(crate) fn tagged_hash(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in core::iter::once(tag.as_bytes()).chain(parts.iter().copied()) {
        let len = u64::try_from(part.len()).expect("a slice is shorter than 2^64 bytes").to_be_bytes();
        hash.update(unless_off!(PartsWithTheirLength, len.as_slice(), &[]));
        hash.update(part);
    }
    hash.finalize().into()
}

/// Bytes in lower-case hexadecimal.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, self.0)
    }
}

macro_rules! digest_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The name of these 32 bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Hex(&self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

digest_name! {
    /// Names a run: the hash of its plan.
    RunId
}
digest_name! {
    /// Names a key: the hash of its suite and group key, the same for all members and all epochs. Its `CKA_ID`.
    KeyId
}
digest_name! {
    /// Names an epoch of a key: the hash of the transcript that dealt its shares.
    EpochId
}
digest_name! {
    /// Names a card: the hash of its bytes.
    CardId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_slide_into_each_other() {
        let hashes = [
            tagged_hash("t", &[b"ab", b"c"]),
            tagged_hash("t", &[b"a", b"bc"]),
            tagged_hash("t", &[b"abc"]),
            tagged_hash("t", &[b"abc", b""]),
            tagged_hash("ta", &[b"bc"]),
        ];
        for (i, a) in hashes.iter().enumerate() {
            assert!(hashes.iter().skip(i + 1).all(|b| a != b));
        }
    }

    #[test]
    fn the_bytes_of_a_tagged_hash_are_frozen() {
        // SHA-256 of 00..01 74 | 00..02 6162, computed with another implementation.
        let expected: [u8; 32] =
            Sha256::digest([0, 0, 0, 0, 0, 0, 0, 1, 0x74, 0, 0, 0, 0, 0, 0, 0, 2, 0x61, 0x62]).into();
        assert_eq!(tagged_hash("t", &[b"ab"]), expected);
    }
}
