//! Giving an attempt up erases nothing and forbids nothing.

use quorumkey::{Advice, Misuse, Warning};

use super::device::Setting;
use super::*;

pub fn an_abandoned_attempt_erases_nothing_and_its_certificate_still_counts(setting: &Setting) {
    let mut devices = setting.devices(3);
    let members = log_in(&mut devices);
    let key = dkg(&members, setting.suite, 2).id;
    let results = refresh_over(&members, key, &mut lost("certify", &[(1, 0), (2, 0)]));
    assert!(matches!((&results[0], &results[1]), (Ok(None), Ok(Some(_)))));
    let attempt = members[0].key(key).pending[0];
    assert_eq!(members[0].key(key).advice(), [Advice::FinishAttempt(attempt)]);
    let info = members[0].session.abandon(key, attempt).unwrap();
    assert_eq!((info.pending.as_slice(), info.abandoned.as_slice()), ([attempt].as_slice(), [attempt].as_slice()));
    drop(members);
    assert_eq!(devices[0].shares(), 2, "the old share and the attempt's");
    let members = log_in(&mut devices);
    assert_eq!(members[0].key(key).abandoned, [attempt]);
    let certificate = members[1].session.certificate(key).unwrap();
    let done = members[0].session.complete(&certificate).unwrap();
    assert_eq!((done.epoch, done.abandoned.len(), done.advice().len()), (attempt, 0, 0));
    all_sign(&members, key, b"it was certified after all");
    drop(members);
    assert_eq!(devices[0].shares(), 1);
}

pub fn an_abandoned_attempt_is_named_by_the_next_and_erased_with_its_certificate(setting: &Setting) {
    let mut devices = setting.devices(3);
    let members = log_in(&mut devices);
    let key = dkg(&members, setting.suite, 2).id;
    refresh_over(&members, key, &mut lost("deal", &[(0, 2)]));
    let attempt = members[0].key(key).pending[0];
    for member in &members[..2] {
        member.session.abandon(key, attempt).unwrap();
        // Twice is once.
        assert_eq!(member.session.abandon(key, attempt).unwrap().abandoned, [attempt]);
    }
    all_sign(&members, key, b"with the old shares");
    let now = refresh(&members, key);
    assert_eq!((now.pending.len(), now.abandoned.len()), (0, 0));
    for refused in [attempt, now.epoch] {
        let refused = members[0].session.abandon(key, refused);
        assert!(matches!(refused, Err(Error::Misuse(Misuse::NoSuchAttempt))), "{refused:?}");
    }
    drop(members);
    assert!(devices.iter().all(|device| device.shares() == 1));
}

pub fn the_run_of_an_abandoned_attempt_ends(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    let invitation = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    let mut runs = enter(&members, &invitation);
    let mut certify = Vec::new();
    exchange_over(&mut runs, &mut |_, to, message| {
        if to == 0 && hazmat::subject(&message) == "certify" {
            certify.push(message);
            return Vec::new();
        }
        vec![message]
    });
    let attempt = members[0].key(key).pending[0];
    members[0].session.abandon(key, attempt).unwrap();
    let ended = runs[0].handle(&certify[0]);
    assert!(matches!(ended, Err(Error::Misuse(Misuse::NoSuchRun(_)))), "{ended:?}");
}

