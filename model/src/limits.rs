//! The configurations that are explored, and the rules that are taken away.

use crate::config::{Config, Receivers, Rule};
use crate::properties::{BLAME, DEAD, ERASED, FORK, KEY, PROGRESS};
use crate::set::Set;

const THREE: Config = Config {
    name: "2-of-3, refreshes",
    threshold: 2,
    prevents: false,
    members: 3,
    identities: 3,
    liars: Set::of(&[]),
    two_faced: false,
    few: false,
    receivers: &[Receivers::new(2, &[0, 1, 2])],
    attempts: &[3, 3],
    losses: 0,
    backups: Set::of(&[]),
    revisions: &[],
    endings: None,
    without: None,
    symmetric: true,
};

const FOUR: Config = Config {
    name: "2-of-4, refreshes",
    members: 4,
    identities: 4,
    receivers: &[Receivers::new(2, &[0, 1, 2, 3])],
    attempts: &[2, 2],
    ..THREE
};

const FIVE: Config = Config {
    name: "3-of-5, refreshes, two liars",
    threshold: 3,
    members: 5,
    identities: 5,
    liars: Set::of(&[3, 4]),
    receivers: &[Receivers::new(3, &[0, 1, 2, 3, 4])],
    attempts: &[3, 2],
    ..THREE
};

/// Four people, three of whom hold the key at a time.
const THREE_PEOPLE: &[Receivers] = &[
    Receivers::new(2, &[0, 1, 2]),
    Receivers::new(2, &[0, 1, 3]),
    Receivers::new(2, &[0, 2, 3]),
    Receivers::new(2, &[1, 2, 3]),
];

/// Four people, all of whom hold the key, or three.
const THREE_OR_FOUR: &[Receivers] = &[
    Receivers::new(2, &[0, 1, 2]),
    Receivers::new(2, &[0, 1, 3]),
    Receivers::new(2, &[0, 2, 3]),
    Receivers::new(2, &[1, 2, 3]),
    Receivers::new(2, &[0, 1, 2, 3]),
];

/// Two groups of receivers that have one old member in common, the third.
const ONE_IN_COMMON: &[Receivers] = &[Receivers::new(2, &[1, 2, 3]), Receivers::new(2, &[0, 2, 4])];

const FIRST: Set = Set::of(&[0, 1, 2]);
const THIRD: Set = Set::of(&[2]);
const FOURTH: Set = Set::of(&[3]);

const OTHERS: Config =
    Config { name: "2-of-3, other receivers", identities: 4, receivers: THREE_PEOPLE, attempts: &[2], ..THREE };
const OTHERS_FOUR: Config =
    Config { name: "2-of-4, other receivers", receivers: THREE_OR_FOUR, attempts: &[2], ..FOUR };
const LOST: Config = Config { losses: 1, attempts: &[2, 2], ..THREE };
const IN_COMMON: Config =
    Config { name: "2-of-3, one in common", identities: 5, receivers: ONE_IN_COMMON, attempts: &[2], ..THREE };

/// A founder and a newcomer lie, and no group of receivers has both.
const NEWCOMER: Config = Config {
    name: "2-of-3, other receivers, a founder and a newcomer lie",
    identities: 5,
    liars: Set::of(&[2, 3]),
    receivers: &[Receivers::new(2, &[0, 1, 3]), Receivers::new(2, &[0, 2, 4]), Receivers::new(2, &[1, 3, 4])],
    attempts: &[2],
    ..THREE
};

/// Three people by twos, or five by threes.
const WIDER: Config = Config {
    name: "2-of-3 to 3-of-5",
    identities: 5,
    receivers: &[Receivers::new(2, &[0, 1, 2]), Receivers::new(3, &[0, 1, 2, 3, 4])],
    attempts: &[2, 1],
    ..THREE
};

const NARROWER: Config = Config {
    name: "3-of-5 to 2-of-3",
    receivers: &[Receivers::new(3, &[0, 1, 2, 3, 4]), Receivers::new(2, &[0, 1, 3])],
    attempts: &[2, 1],
    liars: Set::of(&[]),
    ..FIVE
};

const THREE_OF_FOUR: Config = Config {
    name: "2-of-3 to 3-of-4",
    identities: 4,
    few: true,
    receivers: &[Receivers::new(2, &[0, 1, 2]), Receivers::new(3, &[0, 1, 2, 3])],
    ..WIDER
};

/// Two members are to be enrolled, each by a revision of the same number.
const RIVALS: Config = Config {
    name: "2-of-3, two rival revisions, a liar",
    revisions: &[3, 4],
    liars: THIRD,
    attempts: &[1],
    ..IN_COMMON
};

/// A founder and one that comes: two of five by threes, one of three by twos.
const TWO_LIARS: Set = Set::of(&[2, 4]);

const IN_COMMON_LIAR: Config = Config { liars: THIRD, ..IN_COMMON };

