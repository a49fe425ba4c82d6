//! When two replies to one request are the same: their status, the headers that count, and their bodies; JSON by what it
//! says, everything else byte by byte.
//!
//! It looks at values and knows nobody. What cannot be known is said to be uncompared, never to be the same.

use std::fmt;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use serde_json::Value;

use super::json::{self, Path};

/// A body, as far as it was gathered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Whole(Bytes),
    /// It is longer than what is gathered; its beginning.
    TooLong(Bytes),
}

impl Body {
    /// What there is of it.
    pub(crate) fn bytes(&self) -> &Bytes {
        let (Self::Whole(bytes) | Self::TooLong(bytes)) = self;
        bytes
    }
}

/// A reply.
#[derive(Clone, Debug)]
pub(crate) struct Gathered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// What counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// Headers that are compared.
    pub(crate) headers: Vec<HeaderName>,
    /// What is not, in JSON.
    pub(crate) ignored: Vec<Path>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Matched,
    Different(Difference),
    /// It cannot be known.
    Uncompared,
}

/// What differs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Difference {
    Status,
    Header(HeaderName),
    Body,
    /// A body that is JSON, at this pointer.
    Json(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Body => f.write_str("body"),
            Self::Json(pointer) if pointer.is_empty() => f.write_str("body"),
            Self::Json(pointer) => write!(f, "body {pointer}"),
        }
    }
}

/// Holds a secondary's reply against the primary's.
pub(crate) fn compare(primary: &Gathered, secondary: &Gathered, rules: &Rules) -> Verdict {
    if primary.status != secondary.status {
        return by_status(primary.status, secondary.status);
    }
    let differs =
        |name: &&HeaderName| !primary.headers.get_all(*name).iter().eq(secondary.headers.get_all(*name));
    if let Some(name) = rules.headers.iter().find(differs) {
        return Verdict::Different(Difference::Header(name.clone()));
    }
    match (&primary.body, &secondary.body) {
        (Body::Whole(one), Body::Whole(other)) if one == other => Verdict::Matched,
        (Body::Whole(one), Body::Whole(other)) => {
            let found = match (as_json(&primary.headers, one), as_json(&secondary.headers, other)) {
                (Some(one), Some(other)) => by_structure(one, other, rules).map(Difference::Json),
                _ => Some(Difference::Body),
            };
            found.map_or(Verdict::Matched, Verdict::Different)
        }
        (Body::TooLong(_), Body::TooLong(_)) => Verdict::Uncompared,
        // They have not the same length, which only JSON may make up for.
        _ if is_json(&primary.headers) && is_json(&secondary.headers) => Verdict::Uncompared,
        _ => Verdict::Different(Difference::Body),
    }
}

/// Whether to answer a conditional request with 304 is for each to say: what it goes by is its own.
fn by_status(primary: StatusCode, secondary: StatusCode) -> Verdict {
    let says_less =
        |one: StatusCode, other: StatusCode| one == StatusCode::NOT_MODIFIED && other.is_success();
    if says_less(primary, secondary) || says_less(secondary, primary) {
        return Verdict::Uncompared;
    }
    Verdict::Different(Difference::Status)
}

fn by_structure(mut one: Value, mut other: Value, rules: &Rules) -> Option<String> {
    for path in &rules.ignored {
        path.blank(&mut one);
        path.blank(&mut other);
    }
    json::first_difference(&one, &other)
}

/// What a body says, if it is JSON.
fn as_json(headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    is_json(headers).then(|| serde_json::from_slice(body).ok()).flatten()
}

