//! How late a report is heard: reports that waited for a reader are of when they were made, and not of now.
//!
//! The clocks of two machines tell nothing about each other, but those of two reports of one shard do. The one that was
//! heard soonest after it was made is taken for one that did not wait, and all others are held against it:
//!
//! ```text
//!  made      1   2   3   4   5   6   7   8   9
//!  heard     1   2             3 4 5 6 7   8   9
//!  late      0   0             6 4 3 1 0   0   0
//! ```
//!
//! What is soonest grows old a little with each report, for no two clocks run alike.

use std::time::Duration;

use proto::time::Instant;

/// Clocks drift apart by less than one part in so many.
const DRIFT: i64 = 100;

/// What is known of a shard's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lateness {
    last: Option<Last>,
}

/// The last report. Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    /// When it was made, by the shard's clock.
    made: i64,
    /// By how much our clock is ahead of the shard's, if the soonest report was heard at once.
    ahead: i64,
}

impl Lateness {
    /// When the next report of the shard was made by our clock, as far as its own clock tells: now, or before.
    pub(crate) fn made_at(&mut self, time: u64, now: Instant) -> Instant {
        let made = i64::try_from(time).unwrap_or(i64::MAX).saturating_mul(1000);
        let ahead_now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX).saturating_sub(made);
        let ahead = self.ahead(made).map_or(ahead_now, |ahead| ahead.min(ahead_now));
        self.last = Some(Last { made, ahead });
        let late = Duration::from_micros(ahead_now.saturating_sub(ahead).unsigned_abs());
        Instant::ZERO + now.since(Instant::ZERO).saturating_sub(late)
    }

    /// What was known, as far as it still holds. A clock that was set back is another one.
    fn ahead(&self, made: i64) -> Option<i64> {
        let last = self.last.filter(|last| made >= last.made)?;
        Some(last.ahead.saturating_add(made.saturating_sub(last.made) / DRIFT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time a shard has whose clock has nothing to do with ours.
    const THEIRS: u64 = 1_700_000_000_000;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    /// How many milliseconds late a report is, made and heard at these.
    fn late(lateness: &mut Lateness, made: u64, heard: u64) -> u128 {
        at(heard).since(lateness.made_at(THEIRS + made, at(heard))).as_millis()
    }

    #[test]
    fn what_waited_is_as_late_as_it_waited() {
        let mut lateness = Lateness::default();
        assert_eq!(late(&mut lateness, 100, 5_130), 0, "nothing else is known");
        assert_eq!(late(&mut lateness, 200, 5_200), 0, "sooner than the one before");
        assert_eq!(late(&mut lateness, 300, 5_320), 19);
        let waited: Vec<_> = (4..=73).map(|tick| late(&mut lateness, tick * 100, 12_300)).collect();
        assert!((6_800..=6_900).contains(&waited[0]) && waited[69] == 0, "{waited:?}");
    }

    /// Fails if a node whose clock runs slower than ours, or was set, is late for ever.
    #[test]
    fn a_clock_that_drifts_or_is_set_is_followed() {
        let mut lateness = Lateness::default();
        let drifting = (0..100_000).map(|tick| late(&mut lateness, tick * 1_000, tick * 1_001));
        assert_eq!(drifting.max(), Some(0));
        assert_eq!(late(&mut lateness, 50_000, 101_000_000), 0, "set back");
        assert_eq!(late(&mut lateness, 50_100, 101_000_150), 49);
        assert_eq!(late(&mut lateness, 90_000_000, 101_000_250), 0, "set forward");
        assert_eq!(late(&mut lateness, 90_000_100, 101_000_350), 0);
    }

    /// Fails if what a stranger says of the time ends the stats-node.
    #[test]
    fn any_time_is_taken() {
        let mut lateness = Lateness::default();
        for time in [u64::MAX, 0, u64::MAX / 2000, 1, u64::MAX] {
            assert!(lateness.made_at(time, at(7)) <= at(7));
        }
    }
}
