//! What health checks have found a server to be, and when the next is due.
//!
//! One check of a server is under way at a time, however long it takes. Checks and requests judge apart: a server whose
//! checks pass and whose requests fail is ejected all the same.

use std::time::Duration;

use super::Change;
use crate::time::Instant;

/// How servers are asked whether they are well. Counts of zero mean one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthChecks {
    /// From the end of one check to the next of the same server.
    pub interval: Duration,
    /// Failed checks in a row that make a server unwell.
    pub unwell_after: u32,
    /// Passed checks in a row that make it well again.
    pub well_after: u32,
}

/// The checks of one server. It is taken to be well until they say otherwise.
#[derive(Debug, Default)]
pub(super) struct Checks {
    is_unwell: bool,
    /// Checks in a row that say other than `is_unwell` does.
    against: u32,
    due: Instant,
}

impl Checks {
    pub(super) fn is_unwell(&self) -> bool {
        self.is_unwell
    }

    /// When the next is due; never while one is under way.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    pub(super) fn begin(&mut self) {
        self.due = Instant::NEVER;
    }

    pub(super) fn on_checked(&mut self, is_well: bool, now: Instant, rule: &HealthChecks) -> Option<Change> {
        self.due = now + rule.interval;
        if is_well != self.is_unwell {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let enough = if self.is_unwell { rule.well_after } else { rule.unwell_after };
        (self.against >= enough).then(|| self.turn_over())
    }

    fn turn_over(&mut self) -> Change {
        self.is_unwell = !self.is_unwell;
        self.against = 0;
        if self.is_unwell { Change::Unwell } else { Change::Well }
    }
}
