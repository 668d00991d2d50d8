//! A write fails in what is done around a renewal: whoever is behind learns a certificate, an attempt is given up and followed
//! by another one, a restored member takes part, a key is imported, a fork is seen. The group comes to one epoch and signs;
//! of a fork everybody knows in the end, and nobody signs.

use std::sync::Arc;

use quorumkey::{Certificate, Denial, Entry, Filter, Import, ImportedKey, KeyTemplate, NewCard, Suite};
use zeroize::Zeroizing;

use super::device::{Crash, Keep, TURNS, every_failure, go_on};
use super::world::{Change, World, attempt, every_crash, longest_chain, renew, shares, tell};
use super::*;

// Of members that do the same one stands for all: only their places in the order of messages differ.

/// Where everybody stays, and where the last one leaves and another one comes.
const CHANGES: [(u16, Option<Change>); 4] =
    [(3, None), (3, Some(Change::new(3, &[4], 2))), (4, None), (4, Some(Change::new(4, &[5], 2)))];

/// Of those that are behind: who stays, who leaves and who comes.
fn one_of_each(n: u16, change: Option<Change>) -> Vec<(usize, usize)> {
    let n = usize::from(n);
    let others = if change.is_some() { n - 1..n + 1 } else { 0..0 };
    [1].into_iter().chain(others).map(|victim| (victim, 1)).collect()
}

/// The renewal of the world, in which the first member alone hears all signatures.
fn known_to_the_first(world: &World, members: &[Member]) {
    attempt(members, &world.invite(members, 1), &mut |_, to, about| about == "certify" && to != 0);
}

#[test]
fn whoever_completes_an_epoch_by_its_certificate_survives_every_failure() {
    let learn = |world: &World, members: &[Member]| {
        let certificate = members[0].session.certificate(world.key.id).unwrap();
        for member in &members[1..] {
            // Who fails is told again.
            member.session.complete(&certificate).ok();
        }
    };
    for (turn, (n, change)) in (0..).zip(CHANGES) {
        let world = World::of_turn(turn, 2, n, change).after(known_to_the_first);
        every_crash(&[world], &one_of_each(n, change), &learn);
    }
}

/// The last member misses the end of a renewal, and the others go on without it.
fn two_behind(world: &World, members: &[Member]) {
    let last = members.len() - 1;
    attempt(members, &world.invite(members, 1), &mut |_, to, about| about == "certify" && to == last);
    let key = members[0].key(world.key.id);
    let stay = key.roster.without(id(u16::try_from(members.len()).unwrap())).unwrap();
    let invitation = members[0].session.invite_reshare(key.id, change(&key, stay, 2, Reason::Lost)).unwrap();
    deal(&members[..last], &invitation);
}

#[test]
fn whoever_catches_up_with_two_renewals_survives_every_failure() {
    let catch_up = |world: &World, members: &[Member]| {
        let chain = longest_chain(members, world.key.id);
        assert_eq!(chain.len(), 3);
        members.last().unwrap().session.catch_up(&chain).ok();
    };
    for (turn, n) in [(1, 3), (2, 4)] {
        let world = World::of_turn(turn, 2, n, None).after(two_behind);
        every_crash(&[world], &[(usize::from(n) - 1, 2)], &catch_up);
    }
}

/// Whoever has signed what it holds no certificate of gives that up.
fn abandon(world: &World, members: &[Member]) {
    for member in members {
        let pending = member.session.key(world.key.id).map_or(Vec::new(), |key| key.pending);
        for attempt in pending {
            member.session.abandon(world.key.id, attempt).ok();
        }
    }
}

#[test]
fn whoever_abandons_an_attempt_that_was_certified_survives_every_failure() {
    for (turn, (n, change)) in (1..).zip(CHANGES) {
        let world = World::of_turn(turn, 2, n, change).after(known_to_the_first);
        every_crash(&[world], &one_of_each(n, change), &abandon);
    }
}

/// All have signed an attempt for other receivers, and nobody holds the certificate. It is given up, and the world's own
/// renewal follows.
fn retried(n: u16, first: Change, then: Change) {
    let left_open = |world: &World, members: &[Member]| {
        let invitation = first.invite(members, &members[0], &world.key, 1);
        attempt(members, &invitation, &mut |_, _, about| about == "certify");
    };
    let worlds: Vec<_> = World::each(2, n, Some(then)).into_iter().map(|world| world.after(left_open)).collect();
    // Who was a receiver of the first attempt alone has only that to give up.
    let n = usize::from(n);
    every_crash(&worlds, &[(0, 4), (n - 1, 3), (n, 1), (n + 1, 3)], &|world, members| {
        abandon(world, members);
        renew(world, members);
    });
}

