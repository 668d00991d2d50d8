//! Certificates of other lines, in any order and by invitations: nobody is stranded, and no fork stays unseen.

use quorumkey::{
    Certificate, CertificateError, Denial, EpochReport, Filter, Holding, Import, ImportedKey, KeyTemplate, NewCard,
    Roster, RunId, Storage,
};

use super::device::{Kept, Setting};
use super::forks::{Forked, forked, new_card, override_all};
use super::power::{attempt_to_four_and_five, retry_to_the_sixth, six};
use super::*;

/// Members 1 and 2 signed two attempts, A with the device `gone` and B, which names A, with `anew` in its place. B's
/// certificate stays with `anew`. The others come to A, and renew that: C names B.
struct Skipped {
    key: KeyId,
    members: Vec<Member>,
    anew: Member,
}

fn skipped(setting: &Setting) -> Skipped {
    let mut members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    let unheard: &[_] = &[(1, 0), (0, 1)];
    refresh_over(&members, key, &mut lost("certify", unheard));
    let gone = core::mem::replace(&mut members[2], setting.member("member 3 anew"));
    let card = NewCard { identifier: id(3), card: members[2].card(), reason: Reason::Lost };
    let retry = members[0].session.invite_refresh(key, vec![card]).unwrap();
    exchange_over(&mut enter(&members, &retry), &mut lost("certify", unheard));
    let anew = core::mem::replace(&mut members[2], gone);
    let first = members[2].session.certificate(key).unwrap();
    for member in &members[..2] {
        assert_eq!(member.session.complete(&first).unwrap().pending, [anew.key(key).epoch]);
    }
    assert_eq!(refresh(&members, key).height, 2);
    Skipped { key, members, anew }
}

fn chain(member: &Member, key: KeyId) -> Vec<Certificate> {
    member.session.certificates(key).unwrap()
}

pub fn a_superseded_certificate_that_comes_late_leads_on_to_what_supersedes_this_one(setting: &Setting) {
    let Skipped { key, members, anew } = skipped(setting);
    let [_, first, second] = <[Certificate; 3]>::try_from(chain(&members[0], key)).unwrap();
    let before = anew.key(key);
    assert_eq!((before.state, before.height), (KeyState::Active, 1));
    // By itself the newest proves nothing here.
    let unproven = anew.session.complete(&second);
    assert!(matches!(unproven, Err(Error::Certificate(CertificateError::Parent))), "{unproven:?}");
    for _ in 0..2 {
        let late = anew.session.complete(&first).unwrap();
        assert_eq!((late.epoch, late.state, late.forks.len()), (before.epoch, KeyState::Active, 0));
    }
    let now = anew.session.complete(&second).unwrap();
    assert_eq!((now.epoch, now.state, now.forks.len()), (second.epoch_id(), KeyState::Retired, 0));
    assert!(now.old_epochs.iter().any(|old| old.epoch == before.epoch));
    assert_eq!(chain(&anew, key), chain(&members[0], key), "it serves the whole chain");
}

pub fn an_invitation_leads_on_who_skipped_an_epoch(setting: &Setting) {
    let Skipped { key, members, anew } = skipped(setting);
    let card = NewCard { identifier: id(3), card: anew.card(), reason: Reason::Routine };
    let invitation = members[0].session.invite_refresh(key, vec![card]).unwrap();
    let Some(Error::Stale { certificates, .. }) = anew.session.start(&invitation).err() else {
        panic!("it does not say what is missing")
    };
    assert_eq!(certificates, chain(&members[0], key)[1..]);
    for certificate in &certificates {
        anew.session.complete(certificate).unwrap();
    }
    let [one, two, _] = <[Member; 3]>::try_from(members).unwrap_or_else(|_| panic!("three"));
    let members = [one, two, anew];
    deal(&members, &invitation);
    all_sign(&members, key, b"all of them");
}

/// Whoever is superseded and invites is told so: the certificates from where the lines part.
pub fn who_invites_from_a_superseded_line_is_told_how_the_other_went_on(setting: &Setting) {
    let Skipped { key, members, anew } = skipped(setting);
    let invitation = anew.session.invite_refresh(key, Vec::new()).unwrap();
    for member in &members[..2] {
        let Some(Error::Stale { have, certificates }) = member.session.start(&invitation).err() else {
            panic!("a line of the past is renewed")
        };
        assert_eq!((have, certificates.as_slice()), (members[0].key(key).epoch, &chain(&members[0], key)[1..]));
    }
}

