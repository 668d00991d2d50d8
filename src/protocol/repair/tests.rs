//! Helpers that lie in good order, or that wait for the others before they deal: both take secrets that no test outside can
//! have.

use core::convert::Infallible;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_core::{TryCryptoRng, TryRng};

use super::*;
use crate::hazmat::{SampleDealing, sample_dealing};
use crate::protocol::certificate::Certificate;
use crate::protocol::dealing::open;
use crate::protocol::exchange::tests::header;
use crate::protocol::fault::{Evidence, LastWords};
use crate::protocol::machine::{Effect, Machine, RepairedShare, Transition};
use crate::protocol::renewal::{Join, possession_statement};
use crate::protocol::revision::{revise, vote};
use crate::suite::Suite;
use crate::wire::{Action, Card, Header, Invitation, Plan, Reason, Subject};

const HELPER: u16 = 1;
const LIAR: u16 = 2;
const HELPED: u16 = 3;

fn id(number: u16) -> Identifier {
    Identifier::new(number).unwrap()
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// Who takes part in the repair of the third member of a 2-of-3 key, which comes with a new token. The first helps it as it
/// should, and the second is played by the test.
struct Cast {
    sample: SampleDealing,
    identities: Vec<Arc<IdentityKey>>,
    certificate: Certificate,
    after: Epoch,
    plan: RepairPlan,
    invitation: Invitation,
}

impl Cast {
    fn new(suite: Suite) -> Self {
        let sample = sample_dealing(suite, &mut rng(1)).unwrap();
        let identity = |seed: &[u8; 32]| Arc::new(IdentityKey::from_seed(Secret::new(*seed)));
        let mut identities: Vec<_> = sample.seeds.iter().map(identity).collect();
        identities[2] = identity(&[9; 32]);
        let certificate = Certificate::from_bytes(&sample.certificate).unwrap();
        let epoch = certificate.verify(None).unwrap();
        let (old, card) =
            (epoch.roster().card(id(HELPED)).unwrap().id(), Card::issue(&identities[2], 0, String::new()));
        let (revision, after) = revise(&epoch, id(HELPED), &card, Some((old, Reason::Destroyed))).unwrap();
        let (helpers, roster) = (vec![id(HELPER), id(LIAR)], after.roster().clone());
        let plan = RepairPlan { suite, revision, roster, helpers, delivers: true };
        let whole = Plan { inviter: id(HELPER), randomness: [5; 32], action: Action::Repair(plan.clone()) };
        let invitation = Invitation::issue(whole, Vec::new(), &identities[0]);
        Self { sample, identities, certificate, after, plan, invitation }
    }

    fn run(&self) -> RunId {
        self.invitation.run_id()
    }

    fn start(&self, number: u16, held: Option<Held>) -> (Box<dyn Machine>, Vec<u8>) {
        let setup = RepairSetup {
            run: self.run(),
            plan: self.plan.clone(),
            participants: self.plan.participants().unwrap(),
            me: id(number),
            identity: Arc::clone(&self.identities[usize::from(number) - 1]),
            epoch: self.after.clone(),
            held,
        };
        start(setup, &mut rng(number.into())).unwrap()
    }

    /// A message as an honest member would send it, that saw these before.
    fn say(&self, sender: u16, round: u8, subject: Subject, body: Vec<u8>, before: &[Message]) -> Message {
        let (group, epoch) = (*self.after.key.as_bytes(), *self.after.id.as_bytes());
        let header =
            Header { group, epoch, ..header(self.plan.suite, self.run(), (round, id(sender), subject), before) };
        Message::issue(header, body, &self.identities[usize::from(sender) - 1])
    }

    /// The liar's join.
    fn join<C: Ciphersuite>(&self, run_key: &RunKey<C>) -> Message {
        self.join_as(LIAR, run_key)
    }

    fn join_as<C: Ciphersuite>(&self, sender: u16, run_key: &RunKey<C>) -> Message {
        let card = self.plan.roster.card(id(sender)).unwrap().id();
        let statement = possession_statement(self.run(), id(sender), card, &[4; 32], &[0; 32]);
        let join = Join {
            contribution: [4; 32],
            chain_commitment: [0; 32],
            run_key: *run_key.public(),
            possession: run_key.prove(&statement, Hedge::Deterministic).unwrap(),
            restored: false,
            overridden: false,
            attempts: Vec::new(),
            dealt: Vec::new(),
        };
        self.say(sender, 0, Subject::Join, join.encode(), &[])
    }

    /// The honest helper, which has what it helps with.
    fn helper(&self) -> (Box<dyn Machine>, Vec<u8>) {
        let (share, chain_code) = (Secret::new(self.sample.shares[0]), Secret::new(self.sample.chain_code));
        self.start(HELPER, Some(Held { share: Some(share), chain_code }))
    }

    /// Whoever looks at the messages later names the liar for that, or nobody.
    fn judge(&self, shown: Vec<Message>, expected: Option<Misbehaviour>) {
        let judged = Evidence::new(shown).judge(&self.invitation, std::slice::from_ref(&self.certificate)).unwrap();
        let judged = judged.map(|judgement| (judgement.culprits, judgement.misbehaviour));
        assert_eq!(judged, expected.map(|what| (vec![id(LIAR)], what)), "{:?}", self.plan.suite);
    }
}

#[test]
fn a_helper_that_has_one_run_key_with_whom_it_helps_is_named_with_it() {
    fn check<C: Ciphersuite>(suite: Suite) {
        let cast = Cast::new(suite);
        let ((helper, first), run_key) = (cast.helper(), RunKey::<C>::generate(&mut rng(2)));
        let first = cast.say(HELPER, 0, Subject::Join, first, &[]);
        let joins = vec![first, cast.join(&run_key), cast.join_as(HELPED, &run_key)];
        let Err(Halt::Failed(failed)) = helper.handle(&joins, &mut rng(4)) else { panic!("{suite:?}: it goes on") };
        let both = (vec![id(LIAR), id(HELPED)], Misbehaviour::RunKey);
        assert_eq!((failed.culprits, failed.misbehaviour), both);
        let judged = failed.evidence.judge(&cast.invitation, std::slice::from_ref(&cast.certificate)).unwrap();
        assert_eq!(judged.map(|judgement| (judgement.culprits, judgement.misbehaviour)), Some(both));
    }
    for suite in Suite::ALL {
        with_suite!(suite, C => check::<C>(suite));
    }
}

type Machines = [Box<dyn Machine>; 2];

/// The run up to the helpers' deals to each other, of which the honest one is there.
struct Stage<C: Ciphersuite> {
    cast: Cast,
    run_key: RunKey<C>,
    run_keys: RunKeys<C>,
    joins: Vec<Message>,
    votes: Vec<Message>,
    ceremony: Ceremony<C>,
    dealt: Message,
}

impl<C: Ciphersuite> Stage<C> {
    /// With the honest helper and the member that is helped.
    fn new(suite: Suite) -> (Self, Machines) {
        let cast = Cast::new(suite);
        let (helper, first) = cast.helper();
        let (target, third) = cast.start(HELPED, None);
        let run_key = RunKey::<C>::generate(&mut rng(2));
        let enters = |sender, body| cast.say(sender, 0, Subject::Join, body, &[]);
        let joins = vec![enters(HELPER, first), cast.join(&run_key), enters(HELPED, third)];
        let [helper, target] = [helper, target].map(|machine| machine.handle(&joins, &mut rng(4)).unwrap());
        let signed = vote(&cast.identities[1], &cast.plan.revision).to_vec();
        let votes = |sender, body| cast.say(sender, VOTE, Subject::Vote, body, &joins);
        let votes = vec![votes(HELPER, helper.send.unwrap().1), votes(LIAR, signed)];
        let [helper, target] = [helper.next, target.next].map(|next| next.handle(&votes, &mut rng(5)).unwrap());
        let dealt = cast.say(HELPER, SPLIT, Subject::Deal, helper.send.unwrap().1, &votes);
        let run_keys = join::read_joins::<C>(cast.run(), &cast.plan.participants().unwrap(), &joins).unwrap();
        let ceremony = split::<C>(cast.run(), &cast.plan, &cast.after, &joins, &run_keys).unwrap();
        (Self { cast, run_key, run_keys, joins, votes, ceremony, dealt }, [helper.next, target.next])
    }

    /// ζ·s of the liar: what it has of the share that is made.
    fn part(&self) -> C::Scalar {
        let (helpers, share) = (self.cast.plan.helpers.iter().copied().collect(), self.cast.sample.shares[1]);
        *part_of::<C>(id(HELPED), id(LIAR), &helpers, &Secret::new(share)).unwrap().expose()
    }

    fn deals(&self, splits: &[Message]) -> BTreeMap<Identifier, Deal<C>> {
        read_deals(&self.ceremony, splits).unwrap()
    }

    fn delivery(&self, splits: &[Message]) -> Ceremony<C> {
        let (cast, told) = (&self.cast, (self.joins.as_slice(), &self.run_keys));
        delivery(cast.run(), &cast.plan, &self.ceremony, &self.deals(splits), told).unwrap()
    }

    /// What the liar got of the parts, weighed: what it should deliver.
    fn sum(&self, splits: &[Message]) -> C::Scalar {
        let deals = self.deals(splits);
        let share = |(dealer, deal): (&Identifier, &Deal<C>)| {
            *open(&self.ceremony, id(LIAR), &self.run_key, *dealer, deal).unwrap().share.expose()
        };
        let sum = deals.iter().map(share).fold(C::Scalar::ZERO, |sum, share| sum + share);
        lagrange::<C>(id(LIAR), &self.cast.plan.helpers.iter().copied().collect()) * sum
    }

    fn splits(&self, lie: Lie) -> Vec<Message> {
        let body = self.lying_deal(&self.ceremony, self.part(), lie);
        vec![self.dealt.clone(), self.cast.say(LIAR, SPLIT, Subject::Deal, body, &self.votes)]
    }

    /// The liar's deal of that constant, in which the first receiver's ciphertext is that of another deal.
    fn lying_deal(&self, ceremony: &Ceremony<C>, constant: C::Scalar, lie: Lie) -> Vec<u8> {
        // The same randomness makes the same polynomial above the constant term, and the same ephemeral key.
        let dealt = |ceremony: &Ceremony<C>, constant, payload: &[u8]| {
            let (constant, rng) = (Some(Secret::new(constant)), &mut rng(6));
            deal(ceremony, id(LIAR), &self.run_key, constant, payload, rng, Hedge::Deterministic).unwrap()
        };
        let chain_code = &self.cast.sample.chain_code;
        let mut sent = dealt(ceremony, constant, chain_code);
        let other = match lie {
            Lie::None => return sent.encode(),
            Lie::ChainCode => dealt(ceremony, constant, &[0xee; 32]),
            Lie::Share => dealt(&another_constant(ceremony), constant + C::Scalar::ONE, chain_code),
        };
        sent.ciphertexts[0].clone_from(&other.ciphertexts[0]);
        sent.encode()
    }
}

/// The ceremony in which the liar deals one more.
fn another_constant<C: Ciphersuite>(ceremony: &Ceremony<C>) -> Ceremony<C> {
    let mut constants = ceremony.constants().unwrap().clone();
    let constant = constants.get_mut(&id(LIAR)).unwrap();
    *constant = *constant + C::Element::generator();
    let (context, dealers) = (ceremony.context().to_vec(), ceremony.dealers().to_vec());
    let receivers = ceremony.receivers().to_vec();
    match receivers.as_slice() {
        [one] => Ceremony::to_one(context, dealers, *one, constants).unwrap(),
        _ => Ceremony::new(context, ceremony.threshold(), dealers, receivers, Some(constants)).unwrap(),
    }
}

/// What is sealed, in good order, to the first receiver of the liar's deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    Share,
    ChainCode,
}

