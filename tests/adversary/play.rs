//! Every protocol: who takes part, who proposes what, and how one enters.

use std::rc::Rc;

use quorumkey::{
    Derivation, Error, Identifier, Import, ImportedKey, Invitation, KeyTemplate, Leaving, NewCard, OfficerSession,
    Reason, Reshare, Roster, Suite,
};
use zeroize::Zeroizing;

use super::cast::{MESSAGE, PATH, Stage, undisturbed};
use super::common::*;
use super::scene::{Batched, Role};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    Dkg,
    /// With a threshold of three. It is left out where every play is played.
    DkgOfFive,
    Import,
    Refresh,
    /// After one that was given up, of shares of which there are backups. It is left out where every play is played.
    RefreshAgain,
    Reshare,
    Sign,
    SignChild,
    Prepare,
    SignPrepared,
    Repair,
    Enrol,
    Reconstruct,
}

/// Who brings the key of an import.
const IMPORTER: usize = 2;

impl Play {
    pub const ALL: [Self; 11] = [
        Self::Dkg,
        Self::Import,
        Self::Refresh,
        Self::Reshare,
        Self::Sign,
        Self::SignChild,
        Self::Prepare,
        Self::SignPrepared,
        Self::Repair,
        Self::Enrol,
        Self::Reconstruct,
    ];

    /// The keys of Ed25519 have no children.
    pub fn fits(self, suite: Suite) -> bool {
        self != Self::SignChild || suite != Suite::Ed25519
    }

