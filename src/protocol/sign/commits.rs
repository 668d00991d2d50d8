//! The commitments that messages carry.

use std::collections::BTreeMap;

use super::Commitments;
use crate::guard::forbids;
use crate::protocol::fault::{Failure, Misbehaviour};
use crate::suite::Ciphersuite;
use crate::wire::{Identifier, Message};

/// Every sender's list of commitments, in which there must be so many. Those of peers are decoded together; this member's
/// `own`, if it has any, are at hand, and known by their bytes.
pub(super) fn read_lists<C: Ciphersuite>(
    round: &[Message],
    count: usize,
    own: &[Commitments<C>],
) -> Result<BTreeMap<Identifier, Vec<Commitments<C>>>, Failure> {
    let own_body: Vec<_> = own.iter().flat_map(Commitments::as_bytes).copied().collect();
    let (mine, peers): (Vec<_>, Vec<_>) =
        round.iter().partition(|message| !own.is_empty() && message.body() == own_body);
    if let Some(message) = peers.iter().find(|message| forbids!(ListOfItsLength, parts::<C>(message).len() != count)) {
        return Err(malformed(message));
    }
    let parts_of_all: Vec<_> = peers.iter().flat_map(|message| parts::<C>(message)).collect();
    let Some(decoded) = Commitments::batch_from_bytes(&parts_of_all) else { return Err(blame::<C>(&peers)) };
    let mut decoded = decoded.into_iter();
    let theirs =
        peers.iter().map(|message| (message.sender(), decoded.by_ref().take(parts::<C>(message).len()).collect()));
    let mine = mine.iter().map(|message| (message.sender(), own.to_vec()));
    Ok(theirs.chain(mine).collect())
}

/// The commitments of these messages at one place of their lists, decoded together.
pub(super) fn read_at<C: Ciphersuite>(commits: &[Message], index: u16) -> Option<BTreeMap<Identifier, Commitments<C>>> {
    let encodings = commits.iter().map(|message| parts::<C>(message).nth(usize::from(index)));
    let decoded = Commitments::batch_from_bytes(&encodings.collect::<Option<Vec<_>>>()?)?;
    Some(commits.iter().map(Message::sender).zip(decoded).collect())
}

fn parts<C: Ciphersuite>(message: &Message) -> core::slice::Chunks<'_, u8> {
    message.body().chunks(Commitments::<C>::LEN)
}

/// Whether it carries so many commitments and nothing else.
pub(super) fn is_list<C: Ciphersuite>(message: &Message, count: usize) -> bool {
    parts::<C>(message).len() == count && is_good::<C>(message)
}

fn is_good<C: Ciphersuite>(message: &Message) -> bool {
    parts::<C>(message).all(|bytes| Commitments::<C>::from_bytes(bytes).is_some())
}

/// Who of them sent what is no list of commitments.
fn blame<C: Ciphersuite>(peers: &[&Message]) -> Failure {
    peers.iter().find(|message| !is_good::<C>(message)).map_or_else(Failure::unattributed, |message| malformed(message))
}

pub(super) fn malformed(message: &Message) -> Failure {
    Failure::by(message.sender(), Misbehaviour::Malformed, &[message])
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::protocol::exchange::tests::header;
    use crate::suite::{Ed25519, Suite};
    use crate::wire::{IdentityKey, RunId, Subject};

    #[test]
    fn an_empty_list_names_its_sender_also_to_who_has_no_commitments() {
        let sender = Identifier::new(2).unwrap();
        let header = header(Suite::Ed25519, RunId::from_bytes([4; 32]), (0, sender, Subject::Commit), &[]);
        let identity = IdentityKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let empty = Message::issue(header, Vec::new(), &identity);
        let failure = read_lists::<Ed25519>(&[empty], 1, &[]).unwrap_err();
        assert_eq!(failure.culprits, [sender]);
    }
}
