//! The first round: members enter, and what they have signed before comes to light.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::deals::ExpectDeals;
use super::entered::{Entered, entered, loses};
use super::join::{Join, chain_commitment, possession_statement};
use crate::guard::{forbids, unless_off};
use crate::protocol::attempt::{Attempt, Entrants};
use crate::protocol::certificate::Certificate;
use crate::protocol::dealing::{Ceremony, Hedge, RunKey, deal};
use crate::protocol::epoch::Epoch;
use crate::protocol::fault::Failure;
use crate::protocol::machine::{Beginning, Denial, Done, Effect, Halt, Machine, Transition};
use crate::protocol::polynomial::lagrange;
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Scalar, with_suite};
use crate::wire::{Card, DealPlan, EpochId, Identifier, IdentityKey, Message, Plan, Roster, RunId, Source, Subject};

/// What a member knows of a key that it helps to renew.
#[derive(Debug)]
pub(crate) struct Succession {
    pub(crate) parent: Epoch,
    /// Its share of the parent, if it deals.
    pub(crate) share: Option<Secret<[u8; 32]>>,
    /// The key's chain code, if it holds a share.
    pub(crate) chain_code: Option<Secret<[u8; 32]>>,
    pub(crate) standing: Standing,
    /// The parent and every epoch before it.
    pub(crate) ancestors: Vec<EpochId>,
}

/// What a member brings to the import of a key.
#[derive(Debug)]
pub(crate) struct Importing {
    /// What only the dealer has.
    pub(crate) brought: Option<Brought>,
    /// Attempts to import the key that it has signed and that no certificate has ended.
    pub(crate) attempts: Vec<Certificate>,
}

/// A key that was made elsewhere.
#[derive(Debug)]
pub(crate) struct Brought {
    pub(crate) secret: Secret<[u8; 32]>,
    pub(crate) chain_code: Secret<[u8; 32]>,
}

/// What a member has promised, and what it may have forgotten.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The token was restored from a backup, and has certified nothing since.
    pub(crate) restored: bool,
    /// The security officer lifts rules 5 and 8 for this run.
    pub(crate) overridden: bool,
    /// The attempts that it has signed and that no certificate has ended.
    pub(crate) attempts: Vec<Certificate>,
    /// The attempts that it has dealt in and that no certificate has ended.
    pub(crate) dealt: Vec<Attempt>,
}

/// What a member enters the run of a dealing with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) plan: Plan,
    pub(crate) deal: DealPlan,
    pub(crate) participants: Roster,
    pub(crate) me: Identifier,
    pub(crate) identity: Arc<IdentityKey>,
    /// When an epoch is renewed.
    pub(crate) succession: Option<Succession>,
    /// When a key is imported.
    pub(crate) importing: Option<Importing>,
}

impl Setup {
    fn attempts(&self) -> &[Certificate] {
        match (&self.succession, &self.importing) {
            (Some(succession), _) => &succession.standing.attempts,
            (None, Some(importing)) => &importing.attempts,
            (None, None) => &[],
        }
    }

    fn standing(&self) -> Option<&Standing> {
        self.succession.as_ref().map(|succession| &succession.standing)
    }

    /// What only a dealing needs. Who gets no share anew keeps the chain code, to see that it is the same.
    fn forget_dealt(&mut self) {
        // What is imported as well: its last copy in this token goes now, not with the run.
        self.importing = None;
        let keeps = !self.is_receiver();
        if let Some(succession) = &mut self.succession {
            succession.share = None;
            succession.chain_code = succession.chain_code.take().filter(|_| keeps);
        }
    }

    fn brought(&self) -> Option<&Brought> {
        self.importing.as_ref()?.brought.as_ref()
    }

    pub(super) fn is_dealer(&self) -> bool {
        self.deal.dealers().card(self.me).is_some()
    }

    pub(super) fn is_receiver(&self) -> bool {
        self.deal.receivers.card(self.me).is_some()
    }
}

/// Enters the run: what to wait in, and the join to send.
pub(crate) fn start(setup: Setup, rng: &mut dyn CryptoRng) -> Result<Beginning<Vec<u8>>, Halt> {
    with_suite!(setup.deal.suite, C => ExpectJoins::<C>::start(setup, rng))
}

/// Waiting for every member's join.
#[derive(Debug)]
struct ExpectJoins<C: Ciphersuite> {
    setup: Setup,
    run: RunId,
    run_key: RunKey<C>,
    /// This member's part of the chain code of a new key.
    chain_part: Zeroizing<[u8; 32]>,
}

