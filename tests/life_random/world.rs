//! A group and its keys, as they ought to be.

mod losses;

use std::collections::BTreeMap;

use quorumkey::wrap::{WrappedIdentity, WrappedShare};
use quorumkey::{
    Card, CertificateError, Dealing, Dkg, EpochId, Error, Identifier, Invitation, KeyId, KeyInfo, KeyState,
    KeyTemplate, Leaving, NewCard, Reason, Reshare, Roster, Run, Suite, hazmat,
};

use crate::common::*;
use crate::device::Setting;
use crate::life::{Life, address, child, log_verifies, sheet};

/// A member's place: its token, unless that is lost, and its backup.
struct Seat {
    member: Option<Member>,
    backup: Option<Backup>,
    restores: u32,
}

impl Seat {
    fn new(member: Member) -> Self {
        Self { member: Some(member), backup: None, restores: 0 }
    }
}

/// A token's identity, and the shares that it had.
struct Backup {
    identity: WrappedIdentity,
    shares: BTreeMap<KeyId, (WrappedShare, EpochId)>,
}

pub(crate) struct World {
    setting: Setting,
    seats: BTreeMap<u16, Seat>,
    lives: Vec<Life>,
    /// The key that is dealt with.
    at: usize,
    /// The number of the next member.
    next: u16,
}

impl World {
    pub(crate) fn new(setting: Setting) -> Self {
        let members = setting.group(3);
        let key = dkg(&members, setting.suite, 2);
        let life = Life::new(key, &members[0], (1..=3).collect());
        let seats = (1..).zip(members.into_iter().map(Seat::new)).collect();
        Self { setting, seats, lives: vec![life], at: 0, next: 4 }
    }

    /// What happens next, happens to that key, counted around.
    pub(crate) fn turn_to(&mut self, key: usize) {
        self.at = key % self.lives.len();
    }

    fn life(&self) -> &Life {
        &self.lives[self.at]
    }

    fn id(&self) -> KeyId {
        self.life().key.id
    }

    /// A member's number, by its place among them.
    fn number(&self, place: usize) -> u16 {
        *self.life().members.iter().nth(place % self.life().members.len()).unwrap()
    }

    /// The key's members that have a token.
    fn alive(&self) -> impl Iterator<Item = (u16, &Member)> {
        let numbers = self.life().members.iter();
        numbers.filter_map(|number| Some((*number, self.seats[number].member.as_ref()?)))
    }

    fn state(&self, number: u16) -> Option<KeyState> {
        self.seats[&number].member.as_ref()?.session.key(self.id()).ok().map(|key| key.state)
    }

    fn in_state(&self, state: KeyState) -> BTreeMap<u16, &Member> {
        self.alive().filter(|(number, _)| self.state(*number) == Some(state)).collect()
    }

    fn active(&self) -> BTreeMap<u16, &Member> {
        self.in_state(KeyState::Active)
    }

    fn all_active(&self) -> bool {
        self.active().len() == self.life().members.len()
    }

    fn quorum(&self) -> usize {
        let (t, n) = (usize::from(self.life().threshold), self.life().members.len());
        t.max(n + 1 - t)
    }

    fn newest(&self) -> KeyInfo {
        let known = self.active().into_values().map(|member| member.key(self.id()));
        known.max_by_key(|key| key.height).unwrap()
    }

    pub(crate) fn height(&self) -> u64 {
        self.newest().height
    }

    pub(crate) fn members(&self) -> Vec<u16> {
        self.life().members.iter().copied().collect()
    }

    pub(crate) fn living(&self) -> usize {
        self.active().len()
    }

    /// What must hold of every key at every moment.
    pub(crate) fn is_well(&mut self) {
        let at = self.at;
        for key in 0..self.lives.len() {
            self.at = key;
            let tried = self.key_is_well();
            self.lives[key].tried = Some(tried);
        }
        self.at = at;
        self.seats.values().filter_map(|seat| seat.member.as_ref()).for_each(log_verifies);
    }

