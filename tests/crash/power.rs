//! The power goes at any moment of a token's life: what was acknowledged is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use curve25519_dalek::{EdwardsPoint, Scalar};
use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::sec1::ToSec1Point;
use quorumkey::audit::{Head, Record, follow};
use quorumkey::hazmat::{Cut, Loot, Recorder, Syncs, subject, verifying_shares};
use quorumkey::wrap::{Identity, Recipient};
use quorumkey::{
    Derivation, EpochId, Export, FileStorage, Filter, Import, ImportedKey, Invitation, KeyInfo, KeyState, KeyStore,
    Misuse, NewCard, Reason, Reshare, Restriction, Suite,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::*;

/// Cuts of the default run.
const CUTS: usize = 2_000;
/// Cuts of the control on a medium that lies.
const CONTROL: usize = 300;
/// They share the cuts.
const THREADS: usize = 2;

/// What a token has acknowledged by a moment.
#[derive(Clone)]
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
    sign_prepared_noting(&mut recording, sessions, keys[0]);
    abandon_noting(&mut recording, sessions, keys[1]);
    import_noting(&mut recording, sessions);
    grow_noting(&mut recording, sessions, keys[2]);
    let kept = one.export(keys[1], &to).unwrap();
    recording.note();
    one.restrict(keys[0], &Restriction { operations: None, export: Some(Export::Never) }).unwrap();
    recording.note();
    one.set_pin(&user_pin()).unwrap();
    recording.note();
    one.destroy(keys[1]).unwrap();
    recording.note();
    one.restore(&kept, &Identity::X25519(backup)).unwrap();
    recording.note();
    for key in [keys[0], keys[2]] {
        sign_noting(sessions, key, b"the last one", &mut || recording.note()).unwrap();
        recording.note();
    }
    let Recording { acks, log, .. } = recording;
    Life { genesis: Head::genesis(&store.info().unwrap().id), recorder, acks, log }
}

/// A run, each of whose steps is noted.
fn run_noting<P: Protocol>(recording: &mut Recording<'_>, runs: &mut [Run<P>]) -> Vec<P::Output> {
    recording.note();
    let results = exchange_over(runs, &mut |_, _, message| {
        recording.note();
        vec![message]
    });
    recording.note();
    results.into_iter().map(|result| result.unwrap().unwrap()).collect()
}

fn deal_noting(recording: &mut Recording<'_>, sessions: &[&Session], invitation: &Invitation) {
    let mut runs: Vec<_> = sessions.iter().map(|session| session.start(invitation).unwrap()).collect();
    run_noting(recording, &mut runs);
}

/// A third member joins, another device takes its place, and a fourth member is enrolled.
fn grow_noting(recording: &mut Recording<'_>, [one, two]: [&Session; 2], key: KeyId) {
    let [third, fourth, again] = ["third", "fourth", "third again"].map(Member::in_memory);
    let before = one.key(key).unwrap();
    let members = before.roster.with(id(3), third.card()).unwrap();
    let reshare = two.invite_reshare(key, Reshare { members, ..Reshare::of(&before) }).unwrap();
    deal_noting(recording, &[one, two, &third.session], &reshare);
    let card = NewCard { identifier: id(3), card: again.card(), reason: Reason::Destroyed };
    let repair = two.invite_repair(key, card, &both()).unwrap();
    deal_noting(recording, &[one, two, &again.session], &repair);
    let enrolment = one.invite_enrolment(key, id(4), fourth.card(), &both()).unwrap();
    deal_noting(recording, &[one, two, &fourth.session], &enrolment);
    assert_eq!(one.key(key).unwrap().revision, 2);
}

/// A key that was made elsewhere.
fn import_noting(recording: &mut Recording<'_>, [one, two]: [&Session; 2]) -> KeyId {
    let mut bytes = Zeroizing::new([7; 32]);
    (bytes[0], bytes[31]) = (1, 1);
    let key = ImportedKey::from_scalar(Suite::Ed25519, bytes).unwrap();
    let members = quorumkey::Roster::numbered([one.card().unwrap(), two.card().unwrap()]).unwrap();
    let template = quorumkey::KeyTemplate::wallet("an old wallet");
    let import = Import { key: &key, threshold: 2, members, template, least_attempt: 0 };
    let invitation = one.invite_import(import).unwrap();
    let mut runs = [one.start_import(&invitation, key).unwrap(), two.start(&invitation).unwrap()];
    run_noting(recording, &mut runs).remove(0).id
}