#[track_caller]
fn names_the_liar(result: Result<Transition, Halt>, expected: Misbehaviour) -> Failure {
    match result {
        Err(Halt::Failed(failure)) => {
            assert_eq!((failure.culprits.as_slice(), failure.misbehaviour), ([id(LIAR)].as_slice(), expected));
            *failure
        }
        other => panic!("{other:?}"),
    }
}

fn accusation(failure: &mut Failure) -> Vec<u8> {
    match failure.last_words.take() {
        Some(LastWords::Accuse(body)) => body,
        other => panic!("no accusation: {other:?}"),
    }
}

fn repaired(transition: Transition) -> RepairedShare {
    match transition.effect {
        Effect::Repaired(repaired) => *repaired,
        other => panic!("{other:?}"),
    }
}

/// The run to its end, in which the liar deals as it is told, and says that in the last deal. The share comes out.
fn goes_on<C: Ciphersuite>(stage: &Stage<C>, machines: Machines, splits: &[Message], delivered: Vec<u8>) {
    let [helper, target] = machines.map(|machine| machine.handle(splits, &mut rng(7)).unwrap());
    let delivers = |sender, body| stage.cast.say(sender, DELIVER, Subject::Deal, body, splits);
    let deliveries = [delivers(HELPER, helper.send.unwrap().1), delivers(LIAR, delivered)];
    assert!(helper.next.handle(&deliveries, &mut rng(8)).is_ok());
    let RepairedShare { share, chain_code } = repaired(target.next.handle(&deliveries, &mut rng(8)).unwrap());
    assert_eq!((share.expose(), chain_code.expose()), (&stage.cast.sample.shares[2], &stage.cast.sample.chain_code));
    let said = [stage.joins.as_slice(), &stage.votes, splits, &deliveries].concat();
    stage.cast.judge(said, None);
}

