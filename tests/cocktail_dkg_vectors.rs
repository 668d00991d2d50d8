//! COCKTAIL-DKG's official vectors, byte for byte (C2SP/CCTV, `cocktail-dkg/`, specification v0.2.x).
//!
//! The folder that holds them is taken from `QUORUMKEY_VECTORS`. All inputs come from one seed by the vectors' own
//! derivation; the whole JSON of a vector is rebuilt from what our code computes, and compared as one value.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::io::Write as _;
use std::path::Path;

use quorumkey::Suite;
use quorumkey::hazmat::{
    CocktailFigures, CocktailRecovery, CocktailRun, cocktail_dkg, cocktail_recover, cocktail_sign,
};
use rand_core::{TryCryptoRng, TryRng};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha512};

/// SHA-256 of "Daniel Bourdrez,Soatok Dreamseeker,Tjaden Hess" (the specification's Appendix B).
const SEED: &str = "b171b6992cc6db1f40b18dd8b1361d642f013e4b1208a735259a516af60dcb68";
const FILES: [(Suite, &str); 2] =
    [(Suite::Ed25519, "cocktail-dkg-ed25519-sha512.json"), (Suite::Secp256k1, "cocktail-dkg-secp256k1-sha256.json")];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits.map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

const fn is_ed25519(suite: Suite) -> bool {
    matches!(suite, Suite::Ed25519)
}

const fn cocktail_id(suite: Suite) -> &'static str {
    if is_ed25519(suite) { "COCKTAIL(Ed25519, SHA-512)" } else { "COCKTAIL(secp256k1, SHA-256)" }
}

fn hash(suite: Suite, data: &[u8]) -> Vec<u8> {
    if is_ed25519(suite) { Sha512::digest(data).to_vec() } else { Sha256::digest(data).to_vec() }
}

/// The specification's Appendix B.
#[derive(Clone, Debug)]
struct Derivation {
    suite: Suite,
    t: u32,
    n: u32,
}

impl Derivation {
    fn bytes(&self, label: &str, counter: Option<u64>) -> Vec<u8> {
        let mut data = unhex(SEED);
        data.extend(cocktail_id(self.suite).as_bytes());
        data.extend(self.t.to_le_bytes());
        data.extend(self.n.to_le_bytes());
        data.extend(label.as_bytes());
        data.extend(counter.iter().flat_map(|counter| counter.to_le_bytes()));
        hash(self.suite, &data)
    }

    /// The hash modulo the group order. No hash of these vectors reaches secp256k1's order: our decoder, which is
    /// strict, would refuse it.
    fn scalar(&self, label: &str, counter: Option<u64>) -> [u8; 32] {
        let bytes = self.bytes(label, counter);
        if is_ed25519(self.suite) {
            let wide = bytes.try_into().unwrap();
            curve25519_dalek::Scalar::from_bytes_mod_order_wide(&wide).to_bytes()
        } else {
            bytes.try_into().unwrap()
        }
    }

    /// Block *j* of a participant's stream is `H(… || round1_participant_i || uint64_le(j))`, one for each scalar.
    fn stream(&self, participant: u32) -> Stream {
        Stream { derivation: self.clone(), label: format!("round1_participant_{participant}"), counter: 0 }
    }

    fn session_tag(&self) -> String {
        format!("COCKTAIL-DKG-TEST-VECTOR-{}-OF-{}", self.t, self.n)
    }

    fn payloads(&self) -> Vec<Vec<u8>> {
        (1..=self.n).map(|i| self.bytes(&format!("payload_{i}"), None)).collect()
    }

    fn extension(&self, payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut data = u64::from(self.n).to_le_bytes().to_vec();
        for payload in payloads {
            data.extend(u64::try_from(payload.len()).unwrap().to_le_bytes());
            data.extend(payload);
        }
        hash(self.suite, &data)
    }
}

