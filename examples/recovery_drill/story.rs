//! What happens, in order.

use std::error::Error;
use std::path::{Path, PathBuf};

use bitcoin::Psbt;
use quorumkey::audit::{self, EventKind, Head};
use quorumkey::{
    Declaration, Denial, Dkg, EpochReport, Holder, Holding, Invitation, KeyId, KeyInfo, KeyState, KeyTemplate, NewCard,
    Reason, Roster, Suite,
};
use serde_json::json;

use crate::bitcoin_spend::Spend;
use crate::group::{Held, IMPATIENCE, Member, PATIENCE, hold, officer_pin};
use crate::report::Report;
use crate::safe::{Safe, opener};
use crate::solana_transfer::Transfer;
use crate::thief::{Thief, Wiretapped};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Three members, two keys, and a safe.
pub(crate) struct Story {
    home: PathBuf,
    template: Psbt,
    safe: Safe,
    members: Vec<Member>,
    /// Devices that were replaced, and are still there.
    retired: Vec<Member>,
    keys: [KeyInfo; 2],
}

impl Story {
    /// Three devices make a taproot key and an ed25519 key, and put their backups into the safe.
    pub(crate) fn begin(home: &Path, template: Psbt, report: &mut Report) -> Outcome<Self> {
        report.chapter("Three members, two keys");
        let directory = |number: u16| home.join(format!("member-{number}"));
        let members = report.step("three tokens are made, each in its own directory", |_| {
            (1..=3).map(|number| Member::new(number, directory(number))).collect::<Outcome<Vec<_>>>()
        })?;
        let cards = members.iter().map(|member| member.session.card()).collect::<quorumkey::Result<Vec<_>>>()?;
        let roster = Roster::numbered(cards)?;
        report.say(&format!("        the members compare the group's fingerprint: {}", roster.fingerprint()));
        let taproot = report
            .step("a 2-of-3 taproot key is made", |_| make(&members, &roster, Suite::Secp256k1Taproot, "bitcoin"))?;
        let ed25519 =
            report.step("a 2-of-3 ed25519 key is made", |_| make(&members, &roster, Suite::Ed25519, "solana"))?;
        let safe = Safe::new(home.join("safe"))?;
        let keys = [taproot, ed25519];
        let story = Self { home: home.to_owned(), template, safe, members, retired: Vec::new(), keys };
        report.step("each member puts its identity and its shares into the safe", |report| {
            story.members.iter().try_for_each(|member| story.safe.keep_identity(member))?;
            story.back_up(&story.members)?;
            report.say(&format!("        {} age files", story.safe.files()?));
            Ok(())
        })?;
        Ok(story)
    }

    /// Life, fire, theft, and the books at the end.
    pub(crate) fn tell(mut self, report: &mut Report) -> Outcome<()> {
        report.chapter("Every day");
        report.step("members 1 and 2 sign a Bitcoin spend and a Solana transfer", |report| {
            self.pay(report, [1, 2], "everyday")
        })?;
        self.fire(report)?;
        let loot = self.theft(report)?;
        report.step("members 2 and the new 3 sign both", |report| self.pay(report, [2, 3], "after-theft"))?;
        drop(loot);
        self.reckon(report)?;
        report.chapter("The books");
        report.step("every token's audit log is whole, and shows the overrides", |report| self.audit(report))?;
        report.finish();
        Ok(())
    }

