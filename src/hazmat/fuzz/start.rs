//! Whatever a member invites to: it is refused, or entered for what it says, and costs the token nothing.

use std::sync::LazyLock;

use super::decoders::suite;
use super::exchange::record;
use super::pair::{MESSAGE, Pair, Snapshot, id, newcomer, pin, whole};
use super::proposals::imported;
use super::recorded::reproposed;
use super::{choice, one_of};
use crate::keystore::{Error, KeyState, KeyStore};
use crate::suite::Suite;
use crate::wire::{Derivation, Invitation, MAX_BATCH};

/// One invitation of each kind, by the liar.
static INVITATIONS: LazyLock<Vec<(Suite, Vec<Invitation>)>> =
    LazyLock::new(|| Suite::ALL.into_iter().map(|suite| (suite, invitations(suite))).collect());

fn invitations(suite: Suite) -> Vec<Invitation> {
    let (pair, third) = (Pair::new(suite), newcomer());
    let enrolled = Pair::opened(suite, &Snapshot::of(suite).enrolled);
    let by = &pair.liar;
    vec![
        pair.proposed_signature(by),
        pair.proposed_batch(by),
        pair.proposed_reconstruction(true),
        pair.proposed_key(),
        pair.proposed_refresh(by),
        pair.proposed_reshare(by, &third),
        pair.proposed_import(by),
        pair.proposed_import(&pair.honest),
        pair.proposed_enrolment(by, &third),
        // The honest member knows nothing of that enrolment.
        enrolled.proposed_repair(&enrolled.liar, &third),
        enrolled.proposed_refresh(&enrolled.liar),
    ]
}

/// Suite and invitation come first, then how its plan is changed.
pub(super) fn start(mut bytes: &[u8]) {
    let suite = suite(&mut bytes);
    let which = choice(&mut bytes);
    let (_, invitations) = INVITATIONS.iter().find(|(of, _)| *of == suite).expect("there is one of each suite");
    let pair = Pair::new(suite);
    // Nonces that were made beforehand are there as long as their runs.
    let mut runs = None;
    let invitation = if usize::from(which) % (invitations.len() + 1) == invitations.len() {
        let made = pair.proposed_batch(&pair.liar);
        record(runs.insert(pair.prepare(&made)));
        pair.proposed_with_batch(&pair.liar, &made)
    } else {
        one_of(invitations, which).clone()
    };
    let Some(invitation) = reproposed(&invitation, bytes) else { return };
    enter(&pair, &invitation);
    check(&pair);
}

/// Every way in.
fn enter(pair: &Pair, invitation: &Invitation) {
    let (user, [officer, _]) = (&pair.honest, &pair.officers);
    let key = &pair.snapshot.key;
    if entered(user.start_sign(invitation, MESSAGE)) {
        assert_eq!((invitation.message(), invitation.key()), (Some(MESSAGE), Some(key.id)));
        assert_eq!(invitation.derivation(), Some(&Derivation::default()));
    }
    if entered(user.start_preprocess(invitation)) {
        assert!(invitation.key() == Some(key.id) && invitation.batch_size() <= Some(MAX_BATCH));
    }
    let consented = entered(user.consent_to_reconstruct(invitation));
    if entered(officer.start_reconstruct(invitation)) {
        assert!(consented && invitation.key() == Some(key.id));
    }
    if entered(user.start(invitation)) {
        assert!(invitation.key().is_none_or(|named| named == key.id));
        assert!(invitation.key().is_none() || invitation.template().is_none_or(|template| *template == key.template));
    }
    let brought = imported(pair.suite);
    let group_key = brought.group_key().clone();
    if entered(user.start_import(invitation, brought)) {
        assert_eq!(invitation.imports(), Some(&group_key));
        assert!(invitation.dealers().is_some_and(|dealers| dealers.identifiers().eq([id(1)])));
    }
}

/// Whether it was. What others invite to breaks no storage, and blames nobody before anything was said.
fn entered<T>(result: Result<T, Error>) -> bool {
    let wrong = matches!(result, Err(Error::Storage(_) | Error::Audit(_) | Error::PeerMisbehaved { .. }));
    assert!(!wrong, "{:?}", result.err());
    result.is_ok()
}

/// The key is what it was, and the token opens.
fn check(pair: &Pair) {
    let store = KeyStore::open_in(pair.storage.clone()).expect("every run leaves a token that opens");
    let session = store.login(&pin()).expect("the PIN is right");
    let key = session.key(pair.snapshot.key.id).expect("the key is here");
    assert_eq!((key.epoch, key.state), (pair.snapshot.key.epoch, KeyState::Active));
    whole(&store, &session);
}
