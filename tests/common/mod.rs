//! A group of members in one thread, for tests: every message goes to everybody, in a fixed order.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

use std::collections::BTreeMap;

use quorumkey::{
    Card, Dkg, Error, Identifier, Init, Invitation, KdfCost, KeyId, KeyInfo, KeyStore, KeyTemplate, Message, Pin,
    Protocol, Roster, Run, Session, Signature, Suite,
};

#[allow(unused_imports, reason = "each test file uses its own part")]
pub use quorumkey::hazmat::Shared;

pub fn id(number: u16) -> Identifier {
    Identifier::new(number).unwrap()
}

pub fn user_pin() -> Pin {
    Pin::new("the user's words").unwrap()
}

pub fn officer_pin() -> Pin {
    Pin::new("the officer's words").unwrap()
}

pub fn init(label: &str) -> Init {
    Init { label: label.to_owned(), user: user_pin(), officer: officer_pin(), cost: KdfCost::insecure_for_tests() }
}

/// A member: a token and its user's session.
pub struct Member {
    pub store: KeyStore,
    pub session: Session,
}

impl Member {
    pub fn new(store: KeyStore) -> Self {
        let session = store.login(&user_pin()).unwrap();
        Self { store, session }
    }

    pub fn in_memory(label: &str) -> Self {
        Self::new(KeyStore::memory(&init(label)).unwrap())
    }

    pub fn card(&self) -> Card {
        self.session.card().unwrap()
    }

    pub fn key(&self, key: KeyId) -> KeyInfo {
        self.session.key(key).unwrap()
    }
}

pub fn group(n: u16) -> Vec<Member> {
    (1..=n).map(|i| Member::in_memory(&format!("member {i}"))).collect()
}

pub fn roster(members: &[Member]) -> Roster {
    Roster::numbered(members.iter().map(Member::card)).unwrap()
}

/// Changes or drops messages on their way: (from, to, message).
pub type Wire<'a> = &'a mut dyn FnMut(usize, usize, Message) -> Vec<Message>;

/// Hands messages around until nobody has more to say. What each run said or failed with, in order.
pub fn exchange_over<P: Protocol>(runs: &mut [Run<P>], wire: Wire<'_>) -> Vec<Result<Option<P::Output>, Error>> {
    let mut results: Vec<Result<Option<P::Output>, Error>> = runs.iter().map(|_| Ok(None)).collect();
    loop {
        let mut said = Vec::new();
        for (from, run) in runs.iter_mut().enumerate() {
            while let Some(message) = run.poll_transmit() {
                said.push((from, message));
            }
        }
        if said.is_empty() {
            return results;
        }
        for (from, message) in said {
            for to in (0..runs.len()).filter(|to| *to != from) {
                for message in wire(from, to, message.clone()) {
                    if results[to].is_err() {
                        continue;
                    }
                    match runs[to].handle(&message) {
                        Ok(()) => {
                            if let Some(output) = runs[to].poll_output() {
                                results[to] = Ok(Some(output));
                            }
                        }
                        Err(Error::Rejected(_)) => {}
                        Err(error) => results[to] = Err(error),
                    }
                }
            }
        }
    }
}

pub fn exchange<P: Protocol>(runs: &mut [Run<P>]) -> Vec<P::Output> {
    let results = exchange_over(runs, &mut |_, _, message| vec![message]);
    results.into_iter().map(|result| result.expect("the run fails").expect("the run has no output")).collect()
}

pub fn dkg_invitation(members: &[Member], suite: Suite, threshold: u16) -> Invitation {
    let template = KeyTemplate::wallet("a wallet");
    members[0].session.invite(Dkg { suite, threshold, members: roster(members), template }).unwrap()
}

pub fn dkg(members: &[Member], suite: Suite, threshold: u16) -> KeyInfo {
    deal(members, &dkg_invitation(members, suite, threshold))
}

/// Everybody enters the dealing, and it succeeds.
pub fn deal(members: &[Member], invitation: &Invitation) -> KeyInfo {
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(invitation).unwrap()).collect();
    let keys = exchange(&mut runs);
    assert!(keys.windows(2).all(|pair| pair[0].group_key == pair[1].group_key && pair[0].epoch == pair[1].epoch));
    keys.into_iter().next().unwrap()
}

/// Every member's officer pardons whoever broke a run.
pub fn pardon(members: &[Member]) {
    for member in members {
        let officer = member.store.login_so(&officer_pin()).unwrap();
        for other in members {
            officer.pardon(&other.card()).unwrap();
        }
    }
}

pub fn refresh(members: &[Member], key: KeyId) -> KeyInfo {
    deal(members, &members[0].session.invite_refresh(key, Vec::new()).unwrap())
}

/// The members with these numbers sign, and the signature verifies.
pub fn sign(members: &[Member], key: KeyId, signers: &[u16], message: &[u8]) -> Signature {
    let numbers: Vec<_> = (1..).take(members.len()).collect();
    sign_by(&members_by_number(members, &numbers), key, signers, message)
}

/// Members under numbers that have gaps.
pub fn members_by_number<'a>(members: &'a [Member], numbers: &[u16]) -> BTreeMap<u16, &'a Member> {
    numbers.iter().copied().zip(members).collect()
}

pub fn sign_by(members: &BTreeMap<u16, &Member>, key: KeyId, signers: &[u16], message: &[u8]) -> Signature {
    let ids: Vec<_> = signers.iter().map(|number| id(*number)).collect();
    let of = |number: u16| members[&number];
    let invitation = of(signers[0]).session.invite_sign(key, &ids, message).unwrap();
    let mut runs: Vec<_> =
        signers.iter().map(|number| of(*number).session.start_sign(&invitation, message).unwrap()).collect();
    let signatures = exchange(&mut runs);
    assert!(signatures.windows(2).all(|pair| pair[0] == pair[1]));
    let signature = signatures.into_iter().next().unwrap();
    of(signers[0]).key(key).verifying_key.verify(message, &signature).unwrap();
    signature
}
