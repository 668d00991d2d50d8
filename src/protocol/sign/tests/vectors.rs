//! The vectors of RFC 9591, appendix E, and those of frost for taproot and for more members.

use serde_json::Value;

use super::*;
use crate::suite::official::{hex, official_json};
use crate::suite::{Adjustment, Ed25519, Secp256k1, Taproot};

struct Vector {
    message: Vec<u8>,
    key: Vec<u8>,
    coefficients: Vec<Vec<u8>>,
    signers: Vec<Signer>,
    signature: Vec<u8>,
}

struct Signer {
    id: u16,
    share: Vec<u8>,
    randomness: [Vec<u8>; 2],
    commitments: Vec<u8>,
    binding_factor: Vec<u8>,
    signature_share: Vec<u8>,
}

fn array(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().unwrap()
}

fn check<C: Ciphersuite>(vector: Vector) {
    let coefficients = vector.coefficients.iter().map(|bytes| C::Scalar::from_bytes(&array(bytes)).unwrap()).collect();
    let group = Group::<C>::new(coefficients, vector.signers.iter().map(|signer| signer.id));
    assert_eq!(group.key.to_bytes(), vector.key);

    let (mut nonces, mut commitments) = (BTreeMap::new(), BTreeMap::new());
    for signer in &vector.signers {
        let share = group.share(id(signer.id));
        assert_eq!(share.expose().to_bytes(), *signer.share);
        let [hiding, binding] = signer.randomness.each_ref().map(|bytes| array(bytes));
        let made = Nonces::from_randomness(&share, &hiding, &binding);
        assert_eq!(made.commitments().as_bytes(), signer.commitments);
        assert_eq!(Commitments::from_bytes(&signer.commitments), Some(*made.commitments()));
        commitments.insert(id(signer.id), *made.commitments());
        nonces.insert(id(signer.id), made);
    }

    // The vectors for taproot are without a tweak, with a key that is even already.
    let untweaked = Adjustment { factor: C::Scalar::ONE, addend: C::Scalar::ZERO, key: group.key, encoded: vector.key };
    let package = SigningPackage::<C>::with_adjustment(vector.message, commitments, untweaked).unwrap();
    for signer in &vector.signers {
        assert_eq!(package.of(id(signer.id)).unwrap().1.to_bytes(), *signer.binding_factor);
    }
    let shares = group.round_two(&package, nonces);
    for signer in &vector.signers {
        let share = shares[&id(signer.id)];
        assert_eq!(share.to_bytes(), *signer.signature_share);
        assert_eq!(SignatureShare::from_bytes(&signer.signature_share), Some(share));
        assert!(verify_share(&package, id(signer.id), &share, &group.verifying_shares[&id(signer.id)]));
    }
    let signature = aggregate(&package, &shares, &group.verifying_shares).unwrap();
    assert_eq!(signature.as_bytes(), vector.signature);
    package.verifying_key().verify(package.message(), &signature).unwrap();
}

/// From frost's JSON.
fn read(json: &Value) -> Vector {
    let bytes = |value: &Value| hex(value.as_str().unwrap());
    let (inputs, ones) = (&json["inputs"], json["round_one_outputs"]["outputs"].as_array().unwrap());
    let twos = json["round_two_outputs"]["outputs"].as_array().unwrap();
    let signers = ones.iter().zip(twos).map(|(one, two)| {
        assert_eq!(one["identifier"], two["identifier"]);
        let shares = inputs["participant_shares"].as_array().unwrap();
        let share = shares.iter().find(|share| share["identifier"] == one["identifier"]).unwrap();
        Signer {
            id: u16::try_from(one["identifier"].as_u64().unwrap()).unwrap(),
            share: bytes(&share["participant_share"]),
            randomness: [bytes(&one["hiding_nonce_randomness"]), bytes(&one["binding_nonce_randomness"])],
            commitments: [bytes(&one["hiding_nonce_commitment"]), bytes(&one["binding_nonce_commitment"])].concat(),
            binding_factor: bytes(&one["binding_factor"]),
            signature_share: bytes(&two["sig_share"]),
        }
    });
    let rest = inputs["share_polynomial_coefficients"].as_array().unwrap();
    Vector {
        message: bytes(&inputs["message"]),
        key: bytes(&inputs["verifying_key_key"]),
        coefficients: std::iter::once(&inputs["group_secret_key"]).chain(rest).map(bytes).collect(),
        signers: signers.collect(),
        signature: bytes(&json["final_output"]["sig"]),
    }
}

