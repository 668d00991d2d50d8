//! Faults at every place: a token that dies at any of its writes, a message that is lost or shown to some only, and
//! mixtures of both by a seed. Whatever happens, the group comes to one epoch of the same key, and signs.

use std::collections::BTreeSet;

use quorumkey::hazmat::Loot;
use quorumkey::{Certificate, Entry, MemoryStorage, Suite};

use super::device::Crash;
use super::*;

/// What a group begins with: its devices, of which the last may not be members yet, and its key.
struct World {
    from: Vec<Vec<Entry>>,
    key: KeyInfo,
    change: Option<Change>,
}

/// Who leaves, by routine, who comes, and how many sign then.
#[derive(Clone, Copy)]
struct Change {
    leaves: u16,
    comes: &'static [u16],
    threshold: u16,
}

impl Change {
    const fn new(leaves: u16, comes: &'static [u16], threshold: u16) -> Self {
        Self { leaves, comes, threshold }
    }
}

impl World {
    fn new(threshold: u16, n: u16, change: Option<Change>) -> Self {
        let mut group = devices(n + change.map_or(0, |change| u16::try_from(change.comes.len()).unwrap()));
        let members = log_in(&mut group);
        let key = dkg(&members[..usize::from(n)], Suite::Ed25519, threshold);
        drop(members);
        Self { from: snapshot(&group), key, change }
    }

    fn devices(&self) -> Vec<Device> {
        self.from.iter().map(|contents| Device::new(contents)).collect()
    }

    /// The renewal that this world is about, by the member that is furthest, from that attempt on.
    fn invite(&self, members: &[Member], attempt: u32) -> Invitation {
        let known = |member: &&Member| {
            let key = member.session.key(self.key.id).ok();
            key.filter(|key| key.state == KeyState::Active).map_or(0, |key| key.height + 1)
        };
        // The first of them, as long as all are at one height.
        let inviter = members.iter().rev().max_by_key(known).unwrap();
        let key = inviter.key(self.key.id);
        match self.change.filter(|change| key.roster.card(id(change.leaves)).is_some()) {
            None => inviter.session.invite_refresh_from(key.id, Vec::new(), attempt).unwrap(),
            Some(Change { leaves, comes, threshold }) => {
                let stay = key.roster.without(id(leaves)).unwrap();
                let card = |number: u16| members[usize::from(number) - 1].card();
                let members = comes.iter().fold(stay, |all, number| all.with(id(*number), card(*number)).unwrap());
                let leaving = vec![Leaving { identifier: id(leaves), reason: Reason::Routine }];
                let reshare = Reshare { threshold, members, leaving, least_attempt: attempt, ..Reshare::of(&key) };
                inviter.session.invite_reshare(key.id, reshare).unwrap()
            }
        }
    }

    /// Whether the member at that place leaves.
    fn leaves(&self, at: usize) -> bool {
        self.change.is_some_and(|change| usize::from(change.leaves) == at + 1)
    }
}

/// One renewal, over a wire that knows members by their places. What becomes of it is seen afterwards.
fn attempt(members: &[Member], invitation: &Invitation, lost: &mut dyn FnMut(usize, usize, &str) -> bool) {
    let entered = members.iter().enumerate().filter_map(|(at, one)| Some((at, one.session.start(invitation).ok()?)));
    let (places, mut runs): (Vec<_>, Vec<_>) = entered.unzip();
    exchange_over(&mut runs, &mut |from, to, message| {
        if lost(places[from], places[to], hazmat::subject(&message)) { Vec::new() } else { vec![message] }
    });
}

