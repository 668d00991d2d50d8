//! Children of a group's key, derived without any member.

use core::fmt;

use ripemd::Ripemd160;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::suite::{Ciphersuite, Element, GroupKey, Network, Scalar, Suite, VerifyingKey, child, with_suite};
use crate::wire::{DerivationPath, Reader, Writer};

/// Why nothing can be derived, or an extended key not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DerivationError {
    /// Keys of this suite have no children that could be derived from a public key.
    NoChildren(Suite),
    /// A child of it would be more than 255 steps from the root.
    TooDeep,
    /// There is no child of this index; BIP-32 says to take the next. It does not happen.
    NoSuchChild,
    /// The text is no extended key: its alphabet, length, checksum or version, or its fields contradict each other.
    Malformed,
    /// The text is an extended *private* key. Whoever has it has the key.
    Private,
}

impl fmt::Display for DerivationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChildren(suite) => write!(f, "keys of {suite:?} have no unhardened children"),
            Self::TooDeep => f.write_str("the child would be too far from the root"),
            Self::NoSuchChild => f.write_str("there is no child of this index; take the next"),
            Self::Malformed => f.write_str("this is no extended public key"),
            Self::Private => f.write_str("this is an extended private key"),
        }
    }
}

impl core::error::Error for DerivationError {}

/// BIP-32's extended public key: a public key with the chain code that its children are derived with.
///
/// A watch-only wallet makes all of a group's receiving addresses with it, while every member is offline; members sign for
/// one of them by its path ([`Session::invite_sign_under`](crate::Session::invite_sign_under)). For taproot it is of the
/// internal key.
///
/// ```
/// use quorumkey::{ExtendedPublicKey, Network, Suite};
///
/// // BIP-86's account 0.
/// let account = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ";
/// let account = ExtendedPublicKey::from_base58(Suite::Secp256k1Taproot, account)?;
/// let second = account.derive(&"m/0/1".parse()?)?.verifying_key(None);
/// let address = "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh";
/// assert_eq!(second.p2tr_address(Network::Mainnet)?, address);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Security
///
/// It can't spend. But whoever has it sees every address that the group has or will have: keep it like the books, not like
/// an address. And with the secret of *one* unhardened child it gives the group's key away; that secret is nowhere, and
/// no call makes it.
///
/// Give it only to software that makes P2TR addresses of it (descriptor `tr(xpub…/0/*)`). A wallet that shows `1…` or
/// `bc1q…` addresses for it shows addresses that this key can't spend from. Of a [`Suite::Secp256k1`] key no Bitcoin
/// address can be spent from at all.
#[derive(Clone, PartialEq, Eq)]
pub struct ExtendedPublicKey {
    key: GroupKey,
    chain_code: Zeroizing<[u8; 32]>,
    depth: u8,
    parent: [u8; 4],
    index: u32,
}

impl ExtendedPublicKey {
    /// Bytes before the checksum.
    const LEN: usize = 78;
    const XPUB: [u8; 4] = [0x04, 0x88, 0xb2, 0x1e];
    const TPUB: [u8; 4] = [0x04, 0x35, 0x87, 0xcf];
    const XPRV: [u8; 4] = [0x04, 0x88, 0xad, 0xe4];
    const TPRV: [u8; 4] = [0x04, 0x35, 0x83, 0x94];

    /// A group's key with its chain code, as the root of its tree.
    pub(crate) fn root(key: GroupKey, chain_code: &[u8; 32]) -> Result<Self, DerivationError> {
        if !key.suite().has_children() {
            return Err(DerivationError::NoChildren(key.suite()));
        }
        Ok(Self { key, chain_code: Zeroizing::new(*chain_code), depth: 0, parent: [0; 4], index: 0 })
    }

    /// The key; for taproot an internal key, odd or even.
    pub const fn key(&self) -> &GroupKey {
        &self.key
    }

    /// The key that verifies the signatures that members make under this one: for taproot BIP-341's output key, with the
    /// root of a script tree or with the tweak that no script can spend.
    pub fn verifying_key(&self, merkle_root: Option<&[u8; 32]>) -> VerifyingKey {
        self.key.verifying_key(merkle_root)
    }

    /// How many steps it is from the root of its tree. A group's key is a root: 0.
    pub const fn depth(&self) -> u8 {
        self.depth
    }

    /// The key at the end of a path that begins here.
    ///
    /// # Errors
    ///
    /// [`DerivationError::TooDeep`] beyond BIP-32's 255 steps, [`DerivationError::NoSuchChild`] never in practice.
    pub fn derive(&self, path: &DerivationPath) -> Result<Self, DerivationError> {
        Ok(self.follow(path)?.0)
    }

