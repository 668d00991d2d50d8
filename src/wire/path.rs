//! Which key under a group's key: a derivation path, and the scripts of a taproot output.

use core::fmt;
use core::str::FromStr;

use super::codec::{DecodeError, Reader, Writer};

/// Why there is no such path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// It is not `m`, or `m/` and numbers with `/` between them, each without a sign and leading zeros.
    Malformed,
    /// A step is hardened: marked so, or 2^31 or above. A hardened child takes the parent's secret, which nobody has.
    Hardened,
    /// It has more than [`DerivationPath::MAX_DEPTH`] steps.
    TooDeep,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "a derivation path is m, or m/ and numbers with / between them",
            Self::Hardened => "no hardened child can be derived of a key whose secret nobody has",
            Self::TooDeep => "the derivation path is too long",
        })
    }
}

impl core::error::Error for PathError {}

/// A BIP-32 path of unhardened steps, from the group's key.
///
/// ```
/// use quorumkey::{DerivationPath, PathError};
///
/// let path: DerivationPath = "m/0/7".parse()?;
/// assert_eq!((path.steps(), path.to_string()), ([0, 7].as_slice(), "m/0/7".to_owned()));
/// assert_eq!(path, DerivationPath::new(&[0])?.child(7)?);
/// assert_eq!("m/86'/0'/0'".parse::<DerivationPath>(), Err(PathError::Hardened));
/// # Ok::<(), PathError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DerivationPath(Vec<u32>);

impl DerivationPath {
    /// The most steps of a path.
    pub const MAX_DEPTH: usize = 16;
    /// The first index of a hardened child.
    const HARDENED: u32 = 1 << 31;

    /// The path of these steps; without any it is the group's key itself.
    ///
    /// # Errors
    ///
    /// [`PathError::Hardened`] for a step of 2^31 or above, [`PathError::TooDeep`] for more than
    /// [`MAX_DEPTH`](Self::MAX_DEPTH).
    pub fn new(steps: &[u32]) -> Result<Self, PathError> {
        if steps.len() > Self::MAX_DEPTH {
            return Err(PathError::TooDeep);
        }
        if steps.iter().any(|step| *step >= Self::HARDENED) {
            return Err(PathError::Hardened);
        }
        Ok(Self(steps.to_vec()))
    }

    /// The path with one step more.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn child(&self, index: u32) -> Result<Self, PathError> {
        Self::new(&[self.0.as_slice(), &[index]].concat())
    }

    /// The steps, from the group's key.
    pub fn steps(&self) -> &[u32] {
        &self.0
    }

    /// Whether it is the group's key itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.count(self.0.len());
        for step in &self.0 {
            writer.u32(*step);
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let steps: Vec<_> =
            (0..reader.count(Self::MAX_DEPTH)?).map(|_| reader.u32()).collect::<Result<_, DecodeError>>()?;
        Self::new(&steps).map_err(|_| DecodeError::Invalid("derivation path"))
    }
}

impl fmt::Display for DerivationPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m")?;
        self.0.iter().try_for_each(|step| write!(f, "/{step}"))
    }
}

impl FromStr for DerivationPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut parts = text.split('/');
        if parts.next() != Some("m") {
            return Err(PathError::Malformed);
        }
        // One more than there may be, so that what is too long shows, however long it is.
        let steps: Vec<_> = parts.take(Self::MAX_DEPTH + 1).map(parse_step).collect::<Result<_, _>>()?;
        Self::new(&steps)
    }
}

fn parse_step(text: &str) -> Result<u32, PathError> {
    let digits = text.strip_suffix(['\'', 'h', 'H']).unwrap_or(text);
    let canonical = digits == "0" || !digits.starts_with('0');
    if digits.is_empty() || !canonical || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PathError::Malformed);
    }
    if digits.len() < text.len() {
        return Err(PathError::Hardened);
    }
    digits.parse().map_err(|_| PathError::Malformed)
}

/// Which key signs: the group's key itself, or a child of it; for taproot with or without scripts.
///
/// The default is the group's key itself; for taproot with the tweak that no script can spend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derivation {
    /// The path to the child. Ed25519 keys have none.
    pub path: DerivationPath,
    /// Taproot: the merkle root of the output's script tree (BIP-341). Other suites have none.
    pub root: Option<[u8; 32]>,
}

impl Derivation {
    /// The child at the end of a path, without scripts.
    pub const fn path(path: DerivationPath) -> Self {
        Self { path, root: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DerivationPath, PathError> {
        text.parse()
    }

    #[test]
    fn a_path_has_one_spelling() {
        for text in ["m", "m/0", "m/0/7", "m/2147483647", "m/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0"] {
            assert_eq!(parse(text).map(|path| path.to_string()), Ok(text.to_owned()));
        }
        for text in
            ["", "0", "M/0", "/0", "m/", "m//0", "m/0/", "m/+1", "m/-1", "m/01", "m/00", "m/ 1", "m/1 ", "m/x", "m/'"]
        {
            assert_eq!(parse(text), Err(PathError::Malformed), "{text:?}");
        }
        assert_eq!(parse("m/4294967296"), Err(PathError::Malformed));
        assert_eq!(parse(&format!("m/{}", "9".repeat(100_000))), Err(PathError::Malformed));
    }

    #[test]
    fn a_hardened_step_is_told_apart_from_a_misspelt_one() {
        for text in ["m/0'", "m/0h", "m/0H", "m/1/2'/3", "m/2147483648", "m/4294967295"] {
            assert_eq!(parse(text), Err(PathError::Hardened), "{text:?}");
        }
        assert_eq!(DerivationPath::default().child(1 << 31), Err(PathError::Hardened));
    }

    #[test]
    fn a_path_is_bounded() {
        let longest = format!("m{}", "/1".repeat(DerivationPath::MAX_DEPTH));
        let path = parse(&longest).unwrap();
        assert_eq!(path.child(0), Err(PathError::TooDeep));
        assert_eq!(parse(&format!("{longest}/1")), Err(PathError::TooDeep));
        assert_eq!(parse(&format!("m{}", "/1".repeat(1_000_000))), Err(PathError::TooDeep));
        let mut encoded = Writer::new();
        encoded.count(DerivationPath::MAX_DEPTH + 1).raw(&[0; 4 * (DerivationPath::MAX_DEPTH + 1)]);
        assert_eq!(DerivationPath::decode(&mut Reader::new(&encoded.finish())), Err(DecodeError::TooLong));
        let hardened = Writer::new().count(1).u32(1 << 31).finish();
        assert!(DerivationPath::decode(&mut Reader::new(&hardened)).is_err());
    }
}
