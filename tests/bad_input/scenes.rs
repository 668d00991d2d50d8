//! What tokens hold before a step of their lives.

use std::sync::Arc;

use quorumkey::hazmat::{Shared, subject};
use quorumkey::wrap::{Identity, WrappedShare};
use quorumkey::{
    Certificate, Dkg, Entry, KeyId, KeyStore, KeyTemplate, Leaving, MemoryStorage, Operations, Reason, Reshare,
    Restore, Storage, Suite,
};

use super::acts::sheet;
use crate::common::{Member, deal, dkg, dkg_invitation, exchange_over, id, init, refresh, roster};

/// What the members' tokens hold before a step; the first one's storage will fail.
pub(super) struct Scene {
    pub(super) tokens: Vec<Vec<Entry>>,
    pub(super) key: Option<KeyId>,
    pub(super) backup: Option<WrappedShare>,
    pub(super) certificates: Vec<Certificate>,
}

/// A member whose token can be looked into.
pub(super) fn member(name: &str) -> (Arc<MemoryStorage>, Member) {
    let mut kept = None;
    let storage = |contents: &[Entry]| {
        let storage = Shared(Arc::new(MemoryStorage::new(contents)));
        kept = Some(Arc::clone(&storage.0));
        Ok(storage)
    };
    let member = Member::new(KeyStore::create_in(storage, &init(name)).unwrap());
    (kept.unwrap(), member)
}

pub(super) fn members(count: usize) -> (Vec<Arc<MemoryStorage>>, Vec<Member>) {
    (0..count).map(|number| member(&format!("member {number}"))).unzip()
}

impl Scene {
    pub(super) fn of(tokens: &[Arc<MemoryStorage>], key: Option<KeyId>) -> Self {
        let tokens = tokens.iter().map(|token| token.scan(&[], None, usize::MAX).unwrap()).collect();
        Self { tokens, key, backup: None, certificates: Vec::new() }
    }

    fn with_a_key(tokens: usize, holders: usize, suite: Suite) -> Self {
        let (tokens, _, key) = keyed(tokens, holders, suite);
        Self::of(&tokens, Some(key))
    }

    /// The place of the member that is helped, whose token is the smallest.
    pub(super) fn target(&self) -> usize {
        (0..self.tokens.len()).min_by_key(|at| self.tokens[*at].len()).unwrap()
    }
}

pub(super) fn without_a_key() -> Scene {
    Scene::of(&members(2).0, None)
}

/// So many tokens, of which the first hold a key.
fn keyed(tokens: usize, holders: usize, suite: Suite) -> (Vec<Arc<MemoryStorage>>, Vec<Member>, KeyId) {
    let (tokens, members) = members(tokens);
    let key = dkg(&members[..holders], suite, 2).id;
    (tokens, members, key)
}

pub(super) fn with_a_key() -> Scene {
    Scene::with_a_key(2, 2, Suite::Ed25519)
}

pub(super) fn with_a_taproot_key() -> Scene {
    Scene::with_a_key(2, 2, Suite::Secp256k1Taproot)
}

/// A key that its members may put together again.
pub(super) fn with_an_open_key() -> Scene {
    let (tokens, members) = members(2);
    let operations = Operations::ALL.union(Operations::RECONSTRUCT);
    let template = KeyTemplate { operations, ..KeyTemplate::wallet("on trial") };
    let dkg = Dkg { suite: Suite::Ed25519, threshold: 2, members: roster(&members), template };
    let key = deal(&members, &members[0].session.invite(dkg).unwrap()).id;
    Scene::of(&tokens, Some(key))
}

pub(super) fn with_a_third_member() -> Scene {
    Scene::with_a_key(3, 3, Suite::Ed25519)
}

/// The third has a token, and is no member.
pub(super) fn with_a_guest() -> Scene {
    Scene::with_a_key(3, 2, Suite::Ed25519)
}

/// There is an old epoch.
pub(super) fn renewed() -> Scene {
    let (tokens, members, key) = keyed(2, 2, Suite::Ed25519);
    refresh(&members, key);
    Scene::of(&tokens, Some(key))
}

/// The third member's token is a new one.
pub(super) fn with_a_lost_member() -> Scene {
    let (mut tokens, _, key) = keyed(3, 3, Suite::Ed25519);
    tokens[2] = member("anew").0;
    Scene::of(&tokens, Some(key))
}

/// The same, seen from the new token.
pub(super) fn as_a_lost_member() -> Scene {
    let mut scene = with_a_lost_member();
    scene.tokens.rotate_right(1);
    scene
}

/// The first member has not heard of the end of a refresh.
pub(super) fn behind() -> Scene {
    not_certified(|to| to == 0)
}

/// Nobody has.
pub(super) fn with_an_attempt() -> Scene {
    not_certified(|_| true)
}

/// Both have signed a refresh, of whose certificate these have heard nothing.
fn not_certified(deaf: fn(usize) -> bool) -> Scene {
    let (tokens, members, key) = keyed(2, 2, Suite::Ed25519);
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    exchange_over(&mut runs, &mut |_, to, message| {
        if deaf(to) && subject(&message) == "certify" { Vec::new() } else { vec![message] }
    });
    drop(runs);
    Scene { certificates: members[1].session.certificates(key).unwrap(), ..Scene::of(&tokens, Some(key)) }
}

/// The others have gone on without this member.
pub(super) fn away() -> Scene {
    let (mut tokens, members) = members(3);
    let key = dkg(&members, Suite::Ed25519, 2);
    let leaving = vec![Leaving { identifier: id(3), reason: Reason::Lost }];
    let without = Reshare { members: key.roster.without(id(3)).unwrap(), leaving, ..Reshare::of(&key) };
    deal(&members[..2], &members[0].session.invite_reshare(key.id, without).unwrap());
    refresh(&members[..2], key.id);
    tokens.rotate_right(1);
    Scene { certificates: members[0].session.certificates(key.id).unwrap(), ..Scene::of(&tokens[..1], Some(key.id)) }
}

/// The first member's device is lost, and its identity restored.
pub(super) fn restored() -> Scene {
    let (_, members) = members(2);
    let key = deal(&members, &dkg_invitation(&members, Suite::Ed25519, 2)).id;
    let to = sheet().recipient();
    let identity = members[0].session.export_identity(&to).unwrap();
    let backup = members[0].session.export(key, &to).unwrap();
    let mut kept = None;
    let storage = |contents: &[Entry]| {
        let storage = Shared(Arc::new(MemoryStorage::new(contents)));
        kept = Some(Arc::clone(&storage.0));
        Ok(storage)
    };
    let with = Identity::X25519(sheet());
    let from = Restore { init: &init("restored"), identity: &identity, with: &with, incarnation: 0 };
    drop(KeyStore::restore_in(storage, &from).unwrap());
    Scene { backup: Some(backup), ..Scene::of(&[kept.unwrap()], Some(key)) }
}
