//! Keys as they are kept: loading, describing, restricting.

use zeroize::Zeroizing;

use super::record::{ClashRecord, ForkRecord, KeyRecord, Standing};
use super::{Commit, Error, KeyInfo, Misuse, Result, SoftToken, Space, Storage, Unlocked};
use crate::audit::{Event, EventKind};
use crate::derivation::ExtendedPublicKey;
use crate::guard::forbids;
use crate::keystore::object::{Declaration, KeyState, Restriction};
use crate::keystore::vault::VaultError;
use crate::policy::Facts;
use crate::protocol::{Certificate, Denial, Epoch};
use crate::secret::Secret;
use crate::wire::{Derivation, EpochId, KeyId, Writer};

pub(super) const RECORD: &[u8] = b"key";
pub(super) const CHAIN_CODE: &[u8] = b"chain-code";
pub(super) const SHARE: &[u8] = b"share";
pub(super) const ATTEMPT: &[u8] = b"attempt";
const CERTIFICATE: &[u8] = b"certificate/";
const INDEX: &[u8] = b"key/";
const PROMISE: &[u8] = b"promise/";
/// How many records are read at once.
pub(super) const PAGE: usize = 64;

/// A key as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: KeyId,
    pub(super) record: KeyRecord,
    /// The newest certified epoch, or the first attempt while nothing is certified.
    pub(super) epoch: Epoch,
}

impl Key {
    pub(super) fn facts(&self) -> Facts {
        self.record.facts()
    }

    pub(super) const fn object(&self) -> Space {
        Space::Object(*self.id.as_bytes())
    }

    pub(super) const fn space_of(&self, epoch: EpochId) -> Space {
        Space::Epoch(*self.id.as_bytes(), *epoch.as_bytes())
    }

    pub(super) const fn is_certified(&self) -> bool {
        !matches!(self.record.standing, Standing::Pending)
    }

    pub(super) fn info(&self) -> KeyInfo {
        KeyInfo {
            id: self.id,
            suite: self.epoch.suite(),
            group_key: self.epoch.group_key.clone(),
            verifying_key: self.epoch.group_key.verifying_key(None),
            template: self.epoch.template().clone(),
            operations: self.record.operations,
            export: self.record.export,
            state: match self.record.standing {
                Standing::Pending => KeyState::Pending,
                Standing::Active => KeyState::Active,
                Standing::Restored => KeyState::Restored,
                Standing::Retired => KeyState::Retired,
                Standing::Destroyed => KeyState::Destroyed,
            },
            origin: self.record.origin,
            identifier: self.record.me,
            threshold: self.epoch.threshold(),
            roster: self.epoch.roster().clone(),
            epoch: self.epoch.id,
            revision: self.epoch.revision(),
            height: self.epoch.plan.height,
            pending: self.record.pending.clone(),
            abandoned: self.record.abandoned.clone(),
            forks: {
                let clashes = self.record.open_clashes().map(ClashRecord::report);
                self.record.open_forks().map(ForkRecord::report).chain(clashes).collect()
            },
            old_epochs: self.record.old.iter().map(super::old::OldEpoch::report).collect(),
        }
    }

    /// Writes the key's record.
    pub(super) fn save(&self, commit: &mut Commit) -> Result<()> {
        save(self.id, &self.record, commit)
    }

    pub(super) fn event(&self, kind: EventKind) -> Event {
        Event::new(kind).object(*self.id.as_bytes())
    }

    /// An event about an epoch of the key; the detail is the epoch's name.
    pub(super) fn epoch_event(&self, kind: EventKind, epoch: EpochId) -> Result<Event> {
        Ok(self.event(kind).detail(epoch.as_bytes().to_vec())?)
    }
}

/// Whether that record of a key decides which epoch is the key's newest: without a certificate it is the first attempt, which
/// stays the first until there is one.
pub(super) fn decides_newest(record: &[u8]) -> bool {
    record.starts_with(CERTIFICATE)
}

/// Where the certificate of a height is kept.
pub(super) fn certificate_key(height: u64) -> Vec<u8> {
    [CERTIFICATE, &height.to_be_bytes()].concat()
}

/// Keeps certificates of a key, each at its height.
pub(super) fn keep_chain(key: &Key, chain: &[Certificate], commit: &mut Commit) {
    for certificate in chain {
        commit.put(key.object(), &certificate_key(certificate.height()), certificate.to_bytes());
    }
}

/// The certificates that lead on from `epoch`; empty if that epoch is not in the chain, or is the newest. If its roster was
/// revised its own comes first, because what follows goes by the roster, and who is behind may have missed that as well.
pub(super) fn leading_on(mut chain: Vec<Certificate>, epoch: EpochId) -> Vec<Certificate> {
    let Some(place) = chain.iter().position(|certificate| certificate.epoch_id() == epoch) else {
        return Vec::new();
    };
    let mut following = chain.split_off(place + 1);
    if let Some(known) = chain.pop().filter(|known| !following.is_empty() && !known.signed_revisions().is_empty()) {
        following.insert(0, known);
    }
    following
}

