//! Members that cheat in a repair: named by all, for what they did, and by whoever judges the evidence.

use quorumkey::hazmat::{Forger, body, subject};
use quorumkey::{Certificate, Evidence, Judgement, MemoryStorage, Message, Misbehaviour, Suite};

use super::*;

/// Three members whose identities the test knows, the third with a new token, and what is to repair it.
struct Trial {
    members: Vec<Member>,
    forgers: Vec<Forger>,
    suite: Suite,
    key: KeyId,
}

impl Trial {
    fn new(suite: Suite) -> Self {
        let forgers: Vec<_> = (1..=4).map(|seed| Forger::new([seed; 32])).collect();
        let member = |forger: &Forger| {
            let storage = |contents: &[_]| Ok(MemoryStorage::new(contents));
            Member::new(forger.store(storage, &init("a member"), 0).unwrap())
        };
        let mut members: Vec<_> = forgers.iter().map(member).collect();
        let anew = members.pop().unwrap();
        let key = dkg(&members, suite, 2).id;
        members[2] = anew;
        Self { members, forgers, suite, key }
    }

    /// Of the member in that place, as it is now.
    fn forger(&self, place: usize) -> &Forger {
        &self.forgers[if place == 2 { 3 } else { place }]
    }

    fn invitation(&self) -> (Invitation, Vec<Certificate>) {
        pardon(&self.members);
        (invite_repair(&self.members, self.key, 3, &[1, 2]), self.members[0].session.certificates(self.key).unwrap())
    }

    /// A run in which what a member says in a round is changed, for all. Everybody else names it.
    #[track_caller]
    fn names(&self, place: usize, round: u8, what: Misbehaviour, change: impl Fn(&Message) -> Message) {
        let (invitation, chain) = self.invitation();
        let results = run(&self.members, &invitation, &mut |from, _, message| {
            vec![if from == place && message.round() == round { change(&message) } else { message }]
        });
        self.all_name(place, what, &results, &invitation, &chain);
        // No lie of a helper makes a share. The third has its own when it speaks of it.
        if place == 2 {
            self.members[2].session.destroy(self.key).unwrap();
        }
        assert!(self.members[2].session.key(self.key).is_err());
    }

    #[track_caller]
    fn all_name(
        &self,
        place: usize,
        what: Misbehaviour,
        results: &[Result<Option<KeyInfo>, Error>],
        invitation: &Invitation,
        chain: &[Certificate],
    ) {
        let culprit = id(u16::try_from(place + 1).unwrap());
        for (_, result) in results.iter().enumerate().filter(|(at, _)| *at != place) {
            let Err(Error::PeerMisbehaved { culprits, misbehaviour, evidence }) = result else { panic!("{result:?}") };
            assert_eq!((culprits.as_slice(), *misbehaviour), ([culprit].as_slice(), what), "{:?}", self.suite);
            let judgement = evidence.judge(invitation, chain).unwrap();
            assert_eq!(judgement, Some(Judgement { culprits: vec![culprit], misbehaviour: what }), "{:?}", self.suite);
        }
    }

    /// The same with a change of the body.
    #[track_caller]
    fn names_body(&self, place: usize, round: u8, what: Misbehaviour, change: impl Fn(&mut Vec<u8>)) {
        self.names(place, round, what, |message| {
            self.forger(place).alter(message, |forgery| change(&mut forgery.body))
        });
    }

    const fn point(&self) -> usize {
        match self.suite {
            Suite::Ed25519 => 32,
            _ => 33,
        }
    }
}

/// A list of one attempt that was signed.
fn attempts(attempt: &Certificate) -> Vec<u8> {
    let bytes = attempt.to_bytes();
    [&[0, 0, 0, 1], &u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes.as_slice()].concat()
}

