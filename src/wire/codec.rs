//! The strict codec: fixed-size integers in big-endian, byte strings behind a 32-bit length, nothing left over.

use core::fmt;

use super::identifier::Identifier;
use crate::guard::{forbids, holds};

/// Why bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before the value does.
    Truncated,
    /// Bytes are left over after the value.
    Trailing,
    /// A length or count is above what this library accepts.
    TooLong,
    /// A value that has no meaning here, or a second encoding of one that has.
    Invalid(&'static str),
    /// A format version that this library does not know.
    Version(u8),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the bytes end too early"),
            Self::Trailing => f.write_str("bytes are left over"),
            Self::TooLong => f.write_str("a length is above the limit"),
            Self::Invalid(what) => write!(f, "invalid {what}"),
            Self::Version(version) => write!(f, "unknown version {version}"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Appends values in their one encoding.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// With room for so many bytes, where many are known to come.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn identifier(&mut self, value: Identifier) -> &mut Self {
        self.u16(value.get())
    }

    /// Bytes whose length both sides know.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Bytes behind their length.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }

    /// A length or a number of items, as 32 bits.
    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.u32(u32::try_from(count).expect("what is encoded here was bounded when it was made"))
    }

    pub(crate) fn finish(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.0)
    }
}

/// Takes values off the front of a byte string.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn raw(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn identifier(&mut self) -> Result<Identifier, DecodeError> {
        Identifier::new(self.u16()?).ok_or(DecodeError::Invalid("identifier"))
    }

    /// A length or a number of items, refused above `max` before anything is allocated for it.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.u32()?).map_err(|_| DecodeError::TooLong)?;
        if forbids!(LengthBounded, count > max) { Err(DecodeError::TooLong) } else { Ok(count) }
    }

    /// Bytes behind their length.
    pub(crate) fn bytes(&mut self, max: usize) -> Result<&'a [u8], DecodeError> {
        let len = self.count(max)?;
        self.raw(len)
    }

    /// Whatever is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    /// Refuses what is left over.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if holds!(NothingLeftOver, self.0.is_empty()) { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_four_gigabytes_is_refused_before_it_is_read() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0]);
        assert_eq!(reader.bytes(1024), Err(DecodeError::TooLong));
    }

    #[test]
    fn every_truncation_is_refused_and_so_is_one_byte_more() {
        let whole = Writer::new().u8(1).u64(2).bytes(b"abc").finish();
        let decode = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let value = (reader.u8()?, reader.u64()?, reader.bytes(16)?.to_vec());
            reader.finish()?;
            Ok(value)
        };
        assert_eq!(decode(&whole), Ok((1, 2, b"abc".to_vec())));
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), Err(DecodeError::Truncated));
        }
        let more = [whole.as_slice(), &[0]].concat();
        assert_eq!(decode(&more), Err(DecodeError::Trailing));
    }
}