/// Nonces are made beforehand, and a pair of them is used.
fn sign_prepared_noting(recording: &mut Recording<'_>, sessions: [&Session; 2], key: KeyId) {
    let invitation = sessions[0].invite_preprocess(key, &both(), 2).unwrap();
    let mut kept = sessions.map(|session| session.start_preprocess(&invitation).unwrap());
    let batch = run_noting(recording, &mut kept).remove(0);
    let (text, plain) = (b"with nonces made beforehand", Derivation::default());
    let invitation = sessions[0].invite_sign_prepared(&batch, &both(), text, &plain).unwrap();
    let mut runs = sessions.map(|session| session.start_sign(&invitation, text).unwrap());
    recording.entered = Some(invitation);
    run_noting(recording, &mut runs);
}

/// An attempt that the first member signs, and gives up when nobody certifies it.
fn abandon_noting(recording: &mut Recording<'_>, sessions: [&Session; 2], key: KeyId) {
    let invitation = sessions[0].invite_refresh(key, Vec::new()).unwrap();
    let mut runs = sessions.map(|session| session.start(&invitation).unwrap());
    exchange_over(&mut runs, &mut |_, to, message| {
        recording.note();
        if to == 1 && subject(&message) == "certify" { Vec::new() } else { vec![message] }
    });
    drop(runs);
    // The other one signed it as well, and has to be told.
    for session in sessions {
        for attempt in session.key(key).unwrap().pending {
            session.abandon(key, attempt).unwrap();
        }
    }
    recording.note();
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
    Held::of(storage)?.check()
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
        // What is destroyed comes back out of a backup, and in no other way.
        let after: &[_] = match known.state {
            KeyState::Destroyed => &[KeyState::Destroyed, KeyState::Restored],
            KeyState::Restored => &[KeyState::Restored],
            state => &[state, KeyState::Active, KeyState::Destroyed],
        };
        holds!(after.contains(&now.state), "key {} was {:?} and is {:?}", known.id, known.state, now.state);
        // With a key that is destroyed its certificates go, and no other's.
        let (kept, told) =
            (session.certificates(known.id).map_or(0, |chain| chain.len()), before.certificates[&known.id]);
        let destroyed = now.state == KeyState::Destroyed;
        holds!(destroyed || kept >= told, "{kept} of {told} certificates of key {} are there", known.id);
    }
    Ok(())
}

/// What a token has, and what somebody finds in it who knows its PIN.
struct Held {
    keys: Vec<KeyInfo>,
    /// The public shares that certificates speak of, by key.
    certified: BTreeMap<KeyId, Vec<u8>>,
    log: Vec<Record>,
    /// The points of its secrets, by arithmetic that is not ours.
    publics: BTreeSet<Vec<u8>>,
    claimed: BTreeSet<Vec<u8>>,
}

impl Held {
    fn of(storage: Shared<FileStorage>) -> Result<Self, Lost> {
        let token = KeyStore::open_in(storage.clone()).map_err(|error| format!("no token: {error}"))?;
        let session = token.login(&user_pin()).map_err(|error| format!("no login: {error}"))?;
        let log = session.audit(None, 10_000).unwrap();
        let keys = session.find(&Filter::default()).unwrap();
        let certified = keys.iter().filter(|key| key.state == KeyState::Active).map(|key| {
            let certificate = session.certificate(key.id).unwrap();
            (key.id, verifying_shares(&certificate).unwrap()[&key.identifier].clone())
        });
        let certified = certified.collect();
        let loot = Loot::of(storage, &user_pin()).map_err(|error| format!("no secrets: {error}"))?;
        let publics = loot.secrets().flat_map(|secret| [edwards25519(secret), secp256k1(secret)]).flatten().collect();
        Ok(Self { keys, certified, log, publics, claimed: loot.claims().iter().cloned().collect() })
    }