/// Members 4 and 5 go on from an attempt that the officers of 1 and 2 had passed over, and whose certificate comes late.
fn passed_over(setting: &Setting) -> (Vec<Member>, KeyId) {
    let (members, key) = six(setting);
    attempt_to_four_and_five(&members, &key, true);
    (gone_on(setting, members, &key), key.id)
}

/// After the attempt. The seventh comes last.
fn gone_on(setting: &Setting, mut members: Vec<Member>, key: &KeyInfo) -> Vec<Member> {
    let invitation = retry_to_the_sixth(&members, key);
    override_all(&members[..2], &invitation);
    exchange(&mut enter(&members, &invitation));
    members[3].session.complete(&members[4].session.certificate(key.id).unwrap()).unwrap();
    let there = members[4].key(key.id);
    members.push(setting.member("member 7"));
    let on = change(&there, seated(&members, &[(4, 3), (5, 4), (7, 6)]), 2, Reason::Lost);
    let invitation = members[4].session.invite_reshare(key.id, on).unwrap();
    assert_eq!(exchange(&mut enter(&members, &invitation)).len(), 3);
    members
}

/// Members 1 and 2 signed both the attempt and what names it. From either side nobody is to blame: the officers are.
pub fn who_names_what_it_signed_before_is_no_culprit_to_who_went_on_from_that(setting: &Setting) {
    let (members, key) = passed_over(setting);
    let [_, theirs] = <[Certificate; 2]>::try_from(chain(&members[0], key)).unwrap();
    let before = members[4].key(key);
    let fork = members[4].session.complete(&theirs);
    let expected = (before.epoch, theirs.epoch_id());
    assert!(matches!(fork, Err(Error::Fork { ours, theirs }) if (ours, theirs) == expected), "{fork:?}");
    let fork = &members[4].key(key).forks[0];
    assert_eq!((fork.ours, fork.theirs), expected, "the lines part above what both supersede");
    assert_eq!(fork.culprits, []);
}

pub fn what_goes_on_from_a_superseded_certificate_is_a_fork_and_seen(setting: &Setting) {
    let (members, key) = passed_over(setting);
    let [_, attempt, on] = <[Certificate; 3]>::try_from(chain(&members[4], key)).unwrap();
    let before = members[0].key(key);
    assert_eq!(members[0].session.complete(&attempt).unwrap().epoch, before.epoch);
    let fork = members[0].session.complete(&on);
    let expected = (before.epoch, on.epoch_id());
    assert!(matches!(fork, Err(Error::Fork { ours, theirs }) if (ours, theirs) == expected), "{fork:?}");
    let now = members[0].key(key);
    assert_eq!(now.forks.iter().map(|fork| fork.theirs).collect::<Vec<_>>(), [on.epoch_id()]);
}

/// That card is in the plan, so its member may start.
fn invited(by: &Member, key: KeyId, number: u16, member: &Member) -> Invitation {
    by.session.invite_refresh(key, vec![new_card(number, member)]).unwrap()
}

pub fn an_invitation_of_the_other_line_shows_a_fork_for_good_and_names_who_signed_both(setting: &Setting) {
    let Forked { key, mut devices, ours, theirs } = forked(setting);
    let key = key.id;
    // What is under way ends, and what was made beforehand with it.
    let nonces = ours[0].session.invite_preprocess(key, &[id(1), id(2)], 2).unwrap();
    let mut kept = [0, 1].map(|at: usize| ours[at].session.start_preprocess(&nonces).unwrap());
    exchange(&mut kept);
    kept[1].resend();
    let said = kept[1].poll_transmit().unwrap();
    let number = |at: usize| u16::try_from(at + 1).unwrap();
    for (line, others) in [(&ours, &theirs), (&theirs, &ours)] {
        for (at, member) in line.iter().enumerate() {
            let by = &others[(at + 1) % 3];
            let invitation = invited(by, key, number(at), member);
            let expected = (member.key(key).epoch, by.key(key).epoch);
            for _ in 0..2 {
                let fork = member.session.start(&invitation);
                let seen = matches!(fork, Err(Error::Fork { ours, theirs }) if (ours, theirs) == expected);
                assert!(seen, "{fork:?}");
            }
        }
    }
    let gone = kept[0].handle(&said);
    assert!(
        matches!(gone, Err(Error::Misuse(quorumkey::Misuse::NoSuchRun(run))) if run == nonces.run_id()),
        "{gone:?}"
    );
    drop(kept);
    drop(ours);
    let ours = log_in(&mut devices);
    for (member, other) in ours.iter().zip(&theirs).chain(theirs.iter().zip(&ours)) {
        let info = member.key(key);
        assert_eq!((info.state, info.forks.len()), (KeyState::Active, 1));
        assert_eq!((info.forks[0].ours, info.forks[0].theirs), (info.epoch, other.key(key).epoch));
        assert_eq!(info.forks[0].culprits, [id(2), id(3)]);
        let refused = member.session.invite_sign(key, &[id(1), id(2)], b"m");
        assert!(matches!(refused, Err(Error::Denied(Denial::Forked))), "{refused:?}");
    }
}

