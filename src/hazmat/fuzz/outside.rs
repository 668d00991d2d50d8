//! Who was not there: whatever is shown as evidence, nobody is named who has told no lie; and who follows a signing gets a
//! signature or none.

use super::decoders::suite;
use super::pair::MESSAGE;
use super::recorded::{Archive, Recorded, Told, reproposed};
use super::{choice, one_of};
use crate::keystore::{Coordinator, Result};
use crate::protocol::Evidence;

/// Suite and run come first, then what is said of it.
pub(super) fn judge(mut bytes: &[u8]) {
    let archive = Archive::of(suite(&mut bytes));
    let recorded = *one_of(&archive.all(), choice(&mut bytes));
    let Told { messages, liars } = recorded.tell(bytes);
    let judged = Evidence::new(messages).judge(&recorded.invitation, &recorded.certificates);
    let judged = judged.expect("honest certificates prove their epoch");
    for culprit in judged.iter().flat_map(|judgement| &judgement.culprits) {
        assert!(liars.contains(culprit), "member {culprit} is named, and {liars:?} lied");
    }
}

/// Suite, and what is changed, come first.
pub(super) fn coordinator(mut bytes: &[u8]) {
    let archive = Archive::of(suite(&mut bytes));
    let Archive { signing, batch, with_batch, .. } = archive;
    match choice(&mut bytes) % 4 {
        0 => another_plan(archive, bytes),
        1 => follow(Coordinator::new(&signing.invitation, &signing.certificates), signing, &signing.tell(bytes)),
        2 => {
            let coordinator = with_nonces(archive, &Told::honestly(batch));
            follow(coordinator, with_batch, &with_batch.tell(bytes));
        }
        _ => {
            let lies = batch.tell(bytes);
            if let Some(coordinator) = lies.names_only_liars(with_nonces(archive, &lies)) {
                // Whoever lied about the nonces has lied.
                let told = Told { liars: lies.liars, ..Told::honestly(with_batch) };
                follow(Ok(coordinator), with_batch, &told);
            }
        }
    }
}

fn another_plan(archive: &Archive, bytes: &[u8]) {
    let Archive { signing, batch, with_batch, .. } = archive;
    for recorded in [signing, with_batch] {
        let Some(invitation) = reproposed(&recorded.invitation, bytes) else { continue };
        let _ = Coordinator::new(&invitation, &recorded.certificates);
        let _ = Coordinator::prepared(&invitation, &recorded.certificates, &batch.invitation, &batch.messages);
    }
    let Some(made) = reproposed(&batch.invitation, bytes) else { return };
    let _ = Coordinator::prepared(&with_batch.invitation, &with_batch.certificates, &made, &batch.messages);
}

/// A coordinator of a signature with nonces of which it is told that.
fn with_nonces(archive: &Archive, told: &Told) -> Result<Coordinator> {
    let Archive { batch, with_batch, .. } = archive;
    Coordinator::prepared(&with_batch.invitation, &with_batch.certificates, &batch.invitation, &told.messages)
}

fn follow(coordinator: Result<Coordinator>, recorded: &Recorded, told: &Told) {
    let mut coordinator = coordinator.expect("an honest member invites to it");
    let key = recorded.certificates.last().expect("the key is known").epoch().expect("an honest certificate");
    assert_eq!(coordinator.verifying_key(), &key.group_key.verifying_key(None));
    for message in &told.messages {
        let _ = told.names_only_liars(coordinator.handle(message));
        if let Some(signature) = coordinator.poll_output() {
            assert!(coordinator.verifying_key().verify(MESSAGE, &signature).is_ok());
        }
    }
}
