//! Each step of a token's life, with each call of its storage failing once: reads as well as changes.

use std::sync::Arc;

use quorumkey::audit::{Head, follow};
use quorumkey::hazmat::{Shared, subject};
use quorumkey::wrap::{Identity, SecretKey, WrappedShare};
use quorumkey::{
    Certificate, Derivation, Entry, Error, Export, Filter, KeyId, KeyState, KeyStore, Leaving, MemoryStorage, NewCard,
    Pin, Protocol, Reason, Reshare, Restore, Restriction, Result, Run, Session, Storage, StorageError, Suite,
};

use super::failing::{Failing, Failure};
use super::storage::claimed;
use crate::common::{Member, deal, dkg, dkg_invitation, exchange_over, id, init, officer_pin, refresh, user_pin};

/// What the members' tokens hold before a step; the first one's storage will fail.
struct Scene {
    tokens: Vec<Vec<Entry>>,
    key: Option<KeyId>,
    backup: Option<WrappedShare>,
    certificates: Vec<Certificate>,
}

/// The members within the step.
struct Stage<'a> {
    scene: &'a Scene,
    store: KeyStore,
    sessions: Vec<Session>,
}

impl Stage<'_> {
    fn one(&self) -> &Session {
        &self.sessions[0]
    }

    /// With the first member's token closed, and opened again over these bytes.
    fn reopened(mut self, storage: impl Storage + 'static) -> Self {
        drop((self.sessions.remove(0), self.store));
        let store = KeyStore::open_in(storage).unwrap();
        self.sessions.insert(0, log_in(&store));
        Self { store, ..self }
    }

    fn key(&self) -> KeyId {
        self.scene.key.unwrap()
    }

    fn state(&self) -> KeyState {
        self.one().key(self.key()).unwrap().state
    }
}