impl<C: Ciphersuite> ExpectJoins<C> {
    fn start(setup: Setup, rng: &mut dyn CryptoRng) -> Result<Beginning<Vec<u8>>, Halt> {
        let run = setup.plan.run_id();
        let run_key = RunKey::<C>::generate(rng);
        let mut chain_part = Zeroizing::new([0; 32]);
        let (mut contribution, mut hedge) = ([0; 32], Zeroizing::new([0; 32]));
        rng.fill_bytes(chain_part.as_mut());
        rng.fill_bytes(&mut contribution);
        rng.fill_bytes(hedge.as_mut());
        let chain_commitment = match setup.deal.source {
            Source::Fresh => chain_commitment(run, setup.me, chain_part.as_slice()),
            Source::Import { .. } | Source::Epoch { .. } => [0; 32],
        };
        let card = setup.participants.card(setup.me).ok_or_else(Failure::unattributed)?.id();
        let statement = possession_statement(run, setup.me, card, &contribution, &chain_commitment);
        let possession = run_key.prove(&statement, Hedge::Mixed(&hedge)).map_err(|_| Failure::unattributed())?;
        let join = Join {
            contribution,
            chain_commitment,
            run_key: *run_key.public(),
            possession,
            restored: setup.standing().is_some_and(|standing| standing.restored),
            overridden: setup.standing().is_some_and(|standing| standing.overridden),
            attempts: ascending(setup.attempts(), Certificate::epoch_id),
            dealt: ascending(Attempt::newest(setup.standing().map_or(&[], |it| &it.dealt)), |attempt| attempt.epoch),
        };
        let join = join.encode_if_it_fits().ok_or(Halt::Denied(Denial::TooManyAttempts))?;
        Ok((Box::new(Self { setup, run, run_key, chain_part }), join))
    }

    fn parent(&self) -> Option<&Epoch> {
        self.setup.succession.as_ref().map(|succession| &succession.parent)
    }

    /// Rule 4: if the joins show every signature of an attempt, that attempt is complete, and this one ends: also for a member
    /// that has no part in it.
    fn completed(&self, joins: &BTreeMap<Identifier, Join<C>>) -> Option<Certificate> {
        let mut attempts = BTreeMap::new();
        for (member, join) in joins {
            for report in &join.attempts {
                let merged = attempts.entry(report.epoch_id()).or_insert_with(|| report.clone());
                // A losing line is shown by whoever has it, with everybody's signature but perhaps its own.
                if let Some(endorsement) = report.endorsement(*member) {
                    merged.endorse(*member, endorsement.clone());
                }
            }
        }
        attempts.into_values().find(|certificate| certificate.verify(self.parent()).is_ok())
    }

    /// What the joins say together of the members and of the past; every member comes to the same.
    fn entrants(&self, joins: &BTreeMap<Identifier, Join<C>>) -> Entrants {
        let ancestors = self.setup.succession.as_ref().map_or(&[][..], |succession| &succession.ancestors);
        let mut named = BTreeMap::new();
        for (member, join) in joins {
            for epoch in join.attempts.iter().filter_map(|attempt| attempt.epoch().ok()) {
                let everybody = epoch.plan.participants().filter(|_| loses(&self.setup.deal, epoch.id));
                let signers = everybody.map_or_else(|| vec![*member], |all| all.identifiers().collect());
                Entrants::sign(&mut named, Attempt::signed(&epoch), &signers);
            }
        }
        for attempt in joins.values().flat_map(|join| &join.dealt) {
            Entrants::deal(&mut named, attempt);
        }
        Entrants::make_room(&mut named);
        named.retain(|epoch, _| !ancestors.contains(epoch));
        let who = |says: fn(&Join<C>) -> bool| joins.iter().filter(|(_, join)| says(join)).map(|(id, _)| *id).collect();
        Entrants {
            named: named.into_values().collect(),
            forgetful: who(|join| join.restored),
            overridden: who(|join| join.overridden),
        }
    }

    /// Rule 5: power passed to an attempt's receivers when it was dealt. Whoever goes on without them must be able to end it,
    /// or have it lifted by the officers of a quorum, its own among them.
    fn check_power(&self, entrants: &Entrants) -> Result<(), Halt> {
        let Some(Succession { parent, standing, .. }) = &self.setup.succession else { return Ok(()) };
        let above = entrants.above(&self.setup.deal, parent);
        if forbids!(HeightBeforeDealing, above != Some(self.setup.deal.height)) {
            // The plan names a line of which nobody here has the certificate, or stands higher than it has to.
            return Err(Failure::unattributed().into());
        }
        let unended = entrants.unended(&self.setup.deal, parent);
        let Some(attempt) = unless_off!(AttemptEndedBeforeDealing, unended, None) else { return Ok(()) };
        let old = parent.roster().card(self.setup.me).is_some();
        if entrants.is_overridden(&self.setup.deal, parent) && (standing.overridden || !old) {
            return Ok(());
        }
        Err(Halt::Denied(Denial::AttemptNotEnded { attempt }))
    }

