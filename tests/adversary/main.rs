//! Attackers in every place: each member, the coordinator and the transport, in every protocol.
//!
//! An attacker's token is honest; what it says is changed field by field and signed again with its identity, dropped,
//! repeated, reflected, reordered, replayed from elsewhere, said to some and not to others. After each attack the oracles
//! look at what every honest member ended with.
//!
//! `scripts/adversary` runs as many schedules as it is told to, and every field in every suite.
#![allow(unreachable_pub, reason = "each module is for the others")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../epochs/device.rs"]
mod device;

mod attack;
mod cast;
mod colluders;
mod fields;
mod framing;
mod network;
mod oracle;
mod oracles;
mod plans;
mod play;
mod renewals;
mod scene;
mod schedules;
mod settled;
mod tokens;
mod troupes;
