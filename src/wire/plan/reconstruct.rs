//! The plan to put a key together again.

use super::{decode_identifiers, decode_suite};
use crate::suite::Suite;
use crate::wire::codec::{DecodeError, Reader, Writer};
use crate::wire::hash::{EpochId, KeyId};
use crate::wire::identifier::Identifier;

/// A key that is put together again: whose shares are handed to the member that invites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReconstructPlan {
    pub(crate) suite: Suite,
    pub(crate) key: KeyId,
    pub(crate) epoch: EpochId,
    /// The hash of the epoch's newest roster.
    pub(crate) roster: [u8; 32],
    /// Everybody who takes part; who invites, and gets the key, is one of them.
    pub(crate) members: Vec<Identifier>,
}

impl ReconstructPlan {
    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u8(self.suite.code()).raw(self.key.as_bytes()).raw(self.epoch.as_bytes()).raw(&self.roster);
        writer.count(self.members.len());
        for member in &self.members {
            writer.identifier(*member);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let plan = Self {
            suite: decode_suite(reader)?,
            key: KeyId::from_bytes(reader.array()?),
            epoch: EpochId::from_bytes(reader.array()?),
            roster: reader.array()?,
            members: decode_identifiers(reader)?,
        };
        if plan.members.len() < 2 || !plan.members.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError::Invalid("members"));
        }
        Ok(plan)
    }
}
