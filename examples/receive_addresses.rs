//! Receiving addresses for every invoice, made by a shop that holds no share, and spending what one of them received.
//!
//! Run it with `cargo run --example receive_addresses`.

use std::error::Error;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, Secp256k1, XOnlyPublicKey, schnorr};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, OutPoint, ScriptBuf, Sequence, TapSighashType, Transaction, TxIn, TxOut, Txid, Witness,
};
use quorumkey::transport::{Bus, Patience, drive};
use quorumkey::{
    Derivation, DerivationPath, Dkg, ExtendedPublicKey, Identifier, Init, KdfCost, KeyStore, KeyTemplate, Network, Pin,
    Protocol, Roster, Run, Session, Signature, Suite,
};

fn main() -> Result<(), Box<dyn Error>> {
    // Three directors hold the shop's key; any two of them spend.
    let [anna, ben, carla] = [member("anna")?, member("ben")?, member("carla")?];
    let members = Roster::numbered([anna.card()?, ben.card()?, carla.card()?])?;
    let template = KeyTemplate::wallet("till");
    let invitation = anna.invite(Dkg { suite: Suite::Secp256k1Taproot, threshold: 2, members, template })?;
    let key = run_all(vec![anna.start(&invitation)?, ben.start(&invitation)?, carla.start(&invitation)?])?.remove(0);

    // Once, one of them gives the web shop this text. It can't spend; it shows all that the shop will ever receive.
    let text = anna.extended_public_key(key.id)?.to_base58(Network::Mainnet);

    // From here on the shop makes an address for each invoice by itself, while every director sleeps.
    let shop = ExtendedPublicKey::from_base58(Suite::Secp256k1Taproot, &text)?;
    for invoice in 0..3 {
        println!("invoice {invoice}: {}", address(&shop, &receiving(invoice)?)?);
    }

    // Somebody paid invoice 2. Two directors move it to the bank; each looks at the transaction before it approves.
    let paid = receiving(2)?;
    let (spend, received) = payment(&address(&shop, &paid)?)?;
    let sighash = SighashCache::new(&spend)
        .taproot_key_spend_signature_hash(0, &Prevouts::All(&[received]), TapSighashType::Default)?
        .to_byte_array();
    let signature = sign(&[&anna, &carla], &[1, 3], key.id, &sighash, &Derivation::path(paid.clone()))?;

    // libsecp256k1 judges it as a node would: by the key that the address pays to.
    let output = XOnlyPublicKey::from_slice(shop.derive(&paid)?.verifying_key(None).as_bytes())?;
    let witness = schnorr::Signature::from_slice(signature.as_bytes())?;
    Secp256k1::verification_only().verify_schnorr(&witness, &Message::from_digest(sighash), &output)?;
    let spend = with_witness(spend, &witness);
    println!("spent:     {} with {witness}", spend.compute_txid());
    Ok(())
}

/// The path of an invoice's address: chain 0 receives, as in BIP-44 and BIP-86.
fn receiving(invoice: u32) -> Result<DerivationPath, Box<dyn Error>> {
    Ok(DerivationPath::new(&[0, invoice])?)
}

fn address(shop: &ExtendedPublicKey, path: &DerivationPath) -> Result<String, Box<dyn Error>> {
    Ok(shop.derive(path)?.verifying_key(None).p2tr_address(Network::Mainnet)?)
}

/// A transaction that takes what the address received to the bank, and the output that it takes.
fn payment(address: &str) -> Result<(Transaction, TxOut), Box<dyn Error>> {
    let script_pubkey = address.parse::<Address<_>>()?.require_network(bitcoin::Network::Bitcoin)?.script_pubkey();
    let received = TxOut { value: Amount::from_sat(50_000), script_pubkey };
    let input = TxIn {
        previous_output: OutPoint { txid: Txid::from_byte_array([0x42; 32]), vout: 0 },
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let bank: Address<_> = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq".parse()?;
    let bank = bank.require_network(bitcoin::Network::Bitcoin)?.script_pubkey();
    let output = TxOut { value: Amount::from_sat(49_000), script_pubkey: bank };
    let spend =
        Transaction { version: Version::TWO, lock_time: LockTime::ZERO, input: vec![input], output: vec![output] };
    Ok((spend, received))
}

fn with_witness(mut spend: Transaction, signature: &schnorr::Signature) -> Transaction {
    for input in &mut spend.input {
        input.witness.push(signature.serialize());
    }
    spend
}

/// Those members sign for a child of the key. Each passes message and child as it approves them.
fn sign(
    sessions: &[&Session],
    numbers: &[u16],
    key: quorumkey::KeyId,
    sighash: &[u8; 32],
    child: &Derivation,
) -> Result<Signature, Box<dyn Error>> {
    let signers = numbers.iter().map(|number| Identifier::new(*number)).collect::<Option<Vec<_>>>();
    let (inviter, signers) = (sessions.first().ok_or("nobody signs")?, signers.ok_or("a number is out of range")?);
    let invitation = inviter.invite_sign_under(key, &signers, sighash, child)?;
    let runs = sessions.iter().map(|session| session.start_sign_under(&invitation, sighash, child));
    Ok(run_all(runs.collect::<Result<_, _>>()?)?.remove(0))
}

fn member(label: &str) -> Result<Session, quorumkey::Error> {
    let (user, officer) = (Pin::new("correct horse battery staple")?, Pin::new("a passphrase in the safe")?);
    let init = Init { label: label.to_owned(), user, officer, cost: KdfCost::small() };
    KeyStore::memory(&init)?.login(&init.user)
}

/// Drives each member's run on a thread of its own, over a bus in memory.
fn run_all<P: Protocol>(runs: Vec<Run<P>>) -> Result<Vec<P::Output>, quorumkey::Error> {
    let bus = Bus::reliable();
    let members: Vec<_> = runs.into_iter().map(|run| (run, bus.endpoint())).collect();
    let drive = |(mut run, mut end)| std::thread::spawn(move || drive(&mut run, &mut end, Patience::default()));
    let threads: Vec<_> = members.into_iter().map(drive).collect();
    threads.into_iter().map(|thread| Ok(thread.join().expect("no member's thread panics")?.output)).collect()
}
