//! `Cache-Status` (RFC 9211): what the cache made of a request, for whoever looks at the answer.

use std::fmt::Write;

use http::{HeaderName, HeaderValue};

/// The header.
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request went on to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The cache was not asked.
    Bypass,
    /// It is not for a method of this kind.
    Method,
    /// Nothing is kept for the URL.
    UriMiss,
    /// Something is, but not for a request like this.
    VaryMiss,
    /// What is kept is fresh, and the client wants to know better.
    Request,
    /// What is kept is stale.
    Stale,
}

impl Forward {
    /// Its name in RFC 9211.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

/// What became of a request that went on to a server, or waited for one that did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forwarded {
    /// The status that the server answered with, where that is not what the client is given.
    pub status: Option<u16>,
    /// The reply is being kept.
    pub is_stored: bool,
    /// It waited for another request for the same.
    pub is_collapsed: bool,
}

/// The value for a request that went on to a server.
pub fn forwarded(why: Forward, what: Forwarded) -> HeaderValue {
    let mut text = format!("pegloom; fwd={}", why.name());
    if let Some(status) = what.status {
        // Writing to a string cannot fail.
        let _ = write!(text, "; fwd-status={status}");
    }
    if what.is_stored {
        text.push_str("; stored");
    }
    if what.is_collapsed {
        text.push_str("; collapsed");
    }
    value(text)
}

/// The value for an answer from the cache that is fresh for so many seconds, or has been stale for so many.
pub(crate) fn hit(ttl: i64) -> HeaderValue {
    value(format!("pegloom; hit; ttl={ttl}"))
}

fn value(text: String) -> HeaderValue {
    // What is made here is printable; an empty value would only say less.
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).unwrap_or_else(|_| HeaderValue::from_static(""))
}
