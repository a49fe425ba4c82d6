//! Signs of life (docs/protocol.md, section 8).
//!
//! Only time during which our own loop ran is held against the other side: whoever was stopped for a minute must not
//! take the silence of that minute for a death.

use std::time::Duration;

use crate::time::Instant;

/// A side sends something at least this often.
pub const PING_INTERVAL: Duration = Duration::from_millis(500);
/// Silence of this length is death.
pub const DEATH: Duration = Duration::from_secs(3);
/// Of any pause between two looks at the clock, at most this much counts as silence.
const COUNTED_PAUSE: Duration = Duration::from_millis(250);

/// What one end knows of the other's life.
#[derive(Clone, Copy, Debug)]
pub struct Liveness {
    looked_at: Instant,
    sent_at: Instant,
    silence: Duration,
    unacknowledged: Duration,
}

impl Liveness {
    /// Alive as of `now`.
    pub const fn new(now: Instant) -> Self {
        Self { looked_at: now, sent_at: now, silence: Duration::ZERO, unacknowledged: Duration::ZERO }
    }

    /// A batch has come; `acknowledges` if it acknowledged something new, or nothing is left to acknowledge.
    pub fn heard(&mut self, acknowledges: bool) {
        self.silence = Duration::ZERO;
        if acknowledges {
            self.unacknowledged = Duration::ZERO;
        }
    }

    /// A batch was sent.
    pub fn sent(&mut self, now: Instant) {
        self.sent_at = now;
    }

    /// Looks at the clock. To be called at least every 250 ms.
    pub fn look(&mut self, now: Instant, all_acknowledged: bool) {
        let pause = now.since(self.looked_at).min(COUNTED_PAUSE);
        self.looked_at = now;
        self.silence += pause;
        self.unacknowledged = if all_acknowledged { Duration::ZERO } else { self.unacknowledged + pause };
    }

    /// Whether the other side is to be taken for dead, or deaf.
    pub fn is_dead(&self) -> bool {
        self.silence >= DEATH || self.unacknowledged >= DEATH
    }

    /// Whether it is time to show life.
    pub fn wants_ping(&self, now: Instant) -> bool {
        now.since(self.sent_at) >= PING_INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(250);

    #[test]
    fn three_seconds_of_silence_are_death() {
        let mut now = Instant::ZERO;
        let mut liveness = Liveness::new(now);
        for _ in 0..11 {
            now += STEP;
            liveness.look(now, true);
        }
        assert!(!liveness.is_dead());
        liveness.look(now + STEP, true);
        assert!(liveness.is_dead());
    }

    #[test]
    fn a_pause_of_ones_own_is_not_held_against_the_other() {
        let mut liveness = Liveness::new(Instant::ZERO);
        liveness.look(Instant::ZERO + Duration::from_secs(60), true);
        assert!(!liveness.is_dead());
    }

    #[test]
    fn a_side_that_talks_and_does_not_listen_is_dead_too() {
        let mut now = Instant::ZERO;
        let mut liveness = Liveness::new(now);
        for _ in 0..12 {
            now += STEP;
            liveness.heard(false);
            liveness.look(now, false);
        }
        assert!(liveness.is_dead());
    }
}
