//! Whatever is brought as a phrase, a seed or a node of a key tree: it leads to the same key each time, and to the children
//! of its public half.

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use super::decoders::suite;
use super::{choice, one_of};
use crate::keystore::{ImportError, ImportedKey};
use crate::suite::Suite;
use crate::wire::DerivationPath;

/// What is imported.
enum Source<'a> {
    /// A phrase and its passphrase.
    Phrase(String, &'a str),
    Seed(&'a [u8]),
    Node(String),
}

/// Suite, kind and the length of the path come first, then the path.
pub(super) fn phrase(mut bytes: &[u8]) {
    let suite = suite(&mut bytes);
    let (kind, len) = (choice(&mut bytes), choice(&mut bytes));
    let (path, rest) = bytes.split_at(usize::from(len).min(bytes.len()));
    let (Ok(path), Some(source)) = (str::from_utf8(path), Source::read(kind, rest)) else { return };
    let Ok(key) = source.import(suite, path) else { return };
    let again = source.import(suite, path).map(|again| again.group_key().clone());
    assert_eq!(again.as_ref(), Ok(key.group_key()));
    let Some((parent, step)) = path.rsplit_once('/') else { return };
    let Ok(step) = step.parse::<u32>() else { return };
    // What is not hardened can be found from the public half as well, by an implementation that isn't the same.
    assert_ne!(suite, Suite::Ed25519, "a step that ed25519 has not");
    let parent = source.import(suite, parent).expect("whoever has a child has its parent");
    let step = DerivationPath::new(&[step]).expect("a step that is not hardened");
    let child = parent.extended_public_key().and_then(|parent| parent.derive(&step)).expect("a suite with children");
    assert_eq!(child.key(), key.group_key());
}

impl<'a> Source<'a> {
    fn read(kind: u8, bytes: &'a [u8]) -> Option<Self> {
        match kind % 5 {
            0 => {
                let text = str::from_utf8(bytes).ok()?;
                let (phrase, passphrase) = text.split_once('\n').unwrap_or((text, ""));
                Some(Self::Phrase(phrase.to_owned(), passphrase))
            }
            // Words with a right checksum.
            1 => {
                let mnemonic = Mnemonic::from_entropy_in(*one_of(Language::ALL, kind / 5), bytes).ok()?;
                Some(Self::Phrase(mnemonic.to_string(), "passphrase"))
            }
            2 => Some(Self::Seed(bytes)),
            3 => Some(Self::Node(str::from_utf8(bytes).ok()?.to_owned())),
            _ => Some(Self::Node(bs58::encode(bytes).with_check().into_string())),
        }
    }

    fn import(&self, suite: Suite, path: &str) -> Result<ImportedKey, ImportError> {
        match self {
            Self::Phrase(phrase, passphrase) => {
                let [phrase, passphrase] = [phrase, *passphrase].map(|text| Zeroizing::new(text.to_owned()));
                ImportedKey::from_phrase(suite, phrase, passphrase, path)
            }
            Self::Seed(seed) => ImportedKey::from_master_seed(suite, Zeroizing::new(seed.to_vec()), path),
            Self::Node(node) => ImportedKey::from_extended(suite, Zeroizing::new(node.clone()), path),
        }
    }
}
