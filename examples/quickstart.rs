//! Three members in one process: they make a key, two of them sign with it, one backs its share up.

use std::error::Error;
use std::thread;

use quorumkey::transport::{Bus, Patience, drive};
use quorumkey::wrap::Recipient;
use quorumkey::{Dkg, Identifier, Init, KdfCost, KeyStore, KeyTemplate, Pin, Protocol, Roster, Run, Session, Suite};

fn main() -> Result<(), Box<dyn Error>> {
    // In life each member has its own device: `KeyStore::create("wallet.qk", &init)`, and later `KeyStore::open`.
    let [anna, ben, carla] = [member("anna")?, member("ben")?, member("carla")?];

    // The members exchange their cards, and compare one fingerprint of the group by telephone.
    let members = Roster::numbered([anna.card()?, ben.card()?, carla.card()?])?;
    println!("group:     {}", members.fingerprint());

    // One invites, everybody starts: a taproot key of which any two sign, and that is nowhere whole.
    let template = KeyTemplate::wallet("savings");
    let invitation = anna.invite(Dkg { suite: Suite::Secp256k1Taproot, threshold: 2, members, template })?;
    let key = run_all(vec![anna.start(&invitation)?, ben.start(&invitation)?, carla.start(&invitation)?])?.remove(0);
    println!("key:       {}", key.verifying_key);

    // Members 1 and 3 sign. Each says itself which message it approves, mostly a transaction's sighash.
    let (sighash, signers) = ([7; 32], [1, 3].map(|number| Identifier::new(number).expect("it is within 1 to 1,000")));
    let invitation = anna.invite_sign(key.id, &signers, &sighash)?;
    let signing = vec![anna.start_sign(&invitation, &sighash)?, carla.start_sign(&invitation, &sighash)?];
    let signature = run_all(signing)?.remove(0);
    key.verifying_key.verify(&sighash, &signature)?;
    println!("signature: {signature}");

    // An encrypted backup of one share, an ordinary age file.
    let backup = ben.export(key.id, &Recipient::passphrase("armadillo quarry lantern violet tundra mosaic"))?;
    println!("backup:    {} bytes", backup.as_bytes().len());
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
