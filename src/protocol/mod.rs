//! Sans-IO protocols. No IO, clock or storage; randomness is passed in.

mod attempt;
mod batch;
mod bounds;
mod certificate;
mod course;
pub(crate) mod dealing;
mod epoch;
mod exchange;
mod fault;
mod judge;
mod lineage;
mod machine;
pub(crate) mod polynomial;
mod reconstruct;
mod renewal;
mod repair;
mod revision;
pub(crate) mod sign;

pub(crate) use attempt::{Attempt, dealt_name, decode_attempts, encode_attempts};
pub use certificate::{Certificate, CertificateError};
pub(crate) use certificate::{check_succession, verify_chain};
pub(crate) use course::exchange_of;
pub(crate) use epoch::{Epoch, chain_hash, deal_plan, key_id};
pub use exchange::Rejection;
pub(crate) use exchange::{Accepted, Exchange, Refused};
pub use fault::{Evidence, Misbehaviour};
pub(crate) use fault::{Failure, LastWords};
pub use judge::Judgement;
pub use lineage::{Lineage, Warning};
pub use machine::Denial;
pub(crate) use machine::{Confirmation, Effect, Halt, Machine, PendingShare, RepairedShare, Transition};
pub(crate) use reconstruct::{ReconstructSetup, start as start_reconstructing};
pub(crate) use renewal::{Brought, Importing, Setup, Standing, Succession, decode_confirmation, encode_confirmation};
pub(crate) use repair::{Held, RepairSetup};
#[cfg(test)]
pub(crate) use revision::tests::epoch as test_epoch;
pub(crate) use revision::{SignedRevision, revise, revised};
pub(crate) use sign::{Claim, RoundOne, SignSetup, Stock, follow_prepared, has_key, verifying_key};

pub(crate) use renewal::start as start_dealing;
pub(crate) use repair::start as start_repair;
pub(crate) use sign::start as start_signing;
#[cfg(feature = "hazmat")]
pub(crate) use {
    exchange::view, polynomial::lagrange, reconstruct::combine as put_together, renewal::PayloadRule,
    renewal::constant_term, renewal::opens_deal, repair::part_of, sign::prepare,
};
