//! The run of an import, and what is left of those that did not end.

use quorumkey::hazmat::verifying_shares;
use quorumkey::wrap::{Identity, Recipient};
use quorumkey::{Certificate, Denial, Error, Filter, KeyState, Message, Misuse, Origin, Protocol, Roster};

use super::*;
use crate::backend::{Backend, group, reopen};
use crate::refused;

pub fn an_imported_key_keeps_its_public_key_and_any_two_sign_with_every_suite(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    for suite in Suite::ALL {
        for dealer in 0..3 {
            let old = scalar(suite, 10 + u8::try_from(dealer).unwrap());
            let public = old.group_key().clone();
            let key = import(&members, dealer, old);
            assert_eq!((&key.group_key, key.suite, key.height), (&public, suite, 0));
            for signers in [[1, 2], [1, 3], [2, 3]] {
                sign(&members, key.id, &signers, &[1; 32]);
            }
            assert_eq!(refresh(&members, key.id).group_key, public);
            sign(&members, key.id, &[1, 3], &[2; 32]);
        }
    }
    reopen(backend, &mut members);
    for key in members[0].session.find(&Filter::default()).unwrap() {
        sign(&members, key.id, &[2, 3], &[3; 32]);
    }
}

fn origins(members: &[Member], key: quorumkey::KeyId) -> Vec<Origin> {
    members.iter().map(|member| member.key(key).origin).collect()
}

pub fn every_member_knows_for_ever_that_the_key_was_imported(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let key = import(&members, 1, scalar(Suite::Secp256k1, 4)).id;
    assert_eq!(origins(&members, key), [Origin::Imported; 3]);
    refresh(&members, key);
    reopen(backend, &mut members);
    assert_eq!(origins(&members, key), [Origin::Imported; 3]);

    // Also who comes back from a backup, and who takes over from a member that was lost.
    let (recipient, with) = backup_key();
    let identity = members[2].session.export_identity(&recipient).unwrap();
    let share = members[2].session.export(key, &recipient).unwrap();
    members[2] = Member::new(backend.restore("3 again", &identity, &with));
    let restored = members[2].session.restore(&share, &with).unwrap();
    assert_eq!((restored.state, restored.origin), (KeyState::Restored, Origin::Imported));
    members[1] = Member::new(backend.create("2 again"));
    let new = |place: usize, reason| quorumkey::NewCard {
        identifier: id(u16::try_from(place).unwrap() + 1),
        card: members[place].card(),
        reason,
    };
    let cards = vec![new(1, quorumkey::Reason::Lost), new(2, quorumkey::Reason::Lost)];
    let invitation = members[0].session.invite_refresh(key, cards).unwrap();
    members[2].store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
    deal(&members, &invitation);
    assert_eq!(origins(&members, key), [Origin::Imported; 3]);
    sign(&members, key, &[2, 3], &[3; 32]);

    // A key of the same members that was made by all of them is none.
    assert_eq!(origins(&members, dkg(&members, Suite::Secp256k1, 2).id), [Origin::Generated; 3]);
}

fn backup_key() -> (Recipient, Identity) {
    let (recipient, with, _) = crate::backend::backup_key();
    (recipient, with)
}

/// What is said in a round is lost on the way to that member.
fn keep_from(member: usize, round: u8) -> impl FnMut(usize, usize, Message) -> Vec<Message> {
    move |_, to, message| if to == member && message.round() == round { Vec::new() } else { vec![message] }
}

fn outcomes<P: Protocol>(runs: &mut [Run<P>], wire: Wire<'_>) -> usize {
    exchange_over(runs, wire).into_iter().filter(|result| matches!(result, Ok(Some(_)))).count()
}

