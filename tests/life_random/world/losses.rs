//! Tokens that are lost, and how their members get their shares again.

use super::*;

impl World {
    /// The keys of which that is a member.
    fn keys_of(&self, number: u16) -> impl Iterator<Item = KeyId> {
        self.lives.iter().filter(move |life| life.members.contains(&number)).map(|life| life.key.id)
    }

    pub(crate) fn back_up(&mut self, who: usize) {
        let number = self.number(who);
        let (_, to) = sheet();
        let Some(member) = &self.seats[&number].member else { return };
        let share = |key: KeyId| {
            let info = member.session.key(key).ok().filter(|key| key.state == KeyState::Active)?;
            Some((key, (member.session.export(key, &to).unwrap(), info.epoch)))
        };
        let shares = self.keys_of(number).filter_map(share).collect();
        let backup = Backup { identity: member.session.export_identity(&to).unwrap(), shares };
        self.seats.get_mut(&number).unwrap().backup = Some(backup);
    }

    /// Whether every key can do without that member, at least for signing.
    fn is_spare(&mut self, number: u16) -> bool {
        let at = self.at;
        let spare = (0..self.lives.len()).all(|key| {
            self.at = key;
            let left = self.active().into_keys().filter(|one| *one != number).count();
            left >= usize::from(self.life().threshold)
        });
        self.at = at;
        spare
    }

    pub(crate) fn lose(&mut self, who: usize) {
        let number = self.number(who);
        if self.is_spare(number) {
            self.seats.get_mut(&number).unwrap().member = None;
        }
    }

    /// The epoch that each key is in.
    fn epochs(&mut self) -> BTreeMap<KeyId, EpochId> {
        let at = self.at;
        let mut epochs = BTreeMap::new();
        for key in 0..self.lives.len() {
            self.at = key;
            epochs.insert(self.id(), self.newest().epoch);
        }
        self.at = at;
        epochs
    }

    /// From a backup that is of the newest epoch of every key, if there is one.
    pub(crate) fn restore(&mut self, who: usize) {
        let (number, epochs) = (self.number(who), self.epochs());
        let seat = &self.seats[&number];
        let Some(backup) = seat.backup.as_ref().filter(|_| seat.member.is_none()) else { return };
        if !self.keys_of(number).all(|key| backup.shares.get(&key).is_some_and(|(_, of)| *of == epochs[&key])) {
            return;
        }
        let (identity, _) = sheet();
        let member = self.setting.restore_after(&backup.identity, &identity, seat.restores);
        for key in self.keys_of(number) {
            let restored = member.session.restore(&backup.shares[&key].0, &identity).unwrap();
            assert_eq!(restored.state, KeyState::Restored);
        }
        let keys: Vec<_> = self.keys_of(number).collect();
        // The roster may have been revised since.
        for (other, seat) in &self.seats {
            let Some(known) = seat.member.as_ref().filter(|_| *other != number) else { continue };
            for key in &keys {
                for certificate in known.session.certificates(*key).unwrap_or_default() {
                    member.session.complete(&certificate).unwrap();
                }
            }
        }
        let seat = self.seats.get_mut(&number).unwrap();
        seat.restores += 1;
        seat.member = Some(member);
    }

    /// A share of the same epoch for a member with a new token.
    fn give(&self, (number, card): (u16, Card), invite: impl FnOnce(&Self, &[Identifier], Card) -> Invitation) {
        let helpers: Vec<_> = self.active().into_keys().collect();
        let ids: Vec<_> = helpers.iter().map(|one| id(*one)).collect();
        let invitation = invite(self, &ids, card);
        let in_it = self.alive().filter(|(one, _)| *one == number || helpers.contains(one));
        let mut runs: Vec<_> = in_it.map(|(_, member)| member.session.start(&invitation).unwrap()).collect();
        exchange(&mut runs);
    }

    pub(crate) fn repair(&mut self, who: usize) {
        let (number, key) = (self.number(who), self.id());
        let helpers = self.active().len();
        let lost = self.state(number).is_none();
        if !lost || helpers < self.quorum() || !self.in_state(KeyState::Restored).is_empty() || self.has_an_attempt() {
            return;
        }
        if self.seats[&number].member.is_none() {
            self.seats.insert(number, Seat::new(self.setting.member("anew")));
        }
        let card = self.seats[&number].member.as_ref().unwrap().card();
        self.give((number, card), |world, helpers, card| {
            let card = NewCard { identifier: id(number), card, reason: Reason::Destroyed };
            world.inviter().session.invite_repair(key, card, helpers).unwrap()
        });
        self.is_well();
        // It has forgotten what the device before it signed, and votes after a renewal only.
        self.renew();
    }

    pub(crate) fn enrol(&mut self) {
        if self.has_an_attempt() {
            self.renew();
        }
        if !self.all_active() || self.members().len() >= 5 {
            return;
        }
        let key = self.id();
        let (number, card) = self.seat();
        self.give((number, card), |world, helpers, card| {
            world.inviter().session.invite_enrolment(key, id(number), card, helpers).unwrap()
        });
    }

    pub(crate) fn destroy(&mut self, who: usize) {
        let number = self.number(who);
        if !self.is_spare(number) {
            return;
        }
        let keys: Vec<_> = self.keys_of(number).collect();
        if let Some(member) = self.seats.get_mut(&number).unwrap().member.take() {
            for key in keys {
                if member.session.key(key).is_ok() {
                    member.session.destroy(key).unwrap();
                }
                assert!(matches!(member.session.key(key), Err(Error::NotFound(_))));
            }
            log_verifies(&member);
        }
    }
}
