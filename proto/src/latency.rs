//! How long sources wait for their primary: a histogram whose buckets double.
//!
//! Adding to it is a few instructions, it never grows, and two of them add up bucket by bucket.

use std::time::Duration;

/// How long replies took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Bucket `i` has those of at most 2^`i` microseconds that the one before it has not. What took longer than the last, more
    /// than a minute, is in none.
    pub buckets: [u64; Self::BUCKETS],
    /// Microseconds, all together.
    pub sum_micros: u64,
    /// How many there were.
    pub count: u64,
}

impl Latency {
    /// The last ends at 67 s.
    pub const BUCKETS: usize = 27;

    /// A reply came after so long.
    pub fn observe(&mut self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - micros.saturating_sub(1).leading_zeros()) as usize;
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.sum_micros = self.sum_micros.saturating_add(micros);
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn bucket_of(micros: u64) -> Option<usize> {
        let mut latency = Latency::default();
        latency.observe(Duration::from_micros(micros));
        assert_eq!((latency.sum_micros, latency.count), (micros, 1));
        latency.buckets.iter().position(|&count| count == 1)
    }

    #[test]
    fn a_bucket_ends_with_its_power_of_two() {
        for (micros, bucket) in [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1000, 10), (1 << 26, 26)] {
            assert_eq!(bucket_of(micros), Some(bucket), "{micros}");
        }
    }

    #[test]
    fn what_took_longer_than_the_last_bucket_is_only_counted() {
        assert_eq!(bucket_of((1 << 26) + 1), None);
        assert_eq!(bucket_of(u64::MAX), None);
    }
}
