//! What the targets share: tokens to attack, and a member that signs whatever the fuzzer wants.

use std::cell::RefCell;
use std::sync::LazyLock;

use quorumkey::hazmat::{Forger, Forgery};
use quorumkey::{
    Dkg, Entry, Identifier, Init, KdfCost, KeyInfo, KeyStore, KeyTemplate, MemoryStorage, Message, Pin, Protocol,
    Roster, Run, Session, Suite,
};

/// The PIN of every token here.
pub static PIN: LazyLock<Pin> = LazyLock::new(|| Pin::new("the user's words").unwrap());

/// How every token here begins.
pub fn init() -> Init {
    Init {
        label: "fuzzed".to_owned(),
        user: Pin::new("the user's words").unwrap(),
        officer: Pin::new("the officer's words").unwrap(),
        cost: KdfCost::insecure_for_tests(),
    }
}

/// What a new token's storage holds.
pub fn contents() -> Vec<Entry> {
    static CONTENTS: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        let mut seen = Vec::new();
        KeyStore::create_in(
            |contents| {
                seen = contents.to_vec();
                Ok(MemoryStorage::new(contents))
            },
            &init(),
        )
        .unwrap();
        seen
    });
    CONTENTS.clone()
}

/// A storage with these contents.
pub fn storage(contents: &[Entry]) -> MemoryStorage {
    MemoryStorage::new(contents)
}

/// Two members: an honest one, and one whose identity key the fuzzer has.
pub struct Pair {
    honest: Session,
    liar: Session,
    forger: Forger,
    suite: Suite,
    key: KeyInfo,
    _stores: [KeyStore; 2],
}

impl Pair {
    /// Two tokens with a 2-of-2 key.
    pub fn new(suite: Suite) -> Self {
        let forger = Forger::new([9; 32]);
        let storage = |contents: &[Entry]| Ok(MemoryStorage::new(contents));
        let stores = [KeyStore::memory(&init()).unwrap(), forger.store(storage, &init(), 0).unwrap()];
        let [honest, liar] = stores.each_ref().map(|store| store.login(&PIN).unwrap());
        let (key, _) = exchange(deal(&honest, &liar, suite), usize::MAX, &mut |message| message.clone());
        Self { honest, liar, forger, suite, key: key.expect("an honest dealing leads to a key"), _stores: stores }
    }

    /// A run in which the liar changes one message: its join, deal or endorsement, or its commitments or signature share. The honest member is also given `bytes`, if they are a message.
    pub fn run(&self, place: usize, bytes: &[u8], change: impl Fn(&mut Forgery)) {
        let stray = RefCell::new(Message::from_bytes(bytes).ok());
        let mut change = |message: &Message| match stray.take() {
            Some(stray) => stray,
            None => self.forger.alter(message, &change),
        };
        if place < 3 {
            exchange(deal(&self.honest, &self.liar, self.suite), place, &mut change);
        } else {
            let both = [1, 2].map(|number| Identifier::new(number).unwrap());
            let invitation = self.honest.invite_sign(self.key.id, &both, b"message").unwrap();
            let runs = [&self.honest, &self.liar].map(|member| member.start_sign(&invitation, b"message").unwrap());
            exchange(runs, place - 3, &mut change);
        }
    }
}

fn deal(honest: &Session, liar: &Session, suite: Suite) -> [Run<quorumkey::Dealing>; 2] {
    let members = Roster::numbered([honest, liar].map(|member| member.card().unwrap())).unwrap();
    let template = KeyTemplate::wallet("fuzzed");
    let invitation = honest.invite(Dkg { suite, threshold: 2, members, template }).unwrap();
    [honest, liar].map(|member| member.start(&invitation).unwrap())
}

/// Hands messages around; the liar's one of that place is changed. What the honest member got, and whether it failed.
fn exchange<P: Protocol>(
    [mut honest, mut liar]: [Run<P>; 2],
    place: usize,
    change: &mut dyn FnMut(&Message) -> Message,
) -> (Option<P::Output>, bool) {
    let (mut output, mut failed) = (None, false);
    loop {
        let mut silent = true;
        while let Some(message) = liar.poll_transmit() {
            silent = false;
            let message = if usize::from(message.round()) == place { change(&message) } else { message };
            failed |= matches!(honest.handle(&message), Err(error) if !matches!(error, quorumkey::Error::Rejected(_)));
            output = honest.poll_output().or(output);
        }
        while let Some(message) = honest.poll_transmit() {
            silent = false;
            let _ = liar.handle(&message);
        }
        if silent {
            return (output, failed);
        }
    }
}
