//! A member that cheats: its token is honest, its messages are rewritten and signed again.

use getrandom::SysRng;
use rand_core::UnwrapErr;

use crate::audit::EventKind;
use crate::keystore::{Entry, Init, KeyStore, Result, SoftToken, Storage, StorageError};
use crate::protocol::{Certificate, view};
use crate::secret::Secret;
use crate::suite::Suite;
use crate::wire::{
    Action, Card, DealPlan, Derivation, EpochId, Header, Identifier, IdentityKey, Invitation, KeyId, Kind, Message,
    Party, Plan, Prepared, Roster, RunId, SignPlan, Source, Subject,
};

/// An identity whose key the test knows.
#[derive(Debug)]
pub struct Forger(IdentityKey);

/// What of a message can be forged.
#[derive(Clone, Debug)]
pub struct Forgery {
    /// The key that the message speaks of, or zeros.
    pub group: [u8; 32],
    /// The epoch, or zeros.
    pub epoch: [u8; 32],
    /// The run.
    pub run: RunId,
    /// The round.
    pub round: u8,
    /// Who says that it sent it.
    pub sender: Identifier,
    /// What it is about, as [`subject`] says it.
    pub subject: &'static str,
    /// The state counter.
    pub counter: u64,
    /// The view of the round before.
    pub view: [u8; 32],
    /// The body.
    pub body: Vec<u8>,
}

/// What of an invitation to sign can be forged.
#[derive(Clone, Debug)]
pub struct SigningForgery {
    /// The key.
    pub key: KeyId,
    /// The epoch.
    pub epoch: EpochId,
    /// The suite.
    pub suite: Suite,
    /// What the key is said to be for.
    pub purpose: String,
    /// Who signs.
    pub signers: Vec<Identifier>,
    /// Under which key.
    pub derivation: Derivation,
    /// What its path is said to add.
    pub offset: Option<[u8; 32]>,
    /// With which nonces: the run that made them beforehand, and their number.
    pub prepared: Option<(RunId, u16)>,
    /// What.
    pub message: Vec<u8>,
}

