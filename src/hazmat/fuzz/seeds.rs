//! Where a fuzzer begins: what honest members say and keep.

use getrandom::SysRng;
use rand_core::UnwrapErr;

use super::exchange::{exchange, honestly};
use super::lie::Change;
use super::pair::{MESSAGE, Pair, Snapshot};
use crate::derivation::ExtendedPublicKey;
use crate::hazmat::{SampleDealing, sample_dealing};
use crate::keystore::WatchedContent;
use crate::protocol::Certificate;
use crate::protocol::dealing::Proof;
use crate::protocol::sign::Commitments;
use crate::suite::{GroupKey, Network, Suite, VerifyingKey, with_suite};
use crate::wire::{DerivationPath, Identifier, Message};
use crate::wrap::SecretKey;

/// Inputs of one target.
pub(super) fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "operations" => sequences(),
        "handle_dealing" | "handle_signing" | "handle_preprocessing" | "handle_reconstruct" => lies(4),
        "handle_repair" => lies(6),
        "path" => ["m", "m/0/7", "m/2147483647", "m/86'/0'", "m/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0"]
            .map(|path| path.as_bytes().to_vec())
            .into(),
        "wrap_key" => wrap_keys(),
        "stored_record" => records(),
        "storage" => storages(),
        "file" => files(),
        "judge" => evidence(),
        "coordinator" => (0..12).map(|first| [&[first, first / 3][..], &all_of_it(first)].concat()).collect(),
        "complete" => shown(),
        "start" => proposed(),
        "phrase" => brought(),
        "frost" => (0..6).map(|first| (first..first + 60).collect()).collect(),
        _ => Suite::ALL.into_iter().flat_map(|suite| of_suite(target, suite)).collect(),
    }
}

fn of_suite(target: &str, suite: Suite) -> Vec<Vec<u8>> {
    let sample = sample_dealing(suite, &mut UnwrapErr(SysRng)).expect("an honest dealing");
    let code = suite.code() - 1;
    match target {
        "card" => sample.cards.iter().map(crate::wire::Card::to_bytes).collect(),
        "invitation" => vec![sample.invitation.to_bytes()],
        "plan" => vec![sample.invitation.plan.to_bytes()],
        "message" => sample.messages.iter().map(crate::wire::Message::to_bytes).collect(),
        "certificate" => vec![sample.certificate],
        "transcript" => vec![[&[code], certificate(&sample).transcript()].concat()],
        "deal" => bodies(&sample).map(|body| [&[code, 2, 3, 32], body].concat()).collect(),
        "opening" => openings(&sample, suite),
        "signature" => vec![signature(suite)],
        "extended_key" => extended_keys(&sample, suite),
        "address" => (0..3).map(|network| [&[code, network], verifying_key(&sample).as_bytes()].concat()).collect(),
        "audit_record" => contents(suite, b"a"),
        "backup" => backups(&sample),
        // Only a target that was added without seeds comes here.
        other => panic!("{other} is no target"),
    }
}

fn certificate(sample: &SampleDealing) -> Certificate {
    Certificate::from_bytes(&sample.certificate).expect("an honest certificate")
}

fn group_key(sample: &SampleDealing) -> GroupKey {
    certificate(sample).verify(None).expect("an honest certificate").group_key
}

fn verifying_key(sample: &SampleDealing) -> VerifyingKey {
    group_key(sample).verifying_key(None)
}

/// As texts, and as what is in them; of ed25519, which has none, some of another suite.
fn extended_keys(sample: &SampleDealing, suite: Suite) -> Vec<Vec<u8>> {
    let code = suite.code() - 1;
    let Ok(key) = ExtendedPublicKey::root(group_key(sample), &sample.chain_code) else {
        return vec![[&[code, 0][..], b"xpub661MyMwAqRbcF"].concat()];
    };
    let child = key.derive(&DerivationPath::new(&[3]).expect("a path")).expect("a child");
    let texts = [key.to_base58(Network::Mainnet), child.to_base58(Network::Testnet)];
    let inside = |text: &String| bs58::decode(text).with_check(None).into_vec().expect("its own text");
    let inside: Vec<_> = texts.iter().map(|text| [&[code, 1], inside(text).as_slice()].concat()).collect();
    texts.iter().map(|text| [&[code, 0], text.as_bytes()].concat()).chain(inside).collect()
}

