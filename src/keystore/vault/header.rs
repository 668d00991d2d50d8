//! What is needed to log in, and the state that goes with it.

use sha2::{Digest as _, Sha256};

use crate::audit::{Digest, Head};
use crate::keystore::Pin;
use crate::policy::UserType;
use crate::wire::{DecodeError, Reader, Writer};

use super::VaultError;
use super::cost::KdfCost;
use super::marks::Marks;
use super::seal::{self, Key, SEALED_KEY};

const MAGIC: &[u8; 4] = b"QKVH";
const VERSION: u8 = 1;
const STATE_VERSION: u8 = 1;
const PRIVATE_TAG: &[u8] = b"quorumkey/vault/private/v1";
const ROOT_TAG: &[u8] = b"quorumkey/vault/root/v1";

/// A pair for each role. The private half opens with the PIN; the root key is sealed to the public half, so that whoever
/// is logged in can renew the root key for both roles, and none gets into the other's place by that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) token: [u8; 16],
    pub(super) cost: KdfCost,
    user: Entrance,
    officer: Entrance,
}

/// One role's way in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entrance {
    salt: [u8; 16],
    public: [u8; 32],
    /// The private half, sealed under the key that the PIN stands for.
    private: [u8; SEALED_KEY],
    /// The root key, sealed to the public half.
    root: [u8; 32 + SEALED_KEY],
}

impl Header {
    pub(super) fn new(
        token: [u8; 16],
        cost: KdfCost,
        user: &Pin,
        officer: &Pin,
        root: &Key,
    ) -> Result<Self, VaultError> {
        let user = Entrance::new(&token, cost, UserType::User, &NewPin::new(cost, user)?, root)?;
        let officer = Entrance::new(&token, cost, UserType::SecurityOfficer, &NewPin::new(cost, officer)?, root)?;
        Ok(Self { token, cost, user, officer })
    }

    /// The root key, for who knows the PIN. `None` if it is wrong or something was changed: the two look the same.
    pub(super) fn unlock(&self, role: UserType, pin: &Pin) -> Result<Option<Key>, VaultError> {
        Ok(self.open(role, &self.derive(role, pin)?))
    }

    /// What the PIN stands for.
    pub(super) fn derive(&self, role: UserType, pin: &Pin) -> Result<Key, VaultError> {
        self.cost.derive(pin, &self.entrance(role).salt)
    }

    /// The root key, for who has what the PIN stands for.
    pub(super) fn open(&self, role: UserType, key: &Key) -> Option<Key> {
        let entrance = self.entrance(role);
        let associated = private_associated(&self.token, self.cost, role, &entrance.salt, &entrance.public);
        let private = seal::open_key(key, &associated, &entrance.private)?;
        seal::open_from(&private, &root_associated(&self.token, role, &entrance.public), &entrance.root)
    }

    /// What a PIN is to stand for from now on.
    pub(super) fn new_pin(&self, pin: &Pin) -> Result<NewPin, VaultError> {
        NewPin::new(self.cost, pin)
    }

    /// The header with another root key; and with another PIN, for which a new pair is made, so that the old PIN opens
    /// nothing that is written from now on.
    pub(super) fn renew(&self, root: &Key, pin: Option<(UserType, &NewPin)>) -> Result<Self, VaultError> {
        let renew = |role| match pin {
            Some((whose, pin)) if whose == role => Entrance::new(&self.token, self.cost, role, pin, root),
            _ => self.entrance(role).with_root(&self.token, role, root),
        };
        let (user, officer) = (renew(UserType::User)?, renew(UserType::SecurityOfficer)?);
        Ok(Self { token: self.token, cost: self.cost, user, officer })
    }

