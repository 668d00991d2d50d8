//! What the members of a reconstruction have said together. Public, so that whoever judges reads them alike.

use std::collections::BTreeMap;

use crate::protocol::dealing::{Handing, Handover, Proof, RunKey};
use crate::protocol::epoch::Epoch;
use crate::protocol::exchange::view;
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::protocol::renewal::read_accusation;
use crate::suite::{Ciphersuite, Element};
use crate::wire::{
    CardId, DecodeError, Identifier, Message, Reader, ReconstructPlan, RunId, Subject, Writer, hash_messages,
};

const CONSENT: &[u8] = b"quorumkey/reconstruct/v1";

/// The body of a consent: this member's key for the run, and the proof that it has its secret.
pub(super) fn encode_consent<C: Ciphersuite>(run_key: &C::Element, proof: &Proof<C>) -> Vec<u8> {
    Writer::new().raw(&run_key.to_bytes()).raw(&proof.encode()).finish()
}

fn decode_consent<C: Ciphersuite>(bytes: &[u8]) -> Result<(C::Element, Proof<C>), DecodeError> {
    let mut reader = Reader::new(bytes);
    let run_key = C::Element::from_bytes(reader.raw(C::Element::LEN)?).ok_or(DecodeError::Invalid("run key"))?;
    let proof = Proof::decode(reader.raw(Proof::<C>::LEN)?).ok_or(DecodeError::Invalid("proof"))?;
    reader.finish()?;
    Ok((run_key, proof))
}

/// What the proof in a consent speaks of. The run names key, epoch, members, and who gets the key.
pub(super) fn consent_statement(run: RunId, member: Identifier, card: CardId) -> Vec<u8> {
    Writer::new().bytes(CONSENT).raw(run.as_bytes()).identifier(member).raw(card.as_bytes()).finish()
}

/// Everybody's consent.
#[derive(Debug)]
pub(super) struct Consents<C: Ciphersuite> {
    context: [u8; 32],
    recipient: Identifier,
    members: BTreeMap<Identifier, (C::Element, C::Element)>,
}

impl<C: Ciphersuite> Consents<C> {
    /// Reads a round of consents, given the epoch whose shares are handed over.
    pub(super) fn read(run: RunId, recipient: Identifier, epoch: &Epoch, round: &[Message]) -> Result<Self, Failure> {
        let mut members = BTreeMap::new();
        for message in round {
            let sender = message.sender();
            let (run_key, proof) = decode_consent::<C>(message.body())
                .map_err(|_| Failure::by(sender, Misbehaviour::Malformed, &[message]))?;
            let card = epoch.roster().card(sender).ok_or_else(Failure::unattributed)?.id();
            if !RunKey::<C>::verify_possession(&run_key, &consent_statement(run, sender, card), &proof) {
                return Err(Failure::by(sender, Misbehaviour::RunKey, &[message]));
            }
            let share = epoch.verifying_shares.get(&sender).and_then(|share| C::Element::from_bytes(share));
            members.insert(sender, (run_key, share.ok_or_else(Failure::unattributed)?));
        }
        Ok(Self { context: hash_messages("quorumkey/reconstruct-session/v1", run, round), recipient, members })
    }

    pub(super) fn identifiers(&self) -> impl Iterator<Item = Identifier> {
        self.members.keys().copied()
    }

    /// A handover by that member.
    pub(super) fn handing(&self, sender: Identifier) -> Option<Handing<'_, C>> {
        let (recipient_key, _) = *self.members.get(&self.recipient)?;
        let (sender_key, verifying_share) = *self.members.get(&sender)?;
        let recipient = self.recipient;
        Some(Handing { context: &self.context, sender, sender_key, recipient, recipient_key, verifying_share })
    }

    /// Anybody can decide between the recipient and the member that it accuses.
    pub(super) fn decide(&self, consents: &[Message], handovers: &[Message], accusation: &Message) -> Failure {
        let accuser = accusation.sender();
        let (sender, _, opening) = match read_accusation::<C, _>(accusation, Some) {
            Ok(read) => read,
            Err(failure) => return failure,
        };
        let evidence: Vec<_> = consents.iter().chain(handovers).chain([accusation]).collect();
        let of_sender = handovers.iter().find(|message| message.sender() == sender);
        let handed = of_sender.and_then(|message| Handover::<C>::decode(message.body()).ok());
        let convicted =
            self.handing(sender).zip(handed).is_some_and(|(handing, handed)| handing.convicts(&handed, &opening));
        if convicted {
            Failure::by(sender, Misbehaviour::SealedShare, &evidence)
        } else {
            Failure::by(accuser, Misbehaviour::FalseAccusation, &evidence)
        }
    }
}

/// What signed messages of a reconstruction prove, if they prove a fault: as for a dealing, all messages of the rounds
/// before must be among them.
pub(crate) fn judge<C: Ciphersuite>(
    run: RunId,
    recipient: Identifier,
    plan: &ReconstructPlan,
    epoch: &Epoch,
    signed: &[Message],
) -> Option<Failure> {
    let (consents, handovers) = (round_of(signed, Subject::Consent), round_of(signed, Subject::Handover));
    let speaks_for_itself = |message: &&Message| match message.header().subject {
        Subject::Accuse => read_accusation::<C, _>(message, Some).is_err(),
        Subject::Receipt => !message.body().is_empty(),
        _ => false,
    };
    if let Some(message) = signed.iter().find(speaks_for_itself) {
        return Some(Failure::by(message.sender(), Misbehaviour::Malformed, &[message]));
    }
    let read = match Consents::<C>::read(run, recipient, epoch, &consents) {
        Ok(read) => read,
        Err(failure) => return Some(failure),
    };
    if !read.identifiers().eq(plan.members.iter().copied()) {
        return None;
    }
    let answers = handovers.iter().filter(|handover| handover.header().view == view(run, &consents));
    let malformed = answers.clone().find(|message| Handover::<C>::decode(message.body()).is_err());
    if let Some(message) = malformed {
        return Some(Failure::by(message.sender(), Misbehaviour::Malformed, &[message]));
    }
    let accusation = signed.iter().find(|message| message.header().subject == Subject::Accuse)?;
    let complete = answers.map(Message::sender).eq(plan.members.iter().copied().filter(|id| *id != recipient));
    (complete && accusation.header().view == view(run, &handovers))
        .then(|| read.decide(&consents, &handovers, accusation))
}

/// The messages of a round, each once, in their order.
fn round_of(signed: &[Message], subject: Subject) -> Vec<Message> {
    let mut round: Vec<_> = signed.iter().filter(|message| message.header().subject == subject).cloned().collect();
    round.sort_by_key(Message::sender);
    round.dedup_by_key(|message| message.sender());
    round
}
