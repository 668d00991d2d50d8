//! What is known of the shares of superseded epochs.

use std::collections::BTreeSet;

use super::record::MAX_EPOCHS;
use crate::guard::holds;
use crate::keystore::object::{EpochReport, Holder, Holding};
use crate::protocol::{Attempt, Epoch};
use crate::wire::{Card, CardId, DecodeError, EpochId, Identifier, Reader, Reason, Revision, Writer};

/// What became of a member's device, as far as an old epoch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Device {
    NotConfirmed,
    Erased,
    Lost,
    Stolen,
}

impl Device {
    /// Of a member with that card, once `successor` has superseded the epoch.
    fn after(identifier: Identifier, card: CardId, successor: &Epoch) -> Self {
        let now = successor.card(identifier).map(Card::id);
        // Whoever speaks with the same card speaks for the device.
        if now == Some(card) {
            return Self::NotConfirmed;
        }
        let left = successor.replaced().iter().find(|one| one.identifier == identifier && one.card == card);
        match left.map(|one| one.reason) {
            Some(Reason::Stolen) => Self::Stolen,
            Some(Reason::Lost) => Self::Lost,
            Some(Reason::Destroyed) => Self::Erased,
            // A restored token speaks for itself, and not for the device before it.
            Some(Reason::Routine) | None if now.is_some() => Self::Lost,
            Some(Reason::Routine) | None => Self::NotConfirmed,
        }
    }
}

/// What is known of the backups of a member's share of an old epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backup {
    None,
    Made,
    /// People say so. The member goes on reporting that it made them once.
    Destroyed,
}

/// What is known of one member's share of an old epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OldShare {
    pub(super) identifier: Identifier,
    /// Whose device it was dealt to. A number may come back with another one, which can't speak for it.
    pub(super) card: CardId,
    pub(super) device: Device,
    pub(super) backup: Backup,
}

/// An epoch, or an attempt at one, that a certificate has superseded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OldEpoch {
    pub(super) epoch: EpochId,
    pub(super) threshold: u16,
    pub(super) shares: Vec<OldShare>,
}

impl OldEpoch {
    /// The epoch once `successor` has superseded it: every member is yet to confirm, except those that are gone.
    pub(super) fn new(epoch: &Epoch, successor: &Epoch) -> Self {
        let members = epoch.roster().iter().map(|(identifier, card)| (identifier, card.id()));
        let mut shares = old_shares(members, successor);
        // Nor is the device there that a member had before it was repaired.
        for share in shares.iter_mut().filter(|share| epoch.was_repaired(share.identifier)) {
            share.backup = Backup::Made;
        }
        Self { epoch: epoch.id, threshold: epoch.threshold(), shares }
    }

    /// An attempt that `successor` names: everybody that it was dealt to may hold a share.
    pub(super) fn of_attempt(name: EpochId, attempt: &Attempt, successor: &Epoch) -> Self {
        let shares = old_shares(attempt.receivers.iter().copied(), successor);
        Self { epoch: name, threshold: attempt.threshold, shares }
    }

    /// What was known of its shares before stays; but the line may have gone on after people said that a backup was destroyed.
    pub(super) fn keep(&mut self, before: &Self) {
        for share in &before.shares {
            let same = |one: &&mut OldShare| (one.identifier, one.card) == (share.identifier, share.card);
            let Some(one) = self.shares.iter_mut().find(same) else {
                self.add(*share);
                continue;
            };
            if share.device != Device::NotConfirmed {
                one.device = share.device;
            }
            if share.backup == Backup::Made {
                one.backup = Backup::Made;
            }
        }
    }

    /// The attempt is told of once more. Who is new among its receivers may hold a share as well, as far as there is room for so
    /// many; what somebody signed says how many shares it takes, and where nobody did the fewest count.
    pub(super) fn join(&mut self, attempt: &Attempt, successor: &Epoch, room: usize) {
        let unsigned = self.epoch == attempt.epoch;
        if !attempt.is_unsigned() || unsigned && attempt.threshold < self.threshold {
            self.threshold = attempt.threshold;
        }
        let new: Vec<_> = self.new_shares(attempt.receivers.iter().copied(), successor).take(room).collect();
        for share in new {
            self.add(share);
        }
    }

