//! No text holds a secret: neither what `Debug` shows of any public type, nor what an error says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]
#![allow(clippy::format_collect, clippy::needless_for_each, reason = "short lines")]

mod common;

use std::any::type_name;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::*;
use quorumkey::hazmat::{Forger, Loot};
use quorumkey::wrap::{Identity, Passphrase, Recipient, SecretKey, SecretWords};
use quorumkey::*;
use zeroize::Zeroizing;

/// Public types that are never given a secret: names, numbers, hashes, choices, and what everybody may read.
const NEVER_GIVEN_ANY: &str = "
    Advice BackupGate Batch CardId CertificateError Bus Dealing DecodeError Declaration Denial Derivation DerivationError DerivationPath
    Digest Dkg Endpoint EpochId EpochReport EventKind Export Faults Filter Fingerprint Fork GroupKey Head Holder
    Holding Identifier ImportError Judgement KdfCost KeyId KeyState KeyTemplate Leaving Lineage MemoryError Misbehaviour Misuse
    Network NewCard Operations Origin Patience PathError PinError Preprocessing Protection PublicKey Quorum Reason Reconstructing Rejection Replaced Reshare Revision
    Restriction Roster RosterError RunId RunProgress SessionId Signature Signing StorageError Suite SuiteError TokenInfo UserType
    VerifyingKey Warning WrapError AuditError Driven";
/// Traits, and another name for something.
const NO_TYPES: &str = "Entry Protocol Result Storage Token Transport";

/// What was shown: the type's name and the text.
#[derive(Default)]
struct Texts(RefCell<Vec<(String, String)>>);

impl Texts {
    fn debug<T: Debug>(&self, value: &T) {
        let name = type_name::<T>().to_owned();
        self.0.borrow_mut().extend([(name.clone(), format!("{value:?}")), (name, format!("{value:#?}"))]);
    }

    fn display<T: Debug + Display>(&self, value: &T) {
        self.debug(value);
        self.0.borrow_mut().push((type_name::<T>().to_owned(), value.to_string()));
    }

    fn error<T, E: Debug + Display>(&self, result: std::result::Result<T, E>) {
        let Err(error) = result else { panic!("this was to fail") };
        self.display(&error);
    }
}

/// The forms in which bytes get into texts, white space aside.
fn forms(secret: &[u8]) -> Vec<String> {
    let hex = secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let list = secret.iter().map(|byte| format!("{byte},")).collect::<String>();
    vec![hex.to_uppercase(), hex, list, BASE64_STANDARD.encode(secret)]
}

/// What a key is written down as, of 32 bytes: without what every such text begins with, and without its checksum.
fn bech32(secret: &[u8]) -> Option<String> {
    let text = SecretKey::from_bytes(secret.try_into().ok()?).ok()?.to_text().to_lowercase();
    Some(text.strip_prefix("age-secret-key-1")?[..51].to_owned())
}

/// Whether the text shows eight bytes of the secret that follow each other, or twelve as they are, or twelve characters of
/// what it is written down as.
fn shows(text: &str, secret: &[u8]) -> bool {
    let lower = text.to_lowercase();
    if bech32(secret).is_some_and(|form| (0..form.len() - 11).any(|at| lower.contains(&form[at..at + 12]))) {
        return true;
    }
    if secret.windows(12).any(|part| std::str::from_utf8(part).is_ok_and(|part| text.contains(part))) {
        return true;
    }
    let text: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    secret.windows(8).any(|part| forms(part).iter().any(|form| text.contains(form.trim_end_matches(['=', ',']))))
}

const WORDS: &str = "armadillo quarry lantern violet";
const SECRET: [u8; 32] = *b"\x90\x01\xa7\x13\xfe\x88\x21\x6c\x5d\xe4\x0f\xb2\x77\x39\xc1\xaa\x90\x42\xa7\x13\xfe\x18\x21\x6c\x5d\xe4\x9f\xb2\x77\x39\xd1\xaa";
const SEEDS: [[u8; 32]; 2] = [*b"the seed of the first identity !", *b"and another one for the second. "];

/// Two members with tokens in files.
struct World {
    folder: tempfile::TempDir,
    members: Vec<Member>,
    key: KeyInfo,
}

