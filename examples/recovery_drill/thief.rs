//! A thief with a copy of member 3's token, its PIN, and every message that was ever sent.

use std::error::Error;
use std::fs;
use std::path::Path;

use quorumkey::hazmat::{Forger, Loot};
use quorumkey::{
    Certificate, Identifier, Invitation, KeyInfo, KeyState, KeyStore, Message, Misuse, Rejection, Session,
};

use crate::group::{Member, token_file, user_pin};
use crate::report::Report;

/// What is in the thief's hands.
pub(crate) struct Thief {
    session: Session,
    loot: Loot,
    victim: Identifier,
}

/// The refresh that locks the thief out, as a wiretap has it.
pub(crate) struct Wiretapped<'a> {
    pub(crate) invitation: &'a Invitation,
    pub(crate) recorded: &'a [Message],
    /// The certificates up to the epoch that was renewed.
    pub(crate) before: &'a [Certificate],
    pub(crate) newest: &'a Certificate,
}

impl Thief {
    /// Copies the token while its owner is not looking.
    pub(crate) fn copy(victim: &Member, to: &Path) -> Result<Self, Box<dyn Error>> {
        fs::create_dir(to)?;
        let [mine, dissected] = [token_file(to), to.join("dissected.qk")];
        for copy in [&mine, &dissected] {
            fs::copy(token_file(&victim.directory), copy)?;
        }
        let pin = user_pin(victim.id.get())?;
        let session = KeyStore::open(mine)?.login(&pin)?;
        let loot = Loot::of_file(dissected, &pin)?;
        Ok(Self { session, loot, victim: victim.id })
    }

    /// Tries everything that this program knows, and reports why each failed. An error is a try that did not fail.
    pub(crate) fn try_everything(
        &self,
        report: &mut Report,
        key: &KeyInfo,
        peers: &[&Member],
        wiretapped: &Wiretapped<'_>,
    ) -> Result<(), Box<dyn Error>> {
        self.sign_with_the_old_epoch(report, key, peers)?;
        self.open_the_recorded_traffic(report, wiretapped)?;
        self.join_the_refresh(report, wiretapped)?;
        self.speak_as_the_new_member(report, key, peers)?;
        self.learn_from_the_certificate(report, peers, wiretapped)
    }

    /// The thief proposes a signature under the epoch that it has a share of.
    fn sign_with_the_old_epoch(
        &self,
        report: &mut Report,
        key: &KeyInfo,
        peers: &[&Member],
    ) -> Result<(), Box<dyn Error>> {
        let message = b"everything to the thief";
        for peer in peers {
            let invitation = self.session.invite_sign(key.id, &[peer.id, self.victim], message)?;
            match peer.session.start_sign(&invitation, message) {
                Err(error @ quorumkey::Error::Stale { .. }) => {
                    let attempt = format!("signing with the old share and member {}", peer.id);
                    report.thwarted(&attempt, &error.to_string());
                }
                Err(other) => return Err(format!("the thief was refused for another reason: {other}").into()),
                Ok(_) => return Err("a peer signed with the thief".into()),
            }
        }
        Ok(())
    }

    /// Every secret of the token is tried as the key of what was sealed to member 3.
    fn open_the_recorded_traffic(
        &self,
        report: &mut Report,
        wiretapped: &Wiretapped<'_>,
    ) -> Result<(), Box<dyn Error>> {
        let Wiretapped { invitation, recorded, before, .. } = *wiretapped;
        let opened = self.loot.opens(invitation, before, recorded, self.victim)?;
        if opened > 0 {
            return Err(format!("the thief opened {opened} sealed shares").into());
        }
        let reason =
            format!("none of the token's {} secrets opens a share in {} messages", self.loot.len(), recorded.len());
        report.thwarted("opening the recorded traffic of the refresh", &reason);
        Ok(())
    }

    /// The thief enters the refresh as member 3.
    fn join_the_refresh(&self, report: &mut Report, wiretapped: &Wiretapped<'_>) -> Result<(), Box<dyn Error>> {
        match self.session.start(wiretapped.invitation) {
            Err(error @ quorumkey::Error::Misuse(Misuse::NotAMember)) => {
                report.thwarted("joining the refresh as member 3", &error.to_string());
                Ok(())
            }
            Err(other) => Err(format!("the thief was refused for another reason: {other}").into()),
            Ok(_) => Err("the thief's token joined the refresh".into()),
        }
    }

    /// The thief signs messages of a new run with the stolen identity, as if it were the new member 3.
    fn speak_as_the_new_member(
        &self,
        report: &mut Report,
        key: &KeyInfo,
        peers: &[&Member],
    ) -> Result<(), Box<dyn Error>> {
        let [first, ..] = peers else { return Err("a peer is needed".into()) };
        let message = b"an honest payment";
        let invitation = first.session.invite_sign(key.id, &[first.id, self.victim], message)?;
        let mut run = first.session.start_sign(&invitation, message)?;
        let own = run.poll_transmit().ok_or("the run has nothing to say")?;
        let identity = self.loot.secrets().next().ok_or("the loot is empty")?;
        let forged = Forger::new(*identity).alter(&own, |message| message.sender = self.victim);
        let answer = run.handle(&forged);
        run.abort()?;
        match answer {
            Err(quorumkey::Error::Rejected(rejection @ Rejection::Unauthentic)) => {
                report.thwarted("speaking as the new member 3 with the stolen identity", &rejection.to_string());
                Ok(())
            }
            other => Err(format!("a forged message was taken: {other:?}").into()),
        }
    }

    /// Even the thief's own copy turns useless once it hears of the certificate.
    fn learn_from_the_certificate(
        &self,
        report: &mut Report,
        peers: &[&Member],
        wiretapped: &Wiretapped<'_>,
    ) -> Result<(), Box<dyn Error>> {
        let key = self.session.complete(wiretapped.newest)?;
        if key.state != KeyState::Retired {
            return Err(format!("the thief's key is {:?}", key.state).into());
        }
        let signers: Vec<_> = peers.iter().map(|peer| peer.id).chain([self.victim]).collect();
        match self.session.invite_sign(key.id, &signers, b"once more") {
            Err(error @ quorumkey::Error::Misuse(Misuse::NoShare)) => {
                report.thwarted("using the copy after it was shown the certificate", &error.to_string());
                Ok(())
            }
            other => Err(format!("a retired key proposes signatures: {other:?}").into()),
        }
    }
}
