//! What is on record while runs are under way, for somebody who has the PIN: shares, and no nonce and no key of a run.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what is wrong in a test may panic")]

mod common;
#[path = "epochs/device.rs"]
mod device;
#[path = "common/points.rs"]
mod points;

use std::collections::HashSet;

use common::*;
use device::Device;
use points::{looks_random, multiples};
use quorumkey::hazmat::{Loot, random_scalar, verifying_shares};
use quorumkey::{
    Derivation, Dkg, Filter, Import, ImportedKey, Invitation, KeyTemplate, MemoryStorage, NewCard, Operations,
    Protocol, Reason, Run, Suite,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

const MESSAGE: &[u8] = b"pay the baker";

/// Whatever is said in runs, and whatever is on record meanwhile.
struct Watch {
    suite: Suite,
    /// All bytes of messages in which a point may stand.
    said: HashSet<Vec<u8>>,
    /// What stands in the devices' storages, as it is and decrypted.
    kept: HashSet<Vec<u8>>,
}

impl Watch {
    fn hear(&mut self, bytes: &[u8]) {
        let point = if self.suite == Suite::Ed25519 { 32 } else { 33 };
        self.said.extend(bytes.windows(point).map(<[u8]>::to_vec));
    }

    fn look(&mut self, devices: &[Device]) {
        for device in devices {
            let contents = device.contents();
            let loot = Loot::of(MemoryStorage::new(&contents), &user_pin()).unwrap();
            self.kept.extend(contents.into_iter().map(|(_, value)| value));
            self.kept.extend(loot.records().map(<[u8]>::to_vec));
        }
    }

    /// A run, looked at after each of its messages.
    fn run<P: Protocol>(&mut self, devices: &[Device], runs: &mut [Run<P>]) -> Vec<P::Output> {
        let results = exchange_over(runs, &mut |_, _, message| {
            self.hear(&message.to_bytes());
            self.look(devices);
            vec![message]
        });
        self.look(devices);
        results.into_iter().map(|result| result.unwrap().unwrap()).collect()
    }

    fn deal(&mut self, devices: &[Device], members: &[&Member], invitation: &Invitation) {
        let mut runs: Vec<_> = members.iter().map(|member| member.session.start(invitation).unwrap()).collect();
        self.run(devices, &mut runs);
    }

    /// Whatever is on record and is a scalar: its point.
    fn points(&self) -> HashSet<Vec<u8>> {
        let windows = self.kept.iter().flat_map(|record| record.windows(32));
        let windows: HashSet<[u8; 32]> = windows.map(|window| window.try_into().unwrap()).collect();
        let likely = windows.iter().filter(|window| looks_random(window));
        likely.flat_map(|window| multiples(self.suite, window)).map(|(_, point)| point).collect()
    }
}

fn no_nonce_and_no_key_of_a_run_is_ever_on_record(suite: Suite) {
    let mut devices = device::devices(4);
    let members = device::log_in(&mut devices);
    let mut watch = Watch { suite, said: HashSet::new(), kept: HashSet::new() };
    let (all, pair) = ([&members[0], &members[1], &members[2]], [id(1), id(2)]);
    let operations = Operations::ALL.union(Operations::RECONSTRUCT);
    let template = || KeyTemplate { operations, ..KeyTemplate::wallet("a wallet") };
    let dkg = Dkg { suite, threshold: 2, members: roster(&members[..3]), template: template() };
    watch.deal(&devices, &all, &members[0].session.invite(dkg).unwrap());
    let key = members[0].session.find(&Filter::default()).unwrap()[0].id;
    let mut shares: HashSet<Vec<u8>> = HashSet::new();
    let mut dealt = || {
        let certificate = members[0].session.certificate(key).unwrap();
        shares.extend(verifying_shares(&certificate).unwrap().into_values());
    };
    dealt();

    let invitation = members[0].session.invite_sign(key, &pair, MESSAGE).unwrap();
    let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, MESSAGE).unwrap());
    watch.run(&devices, &mut runs);

    let invitation = members[0].session.invite_preprocess(key, &pair, 2).unwrap();
    let mut kept = [0, 1].map(|at: usize| members[at].session.start_preprocess(&invitation).unwrap());
    let batch = watch.run(&devices, &mut kept).remove(0);
    let invitation = members[0].session.invite_sign_prepared(&batch, &pair, MESSAGE, &Derivation::default()).unwrap();
    let mut runs = [0, 1].map(|at: usize| members[at].session.start_sign(&invitation, MESSAGE).unwrap());
    watch.run(&devices, &mut runs);

    watch.deal(&devices, &all, &members[0].session.invite_refresh(key, Vec::new()).unwrap());
    dealt();
    let card = NewCard { identifier: id(3), card: members[3].card(), reason: Reason::Destroyed };
    let repair = members[0].session.invite_repair(key, card, &pair).unwrap();
    watch.deal(&devices, &[&members[0], &members[1], &members[3]], &repair);

    let officers = [0, 1].map(|at: usize| members[at].store.login_so(&officer_pin()).unwrap());
    let invitation = officers[0].invite_reconstruct(key, &pair).unwrap();
    let mut runs = [0, 1].map(|at: usize| {
        members[at].session.consent_to_reconstruct(&invitation).unwrap();
        officers[at].start_reconstruct(&invitation).unwrap()
    });
    watch.run(&devices, &mut runs);

    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (secret, point) = random_scalar(suite, &mut rng);
    watch.hear(&point);
    let imported = ImportedKey::from_scalar(suite, Zeroizing::new(secret)).unwrap();
    let import =
        Import { key: &imported, threshold: 2, members: roster(&members[..3]), template: template(), least_attempt: 0 };
    let invitation = members[0].session.invite_import(import).unwrap();
    let mut runs = vec![members[0].session.start_import(&invitation, imported).unwrap()];
    runs.extend(members[1..3].iter().map(|member| member.session.start(&invitation).unwrap()));
    watch.run(&devices, &mut runs);

    // A dealer whose Lagrange coefficient is one deals its share itself, and says its point.
    let said = |watch: &Watch, points: &HashSet<Vec<u8>>| {
        watch.said.intersection(points).filter(|point| !shares.contains(*point)).count()
    };
    let points = watch.points();
    assert_eq!(said(&watch, &points), 0, "a secret whose point was said");
    assert_eq!(shares.intersection(&points).count(), 6, "each share of two epochs, or the scan finds nothing");

    // What was never on record, and now is.
    let (secret, point) = random_scalar(suite, &mut rng);
    watch.hear(&point);
    watch.kept = HashSet::from([[&b"a record with a nonce "[..], &secret, b" in it"].concat()]);
    assert_eq!(said(&watch, &watch.points()), 1);
}

macro_rules! mounted {
    ($($module:ident: $suite:ident)*) => {
        $(mod $module {
            #[test]
            fn no_nonce_and_no_key_of_a_run_is_ever_on_record() {
                super::no_nonce_and_no_key_of_a_run_is_ever_on_record(quorumkey::Suite::$suite);
            }
        })*
    };
}

mounted! {
    ed25519: Ed25519
    secp256k1: Secp256k1
    taproot: Secp256k1Taproot
}
