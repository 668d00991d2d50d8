//! The groups, keys and signatures, against what others published and what other libraries say.

use bitcoin::secp256k1::{self as libsecp, All};
use bitcoin::taproot::{TapNodeHash, TaprootSpendInfo};
use curve25519_dalek::constants::EIGHT_TORSION;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::official::{hex, official, official_json};
use super::*;

fn verify(suite: Suite, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SuiteError> {
    VerifyingKey::from_bytes(suite, key)?.verify(message, &Signature::from_bytes(suite, signature)?)
}

fn bip340(line: &str) {
    let [_, _, key, _, message, signature, result] = line.splitn(8, ',').collect::<Vec<_>>()[..7] else {
        unreachable!("seven are taken")
    };
    let verdict = verify(Suite::Secp256k1Taproot, &hex(key), &hex(message), &hex(signature));
    assert_eq!(verdict.is_ok(), result == "TRUE", "{line}: {verdict:?}");
}

/// From bitcoin/bips, bip-0340/test-vectors.csv: good, y of R odd, negated message, R at infinity, s at the order, a
/// key above the field, an empty message. Secret keys and comments are left out.
const BIP340: [&str; 7] = [
    "1,,DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659,,243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89,6896BD60EEAE296DB48A229FF71DFE071BDE413E6D43F917DC8DCF8C78DE33418906D11AC976ABCCB20B091292BFF4EA897EFCB639EA871CFA95F6DE339E4B0A,TRUE",
    "6,,DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659,,243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89,FFF97BD5755EEEA420453A14355235D382F6472F8568A18B2F057A14602975563CC27944640AC607CD107AE10923D9EF7A73C643E166BE5EBEAFA34B1AC553E2,FALSE",
    "7,,DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659,,243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89,1FA62E331EDBC21C394792D2AB1100A7B432B013DF3F6FF4F99FCB33E0E1515F28890B3EDB6E7189B630448B515CE4F8622A954CFE545735AAEA5134FCCDB2BD,FALSE",
    "9,,DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659,,243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89,0000000000000000000000000000000000000000000000000000000000000000123DDA8328AF9C23A94C1FEECFD123BA4FB73476F0D594DCB65C6425BD186051,FALSE",
    "13,,DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659,,243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89,6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E177769FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,FALSE",
    "14,,FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC30,,243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89,6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E17776969E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B,FALSE",
    "15,,778CAA53B4393AC467774D09497A87224BF9FAB6F6E68B23086497324D6FD117,,,71535DB165ECD9FBBC046E5FFAEA61186BB6AD436732FCCC25291A55895464CF6069CE26BF03466228F19A3A62DB8A649F2D560FAC652827D1AF0574E427AB63,TRUE",
];

#[test]
fn the_main_rows_of_bip_340_get_their_verdict() {
    BIP340.into_iter().for_each(bip340);
}

#[test]
fn every_row_of_bip_340_gets_its_verdict() {
    let Some(csv) = official("bip340/test-vectors.csv") else { return };
    let rows: Vec<_> = csv.lines().skip(1).collect();
    assert!(rows.len() >= 19);
    rows.into_iter().for_each(bip340);
}

#[test]
fn every_ed25519_case_of_wycheproof_gets_its_verdict() {
    let Some(json) = official_json("wycheproof/ed25519_test.json") else { return };
    let mut count = 0;
    for group in json["testGroups"].as_array().unwrap() {
        let key = hex(group["publicKey"]["pk"].as_str().unwrap());
        for test in group["tests"].as_array().unwrap() {
            let [message, signature] = ["msg", "sig"].map(|name| hex(test[name].as_str().unwrap()));
            let verdict = verify(Suite::Ed25519, &key, &message, &signature);
            assert_eq!(verdict.is_ok(), test["result"] == "valid", "{test}: {verdict:?}");
            count += 1;
        }
    }
    assert_eq!(Some(count), json["numberOfTests"].as_u64());
}

/// A signature by a key with a torsion component: `A = aB + T`, `R = rB + U`, `s = r + ca`.
fn torsioned(secret: u64, key: usize, commitment: usize, message: &[u8]) -> ([u8; 32], [u8; 64]) {
    torsioned_from([secret, secret / 3], key, commitment, message)
}

/// The same of any two scalars, `a` and `r`.
fn torsioned_from(scalars: [u64; 2], key: usize, commitment: usize, message: &[u8]) -> ([u8; 32], [u8; 64]) {
    use curve25519_dalek::{EdwardsPoint, Scalar};
    let [a, r] = scalars.map(Scalar::from);
    let key = (EdwardsPoint::mul_base(&a) + EIGHT_TORSION[key]).compress().to_bytes();
    let commitment = (EdwardsPoint::mul_base(&r) + EIGHT_TORSION[commitment]).compress().to_bytes();
    let challenge = Scalar::from_bytes_mod_order_wide(&hash::sha512(&[&commitment, &key, message]));
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&commitment);
    signature[32..].copy_from_slice((r + challenge * a).as_bytes());
    (key, signature)
}

