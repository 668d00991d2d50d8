//! Many equations checked as one: the sum of random multiples of what must be nothing is nothing.

use crate::suite::Scalar;
use crate::wire::tagged_hash;

/// So many multiples of 128 bits, drawn from a hash over everything that the equations are about: who makes a wrong
/// equation can't choose it so that it cancels out with others, but with probability 2^-128.
pub(crate) fn multiples<S: Scalar>(about: &[&[u8]], count: usize) -> Vec<S> {
    let seed = tagged_hash("quorumkey/batch/v1", about);
    let word = S::from_u64(1 << 32) * S::from_u64(1 << 32);
    let draw = |number: u64| {
        let hash = tagged_hash("quorumkey/batch-multiple/v1", &[&seed, &number.to_be_bytes()]);
        let ([high, low], _) = hash.as_chunks::<8>().0.split_first_chunk().expect("32 bytes are four words");
        S::from_u64(u64::from_be_bytes(*high)) * word + S::from_u64(u64::from_be_bytes(*low))
    };
    (0..).map(draw).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{Ciphersuite, Ed25519};

    #[test]
    fn multiples_differ_have_128_bits_and_change_with_what_they_are_about() {
        type S = <Ed25519 as Ciphersuite>::Scalar;
        let (some, others) = (multiples::<S>(&[b"a", b"b"], 9), multiples::<S>(&[b"ab", b""], 9));
        for (place, multiple) in some.iter().enumerate() {
            assert_eq!(multiple.to_bytes()[16..], [0; 16]);
            assert_ne!(multiple.to_bytes()[8..16], [0; 8]);
            assert!(!others.contains(multiple) && !some[..place].contains(multiple));
            let (seed, number) = (tagged_hash("quorumkey/batch/v1", &[b"a", b"b"]), u64::try_from(place).unwrap());
            let mut hash = tagged_hash("quorumkey/batch-multiple/v1", &[&seed, &number.to_be_bytes()]);
            hash[..16].reverse();
            assert_eq!(multiple.to_bytes()[..16], hash[..16]);
        }
    }
}
