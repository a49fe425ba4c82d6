//! What the shards of a process share of a route that replicates: who its secondaries are, and what goes to them.

use std::sync::Arc;

use http::{HeaderName, Method};
use proto::{backoff::Backoff, id::ServerIndex, outage::Outage};
use runtime::settings::{Destination, Http, Mode, Route};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    compare::{Gathered, Rules, Verdict, compare},
    json::Path,
    secondary::Secondary,
};
use crate::site::Server;

/// Bodies that differ and are together longer than this are compared on another thread.
const LONG: usize = 16 * 1024;
/// So many of them at once: JSON takes many times its length while it is looked at.
const AT_ONCE: usize = 2;

/// What is shared of a route that replicates.
pub(crate) struct Plan {
    pub(super) secondaries: Vec<Share>,
    backoff: Backoff,
    methods: Vec<Method>,
    rules: Arc<Rules>,
    judges: Semaphore,
}

/// What is shared of a secondary.
pub(super) struct Share {
    pub(super) server: Server,
    /// Copies that may be under way.
    places: Arc<Semaphore>,
}

impl Plan {
    /// The plan of a route; `None` if it does not replicate.
    pub(crate) fn new(route: &Route, http: &Http) -> Option<Self> {
        if http.mode != Mode::Replicate {
            return None;
        }
        let share = |it: &Destination| Share {
            server: Server::of(it),
            places: Arc::new(Semaphore::new(http.mirror_copies.min(Semaphore::MAX_PERMITS))),
        };
        Some(Self {
            secondaries: route.destinations.iter().skip(1).map(share).collect(),
            backoff: Backoff::new(route.backoff_min, route.backoff_max),
            methods: http.mirror_methods.0.iter().filter_map(|it| it.parse().ok()).collect(),
            rules: Arc::new(rules(http)),
            judges: Semaphore::new(AT_ONCE),
        })
    }

    pub(crate) fn secondaries(&self) -> usize {
        self.secondaries.len()
    }

    /// What a shard knows of each of them at first.
    pub(crate) fn unknown(&self) -> Vec<Secondary> {
        self.secondaries.iter().map(|_| Secondary::new(Outage::new(self.backoff.clone()))).collect()
    }

    /// Whether requests of this method are copied.
    pub(super) fn takes(&self, method: &Method) -> bool {
        self.methods.contains(method)
    }

    /// A place for a copy to a secondary, if there is one.
    pub(super) fn place(&self, secondary: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.secondaries[secondary].places).try_acquire_owned().ok()
    }

    /// Holds a reply against the primary's, where nobody is kept waiting by it.
    pub(super) async fn judge(&self, primary: &Arc<Gathered>, secondary: &Arc<Gathered>) -> Verdict {
        let (one, other) = (primary.body.bytes(), secondary.body.bytes());
        if one.len() + other.len() <= LONG || one == other {
            return compare(primary, secondary, &self.rules);
        }
        // It is never closed.
        let _judge = self.judges.acquire().await;
        let (primary, secondary, rules) =
            (Arc::clone(primary), Arc::clone(secondary), Arc::clone(&self.rules));
        let comparing = tokio::task::spawn_blocking(move || compare(&primary, &secondary, &rules));
        comparing.await.unwrap_or(Verdict::Uncompared)
    }

    /// The headers that are compared.
    pub(super) fn headers(&self) -> &[HeaderName] {
        &self.rules.headers
    }
}

/// Which server a secondary is; the primary comes first.
pub(super) fn server(secondary: usize) -> ServerIndex {
    ServerIndex(secondary as u16 + 1)
}

fn rules(http: &Http) -> Rules {
    Rules {
        headers: http.compare_headers.0.iter().filter_map(|it| it.parse().ok()).collect(),
        ignored: http.ignore_json.0.iter().map(|it| Path::new(it)).collect(),
    }
}