pub fn an_import_that_some_missed_is_completed_by_its_certificate(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let old = scalar(Suite::Ed25519, 5);
    let invitation = invite(&members, 0, &old);
    assert_eq!(outcomes(&mut start(&members, 0, &invitation, old), &mut keep_from(2, 2)), 2);
    reopen(backend, &mut members);
    let key = members[0].session.find(&Filter::default()).unwrap().remove(0);
    let pending = members[2].key(key.id);
    assert_eq!((pending.state, pending.origin), (KeyState::Pending, Origin::Imported));
    let certificate = members[0].session.certificate(key.id).unwrap();
    let certificate = Certificate::from_bytes(&certificate.to_bytes()).unwrap();
    let completed = members[2].session.complete(&certificate).unwrap();
    assert_eq!((completed.state, completed.origin), (KeyState::Active, Origin::Imported));
    sign(&members, key.id, &[2, 3], b"m");
    assert_eq!(refresh(&members, key.id).height, 1);
}

pub fn an_import_that_was_left_behind_is_completed_by_the_next_attempt(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    for suite in Suite::ALL {
        let invitation = invite(&members, 0, &scalar(suite, 6));
        // Nobody hears the third member's signature, nor it theirs.
        let lost = |from, to, message: Message| {
            if message.round() == 2 && (from == 2 || to == 2) { Vec::new() } else { vec![message] }
        };
        assert_eq!(outcomes(&mut start(&members, 0, &invitation, scalar(suite, 6)), &mut { lost }), 0);
        reopen(backend, &mut members);
        let id = members[0].session.find(&Filter { suite: Some(suite), ..Filter::default() }).unwrap()[0].id;
        let attempt = members[0].key(id).pending[0];
        // The joins show every signature: the first attempt is complete, and the second ends with it.
        let key = import(&members, 1, scalar(suite, 6));
        assert_eq!((key.epoch, key.id), (attempt, id));
        assert!(members.iter().all(|member| member.key(id).pending.is_empty()));
        sign(&members, id, &[1, 3], &[4; 32]);
        refresh(&members, id);
    }
}

pub fn an_attempt_that_nobody_certified_is_named_and_superseded_by_the_next(backend: &dyn Backend) {
    let mut members = group(backend, 3);
    let invitation = invite(&members, 0, &scalar(Suite::Secp256k1Taproot, 8));
    // The third member gets no deal, and so signs nothing.
    assert_eq!(
        outcomes(&mut start(&members, 0, &invitation, scalar(Suite::Secp256k1Taproot, 8)), &mut keep_from(2, 1)),
        0
    );
    let key = members[0].session.find(&Filter::default()).unwrap()[0].id;
    let left = members[0].key(key).pending[0];
    assert!(members[2].session.find(&Filter::default()).unwrap().is_empty());
    reopen(backend, &mut members);
    // With another chain code the attempts would have different children.
    let mut bytes = Zeroizing::new([8; 32]);
    (bytes[0], bytes[31]) = (1, 1);
    let otherwise = || ImportedKey::from_node(Suite::Secp256k1Taproot, bytes.clone(), Zeroizing::new([9; 32])).unwrap();
    let invitation = invite(&members, 0, &otherwise());
    refused!(members[0].session.start_import(&invitation, otherwise()), Error::Misuse(Misuse::Plan(_)));
    refused!(members[1].session.start(&invitation), Error::Misuse(Misuse::Plan(_)));
    let imported = import(&members, 0, scalar(Suite::Secp256k1Taproot, 8));
    assert_ne!(imported.epoch, left);
    for member in &members {
        let info = member.key(key);
        assert!(info.pending.is_empty() && info.old_epochs.len() == 1, "{info:?}");
        assert_eq!((info.old_epochs[0].epoch, info.state), (left, KeyState::Active));
    }
    // The two that held shares of it have erased them, and said so.
    assert!(members[1].key(key).old_epochs[0].is_dead());
    sign(&members, key, &[2, 3], &[4; 32]);

    // Who is below what it entered is told so.
    let other = Member::new(backend.create("4"));
    let mixed = [Member::new(backend.create("5")), other];
    let below = invite(&mixed, 0, &scalar(Suite::Ed25519, 9));
    let above = Import {
        key: &scalar(Suite::Ed25519, 9),
        threshold: 2,
        members: roster(&mixed),
        template: KeyTemplate::wallet("an old wallet"),
        least_attempt: 7,
    };
    let above = mixed[1].session.invite_import(above).unwrap();
    let _promised = mixed[0].session.start(&above).unwrap();
    let denied = mixed[0].session.start_import(&below, scalar(Suite::Ed25519, 9));
    refused!(denied, Error::Denied(quorumkey::Denial::AttemptTooLow { least: 8 }));
}

