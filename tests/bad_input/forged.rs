//! Messages that a member signed and no honest member sends: it is named, and nobody else.

use ed25519_dalek::{Signer, SigningKey};
use quorumkey::wrap::Identity;
use quorumkey::{Error, Identifier, KeyInfo, Message, Misbehaviour, Protocol, Rejection, Run, Signing, Suite};

use crate::common::{Member, dkg, dkg_invitation, exchange_over, group, id, pardon, sign};

const ROUND: usize = 98;
const SUBJECT: usize = 101;
const DISPUTE: u8 = 8;
const COUNTER: usize = 102;
const VIEW: usize = 142;
const LENGTH: usize = 174;
const BODY: usize = 178;

/// A member's identity key in the hands of whoever holds its backup.
struct Forger(SigningKey);

impl Forger {
    fn of(member: &Member) -> Self {
        let identity = Identity::generate();
        let Identity::X25519(key) = &identity else { panic!("another kind of identity") };
        let file = member.session.export_identity(&key.recipient()).unwrap();
        let content = quorumkey::hazmat::wrap::open(file.as_bytes(), &identity).unwrap();
        // Kind (24), version (1), seed (32).
        Self(SigningKey::from_bytes(content[25..57].try_into().unwrap()))
    }

    /// The message with some of its bytes changed, signed again.
    fn sign(&self, message: &Message, change: impl FnOnce(&mut Vec<u8>)) -> Message {
        let mut content = message.to_bytes();
        content.truncate(content.len() - 64);
        change(&mut content);
        let tag = b"quorumkey/message/v1";
        let framed = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
        let signature = self.0.sign(&[framed(tag), framed(&content)].concat());
        content.extend(signature.to_bytes());
        Message::from_bytes(&content).unwrap()
    }

    fn flipped(&self, message: &Message, at: usize) -> Message {
        self.sign(message, |bytes| bytes[at] ^= 1)
    }
}

fn signing() -> (Vec<Member>, KeyInfo, [Run<Signing>; 2]) {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let runs = start(&members, &key);
    (members, key, runs)
}

fn start(members: &[Member], key: &KeyInfo) -> [Run<Signing>; 2] {
    pardon(members);
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, b"m").unwrap())
}

