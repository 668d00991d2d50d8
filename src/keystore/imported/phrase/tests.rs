//! The published vectors of BIP-39, BIP-32 and SLIP-10, with their chain codes, which nobody outside gets to see.

use std::str::FromStr;

use bitcoin::bip32::Xpriv;
use bitcoin::secp256k1::Secp256k1;
use serde_json::Value;

use super::*;
use crate::suite::official::{hex, official_json};

fn text(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

/// Whether it is the node that the `bitcoin` crate reads there.
fn assert_is(key: &ImportedKey, extended: &str, what: &str) {
    let expected = Xpriv::from_str(extended).unwrap();
    let public = expected.private_key.public_key(&Secp256k1::new()).serialize();
    assert_eq!(key.group_key().as_bytes(), public, "{what}");
    assert_eq!(key.secret.expose(), &expected.private_key.secret_bytes(), "{what}");
    assert_eq!(key.chain_code.expose(), expected.chain_code.as_bytes(), "{what}");
}

/// BIP-32, test vectors 1 and 3, the latter for its leading zeros.
const BIP_32: [(&str, &str, &str); 4] = [
    (
        "000102030405060708090a0b0c0d0e0f",
        "m",
        "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
    ),
    (
        "000102030405060708090a0b0c0d0e0f",
        "m/0'/1/2'/2/1000000000",
        "xprvA41z7zogVVwxVSgdKUHDy1SKmdb533PjDz7J6N6mV6uS3ze1ai8FHa8kmHScGpWmj4WggLyQjgPie1rFSruoUihUZREPSL39UNdE3BBDu76",
    ),
    (
        "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4acba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be",
        "m",
        "xprv9s21ZrQH143K25QhxbucbDDuQ4naNntJRi4KUfWT7xo4EKsHt2QJDu7KXp1A3u7Bi1j8ph3EGsZ9Xvz9dGuVrtHHs7pXeTzjuxBrCmmhgC6",
    ),
    (
        "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4acba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be",
        "m/0'",
        "xprv9uPDJpEQgRQfDcW7BkF7eTya6RPxXeJCqCJGHuCJ4GiRVLzkTXBAJMu2qaMWPrS7AANYqdq6vcBcBUdJCVVFceUvJFjaPdGZ2y9WACViL4L",
    ),
];

#[test]
fn nodes_of_bip_32_come_out_of_their_seeds_and_of_their_extended_keys() {
    let check = |seed: &str, path: &str, extended: &str| {
        for suite in [Suite::Secp256k1, Suite::Secp256k1Taproot] {
            let key = ImportedKey::from_master_seed(suite, Zeroizing::new(hex(seed)), path).unwrap();
            assert_is(&key, extended, path);
            assert_is(&ImportedKey::from_extended(suite, text(extended), "m").unwrap(), extended, path);
        }
    };
    for (seed, path, extended) in BIP_32 {
        check(seed, path, extended);
    }
    let Some(vectors) = official_json("bip32/bip32_vectors.json") else { return };
    let mut checked = 0;
    for vector in vectors["valid"].as_array().unwrap() {
        for chain in vector["chains"].as_array().unwrap() {
            let of = |name: &str| chain[name].as_str().unwrap().to_owned();
            check(vector["seed"].as_str().unwrap(), &of("path"), &of("xprv"));
            checked += 1;
        }
    }
    assert!(checked >= 17, "{checked}");
}

/// trezor/python-mnemonic, `vectors.json`: the first, one with 18 words, and the last.
const BIP_39: [(&str, &str); 3] = [
    (
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
        "xprv9s21ZrQH143K3h3fDYiay8mocZ3afhfULfb5GX8kCBdno77K4HiA15Tg23wpbeF1pLfs1c5SPmYHrEpTuuRhxMwvKDwqdKiGJS9XFKzUsAF",
    ),
    (
        "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal will",
        "xprv9s21ZrQH143K3Lv9MZLj16np5GzLe7tDKQfVusBni7toqJGcnKRtHSxUwbKUyUWiwpK55g1DUSsw76TF1T93VT4gz4wt5RM23pkaQLnvBh7",
    ),
    (
        "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group space \
         point ten exist slush involve unfold",
        "xprv9s21ZrQH143K39rnQJknpH1WEPFJrzmAqqasiDcVrNuk926oizzJDDQkdiTvNPr2FYDYzWgiMiC63YmfPAa2oPyNB23r2g7d1yiK6WpqaQS",
    ),
];

#[test]
fn phrases_of_bip_39_lead_to_their_master_nodes() {
    let check = |phrase: &str, extended: &str| {
        let key = ImportedKey::from_phrase(Suite::Secp256k1, text(phrase), text("TREZOR"), "m").unwrap();
        assert_is(&key, extended, phrase);
    };
    for (phrase, extended) in BIP_39 {
        check(phrase, extended);
    }
    let Some(vectors) = official_json("bip39/vectors.json") else { return };
    let vectors: &Vec<Value> = vectors["english"].as_array().unwrap();
    for vector in vectors {
        check(vector[1].as_str().unwrap(), vector[3].as_str().unwrap());
    }
    assert_eq!(vectors.len(), 24);
}

/// A path, and the chain code, private key and public key at its end.
type Slip10Node = (&'static str, &'static str, &'static str, &'static str);

/// SLIP-0010, "Test vector 1 for ed25519" and "Test vector 2 for ed25519": seed, nodes.
const SLIP_10: [(&str, [Slip10Node; 6]); 2] = [
    (
        "000102030405060708090a0b0c0d0e0f",
        [
            (
                "m",
                "90046a93de5380a72b5e45010748567d5ea02bbf6522f979e05c0d8d8ca9fffb",
                "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7",
                "a4b2856bfec510abab89753fac1ac0e1112364e7d250545963f135f2a33188ed",
            ),
            (
                "m/0'",
                "8b59aa11380b624e81507a27fedda59fea6d0b779a778918a2fd3590e16e9c69",
                "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3",
                "8c8a13df77a28f3445213a0f432fde644acaa215fc72dcdf300d5efaa85d350c",
            ),
            (
                "m/0'/1'",
                "a320425f77d1b5c2505a6b1b27382b37368ee640e3557c315416801243552f14",
                "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2",
                "1932a5270f335bed617d5b935c80aedb1a35bd9fc1e31acafd5372c30f5c1187",
            ),
            (
                "m/0'/1'/2'",
                "2e69929e00b5ab250f49c3fb1c12f252de4fed2c1db88387094a0f8c4c9ccd6c",
                "92a5b23c0b8a99e37d07df3fb9966917f5d06e02ddbd909c7e184371463e9fc9",
                "ae98736566d30ed0e9d2f4486a64bc95740d89c7db33f52121f8ea8f76ff0fc1",
            ),
            (
                "m/0'/1'/2'/2'",
                "8f6d87f93d750e0efccda017d662a1b31a266e4a6f5993b15f5c1f07f74dd5cc",
                "30d1dc7e5fc04c31219ab25a27ae00b50f6fd66622f6e9c913253d6511d1e662",
                "8abae2d66361c879b900d204ad2cc4984fa2aa344dd7ddc46007329ac76c429c",
            ),
            (
                "m/0'/1'/2'/2'/1000000000'",
                "68789923a0cac2cd5a29172a475fe9e0fb14cd6adb5ad98a3fa70333e7afa230",
                "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793",
                "3c24da049451555d51a7014a37337aa4e12d41e485abccfa46b47dfb2af54b7a",
            ),
        ],
    ),
    (
        "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542",
        [
            (
                "m",
                "ef70a74db9c3a5af931b5fe73ed8e1a53464133654fd55e7a66f8570b8e33c3b",
                "171cb88b1b3c1db25add599712e36245d75bc65a1a5c9e18d76f9f2b1eab4012",
                "8fe9693f8fa62a4305a140b9764c5ee01e455963744fe18204b4fb948249308a",
            ),
            (
                "m/0'",
                "0b78a3226f915c082bf118f83618a618ab6dec793752624cbeb622acb562862d",
                "1559eb2bbec5790b0c65d8693e4d0875b1747f4970ae8b650486ed7470845635",
                "86fab68dcb57aa196c77c5f264f215a112c22a912c10d123b0d03c3c28ef1037",
            ),
            (
                "m/0'/2147483647'",
                "138f0b2551bcafeca6ff2aa88ba8ed0ed8de070841f0c4ef0165df8181eaad7f",
                "ea4f5bfe8694d8bb74b7b59404632fd5968b774ed545e810de9c32a4fb4192f4",
                "5ba3b9ac6e90e83effcd25ac4e58a1365a9e35a3d3ae5eb07b9e4d90bcf7506d",
            ),
            (
                "m/0'/2147483647'/1'",
                "73bd9fff1cfbde33a1b846c27085f711c0fe2d66fd32e139d3ebc28e5a4a6b90",
                "3757c7577170179c7868353ada796c839135b3d30554bbb74a4b1e4a5a58505c",
                "2e66aa57069c86cc18249aecf5cb5a9cebbfd6fadeab056254763874a9352b45",
            ),
            (
                "m/0'/2147483647'/1'/2147483646'",
                "0902fe8a29f9140480a00ef244bd183e8a13288e4412d8389d140aac1794825a",
                "5837736c89570de861ebc173b1086da4f505d4adb387c6a1b1342d5e4ac9ec72",
                "e33c0f7d81d843c572275f287498e8d408654fdf0d1e065b84e2e6f157aab09b",
            ),
            (
                "m/0'/2147483647'/1'/2147483646'/2'",
                "5d70af781f3a37b829f0d060924d5e960bdc02e85423494afc0b1a41bbe196d4",
                "551d333177df541ad876a60ea71f00447931c0a9da16f227c11ea080d7391b8d",
                "47150c75db263559a70d5778bf36abbab30fb061ad69f69ece61a72b0cfa4fc0",
            ),
        ],
    ),
];

#[test]
fn ed25519_keys_of_slip_10_come_out_of_their_seeds() {
    let nodes = SLIP_10.iter().flat_map(|(seed, nodes)| nodes.iter().map(move |node| (hex(seed), node)));
    for (seed, &(path, chain_code, private, public)) in nodes {
        let (key, code) = slip10(&seed, &parse(path).unwrap()).unwrap();
        assert_eq!((key.to_vec(), code.to_vec()), (hex(private), hex(chain_code)), "{path}");
        let key = ImportedKey::from_master_seed(Suite::Ed25519, Zeroizing::new(seed.clone()), path).unwrap();
        assert_eq!(key.group_key().as_bytes(), hex(public), "{path}");
        assert_eq!(key.chain_code.expose().as_slice(), hex(chain_code), "{path}");
    }
}

#[test]
fn what_is_no_phrase_no_path_and_no_node_is_refused() {
    let phrase = BIP_39[0].0;
    let at =
        |suite, phrase: &str, path: &str| ImportedKey::from_phrase(suite, text(phrase), text(""), path).unwrap_err();
    let wrong = phrase.replace("about", "abandon");
    for phrase in ["", "about", wrong.as_str(), "zwölf wörter", phrase.strip_prefix("abandon ").unwrap()] {
        assert_eq!(at(Suite::Secp256k1, phrase, "m"), ImportError::Phrase, "{phrase}");
    }
    for path in ["", "44'", "m/", "m//0", "m/+1", "m/-1", "m/x", "m/0''", "m/2147483648", "M/0", "m/0 "] {
        assert_eq!(at(Suite::Secp256k1, phrase, path), ImportError::Path, "{path}");
    }
    assert_eq!(at(Suite::Ed25519, phrase, "m/44'/501'/0"), ImportError::Path);
    let seed = |suite, length| ImportedKey::from_master_seed(suite, Zeroizing::new(vec![7; length]), "m");
    for suite in Suite::ALL {
        assert_eq!(seed(suite, 15).unwrap_err(), ImportError::Node);
        assert!(seed(suite, 32).is_ok());
    }
    let extended = BIP_32[0].2;
    let read = |suite, extended: &str| ImportedKey::from_extended(suite, text(extended), "m").unwrap_err();
    assert_eq!(read(Suite::Ed25519, extended), ImportError::Node);
    let public = Xpriv::from_str(extended).unwrap();
    let public = bitcoin::bip32::Xpub::from_priv(&Secp256k1::new(), &public).to_string();
    for other in ["", "xprv", &extended[1..], &extended.replace("PHi", "PHj"), &public] {
        assert_eq!(read(Suite::Secp256k1, other), ImportError::Node, "{other}");
    }
}

#[test]
fn a_phrase_in_another_language_and_writing_leads_to_the_same_node() {
    // The same entropy, zeros, in Japanese: bip32JP/bip32JP.github.io, `test_JP_BIP39.json`, the first.
    let phrase = "あいこくしん　".repeat(11) + "あおぞら";
    let passphrase = "㍍ガバヴァぱばぐゞちぢ十人十色";
    let key = ImportedKey::from_phrase(Suite::Secp256k1, text(&phrase), text(passphrase), "m").unwrap();
    let expected = "xprv9s21ZrQH143K258jAiWPAM6JYT9hLA91MV3AZUKfxmLZJCjCHeSjBvMbDy8C1mJ2FL5ytExyS97FAe6pQ6SD5Jt9SwHaLorA8i5Eojokfo1";
    assert_is(&key, expected, "Japanese");
}
