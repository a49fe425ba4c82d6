//! Compares what a secondary replies with what the primary replies (S8).
//!
//! One comparison a secondary. With most codecs replies are compared frame by frame, in any order (`frames`); with `raw`,
//! whose frames mean little, as two streams (`stream`). What is found is a [`Finding`], with samples of what was said.

mod frames;
mod stream;

pub use self::{frames::Frames, stream::Stream};
use super::debts::Request;
use crate::time::Instant;

/// Bytes of a reply that are kept to show them, and to find where two begin to differ.
pub const MAX_SAMPLE: usize = 1024;

/// How a secondary's replies differ from the primary's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// The primary said it and the secondary did not, in time.
    Missing,
    /// Only the secondary said it.
    Extra,
    /// Both said something, and not the same.
    Different,
}

impl Finding {
    /// All of them, in the order of their counters.
    pub const ALL: [Self; 3] = [Self::Missing, Self::Extra, Self::Different];

    /// The word for it in reports and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Different => "different",
        }
    }
}

/// One divergence: what was found, and the beginning of what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// What was found.
    pub finding: Finding,
    /// The source frame it is about, if it is known.
    pub request: Option<Request>,
    /// What the primary said, [`MAX_SAMPLE`] bytes at most.
    pub primary: Vec<u8>,
    /// What the secondary said, [`MAX_SAMPLE`] bytes at most.
    pub secondary: Vec<u8>,
    /// The first byte in which they differ, if it is among those.
    pub offset: Option<u64>,
}

/// Whose reply it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The primary's.
    Primary,
    /// The secondary's.
    Secondary,
}

/// A reply, or a piece of one, that is to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Its bytes, without what is left out.
    pub bytes: &'a [u8],
    /// Of these.
    pub hash: u64,
    /// Where the codec has one: it is held against a reply of the same key only.
    pub key: Option<u64>,
    /// What it is a reply to.
    pub request: Option<Request>,
    /// When the other side's reply will be overdue; `None` as long as the other side has not got the request.
    pub due: Option<Instant>,
}

/// The comparison of one secondary with the primary.
#[derive(Debug)]
pub enum Comparison {
    /// Frame by frame.
    Frames(Frames),
    /// As streams.
    Stream(Stream),
}

impl Comparison {
    /// Nothing said yet.
    pub fn new(as_stream: bool) -> Self {
        if as_stream { Self::Stream(Stream::default()) } else { Self::Frames(Frames::default()) }
    }

    /// One side has said something.
    pub fn say(&mut self, side: Side, said: &Said<'_>) {
        match self {
            Self::Frames(frames) => frames.say(side, said),
            Self::Stream(stream) => stream.say(side, said),
        }
    }

    /// The secondary has now got all requests before this one: what the primary said to them is due from now on.
    pub fn on_written(&mut self, before: Request, due: Instant) {
        match self {
            Self::Frames(frames) => frames.on_written(before, due),
            Self::Stream(stream) => stream.on_written(due),
        }
    }

    /// The next thing found, if anything is certain by `now`. `is_settled`: neither side owes a reply any more, so what has
    /// no counterpart will get none.
    pub fn judge(&mut self, is_settled: bool, now: Instant) -> Option<Divergence> {
        match self {
            Self::Frames(frames) => frames.judge(is_settled, now),
            Self::Stream(stream) => stream.judge(now),
        }
    }

    /// When something becomes certain by itself.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Frames(frames) => frames.deadline(),
            Self::Stream(stream) => stream.deadline(),
        }
    }

    /// The secondary is out of step: what was waiting is not compared. Returns how many replies of the primary that were.
    pub fn clear(&mut self) -> u64 {
        match self {
            Self::Frames(frames) => frames.clear(),
            Self::Stream(stream) => stream.clear(),
        }
    }

    /// That it keeps no more than it promises. For tests and simulations.
    pub(crate) fn audit(&self) {
        match self {
            Self::Frames(frames) => frames.audit(),
            Self::Stream(stream) => stream.audit(),
        }
    }

    /// Replies that were the same, and replies given up, since it was last asked.
    pub fn take_counts(&mut self) -> Counts {
        match self {
            Self::Frames(frames) => std::mem::take(&mut frames.counts),
            Self::Stream(stream) => std::mem::take(&mut stream.counts),
        }
    }
}

/// What became of replies that were no divergence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The same on both sides.
    pub matched: u64,
    /// The primary's, not compared.
    pub uncompared: u64,
}

fn sample(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(MAX_SAMPLE)]
}

/// Where two begin to differ, if that is within both, or one of them ends before the other.
fn first_difference(one: &[u8], other: &[u8]) -> Option<u64> {
    let differs = one.iter().zip(other).position(|(one, other)| one != other);
    let shorter = one.len().min(other.len());
    differs.or((one.len() != other.len()).then_some(shorter)).map(|at| at as u64)
}
