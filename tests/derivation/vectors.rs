//! Published figures. Those below are transcribed from bitcoin/bips (BSD-2-Clause): `bip-0032.mediawiki`, `bip-0086.mediawiki`
//! and `bip-0341/wallet-test-vectors.json`; the complete ones of BIP-32 are read where `QUORUMKEY_VECTORS` has them.

use std::io::Write as _;

use quorumkey::{DerivationError, ExtendedPublicKey, GroupKey, Network};
use serde_json::Value;

use super::*;

/// BIP-32, test vectors 1 and 2: parent, step, child.
const STEPS: [(&str, u32, &str); 4] = [
    (
        "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw",
        1,
        "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2AxYysAA7xmALppuCkwQ",
    ),
    (
        "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5",
        2,
        "xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZACTj37sR62cfN7fe5JnJ7dh8zL4fiyLHV",
    ),
    (
        "xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZACTj37sR62cfN7fe5JnJ7dh8zL4fiyLHV",
        1_000_000_000,
        "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJodrTHy",
    ),
    (
        "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB",
        0,
        "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH",
    ),
];

/// BIP-32, test vector 5.
const INVALID: [&str; 7] = [
    // An xpub with a private key in it, and prefixes 04 and 01.
    "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6LBpB85b3D2yc8sfvZU521AAwdZafEz7mnzBBsz4wKY5fTtTQBm",
    "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Txnt3siSujt9RCVYsx4qHZGc62TG4McvMGcAUjeuwZdduYEvFn",
    "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6N8ZMMXctdiCjxTNq964yKkwrkBJJwpzZS4HS2fxvyYUA4q2Xe4",
    // A root with a parent, and one with an index.
    "xpub661no6RGEX3uJkY4bNnPcw4URcQTrSibUZ4NqJEw5eBkv7ovTwgiT91XX27VbEXGENhYRCf7hyEbWrR3FewATdCEebj6znwMfQkhRYHRLpJ",
    "xpub661MyMwAuDcm6CRQ5N4qiHKrJ39Xe1R1NyfouMKTTWcguwVcfrZJaNvhpebzGerh7gucBvzEQWRugZDuDXjNDRmXzSZe4c7mnTK97pTvGS8",
    // Of an unknown version, and not on the curve.
    "DMwo58pR1QLEFihHiXPVykYB6fJmsTeHvyTp7hRThAtCX8CvYzgPcn8XnmdfHGMQzT7ayAmfo4z3gY5KfbrZWZ6St24UVf2Qgo6oujFktLHdHY4",
    "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Q5JXayek4PRsn35jii4veMimro1xefsM58PgBMrvdYre8QyULY",
];

/// BIP-86: account 0, then path, internal key, output key and address.
const ACCOUNT: &str =
    "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ";
const ADDRESSES: [[&str; 4]; 3] = [
    [
        "m/0/0",
        "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115",
        "a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c",
        "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
    ],
    [
        "m/0/1",
        "83dfe85a3151d2517290da461fe2815591ef69f2b18a2ce63f01697a8b313145",
        "a82f29944d65b86ae6b5e5cc75e294ead6c59391a1edc5e016e3498c67fc7bbb",
        "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
    ],
    [
        "m/1/0",
        "399f1b2f4393f29a18c937859c5dd8a77350103157eb880f02e8c08214277cef",
        "882d74e5d0572d5a816cef0041a96b6c1de832f6f9676d9605c44d5e9a97d3dc",
        "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7",
    ],
];

/// BIP-341: internal key, merkle root (or none), output key, address.
const OUTPUTS: [[&str; 4]; 7] = [
    [
        "d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d",
        "",
        "53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343",
        "bc1p2wsldez5mud2yam29q22wgfh9439spgduvct83k3pm50fcxa5dps59h4z5",
    ],
    [
        "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27",
        "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
        "147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3",
        "bc1pz37fc4cn9ah8anwm4xqqhvxygjf9rjf2resrw8h8w4tmvcs0863sa2e586",
    ],
    [
        "93478e9488f956df2396be2ce6c5cced75f900dfa18e7dabd2428aae78451820",
        "c525714a7f49c28aedbbba78c005931a81c234b2f6c99a73e4d06082adc8bf2b",
        "e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e",
        "bc1punvppl2stp38f7kwv2u2spltjuvuaayuqsthe34hd2dyy5w4g58qqfuag5",
    ],
    [
        "ee4fe085983462a184015d1f782d6a5f8b9c2b60130aff050ce221ecf3786592",
        "6c2dc106ab816b73f9d07e3cd1ef2c8c1256f519748e0813e4edd2405d277bef",
        "712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5",
        "bc1pwyjywgrd0ffr3tx8laflh6228dj98xkjj8rum0zfpd6h0e930h6saqxrrm",
    ],
    [
        "f9f400803e683727b14f463836e1e78e1c64417638aa066919291a225f0e8dd8",
        "ab179431c28d3b68fb798957faf5497d69c883c6fb1e1cd9f81483d87bac90cc",
        "77e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220",
        "bc1pwl3s54fzmk0cjnpl3w9af39je7pv5ldg504x5guk2hpecpg2kgsqaqstjq",
    ],
    [
        "e0dfe2300b0dd746a3f8674dfd4525623639042569d829c7f0eed9602d263e6f",
        "ccbd66c6f7e8fdab47b3a486f59d28262be857f30d4773f2d5ea47f7761ce0e2",
        "91b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605",
        "bc1pjxmy65eywgafs5tsunw95ruycpqcqnev6ynxp7jaasylcgtcxczs6n332e",
    ],
    [
        "55adf4e8967fbd2e29f20ac896e60c3b0f1d5b0efa9d34941b5958c7b0a0312d",
        "2f6b2c5397b6d68ca18e09a3f05161668ffe93a988582d55c6f07bd5b3329def",
        "75169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831",
        "bc1pw5tf7sqp4f50zka7629jrr036znzew70zxyvvej3zrpf8jg8hqcssyuewe",
    ],
];

