//! What happens while a round is computed, when the token's lock is free.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use quorumkey::audit::{Event, EventKind};
use quorumkey::hazmat::{meanwhile, set_clock_ahead};
use quorumkey::{
    Change, Derivation, Entry, Error, Filter, Invitation, KeyId, KeyState, KeyTemplate, MemoryStorage, Message, Misuse,
    Operation, Operations, Output, Progress, Proposal, Restriction, Roster, Run, RunId, Session, SessionId, Signing,
    SoftToken, Storage, StorageError, Suite, Token, UserType,
};

use super::claims;
use super::common::*;

const TEXT: &[u8] = b"pay the baker";

/// The runs of two members for one signature.
fn begin(sessions: [&Session; 2], key: KeyId) -> [Run<Signing>; 2] {
    let invitation = sessions[0].invite_sign(key, &[id(1), id(2)], TEXT).unwrap();
    sessions.map(|session| session.start_sign(&invitation, TEXT).unwrap())
}

#[test]
fn two_runs_of_one_token_are_computed_at_once() {
    for suite in Suite::ALL {
        let members = group(2);
        let key = dkg(&members, suite, 2);
        let ((here, heard), (there, answer)) = (channel(), channel());
        let mut runs = [(); 2].map(|()| begin([&members[0].session, &members[1].session], key.id));
        std::thread::scope(|scope| {
            for ([mine, theirs], (say, hear)) in runs.iter_mut().zip([(here, answer), (there, heard)]) {
                let commitments = theirs.poll_transmit().unwrap();
                scope.spawn(move || {
                    // Each share is computed, and recorded only when the other is computed as well.
                    meanwhile(move || {
                        say.send(()).unwrap();
                        hear.recv_timeout(Duration::from_secs(20)).expect("the other run waits for this one");
                    });
                    mine.handle(&commitments).unwrap();
                });
            }
        });
        for [mut mine, mut theirs] in runs {
            while let Some(message) = mine.poll_transmit() {
                theirs.handle(&message).unwrap();
            }
            mine.handle(&theirs.poll_transmit().unwrap()).unwrap();
            let signature = mine.poll_output().unwrap();
            assert_eq!(theirs.poll_output().as_ref(), Some(&signature));
            key.verifying_key.verify(TEXT, &signature).unwrap();
        }
        assert_eq!(claims(&members[0].session).len(), 2);
    }
}

type End = fn(&[Member], KeyId, &Cell<Option<Session>>);
type Expected = fn(&Error) -> bool;

/// The first member's share is computed, and then that happens. What the run said of it.
fn ended(end: End) -> (Rc<Vec<Member>>, Error) {
    let members = Rc::new(group(2));
    let key = dkg(&members, Suite::Secp256k1Taproot, 2).id;
    let session = members[0].store.login(&user_pin()).unwrap();
    let [mut mine, mut theirs] = begin([&session, &members[1].session], key);
    let (session, commitments) = (Rc::new(Cell::new(Some(session))), theirs.poll_transmit().unwrap());
    mine.poll_transmit().unwrap();
    let (acting, owner) = (Rc::clone(&members), Rc::clone(&session));
    meanwhile(move || end(&acting, key, &owner));
    let error = mine.handle(&commitments).unwrap_err();
    assert!(mine.poll_transmit().is_none() && mine.poll_output().is_none());
    assert!(mine.handle(&commitments).is_err());
    (members, error)
}

