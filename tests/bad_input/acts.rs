//! The steps of a token's life, and what has come of them.

use quorumkey::hazmat::subject;
use quorumkey::wrap::{Identity, SecretKey};
use quorumkey::{
    Declaration, Denial, Derivation, Dkg, Error, Export, Filter, Import, ImportedKey, Invitation, KeyId, KeyState,
    KeyStore, KeyTemplate, Leaving, NewCard, Pin, Protocol, Reason, Reshare, Restriction, Result, Roster, Run, Session,
    Storage, Suite,
};

use super::scenes::Scene;
use crate::common::{id, officer_pin, user_pin};

/// The members within the step.
pub(super) struct Stage<'a> {
    pub(super) scene: &'a Scene,
    pub(super) stores: Vec<KeyStore>,
    pub(super) sessions: Vec<Session>,
}

impl Stage<'_> {
    pub(super) fn one(&self) -> &Session {
        &self.sessions[0]
    }

    pub(super) fn store(&self) -> &KeyStore {
        &self.stores[0]
    }

    /// With the first member's token closed, and opened again over these bytes.
    pub(super) fn reopened(mut self, storage: impl Storage + 'static) -> Self {
        drop((self.sessions.remove(0), self.stores.remove(0)));
        self.stores.insert(0, KeyStore::open_in(storage).unwrap());
        self.sessions.insert(0, log_in(self.store()));
        self
    }

    pub(super) fn key(&self) -> KeyId {
        self.scene.key.unwrap()
    }

    pub(super) fn state(&self) -> KeyState {
        self.one().key(self.key()).unwrap().state
    }
}

/// With whichever PIN it has.
pub(super) fn log_in(store: &KeyStore) -> Session {
    store.login(&user_pin()).or_else(|_| store.login(&new_pin())).unwrap()
}

/// All talk to the end. The first one's failure is returned, and it says nothing after it.
pub(super) fn talk<P: Protocol>(mut runs: Vec<Run<P>>) -> Result<(Vec<Run<P>>, P::Output)> {
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
                        // But what it has erased is so, whatever it can't write of the others.
                        let left =
                            core::iter::from_fn(|| runs[0].poll_transmit()).filter(|said| subject(said) != "confirm");
                        assert_eq!((to, left.count()), (0, 0), "something left after {error}");
                        return Err(error);
                    }
                }
            }
        }
    }
}

pub(super) fn both() -> [quorumkey::Identifier; 2] {
    [id(1), id(2)]
}

pub(super) fn look(stage: &Stage<'_>) -> Result<()> {
    let (one, key) = (stage.one(), stage.key());
    assert_eq!(one.find(&Filter::default())?.len(), 1);
    assert_eq!(one.certificates(key)?.len(), 1);
    assert_eq!(one.certificate(key)?.epoch_id(), one.key(key)?.epoch);
    assert_eq!(one.audit(None, 3)?.len(), 3);
    stage.store().info()?;
    let officer = stage.store().login_so(&officer_pin())?;
    assert_eq!(officer.card()?, one.card()?);
    officer.logout()
}

pub(super) fn make(stage: &Stage<'_>) -> Result<()> {
    let members = cards(stage)?;
    let template = KeyTemplate::wallet("a wallet");
    let plan = Dkg { suite: Suite::Ed25519, threshold: 2, members, template };
    start_all(stage, &stage.one().invite(plan)?)
}

pub(super) fn start_all(stage: &Stage<'_>, invitation: &Invitation) -> Result<()> {
    let runs = stage.sessions.iter().map(|session| session.start(invitation)).collect::<Result<_>>()?;
    talk(runs).map(drop)
}

pub(super) fn sign(stage: &Stage<'_>) -> Result<()> {
    let invitation = stage.one().invite_sign(stage.key(), &both(), b"m")?;
    let runs = stage.sessions.iter().map(|session| session.start_sign(&invitation, b"m")).collect::<Result<_>>()?;
    talk(runs).map(drop)
}

pub(super) fn preprocess(stage: &Stage<'_>) -> Result<()> {
    let invitation = stage.one().invite_preprocess(stage.key(), &both(), 2)?;
    let runs = stage.sessions.iter().map(|session| session.start_preprocess(&invitation)).collect::<Result<_>>()?;
    let (_kept, batch) = talk(runs)?;
    let invitation = stage.one().invite_sign_prepared(&batch, &both(), b"m", &Derivation::default())?;
    let runs = stage.sessions.iter().map(|session| session.start_sign(&invitation, b"m")).collect::<Result<_>>()?;
    talk(runs).map(drop)
}

/// In the first attempt that all enter.
fn try_each(attempt: impl Fn(u32) -> Result<()>) -> Result<()> {
    let mut number = 0;
    loop {
        match attempt(number) {
            Err(Error::Denied(Denial::AttemptTooLow { least })) => number = least,
            other => return other,
        }
    }
}

pub(super) fn renew(stage: &Stage<'_>) -> Result<()> {
    try_each(|attempt| start_all(stage, &stage.one().invite_refresh_from(stage.key(), Vec::new(), attempt)?))
}

