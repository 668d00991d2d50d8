//! Rehearses the loss of a device.

mod arguments;
mod bitcoin_spend;
mod solana_transfer;

use std::error::Error;

use arguments::{Arguments, HELP};
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{Keypair, Message, Secp256k1, rand};
use bitcoin_spend::Spend;
use ed25519_dalek::{Signer, SigningKey};
use solana_transfer::Transfer;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse(std::env::args_os().skip(1))?;
    if arguments.help {
        println!("{HELP}");
        return Ok(());
    }
    let secp = Secp256k1::new();
    let internal = Keypair::new(&secp, &mut rand::thread_rng());
    let output = internal.tap_tweak(&secp, None).to_keypair();
    let template = bitcoin_spend::load(arguments.psbt.as_deref())?;
    let spend =
        Spend::new(template, &internal.x_only_public_key().0.serialize(), &output.x_only_public_key().0.serialize())?;
    let sign = |hash| secp.sign_schnorr(&Message::from_digest(hash), &output).serialize();
    let signatures: Vec<_> = spend.hashes().into_iter().map(sign).collect();
    let signed = spend.finalize(&signatures)?;
    println!("bitcoin {} {}", signed.txid, signed.hex);

    let payer = SigningKey::from_bytes(&internal.secret_bytes());
    let transfer = Transfer::new(&payer.verifying_key().to_bytes())?;
    let signature = payer.sign(transfer.message()).to_bytes();
    println!("solana {} bytes", transfer.finalize(&signature)?.wire.len());
    Ok(())
}