/// Where a key is listed among the token's.
pub(super) fn index_key(id: KeyId) -> Vec<u8> {
    [INDEX, id.as_bytes()].concat()
}

/// Records what is kept of a key besides its certificates and shares.
pub(super) fn save(id: KeyId, record: &KeyRecord, commit: &mut Commit) -> Result<()> {
    let record = record.to_bytes().ok_or(Error::Denied(Denial::TooManyAttempts))?;
    commit.put(Space::Object(*id.as_bytes()), RECORD, record);
    Ok(())
}

impl<S: Storage> SoftToken<S> {
    /// A key that is kept here.
    pub(super) fn load(&self, unlocked: &Unlocked, id: KeyId) -> Result<Option<Key>> {
        let Some(record) = self.record_of(unlocked, id)? else { return Ok(None) };
        let epoch = match self.parsed.current(id) {
            Some(epoch) => epoch,
            None => self.parsed.read(id, &self.newest(unlocked, id, &record)?)?,
        };
        Ok(Some(Key { id, record, epoch }))
    }

    /// What decides what a key may be used for, without its certificates.
    pub(super) fn record_of(&self, unlocked: &Unlocked, id: KeyId) -> Result<Option<KeyRecord>> {
        let record = self.vault.get(unlocked, Space::Object(*id.as_bytes()), RECORD)?;
        Ok(record.map(|record| KeyRecord::decode(&record)).transpose()?)
    }

    /// A key's newest certificate, or its first attempt while there is none.
    pub(super) fn newest(&self, unlocked: &Unlocked, id: KeyId, record: &KeyRecord) -> Result<Zeroizing<Vec<u8>>> {
        let certificate = if record.standing == Standing::Pending {
            let attempt = record.pending.first().ok_or(VaultError::Corrupt)?;
            self.vault.get(unlocked, Space::Epoch(*id.as_bytes(), *attempt.as_bytes()), ATTEMPT)?
        } else {
            self.newest_certificate(unlocked, id)?
        };
        Ok(certificate.ok_or(VaultError::Corrupt)?)
    }

    /// Looked for from where it was the last time, because a chain may be long.
    fn newest_certificate(&self, unlocked: &Unlocked, id: KeyId) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let before = self.parsed.height(id).and_then(|height| height.checked_sub(1)).map(certificate_key);
        let mut later = self.certificates_of(unlocked, id, before)?;
        // Where a fork ended the chain may have become shorter.
        if later.is_empty() {
            later = self.certificates_of(unlocked, id, None)?;
        }
        Ok(later.pop())
    }

    /// The certificates of a key's epochs, oldest first.
    pub(super) fn chain(&self, unlocked: &Unlocked, id: KeyId) -> Result<Vec<Certificate>> {
        self.certificates_of(unlocked, id, None)?.iter().map(|bytes| Ok(Certificate::from_bytes(bytes)?)).collect()
    }

    fn certificates_of(
        &self,
        unlocked: &Unlocked,
        id: KeyId,
        mut after: Option<Vec<u8>>,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>> {
        let object = Space::Object(*id.as_bytes());
        let mut chain = Vec::new();
        loop {
            let page = self.vault.scan(unlocked, object, CERTIFICATE, after.as_deref(), PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(chain) };
            after = Some(last.clone());
            chain.extend(page.into_iter().map(|(_, bytes)| bytes));
        }
    }

    /// The certificates that lead on from `epoch`, as they are kept here.
    pub(super) fn chain_after(&self, unlocked: &Unlocked, id: KeyId, epoch: EpochId) -> Result<Vec<Certificate>> {
        Ok(leading_on(self.chain(unlocked, id)?, epoch))
    }

    /// The first epoch of a key. It names the key's history, where the key's own name is only a hash of public points that
    /// anybody can put another history around.
    pub(super) fn founding(&self, unlocked: &Unlocked, key: &Key) -> Result<EpochId> {
        Ok(self.chain(unlocked, key.id)?.first().map_or(key.epoch.id, Certificate::epoch_id))
    }

    /// An attempt that this token has signed.
    pub(super) fn attempt(&self, unlocked: &Unlocked, id: KeyId, epoch: EpochId) -> Result<Certificate> {
        let space = Space::Epoch(*id.as_bytes(), *epoch.as_bytes());
        let bytes = self.vault.get(unlocked, space, ATTEMPT)?.ok_or(VaultError::Corrupt)?;
        Ok(Certificate::from_bytes(&bytes)?)
    }

    /// This token's share of an epoch.
    pub(super) fn share(&self, unlocked: &Unlocked, key: &Key, epoch: EpochId) -> Result<Option<Secret<[u8; 32]>>> {
        self.secret(unlocked, key.space_of(epoch), SHARE)
    }

    pub(super) fn chain_code(&self, unlocked: &Unlocked, key: &Key) -> Result<Option<Secret<[u8; 32]>>> {
        self.secret(unlocked, key.object(), CHAIN_CODE)
    }

    /// The key with its chain code.
    pub(super) fn root_key(&self, unlocked: &Unlocked, key: &Key) -> Result<ExtendedPublicKey> {
        let chain_code = self.chain_code(unlocked, key)?.ok_or(VaultError::Corrupt)?;
        Ok(ExtendedPublicKey::root(key.epoch.group_key.clone(), chain_code.expose())?)
    }

    /// What a path adds to the key's secret; nothing for the key itself.
    pub(super) fn offset(&self, unlocked: &Unlocked, key: &Key, derivation: &Derivation) -> Result<Option<[u8; 32]>> {
        if derivation.path.is_root() {
            return Ok(None);
        }
        Ok(self.root_key(unlocked, key)?.offset(&derivation.path)?)
    }

    fn secret(&self, unlocked: &Unlocked, space: Space, key: &[u8]) -> Result<Option<Secret<[u8; 32]>>> {
        let Some(bytes) = self.vault.get(unlocked, space, key)? else { return Ok(None) };
        let bytes = bytes.as_slice().try_into().map_err(|_| VaultError::Corrupt)?;
        Ok(Some(Secret::new(bytes)))
    }

    /// The keys that are here.
    pub(super) fn key_ids(&self, unlocked: &Unlocked) -> Result<Vec<KeyId>> {
        self.listed(unlocked, INDEX)
    }

    /// The keys that the token has a record of below that prefix.
    pub(super) fn listed(&self, unlocked: &Unlocked, prefix: &[u8]) -> Result<Vec<KeyId>> {
        let (mut ids, mut after) = (Vec::new(), None::<Vec<u8>>);
        loop {
            let page = self.vault.scan(unlocked, Space::Token, prefix, after.as_deref(), PAGE)?;
            for (key, _) in &page {
                let id = key.strip_prefix(prefix).and_then(|id| id.try_into().ok()).ok_or(VaultError::Corrupt)?;
                ids.push(KeyId::from_bytes(id));
            }
            match page.into_iter().last() {
                Some((last, _)) => after = Some(last),
                None => return Ok(ids),
            }
        }
    }
}

