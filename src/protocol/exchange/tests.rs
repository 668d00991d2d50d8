//! How much a flood costs.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::wire::{Card, IdentityKey};

const RUN: [u8; 32] = [4; 32];

/// The header that an honest member's message has in a run that makes a key, after it saw these.
pub(in crate::protocol) fn header(
    suite: Suite,
    run: RunId,
    (round, sender, subject): (u8, Identifier, Subject),
    before: &[Message],
) -> Header {
    let view = if before.is_empty() { [0; 32] } else { view(run, before) };
    let (group, epoch, counter, audit_head) = ([0; 32], [0; 32], 0, [0; 32]);
    Header { suite, group, epoch, run, round, sender, subject, counter, audit_head, view }
}

struct Group {
    identities: Vec<IdentityKey>,
    members: Roster,
}

impl Group {
    fn new(n: u8) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let identities: Vec<_> = (0..n).map(|_| IdentityKey::generate(rng)).collect();
        let cards = identities.iter().map(|identity| Card::issue(identity, 0, String::new()));
        Self { members: Roster::numbered(cards).unwrap(), identities }
    }

    fn ids(&self) -> BTreeSet<Identifier> {
        self.members.identifiers().collect()
    }

    /// The exchange of one of them; only the first deals.
    fn exchange(&self, me: u16) -> Exchange {
        let frame = Frame {
            suite: Suite::Ed25519,
            group: [0; 32],
            epoch: [0; 32],
            run: RunId::from_bytes(RUN),
            me: Identifier::new(me),
            members: self.members.clone(),
        };
        let round = |subject| Round { senders: self.ids(), subject };
        let first = self.ids().into_iter().take(1).collect();
        let deal = Round { senders: first, subject: Subject::Deal };
        Exchange::new(frame, vec![round(Subject::Join), deal, round(Subject::Certify), round(Subject::Confirm)])
    }

    fn say(&self, sender: u16, round: u8, subject: Subject, body: Vec<u8>) -> Message {
        let turn = (round, Identifier::new(sender).unwrap(), subject);
        let header = header(Suite::Ed25519, RunId::from_bytes(RUN), turn, &[]);
        Message::issue(header, body, &self.identities[usize::from(sender) - 1])
    }
}

/// Of a new key.
const fn scale(members: usize) -> Scale {
    Scale { members, renews: false }
}

impl Exchange {
    /// Bytes of bodies that are kept.
    fn kept(&self) -> usize {
        self.messages.values().map(|message| message.body().len()).sum()
    }
}

fn is_malformed(refused: Result<Accepted, Refused>, culprit: u16) -> bool {
    let Err(Refused::Failed(failure)) = refused else { return false };
    failure.misbehaviour == Misbehaviour::Malformed && failure.culprits == [Identifier::new(culprit).unwrap()]
}

#[test]
fn a_member_that_says_more_than_anybody_needs_is_named_and_nothing_of_it_is_kept() {
    let group = Group::new(3);
    for (round, subject) in [(0, Subject::Join), (1, Subject::Deal), (2, Subject::Certify), (2, Subject::Accuse)] {
        let mut exchange = group.exchange(2);
        exchange.current = round;
        let longest = longest_body(subject, scale(3));
        assert!(longest <= 1024);
        let sender = if round == 1 { 1 } else { 3 };
        for len in [longest + 1, Message::MAX_BODY] {
            assert!(is_malformed(exchange.accept(&group.say(sender, round, subject, vec![0; len])), sender));
        }
        assert_eq!(exchange.kept(), 0);
    }
}

#[test]
fn whatever_members_say_a_run_keeps_no_more_than_its_bound() {
    for n in [2, 3, 7] {
        let group = Group::new(n);
        let mut exchange = group.exchange(2);
        let members = usize::from(n);
        let mut bound = 0;
        let rounds = [(0, Subject::Join), (1, Subject::Deal), (2, Subject::Certify), (3, Subject::Confirm)];
        for (round, subject) in rounds {
            bound += longest_body(subject, scale(members)) * if round == 1 { 1 } else { members };
            for sender in (1..=u16::from(n)).filter(|sender| *sender != 2) {
                for len in [Message::MAX_BODY, longest_body(subject, scale(members)), 0, 1] {
                    // Every answer is right; what counts is what stays.
                    let _ = exchange.accept(&group.say(sender, round, subject, vec![0; len]));
                }
            }
        }
        let early = longest_body(Subject::Confirm, scale(members));
        assert!(exchange.kept() > 0 && exchange.kept() <= bound - early * members, "{} bytes", exchange.kept());
        assert!(bound < members * ((1 << 20) + 4096), "{bound}");
    }
}

