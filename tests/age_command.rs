//! Backups and the ordinary `age` command: each opens what the other sealed.
//!
//! Without the command this says so and checks nothing, unless `QUORUMKEY_REQUIRE_AGE=1` makes that a failure.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail as its body does")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use quorumkey::hazmat::wrap::{cheap_passphrase, open, seal};
use quorumkey::wrap::{Identity, Recipient, SecretKey, WrapError};

const PLAINTEXT: &[u8] = b"what a device would have held\0\xff\n";
const WORDS: &str = "armadillo quarry lantern violet tundra mosaic";

/// Gives a command a terminal of its own, and the words at each prompt: it asks for them nowhere else.
const TYPIST: &str = r#"
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
while True:
    try:
        more = os.read(terminal, 1024)
    except OSError:
        break
    if not more:
        break
    shown += more
    if shown.endswith(b": "):
        os.write(terminal, sys.argv[1].encode() + b"\n")
        shown = b""
sys.stderr.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

fn has(command: &str) -> bool {
    let run = Command::new(command).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = run.is_ok_and(|status| status.success());
    if !there {
        // Not by `eprintln`: what a test that passes prints is not shown.
        let _ = writeln!(std::io::stderr(), "not checked: no {command} command");
        assert_ne!(std::env::var("QUORUMKEY_REQUIRE_AGE").as_deref(), Ok("1"), "no {command} command");
    }
    there
}

fn age(arguments: &[&str]) -> Output {
    Command::new("age").args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn age_with_words(words: &str, arguments: &[&str]) -> Output {
    Command::new("python3").args(["-c", TYPIST, words, "age"]).args(arguments).stdin(Stdio::null()).output().unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        text(&path)
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn key() -> SecretKey {
    SecretKey::from_bytes(&[0x51; 32]).unwrap()
}

#[test]
fn the_age_command_opens_what_was_sealed_to_a_key() {
    if !has("age") {
        return;
    }
    let folder = Folder::new();
    let identity = folder.write("identity", key().to_text().as_bytes());
    for length in [0, 1, PLAINTEXT.len(), 65_535, 65_536, 65_537, 200_000] {
        let plaintext: Vec<u8> = PLAINTEXT.iter().copied().cycle().take(length).collect();
        let file = folder.write("file", &seal(&plaintext, &key().recipient()).unwrap());
        let output = age(&["-d", "-i", &identity, &file]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout, plaintext);
    }
}

#[test]
fn the_age_command_does_not_open_what_was_sealed_to_another_key() {
    if !has("age") {
        return;
    }
    let folder = Folder::new();
    let other = SecretKey::from_bytes(&[0x52; 32]).unwrap();
    let identity = folder.write("identity", other.to_text().as_bytes());
    let file = folder.write("file", &seal(PLAINTEXT, &key().recipient()).unwrap());
    assert!(!age(&["-d", "-i", &identity, &file]).status.success());
}

#[test]
fn what_the_age_command_sealed_to_a_key_opens() {
    if !has("age") {
        return;
    }
    let folder = Folder::new();
    for length in [0, PLAINTEXT.len(), 65_535, 65_536, 65_537, 131_072, 200_000] {
        let plaintext: Vec<u8> = PLAINTEXT.iter().copied().cycle().take(length).collect();
        let file = folder.write("plaintext", &plaintext);
        let output = age(&["-r", &key().public_key().to_string(), &file]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(*open(&output.stdout, &Identity::X25519(key())).unwrap(), plaintext);
        assert_eq!(open(&output.stdout, &Identity::generate()).err(), Some(WrapError::Unwrap));
    }
}

#[test]
fn an_armored_file_of_the_age_command_is_refused() {
    if !has("age") {
        return;
    }
    let folder = Folder::new();
    let file = folder.write("plaintext", PLAINTEXT);
    let output = age(&["-a", "-r", &key().public_key().to_string(), &file]);
    assert!(output.status.success() && output.stdout.starts_with(b"-----BEGIN AGE"));
    assert_eq!(open(&output.stdout, &Identity::X25519(key())).err(), Some(WrapError::Unwrap));
}

#[test]
fn the_age_command_opens_what_was_sealed_to_words() {
    if !has("age") || !has("python3") {
        return;
    }
    let folder = Folder::new();
    for recipient in [cheap_passphrase(WORDS, 10).unwrap(), Recipient::passphrase_with_work_factor(WORDS, 15).unwrap()]
    {
        let file = folder.write("file", &seal(PLAINTEXT, &recipient).unwrap());
        let opened = folder.path("opened");
        let output = age_with_words(WORDS, &["-d", "-o", &text(&opened), &file]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(std::fs::read(&opened).unwrap(), PLAINTEXT);
        assert!(!age_with_words("other words", &["-d", &file]).status.success());
    }
}

#[test]
fn what_the_age_command_sealed_to_words_opens() {
    if !has("age") || !has("python3") {
        return;
    }
    let folder = Folder::new();
    let plaintext = folder.write("plaintext", PLAINTEXT);
    let sealed = folder.path("sealed");
    let output = age_with_words(WORDS, &["-p", "-o", &text(&sealed), &plaintext]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = std::fs::read(&sealed).unwrap();
    assert_eq!(*open(&file, &Identity::passphrase(WORDS)).unwrap(), PLAINTEXT);
    assert_eq!(open(&file, &Identity::passphrase("other words")).err(), Some(WrapError::Unwrap));
}
