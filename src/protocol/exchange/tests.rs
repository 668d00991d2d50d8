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

fn id(number: u16) -> Identifier {
    Identifier::new(number).unwrap()
}

impl Group {
    /// The message with another header, signed by that member.
    fn forge(&self, message: &Message, change: impl FnOnce(&mut Header), signer: usize) -> Message {
        let mut header = message.header().clone();
        change(&mut header);
        Message::issue(header, message.body().to_vec(), &self.identities[signer - 1])
    }

    /// The exchange of a member that has everybody's joins, and those joins.
    fn joined(&self, me: u16) -> (Exchange, Vec<Message>) {
        let mut exchange = self.exchange(me);
        let joins: Vec<_> = self.ids().into_iter().map(|id| self.say(id.get(), 0, Subject::Join, vec![7])).collect();
        for join in &joins {
            if join.sender() == id(me) {
                exchange.sent(join);
            } else {
                assert_eq!(exchange.accept(join).unwrap(), Accepted::Kept);
            }
        }
        assert_eq!(exchange.take_round().unwrap(), joins);
        (exchange, joins)
    }

    /// A dispute about the joins that shows these.
    fn dispute(&self, sender: u16, shown: &[Message]) -> Message {
        let mut writer = Writer::new();
        writer.count(shown.len());
        for message in shown {
            writer.bytes(&message.to_bytes());
        }
        self.say(sender, 0, Subject::Dispute, writer.finish())
    }
}

#[track_caller]
fn rejected(taken: &Result<Accepted, Refused>) -> Rejection {
    let Err(Refused::Rejected(rejection)) = taken else { panic!("{taken:?}") };
    *rejection
}

#[track_caller]
fn failed(taken: Result<Accepted, Refused>) -> Failure {
    let Err(Refused::Failed(failure)) = taken else { panic!("{taken:?}") };
    *failure
}

#[test]
fn a_message_counts_in_its_run_group_and_epoch_and_signed_by_its_sender_only() {
    let group = Group::new(4);
    let mut exchange = group.exchange(2);
    exchange.frame.members = exchange.frame.members.without(id(4)).unwrap();
    let join = group.say(3, 0, Subject::Join, vec![1]);
    let mut refused = |change: fn(&mut Header), signer| rejected(&exchange.accept(&group.forge(&join, change, signer)));
    assert_eq!(refused(|header| header.run = RunId::from_bytes([5; 32]), 3), Rejection::OtherRun);
    assert_eq!(refused(|header| header.suite = Suite::Secp256k1Taproot, 3), Rejection::OtherGroup);
    assert_eq!(refused(|header| header.group = [5; 32], 3), Rejection::OtherGroup);
    assert_eq!(refused(|header| header.epoch = [5; 32], 3), Rejection::OtherGroup);
    assert_eq!(refused(|header| header.sender = id(4), 4), Rejection::Stranger);
    assert_eq!(refused(|_| (), 1), Rejection::Unauthentic);
    assert_eq!(exchange.kept(), 0);
    assert_eq!(exchange.accept(&join).unwrap(), Accepted::Kept);
}

#[test]
fn a_round_is_handed_on_once_everybody_has_spoken_or_one_accuses() {
    let group = Group::new(3);
    assert_eq!(group.exchange(2).rounds(), 4);
    let (mut exchange, joins) = group.joined(2);
    assert_eq!((exchange.current(), exchange.awaiting()), (1, vec![id(1)]));
    assert_eq!(exchange.take_round(), None);
    let view_of_joins = view(RunId::from_bytes(RUN), &joins);
    let say = |sender, round, subject, before: &Message| {
        let message = group.say(sender, round, subject, vec![]);
        let view = if round == 1 { view_of_joins } else { view(RunId::from_bytes(RUN), core::slice::from_ref(before)) };
        group.forge(&message, |header| header.view = view, usize::from(sender))
    };
    let deal = say(1, 1, Subject::Deal, &joins[0]);
    assert_eq!(exchange.accept(&deal).unwrap(), Accepted::Kept);
    assert_eq!(exchange.awaiting(), []);
    assert_eq!(exchange.take_round(), Some(vec![deal.clone()]));
    let certify = say(1, 2, Subject::Certify, &deal);
    assert_eq!(exchange.accept(&certify).unwrap(), Accepted::Kept);
    assert_eq!((exchange.awaiting(), exchange.take_round()), (vec![id(2), id(3)], None));
    let accuse = say(3, 2, Subject::Accuse, &deal);
    assert_eq!(exchange.accept(&accuse).unwrap(), Accepted::Kept);
    assert_eq!(exchange.take_round(), Some(vec![certify, accuse]));
    // There is no round after the last.
    exchange.current = 4;
    assert_eq!((exchange.awaiting(), exchange.take_round()), (vec![], None));
}