    /// Whether the member had a share of it.
    pub(super) fn has(&self, identifier: Identifier) -> bool {
        self.shares.iter().any(|share| share.identifier == identifier)
    }

    /// Acts on the share that this very device had.
    fn of_device(&mut self, identifier: Identifier, card: CardId, mut act: impl FnMut(&mut OldShare)) {
        self.change(identifier, |share| {
            if holds!(DeviceSpeaksForItself, share.card == card) {
                act(share);
            }
        });
    }

    /// Acts on the member's share, on every device that may have it.
    fn change(&mut self, identifier: Identifier, act: impl FnMut(&mut OldShare)) {
        self.shares.iter_mut().filter(|share| share.identifier == identifier).for_each(act);
    }

    /// Others hold shares of it as well, by revisions of its roster that the line does not go by. Whether they made backups,
    /// nobody asks them.
    pub(super) fn held_too(&mut self, revisions: &[Revision], newest: &Epoch) {
        let members = revisions.iter().map(|revision| (revision.identifier, revision.card.id()));
        let new: Vec<_> = self.new_shares(members, newest).collect();
        for share in new {
            self.add(share);
        }
    }

    /// The shares of those members that are not known yet.
    fn new_shares(
        &self,
        members: impl Iterator<Item = (Identifier, CardId)>,
        successor: &Epoch,
    ) -> impl Iterator<Item = OldShare> {
        let known: BTreeSet<_> = self.shares.iter().map(|one| (one.identifier, one.card)).collect();
        old_shares(members, successor).into_iter().filter(move |one| !known.contains(&(one.identifier, one.card)))
    }

    /// There is no end to what plans undo, and what can't be read again is never written.
    fn add(&mut self, share: OldShare) {
        if self.shares.len() < MAX_EPOCHS {
            self.shares.push(share);
        }
    }

    /// Who has not said what it holds and is no member any more will not say which backups it made.
    pub(super) fn is_past(&mut self, newest: &Epoch) {
        let silent = |share: &&mut OldShare| (share.device, share.backup) == (Device::NotConfirmed, Backup::None);
        let gone = |share: &&mut OldShare| !is_there(share.identifier, share.card, newest);
        self.shares.iter_mut().filter(silent).filter(gone).for_each(|share| share.backup = Backup::Made);
    }

    /// The member says that its device erased the share. Of a device that is lost or stolen nobody can say so.
    pub(super) fn confirm(&mut self, identifier: Identifier, card: CardId) {
        self.of_device(identifier, card, |share| {
            if share.device == Device::NotConfirmed {
                share.device = Device::Erased;
            }
        });
    }

    pub(super) fn backed_up(&mut self, identifier: Identifier) {
        self.change(identifier, |share| {
            if share.backup == Backup::None {
                share.backup = Backup::Made;
            }
        });
    }

    pub(super) fn backups_destroyed(&mut self, identifier: Identifier) {
        self.change(identifier, |share| share.backup = Backup::Destroyed);
    }

    pub(super) fn device_destroyed(&mut self, identifier: Identifier) {
        self.change(identifier, |share| share.device = Device::Erased);
    }

    pub(super) fn stolen(&mut self, identifier: Identifier) {
        self.change(identifier, |share| share.device = Device::Stolen);
    }

