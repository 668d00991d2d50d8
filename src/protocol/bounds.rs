//! How much of what a member says is kept.

use super::renewal::MAX_TOLD;
use crate::wire::{Message, Subject};

/// An encoded point, and a scalar, of whichever suite needs most.
const POINT: usize = 33;
const SCALAR: usize = 32;
/// A sealed share with its payload, behind its length.
const SEALED: usize = 8 + 80;
/// The most pairs of nonces of one run: `MAX_BATCH`.
const MAX_PAIRS: usize = 256;
/// What has one size, with room to spare.
const SMALL: usize = 1024;

/// What is known of a run before anybody speaks in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) members: usize,
    /// Whether there is a key already, whose shares are renewed or which is imported: only then is there anything to tell
    /// of attempts.
    pub(super) renews: bool,
}

/// The longest body that is kept of a message about something, in a run of that scale.
///
/// It is more than an honest member says, so that whoever says a little too much is named for what is wrong with it; and
/// it does not grow beyond what the run needs, so that a member can't fill the memory of the others.
pub(super) const fn longest_body(subject: Subject, scale: Scale) -> usize {
    match subject {
        // With the transcripts of attempts that were left behind.
        Subject::Join if scale.renews => Message::MAX_JOIN,
        Subject::Join
        | Subject::Certify
        | Subject::Accuse
        | Subject::Commit
        | Subject::Share
        | Subject::Consent
        | Subject::Handover
        | Subject::Receipt
        | Subject::Vote
        | Subject::Ready => SMALL,
        // Two commitments for each signature.
        Subject::Prepare => 2 * MAX_PAIRS * 2 * POINT,
        // Commitment of at most so many elements, proof, ephemeral key; then a share for each.
        Subject::Deal => 2 * (scale.members * (POINT + SEALED) + 2 * POINT + SCALAR),
        Subject::Confirm => 2 * (4 + MAX_TOLD * 32),
        // Answered at once, and not kept.
        Subject::Dispute => Message::MAX_BODY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bodies_are_twice_what_the_largest_suite_says_and_not_more() {
        let scale = |members, renews| Scale { members, renews };
        for (subject, scale, longest) in [
            (Subject::Join, scale(3, false), 1024),
            (Subject::Join, scale(3, true), Message::MAX_JOIN),
            (Subject::Certify, scale(1000, true), 1024),
            (Subject::Prepare, scale(1000, true), 2 * 16_896),
            (Subject::Deal, scale(3, false), 2 * 461),
            (Subject::Deal, scale(1000, true), 2 * 121_098),
            (Subject::Confirm, scale(3, true), 2 * 524_292),
        ] {
            assert_eq!(longest_body(subject, scale), longest, "{subject:?} {scale:?}");
        }
    }
}
