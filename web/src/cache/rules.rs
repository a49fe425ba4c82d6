//! RFC 9111 for a shared cache: what may be kept, for how long, and for whom.
//!
//! `http-cache-semantics` knows the rules. It reads directives in lower case only, and compares hosts and `Vary` as text: so it is
//! given a view with the caching headers alone, and resources and variants are told apart here. Where the RFC leaves
//! a choice, the safe side is taken: a reply that sets a cookie is kept only if the server says `public` or `s-maxage`, and what
//! was kept answers a request with `Authorization` only if the server said that it may. A reply that says nothing, to a request
//! with a cookie, may be for one client, and is not kept.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{
        AGE, AUTHORIZATION, CACHE_CONTROL, COOKIE, DATE, ETAG, EXPIRES, LAST_MODIFIED, PRAGMA, SET_COOKIE,
        VARY,
    },
    response,
};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};

use super::{
    counters::Unkept,
    directives::{self, plain, says, seconds},
};

/// Statuses that may be kept though nothing says for how long (RFC 9110, 15.1); not 206, which is a part.
const HEURISTIC: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

/// Lifetimes end somewhere: some servers say 10 to the 18 seconds, which no clock can add.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// For how long a reply may be used, and how far beyond that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// When it was received.
    pub received: SystemTime,
    /// How old it was then.
    pub age: Duration,
    /// Up to which age it is fresh.
    pub lifetime: Duration,
    /// How long after that it may be used while a newer one is fetched.
    pub while_revalidate: Duration,
    /// How long after that it may be used when no server gives a better one.
    pub if_error: Duration,
    /// Stale, it must not be used without the server's word, whatever a client allows.
    pub is_strict: bool,
    /// It may answer who sends `Authorization`.
    pub is_for_all: bool,
}

impl Freshness {
    /// How old it is.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        self.age + now.duration_since(self.received).unwrap_or_default()
    }

    /// How long it has been stale; none while it is fresh.
    pub(crate) fn staleness(&self, now: SystemTime) -> Option<Duration> {
        let age = self.age(now);
        (age >= self.lifetime).then(|| age.saturating_sub(self.lifetime))
    }
}

/// What may be done with a reply to a GET with the headers `request`.
pub(crate) fn judge(
    request: &HeaderMap,
    reply: &response::Parts,
    ttl: Duration,
    now: SystemTime,
) -> Result<Freshness, Unkept> {
    let policy = policy(&asked(request), &view(reply, ttl), now);
    let is_for_one = sets_a_cookie_for_one(&reply.headers) || may_be_for_one(request, reply);
    let is_readable = directives::are_readable(&reply.headers) && is_vary_readable(&reply.headers);
    if !policy.is_storable() || is_for_one || !is_readable || varies_without_end(&reply.headers) {
        return Err(Unkept::Forbidden);
    }
    let freshness = freshness(&policy, &reply.headers, now);
    if is_of_use(&freshness, &reply.headers) { Ok(freshness) } else { Err(Unkept::Useless) }
}

/// Whether a client's own `Cache-Control` lets it be answered with what has this freshness.
pub(crate) fn allows(client: &HeaderMap, freshness: &Freshness, now: SystemTime) -> bool {
    if freshness.is_strict && freshness.staleness(now).is_some() {
        return false;
    }
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(CACHE_CONTROL, max_age(freshness.lifetime));
    headers.insert(AGE, freshness.age.as_secs().into());
    let policy = policy(&bare(HeaderMap::new()), &reply(StatusCode::OK, headers), freshness.received);
    matches!(policy.before_request(&bare(plain(client)), now), BeforeRequest::Fresh(_))
}

fn policy(request: &Request<()>, reply: &Response<()>, received: SystemTime) -> CachePolicy {
    let options = CacheOptions { shared: true, cache_heuristic: 0.0, ..CacheOptions::default() };
    CachePolicy::new_options(request, reply, received, options)
}

fn bare(headers: HeaderMap) -> Request<()> {
    let mut request = Request::new(());
    *request.headers_mut() = headers;
    request
}

/// Of a request, what the rules look at.
fn asked(request: &HeaderMap) -> Request<()> {
    let mut headers = plain(request);
    if let Some(credentials) = request.get(AUTHORIZATION) {
        headers.insert(AUTHORIZATION, credentials.clone());
    }
    bare(headers)
}

fn reply(status: StatusCode, headers: HeaderMap) -> Response<()> {
    let mut reply = Response::new(());
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    reply
}