/// A lie to the other helper, which accuses; the member that is helped judges.
fn a_lie_to_a_helper<C: Ciphersuite>(suite: Suite, lie: Lie, expected: Misbehaviour) {
    let (stage, machines) = Stage::<C>::new(suite);
    let splits = stage.splits(lie);
    let [helper, target] = machines;
    let mut accused = names_the_liar(helper.handle(&splits, &mut rng(7)), expected);
    let target = target.handle(&splits, &mut rng(7)).unwrap();
    let accusation = stage.cast.say(HELPER, DELIVER, Subject::Accuse, accusation(&mut accused), &splits);
    let body = stage.lying_deal(&stage.delivery(&splits), stage.sum(&splits), Lie::None);
    let delivery = stage.cast.say(LIAR, DELIVER, Subject::Deal, body, &splits);
    let judged = names_the_liar(target.next.handle(&[accusation.clone(), delivery], &mut rng(8)), expected);
    for shown in [judged.evidence.0, [accused.evidence.0, vec![accusation]].concat()] {
        stage.cast.judge(shown, Some(expected));
    }
}

/// A lie to the member that is helped, which accuses; the other helper judges.
fn a_lie_to_who_is_helped<C: Ciphersuite>(suite: Suite, lie: Lie, expected: Misbehaviour) {
    let (stage, machines) = Stage::<C>::new(suite);
    let splits = stage.splits(Lie::None);
    let body = stage.lying_deal(&stage.delivery(&splits), stage.sum(&splits), lie);
    let [helper, target] = machines.map(|machine| machine.handle(&splits, &mut rng(7)).unwrap());
    let delivers = |sender, body| stage.cast.say(sender, DELIVER, Subject::Deal, body, &splits);
    let deliveries = [delivers(HELPER, helper.send.unwrap().1), delivers(LIAR, body)];
    let helper = helper.next.handle(&deliveries, &mut rng(8)).unwrap();
    let mut accused = names_the_liar(target.next.handle(&deliveries, &mut rng(8)), expected);
    let body = accusation(&mut accused);
    let accusation = stage.cast.say(HELPED, DELIVER + 1, Subject::Accuse, body, &deliveries);
    let judged = names_the_liar(helper.next.handle(std::slice::from_ref(&accusation), &mut rng(9)), expected);
    for shown in [judged.evidence.0, [accused.evidence.0, vec![accusation]].concat()] {
        stage.cast.judge(shown, Some(expected));
    }
}

