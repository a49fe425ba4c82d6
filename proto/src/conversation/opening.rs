//! The first frames of a session, for secondaries that log in anew when they come back (S5).
//!
//! It keeps as many as any destination wants, whole frames only, within one window of the session's memory.

use bytes::Bytes;

use crate::policy::Rejoin;

/// The first frames a source said.
#[derive(Debug, Default)]
pub struct Opening {
    frames: Vec<Bytes>,
    /// How many more are wanted.
    wanted: u32,
    /// How many bytes more they may have.
    room: u64,
}

impl Opening {
    /// For destinations that rejoin like this; the frames may have so many bytes in all.
    pub fn new(rejoins: impl Iterator<Item = Rejoin>, room: u64) -> Self {
        let wanted = rejoins.map(|rejoin| match rejoin {
            Rejoin::Next => 0,
            Rejoin::First(frames) => frames,
        });
        Self { frames: Vec::new(), wanted: wanted.max().unwrap_or(0), room }
    }

    /// The source has said its next frame. The first that does not fit is the end of it.
    pub fn note(&mut self, frame: &[u8]) {
        if self.wanted == 0 {
            return;
        }
        let len = frame.len() as u64;
        if len > self.room {
            self.wanted = 0;
            return;
        }
        self.wanted -= 1;
        self.room -= len;
        self.frames.push(Bytes::copy_from_slice(frame));
    }

    /// What is kept, in the order it was said.
    pub fn frames(&self) -> &[Bytes] {
        &self.frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_kept_as_any_destination_wants() {
        let mut opening = Opening::new([Rejoin::Next, Rejoin::First(2), Rejoin::First(1)].into_iter(), 100);
        for frame in [b"A", b"B", b"C"] {
            opening.note(frame);
        }
        assert_eq!(opening.frames(), [&b"A"[..], b"B"]);
        assert!(Opening::new([Rejoin::Next].into_iter(), 100).frames().is_empty());
    }

    #[test]
    fn what_does_not_fit_ends_it() {
        let mut opening = Opening::new([Rejoin::First(9)].into_iter(), 3);
        for frame in [&b"AB"[..], b"CD", b"E"] {
            opening.note(frame);
        }
        assert_eq!(opening.frames(), [&b"AB"[..]]);
    }
}