/// What somebody finds of the secrets of these keys and epochs in bytes of a file, who knows both PINs.
#[cfg(feature = "hazmat")]
pub(crate) fn scavenge(
    bytes: &[u8],
    pins: &[(crate::policy::UserType, &crate::keystore::Pin)],
    keys: &[(KeyId, Vec<EpochId>)],
) -> crate::keystore::vault::Scavenged {
    let mut places = Vec::new();
    for (key, epochs) in keys {
        places.push((Space::Object(*key.as_bytes()), CHAIN_CODE, 32));
        places.extend(epochs.iter().map(|epoch| (Space::Epoch(*key.as_bytes(), *epoch.as_bytes()), SHARE, 32)));
    }
    crate::keystore::vault::scavenge(bytes, pins, &places)
}

/// Tightens a key.
pub(super) fn restrict(key: &mut Key, change: Restriction, commit: &mut Commit) -> Result<()> {
    if let Some(operations) = change.operations {
        if forbids!(OperationsOnlyTighten, !key.record.operations.contains(operations)) {
            return Err(Misuse::Widens.into());
        }
        key.record.operations = operations;
    }
    if let Some(export) = change.export {
        if forbids!(ExportOnlyTightens, export > key.record.export) {
            return Err(Misuse::Widens.into());
        }
        key.record.export = export;
    }
    key.save(commit)?;
    let detail = Writer::new().u8(key.record.operations.bits()).u8(key.record.export.code()).finish();
    commit.event(key.event(EventKind::Restricted).detail(detail)?);
    Ok(())
}

/// Where the highest position that was entered is kept of a key that is not here.
pub(super) fn promise_key(founding: EpochId) -> Vec<u8> {
    [PROMISE, founding.as_bytes()].concat()
}

/// A height and an attempt.
pub(super) fn encode_position((height, attempt): (u64, u32)) -> Vec<u8> {
    Writer::new().u64(height).u32(attempt).finish()
}

/// Records what people know.
pub(super) fn declare(key: &mut Key, declaration: &Declaration, commit: &mut Commit) -> Result<()> {
    let (epoch, identifier, code) = match *declaration {
        Declaration::BackupsDestroyed { epoch, identifier } => (epoch, identifier, 1),
        Declaration::DeviceDestroyed { epoch, identifier } => (epoch, identifier, 2),
        Declaration::Stolen { epoch, identifier } => (epoch, identifier, 3),
    };
    let mut old = key.record.old.iter_mut();
    let old = old.find(|old| old.epoch == epoch && old.has(identifier)).ok_or(Misuse::NoSuchShare)?;
    match declaration {
        Declaration::BackupsDestroyed { .. } => old.backups_destroyed(identifier),
        Declaration::DeviceDestroyed { .. } => old.device_destroyed(identifier),
        Declaration::Stolen { .. } => old.stolen(identifier),
    }
    key.save(commit)?;
    let detail = Writer::new().u8(code).raw(epoch.as_bytes()).identifier(identifier).finish();
    commit.event(key.event(EventKind::HolderDeclared).detail(detail)?);
    Ok(())
}
