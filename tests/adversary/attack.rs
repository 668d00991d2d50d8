//! What is done to a field, and how a changed message is signed again.

use quorumkey::Message;
use quorumkey::hazmat::{BODY, Field, FieldKind, Forger, fields};

use super::fields::everything;

/// Whatever else stands there, the bytes are no message.
pub const UNTOLD: [&str; 2] = ["version", "body length"];

/// What a field becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its lowest bit is another; of a count, one more or one less.
    Low,
    /// Its lowest bit but one is another: this makes a code of 1 and of 14, beside which there is none.
    Second,
    /// Its highest bit is another.
    High,
    Zero,
    Ones,
    /// What another member says there in the same round: a valid point, a valid scalar.
    Others,
    /// One byte less, and the body's length says so.
    Cut,
    /// One byte more, and the body's length says so.
    Grow,
}

impl Change {
    pub const ALL: [Self; 8] =
        [Self::Low, Self::Second, Self::High, Self::Zero, Self::Ones, Self::Others, Self::Cut, Self::Grow];

    /// Whether it makes sense of a field: the header has one length.
    pub fn fits(self, field: &Field) -> bool {
        match self {
            Self::Second => field.kind == FieldKind::Number,
            Self::Cut => field.at >= BODY && field.kind != FieldKind::End,
            Self::Grow => field.at >= BODY,
            _ => field.kind != FieldKind::End,
        }
    }

    /// The message's bytes up to its signature, changed. `None` if that changes nothing.
    pub fn of(self, message: &Message, field: &Field, others: Option<&Message>) -> Option<Vec<u8>> {
        let mut bytes = content(message);
        let place = field.at..field.at + field.len;
        match self {
            Self::Low => bytes[place.end - 1] ^= 1,
            Self::Second => bytes[place.end - 1] ^= 2,
            Self::High => bytes[place.start] ^= 0x80,
            Self::Zero => bytes[place].fill(0),
            Self::Ones => bytes[place].fill(0xff),
            Self::Others => {
                let others = others.map(content).filter(|others| others.len() == bytes.len())?;
                bytes[place.clone()].copy_from_slice(&others[place]);
            }
            Self::Cut => _ = bytes.remove(place.end - 1),
            Self::Grow => bytes.insert(place.end, 0),
        }
        if matches!(self, Self::Cut | Self::Grow) {
            let len = u32::try_from(bytes.len() - BODY).unwrap();
            bytes[BODY - 4..BODY].copy_from_slice(&len.to_be_bytes());
        }
        (bytes != content(message)).then_some(bytes)
    }
}

/// Everything before the signature.
pub fn content(message: &Message) -> Vec<u8> {
    let mut bytes = message.to_bytes();
    bytes.truncate(bytes.len() - 64);
    bytes
}

/// The bytes with the signature that the message had: what a transport can do, which has no key.
pub fn unsigned(message: &Message, content: &[u8]) -> Option<Message> {
    let bytes = message.to_bytes();
    Message::from_bytes(&[content, &bytes[bytes.len() - 64..]].concat()).ok()
}

/// One change of one field.
#[derive(Clone, Copy, Debug)]
pub struct Lie {
    pub field: Field,
    pub change: Change,
}

impl Lie {
    /// Every one that there is of this message. Of one that is a lie already, and not laid out as its subject's, none.
    pub fn all(message: &Message) -> Vec<Self> {
        fields(message).into_iter().flatten().flat_map(Self::all_of).collect()
    }

    /// For each field every lie about it, beginning with another one at each turn. To lie about each of them the first that
    /// is none of the truth is told: where a flag is 0 already, or all say the same, some are.
    pub fn by_turns(message: &Message, turn: usize) -> Vec<Vec<Self>> {
        let of = |(nth, field): (usize, Field)| {
            let mut lies: Vec<_> = Self::all_of(field).collect();
            let first = (turn + nth) % lies.len();
            lies.rotate_left(first);
            lies
        };
        fields(message).into_iter().flatten().enumerate().map(of).collect()
    }

    /// What a test says in the place of a message: of each field one lie, another one at each turn; if it is to tell
    /// everything, each there is.
    pub fn told<T>(message: &Message, turn: usize, tell: impl Fn(&Self) -> Option<T>) -> Vec<T> {
        let fields = Self::by_turns(message, turn).into_iter();
        let about = |lies: Vec<Self>| {
            let told = lies.iter().filter_map(&tell);
            let told: Vec<_> = if everything() { told.collect() } else { told.take(1).collect() };
            assert!(!told.is_empty(), "no lie about {:?}", lies[0].field);
            told
        };
        fields.filter(|lies| !UNTOLD.contains(&lies[0].field.name)).flat_map(about).collect()
    }

    pub fn all_of(field: Field) -> impl Iterator<Item = Self> {
        let fits = move |change: &Change| change.fits(&field);
        Change::ALL.into_iter().filter(fits).map(move |change| Self { field, change })
    }

    /// The message with the lie in it, signed. `None` if the lie is the truth, or its bytes are no message.
    pub fn tell(&self, forger: &Forger, message: &Message, others: Option<&Message>) -> Option<Message> {
        forger.sign(&self.change.of(message, &self.field, others)?)
    }
}
