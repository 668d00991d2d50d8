//! A group and its key, as they ought to be.

use std::collections::BTreeMap;

use quorumkey::audit::{self, Head};
use quorumkey::wrap::{Identity, Recipient, SecretKey, WrappedIdentity, WrappedShare};
use quorumkey::{
    Dealing, EpochId, Error, Invitation, KeyId, KeyInfo, KeyState, KeyStore, Leaving, Misuse, Network, NewCard, Reason,
    Reshare, Restore, Run, Suite, hazmat,
};

use crate::common::*;

/// A member's place: its token, unless that is lost, and its backup.
struct Seat {
    member: Option<Member>,
    backup: Option<(WrappedIdentity, WrappedShare, EpochId)>,
    restores: u32,
}

impl Seat {
    fn new(number: u16) -> Self {
        Self { member: Some(Member::in_memory(&format!("member {number}"))), backup: None, restores: 0 }
    }
}

pub(crate) struct World {
    seats: BTreeMap<u16, Seat>,
    key: KeyInfo,
    address: String,
    threshold: u16,
    /// The number of the next member.
    next: u16,
    attempts: u32,
}

/// What opens backups, and whom they are sealed to.
fn sheet() -> (Identity, Recipient) {
    let key = SecretKey::from_bytes(&[5; 32]).unwrap();
    let to = key.recipient();
    (Identity::X25519(key), to)
}

/// From which every other address comes.
fn address(member: &Member, key: KeyId, suite: Suite) -> String {
    match suite {
        Suite::Ed25519 => member.key(key).verifying_key.solana_address().unwrap(),
        _ => member.session.extended_public_key(key).unwrap().to_base58(Network::Mainnet),
    }
}

fn log_verifies(member: &Member) {
    let records = member.session.audit(None, 100_000).unwrap();
    audit::follow(&records, &Head::genesis(&member.store.info().unwrap().id)).unwrap();
}

impl World {
    pub(crate) fn new(suite: Suite) -> Self {
        let members = group(3);
        let key = dkg(&members, suite, 2);
        let address = address(&members[0], key.id, suite);
        let seat = |member| Seat { member: Some(member), backup: None, restores: 0 };
        Self {
            seats: (1..).zip(members.into_iter().map(seat)).collect(),
            key,
            address,
            threshold: 2,
            next: 4,
            attempts: 0,
        }
    }

    /// A member's number, by its place among them.
    fn number(&self, place: usize) -> u16 {
        *self.seats.keys().nth(place % self.seats.len()).unwrap()
    }

    fn alive(&self) -> impl Iterator<Item = (u16, &Member)> {
        self.seats.iter().filter_map(|(number, seat)| Some((*number, seat.member.as_ref()?)))
    }

    fn in_state(&self, state: KeyState) -> BTreeMap<u16, &Member> {
        self.alive().filter(|(_, member)| member.session.key(self.key.id).is_ok_and(|key| key.state == state)).collect()
    }

    fn quorum(&self) -> usize {
        let (t, n) = (usize::from(self.threshold), self.seats.len());
        t.max(n + 1 - t)
    }

    fn newest(&self) -> KeyInfo {
        let known = self.in_state(KeyState::Active).into_values().map(|member| member.key(self.key.id));
        known.max_by_key(|key| key.height).unwrap()
    }

    pub(crate) fn height(&self) -> u64 {
        self.newest().height
    }

    pub(crate) fn members(&self) -> Vec<u16> {
        self.seats.keys().copied().collect()
    }

