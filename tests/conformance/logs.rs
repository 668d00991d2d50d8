//! What the log tells of each change: these events, in this order, and no others.

use quorumkey::audit::EventKind::{
    AttemptAbandoned, BackupExported, BackupRestored, CertificateCompleted, EpochErased, ForkSeen, HolderDeclared,
    KeyActive, KeyDestroyed, KeyPending, KeyRepaired, KeyRestored, KeyRetired, LoggedIn, OverrideUsed, PinChanged,
    Restricted, RevisionSigned, RosterRevised, RunStarted, TokenRestored,
};
use quorumkey::audit::{Digest, Event, EventKind, Record};
use quorumkey::{
    Declaration, EpochId, Error, Export, Filter, Invitation, KeyId, KeyState, Leaving, NewCard, Operations, Reason,
    Reshare, Restriction, Suite,
};

use crate::backend::{Backend, backup_key};
use crate::common::{Member, deal, dkg, dkg_invitation, exchange, exchange_over, id, officer_pin, refresh, user_pin};
use crate::dealings::keep_from;
use crate::ends::log;
use crate::refused;

/// What happened, to which key or card, and what more is said of it.
type Told = (EventKind, Option<[u8; 32]>, Vec<u8>);

/// Reads each log from where it was read to before.
#[derive(Default)]
struct Reader(Vec<Digest>);

impl Reader {
    fn news(&mut self, member: &Member) -> Vec<Told> {
        let log = log(member);
        let read = log.iter().rposition(|record| self.0.contains(&record.hash())).map_or(0, |at| at + 1);
        self.0.extend(log.last().map(Record::hash));
        log[read..].iter().map(Record::event).map(told).collect()
    }

    /// What has happened to these until now is left out.
    fn skip(&mut self, members: &[Member]) {
        for member in members {
            self.news(member);
        }
    }
}

fn told(event: &Event) -> Told {
    let of_a_run = matches!(event.kind(), RunStarted | KeyPending | OverrideUsed | KeyRepaired);
    assert_eq!(event.run_id().is_some(), of_a_run, "{event}");
    (event.kind(), event.object_id().copied(), event.details().to_vec())
}

/// Events of a key that name an epoch.
fn of(key: KeyId, events: &[(EventKind, EpochId)]) -> Vec<Told> {
    let event = |(kind, epoch): &(EventKind, EpochId)| (*kind, Some(*key.as_bytes()), epoch.as_bytes().to_vec());
    events.iter().map(event).collect()
}

fn started(key: Option<KeyId>) -> Told {
    (RunStarted, key.map(|key| *key.as_bytes()), Vec::new())
}

fn group(backend: &dyn Backend, suite: Suite, n: u16) -> Vec<Member> {
    (1..=n).map(|i| named(backend, suite, &i.to_string())).collect()
}

fn named(backend: &dyn Backend, suite: Suite, name: &str) -> Member {
    Member::new(backend.create(&format!("{suite:?} {name}")))
}

/// The member's token is restored under that name, with its share if it has a backup.
fn restored(backend: &dyn Backend, member: &Member, key: KeyId, name: &str) -> Member {
    let (recipient, identity, _) = backup_key();
    let share = member.session.export(key, &recipient).unwrap();
    let who = member.session.export_identity(&recipient).unwrap();
    let again = Member::new(backend.restore(name, &who, &identity));
    assert_eq!(again.session.restore(&share, &identity).unwrap().state, KeyState::Restored);
    again
}

fn new_card(number: u16, member: &Member, reason: Reason) -> NewCard {
    NewCard { identifier: id(number), card: member.card(), reason }
}

/// A detail that begins with an epoch.
fn naming(epoch: EpochId, more: &[u8]) -> Vec<u8> {
    [epoch.as_bytes().as_slice(), more].concat()
}