impl World {
    fn new(suite: Suite) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let member = |number: usize| {
            let path = folder.path().join(number.to_string());
            let storage = |contents: &[Entry]| FileStorage::create(&path, contents);
            Member::new(Forger::new(SEEDS[number]).store(storage, &init("a token"), 0).unwrap())
        };
        let members: Vec<_> = [0, 1].map(member).into();
        let operations = Operations::ALL.union(Operations::RECONSTRUCT);
        let template = KeyTemplate { operations, ..KeyTemplate::wallet("a wallet") };
        let dealing = Dkg { suite, threshold: 2, members: roster(&members), template };
        let key = deal(&members, &members[0].session.invite(dealing).unwrap());
        Self { folder, members, key }
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.path().join(number.to_string())
    }

    /// What a thief of both finds, and what the members typed.
    fn secrets(self) -> Vec<Vec<u8>> {
        let paths = [self.path(0), self.path(1)];
        drop(self.members);
        let loot = paths.map(|path| Loot::of_file(path, &user_pin()).unwrap());
        let mut secrets: Vec<Vec<u8>> = loot.iter().flat_map(Loot::secrets).map(|secret| secret.to_vec()).collect();
        assert!(secrets.len() >= 6 && SEEDS.iter().all(|seed| secrets.contains(&seed.to_vec())));
        secrets.extend([WORDS.as_bytes(), b"the user's words", b"the officer's words", &SECRET].map(<[u8]>::to_vec));
        secrets
    }
}

fn show_tokens(texts: &Texts, world: &World) {
    let Member { store, session } = &world.members[0];
    texts.debug(store);
    texts.debug(session);
    texts.debug(&store.login_so(&officer_pin()).unwrap());
    texts.debug(&world.key);
    texts.debug(&session.find(&Filter::default()).unwrap());
    texts.debug(&session.card().unwrap());
    session.audit(None, 1000).unwrap().iter().for_each(|record| texts.display(record));
    texts.debug(&session.audit(None, 1).unwrap()[0].event());
    texts.debug(&session.certificate(world.key.id).unwrap());
    texts.debug(&init("a token"));
    texts.debug(&user_pin());
    let memory = MemoryStorage::new(&[(b"key".to_vec(), SECRET.to_vec())]);
    texts.debug(&memory);
    texts.debug(&Change::Put { key: b"key".to_vec(), value: SECRET.to_vec() });
    let path = world.folder.path().join("more");
    texts.debug(&FileStorage::create(&path, &[(b"key".to_vec(), SECRET.to_vec())]).unwrap());
    let token = SoftToken::create(|contents: &[Entry]| Ok(MemoryStorage::new(contents)), &init("a token")).unwrap();
    let id = token.login(UserType::User, &user_pin()).unwrap();
    texts.debug(&token);
    texts.debug(&token.card(id).unwrap());
}

/// The extended key, which whoever shows it tells of every address. Its chain code, and what it is written down as.
fn show_extended_key(texts: &Texts, world: &World) -> Vec<Vec<u8>> {
    let extended = world.members[0].session.extended_public_key(world.key.id);
    if world.key.suite == Suite::Ed25519 {
        texts.error(extended);
        return Vec::new();
    }
    let extended = extended.unwrap();
    texts.debug(&extended);
    [Network::Mainnet, Network::Testnet]
        .into_iter()
        .flat_map(|network| {
            let text = extended.to_base58(network);
            let chain_code = text.parse::<bitcoin::bip32::Xpub>().unwrap().chain_code;
            [chain_code.to_bytes().to_vec(), text.into_bytes()]
        })
        .collect()
}

fn show_backups(texts: &Texts, world: &World) {
    let session = &world.members[0].session;
    let secret = || SecretKey::from_bytes(&SECRET).unwrap();
    let to = [secret().recipient(), Recipient::passphrase_with_work_factor(WORDS, 15).unwrap()];
    for to in &to {
        texts.debug(to);
        if let Recipient::Passphrase(passphrase) = to {
            texts.debug::<Passphrase>(passphrase);
        }
    }
    let (share, identity) = (session.export(world.key.id, &to[0]).unwrap(), session.export_identity(&to[0]).unwrap());
    texts.debug(&share);
    texts.debug(&identity);
    texts.debug(&secret());
    for with in [Identity::passphrase(WORDS), Identity::X25519(secret())] {
        texts.debug(&with);
        match &with {
            Identity::Passphrase(words) => texts.debug::<SecretWords>(words),
            Identity::X25519(key) => texts.debug::<SecretKey>(key),
            _ => panic!("another identity"),
        }
    }
    texts.error(session.restore(&share, &Identity::X25519(secret())));
    texts.error(session.restore(&share, &Identity::passphrase(WORDS)));
    let (init, with) = (init("a token"), Identity::passphrase(WORDS));
    let from = Restore { init: &init, identity: &identity, with: &with, incarnation: 0 };
    texts.debug(&from);
    texts.error(KeyStore::restore_in_memory(&from));
}

