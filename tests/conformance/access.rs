//! Logging in, PINs, roles and sessions.

use quorumkey::{
    Declaration, Derivation, Dkg, Error, Filter, KeyTemplate, Misuse, Operation, Pin, Proposal, Restriction, Suite,
    UserType,
};

use crate::backend::{Backend, backup_key, group};
use crate::common::{Member, dkg, id, officer_pin, roster, sign, user_pin};
use crate::refused;

fn other_pin() -> Pin {
    Pin::new("some other words").unwrap()
}

pub fn a_wrong_pin_says_how_many_tries_are_left_and_the_right_one_gives_them_back(backend: &dyn Backend) {
    let store = backend.create("token");
    for left in [9, 8] {
        refused!(store.login(&other_pin()), Error::Login { tries_left } if tries_left == left);
    }
    refused!(store.login_so(&user_pin()), Error::Login { tries_left: 4 });
    store.login(&user_pin()).unwrap();
    refused!(store.login(&officer_pin()), Error::Login { tries_left: 9 });
    refused!(store.login_so(&user_pin()), Error::Login { tries_left: 3 });
    store.login_so(&officer_pin()).unwrap();
}

pub fn the_user_is_locked_after_ten_tries_also_when_reopened_until_the_officer_sets_a_pin(backend: &dyn Backend) {
    let store = backend.create("token");
    for left in (1..10).rev() {
        refused!(store.login(&other_pin()), Error::Login { tries_left } if tries_left == left);
    }
    refused!(store.login(&other_pin()), Error::Locked);
    refused!(store.login(&user_pin()), Error::Locked);
    drop(store);
    let store = backend.open("token");
    refused!(store.login(&user_pin()), Error::Locked);
    store.login_so(&officer_pin()).unwrap().set_user_pin(&other_pin()).unwrap();
    refused!(store.login(&user_pin()), Error::Login { tries_left: 9 });
    store.login(&other_pin()).unwrap();
}

pub fn the_officer_is_locked_after_five_tries(backend: &dyn Backend) {
    let store = backend.create("token");
    for _ in 0..4 {
        refused!(store.login_so(&other_pin()), Error::Login { .. });
    }
    refused!(store.login_so(&other_pin()), Error::Locked);
    refused!(store.login_so(&officer_pin()), Error::Locked);
    store.login(&user_pin()).unwrap();
}

pub fn a_changed_pin_replaces_the_old_one_and_sessions_go_on(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2);
    members[0].session.set_pin(&other_pin()).unwrap();
    sign(&members, key.id, &[1, 2], b"the session goes on");
    refused!(members[0].store.login(&user_pin()), Error::Login { tries_left: 9 });
    members[0].store.login(&other_pin()).unwrap();
    drop(members);
    let store = backend.open("1");
    refused!(store.login(&user_pin()), Error::Login { .. });
    assert_eq!(store.login(&other_pin()).unwrap().key(key.id).unwrap().epoch, key.epoch);
    store.login_so(&officer_pin()).unwrap();
}

pub fn the_officer_changes_its_own_pin_and_the_user_may_not(backend: &dyn Backend) {
    let token = backend.token("token");
    let user = token.login(UserType::User, &user_pin()).unwrap();
    refused!(token.set_pin(user, UserType::SecurityOfficer, &other_pin()), Error::Role);
    let officer = token.login(UserType::SecurityOfficer, &officer_pin()).unwrap();
    token.set_pin(officer, UserType::SecurityOfficer, &other_pin()).unwrap();
    refused!(token.login(UserType::SecurityOfficer, &officer_pin()), Error::Login { .. });
    token.login(UserType::SecurityOfficer, &other_pin()).unwrap();
    drop(token);
    backend.open("token").login_so(&other_pin()).unwrap();
}

pub fn the_officer_uses_no_key(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let (recipient, identity, _) = backup_key();
    let share = members[0].session.export(key.id, &recipient).unwrap();
    let to_sign = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    let to_refresh = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    let mut run = members[1].session.start_sign(&to_sign, b"m").unwrap();
    let (message, run) = (run.poll_transmit().unwrap(), run.id());
    let certificate = members[0].session.certificate(key.id).unwrap();
    let dkg = Proposal::Dkg {
        suite: Suite::Ed25519,
        threshold: 2,
        members: roster(&members),
        template: KeyTemplate::wallet("another"),
    };

    let token = backend.token("officer's");
    let officer = token.login(UserType::SecurityOfficer, &officer_pin()).unwrap();
    refused!(token.invite(officer, &dkg), Error::Role);
    refused!(token.begin(officer, Operation::Deal(&to_refresh)), Error::Role);
    refused!(token.begin(officer, Operation::Sign(&to_sign, b"m", &Derivation::default())), Error::Role);
    refused!(token.extended_public_key(officer, key.id), Error::Role);
    refused!(token.advance(officer, run, &message), Error::Role);
    refused!(token.abort(officer, run), Error::Role);
    refused!(token.wrap_key(officer, key.id, &recipient), Error::Role | Error::NotFound(_));
    refused!(token.wrap_identity(officer, &recipient), Error::Role);
    refused!(token.unwrap_key(officer, &share, &identity), Error::Role);
    refused!(token.complete(officer, &certificate), Error::Role);
    token.card(officer).unwrap();
    token.audit(officer, None, 9).unwrap();

    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    assert_eq!(officer.find(&Filter::default()).unwrap().len(), 1);
    officer.certificate(key.id).unwrap();
    officer.restrict(key.id, &Restriction::default()).unwrap();
    officer.destroy(key.id).unwrap();
}