const LIES: [(Lie, Misbehaviour); 2] =
    [(Lie::Share, Misbehaviour::SealedShare), (Lie::ChainCode, Misbehaviour::Payload)];

#[test]
fn what_is_sealed_in_order_to_a_helper_and_is_wrong_names_who_sealed_it() {
    for suite in Suite::ALL {
        with_suite!(suite, C => LIES.map(|(lie, expected)| a_lie_to_a_helper::<C>(suite, lie, expected)));
    }
}

#[test]
fn what_is_sealed_in_order_to_who_is_helped_and_is_wrong_names_who_sealed_it() {
    for suite in Suite::ALL {
        with_suite!(suite, C => LIES.map(|(lie, expected)| a_lie_to_who_is_helped::<C>(suite, lie, expected)));
    }
}

/// The control of both: the same members without a lie.
#[test]
fn a_repair_gives_the_share_that_was_lost() {
    for suite in Suite::ALL {
        with_suite!(suite, C => {
            let (stage, machines) = Stage::<C>::new(suite);
            let splits = stage.splits(Lie::None);
            let body = stage.lying_deal(&stage.delivery(&splits), stage.sum(&splits), Lie::None);
            goes_on(&stage, machines, &splits, body);
        });
    }
}

/// Randomness of which the first 64 bytes are chosen.
#[derive(Clone)]
struct Chosen(Option<[u8; 64]>, ChaCha20Rng);

