//! Runs: whose they are, how often they are entered, what they sign.

use quorumkey::{
    Coordinator, Denial, Dkg, Error, KeyTemplate, MAX_MESSAGE, Misuse, Operation, Proposal, Roster, Suite, UserType,
};

use crate::backend::{Backend, group, reopen};
use crate::common::{deal, dkg, dkg_invitation, exchange, id, refresh, roster, sign, user_pin};
use crate::refused;

pub fn logout_ends_runs_and_no_later_session_gets_them_back(backend: &dyn Backend) {
    let mut members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let invitation = members[0].session.invite_sign(key, &[id(1), id(2)], b"m").unwrap();
    let mut one = members[0].session.start_sign(&invitation, b"m").unwrap();
    let mut two = members[1].session.start_sign(&invitation, b"m").unwrap();
    let again = members[0].store.login(&user_pin()).unwrap();
    core::mem::replace(&mut members[0].session, again).logout().unwrap();
    let commitment = two.poll_transmit().unwrap();
    refused!(one.handle(&commitment), Error::LoggedOut);
    refused!(one.handle(&commitment), Error::LoggedOut);
    refused!(one.abort(), Error::LoggedOut);
    refused!(
        members[0].session.start_sign(&invitation, b"m"),
        Error::Misuse(Misuse::RunEnteredBefore(run)) if run == invitation.run_id()
    );
    sign(&members, key, &[1, 2], b"in a run of its own");
}

pub fn a_run_belongs_to_its_session(backend: &dyn Backend) {
    let token = backend.token("1");
    let [mine, other] = [(); 2].map(|()| token.login(UserType::User, &user_pin()).unwrap());
    let peer = crate::common::Member::new(backend.create("2"));
    let proposal = Proposal::Dkg {
        suite: Suite::Ed25519,
        threshold: 2,
        members: Roster::numbered([token.card(mine).unwrap(), peer.card()]).unwrap(),
        template: KeyTemplate::wallet("a wallet"),
    };
    let invitation = token.invite(mine, &proposal).unwrap();
    let (run, first) = token.begin(mine, Operation::Deal(&invitation)).unwrap();
    let mut theirs = peer.session.start(&invitation).unwrap();
    let join = theirs.poll_transmit().unwrap();
    refused!(token.advance(other, run, &join), Error::Misuse(Misuse::NoSuchRun(_)));
    refused!(token.abort(other, run), Error::Misuse(Misuse::NoSuchRun(_)));
    token.logout(other).unwrap();
    // It goes on as if nobody else had spoken to it.
    let progress = token.advance(mine, run, &join).unwrap();
    assert_eq!((first.done, progress.done), (0, 1));
    theirs.handle(&first.outgoing[0]).unwrap();
}

pub fn two_sessions_of_one_token_sign_side_by_side(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let second = members[0].store.login(&user_pin()).unwrap();
    let invite = |text: &[u8]| second.invite_sign(key, &[id(1), id(2)], text).unwrap();
    let (a, b) = (invite(b"a"), invite(b"b"));
    let mut runs_a = [&members[0].session, &members[1].session].map(|session| session.start_sign(&a, b"a").unwrap());
    let mut runs_b = [&second, &members[1].session].map(|session| session.start_sign(&b, b"b").unwrap());
    exchange(&mut runs_b);
    second.logout().unwrap();
    exchange(&mut runs_a);
}

pub fn an_aborted_run_is_gone_and_the_others_lose_nothing(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let invitation = members[0].session.invite_sign(key, &[id(1), id(2)], b"m").unwrap();
    let run = members[0].session.start_sign(&invitation, b"m").unwrap();
    let mut two = members[1].session.start_sign(&invitation, b"m").unwrap();
    run.abort().unwrap();
    refused!(members[0].session.start_sign(&invitation, b"m"), Error::Misuse(Misuse::RunEnteredBefore(_)));
    two.poll_transmit().unwrap();
    assert_eq!(two.progress().awaiting, [id(1)]);
    two.abort().unwrap();
    sign(&members, key, &[1, 2], b"m");
}

pub fn a_run_is_entered_once_whatever_the_session_and_also_after_reopening(backend: &dyn Backend) {
    let mut members = group(backend, 2);
    let to_deal = dkg_invitation(&members, Suite::Ed25519, 2);
    let key = deal(&members, &to_deal).id;
    let to_sign = members[0].session.invite_sign(key, &[id(1), id(2)], b"m").unwrap();
    drop(members[0].session.start_sign(&to_sign, b"m").unwrap());
    for _ in 0..2 {
        let second = members[0].store.login(&user_pin()).unwrap();
        for session in [&members[0].session, &second] {
            refused!(session.start_sign(&to_sign, b"m"), Error::Misuse(Misuse::RunEnteredBefore(_)));
            refused!(session.start(&to_deal), Error::Misuse(Misuse::RunEnteredBefore(_)));
        }
        drop(second);
        reopen(backend, &mut members);
    }
}

