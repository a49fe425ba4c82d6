//! Whether a destination is away, from what several shards and workers see of it.
//!
//! Each finds out by itself, and one that has nothing to send finds nothing out. So the latest news counts: a connection
//! that somebody made after the last that somebody lost says that it is back.

use std::time::Duration;

use proto::time::Instant;
use runtime::report::DestinationReport;
use serde::{Deserialize, Serialize};

/// What is known of one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    lost_at: Option<Moment>,
    /// The first loss since it was met.
    away_since: Option<Moment>,
    met_at: Option<Moment>,
}

/// Microseconds by our clock. Below zero is before it was started.
type Moment = i64;

/// What was known of one destination, as it is written down: microseconds ago.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSight {
    /// Of which route.
    pub route: String,
    /// Which destination.
    pub destination: String,
    lost: Option<i64>,
    away: Option<i64>,
    met: Option<i64>,
}

impl Sight {
    /// Whether one shard has found anything out since its last report.
    pub(crate) fn is_news(before: Option<&DestinationReport>, after: &DestinationReport) -> bool {
        let known = |report: &DestinationReport| (report.is_away, report.outages, report.connections);
        before.is_none_or(|before| known(before) != known(after))
    }

    /// Takes what one shard has found out since its last report.
    pub(crate) fn observe(
        &mut self,
        before: Option<&DestinationReport>,
        after: &DestinationReport,
        at: Instant,
    ) {
        let was_away = before.is_some_and(|before| before.is_away);
        let outages = before.map_or(0, |before| before.outages);
        let connections = before.map_or(0, |before| before.connections);
        if after.is_away && (!was_away || after.outages > outages) {
            let at = Some(moment(at));
            if !self.is_away() {
                self.away_since = at;
            }
            self.lost_at = self.lost_at.max(at);
        } else if !after.is_away && (was_away || after.connections > connections) {
            self.met_at = self.met_at.max(Some(moment(at)));
        }
    }

    /// For how long it is away, if it is.
    pub(crate) fn away_for(&self, now: Instant) -> Option<Duration> {
        let since = self.away_since.filter(|_| self.is_away())?;
        Some(Duration::from_micros(moment(now).saturating_sub(since).max(0).unsigned_abs()))
    }

    /// Whether it is away, if somebody says so.
    pub(crate) fn is_away(&self) -> bool {
        self.lost_at.is_some() && self.met_at <= self.lost_at
    }

    /// As it is to be written down.
    pub(crate) fn save(&self, route: &str, destination: &str, now: Instant) -> SavedSight {
        let ago = |at: Option<Moment>| at.map(|at| moment(now).saturating_sub(at));
        SavedSight {
            route: route.to_owned(),
            destination: destination.to_owned(),
            lost: ago(self.lost_at),
            away: ago(self.away_since),
            met: ago(self.met_at),
        }
    }

    /// As it was written down this long ago.
    pub(crate) fn restore(saved: &SavedSight, gap: Duration, now: Instant) -> Self {
        let written = moment(now).saturating_sub(i64::try_from(gap.as_micros()).unwrap_or(i64::MAX));
        let at = |ago: Option<i64>| ago.map(|ago| written.saturating_sub(ago));
        Self { lost_at: at(saved.lost), away_since: at(saved.away), met_at: at(saved.met) }
    }
}

fn moment(now: Instant) -> Moment {
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(is_away: bool, outages: u64, connections: u64) -> DestinationReport {
        DestinationReport { is_away, outages, connections, ..DestinationReport::default() }
    }

    fn micros(sight: &Sight, now: u64) -> Option<u128> {
        sight.away_for(Instant::from_micros(now)).map(|away| away.as_micros())
    }

    #[test]
    fn the_latest_news_counts_whoever_brings_it() {
        let (away, idle, back) = (seen(true, 1, 0), seen(false, 0, 0), seen(false, 0, 1));
        let mut sight = Sight::default();
        sight.observe(None, &idle, Instant::from_micros(1));
        assert!(!sight.is_away());
        sight.observe(Some(&idle), &away, Instant::from_micros(2));
        sight.observe(Some(&idle), &idle, Instant::from_micros(3));
        assert!(sight.is_away(), "who has nothing to send knows nothing");
        sight.observe(Some(&idle), &back, Instant::from_micros(4));
        assert!(!sight.is_away());
        sight.observe(Some(&away), &away, Instant::from_micros(5));
        assert!(!sight.is_away(), "nothing new");
        sight.observe(Some(&away), &seen(true, 2, 1), Instant::from_micros(6));
        assert!(sight.is_away());
    }

    /// Fails if each shard that notices, or each try that fails, begins an absence anew.
    #[test]
    fn it_is_away_since_the_first_loss_after_it_was_met() {
        let (away, still) = (seen(true, 1, 0), seen(true, 2, 0));
        let mut sight = Sight::default();
        assert_eq!(sight.away_for(Instant::ZERO), None);
        sight.observe(None, &away, Instant::from_micros(2));
        sight.observe(Some(&away), &still, Instant::from_micros(5));
        assert_eq!(micros(&sight, 6), Some(4));
        sight.observe(Some(&still), &seen(false, 2, 1), Instant::from_micros(7));
        assert_eq!(micros(&sight, 8), None);
        sight.observe(Some(&seen(false, 2, 1)), &seen(true, 3, 1), Instant::from_micros(9));
        assert_eq!(micros(&sight, 10), Some(1));
    }

    /// Fails if a restart forgets what was known, or since when.
    #[test]
    fn what_was_written_down_is_as_old_as_it_is_by_then() {
        let (away, gap) = (seen(true, 1, 0), Duration::from_micros(30));
        let mut sight = Sight::default();
        sight.observe(None, &away, Instant::from_micros(5));
        let restore = |sight: &Sight| {
            let saved = sight.save("r", "d", Instant::from_micros(9));
            Sight::restore(&saved, gap, Instant::from_micros(1))
        };
        assert_eq!(micros(&restore(&sight), 2), Some(4 + 30 + 1));
        sight.observe(Some(&away), &seen(false, 1, 1), Instant::from_micros(6));
        assert_eq!(micros(&restore(&sight), 2), None);
    }
}