/// A run shows itself after each message, and every message is shown.
fn show_run<P: Protocol>(texts: &Texts, mut runs: Vec<Run<P>>) -> Vec<P::Output>
where
    P::Output: Debug,
{
    let mut outputs = Vec::new();
    loop {
        runs.iter().for_each(|run| texts.debug(run));
        let said: Vec<Vec<Message>> =
            runs.iter_mut().map(|run| std::iter::from_fn(|| run.poll_transmit()).collect()).collect();
        if said.iter().all(Vec::is_empty) {
            return outputs;
        }
        for (from, message) in said.iter().enumerate().flat_map(|(from, said)| said.iter().map(move |one| (from, one)))
        {
            texts.debug(message);
            runs[1 - from].handle(message).unwrap();
            outputs.extend(runs[1 - from].poll_output());
        }
    }
}

fn show_runs(texts: &Texts, world: &World) {
    let [first, second] = [0, 1].map(|number| &world.members[number].session);
    let invitation = dkg_invitation(&world.members, world.key.suite, 2);
    texts.debug(&invitation);
    let start = [first, second].map(|member| member.start(&invitation).unwrap());
    show_run(texts, start.into()).iter().for_each(|key| texts.debug(key));

    let invitation = first.invite_sign(world.key.id, &[id(1), id(2)], b"message").unwrap();
    texts.debug(&Coordinator::new(&invitation, &first.certificates(world.key.id).unwrap()).unwrap());
    let start = [first, second].map(|member| member.start_sign(&invitation, b"message").unwrap());
    show_run(texts, start.into());

    let token = SoftToken::create(|contents: &[Entry]| Ok(MemoryStorage::new(contents)), &init("a token")).unwrap();
    let id = token.login(UserType::User, &user_pin()).unwrap();
    let members = Roster::numbered([token.card(id).unwrap(), first.card().unwrap()]).unwrap();
    let template = KeyTemplate::wallet("savings");
    let proposal = Proposal::Dkg { suite: world.key.suite, threshold: 2, members, template };
    texts.debug(&proposal);
    let invitation = token.invite(id, &proposal).unwrap();
    let operation = Operation::Deal(&invitation);
    texts.debug(&operation);
    let (_, progress) = token.begin(id, operation).unwrap();
    texts.debug(&progress);
    texts.debug(&Output::Key(Box::new(world.key.clone())));
}

/// The doors through which a whole key comes and goes. What is behind them.
fn show_whole_keys(texts: &Texts, world: &World) -> Vec<Vec<u8>> {
    let imported = ImportedKey::from_seed(Zeroizing::new(SECRET));
    texts.debug(&imported);
    let (members, template) = (roster(&world.members), KeyTemplate::wallet("an old wallet"));
    texts.debug(&Import { key: &imported, threshold: 2, members, template, least_attempt: 0 });

    let officers: Vec<_> = world.members.iter().map(|member| member.store.login_so(&officer_pin()).unwrap()).collect();
    let invitation = officers[0].invite_reconstruct(world.key.id, &[id(1), id(2)]).unwrap();
    let enter = |(member, officer): (&Member, &OfficerSession)| {
        member.session.consent_to_reconstruct(&invitation).unwrap();
        officer.start_reconstruct(&invitation).unwrap()
    };
    let whole = show_run(texts, world.members.iter().zip(&officers).map(enter).collect());
    whole.iter().for_each(|key| texts.debug(key));
    let whole: Vec<_> = whole.into_iter().flatten().collect();
    whole.iter().for_each(|key| texts.debug::<ReconstructedKey>(key));
    assert_eq!(whole.len(), 1);
    whole.iter().map(|key| key.dangerously_expose_secret().to_vec()).collect()
}

/// What goes wrong, by typing, by files, and by others.
fn show_errors(texts: &Texts, world: &World) {
    let Member { store, session } = &world.members[0];
    texts.error(store.login(&Pin::new(WORDS).unwrap()));
    texts.error(Pin::new("1234"));
    texts.error(KeyStore::create(world.path(0), &init("a token")));
    texts.error(Card::from_bytes(&SECRET));
    texts.error(Identity::x25519(WORDS));
    texts.error(Recipient::x25519(WORDS));
    texts.error(session.destroy(KeyId::from_bytes([7; 32])));
    let invitation = session.invite_sign(world.key.id, &[id(1), id(2)], b"message").unwrap();
    texts.error(session.start_sign(&invitation, WORDS.as_bytes()));

    let start = |member: &Member| member.session.start_sign(&invitation, b"message").unwrap();
    let mut runs: Vec<_> = world.members.iter().map(start).collect();
    let liar = Forger::new(SEEDS[1]);
    let results = exchange_over(&mut runs, &mut |from, _, message| match (from, message.round()) {
        (1, 1) => vec![liar.alter(&message, |forgery| forgery.body[40] ^= 1)],
        _ => vec![message],
    });
    let error = results.into_iter().find_map(Result::err).expect("a wrong share is a fault");
    let Error::PeerMisbehaved { evidence, .. } = &error else { panic!("{error}") };
    texts.debug(evidence);
    texts.display(&error);
    texts.error(runs.remove(0).handle(&evidence.messages()[0]));
}

