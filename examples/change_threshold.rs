//! From 2-of-3 to 3-of-5: two more members and a higher threshold, the same key and address.

use std::error::Error;
use std::thread;

use quorumkey::transport::{Bus, Patience, drive};
use quorumkey::{
    Dkg, Identifier, Init, KdfCost, KeyStore, KeyTemplate, Pin, Protocol, Reshare, Roster, Run, Session, Suite,
};

fn main() -> Result<(), Box<dyn Error>> {
    let old = [member("anna")?, member("ben")?, member("carla")?];
    let members = Roster::numbered([old[0].card()?, old[1].card()?, old[2].card()?])?;
    let template = KeyTemplate::wallet("treasury");
    let invitation = old[0].invite(Dkg { suite: Suite::Ed25519, threshold: 2, members, template })?;
    let runs = old.iter().map(|member| member.start(&invitation)).collect::<Result<_, _>>()?;
    let key = run_all(runs)?.remove(0);
    println!("2-of-3: {}", key.verifying_key);

    // Two more people join. All that they have is a token, and all that they give is its card.
    let new = [member("dora")?, member("emil")?];
    let members = key.roster.with(number(4), new[0].card()?)?;
    let members = members.with(number(5), new[1].card()?)?;
    let invitation = old[0].invite_reshare(key.id, Reshare { threshold: 3, members, ..Reshare::of(&key) })?;
    assert!(invitation.warnings().is_empty(), "{:?}", invitation.warnings());

    // They look before they start: is it the key of that address, and the group whose fingerprint an old member reads out?
    let lineage = invitation.lineage()?.ok_or("it renews a key")?;
    println!("joining {} of group {}", lineage.verifying_key, lineage.fingerprint());
    assert_eq!(lineage.fingerprint(), old[1].key(key.id)?.fingerprint());
    // And everybody compares the group to be.
    println!("members to be: {}", invitation.fingerprint().ok_or("it deals shares")?);

    let runs = old.iter().chain(&new).map(|member| member.start(&invitation)).collect::<Result<_, _>>()?;
    let wider = run_all(runs)?.remove(0);
    println!("{}-of-{}: {}", wider.threshold, wider.roster.len(), wider.verifying_key);
    assert_eq!(wider.verifying_key, key.verifying_key);

    // Two are not enough any more; any three are, also with both newcomers.
    assert!(old[0].invite_sign(key.id, &[number(1), number(2)], b"pay").is_err());
    let invitation = new[0].invite_sign(key.id, &[number(2), number(4), number(5)], b"pay")?;
    let signers = [&old[1], &new[0], &new[1]];
    let runs = signers.iter().map(|member| member.start_sign(&invitation, b"pay")).collect::<Result<_, _>>()?;
    key.verifying_key.verify(b"pay", &run_all(runs)?.remove(0))?;

    // Shares of the old epoch stay shares of the key until too few of them are left. Old backups count: destroy them.
    for epoch in old[0].key(key.id)?.old_epochs {
        println!("the {}-of-3 epoch is dead: {}", epoch.threshold, epoch.is_dead());
    }
    Ok(())
}

fn number(number: u16) -> Identifier {
    Identifier::new(number).expect("it is within 1 to 1,000")
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
