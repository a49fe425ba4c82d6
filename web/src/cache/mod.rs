//! An HTTP cache shared by the threads of a process, in memory and on disk.
//!
//! It is asked with `lookup`, which never waits: what is in memory is an answer at once, what is on disk is a `Loading` to wait for.
//! Whoever has to ask a server `claim`s the right to, so that one request goes for many, and `admit`s the reply, which may
//! become a `Filling`. `invalidate` and `purge` drop. The time is a parameter everywhere.
//!
//! Read `found` (what a request is told), `rules` (what RFC 9111 says), `answer` (what a client gets), `filling` (how an entry comes to be), then `memory` and
//! `disk`. Nothing here knows a server, a socket or a setting's name.

mod answer;
mod body;
mod claims;
mod counters;
mod directives;
mod disk;
mod entry;
mod error;
mod filling;
mod found;
mod key;
mod memory;
mod range;
mod rules;
mod stale;
mod status;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use http::{
    HeaderMap, HeaderName, Method,
    header::{
        AUTHORIZATION, CONTENT_LENGTH, CONTENT_LOCATION, DATE, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION,
        RANGE, TRANSFER_ENCODING,
    },
    request, response,
};

pub use self::{
    body::Body,
    claims::{Claim, Follower, Lead, Outcome},
    counters::{Count, Counters, Unkept},
    error::{NoUrl, OpenError},
    filling::{Filling, Tee},
    found::{Found, Loading},
    key::Key,
    stale::Stale,
    status::{CACHE_STATUS, Forward, Forwarded, forwarded},
};
use self::{
    claims::Claims,
    counters::Tallies,
    disk::Disk,
    entry::{Content, Entry, Held},
    found::bypass,
    memory::Memory,
    rules::Selection,
};

/// What a cache is told when it is opened.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For how long a reply is fresh that says nothing of it. Zero: such replies are not kept.
    pub ttl: Duration,
    /// Room in memory for entries, in bytes. Bodies on their way may take as much again, and 4 MiB at least.
    pub memory_bytes: u64,
    /// A directory that no other cache uses, and how many bytes may be there.
    pub disk: Option<(PathBuf, u64)>,
    /// No body longer than this is kept. Nor is one that there would be no room for.
    pub max_entry_bytes: u64,
}

/// A cache. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    memory: Memory,
    disk: Option<Disk>,
    claims: Claims,
    tallies: Arc<Tallies>,
    /// Bytes of bodies on their way in that are in memory.
    held: AtomicU64,
    /// Held by whoever changes what is kept, so that memory and disk agree, and no reply is kept after a change that overtook it.
    changing: Mutex<()>,
}

impl Cache {
    /// Opens a cache, with what an earlier process left in its directory.
    pub fn open(mut settings: Settings) -> Result<Self, OpenError> {
        let tallies = Arc::<Tallies>::default();
        let room = settings.disk.as_ref().map_or(settings.memory_bytes / 2, |(_, limit)| limit / 2);
        settings.max_entry_bytes = settings.max_entry_bytes.min(room);
        let disk = match settings.disk.clone() {
            Some((directory, limit)) => {
                let opened = Disk::open(directory.clone(), limit, tallies.clone());
                Some(opened.map_err(|cause| OpenError { directory, cause })?)
            }
            None => None,
        };
        let longest = if disk.is_some() { entry::SEGMENT as u64 } else { settings.max_entry_bytes };
        let memory = Memory::new(settings.memory_bytes, longest, tallies.clone());
        let (claims, held, changing) = (Claims::default(), AtomicU64::new(0), Mutex::new(()));
        Ok(Self(Arc::new(Inner { settings, memory, disk, claims, tallies, held, changing })))
    }

    /// The right to ask a server for what `request` asks, or somebody to wait for who does. Who comes when the reply has just been
    /// kept waits for nothing and looks again.
    pub fn claim(&self, request: &request::Parts, now: SystemTime) -> Claim {
        match Key::of(request) {
            Some(key) if may_follow(request) => self.claim_key(&key, &request.headers, now),
            key => Claim::Lead(self.0.claims.alone(key)),
        }
    }

    fn claim_key(&self, key: &Key, headers: &HeaderMap, now: SystemTime) -> Claim {
        let claim = match self.0.claims.claim(key.clone()) {
            // Between looking and leading, the one who led may have kept the reply.
            Claim::Lead(lead) if self.has_answer(key, headers, now) => lead.give_way(),
            claim => claim,
        };
        if matches!(claim, Claim::Follow(_)) {
            self.0.tallies.count(Count::Collapsed);
        }
        claim
    }