/// Of a line that both went on, every epoch is kept that the other does not supersede.
pub fn an_invitation_shows_the_whole_of_the_other_line(setting: &Setting) {
    let (members, key) = passed_over(setting);
    let (ours, theirs) = (&members[0], &members[4]);
    let back = change(&theirs.key(key), seated(&members, &[(1, 0), (4, 3), (5, 4), (7, 6)]), 2, Reason::Lost);
    let invitation = theirs.session.invite_reshare(key, back).unwrap();
    let fork = ours.session.start(&invitation);
    assert!(matches!(fork, Err(Error::Fork { .. })), "{fork:?}");
    let [_, attempt, on] = <[Certificate; 3]>::try_from(chain(theirs, key)).unwrap();
    assert_eq!(ours.key(key).forks.iter().map(|fork| fork.theirs).collect::<Vec<_>>(), [on.epoch_id()]);
    // The attempt that was passed over is superseded, and no fork.
    assert!(ours.session.complete(&attempt).is_ok());
    let report = ours.key(key).old_epochs.into_iter().find(|old| old.epoch == attempt.epoch_id()).unwrap();
    assert!(report.holders.iter().any(|one| one.holding == Holding::NotConfirmed));
}

/// The second told of a dealing in the attempt that was passed over, and nowhere else; the sixth had no part in that.
pub fn what_a_superseded_epoch_of_an_invitation_names_is_reported(setting: &Setting) {
    let mut devices = setting.devices(6);
    let members = log_in(&mut devices);
    let key = dkg(&members[..3], setting.suite, 2);
    drop(members);
    let others = [8, 9].map(|number| (id(number), setting.member("another").card()));
    let others = Roster::new(others.to_vec()).unwrap();
    let tell = |runs: &[RunId], devices: &mut [Kept]| {
        hazmat::pretend_to_have_dealt(devices[1].storage(), &user_pin(), key.id, runs, &others).unwrap();
        log_in(devices)
    };
    let members = tell(&[RunId::from_bytes([7; 32])], &mut devices);
    attempt_to_four_and_five(&members, &key, true);
    drop(members);
    let members = gone_on(setting, tell(&[], &mut devices), &key);
    let reported = || {
        let others = |old: &EpochReport| [8, 9].iter().all(|number| old.identifiers().any(|one| one == id(*number)));
        members[5].key(key.id).old_epochs.iter().any(others)
    };
    assert!(!reported());
    let back = change(&members[4].key(key.id), seated(&members, &[(4, 3), (5, 4), (6, 5), (7, 6)]), 2, Reason::Lost);
    let fork = members[5].session.start(&members[4].session.invite_reshare(key.id, back).unwrap());
    assert!(matches!(fork, Err(Error::Fork { .. })), "{fork:?}");
    assert!(reported());
}

/// A member of the past that is invited from one line, after it was told of the other.
pub fn a_retired_member_sees_a_fork_in_an_invitation(setting: &Setting) {
    let (members, key) = passed_over(setting);
    let third = &members[2];
    for certificate in chain(&members[0], key) {
        third.session.complete(&certificate).unwrap();
    }
    assert_eq!(third.key(key).state, KeyState::Retired);
    let theirs = &members[4];
    let back = change(&theirs.key(key), seated(&members, &[(3, 2), (4, 3), (5, 4), (7, 6)]), 2, Reason::Lost);
    let fork = third.session.start(&theirs.session.invite_reshare(key, back).unwrap());
    assert!(matches!(fork, Err(Error::Fork { .. })), "{fork:?}");
    assert_eq!(third.key(key).forks.len(), 1);
}

