//! What the fuzzers found worth keeping, through the functions that they fuzz.
#![allow(clippy::unwrap_used, reason = "what is wrong in a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use quorumkey::hazmat::fuzz::{TARGETS, planted, run, seeds};

const WRITE_SEEDS: &str = "QUORUMKEY_WRITE_SEEDS";

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The published package has no corpus: there only the names can't be compared.
fn is_here() -> bool {
    let here = fuzz().is_dir();
    if !here {
        println!("not checked: the corpus (this package comes without fuzz/)");
    }
    here
}

#[test]
fn every_input_of_the_corpus_holds() {
    if !is_here() {
        return;
    }
    for target in TARGETS {
        let folder = fuzz().join("corpus").join(target.name);
        let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 3, "{} has {} inputs", target.name, files.len());
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap();
            // Until `scripts/fuzz 60 keep` has put in their place what they lead to.
            let is_seed = name.starts_with("seed-");
            assert!(!is_seed || std::env::var_os(WRITE_SEEDS).is_some(), "{} is not minimised", file.display());
            let bytes = fs::read(&file).unwrap();
            let result = std::panic::catch_unwind(|| (target.run)(&bytes));
            assert!(result.is_ok(), "{} does not hold for {}", target.name, file.display());
        }
    }
}

/// `scripts/fuzz` goes by the folders.
#[test]
fn every_target_has_its_corpus() {
    if !is_here() {
        return;
    }
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();
    let folders = fs::read_dir(fuzz().join("corpus")).unwrap();
    let folders: BTreeSet<_> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(folders.iter().map(String::as_str).collect::<BTreeSet<_>>(), targets);
}

/// With `QUORUMKEY_WRITE_SEEDS` set they go into the corpus.
#[test]
fn what_honest_members_say_and_keep_holds() {
    let write = std::env::var_os(WRITE_SEEDS).is_some();
    for target in TARGETS {
        let seeds = seeds(target.name);
        assert!(!seeds.is_empty());
        for (number, seed) in seeds.iter().enumerate() {
            if write {
                let folder = fuzz().join("corpus").join(target.name);
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join(format!("seed-{number:02}")), seed).unwrap();
            }
            (target.run)(seed);
        }
    }
}

#[test]
fn an_empty_input_holds_for_every_target() {
    for target in TARGETS {
        run(target.name, &[]);
    }
}

#[test]
fn the_planted_fault_breaks() {
    planted(b"qk?");
    assert!(std::panic::catch_unwind(|| planted(b"qk!")).is_err());
}