    /// The right to ask a server without anybody waiting for it: for who has waited in vain.
    pub fn alone(&self, request: &request::Parts) -> Lead {
        self.0.claims.alone(Key::of(request))
    }

    /// Takes in the head of a reply that is not a 304 to our own question; what comes back takes the body. None if the reply is
    /// not to be kept, which those who wait are told.
    pub fn admit(
        &self,
        lead: Lead,
        request: &request::Parts,
        reply: &response::Parts,
        now: SystemTime,
    ) -> Option<Filling> {
        match self.draft(&lead, request, reply, now) {
            Ok((entry, expected)) => Some(Filling::new(self.clone(), lead, entry, expected)),
            Err(reason) => {
                self.0.tallies.unkept(reason);
                // What is said to a HEAD tells those who GET nothing.
                let is_told = reason != Unkept::Method;
                lead.decide(if is_told { Outcome::NotStorable } else { Outcome::Failed });
                None
            }
        }
    }

    fn draft(
        &self,
        lead: &Lead,
        request: &request::Parts,
        reply: &response::Parts,
        now: SystemTime,
    ) -> Result<(Entry, Option<u64>), Unkept> {
        let key = lead.key().filter(|_| request.method == Method::GET).ok_or(Unkept::Method)?.clone();
        if bypass(request).is_some() {
            return Err(Unkept::Forbidden);
        }
        let freshness = rules::judge(&request.headers, reply, self.0.settings.ttl, now)?;
        let expected = length(&reply.headers)?;
        if expected.is_some_and(|length| length > self.0.settings.max_entry_bytes) {
            return Err(Unkept::TooLarge);
        }
        let mut headers = entry::lasting(&reply.headers);
        if !headers.contains_key(DATE)
            && let Ok(received) = httpdate::fmt_http_date(now).parse()
        {
            headers.insert(DATE, received);
        }
        let entry = Entry {
            key,
            id: fastrand::u64(..),
            selection: Selection::of(&request.headers, &reply.headers),
            status: reply.status,
            headers,
            freshness,
            length: 0,
            content: Content::Memory([].into()),
            used: Arc::default(),
        };
        Ok((entry, expected))
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.0.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an entry that is whole. A long one comes from a thread that may wait for the disk.
    fn keep(&self, entry: &Arc<Entry>, lead: &Lead) {
        let guard = self.changing();
        if lead.is_overtaken() {
            drop(guard);
            // Before the job is done that wrote it: who purges waits for that.
            if let (Content::File(_), Some(disk)) = (&entry.content, &self.0.disk) {
                disk.discard_now(entry.id);
            }
            self.0.tallies.unkept(Unkept::Overtaken);
            return lead.decide(Outcome::NotStorable);
        }
        // A long body got its head with its last byte, from the thread that wrote it.
        self.put(entry, matches!(entry.content, Content::File(_)));
        drop(guard);
        self.0.tallies.count(Count::Stored);
        lead.decide(outcome(entry));
    }

    /// Keeps an entry that was kept before, unless it was dropped meanwhile.
    fn renew(&self, entry: &Arc<Entry>, lead: &Lead) {
        let guard = self.changing();
        let is_kept =
            self.0.memory.holds(entry) || self.0.disk.as_ref().is_some_and(|disk| disk.holds(entry));
        let is_wanted = is_kept && !lead.is_overtaken();
        if is_wanted {
            self.put(entry, false);
        }
        drop(guard);
        lead.decide(if is_wanted { outcome(entry) } else { Outcome::NotStorable });
    }

    fn put(&self, entry: &Arc<Entry>, is_written: bool) {
        match entry.content {
            Content::Memory(_) => self.0.memory.keep(entry.clone()),
            Content::File(_) => self.0.memory.drop_same(entry),
        }
        if let Some(disk) = &self.0.disk {
            disk.keep(entry, is_written);
        }
    }

    /// What was read from disk is in memory from now on, if it is short and still kept: not what a 304 has renewed since.
    fn promote(&self, held: &Held) {
        let _guard = self.changing();
        let is_kept = self.0.disk.as_ref().is_some_and(|disk| disk.holds_as_it_is(&held.entry));
        if is_kept && matches!(held.entry.content, Content::Memory(_)) {
            self.0.memory.keep(held.entry.clone());
        }
    }

    /// Drops what a request that changes things makes wrong (RFC 9111, 4.4), by the head of its reply.
    pub fn invalidate(&self, request: &request::Parts, reply: &response::Parts) {
        if request.method.is_safe() || !(reply.status.is_success() || reply.status.is_redirection()) {
            return;
        }
        let Some(key) = Key::of(request) else { return };
        let named = [LOCATION, CONTENT_LOCATION].map(|name| {
            reply.headers.get(name).and_then(|location| location.to_str().ok()).and_then(|to| key.beside(to))
        });
        for key in named.iter().flatten().chain([&key]) {
            self.0.tallies.add(Count::Invalidated, self.drop_all(key.as_str()));
        }
    }

    /// Drops one entry, if it is still kept.
    fn drop_one(&self, entry: &Entry) {
        let _guard = self.changing();
        if self.0.memory.holds(entry) {
            self.0.memory.drop_same(entry);
        }
        if let Some(disk) = &self.0.disk {
            disk.drop_one(entry);
        }
    }

    /// Drops all variants of a key, and what is being fetched for it; says how many entries there were.
    fn drop_all(&self, key: &str) -> u64 {
        let _guard = self.changing();
        self.0.claims.overtake(key);
        let in_memory = self.0.memory.drop_all(key);
        let on_disk = self.0.disk.as_ref().map_or(0, |disk| disk.drop_all(key));
        in_memory.max(on_disk) as u64
    }

    /// Drops what is kept for `url`, and returns when it is gone from the disk too. Whether there was anything.
    pub async fn purge(&self, url: &str) -> Result<bool, NoUrl> {
        let key = url.parse().ok().and_then(|url| Key::of_url(&url)).ok_or(NoUrl)?;
        let count = self.drop_all(key.as_str());
        self.0.tallies.add(Count::Purged, count);
        self.settle_once().await;
        Ok(count > 0)
    }

    /// Drops what is kept for all URLs that begin with `prefix`, and returns when it is gone from the disk too. How many entries
    /// there were.
    pub async fn purge_prefix(&self, prefix: &str) -> Result<u64, NoUrl> {
        let prefix = key::spell_prefix(prefix).ok_or(NoUrl)?;
        let count = self.drop_beginning_with(&prefix);
        self.0.tallies.add(Count::Purged, count);
        self.settle_once().await;
        Ok(count)
    }

    fn drop_beginning_with(&self, prefix: &str) -> u64 {
        let _guard = self.changing();
        self.0.claims.overtake_beginning_with(prefix);
        let mut gone: HashMap<Key, usize> = self.0.memory.drop_beginning_with(prefix);
        for (key, on_disk) in self.0.disk.iter().flat_map(|disk| disk.drop_beginning_with(prefix)) {
            let count = gone.entry(key).or_default();
            *count = on_disk.max(*count);
        }
        gone.values().map(|count| *count as u64).sum()
    }

    /// Waits until the disk has what is kept, and has no more what is dropped: before a process ends.
    pub async fn settle(&self) {
        // What is kept at its end begins to remove what it replaces.
        self.settle_once().await;
        self.settle_once().await;
    }

    /// Waits for what has been begun by now.
    async fn settle_once(&self) {
        if let Some(disk) = &self.0.disk {
            disk.settle().await;
        }
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        let mut counters = self.0.tallies.snapshot();
        counters.memory_bytes = self.0.memory.bytes() + self.0.held.load(Relaxed);
        counters.disk_bytes = self.0.disk.as_ref().map_or(0, Disk::bytes);
        counters
    }
}

/// What those who waited for `entry` are told. If it may not be used without the server's word, each would lead in turn.
fn outcome(entry: &Entry) -> Outcome {
    let lasts = entry.freshness.lifetime > entry.freshness.age;
    if lasts { Outcome::Stored } else { Outcome::NotStorable }
}

/// Whether the reply to somebody else's request can be the answer to this one.
fn may_follow(request: &request::Parts) -> bool {
    const OWN: [HeaderName; 4] = [AUTHORIZATION, IF_NONE_MATCH, IF_MODIFIED_SINCE, RANGE];
    request.method == Method::GET
        && bypass(request).is_none()
        && OWN.iter().all(|name| !request.headers.contains_key(name))
}

/// What `Content-Length` says, if it is there; two that differ say nothing good, nor does one beside another way to find the end.
fn length(headers: &HeaderMap) -> Result<Option<u64>, Unkept> {
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Err(Unkept::Truncated);
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().map(|length| {
        length.to_str().ok().and_then(|length| length.trim().parse().ok()).ok_or(Unkept::Truncated)
    });
    let first: Option<u64> = lengths.next().transpose()?;
    if lengths.all(|other| other.ok() == first) { Ok(first) } else { Err(Unkept::Truncated) }
}