/// A liar forks the key, members meet the other line, and the officers end that.
const FORK_ENDED: Config = Config {
    name: "2-of-3, one in common, a liar, the fork is ended",
    attempts: &[1],
    endings: Some(1),
    ..IN_COMMON_LIAR
};

/// A liar does not show the line that the restored member has forgotten.
const FORGOTTEN: Config = Config {
    name: "2-of-3, other receivers, a liar, lost and restored",
    receivers: &[Receivers::new(2, &[1, 2, 3]), Receivers::new(2, &[0, 1, 2])],
    losses: 1,
    backups: Set::of(&[1]),
    liars: THIRD,
    ..OTHERS
};

/// What is explored whenever the tests run.
pub const BASIC: &[Config] = &[
    THREE,
    Config { name: "2-of-3, refreshes, a liar", liars: THIRD, attempts: &[3, 2], ..THREE },
    Config {
        name: "2-of-3, refreshes, a liar with two faces",
        liars: THIRD,
        two_faced: true,
        attempts: &[2, 2],
        ..THREE
    },
    FOUR,
    Config {
        name: "2-of-4, refreshes, a liar with two faces",
        liars: FOURTH,
        two_faced: true,
        attempts: &[2, 2],
        ..FOUR
    },
    OTHERS,
    Config { name: "2-of-3, other receivers, a liar", liars: THIRD, ..OTHERS },
    Config { name: "2-of-3, other receivers, a liar, q prevents forks", liars: THIRD, prevents: true, ..OTHERS },
    Config { name: "2-of-3, one in common, a liar", liars: THIRD, ..IN_COMMON },
    OTHERS_FOUR,
    Config { name: "2-of-4, other receivers, a liar", liars: FOURTH, ..OTHERS_FOUR },
    Config { name: "2-of-3, a device lost and restored", backups: FIRST, ..LOST },
    Config { name: "2-of-4, a device lost and restored", losses: 1, backups: FIRST, ..FOUR },
    Config { name: "2-of-3, one in common, lost and restored", losses: 1, backups: THIRD, ..IN_COMMON },
    Config { name: "2-of-3, a device repaired", revisions: &[2], ..LOST },
    Config { name: "2-of-3, one in common, repaired", losses: 1, revisions: &[2], ..IN_COMMON },
    Config {
        name: "2-of-3, a member enrolled",
        revisions: &[3],
        receivers: THREE_OR_FOUR,
        attempts: &[1, 1],
        ..OTHERS
    },
    Config {
        name: "2-of-3, a member enrolled, a liar",
        revisions: &[3],
        receivers: THREE_OR_FOUR,
        liars: THIRD,
        ..OTHERS
    },
    FORGOTTEN,
    FIVE,
    NEWCOMER,
    WIDER,
    Config { name: "2-of-3 to 3-of-5, a founder and a newcomer lie", liars: TWO_LIARS, ..WIDER },
    Config { name: "2-of-3 to 3-of-5, two newcomers lie", liars: Set::of(&[3, 4]), ..WIDER },
    Config { name: "3-of-5 to 2-of-3, two liars", liars: TWO_LIARS, ..NARROWER },
    THREE_OF_FOUR,
    RIVALS,
    FORK_ENDED,
];

/// What is explored by `scripts/model` besides.
pub const LONG: &[Config] = &[
    Config {
        name: "2-of-3, refreshes, a liar with two faces, three attempts",
        liars: THIRD,
        two_faced: true,
        attempts: &[3, 2],
        ..THREE
    },
    Config {
        name: "2-of-4, lost and restored, other receivers, a liar",
        losses: 1,
        backups: FIRST,
        liars: FOURTH,
        ..OTHERS_FOUR
    },
    Config { name: "2-of-3, other receivers, two heights", attempts: &[2, 2], ..OTHERS },
    Config { name: "2-of-3, other receivers, two heights, a liar", attempts: &[2, 2], liars: THIRD, ..OTHERS },
    Config { name: "2-of-4, other receivers, two heights", attempts: &[2, 2], ..OTHERS_FOUR },
    Config { name: "2-of-4, other receivers, two heights, a liar", attempts: &[2, 2], liars: FOURTH, ..OTHERS_FOUR },
    Config {
        name: "2-of-4, repaired, other receivers, a liar",
        losses: 1,
        revisions: &[2],
        liars: FOURTH,
        ..OTHERS_FOUR
    },
    Config { name: "3-of-5, refreshes, two liars with two faces", two_faced: true, ..FIVE },
    Config {
        name: "3-of-5 to others, two liars",
        identities: 6,
        receivers: &[Receivers::new(3, &[0, 1, 2, 3, 4]), Receivers::new(3, &[1, 2, 3, 4, 5])],
        attempts: &[2, 1],
        ..FIVE
    },
    Config { name: "2-of-3, a founder and a newcomer lie, two heights", attempts: &[2, 1], ..NEWCOMER },
    Config { name: "2-of-3, two rival revisions, two attempts, a liar", attempts: &[2], ..RIVALS },
    Config { name: "2-of-3, two rival revisions, two heights, a liar", attempts: &[2, 1], ..RIVALS },
    NARROWER,
    Config {
        name: "3-of-5 to 2-of-3, two liars with two faces",
        liars: TWO_LIARS,
        two_faced: true,
        attempts: &[2, 2],
        ..NARROWER
    },
    Config { name: "2-of-3 to 3-of-4, two heights", attempts: &[2, 2], ..THREE_OF_FOUR },
    Config { name: "2-of-3 to 3-of-4, lost and restored", losses: 1, backups: FIRST, ..THREE_OF_FOUR },
    Config { name: "2-of-3 to 3-of-4, lost and repaired", losses: 1, revisions: &[2], ..THREE_OF_FOUR },
    Config { name: "2-of-3, one in common, a liar, two plans to end the fork", endings: Some(2), ..FORK_ENDED },
    Config { name: "2-of-3, one in common, a liar, the fork goes on", attempts: &[1, 1], ..FORK_ENDED },
];

