//! The lease: a worker writes to its destination only while it holds (docs/protocol.md, section 9).
//!
//! The ingress gives sessions to another worker after 3 s without a batch of ours. The lease ends 2.5 s after we *sent* the
//! newest batch that it has acknowledged, so it has always ended before that.

use std::{collections::VecDeque, time::Duration};

use crate::time::Instant;

/// How long a lease lasts.
pub const LEASE: Duration = Duration::from_millis(2500);
/// Send times are noted this far apart: a lease may be called over that much too early, never too late.
const RESOLUTION: Duration = Duration::from_millis(20);
const MAX_NOTES: usize = 256;

/// When batches were sent, and what that means for writing.
#[derive(Debug, Default)]
pub struct Lease {
    // Invariant: numbers and times increase; at most MAX_NOTES.
    notes: VecDeque<(u64, Instant)>,
    proven: Option<Instant>,
}

impl Lease {
    /// Batch `number` was sent.
    pub fn sent(&mut self, number: u64, now: Instant) {
        if self.notes.back().is_some_and(|&(_, noted)| now.since(noted) < RESOLUTION) {
            return;
        }
        if self.notes.len() == MAX_NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back((number, now));
    }

    /// The ingress has acknowledged everything up to `number`.
    pub fn acknowledged(&mut self, number: u64) {
        while let Some(&(noted, sent_at)) = self.notes.front().filter(|&&(noted, _)| noted <= number) {
            debug_assert!(noted <= number);
            self.proven = Some(sent_at);
            self.notes.pop_front();
        }
    }

    /// A new epoch has begun: numbers start over, what was proven stays.
    pub fn new_epoch(&mut self) {
        self.notes.clear();
    }

    /// Whether writing is allowed.
    pub fn holds(&self, now: Instant) -> bool {
        self.proven.is_some_and(|proven| now.since(proven) < LEASE)
    }

    /// When it ends, or ended.
    pub fn end(&self) -> Instant {
        self.proven.map_or(Instant::ZERO, |proven| proven + LEASE)
    }

    /// For how long there has been none.
    pub fn absence(&self, now: Instant) -> Duration {
        self.proven.map_or(Duration::ZERO, |proven| now.since(proven).saturating_sub(LEASE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn it_counts_from_the_sending_not_from_the_acknowledgement() {
        let mut lease = Lease::default();
        lease.sent(1, at(0));
        assert!(!lease.holds(at(0)), "nothing is acknowledged yet");
        lease.acknowledged(1);
        assert!(lease.holds(at(2499)));
        assert!(!lease.holds(at(2500)));
        assert_eq!(lease.end(), at(2500));
        assert_eq!(lease.absence(at(3000)), Duration::from_millis(500));
    }

    #[test]
    fn only_what_is_acknowledged_renews_it() {
        let mut lease = Lease::default();
        lease.sent(1, at(0));
        lease.sent(2, at(1000));
        lease.acknowledged(1);
        assert!(!lease.holds(at(2500)));
        lease.acknowledged(2);
        assert!(lease.holds(at(3499)));
    }
}
