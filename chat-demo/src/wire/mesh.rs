//! What members of a mesh say to one another.
//!
//! A frame is one ZeroMQ message part, as in `room`: the MessagePack array `[version, {kind: fields}]`. Each member hears
//! with one ROUTER and speaks to each peer with a DEALER, so nothing is ever answered on the way it came: the answer goes
//! on one's own way. Who speaks, and on which of its ways, is in the DEALER's routing id (`Speaker`).
//!
//! ```text
//! a                                          b
//! │ Hello(hears 0) ───── a's way 1 ────────▶ │   b learns a's address, and connects to it
//! │ ◀───────── b's way 1 ── Hello(hears 1)   │   a: its way 1 leads to b
//! │ Hello(hears 1) ─────────────────────────▶ │   b: its way 1 leads to a
//! │ Texts(all that b's clock lacks) ────────▶ │
//! │ ◀──────────────────────────── Beat(clock) │   each side, each second, and after much was heard
//! │ Bye ─────────────────────────────────────▶ │
//! ```

use std::{fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};

pub use super::room::{MAX_FRAME, Unreadable, VERSION, encode};
use crate::{Name, PublicTone, Text};

/// The most authors whose texts are kept.
pub const MAX_AUTHORS: usize = 1024;

/// The most addresses a [`Hello`] has, and the most peers a member has.
pub const MAX_PEERS: usize = 64;

/// The most authors a clock names: those whose texts are kept, the peers, and oneself.
pub const MAX_KNOWN: usize = MAX_AUTHORS + MAX_PEERS + 1;

/// Who says something: a member from its start to its end. A restarted one is another author.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AuthorId(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// When something was said, by a hybrid logical clock: later than all its author had heard of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// Milliseconds since 1970.
    pub at: u64,
    /// Tells apart what has the same `at`.
    pub counter: u32,
}

/// Where a text stands in the order that all agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// When it was said.
    pub stamp: Stamp,
    /// By whom.
    pub author: AuthorId,
    /// The author's own number for it.
    pub number: u64,
}

/// What a member says to a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// Who this is, and whom it knows. Said first on each way, and again every few seconds.
    Hello(Hello),
    /// Some texts, of any authors.
    Texts {
        /// In the order in which they are to be shown.
        runs: Vec<Run>,
    },
    /// A text for this peer alone, which is in no history.
    Private {
        /// When it was said.
        at: u64,
        /// What.
        text: Text,
    },
    /// Is alive.
    Beat(Beat),
    /// Leaves.
    Bye,
}

/// How a member introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// What it is called from now on.
    pub name: Name,
    /// As in every beat.
    pub beat: Beat,
    /// Where peers of it are that it hears: at most [`MAX_PEERS`].
    pub peers: Vec<SocketAddr>,
}

/// How a member stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Where it hears, at the address it speaks from.
    pub port: u16,
    /// The way on which it heard this peer of late; 0 if it does not hear it.
    pub hears: u64,
    /// Of each author it knows, the number up to which it has all: at most [`MAX_KNOWN`].
    pub clock: Vec<(AuthorId, u64)>,
    /// From whom it hears by itself, so that nobody else has to tell it what these say.
    pub meets: Vec<AuthorId>,
    /// The first place of a history that is full. Before it, texts of authors that `clock` does not name are not taken.
    pub floor: Option<Place>,
}

/// Texts of one author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Who said them.
    pub author: AuthorId,
    /// Numbers after this one that are not here are no longer kept. Who lacks this one ignores the run.
    pub after: u64,
    /// The texts, with rising numbers.
    pub entries: Vec<Entry>,
}

/// One text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The author's own, from 1, each one more than the one before.
    pub number: u64,
    /// When it was said.
    pub stamp: Stamp,
    /// What the author was called.
    pub name: Name,
    /// In which tone.
    pub tone: PublicTone,
    /// What.
    pub text: Text,
}

/// What the routing id of a member's DEALER says: the octet 2, the author, and the number of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// Who.
    pub author: AuthorId,
    /// By which of its ways: not 0.
    pub way: u64,
}

impl Speaker {
    const KIND: u8 = 2;
    const BYTES: usize = 25;

    /// As a routing id.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [Self::KIND; Self::BYTES];
        bytes[1..17].copy_from_slice(&self.author.0);
        bytes[17..].copy_from_slice(&self.way.to_be_bytes());
        bytes
    }

    /// Who has this routing id, if it is a member of a mesh.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let author = AuthorId(bytes[1..17].try_into().ok()?);
        let way = u64::from_be_bytes(bytes[17..].try_into().ok()?);
        (bytes[0] == Self::KIND).then_some(Self { author, way })
    }
}

/// Why bytes are not taken.
#[derive(Debug)]
pub enum Refused {
    /// They are no frame.
    Unreadable(Unreadable),
    /// It has more of something than it may have.
    TooMuch,
}