/// A step, and what has come of it in the end.
struct Step {
    name: &'static str,
    scene: fn() -> Scene,
    act: fn(&Stage<'_>) -> Result<()>,
    done: fn(&Stage<'_>),
}

const STEPS: [Step; 14] = [
    Step { name: "a login", scene: with_a_key, act: |stage| stage.store.login(&user_pin())?.logout(), done: signs },
    Step { name: "a look", scene: with_a_key, act: look, done: signs },
    Step { name: "a new key", scene: without_a_key, act: make, done: |stage| sign_with(stage, active(stage)) },
    Step { name: "a signature", scene: with_a_key, act: sign, done: signs },
    Step { name: "nonces made beforehand", scene: with_a_key, act: preprocess, done: signs },
    Step { name: "a refresh", scene: with_a_key, act: renew, done: signs },
    Step { name: "a repair of another member", scene: with_a_lost_member, act: repair, done: signs_repaired },
    Step { name: "a repair of this member", scene: as_a_lost_member, act: repair, done: signs_repaired },
    Step { name: "an export", scene: with_a_key, act: export, done: signs },
    Step { name: "a restriction", scene: with_a_key, act: restrict, done: exports_nothing },
    Step { name: "a new PIN", scene: with_a_key, act: |stage| stage.one().set_pin(&new_pin()), done: has_the_new_pin },
    Step { name: "a certificate that was missed", scene: behind, act: complete, done: signs },
    Step { name: "a chain that was missed", scene: away, act: catch_up, done: is_retired },
    Step { name: "a restored share", scene: restored, act: restore, done: is_restored },
];

/// It leaves no key to do anything with.
const LAST: Step = Step { name: "a destruction", scene: with_a_key, act: destroy, done: is_destroyed };

/// Lets each call of that kind of one step fail. How many there are.
fn each_call_fails(step: &Step, failure: Failure, reopens: bool) -> u32 {
    let scene = (step.scene)();
    (1..10_000).find(|k| !survives(step, &scene, failure, *k, reopens)).unwrap() - 1
}

/// One try in which the k-th call fails. `false` when there are fewer.
fn survives(step: &Step, scene: &Scene, failure: Failure, k: u32, reopens: bool) -> bool {
    let storage = Failing::new(&scene.tokens[0], failure);
    let others = scene.tokens[1..].iter().map(|token| log_in(&KeyStore::open_in(MemoryStorage::new(token)).unwrap()));
    let store = KeyStore::open_in(storage.clone()).unwrap();
    let sessions = std::iter::once(log_in(&store)).chain(others).collect();
    let mut stage = Stage { scene, store, sessions };
    storage.arm(k);
    let result = (step.act)(&stage);
    let reached = storage.disarm();
    let at = format!("{}, {failure:?} {k}", step.name);
    assert_eq!(result.is_err(), reached, "{at}: {result:?}");
    if let Err(error) = result {
        assert!(matches!(error, Error::Storage(StorageError::Io(_))) && error.retryable(), "{at}: {error:?}");
    }
    // The same session goes on once the storage answers, also when all was sealed under another key, and so does one that is
    // opened afresh.
    if reopens {
        stage = stage.reopened(Shared(Arc::clone(&storage.inner)));
    }
    if reached {
        let again = make_up(step, &stage);
        assert!(again.is_ok(), "{at}, again: {again:?}");
    }
    (step.done)(&stage);
    check_log(&stage.reopened(Shared(storage.inner)));
    reached
}

/// With whichever PIN it has.
fn log_in(store: &KeyStore) -> Session {
    store.login(&user_pin()).or_else(|_| store.login(&new_pin())).unwrap()
}

/// Does the step again, unless it turns out to have been done.
fn make_up(step: &Step, stage: &Stage<'_>) -> Result<()> {
    settle(&stage.sessions);
    match (step.act)(stage) {
        Err(Error::Exists(key) | Error::NotFound(key)) if Some(key) == stage.scene.key => Ok(()),
        other => other,
    }
}

/// Each tells the others what they lack.
fn settle(sessions: &[Session]) {
    for from in sessions {
        for key in from.find(&Filter::default()).unwrap() {
            let chain = from.certificates(key.id).unwrap_or_default();
            for to in sessions.iter().filter(|to| to.key(key.id).is_ok()) {
                for certificate in &chain {
                    to.complete(certificate).unwrap();
                }
            }
        }
    }
}

fn check_log(stage: &Stage<'_>) {
    let log = stage.one().audit(None, 100_000).unwrap();
    follow(&log, &Head::genesis(&stage.store.info().unwrap().id)).unwrap();
    claimed(stage.one());
}

/// All talk to the end. The first one's failure is returned, and it says nothing after it.
fn talk<P: Protocol>(mut runs: Vec<Run<P>>) -> Result<(Vec<Run<P>>, P::Output)> {
    loop {
        let mut said = Vec::new();
        for (from, run) in runs.iter_mut().enumerate() {
            said.extend(core::iter::from_fn(|| run.poll_transmit()).map(|message| (from, message)));
        }
        if said.is_empty() {
            let output = runs[0].poll_output().expect("a run that says no more has ended");
            return Ok((runs, output));
        }
        for (from, message) in said {
            for to in (0..runs.len()).filter(|to| *to != from) {
                match runs[to].handle(&message) {
                    Ok(()) | Err(Error::Rejected(_)) => {}
                    Err(error) => {
                        assert!(to == 0 && runs[0].poll_transmit().is_none(), "something left after {error}");
                        return Err(error);
                    }
                }
            }
        }
    }
}

fn both() -> [quorumkey::Identifier; 2] {
    [id(1), id(2)]
}

fn look(stage: &Stage<'_>) -> Result<()> {
    let (one, key) = (stage.one(), stage.key());
    assert_eq!(one.find(&Filter::default())?.len(), 1);
    assert_eq!(one.certificates(key)?.len(), 1);
    assert_eq!(one.certificate(key)?.epoch_id(), one.key(key)?.epoch);
    assert_eq!(one.audit(None, 3)?.len(), 3);
    let officer = stage.store.login_so(&officer_pin())?;
    assert_eq!(officer.card()?, one.card()?);
    officer.logout()
}

fn make(stage: &Stage<'_>) -> Result<()> {
    let cards = stage.sessions.iter().map(Session::card).collect::<Result<Vec<_>>>()?;
    let members = quorumkey::Roster::numbered(cards).unwrap();
    let template = quorumkey::KeyTemplate::wallet("a wallet");
    let plan = quorumkey::Dkg { suite: Suite::Ed25519, threshold: 2, members, template };
    start_all(stage, &stage.one().invite(plan)?)
}

fn start_all(stage: &Stage<'_>, invitation: &quorumkey::Invitation) -> Result<()> {
    let runs = stage.sessions.iter().map(|session| session.start(invitation)).collect::<Result<_>>()?;
    talk(runs).map(drop)
}

fn sign(stage: &Stage<'_>) -> Result<()> {
    let invitation = stage.one().invite_sign(stage.key(), &both(), b"m")?;
    let runs = stage.sessions.iter().map(|session| session.start_sign(&invitation, b"m")).collect::<Result<_>>()?;
    talk(runs).map(drop)
}

fn preprocess(stage: &Stage<'_>) -> Result<()> {
    let invitation = stage.one().invite_preprocess(stage.key(), &both(), 2)?;
    let runs = stage.sessions.iter().map(|session| session.start_preprocess(&invitation)).collect::<Result<_>>()?;
    let (_kept, batch) = talk(runs)?;
    let invitation = stage.one().invite_sign_prepared(&batch, &both(), b"m", &Derivation::default())?;
    let runs = stage.sessions.iter().map(|session| session.start_sign(&invitation, b"m")).collect::<Result<_>>()?;
    talk(runs).map(drop)
}

/// In the first attempt that both enter.
fn renew(stage: &Stage<'_>) -> Result<()> {
    let mut attempt = 0;
    loop {
        let invitation = stage.one().invite_refresh_from(stage.key(), Vec::new(), attempt)?;
        match start_all(stage, &invitation) {
            Err(Error::Denied(quorumkey::Denial::AttemptTooLow { least })) => attempt = least,
            other => return other,
        }
    }
}

/// Whoever holds the key helps whoever does not, the third member.
fn repair(stage: &Stage<'_>) -> Result<()> {
    let has_key = |session: &&Session| session.key(stage.key()).is_ok_and(|key| key.identifier != id(3));
    // The last one's storage does not fail, so that nothing is asked of the first one but its part.
    let inviter = stage.sessions.iter().rfind(has_key).unwrap();
    let target = stage.sessions[stage.scene.target()].card()?;
    let card = NewCard { identifier: id(3), card: target, reason: Reason::Destroyed };
    start_all(stage, &inviter.invite_repair(stage.key(), card, &both())?)
}

fn export(stage: &Stage<'_>) -> Result<()> {
    stage.one().export(stage.key(), &sheet().recipient()).map(drop)
}

fn restrict(stage: &Stage<'_>) -> Result<()> {
    stage.one().restrict(stage.key(), &Restriction { operations: None, export: Some(Export::Never) })
}

fn complete(stage: &Stage<'_>) -> Result<()> {
    stage.one().complete(stage.scene.certificates.last().unwrap()).map(drop)
}

fn catch_up(stage: &Stage<'_>) -> Result<()> {
    stage.one().catch_up(&stage.scene.certificates).map(drop)
}

fn restore(stage: &Stage<'_>) -> Result<()> {
    stage.one().restore(stage.scene.backup.as_ref().unwrap(), &Identity::X25519(sheet())).map(drop)
}

fn destroy(stage: &Stage<'_>) -> Result<()> {
    stage.one().destroy(stage.key())
}

fn active(stage: &Stage<'_>) -> KeyId {
    let filter = Filter { state: Some(KeyState::Active), ..Filter::default() };
    stage.one().find(&filter).unwrap().last().unwrap().id
}

fn signs(stage: &Stage<'_>) {
    sign_with(stage, stage.key());
}

fn sign_with(stage: &Stage<'_>, key: KeyId) {
    let invitation = stage.sessions[1].invite_sign(key, &both(), b"afterwards").unwrap();
    let start = |session: &Session| session.start_sign(&invitation, b"afterwards").unwrap();
    let (_, signature) = talk(stage.sessions.iter().map(start).collect()).unwrap();
    stage.one().key(key).unwrap().verifying_key.verify(b"afterwards", &signature).unwrap();
}

/// The member that was helped signs with one that helped.
fn signs_repaired(stage: &Stage<'_>) {
    let target = stage.scene.target();
    let helper = (target + 1) % 3;
    let number = stage.sessions[helper].key(stage.key()).unwrap().identifier;
    let invitation = stage.sessions[helper].invite_sign(stage.key(), &[number, id(3)], b"m").unwrap();
    let start = |at: usize| stage.sessions[at].start_sign(&invitation, b"m").unwrap();
    talk(vec![start(target), start(helper)]).unwrap();
}

fn exports_nothing(stage: &Stage<'_>) {
    assert!(matches!(export(stage), Err(Error::Denied(quorumkey::Denial::Export))));
}

fn has_the_new_pin(stage: &Stage<'_>) {
    stage.store.login(&new_pin()).unwrap();
    assert!(stage.store.login(&user_pin()).is_err());
}

fn is_retired(stage: &Stage<'_>) {
    assert_eq!((stage.state(), stage.one().key(stage.key()).unwrap().height), (KeyState::Retired, 2));
}

fn is_restored(stage: &Stage<'_>) {
    assert_eq!(stage.state(), KeyState::Restored);
}

fn is_destroyed(stage: &Stage<'_>) {
    let gone = Filter { state: Some(KeyState::Destroyed), ..Filter::default() };
    assert_eq!(stage.one().find(&gone).unwrap().len(), 1);
    assert!(stage.one().find(&Filter::default()).unwrap().is_empty());
}

fn new_pin() -> Pin {
    Pin::new("other words").unwrap()
}

fn sheet() -> SecretKey {
    SecretKey::from_bytes(&[5; 32]).unwrap()
}

/// A member whose token can be looked into.
fn member(name: &str) -> (Arc<MemoryStorage>, Member) {
    let mut kept = None;
    let storage = |contents: &[Entry]| {
        let storage = Shared(Arc::new(MemoryStorage::new(contents)));
        kept = Some(Arc::clone(&storage.0));
        Ok(storage)
    };
    let member = Member::new(KeyStore::create_in(storage, &init(name)).unwrap());
    (kept.unwrap(), member)
}

fn members(count: usize) -> (Vec<Arc<MemoryStorage>>, Vec<Member>) {
    (0..count).map(|number| member(&format!("member {number}"))).unzip()
}

impl Scene {
    fn of(tokens: &[Arc<MemoryStorage>], key: Option<KeyId>) -> Self {
        let tokens = tokens.iter().map(|token| token.scan(&[], None, usize::MAX).unwrap()).collect();
        Self { tokens, key, backup: None, certificates: Vec::new() }
    }

    /// The place of the member that is helped, whose token is the smallest.
    fn target(&self) -> usize {
        (0..self.tokens.len()).min_by_key(|at| self.tokens[*at].len()).unwrap()
    }
}

fn without_a_key() -> Scene {
    Scene::of(&members(2).0, None)
}

fn with_a_key() -> Scene {
    let (tokens, members) = members(2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    Scene::of(&tokens, Some(key))
}

/// The third member's token is a new one.
fn with_a_lost_member() -> Scene {
    let (mut tokens, members) = members(3);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    tokens[2] = member("anew").0;
    Scene::of(&tokens, Some(key))
}

/// The same, seen from the new token.
fn as_a_lost_member() -> Scene {
    let mut scene = with_a_lost_member();
    scene.tokens.rotate_right(1);
    scene
}

/// The first member has not heard of the end of a refresh.
fn behind() -> Scene {
    let (tokens, members) = members(2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    exchange_over(&mut runs, &mut |_, to, message| {
        if to == 0 && subject(&message) == "certify" { Vec::new() } else { vec![message] }
    });
    drop(runs);
    Scene { certificates: members[1].session.certificates(key).unwrap(), ..Scene::of(&tokens, Some(key)) }
}

/// The others have gone on without this member.
fn away() -> Scene {
    let (mut tokens, members) = members(3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let leaving = vec![Leaving { identifier: id(3), reason: Reason::Lost }];
    let without = Reshare { members: key.roster.without(id(3)).unwrap(), leaving, ..Reshare::of(&key) };
    deal(&members[..2], &members[0].session.invite_reshare(key.id, without).unwrap());
    refresh(&members[..2], key.id);
    tokens.rotate_right(1);
    Scene { certificates: members[0].session.certificates(key.id).unwrap(), ..Scene::of(&tokens[..1], Some(key.id)) }
}

/// The first member's device is lost, and its identity restored.
fn restored() -> Scene {
    let (_, members) = members(2);
    let key = deal(&members, &dkg_invitation(&members, Suite::Ed25519, 2)).id;
    let to = sheet().recipient();
    let identity = members[0].session.export_identity(&to).unwrap();
    let backup = members[0].session.export(key, &to).unwrap();
    let mut kept = None;
    let storage = |contents: &[Entry]| {
        let storage = Shared(Arc::new(MemoryStorage::new(contents)));
        kept = Some(Arc::clone(&storage.0));
        Ok(storage)
    };
    let with = Identity::X25519(sheet());
    let from = Restore { init: &init("restored"), identity: &identity, with: &with, incarnation: 0 };
    drop(KeyStore::restore_in(storage, &from).unwrap());
    Scene { backup: Some(backup), ..Scene::of(&[kept.unwrap()], Some(key)) }
}

/// Lets every call of that kind fail in every step. The same handle goes on afterwards, and one that is opened anew.
fn every_call_fails(failure: Failure, least: u32) {
    let mut calls = 0;
    for step in STEPS.iter().chain([&LAST]) {
        let counted = each_call_fails(step, failure, false);
        // A read that fails leaves nothing behind that a new handle could find.
        if failure != Failure::Read {
            assert_eq!(each_call_fails(step, failure, true), counted, "{}", step.name);
        }
        assert!(counted > 0 || failure != Failure::Read, "{} reads nothing", step.name);
        calls += counted;
    }
    println!("{failure:?}: {calls} calls failed");
    assert!(calls >= least, "there are more calls than {calls} in these steps");
}

#[test]
fn a_read_that_fails_fails_its_step_and_is_never_taken_for_an_absence() {
    every_call_fails(Failure::Read, 100);
}

#[test]
fn a_change_that_fails_fails_its_step_whichever_it_is() {
    every_call_fails(Failure::Change, 30);
}

#[test]
fn a_change_that_was_made_and_reported_as_failed_is_no_harm_in_any_step() {
    every_call_fails(Failure::ChangeMade, 30);
}
