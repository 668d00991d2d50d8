use bitcoin::absolute::LockTime;
use bitcoin::secp256k1::{Keypair, SecretKey};
use bitcoin::transaction::Version;
use bitcoin::{Address, Amount, OutPoint, Sequence, TxIn, Witness};

use super::*;

struct Signer {
    internal: [u8; 32],
    output: [u8; 32],
    pair: Keypair,
}

fn signer(secret: u8) -> Signer {
    let secp = Secp256k1::new();
    let internal = Keypair::from_secret_key(&secp, &SecretKey::from_slice(&[secret; 32]).unwrap());
    let pair = internal.tap_tweak(&secp, None).to_keypair();
    let serialize = |pair: &Keypair| pair.x_only_public_key().0.serialize();
    Signer { internal: serialize(&internal), output: serialize(&pair), pair }
}

impl Signer {
    fn spend(&self, psbt: Psbt) -> Result<Spend, SpendError> {
        Spend::new(psbt, &self.internal, &self.output)
    }

    fn sign(&self, spend: &Spend) -> Vec<[u8; 64]> {
        let secp = Secp256k1::new();
        let sign = |hash| secp.sign_schnorr_no_aux_rand(&Message::from_digest(hash), &self.pair).serialize();
        spend.hashes().into_iter().map(sign).collect()
    }
}

fn script(address: &str) -> ScriptBuf {
    address.parse::<Address<_>>().unwrap().assume_checked().script_pubkey()
}

/// The sample: the owner's addresses are the first ones of BIP-86's test vectors, the payee is BIP-84's.
fn sample() -> Psbt {
    let owner = script("bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh");
    let payee = script("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu");
    let change = script("bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7");
    let input = |byte, vout| TxIn {
        previous_output: OutPoint { txid: Txid::from_byte_array([byte; 32]), vout },
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let output = |sats, script_pubkey| TxOut { value: Amount::from_sat(sats), script_pubkey };
    let mut psbt = Psbt::from_unsigned_tx(Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input(0xa1, 0), input(0xb2, 3)],
        output: vec![output(1_200_000, payee), output(718_000, change)],
    })
    .unwrap();
    psbt.inputs[0].witness_utxo = Some(output(1_500_000, owner.clone()));
    psbt.inputs[1].witness_utxo = Some(output(420_000, owner));
    psbt
}

#[test]
fn the_sample_file_is_this_one() {
    let encoded = BASE64_STANDARD.encode(sample().serialize());
    assert_eq!(
        core::str::from_utf8(SAMPLE),
        Ok(&*format!("{encoded}\n")),
        "examples/data/spend.psbt should hold {encoded}"
    );
    assert_eq!(load(None), Ok(sample()));
    assert_eq!(parse(&sample().serialize()), Ok(sample()));
}

#[test]
fn the_sample_is_spent_by_another_owner() {
    let signer = signer(7);
    let spend = signer.spend(sample()).unwrap();
    let signatures = signer.sign(&spend);
    assert_eq!(signatures.len(), 2);
    let prevouts = spend.prevouts.clone();
    let done = spend.finalize(&signatures).unwrap();
    let transaction: Transaction = bitcoin::consensus::encode::deserialize_hex(&done.hex).unwrap();
    assert_eq!(transaction.compute_txid(), done.txid);
    assert_eq!(transaction.output, sample().unsigned_tx.output);
    for (input, signature) in transaction.input.iter().zip(&signatures) {
        assert_eq!(input.witness.to_vec(), [signature.to_vec()]);
    }
    assert!(prevouts.iter().all(|out| out.script_pubkey.as_bytes() == [&[0x51, 0x20][..], &signer.output].concat()));
}

#[test]
fn a_hash_changes_with_every_amount_and_output() {
    let signer = signer(7);
    let hashes = |psbt: Psbt| signer.spend(psbt).unwrap().hashes();
    let first = hashes(sample());
    assert_ne!(first[0], first[1]);
    let mut other_amount = sample();
    other_amount.inputs[1].witness_utxo.as_mut().unwrap().value = Amount::from_sat(420_001);
    let mut other_payee = sample();
    other_payee.unsigned_tx.output[0].script_pubkey = ScriptBuf::new();
    for other in [hashes(other_amount), hashes(other_payee)] {
        assert!(first.iter().zip(&other).all(|(a, b)| a != b));
    }
}