fn dalek_strict(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    ed25519_dalek::VerifyingKey::from_bytes(key)
        .and_then(|key| key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)))
        .is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ed25519_is_as_strict_as_dalek(
        secret in 0_u64..4, big: u64, key in 0_usize..8, commitment in 0_usize..8, flip in 0_usize..1024,
        message: Vec<u8>,
    ) {
        let secret = if secret == 3 { big } else { secret };
        let (key, mut signature) = torsioned(secret, key, commitment, &message);
        if flip < 512 {
            signature[flip / 8] ^= 1 << (flip % 8);
        }
        let ours = verify(Suite::Ed25519, &key, &message, &signature).is_ok();
        prop_assert_eq!(ours, dalek_strict(&key, &message, &signature));
    }
}

/// The order of the subgroup does not act as zero on torsion: negating the challenge in place of the key refused these.
#[test]
fn ed25519_keys_with_a_torsion_component_verify_where_dalek_says() {
    let mut verified = 0;
    for pair in 0..64 {
        for message in 0..8_u8 {
            let (key, signature) = torsioned(0x1234_5678_9abc, pair / 8, pair % 8, &[message]);
            let ours = verify(Suite::Ed25519, &key, &[message], &signature).is_ok();
            assert_eq!(ours, dalek_strict(&key, &[message], &signature));
            verified += u32::from(ours);
        }
    }
    assert!(verified > 8, "more than those without torsion");
}

fn cocktail<C: Ciphersuite>(file: &str) {
    let Some(json) = official_json(&format!("cocktail-dkg/{file}")) else { return };
    assert_eq!(json["ciphersuite"], C::COCKTAIL_ID);
    let bytes = |value: &serde_json::Value| hex(value.as_str().unwrap());
    let scalar = |value| C::Scalar::from_bytes(&bytes(value).try_into().unwrap()).unwrap();
    for vector in json["vectors"].as_array().unwrap() {
        let (context, keys) = (bytes(&vector["context"]), &vector["config"]["static_public_keys"]);
        for (sender, round) in vector["round1"].as_array().unwrap().iter().enumerate() {
            let pop = &round["pop_intermediate"];
            let [message, input] = ["message", "nonce_input"].map(|name| bytes(&pop[name]));
            // The input ends with secret key and message; before them is the prefix, where there is one.
            let (head, _) = input.split_at(input.len() - message.len());
            let key = bytes(&round["vss_commitment"][0]);
            let (nonce, challenge) = (scalar(&pop["nonce"]), scalar(&pop["challenge"]));
            let secret = head.last_chunk::<32>().unwrap();
            assert_eq!(C::Element::mul_base(&C::Scalar::from_bytes(secret).unwrap()).to_bytes(), key);
            assert!(C::cocktail_nonce(&[secret, &message]) == nonce);
            let commitment = C::Element::mul_base(&nonce).to_bytes();
            assert!(C::cocktail_challenge(&[&commitment, &key, &message]) == challenge);

            let (ephemeral, from) = (bytes(&round["ephemeral_public_key"]), bytes(&keys[sender]));
            for (recipient, sealed) in round["encrypted_shares"].as_array().unwrap().iter().enumerate() {
                let own = scalar(&vector["config"]["static_secret_keys"][recipient]);
                let ecdh = [&ephemeral, &from]
                    .map(|point| C::ecdh_encode(&(C::Element::from_bytes(point).unwrap() * own)).to_vec());
                let cipher = C::share_cipher(&ecdh.concat(), &ephemeral, &from, &bytes(&keys[recipient]), &context);
                let share = cipher.open(&bytes(sealed)).unwrap();
                assert_eq!(cipher.seal(&share), bytes(sealed));
            }
        }
    }
}

