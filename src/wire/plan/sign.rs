//! The plans of a signature, and of nonces that are made beforehand.

use super::{decode_identifiers, decode_suite};
use crate::suite::Suite;
use crate::wire::card::decode_label;
use crate::wire::codec::{DecodeError, Reader, Writer};
use crate::wire::hash::{EpochId, KeyId, RunId};
use crate::wire::identifier::Identifier;
use crate::wire::path::{Derivation, DerivationPath};

/// The longest message that can be signed, in bytes.
pub const MAX_MESSAGE: usize = 1 << 20;

/// For how many signatures nonces are made in one run at most.
pub const MAX_BATCH: u16 = 256;

/// Who signs, with which epoch of which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) suite: Suite,
    pub(crate) key: KeyId,
    pub(crate) epoch: EpochId,
    /// The hash of the epoch's newest roster.
    pub(crate) roster: [u8; 32],
    pub(crate) purpose: String,
    pub(crate) signers: Vec<Identifier>,
}

impl Party {
    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u8(self.suite.code()).raw(self.key.as_bytes()).raw(self.epoch.as_bytes()).raw(&self.roster);
        writer.bytes(self.purpose.as_bytes()).count(self.signers.len());
        for signer in &self.signers {
            writer.identifier(*signer);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let party = Self {
            suite: decode_suite(reader)?,
            key: KeyId::from_bytes(reader.array()?),
            epoch: EpochId::from_bytes(reader.array()?),
            roster: reader.array()?,
            purpose: decode_label(reader)?,
            signers: decode_identifiers(reader)?,
        };
        if party.signers.len() < 2 || !party.signers.is_sorted_by(|a, b| a < b) {
            return Err(DecodeError::Invalid("signers"));
        }
        Ok(party)
    }
}

/// Nonces that were made beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// The run that made them.
    pub(crate) batch: RunId,
    /// Their number in it, from 0.
    pub(crate) index: u16,
}

/// A signature: who signs what, under which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignPlan {
    pub(crate) party: Party,
    pub(crate) derivation: Derivation,
    /// What the path adds to the key's secret, so that who has no chain code can follow too; `None` for the key itself.
    /// A signer computes it for itself.
    pub(crate) offset: Option<[u8; 32]>,
    /// With which nonces; fresh ones if `None`.
    pub(crate) prepared: Option<Prepared>,
    pub(crate) message: Vec<u8>,
}

impl SignPlan {
    pub(super) fn encode(&self, writer: &mut Writer) {
        self.party.encode(writer);
        self.encode_derivation(writer);
        match &self.prepared {
            None => writer.u8(0),
            Some(Prepared { batch, index }) => writer.u8(1).raw(batch.as_bytes()).u16(*index),
        };
        writer.bytes(&self.message);
    }

    /// Which key signs, as it also stands in the record of a nonce's use.
    pub(crate) fn encode_derivation(&self, writer: &mut Writer) {
        self.derivation.path.encode(writer);
        if let Some(offset) = &self.offset {
            writer.raw(offset);
        }
        match &self.derivation.root {
            None => writer.u8(0),
            Some(root) => writer.u8(1).raw(root),
        };
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let party = Party::decode(reader)?;
        let (derivation, offset) = decode_derivation(reader)?;
        let prepared = match reader.u8()? {
            0 => None,
            1 => Some(Prepared { batch: RunId::from_bytes(reader.array()?), index: reader.u16()? }),
            _ => return Err(DecodeError::Invalid("prepared nonces")),
        };
        Ok(Self { party, derivation, offset, prepared, message: reader.bytes(MAX_MESSAGE)?.to_vec() })
    }
}

/// Nonces to be made beforehand: whose, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PreparePlan {
    pub(crate) party: Party,
    /// For so many signatures.
    pub(crate) count: u16,
}

impl PreparePlan {
    pub(super) fn encode(&self, writer: &mut Writer) {
        self.party.encode(writer);
        writer.u16(self.count);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let plan = Self { party: Party::decode(reader)?, count: reader.u16()? };
        if plan.is_within_limits() { Ok(plan) } else { Err(DecodeError::Invalid("number of nonces")) }
    }

    pub(crate) fn is_within_limits(&self) -> bool {
        (1..=MAX_BATCH).contains(&self.count)
    }
}

fn decode_derivation(reader: &mut Reader<'_>) -> Result<(Derivation, Option<[u8; 32]>), DecodeError> {
    let path = DerivationPath::decode(reader)?;
    let offset = if path.is_root() { None } else { Some(reader.array()?) };
    let root = match reader.u8()? {
        0 => None,
        1 => Some(reader.array()?),
        _ => return Err(DecodeError::Invalid("script root")),
    };
    Ok((Derivation { path, root }, offset))
}
