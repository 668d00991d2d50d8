//! Who plays: three members with a key, a newcomer and one more, each time as they were when it was made.

use std::sync::OnceLock;

use quorumkey::hazmat::{Forger, subject};
use quorumkey::wrap::Identity;
use quorumkey::{
    Certificate, Dkg, Entry, Invitation, KeyInfo, KeyTemplate, Message, Operations, Protocol, Run, Suite, VerifyingKey,
};

use super::common::*;
use super::device::Device;
use super::play::Play;

/// The path of the child that signs, where the suite has children.
pub const PATH: &str = "m/0/7";
pub const MESSAGE: &[u8] = b"pay the baker";

/// What the members of one suite were when the play was prepared.
pub struct Cast {
    pub suite: Suite,
    pub key: KeyInfo,
    /// The key of the child at [`PATH`].
    pub child: Option<VerifyingKey>,
    /// What was said in other runs: of this key and of another one, in this epoch and in the next.
    pub past: Vec<Message>,
    contents: Vec<Vec<Entry>>,
    /// The same with a backup of each share, and after an attempt to renew them that came to nothing.
    burdened: Vec<Vec<Entry>>,
}

static CASTS: [OnceLock<Cast>; 3] = [const { OnceLock::new() }; 3];

/// Everybody's identity is known. They are the same in all suites, so that nothing but its content tells a message's suite.
pub fn forger(person: usize) -> Forger {
    Forger::new([u8::try_from(person + 1).unwrap(); 32])
}

/// Identities at work in three suites.
pub const PEOPLE: usize = 5;

/// Whoever has two copies of one token has the other one as this person.
pub const COPY: usize = 4;

impl Cast {
    pub fn of(suite: Suite) -> &'static Self {
        let place = Suite::ALL.iter().position(|one| *one == suite).unwrap();
        CASTS[place].get_or_init(|| Self::new(suite))
    }

    fn new(suite: Suite) -> Self {
        let devices: Vec<_> = (0..PEOPLE).map(|_| Device::new(&[])).collect();
        let member = |(person, device): (usize, &Device)| {
            let storage = |contents: &[Entry]| {
                quorumkey::Storage::rewrite(&*device.bytes, contents)?;
                Ok(device.handle())
            };
            Member::new(forger(person).store(storage, &init(&format!("person {person}")), 0).unwrap())
        };
        let people: Vec<_> = devices.iter().enumerate().map(member).collect();
        let members = &people[..3];
        let mut past = Vec::new();
        let operations = Operations::ALL.union(Operations::RECONSTRUCT);
        let template = KeyTemplate { operations, ..KeyTemplate::wallet("on trial") };
        let dkg = Dkg { suite, threshold: 2, members: roster(members), template };
        let invitation = members[0].session.invite(dkg).unwrap();
        let key = deal(members, &invitation, &mut past);
        past.extend(signing(members, &key));
        let other = deal(members, &dkg_invitation(members, suite, 2), &mut past);
        past.extend(signing(members, &other));
        let extended = members[0].session.extended_public_key(key.id).ok();
        let child = extended.map(|key| key.derive(&PATH.parse().unwrap()).unwrap().verifying_key(None));
        let contents: Vec<_> = devices.iter().map(Device::contents).collect();
        // What is played begins here. What is said of a later epoch may be shown to one that does not know it.
        let renewed = deal(members, &members[0].session.invite_refresh(key.id, Vec::new()).unwrap(), &mut past);
        past.extend(signing(members, &renewed));
        let burdened = burdened(&key, &contents[..3]);
        Self { suite, key, child, past, contents, burdened }
    }
}

/// Each makes a backup. The first two then sign an attempt of which the third gets no deal, and give it up.
fn burdened(key: &KeyInfo, contents: &[Vec<Entry>]) -> Vec<Vec<Entry>> {
    let mut devices: Vec<_> = contents.iter().map(|one| Device::new(one)).collect();
    let members: Vec<_> = devices.iter_mut().map(Device::open).collect();
    let Identity::X25519(offline) = Identity::generate() else { panic!("a key of another kind") };
    for member in &members {
        member.session.export(key.id, &offline.recipient()).unwrap();
    }
    let invitation = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    exchange_over(&mut runs, &mut |_, to, message| {
        if to == 2 && subject(&message) == "deal" { Vec::new() } else { vec![message] }
    });
    drop(runs);
    for member in &members[..2] {
        member.session.abandon(key.id, member.key(key.id).pending[0]).unwrap();
    }
    devices.iter().map(Device::contents).collect()
}

fn deal(members: &[Member], invitation: &Invitation, past: &mut Vec<Message>) -> KeyInfo {
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(invitation).unwrap()).collect();
    undisturbed(&mut runs, past)
}

fn signing(members: &[Member], key: &KeyInfo) -> Vec<Message> {
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2), id(3)], MESSAGE).unwrap();
    let mut runs: Vec<_> =
        members.iter().map(|member| member.session.start_sign(&invitation, MESSAGE).unwrap()).collect();
    let mut past = Vec::new();
    undisturbed(&mut runs, &mut past);
    past
}

/// A run that nobody disturbs, its first output, and what was said.
pub fn undisturbed<P: Protocol>(runs: &mut [Run<P>], said: &mut Vec<Message>) -> P::Output {
    let results = exchange_over(runs, &mut |from, to, message| {
        if to == usize::from(from == 0) {
            said.push(message.clone());
        }
        vec![message]
    });
    results.into_iter().map(|result| result.unwrap().unwrap()).next().unwrap()
}

/// The people, at home again.
pub struct Stage {
    pub cast: &'static Cast,
    pub people: Vec<Member>,
}

impl Stage {
    pub fn new(suite: Suite, people: usize) -> Self {
        let cast = Cast::of(suite);
        let open = |contents: &Vec<Entry>| Device::new(contents).open();
        Self { cast, people: cast.contents[..people].iter().map(open).collect() }
    }

    /// Whoever a play takes, with the past that it takes.
    pub fn of(suite: Suite, play: Play) -> Self {
        let cast = Cast::of(suite);
        let contents = if play == Play::RefreshAgain { &cast.burdened } else { &cast.contents };
        Self { cast, people: contents[..play.stage()].iter().map(|one| Device::new(one).open()).collect() }
    }

    /// What leads to the epoch in which the first person has the key.
    pub fn certificates(&self) -> Vec<Certificate> {
        self.people[0].session.certificates(self.cast.key.id).unwrap()
    }

    /// Everybody, and another copy of somebody's token.
    pub fn with_copy(suite: Suite, of: usize) -> Self {
        let mut stage = Self::new(suite, COPY);
        stage.people.push(Device::new(&stage.cast.contents[of]).open());
        stage
    }
}