#[test]
fn the_shares_and_proofs_in_cocktail_s_vectors_open_and_come_out() {
    cocktail::<Ed25519>("cocktail-dkg-ed25519-sha512.json");
    cocktail::<Secp256k1>("cocktail-dkg-secp256k1-sha256.json");
    cocktail::<Taproot>("cocktail-dkg-secp256k1-sha256.json");
}

#[test]
fn the_taproot_output_key_is_that_of_the_bitcoin_crate() {
    let secp = libsecp::Secp256k1::<All>::gen_new();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut parities = std::collections::BTreeSet::new();
    for round in 0..32_u8 {
        let element = <Taproot as Ciphersuite>::Element::mul_base(&Scalar::random(&mut rng));
        let key = GroupKey::new::<Taproot>(&element);
        let (parity, x) = key.as_bytes().split_first().unwrap();
        let internal = libsecp::XOnlyPublicKey::from_slice(x).unwrap();
        for root in [None, Some([round; 32])] {
            let node = root.map(TapNodeHash::assume_hidden);
            let info = TaprootSpendInfo::new_key_spend(&secp, internal, node);
            assert_eq!(key.verifying_key(root.as_ref()).as_bytes(), info.output_key().serialize());
            parities.insert((*parity, info.output_key_parity() == libsecp::Parity::Odd));
        }
    }
    assert_eq!(parities.len(), 4, "odd and even keys, inner and outer");
}

fn refuses<C: Ciphersuite>(bad_points: &[Vec<u8>], bad_scalars: &[[u8; 32]]) {
    let good = C::Element::generator().to_bytes();
    assert_eq!(C::Element::from_bytes(&good), Some(C::Element::generator()));
    assert_eq!(good.len(), C::Element::LEN);
    assert_eq!(C::Element::IDENTITY.to_bytes(), vec![0; C::Element::LEN]);
    assert!(C::Element::IDENTITY.is_identity());
    assert!(C::Element::from_bytes(&vec![0; C::Element::LEN]).is_none());
    assert!(C::Element::from_bytes(&[good.as_slice(), &[0]].concat()).is_none());
    (0..good.len()).for_each(|cut| assert!(C::Element::from_bytes(&good[..cut]).is_none()));
    for bytes in bad_points {
        assert!(C::Element::from_bytes(bytes).is_none(), "{bytes:02x?}");
        assert!(GroupKey::from_bytes(C::SUITE, bytes).is_err());
    }
    for bytes in bad_scalars {
        assert!(C::Scalar::from_bytes(bytes).is_none(), "{bytes:02x?}");
    }
    let top = -C::Scalar::ONE;
    assert_eq!(C::Scalar::from_bytes(&top.to_bytes()), Some(top));
    assert_eq!(C::Scalar::ZERO.vartime_invert(), None);
    assert_eq!(top.vartime_invert(), Some(top));
    assert_eq!(format!("{top:?}"), "Scalar(..)");
}

#[test]
fn ed25519_refuses_small_order_torsion_second_encodings_and_large_scalars() {
    let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    let mut points: Vec<_> = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes().to_vec()).collect();
    points.extend(EIGHT_TORSION[1..].iter().map(|point| (base + point).compress().to_bytes().to_vec()));
    // y = p + k: second encodings of y = 0 to 18, two of which are on the curve with a large order (y = 3, 4, ...)
    for k in 0xed..=0xff_u8 {
        for last in [0x7f, 0xff] {
            let mut bytes = vec![0xff; 32];
            (bytes[0], bytes[31]) = (k, last);
            points.push(bytes);
        }
    }
    // x = 0 with a sign
    points.push([vec![1], vec![0; 30], vec![0x80]].concat());
    let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut next = order.clone();
    next[0] += 1;
    refuses::<Ed25519>(&points, &[order.try_into().unwrap(), next.try_into().unwrap(), [0xff; 32]]);
}

