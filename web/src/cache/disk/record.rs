//! What is written of an entry, and how it is known to be whole.
//!
//! ```text
//! ID.head   magic 8 │ length of the head 4 │ its checksum 8 │ head, MessagePack │ body, if it is short
//! ID.body   body, if it is long
//! ```
//!
//! Bodies are checked in segments; their checksums are in the head. Every checksum is seeded with the entry's id, so bytes of
//! another entry are as wrong as damaged ones. Decoding is total: a head is bounded before it is read.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::cache::{
    entry::{Content, Entry, SEGMENT},
    key::Key,
    rules::{Freshness, Selection},
};

/// The format. Another one has another number, and its files are no entries.
const MAGIC: &[u8; 8] = b"pegloom1";

/// Before the head.
pub(crate) const PREFACE: usize = 20;

/// No head is longer: headers of a reply, and 9 bytes for each segment of a long body.
pub(crate) const LONGEST_HEAD: usize = 16 * 1024 * 1024;

/// The checksum of bytes of the entry `id`.
pub(crate) fn checksum(id: u64, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, id)
}

#[derive(Serialize, Deserialize)]
struct Record {
    key: String,
    selection: Vec<(String, Option<ByteBuf>)>,
    status: u16,
    headers: Vec<(String, ByteBuf)>,
    received: Duration,
    age: Duration,
    lifetime: Duration,
    while_revalidate: Duration,
    if_error: Duration,
    is_strict: bool,
    is_for_all: bool,
    length: u64,
    is_long: bool,
    sums: Vec<u64>,
}

/// The head file of `entry`, with its body if that is short.
pub(crate) fn encode(entry: &Entry) -> Option<Vec<u8>> {
    let (segments, sums): (&[Bytes], Vec<u64>) = match &entry.content {
        Content::Memory(segments) => {
            (segments, segments.iter().map(|part| checksum(entry.id, part)).collect())
        }
        Content::File(sums) => (&[], sums.to_vec()),
    };
    let head = rmp_serde::to_vec(&record(entry, sums)?).ok()?;
    let mut file = Vec::with_capacity(PREFACE + head.len() + segments.iter().map(Bytes::len).sum::<usize>());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&u32::try_from(head.len()).ok()?.to_le_bytes());
    file.extend_from_slice(&checksum(entry.id, &head).to_le_bytes());
    file.extend_from_slice(&head);
    for segment in segments {
        file.extend_from_slice(segment);
    }
    Some(file)
}

fn record(entry: &Entry, sums: Vec<u64>) -> Option<Record> {
    let Freshness { received, age, lifetime, while_revalidate, if_error, is_strict, is_for_all } =
        entry.freshness;
    let selection = entry.selection.0.iter();
    let headers = entry.headers.iter();
    Some(Record {
        key: entry.key.as_str().to_owned(),
        selection: selection
            .map(|(name, value)| (name.to_string(), value.clone().map(ByteBuf::from)))
            .collect(),
        status: entry.status.as_u16(),
        headers: headers.map(|(name, value)| (name.to_string(), ByteBuf::from(value.as_bytes()))).collect(),
        received: received.duration_since(SystemTime::UNIX_EPOCH).ok()?,
        age,
        lifetime,
        while_revalidate,
        if_error,
        is_strict,
        is_for_all,
        length: entry.length,
        is_long: matches!(entry.content, Content::File(_)),
        sums,
    })
}

/// How long the head is that `preface` announces; none if that is no entry.
pub(crate) fn head_length(preface: &[u8]) -> Option<usize> {
    let rest = preface.strip_prefix(MAGIC)?;
    let length = u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    (length <= LONGEST_HEAD).then_some(length)
}

/// What a head file says, its body included if it is short and whole.
pub(crate) fn decode(id: u64, file: &Bytes) -> Option<Entry> {
    let (record, body) = open(id, file)?;
    let begin = file.len() - body;
    let content = if record.is_long {
        Content::File(record.sums.as_slice().into())
    } else {
        Content::Memory(segments(id, &file.slice(begin..), &record)?)
    };
    entry(id, record, content)
}

/// What a head says, without looking at the body.
pub(crate) fn decode_head(id: u64, begin: &[u8]) -> Option<Entry> {
    let (record, _) = open(id, begin)?;
    let content = if record.is_long { Content::File([].into()) } else { Content::Memory([].into()) };
    entry(id, record, content)
}