/// Each rule that can be taken away, where that shows, and what falls.
pub fn falls() -> Vec<(Rule, Config, &'static str)> {
    let three = Config { name: "2-of-3", attempts: &[2], symmetric: false, ..THREE };
    let liar = Config { name: "2-of-3, a liar", liars: THIRD, ..three.clone() };
    let two_lines = Config {
        name: "2-of-4, two lines",
        identities: 6,
        receivers: const { &[Receivers::new(2, &[0, 1, 4]), Receivers::new(2, &[2, 3, 5])] },
        attempts: &[2],
        symmetric: false,
        ..FOUR
    };
    let apart = Config {
        name: "2-of-2, receivers that don't meet",
        members: 2,
        identities: 4,
        receivers: const { &[Receivers::new(2, &[2, 3]), Receivers::new(2, &[0, 1])] },
        attempts: &[2, 1],
        few: true,
        symmetric: false,
        ..THREE
    };
    let both = Config {
        name: "2-of-2, a founder and a newcomer lie",
        identities: 5,
        liars: Set::of(&[0, 2]),
        receivers: const { &[Receivers::new(2, &[2, 3, 4]), Receivers::new(2, &[1, 2]), Receivers::new(2, &[3, 4])] },
        ..apart.clone()
    };
    let passed_over = Config {
        name: "2-of-3, a liar, receivers that are fewer",
        receivers: const { &[Receivers::new(2, &[0, 1, 2]), Receivers::new(2, &[1, 2]), Receivers::new(2, &[0, 2])] },
        attempts: &[2, 1],
        few: true,
        endings: Some(0),
        ..liar.clone()
    };
    let rivals = Config {
        name: "2-of-2, two rival revisions",
        receivers: const { &[Receivers::new(2, &[0, 2]), Receivers::new(2, &[1, 3])] },
        revisions: &[2, 3],
        attempts: &[1],
        ..apart.clone()
    };
    let others = Config { symmetric: false, ..OTHERS };
    let forgotten = Config { endings: Some(0), symmetric: false, ..FORGOTTEN };
    let in_common = Config { liars: THIRD, symmetric: false, ..IN_COMMON };
    let restored = Config { losses: 1, backups: THIRD, symmetric: false, ..IN_COMMON };
    let repaired = Config { losses: 1, revisions: &[2], symmetric: false, ..IN_COMMON };
    let few = const { &[Receivers::new(2, &[0, 1, 2]), Receivers::new(2, &[0, 2])] };
    vec![
        (Rule::Quorum, two_lines, FORK),
        (Rule::Promises, three.clone(), FORK),
        (Rule::Reports, three.clone(), FORK),
        (Rule::DurableBeforeSent, three.clone(), KEY),
        (Rule::HigherAttemptsAreKept, liar.clone(), KEY),
        (Rule::LowerAttemptsAreKept, in_common.clone(), KEY),
        (Rule::LowerAttemptsAreKept, in_common.clone(), ERASED),
        (Rule::AbandonKeepsTheAttempt, three.clone(), KEY),
        (Rule::AbandonKeepsTheOldShare, three.clone(), KEY),
        (Rule::Completion, three.clone(), PROGRESS),
        (Rule::OtherReceivers, apart.clone(), FORK),
        (Rule::PromisesOfWhoDidNotSign, apart, FORK),
        (Rule::PromisesApart, both, FORK),
        (Rule::NamedIsNoCulprit, passed_over, BLAME),
        (Rule::ForgetfulIsNoCulprit, forgotten, BLAME),
        (Rule::WhoIsLeftGoesOn, in_common, KEY),
        (Rule::Revisions, repaired, FORK),
        (Rule::OneRevisionOfANumber, rivals, FORK),
        (Rule::Restored, restored, FORK),
        (Rule::ParentIsHeld, others.clone(), DEAD),
        (Rule::AttemptsCount, others, DEAD),
        (Rule::EnoughReceivers, Config { receivers: few, ..liar }, KEY),
        (Rule::BackupsCount, Config { losses: 1, backups: THIRD, ..three }, DEAD),
    ]
}
