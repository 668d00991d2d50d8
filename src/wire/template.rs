//! What a key may be used for: the template that its members agreed on.

use super::card::{MAX_LABEL, decode_label};
use super::codec::{DecodeError, Reader, Writer};

/// How a share may leave its token. From the tightest to the loosest; a change can only tighten it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Export {
    /// Not at all.
    Never,
    /// Encrypted to one of the template's trusted recipients (`CKA_WRAP_WITH_TRUSTED`).
    WrappedToTrusted,
    /// Encrypted to any recipient or passphrase.
    Wrapped,
}

impl Export {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Never => 0,
            Self::WrappedToTrusted => 1,
            Self::Wrapped => 2,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Never),
            1 => Some(Self::WrappedToTrusted),
            2 => Some(Self::Wrapped),
            _ => None,
        }
    }
}

/// A set of operations that a key allows.
///
/// ```
/// use quorumkey::Operations;
/// let both = Operations::SIGN.union(Operations::REFRESH);
/// assert!(both.contains(Operations::SIGN));
/// assert!(!Operations::SIGN.contains(both));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations(u8);

impl Operations {
    /// No operation at all.
    pub const NONE: Self = Self(0);
    /// Threshold signing.
    pub const SIGN: Self = Self(1);
    /// Renewing the shares: a refresh, or a reshare.
    pub const REFRESH: Self = Self(2);
    /// Giving a member its share again.
    pub const REPAIR: Self = Self(8);
    /// Giving a new member a share of the same epoch.
    pub const ENROL: Self = Self(16);
    /// Every operation but [`RECONSTRUCT`](Self::RECONSTRUCT), which is named or not there.
    pub const ALL: Self = Self(27);
    /// Putting the key together again, in one member's hands.
    ///
    /// # Security
    ///
    /// A key that allows it has a door out, for which t members' users and officers must be talked into consenting. One that
    /// does not will never have it: this can be taken from a key, and never given to it.
    pub const RECONSTRUCT: Self = Self(4);

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> Option<Self> {
        if bits <= Self::ALL.0 | Self::RECONSTRUCT.0 { Some(Self(bits)) } else { None }
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of the other set is in this one.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Whether a key is certified only after each member has proven its backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupGate {
    /// The key is certified without it.
    NotRequired,
    /// Each member reads its own backup back before it certifies. **Not supported yet**: making such a key is refused.
    Required,
}

/// How many old members must take part in a renewal of *t*-of-*n* shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// max(t, n − t + 1): any two renewals share a member. If that one lies, the key can fork where n < 3t − 2; then signing
    /// stops and the liar is named.
    Available,
    /// The same, and at least ⌈(n + t) / 2⌉: any two renewals share t members, so that t − 1 liars can't fork the key. Fewer
    /// members may be absent: of a 2-of-3 key none. Nobody can be repaired there, or replaced by a new card of another
    /// identity: a lost member comes back by its officer's
    /// [override](crate::OfficerSession::override_fork_rules) and from its backups alone. Make those first. Where
    /// n ≥ 3t − 2 it asks for no more than the other.
    PreventsForks,
}

impl Quorum {
    /// The number for that threshold and so many members.
    pub(crate) fn of(self, threshold: u16, members: usize) -> usize {
        let threshold = usize::from(threshold);
        // With fewer, t of the others could go on with their old shares, and never hear of the renewal.
        let available = threshold.max((members + 1).saturating_sub(threshold));
        match self {
            Self::Available => available,
            Self::PreventsForks => available.max((members + threshold).div_ceil(2)),
        }
    }
}

/// What the members of a key agree on when it is made. It is bound into the certificate, so that they can't differ.
///
/// ```
/// use quorumkey::wrap::Identity;
/// use quorumkey::{Export, KeyTemplate, Operations};
///
/// let Identity::X25519(offline) = Identity::generate() else { unreachable!() };
/// let template = KeyTemplate {
///     purpose: "payroll".to_owned(),
///     export: Export::WrappedToTrusted,
///     trusted: vec![offline.public_key().to_string()],
///     ..KeyTemplate::wallet("treasury")
/// };
/// assert_eq!(template.operations, Operations::ALL);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    /// A name for people, up to 64 bytes of UTF-8 without control characters.
    pub label: String,
    /// What the key is for, in words of the application: up to 64 bytes. A signing invitation names a purpose, and another one is denied.
    pub purpose: String,
    /// How a share may leave its token.
    pub export: Export,
    /// The `age1…` recipients that [`Export::WrappedToTrusted`] allows, at most 16.
    pub trusted: Vec<String>,
    /// What may be done with the key.
    pub operations: Operations,
    /// Whether each member must prove a backup first.
    pub require_backup: BackupGate,
    /// How many old members it takes to renew the shares.
    pub quorum: Quorum,
}

impl KeyTemplate {
    const MAX_TRUSTED: usize = 16;
    const MAX_RECIPIENT: usize = 128;

