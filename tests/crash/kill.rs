//! A process that signs and renews is killed, again and again: what it told the world is there.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use quorumkey::audit::{Digest, Record};
use quorumkey::{Filter, KeyInfo, KeyStore, Suite};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;

const FOLDER: &str = "QUORUMKEY_TEST_KILL_FOLDER";
/// The newest audit record that each of the two is known to have had, in hexadecimal digits.
const KNOWN: &str = "QUORUMKEY_TEST_KILL_KNOWN";
const KILLS: usize = 500;

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

/// Signs and renews until it is killed. Begins with looking for what was told before.
fn child(folder: &Path, known: &str) {
    let members = open(folder);
    let told = known.split(' ').map(|text| (!text.is_empty()).then(|| digest(text))).collect::<Vec<_>>();
    for (member, told) in members.iter().zip(&told) {
        // The chain has everything before it as well.
        member.session.audit(*told, 1).expect("a record that was told is gone");
    }
    let mut teller = Teller { members: &members, told: [told[0], told[1]] };
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
    Command::new(std::env::current_exe().unwrap())
        .args(["kill::a_process_that_is_killed_has_lost_nothing_that_it_told", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(KNOWN, known.join(" "))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
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

#[test]
fn a_process_that_is_killed_has_lost_nothing_that_it_told() {
    let _alone = alone();
    if let (Some(folder), Ok(known)) = (std::env::var_os(FOLDER), std::env::var(KNOWN)) {
        return child(Path::new(&folder), &known);
    }
    let kills = rounds("QUORUMKEY_KILLS", KILLS);
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let mut signed = 0;
    for begun in (0..kills).step_by(50) {
        // A log is read whole at each login: new tokens now and then.
        let folder = fast_folder();
        let create = |name| Member::new(KeyStore::create(folder.path().join(name), &init(name)).unwrap());
        let members = [create("one"), create("two")];
        dkg(&members, Suite::ALL[begun / 50 % 3], 2);
        drop(members);
        let mut known = [String::new(), String::new()];
        for kill in begun..kills.min(begun + 50) {
            let delay = Duration::from_micros(u64::from(rng.next_u32() % 4_000));
            let child = spawn(folder.path(), &known);
            assert!(watch(child, &mut known, rng.next_u32() % 12, delay), "something is gone at kill {kill}");
        }
        let members = open(folder.path());
        settle([&members[0].session, &members[1].session]);
        for (member, known) in members.iter().zip(&known) {
            member.session.audit((!known.is_empty()).then(|| digest(known)), 1).unwrap();
            signed += claims(&member.session.audit(None, 100_000).unwrap()).len();
        }
        assert_eq!(store_names(folder.path()), ["one", "two"], "what a kill left beside the stores is gone");
    }
    println!("kill: {kills} kills, 0 lost, {signed} claims");
    assert!(signed >= kills / 10, "they were killed before they did anything: {signed} claims");
}