/// What a thief would find of shares in a token that holds a key: all but the identity and the chain code.
fn shares(device: &Device) -> usize {
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
fn nothing_is_lost(members: &[Member], devices: &[Device], world: &World) {
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

/// Everybody is told what anybody knows, and a renewal that is still open is tried again.
fn heals(members: &[Member], world: &World) {
    let key = &world.key;
    let chains = members.iter().filter_map(|member| member.session.certificates(key.id).ok());
    let chains: Vec<Vec<Certificate>> = chains.collect();
    let longest = chains.iter().max_by_key(|chain| chain.len()).unwrap().clone();
    for chain in &chains {
        assert!(chain.iter().zip(&longest).all(|(one, other)| one.epoch_id() == other.epoch_id()), "a fork");
    }
    for member in members.iter().filter(|member| member.session.key(key.id).is_ok()) {
        for certificate in &longest {
            member.session.complete(certificate).unwrap();
        }
    }
    if active(members, key).iter().any(|(_, info)| !info.pending.is_empty()) || longest.len() == 1 {
        let invitation = world.invite(members, 500);
        let mut runs: Vec<_> = members.iter().filter_map(|member| member.session.start(&invitation).ok()).collect();
        exchange(&mut runs);
    }
    let now = active(members, key);
    assert!(now.iter().all(|(_, info)| info.epoch == now[0].1.epoch && info.pending.is_empty()), "{now:?}");
    assert!(now[0].1.height > 0 && now.len() == now[0].1.roster.len(), "{now:?}");
    let (t, places) = (usize::from(now[0].1.threshold), now.iter().map(|(at, _)| *at).collect::<Vec<_>>());
    these_sign(members, key, &places[..t], b"the first ones");
    these_sign(members, key, &places[places.len() - t..], b"the last ones");
}

/// A renewal with a token that may die and messages that may be lost, and what follows. Whether the token died.
fn scenario(world: &World, crash: Option<(usize, Crash)>, lost: &mut dyn FnMut(usize, usize, &str) -> bool) -> bool {
    let mut devices = world.devices();
    let members = log_in(&mut devices);
    let invitation = world.invite(&members, 1);
    if let Some((victim, crash)) = crash {
        devices[victim].fuse.arm(crash);
    }
    attempt(&members, &invitation, lost);
    let blew = crash.is_some_and(|(victim, _)| devices[victim].fuse.blew());
    drop(members);
    let members = log_in(&mut devices);
    nothing_is_lost(&members, &devices, world);
    heals(&members, world);
    drop(members);
    assert!(
        devices.iter().enumerate().all(|(at, device)| shares(device) == usize::from(!world.leaves(at))),
        "old shares are left"
    );
    blew
}

fn every_crash(world: &World, victims: &[usize]) {
    for victim in victims {
        for done in [false, true] {
            let died = |write: &usize| {
                let crash = Crash { write: *write, done, dies: true };
                scenario(world, Some((*victim, crash)), &mut |_, _, _| false)
            };
            let points = (0..64).take_while(died).count();
            assert!((3..64).contains(&points), "entering, the pending share, the certificate: {points}");
        }
    }
}

/// Each message of each member is withheld from each set of others: from some of them, or from all.
fn every_loss(world: &World) {
    let n = world.from.len();
    for about in ["join", "deal", "certify", "confirm"] {
        for sender in 0..n {
            let others: Vec<_> = (0..n).filter(|at| *at != sender).collect();
            for bits in 1_u32..1 << others.len() {
                let from: Vec<_> =
                    (0..).zip(&others).filter(|(bit, _)| bits >> bit & 1 == 1).map(|one| *one.1).collect();
                scenario(world, None, &mut |by, to, subject| by == sender && subject == about && from.contains(&to));
            }
        }
    }
}

#[test]
fn a_refresh_of_two_of_four_survives_every_crash() {
    every_crash(&World::new(2, 4, None), &[0, 1, 2, 3]);
}

#[test]
fn a_reshare_of_two_of_three_survives_every_crash_of_who_stays_who_leaves_and_who_comes() {
    every_crash(&World::new(2, 3, Some(Change::new(3, &[4], 2))), &[0, 1, 2, 3]);
}

// The third member does as the second, and the sixth as the fifth: only their places in the order of messages differ.

#[test]
fn a_reshare_of_two_of_four_to_three_of_five_survives_every_crash_of_who_stays() {
    every_crash(&World::new(2, 4, Some(Change::new(4, &[5, 6], 3))), &[0, 1]);
}

#[test]
fn a_reshare_of_two_of_four_to_three_of_five_survives_every_crash_of_who_leaves_and_who_comes() {
    every_crash(&World::new(2, 4, Some(Change::new(4, &[5, 6], 3))), &[3, 4]);
}

#[test]
fn a_refresh_of_two_of_three_survives_the_loss_of_each_message_to_any_members() {
    every_loss(&World::new(2, 3, None));
}

#[test]
fn a_refresh_of_two_of_four_survives_the_loss_of_each_message_to_any_members() {
    every_loss(&World::new(2, 4, None));
}

#[test]
fn a_reshare_of_two_of_three_survives_the_loss_of_each_message_to_any_members() {
    every_loss(&World::new(2, 3, Some(Change::new(3, &[4], 2))));
}

/// `SplitMix64`: good enough to choose faults with.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Three renewals in which messages are lost and tokens die, each after what the one before left.
fn schedule(world: &World, seed: u64) {
    let mut dice = Dice(seed);
    let mut devices = world.devices();
    for number in 1..=3 {
        let members = log_in(&mut devices);
        let invitation = world.invite(&members, number * 10);
        let chance = [0, 2, 5, 20][usize::try_from(dice.below(4)).unwrap()];
        if dice.below(2) == 0 {
            let victim = usize::try_from(dice.below(devices.len() as u64)).unwrap();
            let write = usize::try_from(dice.below(6)).unwrap();
            devices[victim].fuse.arm(Crash { write, done: dice.below(2) == 0, dies: true });
        }
        attempt(&members, &invitation, &mut |_, _, _| dice.below(100) < chance);
        drop(members);
        let members = log_in(&mut devices);
        nothing_is_lost(&members, &devices, world);
        // Sometimes whoever is behind is told, sometimes not.
        if dice.below(2) == 0 {
            let chains = members.iter().filter_map(|one| one.session.certificates(world.key.id).ok());
            let longest = chains.max_by_key(Vec::len).unwrap();
            for member in members.iter().filter(|one| one.session.key(world.key.id).is_ok()) {
                for certificate in &longest {
                    member.session.complete(certificate).unwrap();
                }
            }
        }
    }
    heals(&log_in(&mut devices), world);
}

/// `QUORUMKEY_SCHEDULES` many, 8 if nothing is said.
#[test]
fn three_of_five_come_to_one_epoch_whatever_a_seed_does_to_three_renewals() {
    let count: u64 = std::env::var("QUORUMKEY_SCHEDULES").map_or(8, |text| text.parse().unwrap());
    let worlds = [World::new(3, 5, None), World::new(3, 5, Some(Change::new(5, &[6], 3)))];
    for seed in 0..count {
        for world in &worlds {
            schedule(world, seed);
        }
    }
}