/// Without the third member, which is lost.
pub(super) fn reshare(stage: &Stage<'_>) -> Result<()> {
    try_each(|least_attempt| {
        let now = stage.one().key(stage.key())?;
        let members = if now.roster.len() == 3 { now.roster.without(id(3)).unwrap() } else { now.roster.clone() };
        let leaving = now.roster.identifiers().filter(|number| *number == id(3));
        let leaving = leaving.map(|identifier| Leaving { identifier, reason: Reason::Lost }).collect();
        let invitation = stage
            .one()
            .invite_reshare(stage.key(), Reshare { members, leaving, least_attempt, ..Reshare::of(&now) })?;
        let runs = stage.sessions[..2].iter().map(|session| session.start(&invitation)).collect::<Result<_>>()?;
        talk(runs).map(drop)
    })
}

fn old_key() -> ImportedKey {
    ImportedKey::from_scalar(Suite::Ed25519, [1; 32].into()).unwrap()
}

pub(super) fn import(stage: &Stage<'_>) -> Result<()> {
    let (key, template) = (old_key(), KeyTemplate::wallet("an old wallet"));
    let members = cards(stage)?;
    try_each(|least_attempt| {
        let (template, members) = (template.clone(), members.clone());
        let import = Import { key: &key, threshold: 2, members, template, least_attempt };
        let invitation = stage.one().invite_import(import)?;
        let mut runs = vec![stage.one().start_import(&invitation, old_key())?];
        runs.push(stage.sessions[1].start(&invitation)?);
        talk(runs).map(drop)
    })
}

fn cards(stage: &Stage<'_>) -> Result<Roster> {
    let cards = stage.sessions.iter().map(Session::card).collect::<Result<Vec<_>>>()?;
    Ok(Roster::numbered(cards).unwrap())
}

pub(super) fn sign_derived(stage: &Stage<'_>) -> Result<()> {
    stage.one().extended_public_key(stage.key())?;
    let under = Derivation { path: "m/0/7".parse().unwrap(), ..Derivation::default() };
    let invitation = stage.one().invite_sign_under(stage.key(), &both(), b"m", &under)?;
    let start = |session: &Session| session.start_sign_under(&invitation, b"m", &under);
    talk(stage.sessions.iter().map(start).collect::<Result<_>>()?).map(drop)
}

pub(super) fn give_up(stage: &Stage<'_>) -> Result<()> {
    let invitation = stage.one().invite_sign(stage.key(), &both(), b"m")?;
    stage.one().start_sign(&invitation, b"m")?.abort()
}

/// The third session is that of who holds no share yet.
pub(super) fn enrol(stage: &Stage<'_>) -> Result<()> {
    let card = stage.sessions[2].card()?;
    start_all(stage, &stage.sessions[1].invite_enrolment(stage.key(), id(3), card, &both())?)
}

pub(super) fn has_three_members(stage: &Stage<'_>) {
    assert_eq!(stage.one().key(stage.key()).unwrap().roster.len(), 3);
    let invitation = stage.sessions[2].invite_sign(stage.key(), &[id(1), id(3)], b"m").unwrap();
    let start = |at: usize| stage.sessions[at].start_sign(&invitation, b"m").unwrap();
    talk(vec![start(0), start(2)]).unwrap();
}

pub(super) fn reconstruct(stage: &Stage<'_>) -> Result<()> {
    let officers = stage.stores.iter().map(|store| store.login_so(&officer_pin())).collect::<Result<Vec<_>>>()?;
    let invitation = officers[0].invite_reconstruct(stage.key(), &both())?;
    stage.sessions.iter().try_for_each(|session| session.consent_to_reconstruct(&invitation))?;
    let runs = officers.iter().map(|officer| officer.start_reconstruct(&invitation)).collect::<Result<_>>()?;
    talk(runs).map(drop)
}

pub(super) fn abandon(stage: &Stage<'_>) -> Result<()> {
    let attempt = stage.one().key(stage.key())?.pending[0];
    stage.one().abandon(stage.key(), attempt).map(drop)
}

pub(super) fn has_abandoned(stage: &Stage<'_>) {
    let key = stage.one().key(stage.key()).unwrap();
    assert_eq!((key.abandoned.len(), key.abandoned), (1, key.pending));
    signs(stage);
}

pub(super) fn override_rules(stage: &Stage<'_>) -> Result<()> {
    let invitation = stage.one().invite_refresh(stage.key(), Vec::new())?;
    stage.store().login_so(&officer_pin())?.override_fork_rules(&invitation)
}

pub(super) fn pardon(stage: &Stage<'_>) -> Result<()> {
    stage.store().login_so(&officer_pin())?.pardon(&stage.sessions[1].card().unwrap())
}

pub(super) fn declare(stage: &Stage<'_>) -> Result<()> {
    let epoch = stage.one().key(stage.key())?.old_epochs[0].epoch;
    let stolen = Declaration::Stolen { epoch, identifier: id(2) };
    stage.store().login_so(&officer_pin())?.declare(stage.key(), &stolen)
}

