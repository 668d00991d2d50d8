//! What a member proposes, and enters itself.

use super::super::pair::{MESSAGE, Snapshot, id, ids, roster_of, template};
use super::super::proposals::imported;
use super::{Sequence, card, in_order};
use crate::keystore::{Dkg, Import, KeyState, NewCard, Reshare, Session};
use crate::wire::{Invitation, KeyId, Operations, Reason};

impl Sequence {
    pub(super) fn propose(&mut self, proposal: u8, how: u8) {
        let Some(session) = &self.session else { return };
        let Some(invitation) = self.invite(session, proposal, how) else { return };
        let before = self.info();
        let entered = self.enter(session, &invitation);
        if entered && invitation.key().is_some() {
            let key = before.expect("the key is here");
            assert!(!self.destroyed && key.state != KeyState::Retired);
            let signs = !invitation.signers().is_empty();
            assert!(!signs || self.known.signs && key.state == KeyState::Active);
            assert!(invitation.reconstructs().is_none() || key.operations.contains(Operations::RECONSTRUCT));
        }
        self.invitation = Some(invitation);
    }

    fn invite(&self, session: &Session, proposal: u8, how: u8) -> Option<Invitation> {
        let (key, snapshot) = (self.key, Snapshot::of(self.suite));
        let reason = if how.is_multiple_of(2) { Reason::Destroyed } else { Reason::Lost };
        let new = |number| NewCard { identifier: id(number), card: card(3), reason };
        in_order(match proposal {
            0 => session.invite_sign(key, &ids(), MESSAGE),
            1 => session.invite_preprocess(key, &ids(), u16::from(how)),
            2 => session.invite_refresh(key, if how < 4 { Vec::new() } else { vec![new(2)] }),
            3 => session.invite_reshare(
                key,
                Reshare { members: snapshot.key.roster.with(id(3), card(3)).ok()?, ..Reshare::of(&snapshot.key) },
            ),
            4 => session.invite_repair(key, new(2 + u16::from(how % 2)), &ids()),
            5 => session.invite_enrolment(key, id(3), card(3), &ids()),
            6 => session.invite_revision(&snapshot.revision, &ids()),
            7 => session.invite(Dkg {
                suite: self.suite,
                threshold: 2,
                members: roster_of([card(1), card(2)]),
                template: template(),
            }),
            8 => return self.reconstruction(key),
            _ => {
                let (members, template) = (roster_of([card(1), card(2)]), template());
                let key = imported(self.suite);
                session.invite_import(Import { key: &key, threshold: 2, members, template, least_attempt: how.into() })
            }
        })
    }

    fn reconstruction(&self, key: KeyId) -> Option<Invitation> {
        in_order(self.officer.as_ref()?.invite_reconstruct(key, &ids()))
    }

    /// Whether it was: as what it is.
    fn enter(&self, session: &Session, invitation: &Invitation) -> bool {
        if invitation.imports().is_some() {
            return in_order(session.start_import(invitation, imported(self.suite))).is_some();
        }
        if invitation.batch_size().is_some() {
            return in_order(session.start_preprocess(invitation)).is_some();
        }
        if invitation.message().is_some() {
            return in_order(session.start_sign(invitation, MESSAGE)).is_some();
        }
        if invitation.reconstructs().is_some() {
            let consented = in_order(session.consent_to_reconstruct(invitation)).is_some();
            let started = self.officer.as_ref().and_then(|officer| in_order(officer.start_reconstruct(invitation)));
            assert!(consented || started.is_none());
            return started.is_some();
        }
        in_order(session.start(invitation)).is_some()
    }
}
