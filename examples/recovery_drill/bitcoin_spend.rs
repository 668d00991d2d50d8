//! A Bitcoin spend from the drill's key: a PSBT as a template, the hashes to sign, and the signed transaction.
//!
//! Everything here is the `bitcoin` crate over libsecp256k1, so that what the group signed is judged by code that it does
//! not share a line with.

use core::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::psbt::{Input, Psbt};
use bitcoin::secp256k1::{Message, Secp256k1, VerifyOnly, XOnlyPublicKey, schnorr};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::{ScriptBuf, TapSighash, TapSighashType, Transaction, TxOut, Txid, taproot};

/// Two inputs of the wallet, a payee, and change.
const SAMPLE: &[u8] = include_bytes!("../data/spend.psbt");

/// Far more than a transaction that nodes relay.
const MAX_FILE_LENGTH: u64 = 1 << 20;

/// A transaction that waits for its signatures.
#[derive(Debug)]
pub(crate) struct Spend {
    psbt: Psbt,
    /// Of all inputs, in order: BIP-341 signs them all.
    prevouts: Vec<TxOut>,
    hashes: Vec<HashToSign>,
    output_key: XOnlyPublicKey,
}

#[derive(Debug)]
struct HashToSign {
    input: usize,
    hash: [u8; 32],
}

/// A signed transaction; every signature that was added verified.
#[derive(Debug)]
pub(crate) struct SignedSpend {
    /// What a node's `sendrawtransaction` would be given.
    pub(crate) hex: String,
    pub(crate) txid: Txid,
}

/// Why there is no signed transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpendError {
    /// The file can't be read, or is too long.
    File,
    /// The bytes are no PSBT.
    Psbt,
    /// The PSBT has no input with a `witness_utxo` that is still to be signed.
    NothingToSign,
    /// This input does not say what it spends: all inputs do in a signature hash of taproot.
    Input(usize),
    /// This input asks for a signature hash other than the default.
    SighashType(usize),
    /// The keys are no keys, or the output key is not the internal key's under BIP-341 with no script path.
    Key,
    /// More or fewer signatures than hashes.
    SignatureCount,
    /// The signature of this input does not verify.
    Signature(usize),
    /// The amounts make no sense: more out than in, or an absurd fee.
    Amounts,
}

impl fmt::Display for SpendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the PSBT file can't be read, or is longer than a megabyte"),
            Self::Psbt => f.write_str("not a PSBT"),
            Self::NothingToSign => f.write_str("no input of the PSBT carries a witness_utxo and waits for a signature"),
            Self::Input(index) => write!(f, "input {index} carries no witness_utxo"),
            Self::SighashType(index) => write!(f, "input {index} asks for a signature hash other than the default"),
            Self::Key => f.write_str("the output key is not the tweaked internal key"),
            Self::SignatureCount => f.write_str("not one signature for each hash"),
            Self::Signature(index) => write!(f, "the signature of input {index} does not verify"),
            Self::Amounts => f.write_str("the outputs are worth more than the inputs, or the fee is absurd"),
        }
    }
}

impl core::error::Error for SpendError {}

/// The PSBT in that file, binary or base64; the sample if there is none.
pub(crate) fn load(path: Option<&Path>) -> Result<Psbt, SpendError> {
    let Some(path) = path else { return parse(SAMPLE) };
    let file = File::open(path).map_err(|_| SpendError::File)?;
    let mut bytes = Vec::new();
    let length = file.take(MAX_FILE_LENGTH + 1).read_to_end(&mut bytes).map_err(|_| SpendError::File)?;
    if u64::try_from(length).is_ok_and(|length| length <= MAX_FILE_LENGTH) {
        parse(&bytes)
    } else {
        Err(SpendError::File)
    }
}

fn parse(bytes: &[u8]) -> Result<Psbt, SpendError> {
    // BIP-174: the magic is "psbt", then 0xff.
    if bytes.starts_with(b"psbt\xff") {
        return parse_binary(bytes);
    }
    parse_binary(&BASE64_STANDARD.decode(bytes.trim_ascii()).map_err(|_| SpendError::Psbt)?)
}

fn parse_binary(mut bytes: &[u8]) -> Result<Psbt, SpendError> {
    let psbt = Psbt::deserialize_from_reader(&mut bytes).map_err(|_| SpendError::Psbt)?;
    if bytes.is_empty() { Ok(psbt) } else { Err(SpendError::Psbt) }
}

impl Spend {
    /// Lets the key own every input of the template that has a `witness_utxo` and is not yet final.
    ///
    /// # Errors
    ///
    /// Among others, if `output_key` is not what the `bitcoin` crate makes of `internal_key` itself.
    pub(crate) fn new(mut psbt: Psbt, internal_key: &[u8; 32], output_key: &[u8; 32]) -> Result<Self, SpendError> {
        let internal = XOnlyPublicKey::from_slice(internal_key).map_err(|_| SpendError::Key)?;
        let (tweaked, _) = internal.tap_tweak(&Secp256k1::verification_only(), None);
        if tweaked.serialize() != *output_key {
            return Err(SpendError::Key);
        }
        let script = ScriptBuf::new_p2tr_tweaked(tweaked);
        let ours = own_inputs(&mut psbt, internal, &script)?;
        let prevouts = prevouts(&psbt)?;
        let hashes = hashes(&psbt.unsigned_tx, &prevouts, &ours)?;
        Ok(Self { psbt, prevouts, hashes, output_key: tweaked.to_x_only_public_key() })
    }