#[test]
fn a_wrong_signature_makes_no_transaction() {
    let signer = signer(7);
    let good = signer.sign(&signer.spend(sample()).unwrap());
    let other = self::signer(8).sign(&signer.spend(sample()).unwrap());
    let mut changed = good.clone();
    changed[1][63] ^= 1;
    let finalize = |signatures: &[[u8; 64]]| signer.spend(sample()).unwrap().finalize(signatures).err();
    assert_eq!(finalize(&changed), Some(SpendError::Signature(1)));
    assert_eq!(finalize(&other), Some(SpendError::Signature(0)));
    assert_eq!(finalize(&[good[1], good[0]]), Some(SpendError::Signature(0)));
    assert_eq!(finalize(&[[0; 64]; 2]), Some(SpendError::Signature(0)));
    assert_eq!(finalize(&good[..1]), Some(SpendError::SignatureCount));
    assert_eq!(finalize(&[good[0], good[1], good[1]]), Some(SpendError::SignatureCount));
    assert_eq!(finalize(&good), None);
}

#[test]
fn an_output_key_that_is_not_the_tweaked_internal_key_is_refused() {
    let (a, b) = (signer(7), signer(8));
    for (internal, output) in [
        (a.internal, a.internal),
        (a.internal, b.output),
        (a.output, a.output),
        ([0; 32], a.output),
        ([0xff; 32], a.output),
    ] {
        assert_eq!(Spend::new(sample(), &internal, &output).err(), Some(SpendError::Key));
    }
}

#[test]
fn an_input_of_somebody_else_stays_as_it_is() {
    let signer = signer(7);
    let mut psbt = sample();
    let foreign = Witness::from_slice(&[vec![1; 64]]);
    psbt.inputs[0].final_script_witness = Some(foreign.clone());
    let spend = signer.spend(psbt.clone()).unwrap();
    assert_eq!((spend.hashes().len(), &spend.prevouts[0]), (1, psbt.inputs[0].witness_utxo.as_ref().unwrap()));
    let signatures = signer.sign(&spend);
    let done = spend.finalize(&signatures).unwrap();
    let transaction: Transaction = bitcoin::consensus::encode::deserialize_hex(&done.hex).unwrap();
    assert_eq!(transaction.input[0].witness, foreign);

    psbt.inputs[1].final_script_witness = Some(foreign);
    assert_eq!(signer.spend(psbt).err(), Some(SpendError::NothingToSign));
}

#[test]
fn a_template_that_can_not_be_signed_is_an_error() {
    let signer = signer(7);
    let mut unknown = sample();
    unknown.inputs[1].witness_utxo = None;
    assert_eq!(signer.spend(unknown).err(), Some(SpendError::Input(1)));
    let mut single = sample();
    single.inputs[0].sighash_type = Some(TapSighashType::Single.into());
    assert_eq!(signer.spend(single).err(), Some(SpendError::SighashType(0)));
    let mut empty = sample();
    empty.inputs.clear();
    empty.unsigned_tx.input.clear();
    assert_eq!(signer.spend(empty).err(), Some(SpendError::NothingToSign));
    for sats in [0, 100_000_000, 21_000_000 * 100_000_000, u64::MAX] {
        let mut absurd = sample();
        absurd.inputs[0].witness_utxo.as_mut().unwrap().value = Amount::from_sat(sats);
        let spend = signer.spend(absurd).unwrap();
        let signatures = signer.sign(&spend);
        assert_eq!(spend.finalize(&signatures).err(), Some(SpendError::Amounts), "{sats}");
    }
}

#[test]
fn a_file_that_is_no_psbt_is_an_error() {
    let binary = sample().serialize();
    for length in 0..binary.len() {
        assert_eq!(parse(&binary[..length]), Err(SpendError::Psbt), "{length}");
    }
    assert_eq!(parse(&[&binary[..], &[0]].concat()), Err(SpendError::Psbt));
    for other in [&b"psbt"[..], b"cHNidP8=", b"\xff\xff", b"not a psbt", b"psbt\xff\xff\xff\xff\xff\xff\xff\xff"] {
        assert_eq!(parse(other), Err(SpendError::Psbt));
    }
}

#[test]
fn a_psbt_with_any_changed_byte_never_panics() {
    let (signer, binary) = (signer(7), sample().serialize());
    for position in 0..binary.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = binary.clone();
            changed[position] ^= flip;
            let Ok(spend) = parse(&changed).and_then(|psbt| signer.spend(psbt)) else { continue };
            let signatures = signer.sign(&spend);
            let _ = spend.finalize(&signatures);
        }
    }
}

#[test]
fn a_missing_empty_or_huge_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spend.psbt");
    assert_eq!(load(Some(&path)), Err(SpendError::File));
    assert_eq!(load(Some(folder.path())), Err(SpendError::File));
    std::fs::write(&path, b"").unwrap();
    assert_eq!(load(Some(&path)), Err(SpendError::Psbt));
    File::create(&path).unwrap().set_len(1 << 33).unwrap();
    assert_eq!(load(Some(&path)), Err(SpendError::File));
    std::fs::write(&path, sample().serialize()).unwrap();
    assert_eq!(load(Some(&path)), Ok(sample()));
}
