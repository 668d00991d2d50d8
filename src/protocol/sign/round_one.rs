//! Round one of a run that was entered: the nonces are made, and what they commit to is said.

use rand_core::CryptoRng;

use super::{SignSetup, prepare, start};
use crate::protocol::machine::{Effect, Halt, Machine, Transition};
use crate::secret::Secret;
use crate::wire::{Message, PreparePlan, Subject};

/// Waiting to begin: it takes a round without messages.
#[derive(Debug)]
pub(crate) enum RoundOne {
    /// Of one signature.
    Sign(Box<SignSetup>),
    /// Of nonces that are made beforehand, which the share hedges.
    Prepare(PreparePlan, Secret<[u8; 32]>),
}

impl Machine for RoundOne {
    fn handle(self: Box<Self>, _round: &[Message], rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let (next, send) = match *self {
            Self::Sign(setup) => {
                let (next, body) = start(*setup, rng)?;
                (next, body.map(|body| (Subject::Commit, body)))
            }
            Self::Prepare(plan, share) => {
                let (next, body) = prepare(&plan, &share, rng)?;
                (next, Some((Subject::Prepare, body)))
            }
        };
        Ok(Transition { next, send, effect: Effect::None })
    }
}