    /// What to sign under the output key, by BIP-340: a BIP-341 key-path hash for each input, in the inputs' order.
    pub(crate) fn hashes(&self) -> Vec<[u8; 32]> {
        self.hashes.iter().map(|to_sign| to_sign.hash).collect()
    }

    /// Adds the signatures, one for each of [`Self::hashes`], and checks each in the transaction that comes out.
    pub(crate) fn finalize(mut self, signatures: &[[u8; 64]]) -> Result<SignedSpend, SpendError> {
        if signatures.len() != self.hashes.len() {
            return Err(SpendError::SignatureCount);
        }
        for (to_sign, signature) in self.hashes.iter().zip(signatures) {
            let input = self.psbt.inputs.get_mut(to_sign.input).ok_or(SpendError::Input(to_sign.input))?;
            let signature =
                schnorr::Signature::from_slice(signature).map_err(|_| SpendError::Signature(to_sign.input))?;
            finalize_input(input, signature);
        }
        let transaction = self.psbt.extract_tx().map_err(|_| SpendError::Amounts)?;
        for to_sign in &self.hashes {
            verify(&transaction, &self.prevouts, to_sign.input, &self.output_key)?;
        }
        Ok(SignedSpend { hex: serialize_hex(&transaction), txid: transaction.compute_txid() })
    }
}

/// Puts the key's script into the inputs to be signed, and says which these are.
fn own_inputs(psbt: &mut Psbt, internal: XOnlyPublicKey, script: &ScriptBuf) -> Result<Vec<usize>, SpendError> {
    let mut ours = Vec::new();
    for (index, input) in psbt.inputs.iter_mut().enumerate() {
        if is_final(input) {
            continue;
        }
        let spent = input.witness_utxo.take().ok_or(SpendError::Input(index))?;
        if input.sighash_type.is_some_and(|wanted| wanted.taproot_hash_ty() != Ok(TapSighashType::Default)) {
            return Err(SpendError::SighashType(index));
        }
        // Scripts, derivations and signatures of the template's owner go.
        *input = Input {
            witness_utxo: Some(TxOut { value: spent.value, script_pubkey: script.clone() }),
            tap_internal_key: Some(internal),
            ..Input::default()
        };
        ours.push(index);
    }
    if ours.is_empty() { Err(SpendError::NothingToSign) } else { Ok(ours) }
}

fn is_final(input: &Input) -> bool {
    input.final_script_witness.is_some() || input.final_script_sig.is_some()
}

fn prevouts(psbt: &Psbt) -> Result<Vec<TxOut>, SpendError> {
    let inputs = psbt.inputs.iter().enumerate();
    inputs.map(|(index, input)| input.witness_utxo.clone().ok_or(SpendError::Input(index))).collect()
}

fn hashes(transaction: &Transaction, prevouts: &[TxOut], ours: &[usize]) -> Result<Vec<HashToSign>, SpendError> {
    ours.iter().map(|&input| Ok(HashToSign { input, hash: hash(transaction, prevouts, input)? })).collect()
}

fn hash(transaction: &Transaction, prevouts: &[TxOut], input: usize) -> Result<[u8; 32], SpendError> {
    SighashCache::new(transaction)
        .taproot_key_spend_signature_hash(input, &Prevouts::All(prevouts), TapSighashType::Default)
        .map(TapSighash::to_byte_array)
        .map_err(|_| SpendError::Input(input))
}

/// BIP-371: a finalized input keeps what it spends and its witness.
fn finalize_input(input: &mut Input, signature: schnorr::Signature) {
    let signature = taproot::Signature { signature, sighash_type: TapSighashType::Default };
    *input = Input {
        witness_utxo: input.witness_utxo.take(),
        final_script_witness: Some(bitcoin::Witness::p2tr_key_spend(&signature)),
        ..Input::default()
    };
}

/// Checks one input of the finished transaction as a node would: from its witness, under the key in the script it spends.
fn verify(transaction: &Transaction, prevouts: &[TxOut], input: usize, key: &XOnlyPublicKey) -> Result<(), SpendError> {
    let wrong = SpendError::Signature(input);
    let witness = &transaction.input.get(input).ok_or(wrong)?.witness;
    // Exactly one element of 64 bytes: a key-path spend with the default signature hash.
    let signature = witness.iter().next().filter(|_| witness.len() == 1).ok_or(wrong)?;
    let signature = schnorr::Signature::from_slice(signature).map_err(|_| wrong)?;
    let message = Message::from_digest(hash(transaction, prevouts, input)?);
    let secp: Secp256k1<VerifyOnly> = Secp256k1::verification_only();
    secp.verify_schnorr(&signature, &message, key).map_err(|_| wrong)
}

#[cfg(test)]
mod tests;
