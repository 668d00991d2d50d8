//! What happens while a round is computed, when the token's lock is free.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use quorumkey::hazmat::meanwhile;
use quorumkey::{
    Derivation, Error, Invitation, KeyId, KeyTemplate, MemoryStorage, Message, Misuse, Operation, Operations, Output,
    Progress, Proposal, Restriction, Roster, Run, RunId, Session, SessionId, Signing, SoftToken, Suite, Token,
    UserType,
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

/// A member whose token is called without the handles that keep a run to one thread.
struct Device {
    token: Arc<SoftToken<MemoryStorage>>,
    session: SessionId,
}

impl Device {
    fn new() -> Self {
        let token = SoftToken::create(|contents| Ok(MemoryStorage::new(contents)), &init("")).unwrap();
        let session = token.login(UserType::User, &user_pin()).unwrap();
        Self { token: Arc::new(token), session }
    }

    fn begin(&self, operation: Operation<'_>) -> (RunId, Vec<Message>) {
        let (run, progress) = self.token.begin(self.session, operation).unwrap();
        (run, progress.outgoing)
    }

    fn advance(&self, run: RunId, message: &Message) -> Result<Progress, Error> {
        self.token.advance(self.session, run, message)
    }

    fn claims(&self) -> usize {
        let log = self.token.audit(self.session, None, 4096).unwrap();
        log.iter().filter(|record| record.event().kind() == quorumkey::audit::EventKind::NonceClaimed).count()
    }
}

/// Two devices with a key, and an invitation to sign.
fn pair() -> ([Device; 2], Invitation) {
    let devices = [Device::new(), Device::new()];
    let members = Roster::numbered(devices.iter().map(|one| one.token.card(one.session).unwrap())).unwrap();
    let template = KeyTemplate::wallet("a wallet");
    let proposal = Proposal::Dkg { suite: Suite::Ed25519, threshold: 2, members, template };
    let invitation = devices[0].token.invite(devices[0].session, &proposal).unwrap();
    let (mut said, mut key) = (Vec::new(), None);
    for (from, device) in devices.iter().enumerate() {
        said.extend(device.begin(Operation::Deal(&invitation)).1.into_iter().map(|message| (from, message)));
    }
    while !said.is_empty() {
        for (from, message) in core::mem::take(&mut said) {
            let progress = devices[1 - from].advance(invitation.run_id(), &message).unwrap();
            said.extend(progress.outgoing.into_iter().map(|message| (1 - from, message)));
            if let Some(Ok(Output::Key(made))) = progress.outcome {
                key = Some(made.id);
            }
        }
    }
    let signing = Proposal::Sign {
        key: key.unwrap(),
        signers: vec![id(1), id(2)],
        message: TEXT.to_vec(),
        derivation: Derivation::default(),
        batch: None,
    };
    let invitation = devices[0].token.invite(devices[0].session, &signing).unwrap();
    (devices, invitation)
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
