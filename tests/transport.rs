//! Driving runs over a bus that loses, repeats, reorders and delays.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::*;
use quorumkey::transport::{Bus, Driven, Endpoint, Faults, Patience, Transport, drive, drive_watched};
use quorumkey::{Error, KeyInfo, Message, Protocol, Result, Run, RunProgress, Signature, Suite};

const BAD: Faults = Faults { drop: 20, duplicate: 20, reorder: 20, delay: 20 };

fn quick() -> Patience {
    Patience {
        deadline: Duration::from_secs(60),
        resend: Duration::from_millis(20),
        linger: Duration::from_millis(600),
    }
}

/// Each run in a thread of its own; what came of each, in order.
fn drive_all<P: Protocol>(runs: Vec<Run<P>>, bus: &Bus, patience: Patience) -> Vec<Result<Driven<P::Output>>> {
    let ends: Vec<(Run<P>, Endpoint)> = runs.into_iter().map(|run| (run, bus.endpoint())).collect();
    let threads: Vec<_> =
        ends.into_iter().map(|(mut run, mut end)| thread::spawn(move || drive(&mut run, &mut end, patience))).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn dkg_over(members: &[Member], bus: &Bus, patience: Patience) -> Vec<KeyInfo> {
    let invitation = dkg_invitation(members, Suite::Ed25519, 2);
    let runs = members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
    drive_all(runs, bus, patience).into_iter().map(|driven| driven.unwrap().output).collect()
}

fn sign_over(members: &[Member], key: &KeyInfo, bus: &Bus, patience: Patience) -> Vec<Signature> {
    let signers = [id(1), id(3)];
    let invitation = members[0].session.invite_sign(key.id, &signers, b"over a bus").unwrap();
    let runs = [0, 2].map(|at: usize| members[at].session.start_sign(&invitation, b"over a bus").unwrap());
    drive_all(runs.into(), bus, patience).into_iter().map(|driven| driven.unwrap().output).collect()
}

#[test]
fn a_key_is_made_and_signs_over_a_reliable_bus() {
    let members = group(3);
    let keys = dkg_over(&members, &Bus::reliable(), Patience::default());
    assert!(keys.iter().all(|key| key.epoch == keys[0].epoch));
    for signature in sign_over(&members, &keys[0], &Bus::reliable(), quick()) {
        keys[0].verifying_key.verify(b"over a bus", &signature).unwrap();
    }
}

#[test]
fn who_watches_a_run_sees_each_round_fill_up_member_by_member() {
    let members = group(4);
    let invitation = dkg_invitation(&members, Suite::Ed25519, 3);
    let bus = Bus::reliable();
    let ends: Vec<_> =
        members.iter().map(|member| (member.session.start(&invitation).unwrap(), bus.endpoint())).collect();
    let watched = |(mut run, mut end): (Run<_>, Endpoint)| {
        thread::spawn(move || {
            let mut seen = Vec::new();
            drive_watched(&mut run, &mut end, quick(), |progress| seen.push(progress.clone())).unwrap();
            seen
        })
    };
    let threads: Vec<_> = ends.into_iter().map(watched).collect();
    for (place, thread) in threads.into_iter().enumerate() {
        let seen: Vec<RunProgress> = thread.join().unwrap();
        assert_eq!((seen[0].done, seen[0].awaiting.len()), (0, 3));
        assert!(seen[0].awaiting.iter().all(|other| usize::from(other.get()) != place + 1));
        for pair in seen.windows(2) {
            let fewer = pair[0].awaiting.len().checked_sub(1);
            let next = (pair[1].done, Some(pair[1].awaiting.len()));
            assert!(pair[1].done > pair[0].done || next == (pair[0].done, fewer), "{pair:?}");
        }
        let rounds: Vec<_> = seen.chunk_by(|a, b| a.done == b.done).map(|round| round[0].done).collect();
        assert_eq!(rounds[..3], [0, 1, 2], "round by round");
        assert!(seen.iter().all(|progress| progress.total == seen[0].total && progress.done <= progress.total));
    }
}

#[test]
fn a_bus_that_loses_repeats_reorders_and_delays_a_fifth_of_all_stops_no_run() {
    let patience = Patience { linger: Duration::from_secs(1), ..quick() };
    let try_one = |seed: u64| {
        let members = group(3);
        let keys = dkg_over(&members, &Bus::new(seed, BAD), patience);
        assert!(keys.iter().all(|key| key.epoch == keys[0].epoch), "seed {seed}");
        let signatures = sign_over(&members, &keys[0], &Bus::new(!seed, BAD), patience);
        for signature in signatures {
            keys[0].verifying_key.verify(b"over a bus", &signature).unwrap();
        }
    };
    // They wait most of the time, so they wait together.
    for seeds in (0..30).collect::<Vec<_>>().chunks(6) {
        thread::scope(|scope| seeds.iter().for_each(|seed| drop(scope.spawn(|| try_one(*seed)))));
    }
}

/// A transport on which some messages of this member get lost.
struct Losing<F> {
    end: Endpoint,
    is_lost: F,
}

impl<F: FnMut(&Message) -> bool> Transport for Losing<F> {
    fn send(&mut self, message: &Message) -> Result<()> {
        if (self.is_lost)(message) { Ok(()) } else { self.end.send(message) }
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Message>> {
        self.end.receive(timeout)
    }
}

/// Two signers, of whom the first loses its share as often as that.
fn sign_with_lost_shares(losses: u32, linger: Duration) -> [Result<Driven<Signature>>; 2] {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    let [mut first, mut second] = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, b"m").unwrap());
    let bus = Bus::reliable();
    let (end, mut other) = (bus.endpoint(), bus.endpoint());
    let mut left = losses;
    let is_lost = move |message: &Message| {
        let lost = message.round() == 1 && left > 0;
        left -= u32::from(lost);
        lost
    };
    let patience = Patience { linger, deadline: Duration::from_secs(2), ..quick() };
    let waiting = thread::spawn(move || drive(&mut second, &mut other, patience));
    let one = drive(&mut first, &mut Losing { end, is_lost }, patience);
    [one, waiting.join().unwrap()]
}