/// A participant's randomness. The library draws 64 bytes for a scalar and reduces them; a block of 32 is put behind
/// zeros, which is the same number for a suite whose integers are big-endian.
#[derive(Clone, Debug)]
struct Stream {
    derivation: Derivation,
    label: String,
    counter: u64,
}

impl TryRng for Stream {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!("scalars are drawn as bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!("scalars are drawn as bytes")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let block = self.derivation.bytes(&self.label, Some(self.counter));
        self.counter += 1;
        assert_eq!(bytes.len(), 64, "a scalar is drawn from 64 bytes");
        let (padding, value) = bytes.split_at_mut(64 - block.len());
        padding.fill(0);
        value.copy_from_slice(&block);
        Ok(())
    }
}

impl TryCryptoRng for Stream {}

struct Vector {
    derivation: Derivation,
    secrets: Vec<[u8; 32]>,
    payloads: Option<Vec<Vec<u8>>>,
    extension: Vec<u8>,
    figures: CocktailFigures,
}

fn run(suite: Suite, t: u32, n: u32, with_payloads: bool) -> Vector {
    let derivation = Derivation { suite, t, n };
    let secrets: Vec<_> = (1..=n).map(|i| derivation.scalar(&format!("static_secret_key_{i}"), None)).collect();
    let payloads = with_payloads.then(|| derivation.payloads());
    let extension = payloads.as_ref().map(|payloads| derivation.extension(payloads)).unwrap_or_default();
    let mut streams: Vec<_> = (1..=n).map(|i| derivation.stream(i)).collect();
    let figures = cocktail_dkg(
        &CocktailRun {
            suite,
            threshold: t.try_into().unwrap(),
            session_id: derivation.session_tag().as_bytes(),
            static_secrets: &secrets,
            payloads: &payloads.clone().unwrap_or_else(|| vec![Vec::new(); secrets.len()]),
            extension: &extension,
        },
        &mut streams,
    )
    .unwrap();
    Vector { derivation, secrets, payloads, extension, figures }
}

/// How the input of a hash to scalar begins: with a string, or with BIP-340's tag, hashed and doubled.
fn prefix(suite: Suite, ed25519: &str, secp256k1: &str) -> Vec<u8> {
    if is_ed25519(suite) { ed25519.as_bytes().to_vec() } else { Sha256::digest(secp256k1).repeat(2) }
}

fn hex_list<T: AsRef<[u8]>>(list: &[T]) -> Value {
    list.iter().map(|bytes| hex(bytes.as_ref())).collect()
}

impl Vector {
    /// The vector as the official file has it.
    fn to_json(&self) -> Value {
        let figures = &self.figures;
        let n = self.secrets.len();
        let mut vector = Map::new();
        vector.insert("n".into(), json!(n));
        vector.insert("t".into(), json!(self.derivation.t));
        vector.insert("session_tag".into(), json!(hex(self.derivation.session_tag().as_bytes())));
        vector.insert("context".into(), json!(hex(&figures.context)));
        vector.insert("extension".into(), json!(hex(&self.extension)));
        if let Some(payloads) = &self.payloads {
            vector.insert("payloads".into(), hex_list(payloads));
        }
        let config = json!({
            "static_secret_keys": hex_list(&self.secrets),
            "static_public_keys": hex_list(&figures.static_public_keys),
        });
        vector.insert("config".into(), config);
        vector.insert("round1".into(), (0..n).map(|i| self.round1(i)).collect());
        let round2 = (0..n).map(|i| {
            json!({
                "participant_id": i + 1,
                "secret_share": hex(&figures.shares[i]),
                "verification_share": hex(&figures.verifying_shares[i]),
            })
        });
        vector.insert("round2".into(), round2.collect());
        let signatures = (0..n).map(|i| json!({ "signer_id": i + 1, "signature": hex(&figures.signatures[i]) }));
        let round3 = json!({
            "transcript_hash": hex(&figures.transcript_hash),
            "signatures": signatures.collect::<Value>(),
        });
        vector.insert("round3".into(), round3);
        vector.insert("group_public_key".into(), json!(hex(&figures.group_key)));
        if n == 3 {
            vector.insert("recovery".into(), self.recovery());
        }
        Value::Object(vector)
    }