/// With it a signature says nothing of its maker: nobody has to know anything for it.
#[test]
fn a_key_of_small_order_is_no_key() {
    for pair in 0..64 {
        for message in 0..8_u8 {
            let (key, signature) = torsioned_from([0, 5], pair / 8, pair % 8, &[message]);
            assert_eq!(verify(Suite::Ed25519, &key, &[message], &signature), Err(SuiteError::MalformedKey));
        }
    }
}

/// A signature that is read is refused for it at once; one that signers make together is not read before it is verified.
#[test]
fn a_commitment_of_small_order_verifies_nothing_also_when_it_was_not_read() {
    for pair in 0..64 {
        for message in 0..8_u8 {
            let (key, signature) = torsioned_from([5, 0], pair / 8, pair % 8, &[message]);
            assert_eq!(Signature::from_bytes(Suite::Ed25519, &signature), Err(SuiteError::MalformedSignature));
            let (commitment, response) = signature.split_last_chunk().unwrap();
            let response = <Ed25519 as Ciphersuite>::Scalar::from_bytes(response).unwrap();
            let key = VerifyingKey::from_bytes(Suite::Ed25519, &key).unwrap();
            let verdict = key.verify(&[message], &Signature::new::<Ed25519>(commitment, &response));
            assert_eq!(verdict, Err(SuiteError::Unverified));
        }
    }
}

#[test]
fn a_second_encoding_of_a_key_or_of_a_commitment_verifies_nothing() {
    // Keys with y < 19 have a second encoding, y + p; of these, those that decode at all are refused by their bytes.
    let mut second = [0xff; 32];
    (second[0], second[31]) = (0xf0, 0x7f);
    assert!(curve25519_dalek::edwards::CompressedEdwardsY(second).decompress().is_some(), "the point is there");
    assert_eq!(VerifyingKey::from_bytes(Suite::Ed25519, &second), Err(SuiteError::MalformedKey));
    let signature = [second, [0; 32]].concat();
    assert_eq!(Signature::from_bytes(Suite::Ed25519, &signature), Err(SuiteError::MalformedSignature));
}

#[test]
fn secp256k1_refuses_other_prefixes_the_field_order_off_curve_and_large_scalars() {
    let generator = <Secp256k1 as Ciphersuite>::Element::generator().to_bytes();
    let mut points: Vec<Vec<u8>> =
        [0, 1, 4, 5, 6, 7, 0xff].into_iter().map(|prefix| [&[prefix], &generator[1..]].concat()).collect();
    // x = 5 is not on the curve; x = p + 1 would be x = 1, which is.
    points.push([vec![2], vec![0; 31], vec![5]].concat());
    points.push(hex("02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30"));
    let order: [u8; 32] = hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").try_into().unwrap();
    refuses::<Secp256k1>(&points, &[order, [0xff; 32]]);
    refuses::<Taproot>(&points, &[order, [0xff; 32]]);
}

#[test]
fn a_key_and_a_signature_of_different_suites_meet_in_an_error() {
    let key = GroupKey::new::<Secp256k1>(&Element::generator()).verifying_key(None);
    let element = <Ed25519 as Ciphersuite>::Element::generator();
    let signature = Signature::new::<Ed25519>(&element.to_bytes(), &Scalar::ONE);
    assert_eq!(key.verify(b"", &signature), Err(SuiteError::OtherSuite));
    assert_eq!(GroupKey::new::<Ed25519>(&element).element::<Secp256k1>(), None);
}

