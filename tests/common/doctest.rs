// What the documentation's examples leave out. Each includes this file in a hidden module; it is no test of its own.

use quorumkey::{
    Dkg, Error, Identifier, Init, Invitation, KdfCost, KeyInfo, KeyStore, KeyTemplate, Pin, Protocol, Roster, Run,
    Session, Suite,
};

/// The number of a member.
pub fn id(number: u16) -> Identifier {
    Identifier::new(number).unwrap()
}

pub fn init(label: &str) -> Init {
    let (user, officer) = (Pin::new("the user's words").unwrap(), Pin::new("the officer's words").unwrap());
    Init { label: label.to_owned(), user, officer, cost: KdfCost::insecure_for_tests() }
}

/// A token in memory.
pub fn token() -> KeyStore {
    KeyStore::memory(&init("a token")).unwrap()
}

/// A member who is logged in.
pub fn member() -> Session {
    token().login(&init("").user).unwrap()
}

/// Three of them.
pub fn three() -> [Session; 3] {
    [member(), member(), member()]
}

/// An invitation of the first to a 2-of-n key.
pub fn invitation(members: &[Session]) -> Invitation {
    invitation_for(members, Suite::Ed25519)
}

fn invitation_for(members: &[Session], suite: Suite) -> Invitation {
    let roster = Roster::numbered(members.iter().map(|member| member.card().unwrap())).unwrap();
    members[0].invite(Dkg { suite, threshold: 2, members: roster, template: KeyTemplate::wallet("savings") }).unwrap()
}

/// A 2-of-n key of these members, in that suite.
pub fn key_of(members: &[Session], suite: Suite) -> KeyInfo {
    deal(members, &invitation_for(members, suite))
}

/// A 2-of-n key of these members.
pub fn key(members: &[Session]) -> KeyInfo {
    deal(members, &invitation(members))
}

/// Everybody enters a dealing.
pub fn deal(members: &[Session], invitation: &Invitation) -> KeyInfo {
    exchange(members.iter().map(|member| member.start(invitation).unwrap()).collect()).remove(0)
}

/// Hands messages around until everybody has an output.
pub fn exchange<P: Protocol>(mut runs: Vec<Run<P>>) -> Vec<P::Output> {
    exchange_with(&mut runs)
}

/// The same, of runs that are kept.
pub fn exchange_with<P: Protocol>(runs: &mut [Run<P>]) -> Vec<P::Output> {
    let mut outputs: Vec<Option<P::Output>> = runs.iter().map(|_| None).collect();
    loop {
        let mut said = Vec::new();
        for (from, run) in runs.iter_mut().enumerate() {
            while let Some(message) = run.poll_transmit() {
                said.push((from, message));
            }
        }
        if said.is_empty() {
            return outputs.into_iter().map(Option::unwrap).collect();
        }
        for (from, message) in said {
            for to in (0..runs.len()).filter(|to| *to != from) {
                match runs[to].handle(&message) {
                    Ok(()) | Err(Error::Rejected(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                if let Some(output) = runs[to].poll_output() {
                    outputs[to] = Some(output);
                }
            }
        }
    }
}

/// Messages go around so many times, and what is said after that is lost.
pub fn rounds<P: Protocol>(runs: &mut [Run<P>], count: usize) {
    for _ in 0..count {
        let said: Vec<_> = runs.iter_mut().map(|run| run.poll_transmit().unwrap()).collect();
        for (from, message) in said.iter().enumerate() {
            for (_, run) in runs.iter_mut().enumerate().filter(|(to, _)| *to != from) {
                run.handle(message).unwrap();
            }
        }
    }
}
