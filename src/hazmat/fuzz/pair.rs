//! Members with a key: honest ones, and one whose identity key the fuzzer has.

use std::sync::{Arc, LazyLock};

use super::exchange::{exchange, honestly};
use crate::audit::{self, Head};
use crate::hazmat::{self, Forger, Forgery};
use crate::keystore::{
    Dealing, Dkg, Entry, Error, Init, KdfCost, KeyInfo, KeyStore, MemoryStorage, OfficerSession, Pin, Preprocessing,
    Reconstructing, Run, Session, Signing, Storage,
};
use crate::suite::Suite;
use crate::wire::{Card, Identifier, Invitation, KeyTemplate, Message, Operations, Revision, Roster};

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
pub(super) type Shared = hazmat::Shared<MemoryStorage>;

impl Shared {
    pub(super) fn new(contents: &[Entry]) -> Self {
        Self(Arc::new(MemoryStorage::new(contents)))
    }

    pub(super) fn contents(&self) -> Vec<Entry> {
        self.0.scan(&[], None, usize::MAX).expect("memory can be read")
    }
}

/// What tokens hold: the honest member's, then the liar's.
pub(super) type Contents = [Vec<Entry>; 2];

/// What the two tokens held when they had made a key.
pub(super) struct Snapshot {
    pub(super) key: KeyInfo,
    contents: Contents,
    /// The same when they had enrolled a third member, whose device is gone again.
    pub(super) enrolled: Contents,
    /// That enrolment, as both have signed it.
    pub(super) revision: Revision,
}

static SNAPSHOTS: LazyLock<Vec<(Suite, Snapshot)>> =
    LazyLock::new(|| Suite::ALL.into_iter().map(|suite| (suite, Snapshot::new(suite))).collect());

pub(super) fn id(number: u16) -> Identifier {
    Identifier::new(number).expect("a number from 1 to 1,000")
}

/// The members' numbers: the honest one is the first.
pub(super) fn ids() -> [Identifier; 2] {
    [id(1), id(2)]
}

/// The identity key of a member: the honest one's for what only a thief can do, the second's, and the newcomer's.
pub(super) fn forger(number: u16) -> Forger {
    Forger::new([if number == 1 { 8 } else { 7 + u8::try_from(number % 4).unwrap_or(0) }; 32])
}