    /// Every key that is there has the share that its certificate speaks of; and every nonce that the log calls claimed is
    /// claimed, unless its key was destroyed.
    fn check(&self) -> Result<(), Lost> {
        for (key, share) in &self.certified {
            holds!(self.publics.contains(share), "the share of key {key} is not there");
        }
        // What comes out of a backup was destroyed before.
        for key in self.keys.iter().filter(|key| key.state != KeyState::Restored) {
            let of_the_key = |record: &&Record| record.event().object_id() == Some(key.id.as_bytes());
            let told: Vec<_> = self.log.iter().filter(of_the_key).cloned().collect();
            let gone = claims(&told).into_iter().filter(|claim| !self.claimed.contains(claim)).count();
            holds!(gone == 0, "{gone} claims of key {} are gone that the log knows", key.id);
        }
        Ok(())
    }
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

/// What a cut lost, if anything, of what was acknowledged.
fn lost(life: &Life, cut: &Cut, store: &Path, before: &Ack) -> Option<Lost> {
    check(life, cut, store, before).err()
}

/// Of an honest medium, when the life is over, each oracle is told of more than there is.
#[test]
fn each_oracle_of_a_power_cut_notices_what_it_is_there_for() {
    let _alone = alone();
    let folder = fast_folder();
    let mut life = live(&folder.path().join("store"));
    let store = folder.path().join("cut");
    drop(FileStorage::create(&store, &[]).unwrap());
    let mut replay = life.recorder.replay(Syncs::Honestly);
    while replay.advance() {}
    let cut = replay.cut(&mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    let end = || life.acks.last().unwrap().clone();
    let active = end().keys.iter().position(|key| key.state == KeyState::Active).unwrap();
    let id = end().keys[active].id;
    assert_eq!(lost(&life, &cut, &store, &end()), None);
    let told = |tell: &dyn Fn(&mut Ack)| {
        let mut before = end();
        tell(&mut before);
        lost(&life, &cut, &store, &before).unwrap_or_default()
    };
    let key = |tell: &dyn Fn(&mut KeyInfo)| told(&|before| tell(&mut before.keys[active]));
    let notices = [
        (told(&|before| before.log += 100), "audit records of"),
        (key(&|key| key.id = KeyId::from_bytes([9; 32])), "is gone"),
        (key(&|key| key.height += 1), "is back at height"),
        (key(&|key| key.pending.push(EpochId::from_bytes([9; 32]))), "an attempt of key"),
        (key(&|key| key.state = KeyState::Destroyed), "was Destroyed and is Active"),
        (key(&|key| key.state = KeyState::Restored), "was Restored and is Active"),
        (told(&|before| before.keys.iter_mut().for_each(|key| key.export = Export::Never)), "may be exported again"),
        (told(&|before| *before.certificates.get_mut(&id).unwrap() += 1), "certificates of key"),
        (told(&|before| before.entered = Some(unknown_to(&cut, &store, id))), "a run is entered twice"),
    ];
    for (noticed, what) in &notices {
        assert!(noticed.contains(what), "{what}: {noticed:?}");
    }
    life.log.swap(0, 1);
    let swapped = lost(&life, &cut, &store, life.acks.last().unwrap()).unwrap_or_default();
    assert!(swapped.contains("another one in its place"), "{swapped:?}");
    let held = || Held::of(Shared(Arc::new(cut.open(&store).unwrap()))).unwrap();
    let no_share = Held { publics: BTreeSet::new(), ..held() }.check().unwrap_err();
    assert!(no_share.contains("the share of key"), "{no_share}");
    let no_claim = Held { claimed: BTreeSet::new(), ..held() }.check().unwrap_err();
    assert!(no_claim.contains("claims of key"), "{no_claim}");
}

/// An invitation to sign that the token has not entered.
fn unknown_to(cut: &Cut, store: &Path, key: KeyId) -> Invitation {
    let token = KeyStore::open_in(Shared(Arc::new(cut.open(store).unwrap()))).unwrap();
    token.login(&user_pin()).unwrap().invite_sign(key, &both(), b"never signed").unwrap()
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