#[test]
fn nobody_speaks_out_of_turn_or_accuses_where_nothing_was_dealt() {
    let group = Group::new(3);
    for (sender, round, subject, good) in [
        (3, 0, Subject::Join, true),
        (3, 0, Subject::Deal, false),
        (1, 0, Subject::Accuse, false),
        (1, 1, Subject::Deal, true),
        (3, 1, Subject::Deal, false),
        (1, 1, Subject::Accuse, false),
        (3, 2, Subject::Certify, true),
        (3, 2, Subject::Accuse, true),
        (3, 2, Subject::Confirm, false),
        (3, 3, Subject::Accuse, false),
        (3, 4, Subject::Confirm, false),
    ] {
        let mut exchange = group.exchange(2);
        exchange.current = round;
        exchange.views = vec![[0; 32]; 5];
        let taken = exchange.accept(&group.say(sender, round, subject, vec![1]));
        assert_eq!(is_malformed(taken, sender), !good, "{sender} {round} {subject:?}");
        assert_eq!(exchange.kept(), usize::from(good));
    }
    // Whoever is to say that it got the key says so, or accuses.
    for (subject, good) in [(Subject::Receipt, true), (Subject::Accuse, true), (Subject::Handover, false)] {
        let mut exchange = group.exchange(2);
        exchange.rounds = vec![Round { senders: group.ids(), subject: Subject::Receipt }];
        assert_eq!(is_malformed(exchange.accept(&group.say(3, 0, subject, vec![1])), 3), !good);
    }
}

#[test]
fn a_member_that_saw_another_round_is_asked_what_it_saw_and_whoever_lied_is_named() {
    let group = Group::new(4);
    let (joined, joins) = group.joined(2);
    let seen = group.dispute(2, &joins).body().to_vec();
    let other = group.say(3, 0, Subject::Join, vec![8]);
    let mut others = joins.clone();
    others[2] = other.clone();
    // Member 1 saw, or says that it saw, another join of member 3.
    let claim = group.say(1, 1, Subject::Deal, vec![1]);
    let claim = group.forge(&claim, |header| header.view = view(RunId::from_bytes(RUN), &others), 1);
    let dispute = || {
        let (mut exchange, _) = group.joined(2);
        assert_eq!(exchange.accept(&claim).unwrap(), Accepted::Disputed { round: 0, body: seen.clone() });
        assert_eq!((exchange.awaiting(), exchange.take_round()), (vec![id(1)], None));
        exchange
    };
    let failure = failed(dispute().accept(&group.dispute(1, &others)));
    assert_eq!((failure.misbehaviour, failure.culprits), (Misbehaviour::Equivocation, vec![id(3)]));
    assert_eq!(failure.last_words, None);
    // It shows the words that it claims, which member 3 never signed.
    others[2] = group.forge(&other, |_| (), 1);
    assert_eq!(rejected(&dispute().accept(&group.dispute(1, &others))), Rejection::Unexpected);
    others[2] = other.clone();
    // It shows the same as all others saw, or a message of another round.
    let elsewhere = group.forge(&other, |header| header.round = 3, 3);
    for shown in [joins[2].clone(), elsewhere] {
        let mut lie = joins.clone();
        lie[2] = shown;
        let failure = failed(dispute().accept(&group.dispute(1, &lie)));
        assert_eq!((failure.misbehaviour, failure.culprits), (Misbehaviour::FalseView, vec![id(1)]));
    }
    // Member 4 claims nothing, and what it shows is what was seen here.
    assert_eq!(rejected(&dispute().accept(&group.dispute(4, &joins))), Rejection::Unexpected);
    // Whoever does not know yet of a dispute says what it saw; nobody tells of a round that is not over.
    let mut exchange = joined;
    let failure = failed(exchange.accept(&group.dispute(4, &others)));
    assert_eq!(failure.last_words, Some(LastWords::Dispute { round: 0, body: seen }));
    let early = group.forge(&group.dispute(4, &others), |header| header.round = 1, 4);
    assert_eq!(rejected(&exchange.accept(&early)), Rejection::Unexpected);
}

#[test]
fn a_view_before_the_first_round_is_malformed_and_one_of_a_later_round_waits() {
    let group = Group::new(3);
    let join = group.say(3, 0, Subject::Join, vec![1]);
    let join = group.forge(&join, |header| header.view = [1; 32], 3);
    assert!(is_malformed(group.exchange(2).accept(&join), 3));
    // Member 2 does not deal: the certificates of the others may overtake the deal.
    let (mut exchange, joins) = group.joined(2);
    let certify = group.forge(&group.say(3, 2, Subject::Certify, vec![1]), |header| header.view = [1; 32], 3);
    assert_eq!(exchange.accept(&certify).unwrap(), Accepted::Kept);
    assert_eq!(exchange.compare_early().unwrap(), Accepted::Kept);
    let deal = group.say(1, 1, Subject::Deal, vec![1]);
    let deal = group.forge(&deal, |header| header.view = view(RunId::from_bytes(RUN), &joins), 1);
    assert_eq!(exchange.accept(&deal).unwrap(), Accepted::Kept);
    exchange.take_round().unwrap();
    assert!(matches!(exchange.compare_early().unwrap(), Accepted::Disputed { round: 1, .. }));
}

/// Whoever relays messages may send them back, also what a member showed in a dispute.
#[test]
fn a_members_own_words_come_back_without_harm_and_others_under_its_name_are_of_a_copy() {
    let group = Group::new(3);
    let mut exchange = group.exchange(2);
    let joined = group.say(2, 0, Subject::Join, vec![1]);
    exchange.sent(&joined);
    for echo in [joined, group.say(2, 0, Subject::Dispute, vec![1])] {
        assert_eq!(exchange.accept(&echo).unwrap(), Accepted::Repeat);
    }
    let Err(Refused::Failed(failure)) = exchange.accept(&group.say(2, 0, Subject::Join, vec![2])) else {
        panic!("other words are taken")
    };
    assert_eq!(failure.misbehaviour, Misbehaviour::Cloned);
}
