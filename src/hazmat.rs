//! Inner doors, for tests, benches and fuzzing: exempt from semver, and nothing a wallet should touch.

mod actor;
mod cocktail;
pub mod constant_time;
mod fields;
mod forge;
pub mod fuzz;
mod loot;
mod power;
mod pretend;
mod samples;
mod scavenge;
mod shared;
mod shares;
mod steps;

use std::collections::BTreeMap;

use frost_core::keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare};
use frost_core::{Ciphersuite, Error, Identifier as FrostIdentifier, VerifyingKey};

use crate::wire::Identifier;

pub use crate::wrap::hazmat as wrap;
pub use actor::{Actor, Made, Stocked, Troupe};
pub use cocktail::{
    CocktailFigures, CocktailRecovery, CocktailRound, CocktailRun, CocktailSignature, cocktail_dkg, cocktail_recover,
    cocktail_sign,
};
pub use fields::{BODY, Field, FieldKind, NAMES as FIELD_NAMES, fields, subjects};
pub use forge::{Forger, Forgery, SigningForgery, body, plan, prepared_index, subject};
pub use loot::Loot;
pub use power::{Cut, Recorder, Replay, Syncs};
pub use pretend::{pretend_to_have_dealt, pretend_to_have_signed};
pub use samples::{SampleDealing, sample_dealing};
pub use scavenge::Scavenged;
pub use shared::Shared;
pub use shares::{group_key_of_shares, verifying_shares};
pub use steps::{
    DealingCase, Outcome, SigningCase, Step, Steps, commit, dkg_member, offer, proofs, random_scalar, refresh_member,
    shares,
};

/// Sets the clock that bounds the life of nonces so far ahead, for this thread: a test need not wait.
pub fn set_clock_ahead(by: core::time::Duration) {
    crate::keystore::set_clock_ahead(by);
}

/// Does that once this thread has next computed a round of a run, before anything of it is recorded: what other threads do
/// meanwhile.
pub fn meanwhile(act: impl FnOnce() + 'static) {
    crate::keystore::plan_meanwhile(Box::new(act));
}

/// frost's identifier of a member.
///
/// # Errors
/// What frost says.
pub fn frost_identifier<F: Ciphersuite>(id: Identifier) -> Result<FrostIdentifier<F>, Error<F>> {
    FrostIdentifier::try_from(id.get())
}

/// A share as frost holds it, by canonical bytes. The caller vouches that the three values belong together.
///
/// # Errors
/// What frost says.
///
/// # Security
/// The share lies open in what comes back, and frost's types leave copies of it in memory.
pub fn frost_key_package<F: Ciphersuite>(
    id: Identifier,
    share: &[u8; 32],
    verifying_share: &[u8],
    group_key: &[u8],
    threshold: u16,
) -> Result<KeyPackage<F>, Error<F>> {
    Ok(KeyPackage::new(
        frost_identifier(id)?,
        SigningShare::deserialize(share)?,
        VerifyingShare::deserialize(verifying_share)?,
        VerifyingKey::deserialize(group_key)?,
        threshold,
    ))
}

/// The public half of a key as frost holds it, by canonical bytes.
///
/// # Errors
/// What frost says.
pub fn frost_public_key_package<F: Ciphersuite>(
    verifying_shares: &BTreeMap<Identifier, Vec<u8>>,
    group_key: &[u8],
    threshold: u16,
) -> Result<PublicKeyPackage<F>, Error<F>> {
    let verifying_shares = verifying_shares
        .iter()
        .map(|(id, bytes)| Ok((frost_identifier(*id)?, VerifyingShare::deserialize(bytes)?)))
        .collect::<Result<_, Error<F>>>()?;
    Ok(PublicKeyPackage::new(verifying_shares, VerifyingKey::deserialize(group_key)?, Some(threshold)))
}