impl Forger {
    /// The identity of that seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(IdentityKey::from_seed(Secret::new(seed)))
    }

    /// Its card.
    pub fn card(&self, label: &str, incarnation: u32) -> Card {
        Card::issue(&self.0, incarnation, label.to_owned())
    }

    /// A token of this identity.
    pub fn store<S: Storage + 'static>(
        &self,
        storage: impl FnOnce(&[Entry]) -> core::result::Result<S, StorageError>,
        init: &Init,
        incarnation: u32,
    ) -> Result<KeyStore> {
        let seed = Secret::new(*self.0.seed());
        Ok(KeyStore::over(SoftToken::create_forged(storage, init, seed, incarnation, EventKind::TokenCreated)?))
    }

    /// The message with changes, signed as this identity's.
    pub fn alter(&self, message: &Message, change: impl FnOnce(&mut Forgery)) -> Message {
        let header = message.header().clone();
        let mut forgery = Forgery {
            group: header.group,
            epoch: header.epoch,
            run: header.run,
            round: header.round,
            sender: header.sender,
            subject: name(header.subject),
            counter: header.counter,
            view: header.view,
            body: message.body().to_vec(),
        };
        change(&mut forgery);
        let Forgery { group, epoch, run, round, sender, subject, counter, view, body } = forgery;
        let subject = Subject::ALL.into_iter().find(|one| name(*one) == subject).unwrap_or(header.subject);
        let header = Header { group, epoch, run, round, sender, subject, counter, view, ..header };
        Message::issue(header, body, &self.0)
    }

    /// The invitation to sign with changes, signed as this identity's. Another invitation comes back as it is.
    pub fn reinvite(&self, invitation: &Invitation, change: impl FnOnce(&mut SigningForgery)) -> Invitation {
        let Action::Sign(SignPlan { party, derivation, offset, prepared, message }) = invitation.plan.action.clone()
        else {
            return invitation.clone();
        };
        let Party { suite, key, epoch, roster, purpose, signers } = party;
        let prepared = prepared.map(|Prepared { batch, index }| (batch, index));
        let mut forgery = SigningForgery { key, epoch, suite, purpose, signers, derivation, offset, prepared, message };
        change(&mut forgery);
        let SigningForgery { key, epoch, suite, purpose, signers, derivation, offset, prepared, message } = forgery;
        let party = Party { suite, key, epoch, roster, purpose, signers };
        let prepared = prepared.map(|(batch, index)| Prepared { batch, index });
        let action = Action::Sign(SignPlan { party, derivation, offset, prepared, message });
        Invitation::issue(Plan { action, ..invitation.plan.clone() }, invitation.chain.clone(), &self.0)
    }

    /// The invitation to a dealing with one receiver less, signed as this identity's.
    pub fn without_receiver(&self, invitation: &Invitation, member: Identifier) -> Invitation {
        let mut plan = invitation.plan.clone();
        if let Action::Deal(deal) = &mut plan.action {
            let others = deal.receivers.iter().filter(|(id, _)| *id != member).map(|(id, card)| (id, card.clone()));
            deal.receivers = Roster::new(others.collect()).unwrap_or_else(|_| deal.receivers.clone());
        }
        Invitation::issue(plan, invitation.chain.clone(), &self.0)
    }

    /// The invitation to a refresh in which one member receives and does not deal, signed as this identity's. Another
    /// invitation comes back as it is.
    pub fn without_dealer(&self, invitation: &Invitation, member: Identifier) -> Invitation {
        let mut plan = invitation.plan.clone();
        if let Action::Deal(DealPlan { source: Source::Epoch { dealers, .. }, .. }) = &mut plan.action {
            let others = dealers.iter().filter(|(id, _)| *id != member).map(|(id, card)| (id, card.clone()));
            if let Ok(others) = Roster::new(others.collect()) {
                *dealers = others;
            }
        }
        Invitation::issue(plan, invitation.chain.clone(), &self.0)
    }

    /// The invitation to a renewal at another height, in which those epochs lose, signed as this identity's. Another
    /// invitation comes back as it is.
    pub fn at_height(&self, invitation: &Invitation, at: u64, loses: &[EpochId]) -> Invitation {
        let mut plan = invitation.plan.clone();
        if let Action::Deal(DealPlan { height, source: Source::Epoch { losing, .. }, .. }) = &mut plan.action {
            (*height, *losing) = (at, loses.to_vec());
        }
        Invitation::issue(plan, invitation.chain.clone(), &self.0)
    }

    /// A certificate for the key of a genuine founding one, made and signed by as many strangers as the key has members.
    /// `None` when they are not as many, or the certificate is of a refresh.
    pub fn counterfeit(strangers: &[Self], genuine: &Certificate) -> Option<Certificate> {
        let strangers: Vec<_> = strangers.iter().map(|stranger| &stranger.0).collect();
        genuine.counterfeit(&strangers, &mut UnwrapErr(SysRng))
    }

    /// What this member can make of an attempt that it took part in: a transcript of which it says that another dealt so,
    /// with its own signatures.
    pub fn made_up(&self, member: Identifier, attempt: &Certificate) -> Option<Certificate> {
        attempt.made_up((member, &self.0), &mut UnwrapErr(SysRng))
    }

    /// What this member can make of an attempt alone: its deals, whole, under another plan, signed by this member.
    pub fn replayed(&self, member: Identifier, attempt: &Certificate) -> Option<Certificate> {
        attempt.replayed((member, &self.0), &mut UnwrapErr(SysRng))
    }

    /// What this member can make of an attempt alone: the same once more, under another name, signed by this member.
    pub fn again(&self, member: Identifier, attempt: &Certificate) -> Option<Certificate> {
        attempt.again((member, &self.0), &mut UnwrapErr(SysRng))
    }

    /// The certificate with a revision of its roster that nobody has signed.
    pub fn revised_by_nobody(genuine: &Certificate, newcomer: Identifier, card: &Card) -> Option<Certificate> {
        genuine.revised_by_nobody(newcomer, card)
    }

    /// What the members 1 to n of a renewal can make of it together: at another height, over a line of that height that loses
    /// by it, and that it names or not.
    pub fn raised(members: &[Self], genuine: &Certificate, height: u64, line: (u64, bool)) -> Option<Certificate> {
        genuine.raised(&numbered(members), height, line, &mut UnwrapErr(SysRng))
    }

    /// What the members 1 to n of a certificate can make of it together: one that names an attempt more, which dealt from
    /// and to members with those cards.
    pub fn naming(members: &[Self], genuine: &Certificate, cards: &Roster) -> Option<Certificate> {
        genuine.naming(&numbered(members), cards, &mut UnwrapErr(SysRng))
    }

    /// The same with so many attempts, each dealt to a thousand members, that nobody signed, or somebody who takes no part. The
    /// last in their order may be one of a certain run.
    pub fn telling(members: &[Self], genuine: &Certificate, told: (u8, bool, Option<RunId>)) -> Option<Certificate> {
        genuine.telling(&numbered(members), told, &mut UnwrapErr(SysRng))
    }

    /// What these members can make of a certificate: with another plan and another part of the application's in its
    /// transcript, with other run keys of theirs, and signed by them.
    pub fn rewritten(
        members: &[(Identifier, &Self)],
        genuine: &Certificate,
        change: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>),
    ) -> Option<Certificate> {
        let members: Vec<_> = members.iter().map(|(id, member)| (*id, &member.0)).collect();
        genuine.rewritten(&members, change, &mut UnwrapErr(SysRng))
    }

    /// An accusation with that body, in the place of the message.
    pub fn accuse(&self, message: &Message, body: Vec<u8>) -> Message {
        let header = Header { subject: Subject::Accuse, ..message.header().clone() };
        Message::issue(header, body, &self.0)
    }

    /// The message with the view of a round of these messages, in the order of their senders, signed as this identity's.
    pub fn seeing(&self, message: &Message, round: &[Message]) -> Message {
        let header = Header { view: view(message.run_id(), round), ..message.header().clone() };
        Message::issue(header, message.body().to_vec(), &self.0)
    }

    /// The message of these bytes, which end before the signature, signed as this identity's; `None` if they are no
    /// message.
    pub fn sign(&self, content: &[u8]) -> Option<Message> {
        let signature = self.0.sign(Kind::Message, content);
        Message::from_bytes(&[content, &signature].concat()).ok()
    }

    /// The invitation with the plan of these bytes, signed as this identity's; `None` if they are no plan.
    pub fn propose(&self, invitation: &Invitation, plan: &[u8]) -> Option<Invitation> {
        Some(Invitation::issue(Plan::from_bytes(plan).ok()?, invitation.chain.clone(), &self.0))
    }

    /// The message with another body under the subject of another one, signed as this identity's: such as an
    /// accusation in the place of an endorsement.
    pub fn replace(&self, message: &Message, subject_of: &Message, body: Vec<u8>) -> Message {
        let header = Header { subject: subject_of.header().subject, ..message.header().clone() };
        Message::issue(header, body, &self.0)
    }
}

