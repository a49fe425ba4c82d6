//! Entries in memory, bounded by bytes: what a hit finds without waiting.
//!
//! All variants of a resource are one thing here, and go together.

use std::{collections::HashMap, sync::Arc};

use http::HeaderMap;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter, sync};

use super::{
    counters::{Count, Tallies},
    entry::Entry,
    key::Key,
};

/// Variants of one resource; with more, the oldest goes.
const VARIANTS: usize = 32;

/// What entries weigh on the average, roughly; it only sizes tables.
const TYPICAL: u64 = 8 * 1024;

/// The part of a cache that is in memory.
#[derive(Debug)]
pub(crate) struct Memory {
    map: sync::Cache<Key, Arc<Variants>, Weight, DefaultHashBuilder, Evictions>,
    tallies: Arc<Tallies>,
}

/// What is kept for one key, the oldest first.
#[derive(Debug)]
struct Variants {
    entries: Vec<Arc<Entry>>,
    weight: u64,
}

impl Variants {
    fn new(entries: Vec<Arc<Entry>>) -> Arc<Self> {
        let weight = entries.iter().map(|entry| entry.weight() as u64).sum();
        Arc::new(Self { entries, weight })
    }
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<Key, Arc<Variants>> for Weight {
    fn weight(&self, _: &Key, variants: &Arc<Variants>) -> u64 {
        variants.weight
    }
}

/// Tells who inserts what had to go for it.
#[derive(Clone, Debug)]
struct Evictions;

impl Lifecycle<Key, Arc<Variants>> for Evictions {
    type RequestState = Vec<(Key, usize)>;

    fn on_evict(&self, gone: &mut Self::RequestState, key: Key, variants: Arc<Variants>) {
        gone.push((key, variants.entries.len()));
    }
}

impl Memory {
    /// Room for `limit` bytes, in which an entry of `longest` must find a place.
    pub(crate) fn new(limit: u64, longest: u64, tallies: Arc<Tallies>) -> Self {
        // Each part has its own lock and its own share of the room, which is all that an entry can have.
        let parts = (limit / longest.max(1) / 2).clamp(1, 64).next_power_of_two();
        let parts = if parts > 1 { parts / 2 } else { 1 };
        let options = OptionsBuilder::new()
            .shards(parts as usize)
            .estimated_items_capacity((limit / TYPICAL).max(32 * parts) as usize)
            .weight_capacity(limit)
            .build();
        let options = options.unwrap_or_else(|error| unreachable!("room and count are given: {error}"));
        let map = sync::Cache::with_options(options, Weight, DefaultHashBuilder::default(), Evictions);
        Self { map, tallies }
    }

    /// What is kept for `key` and a request with these headers.
    pub(crate) fn find(&self, key: &str, headers: &HeaderMap) -> Option<Arc<Entry>> {
        let variants = self.map.get(key)?;
        variants.entries.iter().rev().find(|entry| entry.selection.matches(headers)).cloned()
    }

    /// Whether something is kept for `key`, for whatever request.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// Whether this very entry is kept.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        self.map
            .peek(&entry.key)
            .is_some_and(|variants| variants.entries.iter().any(|kept| kept.id == entry.id))
    }

    /// Keeps `entry` instead of what was kept for the same requests. One caller at a time.
    pub(crate) fn keep(&self, entry: Arc<Entry>) {
        let key = entry.key.clone();
        let mut variants = self.others(&entry);
        variants.push(entry);
        self.trim(&mut variants);
        self.insert(&key, variants);
    }

    /// Leaves out the oldest variants where there are too many, or more than one lock's share of the room would hold.
    fn trim(&self, variants: &mut Vec<Arc<Entry>>) {
        let mut weight: u64 = variants.iter().map(|entry| entry.weight() as u64).sum();
        while variants.len() > VARIANTS || (variants.len() > 1 && weight > self.map.shard_capacity() / 2) {
            weight -= variants.remove(0).weight() as u64;
            self.tallies.count(Count::EvictedFromMemory);
        }
    }

    /// Drops what is kept for the same requests as `entry`. One caller at a time.
    pub(crate) fn drop_same(&self, entry: &Entry) {
        let others = self.others(entry);
        if self.map.remove(&entry.key).is_some() && !others.is_empty() {
            self.insert(&entry.key, others);
        }
    }

    fn insert(&self, key: &Key, entries: Vec<Arc<Entry>>) {
        let mut gone = Vec::new();
        self.map.insert_with_lifecycle(key.clone(), Variants::new(entries), &mut gone);
        // What is replaced makes no room for others.
        let evicted = gone.iter().filter(|(other, _)| other != key).map(|(_, count)| *count as u64).sum();
        self.tallies.add(Count::EvictedFromMemory, evicted);
    }

    /// The variants for other requests than `entry`, the oldest first; not this entry as it was before the server said more.
    fn others(&self, entry: &Entry) -> Vec<Arc<Entry>> {
        let variants = self.map.peek(&entry.key);
        let variants = variants.iter().flat_map(|variants| variants.entries.iter());
        variants.filter(|kept| kept.selection != entry.selection && kept.id != entry.id).cloned().collect()
    }

    /// Drops all variants of `key`; says how many there were.
    pub(crate) fn drop_all(&self, key: &str) -> usize {
        self.map.remove(key).map_or(0, |(_, variants)| variants.entries.len())
    }

    /// Drops everything whose key begins with `prefix`; says which keys, with how many variants.
    pub(crate) fn drop_beginning_with(&self, prefix: &str) -> HashMap<Key, usize> {
        let keys = self.map.iter().map(|(key, _)| key).filter(|key| key.as_str().starts_with(prefix));
        let keys: Vec<Key> = keys.collect();
        keys.into_iter().map(|key| (key.clone(), self.drop_all(key.as_str()))).collect()
    }

    /// Bytes that are taken.
    pub(crate) fn bytes(&self) -> u64 {
        self.map.weight()
    }
}
