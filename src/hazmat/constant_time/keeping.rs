//! Identity, backups, and the way into a token.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Preparation, Prepared, Watch, ensure, hide, publish, random};
use crate::hazmat::sample_dealing;
use crate::keystore::{Lock, Pin, Relock, WatchedContent};
use crate::protocol::Certificate;
use crate::secret::Secret;
use crate::suite::Suite;
use crate::wire::{Card, Identifier, IdentityKey, Kind};
use crate::wrap::{Identity, Recipient, SecretKey, open, seal};

const SAID: &[u8] = b"what is said";

pub(super) struct Speak {
    seed: Option<Secret<[u8; 32]>>,
    card: Card,
    said: Option<[u8; 64]>,
}

impl Speak {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let mut seed = Secret::new(random(rng));
        let card = Card::issue(&IdentityKey::from_seed(Secret::new(*seed.expose())), 0, String::new());
        hide(watch, seed.expose_mut());
        Ok(Box::new(Self { seed: Some(seed), card, said: None }))
    }
}

impl Prepared for Speak {
    fn run(&mut self) {
        let Some(seed) = self.seed.take() else { return };
        self.said = Some(IdentityKey::from_seed(seed).sign(Kind::Message, SAID));
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        let said = self.said.as_mut().ok_or("nothing was said")?;
        publish(watch, said)?;
        ensure(self.card.verify(Kind::Message, SAID, said).is_some(), "the signature is wrong")?;
        Ok(String::new())
    }
}

/// A key, and what is sealed to it.
struct Sealed {
    secret: [u8; 32],
    plaintext: Zeroizing<Vec<u8>>,
}

impl Sealed {
    fn new(rng: &mut dyn CryptoRng) -> Self {
        Self { secret: random(rng), plaintext: Zeroizing::new(random(rng).to_vec()) }
    }

    fn key(&self) -> Result<SecretKey, &'static str> {
        SecretKey::from_bytes(&self.secret).map_err(|_| "the key")
    }
}

pub(super) struct Wrap {
    sealed: Sealed,
    recipient: Recipient,
    expected: Vec<u8>,
    file: Vec<u8>,
}

impl Wrap {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let mut sealed = Sealed::new(rng);
        let (recipient, expected) = (sealed.key()?.recipient(), sealed.plaintext.to_vec());
        hide(watch, sealed.plaintext.as_mut_slice());
        Ok(Box::new(Self { sealed, recipient, expected, file: Vec::new() }))
    }
}

impl Prepared for Wrap {
    fn run(&mut self) {
        self.file = seal(&self.sealed.plaintext, &self.recipient).unwrap_or_default();
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        publish(watch, self.file.as_mut_slice())?;
        let opened = open(&self.file, &Identity::X25519(self.sealed.key()?)).map_err(|_| "the file does not open")?;
        ensure(*opened == self.expected, "the file holds something else")?;
        Ok(String::new())
    }
}

pub(super) struct Unwrap {
    file: Vec<u8>,
    identity: Identity,
    expected: Vec<u8>,
    opened: Option<Zeroizing<Vec<u8>>>,
}

impl Unwrap {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let sealed = Sealed::new(rng);
        let mut key = sealed.key()?;
        let file = seal(&sealed.plaintext, &key.recipient()).map_err(|_| "the file")?;
        hide(watch, key.secret_mut());
        let expected = sealed.plaintext.to_vec();
        Ok(Box::new(Self { file, identity: Identity::X25519(key), expected, opened: None }))
    }
}

impl Prepared for Unwrap {
    fn run(&mut self) {
        self.opened = open(&self.file, &self.identity).ok();
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        let opened = self.opened.as_mut().ok_or("nothing was opened")?;
        publish(watch, opened.as_mut_slice())?;
        ensure(**opened == self.expected, "something else was opened")?;
        Ok(String::new())
    }
}

pub(super) struct Restore {
    content: WatchedContent,
    fits: bool,
}

impl Restore {
    pub(super) fn prepare(suite: Suite, rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let sample = sample_dealing(suite, rng)?;
        let (me, share) = (Identifier::new(1).ok_or("identifier")?, *sample.shares.first().ok_or("shares")?);
        let certificate = Certificate::from_bytes(&sample.certificate).map_err(|_| "certificate")?;
        let mut content = WatchedContent::new(me, share, sample.chain_code, certificate);
        let secrets = content.secrets_mut().ok_or("the content is short")?;
        ensure(*secrets == *[share, sample.chain_code].concat(), "the secrets lie elsewhere in the content")?;
        hide(watch, secrets);
        Ok(Box::new(Self { content, fits: false }))
    }
}

impl Prepared for Restore {
    fn run(&mut self) {
        self.fits = self.content.fits().unwrap_or(false);
    }

    /// Its result is one public bit, out of many verdicts: what shows that it was made of secrets is that they still are.
    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        publish(watch, self.content.secrets_mut().ok_or("the content is short")?)?;
        ensure(self.fits, "the content does not fit")?;
        Ok(String::new())
    }
}

pub(super) struct Unlock {
    lock: Lock,
    opened: Option<Secret<[u8; 32]>>,
}

impl Unlock {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let pin = Pin::from_bytes(&random(rng)).map_err(|_| "the PIN")?;
        let mut lock = Lock::new(&pin).map_err(|_| "the lock")?;
        hide(watch, lock.derived_mut());
        Ok(Box::new(Self { lock, opened: None }))
    }
}

impl Prepared for Unlock {
    fn run(&mut self) {
        self.opened = self.lock.open();
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        let opened = self.opened.as_mut().ok_or("nothing was opened")?;
        publish(watch, opened.expose_mut())?;
        ensure(opened.expose() == self.lock.root(), "something else was opened")?;
        Ok(String::new())
    }
}

pub(super) struct ChangePin {
    relock: Relock,
    header: Vec<u8>,
}

impl ChangePin {
    pub(super) fn prepare(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Preparation {
        let [old, new] = [0, 1].map(|_| Pin::from_bytes(&random(rng)).map_err(|_| "the PIN"));
        let mut relock = Relock::new(&old?, &new?).map_err(|_| "the lock")?;
        relock.secrets_mut().into_iter().for_each(|secret| hide(watch, secret));
        Ok(Box::new(Self { relock, header: Vec::new() }))
    }
}

impl Prepared for ChangePin {
    fn run(&mut self) {
        self.header = self.relock.renew().unwrap_or_default();
    }

    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str> {
        publish(watch, self.header.as_mut_slice())?;
        self.relock.secrets_mut().into_iter().try_for_each(|secret| publish(watch, secret))?;
        ensure(self.relock.fits(&self.header), "the header does not open")?;
        Ok(String::new())
    }
}
