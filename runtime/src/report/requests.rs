//! What is counted of a route of `http://`: requests, replies, its cache and its servers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Requests of a route of `http://`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// Clients that connected.
    pub connections: u64,
    /// Clients that are connected.
    pub clients: u64,
    /// Clients for whom there was no room.
    #[serde(default)]
    pub turned_away: u64,
    /// Requests.
    pub requests: u64,
    /// Replies by the first digit of their status, as `2xx`; digits that never occurred are left out.
    pub replies: BTreeMap<String, u64>,
    /// Replies that ended before they were complete.
    pub torn: u64,
    /// Clients that did not finish the head of a request in time.
    pub slow: u64,
    /// Bytes of replies' bodies.
    pub sent_bytes: u64,
    /// Requests that were sent once more, to another server.
    pub retried: u64,
    /// Requests that waited for a place among those in progress.
    pub queued: u64,
    /// The cache; nothing where nothing is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheReport>,
    /// By server.
    pub servers: BTreeMap<String, ServerReport>,
}

/// What was counted of a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheReport {
    /// What became of requests and entries.
    pub counts: BTreeMap<String, u64>,
    /// Replies that were not kept, by reason; reasons that never occurred are left out.
    pub unkept: BTreeMap<String, u64>,
    /// Bytes held in memory.
    pub memory_bytes: u64,
    /// Bytes held on disk.
    pub disk_bytes: u64,
}

/// What was counted of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerReport {
    /// Requests sent to it.
    pub requests: u64,
    /// Those it failed.
    pub failures: u64,
    /// Whether it is neither ejected nor unwell.
    pub is_in_ring: bool,
}

impl Requests {
    pub(super) fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.clients += other.clients;
        self.turned_away += other.turned_away;
        self.requests += other.requests;
        add_counts(&mut self.replies, &other.replies);
        self.torn += other.torn;
        self.slow += other.slow;
        self.sent_bytes += other.sent_bytes;
        self.retried += other.retried;
        self.queued += other.queued;
        super::merge(&mut self.cache, other.cache.as_ref(), CacheReport::add);
        for (name, theirs) in &other.servers {
            match self.servers.get_mut(name) {
                Some(mine) => mine.add(*theirs),
                None => drop(self.servers.insert(name.clone(), *theirs)),
            }
        }
    }
}

impl CacheReport {
    fn add(&mut self, other: &Self) {
        add_counts(&mut self.counts, &other.counts);
        add_counts(&mut self.unkept, &other.unkept);
        self.memory_bytes += other.memory_bytes;
        self.disk_bytes += other.disk_bytes;
    }
}

impl ServerReport {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.is_in_ring &= other.is_in_ring;
    }
}

fn add_counts(mine: &mut BTreeMap<String, u64>, theirs: &BTreeMap<String, u64>) {
    for (name, count) in theirs {
        *mine.entry(name.clone()).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_added_up_and_a_server_is_in_the_ring_if_all_of_them_say_so() {
        let of = |requests, is_in_ring| Requests {
            requests,
            replies: [("2xx".to_owned(), requests)].into(),
            servers: [("a".to_owned(), ServerReport { requests, failures: 1, is_in_ring })].into(),
            ..Requests::default()
        };
        let mut sum = of(3, true);
        let mut second = of(4, false);
        second.cache = Some(CacheReport { memory_bytes: 5, ..CacheReport::default() });

        sum.add(&second);

        assert_eq!((sum.requests, sum.replies["2xx"]), (7, 7));
        assert_eq!(sum.servers["a"], ServerReport { requests: 7, failures: 2, is_in_ring: false });
        assert_eq!(sum.cache.unwrap().memory_bytes, 5);
    }
}
