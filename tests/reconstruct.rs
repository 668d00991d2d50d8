//! The dangerous door out: a key put together again, by who may, as was agreed, and with whose share was wrong named.
#![allow(unreachable_pub, reason = "the functions are mounted by a macro")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

#[path = "conformance/backend.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod backend;
mod common;

use backend::{Backend, backup_key, reopen};
use common::*;
use quorumkey::audit::{self, EventKind, Head};
use quorumkey::hazmat::{Forger, body, subject};
use quorumkey::{
    Denial, Dkg, Error, Evidence, Filter, Identifier, Import, ImportedKey, Invitation, Judgement, KeyId, KeyInfo,
    KeyTemplate, MemoryStorage, Misbehaviour, Misuse, Operations, ReconstructedKey, Reconstructing, Restriction, Run,
    Suite,
};
use zeroize::Zeroizing;

macro_rules! mount {
    ($($name:ident)*) => {
        mod memory { $(#[test] fn $name() { super::$name(&super::backend::Memory::default()); })* }
        mod file { $(#[test] fn $name() { super::$name(&super::backend::File::new()); })* }
    };
}

mount! {
    any_t_members_put_together_what_was_imported_with_every_suite
    a_key_that_was_not_made_for_it_has_no_door
    the_door_can_be_shut_for_ever_also_in_the_middle_of_a_run
    it_takes_the_user_and_the_officer_of_every_member
    a_session_that_ends_meanwhile_ends_no_other_officers_run
    a_restored_share_is_not_handed_over
    a_share_of_the_past_is_not_handed_over
    a_share_that_is_not_certified_yet_is_not_handed_over
    members_are_enough_and_who_gets_the_key_is_one_of_them
    every_member_has_it_on_record
}

fn template() -> KeyTemplate {
    KeyTemplate { operations: Operations::ALL.union(Operations::RECONSTRUCT), ..KeyTemplate::wallet("on trial") }
}

/// A key that allows it, made by all.
fn key(members: &[Member], suite: Suite) -> KeyInfo {
    let dkg = Dkg { suite, threshold: 2, members: roster(members), template: template() };
    deal(members, &members[0].session.invite(dkg).unwrap())
}

fn ids(numbers: &[u16]) -> Vec<Identifier> {
    numbers.iter().map(|number| id(*number)).collect()
}

/// The first of them is to get it.
fn invite(members: &[Member], key: KeyId, numbers: &[u16]) -> Result<Invitation, Error> {
    let officer = members[usize::from(numbers[0]) - 1].store.login_so(&officer_pin()).unwrap();
    officer.invite_reconstruct(key, &ids(numbers))
}

/// The runs' sessions are kept with them: they end together.
struct Started {
    runs: Vec<Run<Reconstructing>>,
    _officers: Vec<quorumkey::OfficerSession>,
}

fn start(members: &[Member], invitation: &Invitation) -> Result<Started, Error> {
    let (mut runs, mut officers) = (Vec::new(), Vec::new());
    for number in invitation.reconstructs().unwrap() {
        let member = &members[usize::from(number.get()) - 1];
        member.session.consent_to_reconstruct(invitation)?;
        let officer = member.store.login_so(&officer_pin()).unwrap();
        runs.push(officer.start_reconstruct(invitation)?);
        officers.push(officer);
    }
    Ok(Started { runs, _officers: officers })
}

fn reconstruct(members: &[Member], key: KeyId, numbers: &[u16]) -> ReconstructedKey {
    let invitation = invite(members, key, numbers).unwrap();
    let mut got = exchange(&mut start(members, &invitation).unwrap().runs);
    let place = invitation.reconstructs().unwrap().iter().position(|number| *number == invitation.inviter()).unwrap();
    let whole = got.swap_remove(place).unwrap();
    assert!(got.iter().all(Option::is_none), "one member gets it");
    whole
}

fn any_t_members_put_together_what_was_imported_with_every_suite(backend: &dyn Backend) {
    let mut members = backend::group(backend, 3);
    let mut parities = Vec::new();
    for suite in Suite::ALL {
        for fill in [1, 2, 3] {
            let (mut secret, chain_code) = ([fill; 32], [40 + fill; 32]);
            (secret[0], secret[31]) = (1, 1);
            let old = || ImportedKey::from_node(suite, Zeroizing::new(secret), Zeroizing::new(chain_code)).unwrap();
            parities.push(old().group_key().as_bytes()[0]);
            let (key, members_and_template) = (old(), (roster(&members), template()));
            let import = Import {
                key: &key,
                threshold: 2,
                members: members_and_template.0,
                template: members_and_template.1,
                least_attempt: 0,
            };
            let invitation = members[0].session.invite_import(import).unwrap();
            let mut runs = vec![members[0].session.start_import(&invitation, key).unwrap()];
            runs.extend(members[1..].iter().map(|member| member.session.start(&invitation).unwrap()));
            let key = exchange(&mut runs).remove(0);
            drop(runs);
            refresh(&members, key.id);
            for numbers in [[1, 2].as_slice(), &[3, 1], &[2, 3], &[2, 1, 3]] {
                let whole = reconstruct(&members, key.id, numbers);
                assert_eq!(whole.group_key(), &key.group_key);
                assert_eq!(
                    (whole.dangerously_expose_secret(), whole.dangerously_expose_chain_code()),
                    (&secret, &chain_code)
                );
            }
            // The shares are still there.
            sign(&members, key.id, &[1, 3], &[7; 32]);
        }
    }
    assert!(parities[6..].contains(&2) && parities[6..].contains(&3), "taproot keys, odd and even: {parities:?}");
    reopen(backend, &mut members);
    let generated = key(&members, Suite::Ed25519);
    let whole = reconstruct(&members, generated.id, &[2, 3]);
    let secret = Zeroizing::new(*whole.dangerously_expose_secret());
    assert_eq!(ImportedKey::from_scalar(Suite::Ed25519, secret).unwrap().group_key(), &generated.group_key);
    assert!(!format!("{whole:?}").contains("secret"));
    // What came out is in no token.
    drop(members);
    for name in ["1", "2", "3"] {
        assert!(backend.loot(name).secrets().all(|kept| kept != whole.dangerously_expose_secret()));
    }
}

fn a_key_that_was_not_made_for_it_has_no_door(backend: &dyn Backend) {
    let members = backend::group(backend, 2);
    let shut = dkg(&members, Suite::Ed25519, 2);
    refused!(invite(&members, shut.id, &[1, 2]), Error::Denied(Denial::Operation));
    let open = Restriction { operations: Some(Operations::ALL.union(Operations::RECONSTRUCT)), export: None };
    refused!(members[0].session.restrict(shut.id, &open), Error::Misuse(Misuse::Widens));
    // The template is part of what all signed: a refresh keeps it shut.
    refresh(&members, shut.id);
    refused!(invite(&members, shut.id, &[1, 2]), Error::Denied(Denial::Operation));
    assert!(!Operations::ALL.contains(Operations::RECONSTRUCT));
}

fn the_door_can_be_shut_for_ever_also_in_the_middle_of_a_run(backend: &dyn Backend) {
    let members = backend::group(backend, 3);
    let key = key(&members, Suite::Secp256k1);
    let invitation = invite(&members, key.id, &[1, 2]).unwrap();
    let mut started = start(&members, &invitation).unwrap();
    let shut = Restriction { operations: Some(Operations::ALL), export: None };
    members[1].session.restrict(key.id, &shut).unwrap();
    let results = exchange_over(&mut started.runs, &mut |_, _, message| vec![message]);
    assert!(matches!(results[1], Err(Error::Denied(Denial::Operation))), "{results:?}");
    assert!(matches!(results[0], Ok(None)), "nothing was handed over");
    let again = invite(&members, key.id, &[1, 2]).unwrap();
    refused!(members[1].session.consent_to_reconstruct(&again), Error::Denied(Denial::Operation));
    reconstruct(&members, key.id, &[1, 3]);
}

fn it_takes_the_user_and_the_officer_of_every_member(backend: &dyn Backend) {
    let members = backend::group(backend, 2);
    let key = key(&members, Suite::Ed25519);
    let invitation = invite(&members, key.id, &[1, 2]).unwrap();
    let officer = members[1].store.login_so(&officer_pin()).unwrap();
    refused!(officer.start_reconstruct(&invitation), Error::Denied(Denial::NoConsent));
    // A consent is to one run, and once.
    let another = invite(&members, key.id, &[1, 2]).unwrap();
    members[1].session.consent_to_reconstruct(&another).unwrap();
    refused!(officer.start_reconstruct(&invitation), Error::Denied(Denial::NoConsent));
    drop(officer.start_reconstruct(&another).unwrap());
    refused!(officer.start_reconstruct(&another), Error::Denied(Denial::NoConsent));
    members[1].session.consent_to_reconstruct(&another).unwrap();
    refused!(officer.start_reconstruct(&another), Error::Misuse(Misuse::RunEnteredBefore(_)));
    // There is nothing to consent to in another invitation, and none to enter it by.
    let signature = members[0].session.invite_sign(key.id, &ids(&[1, 2]), b"m").unwrap();
    refused!(members[1].session.consent_to_reconstruct(&signature), Error::Misuse(Misuse::Unsupported(_)));
    refused!(officer.start_reconstruct(&signature), Error::Misuse(Misuse::Unsupported(_)));
    refused!(members[1].session.start(&invitation), Error::Misuse(Misuse::Unsupported(_)));
    // One member alone consents in vain.
    let third = invite(&members, key.id, &[1, 2]).unwrap();
    members[0].session.consent_to_reconstruct(&third).unwrap();
    let first = members[0].store.login_so(&officer_pin()).unwrap();
    let mut alone = first.start_reconstruct(&third).unwrap();
    let _consent = alone.poll_transmit().unwrap();
    assert!(alone.poll_transmit().is_none() && alone.poll_output().is_none());
    assert_eq!(alone.progress().awaiting, [id(2)]);
}

fn a_session_that_ends_meanwhile_ends_no_other_officers_run(backend: &dyn Backend) {
    let members = backend::group(backend, 2);
    let key = key(&members, Suite::Ed25519);
    let invitation = invite(&members, key.id, &[1, 2]).unwrap();
    let mut started = start(&members, &invitation).unwrap();
    for member in &members {
        member.store.login(&user_pin()).unwrap().logout().unwrap();
        member.store.login_so(&officer_pin()).unwrap().logout().unwrap();
    }
    exchange(&mut started.runs);
}

fn a_restored_share_is_not_handed_over(backend: &dyn Backend) {
    let mut members = backend::group(backend, 3);
    let key = key(&members, Suite::Ed25519);
    let (recipient, with, _) = backup_key();
    let identity = members[2].session.export_identity(&recipient).unwrap();
    let share = members[2].session.export(key.id, &recipient).unwrap();
    // The same incarnation as far as the others know: it is asked for, and refuses.
    members[2] = Member::new(backend.restore("3 again", &identity, &with));
    members[2].session.restore(&share, &with).unwrap();
    refused!(invite(&members, key.id, &[3, 1]), Error::Denied(Denial::RestoredSignsAfterRefresh));
    let invitation = invite(&members, key.id, &[1, 3]).unwrap();
    let officer = members[2].store.login_so(&officer_pin()).unwrap();
    refused!(officer.start_reconstruct(&invitation), Error::Denied(Denial::RestoredSignsAfterRefresh));
}

fn a_share_of_the_past_is_not_handed_over(backend: &dyn Backend) {
    let members = backend::group(backend, 3);
    let key = key(&members, Suite::Secp256k1Taproot);
    let invitation = invite(&members, key.id, &[1, 2]).unwrap();
    let mut started = start(&members, &invitation).unwrap();
    let late = invite(&members, key.id, &[1, 3]).unwrap();
    refresh(&members, key.id);
    let results = exchange_over(&mut started.runs, &mut |_, _, message| vec![message]);
    for result in results {
        assert!(matches!(result, Err(Error::Misuse(Misuse::NoSuchRun(_)))), "{result:?}");
    }
    refused!(members[2].session.consent_to_reconstruct(&late), Error::Stale { .. });
    reconstruct(&members, key.id, &[1, 3]);
}

fn a_share_that_is_not_certified_yet_is_not_handed_over(backend: &dyn Backend) {
    let members = backend::group(backend, 2);
    let dkg = Dkg { suite: Suite::Ed25519, threshold: 2, members: roster(&members), template: template() };
    let invitation = members[0].session.invite(dkg).unwrap();
    let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    let results = exchange_over(&mut runs, &mut |_, to, message| {
        if to == 1 && subject(&message) == "certify" { Vec::new() } else { vec![message] }
    });
    let Ok(Some(key)) = &results[0] else { panic!("{results:?}") };
    let invitation = invite(&members, key.id, &[1, 2]).unwrap();
    refused!(members[1].session.consent_to_reconstruct(&invitation), Error::Stale { .. });
}

fn members_are_enough_and_who_gets_the_key_is_one_of_them(backend: &dyn Backend) {
    let members = backend::group(backend, 3);
    let key = key(&members, Suite::Ed25519).id;
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    for wrong in [[1].as_slice(), &[2, 3], &[1, 1], &[1, 4], &[]] {
        refused!(officer.invite_reconstruct(key, &ids(wrong)), Error::Misuse(Misuse::Plan(_)));
    }
    let invitation = officer.invite_reconstruct(key, &ids(&[1, 2])).unwrap();
    assert_eq!(invitation.reconstructs(), Some(ids(&[1, 2]).as_slice()));
    assert_eq!((invitation.key(), invitation.signers(), invitation.receivers()), (Some(key), [].as_slice(), None));
    assert_eq!(Invitation::from_bytes(&invitation.to_bytes()).as_ref(), Ok(&invitation));
    refused!(members[2].session.consent_to_reconstruct(&invitation), Error::Misuse(Misuse::NotAMember));
}

fn every_member_has_it_on_record(backend: &dyn Backend) {
    let members = backend::group(backend, 3);
    let key = key(&members, Suite::Ed25519);
    let invitation = invite(&members, key.id, &[2, 1]).unwrap();
    exchange(&mut start(&members, &invitation).unwrap().runs);
    for (place, member) in members.iter().enumerate() {
        let records = member.session.audit(None, 1000).unwrap();
        audit::follow(&records, &Head::genesis(&member.store.info().unwrap().id)).unwrap();
        let kinds = [EventKind::ReconstructionConsented, EventKind::ShareHandedOver, EventKind::KeyReconstructed];
        let of_run = records.iter().map(audit::Record::event).filter(|event| kinds.contains(&event.kind()));
        let of_run: Vec<_> = of_run.collect();
        let expected: &[EventKind] = match place {
            0 => &[EventKind::ReconstructionConsented, EventKind::ShareHandedOver],
            1 => &[EventKind::ReconstructionConsented, EventKind::KeyReconstructed],
            _ => &[],
        };
        assert_eq!(of_run.iter().map(|event| event.kind()).collect::<Vec<_>>(), expected);
        for event in of_run {
            assert_eq!(
                (event.object_id(), event.run_id()),
                (Some(key.id.as_bytes()), Some(invitation.run_id().as_bytes()))
            );
            assert_eq!(event.details(), [key.epoch.as_bytes().as_slice(), &[0, 2]].concat());
        }
    }
}

/// Three members whose identities the test knows.
fn trial(suite: Suite) -> (Vec<Member>, Vec<Forger>, KeyInfo) {
    let forgers: Vec<_> = (1..=3).map(|seed| Forger::new([seed; 32])).collect();
    let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
    let members = forgers.iter().map(|forger| Member::new(forger.store(storage, &init("m"), 0).unwrap()));
    let members: Vec<_> = members.collect();
    let key = key(&members, suite);
    (members, forgers, key)
}

#[track_caller]
fn blame<T: std::fmt::Debug>(result: &Result<T, Error>) -> (Vec<Identifier>, Misbehaviour, Evidence) {
    match result {
        Err(Error::PeerMisbehaved { culprits, misbehaviour, evidence }) => {
            (culprits.clone(), *misbehaviour, evidence.clone())
        }
        other => panic!("nobody is blamed: {other:?}"),
    }
}

/// Member 3's messages of that kind are changed; the first two name it, and so does whoever judges what they show.
fn all_name_the_third(suite: Suite, about: &str, misbehaviour: Misbehaviour, change: impl Fn(&mut Vec<u8>)) {
    let (members, forgers, key) = trial(suite);
    let invitation = invite(&members, key.id, &[1, 2, 3]).unwrap();
    let mut started = start(&members, &invitation).unwrap();
    let results = exchange_over(&mut started.runs, &mut |from, _, message| {
        let altered = from == 2 && subject(&message) == about;
        vec![if altered { forgers[2].alter(&message, |forgery| change(&mut forgery.body)) } else { message }]
    });
    let chain = members[0].session.certificates(key.id).unwrap();
    for result in &results[..2] {
        let (culprits, what, evidence) = blame(result);
        assert_eq!((culprits.as_slice(), what), ([id(3)].as_slice(), misbehaviour), "{suite:?}");
        let judged = evidence.judge(&invitation, &chain).unwrap();
        assert_eq!(judged, Some(Judgement { culprits: vec![id(3)], misbehaviour }), "{suite:?}");
    }
    let log = members[0].session.audit(None, 1000).unwrap();
    let failed = log.iter().filter(|record| record.event().kind() == quorumkey::audit::EventKind::RunFailed);
    assert_eq!(failed.map(|record| record.event().details()).collect::<Vec<_>>(), [[0, 3]]);
    // It is not dealt with again.
    let again = invite(&members, key.id, &[1, 2, 3]).unwrap();
    members[0].session.consent_to_reconstruct(&again).unwrap();
    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    refused!(officer.start_reconstruct(&again), Error::Denied(Denial::Convicted { member }) if member == id(3));
}

type Change = fn(&mut Vec<u8>);

/// It speaks for itself: nobody needs the rounds before to see it.
#[test]
fn a_recipient_that_says_what_cannot_be_read_is_named_by_all_and_by_who_sees_that_alone() {
    let lies: [(&str, Change); 2] = [("receipt", |body| body.push(1)), ("accuse", Vec::clear)];
    for (suite, (about, change)) in Suite::ALL.into_iter().flat_map(|suite| lies.map(|lie| (suite, lie))) {
        let (members, forgers, key) = trial(suite);
        let invitation = invite(&members, key.id, &[1, 2, 3]).unwrap();
        let mut started = start(&members, &invitation).unwrap();
        let mut lie = None;
        let results = exchange_over(&mut started.runs, &mut |from, _, message| {
            vec![match (from, subject(&message)) {
                (0, what) if what == about => {
                    lie.insert(forgers[0].alter(&message, |forgery| change(&mut forgery.body))).clone()
                }
                // What does not open gives it a reason to accuse.
                (2, "handover") if about == "accuse" => {
                    forgers[2].alter(&message, |forgery| *forgery.body.last_mut().unwrap() ^= 1)
                }
                _ => message,
            }]
        });
        let chain = members[0].session.certificates(key.id).unwrap();
        let expected = Judgement { culprits: vec![id(1)], misbehaviour: Misbehaviour::Malformed };
        let (culprits, misbehaviour, evidence) = blame(&results[1]);
        assert_eq!(Judgement { culprits, misbehaviour }, expected, "{suite:?} {about}");
        for evidence in [evidence, Evidence::new(vec![lie.unwrap()])] {
            assert_eq!(evidence.judge(&invitation, &chain).unwrap().as_ref(), Some(&expected), "{suite:?} {about}");
        }
    }
}

#[test]
fn a_wrong_share_names_its_sender_to_all_and_no_key_comes_out() {
    for suite in Suite::ALL {
        let flip = |body: &mut Vec<u8>| *body.last_mut().unwrap() ^= 1;
        all_name_the_third(suite, "handover", Misbehaviour::SealedShare, flip);
        all_name_the_third(suite, "handover", Misbehaviour::Malformed, |body| body.push(0));
        all_name_the_third(suite, "consent", Misbehaviour::RunKey, flip);
        all_name_the_third(suite, "consent", Misbehaviour::Malformed, Vec::clear);
    }
}

/// A run's key is proven for that run, by that member.
#[test]
fn a_consent_of_another_run_or_member_names_who_repeats_it() {
    for suite in Suite::ALL {
        for own in [false, true] {
            let (members, forgers, key) = trial(suite);
            let (mut earlier, mut second) = (Vec::new(), Vec::new());
            for replay in [false, true] {
                let invitation = invite(&members, key.id, &[1, 2, 3]).unwrap();
                let mut started = start(&members, &invitation).unwrap();
                let results = exchange_over(&mut started.runs, &mut |from, _, message| {
                    match (subject(&message), from) {
                        ("consent", 1) => second = body(&message).to_vec(),
                        ("consent", 2) if !replay => earlier = body(&message).to_vec(),
                        ("consent", 2) => {
                            let said = if own { &earlier } else { &second };
                            return vec![forgers[2].alter(&message, |forgery| forgery.body.clone_from(said))];
                        }
                        _ => {}
                    }
                    vec![message]
                });
                for result in results[..2].iter().filter(|_| replay) {
                    let (culprits, what, _) = blame(result);
                    assert_eq!((culprits, what), (vec![id(3)], Misbehaviour::RunKey), "{suite:?}");
                }
            }
        }
    }
}

/// Sealed in good order, to the right member, and not the share that its sender holds: of another run it would be replayed,
/// so it is another member's.
#[test]
fn a_handover_of_another_run_or_member_is_a_wrong_share() {
    for suite in Suite::ALL {
        let (members, forgers, key) = trial(suite);
        let (mut earlier, mut second) = (Vec::new(), Vec::new());
        for replay in [false, true] {
            let invitation = invite(&members, key.id, &[1, 2, 3]).unwrap();
            let mut started = start(&members, &invitation).unwrap();
            let results = exchange_over(&mut started.runs, &mut |from, _, message| {
                if subject(&message) == "handover" && from == 1 {
                    second = body(&message).to_vec();
                }
                if subject(&message) != "handover" || from != 2 {
                    return vec![message];
                }
                if !replay {
                    earlier = body(&message).to_vec();
                    return vec![message];
                }
                vec![forgers[2].alter(&message, |forgery| forgery.body.clone_from(&earlier))]
            });
            if replay {
                assert_eq!(blame(&results[0]).0, [id(3)]);
                assert_eq!((blame(&results[1]).0, blame(&results[1]).1), (vec![id(3)], Misbehaviour::SealedShare));
            } else {
                assert!(matches!(results[0], Ok(Some(Some(_)))));
                assert_ne!(second, earlier);
            }
        }
    }
}

#[test]
fn a_recipient_that_accuses_falsely_is_named_by_the_others() {
    for suite in Suite::ALL {
        let (members, forgers, key) = trial(suite);
        let point = if suite == Suite::Ed25519 { 32 } else { 33 };
        let invitation = invite(&members, key.id, &[1, 2, 3]).unwrap();
        let mut started = start(&members, &invitation).unwrap();
        let (mut some_point, mut said) = (Vec::new(), Vec::new());
        let results = exchange_over(&mut started.runs, &mut |from, to, mut message| {
            if subject(&message) == "consent" {
                some_point = body(&message)[..point].to_vec();
            }
            if from == 0 && subject(&message) == "receipt" {
                let scalars = [[1; 16].as_slice(), &[0; 16]].concat().repeat(2);
                let accusation = [&[0, 2], some_point.as_slice(), &some_point, &scalars].concat();
                message = forgers[0].accuse(&message, accusation);
            }
            if to == usize::from(from == 0) {
                said.push(message.clone());
            }
            vec![message]
        });
        let chain = members[0].session.certificates(key.id).unwrap();
        for result in &results[1..] {
            let (culprits, what, evidence) = blame(result);
            assert_eq!((culprits, what), (vec![id(1)], Misbehaviour::FalseAccusation), "{suite:?}");
            let judged = evidence.judge(&invitation, &chain).unwrap().unwrap();
            assert_eq!((judged.culprits, judged.misbehaviour), (vec![id(1)], Misbehaviour::FalseAccusation));
        }
        assert_eq!(members[1].session.find(&Filter::default()).unwrap().len(), 1);
        // It is judged beside every handover, and beside those that its sender had seen.
        let of =
            |about, number| said.iter().position(|one| (subject(one), one.sender()) == (about, id(number))).unwrap();
        let judge = |shown| Evidence::new(shown).judge(&invitation, &chain).unwrap();
        let (accused, handed, late) = (of("accuse", 1), of("handover", 2), of("handover", 3));
        let mut others = said.clone();
        others[late] = forgers[2].alter(&said[late], |forgery| forgery.counter += 1);
        assert_eq!(judge(others), None);
        let mut fewer = said.clone();
        fewer[accused] = forgers[0].seeing(&said[accused], &said[handed..=handed]);
        fewer.remove(late);
        assert_eq!(judge(fewer), None);
    }
}
