//! Signers that cheat, coordinators that forge, and tokens that die: nothing invalid comes out, and liars are named.
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

mod nonces;
mod plans;
mod shares;

use common::*;
use quorumkey::hazmat::{Forger, subject};
use quorumkey::{
    Certificate, Error, Evidence, Invitation, Judgement, KeyInfo, MemoryStorage, Message, Misbehaviour, Run, Signature,
    Signing, Suite,
};

const MESSAGE: &[u8] = b"pay the baker";

/// A key among members whose identities the test knows.
struct Group {
    members: Vec<Member>,
    forgers: Vec<Forger>,
    key: KeyInfo,
}

impl Group {
    fn new(suite: Suite, threshold: u16, n: u8) -> Self {
        let forgers: Vec<_> = (1..=n).map(|seed| Forger::new([seed; 32])).collect();
        let member = |(number, forger): (usize, &Forger)| {
            let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
            Member::new(forger.store(storage, &init(&format!("member {number}")), 0).unwrap())
        };
        let members: Vec<_> = (1..).zip(&forgers).map(member).collect();
        let key = dkg(&members, suite, threshold);
        Self { members, forgers, key }
    }

    fn chain(&self) -> Vec<Certificate> {
        self.members[0].session.certificates(self.key.id).unwrap()
    }

    /// An invitation to the first so many members.
    fn invitation(&self, signers: u16) -> Invitation {
        pardon(&self.members);
        let ids: Vec<_> = (1..=signers).map(id).collect();
        self.members[0].session.invite_sign(self.key.id, &ids, MESSAGE).unwrap()
    }

    fn start(&self, invitation: &Invitation, signers: usize) -> Vec<Run<Signing>> {
        let start = |member: &Member| member.session.start_sign(invitation, MESSAGE).unwrap();
        self.members[..signers].iter().map(start).collect()
    }

    /// A run of the first so many members in which some change the body of what they say about something.
    fn run(
        &self,
        invitation: &Invitation,
        signers: usize,
        liars: &[usize],
        about: &str,
        change: impl Fn(&mut Vec<u8>),
    ) -> Vec<Result<Option<Signature>, Error>> {
        exchange_over(&mut self.start(invitation, signers), &mut |from, _, message| {
            let lies = liars.contains(&from) && subject(&message) == about;
            vec![if lies { self.forgers[from].alter(&message, |one| change(&mut one.body)) } else { message }]
        })
    }
}

/// What a failed run says: who, what, evidence.
#[track_caller]
fn blame(result: &Result<Option<Signature>, Error>) -> (Vec<u16>, Misbehaviour, Evidence) {
    match result {
        Err(Error::PeerMisbehaved { culprits, misbehaviour, evidence }) => {
            (culprits.iter().map(|id| id.get()).collect(), *misbehaviour, evidence.clone())
        }
        other => panic!("nobody is blamed: {other:?}"),
    }
}
