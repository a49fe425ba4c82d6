//! Records of a file: bytes with checksums, which are seeded with where in the file they are.
//!
//! ```text
//!   0      4       8          16                16 + length
//!   │length│check  │check     │ MessagePack …   │
//!   │      │of it  │of what   │                 │
//! ```
//!
//! Numbers are little endian. A record is cut off if the file ends within it, or has nothing but zeros where it should begin:
//! that is what a crash leaves. With anything else the file is damaged.

use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    room::{Batch, Kept},
    wire::room::{LogId, MemberId},
};

const FORMAT: u8 = 1;
const PREFIX: usize = 16;

/// What a file begins with.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) log: LogId,
    /// The number of the next entry.
    pub(super) first: u64,
    pub(super) authors: Vec<(MemberId, u64, u64)>,
}

/// A batch as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    pub(super) first: u64,
    entries: Vec<(MemberId, Option<MemberId>, ByteBuf)>,
    pub(super) authors: Vec<(MemberId, u64, u64)>,
    pub(super) forgotten: Vec<MemberId>,
}

#[derive(Debug)]
pub(super) enum Record {
    Head(Head),
    Batch(Written),
}

/// Why there is no further record, though there are further bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The file ends within it.
    CutOff {
        /// So many bytes after the last whole record.
        bytes: u64,
    },
    /// It is not as it was written.
    Damaged {
        /// What is wrong, and where.
        what: String,
    },
}

#[derive(Serialize)]
enum Borrowed<'a> {
    Head(u8, LogId, u64, &'a [(MemberId, u64, u64)]),
    Batch(u64, Vec<(MemberId, Option<MemberId>, &'a Bytes)>, &'a [(MemberId, u64, u64)], &'a [MemberId]),
}

#[derive(Deserialize)]
enum Owned {
    Head(u8, LogId, u64, Vec<(MemberId, u64, u64)>),
    Batch(Written),
}

/// The bytes of a head, which is at the beginning.
pub(super) fn head(head: &Head) -> Vec<u8> {
    write(&Borrowed::Head(FORMAT, head.log, head.first, &head.authors), 0)
}

/// The bytes of a batch, for any place.
pub(super) fn batch(batch: &Batch) -> impl Fn(u64) -> Vec<u8> {
    |at| {
        let entries = batch.entries.iter();
        let entries = entries.map(|kept| (kept.author, kept.to, Bytes::new(&kept.bytes))).collect();
        write(&Borrowed::Batch(batch.first, entries, &batch.authors, &batch.forgotten), at)
    }
}

fn write(record: &Borrowed<'_>, at: u64) -> Vec<u8> {
    let mut bytes = vec![0; PREFIX];
    // Writing to memory cannot fail.
    let _ = record.serialize(&mut rmp_serde::Serializer::new(&mut bytes));
    let length = ((bytes.len() - PREFIX) as u32).to_le_bytes();
    let sum = xxh3_64_with_seed(&bytes[PREFIX..], at).to_le_bytes();
    bytes[..4].copy_from_slice(&length);
    bytes[4..8].copy_from_slice(&check(length, at));
    bytes[8..PREFIX].copy_from_slice(&sum);
    bytes
}

/// The records in the bytes of a file.
pub(super) fn read(bytes: &[u8]) -> impl Iterator<Item = Result<Record, Unreadable>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == bytes.len() {
            return None;
        }
        let read = next(&bytes[at..], at as u64);
        at = read.as_ref().map_or(bytes.len(), |(_, length)| at + length);
        Some(read.map(|(record, _)| record))
    })
}

fn next(bytes: &[u8], at: u64) -> Result<(Record, usize), Unreadable> {
    let damaged = |what: &str| Unreadable::Damaged { what: format!("{what} at byte {at}") };
    let cut_off = Unreadable::CutOff { bytes: bytes.len() as u64 };
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(cut_off);
    }
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return Err(cut_off) };
    let [l0, l1, l2, l3, c0, c1, c2, c3, sum @ ..] = *prefix;
    let length = [l0, l1, l2, l3];
    if check(length, at) != [c0, c1, c2, c3] {
        return Err(damaged("there is no record"));
    }
    let length = u32::from_le_bytes(length) as usize;
    let Some(payload) = rest.get(..length) else { return Err(cut_off) };
    if xxh3_64_with_seed(payload, at) != u64::from_le_bytes(sum) {
        // The last one may have its length on the disk, and not the rest.
        return Err(if rest.len() == length {
            cut_off
        } else {
            damaged("a record has other bytes than were written")
        });
    }
    let record = match rmp_serde::from_slice(payload) {
        Ok(Owned::Head(FORMAT, log, first, authors)) => Record::Head(Head { log, first, authors }),
        Ok(Owned::Head(format, ..)) => return Err(damaged(&format!("there is a head of format {format}"))),
        Ok(Owned::Batch(batch)) => Record::Batch(batch),
        Err(error) => return Err(damaged(&format!("a record is not understood ({error})"))),
    };
    Ok((record, PREFIX + length))
}

fn check(length: [u8; 4], at: u64) -> [u8; 4] {
    (xxh3_64_with_seed(&length, at) as u32).to_le_bytes()
}

impl Written {
    pub(super) fn entries(&self) -> impl Iterator<Item = Kept> {
        let kept = |(author, to, bytes): &(MemberId, Option<MemberId>, ByteBuf)| Kept {
            author: *author,
            to: *to,
            bytes: bytes.as_slice().into(),
        };
        self.entries.iter().map(kept)
    }
}
