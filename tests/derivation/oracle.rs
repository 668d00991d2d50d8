//! Beside the `bitcoin` crate over libsecp256k1, and Solana's own.

use bitcoin::bip32::{ChildNumber, Xpriv, Xpub};
use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{All, Secp256k1};
use bitcoin::{Address, KnownHrp, NetworkKind, TapNodeHash};
use proptest::prelude::*;
use quorumkey::{GroupKey, Network, SuiteError, VerifyingKey};

use super::*;

fn theirs(secp: &Secp256k1<All>, parent: &Xpub, steps: &[u32]) -> Xpub {
    let steps: Vec<_> = steps.iter().map(|step| ChildNumber::from_normal_idx(*step).unwrap()).collect();
    parent.derive_pub(secp, &steps).unwrap()
}

fn address(secp: &Secp256k1<All>, key: &Xpub, root: Option<[u8; 32]>, hrp: KnownHrp) -> String {
    let (internal, _) = key.public_key.x_only_public_key();
    Address::p2tr(secp, internal, root.map(TapNodeHash::from_byte_array), hrp).to_string()
}

fn seed(number: u64) -> Xpriv {
    Xpriv::new_master(NetworkKind::Main, &number.to_be_bytes()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_paths_lead_to_the_keys_and_addresses_of_the_bitcoin_crate(
        number: u64,
        steps in proptest::collection::vec(0..1_u32 << 31, 0..=5),
        root: Option<[u8; 32]>,
    ) {
        let secp = Secp256k1::new();
        let parent = Xpub::from_priv(&secp, &seed(number));
        let expected = theirs(&secp, &parent, &steps);
        let path = DerivationPath::new(&steps).unwrap();
        for suite in WITH_CHILDREN {
            let derived = read(suite, &parent.to_string()).derive(&path).unwrap();
            prop_assert_eq!(derived.to_base58(Network::Mainnet), expected.to_string());
            prop_assert_eq!(derived.key().as_bytes(), expected.public_key.serialize());
        }
        let derived = read(TAPROOT, &parent.to_string()).derive(&path).unwrap();
        let key = derived.verifying_key(root.as_ref());
        let (internal, _) = expected.public_key.x_only_public_key();
        let (output, _) = internal.tap_tweak(&secp, root.map(TapNodeHash::from_byte_array));
        prop_assert_eq!(key.as_bytes(), output.serialize());
        for (network, hrp) in [
            (Network::Mainnet, KnownHrp::Mainnet),
            (Network::Testnet, KnownHrp::Testnets),
            (Network::Regtest, KnownHrp::Regtest),
        ] {
            prop_assert_eq!(key.p2tr_address(network).unwrap(), address(&secp, &expected, root, hrp));
        }
    }
}

/// What a taproot wallet gets that makes each key on the path even, as its output keys are: other children, of every odd
/// parent.
#[test]
fn a_parent_is_taken_with_its_parity_and_nothing_is_negated_on_the_way() {
    let secp = Secp256k1::new();
    let (mut odd, mut others) = (0, 0);
    for number in 0..64 {
        let parent = Xpub::from_priv(&secp, &seed(number));
        let expected = theirs(&secp, &parent, &[0, 7]);
        let ours = read(TAPROOT, &parent.to_string()).derive(&path("m/0/7")).unwrap();
        assert_eq!(ours.to_base58(Network::Mainnet), expected.to_string());

        let even = |mut key: Xpub| {
            key.public_key = key.public_key.x_only_public_key().0.public_key(bitcoin::secp256k1::Parity::Even);
            key
        };
        let middle = theirs(&secp, &even(parent), &[0]);
        let wrong = theirs(&secp, &even(middle), &[7]);
        let has_odd = [parent, theirs(&secp, &parent, &[0])].iter().any(|key| key.public_key.serialize()[0] == 3);
        let differs = wrong.public_key.x_only_public_key().0 != expected.public_key.x_only_public_key().0;
        assert_eq!(differs, has_odd);
        odd += u32::from(parent.public_key.serialize()[0] == 3);
        others += u32::from(differs);
    }
    assert!((16..48).contains(&odd) && others > odd, "{odd} odd parents, {others} other children");
}

#[test]
fn testnet_keys_are_written_and_read_as_the_bitcoin_crate_does() {
    let secp = Secp256k1::new();
    let mut parent = Xpub::from_priv(&secp, &seed(1));
    let key = read(TAPROOT, &parent.to_string());
    parent.network = NetworkKind::Test;
    for network in [Network::Testnet, Network::Regtest] {
        assert_eq!(key.to_base58(network), parent.to_string());
    }
    assert_eq!(read(TAPROOT, &parent.to_string()), key);
}

#[test]
fn a_solana_address_is_that_of_solana_itself_and_each_address_is_of_its_suite() {
    let mut bytes = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let key = VerifyingKey::from_bytes(Suite::Ed25519, &bytes).unwrap();
    assert_eq!(key.solana_address().unwrap(), solana_address::Address::from(bytes).to_string());
    assert_eq!(key.p2tr_address(Network::Mainnet), Err(SuiteError::OtherSuite));
    bytes = unhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    let key = [&[2], bytes.as_slice()].concat();
    for suite in WITH_CHILDREN {
        let key = GroupKey::from_bytes(suite, &key).unwrap().verifying_key(None);
        assert_eq!(key.solana_address(), Err(SuiteError::OtherSuite));
        assert_eq!(key.p2tr_address(Network::Mainnet).is_ok(), suite == TAPROOT);
    }
}

#[test]
fn a_key_is_at_most_255_steps_from_its_root() {
    let secp = Secp256k1::new();
    let mut deep = Xpub::from_priv(&secp, &seed(2));
    deep.depth = 254;
    let deep = read(TAPROOT, &deep.to_string());
    let last = deep.derive(&path("m/0")).unwrap();
    assert_eq!(last.depth(), 255);
    assert_eq!(last.derive(&path("m/0")), Err(quorumkey::DerivationError::TooDeep));
    assert_eq!(deep.derive(&path("m/0/0")), Err(quorumkey::DerivationError::TooDeep));
}

#[test]
fn debug_shows_no_chain_code() {
    let key = read(TAPROOT, &Xpub::from_priv(&Secp256k1::new(), &seed(3)).to_string());
    let chain_code = Xpub::from_priv(&Secp256k1::new(), &seed(3)).chain_code;
    let shown = format!("{key:?}");
    assert!(!shown.contains(&chain_code.to_string()) && !shown.contains("xpub"), "{shown}");
}
