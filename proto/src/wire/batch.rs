//! One ZeroMQ message between two nodes: numbers, then frames.
//!
//! ```text
//!  dd count   cf epoch   cf number   cf received   frame …
//! └─ array32 ┴──────── three u64, filled in when sealed ───┘
//! ```

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};

use super::frame::Frame;
use crate::id::Epoch;

/// A batch is sealed when it has grown to this, in bytes.
pub const TARGET_BATCH: usize = 256 * 1024;
/// No batch is longer, in bytes; ZeroMQ drops a connection that sends one.
pub const MAX_BATCH: usize = 1024 * 1024;
/// Behind a payload of so many bytes there is often another: room is made for a whole batch of them. Were it made for one
/// after the other, what is there already would be copied each time.
const LONG_PAYLOAD: usize = 16 * 1024;
const MAX_FRAMES: usize = 65_536;
const HEADER: usize = 5 + 3 * 9;

/// The numbers every batch carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Which greeting it belongs to.
    pub epoch: Epoch,
    /// Its own number, from 1.
    pub number: u64,
    /// The last number received from the other side.
    pub received: u64,
}

/// A decoded batch; payloads borrow from its bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    /// Its numbers.
    pub header: Header,
    /// Its frames, in order.
    pub frames: Vec<Frame<'a>>,
}

/// Why bytes are no batch.
#[derive(Debug)]
pub struct Malformed(rmp_serde::decode::Error);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a batch: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

impl<'a> Batch<'a> {
    /// Decodes `bytes`, whatever they are.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        rmp_serde::from_slice(bytes).map_err(Malformed)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Batch<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BatchVisitor)
    }
}

struct BatchVisitor;

impl<'de> Visitor<'de> for BatchVisitor {
    type Value = Batch<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Batch<'de>, A::Error> {
        let mut number =
            || seq.next_element::<u64>()?.ok_or_else(|| A::Error::custom("the header ends early"));
        let header = Header { epoch: Epoch(number()?), number: number()?, received: number()? };
        // A frame takes two bytes at least, so the announced count is no reason to allocate much.
        let mut frames = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(64));
        while let Some(frame) = seq.next_element()? {
            if frames.len() == MAX_FRAMES {
                return Err(A::Error::custom("too many frames"));
            }
            frames.push(frame);
        }
        Ok(Batch { header, frames })
    }
}

/// Gathers frames into a batch.
#[derive(Debug, Default)]
pub struct BatchWriter {
    bytes: Vec<u8>,
    frames: u32,
}

impl BatchWriter {
    /// Whether no frame has been written.
    pub const fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Whether it is time to seal it.
    pub const fn is_full(&self) -> bool {
        self.bytes.len() >= TARGET_BATCH || self.frames as usize >= MAX_FRAMES - 1
    }

    /// Bytes until the target is reached.
    pub const fn room(&self) -> usize {
        TARGET_BATCH.saturating_sub(self.bytes.len())
    }

    /// Adds a frame.
    #[expect(clippy::missing_panics_doc, reason = "writing to a Vec cannot fail")]
    pub fn write(&mut self, frame: &Frame<'_>) {
        if self.bytes.is_empty() {
            self.bytes.resize(HEADER, 0);
        }
        if let Frame::Data { payload, .. } = frame {
            self.make_room(payload.len());
        }
        frame
            .serialize(&mut rmp_serde::Serializer::new(&mut self.bytes))
            .expect("a Vec takes every write, and a frame has no value MessagePack lacks");
        self.frames += 1;
    }

    fn make_room(&mut self, payload: usize) {
        let has_room = self.bytes.capacity() - self.bytes.len() >= payload;
        if payload >= LONG_PAYLOAD && !has_room {
            self.bytes.reserve(self.room() + payload);
        }
    }

    /// Fills in the numbers and hands the batch over; the writer is empty again.
    pub fn seal(&mut self, header: Header) -> Vec<u8> {
        let capacity = self.bytes.len().min(TARGET_BATCH);
        let mut bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(capacity));
        bytes.resize(bytes.len().max(HEADER), 0);
        bytes[0] = 0xdd;
        bytes[1..5].copy_from_slice(&(self.frames + 3).to_be_bytes());
        for (at, number) in [(5, header.epoch.0), (14, header.number), (23, header.received)] {
            bytes[at] = 0xcf;
            bytes[at + 1..at + 9].copy_from_slice(&number.to_be_bytes());
        }
        self.frames = 0;
        bytes
    }
}

#[cfg(test)]
mod tests;