/// Of a reply, what the rules look at; one that says nothing of how long it lasts says `ttl`.
fn view(parts: &response::Parts, ttl: Duration) -> Response<()> {
    let mut headers = revalidated_when_stale(&plain(&parts.headers));
    for name in [AGE, DATE, EXPIRES] {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if says_nothing(parts) {
        headers.append(CACHE_CONTROL, max_age(ttl));
    }
    reply(parts.status, headers)
}

/// Without `proxy-revalidate`, which the policy takes for "never fresh". It is "never stale", and `Freshness` says so.
fn revalidated_when_stale(plain: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    for (name, value) in plain {
        let kept = value.to_str().ok().and_then(|text| text.replace("proxy-revalidate", "").parse().ok());
        headers.append(name, kept.unwrap_or_else(|| value.clone()));
    }
    headers
}

fn says_nothing(parts: &response::Parts) -> bool {
    let headers = &parts.headers;
    let is_explicit = ["s-maxage", "max-age", "no-cache"].iter().any(|name| says(headers, name))
        || headers.contains_key(EXPIRES)
        || headers.contains_key(PRAGMA);
    let may_be_guessed = HEURISTIC.contains(&parts.status.as_u16()) || says(headers, "public");
    !is_explicit && may_be_guessed
}

/// A part of a second counts as one: ages are whole seconds on the wire.
fn max_age(lifetime: Duration) -> HeaderValue {
    let whole = lifetime.as_secs() + u64::from(lifetime.subsec_nanos() > 0);
    HeaderValue::try_from(format!("max-age={whole}"))
        .unwrap_or_else(|_| HeaderValue::from_static("max-age=0"))
}

fn freshness(policy: &CachePolicy, headers: &HeaderMap, now: SystemTime) -> Freshness {
    let age = policy.age(now).min(LONGEST);
    // The policy tells how much is left, which is nothing for all that came too old.
    let left = policy.time_to_live(now);
    let lifetime = if left.is_zero() { Duration::ZERO } else { (age + left).min(LONGEST) };
    // With `s-maxage` alone, the server's own words on what is stale count: the two are meant together.
    let is_closed =
        ["must-revalidate", "proxy-revalidate", "no-cache"].iter().any(|name| says(headers, name))
            || headers.contains_key(PRAGMA);
    let is_strict = is_closed || says(headers, "s-maxage");
    let beyond = |name| seconds(headers, name).filter(|_| !is_closed).unwrap_or_default().min(LONGEST);
    Freshness {
        received: now,
        age,
        lifetime,
        while_revalidate: beyond("stale-while-revalidate"),
        if_error: beyond("stale-if-error"),
        is_strict,
        is_for_all: ["public", "s-maxage", "must-revalidate"].iter().any(|name| says(headers, name)),
    }
}

/// Cookies are for one client, unless the server says that they are not.
fn sets_a_cookie_for_one(headers: &HeaderMap) -> bool {
    headers.contains_key(SET_COOKIE) && !says(headers, "public") && !says(headers, "s-maxage")
}

/// Who says who he is may be given a page of his own, and a server that says nothing does not say that it is not.
fn may_be_for_one(request: &HeaderMap, reply: &response::Parts) -> bool {
    let is_named = request.contains_key(COOKIE) || request.contains_key(AUTHORIZATION);
    is_named && says_nothing(reply) && !says(&reply.headers, "public")
}

/// What is said where we say something ourselves is another thing to the server than to the cache: which client asks, for one.
fn varies_without_end(headers: &HeaderMap) -> bool {
    vary(headers).any(|name| name == "*" || is_added_on_the_way(name))
}

fn is_added_on_the_way(name: &str) -> bool {
    const LIST: &str = "x-forwarded-";
    let is_listed = name.get(..LIST.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(LIST));
    is_listed || ["forwarded", "via"].iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

/// What is stale at once and cannot be revalidated would never be used.
fn is_of_use(freshness: &Freshness, headers: &HeaderMap) -> bool {
    let lasts = freshness.lifetime > freshness.age;
    let beyond = freshness.while_revalidate + freshness.if_error;
    lasts || !beyond.is_zero() || headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED)
}

fn vary(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(VARY).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

/// Whether all that `Vary` says are names.
fn is_vary_readable(headers: &HeaderMap) -> bool {
    let are_lines = headers.get_all(VARY).iter().all(|line| line.to_str().is_ok());
    are_lines && vary(headers).all(|name| HeaderName::try_from(name).is_ok())
}

/// What of a request decided which variant it was given: the names in `Vary`, and what the request said there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection(pub Vec<(HeaderName, Option<Vec<u8>>)>);

impl Selection {
    /// What `reply` says it depends on, as `request` has it.
    pub(crate) fn of(request: &HeaderMap, reply: &HeaderMap) -> Self {
        let mut names: Vec<_> = vary(reply).filter_map(|name| HeaderName::try_from(name).ok()).collect();
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        Self(names.into_iter().map(|name| (name.clone(), said(request, &name))).collect())
    }

    /// Whether `request` says the same.
    pub(crate) fn matches(&self, request: &HeaderMap) -> bool {
        self.0.iter().all(|(name, value)| said(request, name) == *value)
    }
}

/// All that is said under `name`, as if it were on one line.
fn said(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    (!lines.is_empty()).then(|| lines.join(&b", "[..]))
}
