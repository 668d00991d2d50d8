//! Random lives of a key: whatever is done in whatever order, the address stays, t members sign, and fewer never do.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "what is wrong in a test may panic"
)]

#[path = "../common/mod.rs"]
mod common;

#[path = "../epochs/device.rs"]
mod device;
mod life;
mod world;

use device::Setting;
use proptest::prelude::*;
use quorumkey::Suite;
use world::World;

/// What may happen to a key of one or two. A number says to which member; what is not possible then, does not happen.
#[derive(Clone, Copy, Debug)]
enum Operation {
    /// Another key is made.
    Dkg,
    /// These many of the members sign, from that one on.
    Sign(usize, usize),
    /// New shares for all; lost devices are replaced.
    Renew,
    /// A renewal of which a member misses the end; it is told later.
    MissTheEnd(usize),
    /// A renewal in which a member gets no deal, which the others leave behind.
    LeaveBehind(usize),
    /// A member says that it gives up what was left behind.
    Abandon(usize),
    Join,
    Leave(usize),
    Threshold(u16),
    Backup(usize),
    Lose(usize),
    Restore(usize),
    Repair(usize),
    Enrol,
    Destroy(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    let one = 0..5_usize;
    prop_oneof![
        Just(Operation::Dkg),
        (one.clone(), 2..5_usize).prop_map(|(first, count)| Operation::Sign(first, count)),
        Just(Operation::Renew),
        one.clone().prop_map(Operation::MissTheEnd),
        one.clone().prop_map(Operation::LeaveBehind),
        one.clone().prop_map(Operation::Abandon),
        Just(Operation::Join),
        one.clone().prop_map(Operation::Leave),
        (2..=3_u16).prop_map(Operation::Threshold),
        one.clone().prop_map(Operation::Backup),
        one.clone().prop_map(Operation::Lose),
        one.clone().prop_map(Operation::Restore),
        one.clone().prop_map(Operation::Repair),
        Just(Operation::Enrol),
        one.prop_map(Operation::Destroy),
    ]
}

fn perform(world: &mut World, operation: Operation) {
    match operation {
        Operation::Dkg => world.dkg(),
        Operation::Sign(first, count) => world.sign(first, count),
        Operation::Renew => world.renew(),
        Operation::MissTheEnd(who) => world.miss_the_end(who),
        Operation::LeaveBehind(who) => world.leave_behind(who),
        Operation::Abandon(who) => world.abandon(who),
        Operation::Join => world.join(),
        Operation::Leave(who) => world.leave(who),
        Operation::Threshold(threshold) => world.change_threshold(threshold),
        Operation::Backup(who) => world.back_up(who),
        Operation::Lose(who) => world.lose(who),
        Operation::Restore(who) => world.restore(who),
        Operation::Repair(who) => world.repair(who),
        Operation::Enrol => world.enrol(),
        Operation::Destroy(who) => world.destroy(who),
    }
}

/// As many as `PROPTEST_CASES` says; by default no more than a test run has time for.
fn lives() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(12))
}

proptest! {
    #![proptest_config(lives())]

    #[test]
    fn whatever_happens_the_address_stays_and_t_members_sign_and_fewer_never(
        suite in prop::sample::select(Suite::ALL.to_vec()),
        in_files in prop::bool::weighted(0.2),
        life in prop::collection::vec((0..2_usize, operation()), 1..12),
    ) {
        let mut world = World::new(if in_files { Setting::files(suite) } else { Setting::memory(suite) });
        for (key, operation) in life {
            world.turn_to(key);
            perform(&mut world, operation);
            world.is_well();
        }
        for key in 0..2 {
            world.turn_to(key);
            world.renew();
        }
        world.is_well();
    }
}

/// What a random life may do, each once, so that none of it is idle; in files, so that some lives always are.
#[test]
fn in_one_life_everything_happens() {
    use Operation::{
        Abandon, Backup, Destroy, Dkg, Enrol, Join, Leave, LeaveBehind, Lose, MissTheEnd, Renew, Repair, Restore, Sign,
        Threshold,
    };
    let mut world = World::new(Setting::files(Suite::Secp256k1Taproot));
    let life = [
        (0, Sign(1, 3), 0),
        (0, MissTheEnd(0), 1),
        (0, LeaveBehind(1), 1),
        (0, Abandon(0), 0),
        (0, Join, 2),
        (0, Dkg, 0),
        (0, Join, 2),
        (0, Threshold(3), 2),
        (0, Lose(4), 0),
        (0, Renew, 1),
        (0, Backup(0), 0),
        (0, Lose(0), 0),
        (0, Restore(0), 0),
        (1, Renew, 1),
        (0, Renew, 1),
        (0, Threshold(2), 2),
        (0, Leave(2), 2),
        (0, Destroy(1), 0),
        (0, Repair(1), 1),
        (1, Repair(1), 1),
        (0, Enrol, 0),
        (0, Renew, 1),
        // From here on there are enough to sign, and too few to renew.
        (0, Lose(4), 0),
        (0, Lose(3), 0),
        (0, Sign(0, 2), 0),
        (0, Renew, 0),
        (1, Renew, 1),
    ];
    for (key, operation, heights) in life {
        world.turn_to(key);
        let before = world.height();
        perform(&mut world, operation);
        world.is_well();
        assert_eq!(world.height() - before, heights, "{operation:?}");
    }
    world.turn_to(0);
    assert_eq!((world.members(), world.living()), (vec![1, 2, 4, 5, 6], 3));
    world.turn_to(1);
    assert_eq!((world.members(), world.living()), (vec![1, 2, 3, 4], 4));
}
