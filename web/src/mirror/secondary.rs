//! What one shard knows of a secondary: whether it is away, and what became of copies.

use std::cell::RefCell;

use proto::{
    counters::{ShedReason, Tally},
    outage::Outage,
};
use runtime::{report::DestinationReport, telemetry::RateLimited};

use crate::counters::Count;

/// A secondary, to one shard.
pub(crate) struct Secondary {
    pub(super) outage: RefCell<Outage>,
    /// Of those of each finding one a second is told.
    pub(super) told: [RefCell<RateLimited>; Finding::COUNT],
    counts: Counts,
}

/// What a divergence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The secondary gave no reply.
    Missing,
    /// It gave another.
    Different,
}

impl Finding {
    const COUNT: usize = 2;

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Different => "different",
        }
    }
}

/// What became of copies.
#[derive(Debug, Default)]
struct Counts {
    matched: Count,
    found: [Count; Finding::COUNT],
    uncompared: Count,
    shed: [Count; ShedReason::ALL.len()],
}

impl Secondary {
    pub(crate) fn new(outage: Outage) -> Self {
        Self { outage: RefCell::new(outage), told: Default::default(), counts: Counts::default() }
    }

    /// A copy does not go to it.
    pub(super) fn shed(&self, reason: ShedReason) {
        self.counts.shed[reason as usize].bump();
    }

    pub(super) fn note_matched(&self) {
        self.counts.matched.bump();
    }

    pub(super) fn note_found(&self, finding: Finding) {
        self.counts.found[finding as usize].bump();
    }

    pub(super) fn note_uncompared(&self) {
        self.counts.uncompared.bump();
    }

    /// Adds what was counted here to what the machine has counted of it. A copy that was shed has become no bytes.
    pub(crate) fn complete(&self, report: &mut DestinationReport) {
        let counts = &self.counts;
        let said = report.said.get_or_insert_default();
        said.matched += counts.matched.get();
        said.missing += counts.found[Finding::Missing as usize].get();
        said.different += counts.found[Finding::Different as usize].get();
        said.uncompared += counts.uncompared.get();
        for (reason, count) in ShedReason::ALL.iter().zip(&counts.shed).filter(|(_, count)| count.get() > 0) {
            let shed = Tally::new(count.get(), 0);
            report.accepted += shed;
            *report.shed.entry(reason.name().to_owned()).or_default() += shed;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proto::backoff::Backoff;

    use super::*;

    /// Fails if what is shed is not accepted as well.
    #[test]
    fn a_report_has_what_became_of_copies_and_stays_balanced() {
        let secondary = Secondary::new(Outage::new(Backoff::new(Duration::ZERO, Duration::ZERO)));
        secondary.note_matched();
        secondary.note_found(Finding::Different);
        secondary.note_found(Finding::Missing);
        secondary.note_uncompared();
        for reason in [ShedReason::Away, ShedReason::Away, ShedReason::WindowFull] {
            secondary.shed(reason);
        }
        let tally = Tally::new(3, 30);
        let mut report =
            DestinationReport { accepted: tally, delivered: tally, ..DestinationReport::default() };

        secondary.complete(&mut report);

        assert!(report.is_balanced());
        assert_eq!(
            (report.shed["away"].frames, report.shed["window_full"].frames, report.shed.len()),
            (2, 1, 2)
        );
        let said = report.said.unwrap();
        assert_eq!((said.matched, said.missing, said.different, said.uncompared), (1, 1, 1, 1));
    }
}