    pub(super) fn report(&self) -> EpochReport {
        let mut holders = Vec::new();
        for OldShare { identifier, device, backup, .. } in &self.shares {
            let holding = match device {
                Device::NotConfirmed => Some(Holding::NotConfirmed),
                Device::Lost => Some(Holding::Lost),
                Device::Stolen => Some(Holding::Stolen),
                Device::Erased => None,
            };
            let backup = (*backup == Backup::Made).then_some(Holding::Backup);
            let each = holding.into_iter().chain(backup);
            holders.extend(each.map(|holding| Holder { identifier: *identifier, holding }));
        }
        EpochReport { epoch: self.epoch, threshold: self.threshold, holders }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.raw(self.epoch.as_bytes()).u16(self.threshold).count(self.shares.len());
        for share in &self.shares {
            let device = match share.device {
                Device::NotConfirmed => 0,
                Device::Erased => 1,
                Device::Lost => 2,
                Device::Stolen => 3,
            };
            let backup = match share.backup {
                Backup::None => 0,
                Backup::Made => 1,
                Backup::Destroyed => 2,
            };
            writer.identifier(share.identifier).raw(share.card.as_bytes()).u8(device).u8(backup);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            epoch: EpochId::from_bytes(reader.array()?),
            threshold: reader.u16()?,
            // More than a roster, where a clash has left several.
            shares: (0..reader.count(MAX_EPOCHS)?)
                .map(|_| {
                    Ok(OldShare {
                        identifier: reader.identifier()?,
                        card: CardId::from_bytes(reader.array()?),
                        device: match reader.u8()? {
                            0 => Device::NotConfirmed,
                            1 => Device::Erased,
                            2 => Device::Lost,
                            3 => Device::Stolen,
                            _ => return Err(DecodeError::Invalid("device")),
                        },
                        backup: match reader.u8()? {
                            0 => Backup::None,
                            1 => Backup::Made,
                            2 => Backup::Destroyed,
                            _ => return Err(DecodeError::Invalid("backup")),
                        },
                    })
                })
                .collect::<Result<_, DecodeError>>()?,
        })
    }
}

fn old_shares(members: impl Iterator<Item = (Identifier, CardId)>, successor: &Epoch) -> Vec<OldShare> {
    members
        .map(|(identifier, card)| OldShare {
            identifier,
            card,
            device: Device::after(identifier, card, successor),
            backup: if is_there(identifier, card, successor) { Backup::None } else { Backup::Made },
        })
        .collect()
}

fn is_there(identifier: Identifier, card: CardId, epoch: &Epoch) -> bool {
    epoch.card(identifier).is_some_and(|now: &Card| now.id() == card)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_of_the_shares_of_an_epoch_stays_when_it_is_superseded_again() {
        let share = |number, device, backup| OldShare {
            identifier: Identifier::new(number).unwrap(),
            card: CardId::from_bytes([1; 32]),
            device,
            backup,
        };
        let epoch = |shares: &[OldShare]| OldEpoch {
            epoch: EpochId::from_bytes([1; 32]),
            threshold: 2,
            shares: shares.to_vec(),
        };
        let (unsure, gone) = (Device::NotConfirmed, share(5, Device::Lost, Backup::Made));
        let before = epoch(&[
            share(1, Device::Erased, Backup::None),
            share(2, unsure, Backup::Made),
            share(3, unsure, Backup::Destroyed),
            share(4, unsure, Backup::None),
            gone,
        ]);
        let mut now = epoch(&[
            share(1, unsure, Backup::None),
            share(2, Device::Stolen, Backup::None),
            share(3, unsure, Backup::None),
            share(4, Device::Lost, Backup::Made),
        ]);
        now.keep(&before);
        let expected = epoch(&[
            share(1, Device::Erased, Backup::None),
            share(2, Device::Stolen, Backup::Made),
            share(3, unsure, Backup::None),
            share(4, Device::Lost, Backup::Made),
            gone,
        ]);
        assert_eq!(now, expected);
        for (room, kept) in [(1, MAX_EPOCHS), (0, MAX_EPOCHS)] {
            let mut full = epoch(&vec![gone; MAX_EPOCHS - room]);
            full.keep(&epoch(&[share(1, unsure, Backup::None)]));
            assert_eq!(full.shares.len(), kept);
        }
    }
}