    const fn entrance(&self, role: UserType) -> &Entrance {
        match role {
            UserType::User => &self.user,
            UserType::SecurityOfficer => &self.officer,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.raw(MAGIC).u8(VERSION).raw(&self.token);
        self.cost.encode(&mut out);
        for entrance in [&self.user, &self.officer] {
            out.raw(&entrance.salt).raw(&entrance.public).raw(&entrance.private).raw(&entrance.root);
        }
        out.finish()
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if &reader.array()? != MAGIC {
            return Err(DecodeError::Invalid("header"));
        }
        match reader.u8()? {
            VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let token = reader.array()?;
        let cost = KdfCost::decode(&mut reader)?;
        let (user, officer) = (Entrance::decode(&mut reader)?, Entrance::decode(&mut reader)?);
        reader.finish()?;
        Ok(Self { token, cost, user, officer })
    }
}

/// What a PIN stands for under a salt of its own.
#[derive(Debug)]
pub(super) struct NewPin {
    salt: [u8; 16],
    pub(super) key: Key,
}

impl NewPin {
    fn new(cost: KdfCost, pin: &Pin) -> Result<Self, VaultError> {
        let salt = seal::random()?;
        Ok(Self { salt, key: cost.derive(pin, &salt)? })
    }
}

impl Entrance {
    fn new(token: &[u8; 16], cost: KdfCost, role: UserType, pin: &NewPin, root: &Key) -> Result<Self, VaultError> {
        let salt = pin.salt;
        let private = seal::random_key()?;
        let public = seal::public(&private);
        let associated = private_associated(token, cost, role, &salt, &public);
        let private = seal::seal(&pin.key, &associated, private.expose())?;
        Self { salt, public, private: exact(&private)?, root: [0; 32 + SEALED_KEY] }.with_root(token, role, root)
    }

    fn with_root(&self, token: &[u8; 16], role: UserType, root: &Key) -> Result<Self, VaultError> {
        let root = seal::seal_to(&self.public, &root_associated(token, role, &self.public), root)?;
        Ok(Self { root: exact(&root)?, ..self.clone() })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (salt, public) = (reader.array()?, reader.array()?);
        Ok(Self { salt, public, private: reader.array()?, root: reader.array()? })
    }
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], VaultError> {
    bytes.try_into().map_err(|_| VaultError::Corrupt)
}

pub(super) const fn role_code(role: UserType) -> u8 {
    match role {
        UserType::User => 1,
        UserType::SecurityOfficer => 2,
    }
}

fn private_associated(token: &[u8; 16], cost: KdfCost, role: UserType, salt: &[u8; 16], public: &[u8; 32]) -> Vec<u8> {
    let mut out = Writer::new();
    out.bytes(PRIVATE_TAG).u8(VERSION).raw(token);
    cost.encode(&mut out);
    out.u8(role_code(role)).raw(salt).raw(public).finish()
}

fn root_associated(token: &[u8; 16], role: UserType, public: &[u8; 32]) -> Vec<u8> {
    Writer::new().bytes(ROOT_TAG).u8(VERSION).raw(token).u8(role_code(role)).raw(public).finish()
}

/// How far a token has got. The counter grows by one with each transaction, and never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) counter: u64,
    pub(super) head: Head,
}

impl Ledger {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u8(STATE_VERSION).u64(self.counter).u64(self.head.next).raw(self.head.digest.as_bytes()).finish()
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            STATE_VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let (counter, next) = (reader.u64()?, reader.u64()?);
        Ok(Self { counter, head: Head { next, digest: Digest::from_bytes(reader.array()?) } })
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let ledger = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(ledger)
    }
}

/// What somebody who was logged in left behind; sealed under the root key. Only wrong tries can have come after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SealedState {
    pub(super) ledger: Ledger,
    /// The hash of the header.
    pub(super) header: [u8; 32],
    /// All sealed records together, see [`Marks`].
    pub(super) marks: Marks,
}

impl SealedState {
    pub(super) fn encode(&self) -> Vec<u8> {
        Writer::new().raw(&self.ledger.encode()).raw(&self.header).raw(&self.marks.0).finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let ledger = Ledger::read(&mut reader)?;
        let state = Self { ledger, header: reader.array()?, marks: Marks(reader.array()?) };
        reader.finish()?;
        Ok(state)
    }
}

/// The wrong tries of each role since it last logged in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    user: u8,
    officer: u8,
}

impl Tries {
    const fn allowed(role: UserType) -> u8 {
        match role {
            UserType::User => 10,
            UserType::SecurityOfficer => 5,
        }
    }

    const fn of(&mut self, role: UserType) -> &mut u8 {
        match role {
            UserType::User => &mut self.user,
            UserType::SecurityOfficer => &mut self.officer,
        }
    }

    pub(super) const fn left(mut self, role: UserType) -> u8 {
        Self::allowed(role).saturating_sub(*self.of(role))
    }

    pub(super) const fn one_more(mut self, role: UserType) -> Self {
        *self.of(role) = self.of(role).saturating_add(1);
        self
    }

    pub(super) const fn none(mut self, role: UserType) -> Self {
        *self.of(role) = 0;
        self
    }

