//! What is wrong with a head that hyper has let through.

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request::Parts, uri::Authority,
};

use super::{follower::Lengths, watched::Heads};

/// Why a request is not served. The connection is closed after the answer: where its next request starts is in doubt, or
/// whoever sent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `Content-Length` and `Transfer-Encoding` (RFC 9112 §6.3).
    BothLengths,
    /// More than one `Content-Length`.
    TwoLengths,
    /// `chunked` more than once (RFC 9112 §6.1).
    ChunkedTwice,
    /// A transfer coding besides `chunked`.
    UnknownCoding,
    /// HTTP/1.1 without a `Host` (RFC 9112 §3.2).
    NoHost,
    /// More than one `Host`.
    TwoHosts,
    /// A `Host` that is no host, or has a user's name before it.
    BadHost,
    /// A target that is no path, no `http` URI, and not the `*` of OPTIONS.
    BadTarget,
    /// CONNECT: this is no forward proxy.
    Connect,
}

impl Refusal {
    /// What it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::UnknownCoding | Self::Connect => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// For whoever looks at the answer.
    pub const fn text(self) -> &'static str {
        match self {
            Self::BothLengths => "Content-Length beside Transfer-Encoding",
            Self::TwoLengths => "more than one Content-Length",
            Self::ChunkedTwice => "chunked more than once",
            Self::UnknownCoding => "a transfer coding other than chunked",
            Self::NoHost => "no Host",
            Self::TwoHosts => "more than one Host",
            Self::BadHost => "a Host that names no host",
            Self::BadTarget => "a target that names nothing here",
            Self::Connect => "CONNECT is for forward proxies",
        }
    }

    /// The answer, after which the connection closes.
    pub fn response<B: From<String>>(self) -> Response<B> {
        let mut response = Response::new(B::from(format!("{}\n", self.text())));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// Whether a request means one thing only. To be asked once for each request of a connection, in their order.
pub fn verdict(request: &Parts, heads: &Heads) -> Result<(), Refusal> {
    // Asked first, and always: each head has one note. Where there is none, hyper's own care stands.
    let lengths = heads.take().unwrap_or_else(|| shown(request));
    debug_assert_eq!(lengths.transfer_encodings, shown(request).transfer_encodings, "another head's note");
    if lengths.content_lengths > 0 && lengths.transfer_encodings > 0 {
        return Err(Refusal::BothLengths);
    }
    if lengths.content_lengths > 1 {
        return Err(Refusal::TwoLengths);
    }
    judge_codings(&request.headers)?;
    judge_host(request)?;
    judge_target(request)
}

/// The host a request is for: its target's, where that has one, and what its `Host` says goes for nothing
/// (RFC 9112 §3.2.2); else its `Host`.
pub fn authority(request: &Parts) -> Option<&str> {
    let host = || request.headers.get(header::HOST)?.to_str().ok();
    request.uri.authority().map(Authority::as_str).or_else(host)
}

/// What hyper shows of the lengths.
fn shown(request: &Parts) -> Lengths {
    let count = |name| request.headers.get_all(name).iter().count();
    Lengths {
        content_lengths: count(header::CONTENT_LENGTH),
        transfer_encodings: count(header::TRANSFER_ENCODING),
    }
}

fn judge_codings(headers: &HeaderMap) -> Result<(), Refusal> {
    let values = headers.get_all(header::TRANSFER_ENCODING);
    let codings = values.iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let mut chunked = 0;
    for coding in codings {
        if !coding.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::UnknownCoding);
        }
        chunked += 1;
    }
    if chunked > 1 { Err(Refusal::ChunkedTwice) } else { Ok(()) }
}

fn judge_host(request: &Parts) -> Result<(), Refusal> {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        return if request.version == Version::HTTP_10 { Ok(()) } else { Err(Refusal::NoHost) };
    };
    if hosts.next().is_some() {
        return Err(Refusal::TwoHosts);
    }
    let is_host = host.is_empty() || Authority::try_from(host.as_bytes()).is_ok_and(|host| names_host(&host));
    if is_host { Ok(()) } else { Err(Refusal::BadHost) }
}

/// A host, perhaps a port, and nobody's name.
fn names_host(authority: &Authority) -> bool {
    let port = authority.as_str().strip_prefix(authority.host());
    let is_port = |port: &str| port.is_empty() || port == ":" || authority.port_u16().is_some();
    !authority.host().is_empty() && port.is_some_and(is_port)
}

fn judge_target(request: &Parts) -> Result<(), Refusal> {
    let uri = &request.uri;
    if request.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let is_ours = match (uri.scheme_str(), uri.authority()) {
        (None, None) => {
            uri.path().starts_with('/') || (uri.path() == "*" && request.method == Method::OPTIONS)
        }
        (Some("http" | "https"), Some(authority)) => names_host(authority),
        _ => false,
    };
    if is_ours { Ok(()) } else { Err(Refusal::BadTarget) }
}
