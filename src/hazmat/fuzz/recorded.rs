//! Runs that honest members went through, recorded: what there is to show to somebody who was not there.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::exchange::record;
use super::lie::{Change, edit, patch, place};
use super::pair::{Pair, forger};
use super::proposals::{Three, Way};
use super::{choice, one_of};
use crate::hazmat::plan;
use crate::keystore::{Error, Session};
use crate::protocol::Certificate;
use crate::suite::Suite;
use crate::wire::{Identifier, Invitation, KeyId, Message, Plan};

/// A run from its invitation to its last message.
pub(super) struct Recorded {
    pub(super) invitation: Invitation,
    /// What leads to the epoch at work; nothing for a new key.
    pub(super) certificates: Vec<Certificate>,
    pub(super) messages: Vec<Message>,
}

/// Those of one suite.
pub(super) struct Archive {
    suite: Suite,
    pub(super) signing: Recorded,
    /// The run that made nonces beforehand, and a signature with some.
    pub(super) batch: Recorded,
    pub(super) with_batch: Recorded,
    others: Vec<Recorded>,
}

static ARCHIVES: LazyLock<Vec<Archive>> = LazyLock::new(|| Suite::ALL.into_iter().map(Archive::new).collect());

impl Archive {
    pub(super) fn of(suite: Suite) -> &'static Self {
        ARCHIVES.iter().find(|archive| archive.suite == suite).expect("there is one of each suite")
    }

    /// Every run of it.
    pub(super) fn all(&self) -> Vec<&Recorded> {
        [&self.signing, &self.batch, &self.with_batch].into_iter().chain(&self.others).collect()
    }

    fn new(suite: Suite) -> Self {
        let pair = || Pair::new(suite);
        let (batch, with_batch) = prepared(&pair());
        let signing = {
            let pair = pair();
            let invitation = pair.proposed_signature(&pair.liar);
            let messages = record(&mut pair.sign(&invitation));
            recorded(&pair.liar, invitation, messages)
        };
        let others = [new_key(&pair()), import(&pair()), refresh(&pair()), reconstruction(&pair())];
        let third = [Way::Enrolment, Way::Repair, Way::Reshare].map(|way| helped(suite, way));
        Self { suite, signing, batch, with_batch, others: others.into_iter().chain(third).collect() }
    }
}

/// With the certificates of its key that the member knows afterwards, if they lead to the epoch at work.
fn recorded(member: &Session, invitation: Invitation, messages: Vec<Message>) -> Recorded {
    let certificates = invitation.key().map(|key| known(member, key)).unwrap_or_default();
    Recorded { invitation, certificates, messages }
}

fn known(member: &Session, key: KeyId) -> Vec<Certificate> {
    member.certificates(key).expect("the key is known")
}

fn new_key(pair: &Pair) -> Recorded {
    let invitation = pair.proposed_key();
    let messages = record(&mut pair.deal(&invitation));
    recorded(&pair.liar, invitation, messages)
}

fn import(pair: &Pair) -> Recorded {
    let invitation = pair.proposed_import(&pair.liar);
    let messages = record(&mut pair.import(&invitation));
    recorded(&pair.liar, invitation, messages)
}

fn refresh(pair: &Pair) -> Recorded {
    let certificates = known(&pair.liar, pair.snapshot.key.id);
    let invitation = pair.proposed_refresh(&pair.liar);
    let messages = record(&mut pair.deal(&invitation));
    Recorded { invitation, certificates, messages }
}

fn reconstruction(pair: &Pair) -> Recorded {
    let invitation = pair.proposed_reconstruction(true);
    let messages = record(&mut pair.reconstruct(&invitation));
    recorded(&pair.liar, invitation, messages)
}

fn helped(suite: Suite, way: Way) -> Recorded {
    let three = Three::new(suite, way);
    let certificates = known(&three.pair.liar, three.key().id);
    let invitation = three.propose(&three.pair.liar);
    let messages = record(&mut three.start(&invitation));
    Recorded { invitation, certificates, messages }
}

fn prepared(pair: &Pair) -> (Recorded, Recorded) {
    let invitation = pair.proposed_batch(&pair.liar);
    // The runs hold the nonces.
    let mut runs = pair.prepare(&invitation);
    let messages = record(&mut runs);
    let made = recorded(&pair.liar, invitation, messages);
    let invitation = pair.proposed_with_batch(&pair.liar, &made.invitation);
    let messages = record(&mut pair.sign(&invitation));
    (made, recorded(&pair.liar, invitation, messages))
}

/// What the liar and others make of a recorded run, and who of them has said what no honest member says.
pub(super) struct Told {
    pub(super) messages: Vec<Message>,
    pub(super) liars: BTreeSet<Identifier>,
}

impl Recorded {
    /// Messages of it, by the bytes, as they are or changed: signed by whoever lies, or by nobody.
    pub(super) fn tell(&self, mut bytes: &[u8]) -> Told {
        let mut told = Told { messages: Vec::new(), liars: BTreeSet::new() };
        while let Some((which, rest)) = bytes.split_first() {
            bytes = rest;
            let (how, len) = (choice(&mut bytes), choice(&mut bytes));
            let (part, rest) = bytes.split_at(usize::from(len).min(bytes.len()));
            bytes = rest;
            told.messages.extend(say(one_of(&self.messages, *which), how, part, &mut told.liars));
            if told.messages.len() > 32 {
                break;
            }
        }
        told
    }
}

/// One of them, as it is, or changed by anybody, or by its sender.
fn say(message: &Message, how: u8, part: &[u8], liars: &mut BTreeSet<Identifier>) -> Option<Message> {
    let sender = message.sender();
    match how {
        // Anybody can change a message, but not sign it.
        128..192 => {
            let mut changed = message.to_bytes();
            let mut part = part;
            let at = place(&mut part);
            patch(&mut changed, at, part);
            Message::from_bytes(&changed).ok()
        }
        192.. if sender.get() > 1 => {
            liars.insert(sender);
            Some(Change::read(how, part).of(message))
        }
        _ => Some(message.clone()),
    }
}

impl Told {
    /// Everything, as it was said.
    pub(super) fn honestly(recorded: &Recorded) -> Self {
        Self { messages: recorded.messages.clone(), liars: BTreeSet::new() }
    }

    /// Whoever is named has lied.
    pub(super) fn names_only_liars<T>(&self, result: Result<T, Error>) -> Option<T> {
        if let Err(Error::PeerMisbehaved { culprits, .. }) = &result {
            assert!(culprits.iter().all(|id| self.liars.contains(id)), "{culprits:?} are named, {:?} lied", self.liars);
        }
        result.ok()
    }
}

/// The invitation with another plan, signed by who is said to invite. `None` if what comes out is no plan.
pub(super) fn reproposed(invitation: &Invitation, mut bytes: &[u8]) -> Option<Invitation> {
    let (kind, at) = (choice(&mut bytes), place(&mut bytes));
    let mut changed = plan(invitation);
    edit(&mut changed, kind, at, bytes);
    let inviter = Plan::from_bytes(&changed).ok()?.inviter;
    forger(inviter.get()).propose(invitation, &changed)
}
