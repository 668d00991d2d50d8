//! A phone was stolen: its owner comes with a new one, and a member who left for good is removed. The address stays.

use std::error::Error;
use std::thread;

use quorumkey::transport::{Bus, Patience, drive};
use quorumkey::{
    Dkg, Identifier, Init, KdfCost, KeyStore, KeyTemplate, Leaving, NewCard, Pin, Protocol, Reason, Reshare, Roster,
    Run, Session, Suite,
};

fn main() -> Result<(), Box<dyn Error>> {
    let [anna, ben, carla, dora] = [member("anna")?, member("ben")?, member("carla")?, member("dora")?];
    let cards = [anna.card()?, ben.card()?, carla.card()?, dora.card()?];
    let members = Roster::numbered(cards)?;
    let template = KeyTemplate::wallet("savings");
    let invitation = anna.invite(Dkg { suite: Suite::Secp256k1Taproot, threshold: 2, members, template })?;
    let key = run_all(start(&[&anna, &ben, &carla, &dora], &invitation)?)?.remove(0);
    println!("key:          {}", key.verifying_key);

    // Carla's phone was stolen. On a new one she makes a new token, and reads its card to the others: a refresh.
    let new_phone = member("carla's new phone")?;
    let card = NewCard { identifier: number(3), card: new_phone.card()?, reason: Reason::Stolen };
    let invitation = anna.invite_refresh(key.id, vec![card])?;
    // Everybody sees who is replaced and why; Carla sees which key it is, and of which group, before she starts.
    let lineage = invitation.lineage()?.ok_or("it renews a key")?;
    assert_eq!((lineage.fingerprint(), invitation.replaced().len()), (key.fingerprint(), 1));
    let key = run_all(start(&[&anna, &ben, &new_phone, &dora], &invitation)?)?.remove(0);
    println!("refreshed to: {}", key.fingerprint());

    // What the thief has is one share of an epoch that is dead as soon as fewer than two can be left.
    for old in &anna.key(key.id)?.old_epochs {
        println!("old epoch:    {} holders left, dead: {}", old.identifiers().count(), old.is_dead());
    }
    // The stolen phone learns from the certificate that it is out, and erases.
    println!("stolen phone: {:?}", carla.complete(&anna.certificate(key.id)?)?.state);

    // Dora leaves for good, and nobody takes her place: a reshare. Her device is at hand, so she helps to deal.
    let members = key.roster.without(number(4))?;
    let leaving = vec![Leaving { identifier: number(4), reason: Reason::Routine }];
    let invitation = ben.invite_reshare(key.id, Reshare { members, leaving, ..Reshare::of(&key) })?;
    let outcomes = run_all(start(&[&anna, &ben, &new_phone, &dora], &invitation)?)?;
    for info in &outcomes {
        println!("member {}:     {:?}", info.identifier, info.state);
    }

    // The same address signs, with the new phone.
    let signers = [number(2), number(3)];
    let invitation = ben.invite_sign(key.id, &signers, &[7; 32])?;
    let signing = vec![ben.start_sign(&invitation, &[7; 32])?, new_phone.start_sign(&invitation, &[7; 32])?];
    key.verifying_key.verify(&[7; 32], &run_all(signing)?.remove(0))?;
    println!("signed for:   {}", key.verifying_key);
    Ok(())
}

fn start(
    members: &[&Session],
    invitation: &quorumkey::Invitation,
) -> Result<Vec<Run<quorumkey::Dealing>>, quorumkey::Error> {
    members.iter().map(|member| member.start(invitation)).collect()
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