/// Strangers can put another history around the same group key.
pub fn a_made_up_history_is_no_fork(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2).id;
    let strangers = setting.group(3);
    let other = dkg(&strangers, setting.suite, 2).id;
    let [mine, told] = [(&members, key), (&strangers, other)].map(|(group, key)| {
        let invitation = group[0].session.invite_refresh(key, Vec::new()).unwrap();
        invitation.to_bytes()
    });
    let after_plan = |bytes: &[u8]| 5 + usize::try_from(u32::from_be_bytes(bytes[1..5].try_into().unwrap())).unwrap();
    refresh(&members, key);
    let mixed = [&mine[..after_plan(&mine)], &told[after_plan(&told)..told.len() - 64], &mine[mine.len() - 64..]];
    let mixed = Invitation::from_bytes(&mixed.concat()).unwrap();
    let refused = members[1].session.start(&mixed);
    assert!(matches!(refused, Err(Error::Stale { .. })), "{refused:?}");
    assert!(members[1].key(key).forks.is_empty());
}

/// Neither one that strangers made up, nor one that ends before the epoch that is renewed.
pub fn a_history_that_does_not_lead_to_what_is_renewed_proves_nothing_and_is_told_nothing(setting: &Setting) {
    let members = setting.group(4);
    let key = dkg(&members[..3], setting.suite, 2).id;
    let helpers = [id(1), id(2), id(3)];
    let enrol = members[0].session.invite_enrolment(key, id(4), members[3].card(), &helpers).unwrap();
    exchange(&mut enter(&members, &enrol));
    let strangers = setting.group(3);
    let other = dkg(&strangers, setting.suite, 2).id;
    let told = [(&members, key), (&strangers, other)]
        .map(|(group, key)| group[0].session.invite_refresh(key, Vec::new()).unwrap().to_bytes());
    let before = members[0].key(key);
    let stay = seated(&members, &[(1, 0), (3, 2), (4, 3)]);
    let without = members[0].session.invite_reshare(key, change(&before, stay, 2, Reason::Lost)).unwrap();
    exchange(&mut [0, 2, 3].map(|at: usize| members[at].session.start(&without).unwrap()));
    let now = members[0].key(key);
    let newcomer = setting.member("a newcomer");
    let back = now.roster.with(id(2), members[1].card()).unwrap().with(id(5), newcomer.card()).unwrap();
    let back = members[0].session.invite_reshare(key, change(&now, back, 2, Reason::Lost)).unwrap().to_bytes();
    let after_plan = |bytes: &[u8]| 5 + usize::try_from(u32::from_be_bytes(bytes[1..5].try_into().unwrap())).unwrap();
    for told in told {
        let signature = back.len() - 64;
        let mixed = [&back[..after_plan(&back)], &told[after_plan(&told)..told.len() - 64], &back[signature..]];
        let mixed = Invitation::from_bytes(&mixed.concat()).unwrap();
        let refused = newcomer.session.start(&mixed).unwrap_err();
        assert!(refused.to_string().contains("do not lead to the epoch that it speaks of"), "{refused}");
        let refused = members[1].session.start(&mixed);
        let Err(Error::Stale { have, certificates }) = refused else { panic!("{refused:?}") };
        assert_eq!((have, certificates.len()), (before.epoch, 0));
        assert!(members[1].key(key).forks.is_empty());
    }
}

/// It learns while it is dealt a share that the epoch that is renewed is over.
pub fn who_is_called_back_and_completes_what_followed_is_told_no_more_than_that(setting: &Setting) {
    let members = setting.group(3);
    let key = dkg(&members, setting.suite, 2);
    let without = change(&key, seated(&members, &[(1, 0), (2, 1)]), 2, Reason::Routine);
    deal(&members, &members[0].session.invite_reshare(key.id, without).unwrap());
    let now = refresh(&members[..2], key.id);
    let back = members[0].session.invite_reshare(key.id, change(&now, roster(&members), 2, Reason::Lost)).unwrap();
    let mut followed = Vec::new();
    let results = exchange_over(&mut enter(&members, &back), &mut |_, to, message| {
        if to == 2 && hazmat::subject(&message) == "deal" && followed.is_empty() {
            refresh(&members[..2], key.id);
            followed = members[0].session.certificates(key.id).unwrap().split_off(2);
            for certificate in &followed {
                assert_eq!(members[2].session.complete(certificate).unwrap().state, KeyState::Retired);
            }
        }
        vec![message]
    });
    let Err(Error::Stale { certificates, .. }) = &results[2] else { panic!("{results:?}") };
    assert_eq!(certificates, &followed[1..]);
}

