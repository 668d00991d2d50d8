//! Dealers that seal a lie in good order, which takes the secrets that no test outside can have.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::join::{Join, chain_commitment, possession_statement};
use super::*;
use crate::protocol::attempt::Attempt;
use crate::protocol::certificate::{Certificate, CertificateError, Endorsement};
use crate::protocol::dealing::{
    Ceremony, Deal, Hedge, Participant, RunKey, cocktail_context, deal, open, sign_transcript,
};
use crate::protocol::epoch::chain_hash;
use crate::protocol::exchange::tests::header;
use crate::protocol::fault::{Failure, LastWords, Misbehaviour};
use crate::protocol::machine::{Denial, Effect, Halt, Machine};
use crate::secret::Secret;
use crate::suite::{Ciphersuite, Element, GroupKey, Scalar, with_suite};
use crate::wire::{
    Action, Card, DealPlan, DecodeError, Identifier, IdentityKey, KeyTemplate, Kind, Message, Plan, Roster, Source,
    Subject, Writer, hash_messages, one_of,
};
use crate::{Suite, protocol};

const LIAR: u16 = 3;

fn id(number: u16) -> Identifier {
    Identifier::new(number).unwrap()
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn identity(number: u16) -> IdentityKey {
    IdentityKey::from_seed(Secret::new([u8::try_from(number).unwrap(); 32]))
}

fn plan(suite: Suite) -> Plan {
    plan_from(suite, |_| Source::Fresh)
}

/// An import of the secret 5 by the liar, whose chain code is said to be that one.
fn import_plan<C: Ciphersuite>(suite: Suite, chain_code: &[u8; 32]) -> Plan {
    import_plan_of::<C>(suite, &C::Scalar::from_u64(5), chain_code)
}

fn import_plan_of<C: Ciphersuite>(suite: Suite, secret: &C::Scalar, chain_code: &[u8; 32]) -> Plan {
    let group_key = GroupKey::new::<C>(&C::Element::mul_base(secret));
    let chain_hash = chain_hash(chain_code);
    plan_from(suite, |members| Source::Import { group_key, chain_hash, dealers: one_of(members, id(LIAR)).unwrap() })
}

fn plan_from(suite: Suite, source: impl FnOnce(&Roster) -> Source) -> Plan {
    let cards = (1..=3).map(|number| Card::issue(&identity(number), 0, format!("member {number}")));
    let receivers = Roster::numbered(cards).unwrap();
    let source = source(&receivers);
    let attempt = u32::from(source != Source::Fresh);
    let template = KeyTemplate::wallet("a wallet");
    let deal = DealPlan { suite, threshold: 2, height: 0, attempt, template, receivers, source };
    Plan { inviter: id(1), randomness: [9; 32], action: Action::Deal(deal) }
}

fn deal_plan(plan: &Plan) -> &DealPlan {
    protocol::deal_plan(plan).unwrap()
}

/// A message as an honest member would send it, that saw these before.
fn say(plan: &Plan, sender: u16, round: u8, subject: Subject, body: Vec<u8>, before: &[Message]) -> Message {
    let header = header(plan.suite(), plan.run_id(), (round, id(sender), subject), before);
    Message::issue(header, body, &identity(sender))
}

fn enter(plan: &Plan, me: u16) -> (Box<dyn Machine>, Message) {
    let setup = Setup {
        plan: plan.clone(),
        deal: deal_plan(plan).clone(),
        participants: deal_plan(plan).receivers.clone(),
        me: id(me),
        identity: identity(me).into(),
        succession: None,
        importing: None,
    };
    let (machine, body) = start(setup, &mut rng(me.into())).unwrap();
    (machine, say(plan, me, 0, Subject::Join, body, &[]))
}

/// What a member says that has signed attempts with such transcripts, before it enters an import.
fn joined_after(transcripts: Vec<Vec<u8>>) -> Result<Vec<u8>, Halt> {
    let plan = with_suite!(Suite::Ed25519, C => import_plan::<C>(Suite::Ed25519, &[8; 32]));
    let attempts = transcripts.into_iter().map(|bytes| Certificate::unsigned(plan.clone(), bytes)).collect();
    let setup = Setup {
        plan: plan.clone(),
        deal: deal_plan(&plan).clone(),
        participants: deal_plan(&plan).receivers.clone(),
        me: id(1),
        identity: identity(1).into(),
        succession: None,
        importing: Some(Importing { brought: None, attempts }),
    };
    start(setup, &mut rng(1)).map(|(_, said)| said)
}

/// Attempts with transcripts as long as those of the largest groups, of which the second has no room in a join.
#[test]
fn who_has_signed_more_than_a_join_has_room_for_is_denied_before_anything_is_said() {
    let attempt = |fill: u8| vec![fill; 17 << 20];
    let said = joined_after(vec![attempt(1)]).unwrap();
    assert!(said.len() > 17 << 20 && said.len() <= Message::MAX_JOIN);
    let denied = joined_after(vec![attempt(1), attempt(2)]);
    assert!(matches!(denied, Err(Halt::Denied(Denial::TooManyAttempts))));
}

/// So many are refused by who reads a join, though they would have room in it.
#[test]
fn who_has_signed_more_attempts_than_a_join_lists_is_denied_however_short_they_are() {
    let attempts = |count: u16| (0..count).map(|number| number.to_be_bytes().to_vec()).collect();
    assert!(joined_after(attempts(4096)).unwrap().len() < Message::MAX_JOIN / 4);
    let denied = joined_after(attempts(4097));
    assert!(matches!(denied, Err(Halt::Denied(Denial::TooManyAttempts))));
}

/// One that would have room if nothing stood around it.
#[test]
fn attempts_that_have_no_room_for_their_lengths_are_denied_before_anything_is_said() {
    let around = joined_after(vec![vec![1; 1000]]).unwrap().len() - 1000;
    let attempt = |len: usize| vec![vec![1; len]];
    assert_eq!(joined_after(attempt(Message::MAX_JOIN - around)).unwrap().len(), Message::MAX_JOIN);
    let denied = joined_after(attempt(Message::MAX_JOIN - around + 1));
    assert!(matches!(denied, Err(Halt::Denied(Denial::TooManyAttempts))));
}

/// The liar's join, and the run key of it.
fn join<C: Ciphersuite>(plan: &Plan, part: &[u8; 32]) -> (RunKey<C>, Message) {
    join_as(plan, LIAR, part)
}

/// A member's join with a run key that is always the same.
fn join_as<C: Ciphersuite>(plan: &Plan, sender: u16, part: &[u8; 32]) -> (RunKey<C>, Message) {
    let (run, run_key) = (plan.run_id(), RunKey::<C>::generate(&mut rng(77)));
    let chain_commitment = chain_commitment(run, id(sender), part);
    let card = deal_plan(plan).receivers.card(id(sender)).unwrap().id();
    let statement = possession_statement(run, id(sender), card, &[4; 32], &chain_commitment);
    let join = Join {
        contribution: [4; 32],
        chain_commitment,
        run_key: *run_key.public(),
        possession: run_key.prove(&statement, Hedge::Deterministic).unwrap(),
        restored: false,
        overridden: false,
        attempts: Vec::new(),
        dealt: Vec::new(),
    };
    (run_key, say(plan, sender, 0, Subject::Join, join.encode(), &[]))
}

/// Each proves that it has the secret, which nobody else can have told it.
#[test]
fn who_has_one_run_key_with_another_is_named_with_it() {
    for suite in Suite::ALL {
        let plan = plan(suite);
        let (first, join_1) = enter(&plan, 1);
        let [join_2, join_3] = [2, LIAR].map(|me| with_suite!(suite, C => join_as::<C>(&plan, me, &[6; 32]).1));
        let failed = failure(first.handle(&[join_1.clone(), join_2, join_3.clone()], &mut rng(1)));
        let both = (vec![id(2), id(LIAR)], Misbehaviour::RunKey);
        assert_eq!((&failed.culprits, failed.misbehaviour), (&both.0, both.1));
        let judge = |shown: &[Message]| with_suite!(suite, C => judge::<C>(&plan, None, shown));
        let public = judge(failed.evidence.messages()).unwrap();
        assert_eq!((public.culprits, public.misbehaviour), both);
        // One of them alone proves nothing.
        assert_eq!(judge(&[join_1, join_3]).unwrap().culprits, []);
    }
}

/// What is sealed to member 1 in the liar's deal.
#[derive(Clone, Copy)]
enum Lie {
    None,
    Payload,
    Share,
}

fn lying_deal<C: Ciphersuite>(ceremony: &Ceremony<C>, run_key: &RunKey<C>, part: [u8; 32], lie: Lie) -> Vec<u8> {
    // The same randomness makes the same polynomial and the same ephemeral key.
    let dealt = |ceremony: &Ceremony<C>, payload: &[u8]| {
        deal(ceremony, id(LIAR), run_key, None, payload, &mut rng(5), Hedge::Deterministic).unwrap()
    };
    let mut sent = dealt(ceremony, &part);
    match lie {
        Lie::None => {}
        Lie::Payload => sent.ciphertexts[0] = dealt(ceremony, &[0xee; 32]).ciphertexts[0].clone(),
        Lie::Share => {
            // Member 1's key under member 2's number: what is sealed to it there is the other's share.
            let mut swapped: Vec<Participant<C>> = ceremony.receivers().to_vec();
            (swapped[0].run_key, swapped[1].run_key) = (swapped[1].run_key, swapped[0].run_key);
            let other = Ceremony::new(ceremony.context().to_vec(), 2, swapped.clone(), swapped, None).unwrap();
            sent.ciphertexts[0] = dealt(&other, &part).ciphertexts[1].clone();
        }
    }
    sent.encode()
}

fn failure(result: Result<crate::protocol::machine::Transition, Halt>) -> Failure {
    match result {
        Err(Halt::Failed(failure)) => *failure,
        other => panic!("{other:?}"),
    }
}

fn a_lie_in_good_order_is_accused_and_judged<C: Ciphersuite>(suite: Suite, lie: Lie, expected: Misbehaviour) {
    let (plan, part) = (plan(suite), [6; 32]);
    let (first, join_1) = enter(&plan, 1);
    let (second, join_2) = enter(&plan, 2);
    let (run_key, join_3) = join::<C>(&plan, &part);
    let joins = [join_1, join_2, join_3];
    let [first, second] = [first, second].map(|machine| machine.handle(&joins, &mut rng(1)).unwrap());
    let ceremony = entered::entered::<C>(&plan, None, &joins).unwrap().ceremony;
    let say_deal = |sender, body| say(&plan, sender, 1, Subject::Deal, body, &joins);
    let deals = [
        say_deal(1, first.send.unwrap().1),
        say_deal(2, second.send.unwrap().1),
        say_deal(LIAR, lying_deal(&ceremony, &run_key, part, lie)),
    ];
    let second = second.next.handle(&deals, &mut rng(2)).unwrap();
    let (subject, endorsed) = second.send.unwrap();
    assert_eq!(subject, Subject::Certify);
    if matches!(lie, Lie::None) {
        assert!(first.next.handle(&deals, &mut rng(2)).is_ok());
        return;
    }
    let accused = failure(first.next.handle(&deals, &mut rng(2)));
    assert_eq!((accused.culprits.as_slice(), accused.misbehaviour), ([id(LIAR)].as_slice(), expected));
    let Some(LastWords::Accuse(body)) = accused.last_words else { panic!("no accusation") };
    // Beside deals without the one that it speaks of it proves nothing, also where its sender had seen no other.
    let of_some = say(&plan, 1, 2, Subject::Accuse, body.clone(), &deals[..2]);
    assert!(judge::<C>(&plan, None, &[joins.as_slice(), &deals[..2], &[of_some]].concat()).is_none());
    let accusation = say(&plan, 1, 2, Subject::Accuse, body, &deals);
    let endorsement = say(&plan, 2, 2, Subject::Certify, endorsed, &deals);
    let judged = failure(second.next.handle(&[accusation.clone(), endorsement], &mut rng(3)));
    assert_eq!((judged.culprits.as_slice(), judged.misbehaviour), ([id(LIAR)].as_slice(), expected));
    for shown in [judged.evidence.0, [joins.as_slice(), &deals, &[accusation]].concat()] {
        let public = judge::<C>(&plan, None, &shown).unwrap();
        assert_eq!((public.culprits, public.misbehaviour), (vec![id(LIAR)], expected));
    }
}

#[test]
fn a_share_that_is_sealed_in_order_and_does_not_fit_convicts_its_dealer() {
    for suite in Suite::ALL {
        with_suite!(suite, C => {
            a_lie_in_good_order_is_accused_and_judged::<C>(suite, Lie::None, Misbehaviour::Unattributed);
            a_lie_in_good_order_is_accused_and_judged::<C>(suite, Lie::Share, Misbehaviour::SealedShare);
        });
    }
}

#[test]
fn a_payload_that_was_not_committed_to_convicts_its_dealer() {
    for suite in Suite::ALL {
        with_suite!(suite, C => {
            a_lie_in_good_order_is_accused_and_judged::<C>(suite, Lie::Payload, Misbehaviour::Payload);
        });
    }
}

#[test]
fn another_chain_code_than_the_plan_says_convicts_who_imports() {
    for suite in Suite::ALL {
        with_suite!(suite, C => {
            for (dealt, expected) in [([8; 32], None), ([9; 32], Some(Misbehaviour::Payload))] {
                let plan = import_plan::<C>(suite, &[8; 32]);
                let [(first, join_1), (second, join_2)] = [1, 2].map(|me| enter(&plan, me));
                let (run_key, join_3) = join::<C>(&plan, &[0; 32]);
                let joins = [join_1, join_2, join_3];
                let [first, second] = [first, second].map(|machine| machine.handle(&joins, &mut rng(1)).unwrap());
                assert!(first.send.is_none() && second.send.is_none(), "only who brings the key deals");
                let ceremony = entered::entered::<C>(&plan, None, &joins).unwrap().ceremony;
                let constant = Some(Secret::new(<C as Ciphersuite>::Scalar::from_u64(5)));
                let sent = deal(&ceremony, id(LIAR), &run_key, constant, &dealt, &mut rng(5), Hedge::Deterministic);
                let deals = [say(&plan, LIAR, 1, Subject::Deal, sent.unwrap().encode(), &joins)];
                let accused = first.next.handle(&deals, &mut rng(2));
                let Some(expected) = expected else {
                    assert!(accused.is_ok());
                    continue;
                };
                let accused = failure(accused);
                assert_eq!((accused.culprits.as_slice(), accused.misbehaviour), ([id(LIAR)].as_slice(), expected));
                let Some(LastWords::Accuse(body)) = accused.last_words else { panic!("no accusation") };
                let accusation = say(&plan, 1, 2, Subject::Accuse, body, &deals);
                let public = judge::<C>(&plan, None, &[joins.as_slice(), &deals, &[accusation]].concat()).unwrap();
                assert_eq!((public.culprits, public.misbehaviour), (vec![id(LIAR)], expected));
            }
        });
    }
}

/// The liar's deal of a new key with that constant term. All else in it is always the same.
fn deal_of<C: Ciphersuite>(ceremony: &Ceremony<C>, run_key: &RunKey<C>, constant: C::Scalar) -> Deal<C> {
    let (all, one) = (ceremony.receivers().to_vec(), C::Element::generator());
    let fixed = |member: &Participant<C>| {
        (member.id, if member.id == id(LIAR) { C::Element::mul_base(&constant) } else { one })
    };
    let constants = all.iter().map(fixed).collect();
    let fixed = Ceremony::new(ceremony.context().to_vec(), 2, all.clone(), all, Some(constants)).unwrap();
    deal(&fixed, id(LIAR), run_key, Some(Secret::new(constant)), &[6; 32], &mut rng(5), Hedge::Deterministic).unwrap()
}

/// The liar deals when it has the others' deals, and so that its own share is zero.
fn a_member_that_deals_itself_nothing_is_named_by_all<C: Ciphersuite>(suite: Suite) {
    let (plan, part) = (plan(suite), [6; 32]);
    let [(first, join_1), (second, join_2)] = [1, 2].map(|me| enter(&plan, me));
    let (run_key, join_3) = join::<C>(&plan, &part);
    let joins = [join_1, join_2, join_3];
    let [first, second] = [first, second].map(|machine| machine.handle(&joins, &mut rng(1)).unwrap());
    let ceremony = entered::entered::<C>(&plan, None, &joins).unwrap().ceremony;
    let say_deal = |sender, body| say(&plan, sender, 1, Subject::Deal, body, &joins);
    let (of_first, of_second) = (say_deal(1, first.send.unwrap().1), say_deal(2, second.send.unwrap().1));
    let opened =
        |dealer, deal: &Deal<C>| *open(&ceremony, id(LIAR), &run_key, id(dealer), deal).unwrap().share.expose();
    let sent = |message: &Message| deals::read_deal(&ceremony, message).unwrap();
    let (zero, one) = (<C as Ciphersuite>::Scalar::ZERO, <C as Ciphersuite>::Scalar::ONE);
    let others = opened(1, &sent(&of_first)) + opened(2, &sent(&of_second));
    let slope = opened(LIAR, &deal_of(&ceremony, &run_key, one)) - one;
    let lie = deal_of(&ceremony, &run_key, zero - others - slope);
    assert!(others + opened(LIAR, &lie) == zero);
    let deals = [of_first, of_second, say_deal(LIAR, lie.encode())];
    let [first, second] = [first.next, second.next].map(|machine| machine.handle(&deals, &mut rng(2)).unwrap());
    let Effect::Pending(pending) = first.effect else { panic!("nothing is pending") };
    let mut certificate = pending.certificate;
    let identity_signature = identity(LIAR).sign(Kind::Transcript, certificate.epoch_id().as_bytes());
    let proof = sign_transcript(&run_key, certificate.transcript(), Hedge::Deterministic).unwrap();
    let endorsement = Endorsement { identity: identity_signature, run_key: proof.encode() };
    let mut body = Writer::new();
    body.raw(certificate.epoch_id().as_bytes());
    endorsement.encode(&mut body);
    let certify = |sender, body| say(&plan, sender, 2, Subject::Certify, body, &deals);
    let round = [certify(1, first.send.unwrap().1), certify(2, second.send.unwrap().1), certify(LIAR, body.finish())];
    for machine in [first.next, second.next] {
        let failed = failure(machine.handle(&round, &mut rng(3)));
        assert_eq!((failed.culprits.as_slice(), failed.misbehaviour), ([id(LIAR)].as_slice(), Misbehaviour::ZeroShare));
        let public = judge::<C>(&plan, None, failed.evidence.messages()).unwrap();
        assert_eq!((public.culprits, public.misbehaviour), (vec![id(LIAR)], Misbehaviour::ZeroShare));
    }
    // Who has not signed for it is not to blame: its share may be a wrong one.
    let before = [joins.as_slice(), &deals, &round[..2]].concat();
    assert!(judge::<C>(&plan, None, &before).is_none());
    // Nor is there a certificate, whoever puts the signatures together.
    let Effect::Pending(pending) = second.effect else { panic!("nothing is pending") };
    certificate.endorse(id(2), pending.certificate.endorsement(id(2)).unwrap().clone());
    certificate.endorse(id(LIAR), endorsement);
    assert_eq!(certificate.verify(None).unwrap_err(), CertificateError::Contradiction("a share is zero"));
}

#[test]
fn who_deals_last_and_itself_nothing_is_named_and_makes_no_key() {
    for suite in Suite::ALL {
        with_suite!(suite, C => a_member_that_deals_itself_nothing_is_named_by_all::<C>(suite));
    }
}

/// Whoever brings a key can choose anybody's share.
#[test]
fn who_imports_a_key_so_that_a_member_gets_nothing_is_named() {
    for suite in Suite::ALL {
        with_suite!(suite, C => {
            // The slope of what is dealt below, whatever the secret is.
            let slope = {
                let plan = plan(suite);
                let [(_, join_1), (_, join_2)] = [1, 2].map(|me| enter(&plan, me));
                let (run_key, join_3) = join::<C>(&plan, &[0; 32]);
                let ceremony = entered::entered::<C>(&plan, None, &[join_1, join_2, join_3]).unwrap().ceremony;
                let one = <C as Ciphersuite>::Scalar::ONE;
                let opened = open(&ceremony, id(LIAR), &run_key, id(LIAR), &deal_of(&ceremony, &run_key, one)).unwrap();
                let at_three = *opened.share.expose() - one;
                at_three * <C as Ciphersuite>::Scalar::from_u64(3).vartime_invert().unwrap()
            };
            let secret = <C as Ciphersuite>::Scalar::ZERO - slope;
            let plan = import_plan_of::<C>(suite, &secret, &[8; 32]);
            let [(first, join_1), (second, join_2)] = [1, 2].map(|me| enter(&plan, me));
            let (run_key, join_3) = join::<C>(&plan, &[0; 32]);
            let joins = [join_1, join_2, join_3];
            let [first, second] = [first, second].map(|machine| machine.handle(&joins, &mut rng(1)).unwrap());
            let ceremony = entered::entered::<C>(&plan, None, &joins).unwrap().ceremony;
            let sent = deal(&ceremony, id(LIAR), &run_key, Some(Secret::new(secret)), &[8; 32], &mut rng(5), Hedge::Deterministic);
            let deals = [say(&plan, LIAR, 1, Subject::Deal, sent.unwrap().encode(), &joins)];
            for machine in [first.next, second.next] {
                let failed = failure(machine.handle(&deals, &mut rng(2)));
                assert_eq!((failed.culprits.as_slice(), failed.misbehaviour), ([id(LIAR)].as_slice(), Misbehaviour::ZeroShare));
                let public = judge::<C>(&plan, None, failed.evidence.messages()).unwrap();
                assert_eq!((public.culprits, public.misbehaviour), (vec![id(LIAR)], Misbehaviour::ZeroShare));
            }
        });
    }
}

/// What a new key is dealt in is COCKTAIL-DKG's own context; that of an old key begins with the run besides.
#[test]
fn a_new_key_is_dealt_in_the_context_of_its_session_alone() {
    for suite in Suite::ALL {
        with_suite!(suite, C => {
            for (plan, is_new) in [(plan(suite), true), (import_plan::<C>(suite, &[8; 32]), false)] {
                let [(_, join_1), (_, join_2)] = [1, 2].map(|me| enter(&plan, me));
                let joins = [join_1, join_2, join::<C>(&plan, &[0; 32]).1];
                let entered = entered::entered::<C>(&plan, None, &joins).unwrap();
                let session = hash_messages("quorumkey/session/v1", plan.run_id(), &joins);
                let members = entered.joins.iter().map(|(id, join)| Participant { id: *id, run_key: join.run_key });
                let own = cocktail_context::<C>(&session, &members.collect::<Vec<_>>());
                let run = plan.run_id();
                let expected = if is_new { own } else { [run.as_bytes().as_slice(), &own].concat() };
                assert_eq!(entered.ceremony.context(), expected);
            }
        });
    }
}

#[test]
fn a_join_tells_of_each_attempt_once_and_in_one_order() {
    with_suite!(Suite::Ed25519, C => {
        let plan = import_plan::<C>(Suite::Ed25519, &[8; 32]);
        let said = join::<C>(&plan, &[0; 32]).1;
        let mut signed = [1, 2].map(|fill| Certificate::unsigned(plan.clone(), vec![fill; 40]));
        signed.sort_by_key(Certificate::epoch_id);
        let mut dealt = [1, 2].map(|fill| Attempt::dealt(&Plan { randomness: [fill; 32], ..plan.clone() }).unwrap());
        dealt.sort_by_key(|attempt| attempt.epoch);
        let read = |attempts: &[usize], dealings: &[usize]| {
            let told = Join::<C> {
                attempts: attempts.iter().map(|at| signed[*at].clone()).collect(),
                dealt: dealings.iter().map(|at| dealt[*at].clone()).collect(),
                ..Join::decode(said.body()).unwrap()
            };
            Join::<C>::decode(&told.encode()).map(|_| ())
        };
        assert_eq!(read(&[0, 1], &[0, 1]), Ok(()));
        for wrong in [[1, 0], [0, 0]] {
            assert_eq!(read(&wrong, &[0, 1]), Err(DecodeError::Invalid("order of attempts")));
            assert_eq!(read(&[0, 1], &wrong), Err(DecodeError::Invalid("order of attempts")));
        }
    });
}