fn wrap_keys() -> Vec<Vec<u8>> {
    let key = SecretKey::from_bytes(&[7; 32]).expect("32 bytes are a key");
    let texts = [key.to_text().as_bytes().to_vec(), key.public_key().to_string().into_bytes()];
    let small = [[0; 32], [7; 32]].into_iter().flat_map(|bytes| [1, 2].map(|how| [&[how], bytes.as_slice()].concat()));
    texts.into_iter().map(|text| [&[0], text.as_slice()].concat()).chain(small).collect()
}

/// What the dealers said.
fn bodies(sample: &SampleDealing) -> impl Iterator<Item = &[u8]> {
    sample.messages.iter().filter(|message| message.round() == 1).map(Message::body)
}

/// Two committed points are as good as commitments; a proof of possession follows them.
fn openings(sample: &SampleDealing, suite: Suite) -> Vec<Vec<u8>> {
    let lengths = with_suite!(suite, C => [Commitments::<C>::LEN, Proof::<C>::LEN]);
    let code = suite.code() - 1;
    let parts = bodies(sample).flat_map(|body| {
        let [commitments, proof] = lengths;
        let parts = body.split_at_checked(commitments).and_then(|(first, rest)| Some([first, rest.get(..proof)?]));
        parts.into_iter().flatten()
    });
    parts.map(|part| [&[code], part].concat()).collect()
}

fn signature(suite: Suite) -> Vec<u8> {
    let pair = Pair::new(suite);
    let mut runs = pair.sign(&pair.proposed_signature(&pair.honest));
    let (signature, _) = exchange(&mut runs, 2, None, &mut honestly).remove(0);
    let signature = signature.expect("honest members sign");
    [&[suite.code() - 1], pair.snapshot.key.verifying_key.as_bytes(), signature.as_bytes(), MESSAGE].concat()
}

/// What a token with a key keeps in the clear below a prefix.
fn contents(suite: Suite, prefix: &[u8]) -> Vec<Vec<u8>> {
    let contents = Snapshot::of(suite).honest().contents();
    contents.into_iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, value)| value).collect()
}

fn records() -> Vec<Vec<u8>> {
    let mut records: Vec<_> = [b"h", b"s", b"t"].into_iter().flat_map(|key| contents(Suite::Ed25519, key)).collect();
    // An identity, what is known of a peer, a key: as docs/format.md has them.
    records.push([&[1][..], &[7; 32], &[0, 0, 0, 2], &[0, 0, 0, 4], b"anna"].concat());
    records.push(vec![0; 44]);
    records.push([&[1, 0, 1, 0, 1, 0][..], &[0; 12], &[0, 0, 0, 1], &[9; 32], &[0; 12], &[3, 1]].concat());
    records
}

fn storages() -> Vec<Vec<u8>> {
    let patch = |which: u8| (0..4).map(move |how| vec![which % 3, which, how, which, 1, 2, 3]);
    (0..24).step_by(3).flat_map(patch).collect()
}

fn backups(sample: &SampleDealing) -> Vec<Vec<u8>> {
    let share = sample.shares.first().expect("three members have shares");
    let me = Identifier::new(1).expect("1 is a number");
    let content = WatchedContent::new(me, *share, sample.chain_code, certificate(sample));
    let identity = [&b"\x03quorumkey/identity/v1\0\0\0"[..], &[1], &[7; 32], &[0, 0, 0, 2, 0, 0, 0, 1], b"a"].concat();
    vec![[&[1], content.as_bytes()].concat(), identity, b"\x00age-encryption.org/v1\n-> X25519 ".to_vec()]
}

