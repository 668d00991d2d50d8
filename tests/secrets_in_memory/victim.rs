//! The work, with a halt at each stage. What is public is printed.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{Write, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use quorumkey::hazmat::{body, subject, verifying_shares};
use quorumkey::wrap::{Identity, WrappedIdentity};
use quorumkey::{
    Dealing, Derivation, Dkg, Entry, FileStorage, Import, ImportedKey, Invitation, KeyId, KeyInfo, KeyStore,
    KeyTemplate, MemoryStorage, NewCard, Operations, Pin, Protocol, Reason, ReconstructedKey, Restore, Roster, Run,
    Storage, Suite,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zeroize::{Zeroize, Zeroizing};

use crate::WIPES;
use crate::allocator::{KEEP, WIPE};
use crate::common::{Member, Shared, exchange, exchange_over, id, init, officer_pin, user_pin};

/// What the first member's user chooses in the end.
const NEW_PIN: &str = "another user's words";

/// Says that a stage is reached, and waits until it was looked at.
fn stage(name: &str) {
    println!("stage {name}");
    stdout().flush().unwrap();
    let mut line = String::new();
    stdin().read_line(&mut line).unwrap();
}

fn say(kind: &str, bytes: &[u8]) {
    let hex = bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    println!("public {hex} {kind}");
}

pub fn live(suite: Suite) {
    WIPE.store(std::env::var_os(WIPES).is_some(), Ordering::Relaxed);
    KEEP.store(true, Ordering::Relaxed);
    let pins = (user_pin(), officer_pin());
    stage("PINs are held");
    drop(pins);
    keep_on_the_stack();
    let folder = tempfile::tempdir().unwrap();
    let mut members: Vec<_> = (1..=3).map(|number| enter(number, &folder)).collect();
    let key = deal(&members, suite);
    sign(&members, key, "nonce", ["committed", "signed", "signing over"]);
    refresh(&members, key);
    sign(&members, key, "second nonce", ["committed again", "signed again", ""]);
    sign_prepared(&members, key);
    import(&members, suite);
    restore(&mut members, key);
    reconstruct(&members, key);
    repair(&mut members, key);
    members[0].member.session.set_pin(&Pin::new(NEW_PIN).unwrap()).unwrap();
    members[0].say_root_key("last root key");
    stage("PIN changed");
    let left = start_import(&members, suite, 3);
    stage("import left to the logout");
    let mut stores = Vec::new();
    for Tapped { member: Member { store, session }, .. } in members {
        session.logout().unwrap();
        stores.push(store);
    }
    stage("logged out");
    drop(left);
    drop(stores);
    stage("all gone");
}

/// What the library never does: a control.
#[inline(never)]
fn keep_on_the_stack() {
    let mut copy = black_box(*crate::PINS[0].1);
    stage("a PIN is on the stack");
    black_box(&mut copy).zeroize();
}

/// A member, and its storage as a thief has it.
struct Tapped {
    member: Member,
    storage: Box<dyn Storage>,
}

impl Tapped {
    /// Tells the state that is sealed under the root key.
    fn say_root_key(&self, kind: &str) {
        let sealed = self.storage.get(b"v").unwrap().unwrap();
        say(kind, &[&self.member.store.info().unwrap().id[..], &sealed].concat());
    }
}

/// The first member's token is in a file.
fn enter(number: u16, folder: &TempDir) -> Tapped {
    let name = format!("member {number}");
    let tapped = if number == 1 {
        create(&name, |contents| FileStorage::create(folder.path().join(&name), contents).unwrap())
    } else {
        create(&name, MemoryStorage::new)
    };
    tapped.say_root_key("root key");
    say("identity", &tapped.member.card().to_bytes());
    tapped
}

fn create<S: Storage + 'static>(name: &str, new: impl FnOnce(&[Entry]) -> S) -> Tapped {
    let mut storage = None;
    let fill = |contents: &[Entry]| Ok(storage.insert(Shared(Arc::new(new(contents)))).clone());
    let store = KeyStore::create_in(fill, &init(name)).unwrap();
    Tapped { member: Member::new(store), storage: Box::new(storage.unwrap()) }
}

fn cards(members: &[Tapped]) -> Roster {
    Roster::numbered(members.iter().map(|tapped| tapped.member.card())).unwrap()
}

fn start_all(members: &[Tapped], invitation: &Invitation) -> Vec<Run<Dealing>> {
    members.iter().map(|tapped| tapped.member.session.start(invitation).unwrap()).collect()
}

