//! Bytes that are none of a kind, or of one that was changed.

use quorumkey::wrap::{Identity, WrappedShare};
use quorumkey::{
    Card, Certificate, DecodeError, Error, Invitation, KeyInfo, KeyState, Message, Misuse, Rejection, Run, Signing,
    Suite,
};

use crate::common::{Member, deal, dkg, dkg_invitation, exchange, exchange_over, group, id, init, refresh, sign};

/// Offset of the threshold in an invitation to a dealing: version, length of the plan, version, inviter, randomness,
/// action, suite.
const THRESHOLD: usize = 1 + 4 + 1 + 2 + 32 + 1 + 1;
/// Offset of the number of receivers: threshold, height, attempt, "a wallet", "wallet", export, trusted, operations, gate, quorum.
const RECEIVERS: usize = THRESHOLD + 2 + 8 + 4 + (4 + 8) + (4 + 6) + 1 + 4 + 1 + 1 + 1;
/// Offsets in a message.
const SUITE: usize = 1;
const GROUP: usize = 2;
const EPOCH: usize = 34;
const RUN: usize = 66;
const SENDER: usize = 99;
const SUBJECT: usize = 101;
const BODY: usize = 174;

fn patched(bytes: &[u8], at: usize, patch: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + patch.len()].copy_from_slice(patch);
    bytes
}

/// What every decoder does with bytes that are not a value's one encoding. Gives the changed bytes that still decode.
fn torture<T>(whole: &[u8], decode: fn(&[u8]) -> Result<T, DecodeError>, encode: fn(&T) -> Vec<u8>) -> Vec<T> {
    assert_eq!(encode(&decode(whole).ok().unwrap()), whole);
    for cut in 0..whole.len() {
        assert!(decode(&whole[..cut]).is_err(), "cut at {cut}");
    }
    for more in [1, 2, 64 << 10] {
        for byte in [0, 0xff] {
            let longer = [whole, &vec![byte; more]].concat();
            assert!(matches!(decode(&longer), Err(DecodeError::Trailing)), "{more} bytes more");
        }
    }
    for version in [0, 2, 255] {
        assert!(matches!(decode(&patched(whole, 0, &[version])), Err(DecodeError::Version(found)) if found == version));
    }
    for text in [&[][..], &[0], &[1], &[0xff; 9], &[1; 4096], &[0; 4096]] {
        assert!(decode(text).is_err());
    }
    let mut survivors = Vec::new();
    let mut keep = |changed: Vec<u8>| {
        if let Ok(value) = decode(&changed) {
            assert_eq!(encode(&value), changed, "a second encoding");
            survivors.push(value);
        }
    };
    for at in 0..whole.len() {
        for flip in [1, 0x80] {
            keep(patched(whole, at, &[whole[at] ^ flip]));
        }
    }
    // Whatever is a length: four gigabytes, and one more than there is.
    for at in 0..whole.len().saturating_sub(3) {
        for length in [u32::MAX, 1 << 31, u32::try_from(whole.len()).unwrap()] {
            let changed = patched(whole, at, &length.to_be_bytes());
            if changed != whole {
                keep(changed);
            }
        }
    }
    survivors
}

#[test]
fn a_card_has_one_encoding_and_no_changed_byte_survives_its_signature() {
    let card = Member::in_memory("a card").card();
    let bytes = card.to_bytes();
    assert!(torture(&bytes, Card::from_bytes, Card::to_bytes).is_empty());
    // The label's length, at 37: four gigabytes.
    let long = patched(&bytes, 37, &u32::MAX.to_be_bytes());
    assert_eq!(Card::from_bytes(&long), Err(DecodeError::TooLong));
}

#[test]
fn a_changed_invitation_to_a_new_key_is_refused_when_it_is_read_or_started() {
    let members = group(2);
    let invitation = dkg_invitation(&members, Suite::Ed25519, 2);
    let changed = torture(&invitation.to_bytes(), Invitation::from_bytes, Invitation::to_bytes);
    assert!(!changed.is_empty());
    for invitation in changed {
        let error = members[1].session.start(&invitation).unwrap_err();
        assert!(matches!(error, Error::Misuse(_)), "{error:?}");
    }
    let key = deal(&members, &invitation);
    sign(&members, key.id, &[1, 2], b"m");
}