    /// Who takes part, in the order of their numbers. Whoever comes besides the three members is the fourth person; in a
    /// repair it has the third member's number.
    pub const fn people(self) -> &'static [(usize, u16)] {
        match self {
            Self::Reshare => &[(0, 1), (1, 2), (2, 3), (3, 4)],
            Self::DkgOfFive => &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)],
            Self::Repair => &[(0, 1), (1, 2), (3, 3)],
            Self::Enrol => &[(0, 1), (1, 2), (3, 4)],
            _ => &[(0, 1), (1, 2), (2, 3)],
        }
    }

    /// Whether a coordinator can follow it.
    pub const fn signs(self) -> bool {
        matches!(self, Self::Sign | Self::SignChild | Self::SignPrepared)
    }

    /// How many take part or listen.
    pub const fn seats(self) -> usize {
        self.people().len() + if self.signs() { 1 } else { 0 }
    }

    /// How many people have to be there.
    pub fn stage(self) -> usize {
        self.people().iter().map(|(person, _)| person + 1).max().unwrap()
    }

    /// The seats that differ: who invites, who brings or gets something, who only takes part.
    pub const fn roles(self) -> &'static [usize] {
        match self {
            Self::Reshare => &[0, 2, 3],
            Self::Repair | Self::Enrol => &[0, 1, 2],
            _ => &[0, 2],
        }
    }

    /// Whose seat a ciphertext in a deal is for.
    pub const fn receives(self, round: u8, item: usize) -> usize {
        match (self, round, item) {
            (Self::Reshare, _, 2) => 3,
            (Self::Repair | Self::Enrol, 3, _) => 2,
            _ => item,
        }
    }

    pub fn deals(self) -> bool {
        matches!(
            self,
            Self::Dkg
                | Self::DkgOfFive
                | Self::Import
                | Self::Refresh
                | Self::RefreshAgain
                | Self::Reshare
                | Self::Repair
                | Self::Enrol
        )
    }

    /// Whether there is no key yet.
    pub const fn makes_a_key(self) -> bool {
        matches!(self, Self::Dkg | Self::DkgOfFive | Self::Import)
    }

    /// Whether it is about the key that is there, in another epoch or with another roster afterwards.
    pub fn changes_the_key(self) -> bool {
        matches!(self, Self::Refresh | Self::RefreshAgain | Self::Reshare | Self::Repair | Self::Enrol)
    }

    /// The first person proposes it.
    pub fn propose(self, stage: &Stage, batch: Option<&Batched>) -> Result<Invitation, Error> {
        let (session, key) = (&stage.people[0].session, stage.cast.key.id);
        let card = |person: usize| stage.people[person].card();
        let three = [id(1), id(2), id(3)];
        match self {
            Self::Dkg => Ok(dkg_invitation(&stage.people[..3], stage.cast.suite, 2)),
            Self::DkgOfFive => Ok(dkg_invitation(&stage.people[..5], stage.cast.suite, 3)),
            Self::Import => {
                let members = roster(&stage.people[..3]);
                let template = KeyTemplate::wallet("an old wallet");
                let key = &imported(stage.cast.suite);
                let import = Import { key, threshold: 2, members, template, least_attempt: 0 };
                stage.people[IMPORTER].session.invite_import(import)
            }
            Self::Refresh | Self::RefreshAgain => session.invite_refresh(key, Vec::new()),
            Self::Reshare => {
                let members = [(1, 0), (2, 1), (4, 3)].map(|(number, person)| (id(number), card(person)));
                let members = Roster::new(members.to_vec()).unwrap();
                let leaving = vec![Leaving { identifier: id(3), reason: Reason::Routine }];
                session.invite_reshare(key, Reshare { members, leaving, ..Reshare::of(&stage.cast.key) })
            }
            Self::Sign => session.invite_sign(key, &three, MESSAGE),
            Self::SignChild => session.invite_sign_under(key, &three, MESSAGE, &child()),
            Self::Prepare => session.invite_preprocess(key, &three, 2),
            Self::SignPrepared => {
                session.invite_sign_prepared(&batch.unwrap().batch, &three, MESSAGE, &Derivation::default())
            }
            Self::Repair => {
                let card = NewCard { identifier: id(3), card: card(3), reason: Reason::Destroyed };
                session.invite_repair(key, card, &three[..2])
            }
            Self::Enrol => session.invite_enrolment(key, id(4), card(3), &three[..2]),
            Self::Reconstruct => officer(&stage.people[0]).invite_reconstruct(key, &three),
        }
    }

    pub fn enter(self, stage: &Stage, person: usize, invitation: &Invitation) -> Result<Entered, Error> {
        let member = &stage.people[person];
        let session = &member.session;
        let run: Box<dyn Role> = match self {
            Self::Import if person == IMPORTER => {
                Box::new(session.start_import(invitation, imported(stage.cast.suite))?)
            }
            Self::Sign | Self::SignPrepared => Box::new(session.start_sign(invitation, MESSAGE)?),
            Self::SignChild => Box::new(session.start_sign_under(invitation, MESSAGE, &child())?),
            Self::Prepare => Box::new(session.start_preprocess(invitation)?),
            Self::Reconstruct => {
                session.consent_to_reconstruct(invitation)?;
                let officer = officer(member);
                return Ok(Entered { run: Box::new(officer.start_reconstruct(invitation)?), officer: Some(officer) });
            }
            _ => Box::new(session.start(invitation)?),
        };
        Ok(Entered { run, officer: None })
    }

    /// Who signs the invitation.
    pub const fn inviting(self) -> usize {
        if matches!(self, Self::Import) { IMPORTER } else { 0 }
    }

    /// What has to be there before: nonces.
    pub fn prelude(self, stage: &Stage) -> Option<Rc<Batched>> {
        (self == Self::SignPrepared).then(|| {
            let invitation = Self::Prepare.propose(stage, None).unwrap();
            let start = |member: &Member| member.session.start_preprocess(&invitation).unwrap();
            let mut kept: Vec<_> = stage.people[..3].iter().map(start).collect();
            let mut said = Vec::new();
            let batch = undisturbed(&mut kept, &mut said);
            Rc::new(Batched { kept, batch, invitation, said })
        })
    }
}

/// A run that was entered. An officer's ends with its session.
pub struct Entered {
    pub run: Box<dyn Role>,
    pub officer: Option<OfficerSession>,
}

/// The number of somebody in a play.
pub fn number(play: Play, person: usize) -> Option<Identifier> {
    play.people().iter().find(|(one, _)| *one == person).map(|(_, number)| id(*number))
}

fn officer(member: &Member) -> OfficerSession {
    member.store.login_so(&officer_pin()).unwrap()
}

fn child() -> Derivation {
    Derivation::path(PATH.parse().unwrap())
}

/// A secret that is below the order in either byte order.
fn imported(suite: Suite) -> ImportedKey {
    let mut bytes = [7; 32];
    (bytes[0], bytes[31]) = (1, 1);
    ImportedKey::from_scalar(suite, Zeroizing::new(bytes)).unwrap()
}