#[test]
fn lingering_lets_a_member_finish_that_lost_the_last_message() {
    let [one, two] = sign_with_lost_shares(2, Duration::from_millis(600));
    assert_eq!(one.unwrap().output, two.unwrap().output);
}

#[test]
fn without_lingering_the_member_that_lost_the_last_message_reports_who_is_absent() {
    let [one, two] = sign_with_lost_shares(u32::MAX, Duration::ZERO);
    one.unwrap();
    let Err(Error::Absent { awaiting }) = two else { panic!("{two:?}") };
    assert_eq!(awaiting, [id(1)]);
}

#[test]
fn at_the_deadline_the_silent_members_are_absent_and_nobody_is_blamed() {
    let members = group(4);
    let invitation = dkg_invitation(&members, Suite::Ed25519, 3);
    let runs = [0, 2].map(|at: usize| members[at].session.start(&invitation).unwrap());
    let patience = Patience { deadline: Duration::from_millis(200), ..quick() };
    let began = Instant::now();
    for result in drive_all(runs.into(), &Bus::reliable(), patience) {
        let Err(error @ Error::Absent { .. }) = result else { panic!("{result:?}") };
        assert!(error.retryable());
        let Error::Absent { awaiting } = error else { unreachable!() };
        assert_eq!(awaiting, [id(2), id(4)]);
    }
    assert!(began.elapsed() >= patience.deadline);
}

/// A transport on which there is always something of no use to be had, and on which this member's first message gets lost.
struct Flooded<F> {
    end: Losing<F>,
    junk: Message,
}

impl<F: FnMut(&Message) -> bool> Transport for Flooded<F> {
    fn send(&mut self, message: &Message) -> Result<()> {
        self.end.send(message)
    }

    fn receive(&mut self, _: Duration) -> Result<Option<Message>> {
        let message = self.end.receive(Duration::from_millis(1))?;
        Ok(Some(message.unwrap_or_else(|| self.junk.clone())))
    }
}

