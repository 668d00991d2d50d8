//! Doors for who watches a login or a change of PIN after Argon2id, and for who reads what is no record.

use core::fmt;

use crate::keystore::Pin;
use crate::policy::UserType;

use super::VaultError;
use super::cost::KdfCost;
use super::header::{Header, Ledger, NewPin, SealedState, Tries};
use super::marks::Marks;
use super::seal::{self, Key};

/// A record's place, and what is sealed there.
const RECORD: (&[u8], &[u8]) = (b"a place", b"what is sealed");

/// A header with the mark of a record, and what the user's PIN stands for.
pub(crate) struct Lock {
    header: Header,
    derived: Key,
    root: Key,
    marks: Marks,
}

impl Lock {
    pub(crate) fn new(pin: &Pin) -> Result<Self, VaultError> {
        let root = seal::random_key()?;
        let header = Header::new(seal::random()?, KdfCost::insecure_for_tests(), pin, pin, &root)?;
        let derived = header.derive(UserType::User, pin)?;
        let marks = marks_of(&root);
        Ok(Self { header, derived, root, marks })
    }

    /// What the PIN stands for.
    pub(crate) fn derived_mut(&mut self) -> &mut [u8; 32] {
        self.derived.expose_mut()
    }

    /// The root key, if the record is the one that was left.
    pub(crate) fn open(&self) -> Option<Key> {
        let root = self.header.open(UserType::User, &self.derived)?;
        (marks_of(&root) == self.marks).then_some(root)
    }

    /// What should come out.
    pub(crate) fn root(&self) -> &[u8; 32] {
        self.root.expose()
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("header", &self.header).finish_non_exhaustive()
    }
}

/// A header that gets another root key, and another PIN for the user.
#[derive(Debug)]
pub(crate) struct Relock {
    header: Header,
    pin: NewPin,
    root: Key,
}

impl Relock {
    pub(crate) fn new(old: &Pin, new: &Pin) -> Result<Self, VaultError> {
        let header = Header::new(seal::random()?, KdfCost::insecure_for_tests(), old, old, &seal::random_key()?)?;
        let pin = header.new_pin(new)?;
        Ok(Self { header, pin, root: seal::random_key()? })
    }

    /// What the new PIN stands for, and the new root key.
    pub(crate) fn secrets_mut(&mut self) -> [&mut [u8; 32]; 2] {
        [self.pin.key.expose_mut(), self.root.expose_mut()]
    }

    /// The new header's bytes.
    pub(crate) fn renew(&self) -> Option<Vec<u8>> {
        self.header.renew(&self.root, Some((UserType::User, &self.pin))).ok().map(|header| header.encode())
    }

    /// Whether the new PIN leads to the new root key through that header.
    pub(crate) fn fits(&self, header: &[u8]) -> bool {
        let opened = Header::decode(header).ok().and_then(|header| header.open(UserType::User, &self.pin.key));
        opened.is_some_and(|root| root.expose() == self.root.expose())
    }
}

fn marks_of(root: &Key) -> Marks {
    let (place, sealed) = RECORD;
    let mut marks = Marks::default();
    marks.toggle(root, place, sealed);
    marks
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
