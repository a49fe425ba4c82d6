//! A cache, a server that says what a test tells it, and a clock that goes when it is told to.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, request, response};
use http_body_util::BodyExt;
use tokio::runtime::{Builder, Runtime};
use web::cache::{Body, Cache, Claim, Filling, Found, Settings};

/// When tests begin.
pub(crate) const START: Duration = Duration::from_secs(1_700_000_000);

pub(crate) const MIB: u64 = 1024 * 1024;

/// So many seconds after the beginning.
pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + START + Duration::from_secs(seconds)
}

/// Headers, as `name: value` lines.
fn lines(headers: &[&str]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in headers {
        let (name, value) = line.split_once(": ").unwrap();
        map.append(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    map
}

pub(crate) fn request(method: &str, target: &str, headers: &[&str]) -> request::Parts {
    let (mut parts, ()) = Request::builder().method(method).uri(target).body(()).unwrap().into_parts();
    parts.headers = lines(headers);
    if !parts.headers.contains_key("host") {
        parts.headers.insert("host", "h".parse().unwrap());
    }
    parts
}

pub(crate) fn get(target: &str) -> request::Parts {
    request("GET", target, &[])
}

pub(crate) fn reply(status: u16, headers: &[&str]) -> response::Parts {
    let (mut parts, ()) = Response::builder().status(status).body(()).unwrap().into_parts();
    parts.headers = lines(headers);
    parts
}

/// Bytes that tell where they are, and which body they are of.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// What a client gets.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A cache with a runtime to wait on.
pub(crate) struct Site {
    pub(crate) cache: Cache,
    pub(crate) runtime: Runtime,
}

pub(crate) fn settings(ttl: u64) -> Settings {
    let ttl = Duration::from_secs(ttl);
    Settings { ttl, memory_bytes: 16 * MIB, disk: None, max_entry_bytes: 64 * MIB }
}

impl Site {
    pub(crate) fn open(settings: Settings) -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        Self { cache: Cache::open(settings).unwrap(), runtime }
    }

    /// Starts to fetch: the request goes to the server, and the head of the reply comes.
    pub(crate) fn admit(
        &self,
        request: &request::Parts,
        reply: &response::Parts,
        now: SystemTime,
    ) -> Option<Filling> {
        let lead = match self.cache.claim(request, now) {
            Claim::Lead(lead) => lead,
            Claim::Follow(_) => self.cache.alone(request),
        };
        self.cache.admit(lead, request, reply, now)
    }

    /// Fetches: whether the reply was taken in. It is on disk when this returns.
    pub(crate) fn fetch(
        &self,
        request: &request::Parts,
        reply: &response::Parts,
        body: &[u8],
        now: SystemTime,
    ) -> bool {
        let Some(filling) = self.admit(request, reply, now) else { return false };
        self.fill(filling, body);
        true
    }

    /// Gives a filling its body, as a server would send it, and waits until it is kept.
    pub(crate) fn fill(&self, filling: Filling, body: &[u8]) {
        let full = http_body_util::StreamBody::new(futures(body));
        let collected = self.runtime.block_on(filling.beside(full).collect()).unwrap();
        assert!(collected.to_bytes() == body, "the client got something else");
        self.settle();
    }

    pub(crate) fn settle(&self) {
        self.runtime.block_on(self.cache.settle());
    }

    /// Looks for an answer, on disk too.
    pub(crate) fn look(&self, request: &request::Parts, now: SystemTime) -> Found {
        match self.cache.lookup(request, now) {
            Found::OnDisk(loading) => self.runtime.block_on(loading.load(request, now)),
            found => found,
        }
    }

    /// The answer, which must be there.
    #[track_caller]
    pub(crate) fn hit(&self, request: &request::Parts, now: SystemTime) -> Answer {
        match self.look(request, now) {
            Found::Fresh(response) => self.read(response),
            other => panic!("no hit but {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn read(&self, response: Response<Body>) -> Answer {
        self.try_read(response).unwrap()
    }

    pub(crate) fn try_read(&self, response: Response<Body>) -> std::io::Result<Answer> {
        let (parts, body) = response.into_parts();
        let body = self.runtime.block_on(body.collect())?.to_bytes();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// A body in frames of a size that fits nothing else.
pub(crate) fn futures(
    body: &[u8],
) -> impl futures_util::Stream<Item = Result<http_body::Frame<Bytes>, std::convert::Infallible>> + Unpin {
    let frames: Vec<_> =
        body.chunks(40_009).map(|part| Ok(http_body::Frame::data(Bytes::copy_from_slice(part)))).collect();
    futures_util::stream::iter(frames)
}

/// One word for what a look found.
pub(crate) fn word(found: &Found) -> &'static str {
    match found {
        Found::Fresh(_) => "fresh",
        Found::Stale(_) => "stale",
        Found::OnDisk(_) => "on disk",
        Found::Missing(_) => "missing",
        Found::OnlyIfCached => "only if cached",
        Found::Bypassed(_) => "bypassed",
    }
}