    fn key_is_well(&self) -> (EpochId, u32, Vec<u16>) {
        let (life, active, newest) = (self.life(), self.active(), self.newest());
        for (number, member) in &active {
            let key = member.key(life.key.id);
            assert_eq!((&key.group_key, &key.verifying_key), (&life.key.group_key, &life.key.verifying_key));
            assert_eq!(address(member, key.id, key.suite), life.address);
            assert_eq!(child(member, key.id, key.suite), life.child);
            assert_eq!((key.epoch, key.threshold, key.identifier), (newest.epoch, life.threshold, id(*number)));
        }
        let t = usize::from(life.threshold);
        let numbers: Vec<_> = active.keys().copied().collect();
        assert!(numbers.len() >= t, "{numbers:?} are fewer than {t}");
        let now = (newest.epoch, newest.revision, numbers);
        if life.tried.as_ref() == Some(&now) {
            sign_by(&active, life.key.id, &now.2[..t], &[1; 32]);
        } else {
            life.has_its_threshold(&active, &now.2);
            life.signs_for_its_child(&active, &now.2[now.2.len() - t..]);
        }
        now
    }

    /// Another key, of another suite. Its members are the first that have a token: the numbers of a new key have no gaps.
    pub(crate) fn dkg(&mut self) {
        let numbered = self.alive().zip(1..).take_while(|((number, _), place)| number == place);
        let members: Vec<_> = numbered.map(|(member, _)| member).collect();
        if self.lives.len() > 1 || members.len() < 2 {
            return;
        }
        let suite = Suite::ALL.iter().copied().find(|suite| *suite != self.life().key.suite).unwrap();
        let seats = members.iter().map(|(number, member)| (id(*number), member.card())).collect();
        let template = KeyTemplate::wallet("another wallet");
        let dkg = Dkg { suite, threshold: 2, members: Roster::new(seats).unwrap(), template };
        let invitation = members[0].1.session.invite(dkg).unwrap();
        let mut runs: Vec<_> = members.iter().map(|(_, member)| member.session.start(&invitation).unwrap()).collect();
        let key = exchange(&mut runs).remove(0);
        let life = Life::new(key, members[0].1, members.iter().map(|(number, _)| *number).collect());
        self.lives.push(life);
    }

    pub(crate) fn sign(&self, first: usize, count: usize) {
        let active = self.active();
        let count = count.max(usize::from(self.life().threshold)).min(active.len());
        let numbers: Vec<_> = active.keys().copied().cycle().skip(first).take(count).collect();
        let signature = sign_by(&active, self.id(), &numbers, &[2; 32]);
        self.life().key.verifying_key.verify(&[2; 32], &signature).unwrap();
    }

    /// Gives every lost member a new token, and says with which cards everybody goes on. `None` when too few deal.
    fn cards(&mut self) -> Option<Vec<NewCard>> {
        let remembering = self.active().len();
        let dealing = remembering + self.in_state(KeyState::Restored).len();
        if dealing < self.quorum() {
            self.too_few_renew();
        }
        let restored = dealing > remembering;
        if dealing < self.quorum() || restored && remembering < self.quorum() {
            return None;
        }
        for number in self.members() {
            if self.seats[&number].member.is_none() {
                self.seats.insert(number, Seat::new(self.setting.member("anew")));
            }
        }
        Some(self.cards_of(|number| self.seats[&number].member.as_ref().unwrap().card()))
    }

    /// With which cards those go on who have lost their share or its token.
    fn cards_of(&self, card: impl Fn(u16) -> Card) -> Vec<NewCard> {
        let card_of = |number: u16| {
            let reason = match self.state(number) {
                Some(KeyState::Active) => return None,
                Some(_) => Reason::Routine,
                None => Reason::Lost,
            };
            Some(NewCard { identifier: id(number), card: card(number), reason })
        };
        self.members().into_iter().filter_map(card_of).collect()
    }

    /// Between a threshold and a quorum of members a key signs, and nobody renews it.
    fn too_few_renew(&self) {
        let anew = |number: u16| match (&self.seats[&number].member, self.state(number)) {
            (Some(member), _) => member.card(),
            (None, _) => Member::in_memory(&format!("{number} anew")).card(),
        };
        let refused =
            self.inviter().session.invite_refresh_from(self.id(), self.cards_of(anew), self.life().attempts + 1);
        let few = CertificateError::Contradiction("the old members that sign are too few");
        assert!(matches!(&refused, Err(Error::Certificate(why)) if *why == few), "{refused:?}");
    }

    fn invite_refresh(&mut self) -> Option<Invitation> {
        let cards = self.cards()?;
        let attempt = self.attempt();
        Some(self.inviter().session.invite_refresh_from(self.id(), cards, attempt).unwrap())
    }

