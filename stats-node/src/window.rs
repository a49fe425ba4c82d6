//! How much happened in the last second and in the last ten, exact to a tenth.
//!
//! A ring of counts, one for each tick of 100 ms: the one that is in progress and the hundred before it. A span begins
//! inside a tick unless now is its edge, and that tick counts for the part that is inside:
//!
//! ```text
//!      now - 1 s                                     now
//!  ────────┼───────────────────────────────────────────┤
//!  │   ░░░░│████│████│████│████│████│████│████│████│████│██·
//! ```
//!
//! Time is an input; nothing moves unless it is told.

use std::time::Duration;

use proto::time::Instant;
use serde::{Deserialize, Serialize};

/// What counts are kept for.
const TICK_MICROS: u64 = 100_000;
/// Ten seconds, and the tick in progress.
const TICKS: usize = 101;
/// What took no longer than this happened now.
const AT_ONCE_MICROS: u64 = 2 * TICK_MICROS + TICK_MICROS / 2;

/// The short span.
pub(crate) const ONE_SECOND: Duration = Duration::from_secs(1);
/// The long one, and the longest a window knows.
pub(crate) const TEN_SECONDS: Duration = Duration::from_secs(10);

/// Counts of the last ten seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// By tick, round and round.
    counts: [u64; TICKS],
    /// The tick in progress when it was last told of something. Invariant: what is older than [`TICKS`] is zero.
    tick: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { counts: [0; TICKS], tick: 0 }
    }
}

/// A window as it is written down: the newest tick first, none after the last that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SavedWindow(Vec<u64>);

impl Window {
    /// So many happened just now.
    pub fn record(&mut self, count: u64, now: Instant) {
        self.add(tick(now), count);
    }

    /// So many happened in this span up to now: evenly, as far as is known. What is spread over a long time is not taken for a burst.
    pub fn spread(&mut self, count: u64, over: Duration, now: Instant) {
        let over = u64::try_from(over.as_micros()).unwrap_or(u64::MAX);
        if over <= AT_ONCE_MICROS {
            return self.record(count, now);
        }
        let ticks = over.div_ceil(TICK_MICROS);
        let until = |index: u64| (u128::from(count) * u128::from(index) / u128::from(ticks)) as u64;
        for index in ticks.saturating_sub(TICKS as u64)..ticks {
            let ago = ticks - 1 - index;
            self.add_ago(ago, until(index + 1) - until(index), now);
        }
    }

    /// How many a second there were, in this span up to now.
    pub fn rate(&self, span: Duration, now: Instant) -> f64 {
        let ticks = span.as_micros() as u64 / TICK_MICROS;
        let within = f64::from((now.as_micros() % TICK_MICROS) as u32) / f64::from(TICK_MICROS as u32);
        let whole: u64 = (0..ticks).map(|ago| self.ago(ago, now)).sum();
        let cut = as_float(self.ago(ticks, now)) * (1.0 - within);
        (as_float(whole) + cut) / span.as_secs_f64()
    }

    /// As it is to be written down.
    pub fn save(&self, now: Instant) -> SavedWindow {
        let mut counts: Vec<u64> = (0..TICKS as u64).map(|ago| self.ago(ago, now)).collect();
        counts.truncate(counts.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1));
        SavedWindow(counts)
    }

    /// As it was written down this long ago.
    pub fn restore(saved: &SavedWindow, gap: Duration, now: Instant) -> Self {
        let mut window = Self { tick: tick(now), ..Self::default() };
        let gap = (gap.as_micros() as u64 + TICK_MICROS / 2) / TICK_MICROS;
        for (ago, &count) in saved.0.iter().enumerate().take(TICKS) {
            window.add_ago(gap + ago as u64, count, now);
        }
        window
    }

    fn ago(&self, ago: u64, now: Instant) -> u64 {
        let Some(tick) = tick(now).checked_sub(ago) else { return 0 };
        if tick > self.tick || self.tick - tick >= TICKS as u64 { 0 } else { self.counts[slot(tick)] }
    }

    fn add_ago(&mut self, ago: u64, count: u64, now: Instant) {
        if ago < TICKS as u64
            && let Some(tick) = tick(now).checked_sub(ago)
        {
            self.add(tick, count);
        }
    }

    fn add(&mut self, tick: u64, count: u64) {
        if tick > self.tick {
            let from = (self.tick + 1).max((tick + 1).saturating_sub(TICKS as u64));
            (from..=tick).for_each(|passed| self.counts[slot(passed)] = 0);
            self.tick = tick;
        }
        if self.tick - tick < TICKS as u64 {
            self.counts[slot(tick)] += count;
        }
    }
}

