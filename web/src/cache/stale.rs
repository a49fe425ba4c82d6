//! An entry that may not be used as it is: what to ask the server, and what to do with its word.

use std::time::SystemTime;

use http::{
    HeaderMap, HeaderName, Response, StatusCode,
    header::{
        AGE, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, COOKIE, ETAG, IF_MATCH,
        IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
    },
    request, response,
};

use super::{
    Cache,
    answer::answer,
    body::Body,
    claims::{Claim, Lead, Outcome},
    counters::{Count, Unkept},
    directives::seconds,
    entry::{Held, lasting},
    filling::Filling,
    rules,
    status::{Forward, Forwarded, forwarded},
};

/// Headers that speak of the body, which stays what it is.
const OF_THE_BODY: [HeaderName; 3] = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE];

/// An entry that is stale, or that the client does not want without the server's word.
#[derive(Debug)]
pub struct Stale {
    pub(crate) cache: Cache,
    pub(crate) held: Held,
    pub(crate) why: Forward,
}

impl Stale {
    /// Why it is not an answer.
    pub fn why(&self) -> Forward {
        self.why
    }

    /// Whether the client may be answered with it at once, while somebody asks the server.
    pub fn may_be_served_meanwhile(&self, now: SystemTime) -> bool {
        let freshness = &self.held.entry.freshness;
        let staleness = freshness.staleness(now).unwrap_or_default();
        self.why == Forward::Stale && staleness < freshness.while_revalidate
    }

    /// Whether the client may be answered with it if no server gives a better answer: none is reached, or it says 500, 502, 503
    /// or 504.
    pub fn may_be_served_on_error(&self, client: &HeaderMap, now: SystemTime) -> bool {
        let freshness = &self.held.entry.freshness;
        let allowed = seconds(client, "stale-if-error").filter(|_| !freshness.is_strict).unwrap_or_default();
        match freshness.staleness(now) {
            Some(staleness) => staleness < freshness.if_error.max(allowed),
            None => !freshness.is_strict,
        }
    }

    /// The right to ask about it, or somebody to wait for who does. Conditions and ranges of clients keep nobody apart: they are not
    /// passed on, and each is answered by his own.
    pub fn claim(&self, request: &request::Parts, now: SystemTime) -> Claim {
        if request.headers.contains_key(AUTHORIZATION) {
            return Claim::Lead(self.cache.alone(request));
        }
        self.cache.claim_key(&self.held.entry.key, &request.headers, now)
    }

    /// Makes a request, which was the client's, ask whether the entry still holds. What the client has is not asked about: his
    /// own conditions are looked at when he is answered.
    pub fn ask(&self, headers: &mut HeaderMap) {
        for name in [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE, RANGE] {
            headers.remove(name);
        }
        for (ours, name) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
            if let Some(value) = self.held.entry.headers.get(ours) {
                headers.insert(name, value.clone());
            }
        }
    }

    /// The answer with what is stale.
    pub fn answer(&self, request: &request::Parts, now: SystemTime) -> Response<Body> {
        self.cache.0.tallies.count(Count::StaleServed);
        answer(request, &self.held, now, None, self.cache.0.disk.as_ref())
    }

    /// The server said 304: the entry holds, with the headers of `reply`. Keeps it and answers `request`. None if the server
    /// spoke of something else than what is kept: ask without conditions.
    pub fn freshen(
        self,
        lead: &Lead,
        request: &request::Parts,
        reply: &response::Parts,
        now: SystemTime,
    ) -> Option<Response<Body>> {
        if !self.is_meant(&reply.headers) {
            lead.decide(Outcome::Failed);
            return None;
        }
        self.cache.0.tallies.count(Count::Revalidated);
        let held = self.renew(lead, &request.headers, reply, now);
        let what = Forwarded { status: Some(304), is_stored: true, is_collapsed: false };
        Some(answer(request, &held, now, Some(forwarded(self.why, what)), self.cache.0.disk.as_ref()))
    }

    /// Takes in the head of a reply that is not a 304, as `Cache::admit` does. If that may not be kept, what the server no longer
    /// has goes, unless all it says is that it failed.
    pub fn admit(
        &self,
        lead: Lead,
        request: &request::Parts,
        reply: &response::Parts,
        now: SystemTime,
    ) -> Option<Filling> {
        let filling = self.cache.admit(lead, request, reply, now);
        if filling.is_none() && !reply.status.is_server_error() {
            self.cache.drop_one(&self.held.entry);
        }
        filling
    }

    /// Whether a 304 with these headers is about this entry.
    fn is_meant(&self, reply: &HeaderMap) -> bool {
        let weak = |headers: &HeaderMap| {
            headers.get(ETAG).map(|tag| tag.as_bytes().strip_prefix(b"W/").unwrap_or(tag.as_bytes()).to_vec())
        };
        let theirs = weak(reply);
        theirs.is_none() || theirs == weak(&self.held.entry.headers)
    }

    fn renew(&self, lead: &Lead, request: &HeaderMap, reply: &response::Parts, now: SystemTime) -> Held {
        let entry = &self.held.entry;
        let mut parts = entry_parts(entry.status, updated(&entry.headers, &reply.headers));
        if let Some(age) = reply.headers.get(AGE) {
            parts.headers.insert(AGE, age.clone());
        }
        // What is kept was not made for this client, and the server says that it holds for him too.
        let mut asked = request.clone();
        asked.remove(COOKIE);
        let judged = rules::judge(&asked, &parts, self.cache.0.settings.ttl, now);
        parts.headers.remove(AGE);
        let freshness = judged.unwrap_or(rules::Freshness { received: now, ..entry.freshness });
        let renewed = std::sync::Arc::new(entry.renewed(request, parts.headers, freshness));
        match judged {
            Ok(_) => self.cache.renew(&renewed, lead),
            Err(reason) => self.forget(lead, reason),
        }
        Held { entry: renewed, file: self.held.file.clone() }
    }

    /// The server takes back that it may be kept.
    fn forget(&self, lead: &Lead, reason: Unkept) {
        self.cache.0.tallies.unkept(reason);
        self.cache.drop_all(self.held.entry.key.as_str());
        lead.decide(Outcome::NotStorable);
    }
}

fn entry_parts(status: StatusCode, headers: HeaderMap) -> response::Parts {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.into_parts().0
}

/// `kept`, with what a 304 says instead (RFC 9111, 3.2).
fn updated(kept: &HeaderMap, said: &HeaderMap) -> HeaderMap {
    let said = lasting(said);
    let mut updated = kept.clone();
    for name in said.keys().filter(|name| !OF_THE_BODY.contains(name)) {
        updated.remove(name);
        for value in said.get_all(name) {
            updated.append(name, value.clone());
        }
    }
    updated
}