/// Given up while the certificate is put together, it comes too late: whoever gave up has neither erased nor promised more.
pub fn an_attempt_abandoned_while_its_last_round_is_computed_certifies_nothing(setting: &Setting) {
    let members = std::rc::Rc::new(setting.group(2));
    let key = dkg(&members, setting.suite, 2);
    let invitation = members[0].session.invite_refresh(key.id, Vec::new()).unwrap();
    let mut runs = enter(&members, &invitation);
    let mut certify = Vec::new();
    exchange_over(&mut runs, &mut |_, to, message| {
        if to == 0 && hazmat::subject(&message) == "certify" {
            certify.push(message);
            return Vec::new();
        }
        vec![message]
    });
    let (acting, id) = (std::rc::Rc::clone(&members), key.id);
    hazmat::meanwhile(move || {
        let attempt = acting[0].key(id).pending[0];
        acting[0].session.abandon(id, attempt).unwrap();
    });
    let ended = runs[0].handle(&certify[0]);
    assert!(matches!(ended, Err(Error::Misuse(Misuse::NoSuchRun(_)))), "{ended:?}");
    assert!(runs[0].poll_transmit().is_none());
    let now = members[0].key(key.id);
    assert_eq!((now.epoch, now.pending.len(), now.abandoned.len()), (key.epoch, 1, 1));
}

/// Rule 10: one refusal or loss may end a key of few.
pub fn a_plan_with_few_receivers_warns(setting: &Setting) {
    let members = setting.group(5);
    let key = dkg(&members[..3], setting.suite, 2);
    let to = |n: u16, threshold| {
        let seats: Vec<_> = (1..=n).zip(0..).collect();
        let change = change(&key, seated(&members, &seats), threshold, Reason::Routine);
        members[0].session.invite_reshare(key.id, change).unwrap().warnings()
    };
    assert_eq!((to(3, 2), to(5, 3)), (Vec::new(), Vec::new()));
    assert_eq!(to(2, 2), [Warning::FewReceivers { receivers: 2, threshold: 2 }]);
    assert_eq!(to(4, 3), [Warning::FewReceivers { receivers: 4, threshold: 3 }]);
    assert_eq!(to(5, 4)[0].to_string(), "only 5 members will hold a share, of whom 4 sign: a loss may end the key");
}

/// Certificates of a made-up group prove themselves as well. What they don't have is the key, and the fingerprint that the old
/// members read out.
pub fn a_newcomer_tells_a_made_up_group_by_its_fingerprint_and_key(setting: &Setting) {
    let (honest, liars) = (setting.group(3), setting.group(3));
    let newcomer = setting.member("a newcomer");
    let keys = [&honest, &liars].map(|members| dkg(members, setting.suite, 2));
    let invite = |members: &[Member], key: &KeyInfo| {
        let wider = key.roster.with(id(4), newcomer.card()).unwrap();
        members[0].session.invite_reshare(key.id, change(key, wider, 2, Reason::Routine)).unwrap()
    };
    let invitations = [invite(&honest, &keys[0]), invite(&liars, &keys[1])];
    let lineages = invitations.each_ref().map(|invitation| invitation.lineage().unwrap().unwrap());
    for (lineage, key) in lineages.iter().zip(&keys) {
        assert_eq!((lineage.fingerprint(), &lineage.verifying_key), (key.fingerprint(), &key.verifying_key));
        assert_eq!((lineage.key, lineage.epoch, lineage.height, lineage.threshold), (key.id, key.epoch, 0, 2));
    }
    assert_ne!(lineages[0].fingerprint(), lineages[1].fingerprint());
    assert_ne!(lineages[0].verifying_key, lineages[1].verifying_key);
    // The plan of one with the history of the other: version, plan, certificates, signature.
    let [mine, other] = invitations.each_ref().map(Invitation::to_bytes);
    let after_plan = |bytes: &[u8]| 5 + usize::try_from(u32::from_be_bytes(bytes[1..5].try_into().unwrap())).unwrap();
    let mixed = [&mine[..after_plan(&mine)], &other[after_plan(&other)..other.len() - 64], &mine[mine.len() - 64..]];
    let mixed = Invitation::from_bytes(&mixed.concat()).unwrap();
    assert!(mixed.lineage().is_err());
    assert!(newcomer.session.start(&mixed).is_err());
    assert!(invitations[0].lineage().is_ok() && dkg_invitation(&honest, setting.suite, 2).lineage().unwrap().is_none());
}