#[test]
fn of_a_run_that_is_ended_while_its_share_is_computed_nothing_leaves_or_is_recorded() {
    let ends: [(End, Expected); 5] = [
        (|_, _, session| session.take().unwrap().logout().unwrap(), |error| matches!(error, Error::LoggedOut)),
        (|members, key, _| members[0].session.destroy(key).unwrap(), is_over),
        (|members, key, _| _ = refresh(members, key), is_over),
        (
            |members, key, _| {
                let operations = Some(Operations::REFRESH);
                members[0].session.restrict(key, &Restriction { operations, export: None }).unwrap();
            },
            |error| matches!(error, Error::Denied(_)),
        ),
        (
            |members, _, _| members[0].store.login_so(&officer_pin()).unwrap().destroy_token().unwrap(),
            |error| matches!(error, Error::LoggedOut),
        ),
    ];
    for (number, (end, expected)) in ends.into_iter().enumerate() {
        let (members, error) = ended(end);
        assert!(expected(&error), "{number}: {error:?}");
        if let Ok(session) = members[0].store.login(&user_pin()) {
            assert!(claims(&session).is_empty(), "{number}");
        }
    }
}

fn is_over(error: &Error) -> bool {
    matches!(error, Error::Misuse(Misuse::NoSuchRun(_)))
}

#[test]
fn a_run_whose_thread_dies_is_over_and_the_token_goes_on() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2).id;
    let [mut mine, mut theirs] = begin([&members[0].session, &members[1].session], key);
    let commitments = theirs.poll_transmit().unwrap();
    meanwhile(|| panic!("on purpose"));
    assert!(catch_unwind(AssertUnwindSafe(|| mine.handle(&commitments))).is_err());
    assert!(is_over(&mine.handle(&commitments).unwrap_err()));
    assert!(claims(&members[0].session).is_empty());
    sign(&members, key, &[1, 2], TEXT);
}

/// A storage whose changes fail once so many have gone well.
#[derive(Clone, Debug)]
struct Breaking {
    inner: Arc<MemoryStorage>,
    left: Arc<AtomicU32>,
}

impl Breaking {
    fn one_less(&self) -> Result<(), StorageError> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| StorageError::Io(std::io::ErrorKind::StorageFull))
    }
}

