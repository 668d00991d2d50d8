//! A group with a key, in whose life writes fail, and what must hold of it whenever they do.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorumkey::hazmat::Loot;
use quorumkey::{Certificate, Entry, MemoryStorage, NewCard, Suite};

use super::device::{Crash, Keep, TURNS, every_failure, go_on};
use super::*;

/// What a group begins with: its devices, of which the last may not be members yet, and its key.
pub(super) struct World {
    pub(super) from: Vec<Vec<Entry>>,
    pub(super) key: KeyInfo,
    pub(super) change: Option<Change>,
    kept: Keep,
}

/// Who leaves, by routine, who comes, and how many sign then.
#[derive(Clone, Copy)]
pub(super) struct Change {
    leaves: u16,
    comes: &'static [u16],
    threshold: u16,
}

impl Change {
    pub(super) const fn new(leaves: u16, comes: &'static [u16], threshold: u16) -> Self {
        Self { leaves, comes, threshold }
    }

    /// A proposal of that member, from that attempt on.
    pub(super) fn invite(self, members: &[Member], inviter: &Member, key: &KeyInfo, attempt: u32) -> Invitation {
        let stay = key.roster.without(id(self.leaves)).unwrap();
        let card = |number: u16| members[usize::from(number) - 1].card();
        let members = self.comes.iter().fold(stay, |all, number| all.with(id(*number), card(*number)).unwrap());
        let leaving = vec![Leaving { identifier: id(self.leaves), reason: Reason::Routine }];
        let threshold = self.threshold;
        let reshare = Reshare { threshold, members, leaving, least_attempt: attempt, ..Reshare::of(key) };
        inviter.session.invite_reshare(key.id, reshare).unwrap()
    }
}

/// What is done in a world while a write may fail.
pub(super) type Act<'a> = &'a dyn Fn(&World, &[Member]);

impl World {
    /// Of Ed25519, in memory.
    pub(super) fn new(threshold: u16, n: u16, change: Option<Change>) -> Self {
        Self::kept(Suite::Ed25519, Device::new, threshold, n, change)
    }

    /// Of the suite and in the storage whose turn it is.
    pub(super) fn of_turn(turn: usize, threshold: u16, n: u16, change: Option<Change>) -> Self {
        let (suite, kept) = TURNS[turn % TURNS.len()];
        Self::kept(suite, kept, threshold, n, change)
    }

    /// One of every suite, of which one is in files.
    pub(super) fn each(threshold: u16, n: u16, change: Option<Change>) -> Vec<Self> {
        TURNS.map(|(suite, kept)| Self::kept(suite, kept, threshold, n, change)).into()
    }

    fn kept(suite: Suite, kept: Keep, threshold: u16, n: u16, change: Option<Change>) -> Self {
        let last = change.and_then(|change| change.comes.iter().copied().max()).unwrap_or(n);
        let mut group = devices(last.max(n));
        let members = log_in(&mut group);
        let key = dkg(&members[..usize::from(n)], suite, threshold);
        drop(members);
        Self { from: snapshot(&group), key, change, kept }
    }

    /// The same after something has been done in it, undisturbed.
    pub(super) fn after(mut self, act: impl FnOnce(&Self, &[Member])) -> Self {
        let mut devices: Vec<_> = self.from.iter().map(|contents| Device::new(contents)).collect();
        act(&self, &log_in(&mut devices));
        self.from = snapshot(&devices);
        self
    }

    pub(super) fn devices(&self) -> Vec<Device> {
        self.from.iter().map(|contents| (self.kept)(contents)).collect()
    }

    /// The renewal that this world is about, by the member that is furthest, from that attempt on.
    pub(super) fn invite(&self, members: &[Member], attempt: u32) -> Invitation {
        let known = |member: &&Member| {
            let key = member.session.key(self.key.id).ok();
            key.filter(|key| key.state == KeyState::Active).map_or(0, |key| key.height + 1)
        };
        // The first of them, as long as all are at one height.
        let inviter = members.iter().rev().max_by_key(known).unwrap();
        let key = inviter.key(self.key.id);
        match self.change.filter(|change| key.roster.card(id(change.leaves)).is_some()) {
            None => inviter.session.invite_refresh_from(key.id, new_cards(members, &key), attempt).unwrap(),
            Some(change) => change.invite(members, inviter, &key, attempt),
        }
    }

    /// Whether the member at that place leaves.
    fn leaves(&self, at: usize) -> bool {
        self.change.is_some_and(|change| usize::from(change.leaves) == at + 1)
    }
}

/// The cards of tokens that were restored: the key's roster has those before them.
fn new_cards(members: &[Member], key: &KeyInfo) -> Vec<NewCard> {
    let of = |identifier: quorumkey::Identifier| members[usize::from(identifier.get()) - 1].card();
    let cards = key.roster.iter().map(|(identifier, card)| (identifier, of(identifier), card));
    let new = cards.filter(|(_, now, card)| now != *card);
    new.map(|(identifier, card, _)| NewCard { identifier, card, reason: Reason::Routine }).collect()
}

/// One renewal, over a wire that knows members by their places. What becomes of it is seen afterwards.
pub(super) fn attempt(members: &[Member], invitation: &Invitation, lost: &mut dyn FnMut(usize, usize, &str) -> bool) {
    let entered = members.iter().enumerate().filter_map(|(at, one)| Some((at, one.session.start(invitation).ok()?)));
    let (places, mut runs): (Vec<_>, Vec<_>) = entered.unzip();
    exchange_over(&mut runs, &mut |from, to, message| {
        if lost(places[from], places[to], hazmat::subject(&message)) { Vec::new() } else { vec![message] }
    });
}

