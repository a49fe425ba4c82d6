//! The only place that asks what time it is.
//!
//! The machines' time starts at zero with the clock and only grows; what a wall clock does is nothing to them.

use std::time;

use proto::time::Instant;

/// A monotonic clock that starts when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: time::Instant,
}

impl Clock {
    /// A clock that shows zero now.
    pub fn start() -> Self {
        Self { origin: time::Instant::now() }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// What tokio calls `at`.
    pub fn deadline(&self, at: Instant) -> tokio::time::Instant {
        // Rounded up: a timer that fires early would find nothing due and be armed again.
        (self.origin
            + time::Duration::from_micros(at.as_micros().min(1 << 56))
            + time::Duration::from_micros(1))
        .into()
    }
}

/// What the wall clock shows: what HTTP's dates are of.
pub fn wall() -> time::SystemTime {
    time::SystemTime::now()
}

/// Milliseconds since 1970: what an incarnation is made of, so that a later start has a larger one.
pub fn unix_millis() -> u64 {
    let since = time::SystemTime::now().duration_since(time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
