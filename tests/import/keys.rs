//! What stays of a key: its public half, its address, its signatures.

use std::str::FromStr;

use bip39::{Language, Mnemonic};
use bitcoin::bip32::{ChildNumber, DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{Address, Network, XOnlyPublicKey};
use quorumkey::{Derivation, ImportedKey};

use super::*;

const PHRASE: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

fn phrase(suite: Suite, path: &str) -> ImportedKey {
    ImportedKey::from_phrase(suite, Zeroizing::new(PHRASE.to_owned()), Zeroizing::default(), path).unwrap()
}

#[test]
fn signatures_of_an_imported_ed25519_seed_verify_under_its_old_key() {
    let members = group(3);
    for fill in [0, 7, 0xff] {
        let old = ed25519_dalek::SigningKey::from_bytes(&[fill; 32]);
        let key = import(&members, 0, ImportedKey::from_seed(Zeroizing::new([fill; 32])));
        assert_eq!(key.group_key.as_bytes(), old.verifying_key().as_bytes());
        let signature = sign(&members, key.id, &[2, 3], b"as before");
        let signature = ed25519_dalek::Signature::from_slice(signature.as_bytes()).unwrap();
        old.verifying_key().verify_strict(b"as before", &signature).unwrap();
    }
}

#[test]
fn the_address_of_a_solana_phrase_stays() {
    let members = group(2);
    let key = import(&members, 1, phrase(Suite::Ed25519, "m/44'/501'/0'/0'"));
    let address = solana_address::Address::try_from(key.verifying_key.as_bytes()).unwrap();
    // What Solana's wallets show for these words.
    assert_eq!(address.to_string(), "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk");
    sign(&members, key.id, &[1, 2], b"a transfer");
}

#[test]
fn the_first_address_of_bip_86_stays() {
    let members = group(3);
    let key = import(&members, 2, phrase(Suite::Secp256k1Taproot, "m/86'/0'/0'/0/0"));
    let internal = XOnlyPublicKey::from_slice(&key.group_key.as_bytes()[1..]).unwrap();
    let address = Address::p2tr(&Secp256k1::new(), internal, None, Network::Bitcoin).to_string();
    assert_eq!(address, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr");
    let output = bitcoin::key::TweakedPublicKey::dangerous_assume_tweaked(
        XOnlyPublicKey::from_slice(key.verifying_key.as_bytes()).unwrap(),
    );
    assert_eq!(Address::p2tr_tweaked(output, Network::Bitcoin).to_string(), address);
    sign(&members, key.id, &[1, 3], &[9; 32]);
}

/// Of an odd parent that was made even, every unhardened child would be another key: its full encoding goes into the hash.
#[test]
fn an_internal_key_stays_odd_or_even_as_it_was_and_so_do_its_children() {
    let members = group(2);
    let (secp, seed) = (Secp256k1::new(), Mnemonic::parse_in(Language::English, PHRASE).unwrap().to_seed(""));
    let (mut odd, mut even) = (0, 0);
    for account in 0..8 {
        let path = format!("m/86'/0'/{account}'");
        let node = Xpriv::new_master(Network::Bitcoin, &seed).unwrap();
        let node = node.derive_priv(&secp, &DerivationPath::from_str(&path).unwrap()).unwrap();
        let expected = Xpub::from_priv(&secp, &node);
        let key = import(&members, 0, phrase(Suite::Secp256k1Taproot, &path));
        assert_eq!(key.group_key.as_bytes(), expected.public_key.serialize());
        for renewed in [false, true] {
            let key = if renewed { refresh(&members, key.id) } else { key.clone() };
            let watched = members[1].session.extended_public_key(key.id).unwrap();
            let children = [ChildNumber::from_normal_idx(1).unwrap(), ChildNumber::from_normal_idx(account).unwrap()];
            let child = expected.derive_pub(&secp, &children).unwrap();
            let path: quorumkey::DerivationPath = format!("m/1/{account}").parse().unwrap();
            let ours = watched.derive(&path).unwrap();
            let address = Address::p2tr(&secp, child.to_x_only_pub(), None, Network::Bitcoin).to_string();
            assert_eq!(ours.verifying_key(None).p2tr_address(quorumkey::Network::Mainnet).unwrap(), address);
            let under = Derivation { path, root: None };
            let invitation = members[0].session.invite_sign_under(key.id, &[id(1), id(2)], &[3; 32], &under).unwrap();
            let start = |member: &Member| member.session.start_sign_under(&invitation, &[3; 32], &under).unwrap();
            let signature = exchange(&mut members.iter().map(start).collect::<Vec<_>>()).remove(0);
            ours.verifying_key(None).verify(&[3; 32], &signature).unwrap();
        }
        *if expected.public_key.serialize()[0] == 3 { &mut odd } else { &mut even } += 1;
    }
    assert!(odd > 0 && even > 0, "{odd} odd ones, {even} even ones");
}

/// A scalar without a tree gets a chain code of its own: the same whoever imports it, and whenever.
#[test]
fn a_key_without_a_node_has_the_same_children_in_every_group() {
    for suite in [Suite::Secp256k1, Suite::Secp256k1Taproot] {
        let children = [0, 1].map(|dealer| {
            let members = group(2);
            let key = import(&members, dealer, scalar(suite, 5));
            members[0].session.extended_public_key(key.id).unwrap()
        });
        assert!(children[0] == children[1]);
    }
}
