//! A coordinator that lies: every byte of what it invites to is changed, and signed again.

use quorumkey::hazmat::plan;
use quorumkey::{Invitation, Suite};

use super::cast::Stage;
use super::fields::everything;
use super::oracle::{End, Oracle};
use super::play::Play;
use super::scene::Scene;

/// Where the randomness of a plan stands: one value is as good as another.
const RANDOMNESS: std::ops::Range<usize> = 4..35;

macro_rules! plays {
    ($($name:ident: $play:ident)*) => {
        $(#[test] fn $name() { every_plan(Play::$play); })*
    };
}

plays! {
    a_forged_plan_of_a_dealing_leads_to_nothing_wrong: Dkg
    a_forged_plan_of_an_import_leads_to_nothing_wrong: Import
    a_forged_plan_of_a_refresh_leads_to_nothing_wrong: Refresh
    a_forged_plan_of_a_reshare_leads_to_nothing_wrong: Reshare
    a_forged_plan_of_a_signature_leads_to_nothing_wrong: Sign
    a_forged_plan_of_a_childs_signature_leads_to_nothing_wrong: SignChild
    a_forged_plan_to_prepare_nonces_leads_to_nothing_wrong: Prepare
    a_forged_plan_of_a_prepared_signature_leads_to_nothing_wrong: SignPrepared
    a_forged_plan_of_a_repair_leads_to_nothing_wrong: Repair
    a_forged_plan_of_an_enrolment_leads_to_nothing_wrong: Enrol
    a_forged_plan_of_a_reconstruction_leads_to_nothing_wrong: Reconstruct
}

fn every_plan(play: Play) {
    let suites = Suite::ALL.into_iter().filter(|suite| play.fits(*suite));
    let by_turns = if everything() { 3 } else { 1 };
    let turn = Play::ALL.iter().position(|one| *one == play).unwrap();
    let suites: Vec<_> = suites.cycle().skip(turn).take(by_turns).collect();
    for suite in suites {
        let mut stage = Stage::of(suite, play);
        let mut batched = play.prelude(&stage);
        let mut invitation = play.propose(&stage, batched.as_deref()).unwrap();
        let len = plan(&invitation).len();
        let mut entered = 0;
        for at in (0..len).filter(|at| !RANDOMNESS.contains(at)) {
            let Some(forged) = forged(play, &invitation, at) else { continue };
            let mut scene = Scene::of(&stage, play, forged, batched.take());
            if scene.seats.iter().all(|seat| seat.run.is_none() || seat.listens()) {
                // Nothing has happened.
                batched = scene.batched;
                continue;
            }
            entered += 1;
            scene.undisturbed();
            let liars = [play.inviting()];
            let ends = Oracle::new(&stage, &liars).look(&scene);
            let ends = ends.unwrap_or_else(|broken| panic!("{suite:?} {play:?} {at}: {broken}"));
            assert!(!ends.contains(&End::Names), "{suite:?} {play:?} {at}: nobody broke the run: {ends:?}");
            drop(scene);
            stage = Stage::of(suite, play);
            batched = play.prelude(&stage);
            invitation = play.propose(&stage, batched.as_deref()).unwrap();
        }
        assert!(entered > 0, "{suite:?} {play:?}: no changed plan was entered");
        println!("cases: {entered}");
    }
}

fn forged(play: Play, invitation: &Invitation, at: usize) -> Option<Invitation> {
    let mut bytes = plan(invitation);
    bytes[at] ^= 1 << (at % 8);
    super::cast::forger(play.inviting()).propose(invitation, &bytes)
}

/// A transport has no key. Whoever holds the key needs no certificate with the invitation, and looks at none; nothing else
/// of it can be changed.
#[test]
fn an_invitation_that_was_changed_on_its_way_leads_to_no_other_run() {
    for (turn, play) in Play::ALL.into_iter().enumerate() {
        let suite = Suite::ALL[turn % 3];
        let suite = if play.fits(suite) { suite } else { Suite::Secp256k1 };
        let stage = Stage::of(suite, play);
        let batched = play.prelude(&stage);
        let invitation = play.propose(&stage, batched.as_deref()).unwrap();
        let bytes = invitation.to_bytes();
        let step = if everything() { 1 } else { 7 };
        for at in (turn % step..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let Ok(changed) = Invitation::from_bytes(&changed) else { continue };
            for (person, _) in play.people() {
                let entered = play.enter(&stage, *person, &changed).is_ok();
                let same = *person < 3 && plan(&changed) == plan(&invitation);
                assert!(!entered || same, "{suite:?} {play:?}: person {person}, byte {at}");
            }
        }
    }
}
