//! The exchange of a run's messages: who may say what in which round, and whether all saw the same.
//!
//! It adds three properties to a transport that may lose, delay, repeat, reorder, change and invent: a message counts
//! only if its member signed it for this run; a member that says two things in one place is named; and a round is handed
//! on only once every member is in it, while members that saw different rounds find out whose messages differed.
//! What a message means is left to the protocol above.

#[cfg(test)]
pub(super) mod tests;

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use super::bounds::{Scale, longest_body};
use super::fault::{Failure, LastWords, Misbehaviour};
use crate::guard::{forbids, holds};
use crate::suite::Suite;
use crate::wire::{DecodeError, Header, Identifier, Message, Reader, Roster, RunId, Subject, Writer, hash_messages};

/// Who speaks in a round, and of what.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) senders: BTreeSet<Identifier>,
    pub(crate) subject: Subject,
}

/// What all messages of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) suite: Suite,
    pub(crate) group: [u8; 32],
    pub(crate) epoch: [u8; 32],
    pub(crate) run: RunId,
    /// Who this member is; whoever only listens is none.
    pub(crate) me: Option<Identifier>,
    pub(crate) members: Roster,
}

/// Why a message was not taken. It changes nothing: anybody can make such bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// It belongs to another run.
    OtherRun,
    /// It speaks of another suite, key or epoch than the run's plan.
    OtherGroup,
    /// Its sender is not a member of the run.
    Stranger,
    /// Its signature is not by the card that the plan names.
    Unauthentic,
    /// Nothing of the kind is expected now.
    Unexpected,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherRun => "the message belongs to another run",
            Self::OtherGroup => "the message speaks of another suite, key or epoch than the run",
            Self::Stranger => "the message's sender is not a member of the run",
            Self::Unauthentic => "the message is not signed by the card that the plan names",
            Self::Unexpected => "nothing of the kind is expected now",
        })
    }
}

impl core::error::Error for Rejection {}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// It was known already.
    Repeat,
    /// It is kept; perhaps the round is complete now.
    Kept,
    /// Members disagree on a round: tell them what was seen here.
    Disputed { round: u8, body: Vec<u8> },
}

#[derive(Debug)]
pub(crate) enum Refused {
    Rejected(Rejection),
    Failed(Box<Failure>),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

#[derive(Debug)]
pub(crate) struct Exchange {
    frame: Frame,
    rounds: Vec<Round>,
    current: u8,
    messages: BTreeMap<(u8, Identifier), Message>,
    /// The view of the round before each round that was reached; zeros before the first.
    views: Vec<[u8; 32]>,
    disputing: Option<u8>,
}

/// The most that is told of a round in a dispute; a larger one stays unattributed.
const MAX_DISPUTE: usize = Message::MAX_BODY;

impl Exchange {
    pub(crate) fn new(frame: Frame, rounds: Vec<Round>) -> Self {
        Self { frame, rounds, current: 0, messages: BTreeMap::new(), views: vec![[0; 32]], disputing: None }
    }

    pub(crate) const fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(crate) const fn current(&self) -> u8 {
        self.current
    }

    pub(crate) fn rounds(&self) -> u8 {
        u8::try_from(self.rounds.len()).expect("a protocol has a handful of rounds")
    }

    /// The header of this member's next message. `round` is the current one, or the disputed one.
    pub(crate) fn header(&self, round: u8, subject: Subject, counter: u64, audit_head: [u8; 32]) -> Option<Header> {
        Some(Header {
            suite: self.frame.suite,
            group: self.frame.group,
            epoch: self.frame.epoch,
            run: self.frame.run,
            round,
            sender: self.frame.me?,
            subject,
            counter,
            audit_head,
            view: self.view_before(round),
        })
    }

    /// Keeps what this member said itself.
    pub(crate) fn sent(&mut self, message: &Message) {
        if message.header().subject != Subject::Dispute {
            self.messages.insert((message.round(), message.sender()), message.clone());
        }
    }

    /// Whose messages are still missing in the current round; in a dispute, who is to show what it saw.
    pub(crate) fn awaiting(&self) -> Vec<Identifier> {
        if let Some(disputed) = self.disputing {
            let ours = self.view_before(disputed + 1);
            let differs = self.of_round(disputed + 1).filter(|message| message.header().view != ours);
            return differs.map(Message::sender).collect();
        }
        let Some(round) = self.round(self.current) else { return Vec::new() };
        round.senders.iter().copied().filter(|id| !self.messages.contains_key(&(self.current, *id))).collect()
    }