#[test]
fn a_changed_invitation_to_sign_is_refused_when_it_is_read_or_started() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    for invitation in torture(&invitation.to_bytes(), Invitation::from_bytes, Invitation::to_bytes) {
        let approved = invitation.message().unwrap_or_default().to_vec();
        let error = members[1].session.start_sign(&invitation, &approved).unwrap_err();
        let typed = matches!(
            error,
            Error::Misuse(_) | Error::Denied(_) | Error::NotFound(_) | Error::Stale { .. } | Error::Decode(_)
        );
        assert!(typed, "{error:?}");
    }
    sign(&members, key.id, &[1, 2], b"m");
}

#[test]
fn a_changed_invitation_to_refresh_is_refused_by_who_goes_by_its_certificates() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let new = Member::in_memory("new 2");
    let card = quorumkey::NewCard { identifier: id(2), card: new.card(), reason: quorumkey::Reason::Lost };
    // 2-of-2 can't lose a member: the quorum is both.
    assert!(members[0].session.invite_refresh(key.id, vec![card]).is_err());

    let mut members = group(3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let card = quorumkey::NewCard { identifier: id(3), card: new.card(), reason: quorumkey::Reason::Lost };
    let invitation = members[0].session.invite_refresh(key.id, vec![card]).unwrap();
    let bytes = invitation.to_bytes();
    for at in (0..bytes.len()).step_by(5) {
        let Ok(changed) = Invitation::from_bytes(&patched(&bytes, at, &[bytes[at] ^ 1])) else { continue };
        let error = new.session.start(&changed).unwrap_err();
        let typed = matches!(error, Error::Misuse(_) | Error::Certificate(_) | Error::Decode(_));
        assert!(typed, "{at}: {error:?}");
    }
    members[2] = new;
    deal(&members, &invitation);
    sign(&members, key.id, &[2, 3], b"m");
}

#[test]
fn thresholds_and_numbers_of_members_out_of_bounds_are_refused_in_an_invitation() {
    let members = group(3);
    let bytes = dkg_invitation(&members, Suite::Ed25519, 2).to_bytes();
    assert_eq!(bytes[THRESHOLD..THRESHOLD + 2], [0, 2]);
    assert_eq!(bytes[RECEIVERS..RECEIVERS + 4], [0, 0, 0, 3]);
    for threshold in [0_u16, 1, 4, 1000, u16::MAX] {
        let changed = patched(&bytes, THRESHOLD, &threshold.to_be_bytes());
        assert_eq!(Invitation::from_bytes(&changed).unwrap_err(), DecodeError::Invalid("threshold"));
    }
    for n in [0_u32, 1, 2, 4, 1000, 1001, 65_535, u32::MAX] {
        assert!(Invitation::from_bytes(&patched(&bytes, RECEIVERS, &n.to_be_bytes())).is_err(), "{n}");
    }
    for identifier in [0_u16, 2, 1001, u16::MAX] {
        assert!(Invitation::from_bytes(&patched(&bytes, RECEIVERS + 4, &identifier.to_be_bytes())).is_err());
    }
}

/// Two members in a signing run, the second's first message on its way.
fn signing(members: &[Member], key: &KeyInfo) -> [Run<Signing>; 2] {
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, b"m").unwrap())
}

fn rejected(run: &mut Run<Signing>, message: &Message) -> Rejection {
    match run.handle(message) {
        Err(Error::Rejected(rejection)) => rejection,
        other => panic!("{message:?}: {other:?}"),
    }
}

#[test]
fn a_changed_message_is_refused_when_read_or_rejected_and_the_run_goes_on() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let [mut one, mut two] = signing(&members, &key);
    for _ in 0..2 {
        let (a, b) = (one.poll_transmit().unwrap(), two.poll_transmit().unwrap());
        for changed in torture(&b.to_bytes(), Message::from_bytes, Message::to_bytes) {
            rejected(&mut one, &changed);
        }
        two.handle(&a).unwrap();
        one.handle(&b).unwrap();
    }
    assert_eq!(one.poll_output().unwrap(), two.poll_output().unwrap());
}

