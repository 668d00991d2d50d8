//! Looks for secrets in the memory of a process that deals, signs and logs out, as somebody would who can read it.
//!
//! The process is this program once more: it does the work and prints what is public. The observer reads the memory
//! and tries what lies there: a scalar whose multiple of the generator was sent by a member is that member's secret, a
//! key that opens a token's sealed state is its root key, a seed that gives a card's key is that identity's. So the
//! observer needs no door into the library, and knows no secret that it did not find, but for the PIN, which people
//! choose. Then it looks for every copy.
//!
//! A scan that finds nothing while a secret is in use would prove nothing, so it must find the living ones first. Only
//! coefficients live and die within one call, where no observer gets in between: of them, what is left is looked for.
//!
//! Each suite is looked at twice: with freed memory as the library leaves it, and with an allocator that wipes it. What dead
//! frames hold on the stack changes with the compiler; it is printed, and it may be no more than SECURITY.md says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::os::unix::fs::FileExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use common::{Member, Shared, dkg_invitation, exchange, exchange_over, id, init, roster, user_pin};
use quorumkey::hazmat::verifying_shares;
use quorumkey::{
    Dealing, Entry, Import, ImportedKey, KeyId, KeyStore, KeyTemplate, MemoryStorage, Run, Signing, Storage, Suite,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;
use zeroizing_alloc::ZeroAlloc;

const VICTIM: &str = "QUORUMKEY_MEMORY_VICTIM";
/// Set for a victim that wipes what it frees.
const WIPES: &str = "QUORUMKEY_MEMORY_WIPES";
/// What members log in with.
const PIN: &[u8; 16] = b"the user's words";

fn main() {
    if let Ok(code) = std::env::var(VICTIM) {
        return victim(Suite::from_code(code.parse().unwrap()).unwrap());
    }
    let mut failures = Vec::new();
    // What counts is the optimised build, which scans for all; this one, slow, shows that the scan itself works.
    let suites = if cfg!(debug_assertions) { &Suite::ALL[..1] } else { &Suite::ALL };
    for (suite, wipes) in suites.iter().copied().flat_map(|suite| [(suite, false), (suite, true)]) {
        let before = failures.len();
        observe(suite, wipes, &mut failures);
        let outcome = if failures.len() == before { "ok" } else { "FAILED" };
        let with = if wipes { "_with_the_wiping_allocator" } else { "" };
        println!("test no_secret_of_{suite:?}_outlives_its_use{with} ... {outcome}\n");
    }
    if !failures.is_empty() {
        println!("{}", failures.join("\n"));
        exit(1);
    }
}

// The victim.

/// Whether memory is kept as it was freed, so that nothing unwiped is hidden by what is allocated next.
static KEEP: AtomicBool = AtomicBool::new(false);

/// Whether it is wiped first.
static WIPE: AtomicBool = AtomicBool::new(false);

struct Hoard;

static WIPING: ZeroAlloc<Hoard> = ZeroAlloc(Hoard);

struct Either;

#[global_allocator]
static EITHER: Either = Either;

// SAFETY: both are allocators, and both give out the same blocks.
#[allow(unsafe_code, reason = "an allocator can't be written without; it forwards to two others")]
unsafe impl GlobalAlloc for Either {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { WIPING.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if WIPE.load(Ordering::Relaxed) {
            unsafe { WIPING.dealloc(block, layout) }
        } else {
            unsafe { Hoard.dealloc(block, layout) }
        }
    }
}

// Growing a block moves it, by the trait's own `realloc`: so the block that it leaves is kept as well.
#[allow(unsafe_code, reason = "an allocator can't be written without; it forwards to the system's, or leaks")]
unsafe impl GlobalAlloc for Hoard {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !KEEP.load(Ordering::Relaxed) {
            unsafe { System.dealloc(block, layout) }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Says that a stage is reached, and waits until it was looked at.
fn stage(name: &str) {
    println!("stage {name}");
    stdout().flush().unwrap();
    let mut line = String::new();
    stdin().read_line(&mut line).unwrap();
}

fn victim(suite: Suite) {
    WIPE.store(std::env::var_os(WIPES).is_some(), Ordering::Relaxed);
    KEEP.store(true, Ordering::Relaxed);
    let pin = user_pin();
    stage("a PIN is held");
    drop(pin);
    let members: Vec<_> = (1..=3).map(victim_enters).collect();
    let key = victim_deals(&members, suite);
    stage("dealing over");
    victim_signs(&members, key);
    stage("signing over");
    victim_imports(&members, suite);
    stage("import over");
    let left = victim_starts_import(&members, suite, 3);
    stage("import left to the logout");
    let mut stores = Vec::new();
    for Member { store, session } in members {
        session.logout().unwrap();
        stores.push(store);
    }
    stage("logged out");
    drop(left);
    drop(stores);
    stage("dropped");
}

/// A member, of which is said what a thief of its file has: the state that is sealed under the root key.
fn victim_enters(number: u16) -> Member {
    let storage = Shared(Arc::new(MemoryStorage::new(&[])));
    let fill = |contents: &[Entry]| storage.rewrite(contents).map(|()| storage.clone());
    let member = Member::new(KeyStore::create_in(fill, &init(&format!("member {number}"))).unwrap());
    let sealed = storage.get(b"v").unwrap().unwrap();
    println!("public root-key {}", hex(&[&member.store.info().unwrap().id[..], &sealed].concat()));
    println!("public identity {}", hex(&member.card().to_bytes()));
    member
}

fn victim_deals(members: &[Member], suite: Suite) -> KeyId {
    let invitation = dkg_invitation(members, suite, 2);
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let mut sent = BTreeMap::new();
    let results = exchange_over(&mut runs, &mut |from, _, message| {
        sent.insert((from, message.round()), message.to_bytes());
        if message.round() == 1 && from == 0 && sent.len() == members.len() + 1 {
            say_messages(&sent, 0, "run key");
            stage("joined");
        }
        vec![message]
    });
    let keys: Vec<_> = results.into_iter().map(|result| result.unwrap().unwrap()).collect();
    say_messages(&sent, 1, "coefficient");
    let certificate = members[0].session.certificate(keys[0].id).unwrap();
    println!("public chain-code {}", hex(&certificate.to_bytes()));
    for public in verifying_shares(&certificate).unwrap().values() {
        println!("public share {}", hex(public));
    }
    stage("dealt");
    keys[0].id
}

fn say_messages(sent: &BTreeMap<(usize, u8), Vec<u8>>, round: u8, kind: &str) {
    for (_, bytes) in sent.iter().filter(|((_, sent), _)| *sent == round) {
        println!("public {} {}", kind.replace(' ', "-"), hex(bytes));
    }
}

fn victim_signs(members: &[Member], key: KeyId) {
    let invitation = members[0].session.invite_sign(key, &[id(1), id(2)], &[7; 32]).unwrap();
    let start = |member: &Member| member.session.start_sign(&invitation, &[7; 32]).unwrap();
    let mut runs: Vec<Run<Signing>> = members[..2].iter().map(start).collect();
    let commits: Vec<_> = runs.iter_mut().map(|run| run.poll_transmit().unwrap()).collect();
    for commit in &commits {
        println!("public nonce {}", hex(&commit.to_bytes()));
    }
    stage("committed");
    runs[0].handle(&commits[1]).unwrap();
    runs[1].handle(&commits[0]).unwrap();
    assert_eq!(exchange(&mut runs).len(), 2);
    stage("signed");
}

/// A key from outside: its public half is told, as whoever imports it tells it.
fn old_key(suite: Suite, number: u8) -> ImportedKey {
    let mut secret: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest([number]).into());
    // Below the order in either byte order.
    secret[0] &= 0x0f;
    secret[31] &= 0x0f;
    let key = ImportedKey::from_scalar(suite, secret).unwrap();
    println!("public imported {}", hex(key.group_key().as_bytes()));
    key
}

/// The dealer enters, alone: the key waits in its run.
fn victim_starts_import(members: &[Member], suite: Suite, number: u8) -> Run<Dealing> {
    let key = old_key(suite, number);
    let template = KeyTemplate::wallet("an old wallet");
    let import = Import { key: &key, threshold: 2, members: roster(members), template, least_attempt: 0 };
    let invitation = members[0].session.invite_import(import).unwrap();
    members[0].session.start_import(&invitation, key).unwrap()
}

fn victim_imports(members: &[Member], suite: Suite) {
    let key = old_key(suite, 1);
    let template = KeyTemplate::wallet("an old wallet");
    let import = Import { key: &key, threshold: 2, members: roster(members), template, least_attempt: 0 };
    let invitation = members[0].session.invite_import(import).unwrap();
    let mut runs = vec![members[0].session.start_import(&invitation, key).unwrap()];
    runs.extend(members[1..].iter().map(|member| member.session.start(&invitation).unwrap()));
    stage("import joined");
    let mut dealt = false;
    let results = exchange_over(&mut runs, &mut |_, _, message| {
        if message.round() == 1 && !dealt {
            dealt = true;
            stage("import dealt");
        }
        vec![message]
    });
    assert!(dealt && results.into_iter().all(|result| matches!(result, Ok(Some(_)))));
    drop(runs);
    stage("imported");
    let aborted = victim_starts_import(members, suite, 2);
    stage("import begun");
    aborted.abort().unwrap();
    stage("import aborted");
}

// The observer.

/// What is public of secrets of one kind: bytes in which the secrets' points stand somewhere.
type Points = BTreeMap<String, HashSet<Vec<u8>>>;

struct Observer {
    suite: Suite,
    /// Token and sealed state of each member.
    locks: Vec<([u8; 16], Vec<u8>)>,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    points: Points,
    /// Found in memory: kind and canonical bytes.
    secrets: BTreeSet<(String, [u8; 32])>,
    /// Looked at already, to no end.
    tried: HashSet<[u8; 32]>,
}

/// How often a secret of each kind is where.
type Copies = BTreeMap<(String, &'static str), usize>;

fn observe(suite: Suite, wipes: bool, failures: &mut Vec<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(VICTIM, suite.code().to_string())
        .envs(wipes.then_some((WIPES, "1")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let (points, secrets, tried) = (Points::new(), BTreeSet::new(), HashSet::new());
    let mut observer = Observer { suite, locks: Vec::new(), child, input, output, points, secrets, tried };
    while let Some(name) = observer.next_stage() {
        let memory = observer.memory();
        if matches!(name.as_str(), "joined" | "dealt" | "committed") || IMPORTING.contains(&name.as_str()) {
            observer.discover(&memory);
        }
        let copies = observer.copies(&memory);
        let who = if wipes { format!("{suite:?}, wiping") } else { format!("{suite:?}") };
        println!("{who}, {name}: {}", describe(&copies));
        failures.extend(judge(&name, &copies).into_iter().map(|what| format!("{who}, {name}: {what}")));
        writeln!(observer.input).unwrap();
    }
    assert!(observer.child.wait().unwrap().success(), "the victim failed");
}

fn describe(copies: &Copies) -> String {
    let text = copies.iter().map(|((kind, place), count)| format!("{kind} {count} x {place}"));
    let text = text.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "nothing".to_owned() } else { text }
}

/// When a key that comes from outside waits to be dealt.
const IMPORTING: [&str; 3] = ["import joined", "import begun", "import left to the logout"];

/// What must be there for the scan to mean something, and what must not.
fn judge(stage: &str, copies: &Copies) -> Vec<String> {
    let count = |kind: &str, place: &str| copies.get(&(kind.to_owned(), place)).copied().unwrap_or(0);
    let alive: &[&str] = match stage {
        "a PIN is held" => &["pin"],
        "joined" => &["run-key", "root-key", "identity"],
        "committed" => &["nonce", "share", "root-key", "identity"],
        stage if IMPORTING.contains(&stage) => &["imported"],
        _ => &[],
    };
    let dead: &[&str] = match stage {
        "a PIN is held" => &[],
        "joined" => &["pin"],
        // Both signers wait with their nonces and shares.
        "committed" => &["pin", "run-key", "coefficient", "chain-code"],
        stage if IMPORTING.contains(&stage) => &["pin", "run-key", "coefficient", "nonce", "share"],
        "logged out" | "dropped" => {
            &["pin", "run-key", "coefficient", "chain-code", "nonce", "share", "imported", "root-key", "identity"]
        }
        _ => &["pin", "run-key", "coefficient", "chain-code", "nonce", "share", "imported"],
    };
    let missing = alive.iter().filter(|kind| count(kind, HEAP) == 0);
    let missing = missing.map(|kind| format!("no living {kind} is found: the scan proves nothing"));
    let left = dead.iter().flat_map(|kind| [HEAP, OTHER].map(|place| (kind, place, count(kind, place))));
    let left = left.filter(|(_, _, count)| *count > 0);
    missing
        .chain(left.map(|(kind, place, count)| format!("{count} copies of a {kind} are left on the {place}")))
        .collect()
}

const HEAP: &str = "heap";
const STACK: &str = "stack";
const OTHER: &str = "other memory";

impl Observer {
    /// Reads what the victim prints up to its next stage.
    fn next_stage(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(name) = line.trim().strip_prefix("stage ") {
                return Some(name.to_owned());
            }
            let (kind, bytes) = line.trim().strip_prefix("public ").unwrap().split_once(' ').unwrap();
            let bytes: Vec<u8> =
                (0..bytes.len() / 2).map(|at| u8::from_str_radix(&bytes[2 * at..2 * at + 2], 16).unwrap()).collect();
            if kind == "root-key" {
                let (token, sealed) = bytes.split_at(16);
                self.locks.push((token.try_into().unwrap(), sealed.to_vec()));
                continue;
            }
            let length = match kind {
                "identity" | "chain-code" => 32,
                _ if self.suite == Suite::Ed25519 => 32,
                _ => 33,
            };
            let points = bytes.windows(length).map(<[u8]>::to_vec);
            self.points.entry(kind.to_owned()).or_default().extend(points);
        }
    }

    /// The writable memory of the victim.
    fn memory(&self) -> Vec<(&'static str, Vec<u8>)> {
        let process = format!("/proc/{}", self.child.id());
        let maps = fs::read_to_string(format!("{process}/maps")).unwrap();
        let memory = File::open(format!("{process}/mem")).unwrap();
        let mut regions = Vec::new();
        for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw"))) {
            let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
            memory.read_exact_at(&mut bytes, start).unwrap();
            let place = if line.ends_with("[heap]") {
                HEAP
            } else if line.ends_with("[stack]") {
                STACK
            } else {
                OTHER
            };
            regions.push((place, bytes));
        }
        regions
    }

    /// Tries everything at an even address that looks random.
    fn discover(&mut self, memory: &[(&'static str, Vec<u8>)]) {
        for (_, bytes) in memory {
            for window in bytes.windows(32).step_by(8) {
                let window: [u8; 32] = window.try_into().unwrap();
                if !looks_random(&window) || !self.tried.insert(window) {
                    continue;
                }
                for (scalar, point) in multiples(self.suite, &window) {
                    let scalars =
                        self.points.iter().filter(|(kind, _)| !matches!(kind.as_str(), "identity" | "chain-code"));
                    for (kind, _) in scalars.filter(|(_, points)| points.contains(&point)) {
                        self.secrets.insert((kind.clone(), scalar));
                    }
                }
                for kind in self.other_kinds(&window) {
                    self.secrets.insert((kind.to_owned(), window));
                }
            }
        }
        // A secret may be found later under what is published then.
        self.tried.clear();
    }

    /// Which secrets besides scalars these bytes are.
    fn other_kinds(&self, window: &[u8; 32]) -> Vec<&'static str> {
        let is = |kind: &str, public: &[u8]| self.points.get(kind).is_some_and(|points| points.contains(public));
        let mut kinds = Vec::new();
        if self.locks.iter().any(|(token, sealed)| opens(window, token, sealed)) {
            kinds.push("root-key");
        }
        if is("identity", ed25519_dalek::SigningKey::from_bytes(window).verifying_key().as_bytes()) {
            kinds.push("identity");
        }
        if is("chain-code", &chain_code_hash(window)) {
            kinds.push("chain-code");
        }
        kinds
    }

    /// Counts the copies of all that was found, at every address and in every form.
    fn copies(&self, memory: &[(&'static str, Vec<u8>)]) -> Copies {
        let mut copies = Copies::new();
        // By their first bytes, so that memory is gone through once.
        let mut halves: BTreeMap<[u8; 16], &str> = BTreeMap::new();
        for (kind, scalar) in &self.secrets {
            for form in forms(self.suite, scalar) {
                for half in form.windows(16).step_by(16) {
                    halves.insert(half.try_into().unwrap(), kind);
                }
            }
        }
        halves.insert(*PIN, "pin");
        let starts: HashSet<[u8; 2]> = halves.keys().map(|half| [half[0], half[1]]).collect();
        for (place, bytes) in memory {
            for window in bytes.windows(16).filter(|window| starts.contains(&[window[0], window[1]])) {
                if let Some(kind) = halves.get(window) {
                    *copies.entry(((*kind).to_owned(), *place)).or_default() += 1;
                }
            }
        }
        // Both halves of most copies are found; half a copy is one as well.
        for count in copies.values_mut() {
            *count = count.div_ceil(2);
        }
        copies
    }
}

/// Whether the bytes are the root key of a token, as docs/format.md has it: they open its sealed state.
fn opens(key: &[u8; 32], token: &[u8; 16], sealed: &[u8]) -> bool {
    let tag = b"quorumkey/vault/record/v1";
    let associated = [&u32::try_from(tag.len()).unwrap().to_be_bytes()[..], tag, token, b"v"].concat();
    let (nonce, ciphertext) = sealed.split_first_chunk::<24>().unwrap();
    let payload = Payload { msg: ciphertext, aad: &associated };
    XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(*nonce), payload).is_ok()
}

/// docs/format.md: `H("quorumkey/chain-code-hash/v1", chain code)`.
fn chain_code_hash(chain_code: &[u8; 32]) -> [u8; 32] {
    let tag = b"quorumkey/chain-code-hash/v1";
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap().to_be_bytes();
    Sha256::digest([&length(tag)[..], tag, &length(chain_code), chain_code].concat()).into()
}

/// Random bytes have some thirty different ones among 32.
fn looks_random(window: &[u8; 32]) -> bool {
    let mut seen = [0_u64; 4];
    for byte in window {
        seen[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    seen.iter().map(|bits| bits.count_ones()).sum::<u32>() >= 22
}

/// The scalars that such memory may hold, in canonical bytes, with their points.
fn multiples(suite: Suite, window: &[u8; 32]) -> Vec<([u8; 32], Vec<u8>)> {
    if suite == Suite::Ed25519 {
        let scalar = Option::<curve25519_dalek::Scalar>::from(curve25519_dalek::Scalar::from_canonical_bytes(*window));
        let point = |scalar| curve25519_dalek::EdwardsPoint::mul_base(&scalar).compress().to_bytes().to_vec();
        return scalar.map(|scalar| (*window, point(scalar))).into_iter().collect();
    }
    // Encoded, or as the processor holds it.
    let reversed = core::array::from_fn(|at| window[31 - at]);
    [*window, reversed].into_iter().filter_map(|bytes| Some((bytes, secp256k1_point(bytes)?))).collect()
}

fn secp256k1_point(bytes: [u8; 32]) -> Option<Vec<u8>> {
    use k256::elliptic_curve::ff::PrimeField;
    use k256::elliptic_curve::sec1::ToSec1Point;
    let scalar = Option::<k256::Scalar>::from(k256::Scalar::from_repr(bytes.into()))?;
    Some(k256::ProjectivePoint::mul_by_generator(&scalar).to_affine().to_sec1_point(true).as_bytes().to_vec())
}

/// The forms in which the libraries below hold a scalar: little- and big-endian, and dalek's limbs of 52 bits.
fn forms(suite: Suite, scalar: &[u8; 32]) -> Vec<Vec<u8>> {
    let reversed: Vec<u8> = scalar.iter().rev().copied().collect();
    if suite != Suite::Ed25519 {
        return vec![scalar.to_vec(), reversed];
    }
    let bit = |at: usize| u64::from(scalar.get(at / 8).copied().unwrap_or(0) >> (at % 8) & 1);
    let limb = |limb: usize| (0..52).fold(0, |value, at| value | bit(52 * limb + at) << at).to_le_bytes();
    vec![scalar.to_vec(), reversed, (0..5).flat_map(limb).collect()]
}
