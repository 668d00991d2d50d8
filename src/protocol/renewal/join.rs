//! What a member says when it enters the run of a dealing.

use crate::guard::{forbids, holds};
use crate::protocol::attempt::{Attempt, MAX_DEALT, decode_attempts, encode_attempts};
use crate::protocol::certificate::Certificate;
use crate::protocol::dealing::Proof;
use crate::suite::{Ciphersuite, Element};
use crate::wire::{CardId, DecodeError, Identifier, Message, Reader, RunId, Writer, tagged_hash};

/// The body of a join.
#[derive(Clone, Debug)]
pub(crate) struct Join<C: Ciphersuite> {
    /// 32 random bytes, for a session that nobody alone can repeat.
    pub(crate) contribution: [u8; 32],
    /// The hash of this member's part of the chain code; zeros when there is a chain code already.
    pub(crate) chain_commitment: [u8; 32],
    pub(crate) run_key: C::Element,
    pub(crate) possession: Proof<C>,
    /// Whether this member's token was restored from a backup since it last certified an epoch of the key.
    pub(crate) restored: bool,
    /// Whether its security officer lifts the rules for this run.
    pub(crate) overridden: bool,
    /// The attempts that it has signed and that no certificate has ended: what it signed, with its endorsement.
    pub(crate) attempts: Vec<Certificate>,
    /// The attempts that it has dealt in and that no certificate has ended.
    pub(crate) dealt: Vec<Attempt>,
}

impl<C: Ciphersuite> Join<C> {
    const MAX_ATTEMPTS: usize = 4096;

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(&self.contribution).raw(&self.chain_commitment);
        writer.raw(&self.run_key.to_bytes()).raw(&self.possession.encode());
        writer.u8(u8::from(self.restored)).u8(u8::from(self.overridden)).count(self.attempts.len());
        for attempt in &self.attempts {
            writer.bytes(&attempt.to_bytes());
        }
        encode_attempts(&mut writer, &self.dealt);
        writer.finish()
    }

    /// Its bytes, if others would read so much.
    pub(crate) fn encode_if_it_fits(&self) -> Option<Vec<u8>> {
        let attempts: usize = self.attempts.iter().map(Certificate::len).sum();
        // Whatever else is in it is far shorter than what is left of that.
        let few = self.attempts.len() <= Self::MAX_ATTEMPTS && attempts <= Message::MAX_JOIN;
        let fits = |bytes: &Vec<u8>| holds!(RoomInAJoin, bytes.len() <= Message::MAX_JOIN);
        holds!(FewAttemptsInAJoin, few).then(|| self.encode()).filter(fits)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let join = Self {
            contribution: reader.array()?,
            chain_commitment: reader.array()?,
            run_key: C::Element::from_bytes(reader.raw(C::Element::LEN)?).ok_or(DecodeError::Invalid("run key"))?,
            possession: Proof::decode(reader.raw(Proof::<C>::LEN)?).ok_or(DecodeError::Invalid("proof"))?,
            restored: boolean(&mut reader)?,
            overridden: boolean(&mut reader)?,
            attempts: (0..reader.count(Self::MAX_ATTEMPTS)?)
                .map(|_| Certificate::from_bytes(reader.bytes(Message::MAX_JOIN)?))
                .collect::<Result<_, DecodeError>>()?,
            dealt: decode_attempts(&mut reader, MAX_DEALT)?,
        };
        reader.finish()?;
        if forbids!(FewDealingsTold, Attempt::newest(&join.dealt).len() < join.dealt.len()) {
            return Err(DecodeError::TooLong);
        }
        let ascending = join.attempts.is_sorted_by(|a, b| a.epoch_id() < b.epoch_id());
        if ascending && join.dealt.is_sorted_by(|a, b| a.epoch < b.epoch) {
            Ok(join)
        } else {
            Err(DecodeError::Invalid("order of attempts"))
        }
    }
}

fn boolean(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid("boolean")),
    }
}

/// What the proof of possession of a run key speaks of.
pub(crate) fn possession_statement(
    run: RunId,
    member: Identifier,
    card: CardId,
    contribution: &[u8; 32],
    chain_commitment: &[u8; 32],
) -> Vec<u8> {
    Writer::new()
        .raw(run.as_bytes())
        .identifier(member)
        .raw(card.as_bytes())
        .raw(contribution)
        .raw(chain_commitment)
        .finish()
}

/// The commitment to a member's part of the chain code: by it the last to speak can't choose the whole.
pub(crate) fn chain_commitment(run: RunId, member: Identifier, part: &[u8]) -> [u8; 32] {
    tagged_hash("quorumkey/chain-commitment/v1", &[run.as_bytes(), &member.get().to_be_bytes(), part])
}
