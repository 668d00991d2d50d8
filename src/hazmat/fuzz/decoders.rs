//! No bytes panic, and what is accepted has one encoding.

use std::collections::BTreeMap;

use super::{choice, one_of};
use crate::audit::Record;
use crate::protocol::Certificate;
use crate::protocol::dealing::{self, Deal, Opening, ParsedTranscript, Proof};
use crate::protocol::sign::{Commitments, SignatureShare};
use crate::suite::{GroupKey, Signature, Suite, VerifyingKey, with_suite};
use crate::wire::{Card, Invitation, Message, Plan};

pub(super) fn card(bytes: &[u8]) {
    let Ok(card) = Card::from_bytes(bytes) else { return };
    assert_eq!(card.to_bytes(), bytes);
    assert!(card.label().len() <= 64 && !card.label().chars().any(char::is_control));
}

pub(super) fn invitation(bytes: &[u8]) {
    let Ok(invitation) = Invitation::from_bytes(bytes) else { return };
    assert_eq!(invitation.to_bytes(), bytes);
    let _ = (invitation.fingerprint(), invitation.threshold(), invitation.template(), invitation.key());
}

pub(super) fn plan(bytes: &[u8]) {
    let Ok(plan) = Plan::from_bytes(bytes) else { return };
    assert_eq!(plan.to_bytes(), bytes);
}

pub(super) fn message(bytes: &[u8]) {
    let Ok(message) = Message::from_bytes(bytes) else { return };
    assert_eq!(message.to_bytes(), bytes);
}

pub(super) fn certificate(bytes: &[u8]) {
    let Ok(certificate) = Certificate::from_bytes(bytes) else { return };
    assert_eq!(certificate.to_bytes(), bytes);
    let _ = (certificate.epoch_id(), certificate.key_id(), certificate.epoch(), certificate.verify(None));
}

/// The first byte is the suite.
pub(super) fn suite(bytes: &mut &[u8]) -> Suite {
    *one_of(&Suite::ALL, choice(bytes))
}

pub(super) fn transcript(mut bytes: &[u8]) {
    with_suite!(suite(&mut bytes), C => {
        let Ok(parsed) = ParsedTranscript::<C>::parse(bytes) else { return };
        let deal = |(id, offer)| (id, Deal { offer, ciphertexts: Vec::new() });
        let deals: BTreeMap<_, _> = parsed.offers().map(deal).collect();
        let again = dealing::transcript(&parsed.ceremony, &deals, parsed.extension);
        assert_eq!(again.ok().as_deref(), Some(bytes));
        let _ = parsed.group_keys();
    });
}

/// Suite, threshold, receivers and length of the payload come first.
pub(super) fn deal(mut bytes: &[u8]) {
    let suite = suite(&mut bytes);
    let (threshold, receivers, payload) = (choice(&mut bytes), choice(&mut bytes), choice(&mut bytes));
    with_suite!(suite, C => {
        let deal = Deal::<C>::decode(bytes, threshold.into(), receivers.into(), payload.into());
        if let Ok(deal) = deal {
            assert_eq!(deal.encode(), bytes);
            assert_eq!(deal.offer.commitment.len(), usize::from(threshold));
            assert_eq!(deal.ciphertexts.len(), usize::from(receivers));
        }
    });
}

/// What stands in the bodies of accusations, endorsements and signing messages.
pub(super) fn opening(mut bytes: &[u8]) {
    with_suite!(suite(&mut bytes), C => {
        if let Ok(opening) = Opening::<C>::decode(bytes) {
            assert_eq!(opening.encode(), bytes);
        }
        if let Some(proof) = Proof::<C>::decode(bytes) {
            assert_eq!(proof.encode(), bytes);
        }
        if let Some(commitments) = Commitments::<C>::from_bytes(bytes) {
            assert_eq!(commitments.as_bytes(), bytes);
        }
        if let Some(share) = SignatureShare::<C>::from_bytes(bytes) {
            assert_eq!(share.to_bytes(), bytes);
        }
    });
}

/// A key, a signature, and the rest is the message. Whatever verifies also verifies for ed25519-dalek.
pub(super) fn signature(mut bytes: &[u8]) {
    let suite = suite(&mut bytes);
    let (key_len, signature_len) = match suite {
        Suite::Ed25519 | Suite::Secp256k1Taproot => (32, 64),
        Suite::Secp256k1 => (33, 65),
    };
    let Some((key, rest)) = bytes.split_at_checked(key_len) else { return };
    let Some((signature, message)) = rest.split_at_checked(signature_len) else { return };
    if let Ok(group) = GroupKey::from_bytes(suite, key) {
        assert_eq!(group.as_bytes(), key);
    }
    let Ok(read) = Signature::from_bytes(suite, signature) else { return };
    assert_eq!(read.as_bytes(), signature);
    let Ok(verifying) = VerifyingKey::from_bytes(suite, key) else { return };
    assert_eq!(verifying.as_bytes(), key);
    let accepted = verifying.verify(message, &read).is_ok();
    if suite == Suite::Ed25519 {
        assert_eq!(accepted, dalek_accepts(key, signature, message));
    }
}

fn dalek_accepts(key: &[u8], signature: &[u8], message: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (key.try_into(), ed25519_dalek::Signature::from_slice(signature)) else {
        return false;
    };
    let key = ed25519_dalek::VerifyingKey::from_bytes(key);
    key.is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

pub(super) fn audit_record(bytes: &[u8]) {
    let Ok(record) = Record::from_bytes(bytes) else { return };
    assert_eq!(record.to_bytes(), bytes);
    let _ = (record.to_string(), record.head());
}
