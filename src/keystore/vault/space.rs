//! The keys of a vault's records in its storage.

use crate::wire::{DecodeError, Reader, Writer};

/// The header; not sealed.
pub(super) const HEADER: &[u8] = b"h";
/// Counter and head of the audit chain; not sealed.
pub(super) const STATE: &[u8] = b"s";
/// The wrong tries of each role; not sealed.
pub(super) const TRIES: &[u8] = b"t";
/// The state as of the last transaction of somebody who was logged in; sealed under the root key.
pub(super) const SEAL: &[u8] = b"v";
/// Audit records, by number; not sealed.
pub(super) const AUDIT: &[u8] = b"a";
/// Data keys, by space; sealed under the root key.
pub(super) const DATA_KEY: &[u8] = b"k";
/// Records, by space and key; sealed under the space's data key.
pub(super) const RECORD: &[u8] = b"r";

/// What shares a data key, and is erased together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Space {
    /// The token itself.
    Token,
    /// A key, across its epochs.
    Object([u8; 32]),
    /// One epoch of a key.
    Epoch([u8; 32], [u8; 32]),
}

impl Space {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        match self {
            Self::Token => out.u8(0),
            Self::Object(key) => out.u8(1).raw(key),
            Self::Epoch(key, epoch) => out.u8(2).raw(key).raw(epoch),
        };
        out.finish()
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            0 => Ok(Self::Token),
            1 => Ok(Self::Object(reader.array()?)),
            2 => Ok(Self::Epoch(reader.array()?, reader.array()?)),
            _ => Err(DecodeError::Invalid("space")),
        }
    }

    /// The key that it is of.
    pub(crate) const fn object(&self) -> Option<[u8; 32]> {
        match self {
            Self::Token => None,
            Self::Object(key) | Self::Epoch(key, _) => Some(*key),
        }
    }

    /// Whether it goes when this space is erased: itself, and with a key all of the key's epochs.
    pub(super) fn takes_along(&self, other: &Self) -> bool {
        self == other || matches!((self, other), (Self::Object(key), Self::Epoch(of, _)) if key == of)
    }

    /// Where its data key is.
    pub(super) fn data_key(&self) -> Vec<u8> {
        [DATA_KEY, &self.encode()].concat()
    }

    /// Where its record of that key is.
    pub(super) fn record(&self, key: &[u8]) -> Vec<u8> {
        [RECORD, &self.encode(), key].concat()
    }

    /// The space and the key of a record in the storage.
    pub(super) fn of_record(place: &[u8]) -> Result<(Self, Vec<u8>), DecodeError> {
        let mut reader = Reader::new(place.strip_prefix(RECORD).ok_or(DecodeError::Truncated)?);
        let space = Self::decode(&mut reader)?;
        Ok((space, reader.rest().to_vec()))
    }
}

/// Where the audit record of that number is.
pub(super) fn audit(sequence: u64) -> Vec<u8> {
    [AUDIT, &sequence.to_be_bytes()].concat()
}