/// A list of one dealing: epoch, run, position and threshold, no elder, two receivers, one that signed it.
fn dealings() -> Vec<u8> {
    let seat = |number: u8| [&[0, number], [number; 32].as_slice()].concat();
    let position = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 2];
    let receivers = [&[0, 0, 0, 2], seat(1).as_slice(), &seat(2)].concat();
    [&[0, 0, 0, 1], [8; 64].as_slice(), &position, &[0; 4], &receivers, &[0, 0, 0, 1, 0, 1]].concat()
}

#[test]
fn a_plan_of_another_suite_or_with_another_helper_than_the_revision_leads_to_is_refused() {
    let trial = Trial::new(Suite::Ed25519);
    let (invitation, _) = trial.invitation();
    let genuine = hazmat::plan(&invitation);
    let place_of = |part: &[u8]| genuine.windows(part.len()).position(|bytes| bytes == part).unwrap();
    let (mut of_another_suite, mut with_another) = (genuine.clone(), genuine.clone());
    // Version (1), inviter (2), randomness (32), action (1).
    assert_eq!(core::mem::replace(&mut of_another_suite[36], 2), 1);
    let cards = [trial.members[1].card(), Forger::new([9; 32]).card("a member", 0)];
    let [second, stranger] = cards.map(|card| card.to_bytes());
    with_another[place_of(&second)..][..second.len()].copy_from_slice(&stranger);
    for plan in [of_another_suite, with_another] {
        let forged = trial.forger(0).propose(&invitation, &plan).unwrap();
        for place in [0, 2] {
            let refused = trial.members[place].session.start(&forged).unwrap_err();
            assert!(refused.to_string().contains("another roster than the revision leads to"), "{refused}");
        }
    }
}

/// It is said in the round of the votes, and is no vote.
#[test]
fn who_tells_that_two_votes_were_shown_is_not_judged_by_that() {
    let trial = Trial::new(Suite::Ed25519);
    let (invitation, chain) = trial.invitation();
    let mut disputes = Vec::new();
    run(&trial.members, &invitation, &mut |from, to, message| {
        if subject(&message) == "dispute" && from != 1 {
            disputes.push(message.clone());
        }
        let other = (from, to, message.round()) == (1, 2, 1) && subject(&message) == "vote";
        vec![if other { trial.forger(1).alter(&message, |forgery| forgery.counter += 1) } else { message }]
    });
    assert!(disputes.iter().any(|dispute| dispute.round() == 1), "{disputes:?}");
    for dispute in disputes {
        assert_eq!(Evidence::new(vec![dispute]).judge(&invitation, &chain).unwrap(), None);
    }
}

#[test]
fn every_lie_of_a_helper_that_all_can_see_names_it() {
    for suite in Suite::ALL {
        let trial = Trial::new(suite);
        let point = trial.point();
        trial.names_body(1, 0, Misbehaviour::RunKey, |body| body[0] ^= 1);
        trial.names_body(1, 0, Misbehaviour::Malformed, Vec::clear);
        trial.names_body(1, 0, Misbehaviour::Malformed, |body| body[40] ^= 1);
        trial.names_body(1, 1, Misbehaviour::RevisionSignature, |body| body[5] ^= 1);
        trial.names_body(1, 1, Misbehaviour::RevisionSignature, Vec::clear);
        trial.names_body(1, 1, Misbehaviour::RevisionSignature, |body| body.push(0));
        for round in [2, 3] {
            let points = if round == 2 { 2 } else { 1 };
            trial.names_body(1, round, Misbehaviour::Malformed, Vec::clear);
            trial.names_body(1, round, Misbehaviour::CommitmentLength, |body| {
                let first = body[..point].to_vec();
                body.splice(..0, first);
            });
            trial.names_body(1, round, Misbehaviour::CommitmentLength, |body| drop(body.drain(..point)));
            // Another constant: what it holds of the share, or what it got of all, is something else.
            trial.names_body(1, round, Misbehaviour::Constant, |body| {
                let (from, ephemeral) = (points * point + point + 32, point);
                body.copy_within(from..from + ephemeral, 0);
            });
            // The lowest bit of the response.
            trial.names_body(1, round, Misbehaviour::ProofOfPossession, |body| {
                let response = points * point + point;
                let low = if suite == Suite::Ed25519 { response } else { response + 31 };
                body[low] ^= 1;
            });
        }
    }
}

