//! Identity: the key that signs messages, and the public card that speaks for it.

use core::fmt;
use std::sync::Arc;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand_core::CryptoRng;

use super::codec::{DecodeError, Reader, Writer};
use super::hash::{CardId, Hex, tagged_hash};
use crate::guard::{holds, unless_off};
use crate::secret::Secret;

/// What an identity's signature speaks of. Each kind has a tag of its own, so that none can be shown as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Card,
    Invitation,
    Message,
    Transcript,
    Revision,
}

impl Kind {
    const fn tag(self) -> &'static [u8] {
        match self {
            Self::Card => b"quorumkey/card/v1",
            Self::Invitation => b"quorumkey/invitation/v1",
            Self::Message => b"quorumkey/message/v1",
            Self::Transcript => b"quorumkey/transcript/v1",
            Self::Revision => b"quorumkey/revision/v1",
        }
    }

    fn signed_bytes(self, content: &[u8]) -> Vec<u8> {
        Writer::new().bytes(unless_off!(SignatureOfItsKind, self.tag(), b"")).bytes(content).finish()
    }
}

/// A token's long-lived Ed25519 key. It signs what the token sends, and nothing else.
///
/// Boxed with its public key, which every signature hashes, and wiped when it is dropped.
pub(crate) struct IdentityKey(Box<SigningKey>);

impl IdentityKey {
    pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Secret::new([0; 32]);
        rng.fill_bytes(seed.expose_mut());
        Self::from_seed(seed)
    }

    #[allow(clippy::needless_pass_by_value, reason = "the seed moved, and is wiped here")]
    pub(crate) fn from_seed(seed: Secret<[u8; 32]>) -> Self {
        // Made in its place: what is moved into a box stays behind on the stack.
        Self(Box::write(Box::new_uninit(), SigningKey::from_bytes(seed.expose())))
    }

    pub(crate) fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(crate) fn sign(&self, kind: Kind, content: &[u8]) -> [u8; 64] {
        self.0.sign(&kind.signed_bytes(content)).to_bytes()
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityKey(..)")
    }
}

/// The longest label, in bytes of UTF-8.
pub(crate) const MAX_LABEL: usize = 64;

/// Decodes a label: UTF-8 of at most 64 bytes without control characters.
pub(crate) fn decode_label(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let label = core::str::from_utf8(reader.bytes(MAX_LABEL)?).map_err(|_| DecodeError::Invalid("label"))?;
    if label.chars().any(char::is_control) { Err(DecodeError::Invalid("label")) } else { Ok(label.to_owned()) }
}

/// The public half of a token's identity, to be exchanged out of band before a key is made.
///
/// A card says who signs as a member. People compare one [`Fingerprint`](crate::Fingerprint) of the whole group.
///
/// ```
/// # mod prelude { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/doctest.rs")); }
/// # use prelude::*;
/// use quorumkey::Card;
///
/// let bytes = member().card()?.to_bytes();
/// let card = Card::from_bytes(&bytes)?;
/// assert_eq!((card.label(), card.incarnation()), ("a token", 0));
/// # Ok::<(), quorumkey::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    identity: [u8; 32],
    /// The identity decoded, for all that it will have signed. A card without is not taken.
    key: Option<Arc<VerifyingKey>>,
    incarnation: u32,
    label: String,
    signature: [u8; 64],
}

impl Card {
    const VERSION: u8 = 1;
    const MAX_LEN: usize = 1 + 32 + 4 + 4 + MAX_LABEL + 64;

    pub(crate) fn issue(key: &IdentityKey, incarnation: u32, label: String) -> Self {
        let mut card = Self::unsigned(key.public(), incarnation, label);
        card.signature = key.sign(Kind::Card, &card.content());
        card
    }

