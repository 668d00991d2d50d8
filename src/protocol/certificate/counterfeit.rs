//! A founding certificate that its key's members never signed. For tests.

use rand_core::CryptoRng;

use super::{Certificate, Endorsement, Extension};
use crate::protocol::attempt::{Attempt, Entrants};
use crate::protocol::dealing::{Ceremony, Deal, Hedge, Participant, RunKey, sign_transcript, transcript};
use crate::protocol::epoch::deal_plan;
use crate::suite::{Ciphersuite, with_suite};
use crate::wire::{Action, Card, DealPlan, Identifier, IdentityKey, Kind, Plan, Roster};

impl Certificate {
    /// What strangers can make of a founding certificate: the same commitments, and so the same key, with their own
    /// cards, run keys and signatures, naming the genuine one as superseded. As many strangers as there are members.
    pub(crate) fn counterfeit(&self, strangers: &[&IdentityKey], rng: &mut dyn CryptoRng) -> Option<Self> {
        let plan = deal_plan(&self.plan)?;
        with_suite!(plan.suite, C => self.counterfeit_of::<C>(plan, strangers, rng))
    }

    fn counterfeit_of<C: Ciphersuite>(
        &self,
        plan: &DealPlan,
        strangers: &[&IdentityKey],
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        let genuine = self.parse::<C>().ok()?;
        let cards = strangers.iter().map(|stranger| Card::issue(stranger, 0, "a stranger".to_owned()));
        let deal = DealPlan { receivers: Roster::numbered(cards).ok()?, ..plan.clone() };
        let plan = Plan { inviter: Identifier::new(1)?, randomness: [0; 32], action: Action::Deal(deal) };
        let ids: Vec<_> = genuine.ceremony.receivers().iter().map(|member| member.id).collect();
        let keys: Vec<_> = strangers.iter().map(|_| RunKey::<C>::generate(rng)).collect();
        let members: Vec<_> =
            ids.iter().zip(&keys).map(|(id, key)| Participant { id: *id, run_key: *key.public() }).collect();
        let (context, threshold) = (genuine.ceremony.context().to_vec(), genuine.ceremony.threshold());
        let ceremony = Ceremony::new(context, threshold, members.clone(), members, None).ok()?;
        let deals =
            genuine.offers.into_iter().map(|(id, offer)| (id, Deal { offer, ciphertexts: Vec::new() })).collect();
        let own = Attempt { signers: ids.clone(), ..Attempt::signed(&self.epoch().ok()?) };
        let entrants = Entrants { named: vec![own], ..Entrants::default() };
        let extension = Extension { run: plan.run_id(), ciphertexts: [0; 32], chain_hash: [0; 32], entrants };
        let transcript = transcript(&ceremony, &deals, &extension.to_bytes()).ok()?;
        let mut forged = Self::unsigned(plan, transcript.clone());
        for ((id, key), stranger) in ids.iter().zip(&keys).zip(strangers) {
            let identity = stranger.sign(Kind::Transcript, forged.epoch_id().as_bytes());
            let run_key = sign_transcript(key, &transcript, Hedge::Deterministic).ok()?.encode();
            forged.endorse(*id, Endorsement { identity, run_key });
        }
        Some(forged)
    }
}
