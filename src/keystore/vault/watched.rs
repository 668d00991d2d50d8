//! Doors for who watches a login after Argon2id, and for who reads what is no record.

use crate::keystore::Pin;
use crate::policy::UserType;

use super::VaultError;
use super::cost::KdfCost;
use super::header::{Header, Ledger, SealedState, Tries};
use super::seal::{self, Key};

/// A header, and what the user's PIN stands for.
#[derive(Debug)]
pub(crate) struct Lock {
    header: Header,
    derived: Key,
    root: Key,
}

impl Lock {
    pub(crate) fn new(pin: &Pin) -> Result<Self, VaultError> {
        let root = seal::random_key()?;
        let header = Header::new(seal::random()?, KdfCost::insecure_for_tests(), pin, pin, &root)?;
        let derived = header.derive(UserType::User, pin)?;
        Ok(Self { header, derived, root })
    }

    /// What the PIN stands for.
    pub(crate) fn derived_mut(&mut self) -> &mut [u8; 32] {
        self.derived.expose_mut()
    }

    pub(crate) fn open(&self) -> Option<Key> {
        self.header.open(UserType::User, &self.derived)
    }

    /// What should come out.
    pub(crate) fn root(&self) -> &[u8; 32] {
        self.root.expose()
    }
}

/// What is read of bytes as each thing that the vault keeps, encoded again.
pub(crate) fn reencode_header(bytes: &[u8]) -> [Option<Vec<u8>>; 4] {
    [
        Header::decode(bytes).ok().map(|header| header.encode()),
        Ledger::decode(bytes).ok().map(|ledger| ledger.encode()),
        SealedState::decode(bytes).ok().map(|state| state.encode()),
        Tries::decode(bytes).ok().map(Tries::encode),
    ]
}