impl TryRng for Chosen {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.1.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.1.try_next_u64()
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        match self.0.take() {
            Some(chosen) => out.copy_from_slice(&chosen),
            None => return self.1.try_fill_bytes(out),
        }
        Ok(())
    }
}

impl TryCryptoRng for Chosen {}

/// Randomness from which that scalar is drawn first: the suites read 64 bytes as one number, from either end.
fn drawing<C: Ciphersuite>(scalar: &C::Scalar) -> Chosen {
    let (mut low, mut high) = ([0; 64], [0; 64]);
    low[..32].copy_from_slice(&scalar.to_bytes());
    high[32..].copy_from_slice(&scalar.to_bytes());
    let tapes = [low, high].map(|bytes| Chosen(Some(bytes), rng(11)));
    tapes.into_iter().find(|tape| C::Scalar::random(&mut tape.clone()) == *scalar).unwrap()
}

/// The liar has waited for the other's deal, opened its own share f(2) of it, and takes the line through its part at 0 and
/// -f(2) at its own place: what it gets of all is zero.
fn nothing_is_left<C: Ciphersuite>(stage: &Stage<C>) -> Vec<Message> {
    let dealt = read_deal(&stage.ceremony, &stage.dealt).unwrap();
    let got = open(&stage.ceremony, id(LIAR), &stage.run_key, id(HELPER), &dealt).unwrap();
    let (part, own) = (stage.part(), C::Scalar::from_u64(LIAR.into()).vartime_invert().unwrap());
    let slope = -(*got.share.expose() + part) * own;
    let (constant, code) = (Some(Secret::new(part)), stage.cast.sample.chain_code);
    let deal = deal(
        &stage.ceremony,
        id(LIAR),
        &stage.run_key,
        constant,
        &code,
        &mut drawing::<C>(&slope),
        Hedge::Deterministic,
    );
    let body = deal.unwrap().encode();
    vec![stage.dealt.clone(), stage.cast.say(LIAR, SPLIT, Subject::Deal, body, &stage.votes)]
}

