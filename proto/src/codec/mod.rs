//! Finds where frames end in a stream of bytes; the bytes themselves are never touched, copied or kept.
//!
//! A [`Codec`] is the route's setting, a [`Framer`] its state for one direction of one session. A framer is total:
//! any bytes are framed somehow, nothing is an error, and how the stream was cut into reads never shows in the
//! result. Time is the caller's: what ends a frame without a byte (a FIN, a quiet gap) is told by `finish`.
//!
//! Each codec is one file that implements `Scan`; here it is only named, in `Codec` and `Scanner`. `foo` ends its frames
//! as `lines` does, and knows besides what a frame says.

mod delimiter;
pub mod foo;
mod length_prefixed;
mod lines;
mod raw;
#[cfg(any(test, fuzzing))]
pub mod reference;

use std::fmt;

pub use delimiter::MAX_DELIMITER;
pub use length_prefixed::{Counts, Endianness, LengthPrefix, Width};

/// How a route's frames end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Nothing in the bytes says so: a frame is a burst, ended by silence or at the largest frame's size.
    Raw,
    /// Just past each `\n`.
    Lines,
    /// Where a length in the frame's header says.
    LengthPrefixed(LengthPrefix),
    /// Just past each of these 1 to [`MAX_DELIMITER`] bytes; with any other number of bytes, never.
    Delimiter(Box<[u8]>),
    /// Just past each `\n`; what the lines say is known, see [`foo`].
    Foo,
    /// Nobody has to find them: a frame is what came in one piece.
    Datagram,
}

impl Codec {
    /// Whether a quiet gap, or the other side speaking, ends a frame of this codec.
    pub fn ends_by_silence(&self) -> bool {
        matches!(self, Self::Raw)
    }

    /// Whether a destination never begins anything, but only replies to what a source said (S9).
    pub fn only_replies(&self) -> bool {
        matches!(self, Self::Foo)
    }

    /// By what a frame is held against others, where the codec has such a thing (S8).
    pub fn key(&self, frame: &[u8]) -> Option<u64> {
        if matches!(self, Self::Foo) { foo::key(frame) } else { None }
    }

    /// Whether the route carries datagrams and not a stream.
    pub const fn is_datagram(&self) -> bool {
        matches!(self, Self::Datagram)
    }
}

/// The codec's name in the settings.
impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Raw => "raw",
            Self::Lines => "lines",
            Self::LengthPrefixed(_) => "length-prefixed",
            Self::Delimiter(_) => "delimiter",
            Self::Foo => "foo",
            Self::Datagram => "datagram",
        })
    }
}

/// Finds frame ends in one direction of one session.
#[derive(Clone, Debug)]
pub struct Framer {
    scanner: Scanner,
    /// Bytes since the last frame's end.
    in_progress: u64,
}

// Every session has two.
const _: () = assert!(size_of::<Framer>() <= 48);

impl Framer {
    /// A framer at a frame's start. `max_frame` is where `raw` cuts; the other codecs delimit a longer frame as any
    /// other, and leave its size to the caller to judge.
    pub fn new(codec: &Codec, max_frame: u32) -> Self {
        Self { scanner: Scanner::new(codec, max_frame), in_progress: 0 }
    }

    /// Appends the offsets just past each frame that ends inside `bytes`: at least 1, strictly increasing, at most
    /// `bytes.len()`, which must fit a `u32`.
    pub fn scan(&mut self, bytes: &[u8], ends: &mut Vec<u32>) {
        debug_assert!(u32::try_from(bytes.len()).is_ok(), "one read is far smaller than 4 GiB");
        let known = ends.len();
        self.scanner.scan(self.in_progress, bytes, ends);
        self.in_progress = match ends[known..].last() {
            Some(&end) => bytes.len() as u64 - u64::from(end),
            None => self.in_progress + bytes.len() as u64,
        };
    }

    /// Ends the frame in progress, if any, where the stream now stands: the next byte starts a frame.
    pub fn finish(&mut self) {
        self.scanner.reset();
        self.in_progress = 0;
    }

    /// Whether the stream stands inside a frame.
    pub fn is_mid_frame(&self) -> bool {
        self.in_progress > 0
    }

    /// Bytes of the frame in progress so far.
    pub fn in_progress(&self) -> u64 {
        self.in_progress
    }
}

/// What a codec's file supplies.
trait Scan {
    /// Appends the frame ends in `bytes`, as [`Framer::scan`] promises. `in_progress` is the number of bytes of the
    /// current frame that came before `bytes`.
    fn scan(&mut self, in_progress: u64, bytes: &[u8], ends: &mut Vec<u32>);

    /// Forgets the frame in progress. A codec that keeps nothing between scans has nothing to do.
    fn reset(&mut self) {}
}