fn check_files<C: Ciphersuite>(folder: &str) {
    for name in ["vectors", "vectors-big-identifier"] {
        let Some(json) = official_json(&format!("rfc9591/{folder}/{name}.json")) else { return };
        let vector = read(&json);
        assert!(vector.signers.len() >= 2);
        check::<C>(vector);
    }
}

#[test]
fn every_vector_of_ed25519_comes_out() {
    check_files::<Ed25519>("ed25519");
}

#[test]
fn every_vector_of_secp256k1_comes_out() {
    check_files::<Secp256k1>("secp256k1");
}

#[test]
fn every_vector_of_taproot_comes_out() {
    check_files::<Taproot>("secp256k1-tr");
}

type Figure = (u16, &'static str, [&'static str; 2], [&'static str; 2], &'static str, &'static str);

/// Two of three sign "test": the key, the secret and the slope, and for members 1 and 3 the share, the randomness of
/// both nonces, both commitments, the binding factor and the signature share; at last the signature.
struct Figures {
    key: &'static str,
    coefficients: [&'static str; 2],
    signers: [Figure; 2],
    signature: &'static str,
}

impl Figures {
    fn check<C: Ciphersuite>(&self) {
        let signers =
            self.signers.map(|(id, share, randomness, commitments, binding_factor, signature_share)| Signer {
                id,
                share: hex(share),
                randomness: randomness.map(hex),
                commitments: commitments.map(hex).concat(),
                binding_factor: hex(binding_factor),
                signature_share: hex(signature_share),
            });
        check::<C>(Vector {
            message: b"test".to_vec(),
            key: hex(self.key),
            coefficients: self.coefficients.map(hex).to_vec(),
            signers: signers.into(),
            signature: hex(self.signature),
        });
    }
}

/// RFC 9591, appendix E.1
#[test]
fn the_main_vector_of_ed25519_comes_out() {
    Figures {
        key: "15d21ccd7ee42959562fc8aa63224c8851fb3ec85a3faf66040d380fb9738673",
        coefficients: ["7b1c33d3f5291d85de664833beb1ad469f7fb6025a0ec78b3a790c6e13a98304", "178199860edd8c62f5212ee91eff1295d0d670ab4ed4506866bae57e7030b204"],
        signers: [
            (1, "929dcc590407aae7d388761cddb0c0db6f5627aea8e217f4a033f2ec83d93509",
             ["06894e04ee4aceec8619d5f6a0a180e2f47194d2ac306cba586b555e7c48d765", "40d6f879ff22e22409f7d808fed81f37118e7d3e4af71c0f44c60207553bcbce"],
             ["9b116f12589591a7e23fe8048059ab10ab48e67739e7a2fb3890f61a7999478c", "c39b66b7dfccb122da24f13587f9a08c4347cae70046ca15169adf90ba65854d"],
             "ff960a65374e216a0918729b153466016664fa980d409bc3f308daa7acb30d0d", "60997f0142e43e8005027fe5ab7447dac00d22c2d7ddd9571a02613ba7d81c08"),
            (3, "d3cb090a075eb154e82fdb4b3cb507f110040905468bb9c46da8bdea643a9a02",
             ["fa5d950626782aade9e33fa781376d4888c2d1de7c37518bc248eb818ed0cdde", "7459a4d14ded0e365b085271be8dc6600d5b88f3978a2174297ffa32001a5afc"],
             ["e679a2a971748ccfaabead4dbe8ac1def61275c186c79d471e1e45091ad1e687", "b2a942478453fabb6bd3181c56ba657413447b4136e1daea2484d396d1a516b3"],
             "279d48ec56f16d234c09ea62f3d02ab776ee38e03f66b20f939f1316e13df10f", "79390e78bc59699c7af831f8f5fb478ec871a85f561a8641b5670ac4443f720f"),
        ],
        signature: "154fb694ee7fcb37bf2381d94488c2a84b03b3352ad085feca81ad26d45852b7ecfe971ce4da95c4a95db93ac376b053897fca212ef85f99cf696bffeb178f07",
    }
    .check::<Ed25519>();
}

/// RFC 9591, appendix E.5
#[test]
fn the_main_vector_of_secp256k1_comes_out() {
    Figures {
        key: "02f37c34b66ced1fb51c34a90bdae006901f10625cc06c4f64663b0eae87d87b4f",
        coefficients: ["0d004150d27c3bf2a42f312683d35fac7394b1e9e318249c1bfe7f0795a83114", "fbf85eadae3058ea14f19148bb72b45e4399c0b16028acaf0395c9b03c823579"],
        signers: [
            (1, "08f89ffe80ac94dcb920c26f3f46140bfc7f95b493f8310f5fc1ea2b01f4254c",
             ["bda8e748e599187762cff956f03dc6ea13fc8e04491a0427b7e6e78600f41c52", "2ca682429bf05df435b9927b8edb1d748278f3e42fa11ef358e49bbf4a1b780d"],
             ["0305e62a1d3f57a0b17ade569a3a4043e2a1fc3bd0b102614a8d8cc68e3322ad89", "03b634c2aed7f85b8eec22e97e5f916ab43a3518821480e15da2af7cffcb060a30"],
             "9bee5aef4012de4b94c9fc1a9a9572181079e293bf1d7545a5af0ef86f824a91", "ca54b18d7449377cfa680760a5770b9e64e201f7ea36b068effeca5fce2155e5"),
            (3, "00e95d59dd0d46b0e303e500b62b7ccb0e555d49f5b849f5e748c071da8c0dbc",
             ["70818dd5170672c4a4285fd593d4f222417f941f3118e1244955e7a1098a35d8", "74ca2da071ed4a2a6cad5087d6758b48a558ab5861c61117fee05757e4b1309e"],
             ["036f878da0dc19ba7da9f2d9e795e2674e62ff06c990fc4464cc1ed55a2acce46b", "025350e2a9e32e7b1fe0161e990623600b2d301b3307641469129cff7936c4d2ce"],
             "cfe0db2197c94cc355b6ab05610f27f4a874898009c8bf007f2a4e2ce2c8306d", "da13d054e83052568706a6d161d80f112a6bc3f76aa903c022585ae7e091e65e"),
        ],
        signature: "024c1ad4e031872661fa6ebd05dfc7fb30db08b38d79f0edbc82051ae931381bc6a46881e25c7989d3816eae32074f1ab0d49ee908a59713ed5284c6bade7cfb02",
    }
    .check::<Secp256k1>();
}

/// ZcashFoundation/frost 3.0.0, frost-secp256k1-tr/tests/helpers/vectors.json
#[test]
fn the_main_vector_of_taproot_comes_out() {
    Figures {
        key: "02f37c34b66ced1fb51c34a90bdae006901f10625cc06c4f64663b0eae87d87b4f",
        coefficients: ["0d004150d27c3bf2a42f312683d35fac7394b1e9e318249c1bfe7f0795a83114", "fbf85eadae3058ea14f19148bb72b45e4399c0b16028acaf0395c9b03c823579"],
        signers: [
            (1, "08f89ffe80ac94dcb920c26f3f46140bfc7f95b493f8310f5fc1ea2b01f4254c",
             ["bda8e748e599187762cff956f03dc6ea13fc8e04491a0427b7e6e78600f41c52", "2ca682429bf05df435b9927b8edb1d748278f3e42fa11ef358e49bbf4a1b780d"],
             ["024e34ab3a7ad6b4563dbfe97e9f1206b3378cceb2502491ed0fb709765e1e5ba8", "03d4b1f3a61dc67e64dfb4abfccabb712f1f6914a6ec9b67749d171370453192cb"],
             "55a3e44879db6daf00c81eb28e828869560c0901f347baff524f1c91a6669604", "2ffc305d1694fd84108b84d98306a1af807c6ad9bc3a2d8e448a09643202a15b"),
            (3, "00e95d59dd0d46b0e303e500b62b7ccb0e555d49f5b849f5e748c071da8c0dbc",
             ["70818dd5170672c4a4285fd593d4f222417f941f3118e1244955e7a1098a35d8", "74ca2da071ed4a2a6cad5087d6758b48a558ab5861c61117fee05757e4b1309e"],
             ["02d768658a1b94225645401a1512b803657770c7a21bf9ccccccfa09930a44951b", "034570a4e5217ee8770a28401185f50b4fce4d3f3933a3af9df7ab39b42381d0eb"],
             "444c1cc7cfe48f4577cce65488f337a9cc8c33dea4cfa986eb590bd8e2b1fa2d", "a8c392566ea29e852b4080a028bf5547166c87e703e4fb7136d4ebef65f99b3f"),
        ],
        signature: "0c776a9516a77808b70a31e74f1464814a6fcf897fb3a6bd84c7a9a9a7a5bcb8d8bfc2b385379c093bcc0579abc5f6f696e8f2c0c01f28ff7b5ef55397fc3c9a",
    }
    .check::<Taproot>();
}
