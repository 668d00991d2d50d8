//! The power goes at any moment of a token's life: what was acknowledged is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use curve25519_dalek::{EdwardsPoint, Scalar};
use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::sec1::ToSec1Point;
use quorumkey::audit::{Head, Record, follow};
use quorumkey::hazmat::{Cut, Loot, Recorder, Syncs, verifying_shares};
use quorumkey::wrap::{Identity, Recipient};
use quorumkey::{
    EpochId, Export, FileStorage, Filter, Invitation, KeyInfo, KeyState, KeyStore, Misuse, Reshare, Restriction, Suite,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;

/// Cuts of the default run.
const CUTS: usize = 2_000;
/// Cuts of the control on a medium that lies.
const CONTROL: usize = 300;
/// They share the cuts.
const THREADS: usize = 2;

/// What a token has acknowledged by a moment.
struct Ack {
    moment: usize,
    log: usize,
    keys: Vec<KeyInfo>,
    certificates: BTreeMap<KeyId, usize>,
    /// The last run that it entered.
    entered: Option<Invitation>,
}

/// A recorded life of one token, and what it acknowledged when.
struct Life {
    recorder: Recorder,
    acks: Vec<Ack>,
    log: Vec<Record>,
    genesis: Head,
}

struct Recording<'a> {
    recorder: &'a Recorder,
    session: &'a Session,
    acks: Vec<Ack>,
    log: Vec<Record>,
    entered: Option<Invitation>,
}

impl Recording<'_> {
    /// Everything so far was acknowledged.
    fn note(&mut self) {
        let after = self.log.last().map(Record::hash);
        self.log.extend(self.session.audit(after, 1000).unwrap());
        let mut keys = self.session.find(&Filter::default()).unwrap();
        keys.extend(self.session.find(&Filter { state: Some(KeyState::Destroyed), ..Filter::default() }).unwrap());
        let of = |key: &KeyInfo| (key.id, self.session.certificates(key.id).map_or(0, |chain| chain.len()));
        self.acks.push(Ack {
            moment: self.recorder.moments(),
            log: self.log.len(),
            certificates: keys.iter().map(of).collect(),
            keys,
            entered: self.entered.clone(),
        });
    }
}

fn live(path: &Path) -> Life {
    let recorder = Recorder::default();
    let store = KeyStore::create_in(|contents| recorder.create(path, contents), &init("recorded")).unwrap();
    let other = Member::in_memory("other");
    let one = store.login(&user_pin()).unwrap();
    let sessions = [&one, &other.session];
    let mut recording =
        Recording { recorder: &recorder, session: &one, acks: Vec::new(), log: Vec::new(), entered: None };
    recording.note();
    let Identity::X25519(backup) = Identity::generate() else { unreachable!() };
    let to: Recipient = backup.recipient();
    let mut keys = Vec::new();
    for suite in Suite::ALL {
        let members = quorumkey::Roster::numbered([one.card().unwrap(), other.card()]).unwrap();
        let template = quorumkey::KeyTemplate::wallet("a wallet");
        let invitation = one.invite(quorumkey::Dkg { suite, threshold: 2, members, template }).unwrap();
        let runs = sessions.map(|session| session.start(&invitation).unwrap());
        recording.entered = Some(invitation);
        recording.note();
        keys.push(talk(runs, &mut || recording.note()).unwrap().id);
    }
    for round in 0..3 {
        for turn in 0..4 {
            let text = format!("round {round}, turn {turn}").into_bytes();
            let invitation = sign_noting(sessions, keys[turn % 3], &text, &mut || recording.note()).unwrap();
            recording.entered = Some(invitation);
            recording.note();
        }
        one.export(keys[0], &to).unwrap();
        recording.note();
        refresh_noting(sessions, keys[round], &mut || recording.note()).unwrap();
        recording.note();
        store.login(&officer_pin()).unwrap_err();
        recording.note();
    }
    reshare_noting(&mut recording, sessions, keys[2]);
    one.restrict(keys[0], &Restriction { operations: None, export: Some(Export::Never) }).unwrap();
    recording.note();
    one.set_pin(&user_pin()).unwrap();
    recording.note();
    one.destroy(keys[1]).unwrap();
    recording.note();
    for key in [keys[0], keys[2]] {
        sign_noting(sessions, key, b"the last one", &mut || recording.note()).unwrap();
        recording.note();
    }
    let Recording { acks, log, .. } = recording;
    Life { genesis: Head::genesis(&store.info().unwrap().id), recorder, acks, log }
}

