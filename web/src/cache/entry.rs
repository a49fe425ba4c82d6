//! A kept reply: its head, ready to be sent again, and where its body is.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{
        AGE, CONNECTION, CONTENT_LENGTH, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
        TRANSFER_ENCODING, UPGRADE,
    },
};

use super::{
    key::Key,
    rules::{Freshness, Selection},
};

/// Bodies are kept, checked and read in pieces of this many bytes; the last may be shorter.
pub(crate) const SEGMENT: usize = 256 * 1024;

/// What an entry costs in memory beside its bytes: map, reference counts, the vectors of its headers.
const OVERHEAD: usize = 512;

/// A reply that may be sent again.
#[derive(Debug)]
pub(crate) struct Entry {
    pub key: Key,
    /// Drawn when the entry is made. Its files and their checksums have it, so that no two entries can mix.
    pub id: u64,
    pub selection: Selection,
    pub status: StatusCode,
    /// Without those of one connection, without `Age`, with the body's length.
    pub headers: HeaderMap,
    pub freshness: Freshness,
    /// Of the body, in bytes.
    pub length: u64,
    pub content: Content,
    /// It was asked for since somebody last looked for what to drop from the disk.
    pub used: Arc<AtomicBool>,
}

/// Where a body is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// In segments in memory.
    Memory(Arc<[Bytes]>),
    /// In a file of its own, too long for memory: its segments' checksums.
    File(Arc<[u64]>),
}

impl Entry {
    /// What it costs to hold in memory.
    pub(crate) fn weight(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
        let body = match &self.content {
            Content::Memory(segments) => segments.iter().map(Bytes::len).sum(),
            Content::File(sums) => size_of_val(&**sums),
        };
        OVERHEAD + self.key.as_str().len() + headers + body
    }

    /// The body is this long, and the headers say so where a body may be.
    pub(crate) fn set_length(&mut self, length: u64) {
        self.length = length;
        if self.status != StatusCode::NO_CONTENT {
            self.headers.insert(CONTENT_LENGTH, length.into());
        }
    }

    /// Notes that it was asked for.
    pub(crate) fn touch(&self) {
        // Read first: a write would take the line from the other threads at every hit.
        if !self.used.load(Relaxed) {
            self.used.store(true, Relaxed);
        }
    }

    /// The same reply, as the server has just said to who asks with the headers `request` that it still holds.
    pub(crate) fn renewed(&self, request: &HeaderMap, headers: HeaderMap, freshness: Freshness) -> Self {
        Self {
            key: self.key.clone(),
            id: self.id,
            selection: Selection::of(request, &headers),
            status: self.status,
            headers,
            freshness,
            length: self.length,
            content: self.content.clone(),
            used: self.used.clone(),
        }
    }
}

/// An entry that is being used: its file stays open whatever happens to its name.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub entry: Arc<Entry>,
    pub file: Option<Arc<File>>,
}

/// What of a reply's headers may be sent again, on another connection.
pub(crate) fn lasting(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    let mut lasting = headers.clone();
    for name in named {
        lasting.remove(name);
    }
    let of_one_connection = [
        CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        AGE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    for name in of_one_connection {
        lasting.remove(name);
    }
    lasting
}