/// Log in, do this and that, and look.
fn sequences() -> Vec<Vec<u8>> {
    let mut sequences = vec![
        vec![0, 0, 7, 11, 9, 10, 21],
        vec![1, 0, 11, 10, 12, 12, 21, 23],
        vec![2, 0, 37, 2, 0, 32, 4, 0, 32, 21, 23, 10, 10],
        vec![0, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 0, 1, 6, 0],
        vec![1, 1, 38, 0, 32, 13, 8, 21, 23, 3, 13, 9],
        vec![2, 0, 1, 14, 46, 11, 19, 51, 116, 244],
        vec![3, 0, 1, 47, 46, 21, 17, 23, 49],
        vec![4, 0, 1, 47, 23, 17, 23, 46, 12],
    ];
    // Every call by a user and an officer who are there, and the same again.
    sequences.extend((0..=255).step_by(3).map(|call| vec![call % 9, 0, 1, 11, call, 17, call, 13]));
    sequences
}

/// Every change in every round of every story, by the second member and by the third in turn.
fn lies(rounds: u8) -> Vec<Vec<u8>> {
    let lie = |change: u8| {
        let first = change % 6 + 128 * (change % 2) + 64 * (change / 2 % 2);
        (0..rounds).map(move |round| vec![first, round, change, (change + round) % 5, 0, change * 7, 1, 2, 3, 4])
    };
    (0..Change::KINDS).flat_map(lie).collect()
}

/// A change on each of the first pages, and where a file is cut or grows.
fn files() -> Vec<Vec<u8>> {
    let change = |number: u8| vec![number % 5, number, 0, number * 9, 2, 1, number];
    // The header of the database says which of two states is the newest.
    let header = (0..8).map(|bit| vec![0, 1, 0, 9, 1, 1 << bit]);
    (0..16).map(change).chain(header).chain([Vec::new()]).collect()
}

/// All messages of a run, most of them as they are, some changed.
fn all_of_it(first: u8) -> Vec<u8> {
    let say = |which: u8| match (which + first) % 7 {
        5 => vec![which, 130, 4, 0, 200, 1, 2],
        6 => vec![which, 192 + which, 4, 0, 3, 1, 2],
        _ => vec![which, 0, 0],
    };
    (0..8).flat_map(say).collect()
}

/// Of every run of each suite.
fn evidence() -> Vec<Vec<u8>> {
    (0..30).map(|run| [&[run % 3, run / 3][..], &all_of_it(run)].concat()).collect()
}

/// Each certificate to each token, signed by whom it may be, among others.
fn shown() -> Vec<Vec<u8>> {
    let how =
        |number: u8| vec![number % 3, number / 3, number / 2, number, number % 5, 2 + number % 2, 0, 36, number % 4];
    (0..36).map(how).collect()
}

/// Each kind of invitation as it is, but for its randomness, and with a change further on.
fn proposed() -> Vec<Vec<u8>> {
    let change = |which: u8| [[which % 3, which, 1, 0, 5, 1], [which % 3, which, 1, 0, 36 + which, 1]];
    (0..36).flat_map(change).map(Vec::from).collect()
}

/// What BIP-39, BIP-32 and SLIP-10 have as examples, and what is wrong with it.
fn brought() -> Vec<Vec<u8>> {
    let phrase =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about\nTREZOR";
    let node = "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi";
    let inside = bs58::decode(node).with_check(None).into_vec().expect("an extended key");
    let contents: [&[u8]; 5] = [phrase.as_bytes(), &[7; 16], &[7; 32], node.as_bytes(), &inside];
    let paths = ["m", "m/0/7", "m/86'/0'/0'/1/2", "m/44'/501'/0'", "m/2147483648", "m/+1"];
    let one = |number: usize| {
        let (kind, path) = (number % contents.len(), paths.get(number % paths.len())?);
        let head = [number / 2 % 3, kind, path.len()].map(|byte| u8::try_from(byte).unwrap_or(0));
        Some([head.as_slice(), path.as_bytes(), *contents.get(kind)?].concat())
    };
    (0..30).filter_map(one).collect()
}
