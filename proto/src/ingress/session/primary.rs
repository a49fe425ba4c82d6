//! The way to the primary, by what the source is.
//!
//! A [`PrimaryLane`] has no policy for being full: it takes everything, and the session stops reading the source. A source
//! of datagrams shares its socket with all others, so a [`DatagramLane`] has no way to pause it: what there is no room for
//! is shed (S11).

use std::ops::{Deref, DerefMut};

use super::lane::Lane;
use crate::{
    codec::Codec,
    counters::{Account, ShedReason},
    credit::{Chunk, Keep},
    id::DestinationIndex,
    time::Instant,
};

/// How far the primary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ingress) enum PrimaryState {
    /// No worker serves it.
    Unplaced,
    /// A worker is connecting.
    Opening,
    /// Connected.
    Open,
}

/// The way to the primary, by what the source is.
#[derive(Debug)]
pub(in crate::ingress) enum Primary {
    Stream(PrimaryLane),
    Datagrams(DatagramLane),
}

/// The way to the primary of a stream.
#[derive(Debug)]
pub(in crate::ingress) struct PrimaryLane(PrimaryWay);

/// The way to the primary of a source of datagrams.
#[derive(Debug)]
pub(in crate::ingress) struct DatagramLane(PrimaryWay);

/// What both are made of.
#[derive(Debug)]
pub(in crate::ingress) struct PrimaryWay {
    pub(in crate::ingress) lane: Lane,
    pub(in crate::ingress) state: PrimaryState,
    /// When to look for a worker, if it may not have one before.
    pub(in crate::ingress) place_at: Option<Instant>,
}

impl Primary {
    pub(in crate::ingress) fn new(codec: &Codec, max_frame: u32, window: u64, keep: Keep) -> Self {
        let lane = Lane::new(DestinationIndex::PRIMARY, codec, max_frame, window, keep);
        let way = PrimaryWay { lane, state: PrimaryState::Unplaced, place_at: None };
        if codec.is_datagram() {
            return Self::Datagrams(DatagramLane(way));
        }
        Self::Stream(PrimaryLane(way))
    }
}

impl Deref for Primary {
    type Target = PrimaryWay;

    fn deref(&self) -> &PrimaryWay {
        let (Self::Stream(PrimaryLane(way)) | Self::Datagrams(DatagramLane(way))) = self;
        way
    }
}

impl DerefMut for Primary {
    fn deref_mut(&mut self) -> &mut PrimaryWay {
        let (Self::Stream(PrimaryLane(way)) | Self::Datagrams(DatagramLane(way))) = self;
        way
    }
}

impl PrimaryLane {
    /// Takes a chunk, always.
    pub(in crate::ingress) fn admit(&mut self, chunk: Chunk, account: &mut Account) {
        account.accept(chunk.tally());
        self.0.lane.push(chunk);
    }

    /// Whether another unit would go beyond the window.
    pub(in crate::ingress) const fn is_full(&self) -> bool {
        self.0.lane.outbound.outstanding() >= self.0.lane.window
    }
}

impl DatagramLane {
    /// Takes the datagrams of a chunk that the window has room for, and sheds the newest. Returns those taken.
    pub(in crate::ingress) fn offer(&mut self, mut chunk: Chunk, account: &mut Account) -> Option<Chunk> {
        let lane = &mut self.0.lane;
        let room = lane.room();
        if chunk.cost() > room {
            let fits = chunk.whole_frames_within(room);
            if fits == 0 {
                account.refuse(chunk.tally(), ShedReason::WindowFull);
                return None;
            }
            account.refuse(chunk.split_off(fits).tally(), ShedReason::WindowFull);
        }
        account.accept(chunk.tally());
        lane.push(chunk.clone());
        Some(chunk)
    }
}
