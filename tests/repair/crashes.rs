//! A write of a token fails, any of them, in a repair and in an enrolment.

use std::collections::BTreeSet;

use quorumkey::hazmat::Loot;
use quorumkey::{Dealing, Entry, KeyState, MemoryStorage, Run, Suite};

use super::device::{Crash, Device, Keep, TURNS, devices, every_failure, go_on, log_in, snapshot};
use super::*;

/// What happens to the roster of a key that two sign with. All members but the last help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// The last member's device is destroyed, and it comes with another one.
    Repair,
    /// One more member comes.
    Enrol,
}

/// A key, and the devices before the change: the helpers' first, and that of the member that is helped last.
struct Story {
    change: Change,
    /// What its tokens are kept in.
    kept: Keep,
    key: KeyInfo,
    /// By their numbers, which are those of the first members.
    helpers: Vec<u16>,
    from: Vec<Vec<Entry>>,
    /// What every token holds in the end.
    whole: Vec<BTreeSet<Vec<u8>>>,
}

impl Story {
    fn new(change: Change, n: u16, suite: Suite, kept: Keep) -> Self {
        let mut all = devices(n + 1);
        let members = log_in(&mut all);
        let key = dkg(&members[..usize::from(n)], suite, 2);
        drop(members);
        let mut from = snapshot(&all);
        if change == Change::Repair {
            from.remove(usize::from(n) - 1);
        }
        let mut story = Self { change, kept, key, helpers: (1..n).collect(), from, whole: Vec::new() };
        story.whole = story.undisturbed();
        story
    }

    /// The run, entered by whoever can.
    fn enter(&self, members: &[Member]) -> Vec<Run<Dealing>> {
        let (key, new) = (self.key.id, members.last().unwrap());
        let number = u16::try_from(members.len()).unwrap();
        let invitation = match self.change {
            Change::Repair => invite_repair(members, key, number, &self.helpers),
            Change::Enrol => {
                members[0].session.invite_enrolment(key, id(number), new.card(), &ids(&self.helpers)).unwrap()
            }
        };
        let part = members[..self.helpers.len()].iter().chain([new]);
        part.filter_map(|member| member.session.start(&invitation).ok()).collect()
    }

    /// Everybody who has the key is given the newest roster that anybody has.
    fn tell(&self, members: &[Member]) {
        let told = members.iter().filter_map(|member| member.session.certificate(self.key.id).ok());
        let newest = told.max_by_key(|told| told.revisions().count()).unwrap();
        for member in members.iter().filter(|member| member.session.key(self.key.id).is_ok()) {
            member.session.complete(&newest).unwrap();
        }
    }

    fn devices(&self) -> Vec<Device> {
        self.from.iter().map(|contents| (self.kept)(contents)).collect()
    }

    /// What every token holds after the run, with which every pair signs.
    fn undisturbed(&self) -> Vec<BTreeSet<Vec<u8>>> {
        let mut devices = self.devices();
        let members = log_in(&mut devices);
        exchange(&mut self.enter(&members));
        self.tell(&members);
        let all = 1..=u16::try_from(members.len()).unwrap();
        for one in all.clone() {
            for other in all.clone().filter(|other| one < *other) {
                sign(&members, self.key.id, &[one, other], b"with every pair");
            }
        }
        drop(members);
        held(&devices)
    }

    /// The run in which a write may fail, and all that follows. Whether it failed.
    fn with_a_failure(&self, victim: usize, crash: Crash) -> bool {
        let key = self.key.id;
        let mut devices = self.devices();
        let members = log_in(&mut devices);
        let fuse = std::sync::Arc::clone(&devices[victim].fuse);
        fuse.arm(crash);
        exchange_over(&mut self.enter(&members), &mut |_, _, message| vec![message]);
        let failed = fuse.disarm();
        let members = go_on(&mut devices, members, Some((victim, crash)));
        for helper in &members[..self.helpers.len()] {
            let info = helper.key(key);
            assert_eq!((info.state, info.epoch), (KeyState::Active, self.key.epoch), "{crash:?}");
            assert!(info.revision <= 1, "{crash:?}");
        }
        self.tell(&members);
        sign(&members, key, &[1, 2], b"as before");
        if members.last().unwrap().session.key(key).is_err() {
            exchange(&mut self.enter(&members));
        }
        self.tell(&members);
        for member in &members {
            let info = member.key(key);
            assert_eq!((info.state, info.epoch, info.revision), (KeyState::Active, self.key.epoch, 1), "{crash:?}");
            assert_eq!(info.roster, roster(&members));
        }
        drop(members);
        assert_eq!(held(&devices), self.whole, "{crash:?}");
        failed
    }
}

/// The secrets in each device: its identity, its share, which is nobody else's, and the key's chain code.
fn held(devices: &[Device]) -> Vec<BTreeSet<Vec<u8>>> {
    let loot = |device: &Device| Loot::of(MemoryStorage::new(&device.contents()), &user_pin()).unwrap();
    let held: Vec<BTreeSet<_>> = devices.iter().map(|device| loot(device).secrets().map(Vec::from).collect()).collect();
    assert!(held.iter().all(|secrets| secrets.len() == 3));
    assert_eq!(held.iter().flatten().collect::<BTreeSet<_>>().len(), 2 * devices.len() + 1);
    held
}

/// A helper writes that it enters, its vote, the revision in force, and its peers' states at the end; who is helped that it
/// enters, and its share. A third helper does as the second.
fn whenever_a_write_fails(stories: &[Story]) {
    every_failure(stories, &[(0, 4), (1, 4), (stories[0].from.len() - 1, 2)], &Story::with_a_failure);
}

fn in_every_suite(change: Change, n: u16) {
    whenever_a_write_fails(&TURNS.map(|(suite, kept)| Story::new(change, n, suite, kept)));
}

#[test]
fn whenever_a_token_dies_in_a_repair_the_others_go_on_and_the_same_repair_succeeds() {
    in_every_suite(Change::Repair, 3);
}

#[test]
fn whenever_a_token_dies_in_an_enrolment_the_others_go_on_and_the_same_enrolment_succeeds() {
    in_every_suite(Change::Enrol, 3);
}

#[test]
fn whenever_one_of_three_helpers_or_a_repaired_member_dies_the_same_repair_succeeds() {
    in_every_suite(Change::Repair, 4);
}

#[test]
fn whenever_one_of_three_helpers_or_an_enrolled_member_dies_the_same_enrolment_succeeds() {
    in_every_suite(Change::Enrol, 4);
}

/// What had been written is there when the file is opened again.
#[test]
fn whenever_a_token_in_a_file_dies_in_a_repair_the_same_repair_succeeds() {
    whenever_a_write_fails(&[Story::new(Change::Repair, 3, Suite::Secp256k1Taproot, Device::in_file)]);
}
