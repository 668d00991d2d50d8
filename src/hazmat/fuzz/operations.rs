//! A token after any calls in any order: what it was told holds, and its log shows it.

mod proposed;

use super::certificates::Line;
use super::pair::{Shared, Snapshot, forger, id, officer_pin, pin, whole};
use super::{choice, one_of};
use crate::keystore::{
    Declaration, Error, Filter, KeyInfo, KeyState, KeyStore, OfficerSession, Pin, Restriction, Result, Session,
};
use crate::suite::Suite;
use crate::wire::{Card, Export, Invitation, KeyId, Operations};
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
    suite: Suite,
    storage: Shared,
    store: KeyStore,
    session: Option<Session>,
    officer: Option<OfficerSession>,
    backup: Option<WrappedShare>,
    invitation: Option<Invitation>,
    key: KeyId,
    destroyed: bool,
    /// The token itself.
    gone: bool,
    known: Known,
}

/// The first byte is the suite and what the token has been through, each other one a call.
pub(super) fn operations(mut bytes: &[u8]) {
    let first = choice(&mut bytes);
    let suite = *one_of(&Suite::ALL, first);
    let storage = Line::of(suite).token(first / 3);
    let mut sequence = Sequence {
        suite,
        store: open(&storage),
        storage,
        session: None,
        officer: None,
        backup: None,
        invitation: None,
        key: Snapshot::of(suite).key.id,
        destroyed: false,
        gone: false,
        known: Known { exports: true, signs: true, pin: false, tries: 0 },
    };
    for call in bytes.iter().take(64) {
        sequence.call(call % 32, call / 32);
        if sequence.gone {
            return sequence.is_gone();
        }
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
    fn call(&mut self, call: u8, how: u8) {
        let other = how % 2 == 1;
        match call {
            0 => self.login(other),
            1 => self.officer = self.store.login_so(&officer_pin()).ok().or(self.officer.take()),
            2 => drop(self.session.take()),
            3 => drop(self.officer.take()),
            4 => self.reopen(),
            5 => self.set_pin(other),
            6 => self.officer_sets_pin(other),
            7 => self.restrict(Restriction { export: Some(Export::Never), operations: None }),
            8 => self.restrict(Restriction { export: None, operations: Some(Operations::NONE) }),
            9 => self.restrict(Restriction { export: Some(Export::Wrapped), operations: Some(Operations::ALL) }),
            10 => self.destroy(),
            11 => self.export(),
            12 => self.restore(),
            13 => self.officer_looks(),
            14 => self.complete(how),
            15 => self.abandon(how),
            16 => self.export_identity(),
            17 => self.override_fork_rules(),
            18 => self.pardon(),
            19 => self.declare(how),
            20 => self.destroy_token(how),
            proposal => self.propose(proposal - 21, how),
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
            // Who was away while the others went on has none that counts.
            Err(Error::Misuse(_)) => assert!(self.info().is_some_and(|key| key.state == KeyState::Retired)),
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

    fn officer_looks(&self) {
        let Some(officer) = &self.officer else { return };
        let keys = officer.find(&Filter::default()).expect("an officer may look");
        assert_eq!(keys.is_empty(), self.destroyed);
    }

    /// What the members have certified while this one was there, or away.
    fn complete(&self, how: u8) {
        let Some(session) = &self.session else { return };
        let before = self.info();
        let certificate = Line::of(self.suite).certificate(how);
        match (in_order(session.complete(certificate)), before) {
            (Some(after), Some(before)) => assert!(after.height >= before.height),
            (Some(_), None) => panic!("there is no key"),
            _ => {}
        }
    }

    fn abandon(&self, how: u8) {
        let Some(session) = &self.session else { return };
        let attempt = Line::of(self.suite).certificate(how).epoch_id();
        let pending = self.info().is_some_and(|key| key.pending.contains(&attempt));
        assert_eq!(in_order(session.abandon(self.key, attempt)).is_some(), pending);
    }

    fn export_identity(&self) {
        let Some(session) = &self.session else { return };
        session.export_identity(&Recipient::X25519(key().public_key())).expect("an identity can be exported");
    }

    fn override_fork_rules(&self) {
        let (Some(officer), Some(invitation)) = (&self.officer, &self.invitation) else { return };
        in_order(officer.override_fork_rules(invitation));
    }

    fn pardon(&self) {
        let Some(officer) = &self.officer else { return };
        officer.pardon(&card(2)).expect("anybody can be pardoned");
    }

    fn declare(&self, how: u8) {
        let Some(officer) = &self.officer else { return };
        let (epoch, identifier) = (Line::of(self.suite).certificate(how).epoch_id(), id(1 + u16::from(how / 2 % 2)));
        let declaration = match how / 4 {
            0 => Declaration::BackupsDestroyed { epoch, identifier },
            _ => Declaration::DeviceDestroyed { epoch, identifier },
        };
        if in_order(officer.declare(self.key, &declaration)).is_some() {
            assert!(!self.destroyed);
        }
    }

    /// Rarely: nothing comes after it.
    fn destroy_token(&mut self, how: u8) {
        if how != 7 {
            return;
        }
        let Some(officer) = self.officer.take() else { return };
        officer.destroy_token().expect("memory can be emptied");
        self.gone = true;
    }

    fn is_gone(&self) {
        assert!(self.session.as_ref().is_none_or(|session| session.find(&Filter::default()).is_err()));
        assert!(self.store.login(&user_pin(self.known.pin)).is_err());
        assert!(KeyStore::open_in(self.storage.clone()).is_err());
    }

    /// What a user is told of the key.
    fn info(&self) -> Option<KeyInfo> {
        self.session.as_ref()?.key(self.key).ok()
    }

    /// The log is whole, and the key is there unless it was destroyed.
    fn check(&self) {
        let Some(session) = &self.session else { return };
        let keys = session.find(&Filter::default()).expect("a user may look");
        assert_eq!(keys.is_empty(), self.destroyed);
        whole(&self.store, session);
    }
}

/// Nothing that a user or an officer calls breaks the storage.
fn in_order<T>(result: Result<T>) -> Option<T> {
    assert!(!matches!(result, Err(Error::Storage(_) | Error::Audit(_))), "{:?}", result.err());
    result.ok()
}

/// A member's card.
fn card(number: u16) -> Card {
    forger(number).card("fuzzed", 0)
}