fn tick(now: Instant) -> u64 {
    // So that a window can be given a past as soon as the clock has started.
    now.as_micros() / TICK_MICROS + TICKS as u64
}

const fn slot(tick: u64) -> usize {
    (tick % TICKS as u64) as usize
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, far more than ten seconds hold")]
const fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
#[expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "these are small")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn rates(window: &Window, millis: u64) -> [f64; 2] {
        [ONE_SECOND, TEN_SECONDS].map(|span| window.rate(span, at(millis)))
    }

    #[test]
    fn before_anything_happened_the_rates_are_zero() {
        assert_eq!(rates(&Window::default(), 0), [0.0, 0.0]);
        assert_eq!(rates(&Window::default(), 123_456), [0.0, 0.0]);
    }

    #[test]
    fn a_burst_is_in_each_span_for_as_long_as_it_lasts() {
        let mut window = Window::default();
        window.record(100, at(5_000));
        assert_eq!(rates(&window, 5_000), [100.0, 10.0]);
        assert_eq!(rates(&window, 5_999), [100.0, 10.0]);
        assert_eq!(rates(&window, 6_100), [0.0, 10.0]);
        assert_eq!(rates(&window, 14_999), [0.0, 10.0]);
        assert_eq!(rates(&window, 15_100), [0.0, 0.0]);
        assert_eq!(rates(&window, 1_000_000), [0.0, 0.0]);
    }

    #[test]
    fn a_span_takes_the_part_of_the_oldest_tick_that_is_inside() {
        let mut window = Window::default();
        window.record(100, at(5_000));
        assert_eq!(rates(&window, 6_025), [75.0, 10.0]);
        assert_eq!(rates(&window, 15_050), [0.0, 5.0]);
    }

    #[test]
    fn what_happened_over_a_long_time_is_no_burst() {
        let mut window = Window::default();
        window.spread(36_000, Duration::from_secs(3_600), at(50));
        assert_eq!(rates(&window, 50), [10.5, 10.05]);
        let mut late = Window::default();
        late.spread(300, Duration::from_secs(3), at(20_099));
        assert_eq!(late.rate(Duration::from_secs(3), at(20_099)), 100.0);
    }

    #[test]
    fn a_window_is_taken_up_as_old_as_it_is_by_then() {
        let mut window = Window::default();
        window.record(50, at(7_000));
        window.record(7, at(9_050));
        let saved = window.save(at(9_050));
        let restored = |gap: u64| Window::restore(&saved, Duration::from_millis(gap), at(10));
        assert_eq!(rates(&restored(0), 10), [7.0, 5.7]);
        assert_eq!(rates(&restored(3_000), 10), [0.0, 5.7]);
        assert_eq!(rates(&restored(9_000), 10), [0.0, 0.7]);
        assert_eq!(restored(11_000).save(at(10)), SavedWindow::default());
    }

    proptest! {
        /// Fails if a rate is off by more than what one tick holds.
        #[test]
        fn a_rate_is_exact_to_a_tick(steps in prop::collection::vec((0_u64..700, 0_u64..50), 1..80)) {
            let (mut window, mut now, mut all) = (Window::default(), 0, Vec::new());
            for (pause, count) in steps {
                now += pause;
                window.record(count, at(now));
                all.push((now, count));
                for span in [1_000_u64, 10_000] {
                    let counted = window.rate(Duration::from_millis(span), at(now)) * (span / 1000) as f64;
                    let within = |reach: u64| all.iter().filter(|(at, _)| at + reach > now).map(|(_, n)| n).sum::<u64>() as f64;
                    prop_assert!(counted <= within(span + 100) + 1e-6, "{counted} > {}", within(span + 100));
                    prop_assert!(counted >= within(span - 100) - 1e-6, "{counted} < {}", within(span - 100));
                }
            }
        }
    }
}