#[derive(Clone, Debug)]
enum Scanner {
    Raw(raw::Raw),
    Lines(lines::Lines),
    LengthPrefixed(length_prefixed::LengthPrefixed),
    Delimiter(delimiter::Delimiter),
    /// Whoever has a datagram knows its end.
    Datagram,
}

impl Scanner {
    fn new(codec: &Codec, max_frame: u32) -> Self {
        match codec {
            Codec::Raw => Self::Raw(raw::Raw::new(max_frame)),
            Codec::Lines | Codec::Foo => Self::Lines(lines::Lines),
            Codec::LengthPrefixed(prefix) => {
                Self::LengthPrefixed(length_prefixed::LengthPrefixed::new(*prefix))
            }
            Codec::Delimiter(bytes) => Self::Delimiter(delimiter::Delimiter::new(bytes)),
            Codec::Datagram => Self::Datagram,
        }
    }
}

impl Scan for Scanner {
    fn scan(&mut self, in_progress: u64, bytes: &[u8], ends: &mut Vec<u32>) {
        match self {
            Self::Raw(raw) => raw.scan(in_progress, bytes, ends),
            Self::Lines(lines) => lines.scan(in_progress, bytes, ends),
            Self::LengthPrefixed(prefixed) => prefixed.scan(in_progress, bytes, ends),
            Self::Delimiter(delimiter) => delimiter.scan(in_progress, bytes, ends),
            Self::Datagram => ends.extend((!bytes.is_empty()).then_some(bytes.len() as u32)),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Raw(raw) => raw.reset(),
            Self::Lines(lines) => lines.reset(),
            Self::LengthPrefixed(prefixed) => prefixed.reset(),
            Self::Delimiter(delimiter) => delimiter.reset(),
            Self::Datagram => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames that end by themselves when `pieces` arrive one after the other.
    pub(super) fn frames(codec: &Codec, max_frame: u32, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut framer = Framer::new(codec, max_frame);
        let (mut whole, mut open) = (Vec::new(), Vec::new());
        for piece in pieces {
            let (mut ends, mut start) = (Vec::new(), 0);
            framer.scan(piece, &mut ends);
            for end in ends {
                open.extend_from_slice(&piece[start..end as usize]);
                whole.push(std::mem::take(&mut open));
                start = end as usize;
            }
            open.extend_from_slice(&piece[start..]);
        }
        whole
    }

    #[test]
    fn only_raw_ends_by_silence() {
        let prefix = reference::length_prefix([0, 2, 0, 0, 0]);
        assert!(Codec::Raw.ends_by_silence());
        let delimiter = Codec::Delimiter(b"#".as_slice().into());
        for codec in [Codec::Lines, Codec::LengthPrefixed(prefix), delimiter, Codec::Datagram, Codec::Foo] {
            assert!(!codec.ends_by_silence(), "{codec}");
        }
    }

    #[test]
    fn a_codec_prints_as_its_name_in_the_settings() {
        let prefix = reference::length_prefix([0, 2, 0, 0, 0]);
        assert_eq!(Codec::Raw.to_string(), "raw");
        assert_eq!(Codec::Lines.to_string(), "lines");
        assert_eq!(Codec::LengthPrefixed(prefix).to_string(), "length-prefixed");
        assert_eq!(Codec::Delimiter(b"#".as_slice().into()).to_string(), "delimiter");
        assert_eq!(Codec::Foo.to_string(), "foo");
        assert_eq!(Codec::Datagram.to_string(), "datagram");
        assert_eq!(format!("{:>6}", Codec::Raw), "   raw");
    }

    #[test]
    fn scanning_appends_after_what_the_caller_already_holds() {
        let mut ends = vec![900];
        let mut framer = Framer::new(&Codec::Lines, 1024);
        framer.scan(b"no end", &mut ends);
        assert_eq!((ends.as_slice(), framer.in_progress()), ([900].as_slice(), 6));
        framer.scan(b"\nnext", &mut ends);
        assert_eq!((ends.as_slice(), framer.in_progress()), ([900, 1].as_slice(), 4));
    }

    #[test]
    fn a_finish_ends_the_frame_in_progress_and_nothing_else() {
        let mut framer = Framer::new(&Codec::Lines, 1024);
        framer.scan(b"tail", &mut Vec::new());
        assert!(framer.is_mid_frame());
        framer.finish();
        assert!(!framer.is_mid_frame());
        framer.finish();
        assert_eq!(framer.in_progress(), 0);
    }

    #[test]
    fn scanning_nothing_changes_nothing() {
        let mut framer = Framer::new(&Codec::Raw, 4);
        let mut ends = Vec::new();
        framer.scan(b"abc", &mut ends);
        framer.scan(b"", &mut ends);
        assert_eq!((ends.len(), framer.in_progress()), (0, 3));
    }
}