    pub(super) fn encode(self) -> Vec<u8> {
        Writer::new().u8(STATE_VERSION).u8(self.user).u8(self.officer).finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            STATE_VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let tries = Self { user: reader.u8()?, officer: reader.u8()? };
        reader.finish()?;
        Ok(tries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn pin(text: &str) -> Pin {
        Pin::new(text).unwrap()
    }

    fn header(root: &Key) -> Header {
        let cost = KdfCost::insecure_for_tests();
        Header::new([9; 16], cost, &pin("user words"), &pin("officer words"), root).unwrap()
    }

    fn opened(header: &Header, role: UserType, words: &str) -> Option<[u8; 32]> {
        header.unlock(role, &pin(words)).unwrap().map(|root| *root.expose())
    }

    #[test]
    fn each_role_opens_with_its_own_pin_only() {
        let header = header(&Secret::new([3; 32]));
        assert_eq!(opened(&header, UserType::User, "user words"), Some([3; 32]));
        assert_eq!(opened(&header, UserType::SecurityOfficer, "officer words"), Some([3; 32]));
        assert_eq!(opened(&header, UserType::User, "officer words"), None);
        let swapped = Header { user: header.officer.clone(), officer: header.user.clone(), ..header };
        assert_eq!(opened(&swapped, UserType::User, "officer words"), None);
    }

    #[test]
    fn a_renewed_root_key_opens_for_both_and_an_old_pin_with_an_old_copy_opens_it_no_more() {
        let old = header(&Secret::new([3; 32]));
        let other = old.new_pin(&pin("other words")).unwrap();
        let new = old.renew(&Secret::new([4; 32]), Some((UserType::User, &other))).unwrap();
        assert_eq!(opened(&new, UserType::User, "other words"), Some([4; 32]));
        assert_eq!(opened(&new, UserType::User, "user words"), None);
        assert_eq!(opened(&new, UserType::SecurityOfficer, "officer words"), Some([4; 32]));
        // The pair of the old copy, and the root key of the new one.
        let mixed = |old: &Entrance, new: &Entrance| Entrance { root: new.root, ..old.clone() };
        let mixed =
            Header { user: mixed(&old.user, &new.user), officer: mixed(&old.officer, &new.officer), ..old.clone() };
        assert_eq!(opened(&mixed, UserType::User, "user words"), None);
        assert_eq!(opened(&mixed, UserType::SecurityOfficer, "officer words"), Some([4; 32]));
    }

    #[test]
    fn a_header_has_one_encoding() {
        let header = header(&Secret::new([3; 32]));
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        for cut in 0..bytes.len() {
            assert!(Header::decode(&bytes[..cut]).is_err());
        }
        assert_eq!(Header::decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::Trailing));
        assert_eq!(KdfCost::new(19 * 1024 - 1, 2, 1), None);
        assert_eq!(KdfCost::new(19 * 1024, 1, 1), None);
        assert_eq!(KdfCost::new(19 * 1024, 2, 1), Some(KdfCost::small()));
        assert!(KdfCost::strong() != KdfCost::default());
    }

    /// Written by the first version: "user words", "officer words", a root key of 32 times 3.
    const SAMPLE: &str = "\
        514b56480109090909090909090909090909090909000000080000000100000001f298436d6e6b88a2737a545154a9de197c\
        c00ab76b493ff58a15a74bbda1c5ed706a2ccf1fdb1e18472246585249db291c8f84cc8d449ccedba0e85dae0221d3755232\
        9e2be0fd29ad89c60fb568bb1b1951352d7f78364577ac871aaf9dcebebb89674d695714ab5c4bf379a39f20b0d9e54fe447\
        dba22fc037de15a9140e41f380d1a419a128f22d995d79ff2d4a6205be3739326443723b0eabcbfcbcd3992e2b4e4c8f8738\
        9deadb27101241b400daed46ab0ce59aa29053cf253e96a7f8f40ab67643145fbd343893a422200dd2f9cd611ff9a1a54a2b\
        8f2a6f2d22e1ab535556f5dc98c1ee20176c2bfc7acde637384b6ff8d1146d91b4a5e859f030668bdf233894e8d5b19a9ffa\
        ef5394e666e78e0034bfa02307fc69907b7f663e8cea600c7fc17463ebf975b03161f6abc875e906e27c0d679e91b9886f65\
        3c65a61535288d97a1d96a591e8786ce1bd1792e821455f35726fa5fef0b8cdf036d139a805c01da3329bbd04f4e857b8f4d\
        649ce6940ac8e3cc580b45fbdb392937945573de2a598d86a560989515dad57a9961ef336d5cb9036bc6ac811ed038e89ed9\
        48df68c42d1830f82fa8fc1a9fd5fe869fa89bb119cbb7a66365ee5cc090dc";

    #[test]
    fn the_format_is_frozen() {
        let digits: Vec<_> = SAMPLE.bytes().map(|digit| char::from(digit).to_digit(16).unwrap()).collect();
        let bytes: Vec<_> = digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect();
        let header = Header::decode(&bytes).unwrap();
        assert_eq!(header.encode(), bytes);
        assert_eq!(opened(&header, UserType::User, "user words"), Some([3; 32]));
        assert_eq!(opened(&header, UserType::SecurityOfficer, "officer words"), Some([3; 32]));
    }
}