/// An attempt at the import that the third member got no deal of, and so nobody certified.
fn leave_behind(members: &[Member], suite: Suite) -> quorumkey::KeyId {
    let invitation = invite(members, 0, &scalar(suite, 7));
    assert_eq!(outcomes(&mut start(members, 0, &invitation, scalar(suite, 7)), &mut keep_from(2, 1)), 0);
    members[1].session.find(&Filter { suite: Some(suite), ..Filter::default() }).unwrap()[0].id
}

/// Who brings a key and is in which order there.
fn invite_as(inviter: &Member, members: [&Member; 3], suite: Suite, least_attempt: u32) -> Invitation {
    let (key, template) = (&scalar(suite, 7), KeyTemplate::wallet("an old wallet"));
    let members = Roster::numbered(members.map(Member::card)).unwrap();
    inviter.session.invite_import(Import { key, threshold: 2, members, template, least_attempt }).unwrap()
}

pub fn a_promise_to_an_import_outlives_the_key_that_is_destroyed(backend: &dyn Backend) {
    let members = group(backend, 4);
    for suite in Suite::ALL {
        let key = leave_behind(&members[..3], suite);
        assert_eq!(leave_behind(&members[..3], suite), key);
        members[1].session.destroy(key).unwrap();
        // The fourth has the key too, and knows nothing of what was tried before.
        let again = |attempt| invite_as(&members[3], [&members[0], &members[1], &members[3]], suite, attempt);
        for attempt in [0, 2] {
            let low = Error::Denied(Denial::AttemptTooLow { least: 3 });
            let refused = members[1].session.start(&again(attempt)).map(|_| ()).unwrap_err();
            assert_eq!(format!("{refused:?}"), format!("{low:?}"));
        }
        assert!(members[1].session.start(&again(3)).is_ok());
    }
}

/// Also if the run was begun while the key waited for its certificate.
pub fn a_key_that_is_destroyed_does_not_come_back_by_an_import_under_way(backend: &dyn Backend) {
    let members = group(backend, 3);
    for suite in Suite::ALL {
        let key = leave_behind(&members, suite);
        let invitation = invite(&members, 0, &scalar(suite, 7));
        let mut runs = start(&members, 0, &invitation, scalar(suite, 7));
        members[1].session.destroy(key).unwrap();
        let ended = exchange_over(&mut runs, &mut |_, _, message| vec![message]).swap_remove(1);
        assert!(matches!(ended, Err(Error::Misuse(Misuse::NoSuchRun(_)))), "{ended:?}");
        let of_suite = Filter { suite: Some(suite), ..Filter::default() };
        let known = members[1].session.find(&of_suite).unwrap();
        assert!(known.iter().all(|key| key.state == KeyState::Destroyed), "{known:?}");
    }
}

pub fn a_lower_attempt_at_an_import_goes_no_further_once_a_higher_one_was_entered(backend: &dyn Backend) {
    let members = group(backend, 3);
    let all = [&members[0], &members[1], &members[2]];
    let [low, high] = [1, 2].map(|attempt| invite_as(all[0], all, Suite::Ed25519, attempt));
    let (mut runs, mut higher) = (start(&members, 0, &low, scalar(Suite::Ed25519, 7)), None);
    let results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 1 && message.round() == 1 {
            higher.get_or_insert_with(|| members[1].session.start(&high).unwrap());
        }
        vec![message]
    });
    let low = &results[1];
    assert!(matches!(low, Err(Error::Denied(Denial::AttemptTooLow { least: 2 }))), "{low:?}");
}

pub fn a_member_of_an_import_stays_under_its_number(backend: &dyn Backend) {
    let members = group(backend, 3);
    leave_behind(&members, Suite::Secp256k1);
    let swapped = invite_as(&members[0], [&members[1], &members[0], &members[2]], Suite::Secp256k1, 0);
    refused!(members[1].session.start(&swapped), Error::Misuse(Misuse::Plan("a member under another number")));
    let kept = invite_as(&members[0], [&members[0], &members[1], &members[2]], Suite::Secp256k1, 0);
    assert!(members[1].session.start(&kept).is_ok());
}