    /// Two of three devices burn, so that too few are left to sign.
    fn fire(&mut self, report: &mut Report) -> Outcome<()> {
        report.chapter("Fire: the devices of members 2 and 3 are gone");
        report.step("the directories of members 2 and 3 are deleted", |_| {
            self.members.drain(1..).try_for_each(Member::burn)
        })?;
        report.step("both are restored on new devices from the safe", |_| {
            for number in [2, 3] {
                let directory = self.home.join(format!("member-{number}-restored"));
                let identity = self.safe.identity(number)?;
                let member = Member::restored(number, directory, &identity, &opener(number))?;
                for key in &self.keys {
                    self.safe.give_share(number, key, &member.session)?;
                }
                self.members.push(member);
            }
            Ok(())
        })?;
        report.step("a restored share does not sign", |report| {
            let ([_, two, three], [taproot, _]) = (self.three()?, &self.keys);
            match two.session.invite_sign(taproot.id, &[two.id, three.id], &[0; 32]) {
                Err(error @ quorumkey::Error::Denied(Denial::RestoredSignsAfterRefresh)) => {
                    report.say(&format!("        {error}"));
                    Ok(())
                }
                other => Err(format!("it was not denied: {other:?}").into()),
            }
        })?;
        report.step("without a quorum of unrestored members the shares are not renewed", |report| {
            let ([one, _, _], [taproot, _]) = (self.three()?, &self.keys);
            let invitation = one.session.invite_refresh(taproot.id, self.restored_cards()?)?;
            match hold(&self.three()?, IMPATIENCE, |member| member.session.start(&invitation)) {
                Err(error)
                    if matches!(error.downcast_ref(), Some(quorumkey::Error::Denied(Denial::RestoredNeedsQuorum))) =>
                {
                    report.say(&format!("        {error}"));
                    Ok(())
                }
                Err(error) => Err(format!("it failed for another reason: {error}").into()),
                Ok(_) => Err("restored tokens signed a transcript without a quorum or an override".into()),
            }
        })?;
        report.step("all three refresh both keys, by the officers' override at 2 and 3", |_| {
            let renewed = self.keys.each_ref().map(|key| {
                let [one, two, three] = self.three()?;
                let invitation = one.session.invite_refresh(key.id, self.restored_cards()?)?;
                for member in [two, three] {
                    member.store.login_so(&officer_pin(member.id.get())?)?.override_fork_rules(&invitation)?;
                }
                renewed(&self.refresh(&invitation)?, key)
            });
            self.keys = both(renewed)?;
            Ok(())
        })?;
        report.step("members 2 and 3 sign both", |report| self.pay(report, [2, 3], "after-fire"))?;
        report.recovered_by(&[
            "both are restored on new devices from the safe",
            "all three refresh both keys, by the officers' override at 2 and 3",
            "members 2 and 3 sign both",
        ]);
        report.step("the new epochs are backed up", |_| self.back_up(&self.members))
    }

    /// The cards of the devices that were restored.
    fn restored_cards(&self) -> Outcome<Vec<NewCard>> {
        let [_, two, three] = self.three()?;
        [two, three].into_iter().map(|member| new_card(member, Reason::Lost)).collect()
    }

    /// Member 3's token is copied, with its PIN and with all that was ever sent.
    fn theft(&mut self, report: &mut Report) -> Outcome<Thief> {
        report.chapter("Theft: member 3's token is copied, with its PIN and all traffic");
        let thief = report.step("a thief copies member 3's token", |_| {
            let [_, _, three] = self.three()?;
            Thief::copy(three, &self.home.join("thief"))
        })?;
        let old = report.step("member 3 takes a new device, with a new identity", |_| {
            let new = Member::new(3, self.home.join("member-3-new"))?;
            Ok(std::mem::replace(self.members.get_mut(2).ok_or("there is no third member")?, new))
        })?;
        let names = [
            "members 1 and 2 refresh the taproot key to the new 3",
            "members 1 and 2 refresh the ed25519 key to the new 3",
        ];
        let mut after = Vec::new();
        for (key, name) in self.keys.iter().zip(names) {
            after.push(self.shut_out(report, &thief, key, name)?);
        }
        self.keys = after.try_into().map_err(|_| "there are two keys")?;
        self.retired.push(old);
        Ok(thief)
    }

    /// Renews a key's shares with the new member 3, and lets the thief try what it has.
    fn shut_out(&self, report: &mut Report, thief: &Thief, key: &KeyInfo, name: &'static str) -> Outcome<KeyInfo> {
        let [one, two, three] = self.three()?;
        let before = one.session.certificates(key.id)?;
        let (invitation, held) = report.step(name, |_| {
            let invitation = one.session.invite_refresh(key.id, vec![new_card(three, Reason::Stolen)?])?;
            let held = self.refresh(&invitation)?;
            Ok((invitation, held))
        })?;
        let key = renewed(&held, key)?;
        report.step("the thief tries, and fails", |report| {
            let newest = one.session.certificate(key.id)?;
            let wiretapped =
                Wiretapped { invitation: &invitation, recorded: &held.recorded, before: &before, newest: &newest };
            thief.try_everything(report, &key, &[one, two], &wiretapped)
        })?;
        Ok(key)
    }