#[test]
fn a_retry_of_two_of_three_for_other_receivers_survives_every_failure() {
    retried(3, Change::new(3, &[4], 2), Change::new(3, &[5], 2));
}

#[test]
fn a_retry_of_two_of_four_for_other_receivers_survives_every_failure() {
    retried(4, Change::new(4, &[5], 2), Change::new(4, &[6], 2));
}

/// That member's token comes from its backups.
fn restored(mut world: World, place: usize) -> World {
    let mut devices: Vec<_> = world.from.iter().map(|contents| Device::new(contents)).collect();
    let again = back(&log_in(&mut devices)[place], world.key.id);
    world.from[place] = again.contents();
    world
}

/// A token from the backups of that member's.
fn back(member: &Member, key: KeyId) -> Device {
    let (identity, to) = sheet();
    let backup = member.session.export(key, &to).unwrap();
    let (device, again) = Device::restored(&member.session.export_identity(&to).unwrap(), &identity);
    assert_eq!(again.session.restore(&backup, &identity).unwrap().state, KeyState::Restored);
    device
}

#[test]
fn a_renewal_with_a_restored_member_survives_every_failure() {
    for n in [3, 4] {
        let last = usize::from(n) - 1;
        let worlds: Vec<_> = World::each(2, n, None).into_iter().map(|world| restored(world, last)).collect();
        every_crash(&worlds, &[(0, 3), (last, 3)], &renew);
    }
}

/// A key that somebody had whole, and those that are to share it.
struct Bringing {
    suite: Suite,
    kept: Keep,
    from: Vec<Vec<Entry>>,
}

impl Bringing {
    /// By turns of every suite, and in files.
    fn each(n: u16) -> Vec<Self> {
        let from = snapshot(&devices(n));
        TURNS.map(|(suite, kept)| Self { suite, kept, from: from.clone() }).into()
    }

    fn key(&self) -> ImportedKey {
        // Below the order in either byte order.
        let mut bytes = [7; 32];
        (bytes[0], bytes[31]) = (1, 1);
        ImportedKey::from_scalar(self.suite, Zeroizing::new(bytes)).unwrap()
    }

    /// The first member brings it, in an attempt not below that, and whoever can enters.
    fn import(&self, members: &[Member], least_attempt: u32) {
        let (key, template) = (self.key(), KeyTemplate::wallet("an old wallet"));
        let import = Import { key: &key, threshold: 2, members: roster(members), template, least_attempt };
        let invitation = members[0].session.invite_import(import).unwrap();
        let first = members[0].session.start_import(&invitation, key).ok();
        let others = members[1..].iter().filter_map(|member| member.session.start(&invitation).ok());
        exchange_over(&mut first.into_iter().chain(others).collect::<Vec<_>>(), &mut |_, _, message| vec![message]);
    }

    /// The import while a write of a member may fail, and what follows. Whether it failed.
    fn with_a_failure(&self, victim: usize, crash: Crash) -> bool {
        let mut devices: Vec<_> = self.from.iter().map(|contents| (self.kept)(contents)).collect();
        let members = log_in(&mut devices);
        let fuse = Arc::clone(&devices[victim].fuse);
        fuse.arm(crash);
        self.import(&members, 0);
        let failed = fuse.disarm();
        let members = go_on(&mut devices, members, Some((victim, crash)));
        let active = Filter { state: Some(KeyState::Active), ..Filter::default() };
        let known = |members: &[Member]| members.iter().find_map(|one| one.session.find(&active).unwrap().pop());
        if known(&members).is_none() {
            self.import(&members, 500);
        }
        let key = known(&members).expect("nobody has the key").id;
        tell(&members, key);
        let now = one_epoch(&members, key);
        assert!(now.group_key == *self.key().group_key() && now.pending.is_empty());
        all_sign(&members, key, b"as before");
        drop(members);
        assert!(devices.iter().all(|device| shares(device) == 1));
        failed
    }
}