pub(super) fn export_identity(stage: &Stage<'_>) -> Result<()> {
    stage.one().export_identity(&sheet().recipient()).map(drop)
}

/// It may have been set already.
pub(super) fn renew_officers_pin(stage: &Stage<'_>) -> Result<()> {
    let officer = match stage.store().login_so(&officer_pin()) {
        Err(Error::Login { .. }) => stage.store().login_so(&new_pin()),
        other => other,
    };
    officer?.set_pin(&new_pin())
}

pub(super) fn officer_has_the_new_pin(stage: &Stage<'_>) {
    stage.store().login_so(&new_pin()).unwrap();
    assert!(stage.store().login_so(&officer_pin()).is_err());
}

pub(super) fn reset_pin(stage: &Stage<'_>) -> Result<()> {
    stage.store().login_so(&officer_pin())?.set_user_pin(&new_pin())
}

/// Whoever holds the key helps whoever does not, the third member.
pub(super) fn repair(stage: &Stage<'_>) -> Result<()> {
    let has_key = |session: &&Session| session.key(stage.key()).is_ok_and(|key| key.identifier != id(3));
    // The last one's storage does not fail, so that nothing is asked of the first one but its part.
    let inviter = stage.sessions.iter().rfind(has_key).unwrap();
    let target = stage.sessions[stage.scene.target()].card()?;
    let card = NewCard { identifier: id(3), card: target, reason: Reason::Destroyed };
    start_all(stage, &inviter.invite_repair(stage.key(), card, &both())?)
}

pub(super) fn export(stage: &Stage<'_>) -> Result<()> {
    stage.one().export(stage.key(), &sheet().recipient()).map(drop)
}

pub(super) fn restrict(stage: &Stage<'_>) -> Result<()> {
    stage.one().restrict(stage.key(), &Restriction { operations: None, export: Some(Export::Never) })
}

pub(super) fn complete(stage: &Stage<'_>) -> Result<()> {
    stage.one().complete(stage.scene.certificates.last().unwrap()).map(drop)
}

pub(super) fn catch_up(stage: &Stage<'_>) -> Result<()> {
    stage.one().catch_up(&stage.scene.certificates).map(drop)
}

pub(super) fn restore(stage: &Stage<'_>) -> Result<()> {
    stage.one().restore(stage.scene.backup.as_ref().unwrap(), &Identity::X25519(sheet())).map(drop)
}

pub(super) fn destroy(stage: &Stage<'_>) -> Result<()> {
    stage.one().destroy(stage.key())
}

pub(super) fn active(stage: &Stage<'_>) -> KeyId {
    let filter = Filter { state: Some(KeyState::Active), ..Filter::default() };
    stage.one().find(&filter).unwrap().last().unwrap().id
}

pub(super) fn signs(stage: &Stage<'_>) {
    sign_with(stage, stage.key());
}

pub(super) fn sign_with(stage: &Stage<'_>, key: KeyId) {
    let invitation = stage.sessions[1].invite_sign(key, &both(), b"afterwards").unwrap();
    let start = |session: &Session| session.start_sign(&invitation, b"afterwards").unwrap();
    let (_, signature) = talk(stage.sessions[..2].iter().map(start).collect()).unwrap();
    stage.one().key(key).unwrap().verifying_key.verify(b"afterwards", &signature).unwrap();
}

/// The member that was helped signs with one that helped.
pub(super) fn signs_repaired(stage: &Stage<'_>) {
    let target = stage.scene.target();
    let helper = (target + 1) % 3;
    let number = stage.sessions[helper].key(stage.key()).unwrap().identifier;
    let invitation = stage.sessions[helper].invite_sign(stage.key(), &[number, id(3)], b"m").unwrap();
    let start = |at: usize| stage.sessions[at].start_sign(&invitation, b"m").unwrap();
    talk(vec![start(target), start(helper)]).unwrap();
}

pub(super) fn exports_nothing(stage: &Stage<'_>) {
    assert!(matches!(export(stage), Err(Error::Denied(Denial::Export))));
}

pub(super) fn has_the_new_pin(stage: &Stage<'_>) {
    stage.store().login(&new_pin()).unwrap();
    assert!(stage.store().login(&user_pin()).is_err());
}

pub(super) fn is_retired(stage: &Stage<'_>) {
    assert_eq!((stage.state(), stage.one().key(stage.key()).unwrap().height), (KeyState::Retired, 2));
}

pub(super) fn is_restored(stage: &Stage<'_>) {
    assert_eq!(stage.state(), KeyState::Restored);
}

pub(super) fn is_destroyed(stage: &Stage<'_>) {
    let gone = Filter { state: Some(KeyState::Destroyed), ..Filter::default() };
    assert_eq!(stage.one().find(&gone).unwrap().len(), 1);
    assert!(stage.one().find(&Filter::default()).unwrap().is_empty());
}

pub(super) fn new_pin() -> Pin {
    Pin::new("other words").unwrap()
}

pub(super) fn sheet() -> SecretKey {
    SecretKey::from_bytes(&[5; 32]).unwrap()
}