/// Whether a body is said to be JSON that can be read as it is.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = kind == "application/json" || kind.ends_with("+json");
    is_json && !headers.contains_key(CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[(&str, &str)] = &[("content-type", "application/json; charset=utf-8")];

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Gathered {
        let builder = http::Response::builder().status(status);
        let builder = headers.iter().fold(builder, |builder, &(name, value)| builder.header(name, value));
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        let body = Body::Whole(Bytes::copy_from_slice(body.as_bytes()));
        Gathered { status: parts.status, headers: parts.headers, body }
    }

    fn rules(ignored: &[&str]) -> Rules {
        let headers = vec![CONTENT_TYPE, HeaderName::from_static("x-version")];
        Rules { headers, ignored: ignored.iter().map(|path| Path::new(path)).collect() }
    }

    /// Fails if one of the three is not looked at, or a header that does not count is.
    #[test]
    fn status_headers_that_count_and_body_are_compared_in_this_order() {
        let primary =
            reply(200, &[("content-type", "text/plain"), ("date", "now"), ("x-version", "1")], "hello");
        let rows = [
            (
                reply(200, &[("x-version", "1"), ("content-type", "text/plain"), ("date", "later")], "hello"),
                None,
            ),
            (reply(500, &[], "no"), Some("status")),
            (
                reply(200, &[("content-type", "text/html"), ("x-version", "1")], "no"),
                Some("header content-type"),
            ),
            (reply(200, &[("content-type", "text/plain")], "hello"), Some("header x-version")),
            (
                reply(
                    200,
                    &[("content-type", "text/plain"), ("x-version", "1"), ("x-version", "1")],
                    "hello",
                ),
                Some("header x-version"),
            ),
            (reply(200, &[("content-type", "text/plain"), ("x-version", "1")], "hallo"), Some("body")),
            (reply(200, &[("content-type", "text/plain"), ("x-version", "1")], ""), Some("body")),
        ];
        for (secondary, expected) in rows {
            let found = match compare(&primary, &secondary, &rules(&[])) {
                Verdict::Different(difference) => Some(difference.to_string()),
                verdict => {
                    assert_eq!(verdict, Verdict::Matched);
                    None
                }
            };
            assert_eq!(found.as_deref(), expected, "{secondary:?}");
        }
    }

    #[test]
    fn json_is_compared_by_what_it_says_but_for_what_is_ignored() {
        let rows: &[(&str, &str, &[&str], Option<&str>)] = &[
            (r#"{"a":1,"b":2}"#, r#"{ "b": 2, "a": 1.0 }"#, &[], None),
            (r#"{"a":1}"#, r#"{"a":2}"#, &[], Some("body /a")),
            (r#"{"a":1,"t":5}"#, r#"{"a":1}"#, &["/t"], None),
            (r#"{"a":1,"t":5}"#, r#"{"a":2,"t":6}"#, &["/t"], Some("body /a")),
            (r#"{"i":[{"t":1},{"t":2}]}"#, r#"{"i":[{"t":3},{"t":4}]}"#, &["/i/*/t"], None),
            ("1", "2", &[], Some("body")),
            ("{not json", r#"{"a":1}"#, &[], Some("body")),
        ];
        for (one, other, ignored, expected) in rows {
            let verdict = compare(&reply(200, JSON, one), &reply(200, JSON, other), &rules(ignored));
            let expected = expected.map(str::to_owned);
            let found = match verdict {
                Verdict::Different(difference) => Some(difference.to_string()),
                _ => None,
            };
            assert_eq!(found, expected, "{one} {other}");
        }
    }

    #[test]
    fn what_is_not_said_to_be_plain_json_is_compared_byte_by_byte() {
        let (one, other) = (r#"{"a":1}"#, r#"{ "a":1}"#);
        let rows: [(&[(&str, &str)], Verdict); 4] = [
            (&[("content-type", "text/plain")], Verdict::Different(Difference::Body)),
            (
                &[("content-type", "application/json"), ("content-encoding", "gzip")],
                Verdict::Different(Difference::Body),
            ),
            (&[], Verdict::Different(Difference::Body)),
            (&[("content-type", "application/problem+JSON")], Verdict::Matched),
        ];
        for (headers, expected) in rows {
            assert_eq!(
                compare(&reply(200, headers, one), &reply(200, headers, other), &rules(&[])),
                expected,
                "{headers:?}"
            );
        }
    }

    /// Fails if what was not seen whole is taken for the same.
    #[test]
    fn what_is_too_long_is_uncompared_unless_something_is_known_to_differ() {
        let long = |headers| {
            let body = Body::TooLong(Bytes::from_static(b"beginning"));
            Gathered { body, ..reply(200, headers, "") }
        };
        let text = &[("content-type", "text/plain")];
        let rows = [
            (long(JSON), reply(200, JSON, "beginning"), Verdict::Uncompared),
            (long(JSON), long(JSON), Verdict::Uncompared),
            (long(text), long(text), Verdict::Uncompared),
            (long(text), reply(200, text, "beginning"), Verdict::Different(Difference::Body)),
            (long(JSON), reply(404, JSON, "beginning"), Verdict::Different(Difference::Status)),
            (long(JSON), reply(200, &[], "beginning"), Verdict::Different(Difference::Header(CONTENT_TYPE))),
        ];
        for (one, other, expected) in rows {
            assert_eq!(compare(&one, &other, &rules(&[])), expected);
            assert_eq!(compare(&other, &one, &rules(&[])), expected);
        }
    }

    #[test]
    fn not_modified_is_no_divergence_from_success() {
        let rows = [
            (304, 200, Verdict::Uncompared),
            (200, 304, Verdict::Uncompared),
            (304, 500, Verdict::Different(Difference::Status)),
            (404, 304, Verdict::Different(Difference::Status)),
            (304, 304, Verdict::Matched),
        ];
        for (one, other, expected) in rows {
            assert_eq!(
                compare(&reply(one, &[], ""), &reply(other, &[], ""), &rules(&[])),
                expected,
                "{one} {other}"
            );
        }
    }
}
