//! Members that cheat while shares are dealt: found out, named with proof, and nobody honest with them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "what is wrong in a test may panic"
)]

#[path = "../common/mod.rs"]
mod common;

mod accusations;
mod attempts;
mod certify;
mod deals;
mod joins;
mod outsiders;
mod reshares;

use common::*;
use quorumkey::hazmat::{Forger, subject};
use quorumkey::{
    Certificate, Dealing, Error, Evidence, Invitation, Judgement, KeyInfo, MemoryStorage, Message, Misbehaviour, Run,
    Suite,
};

/// Members of which the last, or all, have an identity that the test knows.
struct Trial {
    members: Vec<Member>,
    forgers: Vec<Forger>,
}

impl Trial {
    fn new(n: u8) -> Self {
        let forgers: Vec<_> = (1..=n).map(|seed| Forger::new([seed; 32])).collect();
        let member = |(number, forger): (usize, &Forger)| {
            let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
            Member::new(forger.store(storage, &init(&format!("member {number}")), 0).unwrap())
        };
        let members = (1..).zip(&forgers).map(member).collect();
        Self { members, forgers }
    }

    fn forger(&self, number: u16) -> &Forger {
        &self.forgers[usize::from(number) - 1]
    }

    /// An invitation to a new key, or, if one is there, to a refresh of it, and the certificates that lead to it.
    fn invitation(&self, suite: Suite, renewed: bool) -> (Invitation, Vec<Certificate>) {
        pardon(&self.members);
        if !renewed {
            return (dkg_invitation(&self.members, suite, 2), Vec::new());
        }
        let key = dkg(&self.members, suite, 2).id;
        let session = &self.members[0].session;
        (session.invite_refresh(key, Vec::new()).unwrap(), session.certificates(key).unwrap())
    }

    fn start(&self, invitation: &Invitation) -> Vec<Run<Dealing>> {
        pardon(&self.members);
        self.members.iter().map(|member| member.session.start(invitation).unwrap()).collect()
    }

    fn run(&self, invitation: &Invitation, wire: Wire<'_>) -> Vec<Result<Option<KeyInfo>, Error>> {
        exchange_over(&mut self.start(invitation), wire)
    }

    /// A run in which member 3's messages about something have their body changed, for all.
    fn run_with_body(
        &self,
        invitation: &Invitation,
        about: &str,
        change: impl Fn(&mut Vec<u8>),
    ) -> Vec<Result<Option<KeyInfo>, Error>> {
        self.run(invitation, &mut |from, _, message| {
            let altered = from == 2 && subject(&message) == about;
            vec![if altered { self.forger(3).alter(&message, |forgery| change(&mut forgery.body)) } else { message }]
        })
    }
}

/// What a failed run says: who, what, evidence.
#[track_caller]
fn blame(result: &Result<Option<KeyInfo>, Error>) -> (Vec<u16>, Misbehaviour, Evidence) {
    match result {
        Err(Error::PeerMisbehaved { culprits, misbehaviour, evidence }) => {
            (culprits.iter().map(|id| id.get()).collect(), *misbehaviour, evidence.clone())
        }
        other => panic!("nobody is blamed: {other:?}"),
    }
}

/// The first members all name the last one, for the same thing, and whoever judges their evidence does as well.
#[track_caller]
fn all_name_the_last(
    results: &[Result<Option<KeyInfo>, Error>],
    misbehaviour: Misbehaviour,
    invitation: &Invitation,
    chain: &[Certificate],
) {
    let culprit = u16::try_from(results.len()).unwrap();
    for result in &results[..results.len() - 1] {
        let (culprits, what, evidence) = blame(result);
        assert_eq!((culprits, what), (vec![culprit], misbehaviour));
        let judgement = evidence.judge(invitation, chain).unwrap();
        assert_eq!(judgement, Some(Judgement { culprits: vec![id(culprit)], misbehaviour }));
    }
}

/// The same without a judge: what is shown has to be seen within the run.
#[track_caller]
fn all_blame_the_last(results: &[Result<Option<KeyInfo>, Error>], misbehaviour: Misbehaviour) {
    let culprit = u16::try_from(results.len()).unwrap();
    for result in &results[..results.len() - 1] {
        let (culprits, what, _) = blame(result);
        assert_eq!((culprits, what), (vec![culprit], misbehaviour));
    }
}

/// Bytes of an element of that suite.
const fn element(suite: Suite) -> usize {
    match suite {
        Suite::Ed25519 => 32,
        _ => 33,
    }
}

/// Where a receiver's ciphertext of a deal among three begins, in bytes from the end: length, share, payload, tag.
const fn ciphertext_from_end(receiver: usize) -> usize {
    (4 - receiver) * (8 + 32 + 32 + 16) - 8
}

/// Every message of a run that nobody disturbs.
fn recorded(trial: &Trial, invitation: &Invitation) -> Vec<Message> {
    let mut recorded = Vec::new();
    let results = trial.run(invitation, &mut |from, to, message| {
        if to == usize::from(from == 0) {
            recorded.push(message.clone());
        }
        vec![message]
    });
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))));
    recorded
}