/// Retired by a removal, active again when it is taken back.
pub fn the_log_tells_of_a_member_that_is_removed_and_taken_back(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut log = Reader::default();
        let members = group(backend, suite, 3);
        let key = dkg(&members, suite, 2);
        log.skip(&members);
        let two = Reshare {
            members: key.roster.without(id(3)).unwrap(),
            leaving: vec![Leaving { identifier: id(3), reason: Reason::Lost }],
            ..Reshare::of(&key)
        };
        let two = deal(&members[..2], &members[0].session.invite_reshare(key.id, two).unwrap());
        let certificate = members[0].session.certificate(key.id).unwrap();
        assert_eq!(members[2].session.complete(&certificate).unwrap().state, KeyState::Retired);
        let retired = [(EpochErased, key.epoch), (CertificateCompleted, two.epoch), (KeyRetired, two.epoch)];
        assert_eq!(log.news(&members[2]), of(key.id, &retired));

        let back = Reshare { members: two.roster.with(id(3), members[2].card()).unwrap(), ..Reshare::of(&two) };
        let three = deal(&members, &members[0].session.invite_reshare(key.id, back).unwrap());
        assert_eq!(members[2].key(key.id).state, KeyState::Active);
        let active = [(KeyPending, three.epoch), (CertificateCompleted, three.epoch), (KeyActive, three.epoch)];
        assert_eq!(log.news(&members[2]), [vec![started(Some(key.id))], of(key.id, &active)].concat());
    }
}

/// Restored from a backup, active with the refresh; and what leaves and comes in is told, of identity and share.
pub fn the_log_tells_of_backups_and_of_a_restored_key_that_is_renewed(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut log = Reader::default();
        let mut members = group(backend, suite, 3);
        let key = dkg(&members, suite, 2);
        log.skip(&members);
        let before = members[2].card();
        let again = restored(backend, &members[2], key.id, &format!("{suite:?} 3 again"));
        let identity = (BackupExported, Some(*before.id().as_bytes()), Vec::new());
        assert_eq!(log.news(&members[2]), [of(key.id, &[(BackupExported, key.epoch)]), vec![identity]].concat());
        let begun = vec![(TokenRestored, Some(*again.card().id().as_bytes()), Vec::new()), (LoggedIn, None, vec![1])];
        let restored = of(key.id, &[(BackupRestored, key.epoch), (KeyRestored, key.epoch)]);
        assert_eq!(log.news(&again), [begun, restored].concat());
        members[2] = again;
        let cards = vec![new_card(3, &members[2], Reason::Lost)];
        let now = deal(&members, &members[0].session.invite_refresh(key.id, cards).unwrap());
        assert_eq!(members[2].key(key.id).state, KeyState::Active);
        let renewed = [
            (KeyPending, now.epoch),
            (EpochErased, key.epoch),
            (CertificateCompleted, now.epoch),
            (KeyActive, now.epoch),
        ];
        assert_eq!(log.news(&members[2]), [vec![started(Some(key.id))], of(key.id, &renewed)].concat());
    }
}

/// A key that never was active.
pub fn the_log_tells_of_a_pending_key_that_is_destroyed(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut log = Reader::default();
        let members = group(backend, suite, 2);
        log.skip(&members);
        let invitation = dkg_invitation(&members, suite, 2);
        let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
        exchange_over(&mut runs, &mut keep_from(1));
        let key = members[0].session.find(&Filter::default()).unwrap().remove(0);
        assert_eq!(members[1].key(key.id).state, KeyState::Pending);
        members[1].session.destroy(key.id).unwrap();
        let expected = [(KeyPending, key.epoch), (EpochErased, key.epoch), (KeyDestroyed, key.epoch)];
        assert_eq!(log.news(&members[1]), [vec![started(None)], of(key.id, &expected)].concat());
    }
}

