//! Single operations on secrets, each with its public part prepared, for whatever watches how it is done: memcheck,
//! which shows branches and addresses that depend on a secret, callgrind, which counts instructions, and a clock.
#![allow(clippy::unnecessary_wraps, reason = "all operations are prepared alike")]

mod dealing;
mod keeping;
mod signing;
mod whole;

use core::convert::Infallible;
use core::fmt;

use rand_core::{CryptoRng, TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::suite::{Ed25519, Suite, with_suite};

/// What is told which memory is secret.
pub trait Watch {
    /// From now on these bytes are secret.
    fn secret(&self, start: *const u8, length: usize);
    /// From now on all may know these bytes.
    fn public(&self, start: *const u8, length: usize);
    /// Whether a secret has come into these bytes.
    fn is_secret(&self, start: *const u8, length: usize) -> bool;
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn secret(&self, _start: *const u8, _length: usize) {}

    fn public(&self, _start: *const u8, _length: usize) {}

    fn is_secret(&self, _start: *const u8, _length: usize) -> bool {
        true
    }
}

/// Everything that computes with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making nonces and their commitments.
    Commit,
    /// Making a signature share.
    Sign,
    /// Making a run key and proving its possession.
    Join,
    /// Dealing a new key.
    Deal,
    /// Dealing the share of an old epoch.
    Refresh,
    /// Dealing a helper's part of another member's share.
    Repair,
    /// Opening what the dealers sealed, and summing the share.
    Receive,
    /// Opening a deal to everybody, with the proof.
    Accuse,
    /// Sealing the own share to who puts the key together.
    HandOver,
    /// Opening another member's share, and putting the key together.
    TakeOver,
    /// Reading the scalar of a key that was made elsewhere, and dealing it.
    ImportScalar,
    /// Reading the seed of an Ed25519 key that was made elsewhere, and dealing the key.
    ImportSeed,
    /// Signing a transcript with the run key.
    Endorse,
    /// Signing with the identity.
    Speak,
    /// Sealing a backup to a key.
    Wrap,
    /// Opening a backup with a key.
    Unwrap,
    /// Reading what was in a backup, and checking the share against its certificates.
    Restore,
    /// Opening the root key with what Argon2id made of a PIN, and looking whether the records are those that were left.
    Unlock,
    /// Sealing a new root key behind what Argon2id made of a new PIN.
    ChangePin,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Commit,
        Self::Sign,
        Self::Join,
        Self::Deal,
        Self::Refresh,
        Self::Repair,
        Self::Receive,
        Self::Accuse,
        Self::HandOver,
        Self::TakeOver,
        Self::ImportScalar,
        Self::ImportSeed,
        Self::Endorse,
        Self::Speak,
        Self::Wrap,
        Self::Unwrap,
        Self::Restore,
        Self::Unlock,
        Self::ChangePin,
    ];

    /// Prepares the operation with secrets and public values out of `rng`, and tells `watch` which are secret.
    ///
    /// # Errors
    ///
    /// What can't be prepared, in words: nothing, unless the library is changed.
    pub fn prepare(
        self,
        suite: Suite,
        rng: &mut dyn CryptoRng,
        watch: &dyn Watch,
    ) -> Result<Box<dyn Prepared>, &'static str> {
        match self {
            Self::Speak => keeping::Speak::prepare(rng, watch),
            Self::Wrap => keeping::Wrap::prepare(rng, watch),
            Self::Unwrap => keeping::Unwrap::prepare(rng, watch),
            Self::Restore => keeping::Restore::prepare(suite, rng, watch),
            Self::Unlock => keeping::Unlock::prepare(rng, watch),
            Self::ChangePin => keeping::ChangePin::prepare(rng, watch),
            Self::ImportSeed => whole::Import::<Ed25519>::prepare(self, rng, watch),
            _ => with_suite!(suite, C => match self {
                Self::Commit => signing::Commit::<C>::prepare(rng, watch),
                Self::Sign => signing::Sign::<C>::prepare(rng, watch),
                Self::Join => dealing::Join::<C>::prepare(rng, watch),
                Self::Receive => dealing::Receive::<C>::prepare(rng, watch),
                Self::Accuse => dealing::Accuse::<C>::prepare(rng, watch),
                Self::HandOver => whole::HandOver::<C>::prepare(rng, watch),
                Self::TakeOver => whole::TakeOver::<C>::prepare(rng, watch),
                Self::ImportScalar => whole::Import::<C>::prepare(self, rng, watch),
                Self::Endorse => dealing::Endorse::<C>::prepare(rng, watch),
                _ => dealing::Dealer::<C>::prepare(self, rng, watch),
            }),
        }
    }
}

/// An operation on secrets that are in place.
pub trait Prepared {
    /// Does it, once.
    fn run(&mut self);

    /// What came of it, which is public from now on; which public case it was.
    ///
    /// # Errors
    ///
    /// That it is wrong, or was not made of the secrets at all: then whoever watched has seen nothing.
    fn finish(&mut self, watch: &dyn Watch) -> Result<String, &'static str>;
}

type Preparation = Result<Box<dyn Prepared>, &'static str>;

fn hide<T: ?Sized>(watch: &dyn Watch, secret: &mut T) {
    watch.secret((&raw mut *secret).cast_const().cast(), size_of_val(secret));
}

/// Publishes a result that must have been made of secrets.
fn publish<T: ?Sized>(watch: &dyn Watch, result: &mut T) -> Result<(), &'static str> {
    let (start, length) = ((&raw mut *result).cast_const().cast(), size_of_val(result));
    let secret = watch.is_secret(start, length);
    watch.public(start, length);
    if secret { Ok(()) } else { Err("the result was made of no secret") }
}

fn ensure(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}

/// Randomness that was drawn beforehand, all of it secret.
struct Tape {
    bytes: Zeroizing<Vec<u8>>,
    at: usize,
}

impl Tape {
    /// More than any operation takes.
    const LENGTH: usize = 4096;

    fn record(rng: &mut dyn CryptoRng, watch: &dyn Watch) -> Self {
        let mut bytes = Zeroizing::new(vec![0; Self::LENGTH]);
        rng.fill_bytes(&mut bytes);
        hide(watch, bytes.as_mut_slice());
        Self { bytes, at: 0 }
    }
}

impl TryRng for Tape {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.bytes.get(self.at..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(rest.expect("the tape is longer than what any operation draws"));
        self.at += out.len();
        Ok(())
    }
}

impl TryCryptoRng for Tape {}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("at", &self.at).finish_non_exhaustive()
    }
}

fn random(rng: &mut dyn CryptoRng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}