pub fn a_user_overrides_and_declares_nothing(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invitation = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    let token = backend.token("user's");
    let user = token.login(UserType::User, &user_pin()).unwrap();
    refused!(token.override_fork_rules(user, &invitation), Error::Role);
    let declaration = Declaration::Stolen { epoch: key.epoch, identifier: id(1) };
    refused!(token.declare(user, key.id, &declaration), Error::Role);
    refused!(token.destroy(user), Error::Role);
    token.card(user).unwrap();
}

pub fn every_call_answers_logged_out_to_a_session_that_has_ended(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let (recipient, identity, _) = backup_key();
    let share = members[0].session.export(key.id, &recipient).unwrap();
    let to_sign = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    let to_refresh = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    let message = members[1].session.start_sign(&to_sign, b"m").unwrap().poll_transmit().unwrap();
    let certificate = members[0].session.certificate(key.id).unwrap();
    let proposal = Proposal::Refresh { key: key.id, cards: Vec::new(), least_attempt: 0 };
    let declaration = Declaration::Stolen { epoch: key.epoch, identifier: id(1) };

    let token = backend.token("token");
    let gone = token.login(UserType::User, &user_pin()).unwrap();
    token.logout(gone).unwrap();
    refused!(token.logout(gone), Error::LoggedOut);
    refused!(token.card(gone), Error::LoggedOut);
    refused!(token.set_pin(gone, UserType::User, &other_pin()), Error::LoggedOut);
    refused!(token.find_objects(gone, &Filter::default()), Error::LoggedOut);
    refused!(token.extended_public_key(gone, key.id), Error::LoggedOut);
    refused!(token.restrict(gone, key.id, &Restriction::default()), Error::LoggedOut);
    refused!(token.destroy_object(gone, key.id), Error::LoggedOut);
    refused!(token.destroy(gone), Error::LoggedOut);
    refused!(token.invite(gone, &proposal), Error::LoggedOut);
    refused!(token.begin(gone, Operation::Deal(&to_refresh)), Error::LoggedOut);
    refused!(token.begin(gone, Operation::Sign(&to_sign, b"m", &Derivation::default())), Error::LoggedOut);
    refused!(token.advance(gone, to_sign.run_id(), &message), Error::LoggedOut);
    refused!(token.abort(gone, to_sign.run_id()), Error::LoggedOut);
    refused!(token.override_fork_rules(gone, &to_refresh), Error::LoggedOut);
    refused!(token.declare(gone, key.id, &declaration), Error::LoggedOut);
    refused!(token.wrap_key(gone, key.id, &recipient), Error::LoggedOut);
    refused!(token.wrap_identity(gone, &recipient), Error::LoggedOut);
    refused!(token.unwrap_key(gone, &share, &identity), Error::LoggedOut);
    refused!(token.certificates(gone, key.id), Error::LoggedOut);
    refused!(token.complete(gone, &certificate), Error::LoggedOut);
    refused!(token.abandon(gone, key.id, key.epoch), Error::LoggedOut);
    refused!(token.audit(gone, None, 9), Error::LoggedOut);
    token.info().unwrap();
    // Numbers of sessions are not given out again.
    assert_ne!(token.login(UserType::User, &user_pin()).unwrap(), gone);
}

pub fn a_dropped_session_has_logged_out(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    let mut other = members[0].session.start_sign(&invitation, b"m").unwrap();
    let Member { store, session } = &members[1];
    let dropped = store.login(&user_pin()).unwrap();
    let mut run = dropped.start_sign(&invitation, b"m").unwrap();
    drop(dropped);
    refused!(run.handle(&other.poll_transmit().unwrap()), Error::LoggedOut);
    session.card().unwrap();
    let outsider = backend.create("outsider").login(&user_pin()).unwrap();
    let without = Dkg {
        suite: Suite::Ed25519,
        threshold: 2,
        members: roster(&members),
        template: KeyTemplate::wallet("not the outsider's"),
    };
    refused!(outsider.invite(without), Error::Misuse(Misuse::NotAMember));
}
