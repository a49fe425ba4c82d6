//! What the cache says to a request: an answer, something to ask about or to read first, or nothing.

use std::time::SystemTime;

use http::{
    HeaderMap, Method, Response,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, IF_MATCH, IF_UNMODIFIED_SINCE, PRAGMA,
        TRANSFER_ENCODING, UPGRADE,
    },
    request,
};
use tokio::task::JoinHandle;

use super::{
    Cache,
    answer::answer,
    body::Body,
    counters::Count,
    directives::says,
    entry::Held,
    key::{self, Key},
    rules::{self, Freshness},
    stale::Stale,
    status::Forward,
};

/// What is kept for a request.
#[derive(Debug)]
pub enum Found {
    /// The answer.
    Fresh(Response<Body>),
    /// Something that the server has to be asked about.
    Stale(Stale),
    /// Something that has to be read first.
    OnDisk(Loading),
    /// Nothing that could answer, and why.
    Missing(Forward),
    /// Nothing, and the client wants nothing else: answer 504.
    OnlyIfCached,
    /// Nothing was looked for, and why. The reply may be for the cache nevertheless.
    Bypassed(Forward),
}

/// An entry that is being read from disk.
#[derive(Debug)]
pub struct Loading {
    cache: Cache,
    job: JoinHandle<Option<Held>>,
}

impl Loading {
    /// Waits for it. Never `OnDisk` again.
    pub async fn load(self, request: &request::Parts, now: SystemTime) -> Found {
        match self.job.await.ok().flatten() {
            Some(held) => {
                self.cache.promote(&held);
                self.cache.judge(request, held, now)
            }
            None => self.cache.missing(request, Forward::UriMiss),
        }
    }
}

impl Cache {
    /// What is kept for `request`.
    pub fn lookup(&self, request: &request::Parts, now: SystemTime) -> Found {
        if let Some(why) = bypass(request) {
            return self.bypassed(why);
        }
        let Some(key) = key::spell(request) else { return self.bypassed(Forward::Bypass) };
        if let Some(entry) = self.0.memory.find(&key, &request.headers) {
            return self.judge(request, Held { entry, file: None }, now);
        }
        let place = self.0.disk.as_ref().and_then(|disk| Some((disk, disk.find(&key, &request.headers)?)));
        match place {
            Some((disk, place)) => Found::OnDisk(Loading { cache: self.clone(), job: disk.load(&place) }),
            None if self.knows(&key) => self.missing(request, Forward::VaryMiss),
            None => self.missing(request, Forward::UriMiss),
        }
    }

    fn knows(&self, key: &str) -> bool {
        self.0.memory.knows(key) || self.0.disk.as_ref().is_some_and(|disk| disk.knows(key))
    }

    /// Whether what is kept would be an answer now; counts nothing.
    pub(crate) fn has_answer(&self, key: &Key, headers: &HeaderMap, now: SystemTime) -> bool {
        let in_memory = self.0.memory.find(key.as_str(), headers).map(|entry| entry.freshness);
        let on_disk = || Some(self.0.disk.as_ref()?.find(key.as_str(), headers)?.freshness);
        in_memory.or_else(on_disk).is_some_and(|freshness| may_answer(headers, &freshness, now))
    }

    fn bypassed(&self, why: Forward) -> Found {
        self.0.tallies.count(Count::Bypassed);
        Found::Bypassed(why)
    }

    fn missing(&self, request: &request::Parts, why: Forward) -> Found {
        self.0.tallies.count(Count::Misses);
        if says(&request.headers, "only-if-cached") { Found::OnlyIfCached } else { Found::Missing(why) }
    }

    /// Whether `held` may answer `request` now.
    fn judge(&self, request: &request::Parts, held: Held, now: SystemTime) -> Found {
        let headers = &request.headers;
        let freshness = &held.entry.freshness;
        held.entry.touch();
        if headers.contains_key(AUTHORIZATION) && !freshness.is_for_all {
            return self.missing(request, Forward::Request);
        }
        let is_fresh = freshness.staleness(now).is_none();
        if may_answer(headers, freshness, now) {
            self.0.tallies.count(Count::Hits);
            return Found::Fresh(answer(request, &held, now, None, self.0.disk.as_ref()));
        }
        let why = if is_fresh || asks_for_the_server(headers) { Forward::Request } else { Forward::Stale };
        if says(headers, "only-if-cached") {
            return self.missing(request, why);
        }
        Found::Stale(Stale { cache: self.clone(), held, why })
    }
}

/// Why a request is not for the cache.
pub(crate) fn bypass(request: &request::Parts) -> Option<Forward> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return Some(Forward::Method);
    }
    let headers = &request.headers;
    let is_conditional = [IF_MATCH, IF_UNMODIFIED_SINCE].iter().any(|name| headers.contains_key(name));
    let has_a_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    let is_not_for_us = is_conditional || has_a_body || headers.contains_key(UPGRADE);
    (is_not_for_us || says(headers, "no-store")).then_some(Forward::Bypass)
}

/// Whether the client may be given what is this fresh.
fn may_answer(headers: &HeaderMap, freshness: &Freshness, now: SystemTime) -> bool {
    let has_a_say = headers.contains_key(CACHE_CONTROL) || headers.contains_key(PRAGMA);
    if has_a_say { rules::allows(headers, freshness, now) } else { freshness.staleness(now).is_none() }
}

/// Whether the client wants the server's word, whatever is kept.
fn asks_for_the_server(headers: &HeaderMap) -> bool {
    let is_pragma =
        headers.get(PRAGMA).is_some_and(|pragma| pragma.as_bytes().eq_ignore_ascii_case(b"no-cache"));
    is_pragma || ["no-cache", "max-age", "min-fresh"].iter().any(|name| says(headers, name))
}