#[test]
fn an_import_survives_every_failure_of_who_brings_the_key_and_of_who_receives() {
    for n in [3, 4] {
        // Entering, the pending share, the certificate.
        every_failure(&Bringing::each(n), &[(0, 3), (1, 3)], &Bringing::with_a_failure);
    }
}

/// Two lines of a key: those that have renewed it, and a new first member with the others' tokens from older backups, whose
/// officers overrode the rule that would have stopped them.
struct Forked {
    kept: Keep,
    key: KeyId,
    /// First those of the one line, then as many of the other.
    from: Vec<Vec<Entry>>,
}

impl Forked {
    fn new(suite: Suite, kept: Keep, n: u16) -> Self {
        let mut ours = devices(n);
        let members = log_in(&mut ours);
        let key = dkg(&members, suite, 2).id;
        let mut theirs = devices(1);
        theirs.extend(members[1..].iter().map(|member| back(member, key)));
        refresh(&members, key);
        let others = log_in(&mut theirs);
        let cards = (1..).zip(&others).map(|(number, member)| NewCard {
            identifier: id(number),
            card: member.card(),
            reason: Reason::Routine,
        });
        let invitation = others[1].session.invite_refresh(key, cards.collect()).unwrap();
        forks::override_all(&others[1..], &invitation);
        deal(&others, &invitation);
        Self { kept, key, from: [snapshot(&ours), snapshot(&theirs)].concat() }
    }

    /// The lines meet while a write of a member may fail, and what follows. Whether it failed.
    fn with_a_failure(&self, victim: usize, crash: Crash) -> bool {
        let mut devices: Vec<_> = self.from.iter().map(|contents| (self.kept)(contents)).collect();
        let members = log_in(&mut devices);
        let lines = [0, members.len() / 2].map(|first| members[first].session.certificate(self.key).unwrap());
        let lines = lines.each_ref();
        let fuse = Arc::clone(&devices[victim].fuse);
        fuse.arm(crash);
        meet(&members, lines, Some(victim));
        let failed = fuse.disarm();
        let members = go_on(&mut devices, members, Some((victim, crash)));
        for (place, member) in members.iter().enumerate() {
            let noted = usize::from(!failed || place != victim || crash.done);
            assert_eq!(member.key(self.key).forks.len(), noted, "member in place {place}");
        }
        meet(&members, lines, None);
        drop(members);
        self.is_stopped(&mut devices);
        failed
    }

    /// Everybody knows of the fork, holds its share, and signs nothing.
    fn is_stopped(&self, devices: &mut [Device]) {
        let members = log_in(devices);
        let culprits: Vec<_> = (2..).take(members.len() / 2 - 1).map(id).collect();
        for member in &members {
            let info = member.key(self.key);
            assert_eq!((info.state, info.forks.len()), (KeyState::Active, 1));
            assert_eq!(info.forks[0].culprits, culprits, "who forgot has signed both");
            let refused = member.session.invite_sign(self.key, &[id(1), id(2)], b"m");
            assert!(matches!(refused, Err(Error::Denied(Denial::Forked))), "{refused:?}");
        }
        drop(members);
        assert!(devices.iter().all(|device| shares(device) == 1));
    }
}

/// Each line is shown the newest certificate of the other, and says that the key has forked, but who can't write.
fn meet(members: &[Member], shown: [&Certificate; 2], failing: Option<usize>) {
    for (place, member) in members.iter().enumerate() {
        let other = shown[usize::from(place < members.len() / 2)];
        let seen = member.session.complete(other);
        let said = matches!(seen, Err(Error::Fork { theirs, .. }) if theirs == other.epoch_id());
        let failed = matches!(seen, Err(Error::Storage(_))) && failing == Some(place);
        assert!(said || failed, "member in place {place}: {seen:?}");
    }
}

#[test]
fn a_fork_that_a_certificate_shows_is_known_for_good_whenever_a_write_fails() {
    for (n, turns) in [(3, &TURNS[..2]), (4, &TURNS[2..])] {
        let groups: Vec<_> = turns.iter().map(|(suite, kept)| Forked::new(*suite, *kept, n)).collect();
        let n = usize::from(n);
        every_failure(&groups, &[(0, 1), (1, 1), (n, 1), (n + 1, 1)], &Forked::with_a_failure);
    }
}
