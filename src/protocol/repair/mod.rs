//! The run of a repair or an enrolment: join, vote, split, deliver, confirm.
//!
//! First the roster is revised: every helper signs who gets a share on which card, and why. Then the share itself is dealt
//! anew, twice, by the machine of every dealing. The helpers share it among themselves, each with the part λᵢ·sᵢ that it
//! holds of it, at the point of whoever gets it; and each gives its share of that to the one, who adds them up. What each
//! must deal follows from verifying shares and commitments, so every lie is found out and proven as in a dealing.

mod delivery;
mod join;
mod judge;
mod split;
#[cfg(test)]
mod tests;
mod vote;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::dealing::{Ceremony, Deal, Hedge, Participant, RunKey, cocktail_context, deal, group_keys};
use super::epoch::Epoch;
use super::fault::{Failure, Misbehaviour};
use super::machine::{Beginning, Halt};
use super::polynomial::{lagrange, lagrange_at};
use super::renewal::{PayloadRule, read_deal};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, Scalar, with_suite};
use crate::wire::{Identifier, IdentityKey, Message, RepairPlan, Roster, RunId, hash_messages};

pub(crate) use judge::judge;

/// The round of the votes; then the helpers share, then they deliver.
const VOTE: u8 = 1;
const SPLIT: u8 = 2;
const DELIVER: u8 = 3;

/// What a member enters the run of a repair with.
#[derive(Debug)]
pub(crate) struct RepairSetup {
    pub(crate) run: RunId,
    pub(crate) plan: RepairPlan,
    pub(crate) participants: Roster,
    pub(crate) me: Identifier,
    pub(crate) identity: Arc<IdentityKey>,
    /// The epoch after the revision.
    pub(crate) epoch: Epoch,
    /// A helper's share and the key's chain code, until it has delivered.
    pub(crate) held: Option<Held>,
}

/// What a helper has of the key.
#[derive(Debug)]
pub(crate) struct Held {
    /// Until it has dealt its part of the other's.
    pub(crate) share: Option<Secret<[u8; 32]>>,
    pub(crate) chain_code: Secret<[u8; 32]>,
}

impl RepairSetup {
    fn target(&self) -> Identifier {
        self.plan.revision.identifier
    }

    fn rule(&self) -> PayloadRule {
        payload_rule(self.run, &self.epoch)
    }
}

/// Beside each share is the key's chain code, as in every renewal.
fn payload_rule(run: RunId, epoch: &Epoch) -> PayloadRule {
    PayloadRule::kept(run, epoch)
}

/// Enters the run: what to wait in, and the join to send.
pub(crate) fn start(setup: RepairSetup, rng: &mut dyn CryptoRng) -> Result<Beginning<Vec<u8>>, Halt> {
    with_suite!(setup.plan.suite, C => join::start::<C>(setup, rng))
}

/// The run key of every member.
type RunKeys<C> = BTreeMap<Identifier, <C as Ciphersuite>::Element>;

fn participant<C: Ciphersuite>(run_keys: &RunKeys<C>, id: Identifier) -> Option<Participant<C>> {
    Some(Participant { id, run_key: *run_keys.get(&id)? })
}

/// The context of a dealing of this run, bound to all joins.
fn context<C: Ciphersuite>(tag: &str, run: RunId, joins: &[Message], run_keys: &RunKeys<C>) -> Option<Vec<u8>> {
    let all = run_keys.keys().map(|id| participant::<C>(run_keys, *id)).collect::<Option<Vec<_>>>()?;
    Some(cocktail_context(&hash_messages(tag, run, joins), &all))
}

/// The helpers share what is to be repaired among themselves. The part of helper *i* is ζᵢ·sᵢ, where ζᵢ is its Lagrange
/// coefficient at the member that gets the share: together they are that member's share.
fn split<C: Ciphersuite>(
    run: RunId,
    plan: &RepairPlan,
    epoch: &Epoch,
    joins: &[Message],
    run_keys: &RunKeys<C>,
) -> Option<Ceremony<C>> {
    let helpers: BTreeSet<_> = plan.helpers.iter().copied().collect();
    let constant = |id: &Identifier| {
        let share = C::Element::from_bytes(epoch.verifying_shares.get(id)?)?;
        let zeta = lagrange_at::<C>(Some(plan.revision.identifier), *id, &helpers);
        Some((*id, C::Element::vartime_sum_of_products(&[(zeta, share)])))
    };
    let constants = helpers.iter().map(constant).collect::<Option<_>>()?;
    let members = helpers.iter().map(|id| participant::<C>(run_keys, *id)).collect::<Option<Vec<_>>>()?;
    let context = context::<C>("quorumkey/repair/split/v1", run, joins, run_keys)?;
    let all = u16::try_from(members.len()).ok()?;
    Ceremony::new(context, all, members.clone(), members, Some(constants)).ok()
}

