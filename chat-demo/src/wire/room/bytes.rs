//! Frames as bytes. What is read is bounded before it is looked at, and any bytes give a frame or say why they are none.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use super::{ENTRIES_HEAD, MAX_FRAME, VERSION};

/// Why bytes are no frame.
#[derive(Debug)]
pub enum Unreadable {
    /// They are more than [`MAX_FRAME`].
    Long,
    /// They are of another version.
    Version(u8),
    /// They are not what a frame looks like.
    Malformed(rmp_serde::decode::Error),
    /// There is more after the frame.
    Trailing,
}

/// The frame as bytes.
pub fn encode<T: Serialize>(frame: &T) -> Vec<u8> {
    // Writing to memory cannot fail, and every type here can be written.
    rmp_serde::to_vec(&(VERSION, frame)).unwrap_or_default()
}

/// The frame in these bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    if bytes.len() > MAX_FRAME {
        return Err(Unreadable::Long);
    }
    // The version first, so that a later one is told from garbage.
    if let [0x92, version, ..] = *bytes
        && version != VERSION
    {
        return Err(Unreadable::Version(version));
    }
    let mut rest = bytes;
    let (_, frame): (u8, T) = rmp_serde::decode::from_read(&mut rest).map_err(Unreadable::Malformed)?;
    if rest.is_empty() { Ok(frame) } else { Err(Unreadable::Trailing) }
}

/// A [`FromRoom::Entries`](super::FromRoom::Entries) as bytes, without a copy of the entries on the way.
pub fn encode_entries(after: u64, to: u64, entries: &[u8]) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Borrowed<'a> {
        Entries(u64, u64, &'a serde_bytes::Bytes),
    }
    let mut frame = Vec::with_capacity(entries.len() + ENTRIES_HEAD);
    // Writing to memory cannot fail.
    let _ = (VERSION, Borrowed::Entries(after, to, serde_bytes::Bytes::new(entries)))
        .serialize(&mut rmp_serde::Serializer::new(&mut frame));
    frame
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => write!(f, "a frame has at most {MAX_FRAME} bytes"),
            Self::Version(theirs) => write!(f, "version {theirs} is spoken, not {VERSION}"),
            Self::Malformed(error) => write!(f, "it is no frame: {error}"),
            Self::Trailing => f.write_str("something follows the frame"),
        }
    }
}

impl std::error::Error for Unreadable {}