/// Of a repair nobody enters restored, overridden, or with attempts.
#[test]
fn a_helper_that_joins_a_repair_with_a_past_is_named() {
    let trial = Trial::new(Suite::Ed25519);
    for flag in [10, 9] {
        trial.names_body(1, 0, Misbehaviour::Malformed, |body| {
            let at = body.len() - flag;
            body[at] = 1;
        });
    }
    let (_, chain) = trial.invitation();
    let [signed, dealt] = [attempts(&chain[0]), dealings()];
    for (told, place) in [(&signed, 8), (&dealt, 4)] {
        trial.names_body(1, 0, Misbehaviour::Malformed, |body| {
            let at = body.len() - place;
            body.splice(at..at + 4, told.iter().copied());
        });
    }
}

#[test]
fn a_share_that_does_not_open_is_accused_by_who_got_it_and_judged_by_all() {
    for suite in Suite::ALL {
        let trial = Trial::new(suite);
        // Sealed to the first helper, and the only one, to the third member.
        trial.names_body(1, 2, Misbehaviour::SealedShare, |body| {
            let first = body.len() - 88 - 10;
            body[first] ^= 1;
        });
        trial.names_body(1, 3, Misbehaviour::SealedShare, |body| {
            let last = body.len() - 10;
            body[last] ^= 1;
        });
    }
}

#[test]
fn an_accusation_without_a_cause_names_the_accuser() {
    for suite in Suite::ALL {
        let trial = Trial::new(suite);
        trial.names(2, 4, Misbehaviour::Malformed, |message| trial.forger(2).accuse(message, vec![0, 1, 7]));
        trial.names_body(2, 4, Misbehaviour::Malformed, |body| body.push(1));
        let (invitation, chain) = trial.invitation();
        let mut point = Vec::new();
        let results = run(&trial.members, &invitation, &mut |from, _, message| {
            match (from, message.round(), subject(&message)) {
                (0, 3, "deal") => point = body(&message)[..trial.point()].to_vec(),
                (2, 4, _) => {
                    // Two points of the right kind, and a proof that is none.
                    let forged = [&[0, 1], point.as_slice(), point.as_slice(), &[1; 64]].concat();
                    return vec![trial.forger(2).accuse(&message, forged)];
                }
                _ => {}
            }
            vec![message]
        });
        trial.all_name(2, Misbehaviour::FalseAccusation, &results, &invitation, &chain);
    }
}

#[test]
fn two_versions_of_any_message_name_their_sender() {
    let trial = Trial::new(Suite::Ed25519);
    for round in 0..3 {
        let (invitation, chain) = trial.invitation();
        let results = run(&trial.members, &invitation, &mut |from, to, message| {
            let other = from == 1 && to == 2 && message.round() == round;
            vec![if other { trial.forger(1).alter(&message, |forgery| forgery.counter += 1) } else { message }]
        });
        trial.all_name(1, Misbehaviour::Equivocation, &results, &invitation, &chain);
    }
    // Two versions of the last deal are two good ones, or an accusation: the third member has its share.
    let (invitation, _) = trial.invitation();
    let results = run(&trial.members, &invitation, &mut |from, to, message| {
        let other = from == 1 && to == 2 && message.round() == 3;
        vec![if other { trial.forger(1).alter(&message, |forgery| forgery.counter += 1) } else { message }]
    });
    assert!(matches!(results[2], Ok(Some(_))), "{results:?}");
}

