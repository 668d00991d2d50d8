//! A key, and what of it never changes or must be known to check it.

use std::collections::{BTreeMap, BTreeSet};

use quorumkey::audit::{self, Head};
use quorumkey::hazmat::{self, group_key_of_shares};
use quorumkey::wrap::{Identity, Recipient, SecretKey};
use quorumkey::{Derivation, EpochId, Error, KeyId, KeyInfo, Misuse, Network, Suite, VerifyingKey};

use crate::common::*;

pub(crate) struct Life {
    pub(crate) key: KeyInfo,
    pub(crate) address: String,
    /// What a wallet that watches knows of one child.
    pub(crate) child: Option<VerifyingKey>,
    pub(crate) threshold: u16,
    pub(crate) members: BTreeSet<u16>,
    pub(crate) attempts: u32,
    /// The epoch, the revision of its roster, and who can sign, when every set of members was tried.
    pub(crate) tried: Option<(EpochId, u32, Vec<u16>)>,
}

impl Life {
    pub(crate) fn new(key: KeyInfo, member: &Member, members: BTreeSet<u16>) -> Self {
        let (address, child) = (address(member, key.id, key.suite), child(member, key.id, key.suite));
        Self { address, child, threshold: key.threshold, members, attempts: 0, tried: None, key }
    }

    /// Every t of these members sign, and no fewer are the key.
    pub(crate) fn has_its_threshold(&self, active: &BTreeMap<u16, &Member>, numbers: &[u16]) {
        let t = usize::from(self.threshold);
        let shares: BTreeMap<_, _> =
            active.iter().map(|(number, member)| (*number, (id(*number), share(member, self.key.id)))).collect();
        let key_of = |numbers: &[u16]| {
            let shares: Vec<_> = numbers.iter().map(|number| shares[number]).collect();
            group_key_of_shares(self.key.suite, &shares).unwrap() == self.key.group_key.as_bytes()
        };
        for signers in subsets(numbers, t) {
            assert!(key_of(&signers), "{signers:?}");
            sign_by(active, self.key.id, &signers, &[1; 32]);
        }
        for few in subsets(numbers, t - 1) {
            assert!(!key_of(&few), "{few:?}");
            let ids: Vec<_> = few.iter().map(|number| id(*number)).collect();
            let refused = active[&few[0]].session.invite_sign(self.key.id, &ids, &[1; 32]);
            assert!(matches!(refused, Err(Error::Misuse(Misuse::Plan(_)))), "{refused:?}");
        }
    }

    /// Members sign for the child that a wallet watches.
    pub(crate) fn signs_for_its_child(&self, active: &BTreeMap<u16, &Member>, signers: &[u16]) {
        let Some(child) = &self.child else { return };
        let (key, derivation) = (self.key.id, derivation(self.key.suite));
        let ids: Vec<_> = signers.iter().map(|number| id(*number)).collect();
        let by = |number: &u16| &active[number].session;
        let invitation = by(&signers[0]).invite_sign_under(key, &ids, &[3; 32], &derivation).unwrap();
        let start = |number| by(number).start_sign_under(&invitation, &[3; 32], &derivation).unwrap();
        let signature = exchange(&mut signers.iter().map(start).collect::<Vec<_>>()).remove(0);
        child.verify(&[3; 32], &signature).unwrap();
    }
}

/// What opens backups, and whom they are sealed to.
pub(crate) fn sheet() -> (Identity, Recipient) {
    let key = SecretKey::from_bytes(&[5; 32]).unwrap();
    let to = key.recipient();
    (Identity::X25519(key), to)
}

/// From which every other address comes.
pub(crate) fn address(member: &Member, key: KeyId, suite: Suite) -> String {
    match suite {
        Suite::Ed25519 => member.key(key).verifying_key.solana_address().unwrap(),
        _ => member.session.extended_public_key(key).unwrap().to_base58(Network::Mainnet),
    }
}

/// The child that is looked at: of taproot with a script tree.
fn derivation(suite: Suite) -> Derivation {
    let root = (suite == Suite::Secp256k1Taproot).then_some([8; 32]);
    Derivation { path: "m/0/7".parse().unwrap(), root }
}

pub(crate) fn child(member: &Member, key: KeyId, suite: Suite) -> Option<VerifyingKey> {
    let Derivation { path, root } = derivation(suite);
    let parent = (suite != Suite::Ed25519).then(|| member.session.extended_public_key(key).unwrap());
    parent.map(|parent| parent.derive(&path).unwrap().verifying_key(root.as_ref()))
}

pub(crate) fn log_verifies(member: &Member) {
    let records = member.session.audit(None, 100_000).unwrap();
    audit::follow(&records, &Head::genesis(&member.store.info().unwrap().id)).unwrap();
}

/// The share, out of a backup.
fn share(member: &Member, key: KeyId) -> [u8; 32] {
    let (with, to) = sheet();
    let file = member.session.export(key, &to).unwrap();
    hazmat::wrap::open(file.as_bytes(), &with).unwrap()[26..58].try_into().unwrap()
}

/// Every set of so many of these.
fn subsets(numbers: &[u16], size: usize) -> Vec<Vec<u16>> {
    let chosen = |bits: u32| (0..).zip(numbers).filter(move |(at, _)| bits >> at & 1 == 1).map(|(_, number)| *number);
    let sized = (0..1_u32 << numbers.len()).filter(|bits| bits.count_ones() as usize == size);
    sized.map(|bits| chosen(bits).collect()).collect()
}
