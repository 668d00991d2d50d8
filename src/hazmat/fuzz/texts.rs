//! No text panics, what is accepted has one spelling, and what is shown can be read back by others.

use bech32::{Bech32, Fe32, Hrp, segwit};

use super::{choice, decoders, one_of};
use crate::derivation::{DerivationError, ExtendedPublicKey};
use crate::hazmat::wrap as door;
use crate::suite::{Network, Suite, VerifyingKey};
use crate::wire::{DerivationPath, Reader, Writer};
use crate::wrap::{Identity, PublicKey, Recipient, SecretKey};

const NETWORKS: [Network; 3] = [Network::Mainnet, Network::Testnet, Network::Regtest];

/// The suite comes first, then how the rest is taken: as a text, or as what a text with a right checksum holds.
pub(super) fn extended_key(mut bytes: &[u8]) {
    let suite = decoders::suite(&mut bytes);
    let text = if choice(&mut bytes) & 1 == 0 {
        let Ok(text) = str::from_utf8(bytes) else { return };
        text.to_owned()
    } else {
        bs58::encode(bytes).with_check().into_string()
    };
    let Ok(key) = ExtendedPublicKey::from_base58(suite, &text) else { return };
    assert!(NETWORKS.iter().any(|network| key.to_base58(*network) == text));
    let path = DerivationPath::new(&[0, 7]).expect("two steps are a path");
    match key.derive(&path) {
        Ok(child) => assert_eq!(u16::from(child.depth()), u16::from(key.depth()) + 2),
        Err(why) => assert_eq!((why, key.depth() >= 254), (DerivationError::TooDeep, true)),
    }
}

pub(super) fn path(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(path) = text.parse::<DerivationPath>() else { return };
    assert_eq!(path.to_string(), text);
    assert!(path.steps().len() <= DerivationPath::MAX_DEPTH);
    let mut encoded = Writer::new();
    path.encode(&mut encoded);
    let encoded = encoded.finish();
    let mut reader = Reader::new(&encoded);
    assert_eq!(DerivationPath::decode(&mut reader), Ok(path));
    assert_eq!(reader.finish(), Ok(()));
}

/// How the rest is taken comes first: as a text, or as the bytes of a public or a secret key.
pub(super) fn wrap_key(mut bytes: &[u8]) {
    let text = match choice(&mut bytes) % 3 {
        0 => str::from_utf8(bytes).ok().map(str::to_owned),
        1 => bech32::encode::<Bech32>(Hrp::parse_unchecked("age"), bytes).ok(),
        _ => bech32::encode_upper::<Bech32>(Hrp::parse_unchecked("age-secret-key-"), bytes).ok(),
    };
    let Some(text) = text else { return };
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string(), text);
        door::seal(b"", &Recipient::X25519(key)).expect("whatever is taken for a key can be sealed to");
    }
    if let Ok(key) = text.parse::<SecretKey>() {
        assert_eq!(*key.to_text(), text);
        let file = door::seal(bytes, &key.recipient()).expect("a key's own public key can be sealed to");
        let opened = door::open(&file, &Identity::X25519(key)).expect("the key opens what is sealed to it");
        assert_eq!(*opened, bytes);
    }
}

/// Suite and network come first, then a key: its address holds it, for those who read addresses.
pub(super) fn address(mut bytes: &[u8]) {
    let suite = decoders::suite(&mut bytes);
    let network = *one_of(&NETWORKS, choice(&mut bytes));
    let Ok(key) = VerifyingKey::from_bytes(suite, bytes) else { return };
    assert_eq!(key.p2tr_address(network).is_ok(), suite == Suite::Secp256k1Taproot);
    assert_eq!(key.solana_address().is_ok(), suite == Suite::Ed25519);
    if let Ok(address) = key.p2tr_address(network) {
        let (prefix, version, program) = segwit::decode(&address).expect("the address is one");
        assert!(prefix.is_valid_on_mainnet() == (network == Network::Mainnet) && version == Fe32::P);
        assert_eq!(program, bytes);
    }
    if let Ok(address) = key.solana_address() {
        assert_eq!(bs58::decode(address).into_vec().as_deref(), Ok(bytes));
    }
}
