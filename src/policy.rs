//! Who may do what: pure decisions, asked at the one choke point.

use core::fmt;

use crate::guard::forbids;
use crate::protocol::Denial;
use crate::wire::{Export, Operations};

/// The two users that a token knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserType {
    /// Uses the keys.
    User,
    /// The security officer: sets the user's PIN, overrides what the rules hold back. PKCS#11 calls it SO.
    SecurityOfficer,
}

impl fmt::Display for UserType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::SecurityOfficer => "security officer",
        })
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Reading what is public: keys, certificates, the audit log.
    Look,
    /// Signing an invitation, or making a new key.
    Propose,
    /// A run that renews shares.
    Renew,
    /// A run that gives a member its share again.
    Repair,
    /// A run that gives a new member a share.
    Enrol,
    /// A run that signs.
    Sign,
    /// A run that makes nonces beforehand.
    Prepare,
    /// A message or the end of a run that was begun.
    Continue,
    /// A backup of a share, to this kind of recipient.
    Export(Destination),
    /// A backup of the token's identity, which opens no share.
    ExportIdentity,
    /// Showing the chain code, with which everybody can derive the key's children.
    ShowChildren,
    /// Bringing a backup in.
    Restore,
    /// Finishing an epoch with its certificate.
    Complete,
    /// Tightening what a key may do.
    Restrict,
    /// Ending a key here.
    Destroy,
    /// Ending the token.
    DestroyToken,
    /// Consenting to a run that puts the key together again.
    Consent,
    /// That run.
    Reconstruct,
    /// Lifting a rule for one run, or declaring what people know.
    Override,
}

/// To whom a backup goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A recipient of the template's list.
    Trusted,
    /// Anybody else, or a passphrase.
    Other,
}

/// What is known of the key that a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) operations: Operations,
    pub(crate) export: Export,
    /// The share was restored, and no refresh has renewed it.
    pub(crate) restored: bool,
    /// Two lines of epochs are certified of which neither supersedes the other.
    pub(crate) forked: bool,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The role that is logged in may not do this.
    Role,
    /// The key may not be used for this.
    Denied(Denial),
}

/// Decides on a request. A key's facts are missing when it makes a new key, or is about none.
pub(crate) fn decide(role: UserType, verb: Verb, facts: Option<&Facts>) -> Result<(), Refusal> {
    if forbids!(RolesApart, !role_may(role, verb)) {
        return Err(Refusal::Role);
    }
    let Some(facts) = facts else { return Ok(()) };
    match verb {
        Verb::Sign | Verb::Prepare | Verb::Repair | Verb::Enrol | Verb::Reconstruct
            if forbids!(ForkStopsSigning, facts.forked) =>
        {
            Err(Refusal::Denied(Denial::Forked))
        }
        Verb::Sign | Verb::Prepare if forbids!(RestoredShareSignsNot, facts.restored) => {
            Err(Refusal::Denied(Denial::RestoredSignsAfterRefresh))
        }
        Verb::Sign | Verb::Prepare if forbids!(SigningAllowed, !facts.operations.contains(Operations::SIGN)) => {
            Err(Refusal::Denied(Denial::Operation))
        }
        Verb::Renew if forbids!(RenewalAllowed, !facts.operations.contains(Operations::REFRESH)) => {
            Err(Refusal::Denied(Denial::Operation))
        }
        Verb::Consent | Verb::Reconstruct
            if forbids!(ReconstructionAllowed, !facts.operations.contains(Operations::RECONSTRUCT)) =>
        {
            Err(Refusal::Denied(Denial::Operation))
        }
        Verb::Reconstruct if forbids!(RestoredShareStaysHere, facts.restored) => {
            Err(Refusal::Denied(Denial::RestoredSignsAfterRefresh))
        }
        Verb::Repair if forbids!(RepairAllowed, !facts.operations.contains(Operations::REPAIR)) => {
            Err(Refusal::Denied(Denial::Operation))
        }
        Verb::Enrol if forbids!(EnrolmentAllowed, !facts.operations.contains(Operations::ENROL)) => {
            Err(Refusal::Denied(Denial::Operation))
        }
        Verb::Export(destination) if forbids!(ExportAllowed, !may_leave(facts.export, destination)) => {
            Err(Refusal::Denied(Denial::Export))
        }
        _ => Ok(()),
    }
}

const fn may_leave(rule: Export, destination: Destination) -> bool {
    matches!((rule, destination), (Export::Wrapped, _) | (Export::WrappedToTrusted, Destination::Trusted))
}

