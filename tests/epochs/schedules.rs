//! Faults at every place of a renewal: a write that fails, a message that is lost or shown to some only, and mixtures of
//! both by a seed. Whatever happens, the group comes to one epoch of the same key, and signs.

use super::device::{Crash, go_on};
use super::world::{Change, World, attempt, every_crash, heals, nothing_is_lost, renew, scenario, tell};
use super::*;

/// Each message of each member is withheld from each set of others: from some of them, or from all. So many of the first members
/// do the same: one stands for all as a sender, and of sets that differ in which of them hear nothing one stands for all.
fn every_loss(world: &World, alike: usize) {
    let n = world.from.len();
    for about in ["join", "deal", "certify", "confirm"] {
        for sender in (0..n).filter(|at| *at == 0 || *at >= alike) {
            let others: Vec<_> = (0..n).filter(|at| *at != sender).collect();
            let is_in = |bits: u32, place: usize| bits >> place & 1 == 1;
            let firsts = others.iter().filter(|at| **at < alike).count();
            for bits in
                (1..1 << others.len()).filter(|bits| (1..firsts).all(|at| is_in(*bits, at - 1) || !is_in(*bits, at)))
            {
                let from: Vec<_> = (0..others.len()).filter(|place| is_in(bits, *place)).map(|at| others[at]).collect();
                let act = |world: &World, members: &[Member]| {
                    let lost = &mut |by, to, subject: &str| by == sender && subject == about && from.contains(&to);
                    attempt(members, &world.invite(members, 1), lost);
                };
                scenario(world, &act, None);
            }
        }
    }
}

/// Entering, the pending share, the certificate.
const fn writes(victim: usize) -> (usize, usize) {
    (victim, 3)
}

#[test]
fn a_refresh_of_two_of_four_survives_every_crash() {
    every_crash(&World::each(2, 4, None), &[0, 1, 2, 3].map(writes), &renew);
}

#[test]
fn a_reshare_of_two_of_three_survives_every_crash_of_who_stays_who_leaves_and_who_comes() {
    every_crash(&World::each(2, 3, Some(Change::new(3, &[4], 2))), &[0, 1, 2, 3].map(writes), &renew);
}

// The third member does as the second, and the sixth as the fifth: only their places in the order of messages differ.

#[test]
fn a_reshare_of_two_of_four_to_three_of_five_survives_every_crash_of_who_stays() {
    every_crash(&World::each(2, 4, Some(Change::new(4, &[5, 6], 3))), &[0, 1].map(writes), &renew);
}

#[test]
fn a_reshare_of_two_of_four_to_three_of_five_survives_every_crash_of_who_leaves_and_who_comes() {
    every_crash(&World::each(2, 4, Some(Change::new(4, &[5, 6], 3))), &[3, 4].map(writes), &renew);
}

#[test]
fn a_refresh_of_two_of_three_survives_the_loss_of_each_message_to_any_members() {
    every_loss(&World::new(2, 3, None), 0);
}

#[test]
fn a_refresh_of_two_of_four_survives_the_loss_of_each_message_to_any_members() {
    every_loss(&World::new(2, 4, None), 0);
}

#[test]
fn a_reshare_of_two_of_three_survives_the_loss_of_each_message_to_any_members() {
    every_loss(&World::new(2, 3, Some(Change::new(3, &[4], 2))), 0);
}

#[test]
fn a_reshare_of_two_of_four_survives_the_loss_of_each_message_to_any_members() {
    every_loss(&World::new(2, 4, Some(Change::new(4, &[5], 2))), 3);
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

/// Three renewals in which messages are lost and writes fail, each after what the one before left.
fn schedule(world: &World, seed: u64) {
    let mut dice = Dice(seed);
    let mut devices = world.devices();
    for number in 1..=3 {
        let members = log_in(&mut devices);
        let invitation = world.invite(&members, number * 10);
        let chance = [0, 2, 5, 20][usize::try_from(dice.below(4)).unwrap()];
        let fault = (dice.below(2) == 0).then(|| {
            let victim = usize::try_from(dice.below(devices.len() as u64)).unwrap();
            let write = usize::try_from(dice.below(6)).unwrap();
            (victim, Crash { write, done: dice.below(2) == 0, dies: dice.below(3) > 0 })
        });
        if let Some((victim, crash)) = fault {
            devices[victim].fuse.arm(crash);
        }
        attempt(&members, &invitation, &mut |_, _, _| dice.below(100) < chance);
        for device in &devices {
            device.fuse.disarm();
        }
        let members = go_on(&mut devices, members, fault);
        nothing_is_lost(&members, &devices, world);
        // Sometimes whoever is behind is told, sometimes not.
        if dice.below(2) == 0 {
            tell(&members, world.key.id);
        }
    }
    heals(&log_in(&mut devices), world);
}

/// `QUORUMKEY_SCHEDULES` many, 8 if nothing is said.
#[test]
fn three_of_five_come_to_one_epoch_whatever_a_seed_does_to_three_renewals() {
    let count: u64 = std::env::var("QUORUMKEY_SCHEDULES").map_or(8, |text| text.parse().unwrap());
    let worlds = [World::each(3, 5, None), World::each(3, 5, Some(Change::new(5, &[6], 3)))];
    for (turn, seed) in (0..3).cycle().zip(0..count) {
        for suites in &worlds {
            schedule(&suites[turn], seed);
        }
    }
}