    fn inviter(&self) -> &Member {
        self.active().into_values().next().unwrap()
    }

    /// Above every attempt that was left behind.
    fn attempt(&mut self) -> u32 {
        let life = &mut self.lives[self.at];
        life.attempts += 1;
        life.attempts
    }

    fn runs(&self, invitation: &Invitation) -> Vec<Run<Dealing>> {
        self.alive().map(|(_, member)| member.session.start(invitation).unwrap()).collect()
    }

    fn deal(&self, invitation: &Invitation) {
        let before = self.newest().epoch;
        exchange(&mut self.runs(invitation));
        for (_, member) in self.alive() {
            let key = member.key(self.id());
            assert!(key.epoch != before && key.pending.is_empty() && key.abandoned.is_empty(), "{key:?}");
        }
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
        let certificates = other.session.certificates(self.id()).unwrap();
        let member = self.seats[&number].member.as_ref().unwrap();
        for certificate in &certificates[1..] {
            member.session.complete(certificate).unwrap();
        }
    }

    /// An attempt of which a member gets no deal. The next renewal ends it.
    pub(crate) fn leave_behind(&mut self, who: usize) {
        // Devices that were lost are replaced first, so that the attempt is of the same members as its successor.
        self.renew();
        if !self.all_active() {
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
        assert_eq!(
            self.alive().filter(|(_, member)| member.key(self.id()).pending.len() == 1).count(),
            self.living() - 1
        );
    }

    /// A member gives up what it signed and was not certified. It erases nothing.
    pub(crate) fn abandon(&self, who: usize) {
        let Some(member) = self.active().remove(&self.number(who)) else { return };
        let before = member.key(self.id());
        for attempt in &before.pending {
            let after = member.session.abandon(self.id(), *attempt).unwrap();
            assert_eq!((after.epoch, &after.pending), (before.epoch, &before.pending));
            assert!(after.abandoned.contains(attempt));
        }
    }

    /// Whether an attempt was signed and not ended: until then nobody signs a revision of the roster.
    fn has_an_attempt(&self) -> bool {
        self.alive().any(|(_, member)| member.session.key(self.id()).is_ok_and(|key| !key.pending.is_empty()))
    }

    /// What everybody goes on with, if all are there.
    fn reshare(&mut self, change: impl FnOnce(&mut Self, &mut Reshare)) {
        self.renew();
        if !self.all_active() {
            return;
        }
        let attempt = self.attempt();
        let mut reshare = Reshare { least_attempt: attempt, ..Reshare::of(&self.newest()) };
        change(self, &mut reshare);
        self.lives[self.at].threshold = reshare.threshold;
        let invitation = self.inviter().session.invite_reshare(self.id(), reshare).unwrap();
        self.deal(&invitation);
    }

    /// A new member's seat, and its card.
    fn seat(&mut self) -> (u16, Card) {
        let number = self.next;
        self.next += 1;
        let member = self.setting.member(&format!("member {number}"));
        let card = member.card();
        self.seats.insert(number, Seat::new(member));
        self.lives[self.at].members.insert(number);
        (number, card)
    }

    pub(crate) fn join(&mut self) {
        if self.members().len() >= 5 {
            return;
        }
        self.reshare(|world, reshare| {
            let (number, card) = world.seat();
            reshare.members = reshare.members.with(id(number), card).unwrap();
        });
    }

    pub(crate) fn leave(&mut self, who: usize) {
        if self.members().len() < 2 * usize::from(self.life().threshold) {
            return;
        }
        let (number, mut gone) = (self.number(who), false);
        self.reshare(|_, reshare| {
            reshare.members = reshare.members.without(id(number)).unwrap();
            reshare.leaving.push(Leaving { identifier: id(number), reason: Reason::Routine });
            gone = true;
        });
        if gone {
            assert_eq!(self.state(number), Some(KeyState::Retired));
            self.lives[self.at].members.remove(&number);
            if self.lives.iter().all(|life| !life.members.contains(&number)) {
                log_verifies(self.seats.remove(&number).unwrap().member.as_ref().unwrap());
            }
        }
    }

    pub(crate) fn change_threshold(&mut self, threshold: u16) {
        if threshold != self.life().threshold && self.members().len() + 1 >= 2 * usize::from(threshold) {
            self.reshare(|_, reshare| reshare.threshold = threshold);
        }
    }
}
