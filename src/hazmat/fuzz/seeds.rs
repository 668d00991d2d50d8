//! Where a fuzzer begins: what honest members say and keep.

use getrandom::SysRng;
use rand_core::UnwrapErr;

use super::pair::{MESSAGE, Pair, Snapshot, exchange};
use crate::hazmat::{SampleDealing, sample_dealing};
use crate::keystore::WatchedContent;
use crate::protocol::Certificate;
use crate::protocol::dealing::Proof;
use crate::protocol::sign::Commitments;
use crate::suite::{Suite, with_suite};
use crate::wire::{Identifier, Message};

/// Inputs of one target.
pub(super) fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "operations" => sequences(),
        "handle_dealing" | "handle_signing" | "handle_preprocessing" | "handle_reconstruct" => lies(4),
        "handle_repair" => lies(6),
        "stored_record" => records(),
        "storage" => storages(),
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
        "audit_record" => contents(suite, b"a"),
        "backup" => backups(&sample),
        // Only a target that was added without seeds comes here.
        other => panic!("{other} is no target"),
    }
}

fn certificate(sample: &SampleDealing) -> Certificate {
    Certificate::from_bytes(&sample.certificate).expect("an honest certificate")
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
    let (signature, _) = exchange(&mut pair.sign(), 2, None, &mut |message| vec![message.clone()]).remove(0);
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
    vec![
        vec![0, 0, 7, 11, 9, 10, 13],
        vec![1, 0, 11, 10, 12, 12, 13, 14],
        vec![2, 0, 21, 2, 0, 16, 4, 0, 16, 13, 14, 10, 10],
        vec![0, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 0, 1, 6, 0],
        vec![1, 1, 22, 0, 16, 15, 8, 13, 14, 3, 15, 9],
    ]
}

/// Every change in every round, by the second member and by the third in turn.
fn lies(rounds: u8) -> Vec<Vec<u8>> {
    let lie = |change: u8| {
        let first = change % 6 + 128 * (change % 2);
        (0..rounds).map(move |round| vec![first, round, change, (change + round) % 5, 0, change * 7, 1, 2, 3, 4])
    };
    (0..10).flat_map(lie).collect()
}