    /// What must hold at every moment.
    pub(crate) fn is_well(&self) {
        let active = self.in_state(KeyState::Active);
        let newest = self.newest();
        for (number, member) in &active {
            let key = member.key(self.key.id);
            assert_eq!((&key.group_key, &key.verifying_key), (&self.key.group_key, &self.key.verifying_key));
            assert_eq!(address(member, self.key.id, self.key.suite), self.address);
            assert_eq!((key.epoch, key.threshold, key.identifier), (newest.epoch, self.threshold, id(*number)));
        }
        let t = usize::from(self.threshold);
        let numbers: Vec<_> = active.keys().copied().collect();
        assert!(numbers.len() >= t, "{numbers:?} are fewer than {t}");
        sign_by(&active, self.key.id, &numbers[..t], &[1; 32]);
        let few: Vec<_> = numbers[..t - 1].iter().map(|number| id(*number)).collect();
        let refused = active[&numbers[0]].session.invite_sign(self.key.id, &few, &[1; 32]);
        assert!(matches!(refused, Err(Error::Misuse(Misuse::Plan(_)))), "{refused:?}");
        self.alive().for_each(|(_, member)| log_verifies(member));
    }

    pub(crate) fn sign(&self, first: usize, count: usize) {
        let active = self.in_state(KeyState::Active);
        let count = count.max(usize::from(self.threshold)).min(active.len());
        let numbers: Vec<_> = active.keys().copied().cycle().skip(first).take(count).collect();
        let signature = sign_by(&active, self.key.id, &numbers, &[2; 32]);
        self.key.verifying_key.verify(&[2; 32], &signature).unwrap();
    }

    /// Gives every lost member a new token, and says with which cards everybody goes on. `None` when too few deal.
    fn cards(&mut self) -> Option<Vec<NewCard>> {
        let remembering = self.in_state(KeyState::Active).len();
        let dealing = remembering + self.in_state(KeyState::Restored).len();
        let restored = dealing > remembering;
        if dealing < self.quorum() || restored && remembering < self.quorum() {
            return None;
        }
        let mut cards = Vec::new();
        let active: Vec<_> = self.in_state(KeyState::Active).into_keys().collect();
        for (number, seat) in &mut self.seats {
            let reason = if seat.member.is_some() { Reason::Routine } else { Reason::Lost };
            if seat.member.is_none() {
                *seat = Seat::new(*number);
            }
            if !active.contains(number) {
                cards.push(NewCard { identifier: id(*number), card: seat.member.as_ref()?.card(), reason });
            }
        }
        Some(cards)
    }

    fn invite_refresh(&mut self) -> Option<Invitation> {
        let cards = self.cards()?;
        let attempt = self.attempt();
        Some(self.inviter().session.invite_refresh_from(self.key.id, cards, attempt).unwrap())
    }

    fn inviter(&self) -> &Member {
        self.in_state(KeyState::Active).into_values().next().unwrap()
    }

    /// Above every attempt that was left behind.
    fn attempt(&mut self) -> u32 {
        self.attempts += 1;
        self.attempts
    }

    fn runs(&self, invitation: &Invitation) -> Vec<Run<Dealing>> {
        self.alive().map(|(_, member)| member.session.start(invitation).unwrap()).collect()
    }

    fn deal(&self, invitation: &Invitation) {
        exchange(&mut self.runs(invitation));
    }

    pub(crate) fn renew(&mut self) {
        if let Some(invitation) = self.invite_refresh() {
            self.deal(&invitation);
        }
    }

    fn place_of(&self, number: u16) -> usize {
        self.alive().position(|(one, _)| one == number).unwrap()
    }

    pub(crate) fn miss_the_end(&mut self, who: usize) {
        let Some(invitation) = self.invite_refresh() else { return };
        let number = self.number(who);
        let place = self.place_of(number);
        let results = exchange_over(&mut self.runs(&invitation), &mut |_, to, message| {
            if to == place && hazmat::subject(&message) == "certify" { Vec::new() } else { vec![message] }
        });
        assert!(matches!(results[place], Ok(None)));
        let other = self.alive().map(|(_, member)| member).enumerate().find(|(at, _)| *at != place).unwrap().1;
        let certificates = other.session.certificates(self.key.id).unwrap();
        let member = self.seats[&number].member.as_ref().unwrap();
        for certificate in &certificates[1..] {
            member.session.complete(certificate).unwrap();
        }
    }

