//! A process that signs and renews is killed, again and again: what it told the world is there.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use quorumkey::audit::{Digest, Record};
use quorumkey::{Change, Entry, FileStorage, Filter, KeyInfo, KeyStore, MemoryStorage, Storage, StorageError, Suite};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

const FOLDER: &str = "QUORUMKEY_TEST_KILL_FOLDER";
/// The newest audit record that each of the two is known to have had, in hexadecimal digits.
const KNOWN: &str = "QUORUMKEY_TEST_KILL_KNOWN";
/// Set for the control: a child that tells of what it has not written yet.
const EARLY: &str = "QUORUMKEY_TEST_KILL_EARLY";
const KILLS: usize = 500;
/// Kills of the control.
const CONTROL: usize = 5;

/// A storage that acknowledges a change before it is written: it owes the file its last few.
#[derive(Debug)]
struct Early {
    now: MemoryStorage,
    file: FileStorage,
    owed: Mutex<VecDeque<Vec<Change>>>,
}

impl Early {
    fn open(path: &Path) -> Self {
        let file = FileStorage::open(path).unwrap();
        let now = MemoryStorage::new(&file.scan(&[], None, usize::MAX).unwrap());
        Self { now, file, owed: Mutex::default() }
    }
}

impl Storage for Early {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.now.get(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StorageError> {
        self.now.scan(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.now.commit(changes)?;
        let mut owed = self.owed.lock().unwrap();
        owed.push_back(changes.to_vec());
        if owed.len() > 4 { self.file.commit(&owed.pop_front().unwrap()) } else { Ok(()) }
    }

    fn rewrite(&self, contents: &[Entry]) -> Result<(), StorageError> {
        self.now.rewrite(contents)?;
        self.owed.lock().unwrap().clear();
        self.file.rewrite(contents)
    }
}

pub fn open(folder: &Path) -> [Member; 2] {
    ["one", "two"].map(|name| Member::new(KeyStore::open(folder.join(name)).expect("the store opens after a kill")))
}

fn digest(text: &str) -> Digest {
    let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    Digest::from_bytes(std::array::from_fn(byte))
}

/// Tells the world what is in the logs since it was told last.
struct Teller<'a> {
    members: &'a [Member; 2],
    told: [Option<Digest>; 2],
}

impl Teller<'_> {
    fn tell(&mut self) {
        let mut out = std::io::stdout().lock();
        for (number, member) in self.members.iter().enumerate() {
            let new = member.session.audit(self.told[number], 1000).unwrap();
            if let Some(last) = new.last().map(Record::hash) {
                self.told[number] = Some(last);
                writeln!(out, "has {number} {last}").unwrap();
            }
        }
        out.flush().unwrap();
    }
}

fn open_early(folder: &Path) -> [Member; 2] {
    ["one", "two"].map(|name| Member::new(KeyStore::open_in(Early::open(&folder.join(name))).unwrap()))
}

/// Signs and renews until it is killed. Begins with looking for what was told before.
fn child(members: &[Member; 2], known: &str) {
    let told = known.split(' ').map(|text| (!text.is_empty()).then(|| digest(text))).collect::<Vec<_>>();
    for (member, told) in members.iter().zip(&told) {
        // The chain has everything before it as well.
        member.session.audit(*told, 1).expect("a record that was told is gone");
    }
    let mut teller = Teller { members, told: [told[0], told[1]] };
    let sessions = [&members[0].session, &members[1].session];
    let key = settle(sessions);
    for round in 0_u32.. {
        sign_noting(sessions, key, &round.to_be_bytes(), &mut || teller.tell()).unwrap();
        if round % 3 == 1 {
            refresh_noting(sessions, key, &mut || teller.tell()).unwrap();
        }
    }
}

/// Each gives the other what it lacks of a renewal that a kill has interrupted.
pub fn settle(sessions: [&Session; 2]) -> KeyId {
    let keys: Vec<KeyInfo> = sessions[0].find(&Filter::default()).unwrap();
    let [key] = keys.try_into().expect("the key is there");
    for (from, to) in [(0, 1), (1, 0)] {
        for certificate in sessions[from].certificates(key.id).unwrap() {
            sessions[to].complete(&certificate).unwrap();
        }
    }
    assert_eq!(sessions[0].key(key.id).unwrap().epoch, sessions[1].key(key.id).unwrap().epoch);
    key.id
}