/// The record at the beginning of `file`, and how many bytes come after it.
fn open(id: u64, file: &[u8]) -> Option<(Record, usize)> {
    let length = head_length(file)?;
    let sum = u64::from_le_bytes(file.get(12..PREFACE)?.try_into().ok()?);
    let head = file.get(PREFACE..PREFACE + length)?;
    if checksum(id, head) != sum {
        return None;
    }
    Some((rmp_serde::from_slice(head).ok()?, file.len() - PREFACE - length))
}

/// The body after a head, if it is all there.
fn segments(id: u64, body: &Bytes, record: &Record) -> Option<Arc<[Bytes]>> {
    let parts: Vec<Bytes> = (0..body.len())
        .step_by(SEGMENT)
        .map(|begin| body.slice(begin..body.len().min(begin + SEGMENT)))
        .collect();
    let sums = parts.iter().map(|part| checksum(id, part));
    (body.len() as u64 == record.length && sums.eq(record.sums.iter().copied())).then(|| parts.into())
}

fn entry(id: u64, record: Record, content: Content) -> Option<Entry> {
    let mut headers = HeaderMap::with_capacity(record.headers.len() + 2);
    for (name, value) in record.headers {
        headers.append(HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(&value).ok()?);
    }
    let selection = record
        .selection
        .into_iter()
        .map(|(name, value)| Some((HeaderName::try_from(name).ok()?, value.map(ByteBuf::into_vec))));
    Some(Entry {
        key: Key::recall(record.key),
        id,
        selection: Selection(selection.collect::<Option<_>>()?),
        status: StatusCode::from_u16(record.status).ok()?,
        headers,
        freshness: Freshness {
            received: SystemTime::UNIX_EPOCH.checked_add(record.received)?,
            age: record.age,
            lifetime: record.lifetime,
            while_revalidate: record.while_revalidate,
            if_error: record.if_error,
            is_strict: record.is_strict,
            is_for_all: record.is_for_all,
        },
        length: record.length,
        content,
        used: Arc::default(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn sample(body: &[u8]) -> Entry {
        let second = Duration::from_secs(1);
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_bytes(b"\xff 1").unwrap());
        headers.append("x-a", HeaderValue::from_static("2"));
        Entry {
            key: Key::recall("http://h/a".to_owned()),
            id: 7,
            selection: Selection(vec![
                ("accept".parse().unwrap(), Some(b"x".to_vec())),
                ("te".parse().unwrap(), None),
            ]),
            status: StatusCode::NOT_FOUND,
            headers,
            freshness: Freshness {
                received: SystemTime::UNIX_EPOCH + 9 * second,
                age: second,
                lifetime: 2 * second,
                while_revalidate: 3 * second,
                if_error: 4 * second,
                is_strict: true,
                is_for_all: true,
            },
            length: body.len() as u64,
            content: Content::Memory(body.chunks(SEGMENT).map(Bytes::copy_from_slice).collect()),
            used: Arc::default(),
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let entry = sample(b"body");
        let file = Bytes::from(encode(&entry).unwrap());
        let read = decode(7, &file).unwrap();

        assert_eq!((&read.key, &read.selection, read.status), (&entry.key, &entry.selection, entry.status));
        assert_eq!(
            (&read.headers, read.freshness, read.length),
            (&entry.headers, entry.freshness, entry.length)
        );
        assert!(matches!(&read.content, Content::Memory(body) if body[..] == [&b"body"[..]]));
        assert!(decode(8, &file).is_none(), "of another entry");
    }

    proptest! {
        /// Fails if any byte is covered by no checksum, or anything is read that is not there.
        #[test]
        fn any_damage_is_seen(at in any::<usize>(), bit in 0..8_u32, is_cut in any::<bool>()) {
            let mut file = encode(&sample(b"a body of some length")).unwrap();
            let at = at % file.len();
            if is_cut {
                file.truncate(at);
            } else {
                file[at] ^= 1 << bit;
            }
            prop_assert!(decode(7, &Bytes::from(file)).is_none());
        }

        #[test]
        fn any_bytes_are_no_entry(bytes in any::<Vec<u8>>()) {
            let announced = [&MAGIC[..], &bytes].concat();
            prop_assert!(decode(7, &Bytes::from(announced)).is_none());
            prop_assert_eq!(head_length(&bytes), None);
        }
    }
}