    /// Takes a message from anybody.
    pub(crate) fn accept(&mut self, message: &Message) -> Result<Accepted, Refused> {
        let slot = (message.round(), message.sender());
        if self.messages.get(&slot) == Some(message) {
            return Ok(Accepted::Repeat);
        }
        self.authenticate(message).map_err(Refused::Rejected)?;
        if Some(message.sender()) == self.frame.me {
            return self.accept_own(message);
        }
        if message.header().subject == Subject::Dispute {
            return self.accept_dispute(message);
        }
        if !self.has_place_for(message) {
            return Err(Failure::by(slot.1, Misbehaviour::Malformed, &[message]).into());
        }
        if forbids!(RoundCanHaveBegun, self.is_before_its_time(message.round())) {
            return Err(Refused::Rejected(Rejection::Unexpected));
        }
        if let Some(other) = self.messages.get(&slot) {
            // A signature can be made again over the same words.
            if holds!(TwoVersionsNamed, other.digest() == message.digest()) {
                return Ok(Accepted::Repeat);
            }
            return Err(Failure::by(slot.1, Misbehaviour::Equivocation, &[other, message]).into());
        }
        self.messages.insert(slot, message.clone());
        self.compare_view(message)
    }

    /// The messages of the current round, once all are in or one accuses; the exchange then waits for the next round.
    pub(crate) fn take_round(&mut self) -> Option<Vec<Message>> {
        if self.disputing.is_some() {
            return None;
        }
        let messages: Vec<_> = self.of_round(self.current).cloned().collect();
        let accused = messages.iter().any(|message| message.header().subject == Subject::Accuse);
        let incomplete = !self.awaiting().is_empty() && !accused;
        if forbids!(RoundComplete, incomplete) || self.round(self.current).is_none() {
            return None;
        }
        self.views.push(view(self.frame.run, &messages));
        self.current += 1;
        Some(messages)
    }

    /// Compares the views of messages that came early. To be called when a round was entered.
    pub(crate) fn compare_early(&mut self) -> Result<Accepted, Refused> {
        let early: Vec<_> = self.of_round(self.current).cloned().collect();
        for message in &early {
            match self.compare_view(message)? {
                Accepted::Kept | Accepted::Repeat => {}
                disputed @ Accepted::Disputed { .. } => return Ok(disputed),
            }
        }
        Ok(Accepted::Kept)
    }

    fn round(&self, round: u8) -> Option<&Round> {
        self.rounds.get(usize::from(round))
    }

