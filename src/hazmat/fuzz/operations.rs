//! A token after any calls in any order: what it was told holds, and its log shows it.

use super::pair::{MESSAGE, Shared, Snapshot, ids, officer_pin, pin};
use super::{choice, one_of};
use crate::audit::{self, Head};
use crate::keystore::{Error, Filter, KeyState, KeyStore, OfficerSession, Pin, Restriction, Session};
use crate::suite::Suite;
use crate::wire::{Export, KeyId, Operations};
use crate::wrap::{Identity, Recipient, SecretKey, WrappedShare};

/// What must be true of the token.
struct Known {
    exports: bool,
    signs: bool,
    /// Which of two PINs is the user's.
    pin: bool,
    /// Wrong tries of the user since it last logged in.
    tries: u8,
}

struct Sequence {
    storage: Shared,
    store: KeyStore,
    session: Option<Session>,
    officer: Option<OfficerSession>,
    backup: Option<WrappedShare>,
    key: KeyId,
    destroyed: bool,
    known: Known,
}

/// Each byte is a call.
pub(super) fn operations(mut bytes: &[u8]) {
    let snapshot = Snapshot::of(*one_of(&Suite::ALL, choice(&mut bytes)));
    let storage = snapshot.honest();
    let mut sequence = Sequence {
        store: open(&storage),
        storage,
        session: None,
        officer: None,
        backup: None,
        key: snapshot.key.id,
        destroyed: false,
        known: Known { exports: true, signs: true, pin: false, tries: 0 },
    };
    for call in bytes.iter().take(64) {
        sequence.call(*call);
        sequence.check();
    }
}

fn open(storage: &Shared) -> KeyStore {
    KeyStore::open_in(storage.clone()).expect("every call leaves a token that opens")
}

fn key() -> SecretKey {
    SecretKey::from_bytes(&[3; 32]).expect("32 bytes are a key")
}

fn user_pin(other: bool) -> Pin {
    if other { Pin::new("other words").expect("words are a PIN") } else { pin() }
}

impl Sequence {
    fn call(&mut self, call: u8) {
        match call % 16 {
            0 => self.login(call & 16 != 0),
            1 => self.officer = self.store.login_so(&officer_pin()).ok().or(self.officer.take()),
            2 => drop(self.session.take()),
            3 => drop(self.officer.take()),
            4 => self.reopen(),
            5 => self.set_pin(call & 16 != 0),
            6 => self.officer_sets_pin(call & 16 != 0),
            7 => self.restrict(Restriction { export: Some(Export::Never), operations: None }),
            8 => self.restrict(Restriction { export: None, operations: Some(Operations::NONE) }),
            9 => self.restrict(Restriction { export: Some(Export::Wrapped), operations: Some(Operations::ALL) }),
            10 => self.destroy(),
            11 => self.export(),
            12 => self.restore(),
            13 => self.sign(),
            14 => self.refresh(),
            _ => self.officer_looks(),
        }
    }

    fn login(&mut self, other: bool) {
        let right = other == self.known.pin;
        match self.store.login(&user_pin(other)) {
            Ok(session) => {
                assert!(right && self.known.tries < 10);
                self.session = Some(session);
                self.known.tries = 0;
            }
            Err(Error::Locked) => assert!(self.known.tries >= 9 && !right || self.known.tries >= 10),
            Err(Error::Login { .. }) => assert!(!right),
            // A PIN is right, wrong, or locked: the token has no fourth answer.
            Err(error) => panic!("a login failed: {error}"),
        }
        if !right {
            self.known.tries = self.known.tries.saturating_add(1).min(10);
        }
    }

    fn reopen(&mut self) {
        (self.session, self.officer) = (None, None);
        self.store = open(&self.storage);
    }

    fn set_pin(&mut self, other: bool) {
        let Some(session) = &self.session else { return };
        session.set_pin(&user_pin(other)).expect("a user sets its PIN");
        (self.known.pin, self.known.tries) = (other, 0);
    }

    fn officer_sets_pin(&mut self, other: bool) {
        let Some(officer) = &self.officer else { return };
        officer.set_user_pin(&user_pin(other)).expect("an officer sets the user's PIN");
        (self.known.pin, self.known.tries) = (other, 0);
    }

    fn restrict(&mut self, change: Restriction) {
        let Some(session) = &self.session else { return };
        let widens = change.operations == Some(Operations::ALL);
        let result = session.restrict(self.key, &change);
        if self.destroyed {
            assert!(matches!(result, Err(Error::NotFound(_))));
        } else if widens && !(self.known.exports && self.known.signs) {
            assert!(matches!(result, Err(Error::Misuse(_))));
        } else {
            result.expect("a restriction that tightens, or changes nothing");
            self.known.exports &= change.export != Some(Export::Never);
            self.known.signs &= change.operations != Some(Operations::NONE);
        }
    }

    fn destroy(&mut self) {
        let Some(session) = &self.session else { return };
        assert_eq!(session.destroy(self.key).is_ok(), !self.destroyed);
        self.destroyed = true;
    }

    fn export(&mut self) {
        let Some(session) = &self.session else { return };
        match session.export(self.key, &Recipient::X25519(key().public_key())) {
            Ok(backup) => {
                assert!(self.known.exports && !self.destroyed);
                self.backup = Some(backup);
            }
            Err(Error::NotFound(_)) => assert!(self.destroyed),
            Err(Error::Denied(_)) => assert!(!self.known.exports),
            // The key is there and may leave, or not: nothing else can stop an export in memory.
            Err(error) => panic!("an export failed: {error}"),
        }
    }

    /// A key that was destroyed does not come back by itself, nor beside itself.
    fn restore(&mut self) {
        let (Some(session), Some(backup)) = (&self.session, &self.backup) else { return };
        match session.restore(backup, &Identity::X25519(key())) {
            Ok(info) => {
                assert!(self.destroyed && info.state == KeyState::Restored);
                // What it may do is the template's again; what it does is denied until it is renewed.
                self.known = Known { exports: true, signs: true, ..self.known };
                self.destroyed = false;
            }
            Err(Error::Exists(_)) => assert!(!self.destroyed),
            Err(error) => assert!(self.destroyed, "a restore failed: {error}"),
        }
    }

    fn sign(&self) {
        let Some(session) = &self.session else { return };
        let Ok(invitation) = session.invite_sign(self.key, &ids(), MESSAGE) else { return };
        if session.start_sign(&invitation, MESSAGE).is_ok() {
            assert!(self.known.signs && !self.destroyed);
        }
    }

    fn refresh(&self) {
        let Some(session) = &self.session else { return };
        let Ok(invitation) = session.invite_refresh(self.key, Vec::new()) else { return };
        if session.start(&invitation).is_ok() {
            assert!(!self.destroyed);
        }
    }

    fn officer_looks(&self) {
        let Some(officer) = &self.officer else { return };
        let keys = officer.find(&Filter::default()).expect("an officer may look");
        assert_eq!(keys.is_empty(), self.destroyed);
    }

    /// The log is whole, and the key is there unless it was destroyed.
    fn check(&self) {
        let Some(session) = &self.session else { return };
        let keys = session.find(&Filter::default()).expect("a user may look");
        assert_eq!(keys.is_empty(), self.destroyed);
        let records = session.audit(None, usize::MAX).expect("the log can be read");
        let token = self.store.info().expect("a token says its name").id;
        audit::follow(&records, &Head::genesis(&token)).expect("the log is whole");
    }
}
