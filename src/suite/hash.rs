//! The hash functions under the suites, over byte strings in parts.

use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

/// SHA-512 of the concatenated parts. Wiped when dropped, since nonces and keys are made of it.
pub(super) fn sha512(parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let mut hasher = Sha512::new();
    for part in parts {
        hasher.update(part);
    }
    Zeroizing::new(hasher.finalize().into())
}

/// SHA-256 of the concatenated parts. Wiped when dropped.
pub(super) fn sha256(parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Zeroizing::new(hasher.finalize().into())
}

/// BIP-340's tagged hash of the concatenated parts.
pub(super) fn tagged(tag: &str, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let tag = sha256(&[tag.as_bytes()]);
    let mut whole: Vec<&[u8]> = vec![tag.as_slice(), tag.as_slice()];
    whole.extend_from_slice(parts);
    sha256(&whole)
}

/// RFC 9380, Section 5.3.1: `expand_message_xmd` with SHA-256 to 48 bytes. The tag is `context || label`.
pub(super) fn expand(context: &[u8], label: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 48]> {
    let len = u8::try_from(context.len() + label.len()).expect("the tags of the suites are some thirty bytes");
    let dst: [&[u8]; 3] = [context, label, &[len]];

    let mut whole: Vec<&[u8]> = vec![&[0; 64]];
    whole.extend_from_slice(parts);
    whole.extend_from_slice(&[&[0, 48, 0]]);
    whole.extend_from_slice(&dst);
    let b0 = sha256(&whole);

    let [dst0, dst1, dst2] = dst;
    let b1 = sha256(&[b0.as_slice(), &[1], dst0, dst1, dst2]);
    let mut mixed = Zeroizing::new([0; 32]);
    for ((out, a), b) in mixed.iter_mut().zip(b0.iter()).zip(b1.iter()) {
        *out = a ^ b;
    }
    let b2 = sha256(&[mixed.as_slice(), &[2], dst0, dst1, dst2]);

    let mut uniform = Zeroizing::new([0; 48]);
    for (out, byte) in uniform.iter_mut().zip(b1.iter().chain(b2.iter())) {
        *out = *byte;
    }
    uniform
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tagged_hash_is_that_of_bip_340() {
        let tag = sha256(&[b"BIP0340/challenge"]);
        assert_eq!(tagged("BIP0340/challenge", &[b"a", b"bc"]), sha256(&[tag.as_slice(), tag.as_slice(), b"abc"]));
    }
}