/// Hands messages around, and halts when the first of a round is on its way: all have computed that round. What was said
/// in rounds that tell of secrets is told before.
fn exchange_and_halt<P: Protocol>(runs: &mut [Run<P>], halts: &[(u8, &str)], tell: &[(u8, &str)]) -> Vec<P::Output> {
    let mut halted = Vec::new();
    let mut said = BTreeMap::new();
    let results = exchange_over(runs, &mut |from, _, message| {
        said.insert((from, message.round()), message.to_bytes());
        if let Some((round, name)) =
            halts.iter().find(|(round, _)| *round == message.round() && !halted.contains(round))
        {
            halted.push(*round);
            stage(name);
        }
        vec![message]
    });
    assert_eq!(halted.len(), halts.len());
    for ((_, round), bytes) in &said {
        tell.iter().filter(|(of, _)| of == round).for_each(|(_, kind)| say(kind, bytes));
    }
    results.into_iter().map(|result| result.unwrap().unwrap()).collect()
}

/// The shares of the newest epoch, and the chain code.
fn say_shares(members: &[Tapped], key: KeyId, kind: &str) {
    let certificate = members[0].member.session.certificate(key).unwrap();
    say("chain code", &certificate.to_bytes());
    verifying_shares(&certificate).unwrap().values().for_each(|public| say(kind, public));
}

/// A key that may be put together again.
fn deal(members: &[Tapped], suite: Suite) -> KeyId {
    let operations = Operations::ALL.union(Operations::RECONSTRUCT);
    let template = KeyTemplate { operations, ..KeyTemplate::wallet("a wallet") };
    let dkg = Dkg { suite, threshold: 2, members: cards(members), template };
    let invitation = members[0].member.session.invite(dkg).unwrap();
    let mut runs = start_all(members, &invitation);
    let keys: Vec<KeyInfo> = exchange_and_halt(&mut runs, &[(1, "joined")], &[(0, "run key"), (1, "coefficient")]);
    say_shares(members, keys[0].id, "share");
    say("whole key", keys[0].group_key.as_bytes());
    stage("dealt");
    drop(runs);
    stage("dealing over");
    keys[0].id
}

fn sign(members: &[Tapped], key: KeyId, nonce: &str, [committed, signed, over]: [&str; 3]) {
    let session = |at: usize| &members[at].member.session;
    let invitation = session(0).invite_sign(key, &[id(1), id(2)], &[7; 32]).unwrap();
    let mut runs = [0, 1].map(|at| session(at).start_sign(&invitation, &[7; 32]).unwrap());
    let commits: Vec<_> = runs.iter_mut().map(|run| run.poll_transmit().unwrap()).collect();
    for commit in &commits {
        say(nonce, &commit.to_bytes());
    }
    stage(committed);
    runs[0].handle(&commits[1]).unwrap();
    runs[1].handle(&commits[0]).unwrap();
    assert_eq!(exchange(&mut runs).len(), 2);
    stage(signed);
    drop(runs);
    if !over.is_empty() {
        stage(over);
    }
}

/// With the first of two pairs of nonces that are made beforehand.
fn sign_prepared(members: &[Tapped], key: KeyId) {
    let session = |at: usize| &members[at].member.session;
    let invitation = session(0).invite_preprocess(key, &[id(1), id(2)], 2).unwrap();
    let mut kept = [0, 1].map(|at| session(at).start_preprocess(&invitation).unwrap());
    let mut lists = Vec::new();
    let results = exchange_over(&mut kept, &mut |_, _, message| {
        if subject(&message) == "prepare" {
            lists.push(body(&message).to_vec());
        }
        vec![message]
    });
    let batch = results.into_iter().map(|result| result.unwrap().unwrap()).next().unwrap();
    for list in &lists {
        let pairs = list.chunks(list.len() / 2);
        pairs
            .zip(["first nonce made beforehand", "other nonce made beforehand"])
            .for_each(|(pair, kind)| say(kind, pair));
    }
    stage("nonces made beforehand");
    let plain = Derivation::default();
    let invitation = session(0).invite_sign_prepared(&batch, &[id(1), id(2)], &[7; 32], &plain).unwrap();
    let mut runs = [0, 1].map(|at| session(at).start_sign(&invitation, &[7; 32]).unwrap());
    assert_eq!(exchange(&mut runs).len(), 2);
    stage("the first of them used");
    drop(runs);
    drop(kept);
    stage("the others given up");
}

/// Two attempts before it have come to nothing: of the one no join has arrived, of the other no deal. Their runs wait on.
fn refresh(members: &[Tapped], key: KeyId) {
    let start = || start_all(members, &members[0].member.session.invite_refresh(key, Vec::new()).unwrap());
    let (entered, mut dealt) = (start(), start());
    exchange_over(&mut dealt, &mut |_, _, message| if message.round() == 0 { vec![message] } else { Vec::new() });
    let mut runs = start();
    let halts = [(1, "refresh dealt"), (2, "refresh computed")];
    exchange_and_halt(&mut runs, &halts, &[(0, "refresh's run key"), (1, "coefficient")]);
    say_shares(members, key, "new share");
    members[0].say_root_key("changing root key");
    members[1..].iter().for_each(|tapped| tapped.say_root_key("second root key"));
    stage("refreshed");
    drop((runs, entered, dealt));
    stage("refresh over");
}

