//! Backups: what leaves a token encrypted, and comes back.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::keys::{CHAIN_CODE, Key, SHARE, index_key, keep_chain};
use super::record::{IdentityRecord, KeyRecord, Standing};
use super::{Commit, Error, IDENTITY, KeyInfo, Login, Misuse, Result, Scene, SoftToken, Space, Storage};
use crate::audit::EventKind;
use crate::guard::{forbids, holds};
use crate::keystore::object::Origin;
use crate::keystore::vault::VaultError;
use crate::policy::Destination;
use crate::protocol::{Certificate, Epoch, chain_hash, verify_chain};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar, verdict, with_suite};
use crate::wire::{DecodeError, Identifier, KeyId, Reader, Writer};
use crate::wrap::{self, Identity, Recipient, WrapError, WrappedIdentity, WrappedShare};

const IDENTITY_MAGIC: &[u8; 24] = b"quorumkey/identity/v1\0\0\0";
const SHARE_MAGIC: &[u8; 24] = b"quorumkey/share/v1\0\0\0\0\0\0";
const MAX_CERTIFICATES: usize = 65_536;

/// A share with all that proves it and says what it is of.
struct Content {
    me: Identifier,
    share: Secret<[u8; 32]>,
    chain_code: Secret<[u8; 32]>,
    chain: Vec<Certificate>,
}

impl Content {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut public = Writer::new();
        public.count(self.chain.len());
        for certificate in &self.chain {
            public.bytes(&certificate.to_bytes());
        }
        let public = public.finish();
        let mut bytes = Zeroizing::new(Vec::with_capacity(SHARE_MAGIC.len() + 2 + 64 + public.len()));
        bytes.extend_from_slice(SHARE_MAGIC);
        bytes.extend_from_slice(&self.me.get().to_be_bytes());
        bytes.extend_from_slice(self.share.expose());
        bytes.extend_from_slice(self.chain_code.expose());
        bytes.extend_from_slice(&public);
        bytes
    }

    fn decode(bytes: &[u8]) -> core::result::Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != *SHARE_MAGIC {
            return Err(DecodeError::Invalid("kind of backup"));
        }
        let content = Self {
            me: reader.identifier()?,
            share: Secret::new(reader.array()?),
            chain_code: Secret::new(reader.array()?),
            chain: (0..reader.count(MAX_CERTIFICATES)?)
                .map(|_| Certificate::from_bytes(reader.bytes(wrap::MAX_FILE_LENGTH)?))
                .collect::<core::result::Result<_, _>>()?,
        };
        reader.finish()?;
        Ok(content)
    }
}

/// Which rule an export to this recipient falls under.
pub(super) fn destination(key: Option<&Key>, to: &Recipient) -> Destination {
    let trusted = |text: &str| key.is_some_and(|key| key.epoch.template().trusted.iter().any(|one| one == text));
    match to {
        Recipient::X25519(recipient) if trusted(&recipient.to_string()) => Destination::Trusted,
        _ => Destination::Other,
    }
}

impl<S: Storage> SoftToken<S> {
    /// A backup of a key's share, with the chain of certificates and the chain code.
    pub(super) fn export(
        &self,
        scene: &mut Scene<'_>,
        id: KeyId,
        to: &Recipient,
        commit: &mut Commit,
    ) -> Result<WrappedShare> {
        let mut key = scene.take_key(id)?;
        let unlocked = &scene.login.unlocked;
        if forbids!(BackupOfACertifiedShare, !key.is_certified()) {
            return Err(Misuse::Unsupported("backups of a share that no certificate covers").into());
        }
        let content = Content {
            me: key.record.me,
            share: self.share(unlocked, &key, key.epoch.id)?.ok_or(Misuse::NoShare)?,
            chain_code: self.chain_code(unlocked, &key)?.ok_or(VaultError::Corrupt)?,
            chain: self.chain(unlocked, id)?,
        };
        let file = wrap::seal(&content.encode(), to)?;
        if !key.record.backed_up.contains(&key.epoch.id) {
            key.record.backed_up.push(key.epoch.id);
        }
        key.save(commit)?;
        commit.event(key.epoch_event(EventKind::BackupExported, key.epoch.id)?);
        Ok(WrappedShare::from_bytes(file)?)
    }

