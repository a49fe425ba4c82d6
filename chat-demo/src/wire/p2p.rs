//! What the two ends of a line say to each other: `chat p2p`.
//!
//! A frame is one ZeroMQ message part: the MessagePack array `[version, {kind: fields}]`, as in [`super::room`]. Both ends
//! say the same things; on each new connection a hello comes first.
//!
//! ```text
//! Hello(name, session, of, heard) ──▶ ◀── Hello(…)   of whom it has heard how much, before this connection
//! Say(number, …), Say(…) ──────────▶               all that is not known to be heard, then as it is typed
//!                          ◀─────────── Heard(number)   and all before it
//! Beat(heard) ─────────────────────▶ ◀── Beat(heard)   each second, so that silence means something
//! Bye ─────────────────────────────▶
//! ```

use serde::{Deserialize, Serialize};

use super::room::{self, Unreadable};
use crate::{Name, PublicTone, Text};

/// The longest frame, in bytes: a text at its longest, and some.
pub(crate) const MAX_FRAME: usize = Text::MAX_BYTES + 1024;

/// One run of a process at an end of a line; whoever is started again is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session(pub(crate) u64);

/// What one end says to the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Frame {
    /// Says who is here. Once more on the same connection: is called otherwise from now on.
    Hello(Hello),
    /// Says something.
    Say(Say),
    /// Has got all texts up to this number.
    Heard {
        /// The author's number.
        number: u64,
    },
    /// Is alive, and has got all texts up to this number.
    Beat {
        /// The author's number.
        heard: u64,
    },
    /// Hangs up.
    Bye,
}

/// How an end introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// What it is called.
    pub(crate) name: Name,
    /// Which one it is.
    pub(crate) session: Session,
    /// Whose texts it has heard before, if anybody's.
    pub(crate) of: Option<Session>,
    /// Up to which number.
    pub(crate) heard: u64,
}

/// One text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Say {
    /// The author's: from 1, each one more than the one before.
    pub(crate) number: u64,
    /// What.
    pub(crate) text: Text,
    /// In which tone.
    pub(crate) tone: PublicTone,
}

/// The frame as bytes.
pub(crate) fn encode(frame: &Frame) -> Vec<u8> {
    room::encode(frame)
}

/// The frame in these bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<Frame, Unreadable> {
    if bytes.len() > MAX_FRAME { Err(Unreadable::Long) } else { room::decode(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mangled::assert_read_or_refused;

    fn say(text: &str) -> Frame {
        Frame::Say(Say { number: 1, text: Text::new(text).unwrap(), tone: PublicTone::Action })
    }

    #[test]
    fn what_is_said_is_read_as_it_was() {
        let name = Name::new("ann").unwrap();
        let hello = Hello { name, session: Session(u64::MAX), of: Some(Session(1)), heard: 3 };
        for frame in [
            Frame::Hello(hello),
            say("¡hola! 🦀"),
            say(&"x".repeat(Text::MAX_BYTES)),
            Frame::Beat { heard: 2 },
        ] {
            assert_eq!(decode(&encode(&frame)).unwrap(), frame);
        }
    }

    #[test]
    fn the_bytes_are_those_that_others_know() {
        let hello = Hello { name: Name::new("a").unwrap(), session: Session(7), of: None, heard: 0 };
        assert_eq!(encode(&Frame::Hello(hello)), b"\x92\x01\x81\xa5hello\x94\xa1a\x07\xc0\x00");
        assert_eq!(encode(&say("x")), b"\x92\x01\x81\xa3say\x93\x01\xa1x\xa6action");
        assert_eq!(encode(&Frame::Heard { number: 5 }), b"\x92\x01\x81\xa5heard\x91\x05");
        assert_eq!(encode(&Frame::Beat { heard: 5 }), b"\x92\x01\x81\xa4beat\x91\x05");
        assert_eq!(encode(&Frame::Bye), b"\x92\x01\xa3bye");
    }

    #[test]
    fn what_is_too_long_or_of_another_version_is_refused() {
        assert!(matches!(decode(&[0; MAX_FRAME + 1]), Err(Unreadable::Long)));
        assert!(matches!(decode(b"\x92\x02\xa3bye"), Err(Unreadable::Version(2))));
    }

    /// Fails if anything is read that does not say the same when it is written again, or makes a reader panic.
    #[test]
    fn damaged_frames_are_read_or_refused() {
        let name = Name::new("ann").unwrap();
        let hello = |of| Hello { name: name.clone(), session: Session(1 << 40), of, heard: 300 };
        let frames = [
            Frame::Hello(hello(Some(Session(7)))),
            Frame::Hello(hello(None)),
            say("¡hola! 🦀"),
            Frame::Heard { number: 70_000 },
            Frame::Beat { heard: 5 },
            Frame::Bye,
        ];
        assert_read_or_refused(frames.iter().map(encode).collect(), |bytes| {
            let Ok(frame) = decode(bytes) else { return false };
            assert_eq!(decode(&encode(&frame)).unwrap(), frame);
            true
        });
    }
}
