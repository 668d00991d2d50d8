//! The plan of a repair or an enrolment.

use super::{decode_identifiers, decode_suite};
use crate::suite::Suite;
use crate::wire::codec::{DecodeError, Reader, Writer};
use crate::wire::identifier::Identifier;
use crate::wire::revision::Revision;
use crate::wire::roster::Roster;

/// A member's share again, or a new member's: who helps, after the roster was revised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepairPlan {
    pub(crate) suite: Suite,
    pub(crate) revision: Revision,
    /// The roster after the revision: everybody who will hold a share.
    pub(crate) roster: Roster,
    /// Who signs the revision and makes the share.
    pub(crate) helpers: Vec<Identifier>,
    /// Whether a share is made, or the revision only signed.
    pub(crate) delivers: bool,
}

impl RepairPlan {
    /// The helpers and, unless the revision is only signed, the member that they help.
    pub(crate) fn participants(&self) -> Option<Roster> {
        let target = self.delivers.then_some(self.revision.identifier);
        let ids = self.helpers.iter().copied().chain(target);
        Roster::new(ids.map(|id| Some((id, self.roster.card(id)?.clone()))).collect::<Option<_>>()?).ok()
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u8(self.suite.code()).bytes(&self.revision.to_bytes());
        self.roster.encode(writer);
        writer.count(self.helpers.len());
        for helper in &self.helpers {
            writer.identifier(*helper);
        }
        writer.u8(u8::from(self.delivers));
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let plan = Self {
            suite: decode_suite(reader)?,
            revision: Revision::from_bytes(reader.bytes(Revision::MAX_LEN)?)?,
            roster: Roster::decode(reader)?,
            helpers: decode_identifiers(reader)?,
            delivers: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(DecodeError::Invalid("delivery")),
            },
        };
        plan.check()?;
        Ok(plan)
    }

    /// What must hold of a repair whatever the key is.
    pub(crate) fn check(&self) -> Result<(), DecodeError> {
        let target = self.revision.identifier;
        let helps = self.helpers.len() >= 2 && self.helpers.is_sorted_by(|a, b| a < b);
        if !helps || self.helpers.contains(&target) || self.participants().is_none() {
            return Err(DecodeError::Invalid("helpers"));
        }
        if self.roster.card(target) == Some(&self.revision.card) {
            Ok(())
        } else {
            Err(DecodeError::Invalid("card of the member that is helped"))
        }
    }
}