    /// Takes a share from its backup, if it is this member's, and the one that its certificates speak of.
    pub(super) fn import(
        &self,
        scene: &Scene<'_>,
        file: &WrappedShare,
        with: &Identity,
        commit: &mut Commit,
    ) -> Result<KeyInfo> {
        let Content { me, share, chain_code, chain } = Content::decode(&wrap::open(file.as_bytes(), with)?)?;
        let epoch = verify_chain(&chain)?;
        if self.load(&scene.login.unlocked, epoch.key)?.is_some() {
            return Err(Error::Exists(epoch.key));
        }
        let identity = epoch.roster().card(me).map(|card| *card.identity());
        if forbids!(BackupOfThisMember, identity != Some(*scene.login.card.identity())) {
            return Err(Misuse::OtherMember.into());
        }
        if !fits(&share, &chain_code, me, &epoch) {
            return Err(Misuse::WrongShare.into());
        }
        let imported = chain.first().is_some_and(Certificate::imports);
        let origin = if imported { Origin::Imported } else { Origin::Restored };
        let mut record = KeyRecord {
            forgetful: true,
            backed_up: vec![epoch.id],
            ..KeyRecord::new(me, origin, Standing::Restored, &epoch)
        };
        self.take_over(&scene.login.unlocked, epoch.key, &mut record)?;
        let key = Key { id: epoch.key, record, epoch };
        keep_chain(&key, &chain, commit);
        commit.put(key.object(), CHAIN_CODE, chain_code.expose().to_vec());
        commit.put(key.space_of(key.epoch.id), SHARE, share.expose().to_vec());
        commit.put(Space::Token, &index_key(key.id), Vec::new());
        key.save(commit)?;
        commit.event(key.epoch_event(EventKind::BackupRestored, key.epoch.id)?);
        commit.event(key.epoch_event(EventKind::KeyRestored, key.epoch.id)?);
        Ok(key.info())
    }

    /// A backup of the token's identity.
    pub(super) fn export_identity(
        &self,
        login: &Login,
        to: &Recipient,
        commit: &mut Commit,
    ) -> Result<WrappedIdentity> {
        let record = self.vault.get(&login.unlocked, Space::Token, IDENTITY)?.ok_or(VaultError::Corrupt)?;
        let content = Zeroizing::new([IDENTITY_MAGIC.as_slice(), record.as_slice()].concat());
        let file = wrap::seal(&content, to)?;
        commit.event(crate::audit::Event::new(EventKind::BackupExported).object(*login.card.id().as_bytes()));
        Ok(WrappedIdentity::from_bytes(file)?)
    }
}

/// Reads an identity back.
pub(super) fn open_identity(file: &WrappedIdentity, with: &Identity) -> Result<IdentityRecord> {
    let content = wrap::open(file.as_bytes(), with)?;
    let record = content.strip_prefix(IDENTITY_MAGIC.as_slice()).ok_or(WrapError::Unwrap)?;
    Ok(IdentityRecord::decode(record)?)
}

/// Whether share and chain code are those that the certificate speaks of.
fn fits(share: &Secret<[u8; 32]>, chain_code: &Secret<[u8; 32]>, me: Identifier, epoch: &Epoch) -> bool {
    holds!(BackupOfTheShare, is_share_of(share, me, epoch))
        && holds!(BackupOfTheChainCode, verdict(chain_hash(chain_code.expose()).ct_eq(&epoch.chain_hash)))
}

/// What a backup holds, for who watches how it is read.
#[cfg(feature = "hazmat")]
#[derive(Debug)]
pub(crate) struct WatchedContent(Zeroizing<Vec<u8>>);

#[cfg(feature = "hazmat")]
impl WatchedContent {
    pub(crate) fn new(me: Identifier, share: [u8; 32], chain_code: [u8; 32], certificate: Certificate) -> Self {
        let (share, chain_code) = (Secret::new(share), Secret::new(chain_code));
        Self(Content { me, share, chain_code, chain: vec![certificate] }.encode())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Share and chain code, one after the other.
    pub(crate) fn secrets_mut(&mut self) -> Option<&mut [u8]> {
        self.0.get_mut(SHARE_MAGIC.len() + 2..)?.get_mut(..64)
    }

    /// Whether share and chain code are those that the certificate speaks of.
    pub(crate) fn fits(&self) -> Result<bool> {
        let Content { me, share, chain_code, chain } = Content::decode(&self.0)?;
        Ok(fits(&share, &chain_code, me, &verify_chain(&chain)?))
    }
}

/// Whether g^s is the verifying share.
fn is_share_of(share: &Secret<[u8; 32]>, me: Identifier, epoch: &Epoch) -> bool {
    with_suite!(epoch.suite(), C => {
        let share = <C as Ciphersuite>::Scalar::from_bytes(share.expose()).map(Secret::new);
        let public = epoch.verifying_shares.get(&me).and_then(|share| <C as Ciphersuite>::Element::from_bytes(share));
        share.zip(public).is_some_and(|(share, public)| <C as Ciphersuite>::Element::mul_base(share.expose()) == public)
    })
}
