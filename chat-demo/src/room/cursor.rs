//! How far one member has got in the log.
//!
//! ```text
//!        seen            sent             head
//!   ──────┼────────────────┼────────────────┼──▶ numbers
//!         │◀── the window ──▶│◀─ to be sent ─▶│
//! ```

use super::Log;

/// The most entries that are sent and not yet seen.
pub(super) const WINDOW_ENTRIES: u64 = 4_096;
/// The most bytes of them.
pub(super) const WINDOW_BYTES: u64 = 1024 * 1024;

/// A member's place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    // Invariant: seen <= sent <= head of the log.
    seen: u64,
    sent: u64,
}

impl Cursor {
    /// One that has seen all up to this number.
    pub(super) fn after(number: u64) -> Self {
        Self { seen: number, sent: number }
    }

    /// The last number that was sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How far it may be sent now: to the head, or the end of its window.
    pub(super) fn limit(&self, log: &Log) -> u64 {
        let by_entries = self.seen.saturating_add(WINDOW_ENTRIES);
        let by_bytes = log.last_within(self.seen, WINDOW_BYTES);
        // One entry always fits, however the bytes are.
        by_entries.min(by_bytes.max(self.seen + 1)).min(log.head()).max(self.sent)
    }

    /// All up to this number is on its way.
    pub(super) fn on_sent(&mut self, to: u64) {
        debug_assert!(to >= self.sent);
        self.sent = to;
    }

    /// The member says what it has seen. It cannot have seen what was not sent, and does not forget.
    pub(super) fn on_seen(&mut self, number: u64) {
        self.seen = self.seen.max(number.min(self.sent));
    }

    /// The same for who never says so.
    pub(super) fn on_sent_and_forgotten(&mut self, to: u64) {
        *self = Self::after(to);
    }

    /// Whether the log has all that is still to be sent.
    pub(super) fn is_behind(&self, log: &Log) -> bool {
        self.sent + 1 < log.first()
    }

    pub(super) fn is_within(&self, log: &Log) -> bool {
        self.seen <= self.sent && self.sent <= log.head()
    }
}
