//! The members: each a token in a file of its own directory, and a thread while a run is under way.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorumkey::transport::{Bus, Patience, Transport, drive};
use quorumkey::wrap::{Identity, WrappedIdentity};
use quorumkey::{Identifier, Init, KdfCost, KeyStore, Message, Pin, Protocol, Restore, Run, Session};

/// How patient the members are with each other.
pub(crate) const PATIENCE: Patience = Patience {
    deadline: Duration::from_secs(60),
    resend: Duration::from_millis(250),
    linger: Duration::from_millis(500),
};

/// For a run that is meant to fail.
pub(crate) const IMPATIENCE: Patience = Patience { deadline: Duration::from_secs(2), ..PATIENCE };

/// A member with its device.
pub(crate) struct Member {
    pub(crate) id: Identifier,
    pub(crate) directory: PathBuf,
    pub(crate) store: KeyStore,
    pub(crate) session: Session,
}

impl Member {
    /// A new device in a new directory.
    pub(crate) fn new(number: u16, directory: PathBuf) -> Result<Self, Box<dyn Error>> {
        fs::create_dir(&directory)?;
        let store = KeyStore::create(token_file(&directory), &init(number)?)?;
        Self::log_in(number, directory, store)
    }

    /// A new device with the identity of a backup.
    pub(crate) fn restored(
        number: u16,
        directory: PathBuf,
        backup: &WrappedIdentity,
        with: &Identity,
    ) -> Result<Self, Box<dyn Error>> {
        fs::create_dir(&directory)?;
        let store = KeyStore::restore(
            token_file(&directory),
            &Restore { init: &init(number)?, identity: backup, with, incarnation: 0 },
        )?;
        Self::log_in(number, directory, store)
    }

    fn log_in(number: u16, directory: PathBuf, store: KeyStore) -> Result<Self, Box<dyn Error>> {
        let session = store.login(&user_pin(number)?)?;
        let id = Identifier::new(number).ok_or("a member has a number from 1 to 1,000")?;
        Ok(Self { id, directory, store, session })
    }

    /// The device burns: its directory is gone.
    pub(crate) fn burn(self) -> Result<(), Box<dyn Error>> {
        let Self { directory, store, session, .. } = self;
        drop(session);
        drop(store);
        Ok(fs::remove_dir_all(directory)?)
    }
}

pub(crate) fn token_file(directory: &Path) -> PathBuf {
    directory.join("wallet.qk")
}

/// A passphrase, as a person would be asked for: a copied file can be guessed offline.
pub(crate) fn user_pin(number: u16) -> Result<Pin, Box<dyn Error>> {
    Ok(Pin::new(&format!("member {number} rides a bicycle made of rain"))?)
}

pub(crate) fn officer_pin(number: u16) -> Result<Pin, Box<dyn Error>> {
    Ok(Pin::new(&format!("the officer of member {number} counts the swans"))?)
}

fn init(number: u16) -> Result<Init, Box<dyn Error>> {
    Ok(Init {
        label: format!("member {number}"),
        user: user_pin(number)?,
        officer: officer_pin(number)?,
        cost: KdfCost::small(),
    })
}

/// What came of a run: every member's output, and everything that was said, as a wiretap has it.
pub(crate) struct Held<O> {
    pub(crate) outputs: Vec<O>,
    pub(crate) recorded: Vec<Message>,
}

/// Lets the members hold a run together, each in its own thread.
pub(crate) fn hold<P: Protocol>(
    members: &[&Member],
    patience: Patience,
    start: impl Fn(&Member) -> quorumkey::Result<Run<P>> + Sync,
) -> Result<Held<P::Output>, Box<dyn Error>> {
    let bus = Bus::reliable();
    let mut wiretap = bus.endpoint();
    let ends: Vec<_> = members.iter().map(|_| bus.endpoint()).collect();
    let start = &start;
    let outputs = std::thread::scope(|scope| {
        let threads: Vec<_> = members
            .iter()
            .zip(ends)
            .map(|(member, mut end)| scope.spawn(move || Ok(drive(&mut start(member)?, &mut end, patience)?.output)))
            .collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let outputs = gather(outputs)?;
    let mut recorded = Vec::new();
    while let Some(message) = wiretap.receive(Duration::ZERO)? {
        if !recorded.contains(&message) {
            recorded.push(message);
        }
    }
    Ok(Held { outputs, recorded })
}

/// Every output, or why there is none: rather one member's own reason than that the others waited for it in vain.
fn gather<O>(results: Vec<std::thread::Result<quorumkey::Result<O>>>) -> Result<Vec<O>, Box<dyn Error>> {
    let (mut outputs, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result.map_err(|_| "a member's thread died")? {
            Ok(output) => outputs.push(output),
            Err(error) => errors.push(error),
        }
    }
    let waited = |error: &quorumkey::Error| matches!(error, quorumkey::Error::Absent { .. });
    errors.sort_by_key(waited);
    match errors.into_iter().next() {
        None => Ok(outputs),
        Some(error) => Err(error.into()),
    }
}
