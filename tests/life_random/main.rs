//! Random lives of a key: whatever is done in whatever order, the address stays, t members sign, and fewer never do.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "what is wrong in a test may panic"
)]

#[path = "../common/mod.rs"]
mod common;

mod world;

use proptest::prelude::*;
use quorumkey::Suite;
use world::World;

/// What may happen to a key. A number says to which member; what is not possible then, does not happen.
#[derive(Clone, Copy, Debug)]
enum Operation {
    /// These many of the members sign, from that one on.
    Sign(usize, usize),
    /// New shares for all; lost devices are replaced.
    Renew,
    /// A renewal of which a member misses the end; it is told later.
    MissTheEnd(usize),
    /// A renewal in which a member gets no deal, which the others leave behind; perhaps they say so.
    LeaveBehind(usize, bool),
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
        (one.clone(), 2..5_usize).prop_map(|(first, count)| Operation::Sign(first, count)),
        Just(Operation::Renew),
        one.clone().prop_map(Operation::MissTheEnd),
        (one.clone(), any::<bool>()).prop_map(|(who, abandons)| Operation::LeaveBehind(who, abandons)),
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
        Operation::Sign(first, count) => world.sign(first, count),
        Operation::Renew => world.renew(),
        Operation::MissTheEnd(who) => world.miss_the_end(who),
        Operation::LeaveBehind(who, abandons) => world.leave_behind(who, abandons),
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
    ProptestConfig::with_cases(asked.unwrap_or(16))
}

proptest! {
    #![proptest_config(lives())]

    #[test]
    fn whatever_happens_the_address_stays_and_t_members_sign_and_fewer_never(
        suite in prop::sample::select(Suite::ALL.to_vec()),
        life in prop::collection::vec(operation(), 1..12),
    ) {
        let mut world = World::new(suite);
        for operation in life {
            perform(&mut world, operation);
            world.is_well();
        }
        world.renew();
        world.is_well();
    }
}

/// What a random life may do, each once, so that none of it is idle.
#[test]
fn in_one_life_everything_happens() {
    use Operation::{
        Backup, Destroy, Enrol, Join, Leave, LeaveBehind, Lose, MissTheEnd, Renew, Repair, Restore, Sign, Threshold,
    };
    let mut world = World::new(Suite::Secp256k1Taproot);
    let life = [
        (Sign(1, 3), 0),
        (MissTheEnd(0), 1),
        (LeaveBehind(1, true), 2),
        (Join, 2),
        (Join, 2),
        (Threshold(3), 2),
        (Lose(4), 0),
        (Renew, 1),
        (Backup(0), 0),
        (Lose(0), 0),
        (Restore(0), 0),
        (Renew, 1),
        (Threshold(2), 2),
        (Leave(2), 2),
        (Destroy(1), 0),
        (Repair(1), 1),
        (Enrol, 0),
        (Renew, 1),
    ];
    for (operation, heights) in life {
        let before = world.height();
        perform(&mut world, operation);
        world.is_well();
        assert_eq!(world.height() - before, heights, "{operation:?}");
    }
    assert_eq!(world.members(), [1, 2, 4, 5, 6]);
}
