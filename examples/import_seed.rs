//! Bringing in an old seed: a wallet's twelve words become a key of three members, and its address stays.
//!
//! `cargo run --features phrase --example import_seed`

use std::error::Error;
use std::thread;

use quorumkey::transport::{Bus, Patience, drive};
use quorumkey::{
    Dealing, Identifier, Import, ImportedKey, Init, KdfCost, KeyInfo, KeyStore, KeyTemplate, Origin, Pin, Protocol,
    Roster, Run, Session, Suite,
};
use zeroize::Zeroizing;

/// The words that everybody knows. Never send anything to their addresses.
const WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

fn main() -> Result<(), Box<dyn Error>> {
    let [anna, ben, carla] = [member("anna")?, member("ben")?, member("carla")?];
    let members = Roster::numbered([anna.card()?, ben.card()?, carla.card()?])?;
    println!("group:      {}", members.fingerprint());

    // Anna has the words. Before anything else she compares the key with what the old wallet shows.
    let (phrase, passphrase) = (Zeroizing::new(WORDS.to_owned()), Zeroizing::default());
    let old = ImportedKey::from_phrase(Suite::Ed25519, phrase, passphrase, "m/44'/501'/0'/0'")?;
    let public = old.group_key().clone();
    println!("old key:    {public}");

    // She proposes; the others see which key it is, and who deals it. Only she enters with the secret.
    let template = KeyTemplate::wallet("the old wallet");
    let invitation = anna.invite_import(Import { key: &old, threshold: 2, members, template, least_attempt: 0 })?;
    if invitation.imports() != Some(&public) {
        return Err("this is another key".into());
    }
    let runs = vec![anna.start_import(&invitation, old)?, ben.start(&invitation)?, carla.start(&invitation)?];
    let key: KeyInfo = run_all::<Dealing>(runs)?.remove(0);
    println!("shared key: {}", key.group_key);

    // Ben and Carla sign, and Anna's words are not asked.
    let signers = [2, 3].map(|number| Identifier::new(number).expect("it is within 1 to 1,000"));
    let invitation = ben.invite_sign(key.id, &signers, b"a transfer")?;
    let runs = vec![ben.start_sign(&invitation, b"a transfer")?, carla.start_sign(&invitation, b"a transfer")?];
    key.verifying_key.verify(b"a transfer", &run_all(runs)?.remove(0))?;

    // Whoever kept the words can still sign alone. No refresh changes that, and every member's token says so.
    assert_eq!((key.origin, key.group_key), (Origin::Imported, public));
    println!("origin:     {:?}. Destroy the words; where you can, move the funds to a new key.", key.origin);
    Ok(())
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
    let drive = |(mut run, mut end)| thread::spawn(move || drive(&mut run, &mut end, Patience::default()));
    let threads: Vec<_> = members.into_iter().map(drive).collect();
    threads.into_iter().map(|thread| Ok(thread.join().expect("no member's thread panics")?.output)).collect()
}
