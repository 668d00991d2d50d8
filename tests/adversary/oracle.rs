//! What must hold after any attack, as every honest member sees it.

use std::collections::{BTreeMap, BTreeSet};

use quorumkey::hazmat::{body, prepared_index, subject};
use quorumkey::{
    Certificate, Error, Evidence, Identifier, ImportedKey, Invitation, KeyInfo, Message, Misbehaviour, Run, Signature,
    Signing,
};
use zeroize::Zeroizing;

use super::cast::{MESSAGE, Stage};
use super::common::*;
use super::play::{Play, number};
use super::scene::{Output, Scene, Seat};

/// What does not hold.
pub type Broken = String;

/// What a seat ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// It names the liars, and nobody else.
    Names,
    /// It has its output.
    Done,
    /// It waits for somebody.
    Waits,
    /// It failed, or did not begin, and blames nobody.
    Stops,
}

/// Looks at runs on one stage, of which some people lie.
pub struct Oracle<'a> {
    pub stage: &'a Stage,
    /// People, not numbers.
    pub liars: &'a [usize],
    shares: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<'a> Oracle<'a> {
    pub const fn new(stage: &'a Stage, liars: &'a [usize]) -> Self {
        Self { stage, liars, shares: BTreeMap::new() }
    }

    /// What the honest seats ended with, in their order.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn look(&mut self, scene: &Scene) -> Result<Vec<End>, Broken> {
        let ends = self.look_at_runs(scene)?;
        if scene.play.deals() {
            self.everybody_holds_it(scene, &self.honest(scene))?;
        }
        Ok(ends)
    }

    /// The same, but for where a key stands that other runs may have changed since.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn look_at_runs(&mut self, scene: &Scene) -> Result<Vec<End>, Broken> {
        let honest = self.honest(scene);
        let ends = honest.iter().map(|seat| self.end(scene, seat)).collect::<Result<Vec<_>, _>>()?;
        honest.iter().try_for_each(|seat| blame_is_proven(scene, seat))?;
        self.nobody_honest_is_framed(scene, &honest)?;
        honest.iter().try_for_each(|seat| self.one_share_for_each_nonce(scene, seat))?;
        honest.iter().try_for_each(|seat| self.output_is_right(scene, seat))?;
        if !ends.contains(&End::Names) {
            nobody_guilty_is_spared(scene, &honest)?;
        }
        Ok(ends)
    }

    fn honest<'s>(&self, scene: &'s Scene) -> Vec<&'s Seat> {
        scene.seats.iter().filter(|seat| !self.liars.contains(&seat.person)).collect()
    }

    fn culprits(&self, play: Play) -> BTreeSet<Identifier> {
        self.liars.iter().filter_map(|person| number(play, *person)).collect()
    }

    /// A liar is named, and nobody else.
    fn end(&self, scene: &Scene, seat: &Seat) -> Result<End, Broken> {
        let liars = self.culprits(scene.play);
        match &seat.failure {
            None if seat.output.is_some() => Ok(End::Done),
            None => Ok(End::Waits),
            Some(Error::PeerMisbehaved { culprits, misbehaviour, .. }) => {
                if !culprits.iter().all(|culprit| liars.contains(culprit)) {
                    return Err(format!("{} blames {culprits:?}: {misbehaviour:?}", seat.id));
                }
                Ok(if culprits.is_empty() { End::Stops } else { End::Names })
            }
            Some(Error::RolledBack { member }) if liars.contains(member) => Ok(End::Names),
            Some(Error::RolledBack { member }) => Err(format!("{} takes {member} for rolled back", seat.id)),
            Some(error @ (Error::Storage(_) | Error::Audit(_) | Error::LoggedOut)) => {
                Err(format!("{} is broken: {error:?}", seat.id))
            }
            Some(_) => Ok(End::Stops),
        }
    }

    /// Whoever judges what the honest members show names a liar or nobody; nor does whoever is shown everything that was
    /// ever sent, forged or not.
    fn nobody_honest_is_framed(&self, scene: &Scene, honest: &[&Seat]) -> Result<(), Broken> {
        let mut shown: Vec<&[Message]> = honest.iter().filter_map(|seat| evidence(seat)).collect();
        shown.sort_by_key(|messages| messages.len());
        shown.dedup();
        if !shown.is_empty() {
            shown.push(&scene.wire);
        }
        let liars = self.culprits(scene.play);
        for messages in shown {
            let Ok(Some(judged)) = Evidence::new(messages.to_vec()).judge(&scene.invitation, &scene.chain) else {
                continue;
            };
            if !judged.culprits.iter().all(|culprit| liars.contains(culprit)) {
                return Err(format!("a judge blames {judged:?}"));
            }
        }
        Ok(())
    }

    /// Of all that an honest member ever said, one signature share answers each of its commitments.
    fn one_share_for_each_nonce(&mut self, scene: &Scene, seat: &Seat) -> Result<(), Broken> {
        for share in seat.said.iter().filter(|message| subject(message) == "share") {
            let commitment = commitment(scene, seat).ok_or("a share without a commitment")?;
            if self.shares.entry(commitment).or_insert_with(|| body(share).to_vec()) != body(share) {
                return Err(format!("{} signs twice with one nonce", seat.id));
            }
        }
        Ok(())
    }

    fn output_is_right(&self, scene: &Scene, seat: &Seat) -> Result<(), Broken> {
        let cast = self.stage.cast;
        match &seat.output {
            Some(Output::Batch(batch)) if (batch.key, batch.epoch) != (cast.key.id, cast.key.epoch) => {
                Err(format!("{} has nonces of another key", seat.id))
            }

            Some(Output::Signature(signature)) => self.signature_is_right(scene.play, signature),
            Some(Output::Whole(Some(whole))) => {
                let secret = Zeroizing::new(*whole.dangerously_expose_secret());
                let right = ImportedKey::from_scalar(cast.suite, secret)
                    .is_ok_and(|key| *key.group_key() == cast.key.group_key);
                if right { Ok(()) } else { Err("another key was put together".to_owned()) }
            }
            Some(Output::Key(key)) if scene.play.changes_the_key() && key.group_key != cast.key.group_key => {
                Err(format!("{} has another key", seat.id))
            }
            Some(Output::Key(key)) if !key.forks.is_empty() => Err(format!("{} sees a fork: {:?}", seat.id, key.forks)),
            None | Some(Output::Batch(_) | Output::Whole(None) | Output::Key(_)) => Ok(()),
        }
    }

    /// What comes out as a signature is one, of the message that was approved.
    ///
    /// # Errors
    ///
    /// That it is none.
    pub fn signature_is_right(&self, play: Play, signature: &Signature) -> Result<(), Broken> {
        let cast = self.stage.cast;
        let key = if play == Play::SignChild { cast.child.as_ref() } else { Some(&cast.key.verifying_key) };
        let key = key.ok_or("a child without a key")?;
        key.verify(MESSAGE, signature).map_err(|error| format!("an invalid signature: {error:?}"))
    }

    /// Whoever accepted new shares did it in one epoch with all others: each honest member has it or can complete it, and
    /// they sign together.
    fn everybody_holds_it(&self, scene: &Scene, honest: &[&Seat]) -> Result<(), Broken> {
        let keys: Vec<&KeyInfo> = honest.iter().filter_map(|seat| key(seat)).collect();
        let Some(first) = keys.first() else { return Ok(()) };
        if keys.iter().any(|key| (key.epoch, &key.group_key) != (first.epoch, &first.group_key)) {
            return Err("two epochs or keys were accepted".to_owned());
        }
        let of = |seat: &Seat| &self.stage.people[seat.person].session;
        let accepted = honest.iter().find(|seat| key(seat).is_some()).ok_or("nobody")?;
        let certificate = of(accepted).certificate(first.id).map_err(|error| format!("no certificate: {error:?}"))?;
        let repairs = matches!(scene.play, Play::Repair | Play::Enrol);
        let mut holders = Vec::new();
        for seat in honest {
            // Who was to be helped and was not has no share yet.
            if repairs && of(seat).key(first.id).is_err() {
                continue;
            }
            let held = of(seat).complete(&certificate).or_else(|_| of(seat).key(first.id));
            let held = held.map_err(|error| format!("{} does not hold the key: {error:?}", seat.id))?;
            if held.epoch != first.epoch || !held.forks.is_empty() {
                return Err(format!("{} is in another epoch: {held:?}", seat.id));
            }
            if held.state == quorumkey::KeyState::Active {
                holders.push((seat.person, held.identifier));
            }
        }
        // A threshold that the honest members don't reach takes liars to sign. Who leaves is none of them.
        let members = honest.iter().filter(|seat| first.roster.card(seat.id).is_some()).count();
        if usize::from(first.threshold) > members {
            return Ok(());
        }
        if holders.len() < usize::from(first.threshold) {
            return Err(format!("a key that {} members hold", holders.len()));
        }
        holders.truncate(usize::from(first.threshold));
        self.sign_together(first, &holders)
    }

    /// These sign with the key.
    ///
    /// # Errors
    ///
    /// That they don't.
    pub fn sign_together(&self, key: &KeyInfo, holders: &[(usize, Identifier)]) -> Result<(), Broken> {
        let sessions: Vec<_> = holders.iter().map(|(person, _)| &self.stage.people[*person].session).collect();
        let ids: Vec<_> = holders.iter().map(|(_, id)| *id).collect();
        let text = b"we hold it";
        let invitation =
            sessions[0].invite_sign(key.id, &ids, text).map_err(|error| format!("no signing: {error:?}"))?;
        let runs: Result<Vec<Run<Signing>>, _> = sessions.iter().map(|one| one.start_sign(&invitation, text)).collect();
        let mut runs = runs.map_err(|error| format!("no signing: {error:?}"))?;
        for result in exchange_over(&mut runs, &mut |_, _, message| vec![message]) {
            match result {
                Ok(Some(signature)) if key.verifying_key.verify(text, &signature).is_ok() => {}
                other => return Err(format!("shares that do not sign: {other:?}")),
            }
        }
        Ok(())
    }
}