    /// Are the old epochs dead? Not while backups of them are in the safe.
    fn reckon(&self, report: &mut Report) -> Outcome<()> {
        report.chapter("Are the old epochs dead?");
        for key in &self.keys {
            for old in self.old_epochs(key)? {
                describe(report, key, &old, "before");
            }
        }
        report.step(
            "the old backups are destroyed, and the officer of member 1 declares it, and what burnt",
            |_| {
                let [one, _, _] = self.three()?;
                let officer = one.store.login_so(&officer_pin(1)?)?;
                for key in &self.keys {
                    for height in 0..one.session.key(key.id)?.height {
                        let of_then = KeyInfo { height, ..key.clone() };
                        (1..=3).try_for_each(|number| self.safe.shred(number, &of_then))?;
                    }
                    for old in self.old_epochs(key)? {
                        for Holder { identifier, holding } in old.holders {
                            let epoch = old.epoch;
                            let declaration = match holding {
                                Holding::Backup => Declaration::BackupsDestroyed { epoch, identifier },
                                // People have seen it burn. What was stolen stays in the report.
                                Holding::Lost => Declaration::DeviceDestroyed { epoch, identifier },
                                Holding::NotConfirmed | Holding::Stolen => continue,
                            };
                            officer.declare(key.id, &declaration)?;
                        }
                    }
                }
                Ok(())
            },
        )?;
        let mut dead = true;
        for key in &self.keys {
            for old in self.old_epochs(key)? {
                dead &= describe(report, key, &old, "after");
            }
        }
        report.step("every old epoch is dead", |_| if dead { Ok(()) } else { Err("an old epoch still lives".into()) })
    }

    /// What member 1 knows of the epochs that were.
    fn old_epochs(&self, key: &KeyInfo) -> Outcome<Vec<EpochReport>> {
        let [one, _, _] = self.three()?;
        Ok(one.session.key(key.id)?.old_epochs)
    }

    /// Verifies the logs of every device that is still there: each from its beginning to its end.
    fn audit(&self, report: &Report) -> Outcome<()> {
        let mut overrides = 0;
        for member in self.members.iter().chain(&self.retired) {
            let records = member.session.audit(None, usize::MAX)?;
            let last = records.last().ok_or("an audit log is empty")?.hash();
            audit::verify(&records, &Head::genesis(&member.store.info()?.id), last)?;
            report.say(&format!("        member {}: {} records, none cut, edited or moved", member.id, records.len()));
            for record in records.iter().filter(|record| record.event().kind() == EventKind::OverrideUsed) {
                overrides += 1;
                report.say(&format!("          record {record}"));
            }
        }
        // The devices of 2 and 3 that were restored, for each key.
        if overrides == 2 * self.keys.len() {
            Ok(())
        } else {
            Err(format!("{overrides} overrides are on record").into())
        }
    }

    fn three(&self) -> Outcome<[&Member; 3]> {
        match self.members.as_slice() {
            [one, two, three] => Ok([one, two, three]),
            _ => Err("there are not three members".into()),
        }
    }

    fn back_up(&self, members: &[Member]) -> Outcome<()> {
        members.iter().try_for_each(|member| self.keys.iter().try_for_each(|key| self.safe.keep_share(member, key)))
    }

    fn refresh(&self, invitation: &Invitation) -> Outcome<Held<KeyInfo>> {
        hold(&self.three()?, PATIENCE, |member| member.session.start(invitation))
    }

    /// Two members sign the PSBT's inputs and the Solana message; what comes out is checked by Bitcoin's and Solana's
    /// own libraries.
    fn pay(&self, report: &mut Report, signers: [u16; 2], name: &str) -> Outcome<()> {
        let signers: Vec<_> = self.members.iter().filter(|member| signers.contains(&member.id.get())).collect();
        let [taproot, ed25519] = &self.keys;
        let internal = taproot.group_key.as_bytes().last_chunk().ok_or("a taproot key has 33 bytes")?;
        let output = taproot.verifying_key.as_bytes().try_into()?;
        let spend = Spend::new(self.template.clone(), internal, output)?;
        let mut signatures = Vec::new();
        for hash in spend.hashes() {
            let signature = sign(&signers, taproot.id, &hash)?;
            signatures.push((hash, signature));
        }
        let bytes = signatures.iter().map(|(_, signature)| signature.as_bytes().try_into());
        let signed = spend.finalize(&bytes.collect::<Result<Vec<[u8; 64]>, _>>()?)?;
        for (hash, signature) in &signatures {
            report.verified(&taproot.verifying_key, hash, signature);
        }
        report.say(&format!("        bitcoin transaction {} (its name leaves the signatures out)", signed.txid));
        report.transaction(&format!("bitcoin-{name}.hex"), signed.hex.into_bytes());

        let transfer = Transfer::new(ed25519.verifying_key.as_bytes().try_into()?)?;
        let message = transfer.message().to_vec();
        let signature = sign(&signers, ed25519.id, &message)?;
        let signed = transfer.finalize(signature.as_bytes().try_into()?)?;
        report.verified(&ed25519.verifying_key, &message, &signature);
        report.say(&format!("        solana transaction of {} bytes", signed.wire.len()));
        report.transaction(&format!("solana-{name}.bin"), signed.wire);
        Ok(())
    }
}