fn spawn(folder: &Path, known: &[String; 2]) -> Child {
    command(folder, known).spawn().unwrap()
}

fn command(folder: &Path, known: &[String; 2]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["kill::a_process_that_is_killed_has_lost_nothing_that_it_told", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(KNOWN, known.join(" "))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Lets the child live for a while, and takes note of what it tells. Whether it lived until it was killed: it ends by
/// itself if something is gone.
fn watch(mut child: Child, known: &mut [String; 2], lines: u32, delay: Duration) -> bool {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    let mut heard = 0;
    let mut hear = |line: &str| {
        // A line that was cut off was not told.
        let Some(line) = line.strip_suffix('\n') else { return false };
        if let Some(rest) = line.strip_prefix("has ") {
            let (number, hash) = rest.split_once(' ').unwrap();
            hash.clone_into(&mut known[number.parse::<usize>().unwrap()]);
            return true;
        }
        false
    };
    while heard < lines && out.read_line(&mut line).unwrap() > 0 {
        heard += u32::from(hear(&line));
        line.clear();
    }
    std::thread::sleep(delay);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    while out.read_line(&mut line).unwrap() > 0 {
        hear(&line);
        line.clear();
    }
    status.signal() == Some(9)
}

/// Two tokens with a key, in files.
fn create(folder: &Path, suite: Suite) {
    let members = ["one", "two"].map(|name| Member::new(KeyStore::create(folder.join(name), &init(name)).unwrap()));
    dkg(&members, suite, 2);
}

/// How many of the children that tell before they write are found out, by the first honest one after them.
fn found_out() -> usize {
    let is_found_out = |_: &usize| {
        let folder = fast_folder();
        create(folder.path(), Suite::Ed25519);
        let mut known = [String::new(), String::new()];
        let early = command(folder.path(), &known).env(EARLY, "1").spawn().unwrap();
        assert!(watch(early, &mut known, 12, Duration::ZERO), "the control ended by itself");
        !watch(spawn(folder.path(), &known), &mut known, u32::MAX, Duration::ZERO)
    };
    (0..CONTROL).filter(is_found_out).count()
}

#[test]
fn a_process_that_is_killed_has_lost_nothing_that_it_told() {
    let _alone = alone();
    if let (Some(folder), Ok(known)) = (std::env::var_os(FOLDER), std::env::var(KNOWN)) {
        let folder = Path::new(&folder);
        let members = if std::env::var_os(EARLY).is_some() { open_early(folder) } else { open(folder) };
        return child(&members, &known);
    }
    let kills = rounds("QUORUMKEY_KILLS", KILLS);
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let (mut signed, mut killed, mut lost) = (0, 0, Vec::new());
    for begun in (0..kills).step_by(50) {
        // A log is read whole at each login: new tokens now and then.
        let folder = fast_folder();
        create(folder.path(), Suite::ALL[begun / 50 % 3]);
        let mut known = [String::new(), String::new()];
        for kill in begun..kills.min(begun + 50) {
            let delay = Duration::from_micros(u64::from(rng.next_u32() % 4_000));
            let child = spawn(folder.path(), &known);
            killed += 1;
            if !watch(child, &mut known, rng.next_u32() % 12, delay) {
                lost.push(kill);
                // What is gone stays gone: new tokens.
                break;
            }
        }
        if lost.last().is_some_and(|kill| *kill >= begun) {
            continue;
        }
        let members = open(folder.path());
        settle([&members[0].session, &members[1].session]);
        for (member, known) in members.iter().zip(&known) {
            member.session.audit((!known.is_empty()).then(|| digest(known)), 1).unwrap();
            signed += claims(&member.session.audit(None, 100_000).unwrap()).len();
        }
        assert_eq!(store_names(folder.path()), ["one", "two"], "what a kill left beside the stores is gone");
    }
    let caught = found_out();
    let gone = lost.len();
    println!("kill: {killed} kills, {gone} lost, {signed} claims; of those that tell too early {caught} of {CONTROL}");
    assert!(lost.is_empty(), "something is gone at the kills {lost:?}");
    assert!(signed >= kills / 10, "they were killed before they did anything: {signed} claims");
    assert_eq!((killed, caught), (kills, CONTROL), "what was told and never written went unnoticed");
}