/// The making of an imported key can be superseded as well, by another attempt at it.
pub fn whoever_signed_a_superseded_import_is_led_on_from_it(setting: &Setting) {
    let secret = || ImportedKey::from_scalar(setting.suite, zeroize::Zeroizing::new([1; 32])).unwrap();
    let mut members = setting.group(3);
    let import = |members: &[Member]| {
        let import = Import {
            key: &secret(),
            threshold: 2,
            members: roster(members),
            template: KeyTemplate::wallet("w"),
            least_attempt: 0,
        };
        let invitation = members[0].session.invite_import(import).unwrap();
        let enter = |(at, member): (usize, &Member)| match at {
            0 => member.session.start_import(&invitation, secret()).unwrap(),
            _ => member.session.start(&invitation).unwrap(),
        };
        let mut runs: Vec<_> = members.iter().enumerate().map(enter).collect();
        exchange_over(&mut runs, &mut lost("certify", &[(1, 0), (0, 1)]));
    };
    import(&members);
    let gone = core::mem::replace(&mut members[2], setting.member("member 3 anew"));
    import(&members);
    let key = members[2].session.find(&Filter::default()).unwrap()[0].id;
    let [first, second] = [&gone, &members[2]].map(|member| member.session.certificate(key).unwrap());
    assert_eq!(members[0].session.complete(&second).unwrap().epoch, second.epoch_id());
    assert_eq!(members[1].session.complete(&first).unwrap().pending, [second.epoch_id()]);
    members.extend([gone, setting.member("member 4")]);
    let on = change(&members[1].key(key), seated(&members, &[(2, 1), (3, 3), (4, 4)]), 2, Reason::Lost);
    let invitation = members[1].session.invite_reshare(key, on).unwrap();
    override_all(&members[1..2], &invitation);
    override_all(&members[3..4], &invitation);
    exchange(&mut enter(&members, &invitation));
    let on = members[1].session.certificate(key).unwrap();
    assert_eq!(members[0].session.complete(&first).unwrap().epoch, second.epoch_id());
    assert_eq!(members[0].session.complete(&on).unwrap().state, KeyState::Retired);
    // Of who signed none of it strangers could have made it up.
    let refused = members[2].session.complete(&first);
    assert!(matches!(refused, Err(Error::Certificate(CertificateError::Parent))), "{refused:?}");
}

/// What goes on from a superseded epoch binds its newest roster, so that is learnt as well. The second's token was copied before
/// it signed what supersedes the epoch; the copy enrols a fourth with the third.
pub fn a_revision_of_a_superseded_epoch_is_learnt(setting: &Setting) {
    let mut devices = setting.devices(3);
    let members = log_in(&mut devices);
    let key = dkg(&members, setting.suite, 2).id;
    let unheard: &[_] = &[(1, 0), (0, 1)];
    refresh_over(&members, key, &mut lost("certify", unheard));
    let unrevised = members[2].session.certificate(key).unwrap();
    drop(members);
    devices.push(setting.device(&devices[1].storage().scan(&[], None, usize::MAX).unwrap()));
    let mut members = log_in(&mut devices);
    members.extend(["member 3 anew", "member 4"].map(|label| setting.member(label)));
    let (copy, anew, fourth) = (3, 4, 5);
    let among = |places: &[usize], invitation: &Invitation, wire: Wire<'_>| {
        let runs = places.iter().map(|place| members[*place].session.start(invitation).unwrap());
        exchange_over(&mut runs.collect::<Vec<_>>(), wire)
    };
    let card = NewCard { identifier: id(3), card: members[anew].card(), reason: Reason::Lost };
    let retry = members[0].session.invite_refresh(key, vec![card]).unwrap();
    among(&[0, 1, anew], &retry, &mut lost("certify", unheard));
    for place in [0, copy] {
        members[place].session.complete(&unrevised).unwrap();
    }
    let helpers = [id(2), id(3)];
    let enrol = members[copy].session.invite_enrolment(key, id(4), members[fourth].card(), &helpers).unwrap();
    among(&[copy, 2, fourth], &enrol, &mut |_, _, message| vec![message]);
    members[0].session.complete(&members[2].session.certificate(key).unwrap()).unwrap();
    let refresh = members[0].session.invite_refresh(key, Vec::new()).unwrap();
    among(&[0, copy, 2, fourth], &refresh, &mut |_, _, message| vec![message]);
    let [_, revised, on] = <[Certificate; 3]>::try_from(chain(&members[0], key)).unwrap();
    assert_eq!(revised.revisions().count(), 1);
    let anew = &members[anew].session;
    anew.complete(&unrevised).unwrap();
    let refused = anew.complete(&on);
    assert!(matches!(refused, Err(Error::Certificate(_))), "{refused:?}");
    anew.complete(&revised).unwrap();
    assert_eq!(anew.complete(&on).unwrap().state, KeyState::Retired);
}
