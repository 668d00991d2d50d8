//! The house rules that a compiler does not check: which way modules depend, and what may stand in them.
#![allow(clippy::unwrap_used, reason = "what is wrong in a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules and their floors. A module imports from floors below it.
const FLOORS: [(&str, u8); 14] = [
    ("guard", 0),
    ("suite", 1),
    ("memory", 1),
    ("secret", 2),
    ("wire", 2),
    ("protocol", 3),
    ("policy", 3),
    ("audit", 3),
    ("wrap", 3),
    ("derivation", 3),
    ("keystore", 4),
    ("transport", 5),
    // Above everything: doors into all floors, for tests.
    ("hazmat", 6),
    // The table of contents.
    ("lib", 7),
];

/// Imports within a floor. None of them goes both ways.
const NEIGHBOURS: [(&str, &str); 2] = [("wire", "secret"), ("policy", "protocol")];

/// What a cast leads to. Clippy refuses every cast; this stands where somebody silences it.
const NUMBERS: [&str; 14] =
    ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64"];

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// What is wrong with a file of `src/`, of which only code is looked at: no comments, texts or tests.
fn violations(path: &str, source: &str) -> Vec<String> {
    let code = without_tests(&code_only(source));
    let module = path.split('/').next().unwrap().trim_end_matches(".rs");
    let mut found = Vec::new();
    for line in code.lines() {
        let mut complain = |what: &str| found.push(format!("{path}: {what}: {}", line.trim()));
        if line.contains(".unwrap()") {
            complain("unwrap");
        }
        if words(line).any(|word| word == "todo!" || word == "unimplemented!") {
            complain("unfinished");
        }
        if words(line).zip(words(line).skip(1)).any(|(word, next)| word == "as" && NUMBERS.contains(&next)) {
            complain("cast");
        }
    }
    found.extend(
        imports(&code)
            .into_iter()
            .filter(|imported| !may_import(module, imported))
            .map(|imported| format!("{path}: {module} imports {imported}, which is not below it")),
    );
    if module == "lib" {
        let contents = ["mod ", "pub mod ", "pub use "];
        let other = code.split_inclusive(';').map(without_attributes).filter(|item| !item.is_empty());
        let other = other.filter(|item| !contents.iter().any(|start| item.starts_with(start)));
        found.extend(other.map(|item| format!("{path}: more than a table of contents: {item}")));
    }
    found
}

fn may_import(module: &str, imported: &str) -> bool {
    let (Some(own), Some(other)) = (floor(module), floor(imported)) else {
        // `use crate::Suite`: a name of the public face, above every floor but the doors.
        return module == "hazmat";
    };
    module == imported || other < own || NEIGHBOURS.contains(&(module, imported))
}

/// The modules named in `crate::module`, also in the middle of an expression.
fn imports(code: &str) -> BTreeSet<String> {
    let uses = code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with(is_word));
    let names = uses.flat_map(|(at, found)| {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            // `use crate::{a::b, c}`: the names at the first level.
            Some(group) => first_level(group),
            None => vec![first_word(rest)],
        }
    });
    names.collect()
}

fn first_level(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut at_name) = (0, Vec::new(), true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_name = true,
            _ if at_name && is_word(character) => {
                names.push(first_word(&group[at..]));
                at_name = false;
            }
            _ => {}
        }
    }
    names
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|character| is_word(*character)).collect()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !is_word(character) && character != '!')
}

fn without_attributes(item: &str) -> &str {
    let mut item = item.trim();
    while let Some((_, rest)) = item.strip_prefix("#").and_then(|attribute| attribute.split_once(']')) {
        item = rest.trim();
    }
    item
}

/// The code with its comments and texts taken out; line breaks stay.
fn code_only(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        let skipped = match character {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => text_end(rest, 1),
            'r' if rest.starts_with("r#\"") && !code.ends_with(is_word) => {
                rest.find("\"#").map_or(rest.len(), |end| end + 2)
            }
            '\'' => character_end(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(character);
            rest = &rest[character.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().filter(|character| *character == '\n'));
            rest = &rest[skipped..];
        }
    }
    code
}