    /// Rule 8: a restored token has forgotten what it signed, and goes by what a quorum of others remembers.
    fn check_standing(&self, joins: &BTreeMap<Identifier, Join<C>>) -> Result<(), Halt> {
        let Some(Succession { parent, standing, .. }) = &self.setup.succession else { return Ok(()) };
        if !standing.restored || standing.overridden {
            return Ok(());
        }
        let old = |id| {
            let now = self.setup.participants.card(id).map(Card::identity);
            now.is_some() && now == parent.roster().card(id).map(Card::identity)
        };
        // What they tell of lies below this attempt: who tells of another has been named as malformed.
        let remembering =
            joins.iter().filter(|(id, join)| **id != self.setup.me && !join.restored && old(**id)).count();
        if forbids!(RestoredDealsInAQuorum, remembering < parent.quorum()) {
            return Err(Halt::Denied(Denial::RestoredNeedsQuorum));
        }
        Ok(())
    }

    /// Whether the share that it was to deal is gone.
    fn is_over(&self) -> bool {
        self.setup.is_dealer() && self.setup.succession.as_ref().is_some_and(|succession| succession.share.is_none())
    }

    /// What this member deals where the plan fixes it: the secret that it imports, or λᵢ·sᵢ of the old epoch.
    fn constant(&self) -> Option<Secret<C::Scalar>> {
        if let Some(brought) = self.setup.brought() {
            return C::Scalar::from_bytes(brought.secret.expose()).map(Secret::new);
        }
        let share = self.setup.succession.as_ref()?.share.as_ref()?;
        constant_term::<C>(self.setup.me, &self.setup.deal.dealers().identifiers().collect(), share)
    }

    fn payload(&self) -> &[u8] {
        if let Some(brought) = self.setup.brought() {
            return brought.chain_code.expose();
        }
        match self.setup.succession.as_ref().and_then(|succession| succession.chain_code.as_ref()) {
            Some(chain_code) => chain_code.expose(),
            None => self.chain_part.as_slice(),
        }
    }

    fn deal(&self, ceremony: &Ceremony<C>, rng: &mut dyn CryptoRng) -> Option<Vec<u8>> {
        let mut hedge = Zeroizing::new([0; 32]);
        rng.fill_bytes(hedge.as_mut());
        let (constant, payload, hedge) = (self.constant(), self.payload(), Hedge::Mixed(&hedge));
        deal(ceremony, self.setup.me, &self.run_key, constant, payload, rng, hedge).ok().map(|deal| deal.encode())
    }
}

impl<C: Ciphersuite> Machine for ExpectJoins<C> {
    fn handle(mut self: Box<Self>, round: &[Message], rng: &mut dyn CryptoRng) -> Result<Transition, Halt> {
        let Entered { joins, ceremony } = entered::<C>(&self.setup.plan, self.parent(), round)?;
        if let Some(certificate) = self.completed(&joins) {
            return Ok(Transition::silent(Box::new(Done), Effect::Certified(Box::new(certificate))));
        }
        self.check_standing(&joins)?;
        let entrants = self.entrants(&joins);
        self.check_power(&entrants)?;
        if !entrants.fits() {
            // Nobody could certify what is dealt now.
            return Err(Halt::Denied(Denial::TooManyAttempts));
        }
        let (mut send, mut effect) = (None, Effect::None);
        if self.setup.is_dealer() {
            // Whose share is gone with its epoch says nothing. That it is over it is told by what it would put on record.
            if !self.is_over() {
                send = Some((Subject::Deal, self.deal(&ceremony, rng).ok_or_else(Failure::unattributed)?));
            }
            if self.parent().is_some() {
                effect =
                    Attempt::dealt(&self.setup.plan).map_or(Effect::None, |dealt| Effect::Dealing(Box::new(dealt)));
            }
        }
        self.setup.forget_dealt();
        let chain_commitments = joins.iter().map(|(id, join)| (*id, join.chain_commitment)).collect();
        let next = ExpectDeals {
            setup: self.setup,
            run: self.run,
            run_key: self.run_key,
            ceremony,
            chain_commitments,
            entrants,
            joins: round.to_vec(),
        };
        Ok(Transition { next: Box::new(next), send, effect })
    }

    fn forget_share(&mut self) {
        self.setup.forget_dealt();
    }
}

/// In the order of their names, each once.
fn ascending<T: Clone>(attempts: &[T], name: impl Fn(&T) -> EpochId) -> Vec<T> {
    let named: BTreeMap<_, _> = attempts.iter().map(|one| (name(one), one.clone())).collect();
    named.into_values().collect()
}

/// λᵢ·sᵢ, of a share as it is kept.
pub(crate) fn constant_term<C: Ciphersuite>(
    me: Identifier,
    dealers: &BTreeSet<Identifier>,
    share: &Secret<[u8; 32]>,
) -> Option<Secret<C::Scalar>> {
    let share = Secret::new(C::Scalar::from_bytes(share.expose())?);
    Some(Secret::new(lagrange::<C>(me, dealers) * *share.expose()))
}
