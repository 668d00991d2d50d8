//! A dealing made from given randomness, for frozen samples of every format that travels.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_core::CryptoRng;

use crate::Suite;
use crate::protocol::{Effect, Machine, PendingShare, Setup, start_dealing};
use crate::secret::Secret;
use crate::wire::{
    Action, Card, DealPlan, Header, Identifier, IdentityKey, Invitation, KeyTemplate, Message, Plan, Roster, Source,
    Subject,
};

/// The run of a new 2-of-3 key, with its secrets in ordinary memory.
#[derive(Debug)]
pub struct SampleDealing {
    /// The members' identity seeds.
    pub seeds: Vec<[u8; 32]>,
    /// Their cards.
    pub cards: Vec<Card>,
    /// Member 1's invitation.
    pub invitation: Invitation,
    /// Every message of the run, by rounds and members.
    pub messages: Vec<Message>,
    /// The certificate, in its encoding.
    pub certificate: Vec<u8>,
    /// The members' shares.
    pub shares: Vec<[u8; 32]>,
    /// The key's chain code.
    pub chain_code: [u8; 32],
}

struct Member {
    id: Identifier,
    identity: Arc<IdentityKey>,
    machine: Option<Box<dyn Machine>>,
    says: Option<(Subject, Vec<u8>)>,
}

/// Makes a 2-of-3 key among new identities.
///
/// # Errors
///
/// What went wrong, in words: nothing does, unless the protocol is changed.
pub fn sample_dealing(suite: Suite, rng: &mut dyn CryptoRng) -> Result<SampleDealing, &'static str> {
    let seeds: Vec<_> = (0..3).map(|_| random(rng)).collect();
    let identities: Vec<_> = seeds.iter().map(|seed| Arc::new(IdentityKey::from_seed(Secret::new(*seed)))).collect();
    let labels = ["anna's phone", "ben's laptop", "the safe"];
    let cards: Vec<_> =
        identities.iter().zip(labels).map(|(identity, label)| Card::issue(identity, 0, label.to_owned())).collect();
    let roster = Roster::numbered(cards.clone()).map_err(|_| "roster")?;
    let inviter = Identifier::new(1).ok_or("identifier")?;
    let deal = DealPlan {
        suite,
        threshold: 2,
        height: 0,
        attempt: 0,
        template: KeyTemplate::wallet("savings"),
        receivers: roster.clone(),
        source: Source::Fresh,
    };
    let plan = Plan { inviter, randomness: random(rng), action: Action::Deal(deal.clone()) };
    let mut members = Vec::new();
    for (id, identity) in roster.identifiers().zip(&identities) {
        let (participants, identity) = (roster.clone(), Arc::clone(identity));
        let setup = Setup {
            plan: plan.clone(),
            deal: deal.clone(),
            participants,
            me: id,
            identity: Arc::clone(&identity),
            succession: None,
            importing: None,
        };
        let (machine, body) = start_dealing(setup, rng).map_err(|_| "start")?;
        members.push(Member { id, identity, machine: Some(machine), says: Some((Subject::Join, body)) });
    }
    let invitation = Invitation::issue(plan, Vec::new(), identities.first().ok_or("identities")?);
    run(&mut members, suite, seeds, cards, invitation, rng)
}

fn run(
    members: &mut [Member],
    suite: Suite,
    seeds: Vec<[u8; 32]>,
    cards: Vec<Card>,
    invitation: Invitation,
    rng: &mut dyn CryptoRng,
) -> Result<SampleDealing, &'static str> {
    let (mut messages, mut shares, mut chain_code) = (Vec::new(), BTreeMap::new(), [0; 32]);
    for round in 0..3 {
        let mut said = Vec::new();
        for member in members.iter_mut() {
            let (subject, body) = member.says.take().ok_or("a member says nothing")?;
            let header = Header {
                suite,
                group: [0; 32],
                epoch: [0; 32],
                run: invitation.run_id(),
                round,
                sender: member.id,
                subject,
                counter: u64::from(round) + 1,
                audit_head: [round; 32],
                view: [0; 32],
            };
            said.push(Message::issue(header, body, &member.identity));
        }
        for member in members.iter_mut() {
            let machine = member.machine.take().ok_or("a member is gone")?;
            let transition = machine.handle(&said, rng).map_err(|_| "a member stops")?;
            (member.machine, member.says) = (Some(transition.next), transition.send);
            match transition.effect {
                Effect::Pending(pending) => {
                    let PendingShare { share, chain_code: code, .. } = *pending;
                    shares.insert(member.id, *share.ok_or("a receiver has no share")?.expose());
                    chain_code = *code.expose();
                }
                Effect::Certified(certificate) => {
                    messages.extend(said);
                    let (certificate, shares) = (certificate.to_bytes(), shares.into_values().collect());
                    return Ok(SampleDealing { seeds, cards, invitation, messages, certificate, shares, chain_code });
                }
                _ => {}
            }
        }
        messages.extend(said);
    }
    Err("there is no certificate")
}

fn random(rng: &mut dyn CryptoRng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}
