//! What a row of a room's file has in it, and its checksum: seeded with which log it is and where in it, so that a row of
//! another log, or of another place, is as wrong as one with other bytes.

use rmp_serde::decode;
use serde_bytes::{ByteBuf, Bytes};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    room::{Kept, LastWord},
    wire::room::{LogId, MemberId},
};

/// The entries of a batch, in MessagePack.
pub(super) fn entries(entries: &[Kept]) -> Vec<u8> {
    let rows: Vec<_> = entries.iter().map(|kept| (kept.author, kept.to, Bytes::new(&kept.bytes))).collect();
    // Writing to memory cannot fail.
    rmp_serde::to_vec(&rows).unwrap_or_default()
}

/// The entries that these bytes are.
pub(super) fn kept(bytes: &[u8]) -> Result<impl Iterator<Item = Kept> + use<>, decode::Error> {
    let rows: Vec<(MemberId, Option<MemberId>, ByteBuf)> = rmp_serde::from_slice(bytes)?;
    Ok(rows.into_iter().map(|(author, to, bytes)| Kept { author, to, bytes: bytes.into_vec().into() }))
}

pub(super) fn sum_of_log(log: LogId) -> i64 {
    sum(log, "log", &[])
}

pub(super) fn sum_of_batch(log: LogId, first: u64, entries: &[u8]) -> i64 {
    sum(log, "batches", &[&first.to_le_bytes(), entries])
}

pub(super) fn sum_of_author(log: LogId, last: &LastWord) -> i64 {
    let LastWord { author, own, at } = last;
    let print = own.print.map(u64::to_le_bytes);
    let print: &[u8] = print.as_ref().map_or(&[], |print| print);
    sum(log, "authors", &[&author.0, &own.number.to_le_bytes(), &at.to_le_bytes(), print])
}

fn sum(log: LogId, table: &str, fields: &[&[u8]]) -> i64 {
    let mut sum = Xxh3::new();
    sum.update(&log.0);
    sum.update(table.as_bytes());
    for field in fields {
        sum.update(field);
    }
    sum.digest().cast_signed()
}
