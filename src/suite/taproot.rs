//! BIP-340 signatures under the BIP-341 output key, as frost's `FROST-secp256k1-SHA256-TR-v1`.

use zeroize::Zeroizing;

use super::hash::tagged;
use super::secp256k1::{Secp256k1Element, Secp256k1Scalar, hash_to_scalar, hash_to_scalars, hash_with};
use super::{Adjustment, Ciphersuite, Element, Scalar, Secp256k1, ShareCipher, Suite};
use crate::guard::unless_off;

const CONTEXT: &[u8] = b"FROST-secp256k1-SHA256-TR-v1";

/// The suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taproot;

impl Ciphersuite for Taproot {
    const SUITE: Suite = Suite::Secp256k1Taproot;
    type Scalar = Secp256k1Scalar;
    type Element = Secp256k1Element;

    fn h1_each(prefix: &[&[u8]], last: &[[u8; 32]]) -> Vec<Secp256k1Scalar> {
        hash_to_scalars(CONTEXT, b"rho", prefix, last)
    }

    fn h3(parts: &[&[u8]]) -> Secp256k1Scalar {
        hash_to_scalar(CONTEXT, b"nonce", parts)
    }

    fn h4(parts: &[&[u8]]) -> Vec<u8> {
        hash_with(&[CONTEXT, b"msg"], parts)
    }

    fn h5(parts: &[&[u8]]) -> Vec<u8> {
        hash_with(&[CONTEXT, b"com"], parts)
    }

    fn challenge(commitment: &[u8], key: &[u8], message: &[u8]) -> Secp256k1Scalar {
        Secp256k1Scalar::reduce(&tagged("BIP0340/challenge", &[x_of(commitment), x_of(key), message]))
    }

    /// BIP-341's `taproot_tweak_seckey`, and once more to the even output key that BIP-340 signs with.
    fn adjust(key: &Secp256k1Element, encoded: &[u8], root: Option<&[u8; 32]>) -> Adjustment<Self> {
        let (factor, internal) = negate_if(is_odd(encoded), Secp256k1Scalar::ONE, *key);
        // BIP-341 fails for a hash above the order, which nobody can find; frost reduces it, and so does this.
        let root: &[u8] = root.map_or(&[], |root| root);
        let hash = Secp256k1Scalar::reduce(&tagged("TapTweak", &[x_of(encoded), root]));
        let tweak = unless_off!(KeyAlwaysTweaked, hash, Secp256k1Scalar::ZERO);
        let output = internal + Secp256k1Element::mul_base(&tweak);
        let (x, odd) = output.x_and_parity();
        let encoded = [&[2], x.as_slice()].concat();
        if bool::from(odd) {
            Adjustment { factor: -factor, addend: -tweak, key: -output, encoded }
        } else {
            Adjustment { factor, addend: tweak, key: output, encoded }
        }
    }

    fn negates_nonces(commitment: &[u8]) -> bool {
        is_odd(commitment)
    }

    fn verifier_key(encoded: &[u8]) -> Vec<u8> {
        x_of(encoded).to_vec()
    }

    fn decode_key(bytes: &[u8]) -> Option<Secp256k1Element> {
        Secp256k1Element::from_x(bytes.try_into().ok()?)
    }

    #[cfg(feature = "libsecp256k1")]
    fn verify_by_library(key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
        super::libsecp::verify_bip340(key, message, signature)
    }

    const COCKTAIL_ID: &'static str = Secp256k1::COCKTAIL_ID;

    fn hash(parts: &[&[u8]]) -> Vec<u8> {
        Secp256k1::hash(parts)
    }

    fn cocktail_nonce(parts: &[&[u8]]) -> Secp256k1Scalar {
        Secp256k1::cocktail_nonce(parts)
    }

    fn cocktail_challenge(parts: &[&[u8]]) -> Secp256k1Scalar {
        Secp256k1::cocktail_challenge(parts)
    }

    fn ecdh_encode(point: &Secp256k1Element) -> Zeroizing<Vec<u8>> {
        Secp256k1::ecdh_encode(point)
    }

    fn share_cipher(ecdh: &[u8], ephemeral: &[u8], sender: &[u8], recipient: &[u8], context: &[u8]) -> ShareCipher {
        Secp256k1::share_cipher(ecdh, ephemeral, sender, recipient, context)
    }
}

/// The x-coordinate of an encoded element, whether it comes with a parity or without.
fn x_of(encoded: &[u8]) -> &[u8] {
    encoded.last_chunk::<32>().map_or(encoded, |x| x.as_slice())
}

/// Whether the y-coordinate of an encoded element is odd.
fn is_odd(encoded: &[u8]) -> bool {
    encoded.first() == Some(&3)
}

fn negate_if(negate: bool, factor: Secp256k1Scalar, key: Secp256k1Element) -> (Secp256k1Scalar, Secp256k1Element) {
    if negate { (-factor, -key) } else { (factor, key) }
}
