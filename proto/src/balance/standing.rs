//! What requests have found a server to be: in the ring, ejected, or on probation.
//!
//! ```text
//!            N failures in a row                 its time is over, or nobody else is left
//!  in the ring ───────────────▶ ejected until … ────────────────────────────────────────▶ probed
//!       ▲                            ▲                 the probe failed                      │ │
//!       │                            └───────────────────────────────────────────────────────┘ │
//!       └──────────────────────────────── the probe was answered ──────────────────────────────┘
//! ```
//!
//! Each change begins a new era, and what was sent in an older one says nothing: a hundred requests that fail together eject
//! a server once, and an answer begun before it broke does not bring it back.

use std::time::Duration;

use super::{Change, Ejection};
use crate::time::Instant;

/// The standing of one server.
#[derive(Debug, Default)]
pub(super) struct Standing {
    state: State,
    /// In a row, while it is in the ring.
    failures: u32,
    /// How long the latest ejection was for; zero before the first.
    span: Duration,
    returned_at: Instant,
    era: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    InRing,
    Ejected {
        until: Instant,
    },
    Probed,
}

/// What a request has to remember of the server it was sent to.
#[derive(Debug)]
pub(super) struct Mark {
    era: u64,
    pub(super) is_probe: bool,
}

impl Standing {
    pub(super) fn is_in_ring(&self) -> bool {
        self.state == State::InRing
    }

    pub(super) fn is_probe_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Ejected { until } if until <= now)
    }

    /// When it may be probed; who is being probed comes after all who wait to be.
    pub(super) fn due(&self) -> Instant {
        match self.state {
            State::InRing => Instant::ZERO,
            State::Ejected { until } => until,
            State::Probed => Instant::NEVER,
        }
    }

    /// A request goes to it; to one that is ejected it is the probe.
    pub(super) fn on_sent(&mut self) -> Mark {
        let is_probe = matches!(self.state, State::Ejected { .. });
        if is_probe {
            self.state = State::Probed;
        }
        Mark { era: self.era, is_probe }
    }

    pub(super) fn on_done(&mut self, mark: &Mark, now: Instant) -> Option<Change> {
        if mark.era != self.era {
            return None;
        }
        self.failures = 0;
        if self.is_in_ring() {
            return None;
        }
        self.enter(State::InRing);
        self.returned_at = now;
        Some(Change::Back)
    }

    pub(super) fn on_failed(&mut self, mark: &Mark, now: Instant, rule: &Ejection) -> Option<Change> {
        if mark.era != self.era {
            return None;
        }
        if !self.is_in_ring() {
            self.eject(now, rule);
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        (self.failures >= rule.failures).then(|| Change::Ejected { until: self.eject(now, rule) })
    }

    /// The request ended without a word about the server. If it was the probe, the next request is.
    pub(super) fn on_abandoned(&mut self, mark: &Mark, now: Instant) {
        if mark.era == self.era && mark.is_probe && self.state == State::Probed {
            self.state = State::Ejected { until: now };
        }
    }

    /// Something has changed for the better: what was to come later may be tried now.
    pub(super) fn hasten(&mut self, now: Instant) {
        if let State::Ejected { until } = &mut self.state {
            *until = now.min(*until);
        }
    }

    fn eject(&mut self, now: Instant, rule: &Ejection) -> Instant {
        self.span = self.next_span(now, rule);
        let until = now + self.span;
        self.enter(State::Ejected { until });
        until
    }

    /// Twice the last, up to the cap. Who was well for as long as it was out the last time starts over.
    fn next_span(&self, now: Instant, rule: &Ejection) -> Duration {
        let is_forgiven = self.is_in_ring() && now.since(self.returned_at) >= self.span;
        let longer = if is_forgiven { rule.base } else { self.span.saturating_mul(2).max(rule.base) };
        longer.min(rule.cap)
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.failures = 0;
        self.era += 1;
    }
}