#[test]
fn what_was_said_in_an_earlier_run_counts_in_no_other() {
    let trial = Trial::new(Suite::Secp256k1);
    let (earlier, _) = trial.invitation();
    let mut recorded: Vec<Message> = Vec::new();
    run(&trial.members, &earlier, &mut |from, to, message| {
        if from == 1 && to == 0 {
            recorded.push(message.clone());
        }
        // The third does not get its share.
        if message.round() == 3 && to == 2 { Vec::new() } else { vec![message] }
    });
    let said = |round: u8| recorded.iter().find(|message| message.round() == round).unwrap();
    for (round, what) in [(0, Misbehaviour::RunKey), (2, Misbehaviour::ProofOfPossession)] {
        trial.names_body(1, round, what, |bytes| *bytes = body(said(round)).to_vec());
    }
    // What is sealed to the third is another point each time.
    trial.names_body(1, 3, Misbehaviour::Constant, |bytes| *bytes = body(said(3)).to_vec());
    // The message itself is of another run.
    let (invitation, _) = trial.invitation();
    let mut again = trial.members[0].session.start(&invitation).unwrap();
    for message in &recorded {
        assert!(matches!(again.handle(message), Err(Error::Rejected(quorumkey::Rejection::OtherRun))));
    }
    // A vote is on the revision, whatever the run: repeating it is no lie.
    let results = run(&trial.members, &trial.invitation().0, &mut |_, _, message| vec![message]);
    assert!(results.iter().all(|result| matches!(result, Ok(Some(_)))), "{results:?}");
}

#[test]
fn a_missing_part_is_waited_for_by_name_and_nothing_secret_leaves_before_every_vote() {
    let trial = Trial::new(Suite::Ed25519);
    for (silent, places) in [(vec![1], vec![2]), (vec![0, 1], vec![1, 2])] {
        let (invitation, _) = trial.invitation();
        let mut runs: Vec<_> = trial.members.iter().map(|member| member.session.start(&invitation).unwrap()).collect();
        let results = exchange_over(&mut runs, &mut |from, _, message| {
            if message.round() == 3 && silent.contains(&from) { Vec::new() } else { vec![message] }
        });
        assert!(results.iter().all(|result| matches!(result, Ok(None))));
        assert_eq!(runs[2].progress().awaiting, ids(&places));
        assert!(trial.members[2].session.key(trial.key).is_err());
    }
    for withheld in [0, 1] {
        let (invitation, _) = trial.invitation();
        let mut dealt = 0;
        run(&trial.members, &invitation, &mut |from, _, message| {
            dealt += usize::from(from == 0 && subject(&message) == "deal");
            if from == 1 && message.round() == withheld { Vec::new() } else { vec![message] }
        });
        assert_eq!(dealt, 0);
    }
}

/// What an honest helper dealt is right beside what it had seen. Beside other joins or votes it proves nothing.
#[test]
fn an_honest_helper_cannot_be_framed_with_other_messages() {
    for suite in Suite::ALL {
        let trial = Trial::new(suite);
        let (invitation, chain) = trial.invitation();
        let mut recorded = Vec::new();
        run(&trial.members, &invitation, &mut |from, to, message| {
            if to == usize::from(from == 0) {
                recorded.push(message.clone());
            }
            vec![message]
        });
        let judge = |shown: Vec<Message>| quorumkey::Evidence::new(shown).judge(&invitation, &chain).unwrap();
        assert_eq!(judge(recorded.clone()), None);
        for round in 0..4 {
            for place in 0..2 {
                let sender = id(u16::try_from(place + 1).unwrap());
                let swap = |message: &Message| {
                    let it = (message.round(), message.sender()) == (round, sender);
                    let other = || trial.forger(place).alter(message, |forgery| forgery.counter += 1);
                    if it { other() } else { message.clone() }
                };
                assert_eq!(judge(recorded.iter().map(swap).collect()), None, "{suite:?}, round {round}");
                let missing = recorded.iter().filter(|one| (one.round(), one.sender()) != (round, sender));
                assert_eq!(judge(missing.cloned().collect()), None);
            }
        }
    }
}