/// PKCS#11's split: the user uses keys, the security officer looks after the token and never touches a share, but in a
/// reconstruction, to which the user must have consented.
const fn role_may(role: UserType, verb: Verb) -> bool {
    match role {
        UserType::User => !matches!(verb, Verb::Override | Verb::Reconstruct | Verb::DestroyToken),
        UserType::SecurityOfficer => {
            matches!(
                verb,
                Verb::Look | Verb::Override | Verb::Restrict | Verb::Destroy | Verb::DestroyToken | Verb::Reconstruct
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Facts = Facts { operations: Operations::ALL, export: Export::Wrapped, restored: false, forked: false };

    #[test]
    fn a_security_officer_touches_no_share() {
        let uses = [Verb::Sign, Verb::Renew, Verb::Export(Destination::Trusted), Verb::Restore, Verb::ExportIdentity];
        for verb in uses.into_iter().chain([Verb::ShowChildren, Verb::Repair, Verb::Enrol]) {
            assert_eq!(decide(UserType::SecurityOfficer, verb, Some(&OPEN)), Err(Refusal::Role));
        }
    }

    #[test]
    fn a_user_overrides_nothing() {
        for verb in [Verb::Override, Verb::DestroyToken] {
            assert_eq!(decide(UserType::User, verb, Some(&OPEN)), Err(Refusal::Role));
        }
    }

    #[test]
    fn a_restored_share_deals_and_does_not_sign() {
        let restored = Facts { restored: true, ..OPEN };
        assert_eq!(decide(UserType::User, Verb::Renew, Some(&restored)), Ok(()));
        let denied = Err(Refusal::Denied(Denial::RestoredSignsAfterRefresh));
        assert_eq!(decide(UserType::User, Verb::Sign, Some(&restored)), denied);
    }

    #[test]
    fn a_forked_key_signs_nothing_and_is_renewed() {
        let forked = Facts { forked: true, ..OPEN };
        for verb in [Verb::Sign, Verb::Repair, Verb::Enrol] {
            assert_eq!(decide(UserType::User, verb, Some(&forked)), Err(Refusal::Denied(Denial::Forked)));
        }
        let reconstruct = decide(UserType::SecurityOfficer, Verb::Reconstruct, Some(&forked));
        assert_eq!(reconstruct, Err(Refusal::Denied(Denial::Forked)));
        assert_eq!(decide(UserType::User, Verb::Renew, Some(&forked)), Ok(()));
    }

    #[test]
    fn an_operation_that_the_key_does_not_allow_is_denied() {
        let signing = Facts { operations: Operations::SIGN, ..OPEN };
        let denied = Err(Refusal::Denied(Denial::Operation));
        for verb in [Verb::Renew, Verb::Repair, Verb::Enrol] {
            assert_eq!(decide(UserType::User, verb, Some(&signing)), denied);
        }
        let none = Facts { operations: Operations::NONE, ..OPEN };
        assert_eq!(decide(UserType::User, Verb::Sign, Some(&none)), denied);
    }

    #[test]
    fn a_key_is_put_together_by_officer_and_user_both_and_if_it_allows_it() {
        let decide =
            |role, verb, operations, restored| decide(role, verb, Some(&Facts { operations, restored, ..OPEN }));
        let (user, officer, open) = (UserType::User, UserType::SecurityOfficer, Operations::RECONSTRUCT);
        assert_eq!(decide(user, Verb::Consent, open, false), Ok(()));
        assert_eq!(decide(officer, Verb::Reconstruct, open, false), Ok(()));
        assert_eq!(decide(officer, Verb::Consent, open, false), Err(Refusal::Role));
        assert_eq!(decide(user, Verb::Reconstruct, open, false), Err(Refusal::Role));
        let denied = Err(Refusal::Denied(Denial::Operation));
        assert_eq!(decide(user, Verb::Consent, Operations::ALL, false), denied);
        assert_eq!(decide(officer, Verb::Reconstruct, Operations::ALL, false), denied);
        let restored = Err(Refusal::Denied(Denial::RestoredSignsAfterRefresh));
        assert_eq!(decide(officer, Verb::Reconstruct, open, true), restored);
    }

    #[test]
    fn exports_follow_the_rule() {
        let rule = |export, destination| {
            decide(UserType::User, Verb::Export(destination), Some(&Facts { export, ..OPEN })).is_ok()
        };
        assert!(rule(Export::Wrapped, Destination::Other));
        assert!(rule(Export::WrappedToTrusted, Destination::Trusted));
        assert!(!rule(Export::WrappedToTrusted, Destination::Other));
        assert!(!rule(Export::Never, Destination::Trusted));
    }
}