    fn round1(&self, i: usize) -> Value {
        let suite = self.derivation.suite;
        let round = &self.figures.rounds[i];
        let a0 = self.derivation.scalar(&format!("round1_participant_{}", i + 1), Some(0));
        let message = &round.possession_message;
        let pop = cocktail_sign(suite, &a0, message).unwrap();
        assert_eq!(pop.signature, round.proof);
        let nonce_prefix = prefix(suite, "COCKTAIL-DKG-Ed25519-SHA512-NONCE", "COCKTAIL-DKG/NONCE");
        let challenge_prefix = prefix(suite, "COCKTAIL-DKG-Ed25519-SHA512-H7", "COCKTAIL-DKG/H7");
        let challenge_input = [&challenge_prefix, &pop.nonce_commitment, &round.commitment[0], message];
        json!({
            "participant_id": i + 1,
            "ephemeral_public_key": hex(&round.ephemeral),
            "vss_commitment": hex_list(&round.commitment),
            "pop": hex(&round.proof),
            "pop_intermediate": {
                "message": hex(message),
                "nonce_input": hex(&[nonce_prefix.as_slice(), &a0, message].concat()),
                "nonce": hex(&pop.nonce),
                "nonce_commitment": hex(&pop.nonce_commitment),
                "challenge_input": hex(&challenge_input.map(Vec::as_slice).concat()),
                "challenge": hex(&pop.challenge),
            },
            "encrypted_shares": hex_list(&round.ciphertexts),
        })
    }

    /// The first participant's recovery, from the certificate and its own ciphertexts.
    fn recovery(&self) -> Value {
        let recovered = self.recover(0).unwrap();
        assert_eq!(recovered.group_key, self.figures.group_key);
        let ciphertexts: Vec<_> = self.figures.rounds.iter().map(|round| &round.ciphertexts[0]).collect();
        json!({
            "participant_id": 1,
            "ciphertexts": hex_list(&ciphertexts),
            "recovered_secret_share": hex(&recovered.share),
            "recovered_verification_share": hex(&recovered.verifying_share),
        })
    }

    fn recover(&self, i: usize) -> Result<CocktailRecovery, String> {
        let mut bundle = Vec::new();
        for round in &self.figures.rounds {
            bundle.extend(u64::try_from(round.ciphertexts[i].len()).unwrap().to_be_bytes());
            bundle.extend(&round.ciphertexts[i]);
        }
        let signatures = self.figures.signatures.concat();
        cocktail_recover(self.derivation.suite, &self.secrets[i], &self.figures.transcript, &signatures, &bundle)
    }
}

/// Where the vector holds text or a number.
fn leaves(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| leaves(value, &format!("{path}/{key}"), paths)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, value)| leaves(value, &format!("{path}/{i}"), paths));
        }
        _ => paths.push(path.to_owned()),
    }
}

/// Equality that says which leaves differ.
fn assert_same(ours: &Value, official: &Value) {
    let mut paths = Vec::new();
    leaves(official, "", &mut paths);
    paths.retain(|path| ours.pointer(path) != official.pointer(path));
    assert!(paths.is_empty(), "these differ: {paths:?}");
    assert_eq!(ours, official);
}

/// Calls `visit` once for each leaf of the vector, with a byte of that leaf changed.
fn with_each_leaf_changed(vector: &Value, visit: &mut impl FnMut(&Value, &str)) {
    let mut paths = Vec::new();
    leaves(vector, "", &mut paths);
    let mut changed = vector.clone();
    for path in paths {
        let leaf = changed.pointer_mut(&path).unwrap();
        let original = leaf.clone();
        *leaf = match &original {
            Value::String(text) if text.is_empty() => json!("00"),
            Value::String(text) => {
                let mut bytes = unhex(text);
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                json!(hex(&bytes))
            }
            other => json!(other.as_u64().unwrap() ^ 1),
        };
        visit(&changed, &path);
        *changed.pointer_mut(&path).unwrap() = original;
    }
    assert_eq!(&changed, vector);
}