/// Each helper gives what it got of that to the one. All of them together are its share.
///
/// A helper that waits for the others' deals can deal so that it got nothing, and has nothing to give. That is no lie, and
/// the sum stays the share: it goes without that helper's deal.
fn delivery<C: Ciphersuite>(
    run: RunId,
    plan: &RepairPlan,
    split: &Ceremony<C>,
    splits: &BTreeMap<Identifier, Deal<C>>,
    (joins, run_keys): (&[Message], &RunKeys<C>),
) -> Option<Ceremony<C>> {
    let offers = splits.iter().map(|(id, deal)| (*id, &deal.offer)).collect();
    let helpers: BTreeSet<_> = plan.helpers.iter().copied().collect();
    let weighed = |(id, share)| (id, C::Element::vartime_sum_of_products(&[(lagrange::<C>(id, &helpers), share)]));
    let constants = group_keys(split, &offers).ok()?.verifying_shares.into_iter().map(weighed);
    let constants: BTreeMap<_, _> = constants.filter(|(_, constant)| !constant.is_identity()).collect();
    let dealers = split.dealers().iter().filter(|dealer| constants.contains_key(&dealer.id)).copied().collect();
    let target = participant::<C>(run_keys, plan.revision.identifier)?;
    let context = context::<C>("quorumkey/repair/deliver/v1", run, joins, run_keys)?;
    Ceremony::to_one(context, dealers, target, constants).ok()
}

/// A round of deals, or whose is not what all can see to be a good one. Who has nothing to deal says nothing.
fn read_deals<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    round: &[Message],
) -> Result<BTreeMap<Identifier, Deal<C>>, (Identifier, Misbehaviour)> {
    let read = |message: &Message| {
        let sender = message.sender();
        match (is_dealer(ceremony, sender), message.body()) {
            (false, []) => Ok(None),
            (false, _) => Err((sender, Misbehaviour::Malformed)),
            (true, _) => read_deal(ceremony, message).map(|deal| Some((sender, deal))).map_err(|what| (sender, what)),
        }
    };
    round.iter().filter_map(|message| read(message).transpose()).collect()
}

fn is_dealer<C: Ciphersuite>(ceremony: &Ceremony<C>, id: Identifier) -> bool {
    ceremony.dealers().iter().any(|dealer| dealer.id == id)
}

/// Evidence against a sender is its message, with all that fixed what it had to be.
fn failure(round: &[Message], before: &[Message], sender: Identifier, misbehaviour: Misbehaviour) -> Failure {
    let own = round.iter().filter(|message| message.sender() == sender);
    let messages: Vec<_> = before.iter().chain(own).collect();
    Failure::by(sender, misbehaviour, &messages)
}

/// Deals a secret that the ceremony fixes.
fn deal_fixed<C: Ciphersuite>(
    ceremony: &Ceremony<C>,
    setup: &RepairSetup,
    run_key: &RunKey<C>,
    constant: Secret<C::Scalar>,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, Failure> {
    let mut hedge = Zeroizing::new([0; 32]);
    rng.fill_bytes(hedge.as_mut());
    let held = setup.held.as_ref().ok_or_else(Failure::unattributed)?;
    let (payload, hedge) = (held.chain_code.expose().as_slice(), Hedge::Mixed(&hedge));
    let dealt = deal(ceremony, setup.me, run_key, Some(constant), payload, rng, hedge);
    dealt.map(|deal| deal.encode()).map_err(|_| Failure::unattributed())
}

/// ζᵢ·sᵢ of this member, whose share is not needed after that.
fn part<C: Ciphersuite>(setup: &mut RepairSetup) -> Option<Secret<C::Scalar>> {
    let share = setup.held.as_mut()?.share.take()?;
    let helpers = setup.plan.helpers.iter().copied().collect();
    part_of::<C>(setup.target(), setup.me, &helpers, &share)
}

/// What a helper has of the share of `target`: ζᵢ·sᵢ.
pub(crate) fn part_of<C: Ciphersuite>(
    target: Identifier,
    helper: Identifier,
    helpers: &BTreeSet<Identifier>,
    share: &Secret<[u8; 32]>,
) -> Option<Secret<C::Scalar>> {
    let share = Secret::new(C::Scalar::from_bytes(share.expose())?);
    Some(Secret::new(lagrange_at::<C>(Some(target), helper, helpers) * *share.expose()))
}