#[test]
fn a_flood_of_strangers_messages_keeps_nobody_from_sending_again() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invite = |text: &[u8]| members[0].session.invite_sign(key.id, &[id(1), id(2)], text).unwrap();
    let (here, elsewhere) = (invite(b"here"), invite(b"elsewhere"));
    let mut stranger = members[1].session.start_sign(&elsewhere, b"elsewhere").unwrap();
    let junk = stranger.poll_transmit().unwrap();
    let [mut one, mut two] = [0, 1].map(|at: usize| members[at].session.start_sign(&here, b"here").unwrap());
    let bus = Bus::reliable();
    let (end, mut other) = (bus.endpoint(), bus.endpoint());
    let mut sent = 0;
    let is_lost = move |_: &Message| {
        sent += 1;
        sent == 1
    };
    let patience = Patience { deadline: Duration::from_secs(5), ..quick() };
    let thread = thread::spawn(move || drive(&mut two, &mut other, patience));
    let driven = drive(&mut one, &mut Flooded { end: Losing { end, is_lost }, junk }, patience).unwrap();
    assert_eq!(thread.join().unwrap().unwrap().output, driven.output);
}

#[test]
fn the_deadline_holds_for_who_hardly_ever_sends_again() {
    let members = group(2);
    let invitation = dkg_invitation(&members, Suite::Ed25519, 2);
    let mut run = members[0].session.start(&invitation).unwrap();
    let patience = Patience { deadline: Duration::from_millis(50), resend: Duration::MAX, linger: Duration::MAX };
    let error = drive(&mut run, &mut Bus::reliable().endpoint(), patience).unwrap_err();
    assert!(matches!(error, Error::Absent { .. }), "{error:?}");
}

#[test]
fn strangers_messages_are_counted_and_change_nothing() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invite = |text: &[u8]| members[0].session.invite_sign(key.id, &[id(1), id(2)], text).unwrap();
    let (here, elsewhere) = (invite(b"here"), invite(b"elsewhere"));
    let mut stranger = members[1].session.start_sign(&elsewhere, b"elsewhere").unwrap();
    let foreign = stranger.poll_transmit().unwrap();
    let [mut one, mut two] = [0, 1].map(|at: usize| members[at].session.start_sign(&here, b"here").unwrap());
    let bus = Bus::reliable();
    let (mut end, mut other, mut third) = (bus.endpoint(), bus.endpoint(), bus.endpoint());
    for _ in 0..3 {
        third.send(&foreign).unwrap();
    }
    let thread = thread::spawn(move || drive(&mut two, &mut other, quick()));
    let driven = drive(&mut one, &mut end, quick()).unwrap();
    assert_eq!(driven.rejected, 3);
    assert_eq!(thread.join().unwrap().unwrap().output, driven.output);
}

/// A transport that ends when the output may be there already.
struct Ending {
    end: Endpoint,
    left: u32,
}

impl Transport for Ending {
    fn send(&mut self, message: &Message) -> Result<()> {
        self.end.send(message)
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Message>> {
        match self.end.receive(timeout)? {
            Some(message) => {
                self.left = self.left.saturating_sub(1);
                Ok(Some(message))
            }
            None if self.left == 0 => Err(Error::LoggedOut),
            None => Ok(None),
        }
    }
}

#[test]
fn a_transport_that_ends_while_lingering_takes_no_output_away() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    let [mut one, mut two] = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, b"m").unwrap());
    let bus = Bus::reliable();
    let (end, mut other) = (bus.endpoint(), bus.endpoint());
    let thread = thread::spawn(move || drive(&mut two, &mut other, quick()));
    let driven = drive(&mut one, &mut Ending { end, left: 2 }, quick()).unwrap();
    key.verifying_key.verify(b"m", &driven.output).unwrap();
    thread.join().unwrap().unwrap();
}

#[test]
fn a_run_whose_session_ends_stops_its_driver() {
    let members = group(2);
    let key = dkg(&members, Suite::Ed25519, 2);
    let invitation = members[0].session.invite_sign(key.id, &[id(1), id(2)], b"m").unwrap();
    let [mut one, mut two] = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, b"m").unwrap());
    let mut members = members;
    members.remove(0).session.logout().unwrap();
    let bus = Bus::reliable();
    let (mut end, mut other) = (bus.endpoint(), bus.endpoint());
    let patience = Patience { deadline: Duration::from_millis(300), ..quick() };
    let thread = thread::spawn(move || drive(&mut two, &mut other, patience));
    assert!(matches!(drive(&mut one, &mut end, patience), Err(Error::LoggedOut)));
    assert!(matches!(thread.join().unwrap(), Err(Error::Absent { .. })));
}