/// The frame in these bytes.
pub fn decode(bytes: &[u8]) -> Result<Frame, Refused> {
    let frame: Frame = super::room::decode(bytes).map_err(Refused::Unreadable)?;
    if frame.is_bounded() { Ok(frame) } else { Err(Refused::TooMuch) }
}

impl Frame {
    fn is_bounded(&self) -> bool {
        match self {
            Self::Hello(hello) => hello.beat.is_bounded() && hello.peers.len() <= MAX_PEERS,
            Self::Beat(beat) => beat.is_bounded(),
            Self::Texts { .. } | Self::Private { .. } | Self::Bye => true,
        }
    }
}

impl Beat {
    fn is_bounded(&self) -> bool {
        self.clock.len() <= MAX_KNOWN && self.meets.len() <= MAX_PEERS
    }
}

impl fmt::Display for AuthorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(2).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AuthorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(unreadable) => unreadable.fmt(f),
            Self::TooMuch => {
                write!(f, "a clock has at most {MAX_KNOWN} authors, a hello {MAX_PEERS} peers")
            }
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mangled::assert_read_or_refused;

    fn beat() -> Beat {
        let floor = Place { stamp: Stamp { at: 9, counter: 1 }, author: AuthorId([1; 16]), number: 2 };
        Beat { port: 7001, hears: 2, clock: vec![(AuthorId([1; 16]), 3)], meets: vec![], floor: Some(floor) }
    }

    fn frames() -> [Frame; 5] {
        let entry = Entry {
            number: 1,
            stamp: Stamp { at: u64::MAX, counter: 7 },
            name: Name::new("ann").unwrap(),
            tone: PublicTone::Action,
            text: Text::new("¡hola! 🦀").unwrap(),
        };
        let peers = vec!["10.0.0.1:7001".parse().unwrap(), "[::1]:7002".parse().unwrap()];
        [
            Frame::Hello(Hello { name: Name::new("bob").unwrap(), beat: beat(), peers }),
            Frame::Texts { runs: vec![Run { author: AuthorId([2; 16]), after: 0, entries: vec![entry] }] },
            Frame::Private { at: 5, text: Text::new("psst").unwrap() },
            Frame::Beat(beat()),
            Frame::Bye,
        ]
    }

    #[test]
    fn what_is_said_is_read_as_it_was() {
        for frame in frames() {
            assert_eq!(decode(&encode(&frame)).unwrap(), frame);
        }
    }

    #[test]
    fn the_bytes_are_those_that_others_know() {
        assert_eq!(encode(&Frame::Bye), b"\x92\x01\xa3bye");
        let author = AuthorId([b'x'; 16]);
        let beat = Beat { port: 1, hears: 2, clock: vec![(author, 3)], meets: vec![], floor: None };
        let bytes = b"\x92\x01\x81\xa4beat\x95\x01\x02\x91\x92\xc4\x10xxxxxxxxxxxxxxxx\x03\x90";
        assert_eq!(encode(&Frame::Beat(beat.clone())), [&bytes[..], b"\xc0"].concat());
        let floor = Place { stamp: Stamp { at: 4, counter: 5 }, author, number: 6 };
        let place = b"\x93\x92\x04\x05\xc4\x10xxxxxxxxxxxxxxxx\x06";
        let beat = Frame::Beat(Beat { floor: Some(floor), ..beat });
        assert_eq!(encode(&beat), [&bytes[..], place].concat());
    }

    #[test]
    fn a_routing_id_says_who_speaks() {
        let speaker = Speaker { author: AuthorId([7; 16]), way: 258 };

        assert_eq!(Speaker::of_bytes(&speaker.to_bytes()), Some(speaker));
        assert_eq!(Speaker::of_bytes(&speaker.to_bytes()[1..]), None);
        assert_eq!(Speaker::of_bytes(&[1; 25]), None, "another kind");
    }

    #[test]
    fn a_frame_has_bounds() {
        let clock = vec![(AuthorId([1; 16]), 1); MAX_KNOWN + 1];
        let frame = Frame::Beat(Beat { clock, ..beat() });

        assert!(matches!(decode(&encode(&frame)), Err(Refused::TooMuch)));
        assert!(matches!(decode(b"GET / HTTP/1.1\r\n\r\n"), Err(Refused::Unreadable(_))));
    }

    /// Fails if anything is read that does not say the same when it is written again, or makes a reader panic.
    #[test]
    fn damaged_frames_are_read_or_refused() {
        assert_read_or_refused(frames().iter().map(encode).collect(), |bytes| {
            let Ok(frame) = decode(bytes) else { return false };
            assert_eq!(decode(&encode(&frame)).unwrap(), frame);
            true
        });
    }
}
