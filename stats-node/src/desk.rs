//! Where statistics lie for everyone in the process who has to do with them: who brings reports, who is asked by a signal,
//! who answers HTTP.
//!
//! One lock, held for the length of one report or one summary and never while anything is awaited. It is nowhere near the
//! data path.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::time::Instant;
use runtime::{
    clock::{Clock, unix_millis},
    report::Published,
    telemetry::RateLimited,
};
use serde_json::json;
use tokio::sync::broadcast;
use tracing::error;

use crate::{
    events::Told,
    history::{History, Point},
    recovery::Recovery,
    saved::Saved,
    statistics::Statistics,
    summary::Summary,
};

/// News a reader of the stream may be behind; then it misses some.
const MAX_BEHIND: usize = 256;

/// News, for who reads along.
#[derive(Clone, Debug)]
pub struct News {
    /// `stats`, `history` or `event`.
    pub kind: &'static str,
    /// One line of JSON.
    pub data: Arc<str>,
}

/// Statistics, shared.
#[derive(Debug)]
pub struct Desk {
    node: &'static str,
    clock: Clock,
    statistics: Mutex<Statistics>,
    history: Mutex<History>,
    news: broadcast::Sender<News>,
    unbalanced: Mutex<RateLimited>,
}

impl Desk {
    /// The desk of a node of this kind, with what the recovery file has.
    pub fn open(node: &'static str, recovery: Option<&Recovery>, clock: Clock) -> Self {
        let take_up = |recovery: &Recovery| recovery.take_up(unix_millis(), clock.now());
        Self {
            node,
            clock,
            statistics: Mutex::new(recovery.map(take_up).unwrap_or_default()),
            history: Mutex::default(),
            news: broadcast::channel(MAX_BEHIND).0,
            unbalanced: Mutex::default(),
        }
    }

    /// Its statistics, for a moment.
    pub fn statistics(&self) -> MutexGuard<'_, Statistics> {
        // A panic leaves counters as they were at most one report ago.
        self.statistics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, as the statistics have it.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Takes a report.
    pub fn observe(&self, published: Published) {
        self.statistics().observe(published, self.now());
    }

    /// Takes a report as it is published. False if it cannot be read.
    pub fn hear_report(&self, body: &[u8]) -> bool {
        rmp_serde::from_slice(body).map(|published| self.observe(published)).is_ok()
    }

    /// Takes an event as it is published. False if it cannot be read.
    pub fn hear_event(&self, body: &[u8]) -> bool {
        rmp_serde::from_slice(body).map(|told| self.tell(&told)).is_ok()
    }

    /// An event is passed on the first time it is said.
    fn tell(&self, told: &Told) {
        if self.statistics().events.hear(told) {
            self.announce("event", told);
        }
    }

    /// Everything, now.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.statistics(), self.node, self.now())
    }

    /// Rates of the last minutes, for a moment.
    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be written down now.
    pub fn saved(&self) -> Saved {
        self.statistics().save(unix_millis(), self.now())
    }

    /// News from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// What is to be done once a second: old things go, accounts are checked, rates are
    /// noted, and who reads along gets both.
    pub fn on_second(&self) {
        let now = self.now();
        self.statistics().tidy(now);
        let summary = self.summary();
        self.check(&summary, now);
        let point = Point::of(&summary, unix_millis());
        self.announce("history", &point);
        self.history().push(point);
        self.announce("stats", &summary);
    }

    /// An account that does not balance is a defect, here or at a node: S13.
    fn check(&self, summary: &Summary, now: Instant) {
        let Some(off) = summary.unbalanced().next() else { return };
        let admitted = self.unbalanced.lock().unwrap_or_else(PoisonError::into_inner).admit(now);
        if let Some(left_out) = admitted {
            let (route, destination) = (&off.route, &off.destination);
            error!(route, destination, left_out, "an account does not balance");
        }
    }

    fn announce(&self, kind: &'static str, news: &impl serde::Serialize) {
        if self.news.receiver_count() == 0 {
            return;
        }
        let data = serde_json::to_string(news)
            .unwrap_or_else(|error| json!({ "error": error.to_string() }).to_string());
        // Fails where the last reader has just gone.
        let _ = self.news.send(News { kind, data: data.into() });
    }
}
