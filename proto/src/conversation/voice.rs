//! One destination's voice in a session: what it was given and owes, and the frame it is saying.
//!
//! It knows whether that frame is a reply or an ask from its first byte on, for a reply is paid for where it begins. It
//! keeps the bytes of a frame only while it is in pieces, `max_frame` of them at most.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use super::debts::{Debts, Reply, Request};
use crate::time::Instant;

/// Stored answers that may wait for the end of a source frame.
pub const MAX_ANSWERS: usize = 64;
/// A buffer that grew larger than this is given back.
const KEPT_CAPACITY: usize = 4096;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An answer to a source frame.
    Reply(Reply),
    /// Something the destination began by itself.
    Ask,
}

/// What one destination says, and what it was told.
#[derive(Debug, Default)]
pub struct Voice {
    /// What it was given and owes.
    pub debts: Debts,
    /// What the frame in progress is, once it has begun.
    pub kind: Option<Kind>,
    /// The frame in progress so far.
    // Invariant: at most max_frame bytes.
    pub heard: Vec<u8>,
    /// The frame in progress is longer than `max_frame`, and not kept.
    pub is_oversized: bool,
    /// When silence ends the frame in progress, where silence ends frames.
    pub quiet_at: Option<Instant>,
    /// What the frame before the one in progress was, and when it spoke last; where silence ends frames.
    last: Option<Kind>,
    spoke_at: Option<Instant>,
    /// Stored answers that wait until the stream to it is between two frames.
    pub answers: VecDeque<Bytes>,
    /// Source frames that were offered to it.
    offered: Request,
    /// Source frames before this one have reached it, or never will.
    reached: Request,
    /// It has got every source frame from this one on, over its present connection.
    in_step_from: Request,
}

impl Voice {
    /// Source frames were queued for it.
    pub fn send(&mut self, frames: u64) {
        self.debts.send(Some(self.offered), frames);
        self.offered += frames;
    }

    /// So many frames more have reached it. Returns the number behind the last of the source's among them.
    pub fn deliver(&mut self, frames: u64, is_owed: bool, now: Instant) -> Option<Request> {
        let reached = self.debts.deliver(frames, is_owed, now);
        self.reached = reached.unwrap_or(self.reached);
        reached
    }

    /// Whether this has reached it.
    pub fn has_got(&self, request: Request) -> bool {
        request < self.reached
    }

    /// Source frames were kept from it.
    pub fn miss(&mut self, frames: u64) {
        if frames > 0 {
            self.offered += frames;
            self.in_step_from = self.offered;
        }
    }

    /// Whether its reply to this can be held against another's.
    pub fn is_in_step(&self, request: Request) -> bool {
        request >= self.in_step_from
    }

    /// What comes from now on can be compared, what came before cannot.
    pub fn fall_out_of_step(&mut self) {
        self.in_step_from = self.offered;
    }

    /// Its connection is gone, and what was on its way with it.
    pub fn break_off(&mut self) {
        self.debts.clear();
        self.stop();
        self.fall_out_of_step();
    }

    /// Another connection takes over, to which the last `again` frames are sent once more.
    pub fn take_over(&mut self, again: u64) {
        self.debts.resend(again);
        self.stop();
        self.fall_out_of_step();
    }

    /// Source frames offered so far.
    pub const fn offered(&self) -> Request {
        self.offered
    }

    /// Adds to the frame in progress, unless it grows too long.
    pub fn gather(&mut self, piece: &[u8], max_frame: u32) {
        self.is_oversized |= self.heard.len() + piece.len() > max_frame as usize;
        if self.is_oversized {
            self.heard = Vec::new();
        } else {
            self.heard.extend_from_slice(piece);
        }
    }

    /// It says something, where silence of so long ends frames. Returns what it was saying just now, if it was cut short there.
    pub fn speak(&mut self, gap: Duration, now: Instant) -> Option<Kind> {
        let spoke_at = self.spoke_at.replace(now)?;
        self.last.filter(|_| now < spoke_at + gap)
    }

    /// Gives up debts that are too old. Returns how many there were; where silence ends frames, only of those it has said
    /// nothing since, for a burst of its may have answered several.
    pub fn lapse(&mut self, timeout: Duration, now: Instant) -> u64 {
        match self.spoke_at {
            Some(at) => self.debts.lapse(timeout, now, at),
            None => self.debts.lapse(timeout, now, Instant::ZERO),
        }
    }

    /// The frame in progress is over. Returns what it was.
    pub fn finish(&mut self) -> Option<Kind> {
        self.last = self.kind;
        self.quiet_at = None;
        self.is_oversized = false;
        if self.heard.capacity() > KEPT_CAPACITY {
            self.heard = Vec::new();
        }
        self.heard.clear();
        self.kind.take()
    }

    fn stop(&mut self) {
        self.finish();
        self.last = None;
        self.answers.clear();
    }
}