#[test]
fn only_where_a_key_is_renewed_is_there_anything_to_tell_of_attempts() {
    let long = vec![0; 2048];
    let group = Group::new(3);
    let mut exchange = group.exchange(2);
    assert!(is_malformed(exchange.accept(&group.say(3, 0, Subject::Join, long.clone())), 3));
    let mut exchange = group.exchange(2);
    exchange.frame.epoch = [5; 32];
    let join = group.say(3, 0, Subject::Join, long);
    let header = Header { epoch: [5; 32], ..join.header().clone() };
    let join = Message::issue(header, join.body().to_vec(), &group.identities[2]);
    assert_eq!(exchange.accept(&join).unwrap(), Accepted::Kept);
}

#[test]
fn a_round_that_cannot_have_begun_is_not_kept_and_one_that_can_is() {
    let group = Group::new(3);
    // Member 2 joins and certifies; it does not deal.
    let mut exchange = group.exchange(2);
    let confirm = group.say(1, 3, Subject::Confirm, vec![0; 8]);
    let unexpected = Err::<(), _>(Rejection::Unexpected);
    let rejection = |refused| match refused {
        Err(Refused::Rejected(rejection)) => Err(rejection),
        _ => Ok(()),
    };
    assert_eq!(rejection(exchange.accept(&confirm)), unexpected);
    assert_eq!(exchange.kept(), 0);
    // Of the others it may lack every join and every deal when they certify.
    for (round, subject) in [(1, Subject::Deal), (2, Subject::Certify)] {
        assert!(matches!(exchange.accept(&group.say(1, round, subject, vec![1])), Ok(Accepted::Kept)));
    }
    exchange.current = 2;
    assert!(matches!(exchange.accept(&confirm), Ok(Accepted::Kept)));
    // The dealer itself is not overtaken by certificates.
    let mut dealer = group.exchange(1);
    assert_eq!(rejection(dealer.accept(&group.say(2, 2, Subject::Certify, vec![1]))), unexpected);
    // Who only listens knows nothing of the kind.
    let mut listener = group.exchange(1);
    listener.frame.me = None;
    assert!(matches!(listener.accept(&confirm), Ok(Accepted::Kept)));
}

#[test]
fn a_dispute_shows_each_member_once() {
    let group = Group::new(3);
    let join = |sender| group.say(sender, 0, Subject::Join, vec![7]).to_bytes();
    for (shown, good) in [
        (vec![join(1), join(3)], true),
        (vec![join(3), join(1)], false),
        (vec![join(1), join(1)], false),
        // What would have to be verified, as often as there is room for it.
        (vec![join(1); 10_000], false),
    ] {
        let mut exchange = group.exchange(2);
        exchange.current = 1;
        let mut writer = Writer::new();
        writer.count(shown.len());
        for message in &shown {
            writer.bytes(message);
        }
        let dispute = group.say(3, 0, Subject::Dispute, writer.finish());
        assert_eq!(is_malformed(exchange.accept(&dispute), 3), !good, "{} messages", shown.len());
        assert_eq!(exchange.kept(), 0);
    }
}

#[test]
fn a_message_is_kept_once_however_many_hold_it() {
    let group = Group::new(2);
    let mut exchange = group.exchange(2);
    let (own, join) = (group.say(2, 0, Subject::Join, vec![2; 64]), group.say(1, 0, Subject::Join, vec![1; 64]));
    exchange.sent(&own);
    assert_eq!(exchange.accept(&join).unwrap(), Accepted::Kept);
    let round = exchange.take_round().unwrap();
    let failure = Failure::by(join.sender(), Misbehaviour::Malformed, &[&join]);
    for held in round.iter().take(1).chain(exchange.of_round(0).take(1)).chain(failure.evidence.messages()) {
        assert!(core::ptr::eq(held.body(), join.body()));
    }
}
