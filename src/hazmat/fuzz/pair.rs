//! Two members with a key: an honest one, and one whose identity key the fuzzer has.

use std::sync::{Arc, LazyLock};

use crate::hazmat::{Forger, Forgery};
use crate::keystore::{
    Change, Dealing, Dkg, Entry, Error, Init, KdfCost, KeyInfo, KeyStore, MemoryStorage, OfficerSession, Pin, Protocol,
    Run, Session, Signing, Storage, StorageError,
};
use crate::suite::Suite;
use crate::wire::{Identifier, Invitation, KeyTemplate, Message, Roster};

const USER: &str = "the user's words";
const OFFICER: &str = "the officer's words";
pub(super) const MESSAGE: &[u8] = b"message";

pub(super) fn pin() -> Pin {
    Pin::new(USER).expect("words are a PIN")
}

pub(super) fn officer_pin() -> Pin {
    Pin::new(OFFICER).expect("words are a PIN")
}

/// How every token here begins.
pub(super) fn init() -> Init {
    Init { label: "fuzzed".to_owned(), user: pin(), officer: officer_pin(), cost: KdfCost::insecure_for_tests() }
}

/// A storage of which one handle goes into a token.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<MemoryStorage>);

impl Shared {
    pub(super) fn new(contents: &[Entry]) -> Self {
        Self(Arc::new(MemoryStorage::new(contents)))
    }

    pub(super) fn contents(&self) -> Vec<Entry> {
        self.0.scan(&[], None, usize::MAX).expect("memory can be read")
    }
}

impl Storage for Shared {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.0.get(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StorageError> {
        self.0.scan(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.0.commit(changes)
    }

    fn rewrite(&self, contents: &[Entry]) -> Result<(), StorageError> {
        self.0.rewrite(contents)
    }
}

/// What the two tokens held when they had made a key.
pub(super) struct Snapshot {
    pub(super) key: KeyInfo,
    contents: [Vec<Entry>; 2],
}

static SNAPSHOTS: LazyLock<Vec<(Suite, Snapshot)>> =
    LazyLock::new(|| Suite::ALL.into_iter().map(|suite| (suite, Snapshot::new(suite))).collect());

/// The members' numbers: the honest one is the first.
pub(super) fn ids() -> [Identifier; 2] {
    [1, 2].map(|number| Identifier::new(number).expect("a number from 1 to 1,000"))
}

fn forger() -> Forger {
    Forger::new([9; 32])
}

impl Snapshot {
    fn new(suite: Suite) -> Self {
        let storages = [(); 2].map(|()| Shared::new(&[]));
        let [honest, liar] = &storages;
        let fill = |storage: &Shared, contents: &[Entry]| storage.rewrite(contents).map(|()| storage.clone());
        let stores = [
            KeyStore::create_in(|contents| fill(honest, contents), &init()),
            forger().store(|contents| fill(liar, contents), &init(), 0),
        ];
        let [honest, liar] = stores.map(|store| store.and_then(|store| store.login(&pin())).expect("a new token"));
        let invitation = invite(&honest, &liar, suite).expect("an invitation");
        let runs = [&honest, &liar].map(|member| member.start(&invitation).expect("a run begins"));
        let (key, _) = exchange(runs, None, &mut |message| vec![message.clone()]);
        let key = key.expect("an honest dealing leads to a key");
        Self { key, contents: storages.map(|storage| storage.contents()) }
    }

    pub(super) fn of(suite: Suite) -> &'static Self {
        let found = SNAPSHOTS.iter().find(|(of, _)| *of == suite);
        &found.expect("there is one of each suite").1
    }

    /// What the honest member's token holds.
    pub(super) fn honest(&self) -> Shared {
        let [honest, _] = &self.contents;
        Shared::new(honest)
    }
}

fn invite(honest: &Session, liar: &Session, suite: Suite) -> Result<Invitation, Error> {
    let members = Roster::numbered([honest.card()?, liar.card()?]).expect("two cards are a roster");
    honest.invite(Dkg { suite, threshold: 2, members, template: KeyTemplate::wallet("fuzzed") })
}

/// The two members, as they were when they had made their key.
pub(super) struct Pair {
    pub(super) snapshot: &'static Snapshot,
    honest: Session,
    liar: Session,
    /// Keeps the tokens.
    _officers: [OfficerSession; 2],
    suite: Suite,
}

impl Pair {
    pub(super) fn new(suite: Suite) -> Self {
        let snapshot = Snapshot::of(suite);
        let stores = snapshot.contents.each_ref().map(|contents| {
            KeyStore::open_in(MemoryStorage::new(contents)).expect("the token was closed in good order")
        });
        let [honest, liar] = stores.each_ref().map(|store| store.login(&pin()).expect("the PIN is right"));
        let officers = stores.each_ref().map(|store| store.login_so(&officer_pin()).expect("the PIN is right"));
        Self { snapshot, honest, liar, _officers: officers, suite }
    }

    /// The liar's message with changes, signed.
    pub(super) fn alter(message: &Message, change: impl FnOnce(&mut Forgery)) -> Message {
        forger().alter(message, change)
    }

    /// Both enter the dealing of a new key.
    pub(super) fn deal(&self) -> [Run<Dealing>; 2] {
        let invitation = invite(&self.honest, &self.liar, self.suite).expect("an invitation");
        [&self.honest, &self.liar].map(|member| member.start(&invitation).expect("a run begins"))
    }

    /// Both enter the renewal of their key's shares.
    pub(super) fn refresh(&self) -> [Run<Dealing>; 2] {
        let invitation = self.honest.invite_refresh(self.snapshot.key.id, Vec::new()).expect("an invitation");
        [&self.honest, &self.liar].map(|member| member.start(&invitation).expect("a run begins"))
    }

    /// Both enter the signing of a message.
    pub(super) fn sign(&self) -> [Run<Signing>; 2] {
        let invitation = self.honest.invite_sign(self.snapshot.key.id, &ids(), MESSAGE).expect("an invitation");
        [&self.honest, &self.liar].map(|member| member.start_sign(&invitation, MESSAGE).expect("a run begins"))
    }
}

/// Hands messages around; what the liar says in the round `lie` goes through `change`. What the honest member got, and
/// what it failed with.
pub(super) fn exchange<P: Protocol>(
    [mut honest, mut liar]: [Run<P>; 2],
    lie: Option<u8>,
    change: &mut dyn FnMut(&Message) -> Vec<Message>,
) -> (Option<P::Output>, Option<Error>) {
    let (mut output, mut failure) = (None, None);
    loop {
        let mut silent = true;
        while let Some(message) = liar.poll_transmit() {
            silent = false;
            let said = if lie == Some(message.round()) { change(&message) } else { vec![message] };
            for message in said {
                match honest.handle(&message) {
                    Ok(()) | Err(Error::Rejected(_)) => {}
                    Err(error) => failure = failure.or(Some(error)),
                }
                output = honest.poll_output().or(output);
            }
        }
        while let Some(message) = honest.poll_transmit() {
            silent = false;
            let _ = liar.handle(&message);
        }
        if silent {
            return (output, failure);
        }
    }
}