/// A key from outside: its public half is told, as whoever imports it tells it.
fn old_key(suite: Suite, number: u8) -> ImportedKey {
    let mut secret: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest([number]).into());
    // Below the order in either byte order.
    secret[0] &= 0x0f;
    secret[31] &= 0x0f;
    let key = ImportedKey::from_scalar(suite, secret).unwrap();
    say("imported key", key.group_key().as_bytes());
    key
}

fn invite_import(members: &[Tapped], key: &ImportedKey) -> Invitation {
    let template = KeyTemplate::wallet("an old wallet");
    let import = Import { key, threshold: 2, members: cards(members), template, least_attempt: 0 };
    members[0].member.session.invite_import(import).unwrap()
}

/// The dealer enters, alone: the key waits in its run.
fn start_import(members: &[Tapped], suite: Suite, number: u8) -> Run<Dealing> {
    let key = old_key(suite, number);
    let invitation = invite_import(members, &key);
    members[0].member.session.start_import(&invitation, key).unwrap()
}

fn import(members: &[Tapped], suite: Suite) {
    let key = old_key(suite, 1);
    let invitation = invite_import(members, &key);
    let mut runs = vec![members[0].member.session.start_import(&invitation, key).unwrap()];
    runs.extend(start_all(&members[1..], &invitation));
    stage("import joined");
    exchange_and_halt(&mut runs, &[(1, "import dealt")], &[(1, "coefficient")]);
    drop(runs);
    stage("imported");
    let aborted = start_import(members, suite, 2);
    stage("import begun");
    aborted.abort().unwrap();
    stage("import aborted");
}

/// The last member's device is lost, and comes back from its backups on a new one.
fn restore(members: &mut Vec<Tapped>, key: KeyId) {
    let identity = Identity::generate();
    let Identity::X25519(secret) = &identity else { panic!("another kind of identity") };
    let (recipient, text) = (secret.recipient(), secret.public_key().to_string());
    say("backup key", &bech32::decode(&text).unwrap().1);
    stage("backup key held");
    let lost = members.pop().unwrap().member;
    let share = lost.session.export(key, &recipient).unwrap();
    let token = lost.session.export_identity(&recipient).unwrap();
    stage("backed up");
    lost.session.logout().unwrap();
    drop(lost.store);
    let restored = restored(&token, &identity);
    restored.member.session.restore(&share, &identity).unwrap();
    restored.say_root_key("restored root key");
    members.push(restored);
    stage("restored");
    drop(identity);
    stage("backup key gone");
}

/// The PINs that it is given go with this call.
fn restored(token: &WrappedIdentity, with: &Identity) -> Tapped {
    let mut storage = None;
    let fill = |contents: &[Entry]| Ok(storage.insert(Shared(Arc::new(MemoryStorage::new(contents)))).clone());
    let from = Restore { init: &init("restored"), identity: token, with, incarnation: 0 };
    let store = KeyStore::restore_in(fill, &from).unwrap();
    Tapped { member: Member::new(store), storage: Box::new(storage.unwrap()) }
}

/// The last member's device is lost once more, and a new one gets its share from the others.
fn repair(members: &mut Vec<Tapped>, key: KeyId) {
    let lost = members.pop().unwrap().member;
    lost.session.logout().unwrap();
    drop(lost.store);
    members.push(create("repaired", MemoryStorage::new));
    members[2].say_root_key("new device's root key");
    let card = NewCard { identifier: id(3), card: members[2].member.card(), reason: Reason::Destroyed };
    let invitation = members[0].member.session.invite_repair(key, card, &[id(1), id(2)]).unwrap();
    let mut runs = start_all(members, &invitation);
    let halts = [(1, "repair joined"), (3, "repair dealt")];
    exchange_and_halt(&mut runs, &halts, &[(0, "repair's run key")]);
    stage("repaired");
    drop(runs);
    stage("repair over");
}

fn reconstruct(members: &[Tapped], key: KeyId) {
    let two = members[..2].iter().map(|tapped| &tapped.member);
    let officers: Vec<_> = two.clone().map(|member| member.store.login_so(&officer_pin()).unwrap()).collect();
    let invitation = officers[0].invite_reconstruct(key, &[id(1), id(2)]).unwrap();
    two.for_each(|member| member.session.consent_to_reconstruct(&invitation).unwrap());
    let mut runs: Vec<_> = officers.iter().map(|officer| officer.start_reconstruct(&invitation).unwrap()).collect();
    let got = exchange_and_halt(&mut runs, &[(1, "handing over")], &[(0, "reconstruction's run key")]);
    drop(runs);
    for officer in officers {
        officer.logout().unwrap();
    }
    let whole: Vec<ReconstructedKey> = got.into_iter().flatten().collect();
    assert_eq!(whole.len(), 1);
    stage("whole key held");
    drop(whole);
    stage("whole key gone");
}