/// What was not here, or was destroyed here, is active by a repair: that event is the change of its state. Who helped has
/// signed the revision, again if it is for the same device; who was not there learns it from a certificate, once.
pub fn the_log_tells_of_a_repair_and_of_the_roster_that_it_revised(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut log = Reader::default();
        let mut members = group(backend, suite, 5);
        let key = dkg(&members, suite, 3);
        members[4] = named(backend, suite, "5 anew");
        log.skip(&members);
        let of_revision = |kind| (kind, Some(*key.id.as_bytes()), naming(key.epoch, &1_u32.to_be_bytes()));
        for revised in [vec![of_revision(RosterRevised)], Vec::new()] {
            let target = new_card(5, &members[4], Reason::Destroyed);
            let invitation = members[0].session.invite_repair(key.id, target, &[1, 2, 3].map(id)).unwrap();
            let start = |at: &usize| members[*at].session.start(&invitation).unwrap();
            exchange(&mut [0, 1, 2, 4].iter().map(start).collect::<Vec<_>>());
            assert_eq!(members[4].key(key.id).state, KeyState::Active);
            assert_eq!(
                log.news(&members[4]),
                [vec![started(Some(key.id))], of(key.id, &[(KeyRepaired, key.epoch)])].concat()
            );
            for helper in &members[..3] {
                let voted = vec![started(Some(key.id)), of_revision(RevisionSigned)];
                assert_eq!(log.news(helper), [voted, revised.clone()].concat());
            }
            members[3].session.complete(&members[0].session.certificate(key.id).unwrap()).unwrap();
            assert_eq!(log.news(&members[3]), revised);
            members[4].session.destroy(key.id).unwrap();
            assert_eq!(log.news(&members[4]), of(key.id, &[(EpochErased, key.epoch), (KeyDestroyed, key.epoch)]));
        }
    }
}

/// An attempt is given up, and certified after all.
pub fn the_log_tells_of_an_attempt_that_is_given_up_and_of_its_certificate(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut log = Reader::default();
        let members = group(backend, suite, 2);
        let key = dkg(&members, suite, 2);
        log.skip(&members);
        let invitation = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
        let mut runs: Vec<_> = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
        exchange_over(&mut runs, &mut keep_from(1));
        let attempt = members[1].key(key.id).pending[0];
        members[1].session.abandon(key.id, attempt).unwrap();
        let given_up = of(key.id, &[(KeyPending, attempt), (AttemptAbandoned, attempt)]);
        assert_eq!(log.news(&members[1]), [vec![started(Some(key.id))], given_up].concat());
        members[1].session.complete(&members[0].session.certificate(key.id).unwrap()).unwrap();
        let completed = [(EpochErased, key.epoch), (CertificateCompleted, attempt), (KeyActive, attempt)];
        assert_eq!(log.news(&members[1]), of(key.id, &completed));
    }
}

/// What the user and the officer decide.
pub fn the_log_tells_of_pins_restrictions_and_declarations(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut log = Reader::default();
        let members = group(backend, suite, 2);
        let key = dkg(&members, suite, 2);
        refresh(&members, key.id);
        log.skip(&members);
        let said = |kind, details: &[u8]| (kind, Some(*key.id.as_bytes()), details.to_vec());
        let operations = Some(Operations::SIGN.union(Operations::REFRESH));
        let session = &members[0].session;
        session.restrict(key.id, &Restriction { operations, export: None }).unwrap();
        session.restrict(key.id, &Restriction { operations: None, export: Some(Export::Never) }).unwrap();
        session.set_pin(&user_pin()).unwrap();
        let both = [said(Restricted, &[3, 2]), said(Restricted, &[3, 0]), (PinChanged, None, vec![1])];
        assert_eq!(log.news(&members[0]), both);

        let officer = members[0].store.login_so(&officer_pin()).unwrap();
        officer.set_pin(&officer_pin()).unwrap();
        officer.set_user_pin(&user_pin()).unwrap();
        let (epoch, identifier) = (key.epoch, id(2));
        officer.declare(key.id, &Declaration::BackupsDestroyed { epoch, identifier }).unwrap();
        officer.declare(key.id, &Declaration::DeviceDestroyed { epoch, identifier }).unwrap();
        officer.declare(key.id, &Declaration::Stolen { epoch, identifier }).unwrap();
        let pins = [(LoggedIn, None, vec![2]), (PinChanged, None, vec![2]), (PinChanged, None, vec![1])];
        let declared = |code| {
            let details = [&[code], naming(epoch, &identifier.get().to_be_bytes()).as_slice()].concat();
            said(HolderDeclared, &details)
        };
        assert_eq!(log.news(&members[0]), [pins, [1, 2, 3].map(declared)].concat());
    }
}