fn step(parent: &str, index: u32, expected: &str) {
    for suite in WITH_CHILDREN {
        let parent = read(suite, parent);
        let derived = parent.derive(&DerivationPath::new(&[index]).unwrap()).unwrap();
        assert_eq!(derived.to_base58(Network::Mainnet), expected);
        assert_eq!(derived, read(suite, expected));
    }
}

#[test]
fn public_derivations_of_bip_32_are_the_published_ones() {
    for (parent, index, expected) in STEPS {
        step(parent, index, expected);
    }
}

/// The last two steps of test vector 1 as one path.
#[test]
fn a_path_is_its_steps_one_after_the_other() {
    let whole = read(TAPROOT, STEPS[1].0).derive(&path("m/2/1000000000")).unwrap();
    assert_eq!((whole.to_base58(Network::Mainnet).as_str(), whole.depth()), (STEPS[2].2, 5));
}

#[test]
fn what_bip_32_calls_invalid_is_refused() {
    for text in INVALID {
        assert_eq!(ExtendedPublicKey::from_base58(TAPROOT, text), Err(DerivationError::Malformed), "{text}");
    }
    let private = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi";
    assert_eq!(ExtendedPublicKey::from_base58(TAPROOT, private), Err(DerivationError::Private));
    assert_eq!(
        ExtendedPublicKey::from_base58(Suite::Ed25519, STEPS[0].0),
        Err(DerivationError::NoChildren(Suite::Ed25519))
    );
}

/// Every text with one character changed, one more or one less, and texts of any length.
#[test]
fn a_text_that_is_not_the_one_encoding_is_refused() {
    let text = STEPS[0].0;
    let refused = |text: &str| {
        assert_eq!(ExtendedPublicKey::from_base58(TAPROOT, text), Err(DerivationError::Malformed), "{text}");
    };
    for at in 0..text.len() {
        let other = if &text[at..=at] == "2" { "3" } else { "2" };
        refused(&[&text[..at], other, &text[at + 1..]].concat());
        refused(&text[..at]);
    }
    for changed in
        [format!("1{text}"), format!("{text}1"), format!(" {text}"), format!("{text}\n"), "1".repeat(1 << 20)]
    {
        refused(&changed);
    }
}

#[test]
fn every_official_vector_of_bip_32_gets_its_verdict() {
    let Some(folder) = std::env::var_os("QUORUMKEY_VECTORS") else {
        // Not by `eprintln`: what a test that passes prints is not shown.
        let _ = writeln!(std::io::stderr(), "not checked: bip32; QUORUMKEY_VECTORS is not set");
        return;
    };
    let file = std::path::Path::new(&folder).join("bip32/bip32_vectors.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut steps = 0;
    for chain in vectors["valid"].as_array().unwrap() {
        let keys = chain["chains"].as_array().unwrap();
        for key in keys {
            let text = key["xpub"].as_str().unwrap();
            assert_eq!(read(TAPROOT, text).to_base58(Network::Mainnet), text);
            let private = ExtendedPublicKey::from_base58(TAPROOT, key["xprv"].as_str().unwrap());
            assert_eq!(private, Err(DerivationError::Private));
        }
        for pair in keys.windows(2) {
            let last = pair[1]["path"].as_str().unwrap().rsplit('/').next().unwrap();
            if let Ok(index) = last.parse() {
                step(pair[0]["xpub"].as_str().unwrap(), index, pair[1]["xpub"].as_str().unwrap());
                steps += 1;
            }
        }
    }
    assert_eq!(steps, 6);
    let invalid = vectors["invalid"].as_array().unwrap();
    assert_eq!(invalid.len(), 16);
    for one in invalid {
        assert!(ExtendedPublicKey::from_base58(TAPROOT, one[0].as_str().unwrap()).is_err(), "{one}");
    }
}

#[test]
fn the_addresses_of_bip_86_are_the_published_ones() {
    let account = read(TAPROOT, ACCOUNT);
    for [steps, internal, output, address] in ADDRESSES {
        let child = account.derive(&path(steps)).unwrap();
        assert_eq!(child.key().as_bytes()[1..], unhex(internal));
        let key = child.verifying_key(None);
        assert_eq!(
            (key.as_bytes(), key.p2tr_address(Network::Mainnet).unwrap().as_str()),
            (&unhex(output)[..], address)
        );
    }
}

/// Of an internal key that is even, and of the same one that is odd: the output is one.
#[test]
fn the_outputs_of_bip_341_are_the_published_ones() {
    for [internal, root, output, address] in OUTPUTS {
        for prefix in [2, 3] {
            let internal = [&[prefix], unhex(internal).as_slice()].concat();
            let root = (!root.is_empty()).then(|| unhex(root));
            let key = GroupKey::from_bytes(TAPROOT, &internal).unwrap().verifying_key(root.as_ref());
            assert_eq!(key.as_bytes(), unhex(output));
            assert_eq!(key.p2tr_address(Network::Mainnet).unwrap(), address);
        }
    }
}