/// The plan of an invitation, in its encoding.
pub fn plan(invitation: &Invitation) -> Vec<u8> {
    invitation.plan.to_bytes()
}

/// The members 1 to n.
fn numbered(members: &[Forger]) -> Vec<(Identifier, &IdentityKey)> {
    (1..).filter_map(Identifier::new).zip(members).map(|(id, one)| (id, &one.0)).collect()
}

/// The body of a message.
pub fn body(message: &Message) -> &[u8] {
    message.body()
}

/// What the message is about: join, deal, certify, accuse, confirm, commit, share, dispute, consent, handover, receipt,
/// vote, prepare or ready.
pub fn subject(message: &Message) -> &'static str {
    name(message.header().subject)
}

pub(super) const fn name(subject: Subject) -> &'static str {
    match subject {
        Subject::Join => "join",
        Subject::Deal => "deal",
        Subject::Certify => "certify",
        Subject::Accuse => "accuse",
        Subject::Confirm => "confirm",
        Subject::Commit => "commit",
        Subject::Share => "share",
        Subject::Dispute => "dispute",
        Subject::Consent => "consent",
        Subject::Handover => "handover",
        Subject::Receipt => "receipt",
        Subject::Vote => "vote",
        Subject::Prepare => "prepare",
        Subject::Ready => "ready",
    }
}

/// Which of the nonces that were made beforehand an invitation is for.
pub fn prepared_index(invitation: &Invitation) -> Option<u16> {
    match &invitation.plan.action {
        Action::Sign(plan) => plan.prepared.as_ref().map(|prepared| prepared.index),
        _ => None,
    }
}