/// The fork is told once, however often it is shown; so is the officer's leave to what brought it about.
pub fn the_log_tells_of_a_fork(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut log = Reader::default();
        let ours = group(backend, suite, 3);
        let key = dkg(&ours, suite, 2);
        let again = [2, 3].map(|number: u16| {
            let name = format!("{suite:?} {number} again");
            restored(backend, &ours[usize::from(number) - 1], key.id, &name)
        });
        refresh(&ours, key.id);
        let theirs: Vec<_> = [named(backend, suite, "1 anew")].into_iter().chain(again).collect();
        log.skip(&ours);
        log.skip(&theirs);
        let cards = (1..).zip(&theirs).map(|(number, member)| new_card(number, member, Reason::Routine)).collect();
        let invitation = theirs[1].session.invite_refresh(key.id, cards).unwrap();
        for member in &theirs[1..] {
            member.store.login_so(&officer_pin()).unwrap().override_fork_rules(&invitation).unwrap();
            let leave = (OverrideUsed, Some(*key.id.as_bytes()), Vec::new());
            assert_eq!(log.news(member), [(LoggedIn, None, vec![2]), leave]);
        }
        let other = deal(&theirs, &invitation);
        log.skip(&theirs);
        let certificate = theirs[0].session.certificate(key.id).unwrap();
        for _ in 0..2 {
            refused!(ours[0].session.complete(&certificate), Error::Fork { .. });
        }
        assert_eq!(log.news(&ours[0]), of(key.id, &[(ForkSeen, other.epoch)]));
        let certificate = ours[0].session.certificate(key.id).unwrap();
        refused!(theirs[2].session.complete(&certificate), Error::Fork { .. });
        assert_eq!(log.news(&theirs[2]), of(key.id, &[(ForkSeen, certificate.epoch_id())]));
    }
}

/// So is one of two rosters, under the name of the epoch that both are of.
pub fn the_log_tells_of_a_fork_of_rosters(backend: &dyn Backend) {
    for suite in Suite::ALL {
        let mut log = Reader::default();
        let members = group(backend, suite, 5);
        let key = dkg(&members[..3], suite, 2);
        let enrol = |helpers: [u16; 2], place: usize| {
            let inviter = &members[usize::from(helpers[0]) - 1];
            inviter.session.invite_enrolment(key.id, id(4), members[place].card(), &helpers.map(id)).unwrap()
        };
        let [first, second] = [enrol([1, 2], 3), enrol([3, 2], 4)];
        let start = |places: [usize; 3], invitation: &Invitation| {
            places.map(|place| members[place].session.start(invitation).unwrap())
        };
        // The first has both votes for the one, the second not; its officer lifts the rule, and it votes for the other as well.
        exchange_over(&mut start([0, 1, 3], &first), &mut |from, to, message| {
            let lost = message.round() >= 2 || message.round() == 1 && (from, to) == (0, 1);
            if lost { Vec::new() } else { vec![message] }
        });
        members[1].store.login_so(&officer_pin()).unwrap().override_fork_rules(&second).unwrap();
        exchange(&mut start([1, 2, 4], &second));
        log.skip(&members);
        for (member, other) in [(0, 2), (2, 0)] {
            let certificate = members[other].session.certificate(key.id).unwrap();
            for _ in 0..2 {
                refused!(members[member].session.complete(&certificate), Error::Fork { .. });
            }
            assert_eq!(log.news(&members[member]), of(key.id, &[(ForkSeen, key.epoch)]));
        }
    }
}