/// A third member joins.
fn reshare_noting(recording: &mut Recording<'_>, sessions: [&Session; 2], key: KeyId) {
    let third = Member::in_memory("third");
    let before = sessions[0].key(key).unwrap();
    let members = before.roster.with(id(3), third.card()).unwrap();
    let invitation = sessions[1].invite_reshare(key, Reshare { members, ..Reshare::of(&before) }).unwrap();
    let of = |session: &Session| session.start(&invitation).unwrap();
    let mut runs = [of(sessions[0]), of(sessions[1]), of(&third.session)];
    recording.note();
    let results = exchange_over(&mut runs, &mut |_, _, message| {
        recording.note();
        vec![message]
    });
    recording.note();
    assert!(results.iter().all(|after| matches!(after, Ok(Some(key)) if key.roster.len() == 3)), "{results:?}");
}

/// Why a cut lost something.
type Lost = String;

macro_rules! holds {
    ($condition:expr, $($what:tt)*) => {
        if !$condition {
            return Err(format!($($what)*));
        }
    };
}

/// What must hold after a cut at this moment: `before` was acknowledged, and perhaps the next thing was done, but not
/// acknowledged.
fn check(life: &Life, cut: &Cut, store: &Path, before: &Ack) -> Result<(), Lost> {
    let storage = Shared(Arc::new(cut.open(store).map_err(|error| format!("the store does not open: {error}"))?));
    {
        let token = KeyStore::open_in(storage.clone()).map_err(|error| format!("no token: {error}"))?;
        let session = token.login(&user_pin()).map_err(|error| format!("no login: {error}"))?;
        check_log(life, &session, before)?;
        check_keys(&session, before)?;
        if let Some(entered) = &before.entered {
            let again = match entered.message() {
                Some(message) => session.start_sign(entered, message).map(drop),
                None => session.start(entered).map(drop),
            };
            let refused = matches!(
                again,
                Err(Error::Misuse(Misuse::RunEnteredBefore(_)) | Error::Stale { .. } | Error::NotFound(_))
            );
            holds!(refused, "a run is entered twice: {again:?}");
        }
    }
    check_secrets(storage)
}

fn check_log(life: &Life, session: &Session, before: &Ack) -> Result<(), Lost> {
    let log = session.audit(None, 10_000).map_err(|error| format!("no log: {error}"))?;
    holds!(log.len() >= before.log, "{} audit records of {} are there", log.len(), before.log);
    holds!(log[..before.log] == life.log[..before.log], "an audit record is gone, and another one in its place");
    follow(&log, &life.genesis).map_err(|error| format!("the log does not verify: {error}"))?;
    claims(&log);
    Ok(())
}

fn check_keys(session: &Session, before: &Ack) -> Result<(), Lost> {
    let mut found: BTreeMap<_, _> = BTreeMap::new();
    for state in [None, Some(KeyState::Destroyed)] {
        let keys = session.find(&Filter { state, ..Filter::default() }).map_err(|error| format!("no keys: {error}"))?;
        found.extend(keys.into_iter().map(|key| (key.id, key)));
    }
    for known in &before.keys {
        let Some(now) = found.get(&known.id) else { return Err(format!("key {} is gone", known.id)) };
        holds!(now.height >= known.height, "key {} is back at height {}", known.id, now.height);
        let pending = |epoch: &EpochId| {
            now.state == KeyState::Destroyed
                || now.epoch == *epoch
                || now.pending.contains(epoch)
                || now.old_epochs.iter().any(|old| old.epoch == *epoch)
        };
        holds!(known.pending.iter().all(pending), "an attempt of key {} is gone", known.id);
        holds!(known.export >= now.export, "key {} may be exported again", known.id);
        let states = [known.state, KeyState::Active, KeyState::Destroyed];
        holds!(states.contains(&now.state), "key {} is {:?}", known.id, now.state);
        let gone = known.state == KeyState::Destroyed && now.state != KeyState::Destroyed;
        holds!(!gone, "key {} is back", known.id);
        // With a key that is destroyed its certificates go, and no other's.
        let (kept, told) =
            (session.certificates(known.id).map_or(0, |chain| chain.len()), before.certificates[&known.id]);
        let destroyed = now.state == KeyState::Destroyed;
        holds!(destroyed || kept >= told, "{kept} of {told} certificates of key {} are there", known.id);
    }
    Ok(())
}

