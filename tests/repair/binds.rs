//! A revision binds whatever begins after it: what goes by an older roster is stale, and says how the roster went on.

use quorumkey::{Card, Dkg, KeyTemplate, Operations, Revision};

use super::device::Setting;
use super::*;

/// What may be begun with a key, and how a member enters it.
type Proposed = (&'static str, Invitation, fn(&Member, &Invitation) -> Result<(), Error>);

fn allows_everything(members: &[Member], setting: &Setting) -> KeyInfo {
    let operations = Operations::ALL.union(Operations::RECONSTRUCT);
    let template = KeyTemplate { operations, ..KeyTemplate::wallet("on trial") };
    let dkg = Dkg { suite: setting.suite, threshold: 2, members: roster(members), template };
    deal(members, &members[0].session.invite(dkg).unwrap())
}

/// Everything that the member can propose to the first two. These help to enrol a fifth.
fn proposals(from: &Member, key: KeyId, fifth: &Card, helpers: &[u16]) -> [Proposed; 5] {
    let (session, two) = (&from.session, ids(&[1, 2]));
    let reconstruction = from.store.login_so(&officer_pin()).unwrap().invite_reconstruct(key, &two).unwrap();
    let enrolment = session.invite_enrolment(key, id(5), fifth.clone(), &ids(helpers)).unwrap();
    [
        ("a signature", session.invite_sign(key, &two, b"m").unwrap(), |member, invitation| {
            member.session.start_sign(invitation, b"m").map(drop)
        }),
        ("nonces", session.invite_preprocess(key, &two, 2).unwrap(), |member, invitation| {
            member.session.start_preprocess(invitation).map(drop)
        }),
        ("a reconstruction", reconstruction, |member, invitation| {
            member.session.consent_to_reconstruct(invitation)?;
            member.store.login_so(&officer_pin()).unwrap().start_reconstruct(invitation).map(drop)
        }),
        ("an enrolment", enrolment, enter),
        ("a refresh", session.invite_refresh(key, Vec::new()).unwrap(), enter),
    ]
}

fn enter(member: &Member, invitation: &Invitation) -> Result<(), Error> {
    member.session.start(invitation).map(drop)
}

/// The certificates that come with the refusal.
#[track_caller]
fn stale(what: &str, key: &KeyInfo, result: Result<(), Error>) -> Vec<quorumkey::Certificate> {
    match result {
        Err(Error::Stale { have, certificates }) if have == key.epoch => certificates,
        other => panic!("{what}: {other:?}"),
    }
}

/// The first and the third enrol a fourth; the second does not hear of it.
fn enrol_the_fourth(members: &[Member], key: KeyId) {
    let card = members[3].card();
    repair(members, &members[0].session.invite_enrolment(key, id(4), card, &ids(&[1, 3])).unwrap());
}

pub fn everybody_goes_by_the_newest_roster_and_who_is_behind_is_told(setting: &Setting) {
    let mut members = setting.group(3);
    let key = allows_everything(&members, setting);
    members.extend([setting.member("member 4"), setting.member("member 5")]);
    let fifth = members[4].card();
    let before = proposals(&members[1], key.id, &fifth, &[1, 2]);
    // Its user consented in time, its officer comes too late.
    let consented = members[1].store.login_so(&officer_pin()).unwrap();
    let consented = consented.invite_reconstruct(key.id, &ids(&[1, 2])).unwrap();
    members[0].session.consent_to_reconstruct(&consented).unwrap();
    enrol_the_fourth(&members, key.id);

    let officer = members[0].store.login_so(&officer_pin()).unwrap();
    let late = stale("a consent", &key, officer.start_reconstruct(&consented).map(drop));
    for (what, invitation, enter) in &before {
        let certificates = stale(what, &key, enter(&members[0], invitation));
        assert_eq!(certificates, late, "{what}");
    }
    let [told] = late.as_slice() else { panic!("{late:?}") };
    assert_eq!(told.revisions().map(Revision::number).collect::<Vec<_>>(), [1]);
    // With it the second goes by the newest roster as well, and so does what it proposes.
    assert_eq!(members[1].session.complete(told).unwrap().revision, 1);
    for (what, invitation, enter) in proposals(&members[1], key.id, &fifth, &[1, 2, 4]) {
        enter(&members[0], &invitation).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    }
}

pub fn who_is_behind_enters_nothing_and_an_older_copy_takes_nothing_back(setting: &Setting) {
    let mut members = setting.group(3);
    let key = allows_everything(&members, setting);
    members.extend([setting.member("member 4"), setting.member("member 5")]);
    let old = members[0].session.certificate(key.id).unwrap();
    enrol_the_fourth(&members, key.id);
    let fifth = members[4].card();
    let ahead = proposals(&members[0], key.id, &fifth, &[1, 2, 4]);
    let certificate = members[0].session.certificate(key.id).unwrap();
    for (what, invitation, enter) in &ahead {
        let told = stale(what, &key, enter(&members[1], invitation));
        // An invitation that a newcomer can follow leads on, the others can't.
        let leads = ["an enrolment", "a refresh"].contains(what);
        assert_eq!(told, if leads { vec![certificate.clone()] } else { Vec::new() }, "{what}");
    }
    assert_eq!(members[1].session.complete(&certificate).unwrap().roster, roster(&members[..4]));
    for (what, invitation, enter) in &ahead {
        enter(&members[1], invitation).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    }
    let info = members[1].key(key.id);
    for known in [&old, &certificate] {
        assert_eq!(members[1].session.complete(known).unwrap(), info);
    }
}
