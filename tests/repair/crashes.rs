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
    key: KeyInfo,
    from: Vec<Vec<Entry>>,
}

impl Story {
    fn new(change: Change) -> Self {
        let mut all = devices(4);
        let members = log_in(&mut all);
        let key = dkg(&members[..3], Suite::Ed25519, 2);
        drop(members);
        let mut from = snapshot(&all);
        if change == Change::Repair {
            from.remove(2);
        }
        Self { change, key, from }
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

    /// The run with one death in it, and all that follows. Whether the victim died.
    fn with_a_crash(&self, victim: usize, crash: Crash) -> bool {
        let key = self.key.id;
        let mut devices: Vec<_> = self.from.iter().map(|contents| Device::new(contents)).collect();
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
        let all = 1..=u16::try_from(members.len()).unwrap();
        for pair in
            all.clone().flat_map(|one| all.clone().filter(move |other| one < *other).map(move |other| [one, other]))
        {
            sign(&members, key, &pair, b"with every pair");
        }
        drop(members);
        no_share_is_in_two_hands(&devices);
        blew
    }
}

/// Each device has its identity, one share and the key's chain code.
fn no_share_is_in_two_hands(devices: &[Device]) {
    let loot = |device: &Device| Loot::of(MemoryStorage::new(&device.contents()), &user_pin()).unwrap();
    let loot: Vec<_> = devices.iter().map(loot).collect();
    assert!(loot.iter().all(|loot| loot.len() == 3), "{loot:?}");
    let different: BTreeSet<_> = loot.iter().flat_map(Loot::secrets).collect();
    assert_eq!(different.len(), 2 * devices.len() + 1);
}

fn whenever_a_token_dies(change: Change, writes: [usize; 3]) {
    let story = Story::new(change);
    for (victim, least) in [0, 1, story.from.len() - 1].into_iter().zip(writes) {
        for done in [false, true] {
            let died = (0..).take_while(|write| story.with_a_crash(victim, Crash { write: *write, done, dies: true }));
            let points = died.count();
            assert!(points >= least, "{change:?}, member in place {victim}: {points}");
        }
    }
}

/// A helper writes that it enters, its vote, the revision in force, and its peers' states at the end; who is helped that it
/// enters, and its share.
const WRITES: [usize; 3] = [4, 4, 2];

#[test]
fn whenever_a_token_dies_in_a_repair_the_others_go_on_and_the_same_repair_succeeds() {
    whenever_a_token_dies(Change::Repair, WRITES);
}

#[test]
fn whenever_a_token_dies_in_an_enrolment_the_others_go_on_and_the_same_enrolment_succeeds() {
    whenever_a_token_dies(Change::Enrol, WRITES);
}
