//! Verification by libsecp256k1, where the feature of that name is on: some two times faster, and with a C compiler.
//!
//! Only public data comes here.

use std::sync::OnceLock;

use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, Secp256k1, VerifyOnly, XOnlyPublicKey, schnorr};

use super::Scalar;
use super::secp256k1::Secp256k1Scalar;

fn library() -> &'static Secp256k1<VerifyOnly> {
    static LIBRARY: OnceLock<Secp256k1<VerifyOnly>> = OnceLock::new();
    LIBRARY.get_or_init(Secp256k1::gen_new)
}

/// BIP-340. `None` for messages of other lengths than 32 bytes, which it does not take.
pub(super) fn verify_bip340(key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let message = Message::from_digest(message.try_into().ok()?);
    let (Ok(key), Ok(signature)) = (XOnlyPublicKey::from_slice(key), schnorr::Signature::from_slice(signature)) else {
        return Some(false);
    };
    Some(library().verify_schnorr(&signature, &message, &key).is_ok())
}

/// Whether `response` times the generator minus `challenge` times the key is the commitment, both SEC1-compressed.
///
/// libsecp256k1 has no such call, but recovers the key of an ECDSA signature (r, s) of e as (s·P - e·G) / r, where P
/// is the point with the x-coordinate r (SEC 1, Section 4.1.6). With the key for P, s = -challenge·r and
/// e = -response·r, what it recovers is the commitment. `None` where there is no such signature: a challenge of zero,
/// or an x-coordinate above the order of the group, which nobody will find.
pub(super) fn verify_equation(
    key: &[u8],
    challenge: &Secp256k1Scalar,
    response: &Secp256k1Scalar,
    commitment: &[u8],
) -> Option<bool> {
    let (parity, x) = key.split_first()?;
    let r = Secp256k1Scalar::from_bytes(x.try_into().ok()?)?;
    let (s, e) = (-(*challenge * r), -(*response * r));
    if s == Secp256k1Scalar::ZERO {
        return None;
    }
    let signature = [r.to_bytes(), s.to_bytes()].concat();
    let signature =
        RecoverableSignature::from_compact(&signature, RecoveryId::from_i32(i32::from(parity & 1)).ok()?).ok()?;
    let recovered = library().recover_ecdsa(&Message::from_digest(e.to_bytes()), &signature);
    // What can't be recovered is the identity, which is nobody's commitment.
    Some(recovered.is_ok_and(|point| point.serialize() == commitment))
}