    /// What was taken of a round so far.
    pub(crate) fn of_round(&self, round: u8) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |((r, _), _)| *r == round).map(|(_, message)| message)
    }

    fn view_before(&self, round: u8) -> [u8; 32] {
        self.views.get(usize::from(round)).copied().unwrap_or_default()
    }

    fn authenticate(&self, message: &Message) -> Result<(), Rejection> {
        let Header { suite, group, epoch, run, sender, .. } = message.header();
        if forbids!(MessageOfItsRun, *run != self.frame.run) {
            return Err(Rejection::OtherRun);
        }
        let other = (*suite, group, epoch) != (self.frame.suite, &self.frame.group, &self.frame.epoch);
        if forbids!(MessageOfItsEpoch, other) {
            return Err(Rejection::OtherGroup);
        }
        let card = self.frame.members.card(*sender).ok_or(Rejection::Stranger)?;
        if holds!(MessageSigned, message.is_signed_by(card)) { Ok(()) } else { Err(Rejection::Unauthentic) }
    }

    /// An echo is harmless. Other words under this member's own signature come from a copy of its token.
    fn accept_own(&self, message: &Message) -> Result<Accepted, Refused> {
        let sender = message.sender();
        let said = self.messages.get(&(message.round(), sender));
        let echo =
            message.header().subject == Subject::Dispute || said.is_some_and(|own| own.digest() == message.digest());
        if holds!(OwnVoiceKnown, echo) {
            return Ok(Accepted::Repeat);
        }
        Err(Failure::by(sender, Misbehaviour::Cloned, &[message]).into())
    }

    fn has_place_for(&self, message: &Message) -> bool {
        let Header { round, sender, subject, .. } = *message.header();
        let scale = Scale {
            members: self.frame.members.len(),
            renews: (self.frame.group, self.frame.epoch) != ([0; 32], [0; 32]),
        };
        let short = holds!(BodyBounded, message.body().len() <= longest_body(subject, scale));
        // Whoever was dealt something may accuse in the place of what it would say next.
        let before = round.checked_sub(1).and_then(|before| self.round(before));
        let dealt = before.is_some_and(|before| before.subject == Subject::Deal);
        self.round(round).is_some_and(|round| {
            let accuses = subject == Subject::Accuse && (dealt || round.subject == Subject::Receipt);
            let expected = round.senders.contains(&sender) && (accuses || round.subject == subject);
            short && holds!(MessageInItsPlace, expected)
        })
    }

    /// Whether a round can't have begun for anybody, because this member has not spoken yet in one before it. What is said
    /// of it is not kept.
    fn is_before_its_time(&self, round: u8) -> bool {
        let own = |round: &Round| self.frame.me.is_some_and(|me| round.senders.contains(&me));
        let between = self.rounds.iter().take(usize::from(round)).skip(usize::from(self.current) + 1);
        between.into_iter().any(own)
    }

    /// A view can be compared once this member has finished the round that it is a view of.
    fn compare_view(&mut self, message: &Message) -> Result<Accepted, Refused> {
        let Header { round, view, .. } = *message.header();
        if round > self.current || holds!(ViewsCompared, view == self.view_before(round)) {
            return Ok(Accepted::Kept);
        }
        let Some(before) = round.checked_sub(1) else {
            return Err(Failure::by(message.sender(), Misbehaviour::Malformed, &[message]).into());
        };
        self.disputing = Some(before);
        let body = self.seen(before).ok_or_else(Failure::unattributed)?;
        Ok(Accepted::Disputed { round: before, body })
    }

    /// Everything that was seen of a finished round, for a dispute.
    pub(crate) fn seen(&self, round: u8) -> Option<Vec<u8>> {
        let messages: Vec<_> = self.of_round(round).map(Message::to_bytes).collect();
        let mut writer = Writer::new();
        writer.count(messages.len());
        for message in &messages {
            writer.bytes(message);
        }
        Some(writer.finish()).filter(|body| body.len() <= MAX_DISPUTE)
    }

    /// Another member saw a round differently. Whoever signed two versions of its message is named; else the one that
    /// shows something else than it had claimed.
    fn accept_dispute(&mut self, dispute: &Message) -> Result<Accepted, Refused> {
        let (round, sender) = (dispute.round(), dispute.sender());
        if round >= self.current {
            return Err(Refused::Rejected(Rejection::Unexpected));
        }
        let Ok(theirs) = decode_dispute(dispute.body(), self.frame.members.len()) else {
            return Err(Failure::by(sender, Misbehaviour::Malformed, &[dispute]).into());
        };
        // Who disputed the round has spoken of it, not in it.
        let in_round = |shown: &&Message| shown.round() == round && shown.header().subject != Subject::Dispute;
        for shown in theirs.iter().filter(in_round) {
            let Some(own) = self.messages.get(&(round, shown.sender())) else { continue };
            if own.digest() != shown.digest() && holds!(DisputedMessageSigned, self.authenticate(shown).is_ok()) {
                let failure = Failure::by(shown.sender(), Misbehaviour::Equivocation, &[own, shown]);
                return Err(self.saying_what_was_seen(failure, round).into());
            }
        }
        let shown = view(self.frame.run, &theirs);
        let claim = self
            .messages
            .get(&(round + 1, sender))
            .filter(|claim| forbids!(FalseViewNamed, claim.header().view != shown));
        if let Some(claim) = claim {
            return Err(Failure::by(sender, Misbehaviour::FalseView, &[claim, dispute]).into());
        }
        Err(Refused::Rejected(Rejection::Unexpected))
    }

    /// What messages of this run prove by themselves against who signed them: nobody has such a place in it, a dispute can't be
    /// read, or it shows another round than its sender claimed to have seen.
    pub(crate) fn judge(&self, signed: &[Message]) -> Option<Failure> {
        let of_run = || signed.iter().filter(|message| message.run_id() == self.frame.run);
        let (disputes, said): (Vec<_>, Vec<_>) =
            of_run().partition(|message| message.header().subject == Subject::Dispute);
        let malformed = |message: &Message| Failure::by(message.sender(), Misbehaviour::Malformed, &[message]);
        let begins = |message: &Message| message.round() > 0 || message.header().view == [0; 32];
        if let Some(message) = said.iter().find(|message| !(self.has_place_for(message) && begins(message))) {
            return Some(malformed(message));
        }
        for dispute in disputes {
            let Ok(shown) = decode_dispute(dispute.body(), self.frame.members.len()) else {
                return Some(malformed(dispute));
            };
            let answers = |claim: &&&Message| {
                claim.sender() == dispute.sender() && claim.round().checked_sub(1) == Some(dispute.round())
            };
            let contradicted = |claim: &&&Message| {
                holds!(ClaimJudgedByItsDispute, claim.header().view != view(self.frame.run, &shown))
            };
            if let Some(claim) = said.iter().filter(answers).find(contradicted) {
                return Some(Failure::by(dispute.sender(), Misbehaviour::FalseView, &[claim, dispute]));
            }
        }
        None
    }

    fn saying_what_was_seen(&self, failure: Failure, round: u8) -> Failure {
        match self.seen(round) {
            Some(body) if self.disputing.is_none() => failure.saying(LastWords::Dispute { round, body }),
            _ => failure,
        }
    }
}

/// One message of each sender at most, in their order: each may have to be verified.
fn decode_dispute(body: &[u8], members: usize) -> Result<Vec<Message>, DecodeError> {
    let mut reader = Reader::new(body);
    let messages = (0..reader.count(members)?)
        .map(|_| Message::from_bytes(reader.bytes(Message::MAX_BODY)?))
        .collect::<Result<Vec<_>, _>>()?;
    reader.finish()?;
    if holds!(DisputeShowsEachOnce, messages.is_sorted_by(|a, b| a.sender() < b.sender())) {
        Ok(messages)
    } else {
        Err(DecodeError::Invalid("order of disputed messages"))
    }
}

/// What a member saw of a round. The round's number is in the digests of its messages.
pub(crate) fn view(run: RunId, messages: &[Message]) -> [u8; 32] {
    hash_messages("quorumkey/view/v1", run, messages)
}
