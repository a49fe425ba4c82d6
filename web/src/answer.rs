//! Replies of our own: short, in plain text, and what they mean.

use bytes::Bytes;
use http::{
    Response, StatusCode,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue},
};

use crate::heads;

/// Why a request is not answered by a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its head can be understood in two ways, or in none.
    Head(heads::Refusal),
    /// Its body is no body.
    Malformed,
    /// It has passed here too often already.
    Loop,
    /// Its body is longer than `max_body`.
    TooLarge,
    /// Its body did not come.
    SlowBody,
    /// No server could be reached, or none gave a reply that makes sense.
    NoServer,
    /// The server was silent for too long.
    Silent,
    /// There were too many before it.
    Busy,
    /// It is to be answered from the cache only, which has nothing.
    NotKept,
}

impl Refusal {
    const fn status(self) -> StatusCode {
        match self {
            Self::Head(head) => head.status(),
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::NoServer => StatusCode::BAD_GATEWAY,
            Self::Silent | Self::NotKept => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Head(head) => head.text(),
            Self::Malformed => "the body is malformed",
            Self::Loop => "the request has been here before",
            Self::TooLarge => "the body is too long",
            Self::SlowBody => "the body did not come in time",
            Self::NoServer => "no server answered",
            Self::Silent => "the server did not answer in time",
            Self::Busy => "too many requests are in progress",
            Self::NotKept => "nothing is kept that could answer",
        }
    }

    /// Whether the rest of the connection cannot be trusted, or is not worth waiting for.
    const fn closes(self) -> bool {
        matches!(self, Self::Head(_) | Self::Malformed | Self::TooLarge | Self::SlowBody)
    }

    /// The reply, and its text. What is left of a request that is not read to its end is not waited for.
    pub(crate) fn reply(self, is_partial: bool) -> Response<Bytes> {
        let status = self.status();
        let text =
            format!("{} {}: {}\n", status.as_u16(), status.canonical_reason().unwrap_or(""), self.text());
        let mut reply = Response::new(Bytes::from(text));
        *reply.status_mut() = status;
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.closes() || is_partial {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }
}