    /// A key of that name that signs, can be refreshed, repaired and enrolled in, and may be exported encrypted.
    pub fn wallet(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            purpose: "wallet".to_owned(),
            export: Export::Wrapped,
            trusted: Vec::new(),
            operations: Operations::ALL,
            require_backup: BackupGate::NotRequired,
            quorum: Quorum::Available,
        }
    }

    pub(crate) fn is_within_limits(&self) -> bool {
        let label = |text: &str, max| text.len() <= max && !text.chars().any(char::is_control);
        label(&self.label, MAX_LABEL)
            && label(&self.purpose, MAX_LABEL)
            && self.trusted.len() <= Self::MAX_TRUSTED
            && self.trusted.iter().all(|recipient| label(recipient, Self::MAX_RECIPIENT))
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.label.as_bytes()).bytes(self.purpose.as_bytes()).u8(self.export.code());
        writer.count(self.trusted.len());
        for recipient in &self.trusted {
            writer.bytes(recipient.as_bytes());
        }
        writer.u8(self.operations.0).u8(match self.require_backup {
            BackupGate::NotRequired => 0,
            BackupGate::Required => 1,
        });
        writer.u8(match self.quorum {
            Quorum::Available => 0,
            Quorum::PreventsForks => 1,
        });
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let label = decode_label(reader)?;
        let purpose = decode_label(reader)?;
        let export = Export::from_code(reader.u8()?).ok_or(DecodeError::Invalid("export rule"))?;
        let trusted = (0..reader.count(Self::MAX_TRUSTED)?)
            .map(|_| {
                core::str::from_utf8(reader.bytes(Self::MAX_RECIPIENT)?)
                    .map(str::to_owned)
                    .map_err(|_| DecodeError::Invalid("trusted recipient"))
            })
            .collect::<Result<_, _>>()?;
        let operations = Operations::from_bits(reader.u8()?).ok_or(DecodeError::Invalid("operations"))?;
        let require_backup = match reader.u8()? {
            0 => BackupGate::NotRequired,
            1 => BackupGate::Required,
            _ => return Err(DecodeError::Invalid("backup gate")),
        };
        let quorum = match reader.u8()? {
            0 => Quorum::Available,
            1 => Quorum::PreventsForks,
            _ => return Err(DecodeError::Invalid("quorum")),
        };
        let template = Self { label, purpose, export, trusted, operations, require_backup, quorum };
        if template.is_within_limits() { Ok(template) } else { Err(DecodeError::Invalid("template")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_of_every_rule_reads_back() {
        let exports = [Export::Never, Export::WrappedToTrusted, Export::Wrapped];
        for (code, export) in (0..).zip(exports) {
            assert_eq!((export.code(), Export::from_code(code)), (code, Some(export)));
            for require_backup in [BackupGate::NotRequired, BackupGate::Required] {
                for quorum in [Quorum::Available, Quorum::PreventsForks] {
                    let template = KeyTemplate { export, require_backup, quorum, ..KeyTemplate::wallet("a wallet") };
                    let mut writer = Writer::new();
                    template.encode(&mut writer);
                    assert_eq!(KeyTemplate::decode(&mut Reader::new(&writer.finish())), Ok(template));
                }
            }
        }
        assert_eq!(Export::from_code(3), None);
    }

    #[test]
    fn sets_of_operations_are_sets() {
        let some = Operations::SIGN.union(Operations::REFRESH);
        let others = Operations::REFRESH.union(Operations::REPAIR);
        assert_eq!(some.union(others).bits(), 1 + 2 + 8);
        assert_eq!(some.intersection(others), Operations::REFRESH);
        assert!(some.contains(Operations::SIGN) && !some.contains(others));
        let all = Operations::ALL.union(Operations::RECONSTRUCT);
        assert_eq!((Operations::from_bits(31), Operations::from_bits(32)), (Some(all), None));
    }

    #[test]
    fn every_text_of_a_template_has_its_limit() {
        let kept = KeyTemplate {
            label: "l".repeat(64),
            purpose: "p".repeat(64),
            trusted: vec!["t".repeat(128); 16],
            ..KeyTemplate::wallet("")
        };
        assert!(kept.is_within_limits());
        let changes: [fn(&mut KeyTemplate); 7] = [
            |template| template.label.push('l'),
            |template| template.purpose.push('p'),
            |template| template.trusted.push("t".to_owned()),
            |template| template.trusted[15].push('t'),
            |template| template.label = "\n".to_owned(),
            |template| template.purpose = "\n".to_owned(),
            |template| template.trusted[0] = "\n".to_owned(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut template = kept.clone();
            change(&mut template);
            assert!(!template.is_within_limits(), "{number}");
        }
    }

    #[test]
    fn two_quorums_share_a_member_and_two_that_prevent_forks_share_t() {
        for n in 2_u16..=9 {
            for t in 2..=n {
                let (members, threshold) = (usize::from(n), usize::from(t));
                let (available, safe) = (Quorum::Available.of(t, members), Quorum::PreventsForks.of(t, members));
                assert!(threshold <= available && available <= safe && safe <= members);
                assert!(2 * available > members && 2 * safe >= members + threshold);
                assert!(safe == available || 2 * (safe - 1) < members + threshold, "no more than it takes");
            }
        }
    }
}