#[test]
fn a_message_of_another_suite_group_epoch_run_or_sender_is_rejected_for_what_it_is() {
    let members = group(3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let [mut one, mut two] = signing(&members, &key);
    let message = two.poll_transmit().unwrap();
    let bytes = message.to_bytes();
    let changed = |at: usize, patch: &[u8]| Message::from_bytes(&patched(&bytes, at, patch)).unwrap();
    let other_suite = if bytes[SUITE] == 1 { 2 } else { 1 };
    assert_eq!(rejected(&mut one, &changed(SUITE, &[other_suite])), Rejection::OtherGroup);
    assert_eq!(rejected(&mut one, &changed(GROUP, &[9; 32])), Rejection::OtherGroup);
    assert_eq!(rejected(&mut one, &changed(EPOCH, &[9; 32])), Rejection::OtherGroup);
    assert_eq!(rejected(&mut one, &changed(RUN, &[9; 32])), Rejection::OtherRun);
    assert_eq!(rejected(&mut one, &changed(SENDER, &[0, 3])), Rejection::Stranger);
    // Swapped: under another member's number.
    assert_eq!(rejected(&mut one, &changed(SENDER, &[0, 1])), Rejection::Unauthentic);
    for subject in [0, 15, 255] {
        let unknown = Message::from_bytes(&patched(&bytes, SUBJECT, &[subject]));
        assert_eq!(unknown.unwrap_err(), DecodeError::Invalid("subject"));
    }
    for sender in [0_u16, 1001, u16::MAX] {
        let unknown = Message::from_bytes(&patched(&bytes, SENDER, &sender.to_be_bytes()));
        assert_eq!(unknown.unwrap_err(), DecodeError::Invalid("identifier"));
    }
    for length in [(4 << 20) + 1, u32::MAX] {
        let long = Message::from_bytes(&patched(&bytes, BODY, &length.to_be_bytes()));
        assert_eq!(long.unwrap_err(), DecodeError::TooLong);
    }
    let [_, mut elsewhere] = signing(&members, &key);
    assert_eq!(rejected(&mut one, &elsewhere.poll_transmit().unwrap()), Rejection::OtherRun);
    one.handle(&message).unwrap();
    exchange(&mut [one, two]);
}

#[test]
fn replayed_and_reflected_messages_change_nothing() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let [mut one, mut two] = signing(&members, &key);
    let (mut shown, mut outputs) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (a, b) = (one.poll_transmit().unwrap(), two.poll_transmit().unwrap());
        shown.extend([a.clone(), b.clone()]);
        two.handle(&a).unwrap();
        one.handle(&b).unwrap();
        outputs.extend(one.poll_output());
        let said = one.progress();
        for message in &shown {
            one.handle(message).unwrap();
        }
        assert_eq!(one.progress(), said);
    }
    assert!(one.poll_transmit().is_none() && one.poll_output().is_none());
    assert_eq!(outputs.len(), 1);
    // Of a run of before, in another one.
    let [mut next, _] = signing(&members, &key);
    for message in &shown {
        assert_eq!(rejected(&mut next, message), Rejection::OtherRun);
    }
}

#[test]
fn messages_of_before_a_refresh_do_not_reach_a_run_after_it() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let [mut one, _] = signing(&members, &key);
    let old = one.poll_transmit().unwrap();
    refresh(&members, key.id);
    let [_, mut two] = signing(&members, &key);
    let moved = patched(&old.to_bytes(), RUN, &two.poll_transmit().unwrap().to_bytes()[RUN..RUN + 32]);
    assert_eq!(rejected(&mut two, &Message::from_bytes(&moved).unwrap()), Rejection::OtherGroup);
}

