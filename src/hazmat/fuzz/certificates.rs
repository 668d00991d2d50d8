//! Whatever certificate a member is shown: it goes on with its key as its members signed it, or refuses.

use std::sync::LazyLock;

use super::decoders::suite;
use super::exchange::exchange;
use super::lie::{edit, place};
use super::pair::{Pair, Shared, Snapshot, forger, id, pin, whole};
use super::{choice, one_of};
use crate::hazmat::Forger;
use crate::keystore::{Entry, Error, KeyInfo, KeyStore, Session};
use crate::protocol::Certificate;
use crate::suite::Suite;

/// The certificates of a key, and tokens of its first member that know them so far.
pub(super) struct Line {
    suite: Suite,
    /// Of the key's making and of a renewal.
    genuine: [Certificate; 2],
    /// Before the renewal, with its end missed, and after it.
    tokens: [Vec<Entry>; 3],
}

static LINES: LazyLock<Vec<Line>> = LazyLock::new(|| Suite::ALL.into_iter().map(Line::new).collect());

impl Line {
    pub(super) fn of(suite: Suite) -> &'static Self {
        LINES.iter().find(|line| line.suite == suite).expect("there is one of each suite")
    }

    /// One of the tokens.
    pub(super) fn token(&self, which: u8) -> Shared {
        let contents: &Vec<Entry> = one_of(&self.tokens, which);
        Shared::new(contents)
    }

    pub(super) fn certificate(&self, which: u8) -> &Certificate {
        one_of(&self.genuine, which)
    }

    fn new(suite: Suite) -> Self {
        let pair = Pair::new(suite);
        let before = pair.storage.contents();
        let mut runs = pair.deal(&pair.proposed_refresh(&pair.honest));
        // The liar has the honest member's signatures, and keeps its own for itself.
        exchange(&mut runs, 2, Some(2), &mut |_| Vec::new());
        let missed = pair.storage.contents();
        let genuine = pair.liar.certificates(pair.snapshot.key.id).expect("the key is known");
        let genuine: [_; 2] = genuine.try_into().expect("its making, and a renewal");
        let [_, renewal] = &genuine;
        pair.honest.complete(renewal).expect("the end that was missed");
        Self { suite, genuine, tokens: [before, missed, pair.storage.contents()] }
    }
}

/// Who signs a certificate that was changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signers {
    /// Nobody: the signatures are those that it had.
    Nobody,
    /// The liar, with the honest member's old signature or without it.
    Liar { with_the_old_one: bool },
    /// Both, which no honest member does: somebody has stolen its identity key.
    Both,
}

/// Suite, token, which certificate is changed and who signs it come first, then what else is shown, and how it is changed.
pub(super) fn complete(mut bytes: &[u8]) {
    let suite = suite(&mut bytes);
    let line = Line::of(suite);
    let storage = line.token(choice(&mut bytes));
    let certificate = line.certificate(choice(&mut bytes));
    let signers = match choice(&mut bytes) % 4 {
        0 => Signers::Nobody,
        1 => Signers::Liar { with_the_old_one: false },
        2 => Signers::Liar { with_the_old_one: true },
        _ => Signers::Both,
    };
    let how = choice(&mut bytes);
    let Some(changed) = changed(certificate, signers, bytes) else { return };
    let store = KeyStore::open_in(storage.clone()).expect("the token was closed in good order");
    let session = store.login(&pin()).expect("the PIN is right");
    let before = session.key(Snapshot::of(suite).key.id).expect("the key is here");
    line.show(&session, how, &changed);
    drop((session, store));

    let store = KeyStore::open_in(storage).expect("no certificate leaves a token that does not open");
    let session = store.login(&pin()).expect("the PIN is right");
    whole(&store, &session);
    let after = session.key(before.id).expect("the key is still here");
    assert_eq!(after.group_key, before.group_key);
    if signers != Signers::Both {
        line.is_kept(&before, &after);
    }
}

/// The certificate with other bytes, or with another plan or another part of its transcript that these have signed.
fn changed(certificate: &Certificate, signers: Signers, mut bytes: &[u8]) -> Option<Certificate> {
    let (kind, at) = (choice(&mut bytes), place(&mut bytes));
    let change = |content: &mut Vec<u8>| edit(content, kind >> 1, at, bytes);
    let in_the_plan =
        |plan: &mut Vec<u8>, extension: &mut Vec<u8>| change(if kind & 1 == 0 { plan } else { extension });
    let (honest, liar) = (forger(1), forger(2));
    match signers {
        Signers::Nobody => {
            let mut content = certificate.to_bytes();
            change(&mut content);
            Certificate::from_bytes(&content).ok()
        }
        Signers::Liar { with_the_old_one } => {
            let mut made = Forger::rewritten(&[(id(2), &liar)], certificate, in_the_plan)?;
            if let Some(endorsement) = certificate.endorsement(id(1)).filter(|_| with_the_old_one) {
                made.endorse(id(1), endorsement.clone());
            }
            Some(made)
        }
        Signers::Both => Forger::rewritten(&[(id(1), &honest), (id(2), &liar)], certificate, in_the_plan),
    }
}

impl Line {
    /// Alone, or among the genuine ones.
    fn show(&self, session: &Session, how: u8, changed: &Certificate) {
        let [making, renewal] = &self.genuine;
        let shown = match how % 5 {
            0 => session.complete(changed),
            1 => session.catch_up(&[making.clone(), changed.clone()]),
            2 => session.catch_up(&[making.clone(), renewal.clone(), changed.clone()]),
            3 => session.catch_up(&[changed.clone(), renewal.clone()]),
            _ => session.complete(changed).and_then(|_| session.complete(changed)),
        };
        assert!(!matches!(shown, Err(Error::Storage(_) | Error::Audit(_))), "{shown:?}");
    }

    /// What nobody but the liar has signed changes nothing: the key goes on as its certificates say.
    fn is_kept(&self, before: &KeyInfo, after: &KeyInfo) {
        assert!(self.genuine.iter().any(|genuine| genuine.epoch_id() == after.epoch));
        assert!(after.forks.is_empty());
        if after.epoch == before.epoch {
            assert_eq!((&after.pending, after.state), (&before.pending, before.state));
        }
    }
}