    /// The card in its one encoding, at most 169 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::new().raw(&self.content()).raw(&self.signature).finish()
    }

    /// Reads a card and checks that it is signed by the identity that it names.
    ///
    /// # Errors
    ///
    /// Any other encoding, a small-order or malformed key, or a signature that does not verify.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let card = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(card)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.bytes(&self.to_bytes());
    }

    /// A card behind its length, as it stands within a plan.
    pub(crate) fn decode_framed(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_bytes(reader.bytes(Self::MAX_LEN)?)
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            Self::VERSION => {}
            version => return Err(DecodeError::Version(version)),
        }
        let mut card = Self::unsigned(reader.array()?, reader.u32()?, decode_label(reader)?);
        card.signature = reader.array()?;
        let signed = card.verify(Kind::Card, &card.content(), &card.signature).is_some();
        if holds!(CardSignedByItsIdentity, signed) { Ok(card) } else { Err(DecodeError::Invalid("card signature")) }
    }

    fn unsigned(identity: [u8; 32], incarnation: u32, label: String) -> Self {
        let key = VerifyingKey::from_bytes(&identity).ok().map(Arc::new);
        Self { identity, key, incarnation, label, signature: [0; 64] }
    }

    fn content(&self) -> Vec<u8> {
        Writer::new().u8(Self::VERSION).raw(&self.identity).u32(self.incarnation).bytes(self.label.as_bytes()).finish()
    }

    /// The hash that names this card.
    pub fn id(&self) -> CardId {
        CardId::from_bytes(tagged_hash("quorumkey/card-id/v1", &[&self.to_bytes()]))
    }

    /// The Ed25519 public key, 32 bytes.
    pub const fn identity(&self) -> &[u8; 32] {
        &self.identity
    }

    /// How often the identity was restored from a backup: 0 for the token that made it.
    pub const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// What the owner called the token.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// `Some` when the identity signed that content as that kind. Strict: canonical, no small order.
    pub(crate) fn verify(&self, kind: Kind, content: &[u8], signature: &[u8; 64]) -> Option<()> {
        self.key.as_ref()?.verify_strict(&kind.signed_bytes(content), &Signature::from_bytes(signature)).ok()
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Card({:?}, {}, incarnation {})", self.label, Hex(&self.identity), self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn card() -> Card {
        let key = IdentityKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        Card::issue(&key, 0, "anna's phone".to_owned())
    }

    #[test]
    fn a_card_reads_back() {
        assert_eq!(Card::from_bytes(&card().to_bytes()), Ok(card()));
        let restored = Card::issue(&IdentityKey::generate(&mut ChaCha20Rng::seed_from_u64(1)), 7, "anna".to_owned());
        let read = Card::from_bytes(&restored.to_bytes()).unwrap();
        assert_eq!((read.label(), read.incarnation()), ("anna", 7));
    }

    #[test]
    fn the_longest_card_has_as_many_bytes_as_are_read() {
        let key = IdentityKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let longest = Card::issue(&key, u32::MAX, "a".repeat(MAX_LABEL)).to_bytes();
        assert_eq!((longest.len(), Card::MAX_LEN), (169, 169));
        assert!(Card::from_bytes(&longest).is_ok());
    }

    #[test]
    fn no_byte_of_a_card_can_be_changed_cut_or_added() {
        let bytes = card().to_bytes();
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1;
            assert!(Card::from_bytes(&changed).is_err(), "byte {i}");
            assert!(Card::from_bytes(&bytes[..i]).is_err());
        }
        assert_eq!(Card::from_bytes(&[bytes.as_slice(), &[0]].concat()), Err(DecodeError::Trailing));
    }

    #[test]
    fn a_signature_of_one_kind_is_none_of_another() {
        let key = IdentityKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let signature = key.sign(Kind::Message, b"content");
        assert!(card().verify(Kind::Message, b"content", &signature).is_some());
        assert!(card().verify(Kind::Invitation, b"content", &signature).is_none());
    }

    #[test]
    fn a_card_of_a_small_order_key_is_refused() {
        let mut bytes = card().to_bytes();
        bytes[1..33].copy_from_slice(&[0; 32]);
        assert_eq!(Card::from_bytes(&bytes), Err(DecodeError::Invalid("card signature")));
    }
}