impl Storage for Breaking {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner.get(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StorageError> {
        self.inner.scan(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.one_less()?;
        self.inner.commit(changes)
    }

    fn rewrite(&self, contents: &[Entry]) -> Result<(), StorageError> {
        self.one_less()?;
        self.inner.rewrite(contents)
    }
}

/// A member whose token is called without the handles that keep a run to one thread.
struct Device {
    token: Arc<SoftToken<Breaking>>,
    session: SessionId,
    /// How many changes of its storage go well.
    left: Arc<AtomicU32>,
}

impl Device {
    fn new() -> Self {
        let left = Arc::new(AtomicU32::new(u32::MAX));
        let kept = |contents: &[Entry]| Ok(Breaking { inner: MemoryStorage::new(contents).into(), left: left.clone() });
        let token = SoftToken::create(kept, &init("")).unwrap();
        let session = token.login(UserType::User, &user_pin()).unwrap();
        Self { token: Arc::new(token), session, left }
    }

    fn begin(&self, operation: Operation<'_>) -> (RunId, Vec<Message>) {
        let (run, progress) = self.token.begin(self.session, operation).unwrap();
        (run, progress.outgoing)
    }

    fn advance(&self, run: RunId, message: &Message) -> Result<Progress, Error> {
        self.token.advance(self.session, run, message)
    }

    /// What it says to these messages.
    fn hear(&self, run: RunId, messages: &[&Message]) -> Vec<Message> {
        messages.iter().flat_map(|message| self.advance(run, message).unwrap().outgoing).collect()
    }

    fn claims(&self) -> usize {
        let log = self.token.audit(self.session, None, 4096).unwrap();
        log.iter().filter(|record| record.event().kind() == EventKind::NonceClaimed).count()
    }
}

/// So many devices, with an invitation to make a key of which any two sign.
fn strangers<const N: usize>() -> ([Device; N], Invitation) {
    let devices = [(); N].map(|()| Device::new());
    let members = Roster::numbered(devices.iter().map(|one| one.token.card(one.session).unwrap())).unwrap();
    let template = KeyTemplate::wallet("a wallet");
    let proposal = Proposal::Dkg { suite: Suite::Ed25519, threshold: 2, members, template };
    let invitation = devices[0].token.invite(devices[0].session, &proposal).unwrap();
    (devices, invitation)
}

/// What a run of all comes to.
fn whole_run(devices: &[Device], operation: Operation<'_>) -> Output {
    let (mut said, mut output) = (Vec::new(), None);
    let mut run = None;
    for (from, device) in devices.iter().enumerate() {
        let (begun, first) = device.begin(operation);
        run = Some(begun);
        said.extend(first.into_iter().map(|message| (from, message)));
    }
    while !said.is_empty() {
        for (from, message) in core::mem::take(&mut said) {
            for (to, device) in devices.iter().enumerate().filter(|(to, _)| *to != from) {
                let progress = device.advance(run.unwrap(), &message).unwrap();
                said.extend(progress.outgoing.into_iter().map(|message| (to, message)));
                output = progress.outcome.transpose().unwrap().or(output);
            }
        }
    }
    output.unwrap()
}

/// Makes a key of the devices', of which any two sign.
fn made(devices: &[Device], invitation: &Invitation) -> KeyId {
    let Output::Key(key) = whole_run(devices, Operation::Deal(invitation)) else { panic!("no key") };
    key.id
}

/// An invitation of the first device for so many to sign, perhaps with nonces of a batch.
fn to_sign(devices: &[Device], key: KeyId, batch: Option<RunId>) -> Invitation {
    let signers = (1..).take(devices.len()).map(id).collect();
    let signing = Proposal::Sign { key, signers, message: TEXT.to_vec(), derivation: Derivation::default(), batch };
    devices[0].token.invite(devices[0].session, &signing).unwrap()
}

/// So many devices with a key, and an invitation for all of them to sign.
fn signers<const N: usize>() -> ([Device; N], Invitation) {
    let (devices, invitation) = strangers();
    let key = made(&devices, &invitation);
    let invitation = to_sign(&devices, key, None);
    (devices, invitation)
}

/// An invitation of the first of two devices to make four pairs of nonces.
fn to_prepare(devices: &[Device; 2], key: KeyId) -> Invitation {
    let preparing = Proposal::Preprocess { key, signers: vec![id(1), id(2)], count: 4 };
    devices[0].token.invite(devices[0].session, &preparing).unwrap()
}

/// Two devices with a key and a batch of four pairs of nonces.
fn stocked() -> ([Device; 2], KeyId, RunId) {
    let (devices, invitation) = strangers();
    let key = made(&devices, &invitation);
    let invitation = to_prepare(&devices, key);
    let Output::Batch(batch) = whole_run(&devices, Operation::Preprocess(&invitation)) else { panic!("no batch") };
    (devices, key, batch.id)
}

fn pair() -> ([Device; 2], Invitation) {
    signers()
}

/// The first device's run, and the commitments of the second.
fn signing(devices: &[Device; 2], invitation: &Invitation) -> (RunId, Message) {
    let [one, two] =
        devices.each_ref().map(|device| device.begin(Operation::Sign(invitation, TEXT, &Derivation::default())));
    (one.0, two.1.into_iter().next().unwrap())
}

type Advancing = JoinHandle<Result<Progress, Error>>;

#[test]
fn a_second_message_for_a_run_waits_and_no_second_share_is_computed() {
    let (devices, invitation) = pair();
    let (run, commitments) = signing(&devices, &invitation);
    let second: Arc<Mutex<Option<Advancing>>> = Arc::default();
    let (token, session, message) = (Arc::clone(&devices[0].token), devices[0].session, commitments.clone());
    let handle = Arc::clone(&second);
    meanwhile(move || {
        let other = std::thread::spawn(move || token.advance(session, run, &message));
        *handle.lock().unwrap() = Some(other);
    });
    let first = devices[0].advance(run, &commitments).unwrap();
    let second = second.lock().unwrap().take().unwrap().join().unwrap().unwrap();
    assert_eq!((first.outgoing.len(), second.outgoing.len()), (1, 0));
    assert!(second.outcome.is_none());
    assert_eq!((devices[0].claims(), second.done), (1, 1));
}

#[test]
fn an_abort_ends_a_run_while_its_share_is_computed() {
    let (devices, invitation) = pair();
    let (run, commitments) = signing(&devices, &invitation);
    let (token, session) = (Arc::clone(&devices[0].token), devices[0].session);
    meanwhile(move || token.abort(session, run).unwrap());
    let progress = devices[0].advance(run, &commitments).unwrap();
    assert!(progress.outgoing.is_empty() && is_over(&progress.outcome.unwrap().unwrap_err()));
    assert!(is_over(&devices[0].advance(run, &commitments).unwrap_err()));
    assert_eq!(devices[0].claims(), 0);
}

/// How a run begins in which nonces are made.
type Begin = for<'a> fn(&'a Invitation, &'a Derivation) -> Operation<'a>;

/// For a signature, and beforehand.
fn making_nonces(devices: &[Device; 2], key: KeyId) -> [(Invitation, Begin); 2] {
    let sign: Begin = |invitation, derivation| Operation::Sign(invitation, TEXT, derivation);
    let prepare: Begin = |invitation, _| Operation::Preprocess(invitation);
    [(to_sign(devices, key, None), sign), (to_prepare(devices, key), prepare)]
}

#[test]
fn while_nonces_are_made_the_token_goes_on_and_their_run_is_entered_once() {
    let (devices, key, _) = stocked();
    let plain = Derivation::default();
    for (invitation, operation) in making_nonces(&devices, key) {
        let (token, session) = (Arc::clone(&devices[0].token), devices[0].session);
        let (again, other) = (invitation.clone(), to_sign(&devices, key, None));
        meanwhile(move || {
            let plain = Derivation::default();
            let before = token.begin(session, operation(&again, &plain)).unwrap_err();
            assert!(matches!(before, Error::Misuse(Misuse::RunEnteredBefore(run)) if run == again.run_id()));
            assert_eq!(token.begin(session, Operation::Sign(&other, TEXT, &plain)).unwrap().1.outgoing.len(), 1);
        });
        let (_, said) = devices[0].begin(operation(&invitation, &plain));
        assert_eq!(said.len(), 1);
        let (run, theirs) = devices[1].begin(operation(&invitation, &plain));
        assert_eq!(devices[0].hear(run, &[&theirs[0]]).len(), 1, "it goes on with what it has said");
    }
}

#[test]
fn of_nonces_whose_run_is_ended_while_they_are_made_nothing_leaves_and_it_is_not_entered_again() {
    let ends: [fn(&Device, RunId, KeyId); 3] = [
        |device, _, _| device.token.logout(device.session).unwrap(),
        |device, run, _| device.token.abort(device.session, run).unwrap(),
        |device, _, key| device.token.destroy_object(device.session, key).unwrap(),
    ];
    let again = |device: &Device, operation: Operation<'_>| {
        let session = device.token.login(UserType::User, &user_pin()).unwrap();
        device.token.begin(session, operation).unwrap_err()
    };
    for end in ends {
        for place in [0, 1] {
            let (devices, key, _) = stocked();
            let (invitation, operation) = making_nonces(&devices, key)[place].clone();
            let (devices, run) = (Arc::new(devices), invitation.run_id());
            let (acting, asked) = (Arc::clone(&devices), invitation.clone());
            meanwhile(move || {
                end(&acting[0], run, key);
                // By another thread, it would go by the same name.
                let refused = again(&acting[0], operation(&asked, &Derivation::default()));
                let expected = [Misuse::RunEnteredBefore(run)].map(Error::Misuse).map(|error| error.to_string());
                let gone = matches!(refused, Error::NotFound(_));
                assert!(gone || expected.contains(&refused.to_string()), "{refused:?}");
            });
            let begun = devices[0].token.begin(devices[0].session, operation(&invitation, &Derivation::default()));
            assert!(matches!(begun, Err(Error::LoggedOut | Error::Misuse(Misuse::NoSuchRun(_)))), "{begun:?}");
        }
    }
}

/// What is done to the first of two devices, given the run and the batch of its nonces.
type EndPrepared = fn(&[Device; 2], (RunId, RunId), KeyId);

/// The run that this ends, while its share is computed, comes to that; then it is begun again, and comes to what is returned.
#[track_caller]
fn ended_prepared(end: EndPrepared, comes_to: impl Fn(&Result<(RunId, Progress), Error>) -> bool) -> Error {
    let (devices, key, batch) = stocked();
    let invitation = to_sign(&devices, key, Some(batch));
    let (devices, run, plain) = (Arc::new(devices), invitation.run_id(), Derivation::default());
    let (token, session) = (Arc::clone(&devices[0].token), devices[0].session);
    let sign = || token.begin(session, Operation::Sign(&invitation, TEXT, &plain));
    let acting = Arc::clone(&devices);
    meanwhile(move || end(&acting, (run, batch), key));
    let ended = sign();
    set_clock_ahead(Duration::ZERO);
    assert!(comes_to(&ended), "{ended:?}");
    let session = token.login(UserType::User, &user_pin()).unwrap();
    let log = token.audit(session, None, 4096).unwrap();
    let told = |event: &Event| event.kind() == EventKind::NonceClaimed || event.run_id() == Some(run.as_bytes());
    assert_eq!(log.iter().any(|record| told(record.event())), ended.is_ok());
    sign().unwrap_err()
}

#[test]
fn of_a_share_of_nonces_made_beforehand_nothing_leaves_or_is_recorded_once_its_run_is_ended() {
    let over = |ended: &Result<_, Error>| ended.as_ref().is_err_and(is_over);
    let logged_out = |ended: &Result<_, Error>| matches!(ended, Err(Error::LoggedOut));
    let gone = |again: Error| assert!(matches!(again, Error::Misuse(Misuse::NoNonces)), "{again:?}");
    ended_prepared(|devices, _, _| devices[0].token.logout(devices[0].session).unwrap(), logged_out);
    gone(ended_prepared(|devices, (run, _), _| devices[0].token.abort(devices[0].session, run).unwrap(), over));
    gone(ended_prepared(
        |_, _, _| set_clock_ahead(Duration::from_secs(601)),
        |ended| matches!(ended, Err(Error::Misuse(Misuse::NoncesExpired))),
    ));
    ended_prepared(|devices, _, key| devices[0].token.destroy_object(devices[0].session, key).unwrap(), over);
    ended_prepared(
        |devices, _, key| {
            let change = Restriction { operations: Some(Operations::REFRESH), export: None };
            devices[0].token.restrict(devices[0].session, key, &change).unwrap();
        },
        |ended| matches!(ended, Err(Error::Denied(_))),
    );
    // The nonces were made for the epoch that this ends.
    ended_prepared(
        |devices, _, key| {
            let refresh = Proposal::Refresh { key, cards: Vec::new(), least_attempt: 0 };
            let invitation = devices[0].token.invite(devices[0].session, &refresh).unwrap();
            let Output::Key(_) = whole_run(devices, Operation::Deal(&invitation)) else { panic!("no key") };
        },
        over,
    );
}

/// They were taken out of it before.
#[test]
fn a_share_of_nonces_made_beforehand_leaves_also_when_the_rest_of_its_batch_is_given_up() {
    let end: EndPrepared = |devices, (_, batch), _| devices[0].token.abort(devices[0].session, batch).unwrap();
    let again = ended_prepared(end, |ended| ended.as_ref().is_ok_and(|(_, progress)| progress.outgoing.len() == 1));
    assert!(matches!(again, Error::Misuse(Misuse::RunEnteredBefore(_))), "{again:?}");
}

#[test]
fn a_share_of_nonces_made_beforehand_whose_thread_dies_is_never_made_and_the_token_goes_on() {
    let (devices, key, batch) = stocked();
    let [first, second] = [(); 2].map(|()| to_sign(&devices, key, Some(batch)));
    let plain = Derivation::default();
    let sign = |invitation| devices[0].token.begin(devices[0].session, Operation::Sign(invitation, TEXT, &plain));
    meanwhile(|| panic!("on purpose"));
    assert!(catch_unwind(AssertUnwindSafe(|| sign(&first))).is_err());
    let (_, said) = devices[1].begin(Operation::Sign(&first, TEXT, &plain));
    assert!(
        is_over(&devices[0].advance(first.run_id(), &said[0]).unwrap_err()),
        "it does not wait for a run that is gone"
    );
    assert!(matches!(sign(&first).unwrap_err(), Error::Misuse(Misuse::NoNonces)));
    assert_eq!(devices[0].claims(), 0);
    assert_eq!(sign(&second).unwrap().1.outgoing.len(), 1);
}

#[test]
fn while_a_share_of_nonces_made_beforehand_is_computed_the_token_signs_and_its_run_is_entered_once() {
    let (devices, key, batch) = stocked();
    let [first, second] = [(); 2].map(|()| to_sign(&devices, key, Some(batch)));
    let token = Arc::clone(&devices[0].token);
    let (session, plain) = (devices[0].session, Derivation::default());
    let (again, other) = (first.clone(), second.clone());
    meanwhile(move || {
        let begin = |invitation| token.begin(session, Operation::Sign(invitation, TEXT, &Derivation::default()));
        let before = begin(&again).unwrap_err();
        assert!(matches!(before, Error::Misuse(Misuse::RunEnteredBefore(run)) if run == again.run_id()));
        assert_eq!(begin(&other).unwrap().1.outgoing.len(), 1);
    });
    assert_eq!(devices[0].begin(Operation::Sign(&first, TEXT, &plain)).1.len(), 1);
    assert_eq!(devices[0].claims(), 2);
    for invitation in [first, second] {
        let (run, said) = devices[1].begin(Operation::Sign(&invitation, TEXT, &plain));
        let progress = devices[0].advance(run, &said[0]).unwrap();
        assert!(matches!(progress.outcome, Some(Ok(Output::Signature(_)))));
    }
}

/// The first of three signers, who has all that the others say but the last commitments; these, and its run.
fn about_to_finish() -> ([Device; 3], RunId, Message) {
    let (devices, invitation) = signers::<3>();
    let enter = |device: &Device| device.begin(Operation::Sign(&invitation, TEXT, &Derivation::default()));
    let [(run, first), (_, second), (_, third)] = devices.each_ref().map(enter);
    let [first, second, third] = [first, second, third].map(|said| said.into_iter().next().unwrap());
    let shares = [devices[1].hear(run, &[&first, &third]), devices[2].hear(run, &[&first, &second])].concat();
    assert_eq!(shares.len(), 2);
    let heard = devices[0].hear(run, &[&second, &shares[0], &shares[1]]);
    assert!(heard.is_empty());
    (devices, run, third)
}

#[test]
fn what_was_recorded_before_a_run_is_ended_does_not_leave_after_it() {
    let (devices, run, last) = about_to_finish();
    let (token, session) = (Arc::clone(&devices[0].token), devices[0].session);
    // One message completes two rounds: the share is on record when the second is computed.
    meanwhile(move || meanwhile(move || token.abort(session, run).unwrap()));
    let progress = devices[0].advance(run, &last).unwrap();
    assert!(progress.outgoing.is_empty() && is_over(&progress.outcome.unwrap().unwrap_err()));
    assert_eq!(devices[0].claims(), 1);
}

#[test]
fn one_message_may_complete_two_rounds() {
    let (devices, run, last) = about_to_finish();
    let progress = devices[0].advance(run, &last).unwrap();
    assert_eq!((progress.outgoing.len(), devices[0].claims()), (1, 1));
    assert!(matches!(progress.outcome, Some(Ok(Output::Signature(_)))));
}

#[test]
fn nonces_that_are_too_old_go_with_the_next_message_whatever_it_is() {
    let (devices, invitation) = pair();
    let (run, said) = devices[0].begin(Operation::Sign(&invitation, TEXT, &Derivation::default()));
    assert!(devices[0].advance(run, &said[0]).unwrap().outcome.is_none());
    set_clock_ahead(Duration::from_secs(601));
    let echo = devices[0].advance(run, &said[0]);
    let after = devices[0].advance(run, &said[0]);
    set_clock_ahead(Duration::ZERO);
    assert!(echo.is_ok());
    assert!(is_over(&after.unwrap_err()));
}

type EndRun = fn(&SoftToken<Breaking>, SessionId, (RunId, KeyId), &AtomicU32);

#[test]
fn who_waits_for_a_run_does_not_wait_for_the_thread_that_computes_for_it_once_it_is_ended() {
    let ends: [EndRun; 2] = [
        |token, session, (run, _), _| token.abort(session, run).unwrap(),
        // The key stays, and its runs are over all the same.
        |token, session, (_, key), left| {
            left.store(0, Ordering::SeqCst);
            assert!(matches!(token.destroy_object(session, key), Err(Error::Storage(_))));
            left.store(u32::MAX, Ordering::SeqCst);
        },
    ];
    for end in ends {
        waits_until(end);
    }
}

fn waits_until(end: EndRun) {
    let (devices, invitation) = pair();
    let left = Arc::clone(&devices[0].left);
    let [key] = devices[0].token.find_objects(devices[0].session, &Filter::default()).unwrap().try_into().unwrap();
    let (run, commitments) = signing(&devices, &invitation);
    let (token, session, message) = (Arc::clone(&devices[0].token), devices[0].session, commitments.clone());
    let (say, hear) = channel();
    meanwhile(move || {
        let waiting = Arc::clone(&token);
        std::thread::spawn(move || say.send(waiting.advance(session, run, &message)).unwrap());
        // Long enough for it to wait; if it does not yet, it finds nothing to wait for.
        std::thread::sleep(Duration::from_millis(100));
        end(&token, session, (run, key.id), &left);
        let told = hear.recv_timeout(Duration::from_secs(20)).expect("it is told that the run is over");
        assert!(is_over(&told.unwrap_err()));
    });
    assert!(is_over(&devices[0].advance(run, &commitments).unwrap().outcome.unwrap().unwrap_err()));
}

#[test]
fn a_key_that_is_on_record_is_told_also_when_what_follows_fails() {
    let (devices, invitation) = strangers::<3>();
    let run = invitation.run_id();
    let joins = devices.each_ref().map(|device| device.begin(Operation::Deal(&invitation)).1.remove(0));
    let answer = |said: &[Message; 3]| {
        [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])]
            .map(|(to, from): (usize, [usize; 2])| devices[to].hear(run, &from.map(|from| &said[from])).remove(0))
    };
    let certify = answer(&answer(&joins));
    let confirm = devices[1].hear(run, &[&certify[0], &certify[2]]).remove(0);
    assert!(devices[0].hear(run, &[&certify[1], &confirm]).is_empty());
    devices[0].left.store(1, Ordering::SeqCst);
    let progress = devices[0].advance(run, &certify[2]).unwrap();
    devices[0].left.store(u32::MAX, Ordering::SeqCst);
    let Some(Ok(Output::Key(made))) = progress.outcome else { panic!("{:?}", progress.outcome) };
    assert_eq!(made.state, KeyState::Active);
}
