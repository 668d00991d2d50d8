//! The last rounds: signatures on the transcript make a certificate, and members say what they erased.

use std::collections::BTreeMap;

use rand_core::CryptoRng;

use super::deals::{PayloadRule, of_misdeal, read_deal};
use crate::guard::holds;
use crate::protocol::certificate::{Certificate, Endorsement};
use crate::protocol::dealing::{Ceremony, Fault, Opening, Verdict, judge};
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::protocol::machine::{Confirmation, Done, Effect, Halt, Machine, Transition};
use crate::suite::Ciphersuite;
use crate::wire::{DecodeError, EpochId, Identifier, Message, Reader, Subject, Writer};

/// Waiting for every member's signatures on the transcript, or for an accusation.
#[derive(Debug)]
pub(super) struct ExpectEndorsements<C: Ciphersuite> {
    pub(super) ceremony: Ceremony<C>,
    pub(super) certificate: Certificate,
    pub(super) deals: BTreeMap<Identifier, Message>,
    pub(super) joins: Vec<Message>,
    pub(super) rule: PayloadRule,
    /// Whose share is zero.
    pub(super) shareless: Vec<Identifier>,
}

/// Whom an accusation is against, and what it shows. `deals` finds who could be accused.
///
/// # Errors
///
/// What an accusation proves of its sender whatever was dealt: it can't be read, or is of somebody who does not deal.
pub(in crate::protocol) fn read_accusation<C: Ciphersuite, T>(
    accusation: &Message,
    deals: impl FnOnce(Identifier) -> Option<T>,
) -> Result<(Identifier, T, Opening<C>), Failure> {
    let by = |misbehaviour| Failure::by(accusation.sender(), misbehaviour, &[accusation]);
    let mut reader = Reader::new(accusation.body());
    let mut read = || -> Result<_, DecodeError> { Ok((reader.identifier()?, Opening::decode(reader.rest())?)) };
    let (dealer, opening) = read().map_err(|_| by(Misbehaviour::Malformed))?;
    Ok((dealer, deals(dealer).ok_or_else(|| by(Misbehaviour::FalseAccusation))?, opening))
}

/// Anybody can decide between an accuser and the dealer that it accuses. `before` is what was said before the deals, and
/// fixed what they had to be.
pub(in crate::protocol) fn decide<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    rule: &PayloadRule,
    before: &[Message],
    deals: &BTreeMap<Identifier, Message>,
    accusation: &Message,
) -> Failure {
    let accuser = accusation.sender();
    let (dealer, deal_message, opening) = match read_accusation::<C, _>(accusation, |dealer| deals.get(&dealer)) {
        Ok(read) => read,
        Err(failure) => return failure,
    };
    // The accuser signed a view of all deals.
    let evidence: Vec<_> = before.iter().chain(deals.values()).chain([accusation]).collect();
    let verdict = read_deal(ceremony, deal_message)
        .map(|deal| judge(ceremony, dealer, accuser, &deal, &opening, |payload| rule.allows(dealer, payload)));
    match verdict {
        Err(misbehaviour) => Failure::by(dealer, misbehaviour, &evidence),
        Ok(Ok(Verdict::DealerGuilty(Fault::Misdeal(misdeal)))) => Failure::by(dealer, of_misdeal(misdeal), &evidence),
        Ok(Ok(Verdict::DealerGuilty(Fault::Payload))) => Failure::by(dealer, Misbehaviour::Payload, &evidence),
        Ok(Ok(Verdict::AccuserGuilty) | Err(_)) => Failure::by(accuser, Misbehaviour::FalseAccusation, &evidence),
    }
}

impl<C: Ciphersuite> Machine for ExpectEndorsements<C> {
    fn handle(mut self: Box<Self>, round: &[Message], _rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        if let Some(accusation) = round.iter().find(|message| message.header().subject == Subject::Accuse) {
            return Err(decide(&self.ceremony, &self.rule, &self.joins, &self.deals, accusation).into());
        }
        for message in round {
            let endorsed = decode_endorsement(message.body()).ok();
            if let Some((_, endorsement)) = endorsed.filter(|(epoch, _)| *epoch == self.certificate.epoch_id()) {
                self.certificate.endorse(message.sender(), endorsement);
            }
        }
        let culprits = self.certificate.unendorsed(round.iter().map(Message::sender));
        if !culprits.is_empty() {
            let evidence: Vec<_> = round.iter().filter(|message| culprits.contains(&message.sender())).collect();
            return Err(Failure::by_all(culprits, Misbehaviour::TranscriptSignature, &evidence).into());
        }
        self.check_shares(round)?;
        Ok(Transition::silent(Box::new(Done), Effect::Certified(Box::new(self.certificate))))
    }
}

impl<C: Ciphersuite> ExpectEndorsements<C> {
    /// Whoever deals last knows the sum of what the others dealt to it, and can deal itself what makes that zero. Nobody else can
    /// bring that about: commitments alone can, but who then opens its share finds a wrong one, and accuses.
    fn check_shares(&self, round: &[Message]) -> Result<(), Failure> {
        if holds!(ZeroShareNamed, self.shareless.is_empty()) {
            return Ok(());
        }
        let signed = round.iter().filter(|message| self.shareless.contains(&message.sender()));
        let evidence: Vec<_> = self.joins.iter().chain(self.deals.values()).chain(signed).collect();
        Err(Failure::by_all(self.shareless.clone(), Misbehaviour::ZeroShare, &evidence))
    }
}

pub(super) fn decode_endorsement(body: &[u8]) -> Result<(EpochId, Endorsement), DecodeError> {
    let mut reader = Reader::new(body);
    let endorsement = (EpochId::from_bytes(reader.array()?), Endorsement::decode(&mut reader)?);
    reader.finish()?;
    Ok(endorsement)
}

/// The most epochs of a kind that a confirmation tells of.
pub(in crate::protocol) const MAX_TOLD: usize = 16_384;

/// The body of a confirmation. Of very many epochs it tells the newest.
pub(crate) fn encode_confirmation(confirmation: &Confirmation) -> Vec<u8> {
    let mut writer = Writer::new();
    for epochs in [&confirmation.erased, &confirmation.backed_up] {
        let newest = epochs.iter().skip(epochs.len().saturating_sub(MAX_TOLD));
        writer.count(newest.len());
        for epoch in newest {
            writer.raw(epoch.as_bytes());
        }
    }
    writer.finish()
}

/// Reads the body of a confirmation.
pub(crate) fn decode_confirmation(member: Identifier, body: &[u8]) -> Result<Confirmation, DecodeError> {
    let mut reader = Reader::new(body);
    let mut epochs = || -> Result<Vec<_>, DecodeError> {
        (0..reader.count(MAX_TOLD)?).map(|_| reader.array().map(EpochId::from_bytes)).collect()
    };
    let (erased, backed_up) = (epochs()?, epochs()?);
    reader.finish()?;
    Ok(Confirmation { member, erased, backed_up })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_after_many_epochs_tells_of_the_newest() {
        let epoch = |number: u16| EpochId::from_bytes([number.to_be_bytes(); 16].concat().try_into().unwrap());
        let member = Identifier::new(1).unwrap();
        let erased: Vec<_> = (0..20_000).map(epoch).collect();
        let all = Confirmation { member, erased: erased.clone(), backed_up: erased.clone() };
        let told = decode_confirmation(member, &encode_confirmation(&all)).unwrap();
        assert!(erased.ends_with(&told.erased) && told.erased.len() == MAX_TOLD);
        assert!(erased.ends_with(&told.backed_up) && told.backed_up.len() == MAX_TOLD);
    }
}