#[test]
fn a_changed_certificate_is_refused_when_it_is_read_or_given() {
    let members = group(2);
    let invitation = dkg_invitation(&members, Suite::Ed25519, 2);
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 1 && message.round() == 2 { Vec::new() } else { vec![message] }
    });
    let key = results.into_iter().next().unwrap().unwrap().unwrap();
    let certificate = members[0].session.certificate(key.id).unwrap();
    let bytes = certificate.to_bytes();
    for cut in 0..bytes.len() {
        assert!(Certificate::from_bytes(&bytes[..cut]).is_err());
    }
    for more in [1, 64 << 10] {
        assert!(Certificate::from_bytes(&[bytes.as_slice(), &vec![0; more]].concat()).is_err());
    }
    for version in [0, 2] {
        assert_eq!(
            Certificate::from_bytes(&patched(&bytes, 0, &[version])).unwrap_err(),
            DecodeError::Version(version)
        );
    }
    let give = |changed: &[u8], at: usize| {
        let Ok(certificate) = Certificate::from_bytes(changed) else { return };
        assert_eq!(certificate.to_bytes(), changed);
        let error = members[1].session.complete(&certificate).unwrap_err();
        assert!(matches!(error, Error::Certificate(_) | Error::NotFound(_)), "{at}: {error:?}");
    };
    for at in 0..bytes.len() {
        give(&patched(&bytes, at, &[bytes[at] ^ 1]), at);
    }
    for at in 0..bytes.len() - 3 {
        let huge = patched(&bytes, at, &u32::MAX.to_be_bytes());
        if huge != bytes {
            give(&huge, at);
        }
    }
    assert_eq!(members[1].session.complete(&certificate).unwrap().state, KeyState::Active);
    sign(&members, key.id, &[1, 2], b"m");
}

#[test]
fn a_changed_backup_is_refused_in_its_file_and_in_its_content() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let identity = Identity::generate();
    let Identity::X25519(secret) = &identity else { panic!("another kind of identity") };
    let recipient = secret.recipient();
    let file = members[0].session.export(key.id, &recipient).unwrap();
    let token = members[0].session.export_identity(&recipient).unwrap();
    let store = quorumkey::KeyStore::restore_in_memory(&quorumkey::Restore {
        init: &init("restored"),
        identity: &token,
        with: &identity,
        incarnation: 0,
    })
    .unwrap();
    let session = store.login(&crate::common::user_pin()).unwrap();

    let whole = file.as_bytes();
    let opens = |bytes: Vec<u8>| session.restore(&WrappedShare::from_bytes(bytes)?, &identity);
    for at in (0..whole.len()).step_by(3) {
        assert!(matches!(opens(patched(whole, at, &[whole[at] ^ 1])), Err(Error::Wrap(_))), "{at}");
    }
    for cut in [0, 1, 20, 21, 22, whole.len() / 2, whole.len() - 16, whole.len() - 1] {
        assert!(matches!(opens(whole[..cut].to_vec()), Err(Error::Wrap(_))), "{cut}");
    }
    for more in [1, 64 << 10, 2 << 20] {
        assert!(matches!(opens([whole, &vec![0; more]].concat()), Err(Error::Wrap(_))), "{more}");
    }

    let content = quorumkey::hazmat::wrap::open(whole, &identity).unwrap();
    let restores = |content: &[u8]| opens(quorumkey::hazmat::wrap::seal(content, &recipient).unwrap());
    let refused = |content: &[u8], at: usize| {
        let error = restores(content).unwrap_err();
        let typed = matches!(error, Error::Decode(_) | Error::Certificate(_) | Error::Misuse(_));
        assert!(typed, "{at}: {error:?}");
    };
    for at in (0..100).chain((100..content.len()).step_by(11)) {
        refused(&patched(&content, at, &[content[at] ^ 1]), at);
        refused(&content[..at], at);
        if at + 4 <= content.len() {
            refused(&patched(&content, at, &u32::MAX.to_be_bytes()), at);
        }
    }
    refused(&[content.as_slice(), &[0]].concat(), content.len());
    refused(&[content.as_slice(), &vec![0; 64 << 10]].concat(), content.len());
    assert!(matches!(session.key(key.id), Err(Error::NotFound(_))));
    restores(&content).unwrap();
    assert!(matches!(opens(whole.to_vec()), Err(Error::Exists(_))));
    sign(&members, key.id, &[1, 2], b"m");
    let stranger = Member::in_memory("a stranger");
    assert!(matches!(stranger.session.restore(&file, &identity), Err(Error::Misuse(Misuse::OtherMember))));
}
