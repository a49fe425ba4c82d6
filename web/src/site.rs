//! A route of `http://` in this process: what all its shards share.
//!
//! Requests of one route come to every shard, and the ring, the limit of requests in progress and the cache are the
//! route's. They are the only things of the data path that shards share; none is held across a wait.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use proto::{
    balance::{Balance, Change, Ejection, HealthChecks, How, Settings},
    id::ServerIndex,
    time::Instant,
};
use runtime::{
    clock::Clock,
    report::CacheReport,
    settings::{self, Http, Route},
};
use tracing::{info, warn};

use crate::{
    access_log::AccessLog,
    cache::{self, Cache, Count, NoUrl, OpenError, Unkept},
    mirror::Plan,
    places::Places,
};

/// The longest time a server is out of the ring at once.
const LONGEST_EJECTION: Duration = Duration::from_secs(60);
/// Failed checks until a server is unwell, and passed ones until it is well.
const CHECKS: (u32, u32) = (2, 2);

/// What the shards of a process share of one route.
pub struct Site {
    pub(crate) name: String,
    /// What its servers are called, and where they are; of a route that replicates, the primary.
    pub(crate) servers: Vec<Server>,
    pub(crate) settings: Http,
    pub(crate) clock: Clock,
    /// Requests that may be with servers at once.
    pub(crate) places: Places,
    /// Where requests are told of, besides the log of the process.
    pub(crate) access_log: Option<AccessLog>,
    /// None where nothing may be kept.
    pub(crate) cache: Option<Cache>,
    /// There if it replicates.
    pub(crate) plan: Option<Plan>,
    balance: Mutex<Balance>,
    /// Whether a shard speaks for all of them.
    has_speaker: AtomicBool,
}

/// A server of the route.
pub(crate) struct Server {
    pub(crate) name: Arc<str>,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn of(destination: &settings::Destination) -> Self {
        Self { name: destination.name.as_str().into(), address: destination.address.to_string() }
    }
}

impl Site {
    /// The site of `route`; `None` if it is no route of `http://`. What is kept on disk is below `data_dir`.
    pub fn open(
        route: &Route,
        data_dir: Option<&Path>,
        access_log: Option<AccessLog>,
    ) -> Result<Option<Arc<Self>>, OpenError> {
        let Some(http) = route.http.clone() else { return Ok(None) };
        let cache = (!http.ttl.is_zero()).then(|| Cache::open(cache_settings(route, &http, data_dir)));
        let plan = Plan::new(route, &http);
        let servers = &route.destinations[..if plan.is_some() { 1 } else { route.destinations.len() }];
        Ok(Some(Arc::new(Self {
            name: route.name.clone(),
            servers: servers.iter().map(Server::of).collect(),
            clock: Clock::start(),
            // As many may wait as may be in progress: whoever is behind those would wait in vain.
            places: Places::new(http.max_connections, http.max_connections),
            balance: Mutex::new(Balance::new(&balance(servers, &http))),
            access_log,
            plan,
            cache: cache.transpose()?,
            settings: http,
            has_speaker: AtomicBool::new(false),
        })))
    }

    /// Its servers and secondaries.
    pub(crate) fn destinations(&self) -> usize {
        self.servers.len() + self.plan.as_ref().map_or(0, Plan::secondaries)
    }

    /// Waits until the disk has what is kept.
    pub async fn settle(&self) {
        if let Some(cache) = &self.cache {
            cache.settle().await;
        }
    }

    /// Drops what is kept for a URL. Whether there was anything.
    pub async fn purge(&self, url: &str) -> Result<bool, NoUrl> {
        match &self.cache {
            Some(cache) => cache.purge(url).await,
            None => Ok(false),
        }
    }

    /// Drops what is kept for all URLs that begin with `prefix`. How many entries there were.
    pub async fn purge_prefix(&self, prefix: &str) -> Result<u64, NoUrl> {
        match &self.cache {
            Some(cache) => cache.purge_prefix(prefix).await,
            None => Ok(0),
        }
    }

    /// True for the first that asks: what is shared is told of, and servers are asked after their health, by one shard.
    pub(crate) fn elect(&self) -> bool {
        !self.has_speaker.swap(true, Relaxed)
    }

    /// What was counted of its cache.
    pub(crate) fn cache_report(&self) -> Option<CacheReport> {
        let counters = self.cache.as_ref()?.counters();
        let counts = Count::ALL.iter().map(|&count| (count.name().to_owned(), counters.of(count)));
        let unkept = Unkept::ALL.iter().map(|&reason| (reason.name().to_owned(), counters.unkept(reason)));
        Some(CacheReport {
            counts: counts.collect(),
            unkept: unkept.filter(|(_, count)| *count > 0).collect(),
            memory_bytes: counters.memory_bytes,
            disk_bytes: counters.disk_bytes,
        })
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The ring. Held for a few instructions only.
    pub(crate) fn balance(&self) -> MutexGuard<'_, Balance> {
        // What a panic left behind is whole: every call leaves it so.
        self.balance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the operator what changed for a server.
    pub(crate) fn tell(&self, server: ServerIndex, change: Option<Change>) {
        let Some(change) = change else { return };
        let (route, server) = (&self.name, &self.servers[usize::from(server.0)]);
        let (server, address) = (&*server.name, &server.address);
        match change {
            Change::Ejected { .. } => warn!(route, server, address, "server fails, it is out of the ring"),
            Change::Back => info!(route, server, address, "server answers again, it is back in the ring"),
            Change::Unwell => warn!(route, server, address, "server is unwell, its checks fail"),
            Change::Well => info!(route, server, address, "server is well again"),
        }
    }
}

fn cache_settings(route: &Route, http: &Http, data_dir: Option<&Path>) -> cache::Settings {
    cache::Settings {
        ttl: http.ttl,
        memory_bytes: http.cache_memory.get(),
        disk: data_dir.map(|dir| (dir.join("cache").join(&route.name), http.cache_disk.get())),
        max_entry_bytes: http.cache_longest.get(),
    }
}

fn balance(servers: &[settings::Destination], http: &Http) -> Settings {
    let weight = |it: &settings::Destination| u16::try_from(it.weight).unwrap_or(u16::MAX);
    let ejection = Ejection {
        failures: u32::try_from(http.eject_after).unwrap_or(u32::MAX),
        base: http.eject_for,
        cap: LONGEST_EJECTION.max(http.eject_for),
    };
    let (unwell_after, well_after) = CHECKS;
    let checks = HealthChecks { interval: http.health_interval, unwell_after, well_after };
    Settings {
        how: match http.balance {
            settings::Balance::RoundRobin => How::RoundRobin,
            settings::Balance::LeastRequests => How::LeastRequests,
        },
        weights: servers.iter().map(weight).collect(),
        ejection: Some(ejection),
        checks: http.health.is_some().then_some(checks),
    }
}
