//! The plan of a run.

mod deal;
mod reconstruct;
mod repair;
mod sign;

use super::codec::{DecodeError, Reader, Writer};
use super::hash::{RunId, tagged_hash};
use super::identifier::{Identifier, MAX_MEMBERS};
use crate::suite::Suite;

#[cfg(test)]
pub(crate) use deal::MAX_COMMITMENTS;
pub(crate) use deal::{DealPlan, Source, one_of};
pub use deal::{Reason, Replaced};
pub(crate) use reconstruct::ReconstructPlan;
pub(crate) use repair::RepairPlan;
pub use sign::{MAX_BATCH, MAX_MESSAGE};
pub(crate) use sign::{Party, PreparePlan, Prepared, SignPlan};

/// What a run is to do. Its hash names the run, so that whoever speaks in the run speaks of this plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Deal(DealPlan),
    Sign(SignPlan),
    Reconstruct(ReconstructPlan),
    Repair(RepairPlan),
    Prepare(PreparePlan),
}

/// An action, who proposed it, and randomness that makes it one of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) inviter: Identifier,
    pub(crate) randomness: [u8; 32],
    pub(crate) action: Action,
}

impl Plan {
    const VERSION: u8 = 1;

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(Self::VERSION).identifier(self.inviter).raw(&self.randomness);
        match &self.action {
            Action::Deal(plan) => plan.encode(writer.u8(1)),
            Action::Sign(plan) => plan.encode(writer.u8(2)),
            Action::Reconstruct(plan) => plan.encode(writer.u8(3)),
            Action::Repair(plan) => plan.encode(writer.u8(4)),
            Action::Prepare(plan) => plan.encode(writer.u8(5)),
        }
        writer.finish()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let plan = Self {
            inviter: reader.identifier()?,
            randomness: reader.array()?,
            action: match reader.u8()? {
                1 => Action::Deal(DealPlan::decode(&mut reader)?),
                2 => Action::Sign(SignPlan::decode(&mut reader)?),
                3 => Action::Reconstruct(ReconstructPlan::decode(&mut reader)?),
                4 => Action::Repair(RepairPlan::decode(&mut reader)?),
                5 => Action::Prepare(PreparePlan::decode(&mut reader)?),
                _ => return Err(DecodeError::Invalid("action")),
            },
        };
        reader.finish()?;
        Ok(plan)
    }

    pub(crate) fn run_id(&self) -> RunId {
        RunId::from_bytes(tagged_hash("quorumkey/run/v1", &[&self.to_bytes()]))
    }

    pub(crate) const fn suite(&self) -> Suite {
        match &self.action {
            Action::Deal(plan) => plan.suite,
            Action::Reconstruct(plan) => plan.suite,
            Action::Repair(plan) => plan.suite,
            Action::Sign(SignPlan { party, .. }) | Action::Prepare(PreparePlan { party, .. }) => party.suite,
        }
    }
}

fn decode_suite(reader: &mut Reader<'_>) -> Result<Suite, DecodeError> {
    Suite::from_code(reader.u8()?).ok_or(DecodeError::Invalid("suite"))
}

fn decode_identifiers(reader: &mut Reader<'_>) -> Result<Vec<Identifier>, DecodeError> {
    (0..reader.count(usize::from(MAX_MEMBERS))?).map(|_| reader.identifier()).collect()
}

#[cfg(test)]
pub(super) mod tests;