/// Who is blamed, and for what.
fn blamed<P: Protocol>(run: &mut Run<P>, message: &Message) -> (Vec<Identifier>, Misbehaviour) {
    match run.handle(message) {
        Err(Error::PeerMisbehaved { culprits, misbehaviour, evidence }) => {
            assert!(!evidence.messages().is_empty());
            (culprits, misbehaviour)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_different_messages_for_one_place_name_their_sender() {
    let (members, key, [mut one, mut two]) = signing();
    let message = two.poll_transmit().unwrap();
    one.poll_transmit().unwrap();
    let forger = Forger::of(&members[1]);
    one.handle(&message).unwrap();
    let other = forger.sign(&message, |bytes| bytes[COUNTER + 7] ^= 1);
    assert_eq!(blamed(&mut one, &other), (vec![id(2)], Misbehaviour::Equivocation));
    pardon(&members);
    sign(&members, key.id, &[1, 2], b"a failed run stops no other");
}

#[test]
fn a_message_without_a_place_in_the_run_names_its_sender() {
    let (members, key, _) = signing();
    let forger = Forger::of(&members[1]);
    for (at, value) in [(SUBJECT, 1), (SUBJECT, 5), (SUBJECT, 7), (ROUND, 2), (ROUND, 255), (VIEW, 1)] {
        let [mut one, mut two] = start(&members, &key);
        let message = two.poll_transmit().unwrap();
        let misplaced = forger.sign(&message, |bytes| bytes[at] = value);
        assert_eq!(blamed(&mut one, &misplaced), (vec![id(2)], Misbehaviour::Malformed), "{at}");
    }
    pardon(&members);
    sign(&members, key.id, &[1, 2], b"m");
}

#[test]
fn another_device_that_speaks_with_the_own_identity_is_found_out() {
    let (members, key, [mut one, mut two]) = signing();
    let own = one.poll_transmit().unwrap();
    let other = Forger::of(&members[0]).flipped(&own, COUNTER + 7);
    assert_eq!(blamed(&mut one, &other), (vec![id(1)], Misbehaviour::Cloned));
    two.poll_transmit().unwrap();
    pardon(&members);
    sign(&members, key.id, &[1, 2], b"m");
}

#[test]
fn a_signed_body_of_four_megabytes_names_its_sender_and_one_byte_more_is_not_read() {
    let (members, key, [mut one, mut two]) = signing();
    let forger = Forger::of(&members[1]);
    let message = two.poll_transmit().unwrap();
    let huge = forger.sign(&message, |bytes| {
        bytes.truncate(LENGTH);
        bytes.extend((4_u32 << 20).to_be_bytes());
        bytes.resize(BODY + (4 << 20), 7);
    });
    assert_eq!(blamed(&mut one, &huge).0, [id(2)]);
    let bytes = huge.to_bytes();
    let mut more = bytes.clone();
    more[LENGTH..BODY].copy_from_slice(&((4_u32 << 20) + 1).to_be_bytes());
    more.push(0);
    assert!(Message::from_bytes(&more).is_err());
    pardon(&members);
    sign(&members, key.id, &[1, 2], b"m");
}

#[test]
fn a_changed_signature_share_names_its_maker_and_no_signature_comes_out() {
    let (members, key, [_, mut first]) = signing();
    let forger = Forger::of(&members[1]);
    let body = first.poll_transmit().unwrap().to_bytes().len() - BODY - 64;
    assert!(body >= 64);
    for at in (0..64).step_by(3) {
        let [mut one, mut two] = start(&members, &key);
        let (a, b) = (one.poll_transmit().unwrap(), two.poll_transmit().unwrap());
        one.handle(&b).unwrap();
        two.handle(&a).unwrap();
        let share = two.poll_transmit().unwrap();
        let (culprits, misbehaviour) = blamed(&mut one, &forger.flipped(&share, BODY + at));
        assert_eq!(culprits, [id(2)], "{at}: {misbehaviour}");
        assert!(one.poll_output().is_none());
    }
    pardon(&members);
    sign(&members, key.id, &[1, 2], b"m");
}

#[test]
fn a_commitment_changed_for_one_member_ends_without_a_signature_and_names_no_honest_member() {
    let (members, key, _) = signing();
    let forger = Forger::of(&members[1]);
    for at in (0..64).step_by(5) {
        let runs = start(&members, &key);
        let results = exchange_over(&mut runs.into_iter().collect::<Vec<_>>(), &mut |from, _, message| {
            let change = from == 1 && message.round() == 0;
            vec![if change { forger.flipped(&message, BODY + at) } else { message }]
        });
        match &results[0] {
            Err(Error::PeerMisbehaved { culprits, .. }) => assert!(!culprits.contains(&id(1)), "{at}"),
            Ok(None) => {}
            other => panic!("{at}: {other:?}"),
        }
    }
    pardon(&members);
    sign(&members, key.id, &[1, 2], b"m");
}

#[test]
fn whatever_byte_of_a_dealing_is_changed_the_honest_member_has_no_key_and_is_not_blamed() {
    let members = group(2);
    let forger = Forger::of(&members[1]);
    for round in 0..3 {
        let (mut at, mut length) = (0, usize::MAX);
        while at < length {
            pardon(&members);
            let invitation = dkg_invitation(&members, Suite::Ed25519, 2);
            let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
            let results = exchange_over(&mut runs, &mut |from, _, message| {
                let bytes = message.to_bytes();
                if from != 1 || message.round() != round || bytes[SUBJECT] == DISPUTE {
                    return vec![message];
                }
                length = bytes.len() - BODY - 64;
                vec![forger.flipped(&message, BODY + at)]
            });
            match &results[0] {
                Err(Error::PeerMisbehaved { culprits, .. }) => assert!(!culprits.contains(&id(1)), "{round}, {at}"),
                Ok(None) | Err(Error::Rejected(Rejection::Unexpected)) => {}
                other => panic!("round {round}, byte {at}: {other:?}"),
            }
            at += 23;
        }
    }
    pardon(&members);
    let key = dkg(&members, Suite::Ed25519, 2);
    sign(&members, key.id, &[1, 2], b"m");
}
