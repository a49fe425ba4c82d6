//! The batch being gathered for one link.
//!
//! Frames are written into it as they are decided; it is handed over when it is full or when the loop has nothing else to
//! do, so that whatever happened in one turn leaves as one message.

use std::collections::VecDeque;

use super::Numbering;
use crate::{
    credit::Chunk,
    id::{Attempt, SessionId},
    wire::{BatchWriter, Cuts, Frame, cut_octets},
};

/// A batch in the making, and those before it that are full. What is posted is bounded by sessions and their windows, not
/// by a batch: a greeting can open thousands.
#[derive(Debug, Default)]
pub struct Outbox {
    full: VecDeque<BatchWriter>,
    writer: BatchWriter,
}

impl Outbox {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.full.is_empty() && self.writer.is_empty()
    }

    /// Whether it should be sent before more is added.
    pub fn is_full(&self) -> bool {
        !self.full.is_empty() || self.writer.is_full()
    }

    /// Adds a frame.
    pub fn post(&mut self, frame: &Frame<'_>) {
        if self.writer.is_full() {
            self.full.push_back(std::mem::take(&mut self.writer));
        }
        self.writer.write(frame);
    }

    /// Adds a chunk as DATA.
    pub fn post_data(
        &mut self,
        session: SessionId,
        attempt: Attempt,
        position: u64,
        written: u64,
        chunk: &Chunk,
    ) {
        let octets = cut_octets(chunk.cuts());
        self.post(&Frame::Data {
            session,
            attempt,
            position,
            written,
            starts: chunk.starts(),
            ends: chunk.ends(),
            cuts: Cuts::of_chunk(&octets),
            payload: chunk.bytes(),
        });
    }

    /// Closes the oldest batch under the next number, if there is anything to send.
    pub fn seal(&mut self, numbering: &mut Numbering) -> Option<Vec<u8>> {
        if let Some(mut full) = self.full.pop_front() {
            return Some(full.seal(numbering.advance()));
        }
        (!self.writer.is_empty()).then(|| self.writer.seal(numbering.advance()))
    }

    /// Throws away what was gathered: the epoch it was for is over.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::Epoch,
        wire::{Batch, MAX_BATCH, Patience},
    };

    #[test]
    fn what_does_not_fit_one_batch_leaves_in_several() {
        let (mut outbox, mut numbering) = (Outbox::default(), Numbering::new(Epoch(1)));
        for session in 0..65_536 {
            let (session, attempt) = (SessionId(session | 1 << 40), Attempt(1));
            let (position, limit, window) = (1 << 40, 1 << 40, u32::MAX);
            let (patience, timeout_millis) = (Patience::Patient, u32::MAX);
            outbox.post(&Frame::Open { session, attempt, position, limit, window, patience, timeout_millis });
        }
        let batches: Vec<_> = std::iter::from_fn(|| outbox.seal(&mut numbering)).collect();
        let frames: usize = batches.iter().map(|batch| Batch::decode(batch).unwrap().frames.len()).sum();
        assert_eq!((frames, outbox.is_empty(), numbering.sent()), (65_536, true, batches.len() as u64));
        assert!(batches.iter().all(|batch| batch.len() < MAX_BATCH));
    }
}