    pub(crate) fn leave_behind(&mut self, who: usize, abandons: bool) {
        // Devices that were lost are replaced first, so that the attempt is of the same members as its successor.
        self.renew();
        if self.in_state(KeyState::Active).len() < self.seats.len() {
            return;
        }
        let place = self.place_of(self.number(who));
        let epoch = self.newest().epoch;
        let Some(invitation) = self.invite_refresh() else { return };
        let results = exchange_over(&mut self.runs(&invitation), &mut |_, to, message| {
            if to == place && hazmat::subject(&message) == "deal" { Vec::new() } else { vec![message] }
        });
        assert!(results.iter().all(|result| matches!(result, Ok(None))), "{results:?}");
        assert_eq!(self.newest().epoch, epoch);
        if abandons {
            self.abandon();
            self.is_well();
        }
        let again = self.invite_refresh().expect("everybody is there");
        self.deal(&again);
        assert!(self.newest().epoch != epoch && self.newest().pending.is_empty());
    }

    /// Everybody gives up what was signed and not certified. It erases nothing.
    fn abandon(&self) {
        let mut given_up = 0;
        for (_, member) in self.alive() {
            let before = member.session.key(self.key.id).unwrap();
            for attempt in &before.pending {
                let after = member.session.abandon(self.key.id, *attempt).unwrap();
                assert_eq!((after.epoch, &after.pending), (before.epoch, &before.pending));
                given_up += 1;
            }
        }
        assert!(given_up > 0, "the others have signed it");
    }

    /// What everybody goes on with, if all are there.
    fn reshare(&mut self, change: impl FnOnce(&mut Self, &mut Reshare)) {
        self.renew();
        if self.in_state(KeyState::Active).len() < self.seats.len() {
            return;
        }
        let attempt = self.attempt();
        let mut reshare = Reshare { least_attempt: attempt, ..Reshare::of(&self.newest()) };
        change(self, &mut reshare);
        self.threshold = reshare.threshold;
        let invitation = self.inviter().session.invite_reshare(self.key.id, reshare).unwrap();
        self.deal(&invitation);
    }

    pub(crate) fn join(&mut self) {
        if self.seats.len() >= 5 {
            return;
        }
        self.reshare(|world, reshare| {
            let number = world.next;
            world.next += 1;
            world.seats.insert(number, Seat::new(number));
            let card = world.seats[&number].member.as_ref().unwrap().card();
            reshare.members = reshare.members.with(id(number), card).unwrap();
        });
    }

    pub(crate) fn leave(&mut self, who: usize) {
        if self.seats.len() < 2 * usize::from(self.threshold) {
            return;
        }
        let (number, mut gone) = (self.number(who), None);
        self.reshare(|_, reshare| {
            reshare.members = reshare.members.without(id(number)).unwrap();
            reshare.leaving.push(Leaving { identifier: id(number), reason: Reason::Routine });
            gone = Some(number);
        });
        if let Some(seat) = gone.and_then(|number| self.seats.remove(&number)) {
            let member = seat.member.unwrap();
            assert_eq!(member.key(self.key.id).state, KeyState::Retired);
            log_verifies(&member);
        }
    }

    pub(crate) fn change_threshold(&mut self, threshold: u16) {
        if threshold != self.threshold && self.seats.len() + 1 >= 2 * usize::from(threshold) {
            self.reshare(|_, reshare| reshare.threshold = threshold);
        }
    }

    pub(crate) fn back_up(&mut self, who: usize) {
        let (number, key) = (self.number(who), self.key.id);
        let (_, to) = sheet();
        let Some(member) = self.in_state(KeyState::Active).remove(&number) else { return };
        let epoch = member.key(key).epoch;
        let backup = (member.session.export_identity(&to).unwrap(), member.session.export(key, &to).unwrap(), epoch);
        self.seats.get_mut(&number).unwrap().backup = Some(backup);
    }