/// The renewal that the world is about, with nothing lost.
pub(super) fn renew(world: &World, members: &[Member]) {
    attempt(members, &world.invite(members, 1), &mut |_, _, _| false);
}

/// What a thief would find of shares in a token that holds a key: all but the identity and the chain code.
pub(super) fn shares(device: &Device) -> usize {
    Loot::of(MemoryStorage::new(&device.contents()), &user_pin()).unwrap().len() - 2
}

fn active(members: &[Member], key: &KeyInfo) -> Vec<(usize, KeyInfo)> {
    let known = members.iter().enumerate().filter_map(|(at, one)| Some((at, one.session.key(key.id).ok()?)));
    known.filter(|(_, info)| info.state == KeyState::Active).collect()
}

/// Those members sign, under the key that there always was.
fn these_sign(members: &[Member], key: &KeyInfo, places: &[usize], message: &[u8]) {
    let numbers: Vec<u16> = places.iter().map(|at| u16::try_from(at + 1).unwrap()).collect();
    let signature = sign(members, key.id, &numbers, message);
    key.verifying_key.verify(message, &signature).unwrap();
}

/// Of each epoch that t members hold, they sign. And nobody has erased what no certificate that it has supersedes.
pub(super) fn nothing_is_lost(members: &[Member], devices: &[Device], world: &World) {
    let active = active(members, &world.key);
    let epochs: BTreeSet<_> = active.iter().map(|(_, info)| info.epoch).collect();
    let mut able = 0;
    for epoch in epochs {
        let there: Vec<_> = active.iter().filter(|(_, info)| info.epoch == epoch).collect();
        let t = usize::from(there[0].1.threshold);
        for (at, info) in &there {
            let pending = info.pending.len();
            let leaves = world.leaves(*at);
            // An attempt that it dealt in and does not receive leaves it with no second share.
            let expected = 1..=1 + if leaves { 0 } else { pending };
            assert!(expected.contains(&shares(&devices[*at])), "member {at}: {info:?}");
            assert!(leaves || shares(&devices[*at]) == 1 + pending, "member {at}: {info:?}");
        }
        if there.len() >= t {
            able += 1;
            let places: Vec<_> = there.iter().map(|(at, _)| *at).take(t).collect();
            these_sign(members, &world.key, &places, b"before anybody is told");
        }
    }
    // Otherwise those that are behind are told: see below.
    assert!(able <= 1 + usize::from(active.len() >= 2 * usize::from(world.key.threshold)), "two live epochs");
}

/// The longest chain of certificates that anybody has. No two that anybody has part.
pub(super) fn longest_chain(members: &[Member], key: KeyId) -> Vec<Certificate> {
    let chains = members.iter().filter_map(|member| member.session.certificates(key).ok());
    let chains: Vec<Vec<Certificate>> = chains.collect();
    let longest = chains.iter().max_by_key(|chain| chain.len()).unwrap().clone();
    for chain in &chains {
        assert!(chain.iter().zip(&longest).all(|(one, other)| one.epoch_id() == other.epoch_id()), "a fork");
    }
    longest
}

/// Everybody who has the key is told what anybody knows.
pub(super) fn tell(members: &[Member], key: KeyId) {
    let longest = longest_chain(members, key);
    for member in members.iter().filter(|member| member.session.key(key).is_ok()) {
        for certificate in &longest {
            member.session.complete(certificate).unwrap();
        }
    }
}

/// Everybody is told what anybody knows, and a renewal that is still open is tried again. How the key is then.
pub(super) fn heals(members: &[Member], world: &World) -> KeyInfo {
    let key = &world.key;
    tell(members, key.id);
    let renewed = longest_chain(members, key.id).len() > 1;
    if active(members, key).iter().any(|(_, info)| !info.pending.is_empty()) || !renewed {
        let invitation = world.invite(members, 500);
        let mut runs: Vec<_> = members.iter().filter_map(|member| member.session.start(&invitation).ok()).collect();
        exchange(&mut runs);
        tell(members, key.id);
    }
    let now = active(members, key);
    assert!(now.iter().all(|(_, info)| info.epoch == now[0].1.epoch && info.pending.is_empty()), "{now:?}");
    assert!(now[0].1.height > 0 && now.len() == now[0].1.roster.len(), "{now:?}");
    let (t, places) = (usize::from(now[0].1.threshold), now.iter().map(|(at, _)| *at).collect::<Vec<_>>());
    these_sign(members, key, &places[..t], b"the first ones");
    these_sign(members, key, &places[places.len() - t..], b"the last ones");
    now[0].1.clone()
}

/// Something that is done while a write of one member may fail, and what follows. Whether the write failed.
pub(super) fn scenario(world: &World, act: Act<'_>, fault: Option<(usize, Crash)>) -> bool {
    let mut devices = world.devices();
    let members = log_in(&mut devices);
    let fuse = fault.map(|(victim, _)| Arc::clone(&devices[victim].fuse));
    if let Some((victim, crash)) = fault {
        devices[victim].fuse.arm(crash);
    }
    act(world, &members);
    let failed = fuse.is_some_and(|fuse| fuse.disarm());
    let members = go_on(&mut devices, members, fault);
    nothing_is_lost(&members, &devices, world);
    let now = heals(&members, world);
    drop(members);
    for (number, device) in (1..).zip(&devices) {
        assert_eq!(shares(device), usize::from(now.roster.card(id(number)).is_some()), "shares of member {number}");
    }
    failed
}

/// Every write of each of these members fails in every way while that is done.
pub(super) fn every_crash(worlds: &[World], victims: &[(usize, usize)], act: Act<'_>) {
    every_failure(worlds, victims, &|world, victim, crash| scenario(world, act, Some((victim, crash))));
}
