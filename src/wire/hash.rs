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
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// The bytes between the cuts.
    fn cut(bytes: &[u8], mut cuts: Vec<usize>) -> Vec<&[u8]> {
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|ends| bytes.get(ends[0]..ends[1].min(bytes.len())).unwrap_or_default()).collect()
    }

    /// The first of them as the tag.
    fn hash(parts: &[&[u8]]) -> [u8; 32] {
        tagged_hash(core::str::from_utf8(parts[0]).unwrap(), &parts[1..])
    }

    fn with_lengths(parts: &[&[u8]]) -> Vec<u8> {
        parts.iter().flat_map(|part| [&u64::try_from(part.len()).unwrap().to_be_bytes(), *part].concat()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Small numbers, so that what is in a part looks like a length as well.
        #[test]
        fn two_lists_of_the_same_bytes_have_one_hash_only_if_they_are_one_list(
            bytes in vec(0_u8..10, 0..40), one in vec(0_usize..40, 0..5), two in vec(0_usize..40, 0..5),
        ) {
            let (one, two) = (cut(&bytes, one), cut(&bytes, two));
            prop_assert_eq!(hash(&one) == hash(&two), one == two);
            // A list that is written into one part of another.
            for inner in [&one, &two] {
                let inner = with_lengths(inner);
                let outer: [&[&[u8]]; 3] = [&[&inner], &[&inner, b""], &[b"", &inner]];
                prop_assert!(outer.iter().all(|outer| hash(outer) != hash(&one) && hash(outer) != hash(&two)));
            }
        }
    }

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