    /// Whether the group can do without that member, so that it renews.
    fn is_spare(&self, number: u16) -> bool {
        let left = self.in_state(KeyState::Active).into_keys().filter(|one| *one != number).count();
        left >= self.quorum()
    }

    pub(crate) fn lose(&mut self, who: usize) {
        let number = self.number(who);
        if self.is_spare(number) {
            self.seats.get_mut(&number).unwrap().member = None;
        }
    }

    pub(crate) fn restore(&mut self, who: usize) {
        let (number, epoch) = (self.number(who), self.newest().epoch);
        let seat = self.seats.get_mut(&number).unwrap();
        let Some((who, share, of)) = seat.backup.as_ref().filter(|_| seat.member.is_none()) else { return };
        if *of != epoch {
            return;
        }
        let (identity, _) = sheet();
        let store = KeyStore::restore_in_memory(&Restore {
            init: &init("again"),
            identity: who,
            with: &identity,
            incarnation: seat.restores,
        })
        .unwrap();
        let member = Member::new(store);
        assert_eq!(member.session.restore(share, &identity).unwrap().state, KeyState::Restored);
        seat.restores += 1;
        // The roster may have been revised since.
        let newest = self.inviter().session.certificates(self.key.id).unwrap();
        for certificate in &newest {
            member.session.complete(certificate).unwrap();
        }
        self.seats.get_mut(&number).unwrap().member = Some(member);
    }

    /// A share of the same epoch for a member with a new token.
    fn give(
        &mut self,
        number: u16,
        invite: impl FnOnce(&Self, &[quorumkey::Identifier], quorumkey::Card) -> Invitation,
    ) {
        let helpers: Vec<_> = self.in_state(KeyState::Active).into_keys().collect();
        let seat = Seat::new(number);
        let card = seat.member.as_ref().unwrap().card();
        self.seats.insert(number, seat);
        let ids: Vec<_> = helpers.iter().map(|one| id(*one)).collect();
        let invitation = invite(self, &ids, card);
        let in_it = self.alive().filter(|(one, _)| *one == number || helpers.contains(one));
        let mut runs: Vec<_> = in_it.map(|(_, member)| member.session.start(&invitation).unwrap()).collect();
        exchange(&mut runs);
    }

    pub(crate) fn repair(&mut self, who: usize) {
        let (number, key) = (self.number(who), self.key.id);
        let helpers = self.in_state(KeyState::Active).len();
        if self.seats[&number].member.is_some()
            || helpers < self.quorum()
            || !self.in_state(KeyState::Restored).is_empty()
        {
            return;
        }
        self.give(number, |world, helpers, card| {
            let card = NewCard { identifier: id(number), card, reason: Reason::Destroyed };
            world.inviter().session.invite_repair(key, card, helpers).unwrap()
        });
        self.is_well();
        // It has forgotten what the device before it signed, and votes after a renewal only.
        self.renew();
    }

    pub(crate) fn enrol(&mut self) {
        let (number, key) = (self.next, self.key.id);
        if self.in_state(KeyState::Active).len() < self.seats.len() || self.seats.len() >= 5 {
            return;
        }
        self.next += 1;
        self.give(number, |world, helpers, card| {
            let inviter = world.alive().next().unwrap().1;
            inviter.session.invite_enrolment(key, id(number), card, helpers).unwrap()
        });
    }

    pub(crate) fn destroy(&mut self, who: usize) {
        let number = self.number(who);
        if !self.is_spare(number) {
            return;
        }
        if let Some(member) = self.seats.get_mut(&number).unwrap().member.take() {
            if member.session.key(self.key.id).is_ok() {
                member.session.destroy(self.key.id).unwrap();
            }
            assert!(matches!(member.session.key(self.key.id), Err(Error::NotFound(_))));
            log_verifies(&member);
        }
    }
}