/// What a run looked at convicts nobody whom no honest member named.
///
/// It is enough that one did, and named one of several: its run ends with that, and the others wait for what it would have
/// said next. What came when a run was over, with an output or without, nobody looked at.
fn nobody_guilty_is_spared(scene: &Scene, honest: &[&Seat]) -> Result<(), Broken> {
    let before = scene.batched.as_ref().map_or(&[][..], |batched| &batched.said);
    let awaits = |seat: &Seat| seat.run.as_ref().is_some_and(|run| !run.awaits().is_empty());
    let seen = |seat: &&Seat| Seen::new(before, &seat.said, &seat.heard, awaits(seat));
    let all: BTreeMap<_, _> = honest.iter().map(seen).map(|seen| (seen.name(), seen)).collect();
    all.into_values().try_for_each(|seen| seen.spares_nobody(&scene.invitation, &scene.chain))
}

/// What somebody saw of a run.
pub struct Seen {
    messages: Vec<Message>,
    /// Before which round it saw all that there was to see, if it waits for more.
    waits_in: Option<u8>,
}

impl Seen {
    /// What was said before the run, what it said itself, what it looked at, and whether it waits for anybody.
    pub fn new(before: &[Message], said: &[Message], heard: &[Message], awaits: bool) -> Self {
        // In a dispute one speaks of a round that is over.
        let spoke_in = said.iter().filter(|message| subject(message) != "dispute").map(Message::round).max();
        let mut messages = [before, said, heard].concat();
        messages.sort_by_key(Message::to_bytes);
        messages.dedup();
        Self { messages, waits_in: awaits.then(|| spoke_in.unwrap_or(0)) }
    }