pub fn only_the_approved_message_is_signed(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let invitation = members[0].session.invite_sign(key, &[id(1), id(2)], b"pay 10").unwrap();
    assert_eq!(invitation.message(), Some(b"pay 10".as_slice()));
    for other in [b"pay 100".as_slice(), b"pay 1", b""] {
        refused!(members[1].session.start_sign(&invitation, other), Error::Denied(Denial::OtherMessage));
    }
    // What was denied was not entered.
    drop(members[1].session.start_sign(&invitation, b"pay 10").unwrap());
    let empty = members[0].session.invite_sign(key, &[id(1), id(2)], b"").unwrap();
    let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&empty, b"").unwrap());
    exchange(&mut runs);
}

pub fn signers_are_members_and_enough_and_named_once(backend: &dyn Backend) {
    let members = group(backend, 3);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let session = &members[0].session;
    for signers in [&[][..], &[id(1)], &[id(1), id(1)], &[id(1), id(4)], &[id(1), id(2), id(2)]] {
        refused!(session.invite_sign(key, signers, b"m"), Error::Misuse(Misuse::Plan(_)));
    }
    let long = vec![0; MAX_MESSAGE + 1];
    refused!(session.invite_sign(key, &[id(1), id(2)], &long), Error::Misuse(Misuse::Plan(_)));
    let without = session.invite_sign(key, &[id(2), id(1)], b"m").unwrap();
    refused!(members[2].session.start_sign(&without, b"m"), Error::Misuse(Misuse::NotAMember));
    sign(&members, key, &[3, 1, 2], b"more than t, in any order");
    sign(&members, key, &[1, 2], &long[..MAX_MESSAGE]);
}

pub fn an_invitation_is_entered_for_what_it_is(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let to_sign = members[0].session.invite_sign(key, &[id(1), id(2)], b"m").unwrap();
    let to_refresh = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    refused!(members[0].session.start(&to_sign), Error::Misuse(Misuse::Unsupported(_)));
    refused!(members[0].session.start_sign(&to_refresh, b"m"), Error::Misuse(Misuse::Unsupported(_)));
    assert!(to_sign.receivers().is_none() && to_refresh.message().is_none());
}

pub fn a_dealing_needs_two_members_and_a_threshold_among_them(backend: &dyn Backend) {
    let members = group(backend, 3);
    let propose = |threshold, members: Roster, at: usize, group: &[crate::common::Member]| {
        let template = KeyTemplate::wallet("a wallet");
        group[at].session.invite(Dkg { suite: Suite::Ed25519, threshold, members, template })
    };
    for threshold in [0, 1, 4, u16::MAX] {
        refused!(propose(threshold, roster(&members), 0, &members), Error::Decode(_));
    }
    for threshold in [1, 2] {
        refused!(propose(threshold, roster(&members[..1]), 0, &members), Error::Decode(_));
    }
    let gaps = Roster::new(vec![(id(1), members[0].card()), (id(3), members[2].card())]).unwrap();
    refused!(propose(2, gaps, 0, &members), Error::Decode(_));
    refused!(propose(2, roster(&members[..2]), 2, &members), Error::Misuse(Misuse::NotAMember));
    let two = propose(2, roster(&members[..2]), 0, &members).unwrap();
    refused!(members[2].session.start(&two), Error::Misuse(Misuse::NotAMember));
}

pub fn a_coordinator_without_a_token_has_the_same_signature(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let members = group_named(backend, suite);
        let key = dkg(&members, suite, 2);
        let invitation = members[0].session.invite_sign(key.id, &[id(1), id(3)], b"m").unwrap();
        let mut coordinator = Coordinator::new(&invitation, &members[1].session.certificates(key.id).unwrap()).unwrap();
        assert_eq!(coordinator.awaiting(), [id(1), id(3)]);
        let mut runs = [0, 2].map(|at: usize| members[at].session.start_sign(&invitation, b"m").unwrap());
        let results = crate::common::exchange_over(&mut runs, &mut |_, _, message| {
            coordinator.handle(&message).unwrap();
            vec![message]
        });
        let signature = coordinator.poll_output().unwrap();
        key.verifying_key.verify(b"m", &signature).unwrap();
        for result in results {
            assert_eq!(result.unwrap().unwrap(), signature);
        }
        assert!(coordinator.poll_output().is_none());
    }
}

fn group_named(backend: &dyn Backend, suite: Suite) -> Vec<crate::common::Member> {
    (1..=3).map(|i| crate::common::Member::new(backend.create(&format!("{suite:?} {i}")))).collect()
}

pub fn a_coordinator_refuses_certificates_of_another_epoch_or_key(backend: &dyn Backend) {
    let members = group(backend, 2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let other = dkg(&members, Suite::Ed25519, 2).id;
    let session = &members[0].session;
    let old = session.invite_sign(key, &[id(1), id(2)], b"m").unwrap();
    let to_deal = session.invite_refresh(key, Vec::new()).unwrap();
    refresh(&members, key);
    let chain = session.certificates(key).unwrap();
    refused!(Coordinator::new(&old, &chain), Error::Stale { .. });
    refused!(Coordinator::new(&old, &[]), Error::Certificate(_));
    refused!(Coordinator::new(&old, &chain[1..]), Error::Certificate(_));
    refused!(Coordinator::new(&old, &session.certificates(other).unwrap()), Error::Stale { .. });
    refused!(Coordinator::new(&to_deal, &chain), Error::Misuse(Misuse::Unsupported(_)));
    Coordinator::new(&old, &chain[..1]).unwrap();
}