    /// What the path adds to this key's secret, in the suite's encoding; nothing for the key itself.
    pub(crate) fn offset(&self, path: &DerivationPath) -> Result<Option<[u8; 32]>, DerivationError> {
        let (_, offset) = self.follow(path)?;
        Ok((!path.is_root()).then_some(offset))
    }

    fn follow(&self, path: &DerivationPath) -> Result<(Self, [u8; 32]), DerivationError> {
        with_suite!(self.key.suite(), C => {
            let (mut key, mut sum) = (self.clone(), <C as Ciphersuite>::Scalar::ZERO);
            for index in path.steps() {
                let offset;
                (key, offset) = key.step::<C>(*index)?;
                sum = sum + offset;
            }
            Ok((key, sum.to_bytes()))
        })
    }

    fn step<C: Ciphersuite>(&self, index: u32) -> Result<(Self, C::Scalar), DerivationError> {
        let depth = self.depth.checked_add(1).ok_or(DerivationError::TooDeep)?;
        let key = self.key.element::<C>().ok_or(DerivationError::Malformed)?;
        let child = child::<C>(&key, &self.chain_code, index).ok_or(DerivationError::NoSuchChild)?;
        let key = Self {
            key: GroupKey::new::<C>(&child.key),
            chain_code: child.chain_code,
            depth,
            parent: fingerprint(&key.to_bytes()),
            index,
        };
        Ok((key, child.offset))
    }

    /// BIP-32's text: `xpub…` for the main network, `tpub…` for the others.
    ///
    /// There is no `Display`, so that it gets into no log by chance. The text does not say that its addresses are P2TR:
    /// who reads it must be told.
    pub fn to_base58(&self, network: Network) -> String {
        let version = match network {
            Network::Mainnet => Self::XPUB,
            Network::Testnet | Network::Regtest => Self::TPUB,
        };
        let mut bytes = Writer::new();
        bytes.raw(&version).u8(self.depth).raw(&self.parent).u32(self.index);
        bytes.raw(&*self.chain_code).raw(self.key.as_bytes());
        bs58::encode(Zeroizing::new(bytes.finish())).with_check().into_string()
    }

    /// Reads BIP-32's text, of any network.
    ///
    /// # Errors
    ///
    /// [`DerivationError::Private`] for an extended private key, [`DerivationError::NoChildren`] for ed25519,
    /// [`DerivationError::Malformed`] for anything else that is not the one text of an extended public key.
    pub fn from_base58(suite: Suite, text: &str) -> Result<Self, DerivationError> {
        if !suite.has_children() {
            return Err(DerivationError::NoChildren(suite));
        }
        // The checksum is checked, and taken off, before anything else is looked at.
        let bytes = decode_base58(text).ok_or(DerivationError::Malformed)?;
        let mut reader = Reader::new(bytes.as_slice());
        let version = reader.array().map_err(|_| DerivationError::Malformed)?;
        if [Self::XPRV, Self::TPRV].contains(&version) {
            return Err(DerivationError::Private);
        }
        let read = if [Self::XPUB, Self::TPUB].contains(&version) { Self::read(suite, reader) } else { None };
        read.ok_or(DerivationError::Malformed)
    }

    fn read(suite: Suite, mut reader: Reader<'_>) -> Option<Self> {
        let (depth, parent, index) = (reader.u8().ok()?, reader.array().ok()?, reader.u32().ok()?);
        let chain_code = Zeroizing::new(reader.array().ok()?);
        let key = GroupKey::from_bytes(suite, reader.rest()).ok()?;
        // BIP-32, test vector 5: a root has neither parent nor index.
        let consistent = depth != 0 || (parent, index) == ([0; 4], 0);
        consistent.then_some(Self { key, chain_code, depth, parent, index })
    }
}

/// The bytes before the checksum, if it is right.
fn decode_base58(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    // 82 bytes that begin with one of these versions take 111 characters. What is longer is not even looked at: reading
    // takes quadratic time.
    if text.len() > 111 {
        return None;
    }
    let bytes = Zeroizing::new(bs58::decode(text).with_check(None).into_vec().ok()?);
    (bytes.len() == ExtendedPublicKey::LEN).then_some(bytes)
}

/// BIP-32, "Key identifiers": the first four bytes of HASH160.
fn fingerprint(key: &[u8]) -> [u8; 4] {
    let hash: [u8; 20] = Ripemd160::digest(Sha256::digest(key)).into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

impl fmt::Debug for ExtendedPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtendedPublicKey").field("key", &self.key).finish_non_exhaustive()
    }
}