fn everything(suite: Suite) -> (Texts, Vec<Vec<u8>>) {
    let (texts, world) = (Texts::default(), World::new(suite));
    show_tokens(&texts, &world);
    show_backups(&texts, &world);
    show_runs(&texts, &world);
    let extended = show_extended_key(&texts, &world);
    let whole = show_whole_keys(&texts, &world);
    show_errors(&texts, &world);
    (texts, [world.secrets(), extended, whole].concat())
}

#[test]
fn no_text_of_any_type_or_error_shows_a_secret() {
    for suite in Suite::ALL {
        let (texts, secrets) = everything(suite);
        let texts = texts.0.into_inner();
        assert!(texts.len() > 100);
        for (name, text) in texts {
            assert!(!secrets.iter().any(|secret| shows(&text, secret)), "{name} shows a secret: {text}");
        }
    }
}

#[test]
fn a_text_that_shows_a_secret_is_noticed() {
    #[derive(Debug)]
    #[allow(dead_code, reason = "Debug reads it")]
    struct Careless {
        share: [u8; 32],
    }
    let careless = Careless { share: SECRET };
    let hex: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
    let texts = [
        format!("{careless:?}"),
        format!("{careless:#?}"),
        format!("share {hex}"),
        format!("share {}", hex.to_uppercase()),
        format!("share {}", BASE64_STANDARD.encode(SECRET)),
        format!("half of it: {:?}", &SECRET[7..20]),
        format!("key {}", *SecretKey::from_bytes(&SECRET).unwrap().to_text()),
        format!("part of it: {}", SecretKey::from_bytes(&SECRET).unwrap().to_text()[30..50].to_lowercase()),
    ];
    for text in texts {
        assert!(shows(&text, &SECRET), "{text}");
    }
    assert!(shows("the user's words", b"the user's words"));
    assert!(!shows("[1, 2, 3]", &SECRET));
}

/// The names in the `pub use` of the table of contents, and those that its public modules declare.
fn public_types() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let contents = read("lib.rs");
    let uses = contents.split("pub use ").skip(1).map(|item| item.split_once(';').unwrap().0);
    let listed = uses.flat_map(|item| item.rsplit("::").next().unwrap().split(',').map(str::to_owned));
    let modules = ["audit.rs", "memory.rs", "transport/mod.rs", "transport/bus.rs"];
    let wrapped = ["wrap/mod.rs", "wrap/file.rs", "wrap/identity.rs", "wrap/recipient.rs"];
    let declared = modules.iter().chain(&wrapped).map(|path| read(path)).collect::<String>();
    let declared = declared.split_whitespace().collect::<Vec<_>>();
    let declared =
        declared.windows(3).filter(|words| words[0] == "pub" && ["struct", "enum", "trait"].contains(&words[1]));
    let declared = declared.map(|words| words[2].to_owned());
    let word = |name: String| {
        name.chars()
            .filter(|one| !"{} \n".contains(*one))
            .take_while(|one| one.is_alphanumeric() || *one == '_')
            .collect::<String>()
    };
    // A macro's variable is no name; a name in capitals is a number.
    listed.chain(declared).map(word).filter(|name| name.chars().any(char::is_lowercase)).collect()
}

#[test]
fn every_public_type_is_shown_or_is_never_given_a_secret() {
    // Of the other suites, one has no extended keys.
    let (texts, _) = everything(Suite::Secp256k1Taproot);
    let shown: BTreeSet<String> = texts.0.into_inner().into_iter().map(|(name, _)| name).collect();
    let words: BTreeSet<&str> = shown.iter().flat_map(|name| name.split(|one: char| !one.is_alphanumeric())).collect();
    let excused: BTreeSet<&str> = NEVER_GIVEN_ANY.split_whitespace().chain(NO_TYPES.split_whitespace()).collect();
    let types = public_types();
    assert!(types.len() > 80, "{types:?}");
    let missing: Vec<_> =
        types.iter().filter(|name| !words.contains(name.as_str()) && !excused.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "show these here, or say that they are never given a secret: {missing:?}");
    let gone: Vec<_> = excused.iter().filter(|name| !types.contains(**name)).collect();
    assert!(gone.is_empty(), "these are no public types any more: {gone:?}");
}
