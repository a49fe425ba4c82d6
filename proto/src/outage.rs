//! Whether a destination can be reached, and when to try again (S5).
//!
//! Outage and backoff belong to the destination, not to a session: while it is away one waiting connection probes for all;
//! when it is back, the others follow at a pace. One notice when an outage begins and one when it ends.

use std::time::Duration;

use crate::{backoff::Backoff, time::Instant};

/// A connection that lives this long proves that the destination is well.
const PROVEN: Duration = Duration::from_secs(1);
/// After an outage so many connections are started per [`PACE`].
pub const PACE_BURST: usize = 32;
/// See [`PACE_BURST`].
pub const PACE: Duration = Duration::from_millis(10);

/// What changed for the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// An outage began.
    Away,
    /// It ended.
    Back,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Available,
    Away { probe_at: Instant },
    Pacing { next: Instant },
}

/// The state of one destination, as one worker shard sees it.
#[derive(Debug)]
pub struct Outage {
    state: State,
    backoff: Backoff,
    /// When the current run of success began, if there is one.
    well_since: Option<Instant>,
    failed_at: Option<Instant>,
}

impl Outage {
    /// A destination of which nothing bad is known.
    pub fn new(backoff: Backoff) -> Self {
        Self { state: State::Available, backoff, well_since: None, failed_at: None }
    }

    /// Whether it is away.
    pub const fn is_away(&self) -> bool {
        matches!(self.state, State::Away { .. })
    }

    /// Whether a connection need not wait for its turn.
    pub const fn is_available(&self) -> bool {
        matches!(self.state, State::Available)
    }

    /// A connect that was begun at `begun_at` succeeded. One that is older than the last failure proves nothing: who
    /// accepts and resets would be taken to be back again and again.
    pub fn on_connected(&mut self, begun_at: Instant, now: Instant) -> Option<Change> {
        self.settle(now);
        if self.failed_at.is_some_and(|failed_at| begun_at < failed_at) {
            return None;
        }
        self.well_since.get_or_insert(now);
        match self.state {
            State::Away { .. } => {
                self.state = State::Pacing { next: now };
                Some(Change::Back)
            }
            _ => None,
        }
    }

    /// A connect failed, or a connection made at `connected_at` was reset. `random` places the next probe.
    pub fn on_failure(&mut self, now: Instant, connected_at: Option<Instant>, random: u64) -> Option<Change> {
        if connected_at.is_some_and(|at| now.since(at) >= PROVEN) {
            return None;
        }
        self.settle(now);
        self.well_since = None;
        self.failed_at = Some(now);
        let was_away = self.is_away();
        self.state = State::Away { probe_at: now + self.backoff.next(random) };
        (!was_away).then_some(Change::Away)
    }

    /// How many waiting connections may be started now, given whether any wait at all.
    pub fn turns(&mut self, now: Instant, any_waiting: bool) -> usize {
        self.settle(now);
        match self.state {
            State::Available => usize::MAX,
            State::Pacing { .. } if !any_waiting => {
                self.state = State::Available;
                0
            }
            State::Pacing { next } if next <= now => {
                self.state = State::Pacing { next: now + PACE };
                PACE_BURST
            }
            State::Away { probe_at } if probe_at <= now && any_waiting => {
                // The probe's own failure sets the next one; until it has an outcome there is no other.
                self.state = State::Away { probe_at: Instant::NEVER };
                1
            }
            _ => 0,
        }
    }

    /// Whether a connection that cannot wait may be tried: also as the probe, if one is due and nobody waited to make it.
    pub fn may_try(&mut self, now: Instant) -> bool {
        match self.state {
            State::Available | State::Pacing { .. } => true,
            State::Away { probe_at } if probe_at <= now => {
                self.state = State::Away { probe_at: Instant::NEVER };
                true
            }
            State::Away { .. } => false,
        }
    }

