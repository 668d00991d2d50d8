//! A token dies at any of its writes, in a repair and in an enrolment.

use std::collections::BTreeSet;

use quorumkey::hazmat::Loot;
use quorumkey::{Dealing, Entry, KeyState, MemoryStorage, Run, Suite};

use super::device::{Crash, Device, devices, log_in, snapshot};
use super::*;

/// What happens to the roster of a 2-of-3 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// The third member's device is destroyed, and it comes with another one.
    Repair,
    /// A fourth member comes.
    Enrol,
}

/// A key, and the devices before the change: the helpers' first, and that of the member that is helped last.
struct Story {
    change: Change,
    /// What its tokens are kept in.
    kept: fn(&[Entry]) -> Device,
    key: KeyInfo,
    from: Vec<Vec<Entry>>,
}

impl Story {
    fn new(change: Change, suite: Suite, kept: fn(&[Entry]) -> Device) -> Self {
        let mut all = devices(4);
        let members = log_in(&mut all);
        let key = dkg(&members[..3], suite, 2);
        drop(members);
        let mut from = snapshot(&all);
        if change == Change::Repair {
            from.remove(2);
        }
        Self { change, kept, key, from }
    }

    /// The run, entered by whoever can.
    fn enter(&self, members: &[Member]) -> Vec<Run<Dealing>> {
        let key = self.key.id;
        let invitation = match self.change {
            Change::Repair => invite_repair(members, key, 3, &[1, 2]),
            Change::Enrol => members[0].session.invite_enrolment(key, id(4), members[3].card(), &ids(&[1, 2])).unwrap(),
        };
        let part = [&members[0], &members[1], members.last().unwrap()];
        part.iter().filter_map(|member| member.session.start(&invitation).ok()).collect()
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

    /// The run with one death in it, and all that follows, after which every token holds that. Whether the victim died.
    fn with_a_crash(&self, victim: usize, crash: Crash, whole: &[BTreeSet<Vec<u8>>]) -> bool {
        let key = self.key.id;
        let mut devices = self.devices();
        let members = log_in(&mut devices);
        let fuse = std::sync::Arc::clone(&devices[victim].fuse);
        fuse.arm(crash);
        exchange_over(&mut self.enter(&members), &mut |_, _, message| vec![message]);
        let blew = fuse.blew();
        drop(members);

        let members = log_in(&mut devices);
        for helper in &members[..2] {
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
        assert_eq!(held(&devices), whole, "{crash:?}");
        blew
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

/// Deaths at every write, by turns in each of the stories, which write the same.
fn whenever_a_token_dies(stories: &[Story], deaths: &[bool]) {
    let wholes: Vec<_> = stories.iter().map(Story::undisturbed).collect();
    let mut turns = (0..stories.len()).cycle();
    let change = stories[0].change;
    for (victim, least) in [0, 1, stories[0].from.len() - 1].into_iter().zip(WRITES) {
        for done in deaths {
            let died = |write: &usize| {
                let (turn, crash) = (turns.next().unwrap(), Crash { write: *write, done: *done, dies: true });
                stories[turn].with_a_crash(victim, crash, &wholes[turn])
            };
            let points = (0..64).take_while(died).count();
            assert!((least..64).contains(&points), "{change:?}, member in place {victim}: {points}");
        }
    }
}

fn in_every_suite(change: Change) {
    whenever_a_token_dies(&Suite::ALL.map(|suite| Story::new(change, suite, Device::new)), &[false, true]);
}

/// A helper writes that it enters, its vote, the revision in force, and its peers' states at the end; who is helped that it
/// enters, and its share.
const WRITES: [usize; 3] = [4, 4, 2];

#[test]
fn whenever_a_token_dies_in_a_repair_the_others_go_on_and_the_same_repair_succeeds() {
    in_every_suite(Change::Repair);
}

#[test]
fn whenever_a_token_dies_in_an_enrolment_the_others_go_on_and_the_same_enrolment_succeeds() {
    in_every_suite(Change::Enrol);
}

/// What had been written is there when the file is opened again.
#[test]
fn whenever_a_token_in_a_file_dies_in_a_repair_the_same_repair_succeeds() {
    whenever_a_token_dies(&[Story::new(Change::Repair, Suite::Secp256k1Taproot, Device::in_file)], &[true]);
}