    /// Most see the same.
    pub fn name(&self) -> (Vec<Vec<u8>>, Option<u8>) {
        (self.messages.iter().map(Message::to_bytes).collect(), self.waits_in)
    }

    /// Nobody is convicted by it.
    ///
    /// A round is looked at when all have spoken in it, so that all say the same of it: who withholds a message puts off
    /// what the others of that round prove, but for two versions of one.
    ///
    /// # Errors
    ///
    /// Who is.
    pub fn spares_nobody(self, invitation: &Invitation, chain: &[Certificate]) -> Result<(), Broken> {
        let Self { mut messages, waits_in } = self;
        let judge = |messages: &[Message]| Evidence::new(messages.to_vec()).judge(invitation, chain).ok().flatten();
        let mut judged = judge(&messages);
        let twice = judged.as_ref().is_none_or(|judged| judged.misbehaviour == Misbehaviour::Equivocation);
        if let Some(round) = waits_in.filter(|_| !twice) {
            messages.retain(|message| message.round() < round || message.run_id() != invitation.run_id());
            judged = judge(&messages);
        }
        judged.map_or(Ok(()), |judged| Err(format!("nobody names whom a judge blames: {judged:?}")))
    }
}

/// Whoever is shown the evidence blames the same. What takes a transcript to see, or the commitments that a signer has seen in
/// another run, nobody can show by messages; nor that one's own voice is a copy's.
fn blame_is_proven(scene: &Scene, seat: &Seat) -> Result<(), Broken> {
    let Some(Error::PeerMisbehaved { culprits, misbehaviour, evidence }) = &seat.failure else { return Ok(()) };
    let judged =
        evidence.judge(&scene.invitation, &scene.chain).map_err(|error| format!("a judge refuses: {error:?}"))?;
    let hidden = match misbehaviour {
        Misbehaviour::Cloned | Misbehaviour::TranscriptSignature => true,
        Misbehaviour::Malformed => {
            let is_share = |message: &Message| subject(message) == "share" && body(message).len() == 64;
            scene.play == Play::SignPrepared && evidence.messages().iter().any(is_share)
        }
        _ => culprits.is_empty(),
    };
    let agrees = judged.as_ref().map_or(hidden, |judged| {
        let all = judged.culprits == *culprits || hidden && judged.culprits.iter().all(|one| culprits.contains(one));
        all && judged.misbehaviour == *misbehaviour
    });
    if agrees {
        return Ok(());
    }
    Err(format!("{} blames {culprits:?}: {misbehaviour:?}, and a judge {judged:?}", seat.id))
}

/// What a seat shows for the blame that it gives.
pub fn evidence(seat: &Seat) -> Option<&[Message]> {
    match &seat.failure {
        Some(Error::PeerMisbehaved { evidence, .. }) => Some(evidence.messages()),
        _ => None,
    }
}

fn key(seat: &Seat) -> Option<&KeyInfo> {
    match &seat.output {
        Some(Output::Key(key)) => Some(key),
        _ => None,
    }
}

/// What a seat's share answers: the commitments that it made in the run, or beforehand.
fn commitment(scene: &Scene, seat: &Seat) -> Option<Vec<u8>> {
    match &scene.batched {
        None => seat.said.iter().find(|message| subject(message) == "commit").map(|message| body(message).to_vec()),
        Some(batched) => {
            let made = |message: &&Message| message.sender() == seat.id && subject(message) == "prepare";
            let made = batched.said.iter().find(made)?;
            let len = body(made).len() / usize::from(batched.batch.size);
            body(made).chunks(len).nth(usize::from(prepared_index(&scene.invitation)?)).map(<[u8]>::to_vec)
        }
    }
}
