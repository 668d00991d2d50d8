//! Members with a key: honest ones, and one whose identity key the fuzzer has.

use std::sync::{Arc, LazyLock};

use crate::hazmat::{self, Forger, Forgery};
use crate::keystore::{
    Batch, Dealing, Dkg, Entry, Error, Init, KdfCost, KeyInfo, KeyStore, MemoryStorage, NewCard, OfficerSession, Pin,
    Preprocessing, Protocol, Reconstructing, Run, Session, Signing, Storage,
};
use crate::suite::Suite;
use crate::wire::{Derivation, Identifier, Invitation, KeyTemplate, Message, Operations, Reason, Roster};

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
type Contents = [Vec<Entry>; 2];

/// What the two tokens held when they had made a key.
pub(super) struct Snapshot {
    pub(super) key: KeyInfo,
    contents: Contents,
    /// The same when they had enrolled a third member, whose device is gone again.
    enrolled: Contents,
}

static SNAPSHOTS: LazyLock<Vec<(Suite, Snapshot)>> =
    LazyLock::new(|| Suite::ALL.into_iter().map(|suite| (suite, Snapshot::new(suite))).collect());

fn id(number: u16) -> Identifier {
    Identifier::new(number).expect("a number from 1 to 1,000")
}

/// The members' numbers: the honest one is the first.
pub(super) fn ids() -> [Identifier; 2] {
    [id(1), id(2)]
}

/// Whose identity key the fuzzer has: the second member's, and the newcomer's.
fn forger(number: u16) -> Forger {
    Forger::new([if number == 2 { 9 } else { 10 }; 32])
}

fn honestly(message: &Message) -> Vec<Message> {
    vec![message.clone()]
}

impl Snapshot {
    fn new(suite: Suite) -> Self {
        let storages = [(); 2].map(|()| Shared::new(&[]));
        let [honest, liar] = &storages;
        let fill = |storage: &Shared, contents: &[Entry]| storage.rewrite(contents).map(|()| storage.clone());
        let stores = [
            KeyStore::create_in(|contents| fill(honest, contents), &init()),
            forger(2).store(|contents| fill(liar, contents), &init(), 0),
        ];
        let [honest, liar] = stores.map(|store| store.and_then(|store| store.login(&pin())).expect("a new token"));
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
        Self { key, contents, enrolled: storages.map(|storage| storage.contents()) }
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
    let operations = Operations::ALL.union(Operations::RECONSTRUCT);
    let template = KeyTemplate { operations, ..KeyTemplate::wallet("fuzzed") };
    honest.invite(Dkg { suite, threshold: 2, members, template })
}

/// A token without a key, for the third member.
fn newcomer() -> Session {
    let store = forger(3).store(|contents| Ok(Shared::new(contents)), &init(), 0);
    store.and_then(|store| store.login(&pin())).expect("a new token")
}

/// The two members, as they were when they had made their key.
pub(super) struct Pair {
    pub(super) snapshot: &'static Snapshot,
    honest: Session,
    liar: Session,
    officers: [OfficerSession; 2],
    suite: Suite,
}

impl Pair {
    pub(super) fn new(suite: Suite) -> Self {
        Self::opened(suite, &Snapshot::of(suite).contents)
    }

    fn opened(suite: Suite, contents: &Contents) -> Self {
        let snapshot = Snapshot::of(suite);
        let stores = contents.each_ref().map(|contents| {
            KeyStore::open_in(MemoryStorage::new(contents)).expect("the token was closed in good order")
        });
        let [honest, liar] = stores.each_ref().map(|store| store.login(&pin()).expect("the PIN is right"));
        let officers = stores.each_ref().map(|store| store.login_so(&officer_pin()).expect("the PIN is right"));
        Self { snapshot, honest, liar, officers, suite }
    }

    /// The liar's message with changes, signed.
    pub(super) fn alter(message: &Message, change: impl FnOnce(&mut Forgery)) -> Message {
        forger(message.sender().get()).alter(message, change)
    }

    fn members(&self) -> [&Session; 2] {
        [&self.honest, &self.liar]
    }

    /// Both enter the dealing of a new key.
    pub(super) fn deal(&self) -> [Run<Dealing>; 2] {
        let invitation = invite(&self.honest, &self.liar, self.suite).expect("an invitation");
        self.members().map(|member| member.start(&invitation).expect("a run begins"))
    }

    /// Both enter the renewal of their key's shares.
    pub(super) fn refresh(&self) -> [Run<Dealing>; 2] {
        let invitation = self.honest.invite_refresh(self.snapshot.key.id, Vec::new()).expect("an invitation");
        self.members().map(|member| member.start(&invitation).expect("a run begins"))
    }