pub fn a_key_is_imported_once(backend: &dyn Backend) {
    let members = group(backend, 3);
    let key = import(&members, 0, scalar(Suite::Ed25519, 3));
    let old = scalar(Suite::Ed25519, 3);
    let again = |key| Import {
        key,
        threshold: 3,
        members: roster(&members),
        template: KeyTemplate::wallet("another wallet"),
        least_attempt: 0,
    };
    refused!(members[1].session.invite_import(again(&old)), Error::Exists(id) if id == key.id);
    members[1].session.destroy(key.id).unwrap();
    let invitation = members[1].session.invite_import(again(&old)).unwrap();
    refused!(members[0].session.start(&invitation), Error::Exists(id) if id == key.id);
    sign(&members, key.id, &[1, 3], b"m");
    // Once all have destroyed it, it may come again.
    members[0].session.destroy(key.id).unwrap();
    members[2].session.destroy(key.id).unwrap();
    let new = exchange(&mut start(&members, 1, &invitation, old)).remove(0);
    assert_eq!((new.id, new.threshold), (key.id, 3));
    sign(&members, key.id, &[1, 2, 3], b"m");
}

pub fn an_import_is_entered_for_what_it_is(backend: &dyn Backend) {
    let members = group(backend, 3);
    let (old, other) = (scalar(Suite::Secp256k1, 1), || scalar(Suite::Secp256k1, 2));
    let invitation = invite(&members, 0, &old);
    assert_eq!(invitation.imports(), Some(old.group_key()));
    assert_eq!(invitation.dealers().unwrap().identifiers().collect::<Vec<_>>(), [id(1)]);
    refused!(members[0].session.start(&invitation), Error::Misuse(Misuse::Plan(_)));
    refused!(members[0].session.start_import(&invitation, other()), Error::Misuse(Misuse::Plan(_)));
    refused!(members[1].session.start_import(&invitation, other()), Error::Misuse(Misuse::Plan(_)));
    let fresh = dkg_invitation(&members, Suite::Secp256k1, 2);
    refused!(members[0].session.start_import(&fresh, other()), Error::Misuse(Misuse::Plan(_)));
    // The same secret with another chain code would have other children.
    let mut bytes = [1; 32];
    bytes[0] = 1;
    let otherwise = ImportedKey::from_node(Suite::Secp256k1, Zeroizing::new(bytes), Zeroizing::new([9; 32])).unwrap();
    assert_eq!(otherwise.group_key(), old.group_key());
    refused!(members[0].session.start_import(&invitation, otherwise), Error::Misuse(Misuse::Plan(_)));
    // An officer imports nothing, and a session that is over neither.
    exchange(&mut start(&members, 0, &invitation, old));
    let stranger = Member::new(backend.create("a stranger"));
    let import = Import {
        key: &other(),
        threshold: 2,
        members: roster(&members),
        template: KeyTemplate::wallet("w"),
        least_attempt: 0,
    };
    refused!(stranger.session.invite_import(import), Error::Misuse(Misuse::NotAMember));
}

/// Not in the dealer's token, nor in any other: what they keep are shares, none of which is the secret.
pub fn the_secret_is_never_on_record(backend: &dyn Backend) {
    let members = group(backend, 3);
    let secret = [1; 32];
    let old = ImportedKey::from_scalar(Suite::Ed25519, Zeroizing::new(secret)).unwrap();
    let invitation = invite(&members, 0, &old);
    let mut runs = start(&members, 0, &invitation, old);
    let _ = exchange_over(&mut runs, &mut keep_from(2, 2));
    let key = members[0].session.find(&Filter::default()).unwrap()[0].clone();
    let shares = verifying_shares(&members[0].session.certificate(key.id).unwrap()).unwrap();
    assert!(shares.values().all(|share| share != key.group_key.as_bytes()));
    drop(runs);
    for name in ["1", "2", "3"] {
        let loot = backend.loot(name);
        assert!(loot.len() >= 3 && loot.secrets().all(|kept| *kept != secret));
    }
}
