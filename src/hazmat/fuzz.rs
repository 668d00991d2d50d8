//! What a fuzzer does with its bytes, and what must hold whatever they are. `fuzz/` gives them bytes without end;
//! `tests/corpus.rs` gives them those that once led somewhere new.
//!
//! A target panics when something does not hold. Each makes what it needs from its bytes alone.

mod certificates;
mod decoders;
mod exchange;
mod file;
mod frost;
mod handle;
mod keeping;
mod lie;
mod operations;
mod outside;
mod pair;
#[cfg(feature = "phrase")]
mod phrase;
mod proposals;
mod recorded;
mod seeds;
mod start;
mod texts;

/// One thing to do with any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, also of its folder in the corpus.
    pub name: &'static str,
    /// Does it.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "card", run: decoders::card },
    Target { name: "invitation", run: decoders::invitation },
    Target { name: "plan", run: decoders::plan },
    Target { name: "message", run: decoders::message },
    Target { name: "certificate", run: decoders::certificate },
    Target { name: "transcript", run: decoders::transcript },
    Target { name: "deal", run: decoders::deal },
    Target { name: "opening", run: decoders::opening },
    Target { name: "signature", run: decoders::signature },
    Target { name: "audit_record", run: decoders::audit_record },
    Target { name: "extended_key", run: texts::extended_key },
    Target { name: "path", run: texts::path },
    Target { name: "wrap_key", run: texts::wrap_key },
    Target { name: "address", run: texts::address },
    Target { name: "stored_record", run: keeping::stored_record },
    Target { name: "storage", run: keeping::storage },
    Target { name: "backup", run: keeping::backup },
    Target { name: "operations", run: operations::operations },
    Target { name: "handle_dealing", run: handle::dealing },
    Target { name: "handle_signing", run: handle::signing },
    Target { name: "handle_preprocessing", run: handle::preprocessing },
    Target { name: "handle_reconstruct", run: handle::reconstruct },
    Target { name: "handle_repair", run: handle::repair },
    Target { name: "frost", run: frost::frost },
    Target { name: "file", run: file::file },
    Target { name: "judge", run: outside::judge },
    Target { name: "coordinator", run: outside::coordinator },
    Target { name: "complete", run: certificates::complete },
    Target { name: "start", run: start::start },
    #[cfg(feature = "phrase")]
    Target { name: "phrase", run: phrase::phrase },
];

/// Does what the target of that name does.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
    (target.run)(bytes);
}

/// What honest members give a target: where a fuzzer begins.
pub fn seeds(name: &str) -> Vec<Vec<u8>> {
    seeds::seeds(name)
}

/// Breaks on purpose, so that a fuzzer that finds nothing elsewhere is known to look: on three bytes, one after the other.
pub fn planted(bytes: &[u8]) {
    assert!(bytes.first() != Some(&b'q') || bytes.get(1) != Some(&b'k') || bytes.get(2) != Some(&b'!'), "planted");
}

/// Nobody calls this, on purpose, so that what counts the lines that tests run is known to count.
pub fn uncalled() -> &'static str {
    "nobody reads this"
}

/// Takes a choice off the front of the bytes; 0 when there are none left.
fn choice(bytes: &mut &[u8]) -> u8 {
    let Some((first, rest)) = bytes.split_first() else { return 0 };
    *bytes = rest;
    *first
}

/// One of these, by a choice.
fn one_of<T>(from: &[T], choice: u8) -> &T {
    let place = usize::from(choice) % from.len().max(1);
    from.get(place).expect("there is something to choose from")
}
