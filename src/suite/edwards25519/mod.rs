//! Decoding many points of edwards25519: which of them are of prime order, and their sums. Public data only.
//!
//! curve25519-dalek decodes a point, too, but tests its order by a multiplication, which costs some seven times as much
//! as decoding ([ADR 14](../../../docs/adr/0014-prime-order-by-halving.md)).

mod decode;
mod field;
mod order;
mod sum;
#[cfg(test)]
mod tests;

pub(super) use decode::Decoded;
pub(super) use order::are_of_prime_order;
pub(super) use sum::Sums;

/// Whether the y-coordinate is below the field's order, 2^255 - 19, the sign aside.
pub(super) fn is_reduced(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    *low < 0xed || high & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}