#[test]
fn sums_of_products_are_what_the_scalars_say_however_many_there_are() {
    fn check<C: Ciphersuite>() {
        for count in [0, 1, 2, 128, 129, 200] {
            let scalar = |number: u64| C::Scalar::from_u64(number << 40) - C::Scalar::ONE;
            let factors: Vec<_> = (0..count).map(|number| (scalar(number), scalar(number + 7))).collect();
            let terms: Vec<_> = factors.iter().map(|(one, other)| (*one, C::Element::mul_base(other))).collect();
            let sum = factors.into_iter().fold(C::Scalar::ZERO, |sum, (one, other)| sum + one * other);
            assert_eq!(C::Element::vartime_sum_of_products(&terms), C::Element::mul_base(&sum));
            let base = scalar(5);
            assert_eq!(C::Element::vartime_mul_base_add_sum(&base, &terms), C::Element::mul_base(&(base + sum)));
        }
    }
    check::<Ed25519>();
    check::<Secp256k1>();
}

#[test]
fn a_share_cipher_opens_what_it_sealed_and_nothing_else() {
    fn check<C: Ciphersuite>() {
        let cipher = |context: &[u8]| C::share_cipher(b"secret", b"e", b"s", b"r", context);
        let sealed = cipher(b"here").seal(b"a share");
        assert_eq!(sealed.len(), 7 + 16);
        assert_eq!(cipher(b"here").open(&sealed).unwrap().as_slice(), b"a share");
        assert!(cipher(b"there").open(&sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(cipher(b"here").open(&changed).is_none());
            assert!(cipher(b"here").open(&sealed[..at]).is_none());
        }
    }
    check::<Ed25519>();
    check::<Secp256k1>();
    check::<Taproot>();
}

/// libsecp256k1 and the arithmetic here come to one verdict, whatever is changed.
#[cfg(feature = "libsecp256k1")]
#[test]
fn libsecp256k1_verifies_what_is_verified_natively_and_nothing_else() {
    fn check<C: Ciphersuite>() {
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        for length in [0, 31, 32, 33] {
            let message = vec![length; usize::from(length)];
            let twice = C::Element::generator().double();
            let Adjustment { factor, addend, key, encoded } = C::adjust(&twice, &twice.to_bytes(), Some(&[length; 32]));
            let (secret, nonce) = (factor * C::Scalar::from_u64(2) + addend, C::Scalar::random(&mut rng));
            assert_eq!(C::Element::mul_base(&secret), key);
            let commitment = C::Element::mul_base(&nonce).to_bytes();
            let nonce = if C::negates_nonces(&commitment) { -nonce } else { nonce };
            let challenge = C::challenge(&commitment, &encoded, &message);
            let signature = C::encode_signature(&commitment, &(nonce + challenge * secret));
            let key = C::verifier_key(&encoded);
            let both = |key: &[u8], message: &[u8], signature: &[u8]| {
                let native = super::verify::verify_natively::<C>(key, message, signature).is_ok();
                (C::verify_by_library(key, message, signature), native)
            };
            let (library, native) = both(&key, &message, &signature);
            assert!(native && library.unwrap_or(true));
            assert_eq!(library.is_none(), C::SUITE == Suite::Secp256k1Taproot && length != 32);
            for at in 0..8 * signature.len() {
                let mut changed = signature.clone();
                changed[at / 8] ^= 1 << (at % 8);
                let (library, native) = both(&key, &message, &changed);
                assert_eq!(library.unwrap_or(native), native, "bit {at}");
            }
            let other = C::verifier_key(&C::Element::generator().to_bytes());
            assert_eq!(both(&other, &message, &signature).0.unwrap_or(false), false);
        }
    }
    check::<Secp256k1>();
    check::<Taproot>();
}

#[test]
fn verifying_keys_have_the_order_of_their_suites_and_bytes() {
    let one = Ed25519Element::generator();
    let keys = [one, one + one].map(|key| VerifyingKey::from_bytes(Suite::Ed25519, &key.to_bytes()).unwrap());
    for (left, right) in [(0, 0), (0, 1), (1, 0)] {
        let (left, right) = (&keys[left], &keys[right]);
        assert_eq!(left.partial_cmp(right), Some(left.as_bytes().cmp(right.as_bytes())));
    }
}
