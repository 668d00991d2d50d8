//! The safe: a directory with every member's backups, as age files that the ordinary `age` command opens.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use quorumkey::wrap::{Identity, Recipient, WrappedIdentity, WrappedShare};
use quorumkey::{KeyInfo, Session};

use crate::group::Member;

/// scrypt with N = 2^16: a fraction of a second. A backup that rests for years deserves the default, 2^18.
const WORK_FACTOR: u8 = 16;

/// A directory of backups.
pub(crate) struct Safe(PathBuf);

impl Safe {
    pub(crate) fn new(directory: PathBuf) -> Result<Self, Box<dyn Error>> {
        fs::create_dir(&directory)?;
        Ok(Self(directory))
    }

    /// The identity, once for each member.
    pub(crate) fn keep_identity(&self, member: &Member) -> Result<(), Box<dyn Error>> {
        let number = member.id.get();
        let backup = member.session.export_identity(&recipient(number)?)?;
        Ok(fs::write(self.identity_file(number), backup.as_bytes())?)
    }

    /// A share: one file for each member, key and epoch.
    pub(crate) fn keep_share(&self, member: &Member, key: &KeyInfo) -> Result<(), Box<dyn Error>> {
        let number = member.id.get();
        let backup = member.session.export(key.id, &recipient(number)?)?;
        Ok(fs::write(self.share_file(number, key), backup.as_bytes())?)
    }

    pub(crate) fn identity(&self, number: u16) -> Result<WrappedIdentity, Box<dyn Error>> {
        Ok(WrappedIdentity::from_bytes(fs::read(self.identity_file(number))?)?)
    }

    /// Gives a restored device its share back.
    pub(crate) fn give_share(&self, number: u16, key: &KeyInfo, session: &Session) -> Result<KeyInfo, Box<dyn Error>> {
        let backup = WrappedShare::from_bytes(fs::read(self.share_file(number, key))?)?;
        Ok(session.restore(&backup, &opener(number))?)
    }

    /// Destroys a member's backup of an epoch.
    pub(crate) fn shred(&self, number: u16, key: &KeyInfo) -> Result<(), Box<dyn Error>> {
        Ok(fs::remove_file(self.share_file(number, key))?)
    }

    pub(crate) fn files(&self) -> Result<usize, Box<dyn Error>> {
        Ok(fs::read_dir(&self.0)?.count())
    }

    fn identity_file(&self, number: u16) -> PathBuf {
        self.0.join(format!("member-{number}-identity.age"))
    }

    fn share_file(&self, number: u16, key: &KeyInfo) -> PathBuf {
        self.0.join(format!("member-{number}-{:?}-epoch-{}.age", key.suite, key.height))
    }
}

/// What a member's backups open with.
pub(crate) fn opener(number: u16) -> Identity {
    Identity::passphrase(&words(number))
}

fn recipient(number: u16) -> Result<Recipient, Box<dyn Error>> {
    Ok(Recipient::passphrase_with_work_factor(&words(number), WORK_FACTOR)?)
}

fn words(number: u16) -> String {
    format!("the safe of member {number} stands behind the third painting")
}
