//! What travels: identifiers, cards, plans and messages, in one strict encoding each.

mod card;
mod codec;
mod hash;
mod identifier;
mod invitation;
mod message;
mod path;
mod plan;
mod revision;
mod roster;
mod template;

pub use card::Card;
pub(crate) use card::{IdentityKey, Kind, MAX_LABEL, decode_label};
pub use codec::DecodeError;
pub(crate) use codec::{Reader, Writer};
pub use hash::{CardId, EpochId, KeyId, RunId};
pub(crate) use hash::{Hex, tagged_hash};
pub use identifier::Identifier;
pub(crate) use identifier::MAX_MEMBERS;
pub use invitation::Invitation;
pub use message::Message;
pub(crate) use message::{Header, Subject, hash_messages};
pub use path::{Derivation, DerivationPath, PathError};
#[cfg(test)]
pub(crate) use plan::MAX_COMMITMENTS;
pub(crate) use plan::{
    Action, DealPlan, Party, Plan, PreparePlan, Prepared, ReconstructPlan, RepairPlan, SignPlan, Source, one_of,
};
pub use plan::{MAX_BATCH, MAX_MESSAGE, Reason, Replaced};
pub use revision::Revision;
pub use roster::{Fingerprint, Roster, RosterError};
pub use template::{BackupGate, Export, KeyTemplate, Operations, Quorum};
