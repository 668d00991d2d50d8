//! Every public error has a test that expects it: one that nobody ever made may say anything, or be made by mistake.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::*;
use quorumkey::hazmat::Forger;
use quorumkey::{
    Certificate, CertificateError, Coordinator, DecodeError, Error, GroupKey, Pin, PinError, Roster, RosterError,
    Suite, SuiteError, VerifyingKey,
};

/// All that an error carries: numbers, names, words that stand in the source, and what everybody may read. None of these
/// is ever given a secret, so that no error shows one, whether a test makes it or not.
const CARRIED: &str = "
    AuditError CertificateError DecodeError Denial DerivationError EpochId Identifier KeyId Misbehaviour Misuse PinError
    Rejection RosterError RunId StorageError Suite SuiteError WrapError
    &'static_str io::ErrorKind u8 u16 u32 u64 Evidence Vec<Certificate> Vec<Identifier>";

/// What no test can make, and why.
const NEVER_MADE: [(&str, &str); 3] = [
    ("DerivationError::NoSuchChild", "it takes a hash above the order of secp256k1: one in 2^127"),
    ("MemoryError::CoreDumps", "Linux lets every process lower its own limit"),
    ("MemoryError::Unsupported", "tests run on Linux"),
];

fn sources(folder: &str) -> Vec<(String, String)> {
    let (mut folders, mut found) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// A source without its tests, and they.
fn parted(path: &str, source: &str) -> (String, String) {
    if path.contains("/tests") {
        return (String::new(), source.to_owned());
    }
    let (code, tests) = source.split_once("#[cfg(test)]\nmod tests {").unwrap_or((source, ""));
    (code.to_owned(), tests.to_owned())
}

/// The library's sources without what is there for tests, and its unit tests.
fn ours() -> (Vec<String>, Vec<String>) {
    let ours = sources("src").into_iter().filter(|(path, _)| !path.contains("hazmat"));
    ours.map(|(path, source)| parted(&path, &source)).unzip()
}

/// The variants of the public error types: of what implements `Error`, and why a run failed.
fn variants(sources: &[String]) -> BTreeSet<String> {
    let named = |(name, body): (&str, &str)| -> Vec<String> {
        let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
        let named = lines.filter(|line| line.starts_with(char::is_uppercase));
        named.map(|line| format!("{name}::{}", line.split(|c: char| !c.is_alphanumeric()).next().unwrap())).collect()
    };
    errors(sources).into_iter().flat_map(named).collect()
}

/// The public error types, each with what stands between its braces.
fn errors(sources: &[String]) -> Vec<(&str, &str)> {
    let errors = sources.iter().flat_map(|source| source.split("core::error::Error for ").skip(1));
    let errors = errors.filter_map(|rest| rest.split_whitespace().next()).chain(["Misbehaviour"]);
    let bodies = errors.filter_map(|name| {
        let declared = format!("\npub enum {name} {{\n");
        let (_, rest) = sources.iter().find_map(|source| source.split_once(&declared))?;
        Some((name, rest.split_once("\n}\n").unwrap().0))
    });
    bodies.collect()
}

/// The types of what the variants between an error's braces carry: in parentheses, or on a line of each field's own.
fn carried(body: &str) -> Vec<&str> {
    let code = body.lines().map(str::trim).filter(|line| !line.starts_with(['/', '#']));
    let types = code.flat_map(|line| match line.split_once('(') {
        Some((_, types)) => types.trim_end_matches("),").split(", ").collect(),
        None => line.split_once(": ").map(|(_, of)| vec![of.trim_end_matches(',')]).unwrap_or_default(),
    });
    types.collect()
}

/// Those that no test names.
fn unnamed<'a>(variants: &'a BTreeSet<String>, tests: &str) -> Vec<&'a str> {
    let is_named = |variant: &str| {
        let mut after = tests.split(variant).skip(1);
        after.any(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    variants.iter().map(String::as_str).filter(|variant| !is_named(variant)).collect()
}

/// The last line has the figures for `scripts/coverage`.
#[test]
fn every_public_error_is_expected_by_some_test() {
    let (code, tests) = ours();
    let variants = variants(&code);
    assert!(variants.len() > 100, "the sources are read wrongly: {variants:?}");
    // What is only shown there was put together by hand, and this file names what can't be made.
    let others = sources("tests").into_iter().filter(|(path, _)| !path.ends_with("texts.rs"));
    let others =
        others.map(|(path, source)| if path.ends_with("tests/errors.rs") { expected_here(&source) } else { source });
    let tests = tests.into_iter().chain(others).collect::<String>();
    let never: BTreeSet<_> = NEVER_MADE.iter().map(|(name, _)| *name).collect();
    assert_eq!(unnamed(&variants, &tests).into_iter().collect::<BTreeSet<_>>(), never);
    println!("{} of {} error variants", variants.len() - never.len(), variants.len());
    // A variant that nobody expects is found.
    let planted = BTreeSet::from(["Error::Full".to_owned(), "Error::Planted".to_owned(), "Error::Lock".to_owned()]);
    assert_eq!(unnamed(&planted, "Error::Locked Misuse::Full Error::Full"), ["Error::Lock", "Error::Planted"]);
}

#[test]
fn no_error_carries_what_could_be_a_secret() {
    let known: BTreeSet<_> = CARRIED.split_whitespace().map(|name| name.replace('_', " ")).collect();
    let (code, _) = ours();
    let errors = errors(&code);
    let all: BTreeSet<_> = errors.iter().flat_map(|(_, body)| carried(body)).map(str::to_owned).collect();
    assert_eq!(all, known);
    // Bytes in any form would be found.
    let planted = "    /// Odd.\n    A(Vec<u8>, u8),\n    B {\n        /// Even.\n        b: [u8; 32],\n    },\n    C,";
    assert_eq!(carried(planted), ["Vec<u8>", "u8", "[u8; 32]"]);
}

/// The tests below the first ones.
fn expected_here(source: &str) -> String {
    source.rsplit_once("/// What no other file expects.").unwrap().1.to_owned()
}

/// What no other file expects.
#[test]
fn a_pin_or_a_key_that_is_none_is_an_error_of_the_facade_as_well() {
    let pin = || -> Result<Pin, Error> { Ok(Pin::new("")?) };
    assert!(matches!(pin(), Err(Error::Pin(PinError::TooShort))));
    let key = || -> Result<GroupKey, Error> { Ok(GroupKey::from_bytes(Suite::Ed25519, &[0xff; 32])?) };
    assert!(matches!(key(), Err(Error::Suite(SuiteError::MalformedKey))));
}

#[test]
fn a_roster_of_more_than_a_thousand_is_refused_before_its_members_are_compared() {
    let card = Forger::new([1; 32]).card("one of many", 0);
    assert_eq!(Roster::numbered(vec![card.clone(); 1001]).unwrap_err(), RosterError::TooLong);
    let many = || -> Result<Roster, Error> { Ok(Roster::new(vec![(id(1), card.clone()); 1001])?) };
    assert!(matches!(many(), Err(Error::Roster(RosterError::TooLong))));
}

#[test]
fn a_signature_of_another_message_or_key_verifies_nothing() {
    for suite in Suite::ALL {
        let members = group(2);
        let keys = [dkg(&members, suite, 2), dkg(&members, suite, 2)];
        let signature = sign(&members, keys[0].id, &[1, 2], b"message");
        let verify = |key: &VerifyingKey, message| key.verify(message, &signature);
        assert_eq!(verify(&keys[0].verifying_key, b"message"), Ok(()));
        assert_eq!(verify(&keys[0].verifying_key, b"massage"), Err(SuiteError::Unverified));
        assert_eq!(verify(&keys[1].verifying_key, b"message"), Err(SuiteError::Unverified));
    }
}

/// The certificate with one byte changed, for each byte, where it can still be read.
fn changed(bytes: &[u8]) -> impl Iterator<Item = Certificate> {
    (0..bytes.len()).filter_map(|at| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        Certificate::from_bytes(&bytes).ok()
    })
}

#[test]
fn a_certificate_whose_signatures_or_words_were_changed_says_what_is_wrong() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let genuine = members[0].session.certificate(key.id).unwrap().to_bytes();
    assert_eq!(Certificate::from_bytes(&genuine[..genuine.len() - 1]).unwrap_err(), DecodeError::Truncated);
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"message").unwrap();
    let refused = |changed: Certificate| match Coordinator::new(&invitation, &[changed]) {
        Err(Error::Certificate(why)) => why,
        other => panic!("{other:?}"),
    };
    let reasons: Vec<_> = changed(&genuine).map(refused).collect();
    for member in [id(1), id(2)] {
        assert!(reasons.contains(&CertificateError::Signature(member)));
    }
    assert!(reasons.iter().any(|why| matches!(why, CertificateError::Decode(_))));
    assert!(reasons.contains(&CertificateError::Contradiction("the transcript is of another plan")));
}