#[test]
fn cocktail_dkg_vectors() {
    let Some(folder) = std::env::var_os("QUORUMKEY_VECTORS") else {
        // Not by `eprintln`: what a test that passes prints is not shown.
        let _ = writeln!(std::io::stderr(), "not checked: the official vectors; QUORUMKEY_VECTORS is not set");
        return;
    };
    let mut checked = 0;
    let mut changed_leaves = 0;
    for (suite, file) in FILES {
        let text = std::fs::read_to_string(Path::new(&folder).join("cocktail-dkg").join(file)).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(file["ciphersuite"], cocktail_id(suite));
        assert_eq!(file["seed"], SEED);
        for vector in file["vectors"].as_array().unwrap() {
            let number = |key: &str| u32::try_from(vector[key].as_u64().unwrap()).unwrap();
            let ours = run(suite, number("t"), number("n"), vector.get("payloads").is_some());
            let json = ours.to_json();
            assert_same(&json, vector);
            with_each_leaf_changed(vector, &mut |changed, path| {
                assert_ne!(&json, changed, "a changed byte in {path} goes unseen");
                changed_leaves += 1;
            });
            for i in 0..ours.secrets.len() {
                let recovered = ours.recover(i).unwrap();
                assert_eq!(json!(hex(&recovered.share)), vector["round2"][i]["secret_share"]);
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 8);
    assert!(changed_leaves > 1000);
}

/// The main figures of the 2-of-3 vectors, from the files named above: context, group key, hash of the transcript
/// (which covers all that is public), first share, first signature, last ciphertext.
const EMBEDDED: [(Suite, bool, [&str; 6]); 4] = [
    (
        Suite::Ed25519,
        false,
        [
            "af4eee2b88a2e576f3b621cf8df10a5f1b0f2132f889a36fd5626ee63b78d7b66bffabc2579b61128fe60d51baa220fd\
             09789af643f652f61c7dffe7aaadb00d",
            "ec21f5ee46aa6e11ddc8d3f42af51e6636b86de0243229d848da48c3b604964d",
            "d99fb2fd0fe11ac40c202b7f511ef7d1a79923aa51007cc83389244bb9bdc9cc58e9ddb5769b2e74226e02448ba1d2aa\
             2a002a5a6bec230ebc6207d0cd95f35b",
            "c11e69ce202b5f0edb662e870c506269016bf9113f5b66af4cc01fdf1482860c",
            "ba0db2d0c12aacba2fbf0c5edd6616bdb665d1b8a91ddf96ded851cb09a9edeb179714e45d757967c2bc5f1cac300598\
             d2317ec4eac175c8b58a7f116e67450a",
            "67ce8c366f0fd7a755d820ae5f5b9925c140123116e83235eceebdc7c33895f3376e383b698d833e8f88aa1b2a1d073e",
        ],
    ),
    (
        Suite::Ed25519,
        true,
        [
            "af4eee2b88a2e576f3b621cf8df10a5f1b0f2132f889a36fd5626ee63b78d7b66bffabc2579b61128fe60d51baa220fd\
             09789af643f652f61c7dffe7aaadb00d",
            "ec21f5ee46aa6e11ddc8d3f42af51e6636b86de0243229d848da48c3b604964d",
            "bf5dc5673565f52b9315edf17f1b389ccf7533a001d8cb5c6a1dc4dd6178c1385fe817b76a9c8d346213bc661c445267\
             0ea072c4157503adcee4932a9527a1f5",
            "c11e69ce202b5f0edb662e870c506269016bf9113f5b66af4cc01fdf1482860c",
            "734195c298f80b67b2be2f1ec5cf839d4054cb855c34082493968b447d5e08fe1906bb0ee050fc7051aaf927f2081f70\
             6a256505a8989fc37ded8f7e72c5240c",
            "67ce8c366f0fd7a755d820ae5f5b9925c140123116e83235eceebdc7c33895f39cd730b8c6b81b792970e18a4b3d32c2\
             bdbe8febc2fe1addec412bdd83db20e9e0d61da744af131e4b363857aea67cdc57e4e75789e4976a2beafc8ff4019982\
             64fcce3955aae1e472ad3aa9905c0c8c",
        ],
    ),
    (
        Suite::Secp256k1,
        false,
        [
            "0ca5e693787bf353a1f5f167e32c09acbbf720c80fd2eeda6e33d7bb42a81dd8",
            "0317763ca657a4d5e1c661b395aa9454ee2d9bdbbe8f2ea57ea0ec5cc0723ed9d9",
            "df0b530aa49c10a145f6387738b13641e0caee220fed2b6d91930d6c4b72ea7d",
            "78402404ae73ea8795a8af5d5fe1caae5a71abdb62b52bd4be279a05df62bb26",
            "03e8acfb85a07d3ffcbb3524a5c643a50de1d7bcc65289c424c4822ffed54d02f742d90e44b124c2f1413706d793dc5e\
             f5c8f9cf4ea7c64f5e32f1bd5ab650b468",
            "e533f3f84e232099c48a56f4b2f4c6685bf56105cc24741478ab93b86b2d73653aa56853b6d53996e03cda07bdafa7dc",
        ],
    ),
    (
        Suite::Secp256k1,
        true,
        [
            "0ca5e693787bf353a1f5f167e32c09acbbf720c80fd2eeda6e33d7bb42a81dd8",
            "0317763ca657a4d5e1c661b395aa9454ee2d9bdbbe8f2ea57ea0ec5cc0723ed9d9",
            "1494f91178f9bdccb340aea088f353c7ef2b21acb14d7de9b8c68ec171880516",
            "78402404ae73ea8795a8af5d5fe1caae5a71abdb62b52bd4be279a05df62bb26",
            "03d02d53238c256e3e95b6a197d3538a713c7c45e2502079511c20e9c2cc36e1136c7e4db2001a18d4b24d9a0116e3f3\
             8a26593c6410fdb3102b123c67a54cde0f",
            "e533f3f84e232099c48a56f4b2f4c6685bf56105cc24741478ab93b86b2d736529093686f39773ad60074163510709eb\
             710330a225e9efafcb314dc8750e74c6b754789ddcc232abb8831df13a9c5e2b",
        ],
    ),
];

#[test]
fn the_two_of_three_figures_are_the_official_ones() {
    for (suite, with_payloads, expected) in EMBEDDED {
        let vector = run(suite, 2, 3, with_payloads);
        let figures = &vector.figures;
        let ours = [
            &figures.context,
            &figures.group_key,
            &figures.transcript_hash,
            &figures.shares[0],
            &figures.signatures[0],
            &figures.rounds[2].ciphertexts[2],
        ];
        assert_eq!(ours.map(|bytes| hex(bytes)), expected);
        for i in 0..3 {
            assert_eq!(vector.recover(i).unwrap().share, figures.shares[i]);
        }
    }
}

#[test]
fn taproot_deals_exactly_like_secp256k1() {
    let secp256k1 = run(Suite::Secp256k1, 2, 3, true);
    let taproot = run(Suite::Secp256k1Taproot, 2, 3, true);
    assert_eq!(secp256k1.figures, taproot.figures);
}

#[test]
fn a_round_one_message_is_the_concatenation_that_the_specification_gives() {
    let figures = run(Suite::Ed25519, 2, 3, false).figures;
    for round in &figures.rounds {
        let mut message = round.commitment.concat();
        message.extend(&round.proof);
        message.extend(&round.ephemeral);
        for ciphertext in &round.ciphertexts {
            message.extend([0, 0, 0, 0, 0, 0, 0, 48]);
            message.extend(ciphertext);
        }
        assert_eq!(hex(&round.message), hex(&message));
    }
}
