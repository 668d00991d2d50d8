//! Reads the victim's memory, finds the secrets in it by what is public of them, and counts their copies.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use curve25519_dalek::montgomery::MontgomeryPoint;
use quorumkey::Suite;
use sha2::{Digest, Sha256};

use crate::points::{looks_random, multiples};
use crate::{PINS, VICTIM, WIPES};

pub const HEAP: &str = "heap";
pub const STACK: &str = "stack";
const OTHER: &str = "other memory";

/// How often a secret of each kind is where.
pub type Copies = BTreeMap<(String, &'static str), usize>;

/// What was in memory at one stage.
pub struct Seen {
    pub stage: String,
    pub copies: Copies,
}

/// Lets a victim live, and looks at it.
pub fn observe(suite: Suite, wipes: bool) -> Vec<Seen> {
    let mut victim = Victim::start(suite, wipes);
    let mut memories = Vec::new();
    while let Some(stage) = victim.next_stage() {
        memories.push((stage, victim.memory()));
        writeln!(victim.input).unwrap();
    }
    assert!(victim.child.wait().unwrap().success(), "the victim failed");
    let secrets = victim.public.find(memories.iter().map(|(_, memory)| memory));
    let wanted = Wanted::new(suite, &secrets);
    memories.into_iter().map(|(stage, memory)| Seen { stage, copies: wanted.copies(&memory) }).collect()
}

/// The writable memory, by what it is for.
type Memory = Vec<(&'static str, Vec<u8>)>;

struct Victim {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    public: Public,
}

impl Victim {
    fn start(suite: Suite, wipes: bool) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(VICTIM, suite.code().to_string())
            .envs(wipes.then_some((WIPES, "1")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output, public: Public { suite, of_points: BTreeMap::new(), locks: Vec::new() } }
    }

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
            let (bytes, kind) = line.trim().strip_prefix("public ").unwrap().split_once(' ').unwrap();
            self.public.take(kind, &unhex(bytes));
        }
    }

    fn memory(&self) -> Memory {
        let process = format!("/proc/{}", self.child.id());
        let maps = fs::read_to_string(format!("{process}/maps")).unwrap();
        let memory = File::open(format!("{process}/mem")).unwrap();
        let writable =
            maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw")));
        writable.map(|line| (place_of(line), read(&memory, line.split(' ').next().unwrap()))).collect()
    }
}

fn place_of(line: &str) -> &'static str {
    [("[heap]", HEAP), ("[stack]", STACK)]
        .into_iter()
        .find(|(end, _)| line.ends_with(end))
        .map_or(OTHER, |(_, place)| place)
}

fn read(memory: &File, range: &str) -> Vec<u8> {
    let (start, end) = range.split_once('-').unwrap();
    let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
    let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
    memory.read_exact_at(&mut bytes, start).unwrap();
    bytes
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// What is public of the secrets.
struct Public {
    suite: Suite,
    /// By kind: bytes in which the secrets' points or hashes stand somewhere.
    of_points: BTreeMap<String, HashSet<Vec<u8>>>,
    /// Kind of the root key, token, and the token's sealed state.
    locks: Vec<(String, [u8; 16], Vec<u8>)>,
}

/// A kind of secret, and its canonical bytes.
type Secrets = BTreeSet<(String, [u8; 32])>;

impl Public {
    fn take(&mut self, kind: &str, bytes: &[u8]) {
        if kind.ends_with("root key") {
            let (token, sealed) = bytes.split_at(16);
            self.locks.push((kind.to_owned(), token.try_into().unwrap(), sealed.to_vec()));
            return;
        }
        let is_32 = matches!(kind, "identity" | "chain code" | "backup key") || self.suite == Suite::Ed25519;
        let windows = bytes.windows(if is_32 { 32 } else { 33 }).map(<[u8]>::to_vec);
        self.of_points.entry(kind.to_owned()).or_default().extend(windows);
    }

    /// Tries everything at an even address that looks random, in all the memories.
    fn find<'a>(&self, memories: impl Iterator<Item = &'a Memory>) -> Secrets {
        let mut tried = HashSet::new();
        for (_, bytes) in memories.flatten() {
            let windows = bytes.windows(32).step_by(8).map(|window| <[u8; 32]>::try_from(window).unwrap());
            tried.extend(windows.filter(looks_random));
        }
        let tried: Vec<_> = tried.into_iter().collect();
        let parts = tried.chunks(tried.len().div_ceil(2).max(1));
        thread::scope(|scope| {
            let find = |part: &[[u8; 32]]| part.iter().flat_map(|window| self.kinds(window)).collect::<Secrets>();
            let running: Vec<_> = parts.map(|part| scope.spawn(move || find(part))).collect();
            running.into_iter().flat_map(|part| part.join().unwrap()).collect()
        })
    }

    /// Which secrets these bytes are.
    fn kinds(&self, window: &[u8; 32]) -> Secrets {
        let mut found = Secrets::new();
        let mut is = |only: Option<&str>, public: &[u8], secret: [u8; 32]| {
            let special = |kind: &str| matches!(kind, "identity" | "chain code" | "backup key");
            let asked = |kind: &str| only.map_or(!special(kind), |only| only == kind);
            let kinds = self.of_points.iter().filter(|(kind, points)| asked(kind) && points.contains(public));
            found.extend(kinds.map(|(kind, _)| (kind.clone(), secret)));
        };
        for (scalar, point) in multiples(self.suite, window) {
            is(None, &point, scalar);
        }
        let identity = ed25519_dalek::SigningKey::from_bytes(window).verifying_key();
        is(Some("identity"), identity.as_bytes(), *window);
        is(Some("backup key"), MontgomeryPoint::mul_base_clamped(*window).as_bytes(), *window);
        is(Some("chain code"), &chain_code_hash(window), *window);
        let opened = self.locks.iter().filter(|(_, token, sealed)| opens(window, token, sealed));
        found.extend(opened.map(|(kind, ..)| (kind.clone(), *window)));
        found
    }
}

/// The secrets that are looked for, by the bytes of each half of each form.
struct Wanted {
    halves: BTreeMap<[u8; 16], String>,
    /// How any of them begins, so that memory is gone through once.
    starts: Vec<bool>,
}

impl Wanted {
    fn new(suite: Suite, secrets: &Secrets) -> Self {
        let mut halves: BTreeMap<_, _> = PINS.iter().map(|(kind, pin)| (**pin, (*kind).to_owned())).collect();
        for (kind, scalar) in secrets {
            for form in forms(suite, scalar) {
                halves.extend(form.windows(16).step_by(16).map(|half| (half.try_into().unwrap(), kind.clone())));
            }
        }
        let mut starts = vec![false; 1 << 16];
        for half in halves.keys() {
            starts[start_of(half)] = true;
        }
        Self { halves, starts }
    }

    /// Counts the copies, at every address and in every form.
    fn copies(&self, memory: &Memory) -> Copies {
        let mut copies = Copies::new();
        for (place, bytes) in memory {
            for window in bytes.windows(16).filter(|window| self.starts[start_of(window)]) {
                if let Some(kind) = self.halves.get(window) {
                    *copies.entry((kind.clone(), *place)).or_default() += 1;
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

fn start_of(bytes: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
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
