//! A driver loop of one's own, async: what `transport::drive` does, for an application that has a runtime.
//!
//! Each member is a task; bytes travel over channels. Each loop sends what its run says, gives it what arrives, sends
//! everything again while it waits, ends at a deadline, and goes on answering for a while after its own output.
//!
//! `Run::handle` computes for some milliseconds and writes to the token. A server moves it to its pool of blocking threads.

use std::error::Error as StdError;
use std::time::{Duration, Instant};

use quorumkey::transport::Patience;
use quorumkey::{
    Dkg, Error, Identifier, Init, KdfCost, KeyStore, KeyTemplate, Message, Pin, Protocol, Roster, Run, Session, Suite,
};
use smol::channel::{Receiver, Sender, unbounded};
use smol::future::FutureExt as _;
use smol::{Executor, Timer};

fn main() -> Result<(), Box<dyn StdError>> {
    let [anna, ben, carla] = [member("anna")?, member("ben")?, member("carla")?];
    let members = Roster::numbered([anna.card()?, ben.card()?, carla.card()?])?;
    let template = KeyTemplate::wallet("treasury");
    let invitation = anna.invite(Dkg { suite: Suite::Ed25519, threshold: 2, members, template })?;
    let runs = vec![anna.start(&invitation)?, ben.start(&invitation)?, carla.start(&invitation)?];
    let key = drive_all(runs)?.pop().ok_or("nobody has a key")?;
    println!("key:       {}", key.verifying_key);

    let (message, signers) =
        (b"an approved message", [2, 3].map(|number| Identifier::new(number).expect("1 to 1,000")));
    let invitation = ben.invite_sign(key.id, &signers, message)?;
    let runs = vec![ben.start_sign(&invitation, message)?, carla.start_sign(&invitation, message)?];
    let signature = drive_all(runs)?.pop().ok_or("nobody has a signature")?;
    key.verifying_key.verify(message, &signature)?;
    println!("signature: {signature}");
    Ok(())
}

/// One member's end of a network that carries bytes.
struct Line {
    arriving: Receiver<Vec<u8>>,
    others: Vec<Sender<Vec<u8>>>,
}

impl Line {
    fn send(&self, message: &Message) {
        for other in &self.others {
            // Whoever has left has its output.
            let _ = other.try_send(message.to_bytes());
        }
    }

    /// The next message; bytes that are none are dropped here.
    async fn receive(&self) -> Option<Message> {
        loop {
            match self.arriving.recv().await {
                Ok(bytes) => match Message::from_bytes(&bytes) {
                    Ok(message) => return Some(message),
                    Err(error) => eprintln!("dropped: {error}"),
                },
                // Nobody is left to send. What remains is to wait for the timer.
                Err(_) => smol::future::pending().await,
            }
        }
    }
}

/// Drives one member's run to its output.
async fn drive<P: Protocol>(mut run: Run<P>, line: Line, patience: Patience) -> Result<P::Output, Error> {
    let mut output = None;
    let mut end = Instant::now() + patience.deadline;
    let mut resend = Instant::now() + patience.resend;
    while Instant::now() < end {
        flush(&mut run, &line);
        if let Some(done) = run.poll_output() {
            output = Some(done);
            // Another member may still lack this one's last message, and need not say so.
            end = Instant::now() + patience.linger;
        }
        let timer = async {
            Timer::at(resend.min(end)).await;
            None
        };
        match line.receive().or(timer).await.map(|message| run.handle(&message)) {
            // A rejected message changed nothing: anybody can send such bytes.
            Some(Ok(()) | Err(Error::Rejected(_))) => {}
            // The output is there, whatever becomes of the others.
            Some(Err(_)) if output.is_some() => break,
            Some(Err(error)) => {
                // A failed run's last words may name the culprit to the others.
                flush(&mut run, &line);
                return Err(error);
            }
            None => {
                run.resend();
                resend = Instant::now() + patience.resend;
            }
        }
    }
    output.ok_or_else(|| Error::Absent { awaiting: run.progress().awaiting })
}

fn flush<P: Protocol>(run: &mut Run<P>, line: &Line) {
    while let Some(message) = run.poll_transmit() {
        line.send(&message);
    }
}

/// Connects the runs with each other, and drives each in a task of its own.
fn drive_all<P: Protocol>(runs: Vec<Run<P>>) -> Result<Vec<P::Output>, Error> {
    let (senders, receivers): (Vec<_>, Vec<_>) = runs.iter().map(|_| unbounded()).unzip();
    let patience = Patience { linger: Duration::from_millis(500), ..Patience::default() };
    let executor = Executor::new();
    let mut tasks = Vec::new();
    for (place, (run, arriving)) in runs.into_iter().zip(receivers).enumerate() {
        let others = senders.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, sender)| sender.clone());
        let line = Line { arriving, others: others.collect() };
        tasks.push(executor.spawn(drive(run, line, patience)));
    }
    smol::block_on(executor.run(async {
        let mut outputs = Vec::new();
        for task in tasks {
            outputs.push(task.await?);
        }
        Ok(outputs)
    }))
}

fn member(label: &str) -> Result<Session, Error> {
    let (user, officer) = (Pin::new("correct horse battery staple")?, Pin::new("a passphrase in the safe")?);
    let init = Init { label: label.to_owned(), user, officer, cost: KdfCost::small() };
    KeyStore::memory(&init)?.login(&init.user)
}
