//! How long to wait before trying again: exponential backoff with decorrelated jitter.
//!
//! ```text
//! next = min(cap, uniform(base, 3 * previous)),   previous = base at first
//! ```
//!
//! The formula is Marc Brooker's ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015), and what
//! mosquitto's bridges reconnect by (`restart_timeout base cap`). Those who failed together drift apart at once, which
//! plain doubling never lets them. Randomness is an input, so a seed replays every wait.

use std::time::Duration;

/// The waits between one outage's attempts.
#[derive(Clone, Debug)]
pub struct Backoff {
    // In nanoseconds, all three. Invariant: base <= previous <= cap.
    base: u64,
    cap: u64,
    previous: u64,
}

impl Backoff {
    /// Waits of `base` to `cap`. The cap rules: a larger base is lowered to it. A base of zero becomes a nanosecond,
    /// for three times nothing would never grow.
    pub fn new(base: Duration, cap: Duration) -> Self {
        let cap = nanos(cap);
        let base = nanos(base).max(1).min(cap);
        Self { base, cap, previous: base }
    }

    /// The next wait. `random` is any of the 2^64 numbers, each as likely.
    pub fn next(&mut self, random: u64) -> Duration {
        let drawn = uniform(self.base, self.previous.saturating_mul(3), random);
        self.previous = drawn.min(self.cap);
        debug_assert!((self.base..=self.cap).contains(&self.previous));
        Duration::from_nanos(self.previous)
    }

    /// Starts over: what was away is back.
    pub fn reset(&mut self) {
        self.previous = self.base;
    }
}

/// `random` scaled to `low..=high`.
fn uniform(low: u64, high: u64, random: u64) -> u64 {
    let width = u128::from(high - low) + 1;
    low + ((u128::from(random) * width) >> 64) as u64
}

/// Whole nanoseconds; beyond 584 years they are all the same to us.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: Duration = Duration::from_millis(100);
    const CAP: Duration = Duration::from_secs(30);

    #[test]
    fn the_unluckiest_waits_triple_up_to_the_cap() {
        let mut backoff = Backoff::new(BASE, CAP);
        let waits: Vec<u128> = (0..7).map(|_| backoff.next(u64::MAX).as_millis()).collect();
        assert_eq!(waits, [300, 900, 2_700, 8_100, 24_300, 30_000, 30_000]);
    }

    #[test]
    fn the_luckiest_waits_are_the_base() {
        let mut backoff = Backoff::new(BASE, CAP);
        backoff.next(u64::MAX);
        assert_eq!(backoff.next(0), BASE);
    }

    #[test]
    fn the_middle_draw_is_the_middle_wait() {
        assert_eq!(Backoff::new(BASE, CAP).next(1 << 63), Duration::from_millis(200));
    }

    #[test]
    fn a_reset_starts_over() {
        let mut backoff = Backoff::new(BASE, CAP);
        let first = backoff.next(u64::MAX);
        backoff.next(u64::MAX);
        backoff.reset();
        assert_eq!(backoff.next(u64::MAX), first);
    }

    #[test]
    fn a_base_beyond_the_cap_waits_the_cap() {
        assert_eq!(Backoff::new(CAP, BASE).next(12_345), BASE);
    }

    #[test]
    fn a_base_of_zero_still_grows() {
        let mut backoff = Backoff::new(Duration::ZERO, CAP);
        let longest = (0..30).map(|_| backoff.next(u64::MAX)).max();
        assert_eq!(longest, Some(CAP));
    }

    #[test]
    fn the_longest_durations_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        assert_eq!(backoff.next(u64::MAX), Duration::from_nanos(u64::MAX));
    }

    proptest! {
        #[test]
        fn every_wait_is_between_base_and_cap_and_at_most_thrice_the_last(
            base_ms in 1..10_000_u64,
            more_ms in 0..100_000_u64,
            draws in prop::collection::vec(any::<u64>(), 1..50),
        ) {
            let (base, cap) = (Duration::from_millis(base_ms), Duration::from_millis(base_ms + more_ms));
            let mut backoff = Backoff::new(base, cap);
            let mut previous = base;
            for random in draws {
                let wait = backoff.next(random);
                prop_assert!((base..=cap).contains(&wait));
                prop_assert!(wait <= previous * 3);
                previous = wait;
            }
        }
    }
}