fn new_card(member: &Member, reason: Reason) -> Outcome<NewCard> {
    Ok(NewCard { identifier: member.id, card: member.session.card()?, reason })
}

fn both<T>([first, second]: [Outcome<T>; 2]) -> Outcome<[T; 2]> {
    Ok([first?, second?])
}

fn make(members: &[Member], roster: &Roster, suite: Suite, label: &str) -> Outcome<KeyInfo> {
    let all: Vec<_> = members.iter().collect();
    let first = all.first().ok_or("there are no members")?;
    let template = KeyTemplate::wallet(label);
    let invitation = first.session.invite(Dkg { suite, threshold: 2, members: roster.clone(), template })?;
    let keys = hold(&all, PATIENCE, |member| {
        // Each member looks at what it is invited to.
        if invitation.fingerprint() != Some(roster.fingerprint()) {
            return Err(quorumkey::Error::Misuse(quorumkey::Misuse::Plan("the fingerprint is another one")));
        }
        member.session.start(&invitation)
    })?;
    keys.outputs.into_iter().next().ok_or_else(|| "no key was made".into())
}

fn sign(signers: &[&Member], key: KeyId, message: &[u8]) -> Outcome<quorumkey::Signature> {
    let first = signers.first().ok_or("there are no signers")?;
    let ids: Vec<_> = signers.iter().map(|member| member.id).collect();
    let invitation = first.session.invite_sign(key, &ids, message)?;
    let held = hold(signers, PATIENCE, |member| member.session.start_sign(&invitation, message))?;
    held.outputs.into_iter().next().ok_or_else(|| "no signature was made".into())
}

/// The key with its new shares: the same key, the next epoch, at every member.
fn renewed(held: &Held<KeyInfo>, before: &KeyInfo) -> Outcome<KeyInfo> {
    let after = held.outputs.first().ok_or("no key was renewed")?;
    let same = held.outputs.iter().all(|key| key.group_key == before.group_key && key.epoch == after.epoch);
    if !same || after.epoch == before.epoch || after.state != KeyState::Active {
        return Err("the refresh did not lead everybody to the same new epoch of the same key".into());
    }
    Ok(after.clone())
}

/// Says who may still hold an old epoch, and whether that is too few to matter.
fn describe(report: &mut Report, key: &KeyInfo, old: &EpochReport, when: &str) -> bool {
    let holders: Vec<_> = [
        (Holding::NotConfirmed, "has not confirmed the erasure"),
        (Holding::Lost, "had it on a device that is gone, and nobody has said that it is destroyed"),
        (Holding::Stolen, "had it stolen"),
        (Holding::Backup, "made a backup of it, or may have: destroy it"),
    ]
    .into_iter()
    .filter_map(|(holding, what)| {
        let who = old.holders.iter().filter(|holder| holder.holding == holding);
        let who: Vec<_> = who.map(|holder| holder.identifier.to_string()).collect();
        (!who.is_empty()).then(|| format!("member {} {what}", who.join(", ")))
    })
    .collect();
    let state = if old.is_dead() { "dead" } else { "NOT dead" };
    let epoch: String = old.epoch.to_string().chars().take(8).collect();
    let heading = format!("        {:?}, epoch {epoch}: {state}. It takes {} shares.", key.suite, old.threshold);
    let lines: Vec<_> =
        std::iter::once(heading).chain(holders.iter().map(|line| format!("          {line}"))).collect();
    report.epoch(
        &lines.join("\n"),
        json!({ "when": when, "suite": format!("{:?}", key.suite), "epoch": old.epoch.to_string(), "dead": old.is_dead(), "holders": holders }),
    );
    old.is_dead()
}

/// The directories of a drill are under one that is deleted; nothing of it outlives the process.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_story_passes() {
        let home = tempfile::tempdir().unwrap();
        let mut report = Report::new(true);
        let template = crate::bitcoin_spend::load(None).unwrap();
        Story::begin(home.path(), template, &mut report).unwrap().tell(&mut report).unwrap();
        assert!(report.passed());
        assert!(home.path().try_exists().unwrap());
    }
}