    /// The probe was given up before it had an outcome: another may be sent.
    pub fn on_probe_abandoned(&mut self, now: Instant) {
        if self.awaits_probe() {
            self.state = State::Away { probe_at: now };
        }
    }

    /// Whether a probe is under way and the next waits for its outcome.
    pub const fn awaits_probe(&self) -> bool {
        matches!(self.state, State::Away { probe_at: Instant::NEVER })
    }

    /// When to ask [`Outage::turns`] again, if connections wait.
    pub const fn deadline(&self) -> Instant {
        match self.state {
            State::Available => Instant::ZERO,
            State::Away { probe_at } => probe_at,
            State::Pacing { next } => next,
        }
    }

    fn settle(&mut self, now: Instant) {
        if self.well_since.is_some_and(|since| now.since(since) >= PROVEN) {
            self.backoff.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outage() -> Outage {
        Outage::new(Backoff::new(Duration::from_millis(100), Duration::from_secs(10)))
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn an_outage_begins_once_and_ends_once() {
        let mut outage = outage();
        assert_eq!(outage.on_failure(at(0), None, 0), Some(Change::Away));
        assert_eq!(outage.on_failure(at(1), None, 0), None);
        assert_eq!(outage.on_connected(at(100), at(200)), Some(Change::Back));
        assert_eq!(outage.on_connected(at(100), at(201)), None);
    }

    #[test]
    fn one_probes_for_all_and_the_others_follow_at_a_pace() {
        let mut outage = outage();
        outage.on_failure(at(0), None, 0);
        assert_eq!(outage.turns(at(99), true), 0);
        assert_eq!(outage.turns(at(100), true), 1);
        assert_eq!(outage.turns(at(9000), true), 0, "the probe has no outcome yet");
        outage.on_connected(at(100), at(9001));
        assert_eq!(outage.turns(at(9001), true), PACE_BURST);
        assert_eq!(outage.turns(at(9002), true), 0);
        assert_eq!(outage.turns(at(9011), true), PACE_BURST);
        assert_eq!(outage.turns(at(9012), false), 0);
        assert!(outage.is_available());
    }

    #[test]
    fn accepting_and_resetting_again_and_again_grows_the_backoff() {
        let mut outage = outage();
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..4 {
            outage.on_connected(now, now);
            outage.on_failure(now, Some(now), u64::MAX);
            waits.push(outage.deadline().since(now).as_millis());
            now = outage.deadline();
        }
        assert_eq!(waits, [300, 900, 2700, 8100]);
    }

    #[test]
    fn who_cannot_wait_is_the_probe_when_one_is_due() {
        let mut outage = outage();
        assert!(outage.may_try(at(0)));
        outage.on_failure(at(0), None, 0);
        assert!(!outage.may_try(at(99)));
        assert!(outage.may_try(at(100)));
        assert!(!outage.may_try(at(100)), "there is one probe");
    }

    #[test]
    fn a_connect_older_than_the_last_failure_ends_no_outage() {
        let mut outage = outage();
        outage.on_failure(at(50), None, 0);
        assert_eq!(outage.on_connected(at(10), at(60)), None);
        assert!(outage.is_away());
        assert_eq!(outage.on_connected(at(150), at(160)), Some(Change::Back));
    }

    #[test]
    fn a_reset_after_a_long_life_is_no_outage() {
        let mut outage = outage();
        outage.on_connected(at(0), at(0));
        assert_eq!(outage.on_failure(at(2000), Some(at(0)), 0), None);
        assert!(outage.is_available());
    }

    #[test]
    fn a_second_of_health_starts_the_backoff_over() {
        let mut outage = outage();
        outage.on_failure(at(0), None, u64::MAX);
        outage.on_failure(at(300), None, u64::MAX);
        outage.on_connected(at(1200), at(1200));
        outage.on_failure(at(3000), None, u64::MAX);
        assert_eq!(outage.deadline(), at(3300));
    }
}
