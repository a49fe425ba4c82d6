//! An answer made of an entry: whole, a part of it, or the word that the client has it already.
//!
//! A conditional request is answered by the rules of RFC 9110, 13, a range by 14. HEAD gets what GET would, without the body.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
        IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
    },
    request::Parts,
};

use super::{
    body::Body,
    disk::Disk,
    entry::{Entry, Held},
    range::{self, Asked},
    status::{self, CACHE_STATUS},
};

/// What a client is told, and how much of the body.
enum Shape {
    Whole,
    Part(u64, u64),
    OutOfRange,
    NotModified,
}

/// The answer to `request`; `said` is for `Cache-Status`, where it is not a hit.
pub(crate) fn answer(
    request: &Parts,
    held: &Held,
    now: SystemTime,
    said: Option<HeaderValue>,
    disk: Option<&Disk>,
) -> Response<Body> {
    let entry = &*held.entry;
    let shape = if is_plain(&request.headers) { Shape::Whole } else { shape(request, entry) };
    let length = entry.length;
    let (status, range) = match shape {
        Shape::Whole => (entry.status, 0..length),
        Shape::Part(begin, end) => (StatusCode::PARTIAL_CONTENT, begin..end),
        Shape::OutOfRange => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
        Shape::NotModified => (StatusCode::NOT_MODIFIED, 0..0),
    };
    let mut headers = entry.headers.clone();
    reshape(&mut headers, &shape, length);
    stamp(&mut headers, entry, now, said);
    let body = if request.method == Method::HEAD { Body::empty() } else { Body::of(held, range, disk) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Whether nothing in the request asks for less than the whole.
fn is_plain(headers: &HeaderMap) -> bool {
    [IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE].iter().all(|name| !headers.contains_key(name))
}

fn shape(request: &Parts, entry: &Entry) -> Shape {
    if entry.status != StatusCode::OK {
        return Shape::Whole;
    }
    if has_it(&request.headers, entry) {
        return Shape::NotModified;
    }
    let is_range = request.method == Method::GET && is_range_current(&request.headers, entry);
    let range = request.headers.get(RANGE).filter(|_| is_range);
    match range::asked(range, entry.length) {
        Asked::Whole => Shape::Whole,
        Asked::Part(begin, end) => Shape::Part(begin, end),
        Asked::Nothing => Shape::OutOfRange,
    }
}

/// Whether the client says that it has what we would send. Dates count only where there are no tags.
fn has_it(headers: &HeaderMap, entry: &Entry) -> bool {
    if headers.contains_key(IF_NONE_MATCH) {
        let ours = entry.headers.get(ETAG).map(|tag| weak(tag.as_bytes()));
        let theirs = headers
            .get_all(IF_NONE_MATCH)
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        return theirs.map(<[u8]>::trim_ascii).any(|tag| tag == b"*" || ours == Some(weak(tag)));
    }
    let since = headers.get(IF_MODIFIED_SINCE).and_then(date);
    let modified = entry.headers.get(LAST_MODIFIED).and_then(date);
    matches!((since, modified), (Some(since), Some(modified)) if modified <= since)
}

fn weak(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

/// Whether a part of what we have fits what the client has.
fn is_range_current(headers: &HeaderMap, entry: &Entry) -> bool {
    let Some(condition) = headers.get(IF_RANGE) else { return true };
    let is_tag = condition.as_bytes().ends_with(b"\"");
    let ours = entry.headers.get(if is_tag { ETAG } else { LAST_MODIFIED });
    // Parts are put together: a weak tag is not good enough, nor is a date that is only not older.
    ours == Some(condition) && !condition.as_bytes().starts_with(b"W/")
}

fn reshape(headers: &mut HeaderMap, shape: &Shape, length: u64) {
    match shape {
        Shape::Whole => {}
        Shape::Part(begin, end) => {
            headers.insert(CONTENT_LENGTH, (end - begin).into());
            content_range(headers, &format!("bytes {begin}-{}/{length}", end - 1));
        }
        Shape::OutOfRange => {
            without(headers, &[CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE]);
            headers.insert(CONTENT_LENGTH, 0.into());
            content_range(headers, &format!("bytes */{length}"));
        }
        Shape::NotModified => {
            without(headers, &[CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE]);
        }
    }
}

fn without(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}

fn content_range(headers: &mut HeaderMap, range: &str) {
    if let Ok(range) = range.parse() {
        headers.insert(CONTENT_RANGE, range);
    }
}

fn stamp(headers: &mut HeaderMap, entry: &Entry, now: SystemTime, said: Option<HeaderValue>) {
    let age = entry.freshness.age(now);
    headers.insert(AGE, age.as_secs().into());
    let ttl = seconds(entry.freshness.lifetime) - seconds(age);
    headers.append(CACHE_STATUS, said.unwrap_or_else(|| status::hit(ttl)));
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
