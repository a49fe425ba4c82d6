//! What is on disk, by key, and in which order it goes when room is needed.
//!
//! Entries go in the order they came; one that was asked for since it was last looked at goes round once more. Keys are sorted, so
//! what begins alike is found together.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use http::HeaderMap;

use crate::cache::{
    entry::Entry,
    key::Key,
    rules::{Freshness, Selection},
};

/// Variants of one resource; with more, the oldest goes.
pub(crate) const VARIANTS: usize = 32;

/// An entry on disk, or on its way there.
#[derive(Debug)]
pub(crate) struct Place {
    pub key: Key,
    pub id: u64,
    pub selection: Selection,
    pub freshness: Freshness,
    /// Of its files, in whole blocks.
    pub bytes: u64,
    pub is_long: bool,
    pub used: Arc<AtomicBool>,
    /// Its files are all there.
    pub is_ready: AtomicBool,
    /// It is no longer in the index: whoever writes its files removes them.
    pub is_dropped: AtomicBool,
}

impl Place {
    pub(crate) fn of(entry: &Entry, bytes: u64, is_long: bool, is_ready: bool) -> Self {
        Self {
            key: entry.key.clone(),
            id: entry.id,
            selection: entry.selection.clone(),
            freshness: entry.freshness,
            bytes,
            is_long,
            used: entry.used.clone(),
            is_ready: is_ready.into(),
            is_dropped: false.into(),
        }
    }
}

/// All places.
#[derive(Debug, Default)]
pub(crate) struct Index {
    resources: BTreeMap<Key, Vec<Arc<Place>>>,
    order: VecDeque<Arc<Place>>,
    count: usize,
    /// Entries that could not be read at the start, though nothing says that they are damaged.
    pub unread: Vec<u64>,
    /// Of all places, and of what is being written without a place.
    pub bytes: u64,
    /// Of what is being written without a place.
    pub coming: u64,
}

impl Index {
    /// The variant of `key` that a request with these headers is given.
    pub(crate) fn find(&self, key: &str, headers: &HeaderMap) -> Option<Arc<Place>> {
        let variants = self.resources.get(key)?;
        variants.iter().rev().find(|place| place.selection.matches(headers)).cloned()
    }

    /// Whether there is any variant of `key`.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.resources.contains_key(key)
    }

    /// Whether this very entry is there.
    pub(crate) fn holds(&self, key: &Key, id: u64) -> bool {
        self.resources.get(key).is_some_and(|variants| variants.iter().any(|place| place.id == id))
    }

    /// Whether this very entry is there, and was not renewed since.
    pub(crate) fn holds_as_it_is(&self, entry: &Entry) -> bool {
        let variants = self.resources.get(&entry.key);
        variants.into_iter().flatten().any(|place| place.id == entry.id && place.freshness == entry.freshness)
    }

    /// Whether this very entry is there, for the same requests.
    pub(crate) fn finds(&self, place: &Place) -> bool {
        self.same(&place.key, &place.selection) == Some(place.id)
    }

    /// The entry that is for the same requests.
    pub(crate) fn same(&self, key: &Key, selection: &Selection) -> Option<u64> {
        self.resources.get(key)?.iter().find(|place| place.selection == *selection).map(|place| place.id)
    }

    /// How many places there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Adds a place; says which it replaces.
    pub(crate) fn add(&mut self, place: Arc<Place>) -> Vec<Arc<Place>> {
        let variants = self.resources.entry(place.key.clone()).or_default();
        let is_same = |known: &Arc<Place>| known.selection == place.selection || known.id == place.id;
        let mut gone: Vec<_> = variants.extract_if(.., |known| is_same(known)).collect();
        if variants.len() >= VARIANTS {
            gone.push(variants.remove(0));
        }
        variants.push(place.clone());
        self.count += 1;
        self.bytes += place.bytes;
        self.order.push_back(place);
        for place in &gone {
            self.forget(place);
        }
        self.sweep();
        gone
    }

    /// Drops places until there is room for all that is counted.
    pub(crate) fn shrink(&mut self, limit: u64) -> Vec<Arc<Place>> {
        let mut gone = Vec::new();
        while self.bytes > limit {
            let Some(place) = self.order.pop_front() else { break };
            if place.is_dropped.load(Relaxed) {
                continue;
            }
            if place.used.swap(false, Relaxed) {
                self.order.push_back(place);
            } else {
                self.remove(&place.key, place.id);
                gone.push(place);
            }
        }
        gone
    }

    /// Drops one entry, if it is there.
    pub(crate) fn remove(&mut self, key: &Key, id: u64) -> Option<Arc<Place>> {
        let variants = self.resources.get_mut(key)?;
        let at = variants.iter().position(|place| place.id == id)?;
        let place = variants.remove(at);
        if variants.is_empty() {
            self.resources.remove(key);
        }
        self.forget(&place);
        Some(place)
    }

    /// Drops all variants of `key`.
    pub(crate) fn remove_all(&mut self, key: &str) -> Vec<Arc<Place>> {
        let gone = self.resources.remove(key).unwrap_or_default();
        for place in &gone {
            self.forget(place);
        }
        gone
    }

    /// The keys that begin with `prefix`.
    pub(crate) fn beginning_with(&self, prefix: &str) -> Vec<Key> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let keys = self.resources.range::<str, _>(from).map(|(key, _)| key);
        keys.take_while(|key| key.as_str().starts_with(prefix)).cloned().collect()
    }

    fn forget(&mut self, place: &Place) {
        place.is_dropped.store(true, Relaxed);
        self.count -= 1;
        self.bytes -= place.bytes;
    }

    /// Keeps the order from growing with what is no longer there.
    fn sweep(&mut self) {
        if self.order.len() > 2 * self.count + 64 {
            self.order.retain(|place| !place.is_dropped.load(Relaxed));
        }
    }
}