/// Every key that is there has the share that its certificate speaks of, by arithmetic that is not ours; and every nonce
/// that the log calls claimed is claimed, unless its key was destroyed.
fn check_secrets(storage: Shared<FileStorage>) -> Result<(), Lost> {
    let token = KeyStore::open_in(storage.clone()).map_err(|error| format!("no token: {error}"))?;
    let session = token.login(&user_pin()).map_err(|error| format!("no login: {error}"))?;
    let log = session.audit(None, 10_000).unwrap();
    let keys = session.find(&Filter::default()).unwrap();
    let loot = Loot::of(storage, &user_pin()).map_err(|error| format!("no secrets: {error}"))?;
    let publics: BTreeSet<_> =
        loot.secrets().flat_map(|secret| [edwards25519(secret), secp256k1(secret)]).flatten().collect();
    for key in keys.iter().filter(|key| key.state == KeyState::Active) {
        let certificate = session.certificate(key.id).unwrap();
        let share = &verifying_shares(&certificate).unwrap()[&key.identifier];
        holds!(publics.contains(share), "the share of key {} is not there", key.id);
    }
    let claimed: BTreeSet<_> = loot.claims().iter().cloned().collect();
    for key in &keys {
        let of_the_key = |record: &&Record| record.event().object_id() == Some(key.id.as_bytes());
        let told: Vec<_> = log.iter().filter(of_the_key).cloned().collect();
        let gone = claims(&told).into_iter().filter(|claim| !claimed.contains(claim)).count();
        holds!(gone == 0, "{gone} claims of key {} are gone that the log knows", key.id);
    }
    Ok(())
}

/// The point of a share of an Ed25519 key, if it can be one.
fn edwards25519(share: &[u8; 32]) -> Option<Vec<u8>> {
    let share = Option::<Scalar>::from(Scalar::from_canonical_bytes(*share))?;
    Some(EdwardsPoint::mul_base(&share).compress().to_bytes().to_vec())
}

/// The same of the other two suites.
fn secp256k1(share: &[u8; 32]) -> Option<Vec<u8>> {
    let share = Option::<k256::Scalar>::from(k256::Scalar::from_repr((*share).into()))?;
    Some(k256::ProjectivePoint::mul_by_generator(&share).to_affine().to_sec1_point(true).as_bytes().to_vec())
}

/// Cuts the power that often, all over the life; one of several threads makes every so many of the cuts. How many cuts
/// it made, and what they lost.
fn cut(life: &Life, store: &Path, cuts: usize, medium: Syncs, thread: usize) -> (usize, Vec<Lost>) {
    let mut rng = ChaCha20Rng::seed_from_u64((cuts * THREADS + thread) as u64);
    let mut replay = life.recorder.replay(medium);
    let (mut due, mut made, mut lost) = (0, 0, Vec::new());
    let born = life.acks[0].moment;
    let moments = life.acks.last().unwrap().moment - born;
    while replay.advance() {
        let moment = replay.moment();
        if moment < born {
            continue;
        }
        let before = life.acks.iter().rev().find(|ack| ack.moment <= moment).unwrap();
        // As many as have come due, so that they are spread evenly.
        while due * moments < cuts * (moment - born).min(moments) {
            due += 1;
            if due % THREADS != thread {
                continue;
            }
            made += 1;
            let cut = replay.cut(&mut rng).expect("there is a store");
            if let Err(why) = check(life, &cut, store, before) {
                lost.push(format!("cut {due}, at moment {moment}: {why}"));
            }
        }
    }
    (made, lost)
}

/// The same, with all threads.
fn cut_all(life: &Life, folder: &Path, cuts: usize, medium: Syncs) -> (usize, Vec<Lost>) {
    std::thread::scope(|scope| {
        let start = |thread| {
            // Only its preamble is used.
            let store = folder.join(format!("{medium:?} {thread}"));
            drop(FileStorage::create(&store, &[]).unwrap());
            scope.spawn(move || cut(life, &store, cuts, medium, thread))
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .fold((0, Vec::new()), |(made, lost), (more, gone)| (made + more, [lost, gone].concat()))
    })
}

#[test]
fn whenever_the_power_goes_nothing_that_was_acknowledged_is_lost_and_a_lying_disk_is_found_out() {
    let _alone = alone();
    let folder = fast_folder();
    let life = live(&folder.path().join("store"));
    let cuts = rounds("QUORUMKEY_CUTS", CUTS);
    let (made, lost) = cut_all(&life, folder.path(), cuts, Syncs::Honestly);
    assert_eq!(made, cuts);
    let (lies, caught) = cut_all(&life, folder.path(), CONTROL, Syncs::Lying);
    println!("power: {made} cuts, {} lost; on a lying disk {} of {lies}", lost.len(), caught.len());
    assert!(lost.is_empty(), "{}", lost[..lost.len().min(9)].join("\n"));
    assert!(!caught.is_empty(), "what a lying disk lost went unnoticed");
    // Not only that nothing opens any more: a disk that lies lets a whole acknowledged transaction vanish.
    assert!(caught.iter().any(|why| why.contains("audit record")), "{caught:?}");
}
