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

/// SHA-512 of the same first parts and each of the last ones. Public data: nothing is wiped.
pub(super) fn sha512_each(prefix: &[&[u8]], last: &[[u8; 32]]) -> impl Iterator<Item = [u8; 64]> {
    let shared = prefix.iter().fold(Sha512::new(), Digest::chain_update);
    last.iter().map(move |last| shared.clone().chain_update(last).finalize().into())
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
    expand_from(&expand_prefix(parts), context, label, &[])
}

/// [`expand`] of the same first parts and each of the last ones.
pub(super) fn expand_each(
    context: &[u8],
    label: &[u8],
    prefix: &[&[u8]],
    last: &[[u8; 32]],
) -> impl Iterator<Item = Zeroizing<[u8; 48]>> {
    let shared = expand_prefix(prefix);
    last.iter().map(move |last| expand_from(&shared, context, label, last))
}

fn expand_prefix(parts: &[&[u8]]) -> Sha256 {
    parts.iter().fold(Sha256::new_with_prefix([0; 64]), Digest::chain_update)
}

fn expand_from(prefix: &Sha256, context: &[u8], label: &[u8], last: &[u8]) -> Zeroizing<[u8; 48]> {
    let len = u8::try_from(context.len() + label.len()).expect("the tags of the suites are some thirty bytes");
    let b0 = prefix.clone().chain_update(last).chain_update([0, 48, 0]);
    let b0: Zeroizing<[u8; 32]> =
        Zeroizing::new(b0.chain_update(context).chain_update(label).chain_update([len]).finalize().into());
    let b1 = sha256(&[b0.as_slice(), &[1], context, label, &[len]]);
    let mut mixed = Zeroizing::new([0; 32]);
    for ((out, a), b) in mixed.iter_mut().zip(b0.iter()).zip(b1.iter()) {
        *out = a ^ b;
    }
    let b2 = sha256(&[mixed.as_slice(), &[2], context, label, &[len]]);

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
