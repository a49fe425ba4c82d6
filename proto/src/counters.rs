//! What is counted, and the identity that ties it together (S13):
//!
//! `accepted = delivered + in_flight + spooled + shed`, in frames and in bytes, for every destination.
//!
//! Each term is kept on its own; none is computed from the others, so a fault in one shows.

use std::ops::{Add, AddAssign, SubAssign};

use serde::{Deserialize, Serialize};

/// A number of frames and of bytes. A frame counts where it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Frames begun.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Tally {
    /// Nothing.
    pub const ZERO: Self = Self { frames: 0, bytes: 0 };

    /// So many frames with so many bytes in all.
    pub const fn new(frames: u64, bytes: u64) -> Self {
        Self { frames, bytes }
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.frames == 0 && self.bytes == 0
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { frames: self.frames + other.frames, bytes: self.bytes + other.bytes }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Tally {
    fn sub_assign(&mut self, other: Self) {
        self.frames -= other.frames;
        self.bytes -= other.bytes;
    }
}

/// Why frames were shed. Everything shed has one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShedReason {
    /// The destination is away, or no worker serves it.
    Away,
    /// The session's window for this destination is spent.
    WindowFull,
    /// The session ended before the destination had taken it.
    SessionEnded,
    /// The connection broke while it was on its way.
    ConnectionLost,
    /// The window ended inside a frame longer than `max_frame`.
    OversizedFrame,
    /// The destination is back, but the stream was not yet at a place to join it.
    Joining,
    /// The worker's kernel would not send the datagram.
    Unsendable,
}

impl ShedReason {
    /// All reasons, in the order of [`Account::shed`].
    pub const ALL: [Self; 7] = [
        Self::Away,
        Self::WindowFull,
        Self::SessionEnded,
        Self::ConnectionLost,
        Self::OversizedFrame,
        Self::Joining,
        Self::Unsendable,
    ];

    /// The word for it in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::WindowFull => "window_full",
            Self::SessionEnded => "session_ended",
            Self::ConnectionLost => "connection_lost",
            Self::OversizedFrame => "oversized_frame",
            Self::Joining => "joining",
            Self::Unsendable => "unsendable",
        }
    }
}

/// What became of the frames offered to one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Offered, including what was sent again after a worker was lost (`replayed`).
    pub accepted: Tally,
    /// Taken by the destination's kernel socket.
    pub delivered: Tally,
    /// Held for the destination: queued, or sent and not known to be written.
    pub in_flight: Tally,
    /// On disk.
    pub spooled: Tally,
    /// Discarded on purpose, by reason, in the order of [`ShedReason::ALL`].
    pub shed: [Tally; ShedReason::ALL.len()],
    /// The part of `accepted` that was offered a second time, to another worker.
    pub replayed: Tally,
}

impl Account {
    /// Takes responsibility for frames.
    pub fn accept(&mut self, tally: Tally) {
        self.accepted += tally;
        self.in_flight += tally;
    }

    /// They reached the destination.
    pub fn deliver(&mut self, tally: Tally) {
        self.in_flight -= tally;
        self.delivered += tally;
    }

    /// They were held and are given up.
    pub fn give_up(&mut self, tally: Tally, reason: ShedReason) {
        self.in_flight -= tally;
        self.shed[reason as usize] += tally;
    }

    /// They are refused where they are offered.
    pub fn refuse(&mut self, tally: Tally, reason: ShedReason) {
        self.accepted += tally;
        self.shed[reason as usize] += tally;
    }

    /// They were delivered in part or whole and are held again, for another worker.
    pub fn replay(&mut self, tally: Tally) {
        self.replayed += tally;
        self.accept(tally);
    }

    /// They were counted as delivered too early: the kernel has not sent them after all. False if there is no such thing.
    pub fn take_back(&mut self, tally: Tally, reason: ShedReason) -> bool {
        let is_known = tally.frames <= self.delivered.frames && tally.bytes <= self.delivered.bytes;
        if is_known {
            self.delivered -= tally;
            self.shed[reason as usize] += tally;
        }
        is_known
    }

    /// What was shed, over all reasons.
    pub fn shed_total(&self) -> Tally {
        self.shed.iter().fold(Tally::ZERO, |sum, tally| sum + *tally)
    }

    /// S13.
    pub fn is_balanced(&self) -> bool {
        self.accepted == self.delivered + self.in_flight + self.spooled + self.shed_total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_a_frame_keeps_the_identity() {
        let frame = Tally::new(1, 10);
        let mut account = Account::default();
        for step in [
            |a: &mut Account, f| a.accept(f),
            |a: &mut Account, f| a.deliver(f),
            |a: &mut Account, f| a.replay(f),
            |a: &mut Account, f| a.give_up(f, ShedReason::SessionEnded),
            |a: &mut Account, f| a.refuse(f, ShedReason::Away),
        ] {
            step(&mut account, frame);
            assert!(account.is_balanced(), "{account:?}");
        }
        assert_eq!(account.shed_total(), Tally::new(2, 20));
    }

    #[test]
    fn reasons_stand_in_the_order_of_their_counters() {
        for (index, reason) in ShedReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
    }
}