fn text_end(text: &str, from: usize) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().filter(|(at, _)| *at >= from) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The end of a character literal; 0 for a lifetime.
fn character_end(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((after, _))) => text[after + 1..].find('\'').map_or(0, |end| after + 1 + end + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// The code without the items under `#[cfg(test)]` and `#[cfg(doctest)]`.
fn without_tests(code: &str) -> String {
    let (mut kept, mut rest) = (String::new(), code);
    let next = |rest: &str| ["#[cfg(test)]", "#[cfg(doctest)]"].iter().filter_map(|mark| rest.find(mark)).min();
    while let Some(start) = next(rest) {
        kept.push_str(&rest[..start]);
        rest = &rest[start..];
        let mut depth = 0_u32;
        let end = rest.char_indices().find(|(_, character)| match character {
            '{' => {
                depth += 1;
                false
            }
            '}' => {
                depth -= 1;
                depth == 0
            }
            ';' => depth == 0,
            _ => false,
        });
        rest = &rest[end.map_or(rest.len(), |(at, _)| at + 1)..];
    }
    kept + rest
}

/// The names of `#[cfg(test)] mod name;`.
fn test_modules(source: &str) -> Vec<String> {
    let code = code_only(source);
    let marked = code.split("#[cfg(test)]").skip(1);
    marked
        .filter_map(|item| item.split_once(';')?.0.split_once("mod ").map(|(_, name)| name.trim().to_owned()))
        .collect()
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The files of `src/` that are compiled outside tests, with their paths below it.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    let all: Vec<_> = paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect();
    let tests: Vec<String> = all
        .iter()
        .flat_map(|(path, source)| {
            let folder = path.strip_suffix("/mod.rs").or(path.strip_suffix(".rs")).unwrap().to_owned();
            test_modules(source).into_iter().map(move |module| format!("{folder}/{module}"))
        })
        .collect();
    let is_test = |path: &str| {
        tests
            .iter()
            .any(|test| path.strip_prefix(test.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/')))
    };
    all.into_iter().filter(|(path, _)| !is_test(path)).collect()
}

#[test]
fn every_module_imports_only_from_the_floors_below_it() {
    let sources = sources();
    assert!(sources.len() > 50, "only {} files were found", sources.len());
    let found: Vec<_> = sources.iter().flat_map(|(path, source)| violations(path, source)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_module_has_its_floor() {
    for (path, _) in sources() {
        let module = path.split('/').next().unwrap().trim_end_matches(".rs");
        assert!(floor(module).is_some(), "{path} is on no floor");
    }
}

#[test]
fn a_planted_violation_is_found() {
    let planted = [
        ("wire/card.rs", "use crate::keystore::Pin;\n"),
        ("wire/card.rs", "use crate::{suite::Suite, protocol::{Epoch, Claim}};\n"),
        ("wire/card.rs", "fn f() { crate::audit::verify() }\n"),
        ("suite/mod.rs", "use crate::secret::Secret;\n"),
        ("secret.rs", "use crate::wire::Identifier;\n"),
        ("protocol/sign/share.rs", "use crate::policy::Verb;\n"),
        ("keystore/run.rs", "use crate::Signature;\n"),
        ("keystore/run.rs", "use crate::transport::Bus;\n"),
        ("keystore/run.rs", "use crate::hazmat::frost_identifier;\n"),
        ("wire/codec.rs", "fn f(x: u8) -> u16 { x as u16 }\n"),
        ("wire/codec.rs", "fn f(x: Option<u8>) -> u8 { x.unwrap() }\n"),
        ("wire/codec.rs", "fn f() { todo!() }\n"),
        ("lib.rs", "mod wire;\nfn f() {}\n"),
    ];
    for (path, source) in planted {
        assert_eq!(violations(path, source).len(), 1, "{path}: {source}");
    }
}

/// The names of clocks that somebody can set back.
fn clocks(code: &str) -> usize {
    words(code).filter(|word| ["SystemTime", "UNIX_EPOCH", "clock_gettime", "chrono"].contains(word)).count()
}

/// A clock that can be set back gives back what had run out.
#[test]
fn no_clock_that_can_be_set_back_is_read() {
    assert_eq!(clocks("use std::time::{Duration, SystemTime};\nfn f() { std::time::UNIX_EPOCH; }"), 2);
    let sources = sources();
    assert!(sources.iter().any(|(_, source)| code_only(source).contains("Instant::now()")), "the other one is there");
    let found: Vec<_> = sources.iter().filter(|(_, source)| clocks(&code_only(source)) > 0).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Lines that take an error into their hands, where it could be kept or shown; `map_err(|_| ..)` drops it unseen.
fn held_errors(code: &str) -> Vec<&str> {
    const HANDS: [&str; 6] = [".expect(", ".err()", "_err()", "inspect_err(", "or_else(", "From<age"];
    let is_bound = |rest: &str| rest.starts_with(char::is_lowercase) && rest.contains(')');
    let holds = |line: &str| {
        line.split("map_err(").skip(1).any(|rest| !rest.starts_with("|_|"))
            || line.split("Err(").skip(1).any(is_bound)
            || HANDS.iter().any(|hand| line.contains(hand))
    };
    code.lines().filter(|line| holds(line)).collect()
}

/// Showing one of them can panic, and they tell a wrong key from changed bytes.
#[test]
fn no_error_of_the_age_crate_is_kept_or_shown() {
    let planted = [
        "decryptor.decrypt(identities).map_err(|error| WrapError::Other(error.to_string()))?;",
        "decryptor.decrypt(identities).map_err(WrapError::Age)?;",
        "if let Err(error) = decryptor.decrypt(identities) { log(error) }",
        "decryptor.decrypt(identities).expect();",
        "decryptor.decrypt(identities).inspect_err(show)",
        "let why = decryptor.decrypt(identities).err();",
        "decryptor.decrypt(identities).unwrap_or_else(|error| panic!())",
        "impl From<age::DecryptError> for WrapError {",
    ];
    for line in planted {
        assert_eq!(held_errors(line), [line]);
    }
    assert!(
        held_errors("age::Decryptor::new(file).map_err(|_| WrapError::Unwrap)?; Err(WrapError::Unwrap)").is_empty()
    );
    let wrap: Vec<_> = sources().into_iter().filter(|(path, _)| path.starts_with("wrap/")).collect();
    assert!(wrap.iter().any(|(_, source)| source.contains("age::Decryptor")), "its calls are there");
    for (path, source) in wrap {
        assert_eq!(held_errors(&without_tests(&code_only(&source))), [""; 0], "{path}");
    }
}

#[test]
fn comments_texts_and_tests_are_no_violations() {
    let innocent = "//! See [`crate::keystore`] as such.\n\
        use crate::suite::{Suite as Kind, with_suite};\n\
        const TEXT: &str = \"x as y .unwrap() \\\" crate::keystore\"; const QUOTE: char = '\"';\n\
        fn f<'a>(x: &'a str) -> &'a str { x }\n\
        #[cfg(test)]\nmod tests {\n use crate::keystore::Pin; fn g() { x.unwrap(); }\n}\n";
    assert_eq!(violations("wire/card.rs", innocent), Vec::<String>::new());
    let planted = format!("{innocent}use crate::keystore::Pin;\n");
    assert_eq!(violations("wire/card.rs", &planted).len(), 1, "what follows the tests is looked at");
    assert_eq!(test_modules("#[cfg(test)]\npub(crate) mod official;\nmod suite;\n"), ["official"]);
}

/// What stands between backticks in a page.
fn named(page: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The functions of a source, and the entries of a list of which a macro makes functions: `name => what;`, `name: What,`.
fn functions(source: &str) -> impl Iterator<Item = String> {
    let entry = |line: &str| {
        let name = first_word(line);
        let rest = line[name.len()..].trim_start();
        let is_entry =
            rest.starts_with("=>") || rest.strip_prefix(": ").is_some_and(|what| what.starts_with(char::is_uppercase));
        is_entry.then_some(name)
    };
    let function = |line: &str| line.split(' ').skip_while(|word| *word != "fn").nth(1).map(first_word);
    let lines = source.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.filter_map(move |line| function(line).or_else(|| entry(line)))
}

/// Those of the names that are no file, and neither a function, if they are a sentence, nor else a word of the sources and
/// tests.
fn missing(names: Vec<String>) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in ["src", "tests", "examples", "model"] {
        files(&root.join(folder), &mut paths);
    }
    let all: String = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    // Whole words only: a name that is part of a longer one is another name.
    let words: BTreeSet<&str> = all.split(|character: char| !is_word(character)).collect();
    let functions: BTreeSet<String> = functions(&all).collect();
    let is_sentence = |name: &str| name.contains('_') && !name.contains(char::is_uppercase);
    let exists = |name: &str| match name {
        path if path.contains('/') => root.join(path).exists(),
        sentence if is_sentence(sentence) => functions.contains(sentence),
        word => words.contains(word),
    };
    names.into_iter().filter(|name| !exists(name)).collect()
}

#[test]
fn every_test_that_the_table_of_traps_names_exists() {
    let names = named("docs/traps.md");
    assert!(names.len() > 100, "only {} names were found", names.len());
    assert_eq!(missing(names), Vec::<String>::new());
}

fn page(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The guards that the code marks, each with the files that it stands in.
fn marked_guards() -> BTreeMap<String, BTreeSet<String>> {
    let mut marked = BTreeMap::<_, BTreeSet<_>>::new();
    for (path, source) in sources() {
        let code = code_only(&source);
        for mark in ["holds!(", "forbids!(", "unless_off!("] {
            for (at, _) in code.match_indices(mark).filter(|(at, _)| !code[..*at].ends_with(is_word)) {
                let guard = first_word(code[at + mark.len()..].trim_start());
                marked.entry(guard).or_default().insert(format!("src/{path}"));
            }
        }
    }
    marked
}

/// The guards of the list in `src/guard.rs`. Each has a line that says what it holds back.
fn listed_guards() -> Vec<String> {
    let source = page("src/guard.rs");
    let (_, list) = source.rsplit_once("guards! {\n").unwrap();
    let lines: Vec<_> = list.lines().map(str::trim).take_while(|line| *line != "}").collect();
    let (pairs, rest) = lines.as_chunks::<2>();
    assert_eq!(rest, [""; 0]);
    let guard = |[says, guard]: &[&str; 2]| {
        assert!(says.starts_with("/// ") && says.ends_with('.'), "{says}");
        guard.strip_suffix(',').unwrap().to_owned()
    };
    pairs.iter().map(guard).collect()
}

#[test]
fn every_guard_holds_back_a_trap_where_the_table_says_and_a_test_misses_it() {
    let marked = marked_guards();
    assert!(marked.len() > 150, "only {} guards were found", marked.len());
    let list = listed_guards();
    assert_eq!(list.iter().filter(|guard| *guard != "Nothing").collect::<BTreeSet<_>>(), marked.keys().collect());
    assert!(list.contains(&"Nothing".to_owned()), "the one that nothing is marked with");
    let page = page("docs/traps.md");
    let (traps, table) = page.split_once("\n## Guards\n").unwrap();
    let cells = |row: &str| -> Vec<Vec<String>> {
        let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        row.trim_matches('|').split('|').map(names).collect()
    };
    let (mut rows, mut misses) = (BTreeMap::new(), BTreeMap::new());
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let [guard, places, tests] = cells(row).try_into().unwrap();
        assert!(!tests.is_empty(), "{row}");
        assert!(rows.insert(guard[0].clone(), places.into_iter().collect()).is_none(), "{row}");
        misses.insert(guard[0].clone(), tests);
    }
    assert_eq!(rows, marked);
    let held: BTreeSet<_> = traps.lines().filter_map(|row| row.strip_suffix(" |")?.rsplit_once(" | ")).collect();
    let held: BTreeSet<_> = held.into_iter().flat_map(|(_, last)| cells(last).concat()).collect();
    assert_eq!(marked.keys().filter(|guard| !held.contains(*guard)).collect::<Vec<_>>(), Vec::<&String>::new());
    // Of the tests of a trap one at least misses a guard of the trap.
    for row in traps.lines().filter(|row| row.starts_with("| ")) {
        let mut named = cells(row);
        let guards: Vec<_> = named.pop().unwrap().into_iter().filter(|guard| misses.contains_key(guard)).collect();
        let told = |test: &String| guards.iter().any(|guard| misses[guard].contains(test));
        assert!(guards.is_empty() || named.concat().iter().any(told), "no test of this trap misses its guard: {row}");
    }
}

/// Where something that was made of secrets is made public, how often, and what. The gate of constant time allows the one
/// line that does it, whoever calls it: so who calls it is written down here.
const VERDICTS: [(&str, usize, &str); 9] = [
    ("keystore/imported/mod.rs", 1, "whether a plan imports this key"),
    ("keystore/soft/backup.rs", 1, "whether a chain code is that of the certificate"),
    ("keystore/vault/marks.rs", 1, "whether the records are those that were left"),
    ("protocol/renewal/deals.rs", 2, "whether a payload is as its dealer promised"),
    ("suite/ed25519.rs", 1, "whether bytes are a scalar"),
    ("suite/mod.rs", 1, "whether two scalars or elements are the same"),
    ("suite/secp256k1.rs", 1, "whether bytes are a scalar"),
    ("wrap/identity.rs", 1, "whether a text is the one encoding of a key"),
    ("wrap/stream.rs", 1, "whether a chunk of a backup is authentic"),
];

/// Where else a `Choice` becomes an answer or a byte.
const CHOICES: [(&str, usize, &str); 3] = [
    ("suite/secp256k1.rs", 1, "the parity of a point goes into its encoding"),
    ("suite/taproot.rs", 1, "the parity of the output key, which is public"),
    ("suite/verdict.rs", 1, "the one line"),
];

/// How often any of these is called, file by file.
fn calls(functions: &[&str]) -> BTreeMap<String, usize> {
    let count = |code: &str| -> usize {
        let called = |name: &&str| code.match_indices(*name).filter(|(at, _)| !code[..*at].ends_with(is_word)).count();
        functions.iter().map(called).sum()
    };
    let counted = sources().into_iter().map(|(path, source)| (path, without_tests(&code_only(&source))));
    counted
        .map(|(path, code)| (path, count(&code.replace("fn verdict(", ""))))
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[test]
fn what_was_made_of_secrets_is_made_public_where_the_list_says_and_nowhere_else() {
    let listed = |list: &[(&str, usize, &str)]| -> BTreeMap<String, usize> {
        list.iter().map(|(path, count, _)| ((*path).to_owned(), *count)).collect()
    };
    assert_eq!(calls(&["verdict("]), listed(&VERDICTS));
    assert_eq!(calls(&["bool::from(", "unwrap_u8("]), listed(&CHOICES));
}

/// Whatever else could be switched off: the macros are the plain expressions, and the names are not compiled.
#[test]
fn no_guard_can_be_switched_off_without_the_cfg() {
    for (path, source) in sources() {
        let code = code_only(&source);
        let switches = code.contains("quorumkey_guards") || code.contains("is_off") || code.contains("env::var");
        assert_eq!(switches, path == "guard.rs", "{path}");
    }
    let code = code_only(&page("src/guard.rs"));
    for item in ["use switch", "mod switch {"] {
        let before = code.split_once(item).unwrap().0.trim_end();
        let before = before.strip_suffix("pub(crate)").unwrap_or(before).trim_end();
        assert!(before.ends_with("#[cfg(quorumkey_guards)]"), "{item}");
    }
    let macros: Vec<_> = code.split("macro_rules!").collect();
    let cfgs = macros.iter().map(|text| text.trim_end().rsplit('\n').next().unwrap());
    let plain = cfgs.clone().filter(|cfg| *cfg == "#[cfg(not(quorumkey_guards))]").count();
    let switched = cfgs.filter(|cfg| *cfg == "#[cfg(quorumkey_guards)]").count();
    // The fourth lists the guards, within the module.
    assert_eq!((plain, switched, macros.len()), (3, 3, 8));
    for body in &macros[1..=plain] {
        assert!(!body.contains("is_off"), "{body}");
    }
}

#[test]
fn every_test_that_security_md_names_exists() {
    let sentence = |name: &String| name.contains('/') || name.matches('_').count() > 2;
    let names: Vec<_> = named("SECURITY.md").into_iter().filter(sentence).collect();
    assert!(names.len() > 60, "only {} names were found", names.len());
    assert_eq!(missing(names), Vec::<String>::new());
    let unwritten = ["a_test_that_nobody_".to_owned() + "wrote", "a_test_that_is_only_spoken_of".to_owned()];
    assert_eq!(missing(unwritten.to_vec()), unwritten);
    // As in a_test_that_is_only_spoken_of.
    let source = "// fn spoken_of\n    pub(crate) fn written<C>() {}\n    in_a_list: Dkg\n  in_another => reuse;\nused(\"text\");";
    assert_eq!(functions(source).collect::<Vec<_>>(), ["written", "in_a_list", "in_another"]);
}

#[test]
fn decisions_are_numbered_from_one_without_a_gap_and_say_their_number() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adr");
    let mut found = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    found.sort();
    for (number, path) in (1..).zip(&found) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("{number:04}-")), "{name}");
        assert!(fs::read_to_string(path).unwrap().starts_with(&format!("# {number}. ")), "{name}");
    }
}