#[test]
fn a_helper_that_waits_and_leaves_itself_nothing_to_deliver_stops_no_repair() {
    for suite in Suite::ALL {
        with_suite!(suite, C => {
            let (stage, machines) = Stage::<C>::new(suite);
            let splits = nothing_is_left(&stage);
            assert_eq!(stage.sum(&splits), <C as Ciphersuite>::Scalar::ZERO);
            goes_on(&stage, machines, &splits, Vec::new());
        });
    }
}

#[test]
fn a_helper_that_delivers_what_it_does_not_have_is_named() {
    for suite in Suite::ALL {
        with_suite!(suite, C => {
            let (stage, machines) = Stage::<C>::new(suite);
            let splits = nothing_is_left(&stage);
            let [helper, target] =
                machines.map(|machine| machine.handle(&splits, &mut rng(7)).unwrap());
            let delivers = |sender, body| stage.cast.say(sender, DELIVER, Subject::Deal, body, &splits);
            let good = helper.send.unwrap().1;
            let deliveries = [delivers(HELPER, good.clone()), delivers(LIAR, good)];
            for machine in [helper.next, target.next] {
                let failure = names_the_liar(machine.handle(&deliveries, &mut rng(8)), Misbehaviour::Malformed);
                stage.cast.judge(failure.evidence.0, Some(Misbehaviour::Malformed));
            }
        });
    }
}

/// It speaks for itself: whoever sees no more of the run than that names the same.
fn accuses_whoever_does_not_help<C: Ciphersuite>(suite: Suite, accused: u16) {
    let (stage, [_, target]) = Stage::<C>::new(suite);
    let splits = stage.splits(Lie::None);
    let point = C::Element::mul_base(&stage.sum(&splits)).to_bytes();
    let body = [&accused.to_be_bytes()[..], &point, &point, &[0; 64]].concat();
    let accusation = stage.cast.say(LIAR, DELIVER, Subject::Accuse, body, &splits);
    let target = target.handle(&splits, &mut rng(7)).unwrap();
    let result = target.next.handle(&[accusation], &mut rng(8));
    let named = names_the_liar(result, Misbehaviour::FalseAccusation);
    stage.cast.judge(named.evidence.0, Some(Misbehaviour::FalseAccusation));
}

#[test]
fn who_accuses_somebody_that_does_not_help_is_named_by_whoever_sees_it() {
    for (suite, accused) in Suite::ALL.into_iter().flat_map(|suite| [(suite, 99), (suite, HELPED)]) {
        with_suite!(suite, C => accuses_whoever_does_not_help::<C>(suite, accused));
    }
}

/// What a helper dealt is judged beside all votes, also where it has signed to have seen no other than its own.
#[test]
fn what_is_dealt_beside_the_votes_of_some_is_not_judged() {
    for suite in Suite::ALL {
        with_suite!(suite, C => {
            let (stage, _) = Stage::<C>::new(suite);
            let all = stage.votes.as_slice();
            for (votes, expected) in [(all, Some(Misbehaviour::Malformed)), (&all[1..], None)] {
                let dealt = stage.cast.say(LIAR, SPLIT, Subject::Deal, Vec::new(), votes);
                stage.cast.judge([stage.joins.as_slice(), votes, &[dealt]].concat(), expected);
            }
        });
    }
}

#[test]
fn a_vote_is_judged_as_one_in_its_round_and_as_out_of_its_place_in_another() {
    let cast = Cast::new(Suite::Ed25519);
    for (round, subject, expected) in [
        (VOTE, Subject::Vote, Some(Misbehaviour::RevisionSignature)),
        (SPLIT, Subject::Vote, Some(Misbehaviour::Malformed)),
        (VOTE, Subject::Deal, Some(Misbehaviour::Malformed)),
    ] {
        cast.judge(vec![cast.say(LIAR, round, subject, vec![7], &[])], expected);
    }
}
