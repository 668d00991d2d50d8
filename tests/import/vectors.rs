//! The key path spends of BIP-341, by a group that the published keys were brought into. The figures are transcribed from
//! bitcoin/bips (BSD-2-Clause): `bip-0341/wallet-test-vectors.json`, `keyPathSpending`.

use std::collections::BTreeSet;

use bitcoin::TapNodeHash;
use bitcoin::hashes::Hash as _;
use bitcoin::key::{Parity, TapTweak as _};
use bitcoin::secp256k1::{Message, Secp256k1, XOnlyPublicKey, schnorr};
use quorumkey::{Derivation, KeyId, Signature};

use super::*;
use crate::backend::{Backend, group};

/// Internal private key, merkle root (or none), internal key, output key, hash to sign.
const SPENDS: [[&str; 5]; 7] = [
    [
        "6b973d88838f27366ed61c9ad6367663045cb456e28335c109e30717ae0c6baa",
        "",
        "d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d",
        "53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343",
        "2514a6272f85cfa0f45eb907fcb0d121b808ed37c6ea160a5a9046ed5526d555",
    ],
    [
        "1e4da49f6aaf4e5cd175fe08a32bb5cb4863d963921255f33d3bc31e1343907f",
        "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
        "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27",
        "147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3",
        "325a644af47e8a5a2591cda0ab0723978537318f10e6a63d4eed783b96a71a4d",
    ],
    [
        "d3c7af07da2d54f7a7735d3d0fc4f0a73164db638b2f2f7c43f711f6d4aa7e64",
        "c525714a7f49c28aedbbba78c005931a81c234b2f6c99a73e4d06082adc8bf2b",
        "93478e9488f956df2396be2ce6c5cced75f900dfa18e7dabd2428aae78451820",
        "e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e",
        "bf013ea93474aa67815b1b6cc441d23b64fa310911d991e713cd34c7f5d46669",
    ],
    [
        "f36bb07a11e469ce941d16b63b11b9b9120a84d9d87cff2c84a8d4affb438f4e",
        "ccbd66c6f7e8fdab47b3a486f59d28262be857f30d4773f2d5ea47f7761ce0e2",
        "e0dfe2300b0dd746a3f8674dfd4525623639042569d829c7f0eed9602d263e6f",
        "91b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605",
        "4f900a0bae3f1446fd48490c2958b5a023228f01661cda3496a11da502a7f7ef",
    ],
    [
        "415cfe9c15d9cea27d8104d5517c06e9de48e2f986b695e4f5ffebf230e725d8",
        "2f6b2c5397b6d68ca18e09a3f05161668ffe93a988582d55c6f07bd5b3329def",
        "55adf4e8967fbd2e29f20ac896e60c3b0f1d5b0efa9d34941b5958c7b0a0312d",
        "75169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831",
        "15f25c298eb5cdc7eb1d638dd2d45c97c4c59dcaec6679cfc16ad84f30876b85",
    ],
    [
        "c7b0e81f0a9a0b0499e112279d718cca98e79a12e2f137c72ae5b213aad0d103",
        "6c2dc106ab816b73f9d07e3cd1ef2c8c1256f519748e0813e4edd2405d277bef",
        "ee4fe085983462a184015d1f782d6a5f8b9c2b60130aff050ce221ecf3786592",
        "712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5",
        "cd292de50313804dabe4685e83f923d2969577191a3e1d2882220dca88cbeb10",
    ],
    [
        "77863416be0d0665e517e1c375fd6f75839544eca553675ef7fdf4949518ebaa",
        "ab179431c28d3b68fb798957faf5497d69c883c6fb1e1cd9f81483d87bac90cc",
        "f9f400803e683727b14f463836e1e78e1c64417638aa066919291a225f0e8dd8",
        "77e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220",
        "cccb739eca6c13a8a89e6e5cd317ffe55669bbda23f2fd37b0f18755e008edd2",
    ],
];

fn unhex(text: &str) -> [u8; 32] {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect::<Vec<_>>().try_into().unwrap()
}

fn sign_under(members: &[Member], key: KeyId, signers: [u16; 2], hash: &[u8], derivation: &Derivation) -> Signature {
    let by = |number: u16| &members[usize::from(number) - 1].session;
    let invitation = by(signers[0]).invite_sign_under(key, &signers.map(id), hash, derivation).unwrap();
    let mut runs = signers.map(|number| by(number).start_sign_under(&invitation, hash, derivation).unwrap());
    exchange(&mut runs).remove(0)
}

/// What libsecp256k1 makes of it.
fn is_by(output: &XOnlyPublicKey, hash: [u8; 32], signature: &Signature) -> bool {
    let signature = schnorr::Signature::from_slice(signature.as_bytes()).unwrap();
    Secp256k1::verification_only().verify_schnorr(&signature, &Message::from_digest(hash), output).is_ok()
}

pub fn an_imported_key_spends_the_published_outputs_whatever_their_script_roots(backend: &dyn Backend) {
    let members = group(backend, 3);
    let mut parities = BTreeSet::new();
    for [secret, root, internal, output, hash] in SPENDS {
        let old = ImportedKey::from_scalar(Suite::Secp256k1Taproot, Zeroizing::new(unhex(secret))).unwrap();
        let key = import(&members, 0, old);
        let root = (!root.is_empty()).then(|| unhex(root));
        let derivation = Derivation { root, ..Derivation::default() };
        let (internal, output) =
            [internal, output].map(|text| XOnlyPublicKey::from_slice(&unhex(text)).unwrap()).into();
        assert_eq!(key.group_key.as_bytes()[1..], internal.serialize());
        let signature = sign_under(&members, key.id, [1, 2], &unhex(hash), &derivation);
        assert!(is_by(&output, unhex(hash), &signature));
        // The output is that of the published root alone.
        let other = Derivation { root: Some([7; 32]), ..Derivation::default() };
        let signature = sign_under(&members, key.id, [3, 1], &unhex(hash), &other);
        assert!(!is_by(&output, unhex(hash), &signature));

        refresh(&members, key.id);
        let signature = sign_under(&members, key.id, [3, 2], &unhex(hash), &derivation);
        assert!(is_by(&output, unhex(hash), &signature));
        let (_, parity) = internal.tap_tweak(&Secp256k1::verification_only(), root.map(TapNodeHash::from_byte_array));
        parities.insert((key.group_key.as_bytes()[0] == 3, parity == Parity::Odd));
    }
    assert_eq!(parities.len(), 4, "odd and even internal keys, of each odd and even outputs");
}
