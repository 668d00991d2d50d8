//! Frozen samples: a format that changes is noticed here, and `docs/format.md` is read by somebody who has only that.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod common;

use common::{init, sign, user_pin};
use quorumkey::hazmat::{self, SampleDealing, sample_dealing, wrap};
use quorumkey::wrap::{Identity, Recipient, WrappedIdentity, WrappedShare};
use quorumkey::{
    Card, Certificate, Derivation, Dkg, Import, ImportedKey, Invitation, KeyState, KeyStore, KeyTemplate, Message,
    NewCard, Operations, Reason, Restore, Roster, Suite,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

fn sample(suite: Suite) -> SampleDealing {
    sample_dealing(suite, &mut ChaCha20Rng::seed_from_u64(u64::from(suite.code()))).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `H` of the document.
fn tagged(tag: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for part in [tag.as_bytes()].iter().chain(parts) {
        hasher.update(u64::try_from(part.len()).unwrap().to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_vec()
}

/// Reads what the document describes, knowing nothing of the library's own reader.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(n);
        self.0 = tail;
        head
    }

    fn number(&mut self, n: usize) -> u64 {
        self.take(n).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn bytes(&mut self) -> &'a [u8] {
        let n = self.number(4);
        self.take(usize::try_from(n).unwrap())
    }

    fn end(&self) {
        assert!(self.0.is_empty(), "{} bytes are left", self.0.len());
    }
}

#[test]
fn a_card_is_the_frozen_one() {
    let card = &sample(Suite::Ed25519).cards[0];
    let bytes = card.to_bytes();
    assert_eq!(hex(&bytes), CARD);
    assert_eq!(Card::from_bytes(&bytes).as_ref(), Ok(card));

    let mut card = Bytes(&bytes);
    assert_eq!(card.number(1), 1);
    let identity = card.take(32).try_into().unwrap();
    assert_eq!(card.number(4), 0);
    assert_eq!(card.bytes(), b"anna's phone");
    let content = &bytes[..bytes.len() - 64];
    let signature = ed25519_dalek::Signature::from_slice(card.take(64)).unwrap();
    card.end();
    let signed = [&[0, 0, 0, 17], b"quorumkey/card/v1".as_slice(), &[0, 0, 0, 53], content].concat();
    ed25519_dalek::VerifyingKey::from_bytes(identity).unwrap().verify_strict(&signed, &signature).unwrap();
}

#[test]
fn an_invitation_is_the_frozen_one() {
    let SampleDealing { invitation, cards, .. } = sample(Suite::Ed25519);
    let bytes = invitation.to_bytes();
    assert_eq!(hash(&bytes), INVITATION);
    assert_eq!(Invitation::from_bytes(&bytes), Ok(invitation.clone()));

    let mut whole = Bytes(&bytes);
    assert_eq!(whole.number(1), 1);
    let plan_bytes = whole.bytes();
    assert_eq!(tagged("quorumkey/run/v1", &[plan_bytes]), invitation.run_id().as_bytes());
    assert_eq!(whole.number(4), 0);
    whole.take(64);
    whole.end();

    let mut plan = Bytes(plan_bytes);
    assert_eq!((plan.number(1), plan.number(2)), (1, 1));
    plan.take(32);
    let (action, suite, threshold, height, attempt) =
        (plan.number(1), plan.number(1), plan.number(2), plan.number(8), plan.number(4));
    assert_eq!((action, suite, threshold, height, attempt), (1, 1, 2, 0, 0));
    assert_eq!((plan.bytes(), plan.bytes(), plan.number(1)), (b"savings".as_slice(), b"wallet".as_slice(), 2));
    assert_eq!((plan.number(4), plan.number(1), plan.number(1), plan.number(1)), (0, 27, 0, 0));
    let roster = plan.0;
    assert_eq!(plan.number(4), 3);
    for (number, card) in (1..).zip(&cards) {
        assert_eq!(plan.number(2), number);
        assert_eq!(plan.bytes(), card.to_bytes());
    }
    let roster = &roster[..roster.len() - plan.0.len()];
    let digits: String = invitation.fingerprint().unwrap().to_string().split(' ').collect();
    assert_eq!(digits, hex(&tagged("quorumkey/fingerprint/v1", &[roster])[..16]));
    assert_eq!(plan.number(1), 0);
    plan.end();
}

#[test]
fn an_invitation_to_sign_for_a_child_is_as_the_document_says() {
    let members = common::group(2);
    let key = common::dkg(&members, Suite::Secp256k1Taproot, 2);
    let child = Derivation { path: "m/0/7".parse().unwrap(), root: Some([9; 32]) };
    for derivation in [Derivation::default(), child] {
        let signers = [common::id(1), common::id(2)];
        let invitation = members[0].session.invite_sign_under(key.id, &signers, b"message", &derivation).unwrap();
        let bytes = invitation.to_bytes();
        let mut plan = Bytes(Bytes(&bytes[1..]).bytes());
        assert_eq!((plan.number(1), plan.number(2)), (1, 1));
        plan.take(32);
        assert_eq!((plan.number(1), plan.number(1)), (2, 3));
        assert_eq!((plan.take(32), plan.take(32)), (key.id.as_bytes().as_slice(), key.epoch.as_bytes().as_slice()));
        let roster = roster_bytes(&common::roster(&members));
        assert_eq!(plan.take(32), tagged("quorumkey/roster/v1", &[key.epoch.as_bytes(), &[0; 4], &roster]));
        assert_eq!((plan.bytes(), plan.number(4)), (b"wallet".as_slice(), 2));
        assert_eq!((plan.number(2), plan.number(2)), (1, 2));
        let steps = derivation.path.steps();
        assert_eq!(plan.number(4), u64::try_from(steps.len()).unwrap());
        for step in steps {
            assert_eq!(plan.number(4), u64::from(*step));
        }
        plan.take(if steps.is_empty() { 0 } else { 32 });
        assert_eq!(plan.number(1), u64::from(derivation.root.is_some()));
        assert_eq!(plan.take(derivation.root.map_or(0, |_| 32)), derivation.root.as_ref().map_or(&[][..], |root| root));
        assert_eq!((plan.number(1), plan.bytes()), (0, b"message".as_slice()));
        plan.end();
    }
}

/// What the document says of a roster.
fn roster_bytes(roster: &Roster) -> Vec<u8> {
    let mut bytes = u32::try_from(roster.len()).unwrap().to_be_bytes().to_vec();
    for (id, card) in roster.iter() {
        let card = card.to_bytes();
        bytes.extend(id.get().to_be_bytes());
        bytes.extend(u32::try_from(card.len()).unwrap().to_be_bytes());
        bytes.extend(card);
    }
    bytes
}

#[test]
fn a_repair_and_its_revision_are_as_the_document_says() {
    let mut members = common::group(3);
    let key = common::dkg(&members, Suite::Ed25519, 2);
    let old = core::mem::replace(&mut members[2], common::Member::in_memory("member 3 anew")).card();
    let (new, id) = (members[2].card(), common::id(3));
    let card = NewCard { identifier: id, card: new.clone(), reason: Reason::Destroyed };
    let helpers = [common::id(1), common::id(2)];
    let invitation = members[0].session.invite_repair(key.id, card, &helpers).unwrap();
    let bytes = invitation.to_bytes();
    let roster = roster_bytes(&common::roster(&members));
    let mut plan = Bytes(Bytes(&bytes[1..]).bytes());
    assert_eq!((plan.number(1), plan.number(2)), (1, 1));
    plan.take(32);
    assert_eq!((plan.number(1), plan.number(1)), (4, 1));
    let revision_bytes = plan.bytes();
    assert_eq!(plan.take(roster.len()), roster);
    assert_eq!((plan.number(4), plan.number(2), plan.number(2), plan.number(1)), (2, 1, 2, 1));
    plan.end();

    let certificate = members[0].session.certificate(key.id).unwrap();
    let shares = hazmat::verifying_shares(&certificate).unwrap();
    let mut revision = Bytes(revision_bytes);
    assert_eq!((revision.number(1), revision.take(32)), (1, key.id.as_bytes().as_slice()));
    assert_eq!((revision.take(32), revision.number(4)), (key.epoch.as_bytes().as_slice(), 1));
    assert_eq!((revision.number(2), revision.number(1)), (3, 4));
    assert_eq!((revision.take(32), revision.bytes()), (old.id().as_bytes().as_slice(), new.to_bytes().as_slice()));
    assert_eq!(revision.bytes(), shares[&id]);
    assert_eq!(revision.take(32), tagged("quorumkey/roster/v1", &[key.epoch.as_bytes(), &[0, 0, 0, 1], &roster]));
    revision.end();

    common::deal(&members, &invitation);
    let (before, after) = (certificate.to_bytes(), members[2].session.certificate(key.id).unwrap().to_bytes());
    // The list of revisions was empty.
    let mut list = Bytes(after.strip_prefix(&before[..before.len() - 4]).unwrap());
    assert_eq!((list.number(4), list.bytes(), list.number(4)), (1, revision_bytes, 2));
    for member in 1..=2 {
        assert_eq!(list.number(2), member);
        let signature = ed25519_dalek::Signature::from_slice(list.take(64)).unwrap();
        let len = u32::try_from(revision_bytes.len()).unwrap().to_be_bytes();
        let signed = [&[0, 0, 0, 21], b"quorumkey/revision/v1".as_slice(), &len, revision_bytes].concat();
        let identity = *members[usize::try_from(member).unwrap() - 1].card().identity();
        ed25519_dalek::VerifyingKey::from_bytes(&identity).unwrap().verify_strict(&signed, &signature).unwrap();
    }
    list.end();
}

#[test]
fn an_invitation_to_import_a_key_is_what_the_document_says() {
    for suite in Suite::ALL {
        let session = KeyStore::memory(&init("anna's phone")).unwrap().login(&user_pin()).unwrap();
        let other = KeyStore::memory(&init("ben's laptop")).unwrap().login(&user_pin()).unwrap();
        let members = Roster::numbered([other.card().unwrap(), session.card().unwrap()]).unwrap();
        let key = ImportedKey::from_scalar(suite, [7; 32].into()).unwrap();
        let template = KeyTemplate::wallet("an old wallet");
        let import = Import { key: &key, threshold: 2, members: members.clone(), template, least_attempt: 5 };
        let invitation = session.invite_import(import).unwrap().to_bytes();

        let plan = Bytes(&invitation[1..]).bytes().to_vec();
        let mut plan = Bytes(&plan);
        assert_eq!((plan.number(1), plan.number(2)), (1, 2));
        plan.take(32);
        let (action, code, threshold) = (plan.number(1), plan.number(1), plan.number(2));
        assert_eq!((action, code, threshold), (1, u64::from(suite.code()), 2));
        assert_eq!((plan.number(8), plan.number(4)), (0, 5));
        assert_eq!(
            (plan.bytes(), plan.bytes(), plan.number(1)),
            (b"an old wallet".as_slice(), b"wallet".as_slice(), 2)
        );
        assert_eq!((plan.number(4), plan.number(1), plan.number(1), plan.number(1)), (0, 27, 0, 0));
        assert_eq!(plan.number(4), 2);
        for (number, card) in (1..).zip(members.iter().map(|(_, card)| card)) {
            assert_eq!((plan.number(2), plan.bytes()), (number, card.to_bytes().as_slice()));
        }
        assert_eq!((plan.number(1), plan.bytes()), (2, key.group_key().as_bytes()));
        let chain_code = tagged("quorumkey/imported-chain-code/v1", &[&[suite.code()], &[7; 32]]);
        assert_eq!(plan.take(32), tagged("quorumkey/chain-code-hash/v1", &[&chain_code]));
        assert_eq!(plan.number(2), 2);
        plan.end();
    }
}

#[test]
fn an_invitation_to_renew_a_key_is_what_the_document_says() {
    let members = common::group(3);
    for suite in Suite::ALL {
        let key = common::dkg(&members, suite, 2);
        let invitation = members[1].session.invite_refresh(key.id, Vec::new()).unwrap().to_bytes();
        let mut plan = Bytes(Bytes(&invitation[1..]).bytes());
        assert_eq!((plan.number(1), plan.number(2)), (1, 2));
        plan.take(32);
        assert_eq!((plan.number(1), plan.number(1), plan.number(2)), (1, u64::from(suite.code()), 2));
        assert_eq!((plan.number(8), plan.number(4)), (1, 1));
        assert_eq!((plan.bytes(), plan.bytes(), plan.number(1)), (b"a wallet".as_slice(), b"wallet".as_slice(), 2));
        assert_eq!((plan.number(4), plan.number(1), plan.number(1), plan.number(1)), (0, 27, 0, 0));
        let roster = roster_bytes(&common::roster(&members));
        assert_eq!(plan.take(roster.len()), roster);
        assert_eq!(plan.number(1), 1);
        assert_eq!((plan.take(32), plan.take(32)), (key.id.as_bytes().as_slice(), key.epoch.as_bytes().as_slice()));
        assert_eq!(plan.take(32), tagged("quorumkey/roster/v1", &[key.epoch.as_bytes(), &[0; 4], &roster]));
        assert_eq!(plan.take(roster.len()), roster);
        // Nobody only signs, nobody leaves, no line loses, and no revision.
        assert_eq!([(); 4].map(|()| plan.number(4)), [0; 4]);
        plan.end();
    }
}

#[test]
fn an_invitation_to_reconstruct_a_key_is_what_the_document_says() {
    let members = common::group(3);
    let operations = Operations::ALL.union(Operations::RECONSTRUCT);
    let template = KeyTemplate { operations, ..KeyTemplate::wallet("on trial") };
    let dkg = Dkg { suite: Suite::Secp256k1, threshold: 2, members: common::roster(&members), template };
    let key = common::deal(&members, &members[0].session.invite(dkg).unwrap());
    let officer = members[1].store.login_so(&common::officer_pin()).unwrap();
    let invitation = officer.invite_reconstruct(key.id, &[common::id(3), common::id(2)]).unwrap().to_bytes();
    let mut plan = Bytes(Bytes(&invitation[1..]).bytes());
    assert_eq!((plan.number(1), plan.number(2)), (1, 2));
    plan.take(32);
    assert_eq!((plan.number(1), plan.number(1)), (3, 2));
    assert_eq!((plan.take(32), plan.take(32)), (key.id.as_bytes().as_slice(), key.epoch.as_bytes().as_slice()));
    let roster = roster_bytes(&common::roster(&members));
    assert_eq!(plan.take(32), tagged("quorumkey/roster/v1", &[key.epoch.as_bytes(), &[0; 4], &roster]));
    assert_eq!((plan.number(4), plan.number(2), plan.number(2)), (2, 2, 3));
    plan.end();
}

#[test]
fn what_is_made_and_used_beforehand_is_as_the_document_says() {
    let members = common::group(2);
    for (suite, point) in Suite::ALL.into_iter().zip([32, 33, 33]) {
        let key = common::dkg(&members, suite, 2);
        let signers = [common::id(1), common::id(2)];
        let to_prepare = members[0].session.invite_preprocess(key.id, &signers, 3).unwrap();
        let bytes = to_prepare.to_bytes();
        let plan = Bytes(&bytes[1..]).bytes();
        let names = b"\0\0\0\x06wallet\0\0\0\x02\0\x01\0\x02";
        let code = [5, suite.code()];
        let roster = roster_bytes(&common::roster(&members));
        let roster = tagged("quorumkey/roster/v1", &[key.epoch.as_bytes(), &[0; 4], &roster]);
        let expected = [code.as_slice(), key.id.as_bytes(), key.epoch.as_bytes(), &roster, names, &[0, 3]].concat();
        assert_eq!(plan[35..], expected);

        let mut runs: Vec<_> = members.iter().map(|one| one.session.start_preprocess(&to_prepare).unwrap()).collect();
        let mut said = Vec::new();
        let mut batches = common::exchange_over(&mut runs, &mut |_, _, message| {
            said.push(message.to_bytes());
            vec![message]
        });
        let batch = batches.remove(0).unwrap().unwrap();
        for (place, bytes) in said.iter().enumerate() {
            let round = usize::from(place >= 2);
            let expected = [(0, 13, 3 * 2 * point), (1, 14, 0)][round];
            let mut message = Bytes(&bytes[98..]);
            let (number, _, subject) = (message.number(1), message.number(2), message.number(1));
            message.take(72);
            assert_eq!((number, subject, message.bytes().len()), expected);
        }

        for number in 0..2 {
            let invitation = members[0].session.invite_sign_prepared(&batch, &signers, b"m", &Derivation::default());
            let bytes = invitation.unwrap().to_bytes();
            let plan = Bytes(&bytes[1..]).bytes();
            let used = [[0, 0, 0, 0, 0, 1].as_slice(), batch.id.as_bytes(), &[0, number], b"\0\0\0\x01m"].concat();
            assert!(plan.ends_with(&used));
        }
    }
}

#[test]
fn messages_are_the_frozen_ones() {
    for (suite, frozen) in Suite::ALL.into_iter().zip(MESSAGES) {
        let SampleDealing { messages, invitation, .. } = sample(suite);
        let point = if suite == Suite::Ed25519 { 32 } else { 33 };
        assert_eq!(messages.len(), 9);
        let mut all = Vec::new();
        for (place, message) in (0_u64..).zip(&messages) {
            let bytes = message.to_bytes();
            assert_eq!(Message::from_bytes(&bytes).as_ref(), Ok(message));
            let round = place / 3;
            let mut header = Bytes(&bytes);
            assert_eq!((header.number(1), header.number(1)), (1, u64::from(suite.code())));
            assert_eq!((header.take(32), header.take(32)), ([0; 32].as_slice(), [0; 32].as_slice()));
            assert_eq!(header.take(32), invitation.run_id().as_bytes());
            assert_eq!((header.number(1), header.number(2)), (round, place % 3 + 1));
            assert_eq!((header.number(1), header.number(8)), (round + 1, round + 1));
            header.take(64);
            let body = header.bytes();
            header.take(64);
            header.end();
            let expected = match round {
                0 => 32 + 32 + point + point + 32 + 1 + 1 + 4 + 4,
                1 => 2 * point + point + 32 + point + 3 * (8 + 80),
                _ => 32 + 64 + 4 + point + 32,
            };
            assert_eq!(body.len(), expected, "{suite:?}, round {round}");
            all.extend(bytes);
        }
        assert_eq!(hash(&all), frozen, "{suite:?}");
    }
}

#[test]
fn certificates_are_the_frozen_ones() {
    for (suite, frozen) in Suite::ALL.into_iter().zip(CERTIFICATES) {
        let SampleDealing { certificate: bytes, messages, chain_code, .. } = sample(suite);
        assert_eq!(hash(&bytes), frozen, "{suite:?}");
        let certificate = Certificate::from_bytes(&bytes).unwrap();
        assert_eq!(certificate.to_bytes(), bytes);

        let mut whole = Bytes(&bytes);
        assert_eq!(whole.number(1), 1);
        let plan = whole.bytes();
        let transcript = whole.bytes();
        assert_eq!(tagged("quorumkey/epoch/v1", &[transcript]), certificate.epoch_id().as_bytes());
        assert_eq!(whole.number(4), 3);
        for member in 1..=3 {
            assert_eq!(whole.number(2), member);
            whole.take(64);
            whole.bytes();
        }
        assert_eq!(whole.number(4), 0);
        whole.end();

        let bodies: Vec<_> = messages.iter().map(Message::to_bytes).collect();
        let deals: Vec<_> = bodies[3..6].iter().map(|message| Bytes(&message[174..]).bytes()).collect();
        let extension = [
            [1].as_slice(),
            &tagged("quorumkey/run/v1", &[plan]),
            &tagged("quorumkey/deals/v1", &deals),
            &tagged("quorumkey/chain-code-hash/v1", &[&chain_code]),
            &[0; 12],
        ];
        assert!(transcript.ends_with(&[(109_u64.to_le_bytes()).as_slice(), &extension.concat()].concat()));
    }
}

/// What the document says that is inside a backup of an identity.
fn identity_content(seed: &[u8; 32], label: &str) -> Vec<u8> {
    let len = u32::try_from(label.len()).unwrap().to_be_bytes();
    [b"quorumkey/identity/v1\0\0\0", [1].as_slice(), seed, &[0; 4], &len, label.as_bytes()].concat()
}

/// What the document says that is inside a backup of a share.
fn share_content(sample: &SampleDealing, place: usize) -> Vec<u8> {
    let len = u32::try_from(sample.certificate.len()).unwrap().to_be_bytes();
    let member = u16::try_from(place + 1).unwrap().to_be_bytes();
    let mut content = b"quorumkey/share/v1\0\0\0\0\0\0".to_vec();
    content.extend([member.as_slice(), &sample.shares[place], &sample.chain_code, &[0, 0, 0, 1], &len].concat());
    content.extend(&sample.certificate);
    content
}

#[test]
fn backups_made_by_hand_after_the_document_are_restored() {
    for (suite, frozen) in Suite::ALL.into_iter().zip(SHARES) {
        let sample = sample(suite);
        assert_eq!(hash(&share_content(&sample, 0)), frozen, "{suite:?}");
        let Identity::X25519(secret) = Identity::generate() else { unreachable!() };
        let (to, with) = (secret.recipient(), Identity::X25519(secret));
        let members: Vec<_> = (0..3)
            .map(|place| {
                let identity = wrap::seal(&identity_content(&sample.seeds[place], "somebody"), &to).unwrap();
                let share = wrap::seal(&share_content(&sample, place), &to).unwrap();
                let identity = WrappedIdentity::from_bytes(identity).unwrap();
                let init = init(&format!("restored {}", place + 1));
                let store = KeyStore::restore_in_memory(&Restore {
                    init: &init,
                    identity: &identity,
                    with: &with,
                    incarnation: 0,
                })
                .unwrap();
                let session = store.login(&user_pin()).unwrap();
                assert_eq!(session.card().unwrap().incarnation(), 1);
                let key = session.restore(&WrappedShare::from_bytes(share).unwrap(), &with).unwrap();
                assert_eq!((key.state, key.suite, key.threshold), (KeyState::Restored, suite, 2));
                (common::Member { store, session }, key)
            })
            .collect();
        assert!(members.windows(2).all(|pair| pair[0].1.group_key == pair[1].1.group_key));
    }
}

#[test]
fn backups_hold_what_the_document_says() {
    let members = common::group(2);
    let key = common::dkg(&members, Suite::Ed25519, 2);
    sign(&members, key.id, &[1, 2], b"before");
    let key = common::refresh(&members, key.id);
    let Identity::X25519(secret) = Identity::generate() else { unreachable!() };
    let (to, with): (Recipient, _) = (secret.recipient(), Identity::X25519(secret));

    let backup = members[1].session.export(key.id, &to).unwrap();
    let content = wrap::open(backup.as_bytes(), &with).unwrap();
    let mut content = Bytes(&content);
    assert_eq!(content.take(24), b"quorumkey/share/v1\0\0\0\0\0\0");
    assert_eq!(content.number(2), 2);
    content.take(64);
    let chain = members[1].session.certificates(key.id).unwrap();
    assert_eq!((content.number(4), chain.len()), (2, 2));
    assert_eq!((content.bytes(), content.bytes()), (&*chain[0].to_bytes(), &*chain[1].to_bytes()));
    content.end();
    renewal_is_as_the_document_says(&chain[1], 2, 32);

    let backup = members[1].session.export_identity(&to).unwrap();
    let content = wrap::open(backup.as_bytes(), &with).unwrap();
    let seed = content[25..57].try_into().unwrap();
    assert_eq!(*content, identity_content(seed, "member 2"));
    let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes();
    assert_eq!(&public, members[1].card().identity());
}

/// Walks through the transcript of a renewal by as many dealers as receivers.
fn renewal_is_as_the_document_says(certificate: &Certificate, members: u64, point: usize) {
    let bytes = certificate.to_bytes();
    let mut whole = Bytes(&bytes[1..]);
    whole.bytes();
    let mut transcript = Bytes(whole.bytes());
    assert_eq!((transcript.take(22), transcript.number(1)), (b"quorumkey/redealing/v1".as_slice(), 1));
    // The run and the hash after it.
    assert_eq!(transcript.bytes().len(), 32 + 64);
    let threshold = transcript.number(2);
    assert_eq!((threshold, transcript.number(2)), (2, members));
    for member in 1..=members {
        assert_eq!(transcript.number(2), member);
        transcript.take(2 * point);
    }
    assert_eq!(transcript.number(2), members);
    for member in 1..=members {
        assert_eq!(transcript.number(2), member);
        transcript.take(point);
    }
    for _ in 0..members {
        transcript.take(2 * point + point + 32 + point);
    }
    assert_eq!(transcript.bytes().len(), 109);
    transcript.end();
}

// Version 1 of each format, from given randomness. Another order of drawing it changes these too; if the layout changed,
// which the readers above tell, old data can't be read any more, and a new version it is.
const CARD: &str = "01478b8e507e0bb2b18c0f9e0824769e8562d10df9abe2e774896f82b4b4405266000000000000000c616e6e6127732070686f6e6515024b2a6b20d8f1ce1d425c2a24253bfabc2f3503aace7ff022d4792cfe04b4466b16849208cc04acdc66fc92ffa7ba4fa01b08b89076b25f42aba147aeab03";
const INVITATION: &str = "415863d4dffd40e682951cbb887ce927775e48550a77f14f0d32effd9f30c1a6";
const MESSAGES: [&str; 3] = [
    "a1a7f05a20c3b68e75c8e33e6c607b3f58d407bcdc9980aa8ea6231a350993f7",
    "492831a3a84caa48164a5106a29bc15af5225b0b1b4a90dec21c016ecd17f4a5",
    "08a400929cc828bb18f8e3b670db6dad37bba9f1d25198c0d9639e88d7ae6f5b",
];
const CERTIFICATES: [&str; 3] = [
    "c8a6d13fc792802fc6ddeae8dc63786f14332f1a6478d67eaae0e3f29b7256ec",
    "77456655d7b5b3238be96eba15fca2ca7cc9bb0ce8d1f640f236470cc7a4b9e6",
    "0a807229f5d1a1ca507bd47d6e4fda26f00ac7a2bcda6bdbba7cd61bad16f2d5",
];
const SHARES: [&str; 3] = [
    "710215a442a8db56e32aaed804134d222fec20b76dc1c4684042230c6589e117",
    "e0337fcfd6aad49a0958e00aa80bf4c4fcdf569d6277302cebf6d4d70174a77a",
    "118f372d6d972b2618f22a2ac359816dc62ec5b06258a2c2098b9e43d15b9bcc",
];
