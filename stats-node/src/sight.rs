//! Whether a destination is away, from what several shards and workers see of it.
//!
//! Each finds out by itself, and one that has nothing to send finds nothing out. So the latest news counts: a connection
//! that somebody made after the last that somebody lost says that it is back.

use proto::time::Instant;
use runtime::report::DestinationReport;

/// What is known of one destination.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sight {
    lost_at: Option<Instant>,
    /// The first loss since it was met.
    away_since: Option<Instant>,
    met_at: Option<Instant>,
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
            if !self.is_away() {
                self.away_since = Some(at);
            }
            self.lost_at = self.lost_at.max(Some(at));
        } else if !after.is_away && (was_away || after.connections > connections) {
            self.met_at = self.met_at.max(Some(at));
        }
    }

    /// Since when it is away, if it is.
    pub(crate) fn away_since(&self) -> Option<Instant> {
        self.away_since.filter(|_| self.is_away())
    }

    /// Whether it is away, if somebody says so.
    pub(crate) fn is_away(&self) -> bool {
        self.lost_at.is_some() && self.met_at <= self.lost_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(is_away: bool, outages: u64, connections: u64) -> DestinationReport {
        DestinationReport { is_away, outages, connections, ..DestinationReport::default() }
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
        assert_eq!(sight.away_since(), None);
        sight.observe(None, &away, Instant::from_micros(2));
        sight.observe(Some(&away), &still, Instant::from_micros(5));
        assert_eq!(sight.away_since(), Some(Instant::from_micros(2)));
        sight.observe(Some(&still), &seen(false, 2, 1), Instant::from_micros(7));
        assert_eq!(sight.away_since(), None);
        sight.observe(Some(&seen(false, 2, 1)), &seen(true, 3, 1), Instant::from_micros(9));
        assert_eq!(sight.away_since(), Some(Instant::from_micros(9)));
    }
}
