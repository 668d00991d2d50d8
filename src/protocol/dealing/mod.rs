//! Dealing: COCKTAIL-DKG v0.2.1 (C2SP), and the same machine with the old members as dealers for refresh and reshare.
//!
//! Everything here is pure: no IO, no clock, randomness passed in. Signed messages, their order and the certificate
//! that ends a run are the caller's.

mod accuse;
mod ceremony;
mod deal;
mod dleq;
mod error;
mod gather;
mod handover;
mod receive;
#[cfg(any(test, feature = "hazmat"))]
mod recover;
mod run_key;
mod schnorr;
#[cfg(test)]
mod tests;
mod transcript;

pub(crate) use accuse::{Fault, Opening, Verdict, accuse, judge};
pub(crate) use ceremony::{Ceremony, Participant, cocktail_context};
pub(crate) use deal::{Deal, Offer, deal};
#[cfg(feature = "hazmat")]
pub(crate) use deal::{deal_to, make};
pub(crate) use error::{DealingError, Misdeal};
pub(crate) use gather::Gathered;
pub(crate) use handover::{Handing, Handover};
#[cfg(feature = "hazmat")]
pub(crate) use receive::opens_with;
pub(crate) use receive::{
    GroupKeys, Opened, Received, check, check_offer, combine, group_keys, misdealt, open, shareless,
};
#[cfg(any(test, feature = "hazmat"))]
pub(crate) use recover::recover;
pub(crate) use run_key::RunKey;
pub(crate) use schnorr::{Hedge, Proof};
#[cfg(feature = "hazmat")]
pub(crate) use schnorr::{challenge, nonce};
#[cfg(any(test, feature = "hazmat"))]
pub(crate) use transcript::transcript;
pub(crate) use transcript::{
    MAX_EXTENSION, ParsedTranscript, ceremony_of, sign_transcript, verify_transcript_signature,
};
