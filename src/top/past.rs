//! The last minutes: how fast each route and destination was, and the statistics of ten seconds ago.
//!
//! Statistics come once a second and a moment here is one of them. Totals that have fallen (a stats-node that was started
//! anew) make a change of zero, not a negative one.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use runtime::report::Latency;
use stats_node::Summary;

/// Moments of which rates are kept: three minutes.
const KEPT: usize = 180;
/// Moments of which everything is kept.
const WHOLE: usize = 10;

/// A route, or a destination of it.
pub(crate) type Name = (String, Option<String>);

/// What was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// The latest last, and before it as many as are kept whole.
    summaries: VecDeque<Arc<Summary>>,
    /// Frames a second, the latest last. Only of what the latest statistics name.
    rates: BTreeMap<Name, VecDeque<f64>>,
}

impl Past {
    /// Takes the latest statistics.
    pub(crate) fn take(&mut self, summary: Arc<Summary>) {
        let mut rates = BTreeMap::new();
        for (name, rate) in flows(&summary) {
            let mut past = self.rates.remove(&name).unwrap_or_default();
            past.push_back(rate);
            if past.len() > KEPT {
                past.pop_front();
            }
            rates.insert(name, past);
        }
        self.rates = rates;
        self.summaries.push_back(summary);
        if self.summaries.len() > WHOLE + 1 {
            self.summaries.pop_front();
        }
    }

    /// The latest statistics.
    pub(crate) fn latest(&self) -> Option<&Summary> {
        self.summaries.back().map(Arc::as_ref)
    }

    /// Frames a second of a route or a destination, the latest last.
    pub(crate) fn rates(&self, name: &Name) -> impl DoubleEndedIterator<Item = f64> {
        self.rates.get(name).into_iter().flatten().copied()
    }

    /// How much a total that is looked up in statistics has risen in the last ten seconds.
    pub(crate) fn risen(&self, total: impl Fn(&Summary) -> u64) -> u64 {
        let (Some(before), Some(now)) = (self.summaries.front(), self.summaries.back()) else { return 0 };
        total(now).saturating_sub(total(before))
    }

    /// The same, a second.
    pub(crate) fn per_second(&self, total: impl Fn(&Summary) -> u64) -> f64 {
        let seconds = u32::try_from(self.summaries.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let risen = u32::try_from(self.risen(total)).unwrap_or(u32::MAX);
        f64::from(risen) / f64::from(seconds.max(1))
    }

    /// How long so many of a hundred replies took at most, of those of the last ten seconds: microseconds, to a power of two.
    pub(crate) fn reply_micros(&self, route: &str, percent: u64) -> Option<u64> {
        let buckets = |summary: &Summary| latency(summary, route).map_or(0, |latency| latency.buckets.len());
        let length = self.latest().map_or(0, buckets);
        let count = |at: usize| {
            self.risen(|summary| {
                latency(summary, route).and_then(|latency| latency.buckets.get(at).copied()).unwrap_or(0)
            })
        };
        quantile(&(0..length).map(count).collect::<Vec<_>>(), percent)
    }
}

/// The upper end of the bucket in which so many of a hundred are passed.
fn quantile(buckets: &[u64], percent: u64) -> Option<u64> {
    let total: u64 = buckets.iter().sum();
    let wanted = (total * percent).div_ceil(100).max(1);
    let mut passed = 0;
    let at = buckets.iter().position(|count| {
        passed += count;
        passed >= wanted
    })?;
    1_u64.checked_shl(u32::try_from(at).ok()?)
}

fn latency<'a>(summary: &'a Summary, route: &str) -> Option<&'a Latency> {
    summary.routes.iter().find(|known| known.report.route == route)?.report.latency.as_ref()
}

fn flows(summary: &Summary) -> impl Iterator<Item = (Name, f64)> {
    let routes = summary.routes.iter().map(|route| ((route.report.route.clone(), None), route.flow));
    let destinations = summary.destinations.iter().map(|destination| {
        ((destination.route.clone(), Some(destination.destination.clone())), destination.flow)
    });
    routes.chain(destinations).map(|(name, flow)| (name, flow.frame_rate_1s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::watch::tests::summary;

    fn past(moments: &[u64]) -> Past {
        let mut past = Past::default();
        for &moment in moments {
            past.take(Arc::new(summary(moment)));
        }
        past
    }

    #[test]
    fn rates_are_kept_for_three_minutes_and_only_of_what_there_is() {
        let mut past = past(&(1..=200).collect::<Vec<_>>());
        let mirror = ("main".to_owned(), Some("mirror".to_owned()));
        assert_eq!(past.rates(&mirror).count(), KEPT);
        assert!(past.rates(&mirror).next_back().is_some_and(|rate| (rate - 200.0).abs() < 1e-9));

        let mut other = summary(1);
        other.destinations.clear();
        past.take(Arc::new(other));
        assert_eq!(past.rates(&mirror).count(), 0);
    }

    /// Fails if a change is one since the start, or falls below zero when a stats-node begins anew.
    #[test]
    fn what_has_risen_is_of_the_last_ten_seconds() {
        let total = |summary: &Summary| summary.msg_req;
        assert_eq!(past(&(0..=40).collect::<Vec<_>>()).risen(total), 10);
        assert_eq!(past(&[40, 3]).risen(total), 0);
        assert!((past(&[0, 30, 60]).per_second(total) - 30.0).abs() < 1e-9);
        assert!(past(&[7]).per_second(total).abs() < 1e-9);
        assert_eq!(Past::default().risen(total), 0);
    }

    #[test]
    fn quantiles_are_the_upper_ends_of_buckets() {
        assert_eq!(quantile(&[0, 0, 50, 49, 1], 50), Some(4));
        assert_eq!(quantile(&[0, 0, 50, 49, 1], 99), Some(8));
        assert_eq!(quantile(&[0, 0, 50, 49, 1], 100), Some(16));
        assert_eq!(quantile(&[0, 0, 0], 50), None);
        assert_eq!(quantile(&[0, 1], 1), Some(2));
    }
}