    /// Both enter the signing of a message.
    pub(super) fn sign(&self) -> [Run<Signing>; 2] {
        let invitation = self.honest.invite_sign(self.snapshot.key.id, &ids(), MESSAGE).expect("an invitation");
        self.members().map(|member| member.start_sign(&invitation, MESSAGE).expect("a run begins"))
    }

    /// Both enter the making of nonces for two signatures.
    pub(super) fn prepare(&self) -> [Run<Preprocessing>; 2] {
        let invitation = self.honest.invite_preprocess(self.snapshot.key.id, &ids(), 2).expect("an invitation");
        self.members().map(|member| member.start_preprocess(&invitation).expect("a run begins"))
    }

    /// Both enter the signing of a message with those, unless the liar has none.
    pub(super) fn sign_prepared(&self, batch: &Batch) -> Option<[Run<Signing>; 2]> {
        let invitation = self.honest.invite_sign_prepared(batch, &ids(), MESSAGE, &Derivation::default());
        let invitation = invitation.expect("nonces that this member has made");
        let liar = self.liar.start_sign(&invitation, MESSAGE).ok()?;
        Some([self.honest.start_sign(&invitation, MESSAGE).expect("a run begins"), liar])
    }

    /// Both enter the run that puts the key together for one of them.
    pub(super) fn reconstruct(&self, for_the_liar: bool) -> [Run<Reconstructing>; 2] {
        let [honest, liar] = &self.officers;
        let whose = if for_the_liar { liar } else { honest };
        let invitation = whose.invite_reconstruct(self.snapshot.key.id, &ids()).expect("an invitation");
        for member in self.members() {
            member.consent_to_reconstruct(&invitation).expect("a consent");
        }
        self.officers.each_ref().map(|officer| officer.start_reconstruct(&invitation).expect("a run begins"))
    }
}

/// Both members and a third, whom they help to a share.
pub(super) struct Helped {
    pair: Pair,
    newcomer: Session,
}

impl Helped {
    /// To the one that it had and lost, or to its first.
    pub(super) fn new(suite: Suite, again: bool) -> Self {
        let snapshot = Snapshot::of(suite);
        let contents = if again { &snapshot.enrolled } else { &snapshot.contents };
        Self { pair: Pair::opened(suite, contents), newcomer: newcomer() }
    }

    /// The key that it is a share of.
    pub(super) fn key(&self) -> &KeyInfo {
        &self.pair.snapshot.key
    }

    pub(super) fn start(&self, again: bool) -> [Run<Dealing>; 3] {
        let (honest, key) = (&self.pair.honest, self.pair.snapshot.key.id);
        let card = self.newcomer.card().expect("its card");
        let invitation = if again {
            let card = NewCard { identifier: id(3), card, reason: Reason::Destroyed };
            honest.invite_repair(key, card, &ids())
        } else {
            honest.invite_enrolment(key, id(3), card, &ids())
        };
        let invitation = invitation.expect("an invitation");
        [honest, &self.pair.liar, &self.newcomer].map(|member| member.start(&invitation).expect("a run begins"))
    }
}

/// What a member got, and what it failed with.
pub(super) type Got<P> = (Option<<P as Protocol>::Output>, Option<Error>);

/// Hands messages around; what the member with the number `liar` says in the round `lie` goes through `change`. What each of
/// the others got.
pub(super) fn exchange<P: Protocol>(
    runs: &mut [Run<P>],
    liar: u16,
    lie: Option<u8>,
    change: &mut dyn FnMut(&Message) -> Vec<Message>,
) -> Vec<Got<P>> {
    let mut got: Vec<Got<P>> = runs.iter().map(|_| (None, None)).collect();
    loop {
        let mut said = Vec::new();
        for (number, run) in (1..).zip(runs.iter_mut()) {
            let lies = |message: &Message| number == liar && lie == Some(message.round());
            while let Some(message) = run.poll_transmit() {
                said.push((number, if lies(&message) { change(&message) } else { vec![message] }));
            }
        }
        if said.is_empty() {
            return (1..).zip(got).filter(|(number, _)| *number != liar).map(|(_, got)| got).collect();
        }
        for (from, messages) in said {
            for ((_, run), got) in (1_u16..).zip(runs.iter_mut()).zip(&mut got).filter(|((to, _), _)| *to != from) {
                for message in &messages {
                    hear(run, message, got);
                }
            }
        }
    }
}

fn hear<P: Protocol>(run: &mut Run<P>, message: &Message, (output, failure): &mut Got<P>) {
    match run.handle(message) {
        Ok(()) | Err(Error::Rejected(_)) => {}
        Err(error) => *failure = failure.take().or(Some(error)),
    }
    *output = run.poll_output().or(output.take());
}