impl Snapshot {
    fn new(suite: Suite) -> Self {
        let storages = [(); 2].map(|()| Shared::new(&[]));
        let fill = |storage: &Shared, contents: &[Entry]| storage.rewrite(contents).map(|()| storage.clone());
        let token = |(number, storage): (u16, &Shared)| {
            let store = forger(number).store(|contents| fill(storage, contents), &init(), 0);
            store.and_then(|store| store.login(&pin())).expect("a new token")
        };
        let [honest, liar] = &storages;
        let [honest, liar] = [(1, honest), (2, liar)].map(token);
        let invitation = invite(&honest, &liar, suite).expect("an invitation");
        let mut runs = [&honest, &liar].map(|member| member.start(&invitation).expect("a run begins"));
        let key = exchange(&mut runs, 2, None, &mut honestly).remove(0).0;
        let key = key.expect("an honest dealing leads to a key");
        let contents = storages.each_ref().map(Shared::contents);
        let newcomer = newcomer();
        let card = newcomer.card().expect("its card");
        let invitation = honest.invite_enrolment(key.id, id(3), card, &ids()).expect("an invitation");
        let mut runs = [&honest, &liar, &newcomer].map(|member| member.start(&invitation).expect("a run begins"));
        assert!(exchange(&mut runs, 2, None, &mut honestly).iter().all(|(info, _)| info.is_some()));
        let certificate = honest.certificate(key.id).expect("the key is known");
        let revision = certificate.revisions().next().expect("a member was enrolled").clone();
        Self { key, contents, enrolled: storages.map(|storage| storage.contents()), revision }
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

pub(super) fn invite(honest: &Session, liar: &Session, suite: Suite) -> Result<Invitation, Error> {
    honest.invite(Dkg { suite, threshold: 2, members: roster(honest, liar), template: template() })
}

pub(super) fn roster(honest: &Session, liar: &Session) -> Roster {
    roster_of([honest, liar].map(|member| member.card().expect("its card")))
}

pub(super) fn roster_of(cards: [Card; 2]) -> Roster {
    Roster::numbered(cards).expect("two cards are a roster")
}

pub(super) fn template() -> KeyTemplate {
    let operations = Operations::ALL.union(Operations::RECONSTRUCT);
    KeyTemplate { operations, ..KeyTemplate::wallet("fuzzed") }
}

/// The token's log verifies from its beginning.
pub(super) fn whole(store: &KeyStore, session: &Session) {
    let records = session.audit(None, usize::MAX).expect("the log can be read");
    let token = store.info().expect("a token says its name").id;
    audit::follow(&records, &Head::genesis(&token)).expect("the log is whole");
}

/// A token without a key, for the third member.
pub(super) fn newcomer() -> Session {
    let store = forger(3).store(|contents| Ok(Shared::new(contents)), &init(), 0);
    store.and_then(|store| store.login(&pin())).expect("a new token")
}

/// The two members, as they were when they had made their key, and a third without one.
pub(super) struct Pair {
    pub(super) snapshot: &'static Snapshot,
    pub(super) suite: Suite,
    pub(super) honest: Session,
    pub(super) liar: Session,
    pub(super) officers: [OfficerSession; 2],
    /// The honest member's.
    pub(super) storage: Shared,
}

impl Pair {
    pub(super) fn new(suite: Suite) -> Self {
        Self::opened(suite, &Snapshot::of(suite).contents)
    }

    pub(super) fn opened(suite: Suite, contents: &Contents) -> Self {
        let storages = contents.each_ref().map(|contents| Shared::new(contents));
        let open = |storage: &Shared| KeyStore::open_in(storage.clone()).expect("the token was closed in good order");
        let stores = storages.each_ref().map(open);
        let [honest, liar] = stores.each_ref().map(|store| store.login(&pin()).expect("the PIN is right"));
        let officers = stores.each_ref().map(|store| store.login_so(&officer_pin()).expect("the PIN is right"));
        let [storage, _] = storages;
        Self { snapshot: Snapshot::of(suite), suite, honest, liar, officers, storage }
    }

    /// The liar's message with changes, signed.
    pub(super) fn alter(message: &Message, change: impl FnOnce(&mut Forgery)) -> Message {
        forger(message.sender().get()).alter(message, change)
    }

    pub(super) fn members(&self) -> [&Session; 2] {
        [&self.honest, &self.liar]
    }

    /// Both enter a dealing.
    pub(super) fn deal(&self, invitation: &Invitation) -> [Run<Dealing>; 2] {
        self.members().map(|member| member.start(invitation).expect("a run begins"))
    }

    /// Both enter the signing of the message.
    pub(super) fn sign(&self, invitation: &Invitation) -> [Run<Signing>; 2] {
        self.members().map(|member| member.start_sign(invitation, MESSAGE).expect("a run begins"))
    }

    /// Both enter the making of nonces.
    pub(super) fn prepare(&self, invitation: &Invitation) -> [Run<Preprocessing>; 2] {
        self.members().map(|member| member.start_preprocess(invitation).expect("a run begins"))
    }

    /// Both consent to the run that puts the key together, and enter it.
    pub(super) fn reconstruct(&self, invitation: &Invitation) -> [Run<Reconstructing>; 2] {
        for member in self.members() {
            member.consent_to_reconstruct(invitation).expect("a consent");
        }
        self.officers.each_ref().map(|officer| officer.start_reconstruct(invitation).expect("a run begins"))
    }
}
