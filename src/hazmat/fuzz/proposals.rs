//! What a member proposes to the others, of every kind.

use zeroize::Zeroizing;

use super::pair::{MESSAGE, Pair, Snapshot, id, ids, invite, newcomer, roster, template};
use crate::keystore::{Batch, Dealing, Import, ImportedKey, KeyInfo, NewCard, Reshare, Run, Session};
use crate::suite::Suite;
use crate::wire::{Derivation, Invitation, KeyId, Reason};

/// A key that was made elsewhere.
pub(super) fn imported(suite: Suite) -> ImportedKey {
    ImportedKey::from_scalar(suite, Zeroizing::new([5; 32])).expect("a small scalar")
}

impl Pair {
    fn key(&self) -> KeyId {
        self.snapshot.key.id
    }

    /// A new key.
    pub(super) fn proposed_key(&self) -> Invitation {
        invite(&self.honest, &self.liar, self.suite).expect("an invitation")
    }

    /// New shares of the key.
    pub(super) fn proposed_refresh(&self, by: &Session) -> Invitation {
        by.invite_refresh(self.key(), Vec::new()).expect("an invitation")
    }

    /// An old key, brought by one of both.
    pub(super) fn proposed_import(&self, by: &Session) -> Invitation {
        let (members, template) = (roster(&self.honest, &self.liar), template());
        let key = imported(self.suite);
        by.invite_import(Import { key: &key, threshold: 2, members, template, least_attempt: 0 })
            .expect("an invitation")
    }

    /// Both enter that import.
    pub(super) fn import(&self, invitation: &Invitation) -> [Run<Dealing>; 2] {
        let [honest, liar] = self.members();
        let by_the_liar = invitation.inviter() == id(2);
        [(honest, !by_the_liar), (liar, by_the_liar)].map(|(member, brings)| {
            let key = imported(self.suite);
            let run = if brings { member.start_import(invitation, key) } else { member.start(invitation) };
            run.expect("a run begins")
        })
    }

    /// A signature.
    pub(super) fn proposed_signature(&self, by: &Session) -> Invitation {
        by.invite_sign(self.key(), &ids(), MESSAGE).expect("an invitation")
    }

    /// Nonces for two signatures.
    pub(super) fn proposed_batch(&self, by: &Session) -> Invitation {
        by.invite_preprocess(self.key(), &ids(), 2).expect("an invitation")
    }

    /// A signature with nonces that both have made in the run of that invitation.
    pub(super) fn proposed_with_batch(&self, by: &Session, made: &Invitation) -> Invitation {
        let KeyInfo { id: key, epoch, .. } = self.snapshot.key;
        let batch = Batch { id: made.run_id(), key, epoch, signers: ids().to_vec(), size: 2 };
        by.invite_sign_prepared(&batch, &ids(), MESSAGE, &Derivation::default())
            .expect("nonces that this member has made")
    }

    /// The whole key for one of both.
    pub(super) fn proposed_reconstruction(&self, by_the_liar: bool) -> Invitation {
        let [honest, liar] = &self.officers;
        let by = if by_the_liar { liar } else { honest };
        by.invite_reconstruct(self.key(), &ids()).expect("an invitation")
    }

    /// A share for a third member.
    pub(super) fn proposed_enrolment(&self, by: &Session, third: &Session) -> Invitation {
        let card = third.card().expect("its card");
        by.invite_enrolment(self.key(), id(3), card, &ids()).expect("an invitation")
    }

    /// The share again that a third member has lost.
    pub(super) fn proposed_repair(&self, by: &Session, third: &Session) -> Invitation {
        let card = NewCard { identifier: id(3), card: third.card().expect("its card"), reason: Reason::Destroyed };
        by.invite_repair(self.key(), card, &ids()).expect("an invitation")
    }

    /// A third member among those that have shares.
    pub(super) fn proposed_reshare(&self, by: &Session, third: &Session) -> Invitation {
        let reshare = Reshare::of(&self.snapshot.key);
        let members = reshare.members.with(id(3), third.card().expect("its card")).expect("three cards are a roster");
        by.invite_reshare(self.key(), Reshare { members, ..reshare }).expect("an invitation")
    }
}

/// How a third member comes to a share.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Its first, in the same epoch.
    Enrolment,
    /// The one that it had and lost.
    Repair,
    /// One of the next epoch.
    Reshare,
}

/// Both members and a third.
pub(super) struct Three {
    pub(super) pair: Pair,
    newcomer: Session,
    way: Way,
}

impl Three {
    pub(super) fn new(suite: Suite, way: Way) -> Self {
        let enrolled = &Snapshot::of(suite).enrolled;
        let pair = if way == Way::Repair { Pair::opened(suite, enrolled) } else { Pair::new(suite) };
        Self { pair, newcomer: newcomer(), way }
    }

    /// The key that it is a share of.
    pub(super) fn key(&self) -> &KeyInfo {
        &self.pair.snapshot.key
    }

    pub(super) fn propose(&self, by: &Session) -> Invitation {
        match self.way {
            Way::Enrolment => self.pair.proposed_enrolment(by, &self.newcomer),
            Way::Repair => self.pair.proposed_repair(by, &self.newcomer),
            Way::Reshare => self.pair.proposed_reshare(by, &self.newcomer),
        }
    }

    /// All three enter it.
    pub(super) fn start(&self, invitation: &Invitation) -> [Run<Dealing>; 3] {
        let [honest, liar] = self.pair.members();
        [honest, liar, &self.newcomer].map(|member| member.start(invitation).expect("a run begins"))
    }
}
