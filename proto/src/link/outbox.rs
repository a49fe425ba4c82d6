//! The batch being gathered for one link.
//!
//! Frames are written into it as they are decided; it is handed over when it is full or when the loop has nothing else to
//! do, so that whatever happened in one turn leaves as one message.

use super::Numbering;
use crate::{
    credit::Chunk,
    id::{Attempt, SessionId},
    wire::{BatchWriter, Cuts, Frame, cut_octets},
};

/// A batch in the making.
#[derive(Debug, Default)]
pub struct Outbox {
    writer: BatchWriter,
}

impl Outbox {
    /// Whether there is nothing to send.
    pub const fn is_empty(&self) -> bool {
        self.writer.is_empty()
    }

    /// Whether it should be sent before more is added.
    pub const fn is_full(&self) -> bool {
        self.writer.is_full()
    }

    /// Adds a frame.
    pub fn post(&mut self, frame: &Frame<'_>) {
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
        self.writer.write(&Frame::Data {
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

    /// Closes the batch under the next number.
    pub fn seal(&mut self, numbering: &mut Numbering) -> Vec<u8> {
        self.writer.seal(numbering.advance())
    }

    /// Throws away what was gathered: the epoch it was for is over.
    pub fn clear(&mut self) {
        self.writer = BatchWriter::default();
    }
}
